//! What a constraint asks, and how a violation is told.
//!
//! Owned here: [`ConstraintDefinition`], [`PropertyType`], [`Violation`]. Called by everyone who makes, shows or meets a constraint.
//! Always holds: a violation names label, properties and vertices, in the words that Memgraph's users look for.
//! Left to others: checking (`constraint`), which answer has to wait for which commit (`server`).

use crate::delta::Keys;
use crate::ids::{KeyId, LabelId, VertexId};
use crate::value::{Value, ValueRef};
use std::fmt;
use std::sync::Arc;

/// A type that a property can be held to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PropertyType {
    /// `true` or `false`.
    Boolean,
    /// Text.
    String,
    /// A 64-bit integer.
    Integer,
    /// A double.
    Float,
    /// A list of anything.
    List,
    /// A map.
    Map,
    /// A calendar date.
    Date,
    /// A time of day without an offset.
    LocalTime,
    /// A date and time of day without a zone.
    LocalDateTime,
    /// A time of day with an offset.
    ZonedTime,
    /// An instant with its offset or zone.
    ZonedDateTime,
    /// A duration.
    Duration,
    /// A point.
    Point,
    /// Bytes.
    Bytes,
}

impl PropertyType {
    /// Every type, with its byte in the log and its name in Memgraph's words. Bytes are given for ever.
    const TABLE: [(PropertyType, u8, &'static str); 14] = [
        (PropertyType::Boolean, 1, "BOOLEAN"),
        (PropertyType::String, 2, "STRING"),
        (PropertyType::Integer, 3, "INTEGER"),
        (PropertyType::Float, 4, "FLOAT"),
        (PropertyType::List, 5, "LIST"),
        (PropertyType::Map, 6, "MAP"),
        (PropertyType::Date, 7, "DATE"),
        (PropertyType::LocalTime, 8, "LOCALTIME"),
        (PropertyType::LocalDateTime, 9, "LOCALDATETIME"),
        (PropertyType::ZonedTime, 10, "ZONEDTIME"),
        (PropertyType::ZonedDateTime, 11, "ZONEDDATETIME"),
        (PropertyType::Duration, 12, "DURATION"),
        (PropertyType::Point, 13, "POINT"),
        (PropertyType::Bytes, 14, "BYTES"),
    ];

    /// Its name: `INTEGER`.
    pub fn name(self) -> &'static str {
        Self::TABLE[self as usize].2
    }

    /// The type of a name, in any case, blanks left out (`LOCAL DATETIME`).
    pub fn from_name(name: &str) -> Option<PropertyType> {
        let plain: String = name.split_whitespace().collect();
        Self::TABLE
            .iter()
            .find(|(_, _, name)| name.eq_ignore_ascii_case(&plain))
            .map(|(type_, _, _)| *type_)
    }

    pub(crate) fn byte(self) -> u8 {
        Self::TABLE[self as usize].1
    }

    pub(crate) fn from_byte(byte: u8) -> Option<PropertyType> {
        Self::TABLE
            .iter()
            .find(|(_, b, _)| *b == byte)
            .map(|(type_, _, _)| *type_)
    }

    /// The type of a value that can be stored; `None` for null and for what cannot.
    pub fn of(value: &Value) -> Option<PropertyType> {
        Some(match value {
            Value::Bool(_) => PropertyType::Boolean,
            Value::String(_) => PropertyType::String,
            Value::Int(_) => PropertyType::Integer,
            Value::Float(_) => PropertyType::Float,
            Value::List(_) => PropertyType::List,
            Value::Map(_) => PropertyType::Map,
            Value::Date(_) => PropertyType::Date,
            Value::LocalTime(_) => PropertyType::LocalTime,
            Value::LocalDateTime(_) => PropertyType::LocalDateTime,
            Value::Time(_) => PropertyType::ZonedTime,
            Value::DateTime(_) => PropertyType::ZonedDateTime,
            Value::Duration(_) => PropertyType::Duration,
            Value::Point(_) => PropertyType::Point,
            Value::Bytes(_) => PropertyType::Bytes,
            Value::Null | Value::Vertex(_) | Value::Edge(_) | Value::Path(_) => return None,
        })
    }

    pub(crate) fn of_stored(value: ValueRef<'_>) -> Option<PropertyType> {
        match value {
            ValueRef::Int(_) => Some(PropertyType::Integer),
            ValueRef::String(_) => Some(PropertyType::String),
            other => PropertyType::of(&other.to_value()),
        }
    }
}

impl fmt::Display for PropertyType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What every vertex with a label has to fulfil.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ConstraintDefinition {
    /// It has the property when a transaction ends.
    Exists {
        /// The label.
        label: LabelId,
        /// The property.
        key: KeyId,
    },
    /// No other has the same values in all of these properties. One that lacks any of them is free. Checked at each write.
    Unique {
        /// The label.
        label: LabelId,
        /// The properties.
        keys: Keys,
    },
    /// It has all of these properties when a transaction ends, and no other has the same values in them, which is checked at each write.
    Key {
        /// The label.
        label: LabelId,
        /// The properties.
        keys: Keys,
    },
    /// The property, where it is there, is of this type. Checked at each write.
    Type {
        /// The label.
        label: LabelId,
        /// The property.
        key: KeyId,
        /// The type.
        type_: PropertyType,
    },
}

impl ConstraintDefinition {
    /// Its label.
    pub fn label(&self) -> LabelId {
        match self {
            ConstraintDefinition::Exists { label, .. }
            | ConstraintDefinition::Unique { label, .. }
            | ConstraintDefinition::Key { label, .. }
            | ConstraintDefinition::Type { label, .. } => *label,
        }
    }

    /// Its properties.
    pub fn keys(&self) -> &[KeyId] {
        match self {
            ConstraintDefinition::Exists { key, .. } | ConstraintDefinition::Type { key, .. } => {
                std::slice::from_ref(key)
            }
            ConstraintDefinition::Unique { keys, .. } | ConstraintDefinition::Key { keys, .. } => {
                keys
            }
        }
    }

    /// Whether no two may have the same values.
    pub fn is_unique(&self) -> bool {
        matches!(
            self,
            ConstraintDefinition::Unique { .. } | ConstraintDefinition::Key { .. }
        )
    }

    /// Whether only one of both can stand: they are equal, or both give the same property a type.
    pub fn is_same(&self, other: &ConstraintDefinition) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
            && self.label() == other.label()
            && self.keys() == other.keys()
    }
}

/// How a constraint is not fulfilled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The constraint.
    pub definition: ConstraintDefinition,
    /// Its label by name.
    pub label: Arc<str>,
    /// Its properties by name.
    pub keys: Vec<Arc<str>>,
    /// The vertex that does not fulfil it.
    pub vertex: Option<VertexId>,
    /// For uniqueness: the vertex that has the values.
    pub holder: Option<VertexId>,
    /// For uniqueness: the values, as they would be written, cut where they are long; in the order of `keys`.
    pub values: Vec<String>,
    /// For a type: what was found instead.
    pub found: Option<PropertyType>,
    /// Whether the constraint was just being made.
    pub making: bool,
}

/// A unique key that two transactions want, or that one lets go while another wants it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContestedKey {
    /// The constraint's label by name.
    pub label: Arc<str>,
    /// Its properties by name, each with its value as it would be written, cut where it is long.
    pub values: Vec<(Arc<str>, String)>,
    /// The other transaction's vertex.
    pub holder: VertexId,
}

impl fmt::Display for ContestedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the unique key :{}(", self.label)?;
        for (at, (key, value)) in self.values.iter().enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            write!(f, "{comma}{key}: {value}")?;
        }
        write!(f, ") of node {}", self.holder)
    }
}

/// Characters of a text that are shown.
const SHOWN_CHARACTERS: usize = 40;

/// A value for a message: as it would be written, texts cut where they are long, what is larger by its type.
pub(crate) fn shown(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Bool(value) => value.to_string(),
        ValueRef::Int(value) => value.to_string(),
        ValueRef::Float(value) => format!("{value:?}"),
        ValueRef::String(text) => {
            let begins: String = text.chars().take(SHOWN_CHARACTERS).collect();
            let more = if begins.len() < text.len() { "…" } else { "" };
            format!("'{}{more}'", begins.escape_debug())
        }
        other => match PropertyType::of_stored(other) {
            Some(type_) => format!("a value of type {type_}"),
            None => "null".to_owned(),
        },
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let target = format!(":{}({})", self.label, self.keys.join(", "));
        let kind = match &self.definition {
            ConstraintDefinition::Exists { .. } => "existence",
            ConstraintDefinition::Unique { .. } => "unique",
            ConstraintDefinition::Key { .. } => "node key",
            ConstraintDefinition::Type { .. } => "type",
        };
        match (&self.definition, self.making) {
            (_, true) => write!(f, "Unable to create {kind} constraint on {target}: ")?,
            (ConstraintDefinition::Type { type_, .. }, false) => {
                write!(f, "IS TYPED {type_} violation on {target}: ")?
            }
            _ => write!(
                f,
                "Unable to commit due to {kind} constraint violation on {target}: "
            )?,
        }
        if let (Some(holder), false) = (self.holder, self.making) {
            return self.write_holder(holder, f);
        }
        match self.vertex {
            Some(vertex) => write!(f, "node {vertex}")?,
            None => f.write_str("a new node")?,
        }
        match (&self.definition, self.holder, self.found) {
            (_, Some(holder), _) => write!(f, " has the same values as node {holder}"),
            (ConstraintDefinition::Exists { .. }, _, _) => f.write_str(" lacks the property"),
            (ConstraintDefinition::Key { .. }, _, _) => f.write_str(" lacks one of the properties"),
            (ConstraintDefinition::Type { .. }, _, Some(found)) => {
                write!(f, " has a value of type {found}")
            }
            _ => f.write_str(" violates it"),
        }
    }
}

impl Violation {
    /// Who has the values, in the words of Neo4j, by which object mappers know that it is a key.
    fn write_holder(&self, holder: VertexId, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let noun = if self.keys.len() == 1 {
            "property"
        } else {
            "properties"
        };
        write!(
            f,
            "Node({holder}) already exists with label `{}` and {noun} ",
            self.label
        )?;
        for (at, (key, value)) in self.keys.iter().zip(&self.values).enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            write!(f, "{comma}`{key}` = {value}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Violation {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_property_type_is_found_by_its_name_and_its_byte() {
        for (at, (type_, byte, name)) in PropertyType::TABLE.into_iter().enumerate() {
            assert_eq!(type_ as usize, at);
            assert_eq!(type_.name(), name);
            assert_eq!(PropertyType::from_name(&name.to_lowercase()), Some(type_));
            assert_eq!(PropertyType::from_byte(byte), Some(type_));
        }
        assert_eq!(
            PropertyType::from_name("zoned datetime"),
            Some(PropertyType::ZonedDateTime)
        );
        assert_eq!(PropertyType::from_name("NUMBER"), None);
        assert_eq!(PropertyType::from_byte(0), None);
    }

    #[test]
    fn a_contested_key_names_label_keys_values_and_the_other() {
        let key = ContestedKey {
            label: "Person".into(),
            values: vec![
                ("name".into(), shown(ValueRef::String("d'Arc"))),
                ("born".into(), shown(ValueRef::Int(1412))),
            ],
            holder: VertexId(7),
        };
        assert_eq!(
            key.to_string(),
            "the unique key :Person(name: 'd\\'Arc', born: 1412) of node 7"
        );
        let long = shown(ValueRef::String(&"x".repeat(1_000)));
        assert!(long.len() < 60 && long.ends_with("…'"), "{long}");
    }

    #[test]
    fn a_violation_names_what_is_wrong() {
        let violation = Violation {
            definition: ConstraintDefinition::Unique {
                label: LabelId(0),
                keys: Keys::from_slice(&[KeyId(0), KeyId(1)]),
            },
            label: "Person".into(),
            keys: vec!["name".into(), "born".into()],
            vertex: Some(VertexId(7)),
            holder: Some(VertexId(3)),
            values: vec!["'Ann'".into(), "1990".into()],
            found: None,
            making: false,
        };
        assert_eq!(
            violation.to_string(),
            "Unable to commit due to unique constraint violation on :Person(name, born): Node(3) already exists with label `Person` and properties `name` = 'Ann', `born` = 1990"
        );
        let typed = Violation {
            definition: ConstraintDefinition::Type {
                label: LabelId(0),
                key: KeyId(0),
                type_: PropertyType::Integer,
            },
            keys: vec!["age".into()],
            vertex: None,
            holder: None,
            values: Vec::new(),
            found: Some(PropertyType::String),
            ..violation
        };
        assert_eq!(
            typed.to_string(),
            "IS TYPED INTEGER violation on :Person(age): a new node has a value of type STRING"
        );
    }
}
