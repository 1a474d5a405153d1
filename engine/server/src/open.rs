//! Transactions that are open, and which of them hold memory back.
//!
//! Owns one [`Open`] a session, the list of a core's, and the board on which each core writes its old ones for the others. Called by
//! sessions (a transaction begins and ends), `housekeeping` (writes the board), `admin::memory` (reads it).
//! What always holds: a session writes its own mark, two cells, and nothing else on a request's path; the board tells of
//! transactions older than [`OLD`], the oldest of each core first, as of its last look.

use quoit_graph::ids::CommitSeq;
use quoit_rt::Instant;
use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Younger transactions are nobody's trouble.
const OLD: Duration = Duration::from_secs(1);
/// As many of a core are told of.
const TOLD: usize = 8;

/// What a session has open.
#[derive(Debug, Default)]
pub(crate) struct Open {
    /// The number in the client's connection id.
    pub(crate) connection: Cell<u64>,
    begun: Cell<Option<(Instant, CommitSeq)>>,
    transactions: Cell<u32>,
}

impl Open {
    /// A transaction begins; over when the answer is dropped.
    pub(crate) fn begin(self: &Rc<Open>, now: Instant, snapshot: CommitSeq) -> OpenTransaction {
        self.transactions.set(self.transactions.get() + 1);
        self.begun.set(Some((now, snapshot)));
        OpenTransaction(self.clone())
    }
}

/// See [`Open::begin`].
#[derive(Debug)]
pub(crate) struct OpenTransaction(Rc<Open>);

impl Drop for OpenTransaction {
    fn drop(&mut self) {
        let left = self.0.transactions.get() - 1;
        self.0.transactions.set(left);
        if left == 0 {
            self.0.begun.set(None);
        }
    }
}

/// A core's sessions.
#[derive(Debug, Default)]
pub(crate) struct Sessions(RefCell<Vec<Weak<Open>>>);

impl Sessions {
    /// A new session's mark.
    pub(crate) fn register(&self) -> Rc<Open> {
        let open = Rc::new(Open::default());
        self.0.borrow_mut().push(Rc::downgrade(&open));
        open
    }

    /// The old transactions of this core, oldest first.
    pub(crate) fn old(&self, now: Instant) -> Vec<OldTransaction> {
        let mut sessions = self.0.borrow_mut();
        sessions.retain(|session| session.strong_count() > 0);
        let mut old: Vec<OldTransaction> = sessions
            .iter()
            .filter_map(Weak::upgrade)
            .filter_map(|session| {
                let (begun, snapshot) = session.begun.get()?;
                let age = now.saturating_since(begun);
                (age >= OLD).then_some(OldTransaction {
                    connection: session.connection.get(),
                    begun,
                    snapshot,
                })
            })
            .collect();
        old.sort_by_key(|transaction| transaction.begun);
        old.truncate(TOLD);
        old
    }
}

/// A transaction that has been open for long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OldTransaction {
    /// The number in the client's connection id.
    pub(crate) connection: u64,
    /// When it began.
    pub(crate) begun: Instant,
    /// What it began at.
    pub(crate) snapshot: CommitSeq,
}

/// Where cores tell each other of old transactions; no request takes its locks.
#[derive(Debug)]
pub(crate) struct Board(Box<[Mutex<Vec<OldTransaction>>]>);

impl Board {
    /// For `cores` cores.
    pub(crate) fn new(cores: usize) -> Board {
        Board((0..cores).map(|_| Mutex::default()).collect())
    }

    /// Writes down a core's.
    pub(crate) fn tell(&self, core: usize, old: Vec<OldTransaction>) {
        *self.0[core].lock().unwrap_or_else(PoisonError::into_inner) = old;
    }

    /// All of them with their core's number, oldest first.
    pub(crate) fn all(&self) -> Vec<(usize, OldTransaction)> {
        let mut all: Vec<(usize, OldTransaction)> = Vec::new();
        for (core, old) in self.0.iter().enumerate() {
            let old = old.lock().unwrap_or_else(PoisonError::into_inner);
            all.extend(old.iter().map(|&transaction| (core, transaction)));
        }
        all.sort_by_key(|(_, transaction)| transaction.begun);
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transaction_is_told_of_when_it_is_old_and_until_its_session_has_none() {
        let sessions = Sessions::default();
        let (old, young) = (sessions.register(), sessions.register());
        old.connection.set(7);
        let start = Instant::ZERO;
        let first = old.begin(start, CommitSeq(3));
        let other = young.begin(start + OLD, CommitSeq(4));
        let told = |after: Duration| {
            let told = sessions.old(start + after);
            told.iter().map(|t| t.snapshot.0).collect::<Vec<_>>()
        };
        assert_eq!(told(OLD / 2), [0; 0]);
        assert_eq!(told(OLD), [3]);
        assert_eq!(told(2 * OLD), [3, 4]);
        // Begun again before the former is dropped, as a retried statement is.
        let again = old.begin(start + OLD, CommitSeq(5));
        drop(first);
        assert_eq!(told(2 * OLD), [5, 4]);
        drop(again);
        assert_eq!(told(2 * OLD), [4]);
        drop((old, young));
        assert_eq!(told(2 * OLD), [4], "it is open, whoever holds it");
        drop(other);
        assert_eq!(told(2 * OLD), [0; 0]);
    }

    #[test]
    fn the_board_tells_of_all_cores_oldest_first() {
        let board = Board::new(2);
        let start = Instant::ZERO;
        let at = |seconds: u64| OldTransaction {
            connection: seconds,
            begun: start + Duration::from_secs(seconds),
            snapshot: CommitSeq(seconds),
        };
        board.tell(0, vec![at(5)]);
        board.tell(1, vec![at(2), at(9)]);
        let told = |board: &Board| -> Vec<(usize, u64)> {
            let all = board.all();
            all.iter().map(|(core, t)| (*core, t.connection)).collect()
        };
        assert_eq!(told(&board), [(1, 2), (0, 5), (1, 9)]);
        board.tell(1, Vec::new());
        assert_eq!(told(&board), [(0, 5)]);
    }
}
