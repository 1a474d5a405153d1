//! Operators and what follows an operand.
//!
//! Precedence, weakest first: `OR`, `XOR`, `AND`, `NOT`, comparisons, predicates (`STARTS WITH`, `IN`, `=~`, `IS NULL`), `+ - ||`, `* / %`,
//! `^`, signs, then `.key`, `[index]`, `:Label`. All binary operators group to the left. One loop with an explicit stack does all of it,
//! so that precedence costs no recursion: only brackets do. Runs of one precedence become one flat node.

use nom::Parser;
use nom::combinator::{cut, opt};

use super::atom::atom;
use super::input::{Bar, Grown, Input, Parsed, named, token, word};
use super::label::label_expression;
use super::value_type::type_union;
use crate::ast::*;
use crate::error::{Detail, Error};
use crate::span::Span;
use crate::token::TokenKind;

/// An expression.
pub(super) fn expression(input: Input<'_>) -> Parsed<'_, Expr> {
    input.nested(|input| input.with_bar(Bar::IsOperator, operators))
}

/// An expression that a `|` ends: in `[x IN list WHERE x:A | x.name]` the bar does not join labels.
pub(super) fn before_bar(input: Input<'_>) -> Parsed<'_, Expr> {
    input.nested(|input| input.with_bar(Bar::Ends, operators))
}

/// How strongly an operator binds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Or,
    Xor,
    And,
    Not,
    Comparison,
    Predicate,
    Additive,
    Multiplicative,
    Power,
    Sign,
}

#[derive(Clone, Copy, Debug)]
enum Operator {
    Or,
    Xor,
    And,
    Not,
    Minus,
    Plus,
    Comparison(ComparisonOp),
    Arithmetic(ArithmeticOp),
    String(StringOp),
    In,
}

/// An operator that waits for its right operand.
struct Pending {
    operator: Operator,
    level: Level,
    span: Span,
    /// `None` for a prefix.
    left: Option<Operand>,
}

/// An operand and the level of the operator that made it here, if one did (parentheses hide it).
struct Operand {
    expr: Expr,
    made_by: Option<Level>,
}

fn operators(input: Input<'_>) -> Parsed<'_, Expr> {
    let mut pending: Vec<Pending> = Vec::new();
    let mut at = input;
    loop {
        while let Some((operator, level)) = prefix(at) {
            pending.push(Pending {
                operator,
                level,
                span: at.token().span,
                left: None,
            });
            (at, _) = at.deepen()?;
            at = at.next();
        }
        let (rest, expr) = postfix(at)?;
        at = rest;
        let mut right = Operand {
            expr,
            made_by: None,
        };
        loop {
            let is_typed = at.kind(0) == TokenKind::DoubleColon;
            if is_typed || at.is_word(0, "IS") {
                right = reduce(&mut pending, right, Level::Predicate);
                (at, _) = at.deepen()?;
                let (rest, expr) = match is_typed {
                    true => typed_predicate(at, right.expr, false)?,
                    false => is_predicate(at, right.expr)?,
                };
                (at, right) = (
                    rest,
                    Operand {
                        expr,
                        made_by: Some(Level::Predicate),
                    },
                );
                continue;
            }
            let Some((operator, level, length)) = infix(at) else {
                return Ok((at, reduce(&mut pending, right, Level::Or).expr));
            };
            right = reduce(&mut pending, right, level);
            if level == Level::Predicate {
                (at, _) = at.deepen()?;
            }
            let behind = at.skip(length);
            pending.push(Pending {
                operator,
                level,
                span: at.span_to(behind),
                left: Some(right),
            });
            at = behind;
            break;
        }
    }
}

/// Gives `right` to all waiting operators that bind at least as strongly as `level`.
fn reduce(pending: &mut Vec<Pending>, mut right: Operand, level: Level) -> Operand {
    while let Some(last) = pending.pop_if(|last| last.level >= level) {
        right = combine(last, right);
    }
    right
}

#[inline(never)]
fn combine(pending: Pending, right: Operand) -> Operand {
    let Pending {
        operator,
        level,
        span,
        left,
    } = pending;
    let Some(left) = left else {
        let place = span.to(right.expr.span);
        let operand = Box::new(right.expr);
        let kind = match operator {
            Operator::Not => ExprKind::Not(operand),
            Operator::Minus => ExprKind::Negate(operand),
            _ => ExprKind::Plus(operand),
        };
        return Operand {
            expr: Expr::new(kind, place),
            made_by: Some(level),
        };
    };
    let place = left.expr.span.to(right.expr.span);
    let continues = left.made_by == Some(level);
    let (left, right) = (left.expr, right.expr);
    let kind = match operator {
        Operator::Or => match left.kind {
            ExprKind::Or(mut all) if continues => {
                all.push(right);
                ExprKind::Or(all)
            }
            kind => ExprKind::Or(vec![Expr { kind, ..left }, right]),
        },
        Operator::Xor => match left.kind {
            ExprKind::Xor(mut all) if continues => {
                all.push(right);
                ExprKind::Xor(all)
            }
            kind => ExprKind::Xor(vec![Expr { kind, ..left }, right]),
        },
        Operator::And => match left.kind {
            ExprKind::And(mut all) if continues => {
                all.push(right);
                ExprKind::And(all)
            }
            kind => ExprKind::And(vec![Expr { kind, ..left }, right]),
        },
        Operator::Comparison(op) => match left.kind {
            ExprKind::Comparison(mut all) if continues => {
                all.rest.push((op, right));
                ExprKind::Comparison(all)
            }
            kind => {
                let first = Expr { kind, ..left };
                ExprKind::Comparison(Box::new(Comparison {
                    first,
                    rest: vec![(op, right)],
                }))
            }
        },
        Operator::Arithmetic(op) => match left.kind {
            ExprKind::Arithmetic(mut all) if continues => {
                all.rest.push((op, span, right));
                ExprKind::Arithmetic(all)
            }
            kind => {
                let first = Expr { kind, ..left };
                ExprKind::Arithmetic(Box::new(Arithmetic {
                    first,
                    rest: vec![(op, span, right)],
                }))
            }
        },
        Operator::String(op) => ExprKind::StringMatch(Box::new(StringMatch { op, left, right })),
        // Prefixes have no left operand and were handled above.
        Operator::In | Operator::Not | Operator::Minus | Operator::Plus => {
            ExprKind::In(Box::new((left, right)))
        }
    };
    Operand {
        expr: Expr::new(kind, place),
        made_by: Some(level),
    }
}

#[inline(never)]
fn prefix(input: Input<'_>) -> Option<(Operator, Level)> {
    match input.kind(0) {
        // The sign of a number is the number's, unless the plan cache has taken the number out.
        TokenKind::Minus => match input.kind(1) {
            TokenKind::Integer | TokenKind::Float if input.next().extracted().is_none() => None,
            _ => Some((Operator::Minus, Level::Sign)),
        },
        TokenKind::Plus => Some((Operator::Plus, Level::Sign)),
        TokenKind::Word if input.is_word(0, "NOT") => Some((Operator::Not, Level::Not)),
        _ => None,
    }
}

/// The binary operator here, how strongly it binds, and how many tokens it has.
#[inline(never)]
fn infix(input: Input<'_>) -> Option<(Operator, Level, u32)> {
    use ArithmeticOp::*;
    use ComparisonOp::*;
    let arithmetic = |op, level| Some((Operator::Arithmetic(op), level, 1));
    let comparison = |op| Some((Operator::Comparison(op), Level::Comparison, 1));
    match input.kind(0) {
        TokenKind::Equal => comparison(Equal),
        TokenKind::NotEqual => comparison(NotEqual),
        TokenKind::Less => comparison(Less),
        TokenKind::LessEqual => comparison(LessEqual),
        TokenKind::Greater => comparison(Greater),
        TokenKind::GreaterEqual => comparison(GreaterEqual),
        TokenKind::Plus => arithmetic(Add, Level::Additive),
        TokenKind::Minus => arithmetic(Subtract, Level::Additive),
        TokenKind::DoubleBar => arithmetic(Concatenate, Level::Additive),
        TokenKind::Star => arithmetic(Multiply, Level::Multiplicative),
        TokenKind::Slash => arithmetic(Divide, Level::Multiplicative),
        TokenKind::Percent => arithmetic(Modulo, Level::Multiplicative),
        TokenKind::Caret => arithmetic(Power, Level::Power),
        TokenKind::RegexMatch => Some((Operator::String(StringOp::Regex), Level::Predicate, 1)),
        TokenKind::Word => infix_word(input),
        _ => {
            let _ = input.miss::<()>("an operator");
            None
        }
    }
}

fn infix_word(input: Input<'_>) -> Option<(Operator, Level, u32)> {
    let is = |name: &'static str| word(name).parse(input).is_ok();
    if is("AND") {
        Some((Operator::And, Level::And, 1))
    } else if is("OR") {
        Some((Operator::Or, Level::Or, 1))
    } else if is("XOR") {
        Some((Operator::Xor, Level::Xor, 1))
    } else if is("IN") && !input.is_word(1, "TRANSACTIONS") {
        Some((Operator::In, Level::Predicate, 1))
    } else if is("CONTAINS") {
        Some((Operator::String(StringOp::Contains), Level::Predicate, 1))
    } else if is("STARTS") && word("WITH").parse(input.next()).is_ok() {
        Some((Operator::String(StringOp::StartsWith), Level::Predicate, 2))
    } else if is("ENDS") && word("WITH").parse(input.next()).is_ok() {
        Some((Operator::String(StringOp::EndsWith), Level::Predicate, 2))
    } else {
        None
    }
}

/// `:: type`, behind its operand.
#[inline(never)]
fn typed_predicate(input: Input<'_>, operand: Expr, negated: bool) -> Parsed<'_, Expr> {
    let (rest, union) = cut(type_union).parse(input.next())?;
    let place = operand.span.to(input.span_to(rest));
    let typed = IsTyped {
        operand,
        negated,
        union,
    };
    Ok((rest, Expr::new(ExprKind::IsTyped(Box::new(typed)), place)))
}

/// `[form] NORMALIZED`: the form, and what follows.
fn normalized(input: Input<'_>) -> Option<(Input<'_>, NormalForm)> {
    let form = match input.kind(0) {
        TokenKind::Word => NormalForm::find(input.raw(0)),
        _ => None,
    };
    let at = if form.is_some() { input.next() } else { input };
    at.is_word(0, "NORMALIZED")
        .then(|| (at.next(), form.unwrap_or(NormalForm::Nfc)))
}

/// `IS [NOT] NULL`, `IS [NOT] (:: | TYPED) type`, `IS [NOT] [form] NORMALIZED`, `IS [NOT] Label`, behind its operand.
#[inline(never)]
fn is_predicate(input: Input<'_>, operand: Expr) -> Parsed<'_, Expr> {
    let (at, _) = word("IS").parse(input)?;
    let (at, not) = opt(word("NOT")).parse(at)?;
    let negated = not.is_some();
    let start = operand.span;
    if let Ok((rest, end)) = word("NULL").parse(at) {
        let kind = ExprKind::IsNull {
            operand: Box::new(operand),
            negated,
        };
        return Ok((rest, Expr::new(kind, start.to(end))));
    }
    if token(TokenKind::DoubleColon)
        .or(word("TYPED"))
        .parse(at)
        .is_ok()
    {
        return typed_predicate(at, operand, negated);
    }
    if let Some((rest, form)) = normalized(at) {
        let place = start.to(at.span_to(rest));
        let normalized = IsNormalized {
            operand,
            negated,
            form,
        };
        return Ok((
            rest,
            Expr::new(ExprKind::IsNormalized(Box::new(normalized)), place),
        ));
    }
    let (rest, labels) = label_expression(at)?;
    let place = start.to(at.span_to(rest));
    let has = Expr::new(
        ExprKind::HasLabels(Box::new(HasLabels { operand, labels })),
        place,
    );
    Ok((
        rest,
        if negated {
            Expr::new(ExprKind::Not(Box::new(has)), place)
        } else {
            has
        },
    ))
}

/// The words of a type, in upper case: `LIST<INTEGER NOT NULL>`, `INTEGER | FLOAT`, `ZONED DATETIME`.
#[inline(never)]
pub(super) fn type_name(input: Input<'_>) -> Parsed<'_, (Name, Span)> {
    /// Words that may stand in the name of a type, the first one excepted.
    const MORE: &[&str] = &[
        "NOT", "NULL", "DATETIME", "TIME", "WITH", "WITHOUT", "TIMEZONE", "ZONE", "VALUE", "NODE",
    ];
    let (mut at, _) = named(input, "a type")?;
    let mut name = input.raw(0).to_ascii_uppercase();
    loop {
        match at.kind(0) {
            TokenKind::Word
                if MORE.iter().any(|more| at.is_word(0, more)) || name.ends_with(['<', '|']) =>
            {
                if !name.ends_with(['<', '|']) {
                    name.push(' ');
                }
                name.push_str(&at.raw(0).to_ascii_uppercase());
            }
            TokenKind::Less | TokenKind::Greater | TokenKind::Bar => name.push_str(at.raw(0)),
            _ => return Ok((at, (name.into(), input.span_to(at)))),
        }
        at = at.next();
    }
}

/// An operand with its `.key`, `[index]`, `[from..to]`, `:Label`.
pub(super) fn postfix(input: Input<'_>) -> Parsed<'_, Expr> {
    input.chain(atom, grow)
}

fn grow(input: Input<'_>, object: Expr) -> Parsed<'_, Grown<Expr>> {
    match input.kind(0) {
        TokenKind::Dot => property(input, object),
        TokenKind::LeftBracket => subscript(input, object),
        TokenKind::Colon => has_labels(input, object),
        _ => Ok((input, Grown::Done(object))),
    }
}

#[inline(never)]
fn property(input: Input<'_>, object: Expr) -> Parsed<'_, Grown<Expr>> {
    let (rest, key) = cut(|input| named(input, "a property name")).parse(input.next())?;
    let place = object.span.to(key.span);
    let kind = ExprKind::Property(Box::new(Property { object, key }));
    Ok((rest, Grown::More(Expr::new(kind, place))))
}

#[inline(never)]
fn has_labels(input: Input<'_>, operand: Expr) -> Parsed<'_, Grown<Expr>> {
    let (rest, labels) = label_expression(input.next())?;
    let place = operand.span.to(input.span_to(rest));
    let kind = ExprKind::HasLabels(Box::new(HasLabels { operand, labels }));
    Ok((rest, Grown::More(Expr::new(kind, place))))
}

#[inline(never)]
fn subscript(input: Input<'_>, object: Expr) -> Parsed<'_, Grown<Expr>> {
    let at = input.next();
    let (at, from) = match at.kind(0) {
        TokenKind::DotDot => (at, None),
        _ => optional_expression(at)?,
    };
    let (at, kind) = match (token(TokenKind::DotDot).parse(at), from) {
        (Ok((at, _)), from) => {
            let (at, to) = match at.kind(0) {
                TokenKind::RightBracket => (at, None),
                _ => optional_expression(at)?,
            };
            (at, ExprKind::Slice(Box::new(Slice { object, from, to })))
        }
        (Err(_), Some(index)) => (at, ExprKind::Index(Box::new((object, index)))),
        (Err(_), None) => return at.miss("an expression"),
    };
    let (rest, _) = token(TokenKind::RightBracket).parse(at)?;
    let start = match &kind {
        ExprKind::Slice(slice) => slice.object.span,
        ExprKind::Index(index) => index.0.span,
        _ => input.token().span,
    };
    let place = start.to(input.span_to(rest));
    Ok((rest, Grown::More(Expr::new(kind, place))))
}

fn optional_expression(input: Input<'_>) -> Parsed<'_, Option<Expr>> {
    let (rest, expr) = expression(input)?;
    Ok((rest, Some(expr)))
}

/// A number token, with a minus in front of it or not, as a literal.
#[inline(never)]
pub(super) fn number(input: Input<'_>) -> Parsed<'_, Expr> {
    let negative = input.kind(0) == TokenKind::Minus;
    let digits = if negative { input.next() } else { input };
    let rest = digits.next();
    let place = input.span_to(rest);
    let raw = digits.raw(0);
    let value = match digits.kind(0) {
        TokenKind::Integer => match crate::token::integer_value(raw) {
            Some(magnitude) if negative => LiteralValue::Integer((magnitude as i64).wrapping_neg()),
            Some(magnitude) if magnitude < 1 << 63 => LiteralValue::Integer(magnitude as i64),
            _ => {
                let message = format!(
                    "the integer {} does not fit 64 bits",
                    place.text(input.text())
                );
                return input.fail(Error::syntax(Detail::IntegerOverflow, place, message).hint(
                    format!("integers lie between {} and {}", i64::MIN, i64::MAX),
                ));
            }
        },
        TokenKind::Float => match crate::token::float_value(raw) {
            value if value.is_infinite() => {
                let message = format!("the number {raw} is too large for a float");
                return input.fail(Error::syntax(Detail::FloatingPointOverflow, place, message));
            }
            value => LiteralValue::Float(if negative { -value } else { value }),
        },
        TokenKind::BadNumber => {
            let message = format!("`{raw}` is no number");
            return input.fail(
                Error::syntax(Detail::InvalidNumberLiteral, place, message)
                    .hint("a name that begins with a digit must stand in backquotes"),
            );
        }
        _ => return input.miss("a number"),
    };
    let literal = Literal {
        value,
        extracted: digits.extracted(),
    };
    Ok((rest, Expr::new(ExprKind::Literal(literal), place)))
}
