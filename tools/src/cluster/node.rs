//! One server process of a cluster: start, readiness, signals, end.
//!
//! Owned by the supervisor, used on its one thread: a child is tied to the thread that started it and
//! ends with it.

use super::state::{Kind, NodeState, Process};
use crate::bolt::{Client, ClientError, ConnectOptions, Endpoint};
use crate::kernel::{self, Signal};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// A node and its process, if one runs.
pub struct Node {
    pub state: NodeState,
    directory: PathBuf,
    /// Further arguments of `quoit server`.
    arguments: Vec<String>,
    child: Option<Child>,
}

const READY_TIMEOUT: Duration = Duration::from_secs(30);
const STOP_TIMEOUT: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(20);
/// Of a log, what is shown when a node does not start.
const LOG_TAIL_BYTES: u64 = 2000;

impl Node {
    /// A node that has not been started. Its data will lie in `cluster/NAME`, its log beside it.
    pub fn new(state: NodeState, cluster: &Path, arguments: Vec<String>) -> Self {
        let state = NodeState {
            process: Process::Ended,
            pid: None,
            ..state
        };
        Node {
            directory: cluster.join(&state.name),
            arguments,
            child: None,
            state,
        }
    }

    pub fn name(&self) -> &str {
        &self.state.name
    }

    /// `host:port` for clients.
    pub fn bolt_address(&self) -> String {
        format!("127.0.0.1:{}", self.state.bolt_port)
    }

    /// `host:port` for REGISTER REPLICA.
    pub fn replication_address(&self) -> String {
        format!("127.0.0.1:{}", self.state.replication_port)
    }

    /// Starts the process; it is not ready yet.
    pub fn start(&mut self) -> Result<(), String> {
        let failed = |error: io::Error| format!("{} cannot be started: {error}", self.state.name);
        fs::create_dir_all(&self.directory).map_err(failed)?;
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.log_path())
            .map_err(failed)?;
        let errors = log.try_clone().map_err(failed)?;
        let program = std::env::current_exe().map_err(failed)?;
        let mut command = Command::new(program);
        command
            .arg("server")
            .arg(format!("--bolt-port={}", self.state.bolt_port))
            .arg("--bolt-address=127.0.0.1")
            .arg("--data-directory")
            .arg(&self.directory)
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors);
        kernel::end_with_parent(&mut command);
        let child = command.spawn().map_err(failed)?;
        self.state.pid = Some(child.id());
        self.state.process = Process::Running;
        self.child = Some(child);
        Ok(())
    }

    /// Waits until the node answers over Bolt, or `interrupt` is set.
    pub fn wait_ready(&mut self, interrupt: &AtomicBool) -> Result<(), String> {
        let deadline = Instant::now() + READY_TIMEOUT;
        loop {
            if interrupt.load(Ordering::Relaxed) {
                return Err("interrupted".to_owned());
            }
            if let Some(status) = self.ended() {
                let name = &self.state.name;
                return Err(format!(
                    "{name} ended while starting ({status}); the end of its log:\n{}",
                    self.log_tail()
                ));
            }
            match self.connect() {
                Ok(client) => {
                    client.close();
                    return Ok(());
                }
                Err(error) if Instant::now() > deadline => {
                    let name = &self.state.name;
                    return Err(format!(
                        "{name} is not ready after {} s: {error}; the end of its log:\n{}",
                        READY_TIMEOUT.as_secs(),
                        self.log_tail()
                    ));
                }
                Err(_) => thread::sleep(POLL),
            }
        }
    }

    /// Opens a connection to the node.
    pub fn connect(&self) -> Result<Client, ClientError> {
        connect(self.state.bolt_port)
    }

    /// Whether the process has ended since last asked; then how.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        let status = self.child.as_mut()?.try_wait().ok().flatten()?;
        self.forget_process();
        Some(status)
    }

    /// Sends SIGSTOP or SIGCONT.
    pub fn set_paused(&mut self, paused: bool) -> Result<(), String> {
        let (signal, process) = match paused {
            true => (Signal::Stop, Process::Paused),
            false => (Signal::Continue, Process::Running),
        };
        let name = &self.state.name;
        let Some(child) = &self.child else {
            return Err(format!("{name} does not run"));
        };
        kernel::signal_child(child, signal).map_err(|error| format!("{name}: {error}"))?;
        self.state.process = process;
        Ok(())
    }

    /// Sends SIGKILL and waits for the end.
    pub fn kill(&mut self) -> Result<(), String> {
        let Some(child) = &mut self.child else {
            return Err(format!("{} does not run", self.state.name));
        };
        // Fails only if the process has ended by itself, which is as good.
        let _ = child.kill();
        let _ = child.wait();
        self.forget_process();
        Ok(())
    }

    /// Asks the process to end; it need not have done so when this returns.
    pub fn begin_stop(&mut self) {
        if let Some(child) = &self.child {
            // A paused process takes SIGTERM only after it goes on. Errors mean that it has ended.
            let _ = kernel::signal_child(child, Signal::Terminate);
            let _ = kernel::signal_child(child, Signal::Continue);
        }
    }

    /// Waits for the end that was asked for, and forces it after a while; says if it had to.
    pub fn finish_stop(&mut self) -> Result<(), String> {
        let deadline = Instant::now() + STOP_TIMEOUT;
        while self.child.is_some() && self.ended().is_none() {
            if Instant::now() > deadline {
                self.kill()?;
                return Err(format!(
                    "{} did not end within {} s of SIGTERM and was killed",
                    self.state.name,
                    STOP_TIMEOUT.as_secs()
                ));
            }
            thread::sleep(POLL);
        }
        Ok(())
    }

    fn forget_process(&mut self) {
        self.child = None;
        self.state.pid = None;
        self.state.process = Process::Ended;
    }

    /// Where the process's output goes.
    pub fn log_path(&self) -> PathBuf {
        self.directory.with_extension("log")
    }

    fn log_tail(&self) -> String {
        let read = || -> io::Result<String> {
            let mut file = File::open(self.log_path())?;
            let len = file.metadata()?.len();
            file.seek(SeekFrom::Start(len.saturating_sub(LOG_TAIL_BYTES)))?;
            let mut tail = Vec::new();
            file.take(LOG_TAIL_BYTES).read_to_end(&mut tail)?;
            Ok(String::from_utf8_lossy(&tail).trim_end().to_owned())
        };
        read().unwrap_or_else(|error| format!("(cannot be read: {error})"))
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if self.child.is_some() {
            let _ = self.kill();
        }
    }
}

/// Opens a connection to a server on this machine; patience of two seconds, for paused ones.
pub fn connect(bolt_port: u16) -> Result<Client, ClientError> {
    Client::connect(&ConnectOptions {
        timeout: Duration::from_secs(2),
        ..ConnectOptions::new(Endpoint::new("127.0.0.1", bolt_port), "cluster")
    })
}

/// States for a main and its replicas, on ports that nobody listens on now. The main takes 7687 if it
/// is free.
pub fn plan(kinds: &[(String, Kind)]) -> io::Result<Vec<NodeState>> {
    // All are held at once, so that they differ.
    let mut held = Vec::new();
    let mut port = |wanted: u16| -> io::Result<u16> {
        let listener = TcpListener::bind(("127.0.0.1", wanted))
            .or_else(|_| TcpListener::bind(("127.0.0.1", 0)))?;
        let port = listener.local_addr()?.port();
        held.push(listener);
        Ok(port)
    };
    kinds
        .iter()
        .map(|(name, kind)| {
            let wanted = match kind {
                Kind::Main => crate::bolt::DEFAULT_PORT,
                Kind::Sync | Kind::Async | Kind::SemiSync => 0,
            };
            Ok(NodeState {
                name: name.clone(),
                kind: *kind,
                bolt_port: port(wanted)?,
                replication_port: port(0)?,
                process: Process::Ended,
                pid: None,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_port_of_a_plan_is_different() {
        let kinds: Vec<(String, Kind)> = (0..8).map(|i| (format!("r{i}"), Kind::Sync)).collect();
        let mut ports: Vec<u16> = plan(&kinds)
            .unwrap()
            .iter()
            .flat_map(|node| [node.bolt_port, node.replication_port])
            .collect();
        ports.sort_unstable();
        ports.dedup();
        assert_eq!(ports.len(), 16);
    }
}
