//! Counts for the planner, kept at commit.
//!
//! Owned here: [`Counts`] (one a core, added to by that core alone), [`Tally`] (what one transaction changes), [`Statistics`].
//! Called by `txn` and `apply` (at commit), `query` (planning), `server` (SHOW STORAGE INFO).
//! Always holds: the sum over cores counts committed things; each count is exact once commits have returned.
//! Left to others: degrees, distinct values.

use crate::growing::Growing;
use crate::ids::{LabelId, TypeId};
use smallvec::SmallVec;
use std::sync::atomic::{AtomicI64, Ordering};

/// One core's part of every count.
#[derive(Default)]
pub(crate) struct Counts {
    vertices: AtomicI64,
    edges: AtomicI64,
    labels: Growing<AtomicI64>,
    types: Growing<AtomicI64>,
}

/// Committed counts at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// All vertices.
    pub vertices: u64,
    /// All edges.
    pub edges: u64,
    /// Vertices of each label that has any, ascending by label.
    pub vertices_by_label: Vec<(LabelId, u64)>,
    /// Edges of each type that has any, ascending by type.
    pub edges_by_type: Vec<(TypeId, u64)>,
}

/// What a transaction adds to the counts when it commits.
#[derive(Default)]
pub(crate) struct Tally {
    vertices: i64,
    edges: i64,
    labels: SmallVec<[(LabelId, i64); 4]>,
    types: SmallVec<[(TypeId, i64); 4]>,
}

fn add<K: PartialEq + Copy>(list: &mut SmallVec<[(K, i64); 4]>, key: K, by: i64) {
    match list.iter_mut().find(|(k, _)| *k == key) {
        Some((_, n)) => *n += by,
        None => list.push((key, by)),
    }
}

impl Tally {
    pub(crate) fn vertex(&mut self, labels: &[LabelId], by: i64) {
        self.vertices += by;
        for &label in labels {
            self.label(label, by);
        }
    }

    pub(crate) fn label(&mut self, label: LabelId, by: i64) {
        add(&mut self.labels, label, by);
    }

    pub(crate) fn edge(&mut self, type_: TypeId, by: i64) {
        self.edges += by;
        add(&mut self.types, type_, by);
    }
}

impl Counts {
    /// Adds a committed transaction's tally.
    pub(crate) fn add(&self, tally: &Tally) {
        self.vertices.fetch_add(tally.vertices, Ordering::Relaxed);
        self.edges.fetch_add(tally.edges, Ordering::Relaxed);
        for &(label, by) in &tally.labels {
            self.labels
                .get_or_make(label.0 as usize)
                .fetch_add(by, Ordering::Relaxed);
        }
        for &(type_, by) in &tally.types {
            self.types
                .get_or_make(type_.0 as usize)
                .fetch_add(by, Ordering::Relaxed);
        }
    }
}

fn sum<'c>(parts: impl Iterator<Item = Option<&'c AtomicI64>>) -> u64 {
    parts
        .flatten()
        .map(|n| n.load(Ordering::Relaxed))
        .sum::<i64>()
        .max(0) as u64
}

pub(crate) fn vertices(cores: &[crate::sync::Padded<Counts>]) -> u64 {
    sum(cores.iter().map(|c| Some(&c.0.vertices)))
}

pub(crate) fn edges(cores: &[crate::sync::Padded<Counts>]) -> u64 {
    sum(cores.iter().map(|c| Some(&c.0.edges)))
}

pub(crate) fn with_label(cores: &[crate::sync::Padded<Counts>], label: LabelId) -> u64 {
    sum(cores.iter().map(|c| c.0.labels.get(label.0 as usize)))
}

pub(crate) fn of_type(cores: &[crate::sync::Padded<Counts>], type_: TypeId) -> u64 {
    sum(cores.iter().map(|c| c.0.types.get(type_.0 as usize)))
}
