//! Repeated parts of paths and paths with a selector: from syntax to the automata that the operators walk.
//!
//! Called by [`super::pattern`] for whatever is more than one relationship of variable length. What always holds: the walk begins at an end that
//! is bound; a condition is asked at the smallest part of the path that it mentions: a vertex, a hop with its ends, a repetition, the whole
//! path. Conditions written within a selected path decide which paths there are to select from; those of the `MATCH` are asked of what was
//! selected, except that conditions on the far end alone come to the same and are asked where paths end.

use std::rc::Rc;

use hashbrown::HashMap;
use quoit_cypher::ast::{self, ComparisonOp, PathPattern, PathSelector, VarId};
use quoit_cypher::error::Error;
use quoit_graph::Direction;

use super::conditions::{Predicate, PredicateKind, Solver, describe, split_condition};
use super::estimate::VAR_LENGTH_ROWS;
use super::pattern::{path_of, static_types};
use super::scope::Scope;
use super::used::Variables;
use super::walk::{
    Kind, Piece, describe_node, piece_of_group, piece_of_lengths, pieces, variables_of,
};
use super::{Planner, unsupported};
use crate::expression::{Expr, NameRef, Slot};
use crate::plan::automaton::{
    Check, EdgeStep, Export, Part, Repeat, Segment, SelectPaths, VertexStep,
};
use crate::plan::{Op, Other, Plan};

/// Where the variables of a piece stand in the automaton.
struct Places {
    positions: HashMap<VarId, usize>,
    scope: Scope,
}

/// What a row keeps of a selected path, as it grows.
struct PathExports<'k> {
    reversed: bool,
    /// Variables that the row had before.
    known: &'k Variables,
    /// The far end, if it was not bound before.
    far: Option<VarId>,
    /// Variables that a segment has put into the row.
    kept: Variables,
    /// Conditions on the whole path that came of it.
    conditions: Vec<Expr>,
}

impl Planner<'_> {
    /// A part that can be walked now, if there is one: from a bound end; to a far end that is found by itself only where nothing else is left.
    pub(super) fn next_walk(&self, solver: &Solver<'_>, scope: &Scope) -> Option<usize> {
        let bound = |id: VarId| scope.slot(id).is_some();
        let walks = solver.walks.iter().enumerate();
        let ready = walks.filter(|(_, walk)| {
            !walk.done
                && walk.needs.iter().all(|id| bound(*id))
                && match (bound(walk.from), bound(walk.to)) {
                    (true, true) => true,
                    (false, false) => false,
                    (true, false) => !self.is_look_up(&self.access(walk.to, solver, scope)),
                    (false, true) => !self.is_look_up(&self.access(walk.from, solver, scope)),
                }
        });
        ready
            .max_by_key(|(_, walk)| bound(walk.from) && bound(walk.to))
            .map(|(at, _)| at)
    }

    /// Plans a part on top of a plan that binds one of its ends.
    pub(super) fn walk(
        &mut self,
        plan: Plan,
        at: usize,
        solver: &mut Solver<'_>,
        scope: &mut Scope,
    ) -> Result<Plan, Error> {
        let walk = &mut solver.walks[at];
        walk.done = true;
        let (from, to) = (walk.from, walk.to);
        let reversed = scope.slot(from).is_none();
        let (near, far) = match reversed {
            true => (to, from),
            false => (from, to),
        };
        let into = scope.slot(far).is_some();
        let estimate = match into {
            true => plan.estimate,
            false => plan.estimate * VAR_LENGTH_ROWS,
        };
        let mut whole = std::mem::take(&mut walk.whole);
        let unique = solver.unique();
        let is_walk = solver.repeatable;
        let op = match &solver.walks[at].kind {
            Kind::Selected(pattern) => {
                let pattern: &PathPattern = pattern;
                let segments =
                    self.selected(pattern, reversed, far, into, &mut whole, solver, scope)?;
                let from = scope.bind(near);
                let to = scope.bind(far);
                let (count, groups) = self.selection(&pattern.selector, scope)?;
                let mut paths = Vec::new();
                for path in pattern.variable.iter().chain(&pattern.inner) {
                    if whole.iter().any(|asked| asked.needs.contains(&path.id)) {
                        let value = path_of(pattern, scope);
                        paths.push((scope.bind(path.id), value));
                    }
                }
                let (segments, mut conditions) = segments;
                for predicate in &whole {
                    conditions.push(self.predicate_expr(&predicate.kind, scope)?);
                }
                Op::SelectPaths(Rc::new(SelectPaths {
                    from,
                    to,
                    into,
                    segments,
                    count,
                    groups,
                    paths,
                    conditions,
                    unique,
                    is_walk,
                    reversed,
                }))
            }
            kind => {
                let piece = match kind {
                    Kind::Group(group) => piece_of_group(group),
                    Kind::Lengths(relationship) => piece_of_lengths(relationship)?,
                    Kind::Selected(_) => unreachable!("it was answered above"),
                };
                let none = &Variables::new();
                let (mut segment, places) =
                    self.segment(&piece, reversed, none, &mut whole, [false; 2], scope)?;
                let edges = self.exports(&piece, &mut segment, &places, scope);
                if let Some(slot) = edges {
                    solver.used.push(Other { slot, list: true });
                }
                Op::Repeat(Rc::new(Repeat {
                    from: scope.bind(near),
                    to: scope.bind(far),
                    into,
                    segment,
                    unique,
                    is_walk,
                    reversed,
                }))
            }
        };
        Ok(Plan::over(op, plan).expecting(estimate))
    }

    /// How many paths a selector wants, and whether these are lengths.
    fn selection(
        &mut self,
        selector: &PathSelector,
        scope: &mut Scope,
    ) -> Result<(Expr, bool), Error> {
        let (count, groups) = match selector {
            PathSelector::Any(count) | PathSelector::Shortest(count) => (count.as_deref(), false),
            PathSelector::ShortestGroups(count) => (count.as_deref(), true),
            PathSelector::AllShortest => (None, true),
            PathSelector::All | PathSelector::ShortestPath | PathSelector::AllShortestPaths => {
                return Err(Error::internal("this selector has an operator of its own"));
            }
        };
        Ok(match count {
            Some(count) => (self.expr(count, scope)?, groups),
            None => (Expr::constant(1_i64), groups),
        })
    }

    /// The segments of a selected path, in the order of the walk, and conditions on the whole path that come of variables which stand in it
    /// several times.
    #[allow(clippy::too_many_arguments, reason = "all that a path is planned from")]
    fn selected<'a>(
        &mut self,
        pattern: &'a PathPattern,
        reversed: bool,
        far: VarId,
        into: bool,
        whole: &mut Vec<Predicate<'a>>,
        solver: &mut Solver<'_>,
        scope: &mut Scope,
    ) -> Result<(Vec<Segment>, Vec<Expr>), Error> {
        let mut pieces = pieces(pattern)?;
        if reversed {
            pieces.reverse();
        }
        let own: Variables = variables_of(pattern).into_iter().collect();
        let count = pieces.len();
        let mut segments = Vec::with_capacity(count);
        let mut places = Vec::with_capacity(count);
        for (at, piece) in pieces.iter().enumerate() {
            let ends = [at == 0, at + 1 == count];
            let (segment, place) = self.segment(piece, reversed, &own, whole, ends, scope)?;
            segments.push(segment);
            places.push(place);
        }
        if let (false, Some(last), Some(place)) = (into, segments.last_mut(), places.last_mut()) {
            let end = last.vertices.last_mut().expect("a segment has a vertex");
            for predicate in &mut solver.predicates {
                let is_of_end = !predicate.done
                    && !matches!(predicate.kind, PredicateKind::Present(_))
                    && predicate.needs.contains(&far)
                    && predicate
                        .needs
                        .iter()
                        .all(|id| *id == far || scope.slot(*id).is_some());
                if is_of_end {
                    predicate.done = true;
                    // It stands at the end of the last segment; elsewhere in it the name may stand for another place.
                    let mut at_end = place.scope.clone();
                    at_end.bind_to(far, end.slot);
                    let condition = self.predicate_expr(&predicate.kind, &mut at_end)?;
                    end.conditions.push(condition);
                }
            }
        }
        let plain = pieces.iter().flat_map(|piece| &piece.nodes).flatten();
        let known = plain.map(|node| node.id);
        let known = known.filter(|id| scope.slot(*id).is_some()).collect();
        let mut path = PathExports {
            reversed,
            known: &known,
            far: (!into).then_some(far),
            kept: Variables::new(),
            conditions: Vec::new(),
        };
        for (at, piece) in pieces.iter().enumerate() {
            let ends = [at == 0, at + 1 == count];
            match piece.repeated {
                Some(_) => {
                    self.exports(piece, &mut segments[at], &places[at], scope);
                }
                None => self.plain_exports(piece, &mut segments[at], &mut path, ends, scope),
            }
        }
        Ok((segments, path.conditions))
    }

    /// One segment with its conditions. `own`: variables of the path, which conditions can mention only once it is whole unless they stand in
    /// this piece; such conditions go to `whole`. `ends`: whether it begins, and ends, the path.
    fn segment<'a>(
        &mut self,
        piece: &Piece<'a>,
        reversed: bool,
        own: &Variables,
        whole: &mut Vec<Predicate<'a>>,
        ends: [bool; 2],
        scope: &mut Scope,
    ) -> Result<(Segment, Places), Error> {
        let count = piece.hops.len();
        let vertex_at = |node: usize| if reversed { count - node } else { node };
        let hop_at = |hop: usize| if reversed { count - 1 - hop } else { hop };
        let mut vertices: Vec<VertexStep> = (0..=count)
            .map(|_| VertexStep {
                slot: scope.hidden_slot(),
                conditions: Vec::new(),
            })
            .collect();
        let mut hops: Vec<EdgeStep> = Vec::with_capacity(count);
        for at in 0..count {
            let relationship = piece.hops[hop_at(at)];
            let direction = match (relationship.direction, reversed) {
                (ast::Direction::Outgoing, false) | (ast::Direction::Incoming, true) => {
                    Direction::Out
                }
                (ast::Direction::Incoming, false) | (ast::Direction::Outgoing, true) => {
                    Direction::In
                }
                (ast::Direction::Either, _) => Direction::Both,
            };
            let types = static_types(relationship).unwrap_or_default();
            hops.push(EdgeStep {
                slot: scope.hidden_slot(),
                direction,
                types: types.into_iter().map(NameRef::new).collect(),
                conditions: Vec::new(),
            });
        }
        let mut checks = Vec::new();
        let mut places = Places {
            positions: HashMap::new(),
            scope: scope.clone(),
        };
        let mut written: Vec<Predicate<'a>> = Vec::new();
        let equal = |a: Slot, b: Slot| {
            let other = vec![(ComparisonOp::Equal, Expr::Slot(b))];
            Expr::Compare(Box::new(Expr::Slot(a)), other)
        };
        for (number, node) in piece.nodes.iter().enumerate() {
            let Some(node) = node else { continue };
            let at = vertex_at(number);
            let is_end = (ends[0] && at == 0) || (ends[1] && at == count);
            if let Some(first) = places.positions.get(&node.id).copied() {
                let slots = (vertices[first / 2].slot, vertices[at].slot);
                checks.push(Check {
                    first: first.min(2 * at),
                    last: first.max(2 * at),
                    condition: equal(slots.0, slots.1),
                });
            } else {
                if let (Some(known), false) = (scope.slot(node.id), is_end) {
                    let same = equal(vertices[at].slot, known);
                    vertices[at].conditions.push(same);
                }
                places.positions.insert(node.id, 2 * at);
                places.scope.bind_to(node.id, vertices[at].slot);
            }
            // Conditions at the ends of the path are the pattern's own.
            if !is_end {
                describe_node(node, &mut written)?;
            }
        }
        for (number, relationship) in piece.hops.iter().enumerate() {
            let at = hop_at(number);
            if let (Some(known), None) = (scope.slot(relationship.id), &piece.repeated) {
                let same = equal(hops[at].slot, known);
                hops[at].conditions.push(same);
            }
            places.positions.insert(relationship.id, 2 * at + 1);
            places.scope.bind_to(relationship.id, hops[at].slot);
            let types = relationship.types.as_ref();
            describe(
                &mut written,
                relationship.id,
                types.filter(|_| static_types(relationship).is_none()),
                relationship.properties.as_ref(),
                relationship.filter.as_ref(),
                relationship.span,
            )?;
        }
        if let Some(repeated) = &piece.repeated {
            if let Some(filter) = repeated.filter {
                split_condition(filter, &mut written);
            }
            if let Some(lambda) = repeated.lambda {
                if let Some(more) = lambda.path.as_ref().or(lambda.weight.as_ref()) {
                    return Err(unsupported(
                        "the path or weight so far, within a path that has a selector,",
                        more.span,
                    ));
                }
                let mut scope = places.scope.clone();
                scope.bind_to(lambda.relationship.id, hops[0].slot);
                scope.bind_to(lambda.node.id, vertices[vertex_at(1)].slot);
                let condition = self.expr(&lambda.body, &mut scope)?;
                hops[0].conditions.push(condition);
            }
        }
        for predicate in written {
            let is_here = |id: &&VarId| places.positions.contains_key(*id);
            let later = predicate
                .needs
                .iter()
                .filter(|id| !is_here(id))
                .find(|id| own.contains(*id) && scope.slot(**id).is_none());
            if later.is_some() {
                if piece.repeated.is_some() {
                    return Err(unsupported(
                        "a condition in a repeated part of a selected path on what other parts of it bind",
                        predicate.span().unwrap_or_default(),
                    ));
                }
                whole.push(predicate);
                continue;
            }
            let condition = self.predicate_expr(&predicate.kind, &mut places.scope)?;
            let positions = predicate.needs.iter();
            let positions = positions.filter_map(|id| places.positions.get(id).copied());
            let (first, last) = match (positions.clone().min(), positions.max()) {
                (Some(first), Some(last)) => (first, last),
                _ => (0, 0),
            };
            if first == last && first % 2 == 0 {
                vertices[first / 2].conditions.push(condition);
            } else if last <= first / 2 * 2 + 2 {
                hops[first / 2].conditions.push(condition);
            } else {
                checks.push(Check {
                    first,
                    last,
                    condition,
                });
            }
        }
        let segment = Segment {
            vertices,
            hops,
            min: piece.min,
            max: piece.max,
            checks,
            exports: Vec::new(),
            is_repeated: piece.repeated.is_some(),
        };
        Ok((segment, places))
    }

    /// What a row keeps of a repeated segment; gives the slot of all its relationships.
    fn exports(
        &mut self,
        piece: &Piece<'_>,
        segment: &mut Segment,
        places: &Places,
        scope: &mut Scope,
    ) -> Option<Slot> {
        let repeated = piece.repeated.as_ref()?;
        for (inner, outer) in repeated.exports {
            let part = match places.positions.get(inner).copied() {
                _ if *outer == repeated.edges => continue,
                Some(at) if at % 2 == 0 => Part::Vertex(at / 2),
                Some(at) => Part::Edge(at / 2),
                None => continue,
            };
            let slot = scope.bind(*outer);
            segment.exports.push(Export { part, slot });
        }
        let slot = scope.bind(repeated.edges);
        let part = Part::Edges;
        segment.exports.push(Export { part, slot });
        Some(slot)
    }

    /// What a row keeps of a segment that stands once. A variable that stands in several segments must be the same in all of them.
    fn plain_exports(
        &mut self,
        piece: &Piece<'_>,
        segment: &mut Segment,
        path: &mut PathExports<'_>,
        ends: [bool; 2],
        scope: &mut Scope,
    ) {
        let count = piece.hops.len();
        let mut here = Variables::new();
        for (number, node) in piece.nodes.iter().enumerate() {
            let at = if path.reversed {
                count - number
            } else {
                number
            };
            let is_end = (ends[0] && at == 0) || (ends[1] && at == count);
            let Some(node) = node.filter(|node| node.variable.is_some() && !is_end) else {
                continue;
            };
            // What stood in the row before was compared at its vertex, what stands here twice as part of the segment.
            if path.known.contains(&node.id) || !here.insert(node.id) {
                continue;
            }
            let stands_elsewhere = match path.far == Some(node.id) {
                true if ends[1] => continue,
                true => true,
                false => !path.kept.insert(node.id),
            };
            let slot = match stands_elsewhere {
                false => scope.bind(node.id),
                true => {
                    let (slot, other) = (scope.hidden_slot(), scope.bind(node.id));
                    let other = vec![(ComparisonOp::Equal, Expr::Slot(other))];
                    let same = Expr::Compare(Box::new(Expr::Slot(slot)), other);
                    path.conditions.push(same);
                    slot
                }
            };
            let part = Part::Vertex(at);
            segment.exports.push(Export { part, slot });
        }
        for (number, relationship) in piece.hops.iter().enumerate() {
            let at = match path.reversed {
                true => count - 1 - number,
                false => number,
            };
            let slot = scope.bind(relationship.id);
            let part = Part::Edge(at);
            segment.exports.push(Export { part, slot });
        }
    }
}
