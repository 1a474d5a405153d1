//! Snapshots: when they are written, by whom, and how a server starts from one.
//!
//! Owns [`Board`] (what cores know of the snapshot that is being written), writing ([`write`]) and loading ([`load`]). Called by admin statements,
//! `housekeeping` (cores help), `start` (recovery, on exit). What always holds: one snapshot is written at a time; every core writes the part
//! with its shards, in turns no longer than a batch, and no writer of the graph waits for it; a snapshot counts once its commits are synced in
//! the log and its parts were read back.
//! Left to others: what is in a block (`quoit_graph::image`), files (`quoit_log::snapshot`).

pub(crate) mod load;
mod write;

pub(crate) use write::{WriteError, create, help, keep, store};

use quoit_graph::Loan;
use quoit_log::LogError;
use quoit_log::snapshot::{PartSummary, SnapshotDraft};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What the cores know of the snapshot that is being written.
#[derive(Default)]
pub(crate) struct Board {
    is_running: AtomicBool,
    /// Grows with each job.
    number: AtomicU64,
    job: Mutex<Option<Arc<Job>>>,
    /// When the next one is due, in milliseconds since 1970; 0: never.
    next_due_ms: AtomicU64,
}

/// A snapshot that is being written, for every core.
pub(crate) struct Job {
    loan: Loan,
    draft: SnapshotDraft,
    settings: Vec<(String, Vec<u8>)>,
    /// What the parts came to, as they end.
    ended: Mutex<Vec<Result<PartSummary, LogError>>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Board {
    /// Whether one is being written.
    pub(crate) fn is_running(&self) -> bool {
        self.is_running.load(Ordering::Acquire)
    }

    /// When the next one is due, in milliseconds since 1970, if ever.
    pub(crate) fn next_due_ms(&self) -> Option<u64> {
        Some(self.next_due_ms.load(Ordering::Relaxed)).filter(|due| *due > 0)
    }

    /// The right to write one; `None` while another is being written.
    fn begin(&self) -> Option<Running<'_>> {
        let was = self.is_running.swap(true, Ordering::AcqRel);
        (!was).then_some(Running(self))
    }

    fn post(&self, job: Arc<Job>) {
        *lock(&self.job) = Some(job);
        self.number.fetch_add(1, Ordering::Release);
    }

    /// The job after the one of number `seen`, if there is one; its number.
    fn after(&self, seen: u64) -> Option<(u64, Arc<Job>)> {
        let number = self.number.load(Ordering::Acquire);
        if number == seen {
            return None;
        }
        Some((number, lock(&self.job).clone()?))
    }
}

impl std::fmt::Debug for Board {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Board")
            .field("is_running", &self.is_running)
            .finish_non_exhaustive()
    }
}

/// The right to write a snapshot; given back when dropped, whatever has become of it.
struct Running<'b>(&'b Board);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        *lock(&self.0.job) = None;
        self.0.is_running.store(false, Ordering::Release);
    }
}
