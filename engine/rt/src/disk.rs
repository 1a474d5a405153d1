//! Files and directories as the log sees them.
//!
//! [`Disk`] opens, lists, renames; [`File`] reads and writes at offsets. On a live core data goes through the hot
//! ring where there is one and through helper threads otherwise (`local`); names (open, rename, list) always go
//! through a helper thread. In a simulation they go to a disk that forgets what was not synced.
//!
//! What always holds: a buffer given to a read or write belongs to the runtime until the operation is over, even
//! when the future is dropped; a write is complete or an error, never short.

pub(crate) mod local;

use crate::{AlignedBuf, machine::LocalFuture};
use bytes::Bytes;
use std::{
    io,
    path::{Path, PathBuf},
    rc::Rc,
};

/// What a file may be used for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// Reading only.
    Read,
    /// Reading and writing.
    ReadWrite,
}

/// What to do about a file that is or is not there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Create {
    /// It must exist.
    Never,
    /// Make it when missing.
    IfMissing,
    /// It must not exist.
    New,
}

/// How to open a file. `direct` and `synced` are wishes: see [`FileTraits`] for what was granted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OpenMode {
    /// Reading, or reading and writing.
    pub access: Access,
    /// Whether to create.
    pub create: Create,
    /// Cut to length 0.
    pub truncate: bool,
    /// Past the page cache (`O_DIRECT`): buffers, offsets and lengths must be multiples of
    /// [`FileTraits::alignment`].
    pub direct: bool,
    /// Each write is durable when it completes (`O_DSYNC`).
    pub synced: bool,
}

impl OpenMode {
    /// Reads an existing file.
    pub const fn read() -> OpenMode {
        OpenMode {
            access: Access::Read,
            create: Create::Never,
            truncate: false,
            direct: false,
            synced: false,
        }
    }

    /// Reads and writes, making the file when missing.
    pub const fn read_write() -> OpenMode {
        OpenMode {
            access: Access::ReadWrite,
            create: Create::IfMissing,
            truncate: false,
            direct: false,
            synced: false,
        }
    }

    /// Makes a new file; an existing one is an error.
    pub const fn create_new() -> OpenMode {
        OpenMode {
            create: Create::New,
            ..OpenMode::read_write()
        }
    }

    /// The same, asking for `O_DIRECT` and `O_DSYNC`: a log segment.
    pub const fn for_log(self) -> OpenMode {
        OpenMode {
            direct: true,
            synced: true,
            ..self
        }
    }
}

/// What an open file can do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FileTraits {
    /// `O_DIRECT` was granted. Refused by tmpfs and some others; then the file is buffered.
    pub direct: bool,
    /// Each write is durable when it completes: by `O_DSYNC`, or by an fdatasync that the runtime adds where the
    /// flag was refused.
    pub synced: bool,
    /// Bytes that addresses, offsets and lengths must be multiples of; 1 when buffered.
    pub alignment: usize,
}

/// Memory that may be written to a file: handed over, and handed back when the write is over.
pub trait WriteBuf: sealed::Sealed + Sized + 'static {
    #[doc(hidden)]
    fn into_payload(self) -> Payload;
    #[doc(hidden)]
    fn from_payload(payload: Option<Payload>) -> Self;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for bytes::Bytes {}
    impl Sealed for crate::AlignedBuf {}
}

/// A file buffer on its way to the kernel and back.
#[doc(hidden)]
#[derive(Debug)]
pub enum Payload {
    Bytes(Bytes),
    Aligned(AlignedBuf),
}

impl AsRef<[u8]> for Payload {
    fn as_ref(&self) -> &[u8] {
        match self {
            Payload::Bytes(b) => b,
            Payload::Aligned(a) => a,
        }
    }
}

impl WriteBuf for Bytes {
    fn into_payload(self) -> Payload {
        Payload::Bytes(self)
    }
    fn from_payload(payload: Option<Payload>) -> Bytes {
        match payload {
            Some(Payload::Bytes(b)) => b,
            _ => Bytes::new(),
        }
    }
}

impl WriteBuf for AlignedBuf {
    fn into_payload(self) -> Payload {
        Payload::Aligned(self)
    }
    fn from_payload(payload: Option<Payload>) -> AlignedBuf {
        match payload {
            Some(Payload::Aligned(a)) => a,
            _ => AlignedBuf::default(),
        }
    }
}

/// The outcome of a write, and its memory.
pub(crate) type Written = (io::Result<()>, Option<Payload>);

/// What carries an open file.
pub(crate) trait FileLink {
    fn traits(&self) -> FileTraits;
    /// Writes the whole payload or fails. Without the payload only when the core ended under way.
    fn write_at(&self, payload: Payload, offset: u64) -> LocalFuture<Written>;
    /// Fills the buffer from its beginning; fewer bytes only at the end of the file.
    fn read_at(&self, buf: AlignedBuf, offset: u64)
    -> LocalFuture<(io::Result<usize>, AlignedBuf)>;
    fn sync(&self) -> LocalFuture<io::Result<()>>;
    fn size(&self) -> LocalFuture<io::Result<u64>>;
    fn set_size(&self, len: u64) -> LocalFuture<io::Result<()>>;
}

/// What carries names.
pub(crate) trait Storage {
    fn open(&self, path: PathBuf, mode: OpenMode) -> LocalFuture<io::Result<Rc<dyn FileLink>>>;
    fn open_beneath(
        &self,
        root: PathBuf,
        path: PathBuf,
    ) -> LocalFuture<io::Result<Rc<dyn FileLink>>>;
    fn create_dir(&self, path: PathBuf) -> LocalFuture<io::Result<()>>;
    fn rename(&self, from: PathBuf, to: PathBuf) -> LocalFuture<io::Result<()>>;
    fn remove(&self, path: PathBuf) -> LocalFuture<io::Result<()>>;
    fn sync_dir(&self, path: PathBuf) -> LocalFuture<io::Result<()>>;
    fn list(&self, path: PathBuf) -> LocalFuture<io::Result<Vec<String>>>;
    fn lock(&self, path: PathBuf) -> LocalFuture<io::Result<Box<dyn std::any::Any>>>;
}

/// Files and directories, through this core.
#[derive(Clone)]
pub struct Disk(Rc<dyn Storage>);

impl Disk {
    pub(crate) fn new(storage: Rc<dyn Storage>) -> Disk {
        Disk(storage)
    }

    /// Opens a file. Making one is durable only after [`sync_dir`](Self::sync_dir) of its directory.
    ///
    /// # Errors
    /// `NotFound`, `AlreadyExists`, `PermissionDenied`, and what else open(2) says.
    pub async fn open(&self, path: impl AsRef<Path>, mode: OpenMode) -> io::Result<File> {
        Ok(File(self.0.open(path.as_ref().to_owned(), mode).await?))
    }

    /// Opens a file for reading by a path that somebody else has named: a regular file beneath a directory, reached without `..` out of it
    /// and without symbolic links.
    ///
    /// # Errors
    /// `NotFound`; `PermissionDenied` for a path that leads out or through a link; `InvalidInput` for what is no file.
    pub async fn open_beneath(
        &self,
        root: impl AsRef<Path>,
        path: impl AsRef<Path>,
    ) -> io::Result<File> {
        let (root, path) = (root.as_ref().to_owned(), path.as_ref().to_owned());
        Ok(File(self.0.open_beneath(root, path).await?))
    }

    /// Makes a directory and its missing parents; one that exists is fine.
    pub async fn create_dir(&self, path: impl AsRef<Path>) -> io::Result<()> {
        self.0.create_dir(path.as_ref().to_owned()).await
    }

    /// Renames a file, replacing `to` in one step. Durable after [`sync_dir`](Self::sync_dir) of the directory.
    pub async fn rename(&self, from: impl AsRef<Path>, to: impl AsRef<Path>) -> io::Result<()> {
        self.0
            .rename(from.as_ref().to_owned(), to.as_ref().to_owned())
            .await
    }

    /// Removes a file or an empty directory.
    pub async fn remove(&self, path: impl AsRef<Path>) -> io::Result<()> {
        self.0.remove(path.as_ref().to_owned()).await
    }

    /// Makes the names in a directory durable: files made, renamed and removed so far.
    pub async fn sync_dir(&self, path: impl AsRef<Path>) -> io::Result<()> {
        self.0.sync_dir(path.as_ref().to_owned()).await
    }

    /// The names in a directory, sorted. Names that are not UTF-8 are left out.
    pub async fn list(&self, path: impl AsRef<Path>) -> io::Result<Vec<String>> {
        self.0.list(path.as_ref().to_owned()).await
    }

    /// Takes the exclusive lock on the file at `path`, making it when missing; held until the guard is dropped or
    /// the process ends.
    ///
    /// # Errors
    /// `WouldBlock` when another process, or another guard, holds it.
    pub async fn lock(&self, path: impl AsRef<Path>) -> io::Result<DirLock> {
        Ok(DirLock {
            _held: self.0.lock(path.as_ref().to_owned()).await?,
        })
    }
}

/// An exclusive lock on a file, held as long as this lives.
pub struct DirLock {
    _held: Box<dyn std::any::Any>,
}

/// An open file of this core. Cheap to clone; closed with the last clone, once nothing is in flight.
#[derive(Clone)]
pub struct File(Rc<dyn FileLink>);

impl File {
    /// What was granted of what [`OpenMode`] asked for.
    pub fn traits(&self) -> FileTraits {
        self.0.traits()
    }

    /// Writes all of `buf` at `offset` and hands it back. With [`FileTraits::synced`] it is durable when this
    /// returns. Dropping the future does not stop the write.
    ///
    /// # Errors
    /// `InvalidInput` when a direct file gets unaligned memory, length or offset; else what the device says, in
    /// which case any part of the range may have been written.
    pub async fn write_at<B: WriteBuf>(&self, buf: B, offset: u64) -> (io::Result<()>, B) {
        let (result, payload) = self.0.write_at(buf.into_payload(), offset).await;
        (result, B::from_payload(payload))
    }

    /// Reads into `buf[..]` (its whole length) from `offset`; gives the number of bytes read, fewer than asked for
    /// only at the end of the file.
    ///
    /// # Errors
    /// As [`write_at`](Self::write_at).
    pub async fn read_at(&self, buf: AlignedBuf, offset: u64) -> (io::Result<usize>, AlignedBuf) {
        self.0.read_at(buf, offset).await
    }

    /// Makes everything written so far durable, with the size (fdatasync).
    ///
    /// # Errors
    /// What the device says; after an error nothing is known of what was written before (do not retry).
    pub async fn sync(&self) -> io::Result<()> {
        self.0.sync().await
    }

    /// Extends the file to `len` with zeros that are really written and synced, so that later writes in that range
    /// change no metadata and need no journal of the file system. Shorter `len` is left alone.
    ///
    /// # Errors
    /// `StorageFull` and what else the device says.
    pub async fn preallocate_zeroed(&self, len: u64) -> io::Result<()> {
        /// 1 MiB a write: large enough for the device, small enough to share it.
        const CHUNK: usize = 1 << 20;
        let mut zeros = AlignedBuf::zeroed(CHUNK);
        let mut at = self
            .size()
            .await?
            .next_multiple_of(crate::BUFFER_ALIGN as u64);
        while at < len {
            zeros.resize_zeroed(CHUNK.min(usize::try_from(len - at).unwrap_or(CHUNK)));
            if self.traits().direct {
                zeros.pad_to(crate::BUFFER_ALIGN);
            }
            let result;
            (result, zeros) = self.write_at(zeros, at).await;
            result?;
            at += zeros.len() as u64;
        }
        self.sync().await
    }

    /// The size in bytes.
    pub async fn size(&self) -> io::Result<u64> {
        self.0.size().await
    }

    /// Cuts or extends (with a hole) to `len`. Durable after [`sync`](Self::sync).
    pub async fn set_size(&self, len: u64) -> io::Result<()> {
        self.0.set_size(len).await
    }
}
