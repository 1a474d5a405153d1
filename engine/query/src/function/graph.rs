//! Functions on vertices, edges, paths and maps.

use std::sync::Arc;

use quoit_cypher::error::{Detail, Error};
use quoit_cypher::functions::Function;
use quoit_graph::Direction;
use quoit_graph::value::Value;

use super::{wrong_argument, wrong_value};
use crate::operator::Context;

pub(super) fn apply(
    function: Function,
    args: &[Value],
    cx: &mut Context<'_>,
) -> Result<Value, Error> {
    use Function as F;
    let value = &args[0];
    if value.is_null() && function != F::Exists {
        return Ok(Value::Null);
    }
    match function {
        F::Id => match value {
            Value::Vertex(vertex) => Ok(Value::Int(vertex.as_i64())),
            Value::Edge(edge) => Ok(Value::Int(edge.id.as_i64())),
            other => Err(wrong_argument(function, "a node or relationship", other)),
        },
        F::ElementId => match value {
            Value::Vertex(vertex) => Ok(Value::from(vertex.0.to_string())),
            Value::Edge(edge) => Ok(Value::from(edge.id.0.to_string())),
            other => Err(wrong_argument(function, "a node or relationship", other)),
        },
        F::Labels => match value {
            Value::Vertex(vertex) => {
                let names = cx.view.graph().names();
                let labels = cx
                    .labels(*vertex)?
                    .iter()
                    .filter_map(|label| names.label_name(*label));
                Ok(Value::list(
                    labels.map(|name| Value::String(name.clone())).collect(),
                ))
            }
            other => Err(wrong_value(function, "a node", other)),
        },
        F::Type => match value {
            Value::Edge(edge) => Ok(cx
                .view
                .graph()
                .names()
                .type_name(edge.type_)
                .map_or(Value::Null, |name| Value::String(name.clone()))),
            other => Err(wrong_value(function, "a relationship", other)),
        },
        F::Keys => match properties_of(value, cx)
            .map_err(|_| wrong_argument(function, "a node, relationship or map", value))?
        {
            Value::Map(map) => Ok(Value::list(
                map.iter()
                    .map(|(key, _)| Value::String(key.clone()))
                    .collect(),
            )),
            _ => Ok(Value::Null),
        },
        F::Values => match properties_of(value, cx)? {
            Value::Map(map) => Ok(Value::list(
                map.iter().map(|(_, value)| value.clone()).collect(),
            )),
            _ => Ok(Value::Null),
        },
        F::Properties => properties_of(value, cx),
        F::AnyProperty => match (properties_of(value, cx)?, &args[1]) {
            (_, Value::Null) => Ok(Value::Null),
            (Value::Map(map), Value::String(name)) => {
                let mut entries = map.iter();
                let found = entries.find(|(key, _)| key.as_ref() == name.as_ref());
                Ok(found.map_or(Value::Null, |(_, value)| value.clone()))
            }
            (_, other) => Err(wrong_argument(function, "the name of a property", other)),
        },
        F::PropertySize => property_size(value, &args[1], cx),
        F::StartNode | F::EndNode => match value {
            Value::Edge(edge) if function == F::StartNode => Ok(Value::Vertex(edge.source())),
            Value::Edge(edge) => Ok(Value::Vertex(edge.target)),
            other => Err(wrong_argument(function, "a relationship", other)),
        },
        F::Degree | F::InDegree | F::OutDegree => match value {
            Value::Vertex(vertex) => {
                cx.vertex(*vertex)?;
                let degree = |direction| cx.view.degree(*vertex, direction, &[]) as i64;
                Ok(Value::Int(match function {
                    F::InDegree => degree(Direction::In),
                    F::OutDegree => degree(Direction::Out),
                    _ => degree(Direction::In) + degree(Direction::Out),
                }))
            }
            other => Err(wrong_argument(function, "a node", other)),
        },
        F::Nodes => match value {
            Value::Path(path) => Ok(Value::list(
                path.vertices
                    .iter()
                    .map(|vertex| Value::Vertex(*vertex))
                    .collect(),
            )),
            other => Err(wrong_argument(function, "a path", other)),
        },
        F::Relationships | F::Rels => match value {
            Value::Path(path) => Ok(Value::list(
                path.edges.iter().map(|edge| Value::Edge(*edge)).collect(),
            )),
            other => Err(wrong_argument(function, "a path", other)),
        },
        F::Length => match value {
            Value::Path(path) => Ok(Value::Int(path.edges.len() as i64)),
            other => Err(wrong_argument(function, "a path", other)),
        },
        F::Exists => Ok(Value::Bool(!value.is_null())),
        _ => Err(Error::internal(format!(
            "{function}() is no function on graphs"
        ))),
    }
}

/// The properties of a vertex or edge as a map, a map itself, null of null.
///
/// # Errors
/// A deleted entity; a value without properties.
pub fn properties_of(value: &Value, cx: &Context<'_>) -> Result<Value, Error> {
    let named = |properties: quoit_graph::PropertiesRef<'_>| {
        let names = cx.view.graph().names();
        let entries: Vec<(Arc<str>, Value)> = properties
            .iter()
            .filter_map(|(key, value)| {
                names
                    .key_name(key)
                    .map(|name| (name.clone(), value.to_value()))
            })
            .collect();
        Value::map(entries)
    };
    match value {
        Value::Null => Ok(Value::Null),
        Value::Map(_) => Ok(value.clone()),
        Value::Vertex(vertex) => Ok(named(cx.vertex(*vertex)?.properties())),
        Value::Edge(edge) => Ok(named(cx.edge(edge)?.properties())),
        other => Err(Error::type_error(
            Detail::InvalidArgumentType,
            format!(
                "a node, relationship or map is needed, not {}",
                other.type_phrase()
            ),
        )),
    }
}

fn property_size(value: &Value, key: &Value, cx: &Context<'_>) -> Result<Value, Error> {
    let Value::String(key) = key else {
        return Err(wrong_argument(
            Function::PropertySize,
            "the name of a property",
            key,
        ));
    };
    let Value::Map(map) = properties_of(value, cx)? else {
        return Ok(Value::Null);
    };
    let mut bytes = Vec::new();
    if let Some(value) = map.get(key) {
        quoit_graph::value::codec::encode(value, &mut bytes)
            .map_err(|error| Error::type_error(Detail::InvalidArgumentType, error.to_string()))?;
    }
    Ok(Value::Int(bytes.len() as i64))
}
