//! A log's verdict from its bytes alone, without changing anything.
//!
//! Owns the pure twin of opening: the same walk, the same evidence, the same table, over segments in
//! memory. Called by offline checks and by the exhaustive tests, which compare it with what opening
//! does. What always holds: it never panics, whatever the bytes, and says what recovery would do.

use bytes::Bytes;

use crate::group::Group;
use crate::position::LogPosition;
use crate::recovery::{Accepted, Behind, Decision, Evidence, Stop, Walk, accept_segment, decide};
use crate::segment::{
    BLOCK, LogId, RECORD_HEADER, SegmentNumber, Slot, at_file_end, peek_log_id, read_record,
    record_bytes,
};

/// What recovery would do with a log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Verdict {
    /// The end of what it accepts.
    pub position: LogPosition,
    /// Groups it accepts.
    pub groups: u64,
    /// Transactions it accepts.
    pub frames: u64,
    /// What it does about the rest.
    pub decision: Decision,
    /// Where and why it stops: segment, offset in bytes, reason; `None` when there is no segment.
    pub stop: Option<(SegmentNumber, u64, Stop)>,
}

/// Judges the segments of a log, given in order with all their bytes; `on_group` sees each accepted
/// group.
pub fn check(segments: &[(SegmentNumber, Bytes)], mut on_group: impl FnMut(&Group)) -> Verdict {
    let log_id = segments
        .iter()
        .find_map(|(number, bytes)| {
            let mut blocks = bytes
                .chunks(BLOCK)
                .filter(|block| block.len() >= RECORD_HEADER);
            blocks.find_map(|block| peek_log_id(block, *number))
        })
        .unwrap_or(LogId(0));
    let mut walk = Walk::from_start();
    let mut end: Option<(SegmentNumber, usize)> = None;
    let mut stop = None;
    'segments: for (number, bytes) in segments {
        if let Err(reason) = accept_segment(slot_at(bytes, 0, *number, log_id)) {
            stop = Some((*number, 0, reason));
            break;
        }
        let mut offset = BLOCK;
        loop {
            match walk.accept(slot_at(bytes, offset, *number, log_id)) {
                Ok(Accepted::Group(group)) => {
                    offset += record_bytes(group.bytes().len());
                    on_group(&group);
                }
                Ok(Accepted::Local(_)) => offset += BLOCK,
                Err(reason) => {
                    let blank = reason == Stop::Blank;
                    stop = Some((*number, offset as u64, reason));
                    if blank {
                        break;
                    }
                    break 'segments;
                }
            }
            end = Some((*number, offset));
        }
    }
    if let (Some((_, _, Stop::Blank)), Some((number, offset))) = (&stop, end) {
        // Blank segments behind the end are walked too; what matters is where the records end.
        stop = Some((number, offset as u64, Stop::Blank));
    }
    let decision = match &stop {
        None => Decision::Clean,
        Some((_, _, reason)) => {
            let behind: Vec<Behind> = segments
                .iter()
                .filter(|(number, _)| end.is_none_or(|(last, _)| *number >= last))
                .map(|(number, bytes)| {
                    let headless = accept_segment(slot_at(bytes, 0, *number, log_id)).is_err();
                    let start = match end {
                        Some((last, offset)) if last == *number => offset,
                        _ if headless => 0,
                        _ => BLOCK,
                    };
                    let mut behind = Behind::default();
                    behind.look(&bytes[start.min(bytes.len())..], 0, *number, log_id);
                    behind
                })
                .collect();
            decide(&Evidence::gather(&walk, reason, &behind))
        }
    };
    Verdict {
        position: walk.position,
        groups: walk.groups,
        frames: walk.commits,
        decision,
        stop,
    }
}

fn slot_at(bytes: &Bytes, offset: usize, number: SegmentNumber, log_id: LogId) -> Slot {
    let rest = bytes.slice(offset.min(bytes.len())..);
    match read_record(&rest, number, log_id) {
        Slot::Short { needed } => at_file_end(&rest, needed),
        slot => slot,
    }
}
