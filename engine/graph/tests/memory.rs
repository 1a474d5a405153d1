//! Memory: what is forgotten under long readers, what owners are charged, where the limit ends an operation.
#![cfg(not(loom))]

use quoit_graph::door::NullJournal;
use quoit_graph::ids::{KeyId, LabelId, TypeId, VertexId};
use quoit_graph::value::Value;
use quoit_graph::{Access, Core, Graph, GraphConfig, IndexDefinition, Isolation, MemoryOwner, Txn};
use std::sync::Arc;

struct Scene {
    graph: Arc<Graph>,
    core: Core,
    label: LabelId,
    type_: TypeId,
    key: KeyId,
}

fn scene() -> Scene {
    let graph = Graph::new(GraphConfig {
        shards: 2,
        cores: 2,
        journal: Arc::new(NullJournal::default()),
    });
    let core = graph.core(0);
    let names = graph.names();
    let label = names.intern_label("L").unwrap();
    let type_ = names.intern_type("T").unwrap();
    let key = names.intern_key("k").unwrap();
    Scene {
        graph,
        core,
        label,
        type_,
        key,
    }
}

impl Scene {
    fn begin(&self) -> Txn {
        self.core.begin(Access::Write, Isolation::Snapshot)
    }

    fn write<R>(&self, work: impl FnOnce(&mut Txn) -> R) -> R {
        let mut txn = self.begin();
        let result = work(&mut txn);
        txn.commit().unwrap();
        result
    }

    fn set(&self, id: VertexId, value: i64) {
        self.write(|txn| {
            txn.set_vertex_property(id, self.key, &value.into())
                .unwrap()
        });
    }

    fn get(&self, txn: &Txn, id: VertexId) -> Option<i64> {
        let epoch = self.core.enter();
        let vertex = txn.view(&epoch).vertex(id)?;
        match vertex.property(self.key)?.to_value() {
            Value::Int(value) => Some(value),
            other => panic!("{other:?}"),
        }
    }

    /// Housekeeping until there is nothing to do.
    fn quiet(&self) {
        while self.core.maintain(1000) {}
        // What was retired by the last piece rests for an epoch.
        self.core.maintain(1000);
        self.core.maintain(1000);
    }

    fn bytes(&self, owner: MemoryOwner) -> u64 {
        self.graph.memory().of(owner)
    }
}

#[test]
fn a_vertex_that_changes_all_the_time_keeps_one_version_for_each_reader_however_old() {
    let s = scene();
    let definition = IndexDefinition::on_label(s.label, &[s.key]);
    s.write(|txn| {
        assert!(
            txn.create_index(definition.clone(), None)
                .unwrap()
                .is_some()
        )
    });
    let hot = s.write(|txn| txn.create_vertex(&[s.label], &[(s.key, 0.into())]).unwrap());
    s.quiet();
    // More readers than are published one by one.
    let mut readers = Vec::new();
    for n in 0..20 {
        readers.push((n, s.begin()));
        s.set(hot, n + 1);
    }
    s.quiet();
    let versions = s.bytes(MemoryOwner::Versions);
    for n in 0..500 {
        s.set(hot, 100 + n);
        if n % 7 == 0 {
            s.core.maintain(3);
        }
    }
    s.quiet();
    for (n, reader) in &readers {
        assert_eq!(s.get(reader, hot), Some(*n));
    }
    // Those beyond the places hold back what is newer, until the oldest of them ends.
    readers.truncate(10);
    s.quiet();
    let now = s.bytes(MemoryOwner::Versions);
    assert!(now <= versions, "{versions} bytes became {now}");
    let index = |reader: &Txn| {
        let epoch = s.core.enter();
        let index = reader.view(&epoch).index(s.label, &[s.key]);
        index.unwrap().size()
    };
    assert!(
        index(&readers[0].1) <= 11,
        "entries of pruned versions stay"
    );
    for n in 0..2_000 {
        s.set(hot, 5_000 + n);
    }
    s.quiet();
    let now = s.bytes(MemoryOwner::Versions);
    assert!(now <= versions, "{versions} bytes became {now}");
    for (n, reader) in &readers {
        assert_eq!(s.get(reader, hot), Some(*n));
    }
    drop(readers);
    s.quiet();
    assert!(s.bytes(MemoryOwner::Versions) < versions / 2);
    assert_eq!(s.get(&s.begin(), hot), Some(6_999));
}

#[test]
fn what_comes_and_goes_behind_an_old_reader_leaves_nothing() {
    let s = scene();
    let kept = s.write(|txn| txn.create_vertex(&[s.label], &[]).unwrap());
    let reader = s.begin();
    let mut tracked = Vec::new();
    for round in 0..12 {
        let made: Vec<VertexId> = s.write(|txn| {
            (0..600)
                .map(|k| txn.create_vertex(&[s.label], &[(s.key, k.into())]).unwrap())
                .collect()
        });
        s.write(|txn| {
            for &id in &made {
                txn.set_vertex_property(id, s.key, &round.into()).unwrap();
            }
        });
        s.write(|txn| {
            for &id in &made {
                txn.delete_vertex(id).unwrap();
            }
        });
        s.quiet();
        tracked.push(s.graph.memory().tracked());
    }
    let (first, last) = (tracked[2], tracked[11]);
    assert!(last <= first + first / 10, "{tracked:?}");
    let epoch = s.core.enter();
    assert!(reader.view(&epoch).vertex(kept).is_some());
    assert_eq!(
        reader
            .view(&epoch)
            .degree(kept, quoit_graph::Direction::Out, &[s.type_]),
        0
    );
}
