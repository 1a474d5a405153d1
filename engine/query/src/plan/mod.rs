//! Physical plans: what the planner decides and the operators carry out.
//!
//! A [`Plan`] is a tree; each node is one operator ([`Op`]) with its inputs, the first of which gives it rows. What an operator is told
//! stands in the file of its kind: [`scan`] where rows begin, [`expand`], [`reach`], [`search`] and [`automaton`] the ways along edges, [`rows`],
//! [`join`] and [`columns`] what is made of rows, [`update`] what is written, [`gather`] what is divided between cores. Made by [`crate::planner`], turned into running operators by
//! [`crate::operator::build`], shown by [`describe`]. Always holds: it is immutable and holds no data of the graph, so one plan serves
//! many executions. Operators of one *frame* share one row layout and set different slots of it; `Project` and `Aggregate` begin a new frame.

pub mod automaton;
mod columns;
pub mod describe;
mod expand;
mod frame;
mod gather;
mod join;
pub mod limits;
mod reach;
mod rows;
mod scan;
mod search;
mod update;
pub mod words;

pub use columns::{ColumnAggregate, ColumnCall, ColumnFilter, ColumnTest, ScanFilter};
pub use expand::{BoundEdge, ComputedBounds, Expand, Intersect, IntersectSide, Other, VarExpand};
pub use frame::{Frame, Width};
pub use gather::{Gather, Merging, MorselScan};
pub use join::HashJoin;
pub use reach::{Reach, Segment, Step, TrailCount};
pub use rows::{
    Aggregate, AggregateCall, Apply, InTransactions, Load, ProcedureCall, Project, Sort, Unwind,
};
pub use scan::{EdgeScan, IdSeek, IndexScan, KeyValue, NextKeyPlan, RangePlan, Scan};
pub use search::{Search, StepExpr, Which};
pub use update::{Create, CreateItem, Delete, Merge, NameSource, PropertySource, SetItem, Sought};

use std::fmt;
use std::rc::Rc;

use crate::expression::{Expr, LabelTest, NameRef, Slot};
use automaton::{Repeat, SelectPaths};

/// One operator with its inputs.
#[derive(Clone)]
pub struct Plan {
    /// What it does.
    pub op: Op,
    /// Where its rows come from; further inputs are inner plans that are run again for each row.
    pub inputs: Vec<Plan>,
    /// Rows expected, for the planner and `EXPLAIN`.
    pub estimate: f64,
    /// Operators on the longest way down, itself included: how deep a pull goes.
    pub depth: u32,
}

/// The operators.
#[derive(Clone, Debug)]
pub enum Op {
    /// One row of nulls.
    Unit(Width),
    /// The row that the enclosing operator gives.
    Argument(Width),
    /// All vertices, or those of a label, for each row.
    Scan(Rc<Scan>),
    /// Vertices by an index on a label and properties.
    IndexScan(Rc<IndexScan>),
    /// Edges and their ends by an index on a type, or on a type and properties.
    EdgeScan(Rc<EdgeScan>),
    /// A vertex by `id(n) = x`.
    IdSeek(Rc<IdSeek>),
    /// Edges of a bound vertex.
    Expand(Rc<Expand>),
    /// What edges of two bound vertices both lead to.
    Intersect(Rc<Intersect>),
    /// Trails of a number of edges from a bound vertex.
    VarExpand(Rc<VarExpand>),
    /// What a chain of expansions leads to, each vertex once.
    Reach(Rc<Reach>),
    /// How many trails of a chain of expansions there are.
    TrailCount(Rc<TrailCount>),
    /// Shortest paths from a bound vertex.
    Search(Rc<Search>),
    /// Trails that repeat a part of a pattern, from a bound vertex.
    Repeat(Rc<Repeat>),
    /// Selected paths of any pattern, from a bound vertex.
    SelectPaths(Rc<SelectPaths>),
    /// An edge, or list of edges, that was bound before.
    BoundEdge(Rc<BoundEdge>),
    /// Rows for which all predicates are true.
    Filter(Rc<Vec<Expr>>),
    /// Computes values into slots of the same row.
    Extend(Rc<Vec<(Slot, Expr)>>),
    /// As `Extend`, for values that may take long: with others' turns in between.
    Compute(Rc<Vec<(Slot, Expr)>>),
    /// New rows of computed values, in the order of the slots.
    Project(Rc<Project>),
    /// Groups and folds.
    Aggregate(Rc<Aggregate>),
    /// Groups and folds vertices of a label by columns; the input is the same by rows, for what columns cannot fold.
    ColumnAggregate(Rc<ColumnAggregate>),
    /// Drops rows whose first slots have been seen.
    Distinct(u32),
    /// Sorts.
    Sort(Rc<Sort>),
    /// Drops the first rows.
    Skip(Rc<Expr>),
    /// Stops after some rows.
    Limit(Rc<Expr>),
    /// A row for each element of a list.
    Unwind(Rc<Unwind>),
    /// The inner rows for each row, or the row with nulls in the slots.
    Optional(Rc<Vec<Slot>>),
    /// A subquery with a frame of its own, for each row.
    Apply(Rc<Apply>),
    /// Pairs of rows of two inputs whose keys are equal.
    HashJoin(Rc<HashJoin>),
    /// The rows of all inputs, one input after the other.
    Union,
    /// Creates vertices and edges.
    Create(Rc<Create>),
    /// Matches or else creates; the second input is the match.
    Merge(Rc<Merge>),
    /// Sets and removes properties and labels.
    Set(Rc<Vec<SetItem>>),
    /// Deletes vertices, edges and paths.
    Delete(Rc<Delete>),
    /// Runs the second input for each element of a list.
    Foreach(Rc<Unwind>),
    /// Runs the second input on some rows of the first at a time ([`Op::Given`]), each time in a transaction of its own.
    InTransactions(Rc<InTransactions>),
    /// The rows of the transaction at work.
    Given,
    /// The records of a file.
    Load(Rc<Load>),
    /// Calls a procedure for each row.
    Procedure(Rc<ProcedureCall>),
    /// Takes in all rows before it gives the first.
    Eager,
    /// Consumes all rows and gives none.
    Consume,
    /// Its input is run by several cores, each on a part of the vertices of the scan at its end.
    Gather(Rc<Gather>),
    /// The part of all vertices, or those of a label, that this core gets.
    MorselScan(Rc<MorselScan>),
}

/// Without what is only expected of it: two plans that do the same look the same.
impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut all = f.debug_tuple("Plan");
        all.field(&self.op);
        self.inputs.iter().for_each(|input| {
            all.field(input);
        });
        all.finish()
    }
}

impl Plan {
    /// An operator on one input; it is expected to give as many rows as it gets.
    pub fn over(op: Op, input: Plan) -> Plan {
        let estimate = input.estimate;
        Plan::joining(op, vec![input], estimate)
    }

    /// An operator on several inputs.
    pub fn joining(op: Op, inputs: Vec<Plan>, estimate: f64) -> Plan {
        let depth = 1 + inputs.iter().map(|input| input.depth).max().unwrap_or(0);
        Plan {
            op,
            inputs,
            estimate,
            depth,
        }
    }

    /// An operator without input.
    pub fn leaf(op: Op) -> Plan {
        Plan::joining(op, Vec::new(), 1.0)
    }

    /// The same with another estimate.
    pub fn expecting(mut self, rows: f64) -> Plan {
        self.estimate = rows;
        self
    }

    /// How many operators it has, itself included.
    pub fn operators(&self) -> usize {
        1 + self.inputs.iter().map(Plan::operators).sum::<usize>()
    }

    /// Whether it, or a plan within, changes the graph.
    pub fn writes(&self) -> bool {
        matches!(
            self.op,
            Op::Create(_) | Op::Merge(_) | Op::Set(_) | Op::Delete(_) | Op::Foreach(_)
        ) || self.inputs.iter().any(Plan::writes)
    }
}

/// A static test made of several names, all of which must hold.
pub fn all_labels(names: Vec<NameRef>) -> LabelTest {
    match <[NameRef; 1]>::try_from(names) {
        Ok([name]) => LabelTest::Name(name),
        Err(names) => LabelTest::And(names.into_iter().map(LabelTest::Name).collect()),
    }
}
