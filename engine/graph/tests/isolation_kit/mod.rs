//! What the tests of isolation share: lists laid out in a graph in several ways, histories of transactions on them, and every
//! interleaving of small transactions. Each test binary uses a part of it.
#![allow(dead_code)]

pub mod interleavings;
pub mod lists;
pub mod runs;
