//! `quoit cluster up`: starts the nodes, sets them up, and looks after them until it is told to end.
//!
//! One thread does everything, in turns of a few milliseconds: requests of other terminals, nodes that
//! ended, signals. When it ends, however it ends, so do the nodes.

use super::control::{Asked, Listener, Request};
use super::node::{self, Node};
use super::state::{self, ClusterState, Kind};
use super::story::Narrator;
use super::{UpArgs, directory_of};
use crate::exit::{Exit, Failure, Outcome};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// A running cluster. The first node is the main.
struct Supervisor {
    directory: PathBuf,
    nodes: Vec<Node>,
    listener: Listener,
    interrupt: Arc<AtomicBool>,
}

const TURN: Duration = Duration::from_millis(20);

/// Runs `quoit cluster up`.
pub fn up(args: &UpArgs) -> Outcome {
    let directory = directory_of(&args.place)?;
    let cannot = |error: io::Error| {
        Failure::failed(format!("cannot use '{}': {error}", directory.display()))
    };
    fs::create_dir_all(&directory).map_err(cannot)?;
    let Some(_lock) = state::lock(&directory).map_err(cannot)? else {
        return Err(Failure::new(
            Exit::DataDirectoryLocked,
            format!(
                "a cluster runs in '{}' already; end it with 'quoit cluster down', or choose another --dir",
                directory.display()
            ),
        ));
    };
    let interrupt = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(&interrupt)).map_err(cannot)?;
    }

    let kinds = kinds(args);
    let known = state::read(&directory).map_err(cannot)?;
    let nodes = match known {
        // A directory that was named is kept from run to run, with its ports: registrations hold them.
        Some(known) if args.place.dir.is_some() => {
            let same = known
                .nodes
                .iter()
                .map(|node| (node.name.clone(), node.kind));
            if !same.eq(kinds.iter().cloned()) {
                return Err(Failure::usage(format!(
                    "the cluster in '{}' has other nodes; ask for the same ones, or choose another --dir",
                    directory.display()
                )));
            }
            known.nodes
        }
        known => {
            wipe(&directory, known.as_ref()).map_err(cannot)?;
            node::plan(&kinds).map_err(cannot)?
        }
    };
    let arguments = server_arguments(args);
    let nodes = nodes
        .into_iter()
        .map(|state| Node::new(state, &directory, arguments.clone()))
        .collect();
    let mut supervisor = Supervisor {
        listener: Listener::bind(&directory).map_err(cannot)?,
        directory,
        nodes,
        interrupt,
    };
    let outcome = supervisor.run(args);
    let interrupted = supervisor.interrupt.load(Ordering::Relaxed);
    supervisor.end();
    match outcome {
        Err(_) if interrupted => Err(Failure::silent(Exit::Interrupted)),
        outcome => outcome,
    }
}

/// Names and kinds: the main, then r1, r2, ... in the order of the founding story.
fn kinds(args: &UpArgs) -> Vec<(String, Kind)> {
    let replicas = [
        (Kind::Sync, args.sync),
        (Kind::Async, args.async_),
        (Kind::SemiSync, args.semi_sync),
    ];
    let replicas = replicas
        .into_iter()
        .flat_map(|(kind, count)| (0..count).map(move |_| kind))
        .enumerate()
        .map(|(index, kind)| (format!("r{}", index + 1), kind));
    std::iter::once(("main".to_owned(), Kind::Main))
        .chain(replicas)
        .collect()
}

fn server_arguments(args: &UpArgs) -> Vec<String> {
    let mut arguments = vec![format!("--cores={}", args.cores)];
    arguments.extend(args.server_arguments.iter().cloned());
    arguments
}

/// Removes what an earlier cluster left in the default directory, and nothing else.
fn wipe(directory: &Path, known: Option<&ClusterState>) -> io::Result<()> {
    for node in known.iter().flat_map(|state| &state.nodes) {
        // Names are r1, r2, ...; one that is a path was not written by us.
        if node.name.chars().all(|c| c.is_ascii_alphanumeric()) {
            for path in [
                directory.join(&node.name),
                directory.join(format!("{}.log", node.name)),
            ] {
                let removed = match path.is_dir() {
                    true => fs::remove_dir_all(&path),
                    false => fs::remove_file(&path),
                };
                match removed {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                    _ => {}
                }
            }
        }
    }
    Ok(())
}

impl Supervisor {
    fn run(&mut self, args: &UpArgs) -> Outcome {
        for node in &mut self.nodes {
            node.start().map_err(Failure::failed)?;
        }
        self.write_down();
        for node in &mut self.nodes {
            node.wait_ready(&self.interrupt).map_err(Failure::failed)?;
        }
        let mut narrator = Narrator::new(args.story, Arc::clone(&self.interrupt));
        let (main, replicas) = self.split();
        narrator
            .join(main, replicas, args.timeout)
            .map_err(Failure::failed)?;
        if args.story {
            narrator.tell(main, replicas).map_err(Failure::failed)?;
            println!();
        }
        if !narrator.wrong.is_empty() {
            return Err(Failure::failed(format!(
                "{} of {} answers were wrong",
                narrator.wrong.len(),
                narrator.checked
            )));
        }
        if args.story {
            println!("The story holds: {} answers checked.", narrator.checked);
            if !args.stay {
                return Ok(());
            }
        }
        self.introduce(args.place.dir.is_some());
        self.watch();
        Ok(())
    }

    fn split(&self) -> (&Node, &[Node]) {
        let (main, replicas) = self.nodes.split_first().expect("a cluster has a main");
        (main, replicas)
    }

    /// Says where to connect and what can be done.
    fn introduce(&self, named: bool) {
        for node in &self.nodes {
            let kind = node.state.kind.word();
            println!("{:6} {kind:10} bolt://{}", node.name(), node.bolt_address());
        }
        let place = match named {
            true => format!(" --dir {}", self.directory.display()),
            false => String::new(),
        };
        let main = &self.nodes[0].state;
        println!("\nConnect:     quoit console --port {}", main.bolt_port);
        println!("Watch:       quoit cluster status{place}");
        println!("Try modes:   quoit cluster kill|pause|resume|restart NAME{place}");
        println!("Data, logs:  {}", self.directory.display());
        println!("Ctrl-C ends all of it.");
    }

    /// Serves until Ctrl-C, SIGTERM, a closed terminal, or `down`.
    fn watch(&mut self) {
        while !self.interrupt.load(Ordering::Relaxed) {
            if let Some(asked) = self.listener.next()
                && self.serve(asked)
            {
                return;
            }
            let mut changed = false;
            for node in &mut self.nodes {
                if let Some(status) = node.ended() {
                    println!(
                        "{} ended by itself: {status}; see {}",
                        node.name(),
                        node.log_path().display()
                    );
                    changed = true;
                }
            }
            if changed {
                self.write_down();
            }
            thread::sleep(TURN);
        }
    }

    /// Does what was asked; true if the cluster is to end.
    fn serve(&mut self, asked: Asked) -> bool {
        let request = asked.request.clone();
        if request == Request::Down {
            asked.answer(&Ok("the cluster ends".to_owned()));
            return true;
        }
        let outcome = self.act(&request);
        self.write_down();
        if let Ok(done) = &outcome {
            println!("{done}");
        }
        asked.answer(&outcome);
        false
    }

    fn act(&mut self, request: &Request) -> Result<String, String> {
        let (Request::Kill(name)
        | Request::Pause(name)
        | Request::Resume(name)
        | Request::Restart(name)
        | Request::Stop(name)) = request
        else {
            return Err("not a request for one node".to_owned());
        };
        let names: Vec<String> = self
            .nodes
            .iter()
            .map(|node| node.name().to_owned())
            .collect();
        let Some(node) = self.nodes.iter_mut().find(|node| node.name() == name) else {
            return Err(format!(
                "there is no node '{name}'; there are {}",
                names.join(", ")
            ));
        };
        match request {
            Request::Kill(_) => node.kill().map(|()| format!("{name} is killed")),
            Request::Pause(_) => node.set_paused(true).map(|()| format!("{name} is paused")),
            Request::Resume(_) => node.set_paused(false).map(|()| format!("{name} goes on")),
            Request::Stop(_) => {
                node.begin_stop();
                node.finish_stop().map(|()| format!("{name} has ended"))
            }
            Request::Restart(_) | Request::Down => {
                node.begin_stop();
                node.finish_stop()?;
                node.start()?;
                node.wait_ready(&self.interrupt)?;
                Ok(format!("{name} is started again"))
            }
        }
    }

    /// Ends all nodes, together.
    fn end(&mut self) {
        for node in &mut self.nodes {
            node.begin_stop();
        }
        for node in &mut self.nodes {
            if let Err(reason) = node.finish_stop() {
                eprintln!("warning: {reason}");
            }
        }
        self.write_down();
    }

    fn write_down(&self) {
        let state = ClusterState {
            control_socket: self.listener.path().to_owned(),
            nodes: self.nodes.iter().map(|node| node.state.clone()).collect(),
        };
        if let Err(error) = state::write(&self.directory, &state) {
            eprintln!("warning: the cluster's state cannot be written down: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::{Action, ClusterArgs};
    use clap::{Args, Command, FromArgMatches};

    fn parse(args: &[&str]) -> UpArgs {
        let command = ClusterArgs::augment_args(Command::new("cluster").no_binary_name(true));
        let matches = command.try_get_matches_from(args).unwrap();
        match ClusterArgs::from_arg_matches(&matches).unwrap().action {
            Action::Up(args) => args,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn replicas_are_named_in_the_order_of_the_founding_story() {
        let args = parse(&[
            "up",
            "--main",
            "1",
            "--semi-sync",
            "1",
            "--sync",
            "2",
            "--async",
            "1",
        ]);
        let names: Vec<String> = kinds(&args)
            .into_iter()
            .map(|(name, kind)| format!("{name} {}", kind.word()))
            .collect();
        assert_eq!(
            names,
            [
                "main main",
                "r1 sync",
                "r2 sync",
                "r3 async",
                "r4 semi-sync"
            ]
        );
    }

    #[test]
    fn without_numbers_a_cluster_has_one_replica_of_each_mode() {
        assert_eq!(kinds(&parse(&["up"])).len(), 4);
    }

    #[test]
    fn wiping_takes_the_nodes_own_files_and_leaves_the_rest() {
        let directory = std::env::temp_dir().join(format!("quoit-wipe-{}", std::process::id()));
        fs::create_dir_all(directory.join("r1")).unwrap();
        fs::write(directory.join("r1.log"), "").unwrap();
        fs::write(directory.join("mine"), "").unwrap();
        let mut nodes = node::plan(&[("r1".into(), Kind::Sync), ("x".into(), Kind::Sync)]).unwrap();
        nodes[1].name = "../mine".into();
        let state = ClusterState {
            control_socket: PathBuf::new(),
            nodes,
        };
        wipe(&directory, Some(&state)).unwrap();
        assert!(!directory.join("r1").exists() && !directory.join("r1.log").exists());
        assert!(directory.join("mine").exists());
        fs::remove_dir_all(&directory).unwrap();
    }
}
