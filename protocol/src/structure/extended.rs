//! Structures that a value may be: dates, times, points, vectors, read from a message.
//!
//! An [`Extended`] is checked when it is made: field types, their number, and the ranges that do not
//! depend on a calendar or a zone. Converting wall-clock times of a zone, and refusing unknown zones
//! and coordinate systems, is left to the query engine.

use super::tag;
use crate::packstream::{ListIter, Struct, Value};
use crate::version::WireFormat;

/// A value that is not one of PackStream's own.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum Extended<'a> {
    /// Days since 1970-01-01.
    Date { days: i64 },
    /// Nanoseconds since local midnight, seconds east of UTC.
    Time { ns: i64, offset_s: i32 },
    /// Nanoseconds since midnight.
    LocalTime { ns: i64 },
    /// Seconds since the epoch by the wall clock, nanoseconds.
    LocalDateTime { seconds: i64, ns: u32 },
    /// Seconds of the instant, nanoseconds, seconds east of UTC.
    DateTime {
        utc_seconds: i64,
        ns: u32,
        offset_s: i32,
    },
    /// Seconds of the instant, nanoseconds, a zone's name.
    ZonedDateTime {
        utc_seconds: i64,
        ns: u32,
        zone: &'a str,
    },
    /// Seconds since the epoch by the wall clock of the zone, nanoseconds, the zone's name (before
    /// 5.0). In an hour that comes twice the earlier offset is meant.
    WallClockZoned {
        wall_seconds: i64,
        ns: u32,
        zone: &'a str,
    },
    /// Months, days, seconds, nanoseconds.
    Duration {
        months: i64,
        days: i64,
        seconds: i64,
        ns: i64,
    },
    /// Coordinate system and coordinates.
    Point2d { srid: i64, x: f64, y: f64 },
    /// Coordinate system and coordinates.
    Point3d { srid: i64, x: f64, y: f64, z: f64 },
    /// Numbers of one type (6.0).
    Vector(VectorView<'a>),
}

/// Why a structure is not a value that a client may send. The request that holds it fails; the
/// connection lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("structure {tag:02X}: {kind}")]
pub struct StructureError {
    /// The structure's tag.
    pub tag: u8,
    /// What is wrong with it.
    pub kind: StructureErrorKind,
}

/// The ways in which a structure fails to be a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StructureErrorKind {
    /// No version has such a structure.
    #[error("unknown structure")]
    Unknown,
    /// The connection's version does not have it.
    #[error("not known to this version of Bolt")]
    NotInVersion,
    /// Vertices, edges and paths go from the server to the client only.
    #[error("nodes, relationships and paths cannot be sent to the server")]
    NotAParameter,
    /// The wrong number of fields.
    #[error("{found} fields instead of {expected}")]
    Arity {
        /// How many came.
        found: usize,
        /// How many it has.
        expected: usize,
    },
    /// A field of the wrong type or out of its range.
    #[error("{field} must be {expected}")]
    Field {
        /// The field.
        field: &'static str,
        /// What may stand there.
        expected: &'static str,
    },
}

const NS_PER_DAY: i64 = 86_400_000_000_000;
const OFFSET_S_MAX: i64 = 18 * 3600;

/// Takes the fields of a structure in order.
struct Fields<'a> {
    tag: u8,
    values: ListIter<'a>,
}

impl<'a> Fields<'a> {
    fn new(structure: Struct<'a>, expected: usize) -> Result<Self, StructureError> {
        let found = structure.len();
        if found != expected {
            return Err(StructureError {
                tag: structure.tag(),
                kind: StructureErrorKind::Arity { found, expected },
            });
        }
        Ok(Self {
            tag: structure.tag(),
            values: structure.fields(),
        })
    }

    fn take<T>(
        &mut self,
        field: &'static str,
        expected: &'static str,
        read: impl FnOnce(Value<'a>) -> Option<T>,
    ) -> Result<T, StructureError> {
        self.values.next().and_then(read).ok_or(StructureError {
            tag: self.tag,
            kind: StructureErrorKind::Field { field, expected },
        })
    }

    fn int(&mut self, field: &'static str) -> Result<i64, StructureError> {
        self.take(field, "an integer", |value| value.as_int())
    }

    fn float(&mut self, field: &'static str) -> Result<f64, StructureError> {
        self.take(field, "a float", |value| match value {
            Value::Float(float) => Some(float),
            _ => None,
        })
    }

    fn subsecond(&mut self) -> Result<u32, StructureError> {
        self.take("nanoseconds", "0 to 999999999", |value| {
            let ns = value.as_int()?;
            (0..1_000_000_000).contains(&ns).then_some(ns as u32)
        })
    }

    fn time_of_day(&mut self) -> Result<i64, StructureError> {
        self.take(
            "nanoseconds",
            "less than a day's nanoseconds, 0 or more",
            |value| value.as_int().filter(|ns| (0..NS_PER_DAY).contains(ns)),
        )
    }

    fn offset(&mut self) -> Result<i32, StructureError> {
        self.take("offset", "seconds within 18 hours", |value| {
            let offset = value.as_int()?;
            (-OFFSET_S_MAX..=OFFSET_S_MAX)
                .contains(&offset)
                .then_some(offset as i32)
        })
    }

    fn zone(&mut self) -> Result<&'a str, StructureError> {
        self.take("zone", "a string", |value| value.as_str())
    }
}

impl<'a> Extended<'a> {
    /// Reads a structure that came as a value over a connection of this format.
    pub fn read(structure: Struct<'a>, format: WireFormat) -> Result<Self, StructureError> {
        let tag = structure.tag();
        let error = |kind| Err(StructureError { tag, kind });
        let utc = format.utc_datetime();
        match tag {
            tag::DATE => {
                let mut fields = Fields::new(structure, 1)?;
                Ok(Self::Date {
                    days: fields.int("days")?,
                })
            }
            tag::TIME => {
                let mut fields = Fields::new(structure, 2)?;
                Ok(Self::Time {
                    ns: fields.time_of_day()?,
                    offset_s: fields.offset()?,
                })
            }
            tag::LOCAL_TIME => {
                let mut fields = Fields::new(structure, 1)?;
                Ok(Self::LocalTime {
                    ns: fields.time_of_day()?,
                })
            }
            tag::LOCAL_DATE_TIME => {
                let mut fields = Fields::new(structure, 2)?;
                Ok(Self::LocalDateTime {
                    seconds: fields.int("seconds")?,
                    ns: fields.subsecond()?,
                })
            }
            tag::DATE_TIME | tag::DATE_TIME_ZONE if !utc => error(StructureErrorKind::NotInVersion),
            tag::LEGACY_DATE_TIME | tag::LEGACY_DATE_TIME_ZONE if utc => {
                error(StructureErrorKind::NotInVersion)
            }
            tag::DATE_TIME | tag::LEGACY_DATE_TIME => {
                let mut fields = Fields::new(structure, 3)?;
                let seconds = fields.int("seconds")?;
                let ns = fields.subsecond()?;
                let offset_s = fields.offset()?;
                let utc_seconds = match utc {
                    true => Some(seconds),
                    false => seconds.checked_sub(i64::from(offset_s)),
                };
                match utc_seconds {
                    Some(utc_seconds) => Ok(Self::DateTime {
                        utc_seconds,
                        ns,
                        offset_s,
                    }),
                    None => error(StructureErrorKind::Field {
                        field: "seconds",
                        expected: "an instant that can be counted",
                    }),
                }
            }
            tag::DATE_TIME_ZONE => {
                let mut fields = Fields::new(structure, 3)?;
                Ok(Self::ZonedDateTime {
                    utc_seconds: fields.int("seconds")?,
                    ns: fields.subsecond()?,
                    zone: fields.zone()?,
                })
            }
            tag::LEGACY_DATE_TIME_ZONE => {
                let mut fields = Fields::new(structure, 3)?;
                Ok(Self::WallClockZoned {
                    wall_seconds: fields.int("seconds")?,
                    ns: fields.subsecond()?,
                    zone: fields.zone()?,
                })
            }
            tag::DURATION => {
                let mut fields = Fields::new(structure, 4)?;
                Ok(Self::Duration {
                    months: fields.int("months")?,
                    days: fields.int("days")?,
                    seconds: fields.int("seconds")?,
                    ns: fields.int("nanoseconds")?,
                })
            }
            tag::POINT_2D => {
                let mut fields = Fields::new(structure, 3)?;
                Ok(Self::Point2d {
                    srid: fields.int("srid")?,
                    x: fields.float("x")?,
                    y: fields.float("y")?,
                })
            }
            tag::POINT_3D => {
                let mut fields = Fields::new(structure, 4)?;
                Ok(Self::Point3d {
                    srid: fields.int("srid")?,
                    x: fields.float("x")?,
                    y: fields.float("y")?,
                    z: fields.float("z")?,
                })
            }
            tag::VECTOR if !format.version().has_vectors() => {
                error(StructureErrorKind::NotInVersion)
            }
            tag::VECTOR => {
                let mut fields = Fields::new(structure, 2)?;
                let bytes = |value| match value {
                    Value::Bytes(bytes) => Some(bytes),
                    _ => None,
                };
                let marker = fields.take("type", "one byte", |value| match bytes(value) {
                    Some(&[marker]) if vector_width(marker).is_some() => Some(marker),
                    _ => None,
                })?;
                let data = fields.take("data", "bytes of whole elements", |value| {
                    bytes(value)
                        .filter(|data| vector_width(marker).is_some_and(|w| data.len() % w == 0))
                })?;
                Ok(Self::Vector(VectorView { marker, data }))
            }
            tag::NODE
            | tag::RELATIONSHIP
            | tag::UNBOUND_RELATIONSHIP
            | tag::PATH
            | tag::UNSUPPORTED_TYPE => error(StructureErrorKind::NotAParameter),
            _ => error(StructureErrorKind::Unknown),
        }
    }
}

/// A vector in a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VectorView<'a> {
    marker: u8,
    data: &'a [u8],
}

/// The elements of a vector.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum VectorElements<'a> {
    I8(&'a [i8]),
    I16(&'a [i16]),
    I32(&'a [i32]),
    I64(&'a [i64]),
    F32(&'a [f32]),
    F64(&'a [f64]),
}

const VECTOR_F32: u8 = 0xC6;

/// Bytes of one element of the type that this marker names.
fn vector_width(marker: u8) -> Option<usize> {
    use crate::packstream::marker as m;
    match marker {
        m::INT_8 => Some(1),
        m::INT_16 => Some(2),
        m::INT_32 | VECTOR_F32 => Some(4),
        m::INT_64 | m::FLOAT => Some(8),
        _ => None,
    }
}

impl VectorElements<'_> {
    pub(super) fn marker(&self) -> u8 {
        use crate::packstream::marker as m;
        match self {
            Self::I8(_) => m::INT_8,
            Self::I16(_) => m::INT_16,
            Self::I32(_) => m::INT_32,
            Self::I64(_) => m::INT_64,
            Self::F32(_) => VECTOR_F32,
            Self::F64(_) => m::FLOAT,
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::I8(all) => all.len(),
            Self::I16(all) => all.len(),
            Self::I32(all) => all.len(),
            Self::I64(all) => all.len(),
            Self::F32(all) => all.len(),
            Self::F64(all) => all.len(),
        }
    }

    pub(super) fn width(&self) -> usize {
        vector_width(self.marker()).expect("every element type has a width")
    }
}

impl<'a> VectorView<'a> {
    /// The PackStream marker that names the elements' type: `C8` `C9` `CA` `CB` for integers of 1, 2,
    /// 4, 8 bytes, `C6` `C1` for floats of 4 and 8.
    pub fn element_marker(&self) -> u8 {
        self.marker
    }

    /// The elements, big-endian, one behind another.
    pub fn data(&self) -> &'a [u8] {
        self.data
    }

    /// How many elements.
    pub fn len(&self) -> usize {
        self.data.len() / vector_width(self.marker).expect("checked when the vector was read")
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.data.is_empty()
    }
}
