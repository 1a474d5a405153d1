//! Versions: what a vertex or an edge's properties looked like, newest first.
//!
//! Owned here: the version block, walking its chain, building the next version, retiring one, and [`Record`], what any state of a thing
//! answers.
//! Called by `view` (reads), `write` and `settle` (under the token of the shard), `index` (through [`Record`]).
//! Always holds: a block is immutable but for its stamp and its link; stamps fall from the front of a chain to its end, except that
//! in-flight ones stand in front; a version marked `deleted` has no properties.
//! Left to others: the settled row beneath the last version of a chain (`column`), states in either form (`state`).

use crate::draft::Draft;
use crate::ids::{KeyId, LabelSetId};
use crate::long::{self, LongList, Longs};
use crate::memory::{Alone, BlockRef, Charged, Guard, Heap, Link, MemoryOwner, Owned, Unlinked};
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
/// One version as a reader sees it; its items are its encoded properties but for the long ones.
pub(crate) type Version<'g> = BlockRef<'g, VersionHead, u8>;

/// What stands before the properties.
pub(crate) struct VersionHead {
    pub(crate) stamp: AtomicU64,
    /// The version before this one.
    pub(crate) previous: Versions,
    /// The long properties.
    longs: Longs,
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
        property(*self, key)
    }

    fn is_deleted(&self) -> bool {
        self.header().deleted
    }
}

/// The properties of a version that are not long.
#[inline]
pub(crate) fn short(version: Version<'_>) -> Properties<'_> {
    Properties::trusted(version.items())
}

/// The long properties of a version, at slot 0.
#[inline]
pub(crate) fn longs(version: Version<'_>) -> LongList<'_> {
    LongList(version.follow(&version.header().longs))
}

/// One property of a version.
#[inline]
pub(crate) fn property(version: Version<'_>, key: KeyId) -> Option<ValueRef<'_>> {
    short(version)
        .get(key)
        .or_else(|| longs(version).get(0, key).map(long::value))
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

/// A version that is not linked yet, and has to be: the lists of its long values count it.
pub(crate) fn build<'h>(
    heap: &'h Heap,
    stamp: u64,
    previous: Option<Version<'_>>,
    labels: LabelSetId,
    deleted: bool,
    properties: &Draft<'_>,
) -> Owned<'h, VersionHead, u8> {
    let head = VersionHead {
        stamp: AtomicU64::new(stamp),
        previous: Link::to(previous),
        longs: properties.longs(heap),
        labels,
        deleted,
    };
    let short = properties.short();
    heap.block(head, short.len(), |i| short[i])
}

/// Retires a version that has been unlinked, with the long values that it was the last to hold.
pub(crate) fn retire(version: Unlinked<VersionHead, u8>, heap: &Heap) {
    if let Some(list) = version.header().longs.inherit() {
        long::retire(list, |_| true, heap);
    }
    heap.retire_block(version);
}

/// Unlinks what a link owns and everything behind it, and gives it all to the retire list.
pub(crate) fn retire_chain(link: &Versions, heap: &Heap) {
    let mut next = link.take();
    while let Some(version) = next {
        next = version.header().previous.inherit();
        retire(version, heap);
    }
}

/// As [`retire_chain`], in a teardown.
pub(crate) fn free_chain(versions: &Versions, heap: &Heap, alone: &mut Alone) {
    let mut next = versions.take();
    while let Some(version) = next {
        next = version.header().previous.inherit();
        long::free(&version.header().longs, heap, alone);
        heap.free_block(version, alone);
    }
}
