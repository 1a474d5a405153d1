//! What is to be written, evaluated: properties, labels, types.
//!
//! Called by the updating operators, which may be interrupted here. What always holds: what comes out can be stored, and its names have ids.

use quoit_cypher::error::{Detail, Error};
use quoit_graph::ids::{KeyId, LabelId, TypeId};
use quoit_graph::value::Value;
use smallvec::SmallVec;

use crate::expression::evaluate::value;
use crate::expression::labels::{Names, names_in};
use crate::expression::progress::Stop;
use crate::expression::{Expr, NameRef, Place};
use crate::function::graph::properties_of;
use crate::operator::{Context, write_error};
use crate::plan::{NameSource, PropertySource};

/// Labels of one vertex.
pub(super) type Labels = SmallVec<[LabelId; 4]>;

/// Keys and values of one vertex or edge.
pub(super) type Properties = SmallVec<[(KeyId, Value); 4]>;

/// The properties of something new; nulls are left out.
pub(super) fn new_properties(
    source: &PropertySource,
    cx: &mut Context<'_>,
    row: &[Value],
) -> Result<Properties, Stop> {
    let mut properties = Properties::new();
    match source {
        PropertySource::Entries(entries) => {
            for (name, expr, place) in entries {
                let value = value(expr, cx, row)?;
                if !value.is_null() {
                    let value = storable(value).map_err(|error| error.at(place.0))?;
                    properties.push((key(name, cx)?, value));
                }
            }
        }
        PropertySource::Map(expr, place) => match value(expr, cx, row)? {
            Value::Null => {}
            value => {
                properties = entries_of(&value, cx, false).map_err(|error| error.at(place.0))?
            }
        },
    }
    Ok(properties)
}

/// Properties of a map, vertex or edge as they are written; nulls are left out unless they are to remove something.
pub(super) fn entries_of(
    value: &Value,
    cx: &mut Context<'_>,
    keep_nulls: bool,
) -> Result<Properties, Error> {
    let Value::Map(map) = properties_of(value, cx)? else {
        return Ok(Properties::new());
    };
    let mut properties = Properties::new();
    for (name, value) in map.iter() {
        if keep_nulls || !value.is_null() {
            let key = cx.txn.key(name).map_err(write_error)?;
            properties.push((key, storable(value.clone())?));
        }
    }
    Ok(properties)
}

/// Refuses what openCypher does not store: maps, and lists that hold one.
pub(super) fn storable(value: Value) -> Result<Value, Error> {
    fn check(value: &Value) -> Result<(), Error> {
        match value {
            Value::List(items) => items.iter().try_for_each(check),
            Value::Map(_) | Value::Vertex(_) | Value::Edge(_) | Value::Path(_) => {
                Err(Error::type_error(
                    Detail::InvalidPropertyType,
                    format!("{} cannot be stored as a property", value.type_phrase()),
                ))
            }
            _ => Ok(()),
        }
    }
    check(&value)?;
    Ok(value)
}

/// The id of a key that is written; looked up once a plan.
pub(super) fn key(name: &NameRef, cx: &mut Context<'_>) -> Result<KeyId, Error> {
    match name.id(|name| cx.key_id(name)) {
        Some(id) => Ok(KeyId(id)),
        None => cx.txn.key(&name.name).map_err(write_error),
    }
}

fn label(name: &NameRef, cx: &mut Context<'_>) -> Result<LabelId, Error> {
    match name.id(|name| cx.label_id(name)) {
        Some(id) => Ok(LabelId(id)),
        None => cx.txn.label(&name.name).map_err(write_error),
    }
}

/// The names that a source gives for a row.
pub(super) fn names_of(
    source: &NameSource,
    cx: &mut Context<'_>,
    row: &[Value],
) -> Result<Names, Stop> {
    match source {
        NameSource::Static(name) => Ok(SmallVec::from_elem(name.name.clone(), 1)),
        NameSource::Dynamic(expr, place) => computed_names(expr, *place, cx, row),
    }
}

fn computed_names(
    expr: &Expr,
    place: Place,
    cx: &mut Context<'_>,
    row: &[Value],
) -> Result<Names, Stop> {
    names_in(&value(expr, cx, row)?).map_err(|error| error.at(place.0).into())
}

/// Labels to write, each once.
pub(super) fn label_ids(
    sources: &[NameSource],
    cx: &mut Context<'_>,
    row: &[Value],
) -> Result<Labels, Stop> {
    let mut labels = Labels::new();
    let mut add = |label: LabelId| {
        if !labels.contains(&label) {
            labels.push(label);
        }
    };
    for source in sources {
        match source {
            NameSource::Static(name) => add(label(name, cx)?),
            NameSource::Dynamic(expr, place) => {
                for name in computed_names(expr, *place, cx, row)? {
                    add(cx.txn.label(&name).map_err(write_error)?);
                }
            }
        }
    }
    Ok(labels)
}

/// The one type of a new edge.
pub(super) fn type_id(
    source: &NameSource,
    cx: &mut Context<'_>,
    row: &[Value],
) -> Result<TypeId, Stop> {
    let names = match source {
        NameSource::Static(name) => {
            return match name.id(|name| cx.type_id(name)) {
                Some(id) => Ok(TypeId(id)),
                None => Ok(cx.txn.edge_type(&name.name).map_err(write_error)?),
            };
        }
        NameSource::Dynamic(expr, place) => computed_names(expr, *place, cx, row)?,
    };
    match names.as_slice() {
        [name] => Ok(cx.txn.edge_type(name).map_err(write_error)?),
        names => Err(Error::argument(
            Detail::InvalidArgumentValue,
            format!("a relationship needs one type, not {}", names.len()),
        )
        .into()),
    }
}
