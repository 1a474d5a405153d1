//! Query text to checked syntax tree.
//!
//! The way of a query: [`token`] cuts the text into tokens, [`parser`] builds the [`ast`], [`check`] resolves names and refuses what cannot be
//! meant. [`normalise`] makes the plan cache's key from the text alone. [`error`] is the error type of the whole engine, [`functions`] the table
//! of the language's functions.
//!
//! This crate knows nothing of storage, values at run time, or the wire. No input makes it panic, overflow the stack or take more
//! than linear time.

pub mod ast;
pub mod check;
pub mod error;
pub mod functions;
pub mod normalise;
pub mod parser;
pub mod span;
pub mod suggest;
pub mod token;
