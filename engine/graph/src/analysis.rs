//! Analysing: exact statistics of indexes, by reading them (`ANALYZE GRAPH`).
//!
//! Owned here: [`Analysis`], which reads in steps, and [`IndexStatistics`], what it finds. Called by `query` and `server`; its caller brings
//! the view, one of the same transaction for each step.
//! Always holds: what is counted is what the view sees; when it is done, each index that was read counts its distinct keys anew
//! (`index::sketch`) and keeps what was found, for the planner, until it is analysed again or the statistics are deleted. One of the
//! whole graph looks at every vertex, and counts anew the edges at vertices of each label (`statistics::ends`).
//! Left to others: which plan follows from it.

use crate::adjacency::Walk;
use crate::graph::Graph;
use crate::ids::{LabelId, PageId, VertexId};
use crate::index::read::{Cursor, IndexRef, scan};
use crate::index::sketch::{self, Sketch};
use crate::index::{IndexDefinition, KeyRange, Order};
use crate::schema::{Item, SchemaState};
use crate::statistics::{End, EndKey, Recount};
use crate::value::sort_key::SortKey;
use crate::version::Record;
use crate::view::{Direction, View};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// What is known of an index since it was analysed.
#[derive(Clone, Debug, PartialEq)]
pub struct IndexStatistics {
    /// The index.
    pub definition: IndexDefinition,
    /// Vertices in it.
    pub vertices: u64,
    /// Of an index with keys.
    pub groups: Option<GroupStatistics>,
    /// Edges of a vertex, in both directions together, on average; 0 of no vertices.
    pub average_degree: f64,
}

/// How the values of an index are spread. Vertices with the same values are a group; values longer than an index key
/// (`KEY_MAX`) count as the same if they begin alike.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GroupStatistics {
    /// Groups.
    pub count: u64,
    /// Vertices of a group on average; 0 of no groups.
    pub average_size: f64,
    /// Pearson's chi-squared of the sizes against equal sizes: 0 where all are equal.
    pub chi_squared: f64,
}

/// What an index on vertices is being read for.
struct Reading {
    item: Arc<Item>,
    vertices: u64,
    degrees: u64,
    cursor: Cursor,
    /// Of an index on a label alone: the pages left to look at. `None` before its first step.
    pages: Option<Vec<PageId>>,
    /// The distinct keys, counted anew.
    fresh: Box<[Sketch]>,
    group: SortKey,
    size: u64,
    groups: u64,
    squares: f64,
}

/// Edges at vertices of each label, being counted anew.
#[derive(Default)]
struct Counting {
    /// `None` before its first step.
    recount: Option<Recount>,
    /// The pages left to look at.
    pages: Vec<PageId>,
}

impl Counting {
    /// Looks at pages with about `budget` vertices, at least one; whether more are left.
    fn step(&mut self, view: &View<'_>, budget: usize) -> bool {
        let recount = match &mut self.recount {
            Some(recount) => recount,
            None => {
                self.pages = view.pages(None);
                self.recount.insert(Recount::new(view.graph()))
            }
        };
        let (mut vertices, mut seen) = (Vec::new(), 0);
        while seen < budget.max(1) {
            let Some(page) = self.pages.pop() else {
                return false;
            };
            vertices.clear();
            view.scan_page(page, None, &mut vertices);
            for &id in &vertices {
                let Some(labels) = view.state(id).map(|state| state.label_set()) else {
                    continue;
                };
                for (outgoing, end) in [(true, End::Source), (false, End::Target)] {
                    let list = view.slot(id).map(|slot| slot.list(outgoing));
                    let walk = Walk::new(list, *view.sight(), &[], None, view.guard());
                    walk.count_by_type(|type_, edges| {
                        recount.count(EndKey::new(labels, type_, end), edges);
                    });
                }
            }
            seen += vertices.len().max(1);
        }
        !self.pages.is_empty()
    }
}

/// An analysis of the indexes on vertices, done in steps.
pub struct Analysis {
    /// The last one is being read.
    left: Vec<Reading>,
    /// Of the whole graph: what is counted behind the indexes.
    ends: Option<Counting>,
    found: Vec<IndexStatistics>,
}

impl Analysis {
    /// Of all indexes on vertices that can be read, or of those with one of `labels`, in the order they were made.
    pub fn new(graph: &Graph, labels: Option<&[LabelId]>) -> Analysis {
        let mut left: Vec<Reading> = analysed(graph, labels)
            .into_iter()
            .map(Reading::of)
            .collect();
        left.reverse();
        Analysis {
            left,
            ends: labels.is_none().then(Counting::default),
            found: Vec::new(),
        }
    }

    /// Reads on for about `budget` vertices, at least a page; whether more is left.
    pub fn step(&mut self, view: &View<'_>, budget: usize) -> bool {
        let mut left = budget.max(1);
        while left > 0 {
            let Some(reading) = self.left.last_mut() else {
                return self.count_ends(view, left);
            };
            let before = reading.vertices;
            let more = reading.step(view, left);
            left = left.saturating_sub((reading.vertices - before).max(1) as usize);
            if !more && let Some(reading) = self.left.pop() {
                self.found.push(reading.end(view.graph()));
            }
        }
        !self.left.is_empty() || self.ends.is_some()
    }

    /// Counts on; whether more is left.
    fn count_ends(&mut self, view: &View<'_>, budget: usize) -> bool {
        let Some(counting) = &mut self.ends else {
            return false;
        };
        let more = counting.step(view, budget);
        if !more && let Some(recount) = self.ends.take().and_then(|counting| counting.recount) {
            recount.end(view.graph());
            view.graph().schema_version.fetch_add(1, Ordering::Release);
        }
        more
    }

    /// What it has found, in the order in which the indexes were made.
    pub fn into_found(self) -> Vec<IndexStatistics> {
        self.found
    }
}

/// The indexes on vertices that can be read, of these labels.
fn analysed(graph: &Graph, labels: Option<&[LabelId]>) -> Vec<Arc<Item>> {
    let mut items = graph.listed();
    items.retain(|item| {
        let label = item.index().and_then(|index| index.definition.label());
        item.state() == SchemaState::Online
            && label.is_some_and(|label| labels.is_none_or(|labels| labels.contains(&label)))
    });
    items
}

impl Graph {
    /// Forgets what analyses have found for indexes on vertices, or for those with one of `labels`; which indexes that was.
    pub fn delete_statistics(&self, labels: Option<&[LabelId]>) -> Vec<IndexDefinition> {
        let mut deleted = Vec::new();
        for item in analysed(self, labels) {
            if item.keep_statistics(None).is_some() {
                deleted.extend(item.index().map(|index| index.definition.clone()));
            }
        }
        self.schema_version.fetch_add(1, Ordering::Release);
        deleted
    }
}

impl Reading {
    fn of(item: Arc<Item>) -> Reading {
        let keys = item
            .index()
            .map_or(0, |index| index.definition.keys().len());
        Reading {
            item,
            vertices: 0,
            degrees: 0,
            cursor: Cursor::default(),
            pages: None,
            fresh: (0..keys).map(|_| Sketch::default()).collect(),
            group: SortKey::new(),
            size: 0,
            groups: 0,
            squares: 0.0,
        }
    }

    fn count(&mut self, view: &View<'_>, vertex: VertexId) {
        self.vertices += 1;
        self.degrees += view.degree(vertex, Direction::Out, &[]);
        self.degrees += view.degree(vertex, Direction::In, &[]);
    }

    /// Reads up to about `budget` vertices; whether more are left.
    fn step(&mut self, view: &View<'_>, budget: usize) -> bool {
        let item = self.item.clone();
        let Some(index) = item.index() else {
            return false;
        };
        if index.definition.keys().is_empty() {
            return self.look_at_page(view, index.definition.label());
        }
        let target = IndexRef { index, view: *view };
        let mut cursor = std::mem::take(&mut self.cursor);
        let all = KeyRange::all(Order::Ascending);
        scan(target, &all, &mut cursor, budget, |id, seen| {
            self.count(view, id);
            let key = index.key_of(|name| seen.property(name)).unwrap_or_default();
            if self.size > 0 && key == self.group {
                self.size += 1;
                return;
            }
            self.end_group();
            sketch::note(&self.fresh, &key);
            (self.group, self.size) = (key, 1);
        });
        self.cursor = cursor;
        !self.cursor.is_done()
    }

    fn look_at_page(&mut self, view: &View<'_>, label: Option<LabelId>) -> bool {
        let pages = self.pages.get_or_insert_with(|| view.pages(label));
        let mut vertices = Vec::new();
        if let Some(page) = pages.pop() {
            view.scan_page(page, label, &mut vertices);
        }
        let more = !pages.is_empty();
        vertices.into_iter().for_each(|id| self.count(view, id));
        more
    }

    fn end_group(&mut self) {
        self.groups += u64::from(self.size > 0);
        self.squares += (self.size as f64).powi(2);
        self.size = 0;
    }

    fn end(mut self, graph: &Graph) -> IndexStatistics {
        self.end_group();
        let index = self.item.index().expect("an index is analysed");
        let ratio = |a: u64, b: u64| if b == 0 { 0.0 } else { a as f64 / b as f64 };
        let average_size = ratio(self.vertices, self.groups);
        // The sum of (size - average)^2 / average over the groups.
        let chi_squared = match self.groups {
            0 => 0.0,
            groups => (self.squares / average_size - groups as f64 * average_size).max(0.0),
        };
        let found = IndexStatistics {
            definition: index.definition.clone(),
            vertices: self.vertices,
            groups: (!index.definition.keys().is_empty()).then_some(GroupStatistics {
                count: self.groups,
                average_size,
                chi_squared,
            }),
            average_degree: ratio(self.degrees, self.vertices),
        };
        index.count_anew(&self.fresh);
        self.item.keep_statistics(Some(found.clone()));
        graph.schema_version.fetch_add(1, Ordering::Release);
        found
    }
}
