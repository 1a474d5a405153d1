//! Edges by the labels of their ends: exact as long as nothing races, and again after an analysis.
#![cfg(not(loom))]

use quoit_graph::door::NullJournal;
use quoit_graph::ids::{LabelId, TypeId, VertexId};
use quoit_graph::{
    Access, Analysis, Core, Direction, End, Graph, GraphConfig, Isolation, NewEdge, Txn, View,
};
use std::collections::BTreeMap;
use std::sync::Arc;

struct Scene {
    graph: Arc<Graph>,
    core: Core,
    labels: Vec<LabelId>,
    types: Vec<TypeId>,
}

type Counts = BTreeMap<(LabelId, TypeId, End), u64>;

fn scene() -> Scene {
    let graph = Graph::new(GraphConfig {
        shards: 2,
        cores: 2,
        journal: Arc::new(NullJournal::default()),
    });
    let names = graph.names();
    let labels = ["A", "B", "C"].map(|name| names.intern_label(name).unwrap());
    let types = ["T", "U"].map(|name| names.intern_type(name).unwrap());
    Scene {
        core: graph.core(0),
        labels: labels.to_vec(),
        types: types.to_vec(),
        graph,
    }
}

impl Scene {
    fn begin(&self) -> Txn {
        self.core.begin(Access::Write, Isolation::Snapshot)
    }

    fn view<R>(&self, look: impl FnOnce(&View<'_>) -> R) -> R {
        let txn = self.core.begin(Access::Read, Isolation::Snapshot);
        look(&txn.view(&self.core.enter()))
    }

    fn known(&self) -> Counts {
        let ends = self.graph.edge_ends();
        let counts = ends
            .iter()
            .map(|(label, type_, end, n)| ((label, type_, end), n));
        counts.collect()
    }

    /// By looking at every edge.
    fn counted(&self) -> Counts {
        let mut counts = Counts::new();
        self.view(|view| {
            let mut all = Vec::new();
            for page in view.pages(None) {
                view.scan_page(page, None, &mut all);
            }
            for incidence in all
                .iter()
                .flat_map(|&id| view.edges(id, Direction::Out, &[]))
            {
                let edge = incidence.edge;
                for (id, end) in [(edge.source(), End::Source), (edge.target, End::Target)] {
                    for &label in view.vertex(id).unwrap().labels() {
                        *counts.entry((label, edge.type_, end)).or_default() += 1;
                    }
                }
            }
        });
        counts
    }
}

/// xorshift
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % n as u64) as usize
    }
}

#[test]
fn edges_are_counted_by_the_labels_of_their_ends_through_every_kind_of_change() {
    for seed in 1..=4u64 {
        let s = scene();
        // What is rolled back is not undone at once: nothing of it counts.
        if seed.is_multiple_of(2) {
            s.graph.set_slices(1, 1);
        }
        let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let mut vertices: Vec<VertexId> = Vec::new();
        for round in 0..250 {
            let mut txn = s.begin();
            let mut own = vertices.clone();
            for _ in 0..1 + random.below(12) {
                let label = s.labels[random.below(3)];
                let type_ = s.types[random.below(2)];
                if own.len() < 4 {
                    own.push(txn.create_vertex(&[label], &[]).unwrap());
                    continue;
                }
                let (a, b) = (own[random.below(own.len())], own[random.below(own.len())]);
                match random.below(12) {
                    0 => own.push(
                        txn.create_vertex(&s.labels[..random.below(4)], &[])
                            .unwrap(),
                    ),
                    1..=3 => {
                        txn.create_edge(a, b, type_, &[]).unwrap();
                    }
                    4 => {
                        let edge = |source, target| NewEdge {
                            source,
                            target,
                            type_,
                            properties: &[],
                        };
                        let many: Vec<_> = (0..40).map(|_| edge(a, b)).collect();
                        txn.create_edges(&many).unwrap();
                    }
                    5 | 6 => {
                        txn.add_label(a, label).unwrap();
                    }
                    7 | 8 => {
                        txn.remove_label(a, label).unwrap();
                    }
                    9 | 10 => {
                        txn.next_clause();
                        let edge = {
                            let epoch = s.core.enter();
                            let view = txn.view(&epoch);
                            view.edges(a, Direction::Both, &[]).next()
                        };
                        if let Some(incidence) = edge {
                            txn.delete_edge(incidence.edge).unwrap();
                        }
                    }
                    _ => {
                        txn.detach_delete_vertex(a).unwrap();
                        own.retain(|id| *id != a);
                    }
                }
            }
            if random.below(4) == 0 {
                txn.rollback();
            } else {
                txn.commit().unwrap();
                vertices = own;
            }
            s.core.maintain(random.below(20));
            assert_eq!(s.known(), s.counted(), "seed {seed}, round {round}");
        }
        assert!(s.known().len() > 6, "all of it is empty");
    }
}

#[test]
fn the_edges_of_a_hub_follow_its_new_label() {
    let s = scene();
    let (label, type_) = (s.labels[0], s.types[0]);
    let mut txn = s.begin();
    let hub = txn.create_vertex(&[], &[]).unwrap();
    for _ in 0..5_000 {
        let other = txn.create_vertex(&[], &[]).unwrap();
        txn.create_edge(hub, other, type_, &[]).unwrap();
    }
    txn.commit().unwrap();
    let mut txn = s.begin();
    txn.add_label(hub, label).unwrap();
    txn.commit().unwrap();
    let ends = s.graph.edge_ends();
    assert_eq!(ends.edges(label, type_, End::Source), 5_000);
    assert_eq!(ends.edges(label, type_, End::Target), 0);
    assert_eq!(ends.edges_of_any_type(label, End::Source), 5_000);
}

#[test]
fn an_analysis_of_the_graph_mends_what_a_race_has_left_behind() {
    let s = scene();
    let (label, type_) = (s.labels[0], s.types[0]);
    let mut txn = s.begin();
    let a = txn.create_vertex(&[label], &[]).unwrap();
    let b = txn.create_vertex(&[label], &[]).unwrap();
    txn.commit().unwrap();
    // The edge is made at a vertex with the label; who takes the label off sees the edge, which is undone then.
    let (mut makes, mut relabels) = (s.begin(), s.begin());
    makes.create_edge(a, b, type_, &[]).unwrap();
    relabels.remove_label(a, label).unwrap();
    relabels.add_label(a, s.labels[1]).unwrap();
    makes.rollback();
    relabels.commit().unwrap();
    let mut txn = s.begin();
    txn.create_edge(a, b, type_, &[]).unwrap();
    txn.commit().unwrap();
    assert_ne!(s.known(), s.counted(), "nothing raced");
    let mut analysis = Analysis::new(&s.graph, None);
    while s.view(|view| analysis.step(view, 1)) {}
    assert_eq!(s.known(), s.counted());
    // What comes after is added to what was counted.
    let mut txn = s.begin();
    txn.create_edge(b, a, type_, &[]).unwrap();
    txn.commit().unwrap();
    assert_eq!(s.known(), s.counted());
}

#[test]
fn a_core_that_is_taken_again_counts_on() {
    let Scene {
        graph,
        core,
        labels,
        types,
    } = scene();
    let make = |core: &Core| {
        let mut txn = core.begin(Access::Write, Isolation::Snapshot);
        let a = txn.create_vertex(&labels[..1], &[]).unwrap();
        txn.create_edge(a, a, types[0], &[]).unwrap();
        txn.commit().unwrap();
    };
    make(&core);
    drop(core);
    make(&graph.core(0));
    make(&graph.core(1));
    assert_eq!(graph.edge_ends().edges(labels[0], types[0], End::Source), 3);
}
