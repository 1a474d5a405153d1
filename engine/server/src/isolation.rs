//! Isolation levels as an operator sets them: for everybody, for a session, for its next transaction.
//!
//! Owns which level a transaction begins with, the levels' words (Memgraph's), and the setting in the log that keeps the global one.
//! Called by sessions (at each beginning, and by `SET ... TRANSACTION ISOLATION LEVEL`), `admin::show`, and `start` (settings that
//! frames carry). What always holds: the narrowest level that was set wins (next transaction, session, global, `--isolation-level`);
//! of two global ones the one that committed later, on every core, after a restart and on every replica. What a level means is `graph`'s.

use quoit_cypher::ast::admin::IsolationLevel;
use quoit_graph::{AppliedSetting, Isolation};
use std::sync::atomic::{AtomicU64, Ordering};

/// The name of the setting in the log; its value is the level's word.
pub(crate) const SETTING: &str = "isolation_level";

const LEVELS: [Isolation; 3] = [
    Isolation::Snapshot,
    Isolation::ReadCommitted,
    Isolation::ReadUncommitted,
];

/// The word of a level, as in `--isolation-level` and `SHOW STORAGE INFO`.
pub(crate) fn word(level: Isolation) -> &'static str {
    match level {
        Isolation::ReadCommitted => "READ_COMMITTED",
        Isolation::ReadUncommitted => "READ_UNCOMMITTED",
        _ => "SNAPSHOT_ISOLATION",
    }
}

/// The level of a word.
fn of_word(text: &str) -> Option<Isolation> {
    LEVELS.into_iter().find(|&level| word(level) == text)
}

/// The level that a statement names; `None` for one that is not to be had.
pub(crate) fn of_statement(level: IsolationLevel) -> Option<Isolation> {
    match level {
        IsolationLevel::Snapshot => Some(Isolation::Snapshot),
        IsolationLevel::ReadCommitted => Some(Isolation::ReadCommitted),
        IsolationLevel::ReadUncommitted => Some(Isolation::ReadUncommitted),
        IsolationLevel::Serializable => None,
    }
}

/// The level of everybody who has not chosen another.
#[derive(Debug)]
pub(crate) struct Global {
    default: Isolation,
    /// `commit << 2 | place in LEVELS` of the newest setting; 0 while there is none.
    set: AtomicU64,
}

impl Global {
    pub(crate) fn new(default: Isolation) -> Global {
        Global {
            default,
            set: AtomicU64::new(0),
        }
    }

    pub(crate) fn level(&self) -> Isolation {
        match self.set.load(Ordering::Relaxed) {
            0 => self.default,
            set => LEVELS[(set & 3) as usize],
        }
    }

    /// The level that a statement has set for everybody, if one has.
    pub(crate) fn set_level(&self) -> Option<Isolation> {
        match self.set.load(Ordering::Relaxed) {
            0 => None,
            set => Some(LEVELS[(set & 3) as usize]),
        }
    }

    /// A setting that has committed.
    pub(crate) fn committed(&self, level: Isolation, commit: u64) {
        let place = LEVELS.iter().position(|&known| known == level);
        let place = place.expect("every level has its place") as u64;
        self.set.fetch_max(commit << 2 | place, Ordering::Relaxed);
    }

    /// A setting that came in a frame, of this name or another. A word that this version does not know changes nothing.
    pub(crate) fn applied(&self, setting: &AppliedSetting) {
        let level = std::str::from_utf8(&setting.value).ok().and_then(of_word);
        if setting.name == SETTING
            && let Some(level) = level
        {
            self.committed(level, setting.commit.0);
        }
    }
}

/// What a session has chosen.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Chosen {
    /// For all its transactions.
    pub(crate) session: Option<Isolation>,
    /// For the next one.
    pub(crate) next: Option<Isolation>,
}

impl Chosen {
    /// The level of a transaction that begins now.
    pub(crate) fn take(&mut self, global: &Global) -> Isolation {
        let next = self.next.take();
        next.or(self.session).unwrap_or_else(|| global.level())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quoit_graph::ids::CommitSeq;

    #[test]
    fn the_narrowest_level_wins_and_that_of_the_next_transaction_is_used_once() {
        let global = Global::new(Isolation::Snapshot);
        let mut chosen = Chosen::default();
        assert_eq!(chosen.take(&global), Isolation::Snapshot);
        global.committed(Isolation::ReadCommitted, 7);
        assert_eq!(chosen.take(&global), Isolation::ReadCommitted);
        chosen.session = Some(Isolation::Snapshot);
        chosen.next = Some(Isolation::ReadUncommitted);
        assert_eq!(chosen.take(&global), Isolation::ReadUncommitted);
        assert_eq!(chosen.take(&global), Isolation::Snapshot);
    }

    #[test]
    fn of_two_global_levels_the_later_commit_stands_whichever_is_heard_of_first() {
        let global = Global::new(Isolation::Snapshot);
        let setting = |word: &str, commit| AppliedSetting {
            name: SETTING.into(),
            value: word.into(),
            commit: CommitSeq(commit),
        };
        global.applied(&setting("READ_UNCOMMITTED", 9));
        global.committed(Isolation::ReadCommitted, 8);
        assert_eq!(global.level(), Isolation::ReadUncommitted);
        global.applied(&setting("SERIALIZABLE", 10));
        assert_eq!(global.level(), Isolation::ReadUncommitted);
        global.applied(&setting("SNAPSHOT_ISOLATION", 11));
        assert_eq!(global.level(), Isolation::Snapshot);
    }

    #[test]
    fn every_level_has_a_word_of_its_own() {
        for level in LEVELS {
            assert_eq!(of_word(word(level)), Some(level));
        }
        assert_eq!(of_word("SERIALIZABLE"), None);
    }
}
