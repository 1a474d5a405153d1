//! Values: the one representation that storage, execution and the log share.
//!
//! Owned here: [`Value`] (owned), [`ValueRef`] (a view of stored bytes), the byte forms of both ([`codec`] for
//! records and log, [`sort_key`] for indexes), order and equality ([`order`]).
//! Called by everyone above storage.
//! Always holds: the bytes of a value in a version block are the bytes in the log; decoding trusts nothing and
//! allocates no more than a small multiple of what it was given; `Ord`, `Eq` and `Hash` agree (orderability and equivalence).
//! Left to others: arithmetic and functions (`query`), parsing and formatting of temporal values (`query`), the wire (`protocol`).

pub mod codec;
pub mod order;
pub mod sort_key;
mod view;

pub use codec::{DecodeError, NotStorable};
pub use view::{ListRef, MapRef, ValueRef};

use crate::ids::{EdgeId, TypeId, VertexId};
use std::sync::Arc;

/// A Cypher value. Cloning is cheap: everything large stands behind an `Arc`.
///
/// `PartialEq`, `Eq` and `Hash` are *equivalence* (DISTINCT, grouping: null is null, NaN is NaN, 1 is 1.0); `Ord` is
/// *orderability* (ORDER BY). Cypher's `=` and `<` with their nulls are [`Value::equals`] and [`Value::compare`].
#[derive(Clone, Debug, Default)]
pub enum Value {
    /// Absence of a value. Never stored.
    #[default]
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A 64-bit integer.
    Int(i64),
    /// An IEEE 754 double.
    Float(f64),
    /// UTF-8 text.
    String(Arc<str>),
    /// Uninterpreted bytes.
    Bytes(Arc<[u8]>),
    /// A list.
    List(Arc<List>),
    /// A map with text keys, sorted by key.
    Map(Arc<ValueMap>),
    /// A calendar date.
    Date(Date),
    /// A time of day with an offset from UTC.
    Time(Time),
    /// A time of day.
    LocalTime(LocalTime),
    /// A date and time of day.
    LocalDateTime(LocalDateTime),
    /// An instant with its offset or zone.
    DateTime(Arc<DateTime>),
    /// A calendar duration.
    Duration(Arc<Duration>),
    /// A point in two or three dimensions.
    Point(Arc<Point>),
    /// A vertex by its id. Never stored in a property.
    Vertex(VertexId),
    /// An edge with what is needed to find it. Never stored in a property.
    Edge(Edge),
    /// A walk. Never stored in a property.
    Path(Arc<Path>),
}

/// What names an edge and leads to it without a search: its id (with its source), its type and its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Edge {
    /// The id; its upper part is the source.
    pub id: EdgeId,
    /// The vertex it ends at.
    pub target: VertexId,
    /// Its type.
    pub type_: TypeId,
}

impl Edge {
    /// The vertex it starts at.
    pub fn source(&self) -> VertexId {
        self.id.source()
    }

    /// The other end, seen from `vertex`; a self loop's other end is the vertex itself.
    pub fn other(&self, vertex: VertexId) -> VertexId {
        if self.source() == vertex {
            self.target
        } else {
            self.source()
        }
    }
}

/// A walk: `vertices.len() == edges.len() + 1`, edge `i` joins vertices `i` and `i + 1` in either direction.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Path {
    /// The vertices in the order of the walk, at least one.
    pub vertices: Vec<VertexId>,
    /// The edges between them.
    pub edges: Vec<Edge>,
}

/// How much stands within a value when it is written out: lists and maps that are shared count as often as they are met.
///
/// What is made of a few bytes (`[s, s]` of a list that was made so itself, sixty times) can be larger than any memory, and whoever
/// compares, hashes or sends it would never end. So a list and a map know it from when they are made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Bulk {
    /// Values, itself included; `u64::MAX` for that many or more.
    pub values: u64,
    /// Lists and maps that stand within each other, itself included; 0 for what is neither.
    pub depth: u32,
}

impl Bulk {
    fn of<'v>(items: impl Iterator<Item = &'v Value>) -> Bulk {
        let mut all = Bulk {
            values: 1,
            depth: 1,
        };
        for item in items {
            let bulk = item.bulk();
            all.values = all.values.saturating_add(bulk.values);
            all.depth = all.depth.max(bulk.depth.saturating_add(1));
        }
        all
    }
}

/// Values in an order, and their [`Bulk`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct List {
    items: Vec<Value>,
    bulk: Bulk,
}

impl List {
    /// A list of values.
    pub fn new(items: Vec<Value>) -> List {
        let bulk = Bulk::of(items.iter());
        List { items, bulk }
    }
}

impl std::ops::Deref for List {
    type Target = [Value];

    fn deref(&self) -> &[Value] {
        &self.items
    }
}

/// A map with unique text keys in ascending order of their bytes, and its [`Bulk`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ValueMap {
    entries: Vec<(Arc<str>, Value)>,
    bulk: Bulk,
}

impl ValueMap {
    /// A map of the pairs; of equal keys the last one stands.
    pub fn new(mut entries: Vec<(Arc<str>, Value)>) -> ValueMap {
        entries.reverse();
        entries.sort_by(|a, b| a.0.cmp(&b.0));
        entries.dedup_by(|later, kept| later.0 == kept.0);
        let bulk = Bulk::of(entries.iter().map(|(_, value)| value));
        ValueMap { entries, bulk }
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&Value> {
        let at = self
            .entries
            .binary_search_by(|(name, _)| (**name).cmp(key))
            .ok()?;
        Some(&self.entries[at].1)
    }

    /// The pairs in ascending order of keys.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Arc<str>, &Value)> {
        self.entries.iter().map(|(key, value)| (key, value))
    }

    /// The number of keys.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

impl FromIterator<(Arc<str>, Value)> for ValueMap {
    fn from_iter<I: IntoIterator<Item = (Arc<str>, Value)>>(pairs: I) -> ValueMap {
        ValueMap::new(pairs.into_iter().collect())
    }
}

/// Days since 1970-01-01 in the proleptic Gregorian calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Date {
    /// Days since the epoch, negative before it.
    pub days: i64,
}

/// Nanoseconds since midnight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LocalTime {
    /// 0 to 86,399,999,999,999.
    pub nanoseconds: i64,
}

/// A local time of day with its offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Time {
    /// Nanoseconds since local midnight.
    pub nanoseconds: i64,
    /// Seconds east of UTC.
    pub offset_seconds: i32,
}

/// A date and time of day without zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LocalDateTime {
    /// Seconds since 1970-01-01T00:00:00 of the local clock.
    pub seconds: i64,
    /// 0 to 999,999,999, always forward from `seconds`.
    pub nanoseconds: u32,
}

/// An instant with the clock it is shown by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DateTime {
    /// Seconds since 1970-01-01T00:00:00 UTC.
    pub seconds: i64,
    /// 0 to 999,999,999, always forward from `seconds`.
    pub nanoseconds: u32,
    /// The offset from UTC in force at this instant, in seconds east.
    pub offset_seconds: i32,
    /// The IANA zone, where one was given.
    pub zone: Option<Arc<str>>,
}

impl DateTime {
    /// Seconds of the local clock since its own 1970-01-01T00:00:00.
    pub fn local_seconds(&self) -> i64 {
        self.seconds.saturating_add(i64::from(self.offset_seconds))
    }
}

/// A calendar duration; its parts do not convert into each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Duration {
    /// Months.
    pub months: i64,
    /// Days.
    pub days: i64,
    /// Seconds.
    pub seconds: i64,
    /// 0 to 999,999,999, always forward from `seconds`.
    pub nanoseconds: u32,
}

/// A point; `z` is 0 and meaningless unless the reference system has three dimensions.
#[derive(Clone, Copy, Debug)]
pub struct Point {
    /// 7203 Cartesian, 9157 Cartesian 3D, 4326 WGS-84, 4979 WGS-84 3D.
    pub srid: u32,
    /// x or longitude.
    pub x: f64,
    /// y or latitude.
    pub y: f64,
    /// z or height.
    pub z: f64,
}

impl Point {
    /// Whether the reference system has a third dimension.
    pub fn is_3d(&self) -> bool {
        matches!(self.srid, 9157 | 4979)
    }
}

impl Value {
    /// Text, copied once.
    pub fn string(text: impl AsRef<str>) -> Value {
        Value::String(Arc::from(text.as_ref()))
    }

    /// A list of values.
    pub fn list(items: Vec<Value>) -> Value {
        Value::List(Arc::new(List::new(items)))
    }

    /// A map of the pairs.
    pub fn map(entries: Vec<(Arc<str>, Value)>) -> Value {
        Value::Map(Arc::new(ValueMap::new(entries)))
    }

    /// How much stands within it.
    pub fn bulk(&self) -> Bulk {
        match self {
            Value::List(list) => list.bulk,
            Value::Map(map) => map.bulk,
            _ => Bulk {
                values: 1,
                depth: 0,
            },
        }
    }

    /// Whether it is null.
    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    /// The name of its type, as messages show it.
    pub fn type_name(&self) -> &'static str {
        match self {
            Value::Null => "null",
            Value::Bool(_) => "boolean",
            Value::Int(_) => "integer",
            Value::Float(_) => "float",
            Value::String(_) => "string",
            Value::Bytes(_) => "bytes",
            Value::List(_) => "list",
            Value::Map(_) => "map",
            Value::Date(_) => "date",
            Value::Time(_) => "time",
            Value::LocalTime(_) => "local time",
            Value::LocalDateTime(_) => "local datetime",
            Value::DateTime(_) => "datetime",
            Value::Duration(_) => "duration",
            Value::Point(_) => "point",
            Value::Vertex(_) => "node",
            Value::Edge(_) => "relationship",
            Value::Path(_) => "path",
        }
    }

    /// [`Value::type_name`] with its article, as a sentence has it: `an integer`.
    pub fn type_phrase(&self) -> &'static str {
        match self {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Int(_) => "an integer",
            Value::Float(_) => "a float",
            Value::String(_) => "a string",
            Value::Bytes(_) => "bytes",
            Value::List(_) => "a list",
            Value::Map(_) => "a map",
            Value::Date(_) => "a date",
            Value::Time(_) => "a time",
            Value::LocalTime(_) => "a local time",
            Value::LocalDateTime(_) => "a local datetime",
            Value::DateTime(_) => "a datetime",
            Value::Duration(_) => "a duration",
            Value::Point(_) => "a point",
            Value::Vertex(_) => "a node",
            Value::Edge(_) => "a relationship",
            Value::Path(_) => "a path",
        }
    }
}

macro_rules! value_from {
    ($($from:ty => |$x:ident| $to:expr),* $(,)?) => {$(
        impl From<$from> for Value { fn from($x: $from) -> Value { $to } }
    )*};
}
value_from! {
    bool => |x| Value::Bool(x), i64 => |x| Value::Int(x), i32 => |x| Value::Int(i64::from(x)), u32 => |x| Value::Int(i64::from(x)),
    f64 => |x| Value::Float(x), &str => |x| Value::string(x), String => |x| Value::String(Arc::from(x)), Arc<str> => |x| Value::String(x),
    Vec<Value> => |x| Value::list(x), VertexId => |x| Value::Vertex(x), Edge => |x| Value::Edge(x), Path => |x| Value::Path(Arc::new(x)),
    Date => |x| Value::Date(x), Time => |x| Value::Time(x), LocalTime => |x| Value::LocalTime(x), LocalDateTime => |x| Value::LocalDateTime(x),
    DateTime => |x| Value::DateTime(Arc::new(x)), Duration => |x| Value::Duration(Arc::new(x)), Point => |x| Value::Point(Arc::new(x)),
    ValueMap => |x| Value::Map(Arc::new(x)),
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Value {
        value.map_or(Value::Null, Into::into)
    }
}
