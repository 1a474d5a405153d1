//! What the cores that work on one statement share.
//!
//! Owned here: [`Job`], and what goes to a helper ([`Offer`]) and comes back ([`Message`]). Called by `leader` and `helper`.
//! Always holds: all of it is atomic or never changes; a queue has one writer and one reader; whoever sends wakes the other side
//! after it, and who waits has said so before its last look (that is the waker's part).

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::Waker;
use std::time::Duration;

use quoit_cypher::error::Error;
use quoit_graph::Loan;
use quoit_graph::value::Value;

use super::Part;
use super::deal::{Morsels, Seat};
use crate::operator::Batch;
use crate::plan::describe::Measured;

/// Messages from one helper that the leader has not taken in: beyond that the helper waits.
pub(super) const MESSAGES_MAX: usize = 16;

/// What a helper says to its leader.
pub(super) enum Message {
    /// Rows of the operators below the gathering one.
    Rows(Batch),
    /// What its aggregate came to.
    Part(Part),
    /// It has failed, and ends.
    Failed(Error),
    /// No morsel is left and everything was said; what its operators did, if they were measured.
    End(Vec<Measured>),
}

/// See the module.
pub(super) struct Job {
    pub(super) work: Work,
    /// Messages sent so far, and helpers gone: changes when the leader has something to look at.
    news: AtomicU64,
    leader: Waker,
    pub(super) seats: Box<[Place]>,
}

/// What concerns one helper.
#[derive(Default)]
pub(super) struct Place {
    pub(super) seat: Seat,
    /// Set by the helper when it begins.
    pub(super) waker: OnceLock<Waker>,
}

/// What is to be done.
pub(super) struct Work {
    /// The statement.
    pub(super) text: Arc<str>,
    /// Of the leader's plan.
    pub(super) fingerprint: u64,
    /// Which of its gathering operators.
    pub(super) gather: u32,
    /// Values of parameters by their numbers in the plan.
    pub(super) parameters: Box<[Value]>,
    /// When the statement began, since 1970-01-01T00:00Z.
    pub(super) statement_time: Duration,
    /// Bytes that all cores hold for the statement.
    pub(super) held: Arc<AtomicU64>,
    /// Bytes that they may hold.
    pub(super) held_max: u64,
    pub(super) morsels: Arc<Morsels>,
}

impl Job {
    pub(super) fn new(work: Work, leader: Waker, helpers: usize) -> Job {
        Job {
            work,
            news: AtomicU64::new(0),
            leader,
            seats: (0..helpers).map(|_| Place::default()).collect(),
        }
    }

    /// How much there was to look at so far.
    pub(super) fn news(&self) -> u64 {
        self.news.load(Ordering::Acquire)
    }

    /// Has the leader look.
    pub(super) fn tell_leader(&self) {
        self.news.fetch_add(1, Ordering::Release);
        self.leader.wake_by_ref();
    }

    /// Has a helper look.
    pub(super) fn tell_helper(&self, helper: usize) {
        if let Some(waker) = self.seats[helper].waker.get() {
            waker.wake_by_ref();
        }
    }
}

/// Another core is asked to help.
pub struct Offer {
    pub(super) job: Arc<Job>,
    pub(super) loan: Loan,
    pub(super) outbox: Outbox,
}

/// A helper's way back. When it goes, the leader looks whether the helper has said all.
pub(super) struct Outbox {
    pub(super) helper: usize,
    queue: Option<rtrb::Producer<Message>>,
    job: Arc<Job>,
}

impl Outbox {
    pub(super) fn new(job: Arc<Job>, helper: usize, queue: rtrb::Producer<Message>) -> Outbox {
        Outbox {
            helper,
            queue: Some(queue),
            job,
        }
    }

    /// Sends, if there is room; else gives it back.
    pub(super) fn send(&mut self, message: Message) -> Option<Message> {
        let refused = match self.queue.as_mut()?.push(message) {
            Ok(()) => None,
            Err(rtrb::PushError::Full(message)) => Some(message),
        };
        if refused.is_none() {
            self.job.tell_leader();
        }
        refused
    }

    /// Whether the next message goes out.
    pub(super) fn has_room(&self) -> bool {
        self.queue.as_ref().is_none_or(|queue| !queue.is_full())
    }
}

impl Drop for Outbox {
    fn drop(&mut self) {
        // First gone, then told.
        self.queue = None;
        self.job.tell_leader();
    }
}

/// What an execution that waits for other cores waits for.
pub struct Awaited {
    pub(super) job: Arc<Job>,
    pub(super) seen: u64,
}

impl Awaited {
    /// Whether the execution can go on.
    pub fn has_come(&self) -> bool {
        self.job.news() != self.seen
    }
}
