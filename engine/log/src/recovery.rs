//! What a log's bytes mean after a stop: the decisions of recovery, without I/O.
//!
//! Owns two things: the [`Walk`], which accepts records in order as long as they continue one chain,
//! and [`decide`], the table that says whether the point where the walk stopped is the end of the
//! log, a torn tail or damage. Called by opening (`open`), which reads the bytes and carries the
//! decision out. What always holds: the walk accepts a prefix of the history and nothing else; bytes
//! below the highest durable mark found anywhere are never cut.

use crate::group::{Group, NotFollowing};
use crate::position::{GroupSeq, LogPosition};
use crate::segment::{
    BLOCK, LocalPart, LogId, Marks, RECORD_HEADER, RecordError, RecordKind, SegmentNumber, Slot,
    is_zero, read_local,
};

/// How far the chain has been followed.
#[derive(Clone, Debug)]
pub struct Walk {
    /// After the last accepted group.
    pub position: LogPosition,
    /// The highest marks of accepted records.
    pub marks: Marks,
    /// Groups accepted.
    pub groups: u64,
    /// Transactions accepted.
    pub commits: u64,
}

/// Why the walk stopped.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Stop {
    /// Nothing was written from here on.
    Blank,
    /// The bytes are not what was written.
    Damaged(RecordError),
    /// The bytes were written as they are, by something this version does not understand.
    Foreign(RecordError),
    /// A good group of another history, or with groups missing before it.
    NotFollowing(NotFollowing),
    /// The first block of a segment is not the segment's own record.
    SegmentHeader(RecordError),
}

/// What the walk does with a record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Accepted {
    /// The next group of the history.
    Group(Group),
    /// A record without history.
    Local(LocalPart),
}

impl Walk {
    /// Before the first record of a log.
    pub fn from_start() -> Walk {
        Walk {
            position: LogPosition::EMPTY,
            marks: Marks::default(),
            groups: 0,
            commits: 0,
        }
    }

    /// Takes the record in `slot`.
    ///
    /// # Errors
    /// Where the log ends, and why.
    ///
    /// # Panics
    /// On [`Slot::Short`]: the reader gives whole records, or says [`RecordError::FileEnd`].
    pub fn accept(&mut self, slot: Slot) -> Result<Accepted, Stop> {
        match slot {
            Slot::Blank => Err(Stop::Blank),
            Slot::Bad(error) if error.is_foreign() => Err(Stop::Foreign(error)),
            Slot::Bad(error) => Err(Stop::Damaged(error)),
            Slot::Short { needed } => {
                unreachable!("the reader gave less than the {needed} bytes it was asked for")
            }
            Slot::Local(local) => {
                if local.kind == RecordKind::Mark {
                    self.note(&local.marks);
                }
                Ok(Accepted::Local(local))
            }
            Slot::Group(local, group) => {
                group.follows(&self.position).map_err(Stop::NotFollowing)?;
                self.note(&local.marks);
                self.position = group.position();
                self.groups += 1;
                self.commits += u64::from(group.commit_count());
                Ok(Accepted::Group(group))
            }
        }
    }

    fn note(&mut self, marks: &Marks) {
        if marks.durable > self.marks.durable {
            self.marks.durable = marks.durable;
            self.marks.durable_chain = marks.durable_chain;
        }
        self.marks.published = self.marks.published.max(marks.published);
    }
}

/// What lies behind the point where the walk stopped, gathered window by window.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Behind {
    /// Bytes to the end of the last block that is not all zeros; 0 when there is none.
    pub bytes: u64,
    /// Intact records, segments' own not counted.
    pub records: u64,
    /// The highest durable mark of those records.
    pub durable: GroupSeq,
}

impl Behind {
    /// Looks at `window`, bytes of `segment` from a block boundary that lies `start` bytes behind the
    /// stop.
    pub fn look(&mut self, window: &[u8], start: u64, segment: SegmentNumber, log_id: LogId) {
        for (n, block) in window
            .chunks(BLOCK)
            .enumerate()
            .filter(|(_, block)| !is_zero(block))
        {
            self.bytes = start + (n * BLOCK + block.len()) as u64;
            if block.len() >= RECORD_HEADER
                && let Ok(Some(local)) = read_local(block, segment, log_id)
            {
                self.records += u64::from(local.kind != RecordKind::Segment);
                self.durable = self.durable.max(local.marks.durable);
            }
        }
    }
}

/// What was found at and behind the point where the walk stopped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Evidence {
    /// Why it stopped.
    pub stop: StopKind,
    /// A durable mark, in an accepted record or behind the stop, is above the last accepted group.
    pub mark_above: bool,
    /// An intact record stands behind the stop.
    pub records_behind: bool,
    /// Anything but zeros stands at or behind the stop.
    pub leftover: bool,
}

/// [`Stop`] without its particulars.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StopKind {
    /// See [`Stop::Blank`].
    Blank,
    /// See [`Stop::Damaged`].
    Damaged,
    /// See [`Stop::Foreign`].
    Foreign,
    /// See [`Stop::NotFollowing`].
    NotFollowing,
    /// See [`Stop::SegmentHeader`].
    SegmentHeader,
}

impl Stop {
    /// The kind.
    pub fn kind(&self) -> StopKind {
        match self {
            Stop::Blank => StopKind::Blank,
            Stop::Damaged(_) => StopKind::Damaged,
            Stop::Foreign(_) => StopKind::Foreign,
            Stop::NotFollowing(_) => StopKind::NotFollowing,
            Stop::SegmentHeader(_) => StopKind::SegmentHeader,
        }
    }

    /// In words, for reports.
    pub fn describe(&self) -> String {
        match self {
            Stop::Blank => "nothing was written here, although later bytes were".into(),
            Stop::Damaged(error) | Stop::Foreign(error) => error.to_string(),
            Stop::NotFollowing(error) => error.to_string(),
            Stop::SegmentHeader(error) => format!("the segment's own record is bad: {error}"),
        }
    }
}

/// What to do about the point where the walk stopped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Decision {
    /// The log ends here.
    Clean,
    /// A write was under way, or its sync never returned: cut here, keep what is cut, report it as
    /// possibly acknowledged.
    Cut,
    /// What had been synced is damaged or not understood: change nothing, refuse to start.
    Refuse,
}

/// The table. First line that fits:
///
/// | stop | mark above | records behind | leftover | decision |
/// | --- | --- | --- | --- | --- |
/// | foreign | any | any | any | refuse: never cut what is not understood |
/// | any | yes | any | any | refuse: synced groups are missing |
/// | segment header | no | yes | any | refuse: it was synced before anything was written behind it |
/// | any | no | any | yes | cut: a torn tail |
/// | any | no | any | no | clean |
pub fn decide(evidence: &Evidence) -> Decision {
    match *evidence {
        Evidence {
            stop: StopKind::Foreign,
            ..
        } => Decision::Refuse,
        Evidence {
            mark_above: true, ..
        } => Decision::Refuse,
        Evidence {
            stop: StopKind::SegmentHeader,
            records_behind: true,
            ..
        } => Decision::Refuse,
        Evidence { leftover: true, .. } => Decision::Cut,
        Evidence {
            leftover: false, ..
        } => Decision::Clean,
    }
}

impl Evidence {
    /// The evidence of a walk that stopped, and of what lies behind in each segment from there on.
    pub fn gather(walk: &Walk, stop: &Stop, behind: &[Behind]) -> Evidence {
        Evidence {
            stop: stop.kind(),
            mark_above: highest_mark(walk, behind) > walk.position.group,
            records_behind: behind.iter().any(|b| b.records > 0),
            leftover: behind.iter().any(|b| b.bytes > 0),
        }
    }
}

/// The highest durable group that accepted records and those behind the stop speak of.
pub fn highest_mark(walk: &Walk, behind: &[Behind]) -> GroupSeq {
    behind
        .iter()
        .map(|b| b.durable)
        .fold(walk.marks.durable, GroupSeq::max)
}

/// What a segment must begin with: its own record.
///
/// # Errors
/// Why it does not: [`Stop::SegmentHeader`], or [`Stop::Foreign`].
pub fn accept_segment(slot: Slot) -> Result<(), Stop> {
    match slot {
        Slot::Local(local) if local.kind == RecordKind::Segment => Ok(()),
        Slot::Bad(error) if error.is_foreign() => Err(Stop::Foreign(error)),
        Slot::Bad(error) => Err(Stop::SegmentHeader(error)),
        _ => Err(Stop::SegmentHeader(RecordError::Magic)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_combination_of_evidence_has_its_decision() {
        use Decision::{Clean, Cut, Refuse};
        use StopKind::{Blank, Damaged, Foreign, NotFollowing, SegmentHeader};
        // Decisions for (mark above, records behind, leftover) counted in binary from 000 to 111.
        let table = [
            (
                Blank,
                [Clean, Cut, Clean, Cut, Refuse, Refuse, Refuse, Refuse],
            ),
            (
                Damaged,
                [Clean, Cut, Clean, Cut, Refuse, Refuse, Refuse, Refuse],
            ),
            (
                NotFollowing,
                [Clean, Cut, Clean, Cut, Refuse, Refuse, Refuse, Refuse],
            ),
            (
                SegmentHeader,
                [Clean, Cut, Refuse, Refuse, Refuse, Refuse, Refuse, Refuse],
            ),
            (Foreign, [Refuse; 8]),
        ];
        let mut cases = 0;
        for (stop, decisions) in table {
            for (bits, expected) in decisions.into_iter().enumerate() {
                let evidence = Evidence {
                    stop,
                    mark_above: bits & 4 != 0,
                    records_behind: bits & 2 != 0,
                    leftover: bits & 1 != 0,
                };
                assert_eq!(decide(&evidence), expected, "{evidence:?}");
                cases += 1;
            }
        }
        assert_eq!(cases, 40);
    }
}
