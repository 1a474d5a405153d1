//! Benches of the hot paths; see `benches/`.
