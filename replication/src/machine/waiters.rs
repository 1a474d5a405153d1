//! A core's commits that wait for one replica, and when it gives them up.
//!
//! Owns the queue and its deadline rule; one per core and replica, so one armed timer each. Always: the queue is
//! ordered by commit number and by deadline alike; a waiter leaves it exactly once, with one [`Outcome`]; nobody is
//! given up before what has arrived was taken in ([`Waiters::expired`] asks for that with the newest words).
//!
//! | mode | the first waiter's deadline |
//! | --- | --- |
//! | SYNC | `--replica-timeout` after the last acknowledgement that moved, or after it began to wait, whichever is later |
//! | SYNC WITH TIMEOUT t | t after it began to wait |

use std::collections::VecDeque;
use std::time::Duration;

use quoit_log::CommitSeq;

use super::Time;
use super::effective::Spell;
use crate::statement::{Mode, Reason};

/// When waiting ends unanswered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// So long without progress.
    Progress(Duration),
    /// So long in all.
    Total(Duration),
}

impl Patience {
    /// Of a mode; `None` for ASYNC, which never waits.
    pub fn of(mode: Mode, replica_timeout: Duration) -> Option<Patience> {
        match mode {
            Mode::Async => None,
            Mode::Sync => Some(Patience::Progress(replica_timeout)),
            Mode::SyncTimeout(timeout) => Some(Patience::Total(timeout)),
        }
    }

    /// The reason that the warning gives; `reachable`: a session with the replica runs. Semi-sync says what the replica
    /// counts as from now on, whatever kept it.
    pub fn reason(self, reachable: bool) -> Reason {
        match self {
            Patience::Progress(_) if reachable => Reason::NoProgress,
            Patience::Progress(_) => Reason::NotCaughtUp,
            Patience::Total(_) => Reason::Timeout,
        }
    }

    /// Whether a commit that finds the replica given up says so: SYNC does each time, semi-sync said so once, when the
    /// mode changed.
    pub fn warns_while_given_up(self) -> bool {
        matches!(self, Patience::Progress(_))
    }
}

/// How a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is on the replica's disk.
    Confirmed,
    /// The spell ended first.
    GivenUp(Reason),
}

/// What a commit is to do about one replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Submission {
    /// Nothing.
    Nothing,
    /// Warn at once.
    Warn(Reason),
    /// Wait in the spell.
    Wait(Spell),
}

/// Decides for a commit, from the newest words.
pub fn submission(
    patience: Option<Patience>,
    commit: CommitSeq,
    acked: CommitSeq,
    spell: Spell,
) -> Submission {
    let Some(patience) = patience else {
        return Submission::Nothing;
    };
    if acked >= commit {
        return Submission::Nothing;
    }
    match spell.given_up {
        None => Submission::Wait(spell),
        Some(reason) if patience.warns_while_given_up() => Submission::Warn(reason),
        Some(_) => Submission::Nothing,
    }
}

#[derive(Debug)]
struct Waiter<T> {
    commit: CommitSeq,
    since: Time,
    spell: u64,
    ticket: T,
}

/// The queue. `T` is whatever finds the waiting commit again.
#[derive(Debug)]
pub struct Waiters<T> {
    patience: Patience,
    queue: VecDeque<Waiter<T>>,
}

impl<T> Waiters<T> {
    /// An empty queue.
    pub fn new(patience: Patience) -> Waiters<T> {
        Waiters {
            patience,
            queue: VecDeque::new(),
        }
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// Whether nobody waits.
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// A commit begins to wait. A core's commits come in the order of their numbers; one that comes late takes the
    /// place of its number, and with it the deadline of the one that follows.
    pub fn push(&mut self, commit: CommitSeq, spell: Spell, now: Time, ticket: T) {
        let at = self
            .queue
            .iter()
            .rposition(|w| w.commit <= commit)
            .map_or(0, |before| before + 1);
        let since = self
            .queue
            .get(at)
            .map_or(now, |following| following.since.min(now));
        self.queue.insert(
            at,
            Waiter {
                commit,
                since,
                spell: spell.number,
                ticket,
            },
        );
    }

    /// Resolves whom the newest words release: the acknowledged, then those whose spell has ended.
    pub fn release(&mut self, acked: CommitSeq, spell: Spell, mut resolve: impl FnMut(T, Outcome)) {
        while self.queue.front().is_some_and(|w| w.commit <= acked) {
            let waiter = self.queue.pop_front().expect("looked at");
            resolve(waiter.ticket, Outcome::Confirmed);
        }
        if self.queue.iter().any(|w| w.spell != spell.number) {
            // A spell that follows another one's end without a reason of its own was resumed meanwhile.
            let reason = spell.given_up.unwrap_or(self.patience.reason(true));
            for waiter in std::mem::take(&mut self.queue) {
                if waiter.spell == spell.number {
                    self.queue.push_back(waiter);
                } else {
                    resolve(waiter.ticket, Outcome::GivenUp(reason));
                }
            }
        }
    }

    /// When [`Waiters::expired`] is to be asked; `None` when nobody waits.
    pub fn deadline(&self, last_progress: Time) -> Option<Time> {
        let first = self.queue.front()?;
        Some(match self.patience {
            Patience::Progress(patience) => first.since.max(last_progress) + patience,
            Patience::Total(patience) => first.since + patience,
        })
    }

    /// After [`Waiters::release`] with words read after everything that has arrived was taken in: the spell and the reason
    /// with which to give up, if it is time. What is known of the replica words the reason; it shortens no wait.
    pub fn expired(&self, last_progress: Time, now: Time, reachable: bool) -> Option<Reason> {
        self.deadline(last_progress)
            .filter(|deadline| *deadline <= now)
            .map(|_| self.patience.reason(reachable))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);
    const SPELL: Spell = Spell {
        number: 2,
        given_up: None,
    };

    fn at(seconds: u32) -> Time {
        S * seconds
    }

    fn released(waiters: &mut Waiters<u32>, acked: u64, spell: Spell) -> Vec<(u32, Outcome)> {
        let mut out = Vec::new();
        waiters.release(CommitSeq(acked), spell, |ticket, outcome| {
            out.push((ticket, outcome))
        });
        out
    }

    /// The mode table's first decision, every row of it.
    #[test]
    fn a_commit_waits_warns_or_goes_on_as_the_mode_table_says() {
        let (sync, semi) = (Some(Patience::Progress(S)), Some(Patience::Total(S)));
        let gone = |reason| Spell {
            number: 3,
            given_up: Some(reason),
        };
        for (patience, acked, spell, expected) in [
            (None, 0, SPELL, Submission::Nothing),
            (None, 0, gone(Reason::NotCaughtUp), Submission::Nothing),
            (sync, 4, SPELL, Submission::Wait(SPELL)),
            (sync, 5, SPELL, Submission::Nothing),
            (sync, 5, gone(Reason::NoProgress), Submission::Nothing),
            (
                sync,
                4,
                gone(Reason::NoProgress),
                Submission::Warn(Reason::NoProgress),
            ),
            (
                sync,
                4,
                gone(Reason::NotCaughtUp),
                Submission::Warn(Reason::NotCaughtUp),
            ),
            (
                sync,
                4,
                gone(Reason::Diverged),
                Submission::Warn(Reason::Diverged),
            ),
            (semi, 4, SPELL, Submission::Wait(SPELL)),
            (semi, 5, SPELL, Submission::Nothing),
            (semi, 4, gone(Reason::Timeout), Submission::Nothing),
            (semi, 4, gone(Reason::NotCaughtUp), Submission::Nothing),
        ] {
            assert_eq!(
                submission(patience, CommitSeq(5), CommitSeq(acked), spell),
                expected
            );
        }
    }

    #[test]
    fn an_acknowledgement_releases_a_prefix_in_order() {
        let mut waiters = Waiters::new(Patience::Progress(S));
        for commit in 1..=4 {
            waiters.push(CommitSeq(commit), SPELL, at(commit as u32), commit as u32);
        }
        assert_eq!(
            released(&mut waiters, 2, SPELL),
            [(1, Outcome::Confirmed), (2, Outcome::Confirmed)]
        );
        assert_eq!(waiters.len(), 2);
        assert_eq!(released(&mut waiters, 2, SPELL), []);
    }

    #[test]
    fn everyone_who_waits_when_the_spell_ends_is_warned_and_nobody_after() {
        let mut waiters = Waiters::new(Patience::Total(S));
        waiters.push(CommitSeq(1), SPELL, at(0), 1);
        waiters.push(CommitSeq(2), SPELL, at(1), 2);
        let gone = Spell {
            number: 3,
            given_up: Some(Reason::Timeout),
        };
        assert_eq!(
            released(&mut waiters, 1, gone),
            [
                (1, Outcome::Confirmed),
                (2, Outcome::GivenUp(Reason::Timeout))
            ]
        );
        assert_eq!(
            submission(Some(Patience::Total(S)), CommitSeq(3), CommitSeq(1), gone),
            Submission::Nothing
        );
    }

    #[test]
    fn a_spell_that_ended_and_was_followed_by_another_still_releases_its_waiters() {
        let mut waiters = Waiters::new(Patience::Total(S));
        waiters.push(CommitSeq(1), SPELL, at(0), 1);
        let later = Spell {
            number: 4,
            given_up: None,
        };
        waiters.push(CommitSeq(2), later, at(0), 2);
        assert_eq!(
            released(&mut waiters, 0, later),
            [(1, Outcome::GivenUp(Reason::Timeout))]
        );
        assert_eq!(waiters.len(), 1);
    }

    #[test]
    fn semi_sync_counts_from_the_submission_and_sync_from_the_last_progress() {
        let mut semi = Waiters::new(Patience::Total(S));
        semi.push(CommitSeq(1), SPELL, at(10), 1);
        assert_eq!(semi.deadline(at(100)), Some(at(11)));
        assert_eq!(semi.expired(at(100), at(11), true), Some(Reason::Timeout));
        assert_eq!(
            semi.expired(at(100), at(11) - Duration::from_nanos(1), false),
            None
        );

        let mut sync = Waiters::new(Patience::Progress(5 * S));
        assert_eq!(sync.deadline(at(0)), None);
        sync.push(CommitSeq(1), SPELL, at(10), 1);
        assert_eq!(
            sync.deadline(at(3)),
            Some(at(15)),
            "progress before the submission says nothing"
        );
        assert_eq!(
            sync.deadline(at(12)),
            Some(at(17)),
            "a replica that moves is not given up"
        );
        assert_eq!(sync.expired(at(12), at(17), true), Some(Reason::NoProgress));
        assert_eq!(
            sync.expired(at(12), at(17), false),
            Some(Reason::NotCaughtUp),
            "a replica that is known to be gone is said to be"
        );
        assert_eq!(
            sync.expired(at(12), at(17) - Duration::from_nanos(1), false),
            None,
            "and is waited for as long"
        );
    }

    #[test]
    fn a_commit_that_comes_late_is_released_by_its_number_and_does_not_wait_longer() {
        let mut waiters = Waiters::new(Patience::Total(S));
        waiters.push(CommitSeq(5), SPELL, at(1), 5);
        waiters.push(CommitSeq(3), SPELL, at(2), 3);
        assert_eq!(
            waiters.deadline(at(0)),
            Some(at(2)),
            "the earlier submission's deadline"
        );
        assert_eq!(released(&mut waiters, 3, SPELL), [(3, Outcome::Confirmed)]);
    }
}
