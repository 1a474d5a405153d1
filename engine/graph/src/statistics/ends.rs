//! Edges by what stands at their ends: how many of a type start, or end, at vertices of a label. With the number of vertices it is their
//! average degree.
//!
//! Owned here: [`Ends`] (one a core: counts by label set, type and direction), [`EdgeEnds`] (their sums by label, for planning),
//! [`Recount`] (counting anew). Called by `statistics` (at commit), `analysis`, `graph`.
//! Always holds: a core's counts are changed by that core alone and read by any. What a transaction tallies follows what it sees: edges
//! with the label sets that their ends have, and all edges of a vertex with each change of its labels. So a count is exact as long as
//! nobody makes or deletes edges at a vertex while another changes its labels; what such a race leaves behind is a share of an
//! estimate, no more, and is gone after `ANALYZE GRAPH` or a restart, which count anew. On a replica, where commits are applied one
//! after the other, nothing races.
//! Left to others: what a plan makes of it.
//!
//! Label sets, not labels, are counted, so that an edge costs two additions however many labels its ends have. Past [`ENDS_MAX`]
//! combinations a core counts new ones no more: what is about average is estimated as average.

use crate::graph::Graph;
use crate::growing::Growing;
use crate::ids::{LabelId, LabelSetId, TypeId};
use crate::labels::LabelSets;
use hashbrown::HashMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};

/// Combinations of label set, type and direction that are counted by one core, at most.
const ENDS_MAX: usize = 1 << 16;

/// Which end of an edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum End {
    /// Where it starts.
    Source,
    /// Where it ends.
    Target,
}

/// Ends of edges of one type at vertices of one label set: `labels << 33 | type << 1 | is target`, never 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct EndKey(u64);

/// Set in every key, so that 0 is a place without one.
const KEY: u64 = 1 << 63;

impl EndKey {
    pub(crate) fn new(labels: LabelSetId, type_: TypeId, end: End) -> EndKey {
        let end = u64::from(end == End::Target);
        EndKey(KEY | u64::from(labels.0) << 33 | u64::from(type_.0) << 1 | end)
    }

    /// Both ends of an edge.
    pub(crate) fn both(source: LabelSetId, target: LabelSetId, type_: TypeId) -> [EndKey; 2] {
        [
            EndKey::new(source, type_, End::Source),
            EndKey::new(target, type_, End::Target),
        ]
    }

    fn parts(self) -> (LabelSetId, TypeId, End) {
        let end = match self.0 & 1 {
            0 => End::Source,
            _ => End::Target,
        };
        let labels = LabelSetId(((self.0 & !KEY) >> 33) as u32);
        (labels, TypeId((self.0 >> 1) as u32), end)
    }
}

/// One core's counts, in the order in which they came up.
#[derive(Default)]
pub(crate) struct Ends(Growing<Counted>);

#[derive(Default)]
struct Counted {
    /// An [`EndKey`]; 0 before it is in use.
    key: AtomicU64,
    edges: AtomicI64,
}

/// Where a core counts what: its own, not shared.
#[derive(Default)]
pub(crate) struct EndNumbers(HashMap<EndKey, usize>);

impl EndNumbers {
    /// Of a core's counts, which an earlier handle of the core may have begun.
    pub(crate) fn of(ends: &Ends) -> EndNumbers {
        let keys = ends.iter().map(|(key, _)| key);
        EndNumbers(keys.zip(0..).collect())
    }
}

impl Ends {
    /// Called by the core itself only.
    pub(super) fn add(&self, key: EndKey, by: i64, numbers: &mut EndNumbers) {
        let next = numbers.0.len();
        let at = match numbers.0.get(&key) {
            Some(at) => *at,
            None if next == ENDS_MAX => return,
            None => {
                numbers.0.insert(key, next);
                next
            }
        };
        let counted = self.0.get_or_make(at);
        counted.edges.fetch_add(by, Ordering::Relaxed);
        if at == next {
            // Whoever finds the key finds the first number with it.
            counted.key.store(key.0, Ordering::Release);
        }
    }

    fn iter(&self) -> impl Iterator<Item = (EndKey, i64)> {
        let pairs = self.0.iter().map(|counted| {
            let key = EndKey(counted.key.load(Ordering::Acquire));
            (key, counted.edges.load(Ordering::Relaxed))
        });
        pairs.take_while(|(key, _)| key.0 != 0)
    }
}

/// How many edges have an end at vertices of a label, committed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EdgeEnds(HashMap<(LabelId, TypeId, End), u64>);

impl EdgeEnds {
    /// Edges of a type whose source, or target, has a label.
    pub fn edges(&self, label: LabelId, type_: TypeId, end: End) -> u64 {
        self.0.get(&(label, type_, end)).copied().unwrap_or(0)
    }

    /// Edges of any type whose source, or target, has a label.
    pub fn edges_of_any_type(&self, label: LabelId, end: End) -> u64 {
        let of_label = |(known, _, at): &(LabelId, TypeId, End)| *known == label && *at == end;
        let counts = self.0.iter().filter(|(key, _)| of_label(key));
        counts.map(|(_, edges)| *edges).sum()
    }

    /// All counts that are not 0, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (LabelId, TypeId, End, u64)> {
        self.0
            .iter()
            .map(|(&(label, type_, end), &n)| (label, type_, end, n))
    }

    fn of(sums: HashMap<EndKey, i64>, label_sets: &LabelSets) -> EdgeEnds {
        let mut by_label: HashMap<(LabelId, TypeId, End), i64> = HashMap::new();
        for (key, edges) in sums {
            let (labels, type_, end) = key.parts();
            for &label in label_sets.labels(labels) {
                *by_label.entry((label, type_, end)).or_default() += edges;
            }
        }
        let counts = by_label.into_iter().filter(|(_, edges)| *edges > 0);
        EdgeEnds(counts.map(|(key, edges)| (key, edges as u64)).collect())
    }
}

/// What counting anew has added to the cores' counts; looked at where plans are made, never where they run.
pub(crate) type Corrections = Mutex<HashMap<EndKey, i64>>;

fn lock(corrections: &Corrections) -> MutexGuard<'_, HashMap<EndKey, i64>> {
    corrections
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}

impl Graph {
    fn end_sums(&self) -> HashMap<EndKey, i64> {
        let mut sums = lock(&self.end_corrections).clone();
        for (key, edges) in self.counts.iter().flat_map(|counts| counts.0.ends.iter()) {
            *sums.entry(key).or_default() += edges;
        }
        sums
    }

    /// Committed edges by the labels of their ends. Walks all combinations that occur: for planning.
    pub fn edge_ends(&self) -> EdgeEnds {
        EdgeEnds::of(self.end_sums(), &self.label_sets)
    }
}

/// Counting anew, by looking at every vertex.
pub(crate) struct Recount {
    /// What was known when it began: what commits add meanwhile stays added.
    before: HashMap<EndKey, i64>,
    found: HashMap<EndKey, i64>,
}

impl Recount {
    pub(crate) fn new(graph: &Graph) -> Recount {
        Recount {
            before: graph.end_sums(),
            found: HashMap::new(),
        }
    }

    /// Counts edges with an end at one vertex.
    pub(crate) fn count(&mut self, key: EndKey, edges: u64) {
        if self.found.len() < ENDS_MAX || self.found.contains_key(&key) {
            *self.found.entry(key).or_default() += edges as i64;
        }
    }

    /// Takes what was found in the place of what was known.
    pub(crate) fn end(self, graph: &Graph) {
        let mut corrections = lock(&graph.end_corrections);
        for (key, edges) in self.found {
            *corrections.entry(key).or_default() += edges;
        }
        for (key, edges) in self.before {
            *corrections.entry(key).or_default() -= edges;
        }
        corrections.retain(|_, edges| *edges != 0);
    }
}
