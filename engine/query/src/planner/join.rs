//! Parts of a `MATCH` that no edge joins: instead of looking for the candidates of a vertex again for each row, they are found once and joined by the
//! values that conditions say are equal, or with all rows if there are none.
//!
//! Called by [`super::pattern`] when a vertex has to be found beside rows that there are. What always holds: the second input of a join
//! rests on no row of the first; conditions that need both are asked behind the join unless they are its keys. What finds a vertex by
//! something in the row (an index, an id) is left as it is, since it costs next to nothing.

use std::rc::Rc;

use quoit_cypher::ast::{self, ComparisonOp, ExprKind, VarId};
use quoit_cypher::error::Error;

use super::Planner;
use super::conditions::{PredicateKind, Solver};
use super::scope::Scope;
use super::start::Access;
use super::used::{self, Variables};
use crate::expression::{Expr, NameRef, Place, Slot};
use crate::plan::{HashJoin, Op, Plan};

/// What keeping a row and looking one up cost, in vertices that are scanned.
const KEEP: f64 = 2.0;
const LOOK_UP: f64 = 1.0;
/// So many rows are kept at most where no key says which of them are wanted.
const PRODUCT_ROWS_MAX: f64 = 20_000.0;

/// An equality of something of the new vertex with something of the rows: number of the predicate, the rows' side, the vertex's (`None`: the
/// property that the predicate names).
struct Key<'a> {
    at: usize,
    of_row: &'a ast::Expr,
    of_vertex: Option<&'a ast::Expr>,
}

impl Planner<'_> {
    /// Finds a vertex once for all rows, if that is cheaper than for each of them; else the plan is given back.
    pub(super) fn joined(
        &mut self,
        plan: Plan,
        id: VarId,
        access: &Access,
        solver: &mut Solver<'_>,
        scope: &mut Scope,
    ) -> Result<Result<Plan, Plan>, Error> {
        if self.catalog.plain || self.is_volatile || gives_one_row(&plan) || self.is_look_up(access)
        {
            return Ok(Err(plan));
        }
        let keys = keys(id, solver, scope);
        let mut apart = scope.apart();
        // Conditions that mention rows are no conditions on the vertex alone.
        let hidden: Vec<usize> = (0..solver.predicates.len())
            .filter(|at| solver.predicates[*at].outside && !solver.predicates[*at].done)
            .collect();
        let hide = |solver: &mut Solver<'_>, is_done: bool| {
            hidden
                .iter()
                .for_each(|at| solver.predicates[*at].done = is_done);
        };
        hide(solver, true);
        let own = self.access(id, solver, &apart);
        let rows = plan.estimate.max(1.0);
        let together = own.cost + own.rows.min(rows) * KEEP + own.rows.max(rows) * LOOK_UP;
        let is_product = keys.is_empty();
        let kept = own.rows.min(rows);
        if together >= rows * access.cost || (is_product && kept > PRODUCT_ROWS_MAX) {
            hide(solver, false);
            return Ok(Err(plan));
        }
        let left_slots = scope.width().get();
        let keeps_left = rows < own.rows;
        let right = Plan::leaf(Op::Argument(scope.width()));
        let right = self.start_vertex(right, id, own, solver, &mut apart)?;
        let right = self.apply_predicates(right, solver, &mut apart)?;
        hide(solver, false);
        let vertex = apart.bind(id);
        let (mut left_keys, mut right_keys) = (Vec::new(), Vec::new());
        for Key {
            at,
            of_row,
            of_vertex,
        } in keys
        {
            let of_row = self.expr(of_row, scope)?;
            let of_vertex = match (of_vertex, &solver.predicates[at].kind) {
                (Some(expr), _) => self.expr(expr, &mut apart)?,
                (None, PredicateKind::Property(_, key, _)) => Expr::Property(
                    Box::new(Expr::Slot(vertex)),
                    NameRef::new(&key.name),
                    Place(key.span),
                ),
                _ => continue,
            };
            if of_row.may_take_long() || of_vertex.may_take_long() {
                continue;
            }
            solver.predicates[at].done = true;
            left_keys.push(of_row);
            right_keys.push(of_vertex);
        }
        scope.bind_to(id, vertex);
        let kept: Vec<Slot> = match keeps_left {
            true => (0..left_slots).filter(|slot| *slot != vertex).collect(),
            false => vec![vertex],
        };
        let share = left_keys
            .iter()
            .fold(1.0, |share: f64, _| share / right.estimate.max(1.0).sqrt());
        let estimate = (plan.estimate * right.estimate * share).max(1.0);
        let join = HashJoin {
            left_keys,
            right_keys,
            keeps_left,
            kept,
        };
        let op = Op::HashJoin(Rc::new(join));
        Ok(Ok(Plan::joining(op, vec![plan, right], estimate)))
    }
}

/// Whether a plan gives one row at most, by what it is made of.
fn gives_one_row(plan: &Plan) -> bool {
    match &plan.op {
        Op::Unit(_) | Op::Argument(_) | Op::IdSeek(_) => {
            plan.inputs.first().is_none_or(gives_one_row)
        }
        Op::Filter(_) | Op::Extend(_) | Op::Compute(_) | Op::Project(_) => {
            plan.inputs.first().is_some_and(gives_one_row)
        }
        Op::IndexScan(scan) if scan.is_unique => plan.inputs.first().is_some_and(gives_one_row),
        _ => false,
    }
}

/// The equalities that a vertex can be joined by.
fn keys<'a>(id: VarId, solver: &Solver<'a>, scope: &Scope) -> Vec<Key<'a>> {
    let mut found = Vec::new();
    for (at, predicate) in solver.predicates.iter().enumerate() {
        if !predicate.is_ready(id, scope) || !predicate.needs.contains(&id) {
            continue;
        }
        // Whether it can be computed from the rows, or from the vertex.
        let sides = |expr: &ast::Expr| {
            let mut mentioned = Variables::new();
            used::in_expr(expr, &mut mentioned);
            let of_rows = mentioned
                .iter()
                .any(|other| *other != id && scope.slot(*other).is_some());
            (of_rows, mentioned.contains(&id))
        };
        match predicate.kind {
            PredicateKind::Property(of, _, value) if of == id && sides(value) == (true, false) => {
                found.push(Key {
                    at,
                    of_row: value,
                    of_vertex: None,
                });
            }
            PredicateKind::Condition(ast::Expr {
                kind: ExprKind::Comparison(comparison),
                ..
            }) => {
                let [(ComparisonOp::Equal, second)] = comparison.rest.as_slice() else {
                    continue;
                };
                let first = &comparison.first;
                let (of_row, of_vertex) = match (sides(first), sides(second)) {
                    ((true, false), (false, true)) => (first, second),
                    ((false, true), (true, false)) => (second, first),
                    _ => continue,
                };
                found.push(Key {
                    at,
                    of_row,
                    of_vertex: Some(of_vertex),
                });
            }
            _ => {}
        }
    }
    found
}
