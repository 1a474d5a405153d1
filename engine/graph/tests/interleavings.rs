//! Every interleaving of small transactions: no edge dangles, both its ends tell the same, and what is there is what was committed.
#![cfg(not(loom))]

mod isolation_kit;

use isolation_kit::interleavings::{Stage, Step, Tried, pairs, pairs_of_two_changes, triples};
use quoit_graph::Isolation;

fn all_levels(play: fn(&Stage, Isolation, &mut Tried)) {
    let settled_at_once = [
        (Isolation::Snapshot, usize::MAX),
        (Isolation::Snapshot, 1),
        (Isolation::ReadCommitted, 0),
    ];
    for (isolation, writes) in settled_at_once {
        let mut tried = Tried::default();
        play(&Stage::new(writes), isolation, &mut tried);
        println!("{isolation:?}, {writes} writes settled at once: {tried:?}");
        assert!(tried.conflicts > 0 && tried.conflicts < 2 * tried.scenarios);
    }
}

#[test]
fn two_transactions_of_one_change_each() {
    all_levels(pairs);
}

#[test]
fn a_transaction_of_two_changes_beside_one_of_one() {
    all_levels(pairs_of_two_changes);
}

#[test]
fn three_transactions_of_which_one_is_rolled_back() {
    all_levels(triples);
}

#[test]
fn edges_between_the_same_two_vertices_never_conflict() {
    let stage = Stage::new(1);
    let mut tried = Tried::default();
    let link = |from| [Step::Begin, Step::Link(from), Step::Commit];
    stage.play_all(
        Isolation::Snapshot,
        &[&link(false), &link(true), &link(false)],
        &mut tried,
    );
    assert_eq!((tried.scenarios, tried.conflicts), (1_680, 0));
}
