//! Transactions case by case: conflicts, own writes by clause, undoing, isolation, limits, memory.
#![cfg(not(loom))]

use quoit_graph::door::{Door, Journal, NullJournal, ReserveError};
use quoit_graph::ids::{CommitSeq, EdgeId, KeyId, LabelId, PageId, TypeId, VertexId};
use quoit_graph::value::{Edge, Value};
use quoit_graph::{
    Access, ApplyError, Bound, CommitError, Core, Cursor, Direction, Entity, Graph, GraphConfig,
    IndexDefinition, Isolation, KeyRange, MemoryOwner, NextKey, Order, Txn, WriteError,
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
    let (label, type_) = (
        names.intern_label("L").unwrap(),
        names.intern_type("T").unwrap(),
    );
    let key = names.intern_key("k").unwrap();
    Scene {
        graph,
        core,
        label,
        type_,
        key,
    }
}

/// Makes the index of a scene's label and key; whether there was none.
fn made(txn: &mut Txn, s: &Scene) -> Result<bool, WriteError> {
    let definition = IndexDefinition::on_label(s.label, &[s.key]);
    Ok(txn.create_index(definition, None)?.is_some())
}

impl Scene {
    fn begin(&self) -> Txn {
        self.core.begin(Access::Write, Isolation::Snapshot)
    }

    fn vertex(&self, k: i64) -> VertexId {
        let mut txn = self.begin();
        let id = txn
            .create_vertex(&[self.label], &[(self.key, k.into())])
            .unwrap();
        txn.commit().unwrap();
        id
    }

    fn edge(&self, a: VertexId, b: VertexId) -> Edge {
        let mut txn = self.begin();
        let edge = txn.create_edge(a, b, self.type_, &[]).unwrap();
        txn.commit().unwrap();
        edge
    }

    fn get(&self, txn: &Txn, id: VertexId) -> Option<Value> {
        let epoch = self.core.enter();
        txn.view(&epoch)
            .vertex(id)?
            .property(self.key)
            .map(|value| value.to_value())
    }

    fn quiet(&self) {
        while self.core.maintain(100_000) {}
        self.core.maintain(100_000);
    }
}

fn conflict(entity: Entity) -> Result<(), WriteError> {
    Err(WriteError::Conflict { entity })
}

#[test]
fn the_first_updater_wins_whether_it_has_committed_or_not() {
    let s = scene();
    let id = s.vertex(0);
    let (mut first, mut second, mut third) = (s.begin(), s.begin(), s.begin());
    first.set_vertex_property(id, s.key, &1.into()).unwrap();
    assert_eq!(
        second.set_vertex_property(id, s.key, &2.into()),
        conflict(Entity::Vertex(id))
    );
    assert_eq!(
        second.set_vertex_property(id, s.key, &2.into()),
        Err(WriteError::Doomed)
    );
    assert_eq!(second.commit(), Err(CommitError::Doomed));
    first.commit().unwrap();
    assert_eq!(
        third.add_label(id, s.label).map(drop),
        conflict(Entity::Vertex(id))
    );
    let mut fourth = s.begin();
    fourth.set_vertex_property(id, s.key, &4.into()).unwrap();
    fourth.commit().unwrap();
    assert_eq!(s.get(&s.begin(), id), Some(4.into()));
}

#[test]
fn an_undone_update_is_no_conflict() {
    let s = scene();
    let id = s.vertex(0);
    let mut second = s.begin();
    let mut first = s.begin();
    first.set_vertex_property(id, s.key, &1.into()).unwrap();
    first.rollback();
    second.set_vertex_property(id, s.key, &2.into()).unwrap();
    second.commit().unwrap();
    assert_eq!(s.get(&s.begin(), id), Some(2.into()));
}

#[test]
fn edges_at_one_hub_do_not_conflict_but_its_deletion_does() {
    let s = scene();
    let (hub, a, b) = (s.vertex(0), s.vertex(1), s.vertex(2));
    let (mut first, mut second, mut third) = (s.begin(), s.begin(), s.begin());
    first.create_edge(hub, a, s.type_, &[]).unwrap();
    second.create_edge(b, hub, s.type_, &[]).unwrap();
    assert_eq!(
        third.delete_vertex(hub).map(drop),
        conflict(Entity::Vertex(hub))
    );
    let mut fourth = s.begin();
    first.commit().unwrap();
    second.commit().unwrap();
    assert_eq!(
        fourth.detach_delete_vertex(hub).map(drop),
        conflict(Entity::Vertex(hub))
    );
    let mut fifth = s.begin();
    let late = s.begin();
    assert_eq!(
        fifth.delete_vertex(hub),
        Err(WriteError::DeleteConnectedVertex(hub))
    );
    assert_eq!(fifth.detach_delete_vertex(hub), Ok(2));
    let mut sixth = s.begin();
    assert_eq!(
        sixth.create_edge(a, hub, s.type_, &[]).map(drop),
        conflict(Entity::Vertex(hub))
    );
    fifth.commit().unwrap();
    assert_eq!(
        late.view(&s.core.enter()).degree(hub, Direction::Both, &[]),
        2
    );
    let mut seventh = s.begin();
    assert_eq!(
        seventh.create_edge(a, hub, s.type_, &[]).map(drop),
        Err(WriteError::VertexDeleted(hub))
    );
}

#[test]
fn an_edge_that_is_being_deleted_can_not_be_changed() {
    let s = scene();
    let (a, b) = (s.vertex(0), s.vertex(1));
    let edge = s.edge(a, b);
    let (mut first, mut second, mut third) = (s.begin(), s.begin(), s.begin());
    first.delete_edge(edge).unwrap();
    assert_eq!(
        second.set_edge_property(edge, s.key, &1.into()),
        conflict(Entity::Edge(edge.id))
    );
    first.rollback();
    third.set_edge_property(edge, s.key, &1.into()).unwrap();
    let mut fourth = s.begin();
    assert_eq!(
        fourth.delete_edge(edge).map(drop),
        conflict(Entity::Edge(edge.id))
    );
    third.commit().unwrap();
    let mut fifth = s.begin();
    assert_eq!(fifth.delete_edge(edge), Ok(true));
    assert_eq!(fifth.delete_edge(edge), Ok(false));
    assert_eq!(
        fifth.set_edge_property(edge, s.key, &1.into()),
        Err(WriteError::EdgeDeleted(edge.id))
    );
    fifth.commit().unwrap();
}

#[test]
fn a_clause_sees_the_writes_of_earlier_clauses_only() {
    let s = scene();
    let (a, b) = (s.vertex(0), s.vertex(1));
    let edge = s.edge(a, b);
    let mut txn = s.begin();
    txn.set_vertex_property(a, s.key, &10.into()).unwrap();
    txn.set_vertex_property(a, s.key, &11.into()).unwrap();
    let new = txn.create_vertex(&[s.label], &[]).unwrap();
    txn.delete_edge(edge).unwrap();
    let before = txn.begin_statement(true);
    {
        let epoch = s.core.enter();
        let view = txn.view(&epoch);
        assert!(
            view.vertex(a)
                .unwrap()
                .property(s.key)
                .unwrap()
                .is(&0.into())
        );
        assert!(view.vertex(new).is_none() && view.edge_at(edge).is_some());
        let current = txn.view_including_current_clause(&epoch);
        assert!(
            current
                .vertex(a)
                .unwrap()
                .property(s.key)
                .unwrap()
                .is(&11.into())
        );
        assert!(current.vertex(new).is_some() && current.edge_at(edge).is_none());
    }
    txn.next_clause();
    txn.set_vertex_property(a, s.key, &12.into()).unwrap();
    let epoch = s.core.enter();
    assert!(
        txn.view(&epoch)
            .vertex(a)
            .unwrap()
            .property(s.key)
            .unwrap()
            .is(&11.into())
    );
    assert!(
        txn.view_of_statement(&epoch, &before)
            .vertex(a)
            .unwrap()
            .property(s.key)
            .unwrap()
            .is(&0.into())
    );
    assert!(
        txn.view(&epoch)
            .edges(a, Direction::Out, &[])
            .next()
            .is_none()
    );
}

#[test]
fn a_scan_does_not_feed_on_what_its_clause_creates() {
    let s = scene();
    let id = s.vertex(0);
    let mut txn = s.begin();
    let epoch = s.core.enter();
    let view = txn.view(&epoch);
    let mut found = Vec::new();
    for page in view.pages(Some(s.label)) {
        for _ in 0..5 {
            txn.create_vertex(&[s.label], &[]).unwrap();
        }
        view.scan_page(page, Some(s.label), &mut found);
    }
    assert_eq!(found, [id]);
}

#[test]
fn rolling_back_leaves_nothing() {
    let s = scene();
    let mut txn = s.begin();
    assert_eq!(made(&mut txn, &s), Ok(true));
    txn.commit().unwrap();
    let (a, b) = (s.vertex(1), s.vertex(2));
    let edge = s.edge(a, b);
    // So many vertices that the label has left the page for rare ones: its own page stays open.
    for _ in 0..100 {
        let mut txn = s.begin();
        txn.create_vertex(&[s.label], &[]).unwrap();
        txn.rollback();
    }
    s.quiet();
    let before = s.graph.live_bytes();
    let statistics = s.graph.statistics();
    for round in 0..200i64 {
        let mut txn = s.begin();
        for clause in 0..3 {
            txn.set_vertex_property(a, s.key, &(100 + round + clause).into())
                .unwrap();
            txn.set_edge_property(edge, s.key, &round.into()).unwrap();
            txn.next_clause();
        }
        let c = txn.create_vertex(&[s.label], &[(s.key, 9.into())]).unwrap();
        let own = txn
            .create_edge(a, c, s.type_, &[(s.key, 1.into())])
            .unwrap();
        txn.create_edge(c, c, s.type_, &[]).unwrap();
        txn.delete_edge(own).unwrap();
        txn.detach_delete_vertex(b).unwrap();
        if round % 2 == 0 {
            txn.rollback();
        }
        s.quiet();
    }
    let reader = s.begin();
    let epoch = s.core.enter();
    let view = reader.view(&epoch);
    assert!(
        view.vertex(a)
            .unwrap()
            .property(s.key)
            .unwrap()
            .is(&1.into())
            && view.vertex(b).is_some()
    );
    assert_eq!(view.edge_at(edge).unwrap().properties().iter().count(), 0);
    assert_eq!(view.degree(a, Direction::Both, &[]), 1);
    assert_eq!(
        view.index(s.label, &[s.key]).unwrap().size(),
        2,
        "the index keeps entries of undone versions"
    );
    assert_eq!(s.graph.statistics(), statistics);
    drop((epoch, reader));
    // The edge keeps the record that its first, undone property was given: one page of records with room for 1,024, its head and its table.
    // What was retired by the last piece of housekeeping rests for an epoch.
    s.quiet();
    s.quiet();
    let grown = s.graph.live_bytes().saturating_sub(before);
    assert!(grown <= 1024 * 8 + 1280, "{grown} bytes stay behind");
}

#[test]
fn a_reader_keeps_its_snapshot_while_all_changes_and_memory_comes_back_when_it_ends() {
    let s = scene();
    let mut txn = s.begin();
    assert_eq!(made(&mut txn, &s), Ok(true));
    txn.commit().unwrap();
    let kept = s.vertex(-1);
    s.quiet();
    let mut sizes = Vec::new();
    for _ in 0..3 {
        let mut txn = s.begin();
        let vertices: Vec<VertexId> = (0..3_000i64)
            .map(|k| {
                txn.create_vertex(&[s.label], &[(s.key, (k % 50).into())])
                    .unwrap()
            })
            .collect();
        for pair in vertices.windows(2) {
            txn.create_edge(pair[0], pair[1], s.type_, &[(s.key, 1.into())])
                .unwrap();
            txn.create_edge(kept, pair[1], s.type_, &[]).unwrap();
        }
        txn.commit().unwrap();
        let reader = s.begin();
        for chunk in vertices.chunks(100) {
            let mut txn = s.begin();
            for &id in chunk {
                txn.set_vertex_property(id, s.key, &777.into()).unwrap();
            }
            txn.commit().unwrap();
            let mut txn = s.begin();
            for &id in chunk {
                txn.detach_delete_vertex(id).unwrap();
            }
            txn.commit().unwrap();
            s.core.maintain(10);
        }
        s.quiet();
        {
            let epoch = s.core.enter();
            let view = reader.view(&epoch);
            let index = view.index(s.label, &[s.key]).unwrap();
            assert_eq!(index.seek(&[7.into()]).count(), 60);
            assert_eq!(index.seek(&[777.into()]).count(), 0);
            assert_eq!(view.degree(kept, Direction::Out, &[]), 2_999);
            assert!(vertices.iter().all(|&id| view.vertex(id).is_some()));
        }
        drop(reader);
        s.quiet();
        let reader = s.begin();
        assert_eq!(
            reader
                .view(&s.core.enter())
                .index(s.label, &[s.key])
                .unwrap()
                .size(),
            1
        );
        // Queues keep some room.
        sizes.push(s.graph.live_bytes() - s.graph.memory().of(MemoryOwner::Housekeeping));
    }
    assert!(
        sizes[2] <= sizes[0] + 4096,
        "memory grows with each round: {sizes:?}"
    );
    let page = 1024 * 48;
    assert!(
        sizes[2] < 8 * page,
        "a thousand times one vertex costs {} bytes",
        sizes[2]
    );
}

#[test]
fn parallel_edges_and_self_loops_keep_apart_in_both_directions() {
    let s = scene();
    let (a, b) = (s.vertex(0), s.vertex(1));
    let other = s.graph.names().intern_type("U").unwrap();
    let mut txn = s.begin();
    for _ in 0..50 {
        txn.create_edge(a, b, s.type_, &[]).unwrap();
        txn.create_edge(a, b, other, &[]).unwrap();
        txn.create_edge(b, a, s.type_, &[]).unwrap();
        txn.create_edge(a, a, s.type_, &[]).unwrap();
    }
    txn.commit().unwrap();
    s.quiet();
    let txn = s.begin();
    let epoch = s.core.enter();
    let view = txn.view(&epoch);
    let count = |direction, types: &[TypeId]| view.edges(a, direction, types).count();
    assert_eq!(
        (
            count(Direction::Out, &[]),
            count(Direction::In, &[]),
            count(Direction::Both, &[])
        ),
        (150, 100, 200)
    );
    assert_eq!(
        (
            count(Direction::Out, &[other]),
            count(Direction::Both, &[other])
        ),
        (50, 50)
    );
    assert_eq!(
        view.edges_between(a, b, Direction::Out, &[s.type_]).count(),
        50
    );
    assert_eq!(view.edges_between(a, b, Direction::Both, &[]).count(), 150);
    assert_eq!(view.edges_between(a, a, Direction::Both, &[]).count(), 50);
    assert_eq!(view.degree(a, Direction::Both, &[]), 200);
}

#[test]
fn labels_added_later_are_found_by_scans_of_that_label() {
    let s = scene();
    let id = s.vertex(0);
    let late = s.graph.names().intern_label("Late").unwrap();
    let old = s.begin();
    let mut txn = s.begin();
    assert_eq!(txn.add_label(id, late), Ok(true));
    assert_eq!(txn.add_label(id, late), Ok(false));
    assert_eq!(txn.remove_label(id, s.label), Ok(true));
    txn.commit().unwrap();
    let scan = |txn: &Txn, label| {
        let epoch = s.core.enter();
        let view = txn.view(&epoch);
        let mut found = Vec::new();
        view.pages(Some(label))
            .into_iter()
            .for_each(|page| view.scan_page(page, Some(label), &mut found));
        found
    };
    let new = s.begin();
    assert_eq!((scan(&new, late), scan(&new, s.label)), (vec![id], vec![]));
    assert_eq!((scan(&old, late), scan(&old, s.label)), (vec![], vec![id]));
    assert_eq!(
        (
            s.graph.vertices_with_label(late),
            s.graph.vertices_with_label(s.label)
        ),
        (1, 0)
    );
}

#[test]
fn an_index_made_late_serves_older_snapshots_and_is_gone_after_a_rollback() {
    let s = scene();
    let id = s.vertex(1);
    let old = s.begin();
    let mut txn = s.begin();
    txn.set_vertex_property(id, s.key, &2.into()).unwrap();
    txn.commit().unwrap();
    let mut txn = s.begin();
    assert_eq!(made(&mut txn, &s), Ok(true));
    assert!(matches!(
        txn.create_vertex(&[], &[]),
        Err(WriteError::Schema(_))
    ));
    txn.rollback();
    let found = |txn: &Txn, k: i64| {
        txn.view(&s.core.enter())
            .index(s.label, &[s.key])
            .map(|index| index.seek(&[k.into()]).collect::<Vec<_>>())
    };
    assert_eq!(found(&old, 1), None);
    let mut txn = s.begin();
    assert_eq!(made(&mut txn, &s), Ok(true));
    txn.commit().unwrap();
    assert_eq!(s.graph.indexes().len(), 1);
    assert_eq!(
        (found(&old, 1), found(&old, 2)),
        (Some(vec![id]), Some(vec![]))
    );
    assert_eq!(
        (found(&s.begin(), 1), found(&s.begin(), 2)),
        (Some(vec![]), Some(vec![id]))
    );
    let mut txn = s.begin();
    assert_eq!(made(&mut txn, &s), Ok(false));
    assert_eq!(
        txn.drop_index(&IndexDefinition::on_label(s.label, &[s.key])),
        Ok(true)
    );
    txn.commit().unwrap();
    assert_eq!(found(&old, 1), None);
    assert!(s.graph.indexes().is_empty());
}

#[test]
fn a_parked_cursor_goes_on_where_it_was() {
    let s = scene();
    let mut txn = s.begin();
    assert_eq!(made(&mut txn, &s), Ok(true));
    txn.commit().unwrap();
    let ids: Vec<VertexId> = (0..500).map(|k| s.vertex(k)).collect();
    let reader = s.begin();
    let mut cursor = Cursor::default();
    let mut found = Vec::new();
    while !cursor.is_done() {
        let epoch = s.core.enter();
        let index = reader.view(&epoch).index(s.label, &[s.key]).unwrap();
        index.scan(
            &KeyRange {
                equal: &[],
                next: NextKey::Between(Bound::Included(&100.into()), Bound::Unbounded),
                order: Order::Ascending,
            },
            &mut cursor,
            7,
            &mut found,
        );
        drop(epoch);
        // Between two steps the tree changes.
        let last = *found.last().unwrap();
        let mut txn = s.begin();
        let _ = txn.set_vertex_property(last, s.key, &9_999.into());
        txn.create_vertex(&[s.label], &[(s.key, 150.into())])
            .unwrap();
        txn.commit().unwrap();
        s.quiet();
    }
    assert_eq!(found, ids[100..]);
}

#[test]
fn refusals_change_nothing_and_say_what_is_wrong() {
    let s = scene();
    let id = s.vertex(0);
    let mut txn = s.begin();
    let vertex = Value::Vertex(id);
    assert!(matches!(
        txn.set_vertex_property(id, s.key, &vertex),
        Err(WriteError::NotStorable(_))
    ));
    assert!(matches!(
        txn.create_vertex(&[], &[(s.key, vertex.clone())]),
        Err(WriteError::NotStorable(_))
    ));
    let unknown = txn.create_vertex(&[LabelId(99)], &[]);
    assert!(matches!(
        unknown,
        Err(WriteError::UnknownName { id: 99, .. })
    ));
    let nowhere = VertexId::new(PageId(PageId::LIMIT - 1), 3);
    assert_eq!(
        txn.create_edge(id, nowhere, s.type_, &[]).map(drop),
        Err(WriteError::VertexDeleted(nowhere))
    );
    assert_eq!(
        txn.delete_vertex(nowhere),
        Err(WriteError::VertexDeleted(nowhere))
    );
    let no_edge = Edge {
        id: EdgeId::new(id, 7),
        target: id,
        type_: s.type_,
    };
    assert_eq!(
        txn.delete_edge(no_edge),
        Err(WriteError::EdgeDeleted(no_edge.id))
    );
    let epoch = s.core.enter();
    assert!(txn.view(&epoch).vertex(VertexId(u64::MAX)).is_none());
    assert!(txn.view(&epoch).edge(EdgeId(u64::MAX)).is_none());
    assert_eq!(
        txn.view(&epoch)
            .edges(nowhere, Direction::Both, &[])
            .count(),
        0
    );
    assert_eq!(txn.stats(), Default::default());
    txn.commit().unwrap();
    let mut reader = s.core.begin(Access::Read, Isolation::Snapshot);
    assert_eq!(reader.create_vertex(&[], &[]), Err(WriteError::ReadOnly));
    assert_eq!(s.graph.vertex_count(), 1);
}

#[test]
fn a_full_journal_refuses_before_the_number_and_undoes_the_transaction() {
    struct Full;
    impl Journal for Full {
        fn header_bytes(&self) -> usize {
            8
        }
        fn reserve(&self, bytes: usize) -> Result<(), ReserveError> {
            Err(ReserveError::JournalFull(format!("no room for {bytes}")))
        }
        fn release(&self, _: usize) {}
        fn finish_frame(&self, buffer: Vec<u8>) -> bytes::Bytes {
            buffer.into()
        }
        fn kick(&self, _: &Door, _: u16) {}
    }
    let graph = Graph::new(GraphConfig {
        shards: 1,
        cores: 1,
        journal: Arc::new(Full),
    });
    let core = graph.core(0);
    let mut txn = core.begin(Access::Write, Isolation::Snapshot);
    let id = txn.create_vertex(&[], &[]).unwrap();
    assert!(matches!(
        txn.commit(),
        Err(CommitError::Reserve(ReserveError::JournalFull(_)))
    ));
    assert_eq!(graph.door().sealed(), CommitSeq(0));
    let reader = core.begin(Access::Read, Isolation::Snapshot);
    assert!(
        reader
            .view_including_current_clause(&core.enter())
            .vertex(id)
            .is_none()
    );
}

#[test]
fn what_is_sealed_but_not_durable_is_seen_by_auto_commit_updates_only() {
    struct Slow;
    impl Journal for Slow {
        fn header_bytes(&self) -> usize {
            0
        }
        fn reserve(&self, _: usize) -> Result<(), ReserveError> {
            Ok(())
        }
        fn release(&self, _: usize) {}
        fn finish_frame(&self, buffer: Vec<u8>) -> bytes::Bytes {
            buffer.into()
        }
        fn kick(&self, _: &Door, _: u16) {}
    }
    let graph = Graph::new(GraphConfig {
        shards: 1,
        cores: 1,
        journal: Arc::new(Slow),
    });
    let core = graph.core(0);
    let mut txn = core.begin(Access::Write, Isolation::Snapshot);
    let id = txn.create_vertex(&[], &[]).unwrap();
    let seq = txn.commit().unwrap().seq;
    core.maintain(1_000);
    let sees = |txn: &Txn| txn.view(&core.enter()).vertex(id).is_some();
    assert!(!sees(&core.begin(Access::Read, Isolation::Snapshot)));
    let update = core.begin_auto_commit_write(Isolation::Snapshot);
    let reader = core.begin(Access::Read, Isolation::Snapshot);
    assert!(sees(&update) && !sees(&reader));
    graph.door().publish(seq);
    assert!(sees(&core.begin(Access::Read, Isolation::Snapshot)) && !sees(&reader));
}

#[test]
fn a_frame_that_does_not_fit_is_an_error_and_never_a_panic() {
    let s = scene();
    let mut frame = Vec::new();
    let mut deltas = quoit_graph::delta::DeltaWriter::new(&mut frame);
    deltas.define_name(quoit_graph::delta::NameKind::Type, s.type_.0, "T");
    let (a, b) = (VertexId(0), VertexId(1024));
    deltas.create_vertex(a, &[], Default::default());
    deltas.create_edge(
        Edge {
            id: EdgeId::new(a, 0),
            target: b,
            type_: s.type_,
        },
        Default::default(),
    );
    let applied = s.core.apply(CommitSeq(1), &frame);
    assert!(
        matches!(applied, Err(ApplyError::Unfit { .. })),
        "{applied:?}"
    );
    let mut frame = Vec::new();
    let mut deltas = quoit_graph::delta::DeltaWriter::new(&mut frame);
    deltas.create_vertex(VertexId(7), &[LabelId(4_000_000)], Default::default());
    assert!(matches!(
        s.core.apply(CommitSeq(2), &frame),
        Err(ApplyError::Unfit { .. })
    ));
    assert!(matches!(
        s.core.apply(CommitSeq(2), &[250]),
        Err(ApplyError::Delta(_))
    ));
}

#[test]
fn ids_given_after_applying_lie_above_everything_applied() {
    let s = scene();
    let mut frame = Vec::new();
    let far = VertexId::new(PageId(1001), 5);
    quoit_graph::delta::DeltaWriter::new(&mut frame).create_vertex(far, &[], Default::default());
    s.core.apply(CommitSeq(1), &frame).unwrap();
    s.graph.door().restart_at(CommitSeq(1));
    let other = s.graph.core(1);
    let mut txn = other.begin(Access::Write, Isolation::Snapshot);
    let new = txn.create_vertex(&[], &[]).unwrap();
    assert!(txn.view(&other.enter()).vertex(far).is_some());
    // Its page is filled up before another is made.
    assert_eq!(new, VertexId::new(PageId(1001), 6));
    let beyond = (7..1025).map(|_| txn.create_vertex(&[], &[]).unwrap());
    assert_eq!(beyond.last().map(|id| id.page() > far.page()), Some(true));
    assert_eq!(txn.commit().unwrap().seq, CommitSeq(2));
}

#[test]
fn a_second_handle_of_a_core_is_refused() {
    let s = scene();
    let graph = s.graph.clone();
    assert!(
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(graph.core(0)))).is_err()
    );
    drop(s);
    drop(graph.core(0));
}
