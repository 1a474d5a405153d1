//! `quoit cluster`: a main and its replicas on this machine, to try replication on.
//!
//! `up` starts the servers and stays as their supervisor; the other actions, from other terminals,
//! find it through the state file in the cluster's directory. The cluster is made of ordinary
//! `quoit server` processes and set up through Bolt with the statements a user would type; nothing
//! here knows how a server works.

mod control;
mod node;
mod state;
mod status;
mod story;
mod supervisor;

use crate::exit::{Failure, Outcome};
use control::Request;
use state::ClusterState;
use std::env;
use std::path::PathBuf;

/// The arguments of `quoit cluster`.
#[derive(Clone, Debug, clap::Args)]
pub struct ClusterArgs {
    #[command(subcommand)]
    pub action: Action,
}

/// What `quoit cluster` does.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum Action {
    /// Start a main and replicas, and look after them until Ctrl-C
    Up(UpArgs),
    /// Show what every node does
    Status(Place),
    /// Kill a node with SIGKILL
    Kill(OneNode),
    /// Stop a node's process in its tracks (SIGSTOP)
    Pause(OneNode),
    /// Let a paused node go on (SIGCONT)
    Resume(OneNode),
    /// Start a node that has ended, or end and start one that runs
    Restart(OneNode),
    /// End one node in order (SIGTERM)
    Stop(OneNode),
    /// End the cluster
    Down(Place),
}

/// Which cluster.
#[derive(Clone, Debug, clap::Args)]
pub struct Place {
    /// The cluster's directory; a cluster in a directory that is named keeps its data from run to run
    #[arg(long, value_name = "DIR", env = "QUOIT_CLUSTER_DIR")]
    pub dir: Option<PathBuf>,
}

/// One node of a cluster.
#[derive(Clone, Debug, clap::Args)]
pub struct OneNode {
    /// main, r1, r2, ...
    pub name: String,
    #[command(flatten)]
    pub place: Place,
}

/// The arguments of `quoit cluster up`.
#[derive(Clone, Debug, clap::Args)]
pub struct UpArgs {
    /// Number of mains
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=1))]
    pub main: u8,

    /// Number of SYNC replicas
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(0..=16))]
    pub sync: u8,

    /// Number of ASYNC replicas
    #[arg(long = "async", value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(0..=16))]
    pub async_: u8,

    /// Number of SYNC WITH TIMEOUT replicas
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(0..=16))]
    pub semi_sync: u8,

    /// Seconds that a commit waits for a SYNC WITH TIMEOUT replica
    #[arg(long, value_name = "SECONDS", default_value_t = 1.0, value_parser = timeout)]
    pub timeout: f64,

    /// Cores of each server
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub cores: u16,

    /// Tell the founding story: show and check every statement and answer, then end
    #[arg(long)]
    pub story: bool,

    /// After the story, keep the cluster running
    #[arg(long, requires = "story")]
    pub stay: bool,

    #[command(flatten)]
    pub place: Place,

    /// Further arguments of each `quoit server`, after `--`
    #[arg(last = true, value_name = "SERVER ARGUMENTS")]
    pub server_arguments: Vec<String>,
}

/// Runs `quoit cluster`.
pub fn run(args: &ClusterArgs) -> Outcome {
    match &args.action {
        Action::Up(args) => supervisor::up(args),
        Action::Status(place) => {
            print!("{}", status::status(&running(place)?));
            Ok(())
        }
        Action::Kill(node) => ask(&node.place, Request::Kill(node.name.clone())),
        Action::Pause(node) => ask(&node.place, Request::Pause(node.name.clone())),
        Action::Resume(node) => ask(&node.place, Request::Resume(node.name.clone())),
        Action::Restart(node) => ask(&node.place, Request::Restart(node.name.clone())),
        Action::Stop(node) => ask(&node.place, Request::Stop(node.name.clone())),
        Action::Down(place) => ask(place, Request::Down),
    }
}

/// The named directory, or the user's own place for state (XDG base directories).
fn directory_of(place: &Place) -> Result<PathBuf, Failure> {
    if let Some(dir) = &place.dir {
        return std::path::absolute(dir)
            .map_err(|error| Failure::usage(format!("'{}': {error}", dir.display())));
    }
    let home = || env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/state"));
    let state = env::var_os("XDG_STATE_HOME")
        .map(PathBuf::from)
        .or_else(home);
    Ok(match state {
        Some(state) => state.join("quoit").join("cluster"),
        None => env::temp_dir().join(format!("quoit-cluster-{}", crate::kernel::user_id())),
    })
}

/// The state of the cluster that runs there.
fn running(place: &Place) -> Result<ClusterState, Failure> {
    let directory = directory_of(place)?;
    let none = || Failure::failed(format!("no cluster runs in '{}'", directory.display()));
    let Some(state) = state::read(&directory)
        .map_err(|error| Failure::failed(format!("'{}': {error}", directory.display())))?
    else {
        return Err(none());
    };
    // If its lock can be had, nobody looks after this cluster.
    match state::lock(&directory) {
        Ok(None) => Ok(state),
        Ok(Some(_)) => Err(none()),
        Err(error) => Err(Failure::failed(format!(
            "'{}': {error}",
            directory.display()
        ))),
    }
}

fn ask(place: &Place, request: Request) -> Outcome {
    let state = running(place)?;
    let answer = control::ask(&state.control_socket, &request).map_err(|error| {
        Failure::failed(format!("the cluster's supervisor does not answer: {error}"))
    })?;
    match answer {
        Ok(done) => {
            println!("{done}");
            Ok(())
        }
        Err(reason) => Err(Failure::failed(reason)),
    }
}

fn timeout(text: &str) -> Result<f64, String> {
    crate::server_args::positive_seconds(text).map(|duration| duration.as_secs_f64())
}
