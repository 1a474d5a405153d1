//! What must hold while several cores work at once: no dangling edge, whole transactions, readers beside writers.
#![cfg(not(loom))]

use quoit_graph::door::NullJournal;
use quoit_graph::ids::{CommitSeq, KeyId, VertexId};
use quoit_graph::value::{Value, ValueRef};
use quoit_graph::{
    Access, Core, Direction, Graph, GraphConfig, IndexDefinition, Isolation, Txn, View, WriteError,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

fn graph(cores: u16) -> Arc<Graph> {
    Graph::new(GraphConfig {
        shards: cores,
        cores,
        journal: Arc::new(NullJournal::default()),
    })
}

fn write(core: &Core) -> Txn {
    core.begin(Access::Write, Isolation::Snapshot)
}

fn rounds(n: usize) -> usize {
    if cfg!(miri) { 5 } else { n }
}

struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % n as u64) as usize
    }
}

/// Every edge that any vertex shows has both its ends, and stands in the lists of both.
fn assert_nothing_dangles(view: &View<'_>) -> (usize, usize) {
    let mut all = Vec::new();
    for page in view.pages(None) {
        view.scan_page(page, None, &mut all);
    }
    let (mut outgoing, mut incoming) = (0, 0);
    for &vertex in &all {
        for incidence in view.edges(vertex, Direction::Out, &[]) {
            assert!(
                view.vertex(incidence.neighbour).is_some(),
                "{:?} dangles at its target",
                incidence.edge
            );
            outgoing += 1;
        }
        for incidence in view.edges(vertex, Direction::In, &[]) {
            assert!(
                view.vertex(incidence.neighbour).is_some(),
                "{:?} dangles at its source",
                incidence.edge
            );
            incoming += 1;
        }
    }
    assert_eq!(outgoing, incoming, "an edge stands on one side only");
    (all.len(), outgoing)
}

#[test]
fn no_edge_dangles_when_vertices_are_deleted_while_edges_are_made_at_them() {
    let graph = graph(3);
    // Edges of a deleted vertex go one by one, and marks are rewritten late.
    graph.set_slices(1, 1);
    let shared: Arc<Vec<AtomicU64>> = Arc::new((0..24).map(|_| AtomicU64::new(u64::MAX)).collect());
    let conflicts = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for n in 0..3u16 {
            let (graph, shared, conflicts) = (&graph, &shared, &conflicts);
            scope.spawn(move || {
                let core = graph.core(n);
                let mut random = Random(0x1234_5678 + u64::from(n));
                let pick = |random: &mut Random| {
                    VertexId(shared[random.below(24)].load(Ordering::Relaxed))
                };
                for round in 0..rounds(12_000) {
                    let mut txn = write(&core);
                    let type_ = txn.edge_type("T").unwrap();
                    let result = (|| {
                        match random.below(10) {
                            0..=1 => {
                                let id = txn.create_vertex(&[], &[])?;
                                shared[random.below(24)].store(id.0, Ordering::Relaxed);
                            }
                            2 => drop(txn.detach_delete_vertex(pick(&mut random))?),
                            3 => drop(txn.delete_vertex(pick(&mut random))?),
                            _ => drop(txn.create_edge(
                                pick(&mut random),
                                pick(&mut random),
                                type_,
                                &[],
                            )?),
                        }
                        Ok::<(), WriteError>(())
                    })();
                    match result {
                        // One in eight is undone at its end, so that others meet its marks.
                        Ok(()) if random.below(8) > 0 => drop(txn.commit().unwrap()),
                        Ok(()) => txn.rollback(),
                        Err(WriteError::Conflict { .. }) => {
                            conflicts.fetch_add(1, Ordering::Relaxed);
                        }
                        Err(_) => {}
                    }
                    if round % 64 == 0 {
                        let reader = core.begin(Access::Read, Isolation::Snapshot);
                        assert_nothing_dangles(&reader.view(&core.enter()));
                        drop(reader);
                        while core.maintain(1_000) {}
                    }
                }
            });
        }
    });
    let core = graph.core(0);
    let reader = core.begin(Access::Read, Isolation::Snapshot);
    let (vertices, edges) = assert_nothing_dangles(&reader.view(&core.enter()));
    assert_eq!(
        (graph.vertex_count() as usize, graph.edge_count() as usize),
        (vertices, edges)
    );
}

#[test]
fn a_transaction_on_two_shards_is_seen_whole_or_not_at_all() {
    let graph = graph(2);
    let (first, second) = (graph.core(0), graph.core(1));
    let mut txn = write(&first);
    let key = txn.key("n").unwrap();
    let a = txn.create_vertex(&[], &[(key, 0.into())]).unwrap();
    txn.commit().unwrap();
    let mut txn = write(&second);
    let b = txn.create_vertex(&[], &[(key, 0.into())]).unwrap();
    txn.commit().unwrap();
    assert_ne!(graph.shard_of(a), graph.shard_of(b));
    drop((first, second));
    let stop = AtomicBool::new(false);
    let number = |view: &View<'_>, id| match view.vertex(id).and_then(|vertex| vertex.property(key))
    {
        Some(ValueRef::Int(n)) => n,
        other => panic!("{other:?}"),
    };
    std::thread::scope(|scope| {
        let (graph, stop) = (&graph, &stop);
        scope.spawn(move || {
            let core = graph.core(0);
            for n in 1..=rounds(30_000) as i64 {
                let mut txn = write(&core);
                txn.set_vertex_property(a, key, &Value::Int(n)).unwrap();
                txn.set_vertex_property(b, key, &Value::Int(n)).unwrap();
                txn.commit().unwrap();
                core.maintain(4);
            }
            stop.store(true, Ordering::Relaxed);
        });
        scope.spawn(move || {
            let core = graph.core(1);
            let (mut last, mut reads) = (0, 0);
            while !stop.load(Ordering::Relaxed) || reads == 0 {
                let txn = core.begin(Access::Read, Isolation::Snapshot);
                let epoch = core.enter();
                let view = txn.view(&epoch);
                let seen = number(&view, b);
                assert_eq!(number(&view, a), seen, "half a transaction is seen");
                assert!(seen >= last, "a later snapshot shows less");
                assert_eq!(number(&view, b), seen, "a snapshot changes");
                (last, reads) = (seen, reads + 1);
                core.maintain(4);
            }
        });
    });
}

#[test]
fn counters_incremented_from_all_cores_lose_nothing() {
    let graph = graph(3);
    let core = graph.core(0);
    let mut txn = write(&core);
    let key = txn.key("n").unwrap();
    let id = txn.create_vertex(&[], &[(key, 0.into())]).unwrap();
    txn.commit().unwrap();
    drop(core);
    let each = rounds(3_000) as i64;
    let increment = |core: &Core, key: KeyId| {
        let mut txn = core.begin_auto_commit_write(Isolation::Snapshot);
        let n = match txn
            .view(&core.enter())
            .vertex(id)
            .and_then(|v| v.property(key))
        {
            Some(ValueRef::Int(n)) => n,
            other => panic!("{other:?}"),
        };
        if txn
            .set_vertex_property(id, key, &Value::Int(n + 1))
            .is_err()
        {
            return false;
        }
        txn.commit().unwrap().seq > CommitSeq(0)
    };
    std::thread::scope(|scope| {
        for n in 0..3 {
            let (graph, increment) = (&graph, &increment);
            scope.spawn(move || {
                let core = graph.core(n);
                for _ in 0..each {
                    while !increment(&core, key) {
                        core.maintain(8);
                    }
                }
            });
        }
    });
    let core = graph.core(0);
    let txn = core.begin(Access::Read, Isolation::Snapshot);
    let total = txn
        .view(&core.enter())
        .vertex(id)
        .unwrap()
        .property(key)
        .unwrap()
        .to_value();
    assert_eq!(total, Value::Int(3 * each));
}

#[test]
fn readers_walk_lists_pages_and_indexes_while_a_writer_changes_them() {
    let graph = graph(2);
    let writer = graph.core(0);
    let mut txn = write(&writer);
    let (label, type_, key) = (
        txn.label("L").unwrap(),
        txn.edge_type("T").unwrap(),
        txn.key("k").unwrap(),
    );
    txn.create_index(IndexDefinition::on_label(label, &[key]), None)
        .unwrap();
    txn.commit().unwrap();
    let mut txn = write(&writer);
    // A cycle of tens and a hub: each transaction below keeps the sum of `k` and the number of edges at the hub.
    let hub = txn.create_vertex(&[], &[]).unwrap();
    let spokes: Vec<VertexId> = (0..10i64)
        .map(|k| txn.create_vertex(&[label], &[(key, k.into())]).unwrap())
        .collect();
    let mut edges: Vec<_> = spokes
        .iter()
        .map(|&spoke| {
            txn.create_edge(hub, spoke, type_, &[(key, 7.into())])
                .unwrap()
        })
        .collect();
    txn.commit().unwrap();
    drop(writer);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let (graph, stop, spokes) = (&graph, &stop, &spokes);
        scope.spawn(move || {
            let core = graph.core(0);
            let mut random = Random(99);
            for _ in 0..rounds(8_000) {
                let mut txn = write(&core);
                let (a, b) = (random.below(10), random.below(10));
                let value = |txn: &Txn, at: usize| {
                    let epoch = core.enter();
                    txn.view(&epoch)
                        .vertex(spokes[at])
                        .unwrap()
                        .property(key)
                        .unwrap()
                        .to_value()
                };
                let (x, y) = (value(&txn, a), value(&txn, b));
                txn.set_vertex_property(spokes[a], key, &y).unwrap();
                txn.set_vertex_property(spokes[b], key, &if a == b { y } else { x })
                    .unwrap();
                let at = random.below(edges.len());
                txn.delete_edge(edges[at]).unwrap();
                edges[at] = txn
                    .create_edge(hub, spokes[b], type_, &[(key, 7.into())])
                    .unwrap();
                if random.below(4) == 0 {
                    let mut extra = Vec::new();
                    for _ in 0..30 {
                        extra.push(txn.create_edge(hub, spokes[a], type_, &[]).unwrap());
                    }
                    for edge in extra {
                        txn.delete_edge(edge).unwrap();
                    }
                }
                txn.commit().unwrap();
                core.maintain(64);
            }
            stop.store(true, Ordering::Relaxed);
        });
        scope.spawn(move || {
            let core = graph.core(1);
            let mut reads = 0;
            while !stop.load(Ordering::Relaxed) || reads == 0 {
                let txn = core.begin(Access::Read, Isolation::Snapshot);
                let epoch = core.enter();
                let view = txn.view(&epoch);
                assert_eq!(view.edges(hub, Direction::Out, &[type_]).count(), 10);
                for incidence in view.edges(hub, Direction::Out, &[]) {
                    let edge = view.edge_at(incidence.edge).unwrap();
                    assert!(edge.property(key).unwrap().is(&Value::Int(7)));
                }
                let mut found = Vec::new();
                for page in view.pages(Some(label)) {
                    view.scan_page(page, Some(label), &mut found);
                }
                assert_eq!(found.len(), 10);
                let index = view.index(label, &[key]).unwrap();
                let by_index: usize = (0..10i64).map(|k| index.seek(&[k.into()]).count()).sum();
                assert_eq!(by_index, 10, "an index shows another number than the scan");
                reads += 1;
                core.maintain(16);
            }
        });
    });
}

/// Says that the others may stop, also when its thread fails.
struct Stops<'a>(&'a AtomicBool);

impl Drop for Stops<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn nobody_builds_on_what_is_rolled_back_at_that_moment() {
    let graph = graph(2);
    let one = graph.core(0);
    let mut txn = write(&one);
    let [undone, kept] = ["undone", "kept"].map(|name| txn.key(name).unwrap());
    let vertex = txn.create_vertex(&[], &[(kept, 0.into())]).unwrap();
    txn.commit().unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let (graph, done) = (&graph, &done);
        scope.spawn(move || {
            let core = graph.core(1);
            let mut random = Random(77);
            while !done.load(Ordering::Relaxed) {
                let mut txn = write(&core);
                let _ = txn.set_vertex_property(vertex, undone, &true.into());
                for _ in 0..random.below(100) {
                    std::hint::spin_loop();
                }
                txn.rollback();
                core.maintain(8);
            }
        });
        let _stops = Stops(done);
        let mut made = 0;
        for _ in 0..rounds(60_000) {
            let mut txn = write(&one);
            match txn.set_vertex_property(vertex, kept, &(made + 1).into()) {
                Ok(()) => made += 1,
                Err(WriteError::Conflict { .. }) => continue,
                Err(other) => panic!("{other}"),
            }
            txn.commit().unwrap();
            let reader = one.begin(Access::Read, Isolation::Snapshot);
            let epoch = one.enter();
            let view = reader.view(&epoch);
            let properties = view.vertex(vertex).unwrap().properties();
            assert!(
                properties
                    .get(kept)
                    .is_some_and(|kept| kept.is(&Value::Int(made)))
            );
            assert!(properties.get(undone).is_none(), "after {made} commits");
            drop(epoch);
            one.maintain(8);
        }
        assert!(made > 0, "it never had its turn");
    });
}
