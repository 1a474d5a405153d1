//! Properties: one by id, a sum over a label, an update with its fold, vertices in a batch.

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use quoit_graph::door::NullJournal;
use quoit_graph::ids::{KeyId, LabelId, VertexId};
use quoit_graph::value::Value;
use quoit_graph::{Access, Core, Graph, GraphConfig, Isolation, NewVertex, Summary};
use std::hint::black_box;
use std::sync::Arc;

const VERTICES: usize = 100_000;
const BATCH: usize = 1_000;

struct Scene {
    core: Core,
    label: LabelId,
    keys: [KeyId; 2],
    ids: Vec<VertexId>,
}

fn rest(core: &Core) {
    for _ in 0..3 {
        while core.maintain(100_000) {}
    }
}

fn rows(keys: [KeyId; 2], from: usize) -> Vec<[(KeyId, Value); 2]> {
    let row = |i: usize| {
        let amount = Value::Int((i * 7_919 % 1_000_003) as i64);
        [
            (keys[0], amount),
            (keys[1], Value::string(format!("user{i}"))),
        ]
    };
    (from..from + BATCH).map(row).collect()
}

fn create(core: &Core, label: LabelId, rows: &[[(KeyId, Value); 2]]) -> Vec<VertexId> {
    let mut txn = core.begin(Access::Write, Isolation::Snapshot);
    let labels = [label];
    let new: Vec<NewVertex<'_>> = rows
        .iter()
        .map(|properties| NewVertex {
            labels: &labels,
            properties,
        })
        .collect();
    let ids = txn.create_vertices(&new).expect("vertices");
    txn.commit().expect("a commit");
    ids
}

fn scene() -> Scene {
    let graph = Graph::new(GraphConfig {
        shards: 1,
        cores: 1,
        journal: Arc::new(NullJournal::default()),
    });
    let core = graph.core(0);
    let mut txn = core.begin(Access::Write, Isolation::Snapshot);
    let label = txn.label("Person").expect("a label");
    let keys = ["amount", "name"].map(|name| txn.key(name).expect("a key"));
    drop(txn);
    let mut ids = Vec::new();
    while ids.len() < VERTICES {
        ids.extend(create(&core, label, &rows(keys, ids.len())));
        while core.maintain(10_000) {}
    }
    rest(&core);
    Scene {
        core,
        label,
        keys,
        ids,
    }
}

fn properties(c: &mut Criterion) {
    let scene = scene();
    let (core, keys) = (&scene.core, scene.keys);
    let mut group = c.benchmark_group("properties");
    let mut at = 0;
    let mut next = || {
        at = (at + 61_803) % VERTICES;
        scene.ids[at]
    };
    group.bench_function("by id", |b| {
        let txn = core.begin(Access::Read, Isolation::Snapshot);
        let epoch = core.enter();
        let view = txn.view(&epoch);
        b.iter(|| {
            let vertex = view.vertex(next()).expect("it is there");
            black_box(vertex.property(keys[0]).is_some())
        });
    });
    group.throughput(Throughput::Elements(VERTICES as u64));
    group.bench_function("sum over a label", |b| {
        let txn = core.begin(Access::Read, Isolation::Snapshot);
        let epoch = core.enter();
        let view = txn.view(&epoch);
        b.iter(|| {
            let mut summary = Summary::default();
            for page in view.pages(Some(scene.label)) {
                let page = view.page(page).expect("a listed page exists");
                page.summarize(&page.select(Some(scene.label)), keys[0], &mut summary);
            }
            summary
        });
    });
    group.throughput(Throughput::Elements(1));
    let mut n = 0;
    group.bench_function("update with its fold", |b| {
        b.iter(|| {
            let mut txn = core.begin_auto_commit_write(Isolation::Snapshot);
            n += 1;
            let set = txn.set_vertex_property(next(), keys[0], &Value::Int(n));
            set.expect("nobody else writes");
            txn.commit().expect("a commit");
            if n % 64 == 0 {
                core.maintain(256);
            }
        });
    });
    group.throughput(Throughput::Elements(BATCH as u64));
    group.bench_function("vertices in a batch, made and deleted", |b| {
        let rows = rows(keys, 0);
        b.iter_batched(
            || rest(core),
            |()| {
                let ids = create(core, scene.label, &rows);
                let mut txn = core.begin(Access::Write, Isolation::Snapshot);
                for id in ids {
                    txn.delete_vertex(id).expect("it was just made");
                }
                txn.commit().expect("a commit");
                rest(core);
            },
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

criterion_group!(benches, properties);
criterion_main!(benches);
