//! `MATCH`: in which order to find vertices and edges.
//!
//! Greedy by cost: what is bound comes first; then, over and over, an edge whose ends are both bound, else the cheapest edge from a bound end,
//! else the vertex to start from with which all steps behind it cost least (by id, index, label, or all). A predicate is applied as soon as
//! all it mentions is bound.

use std::rc::Rc;

use hashbrown::HashMap;
use quoit_cypher::ast::{
    self, ComparisonOp, Expansion, LabelName, Match, MatchHint, PathPattern, RelationshipPattern,
    Step, VarId,
};
use quoit_cypher::error::Error;
use quoit_cypher::span::Span;

use super::conditions::{Predicate, PredicateKind, Solver, split_condition};
use super::scope::Scope;
use super::start::Start;
use super::used::Variables;
use super::walk::variables_of_group;
use super::{Planner, unsupported};
use crate::expression::{Expr, NameRef, PathPart, Place, Slot};
use crate::plan::{Op, Plan};

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
            match hint {
                MatchHint::Index {
                    label, properties, ..
                } => {
                    let keys = properties.iter().map(|key| key.name.clone()).collect();
                    self.hinted.push((label.name.clone(), keys));
                }
                MatchHint::Scan { variable, label } => {
                    self.scanned.push((variable.id, label.name.clone()));
                }
                // Where vertices are joined is the planner's to say.
                MatchHint::Join(_) => {}
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
