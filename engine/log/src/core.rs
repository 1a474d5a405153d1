//! One core's half of the log: waiting, waking, and the right to hold the baton.
//!
//! Owns the core's waiters (sessions that wait for a commit, tasks that wait for a baton), its open
//! segment files and its tasks. Called by sessions ([`LogCore::durable`]) and, through the other
//! modules' `impl LogCore`, by the server and by replication. What always holds: whoever registers as
//! a waiter fences and looks again, whoever publishes fences and looks for waiters, so no waiter is
//! left asleep; every baton is put down through [`LogCore::let_go`], which looks for work once more.
//! Writing is in `leader` and `follower`, roles in `role`, reading in `catch_up`.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};
use std::task::{Context, Poll, Waker};

use quoit_rt::{File, Notified, OpenMode, Priority, Rt};

use crate::CommitSeq;
use crate::baton::{Baton, Held};
use crate::catch_up::Resume;
use crate::error::{LogError, Role};
use crate::fatal::Fatal;
use crate::group::Group;
use crate::index::Place;
use crate::leader::Unwaited;
use crate::ledger::Ledger;
use crate::log::{CoreLink, Log};
use crate::options::Durability;
use crate::position::{GroupSeq, LogPosition};
use crate::segment::SegmentNumber;
use crate::sink::GroupSink;

/// Segment files a core keeps open: the one being filled and the one before.
const FILES_MAX: usize = 2;

/// The log on one core. `!Send`; made once a core by [`LogCore::new`], after recovery.
pub struct LogCore {
    pub(crate) log: Arc<Log>,
    pub(crate) ledger: Rc<dyn Ledger>,
    pub(crate) rt: Rt,
    core: u16,
    waiters: RefCell<BTreeMap<(CommitSeq, u64), Waker>>,
    waiters_made: Cell<u64>,
    baton_waiters: RefCell<Vec<Waker>>,
    /// Asks this core's own attendant to look, without the way over the notifier.
    pub(crate) nudge: Nudge,
    /// Asks this core's marker to look after a pause.
    pub(crate) wrote: Nudge,
    pub(crate) sink: RefCell<Option<Rc<dyn GroupSink>>>,
    files: RefCell<Vec<(SegmentNumber, File)>>,
    /// Groups appended through this core and not applied yet.
    pub(crate) held: RefCell<VecDeque<Group>>,
    /// Where reads of this core left off.
    pub(crate) resumes: RefCell<VecDeque<Resume>>,
}

/// What the holder of a baton saw when it looked again after letting go.
pub(crate) struct Seen {
    /// Frames are sealed that nobody leads.
    pub(crate) unled: bool,
    /// Somebody waits for a baton.
    pub(crate) wanted: bool,
}

/// A flag with one waiting task, both on this core.
#[derive(Default)]
pub(crate) struct Nudge {
    raised: Cell<bool>,
    waiter: RefCell<Option<Waker>>,
}

impl Nudge {
    pub(crate) fn raise(&self) {
        if !self.raised.replace(true)
            && let Some(waiter) = self.waiter.borrow_mut().take()
        {
            waiter.wake();
        }
    }

    fn poll_raised(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.raised.replace(false) {
            return Poll::Ready(());
        }
        *self.waiter.borrow_mut() = Some(cx.waker().clone());
        Poll::Pending
    }

    pub(crate) async fn raised(&self) {
        poll_fn(|cx| self.poll_raised(cx)).await;
    }

    pub(crate) fn lower(&self) -> bool {
        self.raised.replace(false)
    }
}

impl LogCore {
    /// This core's handle. Spawns the core's attendant (which leads writes and wakes waiters) and its
    /// marker; on core 0 also the keeper, which makes segments ahead, and the syncer of durability
    /// `interval`.
    ///
    /// # Panics
    /// When the log was not recovered, or this core already has a handle.
    pub fn new(log: &Arc<Log>, ledger: Rc<dyn Ledger>, rt: &Rt) -> Rc<LogCore> {
        assert!(
            log.role() != Role::Closed,
            "a log is recovered before cores use it"
        );
        let core = rt.core().0;
        let (notifier, notified) = rt.notifier();
        let taken = log.links[usize::from(core)].bell.set(notifier);
        assert!(taken.is_ok(), "core {core} has one handle of the log");
        let this = Rc::new(LogCore {
            log: log.clone(),
            ledger,
            rt: rt.clone(),
            core,
            waiters: RefCell::new(BTreeMap::new()),
            waiters_made: Cell::new(0),
            baton_waiters: RefCell::new(Vec::new()),
            nudge: Nudge::default(),
            wrote: Nudge::default(),
            sink: RefCell::new(None),
            files: RefCell::new(Vec::new()),
            held: RefCell::new(VecDeque::new()),
            resumes: RefCell::new(VecDeque::new()),
        });
        rt.spawn(Priority::Latency, this.clone().attend(notified));
        rt.spawn(Priority::Latency, this.clone().mark_when_idle());
        if core == 0 {
            rt.spawn(Priority::Latency, this.clone().keep_spares());
            if let Durability::Interval(interval) = log.options.durability {
                rt.spawn(Priority::Latency, this.clone().sync_now_and_then(interval));
            }
        }
        this
    }

    /// The log behind this handle.
    pub fn log(&self) -> &Arc<Log> {
        &self.log
    }

    /// Sets this core's replication lanes. Groups led here before are not handed over again.
    pub fn set_sink(&self, sink: Rc<dyn GroupSink>) {
        *self.sink.borrow_mut() = Some(sink);
    }

    /// Ready when `seq` is durable here and published. A commit on this core calls it next, and the
    /// write starts with it, without the way over the notifier.
    ///
    /// # Errors
    /// [`LogError::Stopped`]: the commit's outcome is known after the next recovery.
    pub async fn durable(&self, seq: CommitSeq) -> Result<(), LogError> {
        DurableWait {
            core: self,
            seq,
            key: None,
        }
        .await
    }

    /// Where the log stands with all that was written of it: the last group, and the last commit in it. On a replica, the last
    /// group that readers see. What a snapshot begins from.
    pub async fn written(&self) -> LogPosition {
        if self.log.role() == Role::Follower {
            return self.log.visible();
        }
        let writer = self.acquire(&self.log.writer).await;
        let tail = writer.tail;
        self.let_go_and_nudge(writer);
        tail
    }

    /// Ready when commit `seq` is written here and synced, whatever the durability. What a snapshot that has it waits for before it counts.
    ///
    /// # Errors
    /// [`LogError::Stopped`], [`LogError::Io`].
    pub async fn written_and_synced(&self, seq: CommitSeq) -> Result<(), LogError> {
        /// A group is written when none came for 10 ms.
        const PAUSE: std::time::Duration = std::time::Duration::from_millis(5);
        self.durable(seq).await?;
        while self.written().await.commit < seq {
            if self.log.role() == Role::Stopped {
                return Err(LogError::Stopped);
            }
            self.rt.sleep(PAUSE).await;
        }
        if self.log.options.durability == Durability::Commit {
            return Ok(());
        }
        let disk = self.rt.disk();
        let directory = &self.log.options.directory;
        let segments = crate::cut::segments_after(&disk, directory, SegmentNumber(0)).await?;
        for segment in segments {
            let path = self.log.path(segment);
            let mode = OpenMode {
                create: quoit_rt::Create::Never,
                ..OpenMode::read_write()
            };
            let synced = async { disk.open(&path, mode).await?.sync().await };
            synced
                .await
                .map_err(|error| crate::scan::io_error(&path, &error))?;
        }
        Ok(())
    }

    pub(crate) fn link(&self) -> &CoreLink {
        &self.log.links[usize::from(self.core)]
    }

    /// The core's attendant: leads while there is something to lead, wakes who waits.
    async fn attend(self: Rc<Self>, bell: Notified) {
        loop {
            poll_fn(
                |cx| match (self.nudge.poll_raised(cx), bell.poll_notified(cx)) {
                    (Poll::Pending, Poll::Pending) => Poll::Pending,
                    _ => Poll::Ready(()),
                },
            )
            .await;
            self.wake_waiters();
            if self.log.role() == Role::Main && self.ledger.door().has_sealed() {
                // A failure has stopped the log and told everyone.
                let _ = self.lead(Unwaited::Kept).await;
            }
            if self.log.role() == Role::Stopped {
                self.wake_waiters();
            }
        }
    }

    /// Waits for `baton`. First in is not first out: waiters are few (role changes, appends).
    pub(crate) async fn acquire<'b, T>(&self, baton: &'b Baton<T>) -> Held<'b, T> {
        poll_fn(|cx| {
            self.baton_waiters.borrow_mut().push(cx.waker().clone());
            // Said before trying: the holder looks at it after letting go.
            self.link().wants_baton.store(true, Ordering::Relaxed);
            match baton.arrive() {
                Some(held) => Poll::Ready(held),
                None => Poll::Pending,
            }
        })
        .await
    }

    /// Puts a baton down, wakes who waits for one, and says what was seen after that.
    pub(crate) fn let_go<T>(&self, held: Held<'_, T>) -> Seen {
        held.release(|| {
            let mut wanted = false;
            for link in &self.log.links {
                if link.wants_baton.load(Ordering::Relaxed)
                    && link.wants_baton.swap(false, Ordering::Relaxed)
                {
                    wanted = true;
                    if std::ptr::eq(link, self.link()) {
                        self.wake_baton_waiters();
                    } else {
                        link.ring();
                    }
                }
            }
            Seen {
                unled: self.log.role() == Role::Main && self.ledger.door().has_sealed(),
                wanted,
            }
        })
    }

    /// As [`LogCore::let_go`], leaving what is sealed to the attendant.
    pub(crate) fn let_go_and_nudge<T>(&self, held: Held<'_, T>) {
        if self.let_go(held).unled {
            self.nudge.raise();
        }
    }

    fn wake_baton_waiters(&self) {
        let waiters = std::mem::take(&mut *self.baton_waiters.borrow_mut());
        waiters.into_iter().for_each(Waker::wake);
    }

    /// Tells every core that has waiters up to what is visible now.
    pub(crate) fn announce(&self) {
        // Partner of the fence in `DurableWait`: the waiter sees the mark, or this sees the waiter.
        fence(Ordering::SeqCst);
        let visible = self.log.visible.commit().0;
        for link in &self.log.links {
            if link.waits_for.load(Ordering::Relaxed) <= visible && !std::ptr::eq(link, self.link())
            {
                link.ring();
            }
        }
        self.wake_waiters();
    }

    /// Wakes this core's waiters whose commit is visible, or all when the log has stopped.
    fn wake_waiters(&self) {
        self.wake_baton_waiters();
        let stopped = self.log.role() == Role::Stopped;
        let visible = self.log.visible.commit();
        let mut waiters = self.waiters.borrow_mut();
        let mut ready = Vec::new();
        while let Some(entry) = waiters.first_entry() {
            if !stopped && entry.key().0 > visible {
                break;
            }
            ready.push(entry.remove());
        }
        let lowest = waiters
            .first_key_value()
            .map_or(u64::MAX, |((seq, _), _)| seq.0);
        drop(waiters);
        self.link().waits_for.store(lowest, Ordering::Relaxed);
        ready.into_iter().for_each(Waker::wake);
    }

    /// The segment's file, for writing as the durability asks.
    pub(crate) async fn file(&self, number: SegmentNumber) -> Result<File, LogError> {
        let known = self
            .files
            .borrow()
            .iter()
            .find(|(n, _)| *n == number)
            .map(|(_, f)| f.clone());
        if let Some(file) = known {
            return Ok(file);
        }
        let path = self.log.path(number);
        let synced = self.log.options.durability == Durability::Commit;
        #[cfg(test)]
        let synced = synced
            && !self
                .log
                .options
                .faults
                .is(crate::tests::faults::Mutant::SkipSync);
        let mode = OpenMode {
            create: quoit_rt::Create::Never,
            direct: true,
            synced,
            ..OpenMode::read_write()
        };
        let file = self.rt.disk().open(&path, mode).await.map_err(|error| {
            self.log.stop(Fatal::Write {
                path: path.clone(),
                offset: 0,
                error: error.to_string(),
            })
        })?;
        let mut files = self.files.borrow_mut();
        if files.len() == FILES_MAX {
            files.remove(0);
        }
        files.push((number, file.clone()));
        Ok(file)
    }

    pub(crate) fn refuse_unless(&self, needed: Role, what: &'static str) -> Result<(), LogError> {
        match self.log.role() {
            Role::Stopped => Err(LogError::Stopped),
            role if role == needed => Ok(()),
            role => Err(LogError::WrongRole { needed: what, role }),
        }
    }

    pub(crate) fn note_in_index(&self, group: GroupSeq, place: Place) {
        // The first look is without the lock: most groups are not noted.
        self.log.index().note(group, place);
    }
}

/// A session's wait; gone from the list when dropped.
struct DurableWait<'c> {
    core: &'c LogCore,
    seq: CommitSeq,
    key: Option<u64>,
}

impl Future for DurableWait<'_> {
    type Output = Result<(), LogError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let core = self.core;
        if core.log.visible.commit() >= self.seq {
            return Poll::Ready(Ok(()));
        }
        let key = *self.key.get_or_insert_with(|| {
            let key = core.waiters_made.get();
            core.waiters_made.set(key + 1);
            key
        });
        core.waiters
            .borrow_mut()
            .insert((self.seq, key), cx.waker().clone());
        let link = core.link();
        if self.seq.0 < link.waits_for.load(Ordering::Relaxed) {
            link.waits_for.store(self.seq.0, Ordering::Relaxed);
        }
        // Partner of the fence in `LogCore::announce`.
        fence(Ordering::SeqCst);
        if core.log.visible.commit() >= self.seq {
            return Poll::Ready(Ok(()));
        }
        if core.log.role() == Role::Stopped {
            return Poll::Ready(Err(LogError::Stopped));
        }
        if core.ledger.door().has_sealed() {
            core.nudge.raise();
        }
        Poll::Pending
    }
}

impl Drop for DurableWait<'_> {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            self.core.waiters.borrow_mut().remove(&(self.seq, key));
        }
    }
}
