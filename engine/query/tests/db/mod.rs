//! A graph with a query engine on it, for tests.

#![allow(dead_code, reason = "each test binary uses a part")]

use std::sync::Arc;

use quoit_cypher::error::Error;
use quoit_graph::door::NullJournal;
use quoit_graph::value::Value;
use quoit_graph::{Access, Core, Graph, GraphConfig, Isolation, Txn, View, WriteStats};
use quoit_query::{Demand, Execution, Parameters, QueryCore, QueryOptions, RowSink, Step, Wait};

pub struct Db {
    pub core: Core,
    pub engine: QueryCore,
}

#[derive(Default)]
pub struct Rows(pub Vec<Vec<Value>>);

impl RowSink for Rows {
    fn row(&mut self, row: &[Value], _: &View<'_>) -> Result<(), Error> {
        self.0.push(row.to_vec());
        Ok(())
    }
}

impl Db {
    pub fn new() -> Db {
        let graph = Graph::new(GraphConfig {
            shards: 2,
            cores: 2,
            journal: Arc::new(NullJournal::default()),
        });
        Db {
            core: graph.core(0),
            engine: QueryCore::new(QueryOptions::default()),
        }
    }

    /// The same graph with an engine whose plans keep to the plain operators on rows.
    pub fn plain(&self) -> Db {
        Db {
            core: self.core.graph().core(1),
            engine: QueryCore::new(QueryOptions {
                plain: true,
                ..QueryOptions::default()
            }),
        }
    }

    pub fn try_run(
        &self,
        text: &str,
        parameters: &Parameters,
    ) -> Result<(Vec<Vec<Value>>, WriteStats), Error> {
        let prepared = self.engine.prepare(text, &self.core)?;
        let mut txn = match prepared.has_inner_transactions() {
            true => self.core.begin(Access::Read, Isolation::ReadCommitted),
            false => self.begin(prepared.writes()),
        };
        let mut execution = Execution::new(prepared, parameters)?;
        execution.request(Demand::All);
        let mut rows = Rows::default();
        loop {
            match execution.step(&mut txn, &self.core, &|| false, &mut rows)? {
                Step::Done => break,
                Step::Waits(wait) => self.attend(wait, &mut execution, &mut txn),
                Step::Rows | Step::Yield => {}
            }
        }
        let stats = execution.summary(&txn).stats;
        execution.finish();
        txn.commit().expect("the null journal takes everything");
        Ok((rows.0, stats))
    }

    /// Does what an execution waits for to be done for its inner transaction.
    pub fn attend(&self, wait: Wait, execution: &mut Execution, txn: &mut Txn) {
        match wait {
            Wait::Begin { .. } => execution.begin_inner(self.begin(true)),
            Wait::Rollback => drop(execution.take_inner()),
            Wait::Read(read) => execution.file_read(Err(Error::internal(format!("{read:?}")))),
            Wait::Commit => {
                let inner = execution.take_inner().expect("there is one to commit");
                let seq = inner
                    .commit()
                    .expect("the null journal takes everything")
                    .seq;
                execution.inner_committed(txn, Ok(seq));
            }
        }
    }

    pub fn begin(&self, writes: bool) -> Txn {
        if writes {
            self.core.begin_auto_commit_write(Isolation::Snapshot)
        } else {
            self.core.begin(Access::Read, Isolation::Snapshot)
        }
    }

    pub fn run(&self, text: &str) -> Vec<Vec<Value>> {
        self.try_run(text, &Parameters::new())
            .unwrap_or_else(|error| panic!("{text}: {error:?}"))
            .0
    }

    pub fn number(&self, text: &str) -> i64 {
        match self.run(text).as_slice() {
            [row] => match row.as_slice() {
                [Value::Int(number)] => *number,
                other => panic!("{text}: {other:?}"),
            },
            other => panic!("{text}: {other:?}"),
        }
    }

    pub fn error(&self, text: &str) -> Error {
        self.try_run(text, &Parameters::new())
            .err()
            .unwrap_or_else(|| panic!("{text}: no error"))
    }

    pub fn explain(&self, text: &str) -> String {
        let lines: Vec<String> = self
            .run(&format!("EXPLAIN {text}"))
            .into_iter()
            .map(|row| match &row[0] {
                Value::String(line) => line.to_string(),
                other => panic!("{other:?}"),
            })
            .collect();
        lines.join("\n")
    }
}

pub fn people() -> Db {
    let db = Db::new();
    db.run("UNWIND range(0, 299) AS i CREATE (:Person {id: i, name: 'name' + toString(i % 50), age: i % 7, score: i * 0.5})");
    db.run("MATCH (a:Person), (b:Person) WHERE b.id = a.id + 1 OR b.id = a.id * 2 CREATE (a)-[:KNOWS {since: a.id}]->(b)");
    db
}

/// The same with indexes.
pub fn indexed_people() -> Db {
    let db = people();
    for index in ["id", "name", "score"] {
        db.run(&format!("CREATE INDEX ON :Person({index})"));
    }
    db
}

/// Queries that an index may answer, with parameters by their names.
pub const INDEXED: &[&str] = &[
    "MATCH (n:Person {id: 17}) RETURN n.name",
    "MATCH (n:Person) WHERE n.id = $id RETURN n.name",
    "MATCH (n:Person) WHERE n.id = 3.0 RETURN n.name",
    "MATCH (n:Person) WHERE n.id = null RETURN n.name",
    "MATCH (n:Person) WHERE n.id = 'x' RETURN n.name",
    "MATCH (n:Person) WHERE n.id > 290 RETURN n.id",
    "MATCH (n:Person) WHERE 10 <= n.id AND n.id < 13.5 RETURN n.id",
    "MATCH (n:Person) WHERE n.id > 'x' RETURN n.id",
    "MATCH (n:Person) WHERE n.id > null RETURN n.id",
    "MATCH (n:Person) WHERE n.name STARTS WITH 'name1' RETURN n.id, n.name",
    "MATCH (n:Person) WHERE n.name >= 'name4' AND n.name < 'name6' RETURN n.id",
    "MATCH (n:Person) WHERE n.score >= 100 AND n.score <= 101 RETURN n.id",
    "UNWIND [1, 5, 5, 1000, null] AS i MATCH (n:Person {id: i}) RETURN i, n.name",
    "MATCH (a:Person {id: 4})-[r:KNOWS]->(b:Person) WHERE b.id > 4 RETURN b.id, r.since",
    "MATCH (a:Person {id: 1}), (b:Person {id: 2}) OPTIONAL MATCH (a)-[r]->(b) RETURN count(r)",
    "MATCH (a:Person {id: 3})-[:KNOWS*1..3]->(b:Person {id: 8}) RETURN count(*)",
    "MATCH (a:Person {id: 3}) WHERE a.age = 3 AND NOT a.name = 'nobody' RETURN a.id",
    "MATCH (n:Person) WHERE n.id IN [1, 2] RETURN n.id",
    "MATCH (n:Person {name: 'name7', age: 1}) RETURN n.id",
    "MATCH (n:Person) WHERE 10 <= n.id < 13 RETURN n.id",
    "MATCH (n:Person) WHERE n.id > 280 AND n.id > 290 AND n.id < 299 AND n.id <= 297 RETURN n.id",
    "MATCH (n) WHERE n:Person AND n.id = 17 RETURN n.name",
    "MATCH (n:Person) WHERE n.id IN [1, 1.0, 2, null, 'x', 2] RETURN n.id",
    "MATCH (n:Person) WHERE n.id IN $ids RETURN n.id",
    "MATCH (n:Person) WHERE n.id IN null RETURN n.id",
    "MATCH (n:Person) WHERE n.id IN [] RETURN n.id",
    "UNWIND [[1, 2], [2, 3], null] AS ids MATCH (n:Person) WHERE n.id IN ids RETURN ids, n.id",
    "MATCH (n:Person) WHERE n.name STARTS WITH 'name' AND n.name ENDS WITH '7' RETURN n.id",
    "MATCH (n:Person) WHERE n.name STARTS WITH null RETURN n.id",
    "MATCH (n:Person) WHERE n.name STARTS WITH 1 RETURN n.id",
    "MATCH (a:Person {id: 3}), (b:Person) WHERE b.id = a.id + 1 RETURN b.name",
];

/// A small multigraph with loops, parallel edges and weights; vertices have `id` 0 to `count - 1`.
pub fn random_graph(seed: u64, count: u64, edges: u64) -> Db {
    let db = Db::new();
    db.run(&format!(
        "UNWIND range(0, {}) AS i CREATE (:V {{id: i}})",
        count - 1
    ));
    let mut state = seed * 2 + 1;
    let mut below = |bound: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % bound
    };
    for _ in 0..edges {
        let (a, b, w, t) = (below(count), below(count), below(4) + 1, below(3));
        let type_ = if t == 0 { "S" } else { "T" };
        db.run(&format!(
            "MATCH (a:V {{id: {a}}}), (b:V {{id: {b}}}) CREATE (a)-[:{type_} {{w: {w}}}]->(b)"
        ));
    }
    db
}
