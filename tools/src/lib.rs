//! The tools around the server, behind the one binary `quoit`.
//!
//! Each module is a subcommand or something several of them need. The server itself is `quoit-server`;
//! nothing here runs on its cores. `quoit` with no configuration works for every subcommand.

pub mod bolt;
pub mod check;
pub mod cli;
pub mod cluster;
pub mod console;
pub mod doctor;
pub mod exit;
pub mod gflags;
pub mod kernel;
pub mod load;
pub mod memgraph_flags;
pub mod server;
pub mod server_args;
