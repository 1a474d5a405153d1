//! The graph's image: everything that one snapshot sees, in blocks that are loaded by reading them, not by doing the writes again.
//!
//! Owned here: the bytes of blocks; [`Capture`], which reads them out of a live graph on any number of cores while writes go on
//! ([`capture`]), and [`Loader`], which builds an empty graph from them, also on several cores ([`load`]). Called by `server` (snapshots and
//! recovery), which brings the blocks to a disk and back through `log`.
//! Always holds: what is captured is what one snapshot sees, whatever is written meanwhile; capturing takes no right to write, so no
//! writer waits for it; ids of vertices and edges stay, and none that was ever given before the snapshot is given again; an image can be
//! loaded into a graph with another number of shards; bytes that are no image give an error and never a panic.
//! Left to others: checksums and files (`log`), when it is done (`server`).
//!
//! Integers are little-endian, `v` is a LEB128 varint. Blocks come in the order of their kinds; those of one kind in any order, but
//! for a list that goes on in the next block of its part.
//!
//! ```text
//! kind 1 definitions   deltas, as in a frame: names
//! kind 2 vertices      page v, slots given out v, labels of the page (count v, label v*),
//!                      number of label sets v, each (count v, label v*),
//!                      then vertices: slot v, label set v, ordinal of the next edge v, properties (bytes v, (key v, value)*)
//! kind 3 outgoing      page v, then lists: slot v, goes on u8 (0 or 1), number of runs v, runs
//! kind 4 incoming      the same
//! kind 5 schema        deltas: indexes, constraints, settings
//! kind 6 allocation    the first page number that was never given v
//! a run                type v, upper half of the neighbours v, entries v, lower halves u32*, bytes of an ordinal u8 (1, 2, 4), ordinals,
//!                      properties u8 (0 none; 1: outgoing: each bytes v, (key v, value)*; incoming: a bit for each entry, 8 in a byte)
//! ```

mod capture;
mod load;

pub use capture::Capture;
pub use load::Loader;

use crate::error::ApplyError;
use crate::value::codec::DecodeError;

/// A block is ended when it has this many bytes; what stands in one piece may exceed it.
const BLOCK_BYTES: usize = 256 << 10;
/// Entries of a list that are written before it may go on in another block.
const PIECE_ENTRIES: usize = 32 << 10;

/// What a block holds, in the order in which blocks are loaded: all blocks of one kind, of every part, before the next kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u16)]
pub enum BlockKind {
    /// Names.
    Definitions = 1,
    /// Vertices of a page.
    Vertices = 2,
    /// Edges at their sources, with their properties.
    Outgoing = 3,
    /// Edges at their targets.
    Incoming = 4,
    /// Indexes, constraints and settings.
    Schema = 5,
    /// What is never given again.
    Allocation = 6,
}

impl BlockKind {
    /// Every kind, in the order of loading.
    pub const ALL: [BlockKind; 6] = [
        BlockKind::Definitions,
        BlockKind::Vertices,
        BlockKind::Outgoing,
        BlockKind::Incoming,
        BlockKind::Schema,
        BlockKind::Allocation,
    ];

    /// The kind of a number; `None` for what a later version writes.
    pub fn from_code(code: u16) -> Option<BlockKind> {
        Self::ALL.into_iter().find(|kind| *kind as u16 == code)
    }
}

/// Why blocks are no image.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    /// A field is wrong.
    #[error("a block of kind {kind:?}: {source}")]
    Field {
        /// The block's kind.
        kind: BlockKind,
        /// What was wrong, with the offset from the block's first byte.
        source: DecodeError,
    },
    /// Definitions or the schema.
    #[error(transparent)]
    Deltas(#[from] ApplyError),
    /// The fields are in range and contradict each other, or other blocks.
    #[error("a block of kind {kind:?}: {reason}")]
    Unfit {
        /// The block's kind.
        kind: BlockKind,
        /// What does not fit.
        reason: String,
    },
}
