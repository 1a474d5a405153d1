//! Constraints case by case: unique keys, existence, types; making them beside writers; what errors say.
#![cfg(not(loom))]

use quoit_graph::door::{Door, Journal, NullJournal, ReserveError};
use quoit_graph::ids::{CommitSeq, KeyId, LabelId, VertexId};
use quoit_graph::value::Value;
use quoit_graph::{
    Access, CommitError, ConstraintDefinition, Core, Entity, Graph, GraphConfig, Isolation,
    PropertyType, SchemaState, Txn, Violation, WriteError,
};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

struct Scene {
    graph: Arc<Graph>,
    core: Core,
    label: LabelId,
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
    let graph = graph(3);
    let names = graph.names();
    Scene {
        label: names.intern_label("Person").unwrap(),
        keys: ["email", "born"].map(|name| names.intern_key(name).unwrap()),
        core: graph.core(0),
        graph,
    }
}

impl Scene {
    fn begin(&self) -> Txn {
        self.core.begin(Access::Write, Isolation::Snapshot)
    }

    fn unique(&self, n: usize) -> ConstraintDefinition {
        ConstraintDefinition::Unique {
            label: self.label,
            keys: self.keys[..n].into(),
        }
    }

    fn key(&self, n: usize) -> ConstraintDefinition {
        ConstraintDefinition::Key {
            label: self.label,
            keys: self.keys[..n].into(),
        }
    }

    fn exists(&self) -> ConstraintDefinition {
        ConstraintDefinition::Exists {
            label: self.label,
            key: self.keys[0],
        }
    }

    fn typed(&self, type_: PropertyType) -> ConstraintDefinition {
        ConstraintDefinition::Type {
            label: self.label,
            key: self.keys[1],
            type_,
        }
    }

    fn make(&self, definition: ConstraintDefinition) -> Result<(), CommitError> {
        let mut txn = self.begin();
        assert!(txn.create_constraint(definition, None)?.is_some());
        txn.commit().map(|_| ())
    }

    fn vertex(&self, values: &[Value]) -> Result<VertexId, WriteError> {
        let mut txn = self.begin();
        let properties: Vec<_> = self.keys.into_iter().zip(values.iter().cloned()).collect();
        let id = txn.create_vertex(&[self.label], &properties)?;
        txn.commit().unwrap();
        Ok(id)
    }

    fn find(&self, values: &[Value]) -> Option<VertexId> {
        let txn = self.core.begin(Access::Read, Isolation::Snapshot);
        let epoch = self.core.enter();
        let unique = txn
            .view(&epoch)
            .unique(self.label, &self.keys[..values.len()]);
        unique.expect("the constraint is online").seek(values)
    }

    fn quiet(&self) {
        while self.core.maintain(1_000) {}
    }
}

fn violation<T: std::fmt::Debug>(result: Result<T, WriteError>) -> Violation {
    match result {
        Err(WriteError::Constraint { violation, .. }) => *violation,
        other => panic!("{other:?} is no violation"),
    }
}

fn is_conflict<T>(result: &Result<T, WriteError>) -> bool {
    matches!(result, Err(WriteError::Conflict { .. }))
}

#[test]
fn a_conflict_over_a_unique_key_names_the_key_and_the_other() {
    let s = scene();
    s.make(s.unique(2)).unwrap();
    let mut first = s.begin();
    let properties = |name: &str| [(s.keys[0], name.into()), (s.keys[1], Value::from(7))];
    let holder = first.create_vertex(&[s.label], &properties("ann")).unwrap();
    let mut second = s.begin();
    let refused = second.create_vertex(&[s.label], &properties("ann"));
    let Err(WriteError::Conflict {
        entity: Entity::Key(key),
    }) = refused
    else {
        panic!("{refused:?}");
    };
    assert_eq!((&*key.label, key.holder), ("Person", holder));
    assert_eq!(
        key.to_string(),
        format!("the unique key :Person(email: 'ann', born: 7) of node {holder}")
    );
}

#[test]
fn under_a_node_key_all_properties_are_there_when_a_transaction_ends_and_together_nobody_elses() {
    let s = scene();
    s.make(s.key(2)).unwrap();
    let ann = s.vertex(&["ann".into(), 1.into()]).unwrap();
    s.vertex(&["ann".into(), 2.into()]).unwrap();
    let wrong = violation(s.vertex(&["ann".into(), 1.into()]));
    assert_eq!(
        wrong.to_string(),
        format!(
            "Unable to commit due to node key constraint violation on :Person(email, born): Node({ann}) already exists with label `Person` and properties `email` = 'ann', `born` = 1"
        )
    );
    // What is missing may be added before the end, and is missed there.
    let mut txn = s.begin();
    let bob = txn
        .create_vertex(&[s.label], &[(s.keys[0], "bob".into())])
        .unwrap();
    txn.set_vertex_property(bob, s.keys[1], &3.into()).unwrap();
    txn.commit().unwrap();
    let mut txn = s.begin();
    txn.set_vertex_property(bob, s.keys[1], &Value::Null)
        .unwrap();
    let Err(CommitError::Write(error)) = txn.commit() else {
        panic!("a node without its key was committed");
    };
    let wrong = violation::<()>(Err(error));
    assert_eq!((wrong.vertex, wrong.holder), (Some(bob), None));
    assert!(
        wrong.to_string().ends_with("lacks one of the properties"),
        "{wrong}"
    );
    // A vertex is found by it as by any unique key.
    let read = s.begin();
    let epoch = s.core.enter();
    assert!(read.view(&epoch).unique(s.label, &s.keys).is_some());
}

#[test]
fn a_node_key_is_not_made_where_a_property_is_missing_or_two_have_the_same() {
    let s = scene();
    s.vertex(&["ann".into(), 1.into()]).unwrap();
    let half = s.vertex(&["ann".into()]).unwrap();
    let Err(CommitError::Write(error)) = s.make(s.key(2)) else {
        panic!("a node key was made though a property is missing");
    };
    let wrong = violation::<()>(Err(error));
    assert!(wrong.making);
    assert_eq!((wrong.vertex, wrong.holder), (Some(half), None));
    let mut txn = s.begin();
    txn.set_vertex_property(half, s.keys[1], &1.into()).unwrap();
    txn.commit().unwrap();
    let Err(CommitError::Write(error)) = s.make(s.key(2)) else {
        panic!("a node key was made though two have the same");
    };
    assert!(violation::<()>(Err(error)).holder.is_some());
    assert!(s.graph.constraints().is_empty());
}

#[test]
fn a_unique_key_is_taken_once_and_free_again_when_its_holder_lets_it_go() {
    let s = scene();
    s.make(s.unique(1)).unwrap();
    let ann = s.vertex(&["ann".into()]).unwrap();
    let bob = s.vertex(&["bob".into()]).unwrap();
    let wrong = violation(s.vertex(&["ann".into()]));
    assert_eq!((wrong.vertex, wrong.holder), (None, Some(ann)));
    assert_eq!(
        wrong.to_string(),
        format!(
            "Unable to commit due to unique constraint violation on :Person(email): Node({ann}) already exists with label `Person` and property `email` = 'ann'"
        )
    );
    let mut txn = s.begin();
    let wrong = violation(txn.set_vertex_property(bob, s.keys[0], &"ann".into()));
    assert_eq!((wrong.vertex, wrong.holder), (Some(bob), Some(ann)));
    // What it may do in the same transaction: let go, then take.
    txn.set_vertex_property(ann, s.keys[0], &"anna".into())
        .unwrap();
    txn.set_vertex_property(bob, s.keys[0], &"ann".into())
        .unwrap();
    txn.set_vertex_property(bob, s.keys[1], &1.into()).unwrap();
    txn.commit().unwrap();
    assert_eq!(s.find(&["ann".into()]), Some(bob));
    assert_eq!(s.find(&["anna".into()]), Some(ann));
    assert_eq!(s.find(&["bob".into()]), None);
    s.quiet();
    assert_eq!(s.find(&["ann".into()]), Some(bob));

    let mut txn = s.begin();
    txn.delete_vertex(bob).unwrap();
    txn.create_vertex(&[s.label], &[(s.keys[0], "ann".into())])
        .unwrap();
    txn.rollback();
    assert_eq!(violation(s.vertex(&["ann".into()])).holder, Some(bob));
    let mut txn = s.begin();
    txn.remove_label(bob, s.label).unwrap();
    txn.commit().unwrap();
    let third = s.vertex(&["ann".into()]).unwrap();
    let mut txn = s.begin();
    assert_eq!(violation(txn.add_label(bob, s.label)).holder, Some(third));
}

#[test]
fn keys_are_compared_as_cypher_compares_them_and_missing_parts_make_free() {
    let s = scene();
    s.make(s.unique(2)).unwrap();
    let long = "x".repeat(5_000);
    let first = s.vertex(&["a".into(), 1.into()]).unwrap();
    s.vertex(&["a".into(), 2.into()]).unwrap();
    s.vertex(&["a".into()]).unwrap();
    s.vertex(&["a".into()]).unwrap();
    assert_eq!(
        violation(s.vertex(&["a".into(), 1.0.into()])).holder,
        Some(first)
    );
    let second = s.vertex(&[long.as_str().into(), 1.into()]).unwrap();
    s.vertex(&[format!("{long}y").into(), 1.into()]).unwrap();
    assert_eq!(
        violation(s.vertex(&[long.as_str().into(), 1.into()])).holder,
        Some(second)
    );
    s.quiet();
    assert_eq!(s.find(&["a".into(), 1.0.into()]), Some(first));
    assert_eq!(s.find(&[long.into(), 1.into()]), Some(second));
    assert_eq!(s.find(&["a".into(), Value::Null]), None);
    assert_eq!(s.find(&["a".into(), f64::NAN.into()]), None);
}

#[test]
fn a_key_in_flight_is_a_conflict_for_others_whether_it_is_taken_or_let_go() {
    let s = scene();
    s.make(s.unique(1)).unwrap();
    let ann = s.vertex(&["ann".into()]).unwrap();
    let mut taking = s.begin();
    taking
        .create_vertex(&[s.label], &[(s.keys[0], "new".into())])
        .unwrap();
    assert!(is_conflict(&s.vertex(&["new".into()])));
    taking.rollback();
    let mut letting = s.begin();
    letting
        .set_vertex_property(ann, s.keys[0], &Value::Null)
        .unwrap();
    assert!(is_conflict(&s.vertex(&["ann".into()])));
    letting.commit().unwrap();
    s.vertex(&["ann".into()]).unwrap();
    s.vertex(&["new".into()]).unwrap();
}

#[test]
fn a_violation_says_which_commit_it_rests_on() {
    let s = scene();
    s.make(s.unique(1)).unwrap();
    let old = s.begin();
    let mut txn = s.begin();
    txn.create_vertex(&[s.label], &[(s.keys[0], "ann".into())])
        .unwrap();
    let seq = txn.commit().unwrap().seq;
    // Not in the old snapshot, but committed: a violation, not a conflict.
    let mut old = old;
    let result = old.create_vertex(&[s.label], &[(s.keys[0], "ann".into())]);
    assert!(
        matches!(result, Err(WriteError::Constraint { rests_on, .. }) if rests_on == seq),
        "{result:?}"
    );
    assert_eq!(old.rests_on(), seq);
}

#[test]
fn old_snapshots_find_by_the_keys_they_see() {
    let s = scene();
    s.make(s.unique(1)).unwrap();
    let ann = s.vertex(&["ann".into()]).unwrap();
    let old = s.core.begin(Access::Read, Isolation::Snapshot);
    let mut txn = s.begin();
    txn.set_vertex_property(ann, s.keys[0], &"anna".into())
        .unwrap();
    txn.commit().unwrap();
    let other = s.vertex(&["ann".into()]).unwrap();
    s.quiet();
    let epoch = s.core.enter();
    let unique = old.view(&epoch).unique(s.label, &s.keys[..1]).unwrap();
    assert_eq!(unique.seek(&["ann".into()]), Some(ann));
    assert_eq!(unique.seek(&["anna".into()]), None);
    drop(epoch);
    drop(old);
    s.quiet();
    assert_eq!(s.find(&["ann".into()]), Some(other));
}

#[test]
fn snapshots_older_than_a_constraint_find_all_that_have_a_key_in_them() {
    let s = scene();
    let mut anns: Vec<VertexId> = (0..3).map(|_| s.vertex(&["ann".into()]).unwrap()).collect();
    s.quiet();
    let old = s.core.begin(Access::Read, Isolation::Snapshot);
    let mut txn = s.begin();
    txn.set_vertex_property(anns[0], s.keys[0], &"anna".into())
        .unwrap();
    txn.delete_vertex(anns[1]).unwrap();
    txn.commit().unwrap();
    s.make(s.unique(1)).unwrap();
    let kept = anns[2];
    // Somebody writes what the old snapshot sees once more.
    let mut txn = s.begin();
    txn.set_vertex_property(kept, s.keys[0], &"anne".into())
        .unwrap();
    txn.commit().unwrap();
    let new = s.vertex(&["ann".into()]).unwrap();
    s.quiet();
    let find = |txn: &Txn| {
        let epoch = s.core.enter();
        let unique = txn.view(&epoch).unique(s.label, &s.keys[..1]).unwrap();
        let mut found = Vec::new();
        unique.seek_all(&["ann".into()], &mut found);
        assert!(found.contains(&unique.seek(&["ann".into()]).unwrap()));
        found.sort();
        found
    };
    anns.sort();
    assert_eq!(find(&old), anns);
    assert_eq!(
        find(&s.core.begin(Access::Read, Isolation::Snapshot)),
        [new]
    );
}

#[test]
fn a_key_that_another_vertex_has_in_the_snapshot_is_a_conflict_though_it_was_let_go_since() {
    let s = scene();
    s.make(s.unique(1)).unwrap();
    let lets_go: [fn(&Scene, &mut Txn, VertexId); 3] = [
        |s, txn, id| {
            let changed = txn.set_vertex_property(id, s.keys[0], &"other".into());
            changed.unwrap();
        },
        |s, txn, id| assert!(txn.remove_label(id, s.label).unwrap()),
        |_, txn, id| assert!(txn.delete_vertex(id).unwrap()),
    ];
    for (n, let_go) in lets_go.into_iter().enumerate() {
        let key = Value::from(format!("key {n}").as_str());
        let holder = s.vertex(std::slice::from_ref(&key)).unwrap();
        let other = s.vertex(&[]).unwrap();
        s.quiet();
        let [mut old, mut second, mut dirty, mut gone] = [
            Isolation::Snapshot,
            Isolation::Snapshot,
            Isolation::ReadUncommitted,
            Isolation::Snapshot,
        ]
        .map(|isolation| s.core.begin(Access::Write, isolation));
        let mut txn = s.begin();
        let_go(&s, &mut txn, holder);
        txn.commit().unwrap();
        s.quiet();
        let properties = [(s.keys[0], key.clone())];
        // A look-up by the key and a scan have to agree in every snapshot; in these the holder has the key.
        assert!(is_conflict(&old.create_vertex(&[s.label], &properties)));
        assert!(is_conflict(
            &second.set_vertex_property(other, s.keys[0], &key)
        ));
        // This one does not see the holder's former state any more.
        assert!(dirty.create_vertex(&[s.label], &properties).is_ok());
        drop((old, second, dirty));
        // Whoever has taken it since is a violation, which trying again does not mend.
        s.vertex(std::slice::from_ref(&key)).unwrap();
        violation(gone.create_vertex(&[s.label], &properties));
    }
}

#[test]
fn of_eight_threads_that_insert_the_same_keys_one_wins_each() {
    let (threads, n) = (8u16, if cfg!(miri) { 5 } else { 400i64 });
    let graph = graph(threads);
    let label = graph.names().intern_label("Person").unwrap();
    let key = graph.names().intern_key("email").unwrap();
    let wins: Vec<AtomicUsize> = (0..n).map(|_| AtomicUsize::new(0)).collect();
    let core = graph.core(0);
    let mut txn = core.begin(Access::Write, Isolation::Snapshot);
    let definition = ConstraintDefinition::Unique {
        label,
        keys: [key][..].into(),
    };
    txn.create_constraint(definition, None).unwrap();
    txn.commit().unwrap();
    drop(core);
    std::thread::scope(|scope| {
        for number in 0..threads {
            let (graph, wins) = (&graph, &wins);
            scope.spawn(move || {
                let core = graph.core(number);
                for k in 0..n {
                    loop {
                        let mut txn = core.begin(Access::Write, Isolation::Snapshot);
                        let made = txn
                            .create_vertex(&[label], &[(key, Value::string(format!("key {k}")))]);
                        match made {
                            Ok(_) => {
                                txn.commit().unwrap();
                                wins[k as usize].fetch_add(1, Ordering::Relaxed);
                                break;
                            }
                            Err(WriteError::Constraint { .. }) => break,
                            Err(WriteError::Conflict { .. }) => std::thread::yield_now(),
                            Err(other) => panic!("{other}"),
                        }
                    }
                    core.maintain(20);
                }
            });
        }
    });
    assert!(wins.iter().all(|wins| wins.load(Ordering::Relaxed) == 1));
    assert_eq!(graph.vertex_count(), n as u64);
    let core = graph.core(0);
    let txn = core.begin(Access::Read, Isolation::Snapshot);
    let epoch = core.enter();
    let unique = txn.view(&epoch).unique(label, &[key]).unwrap();
    for k in 0..n {
        assert!(unique.seek(&[Value::string(format!("key {k}"))]).is_some());
    }
}

#[test]
fn a_property_has_to_exist_when_the_transaction_ends() {
    let s = scene();
    s.make(s.exists()).unwrap();
    let mut txn = s.begin();
    let id = txn.create_vertex(&[s.label], &[]).unwrap();
    txn.set_vertex_property(id, s.keys[0], &"late".into())
        .unwrap();
    txn.commit().unwrap();

    let mut txn = s.begin();
    txn.set_vertex_property(id, s.keys[0], &Value::Null)
        .unwrap();
    let Err(CommitError::Write(error)) = txn.commit() else {
        panic!("a property that has to exist was removed");
    };
    assert_eq!(
        error.to_string(),
        format!(
            "Unable to commit due to existence constraint violation on :Person(email): node {id} lacks the property"
        )
    );
    let txn = s.begin();
    let epoch = s.core.enter();
    let left = txn.view(&epoch).vertex(id).unwrap().property(s.keys[0]);
    assert!(left.unwrap().is(&"late".into()), "it was rolled back");
    drop(epoch);

    let mut txn = s.begin();
    let bare = txn.create_vertex(&[], &[]).unwrap();
    txn.commit().unwrap();
    let mut txn = s.begin();
    txn.add_label(bare, s.label).unwrap();
    assert!(matches!(txn.commit(), Err(CommitError::Write(_))));
    let mut txn = s.begin();
    txn.add_label(bare, s.label).unwrap();
    txn.remove_label(bare, s.label).unwrap();
    txn.delete_vertex(id).unwrap();
    txn.commit().unwrap();
}

#[test]
fn a_property_is_held_to_its_type_at_each_write() {
    let s = scene();
    s.make(s.typed(PropertyType::Integer)).unwrap();
    let id = s.vertex(&["a".into(), 1.into()]).unwrap();
    let wrong = violation(s.vertex(&["b".into(), "1990".into()]));
    assert_eq!(
        wrong.to_string(),
        "IS TYPED INTEGER violation on :Person(born): a new node has a value of type STRING"
    );
    let mut txn = s.begin();
    let wrong = violation(txn.set_vertex_property(id, s.keys[1], &1.5.into()));
    assert_eq!(
        (wrong.vertex, wrong.found),
        (Some(id), Some(PropertyType::Float))
    );
    txn.set_vertex_property(id, s.keys[1], &Value::Null)
        .unwrap();
    let other = txn.create_vertex(&[], &[(s.keys[1], true.into())]).unwrap();
    assert_eq!(
        violation(txn.add_label(other, s.label)).found,
        Some(PropertyType::Boolean)
    );
    txn.commit().unwrap();
    // One type a property.
    let mut txn = s.begin();
    assert!(matches!(
        txn.create_constraint(s.typed(PropertyType::Float), None),
        Err(WriteError::SchemaExists(_))
    ));
    let mut txn = s.begin();
    assert!(
        txn.create_constraint(s.typed(PropertyType::Integer), None)
            .unwrap()
            .is_none()
    );
    let mut txn = s.begin();
    assert_eq!(
        txn.drop_constraint(&s.typed(PropertyType::Float)),
        Ok(false)
    );
    assert_eq!(
        txn.drop_constraint(&s.typed(PropertyType::Integer)),
        Ok(true)
    );
    txn.commit().unwrap();
    s.vertex(&["b".into(), "1990".into()]).unwrap();
}

#[test]
fn what_is_there_already_is_looked_at_and_a_refusal_leaves_nothing() {
    let s = scene();
    let a = s.vertex(&["same".into(), 1.into()]).unwrap();
    let b = s.vertex(&["same".into(), "text".into()]).unwrap();
    let c = s.vertex(&[Value::Null, 1.into()]).unwrap();
    for settled in [false, true] {
        if settled {
            s.quiet();
        }
        for definition in [s.unique(1), s.typed(PropertyType::Integer), s.exists()] {
            let Err(CommitError::Write(error)) = s.make(definition.clone()) else {
                panic!("{definition:?} was made");
            };
            let wrong = violation::<()>(Err(error));
            assert!(wrong.making);
            match definition {
                ConstraintDefinition::Unique { .. } | ConstraintDefinition::Key { .. } => {
                    assert_eq!((wrong.vertex, wrong.holder), (Some(b), Some(a)));
                    assert_eq!(
                        wrong.to_string(),
                        format!(
                            "Unable to create unique constraint on :Person(email): node {b} has the same values as node {a}"
                        )
                    );
                }
                ConstraintDefinition::Type { .. } => assert_eq!(wrong.vertex, Some(b)),
                ConstraintDefinition::Exists { .. } => assert_eq!(wrong.vertex, Some(c)),
            }
            assert!(s.graph.constraints().is_empty());
        }
    }
    let mut txn = s.begin();
    txn.set_vertex_properties(b, &[(s.keys[0], "other".into()), (s.keys[1], 2.into())])
        .unwrap();
    txn.set_vertex_property(c, s.keys[0], &"third".into())
        .unwrap();
    // What is wrong in a transaction in flight may be put right.
    assert!(matches!(
        s.make(s.unique(1)),
        Err(CommitError::Write(
            WriteError::Constraint { .. } | WriteError::Conflict { .. }
        ))
    ));
    txn.commit().unwrap();
    let version = s.graph.schema_version();
    s.make(s.unique(1)).unwrap();
    s.make(s.typed(PropertyType::Integer)).unwrap();
    s.make(s.exists()).unwrap();
    assert_ne!(s.graph.schema_version(), version);
    let constraints = s.graph.constraints();
    assert_eq!(constraints.len(), 3);
    assert!(constraints.iter().all(|c| c.state == SchemaState::Online));
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
fn what_a_log_brings_is_there_after_it_has_been_applied_and_holds_from_then_on() {
    let recorder = Arc::new(Recorder::default());
    let main = Graph::new(GraphConfig {
        shards: 2,
        cores: 1,
        journal: recorder.clone(),
    });
    let s = Scene {
        label: main.names().intern_label("Person").unwrap(),
        keys: ["email", "born"].map(|name| main.names().intern_key(name).unwrap()),
        core: main.core(0),
        graph: main,
    };
    let ann = s.vertex(&["ann".into(), 1.into()]).unwrap();
    let mut txn = s.begin();
    txn.create_constraint(s.unique(1), Some("emails")).unwrap();
    txn.create_constraint(s.typed(PropertyType::Integer), None)
        .unwrap();
    txn.create_constraint(s.exists(), None).unwrap();
    txn.commit().unwrap();
    let bob = s.vertex(&["bob".into(), 2.into()]).unwrap();
    let mut txn = s.begin();
    txn.set_vertex_property(ann, s.keys[0], &"anna".into())
        .unwrap();
    txn.commit().unwrap();

    // Another number of shards, so that keys lie in other partitions.
    let graph = graph(3);
    let core = graph.core(1);
    for (seq, frame) in &*recorder.0.lock().unwrap() {
        core.apply(*seq, frame).unwrap();
        graph.door().publish(*seq);
    }
    assert_eq!(graph.constraints(), s.graph.constraints());
    let names = graph.names();
    let replica = Scene {
        label: names.label("Person").unwrap(),
        keys: ["email", "born"].map(|name| names.key(name).unwrap()),
        core: graph.core(0),
        graph: graph.clone(),
    };
    for _ in 0..2 {
        assert_eq!(replica.find(&["anna".into()]), Some(ann));
        assert_eq!(replica.find(&["bob".into()]), Some(bob));
        assert_eq!(replica.find(&["ann".into()]), None);
        while core.maintain(1_000) {}
    }
    assert_eq!(violation(replica.vertex(&["bob".into()])).holder, Some(bob));
    assert_eq!(
        violation(replica.vertex(&["eve".into(), "x".into()])).found,
        Some(PropertyType::String)
    );
    replica.vertex(&["ann".into()]).unwrap();
}

#[test]
fn constraints_have_names_and_several_changes_fit_in_one_transaction() {
    let s = scene();
    let mut txn = s.begin();
    txn.create_constraint(s.unique(1), Some("one")).unwrap();
    txn.create_constraint(s.exists(), Some("two")).unwrap();
    assert!(matches!(
        txn.create_vertex(&[s.label], &[]),
        Err(WriteError::Schema(_))
    ));
    txn.commit().unwrap();
    let names: Vec<_> = s.graph.constraints().into_iter().map(|c| c.name).collect();
    assert_eq!(names, [Some("one".into()), Some("two".into())]);
    let mut txn = s.begin();
    assert!(matches!(
        txn.create_constraint(s.unique(2), Some("two")),
        Err(WriteError::SchemaExists(_))
    ));
    let mut txn = s.begin();
    for constraint in s.graph.constraints() {
        assert_eq!(txn.drop_constraint(&constraint.definition), Ok(true));
    }
    drop(txn);
    assert_eq!(s.graph.constraints().len(), 2, "a rollback drops nothing");
}

#[test]
fn a_constraint_is_made_beside_writers_and_holds_for_all_they_wrote() {
    let graph = graph(2);
    let label = graph.names().intern_label("Person").unwrap();
    let key = graph.names().intern_key("email").unwrap();
    let n = if cfg!(miri) { 20 } else { 1_000i64 };
    let (stop, online) = (AtomicBool::new(false), AtomicBool::new(false));
    let keys = || [key][..].into();
    let made = std::thread::scope(|scope| {
        scope.spawn(|| {
            let core = graph.core(1);
            let mut k = 0;
            while !stop.load(Ordering::Relaxed) {
                let mut txn = core.begin(Access::Write, Isolation::Snapshot);
                // At first a key twice now and then; in the end the constraint refuses that.
                let again = k < n && k % 50 == 49 || online.load(Ordering::Relaxed);
                let value = if again { k / 2 } else { k };
                match txn.create_vertex(&[label], &[(key, value.into())]) {
                    Ok(_) => {
                        txn.commit().unwrap();
                    }
                    Err(WriteError::Constraint { .. } | WriteError::Conflict { .. }) => {}
                    Err(other) => panic!("{other}"),
                }
                k += 1;
                core.maintain(10);
            }
        });
        let core = graph.core(0);
        while graph.vertex_count() < n as u64 / 2 {
            std::thread::yield_now();
        }
        let mut made = false;
        for _ in 0..1_000 {
            let mut txn = core.begin(Access::Write, Isolation::Snapshot);
            let definition = ConstraintDefinition::Unique {
                label,
                keys: keys(),
            };
            let mut build = txn.create_constraint(definition, None).unwrap().unwrap();
            let filled = loop {
                match build.step(7) {
                    Ok(true) => {}
                    Ok(false) => break true,
                    Err(_) => break false,
                }
            };
            if filled && txn.commit().is_ok() {
                made = true;
                break;
            }
            // Remove what is there twice, then try again.
            let read = core.begin(Access::Read, Isolation::Snapshot);
            let epoch = core.enter();
            let view = read.view(&epoch);
            let (mut ids, mut seen, mut twice) = (Vec::new(), Vec::new(), Vec::new());
            for page in view.pages(Some(label)) {
                view.scan_page(page, Some(label), &mut ids);
            }
            for id in ids {
                let value = view.vertex(id).unwrap().property(key).unwrap().to_value();
                if seen.contains(&value) {
                    twice.push(id);
                } else {
                    seen.push(value);
                }
            }
            drop(epoch);
            drop(read);
            for id in twice {
                let mut txn = core.begin(Access::Write, Isolation::Snapshot);
                txn.delete_vertex(id).unwrap();
                txn.commit().unwrap();
            }
        }
        online.store(made, Ordering::Relaxed);
        std::thread::sleep(std::time::Duration::from_millis(20));
        stop.store(true, Ordering::Relaxed);
        made
    });
    assert!(made, "the constraint was never made");
    {
        let core = graph.core(0);
        let txn = core.begin(Access::Read, Isolation::Snapshot);
        let epoch = core.enter();
        let view = txn.view(&epoch);
        let mut ids = Vec::new();
        for page in view.pages(Some(label)) {
            view.scan_page(page, Some(label), &mut ids);
        }
        let unique = view.unique(label, &[key]).unwrap();
        for &id in &ids {
            let value = view.vertex(id).unwrap().property(key).unwrap().to_value();
            assert_eq!(unique.seek(&[value]), Some(id), "a key is there twice");
        }
        assert!(ids.len() as i64 >= n / 2);
    }
}
