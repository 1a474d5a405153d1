//! Reaching into values: `a.key`, `a[i]`, `a[i..j]`.

use quoit_cypher::error::{Detail, Error};
use quoit_graph::value::{Point, Value};

use super::NameRef;
use crate::operator::Context;
use crate::temporal::convert::{moment_of, span_of};
use crate::temporal::{Component, duration_component, moment_component};

/// `object.key`. Null for a key that is not there, and for null.
///
/// # Errors
/// Access to a deleted vertex or edge; an object of a type without properties.
pub fn property(object: &Value, key: &NameRef, cx: &Context<'_>) -> Result<Value, Error> {
    match object {
        Value::Vertex(vertex) => cx.vertex_property(*vertex, key.id(|name| cx.key_id(name))),
        Value::Edge(edge) => cx.edge_property(edge, key.id(|name| cx.key_id(name))),
        other => by_name(other, &key.name),
    }
}

/// `object[key]` with a key known only now.
fn property_by_name(object: &Value, key: &str, cx: &Context<'_>) -> Result<Value, Error> {
    match object {
        Value::Vertex(vertex) => cx.vertex_property(*vertex, cx.key_id(key)),
        Value::Edge(edge) => cx.edge_property(edge, cx.key_id(key)),
        other => by_name(other, key),
    }
}

fn by_name(object: &Value, key: &str) -> Result<Value, Error> {
    let no_part = || {
        Error::type_error(
            Detail::InvalidArgumentType,
            format!("{} has no property `{key}`", object.type_phrase()),
        )
    };
    match object {
        Value::Null => Ok(Value::Null),
        Value::Map(map) => Ok(map.get(key).cloned().unwrap_or_default()),
        Value::Duration(duration) => duration_component(&span_of(duration), key)
            .map(Value::Int)
            .ok_or_else(no_part),
        Value::Point(point) => point_component(point, key).ok_or_else(no_part),
        other => {
            let moment = moment_of(other).ok_or_else(no_part)?;
            match moment_component(&moment, key).ok_or_else(no_part)? {
                Component::Integer(number) => Ok(Value::Int(number)),
                Component::Text(text) => Ok(Value::from(text)),
            }
        }
    }
}

fn point_component(point: &Point, key: &str) -> Option<Value> {
    let geographic = matches!(point.srid, 4326 | 4979);
    Some(match key {
        "x" => Value::Float(point.x),
        "y" => Value::Float(point.y),
        "z" if point.is_3d() => Value::Float(point.z),
        "longitude" if geographic => Value::Float(point.x),
        "latitude" if geographic => Value::Float(point.y),
        "height" if geographic && point.is_3d() => Value::Float(point.z),
        "srid" => Value::from(point.srid),
        "crs" => Value::from(match point.srid {
            4326 => "wgs-84",
            4979 => "wgs-84-3d",
            7203 => "cartesian",
            _ => "cartesian-3d",
        }),
        _ => return None,
    })
}

/// `object[index]`: an element of a list (counted from the end if negative), or a property by a computed name.
///
/// # Errors
/// A list with an index that is no integer, a map with a key that is no string, an object without elements.
pub fn element(object: &Value, index: &Value, cx: &Context<'_>) -> Result<Value, Error> {
    match (object, index) {
        (Value::Null, _) | (_, Value::Null) => Ok(Value::Null),
        (Value::List(items), Value::Int(at)) => Ok(position(*at, items.len())
            .and_then(|at| items.get(at))
            .cloned()
            .unwrap_or_default()),
        (Value::List(_), other) => Err(Error::type_error(
            Detail::InvalidArgumentType,
            format!(
                "a list is indexed by an integer, not by {}",
                other.type_phrase()
            ),
        )),
        (Value::Map(_) | Value::Vertex(_) | Value::Edge(_), Value::String(key)) => {
            property_by_name(object, key, cx)
        }
        (Value::Map(_) | Value::Vertex(_) | Value::Edge(_), other) => Err(Error::type_error(
            Detail::MapElementAccessByNonString,
            format!(
                "{} is indexed by a string, not by {}",
                object.type_phrase(),
                other.type_phrase()
            ),
        )),
        (other, Value::String(key))
            if moment_of(other).is_some()
                || matches!(other, Value::Duration(_) | Value::Point(_)) =>
        {
            by_name(other, key)
        }
        (other, _) => Err(Error::type_error(
            Detail::InvalidArgumentType,
            format!("{} has no elements", other.type_phrase()),
        )),
    }
}

/// An index that may count from the end as one from the start.
fn position(at: i64, len: usize) -> Option<usize> {
    if at < 0 {
        usize::try_from(len as i64 + at).ok()
    } else {
        usize::try_from(at).ok()
    }
}

/// `object[from..to]`; bounds beyond the list are those of the list.
///
/// # Errors
/// An object that is no list, a bound that is no integer.
pub fn slice(object: &Value, from: Option<&Value>, to: Option<&Value>) -> Result<Value, Error> {
    let bound = |value: Option<&Value>, open: i64| match value {
        None => Ok(Some(open)),
        Some(Value::Null) => Ok(None),
        Some(Value::Int(at)) => Ok(Some(*at)),
        Some(other) => Err(Error::type_error(
            Detail::InvalidArgumentType,
            format!(
                "a slice is bounded by integers, not by {}",
                other.type_phrase()
            ),
        )),
    };
    let items = match object {
        Value::Null => return Ok(Value::Null),
        Value::List(items) => items,
        other => {
            return Err(Error::type_error(
                Detail::InvalidArgumentType,
                format!("{} has no slices", other.type_phrase()),
            ));
        }
    };
    let len = items.len() as i64;
    let (Some(from), Some(to)) = (bound(from, 0)?, bound(to, len)?) else {
        return Ok(Value::Null);
    };
    let clamp = |at: i64| {
        if at < 0 {
            (len + at.max(-len)).max(0)
        } else {
            at.min(len)
        }
    };
    let (from, to) = (clamp(from) as usize, clamp(to) as usize);
    Ok(Value::list(items.get(from..to).unwrap_or(&[]).to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_are_clamped_to_the_list() {
        let list = Value::list((1..=3).map(Value::Int).collect());
        let cut = |from: i64, to: i64| {
            slice(&list, Some(&Value::Int(from)), Some(&Value::Int(to))).unwrap()
        };
        assert_eq!(cut(1, 99), Value::list(vec![Value::Int(2), Value::Int(3)]));
        assert_eq!(cut(-2, -1), Value::list(vec![Value::Int(2)]));
        assert_eq!(cut(i64::MIN, i64::MAX), list);
        assert_eq!(cut(2, 1), Value::list(vec![]));
        assert_eq!(slice(&list, None, Some(&Value::Null)).unwrap(), Value::Null);
    }
}
