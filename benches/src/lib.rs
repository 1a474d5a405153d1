//! Benches of the hot paths, in `benches/`: `cargo bench -p quoit-benches`.
//!
//! One file a path: `bolt` (a request's bytes in, an answer's bytes out), `point_read` (plan to row, without a client),
//! `language` (text to plan). Machines differ: quote ratios of one run.
