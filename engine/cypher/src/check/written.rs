//! Patterns that are created or merged: what they bind, and what cannot be written.

use super::Checker;
use super::expression::Place;
use super::pattern::{refuse_parameter, unexpected};
use super::scope::already_bound;
use super::types::{Base, ValueType};
use crate::ast::*;
use crate::error::{Detail, Error, Result};

/// Which clause writes a pattern.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Written {
    Create,
    Merge,
}

impl Checker<'_> {
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
                "a selection of paths can be matched, not created",
            ));
        }
        if let Some(inner) = &pattern.inner {
            let message = "a path that is created is named in front of its parentheses";
            return Err(unexpected(inner.span, message));
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
                    "variable `{}` is {:#} and cannot be a node too",
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
