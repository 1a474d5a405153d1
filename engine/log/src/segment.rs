//! A segment file's bytes: records at block boundaries.
//!
//! Owns the names of segments, the *local part* in front of each record, and reading a record as a
//! pure function over bytes. Called by the writer (which makes records) and by scanning (which reads
//! them back). What always holds: a record is accepted only with the checksum of its local part, the
//! number of the segment it lies in and the random id of this log, so bytes of another log, of
//! another segment or of a client's property can never pass for one. What a bad record means
//! (torn or rotten) is decided in [`crate::recovery`].
//!
//! A segment is `NNNNNNNNNNNNNNNN.log` (16 decimal digits, so names sort by number), written with
//! zeros before it gets its name. Records start at multiples of 4096, each padded with zeros to the
//! next; the first is the segment's own. The local part:
//!
//! ```text
//! offset size
//!      0    8  magic "QUOITREC"
//!      8    2  version, 1
//!     10    2  kind: 1 segment, 2 group, 3 mark; 4 stands in no segment (see `cut`)
//!     12    4  CRC-32C of bytes 0..12 and 16..64
//!     16    8  number of the segment
//!     24    8  id of the log, random
//!     32    8  durable mark: the last group known to be synced here
//!     40    8  durable mark: its chain
//!     48    8  the last group known to be published by the MAIN
//!     56    8  bytes that follow: a group's; for kind 1 the bytes of the whole segment; for kind 3 zero
//!     64       the group (kind 2)
//! ```
//! Integers are little-endian.

use bytes::Bytes;
use thiserror::Error;
use zerocopy::byteorder::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::frame::FrameError;
use crate::group::{GROUP_FRAMES_BYTES_MAX, GROUP_HEADER, Group, GroupError};
use crate::position::{Chain, GroupSeq};

/// Records start at multiples of this: the largest logical block in use, and a page.
pub const BLOCK: usize = 4096;

/// Bytes of the local part in front of a record.
pub const RECORD_HEADER: usize = 64;

/// Bytes a record with `group_bytes` bytes of group takes in a segment.
pub const fn record_bytes(group_bytes: usize) -> usize {
    (RECORD_HEADER + group_bytes).next_multiple_of(BLOCK)
}

/// Bytes that one frame of `frame_bytes` takes in a segment at most, being alone in its group.
pub const fn lone_frame_bytes(frame_bytes: usize) -> usize {
    record_bytes(GROUP_HEADER + frame_bytes)
}

const MAGIC: [u8; 8] = *b"QUOITREC";
const VERSION: u16 = 1;

/// A segment's number: 1, 2, 3 …
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct SegmentNumber(pub u64);

/// What tells this log's records from every other's; drawn when the directory is made.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct LogId(pub u64);

impl SegmentNumber {
    /// The segment after this one.
    pub fn next(self) -> SegmentNumber {
        SegmentNumber(self.0 + 1)
    }

    /// The name of its file.
    pub fn file_name(self) -> String {
        format!("{:016}.log", self.0)
    }

    /// The name under which its file is made.
    pub fn unfinished_name(self) -> String {
        format!("{:016}.new", self.0)
    }

    /// The number of the segment whose file has this name.
    pub fn from_file_name(name: &str) -> Option<SegmentNumber> {
        let digits = name.strip_suffix(".log")?;
        let number = digits.parse().ok().map(SegmentNumber)?;
        (number.file_name() == name).then_some(number)
    }
}

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned, Clone, Copy)]
#[repr(C)]
struct LocalHeader {
    magic: [u8; 8],
    version: U16,
    kind: U16,
    crc: U32,
    segment: U64,
    log_id: U64,
    durable_group: U64,
    durable_chain: U64,
    published_group: U64,
    payload_bytes: U64,
}

const _: () = assert!(size_of::<LocalHeader>() == RECORD_HEADER);

/// What a record is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u16)]
pub enum RecordKind {
    /// The first record of a segment.
    Segment = 1,
    /// A group.
    Group = 2,
    /// Only marks.
    Mark = 3,
    /// Not in segments: the intent of a cut, see [`crate::cut`].
    Cut = 4,
}

/// The local part's values, verified.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LocalPart {
    /// What follows.
    pub kind: RecordKind,
    /// The segment it was written to.
    pub segment: SegmentNumber,
    /// The log it was written to.
    pub log_id: LogId,
    /// The marks known when it was written.
    pub marks: Marks,
    /// Bytes that follow; see the table above.
    pub payload_bytes: u64,
}

/// The marks of a node.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Marks {
    /// The last group known to be synced here.
    pub durable: GroupSeq,
    /// The chain up to it.
    pub durable_chain: Chain,
    /// The last group known to be published by the MAIN: a replica shows no more.
    pub published: GroupSeq,
}

impl LocalPart {
    /// The bytes in front of a record.
    pub fn encode(&self) -> [u8; RECORD_HEADER] {
        let mut header = LocalHeader {
            magic: MAGIC,
            version: U16::new(VERSION),
            kind: U16::new(self.kind as u16),
            crc: U32::ZERO,
            segment: U64::new(self.segment.0),
            log_id: U64::new(self.log_id.0),
            durable_group: U64::new(self.marks.durable.0),
            durable_chain: U64::new(self.marks.durable_chain.0),
            published_group: U64::new(self.marks.published.0),
            payload_bytes: U64::new(self.payload_bytes),
        };
        header.crc = U32::new(checksum(&header));
        zerocopy::transmute!(header)
    }
}

fn checksum(header: &LocalHeader) -> u32 {
    let bytes = header.as_bytes();
    crc32c::crc32c_append(crc32c::crc32c(&bytes[..12]), &bytes[16..])
}

/// Why no record can be read where one should be.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum RecordError {
    /// No record starts here.
    #[error("no record starts here")]
    Magic,
    /// The local part is not what was written.
    #[error("record header checksum {found:08x}, expected {expected:08x}")]
    Checksum {
        /// What it says.
        expected: u32,
        /// What its bytes give.
        found: u32,
    },
    /// Written by a newer version, or of a kind this version does not know.
    #[error("record of format version {version}, kind {kind}: written by a newer server")]
    Newer {
        /// Its version.
        version: u16,
        /// Its kind.
        kind: u16,
    },
    /// The record belongs to another segment or another log: the file was renamed or copied here.
    #[error("record of segment {segment} of log {log_id:016x} lies here")]
    Elsewhere {
        /// The segment it says it is in.
        segment: u64,
        /// The log it says it is in.
        log_id: u64,
    },
    /// The announced length is impossible.
    #[error("record announces {payload_bytes} bytes")]
    Length {
        /// What it announces.
        payload_bytes: u64,
    },
    /// The file ends within the record.
    #[error("the file ends {missing} bytes before the record does")]
    FileEnd {
        /// Bytes missing.
        missing: u64,
    },
    /// The group inside is bad.
    #[error(transparent)]
    Group(#[from] GroupError),
}

impl RecordError {
    /// Whether the bytes were written as they are, by a program that this one does not understand. Such
    /// bytes are never a torn write and are never cut.
    pub fn is_foreign(&self) -> bool {
        match self {
            RecordError::Newer { .. }
            | RecordError::Elsewhere { .. }
            | RecordError::Length { .. } => true,
            RecordError::Group(error) => matches!(
                error,
                GroupError::Version { .. }
                    | GroupError::Header { .. }
                    | GroupError::FrameCount { .. }
                    | GroupError::Frame {
                        error: FrameError::UnknownKind { .. },
                        ..
                    }
            ),
            _ => false,
        }
    }
}

/// What stands at a block boundary.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Slot {
    /// A segment's or a mark record, [`BLOCK`] bytes.
    Local(LocalPart),
    /// A verified group, taking [`record_bytes`] of its length.
    Group(LocalPart, Group),
    /// Nothing was written here (the local part is all zeros).
    Blank,
    /// More bytes must be given: the record has this many from its start.
    Short {
        /// Bytes needed, counted from the start of the record.
        needed: usize,
    },
    /// Something else.
    Bad(RecordError),
}

/// Reads the local part at the start of `bytes`; `Ok(None)` when it is all zeros.
///
/// # Errors
/// As [`RecordError`], without those about the group inside.
///
/// # Panics
/// When `bytes` is shorter than [`RECORD_HEADER`]: callers give whole blocks.
pub fn read_local(
    bytes: &[u8],
    segment: SegmentNumber,
    log_id: LogId,
) -> Result<Option<LocalPart>, RecordError> {
    let (header, _) = LocalHeader::read_from_prefix(bytes).expect("callers give whole blocks");
    if header.as_bytes().iter().all(|&b| b == 0) {
        return Ok(None);
    }
    if header.magic != MAGIC {
        return Err(RecordError::Magic);
    }
    let (expected, found) = (header.crc.get(), checksum(&header));
    if expected != found {
        return Err(RecordError::Checksum { expected, found });
    }
    let kind = match (header.version.get(), header.kind.get()) {
        (VERSION, 1) => RecordKind::Segment,
        (VERSION, 2) => RecordKind::Group,
        (VERSION, 3) => RecordKind::Mark,
        (VERSION, 4) => RecordKind::Cut,
        (version, kind) => return Err(RecordError::Newer { version, kind }),
    };
    if header.segment.get() != segment.0 || header.log_id.get() != log_id.0 {
        return Err(RecordError::Elsewhere {
            segment: header.segment.get(),
            log_id: header.log_id.get(),
        });
    }
    let payload_bytes = header.payload_bytes.get();
    let possible = match kind {
        RecordKind::Segment => payload_bytes >= BLOCK as u64,
        RecordKind::Group => (GROUP_HEADER as u64..=(GROUP_HEADER + GROUP_FRAMES_BYTES_MAX) as u64)
            .contains(&payload_bytes),
        RecordKind::Mark => payload_bytes == 0,
        RecordKind::Cut => payload_bytes.is_multiple_of(BLOCK as u64),
    };
    if !possible {
        return Err(RecordError::Length { payload_bytes });
    }
    Ok(Some(LocalPart {
        kind,
        segment,
        log_id,
        marks: Marks {
            durable: GroupSeq(header.durable_group.get()),
            durable_chain: Chain(header.durable_chain.get()),
            published: GroupSeq(header.published_group.get()),
        },
        payload_bytes,
    }))
}

/// The id of the log that the record at the start of `bytes` belongs to, if it is intact: how a
/// directory's id is found before anything is known about it.
pub fn peek_log_id(bytes: &[u8], segment: SegmentNumber) -> Option<LogId> {
    let (header, _) = LocalHeader::read_from_prefix(bytes).ok()?;
    let log_id = LogId(header.log_id.get());
    read_local(bytes, segment, log_id)
        .ok()
        .flatten()
        .map(|local| local.log_id)
}

/// Reads the record at the start of `bytes`, which is at a block boundary of segment `segment`.
pub fn read_record(bytes: &Bytes, segment: SegmentNumber, log_id: LogId) -> Slot {
    if bytes.len() < BLOCK {
        return Slot::Short { needed: BLOCK };
    }
    let local = match read_local(bytes, segment, log_id) {
        Ok(Some(local)) => local,
        Ok(None) => return Slot::Blank,
        Err(error) => return Slot::Bad(error),
    };
    match local.kind {
        RecordKind::Group => {}
        RecordKind::Segment | RecordKind::Mark => return Slot::Local(local),
        RecordKind::Cut => {
            return Slot::Bad(RecordError::Newer {
                version: VERSION,
                kind: RecordKind::Cut as u16,
            });
        }
    }
    let group_bytes = local.payload_bytes as usize;
    let needed = record_bytes(group_bytes);
    if bytes.len() < needed {
        return Slot::Short { needed };
    }
    match Group::parse(&bytes.slice(RECORD_HEADER..RECORD_HEADER + group_bytes)) {
        Ok(group) if group.bytes().len() == group_bytes => Slot::Group(local, group),
        Ok(_) => Slot::Bad(RecordError::Length {
            payload_bytes: local.payload_bytes,
        }),
        Err(error) => Slot::Bad(error.into()),
    }
}

/// What a record is that needs `needed` bytes where the file ends after `bytes`: a rest of zeros was
/// never a record.
pub fn at_file_end(bytes: &[u8], needed: usize) -> Slot {
    if is_zero(bytes) {
        return Slot::Blank;
    }
    Slot::Bad(RecordError::FileEnd {
        missing: needed.saturating_sub(bytes.len()) as u64,
    })
}

/// Whether all bytes are 0.
pub fn is_zero(bytes: &[u8]) -> bool {
    static ZEROS: [u8; BLOCK] = [0; BLOCK];
    bytes
        .chunks(BLOCK)
        .all(|chunk| *chunk == ZEROS[..chunk.len()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::finish_frame;
    use crate::group::Forming;
    use crate::position::{Incarnation, LogPosition, Term};

    const SEGMENT: SegmentNumber = SegmentNumber(3);
    const LOG: LogId = LogId(0xfeed);

    fn record() -> Bytes {
        let mut frame = vec![0; crate::FRAME_HEADER];
        frame.extend_from_slice(b"deltas");
        let forming = Forming {
            after: LogPosition::EMPTY,
            term: Term { counter: 1, id: 9 },
            incarnation: Incarnation { number: 1, id: 8 },
        };
        let group = Group::form(&forming, &[finish_frame(frame)], 1);
        let local = LocalPart {
            kind: RecordKind::Group,
            segment: SEGMENT,
            log_id: LOG,
            marks: Marks::default(),
            payload_bytes: group.bytes().len() as u64,
        };
        let mut bytes = local.encode().to_vec();
        bytes.extend_from_slice(group.bytes());
        bytes.resize(BLOCK, 0);
        bytes.into()
    }

    #[test]
    fn a_record_is_read_only_in_its_own_segment_and_log() {
        assert!(matches!(
            read_record(&record(), SEGMENT, LOG),
            Slot::Group(..)
        ));
        for (segment, log_id) in [(SegmentNumber(4), LOG), (SEGMENT, LogId(1))] {
            let slot = read_record(&record(), segment, log_id);
            assert!(
                matches!(slot, Slot::Bad(RecordError::Elsewhere { .. })),
                "{slot:?}"
            );
        }
        assert_eq!(peek_log_id(&record(), SEGMENT), Some(LOG));
        assert_eq!(peek_log_id(&record(), SegmentNumber(4)), None);
    }

    #[test]
    fn every_bit_flip_of_a_record_is_noticed_and_every_flip_of_its_pad_is_harmless() {
        let good = record();
        let Slot::Group(local, group) = read_record(&good, SEGMENT, LOG) else {
            panic!("a group")
        };
        let used = RECORD_HEADER + group.bytes().len();
        for bit in 0..BLOCK * 8 {
            let mut bad = good.to_vec();
            bad[bit / 8] ^= 1 << (bit % 8);
            let slot = read_record(&bad.into(), SEGMENT, LOG);
            if bit / 8 < used {
                assert!(
                    matches!(slot, Slot::Bad(_) | Slot::Short { .. }),
                    "bit {bit}: {slot:?}"
                );
            } else {
                assert_eq!(slot, Slot::Group(local, group.clone()));
            }
        }
    }

    #[test]
    fn names_of_segments_sort_by_number_and_read_back() {
        let numbers = [1, 2, 9, 10, 99, 1_000_000, u64::from(u32::MAX)].map(SegmentNumber);
        let names: Vec<_> = numbers.iter().map(|n| n.file_name()).collect();
        assert!(names.is_sorted());
        for (number, name) in numbers.iter().zip(&names) {
            assert_eq!(SegmentNumber::from_file_name(name), Some(*number));
        }
        for other in [
            "1.log",
            "0000000000000001.new",
            "+000000000000001.log",
            ".log",
            "rescue.log",
        ] {
            assert_eq!(SegmentNumber::from_file_name(other), None, "{other}");
        }
    }
}
