//! `MATCH`: in which order to find vertices and edges.
//!
//! Greedy by cost: what is bound comes first; then, over and over, an edge whose ends are both bound, else the cheapest edge from a bound end,
//! else the cheapest vertex to start from (by id, index, label, or all). A predicate is applied as soon as all it mentions is bound.

use std::rc::Rc;

use quoit_cypher::ast::{
    self, ComparisonOp, Expansion, ExprKind, LabelName, Match, MatchHint, PathPattern,
    RelationshipPattern, VarId,
};
use quoit_cypher::error::Error;
use quoit_cypher::span::Span;
use quoit_graph::Direction;

use super::conditions::{PatternStep, Predicate, PredicateKind, Solver, split_condition};
use super::scope::Scope;
use super::used::Variables;
use super::{Planner, unsupported};
use crate::expression::{Expr, NameRef, PathPart, Place, Slot};
use crate::plan::{BoundEdge, Expand, Op, Other, Plan, VarExpand};

/// Rows that a variable-length step is expected to give for each of its input rows, at least.
const VAR_LENGTH_ROWS: f64 = 20.0;

impl Planner<'_> {
    pub(super) fn match_clause(
        &mut self,
        plan: Plan,
        matching: &Match,
        span: Span,
        scope: &mut Scope,
    ) -> Result<Plan, Error> {
        if matching.repeatable {
            return Err(unsupported("REPEATABLE ELEMENTS", span));
        }
        for hint in &matching.hints {
            if let MatchHint::Index {
                label, properties, ..
            } = hint
            {
                let keys = properties.iter().map(|key| key.name.clone()).collect();
                self.hinted.push((label.name.clone(), keys));
            }
        }
        if !matching.optional {
            return self.match_patterns(plan, &matching.patterns, matching.filter.as_ref(), scope);
        }
        let mut plan = plan;
        for id in pattern_variables(&matching.patterns) {
            plan = self.slot_of(plan, id, scope);
        }
        let before = scope.width().get();
        let argument = Plan::leaf(Op::Argument(scope.width()));
        let inner = self.match_patterns(
            argument,
            &matching.patterns,
            matching.filter.as_ref(),
            scope,
        )?;
        let slots: Vec<Slot> = (before..scope.width().get()).collect();
        let estimate = plan.estimate * inner.estimate.max(1.0);
        Ok(Plan::joining(
            Op::Optional(Rc::new(slots)),
            vec![plan, inner],
            estimate,
        ))
    }

    /// Plans the patterns of one `MATCH` with its `WHERE` on top of a plan.
    pub(super) fn match_patterns(
        &mut self,
        plan: Plan,
        patterns: &[PathPattern],
        filter: Option<&ast::Expr>,
        scope: &mut Scope,
    ) -> Result<Plan, Error> {
        let mut plan = plan;
        let variables = pattern_variables(patterns);
        for id in &variables {
            plan = self.slot_of(plan, *id, scope);
        }
        let mut solver = Solver {
            steps: Vec::new(),
            predicates: Vec::new(),
            used: Vec::new(),
            paths: Vec::new(),
        };
        let mut nodes: Vec<VarId> = Vec::new();
        for pattern in patterns {
            solver.collect(pattern, &mut nodes)?;
        }
        for id in &nodes {
            if scope.has(*id) {
                solver
                    .predicates
                    .push(Predicate::new(PredicateKind::Present(*id)));
            }
        }
        if let Some(filter) = filter {
            split_condition(filter, &mut solver.predicates);
        }
        // Only what this MATCH binds must be waited for: the rest is there, or lies within the predicate.
        let paths: Vec<VarId> = solver
            .paths
            .iter()
            .filter_map(|pattern| pattern.variable.as_ref())
            .map(|path| path.id)
            .collect();
        for predicate in &mut solver.predicates {
            predicate
                .needs
                .retain(|id| variables.contains(id) || paths.contains(id));
        }
        loop {
            plan = self.apply_predicates(plan, &mut solver, scope)?;
            if let Some(at) = self.next_step(&solver, scope) {
                plan = self.step(plan, at, &mut solver, scope)?;
                continue;
            }
            let Some(start) = self.next_start(&nodes, &solver, scope) else {
                break;
            };
            plan = self.start(plan, start, &mut solver, scope)?;
        }
        let paths: Vec<_> = std::mem::take(&mut solver.paths);
        let mut extended = Vec::new();
        for pattern in paths {
            extended.extend(self.named_path(pattern, scope));
        }
        if !extended.is_empty() {
            plan = Plan::over(Op::Extend(Rc::new(extended)), plan);
        }
        self.apply_predicates(plan, &mut solver, scope)
    }

    /// The slot and value of a pattern's path variable, once all its parts are bound.
    pub(super) fn named_path(
        &mut self,
        pattern: &PathPattern,
        scope: &mut Scope,
    ) -> Option<(Slot, Expr)> {
        let variable = pattern.variable.as_ref()?;
        let mut parts = vec![PathPart::Vertex(scope.bind(pattern.start.id))];
        for (relationship, _) in pattern.relationships() {
            let slot = scope.bind(relationship.id);
            parts.push(match relationship.expansion {
                Expansion::Single => PathPart::Edge(slot),
                _ => PathPart::Edges(slot),
            });
        }
        Some((scope.bind(variable.id), Expr::Path(parts)))
    }

    /// Filters by all predicates that can be asked now.
    fn apply_predicates(
        &mut self,
        plan: Plan,
        solver: &mut Solver<'_>,
        scope: &mut Scope,
    ) -> Result<Plan, Error> {
        let mut planned = Vec::new();
        for predicate in &mut solver.predicates {
            if predicate.done || !predicate.needs.iter().all(|id| scope.slot(*id).is_some()) {
                continue;
            }
            predicate.done = true;
            planned.push(match &predicate.kind {
                PredicateKind::Condition(expr) => self.expr(expr, scope)?,
                PredicateKind::Labels(id, labels, span) => {
                    let labelled = scope.resolve(*id);
                    Expr::HasLabels(
                        Box::new(labelled.unwrap_or_else(|| Expr::Slot(scope.bind(*id)))),
                        self.label_test(labels)?,
                        Place(*span),
                    )
                }
                PredicateKind::Property(id, key, value) => {
                    let place = Place(key.span);
                    let property = Expr::Property(
                        Box::new(Expr::Slot(scope.bind(*id))),
                        NameRef::new(&key.name),
                        place,
                    );
                    Expr::Compare(
                        Box::new(property),
                        vec![(ComparisonOp::Equal, self.expr(value, scope)?)],
                    )
                }
                PredicateKind::Present(id) => {
                    Expr::IsNull(Box::new(Expr::Slot(scope.bind(*id))), true)
                }
            });
        }
        if planned.is_empty() {
            return Ok(plan);
        }
        let estimate = plan.estimate * 0.5_f64.powi(planned.len() as i32);
        Ok(Plan::over(Op::Filter(Rc::new(planned)), plan).expecting(estimate))
    }

    /// The cheapest step with a bound end, if there is one. A long walk waits while a cheap vertex could bind its other end.
    fn next_step(&mut self, solver: &Solver<'_>, scope: &Scope) -> Option<usize> {
        let mut best: Option<(usize, f64)> = None;
        for (at, step) in solver
            .steps
            .iter()
            .enumerate()
            .filter(|(_, step)| !step.done)
        {
            let bound = |id: VarId| scope.slot(id).is_some();
            let (from, to) = (bound(step.from), bound(step.to));
            let cost = if bound(step.relationship.id) {
                0.0
            } else if from && to {
                if step.range.is_some() { 1.0 } else { 0.1 }
            } else if from || to {
                let far = if from { step.to } else { step.from };
                if step.range.is_some() && self.seekable(far, solver, scope) {
                    continue;
                }
                self.fan_out(step) * if solver.is_constrained(far) { 0.5 } else { 1.0 }
            } else {
                continue;
            };
            if best.is_none_or(|(_, known)| cost < known) {
                best = Some((at, cost));
            }
        }
        best.map(|(at, _)| at)
    }

    /// Edges expected at one vertex.
    pub(super) fn fan_out(&self, step: &PatternStep<'_>) -> f64 {
        let statistics = &self.catalog.statistics;
        let vertices = statistics.vertices.max(1) as f64;
        let edges = match static_types(step.relationship) {
            Some(types) if !types.is_empty() => types
                .iter()
                .filter_map(|name| self.catalog.graph.names().edge_type(name))
                .map(|id| self.catalog.edges_of(id))
                .sum::<f64>(),
            _ => statistics.edges as f64,
        };
        let one = (edges / vertices).max(0.1)
            * if step.relationship.direction == ast::Direction::Either {
                2.0
            } else {
                1.0
            };
        match step.range {
            None => one,
            Some((_, max)) => one.max(1.0).powi(max.min(4) as i32).max(VAR_LENGTH_ROWS),
        }
    }

    fn step(
        &mut self,
        plan: Plan,
        at: usize,
        solver: &mut Solver<'_>,
        scope: &mut Scope,
    ) -> Result<Plan, Error> {
        let fan_out = self.fan_out(&solver.steps[at]);
        let step = &mut solver.steps[at];
        step.done = true;
        let relationship = step.relationship;
        let Some(types) = static_types(relationship) else {
            return Err(unsupported(
                "a type expression with `&`, `!` or `%`",
                relationship.span,
            ));
        };
        let types: Vec<NameRef> = types.into_iter().map(NameRef::new).collect();
        let direction = match relationship.direction {
            ast::Direction::Outgoing => Direction::Out,
            ast::Direction::Incoming => Direction::In,
            ast::Direction::Either => Direction::Both,
        };
        let bound = |scope: &Scope, id: VarId| scope.slot(id).is_some();
        let (from_bound, to_bound) = (bound(scope, step.from), bound(scope, step.to));
        let list = step.range.is_some();
        let unique = solver.used.clone();
        let (min, max) = step.range.unwrap_or((1, 1));
        if bound(scope, relationship.id) {
            let edge = scope.bind(relationship.id);
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
                unique,
            };
            return Ok(Plan::over(Op::BoundEdge(Rc::new(node)), plan));
        }
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
        let estimate = plan.estimate
            * if into {
                (fan_out / self.catalog.statistics.vertices.max(1) as f64).min(1.0)
            } else {
                fan_out
            };
        let (from, to) = (scope.bind(near), scope.bind(far));
        let edge = scope.bind(relationship.id);
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
            Op::VarExpand(Rc::new(VarExpand {
                from,
                edges: edge,
                to,
                into,
                direction,
                types,
                min,
                max,
                properties,
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

/// The types of a relationship pattern if they are plain alternatives; none: any type.
pub(super) fn static_types(relationship: &RelationshipPattern) -> Option<Vec<&str>> {
    let Some(types) = &relationship.types else {
        return Some(Vec::new());
    };
    types
        .alternatives()?
        .into_iter()
        .map(|name| match name {
            LabelName::Static(name) => Some(&*name.name),
            LabelName::Dynamic(_) => None,
        })
        .collect()
}

/// Variables of nodes and relationships, each once, in the order of the text.
fn pattern_variables(patterns: &[PathPattern]) -> Vec<VarId> {
    let mut ids = Vec::new();
    for pattern in patterns {
        ids.push(pattern.start.id);
        for (relationship, node) in pattern.relationships() {
            ids.push(relationship.id);
            ids.push(node.id);
        }
    }
    let mut seen = Variables::new();
    ids.retain(|id| seen.insert(*id));
    ids
}
