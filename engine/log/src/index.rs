//! Where in the segments a group is to be found, roughly.
//!
//! Owns a sparse, sorted list of (group, place), one entry about every megabyte and at each segment's
//! first group: 16 MB of entries for 700 GB of log. Fed by the writer and by recovery, asked by
//! catch-up, which walks the rest of the way.

use crate::position::GroupSeq;
use crate::segment::SegmentNumber;

/// An entry for every so many bytes of records.
const SPACING_BYTES: u64 = 1 << 20;

/// A place in the log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Place {
    pub(crate) segment: SegmentNumber,
    pub(crate) offset: u64,
}

/// See the module.
#[derive(Default)]
pub(crate) struct Index {
    entries: Vec<(GroupSeq, Place)>,
}

impl Index {
    /// Tells that `group`, above all told before, lies at `place`.
    pub(crate) fn note(&mut self, group: GroupSeq, place: Place) {
        let wanted = self.entries.last().is_none_or(|(_, last)| {
            last.segment != place.segment || place.offset >= last.offset + SPACING_BYTES
        });
        if wanted {
            self.entries.push((group, place));
        }
    }

    /// Forgets groups above `group`.
    pub(crate) fn cut(&mut self, group: GroupSeq) {
        self.entries.retain(|(seq, _)| *seq <= group);
    }

    /// The last known group at or before `group` and its place; `None` when there is none.
    pub(crate) fn before(&self, group: GroupSeq) -> Option<(GroupSeq, Place)> {
        let after = self.entries.partition_point(|(seq, _)| *seq <= group);
        after.checked_sub(1).map(|at| self.entries[at])
    }

    /// The first known place in a segment after `segment`.
    pub(crate) fn first_after(&self, segment: SegmentNumber) -> Option<Place> {
        let at = self
            .entries
            .partition_point(|(_, place)| place.segment <= segment);
        self.entries.get(at).map(|(_, place)| *place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(segment: u64, offset: u64) -> Place {
        Place {
            segment: SegmentNumber(segment),
            offset,
        }
    }

    #[test]
    fn a_group_is_found_from_the_nearest_entry_before_it() {
        let mut index = Index::default();
        assert_eq!(index.before(GroupSeq(5)), None);
        index.note(GroupSeq(1), place(1, 4096));
        index.note(GroupSeq(2), place(1, 8192));
        index.note(GroupSeq(3), place(1, 4096 + SPACING_BYTES));
        index.note(GroupSeq(9), place(2, 4096));
        assert_eq!(
            index.before(GroupSeq(2)),
            Some((GroupSeq(1), place(1, 4096)))
        );
        assert_eq!(
            index.before(GroupSeq(8)),
            Some((GroupSeq(3), place(1, 4096 + SPACING_BYTES)))
        );
        assert_eq!(
            index.before(GroupSeq(100)),
            Some((GroupSeq(9), place(2, 4096)))
        );
        index.cut(GroupSeq(3));
        assert_eq!(
            index.before(GroupSeq(100)),
            Some((GroupSeq(3), place(1, 4096 + SPACING_BYTES)))
        );
    }
}
