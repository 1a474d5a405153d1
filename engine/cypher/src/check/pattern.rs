//! Patterns that are matched: which variables they bind, which they use, what they may ask.

use std::collections::HashSet;

use super::Checker;
use super::expression::{Place, invalid_type};
use super::scope::Frame;
use super::types::{Base, ValueType};
use crate::ast::*;
use crate::error::{Detail, Error, Result};
use crate::span::Span;

/// Whether a pattern may bind new variables.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum New {
    Allowed,
    Forbidden,
}

impl Checker<'_> {
    /// Checks the patterns of one MATCH (or of what works like one): binds first, looks at predicates then, so that a
    /// property may name any variable of the clause.
    pub(super) fn match_patterns(&mut self, patterns: &mut [PathPattern], new: New) -> Result<()> {
        self.patterns_of_match(patterns, false, new)
    }

    /// As [`Checker::match_patterns`]; `repeatable`: a relationship may be met more than once.
    pub(super) fn patterns_of_match(
        &mut self,
        patterns: &mut [PathPattern],
        repeatable: bool,
        new: New,
    ) -> Result<()> {
        refuse_company(patterns)?;
        let mut relationships = HashSet::new();
        for pattern in &mut *patterns {
            if repeatable {
                refuse_endlessness(pattern)?;
                relationships.clear();
            }
            self.bind_path(pattern, new, &mut relationships)?;
            refuse_emptiness(pattern)?;
        }
        for pattern in patterns {
            self.path_predicates(pattern)?;
        }
        Ok(())
    }

    /// A pattern that is used as an expression.
    pub(super) fn pattern_predicate(&mut self, pattern: &mut PathPattern) -> Result<()> {
        self.effects.reads = true;
        self.within(Frame::open(), |checker| {
            checker.match_patterns(std::slice::from_mut(pattern), New::Forbidden)
        })
    }

    fn bind_path(
        &mut self,
        pattern: &mut PathPattern,
        new: New,
        seen: &mut HashSet<VarId>,
    ) -> Result<()> {
        self.bind_node(&mut pattern.start, new)?;
        for hop in &mut pattern.hops {
            match &mut hop.step {
                Step::Relationship(relationship) => {
                    self.bind_relationship(relationship, new, seen)?
                }
                Step::Group(group) => self.bind_group(group, new)?,
            }
            self.bind_node(&mut hop.node, new)?;
        }
        for variable in pattern.variable.iter_mut().chain(&mut pattern.inner) {
            match new {
                New::Allowed => self.bind_new(variable, ValueType::PATH)?,
                New::Forbidden => return Err(self.undefined(variable)),
            };
        }
        Ok(())
    }

    fn bind_node(&mut self, node: &mut NodePattern, new: New) -> Result<()> {
        let Some(variable) = &mut node.variable else {
            node.id = self.fresh(None, ValueType::NODE, node.span);
            node.binds = true;
            return Ok(());
        };
        node.binds = self.use_or_bind(variable, ValueType::NODE, new, |kind| {
            kind.may_be(Base::Node)
        })?;
        node.id = variable.id;
        Ok(())
    }

    /// Uses a variable that is bound and fits, or binds it; true if it was bound.
    fn use_or_bind(
        &mut self,
        variable: &mut Variable,
        kind: ValueType,
        new: New,
        fits: impl Fn(ValueType) -> bool,
    ) -> Result<bool> {
        match self.lookup(&variable.name) {
            None if new == New::Forbidden => Err(self.undefined(variable)),
            None => {
                self.bind(variable, kind);
                Ok(true)
            }
            Some(id) if fits(self.kind(id)) => {
                variable.id = id;
                Ok(false)
            }
            Some(id) => {
                let message = format!(
                    "variable `{}` is {:#} and cannot be {kind:#} too",
                    variable.name,
                    self.kind(id)
                );
                Err(Error::syntax(
                    Detail::VariableTypeConflict,
                    variable.span,
                    message,
                ))
            }
        }
    }

    fn bind_relationship(
        &mut self,
        relationship: &mut RelationshipPattern,
        new: New,
        seen: &mut HashSet<VarId>,
    ) -> Result<()> {
        let single = relationship.expansion == Expansion::Single;
        let kind = if single {
            ValueType::RELATIONSHIP
        } else {
            ValueType::RELATIONSHIP.list()
        };
        if let Expansion::WeightedShortest {
            total: Some(total), ..
        }
        | Expansion::AllShortest {
            total: Some(total), ..
        } = &mut relationship.expansion
        {
            match new {
                New::Allowed => self.bind_new(total, ValueType::NUMBER)?,
                New::Forbidden => return Err(self.undefined(total)),
            };
        }
        let Some(variable) = &mut relationship.variable else {
            relationship.id = self.fresh(None, kind, relationship.span);
            relationship.binds = true;
            return Ok(());
        };
        relationship.binds = self.use_or_bind(variable, kind, new, |bound| match single {
            true => bound.may_be(Base::Relationship),
            false => {
                bound.is_open() || (bound.is_list() && bound.element().may_be(Base::Relationship))
            }
        })?;
        relationship.id = variable.id;
        if !seen.insert(variable.id) {
            return Err(stands_twice(variable));
        }
        Ok(())
    }

    /// A group has a frame of its own; what it binds is seen outside as lists.
    fn bind_group(&mut self, group: &mut PathGroup, new: New) -> Result<()> {
        refuse_group(group)?;
        let bound = self.within(Frame::open(), |checker| {
            checker.bind_within_group(&mut group.pattern.start)?;
            for hop in &mut group.pattern.hops {
                if let Step::Relationship(relationship) = &mut hop.step {
                    checker.bind_relationship_within_group(relationship)?;
                }
                checker.bind_within_group(&mut hop.node)?;
            }
            let mut bound: Vec<(Name, VarId)> = checker.names().drain().collect();
            bound.sort_unstable_by_key(|&(_, id)| id);
            Ok(bound)
        })?;
        for (name, inner) in bound {
            let (kind, span) = (self.kind(inner), self.variables[inner.0 as usize].span);
            let mut outer = Variable {
                name,
                id: VarId::UNRESOLVED,
                span,
            };
            if new == New::Forbidden {
                return Err(self.undefined(&outer));
            }
            let outer = self.bind_new(&mut outer, kind.list())?;
            group.exports.push((inner, outer));
        }
        let lone = group
            .lone_relationship()
            .map(|relationship| relationship.id);
        let mut exports = group.exports.iter();
        group.id = match exports.find(|(inner, _)| Some(*inner) == lone) {
            Some((_, outer)) => *outer,
            None => self.fresh(None, ValueType::RELATIONSHIP.list(), group.span),
        };
        Ok(())
    }

    /// Binds a variable of a group, whose name means nothing else; true if it is new in the group.
    fn bind_own(&mut self, variable: &mut Variable, kind: ValueType) -> Result<bool> {
        if let Some(id) = self.names().get(&variable.name).copied() {
            if self.kind(id) == kind {
                variable.id = id;
                return Ok(false);
            }
            let message = format!(
                "variable `{}` is {:#} and cannot be {kind:#} too",
                variable.name,
                self.kind(id)
            );
            let detail = Detail::VariableTypeConflict;
            return Err(Error::syntax(detail, variable.span, message));
        }
        if self.lookup(&variable.name).is_some() {
            let message = format!(
                "variable `{}` is bound outside of the repeated part of the path already",
                variable.name
            );
            return Err(
                Error::syntax(Detail::VariableAlreadyBound, variable.span, message)
                    .hint("give it another name within the parentheses: it is another one in each repetition"),
            );
        }
        self.bind(variable, kind);
        Ok(true)
    }

    fn bind_within_group(&mut self, node: &mut NodePattern) -> Result<()> {
        (node.id, node.binds) = match &mut node.variable {
            None => (self.fresh(None, ValueType::NODE, node.span), true),
            Some(variable) => {
                let binds = self.bind_own(variable, ValueType::NODE)?;
                (variable.id, binds)
            }
        };
        Ok(())
    }

    fn bind_relationship_within_group(
        &mut self,
        relationship: &mut RelationshipPattern,
    ) -> Result<()> {
        let kind = ValueType::RELATIONSHIP;
        (relationship.id, relationship.binds) = match &mut relationship.variable {
            None => (self.fresh(None, kind, relationship.span), true),
            Some(variable) => {
                if !self.bind_own(variable, kind)? {
                    return Err(stands_twice(variable));
                }
                (variable.id, true)
            }
        };
        Ok(())
    }

    /// Looks at the conditions of a group, which see its variables as they are in one repetition.
    fn group_predicates(&mut self, group: &mut PathGroup) -> Result<()> {
        let mut frame = Frame::open();
        let nodes = group
            .pattern
            .nodes()
            .filter_map(|node| node.variable.as_ref());
        let relationships = group.pattern.relationships();
        let relationships = relationships.filter_map(|(step, _)| step.variable.as_ref());
        for variable in nodes.chain(relationships) {
            frame.names.insert(variable.name.clone(), variable.id);
        }
        self.within(frame, |checker| {
            checker.path_predicates(&mut group.pattern)?;
            checker.pattern_filter(&mut group.filter)
        })
    }

    fn path_predicates(&mut self, pattern: &mut PathPattern) -> Result<()> {
        if let PathSelector::Any(Some(count))
        | PathSelector::Shortest(Some(count))
        | PathSelector::ShortestGroups(Some(count)) = &mut pattern.selector
        {
            if let ExprKind::Literal(literal) = &count.kind
                && literal.value == LiteralValue::Integer(0)
            {
                let message = "the number of paths is not 0";
                return Err(Error::syntax(Detail::NumberOutOfRange, count.span, message));
            }
            self.expression(count, Place::VALUE)?;
        }
        self.node_predicates(&mut pattern.start)?;
        for hop in &mut pattern.hops {
            match &mut hop.step {
                Step::Relationship(relationship) => self.relationship_predicates(relationship)?,
                Step::Group(group) => self.group_predicates(group)?,
            }
            self.node_predicates(&mut hop.node)?;
        }
        Ok(())
    }

    fn node_predicates(&mut self, node: &mut NodePattern) -> Result<()> {
        if let Some(labels) = &mut node.labels {
            self.labels(labels)?;
        }
        self.match_properties(&mut node.properties)?;
        self.pattern_filter(&mut node.filter)
    }

    fn match_properties(&mut self, properties: &mut Option<Expr>) -> Result<()> {
        let Some(properties) = properties else {
            return Ok(());
        };
        refuse_parameter(properties, "MATCH")?;
        self.expression(properties, Place::VALUE).map(|_| ())
    }

    fn pattern_filter(&mut self, filter: &mut Option<Expr>) -> Result<()> {
        match filter {
            Some(filter) => self.condition(filter, Place::PREDICATE),
            None => Ok(()),
        }
    }

    fn relationship_predicates(&mut self, relationship: &mut RelationshipPattern) -> Result<()> {
        if let Some(types) = &mut relationship.types {
            self.labels(types)?;
        }
        self.match_properties(&mut relationship.properties)?;
        if let (Some(filter), false) = (
            &relationship.filter,
            relationship.expansion == Expansion::Single,
        ) {
            let message = "WHERE cannot stand in a relationship of variable length";
            return Err(unexpected(filter.span, message)
                .hint("write `-[r WHERE ...]->{1,3}`, or ask each step with `[r* (e, n | ...)]`"));
        }
        self.pattern_filter(&mut relationship.filter)?;
        match &mut relationship.expansion {
            Expansion::Single => Ok(()),
            Expansion::Variable { range, filter } | Expansion::BreadthFirst { range, filter } => {
                self.hops(range)?;
                self.lambda(filter.as_deref_mut(), Place::PREDICATE)
            }
            Expansion::WeightedShortest {
                range,
                weight,
                filter,
                ..
            }
            | Expansion::AllShortest {
                range,
                weight,
                filter,
                ..
            } => {
                self.hops(range)?;
                self.lambda(Some(weight), Place::VALUE)?;
                self.lambda(filter.as_deref_mut(), Place::PREDICATE)
            }
            Expansion::KShortest { range, limit } => {
                self.hops(range)?;
                match limit {
                    Some(limit) => self.expression(limit, Place::VALUE).map(|_| ()),
                    None => Ok(()),
                }
            }
        }
    }

    fn hops(&mut self, range: &mut HopRange) -> Result<()> {
        range
            .min
            .iter_mut()
            .chain(&mut range.max)
            .try_for_each(|bound| self.expression(bound, Place::VALUE).map(|_| ()))
    }

    /// The inline filter or weight of a variable-length pattern.
    fn lambda(&mut self, lambda: Option<&mut Lambda>, place: Place) -> Result<()> {
        let Some(lambda) = lambda else { return Ok(()) };
        self.within(Frame::open(), |checker| {
            checker.bind(&mut lambda.relationship, ValueType::RELATIONSHIP);
            checker.bind(&mut lambda.node, ValueType::NODE);
            if let Some(path) = &mut lambda.path {
                checker.bind(path, ValueType::PATH);
            }
            if let Some(weight) = &mut lambda.weight {
                checker.bind(weight, ValueType::NUMBER);
            }
            if place.patterns {
                return checker.condition(&mut lambda.body, place);
            }
            let kind = checker.expression(&mut lambda.body, place)?;
            if kind.may_be(Base::Number) || kind.is_open() {
                return Ok(());
            }
            Err(invalid_type(
                lambda.body.span,
                format!("a weight must be a number, this is {kind:#}"),
            ))
        })
    }
}

pub(super) fn refuse_parameter(properties: &Expr, clause: &str) -> Result<()> {
    match properties.kind {
        ExprKind::Parameter(_) => {
            let message = format!("a parameter cannot stand for all properties in {clause}");
            Err(
                Error::syntax(Detail::InvalidParameterUse, properties.span, message)
                    .hint("name the properties: `{key: $map.key}`"),
            )
        }
        _ => Ok(()),
    }
}

pub(super) fn unexpected(span: Span, message: &str) -> Error {
    Error::syntax(Detail::UnexpectedSyntax, span, message)
}

fn stands_twice(variable: &Variable) -> Error {
    let message = format!(
        "relationship `{}` cannot stand twice in the patterns of one clause",
        variable.name
    );
    Error::syntax(
        Detail::RelationshipUniquenessViolation,
        variable.span,
        message,
    )
}

/// Refuses other relationships beside a selected path: which path is the shortest would rest on which relationships they use.
fn refuse_company(patterns: &[PathPattern]) -> Result<()> {
    let selected = patterns.iter().find(|pattern| pattern.selector.is_prefix());
    let has_company = |selected: &PathPattern| {
        let others = patterns.iter().filter(|other| other.span != selected.span);
        others.into_iter().any(|other| !other.hops.is_empty())
    };
    match selected.filter(|selected| has_company(selected)) {
        None => Ok(()),
        Some(selected) => Err(unexpected(
            selected.span,
            "a path with a selector cannot stand beside other paths in one MATCH",
        )
        .hint("write a MATCH of its own for each")),
    }
}

/// Refuses a pattern of which nothing may be left.
fn refuse_emptiness(pattern: &PathPattern) -> Result<()> {
    let may_be_empty = pattern.hops.iter().all(|hop| match &hop.step {
        Step::Relationship(_) => false,
        Step::Group(group) => group.quantifier.min == 0,
    });
    let is_written = pattern.nodes().any(NodePattern::is_written);
    match may_be_empty && !is_written {
        true => Err(unexpected(
            pattern.span,
            "a path needs a node that is there however often its parts are repeated",
        )
        .hint("write a node beside the parentheses: `() ((a)-->(b))* ()`")),
        false => Ok(()),
    }
}

/// Refuses what has no end where relationships may be met more than once.
fn refuse_endlessness(pattern: &PathPattern) -> Result<()> {
    for hop in &pattern.hops {
        let (span, has_end) = match &hop.step {
            Step::Group(group) => (group.span, group.quantifier.max.is_some()),
            Step::Relationship(relationship) => match &relationship.expansion {
                Expansion::Variable { range, .. } => (relationship.span, range.max.is_some()),
                _ => (relationship.span, true),
            },
        };
        if !has_end {
            let message = "with REPEATABLE ELEMENTS a path of any length would have no end";
            return Err(unexpected(span, message).hint("give it an upper bound: `{1,5}`"));
        }
    }
    Ok(())
}

/// Refuses what cannot be repeated.
fn refuse_group(group: &PathGroup) -> Result<()> {
    let Quantifier { min, max } = group.quantifier;
    let refuse = |span: Span, message: &str| Err(unexpected(span, message));
    if max == Some(0) {
        return refuse(
            group.span,
            "a part of a path cannot be repeated 0 times at most",
        );
    }
    if max.is_some_and(|max| max < min) {
        let message = "a quantifier's lower bound cannot exceed its upper bound";
        return refuse(group.span, message);
    }
    if group.pattern.hops.is_empty() {
        let message = "what is repeated needs at least one relationship";
        return refuse(group.span, message);
    }
    for hop in &group.pattern.hops {
        match &hop.step {
            Step::Group(inner) => {
                let message = "a repeated part of a path cannot hold another one";
                return refuse(inner.span, message);
            }
            Step::Relationship(relationship) if relationship.expansion != Expansion::Single => {
                let message =
                    "a relationship of variable length cannot stand in a repeated part of a path";
                return refuse(relationship.span, message);
            }
            Step::Relationship(_) => {}
        }
    }
    Ok(())
}
