//! `CALL {} IN TRANSACTIONS` and `USING PERIODIC COMMIT`: what each transaction does, what is seen before and behind, what a failure leaves.

mod db;

use db::{Db, Rows};
use quoit_cypher::error::{Detail, ErrorKind};
use quoit_graph::value::Value;
use quoit_graph::{Access, Isolation};
use quoit_query::{Demand, Execution, Parameters, Step, Wait};

/// Runs a statement, interrupted whenever it asks; the rows or the error, and the vertices `:T` that others saw after each commit.
fn committed(db: &Db, text: &str) -> (Result<Vec<Vec<Value>>, ErrorKind>, Vec<i64>) {
    let prepared = db.engine.prepare(text, &db.core).unwrap();
    assert!(
        prepared.has_inner_transactions() && prepared.writes(),
        "{text}"
    );
    let mut txn = db.core.begin(Access::Read, Isolation::ReadCommitted);
    let mut execution = Execution::new(prepared, &Parameters::new()).unwrap();
    execution.request(Demand::All);
    let (mut rows, mut seen) = (Rows::default(), Vec::new());
    for _ in 0..1_000_000 {
        match execution.step(&mut txn, &db.core, &|| true, &mut rows) {
            Ok(Step::Done) => return (Ok(rows.0), seen),
            Ok(Step::Waits(wait)) => {
                db.attend(wait.clone(), &mut execution, &mut txn);
                if wait == Wait::Commit {
                    assert_eq!(rows.0.len(), 0, "{text}: a row left before the last commit");
                    seen.push(db.number("MATCH (t:T) RETURN count(t)"));
                }
            }
            Ok(Step::Rows | Step::Yield) => {}
            Err(error) => return (Err(error.kind()), seen),
        }
    }
    panic!("{text}: it does not come to an end");
}

fn ints(rows: &[Vec<Value>]) -> Vec<i64> {
    rows.iter()
        .map(|row| match row[0] {
            Value::Int(n) => n,
            ref other => panic!("{other:?}"),
        })
        .collect()
}

#[test]
fn some_rows_at_a_time_are_committed_by_themselves() {
    let db = Db::new();
    let (rows, seen) = committed(
        &db,
        "UNWIND range(1, 700) AS i CALL { WITH i CREATE (:T {i: i}) } IN TRANSACTIONS OF 300 ROWS",
    );
    assert_eq!((rows, seen), (Ok(vec![]), vec![300, 600, 700]));
    assert_eq!(db.number("MATCH (t:T) RETURN sum(t.i)"), 245_350);
    let (_, seen) = committed(
        &db,
        "UNWIND range(1, 1500) AS i CALL (i) { CREATE (:T {i: i}) } IN 4 CONCURRENT TRANSACTIONS",
    );
    assert_eq!(seen, [1700, 2200]);
    let (_, seen) = committed(
        &db,
        "MATCH (t:T) CALL { WITH t DETACH DELETE t } IN TRANSACTIONS OF 1000 ROWS",
    );
    assert_eq!(seen, [1200, 200, 0]);
    // No rows, no transaction.
    let text = "UNWIND [] AS i CALL { WITH i CREATE (:T) } IN TRANSACTIONS RETURN i";
    assert_eq!(committed(&db, text), (Ok(vec![]), vec![]));
}

#[test]
fn what_stands_before_sees_the_beginning_and_what_stands_behind_the_end() {
    let db = Db::new();
    db.run("UNWIND range(1, 5) AS i CREATE (:T {i: i})");
    // It does not feed on what it makes.
    let (rows, seen) = committed(
        &db,
        "MATCH (t:T) CALL { WITH t CREATE (n:T {i: t.i * 10}) RETURN n } IN TRANSACTIONS OF 2 ROWS RETURN n.i AS i ORDER BY i",
    );
    assert_eq!(ints(&rows.unwrap()), [10, 20, 30, 40, 50]);
    assert_eq!(seen, [7, 9, 10]);
    // A LIMIT cuts rows, not transactions, and an aggregate takes all rows.
    let (rows, seen) = committed(
        &db,
        "MATCH (t:T) CALL { WITH t SET t.x = 1 } IN TRANSACTIONS OF 4 ROWS RETURN t.x AS x LIMIT 1",
    );
    assert_eq!((ints(&rows.unwrap()), seen.len()), (vec![1], 3));
    assert_eq!(db.number("MATCH (t:T) RETURN sum(t.x)"), 10);
    let (rows, _) = committed(
        &db,
        "MATCH (t:T) CALL { WITH t SET t.x = 2 RETURN t.x AS x UNION ALL RETURN 0 AS x } IN TRANSACTIONS OF 3 ROWS RETURN sum(x) + count(*) AS n",
    );
    assert_eq!(ints(&rows.unwrap()), [40]);
}

#[test]
fn a_failure_leaves_what_was_committed_before_it() {
    let db = Db::new();
    let statement = |on_error: &str, rest: &str| {
        format!(
            "UNWIND [4, 2, 1, 0, 5, 8] AS i CALL {{ WITH i CREATE (t:T {{i: 40 / i}}) RETURN t.i AS j }} IN TRANSACTIONS OF 2 ROWS {on_error} {rest}"
        )
    };
    let (rows, seen) = committed(&db, &statement("", ""));
    assert_eq!((rows, seen), (Err(ErrorKind::ArithmeticError), vec![2]));
    assert_eq!(db.number("MATCH (t:T) RETURN sum(t.i)"), 30);
    let (rows, seen) = committed(&db, &statement("ON ERROR FAIL", "RETURN j"));
    assert_eq!((rows, seen), (Err(ErrorKind::ArithmeticError), vec![4]));
    let status = "RETURN i, j, s.started, s.committed, s.errorMessage, s.transactionId IS NULL";
    let row = |i: i64, j: Option<i64>, started: bool, message: Option<&str>| {
        vec![
            Value::Int(i),
            j.map_or(Value::Null, Value::Int),
            Value::Bool(started),
            Value::Bool(j.is_some()),
            message.map_or(Value::Null, Value::from),
            Value::Bool(j.is_none()),
        ]
    };
    let wrong = Some("division by zero");
    let on_error = "ON ERROR CONTINUE REPORT STATUS AS s";
    let (rows, seen) = committed(&db, &statement(on_error, status));
    assert_eq!(
        rows.unwrap(),
        [
            row(4, Some(10), true, None),
            row(2, Some(20), true, None),
            row(1, None, true, wrong),
            row(0, None, true, wrong),
            row(5, Some(8), true, None),
            row(8, Some(5), true, None),
        ]
    );
    assert_eq!(seen, [6, 8]);
    let on_error = "ON ERROR BREAK REPORT STATUS AS s";
    let (rows, seen) = committed(&db, &statement(on_error, status));
    assert_eq!(
        rows.unwrap()[2..],
        [
            row(1, None, true, wrong),
            row(0, None, true, wrong),
            row(5, None, false, None),
            row(8, None, false, None),
        ]
    );
    assert_eq!(seen, [10]);
    // Without a status the rows come all the same.
    let (rows, _) = committed(
        &db,
        &statement("ON ERROR CONTINUE", "RETURN count(*) - count(j) AS n"),
    );
    assert_eq!(ints(&rows.unwrap()), [2]);
    // A vertex with edges is found out before its transaction is committed.
    db.run("MATCH (t:T) DETACH DELETE t");
    db.run("CREATE (:T)-[:R]->(:U), (:T)");
    let text = "MATCH (t:T) CALL { WITH t DELETE t } IN TRANSACTIONS OF 1 ROW ON ERROR CONTINUE RETURN count(*) AS n";
    let (rows, _) = committed(&db, text);
    assert_eq!(ints(&rows.unwrap()), [2]);
    assert_eq!(db.number("MATCH (t:T) RETURN count(t)"), 1);
}

#[test]
fn a_transaction_that_meets_a_conflict_is_begun_again() {
    let db = Db::new();
    db.run("UNWIND range(1, 4) AS i CREATE (:T {i: i, x: 0})");
    let text = "MATCH (t:T) CALL { WITH t SET t.x = t.x + 1 } IN TRANSACTIONS OF 2 ROWS";
    let prepared = db.engine.prepare(text, &db.core).unwrap();
    let mut txn = db.core.begin(Access::Read, Isolation::ReadCommitted);
    let mut execution = Execution::new(prepared, &Parameters::new()).unwrap();
    execution.request(Demand::All);
    let mut other = None;
    let mut conflicts_seen = Vec::new();
    loop {
        let step = execution.step(&mut txn, &db.core, &|| false, &mut Rows::default());
        match step.unwrap() {
            Step::Done => break,
            Step::Waits(Wait::Begin { conflicts }) => {
                conflicts_seen.push(conflicts);
                execution.begin_inner(db.begin(true));
                if conflicts_seen.len() == 1 {
                    // Another has changed the second vertex, and lets go of it when this one has given way twice.
                    let mut held = db.begin(true);
                    let prepared = db
                        .engine
                        .prepare("MATCH (t:T {i: 2}) SET t.x = 10", &db.core);
                    let mut holding =
                        Execution::new(prepared.unwrap(), &Parameters::new()).unwrap();
                    holding.request(Demand::All);
                    let step = holding.step(&mut held, &db.core, &|| false, &mut Rows::default());
                    assert_eq!(step.unwrap(), Step::Done);
                    other = Some(held);
                }
            }
            Step::Waits(wait) => {
                if conflicts_seen.last() == Some(&2)
                    && let Some(held) = other.take()
                {
                    held.commit().unwrap();
                }
                db.attend(wait, &mut execution, &mut txn);
            }
            Step::Rows | Step::Yield => {}
        }
    }
    assert_eq!(conflicts_seen, [0, 1, 2, 3, 0]);
    assert_eq!(db.number("MATCH (t:T) RETURN sum(t.x)"), 14);
}

#[test]
fn a_periodic_commit_takes_the_clauses_from_the_first_to_the_last_that_writes() {
    let db = Db::new();
    let (rows, seen) = committed(
        &db,
        "USING PERIODIC COMMIT 4 UNWIND range(1, 10) AS i WITH i WHERE i <> 5 MERGE (t:T {i: i % 6}) WITH t, i CREATE (t)-[:R]->(:U {i: i}) RETURN count(DISTINCT t) AS n, sum(i) AS s",
    );
    assert_eq!(rows, Ok(vec![vec![Value::Int(5), Value::Int(50)]]));
    assert_eq!(seen, [4, 5, 5]);
    assert_eq!(db.number("MATCH (:T)-[:R]->(u:U) RETURN sum(u.i)"), 50);
}

#[test]
fn where_a_query_cannot_commit_transactions_it_says_so() {
    let db = Db::new();
    for (text, part) in [
        (
            "CREATE (:A) WITH 1 AS i CALL { CREATE (:T) } IN TRANSACTIONS",
            "behind a clause that writes",
        ),
        (
            "CALL { CREATE (:T) } IN TRANSACTIONS CREATE (:A)",
            "in front of a clause that writes",
        ),
        (
            "UNWIND [1] AS i CALL { CREATE (:T) } IN TRANSACTIONS CALL { CREATE (:T) } IN TRANSACTIONS",
            "clause that writes",
        ),
        (
            "CALL { CALL { CREATE (:T) } IN TRANSACTIONS RETURN 1 AS a } RETURN a",
            "within a subquery",
        ),
        (
            "CALL { CREATE (:T) RETURN 1 AS a } IN TRANSACTIONS RETURN a UNION RETURN 1 AS a",
            "a UNION",
        ),
        (
            "CALL { CREATE (:T) } IN TRANSACTIONS REPORT STATUS AS s RETURN s",
            "ON ERROR",
        ),
        (
            "USING PERIODIC COMMIT 5 UNWIND [1] AS i RETURN i",
            "without a clause that writes",
        ),
        (
            "USING PERIODIC COMMIT 5 UNWIND [1] AS i CREATE (t:T) WITH count(*) AS n CREATE (:T {n: n})",
            "looks at all rows",
        ),
    ] {
        let error = db.error(text);
        assert!(error.message().contains(part), "{text}: {error:?}");
        assert!(error.span().is_some(), "{text}");
    }
    let error = db.error("UNWIND [1] AS i CALL { CREATE (:T) } IN TRANSACTIONS OF 0 ROWS");
    assert_eq!(error.detail(), Detail::NumberOutOfRange);
    assert_eq!(db.number("MATCH (n) RETURN count(n)"), 0);
    let stats = db.try_run(
        "UNWIND [1, 2, 3] AS i CALL { WITH i CREATE (:T {i: i}) } IN TRANSACTIONS OF 2 ROWS",
        &Parameters::new(),
    );
    let stats = stats.unwrap().1;
    assert_eq!((stats.vertices_created, stats.properties_set), (3, 3));
}
