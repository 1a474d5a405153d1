//! How a log is run: directory, durability, sizes.
//!
//! Owns the options and their ranges. Read by every part of the log; made by the server from its
//! settings. Options never change while a log is open.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::fatal::Fatal;
use crate::group::GATHERED_BYTES_MAX;
use crate::segment::BLOCK;

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
    /// Size of a segment file in bytes: 64 KiB to 4 GiB, rounded up to 4096. A group that does not fit
    /// gets a segment of its own size.
    pub segment_bytes: u64,
    /// A leader stops gathering at this many bytes of frames; one frame may exceed it alone.
    pub group_bytes: usize,
    /// On a replica, bytes of appended groups a core keeps in memory until they are applied; what is
    /// beyond is read back from the log.
    pub held_bytes: usize,
    /// After this long without a write the durable mark is written, so that the last group cannot
    /// pass for a torn tail.
    pub idle_mark: Duration,
    /// What to do when the log cannot go on. Default: say so on standard error and leave the process
    /// with [`Fatal::exit_code`]. Whatever it does, the log acknowledges nothing any more.
    pub on_fatal: Arc<dyn Fn(&Fatal) + Send + Sync>,
    /// Defects and faults put in on purpose, to show that the tests notice them.
    #[cfg(test)]
    pub(crate) faults: Arc<crate::tests::faults::Faults>,
}

/// Smallest segment: the segment's own block and a few groups.
const SEGMENT_BYTES_MIN: u64 = 64 << 10;
/// Largest segment: beyond it, starting with an empty directory would take seconds.
const SEGMENT_BYTES_MAX: u64 = 4 << 30;

impl LogOptions {
    /// The defaults for a log in `directory` on `cores` cores.
    pub fn new(directory: PathBuf, cores: u16) -> LogOptions {
        LogOptions {
            directory,
            durability: Durability::Commit,
            cores,
            segment_bytes: 32 << 20,
            group_bytes: 1 << 20,
            held_bytes: 16 << 20,
            idle_mark: Duration::from_millis(10),
            on_fatal: Arc::new(|fatal| {
                eprintln!("quoit: {fatal}");
                std::process::exit(fatal.exit_code());
            }),
            #[cfg(test)]
            faults: Arc::default(),
        }
    }

    /// The same with every size moved into its range.
    pub(crate) fn within_bounds(mut self) -> LogOptions {
        self.segment_bytes = self
            .segment_bytes
            .clamp(SEGMENT_BYTES_MIN, SEGMENT_BYTES_MAX)
            .next_multiple_of(BLOCK as u64);
        self.group_bytes = self.group_bytes.clamp(BLOCK, GATHERED_BYTES_MAX);
        self
    }
}
