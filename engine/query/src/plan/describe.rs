//! What a plan looks like: the lines of `EXPLAIN` and `PROFILE`, one an operator, topmost first, inner plans indented behind `|\`, and the
//! same as a tree for Bolt's summary.
//!
//! Operators are numbered as [`crate::operator::build_measured`] numbers them: each before its inputs, inputs in their order.

use std::time::Duration;

use quoit_graph::{Direction, Order};

use super::automaton::Segment;
use super::{KeyValue, NextKeyPlan, Op, Plan, RangePlan, Scan, Which};
use crate::expression::NameRef;

/// One line of a plan's text.
#[derive(Debug)]
pub struct Line {
    /// The operator behind its indentation, with the rows that are expected of it.
    pub text: String,
    /// The operator's number; none for the line that names the columns.
    pub operator: Option<usize>,
}

impl Line {
    /// The line of the only operator there is.
    pub fn lone(operator: String) -> Line {
        Line {
            text: format!(" * {operator}"),
            operator: Some(0),
        }
    }
}

/// An operator of a plan, and those below it.
#[derive(Clone, Debug)]
pub struct PlanTree {
    /// What it does.
    pub operator: String,
    /// Rows expected.
    pub estimate: f64,
    /// What it did, if it was measured.
    pub measured: Option<Measured>,
    /// Its inputs.
    pub children: Vec<PlanTree>,
}

/// What an operator did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Measured {
    /// Rows it gave.
    pub rows: u64,
    /// Time in it and all below it.
    pub time_with_inputs: Duration,
    /// Time in it alone.
    pub time: Duration,
}

/// The lines of a plan whose rows begin with the columns, which are the query's own.
pub fn lines(plan: &Plan, columns: &[&str]) -> Vec<Line> {
    let mut lines = Vec::new();
    if !matches!(plan.op, Op::Consume) {
        lines.push(Line {
            text: format!(" * Produce {{{}}}", columns.join(", ")),
            operator: None,
        });
    }
    write(plan, 0, 0, &mut lines);
    lines
}

/// A plan as a tree; `measured` by operators' numbers, empty if it did not run.
pub fn tree(plan: &Plan, measured: &[Measured]) -> PlanTree {
    branch(plan, 0, measured)
}

fn branch(plan: &Plan, number: usize, measured: &[Measured]) -> PlanTree {
    PlanTree {
        operator: operator(&plan.op),
        estimate: plan.estimate,
        measured: measured.get(number).copied(),
        children: shown(plan, number)
            .map(|(input, number)| branch(input, number, measured))
            .collect(),
    }
}

/// The inputs that run, with their numbers.
fn shown(plan: &Plan, number: usize) -> impl Iterator<Item = (&Plan, usize)> {
    let inputs = match plan.op {
        // What it falls back to does not run.
        Op::ColumnAggregate(_) => [].as_slice(),
        _ => plan.inputs.as_slice(),
    };
    let mut next = number + 1;
    inputs.iter().map(move |input| {
        let number = next;
        next += input.operators();
        (input, number)
    })
}

fn write(plan: &Plan, number: usize, depth: usize, lines: &mut Vec<Line>) {
    let indent = " |".repeat(depth);
    lines.push(Line {
        text: format!(
            "{indent} * {}  (~{} rows)",
            operator(&plan.op),
            plan.estimate.ceil()
        ),
        operator: Some(number),
    });
    let mut inputs: Vec<(&Plan, usize)> = shown(plan, number).collect();
    // All inputs of a union are alike; else the first stands below, as the one that rows come from.
    let first = match plan.op {
        Op::Union => None,
        _ if inputs.is_empty() => None,
        _ => Some(inputs.remove(0)),
    };
    for (inner, number) in inputs {
        lines.push(Line {
            text: format!("{indent} |\\"),
            operator: None,
        });
        write(inner, number, depth + 1, lines);
    }
    if let Some((first, number)) = first {
        write(first, number, depth, lines);
    }
}

fn names(names: &[NameRef], between: &str) -> String {
    names
        .iter()
        .map(|name| &*name.name)
        .collect::<Vec<_>>()
        .join(between)
}

/// What of an index is read.
fn part(range: &RangePlan) -> String {
    let mut words: Vec<String> = range
        .equal
        .iter()
        .map(|value| match value {
            KeyValue::Is(_) => "=".into(),
            KeyValue::AnyOf(_) => "IN".into(),
        })
        .collect();
    match &range.next {
        NextKeyPlan::Any => {}
        NextKeyPlan::Present => words.push("IS NOT NULL".into()),
        NextKeyPlan::StartsWith(_) => words.push("STARTS WITH".into()),
        NextKeyPlan::Between(lower, upper) => {
            let sign = |included: bool, sign: &str| match included {
                true => format!("{sign}="),
                false => sign.to_owned(),
            };
            let lower = lower.iter().map(|(_, included)| sign(*included, ">"));
            let upper = upper.iter().map(|(_, included)| sign(*included, "<"));
            words.push(lower.chain(upper).collect::<Vec<_>>().join(" "));
        }
    }
    let order = match range.order {
        Order::Ascending => "",
        Order::Descending => ", descending",
    };
    format!(", {}{order}", words.join(", "))
}

fn hop(direction: Direction, types: &[NameRef], range: &str) -> String {
    let types = if types.is_empty() {
        String::new()
    } else {
        format!(":{}", names(types, "|"))
    };
    let (left, right) = match direction {
        Direction::Out => ("-", "->"),
        Direction::In => ("<-", "-"),
        Direction::Both => ("-", "-"),
    };
    format!("{left}[{types}{range}]{right}")
}

/// The hops of a part of a pattern, with how often it is repeated.
fn segment(segment: &Segment) -> String {
    let hops = segment.hops.iter();
    let hops: Vec<String> = hops
        .map(|step| hop(step.direction, &step.types, ""))
        .collect();
    let max = match segment.max {
        u64::MAX => String::new(),
        max => max.to_string(),
    };
    match segment.is_repeated {
        true => format!("({}){{{},{max}}}", hops.join("()"), segment.min),
        false => hops.join("()"),
    }
}

fn operator(op: &Op) -> String {
    match op {
        Op::Unit(_) => "Once".into(),
        Op::Argument(_) => "Argument".into(),
        Op::Scan(found) => scan("ScanAll", found),
        Op::IndexScan(scan) => format!(
            "ScanAllByLabelProperties (#{} :{} {{{}}}){}{}",
            scan.slot,
            scan.label.name,
            names(&scan.keys, ", "),
            part(&scan.range),
            if scan.is_unique { ", unique" } else { "" }
        ),
        Op::EdgeScan(scan) => {
            let name = match scan.keys.is_empty() {
                true => "ScanAllByEdgeType",
                false => "ScanAllByEdgeTypeProperties",
            };
            let keys = match scan.keys.is_empty() {
                true => String::new(),
                false => format!(" {{{}}}", names(&scan.keys, ", ")),
            };
            format!(
                "{name} (#{}){}(#{}){}",
                scan.from,
                hop(scan.direction, std::slice::from_ref(&scan.type_), &keys),
                scan.to,
                scan.range.as_ref().map(part).unwrap_or_default()
            )
        }
        Op::IdSeek(seek) => format!("ScanAllById (#{})", seek.slot),
        Op::Expand(expand) => {
            let name = if expand.into { "ExpandInto" } else { "Expand" };
            format!(
                "{name} (#{}){}(#{})",
                expand.from,
                hop(expand.direction, &expand.types, ""),
                expand.to
            )
        }
        Op::Intersect(intersect) => {
            let [one, two] = &intersect.sides;
            let back = match two.direction {
                Direction::Out => Direction::In,
                Direction::In => Direction::Out,
                Direction::Both => Direction::Both,
            };
            format!(
                "ExpandIntersect (#{}){}(#{}){}(#{})",
                one.from,
                hop(one.direction, &one.types, ""),
                intersect.to,
                hop(back, &two.types, ""),
                two.from
            )
        }
        Op::VarExpand(expand) => {
            let max = if expand.max == u64::MAX {
                String::new()
            } else {
                expand.max.to_string()
            };
            let range = format!("*{}..{max}", expand.min);
            let name = if expand.into {
                "ExpandVariableInto"
            } else {
                "ExpandVariable"
            };
            format!(
                "{name} (#{}){}(#{})",
                expand.from,
                hop(expand.direction, &expand.types, &range),
                expand.to
            )
        }
        Op::Reach(reach) => {
            let hops = reach.segments.iter().map(|segment| {
                let range = match (segment.min, segment.max) {
                    (1, 1) => String::new(),
                    (min, u64::MAX) => format!("*{min}.."),
                    (min, max) => format!("*{min}..{max}"),
                };
                hop(segment.direction, &segment.types, &range)
            });
            let name = match reach.into {
                true => "ExpandDistinctInto",
                false => "ExpandDistinct",
            };
            let labels = reach.labels.iter().map(|label| format!(" :{}", label.name));
            let conditions = reach.filter.iter().map(|filter| filter.predicates.len());
            let conditions = conditions.map(|count| format!(", {count} conditions"));
            format!(
                "{name} (#{}){}(#{}{}){}",
                reach.from,
                hops.collect::<Vec<_>>().join("()"),
                reach.to,
                labels.collect::<String>(),
                conditions.collect::<String>()
            )
        }
        Op::TrailCount(count) => {
            let range = match (count.steps.len(), count.max) {
                (1, u64::MAX) => format!("*{}..", count.min),
                (1, max) => format!("*{}..{max}", count.min),
                _ => String::new(),
            };
            let hops = count.steps.iter();
            let hops = hops.map(|step| hop(step.direction, &step.types, &range));
            let labels = count.labels.iter().map(|label| format!(":{}", label.name));
            format!(
                "CountTrails (#{}){}({}) into #{}",
                count.from,
                hops.collect::<Vec<_>>().join("()"),
                labels.collect::<String>(),
                count.count
            )
        }
        Op::Search(search) => {
            let name = match (&search.which, &search.weight) {
                (Which::Nearest { all: false }, None) if search.is_from_both_ends() => {
                    "STShortestPath"
                }
                (Which::Nearest { all: false }, None) => "BFSExpand",
                (Which::Nearest { all: true }, None) => "AllShortestExpand",
                (Which::Nearest { all: false }, Some(_)) => "WeightedShortestPath",
                (Which::Nearest { all: true }, Some(_)) => "AllShortestPath",
                (Which::Ranked { .. }, _) => "KShortestPath",
            };
            let max = match search.max {
                u64::MAX => String::new(),
                max => max.to_string(),
            };
            format!(
                "{name}{} (#{}){}(#{})",
                if search.into { "Into" } else { "" },
                search.from,
                hop(
                    search.direction,
                    &search.types,
                    &format!("*{}..{max}", search.min)
                ),
                search.to
            )
        }
        Op::Repeat(repeat) => format!(
            "RepeatPath{} (#{}){}(#{})",
            if repeat.into { "Into" } else { "" },
            repeat.from,
            segment(&repeat.segment),
            repeat.to
        ),
        Op::SelectPaths(select) => {
            let segments: Vec<String> = select.segments.iter().map(segment).collect();
            format!(
                "{}{} (#{}){}(#{})",
                if select.groups {
                    "SelectPathGroups"
                } else {
                    "SelectPaths"
                },
                if select.into { "Into" } else { "" },
                select.from,
                segments.concat(),
                select.to
            )
        }
        Op::BoundEdge(bound) => {
            format!(
                "BoundEdge (#{}){}(#{})",
                bound.from,
                hop(bound.direction, &bound.types, ""),
                bound.to
            )
        }
        Op::Filter(predicates) => format!("Filter ({} conditions)", predicates.len()),
        Op::Compute(items) => format!("ComputeInTurns ({} values)", items.len()),
        Op::Extend(items) => format!("Compute ({} values)", items.len()),
        Op::Project(project) => format!("Project ({} values)", project.items.len()),
        Op::Aggregate(aggregate) => {
            format!(
                "Aggregate ({} keys, {} results)",
                aggregate.keys.len(),
                aggregate.calls.len()
            )
        }
        Op::ColumnAggregate(aggregate) => {
            let label = aggregate.label.as_ref();
            format!(
                "AggregateByColumns ({}{} keys, {} results{})",
                label.map_or(String::new(), |label| format!(":{}, ", label.name)),
                aggregate.keys.len(),
                aggregate.calls.len(),
                if aggregate.filter.is_some() {
                    ", filtered"
                } else {
                    ""
                }
            )
        }
        Op::Distinct(_) => "Distinct".into(),
        Op::Sort(sort) if sort.top.is_empty() => format!("OrderBy ({} keys)", sort.keys.len()),
        Op::Sort(sort) => format!("TopOrderBy ({} keys)", sort.keys.len()),
        Op::Skip(_) => "Skip".into(),
        Op::Limit(_) => "Limit".into(),
        Op::Unwind(_) => "Unwind".into(),
        Op::Optional(_) => "Optional".into(),
        Op::Apply(_) => "Apply".into(),
        Op::HashJoin(join) if join.left_keys.is_empty() => "Cartesian".into(),
        Op::HashJoin(join) => format!("HashJoin ({} keys)", join.left_keys.len()),
        Op::Union => "Union".into(),
        Op::Create(create) => format!("Create ({} entities)", create.items.len()),
        Op::Merge(_) => "Merge".into(),
        Op::Set(items) => format!("Set ({} changes)", items.len()),
        Op::Delete(delete) if delete.detach => "DetachDelete".into(),
        Op::Delete(_) => "Delete".into(),
        Op::Foreach(_) => "Foreach".into(),
        Op::Procedure(call) => format!("CallProcedure {}", call.procedure.name),
        Op::InTransactions(_) => "InTransactions".into(),
        Op::Load(_) => "LoadCsv".into(),
        Op::Given => "RowsOfTransaction".into(),
        Op::Gather(gather) => format!("Gather (over {} cores)", gather.cores),
        Op::MorselScan(morsels) => scan("ScanParallel", &morsels.scan),
        Op::Eager => "Accumulate".into(),
        Op::Consume => "EmptyResult".into(),
    }
}

/// A scan of all vertices, or those of a label, under its name.
fn scan(name: &str, scan: &Scan) -> String {
    let conditions = scan.filter.iter().map(|filter| filter.predicates.len());
    let conditions: String = conditions
        .map(|conditions| format!(", {conditions} conditions"))
        .collect();
    match &scan.label {
        None => format!("{name} (#{}){conditions}", scan.slot),
        Some(label) => format!("{name}ByLabel (#{} :{}){conditions}", scan.slot, label.name),
    }
}
