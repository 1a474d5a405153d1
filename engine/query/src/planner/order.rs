//! `ORDER BY` that an index answers, so that nothing need be sorted.
//!
//! What always holds: a sort is left out only where every row comes from one reading of one index, in its order, and all between keeps
//! rows in the order in which they came.

use std::rc::Rc;

use hashbrown::HashMap;
use quoit_cypher::ast::{Clause, ClauseKind, Expr as Syntax, ExprKind, VarId};

use super::Planner;
use super::index::{WantedOrder, reading_order};
use crate::expression::{Expr, Slot};
use crate::plan::{KeyValue, Op, Plan, RangePlan};

/// What the next clause, if it is a projection that only sorts, wants.
pub(super) fn wanted_by(clauses: &[Clause]) -> WantedOrder {
    let Some(ClauseKind::With(projection) | ClauseKind::Return(projection)) =
        clauses.first().map(|clause| &clause.kind)
    else {
        return WantedOrder::default();
    };
    if projection.aggregates || projection.order.is_empty() {
        return WantedOrder::default();
    }
    let columns: HashMap<VarId, &Syntax> = projection
        .items
        .iter()
        .map(|item| (item.id, &item.expr))
        .collect();
    let mut wanted = WantedOrder {
        is_cut: projection.limit.is_some(),
        ..WantedOrder::default()
    };
    for key in &projection.order {
        let expr = match &key.expr.kind {
            ExprKind::Variable(column) => columns.get(&column.id).copied().unwrap_or(&key.expr),
            _ => &key.expr,
        };
        let Some((of, name)) = property(expr) else {
            return WantedOrder::default();
        };
        if wanted.of.is_some_and(|known| known != of) {
            return WantedOrder::default();
        }
        wanted.of = Some(of);
        wanted.keys.push((name.into(), key.descending));
    }
    wanted
}

/// `variable.key`.
fn property(expr: &Syntax) -> Option<(VarId, &str)> {
    match &expr.kind {
        ExprKind::Property(property) => match &property.object.kind {
            ExprKind::Variable(variable) => Some((variable.id, &property.key.name)),
            _ => None,
        },
        _ => None,
    }
}

impl Planner<'_> {
    /// Whether a plan's rows come in an order as they are. Turns the reading of an index round if that helps.
    pub(super) fn comes_in_order(&self, plan: &mut Plan, order: &[(Expr, bool)]) -> bool {
        let mut wanted: Vec<(Slot, &str, bool)> = Vec::with_capacity(order.len());
        let resolved: Option<Vec<(Slot, String, bool)>> = order
            .iter()
            .map(|(expr, descending)| {
                let (slot, key) = source(plan, expr)?;
                Some((slot, key, *descending))
            })
            .collect();
        let Some(resolved) = resolved else {
            return false;
        };
        wanted.extend(
            resolved
                .iter()
                .map(|(slot, key, descending)| (*slot, key.as_str(), *descending)),
        );
        let Some(node) = reading(plan) else {
            return false;
        };
        let (slot, keys, range) = match &mut node.op {
            Op::IndexScan(scan) => match Rc::get_mut(scan) {
                Some(scan) if !scan.is_unique => (scan.slot, &scan.keys, Some(&mut scan.range)),
                _ => return false,
            },
            Op::EdgeScan(scan) => match Rc::get_mut(scan) {
                Some(scan) => (scan.edge, &scan.keys, scan.range.as_mut()),
                None => return false,
            },
            _ => return false,
        };
        let Some(range) = range else { return false };
        if wanted.iter().any(|(of, ..)| *of != slot) || has_list(range) {
            return false;
        }
        let names: Vec<&str> = keys.iter().map(|key| &*key.name).collect();
        let wanted: Vec<(&str, bool)> = wanted
            .iter()
            .map(|(_, key, descending)| (*key, *descending))
            .collect();
        match reading_order(&names, range.equal.len(), &wanted) {
            Some(direction) => {
                range.order = direction;
                true
            }
            None => false,
        }
    }
}

fn has_list(range: &RangePlan) -> bool {
    range
        .equal
        .iter()
        .any(|value| matches!(value, KeyValue::AnyOf(_)))
}

/// The slot and key that a sort key comes from, through whatever hands it on.
fn source(plan: &Plan, expr: &Expr) -> Option<(Slot, String)> {
    let deeper = |expr: &Expr| source(plan.inputs.first()?, expr);
    match &plan.op {
        Op::Project(project) => match expr {
            Expr::Slot(slot) => deeper(project.items.get(*slot as usize)?),
            Expr::Property(object, key, place) => match &**object {
                Expr::Slot(slot) => {
                    let object = project.items.get(*slot as usize)?.clone();
                    deeper(&Expr::Property(Box::new(object), key.clone(), *place))
                }
                _ => None,
            },
            _ => None,
        },
        Op::Extend(items) => {
            let computed = |slot: &Slot| items.iter().rev().find(|(known, _)| known == slot);
            match expr {
                Expr::Slot(slot) => match computed(slot) {
                    Some((_, value)) => deeper(value),
                    None => deeper(expr),
                },
                Expr::Property(object, ..) => match &**object {
                    Expr::Slot(slot) if computed(slot).is_some() => None,
                    _ => deeper(expr),
                },
                _ => None,
            }
        }
        _ if keeps_order(&plan.op) => deeper(expr),
        Op::IndexScan(_) | Op::EdgeScan(_) => match expr {
            Expr::Property(object, key, _) => match &**object {
                Expr::Slot(slot) => Some((*slot, key.name.to_string())),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    }
}

/// The index that gives all rows of a plan, if everything on it keeps their order.
fn reading(plan: &mut Plan) -> Option<&mut Plan> {
    let passes = keeps_order(&plan.op) || matches!(plan.op, Op::Project(_) | Op::Extend(_));
    if passes {
        return reading(plan.inputs.first_mut()?);
    }
    // A second row of input would begin the index again.
    let single = matches!(
        plan.inputs.first().map(|input| &input.op),
        Some(Op::Unit(_) | Op::Argument(_))
    );
    (single && matches!(plan.op, Op::IndexScan(_) | Op::EdgeScan(_))).then_some(plan)
}

/// Whether rows leave in the order in which those they are made of came.
fn keeps_order(op: &Op) -> bool {
    matches!(
        op,
        Op::Filter(_)
            | Op::Compute(_)
            | Op::Distinct(_)
            | Op::Skip(_)
            | Op::Limit(_)
            | Op::Expand(_)
            | Op::Intersect(_)
            | Op::VarExpand(_)
            | Op::Search(_)
            | Op::Repeat(_)
            | Op::SelectPaths(_)
            | Op::BoundEdge(_)
            | Op::Optional(_)
            | Op::Unwind(_)
    )
}
