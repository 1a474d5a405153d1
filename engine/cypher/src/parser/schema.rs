//! Schema statements: indexes, constraints, enums, in Memgraph's and Neo4j's forms.

use nom::Parser;
use nom::branch::alt;
use nom::combinator::{cut, map, opt, value};
use nom::multi::separated_list1;

use super::atom::{atom, variable};
use super::expression::{expression, type_name};
use super::input::{Input, Miss, Parsed, comma_list, ident, named, token, word, words};
use super::subquery::{property_path, property_paths};
use crate::ast::schema::*;
use crate::ast::{Expr, ExprKind, Ident, Literal, LiteralValue, Name, PropertyPath};
use crate::error::{Detail, Error};
use crate::token::TokenKind;

/// A schema statement. Misses at the first words of anything else.
pub(super) fn schema_statement(input: Input<'_>) -> Parsed<'_, SchemaStatement> {
    alt((
        |at| lead(at, "CREATE", create),
        |at| lead(at, "DROP", drop),
        |at| lead(at, "ALTER", alter_enum),
        |at| lead(at, "ANALYZE", analyze),
    ))
    .parse(input)
}

/// Runs `parser` behind a keyword.
fn lead<'a>(
    input: Input<'a>,
    keyword: &'static str,
    parser: fn(Input<'a>) -> Parsed<'a, SchemaStatement>,
) -> Parsed<'a, SchemaStatement> {
    let (at, _) = word(keyword).parse(input)?;
    parser(at)
}

/// Which kind of index, and over what, the words in front of `INDEX` say.
#[derive(Clone, Copy)]
struct IndexWords {
    kind: IndexKind,
    entity: EntityKind,
    global: bool,
}

/// `[GLOBAL] [POINT|TEXT|...] [EDGE] INDEX`, of which `INDEX` must be there.
fn index_words(input: Input<'_>) -> Parsed<'_, IndexWords> {
    let (at, global) = opt(word("GLOBAL")).parse(input)?;
    let kind = alt((
        value(IndexKind::Range, alt((word("RANGE"), word("BTREE")))),
        value(IndexKind::Point, word("POINT")),
        value(IndexKind::Text, word("TEXT")),
        value(IndexKind::Fulltext, word("FULLTEXT")),
        value(IndexKind::Vector, word("VECTOR")),
        value(IndexKind::Lookup, word("LOOKUP")),
    ));
    let (at, kind) = opt(kind).parse(at)?;
    let (at, edge) = opt(word("EDGE")).parse(at)?;
    let (rest, _) = word("INDEX").parse(at)?;
    let entity = if edge.is_some() {
        EntityKind::Relationship
    } else {
        EntityKind::Node
    };
    Ok((
        rest,
        IndexWords {
            kind: kind.unwrap_or(IndexKind::Range),
            entity,
            global: global.is_some(),
        },
    ))
}

fn create(input: Input<'_>) -> Parsed<'_, SchemaStatement> {
    if let Ok((at, words)) = index_words(input) {
        return cut(|at| create_index(input, at, words)).parse(at);
    }
    if let Ok((at, _)) = word("CONSTRAINT").parse(input) {
        return cut(|at| create_constraint(input, at)).parse(at);
    }
    if let Ok((at, _)) = word("ENUM").parse(input) {
        return cut(create_enum).parse(at);
    }
    Err(nom::Err::Error(Miss))
}

/// `[name] [IF NOT EXISTS]`; the words that follow a missing name are not taken for one.
fn name_and_condition(input: Input<'_>) -> Parsed<'_, (Option<Ident>, bool)> {
    let keyword = ["ON", "FOR"]
        .iter()
        .any(|keyword| input.is_word(0, keyword))
        || (input.is_word(0, "IF") && input.is_word(1, "NOT"));
    let (at, name) = match keyword {
        true => (input, None),
        false => map(ident, Some).parse(input)?,
    };
    let (rest, condition) = opt(words(&["IF", "NOT", "EXISTS"])).parse(at)?;
    Ok((rest, (name, condition.is_some())))
}

fn create_index<'a>(
    start: Input<'a>,
    input: Input<'a>,
    words: IndexWords,
) -> Parsed<'a, SchemaStatement> {
    let (at, (name, if_not_exists)) = name_and_condition(input)?;
    let (at, target) = match word("FOR").parse(at) {
        Ok((at, _)) => neo4j_target(at, words)?,
        Err(_) => memgraph_target(at, words)?,
    };
    let (rest, options) = index_options(at)?;
    let span = start.span_to(rest);
    Ok((
        rest,
        SchemaStatement::CreateIndex(Box::new(CreateIndex {
            name,
            if_not_exists,
            target,
            options,
            span,
        })),
    ))
}

/// `WITH CONFIG {...}`, `OPTIONS {...}`, or nothing.
fn index_options(input: Input<'_>) -> Parsed<'_, Option<Expr>> {
    match alt((words(&["WITH", "CONFIG"]), word("OPTIONS"))).parse(input) {
        Ok((at, _)) => map(cut(configuration), Some).parse(at),
        Err(_) => Ok((input, None)),
    }
}

/// A map whose keys may be quoted, as in JSON, or any other expression.
fn configuration(input: Input<'_>) -> Parsed<'_, Expr> {
    if input.kind(0) != TokenKind::LeftBrace || input.kind(1) == TokenKind::RightBrace {
        return expression(input);
    }
    let (at, entries) = comma_list(input.next(), configured)?;
    let (rest, _) = token(TokenKind::RightBrace).parse(at)?;
    Ok((rest, Expr::new(ExprKind::Map(entries), input.span_to(rest))))
}

fn configured(input: Input<'_>) -> Parsed<'_, (Ident, Expr)> {
    let (at, key) = match input.kind(0) {
        TokenKind::String => {
            let (at, key) = atom(input)?;
            match key.kind {
                ExprKind::Literal(Literal {
                    value: LiteralValue::String(name),
                    ..
                }) => (
                    at,
                    Ident {
                        name,
                        span: key.span,
                    },
                ),
                _ => return input.miss("a key"),
            }
        }
        _ => named(input, "a key")?,
    };
    let (at, _) = token(TokenKind::Colon).parse(at)?;
    let (rest, value) = expression(at)?;
    Ok((rest, (key, value)))
}

/// `ON :L(p, q)`, `ON :L`, `ON :(p)`.
fn memgraph_target(input: Input<'_>, words: IndexWords) -> Parsed<'_, IndexTarget> {
    let (at, _) = word("ON").parse(input)?;
    let (at, _) = token(TokenKind::Colon).parse(at)?;
    let (at, labels) = match at.kind(0) {
        TokenKind::LeftParen if words.global || words.entity == EntityKind::Relationship => {
            (at, Vec::new())
        }
        _ => map(|at| named(at, "a label"), |label| vec![label]).parse(at)?,
    };
    let (rest, properties) = match at.kind(0) {
        TokenKind::LeftParen => property_paths(at)?,
        _ => (at, Vec::new()),
    };
    Ok((
        rest,
        IndexTarget {
            kind: words.kind,
            entity: words.entity,
            labels,
            properties,
        },
    ))
}

/// `(n:L|M) ON [EACH] (n.p, ...)`, `()-[r:T]-() ON ...`, behind `FOR`.
fn neo4j_target(input: Input<'_>, words: IndexWords) -> Parsed<'_, IndexTarget> {
    let (at, (entity, owner, labels)) = neo4j_entity(input)?;
    let (at, _) = word("ON").parse(at)?;
    let (at, _) = opt(word("EACH")).parse(at)?;
    let open = alt((token(TokenKind::LeftParen), token(TokenKind::LeftBracket)));
    let close = alt((token(TokenKind::RightParen), token(TokenKind::RightBracket)));
    // `ON EACH labels(n)` of a look-up index names no property.
    if (at.is_word(0, "LABELS") || at.is_word(0, "TYPE")) && at.kind(1) == TokenKind::LeftParen {
        let (rest, _) = (ident, open, variable, close).parse(at)?;
        let target = IndexTarget {
            kind: IndexKind::Lookup,
            entity,
            labels,
            properties: Vec::new(),
        };
        return Ok((rest, target));
    }
    let (rest, properties) = match at.kind(0) {
        TokenKind::LeftParen | TokenKind::LeftBracket => {
            let (rest, (_, properties, _)) =
                (open, |at| owned_paths(at, &owner), close).parse(at)?;
            (rest, properties)
        }
        _ => map(|at| owned_path(at, &owner), |path| vec![path]).parse(at)?,
    };
    Ok((
        rest,
        IndexTarget {
            kind: words.kind,
            entity,
            labels,
            properties,
        },
    ))
}

/// `(n:L)` or `()-[r:T]-()` with any arrow; several labels with `|`.
fn neo4j_entity(input: Input<'_>) -> Parsed<'_, (EntityKind, Name, Vec<Ident>)> {
    let labelled = |input| {
        let (at, owner) = variable(input)?;
        let (rest, labels) = match token(TokenKind::Colon).parse(at) {
            Ok((at, _)) => separated_list1(token(TokenKind::Bar), ident).parse(at)?,
            Err(_) => (at, Vec::new()),
        };
        Ok((rest, (owner.name, labels)))
    };
    let (at, _) = token(TokenKind::LeftParen).parse(input)?;
    if let Ok((at, _)) = token(TokenKind::RightParen).parse(at) {
        let (at, _) = (
            opt(token(TokenKind::Less)),
            token(TokenKind::Minus),
            token(TokenKind::LeftBracket),
        )
            .parse(at)?;
        let (at, (owner, labels)) = labelled(at)?;
        let (at, _) = (
            token(TokenKind::RightBracket),
            token(TokenKind::Minus),
            opt(token(TokenKind::Greater)),
        )
            .parse(at)?;
        let (rest, _) = (token(TokenKind::LeftParen), token(TokenKind::RightParen)).parse(at)?;
        return Ok((rest, (EntityKind::Relationship, owner, labels)));
    }
    let (at, (owner, labels)) = labelled(at)?;
    let (rest, _) = token(TokenKind::RightParen).parse(at)?;
    Ok((rest, (EntityKind::Node, owner, labels)))
}

/// `n.p.q`, without the variable, which has to be the owner's.
fn owned_path<'a>(input: Input<'a>, owner: &Name) -> Parsed<'a, PropertyPath> {
    let (rest, (found, _, path)) = (variable, token(TokenKind::Dot), property_path).parse(input)?;
    if found.name != *owner {
        let message = format!(
            "`{}` is not defined here: the pattern names `{owner}`",
            found.name
        );
        return input.fail(Error::syntax(
            Detail::UndefinedVariable,
            found.span,
            message,
        ));
    }
    Ok((rest, path))
}

fn owned_paths<'a>(input: Input<'a>, owner: &Name) -> Parsed<'a, Vec<PropertyPath>> {
    comma_list(input, |at| owned_path(at, owner))
}

fn create_constraint<'a>(start: Input<'a>, input: Input<'a>) -> Parsed<'a, SchemaStatement> {
    let (at, (name, if_not_exists)) = name_and_condition(input)?;
    let (at, neo4j) = alt((value(false, word("ON")), value(true, word("FOR")))).parse(at)?;
    let (at, target) = constraint(start, at)?;
    let (rest, options) = match neo4j {
        true => index_options(at)?,
        false => (at, None),
    };
    let constraint = CreateConstraint {
        name,
        if_not_exists,
        target,
        options,
    };
    Ok((
        rest,
        SchemaStatement::CreateConstraint(Box::new(constraint)),
    ))
}

/// What stands behind `ON` or `FOR`: the entity, `ASSERT` or `REQUIRE`, the rule.
fn constraint<'a>(start: Input<'a>, input: Input<'a>) -> Parsed<'a, ConstraintTarget> {
    let (at, (entity, owner, labels)) = neo4j_entity(input)?;
    let Some(label) = labels.into_iter().next() else {
        return at.miss("a label");
    };
    let (at, _) = alt((word("ASSERT"), word("REQUIRE"))).parse(at)?;
    let (rest, (properties, rule)) = match word("EXISTS").parse(at) {
        Ok((at, _)) => {
            let (rest, properties) = constraint_properties(at, &owner)?;
            (rest, (properties, ConstraintRule::Exists))
        }
        Err(_) => {
            let (at, properties) = constraint_properties(at, &owner)?;
            let (rest, rule) = constraint_rule(at)?;
            (rest, (properties, rule))
        }
    };
    Ok((
        rest,
        ConstraintTarget {
            entity,
            label,
            properties,
            rule,
            span: start.span_to(rest),
        },
    ))
}

fn constraint_rule(input: Input<'_>) -> Parsed<'_, ConstraintRule> {
    let (at, _) = word("IS").parse(input)?;
    if let Ok((at, _)) = alt((token(TokenKind::DoubleColon), word("TYPED"))).parse(at) {
        let (rest, (name, _)) = type_name(at)?;
        let span = at.span_to(rest);
        return Ok((rest, ConstraintRule::Typed(Ident { name, span })));
    }
    let owner = || alt((word("NODE"), word("RELATIONSHIP"), word("REL")));
    alt((
        value(ConstraintRule::Exists, words(&["NOT", "NULL"])),
        value(ConstraintRule::Key, (opt(owner()), word("KEY"))),
        value(ConstraintRule::Unique, (opt(owner()), word("UNIQUE"))),
    ))
    .parse(at)
}

/// `n.p`, `n.p, n.q` or `(n.p, n.q)`.
fn constraint_properties<'a>(input: Input<'a>, owner: &Name) -> Parsed<'a, Vec<Ident>> {
    let (at, open) = opt(token(TokenKind::LeftParen)).parse(input)?;
    let (at, paths) = owned_paths(at, owner)?;
    let at = match open {
        Some(_) => token(TokenKind::RightParen).parse(at)?.0,
        None => at,
    };
    let mut properties = Vec::with_capacity(paths.len());
    for mut path in paths {
        if path.len() > 1 {
            let span = path[0].span.to(path[path.len() - 1].span);
            let message = "a constraint cannot be on a property within a map";
            return input.fail(Error::syntax(Detail::UnexpectedSyntax, span, message));
        }
        properties.append(&mut path);
    }
    Ok((at, properties))
}

fn drop(input: Input<'_>) -> Parsed<'_, SchemaStatement> {
    if let Ok((at, words)) = index_words(input) {
        return cut(|at| drop_index(input, at, words)).parse(at);
    }
    if let Ok((at, _)) = word("CONSTRAINT").parse(input) {
        return cut(|at| drop_constraint(input, at)).parse(at);
    }
    alt((
        value(SchemaStatement::DropAllIndexes, words(&["ALL", "INDEXES"])),
        value(
            SchemaStatement::DropAllConstraints,
            words(&["ALL", "CONSTRAINTS"]),
        ),
        value(SchemaStatement::DropGraph, word("GRAPH")),
        map((word("ENUM"), cut(ident)), |(_, name)| {
            SchemaStatement::DropEnum { name }
        }),
    ))
    .parse(input)
}

fn drop_index<'a>(
    start: Input<'a>,
    input: Input<'a>,
    words: IndexWords,
) -> Parsed<'a, SchemaStatement> {
    if input.is_word(0, "ON") && input.kind(1) == TokenKind::Colon {
        let (at, target) = memgraph_target(input, words)?;
        let (rest, options) = index_options(at)?;
        let drop = DropIndex {
            target,
            options,
            span: start.span_to(rest),
        };
        return Ok((rest, SchemaStatement::DropIndex(Box::new(drop))));
    }
    let (at, name) = ident(input)?;
    let (rest, if_exists) = opt(nom::Parser::map(words_if_exists(), |_| ())).parse(at)?;
    let plain = start.is_word(0, "INDEX");
    let kind = if plain { None } else { Some(words.kind) };
    Ok((
        rest,
        SchemaStatement::DropIndexByName {
            kind,
            name,
            if_exists: if_exists.is_some(),
        },
    ))
}

fn words_if_exists<'a>() -> impl Parser<Input<'a>, Output = crate::span::Span, Error = Miss> {
    words(&["IF", "EXISTS"])
}

fn drop_constraint<'a>(start: Input<'a>, input: Input<'a>) -> Parsed<'a, SchemaStatement> {
    if input.is_word(0, "ON") && input.kind(1) == TokenKind::LeftParen {
        return map(
            |at| constraint(start, at),
            |target| SchemaStatement::DropConstraint(Box::new(target)),
        )
        .parse(input.next());
    }
    let (at, name) = ident(input)?;
    let (rest, if_exists) = opt(words_if_exists()).parse(at)?;
    Ok((
        rest,
        SchemaStatement::DropConstraintByName {
            name,
            if_exists: if_exists.is_some(),
        },
    ))
}

fn analyze(input: Input<'_>) -> Parsed<'_, SchemaStatement> {
    let (at, _) = word("GRAPH").parse(input)?;
    let (at, labels) = match words(&["ON", "LABELS"]).parse(at) {
        Ok((at, _)) if at.kind(0) == TokenKind::Star => (at.next(), None),
        Ok((at, _)) => {
            let label = |at| {
                let (at, _) = token(TokenKind::Colon).parse(at)?;
                named(at, "a label")
            };
            map(|at| comma_list(at, label), Some).parse(at)?
        }
        Err(_) => (at, None),
    };
    let (rest, delete) = opt(words(&["DELETE", "STATISTICS"])).parse(at)?;
    Ok((
        rest,
        SchemaStatement::AnalyzeGraph {
            labels,
            delete: delete.is_some(),
        },
    ))
}

fn create_enum(input: Input<'_>) -> Parsed<'_, SchemaStatement> {
    let (at, (name, _, _)) = (ident, word("VALUES"), token(TokenKind::LeftBrace)).parse(input)?;
    let (at, values) = comma_list(at, ident)?;
    let (rest, _) = token(TokenKind::RightBrace).parse(at)?;
    Ok((rest, SchemaStatement::CreateEnum { name, values }))
}

fn alter_enum(input: Input<'_>) -> Parsed<'_, SchemaStatement> {
    let (at, (_, name)) = (word("ENUM"), ident).parse(input)?;
    let adding = map((words(&["ADD", "VALUE"]), ident), |(_, value)| {
        (None, Some(value))
    });
    let removing = map((words(&["REMOVE", "VALUE"]), ident), |(_, value)| {
        (Some(value), None)
    });
    let updating = map(
        (words(&["UPDATE", "VALUE"]), ident, word("TO"), ident),
        |(_, from, _, to)| (Some(from), Some(to)),
    );
    let (rest, change) = cut(alt((adding, removing, updating))).parse(at)?;
    Ok((
        rest,
        match change {
            (Some(from), Some(to)) => SchemaStatement::UpdateEnumValue { name, from, to },
            (Some(value), None) => SchemaStatement::RemoveEnumValue { name, value },
            (None, Some(value)) => SchemaStatement::AddEnumValue { name, value },
            (None, None) => return at.miss("a value"),
        },
    ))
}
