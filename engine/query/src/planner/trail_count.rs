//! `count(*)` of the trails of a pattern: counted where they are walked, by [`Op::TrailCount`], and added up.
//!
//! Called by [`super::reach`] for aggregates. What always holds: no edge and no vertex that is walked over is read by anything, but for labels of the last one; a group
//! of no rows stays none, since a number of nought is no row.

use std::rc::Rc;

use quoit_cypher::functions::Function;

use super::reach::{Link, all_reads, is_same_trail, labels_of};
use crate::expression::{Expr, NameRef, Slot};
use crate::plan::{Aggregate, AggregateCall, Op, Plan, Step, TrailCount};

/// The same aggregate, over numbers of trails if that is all it takes.
pub(super) fn count(mut plan: Plan) -> Plan {
    let Op::Aggregate(aggregate) = &plan.op else {
        return plan;
    };
    let Some((node, depth)) = plan
        .inputs
        .first()
        .and_then(|input| counted(aggregate, input))
    else {
        return plan;
    };
    let count = Expr::Slot(node.count);
    let calls = aggregate.calls.iter().map(|call| AggregateCall {
        function: Some(Function::Sum),
        args: vec![count.clone()],
        ..call.clone()
    });
    plan.op = Op::Aggregate(Rc::new(Aggregate {
        keys: aggregate.keys.clone(),
        calls: calls.collect(),
        width: aggregate.width.clone(),
    }));
    let mut below = plan.inputs.remove(0);
    for _ in 0..depth {
        below = below.inputs.remove(0);
    }
    let estimate = plan.estimate;
    let counted = Plan::over(Op::TrailCount(Rc::new(node)), below);
    Plan::over(plan.op, counted).expecting(estimate)
}

/// The counting of an aggregate's rows, and how many operators it stands for.
fn counted(aggregate: &Aggregate, input: &Plan) -> Option<(TrailCount, usize)> {
    let mut depth = 0;
    let mut below = input;
    while matches!(below.op, Op::Filter(_)) {
        below = below.inputs.first()?;
        depth += 1;
    }
    let last = Link::of(&below.op).filter(|link| !link.into())?;
    let to = last.to();
    let counts = |call: &AggregateCall| match (call.function, call.args.as_slice()) {
        (None, _) => !call.distinct,
        // A vertex that was found is not null.
        (Some(Function::Count), [Expr::Slot(slot)]) => !call.distinct && *slot == to,
        _ => false,
    };
    if aggregate.calls.is_empty() || !aggregate.calls.iter().all(counts) {
        return None;
    }
    let labels = end_labels(input, to)?;
    let read = all_reads(&aggregate.keys);
    // Downwards as long as it is one chain.
    let mut links = vec![(0, last)];
    depth += 1;
    let mut next = below.inputs.first();
    while let Some(plan) = next
        && links.iter().all(|(_, link)| link.range() == (1, 1))
        && let Some(link) = Link::of(&plan.op)
        && link.range() == (1, 1)
        && link.to() == links[0].1.from()
        && {
            links.insert(0, (0, link));
            links.iter().enumerate().skip(1).all(|(at, (_, link))| {
                is_same_trail(&links[..at], links[0].1.unique(), link.unique())
            }) || {
                links.remove(0);
                false
            }
        }
    {
        depth += 1;
        next = plan.inputs.first();
    }
    let is_read = links
        .iter()
        .any(|(_, link)| read.contains(&link.edge()) || read.contains(&link.to()));
    let (min, max) = match links.as_slice() {
        [(_, only)] => only.range(),
        links => (links.len() as u64, links.len() as u64),
    };
    // One hop is what it is.
    if is_read || max < 2 {
        return None;
    }
    let steps = links.iter().map(|(_, link)| {
        let segment = link.segment(Vec::new());
        Step {
            direction: segment.direction,
            types: segment.types,
        }
    });
    let node = TrailCount {
        from: links[0].1.from(),
        count: to,
        steps: steps.collect(),
        min,
        max,
        labels,
        unique: links[0].1.unique().to_vec(),
    };
    Some((node, depth))
}

/// The labels that the filters on top of a plan ask of a vertex; `None` if they ask anything else.
fn end_labels(input: &Plan, vertex: Slot) -> Option<Vec<NameRef>> {
    let mut labels = Vec::new();
    let mut below = input;
    while let Op::Filter(predicates) = &below.op {
        for predicate in predicates.iter() {
            labels.extend(labels_of(predicate, vertex)?);
        }
        below = below.inputs.first()?;
    }
    Some(labels)
}
