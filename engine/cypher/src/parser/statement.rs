//! Whole statements: prefixes, and which family a statement belongs to.

use nom::Parser;
use nom::branch::alt;
use nom::combinator::{cut, map, opt, value};

use super::admin::admin_statement;
use super::input::{Input, Parsed, ident, token, word};
use super::schema::schema_statement;
use super::show::shown_by_query;
use super::subquery::query;
use crate::ast::*;
use crate::token::TokenKind;

/// One statement, without the `;`.
pub(super) fn statement(input: Input<'_>) -> Parsed<'_, Statement> {
    let (at, options) = options(input)?;
    let mode = alt((
        value(StatementMode::Explain, word("EXPLAIN")),
        value(StatementMode::Profile, word("PROFILE")),
    ));
    let (at, mode) = opt(mode).parse(at)?;
    let (rest, body) = alt((
        map(schema_statement, StatementBody::Schema),
        map(shown_by_query, StatementBody::Query),
        map(admin_statement, StatementBody::Admin),
        map(query, StatementBody::Query),
    ))
    .parse(at)?;
    let mode = mode.unwrap_or(StatementMode::Run);
    Ok((
        rest,
        Statement {
            mode,
            options,
            body,
            span: at.span_to(rest),
        },
    ))
}

/// `CYPHER 5 runtime=slotted planner=cost`, in front of anything.
fn options(input: Input<'_>) -> Parsed<'_, Vec<(Ident, Option<Name>)>> {
    let Ok((mut at, span)) = word("CYPHER").parse(input) else {
        return Ok((input, Vec::new()));
    };
    let mut options = Vec::new();
    if matches!(at.kind(0), TokenKind::Integer | TokenKind::Float) {
        options.push((
            Ident {
                name: "version".into(),
                span,
            },
            Some(at.raw(0).into()),
        ));
        at = at.next();
    }
    while at.kind(1) == TokenKind::Equal {
        let (rest, (name, _, option)) = cut((ident, token(TokenKind::Equal), ident)).parse(at)?;
        options.push((name, Some(option.name)));
        at = rest;
    }
    Ok((at, options))
}
