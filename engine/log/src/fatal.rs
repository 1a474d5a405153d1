//! The reasons for which the log stops the server.
//!
//! Owns the list and each reason's exit status. Raised by the writer and by recovery; carried out by
//! [`crate::LogOptions::on_fatal`] or, at start, returned. Nothing here is ever retried: after a
//! failed sync the kernel may have dropped the dirty pages, and a second sync that succeeds would
//! say nothing about them.

use std::path::PathBuf;

use thiserror::Error;

use crate::position::GroupSeq;

/// Exit status: the log could not be written or synced.
pub const EXIT_LOG_WRITE: i32 = 21;
/// Exit status: what was acknowledged is damaged on disk.
pub const EXIT_LOG_DAMAGED: i32 = 18;

/// Why the server stops.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum Fatal {
    /// A write or sync of the log failed.
    #[error(
        "the log could not be written: {path} at offset {offset}: {error}; the server stops, since what was not \
         synced must not be acknowledged. Mend the disk, then start again: acknowledged commits are in the log"
    )]
    Write {
        /// The segment.
        path: PathBuf,
        /// Offset of the write in bytes.
        offset: u64,
        /// The system's words.
        error: String,
    },
    /// A segment could not be made although its space was reserved.
    #[error(
        "the log's next segment {path} could not be made: {error}; free space or mend the disk, then start again"
    )]
    Segment {
        /// The segment.
        path: PathBuf,
        /// The system's words.
        error: String,
    },
    /// Bytes that were synced are not what was written.
    #[error(
        "the log is damaged below its durable mark: {path} at offset {offset}: {what}; groups up to {durable} had been \
         synced. Nothing was changed. Restore this directory from a backup or a replica, or move the file aside to give \
         up every commit from group {group} on"
    )]
    Damaged {
        /// The segment.
        path: PathBuf,
        /// Offset of the first bad record in bytes.
        offset: u64,
        /// What is wrong there.
        what: String,
        /// The group that should stand there.
        group: GroupSeq,
        /// The highest group a mark found on disk calls synced.
        durable: GroupSeq,
    },
    /// A group that was verified and chained could not be applied to the graph.
    #[error(
        "group {group} of the log cannot be applied: {error}; this is a defect of the server or of the node that wrote it"
    )]
    Apply {
        /// The group.
        group: GroupSeq,
        /// The graph's words.
        error: String,
    },
}

impl Fatal {
    /// The process's exit status.
    pub fn exit_code(&self) -> i32 {
        match self {
            Fatal::Write { .. } | Fatal::Segment { .. } => EXIT_LOG_WRITE,
            Fatal::Damaged { .. } | Fatal::Apply { .. } => EXIT_LOG_DAMAGED,
        }
    }
}
