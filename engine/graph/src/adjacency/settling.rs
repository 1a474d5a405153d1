//! Settling a whole list at once: what an image holds of it becomes its chunks.
//!
//! Owned here: [`Settling`] and [`lay_out`]. Called by `image`, on lists that have no entry yet and that nobody reads.
//! Always holds: the list is as if each entry had been merged long ago: at rest, in chunks of at most `CHUNK` entries.
//! Left to others: that entries are those of edges that exist (`image`).

use super::merge::{Kept, build_settled};
use super::{Key, List, NO_RECORD, layout};
use crate::graph::Graph;
use crate::ids::{PAGE_SLOTS, PageId};
use crate::memory::Guard;
use crate::shard::Hold;
use crate::stamp::{NEVER, SETTLED};

/// The entries of a list that is being read in.
#[derive(Default)]
pub(crate) struct Settling {
    kept: Vec<Kept>,
    words: Vec<u32>,
}

impl Settling {
    /// The next entry.
    #[inline]
    pub(crate) fn push(&mut self, key: Key, record: Option<u32>) {
        self.kept.push(Kept {
            key,
            record: record.unwrap_or(NO_RECORD),
            created: SETTLED,
            deleted: NEVER,
        });
    }

    /// Whether entries ascend, each once.
    pub(crate) fn is_ordered(&self) -> bool {
        self.kept.is_sorted_by(|a, b| a.key < b.key)
    }

    /// The greatest ordinal.
    pub(crate) fn greatest_ordinal(&self) -> Option<u32> {
        self.kept.iter().map(|entry| entry.key.ordinal()).max()
    }

    /// Gives them to a list without entries.
    pub(crate) fn settle(&mut self, list: &List, guard: &Guard<'_>) {
        if !self.kept.is_empty() {
            build_settled(list, &self.kept, &mut self.words, guard);
        }
        self.kept.clear();
    }
}

/// Lays the lists of a page side by side; the page's shard is not held by the caller.
pub(crate) fn lay_out(graph: &Graph, id: PageId, outgoing: bool, core: u16, guard: &Guard<'_>) {
    let _hold = Hold::take(&graph.shards, core, [id.shard(graph.shard_count())]);
    if let Some(page) = graph.directory.page(id, guard) {
        let mut next = 0;
        while next < PAGE_SLOTS {
            next += layout::fill_slab(&page.items()[next..], outgoing, guard);
        }
    }
}
