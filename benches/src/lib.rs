//! What Quoit's speed and memory are measured with.
//!
//! `benches/`: criterion benches, one file a hot path: `cargo bench -p quoit-benches`. [`storage`]: the storage's goals, each with
//! what it was compared with in the same run: `perf/run storage`. [`pokec`]: the graph that edges are measured on; [`csr`]: the
//! arrays beside it, which the `levels` binary times for `perf/run language`. Machines differ: quote ratios of one run.

pub mod csr;
pub mod pokec;
pub mod storage;
