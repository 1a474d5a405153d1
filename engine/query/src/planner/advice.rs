//! What the author of a query may want to know: names that nothing has, patterns that multiply, paths without a bound, hints that lead nowhere.
//!
//! Gathered while a query is planned, kept with its plan, and told with its summary ([`crate::Prepared::advice`]). What always holds: a query is never
//! refused or changed for it; names in what is created are none of it; a name is told once.

use std::sync::Arc;

use quoit_cypher::ast::{
    ComparisonOp, Expansion, ExprKind, LabelExpr, LabelName, Match, MatchHint, PathPattern,
    Property, VarId,
};
use quoit_cypher::span::Span;
use quoit_graph::Graph;

use super::Planner;
use super::scope::Scope;
use crate::expression::Expr;
use crate::plan::{Op, Plan};

/// What is told about one query at most.
const ADVICE_MAX: usize = 16;

/// Rows of a scan from which an index would be worth its upkeep.
const ROWS_WORTH_AN_INDEX: f64 = 1000.0;

/// Something that the author of a query may want to know.
#[derive(Clone, Debug, PartialEq)]
pub struct Advice {
    /// What.
    pub kind: AdviceKind,
    /// The name it is about; empty if it is about none.
    pub name: Arc<str>,
    /// Where, in the query's text.
    pub span: Span,
}

/// What an [`Advice`] is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdviceKind {
    /// No node has ever had the label.
    UnknownLabel,
    /// No relationship has ever had the type.
    UnknownType,
    /// Nothing has ever had the property.
    UnknownKey,
    /// Patterns of one `MATCH` that share no variable.
    CartesianProduct,
    /// A variable length without an upper bound.
    UnboundedLength,
    /// A hint names an index that there is not.
    NoSuchIndex,
    /// All nodes of a label, which are many, are asked for a property that no index has.
    MissingIndex,
}

impl Advice {
    /// Whether it still holds: names come into being with whatever is written first.
    pub fn holds(&self, graph: &Graph) -> bool {
        let names = graph.names();
        match self.kind {
            AdviceKind::UnknownLabel => names.label(&self.name).is_none(),
            AdviceKind::UnknownType => names.edge_type(&self.name).is_none(),
            AdviceKind::UnknownKey => names.key(&self.name).is_none(),
            _ => true,
        }
    }
}

impl Planner<'_> {
    fn advise(&mut self, kind: AdviceKind, name: &str, span: Span) {
        let is_told = |known: &Advice| known.kind == kind && *known.name == *name;
        if self.advice.len() >= ADVICE_MAX || self.advice.iter().any(is_told) {
            return;
        }
        self.advice.push(Advice {
            kind,
            name: Arc::from(name),
            span,
        });
    }

    /// A name that is read.
    pub(super) fn mention(&mut self, kind: AdviceKind, name: &str, span: Span) {
        let names = self.catalog.graph.names();
        let is_known = match kind {
            AdviceKind::UnknownLabel => names.label(name).is_some(),
            AdviceKind::UnknownType => names.edge_type(name).is_some(),
            _ => names.key(name).is_some(),
        };
        if !is_known {
            self.advise(kind, name, span);
        }
    }

    /// The names of a label or type expression.
    pub(super) fn mention_labels(&mut self, kind: AdviceKind, labels: &LabelExpr) {
        match labels {
            LabelExpr::Name(LabelName::Static(name)) => self.mention(kind, &name.name, name.span),
            LabelExpr::And(parts) | LabelExpr::Or(parts) => {
                for part in parts {
                    self.mention_labels(kind, part);
                }
            }
            LabelExpr::Not(part) => self.mention_labels(kind, part),
            LabelExpr::Name(LabelName::Dynamic(..)) | LabelExpr::Wildcard(_) => {}
        }
    }

    /// A property that is read, of what is known to be a node or relationship.
    pub(super) fn mention_key(&mut self, property: &Property) {
        if let ExprKind::Variable(variable) = &property.object.kind
            && self.matched.contains(&variable.id)
        {
            self.mention(
                AdviceKind::UnknownKey,
                &property.key.name,
                property.key.span,
            );
        }
    }

    /// The names and lengths of patterns that are matched.
    pub(super) fn mention_patterns(&mut self, patterns: &[PathPattern]) {
        for pattern in patterns {
            for node in pattern.nodes() {
                self.matched.insert(node.id);
                if let Some(labels) = &node.labels {
                    self.mention_labels(AdviceKind::UnknownLabel, labels);
                }
                self.mention_keys(node.properties.as_ref());
            }
            for (relationship, _) in pattern.relationships() {
                if matches!(relationship.expansion, Expansion::Single) {
                    self.matched.insert(relationship.id);
                }
                if let Some(types) = &relationship.types {
                    self.mention_labels(AdviceKind::UnknownType, types);
                }
                self.mention_keys(relationship.properties.as_ref());
                if let Expansion::Variable { range, .. } = &relationship.expansion
                    && range.max.is_none()
                    && pattern.selector == quoit_cypher::ast::PathSelector::All
                {
                    self.advise(AdviceKind::UnboundedLength, "", relationship.span);
                }
            }
        }
    }

    fn mention_keys(&mut self, properties: Option<&quoit_cypher::ast::Expr>) {
        if let Some(properties) = properties
            && let ExprKind::Map(entries) = &properties.kind
        {
            for (key, _) in entries {
                self.mention(AdviceKind::UnknownKey, &key.name, key.span);
            }
        }
    }

    /// All that a `MATCH` may be told about.
    pub(super) fn mention_match(&mut self, matching: &Match, span: Span, scope: &Scope) {
        self.mention_patterns(&matching.patterns);
        if are_apart(&matching.patterns, scope) {
            self.advise(AdviceKind::CartesianProduct, "", span);
        }
        for hint in &matching.hints {
            if let MatchHint::Index {
                label, properties, ..
            } = hint
            {
                let keys: Vec<&str> = properties.iter().map(|key| &*key.name).collect();
                self.mention_index(&label.name, &keys, label.span);
            }
        }
    }

    /// Conditions that a scan's nodes are asked for and that an index could answer.
    pub(super) fn mention_missing_indexes(&mut self, plan: &Plan, predicates: &[Expr]) {
        let Op::Scan(scan) = &plan.op else { return };
        let Some(label) = &scan.label else { return };
        if plan.estimate < ROWS_WORTH_AN_INDEX {
            return;
        }
        for predicate in predicates {
            let (operands, is_comparison) = match predicate {
                Expr::Compare(first, rest) => match rest.as_slice() {
                    [(op, second)] => ([&**first, second], *op != ComparisonOp::NotEqual),
                    _ => continue,
                },
                Expr::In(pair, _) => ([&pair.0, &pair.0], true),
                _ => continue,
            };
            for operand in operands {
                if let Expr::Property(object, key, place) = operand
                    && matches!(**object, Expr::Slot(slot) if slot == scan.slot)
                    && is_comparison
                    && !self.has_index(&label.name, &key.name)
                {
                    let name = format!(":{}({})", label.name, key.name);
                    self.advise(AdviceKind::MissingIndex, &name, place.0);
                }
            }
        }
    }

    /// Whether an index of the label begins with the key.
    fn has_index(&self, label: &str, key: &str) -> bool {
        self.catalog.indexes.iter().any(|known| {
            let definition = &known.definition;
            let first = definition.keys().first();
            self.is_of(definition, label)
                && first.is_some_and(|first| *self.key_text(*first) == *key)
        })
    }

    /// An index that a hint names.
    pub(super) fn mention_index(&mut self, label: &str, keys: &[&str], span: Span) {
        let is_it = |definition: &quoit_graph::IndexDefinition| {
            self.is_of(definition, label)
                && definition.keys().len() == keys.len()
                && definition
                    .keys()
                    .iter()
                    .zip(keys)
                    .all(|(key, wanted)| self.key_text(*key) == *wanted)
        };
        if !self
            .catalog
            .indexes
            .iter()
            .any(|known| is_it(&known.definition))
        {
            let name = format!(":{label}({})", keys.join(", "));
            self.advise(AdviceKind::NoSuchIndex, &name, span);
        }
    }
}

/// Whether some of the patterns share no variable with the others, directly or through others; what was bound before is shared by all.
fn are_apart(patterns: &[PathPattern], scope: &Scope) -> bool {
    if patterns.len() < 2 {
        return false;
    }
    let variables = |pattern: &PathPattern| -> (Vec<VarId>, bool) {
        let nodes = pattern.nodes().map(|node| node.id);
        let relationships = pattern.relationships().map(|(step, _)| step.id);
        let all: Vec<VarId> = nodes.chain(relationships).collect();
        let is_bound = all.iter().any(|id| scope.has(*id));
        (all, is_bound)
    };
    let mut left: Vec<_> = patterns.iter().map(variables).collect();
    // Those that hang together with the first, or with what was bound before.
    let (mut reached, mut from_before) = left.remove(0);
    loop {
        let joins = |(ids, is_bound): &(Vec<VarId>, bool)| {
            (*is_bound && from_before) || ids.iter().any(|id| reached.contains(id))
        };
        let Some(at) = left.iter().position(joins) else {
            break;
        };
        let (ids, is_bound) = left.remove(at);
        reached.extend(ids);
        from_before |= is_bound;
    }
    !left.is_empty()
}
