//! Writing one part of a snapshot.
//!
//! Owns [`PartWriter`]. Called by the server, one a core. What always holds: nothing counts before [`PartWriter::finish`] has synced it; what
//! is written at once is about [`WRITE_BYTES`] long and aligned.

use std::path::PathBuf;

use quoit_rt::{AlignedBuf, Disk, File, OpenMode};

use super::SnapshotHead;
use super::layout::{BlockHeader, END, encode_part};
use crate::error::LogError;
use crate::scan::io_error;
use crate::segment::BLOCK;

/// Bytes written at once.
const WRITE_BYTES: usize = 1 << 20;

/// What a part came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PartSummary {
    /// Its number.
    pub part: u16,
    /// Bytes up to the end of its last block.
    pub bytes: u64,
    /// Blocks, the end included.
    pub blocks: u64,
    /// Of the blocks' checksums.
    pub checksum: u32,
}

/// One part that is being written.
pub struct PartWriter {
    id: u64,
    file: File,
    path: PathBuf,
    summary: PartSummary,
    /// What is not written yet; begins at `offset`, a multiple of [`BLOCK`].
    buffer: AlignedBuf,
    offset: u64,
}

impl PartWriter {
    pub(super) async fn create(
        disk: &Disk,
        path: PathBuf,
        head: &SnapshotHead,
        part: u16,
    ) -> Result<PartWriter, LogError> {
        let mode = OpenMode {
            direct: true,
            ..OpenMode::create_new()
        };
        let file = disk.open(&path, mode).await;
        let mut buffer = AlignedBuf::with_capacity(WRITE_BYTES + BLOCK);
        let header = encode_part(head.id, part, head.commit);
        buffer.extend_from_slice(&header);
        Ok(PartWriter {
            id: head.id,
            file: file.map_err(|error| io_error(&path, &error))?,
            path,
            summary: PartSummary {
                part,
                bytes: header.len() as u64,
                blocks: 0,
                checksum: 0,
            },
            buffer,
            offset: 0,
        })
    }

    /// Appends a block.
    ///
    /// # Errors
    /// [`LogError::Io`]: the part cannot be finished.
    ///
    /// # Panics
    /// When `kind` is that of the end, or the payload is longer than 4 GiB.
    pub async fn write(&mut self, kind: u16, payload: &[u8]) -> Result<(), LogError> {
        assert!(kind != END && payload.len() <= u32::MAX as usize);
        self.append(kind, payload);
        if self.buffer.len() >= WRITE_BYTES {
            self.flush().await?;
        }
        Ok(())
    }

    fn append(&mut self, kind: u16, payload: &[u8]) {
        let summary = &mut self.summary;
        let number = summary.blocks as u32;
        let header = BlockHeader::of(self.id, summary.part, kind, number, payload);
        self.buffer.extend_from_slice(&header.encode());
        self.buffer.extend_from_slice(payload);
        summary.blocks += 1;
        summary.bytes += (header.encode().len() + payload.len()) as u64;
        summary.checksum = crc32c::crc32c_append(summary.checksum, &header.checksum.to_le_bytes());
    }

    /// Writes the whole blocks of the device that are in the buffer.
    async fn flush(&mut self) -> Result<(), LogError> {
        let whole = self.buffer.len() / BLOCK * BLOCK;
        let mut rest = AlignedBuf::with_capacity(WRITE_BYTES + BLOCK);
        rest.extend_from_slice(&self.buffer[whole..]);
        let mut full = std::mem::replace(&mut self.buffer, rest);
        full.truncate(whole);
        let written = self.file.write_at(full, self.offset).await.0;
        written.map_err(|error| io_error(&self.path, &error))?;
        self.offset += whole as u64;
        Ok(())
    }

    /// Ends the part and syncs it.
    ///
    /// # Errors
    /// [`LogError::Io`].
    pub async fn finish(mut self) -> Result<PartSummary, LogError> {
        self.append(END, &[]);
        self.buffer.pad_to(BLOCK);
        self.flush().await?;
        let synced = self.file.sync().await;
        synced.map_err(|error| io_error(&self.path, &error))?;
        Ok(self.summary)
    }
}
