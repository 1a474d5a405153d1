//! Operators: state machines that pull batches of rows from their inputs.
//!
//! [`build`] makes them from a plan, [`crate::execution`] pulls the topmost. Always holds: `next` fills the batch it is given with one or more rows, or says
//! `End` or `Yield` with none; between two calls an operator holds ids and values, never a reference into storage; after
//! `reset` it starts again on a new argument row. Operators know nothing of text, time-outs or the wire.

mod aggregate;
mod apply;
mod automaton;
mod batch;
mod clock;
mod columns;
mod compute;
mod context;
mod distinct;
mod expand;
pub mod gather;
mod gunzip;
mod in_transactions;
mod index_scan;
mod int_set;
mod intersect;
mod join;
mod load;
mod measure;
mod pieces;
mod procedure;
mod reach;
mod row;
mod scan;
mod search;
pub(crate) mod seen;
pub(crate) mod segments;
mod sort;
pub mod subquery;
mod trail_count;
mod update;
mod var_expand;
mod vectors;

pub use batch::{BATCH_ROWS, Batch};
pub(crate) use context::InnerTransaction;
pub use context::{Context, State, now, write_error};
pub use expand::type_ids;
pub use in_transactions::Wait;
pub use load::FileRead;
pub use measure::{Counts, build_measured, measured};
pub use update::delete_postponed;
pub use vectors::{Vector, Vectors};

use quoit_cypher::error::Error;
use quoit_graph::value::Value;

use crate::parallel::Part;
use crate::plan::{Op, Plan};

/// What a pull gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pull {
    /// The batch has rows.
    Rows,
    /// Nothing yet: the time slice is over. Pull again.
    Yield,
    /// Nothing, and nothing will come.
    End,
}

/// A running operator.
pub trait Operator {
    /// Starts again; leaves that give the argument row give this one from now on.
    fn reset(&mut self, argument: &[Value]);

    /// Fills `out`, which the callee clears first.
    ///
    /// # Errors
    /// Whatever expressions, writes or budgets refuse; the operator must not be pulled again after that.
    fn next(&mut self, cx: &mut Context<'_>, out: &mut Batch) -> Result<Pull, Error>;

    /// Whether it can give its rows column by column, so that [`Operator::next_vectors`] may be called instead of `next`, from the first call on.
    fn gives_vectors(&self) -> bool {
        false
    }

    /// As [`Operator::next`], column by column. Only of an operator that gives vectors.
    ///
    /// # Errors
    /// As [`Operator::next`].
    fn next_vectors(&mut self, _: &mut Context<'_>, _: &mut Vectors) -> Result<Pull, Error> {
        Err(Error::internal(
            "columns are asked of an operator that gives rows",
        ))
    }

    /// Whether it may serve another execution of its plan, which is asked at its end: it is at its start then, keeps nothing of this
    /// one, and holds little memory. Otherwise it is dropped.
    fn keep(&mut self) -> bool {
        false
    }

    /// This operator as one whose work several cores share, if it can be that.
    fn divided(&mut self) -> Option<&mut dyn Divided> {
        None
    }
}

/// An operator of which several cores run one each, on different rows; one of them takes in what the others came to and then gives
/// the rows that it would have given for all of theirs.
pub trait Divided {
    /// Takes in all rows of its own input; `Yield` or `End`.
    ///
    /// # Errors
    /// As [`Operator::next`].
    fn take_part(&mut self, cx: &mut Context<'_>) -> Result<Pull, Error>;

    /// What its rows came to, for another core; the operator is empty then.
    fn give_part(&mut self) -> Part;

    /// Takes in what another core's rows came to; false if there is more of it, since the time slice is over.
    ///
    /// # Errors
    /// As [`Operator::next`], had the rows been its own.
    fn merge(&mut self, part: &mut Part, cx: &mut Context<'_>) -> Result<bool, Error>;
}

/// A boxed operator.
pub type Running = Box<dyn Operator>;

/// Pulls until rows or the end come, passing a yield up; the usual first lines of an operator.
macro_rules! pull_rows {
    ($input:expr, $cx:expr, $batch:expr) => {
        match $input.next($cx, $batch)? {
            $crate::operator::Pull::Rows => true,
            $crate::operator::Pull::Yield => return Ok($crate::operator::Pull::Yield),
            $crate::operator::Pull::End => false,
        }
    };
}
pub(crate) use pull_rows;

/// As [`pull_rows`], column by column.
macro_rules! pull_vectors {
    ($input:expr, $cx:expr, $batch:expr) => {
        match $input.next_vectors($cx, $batch)? {
            $crate::operator::Pull::Rows => true,
            $crate::operator::Pull::Yield => return Ok($crate::operator::Pull::Yield),
            $crate::operator::Pull::End => false,
        }
    };
}
pub(crate) use pull_vectors;

/// Pulls the next input rows into `$rows` when those up to `$at` are used up; hands up what is gathered first. Rows that gave nothing are a place to
/// yield, so that an input of any length does not hold up the step.
macro_rules! next_rows {
    ($input:expr, $rows:expr, $at:expr, $cx:expr, $out:expr) => {
        if $at >= $rows.len() {
            let gave_nothing = !$rows.is_empty() && $out.is_empty();
            // So that the next call does not look at the clock for their sake.
            $rows.clear();
            if !$out.is_empty() {
                return Ok($crate::operator::Pull::Rows);
            }
            if gave_nothing && $cx.should_yield() {
                return Ok($crate::operator::Pull::Yield);
            }
            if !$crate::operator::pull_rows!($input, $cx, &mut $rows) {
                return Ok($crate::operator::Pull::End);
            }
            $at = 0;
        }
    };
}
pub(crate) use next_rows;

/// Turns a plan into operators at their start.
pub fn build(plan: &Plan) -> Running {
    let inputs = plan.inputs.iter().map(build).collect();
    operator(&plan.op, inputs)
}

/// One operator on its inputs. Not part of [`build`], which recurs: there is room for every kind of operator on its stack.
#[inline(never)]
fn operator(op: &Op, inputs: Vec<Running>) -> Running {
    let mut inputs = inputs.into_iter();
    let mut input = || {
        inputs
            .next()
            .expect("the planner gives each operator its inputs")
    };
    match op {
        Op::Unit(width) | Op::Argument(width) => Box::new(row::Argument::new(width.get())),
        Op::Scan(scan) => Box::new(scan::Scan::new(scan.clone(), input())),
        Op::IndexScan(scan) => Box::new(index_scan::IndexScan::new(scan.clone(), input())),
        Op::EdgeScan(scan) => Box::new(index_scan::EdgeScan::new(scan.clone(), input())),
        Op::IdSeek(seek) => Box::new(scan::IdSeek::new(seek.clone(), input())),
        Op::Expand(expand) => Box::new(expand::Expand::new(expand.clone(), input())),
        Op::Intersect(intersect) => Box::new(intersect::Intersect::new(intersect.clone(), input())),
        Op::VarExpand(expand) => Box::new(var_expand::VarExpand::new(expand.clone(), input())),
        Op::Reach(reach) => Box::new(reach::Reach::new(reach.clone(), input())),
        Op::TrailCount(count) => Box::new(trail_count::TrailCount::new(count.clone(), input())),
        Op::Repeat(repeat) => Box::new(automaton::Repeat::new(repeat.clone(), input())),
        Op::SelectPaths(select) => Box::new(automaton::SelectPaths::new(select.clone(), input())),
        Op::Search(search) => Box::new(search::Search::new(search.clone(), input())),
        Op::BoundEdge(bound) => Box::new(expand::BoundEdge::new(bound.clone(), input())),
        Op::Filter(predicates) => Box::new(row::Filter::new(predicates.clone(), input())),
        Op::Compute(items) => Box::new(compute::Compute::new(items.clone(), input())),
        Op::Extend(items) => Box::new(row::Extend::new(items.clone(), input())),
        Op::Project(project) => Box::new(row::Project::new(project.clone(), input())),
        Op::Aggregate(aggregate) => Box::new(aggregate::Aggregate::new(aggregate.clone(), input())),
        Op::ColumnAggregate(aggregate) => {
            Box::new(columns::ColumnAggregate::new(aggregate.clone(), input()))
        }
        Op::Distinct(slots) => Box::new(distinct::Distinct::new(*slots, input())),
        Op::Sort(sort) => Box::new(sort::Sort::new(sort.clone(), input())),
        Op::Skip(count) => Box::new(sort::Skip::new(count.clone(), input())),
        Op::Limit(count) => Box::new(sort::Limit::new(count.clone(), input())),
        Op::Unwind(unwind) => Box::new(row::Unwind::new(unwind.clone(), input())),
        Op::Optional(slots) => Box::new(apply::Optional::new(slots.clone(), input(), input())),
        Op::Apply(apply) => Box::new(apply::Apply::new(apply.clone(), input(), input())),
        Op::HashJoin(join) => Box::new(join::HashJoin::new(join.clone(), input(), input())),
        Op::Union => Box::new(apply::Union::new(inputs.collect())),
        Op::Create(create) => Box::new(update::Create::new(create.clone(), input())),
        Op::Merge(merge) => Box::new(update::Merge::new(merge.clone(), input(), input())),
        Op::Set(items) => Box::new(update::Set::new(items.clone(), input())),
        Op::Delete(delete) => Box::new(update::Delete::new(delete.clone(), input())),
        Op::Foreach(unwind) => Box::new(update::Foreach::new(unwind.clone(), input(), input())),
        Op::Procedure(call) => Box::new(procedure::Call::new(call.clone(), input())),
        Op::Gather(gather) => Box::new(gather::Gather::new(gather.clone(), input(), Vec::new())),
        Op::MorselScan(scan) => Box::new(gather::MorselScan::new(scan.clone())),
        Op::Eager => Box::new(update::Eager::new(input())),
        Op::InTransactions(calls) => Box::new(in_transactions::InTransactions::new(
            calls.clone(),
            input(),
            input(),
        )),
        Op::Load(load) => Box::new(load::Load::new(load.clone(), input())),
        Op::Given => Box::new(in_transactions::Given::default()),
        Op::Consume => Box::new(row::Consume::new(input())),
    }
}
