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
use super::create::create;
use super::set::set;
use crate::expression::evaluate::evaluate;
use crate::operator::{Batch, Context, Operator, Pull, Running, write_error};
use crate::plan::{self, CreateItem};

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
            },
            next: 0,
        }
    }
}

impl Merging {
    fn merge(&mut self, rows: &mut Batch, at: usize, cx: &mut Context<'_>) -> Result<(), Error> {
        let plan = self.plan.clone();
        for sought in &plan.sought {
            let row = rows.row(at);
            let value = cx.seeing_own_writes(|cx| evaluate(&sought.value, cx, row))?;
            if value.is_null() {
                return Err(Error::runtime(
                    ErrorKind::SemanticError,
                    Detail::MergeReadOwnWrites,
                    format!("MERGE cannot look for a null property `{}`", sought.name),
                )
                .at(sought.place.0));
            }
            if let Some(slot) = sought.slot {
                rows.row_mut(at)[slot as usize] = value;
            }
        }
        let first = self.results.len();
        let (matching, matched, results) =
            (&mut self.matching, &mut self.matched, &mut self.results);
        let row = rows.row(at);
        cx.seeing_own_writes(|cx| {
            matches(matching, row, cx, matched, |row| {
                results.push(row);
            })
        })?;
        let items = if self.results.len() == first {
            let new = self.results.push(row);
            let created = create(&plan.create, cx, new);
            let others = cx.seeing_newest(|cx| {
                let mut others = None;
                matches(&mut self.matching, row, cx, &mut self.matched, |found| {
                    others = others.take().or_else(|| another(&plan.create, new, found));
                })
                .map(|()| others)
            });
            // A constraint that another's match stands behind is a conflict too: the match is found the next time.
            if let Some(entity) = others? {
                return Err(write_error(cx.txn.conflict(entity)));
            }
            created?;
            &plan.on_create
        } else {
            &plan.on_match
        };
        for result in first..self.results.len() {
            let row = self.results.row_mut(result);
            set(items, cx, row)?;
            for (slot, expr) in &plan.extend {
                row[*slot as usize] = evaluate(expr, cx, row)?;
            }
        }
        Ok(())
    }
}

/// Runs the matching plan for a row.
fn matches(
    matching: &mut Running,
    row: &[Value],
    cx: &mut Context<'_>,
    matched: &mut Batch,
    mut take: impl FnMut(&[Value]),
) -> Result<(), Error> {
    matching.reset(row);
    cx.without_yield(|cx| {
        while matching.next(cx, matched)? == Pull::Rows {
            matched.rows().for_each(&mut take);
        }
        Ok(())
    })
}

/// Something in a match that this row has not created: another's, if everything that this one could match was created by it.
fn another(plan: &plan::Create, created: &[Value], found: &[Value]) -> Option<Entity> {
    let slots = plan.items.iter().map(CreateItem::slot);
    let is_own = |value: &Value| {
        plan.items
            .iter()
            .any(|item| created[item.slot() as usize] == *value)
    };
    slots
        .map(|slot| &found[slot as usize])
        .find(|value| !is_own(value))
        .and_then(|value| match value {
            Value::Vertex(vertex) => Some(Entity::Vertex(*vertex)),
            Value::Edge(edge) => Some(Entity::Edge(edge.id)),
            _ => None,
        })
}

impl Operator for Merge {
    fn reset(&mut self, argument: &[Value]) {
        self.gather.reset(argument);
        self.merging.results.clear();
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
        let is_written = gather.write(cx, 1, |rows, mut range, cx| {
            range.try_for_each(|at| merging.merge(rows, at, cx))
        })?;
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
