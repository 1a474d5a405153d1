//! Whether commits wait for a replica now: the effective mode, one shared word per replica.
//!
//! Owns the word. Cores read it at each commit; the core whose waiter runs out of time turns it to "given up" (one of them wins),
//! and the session turns it back once the replica has caught up. Each turn begins a new *spell*; a waiter remembers
//! the spell in which it began to wait, so that exactly the commits that waited when the spell ended carry
//! the warning. Ordering: sequentially consistent, since a core decides from this word and the
//! acknowledgement word together.

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use crate::statement::Reason;

/// The word: the spell's number above, the reason for not waiting (0: commits wait) in the low byte.
#[derive(Debug)]
pub struct Effective(AtomicU64);

/// What it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spell {
    /// 1, 2, 3 …
    pub number: u64,
    /// Why commits do not wait; `None`: they do.
    pub given_up: Option<Reason>,
}

impl Effective {
    /// A replica that has not caught up yet.
    pub fn new() -> Effective {
        Effective(AtomicU64::new(
            Spell {
                number: 1,
                given_up: Some(Reason::NotCaughtUp),
            }
            .to_word(),
        ))
    }

    /// What it says now.
    pub fn spell(&self) -> Spell {
        Spell::from_word(self.0.load(SeqCst))
    }

    /// Ends `spell`, in which commits waited. True for the one caller that did it.
    pub fn give_up(&self, spell: Spell, reason: Reason) -> bool {
        assert!(
            spell.given_up.is_none(),
            "only a spell of waiting is given up"
        );
        let next = Spell {
            number: spell.number + 1,
            given_up: Some(reason),
        };
        self.0
            .compare_exchange(spell.to_word(), next.to_word(), SeqCst, SeqCst)
            .is_ok()
    }

    /// Ends whatever spell there is: dropped, diverged, role changed.
    pub fn end(&self, reason: Reason) {
        let _ = self.0.fetch_update(SeqCst, SeqCst, |word| {
            let number = Spell::from_word(word).number + 1;
            Some(
                Spell {
                    number,
                    given_up: Some(reason),
                }
                .to_word(),
            )
        });
    }

    /// The replica has caught up: commits wait again. No effect if they do already.
    pub fn resume(&self) {
        let _ = self.0.fetch_update(SeqCst, SeqCst, |word| {
            let spell = Spell::from_word(word);
            spell.given_up.map(|_| {
                Spell {
                    number: spell.number + 1,
                    given_up: None,
                }
                .to_word()
            })
        });
    }
}

impl Default for Effective {
    fn default() -> Effective {
        Effective::new()
    }
}

impl Spell {
    fn to_word(self) -> u64 {
        self.number << 8 | self.given_up.map_or(0, |reason| reason as u64)
    }

    fn from_word(word: u64) -> Spell {
        Spell {
            number: word >> 8,
            given_up: Reason::from_u8(word as u8),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_two_cores_ends_a_spell() {
        let effective = Effective::new();
        assert_eq!(effective.spell().given_up, Some(Reason::NotCaughtUp));
        effective.resume();
        let spell = effective.spell();
        assert_eq!(
            spell,
            Spell {
                number: 2,
                given_up: None
            }
        );
        assert!(effective.give_up(spell, Reason::Timeout));
        assert!(!effective.give_up(spell, Reason::Timeout));
        assert_eq!(
            effective.spell(),
            Spell {
                number: 3,
                given_up: Some(Reason::Timeout)
            }
        );
    }

    #[test]
    fn a_give_up_that_comes_after_a_promotion_does_not_end_the_new_spell() {
        let effective = Effective::new();
        effective.resume();
        let old = effective.spell();
        assert!(effective.give_up(old, Reason::NoProgress));
        effective.resume();
        assert!(!effective.give_up(old, Reason::NoProgress));
        assert_eq!(effective.spell().given_up, None);
        effective.resume();
        assert_eq!(
            effective.spell().number,
            4,
            "to resume twice is to resume once"
        );
    }
}
