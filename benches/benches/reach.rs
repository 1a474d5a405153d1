//! Chains of expansions from one vertex of a Pokec-shaped graph of 100,000 vertices, through the query engine, beside level-set loops over arrays.
//!
//! `cargo bench -p quoit-benches --bench reach [-- TEXT]`: all, or the queries in whose row TEXT stands. Times are the least of several rounds, a round being all starts, a query each; the goal is two times the
//! arrays' time and 30 ns a row.

use quoit_benches::csr::{Csr, Levels, Seen};
use quoit_benches::pokec::{Pokec, Size};
use quoit_cypher::error::Error;
use quoit_graph::door::NullJournal;
use quoit_graph::value::Value;
use quoit_graph::{Access, Core, Graph, GraphConfig, Isolation, NewEdge, View};
use quoit_query::{
    Demand, Execution, Parameters, Prepared, QueryCore, QueryOptions, RowSink, Step, Vector,
};
use std::hint::black_box;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

const BATCH: usize = 10_000;
const STARTS: usize = 24;
const ROUNDS: usize = 5;

struct Count(u64);

impl RowSink for Count {
    fn row(&mut self, row: &[Value], _: &View<'_>) -> Result<(), Error> {
        black_box(row);
        self.0 += 1;
        Ok(())
    }

    fn vectors(
        &mut self,
        columns: &[Vector],
        rows: Range<usize>,
        _: &View<'_>,
    ) -> Result<(), Error> {
        black_box(columns);
        self.0 += rows.len() as u64;
        Ok(())
    }
}

struct Loaded {
    core: Core,
    engine: QueryCore,
}

impl Loaded {
    fn new(pokec: &Pokec) -> Loaded {
        let graph = Graph::new(GraphConfig {
            shards: 1,
            cores: 1,
            journal: Arc::new(NullJournal::default()),
        });
        let core = graph.core(0);
        let mut txn = core.begin(Access::Write, Isolation::Snapshot);
        let type_ = txn.edge_type("FRIEND").expect("a type");
        let label = txn.label("User").expect("a label");
        let (id, age) = (
            txn.key("id").expect("a key"),
            txn.key("age").expect("a key"),
        );
        let made = (0..pokec.vertices as i64).map(|number| {
            let properties = [(id, Value::Int(number)), (age, Value::Int(number % 70))];
            txn.create_vertex(&[label], &properties).expect("a vertex")
        });
        let vertices: Vec<_> = made.collect();
        txn.commit().expect("a commit");
        for batch in pokec.edges.chunks(BATCH) {
            let new: Vec<NewEdge<'_>> = batch
                .iter()
                .map(|&(source, target)| NewEdge {
                    source: vertices[source as usize],
                    target: vertices[target as usize],
                    type_,
                    properties: &[],
                })
                .collect();
            let mut txn = core.begin(Access::Write, Isolation::Snapshot);
            txn.create_edges(&new).expect("edges");
            txn.commit().expect("a commit");
        }
        let loaded = Loaded {
            core,
            engine: QueryCore::new(QueryOptions::default()),
        };
        loaded.run(&loaded.prepare("CREATE INDEX ON :User(id)"), 0);
        while loaded.core.maintain(10_000) {}
        loaded
    }

    fn prepare(&self, text: &str) -> Prepared {
        self.engine.prepare(text, &self.core).expect("a query")
    }

    fn run(&self, prepared: &Prepared, id: i64) -> u64 {
        let mut parameters = Parameters::new();
        parameters.insert("id", Value::Int(id));
        let mut txn = match prepared.writes() {
            true => self.core.begin_auto_commit_write(Isolation::Snapshot),
            false => self.core.begin(Access::Read, Isolation::Snapshot),
        };
        let mut execution = Execution::new(prepared.clone(), &parameters).expect("parameters");
        execution.request(Demand::All);
        let mut count = Count(0);
        while execution
            .step(&mut txn, &self.core, &|| false, &mut count)
            .expect("a step")
            != Step::Done
        {}
        txn.commit().expect("a commit");
        count.0
    }
}

/// The least time of several rounds over all starts, and what one round gave.
fn least(starts: &[u32], rounds: usize, mut one: impl FnMut(u32) -> u64) -> (Duration, u64) {
    let mut least = Duration::MAX;
    let mut rows = 0;
    for _ in 0..rounds {
        let begun = Instant::now();
        rows = starts.iter().map(|&start| one(start)).sum();
        least = least.min(begun.elapsed());
    }
    (least, rows)
}

fn main() {
    let pokec = Pokec::new(Size::Medium, 7);
    let csr = Csr::new(pokec.vertices, &pokec.edges);
    let loaded = Loaded::new(&pokec);
    let (mut levels, mut seen) = (Levels::default(), Seen::new(pokec.vertices));
    // Vertices that lead somewhere, spread over the graph.
    let starts = (0..pokec.vertices as u32).step_by(pokec.vertices / STARTS / 4);
    let starts: Vec<u32> = starts
        .filter(|&start| csr.of(start).len() > 3)
        .take(STARTS)
        .collect();
    let micros = |time: Duration| time.as_secs_f64() * 1e6 / starts.len() as f64;
    // Only what is named.
    let named = std::env::args().skip(1).find(|text| text != "--bench");
    let rounds = named.as_ref().map_or(ROUNDS, |_| 10 * ROUNDS);
    let is_asked = |row: &str| {
        named
            .as_ref()
            .is_none_or(|text| row.contains(text.as_str()))
    };
    println!(
        "{:44} {:>9} {:>11} {:>11} {:>11} {:>7}",
        "query (one start)", "rows", "query µs", "arrays µs", "goal µs", "of goal"
    );
    for hops in 1..=4 {
        let pattern = format!(
            "MATCH (s:User {{id: $id}}){}-->(n:User)",
            "-->()".repeat(hops - 1)
        );
        let (arrays, reached) = least(&starts, rounds, |start| {
            levels.search(&csr, start, hops, &mut seen).len() as u64
        });
        for (what, is_filtered) in [
            ("RETURN DISTINCT n.id", false),
            ("WHERE n.age >= 18 RETURN DISTINCT n.id", true),
            ("RETURN count(DISTINCT n)", true),
        ] {
            let row = format!("{hops} hops {what}");
            if !is_asked(&row) {
                continue;
            }
            let prepared = loaded.prepare(&format!("{pattern} {what}"));
            let (time, rows) = least(&starts, rounds, |start| {
                loaded.run(&prepared, i64::from(start))
            });
            // Trails reach a little less than walks.
            assert!(
                is_filtered || (rows <= reached && rows * 10 >= reached * 9),
                "{rows} of {reached}"
            );
            let goal = 2.0 * (micros(arrays) + 0.030 * rows as f64 / starts.len() as f64);
            println!(
                "{:44} {:>9} {:>11.1} {:>11.1} {:>11.1} {:>7.2}",
                row,
                rows / starts.len() as u64,
                micros(time),
                micros(arrays),
                goal,
                micros(time) / goal
            );
        }
    }
    for what in [
        "MATCH (s:User {id: $id})-->(n:User) RETURN n.id",
        "MATCH (s:User {id: $id})-[*1..2]->(n:User) RETURN DISTINCT n.id",
        "MATCH (s:User {id: $id})-[*1..3]->(n:User) RETURN DISTINCT n.id",
        "MATCH (s:User {id: $id})-[*1..3]->(n:User) RETURN count(*)",
        "MATCH (s:User {id: $id})-[*1..3]->() RETURN count(*)",
        "MATCH (s:User {id: $id})-->()-->()-->(n) RETURN n.id LIMIT 1",
    ] {
        if !is_asked(what) {
            continue;
        }
        let prepared = loaded.prepare(what);
        let (time, rows) = least(&starts, rounds, |start| {
            loaded.run(&prepared, i64::from(start))
        });
        println!(
            "{what:70} {:>9} rows {:>11.1} µs",
            rows / starts.len() as u64,
            micros(time)
        );
    }
}
