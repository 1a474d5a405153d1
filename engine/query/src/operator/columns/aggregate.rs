//! Aggregates over all vertices of a label, grouped by properties or not, computed from the columns of its pages.
//!
//! Where a value is met that cannot be folded as a number, everything is left to the operator on rows, which also words the error.

use std::rc::Rc;

use quoit_cypher::error::Error;
use quoit_graph::PageView;
use quoit_graph::ids::{KeyId, LabelId, PageId};
use quoit_graph::value::Value;

use super::SLOTS;
use super::filter::Condition;
use super::folds::Fold;
use super::groups::{Groups, Numbers};
use crate::expression::NameRef;
use crate::operator::scan::label_id;
use crate::operator::{Batch, Context, Operator, Pull, Running};
use crate::plan;

/// See the module.
pub struct ColumnAggregate {
    plan: Rc<plan::ColumnAggregate>,
    /// The same, row by row.
    by_rows: Running,
    stage: Stage,
    /// Bytes counted at the context.
    held: u64,
}

enum Stage {
    Start,
    /// Pages are being read.
    Reading(Box<Progress>),
    /// The groups from that number on are to be given.
    Giving(Box<Progress>, usize),
    /// Columns cannot say it.
    ByRows,
    End,
}

/// How far the pages have been read, and what was found.
struct Progress {
    label: Option<LabelId>,
    condition: Option<Condition>,
    pages: Vec<PageId>,
    next: usize,
    keys: Vec<Option<KeyId>>,
    /// None without keys: then there is one group.
    groups: Option<Groups>,
    folds: Vec<Fold>,
    /// For each call, the fold it reads.
    of_calls: Vec<usize>,
    numbers: Box<Numbers>,
}

impl ColumnAggregate {
    pub fn new(plan: Rc<plan::ColumnAggregate>, by_rows: Running) -> Self {
        ColumnAggregate {
            plan,
            by_rows,
            stage: Stage::Start,
            held: 0,
        }
    }

    /// `None`: a condition has an operand that is not what it should be.
    fn begin(&self, cx: &mut Context<'_>) -> Option<Progress> {
        let plan = &*self.plan;
        let label = plan.label.as_ref().and_then(|name| label_id(name, cx));
        let key = |name: &NameRef| name.id(|name| cx.key_id(name)).map(KeyId);
        let keys: Vec<Option<KeyId>> = plan.keys.iter().map(key).collect();
        let mut folds: Vec<Fold> = Vec::new();
        let of_calls = plan.calls.iter().map(|call| {
            let fold = Fold::of(call, call.key.as_ref().and_then(key));
            let known = folds.iter().position(|known| known.is_same(&fold));
            known.unwrap_or_else(|| {
                folds.push(fold);
                folds.len() - 1
            })
        });
        let of_calls = of_calls.collect();
        let condition = match &plan.filter {
            Some(filter) => Some(Condition::bind(filter, cx)?),
            None => None,
        };
        Some(Progress {
            // No vertex has a label that has no id.
            pages: match (label, &plan.label) {
                (None, Some(_)) => Vec::new(),
                _ => cx.view.pages(label),
            },
            label,
            condition,
            next: 0,
            groups: (!keys.is_empty()).then(|| Groups::new(keys.len())),
            keys,
            folds,
            of_calls,
            numbers: Box::new([0; SLOTS]),
        })
    }

    fn release(&mut self, cx: &mut Context<'_>) {
        cx.release(std::mem::take(&mut self.held));
    }
}

impl Progress {
    /// How many groups there are.
    fn groups(&self) -> usize {
        self.groups.as_ref().map_or(1, Groups::len)
    }

    /// Takes in one page.
    fn take(&mut self, page: &PageView<'_>) {
        let mut selection = page.select(self.label);
        if let Some(condition) = &self.condition {
            selection = condition.select(page, &selection);
        }
        if selection.is_empty() {
            return;
        }
        let Some(groups) = &mut self.groups else {
            for fold in &mut self.folds {
                fold.fit(1);
                fold.take_all(page, &selection);
            }
            return;
        };
        // Vertices by one key whose values take a byte each are counted without numbering them.
        if let (Some(values), [Some(key)]) = (groups.single(), self.keys.as_slice())
            && let [fold] = self.folds.as_mut_slice()
            && let Some(counts) = fold.vertices()
            && values.count(page, &selection, *key, counts)
        {
            return;
        }
        groups.number(page, &selection, &self.keys, &mut self.numbers);
        for fold in &mut self.folds {
            fold.fit(groups.len());
            fold.take(page, &selection, &self.numbers);
        }
    }

    fn bytes(&self) -> u64 {
        let folds: u64 = self.folds.iter().map(Fold::bytes).sum();
        folds + self.groups.as_ref().map_or(0, Groups::bytes)
    }
}

impl Operator for ColumnAggregate {
    fn reset(&mut self, argument: &[Value]) {
        self.by_rows.reset(argument);
        self.stage = Stage::Start;
    }

    fn next(&mut self, cx: &mut Context<'_>, out: &mut Batch) -> Result<Pull, Error> {
        out.clear();
        loop {
            match std::mem::replace(&mut self.stage, Stage::End) {
                Stage::Start => {
                    // What a run that was given up held.
                    self.release(cx);
                    self.stage = match self.begin(cx) {
                        Some(progress) => Stage::Reading(Box::new(progress)),
                        None => Stage::ByRows,
                    };
                }
                Stage::Reading(mut progress) => {
                    let Some(page) = progress.pages.get(progress.next) else {
                        let groups = progress.groups();
                        progress.folds.iter_mut().for_each(|fold| fold.fit(groups));
                        self.stage = Stage::Giving(progress, 0);
                        continue;
                    };
                    if let Some(page) = cx.view.page(*page) {
                        progress.take(&page);
                        let calls = self.plan.calls.iter().zip(&progress.of_calls);
                        let mut beyond = calls
                            .filter(|(call, _)| call.folds_numbers())
                            .map(|(call, fold)| progress.folds[*fold].is_beyond(call));
                        // Looked at once the groups are few or all is read: it goes over all groups.
                        if progress.groups() == 1 && beyond.any(|beyond| beyond) {
                            self.release(cx);
                            self.stage = Stage::ByRows;
                            continue;
                        }
                    }
                    progress.next += 1;
                    let bytes = progress.bytes();
                    self.stage = Stage::Reading(progress);
                    if bytes > self.held {
                        cx.hold(bytes - self.held)?;
                        self.held = bytes;
                    }
                    if cx.should_yield() {
                        return Ok(Pull::Yield);
                    }
                }
                Stage::Giving(progress, mut next) => {
                    let calls = || self.plan.calls.iter().zip(&progress.of_calls);
                    let mut beyond = calls()
                        .filter(|(call, _)| call.folds_numbers())
                        .map(|(call, fold)| progress.folds[*fold].is_beyond(call));
                    if next == 0 && beyond.any(|beyond| beyond) {
                        self.release(cx);
                        self.stage = Stage::ByRows;
                        continue;
                    }
                    let keys = progress.keys.len();
                    while next < progress.groups() && !out.is_full() {
                        let row = out.push_nulls(self.plan.width.get() as usize);
                        if let Some(groups) = &progress.groups {
                            let values = groups.values_backwards(next as u32);
                            for (slot, value) in row[..keys].iter_mut().rev().zip(values) {
                                slot.clone_from(value);
                            }
                        }
                        for (at, (call, fold)) in calls().enumerate() {
                            row[keys + at] = progress.folds[*fold].result(call, next)?;
                        }
                        next += 1;
                    }
                    if out.is_empty() {
                        self.release(cx);
                        return Ok(Pull::End);
                    }
                    self.stage = Stage::Giving(progress, next);
                    return Ok(Pull::Rows);
                }
                Stage::ByRows => {
                    self.stage = Stage::ByRows;
                    return self.by_rows.next(cx, out);
                }
                Stage::End => return Ok(Pull::End),
            }
        }
    }
}
