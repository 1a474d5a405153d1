//! Large transactions: what is done in slices when they end, or while they delete a hub, and what others meet meanwhile.
#![cfg(not(loom))]

use quoit_graph::door::NullJournal;
use quoit_graph::ids::{KeyId, LabelId, TypeId, VertexId};
use quoit_graph::value::{Edge, Value};
use quoit_graph::{
    Access, ConstraintDefinition, Core, Direction, Entity, Graph, GraphConfig, IndexDefinition,
    Isolation, MemoryOwner, Txn, View, WriteError,
};
use std::sync::Arc;

struct Scene {
    graph: Arc<Graph>,
    core: Core,
    label: LabelId,
    type_: TypeId,
    key: KeyId,
}

/// A graph of two shards with an index on its one label and key.
fn scene() -> Scene {
    let graph = Graph::new(GraphConfig {
        shards: 2,
        cores: 2,
        journal: Arc::new(NullJournal::default()),
    });
    let core = graph.core(0);
    let names = graph.names();
    let s = Scene {
        label: names.intern_label("L").unwrap(),
        type_: names.intern_type("T").unwrap(),
        key: names.intern_key("k").unwrap(),
        core,
        graph,
    };
    let mut txn = s.begin();
    let definition = IndexDefinition::on_label(s.label, &[s.key]);
    assert!(txn.create_index(definition, None).unwrap().is_some());
    txn.commit().unwrap();
    s
}

impl Scene {
    fn begin(&self) -> Txn {
        self.core.begin(Access::Write, Isolation::Snapshot)
    }

    /// Vertices with the label and a key of 0.
    fn vertices(&self, n: usize) -> Vec<VertexId> {
        let mut txn = self.begin();
        let one = |_| txn.create_vertex(&[self.label], &[(self.key, 0.into())]);
        let ids = (0..n).map(one).collect::<Result<_, _>>().unwrap();
        txn.commit().unwrap();
        ids
    }

    fn write<R>(&self, work: impl FnOnce(&mut Txn) -> R) -> R {
        self.write_or_not(true, work)
    }

    /// Commits what `work` writes, or rolls it back.
    fn write_or_not<R>(&self, commits: bool, work: impl FnOnce(&mut Txn) -> R) -> R {
        let mut txn = self.begin();
        let result = work(&mut txn);
        match commits {
            true => drop(txn.commit().unwrap()),
            false => txn.rollback(),
        }
        result
    }

    fn edge(&self, a: VertexId, b: VertexId) -> Edge {
        let mut txn = self.begin();
        let edge = txn.create_edge(a, b, self.type_, &[]).unwrap();
        txn.commit().unwrap();
        edge
    }

    fn get(&self, view: &View<'_>, id: VertexId) -> Option<Value> {
        Some(view.vertex(id)?.property(self.key)?.to_value())
    }

    fn bytes(&self, owner: MemoryOwner) -> u64 {
        self.graph.memory().of(owner)
    }

    /// Bytes of what transactions that have ended leave to be done.
    fn waiting(&self) -> u64 {
        self.bytes(MemoryOwner::Transactions)
    }

    /// Makes indexes on the one type: with the one key, and with none.
    fn edge_indexes(&self) {
        let mut txn = self.begin();
        for keys in [&[self.key][..], &[]] {
            let definition = IndexDefinition::on_type(self.type_, keys);
            assert!(txn.create_index(definition, None).unwrap().is_some());
        }
        txn.commit().unwrap();
    }

    /// How many entries those indexes have.
    fn edge_entries(&self) -> [u64; 2] {
        let reader = self.begin();
        let epoch = self.core.enter();
        let view = reader.view(&epoch);
        let size = |keys: &[KeyId]| view.edge_index(self.type_, keys).unwrap().size();
        [size(&[self.key]), size(&[])]
    }

    fn quiet(&self) {
        while self.core.maintain(100_000) {}
        self.core.maintain(100_000);
        self.core.maintain(100_000);
    }
}

/// Housekeeping on a core until it has nothing to do.
fn rest(core: &Core) {
    let rounds = (0..2_000).take_while(|_| core.maintain(1_000)).count();
    assert!(rounds < 2_000, "housekeeping finds more and more to do");
    // What was retired by the last piece rests for an epoch.
    core.maintain(1_000);
    core.maintain(1_000);
}

/// What a new transaction sees of a vertex's key, its edges in a list, and the index's count of a key.
fn seen(s: &Scene, hub: VertexId, ids: &[VertexId], key: i64) -> (usize, usize, usize) {
    let reader = s.begin();
    let epoch = s.core.enter();
    let view = reader.view(&epoch);
    let have = |id: &&VertexId| {
        let vertex = view.vertex(**id).unwrap();
        vertex.property(s.key).map(|value| value.to_value()) == Some(key.into())
    };
    let index = view.index(s.label, &[s.key]).unwrap();
    (
        ids.iter().filter(have).count(),
        view.degree(hub, Direction::Out, &[]) as usize,
        index.seek(&[key.into()]).count(),
    )
}

#[test]
fn a_large_transaction_that_ends_is_settled_in_slices_while_others_read_and_write() {
    const MANY: usize = 3_000;
    for commits in [true, false] {
        let s = scene();
        let hub = s.vertices(1)[0];
        let ids = s.vertices(MANY);
        s.quiet();
        assert_eq!(s.waiting(), 0);
        let old = s.begin();
        let mut txn = s.begin();
        for &id in &ids {
            txn.set_vertex_property(id, s.key, &1.into()).unwrap();
            txn.create_edge(hub, id, s.type_, &[(s.key, 5.into())])
                .unwrap();
        }
        if commits {
            txn.commit().unwrap();
        } else {
            txn.rollback();
        }
        assert!(s.waiting() > 0, "all was settled at once");
        let (mut changed, mut slices) = (0, 0);
        while s.waiting() > 0 {
            let (ones, edges) = if commits {
                (MANY - changed, MANY)
            } else {
                (0, 0)
            };
            assert_eq!(seen(&s, hub, &ids, 1), (ones, edges, ones));
            assert_eq!(seen(&s, hub, &ids, 2), (changed, edges, changed));
            if slices % 8 == 0 && changed < MANY {
                let mut writer = s.begin();
                let id = ids[MANY - 1 - changed];
                writer.set_vertex_property(id, s.key, &2.into()).unwrap();
                writer.commit().unwrap();
                changed += 1;
            }
            s.core.maintain(4);
            slices += 1;
        }
        assert!(slices > 10 && changed > 1);
        s.quiet();
        {
            let epoch = s.core.enter();
            let view = old.view(&epoch);
            assert_eq!(view.degree(hub, Direction::Out, &[]), 0);
            let vertex = |id: &VertexId| view.vertex(*id).unwrap().property(s.key).unwrap();
            assert!(ids.iter().all(|id| vertex(id).to_value() == 0.into()));
        }
        drop(old);
        s.quiet();
        let left = MANY - changed;
        let edges = if commits { MANY } else { 0 };
        let ones = if commits { left } else { 0 };
        assert_eq!(seen(&s, hub, &ids, 0).2, 1 + left - ones);
        assert_eq!(seen(&s, hub, &ids, 1), (ones, edges, ones));
        assert_eq!(seen(&s, hub, &ids, 2), (changed, edges, changed));
        let reader = s.begin();
        let epoch = s.core.enter();
        let view = reader.view(&epoch);
        assert_eq!(
            view.index(s.label, &[s.key]).unwrap().size(),
            MANY as u64 + 1
        );
    }
}

#[test]
fn what_is_rolled_back_but_not_undone_yet_is_in_nobodys_way() {
    let s = scene();
    let mut txn = s.begin();
    let definition = ConstraintDefinition::Unique {
        label: s.label,
        keys: [s.key].into_iter().collect(),
    };
    txn.create_constraint(definition, None).unwrap();
    txn.commit().unwrap();
    let mut txn = s.begin();
    let keys: [i64; 3] = [1, 2, 3];
    let [a, b, c] = keys.map(|k| txn.create_vertex(&[s.label], &[(s.key, k.into())]).unwrap());
    txn.commit().unwrap();
    let edge = s.edge(a, b);
    s.quiet();
    s.graph.set_slices(0, 1);
    let other = s.graph.core(1);

    let mut first = s.begin();
    let lost = first
        .create_vertex(&[s.label], &[(s.key, 9.into())])
        .unwrap();
    first.create_edge(lost, c, s.type_, &[]).unwrap();
    first.delete_edge(edge).unwrap();
    first.set_vertex_property(a, s.key, &8.into()).unwrap();
    first.delete_vertex(b).unwrap();
    first
        .create_edge(a, c, s.type_, &[(s.key, 5.into())])
        .unwrap();
    first.rollback();
    assert!(s.waiting() > 0, "it was undone at once");

    // The keys it claimed, the edge and the vertices it marked, and the vertex that has an edge of it.
    let mut second = other.begin(Access::Write, Isolation::Snapshot);
    {
        let epoch = other.enter();
        let view = second.view(&epoch);
        assert_eq!(s.get(&view, a), Some(1.into()));
        assert!(view.vertex(lost).is_none() && view.vertex(b).is_some());
        assert_eq!(view.degree(c, Direction::Both, &[]), 0);
        assert_eq!(view.degree(a, Direction::Out, &[]), 1);
        let unique = view.unique(s.label, &[s.key]).unwrap();
        assert_eq!(
            [1, 8, 9].map(|k| unique.seek(&[k.into()])),
            [Some(a), None, None]
        );
    }
    let made = second
        .create_vertex(&[s.label], &[(s.key, 9.into())])
        .unwrap();
    second.set_vertex_property(a, s.key, &8.into()).unwrap();
    assert_eq!(second.delete_edge(edge), Ok(true));
    assert_eq!(second.delete_vertex(c), Ok(true));
    second.create_edge(made, b, s.type_, &[]).unwrap();
    assert_eq!(
        second.create_edge(made, lost, s.type_, &[]).map(drop),
        Err(WriteError::VertexDeleted(lost))
    );
    second.commit().unwrap();

    let check = || {
        let reader = s.begin();
        let epoch = s.core.enter();
        let view = reader.view(&epoch);
        let expected = [
            (a, Some(8)),
            (b, Some(2)),
            (c, None),
            (made, Some(9)),
            (lost, None),
        ];
        for (id, key) in expected {
            assert_eq!(s.get(&view, id), key.map(Value::Int));
        }
        let degree = |id, direction| view.degree(id, direction, &[]);
        assert_eq!(degree(a, Direction::Both), 0);
        assert_eq!(
            (degree(made, Direction::Out), degree(b, Direction::In)),
            (1, 1)
        );
        let unique = view.unique(s.label, &[s.key]).unwrap();
        assert_eq!(
            [1, 2, 3, 8, 9].map(|k| unique.seek(&[k.into()])),
            [None, Some(b), None, Some(a), Some(made)]
        );
    };
    check();
    s.quiet();
    while other.maintain(1_000) {}
    s.quiet();
    assert_eq!(s.waiting(), 0);
    check();
    let reader = s.begin();
    let epoch = s.core.enter();
    let view = reader.view(&epoch);
    assert_eq!(view.index(s.label, &[s.key]).unwrap().size(), 3);
}

#[test]
fn nobody_waits_for_more_than_a_slice_of_a_large_transaction() {
    const MANY: usize = 1_500;
    const HELD: u32 = 100;
    let s = scene();
    s.graph.set_slices(1_000, HELD as usize);
    let hub = s.vertices(1)[0];
    let ids = s.vertices(MANY);
    for rolls_back in [true, false] {
        let mut txn = s.begin();
        for &id in &ids {
            txn.create_edge(hub, id, s.type_, &[]).unwrap();
            txn.set_vertex_property(id, s.key, &1.into()).unwrap();
        }
        match rolls_back {
            true => txn.rollback(),
            false => drop(txn.commit().unwrap()),
        }
        assert!(s.waiting() > 0, "all was settled at once");
        s.quiet();
        assert_eq!(s.core.longest_hold(), HELD);
    }
    // Versions that pile up while nobody keeps house.
    for k in 0..2 * i64::from(HELD) {
        let mut txn = s.begin();
        txn.set_vertex_property(hub, s.key, &k.into()).unwrap();
        txn.commit().unwrap();
    }
    s.quiet();
    let mut txn = s.begin();
    assert_eq!(txn.detach_delete_vertex(hub), Ok(MANY as u64));
    txn.commit().unwrap();
    s.quiet();
    assert_eq!(s.core.longest_hold(), HELD);
    assert_eq!(s.graph.edge_count(), 0);
}

#[test]
fn a_hub_whose_deletion_meets_a_conflict_on_the_way_is_as_it_was() {
    let s = scene();
    let hub = s.vertices(1)[0];
    let ids = s.vertices(10);
    let edges: Vec<Edge> = ids.iter().map(|&id| s.edge(hub, id)).collect();
    let looped = s.edge(hub, hub);
    s.graph.set_slices(1, 2);
    let mut other = s.begin();
    other.set_edge_property(edges[7], s.key, &1.into()).unwrap();
    let mut txn = s.begin();
    assert_eq!(
        txn.detach_delete_vertex(hub),
        Err(WriteError::Conflict {
            entity: Entity::Edge(edges[7].id)
        })
    );
    assert!(txn.stats().edges_deleted > 0, "it met the conflict at once");
    assert_eq!(txn.delete_vertex(ids[0]), Err(WriteError::Doomed));
    txn.rollback();
    other.commit().unwrap();
    for _ in 0..2 {
        let reader = s.begin();
        let epoch = s.core.enter();
        let view = reader.view(&epoch);
        assert_eq!(s.get(&view, hub), Some(0.into()));
        assert_eq!(view.degree(hub, Direction::Out, &[]), 11);
        assert!(
            ids.iter()
                .all(|&id| view.degree(id, Direction::In, &[]) == 1)
        );
        drop(epoch);
        s.quiet();
    }
    let mut txn = s.begin();
    assert_eq!(txn.detach_delete_vertex(hub), Ok(11));
    assert_eq!(txn.detach_delete_vertex(hub), Ok(0));
    assert_eq!(txn.delete_edge(looped), Ok(false));
    txn.commit().unwrap();
    s.quiet();
    assert_eq!((s.graph.edge_count(), s.graph.vertex_count()), (0, 10));
}

#[test]
fn what_is_rolled_back_leaves_nothing_of_edges_whose_ends_have_gone_before_them() {
    let s = scene();
    s.edge_indexes();
    let target = s.vertices(1)[0];
    // One by one: a page goes with its last vertex, before the edges of that.
    s.graph.set_slices(100, 1);
    let mut left = Vec::new();
    for _ in 0..3 {
        let mut txn = s.begin();
        for _ in 0..2_100 {
            let id = txn.create_vertex(&[], &[]).unwrap();
            for k in 0..2 {
                txn.create_edge(id, target, s.type_, &[(s.key, k.into())])
                    .unwrap();
            }
        }
        txn.rollback();
        rest(&s.core);
        left.push([MemoryOwner::Versions, MemoryOwner::Indexes].map(|owner| s.bytes(owner)));
        assert_eq!(s.edge_entries(), [0, 0]);
    }
    assert_eq!(left[0], left[1]);
    assert_eq!(left[0], left[2]);
}

#[test]
fn edges_whose_sources_another_core_forgets_before_they_are_settled_leave_nothing() {
    const MANY: usize = 2_100;
    for commits in [true, false] {
        let s = scene();
        let other = s.graph.core(1);
        s.edge_indexes();
        let target = s.vertices(1)[0];
        rest(&s.core);
        let before = s.bytes(MemoryOwner::Versions);
        let mut txn = s.begin();
        let made = (0..MANY).map(|_| txn.create_vertex(&[], &[]).unwrap());
        let sources: Vec<VertexId> = made.collect();
        txn.commit().unwrap();
        rest(&s.core);
        s.graph.set_slices(0, 512);
        let mut txn = s.begin();
        for &id in &sources {
            txn.create_edge(id, target, s.type_, &[(s.key, 5.into())])
                .unwrap();
        }
        match commits {
            true => drop(txn.commit().unwrap()),
            false => txn.rollback(),
        }
        let waiting = s.waiting();
        assert!(waiting > 0, "all was settled at once");
        let mut txn = other.begin(Access::Write, Isolation::Snapshot);
        for &id in &sources {
            assert_eq!(txn.detach_delete_vertex(id), Ok(commits as u64));
        }
        txn.commit().unwrap();
        rest(&other);
        assert_eq!(s.graph.vertex_count(), 1);
        assert_eq!(s.waiting(), waiting);
        rest(&s.core);
        rest(&other);
        rest(&s.core);
        rest(&other);
        assert_eq!(s.waiting(), 0);
        assert_eq!(s.edge_entries(), [0, 0]);
        assert_eq!(s.bytes(MemoryOwner::Versions), before);
    }
}

#[test]
fn housekeeping_comes_to_an_end_while_what_it_waits_for_is_another_cores_to_settle() {
    const MANY: usize = 3_000;
    let s = scene();
    let other = s.graph.core(1);
    let hub = s.vertices(1)[0];
    let ids = s.vertices(MANY);
    let pair = s.vertices(2);
    rest(&s.core);
    // Lists that the other core looks after.
    let mut txn = other.begin(Access::Write, Isolation::Snapshot);
    txn.create_edge(pair[0], pair[1], s.type_, &[]).unwrap();
    txn.commit().unwrap();
    s.graph.set_slices(0, 512);
    let mut txn = s.begin();
    let mut edges = Vec::new();
    for &id in &ids {
        txn.set_vertex_property(id, s.key, &1.into()).unwrap();
        edges.push(txn.create_edge(hub, id, s.type_, &[]).unwrap());
    }
    let edge = txn.create_edge(pair[0], pair[1], s.type_, &[]).unwrap();
    txn.commit().unwrap();
    let waiting = s.waiting();
    rest(&other);
    let mut txn = other.begin(Access::Write, Isolation::Snapshot);
    txn.set_vertex_property(ids[0], s.key, &2.into()).unwrap();
    assert_eq!(txn.delete_edge(edges[1]), Ok(true));
    assert_eq!(txn.delete_edge(edge), Ok(true));
    txn.commit().unwrap();
    // It settles its own, finds that the rest has to wait, and has nothing more to do.
    let busy = (0..50).filter(|_| other.maintain(1_000)).count();
    assert!(busy < 10, "{busy} rounds of 50 found more to do");
    assert_eq!(s.waiting(), waiting);
    rest(&s.core);
    rest(&other);
    rest(&s.core);
    assert_eq!(
        seen(&s, hub, &ids, 1),
        (MANY - 1, MANY - 1, MANY - 1),
        "what was waited for is forgotten afterwards"
    );
    assert_eq!(seen(&s, hub, &ids, 2).2, 1);
    let reader = s.begin();
    let epoch = s.core.enter();
    let index = reader.view(&epoch).index(s.label, &[s.key]).unwrap();
    assert_eq!(index.size(), MANY as u64 + 3);
    assert_eq!(s.graph.edge_count(), MANY as u64);
}

#[test]
fn an_edge_whose_first_property_is_rolled_back_keeps_no_version() {
    let s = scene();
    let ids = s.vertices(2);
    let edge = s.edge(ids[0], ids[1]);
    rest(&s.core);
    let before = s.bytes(MemoryOwner::Versions);
    let mut txn = s.begin();
    txn.set_edge_property(edge, s.key, &1.into()).unwrap();
    txn.rollback();
    rest(&s.core);
    assert_eq!(s.bytes(MemoryOwner::Versions), before);
}

#[test]
fn a_vertex_with_many_versions_of_one_transaction_is_settled_and_forgotten_in_slices() {
    const MANY: i64 = 2_000;
    const HELD: u32 = 50;
    let s = scene();
    let mut txn = s.begin();
    let definition = ConstraintDefinition::Unique {
        label: s.label,
        keys: [s.key].into_iter().collect(),
    };
    txn.create_constraint(definition, None).unwrap();
    txn.commit().unwrap();
    let ids: Vec<VertexId> = s.write(|txn| {
        let keys = [-1, -2];
        let one = |k: i64| txn.create_vertex(&[s.label], &[(s.key, k.into())]).unwrap();
        keys.map(one).into()
    });
    let edge = s.edge(ids[0], ids[1]);
    rest(&s.core);
    s.graph.set_slices(1_000, HELD as usize);
    let found = |key: i64| {
        let reader = s.begin();
        let epoch = s.core.enter();
        let view = reader.view(&epoch);
        let index = view.index(s.label, &[s.key]).unwrap();
        let seen = index.seek(&[key.into()]).count();
        assert_eq!(
            view.unique(s.label, &[s.key])
                .unwrap()
                .seek(&[key.into()])
                .is_some(),
            seen == 1
        );
        (seen, index.size())
    };
    let before = s.bytes(MemoryOwner::Versions);
    for commits in [false, true] {
        s.write_or_not(commits, |txn| {
            for k in 0..MANY {
                txn.next_clause();
                // The first key comes again on the way.
                let key = if k == 100 { -1 } else { k };
                txn.set_vertex_property(ids[0], s.key, &key.into()).unwrap();
                txn.set_edge_property(edge, s.key, &key.into()).unwrap();
            }
        });
        rest(&s.core);
        assert_eq!(s.core.longest_hold(), HELD);
        let (own, last) = if commits { (0, 1) } else { (1, 0) };
        assert_eq!(found(-1), (own, 2));
        assert_eq!(found(MANY - 1), (last, 2));
        assert_eq!(found(5), (0, 2));
        assert_eq!(s.waiting(), 0);
        assert_eq!(s.bytes(MemoryOwner::Versions), before);
    }
}
