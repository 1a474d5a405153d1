//! The command line of `quoit`: which subcommands there are, and what their end becomes.
//!
//! Called by `main` alone. Arguments pass through [`gflags`](crate::gflags) first, then clap. Errors go
//! to standard error as lines that begin with `error:`, warnings with `warning:`.

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
    /// Check whether a server would start here
    Doctor(ServerArgs),
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
    kernel::end_on_broken_pipe();
    match cli.command {
        Command::Doctor(args) => crate::doctor::run(&args),
        Command::Console(args) => console::run(&args),
        Command::Cluster(args) => crate::cluster::run(&args),
        Command::Load(args) => crate::load::run(&args),
    }
}
