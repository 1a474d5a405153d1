//! What a plan looks like: the lines of `EXPLAIN` and `PROFILE`, one an operator, topmost first, inner plans indented behind `|\`, and the
//! same as a tree for Bolt's summary. Variables and expressions are in the query's words ([`super::words`]).
//!
//! Operators are numbered as [`crate::operator::build_measured`] numbers them: each before its inputs, inputs in their order.

use std::time::Duration;

use quoit_graph::{Direction, Order};

use super::automaton::Segment;
use super::words::{Words, arrows, names_of_types};
use super::{
    CreateItem, Frame, KeyValue, NameSource, NextKeyPlan, Op, Plan, RangePlan, Scan, Which,
};
use crate::expression::{Expr, NameRef, Slot};
use crate::planner::PlannedQuery;

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
    /// The query's variables that its rows have.
    pub identifiers: Vec<String>,
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
pub fn lines(planned: &PlannedQuery, columns: &[&str]) -> Vec<Line> {
    let mut lines = Vec::new();
    if !matches!(planned.plan.op, Op::Consume) {
        lines.push(Line {
            text: format!(" * Produce {{{}}}", columns.join(", ")),
            operator: None,
        });
    }
    write(planned, Place::top(&planned.plan), 0, &mut lines);
    lines
}

/// A plan as a tree; `measured` by operators' numbers, empty if it did not run.
pub fn tree(planned: &PlannedQuery, measured: &[Measured]) -> PlanTree {
    branch(planned, Place::top(&planned.plan), measured)
}

fn branch(planned: &PlannedQuery, place: Place<'_>, measured: &[Measured]) -> PlanTree {
    let words = place.words(planned);
    PlanTree {
        operator: operator(place.plan, &words, planned),
        identifiers: words.variables(),
        estimate: place.plan.estimate,
        measured: measured.get(place.number).copied(),
        children: place
            .inputs()
            .map(|input| branch(planned, input, measured))
            .collect(),
    }
}

/// An operator, with its number and the frame of what stands above, which is its own if nothing says otherwise.
#[derive(Clone, Copy)]
struct Place<'a> {
    plan: &'a Plan,
    number: usize,
    frame: Option<&'a Frame>,
}

impl<'a> Place<'a> {
    fn top(plan: &'a Plan) -> Place<'a> {
        Place {
            plan,
            number: 0,
            frame: frame_of(plan),
        }
    }

    fn words<'w>(&self, planned: &'w PlannedQuery) -> Words<'w>
    where
        'a: 'w,
    {
        Words {
            plan: Some(self.plan),
            frame: self.frame,
            names: &planned.names,
            parameters: &planned.parameters,
        }
    }

    /// The inputs that run.
    fn inputs(self) -> impl Iterator<Item = Place<'a>> {
        shown(self.plan, self.number).map(move |(plan, number)| Place {
            plan,
            number,
            frame: frame_of(plan).or(self.frame),
        })
    }
}

/// The frame of a plan's rows.
pub(super) fn frame_of(plan: &Plan) -> Option<&Frame> {
    match &plan.op {
        Op::Unit(width) | Op::Argument(width) => Some(width),
        Op::Project(project) => Some(&project.width),
        Op::Aggregate(aggregate) => Some(&aggregate.width),
        Op::ColumnAggregate(aggregate) => Some(&aggregate.width),
        Op::MorselScan(scan) => Some(&scan.width),
        _ => frame_of(plan.inputs.first()?),
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

fn write(planned: &PlannedQuery, place: Place<'_>, depth: usize, lines: &mut Vec<Line>) {
    let indent = " |".repeat(depth);
    lines.push(Line {
        text: format!(
            "{indent} * {}  (~{} rows)",
            operator(place.plan, &place.words(planned), planned),
            place.plan.estimate.ceil()
        ),
        operator: Some(place.number),
    });
    let mut inputs: Vec<Place<'_>> = place.inputs().collect();
    // All inputs of a union are alike; else the first stands below, as the one that rows come from.
    let first = match place.plan.op {
        Op::Union => None,
        _ if inputs.is_empty() => None,
        _ => Some(inputs.remove(0)),
    };
    for inner in inputs {
        lines.push(Line {
            text: format!("{indent} |\\"),
            operator: None,
        });
        write(planned, inner, depth + 1, lines);
    }
    if let Some(first) = first {
        write(planned, first, depth, lines);
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
fn part(range: &RangePlan, words: &Words<'_>) -> String {
    let mut parts: Vec<String> = range
        .equal
        .iter()
        .map(|value| match value {
            KeyValue::Is(value) => format!("= {}", words.expr(value)),
            KeyValue::AnyOf(values) => format!("IN {}", words.expr(values)),
        })
        .collect();
    match &range.next {
        NextKeyPlan::Any => {}
        NextKeyPlan::Present => parts.push("IS NOT NULL".into()),
        NextKeyPlan::StartsWith(prefix) => {
            parts.push(format!("STARTS WITH {}", words.expr(prefix)));
        }
        NextKeyPlan::Between(lower, upper) => {
            let bound = |(bound, included): &(Expr, bool), sign: &str| {
                let equal = if *included { "=" } else { "" };
                format!("{sign}{equal} {}", words.expr(bound))
            };
            let lower = lower.iter().map(|lower| bound(lower, ">"));
            let upper = upper.iter().map(|upper| bound(upper, "<"));
            parts.push(lower.chain(upper).collect::<Vec<_>>().join(" AND "));
        }
    }
    let order = match range.order {
        Order::Ascending => "",
        Order::Descending => ", descending",
    };
    format!(", {}{order}", parts.join(", "))
}

fn hop(direction: Direction, types: &[NameRef], range: &str) -> String {
    let (left, right) = arrows(direction);
    format!("{left}[{}{range}]{right}", names_of_types(types))
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

/// The first word of an operator.
pub(super) fn name(op: &Op) -> &'static str {
    match op {
        Op::Unit(_) => "Once",
        Op::Argument(_) => "Argument",
        Op::Scan(scan) if scan.label.is_none() => "ScanAll",
        Op::Scan(_) => "ScanAllByLabel",
        Op::IndexScan(_) => "ScanAllByLabelProperties",
        Op::EdgeScan(_) => "ScanAllByEdgeType",
        Op::IdSeek(_) => "ScanAllById",
        Op::Expand(expand) if expand.into => "ExpandInto",
        Op::Expand(_) => "Expand",
        Op::Intersect(_) => "ExpandIntersect",
        Op::VarExpand(_) => "ExpandVariable",
        Op::Reach(_) => "ExpandDistinct",
        Op::TrailCount(_) => "CountTrails",
        Op::Search(_) => "ShortestPath",
        Op::Repeat(_) => "RepeatPath",
        Op::SelectPaths(_) => "SelectPaths",
        Op::BoundEdge(_) => "BoundEdge",
        Op::Filter(_) => "Filter",
        Op::Compute(_) => "ComputeInTurns",
        Op::Extend(_) => "Compute",
        Op::Project(_) => "Project",
        Op::Aggregate(_) => "Aggregate",
        Op::ColumnAggregate(_) => "AggregateByColumns",
        Op::Distinct(_) => "Distinct",
        Op::Sort(_) => "OrderBy",
        Op::Skip(_) => "Skip",
        Op::Limit(_) => "Limit",
        Op::Unwind(_) => "Unwind",
        Op::Optional(_) => "Optional",
        Op::Apply(_) => "Apply",
        Op::HashJoin(_) => "HashJoin",
        Op::Union => "Union",
        Op::Procedure(_) => "CallProcedure",
        _ => "…",
    }
}

fn operator(plan: &Plan, words: &Words<'_>, planned: &PlannedQuery) -> String {
    // What new rows are made of stands in the frame below.
    let below = Words {
        plan: plan.inputs.first(),
        frame: plan.inputs.first().and_then(frame_of),
        names: &planned.names,
        parameters: &planned.parameters,
    };
    let named = |slot: usize, text: String| {
        let name = words.slot(slot as Slot);
        match name == text || name.starts_with("anon_") {
            true => text,
            false => format!("{text} AS {name}"),
        }
    };
    match &plan.op {
        Op::Unit(_) => "Once".into(),
        Op::Argument(_) => "Argument".into(),
        Op::Scan(found) => scan("ScanAll", found, words),
        Op::IndexScan(scan) => format!(
            "ScanAllByLabelProperties ({} :{} {{{}}}){}{}",
            words.slot(scan.slot),
            scan.label.name,
            names(&scan.keys, ", "),
            part(&scan.range, words),
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
                "{name} ({}){}({}){}",
                words.slot(scan.from),
                hop(scan.direction, std::slice::from_ref(&scan.type_), &keys),
                words.slot(scan.to),
                scan.range
                    .as_ref()
                    .map(|range| part(range, words))
                    .unwrap_or_default()
            )
        }
        Op::IdSeek(seek) => format!(
            "ScanAllById ({}), id = {}",
            words.slot(seek.slot),
            words.expr(&seek.id)
        ),
        Op::Expand(expand) => {
            let name = if expand.into { "ExpandInto" } else { "Expand" };
            format!(
                "{name} ({}){}({})",
                words.slot(expand.from),
                hop(expand.direction, &expand.types, ""),
                words.slot(expand.to)
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
                "ExpandIntersect ({}){}({}){}({})",
                words.slot(one.from),
                hop(one.direction, &one.types, ""),
                words.slot(intersect.to),
                hop(back, &two.types, ""),
                words.slot(two.from)
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
                "{name} ({}){}({})",
                words.slot(expand.from),
                hop(expand.direction, &expand.types, &range),
                words.slot(expand.to)
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
            let conditions = reach.filter.iter();
            let conditions =
                conditions.map(|filter| format!(", {}", words.all(&filter.predicates, " AND ")));
            format!(
                "{name} ({}){}({}{}){}",
                words.slot(reach.from),
                hops.collect::<Vec<_>>().join("()"),
                words.slot(reach.to),
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
                "CountTrails ({}){}({}) into {}",
                words.slot(count.from),
                hops.collect::<Vec<_>>().join("()"),
                labels.collect::<String>(),
                words.slot(count.count)
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
                "{name}{} ({}){}({})",
                if search.into { "Into" } else { "" },
                words.slot(search.from),
                hop(
                    search.direction,
                    &search.types,
                    &format!("*{}..{max}", search.min)
                ),
                words.slot(search.to)
            )
        }
        Op::Repeat(repeat) => format!(
            "RepeatPath{} ({}){}({})",
            if repeat.into { "Into" } else { "" },
            words.slot(repeat.from),
            segment(&repeat.segment),
            words.slot(repeat.to)
        ),
        Op::SelectPaths(select) => {
            let segments: Vec<String> = select.segments.iter().map(segment).collect();
            format!(
                "{}{} ({}){}({})",
                if select.groups {
                    "SelectPathGroups"
                } else {
                    "SelectPaths"
                },
                if select.into { "Into" } else { "" },
                words.slot(select.from),
                segments.concat(),
                words.slot(select.to)
            )
        }
        Op::BoundEdge(bound) => {
            format!(
                "BoundEdge ({}){}({})",
                words.slot(bound.from),
                hop(bound.direction, &bound.types, ""),
                words.slot(bound.to)
            )
        }
        Op::Filter(predicates) => format!("Filter ({})", words.all(&**predicates, " AND ")),
        Op::Compute(items) => format!("ComputeInTurns ({})", computed(items, words)),
        Op::Extend(items) => format!("Compute ({})", computed(items, words)),
        Op::Project(project) => {
            let items = project.items.iter().enumerate();
            let items: Vec<String> = items
                .map(|(slot, item)| named(slot, below.expr(item)))
                .collect();
            format!("Project ({})", items.join(", "))
        }
        Op::Aggregate(aggregate) => {
            let keys = aggregate.keys.iter().map(|key| below.expr(key));
            let keys: Vec<String> = keys.enumerate().map(|(at, key)| named(at, key)).collect();
            let results = aggregate.calls.iter().map(|call| below.folded(call));
            let results: Vec<String> = results
                .zip(keys.len()..)
                .map(|(result, at)| named(at, result))
                .collect();
            format!(
                "Aggregate ({{{}}} {{{}}})",
                keys.join(", "),
                results.join(", ")
            )
        }
        Op::ColumnAggregate(aggregate) => {
            let label = aggregate.label.as_ref();
            let keys: Vec<String> = aggregate
                .keys
                .iter()
                .enumerate()
                .map(|(at, key)| named(at, format!(".{}", key.name)))
                .collect();
            let results = aggregate.calls.iter().map(|call| {
                let key = call
                    .key
                    .as_ref()
                    .map_or("*".into(), |key| format!(".{}", key.name));
                let distinct = if call.distinct { "DISTINCT " } else { "" };
                let function = call.function.map_or("count", |function| function.name());
                format!("{function}({distinct}{key})")
            });
            let results: Vec<String> = results
                .zip(keys.len()..)
                .map(|(result, at)| named(at, result))
                .collect();
            format!(
                "AggregateByColumns ({}{{{}}} {{{}}}{})",
                label.map_or(String::new(), |label| format!(":{} ", label.name)),
                keys.join(", "),
                results.join(", "),
                if aggregate.filter.is_some() {
                    ", filtered"
                } else {
                    ""
                }
            )
        }
        Op::Distinct(_) => "Distinct".into(),
        Op::Sort(sort) => {
            let keys = sort.keys.iter().map(|(key, descending)| {
                let order = if *descending { " DESC" } else { "" };
                format!("{}{order}", words.expr(key))
            });
            let name = if sort.top.is_empty() {
                "OrderBy"
            } else {
                "TopOrderBy"
            };
            format!("{name} ({})", keys.collect::<Vec<_>>().join(", "))
        }
        Op::Skip(rows) => format!("Skip ({})", words.expr(rows)),
        Op::Limit(rows) => format!("Limit ({})", words.expr(rows)),
        Op::Unwind(unwind) => format!(
            "Unwind ({} AS {})",
            words.expr(&unwind.list),
            words.slot(unwind.slot)
        ),
        Op::Optional(_) => "Optional".into(),
        Op::Apply(_) => "Apply".into(),
        Op::HashJoin(join) if join.left_keys.is_empty() => "Cartesian".into(),
        Op::HashJoin(join) => format!(
            "HashJoin ({} = {})",
            words.all(&join.left_keys, ", "),
            words.all(&join.right_keys, ", ")
        ),
        Op::Union => "Union".into(),
        Op::Create(create) => {
            let made = create.items.iter().map(|item| match item {
                CreateItem::Vertex { slot, labels, .. } => {
                    let labels = labels.iter().map(|label| match label {
                        NameSource::Static(name) => format!(":{}", name.name),
                        NameSource::Dynamic(expr, _) => format!(":$({})", words.expr(expr)),
                    });
                    format!("({}{})", words.slot(*slot), labels.collect::<String>())
                }
                CreateItem::Edge {
                    source,
                    target,
                    type_,
                    ..
                } => {
                    let type_ = match type_ {
                        NameSource::Static(name) => name.name.to_string(),
                        NameSource::Dynamic(expr, _) => format!("$({})", words.expr(expr)),
                    };
                    format!(
                        "({})-[:{type_}]->({})",
                        words.slot(*source),
                        words.slot(*target)
                    )
                }
            });
            format!("Create {}", made.collect::<Vec<_>>().join(", "))
        }
        Op::Merge(_) => "Merge".into(),
        Op::Set(items) => format!("Set ({} changes)", items.len()),
        Op::Delete(delete) if delete.detach => "DetachDelete".into(),
        Op::Delete(_) => "Delete".into(),
        Op::Foreach(_) => "Foreach".into(),
        Op::Procedure(call) => format!(
            "CallProcedure {}({})",
            call.procedure.name,
            words.all(&call.args, ", ")
        ),
        Op::InTransactions(_) => "InTransactions".into(),
        Op::Load(_) => "LoadCsv".into(),
        Op::Given => "RowsOfTransaction".into(),
        Op::Gather(gather) => format!("Gather (over {} cores)", gather.cores),
        Op::MorselScan(morsels) => scan("ScanParallel", &morsels.scan, words),
        Op::Eager => "Accumulate".into(),
        Op::Consume => "EmptyResult".into(),
    }
}

/// Values and the slots that they go to.
fn computed(items: &[(Slot, Expr)], words: &Words<'_>) -> String {
    let items = items.iter().map(|(slot, expr)| {
        let (name, text) = (words.slot(*slot), words.expr(expr));
        if name == text || name.starts_with("anon_") {
            text
        } else {
            format!("{text} AS {name}")
        }
    });
    items.collect::<Vec<_>>().join(", ")
}

/// A scan of all vertices, or those of a label, under its name.
fn scan(name: &str, scan: &Scan, words: &Words<'_>) -> String {
    let conditions = scan.filter.iter();
    let conditions: String = conditions
        .map(|filter| format!(", {}", words.all(&filter.predicates, " AND ")))
        .collect();
    let vertex = words.slot(scan.slot);
    match &scan.label {
        None => format!("{name} ({vertex}){conditions}"),
        Some(label) => format!("{name}ByLabel ({vertex} :{}){conditions}", label.name),
    }
}
