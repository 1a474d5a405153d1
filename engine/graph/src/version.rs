//! Versions: what a vertex or an edge's properties looked like, newest first.
//!
//! Owned here: the version block, walking its chain, building the next version, and [`Record`], what any state of a thing answers.
//! Called by `view` (reads), `write` and `settle` (under the token of the shard), `index` (through [`Record`]).
//! Always holds: a block is immutable but for its stamp and its link; stamps fall from the front of a chain to its end, except that
//! in-flight ones stand in front; a version marked `deleted` has no properties.
//! Left to others: the settled row beneath the last version of a chain (`column`), states in either form (`state`).

use crate::ids::{KeyId, LabelSetId};
use crate::memory::{Alone, BlockRef, Charged, Guard, Heap, Link, MemoryOwner, Owned};
use crate::stamp::Sight;
use crate::value::ValueRef;
use crate::value::codec::Properties;
use std::sync::atomic::{AtomicU64, Ordering};

/// One state of a vertex, or of an edge's properties, wherever it stands. Whoever derives something from a state (an index entry, a
/// constraint's verdict) asks through this and never looks at the form.
pub(crate) trait Record {
    /// The labels; meaningless for edges.
    fn label_set(&self) -> LabelSetId;
    /// One property, in place.
    fn property(&self, key: KeyId) -> Option<ValueRef<'_>>;
    /// Whether this state says that the thing is gone; then it has no properties.
    fn is_deleted(&self) -> bool;
}

/// The head of a chain of versions.
pub(crate) type Versions = Link<VersionHead, u8>;
/// One version as a reader sees it; its items are its encoded properties.
pub(crate) type Version<'g> = BlockRef<'g, VersionHead, u8>;

/// What stands before the properties.
pub(crate) struct VersionHead {
    pub(crate) stamp: AtomicU64,
    /// The version before this one.
    pub(crate) previous: Versions,
    /// The labels; meaningless for edges.
    pub(crate) labels: LabelSetId,
    /// Whether this version says that the thing is gone.
    pub(crate) deleted: bool,
}

impl Charged for VersionHead {
    const OWNER: MemoryOwner = MemoryOwner::Versions;
}

impl VersionHead {
    /// The stamp as it stands now.
    #[inline]
    pub(crate) fn stamp(&self) -> u64 {
        self.stamp.load(Ordering::Acquire)
    }
}

impl Record for Version<'_> {
    fn label_set(&self) -> LabelSetId {
        self.header().labels
    }

    fn property(&self, key: KeyId) -> Option<ValueRef<'_>> {
        properties(*self).get(key)
    }

    fn is_deleted(&self) -> bool {
        self.header().deleted
    }
}

/// The properties of a version.
#[inline]
pub(crate) fn properties(version: Version<'_>) -> Properties<'_> {
    Properties::trusted(version.items())
}

/// The newest version that `sight` sees, deleted or not.
#[inline]
pub(crate) fn seen<'g>(
    versions: &Versions,
    sight: &Sight<'_>,
    guard: &'g Guard<'_>,
) -> Option<Version<'g>> {
    let mut version = versions.load(guard)?;
    loop {
        if sight.sees(version.header().stamp()) {
            return Some(version);
        }
        version = version.header().previous.load(guard)?;
    }
}

/// The versions of a chain, newest first.
pub(crate) fn chain<'g>(
    versions: &Versions,
    guard: &'g Guard<'_>,
) -> impl Iterator<Item = Version<'g>> + use<'g> {
    let mut next = versions.load(guard);
    let guard: &'g Guard<'_> = guard;
    std::iter::from_fn(move || {
        let version = next?;
        next = version.header().previous.load(guard);
        Some(version)
    })
}

/// A version that is not linked yet.
pub(crate) fn build<'h>(
    heap: &'h Heap,
    stamp: u64,
    previous: Option<Version<'_>>,
    labels: LabelSetId,
    deleted: bool,
    properties: &[u8],
) -> Owned<'h, VersionHead, u8> {
    let head = VersionHead {
        stamp: AtomicU64::new(stamp),
        previous: Link::to(previous),
        labels,
        deleted,
    };
    heap.block(head, properties.len(), |i| properties[i])
}

/// Unlinks what a link owns and everything behind it, and gives it all to the retire list.
pub(crate) fn retire_chain(link: &Versions, heap: &Heap) {
    let mut next = link.take();
    while let Some(version) = next {
        next = version.header().previous.inherit();
        heap.retire_block(version);
    }
}

/// As [`retire_chain`], in a teardown.
pub(crate) fn free_chain(versions: &Versions, heap: &Heap, alone: &mut Alone) {
    let mut next = versions.take();
    while let Some(version) = next {
        next = version.header().previous.inherit();
        heap.free_block(version, alone);
    }
}
