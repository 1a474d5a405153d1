//! The command line of `quoit`: which subcommands there are, and what their end becomes.
//!
//! Called by `main` alone. Arguments pass through [`gflags`](crate::gflags) first, then clap. Errors go
//! to standard error as lines that begin with `error:`, warnings with `warning:`.

use crate::check::CheckArgs;
use crate::cluster::ClusterArgs;
use crate::console::{self, ConsoleArgs};
use crate::exit::{Exit, Failure, Outcome};
use crate::gflags::{Vocabulary, normalize};
use crate::kernel;
use crate::load::LoadArgs;
use crate::memgraph_flags;
use crate::server_args::ServerArgs;
use clap::{CommandFactory, Parser, Subcommand};
use std::process::ExitCode;

/// A graph database: Cypher over Bolt, in memory, durable, replicated.
#[derive(Debug, Parser)]
#[command(name = "quoit", version, propagate_version = true)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

/// What `quoit` can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a server; it needs no configuration
    Server(ServerArgs),
    /// Check whether a server would start here
    Doctor(ServerArgs),
    /// Verify a data directory that no server uses, without changing it
    Check(CheckArgs),
    /// Type Cypher, or run statements from a file or a pipe
    Console(ConsoleArgs),
    /// Run a main and replicas on this machine
    Cluster(ClusterArgs),
    /// Measure a server under load
    Load(LoadArgs),
}

/// Parses the process's arguments, runs what they ask for, and gives the status to end with.
pub fn main() -> ExitCode {
    let args: Vec<String> = std::env::args_os()
        .skip(1)
        .map(|arg| arg.to_string_lossy().into_owned())
        .collect();
    let outcome = parse(&args).and_then(run);
    match outcome {
        Ok(()) => Exit::Ok.into(),
        Err(failure) => {
            if !failure.message.is_empty() {
                eprintln!("error: {failure}");
            }
            failure.exit.into()
        }
    }
}

/// Turns arguments (without the program's name) into a command. Help and version are printed here.
pub fn parse(args: &[String]) -> Result<Cli, Failure> {
    let command = Cli::command();
    let mut for_clap = vec!["quoit".to_owned()];
    let subcommand = args
        .first()
        .and_then(|name| command.get_subcommands().find(|sub| sub.get_name() == name));
    match subcommand {
        Some(subcommand) if !subcommand.has_subcommands() => {
            let ignored = match subcommand.get_name() {
                "server" | "doctor" => memgraph_flags::ACCEPTED_WITHOUT_EFFECT,
                "console" => console::ACCEPTED_WITHOUT_EFFECT,
                _ => &[],
            };
            let name = subcommand.get_name();
            let normalized = normalize(&args[1..], &Vocabulary::new(subcommand, ignored))
                .map_err(|error| Failure::usage(format!("{error}\nsee 'quoit {name} --help'")))?;
            for flag in &normalized.ignored {
                eprintln!("warning: --{flag} is a flag of Memgraph without effect here");
            }
            for_clap.push(name.to_owned());
            for_clap.extend(normalized.args);
        }
        _ => for_clap.extend_from_slice(args),
    }
    Cli::try_parse_from(for_clap).map_err(|error| {
        // Help and version are no errors and go to standard output.
        let exit = match error.use_stderr() {
            true => Exit::Usage,
            false => Exit::Ok,
        };
        let _ = error.print();
        Failure::silent(exit)
    })
}

fn run(cli: Cli) -> Outcome {
    if !matches!(cli.command, Command::Server(_)) {
        kernel::end_on_broken_pipe();
    }
    match cli.command {
        Command::Server(args) => crate::server::run(args),
        Command::Doctor(args) => crate::doctor::run(&args),
        Command::Check(args) => crate::check::run(&args),
        Command::Console(args) => console::run(&args),
        Command::Cluster(args) => crate::cluster::run(&args),
        Command::Load(args) => crate::load::run(&args),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server_args::DurabilityMode;

    fn parsed(args: &[&str]) -> Result<Cli, Failure> {
        let args: Vec<String> = args.iter().map(|s| s.to_string()).collect();
        parse(&args)
    }

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_servers_flags_may_be_written_as_for_memgraph() {
        let cli = parsed(&[
            "server",
            "-bolt_port=7999",
            "--storage-wal-enabled=true",
            "--durability",
            "none",
        ])
        .unwrap();
        let Command::Server(args) = cli.command else {
            panic!("{cli:?}")
        };
        assert_eq!(args.bolt_port, 7999);
        assert_eq!(args.durability, DurabilityMode::None);
    }

    #[test]
    fn an_unknown_flag_is_a_usage_error_with_a_suggestion() {
        let failure = parsed(&["server", "--bolt-prot", "7687"]).unwrap_err();
        assert_eq!(failure.exit, Exit::Usage);
        assert!(failure.message.contains("did you mean '--bolt-port'?"));
        assert!(failure.message.contains("quoit server --help"));
    }

    #[test]
    fn memgraphs_server_flags_are_not_flags_of_the_console() {
        let failure = parsed(&["console", "--storage-wal-enabled=true"]).unwrap_err();
        assert_eq!(failure.exit, Exit::Usage);
    }

    #[test]
    fn what_follows_a_double_dash_reaches_the_clusters_servers() {
        let cli = parsed(&["cluster", "up", "--sync", "2", "--", "--durability=none"]).unwrap();
        let Command::Cluster(ClusterArgs {
            action: crate::cluster::Action::Up(args),
        }) = cli.command
        else {
            panic!("{cli:?}")
        };
        assert_eq!(args.sync, 2);
        assert_eq!(args.server_arguments, ["--durability=none"]);
    }
}
