//! What lists indexes and constraints: the procedures that `SHOW INDEXES` and `SHOW CONSTRAINTS` call, in the columns of Memgraph and
//! Neo4j 5, `db.indexes()` and `db.constraints()` in those of Neo4j 4, and Memgraph's columns by themselves.
//!
//! Called by [`crate::procedure`], which registers the procedures, and by the server's `SHOW INDEX INFO` and `SHOW CONSTRAINT INFO`. What
//! always holds: what is still being made is shown with its state if it is an index, and not at all if it is a constraint; what there
//! is no such thing for is null.

use std::sync::Arc;

use quoit_cypher::ast::show::{self, Shown};
use quoit_graph::ids::KeyId;
use quoit_graph::names::Names;
use quoit_graph::value::Value;
use quoit_graph::{
    ConstraintDefinition, ConstraintInfo, Graph, IndexDefinition, IndexInfo, Order, SchemaState,
};

use crate::procedure::{Field, FieldType, Procedure};

/// The procedures.
pub(crate) fn procedures() -> Vec<Procedure> {
    let types = || vec![Field::new("types", FieldType::List)];
    vec![
        Procedure::new(
            show::INDEXES.procedure,
            types(),
            outputs(show::INDEXES.columns),
            |args, cx| {
                let graph = cx.view.graph();
                let memgraphs = graph.indexes().into_iter();
                let memgraphs = memgraphs.map(|index| index_row(&index, graph.names()));
                let rows = memgraphs.zip(shown_indexes(graph));
                let rows = rows.map(|(first, more)| first.into_iter().chain(more).collect());
                Ok(of_types(rows.collect(), &show::INDEXES, &args[0]))
            },
        ),
        Procedure::new(
            show::CONSTRAINTS.procedure,
            types(),
            outputs(show::CONSTRAINTS.columns),
            |args, cx| {
                let rows = shown_constraints(cx.view.graph());
                Ok(of_types(rows, &show::CONSTRAINTS, &args[0]))
            },
        ),
        Procedure::new(
            "db.indexes",
            Vec::new(),
            outputs(&[
                "id",
                "name",
                "state",
                "populationPercent",
                "uniqueness",
                "type",
                "entityType",
                "labelsOrTypes",
                "properties",
                "provider",
            ]),
            |_, cx| {
                let listed = shown_indexes(cx.view.graph()).into_iter();
                let row = |mut row: Vec<Value>| {
                    row.truncate(9);
                    row.insert(4, Value::string("NONUNIQUE"));
                    row
                };
                Ok(listed.map(row).collect())
            },
        ),
        Procedure::new(
            "db.constraints",
            Vec::new(),
            outputs(&["name", "description", "details"]),
            |_, cx| {
                let graph = cx.view.graph();
                let names = graph.names();
                let row = |constraint: ConstraintInfo| {
                    let name = text(constraint.name.as_ref());
                    let description = description(&constraint.definition, names);
                    let details = match &*name_of(constraint.name.as_ref()) {
                        "" => format!("Constraint( {} )", description),
                        name => format!("Constraint( name='{name}', {} )", description),
                    };
                    vec![name, Value::string(description), Value::string(details)]
                };
                Ok(online(graph).map(row).collect())
            },
        ),
    ]
}

fn outputs(columns: &[&str]) -> Vec<Field> {
    let field = |name: &&str| {
        let field_type = match *name {
            "id" | "count" | "readCount" => FieldType::Integer,
            "populationPercent" => FieldType::Float,
            "labelsOrTypes" | "properties" => FieldType::List,
            "property" | "lastRead" => FieldType::Any,
            _ => FieldType::String,
        };
        Field::new(name, field_type)
    };
    columns.iter().map(field).collect()
}

/// An index in Memgraph's columns: kind, label or type, properties, how many it is of.
pub fn index_row(index: &IndexInfo, names: &Names) -> [Value; 4] {
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
    // One property of an edge is no list, as Memgraph's clients expect.
    let keys = match (definition.keys(), definition.edge_type()) {
        ([], _) => Value::Null,
        ([key], Some(_)) => text(names.key_name(*key)),
        (keys, _) => list(keys, names),
    };
    [
        Value::from(kind),
        text(owner(definition, names).1),
        keys,
        Value::Int(index.count as i64),
    ]
}

/// A constraint in Memgraph's columns: kind, label, properties (a text where there can be one only), type.
pub fn constraint_row(definition: &ConstraintDefinition, names: &Names) -> [Value; 4] {
    let single = |key: &KeyId| text(names.key_name(*key));
    let (kind, keys, data_type) = match definition {
        ConstraintDefinition::Exists { key, .. } => ("exists", single(key), ""),
        ConstraintDefinition::Unique { keys, .. } => ("unique", list(keys, names), ""),
        ConstraintDefinition::Key { keys, .. } => ("node key", list(keys, names), ""),
        ConstraintDefinition::Type { key, type_, .. } => ("data_type", single(key), type_.name()),
    };
    [
        Value::string(kind),
        text(names.label_name(definition.label())),
        keys,
        Value::string(data_type),
    ]
}

/// The rows whose `type` is one of the types; all if there are none.
fn of_types(rows: Vec<Vec<Value>>, shown: &Shown, types: &Value) -> Vec<Vec<Value>> {
    let column = shown.columns.iter().position(|column| *column == "type");
    let (Value::List(types), Some(column)) = (types, column) else {
        return rows;
    };
    let is_meant = |row: &Vec<Value>| types.is_empty() || types.contains(&row[column]);
    rows.into_iter().filter(is_meant).collect()
}

fn shown_indexes(graph: &Graph) -> Vec<Vec<Value>> {
    let names = graph.names();
    let row = |(at, index): (usize, IndexInfo)| {
        let definition = &index.definition;
        let (entity, owner) = owner(definition, names);
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

fn shown_constraints(graph: &Graph) -> Vec<Vec<Value>> {
    let names = graph.names();
    let row = |(at, constraint): (usize, ConstraintInfo)| {
        let definition = &constraint.definition;
        let (kind, property_type) = match definition {
            ConstraintDefinition::Exists { .. } => ("NODE_PROPERTY_EXISTENCE", None),
            ConstraintDefinition::Unique { .. } => ("UNIQUENESS", None),
            ConstraintDefinition::Key { .. } => ("NODE_KEY", None),
            ConstraintDefinition::Type { type_, .. } => ("NODE_PROPERTY_TYPE", Some(type_)),
        };
        let [memgraphs_kind, label, _, data_type] = constraint_row(definition, names);
        vec![
            memgraphs_kind,
            label.clone(),
            list(definition.keys(), names),
            data_type,
            Value::Int(at as i64 + 1),
            text(constraint.name.as_ref()),
            Value::string(kind),
            Value::string("NODE"),
            Value::list(vec![label]),
            Value::Null,
            property_type.map_or(Value::Null, |type_| Value::string(type_.name())),
        ]
    };
    online(graph).enumerate().map(row).collect()
}

/// Constraints that hold for everything.
fn online(graph: &Graph) -> impl Iterator<Item = ConstraintInfo> {
    let constraints = graph.constraints().into_iter();
    constraints.filter(|constraint| constraint.state == SchemaState::Online)
}

fn owner<'n>(
    definition: &IndexDefinition,
    names: &'n Names,
) -> (&'static str, Option<&'n Arc<str>>) {
    match (definition.label(), definition.edge_type()) {
        (Some(label), _) => ("NODE", names.label_name(label)),
        (_, type_) => (
            "RELATIONSHIP",
            type_.and_then(|type_| names.type_name(type_)),
        ),
    }
}

/// `( n:L ) ASSERT (n.p) IS UNIQUE`, Neo4j 4's words.
fn description(definition: &ConstraintDefinition, names: &Names) -> String {
    let label = name_of(names.label_name(definition.label()));
    let variable = label.to_lowercase();
    let keys: Vec<String> = definition
        .keys()
        .iter()
        .map(|key| format!("{variable}.{}", name_of(names.key_name(*key))))
        .collect();
    let rule = match definition {
        ConstraintDefinition::Exists { .. } => "IS NOT NULL".to_owned(),
        ConstraintDefinition::Unique { .. } => "IS UNIQUE".to_owned(),
        ConstraintDefinition::Key { .. } => "IS NODE KEY".to_owned(),
        ConstraintDefinition::Type { type_, .. } => format!("IS TYPED {}", type_.name()),
    };
    format!(
        "CONSTRAINT ON ( {variable}:{label} ) ASSERT ({}) {rule}",
        keys.join(", ")
    )
}

fn name_of(name: Option<&Arc<str>>) -> Arc<str> {
    name.cloned().unwrap_or_else(|| "".into())
}

fn text(name: Option<&Arc<str>>) -> Value {
    name.map_or(Value::Null, |name| Value::String(name.clone()))
}

fn list(keys: &[KeyId], names: &Names) -> Value {
    Value::list(keys.iter().map(|key| text(names.key_name(*key))).collect())
}
