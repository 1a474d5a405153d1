//! `MERGE` while others write: of two that look for the same, one gives way.

mod db;

use std::sync::Arc;

use db::{Db, Rows};
use quoit_cypher::error::Error;
use quoit_graph::value::Value;
use quoit_graph::{Access, Isolation, Txn};
use quoit_query::{Demand, Execution, Parameters, Step};

/// Runs a statement in a transaction that stays open.
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

#[test]
fn a_merge_gives_way_to_anothers_match_that_is_not_committed() {
    for text in [
        "MERGE (n:L {id: 1})",
        "MATCH (a:A), (b:B) MERGE (a)-[:T {p: 1}]->(b)",
        "MERGE (:X {id: 1})-[:T]->(:Y)",
    ] {
        let db = Db::new();
        db.run("CREATE (:A), (:B)");
        let (mut first, mut second) = (begin(&db), begin(&db));
        run_in(&db, &mut first, text).unwrap();
        let error = run_in(&db, &mut second, text).unwrap_err();
        assert!(error.is_transient(), "{text}: {error:?}");
        drop(second);
        first.commit().unwrap();
        let before = db.number("MATCH (n) OPTIONAL MATCH (n)-[r]->() RETURN count(n) + count(r)");
        db.run(text);
        let after = db.number("MATCH (n) OPTIONAL MATCH (n)-[r]->() RETURN count(n) + count(r)");
        assert_eq!(before, after, "{text}");
    }
}

#[test]
fn a_merge_gives_way_to_a_match_that_is_newer_than_what_it_sees() {
    let db = Db::new();
    let mut late = begin(&db);
    run_in(&db, &mut late, "MATCH (n) RETURN n").unwrap();
    db.run("CREATE (:L {id: 1})");
    let error = run_in(&db, &mut late, "MERGE (n:L {id: 1})").unwrap_err();
    assert!(error.is_transient(), "{error:?}");
}

#[test]
fn a_merge_does_not_give_way_to_what_was_undone_or_is_another_key() {
    let db = Db::new();
    let mut other = begin(&db);
    run_in(&db, &mut other, "MERGE (n:L {id: 2})").unwrap();
    let mut undone = begin(&db);
    run_in(&db, &mut undone, "MERGE (n:L {id: 1})").unwrap();
    undone.rollback();
    db.run("UNWIND [1, 1, 3] AS i MERGE (n:L {id: i})");
    other.commit().unwrap();
    assert_eq!(db.number("MATCH (n:L) RETURN count(n)"), 3);
}

#[test]
fn what_a_merge_looks_for_is_computed_once_in_the_state_that_the_statement_sees() {
    let db = Db::new();
    db.run("CREATE (:A {v: 1})");
    let mut changing = begin(&db);
    run_in(&db, &mut changing, "MATCH (a:A) SET a.v = 2").unwrap();
    // The newest state has 2; what is looked for and created is 1.
    db.run("MATCH (a:A) MERGE (:L {id: a.v})");
    changing.rollback();
    assert_eq!(db.run("MATCH (n:L) RETURN n.id"), vec![vec![Value::Int(1)]]);
    let parameters: Parameters = [(Arc::from("x"), Value::Null)].into_iter().collect();
    assert!(db.try_run("MERGE (:L {id: $x})", &parameters).is_err());
}

#[test]
fn an_edge_between_a_hub_and_a_vertex_of_few_edges_is_merged_from_either_end() {
    let db = Db::new();
    db.run("CREATE INDEX ON :N(i)");
    db.run("CREATE (h:Hub {i: 0}) WITH h UNWIND range(1, 3000) AS i CREATE (h)-[:T]->(:N {i: i})");
    db.run("MATCH (n:N {i: 7}) CREATE (:N {i: -1})-[:T]->(n)");
    for text in [
        "MATCH (h:Hub), (n:N {i: 7}) MERGE (h)-[r:T]->(n) RETURN count(r)",
        "MATCH (h:Hub), (n:N {i: 7}) MERGE (n)<-[r:T]-(h) RETURN count(r)",
        "MATCH (h:Hub), (n:N {i: 7}) MERGE (n)-[r:T]-(h) RETURN count(r)",
    ] {
        assert_eq!(db.number(text), 1, "{text}");
        assert_eq!(
            db.number("MATCH (:Hub)-[r]->() RETURN count(r)"),
            3000,
            "{text}"
        );
    }
    db.run("MATCH (h:Hub), (n:N {i: 7}) MERGE (n)-[:T]->(h)");
    db.run("MATCH (h:Hub), (n:N {i: -1}) MERGE (h)-[:U]->(n) MERGE (h)-[:U]->(n)");
    assert_eq!(
        db.number("MATCH (:Hub)<-[r:T]-(n:N {i: 7}) RETURN count(r)"),
        1
    );
    assert_eq!(db.number("MATCH (:Hub)-[r:U]->(n) RETURN count(r)"), 1);
}

#[test]
fn a_match_that_rests_on_what_the_row_created_is_nobody_elses() {
    let db = Db::new();
    db.run("CREATE (a:A)-[:T {old: true}]->(b:B), (b)-[:T {old: true}]->(a)");
    let made = "MATCH (a:A), (b:B) MERGE (a)-[r:T]->(b)-[s:U]->(c) RETURN count(*)";
    assert_eq!(db.number(made), 1);
    assert_eq!(db.number("MATCH ()-[r:T]->() RETURN count(r)"), 3);
    // Both ways through the old relationship and the new one.
    assert_eq!(db.number(made), 2);
}
