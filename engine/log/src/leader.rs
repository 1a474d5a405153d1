//! Writing: groups formed from sealed frames, records put into segments, marks.
//!
//! Owns every write to a segment after recovery. Called by the core's attendant (which leads while
//! frames are sealed), by `role` (openings) and `follower` (appended groups). What always holds: one
//! write in flight, by the holder of the baton; a group is published after its write completed (with
//! durability `none` commits are published as they are taken, and written when enough have come together or
//! none comes any more); an error of a write or sync stops the log and is never
//! retried; a lone commit never waits for company.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use quoit_rt::AlignedBuf;

use crate::CommitSeq;
use crate::core::LogCore;
use crate::error::{LogError, Role};
use crate::fatal::Fatal;
use crate::frame::{OpeningReason, opening_frame};
use crate::group::{Forming, GROUP_HEADER, Group};
use crate::index::Place;
use crate::log::{Writer, count};
use crate::options::Durability;
use crate::position::{Incarnation, LogPosition, Term};
use crate::segment::{BLOCK, LocalPart, RECORD_HEADER, RecordKind, SegmentNumber, record_bytes};
use crate::space::NoRoom;

/// Durability `none`: so many bytes of frames that are shown wait to be written as one group.
const UNWRITTEN_BYTES_MAX: usize = 128 << 10;

/// What becomes of frames whose write nobody waits for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unwaited {
    /// They wait for more.
    Kept,
    /// They are written.
    Written,
}

impl LogCore {
    /// Leads until nothing is sealed that nobody leads, or another core has the baton. The baton is
    /// put down after each round, so that under load the cores take turns.
    pub(crate) async fn lead(&self, unwaited: Unwaited) -> Result<(), LogError> {
        loop {
            let Some(mut writer) = self.log.writer.arrive() else {
                // Whoever holds it looks again after letting go.
                return Ok(());
            };
            let written = self.write_sealed(&mut writer, unwaited).await;
            let seen = self.let_go(writer);
            written?;
            if !seen.unled {
                return Ok(());
            }
            if seen.wanted {
                // A role change, an append or a mark goes first.
                self.rt.yield_now().await;
            }
        }
    }

    /// Takes what is sealed, up to the bound of a group, and writes it: one group, or several when the
    /// segment ends in between.
    async fn write_sealed(&self, writer: &mut Writer, unwaited: Unwaited) -> Result<(), LogError> {
        if self.log.role() != Role::Main {
            return Ok(());
        }
        if writer.opened.is_none() {
            let term = Term {
                counter: 1,
                id: self.rt.random(),
            };
            self.open_incarnation(writer, term, OpeningReason::Founding)
                .await?;
        }
        let mut gathered = std::mem::take(&mut writer.gathered);
        let kept = gathered.len();
        self.ledger
            .door()
            .take_sealed(self.log.options.group_bytes, &mut gathered);
        if self.log.options.durability == Durability::None
            && let Some((last, _)) = gathered.last()
        {
            self.show_unwritten(writer, *last);
            let taken = gathered[kept..].iter().map(|(_, frame)| frame.len());
            writer.unwritten += taken.sum::<usize>();
            if unwaited == Unwaited::Kept && writer.unwritten < UNWRITTEN_BYTES_MAX {
                writer.gathered = gathered;
                return Ok(());
            }
            writer.unwritten = 0;
        }
        let mut rest = &gathered[..];
        let mut result = Ok(());
        while !rest.is_empty() && result.is_ok() {
            let fits = match self
                .make_room(writer, record_bytes(GROUP_HEADER + rest[0].1.len()))
                .await
            {
                Ok(bytes) => bytes,
                Err(error) => {
                    result = Err(error);
                    break;
                }
            };
            let mut bytes = RECORD_HEADER + GROUP_HEADER;
            let mut taken = 0;
            while taken < rest.len() && bytes + rest[taken].1.len() <= fits {
                bytes += rest[taken].1.len();
                taken += 1;
            }
            let (now, later) = rest.split_at(taken);
            assert_eq!(
                now[0].0.0,
                writer.tail.commit.0 + 1,
                "frames are taken in the order of their numbers"
            );
            result = self
                .write_frames(writer, now.iter().map(|(_, frame)| frame), taken as u32)
                .await;
            if result.is_ok() {
                count(&self.log.counts.frames_written, taken as u64);
                now.iter()
                    .for_each(|(_, frame)| self.log.space.release(frame.len()));
            }
            rest = later;
        }
        gathered.clear();
        writer.gathered = gathered;
        result
    }

    /// Forms one group of `frames`, writes it and publishes it. Room was made.
    async fn write_frames<'f>(
        &self,
        writer: &mut Writer,
        frames: impl ExactSizeIterator<Item = &'f Bytes> + Clone,
        commit_count: u32,
    ) -> Result<(), LogError> {
        let (term, incarnation) = writer
            .opened
            .expect("an incarnation is opened before a group is formed");
        let forming = Forming {
            after: writer.tail,
            term,
            incarnation,
        };
        let frame_count = frames.len() as u32;
        let frames_bytes: usize = frames.clone().map(Bytes::len).sum();
        let mut buf = AlignedBuf::with_capacity(record_bytes(GROUP_HEADER + frames_bytes));
        buf.resize_zeroed(RECORD_HEADER + GROUP_HEADER);
        frames.for_each(|frame| buf.extend_from_slice(frame));
        let region = &buf[RECORD_HEADER + GROUP_HEADER..];
        let header = Group::header(&forming, region, frame_count, commit_count);
        buf[RECORD_HEADER..RECORD_HEADER + GROUP_HEADER].copy_from_slice(&header);
        let group_bytes = buf.len() - RECORD_HEADER;
        let local = self.local_part(writer, RecordKind::Group, group_bytes as u64);
        buf[..RECORD_HEADER].copy_from_slice(&local.encode());
        buf.pad_to(BLOCK);
        let record = buf.freeze();
        let group = Group::trusted(record.slice(RECORD_HEADER..RECORD_HEADER + group_bytes));
        let position = group.position();

        let place = Place {
            segment: writer.segment,
            offset: writer.offset,
        };
        let early = self.acknowledges_early();
        let written = self
            .write_record(writer, record, || {
                // The disk has its write; the lanes get the same bytes in the same turn.
                let sink = self.sink.borrow().clone();
                if let Some(sink) = sink {
                    sink.group(&group);
                }
                if early {
                    self.publish(&position);
                }
            })
            .await;
        written?;
        self.note_in_index(group.seq(), place);
        count(&self.log.counts.groups_written, 1);
        self.after_write(writer, position);
        if !early {
            self.publish(&reached(writer, position));
        }
        Ok(())
    }

    /// What was written up to `position` is now as durable as was asked for.
    pub(crate) fn after_write(&self, writer: &mut Writer, position: LogPosition) {
        writer.tail = position;
        if self.log.options.durability == Durability::Commit {
            writer.marks.durable = position.group;
            writer.marks.durable_chain = position.chain;
        }
        self.log.durable.store(&reached(writer, position));
        self.wrote.raise();
    }

    /// Durability `none`: shows what is taken up to `last` and not written. The core's marker writes it when nothing comes
    /// for a while.
    fn show_unwritten(&self, writer: &mut Writer, last: CommitSeq) {
        if last <= writer.shown {
            return;
        }
        writer.shown = last;
        let position = reached(writer, writer.tail);
        self.log.durable.store(&position);
        self.wrote.raise();
        self.publish(&position);
    }

    /// Shows everything up to `position` to readers and wakes who waited for it.
    pub(crate) fn publish(&self, position: &LogPosition) {
        self.ledger.door().publish(position.commit);
        self.log.visible.store(position);
        let sink = self.sink.borrow().clone();
        if let Some(sink) = sink {
            sink.durable(position);
        }
        self.announce();
    }

    fn acknowledges_early(&self) -> bool {
        #[cfg(test)]
        return self
            .log
            .options
            .faults
            .is(crate::tests::faults::Mutant::AcknowledgeEarly);
        #[cfg(not(test))]
        false
    }

    /// The local part of the next record, with the marks of this moment.
    pub(crate) fn local_part(
        &self,
        writer: &mut Writer,
        kind: RecordKind,
        payload_bytes: u64,
    ) -> LocalPart {
        self.refresh_marks(writer);
        LocalPart {
            kind,
            segment: writer.segment,
            log_id: self.log.id(),
            marks: writer.marks,
            payload_bytes,
        }
    }

    /// The marks of this moment.
    fn refresh_marks(&self, writer: &mut Writer) {
        writer.marks.published = self.log.visible.group();
        let synced = self.log.synced.load();
        if synced.group > writer.marks.durable {
            writer.marks.durable = synced.group;
            writer.marks.durable_chain = synced.chain;
        }
    }

    /// Writes a record at the writer's place and moves on. `submitted` runs as soon as the write is on
    /// its way.
    pub(crate) async fn write_record(
        &self,
        writer: &mut Writer,
        record: Bytes,
        submitted: impl FnOnce(),
    ) -> Result<(), LogError> {
        assert!(
            !writer.in_flight,
            "a write that was abandoned has stopped the log"
        );
        let file = self.file(writer.segment).await?;
        if self.log.role() == Role::Stopped {
            return Err(LogError::Stopped);
        }
        let (bytes, offset) = (record.len() as u64, writer.offset);
        assert_eq!(bytes % BLOCK as u64, 0, "records are whole blocks");
        self.log.space.used(bytes / BLOCK as u64);
        writer.in_flight = true;
        #[cfg(test)]
        let traced = self
            .log
            .options
            .faults
            .submitted(writer.segment, offset, &record);
        let mut write = pin!(file.write_at(record, offset));
        let mut submitted = Some(submitted);
        let (result, _) = poll_fn(|cx| {
            let polled = write.as_mut().poll(cx);
            if let Some(submitted) = submitted.take() {
                submitted();
            }
            match polled {
                Poll::Ready(done) => Poll::Ready(done),
                Poll::Pending => Poll::Pending,
            }
        })
        .await;
        #[cfg(test)]
        let result = self.log.options.faults.completed(traced, result);
        if let Err(error) = result {
            let path = self.log.path(writer.segment);
            return Err(self.log.stop(Fatal::Write {
                path,
                offset,
                error: error.to_string(),
            }));
        }
        writer.in_flight = false;
        writer.offset += bytes;
        writer.marks_on_disk = writer.marks;
        count(&self.log.counts.bytes_written, bytes);
        Ok(())
    }

    /// Makes sure that a record of `needed` bytes fits where the writer stands, going on to the next
    /// segment otherwise; gives the bytes that are free there.
    pub(crate) async fn make_room(
        &self,
        writer: &mut Writer,
        needed: usize,
    ) -> Result<usize, LogError> {
        let blocks = needed.div_ceil(BLOCK) as u64;
        while self.log.space.current() < blocks {
            if self.log.options.durability != Durability::Commit {
                self.sync_segment(writer).await?;
            }
            let spare = self.log.spares().pop_front();
            match spare {
                Some(spare) if spare.blocks >= blocks => {
                    self.log.space.switch(Some(spare.slot), spare.blocks);
                    writer.segment = spare.number;
                }
                Some(spare) => {
                    self.log.space.drop_spare(spare.slot);
                    continue;
                }
                None => {
                    // Rare, since the account of space asks the keeper in time. One that is being made
                    // comes first: segments are used in the order of their numbers.
                    let maker = self.maker().await;
                    if !self.log.spares().is_empty() {
                        drop(maker);
                        continue;
                    }
                    let made = self.make_segment(blocks).await;
                    drop(maker);
                    let (number, blocks) = made.map_err(|error| self.cannot_go_on(error))?;
                    self.log.space.switch(None, blocks);
                    writer.segment = number;
                }
            }
            writer.offset = BLOCK as u64;
            self.log
                .current_segment
                .store(writer.segment.0, Ordering::Release);
            self.log.ring_keeper();
        }
        Ok(usize::try_from(self.log.space.current())
            .unwrap_or(usize::MAX)
            .saturating_mul(BLOCK))
    }

    fn cannot_go_on(&self, error: LogError) -> LogError {
        let number = SegmentNumber(
            self.log
                .next_segment
                .load(std::sync::atomic::Ordering::Relaxed),
        );
        self.log.stop(Fatal::Segment {
            path: self.log.path(number),
            error: error.to_string(),
        })
    }

    /// Syncs the writer's segment: all of its writes are complete. What was synced becomes the mark.
    async fn sync_segment(&self, writer: &mut Writer) -> Result<(), LogError> {
        if writer.offset == 0 || writer.marks.durable == writer.tail.group {
            return Ok(());
        }
        let file = self.file(writer.segment).await?;
        if let Err(error) = file.sync().await {
            let path = self.log.path(writer.segment);
            return Err(self.log.stop(Fatal::Write {
                path,
                offset: writer.offset,
                error: error.to_string(),
            }));
        }
        writer.marks.durable = writer.tail.group;
        writer.marks.durable_chain = writer.tail.chain;
        Ok(())
    }

    /// Opens an incarnation by a group of its own, durable on return.
    pub(crate) async fn open_incarnation(
        &self,
        writer: &mut Writer,
        term: Term,
        reason: OpeningReason,
    ) -> Result<(), LogError> {
        let number = writer.tail.incarnation.number + 1;
        writer.opened = Some((
            term,
            Incarnation {
                number,
                id: self.rt.random(),
            },
        ));
        let frame = opening_frame(reason, self.rt.wall_clock_us() / 1000);
        self.make_room(writer, record_bytes(GROUP_HEADER + frame.len()))
            .await?;
        self.write_frames(writer, std::iter::once(&frame), 0).await
    }

    /// Writes the marks, if the disk does not have them and there is room.
    pub(crate) async fn write_mark(&self, writer: &mut Writer) -> Result<(), LogError> {
        if self.log.options.durability != Durability::Commit {
            self.sync_segment(writer).await?;
        }
        self.refresh_marks(writer);
        if writer.marks == writer.marks_on_disk {
            return Ok(());
        }
        match self.log.space.reserve_blocks(1) {
            Ok(()) => {}
            // Rather no mark than a block that was promised to a commit.
            Err(NoRoom::Busy | NoRoom::Full | NoRoom::TooLarge) => return Ok(()),
        }
        let result = match self.make_room(writer, BLOCK).await {
            Ok(_) => {
                let mut buf = AlignedBuf::zeroed(BLOCK);
                buf[..RECORD_HEADER]
                    .copy_from_slice(&self.local_part(writer, RecordKind::Mark, 0).encode());
                self.write_record(writer, buf.freeze(), || {}).await
            }
            Err(error) => Err(error),
        };
        self.log.space.release_blocks(1);
        count(&self.log.counts.marks_written, 1);
        result
    }

    /// The core's marker: after a pause without writes by this core it writes the marks, so that the
    /// last group is not taken for a torn tail.
    pub(crate) async fn mark_when_idle(self: Rc<Self>) {
        loop {
            self.wrote.raised().await;
            loop {
                self.rt.sleep(self.log.options.idle_mark).await;
                if !self.wrote.lower() {
                    break;
                }
            }
            if !matches!(self.log.role(), Role::Main | Role::Follower) {
                continue;
            }
            // Somebody who writes right now has a marker of their own.
            if let Some(mut writer) = self.log.writer.arrive() {
                let written = self.write_sealed(&mut writer, Unwaited::Written).await;
                if written.is_ok() {
                    let _ = self.write_mark(&mut writer).await;
                }
                self.let_go_and_nudge(writer);
            }
        }
    }

    /// Durability `interval`: syncs what was written, every `interval`, while writes go on.
    pub(crate) async fn sync_now_and_then(self: Rc<Self>, interval: Duration) {
        while self.log.role() != Role::Stopped {
            self.rt.sleep(interval).await;
            let position = self.log.durable.load();
            if position.group <= self.log.synced.group() {
                continue;
            }
            // Looked up after the position: segments before this one were synced when they were left.
            let segment = SegmentNumber(self.log.current_segment.load(Ordering::Acquire));
            let Ok(file) = self.file(segment).await else {
                continue;
            };
            if let Err(error) = file.sync().await {
                let path = self.log.path(segment);
                self.log.stop(Fatal::Write {
                    path,
                    offset: 0,
                    error: error.to_string(),
                });
                return;
            }
            self.log.synced.store(&position);
        }
    }
}

/// `position` as it is shown: with durability `none`, commits are shown before the group that carries them is formed.
fn reached(writer: &Writer, position: LogPosition) -> LogPosition {
    LogPosition {
        commit: position.commit.max(writer.shown),
        ..position
    }
}
