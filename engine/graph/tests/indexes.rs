//! Indexes case by case: what they hold, making and dropping them beside readers and writers, statistics.
#![cfg(not(loom))]

use quoit_graph::door::NullJournal;
use quoit_graph::ids::{KeyId, LabelId, TypeId, VertexId};
use quoit_graph::value::Value;
use quoit_graph::{
    Access, Analysis, Core, Cursor, Direction, Entity, Graph, GraphConfig, IndexDefinition,
    Isolation, KeyRange, MemoryOwner, NextKey, Order, SchemaState, Txn, View, WriteError,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

struct Scene {
    graph: Arc<Graph>,
    core: Core,
    label: LabelId,
    type_: TypeId,
    keys: [KeyId; 2],
}

fn graph(cores: u16) -> Arc<Graph> {
    Graph::new(GraphConfig {
        shards: cores,
        cores,
        journal: Arc::new(NullJournal::default()),
    })
}

fn scene() -> Scene {
    let graph = graph(2);
    let names = graph.names();
    Scene {
        label: names.intern_label("Person").unwrap(),
        type_: names.intern_type("KNOWS").unwrap(),
        keys: ["a", "b"].map(|name| names.intern_key(name).unwrap()),
        core: graph.core(0),
        graph,
    }
}

impl Scene {
    fn begin(&self) -> Txn {
        self.core.begin(Access::Write, Isolation::Snapshot)
    }

    fn make(&self, definition: IndexDefinition) {
        let mut txn = self.begin();
        assert!(txn.create_index(definition, None).unwrap().is_some());
        txn.commit().unwrap();
    }

    fn vertex(&self, values: &[Value]) -> VertexId {
        let mut txn = self.begin();
        let properties: Vec<_> = self.keys.into_iter().zip(values.iter().cloned()).collect();
        let id = txn.create_vertex(&[self.label], &properties).unwrap();
        txn.commit().unwrap();
        id
    }

    fn read<R>(&self, work: impl FnOnce(View<'_>) -> R) -> R {
        let txn = self.core.begin(Access::Read, Isolation::Snapshot);
        let epoch = self.core.enter();
        work(txn.view(&epoch))
    }

    fn quiet(&self) {
        while self.core.maintain(1_000) {}
    }
}

#[test]
fn a_later_key_may_be_missing_but_the_first_may_not() {
    let s = scene();
    s.make(IndexDefinition::on_label(s.label, &s.keys));
    let both = s.vertex(&[1.into(), 2.into()]);
    let first = s.vertex(&[1.into()]);
    s.vertex(&[Value::Null, 2.into()]);
    for _ in 0..2 {
        s.read(|view| {
            let index = view.index(s.label, &s.keys).unwrap();
            assert_eq!(index.size(), 2);
            let of = |next| {
                let (mut cursor, mut out) = (Cursor::default(), Vec::new());
                let range = KeyRange {
                    equal: &[Value::Int(1)],
                    next,
                    order: Order::Ascending,
                };
                while !cursor.is_done() {
                    index.scan(&range, &mut cursor, 1, &mut out);
                }
                out
            };
            assert_eq!(of(NextKey::Any), [both, first]);
            assert_eq!(of(NextKey::Present), [both]);
            assert_eq!(index.seek(&[1.into()]).collect::<Vec<_>>(), [both, first]);
            assert_eq!(
                index.seek(&[1.into(), 2.into()]).collect::<Vec<_>>(),
                [both]
            );
            assert_eq!(index.seek(&[Value::Null]).count(), 0);
            assert!(index.first(Order::Descending).unwrap() == 1.into());
        });
        s.quiet();
    }
}

#[test]
fn long_values_come_in_their_order_in_both_directions() {
    let s = scene();
    s.make(IndexDefinition::on_label(s.label, &s.keys[..1]));
    let text = |end: &str| Value::string(format!("{}{end}", "x".repeat(3_000)));
    let ids: Vec<VertexId> = ["d", "b", "", "c", "a"]
        .into_iter()
        .map(|end| s.vertex(&[text(end)]))
        .collect();
    let short = s.vertex(&["x".into()]);
    let expected = [short, ids[2], ids[4], ids[1], ids[3], ids[0]];
    s.read(|view| {
        let index = view.index(s.label, &s.keys[..1]).unwrap();
        for order in [Order::Ascending, Order::Descending] {
            let (mut cursor, mut out) = (Cursor::default(), Vec::new());
            while !cursor.is_done() {
                index.scan(&KeyRange::all(order), &mut cursor, 1, &mut out);
            }
            if order == Order::Descending {
                out.reverse();
            }
            assert_eq!(out, expected);
        }
        assert_eq!(index.seek(&[text("c")]).collect::<Vec<_>>(), [ids[3]]);
    });
}

#[test]
fn an_index_that_is_not_finished_leaves_nothing_when_it_is_rolled_back() {
    let s = scene();
    for k in 0..200 {
        s.vertex(&[k.into()]);
    }
    let held = || {
        // Queues keep some room, and names stay.
        let (all, memory) = (s.graph.live_bytes(), s.graph.memory());
        all - memory.of(MemoryOwner::Housekeeping) - memory.of(MemoryOwner::Names)
    };
    let bytes = held();
    let definition = IndexDefinition::on_label(s.label, &s.keys[..1]);
    let mut txn = s.begin();
    let mut build = txn
        .create_index(definition.clone(), Some("mine"))
        .unwrap()
        .unwrap();
    assert_eq!(build.step(70), Ok(true));
    let info = &s.graph.indexes()[0];
    assert_eq!(
        (info.state, info.name.as_deref()),
        (SchemaState::Populating, Some("mine"))
    );
    assert!(info.count >= 70);
    assert!(s.read(|view| view.index(s.label, &s.keys[..1]).is_none()));
    let mut other = s.core.begin(Access::Write, Isolation::Snapshot);
    assert!(matches!(
        other.create_index(definition.clone(), None),
        Err(WriteError::SchemaInTheMaking)
    ));
    drop(other);
    txn.rollback();
    drop(build);
    s.quiet();
    assert!(s.graph.indexes().is_empty());
    assert!(held() <= bytes, "its memory comes back");

    // Filled step by step, it comes online with the commit.
    let mut txn = s.begin();
    let mut build = txn.create_index(definition.clone(), None).unwrap().unwrap();
    let mut steps = 0;
    while build.step(10).unwrap() {
        steps += 1;
    }
    assert!(steps >= 20);
    txn.commit().unwrap();
    assert_eq!(s.graph.indexes()[0].state, SchemaState::Online);
    assert_eq!(s.graph.indexes()[0].count, 200);
    let distinct = s.graph.indexes()[0].distinct[0];
    assert!((180..=220).contains(&distinct), "{distinct} of 200");
    let version = s.graph.schema_version();
    let mut txn = s.begin();
    assert!(txn.drop_index(&definition).unwrap());
    txn.commit().unwrap();
    assert_ne!(s.graph.schema_version(), version);
}

#[test]
fn a_reader_goes_on_in_an_index_that_is_dropped() {
    let s = scene();
    let definition = IndexDefinition::on_label(s.label, &s.keys[..1]);
    s.make(definition.clone());
    let ids: Vec<VertexId> = (0..300).map(|k| s.vertex(&[k.into()])).collect();
    let other = s.graph.core(1);
    let reader = other.begin(Access::Read, Isolation::Snapshot);
    let epoch = other.enter();
    let view = reader.view(&epoch);
    let index = view.index(s.label, &s.keys[..1]).unwrap();
    let mut txn = s.begin();
    assert!(txn.drop_index(&definition).unwrap());
    txn.commit().unwrap();
    s.quiet();
    assert!(view.index(s.label, &s.keys[..1]).is_none());
    let (mut cursor, mut out) = (Cursor::default(), Vec::new());
    while !cursor.is_done() {
        index.scan(&KeyRange::all(Order::Ascending), &mut cursor, 7, &mut out);
    }
    assert_eq!(out, ids);
}

/// Otherwise the one that commits last logs a drop of what has been made anew since, and memory and log part.
#[test]
fn what_a_transaction_is_going_to_drop_no_other_drops() {
    let s = scene();
    let definition = IndexDefinition::on_label(s.label, &s.keys[..1]);
    s.make(definition.clone());
    let mut first = s.begin();
    assert_eq!(first.drop_index(&definition), Ok(true));
    assert_eq!(first.drop_index(&definition), Ok(false), "once is enough");
    let elsewhere = s.graph.core(1);
    let begin = || elsewhere.begin(Access::Write, Isolation::Snapshot);
    let mut second = begin();
    let conflict = WriteError::Conflict {
        entity: Entity::Schema,
    };
    assert_eq!(second.drop_index(&definition), Err(conflict.clone()));
    assert_eq!(second.drop_index(&definition), Err(WriteError::Doomed));
    drop((first, second));
    let mut third = begin();
    assert_eq!(third.drop_index(&definition), Ok(true), "the first gave up");
    let mut fourth = s.begin();
    assert_eq!(fourth.drop_index(&definition), Err(conflict));
    third.commit().unwrap();
    drop(fourth);
    s.make(definition.clone());
    assert_eq!(s.begin().drop_index(&definition), Ok(true));
    assert_eq!(s.graph.indexes().len(), 1);
}

#[test]
fn indexes_are_made_beside_writers_and_miss_nothing() {
    let graph = graph(2);
    let names = graph.names();
    let label = names.intern_label("Person").unwrap();
    let type_ = names.intern_type("KNOWS").unwrap();
    let key = names.intern_key("k").unwrap();
    let rounds = if cfg!(miri) { 1 } else { 30 };
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let core = graph.core(1);
            let mut live: Vec<VertexId> = Vec::new();
            let mut n = 1u64;
            while !stop.load(Ordering::Relaxed) {
                n = n.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let at = (n >> 33) as usize;
                let value = Value::Int(at as i64 % 50);
                let mut txn = core.begin(Access::Write, Isolation::Snapshot);
                let of = |live: &Vec<VertexId>| live.get(at % live.len().max(1)).copied();
                match (of(&live), at % 7) {
                    (Some(id), 0) => {
                        txn.set_vertex_property(id, key, &value).unwrap();
                    }
                    (Some(id), 1) => {
                        txn.detach_delete_vertex(id).unwrap();
                        live.retain(|&other| other != id);
                    }
                    (Some(id), 2) => {
                        txn.set_vertex_property(id, key, &Value::Null).unwrap();
                    }
                    (Some(id), 3 | 4) => {
                        txn.create_edge(id, live[0], type_, &[(key, value)])
                            .unwrap();
                    }
                    (Some(id), 5) => {
                        let epoch = core.enter();
                        let edge = txn.view(&epoch).edges(id, Direction::Out, &[]).next();
                        drop(epoch);
                        if let Some(edge) = edge {
                            txn.set_edge_property(edge.edge, key, &value).unwrap();
                        }
                    }
                    _ => live.push(txn.create_vertex(&[label], &[(key, value)]).unwrap()),
                }
                // Some of it never was.
                if at.is_multiple_of(11) {
                    txn.rollback();
                    live.retain(|&id| {
                        let read = core.begin(Access::Read, Isolation::Snapshot);
                        let epoch = core.enter();
                        read.view(&epoch).vertex(id).is_some()
                    });
                } else {
                    let committed = txn.commit().unwrap();
                    // The index's transaction may have the number before and not be through the door yet.
                    while graph.door().visible() < committed.seq {
                        std::thread::yield_now();
                    }
                }
                if live.len() > 400 {
                    live.truncate(200);
                }
                core.maintain(20);
            }
        });
        let core = graph.core(0);
        while graph.vertex_count() < 20 {
            std::thread::yield_now();
        }
        for _ in 0..rounds {
            for definition in [
                IndexDefinition::on_label(label, &[key]),
                IndexDefinition::on_type(type_, &[key]),
                IndexDefinition::on_type(type_, &[]),
            ] {
                let mut txn = core.begin(Access::Write, Isolation::Snapshot);
                let mut build = txn.create_index(definition.clone(), None).unwrap().unwrap();
                while build.step(5).unwrap() {
                    core.maintain(5);
                }
                txn.commit().unwrap();
                let read = core.begin(Access::Read, Isolation::Snapshot);
                let epoch = core.enter();
                compare(&read.view(&epoch), &definition, key);
                drop(epoch);
                drop(read);
                let mut txn = core.begin(Access::Write, Isolation::Snapshot);
                assert!(txn.drop_index(&definition).unwrap());
                txn.commit().unwrap();
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
}

/// An index against a scan of everything.
fn compare(view: &View<'_>, definition: &IndexDefinition, key: KeyId) {
    let mut ids = Vec::new();
    for page in view.pages(None) {
        view.scan_page(page, None, &mut ids);
    }
    let all = KeyRange::all(Order::Ascending);
    let mut cursor = Cursor::default();
    if let Some(label) = definition.label() {
        let mut found = Vec::new();
        let index = view.index(label, definition.keys()).unwrap();
        while !cursor.is_done() {
            index.scan(&all, &mut cursor, 100, &mut found);
        }
        ids.retain(|&id| {
            let vertex = view.vertex(id).unwrap();
            vertex.has_label(label) && vertex.property(key).is_some()
        });
        ids.sort();
        found.sort();
        assert_eq!(found, ids);
        return;
    }
    let type_ = definition.edge_type().unwrap();
    let mut edges = Vec::new();
    for id in ids {
        edges.extend(view.edges(id, Direction::Out, &[type_]).map(|hop| hop.edge));
    }
    if !definition.keys().is_empty() {
        edges.retain(|&edge| view.edge_at(edge).unwrap().property(key).is_some());
    }
    let index = view.edge_index(type_, definition.keys()).unwrap();
    let mut found = Vec::new();
    while !cursor.is_done() {
        index.scan(&all, &mut cursor, 100, &mut found);
    }
    edges.sort();
    found.sort();
    assert_eq!(found, edges);
}

#[test]
fn an_old_snapshot_keeps_what_it_sees_of_edges_in_an_index_and_nothing_else() {
    const ROUNDS: i64 = 300;
    let s = scene();
    let key = s.keys[0];
    let definition = IndexDefinition::on_type(s.type_, &[key]);
    s.make(definition.clone());
    let (from, to) = (s.vertex(&[]), s.vertex(&[]));
    let mut txn = s.begin();
    let edges = [0, 1].map(|n| {
        let properties = [(key, Value::Int(-1 - n))];
        txn.create_edge(from, to, s.type_, &properties).unwrap()
    });
    txn.commit().unwrap();
    s.quiet();
    let count = || s.graph.indexes()[0].count;
    assert_eq!(count(), 2);
    let old = s.core.begin(Access::Read, Isolation::Snapshot);
    // One that never ends its write stands at the head of whatever waits.
    let other = s.vertex(&[]);
    let mut stuck = s.begin();
    stuck
        .create_edge(other, to, s.type_, &[(key, Value::Int(-9))])
        .unwrap();
    let mut most = 0;
    for n in 0..ROUNDS {
        let short = s.core.begin(Access::Read, Isolation::Snapshot);
        for (at, edge) in (0..).zip(edges) {
            let mut txn = s.begin();
            // One goes through new values, one to and fro between what the old snapshot sees and another.
            let value = if at == 0 { n } else { -2 + 10 * (n % 2) };
            txn.set_edge_property(edge, key, &Value::Int(value))
                .unwrap();
            s.core.maintain(1_000);
            txn.commit().unwrap();
        }
        s.quiet();
        drop(short);
        s.quiet();
        most = most.max(count());
    }
    assert!(
        most <= 10,
        "{most} entries of three edges with four snapshots"
    );
    let epoch = s.core.enter();
    let find = |txn: &Txn, value: i64| {
        let index = txn.view(&epoch).edge_index(s.type_, &[key]).unwrap();
        index.seek(&[Value::Int(value)]).count()
    };
    assert_eq!(
        [-1, -2, ROUNDS - 1, 8, -9].map(|v| find(&old, v)),
        [1, 1, 0, 0, 0]
    );
    let new = s.core.begin(Access::Read, Isolation::Snapshot);
    assert_eq!(
        [-1, -2, ROUNDS - 1, 8, -9].map(|v| find(&new, v)),
        [0, 0, 1, 1, 0]
    );
    drop((old, new, stuck));
    drop(epoch);
    let mut txn = s.begin();
    txn.delete_edge(edges[0]).unwrap();
    txn.commit().unwrap();
    s.quiet();
    assert_eq!(count(), 1, "of the edge that is left");
}

#[test]
fn an_analysis_says_how_values_are_spread_and_how_many_edges_a_vertex_has() {
    let s = scene();
    s.make(IndexDefinition::on_label(s.label, &[]));
    s.make(IndexDefinition::on_label(s.label, &s.keys[..1]));
    // Groups of 1, 2 and 3.
    let ids: Vec<VertexId> = [1, 2, 2, 3, 3, 3].map(|k| s.vertex(&[k.into()])).into();
    s.vertex(&[]);
    let mut txn = s.begin();
    for &to in &ids[1..] {
        txn.create_edge(ids[0], to, s.type_, &[]).unwrap();
    }
    txn.commit().unwrap();
    let other = s.graph.names().intern_label("Other").unwrap();
    assert!(
        Analysis::new(&s.graph, Some(&[other]))
            .into_found()
            .is_empty()
    );
    let mut analysis = Analysis::new(&s.graph, Some(&[s.label]));
    let mut steps = 1;
    while s.read(|view| analysis.step(&view, 2)) {
        steps += 1;
    }
    assert!(steps > 2, "it was done in {steps} steps");
    let found = analysis.into_found();
    assert_eq!(found.len(), 2);
    assert_eq!((found[0].vertices, found[0].groups), (7, None));
    assert_eq!(found[0].average_degree, 10.0 / 7.0);
    let groups = found[1].groups.unwrap();
    assert_eq!((found[1].vertices, groups.count), (6, 3));
    assert_eq!(groups.average_size, 2.0);
    // (1 - 2)^2 / 2 + 0 + (3 - 2)^2 / 2
    assert!((groups.chi_squared - 1.0).abs() < 1e-9);
    assert_eq!(s.graph.indexes()[1].analysed.as_ref(), Some(&found[1]));
    assert_eq!(s.graph.indexes()[1].distinct, [3]);
    assert_eq!(s.graph.delete_statistics(None).len(), 2);
    assert_eq!(s.graph.indexes()[1].analysed, None);
    assert!(s.graph.delete_statistics(None).is_empty());
}
