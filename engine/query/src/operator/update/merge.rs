//! `MERGE`: matches, or else creates.
//!
//! What it creates must not have been there: after creating it looks again in the newest state of everything, and where another
//! transaction's match stands now, in flight or newer than what this one sees, it gives way with a conflict, which begins the statement again. Whoever
//! creates first and looks then cannot overlook another who does the same, so of two at least one gives way (design D4).

use std::rc::Rc;

use quoit_cypher::error::{Detail, Error, ErrorKind};
use quoit_graph::Entity;
use quoit_graph::value::Value;

use super::Gather;
use super::create::Creating;
use super::set::Setting;
use crate::expression::evaluate::{evaluate, value};
use crate::expression::progress::{Progress, Stop};
use crate::operator::{Batch, Context, Operator, Pull, Running, write_error};
use crate::plan;

/// `MERGE`.
pub struct Merge {
    gather: Gather,
    merging: Merging,
    next: usize,
}

/// What matches or creates, row by row.
struct Merging {
    plan: Rc<plan::Merge>,
    matching: Running,
    matched: Batch,
    results: Batch,
    /// Where the row at work stands.
    stage: Stage,
    /// How far its values are computed, its pattern created, its changes made.
    progress: Progress,
    creating: Creating,
    setting: Setting,
}

/// How far a row is. Looking may take long, so others have their turns while it goes on.
enum Stage {
    /// Nothing has been done for it.
    New,
    /// It is looked for among what this transaction sees; its results begin at that number.
    Seeks(usize),
    /// Nothing was found; it is created as the result of that number, the last.
    Creates(usize),
    /// It has been created, as the result of that number, if that went well; what others have is looked through.
    Checks(usize, Result<(), Error>),
    /// Its results, beginning at that number, are there; those up to the second are changed as asked. Whether it was created.
    Finishes(usize, usize, bool),
}

impl Merge {
    pub fn new(plan: Rc<plan::Merge>, input: Running, matching: Running) -> Self {
        Merge {
            gather: Gather::new(input),
            merging: Merging {
                plan,
                matching,
                matched: Batch::new(),
                results: Batch::new(),
                stage: Stage::New,
                progress: Progress::default(),
                creating: Creating::default(),
                setting: Setting::default(),
            },
            next: 0,
        }
    }
}

impl Merging {
    /// Goes on with a row; whether it is done.
    fn merge(&mut self, rows: &mut Batch, at: usize, cx: &mut Context<'_>) -> Result<bool, Error> {
        let plan = self.plan.clone();
        loop {
            match std::mem::replace(&mut self.stage, Stage::New) {
                Stage::New => {
                    let progress = &mut self.progress;
                    let sought = cx.advance(progress, |cx| seek(&plan, rows, at, cx))?;
                    if sought.is_none() {
                        return Ok(false);
                    }
                    self.matching.reset(rows.row(at));
                    self.stage = Stage::Seeks(self.results.len());
                }
                Stage::Seeks(first) => {
                    let (matching, matched) = (&mut self.matching, &mut self.matched);
                    match cx.seeing_own_writes(|cx| matching.next(cx, matched))? {
                        Pull::Rows => {
                            self.results.append(matched);
                            self.stage = Stage::Seeks(first);
                            if cx.should_yield() {
                                return Ok(false);
                            }
                        }
                        Pull::Yield => {
                            self.stage = Stage::Seeks(first);
                            return Ok(false);
                        }
                        Pull::End if self.results.len() > first => {
                            self.stage = Stage::Finishes(first, first, false);
                        }
                        Pull::End => {
                            self.results.push(rows.row(at));
                            self.stage = Stage::Creates(first);
                        }
                    }
                }
                Stage::Creates(first) => {
                    let new = self.results.row_mut(first);
                    match self.creating.go_on(&plan.create, cx, new) {
                        Ok(false) => {
                            self.stage = Stage::Creates(first);
                            return Ok(false);
                        }
                        created => {
                            self.matching.reset(rows.row(at));
                            self.stage = Stage::Checks(first, created.map(|_| ()));
                        }
                    }
                }
                Stage::Checks(first, created) => {
                    let (matching, matched) = (&mut self.matching, &mut self.matched);
                    match cx.seeing_newest(|cx| matching.next(cx, matched))? {
                        Pull::Rows => {
                            let own = self.results.row(first);
                            let other = matched
                                .rows()
                                .find_map(|found| another(&plan.create, own, found));
                            // A constraint that another's match stands behind is a conflict too: the match is found the next time.
                            if let Some(entity) = other {
                                return Err(write_error(cx.txn.conflict(entity)));
                            }
                            self.stage = Stage::Checks(first, created);
                            if cx.should_yield() {
                                return Ok(false);
                            }
                        }
                        Pull::Yield => {
                            self.stage = Stage::Checks(first, created);
                            return Ok(false);
                        }
                        Pull::End => {
                            created?;
                            self.stage = Stage::Finishes(first, first, true);
                        }
                    }
                }
                Stage::Finishes(first, mut done, created) => {
                    let items = match created {
                        true => &plan.on_create,
                        false => &plan.on_match,
                    };
                    while done < self.results.len() {
                        let row = self.results.row_mut(done);
                        if !self.setting.go_on(items, cx, row)? {
                            self.stage = Stage::Finishes(first, done, created);
                            return Ok(false);
                        }
                        for (slot, expr) in &plan.extend {
                            row[*slot as usize] = evaluate(expr, cx, row)?;
                        }
                        done += 1;
                    }
                    return Ok(true);
                }
            }
        }
    }
}

/// Computes what is looked for.
fn seek(plan: &plan::Merge, rows: &mut Batch, at: usize, cx: &mut Context<'_>) -> Result<(), Stop> {
    for sought in &plan.sought {
        let row = rows.row(at);
        let value = cx.seeing_own_writes(|cx| value(&sought.value, cx, row))?;
        if value.is_null() {
            return Err(Error::runtime(
                ErrorKind::SemanticError,
                Detail::MergeReadOwnWrites,
                format!("MERGE cannot look for a null property `{}`", sought.name),
            )
            .at(sought.place.0)
            .into());
        }
        if let Some(slot) = sought.slot {
            rows.row_mut(at)[slot as usize] = value;
        }
    }
    Ok(())
}

/// An entity of a match that is another's. A match that has anything which this row created would not be there without it, whatever
/// else it rests on, so it is nobody else's.
fn another(plan: &plan::Create, created: &[Value], found: &[Value]) -> Option<Entity> {
    let slots = || plan.items.iter().map(|item| item.slot() as usize);
    let is_own = |value: &Value| slots().any(|slot| created[slot] == *value);
    if slots().any(|slot| is_own(&found[slot])) {
        return None;
    }
    slots().find_map(|slot| match &found[slot] {
        Value::Vertex(vertex) => Some(Entity::Vertex(*vertex)),
        Value::Edge(edge) => Some(Entity::Edge(edge.id)),
        _ => None,
    })
}

impl Operator for Merge {
    fn reset(&mut self, argument: &[Value]) {
        self.gather.reset(argument);
        self.merging.results.clear();
        self.merging.stage = Stage::New;
        self.merging.progress.clear();
        self.merging.creating = Creating::default();
        self.merging.setting.reset();
        self.next = 0;
    }

    fn next(&mut self, cx: &mut Context<'_>, out: &mut Batch) -> Result<Pull, Error> {
        out.clear();
        if !self.gather.take_in(cx)? {
            return Ok(Pull::Yield);
        }
        let Merge {
            gather, merging, ..
        } = self;
        let is_written = gather.write_each(cx, 1, |rows, at, cx| merging.merge(rows, at, cx))?;
        if !is_written {
            return Ok(Pull::Yield);
        }
        let results = &self.merging.results;
        while self.next < results.len() && !out.is_full() {
            out.push(results.row(self.next));
            self.next += 1;
        }
        Ok(if out.is_empty() {
            Pull::End
        } else {
            Pull::Rows
        })
    }
}
