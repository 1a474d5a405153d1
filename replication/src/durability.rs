//! What a mode needs of the disks on both sides.
//!
//! Owns the rule of the mode table: a mode that waits for a disk promises nothing with a node that answers before its disk
//! has the write. Called when a main opens its node record, by REGISTER, and by the main's machine for each welcome, so
//! that a node restarted with another `--durability` is noticed as well. Always: what [`shortfall`] lets through is kept
//! by both sides. How durability is done is left to `log`.

use quoit_log::Durability;

use crate::statement::Mode;

/// The word after `--durability`: what a node tells of its log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum DurabilityWord {
    /// Synced before the answer.
    Commit = 1,
    /// Written before the answer, synced every interval.
    Interval = 2,
    /// Not kept.
    None = 3,
}

impl DurabilityWord {
    /// As on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            DurabilityWord::Commit => "commit",
            DurabilityWord::Interval => "interval",
            DurabilityWord::None => "none",
        }
    }

    pub(crate) fn from_u8(code: u8) -> Option<DurabilityWord> {
        [
            DurabilityWord::Commit,
            DurabilityWord::Interval,
            DurabilityWord::None,
        ]
        .into_iter()
        .find(|word| *word as u8 == code)
    }
}

impl From<Durability> for DurabilityWord {
    fn from(durability: Durability) -> DurabilityWord {
        match durability {
            Durability::Commit => DurabilityWord::Commit,
            Durability::Interval(_) => DurabilityWord::Interval,
            Durability::None => DurabilityWord::None,
        }
    }
}

/// A durability that cannot keep what a mode promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shortfall {
    /// The mode, as it is written in REGISTER.
    pub mode: &'static str,
    /// What it needs.
    pub needed: &'static str,
    /// What runs.
    pub running: DurabilityWord,
}

impl Shortfall {
    /// As the replica's: "SYNC needs --durability commit on the replica; it runs with interval".
    pub fn of_replica(self) -> String {
        let Shortfall {
            mode,
            needed,
            running,
        } = self;
        let running = running.as_str();
        format!("{mode} needs --durability {needed} on the replica; it runs with {running}")
    }
}

/// What a node that runs with `running` lacks for `mode`; `None`: nothing.
///
/// | mode | `commit` | `interval` | `none` |
/// | --- | --- | --- | --- |
/// | ASYNC | yes | yes | no |
/// | SYNC, SYNC WITH TIMEOUT | yes | no | no |
pub fn shortfall(mode: Mode, running: DurabilityWord) -> Option<Shortfall> {
    let (word, needed, enough) = match mode {
        Mode::Async => (
            "ASYNC",
            "commit or interval",
            running != DurabilityWord::None,
        ),
        Mode::Sync => ("SYNC", "commit", running == DurabilityWord::Commit),
        Mode::SyncTimeout(_) => (
            "SYNC WITH TIMEOUT",
            "commit",
            running == DurabilityWord::Commit,
        ),
    };
    (!enough).then_some(Shortfall {
        mode: word,
        needed,
        running,
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_mode_that_waits_for_a_disk_needs_one_that_is_synced_and_async_one_that_is_written() {
        let sync_timeout = Mode::SyncTimeout(Duration::from_secs(1));
        for (mode, enough) in [
            (Mode::Async, [true, true, false]),
            (Mode::Sync, [true, false, false]),
            (sync_timeout, [true, false, false]),
        ] {
            let words = [
                DurabilityWord::Commit,
                DurabilityWord::Interval,
                DurabilityWord::None,
            ];
            assert_eq!(words.map(|word| shortfall(mode, word).is_none()), enough);
        }
        let lacks = shortfall(Mode::Sync, DurabilityWord::Interval).unwrap();
        assert_eq!(
            lacks.of_replica(),
            "SYNC needs --durability commit on the replica; it runs with interval"
        );
    }

    #[test]
    fn words_survive_the_link() {
        for code in 0..=255u8 {
            match DurabilityWord::from_u8(code) {
                Some(word) => assert_eq!(word as u8, code),
                None => assert!(!(1..=3).contains(&code)),
            }
        }
    }
}
