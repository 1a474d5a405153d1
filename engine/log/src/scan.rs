//! Reading segments from disk, a window at a time.
//!
//! Owns the I/O of recovery, catch-up and rescue; what the bytes mean is [`crate::segment`]'s. What
//! always holds: at most one window (or one record, if longer) is in memory; a length is believed only
//! after its checksum, and never beyond the end of the file. Groups that were read share the window's
//! memory.

use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use quoit_rt::{AlignedBuf, Disk, File, OpenMode};

use crate::error::LogError;
use crate::segment::{BLOCK, LogId, SegmentNumber, Slot, at_file_end, read_record};

/// Bytes read at once.
const WINDOW_BYTES: usize = 1 << 20;

pub(crate) fn io_error(path: &Path, error: &io::Error) -> LogError {
    LogError::Io {
        path: path.to_owned(),
        error: error.to_string(),
    }
}

/// A reader of segments.
pub(crate) struct Scanner {
    disk: Disk,
    directory: PathBuf,
    open: Option<Open>,
}

struct Open {
    number: SegmentNumber,
    path: PathBuf,
    file: File,
    size: u64,
    window: Bytes,
    window_at: u64,
}

impl Scanner {
    pub(crate) fn new(disk: Disk, directory: PathBuf) -> Scanner {
        Scanner {
            disk,
            directory,
            open: None,
        }
    }

    /// Forgets file and window: files may have been replaced.
    pub(crate) fn forget(&mut self) {
        self.open = None;
    }

    async fn segment(&mut self, number: SegmentNumber) -> Result<&mut Open, LogError> {
        if self.open.as_ref().is_none_or(|open| open.number != number) {
            let path = self.directory.join(number.file_name());
            let mode = OpenMode {
                direct: true,
                ..OpenMode::read()
            };
            let file = self
                .disk
                .open(&path, mode)
                .await
                .map_err(|e| io_error(&path, &e))?;
            let size = file.size().await.map_err(|e| io_error(&path, &e))?;
            self.open = Some(Open {
                number,
                path,
                file,
                size,
                window: Bytes::new(),
                window_at: 0,
            });
        }
        Ok(self.open.as_mut().expect("just opened"))
    }

    /// Forgets what was read, since it may have been written over; the file stays open.
    pub(crate) fn forget_window(&mut self) {
        if let Some(open) = &mut self.open {
            open.window = Bytes::new();
            open.window_at = 0;
        }
    }

    /// The size of a segment's file in bytes.
    pub(crate) async fn size(&mut self, number: SegmentNumber) -> Result<u64, LogError> {
        Ok(self.segment(number).await?.size)
    }

    /// Bytes from `offset` on: at least `wanted`, fewer only at the end of the file.
    pub(crate) async fn bytes_at(
        &mut self,
        number: SegmentNumber,
        offset: u64,
        wanted: usize,
    ) -> Result<Bytes, LogError> {
        let open = self.segment(number).await?;
        let available = usize::try_from(open.size.saturating_sub(offset)).unwrap_or(usize::MAX);
        let needed = wanted.min(available);
        let inside = open.window_at <= offset
            && offset - open.window_at + needed as u64 <= open.window.len() as u64;
        if !inside {
            let len = needed
                .max(WINDOW_BYTES.min(available))
                .next_multiple_of(BLOCK);
            let (read, mut buf) = open.file.read_at(AlignedBuf::zeroed(len), offset).await;
            let read = read.map_err(|e| io_error(&open.path, &e))?;
            buf.truncate(read);
            open.window = buf.freeze();
            open.window_at = offset;
        }
        Ok(open.window.slice((offset - open.window_at) as usize..))
    }

    /// What stands at `offset`, a multiple of [`BLOCK`]. Behind the end of the file all is blank.
    pub(crate) async fn record_at(
        &mut self,
        number: SegmentNumber,
        offset: u64,
        log_id: LogId,
    ) -> Result<Slot, LogError> {
        let mut wanted = BLOCK;
        loop {
            let bytes = self.bytes_at(number, offset, wanted).await?;
            if bytes.is_empty() {
                return Ok(Slot::Blank);
            }
            match read_record(&bytes, number, log_id) {
                Slot::Short { needed } if needed == wanted => {
                    return Ok(at_file_end(&bytes, needed));
                }
                Slot::Short { needed } => wanted = needed,
                slot => return Ok(slot),
            }
        }
    }
}
