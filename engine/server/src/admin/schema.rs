//! `SHOW INDEX INFO` and `SHOW CONSTRAINT INFO`: the schema in Memgraph's columns.
//!
//! Owns the rows. What always holds: a row is of something that can be relied on. Left to others: Neo4j's columns, which queries read
//! (`quoit_query`).

use super::Answer;
use crate::node::Node;
use quoit_graph::ids::KeyId;
use quoit_graph::names::Names;
use quoit_graph::value::Value;
use quoit_graph::{ConstraintDefinition, IndexDefinition, Order, SchemaState};
use std::rc::Rc;
use std::sync::Arc;

/// Indexes by kind, then label or type, then properties.
pub(super) fn indexes(node: &Rc<Node>) -> Answer {
    let graph = node.core.graph();
    let names = graph.names();
    let mut rows: Vec<[Value; 4]> = graph
        .indexes()
        .into_iter()
        .filter(|index| index.state == SchemaState::Online)
        .map(|index| {
            let definition = &index.definition;
            let kind = match definition {
                IndexDefinition::Label(_) => "label",
                IndexDefinition::LabelProperties { .. } => "label+property",
                IndexDefinition::EdgeType(_) => "edge-type",
                IndexDefinition::EdgeTypeProperties { .. } => "edge-type+property",
            };
            let kind = match definition.order() {
                Order::Ascending => kind.to_owned(),
                Order::Descending => format!("{kind} (DESC)"),
            };
            let owner = match (definition.label(), definition.edge_type()) {
                (Some(label), _) => names.label_name(label),
                (_, Some(type_)) => names.type_name(type_),
                _ => None,
            };
            // One property of an edge is no list, as Memgraph's clients expect.
            let keys = match (definition.keys(), definition.edge_type()) {
                ([], _) => Value::Null,
                ([key], Some(_)) => text(names.key_name(*key)),
                (keys, _) => list(keys, names),
            };
            [
                Value::from(kind),
                text(owner),
                keys,
                Value::Int(index.count as i64),
            ]
        })
        .collect();
    rows.sort();
    Answer::table(["index type", "label", "property", "count"], rows)
}

/// Constraints by kind, then label, then properties.
pub(super) fn constraints(node: &Rc<Node>) -> Answer {
    let graph = node.core.graph();
    let names = graph.names();
    let mut rows: Vec<[Value; 4]> = graph
        .constraints()
        .into_iter()
        .filter(|constraint| constraint.state == SchemaState::Online)
        .map(|constraint| {
            let (kind, keys, data_type) = match &constraint.definition {
                ConstraintDefinition::Exists { key, .. } => {
                    ("exists", text(names.key_name(*key)), "")
                }
                ConstraintDefinition::Unique { keys, .. } => ("unique", list(keys, names), ""),
                ConstraintDefinition::Key { keys, .. } => ("node key", list(keys, names), ""),
                ConstraintDefinition::Type { key, type_, .. } => {
                    ("data_type", text(names.key_name(*key)), type_.name())
                }
            };
            [
                Value::string(kind),
                text(names.label_name(constraint.definition.label())),
                keys,
                Value::string(data_type),
            ]
        })
        .collect();
    rows.sort();
    Answer::table(
        ["constraint type", "label", "properties", "data_type"],
        rows,
    )
}

fn text(name: Option<&Arc<str>>) -> Value {
    name.map_or(Value::Null, |name| Value::String(name.clone()))
}

fn list(keys: &[KeyId], names: &Names) -> Value {
    Value::list(keys.iter().map(|key| text(names.key_name(*key))).collect())
}
