//! Statements that are queries over a procedure: `SHOW ...` as Neo4j has it, with a kind, `YIELD`, `WHERE` or `RETURN`; `SHOW SCHEMA INFO`
//! and `DUMP DATABASE`.
//!
//! Such a statement is a call of the procedure that lists what is shown, with what follows. So conditions, order and results are those
//! of every query, and rows are made as they are fetched. What Memgraph has in columns of its own is an admin statement without any of
//! Neo4j's words, or with `INFO`.

use nom::Parser;
use nom::branch::alt;
use nom::combinator::{cut, map, opt, value};

use super::atom::optional_where;
use super::clause::{clause, yield_item};
use super::input::{Input, Miss, Parsed, comma_list, word, words};
use super::projection::ordered_and_cut;
use crate::ast::show::{self, Shown};
use crate::ast::*;
use crate::span::Span;
use crate::token::TokenKind;

/// What a statement asks for.
struct Listing {
    shown: &'static Shown,
    /// The kinds asked for, as the procedure takes them; `None` if it takes none.
    kinds: Option<&'static [&'static str]>,
    /// Whether it is a query without any further word.
    is_query: bool,
}

/// The statement. Misses at Memgraph's forms.
pub(super) fn shown_by_query(input: Input<'_>) -> Parsed<'_, Query> {
    if let Ok((at, _)) = words(&["DUMP", "DATABASE"]).parse(input) {
        let dump = Listing {
            shown: &show::DUMP_DATABASE,
            kinds: None,
            is_query: true,
        };
        return listing(at, input, &dump);
    }
    let (at, _) = word("SHOW").parse(input)?;
    let (at, asked) = alt((
        shown_indexes,
        shown_constraints,
        shown_callables,
        shown_by_server,
    ))
    .parse(at)?;
    if !asked.is_query && !at.is_word(0, "YIELD") && !at.is_word(0, "WHERE") {
        return Err(nom::Err::Error(Miss));
    }
    cut(|at| listing(at, input, &asked)).parse(at)
}

fn shown_indexes(input: Input<'_>) -> Parsed<'_, Listing> {
    let kind = alt((
        value(&[][..], word("ALL")),
        value(&["RANGE"][..], word("RANGE")),
        value(&["LOOKUP"][..], word("LOOKUP")),
        value(&["TEXT"][..], word("TEXT")),
        value(&["POINT"][..], word("POINT")),
        value(&["FULLTEXT"][..], word("FULLTEXT")),
    ));
    let (at, kinds) = opt(kind).parse(input)?;
    let (rest, _) = alt((word("INDEXES"), word("INDEX"))).parse(at)?;
    let asked = Listing {
        shown: &show::INDEXES,
        kinds: Some(kinds.unwrap_or_default()),
        is_query: !rest.is_word(0, "INFO"),
    };
    Ok((rest, asked))
}

/// `SHOW [ALL|BUILT IN|USER DEFINED] FUNCTIONS [EXECUTABLE [BY CURRENT USER]]`, `SHOW PROCEDURES [EXECUTABLE ...]`.
fn shown_callables(input: Input<'_>) -> Parsed<'_, Listing> {
    let kind = alt((
        value(&[][..], word("ALL")),
        value(&["BUILT IN"][..], words(&["BUILT", "IN"])),
        value(&["USER DEFINED"][..], words(&["USER", "DEFINED"])),
    ));
    let functions = map(
        (opt(kind), alt((word("FUNCTIONS"), word("FUNCTION")))),
        |(kinds, _)| (&show::FUNCTIONS, kinds.unwrap_or_default()),
    );
    let procedures = map(alt((word("PROCEDURES"), word("PROCEDURE"))), |_| {
        (&show::PROCEDURES, &[][..])
    });
    let (at, (shown, kinds)) = alt((functions, procedures)).parse(input)?;
    let executable = (word("EXECUTABLE"), opt(words(&["BY", "CURRENT", "USER"])));
    let (rest, _) = opt(executable).parse(at)?;
    let asked = Listing {
        shown,
        kinds: Some(kinds),
        is_query: true,
    };
    Ok((rest, asked))
}

fn shown_by_server(input: Input<'_>) -> Parsed<'_, Listing> {
    let (rest, (shown, is_query)) = alt((
        value((&show::SCHEMA_INFO, true), words(&["SCHEMA", "INFO"])),
        value(
            (&show::TRANSACTIONS, false),
            alt((word("TRANSACTIONS"), word("TRANSACTION"))),
        ),
        value(
            (&show::DATABASES, false),
            alt((word("DATABASES"), word("DATABASE"))),
        ),
        // Neo4j's alone; there is one database, which is both.
        value(
            (&show::DATABASES, true),
            (alt((word("DEFAULT"), word("HOME"))), word("DATABASE")),
        ),
        value(
            (&show::SETTINGS, false),
            alt((word("SETTINGS"), word("SETTING"))),
        ),
    ))
    .parse(input)?;
    let asked = Listing {
        shown,
        kinds: None,
        is_query,
    };
    Ok((rest, asked))
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

fn shown_constraints(input: Input<'_>) -> Parsed<'_, Listing> {
    let (at, kinds) = opt(alt((value(&[][..], word("ALL")), |at| {
        constraint_types(at)
    })))
    .parse(input)?;
    let (rest, _) = alt((word("CONSTRAINTS"), word("CONSTRAINT"))).parse(at)?;
    let asked = Listing {
        shown: &show::CONSTRAINTS,
        kinds: Some(kinds.unwrap_or_default()),
        is_query: !rest.is_word(0, "INFO"),
    };
    Ok((rest, asked))
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
fn listing<'a>(input: Input<'a>, start: Input<'a>, asked: &Listing) -> Parsed<'a, Query> {
    let Listing { shown, kinds, .. } = asked;
    let name_span = start.span_to(input);
    let named = |name: &&str| {
        let output = Ident {
            name: (*name).into(),
            span: name_span,
        };
        (output, variable_of(name, name_span))
    };
    let all = || shown.columns.iter().map(named).collect();
    let default = &shown.columns[..shown.default_columns];
    let (at, items) = match word("YIELD").parse(input) {
        Ok((at, _)) if at.kind(0) == TokenKind::Star => (at.next(), all()),
        Ok((at, _)) => comma_list(at, yield_item)?,
        Err(_) => (input, default.iter().map(named).collect()),
    };
    let (at, cut) = ordered_and_cut(at)?;
    let (at, filter) = optional_where(at)?;
    let variables: Vec<Variable> = items.iter().map(|(_, variable)| variable.clone()).collect();
    let kinds = kinds.map(|kinds| {
        let kinds = kinds.iter().map(|kind| {
            let literal = Literal {
                value: LiteralValue::String((*kind).into()),
                extracted: None,
            };
            Expr::new(ExprKind::Literal(literal), name_span)
        });
        Expr::new(ExprKind::List(kinds.collect()), name_span)
    });
    let mut call = CallProcedure {
        optional: false,
        name: shown.procedure.into(),
        name_span,
        args: Some(kinds.into_iter().collect()),
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
