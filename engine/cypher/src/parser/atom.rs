//! Operands: literals, names, calls, and everything that has brackets or words of its own.

use nom::Parser;
use nom::combinator::{cut, opt};

use super::expression::{before_bar, expression, number};
use super::input::{Input, Parsed, comma_list, ident, named, parameter_name, token, word};
use super::pattern::{looks_like_pattern, path_pattern, shortest_path_function};
use super::subquery::subquery;
use super::value_type::{names_type, type_union};
use crate::ast::*;
use crate::span::Span;
use crate::token::{TokenKind, name_value, string_value};

/// Words that cannot be a variable, since an expression that lacks an operand would swallow what follows it.
const RESERVED: &[&str] = &[
    "AND", "AS", "CASE", "CONTAINS", "CREATE", "DELETE", "DISTINCT", "ELSE", "ENDS", "IN", "IS",
    "MATCH", "MERGE", "NOT", "OR", "REMOVE", "RETURN", "SET", "STARTS", "THEN", "UNION", "UNWIND",
    "WHEN", "WHERE", "WITH", "XOR",
];

/// One operand.
pub(super) fn atom(input: Input<'_>) -> Parsed<'_, Expr> {
    match input.kind(0) {
        TokenKind::Word => word_atom(input),
        TokenKind::QuotedName => name_atom(input),
        TokenKind::Integer | TokenKind::Float | TokenKind::BadNumber => number(input),
        // The loop over operators leaves a minus here only in front of a number.
        TokenKind::Minus => number(input),
        TokenKind::String => string(input),
        TokenKind::Parameter => parameter(input),
        TokenKind::LeftParen if looks_like_pattern(input) => pattern_atom(input),
        TokenKind::LeftParen => parenthesised(input),
        TokenKind::LeftBracket => bracketed(input),
        TokenKind::LeftBrace => map(input),
        _ => input.miss("an expression"),
    }
}

#[inline(never)]
fn string(input: Input<'_>) -> Parsed<'_, Expr> {
    let value = LiteralValue::String(string_value(input.raw(0)));
    let literal = Literal {
        value,
        extracted: input.extracted(),
    };
    Ok((
        input.next(),
        Expr::new(ExprKind::Literal(literal), input.token().span),
    ))
}

#[inline(never)]
fn parameter(input: Input<'_>) -> Parsed<'_, Expr> {
    let (rest, name) = parameter_name(input)?;
    Ok((
        rest,
        Expr::new(ExprKind::Parameter(name), input.token().span),
    ))
}

#[inline(never)]
fn pattern_atom(input: Input<'_>) -> Parsed<'_, Expr> {
    let (rest, pattern) = input.nested(path_pattern)?;
    let place = pattern.span;
    Ok((rest, Expr::new(ExprKind::Pattern(Box::new(pattern)), place)))
}

fn parenthesised(input: Input<'_>) -> Parsed<'_, Expr> {
    let (rest, expr) = expression(input.next())?;
    let (rest, _) = token(TokenKind::RightParen).parse(rest)?;
    Ok((rest, expr))
}

/// A map literal.
#[inline(never)]
pub(super) fn map(input: Input<'_>) -> Parsed<'_, Expr> {
    let (at, _) = token(TokenKind::LeftBrace).parse(input)?;
    let (at, entries) = match at.kind(0) {
        TokenKind::RightBrace => (at, Vec::new()),
        _ => comma_list(at, map_entry)?,
    };
    let (rest, _) = token(TokenKind::RightBrace).parse(at)?;
    Ok((rest, Expr::new(ExprKind::Map(entries), input.span_to(rest))))
}

fn map_entry(input: Input<'_>) -> Parsed<'_, (Ident, Expr)> {
    let (at, key) = named(input, "a key")?;
    let (at, _) = token(TokenKind::Colon).parse(at)?;
    let (at, value) = expression(at)?;
    Ok((at, (key, value)))
}

/// What begins with `[`: a list, a list comprehension, or a pattern comprehension.
#[inline(never)]
fn bracketed(input: Input<'_>) -> Parsed<'_, Expr> {
    let inner = input.next();
    let named = matches!(inner.kind(0), TokenKind::Word | TokenKind::QuotedName);
    if named && inner.is_word(1, "IN") && !input.bracket_holds(|at| at.kind(0) == TokenKind::Comma)
    {
        return list_comprehension(input);
    }
    let pattern_at = if named && inner.kind(1) == TokenKind::Equal {
        inner.skip(2)
    } else {
        inner
    };
    if looks_like_pattern(pattern_at) && input.bracket_holds(|at| at.kind(0) == TokenKind::Bar) {
        return pattern_comprehension(input);
    }
    list(input)
}

#[inline(never)]
fn list(input: Input<'_>) -> Parsed<'_, Expr> {
    let at = input.next();
    let (at, items) = match at.kind(0) {
        TokenKind::RightBracket => (at, Vec::new()),
        _ => comma_list(at, expression)?,
    };
    let (rest, _) = token(TokenKind::RightBracket).parse(at)?;
    Ok((rest, Expr::new(ExprKind::List(items), input.span_to(rest))))
}

/// A variable.
pub(super) fn variable(input: Input<'_>) -> Parsed<'_, Variable> {
    let token = input.token();
    let reserved =
        token.kind == TokenKind::Word && RESERVED.iter().any(|word| input.is_word(0, word));
    match token.kind {
        TokenKind::Word | TokenKind::QuotedName if !reserved => {
            let name = name_value(input.raw(0));
            Ok((
                input.next(),
                Variable {
                    name,
                    id: VarId::UNRESOLVED,
                    span: token.span,
                },
            ))
        }
        _ => input.miss("a variable"),
    }
}

/// `WHERE expression`, if it stands here.
pub(super) fn optional_where(input: Input<'_>) -> Parsed<'_, Option<Expr>> {
    match word("WHERE").parse(input) {
        Ok((rest, _)) => {
            let (rest, filter) = expression(rest)?;
            Ok((rest, Some(filter)))
        }
        Err(_) => Ok((input, None)),
    }
}

/// As [`optional_where`], where a `|` ends the predicate.
fn where_before_bar(input: Input<'_>) -> Parsed<'_, Option<Expr>> {
    match word("WHERE").parse(input) {
        Ok((rest, _)) => {
            let (rest, filter) = before_bar(rest)?;
            Ok((rest, Some(filter)))
        }
        Err(_) => Ok((input, None)),
    }
}

/// `| expression`, if it stands here.
fn optional_body(input: Input<'_>) -> Parsed<'_, Option<Expr>> {
    match token(TokenKind::Bar).parse(input) {
        Ok((rest, _)) => {
            let (rest, body) = expression(rest)?;
            Ok((rest, Some(body)))
        }
        Err(_) => Ok((input, None)),
    }
}

#[inline(never)]
fn list_comprehension(input: Input<'_>) -> Parsed<'_, Expr> {
    let (at, comprehension) = comprehension_inside(input.next())?;
    let (rest, _) = token(TokenKind::RightBracket).parse(at)?;
    let kind = ExprKind::ListComprehension(Box::new(comprehension));
    Ok((rest, Expr::new(kind, input.span_to(rest))))
}

/// `variable IN list [WHERE filter] [| body]`.
fn comprehension_inside(input: Input<'_>) -> Parsed<'_, ListComprehension> {
    let (at, variable) = variable(input)?;
    let (at, _) = word("IN").parse(at)?;
    let (at, list) = before_bar(at)?;
    let (at, filter) = where_before_bar(at)?;
    let (at, body) = optional_body(at)?;
    Ok((
        at,
        ListComprehension {
            variable,
            list,
            filter,
            body,
        },
    ))
}

#[inline(never)]
fn pattern_comprehension(input: Input<'_>) -> Parsed<'_, Expr> {
    let at = input.next();
    let (at, path) = match at.kind(0) {
        TokenKind::LeftParen => (at, None),
        _ => {
            let (at, path) = variable(at)?;
            (at.next(), Some(path))
        }
    };
    let (at, mut pattern) = at.nested(path_pattern)?;
    pattern.variable = path;
    let (at, filter) = where_before_bar(at)?;
    let (at, _) = token(TokenKind::Bar).parse(at)?;
    let (at, body) = expression(at)?;
    let (rest, _) = token(TokenKind::RightBracket).parse(at)?;
    let kind = ExprKind::PatternComprehension(Box::new(PatternComprehension {
        pattern,
        filter,
        body,
    }));
    Ok((rest, Expr::new(kind, input.span_to(rest))))
}

/// What begins with a word: a literal, a construct with a word of its own, or a name.
#[inline(never)]
fn word_atom(input: Input<'_>) -> Parsed<'_, Expr> {
    let place = input.token().span;
    let is = |name| input.is_word(0, name);
    let literal = |value| {
        Ok((
            input.next(),
            Expr::new(
                ExprKind::Literal(Literal {
                    value,
                    extracted: None,
                }),
                place,
            ),
        ))
    };
    match input.raw(0).len() {
        3 if is("NAN") && input.kind(1) != TokenKind::LeftParen => {
            return literal(LiteralValue::Float(f64::NAN));
        }
        3 if is("INF") => return literal(LiteralValue::Float(f64::INFINITY)),
        8 if is("INFINITY") => return literal(LiteralValue::Float(f64::INFINITY)),
        4 if is("NULL") => return literal(LiteralValue::Null),
        4 if is("TRUE") => return literal(LiteralValue::Boolean(true)),
        4 if is("CASE") => return case(input),
        5 if is("FALSE") => return literal(LiteralValue::Boolean(false)),
        _ => {}
    }
    match input.kind(1) {
        TokenKind::LeftParen => parenthesised_construct(input),
        TokenKind::LeftBrace
            if !matches!(input.kind(2), TokenKind::Dot)
                && (is("EXISTS") || is("COUNT") || is("COLLECT")) =>
        {
            subquery_atom(input)
        }
        _ => name_atom(input),
    }
}

#[inline(never)]
fn subquery_atom(input: Input<'_>) -> Parsed<'_, Expr> {
    // Whatever nests further within it is counted there.
    let (rest, query) = subquery(input.next())?;
    let query = Box::new(query);
    let kind = if input.is_word(0, "EXISTS") {
        ExprKind::Exists(query)
    } else if input.is_word(0, "COUNT") {
        ExprKind::Count(query)
    } else {
        ExprKind::Collect(query)
    };
    Ok((rest, Expr::new(kind, input.span_to(rest))))
}

/// What begins with a word and `(`.
#[inline(never)]
fn parenthesised_construct(input: Input<'_>) -> Parsed<'_, Expr> {
    let is = |name| input.is_word(0, name);
    let quantifier = if is("ALL") {
        Some(QuantifierKind::All)
    } else if is("ANY") {
        Some(QuantifierKind::Any)
    } else if is("NONE") {
        Some(QuantifierKind::None)
    } else if is("SINGLE") {
        Some(QuantifierKind::Single)
    } else {
        None
    };
    let binds = input.is_word(3, "IN");
    if let Some(kind) = quantifier {
        return quantified(input, kind);
    }
    if is("REDUCE") && input.kind(3) == TokenKind::Equal {
        return reduce(input);
    }
    if (is("EXTRACT") || is("FILTER")) && binds {
        return old_comprehension(input);
    }
    if is("COUNT") && input.kind(2) == TokenKind::Star && input.kind(3) == TokenKind::RightParen {
        let rest = input.skip(4);
        return Ok((rest, Expr::new(ExprKind::CountStar, input.span_to(rest))));
    }
    if is("SHORTESTPATH") || is("ALLSHORTESTPATHS") {
        let (rest, pattern) = input.nested(shortest_path_function)?;
        return Ok((
            rest,
            Expr::new(ExprKind::PathValue(Box::new(pattern)), input.span_to(rest)),
        ));
    }
    if is("EXISTS") && looks_like_pattern(input.skip(2)) {
        return exists_pattern(input);
    }
    if is("NORMALIZE") {
        return normalize(input);
    }
    call(input, 1)
}

/// `normalize(text[, form])`, where the form is a word.
#[inline(never)]
fn normalize(input: Input<'_>) -> Parsed<'_, Expr> {
    let (at, text) = expression(input.skip(2))?;
    let mut args = vec![text];
    let mut at = at;
    if let Ok((form, _)) = token(TokenKind::Comma).parse(at) {
        if form.kind(0) != TokenKind::Word || NormalForm::find(form.raw(0)).is_none() {
            return form.miss("`NFC`, `NFD`, `NFKC` or `NFKD`");
        }
        let literal = Literal {
            value: LiteralValue::String(form.raw(0).into()),
            extracted: None,
        };
        args.push(Expr::new(ExprKind::Literal(literal), form.token().span));
        at = form.next();
    }
    let (rest, _) = token(TokenKind::RightParen).parse(at)?;
    let call = FunctionCall {
        name: "normalize".into(),
        name_span: input.token().span,
        function: None,
        distinct: false,
        args,
    };
    Ok((
        rest,
        Expr::new(ExprKind::Call(Box::new(call)), input.span_to(rest)),
    ))
}

/// `exists(pattern)`: a call whose only argument is the pattern and no expression around one, so it may stand wherever a value may.
#[inline(never)]
fn exists_pattern(input: Input<'_>) -> Parsed<'_, Expr> {
    let (at, pattern) = pattern_atom(input.skip(2))?;
    let (rest, _) = token(TokenKind::RightParen).parse(at)?;
    let call = FunctionCall {
        name: joined_name(input, 1),
        name_span: input.token().span,
        function: None,
        distinct: false,
        args: vec![pattern],
    };
    Ok((
        rest,
        Expr::new(ExprKind::Call(Box::new(call)), input.span_to(rest)),
    ))
}

#[inline(never)]
fn quantified(input: Input<'_>, kind: QuantifierKind) -> Parsed<'_, Expr> {
    let (at, variable) = variable(input.skip(2))?;
    let (at, _) = word("IN").parse(at)?;
    let (at, list) = expression(at)?;
    let (at, _) = word("WHERE").parse(at)?;
    let (at, predicate) = expression(at)?;
    let (rest, _) = token(TokenKind::RightParen).parse(at)?;
    let quantified = Quantified {
        kind,
        variable,
        list,
        predicate,
    };
    Ok((
        rest,
        Expr::new(
            ExprKind::Quantified(Box::new(quantified)),
            input.span_to(rest),
        ),
    ))
}

#[inline(never)]
fn reduce(input: Input<'_>) -> Parsed<'_, Expr> {
    let (at, accumulator) = variable(input.skip(2))?;
    let (at, _) = token(TokenKind::Equal).parse(at)?;
    let (at, init) = expression(at)?;
    let (at, _) = token(TokenKind::Comma).parse(at)?;
    let (at, variable) = variable(at)?;
    let (at, _) = word("IN").parse(at)?;
    let (at, list) = before_bar(at)?;
    let (at, _) = token(TokenKind::Bar).parse(at)?;
    let (at, body) = expression(at)?;
    let (rest, _) = token(TokenKind::RightParen).parse(at)?;
    let reduce = Reduce {
        accumulator,
        init,
        variable,
        list,
        body,
    };
    Ok((
        rest,
        Expr::new(ExprKind::Reduce(Box::new(reduce)), input.span_to(rest)),
    ))
}

/// `extract(x IN list | e)` and `filter(x IN list WHERE p)`.
#[inline(never)]
fn old_comprehension(input: Input<'_>) -> Parsed<'_, Expr> {
    let (at, comprehension) = comprehension_inside(input.skip(2))?;
    let (rest, _) = token(TokenKind::RightParen).parse(at)?;
    let kind = ExprKind::ListComprehension(Box::new(comprehension));
    Ok((rest, Expr::new(kind, input.span_to(rest))))
}

#[inline(never)]
fn case(input: Input<'_>) -> Parsed<'_, Expr> {
    let at = input.next();
    let (mut at, subject) = match at.is_word(0, "WHEN") {
        true => (at, None),
        false => {
            let (at, subject) = expression(at)?;
            (at, Some(subject))
        }
    };
    let mut arms = Vec::new();
    let simple = subject.is_some();
    loop {
        let (rest, _) = match word("WHEN").parse(at) {
            Ok(taken) => taken,
            Err(miss) if arms.is_empty() => return Err(miss),
            Err(_) => break,
        };
        let (rest, tests) = comma_list(rest, |input| case_test(input, simple))?;
        let (rest, _) = word("THEN").parse(rest)?;
        let (rest, then) = expression(rest)?;
        arms.push(CaseArm { tests, then });
        at = rest;
    }
    let (at, otherwise) = match word("ELSE").parse(at) {
        Ok((rest, _)) => {
            let (rest, otherwise) = expression(rest)?;
            (rest, Some(otherwise))
        }
        Err(_) => (at, None),
    };
    let (rest, _) = word("END").parse(at)?;
    let kind = ExprKind::Case(Box::new(Case {
        subject,
        arms,
        otherwise,
    }));
    Ok((rest, Expr::new(kind, input.span_to(rest))))
}

#[inline(never)]
fn case_test(input: Input<'_>, simple: bool) -> Parsed<'_, CaseTest> {
    if !simple {
        let (rest, value) = expression(input)?;
        return Ok((rest, CaseTest::Value(value)));
    }
    let comparison = match input.kind(0) {
        TokenKind::Equal => Some(ComparisonOp::Equal),
        TokenKind::NotEqual => Some(ComparisonOp::NotEqual),
        TokenKind::Less => Some(ComparisonOp::Less),
        TokenKind::LessEqual => Some(ComparisonOp::LessEqual),
        TokenKind::Greater => Some(ComparisonOp::Greater),
        TokenKind::GreaterEqual => Some(ComparisonOp::GreaterEqual),
        _ => None,
    };
    if let Some(op) = comparison {
        let (rest, right) = expression(input.next())?;
        return Ok((rest, CaseTest::Compare(op, right)));
    }
    let is = |at, name| input.is_word(at, name);
    let (skip, op) = match () {
        _ if is(0, "STARTS") && is(1, "WITH") => (2, Some(StringOp::StartsWith)),
        _ if is(0, "ENDS") && is(1, "WITH") => (2, Some(StringOp::EndsWith)),
        _ if is(0, "CONTAINS") => (1, Some(StringOp::Contains)),
        _ if input.kind(0) == TokenKind::RegexMatch => (1, Some(StringOp::Regex)),
        _ if is(0, "IN") => (1, None),
        _ if is(0, "IS") => {
            let (at, not) = opt(word("NOT")).parse(input.next())?;
            let negated = not.is_some();
            if let Ok((at, _)) = token(TokenKind::DoubleColon).or(word("TYPED")).parse(at) {
                let (rest, union) = cut(type_union).parse(at)?;
                return Ok((rest, CaseTest::IsTyped { union, negated }));
            }
            let (rest, _) = word("NULL").parse(at)?;
            return Ok((rest, CaseTest::IsNull { negated }));
        }
        _ => {
            let (rest, value) = expression(input)?;
            return Ok((rest, CaseTest::Value(value)));
        }
    };
    let (rest, right) = expression(input.skip(skip))?;
    let test = match op {
        Some(op) => CaseTest::StringMatch(op, right),
        None => CaseTest::In(right),
    };
    Ok((rest, test))
}

/// What begins with a name that means nothing by itself: a call, an enum value, a map projection, a variable.
#[inline(never)]
fn name_atom(input: Input<'_>) -> Parsed<'_, Expr> {
    // `a.b.c(`: a call with a namespace. A chain of names is looked through once, since its links are no operands.
    let mut length = 1;
    let is_name = |ahead| matches!(input.kind(ahead), TokenKind::Word | TokenKind::QuotedName);
    while input.kind(length) == TokenKind::Dot && is_name(length + 1) {
        length += 2;
    }
    if input.kind(length) == TokenKind::LeftParen {
        return call(input, length);
    }
    if input.kind(1) == TokenKind::DoubleColon && is_name(2) && !names_type(input.skip(2)) {
        let (at, name) = ident(input)?;
        let (rest, value) = ident(at.next())?;
        return Ok((
            rest,
            Expr::new(ExprKind::Enum(Box::new((name, value))), input.span_to(rest)),
        ));
    }
    let (rest, variable) = match variable(input) {
        Ok(taken) => taken,
        Err(_) => return input.miss("an expression"),
    };
    if rest.kind(0) == TokenKind::LeftBrace {
        return map_projection(rest, variable);
    }
    let place = variable.span;
    Ok((rest, Expr::new(ExprKind::Variable(variable), place)))
}

/// A call whose name has `length` tokens.
#[inline(never)]
fn call(input: Input<'_>, length: u32) -> Parsed<'_, Expr> {
    let behind = input.skip(length);
    let name_span = input.span_to(behind);
    let name = joined_name(input, length);
    let at = behind.next();
    if length == 1 && input.is_word(0, "TRIM") {
        return trim(input, name_span, at);
    }
    let (at, distinct) = opt(word("DISTINCT")).parse(at)?;
    let (at, args) = match at.kind(0) {
        TokenKind::RightParen => (at, Vec::new()),
        _ => comma_list(at, expression)?,
    };
    let (rest, _) = token(TokenKind::RightParen).parse(at)?;
    let call = FunctionCall {
        name,
        name_span,
        function: None,
        distinct: distinct.is_some(),
        args,
    };
    Ok((
        rest,
        Expr::new(ExprKind::Call(Box::new(call)), input.span_to(rest)),
    ))
}

/// The rest of `trim(` from `at` on: `text)`, or `[LEADING | TRAILING | BOTH] [characters] FROM text)`, which are calls of
/// `lTrim`, `rTrim` and `bTrim`.
#[inline(never)]
fn trim<'a>(start: Input<'a>, name_span: Span, at: Input<'a>) -> Parsed<'a, Expr> {
    // A word of these is a variable unless something to trim with, or where from, stands behind it.
    let side = match at.kind(1) {
        TokenKind::String | TokenKind::Parameter | TokenKind::QuotedName => true,
        TokenKind::Word => !["IN", "IS", "STARTS", "ENDS", "CONTAINS", "AND", "OR", "XOR"]
            .iter()
            .any(|operator| at.is_word(1, operator)),
        _ => false,
    };
    let named = [
        ("LEADING", "lTrim"),
        ("TRAILING", "rTrim"),
        ("BOTH", "bTrim"),
    ]
    .into_iter()
    .find(|(side_word, _)| side && at.is_word(0, side_word));
    let mut at = if named.is_some() { at.next() } else { at };
    let mut args = Vec::new();
    if at.kind(0) != TokenKind::RightParen && !(named.is_some() && at.is_word(0, "FROM")) {
        (at, args) = comma_list(at, expression)?;
    }
    let mut name = named.map_or("trim", |(_, function)| function);
    if named.is_some() || args.len() == 1 && at.is_word(0, "FROM") {
        if named.is_none() {
            name = "bTrim";
        }
        let text;
        (at, _) = word("FROM").parse(at)?;
        (at, text) = cut(expression).parse(at)?;
        args.insert(0, text);
    }
    let (rest, _) = token(TokenKind::RightParen).parse(at)?;
    let call = FunctionCall {
        name: name.into(),
        name_span,
        function: None,
        distinct: false,
        args,
    };
    Ok((
        rest,
        Expr::new(ExprKind::Call(Box::new(call)), start.span_to(rest)),
    ))
}

/// The names in the next `length` tokens (names and points), joined with points.
pub(super) fn joined_name(input: Input<'_>, length: u32) -> Name {
    if length == 1 {
        return name_value(input.raw(0));
    }
    let parts: Vec<Name> = (0..length)
        .step_by(2)
        .map(|ahead| name_value(input.raw(ahead)))
        .collect();
    parts.join(".").into()
}

#[inline(never)]
fn map_projection(input: Input<'_>, subject: Variable) -> Parsed<'_, Expr> {
    let at = input.next();
    let (at, items) = match at.kind(0) {
        TokenKind::RightBrace => (at, Vec::new()),
        _ => comma_list(at, map_projection_item)?,
    };
    let (rest, _) = token(TokenKind::RightBrace).parse(at)?;
    let place = subject.span.to(input.span_to(rest));
    Ok((
        rest,
        Expr::new(
            ExprKind::MapProjection(Box::new(MapProjection { subject, items })),
            place,
        ),
    ))
}

fn map_projection_item(input: Input<'_>) -> Parsed<'_, MapProjectionItem> {
    if input.kind(0) == TokenKind::Dot {
        let at = input.next();
        if at.kind(0) == TokenKind::Star {
            let place: Span = input.span_to(at.next());
            return Ok((at.next(), MapProjectionItem::AllProperties(place)));
        }
        let (rest, key) = cut(|input| named(input, "a property name")).parse(at)?;
        return Ok((rest, MapProjectionItem::Property(key)));
    }
    if input.kind(1) == TokenKind::Colon {
        let (rest, (key, value)) = map_entry(input)?;
        return Ok((rest, MapProjectionItem::Entry(key, value)));
    }
    let (rest, variable) = variable(input)?;
    Ok((rest, MapProjectionItem::Variable(variable)))
}
