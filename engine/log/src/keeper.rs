//! Segments made ahead of the writer.
//!
//! Owns the making of segment files and the one task that keeps a spare. Called by recovery (the first
//! segment) and by the writer when there is none (the account of space makes that rare). What always
//! holds: a file with a segment's name is whole, zeroed, synced and starts with its own record; a disk
//! that is full is noticed here, before a number is taken.

use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use quoit_rt::{AlignedBuf, Disk, OpenMode};

use crate::baton::Held;
use crate::core::LogCore;
use crate::error::{LogError, Role};
use crate::log::{Log, Spare, count};
use crate::scan::io_error;
use crate::segment::{BLOCK, LocalPart, Marks, RECORD_HEADER, RecordKind, SegmentNumber};
use crate::space::NoRoom;

/// How soon a full disk is tried again.
const RETRY: Duration = Duration::from_secs(1);

impl Log {
    /// Makes the next segment with at least `blocks` free blocks; gives its number and free blocks.
    pub(crate) async fn make_segment(
        &self,
        disk: &Disk,
        blocks: u64,
    ) -> Result<(SegmentNumber, u64), LogError> {
        let standard = self.options.segment_bytes / BLOCK as u64 - 1;
        let blocks = blocks.max(standard);
        let number = SegmentNumber(self.next_segment.fetch_add(1, Ordering::Relaxed));
        let bytes = (blocks + 1) * BLOCK as u64;
        let path = self.options.directory.join(number.unfinished_name());
        let made = async {
            #[cfg(test)]
            self.options.faults.make_segment()?;
            let mode = OpenMode {
                direct: true,
                ..OpenMode::create_new()
            };
            let file = disk.open(&path, mode).await?;
            file.preallocate_zeroed(bytes).await?;
            let local = LocalPart {
                kind: RecordKind::Segment,
                segment: number,
                log_id: self.id(),
                marks: Marks::default(),
                payload_bytes: bytes,
            };
            let mut block = AlignedBuf::zeroed(BLOCK);
            block[..RECORD_HEADER].copy_from_slice(&local.encode());
            file.write_at(block, 0).await.0?;
            file.sync().await?;
            disk.rename(&path, self.path(number)).await?;
            disk.sync_dir(&self.options.directory).await
        };
        match made.await {
            Ok(()) => {
                count(&self.counts.segments_made, 1);
                Ok((number, blocks))
            }
            Err(error) => {
                // Half a file is of no use; a number that is left out is no gap in the history.
                let _ = disk.remove(&path).await;
                Err(io_error(&path, &error))
            }
        }
    }
}

impl LogCore {
    pub(crate) async fn make_segment(&self, blocks: u64) -> Result<(SegmentNumber, u64), LogError> {
        self.log.make_segment(&self.rt.disk(), blocks).await
    }

    /// The keeper, on core 0: always one spare, and as many more as refused transactions ask for.
    pub(crate) async fn keep_spares(self: Rc<Self>) {
        let (notifier, notified) = self.rt.notifier();
        if self.log.keeper.set(notifier).is_err() {
            return;
        }
        let mut full = false;
        loop {
            if self.log.role() == Role::Stopped {
                return;
            }
            let demand = self.log.space.take_demand();
            let missing = demand > 0 && self.is_refused(demand);
            if self.log.space.takes_spare() && (self.log.spares().is_empty() || missing) {
                // Twice the largest record: the account subtracts it from every segment.
                let wanted = if missing {
                    2 * demand + self.log.space.promised() + 1
                } else {
                    0
                };
                full = !self.add_spare(wanted).await;
                if !full {
                    continue;
                }
            }
            if full {
                let deadline = self.rt.now() + RETRY;
                let _ = self.rt.timeout(deadline, notified.notified()).await;
                self.rt.sleep(RETRY / 10).await;
            } else {
                notified.notified().await;
            }
        }
    }

    fn is_refused(&self, blocks: u64) -> bool {
        match self.log.space.reserve_blocks(blocks) {
            Ok(()) => {
                self.log.space.release_blocks(blocks);
                false
            }
            Err(_) => {
                // The question is not a demand of its own.
                self.log.space.take_demand();
                true
            }
        }
    }

    /// The right to make a segment. Whoever has it is done in tens of milliseconds, and has no waiter
    /// to wake.
    pub(crate) async fn maker(&self) -> Held<'_, ()> {
        loop {
            match self.log.maker.arrive() {
                Some(maker) => return maker,
                None => self.rt.sleep(Duration::from_millis(1)).await,
            }
        }
    }

    /// Makes one spare; false when the disk is full.
    async fn add_spare(&self, blocks: u64) -> bool {
        let _maker = self.maker().await;
        if self.log.role() == Role::Stopped {
            return false;
        }
        match self.make_segment(blocks).await {
            Ok((number, blocks)) => {
                let mut spares = self.log.spares();
                match self.log.space.add_spare(blocks) {
                    Some(slot) => spares.push_back(Spare {
                        number,
                        blocks,
                        slot,
                    }),
                    // All places are taken: the file stays, empty, and is found at the next start.
                    None => return false,
                }
                drop(spares);
                self.log.set_full(None);
                true
            }
            Err(error) => {
                self.log.set_full(Some(error.to_string()));
                false
            }
        }
    }

    /// Waits until a frame of `frame_bytes` (header included) would be given room: what to do when a
    /// commit was refused as busy, before trying again.
    ///
    /// # Errors
    /// [`LogError::Full`] when the disk has no room, [`LogError::Stopped`].
    pub async fn room(&self, frame_bytes: usize) -> Result<(), LogError> {
        loop {
            if self.log.role() == Role::Stopped {
                return Err(LogError::Stopped);
            }
            match self.log.space.reserve(frame_bytes) {
                Ok(()) => {
                    self.log.space.release(frame_bytes);
                    return Ok(());
                }
                Err(NoRoom::Busy) => self.log.ring_keeper(),
                Err(NoRoom::Full) => return Err(LogError::Full(self.log.full_reason())),
                Err(NoRoom::TooLarge) => {
                    return Err(LogError::Full(format!(
                        "a frame of {frame_bytes} bytes is too long"
                    )));
                }
            }
            // Making a segment takes tens of milliseconds.
            self.rt.sleep(Duration::from_millis(1)).await;
        }
    }
}
