//! `MATCH`: in which order to find vertices and edges.
//!
//! Greedy by cost: what is bound comes first; then, over and over, an edge whose ends are both bound, else the cheapest edge from a bound end,
//! else the vertex to start from with which all steps behind it cost least (by id, index, label, or all). A predicate is applied as soon as
//! all it mentions is bound.

use std::rc::Rc;

use hashbrown::HashMap;
use quoit_cypher::ast::{
    self, ComparisonOp, Expansion, ExprKind, LabelName, Match, MatchHint, PathPattern,
    RelationshipPattern, Step, VarId,
};
use quoit_cypher::error::Error;
use quoit_cypher::span::Span;
use quoit_graph::Direction;
use quoit_graph::value::Value;

use super::automaton::variables_of_group;
use super::closing::direction_from;
use super::conditions::{
    PatternStep, Predicate, PredicateKind, Search, Solver, Wanted, split_condition,
};
use super::estimate::{INTO, STEPS_LOOKED_AT};
use super::scope::Scope;
use super::start::Start;
use super::used::Variables;
use super::{Planner, unsupported};
use crate::expression::{Constant, Expr, NameRef, PathPart, Place, Slot};
use crate::plan::{
    self, BoundEdge, ComputedBounds, Expand, Op, Other, Plan, StepExpr, VarExpand, Which,
};

impl Planner<'_> {
    pub(super) fn match_clause(
        &mut self,
        plan: Plan,
        matching: &Match,
        span: Span,
        scope: &mut Scope,
    ) -> Result<Plan, Error> {
        self.mention_match(matching, span, scope);
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
            return self.match_patterns(plan, matching.into(), scope);
        }
        let mut plan = plan;
        for id in pattern_variables(&matching.patterns) {
            plan = self.slot_of(plan, id, scope);
        }
        let before = scope.width().get();
        let argument = Plan::leaf(Op::Argument(scope.width()));
        let inner = self.match_patterns(argument, matching.into(), scope)?;
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
        asked: Asked<'_>,
        scope: &mut Scope,
    ) -> Result<Plan, Error> {
        let Asked {
            patterns,
            filter,
            repeatable,
        } = asked;
        let mut plan = plan;
        let variables = pattern_variables(patterns);
        for id in &variables {
            plan = self.slot_of(plan, *id, scope);
        }
        let mut solver = Solver {
            steps: Vec::new(),
            predicates: Vec::new(),
            used: Vec::new(),
            conditions: HashMap::new(),
            shares: HashMap::new(),
            paths: Vec::new(),
            walks: Vec::new(),
            repeatable,
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
            .flat_map(|pattern| pattern.variable.iter().chain(&pattern.inner))
            .map(|path| path.id)
            .collect();
        self.note_labels(&solver);
        for predicate in &mut solver.predicates {
            predicate.outside = predicate
                .needs
                .iter()
                .any(|id| !variables.contains(id) && scope.slot(*id).is_some());
            predicate
                .needs
                .retain(|id| variables.contains(id) || paths.contains(id));
            let is_of_labels = matches!(&predicate.kind, PredicateKind::Labels(..));
            if let (false, 1, Some(id)) = (
                is_of_labels,
                predicate.needs.len(),
                predicate.needs.iter().next(),
            ) {
                *solver.conditions.entry(*id).or_default() += 1;
            }
        }
        for step in &mut solver.steps {
            step.needs.retain(|id| variables.contains(id));
        }
        for walk in &mut solver.walks {
            walk.needs.retain(|id| variables.contains(id));
        }
        loop {
            plan = self.apply_predicates(plan, &mut solver, scope)?;
            if let Some(at) = self.next_step(&solver, scope) {
                plan = match self.closing(at, &solver, scope) {
                    Some(other) => self.intersect(plan, [at, other], &mut solver, scope),
                    None => self.step(plan, at, &mut solver, scope)?,
                };
                continue;
            }
            if let Some(at) = self.next_walk(&solver, scope) {
                plan = self.walk(plan, at, &mut solver, scope)?;
                continue;
            }
            let Some(start) = self.next_start(&nodes, &solver, scope) else {
                break;
            };
            plan = match start {
                Start::Vertex(id, access) => {
                    match self.joined(plan, id, &access, &mut solver, scope)? {
                        Ok(joined) => joined,
                        Err(plan) => {
                            self.start(plan, Start::Vertex(id, access), &mut solver, scope)?
                        }
                    }
                }
                edge => self.start(plan, edge, &mut solver, scope)?,
            };
        }
        if let Some(step) = solver.steps.iter().find(|step| !step.done) {
            return Err(unsupported(
                "a condition on a shortest path that rests on what is matched after it",
                step.relationship.span,
            ));
        }
        if let Some(walk) = solver.walks.iter().find(|walk| !walk.done) {
            return Err(unsupported(
                "a part of a path whose conditions rest on what is matched after it",
                walk.span,
            ));
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

    /// The slots and values of a pattern's path variables, once all its parts are bound.
    pub(super) fn named_path(
        &mut self,
        pattern: &PathPattern,
        scope: &mut Scope,
    ) -> Vec<(Slot, Expr)> {
        let names = pattern.variable.iter().chain(&pattern.inner);
        names
            .map(|name| (scope.bind(name.id), path_of(pattern, scope)))
            .collect()
    }

    /// Filters by all predicates that can be asked now.
    pub(super) fn apply_predicates(
        &mut self,
        plan: Plan,
        solver: &mut Solver<'_>,
        scope: &mut Scope,
    ) -> Result<Plan, Error> {
        let mut planned = Vec::new();
        let mut share = 1.0;
        for predicate in &mut solver.predicates {
            if predicate.done || !predicate.needs.iter().all(|id| scope.slot(*id).is_some()) {
                continue;
            }
            predicate.done = true;
            share *= match &predicate.kind {
                PredicateKind::Labels(id, ..) => solver.shares.remove(id).unwrap_or(0.5),
                PredicateKind::Present(_) => 1.0,
                _ => 0.5,
            };
            planned.push(self.predicate_expr(&predicate.kind, scope)?);
        }
        if planned.is_empty() {
            return Ok(plan);
        }
        let estimate = plan.estimate * share;
        Ok(self.filtered(plan, planned, estimate, scope))
    }

    /// A predicate as it runs, once all that it mentions is bound.
    pub(super) fn predicate_expr(
        &mut self,
        predicate: &PredicateKind<'_>,
        scope: &mut Scope,
    ) -> Result<Expr, Error> {
        Ok(match predicate {
            PredicateKind::Condition(expr) => self.expr(expr, scope)?,
            PredicateKind::Labels(id, labels, span) => {
                let labelled = scope.resolve(*id);
                let labelled = labelled.unwrap_or_else(|| Expr::Slot(scope.bind(*id)));
                self.label_predicate(labelled, labels, Place(*span), scope)?
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
            PredicateKind::Present(id) => Expr::IsNull(Box::new(Expr::Slot(scope.bind(*id))), true),
        })
    }

    /// The cheapest step with a bound end, if there is one. A step waits while finding its other end by itself is cheaper.
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

    fn step(
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

/// What a `MATCH`, or a pattern within an expression, asks.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) patterns: &'a [PathPattern],
    pub(super) filter: Option<&'a ast::Expr>,
    /// Relationships may be met more than once.
    pub(super) repeatable: bool,
}

impl<'a> Asked<'a> {
    /// A lone pattern.
    pub(super) fn pattern(pattern: &'a PathPattern, filter: Option<&'a ast::Expr>) -> Asked<'a> {
        Asked {
            patterns: std::slice::from_ref(pattern),
            filter,
            repeatable: false,
        }
    }
}

impl<'a> From<&'a Match> for Asked<'a> {
    fn from(matching: &'a Match) -> Asked<'a> {
        Asked {
            patterns: &matching.patterns,
            filter: matching.filter.as_ref(),
            repeatable: matching.repeatable,
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

/// The value of a pattern's path, once all its parts are bound.
pub(super) fn path_of(pattern: &PathPattern, scope: &mut Scope) -> Expr {
    let mut parts = vec![PathPart::Vertex(scope.bind(pattern.start.id))];
    for hop in &pattern.hops {
        parts.push(match &hop.step {
            Step::Relationship(relationship) => {
                let slot = scope.bind(relationship.id);
                match relationship.expansion {
                    Expansion::Single => PathPart::Edge(slot),
                    _ => PathPart::Edges(slot),
                }
            }
            Step::Group(group) => PathPart::Edges(scope.bind(group.id)),
        });
    }
    Expr::Path(parts)
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
            LabelName::Dynamic(..) => None,
        })
        .collect()
}

/// Variables of nodes and relationships, each once, in the order of the text.
fn pattern_variables(patterns: &[PathPattern]) -> Vec<VarId> {
    let mut ids = Vec::new();
    for pattern in patterns {
        ids.push(pattern.start.id);
        for hop in &pattern.hops {
            ids.push(hop.node.id);
            let relationship = match &hop.step {
                Step::Relationship(relationship) => relationship,
                Step::Group(group) => {
                    ids.extend(variables_of_group(group));
                    continue;
                }
            };
            ids.push(relationship.id);
            if let Expansion::WeightedShortest { total, .. }
            | Expansion::AllShortest { total, .. } = &relationship.expansion
            {
                ids.extend(total.as_ref().map(|total| total.id));
            }
        }
    }
    let mut seen = Variables::new();
    ids.retain(|id| seen.insert(*id));
    ids
}
