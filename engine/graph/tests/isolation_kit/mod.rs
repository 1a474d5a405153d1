//! What the tests of isolation share: lists laid out in a graph in several ways, and histories of transactions on them.

pub mod lists;
pub mod runs;
