//! Where a pattern closes a cycle: two steps to one vertex that is not bound yet, each from a vertex that is.
//!
//! Called by [`super::pattern`] when it is about to take one of the two. Taken one after the other they would cost all edges of the one, each
//! looked for at a vertex of its own; together they cost the shorter of two lists ([`crate::operator`]'s `Intersect`), so they are always
//! taken together. What always holds: the rows are those of the two steps.

use std::rc::Rc;

use quoit_cypher::ast::{self, VarId};
use quoit_graph::Direction;

use super::Planner;
use super::conditions::{PatternStep, Solver};
use super::pattern::static_types;
use super::scope::Scope;
use crate::expression::NameRef;
use crate::plan::{Intersect, IntersectSide, Op, Other, Plan};

/// The bound end and the other one of a step that may be taken together with another.
fn ends(step: &PatternStep<'_>, scope: &Scope) -> Option<(VarId, VarId)> {
    let bound = |id: VarId| scope.slot(id).is_some();
    let is_plain = !step.done && step.range.is_none() && step.search.is_none();
    if !is_plain || bound(step.id) || step.needs.iter().any(|id| !bound(*id)) {
        return None;
    }
    match (bound(step.from), bound(step.to)) {
        (true, false) => Some((step.from, step.to)),
        (false, true) => Some((step.to, step.from)),
        _ => None,
    }
}

/// How a relationship is followed from one of the ends of its step.
pub(super) fn direction_from(step: &PatternStep<'_>, near: VarId) -> Direction {
    match (step.relationship.direction, near == step.from) {
        (ast::Direction::Either, _) => Direction::Both,
        (ast::Direction::Outgoing, true) | (ast::Direction::Incoming, false) => Direction::Out,
        _ => Direction::In,
    }
}

impl Planner<'_> {
    /// The step that is to be taken together with another one, if there is one.
    pub(super) fn closing(&self, at: usize, solver: &Solver<'_>, scope: &Scope) -> Option<usize> {
        if self.catalog.plain {
            return None;
        }
        let (_, far) = ends(&solver.steps[at], scope)?;
        let is_partner = |other: &usize| {
            let step = &solver.steps[*other];
            *other != at
                && step.id != solver.steps[at].id
                && ends(step, scope).is_some_and(|(_, end)| end == far)
        };
        (0..solver.steps.len()).find(is_partner)
    }

    /// Takes two steps together.
    pub(super) fn intersect(
        &mut self,
        plan: Plan,
        steps: [usize; 2],
        solver: &mut Solver<'_>,
        scope: &mut Scope,
    ) -> Plan {
        let Some((near, far)) = ends(&solver.steps[steps[0]], scope) else {
            return plan;
        };
        let hop = self.hop(&solver.steps[steps[0]], near);
        let linked = self.linked(&solver.steps[steps[1]]);
        let estimate = plan.estimate * hop.fan_out * linked;
        solver.shares.insert(far, hop.share);
        let unique = solver.unique();
        let sides = steps.map(|at| {
            let step = &mut solver.steps[at];
            step.done = true;
            let near = if step.from == far { step.to } else { step.from };
            let types = static_types(step.relationship).unwrap_or_default();
            let edge = scope.bind(step.id);
            let side = IntersectSide {
                from: scope.bind(near),
                edge,
                direction: direction_from(step, near),
                types: types.into_iter().map(NameRef::new).collect(),
            };
            solver.used.push(Other {
                slot: edge,
                list: false,
            });
            side
        });
        let intersect = Intersect {
            to: scope.bind(far),
            sides,
            unique,
            repeatable: solver.repeatable,
        };
        Plan::over(Op::Intersect(Rc::new(intersect)), plan).expecting(estimate)
    }
}
