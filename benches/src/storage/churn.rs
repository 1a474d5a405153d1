//! Whether memory comes back: graphs made and unmade in rounds, down to the system's own count.
//!
//! Called by the `storage` binary; the whole of it takes some minutes. Always holds: what stands at the start stays and is checked at
//! the end; resident memory is read when housekeeping has nothing to do and the allocator has had time to give pages back.

use super::{Numbers, Report, resident_bytes};
use quoit_graph::door::NullJournal;
use quoit_graph::ids::{KeyId, LabelId, TypeId, VertexId};
use quoit_graph::value::Value;
use quoit_graph::{Access, Core, Graph, GraphConfig, IndexDefinition, Isolation, Txn, WriteError};
use std::sync::Arc;
use std::time::Duration;

/// What stands all the time.
const BASE_VERTICES: usize = 200_000;
const BASE_EDGES: usize = 2_000_000;
/// What comes and goes.
const VERTICES: usize = 1_000_000;
const EDGES: usize = 10_000_000;
const ROUNDS: usize = 5;
const BATCH: usize = 10_000;
/// The allocator's background threads give free pages back within this time.
const DECAY: Duration = Duration::from_secs(12);

struct Bench {
    graph: Arc<Graph>,
    core: Core,
    label: LabelId,
    type_: TypeId,
    key: KeyId,
    numbers: Numbers,
}

impl Bench {
    fn new() -> Bench {
        let graph = Graph::new(GraphConfig {
            shards: 2,
            cores: 2,
            journal: Arc::new(NullJournal::default()),
        });
        let names = graph.names();
        Bench {
            core: graph.core(0),
            label: names.intern_label("V").expect("a label"),
            type_: names.intern_type("E").expect("a type"),
            key: names.intern_key("p").expect("a key"),
            numbers: Numbers::new(42),
            graph,
        }
    }

    fn write<R>(&self, work: impl FnOnce(&mut Txn) -> Result<R, WriteError>) -> R {
        let mut txn = self.core.begin(Access::Write, Isolation::Snapshot);
        let result = work(&mut txn).expect("nothing is in the way");
        txn.commit().expect("the journal takes everything");
        // As a server does that has a moment between two requests.
        while self.core.maintain(10_000) {}
        result
    }

    fn vertices(&self, count: usize) -> Vec<VertexId> {
        let mut made = Vec::with_capacity(count);
        while made.len() < count {
            self.write(|txn| {
                for n in 0..BATCH.min(count - made.len()) {
                    let value = Value::Int(n as i64);
                    made.push(txn.create_vertex(&[self.label], &[(self.key, value)])?);
                }
                Ok(())
            });
        }
        made
    }

    fn edges(&mut self, among: &[VertexId], count: usize) {
        for _ in 0..count / BATCH {
            let ends: Vec<[VertexId; 2]> = (0..BATCH)
                .map(|_| [0, 1].map(|_| among[self.numbers.below(among.len())]))
                .collect();
            self.write(|txn| {
                for [source, target] in ends {
                    txn.create_edge(source, target, self.type_, &[])?;
                }
                Ok(())
            });
        }
    }

    fn delete(&self, vertices: &[VertexId]) {
        for batch in vertices.chunks(BATCH / 10) {
            self.write(|txn| {
                for &id in batch {
                    txn.detach_delete_vertex(id)?;
                }
                Ok(())
            });
        }
    }

    /// At rest; what is resident then.
    fn rest(&self) -> f64 {
        while self.core.maintain(100_000) {}
        for _ in 0..4 {
            self.core.maintain(100_000);
        }
        std::thread::sleep(DECAY);
        resident_bytes()
    }

    fn tracked(&self) -> f64 {
        self.graph.memory().tracked() as f64
    }
}

/// The rows about churn.
pub fn churn(report: &mut Report) {
    let mut bench = Bench::new();
    let base = bench.vertices(BASE_VERTICES);
    bench.edges(&base, BASE_EDGES);
    let start = bench.rest();
    let mut peak: f64 = 0.0;
    for _ in 0..ROUNDS {
        let made = bench.vertices(VERTICES / ROUNDS);
        bench.edges(&made, EDGES / ROUNDS);
        peak = peak.max(resident_bytes());
        bench.delete(&made);
    }
    let end = bench.rest();
    assert_eq!(bench.graph.vertex_count(), BASE_VERTICES as u64);
    assert_eq!(bench.graph.edge_count(), BASE_EDGES as u64);
    report.at_most(
        "resident after 10 million edges and 1 million vertices came and went",
        1.1,
        end / start,
        "times the start",
        &format!("in {ROUNDS} rounds: {}", mebibytes(start, peak, end)),
    );
    survivors(report, &bench);
    updates(report, &bench, &base);
    undone(report, &bench, &base);
}

/// One vertex in a thousand stays: a page goes with its last vertex.
fn survivors(report: &mut Report, bench: &Bench) {
    let start = bench.rest();
    let made = bench.vertices(VERTICES);
    let full = resident_bytes();
    let (kept, gone): (Vec<_>, Vec<_>) = made.iter().enumerate().partition(|(n, _)| n % 1000 == 0);
    let ids = |part: &[(usize, &VertexId)]| part.iter().map(|(_, id)| **id).collect::<Vec<_>>();
    bench.delete(&ids(&gone));
    let left = bench.rest();
    let survey = bench.core.survey_pages();
    report.at_most(
        "resident for one survivor in a thousand vertices, without its page's slots",
        1.1,
        (left - survey.sparse_bytes as f64) / start,
        "times the start",
        &format!(
            "{}, of which {:.0} MiB are the slots of {} reported pages with {} vertices",
            mebibytes(start, full, left),
            survey.sparse_bytes as f64 / MIB,
            survey.sparse_pages,
            survey.sparse_vertices
        ),
    );
    bench.delete(&ids(&kept));
}

/// Properties change, an index over them comes and goes.
fn updates(report: &mut Report, bench: &Bench, base: &[VertexId]) {
    let round = |round: i64| {
        let definition = IndexDefinition::on_label(bench.label, &[bench.key]);
        let mut txn = bench.core.begin(Access::Write, Isolation::Snapshot);
        let build = txn
            .create_index(definition.clone(), None)
            .expect("one index");
        let mut build = build.expect("there is none");
        while build.step(10_000).expect("nothing is in the way") {}
        txn.commit().expect("the journal takes everything");
        for batch in base.chunks(1_000) {
            bench.write(|txn| {
                for (n, &id) in batch.iter().enumerate() {
                    let value = Value::Int(round * 1_000 + n as i64);
                    txn.set_vertex_property(id, bench.key, &value)?;
                }
                Ok(())
            });
        }
        bench.write(|txn| txn.drop_index(&definition));
    };
    round(0);
    let (start, tracked) = (bench.rest(), bench.tracked());
    for n in 1..=10 {
        round(n);
    }
    let end = bench.rest();
    report.at_most(
        "resident after 2 million updates under an index made and dropped 10 times",
        1.1,
        end / start,
        "times the start",
        &format!(
            "{:.0} MiB, then {:.0} MiB; tracked {:.3} times",
            start / MIB,
            end / MIB,
            bench.tracked() / tracked
        ),
    );
}

/// Statements fail and transactions are rolled back.
fn undone(report: &mut Report, bench: &Bench, base: &[VertexId]) {
    let round = || {
        for batch in base.chunks(2_000) {
            let mut txn = bench.core.begin(Access::Write, Isolation::Snapshot);
            for pair in batch.windows(2) {
                let new = txn.create_vertex(&[bench.label], &[(bench.key, 1.into())]);
                let new = new.expect("a vertex");
                txn.create_edge(new, pair[0], bench.type_, &[])
                    .expect("an edge");
                txn.set_vertex_property(pair[1], bench.key, &7.into())
                    .expect("an update");
            }
            let refused = txn.delete_vertex(batch[0]);
            assert!(refused.is_err(), "it has edges");
            txn.rollback();
            while bench.core.maintain(10_000) {}
        }
    };
    round();
    let (start, tracked) = (bench.rest(), bench.tracked());
    for _ in 0..10 {
        round();
    }
    let end = bench.rest();
    report.at_most(
        "resident after 6 million writes that were undone",
        1.1,
        end / start,
        "times the start",
        &format!(
            "{:.0} MiB, then {:.0} MiB; tracked {:.3} times",
            start / MIB,
            end / MIB,
            bench.tracked() / tracked
        ),
    );
}

const MIB: f64 = (1 << 20) as f64;

fn mebibytes(start: f64, peak: f64, end: f64) -> String {
    let [start, peak, end] = [start, peak, end].map(|bytes| bytes / MIB);
    format!("{start:.0} MiB at the start, {peak:.0} at the peak, {end:.0} at the end")
}
