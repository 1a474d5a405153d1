//! Point reads, index seeks and walks over neighbours allocate nothing.
#![cfg(not(loom))]
#![allow(unsafe_code)]

use quoit_graph::door::NullJournal;
use quoit_graph::value::Value;
use quoit_graph::{Access, Direction, Graph, GraphConfig, IndexDefinition, Isolation};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Arc;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: passes everything on to the system's allocator unchanged; counting touches a thread-local that needs no allocation.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

#[test]
fn reading_a_point_a_key_and_neighbours_allocates_nothing() {
    let graph = Graph::new(GraphConfig {
        shards: 2,
        cores: 1,
        journal: Arc::new(NullJournal::default()),
    });
    let core = graph.core(0);
    let mut txn = core.begin(Access::Write, Isolation::Snapshot);
    let (label, type_) = (txn.label("L").unwrap(), txn.edge_type("T").unwrap());
    let (id, name) = (txn.key("id").unwrap(), txn.key("name").unwrap());
    txn.create_index(IndexDefinition::on_label(label, &[id]), None)
        .unwrap();
    txn.commit().unwrap();
    let mut txn = core.begin(Access::Write, Isolation::Snapshot);
    let vertices: Vec<_> = (0..2_000i64)
        .map(|k| {
            txn.create_vertex(
                &[label],
                &[(id, k.into()), (name, format!("vertex {k}").into())],
            )
            .unwrap()
        })
        .collect();
    for pair in vertices.windows(2) {
        txn.create_edge(pair[0], pair[1], type_, &[(id, 1.into())])
            .unwrap();
    }
    txn.commit().unwrap();

    let txn = core.begin(Access::Read, Isolation::Snapshot);
    let keys: Vec<Value> = (0..2_000i64).map(Value::Int).collect();
    let before = ALLOCATIONS.get();
    let mut read = 0;
    for key in &keys {
        let epoch = core.enter();
        let view = txn.view(&epoch);
        let index = view.index(label, &[id]).unwrap();
        for found in index.seek(std::slice::from_ref(key)) {
            read += view
                .vertex(found)
                .unwrap()
                .property(name)
                .unwrap()
                .is(&Value::Null) as usize;
            for incidence in view.edges(found, Direction::Both, &[type_]) {
                read += view.edge_at(incidence.edge).unwrap().property(id).is_some() as usize;
            }
        }
    }
    assert_eq!(ALLOCATIONS.get() - before, 0);
    assert_eq!(read, 2 * 1_999);
}
