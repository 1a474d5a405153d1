//! The directory of snapshots.
//!
//! Owns the names in it: making, listing, verifying and removing snapshots. Called by the server. What always holds: a manifest gets its
//! name last and loses it first, each made durable, so what has a manifest is whole; parts without one are leftovers.
//! Left to others: that one snapshot is written at a time (`server`).

use std::path::{Path, PathBuf};

use bytes::Bytes;
use quoit_rt::{AlignedBuf, Disk, OpenMode};

use super::layout::{MANIFEST_BYTES_MAX, decode_manifest, encode_manifest};
use super::{PartReader, PartSummary, PartWriter, SnapshotError, SnapshotHead};
use crate::error::LogError;
use crate::scan::io_error;

const MANIFEST: &str = ".manifest";

/// A directory of snapshots.
#[derive(Clone, Debug)]
pub struct SnapshotStore {
    directory: PathBuf,
}

/// A snapshot that is being written.
#[derive(Clone, Debug)]
pub struct SnapshotDraft {
    directory: PathBuf,
    name: String,
    head: SnapshotHead,
}

/// A whole snapshot.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SnapshotInfo {
    /// What its files' names begin with.
    pub name: String,
    /// Its manifest.
    pub path: PathBuf,
    /// What it is of.
    pub head: SnapshotHead,
    /// Its parts.
    pub parts: Vec<PartSummary>,
}

impl SnapshotInfo {
    /// Bytes of all parts.
    pub fn bytes(&self) -> u64 {
        self.parts.iter().map(|part| part.bytes).sum()
    }
}

/// What stands in the directory under a manifest's name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Listed {
    /// Its manifest is whole; its parts were not looked at.
    Good(SnapshotInfo),
    /// Its manifest cannot be used.
    Bad(SnapshotError),
}

fn part_path(directory: &Path, name: &str, part: u16) -> PathBuf {
    directory.join(format!("{name}.part-{part:04}"))
}

impl SnapshotDraft {
    /// Begins a part; on any core.
    ///
    /// # Errors
    /// [`LogError::Io`].
    pub async fn part(&self, disk: &Disk, part: u16) -> Result<PartWriter, LogError> {
        let path = part_path(&self.directory, &self.name, part);
        PartWriter::create(disk, path, &self.head, part).await
    }

    /// What it is of.
    pub fn head(&self) -> &SnapshotHead {
        &self.head
    }
}

impl SnapshotStore {
    /// Of a directory, which is made when it is first needed. No I/O.
    pub fn new(directory: PathBuf) -> SnapshotStore {
        SnapshotStore { directory }
    }

    /// The directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    fn error(&self) -> impl Fn(std::io::Error) -> LogError + '_ {
        |error| io_error(&self.directory, &error)
    }

    async fn names(&self, disk: &Disk) -> Result<Vec<String>, LogError> {
        match disk.list(&self.directory).await {
            Ok(names) => Ok(names),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(io_error(&self.directory, &error)),
        }
    }

    /// Begins a snapshot. What earlier ones left unfinished is removed.
    ///
    /// # Errors
    /// [`LogError::Io`].
    pub async fn begin(&self, disk: &Disk, head: SnapshotHead) -> Result<SnapshotDraft, LogError> {
        disk.create_dir(&self.directory)
            .await
            .map_err(self.error())?;
        if let Some(parent) = self.directory.parent() {
            disk.sync_dir(parent).await.map_err(self.error())?;
        }
        self.remove_leftovers(disk).await?;
        let name = format!("snapshot-{:020}-{:013}", head.commit.0, head.unix_ms);
        Ok(SnapshotDraft {
            directory: self.directory.clone(),
            name,
            head,
        })
    }

    async fn remove_leftovers(&self, disk: &Disk) -> Result<(), LogError> {
        let names = self.names(disk).await?;
        let is_whole = |name: &str| {
            let stem = name.split('.').next().unwrap_or(name);
            names.contains(&format!("{stem}{MANIFEST}"))
        };
        let ours = |name: &&String| {
            let of_part = name.starts_with("snapshot-") && name.contains(".part-");
            (of_part && !is_whole(name)) || name.ends_with(&format!("{MANIFEST}.new"))
        };
        for name in names.iter().filter(ours) {
            let path = self.directory.join(name);
            disk.remove(&path)
                .await
                .map_err(|error| io_error(&path, &error))?;
        }
        Ok(())
    }

    /// Gives up a draft: what was written of it goes.
    ///
    /// # Errors
    /// [`LogError::Io`].
    pub async fn discard(&self, disk: &Disk, draft: SnapshotDraft) -> Result<(), LogError> {
        drop(draft);
        self.remove_leftovers(disk).await
    }

    /// All parts are written: they are read back and verified, then the snapshot gets its name, durably.
    ///
    /// # Errors
    /// [`LogError::Snapshot`] when what was written cannot be read back, [`LogError::Io`]; then there is no snapshot.
    ///
    /// # Panics
    /// When a part is missing.
    pub async fn finish(
        &self,
        disk: &Disk,
        draft: SnapshotDraft,
        mut parts: Vec<PartSummary>,
    ) -> Result<SnapshotInfo, LogError> {
        parts.sort_by_key(|part| part.part);
        let numbers = parts.iter().map(|part| part.part);
        assert!(numbers.eq(0..draft.head.parts), "each part once");
        let path = self.directory.join(format!("{}{MANIFEST}", draft.name));
        let info = SnapshotInfo {
            name: draft.name,
            path,
            head: draft.head,
            parts,
        };
        disk.sync_dir(&self.directory).await.map_err(self.error())?;
        self.verify(disk, &info).await?;
        let unnamed = self.directory.join(format!("{}{MANIFEST}.new", info.name));
        let manifest = Bytes::from(encode_manifest(&info.head, &info.parts));
        let written = async {
            let mode = OpenMode {
                truncate: true,
                ..OpenMode::read_write()
            };
            let file = disk.open(&unnamed, mode).await?;
            file.write_at(manifest, 0).await.0?;
            file.sync().await?;
            disk.rename(&unnamed, &info.path).await?;
            disk.sync_dir(&self.directory).await
        };
        written
            .await
            .map_err(|error| io_error(&info.path, &error))?;
        Ok(info)
    }

    /// The snapshots, the newest first. Of each only the manifest is read.
    ///
    /// # Errors
    /// [`LogError::Io`].
    pub async fn list(&self, disk: &Disk) -> Result<Vec<Listed>, LogError> {
        let mut names = self.names(disk).await?;
        names.retain(|name| name.starts_with("snapshot-") && name.ends_with(MANIFEST));
        // Names begin with the commit.
        names.sort_by(|a, b| b.cmp(a));
        let mut listed = Vec::with_capacity(names.len());
        for name in names {
            listed.extend(self.read_manifest(disk, &name).await?);
        }
        Ok(listed)
    }

    /// What a manifest says; `None` if it has just been removed.
    async fn read_manifest(
        &self,
        disk: &Disk,
        file_name: &str,
    ) -> Result<Option<Listed>, LogError> {
        let path = self.directory.join(file_name);
        let failed = |error: std::io::Error| io_error(&path, &error);
        let file = match disk.open(&path, OpenMode::read()).await {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(failed)?,
        };
        let size = file.size().await.map_err(failed)?;
        let bad = |offset, what| {
            Ok(Some(Listed::Bad(SnapshotError {
                path: path.clone(),
                offset,
                what,
            })))
        };
        if size > MANIFEST_BYTES_MAX as u64 {
            return bad(0, format!("a manifest of {size} bytes"));
        }
        let (read, mut buffer) = file.read_at(AlignedBuf::zeroed(size as usize), 0).await;
        buffer.truncate(read.map_err(failed)?);
        match decode_manifest(&buffer) {
            Ok((head, parts)) => Ok(Some(Listed::Good(SnapshotInfo {
                name: file_name.trim_end_matches(MANIFEST).to_owned(),
                path,
                head,
                parts,
            }))),
            Err((offset, what)) => bad(offset, what),
        }
    }

    /// Opens a part.
    ///
    /// # Errors
    /// [`LogError::Snapshot`] when it is another's, [`LogError::Io`].
    pub async fn open_part(
        &self,
        disk: &Disk,
        info: &SnapshotInfo,
        part: u16,
    ) -> Result<PartReader, LogError> {
        let path = part_path(&self.directory, &info.name, part);
        let expected = info.parts[usize::from(part)];
        PartReader::open(disk, path, &info.head, expected).await
    }

    /// Reads one part and checks all of it.
    ///
    /// # Errors
    /// As [`SnapshotStore::verify`].
    pub async fn verify_part(
        &self,
        disk: &Disk,
        info: &SnapshotInfo,
        part: u16,
    ) -> Result<(), LogError> {
        let mut reader = self.open_part(disk, info, part).await?;
        while reader.next().await?.is_some() {}
        Ok(())
    }

    /// Reads a whole snapshot and checks all of it.
    ///
    /// # Errors
    /// [`LogError::Snapshot`] with file and offset, [`LogError::Io`].
    pub async fn verify(&self, disk: &Disk, info: &SnapshotInfo) -> Result<(), LogError> {
        for part in 0..info.head.parts {
            self.verify_part(disk, info, part).await?;
        }
        Ok(())
    }

    /// Removes a snapshot.
    ///
    /// # Errors
    /// [`LogError::Io`].
    pub async fn remove(&self, disk: &Disk, info: &SnapshotInfo) -> Result<(), LogError> {
        let removed = async {
            disk.remove(&info.path).await?;
            disk.sync_dir(&self.directory).await?;
            for part in 0..info.head.parts {
                disk.remove(part_path(&self.directory, &info.name, part))
                    .await?;
            }
            Ok(())
        };
        removed.await.map_err(|error| io_error(&info.path, &error))
    }

    /// Removes all but the newest `keep` whole snapshots, at least one of which stays; how many went.
    ///
    /// # Errors
    /// [`LogError::Io`].
    pub async fn retain(&self, disk: &Disk, keep: usize) -> Result<usize, LogError> {
        let mut gone = 0;
        let good = self
            .list(disk)
            .await?
            .into_iter()
            .filter_map(|listed| match listed {
                Listed::Good(info) => Some(info),
                Listed::Bad(_) => None,
            });
        for info in good.skip(keep.max(1)) {
            self.remove(disk, &info).await?;
            gone += 1;
        }
        Ok(gone)
    }
}
