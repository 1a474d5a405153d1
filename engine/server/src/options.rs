//! What a server is started with.
//!
//! Owns [`Options`] and its defaults. Made by the `quoit` binary from its arguments; read at start-up only: a running
//! server changes none of them.

use quoit_graph::Isolation;
use quoit_log::Durability;
use quoit_rt::{Cpus, SocketBackend};
use std::{net::IpAddr, path::PathBuf, time::Duration};

/// Everything a server is started with. `Options::default()` is a server without configuration.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where Bolt listens. `None`: loopback, since nobody can be refused while there are no users.
    pub bolt_address: Option<IpAddr>,
    /// Bolt's port.
    pub bolt_port: u16,
    /// `host:port` under which clients reach this server's Bolt port, for routing tables. `None`: the address that the
    /// client itself dialled, which works through port mappings and tunnels.
    pub advertised_address: Option<String>,
    /// Where everything durable lives; made if it is missing.
    pub data_directory: PathBuf,
    /// How many cores run, and which.
    pub cpus: Cpus,
    /// What an answered write has survived.
    pub durability: Durability,
    /// What transactions see of others, unless a statement has set another level.
    pub isolation: Isolation,
    /// What carries sockets.
    pub socket_backend: SocketBackend,
    /// How long an idle core waits awake for the next request before it sleeps, where that pays and the machine has CPUs
    /// that the server does not use; zero: never.
    pub spin_max: Duration,
    /// How long a SYNC replica may make no progress while work is outstanding.
    pub replica_timeout: Duration,
    /// Longest run time of a query unless its client asks for another; zero: no limit.
    pub query_timeout: Duration,
    /// Whether LOAD CSV is on where there is a directory for it.
    pub allow_load_csv: bool,
    /// Where files for LOAD CSV lie. `None`: LOAD CSV is off.
    pub load_csv_directory: Option<PathBuf>,
    /// Cores that work on one statement at most; zero: all, one: none but its own.
    pub query_parallelism: u16,
    /// The most that the process may hold, in bytes. `None`: no limit.
    pub memory_limit: Option<u64>,
    /// How often a snapshot is written, if something was committed since the last. `None`: only on demand.
    pub snapshot_interval: Option<Duration>,
    /// Whether one is written at shutdown.
    pub snapshot_on_exit: bool,
    /// How many are kept, at least one.
    pub snapshots_kept: usize,
    /// Most connections at once.
    pub connections_max: usize,
    /// Largest message of a client that is logged in, in bytes.
    pub message_bytes_max: usize,
    /// Least grave line of the server's own log.
    pub log_level: crate::report::Level,
    /// The name that drivers are told; must begin with `Neo4j/` and a version, as drivers look for it.
    pub server_name: String,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            bolt_address: None,
            bolt_port: 7687,
            advertised_address: None,
            data_directory: PathBuf::from("quoit_data"),
            cpus: quoit_rt::Config::default().cpus,
            durability: Durability::Commit,
            isolation: Isolation::Snapshot,
            socket_backend: SocketBackend::OwnRing,
            spin_max: Duration::from_micros(50),
            replica_timeout: Duration::from_secs(5),
            query_timeout: Duration::from_secs(600),
            allow_load_csv: true,
            load_csv_directory: None,
            query_parallelism: 0,
            memory_limit: None,
            snapshot_interval: Some(Duration::from_secs(300)),
            snapshot_on_exit: false,
            snapshots_kept: 3,
            connections_max: 10_000,
            message_bytes_max: quoit_protocol::chunk::MESSAGE_LEN_AFTER_LOGIN,
            log_level: crate::report::Level::Info,
            server_name: format!(
                "Neo4j/5.26.0 compatible graph database server - Quoit/{}",
                env!("CARGO_PKG_VERSION")
            ),
        }
    }
}
