//! `WITH` and `RETURN`: items, order, skip, limit.

use nom::Parser;
use nom::branch::alt;
use nom::combinator::opt;

use super::expression::expression;
use super::input::{Input, Parsed, comma_list, named, token, word, words};
use crate::ast::*;
use crate::token::TokenKind;

/// What stands behind `WITH` or `RETURN`, without the `WHERE` of a `WITH`.
pub(super) fn projection(input: Input<'_>) -> Parsed<'_, Projection> {
    let (at, distinct) = opt(word("DISTINCT")).parse(input)?;
    let (at, star) = opt(token(TokenKind::Star)).parse(at)?;
    let (at, items) = match star {
        Some(_) => match token(TokenKind::Comma).parse(at) {
            Ok((at, _)) => comma_list(at, item)?,
            Err(_) => (at, Vec::new()),
        },
        None => comma_list(at, item)?,
    };
    let (rest, projection) = ordered_and_cut(at)?;
    let projection = Projection {
        distinct: distinct.is_some(),
        star: star.is_some(),
        items,
        span: input.span_to(rest),
        ..projection
    };
    Ok((rest, projection))
}

/// `[ORDER BY ...] [SKIP n] [LIMIT n]`: a projection that has no items yet.
pub(super) fn ordered_and_cut(input: Input<'_>) -> Parsed<'_, Projection> {
    let (at, order) = match words(&["ORDER", "BY"]).parse(input) {
        Ok((at, _)) => comma_list(at, sort_item)?,
        Err(_) => (input, Vec::new()),
    };
    let (at, skip) = optional_count(at, &["SKIP", "OFFSET"])?;
    let (rest, limit) = optional_count(at, &["LIMIT"])?;
    let projection = Projection {
        distinct: false,
        star: false,
        items: Vec::new(),
        aggregates: false,
        order,
        skip,
        limit,
        filter: None,
        span: input.span_to(rest),
    };
    Ok((rest, projection))
}

fn item(input: Input<'_>) -> Parsed<'_, ProjectionItem> {
    let (at, expr) = expression(input)?;
    let (rest, name, aliased) = match word("AS").parse(at) {
        Ok((at, _)) => {
            let (rest, alias) = named(at, "a name")?;
            (rest, alias.name, true)
        }
        Err(_) => {
            // A quoted name loses its quotes; anything else is named by its source text as written.
            let name = match &expr.kind {
                ExprKind::Variable(variable) => variable.name.clone(),
                _ => input.span_to(at).text(input.text()).into(),
            };
            (at, name, false)
        }
    };
    let span = input.span_to(rest);
    Ok((
        rest,
        ProjectionItem {
            expr,
            name,
            aliased,
            aggregates: false,
            id: VarId::UNRESOLVED,
            span,
        },
    ))
}

fn sort_item(input: Input<'_>) -> Parsed<'_, SortItem> {
    let (at, expr) = expression(input)?;
    let (rest, descending) = match alt((word("DESCENDING"), word("DESC"))).parse(at) {
        Ok((rest, _)) => (rest, true),
        Err(_) => (
            opt(alt((word("ASCENDING"), word("ASC")))).parse(at)?.0,
            false,
        ),
    };
    Ok((rest, SortItem { expr, descending }))
}

fn optional_count<'a>(input: Input<'a>, names: &[&'static str]) -> Parsed<'a, Option<Expr>> {
    for name in names {
        if let Ok((at, _)) = word(name).parse(input) {
            let (rest, count) = expression(at)?;
            return Ok((rest, Some(count)));
        }
    }
    Ok((input, None))
}
