//! Values that a server sent, owned.
//!
//! The console and the cluster tool keep answers after the receive buffer is gone; this is the form
//! they keep them in. [`Value::from_wire`] takes them over from the protocol's borrowed view, both in
//! the forms of Bolt 4 and those of 5. Text forms live in [`crate::console::text`].

use quoit_protocol::packstream;

/// One value of an answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Bytes(Vec<u8>),
    String(String),
    Uuid([u8; 16]),
    List(Vec<Value>),
    Map(Map),
    Node(Node),
    Relationship(Relationship),
    Path(Path),
    /// Days since 1970-01-01.
    Date(i64),
    /// Nanoseconds since midnight, offset from UTC in seconds.
    Time(i64, i64),
    /// Nanoseconds since midnight.
    LocalTime(i64),
    /// Seconds of the wall clock since 1970-01-01 00:00, nanoseconds.
    LocalDateTime(i64, i64),
    DateTime(DateTime),
    Duration(Duration),
    Point(Point),
    /// A structure without a meaning here, shown as it came.
    Other(u8, Vec<Value>),
}

/// Pairs in the order received.
pub type Map = Vec<(String, Value)>;

/// A vertex as clients know it.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    pub id: i64,
    pub labels: Vec<String>,
    pub properties: Map,
}

/// An edge as clients know it, alone or in a path.
#[derive(Clone, Debug, PartialEq)]
pub struct Relationship {
    pub id: i64,
    /// Ids of the start and the end; unknown in the unbound form inside of paths.
    pub ends: Option<(i64, i64)>,
    pub kind: String,
    pub properties: Map,
}

/// Nodes joined by steps: `start`, then for each step the relationship, whether it is walked from
/// its start to its end, and the node it leads to.
#[derive(Clone, Debug, PartialEq)]
pub struct Path {
    pub start: Node,
    pub steps: Vec<(Relationship, Walked, Node)>,
}

/// Which way a path goes over a relationship.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Walked {
    Forward,
    Against,
}

/// An instant with its zone. `seconds` is the wall clock's time since 1970-01-01 00:00 there.
#[derive(Clone, Debug, PartialEq)]
pub struct DateTime {
    pub seconds: i64,
    pub nanoseconds: i64,
    pub zone: Zone,
}

/// The zone of a [`DateTime`].
#[derive(Clone, Debug, PartialEq)]
pub enum Zone {
    /// Seconds east of UTC.
    Offset(i64),
    Named(String),
}

/// A Cypher duration; the four parts are kept apart.
#[derive(Clone, Debug, PartialEq)]
pub struct Duration {
    pub months: i64,
    pub days: i64,
    pub seconds: i64,
    pub nanoseconds: i64,
}

/// A point in two or three dimensions.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    pub srid: i64,
    pub x: f64,
    pub y: f64,
    pub z: Option<f64>,
}

impl Value {
    /// Copies a received value. Structures that do not have the fields their tag asks for become
    /// [`Value::Other`]: an answer is shown, not judged. Depth is bounded by the decoder's limits.
    pub fn from_wire(value: packstream::Value<'_>) -> Value {
        use packstream::Value as Wire;
        match value {
            Wire::Null => Value::Null,
            Wire::Bool(truth) => Value::Bool(truth),
            Wire::Int(int) => Value::Int(int),
            Wire::Float(float) => Value::Float(float),
            Wire::Bytes(bytes) => Value::Bytes(bytes.to_vec()),
            Wire::String(text) => Value::String(text.to_owned()),
            Wire::Uuid(uuid) => Value::Uuid(uuid),
            Wire::List(list) => Value::List(list.iter().map(Value::from_wire).collect()),
            Wire::Map(map) => Value::Map(map_from_wire(map)),
            Wire::Struct(structure) => {
                let fields = structure.fields().map(Value::from_wire).collect();
                from_structure(structure.tag(), fields)
            }
        }
    }

    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    pub fn as_int(&self) -> Option<i64> {
        match self {
            Value::Int(int) => Some(*int),
            _ => None,
        }
    }

    pub fn as_list(&self) -> Option<&[Value]> {
        match self {
            Value::List(list) => Some(list),
            _ => None,
        }
    }

    pub fn as_map(&self) -> Option<&[(String, Value)]> {
        match self {
            Value::Map(map) => Some(map),
            _ => None,
        }
    }

    /// The value under `key`, if this is a map that has it.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.as_map().and_then(|map| lookup(map, key))
    }
}

/// The value under `key`; of a key given twice, the last.
pub fn lookup<'a>(map: &'a [(String, Value)], key: &str) -> Option<&'a Value> {
    map.iter()
        .rev()
        .find(|(name, _)| name == key)
        .map(|(_, value)| value)
}

/// Copies a received map.
pub fn map_from_wire(map: packstream::Map<'_>) -> Map {
    map.iter()
        .map(|(key, value)| (key.to_owned(), Value::from_wire(value)))
        .collect()
}

mod tag {
    pub const NODE: u8 = b'N';
    pub const RELATIONSHIP: u8 = b'R';
    pub const UNBOUND_RELATIONSHIP: u8 = b'r';
    pub const PATH: u8 = b'P';
    pub const DATE: u8 = b'D';
    pub const TIME: u8 = b'T';
    pub const LOCAL_TIME: u8 = b't';
    pub const DATE_TIME: u8 = b'I';
    pub const DATE_TIME_ZONE: u8 = b'i';
    pub const LEGACY_DATE_TIME: u8 = b'F';
    pub const LEGACY_DATE_TIME_ZONE: u8 = b'f';
    pub const LOCAL_DATE_TIME: u8 = b'd';
    pub const DURATION: u8 = b'E';
    pub const POINT_2D: u8 = b'X';
    pub const POINT_3D: u8 = b'Y';
}

fn from_structure(kind: u8, fields: Vec<Value>) -> Value {
    use Value::{Float, Int, List, Map, String as Text};
    match (kind, fields.as_slice()) {
        (tag::NODE, [Int(id), List(labels), Map(properties), ..]) => Value::Node(Node {
            id: *id,
            labels: labels
                .iter()
                .filter_map(|l| l.as_str().map(str::to_owned))
                .collect(),
            properties: properties.clone(),
        }),
        (
            tag::RELATIONSHIP,
            [
                Int(id),
                Int(start),
                Int(end),
                Text(kind),
                Map(properties),
                ..,
            ],
        ) => Value::Relationship(Relationship {
            id: *id,
            ends: Some((*start, *end)),
            kind: kind.clone(),
            properties: properties.clone(),
        }),
        (tag::UNBOUND_RELATIONSHIP, [Int(id), Text(kind), Map(properties), ..]) => {
            Value::Relationship(Relationship {
                id: *id,
                ends: None,
                kind: kind.clone(),
                properties: properties.clone(),
            })
        }
        (tag::PATH, [List(nodes), List(relationships), List(indices)]) => {
            match path(nodes, relationships, indices) {
                Some(path) => Value::Path(path),
                None => Value::Other(kind, fields),
            }
        }
        (tag::DATE, [Int(days)]) => Value::Date(*days),
        (tag::TIME, [Int(nanoseconds), Int(offset)]) => Value::Time(*nanoseconds, *offset),
        (tag::LOCAL_TIME, [Int(nanoseconds)]) => Value::LocalTime(*nanoseconds),
        (tag::LOCAL_DATE_TIME, [Int(seconds), Int(nanoseconds)]) => {
            Value::LocalDateTime(*seconds, *nanoseconds)
        }
        (tag::DATE_TIME, [Int(instant), Int(nanoseconds), Int(offset)]) => {
            Value::DateTime(DateTime {
                seconds: instant.saturating_add(*offset),
                nanoseconds: *nanoseconds,
                zone: Zone::Offset(*offset),
            })
        }
        (tag::LEGACY_DATE_TIME, [Int(seconds), Int(nanoseconds), Int(offset)]) => {
            Value::DateTime(DateTime {
                seconds: *seconds,
                nanoseconds: *nanoseconds,
                zone: Zone::Offset(*offset),
            })
        }
        (tag::DATE_TIME_ZONE, [Int(instant), Int(nanoseconds), Text(zone)]) => {
            match wall_clock(*instant, zone) {
                Some(seconds) => Value::DateTime(DateTime {
                    seconds,
                    nanoseconds: *nanoseconds,
                    zone: Zone::Named(zone.clone()),
                }),
                None => Value::Other(kind, fields),
            }
        }
        (tag::LEGACY_DATE_TIME_ZONE, [Int(seconds), Int(nanoseconds), Text(zone)]) => {
            Value::DateTime(DateTime {
                seconds: *seconds,
                nanoseconds: *nanoseconds,
                zone: Zone::Named(zone.clone()),
            })
        }
        (tag::DURATION, [Int(months), Int(days), Int(seconds), Int(nanoseconds)]) => {
            Value::Duration(Duration {
                months: *months,
                days: *days,
                seconds: *seconds,
                nanoseconds: *nanoseconds,
            })
        }
        (tag::POINT_2D, [Int(srid), Float(x), Float(y)]) => Value::Point(Point {
            srid: *srid,
            x: *x,
            y: *y,
            z: None,
        }),
        (tag::POINT_3D, [Int(srid), Float(x), Float(y), Float(z)]) => Value::Point(Point {
            srid: *srid,
            x: *x,
            y: *y,
            z: Some(*z),
        }),
        _ => Value::Other(kind, fields),
    }
}

/// Puts a path together: `indices` alternate between a relationship (1-based, negative when walked
/// against its direction) and the node it leads to (0-based); the walk starts at `nodes[0]`.
/// `None` if an index points nowhere.
fn path(nodes: &[Value], relationships: &[Value], indices: &[Value]) -> Option<Path> {
    let node = |index: usize| match nodes.get(index) {
        Some(Value::Node(node)) => Some(node.clone()),
        _ => None,
    };
    if !indices.len().is_multiple_of(2) {
        return None;
    }
    let mut steps = Vec::with_capacity(indices.len() / 2);
    for step in indices.chunks_exact(2) {
        let (signed, to) = (step[0].as_int()?, step[1].as_int()?);
        let position = usize::try_from(signed.unsigned_abs().checked_sub(1)?).ok()?;
        let Some(Value::Relationship(relationship)) = relationships.get(position) else {
            return None;
        };
        let walked = if signed > 0 {
            Walked::Forward
        } else {
            Walked::Against
        };
        steps.push((
            relationship.clone(),
            walked,
            node(usize::try_from(to).ok()?)?,
        ));
    }
    Some(Path {
        start: node(0)?,
        steps,
    })
}

/// The wall clock, in seconds since 1970-01-01 00:00 there, of an instant in a named zone.
fn wall_clock(instant: i64, zone: &str) -> Option<i64> {
    let zone = jiff::tz::TimeZone::get(zone).ok()?;
    let timestamp = jiff::Timestamp::from_second(instant).ok()?;
    Some(instant + i64::from(zone.to_offset(timestamp).seconds()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(id: i64) -> Value {
        let fields = vec![Value::Int(id), Value::List(vec![]), Value::Map(vec![])];
        from_structure(b'N', fields)
    }

    #[test]
    fn a_path_is_walked_by_its_indices() {
        let relationship = |id| {
            from_structure(
                b'r',
                vec![
                    Value::Int(id),
                    Value::String("T".into()),
                    Value::Map(vec![]),
                ],
            )
        };
        let nodes = Value::List(vec![node(10), node(20), node(30)]);
        let relationships = Value::List(vec![relationship(1), relationship(2)]);
        let indices = Value::List([1, 1, -2, 2].map(Value::Int).to_vec());
        let value = from_structure(b'P', vec![nodes, relationships, indices]);
        let Value::Path(path) = value else {
            panic!("{value:?}")
        };
        assert_eq!(path.start.id, 10);
        let walked: Vec<_> = path
            .steps
            .iter()
            .map(|(r, way, n)| (r.id, *way, n.id))
            .collect();
        assert_eq!(walked, [(1, Walked::Forward, 20), (2, Walked::Against, 30)]);
    }

    #[test]
    fn a_path_whose_indices_point_nowhere_is_shown_as_it_came() {
        for indices in [vec![1, 1], vec![0, 0], vec![i64::MIN, 0], vec![1]] {
            let indices = Value::List(indices.into_iter().map(Value::Int).collect());
            let fields = vec![Value::List(vec![node(1)]), Value::List(vec![]), indices];
            assert!(matches!(
                from_structure(b'P', fields),
                Value::Other(b'P', _)
            ));
        }
    }

    #[test]
    fn one_instant_in_four_wire_forms_is_one_wall_clock() {
        let utc = Value::Int(1_704_157_445);
        let wall = Value::Int(1_704_164_645);
        let nanoseconds = Value::Int(600_000_000);
        let offset = Value::Int(7200);
        let zone = Value::String("Europe/Kyiv".into());
        for (tag, seconds, zone) in [
            (b'I', &utc, &offset),
            (b'F', &wall, &offset),
            (b'i', &utc, &zone),
            (b'f', &wall, &zone),
        ] {
            let fields = vec![seconds.clone(), nanoseconds.clone(), zone.clone()];
            let Value::DateTime(time) = from_structure(tag, fields) else {
                panic!("tag {tag}")
            };
            assert_eq!(time.seconds, 1_704_164_645, "tag {tag}");
        }
    }
}
