//! What a second core is worth, and what an edge across shards costs.
//!
//! Called by the `storage` binary. Always holds: a worker touches vertices of its own shard only, unless the row says otherwise.

use super::{Numbers, Report, least};
use quoit_graph::door::NullJournal;
use quoit_graph::ids::{KeyId, TypeId, VertexId};
use quoit_graph::value::Value;
use quoit_graph::{Access, Core, Direction, Graph, GraphConfig, Isolation, WriteError};
use std::cell::RefCell;
use std::hint::black_box;
use std::sync::{Arc, Barrier};
use std::time::Instant;

const VERTICES: usize = 100_000;
const READS: usize = 400_000;
const WRITES: usize = 60_000;
const EDGES: usize = 40_000;
const ROUNDS: usize = 7;
const DEGREE: usize = 4;

/// A shard's vertices and the names that all use.
#[derive(Clone)]
struct Field {
    vertices: Vec<VertexId>,
    key: KeyId,
    type_: TypeId,
}

fn fill(core: &Core) -> Field {
    let mut txn = core.begin(Access::Write, Isolation::Snapshot);
    let label = txn.label("V").expect("a label");
    let key = txn.key("p").expect("a key");
    let type_ = txn.edge_type("E").expect("a type");
    txn.commit().expect("nothing to commit");
    let mut numbers = Numbers::new(7);
    let mut vertices = Vec::with_capacity(VERTICES);
    while vertices.len() < VERTICES {
        let mut txn = core.begin(Access::Write, Isolation::Snapshot);
        for _ in 0..1_000 {
            let value = Value::Int(vertices.len() as i64);
            let made = txn.create_vertex(&[label], &[(key, value)]);
            vertices.push(made.expect("a vertex"));
        }
        for _ in 0..1_000 * DEGREE {
            let ends = [0, 1].map(|_| vertices[numbers.below(vertices.len())]);
            let made = txn.create_edge(ends[0], ends[1], type_, &[]);
            made.expect("an edge");
        }
        txn.commit().expect("a commit");
        while core.maintain(10_000) {}
    }
    Field {
        vertices,
        key,
        type_,
    }
}

/// Point reads: a property and the neighbours of vertices at random, a transaction for each hundred.
fn read(core: &Core, field: &Field, seed: u64) {
    let mut numbers = Numbers::new(seed);
    let mut sum = 0_u64;
    for _ in 0..READS / 100 {
        let txn = core.begin(Access::Read, Isolation::Snapshot);
        let epoch = core.enter();
        let view = txn.view(&epoch);
        for _ in 0..100 {
            let id = field.vertices[numbers.below(field.vertices.len())];
            let vertex = view.vertex(id).expect("it was committed");
            black_box(vertex.property(field.key));
            for incidence in view.edges(id, Direction::Out, &[]) {
                sum = sum.wrapping_add(incidence.neighbour.0);
            }
        }
    }
    black_box(sum);
}

/// Independent updates, a transaction for each, with the housekeeping that a server does between requests.
fn write(core: &Core, field: &Field, seed: u64) {
    let mut numbers = Numbers::new(seed);
    for n in 0..WRITES {
        let id = field.vertices[numbers.below(field.vertices.len())];
        // A conflict with an own earlier commit, which another core's unfinished one keeps from being sealed, is retried.
        loop {
            let mut txn = core.begin_auto_commit_write(Isolation::Snapshot);
            match txn.set_vertex_property(id, field.key, &Value::Int(n as i64)) {
                Ok(()) => txn.commit().expect("a commit"),
                Err(WriteError::Conflict { .. }) => continue,
                Err(error) => panic!("an update fails: {error}"),
            };
            break;
        }
        if n % 64 == 0 {
            core.maintain(256);
        }
    }
}

/// Both workers at once, on a thread each; the seconds until the last has done.
fn together(graph: &Arc<Graph>, fields: &[Field], work: fn(&Core, &Field, u64)) -> f64 {
    let start = Barrier::new(fields.len() + 1);
    std::thread::scope(|scope| {
        let workers: Vec<_> = fields
            .iter()
            .enumerate()
            .map(|(n, field)| {
                let start = &start;
                scope.spawn(move || {
                    let core = graph.core(n as u16);
                    start.wait();
                    work(&core, field, 11 + n as u64);
                })
            })
            .collect();
        start.wait();
        let begun = Instant::now();
        for worker in workers {
            worker.join().expect("a worker ends well");
        }
        begun.elapsed().as_secs_f64()
    })
}

/// See the module.
pub fn cores(report: &mut Report) {
    let graph = Graph::new(GraphConfig {
        shards: 2,
        cores: 2,
        journal: Arc::new(NullJournal::default()),
    });
    let fields = [0, 1].map(|n| fill(&graph.core(n)));
    type Work = (&'static str, usize, fn(&Core, &Field, u64));
    let works: [Work; 2] = [
        ("reads", READS, read),
        ("independent updates", WRITES, write),
    ];
    for (name, count, work) in works {
        let (mut one, mut both) = (
            || together(&graph, &fields[..1], work),
            || together(&graph, &fields, work),
        );
        let [alone, paired] = least(ROUNDS, [&mut one, &mut both]);
        report.at_least(
            &format!("{name}: 2 cores versus 1"),
            1.8,
            2.0 * alone / paired,
            "times",
            &format!(
                "{:.2} to {:.2} million a second",
                count as f64 / alone / 1e6,
                2.0 * count as f64 / paired / 1e6
            ),
        );
    }
    across(report, &graph, &fields);
}

/// One transaction an edge, from a vertex here to one here, or to one of the other shard, whose core sleeps.
fn across(report: &mut Report, graph: &Arc<Graph>, fields: &[Field; 2]) {
    let core = graph.core(0);
    let numbers = RefCell::new(Numbers::new(23));
    let run = |targets: &Field| {
        let here = &fields[0].vertices;
        let numbers = &mut *numbers.borrow_mut();
        let pairs: Vec<_> = (0..EDGES)
            .map(|_| {
                let target = targets.vertices[numbers.below(targets.vertices.len())];
                (here[numbers.below(here.len())], target)
            })
            .collect();
        while core.maintain(10_000) {}
        let begun = Instant::now();
        for (n, &(source, target)) in pairs.iter().enumerate() {
            let mut txn = core.begin_auto_commit_write(Isolation::Snapshot);
            let made = txn.create_edge(source, target, fields[0].type_, &[]);
            made.expect("both ends exist");
            txn.commit().expect("a commit");
            if n % 64 == 0 {
                core.maintain(256);
            }
        }
        begun.elapsed().as_secs_f64()
    };
    let [within, between] = least(ROUNDS, [&mut || run(&fields[0]), &mut || run(&fields[1])]);
    report.at_most(
        "an edge between two shards, the other core asleep, versus within one",
        1.3,
        between / within,
        "times",
        &format!(
            "{:.2} to {:.2} µs, a transaction each",
            within / EDGES as f64 * 1e6,
            between / EDGES as f64 * 1e6
        ),
    );
}
