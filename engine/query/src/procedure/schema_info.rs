//! `SHOW SCHEMA INFO`: the graph's kinds of nodes and relationships, its indexes and constraints, as one JSON text in Memgraph's structure.
//!
//! Owned here: the text. Called through the statement's procedure. Always holds: the text is valid JSON whatever names are in the graph,
//! and its lists are ordered by name, so that two calls on one graph give the same text. Left to others: the walk over the graph (`shape`).

use std::fmt::Write;
use std::sync::Arc;

use quoit_cypher::ast::show;
use quoit_graph::ids::KeyId;
use quoit_graph::value::Value;
use quoit_graph::{ConstraintDefinition, SchemaState};

use super::meta::{key_name, of_shape};
use super::shape::{Group, Part, Shape};
use super::{Field, FieldType, Procedure};
use crate::operator::Context;

/// The procedure that the statement calls.
pub(super) fn procedure() -> Procedure {
    let outputs = vec![Field::new("schema", FieldType::String)];
    of_shape(
        show::SCHEMA_INFO.procedure,
        outputs,
        Part::Everything,
        |shape, cx| vec![vec![Value::from(json(shape, cx))]],
    )
}

fn json(shape: &Shape, cx: &Context<'_>) -> String {
    let vertices = shape.vertices(cx);
    let nodes = vertices.iter().map(|(labels, group)| {
        let labels = texts(labels);
        format!(
            "{{\"labels\":{labels},\"count\":{},\"properties\":{}}}",
            group.count,
            properties(group, cx)
        )
    });
    let edge_kinds = shape.edges(cx);
    let edges = edge_kinds.iter().map(|kind| {
        format!(
            "{{\"type\":{},\"start_node_labels\":{},\"end_node_labels\":{},\"count\":{},\"properties\":{}}}",
            text(&kind.type_),
            texts(&kind.source),
            texts(&kind.target),
            kind.group.count,
            properties(kind.group, cx)
        )
    });
    let (node_indexes, edge_indexes) = indexes(cx);
    format!(
        "{{\"nodes\":{},\"edges\":{},\"node_indexes\":{},\"edge_indexes\":{},\"node_constraints\":{},\"enums\":[]}}",
        list(nodes),
        list(edges),
        list(node_indexes.into_iter()),
        list(edge_indexes.into_iter()),
        list(constraints(cx).into_iter())
    )
}

fn properties(group: &Group, cx: &Context<'_>) -> String {
    let mut named: Vec<(Arc<str>, String)> = group
        .properties
        .iter()
        .map(|property| {
            let name = name_of(property.key, cx);
            let mut types: Vec<(&str, u64)> = Vec::new();
            for (kind, count) in &property.kinds {
                // Lists differ by what they hold, and are one type here.
                match types.last_mut() {
                    Some((last, sum)) if *last == kind.in_schema_info() => *sum += count,
                    _ => types.push((kind.in_schema_info(), *count)),
                }
            }
            let types = types
                .iter()
                .map(|(type_, count)| format!("{{\"type\":\"{type_}\",\"count\":{count}}}"));
            let filling = property.count as f64 / group.count.max(1) as f64 * 100.0;
            let json = format!(
                "{{\"key\":{},\"count\":{},\"filling_factor\":{filling:.2},\"types\":{}}}",
                text(&name),
                property.count,
                list(types)
            );
            (name, json)
        })
        .collect();
    named.sort();
    list(named.into_iter().map(|(_, json)| json))
}

/// Indexes that can be read: of nodes, and of relationships.
fn indexes(cx: &Context<'_>) -> (Vec<String>, Vec<String>) {
    let names = cx.view.graph().names();
    let (mut of_nodes, mut of_edges) = (Vec::new(), Vec::new());
    for index in cx.view.graph().indexes() {
        if index.state != SchemaState::Online {
            continue;
        }
        let keys: Vec<Arc<str>> = index
            .definition
            .keys()
            .iter()
            .map(|key| name_of(*key, cx))
            .collect();
        let with_keys = if keys.is_empty() { "" } else { "+property" };
        let keys = texts(&keys);
        let count = index.count;
        match (index.definition.label(), index.definition.edge_type()) {
            (Some(label), _) => {
                let label = names.label_name(label).cloned().unwrap_or_default();
                let labels = texts(&[label]);
                of_nodes.push(format!("{{\"labels\":{labels},\"properties\":{keys},\"count\":{count},\"type\":\"label{with_keys}\"}}"));
            }
            (None, type_) => {
                let type_ = type_
                    .and_then(|type_| names.type_name(type_))
                    .cloned()
                    .unwrap_or_default();
                let type_ = text(&type_);
                of_edges.push(format!("{{\"edge_type\":{type_},\"properties\":{keys},\"count\":{count},\"type\":\"edge_type{with_keys}\"}}"));
            }
        }
    }
    of_nodes.sort();
    of_edges.sort();
    (of_nodes, of_edges)
}

fn constraints(cx: &Context<'_>) -> Vec<String> {
    let graph = cx.view.graph();
    let online = graph
        .constraints()
        .into_iter()
        .filter(|constraint| constraint.state == SchemaState::Online);
    let mut all: Vec<String> = online
        .map(|constraint| {
            let (rule, type_) = match &constraint.definition {
                ConstraintDefinition::Exists { .. } => ("existence", ""),
                ConstraintDefinition::Unique { .. } => ("unique", ""),
                ConstraintDefinition::Key { .. } => ("node_key", ""),
                ConstraintDefinition::Type { type_, .. } => ("data_type", type_.name()),
            };
            let label = graph
                .names()
                .label_name(constraint.definition.label())
                .cloned()
                .unwrap_or_default();
            let keys: Vec<Arc<str>> = constraint
                .definition
                .keys()
                .iter()
                .map(|key| name_of(*key, cx))
                .collect();
            format!(
                "{{\"type\":\"{rule}\",\"labels\":{},\"properties\":{},\"data_type\":{}}}",
                texts(&[label]),
                texts(&keys),
                text(type_)
            )
        })
        .collect();
    all.sort();
    all
}

fn name_of(key: KeyId, cx: &Context<'_>) -> Arc<str> {
    match key_name(key, cx) {
        Value::String(name) => name,
        _ => Arc::from(""),
    }
}

fn list(items: impl Iterator<Item = String>) -> String {
    let items: Vec<String> = items.collect();
    format!("[{}]", items.join(","))
}

fn texts(items: &[Arc<str>]) -> String {
    list(items.iter().map(|item| text(item)))
}

/// A JSON string.
fn text(value: &str) -> String {
    let mut json = String::with_capacity(value.len() + 2);
    json.push('"');
    for c in value.chars() {
        match c {
            '"' => json.push_str("\\\""),
            '\\' => json.push_str("\\\\"),
            '\n' => json.push_str("\\n"),
            '\r' => json.push_str("\\r"),
            '\t' => json.push_str("\\t"),
            c if c < ' ' => {
                let _ = write!(json, "\\u{:04x}", c as u32);
            }
            c => json.push(c),
        }
    }
    json.push('"');
    json
}
