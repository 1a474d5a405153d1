//! Indexes: look-ups by equality and by unique key, a range of a hundred in both directions, and what an index and a unique
//! constraint add to making vertices.

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use quoit_graph::door::NullJournal;
use quoit_graph::ids::{KeyId, LabelId};
use quoit_graph::value::Value;
use quoit_graph::{
    Access, Bound, ConstraintDefinition, Core, Cursor, Graph, GraphConfig, IndexDefinition,
    Isolation, KeyRange, NextKey, Order,
};
use std::hint::black_box;
use std::sync::Arc;

const USERS: i64 = 100_000;
const BATCH: i64 = 1_000;

/// What is kept beside the vertices.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Beside {
    Nothing,
    Index,
    Unique,
    Both,
}

fn empty(beside: Beside) -> (Core, LabelId, KeyId) {
    let graph = Graph::new(GraphConfig {
        shards: 2,
        cores: 1,
        journal: Arc::new(NullJournal::default()),
    });
    let label = graph.names().intern_label("User").expect("a label");
    let key = graph.names().intern_key("id").expect("a key");
    let core = graph.core(0);
    let mut txn = core.begin(Access::Write, Isolation::Snapshot);
    if matches!(beside, Beside::Index | Beside::Both) {
        txn.create_index(IndexDefinition::on_label(label, &[key]), None)
            .expect("an index");
    }
    if matches!(beside, Beside::Unique | Beside::Both) {
        let unique = ConstraintDefinition::Unique {
            label,
            keys: [key][..].into(),
        };
        txn.create_constraint(unique, None).expect("a constraint");
    }
    txn.commit().expect("a commit");
    (core, label, key)
}

fn add((core, label, key): &(Core, LabelId, KeyId), ids: std::ops::Range<i64>) {
    let mut txn = core.begin(Access::Write, Isolation::Snapshot);
    for id in ids {
        txn.create_vertex(&[*label], &[(*key, Value::Int(id))])
            .expect("a vertex");
    }
    txn.commit().expect("a commit");
}

fn look_ups(c: &mut Criterion) {
    let users = empty(Beside::Both);
    for first in (0..USERS).step_by(BATCH as usize) {
        add(&users, first..first + BATCH);
    }
    let (core, label, key) = &users;
    while core.maintain(10_000) {}
    let txn = core.begin(Access::Read, Isolation::Snapshot);
    let epoch = core.enter();
    let view = txn.view(&epoch);
    let index = view.index(*label, &[*key]).expect("it is online");
    let unique = view.unique(*label, &[*key]).expect("it is online");
    let mut id = 0;
    let mut next = move || {
        id = (id + 7_919) % USERS;
        Value::Int(id)
    };
    let mut group = c.benchmark_group("index of 100,000 integers");
    group.bench_function("seek", |b| {
        b.iter(|| black_box(index.seek(&[next()]).next()).expect("it is there"));
    });
    group.bench_function("seek by unique key", |b| {
        b.iter(|| black_box(unique.seek(&[next()])).expect("it is there"));
    });
    for (name, order) in [("up", Order::Ascending), ("down", Order::Descending)] {
        let mut found = Vec::new();
        group.bench_function(format!("the next hundred {name}"), |b| {
            b.iter(|| {
                let from = Value::Int(USERS / 2);
                let next = match order {
                    Order::Ascending => NextKey::Between(Bound::Included(&from), Bound::Unbounded),
                    Order::Descending => NextKey::Between(Bound::Unbounded, Bound::Included(&from)),
                };
                let range = KeyRange {
                    equal: &[],
                    next,
                    order,
                };
                found.clear();
                index.scan(&range, &mut Cursor::default(), 100, &mut found);
                assert_eq!(black_box(&found).len(), 100);
            });
        });
    }
    group.finish();
}

fn inserts(c: &mut Criterion) {
    let mut group = c.benchmark_group("1,000 vertices in one transaction");
    group.throughput(Throughput::Elements(BATCH as u64));
    for (name, beside) in [
        ("plain", Beside::Nothing),
        ("with an index", Beside::Index),
        ("with a unique constraint", Beside::Unique),
    ] {
        group.bench_function(name, |b| {
            let (mut users, mut first) = (empty(beside), 0);
            b.iter_batched(
                || {
                    if first == USERS {
                        (users, first) = (empty(beside), 0);
                    }
                    first += BATCH;
                    (users.clone(), first - BATCH)
                },
                |(users, first)| {
                    add(&users, first..first + BATCH);
                    users.0.maintain(2 * BATCH as usize);
                },
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, look_ups, inserts);
criterion_main!(benches);
