//! Memory: what is forgotten under long readers, what owners are charged, where the limit ends an operation.
#![cfg(not(loom))]

use quoit_graph::door::NullJournal;
use quoit_graph::ids::{KeyId, LabelId, TypeId, VertexId};
use quoit_graph::value::Value;
use quoit_graph::{
    Access, ConstraintDefinition, Core, Graph, GraphConfig, IndexDefinition, Isolation,
    MemoryCharge, MemoryOwner, NewEdge, NewVertex, Txn, WriteError,
};
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

    /// Bytes of all but queues, which keep some room.
    fn held(&self) -> u64 {
        self.graph.memory().tracked() - self.bytes(MemoryOwner::Housekeeping)
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
    // More readers than a core publishes one by one.
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
    // A larger number takes some bytes more.
    let versions = versions + 8;
    let now = s.bytes(MemoryOwner::Versions);
    assert!(now <= versions, "{versions} bytes became {now}");
    // What readers have kept goes with them, whoever began before.
    readers.truncate(10);
    s.quiet();
    let now = s.bytes(MemoryOwner::Versions);
    assert!(now * 3 < versions * 2, "{versions} bytes became {now}");
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
        tracked.push(s.held());
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

/// Creates vertices with one kilobyte each until there is no more memory; how many, and the refusal.
fn fill(s: &Scene, core: &Core, txn: &mut Txn) -> (u64, WriteError) {
    let text = Value::from("x".repeat(1000));
    for n in 0..1_000_000 {
        match txn.create_vertex(&[s.label], &[(s.key, text.clone())]) {
            Ok(_) if n % 100 == 0 => {
                core.maintain(64);
            }
            Ok(_) => {}
            Err(error) => return (n, error),
        }
    }
    panic!("a gigabyte fits into the limit");
}

#[test]
fn at_the_limit_a_write_is_refused_whole_and_rolling_back_makes_room_again() {
    const LIMIT: u64 = 32 << 20;
    let s = scene();
    s.write(|txn| txn.create_vertex(&[s.label], &[(s.key, 1.into())]).unwrap());
    s.quiet();
    s.graph.set_memory_limit(Some(LIMIT));
    let before = s.held();
    let mut fitted = Vec::new();
    for _ in 0..3 {
        let mut txn = s.begin();
        let (made, error) = fill(&s, &s.core, &mut txn);
        assert!(matches!(error, WriteError::MemoryLimit(_)), "{error}");
        assert!(
            error.to_string().starts_with("memory limit exceeded"),
            "{error}"
        );
        let memory = s.graph.memory();
        assert!(memory.tracked() <= LIMIT - memory.reserve, "{memory:?}");
        assert_eq!(txn.stats().vertices_created, made, "the refused one counts");
        let (more, error) = fill(&s, &s.core, &mut s.begin());
        assert!(
            more < made && matches!(error, WriteError::MemoryLimit(_)),
            "{error}"
        );
        txn.rollback();
        s.quiet();
        fitted.push(made);
        let left = s.held();
        // Numbers are not given again, so an empty page is being filled.
        assert!(left <= before + (48 << 10), "{before} bytes became {left}");
    }
    // A version and a place in the frame, so about two kilobytes each.
    assert!(
        fitted.iter().all(|&n| n > 8_000 && n < 16_000),
        "{fitted:?}"
    );
    assert_eq!(s.graph.vertex_count(), 1);
    s.graph.set_memory_limit(None);
    s.write(|txn| {
        for _ in 0..1000 {
            txn.create_vertex(&[s.label], &[(s.key, "y".repeat(50_000).as_str().into())])
                .unwrap();
        }
    });
}

#[test]
fn a_batch_is_admitted_as_a_whole() {
    let s = scene();
    s.graph.set_memory_limit(Some(16 << 20));
    let mut txn = s.begin();
    let text = Value::from("x".repeat(1000));
    let properties = [(s.key, text)];
    let labels = [s.label];
    let vertex = NewVertex {
        labels: &labels,
        properties: &properties,
    };
    let ids = txn.create_vertices(&vec![vertex; 1000]).unwrap();
    let batch = txn.create_vertices(&vec![vertex; 20_000]);
    assert!(matches!(batch, Err(WriteError::MemoryLimit(_))));
    assert_eq!(txn.stats().vertices_created, 1000);
    let edge = NewEdge {
        source: ids[0],
        target: ids[1],
        type_: s.type_,
        properties: &[],
    };
    let edges = txn.create_edges(&vec![edge; 100_000]);
    assert!(matches!(edges, Err(WriteError::MemoryLimit(_))));
    assert_eq!(txn.stats().edges_created, 0);
    txn.create_edges(&vec![edge; 1000]).unwrap();
    txn.commit().unwrap();
    let memory = s.graph.memory();
    assert!(memory.tracked() <= 16 << 20, "{memory:?}");
}

#[test]
fn one_budget_serves_all_cores_and_ends_on_whichever_asks_for_the_last_of_it() {
    const LIMIT: u64 = 48 << 20;
    let s = scene();
    s.graph.set_memory_limit(Some(LIMIT));
    let (label, key) = (s.label, s.key);
    let graph = s.graph.clone();
    let other = std::thread::spawn(move || {
        let core = graph.core(1);
        let mut txn = core.begin(Access::Write, Isolation::Snapshot);
        let text = Value::from("x".repeat(1000));
        let mut n = 0;
        let error = loop {
            match txn.create_vertex(&[label], &[(key, text.clone())]) {
                Ok(_) => n += 1,
                Err(error) => break error,
            }
        };
        assert!(matches!(error, WriteError::MemoryLimit(_)), "{error}");
        txn.rollback();
        while core.maintain(1000) {}
        core.maintain(1000);
        n
    });
    let mut txn = s.begin();
    let (mine, error) = fill(&s, &s.core, &mut txn);
    assert!(matches!(error, WriteError::MemoryLimit(_)), "{error}");
    let memory = s.graph.memory();
    assert!(memory.tracked() <= LIMIT - memory.reserve, "{memory:?}");
    txn.rollback();
    let theirs: u64 = other.join().unwrap();
    assert!(mine > 0 && theirs > 0);
    s.quiet();
    let mut txn = s.begin();
    assert!(fill(&s, &s.core, &mut txn).0 > mine.max(theirs) / 2);
}

#[test]
fn what_queries_hold_and_what_the_process_uses_besides_count_against_the_limit() {
    let s = scene();
    s.graph.set_memory_limit(Some(64 << 20));
    let mut charge = MemoryCharge::new(s.core.clone(), MemoryOwner::Queries);
    charge.grow(40 << 20).unwrap();
    assert_eq!(s.bytes(MemoryOwner::Queries), 40 << 20);
    assert!(charge.grow(40 << 20).is_err());
    assert_eq!(charge.bytes(), 40 << 20, "a refused charge has grown");
    charge.shrink(30 << 20);
    charge.grow(40 << 20).unwrap();
    drop(charge);
    assert_eq!(s.bytes(MemoryOwner::Queries), 0);
    // The allocator holds 50 MiB that nobody has charged.
    s.graph
        .observe_active_memory(s.graph.memory().tracked() + (50 << 20));
    let mut charge = MemoryCharge::new(s.core.clone(), MemoryOwner::Queries);
    let refused = charge.grow(20 << 20).unwrap_err();
    assert!(refused.used >= 50 << 20, "{refused}");
    s.graph.observe_active_memory(0);
    charge.grow(20 << 20).unwrap();
}

#[test]
fn a_transactions_own_frame_is_counted_until_it_ends() {
    let s = scene();
    let text = Value::from("x".repeat(1 << 20));
    let id = s.write(|txn| txn.create_vertex(&[s.label], &[]).unwrap());
    for commits in [true, false] {
        let mut txn = s.begin();
        for _ in 0..9 {
            txn.set_vertex_property(id, s.key, &text).unwrap();
        }
        assert!(s.bytes(MemoryOwner::Transactions) >= 8 << 20);
        if commits {
            txn.commit().unwrap();
        } else {
            txn.rollback();
        }
        assert_eq!(s.bytes(MemoryOwner::Transactions), 0);
    }
}

/// What comes and goes in one round of a churn.
type Round = fn(&Scene, &[VertexId], u64);

fn made_and_deleted(s: &Scene, base: &[VertexId], round: u64) {
    let made: Vec<VertexId> = s.write(|txn| {
        let vertex = |_| txn.create_vertex(&[s.label], &[(s.key, 1.into())]).unwrap();
        (0..500).map(vertex).collect()
    });
    s.write(|txn| {
        for (n, &id) in made.iter().enumerate() {
            let at = |k: usize| made[(n * 7 + k + round as usize) % made.len()];
            for k in 0..4 {
                txn.create_edge(id, at(k), s.type_, &[]).unwrap();
            }
            txn.create_edge(base[n % base.len()], id, s.type_, &[(s.key, 2.into())])
                .unwrap();
        }
    });
    s.write(|txn| {
        for id in made {
            txn.detach_delete_vertex(id).unwrap();
        }
    });
}

fn updated(s: &Scene, base: &[VertexId], round: u64) {
    for id in base {
        s.set(*id, round as i64);
    }
}

fn edges_updated(s: &Scene, base: &[VertexId], round: u64) {
    s.write(|txn| {
        for pair in base.windows(2) {
            let edge = txn
                .create_edge(pair[0], pair[1], s.type_, &[(s.key, 1.into())])
                .unwrap();
            txn.next_clause();
            txn.set_edge_property(edge, s.key, &(round as i64).into())
                .unwrap();
        }
    });
    let found = |txn: &Txn, id: VertexId| {
        let epoch = s.core.enter();
        let view = txn.view(&epoch);
        let edges: Vec<_> = view.edges(id, quoit_graph::Direction::Out, &[]).collect();
        edges
    };
    for &id in base {
        s.write(|txn| {
            for edge in found(txn, id) {
                txn.delete_edge(edge.edge).unwrap();
            }
        });
    }
}

fn indexed(s: &Scene, base: &[VertexId], round: u64) {
    let definition = IndexDefinition::on_label(s.label, &[s.key]);
    s.write(|txn| {
        assert!(
            txn.create_index(definition.clone(), None)
                .unwrap()
                .is_some()
        )
    });
    updated(s, base, round);
    s.write(|txn| assert!(txn.drop_index(&definition).unwrap()));
}

fn undone(s: &Scene, base: &[VertexId], round: u64) {
    let mut txn = s.begin();
    for &id in base {
        let new = txn
            .create_vertex(&[s.label], &[(s.key, (round as i64).into())])
            .unwrap();
        txn.create_edge(new, id, s.type_, &[(s.key, 1.into())])
            .unwrap();
        txn.set_vertex_property(id, s.key, &3.into()).unwrap();
    }
    // The statement fails: it has an edge.
    assert!(txn.delete_vertex(base[0]).is_err());
    txn.rollback();
}

/// Unique keys that come and go, more of them than one look through their table takes in.
fn unique(s: &Scene, _: &[VertexId], round: u64) {
    let names = s.graph.names();
    let label = names.intern_label("U").unwrap();
    let key = names.intern_key("u").unwrap();
    if round == 0 {
        let keys = [key].as_slice().into();
        s.write(|txn| {
            txn.create_constraint(ConstraintDefinition::Unique { label, keys }, None)
                .unwrap()
        });
        s.quiet();
    }
    for batch in 0..20 {
        let vertex = |txn: &mut Txn, n: i64| {
            txn.create_vertex(&[label], &[(key, (batch * 500 + n).into())])
                .unwrap()
        };
        let ids: Vec<VertexId> = s.write(|txn| (0..500).map(|n| vertex(txn, n)).collect());
        s.write(|txn| {
            ids.iter()
                .for_each(|id| assert!(txn.delete_vertex(*id).unwrap()))
        });
        // In the middle of a look through the table more keys go.
        s.core.maintain(3);
    }
}

#[test]
fn whatever_comes_and_goes_memory_returns_to_where_it_was() {
    let churns: [(&str, Round); 6] = [
        ("made and deleted", made_and_deleted),
        ("updated", updated),
        ("edges updated", edges_updated),
        ("indexed", indexed),
        ("unique", unique),
        ("undone", undone),
    ];
    for (name, churn) in churns {
        // With a reader that was there before the rounds, and without one.
        for old_reader in [true, false] {
            let s = scene();
            let base: Vec<VertexId> = s.write(|txn| {
                let vertex = |k| {
                    txn.create_vertex(&[s.label], &[(s.key, i64::from(k).into())])
                        .unwrap()
                };
                (0..200).map(vertex).collect()
            });
            s.quiet();
            let reader = old_reader.then(|| s.begin());
            let mut tracked = Vec::new();
            for round in 0..8 {
                churn(&s, &base, round);
                s.quiet();
                tracked.push(s.graph.memory().tracked());
            }
            // Where keys fall is drawn anew each time, and some hundred of those that went may wait for the next look
            // through their table: what only comes and goes is low again now and then, what is left behind never is.
            let early = tracked[1];
            let late = *tracked[4..].iter().min().unwrap();
            // Numbers are not given again, so a page more may be in use.
            assert!(
                late <= early + early / 10 + (48 << 10),
                "{name}, old reader {old_reader}: {tracked:?}\n{:?}",
                s.graph.memory()
            );
            if let Some(reader) = &reader {
                assert_eq!(s.get(reader, base[7]), Some(7), "{name}");
            }
        }
    }
}

#[test]
fn what_is_too_large_too_deep_or_too_many_is_refused_by_name_and_leaves_nothing() {
    let s = scene();
    let id = s.write(|txn| txn.create_vertex(&[s.label], &[(s.key, 1.into())]).unwrap());
    let mut txn = s.begin();
    let too_large = Value::from("x".repeat(65 << 20));
    let mut too_deep = Value::list(vec![]);
    for _ in 0..200 {
        too_deep = Value::list(vec![too_deep]);
    }
    let labels: Vec<LabelId> = (0..1_100)
        .map(|n| txn.label(&format!("L{n}")).unwrap())
        .collect();
    let path = [(s.key, Value::Vertex(id))];
    let refusals = [
        (
            txn.create_vertex(&[], &[(s.key, too_large.clone())])
                .unwrap_err(),
            "larger than",
        ),
        (
            txn.set_vertex_property(id, s.key, &too_large).unwrap_err(),
            "larger than",
        ),
        (
            txn.set_vertex_property(id, s.key, &too_deep).unwrap_err(),
            "nested deeper",
        ),
        (
            txn.create_vertex(&labels, &[]).unwrap_err(),
            "labels of one node",
        ),
        (
            txn.replace_vertex_properties(id, &path).unwrap_err(),
            "cannot be stored",
        ),
    ];
    for (refusal, text) in refusals {
        assert!(refusal.to_string().contains(text), "{refusal}");
    }
    assert_eq!(txn.stats(), Default::default());
    txn.set_vertex_property(id, s.key, &2.into()).unwrap();
    txn.commit().unwrap();
    assert_eq!(s.get(&s.begin(), id), Some(2));
    assert_eq!(s.graph.vertex_count(), 1);
}

#[test]
fn what_housekeeping_notes_and_what_names_take_is_counted() {
    const MANY: usize = 5_000;
    let s = scene();
    let ids: Vec<VertexId> = s.write(|txn| {
        let one = |_| txn.create_vertex(&[s.label], &[(s.key, 0.into())]).unwrap();
        (0..MANY).map(one).collect()
    });
    s.quiet();
    let names = s.bytes(MemoryOwner::Names);
    for n in 0..MANY {
        let name = format!("a property with a name of its own: {n}");
        s.graph.names().intern_key(&name).unwrap();
    }
    s.core.maintain(1);
    assert!(s.bytes(MemoryOwner::Names) > names + 30 * MANY as u64);
    let at_rest = s.bytes(MemoryOwner::Housekeeping);
    let reader = s.begin();
    s.write(|txn| {
        for &id in &ids {
            txn.set_vertex_property(id, s.key, &1.into()).unwrap();
        }
    });
    s.write(|txn| {
        for &id in &ids {
            txn.set_vertex_property(id, s.key, &2.into()).unwrap();
        }
    });
    s.core.maintain(1);
    let noted = s.bytes(MemoryOwner::Housekeeping);
    assert!(
        noted > at_rest + 16 * MANY as u64,
        "{at_rest}, then {noted}"
    );
    drop(reader);
    s.quiet();
    // A core that goes takes its lists with it.
    let Scene { graph, core, .. } = s;
    drop(core);
    assert_eq!(graph.memory().of(MemoryOwner::Housekeeping), 0);
}
