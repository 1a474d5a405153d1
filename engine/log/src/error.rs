//! What a call of the log answers when it cannot do what was asked.

use std::path::PathBuf;

use thiserror::Error;

use crate::fatal::Fatal;
use crate::group::NotFollowing;
use crate::position::{GroupSeq, LogPosition};
use crate::snapshot::SnapshotError;

/// What a log is doing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Role {
    /// Not recovered yet.
    Closed = 0,
    /// Recovered; neither writes nor appends.
    Idle = 1,
    /// Writes what the door seals.
    Main = 2,
    /// Appends what a MAIN sends.
    Follower = 3,
    /// Stopped by [`Fatal`] or closed.
    Stopped = 4,
}

impl Role {
    pub(crate) fn from_code(code: u8) -> Role {
        match code {
            0 => Role::Closed,
            1 => Role::Idle,
            2 => Role::Main,
            3 => Role::Follower,
            _ => Role::Stopped,
        }
    }
}

/// Why a call failed. Nothing was acknowledged.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum LogError {
    /// The log stopped (a failed write, or shutdown): the outcome of what was under way is known only
    /// after the next recovery.
    #[error("the log has stopped")]
    Stopped,
    /// The call belongs to another role.
    #[error("the log is {role:?}, this needs {needed}")]
    WrongRole {
        /// What it needs.
        needed: &'static str,
        /// What the log is doing.
        role: Role,
    },
    /// No room, and the disk has none: free space, then try again.
    #[error("the disk of the log is full: {0}")]
    Full(String),
    /// Reading or preparing a file failed; the log itself goes on.
    #[error("{path}: {error}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's words.
        error: String,
    },
    /// Bytes of a snapshot are not those that were written, or do not fit this log.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// The log stops the server for this reason.
    #[error(transparent)]
    Fatal(#[from] Fatal),
    /// The chain that was asked for is not in this log.
    #[error("{0} is not in this log's history")]
    NotInHistory(LogPosition),
    /// Groups that readers may have seen are never cut.
    #[error("cannot cut back to group {to}: readers have seen up to group {visible}")]
    AlreadyVisible {
        /// Where to.
        to: GroupSeq,
        /// What was published here.
        visible: GroupSeq,
    },
}

/// Why groups were not appended. Those before the bad one may have been.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum AppendError {
    /// The group does not continue this log; the session must say hello again.
    #[error(transparent)]
    NotFollowing(#[from] NotFollowing),
    /// As for any other call.
    #[error(transparent)]
    Log(#[from] LogError),
}
