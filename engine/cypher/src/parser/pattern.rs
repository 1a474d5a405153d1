//! Patterns: nodes, relationships, paths, groups, label expressions.

use nom::Parser;
use nom::branch::alt;
use nom::combinator::{cut, map as mapped, opt, value};

use super::atom::{map, optional_where, variable};
use super::expression::{expression, number};
use super::input::{Bar, Input, Parsed, comma_list, named, parameter_name, token, word};
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
    let (mut at, start) = match is_group(input) {
        true => (input, anonymous_node(input)),
        false => node_pattern(input)?,
    };
    let mut hops = Vec::new();
    loop {
        let (rest, step) = match at.kind(0) {
            TokenKind::Minus => step(at)?,
            TokenKind::Less if at.kind(1) == TokenKind::Minus => step(at)?,
            TokenKind::LeftParen if is_group(at) => at.nested(group)?,
            _ => break,
        };
        // A group may be followed by nothing or by another group; a relationship by a node or a group.
        let written = rest.kind(0) == TokenKind::LeftParen && !is_group(rest);
        let needed = matches!(step, Step::Relationship(_)) && !is_group(rest);
        let (rest, node) = match written || needed {
            true => node_pattern(rest)?,
            false => (rest, anonymous_node(rest)),
        };
        hops.push(Hop { step, node });
        at = rest;
    }
    let span = input.span_to(at);
    Ok((
        at,
        PathPattern {
            variable: None,
            selector: PathSelector::All,
            start,
            hops,
            span,
        },
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

#[inline(never)]
fn group(input: Input<'_>) -> Parsed<'_, Step> {
    let (at, pattern) = pattern(input.next())?;
    let (at, filter) = optional_where(at)?;
    let (at, _) = token(TokenKind::RightParen).parse(at)?;
    let (rest, quantifier) = opt(quantifier).parse(at)?;
    let group = PathGroup {
        pattern,
        filter,
        quantifier,
        exports: Vec::new(),
        span: input.span_to(rest),
    };
    Ok((rest, Step::Group(Box::new(group))))
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

fn is_name(kind: TokenKind) -> bool {
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

/// What may stand behind the first `:`. Weakest first: `|`, then `&` and a further `:`, then `!`.
pub(super) fn label_expression(input: Input<'_>) -> Parsed<'_, LabelExpr> {
    let (mut at, first) = label_conjunction(input)?;
    let mut all = vec![first];
    while at.bar() == Bar::IsOperator && at.kind(0) == TokenKind::Bar {
        // `:A|:B` is the same as `:A|B`.
        let behind = at.next();
        let behind = if behind.kind(0) == TokenKind::Colon {
            behind.next()
        } else {
            behind
        };
        let (rest, next) = label_conjunction(behind)?;
        all.push(next);
        at = rest;
    }
    Ok((at, one_or(all, LabelExpr::Or)))
}

#[inline(never)]
fn label_conjunction(input: Input<'_>) -> Parsed<'_, LabelExpr> {
    let (mut at, first) = label_factor(input)?;
    let mut all = vec![first];
    while matches!(at.kind(0), TokenKind::Ampersand | TokenKind::Colon) {
        let (rest, next) = label_factor(at.next())?;
        all.push(next);
        at = rest;
    }
    Ok((at, one_or(all, LabelExpr::And)))
}

fn one_or(mut all: Vec<LabelExpr>, many: fn(Vec<LabelExpr>) -> LabelExpr) -> LabelExpr {
    match all.len() {
        1 => all.remove(0),
        _ => many(all),
    }
}

fn label_factor(input: Input<'_>) -> Parsed<'_, LabelExpr> {
    match input.kind(0) {
        TokenKind::Bang => {
            let (rest, inner) = input.nested(|input| label_factor(input.next()))?;
            Ok((rest, LabelExpr::Not(Box::new(inner))))
        }
        TokenKind::Percent => Ok((input.next(), LabelExpr::Wildcard(input.token().span))),
        TokenKind::LeftParen => {
            let (at, inner) =
                input.nested(|input| input.next().with_bar(Bar::IsOperator, label_expression))?;
            let (rest, _) = token(TokenKind::RightParen).parse(at)?;
            Ok((rest, inner))
        }
        _ => mapped(label_name, LabelExpr::Name).parse(input),
    }
}

/// One label or type: a name, `$p`, or `$(expression)`.
pub(super) fn label_name(input: Input<'_>) -> Parsed<'_, LabelName> {
    match input.kind(0) {
        TokenKind::Parameter => {
            let (rest, name) = parameter_name(input)?;
            let expr = Expr::new(ExprKind::Parameter(name), input.token().span);
            Ok((rest, LabelName::Dynamic(Box::new(expr))))
        }
        TokenKind::Dollar => {
            let (at, _) = token(TokenKind::LeftParen).parse(input.next())?;
            let (at, expr) = expression(at)?;
            let (rest, _) = token(TokenKind::RightParen).parse(at)?;
            Ok((rest, LabelName::Dynamic(Box::new(expr))))
        }
        _ => mapped(|input| named(input, "a label"), LabelName::Static).parse(input),
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
        selector: PathSelector::All,
        start: anonymous_node(input),
        hops: vec![hop],
        span,
    };
    let quantifier = Some(quantifier);
    let group = PathGroup {
        pattern,
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

fn invalid_length<'a, T>(input: Input<'a>, message: &str, hint: &str) -> Parsed<'a, T> {
    let error = Error::syntax(
        Detail::InvalidRelationshipPattern,
        input.token().span,
        message,
    );
    input.fail(error.hint(hint))
}

/// What stands behind `*`.
#[inline(never)]
fn expansion(input: Input<'_>) -> Parsed<'_, Expansion> {
    #[derive(Clone, Copy)]
    enum Algorithm {
        BreadthFirst,
        WeightedShortest,
        AllShortest,
        KShortest,
    }
    let (at, algorithm) = opt(alt((
        value(Algorithm::BreadthFirst, word("BFS")),
        value(Algorithm::WeightedShortest, word("WSHORTEST")),
        value(Algorithm::AllShortest, word("ALLSHORTEST")),
        value(Algorithm::KShortest, word("KSHORTEST")),
    )))
    .parse(input)?;
    let Some(algorithm) = algorithm else {
        let (at, range) = hop_range(at)?;
        let (rest, filter) = optional_lambda(at)?;
        return Ok((rest, Expansion::Variable { range, filter }));
    };
    let (at, mut range) = hop_range(at)?;
    match algorithm {
        Algorithm::BreadthFirst => {
            let (rest, filter) = optional_lambda(at)?;
            Ok((rest, Expansion::BreadthFirst { range, filter }))
        }
        Algorithm::KShortest => {
            let (rest, limit) = match token(TokenKind::Bar).parse(at) {
                Ok((at, _)) => mapped(expression, Some).parse(at)?,
                Err(_) => (at, None),
            };
            Ok((rest, Expansion::KShortest { range, limit }))
        }
        Algorithm::WeightedShortest | Algorithm::AllShortest => {
            // A lone number is the upper bound here.
            range.min = if range.min == range.max {
                None
            } else {
                range.min
            };
            let (at, weight) = lambda(at)?;
            let (at, total) = match at.kind(0) {
                kind if is_name(kind) && !at.is_word(0, "WHERE") => {
                    mapped(variable, Some).parse(at)?
                }
                _ => (at, None),
            };
            let (rest, filter) = optional_lambda(at)?;
            let weight = Box::new(weight);
            Ok((
                rest,
                match algorithm {
                    Algorithm::AllShortest => Expansion::AllShortest {
                        range,
                        weight,
                        total,
                        filter,
                    },
                    _ => Expansion::WeightedShortest {
                        range,
                        weight,
                        total,
                        filter,
                    },
                },
            ))
        }
    }
}

/// Nothing, `n`, `n..`, `..m`, `n..m`.
#[inline(never)]
fn hop_range(input: Input<'_>) -> Parsed<'_, HopRange> {
    if matches!(input.kind(0), TokenKind::Minus | TokenKind::Float) {
        return invalid_length(
            input,
            "the length of a relationship pattern must be a whole number that is not negative",
            "write `*`, `*2`, `*1..3`, `*..3` or `*1..`",
        );
    }
    let (at, min) = opt(bound).parse(input)?;
    let (at, dots) = opt(token(TokenKind::DotDot)).parse(at)?;
    let (rest, max) = match dots {
        Some(_) if at.kind(0) == TokenKind::Minus => return hop_range(at),
        Some(_) => opt(bound).parse(at)?,
        None => (at, min.clone()),
    };
    Ok((rest, HopRange { min, max }))
}

/// A number of paths: an integer or a parameter.
fn count_of_paths(input: Input<'_>) -> Parsed<'_, Box<Expr>> {
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

/// A bound on a length: an integer, a parameter, a variable, or a property of one of these (Memgraph). What stands in parentheses behind it
/// is an inline filter, so there are no calls.
fn bound(input: Input<'_>) -> Parsed<'_, Box<Expr>> {
    let (mut at, mut bound) = match input.kind(0) {
        TokenKind::Word | TokenKind::QuotedName if !input.is_word(0, "WHERE") => {
            let (at, variable) = variable(input)?;
            let kind = ExprKind::Variable(variable);
            (at, Box::new(Expr::new(kind, input.token().span)))
        }
        TokenKind::Parameter => count_of_paths(input)?,
        _ => return count_of_paths(input),
    };
    while at.kind(0) == TokenKind::Dot {
        let (_, ()) = at.deepen()?;
        let (rest, key) = named(at.next(), "a property name")?;
        let span = input.span_to(rest);
        let object = *bound;
        let kind = ExprKind::Property(Box::new(Property { object, key }));
        (at, bound) = (rest, Box::new(Expr::new(kind, span)));
    }
    Ok((at, bound))
}

fn optional_lambda(input: Input<'_>) -> Parsed<'_, Option<Box<Lambda>>> {
    match input.kind(0) {
        TokenKind::LeftParen => mapped(lambda, |lambda| Some(Box::new(lambda))).parse(input),
        _ => Ok((input, None)),
    }
}

/// `(r, n | body)`, `(r, n, p | body)`, `(r, n, p, w | body)`.
#[inline(never)]
fn lambda(input: Input<'_>) -> Parsed<'_, Lambda> {
    let (at, _) = token(TokenKind::LeftParen).parse(input)?;
    let (at, relationship) = cut(variable).parse(at)?;
    let (at, _) = token(TokenKind::Comma).parse(at)?;
    let (at, node) = variable(at)?;
    let (at, path) = lambda_variable(at)?;
    let (at, weight) = lambda_variable(at)?;
    let (at, _) = token(TokenKind::Bar).parse(at)?;
    let (at, body) = expression(at)?;
    let (rest, _) = token(TokenKind::RightParen).parse(at)?;
    let span: Span = input.span_to(rest);
    Ok((
        rest,
        Lambda {
            relationship,
            node,
            path,
            weight,
            body,
            span,
        },
    ))
}

fn lambda_variable(input: Input<'_>) -> Parsed<'_, Option<Variable>> {
    match token(TokenKind::Comma).parse(input) {
        Ok((at, _)) => mapped(variable, Some).parse(at),
        Err(_) => Ok((input, None)),
    }
}
