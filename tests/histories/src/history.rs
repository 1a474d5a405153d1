//! What was done and what was answered.
//!
//! Owned here: the record and the clock it is made with. Always holds: an element is appended by at most one transaction; times are
//! of one counter, so that "completed before the other was invoked" is what really happened.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

/// Names a list.
pub type Key = u32;
/// Appended once in a history, to one list.
pub type Element = u64;

/// One operation of a transaction, as far as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// The element was appended, unless the transaction failed.
    Append(Key, Element),
    /// The whole list was read.
    Read(Key, Vec<Element>),
}

/// How a transaction ended for who ran it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It committed.
    Ok,
    /// It did not.
    Failed,
    /// Nobody knows.
    Unknown,
}

/// One transaction.
#[derive(Clone, Debug)]
pub struct Transaction {
    /// Who ran it; a process runs one at a time.
    pub process: u32,
    /// What it did.
    pub operations: Vec<Operation>,
    /// How it ended.
    pub outcome: Outcome,
    /// When it was begun.
    pub invoked: u64,
    /// When its end was known.
    pub completed: u64,
}

/// A recorded run.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// All transactions, in any order.
    pub transactions: Vec<Transaction>,
    /// Every list, read when everything was over.
    pub last: BTreeMap<Key, Vec<Element>>,
    /// Reads that came out differently by two ways through the same data (forwards and backwards, scan and index).
    pub torn: u64,
}

impl History {
    /// Takes in what another process has recorded.
    pub fn extend(&mut self, other: History) {
        self.transactions.extend(other.transactions);
        self.torn += other.torn;
    }
}

/// Gives the times of a history.
#[derive(Debug, Default)]
pub struct Clock(AtomicU64);

impl Clock {
    /// The next time.
    pub fn tick(&self) -> u64 {
        self.0.fetch_add(1, Ordering::SeqCst)
    }
}
