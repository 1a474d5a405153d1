//! What each isolation level shows and refuses, seen from one core with several transactions at a time.
#![cfg(not(loom))]

use quoit_graph::door::NullJournal;
use quoit_graph::ids::{KeyId, LabelId, TypeId, VertexId};
use quoit_graph::value::{Value, ValueRef};
use quoit_graph::{
    Access, Core, Direction, Entity, Graph, GraphConfig, Isolation, Statement, Txn, View,
    WriteError,
};
use std::sync::Arc;

struct Db {
    core: Core,
    label: LabelId,
    key: KeyId,
    type_: TypeId,
}

const LEVELS: [Isolation; 3] = [
    Isolation::Snapshot,
    Isolation::ReadCommitted,
    Isolation::ReadUncommitted,
];

impl Db {
    fn new() -> Db {
        let graph = Graph::new(GraphConfig {
            shards: 2,
            cores: 2,
            journal: Arc::new(NullJournal::default()),
        });
        let core = graph.core(0);
        let mut txn = core.begin(Access::Write, Isolation::Snapshot);
        let (label, key) = (txn.label("Kv").unwrap(), txn.key("value").unwrap());
        let type_ = txn.edge_type("T").unwrap();
        drop(txn);
        Db {
            core,
            label,
            key,
            type_,
        }
    }

    fn begin(&self, isolation: Isolation) -> Txn {
        self.core.begin(Access::Write, isolation)
    }

    fn create(&self, value: i64) -> VertexId {
        let mut txn = self.begin(Isolation::Snapshot);
        let id = self.create_in(&mut txn, value);
        txn.commit().unwrap();
        id
    }

    fn create_in(&self, txn: &mut Txn, value: i64) -> VertexId {
        txn.create_vertex(&[self.label], &[(self.key, value.into())])
            .unwrap()
    }

    /// A statement that writes.
    fn set(&self, txn: &mut Txn, vertex: VertexId, value: i64) -> Result<(), WriteError> {
        let statement = txn.begin_statement(false);
        let done = txn.set_vertex_property(vertex, self.key, &value.into());
        txn.next_clause();
        drop(statement);
        done
    }

    /// A statement that reads.
    fn read(&self, txn: &mut Txn, vertex: VertexId) -> Option<i64> {
        let statement = txn.begin_statement(true);
        self.look(txn, &statement, vertex)
    }

    fn look(&self, txn: &Txn, statement: &Statement, vertex: VertexId) -> Option<i64> {
        let epoch = self.core.enter();
        self.value(&txn.view_of_statement(&epoch, statement), vertex)
    }

    fn value(&self, view: &View<'_>, vertex: VertexId) -> Option<i64> {
        match view.vertex(vertex)?.property(self.key) {
            Some(ValueRef::Int(value)) => Some(value),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn each_level_shows_of_others_what_it_says() {
    // What the reader sees of a value while another has it in flight, when that has committed, and of one undone.
    for (isolation, in_flight, committed) in [
        (Isolation::Snapshot, 10, 10),
        (Isolation::ReadCommitted, 10, 11),
        (Isolation::ReadUncommitted, 11, 11),
    ] {
        let db = Db::new();
        let a = db.create(10);
        let mut reader = db.begin(isolation);
        assert_eq!(db.read(&mut reader, a), Some(10));
        let mut undone = db.begin(Isolation::Snapshot);
        db.set(&mut undone, a, 99).unwrap();
        undone.rollback();
        assert_eq!(db.read(&mut reader, a), Some(10), "{isolation:?}");
        let mut writer = db.begin(Isolation::Snapshot);
        db.set(&mut writer, a, 11).unwrap();
        assert_eq!(db.read(&mut reader, a), Some(in_flight), "{isolation:?}");
        let new = db.create_in(&mut writer, 1);
        let edge = writer.create_edge(a, new, db.type_, &[]).unwrap();
        let sees = |reader: &mut Txn| {
            let statement = reader.begin_statement(true);
            let epoch = db.core.enter();
            let view = reader.view_of_statement(&epoch, &statement);
            let out = view.edges(a, Direction::Out, &[]).count();
            assert_eq!(out, view.edges(new, Direction::In, &[]).count());
            assert_eq!(view.vertex(new).is_some(), out == 1);
            assert_eq!(view.edge_at(edge).is_some(), out == 1);
            out
        };
        assert_eq!(
            sees(&mut reader),
            usize::from(isolation == Isolation::ReadUncommitted)
        );
        writer.commit().unwrap();
        assert_eq!(db.read(&mut reader, a), Some(committed), "{isolation:?}");
        assert_eq!(
            sees(&mut reader),
            usize::from(isolation != Isolation::Snapshot)
        );
    }
}

#[test]
fn own_writes_stay_seen_when_a_statement_takes_a_new_snapshot() {
    for isolation in LEVELS {
        let db = Db::new();
        let (a, b) = (db.create(10), db.create(20));
        let mut txn = db.begin(isolation);
        db.set(&mut txn, a, 11).unwrap();
        let mut other = db.begin(Isolation::Snapshot);
        db.set(&mut other, b, 21).unwrap();
        other.commit().unwrap();
        assert_eq!(db.read(&mut txn, a), Some(11));
        let seen = if isolation == Isolation::Snapshot {
            20
        } else {
            21
        };
        assert_eq!(db.read(&mut txn, b), Some(seen));
        // What was committed before the statement began is no conflict where the statement has its own snapshot.
        let written = db.set(&mut txn, b, 22);
        if isolation == Isolation::Snapshot {
            assert_eq!(
                written,
                Err(WriteError::Conflict {
                    entity: Entity::Vertex(b)
                })
            );
        } else {
            written.unwrap();
            txn.commit().unwrap();
            let mut reader = db.begin(Isolation::Snapshot);
            assert_eq!(db.read(&mut reader, a), Some(11));
            assert_eq!(db.read(&mut reader, b), Some(22));
        }
    }
}

#[test]
fn nobody_writes_over_what_another_has_in_flight_at_any_level() {
    for isolation in LEVELS {
        let db = Db::new();
        let a = db.create(10);
        let mut first = db.begin(isolation);
        db.set(&mut first, a, 11).unwrap();
        let mut second = db.begin(isolation);
        assert_eq!(
            db.set(&mut second, a, 12),
            Err(WriteError::Conflict {
                entity: Entity::Vertex(a)
            })
        );
        second.rollback();
        first.commit().unwrap();
        let mut reader = db.begin(Isolation::Snapshot);
        assert_eq!(db.read(&mut reader, a), Some(11));
    }
}

#[test]
fn who_reads_uncommitted_conflicts_with_what_is_in_flight_instead_of_calling_it_deleted() {
    let db = Db::new();
    let a = db.create(10);
    let mut writer = db.begin(Isolation::Snapshot);
    let new = db.create_in(&mut writer, 1);
    let edge = writer.create_edge(a, new, db.type_, &[]).unwrap();
    let conflict = |entity| WriteError::Conflict { entity };
    let mut dirty = db.begin(Isolation::ReadUncommitted);
    assert_eq!(
        db.set(&mut dirty, new, 2),
        Err(conflict(Entity::Vertex(new)))
    );
    let mut dirty = db.begin(Isolation::ReadUncommitted);
    assert_eq!(
        dirty.create_edge(a, new, db.type_, &[]),
        Err(conflict(Entity::Vertex(new)))
    );
    let mut dirty = db.begin(Isolation::ReadUncommitted);
    assert_eq!(
        dirty.set_edge_property(edge, db.key, &1.into()),
        Err(conflict(Entity::Edge(edge.id)))
    );
    let mut dirty = db.begin(Isolation::ReadUncommitted);
    assert_eq!(
        dirty.detach_delete_vertex(a),
        Err(conflict(Entity::Vertex(a)))
    );
    writer.commit().unwrap();
}

#[test]
fn rows_read_lazily_stay_those_of_their_statement_and_what_they_need_is_kept() {
    let db = Db::new();
    let a = db.create(0);
    let mut txn = db.begin(Isolation::ReadCommitted);
    let first = txn.begin_statement(true);
    for value in 1..50 {
        let mut other = db.begin(Isolation::Snapshot);
        db.set(&mut other, a, value).unwrap();
        other.commit().unwrap();
        assert_eq!(db.read(&mut txn, a), Some(value));
        while db.core.maintain(100) {}
    }
    assert_eq!(db.look(&txn, &first, a), Some(0));
    // And it is given free with its statement, however long the transaction goes on.
    drop(first);
    let held = db.core.graph().oldest_snapshot();
    assert_eq!(held, txn.snapshot());
    drop(txn);
}

#[test]
fn the_newest_view_shows_everything_that_is_not_undone() {
    let db = Db::new();
    let a = db.create(10);
    let mut txn = db.begin(Isolation::Snapshot);
    let mut late = db.begin(Isolation::Snapshot);
    db.set(&mut late, a, 11).unwrap();
    late.commit().unwrap();
    let mut writer = db.begin(Isolation::Snapshot);
    let new = db.create_in(&mut writer, 1);
    let mut undone = db.begin(Isolation::Snapshot);
    let never = db.create_in(&mut undone, 2);
    undone.rollback();
    let own = db.create_in(&mut txn, 3);
    let epoch = db.core.enter();
    let view = txn.newest_view(&epoch);
    let seen = [a, new, never, own].map(|id| db.value(&view, id));
    assert_eq!(seen, [Some(11), Some(1), None, Some(3)]);
    let view = txn.view_including_current_clause(&epoch);
    let seen = [a, new, never, own].map(|id| db.value(&view, id));
    assert_eq!(seen, [Some(10), None, None, Some(3)]);
    drop(epoch);
    let conflict = WriteError::Conflict {
        entity: Entity::Vertex(new),
    };
    assert_eq!(txn.conflict(Entity::Vertex(new)), conflict);
    assert!(txn.commit().is_err(), "who gave way cannot commit");
}

#[test]
fn of_those_who_create_one_key_and_then_look_for_others_at_most_one_stays() {
    const KEYS: i64 = 300;
    let graph = Graph::new(GraphConfig {
        shards: 2,
        cores: 2,
        journal: Arc::new(NullJournal::default()),
    });
    let barrier = std::sync::Barrier::new(2);
    std::thread::scope(|scope| {
        for n in 0..2 {
            let (graph, barrier) = (&graph, &barrier);
            scope.spawn(move || {
                let core = graph.core(n);
                for key in 0..KEYS {
                    barrier.wait();
                    // Until somebody has it: as the server retries.
                    loop {
                        let mut txn = core.begin(Access::Write, Isolation::Snapshot);
                        let label = txn.label("Once").unwrap();
                        let name = txn.key("key").unwrap();
                        let value = Value::from(key);
                        let find = |view: &View<'_>, but: Option<VertexId>| {
                            let mut found = Vec::new();
                            for page in view.pages(Some(label)) {
                                view.scan_page(page, Some(label), &mut found);
                            }
                            found.into_iter().find(|&id| {
                                Some(id) != but
                                    && view
                                        .vertex(id)
                                        .and_then(|v| v.property(name))
                                        .is_some_and(|v| v.is(&value))
                            })
                        };
                        if find(&txn.view(&core.enter()), None).is_some() {
                            break;
                        }
                        let own = txn
                            .create_vertex(&[label], &[(name, value.clone())])
                            .unwrap();
                        let other = find(&txn.newest_view(&core.enter()), Some(own));
                        if let Some(other) = other {
                            drop(txn.conflict(Entity::Vertex(other)));
                            std::thread::yield_now();
                            continue;
                        }
                        txn.commit().unwrap();
                        break;
                    }
                }
            });
        }
    });
    assert_eq!(graph.vertex_count(), KEYS as u64);
}
