//! Edges: what they take up, how fast they are written, and how fast they are read beside a plain array of the same graph.
//!
//! Called by the `storage` binary. Always holds: the engine is used as a server uses it: real transactions, a journal that is durable
//! at once, housekeeping between them; reads check visibility. The array is a CSR of the same graph, read in the same process by turns.

use super::{Numbers, Report, least, resident_bytes};
use crate::csr::{Csr, Levels, Seen};
use crate::pokec::{Pokec, Size};
use quoit_graph::door::NullJournal;
use quoit_graph::ids::{TypeId, VertexId};
use quoit_graph::{Access, Core, Direction, Graph, GraphConfig, Isolation, NewEdge, View};
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

/// Edges of one transaction, as a bulk load makes them.
const BATCH: usize = 500;
const ROUNDS: usize = 9;
const HUB_EDGES: usize = 1_000_000;
const SEED: u64 = 7;

/// A graph in the engine, on one core and `shards` shards.
struct Loaded {
    graph: Arc<Graph>,
    core: Core,
    type_: TypeId,
    vertices: Vec<VertexId>,
}

impl Loaded {
    /// Vertices without labels and properties. Of one shard their ids are 0, 1, 2 …
    fn new(vertices: usize, shards: u16, cores: u16) -> Loaded {
        let graph = Graph::new(GraphConfig {
            shards,
            cores,
            journal: Arc::new(NullJournal::default()),
        });
        let core = graph.core(0);
        let mut txn = core.begin(Access::Write, Isolation::Snapshot);
        let type_ = txn.edge_type("FRIEND").expect("a type");
        let made = (0..vertices).map(|_| txn.create_vertex(&[], &[]).expect("a vertex"));
        let vertices = made.collect();
        txn.commit().expect("a commit");
        let loaded = Loaded {
            graph,
            core,
            type_,
            vertices,
        };
        loaded.rest();
        loaded
    }

    /// All housekeeping there is.
    fn rest(&self) {
        while self.core.maintain(100_000) {}
        self.core.maintain(100_000);
    }

    fn new_edge(&self, (source, target): (u32, u32)) -> NewEdge<'static> {
        NewEdge {
            source: self.vertices[source as usize],
            target: self.vertices[target as usize],
            type_: self.type_,
            properties: &[],
        }
    }

    /// Edges in batches, each a transaction, with housekeeping between them; seconds.
    fn load(&self, edges: &[(u32, u32)]) -> f64 {
        let mut new = Vec::with_capacity(BATCH);
        let start = Instant::now();
        for batch in edges.chunks(BATCH) {
            new.clear();
            new.extend(batch.iter().map(|&ends| self.new_edge(ends)));
            let mut txn = self.core.begin(Access::Write, Isolation::Snapshot);
            txn.create_edges(&new).expect("edges");
            txn.commit().expect("a commit");
            self.core.maintain(2 * BATCH);
        }
        start.elapsed().as_secs_f64()
    }

    fn read<R>(&self, work: impl FnOnce(View<'_>) -> R) -> R {
        let txn = self.core.begin(Access::Read, Isolation::Snapshot);
        let epoch = self.core.enter();
        work(txn.view(&epoch))
    }
}

/// What this thread has had of a processor, in seconds (`/proc/thread-self/schedstat`, to a few milliseconds).
fn processor_seconds() -> f64 {
    let schedstat = std::fs::read_to_string("/proc/thread-self/schedstat");
    let schedstat = schedstat.expect("Linux has /proc/thread-self/schedstat");
    let nanoseconds = schedstat
        .split(' ')
        .next()
        .and_then(|n| n.parse::<f64>().ok());
    nanoseconds.expect("schedstat's first field is a time") / 1e9
}

/// Waits until the allocator has given back what is free: it takes ten seconds for that, and looks while it is used.
fn wait_for_the_allocator() {
    for _ in 0..120 {
        std::thread::sleep(std::time::Duration::from_millis(100));
        for size in [32, 64, 96, 128, 256, 4_096, 65_536] {
            for _ in 0..2_000 {
                black_box(Vec::<u8>::with_capacity(size));
            }
        }
    }
}

/// Distinct ends of `hops` hops from each of `starts`, by the array; seconds.
fn hops_csr(csr: &Csr, starts: &[u32], hops: usize, seen: &mut Seen, found: &mut u64) -> f64 {
    let mut levels = Levels::default();
    let start = Instant::now();
    for &first in starts {
        *found += levels.search(csr, first, hops, seen).len() as u64;
    }
    start.elapsed().as_secs_f64()
}

/// The same by the engine. Vertex ids are dense: they are their own places.
fn hops_engine(
    view: &View<'_>,
    starts: &[u32],
    hops: usize,
    seen: &mut Seen,
    found: &mut u64,
) -> f64 {
    let (mut level, mut next) = (Vec::new(), Vec::new());
    let start = Instant::now();
    for &first in starts {
        level.clear();
        level.push(VertexId(u64::from(first)));
        for _ in 0..hops {
            seen.begin();
            next.clear();
            view.expand(&level, Direction::Out, &[], |_, target| {
                if seen.is_new(target.0 as usize) {
                    next.push(target);
                }
            });
            std::mem::swap(&mut level, &mut next);
        }
        *found += level.len() as u64;
    }
    start.elapsed().as_secs_f64()
}

fn scan_csr(csr: &Csr, vertices: usize, sum: &mut u64) -> f64 {
    let start = Instant::now();
    let mut total = 0_u64;
    for vertex in 0..vertices as u32 {
        for &target in csr.of(vertex) {
            total = total.wrapping_add(u64::from(target) ^ u64::from(vertex));
        }
    }
    *sum = black_box(total);
    start.elapsed().as_secs_f64()
}

fn scan_engine(view: &View<'_>, vertices: &[VertexId], sum: &mut u64) -> f64 {
    let start = Instant::now();
    let mut total = 0_u64;
    view.expand(vertices, Direction::Out, &[], |at, target| {
        total = total.wrapping_add(target.0 ^ at as u64);
    });
    *sum = black_box(total);
    start.elapsed().as_secs_f64()
}

/// How many times the array's time a scan of all edges takes.
fn scan_ratio(loaded: &Loaded, csr: &Csr) -> (f64, f64) {
    let vertices = loaded.vertices.len();
    let (mut by_array, mut by_engine) = (0, 0);
    let [array, engine] = loaded.read(|view| {
        least(
            ROUNDS,
            [&mut || scan_csr(csr, vertices, &mut by_array), &mut || {
                scan_engine(&view, &loaded.vertices, &mut by_engine)
            }],
        )
    });
    assert_eq!(by_array, by_engine, "both read the same edges");
    (engine / array, array)
}

/// Every figure about edges.
pub fn adjacency(report: &mut Report) {
    let pokec = Pokec::new(Size::Medium, SEED);
    let csr = Csr::new(pokec.vertices, &pokec.edges);
    let shuffled = pokec.shuffled(SEED);
    let edges = pokec.edges.len() as f64;
    let about = format!(
        "Pokec-shaped, {} vertices, {} edges",
        pokec.vertices,
        pokec.edges.len()
    );

    let loaded = Loaded::new(pokec.vertices, 1, 2);
    wait_for_the_allocator();
    let before = resident_bytes();
    let from = processor_seconds();
    let wall = loaded.load(&shuffled);
    let seconds = processor_seconds() - from;
    let straight = (resident_bytes() - before) / edges;
    report.at_least(
        "edges inserted in batches, one core, no log",
        1.5,
        edges / seconds / 1e6,
        "million a second of processor time",
        &format!("{about}; random order, {BATCH} a transaction, housekeeping between; {wall:.2} s by the clock"),
    );
    report.at_most(
        "bytes per edge, straight after loading",
        32.0,
        straight,
        "bytes resident",
        &about,
    );
    let (ratio, _) = scan_ratio(&loaded, &csr);
    report.at_most(
        "scan of all edges, straight after loading in random order",
        2.5,
        ratio,
        "times",
        "nothing at rest yet",
    );
    loaded.rest();
    wait_for_the_allocator();
    report.at_most(
        "bytes per edge, at rest",
        20.0,
        (resident_bytes() - before) / edges,
        "bytes resident",
        &format!(
            "{about}; live by the engine's own count {:.1}",
            loaded
                .graph
                .memory()
                .of(quoit_graph::MemoryOwner::Adjacency) as f64
                / edges
        ),
    );
    let (ratio, array) = scan_ratio(&loaded, &csr);
    report.at_most(
        "scan of all edges, laid out in vertex order",
        1.5,
        ratio,
        "times",
        &format!("the array takes {:.2} ns an edge", array * 1e9 / edges),
    );
    hops(report, &loaded, &csr);
    beside_a_writer(report, &loaded);
    drop(loaded);
    scattered(report, &pokec, &csr);
    hub(report);
}

fn hops(report: &mut Report, loaded: &Loaded, csr: &Csr) {
    let vertices = loaded.vertices.len();
    let (mut seen, mut numbers) = (Seen::new(vertices), Numbers::new(SEED));
    for (hops, count) in [(2, 2_000), (3, 100), (4, 20)] {
        let starts: Vec<u32> = (0..count).map(|_| numbers.below(vertices) as u32).collect();
        let (mut by_array, mut by_engine) = (0, 0);
        let other = &mut Seen::new(vertices);
        let [array, engine] = loaded.read(|view| {
            least(
                ROUNDS,
                [
                    &mut || hops_csr(csr, &starts, hops, &mut seen, &mut by_array),
                    &mut || hops_engine(&view, &starts, hops, other, &mut by_engine),
                ],
            )
        });
        assert_eq!(by_array, by_engine, "both reach the same vertices");
        report.at_most(
            &format!("DISTINCT ends of {hops} hops"),
            1.1,
            engine / array,
            "times",
            &format!(
                "the array takes {:.1} µs a search",
                array * 1e6 / f64::from(count)
            ),
        );
    }
}

/// A reader on one core while another adds edges to the same vertices as fast as it can.
fn beside_a_writer(report: &mut Report, loaded: &Loaded) {
    let vertices = loaded.vertices.len();
    let mut numbers = Numbers::new(SEED);
    let starts: Vec<u32> = (0..500).map(|_| numbers.below(vertices) as u32).collect();
    let mut seen = Seen::new(vertices);
    let mut found = 0;
    let round = |seen: &mut Seen, found: &mut u64| {
        loaded.read(|view| hops_engine(&view, &starts, 2, seen, found))
    };
    let alone = (0..ROUNDS)
        .map(|_| round(&mut seen, &mut found))
        .fold(f64::INFINITY, f64::min);
    let (stop, written) = (AtomicBool::new(false), AtomicU64::new(0));
    let (graph, ids, type_) = (loaded.graph.clone(), &loaded.vertices, loaded.type_);
    let mut beside = f64::INFINITY;
    let mut rate = 0.0;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let core = graph.core(1);
            let mut numbers = Numbers::new(SEED + 1);
            while !stop.load(Ordering::Relaxed) {
                let new: Vec<NewEdge<'_>> = (0..100)
                    .map(|_| NewEdge {
                        source: ids[numbers.below(ids.len())],
                        target: ids[numbers.below(ids.len())],
                        type_,
                        properties: &[],
                    })
                    .collect();
                let mut txn = core.begin(Access::Write, Isolation::Snapshot);
                txn.create_edges(&new).expect("edges");
                txn.commit().expect("a commit");
                core.maintain(200);
                written.fetch_add(100, Ordering::Relaxed);
            }
        });
        while written.load(Ordering::Relaxed) == 0 {
            std::thread::yield_now();
        }
        let start = Instant::now();
        for _ in 0..ROUNDS {
            beside = beside.min(round(&mut seen, &mut found));
        }
        rate = written.load(Ordering::Relaxed) as f64 / start.elapsed().as_secs_f64();
        stop.store(true, Ordering::Relaxed);
    });
    report.at_most(
        "a reader beside a writer of edges on another core",
        1.3,
        beside / alone,
        "times",
        &format!(
            "2 hops, {:.1} µs alone; the writer adds {:.2} million edges a second to the same vertices, which have more edges then",
            alone * 1e6 / starts.len() as f64,
            rate / 1e6
        ),
    );
}

/// A graph after some history: a fifth of its edges deleted and made again, in random order. Housekeeping has its turn; nothing asks it
/// to lay out anything.
fn scattered(report: &mut Report, pokec: &Pokec, csr: &Csr) {
    let loaded = Loaded::new(pokec.vertices, 1, 1);
    loaded.load(&pokec.edges);
    loaded.rest();
    let shuffled = pokec.shuffled(SEED);
    let replaced = &shuffled[..shuffled.len() / 5];
    for batch in replaced.chunks(BATCH) {
        let mut txn = loaded.core.begin(Access::Write, Isolation::Snapshot);
        let found: Vec<_> = loaded.read(|view| {
            let edge = |&(source, target): &(u32, u32)| {
                let ends = [source, target].map(|vertex| loaded.vertices[vertex as usize]);
                let between = view.edges_between(ends[0], ends[1], Direction::Out, &[]);
                between.map(|incidence| incidence.edge).next()
            };
            batch.iter().filter_map(edge).collect()
        });
        assert_eq!(found.len(), batch.len());
        for edge in found {
            txn.delete_edge(edge).expect("nobody else is there");
        }
        txn.commit().expect("a commit");
        loaded.core.maintain(2 * BATCH);
    }
    loaded.load(replaced);
    loaded.rest();
    let (ratio, _) = scan_ratio(&loaded, csr);
    report.at_most(
        "scan of all edges, as history left them",
        2.5,
        ratio,
        "times",
        "a fifth of the edges deleted and made again in random order, then what housekeeping makes of it",
    );
}

fn hub(report: &mut Report) {
    let loaded = Loaded::new(HUB_EDGES + 1, 1, 1);
    let mut numbers = Numbers::new(SEED);
    let mut edges: Vec<(u32, u32)> = (1..=HUB_EDGES as u32).map(|other| (0, other)).collect();
    for at in (1..edges.len()).rev() {
        edges.swap(at, numbers.below(at + 1));
    }
    let seconds = loaded.load(&edges);
    report.at_most(
        "an edge more at a vertex of up to 1,000,000",
        3.0,
        seconds * 1e6 / HUB_EDGES as f64,
        "µs",
        "both directions, random order",
    );
    let hub = loaded.vertices[0];
    let lookups = 200_000;
    let seconds = loaded.read(|view| {
        let start = Instant::now();
        let mut found = 0;
        for at in 0..lookups {
            let other = loaded.vertices[edges[at * 4].1 as usize];
            found += view
                .edges_between(hub, other, Direction::Out, &[loaded.type_])
                .count();
        }
        assert_eq!(found, lookups);
        start.elapsed().as_secs_f64()
    });
    report.at_most(
        "whether there is an edge, at a vertex of 1,000,000",
        3.0,
        seconds * 1e6 / lookups as f64,
        "µs",
        "as MERGE looks it up; random",
    );
    let start = Instant::now();
    let mut txn = loaded.core.begin(Access::Write, Isolation::Snapshot);
    let gone = txn.detach_delete_vertex(hub).expect("nobody else is there");
    txn.commit().expect("a commit");
    loaded.rest();
    let seconds = start.elapsed().as_secs_f64();
    assert_eq!(gone, HUB_EDGES as u64);
    report.at_most(
        "deleting a vertex with its 1,000,000 edges, an edge",
        5.0,
        seconds * 1e6 / HUB_EDGES as f64,
        "µs",
        &format!("{seconds:.2} s with all housekeeping after it"),
    );
}
