//! Shards: what only the holder of a shard's token touches, and taking tokens in order (design D2).
//!
//! Owned here: [`ShardState`] (allocation of pages and slots, label exceptions, free ordinals) and [`Hold`] (one or several tokens). Called by
//! `write`, `settle`, `apply`, `schema`.
//! Always holds: tokens are taken in ascending order of shards and a core never takes one while it holds another set, so no two cores
//! wait for each other; vertex numbers above all that were ever given or logged are free.
//! Left to others: what is written under the token.

use crate::adjacency::Ordinals;
use crate::graph::Graph;
use crate::ids::{LabelId, LabelSetId, PageId, ShardId, VertexId};
use crate::memory::{Guard, Heap, MemoryOwner, Token, TokenGuard};
use crate::page::{Page, Slot};
use crate::records::RecordRoom;
use hashbrown::{HashMap, HashSet};
use smallvec::SmallVec;
use std::sync::atomic::Ordering;

/// So many vertices of one label set and shard live on a common page before the set gets pages of its own.
const RARE_MAX: u32 = 64;
/// The label set of common pages: no labels.
const COMMON: LabelSetId = LabelSetId(0);

/// See the module.
pub(crate) struct ShardState {
    number: u16,
    shards: u16,
    /// The next page of this shard; at least [`PageId::LIMIT`] when there are no more.
    next_page: u32,
    /// Pages with room behind their last used slot, for each label set; the last of them is being filled. More than one are there
    /// after a recovery: pages that the log names are filled up, from above the highest slot it names.
    open: HashMap<LabelSetId, SmallVec<[PageId; 1]>>,
    /// How many vertices of a label set were given a place on the common page, up to [`RARE_MAX`].
    rare: HashMap<LabelSetId, u32>,
    /// Labels that a page is listed for beyond those of its own label set.
    exceptions: HashSet<(PageId, LabelId)>,
    /// Property records of edges that start in this shard.
    pub(crate) records: RecordRoom,
    /// Of vertices that have had nearly as many edges as there are ordinals.
    pub(crate) ordinals: HashMap<VertexId, Ordinals>,
    /// The most parts that were worked on while the token was held.
    pub(crate) longest_hold: u32,
}

impl ShardState {
    pub(crate) fn new(number: u16, shards: u16) -> ShardState {
        ShardState {
            number,
            shards,
            next_page: u32::from(number),
            open: HashMap::new(),
            rare: HashMap::new(),
            exceptions: HashSet::new(),
            records: RecordRoom::default(),
            ordinals: HashMap::new(),
            longest_hold: 0,
        }
    }

    /// The next free slot for a vertex with these labels; `None` when all page numbers have been used.
    pub(crate) fn next_slot<'g>(
        &mut self,
        graph: &'g Graph,
        labels: LabelSetId,
        guard: &'g Guard<'_>,
    ) -> Option<(VertexId, &'g Slot)> {
        let home = self.home_of(graph, labels, guard);
        let page = match self.open.get(&home).and_then(|open| open.last()) {
            Some(&id) => graph
                .directory
                .page(id, guard)
                .expect("an open page exists"),
            None => {
                if self.next_page >= PageId::LIMIT {
                    return None;
                }
                self.make_page(graph, PageId(self.next_page), home, guard)
            }
        };
        let head = page.header();
        let slot = head.used.load(Ordering::Relaxed);
        let id = VertexId::new(head.id, slot as usize);
        let place = self.occupy(page, slot);
        if home != labels {
            self.list_for(graph, id.page(), graph.label_sets.labels(labels), guard);
        }
        Some((id, place))
    }

    /// The label set whose page takes the next vertex with `labels`: the first few of a set go to a common page, as exceptions, so that
    /// a set that occurs once does not cost a page.
    fn home_of(&mut self, graph: &Graph, labels: LabelSetId, guard: &Guard<'_>) -> LabelSetId {
        self.close_full(graph, labels, guard);
        if labels == COMMON || self.open.get(&labels).is_some_and(|open| !open.is_empty()) {
            return labels;
        }
        let count = self.rare.entry(labels).or_insert(0);
        if *count == RARE_MAX {
            return labels;
        }
        *count += 1;
        self.close_full(graph, COMMON, guard);
        COMMON
    }

    /// Full pages at the end of the list of open ones are open no more.
    fn close_full(&mut self, graph: &Graph, labels: LabelSetId, guard: &Guard<'_>) {
        let Some(open) = self.open.get_mut(&labels) else {
            return;
        };
        while let Some(&last) = open.last() {
            let page = graph.directory.page(last, guard);
            if page.is_some_and(|page| !page.is_full()) {
                return;
            }
            open.pop();
        }
    }

    /// The slot of a vertex that the log names, its page made if need be.
    pub(crate) fn slot_of<'g>(
        &mut self,
        graph: &'g Graph,
        id: VertexId,
        labels: LabelSetId,
        guard: &'g Guard<'_>,
    ) -> &'g Slot {
        let page = graph.directory.page(id.page(), guard);
        let page = page.unwrap_or_else(|| self.make_page(graph, id.page(), labels, guard));
        self.occupy(page, id.slot() as u32)
    }

    fn occupy<'g>(&mut self, page: Page<'g>, slot: u32) -> &'g Slot {
        page.header().live.fetch_add(1, Ordering::Relaxed);
        // Scans look at used slots only; a slot is used before its first version is linked.
        page.header().used.fetch_max(slot + 1, Ordering::Release);
        &page.items()[slot as usize]
    }

    fn make_page<'g>(
        &mut self,
        graph: &'g Graph,
        id: PageId,
        labels: LabelSetId,
        guard: &'g Guard<'_>,
    ) -> Page<'g> {
        debug_assert_eq!(id.shard(self.shards).0, self.number);
        self.next_page = self.next_page.max(id.0 + u32::from(self.shards));
        graph.pages_given().fetch_max(id.0 + 1, Ordering::AcqRel);
        let page = graph.directory.create(id, labels, guard);
        self.close_full(graph, labels, guard);
        self.open.entry(labels).or_default().push(id);
        let lists = &graph.lists[usize::from(self.number)];
        lists.all.push(id, guard);
        for &label in graph.label_sets.labels(labels) {
            lists.of_or_make(label).push(id, guard);
        }
        page
    }

    /// Pages below `next` have been given out, whether they are there or not.
    pub(crate) fn give_pages_from(&mut self, graph: &Graph, next: u32) {
        graph.pages_given().fetch_max(next, Ordering::AcqRel);
        while self.next_page < next {
            self.next_page = self.next_page.saturating_add(u32::from(self.shards));
        }
    }

    /// Lists a page for labels that one of its vertices gets.
    pub(crate) fn list_for(
        &mut self,
        graph: &Graph,
        id: PageId,
        labels: &[LabelId],
        guard: &Guard<'_>,
    ) {
        let page = graph
            .directory
            .page(id, guard)
            .expect("a vertex being changed has its page");
        let home = graph.label_sets.labels(page.header().labels);
        for &label in labels {
            if home.binary_search(&label).is_err() && self.exceptions.insert((id, label)) {
                graph.lists[usize::from(self.number)]
                    .of_or_make(label)
                    .push(id, guard);
            }
        }
    }

    /// Whatever is known of free ordinals of a vertex does not hold any more.
    pub(crate) fn forget_ordinals(&mut self, vertex: VertexId, heap: &Heap) {
        if self.ordinals.is_empty() {
            return;
        }
        if let Some(gone) = self.ordinals.remove(&vertex) {
            heap.count(MemoryOwner::Adjacency, -(gone.bytes() as i64));
        }
    }

    /// A vertex is forgotten; its page goes with the last one, unless it is being filled.
    pub(crate) fn vacate(&mut self, graph: &Graph, vertex: VertexId, guard: &Guard<'_>) {
        self.forget_ordinals(vertex, guard.heap());
        let id = vertex.page();
        let Some(page) = graph.directory.page(id, guard) else {
            return;
        };
        let head = page.header();
        if head.live.fetch_sub(1, Ordering::Relaxed) != 1 {
            return;
        }
        if let Some(open) = self.open.get_mut(&head.labels) {
            if open.last() == Some(&id) && !page.is_full() {
                return;
            }
            open.retain(|other| *other != id);
        }
        let lists = &graph.lists[usize::from(self.number)];
        lists.all.remove(id, guard);
        for &label in graph.label_sets.labels(head.labels) {
            lists.of_or_make(label).remove(id, guard);
        }
        let exceptions: SmallVec<[LabelId; 8]> = self
            .exceptions
            .iter()
            .filter(|(page, _)| *page == id)
            .map(|&(_, label)| label)
            .collect();
        for label in exceptions {
            self.exceptions.remove(&(id, label));
            lists.of_or_make(label).remove(id, guard);
        }
        graph.directory.retire(id, guard.heap());
    }
}

/// The tokens of some shards, held together.
pub(crate) struct Hold<'g> {
    tokens: SmallVec<[(ShardId, TokenGuard<'g, ShardState>); 2]>,
    /// How much has been done under them, by whoever works through many things: stamps, versions, edges.
    parts: u32,
}

impl<'g> Hold<'g> {
    /// Takes the tokens of `shards`, in ascending order, each once.
    pub(crate) fn take(
        shards: &'g [Token<ShardState>],
        core: u16,
        which: impl IntoIterator<Item = ShardId>,
    ) -> Hold<'g> {
        let mut which: SmallVec<[ShardId; 8]> = which.into_iter().collect();
        which.sort_unstable();
        which.dedup();
        let tokens = which
            .into_iter()
            .map(|id| (id, shards[usize::from(id.0)].acquire(core)))
            .collect();
        Hold { tokens, parts: 0 }
    }

    /// So many parts of a long work are done under these tokens.
    pub(crate) fn count_parts(&mut self, parts: usize) {
        self.parts = self.parts.saturating_add(parts as u32);
    }

    /// Whether that is as many as may be: then others get their turn.
    pub(crate) fn has_done(&self, parts: usize) -> bool {
        self.left(parts) == 0
    }

    /// How many more may be done, of so many.
    pub(crate) fn left(&self, parts: usize) -> usize {
        parts.saturating_sub(self.parts as usize)
    }

    /// The state of a shard that is held.
    pub(crate) fn shard(&mut self, shard: ShardId) -> &mut ShardState {
        let (_, token) = self
            .tokens
            .iter_mut()
            .find(|(id, _)| *id == shard)
            .expect("the shard's token is held");
        token
    }
}

impl Drop for Hold<'_> {
    fn drop(&mut self) {
        if self.parts > 0 {
            for (_, shard) in &mut self.tokens {
                shard.longest_hold = shard.longest_hold.max(self.parts);
            }
        }
    }
}
