//! The text of a plan, for `EXPLAIN`: one line an operator, topmost first, inner plans indented behind `|\`.

use quoit_graph::{Direction, Order};

use super::{KeyValue, NextKeyPlan, Op, Plan, RangePlan, Which};
use crate::expression::NameRef;

/// The lines of a plan whose rows begin with the columns, which are the query's own.
pub fn describe(plan: &Plan, columns: &[&str]) -> Vec<String> {
    let mut lines = Vec::new();
    if !matches!(plan.op, Op::Consume) {
        lines.push(format!(" * Produce {{{}}}", columns.join(", ")));
    }
    write(plan, 0, &mut lines);
    lines
}

fn write(plan: &Plan, depth: usize, lines: &mut Vec<String>) {
    let indent = " |".repeat(depth);
    lines.push(format!(
        "{indent} * {}  (~{} rows)",
        operator(&plan.op),
        plan.estimate.ceil()
    ));
    let (first, inner) = match (&plan.op, plan.inputs.split_first()) {
        // What it falls back to does not run.
        (Op::ColumnAggregate(_), _) => (None, [].as_slice()),
        // All inputs of a union are alike.
        (Op::Union, _) => (None, plan.inputs.as_slice()),
        (_, Some((first, inner))) => (Some(first), inner),
        (_, None) => (None, [].as_slice()),
    };
    for inner in inner {
        lines.push(format!("{indent} |\\"));
        write(inner, depth + 1, lines);
    }
    if let Some(first) = first {
        write(first, depth, lines);
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

fn operator(op: &Op) -> String {
    match op {
        Op::Unit(_) => "Once".into(),
        Op::Argument(_) => "Argument".into(),
        Op::Scan(scan) => match &scan.label {
            None => format!("ScanAll (#{})", scan.slot),
            Some(label) => format!("ScanAllByLabel (#{} :{})", scan.slot, label.name),
        },
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
        Op::Search(search) => {
            let name = match (&search.which, &search.weight) {
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
        Op::BoundEdge(bound) => {
            format!(
                "BoundEdge (#{}){}(#{})",
                bound.from,
                hop(bound.direction, &bound.types, ""),
                bound.to
            )
        }
        Op::Filter(predicates) => format!("Filter ({} conditions)", predicates.len()),
        Op::Subqueries(items) => format!("Subqueries ({} values)", items.len()),
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
                "AggregateByColumns ({}{} results, {} conditions)",
                label.map_or(String::new(), |label| format!(":{}, ", label.name)),
                aggregate.calls.len(),
                aggregate.filters.len()
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
        Op::Union => "Union".into(),
        Op::Create(create) => format!("Create ({} entities)", create.items.len()),
        Op::Merge(_) => "Merge".into(),
        Op::Set(items) => format!("Set ({} changes)", items.len()),
        Op::Delete(delete) if delete.detach => "DetachDelete".into(),
        Op::Delete(_) => "Delete".into(),
        Op::Foreach(_) => "Foreach".into(),
        Op::Procedure(call) => format!("CallProcedure {}", call.procedure.name),
        Op::Eager => "Accumulate".into(),
        Op::Consume => "EmptyResult".into(),
    }
}
