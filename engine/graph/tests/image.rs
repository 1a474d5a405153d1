//! An image of a graph that is written to meanwhile holds one snapshot, and loads into a graph that is the same in all that can be asked.

use bytes::Bytes;
use quoit_graph::door::{Door, Journal, ReserveError};
use quoit_graph::ids::{CommitSeq, PageId, ShardId, VertexId};
use quoit_graph::image::{BlockKind, Capture, Loader};
use quoit_graph::value::Value;
use quoit_graph::{
    Access, ConstraintDefinition, Core, Direction, Graph, GraphConfig, IndexDefinition, Isolation,
    Txn, View,
};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// Keeps every frame; what is sealed is visible at once.
#[derive(Default)]
struct Kept(Mutex<Vec<(CommitSeq, Bytes)>>);

impl Journal for Kept {
    fn header_bytes(&self) -> usize {
        0
    }
    fn reserve(&self, _: usize) -> Result<(), ReserveError> {
        Ok(())
    }
    fn release(&self, _: usize) {}
    fn finish_frame(&self, buffer: Vec<u8>) -> Bytes {
        Bytes::from(buffer)
    }
    fn kick(&self, door: &Door, _: u16) {
        let mut frames = self.0.lock().unwrap();
        door.take_sealed(usize::MAX, &mut frames);
        if let Some((last, _)) = frames.last() {
            door.publish(*last);
        }
    }
}

/// A generator that a seed decides.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % below
    }
}

struct Live {
    graph: Arc<Graph>,
    core: Core,
    journal: Arc<Kept>,
}

fn graph(shards: u16, cores: u16) -> Live {
    let journal = Arc::new(Kept::default());
    let graph = Graph::new(GraphConfig {
        shards,
        cores,
        journal: journal.clone(),
    });
    let core = graph.core(0);
    Live {
        graph,
        core,
        journal,
    }
}

impl Live {
    fn write<R>(&self, work: impl FnOnce(&mut Txn) -> R) -> R {
        let mut txn = self.core.begin(Access::Write, Isolation::Snapshot);
        let result = work(&mut txn);
        if txn.wrote() {
            txn.commit().unwrap();
        }
        result
    }

    fn read(&self) -> Txn {
        self.core.begin(Access::Read, Isolation::Snapshot)
    }

    /// Keeps house until there is nothing to do.
    fn rest(&self) {
        for _ in 0..10_000 {
            if !self.core.maintain(64) {
                return;
            }
        }
    }
}

/// Everything that can be asked of a graph, in words.
fn told(graph: &Graph, txn: &Txn, core: &Core) -> BTreeMap<String, String> {
    let epoch = core.enter();
    let view = txn.view(&epoch);
    let names = graph.names();
    let mut told = BTreeMap::new();
    let mut vertices = Vec::new();
    for page in view.pages(None) {
        view.scan_page(page, None, &mut vertices);
    }
    for id in vertices {
        let vertex = view.vertex(id).unwrap();
        let mut labels: Vec<_> = vertex
            .labels()
            .iter()
            .map(|l| names.label_name(*l).unwrap())
            .collect();
        labels.sort();
        let properties: BTreeMap<_, _> = vertex
            .properties()
            .iter()
            .map(|(key, value)| (names.key_name(key).unwrap().to_string(), value.to_value()))
            .collect();
        told.insert(format!("node {id}"), format!("{labels:?} {properties:?}"));
        for direction in [Direction::Out, Direction::In] {
            for met in view.edges(id, direction, &[]) {
                let edge = view.edge_at(met.edge).unwrap();
                let properties: BTreeMap<_, _> = edge
                    .properties()
                    .iter()
                    .map(|(key, value)| {
                        (names.key_name(key).unwrap().to_string(), value.to_value())
                    })
                    .collect();
                let type_ = names.type_name(met.edge.type_).unwrap();
                let there = format!("edge {} of {id} {direction:?}", met.edge.id);
                let before = told.insert(
                    there,
                    format!("{type_} to {} {properties:?}", met.neighbour),
                );
                assert!(before.is_none(), "an edge stands twice in a list");
            }
        }
    }
    for label in
        (0..names.limit(quoit_graph::delta::NameKind::Label)).map(quoit_graph::ids::LabelId)
    {
        let mut of_label = Vec::new();
        for page in view.pages(Some(label)) {
            view.scan_page(page, Some(label), &mut of_label);
        }
        of_label.sort();
        of_label.dedup();
        if !of_label.is_empty() {
            told.insert(
                format!("label {}", names.label_name(label).unwrap()),
                format!("{of_label:?}"),
            );
        }
    }
    told
}

fn counts(graph: &Graph) -> String {
    let names = graph.names();
    let all = graph.statistics();
    let labels: BTreeMap<_, _> = all
        .vertices_by_label
        .iter()
        .map(|(l, n)| (names.label_name(*l).unwrap().to_string(), *n))
        .collect();
    let types: BTreeMap<_, _> = all
        .edges_by_type
        .iter()
        .map(|(t, n)| (names.type_name(*t).unwrap().to_string(), *n))
        .collect();
    format!("{} {} {labels:?} {types:?}", all.vertices, all.edges)
}

type Blocks = Vec<(BlockKind, Vec<u8>)>;

/// Captures in as many parts as there are shards, doing `meanwhile` between steps.
fn captured(
    live: &Live,
    txn: &Txn,
    settings: Vec<(String, Vec<u8>)>,
    mut meanwhile: impl FnMut(usize),
) -> Vec<Blocks> {
    let shards = live.graph.shard_count();
    let mut parts: Vec<(Capture, Blocks)> = {
        let epoch = live.core.enter();
        let view: View<'_> = txn.view(&epoch);
        (0..shards)
            .map(|n| {
                let settings = (n == 0).then(|| settings.clone());
                (
                    Capture::new(&view, |shard: ShardId| shard.0 == n, settings),
                    Vec::new(),
                )
            })
            .collect()
    };
    let (mut steps, mut open) = (0, true);
    while open {
        open = false;
        for (capture, blocks) in &mut parts {
            let mut out = Vec::new();
            let kind = {
                let epoch = live.core.enter();
                capture.step(&txn.view(&epoch), &mut out)
            };
            open |= kind.is_some();
            if let Some(kind) = kind.filter(|_| !out.is_empty()) {
                blocks.push((kind, out));
            }
            meanwhile(steps);
            steps += 1;
        }
    }
    parts
        .into_iter()
        .map(|(capture, blocks)| {
            assert_eq!(capture.progress(), 1.0);
            blocks
        })
        .collect()
}

fn loaded(
    parts: &[Blocks],
    seq: CommitSeq,
    shards: u16,
) -> Result<(Live, Vec<String>), quoit_graph::image::ImageError> {
    let live = graph(shards, 1);
    let mut loaders: Vec<Loader> = parts.iter().map(|_| Loader::new(&live.core, seq)).collect();
    for kind in BlockKind::ALL {
        for (loader, part) in loaders.iter_mut().zip(parts) {
            for (_, block) in part.iter().filter(|(other, _)| *other == kind) {
                loader.load(kind, block)?;
            }
        }
    }
    let mut settings = Vec::new();
    for loader in loaders {
        settings.extend(loader.finish()?.into_iter().map(|s| s.name));
    }
    live.graph.door().restart_at(seq);
    Ok((live, settings))
}

/// Writes a few of everything.
fn scribble(live: &Live, dice: &mut Dice, known: &mut Vec<VertexId>, writes: usize) {
    for _ in 0..writes {
        live.write(|txn| {
            let labels: Vec<_> = (0..dice.roll(3))
                .map(|_| txn.label(&format!("L{}", dice.roll(6))).unwrap())
                .collect();
            let (p, q, long) = (
                txn.key("p").unwrap(),
                txn.key(&format!("q{}", dice.roll(20))).unwrap(),
                txn.key("long").unwrap(),
            );
            let any =
                |dice: &mut Dice, known: &[VertexId]| known[dice.roll(known.len() as u64) as usize];
            match dice.roll(10) {
                0..=2 => {
                    let mut properties = vec![
                        (p, Value::Int(dice.roll(1000) as i64)),
                        (q, Value::string("text")),
                    ];
                    if dice.roll(20) == 0 {
                        properties
                            .push((long, Value::string("x".repeat(dice.roll(40_000) as usize))));
                    }
                    properties.sort_by_key(|(key, _)| *key);
                    known.push(txn.create_vertex(&labels, &properties).unwrap());
                }
                3..=6 if !known.is_empty() => {
                    let type_ = txn.edge_type(&format!("T{}", dice.roll(4))).unwrap();
                    let (from, to) = (any(dice, known), any(dice, known));
                    let properties = match dice.roll(3) {
                        0 => vec![(p, Value::Float(dice.roll(9) as f64))],
                        _ => vec![],
                    };
                    txn.create_edge(from, to, type_, &properties).unwrap();
                }
                7 if !known.is_empty() => {
                    let id = any(dice, known);
                    txn.set_vertex_properties(id, &[(p, Value::Int(dice.roll(9) as i64))])
                        .unwrap();
                    if let Some(label) = labels.first() {
                        txn.add_label(id, *label).unwrap();
                    }
                }
                8 if !known.is_empty() => {
                    let id = any(dice, known);
                    let epoch = live.core.enter();
                    let met = txn
                        .view(&epoch)
                        .edges(id, Direction::Out, &[])
                        .next()
                        .map(|met| met.edge);
                    drop(epoch);
                    if let Some(edge) = met {
                        match dice.roll(2) {
                            0 => {
                                txn.delete_edge(edge).unwrap();
                            }
                            _ => {
                                txn.set_edge_properties(edge, &[(p, Value::Bool(true))])
                                    .unwrap();
                            }
                        }
                    }
                }
                9 if known.len() > 5 => {
                    let at = dice.roll(known.len() as u64) as usize;
                    let id = known.swap_remove(at);
                    txn.detach_delete_vertex(id).unwrap();
                }
                _ => {}
            }
        });
    }
}

fn filled(seed: u64, shards: u16) -> (Live, Dice, Vec<VertexId>) {
    let live = graph(shards, 1);
    let mut dice = Dice(seed | 1);
    let mut known = Vec::new();
    live.write(|txn| {
        let (label, key) = (txn.label("L1").unwrap(), txn.key("p").unwrap());
        txn.create_index(IndexDefinition::on_label(label, &[key]), Some("by_p"))
            .unwrap();
    });
    live.write(|txn| {
        let (label, key) = (txn.label("Unique").unwrap(), txn.key("id").unwrap());
        txn.create_constraint(
            ConstraintDefinition::Unique {
                label,
                keys: [key].into_iter().collect(),
            },
            None,
        )
        .unwrap();
    });
    scribble(&live, &mut dice, &mut known, 1500);
    live.write(|txn| {
        let (label, key, type_) = (
            txn.label("Unique").unwrap(),
            txn.key("id").unwrap(),
            txn.edge_type("HUB").unwrap(),
        );
        let hub = txn
            .create_vertex(&[label], &[(key, Value::Int(0))])
            .unwrap();
        for n in 1..2500 {
            let id = txn
                .create_vertex(&[label], &[(key, Value::Int(n))])
                .unwrap();
            let properties = if n % 5 == 0 {
                vec![(key, Value::Int(n))]
            } else {
                vec![]
            };
            txn.create_edge(hub, id, type_, &properties).unwrap();
            txn.create_edge(hub, id, type_, &[]).unwrap();
        }
        known.push(hub);
    });
    live.write(|txn| {
        let hub = *known.last().unwrap();
        let type_ = txn.edge_type("LOOP").unwrap();
        txn.create_edge(hub, hub, type_, &[]).unwrap();
    });
    (live, dice, known)
}

#[test]
fn an_image_is_one_snapshot_whatever_is_written_meanwhile_and_loads_into_any_number_of_shards() {
    for (seed, shards) in [(1, 1), (77, 2), (4242, 3)] {
        let (live, mut dice, mut known) = filled(seed, shards);
        if seed == 77 {
            live.rest();
        }
        let txn = live.read();
        let expected = told(&live.graph, &txn, &live.core);
        let counted = counts(&live.graph);
        let settings = vec![("isolation_level".to_owned(), b"x".to_vec())];
        let parts = captured(&live, &txn, settings, |step| {
            scribble(&live, &mut dice, &mut known, 3);
            if step % 5 == 0 {
                live.core.maintain(16);
            }
        });
        let seq = txn.snapshot();
        let frames = live.journal.0.lock().unwrap().clone();
        assert!(
            frames.last().unwrap().0 > seq,
            "something was written meanwhile"
        );
        for other in [shards, 1, 4] {
            let (copy, settings) = loaded(&parts, seq, other).unwrap();
            assert_eq!(settings, ["isolation_level"]);
            assert_eq!(counts(&copy.graph), counted);
            let read = copy.read();
            let found = told(&copy.graph, &read, &copy.core);
            for (what, how) in &expected {
                assert_eq!(found.get(what), Some(how), "{what}");
            }
            assert_eq!(found.len(), expected.len());
            drop(read);
            copy.rest();
            let read = copy.read();
            assert_eq!(
                told(&copy.graph, &read, &copy.core),
                expected,
                "after housekeeping"
            );
            drop(read);
            assert_eq!(copy.graph.constraints(), live.graph.constraints());
            assert_eq!(copy.graph.indexes().len(), live.graph.indexes().len());
            // What was written since goes on from there.
            for (later, frame) in frames.iter().filter(|(later, _)| *later > seq) {
                copy.core.apply(*later, frame).unwrap();
                copy.graph.door().publish(*later);
            }
            copy.graph.door().restart_at(frames.last().unwrap().0);
            let (now, there) = (live.read(), copy.read());
            assert_eq!(
                told(&copy.graph, &there, &copy.core),
                told(&live.graph, &now, &live.core)
            );
            assert_eq!(counts(&copy.graph), counts(&live.graph));
        }
    }
}

#[test]
fn what_is_loaded_is_indexed_held_to_its_constraints_and_gives_no_id_again() {
    let (live, ..) = filled(9, 2);
    // The last vertices of all go before the image: their ids stay taken.
    let last = live.write(|txn| {
        (0..3000)
            .map(|_| txn.create_vertex(&[], &[]).unwrap())
            .max()
            .unwrap()
    });
    let mut gone = Vec::new();
    {
        let txn = live.read();
        let epoch = live.core.enter();
        let view = txn.view(&epoch);
        for page in view.pages(None) {
            view.scan_page(page, None, &mut gone);
        }
        gone.retain(|id| {
            view.vertex(*id).unwrap().labels().is_empty()
                && view.degree(*id, Direction::Both, &[]) == 0
        });
    }
    live.write(|txn| {
        for id in &gone {
            txn.delete_vertex(*id).unwrap();
        }
    });
    live.rest();
    let txn = live.read();
    let parts = captured(&live, &txn, Vec::new(), |_| {});
    let (copy, _) = loaded(&parts, txn.snapshot(), 2).unwrap();
    let taken = copy.write(|txn| {
        (0..5000)
            .map(|_| txn.create_vertex(&[], &[]).unwrap())
            .collect::<Vec<_>>()
    });
    assert!(
        taken.iter().all(|id| !gone.contains(id)),
        "an id is given again"
    );
    assert!(
        taken
            .iter()
            .any(|id| id.page() > last.page() || id.page() == PageId(last.page().0))
    );
    let mut txn = copy.core.begin(Access::Write, Isolation::Snapshot);
    let (label, key) = (txn.label("Unique").unwrap(), txn.key("id").unwrap());
    assert!(
        txn.create_vertex(&[label], &[(key, Value::Int(700))])
            .is_err(),
        "a key that is taken"
    );
    drop(txn);
    let read = copy.read();
    let epoch = copy.core.enter();
    let view = read.view(&epoch);
    assert!(view.unique(label, &[key]).is_some());
    let names = copy.graph.names();
    let (l1, p) = (names.label("L1").unwrap(), names.key("p").unwrap());
    let mut of_label = Vec::new();
    for page in view.pages(Some(l1)) {
        view.scan_page(page, Some(l1), &mut of_label);
    }
    let with_key = of_label
        .iter()
        .filter(|id| view.vertex(**id).unwrap().property(p).is_some())
        .count();
    assert!(with_key > 10);
    let info = copy.graph.indexes();
    let by_p = info
        .iter()
        .find(|index| index.name.as_deref() == Some("by_p"))
        .unwrap();
    assert_eq!(by_p.count, with_key as u64);
}

#[test]
fn bytes_that_are_no_image_are_refused_and_never_panic() {
    let live = graph(1, 1);
    live.write(|txn| {
        let (label, key, type_) = (
            txn.label("A").unwrap(),
            txn.key("k").unwrap(),
            txn.edge_type("T").unwrap(),
        );
        let a = txn
            .create_vertex(&[label], &[(key, Value::string("v"))])
            .unwrap();
        let b = txn.create_vertex(&[], &[]).unwrap();
        txn.create_edge(a, b, type_, &[(key, Value::Int(5))])
            .unwrap();
        txn.create_edge(a, b, type_, &[]).unwrap();
        txn.create_edge(b, b, type_, &[]).unwrap();
    });
    let txn = live.read();
    let parts = captured(&live, &txn, Vec::new(), |_| {});
    let seq = txn.snapshot();
    assert!(loaded(&parts, seq, 1).is_ok());
    let blocks = &parts[0];
    let (mut refused, mut tried) = (0, 0);
    for at in 0..blocks.len() {
        for end in 0..blocks[at].1.len() {
            let mut bad = parts.clone();
            bad[0][at].1.truncate(end);
            tried += 1;
            refused += usize::from(loaded(&bad, seq, 1).is_err());
        }
        for bit in 0..blocks[at].1.len() * 8 {
            let mut bad = parts.clone();
            bad[0][at].1[bit / 8] ^= 1 << (bit % 8);
            tried += 1;
            refused += usize::from(loaded(&bad, seq, 1).is_err());
        }
    }
    // Checksums are others' business: a value may turn into another. Most of it cannot be meant.
    assert!(refused * 3 > tried, "{refused} of {tried}");
    // A list that is cut off, and a block twice.
    let outgoing = blocks
        .iter()
        .position(|(kind, _)| *kind == BlockKind::Outgoing)
        .unwrap();
    let mut twice = parts.clone();
    twice[0].insert(outgoing, blocks[outgoing].clone());
    assert!(loaded(&twice, seq, 1).is_err());
    let vertices = blocks
        .iter()
        .position(|(kind, _)| *kind == BlockKind::Vertices)
        .unwrap();
    let mut twice = parts.clone();
    twice[0].insert(vertices, blocks[vertices].clone());
    assert!(loaded(&twice, seq, 1).is_err());
}
