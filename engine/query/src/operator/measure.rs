//! Operators that are measured, for `PROFILE`: rows and time of each.
//!
//! A measured plan has a [`Measure`] around every operator; an ordinary run has none, so it pays nothing. Called by `execution`.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use quoit_cypher::error::Error;
use quoit_graph::value::Value;

use super::gather::{Gather, no_parts};
use super::{Batch, Context, Divided, Operator, Pull, Running, Vectors, operator};
use crate::parallel::Part;
use crate::plan::describe::Measured;
use crate::plan::{Op, Plan};

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
        self.pulled(begun, &pull, out.len());
        pull
    }

    fn gives_vectors(&self) -> bool {
        self.inner.gives_vectors()
    }

    fn next_vectors(&mut self, cx: &mut Context<'_>, out: &mut Vectors) -> Result<Pull, Error> {
        let begun = Instant::now();
        let pull = self.inner.next_vectors(cx, out);
        self.pulled(begun, &pull, out.len());
        pull
    }

    fn divided(&mut self) -> Option<&mut dyn Divided> {
        self.inner.divided()?;
        Some(self)
    }
}

impl Measure {
    fn pulled(&mut self, begun: Instant, pull: &Result<Pull, Error>, rows: usize) {
        let mut count = self.count.get();
        count.time_with_inputs += begun.elapsed();
        if let Ok(Pull::Rows) = pull {
            count.rows += rows as u64;
        }
        self.count.set(count);
    }

    fn timed<T>(
        &mut self,
        body: impl FnOnce(&mut dyn Divided) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let begun = Instant::now();
        let result = self.inner.divided().ok_or_else(no_parts).and_then(body);
        let mut count = self.count.get();
        count.time_with_inputs += begun.elapsed();
        self.count.set(count);
        result
    }
}

impl Divided for Measure {
    fn take_part(&mut self, cx: &mut Context<'_>) -> Result<Pull, Error> {
        self.timed(|inner| inner.take_part(cx))
    }

    fn give_part(&mut self) -> Part {
        let inner = self.inner.divided();
        inner.expect("it was asked for").give_part()
    }

    fn merge(&mut self, part: &mut Part, cx: &mut Context<'_>) -> Result<bool, Error> {
        self.timed(|inner| inner.merge(part, cx))
    }
}

/// As [`super::build`], with a clock at each operator.
pub fn build_measured(plan: &Plan, counts: &mut Counts) -> Running {
    let count = Rc::new(Cell::new(Measured::default()));
    counts.push(count.clone());
    let below = counts.len();
    let inputs = plan.inputs.iter();
    let mut inputs: Vec<Running> = inputs.map(|input| build_measured(input, counts)).collect();
    let inner = match (&plan.op, inputs.pop()) {
        (Op::Gather(gather), Some(input)) => {
            Box::new(Gather::new(gather.clone(), input, counts[below..].to_vec()))
        }
        (op, last) => {
            inputs.extend(last);
            operator(op, inputs)
        }
    };
    Box::new(Measure { inner, count })
}

/// Adds what the same operators did on another core, whose time counts as theirs.
pub fn add_measured(counts: &Counts, measured: &[Measured]) {
    for (count, more) in counts.iter().zip(measured) {
        let mut sum = count.get();
        sum.rows += more.rows;
        sum.time_with_inputs += more.time_with_inputs;
        count.set(sum);
    }
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
