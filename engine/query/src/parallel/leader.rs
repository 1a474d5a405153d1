//! The core that runs a statement and has others help.
//!
//! Owned here: [`Leader`], one run of a gathering operator. Called by `operator::gather`.
//! Always holds: dropping it takes the snapshot back and has all helpers look, so that each ends at its next turn.

use std::sync::Arc;

use quoit_cypher::error::Error;
use quoit_graph::LentSnapshot;

use super::job::{Awaited, Job, MESSAGES_MAX, Message, Offer, Outbox, Work};
use super::{Morsels, Part, Team};
use crate::operator::{Batch, Context};
use crate::plan::describe::Measured;

/// See the module.
pub(crate) struct Leader {
    job: Arc<Job>,
    /// Taken back when it is dropped.
    lent: Option<LentSnapshot>,
    helpers: Vec<HelperLink>,
    /// The helper that is looked at first, so that none is always last.
    next: usize,
    seen: u64,
}

struct HelperLink {
    inbox: rtrb::Consumer<Message>,
    is_over: bool,
}

/// What a helper has sent.
pub(crate) enum News {
    /// Rows.
    Rows(Batch),
    /// A part of an aggregate.
    Part(Part),
    /// It is done; what its operators did, if they were measured.
    End(Vec<Measured>),
}

impl Leader {
    /// Offers the other cores of the crew, `cores` in all at most, to help with these morsels.
    pub(crate) fn begin(
        team: &Team,
        gather: u32,
        cores: u16,
        morsels: Arc<Morsels>,
        cx: &mut Context<'_>,
    ) -> Leader {
        let crew = &*team.crew;
        let mates: Vec<u16> = (1..crew.cores())
            .map(|step| (crew.core() + step) % crew.cores())
            .take(usize::from(cores.saturating_sub(1)))
            .collect();
        let work = Work {
            text: team.text.clone(),
            fingerprint: team.fingerprint,
            gather,
            parameters: cx.parameters.iter().cloned().collect(),
            statement_time: cx.statement_time(),
            held: cx.share_held(),
            held_max: cx.held_max(),
            morsels,
        };
        let job = Arc::new(Job::new(work, crew.waker(), mates.len()));
        let lent = cx.lend();
        let mut helpers = Vec::with_capacity(mates.len());
        for (helper, core) in mates.into_iter().enumerate() {
            let (queue, inbox) = rtrb::RingBuffer::new(MESSAGES_MAX);
            helpers.push(HelperLink {
                inbox,
                is_over: false,
            });
            let offer = Offer {
                job: job.clone(),
                loan: lent.loan(),
                outbox: Outbox::new(job.clone(), helper, queue),
            };
            crew.offer(core, offer);
        }
        Leader {
            job,
            lent: Some(lent),
            helpers,
            next: 0,
            seen: 0,
        }
    }

    /// No morsel is left for those that have not begun.
    pub(crate) fn withdraw(&mut self) {
        for (link, place) in self.helpers.iter_mut().zip(&self.job.seats) {
            link.is_over |= place.seat.withdraw();
        }
    }

    /// Whether no helper has anything more to say.
    pub(crate) fn is_over(&self) -> bool {
        self.helpers.iter().all(|link| link.is_over)
    }

    /// The next thing that a helper has sent, if it is here.
    ///
    /// # Errors
    /// A helper's own; a helper has gone without a word.
    pub(crate) fn poll(&mut self) -> Result<Option<News>, Error> {
        // Read before the queues: what comes behind this look changes it.
        self.seen = self.job.news();
        for step in 0..self.helpers.len() {
            let at = (self.next + step) % self.helpers.len();
            let link = &mut self.helpers[at];
            if link.is_over {
                continue;
            }
            // In this order: what was sent before it went is there.
            let is_gone = link.inbox.is_abandoned();
            let Ok(message) = link.inbox.pop() else {
                if is_gone {
                    link.is_over = true;
                    if !self.job.seats[at].seat.withdraw() {
                        return Err(Error::internal(
                            "a core has given up its part of the statement",
                        ));
                    }
                }
                continue;
            };
            self.next = at + 1;
            self.job.tell_helper(at);
            return Ok(Some(match message {
                Message::Rows(rows) => News::Rows(rows),
                Message::Part(part) => News::Part(part),
                Message::Failed(error) => {
                    link.is_over = true;
                    return Err(error);
                }
                Message::End(measured) => {
                    link.is_over = true;
                    News::End(measured)
                }
            }));
        }
        Ok(None)
    }

    /// What to wait for when [`Leader::poll`] has found nothing.
    pub(crate) fn awaited(&self) -> Awaited {
        Awaited {
            job: self.job.clone(),
            seen: self.seen,
        }
    }
}

impl Drop for Leader {
    fn drop(&mut self) {
        // First taken back, then told.
        self.lent = None;
        for helper in 0..self.helpers.len() {
            self.job.tell_helper(helper);
        }
    }
}
