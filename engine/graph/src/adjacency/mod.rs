//! Adjacency: the edges of one vertex in one direction, settled and recent (design D5).
//!
//! Owned here, one file a subject: [`chunk`] (the settled part: sorted, dense, without stamps), [`recent`] (what hangs in front of it:
//! the tail of new entries, and stamps beside settled ones), [`directory`] (the chunks of a long list), [`entry`] (what a writer has found),
//! [`merge`] (recent becomes settled; chunks split and join), [`ordinals`] (those of dead edges are used again), [`walk`] (readers), [`quiet`] (lists that wait to be
//! merged), [`layout`] (lists of a page side by side), [`settling`] (lists read from an image). Called by `view` (reads), `write`, `settle` and `core` (under the token of the vertex's shard).
//!
//! ```text
//! list ──▶ chunk ──▶ recent ──▶ beside ──▶ born, died, records      up to CHUNK entries
//! list ──▶ directory: (bound, chunk), (bound, chunk) …              more
//! ```
//!
//! An entry is the other end and the edge's ordinal at its source; [`Key`] orders entries by (type, neighbour, ordinal). A record is the
//! number of the edge's properties, [`NO_RECORD`] where it has none.
//! Always holds: a chunk's settled part is immutable; what hangs behind `recent` is atomic; a chunk at rest has a null `recent` and is
//! seen by everyone. A reader that loaded a chunk or a directory finds in it, and in what hangs behind it, every entry that its snapshot
//! knows: what replaced it since only holds news for others, or leaves out what no snapshot sees.
//! The same key may stand twice in a list, a dead one and a later one, since ordinals are used again: whoever looks for an entry says by its
//! stamps which one is meant.
//! Left to others: whether an edge may be made or deleted (`write`), property records.

mod chunk;
mod directory;
mod entry;
mod layout;
mod merge;
mod ordinals;
mod quiet;
mod recent;
mod settling;
mod walk;

#[cfg(all(test, not(loom)))]
mod tests;

pub(crate) use entry::{Entry, entries, find, find_where, insert};
pub(crate) use merge::{free, retire};
pub(crate) use ordinals::{Ordinals, Source};
pub(crate) use quiet::{Keeper, QuietLists};
pub(crate) use settling::{Settling, lay_out};
pub(crate) use walk::{Walk, neighbours};

use crate::ids::{EdgeId, ORDINAL_BITS, TypeId, VertexId};
use crate::memory::{BlockRef, Either, Fork, Guard};
use crate::value::Edge;
use chunk::ChunkHead;
use directory::{Branch, DirectoryHead};

/// The adjacency of a vertex in one direction.
pub(crate) type List = Fork<ChunkHead, u32, DirectoryHead, Branch>;

type Chunk<'g> = BlockRef<'g, ChunkHead, u32>;
type Directory<'g> = BlockRef<'g, DirectoryHead, Branch>;

/// The most entries a chunk has, but for keys that stand many times.
const CHUNK: usize = 1024;

/// An edge without a property record.
pub(crate) const NO_RECORD: u32 = u32::MAX;

/// How far ahead of the vertex or edge at hand slots are asked for, where many are worked through.
pub(crate) const SLOTS_AHEAD: usize = 32;
/// How far ahead lists are asked for: their slots have come by then.
pub(crate) const LISTS_AHEAD: usize = 16;
/// How far ahead what is recent is asked for: its chunks have come by then.
pub(crate) const TAILS_AHEAD: usize = 4;

/// Bits of a neighbour beyond 32, which stand with the type.
const HIGH_BITS: u32 = 3;

/// What entries are ordered by: type, neighbour, ordinal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key {
    /// `type << 3 | neighbour >> 32`.
    tag: u32,
    /// The lower half of the neighbour.
    low: u32,
    ordinal: u32,
}

const _: () = assert!(VertexId::MAX.0 >> 32 < 1 << HIGH_BITS);
const _: () = assert!((crate::names::NAMES_MAX as u64) << HIGH_BITS <= 1 << 32);

impl Key {
    /// The least key.
    const FIRST: Key = Key {
        tag: 0,
        low: 0,
        ordinal: 0,
    };

    /// The key of an entry.
    #[inline]
    pub(crate) fn new(type_: TypeId, neighbour: VertexId, ordinal: u32) -> Key {
        Key {
            tag: tag(type_, neighbour),
            low: neighbour.0 as u32,
            ordinal,
        }
    }

    /// An edge's key in the list of its source.
    pub(crate) fn outgoing(edge: Edge) -> Key {
        Key::new(edge.type_, edge.target, edge.id.ordinal())
    }

    /// An edge's key in the list of its target.
    pub(crate) fn incoming(edge: Edge) -> Key {
        Key::new(edge.type_, edge.source(), edge.id.ordinal())
    }

    /// The type.
    #[inline]
    pub(crate) fn type_(self) -> TypeId {
        TypeId(self.tag >> HIGH_BITS)
    }

    /// The other end.
    #[inline]
    pub(crate) fn neighbour(self) -> VertexId {
        VertexId(base(self.tag) | u64::from(self.low))
    }

    /// The edge's number at its source.
    pub(crate) fn ordinal(self) -> u32 {
        self.ordinal
    }

    /// The edge that an entry in the list of `vertex` stands for.
    #[inline]
    pub(crate) fn edge(self, vertex: VertexId, outgoing: bool) -> Edge {
        let (source, target) = if outgoing {
            (vertex, self.neighbour())
        } else {
            (self.neighbour(), vertex)
        };
        Edge {
            id: EdgeId::new(source, self.ordinal),
            target,
            type_: self.type_(),
        }
    }

    /// Neighbour and ordinal in one word, for where the type stands elsewhere.
    #[inline]
    fn word(self) -> u64 {
        self.neighbour().0 << ORDINAL_BITS | u64::from(self.ordinal)
    }

    /// The whole key in two words.
    fn to_words(self) -> [u64; 2] {
        let place = u64::from(self.tag) << 32 | u64::from(self.low);
        [place, self.ordinal.into()]
    }

    fn of_words([place, ordinal]: [u64; 2]) -> Key {
        Key {
            tag: (place >> 32) as u32,
            low: place as u32,
            ordinal: ordinal as u32,
        }
    }

    #[inline]
    fn of_word(type_: TypeId, word: u64) -> Key {
        let ordinal = word as u32 & (EdgeId::ORDINALS - 1);
        Key::new(type_, VertexId(word >> ORDINAL_BITS), ordinal)
    }
}

fn tag(type_: TypeId, neighbour: VertexId) -> u32 {
    type_.0 << HIGH_BITS | (neighbour.0 >> 32) as u32
}

/// The upper part of the neighbours that stand under a tag.
fn base(tag: u32) -> u64 {
    u64::from(tag & ((1 << HIGH_BITS) - 1)) << 32
}

/// One list of one vertex.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Side {
    /// Whose list.
    pub(crate) vertex: VertexId,
    /// Whether it is that of outgoing edges.
    pub(crate) outgoing: bool,
}

/// Asks for what is recent in a list, whose beginning was asked for before.
#[inline]
pub(crate) fn prefetch_recent(list: &List, guard: &Guard<'_>) {
    if let Some(Either::First(chunk)) = list.load(guard) {
        chunk.header().recent.prefetch(2);
    }
}

/// Whether a list has more than one chunk.
#[inline]
pub(crate) fn is_long(list: &List, guard: &Guard<'_>) -> bool {
    matches!(list.load(guard), Some(Either::Second(_)))
}

/// The chunks of a list, in order.
fn chunks<'g>(
    list: Option<&List>,
    guard: &'g Guard<'_>,
) -> impl Iterator<Item = Chunk<'g>> + use<'g> {
    let (chunk, directory) = match list.and_then(|list| list.load(guard)) {
        None => (None, None),
        Some(Either::First(chunk)) => (Some(chunk), None),
        Some(Either::Second(directory)) => (None, Some(directory)),
    };
    let guard: &'g Guard<'_> = guard;
    let branches = directory.map_or(&[][..], |directory| directory.items());
    chunk
        .into_iter()
        .chain(branches.iter().map(move |branch| branch.chunk(guard)))
}
