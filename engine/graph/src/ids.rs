//! Ids: newtypes that say where a thing lies and never change (design D3).
//!
//! Owned here: the arithmetic between vertex, page, slot, edge and shard. Everyone uses it.
//! Always holds: every id fits in a non-negative `i64`, so that Cypher's `id()` can show it.
//!
//! ```text
//! VertexId  35 bits:  page (25) << 10 | slot (10)
//! EdgeId    63 bits:  source VertexId (35) << 28 | ordinal (28), the ordinal counted per source
//! ShardId            page % number of shards
//! ```
//!
//! Left to others: who hands out ids (`page` allocates vertices, `txn` ordinals).

use std::fmt;

/// Slots of one page, a power of two.
pub const PAGE_SLOTS: usize = 1 << SLOT_BITS;
/// Bits of a slot number within a vertex id.
pub const SLOT_BITS: u32 = 10;
/// Bits of a page number.
pub const PAGE_BITS: u32 = 25;
/// Bits of an edge's ordinal at its source.
pub const ORDINAL_BITS: u32 = 28;

const _: () = assert!(PAGE_BITS + SLOT_BITS + ORDINAL_BITS == 63);

/// A vertex: `page << 10 | slot`. Never reused, never moved.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VertexId(pub u64);

/// An edge: `source << 28 | ordinal`; the source is part of the id.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EdgeId(pub u64);

/// A page of [`PAGE_SLOTS`] vertices.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PageId(pub u32);

/// A shard: `page % shards`. A shard belongs to the core of the same number, modulo the cores.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShardId(pub u16);

/// A vertex label, interned.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LabelId(pub u32);

/// An edge type, interned.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TypeId(pub u32);

/// A property key, interned.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(pub u32);

/// A set of labels, interned on this node only: it never stands in a log.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LabelSetId(pub u32);

/// The place of a transaction in the commit order: 1, 2, 3 … without holes; 0 is "before everything".
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct CommitSeq(pub u64);

impl VertexId {
    /// The largest id there can be.
    pub const MAX: VertexId = VertexId((1 << (PAGE_BITS + SLOT_BITS)) - 1);

    /// The vertex at a slot of a page.
    pub fn new(page: PageId, slot: usize) -> VertexId {
        debug_assert!(slot < PAGE_SLOTS);
        VertexId((u64::from(page.0) << SLOT_BITS) | slot as u64)
    }

    /// The page it lies in.
    pub fn page(self) -> PageId {
        PageId((self.0 >> SLOT_BITS) as u32)
    }

    /// Its slot within the page.
    pub fn slot(self) -> usize {
        (self.0 & (PAGE_SLOTS as u64 - 1)) as usize
    }

    /// The id as Cypher's `id()` shows it.
    pub fn as_i64(self) -> i64 {
        self.0 as i64
    }

    /// The vertex a number from outside can mean; `None` for what can be no vertex.
    pub fn from_i64(number: i64) -> Option<VertexId> {
        let id = u64::try_from(number).ok()?;
        (id <= Self::MAX.0).then_some(VertexId(id))
    }
}

impl EdgeId {
    /// The ordinals one source can give: 2^28.
    pub const ORDINALS: u32 = 1 << ORDINAL_BITS;

    /// The edge with an ordinal at its source.
    pub fn new(source: VertexId, ordinal: u32) -> EdgeId {
        debug_assert!(ordinal < Self::ORDINALS && source <= VertexId::MAX);
        EdgeId((source.0 << ORDINAL_BITS) | u64::from(ordinal))
    }

    /// The vertex it starts at.
    pub fn source(self) -> VertexId {
        VertexId(self.0 >> ORDINAL_BITS)
    }

    /// Its number among the edges that start there.
    pub fn ordinal(self) -> u32 {
        (self.0 & u64::from(Self::ORDINALS - 1)) as u32
    }

    /// The id as Cypher's `id()` shows it.
    pub fn as_i64(self) -> i64 {
        self.0 as i64
    }

    /// The edge a number from outside can mean; `None` for a negative one.
    pub fn from_i64(number: i64) -> Option<EdgeId> {
        u64::try_from(number).ok().map(EdgeId)
    }
}

impl PageId {
    /// One more than the largest page number.
    pub const LIMIT: u32 = 1 << PAGE_BITS;

    /// The shard that holds the page when there are `shards` of them.
    pub fn shard(self, shards: u16) -> ShardId {
        ShardId((self.0 % u32::from(shards)) as u16)
    }
}

impl CommitSeq {
    /// The next number.
    pub fn next(self) -> CommitSeq {
        CommitSeq(self.0 + 1)
    }
}

macro_rules! plain_debug {
    ($($name:ident $letter:literal),*) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { write!(f, concat!($letter, "{}"), self.0) }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { write!(f, "{}", self.0) }
        }
    )*};
}
plain_debug!(VertexId "v", EdgeId "e", PageId "page", ShardId "shard", LabelId "label", TypeId "type", KeyId "key", LabelSetId "labels", CommitSeq "seq");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_lead_to_their_parts_and_stay_within_i64() {
        let vertex = VertexId::new(PageId(PageId::LIMIT - 1), PAGE_SLOTS - 1);
        assert_eq!(vertex, VertexId::MAX);
        let edge = EdgeId::new(vertex, EdgeId::ORDINALS - 1);
        assert_eq!(
            (edge.source(), edge.ordinal()),
            (vertex, EdgeId::ORDINALS - 1)
        );
        assert!(edge.as_i64() > 0);
        assert_eq!(VertexId::from_i64(-1), None);
        assert_eq!(VertexId::from_i64(i64::MAX), None);
        assert_eq!(PageId(7).shard(3), ShardId(1));
    }
}
