//! What `quoit server` can be told on the command line and in the environment.
//!
//! Owns names, defaults and ranges; clap derives help and parsing from the one struct. Every flag has
//! a variable of its own, `QUOIT_` and the name. Flags that Memgraph has too keep its name and unit.
//! Left to the server: what the values mean.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

/// The arguments of `quoit server`. All have defaults: a bare `quoit server` starts.
#[derive(Clone, Debug, PartialEq, clap::Args)]
pub struct ServerArgs {
    /// Port of the Bolt listener; 0 takes a free one and prints it
    #[arg(
        long,
        env = "QUOIT_BOLT_PORT",
        value_name = "PORT",
        default_value_t = 7687
    )]
    pub bolt_port: u16,

    /// Address of the Bolt listener; loopback unless told otherwise
    #[arg(long, env = "QUOIT_BOLT_ADDRESS", value_name = "IP")]
    pub bolt_address: Option<IpAddr>,

    /// host:port that clients are told in routing tables; by default the one they dialled
    #[arg(long, env = "QUOIT_BOLT_ADVERTISED_ADDRESS", value_name = "HOST:PORT")]
    pub bolt_advertised_address: Option<String>,

    /// Text of `server` in the answer to HELLO; drivers want it to begin with `Neo4j/`
    #[arg(long, env = "QUOIT_BOLT_SERVER_NAME_FOR_INIT", value_name = "TEXT")]
    pub bolt_server_name_for_init: Option<String>,

    /// Directory of everything that is kept; created if missing
    #[arg(
        long,
        env = "QUOIT_DATA_DIRECTORY",
        value_name = "DIR",
        default_value = "quoit_data"
    )]
    pub data_directory: PathBuf,

    /// Number of cores to run on, one executor pinned to each; by default all of them
    #[arg(long, env = "QUOIT_CORES", value_name = "N",
          value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub cores: Option<u16>,

    /// When a commit is answered: on disk, written and synced every interval, or in memory
    #[arg(long, env = "QUOIT_DURABILITY", value_name = "MODE", value_enum, default_value_t = DurabilityMode::Commit)]
    pub durability: DurabilityMode,

    /// Time between syncs with `--durability interval`
    #[arg(long, env = "QUOIT_DURABILITY_INTERVAL_MS", value_name = "MS", default_value_t = 100,
          value_parser = clap::value_parser!(u64).range(1..=3_600_000))]
    pub durability_interval_ms: u64,

    /// What transactions see of others, unless SET ... TRANSACTION ISOLATION LEVEL says otherwise
    #[arg(long, env = "QUOIT_ISOLATION_LEVEL", value_name = "LEVEL", value_enum, ignore_case = true, default_value_t = IsolationLevel::SnapshotIsolation)]
    pub isolation_level: IsolationLevel,

    /// What carries Bolt sockets: the own ring, or glommio's sockets for kernels before 6.1
    #[arg(long, env = "QUOIT_SOCKET_BACKEND", value_name = "BACKEND", value_enum, default_value_t = SocketBackend::Ring)]
    pub socket_backend: SocketBackend,

    /// Microseconds an idle core waits awake for the next request, while that pays and other CPUs are left to clients; 0: never
    #[arg(long, env = "QUOIT_SPIN_US", value_name = "US", default_value_t = 50,
          value_parser = clap::value_parser!(u64).range(..=1_000))]
    pub spin_us: u64,

    /// Seconds without progress after which a SYNC replica is given up until it has caught up
    #[arg(long, env = "QUOIT_REPLICA_TIMEOUT", value_name = "SECONDS", default_value = "5",
          value_parser = positive_seconds)]
    pub replica_timeout: Duration,

    /// Seconds a query may run unless its client asks for another limit; 0: no limit
    #[arg(
        long,
        env = "QUOIT_QUERY_EXECUTION_TIMEOUT_SEC",
        value_name = "SECONDS",
        default_value_t = 600
    )]
    pub query_execution_timeout_sec: u64,

    /// Directory of the files that LOAD CSV may read, reached by no other way; without one LOAD CSV is off
    #[arg(long, env = "QUOIT_LOAD_CSV_DIRECTORY", value_name = "DIR")]
    pub load_csv_directory: Option<PathBuf>,

    /// Whether LOAD CSV may read files of its directory, if there is one
    #[arg(
        long,
        env = "QUOIT_ALLOW_LOAD_CSV",
        value_name = "BOOL",
        default_value_t = true,
        action = clap::ArgAction::Set,
        num_args = 0..=1,
        default_missing_value = "true"
    )]
    pub allow_load_csv: bool,
    /// Cores that work on one long query; 0: all, 1: only the one its connection is on
    #[arg(
        long,
        env = "QUOIT_QUERY_PARALLELISM",
        value_name = "CORES",
        default_value_t = 0
    )]
    pub query_parallelism: u16,

    /// Most memory to use, in MiB: what would pass it is refused and undone; 0: no limit
    #[arg(
        long,
        env = "QUOIT_MEMORY_LIMIT",
        value_name = "MIB",
        default_value_t = 0
    )]
    pub memory_limit: u64,

    /// Seconds between snapshots, each written if something was committed since the last; 0: only on demand
    #[arg(
        long,
        env = "QUOIT_STORAGE_SNAPSHOT_INTERVAL_SEC",
        value_name = "SECONDS",
        default_value_t = 300
    )]
    pub storage_snapshot_interval_sec: u64,

    /// Whether a snapshot is written at shutdown
    #[arg(
        long,
        env = "QUOIT_STORAGE_SNAPSHOT_ON_EXIT",
        value_name = "BOOL",
        default_value_t = false,
        action = clap::ArgAction::Set,
        num_args = 0..=1,
        default_missing_value = "true"
    )]
    pub storage_snapshot_on_exit: bool,

    /// How many snapshots are kept
    #[arg(long, env = "QUOIT_STORAGE_SNAPSHOT_RETENTION_COUNT", value_name = "N", default_value_t = 3,
          value_parser = clap::value_parser!(u32).range(1..))]
    pub storage_snapshot_retention_count: u32,

    /// Most Bolt connections at once
    #[arg(long, env = "QUOIT_BOLT_CONNECTIONS_MAX", value_name = "N", default_value_t = 10_000,
          value_parser = clap::value_parser!(u32).range(1..))]
    pub bolt_connections_max: u32,

    /// Least severe message that is logged
    #[arg(long, env = "QUOIT_LOG_LEVEL", value_name = "LEVEL", value_enum, ignore_case = true, default_value_t = LogLevel::Info)]
    pub log_level: LogLevel,
}

/// `--durability`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum DurabilityMode {
    /// A commit is on disk before it is answered
    Commit,
    /// A commit is written before it is answered, and synced every interval
    Interval,
    /// A commit is written when convenient and never waited for; nothing is promised
    None,
}

/// `--isolation-level`, with Memgraph's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum IsolationLevel {
    /// The graph as of the transaction's beginning
    SnapshotIsolation,
    /// The graph as of each statement's beginning
    ReadCommitted,
    /// The newest state, committed or not
    ReadUncommitted,
}

/// `--socket-backend`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum SocketBackend {
    /// Quoit's own io_uring ring (Linux 6.1 and later)
    Ring,
    /// glommio's sockets
    Glommio,
}

/// `--log-level`, with Memgraph's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum LogLevel {
    Trace,
    Debug,
    Info,
    Warning,
    Error,
    Critical,
}

/// Parses a number of seconds, fractions allowed, that is above zero and at most a day.
pub(crate) fn positive_seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text
        .parse()
        .map_err(|_| format!("'{text}' is not a number of seconds"))?;
    if !(seconds > 0.0 && seconds <= 86_400.0) {
        return Err("must be above 0 and at most 86400 seconds".to_owned());
    }
    Ok(Duration::from_secs_f64(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{Args, Command, FromArgMatches};

    fn parse(args: &[&str]) -> Result<ServerArgs, clap::Error> {
        let matches = ServerArgs::augment_args(Command::new("server").no_binary_name(true))
            .try_get_matches_from(args)?;
        ServerArgs::from_arg_matches(&matches)
    }

    #[test]
    fn nothing_need_be_said() {
        let args = parse(&[]).unwrap();
        assert_eq!(args.bolt_port, 7687);
        assert_eq!(args.bolt_address, None);
        assert_eq!(args.durability, DurabilityMode::Commit);
        assert_eq!(args.replica_timeout, Duration::from_secs(5));
    }

    #[test]
    fn every_flag_has_a_variable_named_after_it() {
        let command = ServerArgs::augment_args(Command::new("server"));
        for argument in command.get_arguments() {
            let long = argument.get_long().expect("only long flags");
            let variable = argument
                .get_env()
                .unwrap_or_else(|| panic!("--{long} has none"));
            let expected = format!("QUOIT_{}", long.replace('-', "_").to_uppercase());
            assert_eq!(variable.to_str(), Some(expected.as_str()));
        }
    }

    #[test]
    fn values_out_of_range_are_refused() {
        for wrong in [
            ["--bolt-port", "70000"],
            ["--cores", "0"],
            ["--durability", "sometimes"],
            ["--isolation-level", "SERIALIZABLE"],
            ["--replica-timeout", "0"],
            ["--replica-timeout", "NaN"],
            ["--durability-interval-ms", "0"],
        ] {
            assert!(parse(&wrong).is_err(), "{wrong:?}");
        }
        assert_eq!(
            parse(&["--log-level", "WARNING"]).unwrap().log_level,
            LogLevel::Warning
        );
    }
}
