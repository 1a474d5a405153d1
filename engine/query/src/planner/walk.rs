//! Parts of a `MATCH` that an automaton answers, as the syntax has them: repeated parts of paths, and paths with a selector, taken apart into
//! chains of hops.
//!
//! Made by [`super::conditions`] when it takes a `MATCH` apart, and planned by [`super::automaton`]. What always holds: a chain has one more
//! node than hops, and the chains of a path are those of its text, in order.

use quoit_cypher::ast::{
    self, Expansion, NodePattern, PathGroup, PathPattern, RelationshipPattern, Step, VarId,
};
use quoit_cypher::error::Error;
use quoit_cypher::span::Span;

use super::conditions::{Predicate, describe, known_range};
use super::unsupported;
use super::used::{self, Variables};

/// A part of a `MATCH` that an automaton answers.
pub(super) struct Walk<'a> {
    pub(super) kind: Kind<'a>,
    pub(super) from: VarId,
    pub(super) to: VarId,
    /// Variables that must be bound before it is walked, its ends excepted.
    pub(super) needs: Variables,
    /// Conditions on the whole path that are written within it.
    pub(super) whole: Vec<Predicate<'a>>,
    pub(super) span: Span,
    pub(super) done: bool,
}

pub(super) enum Kind<'a> {
    Group(&'a PathGroup),
    /// A variable length of which relationships may be met again.
    Lengths(&'a RelationshipPattern),
    Selected(&'a PathPattern),
}

/// A chain of hops as the text has it.
pub(super) struct Piece<'a> {
    /// One more than hops; none: nothing is asked.
    pub(super) nodes: Vec<Option<&'a NodePattern>>,
    pub(super) hops: Vec<&'a RelationshipPattern>,
    pub(super) min: u64,
    pub(super) max: u64,
    pub(super) repeated: Option<Repeated<'a>>,
}

pub(super) struct Repeated<'a> {
    /// The list of all relationships.
    pub(super) edges: VarId,
    /// Variables of one repetition, and the lists outside.
    pub(super) exports: &'a [(VarId, VarId)],
    /// A condition on each repetition.
    pub(super) filter: Option<&'a ast::Expr>,
    /// A condition on each relationship.
    pub(super) lambda: Option<&'a ast::Lambda>,
}

impl<'a> Walk<'a> {
    pub(super) fn of_group(group: &'a PathGroup, from: VarId, to: VarId) -> Walk<'a> {
        let mut needs = Variables::new();
        used::in_pattern(&group.pattern, &mut needs);
        group
            .filter
            .iter()
            .for_each(|filter| used::in_expr(filter, &mut needs));
        Walk::new(Kind::Group(group), from, to, needs, group.span)
    }

    pub(super) fn of_lengths(
        relationship: &'a RelationshipPattern,
        from: VarId,
        to: VarId,
    ) -> Walk<'a> {
        let mut needs = Variables::new();
        used::in_relationship(relationship, &mut needs);
        needs.remove(&relationship.id);
        let span = relationship.span;
        Walk::new(Kind::Lengths(relationship), from, to, needs, span)
    }

    /// A path with a selector. Conditions at its ends go to `predicates` unless they are conditions on the path.
    pub(super) fn of_selected(
        pattern: &'a PathPattern,
        predicates: &mut Vec<Predicate<'a>>,
    ) -> Result<Walk<'a>, Error> {
        let (from, to) = (pattern.start.id, pattern.end().id);
        let mut own = variables_of(pattern);
        own.retain(|id| *id != from && *id != to);
        let mut written = Vec::new();
        for node in [&pattern.start, pattern.end()] {
            describe_node(node, &mut written)?;
        }
        let mut needs = Variables::new();
        used::in_pattern(pattern, &mut needs);
        needs.retain(|id| !own.contains(id) && *id != from && *id != to);
        let kind = Kind::Selected(pattern);
        let mut walk = Walk::new(kind, from, to, needs, pattern.span);
        for predicate in written {
            match predicate.needs.iter().any(|id| own.contains(id)) {
                true => walk.whole.push(predicate),
                false => predicates.push(predicate),
            }
        }
        Ok(walk)
    }

    fn new(kind: Kind<'a>, from: VarId, to: VarId, needs: Variables, span: Span) -> Walk<'a> {
        Walk {
            kind,
            from,
            to,
            needs,
            whole: Vec::new(),
            span,
            done: false,
        }
    }
}

/// What a selected path binds, its ends included.
pub(super) fn variables_of(pattern: &PathPattern) -> Vec<VarId> {
    let mut ids = vec![pattern.start.id];
    for hop in &pattern.hops {
        match &hop.step {
            Step::Relationship(relationship) => ids.push(relationship.id),
            Step::Group(group) => ids.extend(variables_of_group(group)),
        }
        ids.push(hop.node.id);
    }
    let paths = pattern.variable.iter().chain(&pattern.inner);
    ids.extend(paths.map(|path| path.id));
    ids
}

/// What a repeated part binds outside.
pub(super) fn variables_of_group(group: &PathGroup) -> impl Iterator<Item = VarId> {
    let exports = group.exports.iter().map(|(_, outer)| *outer);
    exports.chain(std::iter::once(group.id))
}

pub(super) fn describe_node<'a>(
    node: &'a NodePattern,
    out: &mut Vec<Predicate<'a>>,
) -> Result<(), Error> {
    describe(
        out,
        node.id,
        node.labels.as_ref(),
        node.properties.as_ref(),
        node.filter.as_ref(),
        node.span,
    )
}

pub(super) fn piece_of_group(group: &PathGroup) -> Piece<'_> {
    Piece {
        nodes: group.pattern.nodes().map(Some).collect(),
        hops: group.pattern.relationships().map(|(hop, _)| hop).collect(),
        min: group.quantifier.min,
        max: group.quantifier.max.unwrap_or(u64::MAX),
        repeated: Some(Repeated {
            edges: group.id,
            exports: &group.exports,
            filter: group.filter.as_ref(),
            lambda: None,
        }),
    }
}

pub(super) fn piece_of_lengths(relationship: &RelationshipPattern) -> Result<Piece<'_>, Error> {
    let Expansion::Variable { filter, .. } = &relationship.expansion else {
        return Err(unsupported(
            "a search within a path that has a selector",
            relationship.span,
        ));
    };
    let Some((min, max)) = known_range(&relationship.expansion) else {
        return Err(unsupported(
            "a computed bound of a length within a path that has a selector, or with REPEATABLE ELEMENTS,",
            relationship.span,
        ));
    };
    Ok(Piece {
        nodes: vec![None, None],
        hops: vec![relationship],
        min,
        max,
        repeated: Some(Repeated {
            edges: relationship.id,
            exports: &[],
            filter: None,
            lambda: filter.as_deref(),
        }),
    })
}

/// The segments of a whole pattern.
pub(super) fn pieces(pattern: &PathPattern) -> Result<Vec<Piece<'_>>, Error> {
    let run = |node| Piece {
        nodes: vec![Some(node)],
        hops: Vec::new(),
        min: 1,
        max: 1,
        repeated: None,
    };
    let mut pieces = vec![run(&pattern.start)];
    for hop in &pattern.hops {
        let piece = match &hop.step {
            Step::Relationship(step) if step.expansion == Expansion::Single => {
                let last = pieces.last_mut().expect("there is always a run");
                last.hops.push(step);
                last.nodes.push(Some(&hop.node));
                continue;
            }
            Step::Relationship(relationship) => piece_of_lengths(relationship)?,
            Step::Group(group) => piece_of_group(group),
        };
        pieces.push(piece);
        pieces.push(run(&hop.node));
    }
    Ok(pieces)
}
