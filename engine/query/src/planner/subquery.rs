//! Subqueries taken out of the expressions they stand in: an operator in front computes each into a slot, so that others have their turns
//! while it runs, and the expression reads the slot.
//!
//! Called wherever a plan gets conditions or columns. What always holds: what the expression is worth stays the same. A subquery that
//! `OR` or `AND` would not come to, because of what stands before it, is not run. What stays in its expression, and then runs to its end
//! without a pause: subqueries within `CASE`, `coalesce()` and whatever has variables of its own, and those of a query that draws
//! random numbers if they depend on what stands before them. Left to others: subqueries in updating clauses.

use std::rc::Rc;

use quoit_cypher::functions::Function;

use super::Planner;
use super::scope::Scope;
use crate::expression::Expr;
use crate::plan::{Op, Plan, SubqueryPlan};

impl Planner<'_> {
    /// Puts the computation of the expressions' subqueries on top of a plan of their frame.
    pub(super) fn with_subqueries<'e>(
        &self,
        plan: Plan,
        exprs: impl IntoIterator<Item = &'e mut Expr>,
        scope: &mut Scope,
    ) -> Plan {
        let mut items = Vec::new();
        for expr in exprs {
            take_out(expr, &mut Vec::new(), self.is_volatile, scope, &mut items);
        }
        match items.is_empty() {
            true => plan,
            false => Plan::over(Op::Subqueries(Rc::new(items)), plan),
        }
    }

    /// A filter by all predicates; those that need subqueries are asked behind the others.
    pub(super) fn filtered(
        &self,
        plan: Plan,
        predicates: Vec<Expr>,
        estimate: f64,
        scope: &mut Scope,
    ) -> Plan {
        let (mut late, early): (Vec<Expr>, Vec<Expr>) =
            predicates.into_iter().partition(has_subquery);
        let mut plan = plan;
        if !early.is_empty() {
            plan = Plan::over(Op::Filter(Rc::new(early)), plan).expecting(estimate);
        }
        if !late.is_empty() {
            plan = self.with_subqueries(plan, &mut late, scope);
            plan = Plan::over(Op::Filter(Rc::new(late)), plan).expecting(estimate);
        }
        plan
    }
}

fn has_subquery(expr: &Expr) -> bool {
    let mut found = false;
    // Nothing is replaced: the copy is looked through.
    expr.clone().rewrite(&mut |part| {
        found |= matches!(part, Expr::Subquery(_));
        None
    });
    found
}

/// Replaces subqueries by slots. `unless`: what has decided already, and how, when the expression is not come to.
fn take_out(
    expr: &mut Expr,
    unless: &mut Vec<(Expr, bool)>,
    is_volatile: bool,
    scope: &mut Scope,
    items: &mut Vec<SubqueryPlan>,
) {
    match expr {
        Expr::Subquery(_) if is_volatile && !unless.is_empty() => {}
        Expr::Subquery(subquery) => {
            let slot = scope.hidden_slot();
            items.push(SubqueryPlan {
                slot,
                subquery: subquery.clone(),
                unless: unless.clone(),
            });
            *expr = Expr::Slot(slot);
        }
        Expr::Or(parts, _) => take_out_of_parts(parts, true, unless, is_volatile, scope, items),
        Expr::And(parts, _) => take_out_of_parts(parts, false, unless, is_volatile, scope, items),
        Expr::Case(_)
        | Expr::ListComprehension(_)
        | Expr::Quantified(_)
        | Expr::Reduce(_)
        | Expr::Call(Function::Coalesce, ..) => {}
        expr => expr.for_each_part(&mut |part| {
            take_out(part, unless, is_volatile, scope, items);
        }),
    }
}

fn take_out_of_parts(
    parts: &mut [Expr],
    decides: bool,
    unless: &mut Vec<(Expr, bool)>,
    is_volatile: bool,
    scope: &mut Scope,
    items: &mut Vec<SubqueryPlan>,
) {
    let known = unless.len();
    for part in parts {
        take_out(part, unless, is_volatile, scope, items);
        unless.push((part.clone(), decides));
    }
    unless.truncate(known);
}
