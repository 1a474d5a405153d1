//! What the TCK does not ask: indexes, paging, yielding, budgets, subqueries that write, refusals, plans.

mod db;

use std::cell::Cell;
use std::sync::Arc;

use db::{Db, INDEXED, Rows, indexed_people, people};
use quoit_cypher::error::{Detail, ErrorKind};
use quoit_graph::value::Value;
use quoit_graph::{Access, Isolation};
use quoit_query::{Demand, Execution, Kind, Parameters, Step};

#[test]
fn rows_are_given_on_demand_and_more_is_known() {
    let db = Db::new();
    let prepared = db
        .engine
        .prepare("UNWIND range(1, 1000) AS i RETURN i", &db.core)
        .unwrap();
    let mut txn = db.begin(false);
    let mut execution = Execution::new(prepared, &Parameters::new()).unwrap();
    let mut rows = Rows::default();
    let mut pull = |demand: Demand, rows: &mut Rows| {
        execution.request(demand);
        loop {
            match execution.step(&mut txn, &db.core, &|| false, rows).unwrap() {
                Step::Yield => {}
                step => break step,
            }
        }
    };
    assert_eq!(pull(Demand::Rows(10), &mut rows), Step::Rows);
    assert_eq!(pull(Demand::Discard(489), &mut rows), Step::Rows);
    assert_eq!(pull(Demand::Rows(1), &mut rows), Step::Rows);
    assert_eq!(rows.0.len(), 11);
    assert_eq!(rows.0[10], vec![Value::Int(500)]);
    assert_eq!(pull(Demand::Rows(500), &mut rows), Step::Done);
    assert_eq!(rows.0.last(), Some(&vec![Value::Int(1000)]));
    assert_eq!(pull(Demand::Rows(1), &mut rows), Step::Done);
}

#[test]
fn a_query_that_is_interrupted_all_the_time_gives_the_same_rows() {
    let (plain, indexed) = (people(), indexed_people());
    let texts = INDEXED.iter().chain(&[
        "MATCH (a:Person)-[:KNOWS*2]->(b) RETURN a.id, count(b) ORDER BY a.id LIMIT 20",
        "MATCH (a:Person) OPTIONAL MATCH (a)-[:KNOWS]->(b {age: 3}) RETURN a.id, b.id",
        "MATCH (a:Person) CALL { WITH a MATCH (a)-->(b) RETURN count(b) AS n } RETURN a.id, n",
        "MATCH (a:Person) RETURN DISTINCT a.age UNION MATCH (b:Person) RETURN b.score AS `a.age`",
        "UNWIND range(1, 2000) AS i UNWIND range(i, 3) AS j RETURN i, j",
        "MATCH (a:Person), (b:Person) WHERE a.age = b.score RETURN a.id, b.id",
        "MATCH (a:Person), (b:Person) WHERE a.id < 20 AND b.age = 3 RETURN a.id, b.id",
        "UNWIND range(1, 600) AS i MATCH (b:Person {age: i % 9}) WHERE b.id < 100 RETURN i, b.id",
        "MATCH (n:Person) WHERE n.score > 20 OR n.name = 'name3' RETURN n.age, count(DISTINCT n.name)",
        "UNWIND range(1, 2000) AS i RETURN i SKIP 1500",
        "UNWIND range(1, 2000) AS i CALL { WITH i UNWIND range(1990, i, 3) AS j RETURN j } RETURN i, j",
    ]);
    for (text, db) in texts.flat_map(|text| [(text, &plain), (text, &indexed)]) {
        let parameters: Parameters = [
            (Arc::from("id"), Value::Int(42)),
            (Arc::from("ids"), Value::list(vec![Value::Int(5)])),
        ]
        .into_iter()
        .collect();
        let straight = db.try_run(text, &parameters).unwrap().0;
        let prepared = db.engine.prepare(text, &db.core).unwrap();
        let mut txn = db.begin(false);
        let mut execution = Execution::new(prepared, &parameters).unwrap();
        execution.request(Demand::All);
        let mut rows = Rows::default();
        let looks = Cell::new(0_u32);
        let often = || {
            looks.set(looks.get() + 1);
            looks.get().is_multiple_of(2)
        };
        while execution
            .step(&mut txn, &db.core, &often, &mut rows)
            .unwrap()
            != Step::Done
        {}
        assert_eq!(rows.0, straight, "{text}");
    }
}

#[test]
fn a_range_that_is_unwound_has_no_bound_and_makes_no_list() {
    let db = Db::new();
    let (min, max) = (i64::MIN, i64::MAX);
    let ints = |numbers: &[i64]| -> Vec<Vec<Value>> {
        numbers.iter().map(|n| vec![Value::Int(*n)]).collect()
    };
    for (range, first) in [
        ("1, 1000000000".to_owned(), &[1, 2, 3][..]),
        (format!("{min}, {max}"), &[min, min + 1, min + 2]),
        (format!("{max}, {min}, -1"), &[max, max - 1, max - 2]),
        (format!("{min}, {max}, {max}"), &[min, -1, max - 1]),
        (format!("{}, {max}, 2", max - 2), &[max - 2, max]),
        ("1, 0".to_owned(), &[]),
        ("1, 2, -1".to_owned(), &[]),
    ] {
        let text = format!("UNWIND range({range}) AS i RETURN i LIMIT 3");
        assert_eq!(db.run(&text), ints(first), "{text}");
    }
    // Each row has its own ends, and batches are cut anywhere.
    assert_eq!(
        db.number("UNWIND range(1, 700) AS i UNWIND range(i, 700, 3) AS j RETURN sum(j - i) AS n"),
        (1..=700_i64)
            .flat_map(|i| (i..=700).step_by(3).map(move |j| j - i))
            .sum::<i64>()
    );
    // What the list of a range refuses is refused here in the same words, except its length.
    for args in [
        "1, 2, 0",
        "null, 2",
        "1, null",
        "1, 2.0",
        "'a', 2",
        "1, 2, null",
    ] {
        let list = db.error(&format!(
            "WITH range({args}) AS list UNWIND list AS i RETURN i"
        ));
        let text = format!("UNWIND range({args}) AS i RETURN i");
        let error = db.error(&text);
        assert_eq!(
            (error.kind(), error.detail(), error.message()),
            (list.kind(), list.detail(), list.message()),
            "{text}"
        );
        let place = error.span().expect("it has a place").text(&text);
        assert_eq!(place, format!("range({args})"));
    }
    for text in [
        "WITH range(1, 1000000000) AS list UNWIND list AS i RETURN i",
        // A number of rows is computed without a yield.
        "RETURN 1 AS n LIMIT reduce(s = 0, i IN range(1, 1000000000) | 1)",
    ] {
        assert_eq!(db.error(text).detail(), Detail::NumberOutOfRange, "{text}");
    }
    assert_eq!(
        db.number("RETURN COUNT { UNWIND range(1, 1000) AS i RETURN i } AS n"),
        1000
    );
}

#[test]
fn a_long_range_yields_whatever_is_done_with_its_numbers() {
    let db = Db::new();
    for rest in [
        "RETURN count(*)",
        "WITH i WHERE i < 0 RETURN i",
        "UNWIND [] AS j RETURN j",
        "UNWIND range(i, 0) AS j RETURN j",
        "RETURN i SKIP 999999999999",
        "RETURN i ORDER BY i DESC LIMIT 1",
        "RETURN DISTINCT i % 7 AS j",
        "MATCH (n) RETURN n",
        "MATCH (n:A) WHERE id(n) = i RETURN n",
        "MATCH (n:A {i: i}) RETURN n",
        "CALL { WITH i UNWIND range(i, 0) AS j RETURN j } RETURN j",
        "CALL { WITH i WITH i WHERE i < 0 RETURN i AS j } RETURN j",
        "WITH null AS n MATCH (n)-->(m) RETURN m",
        "WITH null AS n MATCH (n)-[*]->(m) RETURN m",
        "WITH null AS r MATCH (n)-[r]->(m) RETURN m",
    ] {
        let text = format!("UNWIND range(1, 1000000000000) AS i {rest}");
        let prepared = db.engine.prepare(&text, &db.core).unwrap();
        let mut txn = db.begin(false);
        let mut execution = Execution::new(prepared, &Parameters::new()).unwrap();
        execution.request(Demand::All);
        for _ in 0..5 {
            let mut rows = Rows::default();
            let step = execution.step(&mut txn, &db.core, &|| true, &mut rows);
            assert_eq!(step, Ok(Step::Yield), "{text}");
        }
    }
}

#[test]
fn effects_are_not_cut_by_limit_or_by_a_client_that_stops_pulling() {
    let db = Db::new();
    db.run("UNWIND range(1, 1000) AS i CREATE (n:A {i: i}) RETURN n LIMIT 1");
    assert_eq!(db.number("MATCH (n:A) RETURN count(n)"), 1000);
    db.run("UNWIND range(1, 1000) AS i CALL { WITH i CREATE (:B {i: i}) } RETURN i LIMIT 0");
    assert_eq!(db.number("MATCH (n:B) RETURN count(n)"), 1000);
    let prepared = db
        .engine
        .prepare("MATCH (n:A) SET n.seen = true RETURN n", &db.core)
        .unwrap();
    let mut txn = db.begin(true);
    let mut execution = Execution::new(prepared, &Parameters::new()).unwrap();
    execution.request(Demand::Rows(1));
    let mut rows = Rows::default();
    while execution
        .step(&mut txn, &db.core, &|| false, &mut rows)
        .unwrap()
        == Step::Yield
    {}
    txn.commit().unwrap();
    assert_eq!(rows.0.len(), 1);
    assert_eq!(db.number("MATCH (n:A {seen: true}) RETURN count(n)"), 1000);
}

#[test]
fn a_scan_does_not_feed_on_what_its_statement_creates() {
    let db = Db::new();
    db.run("UNWIND range(1, 2000) AS i CREATE (:A)");
    db.run("MATCH (a:A) CREATE (:A)");
    assert_eq!(db.number("MATCH (a:A) RETURN count(a)"), 4000);
    db.run("MATCH (a:A) CALL { CREATE (:A) }");
    assert_eq!(db.number("MATCH (a:A) RETURN count(a)"), 8000);
    db.run("MATCH (a:A) FOREACH (i IN [1] | CREATE (:A))");
    assert_eq!(db.number("MATCH (a:A) RETURN count(a)"), 16_000);
}

#[test]
fn merge_finds_what_it_created_for_an_earlier_row() {
    let db = Db::new();
    let (rows, stats) = db
        .try_run(
            "UNWIND [1, 2, 1, 2, 1] AS i MERGE (n:M {i: i}) ON CREATE SET n.count = 1 ON MATCH SET n.count = n.count + 1 RETURN n.i",
            &Parameters::new(),
        )
        .unwrap();
    assert_eq!((rows.len(), stats.vertices_created), (5, 2));
    assert_eq!(db.number("MATCH (n:M {i: 1}) RETURN n.count"), 3);
}

#[test]
fn a_read_of_a_transaction_goes_on_seeing_what_it_began_with() {
    let db = people();
    let mut txn = db.core.begin(Access::Write, Isolation::Snapshot);
    let read = db
        .engine
        .prepare("MATCH (n:Person) RETURN n.id", &db.core)
        .unwrap();
    let mut reading = Execution::new(read, &Parameters::new()).unwrap();
    let mut rows = Rows::default();
    reading.request(Demand::Rows(1));
    while reading
        .step(&mut txn, &db.core, &|| false, &mut rows)
        .unwrap()
        == Step::Yield
    {}
    let write = db
        .engine
        .prepare(
            "UNWIND range(1, 3000) AS i CREATE (:Person {id: -i})",
            &db.core,
        )
        .unwrap();
    let mut writing = Execution::new(write, &Parameters::new()).unwrap();
    writing.request(Demand::DiscardAll);
    while writing
        .step(&mut txn, &db.core, &|| false, &mut Rows::default())
        .unwrap()
        != Step::Done
    {}
    reading.request(Demand::All);
    while reading
        .step(&mut txn, &db.core, &|| false, &mut rows)
        .unwrap()
        != Step::Done
    {}
    assert_eq!(rows.0.len(), 300);
    txn.rollback();
    assert_eq!(db.number("MATCH (n:Person) RETURN count(n)"), 300);
}

#[test]
fn statements_say_what_they_are_without_running() {
    let db = Db::new();
    for (text, kind, query_type, columns) in [
        ("RETURN 1 AS one", Kind::Read, "r", 1),
        ("MATCH (n) RETURN n, count(*)", Kind::Read, "r", 2),
        ("CREATE (n)", Kind::Write, "w", 0),
        ("MATCH (n) SET n.a = 1", Kind::ReadWrite, "rw", 0),
        ("CREATE INDEX ON :A(b)", Kind::Schema, "s", 0),
        ("SHOW REPLICAS", Kind::Admin, "s", 0),
        ("EXPLAIN CREATE (n)", Kind::Read, "r", 1),
    ] {
        let prepared = db
            .engine
            .prepare(text, &db.core)
            .unwrap_or_else(|error| panic!("{text}: {error:?}"));
        assert_eq!(
            (
                prepared.kind(),
                prepared.query_type(),
                prepared.columns().len()
            ),
            (kind, query_type, columns),
            "{text}"
        );
        assert_eq!(prepared.admin().is_some(), kind == Kind::Admin);
    }
    db.run("EXPLAIN CREATE (n)");
    assert_eq!(db.number("MATCH (n) RETURN count(n)"), 0);
}

#[test]
fn an_explained_plan_begins_with_the_columns_of_its_query() {
    let db = Db::new();
    for (text, first) in [
        ("MATCH (n) RETURN n", " * Produce {n}"),
        (
            "MATCH (n) RETURN n.a AS a, count(*)",
            " * Produce {a, count(*)}",
        ),
        ("RETURN 1 AS one UNION RETURN 2 AS one", " * Produce {one}"),
    ] {
        assert_eq!(db.explain(text).lines().next(), Some(first), "{text}");
        let prepared = db
            .engine
            .prepare(&format!("EXPLAIN {text}"), &db.core)
            .unwrap();
        assert_eq!(prepared.columns(), [Arc::from("QUERY PLAN")]);
    }
}

#[test]
fn the_second_use_of_a_text_comes_from_the_cache() {
    let db = people();
    let text = "MATCH (n:Person) WHERE n.id = $id RETURN n.name";
    for _ in 0..3 {
        db.engine.prepare(text, &db.core).unwrap();
    }
    assert_eq!(db.engine.cache_hits(), 2);
    // Literals are values of the run: texts that differ in them alone share a plan.
    for id in [3, 5, 250] {
        let name = Value::from(format!("name{}", id % 50));
        let text =
            format!("MATCH (n:Person) WHERE n.id = {id} AND n.age > -{id} RETURN n.name LIMIT 1");
        assert_eq!(db.run(&text), vec![vec![name]]);
    }
    assert_eq!(db.engine.cache_hits(), 4);
    assert_eq!(
        db.error("MATCH (n:Person {id: 3}) RETURN n.id / 0 AS x")
            .detail(),
        Detail::DivisionByZero
    );
    let error = db.error("MATCH (n:Person {id: 33333}) WITH count(n) AS c RETURN (c + 1) / 0 AS x");
    assert!(error.span().is_some());
    let error = db.error("MATCH (n:Person {id: 3}) WITH count(n) AS c RETURN (c + 1) / 0 AS x");
    assert_eq!(
        (error.detail(), error.span()),
        (Detail::DivisionByZero, None)
    );
    assert!(db.engine.prepare("MATCH (n", &db.core).is_err());
}

#[test]
fn what_cannot_be_done_yet_is_refused_by_name_and_place() {
    let db = Db::new();
    for (text, part) in [
        (
            "MATCH ANY SHORTEST (a)-[*BFS]->(b)-->(c) RETURN c",
            "a search within a path",
        ),
        ("LOAD JSONL FROM 'x' AS row RETURN row", "LOAD JSONL"),
        (
            "RETURN EXISTS { LOAD CSV FROM 'x' AS row RETURN row } AS e",
            "within an expression",
        ),
        ("CREATE POINT INDEX ON :A(b)", "point index"),
        ("CREATE INDEX ON :A(b.c)", "within a map"),
        (
            "CREATE CONSTRAINT FOR ()-[r:A]-() REQUIRE r.b IS UNIQUE",
            "on relationships",
        ),
    ] {
        let error = db.error(text);
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{text}: {error:?}");
        assert!(error.message().contains(part), "{text}: {error:?}");
        assert!(error.span().is_some(), "{text}");
    }
}

#[test]
fn a_query_that_holds_too_much_is_stopped() {
    let db = Db::new();
    for text in [
        "UNWIND range(1, 100000) AS i WITH i ORDER BY -i RETURN count(i)",
        "UNWIND range(1, 100000) AS i RETURN DISTINCT toString(i)",
        "UNWIND range(1, 100000) AS i RETURN i, count(*)",
        "UNWIND range(1, 100000) AS i RETURN collect(i)",
        "UNWIND range(1, 100000) AS i CREATE (:A {i: i})",
    ] {
        let prepared = db.engine.prepare(text, &db.core).unwrap();
        let mut txn = db.begin(prepared.writes());
        let mut execution = Execution::with_limit(prepared, &Parameters::new(), 1 << 20).unwrap();
        execution.request(Demand::DiscardAll);
        let error = loop {
            match execution.step(&mut txn, &db.core, &|| false, &mut Rows::default()) {
                Ok(Step::Done) => panic!("{text}: no error"),
                Ok(_) => {}
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), ErrorKind::MemoryLimitExceeded, "{text}");
        txn.rollback();
    }
    assert_eq!(db.number("MATCH (n) RETURN count(n)"), 0);
}

#[test]
fn a_limit_behind_a_sort_keeps_only_what_it_needs() {
    let db = Db::new();
    let text = "UNWIND range(1, 100000) AS i RETURN i ORDER BY -i SKIP 1 LIMIT 3";
    let prepared = db.engine.prepare(text, &db.core).unwrap();
    let mut txn = db.begin(false);
    let mut execution = Execution::with_limit(prepared, &Parameters::new(), 1 << 20).unwrap();
    execution.request(Demand::All);
    let mut rows = Rows::default();
    while execution
        .step(&mut txn, &db.core, &|| false, &mut rows)
        .unwrap()
        != Step::Done
    {}
    assert_eq!(
        rows.0,
        [99_999, 99_998, 99_997]
            .map(|number| vec![Value::Int(number)])
            .to_vec()
    );
}

#[test]
fn long_scripts_run_or_are_refused_and_never_exhaust_the_stack() {
    // The stack that a core's thread has.
    let thread = std::thread::Builder::new().stack_size(256 << 20);
    let scripts = thread.spawn(run_long_scripts).expect("a thread starts");
    scripts.join().expect("all of them ran or were refused");
}

fn run_long_scripts() {
    let db = Db::new();
    db.run(&"CREATE (:A {i: 1}) ".repeat(3000));
    assert_eq!(db.number("MATCH (n:A) RETURN count(n)"), 3000);
    // Just below the bound every kind of operator still has stack enough; above it the text is refused.
    for (clause, operators) in [
        ("WITH x + 1 AS x ", 1),
        ("UNWIND [x] AS y WITH y AS x ", 2),
        ("MERGE (:B {i: 1}) ", 1),
        ("WITH x MATCH (a:None)-->(b) ", 4),
        ("WITH x OPTIONAL MATCH (:None)-[*2..3]->() ", 2),
        ("WITH x, count(*) AS c ORDER BY c LIMIT 1 ", 5),
        ("CALL { WITH x RETURN x + 1 AS y } WITH y AS x ", 2),
    ] {
        let script =
            |clauses: usize| format!("WITH 1 AS x {} RETURN 1 AS one", clause.repeat(clauses));
        db.run(&script(3_800 / operators));
        let error = db.error(&script(20_000));
        assert_eq!(error.detail(), Detail::QueryTooLarge, "{clause}");
    }
}

#[test]
fn a_regular_expression_matches_the_whole_text() {
    let db = Db::new();
    let row = &db.run(
        "RETURN 'abc' =~ 'a.*' AS a, 'xabc' =~ 'abc' AS b, 'a' =~ 'a|b' AS c, 'ax' =~ 'a|b' AS d",
    )[0];
    assert_eq!(row, &[true, false, true, false].map(Value::Bool));
    for pattern in ["a)|(b", "(", "(a{1000}){1000}"] {
        assert_eq!(
            db.error(&format!("RETURN 'a' =~ '{pattern}' AS a"))
                .detail(),
            Detail::InvalidArgumentValue
        );
    }
}

#[test]
fn values_cannot_nest_without_bound() {
    let db = Db::new();
    let error = db.error("RETURN reduce(acc = [], x IN range(1, 100000) | [acc]) AS deep");
    assert_eq!(error.detail(), Detail::NestingTooDeep);
    let error = db.error("RETURN reduce(acc = {}, x IN range(1, 100000) | {a: acc}) AS deep");
    assert_eq!(error.detail(), Detail::NestingTooDeep);
    assert_eq!(
        db.number("RETURN size(reduce(acc = [], x IN range(1, 1000) | acc + [x])) AS n"),
        1000
    );
}

/// A few bytes hold a value that nobody could ever walk through, where a list holds the same list twice, sixty times over.
#[test]
fn a_value_of_shared_parts_is_as_large_as_it_is_when_it_is_written_out() {
    let db = Db::new();
    let steps: String = (0..60).map(|_| " WITH [s, s] AS s").collect();
    for query in [
        "RETURN reduce(s = [0], i IN range(1, 60) | [s, s]) AS large",
        "RETURN reduce(s = {}, i IN range(1, 60) | {a: s, b: [s]}) AS large",
        "RETURN reduce(s = [0], i IN range(1, 60) | [x IN range(1, 2) | s]) AS large",
        "RETURN reduce(s = [[0]], i IN range(1, 60) | s + [s]) AS large",
        "RETURN reduce(s = [0], i IN range(1, 60) | COLLECT { UNWIND [1, 2] AS x RETURN s }) AS large",
        &format!("WITH [0] AS s{steps} RETURN s = s AS large"),
        &format!(
            "WITH [0] AS s{} RETURN size(s) AS large",
            steps.replace("[s, s]", "[s, s] AS s UNWIND [1, 2] AS x WITH collect(s)")
        ),
    ] {
        let error = db.error(query);
        assert_eq!(error.detail(), Detail::InvalidArgumentValue, "{query}");
        assert!(error.message().contains("again and again"), "{error}");
    }
    // Flat, or shared a few times, it may be long.
    assert_eq!(
        db.number("WITH range(1, 100000) AS l RETURN size([l, l, l, l][3]) AS n"),
        100_000
    );
    let error = db.error("RETURN size(reduce(s = 'ab', i IN range(1, 40) | s + s)) AS n");
    assert_eq!(error.detail(), Detail::NumberOutOfRange);
}

#[test]
fn a_missing_parameter_is_found_before_anything_runs() {
    let db = Db::new();
    let error = db.error("CREATE (n {a: $given}) RETURN $missing");
    assert_eq!(
        (error.kind(), error.detail()),
        (ErrorKind::ParameterMissing, Detail::MissingParameter)
    );
}

#[test]
fn a_failed_statement_leaves_nothing_behind() {
    let db = Db::new();
    let error = db.error("UNWIND [2, 1, 0] AS i CREATE (:A {i: 10 / i})");
    assert_eq!(error.detail(), Detail::DivisionByZero);
    assert_eq!(db.number("MATCH (n) RETURN count(n)"), 0);
}

#[test]
fn subqueries_see_what_they_import_and_add_their_columns() {
    let db = people();
    assert_eq!(
        db.run("UNWIND [1, 2] AS i CALL { WITH i UNWIND range(1, i) AS j RETURN sum(j) AS s } RETURN i, s"),
        vec![vec![Value::Int(1), Value::Int(1)], vec![Value::Int(2), Value::Int(3)]]
    );
    assert_eq!(
        db.number("MATCH (n:Person {id: 1}) RETURN COUNT { (n)-->(m) WHERE m.id > n.id }"),
        1
    );
    assert_eq!(
        db.run("MATCH (n:Person {id: 2}) RETURN COLLECT { MATCH (n)-->(m) RETURN m.id ORDER BY m.id DESC } AS ids"),
        vec![vec![Value::list(vec![Value::Int(4), Value::Int(3)])]]
    );
    assert_eq!(
        db.number("MATCH (n:Person) WHERE EXISTS { (n)-->(:Person {id: 200}) } RETURN count(n)"),
        2
    );
}

#[test]
fn exists_of_a_pattern_is_a_value_anywhere() {
    let db = Db::new();
    db.run("CREATE (:A {i: 1})-[:R]->(:A {i: 2})");
    for (text, expected) in [
        (
            "MATCH (n:A) RETURN exists((n)-->()) AS e ORDER BY n.i",
            [true, false],
        ),
        (
            "MATCH (n:A) WITH n, exists((n)-[:R]->({i: 2})) AS e ORDER BY n.i RETURN e",
            [true, false],
        ),
        (
            "MATCH (n:A) RETURN NOT exists((n)-->()) AS e ORDER BY n.i",
            [false, true],
        ),
        (
            "MATCH (n:A) RETURN CASE WHEN exists((n)-->()) THEN false ELSE true END AS e ORDER BY n.i",
            [false, true],
        ),
        (
            "MATCH (n:A) WITH n ORDER BY n.i UNWIND [exists((n)-->())] AS e RETURN e",
            [true, false],
        ),
        (
            "MATCH (n:A) RETURN exists((n)-->()) AS e, count(*) AS c ORDER BY e DESC",
            [true, false],
        ),
        (
            "MATCH (n:A) WITH n ORDER BY n.i WITH collect(n) AS all UNWIND [n IN all | exists((n)-->())] AS e RETURN e",
            [true, false],
        ),
    ] {
        let rows = db.run(text);
        let found: Vec<_> = rows.iter().map(|row| row[0].clone()).collect();
        assert_eq!(found, expected.map(Value::Bool), "{text}");
    }
    assert_eq!(
        db.number("MATCH (n:A) WHERE exists((n)-->()) RETURN n.i"),
        1
    );
    assert_eq!(
        db.number("MATCH (n:A) WHERE NOT exists((n)-->()) RETURN n.i"),
        2
    );
    let prepared = db
        .engine
        .prepare("MATCH (n) RETURN exists((n)-->())", &db.core)
        .unwrap();
    assert_eq!(prepared.columns(), [Arc::from("exists((n)-->())")]);
}

#[test]
fn foreach_runs_its_clauses_for_each_element() {
    let db = Db::new();
    db.run("CREATE (a:A {n: 0}) FOREACH (i IN range(1, 3) | CREATE (a)-[:R]->(:B {i: i}) SET a.n = a.n + i)");
    assert_eq!(db.number("MATCH (:A)-[:R]->(b:B) RETURN sum(b.i)"), 6);
    assert_eq!(db.number("MATCH (a:A) RETURN a.n"), 6);
}

#[test]
fn tools_find_the_procedures_they_ask_for() {
    let db = people();
    assert_eq!(
        db.run("CALL db.labels()"),
        vec![vec![Value::from("Person")]]
    );
    assert_eq!(
        db.run("CALL db.relationshipTypes() YIELD relationshipType AS t RETURN t"),
        vec![vec![Value::from("KNOWS")]]
    );
    assert_eq!(db.run("CALL db.propertyKeys()").len(), 5);
    assert_eq!(
        db.run("CALL db.ping() YIELD success RETURN success"),
        vec![vec![Value::Bool(true)]]
    );
    assert_eq!(
        db.run("CALL dbms.components() YIELD name, edition RETURN name")
            .len(),
        2
    );
    assert_eq!(
        db.number("CALL mg.procedures() YIELD name WHERE name = 'mg.procedures' RETURN count(*)"),
        1
    );
    assert_eq!(
        db.error("CALL db.lables()").detail(),
        Detail::ProcedureNotFound
    );
}

#[test]
fn a_vertex_is_found_by_its_id() {
    let db = people();
    let text = "MATCH (n) WHERE id(n) = $id RETURN id(n)";
    assert!(db.explain(text).contains("ScanAllById"));
    let id = db.number("MATCH (n:Person {id: 7}) RETURN id(n)");
    for (value, found) in [
        (Value::Int(id), 1),
        (Value::Int(-1), 0),
        (Value::Int(i64::MAX), 0),
        (Value::Null, 0),
        (Value::from("x"), 0),
    ] {
        let parameters: Parameters = [(Arc::from("id"), value)].into_iter().collect();
        assert_eq!(db.try_run(text, &parameters).unwrap().0.len(), found);
    }
}

#[test]
fn a_vertex_may_be_deleted_before_its_edges_within_a_statement() {
    let db = Db::new();
    db.run("CREATE (:A)-[:T]->(:B)");
    db.run("MATCH (a:A)-[r]->() DELETE a DELETE r");
    assert_eq!(db.number("MATCH (n) RETURN count(n)"), 1);
    db.run("MATCH (b:B) CREATE (b)-[:T]->(:C)-[:T]->(b)");
    db.run("MATCH (b:B)-[r]-(c:C) FOREACH (x IN [b, c, r] | DELETE x)");
    assert_eq!(db.number("MATCH (n) RETURN count(n)"), 0);
}

#[test]
fn a_vertex_that_keeps_an_edge_is_not_deleted_and_no_row_leaves() {
    let db = Db::new();
    db.run("CREATE (a:A)-[:T]->(:B), (a)-[:U]->(:B)");
    for text in [
        "MATCH (a:A)-[r:T]->() DELETE a DELETE r",
        "MATCH (a:A)-[r:T]->() DELETE r, a RETURN 1",
        "MATCH (a:A) DELETE a WITH a CREATE (:D) RETURN 1",
    ] {
        let error = db.error(text);
        assert_eq!(error.detail(), Detail::DeleteConnectedNode, "{text}");
    }
    assert_eq!(db.number("MATCH (n) RETURN count(n)"), 3);
    assert_eq!(db.number("MATCH ()-[r]->() RETURN count(r)"), 2);
}

#[test]
fn long_writes_give_others_turns_and_do_the_same() {
    let statements = [
        "UNWIND range(1, 3000) AS i CREATE (a:A {i: i})-[:T {w: i}]->(b:B {j: i}), (b)-[:U]->(a)",
        "UNWIND range(1, 700) AS i CREATE (a:C {i: i}), (:D {i: a.i + 1, near: size([(a)--(x) | x])})",
        "MATCH (a:A) SET a.k = a.i * 2",
        "MATCH (a:A) WHERE a.i % 3 = 0 MERGE (e:E {i: a.i % 10}) ON MATCH SET e.met = true",
        "MATCH (a:A)-[r:T]->(b) WHERE a.i > 2000 DELETE b, r, a",
        "MATCH (a:A)<-[r:U]-(b) WHERE a.i > 2000 DELETE r",
        "MATCH (a:A) WHERE a.i < 1000 DETACH DELETE a",
        "MATCH (b:B) WITH collect(b) AS bs UNWIND bs AS b FOREACH (x IN [b] | SET x.seen = true)",
    ];
    let look = "MATCH (n) OPTIONAL MATCH (n)-[r]->(m) RETURN labels(n)[0] AS l, count(DISTINCT n) AS n, count(r) AS r, sum(n.i) AS i, sum(n.k) AS k, sum(r.w) AS w, count(n.met) AS met, count(n.seen) AS seen, sum(n.near) AS near ORDER BY l";
    let (straight, interrupted) = (Db::new(), Db::new());
    for text in statements {
        let expected = straight.try_run(text, &Parameters::new());
        let prepared = interrupted.engine.prepare(text, &interrupted.core).unwrap();
        let mut txn = interrupted.begin(true);
        let mut execution = Execution::new(prepared, &Parameters::new()).unwrap();
        execution.request(Demand::All);
        let mut turns = 0;
        let outcome = loop {
            match execution.step(&mut txn, &interrupted.core, &|| true, &mut Rows::default()) {
                Ok(Step::Done) => break Ok(()),
                Ok(_) => turns += 1,
                Err(error) => break Err(error),
            }
        };
        assert!(turns > 1, "{text}: {turns} turns");
        match outcome {
            Ok(()) => {
                assert!(expected.is_ok(), "{text}");
                txn.commit().unwrap();
            }
            Err(error) => {
                let expected = expected.unwrap_err();
                assert_eq!(error.detail(), expected.detail(), "{text}");
            }
        }
        assert_eq!(straight.run(look), interrupted.run(look), "{text}");
    }
}

#[test]
fn a_clause_finds_what_the_one_before_wrote_under_names_that_nobody_knew() {
    for text in [
        "CREATE (:New {p: 7}) WITH 1 AS one MATCH (m:New) RETURN m.p AS p",
        "CREATE (:New {p: 7}) WITH 1 AS one MATCH (m:New) WHERE m.p = 7 RETURN m.p AS p",
        "CREATE (n {p: 7}) WITH n MATCH (m) WHERE m.p = 7 AND m = n RETURN m.p AS p",
        "CREATE (a)-[:NEW]->({p: 7}) WITH a MATCH (a)-[:NEW]->(m) RETURN m.p AS p",
        "CREATE (a)-[:NEW]->({p: 7}) WITH a MATCH (a)-[:NEW*1..2]->(m) RETURN m.p AS p",
        "CREATE (a)-[:NEW]->()-[:NEW]->({p: 7}) WITH a MATCH (a)-[:NEW]->()-[:NEW]->(m) RETURN DISTINCT m.p AS p",
        "CREATE (a)-[e:NEW]->({p: 7}) WITH e MATCH (a)-[e:NEW]->(m) RETURN m.p AS p",
        "CREATE (a)-[:NEW]->()-[:NEW]->({p: 7}) WITH a MATCH (a)((x)-[:NEW]->(y)){2}(m) RETURN m.p AS p",
        "CREATE (a)-[:NEW]->({p: 7}) WITH a MATCH (a)-[:NEW *BFS]->(m) RETURN m.p AS p",
        "CREATE (a)-[:NEW]->(:End {p: 7}) WITH a MATCH (a)-[:NEW]->(m:End) RETURN count(*) + 6 AS p",
        "CREATE (:New {p: 7}) WITH 1 AS one MATCH (m:New) RETURN max(m.p) AS p",
        "UNWIND [7] AS x CREATE (:New {p: x}) WITH x MATCH (m:New {p: x}) RETURN m.p AS p",
    ] {
        let db = Db::new();
        assert_eq!(db.run(text), [[Value::Int(7)]], "{text}");
    }
}
