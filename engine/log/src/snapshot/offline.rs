//! A part's verdict without a runtime: for a tool that looks at a data directory which no server uses.
//!
//! Owns [`check_part`]. Called by `quoit check`. What always holds: it checks what `reader` checks, in the same order, and holds one block at a
//! time.

use std::io::{self, Read};

use super::layout::{BLOCK_HEADER, BlockHeader, END, PART_HEADER};
use super::{PartSummary, SnapshotHead, layout};

/// Why a part cannot be used.
#[derive(Debug)]
pub enum Fault {
    /// It cannot be read.
    Io(io::Error),
    /// What is wrong, and at which offset.
    Bytes(u64, String),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Fault {
        Fault::Io(error)
    }
}

/// Checks all of a part that `input` gives, `size` bytes of it, against its manifest.
///
/// # Errors
/// See [`Fault`].
pub fn check_part(
    input: &mut impl Read,
    size: u64,
    head: &SnapshotHead,
    expected: &PartSummary,
) -> Result<(), Fault> {
    let mut header = [0; PART_HEADER];
    let mut offset = 0;
    take(input, &mut offset, size, &mut header)?;
    let checked = layout::check_part(&header, head.id, expected.part, head.commit);
    checked.map_err(|(at, what)| Fault::Bytes(at, what))?;
    let (mut blocks, mut checksum) = (0, 0);
    let mut payload = Vec::new();
    loop {
        let at = offset;
        let wrong = |what: String| Err(Fault::Bytes(at, what));
        let mut header = [0; BLOCK_HEADER];
        take(input, &mut offset, size, &mut header)?;
        let Some(header) = BlockHeader::decode(&header) else {
            return wrong("a reserved byte is set".to_owned());
        };
        if u64::from(header.number) != blocks {
            return wrong(format!(
                "block {} where block {blocks} should stand",
                header.number
            ));
        }
        if u64::from(header.len) > size.saturating_sub(offset) {
            return wrong("the file ends too early".to_owned());
        }
        payload.resize(header.len as usize, 0);
        take(input, &mut offset, size, &mut payload)?;
        let found = header.computed(head.id, expected.part, &payload);
        if found != header.checksum {
            return wrong(format!(
                "checksum {found:08x}, expected {:08x}",
                header.checksum
            ));
        }
        blocks += 1;
        checksum = crc32c::crc32c_append(checksum, &header.checksum.to_le_bytes());
        if header.kind == END {
            let found = PartSummary {
                part: expected.part,
                bytes: offset,
                blocks,
                checksum,
            };
            return match found == *expected {
                true => Ok(()),
                false => wrong("the part is not the one that the manifest names".to_owned()),
            };
        }
    }
}

fn take(input: &mut impl Read, offset: &mut u64, size: u64, into: &mut [u8]) -> Result<(), Fault> {
    if size.saturating_sub(*offset) < into.len() as u64 {
        return Err(Fault::Bytes(size, "the file ends too early".to_owned()));
    }
    input.read_exact(into)?;
    *offset += into.len() as u64;
    Ok(())
}
