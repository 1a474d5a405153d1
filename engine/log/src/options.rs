//! How a log is run: directory, durability, sizes.
//!
//! Owns the options and their ranges. Read by every part of the log; made by the server from its
//! settings. Options never change while a log is open.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::fatal::Fatal;

/// When an answer may be given (`--durability`, design D11).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Durability {
    /// Synced before the answer: survives a power cut. The default.
    Commit,
    /// Written before the answer, synced this often: survives the death of the process; a power cut
    /// takes at most the last interval.
    Interval(Duration),
    /// Written when convenient, never waited for. Replication is refused.
    None,
}

/// Options of one log.
#[derive(Clone)]
pub struct LogOptions {
    /// The log's own directory (`DIR/log`). Made if it is missing; its parent exists and is locked.
    pub directory: PathBuf,
    /// When a commit is answered.
    pub durability: Durability,
    /// Number of cores that commit; core ids are below it.
    pub cores: u16,
    /// Size of a segment file in bytes: a multiple of 4096, at least 64 KiB. A group that does not
    /// fit gets a segment of its own size.
    pub segment_bytes: u64,
    /// A leader stops gathering at this many bytes of frames; one frame may exceed it alone.
    pub group_bytes: usize,
    /// Bytes of recent groups kept in memory for catch-up and, on a replica, for applying.
    pub recent_bytes: usize,
    /// After this long without a write the durable mark is written, so that the last group cannot
    /// pass for a torn tail.
    pub idle_mark: Duration,
    /// What to do when the log cannot go on. Default: say so on standard error and leave the process
    /// with [`Fatal::exit_code`]. Whatever it does, the log acknowledges nothing any more.
    pub on_fatal: Arc<dyn Fn(&Fatal) + Send + Sync>,
}

impl LogOptions {
    /// The defaults for a log in `directory` on `cores` cores.
    pub fn new(directory: PathBuf, cores: u16) -> LogOptions {
        LogOptions {
            directory,
            durability: Durability::Commit,
            cores,
            segment_bytes: 64 << 20,
            group_bytes: 1 << 20,
            recent_bytes: 16 << 20,
            idle_mark: Duration::from_millis(10),
            on_fatal: Arc::new(|fatal| {
                eprintln!("quoit: {fatal}");
                std::process::exit(fatal.exit_code());
            }),
        }
    }
}
