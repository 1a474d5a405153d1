//! The bridge between temporal values as stored ([`quoit_graph::value`]) and as computed with ([`Moment`], [`Span`]), and from maps to fields.

use std::sync::Arc;

use quoit_graph::value::{
    Date, DateTime, Duration, LocalDateTime, LocalTime, Time, Value, ValueMap,
};

use super::civil::NANOS_PER_SECOND;
use super::construct::{Amount, Fields, span_from_parts};
use super::duration::{Span, epoch};
use super::{Moment, TemporalError, Zone, zone};

/// The instant in a value; `None` if it is no instant.
pub fn moment_of(value: &Value) -> Option<Moment> {
    let local = |seconds: i64, nanos: u32| zone::local(seconds, i64::from(nanos), 0);
    Some(match value {
        Value::Date(date) => Moment::date(date.days),
        Value::LocalTime(time) => Moment {
            days: None,
            nanos: Some(time.nanoseconds),
            zone: None,
        },
        Value::Time(time) => Moment {
            days: None,
            nanos: Some(time.nanoseconds),
            zone: Some((Zone::Offset(time.offset_seconds), time.offset_seconds)),
        },
        Value::LocalDateTime(time) => {
            let (days, nanos) = local(time.seconds, time.nanoseconds);
            Moment {
                days: Some(days),
                nanos: Some(nanos),
                zone: None,
            }
        }
        Value::DateTime(time) => {
            let (days, nanos) = zone::local(
                time.seconds,
                i64::from(time.nanoseconds),
                time.offset_seconds,
            );
            let zone = match &time.zone {
                Some(name) => Zone::Named(name.clone()),
                None => Zone::Offset(time.offset_seconds),
            };
            Moment {
                days: Some(days),
                nanos: Some(nanos),
                zone: Some((zone, time.offset_seconds)),
            }
        }
        _ => return None,
    })
}

/// The value of an instant; its type is that of the fields it has.
pub fn value_of(moment: &Moment) -> Value {
    let nanos = moment.nanos.unwrap_or(0);
    let fraction = (nanos % NANOS_PER_SECOND) as u32;
    match (moment.days, moment.nanos, &moment.zone) {
        (Some(_), Some(_), Some((zone, offset))) => {
            let zone = match zone {
                Zone::Named(name) => Some(name.clone()),
                Zone::Offset(_) => None,
            };
            let (seconds, _) = epoch(moment);
            Value::DateTime(Arc::new(DateTime {
                seconds,
                nanoseconds: fraction,
                offset_seconds: *offset,
                zone,
            }))
        }
        (Some(days), Some(nanos), None) => Value::LocalDateTime(LocalDateTime {
            seconds: days * 86_400 + nanos / NANOS_PER_SECOND,
            nanoseconds: fraction,
        }),
        (Some(days), None, _) => Value::Date(Date { days }),
        (None, _, Some((_, offset))) => Value::Time(Time {
            nanoseconds: nanos,
            offset_seconds: *offset,
        }),
        (None, _, None) => Value::LocalTime(LocalTime { nanoseconds: nanos }),
    }
}

/// A stored duration to compute with.
pub fn span_of(duration: &Duration) -> Span {
    Span {
        months: duration.months,
        days: duration.days,
        seconds: duration.seconds,
        nanos: i64::from(duration.nanoseconds),
    }
}

/// The value of a duration.
pub fn span_value(span: &Span) -> Value {
    Value::Duration(Arc::new(Duration {
        months: span.months,
        days: span.days,
        seconds: span.seconds,
        nanoseconds: span.nanos as u32,
    }))
}

/// Reads the fields of an instant from a map. `None` if some value is null, which makes the instant null.
///
/// # Errors
/// A key that no instant has, or a value of the wrong type.
pub fn fields_of(map: &ValueMap) -> Result<Option<Fields>, TemporalError> {
    let mut fields = Fields::default();
    for (key, value) in map.iter() {
        if value.is_null() {
            return Ok(None);
        }
        let wrong = || TemporalError::new(format!("`{key}` cannot be {}", value.type_phrase()));
        let moment = || moment_of(value).ok_or_else(wrong);
        let integer = || match value {
            Value::Int(number) => Ok(*number),
            _ => Err(wrong()),
        };
        match &**key {
            "date" => fields.date = Some(moment()?),
            "time" => fields.time = Some(moment()?),
            "datetime" => fields.datetime = Some(moment()?),
            "year" => fields.year = Some(integer()?),
            "month" => fields.month = Some(integer()?),
            "day" => fields.day = Some(integer()?),
            "week" => fields.week = Some(integer()?),
            "dayOfWeek" | "weekDay" => fields.day_of_week = Some(integer()?),
            "quarter" => fields.quarter = Some(integer()?),
            "dayOfQuarter" => fields.day_of_quarter = Some(integer()?),
            "ordinalDay" => fields.ordinal_day = Some(integer()?),
            "hour" => fields.hour = Some(integer()?),
            "minute" => fields.minute = Some(integer()?),
            "second" => fields.second = Some(integer()?),
            "millisecond" => fields.millisecond = Some(integer()?),
            "microsecond" => fields.microsecond = Some(integer()?),
            "nanosecond" => fields.nanosecond = Some(integer()?),
            "epochSeconds" => fields.epoch_seconds = Some(integer()?),
            "epochMillis" => fields.epoch_millis = Some(integer()?),
            "timezone" => match value {
                Value::String(text) => fields.timezone = Some(text.to_string()),
                _ => return Err(wrong()),
            },
            _ => {
                return Err(TemporalError::new(format!(
                    "there is no temporal field `{key}`"
                )));
            }
        }
    }
    Ok(Some(fields))
}

/// Reads a duration from a map; `None` if some value is null.
///
/// # Errors
/// An unknown unit, a value that is no number, a sum out of range.
pub fn span_of_map(map: &ValueMap) -> Result<Option<Span>, TemporalError> {
    let mut parts = Vec::with_capacity(map.len());
    for (key, value) in map.iter() {
        let amount = match value {
            Value::Int(number) => Amount::Whole(*number),
            Value::Float(number) => Amount::Fraction(*number),
            Value::Null => return Ok(None),
            _ => {
                return Err(TemporalError::new(format!(
                    "`{key}` cannot be {}",
                    value.type_phrase()
                )));
            }
        };
        parts.push((&**key, amount));
    }
    span_from_parts(parts.into_iter()).map(Some)
}

#[cfg(test)]
mod tests {
    use super::super::parse::parse_moment;
    use super::super::{Type, format_moment};
    use super::*;

    #[test]
    fn an_instant_keeps_its_type_and_text_through_its_value() {
        for (kind, text) in [
            (Type::Date, "1984-10-11"),
            (Type::LocalTime, "12:31:14.645876123"),
            (Type::Time, "12:31+01:00"),
            (Type::LocalDateTime, "-0001-10-11T12:31:14"),
            (
                Type::DateTime,
                "1984-10-11T12:31:14+01:00[Europe/Stockholm]",
            ),
        ] {
            let moment = parse_moment(kind, text).unwrap();
            let back = moment_of(&value_of(&moment)).unwrap();
            assert_eq!(
                (back.temporal_type(), format_moment(&back).as_str()),
                (kind, text)
            );
        }
    }
}
