//! A core that helps another with its statement.
//!
//! Owned here: [`Helper`], from the offer to its last word. Called by the server, one turn after the other.
//! Always holds: the leader's snapshot is in use during a turn only; a helper whose leader has gone is done at its next turn; between
//! two turns it holds ids and values.

use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;

use quoit_cypher::error::Error;
use quoit_graph::{Core, Loan, Statement, Txn};

use super::Part;
use super::job::{Job, Message, Offer, Outbox};
use crate::operator::gather::no_parts;
use crate::operator::{
    Batch, Context, Counts, Operator, Pull, Running, State, build, build_measured, measured,
};
use crate::plan::describe::Measured;
use crate::plan::{Merging, Op, Plan};
use crate::prepared::{Mode, Prepared};
use crate::query_core::QueryCore;

/// See the module.
pub struct Helper {
    job: Arc<Job>,
    loan: Loan,
    outbox: Outbox,
    prepared: Prepared,
    running: Running,
    counts: Counts,
    merging: Merging,
    state: State,
    txn: Txn,
    statement: Statement,
    /// What there was no room for.
    unsent: Option<Message>,
    stage: Stage,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Working,
    /// What is left to be said is how it ended.
    Ending,
    Ended,
}

/// What its operators have come to.
enum Worked {
    Rows(Batch),
    Part(Part),
    End,
    /// The time is over.
    Yield,
}

/// What a turn came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Its time is over: there is more to do.
    Yield,
    /// It waits for its leader, until [`Helper::may_go_on`].
    Wait,
    /// It is done: drop it.
    Done,
}

/// The gathering operator of this number.
fn find(plan: &Plan, number: u32) -> Option<&Plan> {
    match &plan.op {
        Op::Gather(gather) if gather.number == number => Some(plan),
        _ => plan.inputs.iter().find_map(|input| find(input, number)),
    }
}

impl Helper {
    /// Takes an offer up; `None` if there is nothing to do here: the leader has gone or has begun to end, or this core has come to another
    /// plan. `waker` has the helper looked at again when it waits.
    pub fn begin(offer: Offer, queries: &QueryCore, core: &Core, waker: Waker) -> Option<Helper> {
        let Offer { job, loan, outbox } = offer;
        if !loan.is_open() {
            return None;
        }
        let prepared = queries.prepare(&job.work.text, core).ok()?;
        let planned = prepared.inner.planned.as_ref()?;
        if planned.fingerprint() != job.work.fingerprint {
            return None;
        }
        let gathering = find(&planned.plan, job.work.gather)?;
        let Op::Gather(gather) = &gathering.op else {
            return None;
        };
        let merging = gather.merging;
        let fragment = gathering.inputs.first()?;
        let mut counts = Counts::new();
        let running = match prepared.mode() {
            Mode::Profile => build_measured(fragment, &mut counts),
            Mode::Run | Mode::Explain => build(fragment),
        };
        let in_use = loan.begin()?;
        let mut txn = core.begin_lent(&in_use);
        drop(in_use);
        let place = &job.seats[outbox.helper];
        // The leader may look for whom to wake from the moment the seat is taken.
        let _ = place.waker.set(waker);
        if !place.seat.take() {
            return None;
        }
        let work = &job.work;
        let parameters: Rc<[_]> = work.parameters.iter().cloned().collect();
        let mut state = State::new(
            parameters,
            planned.locals,
            planned.subqueries,
            1,
            work.statement_time,
            work.held_max,
        );
        state.help(work.held.clone(), work.morsels.clone());
        let statement = txn.begin_statement(true);
        Some(Helper {
            job,
            loan,
            outbox,
            running,
            counts,
            merging,
            state,
            txn,
            statement,
            unsent: None,
            stage: Stage::Working,
            prepared,
        })
    }

    /// Works until its time is over or it has to wait. `should_yield` is asked at least once a page, and at least every 256 rows.
    pub fn turn(&mut self, core: &Core, should_yield: &dyn Fn() -> bool) -> Turn {
        let loan = self.loan.clone();
        let Some(_in_use) = loan.begin() else {
            return Turn::Done;
        };
        if let Some(message) = self.unsent.take() {
            self.unsent = self.outbox.send(message);
        }
        let should_stop = || !loan.is_open() || should_yield();
        while self.unsent.is_none() {
            let message = match self.stage {
                Stage::Ended => return Turn::Done,
                Stage::Ending => {
                    self.stage = Stage::Ended;
                    Message::End(self.measured())
                }
                Stage::Working => match self.work(core, &should_stop) {
                    Ok(Worked::Rows(rows)) => Message::Rows(rows),
                    Ok(Worked::Part(part)) => {
                        self.stage = Stage::Ending;
                        Message::Part(part)
                    }
                    Ok(Worked::End) => {
                        self.stage = Stage::Ending;
                        continue;
                    }
                    Ok(Worked::Yield) => return Turn::Yield,
                    Err(error) => {
                        self.stage = Stage::Ended;
                        Message::Failed(self.prepared.placed(error))
                    }
                },
            };
            self.unsent = self.outbox.send(message);
            if self.unsent.is_none() && self.stage == Stage::Working && should_stop() {
                return Turn::Yield;
            }
        }
        Turn::Wait
    }

    /// Whether a turn would do anything; looked at when it waits.
    pub fn may_go_on(&self) -> bool {
        self.outbox.has_room() || !self.loan.is_open()
    }

    fn work(&mut self, core: &Core, should_stop: &dyn Fn() -> bool) -> Result<Worked, Error> {
        let epoch = core.enter();
        let mut cx = Context::new(
            &mut self.txn,
            &epoch,
            &mut self.state,
            &self.statement,
            should_stop,
        );
        let worked = match self.merging {
            Merging::Rows => {
                let mut rows = Batch::new();
                let pulled = self.running.next(&mut cx, &mut rows);
                pulled.map(|pulled| match pulled {
                    Pull::Rows => Worked::Rows(rows),
                    Pull::Yield => Worked::Yield,
                    Pull::End => Worked::End,
                })
            }
            Merging::Parts => part_of(&mut *self.running, &mut cx),
        };
        cx.finish();
        worked
    }

    fn measured(&self) -> Vec<Measured> {
        let planned = self.prepared.inner.planned.as_ref();
        let gathering = planned.and_then(|planned| find(&planned.plan, self.job.work.gather));
        match gathering.and_then(|gathering| gathering.inputs.first()) {
            Some(fragment) if !self.counts.is_empty() => measured(fragment, &self.counts),
            _ => Vec::new(),
        }
    }
}

/// The part of an operator when no morsel is left.
fn part_of(operator: &mut dyn Operator, cx: &mut Context<'_>) -> Result<Worked, Error> {
    let divided = operator.divided().ok_or_else(no_parts)?;
    Ok(match divided.take_part(cx)? {
        Pull::Yield => Worked::Yield,
        Pull::Rows | Pull::End => Worked::Part(divided.give_part()),
    })
}
