//! Opening a log: recovery with its I/O.
//!
//! Owns the order of recovery. Called once, by the server at start, before any other core uses the
//! log. What always holds: the graph has exactly a prefix of the history afterwards, all of it synced;
//! nothing that was synced is changed; what is cut is kept in a rescue file and reported. Steps:
//!
//! 1. Leftovers of making (`*.new`) are removed; an interrupted cut back is finished.
//! 2. Segments are walked in order ([`crate::recovery::Walk`]); groups go to the graph as they are
//!    accepted (on a replica, up to the MAIN's mark that the log itself speaks of).
//! 3. Where the walk stopped, evidence is gathered to the end of the last file and
//!    [`crate::recovery::decide`] says: clean, cut, or refuse.
//! 4. Segments with groups above the durable mark are synced; the writer stands behind the last group;
//!    blank segments behind it are spares.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use quoit_rt::{Disk, OpenMode, Rt};

use crate::CommitSeq;
use crate::cut::{
    Cut, Rescue, behind, carry_out, cuts_behind, read_intent, remove_intent, segments_after,
};
use crate::error::{LogError, Role};
use crate::fatal::Fatal;
use crate::follower::apply_group_above;
use crate::group::Group;
use crate::index::Place;
use crate::ledger::Ledger;
use crate::log::{Applied, Log, Spare, Writer};
use crate::position::{GroupSeq, LogPosition};
use crate::recovery::{
    Accepted, Decision, Evidence, Stop, Walk, accept_segment, decide, highest_mark,
};
use crate::scan::{Scanner, io_error};
use crate::segment::{BLOCK, LogId, RECORD_HEADER, SegmentNumber, Slot, peek_log_id, record_bytes};
use crate::snapshot::{SnapshotError, SnapshotInfo};

/// How much of the log is given to the graph at recovery.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RecoverAs {
    /// All of it.
    Main,
    /// Up to the MAIN's mark as far as it is written in this log; the rest is held.
    Replica,
}

/// What recovery found and did.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RecoveryReport {
    /// The end of the log.
    pub position: LogPosition,
    /// The end of what was given to the graph: below `position` on a replica that holds groups.
    pub applied: LogPosition,
    /// Groups accepted.
    pub groups: u64,
    /// Transactions accepted.
    pub frames: u64,
    /// The end of what marks call synced; groups above it may or may not have been acknowledged.
    pub durable_mark: GroupSeq,
    /// What was cut off behind the end, and where it is kept. Not empty: a commit whose answer was on
    /// its way when the server stopped may be in there.
    pub cut: Vec<Rescue>,
    /// Why it was cut; empty when nothing was.
    pub cut_reason: String,
    /// How long it took.
    pub took: Duration,
}

/// Accepted groups that are not applied yet, in memory at most this many bytes; beyond, they are read
/// back after the walk.
const PENDING_BYTES_MAX: usize = 64 << 20;

impl Log {
    /// Recovers the log in its directory (made if missing) into `ledger`, and makes it idle: the next
    /// call is [`crate::LogCore::new`] on every core, then [`crate::LogCore::start_as_main`] or
    /// [`crate::LogCore::start_as_follower`] on one.
    ///
    /// # Errors
    /// [`LogError::Fatal`] with [`Fatal::Damaged`] when synced groups are missing or damaged (nothing
    /// was changed), or [`Fatal::Apply`]; [`LogError::Io`].
    ///
    /// # Panics
    /// When the log was recovered before.
    pub async fn recover(
        self: &Arc<Log>,
        rt: &Rt,
        ledger: &dyn Ledger,
        recover_as: RecoverAs,
    ) -> Result<RecoveryReport, LogError> {
        self.recover_from(rt, ledger, recover_as, None).await
    }

    /// As [`Log::recover`], where `ledger` has a snapshot already: what is in it is walked and not given again.
    ///
    /// # Errors
    /// As [`Log::recover`]; [`LogError::Snapshot`] when the snapshot is of another history, or the log ends below it.
    ///
    /// # Panics
    /// When the log was recovered before.
    pub async fn recover_from(
        self: &Arc<Log>,
        rt: &Rt,
        ledger: &dyn Ledger,
        recover_as: RecoverAs,
        snapshot: Option<&SnapshotInfo>,
    ) -> Result<RecoveryReport, LogError> {
        assert_eq!(self.role(), Role::Closed, "a log is recovered once");
        let started = rt.now();
        let disk = rt.disk();
        let directory = self.options.directory.clone();
        disk.create_dir(&directory)
            .await
            .map_err(|e| io_error(&directory, &e))?;
        if let Some(parent) = directory
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty())
        {
            disk.sync_dir(parent)
                .await
                .map_err(|e| io_error(parent, &e))?;
        }
        self.remove_unfinished(&disk).await?;
        let segments = segments_after(&disk, &directory, SegmentNumber(0)).await?;
        let last = segments.last().copied().unwrap_or_default();
        self.next_segment.store(last.0 + 1, Ordering::Relaxed);
        let log_id = self
            .find_log_id(&disk, &segments)
            .await?
            .unwrap_or(LogId(rt.random()));
        self.log_id.set(log_id).expect("a log is recovered once");
        if let Some(snapshot) = snapshot.filter(|snapshot| snapshot.head.log_id != log_id.0) {
            let what = "it belongs to another log than the one in this data directory; restore its log, or move the snapshots aside";
            return Err(unfit(snapshot, what.to_owned()));
        }

        if let Some(place) = read_intent(&disk, &directory, log_id).await? {
            let later: Vec<_> = segments
                .iter()
                .copied()
                .filter(|n| *n > place.segment)
                .collect();
            carry_out(&disk, &directory, &cuts_behind(place, &later), log_id).await?;
            remove_intent(&disk, &directory).await?;
        }

        let segments = segments_after(&disk, &directory, SegmentNumber(0)).await?;
        let mut recovery = Recovery {
            log: self,
            rt,
            ledger,
            recover_as,
            snapshot,
            covered: GroupSeq::NONE,
            scanner: Scanner::new(disk.clone(), directory.clone()),
            walk: Walk::from_start(),
            end: None,
            applied: LogPosition::EMPTY,
            pending: VecDeque::new(),
            pending_bytes: 0,
            pending_cut: false,
            segment_ends: Vec::new(),
        };
        let stop = recovery.walk_segments(&segments).await?;
        let (rescued, cut_reason) = recovery.settle_end(&disk, &segments, stop).await?;
        recovery.apply_rest().await?;
        recovery.reaches_snapshot()?;
        let Recovery {
            walk,
            end,
            applied,
            segment_ends,
            ..
        } = recovery;

        self.sync_unmarked(&disk, &segment_ends, walk.marks.durable)
            .await?;
        ledger.door().restart_at(applied.commit);
        self.stand_at_end(&disk, end, &walk).await?;
        self.durable.store(&walk.position);
        self.visible.store(&applied);
        let mut applier = self.applier.arrive().expect("nobody uses the log yet");
        *applier = Applied { position: applied };
        drop(applier);
        self.set_role(Role::Idle);
        Ok(RecoveryReport {
            position: walk.position,
            applied,
            groups: walk.groups,
            frames: walk.commits,
            durable_mark: walk.marks.durable,
            cut: rescued,
            cut_reason,
            took: rt.now() - started,
        })
    }

    async fn remove_unfinished(&self, disk: &Disk) -> Result<(), LogError> {
        let directory = &self.options.directory;
        let names = disk
            .list(directory)
            .await
            .map_err(|e| io_error(directory, &e))?;
        for name in names.iter().filter(|name| name.ends_with(".new")) {
            let path = directory.join(name);
            disk.remove(&path).await.map_err(|e| io_error(&path, &e))?;
        }
        Ok(())
    }

    /// The id of the log in this directory: that of the first intact record in the first segment that
    /// has one.
    async fn find_log_id(
        &self,
        disk: &Disk,
        segments: &[SegmentNumber],
    ) -> Result<Option<LogId>, LogError> {
        let mut scanner = Scanner::new(disk.clone(), self.options.directory.clone());
        for &segment in segments {
            let size = scanner.size(segment).await?;
            let mut offset = 0;
            while offset < size {
                let block = scanner.bytes_at(segment, offset, BLOCK).await?;
                if block.len() >= RECORD_HEADER
                    && let Some(log_id) = peek_log_id(&block, segment)
                {
                    return Ok(Some(log_id));
                }
                offset += BLOCK as u64;
            }
        }
        Ok(None)
    }

    /// Syncs what was found above the mark: it is acknowledged from now on.
    async fn sync_unmarked(
        &self,
        disk: &Disk,
        segment_ends: &[(SegmentNumber, GroupSeq)],
        mark: GroupSeq,
    ) -> Result<(), LogError> {
        for (segment, _) in segment_ends.iter().filter(|(_, last)| *last > mark) {
            let path = self.path(*segment);
            let mode = OpenMode {
                create: quoit_rt::Create::Never,
                ..OpenMode::read_write()
            };
            let synced = async { disk.open(&path, mode).await?.sync().await };
            synced.await.map_err(|e| io_error(&path, &e))?;
        }
        let directory = &self.options.directory;
        disk.sync_dir(directory)
            .await
            .map_err(|e| io_error(directory, &e))
    }

    /// Puts the writer behind the last group and takes blank segments behind it as spares; makes the
    /// first segment of an empty log.
    async fn stand_at_end(
        &self,
        disk: &Disk,
        end: Option<Place>,
        walk: &Walk,
    ) -> Result<(), LogError> {
        let directory = &self.options.directory;
        let mut blank = segments_after(
            disk,
            directory,
            end.map_or(SegmentNumber(0), |place| place.segment),
        )
        .await?;
        let mut scanner = Scanner::new(disk.clone(), directory.clone());
        let place = match end {
            Some(place) => place,
            None if !blank.is_empty() => Place {
                segment: blank.remove(0),
                offset: BLOCK as u64,
            },
            None => {
                let (segment, _) = self.make_segment(disk, 0).await?;
                Place {
                    segment,
                    offset: BLOCK as u64,
                }
            }
        };
        let blocks_from = |size: u64, offset: u64| size.saturating_sub(offset) / BLOCK as u64;
        self.space.switch(
            None,
            blocks_from(scanner.size(place.segment).await?, place.offset),
        );
        for number in blank {
            let blocks = blocks_from(scanner.size(number).await?, BLOCK as u64);
            if blocks > 0
                && let Some(slot) = self.space.add_spare(blocks)
            {
                self.spares().push_back(Spare {
                    number,
                    blocks,
                    slot,
                });
            }
        }
        self.current_segment
            .store(place.segment.0, Ordering::Release);
        let mut writer = self.writer.arrive().expect("nobody uses the log yet");
        *writer = Writer {
            tail: walk.position,
            marks: crate::segment::Marks {
                durable: walk.position.group,
                durable_chain: walk.position.chain,
                published: walk.marks.published,
            },
            marks_on_disk: walk.marks,
            opened: None,
            segment: place.segment,
            offset: place.offset,
            in_flight: false,
            shown: crate::CommitSeq(0),
            unwritten: 0,
            gathered: Vec::new(),
        };
        Ok(())
    }
}

/// Recovery under way.
struct Recovery<'a> {
    log: &'a Log,
    rt: &'a Rt,
    ledger: &'a dyn Ledger,
    recover_as: RecoverAs,
    /// What the graph has already.
    snapshot: Option<&'a SnapshotInfo>,
    /// The last group of which the snapshot has something.
    covered: GroupSeq,
    scanner: Scanner,
    walk: Walk,
    /// Behind the last accepted record; `None` before the first.
    end: Option<Place>,
    applied: LogPosition,
    pending: VecDeque<Group>,
    pending_bytes: usize,
    /// Groups were left out of `pending` for want of room.
    pending_cut: bool,
    segment_ends: Vec<(SegmentNumber, GroupSeq)>,
}

fn unfit(snapshot: &SnapshotInfo, what: String) -> LogError {
    let path = snapshot.path.clone();
    LogError::Snapshot(SnapshotError {
        path,
        offset: 0,
        what,
    })
}

impl Recovery<'_> {
    /// Walks to the first record that does not continue the log; tells where and why.
    async fn walk_segments(
        &mut self,
        segments: &[SegmentNumber],
    ) -> Result<Option<(Place, Stop)>, LogError> {
        let mut stop = None;
        for &segment in segments {
            let slot = self.scanner.record_at(segment, 0, self.log.id()).await?;
            if let Err(stop) = accept_segment(slot) {
                return Ok(Some((Place { segment, offset: 0 }, stop)));
            }
            let mut place = Place {
                segment,
                offset: BLOCK as u64,
            };
            // Spares stand behind the end and are not passed through.
            stop = loop {
                let slot = self
                    .scanner
                    .record_at(segment, place.offset, self.log.id())
                    .await?;
                let next = match self.walk.accept(slot) {
                    Ok(Accepted::Group(group)) => {
                        let bytes = record_bytes(group.bytes().len()) as u64;
                        self.log.index().note(group.seq(), place);
                        self.take(group).await?;
                        place.offset + bytes
                    }
                    Ok(Accepted::Local(_)) => place.offset + BLOCK as u64,
                    Err(stop) => break Some((place, stop)),
                };
                place.offset = next;
                self.end = Some(place);
            };
            if place.offset > BLOCK as u64 {
                self.segment_ends.push((segment, self.walk.position.group));
            }
            if !matches!(stop, Some((_, Stop::Blank))) {
                return Ok(stop);
            }
        }
        Ok(stop)
    }

    /// Applies an accepted group, or keeps it until the mark allows it.
    async fn take(&mut self, group: Group) -> Result<(), LogError> {
        if self.snapshot.is_some_and(|snapshot| {
            let head = &snapshot.head;
            group.seq() <= head.position.group || group.first_commit() <= head.commit
        }) {
            self.covered = group.seq();
        }
        let bytes = group.bytes().len();
        if self.pending_bytes + bytes > PENDING_BYTES_MAX && !self.pending.is_empty() {
            self.pending_cut = true;
        }
        if !self.pending_cut {
            self.pending_bytes += bytes;
            self.pending.push_back(group);
        }
        while let Some(group) = self.pending.pop_front_if(|group| match self.recover_as {
            RecoverAs::Main => true,
            RecoverAs::Replica => group.seq() <= self.walk.marks.published.max(self.covered),
        }) {
            self.pending_bytes -= group.bytes().len();
            self.apply(&group).await?;
        }
        Ok(())
    }

    async fn apply(&mut self, group: &Group) -> Result<(), LogError> {
        let fits = group
            .follows(&self.applied)
            .map_err(|error| error.to_string());
        if fits.is_ok()
            && let Some(snapshot) = self.snapshot
            && group.seq() <= snapshot.head.position.group
        {
            let position = group.position();
            if position.group == snapshot.head.position.group && position != snapshot.head.position
            {
                return Err(unfit(
                    snapshot,
                    format!(
                        "it is of another history: {position} stands in the log where it has {}",
                        snapshot.head.position
                    ),
                ));
            }
            self.applied = position;
            return Ok(());
        }
        let known = self
            .snapshot
            .map_or(CommitSeq(0), |snapshot| snapshot.head.commit);
        fits.and_then(|()| apply_group_above(self.ledger, group, known))
            .map_err(|error| Fatal::Apply {
                group: group.seq(),
                error,
            })?;
        self.applied = group.position();
        self.rt.yield_if_needed().await;
        Ok(())
    }

    /// Whether the log has all that the snapshot has.
    fn reaches_snapshot(&self) -> Result<(), LogError> {
        match self.snapshot {
            Some(snapshot) if self.applied.commit < snapshot.head.commit => {
                let what = format!(
                    "it has commits up to {}, and the log ends at {}; restore the log, or move the snapshot aside to go back to what the log has",
                    snapshot.head.commit.0, self.applied
                );
                Err(unfit(snapshot, what))
            }
            _ => Ok(()),
        }
    }

    /// Applies what the last mark allows and was not applied on the way.
    async fn apply_rest(&mut self) -> Result<(), LogError> {
        let target = match self.recover_as {
            RecoverAs::Main => self.walk.position.group,
            RecoverAs::Replica => {
                let shown = self.walk.marks.published.min(self.walk.position.group);
                shown.max(self.covered)
            }
        };
        while self.applied.group < target
            && let Some(group) = self.pending.pop_front()
        {
            self.apply(&group).await?;
        }
        if self.applied.group >= target {
            return Ok(());
        }
        // More was pending than memory was given to: read it back.
        let (_, mut place) = self
            .log
            .index()
            .before(self.applied.group.next())
            .expect("accepted groups are in the index");
        while self.applied.group < target {
            match self
                .scanner
                .record_at(place.segment, place.offset, self.log.id())
                .await?
            {
                Slot::Group(_, group) => {
                    place.offset += record_bytes(group.bytes().len()) as u64;
                    if group.seq() > self.applied.group {
                        self.apply(&group).await?;
                    }
                }
                Slot::Local(_) => place.offset += BLOCK as u64,
                _ => {
                    let next = self.log.index().first_after(place.segment);
                    place = next.expect("accepted groups are in the index");
                }
            }
        }
        Ok(())
    }

    /// Gathers the evidence behind the end and does what the table says.
    async fn settle_end(
        &mut self,
        disk: &Disk,
        segments: &[SegmentNumber],
        stop: Option<(Place, Stop)>,
    ) -> Result<(Vec<Rescue>, String), LogError> {
        let Some((stop_place, stop)) = stop else {
            return Ok((Vec::new(), String::new()));
        };
        // Blank segments behind the end are walked too; what matters is where the records end.
        let stop_place = match (&stop, self.end) {
            (Stop::Blank, Some(end)) => end,
            _ => stop_place,
        };
        let log_id = self.log.id();
        let cuts = self.cuts_at_end(segments).await?;
        let mut behinds = Vec::new();
        for cut in &cuts {
            behinds.push(behind(&mut self.scanner, cut.place(), log_id).await?);
        }
        match decide(&Evidence::gather(&self.walk, &stop, &behinds)) {
            Decision::Refuse => Err(Fatal::Damaged {
                path: self.log.path(stop_place.segment),
                offset: stop_place.offset,
                what: stop.describe(),
                group: self.walk.position.group.next(),
                durable: highest_mark(&self.walk, &behinds),
            }
            .into()),
            // When clean, only segments without a record of their own go, and nothing is in them.
            Decision::Clean | Decision::Cut => {
                let rescued = carry_out(disk, &self.log.options.directory, &cuts, log_id).await?;
                self.scanner.forget();
                let reason = if rescued.is_empty() {
                    String::new()
                } else {
                    format!(
                        "{}: {}",
                        self.log.path(stop_place.segment).display(),
                        stop.describe()
                    )
                };
                Ok((rescued, reason))
            }
        }
    }

    /// What would have to go for the log to end behind the last accepted record.
    async fn cuts_at_end(&mut self, segments: &[SegmentNumber]) -> Result<Vec<Cut>, LogError> {
        let mut cuts: Vec<Cut> = self.end.map(Cut::Tail).into_iter().collect();
        let after = self.end.map_or(SegmentNumber(0), |place| place.segment);
        for &segment in segments.iter().filter(|&&segment| segment > after) {
            let slot = self.scanner.record_at(segment, 0, self.log.id()).await?;
            cuts.push(match accept_segment(slot) {
                Ok(()) => Cut::Segment(Place {
                    segment,
                    offset: BLOCK as u64,
                }),
                Err(_) => Cut::Headless(segment),
            });
        }
        Ok(cuts)
    }
}
