//! What `EXPLAIN` tells: operators in the words of the query.

mod db;

use db::Db;

fn explained(db: &Db, text: &str) -> Vec<String> {
    let plan = db.explain(text);
    let lines = plan.lines().map(|line| match line.split_once("  (~") {
        Some((operator, _)) => operator.trim_start_matches([' ', '|', '*']).to_owned(),
        None => line.trim_start_matches([' ', '|', '*']).to_owned(),
    });
    lines.filter(|line| line != "\\").collect()
}

#[test]
fn operators_name_the_variables_and_expressions_of_the_query() {
    let db = Db::new();
    db.run("CREATE (:A {x: 1})-[:R {w: 2}]->(:B {y: 'z'})");
    db.run("CREATE INDEX ON :B(y)");
    for (text, wanted) in [
        (
            "MATCH (first:A)-[r:R]->(last) WHERE first.x + 1 > $p AND last.y <> 'q' RETURN last.y AS name, first ORDER BY name DESC LIMIT 3",
            &[
                "Produce {name, first}",
                "ScanAllByLabel (first :A)",
                "Expand (first)-[:R]->(last)",
                "Project (last.y AS name, first)",
                "first.x + ",
                " > $p",
                "last.y <> ",
                "TopOrderBy (last.y DESC)",
            ][..],
        ),
        (
            "MATCH (b:B {y: $y})<-[:R]-() RETURN count(*) AS n",
            &[
                "ScanAllByLabelProperties (b :B {y}), = $y",
                "sum(degree((b)<-[:R]-())) AS n",
            ],
        ),
        (
            "MATCH (a:A) WITH a.x AS x, collect(DISTINCT a) AS all UNWIND all AS one RETURN x, one.x IN [1, 2] AS found",
            &[
                "Aggregate ({a.x} {collect(DISTINCT a)})",
                "Project (a.x AS x, collect(DISTINCT a) AS all)",
                "Unwind (all AS one)",
                "one.x IN [",
            ],
        ),
        (
            "MATCH (a:A) WHERE EXISTS { (a)-[:R]->(:B) } AND any(i IN [1] WHERE i = a.x) AND a.x IS :: INTEGER RETURN a",
            &["any(i IN [", "a.x IS :: INTEGER", "EXISTS {"],
        ),
        (
            "CREATE (n:New {p: 1})-[:T]->(:Other) SET n.q = 2",
            &["Create (n:New), (anon_", "-[:T]->", "EmptyResult"],
        ),
    ] {
        let plan = explained(&db, text).join("\n");
        for words in wanted {
            assert!(plan.contains(words), "{words} is not in\n{plan}");
        }
        assert!(!plan.contains('#'), "{plan}");
    }
}

#[test]
fn what_a_query_calls_things_makes_no_other_plan() {
    let db = Db::new();
    db.run("UNWIND range(1, 50) AS i CREATE (:A {x: i})");
    let plans = ["one", "other"].map(|name| {
        let text = format!("MATCH ({name}:A) WHERE {name}.x > 3 RETURN {name}.x AS x");
        explained(&db, &text).join("\n").replace(name, "v")
    });
    assert_eq!(plans[0], plans[1]);
    assert!(plans[0].contains("(v :A)"), "{}", plans[0]);
}
