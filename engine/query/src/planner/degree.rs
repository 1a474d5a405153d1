//! Edges that are only counted: instead of a row for each, the degree of the vertex they are at.
//!
//! Called by [`super::expression`] (`EXISTS {}`, `COUNT {}` and patterns as conditions) and [`super::projection`] (aggregates on top of an
//! expansion). What always holds: nothing but the number of the edges of one vertex, of some types in one direction, is asked; neither an
//! edge nor its other end is looked at, and no other edge of the pattern must differ from it.

use std::rc::Rc;

use quoit_cypher::functions::Function;

use super::Planner;
use super::scope::Scope;
use crate::expression::{Degree, Expr, Slot, SubqueryKind};
use crate::plan::{AggregateCall, Expand, Op, Plan};

/// An expansion whose edges may be counted without walking them.
fn counted(plan: &Plan) -> Option<&Expand> {
    match &plan.op {
        Op::Expand(expand) if !expand.into && expand.unique.is_empty() => Some(expand),
        _ => None,
    }
}

impl Planner<'_> {
    /// A subquery over the edges of one vertex as its degree, or as whether it has one.
    pub(super) fn degree(
        &self,
        plan: &Plan,
        kind: SubqueryKind,
        imports: &[(Expr, u32)],
    ) -> Option<Expr> {
        match self.catalog.plain {
            true => None,
            false => of_subquery(plan, kind, imports),
        }
    }
}

fn of_subquery(plan: &Plan, kind: SubqueryKind, imports: &[(Expr, u32)]) -> Option<Expr> {
    let exists = match kind {
        SubqueryKind::Exists => true,
        SubqueryKind::Count => false,
        SubqueryKind::Collect(_) => return None,
    };
    let mut below = plan;
    if let Op::Project(project) = &below.op
        && project
            .items
            .iter()
            .all(|item| matches!(item, Expr::Slot(_)))
    {
        below = below.inputs.first()?;
    }
    let expand = counted(below)?;
    let from = Expr::Slot(expand.from);
    below = below.inputs.first()?;
    if let Op::Filter(predicates) = &below.op {
        let is_present =
            |predicate: &Expr| matches!(predicate, Expr::IsNull(of, true) if **of == from);
        if !predicates.iter().all(is_present) {
            return None;
        }
        below = below.inputs.first()?;
    }
    let Op::Extend(items) = &below.op else {
        return None;
    };
    let [(slot, Expr::Local(local))] = items.as_slice() else {
        return None;
    };
    if *slot != expand.from || !matches!(below.inputs.first()?.op, Op::Unit(_)) {
        return None;
    }
    let (vertex, _) = imports.iter().find(|(_, known)| known == local)?;
    Some(degree(vertex.clone(), expand, exists))
}

fn degree(vertex: Expr, expand: &Expand, exists: bool) -> Expr {
    Expr::Degree(Box::new(Degree {
        vertex,
        direction: expand.direction,
        types: expand.types.clone(),
        exists,
    }))
}

/// Takes an expansion from under an aggregate that only counts what it gives: the degree is computed in its place and added up.
pub(super) fn before_expansion(
    plan: Plan,
    keys: &[Expr],
    calls: &mut [AggregateCall],
    scope: &mut Scope,
) -> Plan {
    let Some(expand) = counted(&plan) else {
        return plan;
    };
    let given = [expand.edge, expand.to];
    let counts = |call: &AggregateCall| {
        let is_of_rows = match call.args.as_slice() {
            [] => true,
            [Expr::Slot(slot)] => given.contains(slot),
            _ => false,
        };
        matches!(call.function, None | Some(Function::Count)) && is_of_rows && !call.distinct
    };
    // Of rows that are alike it does not matter to these how many there are.
    let any_number = |call: &AggregateCall| {
        let is_of_set = matches!(call.function, Some(Function::Min | Function::Max))
            || (call.distinct && matches!(call.function, Some(Function::Count)));
        is_of_set && !call.args.iter().any(|arg| reads(arg, &given))
    };
    let is_asked = calls.iter().any(counts)
        && calls.iter().all(|call| counts(call) || any_number(call))
        && !keys.iter().any(|key| reads(key, &given));
    if !is_asked {
        return plan;
    }
    let slot = scope.hidden_slot();
    let edges = degree(Expr::Slot(expand.from), expand, false);
    for call in calls.iter_mut().filter(|call| counts(call)) {
        call.function = Some(Function::Sum);
        call.args = vec![Expr::Slot(slot)];
    }
    let needs_edges = !keys.is_empty() || calls.iter().any(any_number);
    let mut plan = plan;
    let input = plan.inputs.remove(0);
    let estimate = input.estimate;
    let mut plan = Plan::over(Op::Extend(Rc::new(vec![(slot, edges)])), input);
    if needs_edges {
        // A vertex without edges gives no row, so it makes no group.
        let some = Expr::Compare(
            Box::new(Expr::Slot(slot)),
            vec![(
                quoit_cypher::ast::ComparisonOp::Greater,
                Expr::constant(0_i64),
            )],
        );
        plan = Plan::over(Op::Filter(Rc::new(vec![some])), plan).expecting(estimate);
    }
    plan
}

/// Whether an expression rests on one of some slots.
pub(super) fn reads(expr: &Expr, slots: &[Slot]) -> bool {
    let mut found = false;
    // Nothing is replaced: the copy is looked through.
    expr.clone().rewrite(&mut |part| {
        found |= match part {
            Expr::Slot(slot) => slots.contains(slot),
            Expr::Path(_) => true,
            _ => false,
        };
        None
    });
    found
}
