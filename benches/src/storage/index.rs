//! Indexes: how long a look-up by a unique key takes beside a chain of dependent loads over as much memory, and what a key takes up.
//!
//! Called by the `storage` binary. Always holds: each step of either chain begins only when the one before has its result, so nothing
//! overlaps; the keys are text, looked for in random order; the chain's memory is as large as what the engine took.
//!
//! Loads of a look-up that wait for the one before, where nothing is in a cache (of 10 million vertices with one property):
//!
//! | load | how large what it is in | with it |
//! | --- | --- | --- |
//! | the segment's place | 40 KB: mostly in the core's own cache | |
//! | the bucket, which leads to the vertex's id | 120 MB | the segment's head, since the place says how many buckets there are |
//! | the page's entry in the directory | 160 KB: as the place | |
//! | the page's table, which leads to the column | 2 MB | the page's head, which leads to it too; the vertex's word, 320 MB |
//! | the value | 120 MB | the column's head, of which the table has a copy |

use super::{Numbers, Report, least, resident_bytes};
use quoit_graph::door::NullJournal;
use quoit_graph::ids::{KeyId, LabelId, VertexId};
use quoit_graph::value::Value;
use quoit_graph::{
    Access, ConstraintDefinition, Core, Graph, GraphConfig, IndexDefinition, Isolation,
};
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

const KEYS: usize = 10_000_000;
/// Vertices of one transaction, as a bulk load makes them.
const BATCH: usize = 2_000;
const PROBES: usize = 1_000_000;
const ROUNDS: usize = 5;
const SEED: u64 = 11;

/// The text of a key: not in the order of the vertices.
fn key(at: usize) -> Value {
    let mixed = (at as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    Value::string(format!("{mixed:08x}{:04x}", at % 65_521))
}

/// Vertices with one text property each.
fn filled(keys: usize) -> (Core, LabelId, KeyId) {
    let graph = Graph::new(GraphConfig {
        shards: 2,
        cores: 1,
        journal: Arc::new(NullJournal::default()),
    });
    let names = graph.names();
    let label = names.intern_label("User").expect("a label");
    let name = names.intern_key("name").expect("a key");
    let core = graph.core(0);
    for first in (0..keys).step_by(BATCH) {
        let mut txn = core.begin(Access::Write, Isolation::Snapshot);
        for at in first..keys.min(first + BATCH) {
            txn.create_vertex(&[label], &[(name, key(at))])
                .expect("a vertex");
        }
        txn.commit().expect("a commit");
        core.maintain(BATCH);
    }
    while core.maintain(100_000) {}
    (core, label, name)
}

/// A chain through `bytes` of memory, a cache line a step, in random order and without an end.
struct Chain(Vec<[u32; 16]>);

impl Chain {
    fn new(bytes: usize, numbers: &mut Numbers) -> Chain {
        let len = bytes / 64;
        let mut lines = vec![[0; 16]; len];
        // Sattolo: one cycle through all.
        for (at, line) in lines.iter_mut().enumerate() {
            line[0] = at as u32;
        }
        for at in (1..len).rev() {
            let other = numbers.below(at);
            let (a, b) = (lines[at][0], lines[other][0]);
            (lines[at][0], lines[other][0]) = (b, a);
        }
        Chain(lines)
    }

    /// Seconds for `steps` loads, each from where the last one led.
    fn walk(&self, steps: usize) -> f64 {
        let began = Instant::now();
        let mut at = 0;
        for _ in 0..steps {
            at = self.0[at][0] as usize;
        }
        black_box(at);
        began.elapsed().as_secs_f64()
    }
}

/// See the module.
pub fn index(report: &mut Report) {
    let mut numbers = Numbers::new(SEED);
    let before = resident_bytes();
    let (core, label, name) = filled(KEYS);
    let vertices = resident_bytes() - before;

    let unique = ConstraintDefinition::Unique {
        label,
        keys: [name][..].into(),
    };
    let began = Instant::now();
    let mut txn = core.begin(Access::Write, Isolation::Snapshot);
    txn.create_constraint(unique, None).expect("a constraint");
    txn.commit().expect("a commit");
    while core.maintain(100_000) {}
    let making = began.elapsed().as_secs_f64();
    let table = resident_bytes() - before - vertices;

    let probes: Vec<Value> = (0..PROBES).map(|_| key(numbers.below(KEYS))).collect();
    let chain = Chain::new((vertices + table) as usize, &mut numbers);
    let txn = core.begin(Access::Read, Isolation::Snapshot);
    let epoch = core.enter();
    let view = txn.view(&epoch);
    let by_unique = view
        .unique(label, &[name])
        .expect("the constraint is online");
    let mut look_up = || {
        let began = Instant::now();
        let mut at = 0;
        for _ in 0..PROBES {
            let found = by_unique.seek(std::slice::from_ref(&probes[at]));
            // The next one waits for this one: ids lie below 2^35.
            at = (at + 1 + (found.expect("every key is there").0 >> 40) as usize) % PROBES;
        }
        black_box(at);
        began.elapsed().as_secs_f64()
    };
    // The same without the table: from an id to the property, which is what a look-up ends with.
    let ids: Vec<VertexId> = probes
        .iter()
        .filter_map(|value| by_unique.seek(std::slice::from_ref(value)))
        .collect();
    let mut read = || {
        let began = Instant::now();
        let mut at = 0;
        for _ in 0..PROBES {
            let vertex = view.vertex(ids[at]).expect("it is there");
            let same = vertex
                .property(name)
                .is_some_and(|found| found.is(&probes[at]));
            at = (at + 1 + usize::from(!same)) % PROBES;
        }
        black_box(at);
        began.elapsed().as_secs_f64()
    };
    let mut walk = || chain.walk(PROBES);
    let [look_ups, loads, reads] = least(ROUNDS, [&mut look_up, &mut walk, &mut read]);
    let nanoseconds = |seconds: f64| seconds * 1e9 / PROBES as f64;
    report.at_most(
        "point lookup by a unique text key, 10 million keys",
        4.0,
        look_ups / loads,
        "dependent loads",
        &format!(
            "{:.0} ns beside {:.0} ns a load over {:.0} MB; reading the property by the vertex's id alone: {:.1} loads; made in {making:.1} s",
            nanoseconds(look_ups),
            nanoseconds(loads),
            (vertices + table) / 1e6,
            reads / loads
        ),
    );
    report.at_most(
        "bytes of the table a unique key, no copy of the key",
        16.0,
        table / KEYS as f64,
        "bytes",
        "resident, 12 bytes of text a key, which stay in their columns",
    );
    drop(epoch);
    drop(txn);
    ordered(report, &core, label, name, (&probes, loads));
}

/// The ordered index of the same keys.
fn ordered(
    report: &mut Report,
    core: &Core,
    label: LabelId,
    name: KeyId,
    (probes, loads): (&[Value], f64),
) {
    let before = resident_bytes();
    let mut txn = core.begin(Access::Write, Isolation::Snapshot);
    txn.create_index(IndexDefinition::on_label(label, &[name]), None)
        .expect("an index");
    txn.commit().expect("a commit");
    while core.maintain(100_000) {}
    let bytes = resident_bytes() - before;
    let txn = core.begin(Access::Read, Isolation::Snapshot);
    let epoch = core.enter();
    let index = txn
        .view(&epoch)
        .index(label, &[name])
        .expect("it is online");
    let mut look_up = || {
        let began = Instant::now();
        let mut at = 0;
        for _ in 0..PROBES {
            let found = index.seek(std::slice::from_ref(&probes[at])).next();
            at = (at + 1 + (found.expect("every key is there").0 >> 40) as usize) % PROBES;
        }
        black_box(at);
        began.elapsed().as_secs_f64()
    };
    let [look_ups] = least(ROUNDS, [&mut look_up]);
    report.at_most(
        "point lookup in an ordered index of the same keys, two shards",
        24.0,
        look_ups / loads,
        "dependent loads",
        &format!(
            "{:.0} ns; {:.1} bytes a key resident",
            look_ups * 1e9 / PROBES as f64,
            bytes / KEYS as f64
        ),
    );
}
