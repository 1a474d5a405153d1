//! The order of reads and folds under loom: what holds, and what goes wrong when either side turns it round.

use super::{CLEARS_FIRST, Columns, RIGHT, TABLE_FIRST, has};
use crate::draft::Draft;
use crate::ids::{CommitSeq, KeyId, LabelSetId};
use crate::memory::{Account, Heap};
use crate::stamp::{Cells, Sight};
use crate::value::ValueRef;
use crate::value::codec::{Properties, encode_ref, put_varint};
use crate::version::{self, Versions};
use loom::thread;
use std::sync::Arc;

const KEY: KeyId = KeyId(3);

struct Page<const ORDER: u8> {
    columns: Columns<ORDER>,
    word: Versions,
    cells: Cells,
    account: Arc<Account>,
}

/// A reader at commit 1 looks at a slot whose only version, of commit 1, is being folded.
fn read_and_fold<const ORDER: u8>(by_bits: bool) {
    loom::model(move || {
        let page: Arc<Page<ORDER>> = Arc::new(Page {
            columns: Columns::default(),
            word: Versions::default(),
            cells: Cells::default(),
            account: Arc::new(Account::new(2)),
        });
        let writer = Heap::new(page.account.clone(), 0);
        let mut properties = Vec::new();
        put_varint(&mut properties, u64::from(KEY.0));
        encode_ref(ValueRef::Int(7), &mut properties);
        page.columns.mark(0);
        let draft = Draft::of(Properties::trusted(&properties));
        let version = version::build(&writer, 1, None, LabelSetId(0), false, &draft);
        assert!(page.word.set(version).is_none());

        let reader = {
            let page = page.clone();
            thread::spawn(move || {
                let heap = Heap::new(page.account.clone(), 1);
                let guard = heap.enter();
                let sight = Sight {
                    cells: &page.cells,
                    snapshot: CommitSeq(1),
                    own: None,
                    clauses_below: 0,
                    uncommitted: false,
                };
                let state = if by_bits {
                    let (recent, table) = page.columns.look(&guard);
                    if has(&recent, 0) {
                        return;
                    }
                    table
                        .and_then(|table| table.row(0))
                        .map(crate::state::State::Settled)
                } else {
                    page.columns.seen(0, &page.word, &sight, &guard)
                };
                let value = state.and_then(|state| state.get(KEY));
                assert!(
                    matches!(value, Some(ValueRef::Int(7))),
                    "a reader missed what everyone sees"
                );
            })
        };
        let guard = writer.enter();
        let gone = page.columns.fold(
            |_| &page.word,
            LabelSetId(0),
            CommitSeq(1),
            &guard,
            |_, _| panic!("nothing lies behind the version"),
        );
        assert!(gone.forgotten.is_empty());
        drop(guard);
        reader.join().unwrap();
    });
}

#[test]
fn loom_a_fold_is_never_seen_half_done() {
    read_and_fold::<RIGHT>(false);
    read_and_fold::<RIGHT>(true);
}

#[test]
#[should_panic(expected = "missed what everyone sees")]
fn loom_words_cleared_before_the_table_is_published_lose_a_row() {
    read_and_fold::<CLEARS_FIRST>(false);
}

#[test]
#[should_panic(expected = "missed what everyone sees")]
fn loom_bits_cleared_before_the_table_is_published_lose_a_row() {
    read_and_fold::<CLEARS_FIRST>(true);
}

#[test]
#[should_panic(expected = "missed what everyone sees")]
fn loom_a_reader_who_looks_at_the_table_before_the_word_misses_a_row() {
    read_and_fold::<TABLE_FIRST>(false);
}
