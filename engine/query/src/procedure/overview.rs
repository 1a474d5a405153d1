//! Procedures that give the whole schema as one value: which labels there are, and which relationships lead from which to which.
//!
//! Owned here: `apoc.meta.graph`, `apoc.meta.schema`, `db.schema.visualization`, as far as tools read them, made of a [`Shape`]. Called
//! through [`super::Procedures`]. Always holds: counts are exact for the statement's snapshot (APOC's own are samples, so its
//! configuration changes nothing here). Where Neo4j gives nodes and relationships that do not exist, there are maps of their
//! properties: here a node is always one of the graph.

use std::collections::BTreeMap;
use std::sync::Arc;

use quoit_graph::value::Value;

use super::meta::{Known, key_name, most_common, of_shape};
use super::shape::{Group, Part, Shape};
use super::{Field, FieldType, Procedure};
use crate::operator::Context;

/// The procedures.
pub(super) fn procedures() -> Vec<Procedure> {
    let lists = || {
        vec![
            Field::new("nodes", FieldType::List),
            Field::new("relationships", FieldType::List),
        ]
    };
    let config = || vec![Field::new("config", FieldType::Map)];
    vec![
        of_shape("apoc.meta.graph", lists(), Part::Everything, graph_row)
            .taking_at_most(config())
            .described("The labels and how relationships lead from one to another, with counts."),
        of_shape(
            "apoc.meta.schema",
            vec![Field::new("value", FieldType::Map)],
            Part::Everything,
            schema_row,
        )
        .taking_at_most(config())
        .described("Labels and relationship types with their properties, as one map."),
        of_shape(
            "db.schema.visualization",
            lists(),
            Part::Everything,
            visualization_row,
        )
        .described("The labels and how relationships lead from one to another."),
    ]
}

/// Nodes by label, in the order of the alphabet. A node with several labels counts for each.
fn by_label(shape: &Shape, cx: &Context<'_>) -> BTreeMap<Arc<str>, Group> {
    let mut labels: BTreeMap<Arc<str>, Group> = BTreeMap::new();
    for (set, group) in shape.vertices(cx) {
        for label in set {
            labels.entry(label).or_default().merge(group);
        }
    }
    labels
}

/// Type, label at the start, label at the end.
type Lead = [Arc<str>; 3];

/// Relationships by type and labels of their ends.
fn by_ends(shape: &Shape, cx: &Context<'_>) -> BTreeMap<Lead, Group> {
    let mut leads: BTreeMap<Lead, Group> = BTreeMap::new();
    for kind in shape.edges(cx) {
        for source in &kind.source {
            for target in &kind.target {
                let lead = [kind.type_.clone(), source.clone(), target.clone()];
                leads.entry(lead).or_default().merge(kind.group);
            }
        }
    }
    leads
}

fn map(entries: Vec<(&str, Value)>) -> Value {
    let entries = entries.into_iter();
    Value::map(
        entries
            .map(|(key, value)| (Arc::from(key), value))
            .collect(),
    )
}

fn text(name: &Arc<str>) -> Value {
    Value::String(name.clone())
}

fn count(group: &Group) -> Value {
    Value::Int(group.count as i64)
}

fn graph_row(shape: &Shape, cx: &Context<'_>) -> Vec<Vec<Value>> {
    let nodes = by_label(shape, cx);
    let nodes = nodes
        .iter()
        .map(|(label, group)| map(vec![("name", text(label)), ("count", count(group))]));
    let leads = by_ends(shape, cx);
    let relationships = leads.iter().map(|([type_, source, target], group)| {
        map(vec![
            ("type", text(type_)),
            ("count", count(group)),
            ("start", text(source)),
            ("end", text(target)),
        ])
    });
    vec![vec![
        Value::list(nodes.collect()),
        Value::list(relationships.collect()),
    ]]
}

fn visualization_row(shape: &Shape, cx: &Context<'_>) -> Vec<Vec<Value>> {
    let known = Known::of(cx.view.graph());
    let nodes = by_label(shape, cx).into_keys().map(|label| {
        let keys = |list: &[(Arc<str>, Arc<str>)]| {
            let own = list.iter().filter(|(owner, _)| *owner == label);
            Value::list(own.map(|(_, key)| text(key)).collect())
        };
        map(vec![
            ("name", text(&label)),
            ("indexes", keys(&known.indexed)),
            ("constraints", keys(&known.unique)),
        ])
    });
    let leads = by_ends(shape, cx).into_keys();
    let relationships = leads.map(|[type_, source, target]| {
        map(vec![
            ("name", text(&type_)),
            ("start", text(&source)),
            ("end", text(&target)),
        ])
    });
    vec![vec![
        Value::list(nodes.collect()),
        Value::list(relationships.collect()),
    ]]
}

/// The properties of a group by name, each with its most common type and what `facts` says of it.
fn properties_of<'k>(
    group: &Group,
    cx: &Context<'_>,
    facts: impl Fn(&Value) -> Vec<(&'k str, Value)>,
) -> Value {
    let mut properties = Vec::with_capacity(group.properties.len());
    for property in &group.properties {
        let name = key_name(property.key, cx);
        let mut told = facts(&name);
        told.push(("type", Value::string(most_common(&property.kinds))));
        if let Value::String(name) = name {
            properties.push((name, map(told)));
        }
    }
    Value::map(properties)
}

fn schema_row(shape: &Shape, cx: &Context<'_>) -> Vec<Vec<Value>> {
    let known = Known::of(cx.view.graph());
    let leads = by_ends(shape, cx);
    let mut types: BTreeMap<Arc<str>, Group> = BTreeMap::new();
    for kind in shape.edges(cx) {
        types.entry(kind.type_).or_default().merge(kind.group);
    }
    let mut value = Vec::new();
    for (type_, group) in &types {
        let properties = properties_of(group, cx, |_| Vec::new());
        let told = map(vec![
            ("type", Value::string("relationship")),
            ("count", count(group)),
            ("properties", properties),
        ]);
        value.push((type_.clone(), told));
    }
    for (label, group) in by_label(shape, cx) {
        let properties = properties_of(&group, cx, |name| {
            let is_in = |list: &[(Arc<str>, Arc<str>)]| {
                let mut own = list.iter().filter(|(owner, _)| *owner == label);
                Value::Bool(own.any(|(_, key)| text(key) == *name))
            };
            vec![
                ("indexed", is_in(&known.indexed)),
                ("unique", is_in(&known.unique)),
                ("existence", is_in(&known.always)),
            ]
        });
        let told = map(vec![
            ("type", Value::string("node")),
            ("count", count(&group)),
            ("labels", Value::list(Vec::new())),
            ("properties", properties),
            ("relationships", leading_from(&label, &leads, cx)),
        ]);
        // A label that is called as a type is takes its place, as in APOC.
        value.retain(|(name, _)| *name != label);
        value.push((label, told));
    }
    vec![vec![Value::map(value)]]
}

/// The types of relationships that start at a label, each with where they end.
fn leading_from(label: &Arc<str>, leads: &BTreeMap<Lead, Group>, cx: &Context<'_>) -> Value {
    let mut types: BTreeMap<&Arc<str>, (Group, Vec<Value>)> = BTreeMap::new();
    for ([type_, source, target], group) in leads {
        if source == label {
            let (all, ends) = types.entry(type_).or_default();
            all.merge(group);
            ends.push(text(target));
        }
    }
    let told = types.into_iter().map(|(type_, (group, ends))| {
        let told = map(vec![
            ("direction", Value::string("out")),
            ("count", count(&group)),
            ("labels", Value::list(ends)),
            ("properties", properties_of(&group, cx, |_| Vec::new())),
        ]);
        (type_.clone(), told)
    });
    Value::map(told.collect())
}
