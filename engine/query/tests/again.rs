//! A plan's next run goes on with what the last one ran with, and nobody can tell.

mod db;

use std::sync::Arc;

use db::{Db, INDEXED, Rows, indexed_people};
use quoit_graph::value::Value;
use quoit_query::{Demand, Execution, Parameters, Step};

/// Short queries of all kinds of operators that are kept.
const SHORT: &[&str] = &[
    "MATCH (n:Person {id: $id}) RETURN n.id",
    "MATCH (n:Person {id: $id})-[:KNOWS]->(m) RETURN m.id",
    "MATCH (n:Person {id: $id})-[:KNOWS]->(m)-[:KNOWS]->(o) RETURN m.id, o.id LIMIT 3",
    "MATCH (n:Person), (m:Person) WHERE n.id = $id AND m.id = $id + 1 RETURN n.id, m.id",
    "MATCH (n:Person) WHERE n.id IN [$id, $id + 1, $id] RETURN n.id",
    "MATCH (n:Person) WHERE $id <= n.id < $id + 3 RETURN n.id",
    "MATCH (n) WHERE id(n) = $id RETURN n.id",
    "WITH $id AS x WHERE x > 3 RETURN x, [y IN [1, 2, x] WHERE y > 1 | y * x]",
    "MATCH (n:Person {id: $id}) RETURN n.id, COUNT { (n)-->() }",
];

fn parameters(id: Value) -> Parameters {
    [(Arc::from("id"), id)].into_iter().collect()
}

/// What a query gives in an engine that has never run it.
fn alone(db: &Db, text: &str, id: &Value) -> Vec<Vec<Value>> {
    let fresh = db.plain();
    fresh.try_run(text, &parameters(id.clone())).unwrap().0
}

fn ids() -> [Value; 6] {
    [
        Value::Int(42),
        Value::Int(5),
        Value::Null,
        Value::Int(-1),
        Value::Float(7.0),
        Value::Int(42),
    ]
}

fn sorted(mut rows: Vec<Vec<Value>>) -> Vec<String> {
    let mut rows: Vec<String> = rows.drain(..).map(|row| format!("{row:?}")).collect();
    rows.sort();
    rows
}

#[test]
fn each_run_of_a_plan_gives_the_rows_of_its_own_parameters() {
    let db = indexed_people();
    for text in SHORT {
        for id in ids() {
            let rows = db.try_run(text, &parameters(id.clone())).unwrap().0;
            let mut wanted = alone(&db, text, &id);
            if text.contains("LIMIT") {
                // Any three will do.
                wanted = rows.clone();
            }
            assert_eq!(sorted(rows), sorted(wanted), "{text} {id:?}");
        }
    }
    for text in INDEXED {
        let parameters: Parameters = [
            (Arc::from("id"), Value::Int(42)),
            (Arc::from("ids"), Value::list(vec![Value::Int(5)])),
        ]
        .into_iter()
        .collect();
        let first = db.try_run(text, &parameters).unwrap().0;
        assert_eq!(db.try_run(text, &parameters).unwrap().0, first, "{text}");
    }
}

#[test]
fn runs_of_one_plan_at_the_same_time_and_runs_that_are_given_up_do_not_meet() {
    let db = indexed_people();
    let text = "MATCH (n:Person {id: $id})-[:KNOWS]->(m) RETURN m.id";
    let wanted = |id: i64| alone(&db, text, &Value::Int(id));
    let both: Vec<i64> = (0..100).filter(|id| wanted(*id).len() > 1).collect();
    let (one, other) = (both[0], both[1]);
    db.try_run(text, &parameters(Value::Int(both[2]))).unwrap();
    let prepared = db.engine.prepare(text, &db.core).unwrap();
    let begin = |id| Execution::new(prepared.clone(), &parameters(Value::Int(id))).unwrap();
    let (mut first, mut second, given_up) = (begin(one), begin(other), begin(both[2]));
    let mut txn = db.begin(false);
    let mut rows = [Rows::default(), Rows::default()];
    let mut pull = |execution: &mut Execution, demand, rows: &mut Rows| {
        execution.request(demand);
        execution.step(&mut txn, &db.core, &|| false, rows).unwrap()
    };
    assert_eq!(pull(&mut first, Demand::Rows(1), &mut rows[0]), Step::Rows);
    assert_eq!(pull(&mut second, Demand::All, &mut rows[1]), Step::Done);
    second.finish();
    given_up.finish();
    // The third run begins with what the second ran with while the first is half read.
    let mut third = begin(other);
    let mut again = Rows::default();
    assert_eq!(pull(&mut third, Demand::Rows(1), &mut again), Step::Rows);
    third.finish();
    let mut fourth = begin(other);
    let mut whole = Rows::default();
    assert_eq!(pull(&mut fourth, Demand::All, &mut whole), Step::Done);
    assert_eq!(pull(&mut first, Demand::All, &mut rows[0]), Step::Done);
    let [one_rows, other_rows] = rows;
    assert_eq!(sorted(one_rows.0), sorted(wanted(one)));
    assert_eq!(sorted(other_rows.0), sorted(wanted(other)));
    assert_eq!(sorted(whole.0), sorted(wanted(other)));
}

#[test]
fn writes_are_done_once_a_run_and_a_run_that_failed_leaves_nothing() {
    let db = Db::new();
    let create = "CREATE (n:Made {id: $id, half: 10 / $id}) RETURN n.id";
    for id in 1..=5 {
        let rows = db.try_run(create, &parameters(Value::Int(id))).unwrap().0;
        assert_eq!(rows, [[Value::Int(id)]]);
        assert!(db.try_run(create, &parameters(Value::Int(0))).is_err());
    }
    assert_eq!(db.number("MATCH (n:Made) RETURN count(n)"), 5);
    let set = "MATCH (n:Made {id: $id}) SET n.seen = coalesce(n.seen, 0) + 1";
    for id in [1, 1, 2, 9, 1] {
        db.try_run(set, &parameters(Value::Int(id))).unwrap();
    }
    assert_eq!(db.number("MATCH (n:Made) RETURN sum(n.seen)"), 4);
    assert_eq!(db.number("MATCH (n:Made {id: 1}) RETURN n.seen"), 3);
    let edge = "MATCH (a:Made {id: $id}), (b:Made {id: $id + 1}) CREATE (a)-[:T]->(b)";
    for id in [1, 2, 5, 2] {
        db.try_run(edge, &parameters(Value::Int(id))).unwrap();
    }
    assert_eq!(db.number("MATCH ()-[r:T]->() RETURN count(r)"), 3);
}

#[test]
fn each_run_has_its_own_time_and_its_own_random_numbers() {
    let db = Db::new();
    for text in ["RETURN timestamp()", "RETURN rand()", "RETURN datetime()"] {
        let first = db.run(text);
        std::thread::sleep(std::time::Duration::from_millis(2));
        assert_ne!(db.run(text), first, "{text}");
    }
    let now = std::time::SystemTime::now();
    let since = now.duration_since(std::time::UNIX_EPOCH).unwrap();
    let told = db.number("WITH 1 AS x WHERE timestamp() > 0 RETURN timestamp()");
    assert!(told.abs_diff(since.as_millis() as i64) < 60_000);
}
