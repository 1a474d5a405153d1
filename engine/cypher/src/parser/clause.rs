//! Clauses.

use nom::Parser;
use nom::branch::alt;
use nom::combinator::{cut, map, opt, value};
use nom::multi::separated_list1;

use super::atom::{joined_name, optional_where, variable};
use super::expression::{before_bar, expression, number, postfix};
use super::input::{Input, Miss, Parsed, comma_list, ident, named, token, word, words};
use super::label::label_name;
use super::pattern::{pattern, patterns};
use super::projection::projection;
use super::subquery::query;
use crate::ast::*;
use crate::token::TokenKind;

/// One clause.
pub(super) fn clause(input: Input<'_>) -> Parsed<'_, Clause> {
    let (rest, kind) = clause_kind(input)?;
    Ok((
        rest,
        Clause {
            kind,
            span: input.span_to(rest),
        },
    ))
}

fn clause_kind(input: Input<'_>) -> Parsed<'_, ClauseKind> {
    type ClauseParser = for<'a> fn(Input<'a>) -> Parsed<'a, ClauseKind>;
    const CLAUSES: &[(&str, ClauseParser)] = &[
        ("MATCH", match_clause),
        ("OPTIONAL", optional_clause),
        ("WITH", with_clause),
        ("RETURN", return_clause),
        ("UNWIND", unwind_clause),
        ("CREATE", create_clause),
        ("INSERT", create_clause),
        ("MERGE", merge_clause),
        ("SET", set_clause),
        ("REMOVE", remove_clause),
        ("DETACH", delete_clause),
        ("NODETACH", delete_clause),
        ("DELETE", delete_clause),
        ("CALL", call_clause),
        ("FOREACH", foreach_clause),
        ("LOAD", load_clause),
        ("FINISH", finish_clause),
        ("USE", use_clause),
    ];
    for (name, parser) in CLAUSES {
        if word(name).parse(input).is_ok() {
            // A clause that begins and goes wrong is not the end of the clauses.
            return cut(parser).parse(input);
        }
    }
    Err(nom::Err::Error(Miss))
}

fn optional_clause(input: Input<'_>) -> Parsed<'_, ClauseKind> {
    let at = input.next();
    if word("CALL").parse(at).is_ok() {
        return call(at.next(), true);
    }
    let (at, _) = word("MATCH").parse(at)?;
    matching(at, true)
}

fn match_clause(input: Input<'_>) -> Parsed<'_, ClauseKind> {
    matching(input.next(), false)
}

#[inline(never)]
fn matching(input: Input<'_>, optional: bool) -> Parsed<'_, ClauseKind> {
    let mode = alt((
        value(true, words(&["REPEATABLE", "ELEMENTS"])),
        value(true, words(&["REPEATABLE", "ELEMENT"])),
        value(false, words(&["DIFFERENT", "RELATIONSHIPS"])),
        value(false, words(&["DIFFERENT", "RELATIONSHIP"])),
    ));
    let (at, mode) = opt(mode).parse(input)?;
    let (mut at, patterns) = patterns(at)?;
    let mut hints = Vec::new();
    while let Ok((rest, _)) = word("USING").parse(at) {
        let (rest, hint) = match_hint(rest)?;
        hints.push(hint);
        at = rest;
    }
    let (rest, filter) = optional_where(at)?;
    let repeatable = mode.unwrap_or(false);
    Ok((
        rest,
        ClauseKind::Match(Box::new(Match {
            optional,
            patterns,
            repeatable,
            hints,
            filter,
        })),
    ))
}

#[inline(never)]
fn match_hint(input: Input<'_>) -> Parsed<'_, MatchHint> {
    if let Ok((at, _)) = words(&["JOIN", "ON"]).parse(input) {
        return map(|at| comma_list(at, variable), MatchHint::Join).parse(at);
    }
    if let Ok((at, _)) = word("SCAN").parse(input) {
        let (rest, (variable, _, label)) = (variable, token(TokenKind::Colon), ident).parse(at)?;
        return Ok((rest, MatchHint::Scan { variable, label }));
    }
    let kind = alt((word("RANGE"), word("TEXT"), word("POINT")));
    let (at, _) = (opt(kind), word("INDEX"), opt(word("SEEK"))).parse(input)?;
    let (at, (variable, _, label)) = (variable, token(TokenKind::Colon), ident).parse(at)?;
    let (at, _) = token(TokenKind::LeftParen).parse(at)?;
    let (at, properties) = comma_list(at, ident)?;
    let (rest, _) = token(TokenKind::RightParen).parse(at)?;
    Ok((
        rest,
        MatchHint::Index {
            variable,
            label,
            properties,
        },
    ))
}

#[inline(never)]
fn with_clause(input: Input<'_>) -> Parsed<'_, ClauseKind> {
    let (at, mut projection) = projection(input.next())?;
    let (rest, filter) = optional_where(at)?;
    projection.filter = filter;
    Ok((rest, ClauseKind::With(Box::new(projection))))
}

#[inline(never)]
fn return_clause(input: Input<'_>) -> Parsed<'_, ClauseKind> {
    map(projection, |projection| {
        ClauseKind::Return(Box::new(projection))
    })
    .parse(input.next())
}

fn finish_clause(input: Input<'_>) -> Parsed<'_, ClauseKind> {
    Ok((input.next(), ClauseKind::Finish))
}

fn use_clause(input: Input<'_>) -> Parsed<'_, ClauseKind> {
    map(
        separated_list1(token(TokenKind::Dot), ident),
        ClauseKind::Use,
    )
    .parse(input.next())
}

fn unwind_clause(input: Input<'_>) -> Parsed<'_, ClauseKind> {
    let (at, list) = expression(input.next())?;
    let (at, _) = word("AS").parse(at)?;
    let (rest, variable) = variable(at)?;
    Ok((rest, ClauseKind::Unwind { list, variable }))
}

fn create_clause(input: Input<'_>) -> Parsed<'_, ClauseKind> {
    map(patterns, ClauseKind::Create).parse(input.next())
}

#[inline(never)]
fn merge_clause(input: Input<'_>) -> Parsed<'_, ClauseKind> {
    let (mut at, pattern) = pattern(input.next())?;
    let mut merge = Merge {
        pattern,
        on_create: Vec::new(),
        on_match: Vec::new(),
    };
    while let Ok((rest, _)) = word("ON").parse(at) {
        let (rest, created) =
            alt((value(true, word("CREATE")), value(false, word("MATCH")))).parse(rest)?;
        let (rest, _) = word("SET").parse(rest)?;
        let (rest, items) = comma_list(rest, set_item)?;
        match created {
            true => merge.on_create.extend(items),
            false => merge.on_match.extend(items),
        }
        at = rest;
    }
    Ok((at, ClauseKind::Merge(Box::new(merge))))
}

fn set_clause(input: Input<'_>) -> Parsed<'_, ClauseKind> {
    map(|at| comma_list(at, set_item), ClauseKind::Set).parse(input.next())
}

fn set_item(input: Input<'_>) -> Parsed<'_, SetItem> {
    let named = matches!(input.kind(0), TokenKind::Word | TokenKind::QuotedName);
    if named && input.kind(1) == TokenKind::Equal {
        let (at, variable) = variable(input)?;
        let (rest, value) = expression(at.next())?;
        return Ok((rest, SetItem::Replace { variable, value }));
    }
    if named && (input.kind(1) == TokenKind::Colon || input.is_word(1, "IS")) {
        let (rest, (variable, labels)) = labelled(input)?;
        return Ok((rest, SetItem::Labels { variable, labels }));
    }
    let (at, target) = input.nested(postfix)?;
    if let Ok((at, _)) = token(TokenKind::PlusEqual).parse(at) {
        let (rest, value) = expression(at)?;
        return Ok((rest, SetItem::Merge { target, value }));
    }
    if !matches!(target.kind, ExprKind::Property(_) | ExprKind::Index(_)) {
        return at.miss("a property");
    }
    let (at, _) = token(TokenKind::Equal).parse(at)?;
    let (rest, value) = expression(at)?;
    Ok((rest, SetItem::Property { target, value }))
}

/// `variable:A:B` (also `IS A`, `:A&B`).
fn labelled(input: Input<'_>) -> Parsed<'_, (Variable, Vec<LabelName>)> {
    let (mut at, variable) = variable(input)?;
    let mut labels = Vec::new();
    loop {
        let (rest, label) = label_name(at.next())?;
        labels.push(label);
        at = rest;
        if !matches!(at.kind(0), TokenKind::Colon | TokenKind::Ampersand) {
            return Ok((at, (variable, labels)));
        }
    }
}

fn remove_clause(input: Input<'_>) -> Parsed<'_, ClauseKind> {
    map(|at| comma_list(at, remove_item), ClauseKind::Remove).parse(input.next())
}

fn remove_item(input: Input<'_>) -> Parsed<'_, RemoveItem> {
    let named = matches!(input.kind(0), TokenKind::Word | TokenKind::QuotedName);
    if named && (input.kind(1) == TokenKind::Colon || input.is_word(1, "IS")) {
        let (rest, (variable, labels)) = labelled(input)?;
        return Ok((rest, RemoveItem::Labels { variable, labels }));
    }
    let (rest, target) = input.nested(postfix)?;
    match target.kind {
        ExprKind::Property(_) | ExprKind::Index(_) => Ok((rest, RemoveItem::Property(target))),
        _ => rest.miss("a property or a label"),
    }
}

fn delete_clause(input: Input<'_>) -> Parsed<'_, ClauseKind> {
    let (at, detach) = opt(alt((
        value(true, word("DETACH")),
        value(false, word("NODETACH")),
    )))
    .parse(input)?;
    let (at, _) = word("DELETE").parse(at)?;
    let (rest, targets) = comma_list(at, expression)?;
    Ok((
        rest,
        ClauseKind::Delete {
            detach: detach.unwrap_or(false),
            targets,
        },
    ))
}

#[inline(never)]
fn foreach_clause(input: Input<'_>) -> Parsed<'_, ClauseKind> {
    let (at, _) = token(TokenKind::LeftParen).parse(input.next())?;
    let (at, variable) = variable(at)?;
    let (at, _) = word("IN").parse(at)?;
    let (at, list) = before_bar(at)?;
    let (at, _) = token(TokenKind::Bar).parse(at)?;
    let (mut at, first) = at.nested(clause)?;
    let mut body = vec![first];
    while at.kind(0) != TokenKind::RightParen {
        let (rest, clause) = at.nested(clause)?;
        body.push(clause);
        at = rest;
    }
    let (rest, _) = token(TokenKind::RightParen).parse(at)?;
    Ok((
        rest,
        ClauseKind::Foreach(Box::new(Foreach {
            variable,
            list,
            body,
        })),
    ))
}

#[inline(never)]
fn load_clause(input: Input<'_>) -> Parsed<'_, ClauseKind> {
    let (at, format) = alt((
        value(LoadFormat::Csv, word("CSV")),
        value(LoadFormat::JsonLines, word("JSONL")),
        value(LoadFormat::Parquet, word("PARQUET")),
    ))
    .parse(input.next())?;
    let headers = |at| alt((word("HEADERS"), word("HEADER"))).parse(at);
    let (at, early_header) = opt((word("WITH"), headers)).parse(at)?;
    let (at, _) = word("FROM").parse(at)?;
    let (at, source) = expression(at)?;
    let (at, config) = match words(&["WITH", "CONFIG"]).parse(at) {
        Ok((at, _)) => map(expression, Some).parse(at)?,
        Err(_) => (at, None),
    };
    let (at, late_header) = opt(alt((
        value(true, (word("WITH"), headers)),
        value(false, (word("NO"), headers)),
    )))
    .parse(at)?;
    let (at, ignore_bad) = opt(words(&["IGNORE", "BAD"])).parse(at)?;
    let (at, delimiter) = keyed(at, "DELIMITER")?;
    let (at, quote) = keyed(at, "QUOTE")?;
    let (at, null_if) = keyed(at, "NULLIF")?;
    let (at, _) = word("AS").parse(at)?;
    let (at, variable) = variable(at)?;
    let (rest, terminator) = keyed(at, "FIELDTERMINATOR")?;
    let load = Load {
        format,
        source,
        empty_is_null: early_header.is_some() || late_header.is_none(),
        header: early_header.map(|_| true).or(late_header),
        ignore_bad: ignore_bad.is_some(),
        delimiter: delimiter.or(terminator),
        quote,
        null_if,
        config,
        variable,
    };
    Ok((rest, ClauseKind::Load(Box::new(load))))
}

/// A keyword and an expression, if the keyword stands here.
pub(super) fn keyed<'a>(input: Input<'a>, keyword: &'static str) -> Parsed<'a, Option<Expr>> {
    match word(keyword).parse(input) {
        Ok((at, _)) => map(expression, Some).parse(at),
        Err(_) => Ok((input, None)),
    }
}

fn call_clause(input: Input<'_>) -> Parsed<'_, ClauseKind> {
    call(input.next(), false)
}

fn call(input: Input<'_>, optional: bool) -> Parsed<'_, ClauseKind> {
    match input.kind(0) {
        TokenKind::LeftBrace | TokenKind::LeftParen => call_subquery(input, optional),
        _ => call_procedure(input, optional),
    }
}

#[inline(never)]
fn call_subquery(input: Input<'_>, optional: bool) -> Parsed<'_, ClauseKind> {
    let (at, imports) = match token(TokenKind::LeftParen).parse(input) {
        Ok((at, _)) => {
            let (at, imports) = match at.kind(0) {
                TokenKind::Star => (at.next(), Imports::All),
                TokenKind::RightParen => (at, Imports::List(Vec::new())),
                _ => map(|at| comma_list(at, variable), Imports::List).parse(at)?,
            };
            let (at, _) = token(TokenKind::RightParen).parse(at)?;
            (at, imports)
        }
        Err(_) => (input, Imports::None),
    };
    let (at, _) = token(TokenKind::LeftBrace).parse(at)?;
    let (at, query) = at.nested(query)?;
    let (at, _) = token(TokenKind::RightBrace).parse(at)?;
    let (rest, transactions) = match word("IN").parse(at) {
        Ok((at, _)) => map(in_transactions, Some).parse(at)?,
        Err(_) => (at, None),
    };
    let call = CallSubquery {
        optional,
        imports,
        query,
        transactions,
    };
    Ok((rest, ClauseKind::CallSubquery(Box::new(call))))
}

#[inline(never)]
fn in_transactions(input: Input<'_>) -> Parsed<'_, InTransactions> {
    let (at, concurrent) = match input.is_word(0, "TRANSACTIONS") {
        true => (input, None),
        false => {
            let (at, count) = match input.is_word(0, "CONCURRENT") {
                true => (input, None),
                false => map(expression, Some).parse(input)?,
            };
            let (at, _) = word("CONCURRENT").parse(at)?;
            (at, Some(count))
        }
    };
    let (at, _) = word("TRANSACTIONS").parse(at)?;
    let (at, rows) = match word("OF").parse(at) {
        Ok((at, _)) => {
            let (at, rows) = expression(at)?;
            let (at, _) = alt((word("ROWS"), word("ROW"))).parse(at)?;
            (at, Some(rows))
        }
        Err(_) => (at, None),
    };
    let on_error = alt((
        value(OnError::Fail, word("FAIL")),
        value(OnError::Continue, word("CONTINUE")),
        value(OnError::Break, word("BREAK")),
    ));
    let (at, on_error) = opt((words(&["ON", "ERROR"]), on_error)).parse(at)?;
    let (rest, status) = opt((words(&["REPORT", "STATUS", "AS"]), variable)).parse(at)?;
    let on_error = on_error.map_or(OnError::Fail, |(_, on_error)| on_error);
    Ok((
        rest,
        InTransactions {
            concurrent,
            rows,
            on_error,
            status: status.map(|(_, status)| status),
        },
    ))
}

#[inline(never)]
fn call_procedure(input: Input<'_>, optional: bool) -> Parsed<'_, ClauseKind> {
    let (at, parts) =
        separated_list1(token(TokenKind::Dot), |at| named(at, "a procedure name")).parse(input)?;
    let name = joined_name(input, 2 * parts.len() as u32 - 1);
    let name_span = input.span_to(at);
    let (at, args) = match token(TokenKind::LeftParen).parse(at) {
        Ok((at, _)) => {
            let (at, args) = match at.kind(0) {
                TokenKind::RightParen => (at, Vec::new()),
                _ => comma_list(at, expression)?,
            };
            let (at, _) = token(TokenKind::RightParen).parse(at)?;
            (at, Some(args))
        }
        Err(_) => (at, None),
    };
    let (at, memory_limit) = match words(&["PROCEDURE", "MEMORY"]).parse(at) {
        Ok((at, _)) => map(memory_limit, Some).parse(at)?,
        Err(_) => (at, None),
    };
    let (at, yields) = match word("YIELD").parse(at) {
        Ok((at, _)) => match at.kind(0) {
            TokenKind::Star => (at.next(), Yield::All),
            TokenKind::Minus => (at.next(), Yield::Nothing),
            _ => map(|at| comma_list(at, yield_item), Yield::Items).parse(at)?,
        },
        Err(_) => (at, Yield::Unstated),
    };
    let (rest, filter) = match yields {
        Yield::Unstated => (at, None),
        _ => optional_where(at)?,
    };
    let call = CallProcedure {
        optional,
        name,
        name_span,
        args,
        yields,
        filter,
        standalone: false,
        memory_limit,
    };
    Ok((rest, ClauseKind::CallProcedure(Box::new(call))))
}

pub(super) fn yield_item(input: Input<'_>) -> Parsed<'_, (Ident, Variable)> {
    let (at, output) = ident(input)?;
    if let Ok((at, _)) = word("AS").parse(at) {
        let (rest, variable) = variable(at)?;
        return Ok((rest, (output, variable)));
    }
    let variable = Variable {
        name: output.name.clone(),
        id: VarId::UNRESOLVED,
        span: output.span,
    };
    Ok((at, (output, variable)))
}

/// What stands behind `QUERY MEMORY` or `PROCEDURE MEMORY`: `LIMIT n KB|MB`, `UNLIMITED`.
#[inline(never)]
pub(super) fn memory_limit(input: Input<'_>) -> Parsed<'_, MemoryLimit> {
    if let Ok((rest, _)) = word("UNLIMITED").parse(input) {
        return Ok((rest, MemoryLimit::Unlimited));
    }
    let (at, _) = word("LIMIT").parse(input)?;
    if at.kind(0) == TokenKind::BadNumber {
        return joined_memory_limit(at);
    }
    let (at, amount) = match at.kind(0) {
        TokenKind::Integer => number(at)?,
        _ => expression(at)?,
    };
    let (rest, unit_bytes) =
        alt((value(1 << 10, word("KB")), value(1 << 20, word("MB")))).parse(at)?;
    Ok((rest, MemoryLimit::Bytes { amount, unit_bytes }))
}

/// `100MB`: a number and a unit without a blank between them are one malformed number to the lexer.
fn joined_memory_limit(input: Input<'_>) -> Parsed<'_, MemoryLimit> {
    let raw = input.raw(0).to_ascii_uppercase();
    let unit_bytes = if raw.ends_with("KB") {
        1 << 10
    } else {
        1 << 20
    };
    let digits = raw
        .strip_suffix("KB")
        .or(raw.strip_suffix("MB"))
        .and_then(|digits| digits.parse().ok());
    let Some(value) = digits else {
        return number(input).and_then(|_| input.miss("a number"));
    };
    let literal = Literal {
        value: LiteralValue::Integer(value),
        extracted: None,
    };
    let amount = Expr::new(ExprKind::Literal(literal), input.token().span);
    Ok((input.next(), MemoryLimit::Bytes { amount, unit_bytes }))
}
