//! Where a `MATCH` begins: the cheapest way to find the candidates of a vertex, by id, index, label, or all.

use std::rc::Rc;

use quoit_cypher::ast::{LabelName, VarId};
use quoit_cypher::error::Error;
use quoit_graph::SchemaState;
use quoit_graph::ids::LabelId;

use super::Planner;
use super::conditions::{Comparable, Predicate, PredicateKind, Solver, id_condition, mentions};
use super::scope::Scope;
use crate::expression::{Expr, LabelTest, NameRef, Place};
use crate::plan::{IdSeek, IndexRange, IndexSeek, Op, Plan, Scan, all_labels};

/// A way to find the candidates of a vertex, and the rows it is expected to give.
pub(super) struct Access {
    pub(super) kind: AccessKind,
    pub(super) cost: f64,
    /// The predicate with the label and the label that the access already ensures.
    pub(super) label: Option<(usize, String)>,
}

pub(super) enum AccessKind {
    All,
    Label,
    /// By the predicate of that number.
    Id(usize),
    /// By an index and one predicate a key.
    Seek(usize, Vec<usize>),
    /// By an index and predicates on its key.
    Range(usize, Vec<usize>),
}

impl Planner<'_> {
    /// Whether an index or id finds few candidates for a vertex.
    pub(super) fn seekable(&mut self, id: VarId, solver: &Solver<'_>, scope: &Scope) -> bool {
        matches!(self.access(id, solver, scope), Some(access) if access.cost <= 2.0)
    }

    /// The vertex to start from next, and how to find it.
    pub(super) fn next_start(
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
    pub(super) fn access(&self, id: VarId, solver: &Solver<'_>, scope: &Scope) -> Option<Access> {
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
    pub(super) fn index_accesses(
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
            .filter(|(_, index)| {
                index.definition.label() == Some(label)
                    && !index.definition.keys().is_empty()
                    && index.state == SchemaState::Online
            })
        {
            let mut equal = Vec::new();
            for key in index.definition.keys() {
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
            if equal.len() == index.definition.keys().len() {
                let cost = 1.0 + count as f64 * 0.0001 / index.definition.keys().len() as f64;
                accesses.push(Access {
                    kind: AccessKind::Seek(number, equal),
                    cost: cost.min(1.9),
                    label: None,
                });
                continue;
            }
            let [key] = index.definition.keys() else {
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

    pub(super) fn start(
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
                let keys = index
                    .definition
                    .keys()
                    .iter()
                    .map(|key| key_name(*key))
                    .collect();
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
                let key = key_name(index.definition.keys()[0]);
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
