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

/// A chain of ten vertices, the first of which has five more neighbours.
fn chain() -> Db {
    let db = Db::new();
    db.run("UNWIND range(0, 9) AS i CREATE (:C {i: i})");
    db.run("MATCH (a:C), (b:C) WHERE b.i = a.i + 1 CREATE (a)-[:T]->(b)");
    db.run("MATCH (a:C {i: 0}) UNWIND range(1, 5) AS i CREATE (a)-[:S]->(:D {i: i})");
    db
}

#[test]
fn a_query_follows_no_more_relationships_than_its_author_allows() {
    let db = chain();
    for pattern in [
        "MATCH (a:C {i: 0})-[:T*]->(b)",
        "MATCH (a:C {i: 0})-[:T]->+(b)",
        "MATCH (a:C {i: 0})-[*BFS]->(b) WHERE b:C",
        "MATCH p = ANY SHORTEST (a:C {i: 0})-[:T]->+(b)",
        "MATCH (a:C)-[:T]->(b)",
        "MATCH (a:C)-[:T]->(b) WITH DISTINCT b",
    ] {
        let all = db.number(&format!("{pattern} RETURN count(b) AS n"));
        assert_eq!(all, 9, "{pattern}");
        let few = db.number(&format!(
            "USING HOPS LIMIT 3 {pattern} RETURN count(b) AS n"
        ));
        assert!(few <= 3, "{pattern}: {few}");
        let enough = format!("USING HOPS LIMIT 100 {pattern} RETURN count(b) AS n");
        assert_eq!(db.number(&enough), 9, "{pattern}");
        let none = format!("USING HOPS LIMIT 0 {pattern} RETURN count(b) AS n");
        assert_eq!(db.number(&none), 0, "{pattern}");
    }
    let exact = "USING HOPS LIMIT 4 MATCH (a:C {i: 0})-[:T*]->(b) RETURN count(b) AS n";
    assert_eq!(db.number(exact), 4);
}

#[test]
fn hops_are_counted_where_they_are_limited() {
    let db = chain();
    let counted = |limit: &str, pattern: &str| {
        db.number(&format!(
            "{limit} MATCH {pattern} WITH count(*) AS rows RETURN getHopsCounter() AS n"
        ))
    };
    assert_eq!(counted("USING HOPS LIMIT 100", "(:C {i: 0})-->(b)"), 6);
    assert_eq!(counted("USING HOPS LIMIT 5", "(:C {i: 0})-->(b)"), 5);
    assert_eq!(counted("USING HOPS LIMIT 100", "(:C {i: 0})-[:T*]->(b)"), 9);
    // As in Memgraph: without a limit nothing is counted.
    assert_eq!(counted("", "(:C {i: 0})-->(b)"), 0);
    for (limit, kind) in [
        (Value::Int(-1), ErrorKind::ArgumentError),
        (Value::Null, ErrorKind::TypeError),
    ] {
        let text = "USING HOPS LIMIT $limit MATCH (a)-->(b) RETURN b.i AS i";
        assert_eq!(with_limit(&db, text, limit).unwrap_err().kind(), kind);
    }
}

#[test]
fn large_values_of_a_row_are_looked_at_beside_what_a_query_holds() {
    let db = Db::new();
    let text = |rest: &str| {
        format!(
            "WITH reduce(t = 'a', i IN range(1, 16) | t + t) AS t {rest} QUERY MEMORY LIMIT 8 MB"
        )
    };
    let grown = "replace(t, 'a', 'abcdefghijklmnop')";
    // A text of 1 MiB for each of many rows, and one that a fold makes over and over.
    for rest in [
        format!("UNWIND range(1, 40) AS i WITH i, {grown} AS g RETURN sum(size(g)) AS n"),
        format!(
            "UNWIND range(1, 40) AS i WITH t, i WHERE size({grown}) > i RETURN sum(1048576) AS n"
        ),
        format!(
            "UNWIND range(1, 40) AS i WITH i, [x IN [i] | {grown}] AS g RETURN sum(size(g[0])) AS n"
        ),
        format!("RETURN reduce(n = 0, x IN range(1, 40) | n + size({grown})) AS n"),
    ] {
        assert_eq!(db.number(&text(&rest)), 40 << 20, "{rest}");
    }
    assert_eq!(
        db.number(&text(
            "RETURN size(reduce(s = t, x IN range(1, 500) | s + 'x')) AS n"
        )),
        (1 << 16) + 500
    );
    // One that is larger than the query may hold, several that are in one row, and both where others hold the rest.
    for rest in [
        "RETURN size(replace(t, 'a', left(t, 300))) AS n".to_owned(),
        "WITH t + t + t + t + t + t + t + t AS t WITH t + t + t + t + t + t + t + t AS t RETURN size(t + t + t) AS n".to_owned(),
        format!("RETURN size([{}]) AS n", [grown; 9].join(", ")),
        format!("RETURN {}", (0..9).map(|n| format!("{grown} AS n{n}")).collect::<Vec<_>>().join(", ")),
    ] {
        let error = db.error(&text(&rest));
        assert_eq!(error.kind(), ErrorKind::MemoryLimitExceeded, "{rest}: {error:?}");
    }
}
