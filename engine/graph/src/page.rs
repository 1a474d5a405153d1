//! Pages: 1,024 vertices each, reached by number without a lock, and the lists of pages by label (design D3, D7).
//!
//! Owned here: the vertex slot, the page, the directory, the page lists. Called by `view` (reads), `write` and `settle` (under the token
//! of the page's shard), `apply`.
//! Always holds: a page never moves while it exists, and its number is never used again; a page belongs to the label set its
//! vertices were created with, and is in the list of every label any of its vertices ever had; `used` slots have been handed out.
//! Left to others: which slot comes next (`shard`), what stands in the columns (`column`), when they are folded (`housekeeping`).

use crate::adjacency::{self, List};
use crate::column::Columns;
use crate::growing::Growing;
use crate::ids::{LabelId, LabelSetId, PAGE_SLOTS, PageId, VertexId};
use crate::memory::{Alone, BlockRef, Charged, Guard, Heap, Hint, Link, MemoryOwner, prefetch};
use crate::stamp::Sight;
use crate::state::State;
use crate::version::{self, Versions};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// A vertex, but for the number of its next edge ([`Page::ordinals`]). All pointers change only under the shard's token.
#[derive(Default)]
pub(crate) struct Slot {
    /// Versions, newest first; beneath the last lies the page's row, if the slot has one. Null before the vertex exists, after it
    /// is forgotten, and while nothing about it is recent.
    pub(crate) recent: Versions,
    pub(crate) outgoing: List,
    pub(crate) incoming: List,
}

const _: () = assert!(size_of::<Slot>() == 24);

impl Slot {
    /// Asks for it, to be read soon; it may lie on two cache lines.
    #[inline]
    pub(crate) fn prefetch(&self) {
        prefetch(&self.recent);
        prefetch(&self.incoming);
    }

    /// The edges in one direction.
    pub(crate) fn list(&self, outgoing: bool) -> &List {
        if outgoing {
            &self.outgoing
        } else {
            &self.incoming
        }
    }
}

/// What stands before the slots.
pub(crate) struct PageHead {
    pub(crate) id: PageId,
    pub(crate) labels: LabelSetId,
    /// Slots handed out.
    pub(crate) used: AtomicU32,
    /// Slots whose vertex is not forgotten.
    pub(crate) live: AtomicU32,
    /// Lists that were given blocks of their own since the page's were laid side by side.
    pub(crate) scattered: AtomicU32,
    pub(crate) columns: Columns,
    /// The ordinals of the next outgoing edges.
    ordinals: [AtomicU32; PAGE_SLOTS],
}

/// A page fits into 32 KiB: allocators have no size between that and 40 KiB.
const _: () = assert!(size_of::<PageHead>() + PAGE_SLOTS * size_of::<Slot>() <= (32 << 10) - 128);

impl Charged for PageHead {
    const OWNER: MemoryOwner = MemoryOwner::Pages;
}

/// A page as a reader sees it.
pub(crate) type Page<'g> = BlockRef<'g, PageHead, Slot>;

impl<'g> Page<'g> {
    /// The vertex of a slot as `sight` sees it.
    #[inline]
    pub(crate) fn seen(
        self,
        at: usize,
        sight: &Sight<'_>,
        guard: &'g Guard<'_>,
    ) -> Option<State<'g>> {
        let columns = &self.header().columns;
        columns.seen(at, &self.items()[at].recent, sight, guard)
    }

    /// Every state of a slot, newest first, undone ones included; for the holder of the token.
    pub(crate) fn states(
        self,
        at: usize,
        guard: &'g Guard<'_>,
    ) -> impl Iterator<Item = State<'g>> + use<'g> {
        let columns = &self.header().columns;
        columns.states(at, &self.items()[at].recent, guard)
    }

    /// The newest state of a slot, undone or not; for the holder of the token.
    pub(crate) fn newest(self, at: usize, guard: &'g Guard<'_>) -> Option<State<'g>> {
        let columns = &self.header().columns;
        columns.newest(at, &self.items()[at].recent, guard)
    }

    /// Whether every slot has been handed out.
    pub(crate) fn is_full(self) -> bool {
        self.header().used.load(Ordering::Relaxed) as usize >= PAGE_SLOTS
    }

    /// The ordinal of the next edge that starts at a slot's vertex.
    #[inline]
    pub(crate) fn ordinals(self, at: usize) -> &'g AtomicU32 {
        &self.header().ordinals[at]
    }
}

const LEAF_BITS: u32 = 12;

/// Cache lines that the table of a page has, if it has few columns.
const TABLE_LINES: usize = 4;

/// What is known of a page without going there.
#[derive(Default)]
struct Entry {
    page: Link<PageHead, Slot>,
    /// Its table, which can be asked for at the same time as the page's head, which leads there.
    table: Hint,
}

type Leaf = Box<[Entry]>;

/// The way from a page number to the page.
pub(crate) struct Directory {
    top: Box<[OnceLock<Leaf>]>,
}

impl Directory {
    pub(crate) fn new() -> Directory {
        Directory {
            top: (0..PageId::LIMIT >> LEAF_BITS)
                .map(|_| OnceLock::new())
                .collect(),
        }
    }

    #[inline]
    fn entry(&self, id: PageId) -> Option<&Entry> {
        let leaf = self.top.get((id.0 >> LEAF_BITS) as usize)?.get()?;
        Some(&leaf[id.0 as usize & ((1 << LEAF_BITS) - 1)])
    }

    /// The page of a number.
    #[inline]
    pub(crate) fn page<'g>(&self, id: PageId, guard: &'g Guard<'_>) -> Option<Page<'g>> {
        self.entry(id)?.page.load(guard)
    }

    /// As [`Directory::page`], for whoever is going to read settled properties: what it takes to find them is on its way.
    #[inline]
    pub(crate) fn page_to_read<'g>(&self, id: PageId, guard: &'g Guard<'_>) -> Option<Page<'g>> {
        let entry = self.entry(id)?;
        entry.table.prefetch(TABLE_LINES);
        entry.page.load(guard)
    }

    /// A page has a new table.
    pub(crate) fn note_table(&self, page: Page<'_>, guard: &Guard<'_>) {
        if let Some(entry) = self.entry(page.header().id) {
            let table = page.header().columns.table(guard);
            entry.table.set(table.map(|table| table.0));
        }
    }

    /// The slot of a vertex, if its page exists.
    #[inline]
    pub(crate) fn slot<'g>(&self, id: VertexId, guard: &'g Guard<'_>) -> Option<&'g Slot> {
        Some(&self.page(id.page(), guard)?.items()[id.slot()])
    }

    /// Makes a page; there is none of this number.
    pub(crate) fn create<'g>(
        &self,
        id: PageId,
        labels: LabelSetId,
        guard: &'g Guard<'_>,
    ) -> Page<'g> {
        let leaf = &self.top[(id.0 >> LEAF_BITS) as usize];
        leaf.get_or_init(|| (0..1 << LEAF_BITS).map(|_| Entry::default()).collect());
        let head = PageHead {
            id,
            labels,
            used: AtomicU32::new(0),
            live: AtomicU32::new(0),
            scattered: AtomicU32::new(0),
            columns: Columns::default(),
            ordinals: [const { AtomicU32::new(0) }; PAGE_SLOTS],
        };
        let link = &self.entry(id).expect("its leaf was just made").page;
        let before = link.set(guard.heap().block(head, PAGE_SLOTS, |_| Slot::default()));
        assert!(before.is_none(), "{id:?} is made twice");
        link.load(guard).expect("it was just set")
    }

    /// Unlinks a page whose vertices are all forgotten, with what is left of their edges.
    pub(crate) fn retire(&self, id: PageId, heap: &Heap) {
        let Some(entry) = self.entry(id) else { return };
        let Some(page) = entry.page.take() else {
            return;
        };
        entry.table.set::<PageHead, Slot>(None);
        for slot in page.items() {
            debug_assert!(slot.recent.is_null());
            adjacency::retire(&slot.outgoing, heap);
            adjacency::retire(&slot.incoming, heap);
        }
        page.header().columns.retire(heap);
        heap.retire_block(page);
    }

    /// Frees everything.
    pub(crate) fn free(&mut self, heap: &Heap) {
        Alone::with(self, |directory, alone| {
            let entries = directory
                .top
                .iter()
                .filter_map(OnceLock::get)
                .flat_map(|leaf| leaf.iter());
            for page in entries.filter_map(|entry| entry.page.take()) {
                for slot in page.items() {
                    adjacency::free(&slot.outgoing, heap, alone);
                    adjacency::free(&slot.incoming, heap, alone);
                    version::free_chain(&slot.recent, heap, alone);
                }
                page.header().columns.free(heap, alone);
                heap.free_block(page, alone);
            }
        });
    }
}

/// A list of pages that readers walk while one writer appends.
#[derive(Default)]
pub(crate) struct PageList(Link<PageListHead, AtomicU32>);

/// How much of a list of pages is in use.
struct PageListHead {
    len: AtomicU32,
}

impl Charged for PageListHead {
    const OWNER: MemoryOwner = MemoryOwner::Pages;
}

impl PageList {
    /// The pages, as of now.
    pub(crate) fn pages<'g>(&self, guard: &'g Guard<'_>) -> impl Iterator<Item = PageId> + use<'g> {
        let block = self.0.load(guard);
        let len = block.map_or(0, |b| b.header().len.load(Ordering::Acquire) as usize);
        (0..len).map(move |at| {
            PageId(block.expect("it has entries").items()[at].load(Ordering::Relaxed))
        })
    }

    /// Appends a page that is not in the list.
    pub(crate) fn push(&self, page: PageId, guard: &Guard<'_>) {
        let block = self.0.load(guard);
        let len = block.map_or(0, |b| b.header().len.load(Ordering::Relaxed) as usize);
        if let Some(block) = block
            && len < block.items().len()
        {
            block.items()[len].store(page.0, Ordering::Relaxed);
            block.header().len.store(len as u32 + 1, Ordering::Release);
            return;
        }
        let all: Vec<u32> = self.pages(guard).map(|p| p.0).chain([page.0]).collect();
        self.rebuild(&all, (len * 2).max(4), guard.heap());
    }

    /// Takes a page out.
    pub(crate) fn remove(&self, page: PageId, guard: &Guard<'_>) {
        let left: Vec<u32> = self
            .pages(guard)
            .map(|p| p.0)
            .filter(|&p| p != page.0)
            .collect();
        self.rebuild(&left, left.len(), guard.heap());
    }

    fn rebuild(&self, pages: &[u32], room: usize, heap: &Heap) {
        let old = if room == 0 {
            self.0.take()
        } else {
            let head = PageListHead {
                len: AtomicU32::new(pages.len() as u32),
            };
            self.0.set(heap.block(head, room, |at| {
                AtomicU32::new(pages.get(at).copied().unwrap_or(0))
            }))
        };
        if let Some(old) = old {
            heap.retire_block(old);
        }
    }

    fn free(&self, heap: &Heap, alone: &mut Alone) {
        if let Some(list) = self.0.take() {
            heap.free_block(list, alone);
        }
    }
}

/// The page lists of one shard.
#[derive(Default)]
pub(crate) struct PageLists {
    /// Every page.
    pub(crate) all: PageList,
    by_label: Growing<PageList>,
}

impl PageLists {
    /// The pages that may hold vertices of a label.
    pub(crate) fn of(&self, label: LabelId) -> Option<&PageList> {
        self.by_label.get(label.0 as usize)
    }

    /// As [`PageLists::of`], made if need be.
    pub(crate) fn of_or_make(&self, label: LabelId) -> &PageList {
        self.by_label.get_or_make(label.0 as usize)
    }

    /// Frees everything.
    pub(crate) fn free(&mut self, heap: &Heap) {
        Alone::with(self, |lists, alone| {
            lists.all.free(heap, alone);
            for list in lists.by_label.iter() {
                list.free(heap, alone);
            }
        });
    }
}
