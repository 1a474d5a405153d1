//! Patterns: nodes, relationships, paths, groups, label expressions.

use nom::Parser;
use nom::branch::alt;
use nom::combinator::{map as mapped, opt};

use super::atom::{map, optional_where, variable};
use super::expansion::expansion;
use super::expression::number;
use super::input::{Bar, Input, Parsed, comma_list, named, parameter_name, token, word};
use super::label::label_expression;
use crate::ast::*;
use crate::error::{Detail, Error};
use crate::span::Span;
use crate::token::TokenKind;

/// True if the `(` here begins a node pattern with an arrow behind it, so that it cannot be meant as an expression. Looks at a bounded
/// number of tokens.
pub(super) fn looks_like_pattern(input: Input<'_>) -> bool {
    use TokenKind::*;
    if input.kind(0) != LeftParen || !looks_like_node(input) {
        return false;
    }
    let Some(behind) = input.behind_bracket(0) else {
        return false;
    };
    let arrow = input.skip(behind);
    let dash = u32::from(arrow.kind(0) == Less);
    if arrow.kind(dash) != Minus {
        return false;
    }
    let end = match arrow.kind(dash + 1) {
        LeftBracket => match arrow.behind_bracket(dash + 1) {
            Some(end) => end,
            None => return false,
        },
        Minus => dash + 1,
        _ => return false,
    };
    if arrow.kind(end) != Minus {
        return false;
    }
    let node = end + 1 + u32::from(arrow.kind(end + 1) == Greater);
    arrow.kind(node) == LeftParen
}

fn looks_like_node(input: Input<'_>) -> bool {
    use TokenKind::*;
    match input.kind(1) {
        RightParen | Colon | LeftBrace | Parameter => true,
        Word if input.is_word(1, "IS") || input.is_word(1, "WHERE") => true,
        Word | QuotedName => {
            matches!(input.kind(2), RightParen | Colon | LeftBrace | Parameter)
                || input.is_word(2, "IS")
                || input.is_word(2, "WHERE")
        }
        _ => false,
    }
}

/// Patterns with commas between them, each with its variable and selector.
#[inline(never)]
pub(super) fn patterns(input: Input<'_>) -> Parsed<'_, Vec<PathPattern>> {
    comma_list(input, pattern)
}

/// `[p =] [selector] path` or `[p =] shortestPath(path)`.
pub(super) fn pattern(input: Input<'_>) -> Parsed<'_, PathPattern> {
    let (at, name) = match input.kind(1) {
        TokenKind::Equal => {
            let (at, name) = variable(input)?;
            (at.next(), Some(name))
        }
        _ => (input, None),
    };
    let (rest, mut pattern) = if at.is_word(0, "SHORTESTPATH") || at.is_word(0, "ALLSHORTESTPATHS")
    {
        shortest_path_function(at)?
    } else {
        let (at, selector) = selector(at)?;
        let (rest, pattern) = path_pattern(at)?;
        (
            rest,
            PathPattern {
                selector,
                ..pattern
            },
        )
    };
    pattern.variable = name;
    pattern.span = input.span_to(rest);
    Ok((rest, pattern))
}

/// `shortestPath(path)`, `allShortestPaths(path)`.
pub(super) fn shortest_path_function(input: Input<'_>) -> Parsed<'_, PathPattern> {
    let selector = match input.is_word(0, "SHORTESTPATH") {
        true => PathSelector::ShortestPath,
        false => PathSelector::AllShortestPaths,
    };
    let (at, _) = token(TokenKind::LeftParen).parse(input.next())?;
    let (at, pattern) = path_pattern(at)?;
    let (rest, _) = token(TokenKind::RightParen).parse(at)?;
    Ok((
        rest,
        PathPattern {
            selector,
            span: input.span_to(rest),
            ..pattern
        },
    ))
}

/// `ALL [PATHS]`, `ANY [k] [PATHS]`, `ANY SHORTEST`, `ALL SHORTEST`, `SHORTEST k [PATHS] [GROUPS]`; nothing means all.
#[inline(never)]
fn selector(input: Input<'_>) -> Parsed<'_, PathSelector> {
    let paths = |at| opt(alt((word("PATHS"), word("PATH")))).parse(at);
    let (at, selector) = if input.is_word(0, "ALL") && input.is_word(1, "SHORTEST") {
        (input.skip(2), PathSelector::AllShortest)
    } else if input.is_word(0, "ANY") && input.is_word(1, "SHORTEST") {
        (input.skip(2), PathSelector::Shortest(None))
    } else if input.is_word(0, "ALL") {
        (input.next(), PathSelector::All)
    } else if input.is_word(0, "ANY") {
        let (at, count) = opt(count_of_paths).parse(input.next())?;
        (at, PathSelector::Any(count))
    } else if input.is_word(0, "SHORTEST") {
        let (at, count) = opt(count_of_paths).parse(input.next())?;
        let (at, _) = paths(at)?;
        let (at, groups) = opt(alt((word("GROUPS"), word("GROUP")))).parse(at)?;
        let selector = match groups {
            Some(_) => PathSelector::ShortestGroups(count),
            None => PathSelector::Shortest(count),
        };
        (at, selector)
    } else {
        return Ok((input, PathSelector::All));
    };
    let (at, _) = paths(at)?;
    Ok((at, selector))
}

/// A path without variable and selector.
#[inline(never)]
pub(super) fn path_pattern(input: Input<'_>) -> Parsed<'_, PathPattern> {
    let mut hops = Vec::new();
    let (mut at, start) = match is_group(input) {
        false => node_pattern(input)?,
        true => match input.nested(group)? {
            (rest, Parenthesised::Whole(pattern)) => return whole(input, rest, *pattern),
            (rest, Parenthesised::Repeated(group)) => {
                let (rest, node) = node_behind_group(rest)?;
                let step = Step::Group(group);
                hops.push(Hop { step, node });
                (rest, anonymous_node(input))
            }
        },
    };
    loop {
        let (rest, hop) = match at.kind(0) {
            TokenKind::Minus => step(at)?,
            TokenKind::Less if at.kind(1) == TokenKind::Minus => step(at)?,
            TokenKind::LeftParen if is_group(at) => match at.nested(group)? {
                (rest, Parenthesised::Repeated(group)) => (rest, Step::Group(group)),
                (_, Parenthesised::Whole(pattern)) => return not_alone(at, pattern.span),
            },
            _ => break,
        };
        // A group may be followed by nothing or by another group; a relationship by a node or a group.
        let (rest, node) = match hop {
            Step::Relationship(_) if !is_group(rest) => node_pattern(rest)?,
            _ => node_behind_group(rest)?,
        };
        hops.push(Hop { step: hop, node });
        at = rest;
    }
    let span = input.span_to(at);
    Ok((
        at,
        PathPattern {
            variable: None,
            inner: None,
            selector: PathSelector::All,
            start,
            hops,
            span,
        },
    ))
}

/// The node behind a repeated part, which need not be written.
fn node_behind_group(input: Input<'_>) -> Parsed<'_, NodePattern> {
    match input.kind(0) == TokenKind::LeftParen && !is_group(input) {
        true => node_pattern(input),
        false => Ok((input, anonymous_node(input))),
    }
}

/// A pattern that is parentheses around another one, which can have nothing beside them.
fn whole<'a>(input: Input<'a>, rest: Input<'a>, pattern: PathPattern) -> Parsed<'a, PathPattern> {
    let goes_on = match rest.kind(0) {
        TokenKind::LeftParen | TokenKind::Minus => true,
        TokenKind::Less => rest.kind(1) == TokenKind::Minus,
        _ => false,
    };
    match goes_on {
        true => not_alone(input, input.span_to(rest)),
        false => Ok((rest, pattern)),
    }
}

fn not_alone<T>(input: Input<'_>, span: Span) -> Parsed<'_, T> {
    let message = "a part of a path in parentheses needs to say how often it is repeated";
    input.fail(Error::syntax(Detail::UnexpectedSyntax, span, message).hint(
        "leave the parentheses out, or write a quantifier such as `{1,3}` or `+` behind them",
    ))
}

fn anonymous_node(input: Input<'_>) -> NodePattern {
    let span = input.span_to(input);
    NodePattern {
        variable: None,
        id: VarId::UNRESOLVED,
        binds: false,
        labels: None,
        properties: None,
        filter: None,
        span,
    }
}

/// `((`, or `(p = (`.
fn is_group(input: Input<'_>) -> bool {
    input.kind(0) == TokenKind::LeftParen
        && (input.kind(1) == TokenKind::LeftParen
            || (input.kind(2) == TokenKind::Equal && input.kind(3) == TokenKind::LeftParen))
}

/// What parentheses around a path pattern make of it.
enum Parenthesised {
    Repeated(Box<PathGroup>),
    Whole(Box<PathPattern>),
}

/// `(path WHERE predicate)` with a quantifier or without one.
#[inline(never)]
fn group(input: Input<'_>) -> Parsed<'_, Parenthesised> {
    let (at, mut pattern) = pattern(input.next())?;
    let (at, filter) = optional_where(at)?;
    let (at, _) = token(TokenKind::RightParen).parse(at)?;
    let (rest, quantifier) = opt(quantifier).parse(at)?;
    let span = input.span_to(rest);
    let refuse = |message: &str| {
        let error = Error::syntax(Detail::UnexpectedSyntax, pattern.span, message);
        input.fail(error)
    };
    if pattern.selector != PathSelector::All {
        return refuse(
            "a path selector stands in front of the whole pattern, not within parentheses",
        );
    }
    if let Some(quantifier) = quantifier {
        if pattern.variable.is_some() || pattern.inner.is_some() {
            return refuse("a path that is repeated cannot be named within its parentheses");
        }
        let group = PathGroup {
            pattern,
            id: VarId::UNRESOLVED,
            filter,
            quantifier,
            exports: Vec::new(),
            span,
        };
        return Ok((rest, Parenthesised::Repeated(Box::new(group))));
    }
    if pattern.variable.is_some() && pattern.inner.is_some() {
        return refuse("a path can be named once within parentheses");
    }
    pattern.inner = pattern.variable.take().or(pattern.inner.take());
    pattern.span = span;
    // A condition on the path is asked of it wherever it stands within the pattern.
    if let Some(filter) = filter {
        let node = &mut pattern.start;
        node.filter = Some(match node.filter.take() {
            None => filter,
            Some(first) => both(first, filter),
        });
    }
    Ok((rest, Parenthesised::Whole(Box::new(pattern))))
}

fn both(first: Expr, second: Expr) -> Expr {
    let span = first.span.to(second.span);
    let kind = match first.kind {
        ExprKind::And(mut all) => {
            all.push(second);
            ExprKind::And(all)
        }
        kind => ExprKind::And(vec![Expr { kind, ..first }, second]),
    };
    Expr::new(kind, span)
}

/// `+`, `*`, `{n}`, `{n,m}`, either bound of which may be missing.
#[inline(never)]
fn quantifier(input: Input<'_>) -> Parsed<'_, Quantifier> {
    match input.kind(0) {
        TokenKind::Plus => Ok((input.next(), Quantifier { min: 1, max: None })),
        TokenKind::Star => Ok((input.next(), Quantifier { min: 0, max: None })),
        TokenKind::LeftBrace => {
            let (at, min) = opt(count).parse(input.next())?;
            let (at, comma) = opt(token(TokenKind::Comma)).parse(at)?;
            let (at, max) = match comma {
                Some(_) => opt(count).parse(at)?,
                None => (at, min),
            };
            let (rest, _) = token(TokenKind::RightBrace).parse(at)?;
            if comma.is_none() && min.is_none() {
                return input.next().miss("an integer");
            }
            Ok((
                rest,
                Quantifier {
                    min: min.unwrap_or(0),
                    max,
                },
            ))
        }
        _ => input.miss("a quantifier"),
    }
}

fn count(input: Input<'_>) -> Parsed<'_, u64> {
    match input.kind(0) {
        TokenKind::Integer => match crate::token::integer_value(input.raw(0)) {
            Some(count) => Ok((input.next(), count)),
            None => {
                let message = format!("the integer {} does not fit 64 bits", input.raw(0));
                input.fail(Error::syntax(
                    Detail::IntegerOverflow,
                    input.token().span,
                    message,
                ))
            }
        },
        _ => input.miss("an integer"),
    }
}

/// `(variable :labels {properties} WHERE predicate)`.
#[inline(never)]
fn node_pattern(input: Input<'_>) -> Parsed<'_, NodePattern> {
    let (at, _) = match token(TokenKind::LeftParen).parse(input) {
        Ok(taken) => taken,
        Err(_) => return input.miss("a node pattern"),
    };
    let (at, name) = pattern_variable(at)?;
    let (at, labels) = optional_labels(at)?;
    let (at, properties) = optional_properties(at)?;
    let (at, filter) = optional_where(at)?;
    let (rest, _) = token(TokenKind::RightParen).parse(at)?;
    let span = input.span_to(rest);
    Ok((
        rest,
        NodePattern {
            variable: name,
            id: VarId::UNRESOLVED,
            binds: false,
            labels,
            properties,
            filter,
            span,
        },
    ))
}

/// A variable in a node or relationship pattern, if one stands here. `WHERE` and `IS` can be names too: `(where)`, `(is:A)`.
fn pattern_variable(input: Input<'_>) -> Parsed<'_, Option<Variable>> {
    match input.kind(0) {
        TokenKind::Word | TokenKind::QuotedName => {
            let keyword =
                input.is_word(0, "WHERE") || (input.is_word(0, "IS") && is_name(input.kind(1)));
            if keyword {
                return Ok((input, None));
            }
            let (rest, name) = named(input, "a variable")?;
            Ok((
                rest,
                Some(Variable {
                    name: name.name,
                    id: VarId::UNRESOLVED,
                    span: name.span,
                }),
            ))
        }
        _ => Ok((input, None)),
    }
}

pub(super) fn is_name(kind: TokenKind) -> bool {
    matches!(kind, TokenKind::Word | TokenKind::QuotedName)
}

#[inline(never)]
fn optional_labels(input: Input<'_>) -> Parsed<'_, Option<LabelExpr>> {
    let marked = token(TokenKind::Colon).or(word("IS")).parse(input);
    let Ok((at, _)) = marked else {
        return Ok((input, None));
    };
    let (rest, labels) = at.with_bar(Bar::IsOperator, label_expression)?;
    Ok((rest, Some(labels)))
}

#[inline(never)]
fn optional_properties(input: Input<'_>) -> Parsed<'_, Option<Expr>> {
    match input.kind(0) {
        TokenKind::LeftBrace => {
            let (rest, properties) = input.nested(map)?;
            Ok((rest, Some(properties)))
        }
        TokenKind::Parameter => {
            let (rest, name) = parameter_name(input)?;
            Ok((
                rest,
                Some(Expr::new(ExprKind::Parameter(name), input.token().span)),
            ))
        }
        _ => Ok((input, None)),
    }
}

/// A relationship pattern, possibly with a quantifier behind it, which makes it a group.
#[inline(never)]
fn step(input: Input<'_>) -> Parsed<'_, Step> {
    let (at, relationship) = relationship_pattern(input)?;
    let quantified = matches!(
        at.kind(0),
        TokenKind::Plus | TokenKind::Star | TokenKind::LeftBrace
    );
    if !quantified {
        return Ok((at, Step::Relationship(Box::new(relationship))));
    }
    let (rest, quantifier) = quantifier(at)?;
    let span = relationship.span;
    let hop = Hop {
        step: Step::Relationship(Box::new(relationship)),
        node: anonymous_node(at),
    };
    let pattern = PathPattern {
        variable: None,
        inner: None,
        selector: PathSelector::All,
        start: anonymous_node(input),
        hops: vec![hop],
        span,
    };
    let group = PathGroup {
        pattern,
        id: VarId::UNRESOLVED,
        filter: None,
        quantifier,
        exports: Vec::new(),
        span: input.span_to(rest),
    };
    Ok((rest, Step::Group(Box::new(group))))
}

#[inline(never)]
fn relationship_pattern(input: Input<'_>) -> Parsed<'_, RelationshipPattern> {
    let (at, left) = opt(token(TokenKind::Less)).parse(input)?;
    let (at, _) = token(TokenKind::Minus).parse(at)?;
    let (at, mut relationship) = match token(TokenKind::LeftBracket).parse(at) {
        Ok((inside, _)) => {
            let (inside, relationship) = relationship_details(inside)?;
            let (at, _) = token(TokenKind::RightBracket).parse(inside)?;
            (at, relationship)
        }
        Err(_) => (at, RelationshipDetails::default()),
    };
    let (at, _) = token(TokenKind::Minus).parse(at)?;
    let (rest, right) = opt(token(TokenKind::Greater)).parse(at)?;
    let direction = match (left, right) {
        (Some(_), None) => Direction::Incoming,
        (None, Some(_)) => Direction::Outgoing,
        _ => Direction::Either,
    };
    Ok((
        rest,
        RelationshipPattern {
            variable: relationship.variable.take(),
            id: VarId::UNRESOLVED,
            binds: false,
            direction,
            types: relationship.types,
            expansion: relationship.expansion.unwrap_or(Expansion::Single),
            properties: relationship.properties,
            filter: relationship.filter,
            span: input.span_to(rest),
        },
    ))
}

#[derive(Default)]
struct RelationshipDetails {
    variable: Option<Variable>,
    types: Option<LabelExpr>,
    expansion: Option<Expansion>,
    properties: Option<Expr>,
    filter: Option<Expr>,
}

fn relationship_details(input: Input<'_>) -> Parsed<'_, RelationshipDetails> {
    let (at, variable) = pattern_variable(input)?;
    let (at, types) = optional_labels(at)?;
    if at.kind(0) == TokenKind::DotDot {
        return invalid_length(at, "a length without `*`", "write `*..`");
    }
    let (at, expansion) = match at.kind(0) {
        TokenKind::Star => {
            let (at, expansion) = expansion(at.next())?;
            (at, Some(expansion))
        }
        _ => (at, None),
    };
    let (at, properties) = optional_properties(at)?;
    let (at, filter) = optional_where(at)?;
    Ok((
        at,
        RelationshipDetails {
            variable,
            types,
            expansion,
            properties,
            filter,
        },
    ))
}

pub(super) fn invalid_length<'a, T>(input: Input<'a>, message: &str, hint: &str) -> Parsed<'a, T> {
    let error = Error::syntax(
        Detail::InvalidRelationshipPattern,
        input.token().span,
        message,
    );
    input.fail(error.hint(hint))
}

/// A number of paths: an integer or a parameter.
pub(super) fn count_of_paths(input: Input<'_>) -> Parsed<'_, Box<Expr>> {
    match input.kind(0) {
        TokenKind::Integer => mapped(number, Box::new).parse(input),
        TokenKind::Parameter => {
            let (rest, name) = parameter_name(input)?;
            Ok((
                rest,
                Box::new(Expr::new(ExprKind::Parameter(name), input.token().span)),
            ))
        }
        _ => input.miss("an integer"),
    }
}
