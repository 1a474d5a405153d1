//! What comes column by column is what comes row by row.

mod db;

use db::{Db, Rows};
use quoit_graph::value::Value;
use quoit_query::{Demand, Execution, Parameters, Step};

/// What follows the end of a chain, `n`.
const RETURNS: &[&str] = &[
    "RETURN DISTINCT n.p",
    "RETURN DISTINCT n.m",
    "RETURN DISTINCT n.s",
    "RETURN DISTINCT n.f",
    "RETURN DISTINCT n.none",
    "RETURN DISTINCT n",
    "RETURN DISTINCT n.p % 7 AS rest",
    "RETURN DISTINCT n.q, 1 AS one",
    "RETURN DISTINCT n.q, n.m",
    "RETURN DISTINCT n, n.p",
    "RETURN DISTINCT n.p ORDER BY n.p SKIP 3 LIMIT 20",
    "WITH DISTINCT n.p AS p RETURN p ORDER BY p",
    "WITH DISTINCT n RETURN n.p, n.s",
    "RETURN count(DISTINCT n), count(DISTINCT n.m)",
];

const CONDITIONS: &[&str] = &[
    "",
    "WHERE n.p > 100",
    "WHERE n.m >= 0.5 AND n.q <> 'q3'",
    "WHERE n.p = $none",
    "WHERE n.q IN $list",
    "WHERE n.none IS NULL AND NOT n:Other",
    "WHERE n:L OR n.p < 200",
    "WHERE n.s STARTS WITH 'x1' AND n.p % 2 = 0",
];

/// Vertices over some pages, some of which have something recent, and chains between them.
fn mixed() -> Db {
    let db = Db::new();
    db.run("UNWIND range(1, 2500) AS i CREATE (:L {i: i, p: i, q: 'q' + toString(i % 5), f: i * 0.25, m: CASE i % 3 WHEN 0 THEN i WHEN 1 THEN i / 4.0 ELSE null END, s: 'x' + toString(i)})");
    db.run("CREATE INDEX ON :L(i)");
    db.run("UNWIND range(1, 2500) AS i UNWIND [i * 7 % 2500 + 1, i * 13 % 2500 + 1, i % 2500 + 1] AS j MATCH (a:L {i: i}), (b:L {i: j}) CREATE (a)-[:T]->(b)");
    db.run("MATCH (n:L) WHERE n.p % 50 = 0 SET n:Other, n.p = -n.p");
    while db.core.maintain(1_000) {}
    db.run("MATCH (n:L) WHERE n.p % 30 = 0 SET n.p = n.p * 2, n.q = n.p");
    db.run("MATCH (n:L) WHERE n.p % 31 = 0 REMOVE n.m, n.p");
    db.run("MATCH (n:L) WHERE n.i % 70 = 69 DETACH DELETE n");
    db
}

fn parameters() -> Parameters {
    let mut parameters = Parameters::new();
    let list = [Value::from("q1"), Value::Int(60), Value::Null];
    parameters.insert("list", Value::from(list.to_vec()));
    parameters.insert("none", Value::Null);
    parameters
}

fn sorted(mut rows: Vec<Vec<Value>>) -> Vec<Vec<Value>> {
    rows.sort();
    rows
}

#[test]
fn ends_of_chains_are_the_same_by_columns_and_by_rows() {
    let db = mixed();
    let plain = db.plain();
    let parameters = parameters();
    for chain in ["-->()-->", "-->()-->()-->()-->", "-[*1..3]->"] {
        for condition in CONDITIONS {
            for what in RETURNS {
                let text = format!("MATCH (a:L {{i: 17}}){chain}(n:L) {condition} {what}");
                let by_columns = db.try_run(&text, &parameters).unwrap().0;
                let by_rows = plain.try_run(&text, &parameters).unwrap().0;
                assert_eq!(sorted(by_columns), sorted(by_rows), "{text}");
            }
        }
    }
}

#[test]
fn what_is_asked_of_ends_is_asked_with_them() {
    let db = mixed();
    let text = "MATCH (a:L {i: 1})-->()-->(n:L) WHERE n.p > 3 AND n.q = 'q1' RETURN DISTINCT n.p";
    let plan = db.explain(text);
    assert!(plan.contains("ExpandDistinct"), "{plan}");
    assert!(
        plan.contains("n.p > 3") && plan.contains("n.q = "),
        "{plan}"
    );
    assert!(!plan.contains("Filter"), "{plan}");
}

#[test]
fn rows_are_given_as_they_are_asked_for() {
    let db = mixed();
    let text = "MATCH (a:L {i: 17})-->()-->()-->()-->()-->(n) RETURN DISTINCT n.i";
    let all = db.run(text);
    assert!(all.len() > 200, "{}", all.len());
    for portion in [1, 7, 1_000_000] {
        let prepared = db.engine.prepare(text, &db.core).unwrap();
        let mut txn = db.begin(false);
        let mut execution = Execution::new(prepared, &Parameters::new()).unwrap();
        let mut rows = Rows::default();
        loop {
            let before = rows.0.len();
            execution.request(Demand::Rows(portion));
            let step = loop {
                match execution.step(&mut txn, &db.core, &|| true, &mut rows) {
                    Ok(Step::Yield) => {}
                    other => break other.unwrap(),
                }
            };
            assert!(rows.0.len() - before <= portion as usize);
            if step == Step::Done {
                break;
            }
            assert_eq!(rows.0.len() - before, portion as usize);
        }
        assert_eq!(rows.0.len() as u64, execution.summary(&txn).rows);
        assert_eq!(sorted(rows.0), sorted(all.clone()), "by {portion}");
    }
}

#[test]
fn dropped_rows_are_counted() {
    let db = mixed();
    let text = "MATCH (a:L {i: 17})-->()-->()-->(n) RETURN DISTINCT n.i";
    let all = db.run(text).len() as u64;
    let prepared = db.engine.prepare(text, &db.core).unwrap();
    let mut txn = db.begin(false);
    let mut execution = Execution::new(prepared, &Parameters::new()).unwrap();
    let mut rows = Rows::default();
    execution.request(Demand::Discard(5));
    while execution
        .step(&mut txn, &db.core, &|| false, &mut rows)
        .unwrap()
        == Step::Yield
    {}
    execution.request(Demand::All);
    while execution
        .step(&mut txn, &db.core, &|| false, &mut rows)
        .unwrap()
        != Step::Done
    {}
    assert_eq!(rows.0.len() as u64 + 5, all);
    assert_eq!(execution.summary(&txn).rows, all);
}
