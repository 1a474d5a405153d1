//! `SHOW ...`: what the server knows of itself, in the columns that Memgraph's clients expect.
//!
//! Owns the rows. Called for statements without arguments. What always holds: a row says what is true now; what this
//! server does not have yet is an empty table where clients ask for it on connect (triggers, streams, enums), and a
//! refusal elsewhere.

use super::Answer;
use crate::isolation::{Chosen, word};
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
        ShowKind::StorageInfo => storage_info(node, chosen),
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

fn storage_info(node: &Rc<Node>, chosen: &Chosen) -> Answer {
    let graph = node.core.graph();
    let statistics = graph.statistics();
    let degree = if statistics.vertices == 0 {
        0.0
    } else {
        2.0 * statistics.edges as f64 / statistics.vertices as f64
    };
    let tail = node.log().tail();
    let text = |text: String| Value::string(text);
    Answer::table(
        ["storage info", "value"],
        vec![
            [Value::string("name"), Value::string(DATABASE)],
            [
                Value::string("vertex_count"),
                Value::Int(statistics.vertices as i64),
            ],
            [
                Value::string("edge_count"),
                Value::Int(statistics.edges as i64),
            ],
            [Value::string("average_degree"), Value::Float(degree)],
            [
                Value::string("memory_res"),
                text(format!("{} B", resident_bytes())),
            ],
            [
                Value::string("memory_tracked"),
                text(format!("{} B", graph.live_bytes())),
            ],
            [
                Value::string("global_isolation_level"),
                Value::string(word(node.shared.isolation.level())),
            ],
            [
                Value::string("session_isolation_level"),
                Value::string(chosen.session.map_or("", word)),
            ],
            [
                Value::string("next_session_isolation_level"),
                Value::string(chosen.next.map_or("", word)),
            ],
            [
                Value::string("storage_mode"),
                Value::string("IN_MEMORY_TRANSACTIONAL"),
            ],
            [
                Value::string("durability"),
                Value::string(durability(&node.options)),
            ],
            [
                Value::string("data_directory"),
                text(node.options.data_directory.display().to_string()),
            ],
            [
                Value::string("last_commit"),
                Value::Int(graph.door().visible().0 as i64),
            ],
            [Value::string("term"), Value::Int(tail.term.counter as i64)],
            [
                Value::string("incarnation"),
                Value::Int(tail.incarnation.number as i64),
            ],
            [
                Value::string("log_position"),
                Value::Int(tail.group.0 as i64),
            ],
        ],
    )
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

/// Resident memory of this process in bytes; 0 where /proc is not to be had.
fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: u64 = statm
        .split(' ')
        .nth(1)
        .and_then(|pages| pages.parse().ok())
        .unwrap_or(0);
    pages * 4096
}
