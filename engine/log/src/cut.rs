//! Cutting the end of a log off, keeping what is cut.
//!
//! Owns rescue files and erasing. Called by recovery (a torn tail) and by a replica's cut back to a
//! prefix. What always holds: bytes are erased only after they were copied to a rescue file that is
//! synced and named; a cut that a crash interrupts is finished at the next start, because marks in the
//! half that is left would otherwise call the other half rot. The intent of a cut back is a file of
//! one block, `cut-back.intent`, laid out like a record's local part (`segment`, kind 4): the segment
//! and (as payload) the offset to cut at, and (as durable mark) the group and chain that remain.
//!
//! Rescue files are `rescue-SEGMENT-OFFSET-N.cut`: raw bytes of the segment from that offset on.

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use quoit_rt::{AlignedBuf, Disk, OpenMode};

use crate::core::LogCore;
use crate::error::LogError;
use crate::index::Place;
use crate::position::{GroupSeq, LogPosition};
use crate::recovery::Behind;
use crate::scan::{Scanner, io_error};
use crate::segment::{
    BLOCK, LocalPart, LogId, Marks, RECORD_HEADER, RecordKind, SegmentNumber, read_local,
};

/// The name of the intent.
pub(crate) const INTENT: &str = "cut-back.intent";

/// Bytes copied or erased at once.
const CHUNK_BYTES: usize = 1 << 20;

/// What a replica gave up.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CutBack {
    /// The end before.
    pub from: LogPosition,
    /// The end now.
    pub to: LogPosition,
    /// Groups cut.
    pub groups: u64,
    /// What was kept, and where.
    pub rescued: Vec<Rescue>,
}

/// Bytes that were cut from a segment, and the file they are in now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rescue {
    /// The segment they were cut from.
    pub segment: PathBuf,
    /// Offset of the first in bytes.
    pub offset: u64,
    /// How many.
    pub bytes: u64,
    /// The file that keeps them.
    pub kept_in: PathBuf,
}

/// What lies in a segment from `place` to the end of its file.
pub(crate) async fn behind(
    scanner: &mut Scanner,
    place: Place,
    log_id: LogId,
) -> Result<Behind, LogError> {
    let size = scanner.size(place.segment).await?;
    let mut found = Behind::default();
    let mut offset = place.offset;
    while offset < size {
        let window = scanner.bytes_at(place.segment, offset, CHUNK_BYTES).await?;
        found.look(&window, offset - place.offset, place.segment, log_id);
        offset += window.len() as u64;
    }
    Ok(found)
}

/// Copies `len` bytes from `place` on to a rescue file, synced, directory and all.
pub(crate) async fn rescue(
    disk: &Disk,
    directory: &Path,
    scanner: &mut Scanner,
    place: Place,
    len: u64,
) -> Result<Rescue, LogError> {
    let Place { segment, offset } = place;
    let mut attempt = 0;
    let (path, file) = loop {
        let path = directory.join(format!(
            "rescue-{:016}-{offset:012}-{attempt}.cut",
            segment.0
        ));
        match disk.open(&path, OpenMode::create_new()).await {
            Ok(file) => break (path, file),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists && attempt < 10_000 => {
                attempt += 1
            }
            Err(error) => return Err(io_error(&path, &error)),
        }
    };
    let copied = async {
        let mut done = 0;
        while done < len {
            let wanted = CHUNK_BYTES.min((len - done) as usize);
            let bytes = scanner.bytes_at(segment, offset + done, wanted).await?;
            let bytes = bytes.slice(..wanted.min(bytes.len()));
            let written = bytes.len() as u64;
            file.write_at(bytes, done)
                .await
                .0
                .map_err(|e| io_error(&path, &e))?;
            done += written;
        }
        file.sync().await.map_err(|e| io_error(&path, &e))?;
        disk.sync_dir(directory)
            .await
            .map_err(|e| io_error(directory, &e))
    };
    copied.await?;
    Ok(Rescue {
        segment: directory.join(segment.file_name()),
        offset,
        bytes: len,
        kept_in: path,
    })
}

/// Overwrites `len` bytes from `place` on with zeros, synced. A file whose size is no multiple of a block is rounded up.
pub(crate) async fn erase(
    disk: &Disk,
    directory: &Path,
    place: Place,
    len: u64,
) -> Result<(), LogError> {
    let path = directory.join(place.segment.file_name());
    let erased = async {
        let mode = OpenMode {
            create: quoit_rt::Create::Never,
            direct: true,
            ..OpenMode::read_write()
        };
        let file = disk.open(&path, mode).await?;
        let end = (place.offset + len).next_multiple_of(BLOCK as u64);
        let mut offset = place.offset;
        while offset < end {
            let len = CHUNK_BYTES.min((end - offset) as usize);
            file.write_at(AlignedBuf::zeroed(len), offset).await.0?;
            offset += len as u64;
        }
        file.sync().await
    };
    erased.await.map_err(|e| io_error(&path, &e))
}

/// The segments after `segment` in a directory, in order.
pub(crate) async fn segments_after(
    disk: &Disk,
    directory: &Path,
    segment: SegmentNumber,
) -> Result<Vec<SegmentNumber>, LogError> {
    let names = disk
        .list(directory)
        .await
        .map_err(|e| io_error(directory, &e))?;
    let mut later: Vec<_> = names
        .iter()
        .filter_map(|name| SegmentNumber::from_file_name(name))
        .collect();
    later.retain(|number| *number > segment);
    later.sort();
    Ok(later)
}

/// A part of the log that is to go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Cut {
    /// What lies behind a place in the segment that stays: overwritten with zeros.
    Tail(Place),
    /// A segment that held anything behind `Place`: its file is removed.
    Segment(Place),
    /// A segment without a record of its own: removed even when it is blank.
    Headless(SegmentNumber),
}

impl Cut {
    pub(crate) fn place(self) -> Place {
        match self {
            Cut::Tail(place) | Cut::Segment(place) => place,
            Cut::Headless(segment) => Place { segment, offset: 0 },
        }
    }
}

/// Carries `cuts` (in order of the log) out, from the last to the first: each is rescued, then gone.
pub(crate) async fn carry_out(
    disk: &Disk,
    directory: &Path,
    cuts: &[Cut],
    log_id: LogId,
) -> Result<Vec<Rescue>, LogError> {
    let mut rescued = Vec::new();
    let mut scanner = Scanner::new(disk.clone(), directory.to_owned());
    for cut in cuts.iter().rev() {
        let place = cut.place();
        let len = behind(&mut scanner, place, log_id).await?.bytes;
        if len > 0 {
            rescued.push(rescue(disk, directory, &mut scanner, place, len).await?);
        }
        match cut {
            Cut::Tail(_) if len > 0 => erase(disk, directory, place, len).await?,
            Cut::Segment(_) if len > 0 => remove_segment(disk, directory, place.segment).await?,
            Cut::Headless(_) => remove_segment(disk, directory, place.segment).await?,
            Cut::Tail(_) | Cut::Segment(_) => {}
        }
    }
    rescued.reverse();
    Ok(rescued)
}

async fn remove_segment(
    disk: &Disk,
    directory: &Path,
    segment: SegmentNumber,
) -> Result<(), LogError> {
    let path = directory.join(segment.file_name());
    disk.remove(&path).await.map_err(|e| io_error(&path, &e))?;
    disk.sync_dir(directory)
        .await
        .map_err(|e| io_error(directory, &e))
}

/// The cuts that leave the log as it is before `place`: `later` are the segments behind.
pub(crate) fn cuts_behind(place: Place, later: &[SegmentNumber]) -> Vec<Cut> {
    let segments = later.iter().map(|&segment| {
        Cut::Segment(Place {
            segment,
            offset: BLOCK as u64,
        })
    });
    std::iter::once(Cut::Tail(place)).chain(segments).collect()
}

/// Reads the intent of a cut that was interrupted: where to cut. An intent that is not whole was
/// never acted on.
pub(crate) async fn read_intent(
    disk: &Disk,
    directory: &Path,
    log_id: LogId,
) -> Result<Option<Place>, LogError> {
    let path = directory.join(INTENT);
    let file = match disk.open(&path, OpenMode::read()).await {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io_error(&path, &error)),
    };
    let (read, buf) = file.read_at(AlignedBuf::zeroed(BLOCK), 0).await;
    if read.map_err(|e| io_error(&path, &e))? < BLOCK {
        return Ok(None);
    }
    let segment = SegmentNumber(u64::from_le_bytes(
        buf[16..24].try_into().expect("eight bytes"),
    ));
    match read_local(&buf, segment, log_id) {
        Ok(Some(local)) if local.kind == RecordKind::Cut => Ok(Some(Place {
            segment,
            offset: local.payload_bytes,
        })),
        _ => Ok(None),
    }
}

/// Forgets the intent: the cut is done.
pub(crate) async fn remove_intent(disk: &Disk, directory: &Path) -> Result<(), LogError> {
    let path = directory.join(INTENT);
    disk.remove(&path).await.map_err(|e| io_error(&path, &e))?;
    disk.sync_dir(directory)
        .await
        .map_err(|e| io_error(directory, &e))
}

impl LogCore {
    /// Cuts this log at `place`, where `to` ends: intent, rescue, erase. Gives what was kept and the
    /// blocks that are free at `place` now. The caller holds the writer and the applier.
    pub(crate) async fn cut_at(
        &self,
        place: Place,
        to: &LogPosition,
    ) -> Result<(Vec<Rescue>, u64), LogError> {
        let disk = self.rt.disk();
        let directory = &self.log.options.directory;
        let path = directory.join(INTENT);
        let local = LocalPart {
            kind: RecordKind::Cut,
            segment: place.segment,
            log_id: self.log.id(),
            marks: Marks {
                durable: to.group,
                durable_chain: to.chain,
                published: GroupSeq::NONE,
            },
            payload_bytes: place.offset,
        };
        let intended = async {
            let file = disk
                .open(
                    &path,
                    OpenMode {
                        truncate: true,
                        ..OpenMode::read_write()
                    },
                )
                .await?;
            let mut block = AlignedBuf::zeroed(BLOCK);
            block[..RECORD_HEADER].copy_from_slice(&local.encode());
            file.write_at(block, 0).await.0?;
            file.sync().await?;
            disk.sync_dir(directory).await
        };
        intended.await.map_err(|e| io_error(&path, &e))?;
        let later = segments_after(&disk, directory, place.segment).await?;
        let rescued =
            carry_out(&disk, directory, &cuts_behind(place, &later), self.log.id()).await?;
        remove_intent(&disk, directory).await?;
        self.log.index().cut(to.group);
        self.log.cuts.fetch_add(1, Ordering::AcqRel);
        let mut scanner = Scanner::new(disk, directory.clone());
        let size = scanner.size(place.segment).await?;
        Ok((rescued, size.saturating_sub(place.offset) / BLOCK as u64))
    }
}
