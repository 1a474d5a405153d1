//! Relationships of variable length: how long, how they are searched, what each step must be.

use nom::Parser;
use nom::branch::alt;
use nom::combinator::{cut, map as mapped, opt, value};

use super::atom::variable;
use super::expression::expression;
use super::input::{Input, Parsed, named, token, word};
use super::pattern::{count_of_paths, invalid_length, is_name};
use crate::ast::*;
use crate::span::Span;
use crate::token::TokenKind;

/// What stands behind `*`.
#[inline(never)]
pub(super) fn expansion(input: Input<'_>) -> Parsed<'_, Expansion> {
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
