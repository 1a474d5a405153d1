//! Values that may take long, computed into slots with others' turns in between.

use std::rc::Rc;

use quoit_cypher::error::Error;
use quoit_graph::value::Value;

use super::{Batch, Context, Operator, Pull, Running, pull_rows};
use crate::expression::evaluate::value;
use crate::expression::loops::bytes_of;
use crate::expression::progress::Progress;
use crate::expression::{Expr, Slot};

/// Computes values into slots, in order.
pub struct Compute {
    items: Rc<Vec<(Slot, Expr)>>,
    input: Running,
    rows: Batch,
    /// The row and the item at work.
    at: usize,
    item: usize,
    progress: Progress,
}

impl Compute {
    pub fn new(items: Rc<Vec<(Slot, Expr)>>, input: Running) -> Self {
        Compute {
            items,
            input,
            rows: Batch::new(),
            at: 0,
            item: 0,
            progress: Progress::default(),
        }
    }
}

impl Operator for Compute {
    fn reset(&mut self, argument: &[Value]) {
        self.input.reset(argument);
        self.rows.clear();
        (self.at, self.item) = (0, 0);
        self.progress.clear();
    }

    fn next(&mut self, cx: &mut Context<'_>, out: &mut Batch) -> Result<Pull, Error> {
        out.clear();
        if self.rows.is_empty() {
            if !pull_rows!(self.input, cx, &mut self.rows) {
                return Ok(Pull::End);
            }
            (self.at, self.item) = (0, 0);
        }
        while self.at < self.rows.len() {
            while let Some((slot, expr)) = self.items.get(self.item) {
                let row = self.rows.row(self.at);
                let Some(value) = cx.advance(&mut self.progress, |cx| value(expr, cx, row))? else {
                    return Ok(Pull::Yield);
                };
                cx.make(bytes_of(&value))?;
                self.rows.row_mut(self.at)[*slot as usize] = value;
                self.item += 1;
            }
            self.item = 0;
            self.at += 1;
            if cx.is_batch_large() {
                let mut rest = Batch::new();
                self.rows.split_off(self.at, &mut rest);
                out.append(&mut self.rows);
                self.rows = rest;
                self.at = 0;
                return Ok(Pull::Rows);
            }
            if self.at < self.rows.len() && cx.should_yield() {
                return Ok(Pull::Yield);
            }
        }
        out.append(&mut self.rows);
        Ok(Pull::Rows)
    }
}
