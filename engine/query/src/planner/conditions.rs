//! What a `MATCH` asks, taken apart: steps along edges, and conditions with the variables each needs.
//!
//! Made from the syntax tree by [`super::pattern`], which marks what it has planned.

use quoit_cypher::ast::{
    self, ComparisonOp, Expansion, ExprKind, Ident, LabelExpr, PathPattern, PathSelector,
    RelationshipPattern, Step, StringOp, VarId,
};
use quoit_cypher::error::Error;
use quoit_cypher::functions::Function;
use quoit_cypher::span::Span;

use hashbrown::HashMap;
use smallvec::SmallVec;

use super::pattern::static_types;
use super::scope::Scope;
use super::unsupported;
use super::used::{self, Variables};
use super::walk::Walk;
use crate::plan::Other;

/// One condition of a pattern.
pub(super) struct Predicate<'a> {
    pub(super) kind: PredicateKind<'a>,
    /// Variables that must be bound before it can be asked.
    pub(super) needs: Variables,
    /// It mentions variables of earlier clauses.
    pub(super) outside: bool,
    pub(super) done: bool,
}

pub(super) enum PredicateKind<'a> {
    /// Part of `WHERE`.
    Condition(&'a ast::Expr),
    /// `v:A`.
    Labels(VarId, &'a LabelExpr, Span),
    /// `{key: value}` at a vertex or edge.
    Property(VarId, &'a Ident, &'a ast::Expr),
    /// The variable is not null.
    Present(VarId),
}

pub(super) struct PatternStep<'a> {
    pub(super) relationship: &'a RelationshipPattern,
    /// What it binds: the relationship, or the list of all of them.
    pub(super) id: VarId,
    /// A condition on each relationship of the list, by the relationship's own variable.
    pub(super) filter: Option<&'a ast::Expr>,
    pub(super) from: VarId,
    pub(super) to: VarId,
    /// Hops if the length varies, as far as they are known now.
    pub(super) range: Option<(u64, u64)>,
    /// Bounds that are computed for each row.
    pub(super) computed: [Option<&'a ast::Expr>; 2],
    /// Variables that its bounds, filter and weight mention: they must be bound before it is taken.
    pub(super) needs: Variables,
    /// A condition on the types of the edges that is more than a choice of names.
    pub(super) types: Option<&'a LabelExpr>,
    /// Which of the paths, if not all.
    pub(super) search: Option<Search<'a>>,
    pub(super) done: bool,
}

/// What a search for shortest paths asks.
#[derive(Clone, Copy)]
pub(super) struct Search<'a> {
    pub(super) pattern: &'a PathPattern,
    pub(super) which: Wanted<'a>,
    pub(super) filter: Option<&'a ast::Lambda>,
    pub(super) weight: Option<&'a ast::Lambda>,
    pub(super) total: Option<&'a ast::Variable>,
}

/// Which paths a search wants.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Wanted<'a> {
    /// One of the nearest, or all. `conditional`: of those that fulfil the conditions on the path (`shortestPath()`).
    Nearest { all: bool, conditional: bool },
    /// So many, shortest first; none: all.
    Ranked {
        count: Option<&'a ast::Expr>,
        groups: bool,
        simple: bool,
    },
}

impl<'a> Search<'a> {
    /// What `shortestPath()` or `allShortestPaths()` asks; its pattern is one relationship of variable length.
    fn of_function(pattern: &'a PathPattern) -> Result<Option<Search<'a>>, Error> {
        let all = match &pattern.selector {
            PathSelector::ShortestPath => false,
            PathSelector::AllShortestPaths => true,
            _ => return Ok(None),
        };
        let is_one_step = matches!(
            pattern.hops.as_slice(),
            [ast::Hop { step: Step::Relationship(step), .. }]
                if matches!(step.expansion, Expansion::Variable { .. })
        );
        if !is_one_step {
            return Err(unsupported(
                "shortestPath() of anything but one relationship of variable length",
                pattern.span,
            )
            .hint("write `SHORTEST 1` or `ALL SHORTEST` in front of the pattern"));
        }
        Ok(Some(Search {
            pattern,
            which: Wanted::Nearest {
                all,
                conditional: true,
            },
            filter: None,
            weight: None,
            total: None,
        }))
    }

    /// What the expansion of a relationship asks; `None`: every trail.
    fn of_expansion(pattern: &'a PathPattern, expansion: &'a Expansion) -> Option<Search<'a>> {
        let nearest = |all| Wanted::Nearest {
            all,
            conditional: false,
        };
        let (which, filter, weight, total) = match expansion {
            Expansion::Single | Expansion::Variable { .. } => return None,
            Expansion::BreadthFirst { filter, .. } => (nearest(false), filter, None, None),
            Expansion::WeightedShortest {
                weight,
                total,
                filter,
                ..
            } => (nearest(false), filter, Some(weight), total.as_ref()),
            Expansion::AllShortest {
                weight,
                total,
                filter,
                ..
            } => (nearest(true), filter, Some(weight), total.as_ref()),
            Expansion::KShortest { limit, .. } => {
                let which = Wanted::Ranked {
                    count: limit.as_ref(),
                    groups: false,
                    simple: true,
                };
                (which, &None, None, None)
            }
        };
        Some(Search {
            pattern,
            which,
            filter: filter.as_deref(),
            weight: weight.map(|weight| &**weight),
            total,
        })
    }

    /// Whether something is computed on the way, which is meant in the pattern's direction.
    pub(super) fn is_directed(&self) -> bool {
        self.filter.is_some() || self.weight.is_some()
    }
}

/// The written bounds of a relationship's length, if it varies.
fn written_range(expansion: &Expansion) -> Option<&ast::HopRange> {
    match expansion {
        Expansion::Single => None,
        Expansion::Variable { range, .. }
        | Expansion::BreadthFirst { range, .. }
        | Expansion::WeightedShortest { range, .. }
        | Expansion::AllShortest { range, .. }
        | Expansion::KShortest { range, .. } => Some(range),
    }
}

/// Variables that the bounds of a relationship's length, its filter and its weight take from elsewhere.
fn mentioned_within(relationship: &RelationshipPattern) -> Variables {
    let mut mentioned = Variables::new();
    used::in_expansion(&relationship.expansion, &mut mentioned);
    mentioned
}

/// The bounds of a relationship's length, if they are known now.
pub(super) fn known_range(expansion: &Expansion) -> Option<(u64, u64)> {
    let range = written_range(expansion)?;
    let min = known_bound(range.min.as_deref(), 1)?;
    Some((min, known_bound(range.max.as_deref(), u64::MAX)?))
}

/// A bound whose value is known now; a number that another query of the same plan may have otherwise is not.
fn known_bound(expr: Option<&ast::Expr>, default: u64) -> Option<u64> {
    let Some(expr) = expr else {
        return Some(default);
    };
    match &expr.kind {
        ExprKind::Literal(ast::Literal {
            value: ast::LiteralValue::Integer(value),
            extracted: None,
        }) => u64::try_from(*value).ok(),
        _ => None,
    }
}

/// What an ordered index can answer.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Comparable {
    Equal,
    /// Equal to one of a list.
    In,
    Above(bool),
    Below(bool),
    Prefix,
    /// Not null.
    Present,
}

/// `id.key OP value`.
#[derive(Clone, Copy)]
pub(super) struct Comparison<'a> {
    pub(super) key: &'a str,
    pub(super) op: Comparable,
    /// The other side; none for [`Comparable::Present`].
    pub(super) value: Option<&'a ast::Expr>,
}

/// The state of planning one `MATCH`.
pub(super) struct Solver<'a> {
    pub(super) steps: Vec<PatternStep<'a>>,
    pub(super) predicates: Vec<Predicate<'a>>,
    /// Edges bound so far.
    pub(super) used: Vec<Other>,
    /// Of vertices, how many conditions beside labels are about each alone.
    pub(super) conditions: HashMap<VarId, u32>,
    /// Of vertices that a step has led to: the part that has their labels.
    pub(super) shares: HashMap<VarId, f64>,
    pub(super) paths: Vec<&'a PathPattern>,
    /// Parts that automata answer.
    pub(super) walks: Vec<Walk<'a>>,
    /// Relationships may be met more than once.
    pub(super) repeatable: bool,
}

impl<'a> Solver<'a> {
    pub(super) fn collect(
        &mut self,
        pattern: &'a PathPattern,
        nodes: &mut Vec<VarId>,
    ) -> Result<(), Error> {
        if pattern.variable.is_some() || pattern.inner.is_some() {
            self.paths.push(pattern);
        }
        let mut add = |node: VarId| {
            if !nodes.contains(&node) {
                nodes.push(node);
            }
        };
        if pattern.selector.is_prefix() && !pattern.hops.is_empty() {
            add(pattern.start.id);
            add(pattern.end().id);
            let walk = Walk::of_selected(pattern, &mut self.predicates)?;
            self.walks.push(walk);
            return Ok(());
        }
        let selected = Search::of_function(pattern)?;
        for node in pattern.nodes() {
            add(node.id);
            describe(
                &mut self.predicates,
                node.id,
                node.labels.as_ref(),
                node.properties.as_ref(),
                node.filter.as_ref(),
                node.span,
            )?;
        }
        let mut from = pattern.start.id;
        for hop in &pattern.hops {
            let to = hop.node.id;
            let (relationship, repeated) = match &hop.step {
                Step::Relationship(relationship) => {
                    let varies = matches!(relationship.expansion, Expansion::Variable { .. });
                    if varies && self.repeatable {
                        let walk = Walk::of_lengths(relationship, from, to);
                        self.walks.push(walk);
                        from = to;
                        continue;
                    }
                    (&**relationship, None)
                }
                Step::Group(group) => match group.lone_relationship() {
                    Some(relationship) if !self.repeatable => (relationship, Some(&**group)),
                    _ => {
                        self.walks.push(Walk::of_group(group, from, to));
                        from = to;
                        continue;
                    }
                },
            };
            let written = written_range(&relationship.expansion);
            let bounds = written.map(|range| [(&range.min, 1), (&range.max, u64::MAX)]);
            let computed = bounds.map_or([None; 2], |bounds| {
                bounds.map(|(bound, default)| {
                    let bound = bound.as_deref();
                    bound.filter(|_| known_bound(bound, default).is_none())
                })
            });
            let range = match repeated {
                Some(group) => {
                    let max = group.quantifier.max.unwrap_or(u64::MAX);
                    Some((group.quantifier.min, max))
                }
                None => bounds.map(|[min, max]| {
                    let known = |(bound, default): (&Option<Box<ast::Expr>>, u64)| {
                        known_bound(bound.as_deref(), default).unwrap_or(default)
                    };
                    (known(min), known(max))
                }),
            };
            let types = relationship
                .types
                .as_ref()
                .filter(|_| static_types(relationship).is_none());
            let search = selected.or(Search::of_expansion(pattern, &relationship.expansion));
            if range.is_none() {
                describe(
                    &mut self.predicates,
                    relationship.id,
                    types,
                    relationship.properties.as_ref(),
                    relationship.filter.as_ref(),
                    relationship.span,
                )?;
            }
            let search = search.map(|search| match &relationship.expansion {
                Expansion::Variable { filter, .. } => Search {
                    filter: filter.as_deref(),
                    ..search
                },
                _ => search,
            });
            let filter = repeated.and(relationship.filter.as_ref());
            let mut needs = mentioned_within(relationship);
            if let Some(filter) = filter {
                used::in_expr(filter, &mut needs);
            }
            self.steps.push(PatternStep {
                relationship,
                id: repeated.map_or(relationship.id, |group| group.id),
                filter,
                from,
                to,
                range,
                computed,
                needs,
                types: types.filter(|_| range.is_some()),
                search,
                done: false,
            });
            from = to;
        }
        Ok(())
    }

    /// Edges that a new one must differ from.
    pub(super) fn unique(&self) -> Vec<Other> {
        match self.repeatable {
            true => Vec::new(),
            false => self.used.clone(),
        }
    }
}

/// Notes the conditions written at a vertex or edge.
pub(super) fn describe<'a>(
    predicates: &mut Vec<Predicate<'a>>,
    id: VarId,
    labels: Option<&'a LabelExpr>,
    properties: Option<&'a ast::Expr>,
    filter: Option<&'a ast::Expr>,
    span: Span,
) -> Result<(), Error> {
    if let Some(labels) = labels {
        split_labels(id, labels, span, predicates);
    }
    match properties {
        None => {}
        Some(ast::Expr {
            kind: ExprKind::Map(entries),
            ..
        }) => {
            for (key, value) in entries {
                predicates.push(Predicate::new(PredicateKind::Property(id, key, value)));
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
        split_condition(filter, predicates);
    }
    Ok(())
}

impl<'a> Predicate<'a> {
    pub(super) fn new(kind: PredicateKind<'a>) -> Self {
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
            outside: false,
            done: false,
        }
    }

    /// Where it stands.
    pub(super) fn span(&self) -> Option<Span> {
        match &self.kind {
            PredicateKind::Condition(expr) => Some(expr.span),
            PredicateKind::Labels(_, _, span) => Some(*span),
            PredicateKind::Property(_, key, _) => Some(key.span),
            PredicateKind::Present(_) => None,
        }
    }

    /// Whether all that it mentions is known once the variable is.
    pub(super) fn is_ready(&self, id: VarId, scope: &Scope) -> bool {
        !self.done
            && self
                .needs
                .iter()
                .all(|needed| *needed == id || scope.slot(*needed).is_some())
    }

    /// What it says of the properties of a variable, if it is made of nothing else: a chain says several things. Values
    /// do not mention the variable.
    pub(super) fn comparisons(&self, id: VarId) -> SmallVec<[Comparison<'a>; 2]> {
        let mut found = SmallVec::new();
        let mut add = |key: Option<&'a str>, op: Comparable, value: Option<&'a ast::Expr>| {
            if let Some(key) = key.filter(|_| !value.is_some_and(|value| mentions(value, id))) {
                found.push(Comparison { key, op, value });
            }
        };
        match &self.kind {
            PredicateKind::Property(of, key, value) if *of == id => {
                add(Some(&key.name), Comparable::Equal, Some(value));
            }
            PredicateKind::Condition(expr) => match &expr.kind {
                ExprKind::Comparison(comparison) => {
                    let mut left = &comparison.first;
                    for (op, right) in &comparison.rest {
                        let (key, op, value) = match property_of(left, id) {
                            Some(key) => (Some(key), *op, right),
                            None => (property_of(right, id), mirrored(*op), left),
                        };
                        match op {
                            ComparisonOp::Equal => add(key, Comparable::Equal, Some(value)),
                            ComparisonOp::Greater => {
                                add(key, Comparable::Above(false), Some(value))
                            }
                            ComparisonOp::GreaterEqual => {
                                add(key, Comparable::Above(true), Some(value));
                            }
                            ComparisonOp::Less => add(key, Comparable::Below(false), Some(value)),
                            ComparisonOp::LessEqual => {
                                add(key, Comparable::Below(true), Some(value))
                            }
                            ComparisonOp::NotEqual => {}
                        }
                        left = right;
                    }
                }
                ExprKind::StringMatch(pair) if pair.op == StringOp::StartsWith => {
                    add(
                        property_of(&pair.left, id),
                        Comparable::Prefix,
                        Some(&pair.right),
                    );
                }
                ExprKind::In(pair) => {
                    add(property_of(&pair.0, id), Comparable::In, Some(&pair.1));
                }
                ExprKind::IsNull {
                    operand,
                    negated: true,
                } => add(property_of(operand, id), Comparable::Present, None),
                _ => {}
            },
            _ => {}
        }
        found
    }

    /// Whether one comparison is all that it says.
    pub(super) fn is_single(&self) -> bool {
        match &self.kind {
            PredicateKind::Condition(expr) => match &expr.kind {
                ExprKind::Comparison(comparison) => comparison.rest.len() == 1,
                _ => true,
            },
            _ => true,
        }
    }
}

pub(super) fn mirrored(op: ComparisonOp) -> ComparisonOp {
    match op {
        ComparisonOp::Less => ComparisonOp::Greater,
        ComparisonOp::LessEqual => ComparisonOp::GreaterEqual,
        ComparisonOp::Greater => ComparisonOp::Less,
        ComparisonOp::GreaterEqual => ComparisonOp::LessEqual,
        same => same,
    }
}

/// The key, if the expression is a property of the variable.
pub(super) fn property_of(expr: &ast::Expr, id: VarId) -> Option<&str> {
    match &expr.kind {
        ExprKind::Property(property) => match &property.object.kind {
            ExprKind::Variable(variable) if variable.id == id => Some(&property.key.name),
            _ => None,
        },
        _ => None,
    }
}

/// The other side of `id(v) = value`.
pub(super) fn id_condition(expr: &ast::Expr, id: VarId) -> Option<&ast::Expr> {
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

pub(super) fn mentions(expr: &ast::Expr, id: VarId) -> bool {
    let mut mentioned = Variables::new();
    used::in_expr(expr, &mut mentioned);
    mentioned.contains(&id)
}

/// Splits at `AND`.
pub(super) fn split_condition<'a>(expr: &'a ast::Expr, out: &mut Vec<Predicate<'a>>) {
    match &expr.kind {
        ExprKind::And(parts) => parts.iter().for_each(|part| split_condition(part, out)),
        ExprKind::HasLabels(test) => {
            if let ExprKind::Variable(variable) = &test.operand.kind {
                split_labels(variable.id, &test.labels, expr.span, out);
            } else {
                out.push(Predicate::new(PredicateKind::Condition(expr)));
            }
        }
        _ => out.push(Predicate::new(PredicateKind::Condition(expr))),
    }
}

/// Asks for labels: for those that are computed apart from those that are known, so that the latter can be scanned for.
fn split_labels<'a>(id: VarId, labels: &'a LabelExpr, span: Span, out: &mut Vec<Predicate<'a>>) {
    match labels {
        LabelExpr::And(parts) if labels.is_computed() => {
            for part in parts {
                split_labels(id, part, span, out);
            }
        }
        _ => out.push(Predicate::new(PredicateKind::Labels(id, labels, span))),
    }
}
