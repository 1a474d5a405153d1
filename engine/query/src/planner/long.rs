//! Expressions that may take long: an operator in front computes each into a slot, in turns with others, and what needed the value reads the slot.
//!
//! Called wherever a plan gets conditions, columns, keys or arguments. What always holds: an expression is taken out whole, so what `OR`, `CASE` or a loop within
//! it does not come to is not run. Left to others: updating clauses, which interrupt what they write themselves; and what is asked while a path or an index is
//! followed, which runs to its end.

use std::rc::Rc;

use super::scope::Scope;
use super::{Planner, columns};
use crate::expression::{Expr, Slot};
use crate::plan::{Op, Plan};

/// Puts the computation of values into slots of their frame on top of a plan.
pub(super) fn extended(plan: Plan, items: Vec<(Slot, Expr)>) -> Plan {
    if items.is_empty() {
        return plan;
    }
    let op = match items.iter().any(|(_, expr)| expr.may_take_long()) {
        true => Op::Compute(Rc::new(items)),
        false => Op::Extend(Rc::new(items)),
    };
    Plan::over(op, plan)
}

impl Planner<'_> {
    /// Puts the computation of those of the expressions that may take long on top of a plan of their frame.
    pub(super) fn with_long<'e>(
        &self,
        plan: Plan,
        exprs: impl IntoIterator<Item = &'e mut Expr>,
        scope: &mut Scope,
    ) -> Plan {
        let mut items = Vec::new();
        for expr in exprs {
            if expr.may_take_long() {
                let slot = scope.hidden_slot();
                items.push((slot, std::mem::replace(expr, Expr::Slot(slot))));
            }
        }
        extended(plan, items)
    }

    /// A filter by all predicates; those that may take long are asked behind the others.
    pub(super) fn filtered(
        &mut self,
        plan: Plan,
        predicates: Vec<Expr>,
        estimate: f64,
        scope: &mut Scope,
    ) -> Plan {
        let (late, mut early): (Vec<Expr>, Vec<Expr>) =
            predicates.into_iter().partition(Expr::may_take_long);
        let mut plan = plan;
        let asked = early.len();
        self.mention_missing_indexes(&plan, &early);
        columns::into_scan(&mut plan, &mut early, self.catalog);
        if early.len() < asked {
            plan = plan.expecting(estimate);
        }
        if !early.is_empty() {
            plan = Plan::over(Op::Filter(Rc::new(early)), plan).expecting(estimate);
        }
        // One after the other, so that the next is asked only of what the one before has left.
        for mut predicate in late {
            plan = self.with_long(plan, [&mut predicate], scope);
            plan = Plan::over(Op::Filter(Rc::new(vec![predicate])), plan).expecting(estimate);
        }
        plan
    }
}
