//! Ordinals of dead edges are used again: at a vertex that has far more edges in its life than there are ordinals, with indexes, old
//! readers, undone transactions and a replica whose readers are older than any of the main's, against a plain model.
#![cfg(not(loom))]

use quoit_graph::door::{Door, Journal, NullJournal, ReserveError};
use quoit_graph::ids::{CommitSeq, EdgeId, KeyId, TypeId, VertexId};
use quoit_graph::value::{Edge, Value, ValueRef};
use quoit_graph::{
    Access, Core, Direction, Graph, GraphConfig, IndexDefinition, Isolation, NewEdge, Txn, View,
    WriteError,
};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// Ordinals of a source.
const ORDINALS: u32 = 300;
const TARGETS: usize = 5;
const VALUES: i64 = 4;

struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % n as u64) as usize
    }
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

/// The edges of the hub: what they lead to, their type and their value.
type Model = BTreeMap<EdgeId, (VertexId, TypeId, Option<i64>)>;

struct World {
    graph: Arc<Graph>,
    core: Core,
    types: [TypeId; 2],
    key: KeyId,
    hub: VertexId,
    targets: Vec<VertexId>,
}

impl World {
    fn new(journal: Arc<dyn Journal>, ordinals: u32) -> World {
        let graph = Graph::new(GraphConfig {
            shards: 2,
            cores: 1,
            journal,
        });
        graph.set_ordinals(ordinals);
        let core = graph.core(0);
        let mut txn = core.begin(Access::Write, Isolation::Snapshot);
        let types = ["A", "B"].map(|name| txn.edge_type(name).unwrap());
        let key = txn.key("k").unwrap();
        let hub = txn.create_vertex(&[], &[]).unwrap();
        let targets = (0..TARGETS).map(|_| txn.create_vertex(&[], &[]).unwrap());
        // One edge leads back to the hub.
        let targets: Vec<VertexId> = targets.chain([hub]).collect();
        txn.commit().unwrap();
        let world = World {
            graph,
            core,
            types,
            key,
            hub,
            targets,
        };
        for keys in [&[][..], &[key]] {
            let mut txn = world.begin();
            txn.create_index(IndexDefinition::on_type(types[0], keys), None)
                .unwrap();
            txn.commit().unwrap();
        }
        world
    }

    fn begin(&self) -> Txn {
        self.core.begin(Access::Write, Isolation::Snapshot)
    }

    fn reader(&self) -> Txn {
        self.core.begin(Access::Read, Isolation::Snapshot)
    }

    fn quiet(&self) {
        while self.core.maintain(1_000) {}
    }

    fn value(&self, value: Option<i64>) -> Vec<(KeyId, Value)> {
        let value = value.map(|value| (self.key, Value::Int(value)));
        value.into_iter().collect()
    }

    /// Everything that a transaction can find out about the edges of the hub.
    fn check(&self, txn: &Txn, model: &Model) {
        let epoch = self.core.enter();
        let view = txn.view(&epoch);
        let value = |edge: Edge| match view.edge_at(edge).unwrap().property(self.key) {
            Some(ValueRef::Int(value)) => Some(value),
            _ => None,
        };
        let described = |edge: Edge| (edge.id, (edge.target, edge.type_, value(edge)));
        let starting = view.edges(self.hub, Direction::Out, &[]);
        let found: Vec<_> = starting.map(|hop| described(hop.edge)).collect();
        assert_eq!(
            found.len(),
            model.len(),
            "an edge stands twice, or is missing"
        );
        assert_eq!(&Model::from_iter(found), model);
        let at_targets = self.targets.iter().flat_map(|&target| {
            let ending = view.edges(target, Direction::In, &[]);
            ending.map(|hop| described(hop.edge)).collect::<Vec<_>>()
        });
        assert_eq!(&at_targets.collect::<Model>(), model);
        // Each of these is searched for in the whole list.
        for ordinal in 0..ORDINALS {
            let id = EdgeId::new(self.hub, ordinal);
            let found = view.edge(id).map(|edge| described(edge.edge()));
            assert_eq!(found, model.get(&id).map(|&edge| (id, edge)));
        }
        self.check_indexes(view, model);
    }

    fn check_indexes(&self, view: View<'_>, model: &Model) {
        let of_type = |wanted: &dyn Fn(Option<i64>) -> bool| {
            let edges = model
                .iter()
                .filter(|(_, (_, type_, value))| *type_ == self.types[0] && wanted(*value));
            edges.map(|(&id, _)| id).collect::<Vec<_>>()
        };
        let by_key = view.edge_index(self.types[0], &[self.key]).unwrap();
        for value in 0..VALUES {
            let mut found: Vec<EdgeId> = by_key
                .seek(&[Value::Int(value)])
                .map(|edge| edge.id)
                .collect();
            found.sort_unstable();
            assert_eq!(found, of_type(&|of_edge| of_edge == Some(value)), "{value}");
        }
        let by_type = view.edge_index(self.types[0], &[]).unwrap();
        let mut found: Vec<EdgeId> = by_type.seek(&[]).map(|edge| edge.id).collect();
        found.sort_unstable();
        assert_eq!(found, of_type(&|_| true));
    }

    /// A few random writes in one transaction; whether it was committed, which it is if `commits`. How many edges it made.
    fn write(&self, model: &mut Model, random: &mut Random, commits: bool, most: usize) -> usize {
        let mut txn = self.begin();
        let mut after = model.clone();
        let mut made = 0;
        let live = |after: &Model, random: &mut Random| {
            let at = random.below(after.len().max(1));
            let (&id, &(target, type_, _)) = after.iter().nth(at)?;
            Some(Edge { id, target, type_ })
        };
        for _ in 0..1 + random.below(6) {
            let target = self.targets[random.below(self.targets.len())];
            let type_ = self.types[random.below(2)];
            let value = [None, Some(random.below(VALUES as usize) as i64)][random.below(2)];
            match random.below(10) {
                0..4 if after.len() < most => {
                    let edge = txn.create_edge(self.hub, target, type_, &self.value(value));
                    let id = edge.unwrap().id;
                    assert_eq!(after.insert(id, (target, type_, value)), None, "{id:?}");
                    made += 1;
                }
                4 if after.len() + 40 < most => {
                    let properties = self.value(value);
                    let new = NewEdge {
                        source: self.hub,
                        target,
                        type_,
                        properties: &properties,
                    };
                    for edge in txn.create_edges(&vec![new; 1 + random.below(40)]).unwrap() {
                        let (id, edge) = (edge.id, (target, type_, value));
                        assert_eq!(after.insert(id, edge), None, "{id:?}");
                        made += 1;
                    }
                }
                5 => {
                    let Some(edge) = live(&after, random) else {
                        continue;
                    };
                    let new = value.map_or(Value::Null, Value::Int);
                    txn.set_edge_property(edge, self.key, &new).unwrap();
                    after.get_mut(&edge.id).unwrap().2 = value;
                }
                _ => {
                    for _ in 0..1 + random.below(12) {
                        let Some(edge) = live(&after, random) else {
                            continue;
                        };
                        assert!(txn.delete_edge(edge).unwrap());
                        after.remove(&edge.id);
                    }
                }
            }
        }
        if commits {
            txn.commit().unwrap();
            *model = after;
        } else {
            txn.rollback();
        }
        made
    }
}

/// A main under random writes for `rounds`, with old readers; at the end the frames, and the model after each.
fn run(seed: u64, rounds: usize, old_readers: bool) -> (World, Vec<Model>) {
    let recorder = Arc::new(Recorder::default());
    let world = World::new(recorder.clone(), ORDINALS);
    let (mut random, mut model) = (Random(seed), Model::new());
    let (mut readers, mut made) = (Vec::new(), 0);
    let mut models = Vec::new();
    for round in 0..rounds {
        let commits = random.below(5) > 0;
        let before = recorder.0.lock().unwrap().len();
        // What dead edges that an old reader sees hold back is not there for new ones.
        made += world.write(&mut model, &mut random, commits, ORDINALS as usize / 3);
        models.resize(recorder.0.lock().unwrap().len(), model.clone());
        assert!(models.len() == before || commits);
        if random.below(3) == 0 {
            world.core.maintain(random.below(200));
        }
        if old_readers && random.below(10) == 0 {
            readers.push((world.reader(), model.clone()));
        }
        if round % 7 == 0 {
            world.check(&world.reader(), &model);
        }
        while readers.len() > 3 || (random.below(8) == 0 && !readers.is_empty()) {
            let (reader, seen) = readers.swap_remove(random.below(readers.len()));
            world.check(&reader, &seen);
            drop(reader);
            world.quiet();
        }
        if round % 16 == 0 && readers.is_empty() {
            world.quiet();
        }
    }
    assert!(made > 5 * ORDINALS as usize, "only {made} edges were made");
    for (reader, seen) in readers {
        world.check(&reader, &seen);
    }
    world.quiet();
    world.check(&world.reader(), &model);
    let frames = std::mem::take(&mut *recorder.0.lock().unwrap());
    replay(&frames, &models, &world, seed);
    (world, models)
}

/// A replica takes the frames, with readers older than the main had any; then it is written to itself.
fn replay(frames: &[(CommitSeq, bytes::Bytes)], models: &[Model], main: &World, seed: u64) {
    let graph = Graph::new(GraphConfig {
        shards: 3,
        cores: 1,
        journal: Arc::new(NullJournal::default()),
    });
    graph.set_ordinals(ORDINALS);
    let replica = World {
        core: graph.core(0),
        graph,
        targets: main.targets.clone(),
        ..*main
    };
    let mut random = Random(seed ^ 0x5555);
    let mut readers: Vec<(Txn, &Model)> = Vec::new();
    for ((seq, frame), model) in frames.iter().zip(models) {
        replica.core.apply(*seq, frame).unwrap();
        replica.graph.door().restart_at(*seq);
        replica.core.maintain(random.below(50));
        // The first frames make the vertices and indexes.
        if seq.0 > 3 && random.below(12) == 0 {
            readers.push((replica.reader(), model));
        }
        if readers.len() > 12 {
            let (reader, seen) = readers.swap_remove(random.below(readers.len()));
            replica.check(&reader, seen);
        }
    }
    for (reader, seen) in readers {
        replica.check(&reader, seen);
    }
    replica.quiet();
    let mut model = models.last().unwrap().clone();
    replica.check(&replica.reader(), &model);
    for _ in 0..100 {
        replica.write(&mut model, &mut random, true, ORDINALS as usize / 3);
        replica.quiet();
    }
    replica.check(&replica.reader(), &model);
}

#[test]
fn a_vertex_may_have_more_edges_in_its_life_than_there_are_ordinals_and_nobody_takes_one_for_another()
 {
    for seed in 1..3 {
        run(seed, 900, false);
    }
}

#[test]
fn edges_that_old_readers_see_keep_their_ordinals_on_the_main_and_lose_them_to_nobody_on_a_replica()
{
    for seed in 11..13 {
        run(seed, 900, true);
    }
}

#[test]
fn a_vertex_with_as_many_edges_as_ordinals_refuses_more_until_some_have_gone() {
    let world = World::new(Arc::new(NullJournal::default()), ORDINALS);
    let (mut model, mut edges) = (Model::new(), Vec::new());
    let new = NewEdge {
        source: world.hub,
        target: world.targets[0],
        type_: world.types[0],
        properties: &[],
    };
    let mut txn = world.begin();
    for _ in 0..3 {
        edges.extend(txn.create_edges(&vec![new; ORDINALS as usize / 3]).unwrap());
    }
    let full = |made| matches!(made, Err(WriteError::LimitExceeded(_)));
    assert!(full(txn.create_edges(&[new]).map(|_| ())));
    txn.commit().unwrap();
    world.quiet();
    let mut txn = world.begin();
    assert!(full(
        txn.create_edge(new.source, new.target, new.type_, &[])
            .map(|_| ())
    ));
    // What is deleted keeps its ordinals until everyone agrees that it is gone.
    for edge in edges.drain(100..150) {
        assert!(txn.delete_edge(edge).unwrap());
    }
    assert!(full(txn.create_edges(&[new]).map(|_| ())));
    txn.commit().unwrap();
    let old = world.reader();
    world.quiet();
    let mut txn = world.begin();
    // More than there is room for: none is made.
    assert!(full(txn.create_edges(&vec![new; 51]).map(|_| ())));
    let made = txn.create_edges(&vec![new; 50]).unwrap();
    assert!(full(txn.create_edges(&[new]).map(|_| ())));
    txn.commit().unwrap();
    let describe = |edge: &Edge| (edge.id, (edge.target, edge.type_, None));
    model.extend(edges.iter().map(describe));
    world.check(&old, &model);
    drop(old);
    model.extend(made.iter().map(describe));
    assert_eq!(model.len(), ORDINALS as usize);
    world.check(&world.reader(), &model);
    // Nothing is known of it any more once it has gone.
    let mut txn = world.begin();
    assert_eq!(txn.detach_delete_vertex(world.hub), Ok(ORDINALS.into()));
    txn.commit().unwrap();
    world.quiet();
    assert_eq!(world.graph.edge_count(), 0);
}

#[test]
fn edges_may_come_and_go_while_free_ordinals_are_searched_for_in_a_long_list() {
    const MANY: u32 = 6_000;
    let world = World::new(Arc::new(NullJournal::default()), MANY);
    let (mut random, mut model) = (Random(5), Model::new());
    let properties = world.value(Some(1));
    let mut made = 0;
    while made < 4 * MANY as usize {
        let mut txn = world.begin();
        let batch = 1 + random.below(200);
        for _ in 0..batch {
            let target = world.targets[random.below(TARGETS)];
            let type_ = world.types[random.below(2)];
            let (source, properties) = (world.hub, &properties[..]);
            let new = NewEdge {
                source,
                target,
                type_,
                properties,
            };
            for edge in txn.create_edges(&vec![new; 1 + random.below(3)]).unwrap() {
                let before = model.insert(edge.id, (target, type_, Some(1)));
                assert_eq!(before, None, "{:?} is given twice", edge.id);
                made += 1;
            }
            let old = model.iter().nth(random.below(model.len()));
            let (&id, &(target, type_, _)) = old.unwrap();
            if random.below(4) == 0 || model.len() > 4_500 {
                txn.delete_edge(Edge { id, target, type_ }).unwrap();
                model.remove(&id);
            }
        }
        txn.commit().unwrap();
        if model.len() > 4_000 {
            let mut txn = world.begin();
            let gone: Vec<EdgeId> = model
                .keys()
                .copied()
                .filter(|_| random.below(3) == 0)
                .collect();
            for id in gone {
                let (target, type_, _) = model.remove(&id).unwrap();
                txn.delete_edge(Edge { id, target, type_ }).unwrap();
            }
            txn.commit().unwrap();
        }
        world.quiet();
    }
    world.check(&world.reader(), &model);
}
