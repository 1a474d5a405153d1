//! The pattern language beside searches: type and label expressions, computed lengths, and types of values as predicates.

mod db;

use db::Db;
use quoit_graph::value::Value;
use quoit_query::Parameters;

/// `(:A {i: 1})-[:R {w: 1}]->(:B:C {i: 2})-[:R {w: 2}]->(:C {i: 3})-[:S {w: 3}]->(:A)`, and `(2)-[:S {w: 4}]->(3)`; a lone vertex without labels.
fn triangle() -> Db {
    let db = Db::new();
    db.run("CREATE (a:A {i: 1})-[:R {w: 1}]->(b:B:C {i: 2})-[:R {w: 2}]->(c:C {i: 3})-[:S {w: 3}]->(a), (b)-[:S {w: 4}]->(c), ({i: 4})");
    db
}

/// What a query gives, as text that a reader can compare.
fn shown(db: &Db, text: &str) -> String {
    db.run(text)
        .iter()
        .map(|row| row.iter().map(show).collect::<Vec<_>>().join(" "))
        .collect::<Vec<_>>()
        .join(", ")
}

fn show(value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Bool(value) => value.to_string(),
        Value::Int(value) => value.to_string(),
        Value::String(value) => value.to_string(),
        Value::List(items) => format!("[{}]", items.iter().map(show).collect::<Vec<_>>().join(" ")),
        other => format!("{other:?}"),
    }
}

#[test]
fn type_expressions_choose_relationships() {
    let db = triangle();
    for (types, weights) in [
        (":R|S", "1 2 3 4"),
        (":!R", "3 4"),
        (":%", "1 2 3 4"),
        (":!%", ""),
        (":R&S", ""),
        (":R&!S", "1 2"),
        (":!(R|S)", ""),
        (":R&!S|%", "1 2 3 4"),
        (":!NoSuchType", "1 2 3 4"),
        (" IS S|NoSuchType", "3 4"),
    ] {
        let text = format!("MATCH ()-[r{types}]->() WITH r.w AS w ORDER BY w RETURN w");
        assert_eq!(shown(&db, &text).replace(',', ""), weights, "{types}");
        // The same on trails of one relationship, and as a predicate.
        let trail = format!("MATCH ()-[r{types}*1..1]->() WITH r[0].w AS w ORDER BY w RETURN w");
        assert_eq!(shown(&db, &trail).replace(',', ""), weights, "{types}");
        let predicate =
            format!("MATCH ()-[r]->() WHERE r{types} WITH r.w AS w ORDER BY w RETURN w");
        assert_eq!(shown(&db, &predicate).replace(',', ""), weights, "{types}");
    }
    assert_eq!(
        shown(&db, "MATCH (:A)-[r:!S*]->(b) RETURN b.i ORDER BY b.i"),
        "2, 3"
    );
    assert_eq!(
        shown(&db, "MATCH (:A)-[r:!S* (e, n | e.w < 2)]->(b) RETURN b.i"),
        "2"
    );
    assert_eq!(
        shown(
            &db,
            "MATCH (a:A), (b:C {i: 3}) MATCH p = shortestPath((a)-[:!R|%*]->(b)) RETURN length(p)"
        ),
        "2"
    );
    assert_eq!(
        shown(
            &db,
            "MATCH (a:A) MATCH (a)-[r:!S *BFS]->(b) RETURN b.i ORDER BY b.i"
        ),
        "2, 3"
    );
}

#[test]
fn label_expressions_choose_vertices_wherever_they_stand() {
    let db = triangle();
    for (labels, found) in [
        ("A|B", "1, 2"),
        ("B&C", "2"),
        ("C&!B", "3"),
        ("%", "1, 2, 3"),
        ("!%", "4"),
        ("!A", "2, 3, 4"),
        ("!(A|B)", "3, 4"),
    ] {
        for text in [
            format!("MATCH (n:{labels}) RETURN n.i ORDER BY n.i"),
            format!("MATCH (n IS {labels}) RETURN n.i ORDER BY n.i"),
            format!("MATCH (n) WHERE n:{labels} RETURN n.i ORDER BY n.i"),
            format!("MATCH (n) WHERE n IS {labels} RETURN n.i ORDER BY n.i"),
            format!("MATCH (n WHERE n:{labels}) RETURN n.i ORDER BY n.i"),
            format!("MATCH (n) WHERE EXISTS {{ (n:{labels}) }} RETURN n.i ORDER BY n.i"),
        ] {
            assert_eq!(shown(&db, &text), found, "{text}");
        }
    }
}

#[test]
fn conditions_stand_within_nodes_and_relationships_of_any_pattern() {
    let db = triangle();
    for (text, found) in [
        (
            "MATCH (a WHERE a.i > 1)-[r WHERE r.w < 4]->(b) RETURN a.i, b.i ORDER BY a.i",
            "2 3, 3 1",
        ),
        (
            "MATCH (a)-[r:R WHERE r.w = a.i]->(b WHERE b.i > a.i) RETURN a.i, b.i ORDER BY a.i",
            "1 2, 2 3",
        ),
        (
            "MATCH (a:A) RETURN [(a)-[r WHERE r.w = 1]->(b WHERE b.i = 2) | b.i]",
            "[2]",
        ),
        (
            "MATCH (a) WHERE EXISTS { (a)-[r WHERE r.w > 2]->() } RETURN a.i ORDER BY a.i",
            "2, 3",
        ),
        (
            "MATCH (a) RETURN a.i, COUNT { (a)-[r WHERE r.w > 1]->(:C) } ORDER BY a.i",
            "1 0, 2 2, 3 0, 4 0",
        ),
    ] {
        assert_eq!(shown(&db, text), found, "{text}");
    }
    let error = db.error("MATCH (a)-[r*1..2 WHERE r.w > 1]->(b) RETURN b");
    assert!(error.message().contains("variable length"), "{error:?}");
    assert!(error.hint_text().is_some(), "{error:?}");
}

#[test]
fn lengths_are_computed_from_parameters_and_rows() {
    let db = triangle();
    let with = |text: &str, name: &str, value: Value| {
        let parameters = Parameters::from_iter([(name.into(), value)]);
        db.try_run(text, &parameters)
    };
    let counted = |text: &str, most: i64| match with(text, "n", Value::Int(most)) {
        Ok((rows, _)) => match rows[0][0] {
            Value::Int(count) => count,
            _ => panic!("{rows:?}"),
        },
        Err(error) => panic!("{text}: {error:?}"),
    };
    for most in 0..5 {
        let fixed = db.number(&format!("MATCH (a)-[*1..{most}]->(b) RETURN count(*)"));
        assert_eq!(
            counted("MATCH (a)-[*1..$n]->(b) RETURN count(*)", most),
            fixed
        );
        assert_eq!(
            counted("MATCH (a)-[*..$n]->(b) RETURN count(*)", most),
            fixed
        );
        assert_eq!(
            counted(
                "WITH {n: $n} AS m MATCH (a)-[*1..m.n]->(b) RETURN count(*)",
                most
            ),
            fixed
        );
        let exact = db.number(&format!("MATCH (a)-[*{most}]->(b) RETURN count(*)"));
        assert_eq!(
            counted("WITH $n AS x MATCH (a)-[*x]->(b) RETURN count(*)", most),
            exact
        );
        let near = db.number(&format!("MATCH (a:A)-[*BFS ..{most}]->(b) RETURN count(*)"));
        assert_eq!(
            counted("MATCH (a:A)-[*BFS ..$n]->(b) RETURN count(*)", most),
            near
        );
        // The number is that of this text, though the plan may be another's.
        let one = db.number(&format!("MATCH (a:A)-[*BFS {most}]->(b) RETURN count(*)"));
        assert_eq!(
            counted("MATCH (a:A)-[*BFS $n..$n]->(b) RETURN count(*)", most),
            one
        );
    }
    // A bound may rest on what the same MATCH finds.
    assert_eq!(shown(&db, "MATCH (a:A)-[*1..b.i]->(b:B) RETURN b.i"), "2");
    for wrong in [
        Value::Int(-1),
        Value::string("x"),
        Value::Null,
        Value::Float(1.0),
    ] {
        let error = with("MATCH (a)-[*1..$n]->(b) RETURN count(*)", "n", wrong).unwrap_err();
        assert!(error.message().contains("length"), "{error:?}");
        assert!(error.span().is_some(), "{error:?}");
    }
}

#[test]
fn values_are_asked_for_their_types() {
    let db = triangle();
    for (value, belongs, does_not) in [
        (
            "1",
            "INTEGER; INT; SIGNED INTEGER; ANY; ANY VALUE; PROPERTY VALUE; INTEGER NOT NULL; INTEGER!; FLOAT | INTEGER; ANY<FLOAT | INTEGER>",
            "FLOAT; STRING; NOTHING; NULL; LIST<INTEGER>; FLOAT | STRING",
        ),
        ("1.5", "FLOAT", "INTEGER"),
        ("true", "BOOLEAN; BOOL", "STRING"),
        ("'x'", "STRING; VARCHAR; STRING NOT NULL", "BOOLEAN"),
        (
            "null",
            "INTEGER; NULL; ANY; LIST<STRING>; INTEGER | STRING",
            "INTEGER NOT NULL; NOTHING; ANY NOT NULL; ANY!; INTEGER! | STRING!",
        ),
        (
            "[1, 2]",
            "LIST<INTEGER>; LIST<INTEGER NOT NULL> NOT NULL; LIST<ANY>; ARRAY<INTEGER>; INTEGER LIST; INTEGER ARRAY; INTEGER NOT NULL LIST NOT NULL; PROPERTY VALUE; LIST<INTEGER | STRING>",
            "LIST<STRING>; INTEGER; INTEGER LIST LIST",
        ),
        (
            "[1, null]",
            "LIST<INTEGER>",
            "LIST<INTEGER NOT NULL>; LIST<INTEGER!>; PROPERTY VALUE",
        ),
        (
            "[1, 'a']",
            "LIST<INTEGER | STRING>; LIST<ANY>",
            "LIST<INTEGER>; PROPERTY VALUE",
        ),
        ("[]", "LIST<STRING NOT NULL>; LIST<NOTHING>", "MAP"),
        ("[[1]]", "LIST<LIST<INTEGER>>", "PROPERTY VALUE"),
        ("{a: 1}", "MAP; ANY MAP", "PROPERTY VALUE; NODE"),
        ("date('2020-01-01')", "DATE", "LOCAL DATETIME"),
        (
            "localtime('12:00')",
            "LOCAL TIME; TIME WITHOUT TIMEZONE; TIME WITHOUT TIME ZONE",
            "ZONED TIME",
        ),
        (
            "time('12:00Z')",
            "ZONED TIME; TIME WITH TIMEZONE",
            "LOCAL TIME",
        ),
        (
            "localdatetime('2020-01-01T12:00')",
            "LOCAL DATETIME; TIMESTAMP WITHOUT TIMEZONE",
            "DATE",
        ),
        (
            "datetime('2020-01-01T12:00Z')",
            "ZONED DATETIME; TIMESTAMP WITH TIME ZONE",
            "LOCAL DATETIME",
        ),
        ("duration('P1D')", "DURATION", "DATE"),
        ("point({x: 1, y: 2})", "POINT", "MAP"),
        ("a", "NODE; ANY NODE; VERTEX", "RELATIONSHIP; MAP; PATH"),
        ("r", "RELATIONSHIP; ANY RELATIONSHIP; EDGE", "NODE"),
        ("p", "PATH", "LIST<ANY>"),
    ] {
        let ask = |of: &str| {
            shown(
                &db,
                &format!(
                    "MATCH p = (a:A)-[r]->() RETURN {value} IS :: {of}, {value} IS NOT :: {of}, {value} IS TYPED {of}"
                ),
            )
        };
        for of in belongs.split("; ") {
            assert_eq!(ask(of), "true false true", "{value} IS :: {of}");
        }
        for of in does_not.split("; ") {
            assert_eq!(ask(of), "false true false", "{value} IS :: {of}");
        }
    }
    for (text, at) in [
        ("RETURN 1 IS :: NOSUCH AS x", 15),
        ("RETURN 1 IS :: INTEGER NOT NULL | STRING AS x", 15),
        ("RETURN 1 IS :: LIST AS x", 20),
    ] {
        let error = db.error(text);
        assert_eq!(
            error.span().map(|span| span.start),
            Some(at),
            "{text}: {error:?}"
        );
    }
}
