//! Structures inside values: graph elements, dates and times, points, vectors.
//!
//! Owns their tags, fields and differences by version, in both directions ([`Packer`](crate::packstream::Packer)
//! methods write, [`Extended`] and [`Element`] read), and the translation between Quoit's words and the
//! wire's: a vertex is a Node there, an edge a Relationship.
//!
//! | structure | tag | fields | since 5.0 also |
//! | --- | --- | --- | --- |
//! | Node | `4E` | id, labels, properties | element_id |
//! | Relationship | `52` | id, start id, end id, type, properties | element_id, start and end element_id |
//! | UnboundRelationship | `72` | id, type, properties | element_id |
//! | Path | `50` | nodes, unbound relationships, indices | |
//! | Date | `44` | days | |
//! | Time | `54` | ns of the local day, offset s | |
//! | LocalTime | `74` | ns of the day | |
//! | DateTime | `49` | s of the instant, ns, offset s | |
//! | DateTimeZoneId | `69` | s of the instant, ns, zone | |
//! | DateTime, legacy | `46` | s of the wall clock, ns, offset s | gone |
//! | DateTimeZoneId, legacy | `66` | s of the wall clock, ns, zone | gone |
//! | LocalDateTime | `64` | s of the wall clock, ns | |
//! | Duration | `45` | months, days, s, ns | |
//! | Point2D, Point3D | `58`, `59` | srid, x, y[, z] | |
//! | Vector (6.0) | `56` | element marker, big-endian elements | |
//! | UnsupportedType (6.0) | `3F` | name, minimum major, minor, extra | |

mod element;
mod extended;
mod graph;
mod scalar;

pub use element::{EdgeView, Element, PathPart, PathView, VertexView};
pub use extended::{Extended, StructureError, StructureErrorKind, VectorElements, VectorView};
pub use graph::{Edge, PathStep};

/// Structure tags of values.
pub mod tag {
    /// A vertex.
    pub const NODE: u8 = 0x4E;
    /// An edge with its ends.
    pub const RELATIONSHIP: u8 = 0x52;
    /// An edge within a path.
    pub const UNBOUND_RELATIONSHIP: u8 = 0x72;
    /// A path.
    pub const PATH: u8 = 0x50;
    /// A date.
    pub const DATE: u8 = 0x44;
    /// A time of day with an offset.
    pub const TIME: u8 = 0x54;
    /// A time of day.
    pub const LOCAL_TIME: u8 = 0x74;
    /// A date and time with an offset, counted in UTC.
    pub const DATE_TIME: u8 = 0x49;
    /// A date and time in a zone, counted in UTC.
    pub const DATE_TIME_ZONE: u8 = 0x69;
    /// A date and time with an offset, counted by the wall clock.
    pub const LEGACY_DATE_TIME: u8 = 0x46;
    /// A date and time in a zone, counted by the wall clock.
    pub const LEGACY_DATE_TIME_ZONE: u8 = 0x66;
    /// A date and time of no zone.
    pub const LOCAL_DATE_TIME: u8 = 0x64;
    /// A length of time.
    pub const DURATION: u8 = 0x45;
    /// A point in the plane.
    pub const POINT_2D: u8 = 0x58;
    /// A point in space.
    pub const POINT_3D: u8 = 0x59;
    /// A vector of numbers.
    pub const VECTOR: u8 = 0x56;
    /// A value that this version cannot carry.
    pub const UNSUPPORTED_TYPE: u8 = 0x3F;
}
