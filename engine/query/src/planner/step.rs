//! The steps of a `MATCH` along relationships: which is taken next, and with what operator.
//!
//! Called by [`super::pattern`], which takes one after the other. What always holds: a step is taken from an end that is bound, when all is
//! bound that its bounds, filter and weight mention; conditions that decide which path a search takes are its own and asked nowhere else.

use std::rc::Rc;

use quoit_cypher::ast::{self, Expansion, ExprKind, VarId};
use quoit_cypher::error::Error;
use quoit_graph::Direction;
use quoit_graph::value::Value;

use super::closing::direction_from;
use super::conditions::{PatternStep, PredicateKind, Search, Solver, Wanted};
use super::estimate::{INTO, STEPS_LOOKED_AT};
use super::pattern::{path_of, static_types};
use super::scope::Scope;
use super::{Planner, unsupported};
use crate::expression::{Constant, Expr, NameRef, Place, Slot};
use crate::plan::{
    self, BoundEdge, ComputedBounds, Expand, Op, Other, Plan, StepExpr, VarExpand, Which,
};

impl Planner<'_> {
    /// The cheapest step with a bound end, if there is one. A step waits while finding its other end by itself is cheaper.
    pub(super) fn next_step(&mut self, solver: &Solver<'_>, scope: &Scope) -> Option<usize> {
        let mut best: Option<(usize, f64)> = None;
        for (at, step) in solver
            .steps
            .iter()
            .enumerate()
            .filter(|(_, step)| !step.done)
        {
            let bound = |id: VarId| scope.slot(id).is_some();
            let (from, to) = (bound(step.from), bound(step.to));
            let waits = step.needs.iter().any(|id| !bound(*id));
            if waits || (Self::is_directed(step) && !from) || !self.may_search(at, solver, scope) {
                continue;
            }
            let cost = if bound(step.id) {
                0.0
            } else if from && to {
                if step.range.is_some() { 1.0 } else { 0.1 }
            } else if from || to {
                let (near, far) = match from {
                    true => (step.from, step.to),
                    false => (step.to, step.from),
                };
                let looks_ahead = solver.steps.len() <= STEPS_LOOKED_AT || step.range.is_some();
                let access = looks_ahead.then(|| self.access(far, solver, scope));
                let (work, rows) = self.step_cost(step, near, solver, access.as_ref());
                if let Some(access) = access.filter(|access| self.is_look_up(access)) {
                    let by_itself = access.cost + access.rows * INTO;
                    if step.range.is_some() || by_itself < work {
                        continue;
                    }
                }
                work.min(1.0) * 0.1 + rows
            } else {
                continue;
            };
            if best.is_none_or(|(_, known)| cost < known) {
                best = Some((at, cost));
            }
        }
        best.map(|(at, _)| at)
    }

    /// Whether a step begins at the pattern's first end only: what is computed on the way is meant in that direction.
    fn is_directed(step: &PatternStep<'_>) -> bool {
        let is_filtered = matches!(
            &step.relationship.expansion,
            Expansion::Variable {
                filter: Some(_),
                ..
            }
        );
        is_filtered || step.search.as_ref().is_some_and(Search::is_directed)
    }

    /// Whether all that a search asks is bound: the end that it begins at, both where paths are ranked, and whatever conditions on the
    /// path mention.
    fn may_search(&self, at: usize, solver: &Solver<'_>, scope: &Scope) -> bool {
        let step = &solver.steps[at];
        let Some(search) = &step.search else {
            return true;
        };
        let bound = |id: VarId| scope.slot(id).is_some();
        let conditions = search_conditions(at, solver);
        let is_ranked = matches!(search.which, Wanted::Ranked { .. }) || !conditions.is_empty();
        let path = search.pattern.variable.as_ref().map(|path| path.id);
        let own = |id: VarId| id == step.id || Some(id) == path;
        let mut needs = conditions
            .iter()
            .flat_map(|at| &solver.predicates[*at].needs);
        (!is_ranked || (bound(step.from) && bound(step.to)))
            && needs.all(|id| own(*id) || bound(*id))
    }

    /// A filter or weight of a search, whose variables get slots of their own.
    fn step_expr(&mut self, lambda: &ast::Lambda, scope: &mut Scope) -> Result<StepExpr, Error> {
        let edge = scope.bind(lambda.relationship.id);
        let vertex = scope.bind(lambda.node.id);
        let path = lambda.path.as_ref().map(|path| scope.bind(path.id));
        let weight = lambda.weight.as_ref().map(|weight| scope.bind(weight.id));
        Ok(StepExpr {
            edge,
            vertex,
            path,
            weight,
            body: self.expr(&lambda.body, scope)?,
            place: Place(lambda.body.span),
        })
    }

    /// Which paths a search gives, with the conditions on them; these are done then.
    fn which(
        &mut self,
        at: usize,
        search: &Search<'_>,
        solver: &mut Solver<'_>,
        scope: &mut Scope,
    ) -> Result<Which, Error> {
        let (all, conditional) = match search.which {
            Wanted::Nearest { all, conditional } => (all, conditional),
            Wanted::Ranked {
                count,
                groups,
                simple,
            } => {
                return Ok(Which::Ranked {
                    count: count.map(|count| self.expr(count, scope)).transpose()?,
                    groups,
                    simple,
                    path: None,
                    conditions: Vec::new(),
                });
            }
        };
        let conditions = match conditional {
            true => search_conditions(at, solver),
            false => Vec::new(),
        };
        if conditions.is_empty() {
            return Ok(Which::Nearest { all });
        }
        let path = search.pattern.variable.as_ref().map(|variable| {
            let path = path_of(search.pattern, scope);
            (scope.bind(variable.id), path)
        });
        let mut planned = Vec::new();
        for at in conditions {
            let predicate = &mut solver.predicates[at];
            predicate.done = true;
            if let PredicateKind::Condition(expr) = &predicate.kind {
                planned.push(self.expr(expr, scope)?);
            }
        }
        Ok(Which::Ranked {
            count: Some(Expr::Constant(Constant(Value::Int(1)))),
            groups: all,
            simple: false,
            path,
            conditions: planned,
        })
    }

    /// Takes a step.
    pub(super) fn step(
        &mut self,
        plan: Plan,
        at: usize,
        solver: &mut Solver<'_>,
        scope: &mut Scope,
    ) -> Result<Plan, Error> {
        let step = &solver.steps[at];
        let hops = [self.hop(step, step.from), self.hop(step, step.to)];
        let linked = self.linked(step);
        let unique = solver.unique();
        let step = &mut solver.steps[at];
        step.done = true;
        let relationship = step.relationship;
        // What is more than a choice of names is a condition on each edge.
        let types = static_types(relationship).unwrap_or_default();
        let types: Vec<NameRef> = types.into_iter().map(NameRef::new).collect();
        let test = step.types;
        let (id, condition) = (step.id, step.filter);
        let direction = direction_from(step, step.from);
        let bound = |scope: &Scope, id: VarId| scope.slot(id).is_some();
        let (from_bound, to_bound) = (bound(scope, step.from), bound(scope, step.to));
        let list = step.range.is_some();
        let (min, max) = step.range.unwrap_or((1, 1));
        let mut computed = step
            .computed
            .map(|bound| bound.map(|bound| Ok((self.expr(bound, scope)?, Place(bound.span)))));
        let computed = ComputedBounds {
            min: computed[0].take().transpose()?,
            max: computed[1].take().transpose()?,
        };
        if bound(scope, id) {
            if let Some(types) = test {
                return Err(unsupported(
                    "a type expression with `&`, `!` or `%` on a list of relationships that is bound",
                    types.span(relationship.span),
                ));
            }
            let edge = scope.bind(id);
            let (from, to) = (scope.bind(step.from), scope.bind(step.to));
            solver.used.push(Other { slot: edge, list });
            let node = BoundEdge {
                edge,
                list,
                from,
                from_bound,
                to,
                to_bound,
                direction,
                types,
                min,
                max,
                computed,
                unique,
            };
            return Ok(Plan::over(Op::BoundEdge(Rc::new(node)), plan));
        }
        let search = step.search;
        let reversed = !from_bound;
        let (near, far) = if reversed {
            (step.to, step.from)
        } else {
            (step.from, step.to)
        };
        let direction = match (reversed, direction) {
            (true, Direction::Out) => Direction::In,
            (true, Direction::In) => Direction::Out,
            (_, direction) => direction,
        };
        let into = bound(scope, far);
        let which = match &search {
            Some(search) => Some(self.which(at, search, solver, scope)?),
            None => None,
        };
        let hop = hops[usize::from(reversed)];
        let estimate = plan.estimate * if into { linked } else { hop.fan_out };
        if !into {
            solver.shares.insert(far, hop.share);
        }
        let (from, to) = (scope.bind(near), scope.bind(far));
        let edge = scope.bind(id);
        solver.used.push(Other { slot: edge, list });
        let op = if list {
            let mut properties = Vec::new();
            match &relationship.properties {
                None => {}
                Some(ast::Expr {
                    kind: ExprKind::Map(entries),
                    ..
                }) => {
                    for (key, value) in entries {
                        properties.push((NameRef::new(&key.name), self.expr(value, scope)?));
                    }
                }
                Some(other) => {
                    return Err(unsupported(
                        "properties that are no map literal",
                        other.span,
                    ));
                }
            }
            let filter = match (&search, &relationship.expansion) {
                (Some(search), _) => search.filter,
                (None, Expansion::Variable { filter, .. }) => filter.as_deref(),
                (None, _) => None,
            };
            let mut filter = match filter {
                Some(filter) => Some(self.step_expr(filter, scope)?),
                None => None,
            };
            if let Some(types) = test {
                let (edge, place) = (scope.hidden_slot(), Place(relationship.span));
                let asked = Expr::Slot(edge);
                let asked = self.label_predicate(asked, types, place, scope)?;
                filter = Some(with_condition(filter, asked, place, edge, scope));
            }
            if let Some(condition) = condition {
                let edge = scope.bind(relationship.id);
                let asked = self.expr(condition, scope)?;
                filter = Some(with_condition(
                    filter,
                    asked,
                    Place(condition.span),
                    edge,
                    scope,
                ));
            }
            if let (Some(search), Some(which)) = (search, which) {
                let weight = match search.weight {
                    Some(weight) => Some(self.step_expr(weight, scope)?),
                    None => None,
                };
                let total = search.total.map(|total| scope.bind(total.id));
                let search = plan::Search {
                    from,
                    edges: edge,
                    to,
                    into,
                    direction,
                    types,
                    min,
                    max,
                    computed,
                    properties,
                    unique,
                    reversed,
                    which,
                    filter,
                    weight,
                    total,
                };
                return Ok(Plan::over(Op::Search(Rc::new(search)), plan).expecting(estimate));
            }
            Op::VarExpand(Rc::new(VarExpand {
                from,
                edges: edge,
                to,
                into,
                direction,
                types,
                min,
                max,
                computed,
                properties,
                filter,
                unique,
                reversed,
                wants_edges: true,
            }))
        } else {
            Op::Expand(Rc::new(Expand {
                from,
                edge,
                to,
                into,
                direction,
                types,
                unique,
            }))
        };
        Ok(Plan::over(op, plan).expecting(estimate))
    }
}

/// A filter that asks something of each edge too: a condition on the edge in `edge`.
fn with_condition(
    filter: Option<StepExpr>,
    condition: Expr,
    place: Place,
    edge: Slot,
    scope: &mut Scope,
) -> StepExpr {
    match filter {
        None => StepExpr {
            edge,
            vertex: scope.hidden_slot(),
            path: None,
            weight: None,
            body: condition,
            place,
        },
        Some(mut filter) => {
            let mut condition = condition;
            condition.rewrite(&mut |part| {
                (*part == Expr::Slot(edge)).then_some(Expr::Slot(filter.edge))
            });
            filter.body = Expr::And(vec![filter.body, condition], place);
            filter
        }
    }
}

/// Conditions that decide which path `shortestPath()` takes, by number: those on its path or its relationships.
fn search_conditions(at: usize, solver: &Solver<'_>) -> Vec<usize> {
    let step = &solver.steps[at];
    let Some(search) = &step.search else {
        return Vec::new();
    };
    if !matches!(
        search.which,
        Wanted::Nearest {
            conditional: true,
            ..
        }
    ) {
        return Vec::new();
    }
    let path = search.pattern.variable.as_ref().map(|path| path.id);
    let predicates = solver.predicates.iter().enumerate();
    let of_path = predicates.filter(|(_, predicate)| {
        !predicate.done
            && matches!(predicate.kind, PredicateKind::Condition(_))
            && (predicate.needs.contains(&step.id)
                || path.is_some_and(|path| predicate.needs.contains(&path)))
    });
    of_path.map(|(at, _)| at).collect()
}
