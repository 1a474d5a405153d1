//! Bulk work through the language: `UNWIND $rows` that creates vertices, edges between vertices found by an index, merges vertices
//! and edges, and looks up. Each iteration is one statement of [`ROWS`] rows and its commit; criterion's "elements" are rows.

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use quoit_cypher::error::Error;
use quoit_graph::door::NullJournal;
use quoit_graph::value::Value;
use quoit_graph::{Core, Graph, GraphConfig, Isolation, View};
use quoit_query::{Demand, Execution, Parameters, QueryCore, QueryOptions, RowSink, Step};
use std::sync::Arc;

/// Rows of one statement.
const ROWS: i64 = 10_000;

/// Vertices that edges are made between.
const USERS: i64 = 100_000;

struct Nowhere;

impl RowSink for Nowhere {
    fn row(&mut self, _: &[Value], _: &View<'_>) -> Result<(), Error> {
        Ok(())
    }
}

struct Db {
    core: Core,
    queries: QueryCore,
}

impl Db {
    fn new() -> Db {
        let graph = Graph::new(GraphConfig {
            shards: 1,
            cores: 1,
            journal: Arc::new(NullJournal::default()),
        });
        Db {
            core: graph.core(0),
            queries: QueryCore::new(QueryOptions::default()),
        }
    }

    fn run(&self, text: &str, rows: Value) {
        let prepared = self.queries.prepare(text, &self.core).expect("a plan");
        let mut parameters = Parameters::new();
        parameters.insert("rows", rows);
        let mut execution = Execution::new(prepared, &parameters).expect("parameters");
        execution.request(Demand::All);
        let mut txn = self.core.begin_auto_commit_write(Isolation::Snapshot);
        while execution
            .step(&mut txn, &self.core, &|| false, &mut Nowhere)
            .expect("a step")
            != Step::Done
        {}
        txn.commit().expect("a commit");
        while self.core.maintain(10_000) {}
    }

    fn with_users() -> Db {
        let db = Db::new();
        db.run("CREATE INDEX ON :User(id)", Value::Null);
        for first in (0..USERS).step_by(ROWS as usize) {
            db.run(
                "UNWIND $rows AS r CREATE (:User {id: r.id, name: r.name, age: r.age})",
                people(first),
            );
        }
        db
    }
}

/// Rows of four properties, from an id on.
fn people(first: i64) -> Value {
    let row = |id: i64| {
        Value::map(vec![
            (Arc::from("id"), Value::Int(id)),
            (Arc::from("name"), Value::from(format!("name{}", id % 1000))),
            (Arc::from("age"), Value::Int(id % 90)),
            (Arc::from("score"), Value::Float(id as f64 * 0.5)),
        ])
    };
    Value::list((first..first + ROWS).map(row).collect())
}

/// Pairs of ids spread over all users, other ones for each seed.
fn pairs(seed: u64) -> Value {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        (state.wrapping_mul(0x2545_f491_4f6c_dd1d) % USERS as u64) as i64
    };
    let row = |_| {
        Value::map(vec![
            (Arc::from("a"), Value::Int(next())),
            (Arc::from("b"), Value::Int(next())),
        ])
    };
    Value::list((0..ROWS).map(row).collect())
}

fn bulk(c: &mut Criterion) {
    let mut group = c.benchmark_group("bulk");
    group
        .throughput(Throughput::Elements(ROWS as u64))
        .sample_size(10);
    group.bench_function("UNWIND CREATE vertices of four properties", |b| {
        let rows = people(0);
        b.iter_batched(
            Db::new,
            |db| {
                db.run(
                    "UNWIND $rows AS r CREATE (:L {id: r.id, name: r.name, age: r.age, score: r.score})",
                    rows.clone(),
                );
                db
            },
            BatchSize::PerIteration,
        );
    });
    group.bench_function("UNWIND MATCH MATCH CREATE edges by index", |b| {
        let db = Db::with_users();
        let mut seed = 0;
        b.iter_batched(
            || {
                seed += 1;
                pairs(seed)
            },
            |rows| {
                db.run(
                    "UNWIND $rows AS r MATCH (a:User {id: r.a}), (b:User {id: r.b}) CREATE (a)-[:T]->(b)",
                    rows,
                );
            },
            BatchSize::PerIteration,
        );
    });
    group.bench_function("UNWIND MERGE vertices that are there", |b| {
        let db = Db::with_users();
        let rows = people(0);
        b.iter(|| {
            db.run(
                "UNWIND $rows AS r MERGE (u:User {id: r.id}) SET u.age = r.age",
                rows.clone(),
            );
        });
    });
    group.bench_function("UNWIND MERGE edges at a hub of 200,000 edges", |b| {
        let db = Db::with_users();
        db.run("CREATE (:Hub)", Value::Null);
        for _ in 0..2 {
            db.run("MATCH (h:Hub), (u:User) CREATE (h)-[:T]->(u)", Value::Null);
        }
        let mut seed = 0;
        b.iter_batched(
            || {
                seed += 1;
                pairs(seed)
            },
            |rows| {
                db.run(
                    "MATCH (h:Hub) UNWIND $rows AS r MATCH (u:User {id: r.a}) MERGE (h)-[:T]->(u)",
                    rows,
                );
            },
            BatchSize::PerIteration,
        );
    });
    group.bench_function("UNWIND MATCH by unique key", |b| {
        let db = Db::with_users();
        db.run(
            "CREATE CONSTRAINT ON (u:User) ASSERT u.id IS UNIQUE",
            Value::Null,
        );
        let rows = pairs(1);
        b.iter(|| {
            db.run(
                "UNWIND $rows AS r MATCH (u:User {id: r.a}) RETURN count(u)",
                rows.clone(),
            );
        });
    });
    group.finish();
}

criterion_group!(benches, bulk);
criterion_main!(benches);
