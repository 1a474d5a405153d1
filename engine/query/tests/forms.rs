//! Forms of words: names that are computed, types and normal forms asked for, `trim` with its words, plans of schema statements.

mod db;

use db::Db;
use quoit_cypher::error::ErrorKind;
use quoit_graph::value::Value;
use quoit_query::Parameters;

fn labelled() -> Db {
    let db = Db::new();
    db.run("CREATE (:A {id: 1})-[:R]->(:B {id: 2})-[:S]->(:A:B {id: 3}), ({id: 4})");
    db
}

/// The ids a query gives, sorted.
fn ids(db: &Db, text: &str) -> Vec<i64> {
    let mut parameters = Parameters::new();
    parameters.insert("l", Value::from("A"));
    parameters.insert("all", Value::list(vec!["A".into(), "B".into()]));
    parameters.insert("none", Value::list(Vec::new()));
    let (rows, _) = db
        .try_run(text, &parameters)
        .unwrap_or_else(|error| panic!("{text}: {error:?}"));
    let mut ids: Vec<i64> = rows
        .iter()
        .map(|row| match row[0] {
            Value::Int(id) => id,
            ref other => panic!("{text}: {other:?}"),
        })
        .collect();
    ids.sort_unstable();
    ids
}

#[test]
fn computed_labels_are_matched_as_those_that_are_written() {
    let db = labelled();
    for (labels, wanted) in [
        ("$l", &[1, 3][..]),
        ("$($l)", &[1, 3]),
        ("$('A')", &[1, 3]),
        ("$('Unknown')", &[]),
        ("$($all)", &[3]),
        ("$all($all)", &[3]),
        ("$any($all)", &[1, 2, 3]),
        ("$ANY(['B', 'Unknown'])", &[2, 3]),
        ("$all($none)", &[1, 2, 3, 4]),
        ("$any($none)", &[]),
        ("!$($l)", &[2, 4]),
        ("B&$($l)", &[3]),
        ("$($l)&B", &[3]),
        ("B&!$($l)", &[2]),
        ("$($l)|B", &[1, 2, 3]),
        ("%&!$any($all)", &[]),
    ] {
        for text in [
            format!("MATCH (n:{labels}) RETURN n.id AS id"),
            format!("MATCH (n) WHERE n:{labels} RETURN n.id AS id"),
            format!("MATCH (n) WITH n WHERE n:{labels} RETURN n.id AS id"),
            format!("MATCH (n) WITH n, n:{labels} AS has WHERE has RETURN n.id AS id"),
            format!("MATCH (n) WHERE EXISTS {{ (n:{labels}) }} RETURN n.id AS id"),
        ] {
            assert_eq!(ids(&db, &text), wanted, "{text}");
        }
    }
}

#[test]
fn computed_types_are_matched_as_those_that_are_written() {
    let db = labelled();
    for (types, wanted) in [
        ("$('R')", &[2][..]),
        ("$any(['R', 'S'])", &[2, 3]),
        ("$(['R', 'S'])", &[]),
        ("$('S')|R", &[2, 3]),
        ("!$('R')", &[3]),
    ] {
        for text in [
            format!("MATCH ()-[:{types}]->(n) RETURN n.id AS id"),
            format!("MATCH ()-[r]->(n) WHERE r:{types} RETURN n.id AS id"),
            format!("MATCH (n)<-[:{types}]-() RETURN n.id AS id"),
        ] {
            assert_eq!(ids(&db, &text), wanted, "{text}");
        }
    }
    let along = |types: &str| {
        let text = format!("MATCH ({{id: 1}})-[:{types}*1..2]->(n) RETURN n.id AS id");
        ids(&db, &text)
    };
    assert_eq!(along("$any(['R', 'S'])"), [2, 3]);
    assert_eq!(along("$('R')"), [2]);
}

#[test]
fn a_label_may_be_computed_from_what_is_matched_before() {
    let db = labelled();
    db.run("CREATE (:Wanted {name: 'B'})");
    let text = "MATCH (w:Wanted) MATCH (n:$(w.name)) RETURN n.id AS id";
    assert_eq!(ids(&db, text), [2, 3]);
    let text = "UNWIND ['A', 'B'] AS name MATCH (n:$(name)) RETURN count(n) AS id";
    assert_eq!(ids(&db, text), [4]);
}

#[test]
fn merge_finds_and_makes_computed_labels() {
    let db = labelled();
    assert_eq!(ids(&db, "MERGE (n:$($l) {id: 1}) RETURN n.id AS id"), [1]);
    assert_eq!(
        ids(&db, "MERGE (n:$('New') {id: 1}) RETURN n.id AS id"),
        [1]
    );
    assert_eq!(ids(&db, "MATCH (n:New) RETURN n.id AS id"), [1]);
    let error = db.error("MERGE (n:$any(['A', 'B']))");
    assert_eq!(error.kind(), ErrorKind::SyntaxError, "{error:?}");
}

#[test]
fn a_computed_label_that_is_no_text_is_refused_where_it_stands() {
    let db = labelled();
    for text in [
        "MATCH (n:$(1)) RETURN n",
        "MATCH (n:$(['A', 1])) RETURN n",
        "MATCH (n:$(null)) RETURN n",
    ] {
        let error = db.error(text);
        assert_eq!(error.kind(), ErrorKind::TypeError, "{text}: {error:?}");
        assert!(error.span().is_some(), "{text}");
    }
}

/// Expressions that are true.
const TRUE: &[&str] = &[
    "1 :: INTEGER",
    "NOT 1 :: STRING",
    "[1, 2] :: LIST<INTEGER>",
    "one :: INTEGER",
    "one::INTEGER | STRING",
    "one + 1 :: INTEGER AND true",
    "(one :: INTEGER) = true",
    "date('2020-01-01') :: DATE",
    "[x IN [1, 'a'] WHERE x :: STRING] = ['a']",
    "'a' IS NORMALIZED",
    "'\\u00e9' IS NORMALIZED",
    "'e\\u0301' IS NOT NORMALIZED",
    "'e\\u0301' IS NFD NORMALIZED",
    "'\\ufb01' IS NOT nfkc NORMALIZED",
    "(null IS NORMALIZED) IS NULL",
    "(1 IS NORMALIZED) IS NULL",
    "normalize('\\ufb01', NFKC) = 'fi'",
    "normalize(null) IS NULL",
    "trim(BOTH 'x' FROM 'xax') = 'a'",
    "trim(LEADING 'x' FROM 'xax') = 'ax'",
    "trim(TRAILING 'x' FROM 'xax') = 'xa'",
    "trim('xy' FROM 'xyaxy') = 'a'",
    "trim(BOTH FROM ' a ') = 'a'",
    "trim(leading from '  a') = 'a'",
    "trim(toString(one) FROM '1a1') = 'a'",
    "trim(' a ') = 'a'",
    "size([from IN [' a'] WHERE trim(from) = 'a']) = 1",
    "duration('PT-0.000000001S').milliseconds = -1",
    "duration('PT-1.5S').milliseconds = -1500",
    "duration('PT1.0015S').microseconds = 1001500",
];

#[test]
fn forms_of_words_mean_what_they_should() {
    let db = Db::new();
    for text in TRUE {
        let rows = db.run(&format!("WITH 1 AS one RETURN {text} AS is"));
        assert_eq!(rows, [[Value::Bool(true)]], "{text}");
    }
}

#[test]
fn a_name_behind_two_colons_that_is_no_type_is_a_value_of_an_enum() {
    let db = Db::new();
    let error = db.error("RETURN Status::Good AS s");
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error:?}");
    let error = db.error("RETURN 1 :: Good AS s");
    assert_eq!(error.kind(), ErrorKind::SyntaxError, "{error:?}");
    let error = db.error("RETURN normalize('a', NFX) AS s");
    assert_eq!(error.kind(), ErrorKind::SyntaxError, "{error:?}");
}

#[test]
fn schema_statements_are_explained_and_profiled() {
    let db = labelled();
    let text = "CREATE INDEX ON :A(id)";
    let shown = " * CreateIndex label A on properties id";
    assert_eq!(db.explain(text), shown);
    assert_eq!(db.run("CALL db.indexes() YIELD name RETURN name").len(), 0);
    let rows = db.run(&format!("PROFILE {text}"));
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0][0], Value::from(shown));
    assert_eq!(db.run("CALL db.indexes() YIELD name RETURN name").len(), 1);
    let rows = db.run("PROFILE ANALYZE GRAPH");
    assert_eq!(
        rows[0][..2],
        [Value::from(" * AnalyzeGraph"), Value::Int(1)]
    );
}
