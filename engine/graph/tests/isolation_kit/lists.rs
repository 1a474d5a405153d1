//! Lists in a graph, laid out so that appending and reading take different ways through storage.
//!
//! Each layout makes two transactions that append to one list meet at some record, so that the first updater wins; each but the first
//! can be read by two ways that have to agree.

use quoit_graph::door::NullJournal;
use quoit_graph::ids::{KeyId, LabelId, TypeId, VertexId};
use quoit_graph::value::{Edge, Value, ValueRef};
use quoit_graph::{
    Access, Core, Direction, Graph, GraphConfig, Incidence, IndexDefinition, Isolation, Txn, View,
    WriteError,
};
use quoit_histories::history::{Element, Key};
use std::sync::Arc;

/// How a list lies in the graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// A property of a vertex that holds the whole list.
    Property,
    /// A property of an edge that holds the whole list, reached from both its ends.
    EdgeProperty,
    /// A chain `(k)-[:HEAD]->()-[:NEXT]->()...<-[:TAIL]-(k)`, read from its head and from its tail.
    Chain,
    /// A vertex for each element, found by an index on list and place, and by a scan of the label.
    Indexed,
    /// Edges `(k)-[:E {element, place}]->(hub)`, read from either end; the hub is that of all lists.
    Edges,
}

pub const LAYOUTS: [Layout; 5] = [
    Layout::Property,
    Layout::EdgeProperty,
    Layout::Chain,
    Layout::Indexed,
    Layout::Edges,
];

/// A graph with empty lists.
pub struct Lists {
    pub graph: Arc<Graph>,
    layout: Layout,
    anchors: Vec<VertexId>,
    hub: VertexId,
    names: Names,
}

#[derive(Clone, Copy)]
struct Names {
    element_label: LabelId,
    list: KeyId,
    place: KeyId,
    element: KeyId,
    head: TypeId,
    tail: TypeId,
    next: TypeId,
    holds: TypeId,
}

impl Names {
    fn of(txn: &mut Txn) -> Result<Names, WriteError> {
        Ok(Names {
            element_label: txn.label("Element")?,
            list: txn.key("list")?,
            place: txn.key("place")?,
            element: txn.key("element")?,
            head: txn.edge_type("HEAD")?,
            tail: txn.edge_type("TAIL")?,
            next: txn.edge_type("NEXT")?,
            holds: txn.edge_type("HOLDS")?,
        })
    }
}

/// Place and element of a record that was found a moment ago. Whoever reads what is not committed may find it rolled back by now:
/// then it has no properties any more, and is not in the list.
fn placed(place: Option<ValueRef<'_>>, element: Option<ValueRef<'_>>) -> Option<(i64, Element)> {
    (place.is_some() && element.is_some()).then(|| (int(place), int(element) as Element))
}

fn int(value: Option<ValueRef<'_>>) -> i64 {
    match value {
        Some(ValueRef::Int(value)) => value,
        _ => 0,
    }
}

fn elements(value: Option<ValueRef<'_>>) -> Vec<Element> {
    match value.map(|value| value.to_value()) {
        Some(Value::List(items)) => items
            .iter()
            .map(|item| match item {
                Value::Int(element) => *element as Element,
                other => panic!("{other:?} is no element"),
            })
            .collect(),
        _ => Vec::new(),
    }
}

fn list_value(elements: &[Element]) -> Value {
    Value::list(
        elements
            .iter()
            .map(|&e| Value::Int(e as i64))
            .collect::<Vec<_>>(),
    )
}

impl Lists {
    /// `keys` empty lists in a graph of so many cores, dealt to all shards. The handles of the cores are free again afterwards.
    pub fn new(layout: Layout, cores: u16, keys: Key) -> Lists {
        let graph = Graph::new(GraphConfig {
            shards: cores,
            cores,
            journal: Arc::new(NullJournal::default()),
        });
        let mut anchors = vec![VertexId(0); keys as usize];
        let mut shared = None;
        for n in 0..cores {
            let core = graph.core(n);
            let mut txn = core.begin(Access::Write, Isolation::Snapshot);
            let names = Names::of(&mut txn).unwrap();
            let hub = match shared {
                Some((hub, _)) => hub,
                None => txn.create_vertex(&[], &[]).unwrap(),
            };
            shared = Some((hub, names));
            for key in (usize::from(n)..anchors.len()).step_by(usize::from(cores)) {
                let anchor = txn.create_vertex(&[], &[(names.place, 0.into())]).unwrap();
                anchors[key] = anchor;
                match layout {
                    Layout::Chain => {
                        let first = txn.create_vertex(&[], &[]).unwrap();
                        txn.create_edge(anchor, first, names.head, &[]).unwrap();
                        txn.create_edge(anchor, first, names.tail, &[]).unwrap();
                    }
                    Layout::EdgeProperty => {
                        txn.create_edge(anchor, hub, names.holds, &[]).unwrap();
                    }
                    _ => {}
                }
            }
            txn.commit().unwrap();
            if layout == Layout::Indexed && n == 0 {
                let mut txn = core.begin(Access::Write, Isolation::Snapshot);
                let definition = IndexDefinition::on_label(names.element_label, &[names.list]);
                txn.create_index(definition, None).unwrap();
                txn.commit().unwrap();
            }
        }
        let (hub, names) = shared.expect("there is a core");
        // A broken variant whose snapshots lag by some commits finds the lists all the same: what it does wrong is to show in them.
        let core = graph.core(0);
        for _ in 0..16 {
            let mut txn = core.begin(Access::Write, Isolation::Snapshot);
            txn.create_vertex(&[], &[]).unwrap();
            txn.commit().unwrap();
        }
        Lists {
            graph,
            layout,
            anchors,
            hub,
            names,
        }
    }

    /// The keys of all lists.
    pub fn keys(&self) -> std::ops::Range<Key> {
        0..self.anchors.len() as Key
    }

    /// Appends in a statement of its own.
    pub fn append(
        &self,
        core: &Core,
        txn: &mut Txn,
        key: Key,
        element: Element,
    ) -> Result<(), WriteError> {
        let statement = txn.begin_statement(false);
        let done = self.append_here(core, txn, key, element);
        txn.next_clause();
        drop(statement);
        done
    }

    fn append_here(
        &self,
        core: &Core,
        txn: &mut Txn,
        key: Key,
        element: Element,
    ) -> Result<(), WriteError> {
        let (names, anchor) = (self.names, self.anchors[key as usize]);
        let value = Value::Int(element as i64);
        match self.layout {
            Layout::Property => {
                let mut list = {
                    let epoch = core.enter();
                    let vertex = txn.view(&epoch).vertex(anchor);
                    elements(vertex.expect("anchors stay").property(names.list))
                };
                list.push(element);
                txn.set_vertex_property(anchor, names.list, &list_value(&list))
            }
            Layout::EdgeProperty => {
                let (edge, mut list) = {
                    let epoch = core.enter();
                    let view = txn.view(&epoch);
                    let held = view.edges(anchor, Direction::Out, &[names.holds]).next();
                    let edge = held.expect("these edges stay").edge;
                    (
                        edge,
                        elements(
                            view.edge_at(edge)
                                .and_then(|edge| edge.property(names.list)),
                        ),
                    )
                };
                list.push(element);
                txn.set_edge_property(edge, names.list, &list_value(&list))
            }
            Layout::Chain => {
                let tail = {
                    let epoch = core.enter();
                    let tail = txn
                        .view(&epoch)
                        .edges(anchor, Direction::Out, &[names.tail])
                        .next();
                    tail.ok_or(WriteError::VertexDeleted(anchor))?.edge
                };
                // Whoever else appends deletes the same edge.
                txn.delete_edge(tail)?;
                let new = txn.create_vertex(&[], &[(names.element, value)])?;
                txn.create_edge(tail.target, new, names.next, &[])?;
                txn.create_edge(anchor, new, names.tail, &[]).map(drop)
            }
            Layout::Indexed | Layout::Edges => {
                let place = {
                    let epoch = core.enter();
                    let vertex = txn.view(&epoch).vertex(anchor);
                    int(vertex.expect("anchors stay").property(names.place)) + 1
                };
                // Whoever else appends counts here too.
                txn.set_vertex_property(anchor, names.place, &place.into())?;
                let properties = [(names.element, value), (names.place, place.into())];
                if self.layout == Layout::Edges {
                    return txn
                        .create_edge(anchor, self.hub, names.holds, &properties)
                        .map(drop);
                }
                let list = (names.list, Value::Int(i64::from(key)));
                let properties = [&properties[..], &[list]].concat();
                txn.create_vertex(&[names.element_label], &properties)
                    .map(drop)
            }
        }
    }

    /// Reads in a statement of its own: the list, and whether all ways to it agree.
    pub fn read(&self, core: &Core, txn: &mut Txn, key: Key) -> (Vec<Element>, bool) {
        let statement = txn.begin_statement(true);
        let epoch = core.enter();
        let view = txn.view_of_statement(&epoch, &statement);
        let (names, anchor) = (self.names, self.anchors[key as usize]);
        let holds = [names.holds];
        match self.layout {
            Layout::Property => {
                let vertex = view.vertex(anchor).expect("anchors stay");
                (elements(vertex.property(names.list)), true)
            }
            Layout::EdgeProperty => {
                let list =
                    |edge: Edge| elements(view.edge_at(edge).and_then(|e| e.property(names.list)));
                let mut out = view.edges(anchor, Direction::Out, &holds);
                let out = out.next().map(|found| list(found.edge));
                let mut back = view.edges_between(self.hub, anchor, Direction::In, &holds);
                let back = back.next().map(|found| list(found.edge));
                let agree = out == back;
                (out.unwrap_or_default(), agree)
            }
            Layout::Chain => {
                let forth = self.walk(&view, anchor, names.head, Direction::Out);
                let mut back = self.walk(&view, anchor, names.tail, Direction::In);
                back.reverse();
                let agree = forth == back;
                (forth, agree)
            }
            Layout::Indexed => {
                let index = view.index(names.element_label, &[names.list]);
                let key = Value::Int(i64::from(key));
                let found = index
                    .expect("it is online")
                    .seek(std::slice::from_ref(&key))
                    .collect();
                let seek = self.in_order(&view, found);
                let mut all = Vec::new();
                for page in view.pages(Some(names.element_label)) {
                    view.scan_page(page, Some(names.element_label), &mut all);
                }
                all.retain(|&id| {
                    view.vertex(id)
                        .and_then(|v| v.property(names.list))
                        .is_some_and(|v| v.is(&key))
                });
                let agree = self.in_order(&view, all) == seek;
                (seek, agree)
            }
            Layout::Edges => {
                let read = |edges: &mut dyn Iterator<Item = Incidence>| {
                    let mut found: Vec<(i64, Element)> = edges
                        .filter_map(|found| view.edge_at(found.edge))
                        .filter_map(|edge| {
                            placed(edge.property(names.place), edge.property(names.element))
                        })
                        .collect();
                    found.sort_unstable();
                    found
                        .into_iter()
                        .map(|(_, element)| element)
                        .collect::<Vec<_>>()
                };
                let out = read(&mut view.edges(anchor, Direction::Out, &holds));
                let back = read(&mut view.edges_between(self.hub, anchor, Direction::In, &holds));
                let agree = out == back;
                (out, agree)
            }
        }
    }

    fn in_order(&self, view: &View<'_>, ids: Vec<VertexId>) -> Vec<Element> {
        let mut found: Vec<(i64, Element)> = ids
            .into_iter()
            .filter_map(|id| view.vertex(id))
            .filter_map(|vertex| {
                placed(
                    vertex.property(self.names.place),
                    vertex.property(self.names.element),
                )
            })
            .collect();
        found.sort_unstable();
        found.into_iter().map(|(_, element)| element).collect()
    }

    /// Elements from the chain's first vertex on (or its last, backwards), which the edge of type `from` names.
    fn walk(
        &self,
        view: &View<'_>,
        anchor: VertexId,
        from: TypeId,
        direction: Direction,
    ) -> Vec<Element> {
        let mut found = Vec::new();
        let mut at = view
            .edges(anchor, Direction::Out, &[from])
            .next()
            .map(|edge| edge.neighbour);
        // A torn chain may lead round.
        while let Some(vertex) = at.filter(|_| found.len() < 100_000) {
            match view
                .vertex(vertex)
                .and_then(|v| v.property(self.names.element))
            {
                Some(ValueRef::Int(element)) => found.push(element as Element),
                _ if direction == Direction::In => break,
                _ => {}
            }
            at = view
                .edges(vertex, direction, &[self.names.next])
                .next()
                .map(|edge| edge.neighbour);
        }
        found
    }
}
