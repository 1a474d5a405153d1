//! Transactions that are open: who runs what, which of them hold memory back, and the word that one has to stop.
//!
//! Owns one [`Open`] a session, the list of a core's, and the board on which each core writes its old ones for the others. Called by
//! sessions (a transaction begins, runs a statement, commits, ends; they look whether theirs was told to stop), `peers` (lists and stops
//! transactions for every core), `housekeeping` (writes the board), `admin::memory` (reads it).
//! What always holds: a session writes its own mark, a few cells, and nothing else on a request's path; who stops a transaction names it
//! by its number, so a later one of the same session is never meant; the board tells of transactions older than [`OLD`], the oldest of
//! each core first, as of its last look.

use quoit_graph::ids::CommitSeq;
use quoit_graph::value::Value;
use quoit_rt::Instant;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::{Rc, Weak};
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Waker};
use std::time::Duration;

/// Younger transactions are nobody's trouble.
const OLD: Duration = Duration::from_secs(1);
/// As many of a core are told of.
const TOLD: usize = 8;
/// The latest statements of a transaction that are shown with it.
const QUERIES_SHOWN: usize = 16;
/// A longer statement is shown up to here, in bytes.
const QUERY_BYTES_SHOWN: usize = 4 << 10;

/// How far a transaction has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Status {
    /// It reads and writes, or waits for its client.
    #[default]
    Running,
    /// It has its number, or is about to; its client waits for the answer.
    Committing,
    /// It was told to stop and has not done so yet.
    Aborting,
}

impl Status {
    /// The word that clients are shown.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Status::Running => "running",
            Status::Committing => "committing",
            Status::Aborting => "aborting",
        }
    }
}

/// What a session has open.
#[derive(Debug, Default)]
pub(crate) struct Open {
    /// The number in the client's connection id; 0 before it is given.
    pub(crate) connection: Cell<u64>,
    /// The name that the client has logged in with, and when, in microseconds since 1970; `None` while it has not.
    login: RefCell<Option<(Box<str>, u64)>>,
    /// The last number that a transaction of this core was given, and how far apart they are.
    numbers: Rc<Numbers>,
    /// The number of the transaction that is open, or was last.
    number: Cell<u64>,
    /// Since when one is open, and what it sees; nothing for a statement about the server.
    begun: Cell<Option<(Instant, Option<CommitSeq>)>>,
    transactions: Cell<u32>,
    status: Cell<Status>,
    queries: RefCell<VecDeque<Rc<String>>>,
    metadata: RefCell<Value>,
    /// Whoever waits in the session's stead, to be woken when the transaction is to stop.
    waiting: RefCell<Option<Waker>>,
}

/// The numbers of a core's transactions: `number % cores` is the core's own.
#[derive(Debug)]
struct Numbers {
    last: Cell<u64>,
    cores: u64,
}

impl Default for Numbers {
    fn default() -> Numbers {
        Numbers {
            last: Cell::new(0),
            cores: 1,
        }
    }
}

impl Open {
    /// A transaction begins; over when the answer is dropped. `snapshot`: absent for a statement about the server, which holds no memory
    /// back and cannot be stopped; `metadata`: what its client wants shown with it, or null.
    pub(crate) fn begin(
        self: &Rc<Open>,
        now: Instant,
        snapshot: Option<CommitSeq>,
        metadata: Value,
    ) -> OpenTransaction {
        let number = self.numbers.last.get() + self.numbers.cores;
        self.numbers.last.set(number);
        self.number.set(number);
        self.transactions.set(self.transactions.get() + 1);
        self.begun.set(Some((now, snapshot)));
        self.clear();
        if !matches!(metadata, Value::Null) {
            *self.metadata.borrow_mut() = metadata;
        }
        OpenTransaction(self.clone())
    }

    fn clear(&self) {
        self.status.set(Status::Running);
        self.queries.borrow_mut().clear();
        let metadata = &mut *self.metadata.borrow_mut();
        if !matches!(metadata, Value::Null) {
            *metadata = Value::Null;
        }
    }

    /// The transaction runs a statement.
    pub(crate) fn runs(&self, query: &Rc<String>) {
        let mut queries = self.queries.borrow_mut();
        if queries.len() == QUERIES_SHOWN {
            queries.pop_front();
        }
        queries.push_back(match query.len() <= QUERY_BYTES_SHOWN {
            true => query.clone(),
            false => {
                let end = query.floor_char_boundary(QUERY_BYTES_SHOWN);
                Rc::new(format!("{} ...", &query[..end]))
            }
        });
    }

    /// The client has logged in.
    pub(crate) fn logged_in(&self, user: &str, wall_clock_us: u64) {
        *self.login.borrow_mut() = Some((user.into(), wall_clock_us));
    }

    /// The client has logged off.
    pub(crate) fn logged_off(&self) {
        *self.login.borrow_mut() = None;
    }

    /// Whether the transaction that is open was told to stop.
    pub(crate) fn is_stopped(&self) -> bool {
        self.status.get() == Status::Aborting
    }

    /// Wakes `cx` when a transaction is told to stop.
    pub(crate) fn watch(&self, cx: &Context<'_>) {
        let mut waiting = self.waiting.borrow_mut();
        match &mut *waiting {
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
    }

    /// Tells the transaction of this number to stop; false if it is not open here, is past stopping, or cannot be stopped.
    fn stop(&self, number: u64) -> bool {
        let can_be_stopped = matches!(self.begun.get(), Some((_, Some(_))))
            && self.number.get() == number
            && self.status.get() != Status::Committing;
        if can_be_stopped {
            self.status.set(Status::Aborting);
            if let Some(waker) = self.waiting.take() {
                waker.wake();
            }
        }
        can_be_stopped
    }

    fn user(&self) -> String {
        let login = self.login.borrow();
        login
            .as_ref()
            .map_or(String::new(), |(user, _)| user.to_string())
    }

    fn listed(&self, now: Instant, wall_clock_us: u64) -> Option<ListedTransaction> {
        let (begun, _) = self.begun.get()?;
        let queries = self.queries.borrow();
        let age = now.saturating_since(begun);
        Some(ListedTransaction {
            number: self.number.get(),
            connection: self.connection.get(),
            user: self.user(),
            queries: queries.iter().map(|query| (**query).clone()).collect(),
            status: self.status.get(),
            metadata: self.metadata.borrow().clone(),
            age,
            since_us: wall_clock_us.saturating_sub(age.as_micros() as u64),
        })
    }
}

/// See [`Open::begin`].
#[derive(Debug)]
pub(crate) struct OpenTransaction(Rc<Open>);

impl OpenTransaction {
    /// It has its number: nobody stops it any more.
    pub(crate) fn commits(&self) {
        self.0.status.set(Status::Committing);
    }
}

impl Drop for OpenTransaction {
    fn drop(&mut self) {
        let left = self.0.transactions.get() - 1;
        self.0.transactions.set(left);
        if left == 0 {
            self.0.begun.set(None);
            self.0.clear();
        }
    }
}

/// A transaction as it is shown.
#[derive(Clone, Debug)]
pub(crate) struct ListedTransaction {
    /// Its number, unique on this server.
    pub(crate) number: u64,
    /// The number in the client's connection id.
    pub(crate) connection: u64,
    /// The name that the client has logged in with.
    pub(crate) user: String,
    /// Its latest statements, the last one last.
    pub(crate) queries: Vec<String>,
    pub(crate) status: Status,
    /// What its client wants shown with it: a map, or null.
    pub(crate) metadata: Value,
    /// How long it has been open.
    pub(crate) age: Duration,
    /// When it began, in microseconds since 1970.
    pub(crate) since_us: u64,
}

/// A client that is logged in.
#[derive(Clone, Debug)]
pub(crate) struct ListedUser {
    pub(crate) user: String,
    /// The number in the client's connection id.
    pub(crate) connection: u64,
    /// In microseconds since 1970.
    pub(crate) since_us: u64,
}

/// A core's sessions.
#[derive(Debug)]
pub(crate) struct Sessions {
    all: RefCell<Vec<Weak<Open>>>,
    numbers: Rc<Numbers>,
}

impl Sessions {
    /// Of core `core` of `cores`.
    pub(crate) fn new(core: usize, cores: usize) -> Sessions {
        Sessions {
            all: RefCell::default(),
            numbers: Rc::new(Numbers {
                last: Cell::new(core as u64),
                cores: cores.max(1) as u64,
            }),
        }
    }

    /// A new session's mark.
    pub(crate) fn register(&self) -> Rc<Open> {
        let open = Rc::new(Open {
            numbers: self.numbers.clone(),
            ..Open::default()
        });
        self.all.borrow_mut().push(Rc::downgrade(&open));
        open
    }

    /// The core whose transaction has this number.
    pub(crate) fn core_of(&self, number: u64) -> usize {
        (number % self.numbers.cores) as usize
    }

    fn each<T>(&self, told: impl Fn(&Open) -> Option<T>) -> Vec<T> {
        let mut sessions = self.all.borrow_mut();
        sessions.retain(|session| session.strong_count() > 0);
        let open = sessions.iter().filter_map(Weak::upgrade);
        open.filter_map(|session| told(&session)).collect()
    }

    /// The transactions that are open on this core; the time now by both clocks.
    pub(crate) fn transactions(&self, now: Instant, wall_clock_us: u64) -> Vec<ListedTransaction> {
        self.each(|session| session.listed(now, wall_clock_us))
    }

    /// The clients of this core that are logged in.
    pub(crate) fn users(&self) -> Vec<ListedUser> {
        self.each(|session| {
            let login = session.login.borrow();
            let (user, since_us) = login.as_ref()?;
            Some(ListedUser {
                user: user.to_string(),
                connection: session.connection.get(),
                since_us: *since_us,
            })
        })
    }

    /// Tells a transaction of this core to stop: its session does so at its next batch, or at once if it waits. False if there is no such
    /// transaction, or it is past stopping.
    pub(crate) fn stop(&self, number: u64) -> bool {
        self.each(|session| session.stop(number).then_some(()))
            .len()
            == 1
    }

    /// The old transactions of this core, oldest first.
    pub(crate) fn old(&self, now: Instant) -> Vec<OldTransaction> {
        let mut old: Vec<OldTransaction> = self.each(|session| {
            let (begun, snapshot) = session.begun.get()?;
            let snapshot = snapshot?;
            let age = now.saturating_since(begun);
            (age >= OLD).then_some(OldTransaction {
                connection: session.connection.get(),
                begun,
                snapshot,
            })
        });
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
        let sessions = Sessions::new(0, 1);
        let (old, young) = (sessions.register(), sessions.register());
        old.connection.set(7);
        let start = Instant::ZERO;
        let first = old.begin(start, Some(CommitSeq(3)), Value::Null);
        let other = young.begin(start + OLD, Some(CommitSeq(4)), Value::Null);
        let told = |after: Duration| {
            let told = sessions.old(start + after);
            told.iter().map(|t| t.snapshot.0).collect::<Vec<_>>()
        };
        assert_eq!(told(OLD / 2), [0; 0]);
        assert_eq!(told(OLD), [3]);
        assert_eq!(told(2 * OLD), [3, 4]);
        // Begun again before the former is dropped, as a retried statement is.
        let again = old.begin(start + OLD, Some(CommitSeq(5)), Value::Null);
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
    fn a_transaction_is_stopped_by_its_number_and_the_next_of_its_session_is_not_meant() {
        let sessions = Sessions::new(1, 4);
        let session = sessions.register();
        let begin = || session.begin(Instant::ZERO, Some(CommitSeq(1)), Value::Null);
        let number = || sessions.transactions(Instant::ZERO, 0)[0].number;
        let first = begin();
        let first_number = number();
        assert_eq!(sessions.core_of(first_number), 1);
        assert!(!session.is_stopped());
        assert!(sessions.stop(first_number) && session.is_stopped());
        drop(first);
        assert!(!session.is_stopped());
        let second = begin();
        assert!(!sessions.stop(first_number) && !session.is_stopped());
        second.commits();
        assert!(!sessions.stop(number()), "what commits is past stopping");
        drop(second);
        let about_the_server = session.begin(Instant::ZERO, None, Value::Null);
        assert!(!sessions.stop(number()));
        drop(about_the_server);
        assert!(sessions.transactions(Instant::ZERO, 0).is_empty());
    }

    #[test]
    fn a_transaction_shows_its_latest_statements_and_the_beginning_of_long_ones() {
        let sessions = Sessions::new(0, 1);
        let session = sessions.register();
        let open = session.begin(Instant::ZERO, Some(CommitSeq(1)), Value::Int(7));
        for number in 0..40 {
            session.runs(&Rc::new(format!("RETURN {number}")));
        }
        session.runs(&Rc::new("é".repeat(QUERY_BYTES_SHOWN)));
        let shown = sessions.transactions(Instant::ZERO, 0).remove(0);
        assert_eq!(shown.queries.len(), QUERIES_SHOWN);
        assert_eq!(shown.queries[QUERIES_SHOWN - 2], "RETURN 39");
        assert!(shown.queries[QUERIES_SHOWN - 1].len() <= QUERY_BYTES_SHOWN + 4);
        assert_eq!(shown.metadata, Value::Int(7));
        drop(open);
        let _next = session.begin(Instant::ZERO, Some(CommitSeq(1)), Value::Null);
        let shown = sessions.transactions(Instant::ZERO, 0).remove(0);
        assert!(shown.queries.is_empty() && shown.metadata == Value::Null);
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
