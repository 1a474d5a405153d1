//! Files of `LOAD CSV` that are compressed with gzip, unpacked piece by piece.
//!
//! Called by [`super::load`]. What always holds: however small a file becomes by packing, no more than [`PART_BYTES`] and the unpacker's own buffer are
//! unpacked at once.

use std::io::{self, Write};

use flate2::write::MultiGzDecoder;

/// About so many unpacked bytes are given at once.
const PART_BYTES: usize = 256 << 10;

/// A packed file, of which parts come and parts are taken.
pub(super) struct Gunzip {
    decoder: MultiGzDecoder<Vec<u8>>,
    /// What came last, and how much of it is unpacked.
    packed: Vec<u8>,
    used: usize,
    /// All of it has come.
    is_whole: bool,
    is_finished: bool,
}

impl Gunzip {
    pub(super) fn new() -> Gunzip {
        Gunzip {
            decoder: MultiGzDecoder::new(Vec::new()),
            packed: Vec::new(),
            used: 0,
            is_whole: false,
            is_finished: false,
        }
    }

    /// Takes the next packed bytes; none at the end of the file.
    pub(super) fn give(&mut self, block: Vec<u8>) {
        self.is_whole = block.is_empty();
        self.packed.drain(..self.used);
        self.used = 0;
        self.packed.extend(block);
    }

    /// The next unpacked bytes, none at the end; `None`: more packed bytes are needed first.
    ///
    /// # Errors
    /// The bytes are not gzip's, or the file is cut.
    pub(super) fn take(&mut self) -> io::Result<Option<Vec<u8>>> {
        while self.used < self.packed.len() && self.decoder.get_ref().len() < PART_BYTES {
            match self.decoder.write(&self.packed[self.used..])? {
                0 => return Err(io::ErrorKind::InvalidData.into()),
                used => self.used += used,
            }
        }
        let is_unpacked = self.used == self.packed.len();
        if is_unpacked && self.is_whole && !self.is_finished {
            self.decoder.try_finish()?;
            self.is_finished = true;
        }
        let part = std::mem::take(self.decoder.get_mut());
        Ok((!part.is_empty() || self.is_finished).then_some(part))
    }
}
