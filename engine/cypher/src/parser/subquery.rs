//! Queries: single queries, `UNION`, and queries within braces.

use nom::Parser;
use nom::branch::alt;
use nom::combinator::{map, opt, value};

use super::atom::optional_where;
use super::clause::{clause, memory_limit};
use super::expression::expression;
use super::input::{Input, Parsed, comma_list, named, token, word, words};
use super::pattern::patterns;
use crate::ast::*;
use crate::error::{Detail, Error};
use crate::token::TokenKind;

/// A query with its hints, unions and memory limit.
#[inline(never)]
pub(super) fn query(input: Input<'_>) -> Parsed<'_, Query> {
    let (at, hints) = match word("USING").parse(input) {
        Ok((at, _)) => hint_list(at)?,
        Err(_) => (input, Vec::new()),
    };
    let (mut at, first) = single_query(at)?;
    let mut parts = vec![first];
    let mut union = None;
    while let Ok((rest, _)) = word("UNION").parse(at) {
        let (rest, kind) = union_kind(rest)?;
        if union.is_some_and(|union| union != kind) {
            let error = Error::syntax(
                Detail::InvalidClauseComposition,
                at.span_to(rest),
                "`UNION` and `UNION ALL` cannot be mixed in one query",
            );
            return at.fail(error);
        }
        union = Some(kind);
        let (rest, part) = single_query(rest)?;
        parts.push(part);
        at = rest;
    }
    let (rest, memory_limit) = match words(&["QUERY", "MEMORY"]).parse(at) {
        Ok((rest, _)) => map(memory_limit, Some).parse(rest)?,
        Err(_) => (at, None),
    };
    let span = input.span_to(rest);
    let union = union.unwrap_or(UnionKind::Distinct);
    Ok((
        rest,
        Query {
            hints,
            parts,
            union,
            memory_limit,
            columns: Vec::new(),
            span,
        },
    ))
}

#[inline(never)]
fn union_kind(input: Input<'_>) -> Parsed<'_, UnionKind> {
    let named = alt((
        value(UnionKind::All, word("ALL")),
        value(UnionKind::Distinct, word("DISTINCT")),
    ));
    map(opt(named), |kind| kind.unwrap_or(UnionKind::Distinct)).parse(input)
}

#[inline(never)]
fn single_query(input: Input<'_>) -> Parsed<'_, SingleQuery> {
    let (mut at, first) = clause(input)?;
    let mut clauses = vec![first];
    loop {
        match clause(at) {
            Ok((rest, clause)) => {
                clauses.push(clause);
                at = rest;
            }
            Err(nom::Err::Error(_)) => break,
            Err(error) => return Err(error),
        }
    }
    let span = input.span_to(at);
    Ok((
        at,
        SingleQuery {
            clauses,
            columns: Vec::new(),
            span,
        },
    ))
}

/// `{ query }` or `{ patterns [WHERE] }`.
pub(super) fn subquery(input: Input<'_>) -> Parsed<'_, Query> {
    let (at, _) = token(TokenKind::LeftBrace).parse(input)?;
    let is_pattern = at.kind(0) == TokenKind::LeftParen
        || at.kind(1) == TokenKind::Equal
        || at.is_word(0, "SHORTEST")
        || at.is_word(0, "ANY")
        || at.is_word(0, "ALL");
    let (at, query) = match is_pattern {
        true => pattern_query(at)?,
        false => query(at)?,
    };
    let (rest, _) = token(TokenKind::RightBrace).parse(at)?;
    Ok((rest, query))
}

#[inline(never)]
fn pattern_query(input: Input<'_>) -> Parsed<'_, Query> {
    let (at, patterns) = patterns(input)?;
    let (rest, filter) = optional_where(at)?;
    let span = input.span_to(rest);
    let matching = Match {
        optional: false,
        patterns,
        repeatable: false,
        hints: Vec::new(),
        filter,
    };
    let clause = Clause {
        kind: ClauseKind::Match(Box::new(matching)),
        span,
    };
    let part = SingleQuery {
        clauses: vec![clause],
        columns: Vec::new(),
        span,
    };
    let query = Query {
        hints: Vec::new(),
        parts: vec![part],
        union: UnionKind::Distinct,
        memory_limit: None,
        columns: Vec::new(),
        span,
    };
    Ok((rest, query))
}

/// What stands behind a leading `USING`: hints with commas between them; index hints may share one `INDEX`.
#[inline(never)]
fn hint_list(input: Input<'_>) -> Parsed<'_, Vec<QueryHint>> {
    comma_list(input, hint)
}

fn hint(input: Input<'_>) -> Parsed<'_, QueryHint> {
    if let Ok((at, _)) = words(&["HOPS", "LIMIT"]).parse(input) {
        return map(expression, QueryHint::HopsLimit).parse(at);
    }
    if let Ok((at, _)) = words(&["PERIODIC", "COMMIT"]).parse(input) {
        return map(expression, QueryHint::PeriodicCommit).parse(at);
    }
    if let Ok((at, _)) = words(&["PARALLEL", "EXECUTION"]).parse(input) {
        let counted = matches!(at.kind(0), TokenKind::Integer | TokenKind::Parameter);
        let (rest, threads) = match counted {
            true => map(expression, Some).parse(at)?,
            false => (at, None),
        };
        return Ok((rest, QueryHint::ParallelExecution(threads)));
    }
    let (at, _) = opt(word("INDEX")).parse(input)?;
    let (at, _) = token(TokenKind::Colon).parse(at)?;
    let (at, label) = match at.kind(0) {
        TokenKind::LeftParen => (at, None),
        _ => map(|input| named(input, "a label"), Some).parse(at)?,
    };
    let (rest, properties) = match at.kind(0) {
        TokenKind::LeftParen => property_paths(at)?,
        _ => (at, Vec::new()),
    };
    Ok((rest, QueryHint::Index { label, properties }))
}

/// `(a, b.c)`.
pub(super) fn property_paths(input: Input<'_>) -> Parsed<'_, Vec<PropertyPath>> {
    let (at, _) = token(TokenKind::LeftParen).parse(input)?;
    let (at, paths) = comma_list(at, property_path)?;
    let (rest, _) = token(TokenKind::RightParen).parse(at)?;
    Ok((rest, paths))
}

/// `a.b.c`.
pub(super) fn property_path(input: Input<'_>) -> Parsed<'_, PropertyPath> {
    nom::multi::separated_list1(token(TokenKind::Dot), |input| {
        named(input, "a property name")
    })
    .parse(input)
}
