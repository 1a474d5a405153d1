//! Settled columns against a plain model: thousands of vertices with values of every kind, changed in rounds, read by transactions old
//! and new, vertex by vertex, page by page and through the arrays.
#![cfg(not(loom))]

use quoit_graph::door::NullJournal;
use quoit_graph::ids::{KeyId, LabelId, VertexId};
use quoit_graph::value::{Edge, Value};
use quoit_graph::{
    Access, ConstraintDefinition, Core, Graph, GraphConfig, Isolation, MemoryOwner, NewVertex,
    Summary, Txn, View, WriteError,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % n as u64) as usize
    }
}

type Pairs = Vec<(KeyId, Value)>;
type Properties = BTreeMap<KeyId, Value>;
type State = BTreeMap<VertexId, (BTreeSet<LabelId>, Properties)>;

struct Scene {
    core: Core,
    labels: Vec<LabelId>,
    keys: Vec<KeyId>,
}

fn scene() -> Scene {
    let graph = Graph::new(GraphConfig {
        shards: 2,
        cores: 1,
        journal: Arc::new(NullJournal::default()),
    });
    let core = graph.core(0);
    let mut txn = core.begin(Access::Write, Isolation::Snapshot);
    let labels = ["A", "B", "C"].map(|name| txn.label(name).unwrap()).into();
    let keys = (0..40)
        .map(|n| txn.key(&format!("k{n}")).unwrap())
        .collect();
    drop(txn);
    Scene { core, labels, keys }
}

impl Scene {
    fn begin(&self, access: Access) -> Txn {
        self.core.begin(access, Isolation::Snapshot)
    }

    /// Housekeeping until nothing changes.
    fn quiet(&self) {
        for _ in 0..3 {
            while self.core.maintain(100_000) {}
        }
    }

    fn columns_and_versions(&self) -> (u64, u64) {
        let memory = self.core.graph().memory();
        (
            memory.of(MemoryOwner::Columns),
            memory.of(MemoryOwner::Versions),
        )
    }
}

/// Values such that each of the first keys has a format of its own, and later keys are rare.
fn value(random: &mut Random, key: usize) -> Value {
    match key {
        0 => Value::Int(random.below(200) as i64),
        1 => Value::Int(random.below(usize::MAX) as i64),
        2 => Value::Bool(random.below(2) == 0),
        3 => Value::Float(random.below(1000) as f64 / 7.0),
        4 => Value::Float(random.below(1000) as f64),
        5 => Value::string(format!("name {}", random.below(10_000))),
        6 => Value::string(["red", "green", "blue"][random.below(3)]),
        7 => Value::string("long ".repeat(random.below(20))),
        8 => match random.below(4) {
            0 => Value::Int(5),
            1 => Value::Float(f64::NAN),
            2 => Value::string("mixed"),
            _ => Value::list(vec![Value::Int(1), Value::Null]),
        },
        _ => Value::Int(key as i64 + random.below(3) as i64),
    }
}

fn properties(scene: &Scene, random: &mut Random) -> Pairs {
    let mut all = Vec::new();
    for key in 0..9 {
        if random.below(10) > key % 4 {
            all.push((scene.keys[key], value(random, key)));
        }
    }
    if random.below(3) == 0 {
        let rare = 9 + random.below(31);
        all.push((scene.keys[rare], value(random, rare)));
    }
    all
}

/// Reads everything twice, and compares the two.
fn read(view: &View<'_>, scene: &Scene) -> State {
    let mut state = State::new();
    let mut ids = Vec::new();
    let pages = view.pages(None);
    for &page in &pages {
        view.scan_page(page, None, &mut ids);
    }
    for id in ids {
        let vertex = view.vertex(id).expect("a scan found it");
        let pairs: Pairs = vertex
            .properties()
            .iter()
            .map(|(key, value)| (key, value.to_value()))
            .collect();
        assert!(pairs.is_sorted_by(|a, b| a.0 < b.0));
        for key in &scene.keys {
            let one = vertex.property(*key).map(|value| value.to_value());
            let same = pairs
                .iter()
                .find(|pair| pair.0 == *key)
                .map(|p| p.1.clone());
            assert_eq!(one, same);
        }
        let labels = vertex.labels().iter().copied().collect();
        state.insert(id, (labels, pairs.into_iter().collect()));
    }
    for label in scene.labels.iter().map(|l| Some(*l)).chain([None]) {
        for &key in [0, 1, 4, 6, 8, 10].map(|n| &scene.keys[n]) {
            let (mut summary, mut expected, mut counted) = Default::default();
            let mut found = BTreeSet::new();
            summarize(view, label, key, (&mut summary, &mut counted), &mut found);
            for (id, (labels, properties)) in &state {
                if label.is_none_or(|label| labels.contains(&label)) {
                    assert!(found.contains(id), "{id} is not scanned");
                    if let Some(value) = properties.get(&key) {
                        add(&mut expected, value);
                    }
                }
            }
            same_summary(&summary, &expected);
            assert_eq!(counted, expected.values());
            let with_label = state
                .values()
                .filter(|s| label.is_none_or(|l| s.0.contains(&l)));
            assert_eq!(found.len(), with_label.count());
        }
    }
    state
}

fn summarize(
    view: &View<'_>,
    label: Option<LabelId>,
    key: KeyId,
    into: (&mut Summary, &mut u64),
    found: &mut BTreeSet<VertexId>,
) {
    for page in view.pages(label) {
        let page = view.page(page).expect("a listed page exists");
        let selection = page.select(label);
        page.summarize(&selection, key, into.0);
        *into.1 += page.count_values(&selection, key);
        found.extend(selection.slots().map(|at| page.vertex_id(at)));
        for at in selection.slots().take(3) {
            let vertex = view.vertex(page.vertex_id(at)).unwrap();
            let (a, b) = (page.property(at, key), vertex.property(key));
            assert_eq!(a.map(|v| v.to_value()), b.map(|v| v.to_value()));
        }
    }
}

fn add(summary: &mut Summary, value: &Value) {
    match value {
        Value::Int(x) => {
            summary.ints += 1;
            summary.int_sum += i128::from(*x);
            summary.int_min = summary.int_min.min(*x);
            summary.int_max = summary.int_max.max(*x);
        }
        Value::Float(x) => {
            summary.floats += 1;
            summary.nans += u64::from(x.is_nan());
            if !x.is_nan() {
                summary.float_sum += x;
                summary.float_min = summary.float_min.min(*x);
                summary.float_max = summary.float_max.max(*x);
            }
        }
        _ => summary.others += 1,
    }
}

/// Sums of floats depend on their order, and are not numbers where one is none.
fn same_summary(got: &Summary, expected: &Summary) {
    let difference = (got.float_sum - expected.float_sum).abs();
    assert!(expected.nans > 0 || difference < 1e-6 * (1.0 + expected.float_sum.abs()));
    let without_sum = |summary: &Summary| Summary {
        float_sum: 0.0,
        ..*summary
    };
    assert_eq!(without_sum(got), without_sum(expected));
}

fn change(scene: &Scene, random: &mut Random, state: &mut State) {
    let mut txn = scene.begin(Access::Write);
    let ids: Vec<VertexId> = state.keys().copied().collect();
    for _ in 0..random.below(400) {
        let id = ids[random.below(ids.len())];
        let Some((labels, present)) = state.get_mut(&id) else {
            continue;
        };
        match random.below(20) {
            0 => {
                txn.delete_vertex(id).unwrap();
                state.remove(&id);
            }
            1 => {
                let label = scene.labels[random.below(3)];
                txn.add_label(id, label).unwrap();
                labels.insert(label);
            }
            2 => {
                let label = scene.labels[random.below(3)];
                txn.remove_label(id, label).unwrap();
                labels.remove(&label);
            }
            3 => {
                let new = properties(scene, random);
                txn.replace_vertex_properties(id, &new).unwrap();
                *present = new.into_iter().collect();
            }
            _ => {
                let key = random.below(12);
                let new = if random.below(6) == 0 {
                    present.remove(&scene.keys[key]);
                    Value::Null
                } else {
                    let new = value(random, key);
                    present.insert(scene.keys[key], new.clone());
                    new
                };
                txn.set_vertex_property(id, scene.keys[key], &new).unwrap();
            }
        }
    }
    for _ in 0..random.below(150) {
        let labels: BTreeSet<LabelId> = match random.below(20) {
            0 => scene.labels.iter().copied().collect(),
            1 => BTreeSet::new(),
            n => [scene.labels[n % 2]].into(),
        };
        let new = properties(scene, random);
        let in_order: Vec<LabelId> = labels.iter().copied().collect();
        let id = txn.create_vertex(&in_order, &new).unwrap();
        state.insert(id, (labels, new.into_iter().collect()));
    }
    txn.commit().unwrap();
}

#[test]
fn what_is_folded_reads_as_it_was_written_for_readers_old_and_new() {
    for seed in [11, 0xfee1_dead] {
        let scene = scene();
        let mut random = Random(seed);
        let mut state = State::new();
        let mut txn = scene.begin(Access::Write);
        for n in 0..1500 {
            let new = properties(&scene, &mut random);
            let labels = [scene.labels[n % 2]];
            let id = txn.create_vertex(&labels, &new).unwrap();
            state.insert(id, (labels.into(), new.into_iter().collect()));
        }
        txn.commit().unwrap();
        let mut readers: Vec<(Txn, State)> = Vec::new();
        for round in 0..12 {
            if round % 3 == 0 {
                readers.push((scene.begin(Access::Read), state.clone()));
            }
            change(&scene, &mut random, &mut state);
            scene.core.maintain(random.below(40));
            if round % 4 == 3 {
                readers.remove(random.below(readers.len()));
                scene.quiet();
            }
            let epoch = scene.core.enter();
            for (txn, expected) in &readers {
                assert!(
                    read(&txn.view(&epoch), &scene) == *expected,
                    "round {round}"
                );
            }
            let now = scene.begin(Access::Read);
            assert!(
                read(&now.view(&epoch), &scene) == state,
                "round {round}, now"
            );
        }
        drop(readers);
        scene.quiet();
        let epoch = scene.core.enter();
        let now = scene.begin(Access::Read);
        assert!(read(&now.view(&epoch), &scene) == state);
        drop((now, epoch));
        scene.quiet();
        assert_eq!(
            scene.columns_and_versions().1,
            0,
            "nothing is recent when all is quiet"
        );
    }
}

#[test]
fn an_update_of_one_row_costs_one_small_block_and_no_column() {
    let scene = scene();
    let mut txn = scene.begin(Access::Write);
    let ids: Vec<VertexId> = (0..1024)
        .map(|n| {
            let new = [
                (scene.keys[0], Value::Int(n)),
                (scene.keys[1], Value::Int(n * n)),
            ];
            txn.create_vertex(&scene.labels[..1], &new).unwrap()
        })
        .collect();
    txn.commit().unwrap();
    scene.quiet();
    let (settled, none) = scene.columns_and_versions();
    assert_eq!(none, 0);
    assert!(
        settled < 1024 * 7 + 600,
        "{settled} bytes for 1,024 pairs of numbers"
    );
    let old = scene.begin(Access::Read);
    let mut txn = scene.begin(Access::Write);
    txn.set_vertex_property(ids[5], scene.keys[0], &Value::Int(-1))
        .unwrap();
    txn.commit().unwrap();
    scene.quiet();
    let (columns, versions) = scene.columns_and_versions();
    assert_eq!(columns, settled, "a column was written under a reader");
    assert!(
        versions > 0 && versions < 100,
        "{versions} bytes for one version"
    );
    drop(old);
    scene.quiet();
    let (columns, versions) = scene.columns_and_versions();
    assert_eq!(versions, 0);
    // The column of the first key has to hold a value outside of what was its range: two bytes a row as before.
    assert_eq!(columns, settled);
}

#[test]
fn pages_leave_with_their_last_vertex_and_their_columns_with_them() {
    let scene = scene();
    let mut random = Random(5);
    // The first of a label set live on the common page, which stays.
    let mut txn = scene.begin(Access::Write);
    let common: Vec<_> = (0..64)
        .map(|_| txn.create_vertex(&scene.labels[..1], &[]).unwrap())
        .collect();
    txn.commit().unwrap();
    scene.quiet();
    let mut txn = scene.begin(Access::Write);
    for id in common {
        txn.delete_vertex(id).unwrap();
    }
    txn.commit().unwrap();
    scene.quiet();
    // Queues keep some room.
    let held = || {
        let graph = scene.core.graph();
        graph.live_bytes() - graph.memory().of(MemoryOwner::Housekeeping)
    };
    let empty = held();
    let columns_before = scene.columns_and_versions().0;
    let mut ids = Vec::new();
    for _ in 0..4 {
        let mut txn = scene.begin(Access::Write);
        for _ in 0..1024 {
            let new = properties(&scene, &mut random);
            ids.push(txn.create_vertex(&scene.labels[..1], &new).unwrap());
        }
        txn.commit().unwrap();
        scene.quiet();
    }
    let full = scene.columns_and_versions().0;
    for part in ids.chunks(512).collect::<Vec<_>>().into_iter().rev() {
        let mut txn = scene.begin(Access::Write);
        for id in part.iter().filter(|id| !id.0.is_multiple_of(1024)) {
            txn.delete_vertex(*id).unwrap();
        }
        txn.commit().unwrap();
        scene.quiet();
    }
    let (columns, versions) = scene.columns_and_versions();
    assert_eq!(versions, 0);
    assert!(
        columns * 20 < full,
        "one survivor a page holds {columns} of {full} bytes"
    );
    let mut txn = scene.begin(Access::Write);
    for id in ids.iter().filter(|id| id.0.is_multiple_of(1024)) {
        txn.delete_vertex(*id).unwrap();
    }
    txn.commit().unwrap();
    scene.quiet();
    assert_eq!(scene.columns_and_versions(), (columns_before, 0));
    // What stays is the empty list of pages, if that.
    let left = held().saturating_sub(empty);
    assert!(left < 1000, "{left} bytes are left of 4,096 vertices");
}

#[test]
fn properties_of_edges_are_folded_too_and_their_records_are_used_again() {
    let scene = scene();
    let mut random = Random(99);
    let mut txn = scene.begin(Access::Write);
    let types = ["R", "S"].map(|name| txn.edge_type(name).unwrap());
    let ids: Vec<VertexId> = (0..50)
        .map(|_| txn.create_vertex(&scene.labels[..1], &[]).unwrap())
        .collect();
    txn.commit().unwrap();
    scene.quiet();
    let bare = scene.columns_and_versions().0;
    let mut model: Vec<(Edge, Properties)> = Vec::new();
    let mut largest = 0;
    for round in 0..8 {
        let mut txn = scene.begin(Access::Write);
        for n in 0..1500 {
            let (a, b) = (ids[random.below(50)], ids[random.below(50)]);
            let weight = Value::Float(random.below(100) as f64);
            let since = Value::Int(random.below(1000) as i64 + 1_000_000);
            let both = [(scene.keys[0], since), (scene.keys[1], weight)];
            // A third of them gets its properties later, or never.
            let new = if n % 3 == 0 { &[] } else { &both[..] };
            let edge = txn.create_edge(a, b, types[n % 2], new).unwrap();
            model.push((edge, new.iter().cloned().collect()));
        }
        txn.commit().unwrap();
        let old = (scene.begin(Access::Read), model.clone());
        let mut txn = scene.begin(Access::Write);
        for _ in 0..800 {
            let at = random.below(model.len());
            let (edge, properties) = &mut model[at];
            let value = Value::Int(random.below(9) as i64);
            txn.set_edge_property(*edge, scene.keys[2], &value).unwrap();
            properties.insert(scene.keys[2], value);
        }
        if round % 2 == 0 {
            txn.commit().unwrap();
        } else {
            txn.rollback();
            model.clone_from(&old.1);
        }
        scene.quiet();
        let epoch = scene.core.enter();
        let now = scene.begin(Access::Read);
        for (txn, model) in [(&old.0, &old.1), (&now, &model)] {
            let view = txn.view(&epoch);
            for (edge, expected) in model {
                let found = view.edge_at(*edge).expect("it was created");
                let pairs = found.properties();
                let pairs: Properties = pairs.iter().map(|(k, v)| (k, v.to_value())).collect();
                assert_eq!(pairs, *expected, "{edge:?} in round {round}");
                let again = view.edge(edge.id).expect("it was created");
                let one = again.property(scene.keys[2]).map(|v| v.to_value());
                assert_eq!(one.as_ref(), expected.get(&scene.keys[2]));
            }
        }
        drop((epoch, now, old));
        scene.quiet();
        let (columns, versions) = scene.columns_and_versions();
        assert_eq!(versions, 0, "nothing is recent when all is quiet");
        if round == 1 {
            largest = columns;
        }
        assert!(
            round < 2 || columns <= 2 * largest,
            "records are not used again: {columns} bytes"
        );
        // All but one in seven go; the next round takes their records.
        let mut txn = scene.begin(Access::Write);
        let (mut kept, mut n) = (Vec::new(), 0);
        for (edge, properties) in model {
            n += 1;
            if n % 7 == 0 && kept.len() < 200 {
                kept.push((edge, properties));
            } else {
                txn.delete_edge(edge).unwrap();
            }
        }
        txn.commit().unwrap();
        model = kept;
        scene.quiet();
    }
    let mut txn = scene.begin(Access::Write);
    for (edge, _) in &model {
        txn.delete_edge(*edge).unwrap();
    }
    txn.commit().unwrap();
    scene.quiet();
    assert_eq!(
        scene.columns_and_versions(),
        (bare, 0),
        "no record is left of no edge"
    );
}

#[test]
fn vertices_made_in_a_batch_are_those_made_one_by_one() {
    let scene = scene();
    let mut random = Random(41);
    let rows: Vec<(Vec<LabelId>, Pairs)> = (0..3000)
        .map(|n| {
            let labels = scene.labels[..n % 3].iter().rev().copied().collect();
            (labels, properties(&scene, &mut random))
        })
        .collect();
    let mut txn = scene.begin(Access::Write);
    let new: Vec<NewVertex<'_>> = rows
        .iter()
        .map(|(labels, properties)| NewVertex { labels, properties })
        .collect();
    let ids = txn.create_vertices(&new).unwrap();
    let batch = txn.stats();
    txn.commit().unwrap();
    let mut txn = scene.begin(Access::Write);
    let single: Vec<VertexId> = rows
        .iter()
        .map(|(labels, properties)| txn.create_vertex(labels, properties).unwrap())
        .collect();
    assert_eq!(batch, txn.stats());
    txn.commit().unwrap();
    scene.quiet();
    let epoch = scene.core.enter();
    let now = scene.begin(Access::Read);
    let view = now.view(&epoch);
    assert_eq!(scene.core.graph().vertex_count(), 6000);
    for (a, b) in ids.iter().zip(&single) {
        let (a, b) = (view.vertex(*a).unwrap(), view.vertex(*b).unwrap());
        assert_eq!(a.labels(), b.labels());
        assert_eq!(
            format!("{:?}", a.properties()),
            format!("{:?}", b.properties())
        );
    }
}

#[test]
fn a_batch_that_violates_a_constraint_leaves_nothing() {
    let scene = scene();
    let mut txn = scene.begin(Access::Write);
    let unique = ConstraintDefinition::Unique {
        label: scene.labels[0],
        keys: [scene.keys[0]].as_slice().into(),
    };
    txn.create_constraint(unique, None).unwrap();
    txn.commit().unwrap();
    let before = scene.core.graph().live_bytes();
    let numbers = [1, 2, 3, 2].map(|n| [(scene.keys[0], Value::Int(n))]);
    let new = numbers.each_ref().map(|properties| NewVertex {
        labels: &scene.labels[..1],
        properties,
    });
    let mut txn = scene.begin(Access::Write);
    assert!(matches!(
        txn.create_vertices(&new),
        Err(WriteError::Constraint { .. })
    ));
    assert!(txn.create_vertex(&[], &[]).is_err() && txn.commit().is_err());
    scene.quiet();
    let mut txn = scene.begin(Access::Write);
    assert_eq!(txn.create_vertices(&new[..3]).unwrap().len(), 3);
    // Others, in between and behind, which the constraint does not concern.
    let free = NewVertex {
        labels: &scene.labels[1..],
        properties: new[0].properties,
    };
    let four: Vec<Value> = vec![4.into(), 5.into()];
    let more = [0, 1].map(|n: usize| [(scene.keys[0], four[n].clone())]);
    let more = more.each_ref().map(|properties| NewVertex {
        labels: &scene.labels[..2],
        properties,
    });
    let mixed = [free, more[0], more[1], free, free];
    let ids = txn.create_vertices(&mixed).unwrap();
    txn.next_clause();
    let epoch = scene.core.enter();
    let view = txn.view(&epoch);
    for (id, new) in ids.iter().zip(&mixed) {
        let vertex = view.vertex(*id).unwrap();
        assert_eq!(vertex.labels(), new.labels);
        let value = vertex.property(scene.keys[0]).map(|v| v.to_value());
        assert_eq!(value.as_ref(), Some(&new.properties[0].1));
    }
    drop(epoch);
    assert!(matches!(
        txn.create_vertices(&[free, new[3]]),
        Err(WriteError::Constraint { .. })
    ));
    txn.rollback();
    scene.quiet();
    assert_eq!(scene.core.graph().vertex_count(), 0);
    let epoch = scene.core.enter();
    let now = scene.begin(Access::Read);
    let mut found = Vec::new();
    let view = now.view(&epoch);
    view.pages(None)
        .iter()
        .for_each(|page| view.scan_page(*page, None, &mut found));
    assert!(found.is_empty());
    // One page stays open for the label.
    assert!(scene.core.graph().live_bytes() < before + 40_000);
}

#[test]
fn full_columns_of_every_width_add_up() {
    for spread in [0, 200, 60_000, 4_000_000_000, i64::MAX] {
        let scene = scene();
        let mut random = Random(17);
        let numbers: Vec<i64> = (0..1500)
            .map(|_| random.below(spread as usize + 1) as i64 - spread / 2)
            .collect();
        let rows: Vec<[(KeyId, Value); 2]> = numbers
            .iter()
            .map(|&n| {
                [
                    (scene.keys[0], Value::Int(n)),
                    (scene.keys[1], Value::Float(n as f64)),
                ]
            })
            .collect();
        let labels = &scene.labels[..1];
        let new: Vec<NewVertex<'_>> = rows
            .iter()
            .map(|properties| NewVertex { labels, properties })
            .collect();
        let mut txn = scene.begin(Access::Write);
        txn.create_vertices(&new).unwrap();
        txn.commit().unwrap();
        scene.quiet();
        let epoch = scene.core.enter();
        let now = scene.begin(Access::Read);
        for key in [scene.keys[0], scene.keys[1]] {
            let (mut summary, mut expected, mut counted) = Default::default();
            let mut found = BTreeSet::new();
            summarize(
                &now.view(&epoch),
                None,
                key,
                (&mut summary, &mut counted),
                &mut found,
            );
            for &n in &numbers {
                let value = if key == scene.keys[0] {
                    Value::Int(n)
                } else {
                    Value::Float(n as f64)
                };
                add(&mut expected, &value);
            }
            same_summary(&summary, &expected);
            assert_eq!((counted, found.len()), (1500, 1500));
        }
    }
}

#[test]
fn a_row_is_folded_once_or_twice_while_its_page_fills_however_small_the_batches() {
    const ROWS: usize = 8_192;
    for batch in [1, 7, 100, 1_000, 3_000] {
        let scene = scene();
        let mut made = 0;
        let mut ids = Vec::new();
        while made < ROWS {
            let mut txn = scene.begin(Access::Write);
            for _ in 0..batch.min(ROWS - made) {
                let new = [(scene.keys[0], Value::Int(made as i64))];
                ids.push(txn.create_vertex(&scene.labels[..1], &new).unwrap());
                made += 1;
            }
            txn.commit().unwrap();
            // A busy core: it keeps house between transactions, but is never without work.
            scene.core.maintain(64);
        }
        let busy = scene.core.fold_work();
        assert!(
            busy.rows <= ROWS as u64,
            "batches of {batch}: {} rows were folded",
            busy.rows
        );
        scene.quiet();
        let all = scene.core.fold_work();
        assert!(all.rows <= 2 * ROWS as u64, "batches of {batch}: {all:?}");
        assert_eq!(scene.columns_and_versions().1, 0);

        // Rows that change share the price of writing their columns anew.
        let mut random = Random(3);
        for n in 0..20_000 {
            let mut txn = scene.begin(Access::Write);
            let id = ids[random.below(ids.len())];
            txn.set_vertex_property(id, scene.keys[0], &Value::Int(n))
                .unwrap();
            txn.commit().unwrap();
            scene.core.maintain(64);
        }
        let updates = scene.core.fold_work().rows - all.rows;
        assert!(updates <= 20_000 * 8, "{updates} rows for 20,000 updates");
        assert!(
            updates >= 20_000 * 4,
            "updates are not folded while they go on: {updates} rows"
        );
    }
}

#[test]
fn a_page_with_room_is_folded_too_when_its_vertices_change_all_the_time() {
    let scene = scene();
    let mut txn = scene.begin(Access::Write);
    let ids: Vec<VertexId> = (0..300)
        .map(|n| {
            let new = [(scene.keys[0], Value::Int(n))];
            txn.create_vertex(&scene.labels[..1], &new).unwrap()
        })
        .collect();
    txn.commit().unwrap();
    for n in 0..6_000 {
        let mut txn = scene.begin(Access::Write);
        txn.set_vertex_property(ids[n % 50], scene.keys[0], &Value::Int(n as i64))
            .unwrap();
        txn.commit().unwrap();
        scene.core.maintain(64);
    }
    let work = scene.core.fold_work();
    assert!((1..=6).contains(&work.folds), "{work:?}");
}
