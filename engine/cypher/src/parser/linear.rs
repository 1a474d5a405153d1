//! Linear time, counted: of a text four times as long no more than four times as many tokens are looked at, whatever is repeated in it,
//! and whether it is a query or not.

use super::input::Context;
use super::{expression, statement};
use crate::token::tokenize;

/// A piece that is repeated, between two others.
const REPEATED: &[(&str, &str, &str)] = &[
    ("RETURN ", "1 + ", "1"),
    ("RETURN ", "NOT ", "true"),
    ("RETURN ", "- ", "1"),
    ("RETURN 1", " < 2", ""),
    ("RETURN 1", " ^ 2", ""),
    ("RETURN 1", " IS NULL", ""),
    ("RETURN 1", " IN [1]", ""),
    ("RETURN [", "1, ", "1]"),
    ("RETURN {", "a: 1, ", "b: 2}"),
    ("RETURN ", "[", ""),
    ("RETURN ", "(", "1"),
    ("RETURN ", "{a: ", "1"),
    ("RETURN ", "[x IN ", "1"),
    ("RETURN ", "[(a)-->(b) | ", "1"),
    ("RETURN ", "CASE WHEN ", "1"),
    ("RETURN ", "all(x IN ", "1"),
    ("RETURN ", "f(", "1"),
    ("RETURN ", "EXISTS { MATCH (a) WHERE ", "1"),
    ("RETURN n", ".a", ""),
    ("RETURN n", "[0]", ""),
    ("RETURN n", "[0..1]", ""),
    ("RETURN n", ":A", ""),
    ("RETURN n {", ".a, ", ".*}"),
    ("RETURN ", "(a) OR b = (c) AND ", "d"),
    ("RETURN ", "(a)-[r]->(b) AND ", "d"),
    ("RETURN ", "((a)) + ", "d"),
    ("MATCH (a)", "-->(b)", " RETURN a"),
    ("MATCH (a)", "-[:A|B*1..2 {x: 1}]-(b:C&!D)", " RETURN a"),
    ("MATCH (a)", ", p = (b {x: 1})", " RETURN a"),
    ("MATCH (a) WHERE (a)", "--(b)", " RETURN a"),
    ("MATCH (a:", "A|", "B) RETURN a"),
    ("MATCH (a:", "(", "A) RETURN a"),
    ("MATCH (a:", "!", "A) RETURN a"),
    ("MATCH ", "(a", ""),
    ("MATCH (a)", "-[", ""),
    (
        "MATCH (a) ",
        "WITH a WHERE a.x = 1 ORDER BY a LIMIT 1 ",
        "RETURN a",
    ),
    ("MATCH (a) ", "SET a.x = 1, a:B ", ""),
    ("MATCH (a) ", "OPTIONAL MATCH (a)--(b) ", "RETURN a"),
    ("", "CREATE (:A {x: 1})-[:R]->(:B) ", ""),
    ("", "MERGE (a {x: 1}) ON CREATE SET a.y = 1 ", ""),
    ("", "CALL { ", "RETURN 1 AS a"),
    ("", "CALL { WITH 1 AS a RETURN a } ", "RETURN a"),
    ("MATCH (a) ", "FOREACH (x IN [1] | ", "SET a.x = 1"),
    ("", "UNWIND [1] AS x ", "RETURN x"),
    ("RETURN 1 AS a", " UNION RETURN 1 AS a", ""),
    ("RETURN CASE", " WHEN 1 THEN 2", " END"),
    ("RETURN ", "`a` + ", "'b'"),
    ("RETURN [x IN ", "(a)-[b]-(c) | ", "]"),
    ("RETURN reduce(a = ", "1 | ", ")"),
    ("", "(", ""),
    ("", ") ", ""),
    ("", "RETURN ", ""),
    ("", "MATCH ", ""),
];

/// Tokens looked at to parse a text, and tokens there are.
fn looks(text: &str) -> (u64, u64) {
    let tokens = tokenize(text).expect("these texts are tokens");
    let context = Context::new(text, &tokens, &[]);
    let _ = context.run(statement::statement);
    let counted = context.looks.get();
    // What is no statement may be an expression in its place: the same holds.
    let context = Context::new(text, &tokens, &[]);
    let _ = context.run(expression::expression);
    (counted.max(context.looks.get()), tokens.len() as u64)
}

#[test]
fn a_text_four_times_as_long_is_looked_at_four_times_as_often() {
    for (head, piece, tail) in REPEATED {
        let of = |times: usize| looks(&format!("{head}{}{tail}", piece.repeat(times)));
        let ((short, tokens), (long, more)) = (of(250), of(1_000));
        assert!(
            long <= short * 4 + 1_000,
            "{head} {piece}..: {short} looks at {tokens} tokens, {long} at {more}"
        );
    }
}

#[test]
fn no_token_of_a_nested_text_is_looked_at_much_oftener_than_of_a_flat_one() {
    for (head, piece, tail) in REPEATED {
        for depth in [1, 2, 4, 8, 16, 32, 64, 120] {
            let (looks, tokens) = looks(&format!("{head}{}{tail}", piece.repeat(depth)));
            assert!(
                looks <= tokens * 50,
                "{head} {piece}.. {depth} times: {looks} looks at {tokens} tokens"
            );
        }
    }
}
