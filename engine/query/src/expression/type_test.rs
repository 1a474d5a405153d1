//! `value IS :: TYPE`: whether a value belongs to a type that a query names.
//!
//! Called by [`super::evaluate`]. What always holds: null belongs to every type that was not written `NOT NULL`, except `NOTHING`; a list belongs
//! to a list type if all of its elements belong to the type within.

use quoit_cypher::ast::{TypeMember, TypeName, TypeUnion};
use quoit_graph::value::Value;

/// Whether a value belongs to any member of a union.
pub fn belongs(value: &Value, union: &TypeUnion) -> bool {
    union.members.iter().any(|member| is_of(value, member))
}

fn is_of(value: &Value, member: &TypeMember) -> bool {
    if value.is_null() {
        return member.nullable && member.name != TypeName::Nothing;
    }
    match (&member.name, value) {
        (TypeName::Any, _)
        | (TypeName::Boolean, Value::Bool(_))
        | (TypeName::Integer, Value::Int(_))
        | (TypeName::Float, Value::Float(_))
        | (TypeName::String, Value::String(_))
        | (TypeName::Date, Value::Date(_))
        | (TypeName::LocalTime, Value::LocalTime(_))
        | (TypeName::ZonedTime, Value::Time(_))
        | (TypeName::LocalDateTime, Value::LocalDateTime(_))
        | (TypeName::ZonedDateTime, Value::DateTime(_))
        | (TypeName::Duration, Value::Duration(_))
        | (TypeName::Point, Value::Point(_))
        | (TypeName::Map, Value::Map(_))
        | (TypeName::Node, Value::Vertex(_))
        | (TypeName::Relationship, Value::Edge(_))
        | (TypeName::Path, Value::Path(_)) => true,
        (TypeName::List(inner), Value::List(items)) => {
            items.iter().all(|item| belongs(item, inner))
        }
        (TypeName::PropertyValue, Value::List(items)) => {
            let first = items.first().map(std::mem::discriminant);
            items
                .iter()
                .all(|item| is_scalar(item) && Some(std::mem::discriminant(item)) == first)
        }
        (TypeName::PropertyValue, value) => is_scalar(value),
        _ => false,
    }
}

/// Whether a property can hold it by itself, and in a list of its kind.
fn is_scalar(value: &Value) -> bool {
    !matches!(
        value,
        Value::Null
            | Value::List(_)
            | Value::Map(_)
            | Value::Vertex(_)
            | Value::Edge(_)
            | Value::Path(_)
    )
}
