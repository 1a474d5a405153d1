//! `quoit load`: measures a server under load.

pub mod random;
pub mod schedule;
pub mod workload;
