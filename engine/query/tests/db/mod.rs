//! A graph with a query engine on it, for tests.

#![allow(dead_code, reason = "each test binary uses a part")]

use std::sync::Arc;

use quoit_cypher::error::Error;
use quoit_graph::door::NullJournal;
use quoit_graph::value::Value;
use quoit_graph::{Access, Core, Graph, GraphConfig, Isolation, Txn, View, WriteStats};
use quoit_query::{Demand, Execution, Parameters, QueryCore, QueryOptions, RowSink, Step};

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
            cores: 1,
            journal: Arc::new(NullJournal::default()),
        });
        Db {
            core: graph.core(0),
            engine: QueryCore::new(QueryOptions::default()),
        }
    }

    pub fn try_run(
        &self,
        text: &str,
        parameters: &Parameters,
    ) -> Result<(Vec<Vec<Value>>, WriteStats), Error> {
        let prepared = self.engine.prepare(text, &self.core)?;
        let mut txn = self.begin(prepared.writes());
        let mut execution = Execution::new(prepared, parameters)?;
        execution.request(Demand::All);
        let mut rows = Rows::default();
        while execution.step(&mut txn, &self.core, &|| false, &mut rows)? != Step::Done {}
        let stats = execution.summary(&txn).stats;
        txn.commit().expect("the null journal takes everything");
        Ok((rows.0, stats))
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
