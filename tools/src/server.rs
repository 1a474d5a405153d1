//! `quoit server`: the arguments become the server's options, its end becomes the process's status.

use crate::exit::{Exit, Failure, Outcome};
use crate::server_args::{DurabilityMode, IsolationLevel, LogLevel, ServerArgs, SocketBackend};
use quoit_log::Durability;
use quoit_rt::Cpus;
use quoit_server::{Isolation, Options, report};
use std::time::Duration;

/// Runs `quoit server` until it is told to stop.
pub fn run(args: ServerArgs) -> Outcome {
    quoit_server::run(options(args))
        .map_err(|error| Failure::new(Exit::of_status(error.exit_code()), error.to_string()))
}

fn options(args: ServerArgs) -> Options {
    let defaults = Options::default();
    Options {
        bolt_address: args.bolt_address,
        bolt_port: args.bolt_port,
        advertised_address: args.bolt_advertised_address,
        data_directory: args.data_directory,
        cpus: args.cores.map_or(defaults.cpus, Cpus::Count),
        durability: match args.durability {
            DurabilityMode::Commit => Durability::Commit,
            DurabilityMode::Interval => {
                Durability::Interval(Duration::from_millis(args.durability_interval_ms))
            }
            DurabilityMode::None => Durability::None,
        },
        isolation: match args.isolation_level {
            IsolationLevel::SnapshotIsolation => Isolation::Snapshot,
            IsolationLevel::ReadCommitted => Isolation::ReadCommitted,
            IsolationLevel::ReadUncommitted => Isolation::ReadUncommitted,
        },
        socket_backend: match args.socket_backend {
            SocketBackend::Ring => quoit_rt::SocketBackend::OwnRing,
            SocketBackend::Glommio => quoit_rt::SocketBackend::Glommio,
        },
        spin_max: Duration::from_micros(args.spin_us),
        replica_timeout: args.replica_timeout,
        query_timeout: Duration::from_secs(args.query_execution_timeout_sec),
        allow_load_csv: args.allow_load_csv,
        load_csv_directory: args.load_csv_directory.filter(|_| args.allow_load_csv),
        query_parallelism: args.query_parallelism,
        memory_limit: (args.memory_limit > 0).then(|| args.memory_limit.saturating_mul(1 << 20)),
        snapshot_interval: (args.storage_snapshot_interval_sec > 0)
            .then(|| Duration::from_secs(args.storage_snapshot_interval_sec)),
        snapshot_on_exit: args.storage_snapshot_on_exit,
        snapshots_kept: args.storage_snapshot_retention_count as usize,
        connections_max: args.bolt_connections_max as usize,
        message_bytes_max: defaults.message_bytes_max,
        log_level: match args.log_level {
            LogLevel::Trace | LogLevel::Debug => report::Level::Debug,
            LogLevel::Info => report::Level::Info,
            LogLevel::Warning => report::Level::Warning,
            LogLevel::Error | LogLevel::Critical => report::Level::Error,
        },
        server_name: args
            .bolt_server_name_for_init
            .unwrap_or(defaults.server_name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{Args, Command, FromArgMatches};

    fn of(args: &[&str]) -> Options {
        let command = ServerArgs::augment_args(Command::new("server").no_binary_name(true));
        let matches = command.try_get_matches_from(args).unwrap();
        options(ServerArgs::from_arg_matches(&matches).unwrap())
    }

    #[test]
    fn without_arguments_the_servers_own_defaults_hold() {
        assert_eq!(
            format!("{:?}", of(&[])),
            format!("{:?}", Options::default())
        );
    }

    #[test]
    fn memgraphs_isolation_levels_reach_the_server() {
        let options = of(&["--isolation-level=READ_COMMITTED"]);
        assert_eq!(options.isolation, Isolation::ReadCommitted);
    }

    #[test]
    fn the_interval_reaches_the_log() {
        let options = of(&["--durability=interval", "--durability-interval-ms=7"]);
        let expected = Durability::Interval(Duration::from_millis(7));
        assert_eq!(options.durability, expected);
    }
}
