//! Temporal functions: constructors, clocks, truncation, differences. The arithmetic is [`crate::temporal`]'s.

use quoit_cypher::error::{Detail, Error};
use quoit_cypher::functions::Function;
use quoit_graph::value::Value;

use super::wrong_argument;
use crate::operator::Context;
use crate::temporal::construct::{Fields, instant_moment, parse_zone, truncate};
use crate::temporal::convert::{fields_of, moment_of, span_of_map, span_value, value_of};
use crate::temporal::duration::{Units, between};
use crate::temporal::parse::{parse_duration, parse_moment};
use crate::temporal::{Moment, TemporalError, Type, Zone};

fn invalid(error: TemporalError) -> Error {
    Error::argument(Detail::InvalidArgumentValue, error.0)
}

/// Which clock a constructor without argument reads.
#[derive(Clone, Copy, PartialEq)]
enum Clock {
    Statement,
    Realtime,
}

pub(super) fn apply(
    function: Function,
    args: &[Value],
    cx: &mut Context<'_>,
) -> Result<Value, Error> {
    use Function as F;
    let (kind, clock) = match function {
        F::Date => return construct(function, Type::Date, args, cx),
        F::Time => return construct(function, Type::Time, args, cx),
        F::LocalTime => return construct(function, Type::LocalTime, args, cx),
        F::LocalDateTime => return construct(function, Type::LocalDateTime, args, cx),
        F::DateTime => return construct(function, Type::DateTime, args, cx),
        F::DateTruncate => return truncated(function, Type::Date, args, cx),
        F::TimeTruncate => return truncated(function, Type::Time, args, cx),
        F::LocalTimeTruncate => return truncated(function, Type::LocalTime, args, cx),
        F::LocalDateTimeTruncate => return truncated(function, Type::LocalDateTime, args, cx),
        F::DateTimeTruncate => return truncated(function, Type::DateTime, args, cx),
        F::DateTimeFromEpoch | F::DateTimeFromEpochMillis => return from_epoch(function, args),
        F::Duration => return duration(args),
        F::DurationBetween => return difference(function, Units::Mixed, args),
        F::DurationInMonths => return difference(function, Units::Months, args),
        F::DurationInDays => return difference(function, Units::Days, args),
        F::DurationInSeconds => return difference(function, Units::Seconds, args),
        F::Timestamp => return timestamp(args, cx),
        F::DateTransaction | F::DateStatement => (Type::Date, Clock::Statement),
        F::DateRealtime => (Type::Date, Clock::Realtime),
        F::TimeTransaction | F::TimeStatement => (Type::Time, Clock::Statement),
        F::TimeRealtime => (Type::Time, Clock::Realtime),
        F::LocalTimeTransaction | F::LocalTimeStatement => (Type::LocalTime, Clock::Statement),
        F::LocalTimeRealtime => (Type::LocalTime, Clock::Realtime),
        F::LocalDateTimeTransaction | F::LocalDateTimeStatement => {
            (Type::LocalDateTime, Clock::Statement)
        }
        F::LocalDateTimeRealtime => (Type::LocalDateTime, Clock::Realtime),
        F::DateTimeTransaction | F::DateTimeStatement => (Type::DateTime, Clock::Statement),
        F::DateTimeRealtime => (Type::DateTime, Clock::Realtime),
        _ => {
            return Err(Error::unsupported(format!(
                "the function {function}() is not available yet"
            )));
        }
    };
    let zone = match args.first() {
        None => Zone::UTC,
        Some(Value::Null) => return Ok(Value::Null),
        Some(Value::String(zone)) => parse_zone(zone).map_err(invalid)?,
        Some(other) => return Err(wrong_argument(function, "a time zone", other)),
    };
    now(kind, clock, zone, cx)
}

fn now(kind: Type, clock: Clock, zone: Zone, cx: &Context<'_>) -> Result<Value, Error> {
    let time = if clock == Clock::Realtime {
        crate::operator::now()
    } else {
        cx.statement_time()
    };
    let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    let moment =
        instant_moment(Some(seconds), i64::from(time.subsec_nanos()), zone).map_err(invalid)?;
    moment
        .convert(kind)
        .map(|moment| value_of(&moment))
        .map_err(invalid)
}

fn construct(
    function: Function,
    kind: Type,
    args: &[Value],
    cx: &Context<'_>,
) -> Result<Value, Error> {
    let now_seconds = i64::try_from(cx.statement_time().as_secs()).unwrap_or(0);
    let moment: Moment = match args.first() {
        None => return now(kind, Clock::Statement, Zone::UTC, cx),
        Some(Value::Null) => return Ok(Value::Null),
        Some(Value::String(text)) => parse_moment(kind, text).map_err(invalid)?,
        Some(Value::Map(map)) => match fields_of(map).map_err(invalid)? {
            None => return Ok(Value::Null),
            // `date({timezone: 'Europe/Berlin'})` asks for now, there.
            Some(Fields {
                timezone: Some(zone),
                ..
            }) if map.len() == 1 => {
                return now(
                    kind,
                    Clock::Statement,
                    parse_zone(&zone).map_err(invalid)?,
                    cx,
                );
            }
            Some(fields) => fields.build(kind, now_seconds).map_err(invalid)?,
        },
        Some(other) => {
            let moment = moment_of(other).ok_or_else(|| {
                wrong_argument(function, "a string, map or temporal value", other)
            })?;
            moment.convert(kind).map_err(invalid)?
        }
    };
    Ok(value_of(&moment))
}

fn truncated(
    function: Function,
    kind: Type,
    args: &[Value],
    cx: &Context<'_>,
) -> Result<Value, Error> {
    if args.iter().any(Value::is_null) {
        return Ok(Value::Null);
    }
    let Value::String(unit) = &args[0] else {
        return Err(wrong_argument(function, "the name of a unit", &args[0]));
    };
    let value = match args.get(1) {
        Some(value) => value.clone(),
        None => now(kind, Clock::Statement, Zone::UTC, cx)?,
    };
    let moment =
        moment_of(&value).ok_or_else(|| wrong_argument(function, "a temporal value", &value))?;
    let fields = match args.get(2) {
        None => Fields::default(),
        Some(Value::Map(map)) => match fields_of(map).map_err(invalid)? {
            Some(fields) => fields,
            None => return Ok(Value::Null),
        },
        Some(other) => return Err(wrong_argument(function, "a map of fields", other)),
    };
    truncate(kind, unit, &moment, &fields)
        .map(|moment| value_of(&moment))
        .map_err(invalid)
}

fn from_epoch(function: Function, args: &[Value]) -> Result<Value, Error> {
    let mut numbers = [0_i64; 2];
    for (arg, number) in args.iter().zip(&mut numbers) {
        match arg {
            Value::Null => return Ok(Value::Null),
            Value::Int(value) => *number = *value,
            other => return Err(wrong_argument(function, "integers", other)),
        }
    }
    let (seconds, nanos) = match function {
        Function::DateTimeFromEpoch => (numbers[0], numbers[1]),
        _ => (
            numbers[0].div_euclid(1000),
            numbers[0].rem_euclid(1000) * 1_000_000,
        ),
    };
    instant_moment(Some(seconds), nanos, Zone::UTC)
        .map(|moment| value_of(&moment))
        .map_err(invalid)
}

fn duration(args: &[Value]) -> Result<Value, Error> {
    match &args[0] {
        Value::Null => Ok(Value::Null),
        Value::Duration(_) => Ok(args[0].clone()),
        Value::String(text) => parse_duration(text)
            .map(|span| span_value(&span))
            .map_err(invalid),
        Value::Map(map) => Ok(span_of_map(map)
            .map_err(invalid)?
            .map_or(Value::Null, |span| span_value(&span))),
        other => Err(wrong_argument(Function::Duration, "a string or map", other)),
    }
}

fn difference(function: Function, units: Units, args: &[Value]) -> Result<Value, Error> {
    if args.iter().any(Value::is_null) {
        return Ok(Value::Null);
    }
    let moment = |at: usize| {
        moment_of(&args[at]).ok_or_else(|| wrong_argument(function, "temporal values", &args[at]))
    };
    between(&moment(0)?, &moment(1)?, units)
        .map(|span| span_value(&span))
        .map_err(invalid)
}

/// `timestamp()`: milliseconds since 1970 of the statement; of a temporal value, microseconds as Memgraph gives them.
fn timestamp(args: &[Value], cx: &Context<'_>) -> Result<Value, Error> {
    let Some(value) = args.first() else {
        return Ok(Value::Int(
            i64::try_from(cx.statement_time().as_millis()).unwrap_or(i64::MAX),
        ));
    };
    if value.is_null() {
        return Ok(Value::Null);
    }
    let moment = moment_of(value)
        .ok_or_else(|| wrong_argument(Function::Timestamp, "a temporal value", value))?;
    let (seconds, nanos) = crate::temporal::duration::epoch(&moment);
    seconds
        .checked_mul(1_000_000)
        .and_then(|micros| micros.checked_add(nanos / 1000))
        .map(Value::Int)
        .ok_or_else(|| Error::arithmetic(Detail::Overflow, "integer overflow"))
}
