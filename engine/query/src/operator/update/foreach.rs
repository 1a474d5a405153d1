//! `FOREACH`: runs its body for each element; each body's clauses end by themselves.

use std::rc::Rc;

use quoit_cypher::error::{Detail, Error};
use quoit_graph::value::Value;

use super::{Gather, gathered};
use crate::expression::evaluate::value;
use crate::expression::progress::Progress;
use crate::operator::{Batch, Context, Operator, Pull, Running};
use crate::plan;

/// `FOREACH`.
pub struct Foreach {
    gather: Gather,
    each: Each,
}

/// The body, run for each element.
struct Each {
    plan: Rc<plan::Unwind>,
    body: Running,
    scratch: Batch,
    /// The elements of the row at work, and how many of them have begun.
    items: Option<(Value, usize)>,
    row: Vec<Value>,
    /// How far the list is computed.
    progress: Progress,
}

impl Foreach {
    pub fn new(plan: Rc<plan::Unwind>, input: Running, body: Running) -> Self {
        Foreach {
            gather: Gather::new(input),
            each: Each {
                plan,
                body,
                scratch: Batch::new(),
                items: None,
                row: Vec::new(),
                progress: Progress::default(),
            },
        }
    }
}

impl Each {
    /// Goes on with a row; whether it is done. The body may look for things, so others have their turns within a row too.
    fn run(&mut self, row: &[Value], cx: &mut Context<'_>) -> Result<bool, Error> {
        if self.items.is_none() {
            let list = &self.plan.list;
            let Some(items) = cx.advance(&mut self.progress, |cx| value(list, cx, row))? else {
                return Ok(false);
            };
            match items {
                Value::Null => return Ok(true),
                Value::List(_) => self.items = Some((items, 0)),
                other => {
                    return Err(Error::type_error(
                        Detail::InvalidArgumentType,
                        format!("FOREACH needs a list, not {}", other.type_phrase()),
                    )
                    .at(self.plan.place.0));
                }
            }
            self.row.clear();
            self.row.extend_from_slice(row);
            if !self.begin_next() {
                return Ok(true);
            }
        }
        loop {
            match self.body.next(cx, &mut self.scratch)? {
                Pull::Rows if !cx.should_yield() => {}
                Pull::Rows | Pull::Yield => return Ok(false),
                Pull::End if !self.begin_next() => return Ok(true),
                Pull::End if cx.should_yield() => return Ok(false),
                Pull::End => {}
            }
        }
    }

    /// Starts the body on the next element; false behind the last.
    fn begin_next(&mut self) -> bool {
        let next = self.items.as_mut().and_then(|(items, begun)| match items {
            Value::List(items) => {
                *begun += 1;
                items.get(*begun - 1).cloned()
            }
            _ => None,
        });
        let Some(item) = next else {
            self.items = None;
            return false;
        };
        self.row[self.plan.slot as usize] = item;
        self.body.reset(&self.row);
        true
    }
}

impl Operator for Foreach {
    fn reset(&mut self, argument: &[Value]) {
        self.gather.reset(argument);
        self.each.items = None;
        self.each.progress.clear();
    }

    fn next(&mut self, cx: &mut Context<'_>, out: &mut Batch) -> Result<Pull, Error> {
        let Foreach { gather, each } = self;
        gathered!(
            gather,
            cx,
            out,
            gather.write_each(cx, 1, |rows, at, cx| each.run(rows.row(at), cx))
        )
    }
}
