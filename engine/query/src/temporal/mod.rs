//! Temporal values: calendar, zones, text forms, construction, truncation, durations.
//!
//! Called by the functions of Cypher and by arithmetic. Always holds: a [`Moment`] has a date, a time of day, a zone, or several of
//! these, each in range; which of them are there says which of the five types of instants it is. Durations keep months, days, seconds
//! and nanoseconds apart. Left to others: how values are stored (`quoit-graph`; [`convert`] is the one bridge), what the clock says (an
//! argument). Texts follow ISO 8601 as the openCypher TCK uses it.

pub mod civil;
pub mod construct;
pub mod convert;
pub mod duration;
pub mod parse;
pub mod zone;

mod component;
mod format;

pub use component::{Component, duration_component, moment_component};
pub use duration::Span;
pub use format::{format_moment, format_span};
pub use zone::Zone;

/// What is wrong with a temporal argument; lower case, without a full stop.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{0}")]
pub struct TemporalError(pub String);

impl TemporalError {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        TemporalError(message.into())
    }
}

/// The instant types of Cypher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// `DATE`.
    Date,
    /// `LOCAL TIME`.
    LocalTime,
    /// `ZONED TIME`: a time with an offset.
    Time,
    /// `LOCAL DATETIME`.
    LocalDateTime,
    /// `ZONED DATETIME`: with an offset or a named zone.
    DateTime,
}

impl Type {
    /// The name of its constructor function.
    pub fn name(self) -> &'static str {
        match self {
            Type::Date => "date",
            Type::LocalTime => "localtime",
            Type::Time => "time",
            Type::LocalDateTime => "localdatetime",
            Type::DateTime => "datetime",
        }
    }

    /// Whether values of it have a date.
    pub fn has_date(self) -> bool {
        matches!(self, Type::Date | Type::LocalDateTime | Type::DateTime)
    }

    /// Whether values of it have a time of day.
    pub fn has_time(self) -> bool {
        !matches!(self, Type::Date)
    }

    /// Whether values of it have a zone or offset.
    pub fn has_zone(self) -> bool {
        matches!(self, Type::Time | Type::DateTime)
    }
}

/// Any temporal instant, as local fields: what is `None` the type does not have.
#[derive(Clone, Debug, PartialEq)]
pub struct Moment {
    /// Days since 1970-01-01, local.
    pub days: Option<i64>,
    /// Nanoseconds of the local day, 0 to 86,399,999,999,999.
    pub nanos: Option<i64>,
    /// The zone and the offset in seconds that holds there at this instant.
    pub zone: Option<(Zone, i32)>,
}

impl Moment {
    /// A date.
    pub fn date(days: i64) -> Self {
        Moment {
            days: Some(days),
            nanos: None,
            zone: None,
        }
    }

    /// The type that has just these fields.
    pub fn temporal_type(&self) -> Type {
        match (
            self.days.is_some(),
            self.nanos.is_some(),
            self.zone.is_some(),
        ) {
            (true, true, true) => Type::DateTime,
            (true, true, false) => Type::LocalDateTime,
            (false, _, true) => Type::Time,
            (false, _, false) => Type::LocalTime,
            (true, false, _) => Type::Date,
        }
    }

    /// A local date and time put into a zone; local times that do not exist there move on.
    pub fn zoned(days: i64, nanos: i64, zone: Zone) -> Self {
        let (offset, shift) = zone.offset_at_local(days, nanos);
        let seconds = days * 86_400 + nanos / civil::NANOS_PER_SECOND + shift;
        let (days, nanos) = zone::local(seconds, nanos % civil::NANOS_PER_SECOND, 0);
        Moment {
            days: Some(days),
            nanos: Some(nanos),
            zone: Some((zone, offset)),
        }
    }

    /// An instant (seconds since the epoch, nanoseconds of that second) seen in a zone.
    pub fn at_instant(epoch_seconds: i64, nanos_of_second: i64, zone: Zone) -> Self {
        let offset = zone.offset_at_instant(epoch_seconds);
        let (days, nanos) = zone::local(epoch_seconds, nanos_of_second, offset);
        Moment {
            days: Some(days),
            nanos: Some(nanos),
            zone: Some((zone, offset)),
        }
    }

    /// Takes what `target` has; missing parts are midnight, UTC, or (where a date is missing) an error.
    pub fn convert(&self, target: Type) -> Result<Moment, TemporalError> {
        let days = match (target.has_date(), self.days) {
            (false, _) => None,
            (true, Some(days)) => Some(days),
            (true, None) => {
                return Err(TemporalError::new(format!(
                    "a {} cannot be made from a value without a date",
                    target.name()
                )));
            }
        };
        let nanos = target.has_time().then(|| self.nanos.unwrap_or(0));
        let zone = target.has_zone().then(|| match &self.zone {
            Some((_, offset)) if target == Type::Time => (Zone::Offset(*offset), *offset),
            Some(zone) => zone.clone(),
            None => (Zone::UTC, 0),
        });
        Ok(Moment { days, nanos, zone })
    }
}
