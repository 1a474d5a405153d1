//! Where a `MATCH` begins: the cheapest way to find the candidates of a vertex (by id, index, label, or all), or of an edge with both its
//! ends (by an index on its type).

use std::rc::Rc;

use quoit_cypher::ast::{self, LabelName, VarId};
use quoit_cypher::error::Error;
use quoit_graph::{Direction, IndexDefinition, Order};

use super::Planner;
use super::conditions::{PredicateKind, Solver, id_condition, mentions};
use super::index::IndexAccess;
use super::pattern::static_types;
use super::scope::Scope;
use crate::expression::{Expr, LabelTest, NameRef, Place};
use crate::plan::{EdgeScan, IdSeek, IndexScan, Op, Other, Plan, Scan, all_labels};

/// Entries of an index cost so much of what vertices of a page do.
const ENTRY_COST: f64 = 1.2;
/// ... and a look-up of a unique key so much.
const UNIQUE_COST: f64 = 0.5;
/// What sorting would cost is saved, so to say.
const ORDERED: f64 = 0.6;
/// ... and most rows are not read at all, where only the first are wanted.
const ORDERED_AND_CUT: f64 = 0.05;
/// A start that finds one candidate costs the same when the graph has grown, which others do not: the plan may be used then.
const LOOK_UP: f64 = 0.5;
/// What an index or a scan costs that the query's author asks for.
const HINTED: f64 = 1e-6;

/// A way to find the candidates of a vertex.
pub(super) struct Access {
    kind: AccessKind,
    pub(super) cost: f64,
    /// What of the cost of all steps behind it counts: less where only the first rows are wanted in its order.
    discount: f64,
    /// Candidates.
    pub(super) rows: f64,
    /// Those that there would be without the conditions that it answers.
    pub(super) of: f64,
    order: Order,
    /// The predicate with the label and the label that the access already ensures.
    label: Option<(usize, String)>,
}

enum AccessKind {
    All,
    Label,
    /// By the predicate of that number.
    Id(usize),
    Index(IndexAccess),
}

/// The first thing that is found.
pub(super) enum Start {
    /// A vertex.
    Vertex(VarId, Access),
    /// An edge and its ends, by the number of its step.
    Edge(usize, EdgeAccess),
}

/// A way to find the candidates of an edge.
pub(super) struct EdgeAccess {
    /// The index, by its number in the catalog.
    index: usize,
    /// None: all edges of the type.
    keys: Option<IndexAccess>,
    cost: f64,
    discount: f64,
    rows: f64,
    order: Order,
}

impl Planner<'_> {
    /// Whether it finds one candidate, or as good as one.
    pub(super) fn is_look_up(&self, access: &Access) -> bool {
        match &access.kind {
            AccessKind::Id(_) => true,
            AccessKind::Index(found) => {
                found.is_look_up(self.catalog.indexes[found.index].definition.keys().len())
            }
            AccessKind::All | AccessKind::Label => false,
        }
    }

    /// What to start from next, and how to find it: what costs least with all the steps behind it.
    pub(super) fn next_start(
        &mut self,
        nodes: &[VarId],
        solver: &Solver<'_>,
        scope: &Scope,
    ) -> Option<Start> {
        let unbound = nodes.iter().filter(|id| scope.slot(**id).is_none());
        let accesses = unbound.map(|id| (*id, self.access(*id, solver, scope)));
        let mut accesses: Vec<(VarId, Access)> = accesses.collect();
        let outlook = self.outlook(solver, scope, &accesses);
        let mut best: Option<(usize, f64)> = None;
        for (at, (id, access)) in accesses.iter().enumerate() {
            let rows = self.rows_of(*id, access, solver);
            let mut cost = access.cost + access.discount * outlook.cost_behind(&[*id], rows, None);
            if self.is_look_up(access) {
                cost *= LOOK_UP;
            }
            if best.is_none_or(|(_, known)| cost < known) {
                best = Some((at, cost));
            }
        }
        let (vertex, mut cost) = best?;
        let mut edge = None;
        for at in 0..solver.steps.len() {
            if let Some(access) = self.edge_access(at, solver, scope) {
                let ends = [solver.steps[at].from, solver.steps[at].to];
                let behind = outlook.cost_behind(&ends, access.rows, Some(at));
                let total = access.cost + access.discount * behind;
                if total < cost {
                    (cost, edge) = (total, Some((at, access)));
                }
            }
        }
        Some(match edge {
            Some((at, access)) => Start::Edge(at, access),
            None => {
                let (id, access) = accesses.swap_remove(vertex);
                Start::Vertex(id, access)
            }
        })
    }

    /// The cheapest way to find the candidates of an unbound vertex.
    pub(super) fn access(&self, id: VarId, solver: &Solver<'_>, scope: &Scope) -> Access {
        let statistics = &self.catalog.statistics;
        let all = statistics.vertices.max(1) as f64;
        let mut best = Access {
            kind: AccessKind::All,
            cost: all,
            discount: 1.0,
            rows: all,
            of: all,
            order: Order::Ascending,
            label: None,
        };
        let predicates = || {
            let ready = |at: &usize| solver.predicates[*at].is_ready(id, scope);
            (0..solver.predicates.len()).filter(ready)
        };
        let scanned = self.scanned.iter().find(|(scanned, _)| *scanned == id);
        let scanned = scanned.map(|(_, label)| &**label);
        for at in predicates().filter(|_| scanned.is_none()) {
            if let PredicateKind::Condition(expr) = &solver.predicates[at].kind
                && id_condition(expr, id).is_some_and(|value| !mentions(value, id))
            {
                best = Access {
                    kind: AccessKind::Id(at),
                    cost: 0.5,
                    rows: 1.0,
                    ..best
                };
            }
        }
        for at in predicates() {
            let PredicateKind::Labels(labelled, labels, _) = &solver.predicates[at].kind else {
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
                let count = label.map_or(0.0, |label| self.catalog.vertices_with(label));
                let ensured = Some((at, name.name.to_string()));
                if let Some(label) = scanned {
                    if *name.name == *label {
                        best = Access {
                            kind: AccessKind::Label,
                            cost: HINTED,
                            discount: HINTED,
                            rows: count,
                            of: count,
                            order: Order::Ascending,
                            label: ensured,
                        };
                    }
                    continue;
                }
                let cost = count.max(1.5);
                if cost < best.cost || matches!(best.kind, AccessKind::All) {
                    best = Access {
                        kind: AccessKind::Label,
                        cost,
                        discount: 1.0,
                        rows: count,
                        of: count,
                        order: Order::Ascending,
                        label: ensured.clone(),
                    };
                }
                let Some(label) = label else { continue };
                for number in 0..self.catalog.indexes.len() {
                    let definition = &self.catalog.indexes[number].definition;
                    if definition.label() != Some(label) || definition.keys().is_empty() {
                        continue;
                    }
                    let Some(found) = self.index_access(number, id, count, solver, scope) else {
                        continue;
                    };
                    let (mut cost, discount, order) = self.index_cost(&found, id);
                    if found.is_look_up(definition.keys().len()) {
                        // Never worse than all of the label, which may be small yet: the plan may be used when there is more.
                        cost = cost.min(count.max(1.5) * 0.9);
                    }
                    if cost < best.cost {
                        best = Access {
                            cost,
                            discount,
                            rows: found.rows,
                            of: count,
                            kind: AccessKind::Index(found),
                            order,
                            label: ensured.clone(),
                        };
                    }
                }
            }
        }
        best
    }

    /// What a way through an index costs, what of the cost behind it counts, and in which direction it is read.
    fn index_cost(&self, access: &IndexAccess, id: VarId) -> (f64, f64, Order) {
        let mut cost = 1.0 + access.rows * ENTRY_COST;
        let index = &self.catalog.indexes[access.index];
        let definition = &index.definition;
        if index.is_unique {
            cost = 1.0 + access.rows * UNIQUE_COST;
        }
        let (mut discount, order) = match self.reading_order(access, id) {
            Some(order) if self.wanted_order.is_cut => (ORDERED_AND_CUT, order),
            Some(order) => (ORDERED, order),
            None => (1.0, definition.order()),
        };
        if self.is_hinted(definition) {
            discount *= HINTED;
        }
        (cost * discount, discount, order)
    }

    /// The cheapest way through an index on its type to find an edge of which neither end is bound.
    fn edge_access(&self, at: usize, solver: &Solver<'_>, scope: &Scope) -> Option<EdgeAccess> {
        let step = &solver.steps[at];
        let id = step.relationship.id;
        let bound = |id: VarId| scope.slot(id).is_some();
        if step.done || step.range.is_some() || bound(id) || bound(step.from) || bound(step.to) {
            return None;
        }
        let types = static_types(step.relationship)?;
        let [name] = types.as_slice() else {
            return None;
        };
        let type_ = self.catalog.graph.names().edge_type(name)?;
        let count = self.catalog.edges_of(type_);
        let mut best: Option<EdgeAccess> = None;
        for (number, index) in self.catalog.indexes.iter().enumerate() {
            let definition = &index.definition;
            if definition.edge_type() != Some(type_) {
                continue;
            }
            let access = match definition.keys() {
                [] => EdgeAccess {
                    index: number,
                    keys: None,
                    cost: 1.0 + count * ENTRY_COST,
                    discount: 1.0,
                    rows: count,
                    order: Order::Ascending,
                },
                _ => match self.index_access(number, id, count, solver, scope) {
                    Some(found) => {
                        let (cost, discount, order) = self.index_cost(&found, id);
                        EdgeAccess {
                            index: number,
                            cost,
                            discount,
                            rows: found.rows,
                            keys: Some(found),
                            order,
                        }
                    }
                    None => continue,
                },
            };
            if best.as_ref().is_none_or(|known| access.cost < known.cost) {
                best = Some(access);
            }
        }
        best
    }

    /// Whether an index is of that label or type.
    pub(super) fn is_of(&self, definition: &IndexDefinition, owner: &str) -> bool {
        let names = self.catalog.graph.names();
        let name = match (definition.label(), definition.edge_type()) {
            (Some(label), _) => names.label_name(label),
            (_, Some(type_)) => names.type_name(type_),
            _ => None,
        };
        name.is_some_and(|name| **name == *owner)
    }

    /// Whether the query's author asked for an index.
    fn is_hinted(&self, definition: &IndexDefinition) -> bool {
        self.hinted.iter().any(|(label, keys)| {
            self.is_of(definition, label)
                && keys.len() == definition.keys().len()
                && keys
                    .iter()
                    .zip(definition.keys())
                    .all(|(name, key)| **name == *self.key_text(*key))
        })
    }

    pub(super) fn start(
        &mut self,
        plan: Plan,
        start: Start,
        solver: &mut Solver<'_>,
        scope: &mut Scope,
    ) -> Result<Plan, Error> {
        match start {
            Start::Vertex(id, access) => self.start_vertex(plan, id, access, solver, scope),
            Start::Edge(at, access) => self.start_edge(plan, at, access, solver, scope),
        }
    }

    pub(super) fn start_vertex(
        &mut self,
        plan: Plan,
        id: VarId,
        access: Access,
        solver: &mut Solver<'_>,
        scope: &mut Scope,
    ) -> Result<Plan, Error> {
        let estimate = plan.estimate * access.rows;
        let label = access.label.as_ref().map(|(_, name)| NameRef::new(name));
        let op = match &access.kind {
            AccessKind::All | AccessKind::Label => Op::Scan(Rc::new(Scan {
                slot: scope.bind(id),
                label,
                filter: None,
            })),
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
            AccessKind::Index(found) => {
                let range = self.range_plan(found, id, access.order, solver, scope)?;
                Op::IndexScan(Rc::new(IndexScan {
                    slot: scope.bind(id),
                    label: label.unwrap_or_else(|| NameRef::new("")),
                    keys: self.key_names(&self.catalog.indexes[found.index].definition),
                    range,
                    is_unique: self.catalog.indexes[found.index].is_unique,
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
                    let estimate = plan.estimate;
                    plan = self.filtered(plan, filter, estimate, scope);
                }
            }
        }
        Ok(plan)
    }

    fn start_edge(
        &mut self,
        plan: Plan,
        at: usize,
        access: EdgeAccess,
        solver: &mut Solver<'_>,
        scope: &mut Scope,
    ) -> Result<Plan, Error> {
        let estimate = plan.estimate * access.rows.max(1.0);
        let id = solver.steps[at].relationship.id;
        let range = match &access.keys {
            Some(keys) => Some(self.range_plan(keys, id, access.order, solver, scope)?),
            None => None,
        };
        let definition = &self.catalog.indexes[access.index].definition;
        let type_ = definition
            .edge_type()
            .and_then(|type_| self.catalog.graph.names().type_name(type_))
            .map_or_else(|| NameRef::new(""), |name| NameRef::new(name));
        let keys = self.key_names(definition);
        let step = &mut solver.steps[at];
        step.done = true;
        let direction = match step.relationship.direction {
            ast::Direction::Outgoing => Direction::Out,
            ast::Direction::Incoming => Direction::In,
            ast::Direction::Either => Direction::Both,
        };
        let edge = scope.bind(id);
        let scan = EdgeScan {
            edge,
            from: scope.bind(step.from),
            to: scope.bind(step.to),
            direction,
            type_,
            keys,
            range,
            unique: solver.unique(),
        };
        solver.used.push(Other {
            slot: edge,
            list: false,
        });
        Ok(Plan::over(Op::EdgeScan(Rc::new(scan)), plan).expecting(estimate))
    }
}
