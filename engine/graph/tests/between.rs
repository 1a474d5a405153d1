//! What other cores do between a commit's number and the end of its housekeeping.
//!
//! A journal's `kick` is called with the number taken and the stamps not yet rewritten: there another core takes its turn.

use quoit_graph::door::{Door, Journal, NullJournal, ReserveError};
use quoit_graph::ids::{KeyId, VertexId};
use quoit_graph::value::Value;
use quoit_graph::{Access, Core, Direction, Graph, GraphConfig, Isolation, Txn};
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

type Turn = Box<dyn FnOnce()>;

thread_local! {
    static TURN: RefCell<Option<Turn>> = const { RefCell::new(None) };
}

/// Publishes at once, then gives another core its turn.
struct Between;

impl Journal for Between {
    fn header_bytes(&self) -> usize {
        0
    }

    fn reserve(&self, _: usize) -> Result<(), ReserveError> {
        Ok(())
    }

    fn release(&self, _: usize) {}

    fn finish_frame(&self, buffer: Vec<u8>) -> bytes::Bytes {
        buffer.into()
    }

    fn kick(&self, door: &Door, _: u16) {
        let mut frames = Vec::new();
        door.take_sealed(usize::MAX, &mut frames);
        if let Some((last, _)) = frames.last() {
            door.publish(*last);
        }
        let turn = TURN.with(|turn| turn.borrow_mut().take());
        if let Some(turn) = turn {
            turn();
        }
    }
}

fn graph(journal: Arc<dyn Journal>) -> Arc<Graph> {
    Graph::new(GraphConfig {
        shards: 1,
        cores: 2,
        journal,
    })
}

fn at_the_next_commit(turn: impl FnOnce() + 'static) {
    TURN.with(|next| *next.borrow_mut() = Some(Box::new(turn)));
}

fn begin(core: &Core) -> Txn {
    core.begin(Access::Write, Isolation::Snapshot)
}

fn property(core: &Core, txn: &Txn, vertex: VertexId, key: KeyId) -> Option<Value> {
    let epoch = core.enter();
    let found = txn.view(&epoch).vertex(vertex)?;
    Some(found.property(key)?.to_value())
}

/// What core `b` does: a reader begins, `b` overwrites what the reader sees and keeps house; the reader, which it still holds.
fn overwrite(b: &Core, vertex: VertexId, key: KeyId, seen: i64) -> Txn {
    let reader = b.begin(Access::Read, Isolation::Snapshot);
    assert_eq!(property(b, &reader, vertex, key), Some(seen.into()));
    let mut writer = begin(b);
    writer.set_vertex_property(vertex, key, &2.into()).unwrap();
    writer.commit().unwrap();
    b.maintain(1_000);
    assert_eq!(property(b, &reader, vertex, key), Some(seen.into()));
    reader
}

#[test]
fn a_snapshot_keeps_a_version_whose_stamp_still_names_its_cell() {
    let graph = graph(Arc::new(Between));
    let (a, b) = (graph.core(0), graph.core(1));
    let mut txn = begin(&a);
    let key = txn.key("k").unwrap();
    let vertex = txn.create_vertex(&[], &[(key, 0.into())]).unwrap();
    txn.commit().unwrap();
    a.maintain(1_000);
    let reader: Rc<RefCell<Option<Txn>>> = Rc::default();
    let (other, kept) = (b.clone(), reader.clone());
    at_the_next_commit(move || *kept.borrow_mut() = Some(overwrite(&other, vertex, key, 1)));
    let mut txn = begin(&a);
    txn.set_vertex_property(vertex, key, &1.into()).unwrap();
    txn.commit().unwrap();
    let reader = reader.borrow();
    let reader = reader.as_ref().expect("it had its turn");
    assert_eq!(property(&b, reader, vertex, key), Some(1.into()));
}

#[test]
fn a_snapshot_keeps_a_vertex_whose_creation_still_names_its_cell() {
    let graph = graph(Arc::new(Between));
    let (a, b) = (graph.core(0), graph.core(1));
    let mut txn = begin(&a);
    let key = txn.key("k").unwrap();
    let vertex = txn.create_vertex(&[], &[(key, 0.into())]).unwrap();
    let reader: Rc<RefCell<Option<Txn>>> = Rc::default();
    let (other, kept) = (b.clone(), reader.clone());
    at_the_next_commit(move || *kept.borrow_mut() = Some(overwrite(&other, vertex, key, 0)));
    txn.commit().unwrap();
    let reader = reader.borrow();
    let reader = reader.as_ref().expect("it had its turn");
    assert_eq!(property(&b, reader, vertex, key), Some(0.into()));
}

#[test]
fn a_snapshot_keeps_an_edge_whose_creation_still_names_its_cell() {
    let graph = graph(Arc::new(Between));
    let (a, b) = (graph.core(0), graph.core(1));
    let mut txn = begin(&a);
    let type_ = txn.edge_type("T").unwrap();
    let from = txn.create_vertex(&[], &[]).unwrap();
    let to = txn.create_vertex(&[], &[]).unwrap();
    txn.commit().unwrap();
    let mut txn = begin(&a);
    let edge = txn.create_edge(from, to, type_, &[]).unwrap();
    let had_its_turn = Rc::new(RefCell::new(false));
    let (b, done) = (b.clone(), had_its_turn.clone());
    at_the_next_commit(move || {
        let reader = b.begin(Access::Read, Isolation::Snapshot);
        let degree = || {
            let epoch = b.enter();
            reader.view(&epoch).degree(from, Direction::Out, &[])
        };
        assert_eq!(degree(), 1);
        let mut writer = begin(&b);
        assert!(writer.delete_edge(edge).unwrap());
        writer.commit().unwrap();
        assert_eq!(degree(), 1, "deleted behind the reader");
        // Enough for the tail to be merged.
        let mut writer = begin(&b);
        for _ in 0..20 {
            writer.create_edge(from, to, type_, &[]).unwrap();
        }
        writer.commit().unwrap();
        assert_eq!(degree(), 1, "after a merge");
        *done.borrow_mut() = true;
    });
    txn.commit().unwrap();
    assert!(*had_its_turn.borrow());
}

#[test]
fn housekeeping_comes_to_rest_beside_an_open_transaction_that_has_written() {
    let graph = graph(Arc::new(NullJournal::default()));
    let core = graph.core(0);
    let mut txn = begin(&core);
    let key = txn.key("k").unwrap();
    let vertex = txn.create_vertex(&[], &[(key, 0.into())]).unwrap();
    txn.commit().unwrap();
    let mut txn = begin(&core);
    txn.set_vertex_property(vertex, key, &1.into()).unwrap();
    txn.commit().unwrap();
    let mut open = begin(&core);
    open.set_vertex_property(vertex, key, &2.into()).unwrap();
    let rests = (0..1_000).any(|_| !core.maintain(1_000));
    assert!(rests, "there is always more to do");
}

#[test]
fn a_session_that_panics_with_a_transaction_open_undoes_it_and_nothing_else_ends() {
    let graph = graph(Arc::new(NullJournal::default()));
    let core = graph.core(0);
    let session = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let mut txn = begin(&core);
        txn.create_vertex(&[], &[]).unwrap();
        panic!("a defect of a session, with no token in hand");
    }));
    assert!(session.is_err());
    let txn = core.begin(Access::Read, Isolation::Snapshot);
    let epoch = core.enter();
    let view = txn.view(&epoch);
    let mut found = Vec::new();
    for page in view.pages(None) {
        view.scan_page(page, None, &mut found);
    }
    assert_eq!(found, []);
}

#[test]
fn a_label_set_that_occurs_once_does_not_cost_a_page() {
    const SETS: usize = 500;
    let graph = graph(Arc::new(NullJournal::default()));
    let core = graph.core(0);
    let mut txn = begin(&core);
    let mut made = Vec::new();
    for n in 0..SETS {
        let label = txn.label(&format!("L{n}")).unwrap();
        made.push((label, txn.create_vertex(&[label], &[]).unwrap()));
    }
    txn.commit().unwrap();
    while core.maintain(1_000) {}
    let txn = core.begin(Access::Read, Isolation::Snapshot);
    let epoch = core.enter();
    let view = txn.view(&epoch);
    assert_eq!(view.pages(None).len(), 1);
    for (label, vertex) in made {
        let mut found = Vec::new();
        for page in view.pages(Some(label)) {
            view.scan_page(page, Some(label), &mut found);
        }
        assert_eq!(found, [vertex]);
    }
}
