//! Names of value types: `INTEGER NOT NULL`, `LIST<INTEGER | STRING>`, `ZONED DATETIME`.
//!
//! Called behind `::` and `IS TYPED`. What always holds: in a union either every member takes null or none does, since a value
//! that is null could not be told to be of one of them otherwise.

use nom::Parser;
use nom::branch::alt;
use nom::combinator::{opt, value};

use super::input::{Input, Parsed, token, word, words};
use crate::ast::{TypeMember, TypeName, TypeUnion};
use crate::error::{Detail, Error};
use crate::token::TokenKind;

/// Whether the words here name a type, so that `x :: INTEGER` asks for the type of a variable and `E::A` is a value of an enum.
pub(super) fn names_type(input: Input<'_>) -> bool {
    let words = ["LIST", "ARRAY", "TIME", "TIMESTAMP", "ANY"];
    named_type(input).is_some() || words.iter().any(|word| input.is_word(0, word))
}

/// A type or a union of types.
pub(super) fn type_union(input: Input<'_>) -> Parsed<'_, TypeUnion> {
    input.nested(union)
}

#[inline(never)]
fn union(input: Input<'_>) -> Parsed<'_, TypeUnion> {
    let mut members = Vec::new();
    let mut at = input;
    loop {
        at = member(at, &mut members)?.0;
        match at.kind(0) {
            TokenKind::Bar => at = at.next(),
            _ => break,
        }
    }
    let nullable = members[0].nullable;
    if members.iter().any(|member| member.nullable != nullable) {
        let message = "in a union either all types take null or all are `NOT NULL`";
        return input.fail(
            Error::syntax(Detail::UnexpectedSyntax, input.span_to(at), message)
                .hint("write `NOT NULL` behind each of the types"),
        );
    }
    Ok((at, TypeUnion { members }))
}

/// One member with what follows it; `ANY<A | B>` gives several.
#[inline(never)]
fn member<'a>(input: Input<'a>, members: &mut Vec<TypeMember>) -> Parsed<'a, ()> {
    let any = alt((words(&["ANY", "VALUE"]), word("ANY")));
    if let Ok((at, _)) = (any, token(TokenKind::Less)).parse(input) {
        let (at, inner) = type_union(at)?;
        let (rest, _) = token(TokenKind::Greater).parse(at)?;
        members.extend(inner.members);
        return Ok((rest, ()));
    }
    let list = alt((word("LIST"), word("ARRAY")));
    let (mut at, name) = match (list, token(TokenKind::Less)).parse(input) {
        Ok((at, _)) => {
            let (at, inner) = type_union(at)?;
            let (rest, _) = token(TokenKind::Greater).parse(at)?;
            (rest, TypeName::List(Box::new(inner)))
        }
        Err(_) => simple(input)?,
    };
    let mut member = TypeMember {
        name,
        nullable: true,
    };
    loop {
        let not_null = alt((words(&["NOT", "NULL"]), token(TokenKind::Bang)));
        let (rest, not_null) = opt(not_null).parse(at)?;
        member.nullable = not_null.is_none();
        let Ok((rest, _)) = alt((word("LIST"), word("ARRAY"))).parse(rest) else {
            members.push(member);
            return Ok((rest, ()));
        };
        // Each suffix puts what stands before it one level deeper.
        at = rest.deepen()?.0;
        let inner = TypeUnion {
            members: vec![member],
        };
        member = TypeMember {
            name: TypeName::List(Box::new(inner)),
            nullable: true,
        };
    }
}

fn simple(input: Input<'_>) -> Parsed<'_, TypeName> {
    let with_zone = || {
        alt((
            value(true, words(&["WITH", "TIMEZONE"])),
            value(true, words(&["WITH", "TIME", "ZONE"])),
            value(false, words(&["WITHOUT", "TIMEZONE"])),
            value(false, words(&["WITHOUT", "TIME", "ZONE"])),
        ))
    };
    if let Ok((at, _)) = word("TIME").parse(input) {
        return with_zone()
            .map(|zoned| match zoned {
                true => TypeName::ZonedTime,
                false => TypeName::LocalTime,
            })
            .parse(at);
    }
    if let Ok((at, _)) = word("TIMESTAMP").parse(input) {
        return with_zone()
            .map(|zoned| match zoned {
                true => TypeName::ZonedDateTime,
                false => TypeName::LocalDateTime,
            })
            .parse(at);
    }
    let found = named_type(input);
    match found {
        Some((length, name)) => Ok((input.skip(length), name)),
        None => input.miss("a type"),
    }
}

/// The type that the words here name, and how many words it has.
fn named_type(input: Input<'_>) -> Option<(u32, TypeName)> {
    use TypeName::*;
    let is = |at: u32, word: &str| input.is_word(at, word);
    let any = u32::from(is(0, "ANY"));
    for (word, name) in [
        ("NODE", Node),
        ("VERTEX", Node),
        ("RELATIONSHIP", Relationship),
        ("EDGE", Relationship),
        ("MAP", Map),
    ] {
        if is(any, word) {
            return Some((any + 1, name));
        }
    }
    if is(any, "PROPERTY") && is(any + 1, "VALUE") {
        return Some((any + 2, PropertyValue));
    }
    if any == 1 {
        return Some((1 + u32::from(is(1, "VALUE")), Any));
    }
    for (first, second, name) in [
        ("SIGNED", "INTEGER", Integer),
        ("LOCAL", "TIME", LocalTime),
        ("ZONED", "TIME", ZonedTime),
        ("LOCAL", "DATETIME", LocalDateTime),
        ("ZONED", "DATETIME", ZonedDateTime),
    ] {
        if is(0, first) && is(1, second) {
            return Some((2, name));
        }
    }
    for (word, name) in [
        ("NOTHING", Nothing),
        ("NULL", Null),
        ("BOOLEAN", Boolean),
        ("BOOL", Boolean),
        ("INTEGER", Integer),
        ("INT", Integer),
        ("FLOAT", Float),
        ("STRING", String),
        ("VARCHAR", String),
        ("DATE", Date),
        ("LOCALTIME", LocalTime),
        ("LOCALDATETIME", LocalDateTime),
        ("ZONEDDATETIME", ZonedDateTime),
        ("DURATION", Duration),
        ("POINT", Point),
        ("PATHS", Path),
        ("PATH", Path),
    ] {
        if is(0, word) {
            return Some((1, name));
        }
    }
    None
}
