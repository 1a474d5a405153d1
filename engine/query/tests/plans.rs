//! Which plan is chosen: by what the graph's statistics say, where the text alone would mislead.

mod db;

use db::Db;
use quoit_graph::value::Value;

/// The lines of a plan in the order in which they run, without estimates.
fn steps(db: &Db, text: &str) -> Vec<String> {
    let plan = db.explain(text);
    let mut lines: Vec<String> = plan
        .lines()
        .map(|line| {
            line.trim_start_matches(" * ")
                .split("  (~")
                .next()
                .unwrap_or("")
                .to_owned()
        })
        .collect();
    lines.reverse();
    lines
}

/// Rows expected of the first line that begins so.
fn expected(db: &Db, text: &str, operator: &str) -> f64 {
    let plan = db.explain(text);
    let line = plan.lines().find(|line| line.contains(operator));
    let line = line.unwrap_or_else(|| panic!("no {operator} in\n{plan}"));
    let rows = line
        .split("(~")
        .nth(1)
        .and_then(|rest| rest.split(' ').next());
    rows.unwrap().parse().unwrap()
}

/// 100 authors with 40 posts each; 300 readers, each of whom has read one post.
fn authors() -> Db {
    let db = Db::new();
    db.run("UNWIND range(1, 100) AS i CREATE (a:Author {id: i}) WITH a UNWIND range(1, 40) AS j CREATE (a)-[:LINKED]->(:Post {n: j})");
    db.run("MATCH (p:Post) WHERE p.n <= 3 WITH p LIMIT 300 CREATE (:Reader)-[:LINKED]->(p)");
    db
}

#[test]
fn a_match_begins_where_all_its_steps_cost_least() {
    let db = authors();
    // There are fewer authors than readers, but each has 40 edges.
    let steps = steps(
        &db,
        "MATCH (a:Author)-[:LINKED]->(p)<-[:LINKED]-(r:Reader) RETURN a, r",
    );
    assert!(steps[1].contains(":Reader"), "{steps:#?}");
}

#[test]
fn the_next_step_is_the_one_that_leaves_the_fewest_rows() {
    let db = Db::new();
    db.run("CREATE INDEX ON :X(id)");
    db.run("UNWIND range(1, 20) AS i CREATE (x:X {id: i}) WITH x UNWIND range(1, 50) AS j CREATE (x)-[:T]->(:Many)");
    db.run("MATCH (x:X) CREATE (x)-[:T]->(:Few)");
    let filters = |text: &str| -> Vec<String> {
        let plan = db.explain(text);
        assert!(plan.contains("ScanAllByLabelProperties"), "{plan}");
        let lines = plan.lines().filter(|line| line.contains("Filter"));
        let rows = lines.filter_map(|line| line.split("(~").nth(1));
        rows.map(str::to_owned).collect()
    };
    let many_first = "MATCH (x:X {id: 7})-[:T]->(m:Many), (x)-[:T]->(f:Few) RETURN count(*)";
    let few_first = "MATCH (x:X {id: 7})-[:T]->(f:Few), (x)-[:T]->(m:Many) RETURN count(*)";
    assert_eq!(db.number(many_first), 50);
    assert_eq!(db.number(few_first), 50);
    // Whichever is written first: of 51 edges one is left, then 50.
    assert_eq!(filters(many_first), ["50 rows)", "1 rows)"]);
    assert_eq!(filters(few_first), ["50 rows)", "1 rows)"]);
}

#[test]
fn labels_of_an_earlier_clause_count_too() {
    let db = Db::new();
    db.run("CREATE INDEX ON :X(id)");
    // S is the rarer type, but not at an X.
    db.run("UNWIND range(1, 10) AS i CREATE (x:X {id: i}) WITH x UNWIND range(1, 100) AS j CREATE (x)-[:S]->(:N)");
    db.run("UNWIND range(1, 2000) AS i CREATE (:N)-[:T]->(:N)");
    db.run("MATCH (x:X) CREATE (x)-[:T]->(:N)");
    let plan = steps(
        &db,
        "MATCH (x:X {id: 7}) WITH x AS y MATCH (a)<-[:S]-(y)-[:T]->(b) RETURN count(*)",
    );
    let first = plan.iter().find(|line| line.contains("Expand")).unwrap();
    assert!(first.contains(":T"), "{plan:#?}");
}

#[test]
fn two_known_ends_are_both_looked_up_where_there_are_many_edges_between() {
    let db = Db::new();
    db.run("CREATE INDEX ON :X(id)");
    db.run("UNWIND range(1, 200) AS i CREATE (:X {id: i})");
    let text = "MATCH (a:X {id: 7})-[:T]->(b:X {id: 9}) RETURN count(*)";
    db.run("MATCH (a:X), (b:X) WHERE b.id < 50 CREATE (a)-[:T]->(b)");
    let plan = steps(&db, text);
    assert!(
        plan.iter().any(|line| line.contains("ExpandInto")),
        "{plan:#?}"
    );
    assert_eq!(db.number(text), 1);
    // One edge at most is cheaper to follow than to look for.
    let db = Db::new();
    db.run("CREATE INDEX ON :X(id)");
    db.run("UNWIND range(1, 200) AS i CREATE (:X {id: i})-[:T]->(:Y)");
    let plan = steps(&db, text);
    assert!(
        !plan.iter().any(|line| line.contains("ExpandInto")),
        "{plan:#?}"
    );
}

#[test]
fn rows_are_estimated_by_the_labels_of_both_ends() {
    let db = authors();
    let text = "MATCH (a:Author)-[:LINKED]->(p) RETURN a, p";
    assert_eq!(expected(&db, text, "Expand"), 4_000.0);
    assert_eq!(
        db.number("MATCH (a:Author)-[:LINKED]->(p) RETURN count(*)"),
        4_000
    );
    // New labels of vertices with edges count at once.
    db.run("MATCH (a:Author) WHERE a.id <= 10 SET a:Known");
    let text = "MATCH (a:Known)-[:LINKED]->(p) RETURN a, p";
    assert_eq!(expected(&db, text, "Expand"), 400.0);
}

#[test]
fn a_plan_made_for_a_graph_without_edges_does_not_stay() {
    let db = Db::new();
    db.run("UNWIND range(1, 100) AS i CREATE (:A {id: i})");
    db.run("UNWIND range(1, 300) AS i CREATE (:B {id: i})");
    let text = "MATCH (a:A)-[:T]->(b:B) RETURN count(*)";
    let begins = |db: &Db| {
        let prepared = db.engine.prepare(text, &db.core).unwrap();
        let lines = prepared.plan_lines();
        let scan = lines
            .iter()
            .rev()
            .find(|line| line.contains("ScanAllByLabel"));
        scan.unwrap().clone()
    };
    assert!(begins(&db).contains(":A"));
    db.run("MATCH (a:A) UNWIND range(1, 100) AS j CREATE (a)-[:T]->(:C)");
    let planned_anew = (0..64).map(|_| begins(&db)).any(|scan| scan.contains(":B"));
    assert!(planned_anew, "{}", db.explain(text));
}

#[test]
fn an_analysis_tells_a_skewed_index_from_an_even_one() {
    let db = Db::new();
    db.run("CREATE INDEX ON :P(skewed)");
    db.run("CREATE INDEX ON :P(even)");
    // Both have 100 values on average ten times, but one of the skewed ones has nearly all entries.
    db.run("UNWIND range(0, 999) AS i CREATE (:P {skewed: CASE WHEN i < 99 THEN i + 1 ELSE 0 END, even: i % 90})");
    let text = "MATCH (n:P {skewed: 0, even: 7}) RETURN n";
    assert!(
        db.explain(text).contains("{skewed}"),
        "{}",
        db.explain(text)
    );
    db.run("ANALYZE GRAPH");
    assert!(db.explain(text).contains("{even}"), "{}", db.explain(text));
    db.run("ANALYZE GRAPH DELETE STATISTICS");
    assert!(
        db.explain(text).contains("{skewed}"),
        "{}",
        db.explain(text)
    );
}

#[test]
fn a_pattern_of_many_steps_is_planned_too() {
    let db = Db::new();
    db.run("CREATE INDEX ON :N(i)");
    db.run("CREATE (h:H) WITH h UNWIND range(0, 299) AS i CREATE (h)-[:T]->(:N {i: i})");
    for arms in [3, 16, 17, 150] {
        let star: Vec<String> = (0..arms)
            .map(|at| format!("(h)-[:T]->(:N {{i: {at}}})"))
            .collect();
        let text = format!("MATCH (h:H), {} RETURN count(*)", star.join(", "));
        assert_eq!(db.number(&text), 1, "{arms} arms");
    }
    let path: Vec<String> = (0..150).map(|at| format!("(n{at}:N)")).collect();
    let text = format!("MATCH {} RETURN count(*)", path.join("-[:T]-"));
    assert_eq!(db.number(&text), 0);
}

/// The rows of a `PROFILE`: operator, rows it gave.
fn profiled(db: &Db, text: &str) -> Vec<(String, Option<i64>)> {
    let rows = db.run(text);
    rows.into_iter()
        .map(|row| match row.as_slice() {
            [
                Value::String(operator),
                Value::Int(rows),
                Value::String(share),
                Value::String(time),
            ] => {
                assert!(
                    share.ends_with(" %") && time.ends_with(" ms"),
                    "{share} {time}"
                );
                (operator.to_string(), Some(*rows))
            }
            [
                Value::String(operator),
                Value::Null,
                Value::Null,
                Value::Null,
            ] => (operator.to_string(), None),
            other => panic!("{other:?}"),
        })
        .collect()
}

#[test]
fn a_profile_tells_the_rows_that_each_operator_gave_and_what_was_expected() {
    let db = Db::new();
    db.run("UNWIND range(1, 1000) AS i CREATE (:P {i: i})-[:T]->(:Q)");
    let rows = profiled(
        &db,
        "PROFILE MATCH (p:P)-[:T]->(q) WHERE p.i + 0 <= 10 RETURN p.i, q",
    );
    let of = |name: &str| {
        rows.iter()
            .find(|(operator, _)| operator.contains(name))
            .unwrap_or_else(|| panic!("{name}: {rows:?}"))
    };
    assert_eq!(of("ScanAllByLabel").1, Some(1000));
    assert_eq!(of("Filter").1, Some(10));
    assert_eq!(of("Expand").1, Some(10));
    assert_eq!(of("Produce").1, None);
    assert!(of("ScanAllByLabel").0.contains("(~1000 rows)"), "{rows:?}");
}

#[test]
fn a_condition_that_a_scan_asks_of_whole_pages_is_measured_with_it() {
    let db = Db::new();
    db.run("UNWIND range(1, 1000) AS i CREATE (:P {i: i})");
    let rows = profiled(&db, "PROFILE MATCH (p:P) WHERE p.i <= 10 RETURN p");
    let scan = rows
        .iter()
        .find(|(line, _)| line.contains("ScanAllByLabel"));
    let (line, count) = scan.unwrap();
    assert_eq!(*count, Some(10));
    assert!(line.contains("p.i <= 10  (~500 rows)"), "{rows:?}");
}

#[test]
fn edges_that_are_only_counted_are_not_walked() {
    let db = authors();
    for text in [
        "MATCH ()-[r]->() RETURN count(r)",
        "MATCH (a:Author)-[:LINKED]->() RETURN count(*)",
        "MATCH (a:Author)-[:LINKED]->(p) RETURN a.id, count(p)",
    ] {
        assert!(!db.explain(text).contains("Expand"), "{text}");
    }
    // A subquery would be computed in front.
    for text in [
        "MATCH (p:Post) WHERE (p)<-[:LINKED]-() RETURN p.n",
        "MATCH (p:Post) RETURN COUNT { (p)--() } AS edges",
    ] {
        assert!(!db.explain(text).contains("Compute"), "{text}");
    }
    // An edge or an end that is looked at is walked.
    for text in [
        "MATCH (a:Author)-[r:LINKED]->(p) RETURN count(DISTINCT p)",
        "MATCH (a:Author)-[r:LINKED]->(p) RETURN sum(p.n)",
        "MATCH (a:Author)-[r:LINKED]->(p:Post) RETURN count(p)",
    ] {
        assert!(db.explain(text).contains("Expand"), "{text}");
    }
}

#[test]
fn vertices_that_no_edge_joins_are_found_once() {
    let db = authors();
    let joined = "MATCH (a:Author), (p:Post) WHERE a.id = p.n RETURN a, p";
    assert!(db.explain(joined).contains("HashJoin (a.id = p.n)"));
    let product = "MATCH (a:Author), (b:Author) WHERE a.id < b.id RETURN a, b";
    assert!(db.explain(product).contains("Cartesian"));
    let rows = "UNWIND $rows AS row MATCH (p:Post {n: row.n}) RETURN p";
    assert!(db.explain(rows).contains("HashJoin (row.n = p.n)"));
    // One row has nothing to be joined with, and an index finds what it wants.
    let one = "MATCH (p:Post {n: $n}) RETURN p";
    assert!(!db.explain(one).contains("Join"));
    db.run("CREATE INDEX ON :Post(n)");
    assert!(!db.explain(rows).contains("Join"));
}

#[test]
fn a_profile_of_a_write_writes_and_inner_plans_are_measured_too() {
    let db = Db::new();
    let rows = profiled(&db, "PROFILE UNWIND range(1, 3) AS i MERGE (:P {i: i % 2})");
    assert_eq!(db.number("MATCH (p:P) RETURN count(p)"), 2);
    let merge = rows
        .iter()
        .position(|(operator, _)| operator.contains("Merge"))
        .unwrap();
    assert!(rows[merge + 1].0.ends_with('\\'), "{rows:?}");
    // What is looked for, also anew once it was made, is found in the inner plan.
    assert!(rows[merge + 2].1 > Some(0), "{rows:?}");
    let of = |name: &str| {
        rows.iter()
            .find(|(operator, _)| operator.contains(name))
            .unwrap()
            .1
    };
    assert_eq!(
        (of("* Merge"), of("* Unwind")),
        (Some(3), Some(3)),
        "{rows:?}"
    );
    let rows = profiled(
        &db,
        "PROFILE MATCH (p:P) RETURN p.i UNION ALL UNWIND [1, 2, 3] AS i RETURN i AS `p.i`",
    );
    let counts: Vec<i64> = rows
        .iter()
        .filter(|(operator, _)| operator.contains("Project"))
        .filter_map(|row| row.1)
        .collect();
    assert_eq!(counts, [2, 3], "{rows:?}");
}

#[test]
fn a_cycle_is_closed_by_going_through_two_lists_together() {
    let db = authors();
    for (text, count) in [
        ("MATCH (a:Author {id: 1})-->(p)-->(a) RETURN p", 1),
        ("MATCH (a:Author {id: 1})-->(p)-->(o)-->(a) RETURN p", 1),
        ("MATCH (a:Author {id: 1})-->(p)-->(o) RETURN p", 0),
        (
            "MATCH (a:Author {id: 1})-->(p)-->(o), (a)-[*2]->(o) RETURN p",
            0,
        ),
    ] {
        let steps = steps(&db, text);
        let found = steps.iter().filter(|step| step.contains("ExpandIntersect"));
        assert_eq!(found.count(), count, "{text}: {steps:#?}");
    }
}
