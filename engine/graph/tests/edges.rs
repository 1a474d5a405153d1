//! Edges through transactions: hubs, batches, old snapshots and lists that are laid out anew while they are read, against a plain model.
#![cfg(not(loom))]

use quoit_graph::door::NullJournal;
use quoit_graph::ids::{TypeId, VertexId};
use quoit_graph::value::Edge;
use quoit_graph::{
    Access, Core, Direction, Graph, GraphConfig, Isolation, NewEdge, Txn, View, WriteError,
};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }
}

fn graph(shards: u16, cores: u16) -> Arc<Graph> {
    Graph::new(GraphConfig {
        shards,
        cores,
        journal: Arc::new(NullJournal::default()),
    })
}

fn begin(core: &Core) -> Txn {
    core.begin(Access::Write, Isolation::Snapshot)
}

fn make_vertices(core: &Core, count: usize) -> Vec<VertexId> {
    let mut txn = begin(core);
    let made = (0..count).map(|_| txn.create_vertex(&[], &[]).unwrap());
    let made = made.collect();
    txn.commit().unwrap();
    made
}

/// By source, type, target and ordinal, so that edges of one vertex stand together.
type Model = BTreeSet<(VertexId, TypeId, VertexId, u64)>;

fn place(edge: Edge) -> (VertexId, TypeId, VertexId, u64) {
    (edge.source(), edge.type_, edge.target, edge.id.0)
}

/// Everything a view can say about edges, from both ends.
fn check(view: View<'_>, vertices: &[VertexId], model: &Model) {
    let (mut from, mut to) = (Model::new(), Model::new());
    for &vertex in vertices {
        let (before_from, before_to) = (from.len(), to.len());
        from.extend(
            view.edges(vertex, Direction::Out, &[])
                .map(|i| place(i.edge)),
        );
        to.extend(
            view.edges(vertex, Direction::In, &[])
                .map(|i| place(i.edge)),
        );
        let (outs, ins) = (from.len() - before_from, to.len() - before_to);
        assert_eq!(view.degree(vertex, Direction::Out, &[]), outs as u64);
        assert_eq!(view.degree(vertex, Direction::In, &[]), ins as u64);
        for direction in [Direction::Out, Direction::In, Direction::Both] {
            let mut others: Vec<VertexId> = Vec::new();
            view.neighbours(vertex, direction, &[], |other| others.push(other));
            let listed: Vec<VertexId> = view
                .edges(vertex, direction, &[])
                .map(|i| i.neighbour)
                .collect();
            assert_eq!(others, listed);
        }
    }
    assert_eq!(&from, model, "edges as their sources have them");
    assert_eq!(&to, model, "edges as their targets have them");
    let mut expanded = Vec::new();
    view.expand(vertices, Direction::Out, &[], |at, other| {
        expanded.push((vertices[at], other));
    });
    expanded.sort_unstable();
    let mut pairs: Vec<_> = model.iter().map(|&(from, _, to, _)| (from, to)).collect();
    pairs.sort_unstable();
    assert_eq!(expanded, pairs);
}

struct Reader {
    txn: Txn,
    core: usize,
    model: Model,
}

/// Random transactions on two cores; readers at old snapshots are compared again and again.
fn random_transactions(seed: u64, steps: usize, hubs: usize) {
    let random = &mut Random(seed);
    let graph = graph(2, 2);
    let cores = [graph.core(0), graph.core(1)];
    let mut vertices = make_vertices(&cores[0], 40);
    vertices.extend(make_vertices(&cores[1], 40));
    let types: Vec<TypeId> = {
        let mut txn = begin(&cores[0]);
        ["A", "B", "C"]
            .map(|name| txn.edge_type(name).unwrap())
            .into()
    };
    let mut model = Model::new();
    let mut all: Vec<Edge> = Vec::new();
    let mut readers: Vec<Reader> = Vec::new();
    for step in 0..steps {
        let at = random.below(2);
        let core = &cores[at];
        match random.below(10) {
            0..6 => {
                let mut txn = begin(core);
                let mut next = model.clone();
                let mut next_all = all.clone();
                let count = 1 + random.below(if step % 3 == 0 { 300 } else { 5 });
                let new: Vec<NewEdge<'_>> = (0..count)
                    .map(|_| {
                        let hub = random.below(3) > 0;
                        let limit = if hub { hubs } else { vertices.len() };
                        NewEdge {
                            source: vertices[random.below(limit)],
                            target: vertices[random.below(vertices.len())],
                            type_: types[random.below(random.0 as usize % 3 + 1)],
                            properties: &[],
                        }
                    })
                    .collect();
                for edge in txn.create_edges(&new).unwrap() {
                    next.insert(place(edge));
                    next_all.push(edge);
                }
                let goes = random.below(if (step / 60).is_multiple_of(2) {
                    40
                } else {
                    400
                });
                for _ in 0..goes.min(next_all.len()) {
                    let edge = next_all.swap_remove(random.below(next_all.len()));
                    assert!(txn.delete_edge(edge).unwrap());
                    next.remove(&place(edge));
                }
                if random.below(5) > 0 {
                    txn.commit().unwrap();
                    (model, all) = (next, next_all);
                }
            }
            6 if readers.len() < 4 => readers.push(Reader {
                txn: core.begin(Access::Read, Isolation::Snapshot),
                core: at,
                model: model.clone(),
            }),
            7 if !readers.is_empty() => {
                let reader = readers.swap_remove(random.below(readers.len()));
                let epoch = cores[reader.core].enter();
                check(reader.txn.view(&epoch), &vertices, &reader.model);
            }
            8 => while cores[at].maintain(1_000) {},
            _ => {
                core.maintain(random.below(64));
            }
        }
        if step % 16 == 0 {
            let txn = core.begin(Access::Read, Isolation::Snapshot);
            let epoch = core.enter();
            check(txn.view(&epoch), &vertices, &model);
        }
    }
    for reader in readers {
        let epoch = cores[reader.core].enter();
        check(reader.txn.view(&epoch), &vertices, &reader.model);
    }
    // All edges go, some with their vertices: what they took up comes back.
    let mut txn = begin(&cores[0]);
    for (at, &vertex) in vertices.iter().enumerate() {
        if at % 2 == 0 {
            txn.detach_delete_vertex(vertex).unwrap();
        }
    }
    let gone = |vertex: VertexId| vertices.iter().position(|&v| v == vertex).unwrap() % 2 == 0;
    for &edge in &all {
        if !gone(edge.source()) && !gone(edge.target) {
            assert!(txn.delete_edge(edge).unwrap());
        }
    }
    txn.commit().unwrap();
    for _ in 0..3 {
        for core in &cores {
            while core.maintain(1_000) {}
        }
    }
    let left = graph.memory().of(quoit_graph::MemoryOwner::Adjacency);
    assert_eq!(left, 0, "{left} bytes of edges stay behind");
}

#[test]
fn every_snapshot_keeps_its_edges_while_lists_are_merged_split_and_laid_out() {
    for seed in 1..=6 {
        random_transactions(seed * 48_271, 250, 3);
    }
}

#[test]
fn a_batch_of_edges_is_made_whole_or_not_at_all() {
    let graph = graph(1, 1);
    let core = graph.core(0);
    let vertices = make_vertices(&core, 3);
    let mut txn = begin(&core);
    let type_ = txn.edge_type("T").unwrap();
    let edge = |source, target| NewEdge {
        source,
        target,
        type_,
        properties: &[],
    };
    let nowhere = VertexId(999);
    let batch = [edge(vertices[0], vertices[1]), edge(vertices[1], nowhere)];
    assert_eq!(
        txn.create_edges(&batch),
        Err(WriteError::VertexDeleted(nowhere))
    );
    assert_eq!(txn.stats().edges_created, 0);
    let loops = [edge(vertices[2], vertices[2]); 3];
    let made = txn.create_edges(&loops).unwrap();
    assert_eq!(txn.create_edges(&[]), Ok(Vec::new()));
    txn.commit().unwrap();
    let model: Model = made.iter().copied().map(place).collect();
    assert_eq!(model.len(), 3, "parallel edges have ids of their own");
    let txn = core.begin(Access::Read, Isolation::Snapshot);
    let epoch = core.enter();
    let view = txn.view(&epoch);
    check(view, &vertices, &model);
    assert_eq!(view.degree(vertices[2], Direction::Both, &[]), 3);
    assert_eq!(graph.edge_count(), 3);
}

#[test]
fn a_reader_on_another_core_loses_nothing_while_pages_are_laid_out() {
    let graph = graph(1, 2);
    let core = graph.core(0);
    let vertices = make_vertices(&core, 600);
    let random = &mut Random(5);
    let mut txn = begin(&core);
    let (kept, churned) = (
        txn.edge_type("KEPT").unwrap(),
        txn.edge_type("CHURNED").unwrap(),
    );
    let new: Vec<NewEdge<'_>> = (0..6_000)
        .map(|_| NewEdge {
            source: vertices[random.below(vertices.len())],
            target: vertices[random.below(vertices.len())],
            type_: kept,
            properties: &[],
        })
        .collect();
    txn.create_edges(&new).unwrap();
    txn.commit().unwrap();
    while core.maintain(1_000) {}
    let mut expected = vec![0_u64; vertices.len()];
    for edge in &new {
        expected[vertices.iter().position(|&v| v == edge.source).unwrap()] += edge.target.0 + 1;
    }
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let (graph, vertices, expected, stop) = (graph.clone(), &vertices, &expected, &stop);
        let reader = scope.spawn(move || {
            let core = graph.core(1);
            let mut rounds = 0;
            while !stop.load(Ordering::Relaxed) || rounds == 0 {
                let txn = core.begin(Access::Read, Isolation::Snapshot);
                let epoch = core.enter();
                let mut found = vec![0_u64; vertices.len()];
                txn.view(&epoch)
                    .expand(vertices, Direction::Out, &[kept], |at, target| {
                        found[at] += target.0 + 1;
                    });
                assert_eq!(&found, expected);
                drop(epoch);
                core.maintain(10);
                rounds += 1;
            }
            rounds
        });
        for _ in 0..150 {
            let mut txn = begin(&core);
            let new: Vec<NewEdge<'_>> = (0..400)
                .map(|_| NewEdge {
                    source: vertices[random.below(vertices.len())],
                    target: vertices[random.below(vertices.len())],
                    type_: churned,
                    properties: &[],
                })
                .collect();
            let made = txn.create_edges(&new).unwrap();
            txn.commit().unwrap();
            // Twice in a row, so that the core finds itself idle and lays out what was merged.
            core.maintain(400);
            core.maintain(400);
            let mut txn = begin(&core);
            for edge in made {
                txn.delete_edge(edge).unwrap();
            }
            txn.commit().unwrap();
            while core.maintain(1_000) {}
        }
        stop.store(true, Ordering::Relaxed);
        assert!(reader.join().unwrap() > 0);
    });
}

#[test]
fn vertices_of_pages_that_are_not_there_have_no_edges() {
    let graph = graph(2, 1);
    let core = graph.core(0);
    let made = make_vertices(&core, 1);
    let mut txn = begin(&core);
    let type_ = txn.edge_type("A").unwrap();
    txn.create_edge(made[0], made[0], type_, &[]).unwrap();
    let epoch = core.enter();
    let view = txn.view(&epoch);
    // Side by side and far apart, of a page never made and beyond the last.
    for (first, step) in [(1 << 30, 1), (1 << 30, 5_000), (VertexId::MAX.0 - 10, 1)] {
        let ids: Vec<VertexId> = (0..200).map(|n| VertexId(first + n * step)).collect();
        for direction in [Direction::Out, Direction::In, Direction::Both] {
            view.expand(&ids, direction, &[], |at, other| panic!("{at}: {other}"));
        }
    }
}
