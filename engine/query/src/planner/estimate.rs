//! What a pattern costs: edges expected at a vertex, how many of them lead where the pattern wants, and what all steps from a start cost
//! together.
//!
//! Called by [`super::pattern`] (the next step, rows) and [`super::start`] (where to begin). What always holds: estimates are positive and finite;
//! a wrong one costs time and never a row. Counts come from the graph's statistics (`Graph::edge_ends`, kept at commit): edges of a type
//! whose source, or target, has a label, divided by the vertices of the label, are what one such vertex has. Labels and other
//! conditions are taken as independent of each other. Left to others: indexes (`index`), what is planned in the end.

use quoit_cypher::ast::{self, ExprKind, LabelName, VarId};
use quoit_graph::End;
use quoit_graph::ids::{LabelId, TypeId};
use smallvec::SmallVec;

use super::Planner;
use super::conditions::{PatternStep, PredicateKind, Solver};
use super::pattern::static_types;
use super::scope::Scope;
use super::start::Access;

/// Rows that a variable-length step is expected to give for each of its input rows, at least.
pub(super) const VAR_LENGTH_ROWS: f64 = 20.0;
/// Edges expected at a vertex, at least: a plan may be used when there are more.
const FAN_OUT_MIN: f64 = 0.1;
/// Of what is found, the part that a condition leaves of which nothing is known.
const CONDITION: f64 = 0.5;
/// Of the edges of a vertex, the part that leads to vertices of a label, at least.
const SHARE_MIN: f64 = 0.01;
/// What looking for an edge between two vertices costs, in edges that are walked.
pub(super) const INTO: f64 = 0.3;
/// What a row costs that goes on, likewise.
const ROW: f64 = 0.5;
/// Patterns with more steps are planned step by step, without a look ahead: it takes time in the square of their number and more.
pub(super) const STEPS_LOOKED_AT: usize = 16;

/// Labels that a vertex of a pattern has for sure; none for a name that no vertex has.
pub(super) type KnownLabels = SmallVec<[Option<LabelId>; 2]>;

/// One step seen from one of its ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hop {
    /// Edges expected at a vertex there; of a variable length, paths.
    pub(super) fan_out: f64,
    /// The part of them that leads to a vertex with the labels of the other end.
    pub(super) share: f64,
}

impl Planner<'_> {
    /// Remembers the labels of a `MATCH`'s vertices for the clauses behind it.
    pub(super) fn note_labels(&mut self, solver: &Solver<'_>) {
        for predicate in &solver.predicates {
            if let PredicateKind::Labels(id, labels, _) = &predicate.kind {
                let names = labels.conjunction().unwrap_or_default();
                let found: KnownLabels = names
                    .into_iter()
                    .filter_map(|name| match name {
                        LabelName::Static(name) => {
                            Some(self.catalog.graph.names().label(&name.name))
                        }
                        LabelName::Dynamic(..) => None,
                    })
                    .collect();
                self.labels.entry(*id).or_default().extend(found);
            }
        }
    }

    /// A projection's column has the labels of the variable that it is.
    pub(super) fn hand_on_labels(&mut self, expr: &ast::Expr, column: VarId) {
        if let ExprKind::Variable(variable) = &expr.kind
            && let Some(labels) = self.labels.get(&variable.id).cloned()
        {
            self.labels.insert(column, labels);
        }
    }

    fn labels_of(&self, id: VarId) -> &[Option<LabelId>] {
        self.labels.get(&id).map_or(&[], |labels| labels)
    }

    /// The types of a step by id; none: all types.
    fn types_of(&self, step: &PatternStep<'_>) -> Option<SmallVec<[TypeId; 2]>> {
        let names = static_types(step.relationship).unwrap_or_default();
        let ids = |name: &&str| self.catalog.graph.names().edge_type(name);
        (!names.is_empty()).then(|| names.iter().filter_map(ids).collect())
    }

    /// Edges of some types in all.
    fn edges(&self, types: Option<&[TypeId]>) -> f64 {
        match types {
            None => self.catalog.statistics.edges as f64,
            Some(types) => types.iter().map(|id| self.catalog.edges_of(*id)).sum(),
        }
    }

    /// Edges of some types whose `end` has a label.
    fn edges_at(&self, label: Option<LabelId>, types: Option<&[TypeId]>, end: End) -> f64 {
        let Some(label) = label else { return 0.0 };
        let ends = &self.catalog.edge_ends;
        match types {
            None => ends.edges_of_any_type(label, end) as f64,
            Some(types) => {
                let edges = |type_: &TypeId| ends.edges(label, *type_, end) as f64;
                types.iter().map(edges).sum()
            }
        }
    }

    /// A step seen from one of its ends.
    pub(super) fn hop(&self, step: &PatternStep<'_>, from: VarId) -> Hop {
        let forward = from == step.from;
        let to = if forward { step.to } else { step.from };
        let types = self.types_of(step);
        let types = types.as_deref();
        let ends: &[End] = match (step.relationship.direction, forward) {
            (ast::Direction::Either, _) => &[End::Source, End::Target],
            (ast::Direction::Outgoing, true) | (ast::Direction::Incoming, false) => &[End::Source],
            _ => &[End::Target],
        };
        let other = |end: End| match end {
            End::Source => End::Target,
            End::Target => End::Source,
        };
        let all = self.edges(types);
        let either = |label: Option<LabelId>, end: &dyn Fn(End) -> End| -> f64 {
            let edges = ends.iter().map(|at| self.edges_at(label, types, end(*at)));
            edges.sum()
        };
        let vertices = self.catalog.statistics.vertices.max(1) as f64;
        let average = all * ends.len() as f64 / vertices;
        let at_label = |label: &Option<LabelId>| {
            let vertices = label.map_or(0.0, |label| self.catalog.vertices_with(label));
            either(*label, &|end| end) / vertices.max(1.0)
        };
        let labels = self.labels_of(from).iter();
        let one = labels.map(at_label).reduce(f64::min).unwrap_or(average);
        let one = one.max(FAN_OUT_MIN);
        let share_of = |label: &Option<LabelId>| match all {
            0.0 => CONDITION,
            all => either(*label, &other) / (all * ends.len() as f64),
        };
        let labels = self.labels_of(to).iter();
        let share = labels.map(share_of).reduce(f64::min).unwrap_or(1.0);
        Hop {
            fan_out: match step.range {
                None => one,
                Some((_, max)) => one.max(1.0).powi(max.min(4) as i32).max(VAR_LENGTH_ROWS),
            },
            share: share.clamp(SHARE_MIN, 1.0),
        }
    }

    /// The part of some vertices with the right labels that the pattern's other conditions leave.
    fn narrowing(&self, id: VarId, solver: &Solver<'_>, access: Option<&Access>) -> f64 {
        let conditions = solver.conditions.get(&id).copied().unwrap_or(0);
        let guessed = CONDITION.powi(conditions.min(16) as i32);
        let counted = access.map_or(1.0, |access| access.rows / access.of.max(1.0));
        guessed.min(counted)
    }

    /// Vertices that a step may lead to.
    fn vertices_at(&self, id: VarId) -> f64 {
        let count =
            |label: &Option<LabelId>| label.map_or(1.0, |label| self.catalog.vertices_with(label));
        let labels = self.labels_of(id).iter();
        let fewest = labels.map(count).reduce(f64::min);
        fewest
            .unwrap_or(self.catalog.statistics.vertices as f64)
            .max(1.0)
    }

    /// Of pairs of vertices, the part that has an edge as a step wants it.
    pub(super) fn linked(&self, step: &PatternStep<'_>) -> f64 {
        let hop = self.hop(step, step.from);
        (hop.fan_out * hop.share / self.vertices_at(step.to)).min(1.0)
    }

    /// What a step from a bound end costs for one row, and how many rows it leaves of it.
    pub(super) fn step_cost(
        &self,
        step: &PatternStep<'_>,
        from: VarId,
        solver: &Solver<'_>,
        access: Option<&Access>,
    ) -> (f64, f64) {
        let hop = self.hop(step, from);
        let to = if from == step.from {
            step.to
        } else {
            step.from
        };
        let rows = hop.fan_out * hop.share * self.narrowing(to, solver, access);
        (hop.fan_out, rows)
    }

    /// What is left of the candidates of a start, by all conditions on it.
    pub(super) fn rows_of(&self, id: VarId, access: &Access, solver: &Solver<'_>) -> f64 {
        let narrowed = access.of * self.narrowing(id, solver, Some(access));
        narrowed.min(access.rows).max(1e-3)
    }

    /// What is known of the steps that are left, for [`Outlook::cost_behind`]; `accesses` are those of unbound vertices.
    pub(super) fn outlook(
        &self,
        solver: &Solver<'_>,
        scope: &Scope,
        accesses: &[(VarId, Access)],
    ) -> Outlook {
        let mut outlook = Outlook::default();
        let left = solver.steps.iter().enumerate();
        let left: Vec<_> = left.filter(|(_, step)| !step.done).collect();
        if left.len() > STEPS_LOOKED_AT {
            return outlook;
        }
        let mut leads_to = |id: VarId| {
            let place = outlook.vertices.iter().position(|known| *known == id);
            let place = place.unwrap_or_else(|| {
                outlook.vertices.push(id);
                outlook.bound.push(scope.slot(id).is_some());
                outlook.vertices.len() - 1
            });
            let access = accesses.iter().find(|(known, _)| *known == id);
            (place, access.map(|(_, access)| access))
        };
        for (at, step) in left {
            let ((from, to_start), (to, to_end)) = (leads_to(step.from), leads_to(step.to));
            outlook.steps.push(Known {
                at,
                ends: [from, to],
                from_ends: [
                    self.step_cost(step, step.from, solver, to_end),
                    self.step_cost(step, step.to, solver, to_start),
                ],
                linked: self.linked(step),
            });
        }
        outlook
    }
}

/// The steps that are left of a pattern, with what each costs.
#[derive(Default)]
pub(super) struct Outlook {
    vertices: Vec<VarId>,
    bound: Vec<bool>,
    steps: Vec<Known>,
}

struct Known {
    /// The step, by its number in the pattern.
    at: usize,
    /// Its ends, by their numbers here.
    ends: [usize; 2],
    /// From either end: the work for a row, and the rows that it leaves of it.
    from_ends: [(f64, f64); 2],
    /// The rows it leaves if both ends are bound.
    linked: f64,
}

impl Outlook {
    /// What all steps cost that can be taken once `found` are bound, each time the one that leaves the fewest rows; `rows` begin. The step of
    /// number `taken` has been taken.
    pub(super) fn cost_behind(&self, found: &[VarId], rows: f64, taken: Option<usize>) -> f64 {
        let mut bound = self.bound.clone();
        for (vertex, bound) in self.vertices.iter().zip(&mut bound) {
            *bound |= found.contains(vertex);
        }
        let mut left: Vec<&Known> = self.steps.iter().collect();
        left.retain(|step| Some(step.at) != taken);
        let (mut rows, mut cost) = (rows, 0.0);
        loop {
            // The step, what it costs for a row, and the rows it leaves.
            let mut best: Option<(usize, f64, f64)> = None;
            for (place, step) in left.iter().enumerate() {
                let (work, leaves) = match step.ends.map(|end| bound[end]) {
                    [false, false] => continue,
                    [true, true] => (INTO, step.linked),
                    [true, false] => step.from_ends[0],
                    [false, true] => step.from_ends[1],
                };
                if best.is_none_or(|(_, _, fewest)| leaves < fewest) {
                    best = Some((place, work, leaves));
                }
            }
            let Some((place, work, leaves)) = best else {
                return cost;
            };
            for end in left.swap_remove(place).ends {
                bound[end] = true;
            }
            cost += rows * (work + ROW);
            rows = (rows * leaves).min(1e30);
        }
    }
}
