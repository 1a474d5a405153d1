//! Procedures that list names: labels, types, keys, procedures, functions, and what the server is.
//!
//! Owned here: their columns and rows, which are those of Neo4j and Memgraph. Called through [`super::Procedures`]. Always holds: they
//! read names and counts only, never vertices. What has blanks in its name is a statement's own and is listed nowhere.

use std::rc::Rc;
use std::sync::Arc;

use quoit_cypher::ast::show;
use quoit_cypher::functions::{ARGS_MAX, Function, FunctionKind};
use quoit_graph::ids::{LabelId, TypeId};
use quoit_graph::value::Value;

use super::{Field, FieldType, Procedure};

/// The version of Neo4j whose procedures and statements tools may expect here, for `dbms.components()`.
const NEO4J_VERSION: &str = "5.26.0";

fn text(name: &str) -> Field {
    Field::new(name, FieldType::String)
}

fn flag(name: &str) -> Field {
    Field::new(name, FieldType::Boolean)
}

/// The procedures, but for those that list procedures.
pub(super) fn procedures() -> Vec<Procedure> {
    vec![
        Procedure::new("db.labels", Vec::new(), vec![text("label")], |_, cx| {
            let names = cx.view.graph().names();
            let statistics = cx.view.graph().statistics();
            let used = statistics
                .vertices_by_label
                .iter()
                .filter(|(_, count)| *count > 0);
            Ok(sorted(
                used.filter_map(|(id, _)| names.label_name(LabelId(id.0)).cloned())
                    .collect(),
            ))
        })
        .described("The labels that nodes have."),
        Procedure::new(
            "db.relationshipTypes",
            Vec::new(),
            vec![text("relationshipType")],
            |_, cx| {
                let names = cx.view.graph().names();
                let statistics = cx.view.graph().statistics();
                let used = statistics
                    .edges_by_type
                    .iter()
                    .filter(|(_, count)| *count > 0);
                Ok(sorted(
                    used.filter_map(|(id, _)| names.type_name(TypeId(id.0)).cloned())
                        .collect(),
                ))
            },
        )
        .described("The types that relationships have."),
        Procedure::new(
            "db.propertyKeys",
            Vec::new(),
            vec![text("propertyKey")],
            |_, cx| {
                use quoit_graph::delta::NameKind;
                let names = cx.view.graph().names();
                let all = 0..names.limit(NameKind::Key);
                Ok(sorted(
                    all.filter_map(|id| names.name(NameKind::Key, id).cloned())
                        .collect(),
                ))
            },
        )
        .described("The names of properties that have ever been used."),
        Procedure::new("db.ping", Vec::new(), vec![flag("success")], |_, _| {
            Ok(vec![vec![Value::Bool(true)]])
        })
        .described("Whether the database answers."),
        Procedure::new(
            "dbms.components",
            Vec::new(),
            vec![
                text("name"),
                Field::new("versions", FieldType::List),
                text("edition"),
            ],
            |_, _| {
                let component = |name: &str, version: &str| {
                    let versions = Value::list(vec![Value::string(version)]);
                    vec![Value::string(name), versions, Value::string("community")]
                };
                // Tools read the first row to learn which statements they may send.
                Ok(vec![
                    component("Neo4j Kernel", NEO4J_VERSION),
                    component("Quoit", env!("CARGO_PKG_VERSION")),
                ])
            },
        )
        .described("What the server is made of; first the version of Neo4j that it stands in for."),
        Procedure::new(
            "mg.functions",
            Vec::new(),
            vec![
                flag("is_editable"),
                text("name"),
                text("path"),
                text("signature"),
            ],
            |_, _| {
                let row = |function: &Function| {
                    vec![
                        Value::Bool(false),
                        Value::string(function.name()),
                        Value::string("builtin"),
                        Value::from(signature_of(*function)),
                    ]
                };
                Ok(functions().iter().map(row).collect())
            },
        )
        .described("The functions, in Memgraph's columns."),
        Procedure::new(
            "dbms.functions",
            Vec::new(),
            vec![
                text("name"),
                text("signature"),
                text("category"),
                text("description"),
                flag("aggregating"),
            ],
            |_, _| {
                let row = |function: &Function| {
                    vec![
                        Value::string(function.name()),
                        Value::from(signature_of(*function)),
                        Value::string(category_of(*function)),
                        Value::string(""),
                        Value::Bool(function.kind() == FunctionKind::Aggregate),
                    ]
                };
                Ok(functions().iter().map(row).collect())
            },
        )
        .described("The functions, in Neo4j 4's columns."),
        Procedure::new(
            show::FUNCTIONS.procedure,
            types(),
            show::FUNCTIONS
                .columns
                .iter()
                .map(|name| Field::new(name, FieldType::Any))
                .collect(),
            |args, _| {
                // Nothing here is defined by a user.
                let of_users = Value::list(vec![Value::string("USER DEFINED")]);
                if args[0] == of_users {
                    return Ok(Vec::new());
                }
                Ok(functions()
                    .iter()
                    .map(|function| shown_function(*function))
                    .collect())
            },
        ),
    ]
}

/// Which kinds a statement has asked for.
fn types() -> Vec<Field> {
    vec![Field::new("types", FieldType::List)]
}

/// The procedures that list all others and themselves.
pub(super) fn listings(all: &[Rc<Procedure>]) -> Vec<Procedure> {
    let outline = |name, outputs| Procedure::new(name, Vec::new(), outputs, |_, _| Ok(Vec::new()));
    let memgraph = vec![
        flag("is_editable"),
        flag("is_write"),
        text("name"),
        text("path"),
        text("signature"),
    ];
    let neo4j = vec![
        text("name"),
        text("signature"),
        text("description"),
        text("mode"),
        flag("worksOnSystem"),
    ];
    let own = [
        outline("mg.procedures", memgraph.clone())
            .described("The procedures, in Memgraph's columns."),
        outline("dbms.procedures", neo4j.clone())
            .described("The procedures, in Neo4j 4's columns."),
    ];
    let shown = all.iter().map(|procedure| &**procedure).chain(&own);
    let mut told: Vec<[Value; 3]> = shown
        .filter(|procedure| !procedure.name.contains(' '))
        .map(|procedure| {
            [
                Value::String(procedure.name.clone()),
                Value::from(procedure.signature()),
                Value::string(procedure.description),
            ]
        })
        .collect();
    told.sort();
    let rows = |row: fn([Value; 3]) -> Vec<Value>| -> Vec<Vec<Value>> {
        told.iter().cloned().map(row).collect()
    };
    let in_memgraph = rows(|[name, signature, _]| {
        vec![
            Value::Bool(false),
            Value::Bool(false),
            name,
            Value::string("builtin"),
            signature,
        ]
    });
    let in_neo4j = rows(|[name, signature, description]| {
        vec![
            name,
            signature,
            description,
            Value::string("READ"),
            Value::Bool(false),
        ]
    });
    let shown = rows(|[name, signature, description]| {
        vec![
            name,
            description,
            Value::string("READ"),
            Value::Bool(false),
            signature,
            Value::list(Vec::new()),
            Value::list(Vec::new()),
            Value::Bool(false),
            Value::Null,
            Value::Null,
            Value::Bool(false),
            Value::Null,
            Value::map(vec![(Arc::from("deprecated"), Value::Bool(false))]),
        ]
    });
    let [memgraph_text, neo4j_text] = own.map(|procedure| procedure.description);
    vec![
        Procedure::new("mg.procedures", Vec::new(), memgraph, move |_, _| {
            Ok(in_memgraph.clone())
        })
        .described(memgraph_text),
        Procedure::new("dbms.procedures", Vec::new(), neo4j, move |_, _| {
            Ok(in_neo4j.clone())
        })
        .described(neo4j_text),
        Procedure::new(
            show::PROCEDURES.procedure,
            types(),
            show::PROCEDURES
                .columns
                .iter()
                .map(|name| Field::new(name, FieldType::Any))
                .collect(),
            move |_, _| Ok(shown.clone()),
        ),
    ]
}

/// By name.
fn functions() -> Vec<Function> {
    let mut functions = Function::ALL.to_vec();
    functions.sort_by_key(|function| function.name().to_ascii_lowercase());
    functions
}

fn category_of(function: Function) -> &'static str {
    match function.kind() {
        FunctionKind::Aggregate => "Aggregating",
        FunctionKind::Scalar | FunctionKind::Volatile => "Scalar",
    }
}

/// `substring(arg1 :: ANY, arg2 :: ANY, arg3 = null :: ANY) :: ANY`.
fn signature_of(function: Function) -> String {
    let (least, most) = function.arity();
    let shown = if most == ARGS_MAX { least.max(1) } else { most };
    let args: Vec<String> = (0..shown)
        .map(|at| match at < least {
            true => format!("arg{} :: ANY", at + 1),
            false => format!("arg{} = null :: ANY", at + 1),
        })
        .collect();
    let more = if most == ARGS_MAX { ", ..." } else { "" };
    format!("{}({}{more}) :: ANY", function.name(), args.join(", "))
}

fn shown_function(function: Function) -> Vec<Value> {
    vec![
        Value::string(function.name()),
        Value::string(category_of(function)),
        Value::string(""),
        Value::from(signature_of(function)),
        Value::Bool(true),
        Value::list(Vec::new()),
        Value::string("ANY"),
        Value::Bool(function.kind() == FunctionKind::Aggregate),
        Value::Null,
        Value::Null,
        Value::Bool(false),
        Value::Null,
    ]
}

fn sorted(mut names: Vec<Arc<str>>) -> Vec<Vec<Value>> {
    names.sort();
    names
        .into_iter()
        .map(|name| vec![Value::String(name)])
        .collect()
}
