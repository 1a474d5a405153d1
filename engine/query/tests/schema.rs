//! Schema statements in both dialects: what they make, what they tell, what they refuse.

mod db;

use db::{Db, Rows};
use quoit_cypher::error::{Detail, ErrorKind};
use quoit_graph::value::Value;
use quoit_graph::{Order, SchemaState};
use quoit_query::{Demand, Execution, Kind, Parameters, Step};

/// Runs a schema statement; the code of its one notice, and its title.
fn notice(db: &Db, text: &str) -> (&'static str, String) {
    let prepared = db
        .engine
        .prepare(text, &db.core)
        .unwrap_or_else(|error| panic!("{text}: {error:?}"));
    assert_eq!(prepared.kind(), Kind::Schema);
    let mut txn = db.begin(true);
    let mut execution = Execution::new(prepared, &Parameters::new()).unwrap();
    execution.request(Demand::All);
    while execution
        .step(&mut txn, &db.core, &|| false, &mut Rows::default())
        .unwrap_or_else(|error| panic!("{text}: {error:?}"))
        != Step::Done
    {}
    let mut notices = execution.summary(&txn).notices;
    txn.commit().unwrap();
    assert_eq!(notices.len(), 1, "{text}");
    let notice = notices.remove(0);
    (notice.code, notice.title)
}

/// Indexes as `name :owner(keys)`.
/// A name, if someone has given it.
fn given(name: Option<&str>) -> &str {
    let made = |name: &&str| name.starts_with("index_");
    name.filter(|name| !made(name)).unwrap_or_default()
}

fn indexes(db: &Db) -> Vec<String> {
    let graph = db.core.graph();
    let names = graph.names();
    graph
        .indexes()
        .iter()
        .map(|index| {
            assert_eq!(index.state, SchemaState::Online);
            let definition = &index.definition;
            let owner = match definition.label() {
                Some(label) => names.label_name(label).unwrap().to_string(),
                None => format!(
                    "-{}-",
                    names.type_name(definition.edge_type().unwrap()).unwrap()
                ),
            };
            let keys: Vec<&str> = definition
                .keys()
                .iter()
                .map(|key| &**names.key_name(*key).unwrap())
                .collect();
            let order = match definition.order() {
                Order::Ascending => "",
                Order::Descending => " DESC",
            };
            format!(
                "{}:{owner}({}){order}",
                given(index.name.as_deref()),
                keys.join(", ")
            )
        })
        .collect()
}

#[test]
fn an_index_is_made_shown_and_dropped_in_either_dialect() {
    let db = Db::new();
    for (text, code, shown) in [
        ("CREATE INDEX ON :L", "CreateIndex", ":L()"),
        ("CREATE INDEX ON :L(p)", "CreateIndex", ":L(p)"),
        ("CREATE INDEX ON :L(p)", "IndexAlreadyExists", ":L(p)"),
        (
            "CREATE INDEX FOR (n:L) ON (n.p)",
            "IndexAlreadyExists",
            ":L(p)",
        ),
        (
            "CREATE INDEX IF NOT EXISTS FOR (n:L) ON (n.p)",
            "IndexAlreadyExists",
            ":L(p)",
        ),
        (
            "CREATE RANGE INDEX both FOR (n:L) ON (n.a, n.b)",
            "CreateIndex",
            "both:L(a, b)",
        ),
        (
            "CREATE INDEX both IF NOT EXISTS FOR (n:M) ON (n.x)",
            "IndexAlreadyExists",
            "both:L(a, b)",
        ),
        (
            "CREATE INDEX ON :L(q) WITH CONFIG {\"order\": \"DESC\"}",
            "CreateIndex",
            ":L(q) DESC",
        ),
        (
            "CREATE LOOKUP INDEX FOR (n) ON EACH labels(n)",
            "IndexAlreadyExists",
            ":L()",
        ),
        (
            "DROP INDEX ON :L(q) WITH CONFIG {\"order\": \"ASC\"}",
            "IndexDoesNotExist",
            ":L(q) DESC",
        ),
    ] {
        assert_eq!(notice(&db, text).0, code, "{text}");
        assert!(
            indexes(&db).contains(&shown.to_owned()),
            "{text}: {:?}",
            indexes(&db)
        );
    }
    assert_eq!(indexes(&db).len(), 4);
    assert_eq!(
        notice(&db, "DROP INDEX ON :L(p)"),
        (
            "DropIndex",
            "Dropped index on label L on properties p.".into()
        )
    );
    assert_eq!(
        notice(&db, "DROP INDEX ON :L(p)"),
        (
            "IndexDoesNotExist",
            "Index on label L on properties p doesn't exist.".into()
        )
    );
    assert_eq!(
        notice(&db, "DROP INDEX ON :Never(seen)").0,
        "IndexDoesNotExist"
    );
    assert!(db.core.graph().names().label("Never").is_none());
    assert_eq!(notice(&db, "DROP INDEX both").0, "DropIndex");
    assert_eq!(
        notice(&db, "DROP INDEX both IF EXISTS").0,
        "IndexDoesNotExist"
    );
    assert_eq!(db.error("DROP INDEX both").detail(), Detail::DoesNotExist);
    db.run("DROP ALL INDEXES");
    assert_eq!(indexes(&db), Vec::<String>::new());
}

#[test]
fn a_name_stands_for_one_thing() {
    let db = Db::new();
    db.run("CREATE INDEX taken FOR (n:L) ON (n.p)");
    let error = db.error("CREATE INDEX taken FOR (n:L) ON (n.q)");
    assert_eq!(
        (error.kind(), error.detail()),
        (ErrorKind::SchemaError, Detail::AlreadyExists)
    );
    assert!(error.span().is_some());
    let error = db.error("CREATE CONSTRAINT taken FOR (n:L) REQUIRE n.p IS NOT NULL");
    assert_eq!(error.detail(), Detail::AlreadyExists);
    assert_eq!(indexes(&db), ["taken:L(p)"]);
}

#[test]
fn a_statement_that_cannot_be_meant_is_refused_at_its_place() {
    let db = Db::new();
    let many: Vec<String> = (0..17).map(|at| format!("p{at}")).collect();
    let many = format!("CREATE INDEX ON :L({})", many.join(", "));
    for (text, place) in [
        ("CREATE INDEX ON :L(p, q, p)", "p)"),
        ("CREATE INDEX ON :L()", ")"),
        ("CREATE INDEX ON", ""),
        (
            "CREATE INDEX ON :L(p) WITH CONFIG {order: 'SIDEWAYS'}",
            "'SIDEWAYS'",
        ),
        ("CREATE INDEX ON :L(p) WITH CONFIG {foo: 'ASC'}", "foo"),
        ("CREATE INDEX ON :L WITH CONFIG {order: 'ASC'}", "order"),
        ("DROP INDEX ON :L WITH CONFIG {order: 'ASC'}", "order"),
        (&*many, "p16"),
        (
            "CREATE CONSTRAINT ON (n:L) ASSERT n.p, n.p IS UNIQUE",
            "p IS",
        ),
        ("CREATE CONSTRAINT ON (n:L) ASSERT EXISTS (n.p, n.q)", "q)"),
        (
            "CREATE CONSTRAINT ON (n:L) ASSERT n.p IS TYPED NUMBER",
            "NUMBER",
        ),
    ] {
        let error = db.error(text);
        assert_eq!(error.kind(), ErrorKind::SyntaxError, "{text}: {error:?}");
        let span = error.span().unwrap_or_else(|| panic!("{text}: no place"));
        assert!(
            text[span.start as usize..].starts_with(place),
            "{text}: at {}",
            &text[span.start as usize..]
        );
    }
    assert_eq!(indexes(&db), Vec::<String>::new());
}

#[test]
fn others_have_their_turn_while_an_index_is_filled() {
    let db = Db::new();
    db.run("UNWIND range(1, 3000) AS i CREATE (:L {p: i})");
    let prepared = db
        .engine
        .prepare("CREATE INDEX ON :L(p)", &db.core)
        .unwrap();
    let mut txn = db.begin(true);
    let mut execution = Execution::new(prepared, &Parameters::new()).unwrap();
    let mut turns = 0;
    while execution
        .step(&mut txn, &db.core, &|| true, &mut Rows::default())
        .unwrap()
        != Step::Done
    {
        turns += 1;
        // Neither read before it is whole, nor in the way of a writer.
        let text = "MATCH (n:L {p: 7}) RETURN count(n)";
        assert!(!db.explain(text).contains("Properties"));
        assert_eq!(db.number(text), turns);
        db.run("CREATE (:L {p: 7})");
    }
    txn.commit().unwrap();
    assert!(turns > 5, "only {turns} turns");
    let text = "MATCH (n:L {p: 7}) RETURN count(n)";
    assert!(db.explain(text).contains("Properties"));
    assert_eq!(db.number(text), turns + 1);
}

#[test]
fn what_an_analysis_finds_is_told_in_memgraphs_columns() {
    let db = Db::new();
    db.run("CREATE INDEX ON :L(a, b)");
    db.run("CREATE INDEX ON :L");
    db.run("CREATE INDEX ON :M(c)");
    db.run("UNWIND range(1, 60) AS i CREATE (:L {a: i % 3, b: i})-[:T]->(:M {c: 1})");
    let prepared = db.engine.prepare("ANALYZE GRAPH", &db.core).unwrap();
    let columns: Vec<&str> = prepared.columns().iter().map(|name| &**name).collect();
    assert_eq!(
        columns,
        [
            "label",
            "property",
            "num estimation nodes",
            "num groups",
            "avg group size",
            "chi-squared value",
            "avg degree"
        ]
    );
    assert!(!prepared.writes());
    let rows = db.run("ANALYZE GRAPH ON LABELS :L");
    assert_eq!(rows.len(), 2, "{rows:?}");
    let keyed = rows.iter().find(|row| !row[1].is_null()).unwrap();
    assert_eq!(keyed[0], Value::from("L"));
    assert_eq!(
        keyed[1],
        Value::list(vec![Value::from("a"), Value::from("b")])
    );
    assert_eq!((&keyed[2], &keyed[3]), (&Value::Int(60), &Value::Int(60)));
    assert_eq!(keyed[6], Value::Float(1.0));
    let plain = rows.iter().find(|row| row[1].is_null()).unwrap();
    assert_eq!((&plain[2], &plain[3]), (&Value::Int(60), &Value::Null));
    assert_eq!(db.run("ANALYZE GRAPH").len(), 3);
    assert_eq!(db.run("ANALYZE GRAPH ON LABELS :Nothing").len(), 0);
    assert_eq!(
        db.run("ANALYZE GRAPH ON LABELS :M DELETE STATISTICS").len(),
        1
    );
    assert_eq!(db.run("ANALYZE GRAPH DELETE STATISTICS").len(), 2);
    assert_eq!(db.run("ANALYZE GRAPH DELETE STATISTICS").len(), 0);
}

fn texts(rows: Vec<Vec<Value>>) -> Vec<String> {
    let text = |value: &Value| match value {
        Value::String(text) => text.to_string(),
        Value::List(parts) => format!(
            "[{}]",
            texts(vec![parts.to_vec()]).join("").replace('|', ",")
        ),
        other => other.type_name().to_string().to_lowercase(),
    };
    let row = |row: &Vec<Value>| row.iter().map(text).collect::<Vec<_>>().join("|");
    rows.iter().map(row).collect()
}

#[test]
fn indexes_are_listed_as_neo4j_lists_them() {
    let db = Db::new();
    db.run("CREATE INDEX one FOR (n:L) ON (n.p)");
    db.run("CREATE INDEX two FOR ()-[r:T]-() ON (r.a, r.b)");
    db.run("CREATE INDEX ON :L");
    for (text, rows) in [
        (
            "SHOW INDEXES YIELD name, type, entityType, labelsOrTypes, properties, state",
            vec![
                "one|RANGE|NODE|[L]|[p]|ONLINE",
                "two|RANGE|RELATIONSHIP|[T]|[a,b]|ONLINE",
                "index_3d45d754|LOOKUP|NODE|[L]|[]|ONLINE",
            ],
        ),
        ("SHOW INDEX YIELD name AS n WHERE n = 'two'", vec!["two"]),
        (
            "SHOW RANGE INDEXES YIELD name ORDER BY name DESC LIMIT 1",
            vec!["two"],
        ),
        (
            "SHOW ALL INDEXES YIELD name, entityType ORDER BY name SKIP 1 WHERE entityType = 'RELATIONSHIP'",
            vec!["two|RELATIONSHIP"],
        ),
        (
            "SHOW INDEXES YIELD * WHERE 'p' IN properties RETURN name + '!' AS x",
            vec!["one!"],
        ),
        (
            "SHOW INDEXES YIELD entityType RETURN entityType, toString(count(*)) AS n ORDER BY entityType",
            vec!["NODE|2", "RELATIONSHIP|1"],
        ),
        ("SHOW LOOKUP INDEXES YIELD labelsOrTypes", vec!["[L]"]),
        ("SHOW FULLTEXT INDEXES", vec![]),
    ] {
        assert_eq!(texts(db.run(text)), rows, "{text}");
        assert_eq!(
            db.engine.prepare(text, &db.core).unwrap().kind(),
            Kind::Read
        );
    }
    let columns = |text: &str| -> Vec<String> {
        let prepared = db.engine.prepare(text, &db.core).unwrap();
        prepared
            .columns()
            .iter()
            .map(|name| name.to_string())
            .collect()
    };
    assert_eq!(
        columns("SHOW INDEXES WHERE name = 'one'")[..7],
        [
            "index type",
            "label",
            "property",
            "count",
            "id",
            "name",
            "state"
        ]
    );
    assert_eq!(columns("SHOW RANGE INDEXES").len(), 16);
    assert_eq!(columns("SHOW INDEXES").len(), 16);
    assert_eq!(columns("SHOW CONSTRAINTS").len(), 11);
    assert_eq!(db.run("SHOW INDEXES WHERE name = 'one'").len(), 1);
    // A literal is no part of the plan that is kept.
    assert_eq!(db.run("SHOW INDEXES WHERE name = 'three'").len(), 0);
    assert_eq!(
        db.run("CALL db.indexes() YIELD name, provider RETURN *")
            .len(),
        3
    );
    let error = db.error("SHOW INDEXES YIELD nothing");
    assert!(error.message().contains("`nothing`"), "{error:?}");
    assert!(error.span().is_some());
    for memgraphs in ["SHOW INDEX INFO", "SHOW CONSTRAINT INFO"] {
        let prepared = db.engine.prepare(memgraphs, &db.core).unwrap();
        assert_eq!(prepared.kind(), Kind::Admin, "{memgraphs}");
    }
}

#[test]
fn constraints_are_listed_as_neo4j_lists_them() {
    let db = Db::new();
    db.run("CREATE CONSTRAINT key FOR (n:L) REQUIRE (n.a, n.b) IS UNIQUE");
    db.run("CREATE CONSTRAINT there FOR (n:L) REQUIRE n.a IS NOT NULL");
    db.run("CREATE CONSTRAINT typed FOR (n:L) REQUIRE n.a IS :: INTEGER");
    for (text, rows) in [
        (
            "SHOW ALL CONSTRAINTS YIELD name, type, labelsOrTypes, properties, propertyType",
            vec![
                "key|UNIQUENESS|[L]|[a,b]|null",
                "there|NODE_PROPERTY_EXISTENCE|[L]|[a]|null",
                "typed|NODE_PROPERTY_TYPE|[L]|[a]|INTEGER",
            ],
        ),
        ("SHOW UNIQUE CONSTRAINTS YIELD name", vec!["key"]),
        ("SHOW UNIQUENESS CONSTRAINTS YIELD name", vec!["key"]),
        ("SHOW NODE UNIQUE CONSTRAINTS YIELD name", vec!["key"]),
        ("SHOW RELATIONSHIP UNIQUE CONSTRAINTS YIELD name", vec![]),
        ("SHOW EXISTENCE CONSTRAINTS YIELD name", vec!["there"]),
        (
            "SHOW NODE PROPERTY EXIST CONSTRAINTS YIELD name",
            vec!["there"],
        ),
        ("SHOW PROPERTY TYPE CONSTRAINTS YIELD name", vec!["typed"]),
        ("SHOW KEY CONSTRAINTS", vec![]),
        (
            "SHOW CONSTRAINTS WHERE name STARTS WITH 't' RETURN name ORDER BY name",
            vec!["there", "typed"],
        ),
        (
            "CALL db.constraints() YIELD name, description",
            vec![
                "key|CONSTRAINT ON ( l:L ) ASSERT (l.a, l.b) IS UNIQUE",
                "there|CONSTRAINT ON ( l:L ) ASSERT (l.a) IS NOT NULL",
                "typed|CONSTRAINT ON ( l:L ) ASSERT (l.a) IS TYPED INTEGER",
            ],
        ),
    ] {
        assert_eq!(texts(db.run(text)), rows, "{text}");
    }
}

#[test]
fn a_name_for_what_is_there_under_another_is_not_lost_in_silence() {
    let db = Db::new();
    db.run("CREATE INDEX one FOR (n:L) ON (n.p)");
    db.run("CREATE INDEX ON :L(q)");
    db.run("CREATE CONSTRAINT key FOR (n:L) REQUIRE n.p IS UNIQUE");
    let told = |text: &str| {
        let error = db.error(text);
        assert_eq!(
            (error.kind(), error.detail()),
            (ErrorKind::SchemaError, Detail::AlreadyExists)
        );
        assert!(error.span().is_some());
        error.message().to_owned()
    };
    assert_eq!(
        told("CREATE INDEX two FOR (n:L) ON (n.p)"),
        "Index on label L on properties p already exists, as `one`: it is not named `two` too"
    );
    assert_eq!(
        told("CREATE INDEX two FOR (n:L) ON (n.q)"),
        "Index on label L on properties q already exists, as `index_1777ab40`: it is not named `two` too"
    );
    let message = told("CREATE CONSTRAINT two FOR (n:L) REQUIRE n.p IS UNIQUE");
    assert!(message.contains("as `key`"), "{message}");
    // Whoever allows for it, or asks for no name, is told too.
    for text in [
        "CREATE INDEX two IF NOT EXISTS FOR (n:L) ON (n.p)",
        "CREATE INDEX FOR (n:L) ON (n.p)",
        "CREATE INDEX ON :L(p)",
    ] {
        let (code, title) = notice(&db, text);
        assert_eq!(code, "IndexAlreadyExists");
        assert_eq!(
            title,
            "Index on label L on properties p already exists, as `one`."
        );
    }
    let text = "CREATE CONSTRAINT two IF NOT EXISTS FOR (n:L) REQUIRE n.p IS UNIQUE";
    assert!(notice(&db, text).1.ends_with("already exists, as `key`."));
    assert_eq!(indexes(&db), ["one:L(p)", ":L(q)"]);
}

#[test]
fn what_nobody_has_named_gets_a_name_of_its_own_by_which_it_can_be_dropped() {
    let db = Db::new();
    for statement in [
        "CREATE INDEX ON :L",
        "CREATE INDEX ON :L(p)",
        "CREATE INDEX ON :L(p, q)",
        "CREATE INDEX ON :L(q, p)",
        "CREATE INDEX ON :LL(p) WITH CONFIG {\"order\": \"DESC\"}",
        "CREATE EDGE INDEX ON :L(p)",
        "CREATE CONSTRAINT ON (n:L) ASSERT n.p IS UNIQUE",
        "CREATE CONSTRAINT ON (n:L) ASSERT EXISTS (n.p)",
        "CREATE CONSTRAINT ON (n:L) ASSERT n.p IS TYPED STRING",
    ] {
        db.run(statement);
    }
    let names = |what: &str| -> Vec<String> {
        let names = texts(db.run(&format!("SHOW {what} YIELD name")));
        names.into_iter().collect()
    };
    let (indexes, constraints) = (names("INDEXES"), names("CONSTRAINTS"));
    assert_eq!((indexes.len(), constraints.len()), (6, 3));
    assert!(indexes.iter().all(|name| name.starts_with("index_")));
    let mut all: Vec<&String> = indexes.iter().chain(&constraints).collect();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 9, "{all:?}");
    db.run(&format!("DROP INDEX {}", indexes[1]));
    db.run(&format!("DROP CONSTRAINT {}", constraints[1]));
    assert_eq!((names("INDEXES").len(), names("CONSTRAINTS").len()), (5, 2));
    // A name that someone has given to something else is not given again.
    db.run(&format!(
        "CREATE INDEX {} FOR (n:Other) ON (n.p)",
        indexes[1]
    ));
    db.run("CREATE INDEX ON :L(p)");
    assert!(names("INDEXES").contains(&format!("{}_2", indexes[1])));
}
