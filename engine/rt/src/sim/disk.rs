//! The simulated disk: what a power cut leaves is what a real disk could have left.
//!
//! A file has its *contents* as the running process sees them, and what is *durable*. Writes touch contents; a sync
//! (or a write to a file opened `synced`) makes them durable. At a power cut each sector of 512 bytes that was written
//! and not synced is, by chance, kept, lost, or torn: some bytes new, the rest old. A file that grew without a sync
//! keeps a length anywhere between the two. Names work alike: what was made, renamed or removed since the last
//! `sync_dir` survives as a prefix of those steps, in order, as a journalling file system gives it.
//!
//! A killed process loses nothing: contents and names stay as they are.
//!
//! Direct files ask for the alignment a real one asks for, so that a test finds what the device would refuse.

use super::{World, executor::sleep_until};
use crate::{
    AlignedBuf, BUFFER_ALIGN,
    disk::{Access, Create, FileLink, FileTraits, OpenMode, Payload, Storage, Written},
    machine::LocalFuture,
};
use std::{
    any::Any,
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    io,
    path::{Path, PathBuf},
    rc::{Rc, Weak},
    time::Duration,
};

/// The unit in which writes reach the platter whole or not at all, or are torn.
const SECTOR: usize = 512;

/// What an injected fault does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FaultKind {
    /// EIO: any part of a write may have happened; after a failed sync nothing is known.
    Io,
    /// ENOSPC: a write changes nothing.
    NoSpace,
}

/// A fault to come.
#[derive(Clone, Debug)]
pub struct DiskFault {
    /// Files whose path contains this.
    pub path_contains: String,
    /// Operations (writes and syncs on those files) to let pass before.
    pub after: u64,
    /// How many operations fail from then on.
    pub times: u64,
    /// What happens to them.
    pub kind: FaultKind,
}

/// The disk of one node. Cheap to clone; all clones are the same disk.
#[derive(Clone)]
pub struct SimDisk(Rc<Inner>);

struct Inner {
    world: Rc<World>,
    names: RefCell<Names>,
    faults: RefCell<Vec<DiskFault>>,
    locks: RefCell<BTreeMap<PathBuf, Weak<()>>>,
    /// Raised at each end of the process: operations of an earlier one change nothing any more.
    life: RefCell<Rc<()>>,
}

type Inode = Rc<RefCell<Contents>>;

#[derive(Default, Clone)]
struct Tree {
    files: BTreeMap<PathBuf, Inode>,
    folders: BTreeSet<PathBuf>,
}

#[derive(Default)]
struct Names {
    now: Tree,
    durable: Tree,
    /// Steps since the last sync of their folder, oldest first.
    steps: Vec<Step>,
}

#[derive(Clone)]
enum Step {
    Make(PathBuf, Inode),
    Folder(PathBuf),
    Rename(PathBuf, PathBuf),
    Remove(PathBuf),
}

impl Step {
    fn apply(&self, tree: &mut Tree) {
        match self {
            Step::Make(path, inode) => {
                tree.files.insert(path.clone(), inode.clone());
            }
            Step::Folder(path) => {
                tree.folders.insert(path.clone());
            }
            Step::Rename(from, to) => {
                if let Some(inode) = tree.files.remove(from) {
                    tree.files.insert(to.clone(), inode);
                }
            }
            Step::Remove(path) => {
                tree.files.remove(path);
                tree.folders.remove(path);
            }
        }
    }

    fn is_in(&self, folder: &Path) -> bool {
        let path = match self {
            Step::Make(path, _)
            | Step::Folder(path)
            | Step::Remove(path)
            | Step::Rename(_, path) => path,
        };
        path.parent() == Some(folder)
    }
}

#[derive(Default)]
struct Contents {
    bytes: Vec<u8>,
    durable: Vec<u8>,
    /// Sectors written since they were last durable.
    dirty: BTreeSet<usize>,
}

impl Contents {
    fn write(&mut self, at: usize, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let end = at + bytes.len();
        if self.bytes.len() < end {
            self.bytes.resize(end, 0);
        }
        self.bytes[at..end].copy_from_slice(bytes);
        self.dirty.extend(at / SECTOR..=(end - 1) / SECTOR);
    }

    fn sync(&mut self) {
        self.sync_range(0, usize::MAX);
        self.durable.truncate(self.bytes.len());
    }

    /// Makes the sectors that touch a range durable, with the length they need.
    fn sync_range(&mut self, from: usize, to: usize) {
        let dirty: Vec<usize> = self
            .dirty
            .range(from / SECTOR..=to.saturating_sub(1) / SECTOR)
            .copied()
            .collect();
        let end = to.min(self.bytes.len());
        if self.durable.len() < end {
            self.durable.resize(end, 0);
        }
        for sector in dirty {
            let start = sector * SECTOR;
            let stop = (start + SECTOR).min(self.bytes.len());
            if start < stop {
                if self.durable.len() < stop {
                    self.durable.resize(stop, 0);
                }
                self.durable[start..stop].copy_from_slice(&self.bytes[start..stop]);
            }
            self.dirty.remove(&sector);
        }
    }

    /// Leaves what a power cut leaves.
    fn power_cut(&mut self, world: &World) {
        let (old, new) = (self.durable.len(), self.bytes.len());
        let grown = new.saturating_sub(old) as u64;
        let len = if grown > 0 {
            old + world.random_below(grown + 1) as usize
        } else {
            new.min(old)
        };
        let mut left = std::mem::take(&mut self.durable);
        left.resize(len, 0);
        for sector in std::mem::take(&mut self.dirty) {
            let start = sector * SECTOR;
            let stop = (start + SECTOR).min(len).min(new);
            if start >= stop {
                continue;
            }
            let keep = match world.random_below(3) {
                0 => 0..0,
                1 => start..stop,
                _ => {
                    // Torn: a run of bytes at either side is new.
                    let at = start + world.random_below((stop - start) as u64) as usize;
                    if world.random_below(2) == 0 {
                        start..at
                    } else {
                        at..stop
                    }
                }
            };
            left[keep.clone()].copy_from_slice(&self.bytes[keep]);
        }
        self.bytes.clone_from(&left);
        self.durable = left;
    }
}

impl SimDisk {
    pub(super) fn new(world: Rc<World>) -> SimDisk {
        let mut names = Names::default();
        names.now.folders.insert(PathBuf::from("/"));
        names.durable = names.now.clone();
        SimDisk(Rc::new(Inner {
            world,
            names: RefCell::new(names),
            faults: RefCell::default(),
            locks: RefCell::default(),
            life: RefCell::default(),
        }))
    }

    pub(super) fn storage(&self) -> Rc<dyn Storage> {
        Rc::new(SimStorage {
            disk: self.clone(),
            life: Rc::downgrade(&self.0.life.borrow()),
        })
    }

    /// Has later operations fail.
    pub fn inject(&self, fault: DiskFault) {
        self.0.faults.borrow_mut().push(fault);
    }

    /// Takes all faults back.
    pub fn clear_faults(&self) {
        self.0.faults.borrow_mut().clear();
    }

    /// What a file holds now.
    pub fn contents(&self, path: impl AsRef<Path>) -> Option<Vec<u8>> {
        self.0
            .names
            .borrow()
            .now
            .files
            .get(path.as_ref())
            .map(|inode| inode.borrow().bytes.clone())
    }

    /// What of a file's bytes is durable: a power cut leaves at least this.
    pub fn durable(&self, path: impl AsRef<Path>) -> Option<Vec<u8>> {
        self.0
            .names
            .borrow()
            .durable
            .files
            .get(path.as_ref())
            .map(|inode| inode.borrow().durable.clone())
    }

    /// Changes a file behind everyone's back, durably: bit rot.
    pub fn corrupt(&self, path: impl AsRef<Path>, at: usize, mask: u8) {
        let names = self.0.names.borrow();
        if let Some(inode) = names.now.files.get(path.as_ref()) {
            let mut contents = inode.borrow_mut();
            if let Some(byte) = contents.bytes.get_mut(at) {
                *byte ^= mask;
            }
            if let Some(byte) = contents.durable.get_mut(at) {
                *byte ^= mask;
            }
        }
    }

    /// What a power cut does to a disk whose process has just gone; [`Sim::crash`](super::Sim::crash) calls it.
    pub(super) fn power_cut(&self) {
        let world = &self.0.world;
        let mut names = self.0.names.borrow_mut();
        let names = &mut *names;
        let steps = std::mem::take(&mut names.steps);
        let survive = world.random_below(steps.len() as u64 + 1) as usize;
        steps[..survive]
            .iter()
            .for_each(|step| step.apply(&mut names.durable));
        names.now = names.durable.clone();
        names
            .now
            .files
            .values()
            .for_each(|inode| inode.borrow_mut().power_cut(world));
    }

    /// The process has ended: nothing it had under way changes the disk from now on, and its locks are free.
    pub(super) fn process_gone(&self) {
        *self.0.life.borrow_mut() = Rc::default();
        self.0.locks.borrow_mut().clear();
    }

    fn fault(&self, path: &Path) -> Option<FaultKind> {
        let path = path.to_string_lossy();
        let mut faults = self.0.faults.borrow_mut();
        for fault in faults
            .iter_mut()
            .filter(|fault| path.contains(&fault.path_contains))
        {
            if fault.after > 0 {
                fault.after -= 1;
            } else if fault.times > 0 {
                fault.times -= 1;
                return Some(fault.kind);
            }
        }
        None
    }

    /// An operation takes 20 µs to 2 ms.
    fn delay(&self) -> LocalFuture<()> {
        let world = self.0.world.clone();
        let done = world.now.get() + Duration::from_nanos(20_000 + world.random_below(2_000_000));
        Box::pin(sleep_until(world, done))
    }
}

fn io_error() -> io::Error {
    io::Error::from_raw_os_error(libc::EIO)
}

fn no_space() -> io::Error {
    io::Error::from_raw_os_error(libc::ENOSPC)
}

struct SimStorage {
    disk: SimDisk,
    life: Weak<()>,
}

impl SimStorage {
    /// Does a step on names after a while, unless the process is gone by then.
    fn later<T: 'static>(
        &self,
        work: impl FnOnce(&SimDisk, &mut Names) -> io::Result<T> + 'static,
    ) -> LocalFuture<io::Result<T>> {
        let (disk, life, delay) = (self.disk.clone(), self.life.clone(), self.disk.delay());
        Box::pin(async move {
            delay.await;
            if life.strong_count() == 0 {
                return Err(io_error());
            }
            work(&disk, &mut disk.0.names.borrow_mut())
        })
    }
}

fn step(names: &mut Names, step: Step) {
    step.apply(&mut names.now);
    names.steps.push(step);
}

impl Storage for SimStorage {
    fn open(&self, path: PathBuf, mode: OpenMode) -> LocalFuture<io::Result<Rc<dyn FileLink>>> {
        let life = self.life.clone();
        self.later(move |disk, names| {
            let found = names.now.files.get(&path).cloned();
            let inode = match (found, mode.create) {
                (Some(_), Create::New) => return Err(io::ErrorKind::AlreadyExists.into()),
                (Some(inode), _) => inode,
                (None, Create::Never) => return Err(io::ErrorKind::NotFound.into()),
                (None, _) => {
                    let folder = path.parent().unwrap_or(Path::new("/"));
                    if !folder.as_os_str().is_empty() && !names.now.folders.contains(folder) {
                        return Err(io::ErrorKind::NotFound.into());
                    }
                    let inode = Inode::default();
                    step(names, Step::Make(path.clone(), inode.clone()));
                    inode
                }
            };
            if mode.truncate {
                inode.borrow_mut().bytes.clear();
            }
            let alignment = if mode.direct { BUFFER_ALIGN } else { 1 };
            let traits = FileTraits {
                direct: mode.direct,
                synced: mode.synced,
                alignment,
            };
            let writable = mode.access == Access::ReadWrite;
            Ok(Rc::new(SimFile {
                disk: disk.clone(),
                life,
                path,
                inode,
                traits,
                writable,
            }) as Rc<dyn FileLink>)
        })
    }

    fn open_beneath(
        &self,
        root: PathBuf,
        path: PathBuf,
    ) -> LocalFuture<io::Result<Rc<dyn FileLink>>> {
        // There are no links here, so a path leads out only by its own parts.
        let is_plain = |part| matches!(part, std::path::Component::Normal(_));
        if !path.components().all(is_plain) {
            return Box::pin(std::future::ready(Err(
                io::ErrorKind::PermissionDenied.into()
            )));
        }
        self.open(root.join(path), super::super::disk::OpenMode::read())
    }

    fn create_dir(&self, path: PathBuf) -> LocalFuture<io::Result<()>> {
        self.later(move |_, names| {
            let mut missing: Vec<PathBuf> = path
                .ancestors()
                .filter(|p| !p.as_os_str().is_empty() && !names.now.folders.contains(*p))
                .map(Path::to_owned)
                .collect();
            while let Some(folder) = missing.pop() {
                step(names, Step::Folder(folder));
            }
            Ok(())
        })
    }

    fn rename(&self, from: PathBuf, to: PathBuf) -> LocalFuture<io::Result<()>> {
        self.later(move |_, names| {
            if !names.now.files.contains_key(&from) {
                return Err(io::ErrorKind::NotFound.into());
            }
            step(names, Step::Rename(from, to));
            Ok(())
        })
    }

    fn remove(&self, path: PathBuf) -> LocalFuture<io::Result<()>> {
        self.later(move |_, names| {
            let tree = &names.now;
            if tree.folders.contains(&path) {
                let used = tree
                    .files
                    .keys()
                    .chain(&tree.folders)
                    .any(|p| p.parent() == Some(&path));
                if used {
                    return Err(io::ErrorKind::DirectoryNotEmpty.into());
                }
            } else if !tree.files.contains_key(&path) {
                return Err(io::ErrorKind::NotFound.into());
            }
            step(names, Step::Remove(path));
            Ok(())
        })
    }

    fn sync_dir(&self, path: PathBuf) -> LocalFuture<io::Result<()>> {
        self.later(move |disk, names| {
            if let Some(kind) = disk.fault(&path) {
                return Err(if kind == FaultKind::Io {
                    io_error()
                } else {
                    no_space()
                });
            }
            // A journal commits in order: everything before the last step in this folder goes with it.
            let Some(last) = names.steps.iter().rposition(|step| step.is_in(&path)) else {
                return Ok(());
            };
            for step in names.steps.drain(..=last) {
                step.apply(&mut names.durable);
            }
            Ok(())
        })
    }

    fn list(&self, path: PathBuf) -> LocalFuture<io::Result<Vec<String>>> {
        self.later(move |_, names| {
            if !names.now.folders.contains(&path) {
                return Err(io::ErrorKind::NotFound.into());
            }
            let all = names.now.files.keys().chain(&names.now.folders);
            let within = all
                .filter(|p| p.parent() == Some(&path))
                .filter_map(|p| p.file_name());
            let mut found: Vec<String> = within
                .filter_map(|name| name.to_str().map(str::to_owned))
                .collect();
            found.sort_unstable();
            Ok(found)
        })
    }

    fn lock(&self, path: PathBuf) -> LocalFuture<io::Result<Box<dyn Any>>> {
        self.later(move |disk, _| {
            let mut locks = disk.0.locks.borrow_mut();
            if locks.get(&path).is_some_and(|held| held.strong_count() > 0) {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            let held = Rc::new(());
            locks.insert(path, Rc::downgrade(&held));
            Ok(Box::new(held) as Box<dyn Any>)
        })
    }
}

struct SimFile {
    disk: SimDisk,
    life: Weak<()>,
    path: PathBuf,
    inode: Inode,
    traits: FileTraits,
    writable: bool,
}

impl SimFile {
    fn is_aligned(&self, bytes: &[u8], offset: u64) -> bool {
        let unit = self.traits.alignment;
        (bytes.as_ptr() as usize).is_multiple_of(unit)
            && bytes.len().is_multiple_of(unit)
            && offset.is_multiple_of(unit as u64)
    }

    fn refuse(&self, bytes: &[u8], offset: u64, writes: bool) -> Option<io::Error> {
        if writes && !self.writable {
            return Some(io::Error::from_raw_os_error(libc::EBADF));
        }
        (!self.is_aligned(bytes, offset)).then(|| io::ErrorKind::InvalidInput.into())
    }
}

impl FileLink for SimFile {
    fn traits(&self) -> FileTraits {
        self.traits
    }

    fn write_at(&self, payload: Payload, offset: u64) -> LocalFuture<Written> {
        if let Some(e) = self.refuse(payload.as_ref(), offset, true) {
            return Box::pin(std::future::ready((Err(e), Some(payload))));
        }
        let (disk, life, inode, path) = (
            self.disk.clone(),
            self.life.clone(),
            self.inode.clone(),
            self.path.clone(),
        );
        let synced = self.traits.synced;
        let world = disk.0.world.clone();
        world.note(offset ^ (payload.as_ref().len() as u64) << 20);
        let at = usize::try_from(offset).unwrap_or(usize::MAX);
        let fault = disk.fault(&path);
        // From here on a power cut may find any part of it.
        match fault {
            None => inode.borrow_mut().write(at, payload.as_ref()),
            Some(FaultKind::Io) => {
                let part = world.random_below(payload.as_ref().len() as u64 + 1) as usize;
                inode.borrow_mut().write(at, &payload.as_ref()[..part]);
            }
            Some(FaultKind::NoSpace) => {}
        }
        let delay = disk.delay();
        let work = async move {
            delay.await;
            if life.strong_count() == 0 {
                return (Err(io_error()), Some(payload));
            }
            let result = match fault {
                None => Ok(()),
                Some(FaultKind::Io) => Err(io_error()),
                Some(FaultKind::NoSpace) => Err(no_space()),
            };
            if synced && result.is_ok() {
                inode
                    .borrow_mut()
                    .sync_range(at, at + payload.as_ref().len());
            }
            (result, Some(payload))
        };
        Box::pin(work)
    }

    fn read_at(
        &self,
        mut buf: AlignedBuf,
        offset: u64,
    ) -> LocalFuture<(io::Result<usize>, AlignedBuf)> {
        if let Some(e) = self.refuse(&buf, offset, false) {
            return Box::pin(std::future::ready((Err(e), buf)));
        }
        let (inode, delay) = (self.inode.clone(), self.disk.delay());
        Box::pin(async move {
            delay.await;
            let contents = inode.borrow();
            let rest = usize::try_from(offset)
                .ok()
                .and_then(|at| contents.bytes.get(at..))
                .unwrap_or(&[]);
            let n = rest.len().min(buf.len());
            buf[..n].copy_from_slice(&rest[..n]);
            (Ok(n), buf)
        })
    }

    fn sync(&self) -> LocalFuture<io::Result<()>> {
        let (disk, life, inode, path) = (
            self.disk.clone(),
            self.life.clone(),
            self.inode.clone(),
            self.path.clone(),
        );
        Box::pin(async move {
            disk.delay().await;
            if life.strong_count() == 0 {
                return Err(io_error());
            }
            match disk.fault(&path) {
                None => {
                    inode.borrow_mut().sync();
                    Ok(())
                }
                Some(FaultKind::Io) => {
                    // The kernel forgets what it could not write and calls it clean: nobody may retry.
                    Err(io_error())
                }
                Some(FaultKind::NoSpace) => Err(no_space()),
            }
        })
    }

    fn size(&self) -> LocalFuture<io::Result<u64>> {
        Box::pin(std::future::ready(Ok(
            self.inode.borrow().bytes.len() as u64
        )))
    }

    fn set_size(&self, len: u64) -> LocalFuture<io::Result<()>> {
        let (inode, delay) = (self.inode.clone(), self.disk.delay());
        Box::pin(async move {
            delay.await;
            inode
                .borrow_mut()
                .bytes
                .resize(usize::try_from(len).unwrap_or(usize::MAX), 0);
            Ok(())
        })
    }
}
