//! The schema: indexes and constraints as they are at the moment, and how they change.
//!
//! Owned here: [`Schema`] (what writers feed and readers find), [`SchemaChange`] (what a transaction has prepared), what is shown of it
//! ([`IndexInfo`], [`ConstraintInfo`]); filling in steps ([`build`]). Called by `txn`, `apply`, `write`, `view`, `graph`.
//! Always holds: the schema changes only while every shard's token is held, so each writer feeds and obeys exactly what the schema says
//! that it sees under its token; what is being made is fed and obeyed from that moment, filled behind the writers' backs from every state
//! there is, and online only then, so it serves every snapshot; whatever fails or is rolled back leaves nothing. Who is about to drop
//! an entry has it to itself: another who wants to meets a conflict, so what the log says is dropped is what goes from memory.
//! Left to others: entries (`index`), checks (`constraint`).

mod build;

pub(crate) use build::Filling;
pub use build::SchemaBuild;

use crate::analysis::IndexStatistics;
use crate::constraint::{Constraint, ConstraintDefinition};
use crate::core::Core;
use crate::error::{Entity, WriteError};
use crate::graph::Graph;
use crate::ids::{CommitSeq, KeyId, LabelId, ShardId, TypeId};
use crate::index::{Index, IndexDefinition};
use crate::shard::Hold;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// The most indexes and constraints at once.
pub const INDEXES_MAX: usize = 1024;

/// Whether an index or a constraint can be relied on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SchemaState {
    /// The transaction that makes it has not committed: it is fed and obeyed, but not read.
    Populating,
    /// It holds for everything.
    Online,
}

/// An index as it is shown, and as a planner weighs it.
#[derive(Clone, Debug, PartialEq)]
pub struct IndexInfo {
    /// What it is of.
    pub definition: IndexDefinition,
    /// What it is called, if it is.
    pub name: Option<Arc<str>>,
    /// Whether it can be read.
    pub state: SchemaState,
    /// How many vertices or edges it is of; with keys, entries, those of states not yet forgotten included.
    pub count: u64,
    /// For each number of first keys, from one on: about how many distinct values they have.
    pub distinct: Vec<u64>,
    /// What the last analysis found.
    pub analysed: Option<IndexStatistics>,
}

/// A constraint as it is shown.
#[derive(Clone, Debug, PartialEq)]
pub struct ConstraintInfo {
    /// What it asks.
    pub definition: ConstraintDefinition,
    /// What it is called, if it is.
    pub name: Option<Arc<str>>,
    /// Whether it holds for everything.
    pub state: SchemaState,
}

/// One entry of the schema.
pub(crate) struct Item {
    pub(crate) name: Option<Arc<str>>,
    pub(crate) kind: ItemKind,
    /// The commit that made it; `u64::MAX` while none has.
    since: AtomicU64,
    /// Whether a transaction is going to drop it, or has.
    leaving: AtomicBool,
    /// What an analysis has found; read where plans are made, never where they run.
    statistics: Mutex<Option<IndexStatistics>>,
}

pub(crate) enum ItemKind {
    Index(Index),
    Constraint(Constraint),
}

impl Item {
    fn new(kind: ItemKind, name: Option<&str>) -> Arc<Item> {
        Arc::new(Item {
            name: name.map(Arc::from),
            kind,
            since: AtomicU64::new(u64::MAX),
            leaving: AtomicBool::new(false),
            statistics: Mutex::default(),
        })
    }

    /// The commit that made it, if one has.
    pub(crate) fn since(&self) -> Option<CommitSeq> {
        let since = self.since.load(Ordering::Acquire);
        (since != u64::MAX).then_some(CommitSeq(since))
    }

    /// Keeps what an analysis has found, or forgets it; what was kept before.
    pub(crate) fn keep_statistics(
        &self,
        found: Option<IndexStatistics>,
    ) -> Option<IndexStatistics> {
        let mut kept = self
            .statistics
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        std::mem::replace(&mut *kept, found)
    }

    pub(crate) fn state(&self) -> SchemaState {
        match self.since() {
            Some(_) => SchemaState::Online,
            None => SchemaState::Populating,
        }
    }

    pub(crate) fn index(&self) -> Option<&Index> {
        match &self.kind {
            ItemKind::Index(index) => Some(index),
            ItemKind::Constraint(_) => None,
        }
    }

    pub(crate) fn constraint(&self) -> Option<&Constraint> {
        match &self.kind {
            ItemKind::Constraint(constraint) => Some(constraint),
            ItemKind::Index(_) => None,
        }
    }

    fn info(&self, graph: &Graph) -> Option<IndexInfo> {
        let index = self.index()?;
        let definition = index.definition.clone();
        let count = match definition {
            IndexDefinition::Label(label) => graph.vertices_with_label(label),
            IndexDefinition::EdgeType(type_) => graph.edges_of_type(type_),
            _ => index.entries(),
        };
        Some(IndexInfo {
            distinct: (1..=definition.keys().len())
                .map(|n| index.distinct(n))
                .collect(),
            definition,
            name: self.name.clone(),
            state: self.state(),
            count,
            analysed: self
                .statistics
                .lock()
                .unwrap_or_else(|poisoned| poisoned.into_inner())
                .clone(),
        })
    }
}

/// See the module.
#[derive(Default)]
pub(crate) struct Schema {
    /// Everything, in the order it was made.
    items: Vec<Arc<Item>>,
    /// The indexes with keys on vertices, ascending by label.
    vertex_indexes: Vec<(LabelId, Arc<Item>)>,
    /// The indexes on edges, ascending by type.
    edge_indexes: Vec<(TypeId, Arc<Item>)>,
    /// Ascending by label.
    constraints: Vec<(LabelId, Arc<Item>)>,
}

fn of<K: Ord + Copy>(list: &[(K, Arc<Item>)], key: K) -> &[(K, Arc<Item>)] {
    let start = list.partition_point(|(k, _)| *k < key);
    let len = list[start..].partition_point(|(k, _)| *k == key);
    &list[start..start + len]
}

impl Schema {
    fn new(items: Vec<Arc<Item>>) -> Schema {
        let mut schema = Schema::default();
        for item in &items {
            match &item.kind {
                ItemKind::Index(index) => match (&index.definition, index.definition.label()) {
                    (IndexDefinition::Label(_), _) => {}
                    (_, Some(label)) => schema.vertex_indexes.push((label, item.clone())),
                    (definition, None) => {
                        let type_ = definition
                            .edge_type()
                            .expect("an index has a label or a type");
                        schema.edge_indexes.push((type_, item.clone()));
                    }
                },
                ItemKind::Constraint(constraint) => schema
                    .constraints
                    .push((constraint.definition.label(), item.clone())),
            }
        }
        schema.vertex_indexes.sort_by_key(|(label, _)| *label);
        schema.edge_indexes.sort_by_key(|(type_, _)| *type_);
        schema.constraints.sort_by_key(|(label, _)| *label);
        schema.items = items;
        schema
    }

    /// Indexes that a vertex with these labels may be in.
    pub(crate) fn vertex_indexes<'s>(
        &'s self,
        labels: &'s [LabelId],
    ) -> impl Iterator<Item = &'s Index> {
        let labels = if self.vertex_indexes.is_empty() {
            &[]
        } else {
            labels
        };
        labels
            .iter()
            .flat_map(|&label| of(&self.vertex_indexes, label))
            .filter_map(|(_, item)| item.index())
    }

    /// Indexes that an edge of this type may be in.
    pub(crate) fn edge_indexes(&self, type_: TypeId) -> impl Iterator<Item = (&Arc<Item>, &Index)> {
        of(&self.edge_indexes, type_)
            .iter()
            .filter_map(|(_, item)| Some((item, item.index()?)))
    }

    /// Constraints on vertices with these labels.
    pub(crate) fn constraints<'s>(
        &'s self,
        labels: &'s [LabelId],
    ) -> impl Iterator<Item = &'s Arc<Item>> {
        let labels = if self.constraints.is_empty() {
            &[]
        } else {
            labels
        };
        labels
            .iter()
            .flat_map(|&label| of(&self.constraints, label))
            .map(|(_, item)| item)
    }

    /// The index of something that can be read, if there is one.
    pub(crate) fn find_index(&self, definition: &IndexDefinition) -> Option<&Index> {
        let online = self
            .items
            .iter()
            .filter(|item| item.state() == SchemaState::Online);
        online
            .filter_map(|item| item.index())
            .find(|index| index.definition.is_same(definition))
    }

    /// The unique constraint of a label and keys in this order, if there is one that holds for everything.
    pub(crate) fn find_unique(&self, label: LabelId, keys: &[KeyId]) -> Option<&Item> {
        let items = of(&self.constraints, label).iter().map(|(_, item)| item);
        let mut online = items.filter(|item| item.state() == SchemaState::Online);
        let is_meant = |constraint: &Constraint| {
            constraint.unique.is_some() && constraint.definition.keys() == keys
        };
        let item = online.find(|item| item.constraint().is_some_and(is_meant));
        item.map(|item| &**item)
    }

    /// Every entry, in the order it was made.
    pub(crate) fn items(&self) -> &[Arc<Item>] {
        &self.items
    }
}

/// What is shown: the indexes of some entries.
pub(crate) fn indexes(items: &[Arc<Item>], graph: &Graph) -> Vec<IndexInfo> {
    items.iter().filter_map(|item| item.info(graph)).collect()
}

/// What is shown: the constraints of some entries.
pub(crate) fn constraints(items: &[Arc<Item>]) -> Vec<ConstraintInfo> {
    let info = |item: &Arc<Item>| {
        Some(ConstraintInfo {
            definition: item.constraint()?.definition.clone(),
            name: item.name.clone(),
            state: item.state(),
        })
    };
    items.iter().filter_map(info).collect()
}

/// A change that a transaction has prepared.
pub(crate) enum SchemaChange {
    /// In the schema, fed and obeyed, being filled.
    Create(Rc<RefCell<Filling>>),
    /// Goes at commit.
    Drop(Arc<Item>),
}

fn hold_all(core: &Core) -> Hold<'_> {
    let graph = core.graph();
    Hold::take(
        &graph.shards,
        core.number(),
        (0..graph.shard_count()).map(ShardId),
    )
}

/// Changes the entries under all tokens.
fn change_items<R>(core: &Core, change: impl FnOnce(&mut Vec<Arc<Item>>) -> R) -> R {
    let graph = core.graph();
    let guard = core.heap().enter();
    let _hold = hold_all(core);
    let mut items = graph.schema.load(&guard).items.clone();
    let result = change(&mut items);
    *graph
        .listed
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner()) = items.clone();
    graph.schema.replace(Schema::new(items), core.heap());
    graph.schema_version.fetch_add(1, Ordering::Release);
    result
}

fn is_same(item: &Item, kind: &ItemKind) -> bool {
    match (&item.kind, kind) {
        (ItemKind::Index(a), ItemKind::Index(b)) => a.definition.is_same(&b.definition),
        (ItemKind::Constraint(a), ItemKind::Constraint(b)) => a.definition.is_same(&b.definition),
        _ => false,
    }
}

/// Whether two that are the same in kind, label and keys ask the same.
fn is_equal(item: &Item, kind: &ItemKind) -> bool {
    match (&item.kind, kind) {
        (ItemKind::Constraint(a), ItemKind::Constraint(b)) => a.definition == b.definition,
        _ => true,
    }
}

impl SchemaChange {
    /// Begins to make an index; nothing if there is one.
    pub(crate) fn create_index(
        core: &Core,
        definition: IndexDefinition,
        name: Option<&str>,
    ) -> Result<Option<Rc<RefCell<Filling>>>, WriteError> {
        let graph = core.graph();
        let index = Index::new(definition, graph.shard_count(), graph.account.clone());
        Self::create(core, ItemKind::Index(index), name)
    }

    /// Begins to make a constraint; nothing if there is one.
    pub(crate) fn create_constraint(
        core: &Core,
        definition: ConstraintDefinition,
        name: Option<&str>,
    ) -> Result<Option<Rc<RefCell<Filling>>>, WriteError> {
        let constraint = Constraint::new(definition, core.graph());
        Self::create(core, ItemKind::Constraint(constraint), name)
    }

    fn create(
        core: &Core,
        kind: ItemKind,
        name: Option<&str>,
    ) -> Result<Option<Rc<RefCell<Filling>>>, WriteError> {
        let made = change_items(core, |items| {
            if let Some(item) = items.iter().find(|item| is_same(item, &kind)) {
                return match (item.state(), is_equal(item, &kind)) {
                    (SchemaState::Populating, _) => Err(WriteError::SchemaInTheMaking),
                    (SchemaState::Online, true) => Ok(None),
                    (SchemaState::Online, false) => Err(WriteError::SchemaExists(
                        "the property is held to another type already: drop that constraint first",
                    )),
                };
            }
            if name.is_some() && items.iter().any(|item| item.name.as_deref() == name) {
                return Err(WriteError::SchemaExists(
                    "there is an index or a constraint of this name already",
                ));
            }
            if items.len() >= INDEXES_MAX {
                return Err(WriteError::LimitExceeded("indexes and constraints"));
            }
            let item = Item::new(kind, name);
            items.push(item.clone());
            Ok(Some(item))
        })?;
        Ok(made.map(|item| Rc::new(RefCell::new(Filling::new(item)))))
    }

    /// Prepares to drop an index; nothing if there is none, or if `own` transaction is going to drop it already.
    pub(crate) fn drop_index(
        core: &Core,
        definition: &IndexDefinition,
        own: &[SchemaChange],
    ) -> Result<Option<SchemaChange>, WriteError> {
        Self::drop(core, own, |item| {
            item.index()
                .is_some_and(|index| index.definition.is_same(definition))
        })
    }

    /// Prepares to drop a constraint; nothing if there is none, or if `own` transaction is going to drop it already.
    pub(crate) fn drop_constraint(
        core: &Core,
        definition: &ConstraintDefinition,
        own: &[SchemaChange],
    ) -> Result<Option<SchemaChange>, WriteError> {
        Self::drop(core, own, |item| {
            item.constraint()
                .is_some_and(|constraint| constraint.definition == *definition)
        })
    }

    fn drop(
        core: &Core,
        own: &[SchemaChange],
        is_meant: impl Fn(&Item) -> bool,
    ) -> Result<Option<SchemaChange>, WriteError> {
        let guard = core.heap().enter();
        let schema = core.graph().schema.load(&guard);
        let found = schema
            .items
            .iter()
            .find(|item| item.state() == SchemaState::Online && is_meant(item));
        let Some(item) = found else { return Ok(None) };
        let is_own = |change: &SchemaChange| matches!(change, SchemaChange::Drop(gone) if Arc::ptr_eq(gone, item));
        if own.iter().any(is_own) {
            return Ok(None);
        }
        // Never unset once it is dropped: then the entries loaded above are old.
        if item.leaving.swap(true, Ordering::AcqRel) {
            return Err(WriteError::Conflict {
                entity: Entity::Schema,
            });
        }
        Ok(Some(SchemaChange::Drop(item.clone())))
    }

    /// Does what is left to be done before the number: filling to the end.
    pub(crate) fn complete(&self, core: &Core) -> Result<(), WriteError> {
        if let SchemaChange::Create(filling) = self {
            while filling.borrow_mut().step(core, usize::MAX)? {}
        }
        Ok(())
    }

    /// The transaction has its number.
    pub(crate) fn commit(self, core: &Core, seq: CommitSeq) {
        match self {
            SchemaChange::Create(filling) => {
                let item = filling.borrow().item().clone();
                change_items(core, |_| item.since.store(seq.0, Ordering::Release));
            }
            SchemaChange::Drop(gone) => {
                change_items(core, |items| items.retain(|item| !Arc::ptr_eq(item, &gone)))
            }
        }
    }

    /// The transaction is undone.
    pub(crate) fn rollback(self, core: &Core) {
        match self {
            SchemaChange::Create(filling) => {
                let gone = filling.borrow().item().clone();
                change_items(core, |items| items.retain(|item| !Arc::ptr_eq(item, &gone)));
            }
            SchemaChange::Drop(item) => item.leaving.store(false, Ordering::Release),
        }
    }
}
