//! The language by subject: what is accepted beyond the TCK, and what is refused with which words.

use quoit_cypher::ast::admin::{
    IsolationLevel, IsolationScope, ReplicationRole, ShowKind, SyncMode,
};
use quoit_cypher::ast::schema::{ConstraintRule, EntityKind, SchemaStatement};
use quoit_cypher::ast::*;
use quoit_cypher::check::{Checked, NoProcedures, check};
use quoit_cypher::error::{Detail, Error};
use quoit_cypher::parser::{parse, parse_expression};

fn checked(text: &str) -> Result<Checked, Error> {
    check(parse(text)?, &NoProcedures)
}

#[track_caller]
fn accepts(texts: &[&str]) {
    for text in texts {
        if let Err(error) = checked(text) {
            panic!("{}", error.render(text));
        }
    }
}

#[track_caller]
fn refuses(text: &str, detail: Detail, place: &str) {
    let error = checked(text).expect_err(text);
    assert_eq!(error.detail(), detail, "{text}: {error:?}");
    assert_eq!(
        error
            .span()
            .expect("a compile-time error says where")
            .text(text),
        place,
        "{error:?}"
    );
}

#[track_caller]
fn admin(text: &str) -> AdminStatement {
    match parse(text) {
        Ok(Statement {
            body: StatementBody::Admin(admin),
            ..
        }) => admin,
        Ok(other) => panic!("{text}: {other:?}"),
        Err(error) => panic!("{}", error.render(text)),
    }
}

#[track_caller]
fn schema(text: &str) -> SchemaStatement {
    match parse(text) {
        Ok(Statement {
            body: StatementBody::Schema(schema),
            ..
        }) => schema,
        Ok(other) => panic!("{text}: {other:?}"),
        Err(error) => panic!("{}", error.render(text)),
    }
}

#[test]
fn memgraph_expansions_are_accepted() {
    accepts(&[
        "MATCH p = (a)-[* 1..3 (r, n | r.x > 1 AND n.y)]->(b) RETURN p",
        "MATCH (a)-[e:R *BFS ..5 (r, n, p | length(p) < 3)]->(b {id: 1}) RETURN e",
        "MATCH (a)-[*bfs]->(b) RETURN b",
        "MATCH p = (a)-[r *WSHORTEST 10 (r, n | r.w) total (r, n, p, w | w < 10)]->(b) RETURN total, p",
        "MATCH (a)-[*ALLSHORTEST (r, n | r.w) total]-(b) RETURN total",
        "MATCH (a), (b) MATCH p = (a)-[*KSHORTEST 1..4 | 3]->(b) RETURN p",
        "MATCH (a)-[*1..$n]->(b) RETURN b",
        "CREATE (:$label {x: 1})",
        "WITH [1] AS l RETURN extract(x IN l | x + 1) AS a, filter(x IN l WHERE x > 1) AS b",
        "RETURN Status::Good AS s",
        "MATCH (n) WHERE n:A|B RETURN n",
        "MATCH (n) SET n.a.b = 1, n += {x: 1} REMOVE n.a.b",
    ]);
}

#[test]
fn neo4j_forms_are_accepted() {
    accepts(&[
        "MATCH (a:A&!B|C WHERE a.x > 1)-[r:R|S WHERE r.y]->(b IS B) RETURN a",
        "MATCH (a) ((x)-[r]->(y) WHERE x.p < y.p){1,3} (b) RETURN x, r, b",
        "MATCH (a)-[:R]->+(b)-[:S]->{2}(c) RETURN c",
        "MATCH p = SHORTEST 2 PATHS (a)--+(b) RETURN p",
        "MATCH ANY SHORTEST (a)--+(b), (d) MATCH ALL SHORTEST (c)--+(d) MATCH (d), p = shortestPath((a)-[*]->(d)) RETURN p",
        "MATCH (((a)-->(b))+ WHERE size(a) = 2) MATCH SHORTEST 2 GROUPS (q = (c)-->+(d) WHERE length(q) > 1) RETURN q",
        "MATCH REPEATABLE ELEMENTS (a)-->{1,3}(b) MATCH DIFFERENT RELATIONSHIPS (b)-[r:!A&%]->(c) RETURN c",
        "MATCH (n) RETURN COUNT { (n)-->() } AS c, COLLECT { MATCH (n)-->(m) RETURN m.x } AS l, EXISTS { (n)-->(:X) } AS e",
        "MATCH (n) RETURN n {.a, .*, b: 1, n} AS m",
        "MATCH (n) RETURN CASE n.x WHEN < 1, > 9 THEN 'far' WHEN IS NULL THEN '?' ELSE 'near' END AS c",
        "RETURN reduce(s = 0, x IN [1, 2] | s + x) AS s, 1 IS :: INTEGER NOT NULL AS t, 'a' || 'b' AS c",
        "MATCH (n) CALL (n) { RETURN n.x AS x UNION RETURN 2 AS x } RETURN x",
        "MATCH (n) CALL (*) { RETURN n.x AS x } RETURN x",
        "MATCH (n) CALL { WITH n MATCH (n)-->(m) RETURN m } RETURN m",
        "UNWIND [1] AS x CALL { WITH x CREATE (:A {x: x}) } IN 2 CONCURRENT TRANSACTIONS OF 100 ROWS ON ERROR CONTINUE REPORT STATUS AS s RETURN s",
        "MATCH (n:L) USING INDEX n:L(p) WHERE n.p = 1 RETURN n OFFSET 1 LIMIT 2",
        "MATCH (n) FINISH",
        "INSERT (a:A)-[:R]->(:B)",
        "CYPHER 5 planner=cost EXPLAIN MATCH (n) RETURN n",
        "MATCH (n) WHERE n.x IN [x IN [1, 2] WHERE x > 1 | x] RETURN n",
        "LOAD CSV WITH HEADERS FROM 'f' AS row FIELDTERMINATOR ';' CREATE (:A {x: row.x})",
    ]);
}

#[test]
fn prefixes_and_limits_are_accepted() {
    accepts(&[
        "EXPLAIN MATCH (n) RETURN n;",
        "PROFILE MATCH (n) RETURN n",
        "USING INDEX :L(p, q.r), :M HOPS LIMIT 5 MATCH (n:L) RETURN n"
            .replace(" HOPS", ", HOPS")
            .as_str(),
        "USING PERIODIC COMMIT 100 LOAD CSV FROM 'f' NO HEADER IGNORE BAD DELIMITER ',' QUOTE '\"' AS row CREATE (:A {x: row[0]})",
        "MATCH (n) RETURN n QUERY MEMORY LIMIT 100 MB",
        "MATCH (n) RETURN n QUERY MEMORY LIMIT 100KB",
        "FOREACH (x IN [1, 2] | CREATE (:A {x: x}) FOREACH (y IN [x] | CREATE (:B {y: y})))",
    ]);
}

#[test]
fn replication_statements_keep_their_parts() {
    let AdminStatement::RegisterReplica(replica) = admin(
        "REGISTER REPLICA r3 SYNC WITH TIMEOUT 1.5 TO \"10.0.0.1:10000\" WITH FINGERPRINT 'ab:cd';",
    ) else {
        panic!("no registration");
    };
    assert_eq!((&*replica.name.name, replica.mode), ("r3", SyncMode::Sync));
    assert_eq!(
        replica.timeout.unwrap().as_literal(),
        Some(&LiteralValue::Float(1.5))
    );
    assert_eq!(
        replica.address.as_literal(),
        Some(&LiteralValue::String("10.0.0.1:10000".into()))
    );
    assert!(replica.fingerprint.is_some());
    for name in ["r1", "`my r`", "'my r'"] {
        assert!(matches!(
            admin(&format!("DROP REPLICA {name}")),
            AdminStatement::DropReplica { .. }
        ));
        admin(&format!("register replica {name} strict_sync to 'a'"));
    }
    let AdminStatement::SetReplicationRole {
        role,
        port,
        address,
    } = admin("SET REPLICATION ROLE TO REPLICA WITH PORT 10000 ON ADDRESS '127.0.0.1'")
    else {
        panic!("no role");
    };
    assert_eq!(role, ReplicationRole::Replica);
    assert_eq!(
        port.unwrap().as_literal(),
        Some(&LiteralValue::Integer(10000))
    );
    assert!(address.is_some());
    assert!(matches!(
        admin("SET REPLICATION ROLE TO MAIN"),
        AdminStatement::SetReplicationRole {
            role: ReplicationRole::Main,
            port: None,
            ..
        }
    ));
    // A port of the wrong type is the server's to word.
    admin("SET REPLICATION ROLE TO REPLICA WITH PORT 'x'");
    admin("REGISTER REPLICA r ASYNC WITH TIMEOUT [1] TO 7");
    assert_eq!(admin("SHOW REPLICAS;"), AdminStatement::ShowReplicas);
    assert_eq!(
        admin("show replication role"),
        AdminStatement::ShowReplicationRole
    );
    assert_eq!(
        admin("SHOW REPLICATION LAG"),
        AdminStatement::ShowReplicationLag
    );
}

#[test]
fn admin_statements_are_told_apart() {
    assert_eq!(admin("BEGIN;"), AdminStatement::Begin);
    assert_eq!(admin("COMMIT"), AdminStatement::Commit);
    assert_eq!(admin("rollback ;"), AdminStatement::Rollback);
    assert_eq!(
        admin("SHOW STORAGE INFO"),
        AdminStatement::Show(ShowKind::StorageInfo)
    );
    assert_eq!(
        admin("SHOW DATABASE"),
        AdminStatement::Show(ShowKind::Database)
    );
    assert_eq!(
        admin("SHOW DATABASES"),
        AdminStatement::Show(ShowKind::Databases)
    );
    assert_eq!(
        admin("SHOW DATABASE SETTINGS"),
        AdminStatement::Show(ShowKind::DatabaseSettings)
    );
    assert_eq!(
        admin("SHOW INDEX INFO"),
        AdminStatement::Show(ShowKind::Indexes)
    );
    assert_eq!(
        admin("SHOW CONSTRAINT INFO"),
        AdminStatement::Show(ShowKind::Constraints)
    );
    assert_eq!(
        admin("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED"),
        AdminStatement::SetIsolationLevel {
            scope: IsolationScope::Session,
            level: IsolationLevel::ReadCommitted
        }
    );
    for text in [
        "SHOW RUNNING, ABORTING TRANSACTIONS",
        "TERMINATE TRANSACTIONS '1', $p",
        "STORAGE MODE IN_MEMORY_ANALYTICAL",
        "SET DATABASE SETTING 'a' TO 'b'",
        "SHOW DATABASE SETTING 'a'",
        "FREE MEMORY",
        "CREATE SNAPSHOT",
        "RECOVER SNAPSHOT '/x' FORCE",
        "USE DATABASE memgraph",
        "CREATE USER IF NOT EXISTS u IDENTIFIED BY 'p'",
        "SET PASSWORD FOR u TO 'p'",
        "GRANT MATCH, CREATE ON LABELS :A TO u",
        "REVOKE ALL PRIVILEGES FROM u",
        "SHOW INDEX INFO",
        "SHOW CONSTRAINT INFO",
        "SHOW PRIVILEGES FOR u",
        "CREATE TRIGGER t ON () CREATE AFTER COMMIT EXECUTE UNWIND createdVertices AS v SET v.x = 1",
    ] {
        admin(text);
    }
}

#[test]
fn indexes_and_constraints_of_both_dialects_have_one_shape() {
    let SchemaStatement::CreateIndex(index) = schema("CREATE INDEX ON :L(a, b.c)") else {
        panic!("no index")
    };
    assert_eq!(
        index
            .target
            .properties
            .iter()
            .map(Vec::len)
            .collect::<Vec<_>>(),
        [1, 2]
    );
    let SchemaStatement::CreateIndex(index) =
        schema("CREATE RANGE INDEX i IF NOT EXISTS FOR ()-[r:T]-() ON (r.p)")
    else {
        panic!("no index");
    };
    assert_eq!(
        (index.target.entity, index.if_not_exists),
        (EntityKind::Relationship, true)
    );
    let SchemaStatement::CreateConstraint(constraint) =
        schema("CREATE CONSTRAINT ON (n:L) ASSERT n.a, n.b IS UNIQUE")
    else {
        panic!("no constraint");
    };
    assert_eq!(
        (constraint.target.properties.len(), &constraint.target.rule),
        (2, &ConstraintRule::Unique)
    );
    let SchemaStatement::CreateConstraint(constraint) =
        schema("CREATE CONSTRAINT c FOR (n:L) REQUIRE n.a IS NOT NULL")
    else {
        panic!("no constraint");
    };
    assert_eq!(constraint.target.rule, ConstraintRule::Exists);
    for text in [
        "CREATE INDEX ON :L",
        "DROP INDEX ON :L(p)",
        "DROP INDEX name IF EXISTS",
        "CREATE EDGE INDEX ON :T(p)",
        "CREATE GLOBAL EDGE INDEX ON :(p)",
        "CREATE VECTOR INDEX v ON :L(p) WITH CONFIG {dimension: 2, capacity: 10}",
        "CREATE INDEX ON :L(p) WITH CONFIG {\"order\": \"DESC\"}",
        "DROP INDEX ON :L(p) WITH CONFIG {order: 'ASC'}",
        "CREATE INDEX i FOR (n:L) ON (n.p) OPTIONS {}",
        "CREATE INDEX i FOR (n:L) ON (n.p) OPTIONS {`indexProvider`: 'range-1.0', indexConfig: {}}",
        "CREATE POINT INDEX ON :L(p)",
        "CREATE TEXT INDEX t ON :L(p, q)",
        "CREATE CONSTRAINT ON (n:L) ASSERT EXISTS (n.p)",
        "CREATE CONSTRAINT ON (n:L) ASSERT n.p IS TYPED STRING",
        "CREATE CONSTRAINT FOR (n:L) REQUIRE (n.a, n.b) IS NODE KEY",
        "DROP CONSTRAINT ON (n:L) ASSERT n.p IS UNIQUE",
        "CREATE CONSTRAINT c IF NOT EXISTS FOR (n:L) REQUIRE n.p IS :: INTEGER OPTIONS {}",
        "CREATE LOOKUP INDEX l IF NOT EXISTS FOR (n) ON EACH labels(n)",
        "CREATE LOOKUP INDEX FOR ()-[r]-() ON EACH type(r)",
        "DROP ALL INDEXES",
        "DROP ALL CONSTRAINTS",
        "DROP GRAPH",
        "ANALYZE GRAPH ON LABELS :A, :B DELETE STATISTICS",
        "CREATE ENUM Status VALUES {Good, Bad}",
        "ALTER ENUM Status UPDATE VALUE Bad TO Worse",
    ] {
        schema(text);
    }
}

#[test]
fn a_schema_statement_names_the_variable_of_its_pattern() {
    for text in [
        "CREATE INDEX FOR (n:L) ON (m.p)",
        "CREATE INDEX FOR ()-[r:T]-() ON (n.p)",
        "CREATE CONSTRAINT ON (n:L) ASSERT m.p IS UNIQUE",
        "CREATE CONSTRAINT FOR (n:L) REQUIRE (n.p, m.q) IS UNIQUE",
        "DROP CONSTRAINT ON (n:L) ASSERT EXISTS (m.p)",
    ] {
        let error = parse(text).expect_err(text);
        assert_eq!(error.detail(), Detail::UndefinedVariable, "{text}: {error}");
    }
}

#[test]
fn operators_bind_as_the_language_says() {
    let shape = |text: &str| {
        let expr = parse_expression(text).unwrap();
        match expr.kind {
            ExprKind::Or(all) => format!("or{}", all.len()),
            ExprKind::And(all) => format!("and{}", all.len()),
            ExprKind::Not(_) => "not".into(),
            ExprKind::Comparison(comparison) => format!("comparison{}", comparison.rest.len()),
            ExprKind::Arithmetic(arithmetic) => {
                format!("{:?}{}", arithmetic.rest[0].0, arithmetic.rest.len())
            }
            ExprKind::In(_) => "in".into(),
            ExprKind::Negate(_) => "negate".into(),
            ExprKind::IsNull { .. } => "null".into(),
            other => format!("{other:?}"),
        }
    };
    for (text, expected) in [
        ("a OR b AND c OR d", "or3"),
        ("a AND NOT b AND c", "and3"),
        ("NOT a = b", "not"),
        ("1 < a <= 3", "comparison2"),
        ("(1 < a) = b", "comparison1"),
        ("1 + 2 * 3 - 4", "Add2"),
        ("2 * 3 ^ 4", "Multiply1"),
        ("a + 1 IN b", "in"),
        ("a.b + c IS NULL", "null"),
        ("- a ^ b", "Power1"),
        ("-a", "negate"),
    ] {
        assert_eq!(shape(text), expected, "{text}");
    }
    assert_eq!(
        parse_expression("-9223372036854775808")
            .unwrap()
            .as_literal(),
        Some(&LiteralValue::Integer(i64::MIN))
    );
}

#[test]
fn errors_have_detail_and_place() {
    refuses("MATCH (n) RETURN m", Detail::UndefinedVariable, "m");
    refuses(
        "MATCH (n) RETURN n.x AS a, n.y AS a",
        Detail::ColumnNameConflict,
        "n.y AS a",
    );
    refuses("RETURN toIntegr('1')", Detail::UnknownFunction, "toIntegr");
    refuses(
        "RETURN count(count(1))",
        Detail::NestedAggregation,
        "count(1)",
    );
    refuses(
        "CREATE (a)-[:R]-(b)",
        Detail::RequiresDirectedRelationship,
        "-[:R]-",
    );
    refuses(
        "MATCH (n) RETURN n LIMIT -1",
        Detail::NegativeIntegerArgument,
        "-1",
    );
    refuses(
        "MATCH (n) WITH n.x RETURN 1",
        Detail::NoExpressionAlias,
        "n.x",
    );
    refuses("MATCH (n)", Detail::InvalidClauseComposition, "");
    refuses(
        "MATCH (n) CALL { RETURN n } RETURN 1",
        Detail::UndefinedVariable,
        "n",
    );
    refuses(
        "MATCH (n) CALL (n) { RETURN 1 AS n } RETURN n",
        Detail::VariableAlreadyBound,
        "1 AS n",
    );
    refuses("RETURN 1; RETURN 2", Detail::UnexpectedSyntax, "RETURN");
    refuses("", Detail::UnexpectedSyntax, "");
}

#[test]
fn a_syntax_error_says_what_was_expected_and_what_may_have_been_meant() {
    let text = "MATCH (n)\nRETRUN n";
    let error = parse(text).unwrap_err();
    let picture = error.render(text);
    assert!(
        picture.starts_with("`RETRUN` cannot stand here; expected"),
        "{picture}"
    );
    assert!(picture.contains("(line 2, column 1)"), "{picture}");
    assert!(
        picture.ends_with("2 | RETRUN n\n  | ^^^^^^\ndid you mean `RETURN`?"),
        "{picture}"
    );
    let error = parse("MTACH (n) RETURN n").unwrap_err();
    assert_eq!(error.hint_text(), Some("did you mean `MATCH`?"));
    let error = parse("SHOW REPLICA").unwrap_err();
    assert_eq!(error.hint_text(), Some("did you mean `REPLICAS`?"));
    let error = parse("RETURN [1, 2").unwrap_err();
    assert!(
        error
            .message()
            .contains("the end of the query cannot stand here; expected"),
        "{error}"
    );
    assert!(error.message().contains("`]`"), "{error}");
}

#[test]
fn variables_keep_their_number_through_with_and_columns_are_named_by_their_text() {
    let text = "MATCH (n)-[r]->() WITH n, count(r) AS c RETURN n, n.x  + 1, c AS `d e`";
    let checked = checked(text).unwrap();
    let names: Vec<&str> = checked
        .columns()
        .iter()
        .map(|column| &*column.name)
        .collect();
    assert_eq!(names, ["n", "n.x  + 1", "d e"]);
    let StatementBody::Query(query) = &checked.statement.body else {
        panic!("no query")
    };
    let ClauseKind::Match(matching) = &query.parts[0].clauses[0].kind else {
        panic!("no match")
    };
    assert_eq!(checked.columns()[0].id, matching.patterns[0].start.id);
    let ClauseKind::With(with) = &query.parts[0].clauses[1].kind else {
        panic!("no with")
    };
    assert!(with.aggregates && with.items[1].aggregates && !with.items[0].aggregates);
    assert!(checked.effects.reads && !checked.effects.writes);
}

#[test]
fn grouping_keys_and_repeated_columns_become_variables() {
    let checked = checked(
        "MATCH (n) RETURN n.x AS x, n.x + count(*) AS y ORDER BY n.x, count(*) + 1, count(*)",
    );
    let error = checked.unwrap_err();
    assert_eq!(error.detail(), Detail::InvalidAggregation);
    let checked =
        self::checked("MATCH (n) RETURN n.x AS x, n.x + count(*) AS y ORDER BY n.x").unwrap();
    let StatementBody::Query(query) = &checked.statement.body else {
        panic!("no query")
    };
    let ClauseKind::Return(projection) = &query.parts[0].clauses[1].kind else {
        panic!("no return")
    };
    let key = projection.items[0].id;
    let ExprKind::Arithmetic(sum) = &projection.items[1].expr.kind else {
        panic!("no sum")
    };
    assert!(matches!(&sum.first.kind, ExprKind::Variable(variable) if variable.id == key));
    assert!(
        matches!(&projection.order[0].expr.kind, ExprKind::Variable(variable) if variable.id == key)
    );
}

#[test]
fn parameters_are_listed_once() {
    let checked = checked("MATCH (n {x: $b}) WHERE n.y = $a OR n.z = $b RETURN n SKIP $c").unwrap();
    let names: Vec<&str> = checked.parameters.iter().map(|name| &**name).collect();
    assert_eq!(names, ["a", "b", "c"]);
}

#[test]
fn star_takes_the_variables_in_scope_by_name() {
    let checked = checked("MATCH (b)-[a]->() RETURN *, 1 AS z").unwrap();
    let names: Vec<&str> = checked
        .columns()
        .iter()
        .map(|column| &*column.name)
        .collect();
    assert_eq!(names, ["a", "b", "z"]);
}

#[test]
fn exists_of_a_pattern_may_stand_where_a_bare_pattern_may_not() {
    accepts(&[
        "MATCH (n) RETURN exists((n)-->())",
        "MATCH (n) WITH n, exists((n)-[:R]->({a: 1})) AS e RETURN e",
        "MATCH (n) SET n.linked = exists((n)--())",
        "MATCH (n) RETURN [x IN [n] | exists((x)-->())]",
        "MATCH (n) WHERE exists((n)-->()) RETURN n",
    ]);
    refuses(
        "MATCH (n) RETURN (n)-->()",
        Detail::UnexpectedSyntax,
        "(n)-->()",
    );
    refuses(
        "MATCH (n) RETURN exists((n)-->(m))",
        Detail::UndefinedVariable,
        "m",
    );
    assert!(parse("MATCH (n) RETURN exists((n)-->() AND true)").is_err());
}

#[test]
fn what_neo4j_shows_with_yield_is_a_query_and_what_memgraph_shows_without_is_not() {
    let is_query = |text: &str| match parse(text).expect(text).body {
        StatementBody::Query(_) => true,
        StatementBody::Admin(_) => false,
        other => panic!("{text}: {other:?}"),
    };
    for text in [
        "DUMP DATABASE;",
        "SHOW SCHEMA INFO",
        "SHOW FUNCTIONS",
        "SHOW BUILT IN FUNCTIONS YIELD name",
        "SHOW PROCEDURES EXECUTABLE BY CURRENT USER YIELD *",
        "SHOW TRANSACTIONS YIELD transactionId, currentQuery WHERE currentQuery <> ''",
        "SHOW DATABASES WHERE name = 'neo4j'",
        "SHOW SETTINGS YIELD name, value RETURN count(*)",
    ] {
        assert!(is_query(text), "{text}");
    }
    for text in [
        "SHOW TRANSACTIONS",
        "SHOW RUNNING TRANSACTIONS",
        "SHOW DATABASES",
        "SHOW SETTINGS",
        "SHOW DATABASE",
    ] {
        assert!(!is_query(text), "{text}");
    }
    assert!(parse("SHOW FUNCTIONS YIELD").is_err());
    assert!(parse("DUMP DATABASE 1").is_err());
}
