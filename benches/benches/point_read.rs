//! A point read without a client: from a plan in the cache to its row, by an index of 10,000 keys.

use criterion::{Criterion, criterion_group, criterion_main};
use quoit_cypher::error::Error;
use quoit_graph::door::NullJournal;
use quoit_graph::value::Value;
use quoit_graph::{Access, Core, Graph, GraphConfig, IndexDefinition, Isolation, View};
use quoit_query::{Demand, Execution, Parameters, QueryCore, QueryOptions, RowSink, Step};
use std::hint::black_box;
use std::sync::Arc;

const USERS: i64 = 10_000;

struct Seen(u64);

impl RowSink for Seen {
    fn row(&mut self, row: &[Value], _: &View<'_>) -> Result<(), Error> {
        black_box(row);
        self.0 += 1;
        Ok(())
    }
}

fn filled() -> Core {
    let graph = Graph::new(GraphConfig {
        shards: 2,
        cores: 1,
        journal: Arc::new(NullJournal::default()),
    });
    let core = graph.core(0);
    let mut txn = core.begin(Access::Write, Isolation::Snapshot);
    let (label, key) = (
        txn.label("User").expect("a label"),
        txn.key("id").expect("a key"),
    );
    txn.create_index(IndexDefinition::on_label(label, &[key]), None)
        .expect("an index");
    txn.commit().expect("a commit");
    let mut txn = core.begin(Access::Write, Isolation::Snapshot);
    for id in 1..=USERS {
        txn.create_vertex(&[label], &[(key, Value::Int(id))])
            .expect("a vertex");
    }
    txn.commit().expect("a commit");
    core
}

fn point_read(c: &mut Criterion) {
    let core = filled();
    let queries = QueryCore::new(QueryOptions::default());
    let mut id = 0;
    c.bench_function("point read: plan cache to row", |b| {
        b.iter(|| {
            id = id % USERS + 1;
            let prepared = queries
                .prepare("MATCH (n:User {id: $id}) RETURN n", &core)
                .expect("a plan");
            let mut parameters = Parameters::new();
            parameters.insert("id", Value::Int(id));
            let mut execution = Execution::new(prepared, &parameters).expect("parameters");
            execution.request(Demand::All);
            let mut txn = core.begin(Access::Read, Isolation::Snapshot);
            let mut seen = Seen(0);
            while execution
                .step(&mut txn, &core, &|| false, &mut seen)
                .expect("a step")
                != Step::Done
            {}
            assert_eq!(seen.0, 1);
        });
    });
}

criterion_group!(benches, point_read);
criterion_main!(benches);
