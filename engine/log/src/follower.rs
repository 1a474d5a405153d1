//! A replica's log: groups appended as they came, applied as far as the MAIN's mark allows.
//!
//! Owns the way of a group from a link to the disk and to the graph. Called by replication's replica
//! side on any core. What always holds: a group is appended only if it continues the chain, and
//! acknowledged (returned) only when it is durable; the graph is given groups in order, each once, up
//! to min(durable here, the MAIN's mark); what was shown is never cut back. When to append what, and
//! what the mark is, is left to replication.

use std::sync::atomic::Ordering;

use bytes::Bytes;
use quoit_rt::AlignedBuf;

use crate::core::LogCore;
use crate::cut::CutBack;
use crate::error::{AppendError, LogError, Role};
use crate::fatal::Fatal;
use crate::group::{Group, NotFollowing};
use crate::index::Place;
use crate::log::{Applied, Writer, count};
use crate::options::Durability;
use crate::position::{GroupSeq, LogPosition};
use crate::segment::{BLOCK, RECORD_HEADER, RecordKind, record_bytes};
use crate::space::NoRoom;

/// Groups appended together are written together, up to this many bytes.
const APPEND_BYTES_MAX: usize = 4 << 20;
/// Groups read back at once for applying, in bytes.
const READ_BACK_BYTES: usize = 1 << 20;

impl LogCore {
    /// Appends `groups`, in order, and returns the position to acknowledge: durable here. An empty log
    /// takes the history of the MAIN that sends group 1.
    ///
    /// # Errors
    /// [`AppendError::NotFollowing`] for the first group that does not continue this log; those before
    /// it are appended. [`LogError::Full`]: nothing more fits; the call may be repeated.
    pub async fn append(&self, groups: Vec<Group>) -> Result<LogPosition, AppendError> {
        let mut writer = self.acquire(&self.log.writer).await;
        let result = self.append_holding(&mut writer, groups).await;
        let tail = writer.tail;
        self.let_go_and_nudge(writer);
        result.map(|()| tail)
    }

    async fn append_holding(
        &self,
        writer: &mut Writer,
        groups: Vec<Group>,
    ) -> Result<(), AppendError> {
        self.refuse_unless(Role::Follower, "a replica")?;
        let mut rest = groups.into_iter().peekable();
        while let Some(first) = rest.peek() {
            first.follows(&writer.tail)?;
            let blocks = (record_bytes(first.bytes().len()) / BLOCK) as u64;
            self.wait_for_blocks(blocks).await?;
            let room = self.make_room(writer, blocks as usize * BLOCK).await;
            self.log.space.release_blocks(blocks);
            let room = room?.min(APPEND_BYTES_MAX.max(blocks as usize * BLOCK));

            let mut buf = AlignedBuf::with_capacity(blocks as usize * BLOCK);
            let mut batch = Vec::new();
            let mut position = writer.tail;
            let mut broken: Option<NotFollowing> = None;
            while let Some(group) = rest.peek() {
                if buf.len() + record_bytes(group.bytes().len()) > room {
                    break;
                }
                if let Err(error) = group.follows(&position) {
                    broken = Some(error);
                    break;
                }
                let place = Place {
                    segment: writer.segment,
                    offset: writer.offset + buf.len() as u64,
                };
                let local = self.local_part(writer, RecordKind::Group, group.bytes().len() as u64);
                buf.extend_from_slice(&local.encode());
                buf.extend_from_slice(group.bytes());
                buf.pad_to(BLOCK);
                position = group.position();
                batch.push((place, rest.next().expect("it was just looked at")));
            }
            debug_assert!(buf.len() >= RECORD_HEADER, "room was made for the first");
            let records: Bytes = buf.freeze();
            self.write_record(writer, records, || {}).await?;
            count(&self.log.counts.groups_appended, batch.len() as u64);
            for (place, group) in batch {
                self.note_in_index(group.seq(), place);
                self.hold(group);
            }
            self.after_write(writer, position);
            if let Some(error) = broken {
                return Err(error.into());
            }
        }
        Ok(())
    }

    /// Promises `blocks`, waiting for the keeper where it is behind.
    async fn wait_for_blocks(&self, blocks: u64) -> Result<(), LogError> {
        loop {
            match self.log.space.reserve_blocks(blocks) {
                Ok(()) => return Ok(()),
                Err(NoRoom::Full | NoRoom::TooLarge) => {
                    self.log.ring_keeper();
                    return Err(LogError::Full(self.log.full_reason()));
                }
                Err(NoRoom::Busy) => self.log.ring_keeper(),
            }
            if self.log.role() == Role::Stopped {
                return Err(LogError::Stopped);
            }
            self.rt.sleep(std::time::Duration::from_millis(1)).await;
        }
    }

    /// Keeps an appended group in memory until it is applied, within the bound.
    fn hold(&self, group: Group) {
        let mut held = self.held.borrow_mut();
        let bytes: usize = held.iter().map(|g| g.bytes().len()).sum();
        if bytes + group.bytes().len() <= self.log.options.held_bytes {
            held.push_back(group);
        }
    }

    /// Applies and publishes groups up to `mark` as far as they are durable here; returns what readers
    /// see now. Calls may overlap and repeat.
    ///
    /// # Errors
    /// [`Fatal::Apply`] when a group does not fit the graph: the log has stopped then.
    pub async fn apply_to(&self, mark: GroupSeq) -> Result<LogPosition, LogError> {
        self.refuse_unless(Role::Follower, "a replica")?;
        let visible = self.apply_up_to(mark).await?;
        // The mark goes to disk with the next record, or after a pause.
        self.wrote.raise();
        Ok(visible)
    }

    pub(crate) async fn apply_up_to(&self, mark: GroupSeq) -> Result<LogPosition, LogError> {
        let mut applied = self.acquire(&self.log.applier).await;
        let result = self.apply_holding(&mut applied, mark).await;
        let position = applied.position;
        self.let_go_and_nudge(applied);
        result.map(|()| position)
    }

    pub(crate) async fn apply_holding(
        &self,
        applied: &mut Applied,
        mark: GroupSeq,
    ) -> Result<(), LogError> {
        loop {
            let target = self.log.showable(mark);
            if applied.position.group >= target {
                return Ok(());
            }
            let groups = match self.take_held(&applied.position) {
                Some(group) => vec![group],
                None => {
                    self.read_groups(applied.position.group.next(), READ_BACK_BYTES)
                        .await?
                }
            };
            for group in groups.iter().take_while(|group| group.seq() <= target) {
                let fits = group
                    .follows(&applied.position)
                    .map_err(|error| error.to_string());
                if let Err(error) = fits.and_then(|()| apply_group(&*self.ledger, group)) {
                    return Err(self.log.stop(Fatal::Apply {
                        group: group.seq(),
                        error,
                    }));
                }
                applied.position = group.position();
                count(&self.log.counts.groups_applied, 1);
                self.publish(&applied.position);
                self.rt.yield_if_needed().await;
            }
        }
    }

    /// The group after `position`, if this core kept it; drops those that are of no use any more.
    fn take_held(&self, position: &LogPosition) -> Option<Group> {
        let mut held = self.held.borrow_mut();
        while let Some(group) = held.front() {
            if group.follows(position).is_ok() {
                return held.pop_front();
            }
            if group.seq() > position.group.next() {
                return None;
            }
            held.pop_front();
        }
        None
    }

    /// Gives up what this replica holds after `to`, a position of its history that the MAIN shares. The
    /// groups are copied to a rescue file first. Nothing when `to` is the end.
    ///
    /// # Errors
    /// [`LogError::AlreadyVisible`] when readers have seen more, [`LogError::NotInHistory`] when `to`
    /// is not of this history; nothing was changed then.
    pub async fn cut_back(&self, to: &LogPosition) -> Result<CutBack, LogError> {
        self.refuse_unless(Role::Follower, "a replica")?;
        let mut writer = self.acquire(&self.log.writer).await;
        let applied = self.acquire(&self.log.applier).await;
        let result = self.cut_back_holding(&mut writer, &applied, to).await;
        self.let_go_and_nudge(applied);
        self.let_go_and_nudge(writer);
        result
    }

    async fn cut_back_holding(
        &self,
        writer: &mut Writer,
        applied: &Applied,
        to: &LogPosition,
    ) -> Result<CutBack, LogError> {
        if applied.position.group > to.group {
            return Err(LogError::AlreadyVisible {
                to: to.group,
                visible: applied.position.group,
            });
        }
        let from = writer.tail;
        if *to == from {
            return Ok(CutBack {
                from,
                to: *to,
                groups: 0,
                rescued: Vec::new(),
            });
        }
        let place = self.place_after(to).await?;
        let (rescued, free_blocks) = self.cut_at(place, to).await?;
        self.held.borrow_mut().clear();
        writer.tail = *to;
        writer.segment = place.segment;
        self.log
            .current_segment
            .store(place.segment.0, Ordering::Release);
        self.log.synced.store(&LogPosition::EMPTY);
        writer.offset = place.offset;
        writer.marks.durable = writer.marks.durable.min(to.group);
        if self.log.options.durability == Durability::Commit {
            writer.marks.durable = to.group;
            writer.marks.durable_chain = to.chain;
        }
        writer.marks_on_disk = Default::default();
        self.log.space.switch(None, free_blocks);
        self.log.durable.store(to);
        self.wrote.raise();
        Ok(CutBack {
            from,
            to: *to,
            groups: from.group.0 - to.group.0,
            rescued,
        })
    }
}

/// Gives a group's transactions to the graph, in order.
pub(crate) fn apply_group(ledger: &dyn crate::Ledger, group: &Group) -> Result<(), String> {
    apply_group_above(ledger, group, crate::CommitSeq(0))
}

/// As [`apply_group`], but for those up to commit `known`, which the graph has.
pub(crate) fn apply_group_above(
    ledger: &dyn crate::Ledger,
    group: &Group,
    known: crate::CommitSeq,
) -> Result<(), String> {
    let mut seq = group.first_commit();
    for frame in group.frames() {
        if frame.kind.is_numbered() && seq <= known {
            seq = crate::CommitSeq(seq.0 + 1);
        } else if frame.kind.is_numbered() {
            ledger
                .apply(seq, frame.body)
                .map_err(|error| format!("commit {}: {error}", seq.0))?;
            seq = crate::CommitSeq(seq.0 + 1);
        }
    }
    Ok(())
}
