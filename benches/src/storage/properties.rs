//! Properties: what a vertex costs at rest, sums over a label, a property by id, readers beside a writer.
//!
//! Called by the `storage` binary. Always holds: vertices are made by transactions, housekeeping is what a server does in its spare time.

use super::{Numbers, Report, least, resident_bytes};
use quoit_graph::door::NullJournal;
use quoit_graph::ids::{KeyId, LabelId, VertexId};
use quoit_graph::value::{Value, ValueRef};
use quoit_graph::{Access, Core, Graph, GraphConfig, Isolation, Summary};
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

const AT_REST: usize = 1_000_000;
const SUMMED: usize = 100_000;
const BY_ID: usize = 10_000_000;
const STEPS: usize = 2_000_000;
const SHARED: usize = 100_000;
/// Reads of one slice: short, so that some slices are not disturbed by whatever else the machine does.
const READS: usize = 5_000;
/// Slices of a round.
const SLICES: usize = 40;
/// Scans of one slice.
const SCANS: usize = 4;
const ROUNDS: usize = 40;
const BATCH: usize = 1_000;
/// Bytes of an allocation that, when it is freed, has the allocator look at what else is free.
const LARGE: usize = 8 << 20;
/// Vertices of a label that live on a page with those of others, before it gets pages of its own.
const ON_COMMON_PAGE: usize = 64;

fn graph(cores: u16) -> Arc<Graph> {
    Graph::new(GraphConfig {
        shards: cores,
        cores,
        journal: Arc::new(NullJournal::default()),
    })
}

/// Housekeeping until all is quiet.
fn rest(core: &Core) {
    for _ in 0..3 {
        while core.maintain(100_000) {}
    }
}

fn names(core: &Core, keys: &[&str]) -> (LabelId, Vec<KeyId>) {
    let mut txn = core.begin(Access::Write, Isolation::Snapshot);
    let label = txn.label("Person").expect("a label");
    let keys = keys.iter().map(|name| txn.key(name).expect("a key"));
    let keys = keys.collect();
    (label, keys)
}

/// Makes `n` vertices in batches; `properties` fills in those of vertex `i`.
fn fill(
    core: &Core,
    n: usize,
    label: LabelId,
    mut properties: impl FnMut(usize, &mut Vec<(KeyId, Value)>),
) -> Vec<VertexId> {
    let mut ids = Vec::with_capacity(n);
    let mut row = Vec::new();
    while ids.len() < n {
        let mut txn = core.begin(Access::Write, Isolation::Snapshot);
        for _ in 0..BATCH.min(n - ids.len()) {
            row.clear();
            properties(ids.len(), &mut row);
            ids.push(txn.create_vertex(&[label], &row).expect("a vertex"));
        }
        txn.commit().expect("a commit");
        while core.maintain(10_000) {}
    }
    rest(core);
    ids
}

/// See the module.
pub fn properties(report: &mut Report) {
    bytes_at_rest(report);
    sums(report);
    by_id(report);
}

fn bytes_at_rest(report: &mut Report) {
    let before = resident_bytes();
    let graph = graph(1);
    let core = graph.core(0);
    let (label, keys) = names(&core, &["id", "name", "age", "active"]);
    let mut numbers = Numbers::new(3);
    let ids = fill(&core, AT_REST, label, |i, row| {
        row.push((keys[0], Value::Int(i as i64)));
        row.push((keys[1], Value::string(format!("user{i}"))));
        row.push((keys[2], Value::Int(18 + numbers.below(60) as i64)));
        row.push((keys[3], Value::Bool(numbers.below(2) == 0)));
    });
    give_back();
    let list = (ids.capacity() * size_of::<VertexId>()) as f64;
    let resident = (resident_bytes() - before - list) / AT_REST as f64;
    let counted = graph.live_bytes() as f64 / AT_REST as f64;
    report.at_most(
        "bytes per vertex: four small properties, one label, no edges, at rest",
        56.0,
        resident,
        "bytes",
        &format!("{AT_REST} vertices, resident; {counted:.1} counted by owner"),
    );
}

/// Waits until the allocator has given back what is free, as it does in a server while that is at rest: after ten seconds.
fn give_back() {
    let until = Instant::now() + Duration::from_secs(12);
    while Instant::now() < until {
        // It looks at the time once in a while as it is used; what is small or of a common size it serves without looking.
        for _ in 0..1_000 {
            drop(black_box(Vec::<u8>::with_capacity(LARGE)));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn sums(report: &mut Report) {
    let graph = graph(1);
    let core = graph.core(0);
    let (label, keys) = names(&core, &["amount"]);
    let mut numbers = Numbers::new(5);
    let mut plain: Vec<i64> = Vec::with_capacity(SUMMED);
    fill(&core, SUMMED, label, |_, row| {
        let amount = numbers.below(1_000_000) as i64;
        plain.push(amount);
        row.push((keys[0], Value::Int(amount)));
    });
    let txn = core.begin(Access::Read, Isolation::Snapshot);
    let epoch = core.enter();
    let view = txn.view(&epoch);
    let mut columns = || {
        let begun = Instant::now();
        let mut summary = Summary::default();
        for page in view.pages(Some(label)) {
            let page = view.page(page).expect("a listed page exists");
            let selection = page.select(Some(label));
            page.summarize(&selection, keys[0], &mut summary);
        }
        assert_eq!(black_box(summary).ints, SUMMED as u64);
        begun.elapsed().as_secs_f64()
    };
    let mut array = || {
        let begun = Instant::now();
        let (mut sum, mut least, mut most) = (0_i64, i64::MAX, i64::MIN);
        for &x in black_box(plain.as_slice()) {
            sum += x;
            least = least.min(x);
            most = most.max(x);
        }
        let average = sum as f64 / plain.len() as f64;
        black_box((sum, least, most, average));
        begun.elapsed().as_secs_f64()
    };
    let [columns, array] = least(ROUNDS * 2, [&mut columns, &mut array]);
    report.at_most(
        "sum, min, max, average of an integer property of a label, versus a plain Vec",
        3.0,
        columns / array,
        "times",
        &format!(
            "{SUMMED} vertices; {:.1} to {:.1} µs",
            columns * 1e6,
            array * 1e6
        ),
    );
}

/// A walk in which each vertex says where the next one is, so that no read can begin before the last has ended.
fn by_id(report: &mut Report) {
    let graph = graph(1);
    let core = graph.core(0);
    let (label, keys) = names(&core, &["next", "age"]);
    let next = cycle(BY_ID);
    fill(&core, ON_COMMON_PAGE, label, |_, _| {});
    let ids = fill(&core, BY_ID, label, |i, row| {
        row.push((keys[0], Value::Int(i64::from(next[i]))));
        row.push((keys[1], Value::Int(i as i64 % 90)));
    });
    let txn = core.begin(Access::Read, Isolation::Snapshot);
    // One page behind the other, as they were made: then an id follows from a number.
    let first = ids[0].0;
    assert!(
        ids.iter()
            .enumerate()
            .all(|(i, id)| id.0 == first + i as u64)
    );
    drop((ids, next));
    // As large as what the walk above touches: a slot and a value a vertex.
    let chase = cycle(BY_ID * 9);
    let mut at = 0_u64;
    let mut walk = || {
        let epoch = core.enter();
        let view = txn.view(&epoch);
        let begun = Instant::now();
        for _ in 0..STEPS {
            let vertex = view.vertex(VertexId(first + at)).expect("it is there");
            at = match vertex.property(keys[0]) {
                Some(ValueRef::Int(next)) => next as u64,
                other => panic!("{other:?} instead of a number"),
            };
        }
        black_box(at);
        begun.elapsed().as_secs_f64()
    };
    let mut here = 0_u32;
    let mut loads = || {
        let begun = Instant::now();
        for _ in 0..STEPS {
            for _ in 0..3 {
                here = chase[here as usize];
            }
        }
        black_box(here);
        begun.elapsed().as_secs_f64()
    };
    let [walk, loads] = least(3, [&mut walk, &mut loads]);
    report.at_most(
        "a property of a vertex by id, versus 3 dependent random loads",
        1.0,
        walk / loads,
        "times",
        &format!(
            "{BY_ID} vertices, each read depends on the last; {:.0} to {:.0} ns",
            walk / STEPS as f64 * 1e9,
            loads / STEPS as f64 * 1e9
        ),
    );
}

/// One cycle through all numbers, at random (Sattolo's shuffle).
fn cycle(n: usize) -> Vec<u32> {
    let mut numbers = Numbers::new(9);
    let mut order: Vec<u32> = (0..n as u32).collect();
    for i in (1..n).rev() {
        order.swap(i, numbers.below(i));
    }
    order
}

/// Readers beside a writer of the same vertices.
pub fn readers(report: &mut Report) {
    let graph = graph(2);
    let writer = graph.core(1);
    let (label, keys) = names(&writer, &["amount", "name"]);
    let ids = fill(&writer, SHARED, label, |i, row| {
        row.push((keys[0], Value::Int(i as i64)));
        row.push((keys[1], Value::string(format!("user{i}"))));
    });
    drop(writer);
    let reader = graph.core(0);
    let mut numbers = Numbers::new(13);
    let mut points = || {
        let begun = Instant::now();
        for _ in 0..READS / 100 {
            let txn = reader.begin(Access::Read, Isolation::Snapshot);
            let epoch = reader.enter();
            let view = txn.view(&epoch);
            for _ in 0..100 {
                let id = ids[numbers.below(SHARED)];
                let vertex = view.vertex(id).expect("it is there");
                black_box(vertex.property(keys[0]));
            }
        }
        begun.elapsed().as_secs_f64()
    };
    let mut scans = || {
        let begun = Instant::now();
        for _ in 0..SCANS {
            let txn = reader.begin(Access::Read, Isolation::Snapshot);
            let epoch = reader.enter();
            let view = txn.view(&epoch);
            let mut summary = Summary::default();
            for page in view.pages(Some(label)) {
                let page = view.page(page).expect("a listed page exists");
                page.summarize(&page.select(Some(label)), keys[0], &mut summary);
            }
            assert_eq!(black_box(summary).ints, SHARED as u64);
        }
        begun.elapsed().as_secs_f64()
    };
    let (pace, stop) = (Pace::default(), AtomicBool::new(false));
    let (mut points_rounds, mut scans_rounds) = (Rounds::default(), Rounds::default());
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| update(&graph.core(1), &ids, keys[0], &pace, &stop));
        for _ in 0..ROUNDS {
            points_rounds.round(&pace, &mut points);
            scans_rounds.round(&pace, &mut scans);
        }
        stop.store(true, Ordering::Relaxed);
        writer.join().expect("the writer ends well");
    });
    let (points_alone, points_beside, speed) = points_rounds.least();
    let (scans_alone, scans_beside, _) = scans_rounds.least();
    report.at_most(
        "point reads while a writer updates the same vertices at full speed",
        1.3,
        points_beside / points_alone,
        "times",
        &format!(
            "{SHARED} vertices; {:.0} to {:.0} ns a read beside {:.2} million updates a second",
            points_beside / READS as f64 * 1e9,
            points_alone / READS as f64 * 1e9,
            speed / 1e6
        ),
    );
    report.at_most(
        "a label's sum while a writer updates the same vertices, a vertex, versus a point read alone",
        1.0,
        scans_beside / SCANS as f64 / SHARED as f64 / (points_alone / READS as f64),
        "times",
        &format!(
            "{:.1} ns a vertex, {:.2} without the writer",
            scans_beside / SCANS as f64 / SHARED as f64 * 1e9,
            scans_alone / SCANS as f64 / SHARED as f64 * 1e9
        ),
    );
}

/// Whether the writer works, and how much it has done.
#[derive(Default)]
struct Pace {
    runs: AtomicBool,
    updates: AtomicU64,
}

/// Updates one vertex after the other at full speed, while it is to.
fn update(core: &Core, ids: &[VertexId], key: KeyId, pace: &Pace, stop: &AtomicBool) {
    let mut numbers = Numbers::new(17);
    let mut n = 0_u64;
    while !stop.load(Ordering::Relaxed) {
        if !pace.runs.load(Ordering::Relaxed) {
            while core.maintain(1_000) {}
            std::thread::sleep(Duration::from_millis(1));
            continue;
        }
        let id = ids[numbers.below(ids.len())];
        let mut txn = core.begin_auto_commit_write(Isolation::Snapshot);
        let set = txn.set_vertex_property(id, key, &Value::Int(n as i64));
        set.expect("nobody else writes");
        txn.commit().expect("a commit");
        n += 1;
        if n.is_multiple_of(8) {
            pace.updates.store(n, Ordering::Relaxed);
        }
        if n.is_multiple_of(64) {
            core.maintain(256);
        }
    }
}

/// Times of a reader alone and beside the writer, by turns.
#[derive(Default)]
struct Rounds {
    alone: Vec<f64>,
    /// Seconds, and the writer's updates a second.
    beside: Vec<(f64, f64)>,
}

impl Rounds {
    fn round(&mut self, pace: &Pace, read: &mut dyn FnMut() -> f64) {
        pace.runs.store(false, Ordering::Relaxed);
        std::thread::sleep(Duration::from_millis(5));
        self.alone.extend((0..SLICES).map(|_| read()));
        pace.runs.store(true, Ordering::Relaxed);
        // Until it is at full speed: so many updates that folds keep up with them.
        std::thread::sleep(Duration::from_millis(100));
        for _ in 0..SLICES {
            let (begun, before) = (Instant::now(), pace.updates.load(Ordering::Relaxed));
            let seconds = read();
            let updates = pace.updates.load(Ordering::Relaxed) - before;
            let speed = updates as f64 / begun.elapsed().as_secs_f64();
            self.beside.push((seconds, speed));
        }
    }

    /// The least alone, the least beside a writer that had its core, and that writer's speed.
    fn least(&self) -> (f64, f64, f64) {
        let alone = self.alone.iter().copied().fold(f64::INFINITY, f64::min);
        let mut speeds: Vec<f64> = self.beside.iter().map(|round| round.1).collect();
        speeds.sort_by(f64::total_cmp);
        // Where the machine does other work too, the writer has its core in few slices; those count.
        let full = speeds[speeds.len() * 19 / 20] * 0.5;
        let at_full_speed = self.beside.iter().filter(|round| round.1 >= full);
        let least = at_full_speed.min_by(|a, b| a.0.total_cmp(&b.0));
        let &(beside, speed) = least.expect("some slices are at least that fast");
        (alone, beside, speed)
    }
}
