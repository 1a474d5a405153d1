//! The last position that two histories share, found by asking few questions.
//!
//! Owns the search; called by the MAIN's side of a session. A position's chain covers everything before it, so "equal
//! at group g" holds for a prefix of the groups and for nothing after it: the search halves.

use quoit_log::{GroupSeq, LogPosition};

/// A search under way.
#[derive(Clone, Debug)]
pub struct Search {
    /// Known to be common.
    common: LogPosition,
    /// Known not to be common.
    differs: GroupSeq,
}

/// What the search does next.
#[derive(Clone, Debug, PartialEq)]
pub enum Next {
    /// Compare both sides' positions at this group.
    Ask(GroupSeq),
    /// The last common position.
    Common(LogPosition),
}

impl Search {
    /// Between the empty history and a replica's position `theirs` that is not in ours, which ends at `tail`.
    pub fn new(theirs: GroupSeq, tail: GroupSeq) -> Search {
        // Beyond the shorter history nothing is common.
        Search {
            common: LogPosition::EMPTY,
            differs: theirs.min(tail.next()),
        }
    }

    /// What to ask. The newest candidate first: after a restart of the MAIN it is nearly always the answer.
    pub fn next(&self, first: bool) -> Next {
        let (low, high) = (self.common.group.0, self.differs.0);
        if low + 1 >= high {
            return Next::Common(self.common);
        }
        Next::Ask(GroupSeq(if first {
            high - 1
        } else {
            low + (high - low) / 2
        }))
    }

    /// Both sides' answers for `asked`.
    pub fn answer(
        &mut self,
        asked: GroupSeq,
        ours: Option<LogPosition>,
        theirs: Option<LogPosition>,
    ) {
        match (ours, theirs) {
            (Some(ours), Some(theirs)) if same_history(&ours, &theirs) && ours.group == asked => {
                self.common = ours
            }
            _ => self.differs = self.differs.min(asked),
        }
    }
}

/// Whether two positions have the same history before them.
pub fn same_history(a: &LogPosition, b: &LogPosition) -> bool {
    a.group == b.group && a.chain == b.chain
}

#[cfg(test)]
mod tests {
    use quoit_log::{Chain, CommitSeq};

    use super::*;

    fn position(group: u64, branch_after: u64, branch: u64) -> LogPosition {
        let chain = Chain(if group > branch_after {
            group * 1000 + branch
        } else {
            group * 1000
        });
        LogPosition {
            group: GroupSeq(group),
            commit: CommitSeq(group),
            chain,
            ..LogPosition::EMPTY
        }
    }

    #[test]
    fn the_search_finds_the_fork_of_every_pair_of_histories() {
        for fork in 0..20u64 {
            for ours in fork..24 {
                for theirs in fork..24 {
                    let mut search = Search::new(GroupSeq(theirs), GroupSeq(ours));
                    // A caller begins only when the replica's end is not in our history.
                    if theirs == fork && ours >= theirs {
                        continue;
                    }
                    let mut questions = 0;
                    let found = loop {
                        match search.next(questions == 0) {
                            Next::Common(found) => break found,
                            Next::Ask(group) => {
                                let at = |tail: u64, branch| {
                                    (group.0 <= tail).then(|| position(group.0, fork, branch))
                                };
                                search.answer(group, at(ours, 1), at(theirs, 2));
                                questions += 1;
                                assert!(questions < 10, "fork {fork}, {ours}, {theirs}");
                            }
                        }
                    };
                    assert_eq!(found.group.0, fork, "{ours} {theirs}");
                }
            }
        }
    }
}
