//! The directory of a long list: its chunks in order, each with the least key it may hold.
//!
//! Owned here: [`Branch`] and finding the chunk of a key. Called by the rest of `adjacency`.
//! Always holds: the first bound is the least key there is; bounds ascend strictly; a chunk holds keys from its bound to the next one. A
//! directory's bounds never change, its chunks are replaced in place; when chunks split or join, the list gets another directory, which
//! takes over the chunks that stayed.
//! Left to others: when that happens (`merge`).

use super::chunk::ChunkHead;
use super::{Chunk, Directory, Key, base};
use crate::ids::{TypeId, VertexId};
use crate::memory::{Charged, Guard, Link, MemoryOwner};

/// What stands before the branches: nothing.
#[derive(Default)]
pub(crate) struct DirectoryHead;

impl Charged for DirectoryHead {
    const OWNER: MemoryOwner = MemoryOwner::Adjacency;
}

/// One chunk of a long list.
pub(crate) struct Branch {
    /// The least key it may hold.
    pub(super) bound: Key,
    pub(super) link: Link<ChunkHead, u32>,
}

impl Branch {
    /// The chunk.
    #[inline]
    pub(super) fn chunk<'g>(&self, guard: &'g Guard<'_>) -> Chunk<'g> {
        let chunk = self.link.load(guard);
        chunk.expect("a branch of a directory has a chunk")
    }

    /// The same for another directory, which takes over the chunk.
    pub(super) fn moved(&self, guard: &Guard<'_>) -> Branch {
        Branch {
            bound: self.bound,
            link: Link::to(self.link.load(guard)),
        }
    }
}

/// The branch where a key belongs.
pub(super) fn index(directory: Directory<'_>, key: Key) -> usize {
    directory.items().partition_point(|b| b.bound <= key) - 1
}

/// What a reader looks for.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'t> {
    /// None means all.
    pub(super) types: &'t [TypeId],
    /// Towards this vertex alone.
    pub(super) towards: Option<VertexId>,
}

impl Wanted<'_> {
    /// Whether entries of a type are wanted.
    #[inline]
    pub(super) fn type_(&self, type_: TypeId) -> bool {
        self.types.is_empty() || self.types.contains(&type_)
    }

    /// Whether an entry is wanted.
    #[inline]
    pub(super) fn key(&self, key: Key) -> bool {
        self.type_(key.type_()) && self.towards.is_none_or(|vertex| key.neighbour() == vertex)
    }

    /// The branches that may hold something wanted, where one type says so, and one more, which bounds the last; all otherwise.
    pub(super) fn branches<'b>(&self, all: &'b [Branch]) -> &'b [Branch] {
        let &[type_] = self.types else { return all };
        let least = Key::new(type_, self.towards.unwrap_or(VertexId(0)), 0);
        let greatest = Key::new(type_, self.towards.unwrap_or(VertexId::MAX), u32::MAX);
        let start = all.partition_point(|b| b.bound <= least).saturating_sub(1);
        let wanted = all[start..].partition_point(|b| b.bound <= greatest);
        &all[start..(start + wanted + 1).min(all.len())]
    }

    /// Whether branch `at` may hold something wanted, by the bounds alone.
    pub(super) fn may_be_in(&self, branches: &[Branch], at: usize) -> bool {
        let low = branches[at].bound;
        // The next bound is no part of it, but other ordinals of its neighbour may be.
        let high = branches.get(at + 1).map(|b| b.bound);
        let of_type =
            |type_: TypeId| low.type_() <= type_ && high.is_none_or(|high| type_ <= high.type_());
        if !self.types.is_empty() && !self.types.iter().any(|&type_| of_type(type_)) {
            return false;
        }
        let (Some(vertex), Some(high)) = (self.towards, high) else {
            return true;
        };
        let place = |key: Key| (base(key.tag) | u64::from(key.low), key.type_());
        let ((from, first), (to, last)) = (place(low), place(high));
        first != last || (from <= vertex.0 && vertex.0 <= to)
    }
}
