//! Laying out: the lists of a page side by side in vertex order, so that a scan reads memory as it comes.
//!
//! Owned here: which pages are worth it and one step of the work. Called by `core` (housekeeping), after lists have been merged.
//! Always holds: only chunks at rest move; a step fills one slab, outgoing lists first and then incoming ones, and holds the shard's
//! token no longer than the copy of it takes; readers find a list in its old place or its new one. Whatever has left its slab since is
//! counted, and when enough has, the page is laid out again, which frees the slabs that it leaves.
//! Left to others: the directories and chunks of long lists, which are large enough by themselves; slabs (`memory::slab`).

use super::chunk::{self, ChunkHead};
use super::{Chunk, List, merge};
use crate::graph::Graph;
use crate::ids::{PAGE_SLOTS, PageId};
use crate::memory::{Charged, Either, Guard, Heap, SLAB_ROOM, Slab};
use crate::page::{Page, Slot};
use crate::shard::Hold;
use std::collections::VecDeque;
use std::sync::atomic::Ordering;

/// Scattered lists that make a page worth laying out while the core writes.
const WORTH: u32 = 1024;
/// The same once it has stopped.
const WORTH_IDLE: u32 = 32;
/// Room for pages that an empty queue keeps.
const ROOM_KEPT: usize = 256;

/// A core's pages with scattered lists: those that it made so many that it is worth it. How many a page has stands in the page itself.
#[derive(Default)]
pub(super) struct Layouts {
    /// Pages that are worth it.
    queue: VecDeque<PageId>,
    /// Pages that are worth it once the core has stopped.
    few: VecDeque<PageId>,
    /// The page at hand.
    present: Option<Progress>,
}

struct Progress {
    page: PageId,
    outgoing: bool,
    next_slot: usize,
}

impl Layouts {
    /// A list of a page was given a block of its own; the shard's token is held.
    pub(super) fn scatter(&mut self, page: Page<'_>) {
        let scattered = &page.header().scattered;
        let count = scattered.load(Ordering::Relaxed) + 1;
        scattered.store(count, Ordering::Relaxed);
        match count {
            WORTH => self.queue.push_back(page.header().id),
            WORTH_IDLE => self.few.push_back(page.header().id),
            _ => {}
        }
    }

    /// Whether a step would do something.
    pub(super) fn more(&self) -> bool {
        self.present.is_some() || !self.queue.is_empty()
    }

    /// The core has stopped writing: less makes a page worth it.
    pub(super) fn settle_for_less(&mut self) {
        self.queue.append(&mut self.few);
        self.few.shrink_to(ROOM_KEPT);
    }

    /// Lays out one slab; whether there was something to do.
    pub(super) fn step(&mut self, graph: &Graph, heap: &Heap, core: u16) -> bool {
        let begun = self.present.take();
        let is_new = begun.is_none();
        let next = || {
            Some(Progress {
                page: self.queue.pop_front()?,
                outgoing: true,
                next_slot: 0,
            })
        };
        let Some(mut progress) = begun.or_else(next) else {
            self.queue.shrink_to(ROOM_KEPT);
            return false;
        };
        let guard = heap.enter();
        let shard = progress.page.shard(graph.shard_count());
        let _hold = Hold::take(&graph.shards, core, [shard]);
        let Some(page) = graph.directory.page(progress.page, &guard) else {
            return true;
        };
        if is_new {
            // It may have been laid out since it was queued.
            if page.header().scattered.swap(0, Ordering::Relaxed) < WORTH_IDLE {
                return true;
            }
        }
        let rest = &page.items()[progress.next_slot..];
        progress.next_slot += fill_slab(rest, progress.outgoing, &guard);
        if progress.next_slot < PAGE_SLOTS {
            self.present = Some(progress);
        } else if progress.outgoing {
            progress.outgoing = false;
            progress.next_slot = 0;
            self.present = Some(progress);
        }
        true
    }
}

/// The chunk of a list that can move.
fn at_rest<'g>(list: &List, guard: &'g Guard<'_>) -> Option<Chunk<'g>> {
    match list.load(guard)? {
        Either::First(chunk) if chunk.header().recent.is_null() => Some(chunk),
        _ => None,
    }
}

/// Moves lists from the front of `slots` into one slab, as many as it holds; how many slots were looked at.
pub(super) fn fill_slab(slots: &[Slot], outgoing: bool, guard: &Guard<'_>) -> usize {
    let (mut room, mut looked_at) = (0, 0);
    for slot in slots {
        if let Some(chunk) = at_rest(slot.list(outgoing), guard) {
            let needs = Slab::room::<ChunkHead, u32>(chunk.items().len());
            if room + needs > SLAB_ROOM && room > 0 {
                break;
            }
            if needs <= SLAB_ROOM {
                room += needs;
            }
        }
        looked_at += 1;
    }
    if room == 0 {
        return looked_at;
    }
    let heap = guard.heap();
    let mut slab = Slab::new(room, ChunkHead::OWNER, heap);
    for slot in &slots[..looked_at] {
        let list = slot.list(outgoing);
        let Some(chunk) = at_rest(list, guard) else {
            continue;
        };
        let words = chunk.items();
        if Slab::room::<ChunkHead, u32>(words.len()) <= SLAB_ROOM {
            let moved = slab.block(chunk::head_at_rest(chunk), words.len(), |at| words[at]);
            let old = list.set_first(moved);
            merge::retire_unforked(old.expect("the list has a chunk"), heap);
        }
    }
    looked_at
}
