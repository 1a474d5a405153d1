//! Tests of the log as a whole. [`ledger`] is the world around it: a door, and a graph that remembers
//! what it was given. [`damage`] judges damaged bytes exhaustively, [`live`] runs on real cores and
//! disks, [`crash`] takes the power away there at random moments, [`simulated`] runs whole lives of a
//! node in simulation, [`snapshots`] damages snapshot files, [`faults`] is what is broken on purpose.

mod crash;
mod damage;
pub(crate) mod faults;
mod ledger;
mod live;
mod simulated;
mod snapshots;
