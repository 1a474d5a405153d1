//! Operators that are measured, for `PROFILE`: rows and time of each.
//!
//! A measured plan has a [`Measure`] around every operator; an ordinary run has none, so it pays nothing. Called by `execution`.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use quoit_cypher::error::Error;
use quoit_graph::value::Value;

use super::{Batch, Context, Operator, Pull, Running, operator};
use crate::plan::Plan;
use crate::plan::describe::Measured;

/// What all operators of a plan have done so far, each before its inputs.
pub type Counts = Vec<Rc<Cell<Measured>>>;

/// An operator with a clock.
struct Measure {
    inner: Running,
    count: Rc<Cell<Measured>>,
}

impl Operator for Measure {
    fn reset(&mut self, argument: &[Value]) {
        self.inner.reset(argument);
    }

    fn next(&mut self, cx: &mut Context<'_>, out: &mut Batch) -> Result<Pull, Error> {
        let begun = Instant::now();
        let pull = self.inner.next(cx, out);
        let mut count = self.count.get();
        count.time_with_inputs += begun.elapsed();
        if let Ok(Pull::Rows) = pull {
            count.rows += out.len() as u64;
        }
        self.count.set(count);
        pull
    }
}

/// As [`super::build`], with a clock at each operator.
pub fn build_measured(plan: &Plan, counts: &mut Counts) -> Running {
    let count = Rc::new(Cell::new(Measured::default()));
    counts.push(count.clone());
    let inputs = plan.inputs.iter();
    let inputs = inputs.map(|input| build_measured(input, counts)).collect();
    let inner = operator(&plan.op, inputs);
    Box::new(Measure { inner, count })
}

/// What each operator did, with the time in it alone.
pub fn measured(plan: &Plan, counts: &Counts) -> Vec<Measured> {
    let mut all: Vec<Measured> = counts.iter().map(|count| count.get()).collect();
    own_times(plan, 0, &mut all);
    all
}

fn own_times(plan: &Plan, number: usize, all: &mut [Measured]) {
    let mut within = Duration::ZERO;
    let mut next = number + 1;
    for input in &plan.inputs {
        within += all[next].time_with_inputs;
        own_times(input, next, all);
        next += input.operators();
    }
    all[number].time = all[number].time_with_inputs.saturating_sub(within);
}
