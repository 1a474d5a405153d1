//! Limits that a query's author sets, and the database that the query names.

mod db;

use db::{Db, people};
use quoit_cypher::error::{Error, ErrorKind};
use quoit_graph::value::Value;
use quoit_query::Parameters;

/// What a query with a parameter `limit` comes to.
fn with_limit(db: &Db, text: &str, limit: Value) -> Result<usize, Error> {
    let mut parameters = Parameters::new();
    parameters.insert("limit", limit);
    db.try_run(text, &parameters).map(|(rows, _)| rows.len())
}

#[test]
fn a_query_holds_no_more_than_its_author_allows() {
    let db = Db::new();
    let text = "UNWIND range(1, 20000) AS i RETURN collect(i) AS all";
    assert_eq!(
        db.run(&format!("{text} QUERY MEMORY LIMIT 100 MB")).len(),
        1
    );
    assert_eq!(db.run(&format!("{text} QUERY MEMORY UNLIMITED")).len(), 1);
    for limit in ["100 KB", "100KB", "$limit KB"] {
        let text = format!("{text} QUERY MEMORY LIMIT {limit}");
        let error = with_limit(&db, &text, Value::Int(100)).expect_err(&text);
        assert_eq!(error.kind(), ErrorKind::MemoryLimitExceeded, "{text}");
    }
    // The same plan with another literal has that literal's limit.
    assert_eq!(
        db.run(&format!("{text} QUERY MEMORY LIMIT 101 MB")).len(),
        1
    );
    assert_eq!(
        db.error(&format!("{text} QUERY MEMORY LIMIT 99 KB")).kind(),
        ErrorKind::MemoryLimitExceeded
    );
}

#[test]
fn a_limit_on_memory_is_an_integer_above_zero() {
    let db = Db::new();
    let text = "RETURN 1 AS one QUERY MEMORY LIMIT $limit MB";
    assert_eq!(with_limit(&db, text, Value::Int(1)).unwrap(), 1);
    for (limit, kind) in [
        (Value::Int(0), ErrorKind::ArgumentError),
        (Value::Int(-5), ErrorKind::ArgumentError),
        (Value::from("1"), ErrorKind::TypeError),
        (Value::Null, ErrorKind::TypeError),
    ] {
        let error = with_limit(&db, text, limit.clone()).expect_err("no limit");
        assert_eq!(error.kind(), kind, "{limit:?}");
        assert!(error.span().is_some(), "{limit:?}");
    }
    let error = db.error("RETURN 1 AS one QUERY MEMORY LIMIT 1 + 1 MB");
    assert_eq!(error.kind(), ErrorKind::SyntaxError, "{error:?}");
    let error = db.error("CALL { RETURN 1 AS one QUERY MEMORY LIMIT 1 MB } RETURN one");
    assert_eq!(error.kind(), ErrorKind::SyntaxError, "{error:?}");
}

#[test]
fn a_procedure_holds_no_more_than_its_caller_allows() {
    let db = people();
    let call = |limit: &str| {
        format!("CALL mg.functions() PROCEDURE MEMORY {limit} YIELD name RETURN count(name) AS c")
    };
    let all = db.number("CALL mg.functions() YIELD name RETURN count(name) AS c");
    assert_eq!(db.number(&call("LIMIT 10 MB")), all);
    assert_eq!(db.number(&call("UNLIMITED")), all);
    let error = db.error(&call("LIMIT 1 KB"));
    assert_eq!(error.kind(), ErrorKind::MemoryLimitExceeded, "{error:?}");
    // What the query holds beside it is not the procedure's.
    let text = "UNWIND range(1, 20000) AS i WITH collect(i) AS all CALL db.labels() PROCEDURE MEMORY LIMIT 1 KB YIELD label RETURN size(all) AS n";
    assert_eq!(db.number(text), 20_000);
}

#[test]
fn use_takes_the_names_of_the_one_database() {
    let db = Db::new();
    for name in ["memgraph", "neo4j", "MemGraph", "`memgraph`"] {
        assert_eq!(db.number(&format!("USE {name} RETURN 7 AS n")), 7);
    }
    assert_eq!(db.number("CALL { USE memgraph RETURN 7 AS n } RETURN n"), 7);
    let error = db.error("USE other RETURN 1 AS n");
    assert_eq!(error.kind(), ErrorKind::DatabaseNotFound, "{error:?}");
    assert!(error.message().contains("`other`") && error.span().is_some());
    let error = db.error("UNWIND [1] AS n USE memgraph RETURN n");
    assert_eq!(error.kind(), ErrorKind::SyntaxError, "{error:?}");
}
