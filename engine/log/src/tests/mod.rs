//! Tests of the log as a whole. [`ledger`] is the world around it: a door, and a graph that remembers
//! what it was given. [`damage`] judges damaged bytes exhaustively, [`live`] runs on real cores and
//! disks.

mod damage;
mod ledger;
mod live;
