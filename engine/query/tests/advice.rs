//! What a query's author is told: unknown names, patterns that multiply, lengths without a bound, hints that lead nowhere; and when not.

mod db;

use db::{Db, people};
use quoit_query::AdviceKind;

/// The kinds, with the name or else the text they are about.
fn advice(db: &Db, text: &str) -> Vec<(AdviceKind, String)> {
    let prepared = db.engine.prepare(text, &db.core).unwrap();
    let advice = prepared.advice(db.core.graph());
    advice
        .map(|advice| match advice.name.is_empty() {
            true => (advice.kind, advice.span.text(text).to_owned()),
            false => (advice.kind, advice.name.to_string()),
        })
        .collect()
}

#[test]
fn unknown_names_that_are_read_are_told_once() {
    use AdviceKind::{UnknownKey, UnknownLabel, UnknownType};
    let db = people();
    for (text, told) in [
        ("MATCH (n:Persn) RETURN n", vec![(UnknownLabel, "Persn")]),
        (
            "MATCH (n:Person) WHERE n:Persn OR n:Persn RETURN n",
            vec![(UnknownLabel, "Persn")],
        ),
        (
            "MATCH (n)-[:KNOW|KNOWS]->(m:!Nobody) RETURN m",
            vec![(UnknownLabel, "Nobody"), (UnknownType, "KNOW")],
        ),
        (
            "MATCH (n {nmae: 1}) RETURN n.agee, n.name",
            vec![(UnknownKey, "nmae"), (UnknownKey, "agee")],
        ),
        (
            "MATCH (n:Person) RETURN COUNT { (n)-[r:LIKES]->() WHERE r.sinse > 1 } AS c",
            vec![(UnknownType, "LIKES"), (UnknownKey, "sinse")],
        ),
        (
            "MATCH (n:Person) RETURN exists((n)-->(:Cat)) AS c",
            vec![(UnknownLabel, "Cat")],
        ),
    ] {
        let told: Vec<_> = told
            .into_iter()
            .map(|(kind, name)| (kind, name.to_owned()))
            .collect();
        assert_eq!(advice(&db, text), told, "{text}");
    }
}

#[test]
fn nothing_is_told_of_what_is_as_it_should_be() {
    let db = people();
    for text in [
        "MATCH (n:Person)-[r:KNOWS]->(m) WHERE n.id < m.age RETURN r.since, n.name",
        "CREATE (:New {fresh: 1})-[:MADE {x: 1}]->(:Newer)",
        "MERGE (n:New {fresh: 1}) SET n.newer = 1, n:Newest",
        "UNWIND [{a: 1}] AS row RETURN row.b",
        "WITH {a: 1} AS map, date() AS d RETURN map.x, d.year",
        "MATCH (a:Person {id: 1}) MATCH (b:Person {id: 2}) RETURN a, b",
        "MATCH (a:Person) MATCH (a)-->(b), (a)-->(c) RETURN b, c",
        "MATCH (a:Person) MATCH (b:Person) WITH a, b MATCH (a)-->(x), (b)-->(y) RETURN x, y",
        "MATCH (a)-[*..3]->(b), (b)-->(c) RETURN c",
    ] {
        assert_eq!(advice(&db, text), [], "{text}");
    }
}

#[test]
fn what_is_written_meanwhile_is_no_longer_unknown() {
    let db = people();
    let text = "MATCH (n:Cat) RETURN n.lives";
    assert_eq!(advice(&db, text).len(), 2);
    db.run("CREATE (:Cat)");
    assert_eq!(
        advice(&db, text),
        [(AdviceKind::UnknownKey, "lives".to_owned())]
    );
    db.run("MATCH (c:Cat) SET c.lives = 9");
    assert!(advice(&db, text).is_empty());
    assert!(db.engine.cache_hits() > 0);
}

#[test]
fn patterns_without_a_bound_or_a_common_variable_are_told() {
    use AdviceKind::{CartesianProduct, NoSuchIndex, UnboundedLength};
    let db = people();
    let of = |text: &str| advice(&db, text);
    assert_eq!(
        of("MATCH (a:Person), (b:Person) RETURN count(*)")[0].0,
        CartesianProduct
    );
    assert_eq!(of("MATCH (a)-->(b), (c), (b)-->(c) RETURN 1 AS x"), []);
    assert_eq!(
        of("MATCH (a)-->(b), (c)-->(d), (d)<--(a), (e) RETURN 1 AS x").len(),
        1
    );
    assert_eq!(
        of("MATCH (a:Person {id: 1})-[:KNOWS*]->(b) RETURN count(b)"),
        [(UnboundedLength, "-[:KNOWS*]->".to_owned())]
    );
    assert_eq!(
        of("MATCH p = shortestPath((a:Person {id: 1})-[:KNOWS*]->(b:Person {id: 2})) RETURN p"),
        []
    );
    assert_eq!(
        of("MATCH (a:Person) USING INDEX a:Person(age) WHERE a.age = 1 RETURN a"),
        [(NoSuchIndex, ":Person(age)".to_owned())]
    );
    assert_eq!(
        of("USING INDEX :Person(name) MATCH (a:Person) WHERE a.name = 'x' RETURN a"),
        [(NoSuchIndex, ":Person(name)".to_owned())]
    );
    db.run("CREATE INDEX ON :Person(age)");
    assert_eq!(
        of("MATCH (a:Person) USING INDEX a:Person(age) WHERE a.age = 1 RETURN a"),
        []
    );
}
