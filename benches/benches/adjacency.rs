//! The hot paths of edges: a batch of them made, the neighbours of one vertex and of a frontier, whether two vertices are joined.
//!
//! On a Pokec-shaped graph of 10,000 vertices, at rest; visibility is checked.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use quoit_benches::pokec::{Pokec, Size};
use quoit_benches::storage::Numbers;
use quoit_graph::door::NullJournal;
use quoit_graph::ids::{TypeId, VertexId};
use quoit_graph::{Access, Core, Direction, Graph, GraphConfig, Isolation, NewEdge};
use std::hint::black_box;
use std::sync::Arc;

const BATCH: usize = 500;

struct Loaded {
    core: Core,
    type_: TypeId,
    vertices: Vec<VertexId>,
}

fn loaded(pokec: &Pokec) -> Loaded {
    let graph = Graph::new(GraphConfig {
        shards: 1,
        cores: 1,
        journal: Arc::new(NullJournal::default()),
    });
    let core = graph.core(0);
    let mut txn = core.begin(Access::Write, Isolation::Snapshot);
    let type_ = txn.edge_type("FRIEND").expect("a type");
    let made = (0..pokec.vertices).map(|_| txn.create_vertex(&[], &[]).expect("a vertex"));
    let vertices: Vec<VertexId> = made.collect();
    txn.commit().expect("a commit");
    for batch in pokec.edges.chunks(BATCH) {
        let new: Vec<NewEdge<'_>> = batch
            .iter()
            .map(|&(source, target)| NewEdge {
                source: vertices[source as usize],
                target: vertices[target as usize],
                type_,
                properties: &[],
            })
            .collect();
        let mut txn = core.begin(Access::Write, Isolation::Snapshot);
        txn.create_edges(&new).expect("edges");
        txn.commit().expect("a commit");
    }
    while core.maintain(10_000) {}
    Loaded {
        core,
        type_,
        vertices,
    }
}

fn adjacency(c: &mut Criterion) {
    let pokec = Pokec::new(Size::Small, 7);
    let graph = loaded(&pokec);
    let (core, vertices) = (&graph.core, &graph.vertices);
    let mut numbers = Numbers::new(7);

    let mut group = c.benchmark_group("edges");
    group.throughput(Throughput::Elements(BATCH as u64));
    group.bench_function("a batch made, undone by rollback", |b| {
        b.iter(|| {
            let new: Vec<NewEdge<'_>> = (0..BATCH)
                .map(|_| NewEdge {
                    source: vertices[numbers.below(vertices.len())],
                    target: vertices[numbers.below(vertices.len())],
                    type_: graph.type_,
                    properties: &[],
                })
                .collect();
            let mut txn = core.begin(Access::Write, Isolation::Snapshot);
            black_box(txn.create_edges(&new).expect("edges"));
            txn.rollback();
            core.maintain(4 * BATCH);
        });
    });
    while core.maintain(10_000) {}

    let txn = core.begin(Access::Read, Isolation::Snapshot);
    let epoch = core.enter();
    let view = txn.view(&epoch);
    group.throughput(Throughput::Elements(pokec.edges.len() as u64));
    group.bench_function("all expanded", |b| {
        b.iter(|| {
            let mut sum = 0;
            view.expand(vertices, Direction::Out, &[], |_, target| sum += target.0);
            black_box(sum)
        });
    });
    group.bench_function("all walked one by one, with types and ids", |b| {
        b.iter(|| {
            let mut sum = 0;
            for &vertex in vertices {
                for incidence in view.edges(vertex, Direction::Out, &[graph.type_]) {
                    sum += incidence.edge.id.0;
                }
            }
            black_box(sum)
        });
    });
    group.throughput(Throughput::Elements(1));
    group.bench_function("whether there is one between two vertices", |b| {
        b.iter(|| {
            let &(source, target) = &pokec.edges[numbers.below(pokec.edges.len())];
            let ends = [source, target].map(|vertex| vertices[vertex as usize]);
            let types = [graph.type_];
            let found = view.edges_between(ends[0], ends[1], Direction::Out, &types);
            assert_eq!(black_box(found.count()), 1);
        });
    });
    group.finish();
}

criterion_group!(benches, adjacency);
criterion_main!(benches);
