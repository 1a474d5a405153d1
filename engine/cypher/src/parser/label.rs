//! Label and type expressions: `A|B`, `A&!B`, `%`, `$(name)`, `$any(names)`.

use nom::Parser;
use nom::combinator::map as mapped;

use super::expression::expression;
use super::input::{Bar, Input, Parsed, named, parameter_name, token};
use crate::ast::*;
use crate::token::TokenKind;

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

/// One label or type: a name, `$p`, `$(expression)`, `$all(expression)` or `$any(expression)`.
pub(super) fn label_name(input: Input<'_>) -> Parsed<'_, LabelName> {
    match input.kind(0) {
        TokenKind::Parameter => {
            let (rest, name) = parameter_name(input)?;
            if rest.kind(0) == TokenKind::LeftParen {
                let how_many = match &*name.to_ascii_lowercase() {
                    "all" => Some(HowMany::All),
                    "any" => Some(HowMany::Any),
                    _ => None,
                };
                if let Some(how_many) = how_many {
                    return computed_name(rest, how_many);
                }
            }
            let expr = Expr::new(ExprKind::Parameter(name), input.token().span);
            Ok((rest, LabelName::Dynamic(Box::new(expr), HowMany::All)))
        }
        TokenKind::Dollar => computed_name(input.next(), HowMany::All),
        _ => mapped(|input| named(input, "a label"), LabelName::Static).parse(input),
    }
}

/// `(expression)`, behind what says how many of its names are asked for.
fn computed_name(input: Input<'_>, how_many: HowMany) -> Parsed<'_, LabelName> {
    let (at, _) = token(TokenKind::LeftParen).parse(input)?;
    let (at, expr) = expression(at)?;
    let (rest, _) = token(TokenKind::RightParen).parse(at)?;
    Ok((rest, LabelName::Dynamic(Box::new(expr), how_many)))
}
