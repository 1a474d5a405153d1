//! Where a history stands: terms, incarnations, group numbers, chain checksums.
//!
//! Owns the words by which two nodes compare their logs. Called by every other module here and by
//! the replication crate, whose hello and acknowledgements carry these values. What always holds:
//! two groups with equal [`Chain`] have equal histories up to and including them, because the chain
//! covers the history header (with the random ids of term and incarnation) and the checksum of the
//! frames of every group since the first. Who may open a term, and what to do with two histories
//! that differ, is left to replication.

use std::fmt;

use crate::CommitSeq;

/// A reign of one MAIN. Changed only by promotion; a random id tells apart two nodes that both
/// counted to the same number (design D12).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Term {
    /// 1 for the term opened by a cluster's first write or REGISTER; each promotion adds one.
    pub counter: u64,
    /// Drawn when the term is opened.
    pub id: u64,
}

impl Term {
    /// No term: a log that never held a write.
    pub const NONE: Term = Term { counter: 0, id: 0 };

    /// Whether this is [`Term::NONE`].
    pub fn is_none(self) -> bool {
        self == Term::NONE
    }
}

/// One start of a process as MAIN. Counted through all terms of a log; the random id makes a number
/// that was opened but lost before it was durable distinct from its second opening.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Incarnation {
    /// 1, 2, 3 … over the whole history of a log.
    pub number: u64,
    /// Drawn when the incarnation is opened.
    pub id: u64,
}

impl Incarnation {
    /// No incarnation: a log that never held a write.
    pub const NONE: Incarnation = Incarnation { number: 0, id: 0 };
}

/// The number of a group in the history: 1, 2, 3 … without gaps; 0 stands before the first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct GroupSeq(pub u64);

impl GroupSeq {
    /// Before the first group.
    pub const NONE: GroupSeq = GroupSeq(0);

    /// The group after this one.
    pub fn next(self) -> GroupSeq {
        GroupSeq(self.0 + 1)
    }

    /// The group before this one; `NONE` stays `NONE`.
    pub fn previous(self) -> GroupSeq {
        GroupSeq(self.0.saturating_sub(1))
    }
}

/// The chained checksum of a history up to and including one group; 0 before the first. XXH3-64 over
/// the group's history header, seeded by the chain of the group before.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Chain(pub u64);

impl Chain {
    /// Before the first group.
    pub const NONE: Chain = Chain(0);
}

/// A point in one history: everything up to and including `group`. Two positions with equal group
/// and chain have the same history before them.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct LogPosition {
    /// The term in which `group` was formed.
    pub term: Term,
    /// The incarnation in which `group` was formed.
    pub incarnation: Incarnation,
    /// The last group.
    pub group: GroupSeq,
    /// The last commit number in or before `group`; 0 when there is none.
    pub commit: CommitSeq,
    /// The chain up to `group`.
    pub chain: Chain,
}

impl LogPosition {
    /// Of a log that holds nothing.
    pub const EMPTY: LogPosition = LogPosition {
        term: Term::NONE,
        incarnation: Incarnation::NONE,
        group: GroupSeq::NONE,
        commit: CommitSeq(0),
        chain: Chain::NONE,
    };

    /// Whether nothing precedes this position.
    pub fn is_empty(&self) -> bool {
        self.group == GroupSeq::NONE
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{:016x}", self.counter, self.id)
    }
}

impl fmt::Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{:016x}", self.number, self.id)
    }
}

impl fmt::Display for GroupSeq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Display for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Chain({:016x})", self.0)
    }
}

impl fmt::Display for LogPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "group {} (commit {}, term {}, incarnation {}, chain {})",
            self.group, self.commit.0, self.term, self.incarnation, self.chain
        )
    }
}
