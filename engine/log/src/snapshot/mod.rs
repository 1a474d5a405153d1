//! Snapshot files: an image of the graph at one commit, in checksummed blocks, beside the log.
//!
//! Owns `DIR/snapshots/`: the files of snapshots and their bytes. Called by the server, which captures and loads what is in the blocks
//! (their kinds and payloads mean nothing here). What always holds: a snapshot counts from the moment its manifest has its name, which
//! is after every part was synced, read back and verified; a block is given out only when its checksum, its number and its part are
//! right, and the end of a part only when as many blocks came as the manifest says; no length allocates more than the file holds.
//!
//! ```text
//! snapshot-<commit, 20 digits>-<milliseconds since 1970, 13 digits>.part-NNNN    one a core that wrote
//! snapshot-<commit>-<milliseconds>.manifest                                      the last to get its name
//! ```
//!
//! [`layout`] has the bytes, [`offline`] checks a part without a runtime, [`writer`] and [`reader`] one part, [`store`] the directory.

pub mod layout;
pub mod offline;
mod reader;
mod store;
mod writer;

pub use layout::SnapshotHead;
pub use reader::{Block, PartReader};
pub use store::{Listed, SnapshotDraft, SnapshotInfo, SnapshotStore};
pub use writer::{PartSummary, PartWriter};

use std::path::PathBuf;

/// Bytes of a snapshot are not those that were written.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the snapshot file {path} cannot be used: at offset {offset}: {what}")]
pub struct SnapshotError {
    /// The file.
    pub path: PathBuf,
    /// Where in it, in bytes.
    pub offset: u64,
    /// What is wrong there.
    pub what: String,
}
