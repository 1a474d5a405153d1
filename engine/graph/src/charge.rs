//! Charges: bytes that are kept outside the graph and limited with it.
//!
//! Owned here: [`MemoryCharge`]. Called by `query` (what an execution holds between steps).
//! Always holds: what a charge counts is taken back when it is dropped; a charge that is refused has not grown.
//! Left to others: estimating what is held.

use crate::core::Core;
use crate::memory::{MemoryLimitExceeded, MemoryOwner};

/// Bytes counted for an owner, for as long as it lives.
pub struct MemoryCharge {
    core: Core,
    owner: MemoryOwner,
    bytes: u64,
}

impl MemoryCharge {
    /// Of nothing yet.
    pub fn new(core: Core, owner: MemoryOwner) -> MemoryCharge {
        MemoryCharge {
            core,
            owner,
            bytes: 0,
        }
    }

    /// Counts so many bytes more.
    ///
    /// # Errors
    /// The memory limit would be passed.
    pub fn grow(&mut self, bytes: u64) -> Result<(), MemoryLimitExceeded> {
        let heap = self.core.heap();
        heap.admit(usize::try_from(bytes).unwrap_or(usize::MAX))?;
        heap.count(self.owner, bytes as i64);
        self.bytes += bytes;
        Ok(())
    }

    /// Counts so many bytes fewer.
    pub fn shrink(&mut self, bytes: u64) {
        let bytes = bytes.min(self.bytes);
        self.core.heap().count(self.owner, -(bytes as i64));
        self.bytes -= bytes;
    }

    /// What it counts.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl Drop for MemoryCharge {
    fn drop(&mut self) {
        self.shrink(self.bytes);
    }
}
