//! `SHOW ...`: what the server knows of itself, in the columns that Memgraph's clients expect.
//!
//! Owns the rows. Called for statements without arguments. What always holds: a row says what is true now; what this
//! server does not have yet is an empty table where clients ask for it on connect (triggers, streams, enums, settings, roles), and a
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
use std::sync::atomic::Ordering;

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
        ShowKind::Metrics => metrics(node),
        ShowKind::DatabaseSettings => Answer::table(["setting_name", "setting_value"], Vec::new()),
        ShowKind::Roles => Answer::table(["role"], Vec::new()),
        ShowKind::CurrentRole => Answer::table(["role"], vec![[Value::Null]]),
        ShowKind::VectorIndexes => Answer::table(
            [
                "index_name",
                "label",
                "property",
                "capacity",
                "dimension",
                "metric",
                "size",
                "scalar_kind",
                "index_type",
            ],
            Vec::new(),
        ),
        ShowKind::LicenseInfo => Answer::table(
            ["license info", "value"],
            vec![
                [Value::string("organization_name"), Value::string("")],
                [Value::string("license_key"), Value::string("")],
                [Value::string("is_valid"), Value::Bool(false)],
                [Value::string("license_type"), Value::string("")],
                [Value::string("valid_until"), Value::string("")],
                [Value::string("memory_limit"), Value::Int(0)],
                [
                    Value::string("status"),
                    Value::string("no license is needed"),
                ],
            ],
        ),
        ShowKind::NodeLabels => names(node, "node labels", Named::Labels),
        ShowKind::EdgeTypes => names(node, "edge types", Named::Types),
        other => {
            return Err(Error::unsupported(format!(
                "SHOW {} is not available in this version",
                other.words()
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

fn config(node: &Node) -> Answer {
    Answer::table(
        ["name", "default_value", "current_value", "description"],
        config_rows(node),
    )
}

/// What `--durability-interval-ms` is where nobody has said.
const DURABILITY_INTERVAL_MS: u64 = 100;

/// Name, default, present value and meaning of each option, in the order of their names; named as on the command line.
pub(crate) fn config_rows(node: &Node) -> Vec<[Value; 4]> {
    let (now, default) = (&*node.options, Options::default());
    let row = |name: &str, value: fn(&Options) -> String, description: &str| {
        [
            Value::string(name),
            Value::from(value(&default)),
            Value::from(value(now)),
            Value::string(description),
        ]
    };
    vec![
        row(
            "allow_load_csv",
            |options| options.allow_load_csv.to_string(),
            "Whether LOAD CSV reads files of load_csv_directory",
        ),
        row(
            "bolt_address",
            |options| {
                let address = options.bolt_address;
                address.map_or("127.0.0.1".to_owned(), |ip| ip.to_string())
            },
            "Address of the Bolt listener",
        ),
        row(
            "bolt_advertised_address",
            |options| options.advertised_address.clone().unwrap_or_default(),
            "host:port that clients are told in routing tables; empty: the one they dialled",
        ),
        row(
            "bolt_connections_max",
            |options| options.connections_max.to_string(),
            "Most Bolt connections at once",
        ),
        row(
            "bolt_port",
            |options| options.bolt_port.to_string(),
            "Port of the Bolt listener",
        ),
        row(
            "bolt_server_name_for_init",
            |options| options.server_name.clone(),
            "What drivers are told the server is",
        ),
        row(
            "cores",
            |options| match &options.cpus {
                quoit_rt::Cpus::Count(count) => count.to_string(),
                quoit_rt::Cpus::List(list) => list.len().to_string(),
            },
            "Number of cores to run on",
        ),
        row(
            "data_directory",
            |options| options.data_directory.display().to_string(),
            "Directory of everything that is kept",
        ),
        row(
            "durability",
            |options| durability(options).to_owned(),
            "When a commit is answered",
        ),
        row(
            "durability_interval_ms",
            |options| match options.durability {
                Durability::Interval(pause) => pause.as_millis().to_string(),
                Durability::Commit | Durability::None => DURABILITY_INTERVAL_MS.to_string(),
            },
            "Milliseconds between two writes to disk with durability=interval",
        ),
        row(
            "isolation_level",
            |options| word(options.isolation).to_owned(),
            "What transactions see of others, unless a statement has set another level",
        ),
        row(
            "load_csv_directory",
            |options| {
                let directory = options.load_csv_directory.as_ref();
                directory.map_or(String::new(), |directory| directory.display().to_string())
            },
            "Directory of the files that LOAD CSV may read; empty: LOAD CSV is off",
        ),
        row(
            "log_level",
            |options| options.log_level.as_str().to_uppercase(),
            "Least severe message that is logged",
        ),
        row(
            "memory_limit",
            |options| (options.memory_limit.unwrap_or(0) >> 20).to_string(),
            "Most memory to use, in MiB; 0: no limit",
        ),
        row(
            "query_execution_timeout_sec",
            |options| options.query_timeout.as_secs().to_string(),
            "Seconds a query may run unless its client asks for another limit; 0: no limit",
        ),
        row(
            "query_parallelism",
            |options| options.query_parallelism.to_string(),
            "Cores that work on one long query; 0: all, 1: only the one its connection is on",
        ),
        row(
            "replica_timeout",
            |options| options.replica_timeout.as_secs_f64().to_string(),
            "Seconds without progress after which a SYNC replica is given up until it has caught up",
        ),
        row(
            "socket_backend",
            |options| match options.socket_backend {
                quoit_rt::SocketBackend::OwnRing => "ring".to_owned(),
                quoit_rt::SocketBackend::Glommio => "glommio".to_owned(),
            },
            "What carries Bolt sockets",
        ),
        row(
            "spin_us",
            |options| options.spin_max.as_micros().to_string(),
            "Microseconds that an idle core waits awake for the next request, where that pays",
        ),
        row(
            "storage_snapshot_interval_sec",
            |options| {
                let interval = options.snapshot_interval;
                interval
                    .map_or(0, |interval| interval.as_secs())
                    .to_string()
            },
            "Seconds between snapshots, each written if something was committed since the last; 0: only on demand",
        ),
        row(
            "storage_snapshot_on_exit",
            |options| options.snapshot_on_exit.to_string(),
            "Whether a snapshot is written at shutdown",
        ),
        row(
            "storage_snapshot_retention_count",
            |options| options.snapshots_kept.to_string(),
            "How many snapshots are kept",
        ),
    ]
}

/// Figures as of now, under the names that Memgraph's have.
fn metrics(node: &Node) -> Answer {
    let graph = node.core.graph();
    let statistics = graph.statistics();
    let (indexes, constraints) = (graph.indexes().len(), graph.constraints().len());
    let row = |name: &str, group: &str, value: u64| {
        [
            Value::string(name),
            Value::string(group),
            Value::string("Gauge"),
            Value::Int(value as i64),
        ]
    };
    let connections = node.shared.connections.load(Ordering::Relaxed) as u64;
    Answer::table(
        ["name", "type", "metric type", "value"],
        vec![
            row("VertexCount", "General", statistics.vertices),
            row("EdgeCount", "General", statistics.edges),
            row("MemoryTracked", "General", graph.memory().tracked()),
            row(
                "UnreleasedDeltaObjects",
                "General",
                node.core.survey_pages().recent,
            ),
            row("ActiveIndices", "Index", indexes as u64),
            row("ActiveConstraints", "Constraint", constraints as u64),
            row("ActiveBoltSessions", "Session", connections),
            row(
                "SessionPanics",
                "Session",
                node.shared.panics.load(Ordering::Relaxed),
            ),
            row(
                "CommitedTransactions",
                "Transaction",
                graph.door().visible().0,
            ),
        ],
    )
}
