//! `SHOW ...`: what the server knows of itself, in the columns that Memgraph's clients expect.
//!
//! Owns the rows. Called for statements without arguments. What always holds: a row says what is true now; what this
//! server does not have yet is an empty table where clients ask for it on connect (triggers, streams, enums), and a
//! refusal elsewhere.

use super::Answer;
use crate::isolation::Chosen;
use crate::node::{DATABASE, Node};
use crate::options::Options;
use quoit_cypher::ast::admin::ShowKind;
use quoit_cypher::error::Error;
use quoit_graph::value::Value;
use quoit_log::Durability;
use std::rc::Rc;

/// Answers a `SHOW` without arguments.
pub(super) fn run(node: &Rc<Node>, kind: ShowKind, chosen: &Chosen) -> Result<Answer, Error> {
    Ok(match kind {
        ShowKind::Indexes => super::schema::indexes(node),
        ShowKind::Constraints => super::schema::constraints(node),
        ShowKind::Triggers => Answer::table(
            [
                "trigger name",
                "statement",
                "privilege context",
                "event type",
                "phase",
                "owner",
            ],
            Vec::new(),
        ),
        ShowKind::Streams => Answer::table(
            [
                "name",
                "type",
                "batch_interval",
                "batch_size",
                "transformation_name",
                "owner",
                "is running",
            ],
            Vec::new(),
        ),
        ShowKind::Enums => Answer::table(["Enum Name", "Enum Values"], Vec::new()),
        ShowKind::Users => Answer::table(["user"], Vec::new()),
        ShowKind::CurrentUser => Answer::table(["user"], vec![[Value::Null]]),
        ShowKind::Version => Answer::table(
            ["version"],
            vec![[Value::string(env!("CARGO_PKG_VERSION"))]],
        ),
        ShowKind::BuildInfo => Answer::table(
            ["build info", "value"],
            vec![
                [
                    Value::string("build_type"),
                    Value::string(if cfg!(debug_assertions) {
                        "Debug"
                    } else {
                        "Release"
                    }),
                ],
                [
                    Value::string("version"),
                    Value::string(env!("CARGO_PKG_VERSION")),
                ],
            ],
        ),
        ShowKind::Database => Answer::table(["Current"], vec![[Value::string(DATABASE)]]),
        ShowKind::Databases => Answer::table(["Name"], vec![[Value::string(DATABASE)]]),
        ShowKind::StorageInfo => super::memory::storage_info(node, chosen),
        ShowKind::MemoryInfo => super::memory::memory_info(node),
        ShowKind::Config => config(node),
        ShowKind::NodeLabels => names(node, "node labels", Named::Labels),
        ShowKind::EdgeTypes => names(node, "edge types", Named::Types),
        other => {
            return Err(Error::unsupported(format!(
                "SHOW {other:?} is not available in this version"
            )));
        }
    })
}

enum Named {
    Labels,
    Types,
}

fn names(node: &Rc<Node>, column: &'static str, named: Named) -> Answer {
    let graph = node.core.graph();
    let statistics = graph.statistics();
    let found: Vec<[Value; 1]> = match named {
        Named::Labels => statistics
            .vertices_by_label
            .iter()
            .filter(|(_, count)| *count > 0)
            .filter_map(|(label, _)| graph.names().label_name(*label))
            .map(|name| [Value::String(name.clone())])
            .collect(),
        Named::Types => statistics
            .edges_by_type
            .iter()
            .filter(|(_, count)| *count > 0)
            .filter_map(|(edge_type, _)| graph.names().type_name(*edge_type))
            .map(|name| [Value::String(name.clone())])
            .collect(),
    };
    Answer::table([column], found)
}

/// The word of `--durability`.
pub(crate) fn durability(options: &Options) -> &'static str {
    match options.durability {
        Durability::Commit => "commit",
        Durability::Interval(_) => "interval",
        Durability::None => "none",
    }
}

fn config(node: &Rc<Node>) -> Answer {
    let (now, default) = (&node.options, Options::default());
    let row = |name: &'static str, default: String, current: String, description: &'static str| {
        [
            Value::string(name),
            Value::string(default),
            Value::string(current),
            Value::string(description),
        ]
    };
    let address = |options: &Options| {
        options
            .bolt_address
            .map_or("loopback".to_owned(), |ip| ip.to_string())
    };
    Answer::table(
        ["name", "default_value", "current_value", "description"],
        vec![
            row(
                "bolt_address",
                address(&default),
                address(now),
                "Address of the Bolt listener",
            ),
            row(
                "bolt_port",
                default.bolt_port.to_string(),
                now.bolt_port.to_string(),
                "Port of the Bolt listener",
            ),
            row(
                "data_directory",
                default.data_directory.display().to_string(),
                now.data_directory.display().to_string(),
                "Directory of everything that is kept",
            ),
            row(
                "durability",
                durability(&default).into(),
                durability(now).into(),
                "When a commit is answered",
            ),
            row(
                "replica_timeout",
                format!("{:?}", default.replica_timeout),
                format!("{:?}", now.replica_timeout),
                "How long a SYNC replica may make no progress",
            ),
            row(
                "query_execution_timeout",
                format!("{:?}", default.query_timeout),
                format!("{:?}", now.query_timeout),
                "Longest run time of a query; zero: no limit",
            ),
        ],
    )
}
