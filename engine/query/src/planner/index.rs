//! Which index finds the candidates of a vertex or edge, given what is asked of its properties.
//!
//! Called by [`super::start`]. Leading keys of an index are bound by `=` and `IN`; the key behind them by a range, a prefix or
//! `IS NOT NULL`. What always holds: an access finds every candidate for which its comparisons are true; a predicate that says nothing
//! else need not be asked again.

use quoit_cypher::ast::{self, ExprKind, VarId};
use quoit_cypher::error::Error;
use quoit_graph::ids::KeyId;
use quoit_graph::{IndexDefinition, Order};

use super::conditions::{Comparable, Solver};
use super::scope::Scope;
use super::{KnownIndex, Planner};
use crate::expression::NameRef;
use crate::plan::{KeyValue, NextKeyPlan, RangePlan};

/// Of all entries, those that one bound leaves.
const ONE_BOUND: f64 = 0.3;
/// Those that two bounds leave.
const TWO_BOUNDS: f64 = 0.1;
/// Those that a prefix leaves.
const PREFIX: f64 = 0.05;
/// Those that one value leaves, where nothing is known of the values.
const ONE_VALUE: f64 = 0.001;
/// Values expected in a list that is not written out.
const LIST_VALUES: f64 = 10.0;

/// A way through an index.
#[derive(Clone)]
pub(super) struct IndexAccess {
    /// The index, by its number in the catalog.
    pub(super) index: usize,
    /// What the leading keys equal.
    equal: Vec<Use>,
    /// What the key behind them is.
    next: NextUse,
    /// Entries expected.
    pub(super) rows: f64,
}

/// One comparison of one predicate.
#[derive(Clone, Copy)]
struct Use {
    predicate: usize,
    part: usize,
    is_list: bool,
}

#[derive(Clone, Copy)]
enum NextUse {
    Any,
    Present(Use),
    Between(Option<Use>, Option<Use>),
    StartsWith(Use),
}

impl IndexAccess {
    /// Whether it finds what equals single values in all keys.
    pub(super) fn is_look_up(&self, keys: usize) -> bool {
        self.equal.len() == keys && self.equal.iter().all(|used| !used.is_list)
    }
}

/// The order in which a following `ORDER BY` wants the vertices or edges of a pattern.
#[derive(Clone, Default)]
pub(super) struct WantedOrder {
    /// Whose properties.
    pub(super) of: Option<VarId>,
    /// Keys, and whether descending.
    pub(super) keys: Vec<(Box<str>, bool)>,
    /// Only the first rows are wanted.
    pub(super) is_cut: bool,
}

impl Planner<'_> {
    /// The way through one index that the predicates on a variable allow.
    pub(super) fn index_access(
        &self,
        number: usize,
        id: VarId,
        entries: f64,
        solver: &Solver<'_>,
        scope: &Scope,
    ) -> Option<IndexAccess> {
        let index = &self.catalog.indexes[number];
        let definition = &index.definition;
        let mut access = IndexAccess {
            index: number,
            equal: Vec::new(),
            next: NextUse::Any,
            rows: entries,
        };
        let mut lists = 1.0;
        for key in definition.keys() {
            let name = self.catalog.graph.names().key_name(*key)?;
            let find = |wanted: &dyn Fn(Comparable) -> bool| {
                solver
                    .predicates
                    .iter()
                    .enumerate()
                    .find_map(|(at, predicate)| {
                        if !predicate.is_ready(id, scope) {
                            return None;
                        }
                        let comparisons = predicate.comparisons(id);
                        let part = comparisons
                            .iter()
                            .position(|found| *found.key == **name && wanted(found.op))?;
                        Some(Use {
                            predicate: at,
                            part,
                            is_list: comparisons[part].op == Comparable::In,
                        })
                    })
            };
            if let Some(found) = find(&|op| op == Comparable::Equal) {
                access.equal.push(found);
                continue;
            }
            if let Some(found) = find(&|op| op == Comparable::In) {
                lists *= self.list_values(solver, id, found);
                access.equal.push(found);
                continue;
            }
            access.next = match find(&|op| op == Comparable::Prefix) {
                Some(prefix) => NextUse::StartsWith(prefix),
                None => {
                    let lower = find(&|op| matches!(op, Comparable::Above(_)));
                    let upper = find(&|op| matches!(op, Comparable::Below(_)));
                    match (lower, upper) {
                        (None, None) => match find(&|op| op == Comparable::Present) {
                            Some(present) => NextUse::Present(present),
                            None => NextUse::Any,
                        },
                        (lower, upper) => NextUse::Between(lower, upper),
                    }
                }
            };
            break;
        }
        if access.equal.is_empty() && matches!(access.next, NextUse::Any) {
            return None;
        }
        if index.is_unique && access.equal.len() < definition.keys().len() {
            return None;
        }
        if !access.equal.is_empty() {
            access.rows = (rows_of_one_value(index, access.equal.len(), entries) * lists)
                .min(entries.max(1.0));
        }
        access.rows *= match access.next {
            NextUse::Any | NextUse::Present(_) => 1.0,
            NextUse::Between(Some(_), Some(_)) => TWO_BOUNDS,
            NextUse::Between(..) => ONE_BOUND,
            NextUse::StartsWith(_) => PREFIX,
        };
        Some(access)
    }

    /// Values of a list that `IN` looks in.
    fn list_values(&self, solver: &Solver<'_>, id: VarId, used: Use) -> f64 {
        let comparisons = solver.predicates[used.predicate].comparisons(id);
        match comparisons[used.part].value.map(|value| &value.kind) {
            Some(ExprKind::List(parts)) => parts.len() as f64,
            _ => LIST_VALUES,
        }
    }

    /// Whether what an access finds comes out as wanted, and in which direction the index is read then.
    pub(super) fn reading_order(&self, access: &IndexAccess, id: VarId) -> Option<Order> {
        let wanted = &self.wanted_order;
        let index = &self.catalog.indexes[access.index];
        let has_lists = access.equal.iter().any(|used| used.is_list);
        if wanted.of != Some(id) || has_lists || index.is_unique {
            return None;
        }
        let names: Vec<&str> = index
            .definition
            .keys()
            .iter()
            .map(|key| self.key_text(*key))
            .collect();
        let keys: Vec<(&str, bool)> = wanted
            .keys
            .iter()
            .map(|(name, descending)| (&**name, *descending))
            .collect();
        reading_order(&names, access.equal.len(), &keys)
    }

    pub(super) fn key_text(&self, key: KeyId) -> &str {
        self.catalog
            .graph
            .names()
            .key_name(key)
            .map_or("", |name| name)
    }

    /// The part of the index that an access reads. Predicates that say no more than it does are done.
    pub(super) fn range_plan(
        &mut self,
        access: &IndexAccess,
        id: VarId,
        order: Order,
        solver: &mut Solver<'_>,
        scope: &mut Scope,
    ) -> Result<RangePlan, Error> {
        let mut equal = Vec::with_capacity(access.equal.len());
        for used in &access.equal {
            let (value, _) = self.take(*used, id, solver, scope)?;
            equal.push(match used.is_list {
                true => KeyValue::AnyOf(value),
                false => KeyValue::Is(value),
            });
        }
        let next = match access.next {
            NextUse::Any => NextKeyPlan::Any,
            NextUse::Present(used) => {
                solver.predicates[used.predicate].done = true;
                NextKeyPlan::Present
            }
            NextUse::StartsWith(used) => {
                NextKeyPlan::StartsWith(self.take(used, id, solver, scope)?.0)
            }
            NextUse::Between(lower, upper) => {
                let mut bound = |used: Option<Use>| -> Result<_, Error> {
                    let Some(used) = used else { return Ok(None) };
                    let (value, op) = self.take(used, id, solver, scope)?;
                    let included = matches!(op, Comparable::Above(true) | Comparable::Below(true));
                    Ok(Some((value, included)))
                };
                NextKeyPlan::Between(bound(lower)?, bound(upper)?)
            }
        };
        Ok(RangePlan { equal, next, order })
    }

    /// The value of a comparison that an index answers.
    fn take(
        &mut self,
        used: Use,
        id: VarId,
        solver: &mut Solver<'_>,
        scope: &mut Scope,
    ) -> Result<(crate::expression::Expr, Comparable), Error> {
        let predicate = &mut solver.predicates[used.predicate];
        predicate.done |= predicate.is_single();
        let comparison = predicate.comparisons(id)[used.part];
        let value: &ast::Expr = comparison
            .value
            .ok_or_else(|| Error::internal("a comparison without a value was planned"))?;
        Ok((self.expr(value, scope)?, comparison.op))
    }

    /// Names of an index's keys.
    pub(super) fn key_names(&self, definition: &IndexDefinition) -> Vec<NameRef> {
        definition
            .keys()
            .iter()
            .map(|key| NameRef::new(self.key_text(*key)))
            .collect()
    }
}

/// Entries expected for one value in each of the first keys.
fn rows_of_one_value(index: &KnownIndex, keys: usize, entries: f64) -> f64 {
    match index.distinct.get(keys - 1) {
        _ if index.is_unique => entries.min(1.0),
        Some(distinct) if *distinct > 0 => {
            let average = entries / *distinct as f64;
            match keys == index.definition.keys().len() {
                true => average * skew(index),
                false => average,
            }
        }
        _ => entries * ONE_VALUE,
    }
}

/// How much more entries than on average a value has that is asked for, if values are asked for as often as they occur: of n entries in
/// groups of sizes s, the sum of s² / n over the average size, which is 1 + chi² / n. It does not change when all groups grow alike. 1
/// before an analysis has looked.
fn skew(index: &KnownIndex) -> f64 {
    let analysed = index.analysed.as_ref().filter(|found| found.vertices > 0);
    let skewed = analysed.and_then(|found| {
        let groups = found.groups?;
        Some(1.0 + groups.chi_squared / found.vertices as f64)
    });
    skewed.unwrap_or(1.0)
}

/// In which direction an index with these keys, of which the first `equal` have one value each, gives this order; none if in neither.
pub(super) fn reading_order(
    index: &[&str],
    equal: usize,
    wanted: &[(&str, bool)],
) -> Option<Order> {
    let mut behind = index[equal..].iter();
    let mut direction = None;
    for (key, descending) in wanted {
        if index[..equal].contains(key) {
            continue;
        }
        if behind.next() != Some(key) || direction.is_some_and(|known| known != *descending) {
            return None;
        }
        direction = Some(*descending);
    }
    Some(match direction {
        Some(true) => Order::Descending,
        _ => Order::Ascending,
    })
}
