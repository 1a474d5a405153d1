//! `WITH` and `RETURN`: grouping, distinct, order, cut.
//!
//! Without aggregates and `DISTINCT`, rows are sorted in the old frame, in which both old variables and new columns can be named, and then cut to the columns. With
//! aggregates the same happens in the frame of keys and results; with `DISTINCT` only the columns are left to sort by.

use std::rc::Rc;

use hashbrown::HashMap;
use quoit_cypher::ast::{Projection, VarId};
use quoit_cypher::error::{Detail, Error};
use quoit_cypher::span::Span;

use super::scope::Scope;
use super::{Planner, columns, degree, long, used};
use crate::expression::{Expr, Slot};
use crate::plan::{Aggregate, Op, Plan, Project, Sort};

impl Planner<'_> {
    pub(super) fn projection(
        &mut self,
        plan: Plan,
        projection: &Projection,
        scope: &mut Scope,
    ) -> Result<Plan, Error> {
        let mut plan = plan;
        // Items and sort keys in the old scope; aggregates in them become numbers.
        scope.aggregates = projection.aggregates.then(Vec::new);
        // The check has replaced grouping keys within aggregating items by their columns' variables, so those are planned with the columns in view.
        let columns: HashMap<VarId, u32> = projection
            .items
            .iter()
            .enumerate()
            .map(|(at, item)| (item.id, at as u32))
            .collect();
        let mut items = Vec::with_capacity(projection.items.len());
        for item in &projection.items {
            if item.aggregates {
                scope.columns = columns.clone();
            }
            items.push(self.expr(&item.expr, scope)?);
            scope.columns = HashMap::new();
        }
        scope.columns = columns;
        let mut order = Vec::with_capacity(projection.order.len());
        for key in &projection.order {
            order.push((self.expr(&key.expr, scope)?, key.descending));
        }
        // `WHERE` may name what the projection does not hand on; then it is asked before the cut.
        let mut filter = None;
        if let Some(condition) = &projection.filter {
            let mut mentioned = used::Variables::new();
            used::in_expr(condition, &mut mentioned);
            let lost = |id: &VarId| scope.slot(*id).is_some() && !scope.columns.contains_key(id);
            if mentioned.iter().any(lost) {
                filter = Some((self.expr(condition, scope)?, condition.span));
            }
        }
        let filters_here = filter.is_some();
        scope.columns = HashMap::new();
        let aggregates = scope.aggregates.take();
        let mut frame = scope.clone();

        if let Some(mut calls) = aggregates {
            let mut keys: Vec<Expr> = items
                .iter()
                .zip(&projection.items)
                .filter(|(_, item)| !item.aggregates)
                .map(|(expr, _)| expr.clone())
                .collect();
            let key_count = keys.len() as u32;
            let replace = |expr: &Expr| -> Option<Expr> {
                match expr {
                    Expr::Aggregate(number) => Some(Expr::Slot(key_count + number)),
                    expr => keys
                        .iter()
                        .position(|key| key == expr)
                        .map(|at| Expr::Slot(at as u32)),
                }
            };
            let mut key_slots = HashMap::new();
            for (at, item) in projection.items.iter().enumerate() {
                if !item.aggregates {
                    key_slots.insert(at as u32, key_slots.len() as Slot);
                }
            }
            let replace_in_item = |expr: &Expr| match expr {
                Expr::Column(column) => key_slots.get(column).map(|slot| Expr::Slot(*slot)),
                expr => replace(expr),
            };
            for (expr, item) in items.iter_mut().zip(&projection.items) {
                into_frame(expr, &replace_in_item, item.span)?;
            }
            if let Some((expr, span)) = &mut filter {
                into_frame(expr, &replace, *span)?;
            }
            for ((expr, _), key) in order.iter_mut().zip(&projection.order) {
                into_frame(expr, &replace, key.expr.span)?;
            }
            frame = scope.next_frame();
            frame.width().set(key_count + calls.len() as u32);
            let estimate = if keys.is_empty() {
                1.0
            } else {
                plan.estimate.sqrt().max(1.0)
            };
            if !self.catalog.plain {
                plan = degree::before_expansion(plan, &keys, &mut calls, scope);
            }
            let args = calls.iter_mut().flat_map(|call| &mut call.args);
            plan = self.with_long(plan, keys.iter_mut().chain(args), scope);
            let node = Aggregate {
                keys,
                calls,
                width: frame.width(),
            };
            plan = Plan::over(Op::Aggregate(Rc::new(node)), plan).expecting(estimate);
            plan = columns::improve(plan, self.catalog);
        }

        let mut next = scope.next_frame();
        let distinct = projection.distinct;
        let sort_here = !distinct && (!order.is_empty() || filters_here);
        if sort_here {
            // Columns get slots beside what they are made of; then sort, cut, and move the columns to the front.
            let mut column_slots: Vec<Slot> = Vec::with_capacity(items.len());
            let mut extended = Vec::new();
            for item in &items {
                column_slots.push(match item {
                    Expr::Slot(slot) => *slot,
                    _ => {
                        let slot = frame.hidden_slot();
                        extended.push((slot, item.clone()));
                        slot
                    }
                });
            }
            plan = long::extended(plan, extended);
            let filtered = filter.iter_mut().map(|(expr, _)| expr);
            for expr in order.iter_mut().map(|(expr, _)| expr).chain(filtered) {
                expr.rewrite(&mut |expr| match expr {
                    Expr::Column(column) => Some(Expr::Slot(column_slots[*column as usize])),
                    _ => None,
                });
            }
            plan = self.sort_and_cut(plan, order, projection, &mut frame)?;
            if let Some((condition, _)) = filter {
                let estimate = plan.estimate * 0.5;
                plan = self.filtered(plan, vec![condition], estimate, &mut frame);
            }
            items = column_slots.into_iter().map(Expr::Slot).collect();
            order = Vec::new();
        }
        for item in &projection.items {
            let slot = next.hidden_slot();
            next.bind_to(item.id, slot);
            self.hand_on_labels(&item.expr, item.id);
        }
        let column_count = items.len() as u32;
        if distinct {
            for ((expr, _), key) in order.iter_mut().zip(&projection.order) {
                let replace = |expr: &Expr| match expr {
                    Expr::Column(column) => Some(Expr::Slot(*column)),
                    expr => items
                        .iter()
                        .position(|item| item == expr)
                        .map(|at| Expr::Slot(at as u32)),
                };
                into_frame(expr, &replace, key.expr.span)?;
            }
        }
        plan = self.with_long(plan, &mut items, &mut frame);
        plan = Plan::over(
            Op::Project(Rc::new(Project {
                items,
                width: next.width(),
            })),
            plan,
        );
        if distinct {
            plan = columns::improve(Plan::over(Op::Distinct(column_count), plan), self.catalog);
        }
        if !sort_here {
            plan = self.sort_and_cut(plan, order, projection, &mut next)?;
        }
        *scope = next;
        match &projection.filter {
            Some(filter) if !filters_here => self.filter(plan, filter, scope),
            _ => Ok(plan),
        }
    }

    fn sort_and_cut(
        &mut self,
        plan: Plan,
        order: Vec<(Expr, bool)>,
        projection: &Projection,
        scope: &mut Scope,
    ) -> Result<Plan, Error> {
        let (mut plan, mut order) = (plan, order);
        // Counts see no variables of the query.
        let mut empty = scope.subquery();
        let skip = projection
            .skip
            .as_ref()
            .map(|skip| self.expr(skip, &mut empty))
            .transpose()?;
        let limit = projection
            .limit
            .as_ref()
            .map(|limit| self.expr(limit, &mut empty))
            .transpose()?;
        if !order.is_empty() && !self.comes_in_order(&mut plan, &order) {
            let top = limit
                .iter()
                .flat_map(|limit| std::iter::once(limit).chain(&skip))
                .cloned()
                .collect();
            plan = self.with_long(plan, order.iter_mut().map(|(key, _)| key), scope);
            plan = Plan::over(Op::Sort(Rc::new(Sort { keys: order, top })), plan);
        }
        if let Some(skip) = skip {
            plan = Plan::over(Op::Skip(Rc::new(skip)), plan);
        }
        if let Some(limit) = limit {
            let estimate = match limit.as_constant() {
                Some(quoit_graph::value::Value::Int(count)) => plan.estimate.min(*count as f64),
                _ => plan.estimate,
            };
            plan = Plan::over(Op::Limit(Rc::new(limit)), plan).expecting(estimate);
        }
        Ok(plan)
    }
}

/// Rewrites an expression of the old frame to one of the new, in which only what `replace` knows is left.
fn into_frame(
    expr: &mut Expr,
    replace: &dyn Fn(&Expr) -> Option<Expr>,
    span: Span,
) -> Result<(), Error> {
    let mut lost = false;
    expr.rewrite(&mut |expr| match replace(expr) {
        Some(new) => Some(new),
        None => {
            lost |= matches!(expr, Expr::Slot(_) | Expr::Path(_));
            None
        }
    });
    if lost {
        return Err(Error::syntax(
            Detail::AmbiguousAggregationExpression,
            span,
            "this uses a variable that is neither grouped by nor projected",
        ));
    }
    Ok(())
}
