//! Histories of concurrent transactions on the real engine, on threads, checked for what each isolation level forbids.
#![cfg(not(loom))]

mod isolation_kit;

use isolation_kit::lists::LAYOUTS;
use isolation_kit::runs::{Run, history};
use quoit_graph::Isolation;
use quoit_histories::check::{Level, check};

fn every_layout_keeps(isolation: Isolation, level: Level) {
    for (seed, layout) in (1..).zip(LAYOUTS) {
        for cores in [2, 4] {
            let run = Run {
                layout,
                isolation,
                cores,
                transactions: 2_400 / u64::from(cores),
                seed,
            };
            let report = check(&history(run));
            println!(
                "{isolation:?} {layout:?} on {cores} cores: {} of {} committed, {} elements, beyond the level {:?}",
                report.committed, report.transactions, report.appended, report.anomalies
            );
            report.assert(level);
        }
    }
}

#[test]
fn snapshots_are_whole_and_never_older_than_their_transaction() {
    every_layout_keeps(Isolation::Snapshot, Level::StrongSnapshot);
}

#[test]
fn read_committed_reads_nothing_that_may_vanish_and_loses_nothing() {
    every_layout_keeps(Isolation::ReadCommitted, Level::ReadCommitted);
}

#[test]
fn read_uncommitted_loses_nothing_either() {
    every_layout_keeps(Isolation::ReadUncommitted, Level::ReadUncommitted);
}
