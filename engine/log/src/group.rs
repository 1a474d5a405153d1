//! What one log write carries: the group.
//!
//! Owns the layout of a group and its verification, as pure functions over bytes. Called by the
//! leader (which forms groups), the follower (which receives them), recovery and catch-up (which
//! read them back). What always holds of a [`Group`] value: its header's checksum, the checksum of
//! its frames and each frame's own were verified, or it was formed here; so whoever has one may
//! apply, write or send it. Whether it *follows* another group is asked with [`Group::follows`].
//!
//! A group on a link and in a segment is the same bytes, its *history*, equal on every node:
//!
//! ```text
//! offset size
//!      0    8  magic "QUOITGRP"
//!      8    2  version, 1
//!     10    2  flags, 0
//!     12    4  number of frames
//!     16    8  term: counter
//!     24    8  term: random id
//!     32    8  incarnation: number
//!     40    8  incarnation: random id
//!     48    8  group number, dense
//!     56    8  first commit number (that of the first numbered frame; the next one if there is none)
//!     64    4  number of numbered frames
//!     68    4  bytes of frames
//!     72    4  CRC-32C of the frames
//!     76    4  reserved, 0
//!     80    8  chain of the group before
//!     88    8  chain: XXH3-64 of bytes 0..80, seeded by the chain of the group before
//!     96    4  CRC-32C of bytes 0..96
//!    100    4  reserved, 0 (covered by nothing, so it must be 0)
//!    104    n  frames
//! ```
//! Integers are little-endian. In a segment a [`crate::segment`] record header stands before it and
//! zeros pad it to a block.

use bytes::{Bytes, BytesMut};
use thiserror::Error;
use xxhash_rust::xxh3::xxh3_64_with_seed;
use zerocopy::byteorder::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::CommitSeq;
use crate::frame::{FRAME_BODY_BYTES_MAX, FRAME_HEADER, Frame, FrameError, frames};
use crate::position::{Chain, GroupSeq, Incarnation, LogPosition, Term};

/// Bytes of a group's header.
pub const GROUP_HEADER: usize = 104;

/// A leader stops gathering when it has this many bytes, at most: frames below it and one above.
pub const GATHERED_BYTES_MAX: usize = 64 << 20;

/// The most bytes of frames in a group.
pub const GROUP_FRAMES_BYTES_MAX: usize = GATHERED_BYTES_MAX + FRAME_BODY_BYTES_MAX + FRAME_HEADER;

const MAGIC: [u8; 8] = *b"QUOITGRP";
const VERSION: u16 = 1;
/// The chain covers the header up to the previous chain, which seeds it.
const CHAINED: usize = 80;
/// The header's checksum covers everything before it.
const CHECKED: usize = 96;

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned, Clone, Copy)]
#[repr(C)]
struct GroupHeader {
    magic: [u8; 8],
    version: U16,
    flags: U16,
    frame_count: U32,
    term_counter: U64,
    term_id: U64,
    incarnation_number: U64,
    incarnation_id: U64,
    group: U64,
    first_commit: U64,
    commit_count: U32,
    frames_bytes: U32,
    frames_crc: U32,
    reserved: U32,
    previous_chain: U64,
    chain: U64,
    crc: U32,
    reserved_tail: U32,
}

const _: () = assert!(size_of::<GroupHeader>() == GROUP_HEADER);
const _: () = assert!(GROUP_FRAMES_BYTES_MAX <= u32::MAX as usize);

/// A verified group: the header's values and the bytes, shared and never copied again.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Group {
    term: Term,
    incarnation: Incarnation,
    seq: GroupSeq,
    first_commit: CommitSeq,
    commit_count: u32,
    frame_count: u32,
    previous_chain: Chain,
    chain: Chain,
    bytes: Bytes,
}

/// What a group is formed with besides its frames.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Forming {
    /// Position of the group before: gives group number, commit number and chain.
    pub after: LogPosition,
    /// Term of the new group.
    pub term: Term,
    /// Incarnation of the new group.
    pub incarnation: Incarnation,
}

/// Why bytes are no group. All offsets are relative to the group's first byte.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum GroupError {
    /// The first eight bytes are not a group's.
    #[error("no group starts here: magic {found:02x?}")]
    Magic {
        /// What stands there.
        found: [u8; 8],
    },
    /// Written by a newer version.
    #[error("group of format version {found} (flags {flags:#x}), this server reads version 1")]
    Version {
        /// Its version.
        found: u16,
        /// Its flags.
        flags: u16,
    },
    /// The header's bytes are not those that were written.
    #[error("group header checksum {found:08x}, expected {expected:08x}")]
    HeaderChecksum {
        /// What the header says.
        expected: u32,
        /// What its bytes give.
        found: u32,
    },
    /// A field is outside its range although the checksum is right: another program wrote it.
    #[error("group header: {what}")]
    Header {
        /// Which field, and how.
        what: &'static str,
    },
    /// Fewer bytes than the header announces.
    #[error("group {group} is cut: needs {needed} bytes, {available} are there")]
    Cut {
        /// Its number.
        group: GroupSeq,
        /// Bytes it needs.
        needed: usize,
        /// Bytes there are.
        available: usize,
    },
    /// The frames' bytes are not those that were written.
    #[error("group {group}: checksum of its frames {found:08x}, expected {expected:08x}")]
    FramesChecksum {
        /// Its number.
        group: GroupSeq,
        /// What the header says.
        expected: u32,
        /// What the bytes give.
        found: u32,
    },
    /// A frame inside is bad, or there are more or fewer than announced.
    #[error("group {group}: {error}")]
    Frame {
        /// Its number.
        group: GroupSeq,
        /// What is wrong with the frame.
        error: FrameError,
    },
    /// The number of frames differs from the header's.
    #[error(
        "group {group} announces {announced} frames ({numbered} numbered) and holds {found} ({found_numbered})"
    )]
    FrameCount {
        /// Its number.
        group: GroupSeq,
        /// Frames the header announces.
        announced: u32,
        /// Numbered frames the header announces.
        numbered: u32,
        /// Frames there are.
        found: u32,
        /// Numbered frames there are.
        found_numbered: u32,
    },
}

/// How a group does not follow a position.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum NotFollowing {
    /// Groups between are missing, or it is an old one.
    #[error("group {found} does not follow group {after}")]
    Number {
        /// The last group here.
        after: GroupSeq,
        /// The group that came.
        found: GroupSeq,
    },
    /// It continues another history.
    #[error("group {group} continues chain {found}, this log's is {expected}")]
    Chain {
        /// The group that came.
        group: GroupSeq,
        /// The chain of this log.
        expected: Chain,
        /// The chain it continues.
        found: Chain,
    },
    /// Its commit numbers leave a gap or overlap.
    #[error("group {group} starts with commit {found}, expected {expected}")]
    Commit {
        /// The group that came.
        group: GroupSeq,
        /// The next commit number of this log.
        expected: u64,
        /// Its first commit number.
        found: u64,
    },
    /// Its term or incarnation is older than the position's.
    #[error("group {group} belongs to an older term or incarnation")]
    Older {
        /// The group that came.
        group: GroupSeq,
    },
}

impl Group {
    /// The header for `frames_region`: `frame_count` frames, `commit_count` of them numbered.
    ///
    /// # Panics
    /// When the region is longer than [`GROUP_FRAMES_BYTES_MAX`], which forming rules out.
    pub fn header(
        forming: &Forming,
        frames_region: &[u8],
        frame_count: u32,
        commit_count: u32,
    ) -> [u8; GROUP_HEADER] {
        assert!(
            frames_region.len() <= GROUP_FRAMES_BYTES_MAX,
            "a group holds at most one frame of the greatest length"
        );
        assert!(commit_count <= frame_count, "numbered frames are frames");
        let after = &forming.after;
        let mut header = GroupHeader {
            magic: MAGIC,
            version: U16::new(VERSION),
            flags: U16::ZERO,
            frame_count: U32::new(frame_count),
            term_counter: U64::new(forming.term.counter),
            term_id: U64::new(forming.term.id),
            incarnation_number: U64::new(forming.incarnation.number),
            incarnation_id: U64::new(forming.incarnation.id),
            group: U64::new(after.group.0 + 1),
            first_commit: U64::new(after.commit.0 + 1),
            commit_count: U32::new(commit_count),
            frames_bytes: U32::new(frames_region.len() as u32),
            frames_crc: U32::new(crc32c::crc32c(frames_region)),
            reserved: U32::ZERO,
            previous_chain: U64::new(after.chain.0),
            chain: U64::ZERO,
            crc: U32::ZERO,
            reserved_tail: U32::ZERO,
        };
        header.chain = U64::new(xxh3_64_with_seed(
            &header.as_bytes()[..CHAINED],
            after.chain.0,
        ));
        header.crc = U32::new(crc32c::crc32c(&header.as_bytes()[..CHECKED]));
        zerocopy::transmute!(header)
    }

    /// Forms a group in a buffer of its own; the leader forms in place in its write buffer instead.
    pub fn form(forming: &Forming, frames: &[Bytes], commit_count: u32) -> Group {
        let mut bytes = BytesMut::zeroed(GROUP_HEADER);
        for frame in frames {
            bytes.extend_from_slice(frame);
        }
        let header = Group::header(
            forming,
            &bytes[GROUP_HEADER..],
            frames.len() as u32,
            commit_count,
        );
        bytes[..GROUP_HEADER].copy_from_slice(&header);
        Group::trusted(bytes.freeze())
    }

    /// A group that was formed here: the header is read, the checksums are not computed again.
    pub(crate) fn trusted(bytes: Bytes) -> Group {
        let (header, _) =
            GroupHeader::read_from_prefix(&bytes).expect("a formed group has its header");
        Group::with_header(&header, bytes)
    }

    fn with_header(header: &GroupHeader, bytes: Bytes) -> Group {
        Group {
            term: Term {
                counter: header.term_counter.get(),
                id: header.term_id.get(),
            },
            incarnation: Incarnation {
                number: header.incarnation_number.get(),
                id: header.incarnation_id.get(),
            },
            seq: GroupSeq(header.group.get()),
            first_commit: CommitSeq(header.first_commit.get()),
            commit_count: header.commit_count.get(),
            frame_count: header.frame_count.get(),
            previous_chain: Chain(header.previous_chain.get()),
            chain: Chain(header.chain.get()),
            bytes,
        }
    }

    /// How many bytes the group at the start of `bytes` has in all; `None` while fewer than
    /// [`GROUP_HEADER`] bytes are there. Verifies the header, so a length is never believed that was
    /// not written. At most `GROUP_HEADER + GROUP_FRAMES_BYTES_MAX`.
    ///
    /// # Errors
    /// As [`Group::parse`], without those about frames.
    pub fn len_from_header(bytes: &[u8]) -> Result<Option<usize>, GroupError> {
        if bytes.len() < GROUP_HEADER {
            return Ok(None);
        }
        let header = verify_header(bytes)?;
        Ok(Some(GROUP_HEADER + header.frames_bytes.get() as usize))
    }

    /// Verifies the group at the start of `bytes` (header, frames, each frame) and takes exactly its
    /// bytes, without copying; what follows in `bytes` is ignored.
    ///
    /// # Errors
    /// [`GroupError::Cut`] when bytes are missing, the others when bytes are wrong.
    pub fn parse(bytes: &Bytes) -> Result<Group, GroupError> {
        let Some(len) = Group::len_from_header(bytes)? else {
            return Err(GroupError::Cut {
                group: GroupSeq::NONE,
                needed: GROUP_HEADER,
                available: bytes.len(),
            });
        };
        let header = verify_header(bytes)?;
        let group = GroupSeq(header.group.get());
        if bytes.len() < len {
            return Err(GroupError::Cut {
                group,
                needed: len,
                available: bytes.len(),
            });
        }
        let region = &bytes[GROUP_HEADER..len];
        let (expected, found) = (header.frames_crc.get(), crc32c::crc32c(region));
        if expected != found {
            return Err(GroupError::FramesChecksum {
                group,
                expected,
                found,
            });
        }
        let (mut count, mut numbered) = (0, 0);
        for frame in frames(region) {
            let frame = frame.map_err(|error| GroupError::Frame { group, error })?;
            count += 1;
            numbered += u32::from(frame.kind.is_numbered());
        }
        if count != header.frame_count.get() || numbered != header.commit_count.get() {
            return Err(GroupError::FrameCount {
                group,
                announced: header.frame_count.get(),
                numbered: header.commit_count.get(),
                found: count,
                found_numbered: numbered,
            });
        }
        Ok(Group::with_header(&header, bytes.slice(..len)))
    }

    /// Whether this group is the next one after `position` in the same history.
    ///
    /// # Errors
    /// The first way in which it is not, number before chain.
    pub fn follows(&self, position: &LogPosition) -> Result<(), NotFollowing> {
        if self.seq != position.group.next() {
            return Err(NotFollowing::Number {
                after: position.group,
                found: self.seq,
            });
        }
        if self.previous_chain != position.chain {
            return Err(NotFollowing::Chain {
                group: self.seq,
                expected: position.chain,
                found: self.previous_chain,
            });
        }
        if self.first_commit.0 != position.commit.0 + 1 {
            return Err(NotFollowing::Commit {
                group: self.seq,
                expected: position.commit.0 + 1,
                found: self.first_commit.0,
            });
        }
        if self.term.counter < position.term.counter
            || self.incarnation.number < position.incarnation.number
        {
            return Err(NotFollowing::Older { group: self.seq });
        }
        Ok(())
    }

    /// The position after this group.
    pub fn position(&self) -> LogPosition {
        LogPosition {
            term: self.term,
            incarnation: self.incarnation,
            group: self.seq,
            commit: self.last_commit(),
            chain: self.chain,
        }
    }

    /// Number of the group.
    pub fn seq(&self) -> GroupSeq {
        self.seq
    }

    /// Term in which it was formed.
    pub fn term(&self) -> Term {
        self.term
    }

    /// Incarnation in which it was formed.
    pub fn incarnation(&self) -> Incarnation {
        self.incarnation
    }

    /// Number of its first numbered frame; the next commit's number when it has none.
    pub fn first_commit(&self) -> CommitSeq {
        self.first_commit
    }

    /// The last commit in or before this group.
    pub fn last_commit(&self) -> CommitSeq {
        CommitSeq(self.first_commit.0 + u64::from(self.commit_count) - 1)
    }

    /// Numbered frames: transactions.
    pub fn commit_count(&self) -> u32 {
        self.commit_count
    }

    /// Frames of any kind.
    pub fn frame_count(&self) -> u32 {
        self.frame_count
    }

    /// Chain of the group before.
    pub fn previous_chain(&self) -> Chain {
        self.previous_chain
    }

    /// Chain up to and including this group.
    pub fn chain(&self) -> Chain {
        self.chain
    }

    /// Header and frames: what is sent to replicas and what they append. Equal on every node.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Its frames, each verified once more on the way, so that what is applied is what was read.
    ///
    /// # Panics
    /// When memory changed since the group was verified.
    pub fn frames(&self) -> impl Iterator<Item = Frame<'_>> {
        frames(&self.bytes[GROUP_HEADER..]).map(|f| f.expect("the frames of a group were verified"))
    }
}

fn verify_header(bytes: &[u8]) -> Result<GroupHeader, GroupError> {
    let (header, _) =
        GroupHeader::read_from_prefix(bytes).expect("the caller looked at the length");
    if header.magic != MAGIC {
        return Err(GroupError::Magic {
            found: header.magic,
        });
    }
    let (expected, found) = (header.crc.get(), crc32c::crc32c(&bytes[..CHECKED]));
    if expected != found {
        return Err(GroupError::HeaderChecksum { expected, found });
    }
    if header.version.get() != VERSION || header.flags.get() != 0 {
        return Err(GroupError::Version {
            found: header.version.get(),
            flags: header.flags.get(),
        });
    }
    let what = if header.reserved.get() != 0 || header.reserved_tail.get() != 0 {
        "a reserved field is not 0"
    } else if header.frames_bytes.get() as usize > GROUP_FRAMES_BYTES_MAX {
        "more bytes of frames than a group may have"
    } else if header.group.get() == 0 || header.group.get() == u64::MAX {
        "group number out of range"
    } else if header.first_commit.get() == 0
        || header
            .first_commit
            .get()
            .checked_add(u64::from(header.commit_count.get()))
            .is_none()
    {
        "commit number out of range"
    } else if header.frame_count.get() == 0 || header.commit_count.get() > header.frame_count.get()
    {
        "frame count out of range"
    } else if header.chain.get()
        != xxh3_64_with_seed(&bytes[..CHAINED], header.previous_chain.get())
    {
        "chain does not fit the header"
    } else {
        return Ok(header);
    };
    Err(GroupError::Header { what })
}
