//! Depth, size and stack: a hundred levels of anything work, a thousand are refused, and neither needs more than a small stack,
//! be it to parse, check, print, copy or drop.

use std::thread;

use quoit_cypher::check::{NoProcedures, check};
use quoit_cypher::error::Detail;
use quoit_cypher::parser::parse;
use quoit_cypher::token::QUERY_BYTES_MAX;

/// The stack that each test has: with optimisation a fraction of any thread's, without it (frames are several times as large then) what
/// a thread gets by default.
const STACK_BYTES: usize = if cfg!(debug_assertions) {
    2 << 20
} else {
    512 << 10
};

fn on_small_stack(body: impl FnOnce() + Send + 'static) {
    thread::Builder::new()
        .stack_size(STACK_BYTES)
        .spawn(body)
        .expect("a thread starts")
        .join()
        .expect("the body does not panic");
}

/// What is nested: head, what opens and closes a level, the core, the tail.
const NESTED: &[(&str, &str, &str, &str, &str)] = &[
    ("RETURN ", "(", "1", ")", " AS x"),
    ("RETURN ", "[", "1", "]", " AS x"),
    ("RETURN ", "{a: ", "1", "}", " AS x"),
    ("RETURN ", "abs(", "1", ")", " AS x"),
    ("RETURN ", "NOT ", "true", "", " AS x"),
    ("RETURN ", "- ", "1", "", " AS x"),
    ("RETURN ", "1 + (", "1", ")", " AS x"),
    ("RETURN ", "1 OR 2 = 3 + 4 * (", "1", ")", " AS x"),
    ("RETURN ", "CASE WHEN true THEN ", "1", " END", " AS x"),
    ("RETURN ", "[x IN ", "[1]", " WHERE true | x]", " AS x"),
    ("RETURN ", "reduce(a = 1, x IN [2] | ", "1", ")", " AS x"),
    ("RETURN ", "all(x IN [1] WHERE ", "true", ")", " AS x"),
    ("WITH {a: 1} AS x RETURN ", "", "x", ".a", " AS y"),
    ("WITH [1] AS x RETURN ", "", "x", "[0]", " AS y"),
    ("WITH 1 AS x RETURN ", "", "x", " IS NULL", " AS y"),
    ("MATCH (a) RETURN ", "[(a)-->(b) | ", "1", "]", " AS x"),
    (
        "MATCH (a) RETURN ",
        "EXISTS { MATCH (a) WHERE ",
        "true",
        " }",
        " AS x",
    ),
    (
        "MATCH (a) RETURN ",
        "COUNT { (a) WHERE 1 = ",
        "1",
        " }",
        " AS x",
    ),
    ("", "CALL { ", "CREATE (a)", " }", ""),
    ("", "FOREACH (x IN [1] | ", "CREATE (a)", " )", ""),
    ("MATCH (a:", "(", "L", ")", ") RETURN a"),
    ("MATCH (a:", "!", "L", "", ") RETURN a"),
    ("MATCH ", "(", "(a)-->(b)", ")", " RETURN 1"),
    ("MATCH ", "(", "(a)-->(b)", " WHERE true)", " RETURN 1"),
    ("RETURN 1 IS :: ", "LIST<", "INTEGER", ">", " AS x"),
    ("RETURN 1 IS :: ", "", "INTEGER", " LIST", " AS x"),
    ("MATCH ()-[r:", "(", "A", ")", "]->() RETURN 1"),
    (
        "WITH {a: 1} AS x MATCH ()-[*..",
        "",
        "x",
        ".a",
        "]->() RETURN 1",
    ),
    (
        "",
        "CREATE TRIGGER t AFTER COMMIT EXECUTE ",
        "CREATE (a)",
        "",
        "",
    ),
];

fn nested(which: &(&str, &str, &str, &str, &str), depth: usize) -> String {
    let (head, open, core, close, tail) = which;
    format!(
        "{head}{}{core}{}{tail}",
        open.repeat(depth),
        close.repeat(depth)
    )
}

#[test]
fn a_hundred_levels_of_anything_are_parsed_checked_printed_and_copied_on_a_small_stack() {
    for which in NESTED {
        let text = nested(which, 100);
        on_small_stack(move || {
            let tree = parse(&text).unwrap_or_else(|error| panic!("{text}\n{error:?}"));
            // Types may not fit (a map within a map is no map for long); what counts is that it ends.
            let _ = check(tree.clone(), &NoProcedures);
            assert!(tree == tree.clone());
            assert!(!format!("{tree:?}").is_empty());
        });
    }
}

#[test]
fn a_thousand_levels_of_anything_and_a_text_full_of_them_are_refused() {
    for which in NESTED {
        let level = (which.1.len() + which.3.len()).max(1);
        for depth in [1_000, 20_000, (QUERY_BYTES_MAX - 100) / level] {
            let text = nested(which, depth);
            let start = text[..40.min(text.len())].to_string();
            on_small_stack(move || {
                let error = parse(&text).expect_err(&start);
                assert_eq!(error.detail(), Detail::NestingTooDeep, "{start} {error:?}");
            });
        }
    }
}

#[test]
fn brackets_that_never_close_are_refused() {
    for open in [
        "(",
        "[",
        "{",
        "{a: ",
        "(a)-[",
        "CASE WHEN ",
        "MATCH (a) WHERE (",
        "RETURN [(a)-->(",
    ] {
        let text = open.repeat(200_000 / open.len());
        on_small_stack(move || {
            parse(&text).expect_err("nothing closes");
            parse(&format!("RETURN {text}")).expect_err("nothing closes");
        });
    }
}

#[test]
fn long_chains_of_operators_are_not_deep() {
    for chain in [
        " + 1",
        " AND true",
        " OR false",
        " * 2",
        " < 3",
        " XOR true",
    ] {
        let text = format!("RETURN 1{} AS x", chain.repeat(20_000));
        on_small_stack(move || {
            let tree = parse(&text).expect("a chain is flat");
            assert_eq!(tree.clone(), tree);
        });
    }
}

#[test]
fn long_lists_of_things_are_no_problem() {
    let texts = [
        format!("RETURN [{}1] AS x", "1, ".repeat(200_000)),
        format!(
            "CREATE {}(z)",
            (0..50_000).map(|n| format!("(n{n}), ")).collect::<String>()
        ),
        format!("{}RETURN 1 AS x", "CREATE () ".repeat(50_000)),
        format!("RETURN 1 AS a{}", " UNION ALL RETURN 1 AS a".repeat(20_000)),
        format!("RETURN '{}' AS x", "x".repeat(1_000_000)),
        format!("MATCH (a){} RETURN a", "-->()".repeat(100_000)),
        format!("MATCH (a){} RETURN a", "(()-->())+".repeat(50_000)),
        format!("MATCH (a){} RETURN a", "-->{1,2}()".repeat(50_000)),
        format!(
            "MATCH SHORTEST 2 GROUPS ((a){} WHERE true) RETURN a",
            "(()-->()){2,}()".repeat(50_000)
        ),
        format!(
            "MATCH (()-->() WHERE true{})+ RETURN 1",
            " AND true".repeat(50_000)
        ),
        format!("MATCH ()-[r:A{}]->() RETURN r", "|!B&C".repeat(50_000)),
        format!("RETURN 1 IS :: INTEGER{} AS x", " | FLOAT".repeat(50_000)),
        format!(
            "RETURN DISTINCT {}1 AS z ORDER BY {}1",
            (0..20_000)
                .map(|n| format!("{n} + 1 AS c{n}, "))
                .collect::<String>(),
            "2 + 1, ".repeat(20_000)
        ),
    ];
    for text in texts {
        on_small_stack(move || {
            let tree = parse(&text).unwrap_or_else(|error| panic!("{error:?}"));
            check(tree, &NoProcedures).unwrap_or_else(|error| panic!("{error:?}"));
        });
    }
}

#[test]
fn a_text_above_the_limit_is_refused_before_anything_else() {
    let error = parse(&"(".repeat(QUERY_BYTES_MAX + 1)).unwrap_err();
    assert_eq!(error.detail(), Detail::QueryTooLarge);
}
