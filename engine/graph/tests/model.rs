//! The graph against a plain model: random operations from a seed, transactions interleaved over several cores and shards.
//!
//! Every outcome is predicted, also conflicts; everything each transaction can see is compared, by scan, by index, from both ends of
//! every edge; each commit's frame is applied to a second graph, which must come to the same state.
#![cfg(not(loom))]

use quoit_graph::delta::Deltas;
use quoit_graph::door::{Door, Journal, NullJournal, ReserveError};
use quoit_graph::ids::{CommitSeq, EdgeId, KeyId, LabelId, TypeId, VertexId};
use quoit_graph::value::{Edge, Value};
use quoit_graph::{
    Access, Bound, Core, Cursor, Direction, End, Entity, Epoch, Graph, GraphConfig,
    IndexDefinition, Isolation, KeyRange, NextKey, Order, Txn, View, WriteError,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

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

    fn of<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

/// Publishes at once, and keeps the frames.
#[derive(Default)]
struct Recorder {
    frames: Mutex<Vec<(CommitSeq, bytes::Bytes)>>,
}

impl Journal for Recorder {
    fn header_bytes(&self) -> usize {
        5
    }
    fn reserve(&self, _: usize) -> Result<(), ReserveError> {
        Ok(())
    }
    fn release(&self, _: usize) {}
    fn finish_frame(&self, buffer: Vec<u8>) -> bytes::Bytes {
        assert_eq!(buffer[..5], [0; 5]);
        bytes::Bytes::from(buffer)
    }
    fn kick(&self, door: &Door, _: u16) {
        door.take_sealed(usize::MAX, &mut self.frames.lock().unwrap());
        door.publish(door.sealed());
    }
}

type Props = BTreeMap<KeyId, Value>;

#[derive(Clone, Debug, Default, PartialEq)]
struct State {
    vertices: BTreeMap<VertexId, (BTreeSet<LabelId>, Props)>,
    edges: BTreeMap<EdgeId, (Edge, Props)>,
}

/// Who changed a thing last, and how.
#[derive(Clone, Copy, Default)]
struct Touch {
    by: Option<usize>,
    seq: u64,
    deleted: bool,
}

#[derive(Clone, Copy, Default)]
struct Contest {
    life: Touch,
    properties: Touch,
}

struct Session {
    name: usize,
    core: Core,
    txn: Txn,
    snapshot: u64,
    base: State,
    /// As of the start of the current clause.
    visible: State,
    newest: State,
    vertices: BTreeSet<VertexId>,
    edges: BTreeSet<EdgeId>,
}

struct World {
    random: Random,
    committed: Vec<State>,
    vertex_touch: BTreeMap<VertexId, Touch>,
    edge_touch: BTreeMap<EdgeId, Contest>,
    /// Every edge that ever was.
    all_edges: BTreeMap<EdgeId, Edge>,
    names: usize,
    labels: Vec<LabelId>,
    types: Vec<TypeId>,
    keys: Vec<KeyId>,
}

fn contested(touch: Touch, session: &Session) -> bool {
    match touch.by {
        Some(by) => by != session.name,
        None => touch.seq > session.snapshot,
    }
}

impl World {
    fn value(&mut self) -> Value {
        match self.random.below(8) {
            0 => Value::Null,
            1 => Value::Float(self.random.below(5) as f64),
            2 => Value::string(["", "a", "ab", "b\0c"][self.random.below(4)]),
            3 => Value::list(vec![1.into(), Value::Null]),
            4 => Value::string("x".repeat(1100 + self.random.below(2))),
            _ => Value::Int(self.random.below(6) as i64),
        }
    }

    fn properties(&mut self) -> Vec<(KeyId, Value)> {
        (0..self.random.below(3))
            .map(|_| (self.keys[self.random.below(self.keys.len())], self.value()))
            .collect()
    }

    /// A vertex to work on: mostly one it sees, at times any.
    fn vertex(&mut self, session: &Session) -> Option<VertexId> {
        let seen: Vec<_> = session.newest.vertices.keys().copied().collect();
        let any: Vec<_> = self.vertex_touch.keys().copied().collect();
        let from = if self.random.below(8) == 0 || seen.is_empty() {
            any
        } else {
            seen
        };
        (!from.is_empty()).then(|| from[self.random.below(from.len())])
    }

    fn edge(&mut self, session: &Session) -> Option<Edge> {
        let seen: Vec<_> = session
            .newest
            .edges
            .values()
            .map(|(edge, _)| *edge)
            .collect();
        let any: Vec<_> = self.all_edges.values().copied().collect();
        let from = if self.random.below(8) == 0 || seen.is_empty() {
            any
        } else {
            seen
        };
        (!from.is_empty()).then(|| from[self.random.below(from.len())])
    }

    fn vertex_known(&self, session: &Session, id: VertexId) -> bool {
        session.base.vertices.contains_key(&id) || session.vertices.contains(&id)
    }

    /// What a change of a vertex must answer, if not success.
    fn vertex_refusal(&self, session: &Session, id: VertexId) -> Option<WriteError> {
        let touch = self.vertex_touch.get(&id).copied().unwrap_or_default();
        if contested(touch, session) && self.vertex_known(session, id) {
            return Some(WriteError::Conflict {
                entity: Entity::Vertex(id),
            });
        }
        (!session.newest.vertices.contains_key(&id)).then_some(WriteError::VertexDeleted(id))
    }

    fn end_refusal(&self, session: &Session, id: VertexId) -> Option<WriteError> {
        if !self.vertex_known(session, id) {
            return Some(WriteError::VertexDeleted(id));
        }
        let touch = self.vertex_touch[&id];
        if touch.deleted && contested(touch, session) {
            return Some(WriteError::Conflict {
                entity: Entity::Vertex(id),
            });
        }
        (!session.newest.vertices.contains_key(&id)).then_some(WriteError::VertexDeleted(id))
    }

    fn edge_refusal(&self, session: &Session, edge: Edge) -> Option<WriteError> {
        let touch = self.edge_touch.get(&edge.id).copied().unwrap_or_default();
        let known = session.base.edges.contains_key(&edge.id) || session.edges.contains(&edge.id);
        let conflict = Some(WriteError::Conflict {
            entity: Entity::Edge(edge.id),
        });
        if !known {
            return Some(WriteError::EdgeDeleted(edge.id));
        }
        if contested(touch.life, session) {
            return conflict;
        }
        if !session.newest.edges.contains_key(&edge.id) {
            return Some(WriteError::EdgeDeleted(edge.id));
        }
        if contested(touch.properties, session) {
            conflict
        } else {
            None
        }
    }

    /// Whether an edge at a vertex is in flight or newer than the snapshot; one that came and went since then is no contest.
    fn incident_contested(&self, session: &Session, id: VertexId) -> bool {
        let before = &self.committed[session.snapshot as usize].edges;
        let now = &self.committed.last().expect("there is a state").edges;
        self.all_edges.values().any(|edge| {
            let in_flight = self
                .edge_touch
                .get(&edge.id)
                .is_some_and(|t| t.life.by.is_some());
            let lives = before.contains_key(&edge.id) || now.contains_key(&edge.id);
            (edge.source() == id || edge.target == id)
                && (in_flight || lives)
                && contested(
                    self.edge_touch
                        .get(&edge.id)
                        .copied()
                        .unwrap_or_default()
                        .life,
                    session,
                )
        })
    }
}

fn overlay(props: &mut Props, changes: &[(KeyId, Value)]) {
    for (key, value) in changes {
        if value.is_null() {
            props.remove(key);
        } else {
            props.insert(*key, value.clone());
        }
    }
}

fn touched_vertex(world: &mut World, session: &mut Session, id: VertexId, deleted: bool) {
    session.vertices.insert(id);
    let touch = world.vertex_touch.entry(id).or_default();
    *touch = Touch {
        by: Some(session.name),
        deleted,
        ..*touch
    };
}

fn touched_life(world: &mut World, session: &mut Session, id: EdgeId) {
    session.edges.insert(id);
    world.edge_touch.entry(id).or_default().life.by = Some(session.name);
}

/// One random operation; answers whether the transaction met a conflict.
fn operate(world: &mut World, session: &mut Session) -> bool {
    let expected: Option<WriteError>;
    let got: Option<WriteError>;
    match world.random.below(12) {
        0 | 1 => {
            let mut labels: Vec<LabelId> = Vec::new();
            for _ in 0..world.random.below(3) {
                labels.push(*world.random.of(&world.labels.clone()));
            }
            let properties = world.properties();
            let id = session
                .txn
                .create_vertex(&labels, &properties)
                .expect("creating a vertex succeeds");
            let mut props = Props::new();
            overlay(&mut props, &last_of_each(&properties));
            session
                .newest
                .vertices
                .insert(id, (labels.into_iter().collect(), props));
            touched_vertex(world, session, id, false);
            return false;
        }
        2..=4 => {
            let (Some(a), Some(b)) = (world.vertex(session), world.vertex(session)) else {
                return false;
            };
            let b = if world.random.below(6) == 0 { a } else { b };
            let (type_, properties) = (*world.random.of(&world.types.clone()), world.properties());
            expected = world
                .end_refusal(session, a)
                .or_else(|| world.end_refusal(session, b));
            match session.txn.create_edge(a, b, type_, &properties) {
                Ok(edge) => {
                    assert_eq!((edge.source(), edge.target, edge.type_), (a, b, type_));
                    let mut props = Props::new();
                    overlay(&mut props, &last_of_each(&properties));
                    assert!(
                        world.all_edges.insert(edge.id, edge).is_none(),
                        "an edge id is used again"
                    );
                    session.newest.edges.insert(edge.id, (edge, props));
                    touched_life(world, session, edge.id);
                    got = None;
                }
                Err(error) => got = Some(error),
            }
        }
        5 => {
            let Some(edge) = world.edge(session) else {
                return false;
            };
            let mine = session.edges.contains(&edge.id)
                && !session.newest.edges.contains_key(&edge.id)
                && world.edge_touch[&edge.id].life.by == Some(session.name);
            expected = world.edge_refusal(session, edge).filter(|_| !mine);
            match session.txn.delete_edge(edge) {
                Ok(deleted) => {
                    assert_eq!(deleted, !mine);
                    if deleted {
                        session.newest.edges.remove(&edge.id);
                        touched_life(world, session, edge.id);
                    }
                    got = None;
                }
                Err(error) => got = Some(error),
            }
        }
        6 => {
            let Some(id) = world.vertex(session) else {
                return false;
            };
            let mine = session.vertices.contains(&id)
                && !session.newest.vertices.contains_key(&id)
                && world.vertex_touch[&id].by == Some(session.name);
            let connected = session
                .newest
                .edges
                .values()
                .any(|(e, _)| e.source() == id || e.target == id);
            let incident = world.incident_contested(session, id);
            expected = world
                .vertex_refusal(session, id)
                .or_else(|| {
                    incident.then_some(WriteError::Conflict {
                        entity: Entity::Vertex(id),
                    })
                })
                .or_else(|| connected.then_some(WriteError::DeleteConnectedVertex(id)))
                .filter(|_| !mine);
            match session.txn.delete_vertex(id) {
                Ok(deleted) => {
                    assert_eq!(deleted, !mine);
                    if deleted {
                        session.newest.vertices.remove(&id);
                        touched_vertex(world, session, id, true);
                    }
                    got = None;
                }
                Err(error) => got = Some(error),
            }
        }
        7 => {
            let Some(id) = world.vertex(session) else {
                return false;
            };
            let mine = session.vertices.contains(&id)
                && !session.newest.vertices.contains_key(&id)
                && world.vertex_touch[&id].by == Some(session.name);
            let incident: Vec<Edge> = session
                .newest
                .edges
                .values()
                .map(|(edge, _)| *edge)
                .filter(|edge| edge.source() == id || edge.target == id)
                .collect();
            let by_life = world.incident_contested(session, id);
            expected = world
                .vertex_refusal(session, id)
                .or_else(|| {
                    by_life.then_some(WriteError::Conflict {
                        entity: Entity::Vertex(id),
                    })
                })
                .or_else(|| {
                    incident
                        .iter()
                        .find_map(|&edge| world.edge_refusal(session, edge))
                })
                .filter(|_| !mine);
            match session.txn.detach_delete_vertex(id) {
                Ok(count) => {
                    assert_eq!(count as usize, if mine { 0 } else { incident.len() });
                    for edge in incident.iter().filter(|_| !mine) {
                        session.newest.edges.remove(&edge.id);
                        touched_life(world, session, edge.id);
                    }
                    if !mine {
                        session.newest.vertices.remove(&id);
                        touched_vertex(world, session, id, true);
                    }
                    got = None;
                }
                Err(error) => {
                    // Which of several contested edges is named depends on their order.
                    if matches!(
                        (&error, &expected),
                        (
                            WriteError::Conflict { .. },
                            Some(WriteError::Conflict { .. })
                        )
                    ) {
                        return true;
                    }
                    got = Some(error);
                }
            }
        }
        8 | 9 => {
            let Some(id) = world.vertex(session) else {
                return false;
            };
            let changes = world.properties();
            let replace = world.random.below(3) == 0;
            expected = world.vertex_refusal(session, id);
            let result = match replace {
                true => session.txn.replace_vertex_properties(id, &changes),
                false => session.txn.set_vertex_properties(id, &changes),
            };
            got = result.err();
            if got.is_none() {
                let props = &mut session
                    .newest
                    .vertices
                    .get_mut(&id)
                    .expect("the model has it")
                    .1;
                let before = props.clone();
                if replace {
                    props.clear();
                }
                let changes = last_of_each(&changes);
                overlay(props, &changes);
                // A change that changes nothing, and sets nothing, is no write.
                if *props != before
                    || changes.iter().any(|(_, v)| !v.is_null())
                    || (replace && !before.is_empty())
                {
                    touched_vertex(world, session, id, false);
                }
            }
        }
        10 => {
            let Some(id) = world.vertex(session) else {
                return false;
            };
            let label = *world.random.of(&world.labels.clone());
            expected = world.vertex_refusal(session, id);
            let add = world.random.below(2) == 0;
            let result = if add {
                session.txn.add_label(id, label)
            } else {
                session.txn.remove_label(id, label)
            };
            match result {
                Ok(changed) => {
                    let labels = &mut session
                        .newest
                        .vertices
                        .get_mut(&id)
                        .expect("the model has it")
                        .0;
                    assert_eq!(
                        changed,
                        if add {
                            labels.insert(label)
                        } else {
                            labels.remove(&label)
                        }
                    );
                    if changed {
                        touched_vertex(world, session, id, false);
                    }
                    got = None;
                }
                Err(error) => got = Some(error),
            }
        }
        _ => {
            let Some(edge) = world.edge(session) else {
                return false;
            };
            let changes = world.properties();
            expected = world.edge_refusal(session, edge);
            got = session.txn.set_edge_properties(edge, &changes).err();
            if got.is_none() {
                let props = &mut session
                    .newest
                    .edges
                    .get_mut(&edge.id)
                    .expect("the model has it")
                    .1;
                let before = props.clone();
                let changes = last_of_each(&changes);
                overlay(props, &changes);
                if *props != before || changes.iter().any(|(_, v)| !v.is_null()) {
                    session.edges.insert(edge.id);
                    world.edge_touch.entry(edge.id).or_default().properties.by = Some(session.name);
                }
            }
        }
    }
    assert_eq!(
        got, expected,
        "session {} at snapshot {}",
        session.name, session.snapshot
    );
    matches!(got, Some(WriteError::Conflict { .. }))
}

fn last_of_each(changes: &[(KeyId, Value)]) -> Vec<(KeyId, Value)> {
    let last: BTreeMap<KeyId, Value> = changes.iter().cloned().collect();
    last.into_iter().collect()
}

fn read(view: &View<'_>, labels: &[LabelId]) -> State {
    let mut state = State::default();
    let scan = |label| {
        let mut found = Vec::new();
        for page in view.pages(label) {
            view.scan_page(page, label, &mut found);
        }
        let set: BTreeSet<VertexId> = found.iter().copied().collect();
        assert_eq!(set.len(), found.len(), "a scan gives a vertex twice");
        set
    };
    let all = scan(None);
    for &id in &all {
        let vertex = view.vertex(id).expect("what a scan gives is there");
        let props = vertex
            .properties()
            .iter()
            .map(|(key, value)| (key, value.to_value()))
            .collect();
        state
            .vertices
            .insert(id, (vertex.labels().iter().copied().collect(), props));
    }
    for &label in labels {
        let with: BTreeSet<VertexId> = state
            .vertices
            .iter()
            .filter(|(_, (labels, _))| labels.contains(&label))
            .map(|(id, _)| *id)
            .collect();
        assert_eq!(scan(Some(label)), with);
    }
    let mut incoming = BTreeSet::new();
    for &id in &all {
        let mut outgoing = 0;
        for incidence in view.edges(id, Direction::Out, &[]) {
            let edge = incidence.edge;
            assert!(
                incidence.outgoing && edge.source() == id && incidence.neighbour == edge.target
            );
            let found = view.edge_at(edge).expect("a neighbour's edge is there");
            assert_eq!(view.edge(edge.id).map(|found| found.edge()), Some(edge));
            let props = found
                .properties()
                .iter()
                .map(|(key, value)| (key, value.to_value()))
                .collect();
            assert!(
                state.edges.insert(edge.id, (edge, props)).is_none(),
                "an edge comes twice"
            );
            let types = [edge.type_];
            let of_type = view.edges_between(id, edge.target, Direction::Out, &types);
            assert_eq!(of_type.filter(|between| between.edge == edge).count(), 1);
            outgoing += 1;
        }
        let arriving: Vec<_> = view.edges(id, Direction::In, &[]).collect();
        assert_eq!(view.degree(id, Direction::Out, &[]), outgoing);
        assert_eq!(view.degree(id, Direction::In, &[]), arriving.len() as u64);
        assert_eq!(
            view.degree(id, Direction::Both, &[]) as usize,
            view.edges(id, Direction::Both, &[]).count()
        );
        for incidence in arriving {
            assert!(!incidence.outgoing && incidence.edge.target == id);
            assert!(incoming.insert(incidence.edge), "an edge arrives twice");
        }
    }
    let outgoing: BTreeSet<Edge> = state.edges.values().map(|(edge, _)| *edge).collect();
    assert_eq!(incoming, outgoing, "the two directions differ");
    for edge in outgoing {
        assert!(
            all.contains(&edge.source()) && all.contains(&edge.target),
            "{edge:?} dangles"
        );
    }
    state
}

/// What is asked of an index, owned.
#[derive(Clone, Debug)]
struct Asked {
    equal: Vec<Value>,
    /// Which way the next key is asked for, and with what.
    way: usize,
    bounds: [Value; 2],
    order: Order,
}

impl Asked {
    fn of(world: &mut World, keys: usize) -> Asked {
        let n = world.random.below(keys + 1);
        Asked {
            equal: (0..n).map(|_| world.value()).collect(),
            way: world.random.below(7),
            bounds: [world.value(), world.value()],
            order: *world.random.of(&[Order::Ascending, Order::Descending]),
        }
    }

    fn range(&self) -> KeyRange<'_> {
        let [low, high] = &self.bounds;
        let next = match self.way {
            0 => NextKey::Any,
            1 => NextKey::Present,
            2 => NextKey::StartsWith("a"),
            3 => NextKey::StartsWith(""),
            4 => NextKey::Between(Bound::Excluded(low), Bound::Included(high)),
            5 => NextKey::Between(Bound::Included(low), Bound::Unbounded),
            _ => NextKey::Between(Bound::Unbounded, Bound::Excluded(high)),
        };
        KeyRange {
            equal: &self.equal,
            next,
            order: self.order,
        }
    }

    /// Whether values, null where there is none, are what is asked for.
    fn meets(&self, values: &[Value]) -> bool {
        let equal = self
            .equal
            .iter()
            .zip(values)
            .all(|(asked, value)| value.equals(asked) == Some(true));
        let Some(next) = values.get(self.equal.len()) else {
            return equal;
        };
        let [low, high] = &self.bounds;
        let is =
            |bound: &Value, ok: fn(std::cmp::Ordering) -> bool| next.compare(bound).is_some_and(ok);
        equal
            && match self.way {
                0 => true,
                1 => !next.is_null(),
                2 => matches!(next, Value::String(text) if text.starts_with('a')),
                3 => matches!(next, Value::String(_)),
                4 => is(low, |o| o.is_gt()) && is(high, |o| o.is_le()),
                5 => is(low, |o| o.is_ge()),
                _ => is(high, |o| o.is_lt()),
            }
    }

    /// The ids of the things that meet it, in its order. Things that lack the first key are in no index.
    fn expected<Id: Ord + Copy>(&self, mut things: Vec<(Vec<Value>, Id)>) -> Vec<Id> {
        things.retain(|(values, _)| !values.first().is_some_and(Value::is_null));
        things.retain(|(values, _)| self.meets(values));
        things.sort();
        if self.order == Order::Descending {
            things.reverse();
        }
        things.into_iter().map(|(_, id)| id).collect()
    }
}

fn values(props: &Props, keys: &[KeyId]) -> Vec<Value> {
    keys.iter()
        .map(|key| props.get(key).cloned().unwrap_or_default())
        .collect()
}

/// Edges by the labels of their ends, where commits are applied one after the other.
fn check_edge_ends(graph: &Graph, state: &State) {
    let mut counted = BTreeMap::new();
    for (edge, _) in state.edges.values() {
        for (id, end) in [(edge.source(), End::Source), (edge.target, End::Target)] {
            for &label in &state.vertices[&id].0 {
                *counted.entry((label, edge.type_, end)).or_insert(0u64) += 1;
            }
        }
    }
    let ends = graph.edge_ends();
    let known = ends
        .iter()
        .map(|(label, type_, end, n)| ((label, type_, end), n));
    assert_eq!(known.collect::<BTreeMap<_, _>>(), counted);
}

/// Every index, by a range and by a seek.
fn check_indexes(view: &View<'_>, state: &State, world: &mut World) {
    for definition in indexes(&world.labels, &world.types, &world.keys) {
        let keys = definition.keys().to_vec();
        let asked = Asked::of(world, keys.len());
        let limit = 1 + world.random.below(4);
        let (mut cursor, range) = (Cursor::default(), asked.range());
        let seek = Asked {
            way: 0,
            order: Order::Ascending,
            ..asked.clone()
        };
        if let Some(label) = definition.label() {
            let with = state
                .vertices
                .iter()
                .filter(|(_, (labels, _))| labels.contains(&label));
            let things: Vec<_> = with
                .map(|(id, (_, props))| (values(props, &keys), *id))
                .collect();
            let index = view.index(label, &keys).expect("the index is online");
            let mut found = Vec::new();
            while !cursor.is_done() {
                index.scan(&range, &mut cursor, limit, &mut found);
            }
            assert_eq!(
                found,
                asked.expected(things.clone()),
                "{definition:?} {asked:?}"
            );
            let mut found: Vec<_> = index.seek(&asked.equal).collect();
            let mut expected = seek.expected(things);
            found.sort();
            expected.sort();
            assert_eq!(found, expected, "{definition:?} {seek:?}");
        }
        if let Some(type_) = definition.edge_type() {
            let with = state.edges.values().filter(|(edge, _)| edge.type_ == type_);
            let things: Vec<_> = with
                .map(|(edge, props)| (values(props, &keys), *edge))
                .collect();
            let index = view.edge_index(type_, &keys).expect("the index is online");
            let mut found = Vec::new();
            while !cursor.is_done() {
                index.scan(&range, &mut cursor, limit, &mut found);
            }
            assert_eq!(
                found,
                asked.expected(things.clone()),
                "{definition:?} {asked:?}"
            );
            let mut found: Vec<_> = index.seek(&asked.equal).collect();
            let mut expected = seek.expected(things);
            found.sort();
            expected.sort();
            assert_eq!(found, expected, "{definition:?} {seek:?}");
        }
    }
}

/// The indexes of a run.
fn indexes(labels: &[LabelId], types: &[TypeId], keys: &[KeyId]) -> Vec<IndexDefinition> {
    vec![
        IndexDefinition::on_label(labels[0], &keys[..1]),
        IndexDefinition::on_label(labels[1], &keys[..2]),
        IndexDefinition::on_type(types[1], &keys[..1]),
        IndexDefinition::on_type(types[0], &[]),
        IndexDefinition::on_type(types[0], &[keys[1], keys[0]]),
        IndexDefinition::on_label(labels[0], &[keys[2], keys[1], keys[0]]),
    ]
}

fn compare(world: &mut World, session: &Session) {
    let epoch: Epoch<'_> = session.core.enter();
    let view = session.txn.view(&epoch);
    let state = read(&view, &world.labels);
    assert_eq!(
        state, session.visible,
        "session {} sees something else",
        session.name
    );
    check_indexes(&view, &session.visible, world);
    let newest = read(
        &session.txn.view_including_current_clause(&epoch),
        &world.labels,
    );
    assert_eq!(
        newest, session.newest,
        "session {} has written something else",
        session.name
    );
}

fn begin(world: &mut World, core: &Core) -> Session {
    let txn = core.begin(Access::Write, Isolation::Snapshot);
    let snapshot = txn.snapshot().0;
    let base = world.committed[snapshot as usize].clone();
    world.names += 1;
    Session {
        name: world.names,
        core: core.clone(),
        txn,
        snapshot,
        visible: base.clone(),
        newest: base.clone(),
        base,
        vertices: BTreeSet::new(),
        edges: BTreeSet::new(),
    }
}

fn end(world: &mut World, session: Session, commit: bool) {
    let mut seq = None;
    if commit {
        let done = session
            .txn
            .commit()
            .expect("a transaction without conflict commits");
        if done.wrote {
            let mut state = world
                .committed
                .last()
                .expect("there is a first state")
                .clone();
            for id in &session.vertices {
                match session.newest.vertices.get(id) {
                    Some(vertex) => state.vertices.insert(*id, vertex.clone()),
                    None => state.vertices.remove(id),
                };
            }
            for id in &session.edges {
                match session.newest.edges.get(id) {
                    Some(edge) => state.edges.insert(*id, edge.clone()),
                    None => state.edges.remove(id),
                };
            }
            assert_eq!(done.seq.0 as usize, world.committed.len());
            world.committed.push(state);
            seq = Some(done.seq.0);
        }
    } else {
        session.txn.rollback();
    }
    let close = |touch: &mut Touch| {
        if touch.by == Some(session.name) {
            touch.by = None;
            match seq {
                Some(seq) => touch.seq = seq,
                None => touch.deleted = false,
            }
        }
    };
    for id in &session.vertices {
        close(world.vertex_touch.get_mut(id).expect("it was touched"));
    }
    for id in &session.edges {
        let touch = world.edge_touch.get_mut(id).expect("it was touched");
        close(&mut touch.life);
        close(&mut touch.properties);
    }
}

fn run(seed: u64, steps: usize) {
    let recorder = Arc::new(Recorder::default());
    let graph = Graph::new(GraphConfig {
        shards: 3,
        cores: 3,
        journal: recorder.clone(),
    });
    let replica = Graph::new(GraphConfig {
        shards: 2,
        cores: 1,
        journal: Arc::new(NullJournal::default()),
    });
    // Of every second seed, all that a transaction leaves behind when it ends is settled bit by bit.
    if seed.is_multiple_of(2) {
        graph.set_slices(seed as usize / 2 % 2, 2);
    }
    let cores: Vec<Core> = (0..3).map(|n| graph.core(n)).collect();
    let follower = replica.core(0);

    let mut txn = cores[0].begin(Access::Write, Isolation::Snapshot);
    let labels: Vec<LabelId> = ["A", "B", "C"]
        .iter()
        .map(|n| txn.label(n).unwrap())
        .collect();
    let types: Vec<TypeId> = ["X", "Y"]
        .iter()
        .map(|n| txn.edge_type(n).unwrap())
        .collect();
    let keys: Vec<KeyId> = ["p", "q", "r"]
        .iter()
        .map(|n| txn.key(n).unwrap())
        .collect();
    for definition in indexes(&labels, &types, &keys) {
        assert!(txn.create_index(definition, None).unwrap().is_some());
    }
    txn.commit().unwrap();

    let mut world = World {
        random: Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1),
        committed: vec![State::default(); 2],
        vertex_touch: BTreeMap::new(),
        edge_touch: BTreeMap::new(),
        all_edges: BTreeMap::new(),
        names: 0,
        labels,
        types,
        keys,
    };
    let mut sessions: Vec<Session> = Vec::new();
    let (mut applied, mut conflicts) = (0, 0);
    for step in 0..steps {
        if sessions.len() < 4 && world.random.below(3) == 0 {
            let core = world.random.of(&cores).clone();
            sessions.push(begin(&mut world, &core));
        }
        if !sessions.is_empty() {
            let at = world.random.below(sessions.len());
            match world.random.below(20) {
                0 => {
                    let session = sessions.swap_remove(at);
                    compare(&mut world, &session);
                    end(&mut world, session, true);
                }
                1 => {
                    let session = sessions.swap_remove(at);
                    end(&mut world, session, false);
                }
                2..=4 => {
                    let session = &mut sessions[at];
                    session.txn.next_clause();
                    session.visible = session.newest.clone();
                }
                5 | 6 => compare(&mut world, &sessions[at]),
                _ => {
                    if operate(&mut world, &mut sessions[at]) {
                        conflicts += 1;
                        let session = sessions.swap_remove(at);
                        end(&mut world, session, false);
                    }
                }
            }
        }
        if world.random.below(10) == 0 {
            let budget = 1 + world.random.below(50);
            world.random.of(&cores).maintain(budget);
        }
        if step % 50 == 0 {
            let last = world.committed.last().unwrap().clone();
            let statistics = graph.statistics();
            assert_eq!(statistics.vertices as usize, last.vertices.len());
            assert_eq!(statistics.edges as usize, last.edges.len());
            for (label, n) in statistics.vertices_by_label {
                assert_eq!(
                    n as usize,
                    last.vertices
                        .values()
                        .filter(|(labels, _)| labels.contains(&label))
                        .count()
                );
            }
            let frames = recorder.frames.lock().unwrap()[applied..].to_vec();
            applied += frames.len();
            for (seq, frame) in frames {
                assert!(Deltas::new(&frame[5..]).all(|delta| delta.is_ok()));
                follower
                    .apply(seq, &frame[5..])
                    .expect("the replica applies what the main has committed");
                replica.door().publish(seq);
                follower.maintain(world.random.below(40));
            }
            let reader = follower.begin(Access::Read, Isolation::Snapshot);
            let epoch = follower.enter();
            assert_eq!(
                read(&reader.view(&epoch), &world.labels),
                last,
                "the replica differs"
            );
            check_indexes(&reader.view(&epoch), &last, &mut world);
            assert_eq!(replica.statistics(), graph.statistics());
            check_edge_ends(&replica, &last);
        }
    }
    while let Some(session) = sessions.pop() {
        compare(&mut world, &session);
        end(&mut world, session, true);
    }
    let last = world.committed.last().unwrap().clone();
    for core in &cores {
        nothing_is_left_over(core, &cores, &last, &world);
    }
    for (seq, frame) in &recorder.frames.lock().unwrap()[applied..] {
        follower.apply(*seq, &frame[5..]).unwrap();
        replica.door().publish(*seq);
    }
    nothing_is_left_over(&follower, std::slice::from_ref(&follower), &last, &world);
    assert!(
        world.committed.len() > steps / 200 && conflicts > 0,
        "the run did little: {conflicts} conflicts"
    );
}

/// When all has come to rest, an index has one entry for each thing in it.
fn nothing_is_left_over(core: &Core, all: &[Core], state: &State, world: &World) {
    while all.iter().any(|core| core.maintain(1_000)) {}
    // Pages and lists that have been quiet are seen to when nothing else is left to do.
    for _ in 0..3 {
        for core in all {
            core.maintain(1_000);
        }
    }
    let reader = core.begin(Access::Read, Isolation::Snapshot);
    let epoch = core.enter();
    let view = reader.view(&epoch);
    for definition in indexes(&world.labels, &world.types, &world.keys) {
        let keys = definition.keys();
        let has = |props: &Props| keys.first().is_none_or(|key| props.contains_key(key));
        let (size, expected) = match (definition.label(), definition.edge_type()) {
            (Some(label), _) => {
                let vertices = state.vertices.values();
                let with = vertices.filter(|(labels, props)| labels.contains(&label) && has(props));
                (view.index(label, keys).unwrap().size(), with.count())
            }
            (_, Some(type_)) => {
                let edges = state.edges.values();
                let with = edges.filter(|(edge, props)| edge.type_ == type_ && has(props));
                (view.edge_index(type_, keys).unwrap().size(), with.count())
            }
            _ => unreachable!("an index is on vertices or on edges"),
        };
        assert_eq!(size, expected as u64, "entries of {definition:?}");
    }
}

#[test]
fn every_transaction_sees_what_the_model_says() {
    let (runs, steps) = if cfg!(miri) { (1, 150) } else { (12, 3_000) };
    let first = std::env::var("QUOIT_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or(1);
    for seed in first..first + runs {
        let run = std::panic::catch_unwind(|| run(seed, steps));
        assert!(run.is_ok(), "seed {seed}");
    }
}
