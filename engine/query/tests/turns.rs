//! Others have their turns while one row is at work: whatever looks for something within a row can be interrupted, and gives what it
//! gives without interruption.

mod db;

use db::{Db, Rows};
use quoit_graph::value::Value;
use quoit_query::{Demand, Execution, Parameters, Step};
use std::cell::Cell;

/// Vertices that a step may look at: a page, and what is gathered from it.
const PAGES: i64 = 6;
const MANY: i64 = PAGES * 1024;

fn many() -> Db {
    let db = Db::new();
    db.run(&format!(
        "UNWIND range(1, {MANY}) AS i CREATE (:N {{i: i}})"
    ));
    db.run("CREATE (:One {x: -1}), (:Two)");
    db
}

/// Runs a statement that has to give way whenever it asks; its rows, and how often it did.
fn interrupted(db: &Db, text: &str) -> (Vec<Vec<Value>>, i64) {
    let prepared = db.engine.prepare(text, &db.core).unwrap();
    let mut txn = db.begin(prepared.writes());
    let mut execution = Execution::new(prepared, &Parameters::new()).unwrap();
    execution.request(Demand::All);
    let (mut rows, mut turns) = (Rows::default(), 0);
    let asked = Cell::new(0u64);
    let should_yield = || {
        asked.set(asked.get() + 1);
        true
    };
    while execution
        .step(&mut txn, &db.core, &should_yield, &mut rows)
        .unwrap_or_else(|error| panic!("{text}: {error:?}"))
        != Step::Done
    {
        turns += 1;
        assert!(turns < 1_000_000, "{text}: it does not come to an end");
    }
    txn.commit().unwrap();
    (rows.0, turns)
}

#[test]
fn a_subquery_that_looks_at_everything_gives_way() {
    let db = many();
    for text in [
        "MATCH (a:One) WHERE EXISTS { MATCH (n:N) WHERE n.i = a.x } RETURN count(a)",
        "MATCH (a:One) WHERE NOT EXISTS { (n:N WHERE n.i = a.x) } RETURN count(a)",
        "MATCH (a:One) WHERE a.x = -1 AND COUNT { MATCH (n:N) WHERE n.i > a.x } > 7 RETURN count(a)",
        "MATCH (a:One) RETURN COUNT { MATCH (n:N) WHERE n.i % 2 = 0 } + 1 AS n",
        "MATCH (a:One) WITH a, COLLECT { MATCH (n:N) WHERE n.i < 4 RETURN n.i } AS l RETURN l",
        "MATCH (a:One) RETURN sum(COUNT { MATCH (n:N) WHERE n.i > 9 }) AS n",
        "MATCH (a:One) RETURN EXISTS { MATCH (n:N) WHERE n.i = -5 } AS e, count(*) AS n",
        "MATCH (a:One) RETURN a.x AS x ORDER BY x LIMIT 1 UNION ALL MATCH (a:One) RETURN COUNT { MATCH (n:N) WHERE n.i = 3 } AS x",
        "MATCH (a:One) WITH a WHERE EXISTS { MATCH (n:N) WHERE n.i = 0 } OR a.x = -1 RETURN a.x",
        "MATCH (a:One) WHERE a.x = 1 OR EXISTS { MATCH (n:N) WHERE n.i = 6143 - a.x } RETURN a.x",
    ] {
        let (rows, turns) = interrupted(&db, text);
        assert!(turns >= PAGES - 1, "{text}: {turns} turns");
        assert_eq!(rows, db.run(text), "{text}");
    }
    // Wherever it stands.
    for text in [
        "MATCH (a:One) RETURN CASE WHEN a.x = -1 THEN COUNT { MATCH (n:N) WHERE n.i > 9 } ELSE 0 END AS n",
        "MATCH (a:One) RETURN coalesce(null, COUNT { MATCH (n:N) WHERE n.i > 9 }) AS n",
        "MATCH (a:One) RETURN [y IN [1, 2] | COUNT { MATCH (n:N) WHERE n.i > y }] AS l",
        "MATCH (a:One) RETURN all(y IN [1, 2] WHERE EXISTS { MATCH (n:N) WHERE n.i = 6000 + y }) AS b",
        "MATCH (a) WHERE a:One OR a:Two RETURN labels(a) AS l ORDER BY COUNT { MATCH (n:N) WHERE n.i = coalesce(a.x, 1) } DESC",
        "MATCH (a:One) UNWIND COLLECT { MATCH (n:N) WHERE n.i < 4 RETURN n.i } AS i RETURN i",
        "MATCH (a:One) RETURN rand() < 2 AND EXISTS { MATCH (n:N) WHERE n.i = -5 } AS e",
        "MATCH (a:One) SET a.y = COUNT { MATCH (n:N) WHERE n.i > 9 }, a.z = a.y RETURN a.z",
        "MATCH (a:One) SET a += {y: COUNT { MATCH (n:N) WHERE n.i > 8 }} RETURN a.y",
        "CREATE (b:B {y: COUNT { MATCH (n:N) WHERE n.i > 9 }, z: COUNT { MATCH (n:N) WHERE n.i > 8 }}) RETURN b.y + b.z",
        "MATCH (a:One) MERGE (m:M {y: COUNT { MATCH (n:N) WHERE n.i > 9 }}) RETURN m.y",
        "MERGE (t:Two) ON MATCH SET t.y = COUNT { MATCH (n:N) WHERE n.i > 9 } RETURN t.y",
        "FOREACH (i IN COLLECT { MATCH (n:N) WHERE n.i < 4 RETURN n.i } | MERGE (:F {i: i}))",
        "MATCH (a:One) DELETE CASE WHEN EXISTS { MATCH (n:N) WHERE n.i = -7 } THEN a END RETURN a.x",
    ] {
        let (rows, turns) = interrupted(&db, text);
        assert!(turns >= PAGES - 1, "{text}: {turns} turns");
        assert_eq!(rows, db.run(text), "{text}");
    }
    // What the condition does not come to is not run.
    for text in [
        "MATCH (a:One) WHERE a.x = -1 OR EXISTS { MATCH (n:N) WHERE n.i = -5 } RETURN a.x",
        "MATCH (a:One) RETURN a.x = 5 AND EXISTS { MATCH (n:N) WHERE n.i = -5 } AS e",
        "MATCH (a:One) RETURN CASE WHEN a.x = 5 THEN COUNT { MATCH (n:N) WHERE n.i = -5 } END AS e",
    ] {
        let (rows, turns) = interrupted(&db, text);
        assert!(rows.len() == 1 && turns < 5, "{text}: {turns} turns");
    }
}

#[test]
fn values_of_subqueries_are_those_of_each_row() {
    let db = Db::new();
    db.run("UNWIND range(0, 4) AS i CREATE (:A {i: i})");
    db.run("MATCH (a:A), (b:A) WHERE a.i < b.i CREATE (a)-[:T]->(b)");
    let ints = |text: &str| -> Vec<i64> {
        let value = |row: &Vec<Value>| match row[0] {
            Value::Int(n) => n,
            ref other => panic!("{text}: {other:?}"),
        };
        let rows = db.run(text);
        let (same, _) = interrupted(&db, text);
        assert_eq!(rows, same, "{text}");
        rows.iter().map(value).collect()
    };
    assert_eq!(
        ints("MATCH (a:A) RETURN COUNT { (a)-[:T]->() } AS n ORDER BY n"),
        [0, 1, 2, 3, 4]
    );
    assert_eq!(
        ints(
            "MATCH (a:A) WHERE COUNT { (a)-[:T]->() } > 1 AND EXISTS { (a)<-[:T]-() } RETURN a.i AS i ORDER BY i"
        ),
        [1, 2]
    );
    // Null where it is not run: the other side decides.
    assert_eq!(
        ints(
            "MATCH (a:A) WHERE a.i > 2 OR COUNT { (a)-[:T]->(b) WHERE b.i = 3 } = 1 AND a.i <> 1 RETURN a.i AS i ORDER BY i"
        ),
        [0, 2, 3, 4]
    );
    assert_eq!(
        ints(
            "MATCH (a:A) RETURN CASE WHEN a.i = 0 THEN COUNT { (a)-->() } ELSE -1 END AS n ORDER BY n"
        ),
        [-1, -1, -1, -1, 4]
    );
    assert_eq!(
        ints(
            "MATCH (a:A) RETURN COUNT { MATCH (a)-[:T]->(b) WHERE COUNT { (b)-[:T]->() } > 1 } AS n ORDER BY n"
        ),
        [0, 0, 0, 1, 2]
    );
    assert_eq!(
        ints("MATCH (a:A) RETURN COUNT { (a)-[:T]->() } AS n, count(*) AS c ORDER BY n DESC"),
        [4, 3, 2, 1, 0]
    );
    assert_eq!(
        ints("MATCH (a:A) RETURN DISTINCT COUNT { (a)--() } AS n"),
        [4]
    );
}

#[test]
fn a_merge_without_an_index_gives_way_while_it_looks() {
    let db = many();
    let (_, turns) = interrupted(&db, "MERGE (n:N {i: 1})");
    assert!(turns >= PAGES - 1, "found: {turns} turns");
    assert_eq!(db.number("MATCH (n:N) RETURN count(n)"), MANY);
    // Looked for among what it sees, made, and looked for among what others have.
    let (_, turns) = interrupted(&db, "MERGE (n:N {i: -1}) ON CREATE SET n.new = true");
    assert!(turns >= 2 * (PAGES - 1), "made: {turns} turns");
    assert_eq!(db.number("MATCH (n:N) RETURN count(n)"), MANY + 1);
    assert_eq!(db.number("MATCH (n:N {i: -1}) RETURN count(n.new)"), 1);
    let text = "UNWIND [-2, -2, 5, -3] AS i MERGE (n:N {i: i}) ON MATCH SET n.seen = coalesce(n.seen, 0) + 1 RETURN sum(n.i)";
    let (rows, _) = interrupted(&db, text);
    assert_eq!(rows, [[Value::Int(-2)]]);
    assert_eq!(db.number("MATCH (n:N) RETURN count(n)"), MANY + 3);
    assert_eq!(db.number("MATCH (n:N) RETURN sum(n.seen)"), 2);
}

#[test]
fn a_merge_that_is_interrupted_gives_way_to_what_another_makes_meanwhile() {
    let db = many();
    let prepared = db.engine.prepare("MERGE (n:N {i: -1})", &db.core).unwrap();
    let mut outcomes = [0, 0];
    for turn in (0..8 * PAGES).step_by(2) {
        let mut txn = db.begin(true);
        let mut execution = Execution::new(prepared.clone(), &Parameters::new()).unwrap();
        execution.request(Demand::All);
        let mut turns = 0;
        let result = loop {
            match execution.step(&mut txn, &db.core, &|| true, &mut Rows::default()) {
                Ok(Step::Done) => break Ok(()),
                Ok(_) => {}
                Err(error) => break Err(error),
            }
            if turns == turn {
                // Another does the same from beginning to end; of the two one gives way.
                let other = db.try_run("MERGE (n:N {i: -1})", &Parameters::new());
                if let Err(error) = other {
                    assert!(error.is_transient(), "{error:?}");
                }
            }
            turns += 1;
        };
        match result {
            Ok(()) => {
                txn.commit().unwrap();
                outcomes[0] += 1;
            }
            Err(error) => {
                assert!(error.is_transient(), "{error:?}");
                drop(txn);
                outcomes[1] += 1;
            }
        }
        assert_eq!(
            db.number("MATCH (n:N {i: -1}) RETURN count(n)"),
            1,
            "turn {turn}"
        );
        db.run("MATCH (n:N {i: -1}) DELETE n");
    }
    assert!(outcomes[0] > 0 && outcomes[1] > 0, "{outcomes:?}");
}

#[test]
fn a_foreach_gives_way_within_a_row() {
    let db = many();
    let text = "MATCH (a:One) FOREACH (i IN [1, -1, -1, -2] | MERGE (n:N {i: i}) SET n.seen = coalesce(n.seen, 0) + 1)";
    let (_, turns) = interrupted(&db, text);
    assert!(turns >= 6 * (PAGES - 1), "{turns} turns");
    assert_eq!(db.number("MATCH (n:N) RETURN count(n)"), MANY + 2);
    assert_eq!(db.number("MATCH (n:N {i: -1}) RETURN n.seen"), 2);
    let (_, turns) = interrupted(&db, "FOREACH (i IN range(1, 500) | CREATE (:Made {i: i}))");
    assert!(turns >= 499, "{turns} turns");
    assert_eq!(db.number("MATCH (n:Made) RETURN sum(n.i)"), 125_250);
    interrupted(
        &db,
        "UNWIND [[1], [], null, [2, 3]] AS l FOREACH (i IN l | FOREACH (j IN [i, i] | CREATE (:Inner {i: j})))",
    );
    assert_eq!(db.number("MATCH (n:Inner) RETURN sum(n.i)"), 12);
}

/// Elements that a loop within an expression goes through between two looks at the clock.
const ELEMENTS: i64 = 64;

#[test]
fn loops_within_expressions_give_way() {
    let db = Db::new();
    db.run("UNWIND range(1, 3) AS i CREATE (:N {i: i})");
    let many = 100 * ELEMENTS;
    for (text, loops) in [
        ("RETURN reduce(s = 0, x IN range(1, $many) | s + x) AS s", 1),
        (
            "RETURN size([x IN range(1, $many) WHERE x % 2 = 0 | x]) AS n",
            1,
        ),
        ("RETURN all(x IN range(1, $many) WHERE x > 0) AS b", 1),
        ("RETURN any(x IN range(1, $many) WHERE x > $many) AS b", 1),
        ("RETURN none(x IN range(1, $many) WHERE x = 0) AS b", 1),
        (
            "RETURN single(x IN range(1, $many) WHERE x = $many) AS b",
            1,
        ),
        // What is done is not done again: two loops take the turns of two.
        (
            "RETURN reduce(s = 0, x IN range(1, $many) | s + x) - reduce(s = 1, x IN range(1, $many) | s + x) AS d",
            2,
        ),
        // A loop within a loop goes on where it was, behind another that is done.
        (
            "RETURN reduce(s = 0, y IN [1, 2] | s + reduce(t = 0, x IN range(1, $many) | t + x * y) + reduce(t = 0, x IN range(1, $many) | t + y)) AS s",
            4,
        ),
        (
            "RETURN [y IN [1, 2, 3] WHERE any(x IN range(1, $many) WHERE x = $many - y) | reduce(t = 0, x IN range(1, $many) | t + y)] AS l",
            5,
        ),
        (
            "UNWIND [x IN range(1, $many) | x] AS x RETURN sum(x) AS s",
            1,
        ),
        (
            "RETURN sum(reduce(s = 0, x IN range(1, $many) | s + x)) AS s",
            1,
        ),
        (
            "MATCH (n:N) WHERE all(x IN range(1, $many) WHERE x + n.i > 2) RETURN n.i AS i ORDER BY i",
            2,
        ),
        (
            "MATCH (n:N) RETURN n.i AS i ORDER BY reduce(s = 0, x IN range(1, $many) | s - n.i)",
            3,
        ),
        (
            "MATCH (n:N) RETURN DISTINCT n.i AS i ORDER BY reduce(s = 0, x IN range(1, $many) | s - i)",
            3,
        ),
        (
            "MATCH (n:N) SET n.s = reduce(s = 0, x IN range(1, $many) | s + n.i), n.t = n.s RETURN sum(n.t) AS t",
            3,
        ),
        (
            "MATCH (n:N) RETURN sum(COUNT { MATCH (m:N) WHERE all(x IN range(1, $many) WHERE x + m.i > n.i) }) AS c",
            6,
        ),
    ] {
        let text = text.replace("$many", &many.to_string());
        let (rows, turns) = interrupted(&db, &text);
        let at_least = loops * many / ELEMENTS - 2;
        assert!(
            turns >= at_least && turns <= 2 * at_least,
            "{text}: {turns} turns, not {at_least} or some more"
        );
        assert_eq!(rows, db.run(&text), "{text}");
    }
}

#[test]
fn what_is_asked_of_each_step_of_a_path_gives_way() {
    let db = Db::new();
    db.run("CREATE (:A)-[:T {w: 1}]->()-[:T {w: 2}]->(:B)");
    let many = 100 * ELEMENTS;
    let long = format!("all(x IN range(1, {many}) WHERE x + r.w > 1)");
    for (text, least) in [
        (
            "MATCH (a:A) MATCH p = (a)-[*1..2 (r, n | LONG)]->(b) RETURN length(p) AS l ORDER BY l",
            2,
        ),
        (
            "MATCH (a:A) MATCH p = (a)-[*BFS (r, n | LONG)]->(b) RETURN length(p) AS l ORDER BY l",
            2,
        ),
        (
            "MATCH (a:A), (b:B) MATCH p = (a)-[*BFS (r, n | LONG)]->(b) RETURN length(p) AS l",
            2,
        ),
        (
            "MATCH (a:A), (b:B) MATCH p = (a)-[*WSHORTEST (r, n | CASE WHEN LONG THEN 2 ELSE 1 END) t]->(b) RETURN t",
            2,
        ),
        (
            "MATCH (a:A), (b:B) MATCH p = (a)-[*WSHORTEST (r, n | r.w) t (r, n | LONG)]->(b) RETURN t",
            2,
        ),
        (
            "MATCH (a:A), (b:B) MATCH p = shortestPath((a)-[* (r, n | LONG)]->(b)) WHERE length(p) > 1 RETURN length(p) AS l",
            2,
        ),
    ] {
        let text = text.replace("LONG", &long);
        let (rows, turns) = interrupted(&db, &text);
        let wanted = db.run(&text);
        assert!(!wanted.is_empty(), "{text}");
        assert_eq!(rows, wanted, "{text}");
        let at_least = least * (many / ELEMENTS - 1);
        assert!(
            turns >= at_least && turns <= 2 * at_least,
            "{text}: {turns} turns, not {at_least}"
        );
    }
}

#[test]
fn a_loop_that_does_not_end_can_be_left() {
    let db = Db::new();
    let text = "RETURN any(x IN range(0, 9223372036854775807) WHERE x < 0) AS b";
    let prepared = db.engine.prepare(text, &db.core).unwrap();
    let mut txn = db.begin(false);
    let mut execution = Execution::new(prepared, &Parameters::new()).unwrap();
    execution.request(Demand::All);
    for _ in 0..1000 {
        let step = execution.step(&mut txn, &db.core, &|| true, &mut Rows::default());
        assert_eq!(step.unwrap(), Step::Yield);
    }
}

#[test]
fn rows_that_cost_much_give_way_one_by_one() {
    let db = Db::new();
    let large = "WITH range(1, 3000) AS l, reduce(t = 'a', i IN range(1, 14) | t + t) AS t UNWIND range(1, 40) AS y";
    for rest in [
        "RETURN sum(size(toSet(l))) AS n",
        "WITH y, l WHERE -y IN l RETURN count(*) AS n",
        "WITH y WHERE l[1..] < l RETURN count(*) AS n",
        "WITH size(reverse(l)) AS s RETURN sum(s) AS n",
        "WITH y, l[y..] AS m WHERE size(m) > 3 RETURN sum(size(m)) AS n",
        "WITH l + [y] AS m RETURN max(size(m)) AS n",
        "WITH y WHERE t CONTAINS 'b' RETURN count(*) AS n",
        "WITH y WHERE t =~ '(a|aa)*b' RETURN count(*) AS n",
        "RETURN y, size(toUpper(t)) AS n",
        "RETURN y, count(DISTINCT size(split(t, ','))) AS n",
    ] {
        let text = format!("{large} {rest}").replace("WITH y WHERE", "WITH y, l, t WHERE");
        let (rows, turns) = interrupted(&db, &text);
        assert!(turns >= 35, "{text}: {turns} turns");
        assert_eq!(rows, db.run(&text), "{text}");
    }
}

/// Rows that `ORDER BY` puts in order before others have a turn.
const RUN: i64 = 4096;

#[test]
fn rows_of_many_runs_come_in_order_and_equal_ones_as_they_came() {
    let db = Db::new();
    let many = 5 * RUN + 17;
    for order in ["", " DESC"] {
        let text = format!(
            "UNWIND range(1, {many}) AS i WITH i, i * 7919 % 101 AS k RETURN k, i ORDER BY k{order}"
        );
        let (rows, _) = interrupted(&db, &text);
        let mut wanted: Vec<(i64, i64)> = (1..=many).map(|i| (i * 7919 % 101, i)).collect();
        wanted.sort_by_key(|(k, _)| if order.is_empty() { *k } else { -*k });
        let wanted: Vec<Vec<Value>> = wanted
            .iter()
            .map(|(k, i)| vec![Value::Int(*k), Value::Int(*i)])
            .collect();
        assert!(rows == wanted, "{text}");
        // A limit larger than a run, and one that is larger than all.
        for limit in [2 * RUN, 2 * many] {
            let (rows, _) = interrupted(&db, &format!("{text} SKIP 3 LIMIT {limit}"));
            let end = wanted.len().min(limit as usize + 3);
            assert!(rows == wanted[3..end], "{text} LIMIT {limit}");
        }
    }
    assert!(
        interrupted(&db, "UNWIND [] AS i RETURN i ORDER BY i")
            .0
            .is_empty()
    );
}

#[test]
fn many_keys_are_counted_joined_and_grouped_each_once() {
    let db = Db::new();
    // More than a table holds before it is divided.
    for (text, wanted) in [
        (
            "UNWIND range(1, 80000) AS i WITH DISTINCT i * 1000 % 40000000 AS k RETURN count(k) AS n",
            40_000,
        ),
        (
            "UNWIND range(1, 80000) AS i WITH DISTINCT i % 40000 AS k, toString(i % 5) AS s RETURN count(k) AS n",
            40_000,
        ),
        (
            "UNWIND range(1, 80000) AS i WITH toString(i % 40000) AS k, sum(i) AS s WHERE s = 2 * toInteger(k) + 40000 OR k = '0' RETURN count(k) AS n",
            40_000,
        ),
    ] {
        assert_eq!(interrupted(&db, text).0, [[Value::Int(wanted)]], "{text}");
    }
    db.run("UNWIND range(1, 40000) AS i CREATE (:L {i: i}), (:R {i: i, d: i % 3})");
    let text =
        "MATCH (l:L), (r:R) WHERE l.i = r.i AND r.d < 2 RETURN count(*) AS n, sum(l.i - r.i) AS d";
    let (rows, _) = interrupted(&db, text);
    assert_eq!(rows, [[Value::Int(26_667), Value::Int(0)]]);
}

#[test]
fn a_set_of_a_long_list_is_made_in_turns() {
    let db = Db::new();
    let many = 100 * ELEMENTS;
    for (text, sets) in [
        ("WITH range(1, MANY) AS l RETURN size(toSet(l + l)) AS n", 2),
        // What is done is not done again, and each call has its own.
        (
            "WITH range(1, MANY) AS l RETURN toSet(l) = toSet(l + [-1]) AS b",
            2,
        ),
        (
            "WITH range(1, MANY) AS l RETURN [y IN [1, 2, 3] | size(toSet(l + [y, -y]))] AS n",
            3,
        ),
        (
            "WITH range(1, MANY) AS l UNWIND [1, 2] AS y WITH l, y WHERE size(toSet([y] + l)) = MANY RETURN y",
            2,
        ),
        (
            "WITH range(1, MANY) AS l RETURN size(toSet(toSet(l))) AS n",
            2,
        ),
    ] {
        let text = text.replace("MANY", &many.to_string());
        let (rows, turns) = interrupted(&db, &text);
        let at_least = sets * many / ELEMENTS - 2;
        assert!(
            turns >= at_least && turns <= 2 * at_least,
            "{text}: {turns} turns, not {at_least} or some more"
        );
        assert_eq!(rows, db.run(&text), "{text}");
    }
    let text =
        "RETURN toSet([i IN range(1, 5000) | i % 3 + 0.0] + [i IN range(1, 5000) | i % 4]) AS s";
    let set = [1.0, 2.0, 0.0]
        .map(Value::Float)
        .into_iter()
        .chain([Value::Int(3)]);
    assert_eq!(interrupted(&db, text).0, [[Value::list(set.collect())]]);
}
