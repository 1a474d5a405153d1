//! Counts for the planner, kept at commit.
//!
//! Owned here: [`Counts`] (one a core, added to by that core alone), [`Tally`] (what one transaction changes), [`Statistics`];
//! edges by what stands at their ends, which give degrees, are in [`ends`]. Called by `write` (edges, as they are made), `txn` and
//! `apply` (vertices and labels; at commit), `query` (planning), `server` (SHOW STORAGE INFO).
//! Always holds: the sum over cores counts committed things; each count is exact once commits have returned.
//! Left to others: distinct values (`index::sketch`).

mod ends;

pub(crate) use ends::{Corrections, EndKey, EndNumbers, Ends, Recount};
pub use ends::{EdgeEnds, End};

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
    pub(crate) ends: Ends,
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
    labels: Sums<LabelId>,
    types: Sums<TypeId>,
    ends: Sums<EndKey>,
}

impl Tally {
    pub(crate) fn vertex(&mut self, labels: &[LabelId], by: i64) {
        self.vertices += by;
        for &label in labels {
            self.label(label, by);
        }
    }

    pub(crate) fn label(&mut self, label: LabelId, by: i64) {
        self.labels.add(label, by);
    }

    /// An edge of a type, whose ends have these label sets.
    pub(crate) fn edge(&mut self, type_: TypeId, ends: [EndKey; 2], by: i64) {
        self.edges += by;
        self.types.add(type_, by);
        for end in ends {
            self.ends.add(end, by);
        }
    }

    /// Edges of a type, whose ends are counted apart.
    pub(crate) fn edges_of_type(&mut self, type_: TypeId, by: i64) {
        self.edges += by;
        self.types.add(type_, by);
    }

    /// Ends of edges alone: those at a vertex that changes its labels.
    pub(crate) fn end(&mut self, end: EndKey, by: i64) {
        self.ends.add(end, by);
    }
}

impl Counts {
    /// Adds a committed transaction's tally; `numbers` are the core's own.
    pub(crate) fn add(&self, tally: &mut Tally, numbers: &mut EndNumbers) {
        self.vertices.fetch_add(tally.vertices, Ordering::Relaxed);
        self.edges.fetch_add(tally.edges, Ordering::Relaxed);
        for &(label, by) in tally.labels.summed() {
            self.labels
                .get_or_make(label.0 as usize)
                .fetch_add(by, Ordering::Relaxed);
        }
        for &(type_, by) in tally.types.summed() {
            self.types
                .get_or_make(type_.0 as usize)
                .fetch_add(by, Ordering::Relaxed);
        }
        for &(end, by) in tally.ends.summed() {
            self.ends.add(end, by, numbers);
        }
    }
}

/// Sums by key: the last few keys are added to in place, the others are summed up whenever the list has doubled, so that many keys
/// cost no more than sorting them.
struct Sums<K> {
    list: SmallVec<[(K, i64); 4]>,
    /// Entries after the last summing up.
    distinct: usize,
}

/// Keys that are looked at for each that is added.
const LOOKED_AT: usize = 4;
/// Entries that are not summed up before there are so many.
const SUMMED_FROM: usize = 64;

impl<K> Default for Sums<K> {
    fn default() -> Self {
        Sums {
            list: SmallVec::new(),
            distinct: 0,
        }
    }
}

impl<K: Ord + Copy> Sums<K> {
    #[inline]
    fn add(&mut self, key: K, by: i64) {
        let known = self.list.iter_mut().rev().take(LOOKED_AT);
        if let Some((_, n)) = known.into_iter().find(|(known, _)| *known == key) {
            *n += by;
            return;
        }
        if self.list.len() >= SUMMED_FROM.max(2 * self.distinct) {
            self.sum_up();
        }
        self.list.push((key, by));
    }

    fn sum_up(&mut self) {
        self.list.sort_unstable_by_key(|(key, _)| *key);
        self.list.dedup_by(|later, first| {
            let same = later.0 == first.0;
            first.1 += if same { later.1 } else { 0 };
            same
        });
        self.distinct = self.list.len();
    }

    /// Each key once, unless there are few.
    fn summed(&mut self) -> &[(K, i64)] {
        if self.list.len() > SUMMED_FROM {
            self.sum_up();
        }
        &self.list
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_the_same_whatever_the_order_of_the_keys() {
        let mut sums = Sums::default();
        let mut expected = std::collections::BTreeMap::new();
        for n in 0u64..20_000 {
            let (key, by) = (n.wrapping_mul(0x9E37_79B9) % 701, (n % 7) as i64 - 3);
            sums.add(key, by);
            *expected.entry(key).or_insert(0) += by;
            assert!(sums.list.len() <= SUMMED_FROM.max(2 * 701) + 1);
        }
        assert_eq!(sums.summed().to_vec(), Vec::from_iter(expected));
    }
}
