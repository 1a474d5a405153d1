//! Depth of what is run: a hundred levels of an expression or a clause are planned and answered rightly, and so are a thousand clauses one
//! behind the other; a thousand levels are refused with a place, and what needs more operators than may stand on one another by name.

mod db;

use std::thread;

use db::Db;
use quoit_cypher::error::{Detail, Error};
use quoit_graph::value::Value;
use quoit_query::Parameters;

/// The stack of each test: a quarter of what a core's thread has.
const STACK_BYTES: usize = 64 << 20;

const LEVELS: usize = 100;
const LEVELS_REFUSED: usize = 1_000;

fn on_stack(body: impl FnOnce() + Send + 'static) {
    thread::Builder::new()
        .stack_size(STACK_BYTES)
        .spawn(body)
        .expect("a thread starts")
        .join()
        .expect("the body does not panic");
}

/// What is nested in a query that gives one row of one integer.
struct Nested {
    head: &'static str,
    open: &'static str,
    core: &'static str,
    close: &'static str,
    tail: &'static str,
    /// What a hundred levels give.
    answer: i64,
}

impl Nested {
    fn text(&self, levels: usize) -> String {
        let (open, close) = (self.open.repeat(levels), self.close.repeat(levels));
        format!("{}{open}{}{close}{}", self.head, self.core, self.tail)
    }
}

const fn nested(
    head: &'static str,
    [open, core, close]: [&'static str; 3],
    tail: &'static str,
    answer: i64,
) -> Nested {
    Nested {
        head,
        open,
        core,
        close,
        tail,
        answer,
    }
}

/// Run on the graph `(:A)-[:R]->(:B)`.
const NESTED: &[Nested] = &[
    nested("RETURN ", ["(", "7", ")"], " AS x", 7),
    nested("RETURN ", ["1 + (", "7", ")"], " AS x", 107),
    nested("RETURN ", ["abs(", "-7", ")"], " AS x", 7),
    nested(
        "RETURN CASE WHEN ",
        ["NOT ", "true", ""],
        " THEN 1 ELSE 0 END AS x",
        1,
    ),
    nested(
        "RETURN ",
        ["CASE WHEN true THEN 1 + ", "7", " END"],
        " AS x",
        107,
    ),
    nested("RETURN size(", ["[", "[1, 2, 3]", "]"], ") AS x", 1),
    nested("RETURN size(keys(", ["{a: ", "7", "}"], ")) AS x", 1),
    nested("RETURN ", ["[x IN ", "[7]", " | x + 1]"], "[0] AS x", 107),
    nested(
        "RETURN ",
        ["reduce(a = 1, x IN [2] | a + ", "7", ")"],
        " AS x",
        107,
    ),
    nested(
        "RETURN CASE WHEN ",
        ["all(x IN [1] WHERE ", "true", ")"],
        " THEN 1 ELSE 0 END AS x",
        1,
    ),
    nested("", ["CALL { ", "RETURN 7 AS x", " } RETURN x"], "", 7),
    nested(
        "CREATE (c:C {n: 0}) ",
        ["FOREACH (i IN [1] | ", "SET c.n = 7", ")"],
        " RETURN c.n AS x",
        7,
    ),
    nested(
        "MATCH (a:A) RETURN size(",
        ["[(a)-->() | ", "1", "]"],
        ") AS x",
        1,
    ),
    nested(
        "RETURN size(",
        ["COLLECT { RETURN ", "1", " AS y }"],
        ") AS x",
        1,
    ),
    nested(
        "MATCH (a:A) RETURN CASE WHEN ",
        ["EXISTS { MATCH (a)-->() WHERE ", "true", " }"],
        " THEN 1 ELSE 0 END AS x",
        1,
    ),
    nested(
        "MATCH (a:A) RETURN ",
        ["COUNT { MATCH (a)-->() WHERE 1 = ", "1", " }"],
        " AS x",
        1,
    ),
];

fn graph() -> Db {
    let db = Db::new();
    db.run("CREATE (:A)-[:R]->(:B)");
    db
}

fn answer(db: &Db, text: &str) -> Result<Value, Error> {
    let (rows, _) = db.try_run(text, &Parameters::new())?;
    Ok(rows[0][0].clone())
}

#[test]
fn a_hundred_levels_are_answered_rightly() {
    on_stack(|| {
        let mut wrong = Vec::new();
        for form in NESTED {
            let db = graph();
            match answer(&db, &form.text(LEVELS)) {
                Ok(Value::Int(answer)) if answer == form.answer => {}
                other => wrong.push(format!("{}…: {other:?}", form.text(1))),
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    });
}

#[test]
fn a_hundred_levels_are_explained() {
    on_stack(|| {
        for form in NESTED {
            let text = form.text(LEVELS);
            assert!(graph().explain(&text).contains("Produce"), "{text}");
        }
    });
}

#[test]
fn a_thousand_levels_of_anything_are_refused_with_a_place() {
    on_stack(|| {
        let db = graph();
        for form in NESTED {
            let error = answer(&db, &form.text(LEVELS_REFUSED)).expect_err(form.open);
            assert!(error.span().is_some(), "{}: {error:?}", form.open);
        }
    });
}

#[test]
fn clauses_beyond_what_may_stand_on_one_another_are_refused_with_a_place() {
    on_stack(|| {
        let db = graph();
        for clause in ["WITH 1 AS x ", "MERGE (:M) ", "MATCH (:A) "] {
            let text = |count: usize| format!("{}RETURN 7 AS x", clause.repeat(count));
            assert_eq!(answer(&db, &text(1_000)).expect(clause), Value::Int(7));
            let error = answer(&db, &text(5_000)).expect_err(clause);
            assert_eq!(error.detail(), Detail::QueryTooLarge, "{clause}");
            assert!(error.span().is_some(), "{clause}");
        }
    });
}
