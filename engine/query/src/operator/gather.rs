//! Work on the vertices of a scan that is divided between the cores, and its results put together.
//!
//! [`Gather`] stands where the results of several cores become one stream: of rows, as they come, or of an aggregate, of which each core
//! brings its part. [`MorselScan`] is the leaf that all of them share: it gives the vertices of the morsels that this core gets; an aggregate by
//! columns takes its morsels itself. What other
//! cores do and how they are reached is [`crate::parallel`]'s.
//! What always holds: the rows are those of one core's run, in another order; sums of floats, and with them averages, may differ in
//! their last digits, since they are added up in another order. Without others, or in a transaction that sees what is not committed,
//! this core takes all morsels.

use std::rc::Rc;
use std::sync::Arc;

use quoit_cypher::error::Error;
use quoit_graph::ids::VertexId;
use quoit_graph::value::Value;

use super::measure::add_measured;
use super::scan::{Sought, label_id};
use super::{Batch, Context, Counts, Divided, Operator, Pull, Running};
use crate::parallel::{Leader, Morsels, News, Part};
use crate::plan::{self, Merging};

/// See the module.
pub struct Gather {
    plan: Rc<plan::Gather>,
    input: Running,
    /// Where the measures of its inputs are, if they are measured.
    counts: Counts,
    stage: Stage,
    leader: Option<Leader>,
    /// A part that is being taken in.
    part: Option<Part>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Start,
    /// This core takes morsels.
    Working,
    /// The other cores finish theirs.
    Waiting,
    /// The parts are together.
    Giving,
}

/// An operator was divided that does not give parts.
pub fn no_parts() -> Error {
    Error::internal("an operator that gives no parts was divided")
}

impl Gather {
    /// `counts`: those of the operators below, empty if they are not measured.
    pub fn new(plan: Rc<plan::Gather>, input: Running, counts: Counts) -> Self {
        Gather {
            plan,
            input,
            counts,
            stage: Stage::Start,
            leader: None,
            part: None,
        }
    }

    fn begin(&mut self, cx: &mut Context<'_>) {
        let pages = match &self.plan.label {
            None => cx.view.pages(None),
            Some(name) => match label_id(name, cx) {
                Some(label) => cx.view.pages(Some(label)),
                // No vertex has a label that has no id.
                None => Vec::new(),
            },
        };
        let team = cx.team();
        let cores = team
            .as_ref()
            .map_or(1, |team| self.plan.cores.min(team.crew.cores()));
        let morsels = Arc::new(Morsels::new(pages, cores));
        cx.deal(morsels.clone());
        // One core takes the only morsel.
        let cores = cores.min(u16::try_from(morsels.count()).unwrap_or(u16::MAX));
        if let Some(team) = team
            && cores > 1
        {
            self.leader = Some(Leader::begin(&team, self.plan.number, cores, morsels, cx));
        }
    }

    fn divided(&mut self) -> Result<&mut dyn Divided, Error> {
        self.input.divided().ok_or_else(no_parts)
    }

    /// Takes in what helpers have sent; rows go to `out`.
    fn listen(&mut self, cx: &mut Context<'_>, out: &mut Batch) -> Result<Listened, Error> {
        loop {
            if let Some(mut part) = self.part.take()
                && !self.divided()?.merge(&mut part, cx)?
            {
                self.part = Some(part);
                return Ok(Listened::TimeIsOver);
            }
            let Some(leader) = &mut self.leader else {
                return Ok(Listened::Nothing);
            };
            match leader.poll()? {
                None => return Ok(Listened::Nothing),
                Some(News::Rows(rows)) => {
                    *out = rows;
                    return Ok(Listened::Rows);
                }
                Some(News::Part(part)) => self.part = Some(part),
                Some(News::End(measured)) => add_measured(&self.counts, &measured),
            }
        }
    }
}

enum Listened {
    Nothing,
    Rows,
    TimeIsOver,
}

impl Operator for Gather {
    fn reset(&mut self, argument: &[Value]) {
        self.leader = None;
        self.part = None;
        self.stage = Stage::Start;
        self.input.reset(argument);
    }

    fn next(&mut self, cx: &mut Context<'_>, out: &mut Batch) -> Result<Pull, Error> {
        out.clear();
        if self.stage == Stage::Start {
            self.begin(cx);
            self.stage = Stage::Working;
        }
        while self.stage != Stage::Giving {
            match self.listen(cx, out)? {
                Listened::Rows => return Ok(Pull::Rows),
                Listened::TimeIsOver => return Ok(Pull::Yield),
                Listened::Nothing => {}
            }
            if self.stage == Stage::Waiting {
                match &self.leader {
                    Some(leader) if !leader.is_over() => {
                        cx.wait_for_cores(leader.awaited());
                        return Ok(Pull::Yield);
                    }
                    _ => self.leader = None,
                }
                cx.end_sharing();
                self.stage = Stage::Giving;
                break;
            }
            let pulled = match self.plan.merging {
                Merging::Rows => self.input.next(cx, out)?,
                Merging::Parts => self.divided()?.take_part(cx)?,
            };
            match pulled {
                Pull::Rows | Pull::Yield => return Ok(pulled),
                Pull::End => {
                    if let Some(leader) = &mut self.leader {
                        leader.withdraw();
                    }
                    self.stage = Stage::Waiting;
                }
            }
        }
        match self.plan.merging {
            Merging::Rows => {
                out.clear();
                Ok(Pull::End)
            }
            Merging::Parts => self.input.next(cx, out),
        }
    }
}

/// The vertices of the morsels that this core gets.
pub struct MorselScan {
    plan: Rc<plan::MorselScan>,
    sought: Sought,
    found: Vec<VertexId>,
    next: usize,
}

impl MorselScan {
    pub fn new(plan: Rc<plan::MorselScan>) -> Self {
        MorselScan {
            sought: Sought::new(plan.scan.clone()),
            plan,
            found: Vec::new(),
            next: 0,
        }
    }

    fn scan(&mut self, cx: &mut Context<'_>, out: &mut Batch) -> Result<Pull, Error> {
        let width = self.plan.width.get() as usize;
        loop {
            while let Some(vertex) = self.found.get(self.next) {
                if out.is_full() {
                    return Ok(Pull::Rows);
                }
                out.push_nulls(width)[self.plan.scan.slot as usize] = Value::Vertex(*vertex);
                self.next += 1;
            }
            self.found.clear();
            self.next = 0;
            if !out.is_empty() && cx.should_yield() {
                return Ok(Pull::Rows);
            }
            let Some(morsel) = cx.next_morsel()? else {
                return Ok(if out.is_empty() {
                    Pull::End
                } else {
                    Pull::Rows
                });
            };
            let part = morsel.part();
            self.sought
                .find(morsel.page, part.as_ref(), cx, &mut self.found);
            if out.is_empty() && self.found.is_empty() && cx.should_yield() {
                return Ok(Pull::Yield);
            }
        }
    }
}

impl Operator for MorselScan {
    fn reset(&mut self, _argument: &[Value]) {
        self.found.clear();
        self.next = 0;
        self.sought.reset();
    }

    fn next(&mut self, cx: &mut Context<'_>, out: &mut Batch) -> Result<Pull, Error> {
        if !self.sought.is_bound() {
            self.sought.bind(cx);
        }
        loop {
            out.clear();
            let pulled = self.scan(cx, out)?;
            if pulled != Pull::Rows {
                return Ok(pulled);
            }
            self.sought.ask_rows(cx, out)?;
            if !out.is_empty() {
                return Ok(Pull::Rows);
            }
            if cx.should_yield() {
                return Ok(Pull::Yield);
            }
        }
    }
}
