//! Queries through indexes give what they give without them.

mod db;

use std::sync::Arc;

use db::{Db, INDEXED, Rows, indexed_people, people};
use quoit_cypher::error::ErrorKind;
use quoit_graph::value::Value;
use quoit_query::{Demand, Execution, Parameters, Step};

#[test]
fn an_index_changes_no_result() {
    let (plain, indexed) = (people(), indexed_people());
    let parameters: Parameters = [
        (Arc::from("id"), Value::Int(42)),
        (
            Arc::from("ids"),
            Value::list(vec![Value::Int(5), Value::Int(6)]),
        ),
    ]
    .into_iter()
    .collect();
    let mut through_index = 0;
    for text in INDEXED {
        let bag = |db: &Db| {
            let mut rows = db
                .try_run(text, &parameters)
                .unwrap_or_else(|error| panic!("{text}: {error:?}"))
                .0;
            rows.sort();
            rows
        };
        assert_eq!(bag(&plain), bag(&indexed), "{text}");
        assert!(
            !plain.explain(text).contains("ScanAllByLabelProperties"),
            "{text}"
        );
        through_index += usize::from(indexed.explain(text).contains("ScanAllByLabelProperties"));
    }
    assert!(
        through_index >= INDEXED.len() - 1,
        "only {through_index} queries went through an index"
    );
}

#[test]
fn a_dropped_index_is_no_longer_used() {
    let db = people();
    db.run("CREATE INDEX ON :Person(id)");
    let text = "MATCH (n:Person {id: 17}) RETURN n.id";
    assert!(db.explain(text).contains("ScanAllByLabelProperties"));
    assert_eq!(db.number(text), 17);
    db.run("DROP INDEX ON :Person(id)");
    // The plan kept from before is not used again.
    assert_eq!(db.number(text), 17);
    assert!(!db.explain(text).contains("ScanAllByLabelProperties"));
}

#[test]
fn a_reader_whose_index_is_dropped_is_asked_to_try_again() {
    let db = people();
    db.run("CREATE INDEX ON :Person(id)");
    let text = "MATCH (n:Person) WHERE n.id >= 0 RETURN n.id";
    let prepared = db.engine.prepare(text, &db.core).unwrap();
    assert!(db.explain(text).contains("ScanAllByLabelProperties"));
    let mut txn = db.begin(false);
    let mut execution = Execution::new(prepared, &Parameters::new()).unwrap();
    execution.request(Demand::Rows(1));
    let mut rows = Rows::default();
    let first = execution.step(&mut txn, &db.core, &|| true, &mut rows);
    assert!(matches!(first, Ok(Step::Rows | Step::Yield)), "{first:?}");
    db.run("DROP INDEX ON :Person(id)");
    execution.request(Demand::All);
    let error = loop {
        match execution.step(&mut txn, &db.core, &|| true, &mut rows) {
            Ok(Step::Done) => panic!("it went on without its index"),
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), ErrorKind::TransactionConflict);
    assert!(error.message().contains(":Person"), "{error:?}");
    // The same transaction goes on without the index.
    let prepared = db.engine.prepare(text, &db.core).unwrap();
    let mut again = Execution::new(prepared, &Parameters::new()).unwrap();
    again.request(Demand::All);
    let mut rows = Rows::default();
    while again
        .step(&mut txn, &db.core, &|| false, &mut rows)
        .unwrap()
        != Step::Done
    {}
    assert_eq!(rows.0.len(), 300);
}

/// Values of every kind that is stored, some of them several times, in a fixed order that is not theirs.
const VALUES: &[&str] = &[
    "3",
    "'b'",
    "1.5",
    "null",
    "true",
    "-7",
    "'a'",
    "[1, 2]",
    "0.0 / 0.0",
    "date('2024-01-02')",
    "3.0",
    "'aa'",
    "false",
    "[]",
    "'ab'",
    "9223372036854775807",
    "null",
    "'b'",
    "-0.0",
    "0",
    "duration('P1D')",
    "[1, null]",
    "localtime('10:00')",
    "''",
    "-1.0 / 0.0",
    "'ü'",
];

/// Vertices with all pairs of values, so that leading keys repeat.
fn mixed() -> Db {
    let db = Db::new();
    for (at, a) in VALUES.iter().enumerate() {
        for (step, b) in VALUES.iter().enumerate().step_by(3) {
            db.run(&format!(
                "CREATE (:M {{a: {a}, b: {b}, c: {}}})",
                (at * 7 + step) % 5
            ));
        }
    }
    db
}

/// Conditions on `a`, `b` and `c`.
const CONDITIONS: &[&str] = &[
    "n.a = 3",
    "n.a = 'b' AND n.b = 'b'",
    "n.a = 3 AND n.b > 1",
    "n.a = 3 AND n.b <= 'z'",
    "n.a IN [3, 'b'] AND n.b IN ['a', 0]",
    "n.a IN ['b', 3, true] AND n.b > 'a' AND n.b < 'z'",
    "n.a = true AND n.b STARTS WITH 'a'",
    "n.a > 'a'",
    "n.a >= -7 AND n.a < 3",
    "n.a < 0",
    "n.a IS NOT NULL",
    "n.a IS NOT NULL AND n.b IS NOT NULL",
    "n.a = 3 AND n.b IS NOT NULL AND n.c = 2",
    "n.a STARTS WITH 'a'",
    "n.a = [1, 2]",
    "n.a >= date('2020-01-01')",
    "n.a > false",
    "n.a = 0.0 / 0.0",
    "n.a = 0",
    "n.c > 1 AND n.a = 'b'",
    "n.b = 0 AND n.c = 1",
];

/// What `ORDER BY` names.
const ORDERS: &[&str] = &[
    "n.a",
    "n.a DESC",
    "n.a, n.b",
    "n.a DESC, n.b DESC",
    "n.a, n.b DESC",
    "n.b",
    "n.b DESC",
    "n.b, n.a",
    "n.a, n.b, n.c",
    "n.c, n.a",
];

fn rows(db: &Db, text: &str) -> Vec<Vec<Value>> {
    db.run(text)
}

#[test]
fn every_index_finds_what_a_scan_finds() {
    let plain = mixed();
    for index in ["a", "a, b", "b, a", "a, b, c", "b, c"] {
        let indexed = mixed();
        indexed.run(&format!("CREATE INDEX ON :M({index})"));
        let mut through_index = 0;
        for condition in CONDITIONS {
            let text = format!("MATCH (n:M) WHERE {condition} RETURN n.a, n.b, n.c");
            let bag = |db: &Db| {
                let mut rows = rows(db, &text);
                rows.sort();
                rows
            };
            assert_eq!(bag(&plain), bag(&indexed), "{text} by ({index})");
            through_index +=
                usize::from(indexed.explain(&text).contains("ScanAllByLabelProperties"));
        }
        assert!(through_index > 0, "nothing went through ({index})");
    }
}

#[test]
fn an_order_that_an_index_has_is_not_sorted_and_is_the_same() {
    let plain = mixed();
    let mut unsorted = 0;
    for index in ["a", "a, b", "b, a"] {
        let indexed = mixed();
        indexed.run(&format!("CREATE INDEX ON :M({index})"));
        for condition in CONDITIONS.iter().step_by(2) {
            for order in ORDERS {
                for cut in ["", " SKIP 2 LIMIT 7"] {
                    // Only what is sorted by is returned, so that rows that are alike do not matter.
                    let columns = order.replace(" DESC", "");
                    let text = format!(
                        "MATCH (n:M) WHERE {condition} RETURN {columns} ORDER BY {order}{cut}"
                    );
                    assert_eq!(
                        rows(&plain, &text),
                        rows(&indexed, &text),
                        "{text} by ({index})"
                    );
                    unsorted += usize::from(!indexed.explain(&text).contains("OrderBy"));
                }
            }
        }
        let text =
            "MATCH (n:M) WHERE n.a > 'a' WITH n.a AS x, n.b AS y ORDER BY x LIMIT 4 RETURN x";
        assert_eq!(rows(&plain, text), rows(&indexed, text));
        let changing = "MATCH (n:M) WHERE n.a > -100 SET n.a = -n.a RETURN n.a AS x ORDER BY x";
        assert!(
            indexed.explain(changing).contains("OrderBy"),
            "a change comes between"
        );
    }
    assert!(unsorted > 40, "only {unsorted} queries were not sorted");
}

#[test]
fn an_index_that_the_author_asks_for_is_used() {
    let db = people();
    db.run("CREATE INDEX ON :Person(age)");
    db.run("CREATE INDEX ON :Person(id)");
    let text = "MATCH (n:Person) WHERE n.id = 7 AND n.age = 0 RETURN n.name";
    let hinted = format!("USING INDEX :Person(age) {text}");
    assert!(db.explain(text).contains("{id}"), "{}", db.explain(text));
    assert!(
        db.explain(&hinted).contains("{age}"),
        "{}",
        db.explain(&hinted)
    );
    assert_eq!(db.run(text), db.run(&hinted));
    let hinted =
        "MATCH (n:Person) USING INDEX n:Person(age) WHERE n.id = 7 AND n.age = 0 RETURN n.name";
    assert!(
        db.explain(hinted).contains("{age}"),
        "{}",
        db.explain(hinted)
    );
}

#[test]
fn all_of_a_label_are_gone_through_where_the_author_asks_for_it() {
    let db = people();
    db.run("CREATE INDEX ON :Person(id)");
    db.run("CREATE (:Few)-[:T]->(:Person {id: -7})");
    for (text, scanned, is_by_index) in [
        (
            "MATCH (n:Person) HINT WHERE n.id = 7 RETURN n.name",
            "n",
            true,
        ),
        (
            "MATCH (m:Few)-[:T]->(n:Person) HINT RETURN n.id",
            "n",
            false,
        ),
    ] {
        let free = text.replace("HINT", "");
        let hinted = text.replace("HINT", &format!("USING SCAN {scanned}:Person"));
        assert!(
            !db.explain(&free).contains("ScanAllByLabel (n :Person)"),
            "{free}"
        );
        assert_eq!(db.explain(&free).contains("{id}"), is_by_index, "{free}");
        let plan = db.explain(&hinted);
        assert!(
            plan.contains("ScanAllByLabel") && plan.contains(":Person"),
            "{plan}"
        );
        assert!(!plan.contains("{id}") && !plan.contains(" :Few)"), "{plan}");
        assert_eq!(db.run(&hinted), db.run(&free), "{hinted}");
    }
}

#[test]
fn the_index_with_the_fewest_entries_for_a_value_is_chosen() {
    let db = Db::new();
    db.run("CREATE INDEX ON :P(few)");
    db.run("CREATE INDEX ON :P(many)");
    db.run("UNWIND range(1, 1000) AS i CREATE (:P {few: i % 2, many: i % 500})");
    let plan = db.explain("MATCH (n:P {few: 1, many: 7}) RETURN n");
    assert!(plan.contains("{many}"), "{plan}");
}

/// Edges with properties of every kind, several between the same ends, loops, and of two types.
fn linked() -> Db {
    let db = Db::new();
    db.run("UNWIND range(0, 9) AS i CREATE (:N {i: i})");
    for (at, value) in VALUES.iter().enumerate() {
        let (from, to) = (at % 7, at * at % 10);
        db.run(&format!(
            "MATCH (a:N {{i: {from}}}), (b:N {{i: {to}}}) CREATE (a)-[:T {{p: {value}, q: {}}}]->(b), (a)-[:T {{p: {value}}}]->(a), (b)-[:U {{p: {value}}}]->(a)",
            at % 4
        ));
    }
    db
}

#[test]
fn an_index_on_edges_finds_what_a_walk_finds() {
    let plain = linked();
    let queries = [
        "MATCH (a)-[r:T]->(b) WHERE {c} RETURN a.i, r.p, r.q, b.i",
        "MATCH (a)<-[r:T]-(b) WHERE {c} RETURN a.i, r.p, b.i",
        "MATCH (a)-[r:T]-(b) WHERE {c} RETURN a.i, r.p, b.i",
        "MATCH (a)-[r:T]->(a) WHERE {c} RETURN a.i, r.p",
        "MATCH ()-[r:T]->(b)-[s:U]->(c) WHERE {c} RETURN r.p, s.p, b.i, c.i",
        "MATCH ()-[r:T]->(b)<-[s:T]-() WHERE {c} RETURN r.p, s.p, b.i",
        "MATCH ()-[r:T]->(b:N) WHERE {c} AND b.i > 3 RETURN r.p, b.i",
        "MATCH ()-[r:T]->() WHERE {c} WITH count(r) AS n RETURN n",
        "UNWIND [1, 2] AS x MATCH ()-[r:T]->() WHERE {c} RETURN x, r.p",
    ];
    let conditions = [
        "r.p = 3",
        "r.p IN ['a', 'b', 0]",
        "r.p > 'a'",
        "r.p IS NOT NULL",
        "r.p = 'b' AND r.q = 1",
        "r.p STARTS WITH 'a'",
        "r.q > 1 AND r.q <= 3",
        "true",
    ];
    for index in ["", "(p)", "(p, q)", "(q)"] {
        let indexed = linked();
        indexed.run(&format!("CREATE EDGE INDEX ON :T{index}"));
        let mut through_index = 0;
        for query in queries {
            for condition in conditions {
                let text = query.replace("{c}", condition);
                let bag = |db: &Db| {
                    let mut rows = rows(db, &text);
                    rows.sort();
                    rows
                };
                assert_eq!(bag(&plain), bag(&indexed), "{text} by :T{index}");
                through_index += usize::from(indexed.explain(&text).contains("ScanAllByEdgeType"));
            }
        }
        assert!(through_index > 0, "nothing went through :T{index}");
    }
    assert!(
        !plain
            .explain("MATCH ()-[r:T {p: 3}]->() RETURN r")
            .contains("ScanAllByEdgeType")
    );
}

#[test]
fn the_order_of_edges_comes_from_their_index() {
    let (plain, indexed) = (linked(), linked());
    indexed.run("CREATE EDGE INDEX ON :T(p)");
    for order in ["", " DESC"] {
        let text = format!(
            "MATCH ()-[r:T]->() WHERE r.p IS NOT NULL RETURN r.p ORDER BY r.p{order} LIMIT 9"
        );
        assert_eq!(rows(&plain, &text), rows(&indexed, &text));
        assert!(
            !indexed.explain(&text).contains("OrderBy"),
            "{}",
            indexed.explain(&text)
        );
    }
}

#[test]
fn an_index_on_edges_follows_changes() {
    let db = Db::new();
    db.run("CREATE EDGE INDEX ON :T(p)");
    db.run("CREATE (a:A), (b:B), (a)-[:T {p: 1}]->(b), (a)-[:T]->(b)");
    let count = |p: i64| db.number(&format!("MATCH ()-[r:T {{p: {p}}}]->() RETURN count(r)"));
    assert_eq!(count(1), 1);
    db.run("MATCH ()-[r:T {p: 1}]->() SET r.p = 2");
    assert_eq!((count(1), count(2)), (0, 1));
    db.run("MATCH ()-[r:T]->() WHERE r.p IS NULL SET r.p = 2");
    assert_eq!(count(2), 2);
    db.run("MATCH (a:A) DETACH DELETE a");
    assert_eq!(count(2), 0);
}
