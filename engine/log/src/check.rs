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
    /// The id of the log; 0 when no record is intact.
    pub log_id: LogId,
    /// What it does about the rest.
    pub decision: Decision,
    /// Where and why it stops: segment, offset in bytes, reason; `None` when there is no segment.
    pub stop: Option<(SegmentNumber, u64, Stop)>,
}

/// Judges the segments of a log, given in order with all their bytes; `on_group` sees each accepted
/// group.
pub fn check(segments: &[(SegmentNumber, Bytes)], on_group: impl FnMut(&Group)) -> Verdict {
    let numbers: Vec<SegmentNumber> = segments.iter().map(|(number, _)| *number).collect();
    let bytes_of = |number| {
        let at = numbers.binary_search(&number).expect("it is one of these");
        Ok::<_, std::convert::Infallible>(segments[at].1.clone())
    };
    match check_each(&numbers, bytes_of, on_group) {
        Ok(verdict) => verdict,
        Err(never) => match never {},
    }
}

/// As [`check`], for a log larger than memory: `bytes_of` gives a segment's bytes whenever they are asked for, one segment at a time.
///
/// # Errors
/// Those of `bytes_of`.
pub fn check_each<E>(
    segments: &[SegmentNumber],
    mut bytes_of: impl FnMut(SegmentNumber) -> Result<Bytes, E>,
    mut on_group: impl FnMut(&Group),
) -> Result<Verdict, E> {
    let mut log_id = LogId(0);
    for &number in segments {
        let bytes = bytes_of(number)?;
        let mut blocks = bytes
            .chunks(BLOCK)
            .filter(|block| block.len() >= RECORD_HEADER);
        if let Some(found) = blocks.find_map(|block| peek_log_id(block, number)) {
            log_id = found;
            break;
        }
    }
    let mut walk = Walk::from_start();
    let mut end: Option<(SegmentNumber, usize)> = None;
    let mut stop = None;
    'segments: for &number in segments {
        let bytes = &bytes_of(number)?;
        if let Err(reason) = accept_segment(slot_at(bytes, 0, number, log_id)) {
            stop = Some((number, 0, reason));
            break;
        }
        let mut offset = BLOCK;
        loop {
            match walk.accept(slot_at(bytes, offset, number, log_id)) {
                Ok(Accepted::Group(group)) => {
                    offset += record_bytes(group.bytes().len());
                    on_group(&group);
                }
                Ok(Accepted::Local(_)) => offset += BLOCK,
                Err(reason) => {
                    let blank = reason == Stop::Blank;
                    stop = Some((number, offset as u64, reason));
                    if blank {
                        break;
                    }
                    break 'segments;
                }
            }
            end = Some((number, offset));
        }
    }
    if let (Some((_, _, Stop::Blank)), Some((number, offset))) = (&stop, end) {
        // Blank segments behind the end are walked too; what matters is where the records end.
        stop = Some((number, offset as u64, Stop::Blank));
    }
    let decision = match &stop {
        None => Decision::Clean,
        Some((_, _, reason)) => {
            let mut behinds = Vec::new();
            let behind_end = |number: &&SegmentNumber| end.is_none_or(|(last, _)| **number >= last);
            for &number in segments.iter().filter(behind_end) {
                let bytes = &bytes_of(number)?;
                let headless = accept_segment(slot_at(bytes, 0, number, log_id)).is_err();
                let start = match end {
                    Some((last, offset)) if last == number => offset,
                    _ if headless => 0,
                    _ => BLOCK,
                };
                let mut behind = Behind::default();
                behind.look(&bytes[start.min(bytes.len())..], 0, number, log_id);
                behinds.push(behind);
            }
            decide(&Evidence::gather(&walk, reason, &behinds))
        }
    };
    Ok(Verdict {
        position: walk.position,
        groups: walk.groups,
        frames: walk.commits,
        log_id,
        decision,
        stop,
    })
}

fn slot_at(bytes: &Bytes, offset: usize, number: SegmentNumber, log_id: LogId) -> Slot {
    let rest = bytes.slice(offset.min(bytes.len())..);
    match read_record(&rest, number, log_id) {
        Slot::Short { needed } => at_file_end(&rest, needed),
        slot => slot,
    }
}
