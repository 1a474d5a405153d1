//! Long values: strings, lists and maps that are too long for a column are written once, shared by all states that have them, and leave
//! with the last of these.
#![cfg(not(loom))]

use quoit_graph::door::{Door, Journal, NullJournal, ReserveError};
use quoit_graph::ids::{CommitSeq, KeyId, LabelId, TypeId, VertexId};
use quoit_graph::value::{Edge, Value};
use quoit_graph::{
    Access, Core, FoldWork, Graph, GraphConfig, IndexDefinition, Isolation, MemoryOwner, Summary,
    Txn, WriteError,
};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

struct Scene {
    graph: Arc<Graph>,
    core: Core,
    label: LabelId,
    type_: TypeId,
    keys: Vec<KeyId>,
}

fn scene() -> Scene {
    scene_with(Arc::new(NullJournal::default()))
}

fn scene_with(journal: Arc<dyn Journal>) -> Scene {
    let graph = Graph::new(GraphConfig {
        shards: 1,
        cores: 1,
        journal,
    });
    let core = graph.core(0);
    let names = graph.names();
    Scene {
        label: names.intern_label("L").unwrap(),
        type_: names.intern_type("T").unwrap(),
        keys: (0..3000)
            .map(|n| names.intern_key(&format!("k{n}")).unwrap())
            .collect(),
        graph,
        core,
    }
}

fn text(letter: u8, bytes: usize) -> Value {
    Value::string(String::from_utf8(vec![letter; bytes]).unwrap())
}

impl Scene {
    fn begin(&self) -> Txn {
        self.core.begin(Access::Write, Isolation::Snapshot)
    }

    fn write<R>(&self, work: impl FnOnce(&mut Txn) -> R) -> R {
        let mut txn = self.begin();
        let made = work(&mut txn);
        txn.commit().unwrap();
        made
    }

    /// Housekeeping until nothing changes.
    fn quiet(&self) {
        for _ in 0..3 {
            while self.core.maintain(100_000) {}
        }
    }

    fn bytes(&self, owner: MemoryOwner) -> u64 {
        self.graph.memory().of(owner)
    }

    fn properties(&self, txn: &Txn, id: VertexId) -> BTreeMap<KeyId, Value> {
        let epoch = self.core.enter();
        let view = txn.view(&epoch);
        let vertex = view.vertex(id).expect("it exists");
        let all = vertex.properties();
        let pairs: Vec<(KeyId, Value)> = all.iter().map(|(k, v)| (k, v.to_value())).collect();
        assert!(pairs.is_sorted_by(|a, b| a.0 < b.0));
        for (key, value) in &pairs {
            assert_eq!(
                vertex.property(*key).map(|v| v.to_value()).as_ref(),
                Some(value)
            );
        }
        assert_eq!(all.is_empty(), pairs.is_empty());
        pairs.into_iter().collect()
    }

    /// What folding takes while something is done.
    fn folding(&self, work: impl FnOnce()) -> FoldWork {
        let before = self.core.fold_work();
        work();
        let after = self.core.fold_work();
        FoldWork {
            folds: after.folds - before.folds,
            rows: after.rows - before.rows,
            bytes: after.bytes - before.bytes,
        }
    }
}

#[test]
fn a_megabyte_in_each_of_many_vertices_is_never_copied_and_all_of_it_returns() {
    const VERTICES: usize = 300;
    const BYTES: u64 = 1 << 20;
    let s = scene();
    let long = text(b'a', BYTES as usize);
    let mut ids = Vec::new();
    let folding = s.folding(|| {
        for _ in 0..VERTICES / 50 {
            s.write(|txn| {
                for _ in 0..50 {
                    let n = ids.len() as i64;
                    let new = [(s.keys[0], n.into()), (s.keys[1], long.clone())];
                    ids.push(txn.create_vertex(&[s.label], &new).unwrap());
                }
            });
            s.core.maintain(1000);
        }
        s.quiet();
    });
    assert!(folding.folds > 0 && folding.bytes < 64 << 10, "{folding:?}");
    let held = s.bytes(MemoryOwner::LongValues);
    let all = VERTICES as u64 * BYTES;
    assert!(held > all && held < all + all / 100, "{held} bytes");
    assert_eq!(s.bytes(MemoryOwner::Versions), 0);

    // Another property of all: what is long stays where it is.
    let old = s.begin();
    let folding = s.folding(|| {
        s.write(|txn| {
            for &id in &ids {
                txn.set_vertex_property(id, s.keys[0], &Value::Int(-1))
                    .unwrap();
            }
        });
        assert!(s.bytes(MemoryOwner::LongValues) < held + 64 * VERTICES as u64);
        assert_eq!(s.properties(&old, ids[7])[&s.keys[0]], Value::Int(7));
        assert_eq!(s.properties(&old, ids[7])[&s.keys[1]], long);
        drop(old);
        s.quiet();
    });
    assert!(folding.folds > 0 && folding.bytes < 64 << 10, "{folding:?}");
    assert_eq!(s.bytes(MemoryOwner::LongValues), held);
    let now = s.begin();
    for &id in &ids {
        let expected = [(s.keys[0], Value::Int(-1)), (s.keys[1], long.clone())];
        assert_eq!(s.properties(&now, id), expected.into());
    }
    drop(now);

    // A third get another, a third none, a third go.
    let before = s.begin();
    s.write(|txn| {
        for (n, &id) in ids.iter().enumerate() {
            match n % 3 {
                0 => txn.set_vertex_property(id, s.keys[1], &text(b'b', 2000)),
                1 => txn.set_vertex_property(id, s.keys[1], &Value::Null),
                _ => txn.delete_vertex(id).map(|_| ()),
            }
            .unwrap();
        }
    });
    s.quiet();
    assert!(
        s.bytes(MemoryOwner::LongValues) > all,
        "a snapshot needs them"
    );
    assert!(
        ids.iter()
            .all(|&id| s.properties(&before, id)[&s.keys[1]] == long)
    );
    drop(before);
    s.quiet();
    let left = s.bytes(MemoryOwner::LongValues);
    let expected = (VERTICES / 3 * 2000) as u64;
    assert!(left > expected && left < expected + expected / 20, "{left}");
    let now = s.begin();
    assert_eq!(s.properties(&now, ids[0])[&s.keys[1]], text(b'b', 2000));
    assert_eq!(s.properties(&now, ids[1]).len(), 1);
    drop(now);
    s.write(|txn| {
        for (n, &id) in ids.iter().enumerate() {
            if n % 3 != 2 {
                txn.delete_vertex(id).unwrap();
            }
        }
    });
    s.quiet();
    assert_eq!(s.bytes(MemoryOwner::LongValues), 0);
    assert_eq!(s.bytes(MemoryOwner::Versions), 0);
}

#[test]
fn a_fold_copies_a_bounded_number_of_bytes_whatever_the_rows_hold() {
    // Many values below the bound, so many that a row would be long with all of them.
    for (values, bytes) in [(1000, 1000), (3000, 20), (17, 1000), (3, 200_000)] {
        let s = scene();
        let new: Vec<(KeyId, Value)> = s.keys[..values]
            .iter()
            .map(|key| (*key, text(b'x', bytes)))
            .collect();
        let mut ids = Vec::new();
        let work = s.folding(|| {
            for _ in 0..4 {
                s.write(|txn| {
                    for _ in 0..8 {
                        ids.push(txn.create_vertex(&[s.label], &new).unwrap());
                    }
                });
            }
            s.quiet();
        });
        let most = ids.len() as u64 * ((16 << 10) + 24 * values as u64) + (8 << 10);
        assert!(
            work.bytes / work.folds <= most,
            "{values}, {bytes}: {work:?}"
        );
        let mut expected: BTreeMap<KeyId, Value> = new.iter().cloned().collect();
        let now = s.begin();
        for &id in &ids {
            assert!(s.properties(&now, id) == expected, "{values}, {bytes}");
        }
        drop(now);
        // What was long may be short, and the other way round.
        let changes = [
            (s.keys[0], text(b'y', 5000)),
            (s.keys[1], 4.into()),
            (s.keys[2], Value::Null),
        ];
        s.write(|txn| txn.set_vertex_properties(ids[3], &changes).unwrap());
        expected.extend(changes);
        expected.remove(&s.keys[2]);
        for _ in 0..2 {
            let now = s.begin();
            assert!(s.properties(&now, ids[3]) == expected);
            drop(now);
            s.quiet();
        }
        s.write(|txn| txn.replace_vertex_properties(ids[3], &new[..1]).unwrap());
        s.quiet();
        let now = s.begin();
        assert!(s.properties(&now, ids[3]) == new[..1].iter().cloned().collect());
    }
}

#[test]
fn values_on_both_sides_of_the_bound_are_counted_and_scanned_alike() {
    let s = scene();
    let lengths = [1000, 1020, 1021, 1022, 1023, 1024, 1025, 5000];
    let ids: Vec<VertexId> = s.write(|txn| {
        let new = |n: usize| {
            let value = match n % 10 {
                8 => Value::Int(n as i64),
                9 => Value::Null,
                k => text(b'a' + k as u8, lengths[k]),
            };
            txn.create_vertex(&[s.label], &[(s.keys[0], value)])
                .unwrap()
        };
        (0..500).map(new).collect()
    });
    for _ in 0..2 {
        let now = s.begin();
        let epoch = s.core.enter();
        let view = now.view(&epoch);
        let (mut summary, mut counted) = (Summary::default(), 0);
        for page in view.pages(Some(s.label)) {
            let page = view.page(page).unwrap();
            let selection = page.select(Some(s.label));
            page.summarize(&selection, s.keys[0], &mut summary);
            counted += page.count_values(&selection, s.keys[0]);
            for at in selection.slots() {
                let vertex = view.vertex(page.vertex_id(at)).unwrap();
                let (a, b) = (page.property(at, s.keys[0]), vertex.property(s.keys[0]));
                assert_eq!(a.map(|v| v.to_value()), b.map(|v| v.to_value()));
            }
        }
        assert_eq!((summary.others, summary.ints, counted), (400, 50, 450));
        for (n, &id) in ids.iter().enumerate().filter(|(n, _)| n % 10 < 8) {
            let expected = text(b'a' + (n % 10) as u8, lengths[n % 10]);
            assert_eq!(s.properties(&now, id)[&s.keys[0]], expected);
        }
        drop((now, epoch));
        s.quiet();
    }
}

#[test]
fn what_is_undone_or_written_over_within_a_transaction_leaves_no_long_value() {
    let s = scene();
    let (a, b) = s.write(|txn| {
        let vertex = |txn: &mut Txn| txn.create_vertex(&[s.label], &[]).unwrap();
        (vertex(txn), vertex(txn))
    });
    let edge: Edge = s.write(|txn| {
        txn.set_vertex_property(a, s.keys[0], &text(b'k', 50_000))
            .unwrap();
        let edge = txn.create_edge(a, b, s.type_, &[(s.keys[0], text(b'e', 50_000))]);
        edge.unwrap()
    });
    s.quiet();
    let kept = s.bytes(MemoryOwner::LongValues);
    assert!(kept > 100_000 && kept < 101_000, "{kept}");
    for commits in [false, true] {
        let mut txn = s.begin();
        for n in 0..5 {
            txn.set_vertex_property(a, s.keys[0], &text(b'u', 80_000 + n))
                .unwrap();
            txn.set_edge_property(edge, s.keys[0], &text(b'v', 80_000 + n))
                .unwrap();
            // Shares what it does not change.
            txn.set_vertex_property(a, s.keys[1], &Value::Int(n as i64))
                .unwrap();
            txn.add_label(a, s.label).unwrap();
            if n % 2 == 0 {
                txn.next_clause();
            }
        }
        let new = txn
            .create_vertex(&[s.label], &[(s.keys[0], text(b'n', 90_000))])
            .unwrap();
        txn.delete_vertex(new).unwrap();
        if commits {
            for (key, bytes) in [(s.keys[0], 50_000), (s.keys[1], 0)] {
                let value = if bytes == 0 {
                    Value::Null
                } else {
                    text(b'k', bytes)
                };
                txn.set_vertex_property(a, key, &value).unwrap();
            }
            txn.set_edge_property(edge, s.keys[0], &text(b'e', 50_000))
                .unwrap();
            txn.commit().unwrap();
        } else {
            txn.rollback();
        }
        s.quiet();
        assert_eq!(s.bytes(MemoryOwner::LongValues), kept, "commits: {commits}");
        let now = s.begin();
        let expected = [(s.keys[0], text(b'k', 50_000))];
        assert_eq!(s.properties(&now, a), expected.into());
        let epoch = s.core.enter();
        let view = now.view(&epoch);
        let found = view.edge_at(edge).unwrap().property(s.keys[0]);
        assert_eq!(found.unwrap().to_value(), text(b'e', 50_000));
    }
    s.write(|txn| {
        txn.delete_edge(edge).unwrap();
        txn.delete_vertex(a).unwrap();
    });
    s.quiet();
    assert_eq!(s.bytes(MemoryOwner::LongValues), 0);
}

#[test]
fn an_index_over_long_values_finds_them_before_and_after_they_settle() {
    let s = scene();
    let definition = IndexDefinition::on_label(s.label, &[s.keys[0]]);
    s.write(|txn| {
        txn.create_index(definition.clone(), None)
            .unwrap()
            .is_some()
    });
    let ids: Vec<VertexId> = s.write(|txn| {
        let new = |n: u8| {
            let long = [(s.keys[0], text(b'a' + n, 3000))];
            txn.create_vertex(&[s.label], &long).unwrap()
        };
        (0..20).map(new).collect()
    });
    let entries = |txn: &Txn| {
        let epoch = s.core.enter();
        txn.view(&epoch)
            .index(s.label, &s.keys[..1])
            .unwrap()
            .size()
    };
    assert_eq!(entries(&s.begin()), 20);
    s.quiet();
    assert_eq!(entries(&s.begin()), 20);
    s.write(|txn| {
        for &id in &ids[..10] {
            txn.set_vertex_property(id, s.keys[0], &text(b'z', 4000))
                .unwrap();
        }
        txn.delete_vertex(ids[19]).unwrap();
    });
    s.quiet();
    assert_eq!(entries(&s.begin()), 19);
}

/// Publishes at once, and keeps the frames.
#[derive(Default)]
struct Recorder(Mutex<Vec<(CommitSeq, bytes::Bytes)>>);

impl Journal for Recorder {
    fn header_bytes(&self) -> usize {
        0
    }
    fn reserve(&self, _: usize) -> Result<(), ReserveError> {
        Ok(())
    }
    fn release(&self, _: usize) {}
    fn finish_frame(&self, buffer: Vec<u8>) -> bytes::Bytes {
        bytes::Bytes::from(buffer)
    }
    fn kick(&self, door: &Door, _: u16) {
        door.take_sealed(usize::MAX, &mut self.0.lock().unwrap());
        door.publish(door.sealed());
    }
}

#[test]
fn what_a_log_brings_is_shared_and_folded_as_on_the_main() {
    let recorder = Arc::new(Recorder::default());
    let (main, replica) = (scene_with(recorder.clone()), scene());
    let ids: Vec<VertexId> = main.write(|txn| {
        let new = |n: i64| {
            let pairs = [
                (main.keys[0], n.into()),
                (main.keys[1], text(b'l', 100_000)),
            ];
            txn.create_vertex(&[main.label], &pairs).unwrap()
        };
        (0..200).map(new).collect()
    });
    for round in 0..3 {
        main.write(|txn| {
            for &id in &ids {
                txn.set_vertex_property(id, main.keys[0], &Value::Int(round))
                    .unwrap();
            }
            txn.set_vertex_property(ids[5], main.keys[1], &text(b'm', 70_000))
                .unwrap();
        });
    }
    main.write(|txn| {
        for &id in &ids[100..] {
            txn.delete_vertex(id).unwrap();
        }
    });
    for (seq, frame) in &*recorder.0.lock().unwrap() {
        replica.core.apply(*seq, frame).unwrap();
        replica.graph.door().publish(*seq);
        replica.core.maintain(20);
    }
    replica.quiet();
    main.quiet();
    let held = replica.bytes(MemoryOwner::LongValues);
    assert_eq!(held, main.bytes(MemoryOwner::LongValues));
    assert!(held > 9_970_000 && held < 10_000_000, "{held}");
    assert!(replica.core.fold_work().bytes < 64 << 10);
    let (here, there) = (main.begin(), replica.begin());
    for &id in &ids[..100] {
        let expected = main.properties(&here, id);
        assert_eq!(expected.len(), 2);
        assert_eq!(replica.properties(&there, id), expected);
    }
}

#[test]
fn what_rows_hold_beyond_the_limit_is_refused_and_folding_needs_no_more() {
    const LIMIT: u64 = 64 << 20;
    let s = scene();
    s.graph.set_memory_limit(Some(LIMIT));
    let long = text(b'x', 300_000);
    let mut ids = Vec::new();
    let refused = loop {
        let mut txn = s.begin();
        match txn.create_vertex(&[s.label], &[(s.keys[0], long.clone())]) {
            Ok(id) => ids.push(id),
            Err(error) => break error,
        }
        txn.commit().unwrap();
        s.core.maintain(64);
        let memory = s.graph.memory();
        assert!(memory.tracked() <= LIMIT - memory.reserve, "{memory:?}");
    };
    assert!(matches!(refused, WriteError::MemoryLimit(_)), "{refused}");
    assert!(ids.len() > 180, "{} strings fit", ids.len());
    // What shares costs next to nothing, so there is room for it.
    let other = s.graph.names().intern_label("Other").unwrap();
    for &id in &ids {
        s.write(|txn| txn.add_label(id, other).unwrap());
        s.core.maintain(64);
    }
    s.write(|txn| {
        for &id in &ids {
            txn.delete_vertex(id).unwrap();
        }
    });
    s.quiet();
    assert!(s.graph.memory().tracked() < 1 << 20);
}
