//! What is written down about a running cluster, so that other terminals find it.
//!
//! One TOML file, `cluster.toml`, in the cluster's directory, rewritten whole at each change by the
//! supervisor and read by everyone else. A lock file beside it is held as long as the supervisor
//! lives: it tells a running cluster from the leavings of one.

use serde::{Deserialize, Serialize};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// A cluster as last written down.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClusterState {
    /// Where the supervisor takes requests.
    pub control_socket: PathBuf,
    pub nodes: Vec<NodeState>,
}

/// One server of the cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeState {
    /// `main`, `r1`, `r2`, ...
    pub name: String,
    pub kind: Kind,
    pub bolt_port: u16,
    /// Where the node listens as a replica.
    pub replication_port: u16,
    pub process: Process,
    /// Of the running process.
    pub pid: Option<u32>,
}

/// What a node is to the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    Main,
    Sync,
    Async,
    SemiSync,
}

/// What a node's process does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Process {
    Running,
    Paused,
    Ended,
}

impl Kind {
    /// The name a status table shows.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Main => "main",
            Kind::Sync => "sync",
            Kind::Async => "async",
            Kind::SemiSync => "semi-sync",
        }
    }
}

impl Process {
    /// The word a status table shows.
    pub fn word(self) -> &'static str {
        match self {
            Process::Running => "running",
            Process::Paused => "paused",
            Process::Ended => "ended",
        }
    }
}

const STATE_FILE: &str = "cluster.toml";
const LOCK_FILE: &str = "cluster.lock";

/// Reads what is written down in `directory`; `None` if there is nothing.
pub fn read(directory: &Path) -> io::Result<Option<ClusterState>> {
    match fs::read_to_string(directory.join(STATE_FILE)) {
        Ok(text) => toml::from_str(&text)
            .map(Some)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.to_string())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Writes `state` down; readers see the old or the new one, never half of it.
pub fn write(directory: &Path, state: &ClusterState) -> io::Result<()> {
    let text = toml::to_string(state).map_err(io::Error::other)?;
    let new = directory.join("cluster.toml.new");
    let mut file = File::create(&new)?;
    file.write_all(text.as_bytes())?;
    fs::rename(new, directory.join(STATE_FILE))
}

/// Takes the cluster's lock; `None` if a supervisor lives. The lock goes with the file.
pub fn lock(directory: &Path) -> io::Result<Option<File>> {
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(directory.join(LOCK_FILE))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_is_found_as_it_was_written_down_and_has_one_supervisor() {
        let directory = std::env::temp_dir().join(format!("quoit-state-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        assert_eq!(read(&directory).unwrap(), None);
        let state = ClusterState {
            control_socket: directory.join("s"),
            nodes: vec![NodeState {
                name: "main".into(),
                kind: Kind::SemiSync,
                bolt_port: 1,
                replication_port: 2,
                process: Process::Paused,
                pid: None,
            }],
        };
        write(&directory, &state).unwrap();
        assert_eq!(read(&directory).unwrap(), Some(state));

        let held = lock(&directory).unwrap();
        assert!(held.is_some());
        assert!(lock(&directory).unwrap().is_none());
        drop(held);
        assert!(lock(&directory).unwrap().is_some());
        fs::write(directory.join(STATE_FILE), "nodes = 1").unwrap();
        assert!(read(&directory).is_err());
        fs::remove_dir_all(&directory).unwrap();
    }
}
