//! The order of a split under loom: what holds, and what goes wrong when it is turned round.

use super::{KeyHash, UniqueTable};
use crate::ids::VertexId;
use crate::memory::{Account, Heap};
use loom::thread;
use std::sync::Arc;

/// A reader looks for a key whose entry moves to the segment that is being split off.
fn find_and_split<const ORDERED: bool>() {
    loom::model(|| {
        let account = Arc::new(Account::new(2));
        let table: Arc<UniqueTable<ORDERED>> = Arc::new(UniqueTable::new(1, account.clone()));
        // Of two segments this tag belongs to the second.
        let hash = KeyHash(0b1);
        let writer = Heap::new(account.clone(), 0);
        table.insert(hash, VertexId(7), &writer.enter(), &|_, _| true);
        let reader = {
            let (table, account) = (table.clone(), account.clone());
            thread::spawn(move || {
                let heap = Heap::new(account, 1);
                let found = table.find(hash, &heap.enter(), |vertex| vertex == VertexId(7));
                assert_eq!(found, Some(VertexId(7)), "an entry was out of sight");
            })
        };
        table.split_first(&writer.enter());
        reader.join().unwrap();
        drop(table);
    });
}

#[test]
fn loom_an_entry_is_found_while_its_segment_is_split() {
    find_and_split::<true>();
}

#[test]
#[should_panic(expected = "out of sight")]
fn loom_an_entry_is_lost_when_the_old_segment_goes_before_the_new_one_counts() {
    find_and_split::<false>();
}
