//! Constraints through the language: what they refuse and in which words, and how they are looked up by.

mod db;

use db::{Db, Rows};
use quoit_cypher::error::{Detail, Error, ErrorKind};
use quoit_graph::value::Value;
use quoit_graph::{Access, Isolation, Txn};
use quoit_query::{Demand, Execution, Parameters, Step, write_error};

fn run_in(db: &Db, txn: &mut Txn, text: &str) -> Result<Vec<Vec<Value>>, Error> {
    let prepared = db.engine.prepare(text, &db.core)?;
    let mut execution = Execution::new(prepared, &Parameters::new())?;
    execution.request(Demand::All);
    let mut rows = Rows::default();
    while execution.step(txn, &db.core, &|| false, &mut rows)? != Step::Done {}
    Ok(rows.0)
}

fn begin(db: &Db) -> Txn {
    db.core.begin(Access::Write, Isolation::Snapshot)
}

/// The error of a statement, or of its commit.
fn refusal(db: &Db, text: &str) -> Error {
    let mut txn = db.begin(true);
    match run_in(db, &mut txn, text) {
        Err(error) => error,
        Ok(_) => match txn.commit() {
            Err(quoit_graph::CommitError::Write(error)) => write_error(error),
            other => panic!("{text}: {other:?}"),
        },
    }
}

#[test]
fn a_violation_is_told_in_memgraphs_words() {
    let db = Db::new();
    db.run("CREATE CONSTRAINT ON (n:P) ASSERT n.a, n.b IS UNIQUE");
    db.run("CREATE CONSTRAINT ON (n:P) ASSERT EXISTS (n.a)");
    db.run("CREATE CONSTRAINT ON (n:P) ASSERT n.age IS TYPED INTEGER");
    db.run("CREATE (:P {a: 1, b: 2})");
    for (text, detail, words) in [
        (
            "CREATE (:P {a: 1, b: 2})",
            Detail::UniqueConstraintViolation,
            "Unable to commit due to unique constraint violation on :P(a, b)",
        ),
        (
            "CREATE (:P {b: 3})",
            Detail::ExistenceConstraintViolation,
            "Unable to commit due to existence constraint violation on :P(a)",
        ),
        (
            "MATCH (n:P) REMOVE n.a",
            Detail::ExistenceConstraintViolation,
            "Unable to commit due to existence constraint violation on :P(a)",
        ),
        (
            "MATCH (n:P) SET n.age = 'old'",
            Detail::TypeConstraintViolation,
            "IS TYPED INTEGER violation on :P(age)",
        ),
    ] {
        let error = refusal(&db, text);
        assert_eq!(
            (error.kind(), error.detail()),
            (ErrorKind::ConstraintValidationFailed, detail),
            "{text}"
        );
        assert!(error.message().starts_with(words), "{text}: {error:?}");
        assert!(!error.is_transient());
        assert_eq!(
            db.run("MATCH (n:P) RETURN n.a, n.b, n.age"),
            vec![vec![Value::Int(1), Value::Int(2), Value::Null]]
        );
    }
}

#[test]
fn a_constraint_that_does_not_hold_is_not_made() {
    let db = Db::new();
    db.run("UNWIND [1, 2, 2] AS i CREATE (:P {a: i})");
    db.run("CREATE (:P {b: 'x'})");
    for text in [
        "CREATE CONSTRAINT ON (n:P) ASSERT n.a IS UNIQUE",
        "CREATE CONSTRAINT named FOR (n:P) REQUIRE n.a IS NOT NULL",
        "CREATE CONSTRAINT ON (n:P) ASSERT n.b IS TYPED INTEGER",
    ] {
        let error = refusal(&db, text);
        assert_eq!(
            error.kind(),
            ErrorKind::ConstraintValidationFailed,
            "{text}"
        );
        assert!(error.message().starts_with("Unable to create"), "{error:?}");
    }
    assert_eq!(db.core.graph().constraints(), vec![]);
    // Nothing is left of the attempts: not even the name.
    db.run("CREATE INDEX named FOR (n:P) ON (n.a)");
    db.run("CREATE (:P {a: 2, b: 1.5})");
}

#[test]
fn a_unique_key_is_the_way_to_its_vertex() {
    let db = Db::new();
    db.run("UNWIND range(1, 500) AS i CREATE (:P {id: i, part: i % 7})");
    db.run("CREATE CONSTRAINT ON (n:P) ASSERT n.id IS UNIQUE");
    db.run("CREATE CONSTRAINT both FOR (n:P) REQUIRE (n.part, n.id) IS UNIQUE");
    for text in [
        "MATCH (n:P {id: 7}) RETURN n.id",
        "MATCH (n:P) WHERE n.id IN [3, 3.0, 4, null, 'x', 9000] RETURN n.id",
        "UNWIND [1, 2, null, 2] AS i MATCH (n:P {id: i}) RETURN i, n.part",
    ] {
        assert!(db.explain(text).contains("unique"), "{}", db.explain(text));
        let mut found = db.run(text);
        let plain = Db::new();
        plain.run("UNWIND range(1, 500) AS i CREATE (:P {id: i, part: i % 7})");
        let mut scanned = plain.run(text);
        found.sort();
        scanned.sort();
        assert_eq!(found, scanned, "{text}");
    }
    // A range or an order is no look-up.
    let text = "MATCH (n:P) WHERE n.id > 490 RETURN n.id ORDER BY n.id";
    assert!(!db.explain(text).contains("unique"));
    assert_eq!(db.run(text).len(), 10);
    assert_eq!(db.run("DROP CONSTRAINT both"), Vec::<Vec<Value>>::new());
    db.run("DROP CONSTRAINT ON (n:P) ASSERT n.id IS UNIQUE");
    db.run("CREATE (:P {id: 7})");
    let text = "MATCH (n:P {id: 7}) RETURN count(n)";
    assert_eq!(db.number(text), 2);
}

#[test]
fn merges_of_one_unique_key_meet_as_a_conflict_and_never_as_a_violation() {
    let db = Db::new();
    db.run("CREATE CONSTRAINT ON (n:P) ASSERT n.id IS UNIQUE");
    let text = "MERGE (n:P {id: 1}) ON MATCH SET n.met = true RETURN n.met";
    // In flight.
    let (mut first, mut second) = (begin(&db), begin(&db));
    run_in(&db, &mut first, text).unwrap();
    let error = run_in(&db, &mut second, text).unwrap_err();
    assert!(error.is_transient(), "{error:?}");
    drop(second);
    // Committed behind the back of a snapshot.
    let mut late = begin(&db);
    run_in(&db, &mut late, "MATCH (n) RETURN n").unwrap();
    first.commit().unwrap();
    let error = run_in(&db, &mut late, text).unwrap_err();
    assert!(error.is_transient(), "{error:?}");
    drop(late);
    assert_eq!(db.run(text), vec![vec![Value::Bool(true)]]);
    assert_eq!(db.number("MATCH (n:P) RETURN count(n)"), 1);
    // Another node has the key but not what else is asked for: no match can ever come, so it is a violation.
    let error = refusal(&db, "MERGE (n:P {id: 1, other: 2})");
    assert_eq!(error.detail(), Detail::UniqueConstraintViolation);
}
