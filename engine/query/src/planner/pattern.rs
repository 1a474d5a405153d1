//! `MATCH`: in which order to find vertices and edges.
//!
//! Greedy by cost: what is bound comes first; then, over and over, an edge whose ends are both bound, else the cheapest edge from a bound end,
//! else the cheapest vertex to start from (by id, index, label, or all). A predicate is applied as soon as all it mentions is bound.

use std::rc::Rc;

use quoit_cypher::ast::{
    self, ComparisonOp, Expansion, ExprKind, Ident, LabelExpr, LabelName, Match, PathPattern,
    PathSelector, RelationshipPattern, Step, StringOp, VarId,
};
use quoit_cypher::error::Error;
use quoit_cypher::functions::Function;
use quoit_cypher::span::Span;
use quoit_graph::Direction;
use quoit_graph::ids::LabelId;

use super::scope::Scope;
use super::used::{self, Variables};
use super::{Planner, unsupported};
use crate::expression::{Expr, LabelTest, NameRef, PathPart, Place, Slot};
use crate::plan::{
    BoundEdge, Expand, IdSeek, IndexRange, IndexSeek, Op, Other, Plan, Scan, VarExpand, all_labels,
};

/// Rows that a variable-length step is expected to give for each of its input rows, at least.
const VAR_LENGTH_ROWS: f64 = 20.0;

/// One condition of a pattern.
struct Predicate<'a> {
    kind: PredicateKind<'a>,
    /// Variables that must be bound before it can be asked.
    needs: Variables,
    done: bool,
}

enum PredicateKind<'a> {
    /// Part of `WHERE`.
    Condition(&'a ast::Expr),
    /// `v:A`.
    Labels(VarId, &'a LabelExpr, Span),
    /// `{key: value}` at a vertex or edge.
    Property(VarId, &'a Ident, &'a ast::Expr),
    /// The variable is not null.
    Present(VarId),
}

struct Step_<'a> {
    relationship: &'a RelationshipPattern,
    from: VarId,
    to: VarId,
    /// Hops if the length varies.
    range: Option<(u64, u64)>,
    done: bool,
}

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
                PredicateKind::Labels(id, labels, span) => Expr::HasLabels(
                    Box::new(Expr::Slot(scope.bind(*id))),
                    self.label_test(labels)?,
                    Place(*span),
                ),
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
    fn fan_out(&self, step: &Step_<'_>) -> f64 {
        let statistics = &self.catalog.statistics;
        let vertices = statistics.vertices.max(1) as f64;
        let edges = match static_types(step.relationship) {
            Some(types) if !types.is_empty() => types
                .iter()
                .filter_map(|name| self.catalog.graph.names().edge_type(name))
                .filter_map(|id| {
                    statistics
                        .edges_by_type
                        .iter()
                        .find(|(known, _)| *known == id)
                })
                .map(|(_, count)| *count)
                .sum::<u64>(),
            _ => statistics.edges,
        };
        let one = (edges as f64 / vertices).max(0.1)
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

    /// Whether an index or id finds few candidates for a vertex.
    fn seekable(&mut self, id: VarId, solver: &Solver<'_>, scope: &Scope) -> bool {
        matches!(self.access(id, solver, scope), Some(access) if access.cost <= 2.0)
    }

    /// The vertex to start from next, and how to find it.
    fn next_start(
        &mut self,
        nodes: &[VarId],
        solver: &Solver<'_>,
        scope: &Scope,
    ) -> Option<(VarId, Access)> {
        let mut best: Option<(VarId, Access)> = None;
        for id in nodes.iter().filter(|id| scope.slot(**id).is_none()) {
            if let Some(access) = self.access(*id, solver, scope)
                && best
                    .as_ref()
                    .is_none_or(|(_, known)| access.cost < known.cost)
            {
                best = Some((*id, access));
            }
        }
        best
    }

    /// The cheapest way to find the candidates of an unbound vertex.
    fn access(&self, id: VarId, solver: &Solver<'_>, scope: &Scope) -> Option<Access> {
        let statistics = &self.catalog.statistics;
        let ready = |predicate: &Predicate<'_>| {
            !predicate.done
                && predicate
                    .needs
                    .iter()
                    .all(|needed| *needed == id || scope.slot(*needed).is_some())
        };
        let mut best = Access {
            kind: AccessKind::All,
            cost: statistics.vertices.max(1) as f64,
            label: None,
        };
        let predicates = || {
            solver
                .predicates
                .iter()
                .enumerate()
                .filter(|(_, predicate)| ready(predicate))
        };
        for (at, predicate) in predicates() {
            if let PredicateKind::Condition(expr) = &predicate.kind
                && id_condition(expr, id).is_some_and(|value| !mentions(value, id))
            {
                best = Access {
                    kind: AccessKind::Id(at),
                    cost: 1.0,
                    label: None,
                };
            }
        }
        for (at, predicate) in predicates() {
            let PredicateKind::Labels(labelled, labels, _) = &predicate.kind else {
                continue;
            };
            if *labelled != id {
                continue;
            }
            for name in labels.conjunction().unwrap_or_default() {
                let LabelName::Static(name) = name else {
                    continue;
                };
                let label = self.catalog.graph.names().label(&name.name);
                let count = label.map_or(0, |label| {
                    statistics
                        .vertices_by_label
                        .iter()
                        .find(|(known, _)| *known == label)
                        .map_or(0, |(_, count)| *count)
                });
                let cost = (count as f64).max(1.5);
                let known = Some((at, name.name.to_string()));
                if cost < best.cost || matches!(best.kind, AccessKind::All) {
                    best = Access {
                        kind: AccessKind::Label,
                        cost,
                        label: known.clone(),
                    };
                }
                if let Some(label) = label {
                    for access in self.index_accesses(id, label, count, solver, &ready) {
                        if access.cost < best.cost {
                            best = Access {
                                label: known.clone(),
                                ..access
                            };
                        }
                    }
                }
            }
        }
        Some(best)
    }

    /// Ways through the indexes on a label that the predicates allow.
    fn index_accesses(
        &self,
        id: VarId,
        label: LabelId,
        count: u64,
        solver: &Solver<'_>,
        ready: &dyn Fn(&Predicate<'_>) -> bool,
    ) -> Vec<Access> {
        let mut accesses = Vec::new();
        for (number, index) in self
            .catalog
            .indexes
            .iter()
            .enumerate()
            .filter(|(_, index)| index.label == label)
        {
            let mut equal = Vec::new();
            for key in &index.keys {
                let name = self.catalog.graph.names().key_name(*key);
                let found = solver.predicates.iter().position(|predicate| {
                    ready(predicate)
                        && name.is_some_and(|name| {
                            predicate.comparison(id).is_some_and(|(key, op, value)| {
                                *key == **name && op == Comparable::Equal && !mentions(value, id)
                            })
                        })
                });
                equal.extend(found);
            }
            if equal.len() == index.keys.len() {
                let cost = 1.0 + count as f64 * 0.0001 / index.keys.len() as f64;
                accesses.push(Access {
                    kind: AccessKind::Seek(number, equal),
                    cost: cost.min(1.9),
                    label: None,
                });
                continue;
            }
            let [key] = index.keys.as_slice() else {
                continue;
            };
            let Some(name) = self.catalog.graph.names().key_name(*key) else {
                continue;
            };
            let range: Vec<usize> = (0..solver.predicates.len())
                .filter(|at| {
                    let predicate = &solver.predicates[*at];
                    ready(predicate)
                        && predicate.comparison(id).is_some_and(|(key, op, value)| {
                            *key == **name && op != Comparable::Equal && !mentions(value, id)
                        })
                })
                .collect();
            if !range.is_empty() {
                let cost = (count as f64 * 0.3).max(2.0);
                accesses.push(Access {
                    kind: AccessKind::Range(number, range),
                    cost,
                    label: None,
                });
            }
        }
        accesses
    }

    fn start(
        &mut self,
        plan: Plan,
        (id, access): (VarId, Access),
        solver: &mut Solver<'_>,
        scope: &mut Scope,
    ) -> Result<Plan, Error> {
        let names = self.catalog.graph.names();
        let estimate = plan.estimate * access.cost;
        let key_name = |key: quoit_graph::ids::KeyId| {
            NameRef::new(names.key_name(key).map_or("", |name| name))
        };
        let op = match &access.kind {
            AccessKind::All => Op::Scan(Rc::new(Scan {
                slot: scope.bind(id),
                label: None,
            })),
            AccessKind::Label => {
                let label = access.label.as_ref().map(|(_, name)| NameRef::new(name));
                Op::Scan(Rc::new(Scan {
                    slot: scope.bind(id),
                    label,
                }))
            }
            AccessKind::Id(at) => {
                let predicate = &mut solver.predicates[*at];
                predicate.done = true;
                let PredicateKind::Condition(expr) = &predicate.kind else {
                    unreachable!("an id is found in a condition")
                };
                let value = id_condition(expr, id).expect("it was found there before");
                let value = self.expr(value, scope)?;
                Op::IdSeek(Rc::new(IdSeek {
                    slot: scope.bind(id),
                    id: value,
                }))
            }
            AccessKind::Seek(number, equal) => {
                let index = &self.catalog.indexes[*number];
                let keys = index.keys.iter().map(|key| key_name(*key)).collect();
                let mut values = Vec::with_capacity(equal.len());
                for at in equal {
                    let predicate = &mut solver.predicates[*at];
                    predicate.done = true;
                    let (_, _, value) =
                        predicate.comparison(id).expect("it was found there before");
                    values.push(self.expr(value, scope)?);
                }
                let label = NameRef::new(access.label.as_ref().map_or("", |(_, name)| name));
                Op::IndexSeek(Rc::new(IndexSeek {
                    slot: scope.bind(id),
                    label,
                    keys,
                    values,
                }))
            }
            AccessKind::Range(number, range) => {
                let index = &self.catalog.indexes[*number];
                let (mut lower, mut upper, mut prefix) = (None, None, None);
                // Predicates stay as filters: the index narrows, they decide.
                for at in range {
                    let (_, op, value) = solver.predicates[*at]
                        .comparison(id)
                        .expect("it was found there before");
                    let value = self.expr(value, scope)?;
                    match op {
                        Comparable::Above(included) if lower.is_none() => {
                            lower = Some((value, included))
                        }
                        Comparable::Below(included) if upper.is_none() => {
                            upper = Some((value, included))
                        }
                        Comparable::Prefix if prefix.is_none() => prefix = Some(value),
                        _ => {}
                    }
                }
                if prefix.is_some() {
                    (lower, upper) = (None, None);
                }
                let label = NameRef::new(access.label.as_ref().map_or("", |(_, name)| name));
                let key = key_name(index.keys[0]);
                Op::IndexRange(Rc::new(IndexRange {
                    slot: scope.bind(id),
                    label,
                    key,
                    lower,
                    upper,
                    prefix,
                }))
            }
        };
        let mut plan = Plan::over(op, plan).expecting(estimate);
        // The label that was scanned for need not be tested again; its neighbours in the same pattern must.
        if let Some((at, scanned)) = access.label {
            let predicate = &mut solver.predicates[at];
            predicate.done = true;
            if let PredicateKind::Labels(_, labels, span) = &predicate.kind {
                let others: Vec<NameRef> = labels
                    .conjunction()
                    .unwrap_or_default()
                    .into_iter()
                    .filter_map(|name| match name {
                        LabelName::Static(name) if *name.name != *scanned => {
                            Some(NameRef::new(&name.name))
                        }
                        _ => None,
                    })
                    .collect();
                if !others.is_empty() {
                    let test: LabelTest = all_labels(others);
                    let vertex = Expr::Slot(scope.bind(id));
                    let filter = vec![Expr::HasLabels(Box::new(vertex), test, Place(*span))];
                    plan = Plan::over(Op::Filter(Rc::new(filter)), plan);
                }
            }
        }
        Ok(plan)
    }
}

/// A way to find the candidates of a vertex, and the rows it is expected to give.
struct Access {
    kind: AccessKind,
    cost: f64,
    /// The predicate with the label and the label that the access already ensures.
    label: Option<(usize, String)>,
}

enum AccessKind {
    All,
    Label,
    /// By the predicate of that number.
    Id(usize),
    /// By an index and one predicate a key.
    Seek(usize, Vec<usize>),
    /// By an index and predicates on its key.
    Range(usize, Vec<usize>),
}

/// What an ordered index can answer.
#[derive(Clone, Copy, PartialEq)]
enum Comparable {
    Equal,
    Above(bool),
    Below(bool),
    Prefix,
}

/// The state of planning one `MATCH`.
struct Solver<'a> {
    steps: Vec<Step_<'a>>,
    predicates: Vec<Predicate<'a>>,
    /// Edges bound so far.
    used: Vec<Other>,
    paths: Vec<&'a PathPattern>,
}

impl<'a> Solver<'a> {
    fn collect(&mut self, pattern: &'a PathPattern, nodes: &mut Vec<VarId>) -> Result<(), Error> {
        if pattern.selector != PathSelector::All {
            return Err(unsupported(
                "a path selector or shortestPath()",
                pattern.span,
            ));
        }
        for node in pattern.nodes() {
            if !nodes.contains(&node.id) {
                nodes.push(node.id);
            }
            self.describe(
                node.id,
                node.labels.as_ref(),
                node.properties.as_ref(),
                node.filter.as_ref(),
                node.span,
            )?;
        }
        let mut from = pattern.start.id;
        for hop in &pattern.hops {
            let relationship = match &hop.step {
                Step::Relationship(relationship) => &**relationship,
                Step::Group(group) => {
                    return Err(unsupported("a parenthesised path pattern", group.span));
                }
            };
            let range = match &relationship.expansion {
                Expansion::Single => {
                    let filter = relationship.filter.as_ref();
                    self.describe(
                        relationship.id,
                        None,
                        relationship.properties.as_ref(),
                        filter,
                        relationship.span,
                    )?;
                    None
                }
                Expansion::Variable {
                    range,
                    filter: None,
                } if relationship.filter.is_none() => {
                    let min = bound(range.min.as_deref(), 1)?;
                    Some((min, bound(range.max.as_deref(), u64::MAX)?))
                }
                Expansion::Variable { .. } => {
                    return Err(unsupported(
                        "a filter inside a variable length",
                        relationship.span,
                    ));
                }
                _ => {
                    return Err(unsupported(
                        "a shortest or breadth-first expansion",
                        relationship.span,
                    ));
                }
            };
            self.steps.push(Step_ {
                relationship,
                from,
                to: hop.node.id,
                range,
                done: false,
            });
            from = hop.node.id;
        }
        if pattern.variable.is_some() {
            self.paths.push(pattern);
        }
        Ok(())
    }

    /// Notes the conditions written at a vertex or edge.
    fn describe(
        &mut self,
        id: VarId,
        labels: Option<&'a LabelExpr>,
        properties: Option<&'a ast::Expr>,
        filter: Option<&'a ast::Expr>,
        span: Span,
    ) -> Result<(), Error> {
        if let Some(labels) = labels {
            self.predicates
                .push(Predicate::new(PredicateKind::Labels(id, labels, span)));
        }
        match properties {
            None => {}
            Some(ast::Expr {
                kind: ExprKind::Map(entries),
                ..
            }) => {
                for (key, value) in entries {
                    self.predicates
                        .push(Predicate::new(PredicateKind::Property(id, key, value)));
                }
            }
            Some(other) => {
                return Err(unsupported(
                    "a pattern's properties that are no map literal",
                    other.span,
                ));
            }
        }
        if let Some(filter) = filter {
            split_condition(filter, &mut self.predicates);
        }
        Ok(())
    }

    /// Whether something narrows a vertex down.
    fn is_constrained(&self, id: VarId) -> bool {
        self.predicates.iter().any(|predicate| {
            !predicate.done && predicate.needs.len() == 1 && predicate.needs.contains(&id)
        })
    }
}

impl<'a> Predicate<'a> {
    fn new(kind: PredicateKind<'a>) -> Self {
        let mut needs = Variables::new();
        match &kind {
            PredicateKind::Condition(expr) => used::in_expr(expr, &mut needs),
            PredicateKind::Labels(id, labels, _) => {
                needs.insert(*id);
                used::in_labels(labels, &mut needs);
            }
            PredicateKind::Property(id, _, value) => {
                needs.insert(*id);
                used::in_expr(value, &mut needs);
            }
            PredicateKind::Present(id) => {
                needs.insert(*id);
            }
        }
        Predicate {
            kind,
            needs,
            done: false,
        }
    }

    /// `id.key OP value`, if that is what it says.
    fn comparison(&self, id: VarId) -> Option<(&'a str, Comparable, &'a ast::Expr)> {
        match &self.kind {
            PredicateKind::Property(of, key, value) if *of == id => {
                Some((&key.name, Comparable::Equal, value))
            }
            PredicateKind::Condition(expr) => match &expr.kind {
                ExprKind::Comparison(comparison) => {
                    let [(op, right)] = comparison.rest.as_slice() else {
                        return None;
                    };
                    let (key, op, value) =
                        match (property_of(&comparison.first, id), property_of(right, id)) {
                            (Some(key), None) => (key, *op, right),
                            (None, Some(key)) => (key, mirrored(*op), &comparison.first),
                            _ => return None,
                        };
                    let comparable = match op {
                        ComparisonOp::Equal => Comparable::Equal,
                        ComparisonOp::Greater => Comparable::Above(false),
                        ComparisonOp::GreaterEqual => Comparable::Above(true),
                        ComparisonOp::Less => Comparable::Below(false),
                        ComparisonOp::LessEqual => Comparable::Below(true),
                        ComparisonOp::NotEqual => return None,
                    };
                    Some((key, comparable, value))
                }
                ExprKind::StringMatch(pair) if pair.op == StringOp::StartsWith => Some((
                    property_of(&pair.left, id)?,
                    Comparable::Prefix,
                    &pair.right,
                )),
                _ => None,
            },
            _ => None,
        }
    }
}

fn mirrored(op: ComparisonOp) -> ComparisonOp {
    match op {
        ComparisonOp::Less => ComparisonOp::Greater,
        ComparisonOp::LessEqual => ComparisonOp::GreaterEqual,
        ComparisonOp::Greater => ComparisonOp::Less,
        ComparisonOp::GreaterEqual => ComparisonOp::LessEqual,
        same => same,
    }
}

/// The key, if the expression is a property of the variable.
fn property_of(expr: &ast::Expr, id: VarId) -> Option<&str> {
    match &expr.kind {
        ExprKind::Property(property) => match &property.object.kind {
            ExprKind::Variable(variable) if variable.id == id => Some(&property.key.name),
            _ => None,
        },
        _ => None,
    }
}

/// The other side of `id(v) = value`.
fn id_condition(expr: &ast::Expr, id: VarId) -> Option<&ast::Expr> {
    let ExprKind::Comparison(comparison) = &expr.kind else {
        return None;
    };
    let [(ComparisonOp::Equal, right)] = comparison.rest.as_slice() else {
        return None;
    };
    let is_id = |expr: &ast::Expr| match &expr.kind {
        ExprKind::Call(call) if call.function == Some(Function::Id) => {
            matches!(&call.args.first().map(|arg| &arg.kind), Some(ExprKind::Variable(variable)) if variable.id == id)
        }
        _ => false,
    };
    if is_id(&comparison.first) {
        Some(right)
    } else if is_id(right) {
        Some(&comparison.first)
    } else {
        None
    }
}

fn mentions(expr: &ast::Expr, id: VarId) -> bool {
    let mut mentioned = Variables::new();
    used::in_expr(expr, &mut mentioned);
    mentioned.contains(&id)
}

/// Splits at `AND`.
fn split_condition<'a>(expr: &'a ast::Expr, out: &mut Vec<Predicate<'a>>) {
    match &expr.kind {
        ExprKind::And(parts) => parts.iter().for_each(|part| split_condition(part, out)),
        _ => out.push(Predicate::new(PredicateKind::Condition(expr))),
    }
}

/// A bound of a variable length, which must be a literal here.
fn bound(expr: Option<&ast::Expr>, default: u64) -> Result<u64, Error> {
    match expr.map(|expr| (&expr.kind, expr.span)) {
        None => Ok(default),
        Some((ExprKind::Literal(literal), span)) => match literal.value {
            ast::LiteralValue::Integer(value) => {
                u64::try_from(value).map_err(|_| unsupported("a negative length", span))
            }
            _ => Err(unsupported("a length that is no integer", span)),
        },
        Some((_, span)) => Err(unsupported("a computed bound of a variable length", span)),
    }
}

/// The types of a relationship pattern if they are plain alternatives; none: any type.
fn static_types(relationship: &RelationshipPattern) -> Option<Vec<&str>> {
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
