//! Procedures that list what kinds of vertices and edges there are: those of Neo4j, of Memgraph, and of APOC as far as tools need it.
//!
//! Owned here: their columns and rows, made of a [`Shape`]. Called through [`super::Procedures`]. Always holds: a row is exact for the
//! statement's snapshot, a call yields while it reads the graph. Left to others: the walk (`shape`), JSON (`schema_info`).

use std::collections::BTreeMap;
use std::sync::Arc;

use quoit_cypher::error::Error;
use quoit_graph::ids::KeyId;
use quoit_graph::value::Value;
use quoit_graph::{ConstraintDefinition, Graph};

use super::literal::quoted;
use super::shape::{Group, Kind, Part, Shape, ShapeWalk};
use super::{Field, FieldType, Procedure, Progress, Run};
use crate::operator::Context;

/// The procedures.
pub(super) fn procedures() -> Vec<Procedure> {
    let text = |name| Field::new(name, FieldType::String);
    let any = |name| Field::new(name, FieldType::Any);
    let list = |name| Field::new(name, FieldType::List);
    let flag = |name| Field::new(name, FieldType::Boolean);
    let count = |name| Field::new(name, FieldType::Integer);
    vec![
        of_shape(
            "db.schema.nodeTypeProperties",
            vec![text("nodeType"), list("nodeLabels"), text("propertyName"), list("propertyTypes"), flag("mandatory")],
            Part::Vertices,
            |shape, cx| node_rows(shape, cx, &NEO4J, |[type_, labels, name, types, mandatory]| vec![type_, labels, name, types, mandatory]),
        )
        .described("The properties of nodes, by the nodes' labels, with their types."),
        of_shape(
            "db.schema.relTypeProperties",
            vec![text("relType"), text("propertyName"), list("propertyTypes"), flag("mandatory")],
            Part::Edges,
            |shape, cx| edge_rows(shape, cx, &NEO4J, |[type_, name, types, mandatory]| vec![type_, name, types, mandatory]),
        )
        .described("The properties of relationships, by type, with their types."),
        of_shape(
            "schema.node_type_properties",
            vec![flag("mandatory"), list("nodeLabels"), text("nodeType"), text("propertyName"), any("propertyTypes")],
            Part::Vertices,
            |shape, cx| node_rows(shape, cx, &MEMGRAPH, |[type_, labels, name, types, mandatory]| vec![mandatory, labels, type_, name, types]),
        )
        .described("The properties of nodes, by the nodes' labels, with their types."),
        of_shape(
            "schema.rel_type_properties",
            vec![flag("mandatory"), text("propertyName"), any("propertyTypes"), text("relType")],
            Part::Edges,
            |shape, cx| edge_rows(shape, cx, &MEMGRAPH, |[type_, name, types, mandatory]| vec![mandatory, name, types, type_]),
        )
        .described("The properties of relationships, by type, with their types."),
        of_shape(
            "apoc.meta.data",
            vec![
                text("label"),
                text("property"),
                count("count"),
                flag("unique"),
                flag("index"),
                flag("existence"),
                text("type"),
                flag("array"),
                list("sample"),
                count("left"),
                count("right"),
                list("other"),
                list("otherLabels"),
                text("elementType"),
            ],
            Part::Everything,
            apoc_rows,
        )
        .taking_at_most(vec![Field::new("config", FieldType::Map)])
        .described("Labels and relationship types with their properties, and which labels relationships lead to."),
    ]
}

/// A procedure that walks over the graph and then makes its rows.
pub(super) fn of_shape(
    name: &str,
    outputs: Vec<Field>,
    part: Part,
    rows: fn(&Shape, &Context<'_>) -> Vec<Vec<Value>>,
) -> Procedure {
    Procedure::stepwise(name, Vec::new(), outputs, move |_| {
        Box::new(OfShape {
            walk: ShapeWalk::new(part),
            rows,
        })
    })
}

struct OfShape {
    walk: ShapeWalk,
    rows: fn(&Shape, &Context<'_>) -> Vec<Vec<Value>>,
}

impl Run for OfShape {
    fn next(
        &mut self,
        cx: &mut Context<'_>,
        rows: &mut Vec<Vec<Value>>,
    ) -> Result<Progress, Error> {
        let Some(shape) = self.walk.step(cx)? else {
            return Ok(Progress::More);
        };
        *rows = (self.rows)(&shape, cx);
        Ok(Progress::Done)
    }
}

/// How a dialect writes what is listed.
struct Dialect {
    type_name: fn(Kind) -> &'static str,
    /// In the place of the name and of the types where there is no property.
    no_property: fn() -> [Value; 2],
}

const NEO4J: Dialect = Dialect {
    type_name: Kind::in_neo4j,
    no_property: || [Value::Null, Value::Null],
};
const MEMGRAPH: Dialect = Dialect {
    type_name: Kind::in_memgraph_procedures,
    no_property: || [Value::string(""), Value::string("")],
};

/// Name, types, whether all of the group have it: of each property; or of none.
fn property_rows(group: &Group, cx: &Context<'_>, dialect: &Dialect) -> Vec<[Value; 3]> {
    if group.properties.is_empty() {
        let [name, types] = (dialect.no_property)();
        return vec![[name, types, Value::Bool(false)]];
    }
    let mut rows: Vec<[Value; 3]> = group
        .properties
        .iter()
        .map(|property| {
            let mut types: Vec<&str> = property
                .kinds
                .iter()
                .map(|(kind, _)| (dialect.type_name)(*kind))
                .collect();
            types.sort_unstable();
            types.dedup();
            [
                key_name(property.key, cx),
                Value::list(types.into_iter().map(Value::string).collect()),
                Value::Bool(property.count == group.count),
            ]
        })
        .collect();
    rows.sort();
    rows
}

fn node_rows(
    shape: &Shape,
    cx: &Context<'_>,
    dialect: &Dialect,
    row: fn([Value; 5]) -> Vec<Value>,
) -> Vec<Vec<Value>> {
    let mut rows = Vec::new();
    for (labels, group) in shape.vertices(cx) {
        let type_: String = labels
            .iter()
            .map(|label| format!(":{}", quoted(label)))
            .collect();
        let labels = Value::list(labels.into_iter().map(Value::String).collect());
        for [name, types, mandatory] in property_rows(group, cx, dialect) {
            rows.push(row([
                Value::string(&type_),
                labels.clone(),
                name,
                types,
                mandatory,
            ]));
        }
    }
    rows
}

fn edge_rows(
    shape: &Shape,
    cx: &Context<'_>,
    dialect: &Dialect,
    row: fn([Value; 4]) -> Vec<Value>,
) -> Vec<Vec<Value>> {
    let mut by_type: BTreeMap<Arc<str>, Group> = BTreeMap::new();
    for kind in shape.edges(cx) {
        by_type.entry(kind.type_).or_default().merge(kind.group);
    }
    let mut rows = Vec::new();
    for (type_, group) in by_type {
        let type_ = format!(":{}", quoted(&type_));
        for [name, types, mandatory] in property_rows(&group, cx, dialect) {
            rows.push(row([Value::string(&type_), name, types, mandatory]));
        }
    }
    rows
}

pub(super) fn key_name(key: KeyId, cx: &Context<'_>) -> Value {
    let name = cx.view.graph().names().key_name(key);
    name.map_or(Value::Null, |name| Value::String(name.clone()))
}

/// Which properties of a label are unique, indexed, always there.
pub(super) struct Known {
    pub(super) unique: Vec<(Arc<str>, Arc<str>)>,
    pub(super) indexed: Vec<(Arc<str>, Arc<str>)>,
    pub(super) always: Vec<(Arc<str>, Arc<str>)>,
}

impl Known {
    pub(super) fn of(graph: &Graph) -> Known {
        let names = graph.names();
        let pair = |label: Option<&Arc<str>>, key: KeyId| {
            Some((label?.clone(), names.key_name(key)?.clone()))
        };
        let (mut unique, mut indexed, mut always) = (Vec::new(), Vec::new(), Vec::new());
        for constraint in graph.constraints() {
            let label = names.label_name(constraint.definition.label());
            let (definition, keys) = (&constraint.definition, constraint.definition.keys());
            if matches!(
                definition,
                ConstraintDefinition::Exists { .. } | ConstraintDefinition::Key { .. }
            ) {
                always.extend(keys.iter().filter_map(|key| pair(label, *key)));
            }
            if let (true, [key]) = (definition.is_unique(), keys) {
                unique.extend(pair(label, *key));
            }
        }
        for index in graph.indexes() {
            let label = index
                .definition
                .label()
                .and_then(|label| names.label_name(label));
            indexed.extend(
                index
                    .definition
                    .keys()
                    .iter()
                    .take(1)
                    .filter_map(|key| pair(label, *key)),
            );
        }
        Known {
            unique,
            indexed,
            always,
        }
    }
}

/// Edges of one type that start at a label: how many, and at which labels they end.
#[derive(Default)]
struct Leading {
    count: u64,
    labels: Vec<Arc<str>>,
}

/// For each label its properties and the types of its outgoing relationships, then for each type its properties.
fn apoc_rows(shape: &Shape, cx: &Context<'_>) -> Vec<Vec<Value>> {
    let known = Known::of(cx.view.graph());
    let is_in = |list: &[(Arc<str>, Arc<str>)], label: &Arc<str>, name: &Value| {
        Value::Bool(
            list.iter()
                .any(|(known, key)| known == label && Value::String(key.clone()) == *name),
        )
    };
    let mut labels: BTreeMap<Arc<str>, Group> = BTreeMap::new();
    for (set, group) in shape.vertices(cx) {
        for label in set {
            labels.entry(label).or_default().merge(group);
        }
    }
    let mut leading: BTreeMap<(Arc<str>, Arc<str>), Leading> = BTreeMap::new();
    let mut types: BTreeMap<Arc<str>, Group> = BTreeMap::new();
    for kind in shape.edges(cx) {
        for label in kind.source {
            let edges = leading.entry((label, kind.type_.clone())).or_default();
            edges.count += kind.group.count;
            edges.labels.extend(kind.target.iter().cloned());
        }
        types.entry(kind.type_).or_default().merge(kind.group);
    }
    let row = |label: &Arc<str>,
               property: Value,
               count: u64,
               facts: [Value; 3],
               type_: &str,
               others: Vec<Arc<str>>,
               element: &str| {
        let [unique, index, existence] = facts;
        let other = Value::list(others.into_iter().map(Value::String).collect());
        vec![
            Value::String(label.clone()),
            property,
            Value::Int(count as i64),
            unique,
            index,
            existence,
            Value::string(type_),
            Value::Bool(type_ == "LIST"),
            Value::Null,
            Value::Int(0),
            Value::Int(0),
            other,
            Value::list(Vec::new()),
            Value::string(element),
        ]
    };
    let mut rows = Vec::new();
    for (label, group) in &labels {
        for property in &group.properties {
            let name = key_name(property.key, cx);
            let facts = [
                is_in(&known.unique, label, &name),
                is_in(&known.indexed, label, &name),
                is_in(&known.always, label, &name),
            ];
            rows.push(row(
                label,
                name,
                property.count,
                facts,
                most_common(&property.kinds),
                Vec::new(),
                "node",
            ));
        }
        let of_label = leading
            .range((label.clone(), Arc::from(""))..)
            .take_while(|((of, _), _)| of == label);
        for ((_, type_), edges) in of_label {
            let mut others = edges.labels.clone();
            others.sort();
            others.dedup();
            let nothing = [Value::Bool(false), Value::Bool(false), Value::Bool(false)];
            rows.push(row(
                label,
                Value::String(type_.clone()),
                edges.count,
                nothing,
                "RELATIONSHIP",
                others,
                "node",
            ));
        }
    }
    for (type_, group) in &types {
        for property in &group.properties {
            let nothing = [Value::Bool(false), Value::Bool(false), Value::Bool(false)];
            let name = key_name(property.key, cx);
            rows.push(row(
                type_,
                name,
                property.count,
                nothing,
                most_common(&property.kinds),
                Vec::new(),
                "relationship",
            ));
        }
    }
    rows
}

pub(super) fn most_common(kinds: &[(Kind, u64)]) -> &'static str {
    let most = kinds.iter().max_by_key(|(_, count)| *count);
    most.map_or("ANY", |(kind, _)| kind.in_apoc())
}
