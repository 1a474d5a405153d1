//! `quoit console`: a terminal for Cypher.

pub mod csv;
pub mod statement;
pub mod table;
pub mod text;
