//! Filling an index, or checking a constraint, behind the writers' backs.
//!
//! Owned here: [`Filling`] (how far it has come) and [`SchemaBuild`] (the caller's handle). Called by `schema`, `txn`'s callers.
//! Always holds: the entry stands in the schema before the first step, so what writers do from then on is fed and checked by them; each
//! step looks at slots under the token of their shard, [`SLOTS_AT_ONCE`] at a time, so a writer waits for microseconds; a slot is looked at
//! once, with every state it has. After an error nothing more is done and the transaction cannot commit.
//! Left to others: what is entered for a state (`index`), what is wrong with it (`constraint`).

use super::{Item, ItemKind};
use crate::core::Core;
use crate::error::WriteError;
use crate::ids::{PageId, ShardId, VertexId};
use crate::index::IndexDefinition;
use crate::memory::Guard;
use crate::shard::Hold;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Slots that are looked at while a token is held.
const SLOTS_AT_ONCE: usize = 64;
/// What a slot is admitted to: its entries and the nodes that are copied for them, in bytes.
const SLOT_BYTES: usize = 4 << 10;

/// An index or a constraint that is being made by a transaction of this core. Dropping it changes nothing: a commit does what is left.
pub struct SchemaBuild {
    core: Core,
    filling: Rc<RefCell<Filling>>,
}

impl SchemaBuild {
    pub(crate) fn new(core: Core, filling: Rc<RefCell<Filling>>) -> SchemaBuild {
        SchemaBuild { core, filling }
    }

    /// Looks at up to about `budget` vertices; whether more are left. An error is final: the transaction can only be rolled back.
    /// The caller may yield between two steps.
    pub fn step(&mut self, budget: usize) -> Result<bool, WriteError> {
        self.filling.borrow_mut().step(&self.core, budget)
    }
}

/// How far the making of an entry has come.
pub(crate) struct Filling {
    item: Arc<Item>,
    /// The shard being filled.
    shard: u16,
    /// Its pages that may hold what is looked for; those made later are fed by writers. `None` before its first step.
    pages: Option<Vec<PageId>>,
    page: usize,
    slot: usize,
    failed: Option<WriteError>,
}

impl Filling {
    pub(super) fn new(item: Arc<Item>) -> Filling {
        Filling {
            item,
            shard: 0,
            pages: None,
            page: 0,
            slot: 0,
            failed: None,
        }
    }

    pub(crate) fn item(&self) -> &Arc<Item> {
        &self.item
    }

    /// See [`SchemaBuild::step`].
    pub(super) fn step(&mut self, core: &Core, budget: usize) -> Result<bool, WriteError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let mut left = budget;
        let more = loop {
            if left == 0 {
                break Ok(true);
            }
            match self.look(core, left.min(SLOTS_AT_ONCE)) {
                Ok(Some(looked)) => {
                    left = left.saturating_sub(looked.max(1));
                    // What grows leaves old blocks behind, and nobody keeps house meanwhile.
                    core.heap().collect(SLOTS_AT_ONCE * 8);
                }
                Ok(None) => break Ok(false),
                Err(error) => break Err(error),
            }
        };
        if let Err(error) = &more {
            self.failed = Some(error.clone());
        }
        more
    }

    /// The pages of a shard to look at.
    fn pages(&self, core: &Core, guard: &Guard<'_>) -> Vec<PageId> {
        let lists = &core.graph().lists[usize::from(self.shard)];
        let label = match &self.item.kind {
            ItemKind::Index(index) => match &index.definition {
                IndexDefinition::Label(_) => return Vec::new(),
                definition => definition.label(),
            },
            ItemKind::Constraint(constraint) => Some(constraint.definition.label()),
        };
        match label {
            None => lists.all.pages(guard).collect(),
            Some(label) => lists
                .of(label)
                .into_iter()
                .flat_map(|list| list.pages(guard))
                .collect(),
        }
    }

    /// Looks at the next slots of one page; how many it was, nothing at the end.
    fn look(&mut self, core: &Core, slots: usize) -> Result<Option<usize>, WriteError> {
        let graph = core.graph();
        if self.shard == graph.shard_count() {
            return Ok(None);
        }
        core.heap().admit(slots * SLOT_BYTES)?;
        let guard = core.heap().enter();
        if self.pages.is_none() {
            self.pages = Some(self.pages(core, &guard));
        }
        let Some(&id) = self.pages.as_ref().and_then(|pages| pages.get(self.page)) else {
            self.shard += 1;
            (self.pages, self.page, self.slot) = (None, 0, 0);
            return Ok(Some(0));
        };
        // Unique keys lie in any shard.
        let everywhere = match &self.item.kind {
            ItemKind::Constraint(constraint) => constraint.unique.is_some(),
            ItemKind::Index(_) => false,
        };
        let shards = (0..graph.shard_count()).filter(|&shard| everywhere || shard == self.shard);
        let _hold = Hold::take(&graph.shards, core.number(), shards.map(ShardId));
        // A page whose vertices are all gone is gone too.
        let page = graph.directory.page(id, &guard);
        let used = page.map_or(0, |page| {
            page.header().used.load(Ordering::Acquire) as usize
        });
        let end = used.min(self.slot + slots);
        let looked = end.saturating_sub(self.slot);
        if let Some(page) = page {
            for at in self.slot..end {
                let vertex = VertexId::new(id, at);
                let slot = &page.items()[at];
                match &self.item.kind {
                    ItemKind::Index(index) if index.definition.edge_type().is_some() => {
                        core.0.fill_edges(&self.item, index, vertex, slot, &guard)
                    }
                    ItemKind::Index(index) => graph.fill_vertex(index, vertex, &guard),
                    ItemKind::Constraint(constraint) => constraint.look(graph, vertex, &guard)?,
                }
            }
        }
        self.slot = end;
        if self.slot >= used {
            (self.page, self.slot) = (self.page + 1, 0);
        }
        Ok(Some(looked))
    }
}
