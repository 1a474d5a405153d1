//! Parameters: from a received message to values of the engine.
//!
//! Owns the one copy that a parameter ever needs. Called by RUN. What always holds: nesting was bounded by the
//! protocol's check, so the walk is too; a value the engine does not know is an error for this query, never dropped.

use quoit_cypher::error::{Error, ErrorKind};
use quoit_graph::value::{Date, Duration, LocalDateTime, LocalTime, Point, Time, Value};
use quoit_protocol::WireFormat;
use quoit_protocol::packstream::{self, Map};
use quoit_protocol::structure::{Extended, StructureError};
use quoit_query::Parameters;
use quoit_query::temporal::convert::value_of;
use quoit_query::temporal::{Moment, Zone};
use std::sync::Arc;

/// All parameters of a RUN. `known`: names that need not be copied.
///
/// # Errors
/// The first parameter that is no value a client may send, by name.
pub(crate) fn parameters(
    map: Map<'_>,
    known: &[Arc<str>],
    format: WireFormat,
) -> Result<Parameters, Error> {
    let mut parameters = Parameters::new();
    for (name, value) in map {
        let value = owned(value, format).map_err(|reason| {
            let name = name.chars().take(80).collect::<String>();
            Error::of(
                ErrorKind::ArgumentError,
                format!("parameter ${name} cannot be used: {reason}"),
            )
        })?;
        match known.iter().find(|known| ***known == *name) {
            Some(name) => parameters.insert(name.clone(), value),
            None => parameters.insert(name, value),
        }
    }
    Ok(parameters)
}

/// Entries of a transaction's metadata, nested ones included, at most.
const METADATA_VALUES_MAX: usize = 1_000;
/// Bytes of each text of a transaction's metadata at most.
const METADATA_TEXT_BYTES_MAX: usize = 2_048;

/// What a client wants shown with its transaction: a map.
///
/// # Errors
/// It holds something that is no value a client may send, or too much.
pub(crate) fn metadata(map: Map<'_>, format: WireFormat) -> Result<Value, Error> {
    use packstream::Token;
    let wrong = |reason: String| {
        let message = format!("tx_metadata cannot be used: {reason}");
        Error::of(ErrorKind::ArgumentError, message)
    };
    for (count, token) in map.tokens().enumerate() {
        let long = match token {
            Token::String(text) => text.len() > METADATA_TEXT_BYTES_MAX,
            Token::Bytes(bytes) => bytes.len() > METADATA_TEXT_BYTES_MAX,
            _ => false,
        };
        if long || count > 2 * METADATA_VALUES_MAX {
            return Err(wrong(format!(
                "it may have {METADATA_VALUES_MAX} values of {METADATA_TEXT_BYTES_MAX} bytes each at most"
            )));
        }
    }
    let entries = map
        .iter()
        .map(|(key, value)| Ok((Arc::from(key), owned(value, format)?)))
        .collect::<Result<_, Unusable>>();
    entries
        .map(Value::map)
        .map_err(|reason| wrong(reason.to_string()))
}

/// Why a value of a message is none of ours.
#[derive(Debug, thiserror::Error)]
enum Unusable {
    #[error(transparent)]
    Structure(#[from] StructureError),
    #[error("`{0}` is not a time zone")]
    Zone(String),
    #[error("the duration is too long")]
    Duration,
    #[error("a point's coordinate system must be 4326, 4979, 7203 or 9157, not {0}")]
    Srid(i64),
    #[error("a UUID is not a value that can be used here; send it as a string")]
    Uuid,
}

fn owned(value: packstream::Value<'_>, format: WireFormat) -> Result<Value, Unusable> {
    use packstream::Value as V;
    Ok(match value {
        V::Null => Value::Null,
        V::Bool(truth) => Value::Bool(truth),
        V::Int(int) => Value::Int(int),
        V::Float(float) => Value::Float(float),
        V::Bytes(bytes) => Value::Bytes(Arc::from(bytes)),
        V::String(text) => Value::string(text),
        V::Uuid(_) => return Err(Unusable::Uuid),
        V::List(list) => Value::list(
            list.iter()
                .map(|item| owned(item, format))
                .collect::<Result<_, _>>()?,
        ),
        V::Map(map) => Value::map(
            map.iter()
                .map(|(key, item)| Ok((Arc::from(key), owned(item, format)?)))
                .collect::<Result<_, Unusable>>()?,
        ),
        V::Struct(structure) => extended(Extended::read(structure, format)?)?,
    })
}

fn extended(value: Extended<'_>) -> Result<Value, Unusable> {
    Ok(match value {
        Extended::Date { days } => Value::Date(Date { days }),
        Extended::Time { ns, offset_s } => Value::Time(Time {
            nanoseconds: ns,
            offset_seconds: offset_s,
        }),
        Extended::LocalTime { ns } => Value::LocalTime(LocalTime { nanoseconds: ns }),
        Extended::LocalDateTime { seconds, ns } => Value::LocalDateTime(LocalDateTime {
            seconds,
            nanoseconds: ns,
        }),
        Extended::DateTime {
            utc_seconds,
            ns,
            offset_s,
        } => quoit_graph::value::DateTime {
            seconds: utc_seconds,
            nanoseconds: ns,
            offset_seconds: offset_s,
            zone: None,
        }
        .into(),
        Extended::ZonedDateTime {
            utc_seconds,
            ns,
            zone,
        } => value_of(&Moment::at_instant(
            utc_seconds,
            i64::from(ns),
            named(zone)?,
        )),
        Extended::WallClockZoned {
            wall_seconds,
            ns,
            zone,
        } => {
            let nanos = wall_seconds.rem_euclid(86_400) * 1_000_000_000 + i64::from(ns);
            value_of(&Moment::zoned(
                wall_seconds.div_euclid(86_400),
                nanos,
                named(zone)?,
            ))
        }
        Extended::Duration {
            months,
            days,
            seconds,
            ns,
        } => {
            // The wire's nanoseconds have a sign of their own; the engine's go forward from the seconds.
            let seconds = seconds.checked_add(ns.div_euclid(1_000_000_000));
            let seconds = seconds.ok_or(Unusable::Duration)?;
            Duration {
                months,
                days,
                seconds,
                nanoseconds: ns.rem_euclid(1_000_000_000) as u32,
            }
            .into()
        }
        Extended::Point2d { srid, x, y } => point(srid, x, y, None)?,
        Extended::Point3d { srid, x, y, z } => point(srid, x, y, Some(z))?,
        Extended::Vector(vector) => {
            Value::list(vector_elements(vector.element_marker(), vector.data()))
        }
    })
}

/// The numbers of a vector, by the PackStream marker of their type; the data is whole elements (`Extended` checked it).
fn vector_elements(marker: u8, data: &[u8]) -> Vec<Value> {
    fn all<const N: usize>(data: &[u8], read: impl Fn([u8; N]) -> Value) -> Vec<Value> {
        data.as_chunks::<N>()
            .0
            .iter()
            .map(|bytes| read(*bytes))
            .collect()
    }
    match marker {
        0xC8 => all(data, |b| Value::Int(i64::from(i8::from_be_bytes(b)))),
        0xC9 => all(data, |b| Value::Int(i64::from(i16::from_be_bytes(b)))),
        0xCA => all(data, |b| Value::Int(i64::from(i32::from_be_bytes(b)))),
        0xCB => all(data, |b| Value::Int(i64::from_be_bytes(b))),
        0xC6 => all(data, |b| Value::Float(f64::from(f32::from_be_bytes(b)))),
        _ => all(data, |b| Value::Float(f64::from_be_bytes(b))),
    }
}

fn named(zone: &str) -> Result<Zone, Unusable> {
    Zone::named(zone).ok_or_else(|| Unusable::Zone(zone.chars().take(80).collect()))
}

fn point(srid: i64, x: f64, y: f64, z: Option<f64>) -> Result<Value, Unusable> {
    match (srid, z) {
        (4326 | 7203, None) => Ok(Point {
            srid: srid as u32,
            x,
            y,
            z: 0.0,
        }
        .into()),
        (4979 | 9157, Some(z)) => Ok(Point {
            srid: srid as u32,
            x,
            y,
            z,
        }
        .into()),
        _ => Err(Unusable::Srid(srid)),
    }
}
