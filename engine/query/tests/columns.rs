//! Aggregates by columns give what they give row by row.

mod db;

use std::cell::Cell;

use db::{Db, Rows};
use quoit_cypher::error::Detail;
use quoit_graph::value::Value;
use quoit_query::{Demand, Execution, Parameters, Step};

const CALLS: &[&str] = &[
    "count(*)",
    "count(n)",
    "count(n.p), sum(n.p), min(n.p), max(n.p), avg(n.p)",
    "max(n.q), min(n.q), count(n.q)",
    "sum(n.f), avg(n.f), min(n.f), max(n.f)",
    "sum(n.m), min(n.m), max(n.m), avg(n.m)",
    "sum(n.none), avg(n.none), min(n.none), count(n.none)",
    "max(n.s), min(n.s), count(n.s)",
    "sum(n.p) + 1 AS x, count(*) * 2 AS y",
];

const CONDITIONS: &[&str] = &[
    "",
    "WHERE n.p > 100",
    "WHERE 10 <= n.p AND n.p < 500",
    "WHERE n.p <> 7 AND n.q = 'q3'",
    "WHERE n.m >= 0.5",
    "WHERE n.p = null",
    "WHERE n.none = 1",
];

fn mixed() -> Db {
    let db = Db::new();
    db.run("UNWIND range(1, 2500) AS i CREATE (:L {p: i, q: 'q' + toString(i % 5), f: i * 0.25, m: CASE i % 3 WHEN 0 THEN i WHEN 1 THEN i / 4.0 ELSE null END, s: 'x' + toString(i)})");
    db.run("MATCH (n:L) WHERE n.p % 50 = 0 SET n:Other, n.p = -n.p");
    db.run("MATCH (n:L) WHERE n.p % 70 = 0 REMOVE n:L");
    db.run("CREATE (:L), (:Other {p: 1})");
    while db.core.maintain(1_000) {}
    // Some are recent again.
    db.run("MATCH (n:L) WHERE n.p % 30 = 0 SET n.p = n.p * 2");
    db.run("MATCH (n:L) WHERE n.p % 31 = 0 DELETE n");
    db
}

/// Both ways, and how they were gone.
fn both(db: &Db, calls: &str, condition: &str) -> (Vec<Vec<Value>>, Vec<Vec<Value>>) {
    let columns = format!("MATCH (n:L) {condition} RETURN {calls}");
    let rows = format!("MATCH (n:L) {condition} WITH n, 1 AS one RETURN {calls}");
    assert!(
        db.explain(&columns).contains("AggregateByColumns"),
        "{columns}"
    );
    assert!(!db.explain(&rows).contains("AggregateByColumns"), "{rows}");
    (db.run(&columns), db.run(&rows))
}

#[test]
fn columns_give_what_rows_give() {
    let db = mixed();
    for calls in CALLS {
        for condition in CONDITIONS {
            let (columns, rows) = both(&db, calls, condition);
            assert_eq!(columns, rows, "{calls} {condition}");
        }
    }
}

#[test]
fn what_is_no_number_is_folded_row_by_row() {
    let db = Db::new();
    db.run("UNWIND ['b', 1, 'a', 2.5, true] AS v CREATE (:L {v: v, d: duration({days: 1})})");
    let (columns, rows) = both(&db, "min(n.v), max(n.v), count(n.v)", "");
    assert_eq!(columns, rows);
    let (columns, rows) = both(&db, "sum(n.d)", "");
    assert_eq!(columns, rows);
    assert_eq!(
        db.error("MATCH (n:L) RETURN sum(n.v)").detail(),
        Detail::InvalidArgumentType
    );
}

#[test]
fn a_sum_that_leaves_64_bits_is_an_error_and_an_average_is_none() {
    let db = Db::new();
    db.run("UNWIND [9223372036854775807, 1] AS v CREATE (:L {v: v})");
    let error = db.error("MATCH (n:L) RETURN sum(n.v)");
    assert_eq!(error.detail(), Detail::Overflow);
    assert!(error.span().is_some());
    assert_eq!(
        db.run("MATCH (n:L) RETURN avg(n.v)"),
        vec![vec![Value::Float(4611686018427387904.0)]]
    );
}

#[test]
fn an_aggregate_by_columns_sees_the_writes_of_its_own_statement_and_gives_others_turns() {
    let db = mixed();
    let before = db.number("MATCH (n:L) RETURN count(n)");
    let after = db.number("CREATE (:L {p: 1}) WITH 1 AS one MATCH (n:L) WITH n RETURN count(n)");
    assert_eq!(after, before + 1);
    assert_eq!(db.number("MATCH (n:L) RETURN count(n)"), after);
    let prepared = db
        .engine
        .prepare("MATCH (n:L) RETURN sum(n.p)", &db.core)
        .unwrap();
    let mut txn = db.begin(false);
    let mut execution = Execution::new(prepared, &Parameters::new()).unwrap();
    execution.request(Demand::All);
    let (mut rows, turns) = (Rows::default(), Cell::new(0));
    while execution
        .step(&mut txn, &db.core, &|| true, &mut rows)
        .unwrap()
        != Step::Done
    {
        turns.set(turns.get() + 1);
    }
    assert!(turns.get() > 1);
    assert_eq!(rows.0, db.run("MATCH (n:L) RETURN sum(n.p)"));
    assert_eq!(db.number("MATCH (n:Nothing) RETURN count(*)"), 0);
    assert_eq!(
        db.run("MATCH (n:Nothing) RETURN max(n.p)"),
        vec![vec![Value::Null]]
    );
}
