//! The log as all cores see it.
//!
//! Owns what is shared: the baton with the writer's state, the watermarks, the account of space, the
//! spares, the sparse index, the counters. It is the door's [`Journal`]. Called by the door on any
//! core; the per-core half, with everything that waits or touches a file, is [`crate::LogCore`]. What
//! always holds: `synced ≤ durable`, `visible ≤ durable` (with `--durability none`, `durable` means
//! "as good as it gets"), and each only grows, except that a replica may cut back what it never showed.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering, fence};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

use bytes::Bytes;
use quoit_graph::door::{Door, Journal, ReserveError};
use quoit_rt::Notifier;

use crate::CommitSeq;
use crate::baton::Baton;
use crate::error::{LogError, Role};
use crate::fatal::Fatal;
use crate::frame::{FRAME_HEADER, finish_frame};
use crate::index::Index;
use crate::options::{Durability, LogOptions};
use crate::position::{GroupSeq, Incarnation, LogPosition, Term};
use crate::segment::{LogId, Marks, SegmentNumber};
use crate::space::{NoRoom, Space};
use crate::watermark::PositionCell;

/// One node's log. `Send + Sync`; see the crate's first page for the order of calls.
pub struct Log {
    pub(crate) options: LogOptions,
    role: AtomicU8,
    /// No more reservations: the role is about to change.
    closing: AtomicBool,
    /// How often a replica's log was cut back: places known before a cut are void.
    pub(crate) cuts: AtomicU64,
    /// The right to write, with the state of the writer.
    pub(crate) writer: Baton<Writer>,
    /// The right to apply groups to the graph on a replica.
    pub(crate) applier: Baton<Applied>,
    /// The right to make a segment: numbers are used in the order in which they are given.
    pub(crate) maker: Baton<()>,
    pub(crate) space: Space,
    /// Written here as the durability asks: what is acknowledged.
    pub(crate) durable: PositionCell,
    /// Published to readers here.
    pub(crate) visible: PositionCell,
    pub(crate) links: Box<[CoreLink]>,
    pub(crate) keeper: OnceLock<Notifier>,
    pub(crate) log_id: OnceLock<LogId>,
    /// Touched once a segment, by its maker and its user.
    spares: Mutex<VecDeque<Spare>>,
    /// Touched about once a megabyte by the writer, and by catch-up.
    index: Mutex<Index>,
    no_room: Mutex<String>,
    pub(crate) next_segment: AtomicU64,
    /// The segment being filled, for the syncer.
    pub(crate) current_segment: AtomicU64,
    /// Durability `interval`: what the syncer synced last; only it stores here while the log runs.
    pub(crate) synced: PositionCell,
    pub(crate) counts: Counts,
}

/// What the holder of the baton knows.
pub(crate) struct Writer {
    /// After the last group that was formed or appended.
    pub(crate) tail: LogPosition,
    /// What the next record says of this node.
    pub(crate) marks: Marks,
    /// What the last record on disk says of this node.
    pub(crate) marks_on_disk: Marks,
    /// Term and incarnation of the groups formed here; none until they are opened.
    pub(crate) opened: Option<(Term, Incarnation)>,
    /// The segment being filled.
    pub(crate) segment: SegmentNumber,
    /// Where its next record goes, in bytes.
    pub(crate) offset: u64,
    /// Set while a write is in flight: a holder that finds it set knows that the write was abandoned.
    pub(crate) in_flight: bool,
    /// Durability `none`: the last commit that is shown, written or not; 0 otherwise.
    pub(crate) shown: CommitSeq,
    /// Durability `none`: bytes of `gathered`.
    pub(crate) unwritten: usize,
    /// Frames taken from the door and not written yet; empty but for durability `none` while the baton lies, and kept to spare an
    /// allocation a group.
    pub(crate) gathered: Vec<(CommitSeq, Bytes)>,
}

/// What the holder of the applier's baton knows: the last group applied.
pub(crate) struct Applied {
    pub(crate) position: LogPosition,
}

/// A segment made ahead.
pub(crate) struct Spare {
    pub(crate) number: SegmentNumber,
    pub(crate) blocks: u64,
    /// Its place in the account of space.
    pub(crate) slot: usize,
}

/// What other cores may touch of one core; a cache line of its own.
#[repr(align(128))]
pub(crate) struct CoreLink {
    pub(crate) bell: OnceLock<Notifier>,
    /// The lowest commit number that a session of this core waits for; `u64::MAX` for none.
    pub(crate) waits_for: AtomicU64,
    /// A task of this core waits for a baton.
    pub(crate) wants_baton: AtomicBool,
}

impl CoreLink {
    pub(crate) fn ring(&self) {
        if let Some(bell) = self.bell.get() {
            bell.notify();
        }
    }
}

/// Numbers that only grow, for tests and metrics.
#[derive(Default)]
pub(crate) struct Counts {
    pub(crate) frames_encoded: AtomicU64,
    pub(crate) frames_written: AtomicU64,
    pub(crate) groups_written: AtomicU64,
    pub(crate) bytes_written: AtomicU64,
    pub(crate) marks_written: AtomicU64,
    pub(crate) segments_made: AtomicU64,
    pub(crate) groups_appended: AtomicU64,
    pub(crate) groups_applied: AtomicU64,
}

/// What the log has done since it was made.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counters {
    /// Frames made by [`Journal::finish_frame`]: one a transaction, whatever the number of replicas.
    pub frames_encoded: u64,
    /// Frames written in groups formed here.
    pub frames_written: u64,
    /// Groups formed and written here.
    pub groups_written: u64,
    /// Bytes of records written here, with their pads.
    pub bytes_written: u64,
    /// Mark records written.
    pub marks_written: u64,
    /// Segments made.
    pub segments_made: u64,
    /// Groups appended as a replica.
    pub groups_appended: u64,
    /// Groups applied to the graph as a replica or at promotion (recovery not counted).
    pub groups_applied: u64,
}

pub(crate) fn count(counter: &AtomicU64, n: u64) {
    counter.fetch_add(n, Ordering::Relaxed);
}

impl Log {
    /// A log that was not recovered yet: it refuses everything until then. No I/O.
    pub fn new(options: LogOptions) -> Arc<Log> {
        assert!(options.cores > 0, "a log serves at least one core");
        let options = options.within_bounds();
        Arc::new(Log {
            links: (0..options.cores)
                .map(|_| CoreLink {
                    bell: OnceLock::new(),
                    waits_for: AtomicU64::new(u64::MAX),
                    wants_baton: AtomicBool::new(false),
                })
                .collect(),
            options,
            role: AtomicU8::new(Role::Closed as u8),
            closing: AtomicBool::new(false),
            cuts: AtomicU64::new(0),
            writer: Baton::new(Writer {
                tail: LogPosition::EMPTY,
                marks: Marks::default(),
                marks_on_disk: Marks::default(),
                opened: None,
                segment: SegmentNumber(0),
                offset: 0,
                in_flight: false,
                shown: CommitSeq(0),
                unwritten: 0,
                gathered: Vec::new(),
            }),
            applier: Baton::new(Applied {
                position: LogPosition::EMPTY,
            }),
            maker: Baton::new(()),
            space: Space::new(),
            durable: PositionCell::new(),
            visible: PositionCell::new(),
            keeper: OnceLock::new(),
            log_id: OnceLock::new(),
            spares: Mutex::new(VecDeque::new()),
            index: Mutex::new(Index::default()),
            no_room: Mutex::new(String::new()),
            next_segment: AtomicU64::new(1),
            current_segment: AtomicU64::new(0),
            synced: PositionCell::new(),
            counts: Counts::default(),
        })
    }

    /// The end of what is acknowledged: with durability `commit`, what is synced here. Any core.
    pub fn tail(&self) -> LogPosition {
        self.durable.load()
    }

    /// The end of what readers see here. Any core.
    pub fn visible(&self) -> LogPosition {
        self.visible.load()
    }

    /// What the log is doing.
    pub fn role(&self) -> Role {
        Role::from_code(self.role.load(Ordering::Acquire))
    }

    /// Which durability it runs with.
    pub fn durability(&self) -> Durability {
        self.options.durability
    }

    /// What it has done so far.
    pub fn counters(&self) -> Counters {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counters {
            frames_encoded: read(&self.counts.frames_encoded),
            frames_written: read(&self.counts.frames_written),
            groups_written: read(&self.counts.groups_written),
            bytes_written: read(&self.counts.bytes_written),
            marks_written: read(&self.counts.marks_written),
            segments_made: read(&self.counts.segments_made),
            groups_appended: read(&self.counts.groups_appended),
            groups_applied: read(&self.counts.groups_applied),
        }
    }

    pub(crate) fn set_role(&self, role: Role) {
        self.role.store(role as u8, Ordering::Release);
    }

    /// Refuses reservations, or takes them again. After `true`, once nothing is promised, nothing will
    /// be sealed.
    pub(crate) fn set_closing(&self, closing: bool) {
        self.closing.store(closing, Ordering::Relaxed);
        // Partner of the fence in `reserve`: either it sees this, or its promise is seen after this.
        fence(Ordering::SeqCst);
    }

    /// The log cannot go on: nothing is acknowledged from here on, everybody who waits is told.
    pub(crate) fn stop(&self, fatal: Fatal) -> LogError {
        self.set_role(Role::Stopped);
        (self.options.on_fatal)(&fatal);
        self.ring_all();
        LogError::Fatal(fatal)
    }

    pub(crate) fn ring_all(&self) {
        for link in &self.links {
            link.ring();
        }
    }

    pub(crate) fn ring_keeper(&self) {
        if let Some(keeper) = self.keeper.get() {
            keeper.notify();
        }
    }

    pub(crate) fn id(&self) -> LogId {
        *self.log_id.get().expect("the log was recovered")
    }

    /// What tells the records of this log from those of another, once it was recovered.
    pub fn log_id(&self) -> u64 {
        self.id().0
    }

    pub(crate) fn path(&self, segment: SegmentNumber) -> PathBuf {
        self.options.directory.join(segment.file_name())
    }

    pub(crate) fn spares(&self) -> MutexGuard<'_, VecDeque<Spare>> {
        self.spares
            .lock()
            .expect("no one panics with the spares in hand")
    }

    pub(crate) fn index(&self) -> MutexGuard<'_, Index> {
        self.index
            .lock()
            .expect("no one panics with the index in hand")
    }

    pub(crate) fn set_full(&self, reason: Option<String>) {
        self.space.set_full(reason.is_some());
        if let Some(reason) = reason {
            *self
                .no_room
                .lock()
                .expect("no one panics with the reason in hand") = reason;
        }
    }

    pub(crate) fn full_reason(&self) -> String {
        self.no_room
            .lock()
            .expect("no one panics with the reason in hand")
            .clone()
    }

    /// Whether a group of this number may be shown to readers: the lower of durable and mark.
    pub(crate) fn showable(&self, mark: GroupSeq) -> GroupSeq {
        self.durable.group().min(mark)
    }
}

impl Journal for Log {
    fn header_bytes(&self) -> usize {
        FRAME_HEADER
    }

    fn reserve(&self, bytes: usize) -> Result<(), ReserveError> {
        match self.role() {
            Role::Main => {}
            Role::Follower => return Err(ReserveError::Closed("this node is a replica".into())),
            Role::Closed | Role::Idle => {
                return Err(ReserveError::Closed("it is not open yet".into()));
            }
            Role::Stopped => return Err(ReserveError::Closed("it has stopped".into())),
        }
        match self.space.reserve(bytes) {
            Ok(()) => {
                fence(Ordering::SeqCst);
                if self.closing.load(Ordering::Relaxed) {
                    self.space.release(bytes);
                    return Err(ReserveError::Closed("its role is changing".into()));
                }
                Ok(())
            }
            Err(NoRoom::Busy) => {
                self.ring_keeper();
                Err(ReserveError::Busy)
            }
            Err(NoRoom::Full) => {
                self.ring_keeper();
                Err(ReserveError::JournalFull(self.full_reason()))
            }
            Err(NoRoom::TooLarge) => Err(ReserveError::JournalFull(format!(
                "a transaction of {bytes} bytes is longer than a frame may be; split it"
            ))),
        }
    }

    fn release(&self, bytes: usize) {
        self.space.release(bytes);
    }

    fn finish_frame(&self, buffer: Vec<u8>) -> Bytes {
        count(&self.counts.frames_encoded, 1);
        finish_frame(buffer)
    }

    fn kick(&self, _door: &Door, core: u16) {
        self.links[usize::from(core)].ring();
    }
}
