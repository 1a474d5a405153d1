//! Views: what a transaction sees, read in place.
//!
//! Owned here: [`View`] and the references it gives out. Called by `query`, `server`'s encoder, tests.
//! Always holds: point reads, seeks and walks over neighbours allocate nothing and never wait; everything given out lives as long as
//! the epoch; a view is `Copy` and independent of its transaction, which may write while the view is in use: later writes of the same
//! clause are not seen.
//! Left to others: what to read.

use crate::adjacency::{self, Key, List, Walk};
use crate::constraint::UniqueRef;
use crate::graph::Graph;
use crate::ids::{EdgeId, KeyId, LabelId, PageId, TypeId, VertexId};
use crate::index::{EdgeIndexRef, IndexDefinition, IndexRef};
use crate::memory::Guard;
use crate::page::Slot;
use crate::stamp::Sight;
use crate::state::{PropertiesRef, State};
use crate::value::{Edge, ValueRef};
use crate::version::Record;

/// See the module.
#[derive(Clone, Copy)]
pub struct View<'e> {
    graph: &'e Graph,
    guard: &'e Guard<'e>,
    sight: Sight<'e>,
}

/// Which edges of a vertex.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Those that start there.
    Out,
    /// Those that end there.
    In,
    /// Both; a self loop once.
    Both,
}

/// One incident edge as seen from a vertex.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Incidence {
    /// The edge.
    pub edge: Edge,
    /// Its other end; the vertex itself for a self loop.
    pub neighbour: VertexId,
    /// Whether it starts at the vertex.
    pub outgoing: bool,
}

impl<'e> View<'e> {
    pub(crate) fn new(graph: &'e Graph, guard: &'e Guard<'e>, sight: Sight<'e>) -> View<'e> {
        View {
            graph,
            guard,
            sight,
        }
    }

    /// The graph.
    pub fn graph(&self) -> &'e Graph {
        self.graph
    }

    /// Whether what others have not committed is seen, so that something found a moment ago may be undone now.
    pub fn shows_uncommitted(&self) -> bool {
        self.sight.uncommitted
    }

    #[inline]
    pub(crate) fn sight(&self) -> &Sight<'e> {
        &self.sight
    }

    #[inline]
    pub(crate) fn guard(&self) -> &'e Guard<'e> {
        self.guard
    }

    #[inline]
    pub(crate) fn slot(&self, id: VertexId) -> Option<&'e Slot> {
        if id > VertexId::MAX {
            return None;
        }
        self.graph.slot(id, self.guard)
    }

    /// What a vertex looks like for this transaction, if it exists.
    #[inline]
    pub(crate) fn state(&self, id: VertexId) -> Option<State<'e>> {
        if id > VertexId::MAX {
            return None;
        }
        let page = self.graph.directory.page_to_read(id.page(), self.guard)?;
        page.seen(id.slot(), &self.sight, self.guard)
    }

    /// The vertex of an id, if it exists for this transaction.
    #[inline]
    pub fn vertex(&self, id: VertexId) -> Option<VertexRef<'e>> {
        Some(VertexRef {
            id,
            state: self.state(id)?,
            view: *self,
        })
    }

    /// The edge of an id alone: linear in the degree of its source. With type and target use [`View::edge_at`].
    pub fn edge(&self, id: EdgeId) -> Option<EdgeRef<'e>> {
        let slot = self.slot(id.source())?;
        let mut walk = Walk::new(Some(&slot.outgoing), self.sight, &[], None, self.guard);
        let hop = walk.find(|hop| hop.key.ordinal() == id.ordinal())?;
        let edge = hop.key.edge(id.source(), true);
        Some(EdgeRef {
            edge,
            record: hop.record(),
            view: *self,
        })
    }

    /// An edge by its id, type and target, if it exists for this transaction: a binary search.
    pub fn edge_at(&self, edge: Edge) -> Option<EdgeRef<'e>> {
        let slot = self.slot(edge.source())?;
        let key = Key::outgoing(edge);
        let entry = adjacency::find_where(&slot.outgoing, key, self.guard, |entry| {
            self.sight.sees(entry.created(self.guard))
                && !self.sight.sees(entry.deleted(self.guard))
        })?;
        Some(EdgeRef {
            edge,
            record: entry.record(self.guard),
            view: *self,
        })
    }

    /// The edges of a vertex; `types` empty means all. Of a vertex that does not exist there are none.
    pub fn edges<'t>(
        &self,
        vertex: VertexId,
        direction: Direction,
        types: &'t [TypeId],
    ) -> Edges<'e, 't> {
        self.walk(vertex, direction, types)
    }

    /// The edges between `vertex` and `other`, seen from `vertex`: a binary search in the settled part, at the end where there is less of it
    /// if one of them has many edges.
    pub fn edges_between<'t>(
        &self,
        vertex: VertexId,
        other: VertexId,
        direction: Direction,
        types: &'t [TypeId],
    ) -> EdgesBetween<'e, 't> {
        let search = |outgoing: bool, is_wanted: bool| {
            let (list, at_other) = self.list_towards(vertex, other, outgoing);
            let (at, towards) = match at_other {
                true => (other, vertex),
                false => (vertex, other),
            };
            let list = list.filter(|_| is_wanted);
            let walk = Walk::new(list, self.sight, types, Some(towards), self.guard);
            Search { walk, at, at_other }
        };
        let is_loop = direction == Direction::Both && vertex == other;
        EdgesBetween {
            other,
            out: search(true, direction != Direction::In),
            incoming: search(false, direction != Direction::Out && !is_loop),
        }
    }

    /// The list in which to look for edges between `vertex` and `other`, which start at `vertex` if `outgoing`; and whether it is the other's. One
    /// chunk is searched where it stands; only instead of many it pays to go to the other.
    fn list_towards(
        &self,
        vertex: VertexId,
        other: VertexId,
        outgoing: bool,
    ) -> (Option<&'e List>, bool) {
        let own = self.slot(vertex).map(|slot| slot.list(outgoing));
        if own.is_some_and(|list| adjacency::is_long(list, self.guard)) {
            let others = self.slot(other).map(|slot| slot.list(!outgoing));
            if others.is_some_and(|list| !adjacency::is_long(list, self.guard)) {
                return (others, true);
            }
        }
        (own, false)
    }

    fn walk<'t>(
        &self,
        vertex: VertexId,
        direction: Direction,
        types: &'t [TypeId],
    ) -> Edges<'e, 't> {
        let slot = self.slot(vertex);
        let out = slot
            .map(|slot| &slot.outgoing)
            .filter(|_| direction != Direction::In);
        let incoming = slot
            .map(|slot| &slot.incoming)
            .filter(|_| direction != Direction::Out);
        Edges {
            vertex,
            out: Walk::new(out, self.sight, types, None, self.guard),
            incoming: Walk::new(incoming, self.sight, types, None, self.guard),
            loops: direction != Direction::Both,
        }
    }

    /// The number of edges that [`View::edges`] gives; constant time where nothing is recent, but for `Both`, which looks for self loops.
    pub fn degree(&self, vertex: VertexId, direction: Direction, types: &[TypeId]) -> u64 {
        let edges = self.edges(vertex, direction, types);
        let loops = match direction {
            Direction::Both => self
                .edges_between(vertex, vertex, Direction::Out, types)
                .count() as u64,
            _ => 0,
        };
        edges.out.count_all() + edges.incoming.count_all() - loops
    }

    /// Pages that may hold vertices with a label (`None`: any vertices), shard by shard.
    pub fn pages(&self, label: Option<LabelId>) -> Vec<PageId> {
        let lists = self.graph.lists.iter().filter_map(|lists| match label {
            None => Some(&lists.all),
            Some(label) => lists.of(label),
        });
        lists.flat_map(|list| list.pages(self.guard)).collect()
    }

    /// The index of a label and keys in this order, if there is one that can be read.
    pub fn index(&self, label: LabelId, keys: &[KeyId]) -> Option<IndexRef<'e>> {
        let schema = self.graph.schema.load(self.guard);
        let index = schema.find_index(&IndexDefinition::on_label(label, keys))?;
        Some(IndexRef { index, view: *self }).filter(|_| !keys.is_empty())
    }

    /// The unique constraint of a label and keys in this order, if there is one: the shortest way to a vertex by its key.
    pub fn unique(&self, label: LabelId, keys: &[KeyId]) -> Option<UniqueRef<'e>> {
        let schema = self.graph.schema.load(self.guard);
        UniqueRef::new(schema.find_unique(label, keys)?, *self)
    }

    /// The index of an edge type and keys in this order (none: of the type alone), if there is one that can be read.
    pub fn edge_index(&self, type_: TypeId, keys: &[KeyId]) -> Option<EdgeIndexRef<'e>> {
        let schema = self.graph.schema.load(self.guard);
        let index = schema.find_index(&IndexDefinition::on_type(type_, keys))?;
        Some(EdgeIndexRef { index, view: *self })
    }
}

/// A vertex as a transaction sees it.
#[derive(Clone, Copy)]
pub struct VertexRef<'e> {
    id: VertexId,
    state: State<'e>,
    view: View<'e>,
}

impl<'e> VertexRef<'e> {
    /// Its id.
    pub fn id(&self) -> VertexId {
        self.id
    }

    /// Its labels, ascending by id.
    pub fn labels(&self) -> &'e [LabelId] {
        self.view.graph.label_sets.labels(self.state.label_set())
    }

    /// Whether it has a label.
    pub fn has_label(&self, label: LabelId) -> bool {
        self.labels().binary_search(&label).is_ok()
    }

    /// One property, in place.
    #[inline]
    pub fn property(&self, key: KeyId) -> Option<ValueRef<'e>> {
        self.state.get(key)
    }

    /// All properties, in place, ascending by key.
    pub fn properties(&self) -> PropertiesRef<'e> {
        self.state.properties()
    }
}

/// An edge as a transaction sees it.
#[derive(Clone, Copy)]
pub struct EdgeRef<'e> {
    edge: Edge,
    /// Where its properties are, if it has had any.
    record: Option<u32>,
    view: View<'e>,
}

impl<'e> EdgeRef<'e> {
    /// Id, type and target.
    pub fn edge(&self) -> Edge {
        self.edge
    }

    /// One property, in place.
    pub fn property(&self, key: KeyId) -> Option<ValueRef<'e>> {
        self.properties().get(key)
    }

    /// All properties, in place, ascending by key.
    pub fn properties(&self) -> PropertiesRef<'e> {
        let View {
            graph,
            guard,
            ref sight,
        } = self.view;
        let records = graph.records_of(self.edge.source());
        let state = self
            .record
            .and_then(|record| records.seen(record, sight, guard));
        state.map_or(PropertiesRef::default(), |state| state.properties())
    }
}

/// What [`View::edges`] gives: outgoing ones first, each part by (type, neighbour), recent ones behind.
pub struct Edges<'e, 't> {
    vertex: VertexId,
    out: Walk<'e, 't>,
    incoming: Walk<'e, 't>,
    /// Whether self loops among the incoming are given.
    loops: bool,
}

impl Iterator for Edges<'_, '_> {
    type Item = Incidence;

    #[inline]
    fn next(&mut self) -> Option<Incidence> {
        if let Some(hop) = self.out.next() {
            return Some(Incidence {
                edge: hop.key.edge(self.vertex, true),
                neighbour: hop.key.neighbour(),
                outgoing: true,
            });
        }
        loop {
            let hop = self.incoming.next()?;
            let source = hop.key.neighbour();
            if source == self.vertex && !self.loops {
                continue;
            }
            return Some(Incidence {
                edge: hop.key.edge(self.vertex, false),
                neighbour: source,
                outgoing: false,
            });
        }
    }
}

/// A search for the edges between two vertices in the list of one of them.
struct Search<'e, 't> {
    walk: Walk<'e, 't>,
    /// Whose list.
    at: VertexId,
    /// Whether that is the vertex that the edges are not seen from.
    at_other: bool,
}

impl Search<'_, '_> {
    /// The next edge, which starts at the vertex that it is seen from if `outgoing`.
    fn next(&mut self, outgoing: bool) -> Option<Edge> {
        let hop = self.walk.next()?;
        Some(hop.key.edge(self.at, outgoing != self.at_other))
    }
}

/// What [`View::edges_between`] gives: outgoing ones first.
pub struct EdgesBetween<'e, 't> {
    other: VertexId,
    out: Search<'e, 't>,
    incoming: Search<'e, 't>,
}

impl Iterator for EdgesBetween<'_, '_> {
    type Item = Incidence;

    #[inline]
    fn next(&mut self) -> Option<Incidence> {
        let (edge, outgoing) = match self.out.next(true) {
            Some(edge) => (edge, true),
            None => (self.incoming.next(false)?, false),
        };
        Some(Incidence {
            edge,
            neighbour: self.other,
            outgoing,
        })
    }
}

#[cfg(all(test, not(loom)))]
impl EdgesBetween<'_, '_> {
    /// How many chunks and entries are looked at for it.
    pub(crate) fn looks_at(self) -> usize {
        self.out.walk.looks_at() + self.incoming.walk.looks_at()
    }
}
