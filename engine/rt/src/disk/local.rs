//! Files of this machine: data through the hot ring or through helper threads, names through helper threads.
//!
//! What a file system refuses (O_DIRECT on tmpfs, O_DSYNC on a few) is replaced by what it does grant, and
//! [`FileTraits`] says which: buffered instead of direct, an fdatasync after each write instead of the flag.

use super::{Access, Create, FileLink, FileTraits, OpenMode, Payload, Storage, Written};
use crate::{
    AlignedBuf, BUFFER_ALIGN,
    machine::LocalFuture,
    ring::{HotRing, kernel::Op},
};
use rustix::fs::{FlockOperation, Mode, OFlags};
use std::{
    io,
    os::{fd::OwnedFd, unix::fs::FileExt},
    path::{Path, PathBuf},
    rc::Rc,
    sync::Arc,
};

pub(crate) struct LocalStorage {
    ring: Option<Rc<HotRing>>,
}

impl LocalStorage {
    pub(crate) fn new(ring: Option<Rc<HotRing>>) -> LocalStorage {
        LocalStorage { ring }
    }
}

/// Runs blocking work on the executor's helper thread.
///
/// The result comes back through a channel of ours: glommio's own never drops a result whose future was dropped.
async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (result, output) = std::sync::mpsc::sync_channel(1);
    glommio::executor()
        .spawn_blocking(move || {
            let _ = result.send(work());
        })
        .await;
    output
        .try_recv()
        .expect("the helper reports before it is done")
}

impl Storage for LocalStorage {
    fn open(&self, path: PathBuf, mode: OpenMode) -> LocalFuture<io::Result<Rc<dyn FileLink>>> {
        let ring = self.ring.clone();
        Box::pin(async move {
            let (fd, traits) = aside(move || open(&path, mode)).await?;
            // Emulated O_DSYNC: asked for, and refused by the file system.
            let sync_after_write = mode.synced && !traits.by_flag;
            Ok(link(ring, fd, traits.file, sync_after_write))
        })
    }

    fn open_beneath(
        &self,
        root: PathBuf,
        path: PathBuf,
    ) -> LocalFuture<io::Result<Rc<dyn FileLink>>> {
        let ring = self.ring.clone();
        Box::pin(async move {
            let fd = aside(move || open_beneath(&root, &path)).await?;
            let traits = FileTraits {
                direct: false,
                synced: false,
                alignment: 1,
            };
            Ok(link(ring, fd, traits, false))
        })
    }

    fn create_dir(&self, path: PathBuf) -> LocalFuture<io::Result<()>> {
        Box::pin(aside(move || std::fs::create_dir_all(path)))
    }

    fn rename(&self, from: PathBuf, to: PathBuf) -> LocalFuture<io::Result<()>> {
        Box::pin(aside(move || std::fs::rename(from, to)))
    }

    fn remove(&self, path: PathBuf) -> LocalFuture<io::Result<()>> {
        Box::pin(aside(move || {
            if std::fs::symlink_metadata(&path)?.is_dir() {
                std::fs::remove_dir(path)
            } else {
                std::fs::remove_file(path)
            }
        }))
    }

    fn sync_dir(&self, path: PathBuf) -> LocalFuture<io::Result<()>> {
        Box::pin(aside(move || std::fs::File::open(path)?.sync_all()))
    }

    fn list(&self, path: PathBuf) -> LocalFuture<io::Result<Vec<String>>> {
        Box::pin(aside(move || {
            let mut names = Vec::new();
            for entry in std::fs::read_dir(path)? {
                names.extend(entry?.file_name().into_string());
            }
            names.sort_unstable();
            Ok(names)
        }))
    }

    fn lock(&self, path: PathBuf) -> LocalFuture<io::Result<Box<dyn std::any::Any>>> {
        Box::pin(async move {
            let file: io::Result<std::fs::File> = aside(move || {
                let file = std::fs::OpenOptions::new()
                    .write(true)
                    .create(true)
                    .truncate(false)
                    .open(path)?;
                rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive)?;
                Ok(file)
            })
            .await;
            Ok(Box::new(file?) as Box<dyn std::any::Any>)
        })
    }
}

/// A file as this core reads and writes it.
fn link(
    ring: Option<Rc<HotRing>>,
    fd: OwnedFd,
    traits: FileTraits,
    sync_after_write: bool,
) -> Rc<dyn FileLink> {
    match ring {
        Some(ring) => Rc::new(RingFile {
            ring,
            fd: Rc::new(fd),
            traits,
            sync_after_write,
        }),
        None => Rc::new(HelperFile {
            file: Arc::new(fd.into()),
            traits,
            sync_after_write,
        }),
    }
}

/// Opens a regular file beneath a directory. The kernel resolves the path in one step, so nobody can change it in between.
fn open_beneath(root: &Path, path: &Path) -> io::Result<OwnedFd> {
    use rustix::fs::ResolveFlags;
    let directory = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = rustix::fs::open(root, directory, Mode::empty())?;
    // What is no regular file must not block while it is opened.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    let fd = match rustix::fs::openat2(root, path, flags, Mode::empty(), resolve) {
        Ok(fd) => fd,
        Err(rustix::io::Errno::XDEV | rustix::io::Errno::LOOP) => {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        Err(error) => return Err(error.into()),
    };
    let kind = rustix::fs::FileType::from_raw_mode(rustix::fs::fstat(&fd)?.st_mode);
    if kind != rustix::fs::FileType::RegularFile {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // A read of what is not in memory waits as any other.
    rustix::fs::fcntl_setfl(&fd, OFlags::empty())?;
    Ok(fd)
}

struct Granted {
    file: FileTraits,
    by_flag: bool,
}

/// Opens with as many of the wished flags as the file system grants.
fn open(path: &Path, mode: OpenMode) -> io::Result<(OwnedFd, Granted)> {
    let mut base = OFlags::CLOEXEC;
    base |= match mode.access {
        Access::Read => OFlags::RDONLY,
        Access::ReadWrite => OFlags::RDWR,
    };
    base |= match mode.create {
        Create::Never => OFlags::empty(),
        Create::IfMissing => OFlags::CREATE,
        Create::New => OFlags::CREATE | OFlags::EXCL,
    };
    if mode.truncate {
        base |= OFlags::TRUNC;
    }
    let permissions = Mode::RUSR | Mode::WUSR;
    let wished = [
        (mode.direct, mode.synced),
        (false, mode.synced),
        (mode.direct, false),
        (false, false),
    ];
    let mut created = false;
    let mut refused = rustix::io::Errno::INVAL;
    for (direct, dsync) in wished {
        let mut flags = base;
        flags.set(OFlags::DIRECT, direct);
        flags.set(OFlags::DSYNC, dsync);
        if created {
            // A refused O_DIRECT may have made the file before it was refused (open(2), "EINVAL").
            flags.remove(OFlags::EXCL);
        }
        let existed = mode.create == Create::New && path.exists();
        match rustix::fs::open(path, flags, permissions) {
            Ok(fd) => {
                let alignment = if direct { BUFFER_ALIGN } else { 1 };
                let file = FileTraits {
                    direct,
                    synced: mode.synced,
                    alignment,
                };
                return Ok((
                    fd,
                    Granted {
                        file,
                        by_flag: dsync,
                    },
                ));
            }
            Err(e @ (rustix::io::Errno::INVAL | rustix::io::Errno::OPNOTSUPP)) => {
                refused = e;
                created |= mode.create == Create::New && !existed;
            }
            Err(e) => return Err(e.into()),
        }
    }
    Err(refused.into())
}

fn check_alignment(traits: FileTraits, bytes: &[u8], offset: u64) -> io::Result<()> {
    let unit = traits.alignment;
    let aligned = (bytes.as_ptr() as usize).is_multiple_of(unit)
        && bytes.len().is_multiple_of(unit)
        && offset.is_multiple_of(unit as u64);
    if aligned || bytes.is_empty() {
        return Ok(());
    }
    Err(io::Error::new(
        io::ErrorKind::InvalidInput,
        format!("a direct file wants memory, length and offset in multiples of {unit}"),
    ))
}

fn count(result: i32) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::from_raw_os_error(-result))
}

/// A file whose data goes through the hot ring.
struct RingFile {
    ring: Rc<HotRing>,
    fd: Rc<OwnedFd>,
    traits: FileTraits,
    sync_after_write: bool,
}

async fn ring_sync(ring: Rc<HotRing>, file: Rc<OwnedFd>) -> io::Result<()> {
    let (_, result) = ring.operate(Op::Sync { file }).await?;
    count(result).map(drop)
}

impl FileLink for RingFile {
    fn traits(&self) -> FileTraits {
        self.traits
    }

    fn write_at(&self, payload: Payload, offset: u64) -> LocalFuture<Written> {
        if let Err(e) = check_alignment(self.traits, payload.as_ref(), offset) {
            return Box::pin(std::future::ready((Err(e), Some(payload))));
        }
        let (ring, file, sync) = (self.ring.clone(), self.fd.clone(), self.sync_after_write);
        let whole = payload.as_ref().len();
        // Submitted here, not at the first poll: the caller may start sends in the same turn.
        let mut operation = ring.operate(Op::Write {
            file: file.clone(),
            payload,
            from: 0,
            offset,
        });
        Box::pin(async move {
            loop {
                let (op, result) = match operation.await {
                    Ok(done) => done,
                    // The core has ended, and the ring has the memory.
                    Err(e) => return (Err(e), None),
                };
                let Op::Write { payload, from, .. } = op else {
                    unreachable!("a write reports a write")
                };
                let written = match count(result) {
                    // A device that takes nothing and reports nothing is full.
                    Ok(0) if from < whole => {
                        return (Err(io::ErrorKind::WriteZero.into()), Some(payload));
                    }
                    Ok(n) => from + n,
                    Err(e) => return (Err(e), Some(payload)),
                };
                if written >= whole {
                    let synced = if sync {
                        ring_sync(ring, file).await
                    } else {
                        Ok(())
                    };
                    return (synced, Some(payload));
                }
                operation = ring.operate(Op::Write {
                    file: file.clone(),
                    payload,
                    from: written,
                    offset,
                });
            }
        })
    }

    fn read_at(
        &self,
        buf: AlignedBuf,
        offset: u64,
    ) -> LocalFuture<(io::Result<usize>, AlignedBuf)> {
        if let Err(e) = check_alignment(self.traits, &buf, offset) {
            return Box::pin(std::future::ready((Err(e), buf)));
        }
        let (ring, file, traits) = (self.ring.clone(), self.fd.clone(), self.traits);
        Box::pin(async move {
            let (mut buf, mut from) = (buf, 0);
            while from < buf.len() {
                let op = Op::Read {
                    file: file.clone(),
                    buf,
                    from,
                    offset,
                };
                let (op, result) = match ring.operate(op).await {
                    Ok(done) => done,
                    Err(e) => return (Err(e), AlignedBuf::default()),
                };
                let Op::Read { buf: read, .. } = op else {
                    unreachable!("a read reports a read")
                };
                buf = read;
                match count(result) {
                    Ok(0) => break,
                    Ok(n) => from += n,
                    Err(e) => return (Err(e), buf),
                }
                // A direct read that stops between blocks has met the end of the file.
                if traits.direct && !from.is_multiple_of(512) {
                    break;
                }
            }
            (Ok(from), buf)
        })
    }

    fn sync(&self) -> LocalFuture<io::Result<()>> {
        Box::pin(ring_sync(self.ring.clone(), self.fd.clone()))
    }

    fn size(&self) -> LocalFuture<io::Result<u64>> {
        Box::pin(std::future::ready(size(&*self.fd)))
    }

    fn set_size(&self, len: u64) -> LocalFuture<io::Result<()>> {
        match self.fd.try_clone() {
            Ok(fd) => Box::pin(aside(move || Ok(rustix::fs::ftruncate(fd, len)?))),
            Err(e) => Box::pin(std::future::ready(Err(e))),
        }
    }
}

fn size(fd: impl std::os::fd::AsFd) -> io::Result<u64> {
    Ok(u64::try_from(rustix::fs::fstat(fd)?.st_size).unwrap_or(0))
}

/// A file whose data goes through a helper thread, for kernels without the hot ring.
struct HelperFile {
    file: Arc<std::fs::File>,
    traits: FileTraits,
    sync_after_write: bool,
}

impl FileLink for HelperFile {
    fn traits(&self) -> FileTraits {
        self.traits
    }

    fn write_at(&self, payload: Payload, offset: u64) -> LocalFuture<Written> {
        if let Err(e) = check_alignment(self.traits, payload.as_ref(), offset) {
            return Box::pin(std::future::ready((Err(e), Some(payload))));
        }
        let (file, sync) = (self.file.clone(), self.sync_after_write);
        Box::pin(aside(move || {
            let written = file.write_all_at(payload.as_ref(), offset);
            let written = if sync {
                written.and_then(|()| file.sync_data())
            } else {
                written
            };
            (written, Some(payload))
        }))
    }

    fn read_at(
        &self,
        mut buf: AlignedBuf,
        offset: u64,
    ) -> LocalFuture<(io::Result<usize>, AlignedBuf)> {
        if let Err(e) = check_alignment(self.traits, &buf, offset) {
            return Box::pin(std::future::ready((Err(e), buf)));
        }
        let (file, traits) = (self.file.clone(), self.traits);
        Box::pin(aside(move || {
            let mut from = 0;
            while from < buf.len() {
                match file.read_at(&mut buf[from..], offset + from as u64) {
                    Ok(0) => break,
                    Ok(n) => from += n,
                    Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                    Err(e) => return (Err(e), buf),
                }
                if traits.direct && !from.is_multiple_of(512) {
                    break;
                }
            }
            (Ok(from), buf)
        }))
    }

    fn sync(&self) -> LocalFuture<io::Result<()>> {
        let file = self.file.clone();
        Box::pin(aside(move || file.sync_data()))
    }

    fn size(&self) -> LocalFuture<io::Result<u64>> {
        Box::pin(std::future::ready(size(&*self.file)))
    }

    fn set_size(&self, len: u64) -> LocalFuture<io::Result<()>> {
        let file = self.file.clone();
        Box::pin(aside(move || file.set_len(len)))
    }
}
