//! Patterns: which variables they bind, which they use, and what may be created or merged.

use std::collections::HashSet;

use super::Checker;
use super::expression::{Place, invalid_type};
use super::scope::{Frame, already_bound};
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

/// Which clause writes a pattern.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Written {
    Create,
    Merge,
}

impl Checker<'_> {
    // ------------------------------------------------------------------------------------------------------------ matching

    /// Checks the patterns of one MATCH (or of what works like one): binds first, looks at predicates then, so that a
    /// property may name any variable of the clause.
    pub(super) fn match_patterns(&mut self, patterns: &mut [PathPattern], new: New) -> Result<()> {
        let mut relationships = HashSet::new();
        for pattern in &mut *patterns {
            self.bind_path(pattern, new, &mut relationships)?;
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
        if let Some(variable) = &mut pattern.variable {
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
                    "variable `{}` is a {} and cannot be a {kind} too",
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
            let message = format!(
                "relationship `{}` cannot stand twice in the patterns of one clause",
                variable.name
            );
            return Err(Error::syntax(
                Detail::RelationshipUniquenessViolation,
                variable.span,
                message,
            ));
        }
        Ok(())
    }

    /// A group has a frame of its own; what it binds is seen outside as lists if it is repeated.
    fn bind_group(&mut self, group: &mut PathGroup, new: New) -> Result<()> {
        let repeated = group.quantifier.is_some();
        let mut bound: Vec<(Name, VarId)> = self.within(Frame::open(), |checker| {
            checker.match_patterns(std::slice::from_mut(&mut group.pattern), new)?;
            if let Some(filter) = &mut group.filter {
                checker.condition(filter, Place::PREDICATE)?;
            }
            Ok(checker.names().drain().collect())
        })?;
        bound.sort_unstable_by_key(|&(_, id)| id);
        for (name, inner) in bound {
            let (kind, span) = (self.kind(inner), self.variables[inner.0 as usize].span);
            if !repeated {
                self.names().insert(name, inner);
                continue;
            }
            let mut outer = Variable {
                name,
                id: VarId::UNRESOLVED,
                span,
            };
            let outer = self.bind_new(&mut outer, kind.list())?;
            group.exports.push((inner, outer));
        }
        Ok(())
    }

    fn path_predicates(&mut self, pattern: &mut PathPattern) -> Result<()> {
        if let PathSelector::Any(Some(count))
        | PathSelector::Shortest(Some(count))
        | PathSelector::ShortestGroups(Some(count)) = &mut pattern.selector
        {
            self.expression(count, Place::VALUE)?;
        }
        self.node_predicates(&mut pattern.start)?;
        for hop in &mut pattern.hops {
            if let Step::Relationship(relationship) = &mut hop.step {
                self.relationship_predicates(relationship)?;
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
                format!("a weight must be a number, this is a {kind}"),
            ))
        })
    }

    // ------------------------------------------------------------------------------------------------------------- writing

    /// Checks the patterns of CREATE or MERGE, from left to right: an element's properties see what stands before it.
    pub(super) fn written_patterns(
        &mut self,
        patterns: &mut [PathPattern],
        written: Written,
    ) -> Result<()> {
        patterns
            .iter_mut()
            .try_for_each(|pattern| self.written_path(pattern, written))
    }

    fn written_path(&mut self, pattern: &mut PathPattern, written: Written) -> Result<()> {
        if pattern.selector != PathSelector::All {
            return Err(unexpected(
                pattern.span,
                "shortest paths can be matched, not created",
            ));
        }
        let alone = pattern.hops.is_empty();
        self.written_node(&mut pattern.start, alone, written)?;
        for hop in &mut pattern.hops {
            match &mut hop.step {
                Step::Relationship(relationship) => {
                    self.written_relationship(relationship, written)?
                }
                Step::Group(group) => {
                    return Err(Error::syntax(
                        Detail::CreatingVarLength,
                        group.span,
                        "a repeated path cannot be created",
                    ));
                }
            }
            self.written_node(&mut hop.node, false, written)?;
        }
        if let Some(variable) = &mut pattern.variable {
            self.bind_new(variable, ValueType::PATH)?;
        }
        Ok(())
    }

    fn written_node(
        &mut self,
        node: &mut NodePattern,
        alone: bool,
        written: Written,
    ) -> Result<()> {
        if let Some(filter) = &node.filter {
            return Err(unexpected(
                filter.span,
                "WHERE cannot stand in a pattern that is created",
            ));
        }
        let bound = node
            .variable
            .as_ref()
            .and_then(|variable| self.lookup(&variable.name));
        if let (Some(id), Some(variable)) = (bound, &mut node.variable) {
            if !self.kind(id).may_be(Base::Node) {
                let message = format!(
                    "variable `{}` is a {} and cannot be a node too",
                    variable.name,
                    self.kind(id)
                );
                return Err(Error::syntax(
                    Detail::VariableTypeConflict,
                    variable.span,
                    message,
                ));
            }
            if alone || node.labels.is_some() || node.properties.is_some() {
                return Err(already_bound(variable));
            }
            variable.id = id;
            node.id = id;
            node.binds = false;
            return Ok(());
        }
        if let Some(labels) = &mut node.labels {
            if labels.conjunction().is_none() {
                return Err(unexpected(
                    node.span,
                    "a node that is created needs plain labels, without `|`, `!` and `%`",
                ));
            }
            self.labels(labels)?;
        }
        self.written_properties(&mut node.properties, written)?;
        node.binds = true;
        node.id = match &mut node.variable {
            Some(variable) => self.bind(variable, ValueType::NODE),
            None => self.fresh(None, ValueType::NODE, node.span),
        };
        Ok(())
    }

    fn written_properties(
        &mut self,
        properties: &mut Option<Expr>,
        written: Written,
    ) -> Result<()> {
        let Some(properties) = properties else {
            return Ok(());
        };
        if written == Written::Merge {
            refuse_parameter(properties, "MERGE")?;
        }
        self.expression(properties, Place::VALUE).map(|_| ())
    }

    fn written_relationship(
        &mut self,
        relationship: &mut RelationshipPattern,
        written: Written,
    ) -> Result<()> {
        if let Some(filter) = &relationship.filter {
            return Err(unexpected(
                filter.span,
                "WHERE cannot stand in a pattern that is created",
            ));
        }
        if relationship.expansion != Expansion::Single {
            let message = "a relationship of variable length cannot be created";
            return Err(Error::syntax(
                Detail::CreatingVarLength,
                relationship.span,
                message,
            ));
        }
        if let Some(variable) = &relationship.variable
            && self.lookup(&variable.name).is_some()
        {
            return Err(already_bound(variable));
        }
        let single = matches!(relationship.types, Some(LabelExpr::Name(_)));
        if !single {
            let message = "a relationship that is created needs exactly one type";
            return Err(Error::syntax(
                Detail::NoSingleRelationshipType,
                relationship.span,
                message,
            )
            .hint("write it as `-[:TYPE]->`"));
        }
        if relationship.direction == Direction::Either && written == Written::Create {
            let message = "a relationship that is created needs a direction";
            return Err(Error::syntax(
                Detail::RequiresDirectedRelationship,
                relationship.span,
                message,
            )
            .hint("write it as `-[:TYPE]->` or `<-[:TYPE]-`"));
        }
        if let Some(types) = &mut relationship.types {
            self.labels(types)?;
        }
        self.written_properties(&mut relationship.properties, written)?;
        relationship.binds = true;
        relationship.id = match &mut relationship.variable {
            Some(variable) => self.bind(variable, ValueType::RELATIONSHIP),
            None => self.fresh(None, ValueType::RELATIONSHIP, relationship.span),
        };
        Ok(())
    }
}

fn refuse_parameter(properties: &Expr, clause: &str) -> Result<()> {
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

fn unexpected(span: Span, message: &str) -> Error {
    Error::syntax(Detail::UnexpectedSyntax, span, message)
}
