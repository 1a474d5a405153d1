//! One transaction's bytes: the frame.
//!
//! Owns the layout of a frame, its checksum, and the walk over the frames of a group. Called by
//! [`crate::Log::finish_frame`] (once for every transaction, on the committing core), by group
//! verification and by recovery. What always holds: a frame never changes after
//! [`finish_frame`]; it does not contain its number, which its place gives it. The meaning of the
//! deltas inside is left to the graph.
//!
//! ```text
//! offset size
//!      0    4  body length in bytes
//!      4    4  CRC-32C of everything else: bytes 0..4, 8..12, then the body
//!      8    2  kind (FrameKind)
//!     10    2  flags, 0
//!     12    n  body: typed deltas (kind 1), an opening (kind 2)
//! ```
//! Integers are little-endian.

use bytes::Bytes;
use thiserror::Error;
use zerocopy::byteorder::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Bytes of a frame's header: a transaction's buffer leaves this much room in front of its deltas.
pub const FRAME_HEADER: usize = 12;

/// The longest frame body. A longer transaction is refused before it has a number.
pub const FRAME_BODY_BYTES_MAX: usize = 1 << 30;

/// What a frame carries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u16)]
pub enum FrameKind {
    /// The deltas of one transaction. Takes the next commit number.
    Transaction = 1,
    /// The opening of an incarnation. Takes no commit number.
    Opening = 2,
}

impl FrameKind {
    fn from_code(code: u16) -> Option<FrameKind> {
        match code {
            1 => Some(FrameKind::Transaction),
            2 => Some(FrameKind::Opening),
            _ => None,
        }
    }

    /// Whether a frame of this kind takes a commit number.
    pub fn is_numbered(self) -> bool {
        match self {
            FrameKind::Transaction => true,
            FrameKind::Opening => false,
        }
    }
}

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned, Clone, Copy)]
#[repr(C)]
struct FrameHeader {
    body_len: U32,
    crc: U32,
    kind: U16,
    flags: U16,
}

const _: () = assert!(size_of::<FrameHeader>() == FRAME_HEADER);

/// A verified frame, borrowed from its group.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Frame<'a> {
    /// What the body is.
    pub kind: FrameKind,
    /// The body, without the header.
    pub body: &'a [u8],
    /// Offset of the frame's header in the region it was read from.
    pub offset: usize,
}

/// Why bytes are not frames.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum FrameError {
    /// Fewer bytes than the header or the announced body.
    #[error("frame at offset {offset} is cut: needs {needed} bytes, {available} are there")]
    Cut {
        /// Offset of the frame's header.
        offset: usize,
        /// Bytes it needs.
        needed: usize,
        /// Bytes there are.
        available: usize,
    },
    /// The bytes are not those that were written.
    #[error("frame at offset {offset}: checksum {found:08x}, expected {expected:08x}")]
    Checksum {
        /// Offset of the frame's header.
        offset: usize,
        /// What its header says.
        expected: u32,
        /// What its bytes give.
        found: u32,
    },
    /// A kind this version does not know.
    #[error("frame at offset {offset}: unknown kind {kind} with flags {flags:#x}")]
    UnknownKind {
        /// Offset of the frame's header.
        offset: usize,
        /// The kind.
        kind: u16,
        /// The flags.
        flags: u16,
    },
}

/// Fills the header of a transaction's frame: `buffer` is [`FRAME_HEADER`] bytes of room followed by
/// the deltas. Called once for each transaction.
///
/// # Panics
/// When the room is missing or the body is longer than [`FRAME_BODY_BYTES_MAX`], which the
/// reservation before has ruled out.
pub fn finish_frame(buffer: Vec<u8>) -> Bytes {
    finish(buffer, FrameKind::Transaction)
}

fn finish(mut buffer: Vec<u8>, kind: FrameKind) -> Bytes {
    assert!(
        buffer.len() >= FRAME_HEADER,
        "a frame's buffer has room for its header"
    );
    let body_len = buffer.len() - FRAME_HEADER;
    assert!(
        body_len <= FRAME_BODY_BYTES_MAX,
        "a frame of {body_len} bytes was not refused"
    );
    let mut header = FrameHeader {
        body_len: U32::new(body_len as u32),
        crc: U32::ZERO,
        kind: U16::new(kind as u16),
        flags: U16::ZERO,
    };
    header.crc = U32::new(checksum(&header, &buffer[FRAME_HEADER..]));
    buffer[..FRAME_HEADER].copy_from_slice(header.as_bytes());
    Bytes::from(buffer)
}

fn checksum(header: &FrameHeader, body: &[u8]) -> u32 {
    let crc = crc32c::crc32c(header.body_len.as_bytes());
    let crc = crc32c::crc32c_append(crc, header.kind.as_bytes());
    let crc = crc32c::crc32c_append(crc, header.flags.as_bytes());
    crc32c::crc32c_append(crc, body)
}

/// Walks the frames of a region, verifying each; ends after the first error.
pub struct Frames<'a> {
    region: &'a [u8],
    offset: usize,
    failed: bool,
}

/// The frames that fill `region` exactly.
pub fn frames(region: &[u8]) -> Frames<'_> {
    Frames {
        region,
        offset: 0,
        failed: false,
    }
}

impl<'a> Iterator for Frames<'a> {
    type Item = Result<Frame<'a>, FrameError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed || self.offset == self.region.len() {
            return None;
        }
        let result = read_frame(self.region, self.offset);
        match &result {
            Ok(frame) => self.offset += FRAME_HEADER + frame.body.len(),
            Err(_) => self.failed = true,
        }
        Some(result)
    }
}

fn read_frame(region: &[u8], offset: usize) -> Result<Frame<'_>, FrameError> {
    let rest = &region[offset..];
    let Ok((header, tail)) = FrameHeader::read_from_prefix(rest) else {
        return Err(FrameError::Cut {
            offset,
            needed: FRAME_HEADER,
            available: rest.len(),
        });
    };
    let body_len = header.body_len.get() as usize;
    if body_len > tail.len() {
        let needed = FRAME_HEADER + body_len;
        return Err(FrameError::Cut {
            offset,
            needed,
            available: rest.len(),
        });
    }
    let body = &tail[..body_len];
    let (expected, found) = (header.crc.get(), checksum(&header, body));
    if expected != found {
        return Err(FrameError::Checksum {
            offset,
            expected,
            found,
        });
    }
    match (FrameKind::from_code(header.kind.get()), header.flags.get()) {
        (Some(kind), 0) => Ok(Frame { kind, body, offset }),
        (_, flags) => Err(FrameError::UnknownKind {
            offset,
            kind: header.kind.get(),
            flags,
        }),
    }
}

/// Why an incarnation was opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u16)]
pub enum OpeningReason {
    /// The first write or REGISTER of an empty MAIN: a term begins.
    Founding = 1,
    /// A MAIN with data started again: same term, next incarnation.
    Restart = 2,
    /// A replica became MAIN: a term begins.
    Promotion = 3,
}

/// The body of an opening frame: term and incarnation stand in the group's header.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned, Clone, Copy)]
#[repr(C)]
struct OpeningBody {
    reason: U16,
    reserved: [u8; 6],
    unix_ms: U64,
}

const _: () = assert!(size_of::<OpeningBody>() == 16);

/// The frame that opens an incarnation. `unix_ms` is the wall time of the node that opens it, for
/// the operator's eyes only.
pub fn opening_frame(reason: OpeningReason, unix_ms: u64) -> Bytes {
    let body = OpeningBody {
        reason: U16::new(reason as u16),
        reserved: [0; 6],
        unix_ms: U64::new(unix_ms),
    };
    let mut buffer = vec![0; FRAME_HEADER];
    buffer.extend_from_slice(body.as_bytes());
    finish(buffer, FrameKind::Opening)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transaction(deltas: &[u8]) -> Bytes {
        let mut buffer = vec![0; FRAME_HEADER];
        buffer.extend_from_slice(deltas);
        finish_frame(buffer)
    }

    #[test]
    fn a_region_gives_back_the_frames_it_was_made_of() {
        let mut region = Vec::new();
        region.extend_from_slice(&transaction(b"one"));
        region.extend_from_slice(&opening_frame(OpeningReason::Restart, 7));
        region.extend_from_slice(&transaction(b""));
        let read: Vec<_> = frames(&region).map(|f| f.unwrap()).collect();
        assert_eq!(read.len(), 3);
        assert_eq!(
            (read[0].kind, read[0].body),
            (FrameKind::Transaction, &b"one"[..])
        );
        assert_eq!(read[1].kind, FrameKind::Opening);
        assert_eq!(
            (read[2].kind, read[2].body),
            (FrameKind::Transaction, &b""[..])
        );
    }

    #[test]
    fn every_bit_flip_of_a_frame_is_an_error() {
        let good = transaction(b"some deltas of a transaction");
        for bit in 0..good.len() * 8 {
            let mut bad = good.to_vec();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(
                frames(&bad).any(|f| f.is_err()),
                "bit {bit} was not noticed"
            );
        }
    }

    #[test]
    fn every_cut_of_a_frame_is_an_error() {
        let good = transaction(b"deltas");
        for len in 1..good.len() {
            let walk: Vec<_> = frames(&good[..len]).collect();
            assert_eq!(walk.len(), 1);
            assert!(matches!(walk[0], Err(FrameError::Cut { .. })));
        }
    }

    #[test]
    fn an_unknown_kind_with_a_good_checksum_is_named() {
        let mut header = FrameHeader {
            body_len: U32::new(0),
            crc: U32::ZERO,
            kind: U16::new(77),
            flags: U16::ZERO,
        };
        header.crc = U32::new(checksum(&header, b""));
        let walk: Vec<_> = frames(header.as_bytes()).collect();
        assert_eq!(
            walk,
            [Err(FrameError::UnknownKind {
                offset: 0,
                kind: 77,
                flags: 0
            })]
        );
    }
}
