//! Reading one part of a snapshot, block by block.
//!
//! Owns [`PartReader`]. Called by `store` (verification) and the server (recovery). What always holds: see the module above.

use std::path::PathBuf;

use bytes::Bytes;
use quoit_rt::{AlignedBuf, Disk, File, OpenMode};

use super::layout::{BLOCK_HEADER, BlockHeader, END, PART_HEADER, check_part};
use super::{PartSummary, SnapshotError, SnapshotHead};
use crate::error::LogError;
use crate::scan::io_error;

/// Bytes read at once.
const WINDOW_BYTES: usize = 1 << 20;

/// A block's kind and payload.
pub type Block = (u16, Bytes);

/// One part that is being read.
pub struct PartReader {
    file: File,
    path: PathBuf,
    size: u64,
    id: u64,
    expected: PartSummary,
    /// What has been read: `offset` is that of its first byte.
    window: Bytes,
    offset: u64,
    blocks: u64,
    checksum: u32,
    is_done: bool,
}

impl PartReader {
    pub(super) async fn open(
        disk: &Disk,
        path: PathBuf,
        head: &SnapshotHead,
        expected: PartSummary,
    ) -> Result<PartReader, LogError> {
        let file = disk.open(&path, OpenMode::read()).await;
        let file = file.map_err(|error| io_error(&path, &error))?;
        let size = file.size().await.map_err(|error| io_error(&path, &error))?;
        let mut reader = PartReader {
            file,
            path,
            size,
            id: head.id,
            expected,
            window: Bytes::new(),
            offset: 0,
            blocks: 0,
            checksum: 0,
            is_done: false,
        };
        let header = reader.bytes(PART_HEADER).await?;
        let checked = check_part(&header, head.id, expected.part, head.commit);
        checked.map_err(|(offset, what)| reader.error(offset, what))?;
        Ok(reader)
    }

    fn error(&self, offset: u64, what: impl Into<String>) -> LogError {
        LogError::Snapshot(SnapshotError {
            path: self.path.clone(),
            offset,
            what: what.into(),
        })
    }

    /// The next `len` bytes.
    async fn bytes(&mut self, len: usize) -> Result<Bytes, LogError> {
        if self.window.len() < len {
            let left = self.size.saturating_sub(self.offset);
            if left < len as u64 {
                return Err(self.error(self.size, "the file ends too early"));
            }
            let wanted = len.max(WINDOW_BYTES.min(left as usize));
            let (read, mut buffer) = self
                .file
                .read_at(AlignedBuf::zeroed(wanted), self.offset)
                .await;
            let read = read.map_err(|error| io_error(&self.path, &error))?;
            buffer.truncate(read);
            self.window = buffer.freeze();
            if self.window.len() < len {
                return Err(self.error(self.offset, "the file ends too early"));
            }
        }
        self.offset += len as u64;
        Ok(self.window.split_to(len))
    }

    /// The next block's kind and payload; `None` behind the last one.
    ///
    /// # Errors
    /// [`LogError::Snapshot`]: it is not what was written; [`LogError::Io`].
    pub async fn next(&mut self) -> Result<Option<Block>, LogError> {
        if self.is_done {
            return Ok(None);
        }
        let at = self.offset;
        let bytes = self.bytes(BLOCK_HEADER).await?;
        let header = bytes[..]
            .try_into()
            .expect("as many bytes as were asked for");
        let header =
            BlockHeader::decode(header).ok_or_else(|| self.error(at, "a reserved byte is set"))?;
        if u64::from(header.number) != self.blocks {
            let what = format!(
                "block {} where block {} should stand",
                header.number, self.blocks
            );
            return Err(self.error(at, what));
        }
        let payload = self.bytes(header.len as usize).await?;
        let found = header.computed(self.id, self.expected.part, &payload);
        if found != header.checksum {
            let what = format!("checksum {found:08x}, expected {:08x}", header.checksum);
            return Err(self.error(at, what));
        }
        self.blocks += 1;
        self.checksum = crc32c::crc32c_append(self.checksum, &header.checksum.to_le_bytes());
        if header.kind != END {
            return Ok(Some((header.kind, payload)));
        }
        self.is_done = true;
        let found = PartSummary {
            part: self.expected.part,
            bytes: self.offset,
            blocks: self.blocks,
            checksum: self.checksum,
        };
        if found != self.expected {
            return Err(self.error(at, "the part is not the one that the manifest names"));
        }
        Ok(None)
    }

    /// The file.
    pub fn path(&self) -> &std::path::Path {
        &self.path
    }
}
