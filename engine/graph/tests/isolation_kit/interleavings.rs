//! Every interleaving of a few small transactions on two vertices of two shards and an edge between them.
//!
//! One thread plays all of them, each through the handle of its core, so that every order of their steps is tried and each is tried
//! the same way every time. After each step every transaction and two fresh readers look at the graph from both ends of its
//! edges; at the end what is there must be what the committed ones have done, in the order of their commits.

use quoit_graph::door::NullJournal;
use quoit_graph::ids::{KeyId, TypeId, VertexId};
use quoit_graph::value::{Edge, ValueRef};
use quoit_graph::{Access, Core, Direction, Graph, GraphConfig, Isolation, Txn, View, WriteError};
use std::collections::BTreeSet;
use std::sync::Arc;

/// One step of a transaction; `bool` chooses between the two vertices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Begin,
    /// From the vertex chosen to the other one.
    Link(bool),
    /// The edge that was there at first.
    Unlink,
    Delete(bool),
    Detach(bool),
    Set(bool),
    Commit,
    Abort,
}

/// What was tried.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tried {
    pub scenarios: u64,
    pub conflicts: u64,
}

/// A graph of two shards with a core each, and the names that the scenarios use.
pub struct Stage {
    cores: [Core; 2],
    _graph: Arc<Graph>,
    type_: TypeId,
    value: KeyId,
}

struct Scene {
    vertices: [VertexId; 2],
    edge: Edge,
}

/// A transaction as it goes, and what it will have done if it commits.
struct Player {
    txn: Option<Txn>,
    core: usize,
    links: BTreeSet<u64>,
    unlinks: BTreeSet<u64>,
    gone: BTreeSet<u64>,
    set: BTreeSet<u64>,
    /// Its number as a value.
    mark: i64,
}

/// What all commits so far add up to.
struct Expected {
    vertices: BTreeSet<u64>,
    edges: BTreeSet<u64>,
    values: [i64; 2],
}

impl Stage {
    /// A stage where so many writes of a transaction are settled when it ends; the others when all players have left.
    pub fn new(settled_at_once: usize) -> Stage {
        let graph = Graph::new(GraphConfig {
            shards: 2,
            cores: 2,
            journal: Arc::new(NullJournal::default()),
        });
        graph.set_slices(settled_at_once, 1);
        let cores = [graph.core(0), graph.core(1)];
        let mut txn = cores[0].begin(Access::Write, Isolation::Snapshot);
        let (type_, value) = (txn.edge_type("T").unwrap(), txn.key("value").unwrap());
        drop(txn);
        Stage {
            cores,
            _graph: graph,
            type_,
            value,
        }
    }

    fn scene(&self) -> Scene {
        let vertices = [0, 1].map(|n: usize| {
            let mut txn = self.cores[n].begin(Access::Write, Isolation::Snapshot);
            let id = txn.create_vertex(&[], &[(self.value, 0.into())]).unwrap();
            txn.commit().unwrap();
            id
        });
        let mut txn = self.cores[0].begin(Access::Write, Isolation::Snapshot);
        let edge = txn
            .create_edge(vertices[0], vertices[1], self.type_, &[])
            .unwrap();
        txn.commit().unwrap();
        Scene { vertices, edge }
    }

    /// Plays the programs in every interleaving.
    pub fn play_all(&self, isolation: Isolation, programs: &[&[Step]], tried: &mut Tried) {
        let mut order = Vec::new();
        let mut left: Vec<usize> = programs.iter().map(|program| program.len()).collect();
        self.interleave(isolation, programs, &mut left, &mut order, tried);
    }

    fn interleave(
        &self,
        isolation: Isolation,
        programs: &[&[Step]],
        left: &mut [usize],
        order: &mut Vec<usize>,
        tried: &mut Tried,
    ) {
        if left.iter().all(|&steps| steps == 0) {
            tried.scenarios += 1;
            tried.conflicts += self.play(isolation, programs, order);
            return;
        }
        for player in 0..programs.len() {
            if left[player] > 0 {
                left[player] -= 1;
                order.push(player);
                self.interleave(isolation, programs, left, order, tried);
                order.pop();
                left[player] += 1;
            }
        }
    }

    /// One scenario; how many conflicts it met.
    fn play(&self, isolation: Isolation, programs: &[&[Step]], order: &[usize]) -> u64 {
        let scene = self.scene();
        let mut expected = Expected {
            vertices: scene.vertices.iter().map(|id| id.0).collect(),
            edges: [scene.edge.id.0].into(),
            values: [0; 2],
        };
        let mut players: Vec<Player> = (0..programs.len())
            .map(|n| Player {
                txn: None,
                core: n % 2,
                links: BTreeSet::new(),
                unlinks: BTreeSet::new(),
                gone: BTreeSet::new(),
                set: BTreeSet::new(),
                mark: n as i64 + 1,
            })
            .collect();
        let mut at = vec![0; programs.len()];
        let mut conflicts = 0;
        let context = || format!("{isolation:?}, {programs:?} in the order {order:?}");
        for &player in order {
            let step = programs[player][at[player]];
            at[player] += 1;
            let result = self.step(isolation, &scene, &mut players[player], step, &mut expected);
            match result {
                Ok(()) => {}
                Err(error) => {
                    conflicts += u64::from(matches!(error, WriteError::Conflict { .. }));
                    assert!(
                        !matches!(error, WriteError::ReadOnly | WriteError::LimitExceeded(_)),
                        "{error} in {}",
                        context()
                    );
                    // As the server does: a failed statement ends its transaction.
                    players[player].txn = None;
                }
            }
            for one in &players {
                if let Some(txn) = &one.txn {
                    self.look(&scene, &txn.view(&self.cores[one.core].enter()), &context);
                }
            }
            self.look_at_the_committed(&scene, &expected, &context);
        }
        drop(players);
        for core in &self.cores {
            let quiet = (0..1_000).any(|_| !core.maintain(1_000));
            assert!(quiet, "housekeeping comes to no end: {}", context());
        }
        self.look_at_the_committed(&scene, &expected, &context);
        conflicts
    }

    fn step(
        &self,
        isolation: Isolation,
        scene: &Scene,
        player: &mut Player,
        step: Step,
        expected: &mut Expected,
    ) -> Result<(), WriteError> {
        let core = &self.cores[player.core];
        if step == Step::Begin {
            player.txn = Some(core.begin(Access::Write, isolation));
            return Ok(());
        }
        // Its statement failed before.
        let Some(txn) = &mut player.txn else {
            return Ok(());
        };
        drop(txn.begin_statement(false));
        let vertex = |other: bool| scene.vertices[usize::from(other)];
        match step {
            Step::Begin => {}
            Step::Link(from) => {
                let edge = txn.create_edge(vertex(from), vertex(!from), self.type_, &[])?;
                player.links.insert(edge.id.0);
            }
            Step::Unlink => {
                txn.delete_edge(scene.edge)?;
                player.unlinks.insert(scene.edge.id.0);
            }
            Step::Delete(which) => {
                txn.delete_vertex(vertex(which))?;
                player.gone.insert(vertex(which).0);
            }
            Step::Detach(which) => {
                let incident: Vec<u64> = {
                    let epoch = core.enter();
                    let view = txn.view(&epoch);
                    view.edges(vertex(which), Direction::Both, &[])
                        .map(|found| found.edge.id.0)
                        .collect()
                };
                txn.detach_delete_vertex(vertex(which))?;
                player.unlinks.extend(incident);
                player.gone.insert(vertex(which).0);
            }
            Step::Set(which) => {
                txn.set_vertex_property(vertex(which), self.value, &player.mark.into())?;
                player.set.insert(vertex(which).0);
            }
            Step::Abort => {
                player.txn.take().expect("it is there").rollback();
                return Ok(());
            }
            Step::Commit => {
                let txn = player.txn.take().expect("it is there");
                txn.commit().expect("nothing failed before");
                expected.edges.extend(&player.links);
                expected.edges.retain(|edge| !player.unlinks.contains(edge));
                expected
                    .vertices
                    .retain(|vertex| !player.gone.contains(vertex));
                for (n, id) in scene.vertices.iter().enumerate() {
                    if player.set.contains(&id.0) {
                        expected.values[n] = player.mark;
                    }
                }
                return Ok(());
            }
        }
        txn.next_clause();
        Ok(())
    }

    /// Nothing dangles, and both ends tell the same; what is there.
    fn look(
        &self,
        scene: &Scene,
        view: &View<'_>,
        context: &dyn Fn() -> String,
    ) -> (BTreeSet<u64>, BTreeSet<u64>) {
        let there: BTreeSet<u64> = scene
            .vertices
            .iter()
            .filter(|&&id| view.vertex(id).is_some())
            .map(|id| id.0)
            .collect();
        let seen = |direction| -> BTreeSet<u64> {
            let found = scene
                .vertices
                .iter()
                .flat_map(|&id| view.edges(id, direction, &[]))
                .collect::<Vec<_>>();
            for one in &found {
                for end in [one.edge.source(), one.edge.target] {
                    assert!(
                        there.contains(&end.0),
                        "{:?} dangles: {}",
                        one.edge,
                        context()
                    );
                }
            }
            found.iter().map(|found| found.edge.id.0).collect()
        };
        let (out, back) = (seen(Direction::Out), seen(Direction::In));
        assert_eq!(
            out,
            back,
            "an edge is seen from one end only: {}",
            context()
        );
        (there, out)
    }

    fn look_at_the_committed(
        &self,
        scene: &Scene,
        expected: &Expected,
        context: &dyn Fn() -> String,
    ) {
        for core in &self.cores {
            let reader = core.begin(Access::Read, Isolation::Snapshot);
            let epoch = core.enter();
            let view = reader.view(&epoch);
            let (vertices, edges) = self.look(scene, &view, context);
            assert_eq!(vertices, expected.vertices, "vertices: {}", context());
            assert_eq!(edges, expected.edges, "edges: {}", context());
            for (n, &id) in scene.vertices.iter().enumerate() {
                if let Some(vertex) = view.vertex(id) {
                    match vertex.property(self.value) {
                        Some(ValueRef::Int(value)) => {
                            assert_eq!(value, expected.values[n], "value {n}: {}", context())
                        }
                        other => panic!("{other:?} is no value: {}", context()),
                    }
                }
            }
        }
    }
}

/// Everything that one transaction does in one step.
pub const CHANGES: [Step; 9] = [
    Step::Link(false),
    Step::Link(true),
    Step::Unlink,
    Step::Delete(false),
    Step::Delete(true),
    Step::Detach(false),
    Step::Detach(true),
    Step::Set(false),
    Step::Set(true),
];

/// Two transactions of one change each, ended either way, in all interleavings of their beginnings, changes and ends.
pub fn pairs(stage: &Stage, isolation: Isolation, tried: &mut Tried) {
    for first in CHANGES {
        for second in CHANGES {
            for ends in [
                [Step::Commit, Step::Commit],
                [Step::Commit, Step::Abort],
                [Step::Abort, Step::Commit],
            ] {
                let programs = [
                    [Step::Begin, first, ends[0]],
                    [Step::Begin, second, ends[1]],
                ];
                stage.play_all(isolation, &[&programs[0], &programs[1]], tried);
            }
        }
    }
}

/// A transaction of two changes against one of one change.
pub fn pairs_of_two_changes(stage: &Stage, isolation: Isolation, tried: &mut Tried) {
    for first in CHANGES {
        for then in CHANGES {
            for second in [
                Step::Link(false),
                Step::Detach(true),
                Step::Unlink,
                Step::Set(false),
            ] {
                let long = [Step::Begin, first, then, Step::Commit];
                let short = [Step::Begin, second, Step::Commit];
                stage.play_all(isolation, &[&long, &short], tried);
            }
        }
    }
}

/// Three transactions of one change each; two begin together, since no third lies between their snapshots.
pub fn triples(stage: &Stage, isolation: Isolation, tried: &mut Tried) {
    let changes = [
        Step::Link(false),
        Step::Unlink,
        Step::Detach(false),
        Step::Detach(true),
    ];
    for (n, &first) in changes.iter().enumerate() {
        for &second in &changes[n..] {
            for third in changes {
                let programs = [
                    [Step::Begin, first, Step::Commit],
                    [Step::Begin, second, Step::Commit],
                    [Step::Begin, third, Step::Abort],
                ];
                // The third is rolled back: what it meets and leaves counts, so it needs no beginning apart from the others.
                let mut left = [3, 3, 2];
                let mut order = vec![2];
                let programs: Vec<&[Step]> = programs.iter().map(|p| &p[..]).collect();
                stage.interleave(isolation, &programs, &mut left, &mut order, tried);
            }
        }
    }
}
