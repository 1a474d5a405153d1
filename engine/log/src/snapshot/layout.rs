//! The bytes of snapshot files.
//!
//! Owns the layouts and their checks, without I/O. Called by `writer`, `reader`, `store`.
//!
//! ```text
//! manifest                                     part
//!   0   8 magic "QUOITMAN"                       0   8 magic "QUOITPRT"
//!   8   2 version, 1                             8   2 version, 1
//!  10   2 number of parts                       10   2 number of the part, from 0
//!  12   4 reserved, 0                           12   4 CRC-32C of bytes 0..12 and 16..32
//!  16   8 snapshot id, random                   16   8 snapshot id
//!  24   8 log id                                24   8 commit
//!  32   8 milliseconds since 1970               32   n blocks
//!  40   8 commit: all up to it are in it
//!  48  16 term: counter, id                   block
//!  64  16 incarnation: number, id               0   2 kind; 65535: the end
//!  80   8 group: all up to it are in it         2   2 reserved, 0
//!  88   8 last commit of that group             4   4 bytes of payload
//!  96   8 chain of that group                   8   4 number of the block in its part, from 0
//! 104  24 for each part: bytes 8, blocks 8,    12   4 CRC-32C of snapshot id, part (2 bytes), bytes 0..12, payload
//!         checksum 4, reserved 4               16   n payload
//!   n   4 CRC-32C of all before
//! ```
//! Integers are little-endian. A part's checksum is the CRC-32C of its blocks' checksums, the end's included. Zeros may follow the end.

use zerocopy::byteorder::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::PartSummary;
use crate::CommitSeq;
use crate::position::{Chain, GroupSeq, Incarnation, LogPosition, Term};

/// The version that is written, and the only one that is read.
pub const VERSION: u16 = 1;
/// The kind of the block that ends a part.
pub const END: u16 = u16::MAX;
/// Bytes in front of a part's blocks.
pub const PART_HEADER: usize = 32;
/// Bytes in front of a block's payload.
pub const BLOCK_HEADER: usize = 16;

const MANIFEST_MAGIC: [u8; 8] = *b"QUOITMAN";
const PART_MAGIC: [u8; 8] = *b"QUOITPRT";
/// A manifest is no longer than this, in bytes.
pub(super) const MANIFEST_BYTES_MAX: usize = MANIFEST_HEADER + PARTS_MAX * MANIFEST_PART + 4;
const MANIFEST_HEADER: usize = 104;
const MANIFEST_PART: usize = 24;
/// The most parts of a snapshot.
pub const PARTS_MAX: usize = 4096;

/// What a snapshot is of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SnapshotHead {
    /// Random: tells its parts from those of another.
    pub id: u64,
    /// The log that goes on from it.
    pub log_id: u64,
    /// When it was begun, by this node's clock.
    pub unix_ms: u64,
    /// The last group of which everything is in it.
    pub position: LogPosition,
    /// All commits up to this one are in it, and none above; not below `position.commit`.
    pub commit: CommitSeq,
    /// In how many parts.
    pub parts: u16,
}

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned, Clone, Copy)]
#[repr(C)]
struct ManifestHeader {
    magic: [u8; 8],
    version: U16,
    parts: U16,
    reserved: U32,
    id: U64,
    log_id: U64,
    unix_ms: U64,
    commit: U64,
    term_counter: U64,
    term_id: U64,
    incarnation_number: U64,
    incarnation_id: U64,
    group: U64,
    group_commit: U64,
    chain: U64,
}

const _: () = assert!(size_of::<ManifestHeader>() == MANIFEST_HEADER);

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned, Clone, Copy)]
#[repr(C)]
struct ManifestPart {
    bytes: U64,
    blocks: U64,
    checksum: U32,
    reserved: U32,
}

const _: () = assert!(size_of::<ManifestPart>() == MANIFEST_PART);

/// A manifest's bytes.
pub fn encode_manifest(head: &SnapshotHead, parts: &[PartSummary]) -> Vec<u8> {
    let LogPosition {
        term,
        incarnation,
        group,
        commit,
        chain,
    } = head.position;
    let header = ManifestHeader {
        magic: MANIFEST_MAGIC,
        version: U16::new(VERSION),
        parts: U16::new(head.parts),
        reserved: U32::ZERO,
        id: U64::new(head.id),
        log_id: U64::new(head.log_id),
        unix_ms: U64::new(head.unix_ms),
        commit: U64::new(head.commit.0),
        term_counter: U64::new(term.counter),
        term_id: U64::new(term.id),
        incarnation_number: U64::new(incarnation.number),
        incarnation_id: U64::new(incarnation.id),
        group: U64::new(group.0),
        group_commit: U64::new(commit.0),
        chain: U64::new(chain.0),
    };
    let mut out = header.as_bytes().to_vec();
    for part in parts {
        let part = ManifestPart {
            bytes: U64::new(part.bytes),
            blocks: U64::new(part.blocks),
            checksum: U32::new(part.checksum),
            reserved: U32::ZERO,
        };
        out.extend_from_slice(part.as_bytes());
    }
    out.extend_from_slice(&crc32c::crc32c(&out).to_le_bytes());
    out
}

/// What a manifest says; or what is wrong with it, and where.
///
/// # Errors
/// Offset and reason.
pub fn decode_manifest(bytes: &[u8]) -> Result<(SnapshotHead, Vec<PartSummary>), (u64, String)> {
    let cut = |at: usize| (at as u64, "the file ends too early".to_owned());
    let (header, rest) = ManifestHeader::read_from_prefix(bytes).map_err(|_| cut(bytes.len()))?;
    if header.magic != MANIFEST_MAGIC {
        return Err((0, "this is no manifest of a snapshot".to_owned()));
    }
    if header.version.get() != VERSION {
        let found = header.version.get();
        let what = format!("it has format version {found}, this server reads version {VERSION}");
        return Err((8, what));
    }
    let count = usize::from(header.parts.get());
    let len = MANIFEST_HEADER + count * MANIFEST_PART;
    if count == 0 || count > PARTS_MAX || bytes.len() != len + 4 {
        let what = format!("{} bytes for {count} parts", bytes.len());
        return Err((10, what));
    }
    let expected = u32::from_le_bytes(bytes[len..].try_into().expect("four bytes"));
    let found = crc32c::crc32c(&bytes[..len]);
    if expected != found {
        return Err((
            len as u64,
            format!("checksum {found:08x}, expected {expected:08x}"),
        ));
    }
    let head = SnapshotHead {
        id: header.id.get(),
        log_id: header.log_id.get(),
        unix_ms: header.unix_ms.get(),
        position: LogPosition {
            term: Term {
                counter: header.term_counter.get(),
                id: header.term_id.get(),
            },
            incarnation: Incarnation {
                number: header.incarnation_number.get(),
                id: header.incarnation_id.get(),
            },
            group: GroupSeq(header.group.get()),
            commit: CommitSeq(header.group_commit.get()),
            chain: Chain(header.chain.get()),
        },
        commit: CommitSeq(header.commit.get()),
        parts: header.parts.get(),
    };
    if head.commit < head.position.commit {
        return Err((40, "its commit is below that of its group".to_owned()));
    }
    let parts = rest.chunks(MANIFEST_PART).take(count).zip(0..);
    let parts = parts.map(|(bytes, part)| {
        let read = ManifestPart::read_from_bytes(bytes).expect("the length was checked");
        PartSummary {
            part,
            bytes: read.bytes.get(),
            blocks: read.blocks.get(),
            checksum: read.checksum.get(),
        }
    });
    Ok((head, parts.collect()))
}

/// The bytes in front of a part's blocks.
pub fn encode_part(id: u64, part: u16, commit: CommitSeq) -> [u8; PART_HEADER] {
    let mut out = [0; PART_HEADER];
    out[..8].copy_from_slice(&PART_MAGIC);
    out[8..10].copy_from_slice(&VERSION.to_le_bytes());
    out[10..12].copy_from_slice(&part.to_le_bytes());
    out[16..24].copy_from_slice(&id.to_le_bytes());
    out[24..].copy_from_slice(&commit.0.to_le_bytes());
    let checksum = crc32c::crc32c_append(crc32c::crc32c(&out[..12]), &out[16..]);
    out[12..16].copy_from_slice(&checksum.to_le_bytes());
    out
}

/// Whether bytes are those in front of this part's blocks.
///
/// # Errors
/// Offset and reason.
pub fn check_part(
    bytes: &[u8],
    id: u64,
    part: u16,
    commit: CommitSeq,
) -> Result<(), (u64, String)> {
    if bytes.len() < PART_HEADER {
        return Err((bytes.len() as u64, "the file ends too early".to_owned()));
    }
    if bytes[..8] != PART_MAGIC {
        return Err((0, "this is no part of a snapshot".to_owned()));
    }
    let version = u16::from_le_bytes([bytes[8], bytes[9]]);
    if version != VERSION {
        let what = format!("it has format version {version}, this server reads version {VERSION}");
        return Err((8, what));
    }
    if bytes[..PART_HEADER] != encode_part(id, part, commit) {
        return Err((
            0,
            "it belongs to another snapshot, or is damaged".to_owned(),
        ));
    }
    Ok(())
}

/// What stands in front of a block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BlockHeader {
    /// What the payload is.
    pub kind: u16,
    /// Bytes of the payload.
    pub len: u32,
    /// Its number in its part.
    pub number: u32,
    /// Of everything.
    pub checksum: u32,
}

impl BlockHeader {
    /// For a payload.
    pub fn of(id: u64, part: u16, kind: u16, number: u32, payload: &[u8]) -> BlockHeader {
        let mut header = BlockHeader {
            kind,
            len: payload.len() as u32,
            number,
            checksum: 0,
        };
        header.checksum = header.computed(id, part, payload);
        header
    }

    /// The checksum that this header and a payload give.
    pub fn computed(&self, id: u64, part: u16, payload: &[u8]) -> u32 {
        let crc = crc32c::crc32c(&id.to_le_bytes());
        let crc = crc32c::crc32c_append(crc, &part.to_le_bytes());
        let crc = crc32c::crc32c_append(crc, &self.encode()[..12]);
        crc32c::crc32c_append(crc, payload)
    }

    /// Its bytes.
    pub fn encode(&self) -> [u8; BLOCK_HEADER] {
        let mut out = [0; BLOCK_HEADER];
        out[..2].copy_from_slice(&self.kind.to_le_bytes());
        out[4..8].copy_from_slice(&self.len.to_le_bytes());
        out[8..12].copy_from_slice(&self.number.to_le_bytes());
        out[12..].copy_from_slice(&self.checksum.to_le_bytes());
        out
    }

    /// From bytes; `None` if a reserved one is set.
    pub fn decode(bytes: &[u8; BLOCK_HEADER]) -> Option<BlockHeader> {
        let word = |at: usize| {
            u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
        };
        (bytes[2..4] == [0, 0]).then(|| BlockHeader {
            kind: u16::from_le_bytes([bytes[0], bytes[1]]),
            len: word(4),
            number: word(8),
            checksum: word(12),
        })
    }
}
