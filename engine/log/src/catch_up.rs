//! Reading the history back: for replicas that are behind, and to compare histories.
//!
//! Owns reads of the live log. Called by replication on any core. What always holds: only groups that
//! are durable here are given; a reader never makes a writer wait; memory is bounded by the caller's
//! `bytes_max` and one group.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;

use crate::core::LogCore;
use crate::error::LogError;
use crate::fatal::Fatal;
use crate::group::Group;
use crate::index::Place;
use crate::position::{GroupSeq, LogPosition};
use crate::scan::Scanner;
use crate::segment::{BLOCK, Slot, record_bytes};

/// Readers of one core that can go on where they left off; others start from the index.
const RESUMES_MAX: usize = 8;

/// Where a read left off.
pub(crate) struct Resume {
    next: GroupSeq,
    place: Place,
    cuts: u64,
    scanner: Scanner,
}

impl LogCore {
    /// Groups from `from` on, as many as fit `bytes_max`, at least one if there is one; none when
    /// `from` is after the end. To go on, ask for the group after the last.
    ///
    /// # Errors
    /// [`LogError::Io`], or [`Fatal::Damaged`] when what was synced cannot be read back any more (the
    /// log stops then).
    pub async fn read_groups(
        &self,
        from: GroupSeq,
        bytes_max: usize,
    ) -> Result<Vec<Group>, LogError> {
        let mut groups = Vec::new();
        let from = from.max(GroupSeq(1));
        let end = self.log.durable.group();
        if from > end {
            return Ok(groups);
        }
        let mut resume = self.resume_at(from);
        let mut bytes = 0;
        while bytes < bytes_max.max(1) && resume.next <= end {
            let (group, place) = self
                .next_group(&mut resume.scanner, resume.place, resume.next)
                .await?;
            resume.place = Place {
                offset: place.offset + record_bytes(group.bytes().len()) as u64,
                ..place
            };
            resume.next = group.seq().next();
            if group.seq() >= from {
                bytes += group.bytes().len();
                groups.push(group);
            }
        }
        let mut resumes = self.resumes.borrow_mut();
        if resumes.len() == RESUMES_MAX {
            resumes.pop_front();
        }
        resumes.push_back(resume);
        Ok(groups)
    }

    /// The position after `group` in this history; `None` when it is not durable here.
    ///
    /// # Errors
    /// As [`LogCore::read_groups`].
    pub async fn find(&self, group: GroupSeq) -> Result<Option<LogPosition>, LogError> {
        let end = self.log.durable.load();
        if group == GroupSeq::NONE {
            return Ok(Some(LogPosition::EMPTY));
        }
        if group >= end.group {
            return Ok((group == end.group).then_some(end));
        }
        Ok(self
            .read_groups(group, 1)
            .await?
            .first()
            .map(Group::position))
    }

    /// A reader whose next group is `from` or one before it.
    fn resume_at(&self, from: GroupSeq) -> Resume {
        let cuts = self.log.cuts.load(Ordering::Acquire);
        let mut resumes: std::cell::RefMut<'_, VecDeque<Resume>> = self.resumes.borrow_mut();
        resumes.retain(|resume| resume.cuts == cuts);
        if let Some(at) = resumes.iter().position(|resume| resume.next == from) {
            let mut resume = resumes.remove(at).expect("it was just found");
            resume.scanner.forget_window();
            return resume;
        }
        drop(resumes);
        let (next, place) = self
            .log
            .index()
            .before(from)
            .expect("durable groups are in the index");
        let scanner = Scanner::new(self.rt.disk(), self.log.options.directory.clone());
        Resume {
            next,
            place,
            cuts,
            scanner,
        }
    }

    /// The group `seq`, which is durable here, at `place` or behind it.
    async fn next_group(
        &self,
        scanner: &mut Scanner,
        mut place: Place,
        seq: GroupSeq,
    ) -> Result<(Group, Place), LogError> {
        loop {
            let what = match scanner
                .record_at(place.segment, place.offset, self.log.id())
                .await?
            {
                Slot::Group(_, group) if group.seq() == seq => return Ok((group, place)),
                Slot::Group(_, group) => format!("group {} stands here", group.seq()),
                Slot::Local(_) => {
                    place.offset += BLOCK as u64;
                    continue;
                }
                Slot::Blank => {
                    let next = self.log.index().first_after(place.segment);
                    if let Some(next) = next {
                        place = next;
                        continue;
                    }
                    "nothing stands here".into()
                }
                Slot::Bad(error) => error.to_string(),
                Slot::Short { .. } => unreachable!("the scanner gives whole records"),
            };
            return Err(self.log.stop(Fatal::Damaged {
                path: self.log.path(place.segment),
                offset: place.offset,
                what,
                group: seq,
                durable: self.log.durable.group(),
            }));
        }
    }

    /// Where the record after `position` stands or will stand.
    pub(crate) async fn place_after(&self, position: &LogPosition) -> Result<Place, LogError> {
        if position.is_empty() {
            let first = self
                .log
                .index()
                .first_after(crate::segment::SegmentNumber(0));
            return first
                .map(|place| Place {
                    offset: BLOCK as u64,
                    ..place
                })
                .ok_or(LogError::NotInHistory(*position));
        }
        if position.group > self.log.durable.group() {
            return Err(LogError::NotInHistory(*position));
        }
        let mut resume = self.resume_at(position.group);
        loop {
            let (group, place) = self
                .next_group(&mut resume.scanner, resume.place, resume.next)
                .await?;
            let after = Place {
                offset: place.offset + record_bytes(group.bytes().len()) as u64,
                ..place
            };
            if group.seq() == position.group {
                return if group.position() == *position {
                    Ok(after)
                } else {
                    Err(LogError::NotInHistory(*position))
                };
            }
            resume.place = after;
            resume.next = group.seq().next();
        }
    }
}
