//! Lists against a plain model: stamps, records, several snapshots, chunks that split and join, under random operations from a seed.

use super::*;
use crate::core::Core;
use crate::door::NullJournal;
use crate::graph::{Graph, GraphConfig};
use crate::ids::CommitSeq;
use crate::memory::Alone;
use crate::stamp::{NEVER, Sight};
use std::sync::Arc;

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }
}

/// An entry of the model; several of one key may follow one another.
#[derive(Clone, Copy, Debug)]
struct Entry {
    key: Key,
    created: u64,
    deleted: u64,
    record: Option<u32>,
}

struct World {
    graph: Arc<Graph>,
    core: Core,
    list: List,
    model: Vec<Entry>,
    now: u64,
}

const SIDE: Side = Side {
    vertex: VertexId(0),
    outgoing: true,
};

impl World {
    fn new() -> World {
        let graph = Graph::new(GraphConfig {
            shards: 1,
            cores: 1,
            journal: Arc::new(NullJournal::default()),
        });
        let core = graph.core(0);
        World {
            graph,
            core,
            list: List::default(),
            model: Vec::new(),
            now: 1,
        }
    }

    fn with<R>(&self, work: impl FnOnce(&Keeper<'_>) -> R) -> R {
        let guard = self.core.0.heap.enter();
        work(&Keeper::new(&self.graph, &guard, &self.core.0.quiet))
    }

    /// The next commit.
    fn tick(&mut self) {
        self.now += 1;
    }

    /// Everything up to now is visible, and there is no older reader.
    fn settle(&self) {
        self.graph.door().restart_at(CommitSeq(self.now));
    }

    fn insert(&mut self, key: Key, record: Option<u32>) {
        let created = self.now;
        self.with(|keeper| insert(&self.list, SIDE, key, created, record, keeper));
        self.model.push(Entry {
            key,
            created,
            deleted: NEVER,
            record,
        });
    }

    fn live(&self) -> Vec<usize> {
        (0..self.model.len())
            .filter(|&at| self.model[at].deleted == NEVER)
            .collect()
    }

    fn delete(&mut self, at: usize) {
        let (key, now) = (self.model[at].key, self.now);
        self.with(|keeper| {
            let entry = find(&self.list, key, keeper.guard).expect("a live entry is found");
            assert_eq!(entry.deleted(keeper.guard), NEVER);
            entry.set_deleted(now, SIDE, key, keeper);
        });
        self.model[at].deleted = now;
    }

    fn undo(&mut self, at: usize) {
        let key = self.model[at].key;
        self.with(|keeper| {
            let entry = find(&self.list, key, keeper.guard).expect("a live entry is found");
            entry.set_created(NEVER, SIDE, key, keeper);
        });
        self.model.remove(at);
    }

    fn give_record(&mut self, at: usize, record: Option<u32>) {
        let key = self.model[at].key;
        self.with(|keeper| {
            let entry = find(&self.list, key, keeper.guard).expect("a live entry is found");
            entry.set_record(record, SIDE, key, keeper);
            let again = find(&self.list, key, keeper.guard).expect("a live entry is found");
            assert_eq!(again.record(keeper.guard), record);
        });
        self.model[at].record = record;
    }

    /// Merges the chunk of a key as housekeeping would.
    fn tidy(&self, key: Key) {
        self.with(|keeper| {
            merge::tidy(&self.list, merge::Place { side: SIDE, key }, keeper);
        });
    }

    fn expected(&self, snapshot: u64) -> Vec<(Key, Option<u32>)> {
        let seen = |e: &&Entry| e.created <= snapshot && e.deleted > snapshot;
        let mut all: Vec<_> = self
            .model
            .iter()
            .filter(seen)
            .map(|e| (e.key, e.record))
            .collect();
        all.sort_by_key(|&(key, _)| key);
        all
    }

    /// Compares all that a reader of a snapshot can ask with the model.
    fn check(&self, snapshot: u64, random: &mut Random) {
        let guard = self.core.0.heap.enter();
        let sight = Sight {
            cells: &self.graph.cells,
            snapshot: CommitSeq(snapshot),
            own: None,
            clauses_below: 0,
            uncommitted: false,
        };
        let expected = self.expected(snapshot);
        fn walk<'e, 't>(
            (world, sight, guard): (&World, Sight<'e>, &'e Guard<'e>),
            types: &'t [TypeId],
            towards: Option<VertexId>,
        ) -> Walk<'e, 't> {
            Walk::new(Some(&world.list), sight, types, towards, guard)
        }
        let at = (self, sight, &guard);
        let sorted = |walk: Walk<'_, '_>| {
            let mut all: Vec<_> = walk.map(|hop| (hop.key, hop.record())).collect();
            all.sort_by_key(|&(key, _)| key);
            all
        };
        assert_eq!(sorted(walk(at, &[], None)), expected, "at {snapshot}");
        assert_eq!(walk(at, &[], None).count_all(), expected.len() as u64);
        let mut others = Vec::new();
        let _ = neighbours(&self.list, &sight, &[], &guard, &mut |v| {
            others.push(v);
            std::ops::ControlFlow::Continue(())
        });
        others.sort_unstable();
        let mut wanted: Vec<_> = expected.iter().map(|(key, _)| key.neighbour()).collect();
        wanted.sort_unstable();
        assert_eq!(others, wanted);
        let Some(last) = self.model.len().checked_sub(1) else {
            return;
        };
        for _ in 0..4 {
            let key = self.model[random.below(last + 1)].key;
            let types = [key.type_(), TypeId(key.type_().0 ^ 1)];
            for types in [&types[..0], &types[..1], &types[..]] {
                for towards in [None, Some(key.neighbour())] {
                    let part: Vec<_> = expected
                        .iter()
                        .copied()
                        .filter(|(key, _)| types.is_empty() || types.contains(&key.type_()))
                        .filter(|(key, _)| towards.is_none_or(|v| v == key.neighbour()))
                        .collect();
                    assert_eq!(
                        sorted(walk(at, types, towards)),
                        part,
                        "{types:?} {towards:?}"
                    );
                    assert_eq!(walk(at, types, towards).count_all(), part.len() as u64);
                }
            }
            let seen = find_where(&self.list, key, &guard, |entry| {
                sight.sees(entry.created(&guard)) && !sight.sees(entry.deleted(&guard))
            });
            let record = expected.iter().find(|(k, _)| *k == key).map(|(_, r)| *r);
            assert_eq!(seen.map(|entry| entry.record(&guard)), record, "{key:?}");
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let heap = &self.core.0.heap;
        Alone::with(&mut self.list, |list, alone| free(list, heap, alone));
    }
}

/// What keys of a run look like.
struct Keys {
    types: usize,
    neighbours: Vec<u64>,
    ordinals: u32,
    /// Operations for which the list grows before it shrinks for as many.
    grows_for: usize,
}

fn random_operations(keys: &Keys, operations: usize, seed: u64) -> usize {
    let random = &mut Random(seed);
    let mut world = World::new();
    // Snapshots that readers are at; the horizon stays below the oldest.
    let mut horizon = 1;
    let mut readers: Vec<u64> = Vec::new();
    let mut chunks_most = 0;
    for operation in 0..operations {
        let grows = (operation / keys.grows_for).is_multiple_of(2);
        let live = world.live();
        match random.below(100) {
            0..62 if grows || live.len() < 8 => {
                let neighbour = keys.neighbours[random.below(keys.neighbours.len())];
                let type_ = TypeId(random.below(keys.types) as u32);
                let ordinal = random.below(keys.ordinals as usize) as u32;
                let key = Key::new(type_, VertexId(neighbour), ordinal);
                // An ordinal is free once its last edge was deleted.
                if !live.iter().any(|&at| world.model[at].key == key) {
                    let record = (random.below(10) == 0).then(|| random.below(1_000) as u32);
                    world.insert(key, record);
                }
            }
            0..86 if !live.is_empty() => world.delete(live[random.below(live.len())]),
            86..88 if !live.is_empty() => {
                let at = live[random.below(live.len())];
                if world.model[at].created == world.now {
                    world.undo(at);
                }
            }
            88..92 if !live.is_empty() => {
                let record = (random.below(3) > 0).then(|| random.below(1_000) as u32);
                world.give_record(live[random.below(live.len())], record);
            }
            92..97 => world.tick(),
            97 if readers.len() < 3 => {
                world.tick();
                readers.push(world.now - 1);
            }
            98 if !readers.is_empty() => {
                let reader = readers.swap_remove(random.below(readers.len()));
                world.check(reader, random);
            }
            _ => {
                // What the horizon passes is settled; a list is tidied wherever something was.
                let oldest = readers.iter().copied().min().unwrap_or(world.now - 1);
                horizon = oldest.max(horizon);
                world.graph.door().restart_at(CommitSeq(horizon));
                for _ in 0..4 {
                    if !world.model.is_empty() {
                        world.tidy(world.model[random.below(world.model.len())].key);
                    }
                }
                world.model.retain(|e| e.deleted > horizon);
            }
        }
        if operation % 97 == 0 {
            world.check(world.now, random);
            for &reader in &readers {
                world.check(reader, random);
            }
            let guard = world.core.0.heap.enter();
            chunks_most = chunks_most.max(chunks(Some(&world.list), &guard).count());
        }
    }
    // Everything is deleted and forgotten: nothing is left of the list.
    for at in world.live() {
        world.delete(at);
    }
    world.tick();
    world.settle();
    let all: Vec<Key> = world.model.iter().map(|e| e.key).collect();
    for key in all.iter().chain([&Key::FIRST]) {
        world.tidy(*key);
    }
    let guard = world.core.0.heap.enter();
    let left = entries(&world.list, &guard).count();
    assert_eq!(left, 0, "{left} entries stay behind");
    chunks_most
}

#[test]
fn a_small_list_of_many_types_is_what_the_model_says() {
    let keys = Keys {
        types: 40,
        neighbours: (0..12).collect(),
        ordinals: 3,
        grows_for: 1_000,
    };
    for seed in 1..=6 {
        assert_eq!(random_operations(&keys, 3_000, seed * 7_919), 1);
    }
}

#[test]
fn neighbours_beyond_32_bits_and_long_ordinals_are_kept_whole() {
    let far = [0, 1, u64::from(u32::MAX), 1 << 32, (1 << 32) + 1];
    let keys = Keys {
        types: 3,
        neighbours: far.into_iter().chain([VertexId::MAX.0]).collect(),
        ordinals: EdgeId::ORDINALS,
        grows_for: 2_000,
    };
    for seed in 1..=4 {
        random_operations(&keys, 3_000, seed * 104_729);
    }
    for ordinals in [200, 60_000] {
        random_operations(
            &Keys {
                ordinals,
                ..keys_like(&keys)
            },
            2_000,
            99,
        );
    }
}

fn keys_like(keys: &Keys) -> Keys {
    Keys {
        types: keys.types,
        neighbours: keys.neighbours.clone(),
        ordinals: keys.ordinals,
        grows_for: keys.grows_for,
    }
}

#[test]
fn a_long_list_splits_and_joins_under_its_readers() {
    let keys = Keys {
        types: 2,
        neighbours: (0..100_000).map(|at| at * 3).collect(),
        ordinals: 4,
        grows_for: 10_000,
    };
    let chunks = random_operations(&keys, 20_000, 31);
    assert!(chunks > 3, "the list had {chunks} chunks at most");
}

#[test]
fn parallel_edges_that_fill_several_chunks_are_all_found() {
    let keys = Keys {
        types: 1,
        neighbours: vec![5, 6],
        ordinals: 1_000_000,
        grows_for: 10_000,
    };
    let chunks = random_operations(&keys, 10_000, 17);
    assert!(chunks > 3, "the list had {chunks} chunks at most");
}

#[test]
fn one_key_made_and_deleted_again_and_again_under_an_old_reader_stays_short() {
    let mut world = World::new();
    let key = Key::new(TypeId(1), VertexId(7), 0);
    world.insert(key, None);
    world.settle();
    // A transaction of another core could be at this snapshot: the horizon stays.
    let reader = world
        .core
        .begin(crate::Access::Read, crate::Isolation::Snapshot);
    let snapshot = reader.snapshot();
    for _ in 0..5_000 {
        world.tick();
        let at = world.live()[0];
        world.delete(at);
        world.tick();
        world.insert(key, None);
        world.graph.door().restart_at(CommitSeq(world.now));
        world.check(snapshot.0, &mut Random(3));
        world
            .model
            .retain(|e| e.created <= snapshot.0 || e.deleted == NEVER);
    }
    let guard = world.core.0.heap.enter();
    let left = entries(&world.list, &guard).count();
    assert!(left < 40, "{left} entries for one edge");
}

/// A graph with a hub and its neighbours, through transactions.
struct Hub {
    graph: std::sync::Arc<Graph>,
    core: crate::Core,
    hub: VertexId,
    others: Vec<VertexId>,
    type_: TypeId,
}

impl Hub {
    fn new(others: usize) -> Hub {
        let graph = Graph::new(GraphConfig {
            shards: 1,
            cores: 1,
            journal: Arc::new(NullJournal::default()),
        });
        let core = graph.core(0);
        let mut txn = core.begin(crate::Access::Write, crate::Isolation::Snapshot);
        let type_ = txn.edge_type("T").unwrap();
        let hub = txn.create_vertex(&[], &[]).unwrap();
        let one = |_| txn.create_vertex(&[], &[]).unwrap();
        let others = (0..others).map(one).collect();
        txn.commit().unwrap();
        Hub {
            graph,
            core,
            hub,
            others,
            type_,
        }
    }

    fn begin(&self) -> crate::Txn {
        self.core
            .begin(crate::Access::Write, crate::Isolation::Snapshot)
    }

    /// An edge to each of the others, in one transaction.
    fn link(&self) -> Vec<crate::value::Edge> {
        let mut txn = self.begin();
        let link = |&to| txn.create_edge(self.hub, to, self.type_, &[]).unwrap();
        let edges = self.others.iter().map(link).collect();
        txn.commit().unwrap();
        edges
    }

    fn unlink(&self, edges: &[crate::value::Edge]) {
        let mut txn = self.begin();
        for &edge in edges {
            assert!(txn.delete_edge(edge).unwrap());
        }
        txn.commit().unwrap();
    }

    fn quiet(&self) {
        for _ in 0..3 {
            while self.core.maintain(1_000) {}
        }
    }

    /// The entries that a walk over all lists, in both directions, comes by.
    fn walked(&self) -> usize {
        let guard = self.core.0.heap.enter();
        let all = std::iter::once(&self.hub).chain(&self.others);
        let lists = all.flat_map(|&id| {
            let slot = self.graph.slot(id, &guard).unwrap();
            [&slot.outgoing, &slot.incoming]
        });
        lists.map(|list| entries(list, &guard).count()).sum()
    }
}

#[test]
fn a_reader_of_an_hour_leaves_no_entry_in_anyones_way_that_it_does_not_see() {
    let world = Hub::new(600);
    let lasting = world.link();
    world.quiet();
    let at_rest = world.walked();
    assert_eq!(at_rest, 2 * lasting.len());
    let old = world.begin();
    // What it sees keeps every list from coming to rest.
    world.unlink(&lasting[..300]);
    world.quiet();
    for round in 0..20 {
        let edges = world.link();
        world.unlink(&edges);
        world.quiet();
        // Another reader that ends before and after what it sees is looked at.
        let edges = world.link();
        let young = world.begin();
        world.unlink(&edges);
        match round % 2 {
            0 => world.quiet(),
            _ => drop(world.core.maintain(8)),
        }
        drop(young);
        world.quiet();
        // Up to an eighth of a chunk stays until more can go.
        let walked = world.walked();
        assert!(
            walked <= at_rest + at_rest / 8,
            "{walked} entries in round {round}, {at_rest} at rest"
        );
    }
    // What the old reader sees stays until it ends.
    world.unlink(&lasting[300..]);
    world.quiet();
    assert!(world.walked() >= at_rest);
    let epoch = world.core.enter();
    let seen = old
        .view(&epoch)
        .degree(world.hub, crate::Direction::Out, &[]);
    assert_eq!(seen as usize, lasting.len());
    drop(epoch);
    drop(old);
    world.quiet();
    assert_eq!(world.walked(), 0);
}

#[test]
fn lists_that_an_open_transaction_has_written_are_not_looked_at_with_each_commit_of_others() {
    let world = Hub::new(300);
    let edges = world.link();
    world.quiet();
    let mut open = world.begin();
    for &edge in &edges {
        assert!(open.delete_edge(edge).unwrap());
    }
    world.quiet();
    for _ in 0..3 {
        let mut txn = world.begin();
        txn.create_vertex(&[], &[]).unwrap();
        txn.commit().unwrap();
        assert_eq!(
            world
                .core
                .0
                .quiet
                .merge(1_000, &world.graph, &world.core.0.heap, 0),
            0
        );
    }
    open.rollback();
    world.quiet();
    assert_eq!(world.walked(), 2 * edges.len());
    let guard = world.core.0.heap.enter();
    let slot = world.graph.slot(world.hub, &guard).unwrap();
    assert!(chunks(Some(&slot.outgoing), &guard).all(|chunk| chunk.header().recent.is_null()));
}

#[test]
fn an_edge_between_a_hub_and_another_is_looked_for_at_the_other() {
    use crate::view::Direction;
    let hub = Hub::new(20_000);
    hub.link();
    let few = hub.others[7];
    let mut txn = hub.begin();
    for to in [hub.hub, few, hub.others[9]] {
        txn.create_edge(few, to, hub.type_, &[]).unwrap();
    }
    // A second hub.
    let second = hub.others[11];
    for &to in &hub.others {
        txn.create_edge(second, to, hub.type_, &[]).unwrap();
    }
    txn.create_edge(second, hub.hub, hub.type_, &[]).unwrap();
    txn.commit().unwrap();
    hub.quiet();
    let types = [hub.type_];
    let txn = hub.begin();
    let epoch = hub.core.enter();
    let view = txn.view(&epoch);
    let between = |a, b, direction, types| view.edges_between(a, b, direction, types);
    for (a, b) in [(hub.hub, few), (few, hub.hub)] {
        for types in [&types[..], &[]] {
            let found: Vec<_> = between(a, b, Direction::Both, types).collect();
            assert_eq!(found.len(), 2);
            let directions = [found[0].outgoing, found[1].outgoing];
            assert_eq!(directions, [true, false]);
            for incidence in found {
                let source = if incidence.outgoing { a } else { b };
                assert_eq!((incidence.edge.source(), incidence.neighbour), (source, b));
            }
            let cost = between(a, b, Direction::Both, types).looks_at();
            assert!(cost <= 4, "{cost} entries for an edge at a vertex of 3");
        }
    }
    // Two hubs: sorted search, by type and neighbour.
    let found: Vec<_> = between(hub.hub, second, Direction::Both, &types).collect();
    assert_eq!(found.len(), 2);
    let cost = between(hub.hub, second, Direction::Both, &types).looks_at();
    assert!(cost < 40, "{cost} chunks and entries between two hubs");
    let loops = between(second, second, Direction::Both, &types);
    assert_eq!(loops.count(), 1);
    assert_eq!(between(few, few, Direction::Out, &[]).count(), 1);
    assert_eq!(between(few, few, Direction::Both, &[]).count(), 1);
    drop((epoch, txn));
    // What is recent is found there too, by who may see it.
    let mut txn = hub.begin();
    let edge = txn.create_edge(hub.hub, few, hub.type_, &[]).unwrap();
    let other = hub.begin();
    let count = |txn: &crate::Txn| {
        let epoch = hub.core.enter();
        let view = txn.view(&epoch);
        view.edges_between(hub.hub, few, Direction::Out, &[])
            .count()
    };
    assert_eq!((count(&txn), count(&other)), (1, 1));
    txn.next_clause();
    assert_eq!((count(&txn), count(&other)), (2, 1));
    assert!(txn.delete_edge(edge).unwrap());
    txn.next_clause();
    assert_eq!((count(&txn), count(&other)), (1, 1));
    drop((txn, other));
}
