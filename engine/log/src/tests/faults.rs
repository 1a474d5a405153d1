//! What is broken on purpose: mutants, failing writes, a full disk, and the power.
//!
//! A [`Faults`] stands in the options of a log under test. It keeps a journal of every record write
//! (submitted, completed) and of every acknowledgement, in one order, so that at any moment the disk
//! can be asked what a power cut would leave: completed writes, and of the one in flight any subset of
//! its sectors.

use std::io;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bytes::Bytes;
use quoit_rt::Rng;

use crate::segment::{BLOCK, SegmentNumber};

/// The smallest piece of a write that a device keeps or loses whole.
const SECTOR: usize = 512;

/// Defects that the tests must notice.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Mutant {
    /// Publishes a group when its write is submitted, not when it is complete.
    AcknowledgeEarly,
    /// Opens segments without `O_DSYNC`, so that a completed write is not durable.
    SkipSync,
    /// Opens no incarnation at a start as MAIN.
    SameIncarnation,
}

/// See the module. The default breaks nothing.
#[derive(Default)]
pub(crate) struct Faults {
    pub(crate) mutant: Option<Mutant>,
    /// Writes to complete before one fails; 0 for never.
    pub(crate) fail_after: AtomicU64,
    /// No segment can be made.
    pub(crate) full: AtomicBool,
    journal: Mutex<Journal>,
}

#[derive(Default)]
struct Journal {
    writes: Vec<Write>,
    acknowledged: u64,
}

struct Write {
    segment: SegmentNumber,
    offset: u64,
    bytes: Bytes,
    completed: bool,
}

/// What a power cut leaves.
pub(crate) struct Image {
    /// The highest commit number acknowledged before it.
    pub(crate) acknowledged: u64,
    /// A write was in flight.
    pub(crate) in_flight: bool,
}

impl Faults {
    pub(crate) fn with_mutant(mutant: Option<Mutant>) -> Faults {
        Faults {
            mutant,
            ..Faults::default()
        }
    }

    pub(crate) fn is(&self, mutant: Mutant) -> bool {
        self.mutant == Some(mutant)
    }

    pub(crate) fn submitted(&self, segment: SegmentNumber, offset: u64, bytes: &Bytes) -> usize {
        let mut journal = self.journal.lock().unwrap();
        journal.writes.push(Write {
            segment,
            offset,
            bytes: bytes.clone(),
            completed: false,
        });
        journal.writes.len() - 1
    }

    pub(crate) fn completed(&self, write: usize, result: io::Result<()>) -> io::Result<()> {
        if self.fail_after.load(Ordering::Relaxed) > 0
            && self.fail_after.fetch_sub(1, Ordering::Relaxed) == 1
        {
            return Err(io::Error::other("input/output error, put in by the test"));
        }
        self.journal.lock().unwrap().writes[write].completed = result.is_ok();
        result
    }

    pub(crate) fn make_segment(&self) -> io::Result<()> {
        if self.full.load(Ordering::Relaxed) {
            Err(io::ErrorKind::StorageFull.into())
        } else {
            Ok(())
        }
    }

    /// A client was told that everything up to `seq` is committed.
    pub(crate) fn acknowledged(&self, seq: u64) {
        let mut journal = self.journal.lock().unwrap();
        journal.acknowledged = journal.acknowledged.max(seq);
    }

    /// Takes the power away now: what `from` (the log's directory) would hold goes to `to`.
    pub(crate) fn cut_power(&self, from: &Path, to: &Path, rng: &mut Rng) -> Image {
        let journal = self.journal.lock().unwrap();
        std::fs::create_dir_all(to).unwrap();
        for entry in std::fs::read_dir(from).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let Some(number) = SegmentNumber::from_file_name(&name) else {
                continue;
            };
            // The first block was synced before the file had its name; the rest is in the journal.
            let now = std::fs::read(from.join(&name)).unwrap();
            let mut left = vec![0; now.len()];
            left[..BLOCK].copy_from_slice(&now[..BLOCK]);
            for write in journal
                .writes
                .iter()
                .filter(|write| write.segment == number)
            {
                for (n, sector) in write.bytes.chunks(SECTOR).enumerate() {
                    if write.completed || rng.one_in(2) {
                        let at = write.offset as usize + n * SECTOR;
                        left[at..at + sector.len()].copy_from_slice(sector);
                    }
                }
            }
            std::fs::write(to.join(&name), left).unwrap();
        }
        Image {
            acknowledged: journal.acknowledged,
            in_flight: journal.writes.last().is_some_and(|write| !write.completed),
        }
    }
}
