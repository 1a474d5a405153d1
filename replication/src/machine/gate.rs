//! Who feeds a replica: the session from the log, or the leading cores from the commit path.
//!
//! Owns one shared word per replica. The session (on one core) asks for the hand-over once it has read the log to its end;
//! the core that leads the next group grants it by stamping that group's number; the session then feeds what lies
//! before the stamp and stops. A leader whose lane is full closes the gate at the group it could not send,
//! and the session feeds from there. So every group is sent by one of the two, none by nobody:
//!
//! | state | leaders | session feeds |
//! | --- | --- | --- |
//! | `Closed { from }` | send nothing | from its own place; if it had reached the stamp, from `from` |
//! | `Requested` | the next one opens | on, as groups become durable |
//! | `Open { since }` | send every group from `since` on | what lies before `since` |
//!
//! Ordering: the word is only an agreement about numbers; the groups themselves travel through the log and the lanes. A
//! leader's exchange and the session's load are sequentially consistent because the session decides "nothing more to
//! feed" from this word and the log's tail together.

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use quoit_log::GroupSeq;

/// The word.
#[derive(Debug)]
pub struct Gate(AtomicU64);

/// What it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GateState {
    /// Leaders send nothing; `from` is the first group that one of them did not send (0 if none ever did).
    Closed {
        /// The first group not sent.
        from: GroupSeq,
    },
    /// The next leader opens.
    Requested,
    /// Leaders send every group from this one on.
    Open {
        /// The first group sent.
        since: GroupSeq,
    },
}

/// The answer to a leader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admit {
    /// The session feeds it.
    No,
    /// Send it.
    Yes,
    /// Send it, and tell the session, which waits for the stamp.
    Opened,
}

const TAG_SHIFT: u32 = 62;
const CLOSED: u64 = 0;
const REQUESTED: u64 = 1;
const OPEN: u64 = 2;

impl Gate {
    /// A closed gate.
    pub fn new() -> Gate {
        Gate(AtomicU64::new(
            GateState::Closed {
                from: GroupSeq::NONE,
            }
            .to_word(),
        ))
    }

    /// What it says now.
    pub fn state(&self) -> GateState {
        GateState::from_word(self.0.load(SeqCst))
    }

    /// The session asks the next leader to open. No effect unless closed.
    pub fn request(&self) {
        let word = self.0.load(SeqCst);
        if matches!(GateState::from_word(word), GateState::Closed { .. }) {
            let _ = self
                .0
                .compare_exchange(word, GateState::Requested.to_word(), SeqCst, SeqCst);
        }
    }

    /// The leader of `group` asks whether it is to send it. Leaders call this once a group, in the groups' order.
    pub fn admit(&self, group: GroupSeq) -> Admit {
        match self.state() {
            GateState::Closed { .. } => Admit::No,
            GateState::Open { .. } => Admit::Yes,
            GateState::Requested => match self.0.compare_exchange(
                GateState::Requested.to_word(),
                GateState::Open { since: group }.to_word(),
                SeqCst,
                SeqCst,
            ) {
                Ok(_) => Admit::Opened,
                // The session has shut the gate meanwhile.
                Err(_) => Admit::No,
            },
        }
    }

    /// The leader of `group`, which was admitted, cannot send it.
    pub fn close_at(&self, group: GroupSeq) {
        let word = self.0.load(SeqCst);
        if matches!(GateState::from_word(word), GateState::Open { .. }) {
            let closed = GateState::Closed { from: group }.to_word();
            let _ = self.0.compare_exchange(word, closed, SeqCst, SeqCst);
        }
    }

    /// The session has ended.
    pub fn shut(&self) {
        self.0.store(
            GateState::Closed {
                from: GroupSeq::NONE,
            }
            .to_word(),
            SeqCst,
        );
    }
}

impl Default for Gate {
    fn default() -> Gate {
        Gate::new()
    }
}

impl GateState {
    fn to_word(self) -> u64 {
        let (tag, group) = match self {
            GateState::Closed { from } => (CLOSED, from),
            GateState::Requested => (REQUESTED, GroupSeq::NONE),
            GateState::Open { since } => (OPEN, since),
        };
        assert!(group.0 >> TAG_SHIFT == 0, "group numbers stay below 2^62");
        tag << TAG_SHIFT | group.0
    }

    fn from_word(word: u64) -> GateState {
        let group = GroupSeq(word & ((1 << TAG_SHIFT) - 1));
        match word >> TAG_SHIFT {
            CLOSED => GateState::Closed { from: group },
            REQUESTED => GateState::Requested,
            _ => GateState::Open { since: group },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_leader_after_the_request_stamps_its_group() {
        let gate = Gate::new();
        assert_eq!(gate.admit(GroupSeq(1)), Admit::No);
        gate.request();
        assert_eq!(gate.state(), GateState::Requested);
        assert_eq!(gate.admit(GroupSeq(2)), Admit::Opened);
        assert_eq!(gate.admit(GroupSeq(3)), Admit::Yes);
        assert_eq!(gate.state(), GateState::Open { since: GroupSeq(2) });
    }

    #[test]
    fn a_leader_that_cannot_send_closes_at_its_group() {
        let gate = Gate::new();
        gate.request();
        assert_eq!(gate.admit(GroupSeq(5)), Admit::Opened);
        gate.close_at(GroupSeq(7));
        assert_eq!(gate.state(), GateState::Closed { from: GroupSeq(7) });
        assert_eq!(gate.admit(GroupSeq(8)), Admit::No);
        gate.close_at(GroupSeq(8));
        assert_eq!(
            gate.state(),
            GateState::Closed { from: GroupSeq(7) },
            "only the first is remembered"
        );
    }

    #[test]
    fn a_request_changes_nothing_while_the_gate_is_open() {
        let gate = Gate::new();
        gate.request();
        assert_eq!(gate.admit(GroupSeq(1)), Admit::Opened);
        gate.request();
        assert_eq!(gate.state(), GateState::Open { since: GroupSeq(1) });
    }
}
