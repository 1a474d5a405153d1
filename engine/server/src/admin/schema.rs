//! `SHOW INDEX INFO` and `SHOW CONSTRAINT INFO`: the schema in Memgraph's columns; with `YIELD` in Neo4j's.
//!
//! Owns the rows. What always holds: a row is of something that can be relied on; what is still being made is shown only where its state is.

use super::Answer;
use crate::node::Node;
use quoit_cypher::ast::Ident;
use quoit_cypher::error::{Detail, Error};
use quoit_graph::ids::KeyId;
use quoit_graph::names::Names;
use quoit_graph::value::Value;
use quoit_graph::{
    ConstraintDefinition, ConstraintInfo, IndexDefinition, IndexInfo, Order, SchemaState,
};
use std::borrow::Cow;
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

/// Neo4j's columns of indexes; what there is no such thing for is null.
const INDEX_COLUMNS: [&str; 12] = [
    "id",
    "name",
    "state",
    "populationPercent",
    "type",
    "entityType",
    "labelsOrTypes",
    "properties",
    "indexProvider",
    "owningConstraint",
    "lastRead",
    "readCount",
];

/// Neo4j's columns of constraints.
const CONSTRAINT_COLUMNS: [&str; 8] = [
    "id",
    "name",
    "type",
    "entityType",
    "labelsOrTypes",
    "properties",
    "ownedIndex",
    "propertyType",
];

/// The columns that are asked for (`None`: all), under the names they are given.
///
/// # Errors
/// There is no such column.
pub(super) fn yielded(
    node: &Rc<Node>,
    constraints: bool,
    asked: Option<&[(Ident, Option<Ident>)]>,
) -> Result<Answer, Error> {
    let (columns, rows) = match constraints {
        true => (&CONSTRAINT_COLUMNS[..], neo4j_constraints(node)),
        false => (&INDEX_COLUMNS[..], neo4j_indexes(node)),
    };
    let Some(asked) = asked else {
        return Ok(Answer {
            columns: columns.iter().copied().map(Cow::Borrowed).collect(),
            rows,
            notices: Vec::new(),
        });
    };
    let mut places = Vec::with_capacity(asked.len());
    for (column, _) in asked {
        let place = columns.iter().position(|known| *known == &*column.name);
        places.push(place.ok_or_else(|| {
            let message = format!("there is no column `{}`", column.name);
            Error::syntax(Detail::UndefinedVariable, column.span, message)
                .hint(format!("the columns are {}", columns.join(", ")))
        })?);
    }
    let names = asked
        .iter()
        .map(|(column, alias)| alias.as_ref().unwrap_or(column).name.to_string());
    let row = |row: Vec<Value>| places.iter().map(|at| row[*at].clone()).collect();
    Ok(Answer {
        columns: names.map(Cow::Owned).collect(),
        rows: rows.into_iter().map(row).collect(),
        notices: Vec::new(),
    })
}

fn neo4j_indexes(node: &Rc<Node>) -> Vec<Vec<Value>> {
    let graph = node.core.graph();
    let names = graph.names();
    let row = |(at, index): (usize, IndexInfo)| {
        let definition = &index.definition;
        let (entity, owner) = match (definition.label(), definition.edge_type()) {
            (Some(label), _) => ("NODE", names.label_name(label)),
            (_, type_) => (
                "RELATIONSHIP",
                type_.and_then(|type_| names.type_name(type_)),
            ),
        };
        let is_online = index.state == SchemaState::Online;
        vec![
            Value::Int(at as i64 + 1),
            text(index.name.as_ref()),
            Value::string(if is_online { "ONLINE" } else { "POPULATING" }),
            Value::Float(if is_online { 100.0 } else { 0.0 }),
            Value::string(match definition.keys() {
                [] => "LOOKUP",
                _ => "RANGE",
            }),
            Value::string(entity),
            Value::list(vec![text(owner)]),
            list(definition.keys(), names),
            Value::string("range-1.0"),
            Value::Null,
            Value::Null,
            Value::Null,
        ]
    };
    graph.indexes().into_iter().enumerate().map(row).collect()
}

fn neo4j_constraints(node: &Rc<Node>) -> Vec<Vec<Value>> {
    let graph = node.core.graph();
    let names = graph.names();
    let row = |(at, constraint): (usize, ConstraintInfo)| {
        let definition = &constraint.definition;
        let (kind, property_type) = match definition {
            ConstraintDefinition::Exists { .. } => ("NODE_PROPERTY_EXISTENCE", None),
            ConstraintDefinition::Unique { .. } => ("UNIQUENESS", None),
            ConstraintDefinition::Type { type_, .. } => ("NODE_PROPERTY_TYPE", Some(type_)),
        };
        vec![
            Value::Int(at as i64 + 1),
            text(constraint.name.as_ref()),
            Value::string(kind),
            Value::string("NODE"),
            Value::list(vec![text(names.label_name(definition.label()))]),
            list(definition.keys(), names),
            Value::Null,
            property_type.map_or(Value::Null, |type_| Value::string(type_.name())),
        ]
    };
    graph
        .constraints()
        .into_iter()
        .filter(|constraint| constraint.state == SchemaState::Online)
        .enumerate()
        .map(row)
        .collect()
}

fn text(name: Option<&Arc<str>>) -> Value {
    name.map_or(Value::Null, |name| Value::String(name.clone()))
}

fn list(keys: &[KeyId], names: &Names) -> Value {
    Value::list(keys.iter().map(|key| text(names.key_name(*key))).collect())
}
