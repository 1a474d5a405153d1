//! `SHOW INDEXES` and `SHOW CONSTRAINTS` as Neo4j has them: with a kind, `YIELD`, `WHERE` or `RETURN`.
//!
//! Such a statement is a query: a call of the procedure that lists them, with what follows. So conditions, order and results are those
//! of every query. Without any of these words the statement is Memgraph's, and an admin statement.

use nom::Parser;
use nom::branch::alt;
use nom::combinator::{cut, map, opt, value};

use super::atom::optional_where;
use super::clause::{clause, yield_item};
use super::input::{Input, Miss, Parsed, comma_list, word, words};
use super::projection::ordered_and_cut;
use crate::ast::schema::{
    SHOW_CONSTRAINTS, SHOW_CONSTRAINTS_COLUMNS, SHOW_INDEXES, SHOW_INDEXES_COLUMNS,
};
use crate::ast::*;
use crate::span::Span;
use crate::token::TokenKind;

/// What is listed.
struct Shown {
    procedure: &'static str,
    columns: &'static [&'static str],
    /// The types asked for; none: all. `None` if nothing was said about it.
    types: Option<&'static [&'static str]>,
}

/// The statement. Misses at Memgraph's forms.
pub(super) fn show_schema(input: Input<'_>) -> Parsed<'_, Query> {
    let (at, _) = word("SHOW").parse(input)?;
    let (at, shown) = alt((shown_indexes, shown_constraints)).parse(at)?;
    let plain = shown.types.is_none();
    if plain && !at.is_word(0, "YIELD") && !at.is_word(0, "WHERE") {
        return Err(nom::Err::Error(Miss));
    }
    cut(|at| listing(at, input, &shown)).parse(at)
}

fn shown_indexes(input: Input<'_>) -> Parsed<'_, Shown> {
    let kind = alt((
        value(&[][..], word("ALL")),
        value(&["RANGE"][..], word("RANGE")),
        value(&["LOOKUP"][..], word("LOOKUP")),
        value(&["TEXT"][..], word("TEXT")),
        value(&["POINT"][..], word("POINT")),
        value(&["FULLTEXT"][..], word("FULLTEXT")),
    ));
    let (at, types) = opt(kind).parse(input)?;
    let (rest, _) = alt((word("INDEXES"), word("INDEX"))).parse(at)?;
    let shown = Shown {
        procedure: SHOW_INDEXES,
        columns: &SHOW_INDEXES_COLUMNS,
        types,
    };
    Ok((rest, shown))
}

/// Each kind's words, a longer form in front of a shorter one that begins like it; then whether `NODE`, `RELATIONSHIP` or nothing may stand before it.
const CONSTRAINTS: &[(&[&str], [&str; 2])] = &[
    (&["PROPERTY", "UNIQUENESS"], UNIQUE),
    (&["PROPERTY", "UNIQUE"], UNIQUE),
    (&["UNIQUENESS"], UNIQUE),
    (&["UNIQUE"], UNIQUE),
    (&["PROPERTY", "EXISTENCE"], EXISTENCE),
    (&["PROPERTY", "EXIST"], EXISTENCE),
    (&["EXISTENCE"], EXISTENCE),
    (&["EXIST"], EXISTENCE),
    (&["PROPERTY", "TYPE"], TYPE),
    (&["KEY"], KEY),
];
/// Of nodes, and of relationships.
const UNIQUE: [&str; 2] = ["UNIQUENESS", "RELATIONSHIP_UNIQUENESS"];
const EXISTENCE: [&str; 2] = ["NODE_PROPERTY_EXISTENCE", "RELATIONSHIP_PROPERTY_EXISTENCE"];
const TYPE: [&str; 2] = ["NODE_PROPERTY_TYPE", "RELATIONSHIP_PROPERTY_TYPE"];
const KEY: [&str; 2] = ["NODE_KEY", "RELATIONSHIP_KEY"];

fn shown_constraints(input: Input<'_>) -> Parsed<'_, Shown> {
    let (at, types) = opt(alt((value(&[][..], word("ALL")), |at| {
        constraint_types(at)
    })))
    .parse(input)?;
    let (rest, _) = alt((word("CONSTRAINTS"), word("CONSTRAINT"))).parse(at)?;
    let shown = Shown {
        procedure: SHOW_CONSTRAINTS,
        columns: &SHOW_CONSTRAINTS_COLUMNS,
        types,
    };
    Ok((rest, shown))
}

fn constraint_types(input: Input<'_>) -> Parsed<'_, &'static [&'static str]> {
    let whose = alt((
        value(0..1, word("NODE")),
        value(1..2, alt((word("RELATIONSHIP"), word("REL")))),
    ));
    let (at, whose) = opt(whose).parse(input)?;
    for (keywords, types) in CONSTRAINTS {
        if let Ok((rest, _)) = words(keywords).parse(at) {
            return Ok((rest, &types[whose.unwrap_or(0..2)]));
        }
    }
    Err(nom::Err::Error(Miss))
}

/// `[YIELD *|columns [ORDER BY ...] [SKIP n] [LIMIT n]] [WHERE condition] [RETURN ...]`, the `SHOW` at `start`.
fn listing<'a>(input: Input<'a>, start: Input<'a>, shown: &Shown) -> Parsed<'a, Query> {
    let name_span = start.span_to(input);
    let named = |name: &&str| {
        let output = Ident {
            name: (*name).into(),
            span: name_span,
        };
        (output, variable_of(name, name_span))
    };
    let all = || shown.columns.iter().map(named).collect();
    let (at, items) = match word("YIELD").parse(input) {
        Ok((at, _)) if at.kind(0) == TokenKind::Star => (at.next(), all()),
        Ok((at, _)) => comma_list(at, yield_item)?,
        Err(_) => (input, all()),
    };
    let (at, cut) = ordered_and_cut(at)?;
    let (at, filter) = optional_where(at)?;
    let variables: Vec<Variable> = items.iter().map(|(_, variable)| variable.clone()).collect();
    let types = shown.types.unwrap_or_default().iter().map(|type_| {
        let literal = Literal {
            value: LiteralValue::String((*type_).into()),
            extracted: None,
        };
        Expr::new(ExprKind::Literal(literal), name_span)
    });
    let mut call = CallProcedure {
        optional: false,
        name: shown.procedure.into(),
        name_span,
        args: Some(vec![Expr::new(ExprKind::List(types.collect()), name_span)]),
        yields: Yield::Items(items),
        filter: None,
        standalone: false,
        memory_limit: None,
    };
    let mut behind = Vec::new();
    if cut.order.is_empty() && cut.skip.is_none() && cut.limit.is_none() {
        call.filter = filter;
    } else {
        let items = as_items(&variables);
        behind.push(ClauseKind::With(Box::new(Projection {
            items,
            filter,
            ..cut
        })));
    }
    let (rest, returned) = match at.is_word(0, "RETURN") {
        true => map(clause, |clause| Some(clause.kind)).parse(at)?,
        false => (at, None),
    };
    let is_alone = behind.is_empty() && returned.is_none();
    if !is_alone {
        behind.push(returned.unwrap_or_else(|| {
            ClauseKind::Return(Box::new(Projection {
                distinct: false,
                star: false,
                items: as_items(&variables),
                aggregates: false,
                order: Vec::new(),
                skip: None,
                limit: None,
                filter: None,
                span: name_span,
            }))
        }));
    }
    let span = start.span_to(rest);
    let clauses = std::iter::once(ClauseKind::CallProcedure(Box::new(call))).chain(behind);
    let part = SingleQuery {
        clauses: clauses.map(|kind| Clause { kind, span }).collect(),
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

fn variable_of(name: &str, span: Span) -> Variable {
    Variable {
        name: name.into(),
        id: VarId::UNRESOLVED,
        span,
    }
}

fn as_items(variables: &[Variable]) -> Vec<ProjectionItem> {
    let item = |variable: &Variable| ProjectionItem {
        expr: Expr::new(ExprKind::Variable(variable.clone()), variable.span),
        name: variable.name.clone(),
        aliased: false,
        aggregates: false,
        id: VarId::UNRESOLVED,
        span: variable.span,
    };
    variables.iter().map(item).collect()
}
