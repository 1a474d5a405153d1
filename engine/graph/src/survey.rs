//! How full the pages are, for those who operate a graph.
//!
//! Owned here: [`PageSurvey`]. Called by `server` (SHOW MEMORY INFO, SHOW STORAGE INFO).
//! Always holds: each page that exists all along is looked at once; what it says is about right while others write.
//! Left to others: making pages and giving them back (`shard`).

use crate::core::Core;
use crate::page::PageHead;
use std::sync::atomic::Ordering;

/// A page is sparse if fewer than one in so many of the slots that were handed out have a vertex.
const SPARSE: u32 = 8;

/// What [`Core::survey_pages`] found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PageSurvey {
    /// Pages of vertices.
    pub pages: u64,
    /// Vertices on them that are not forgotten.
    pub vertices: u64,
    /// Vertices of which something is recent: not folded into the columns of their page.
    pub recent: u64,
    /// Pages of which less than an eighth is in use: numbers are never given again, so they stay until their last vertex goes.
    pub sparse_pages: u64,
    /// Vertices on sparse pages.
    pub sparse_vertices: u64,
    /// Bytes of the slots of sparse pages.
    pub sparse_bytes: u64,
}

impl Core {
    /// Looks at every page.
    pub fn survey_pages(&self) -> PageSurvey {
        let graph = self.graph();
        let mut found = PageSurvey::default();
        for lists in &graph.lists {
            let guard = self.heap().enter();
            let pages = lists.all.pages(&guard);
            for page in pages.filter_map(|id| graph.directory.page(id, &guard)) {
                let head = page.header();
                let live = head.live.load(Ordering::Relaxed);
                found.pages += 1;
                found.vertices += u64::from(live);
                found.recent += head.columns.recent_slots() as u64;
                if live.saturating_mul(SPARSE) < head.used.load(Ordering::Relaxed) {
                    found.sparse_pages += 1;
                    found.sparse_vertices += u64::from(live);
                    let bytes = size_of::<PageHead>() + size_of_val(page.items());
                    found.sparse_bytes += bytes as u64;
                }
            }
        }
        found
    }
}
