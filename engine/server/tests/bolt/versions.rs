//! What depends on the version: codes, failures' forms, notifications, routing.

use crate::client::{Answer, Client, TestServer, Value};
use quoit_protocol::Version;

const ALL_KINDS: [Version; 5] = [
    Version::V4_1,
    Version::V4_4,
    Version::V5_4,
    Version::V5_8,
    Version::V6_0,
];

#[test]
fn every_version_runs_a_query() {
    let server = TestServer::shared();
    for version in Version::SUPPORTED {
        let mut client = server.client_of(version);
        assert_eq!(client.int("RETURN 1 AS one"), 1, "{version:?}");
        assert_eq!(client.rows("RETURN 'a' AS a, [1, null] AS b").len(), 1);
    }
}

#[test]
fn failures_have_the_code_and_the_form_of_their_version() {
    let server = TestServer::shared();
    for version in ALL_KINDS {
        let mut client = server.client_of(version);
        client.ask_run("RETURN\n  oops").go();
        let Answer::Failure {
            code,
            message,
            metadata,
        } = client.answer()
        else {
            panic!("it runs")
        };
        let expected = match version.major() {
            4 => "Memgraph.ClientError.MemgraphError.MemgraphError",
            _ => "Neo.ClientError.Statement.SyntaxError",
        };
        assert_eq!(code, expected, "{version:?}");
        assert!(
            message.contains("oops") && message.contains("line 2, column 3"),
            "{message}"
        );
        if version >= Version::V5_7 {
            assert_eq!(*metadata.get("code"), Value::Null);
            assert_eq!(metadata.get("gql_status").as_text(), "42N62");
            let place = metadata.get("diagnostic_record").get("_position").clone();
            assert_eq!(
                (place.get("line").as_int(), place.get("column").as_int()),
                (2, 3)
            );
            assert_eq!(place.get("offset").as_int(), 9);
        } else {
            assert_eq!(metadata.get("code").as_text(), expected);
            assert_eq!(*metadata.get("gql_status"), Value::Null);
        }
    }
}

#[test]
fn mistakes_in_admin_statements_are_shown_in_their_text() {
    let server = TestServer::shared();
    let mut client = server.client();
    client
        .ask_run("SET REPLICATION ROLE TO REPLICA WITH PORT 'x'")
        .go();
    let Answer::Failure { message, .. } = client.answer() else {
        panic!("it is done")
    };
    assert!(
        message.contains("line 1, column 43") && message.contains("PORT 'x'"),
        "{message}"
    );
}

#[test]
fn vertices_have_as_many_fields_as_their_version_says() {
    let server = TestServer::shared();
    server.client().rows("CREATE (:Wired {p: 1})");
    for version in ALL_KINDS {
        let rows = server.client_of(version).rows("MATCH (n:Wired) RETURN n");
        let Value::Structure(0x4E, fields) = &rows[0][0] else {
            panic!("{rows:?}")
        };
        assert_eq!(fields.len(), if version.major() == 4 { 3 } else { 4 });
        assert_eq!(fields[1], Value::List(vec![Value::text("Wired")]));
        assert_eq!(fields[2].get("p").as_int(), 1);
    }
}

#[test]
fn bytes_fail_the_query_of_a_client_that_cannot_read_them() {
    let server = TestServer::shared();
    for version in ALL_KINDS {
        // An old client may send them all the same.
        let mut client = server.client_of(version);
        client.ask(|send| {
            send.ask_run(
                "RETURN 1 AS a, $b AS b",
                |map| map.key("b").bytes(&[1, 2]),
                &Default::default(),
            );
            send.ask_pull(crate::client::ALL);
        });
        client.go();
        assert!(client.answer().is_success());
        let fetched = client.fetched();
        if version.major() == 4 {
            assert!(fetched.rows.is_empty());
            assert!(fetched.summary.code().contains(".ClientError."));
            client.reset();
        } else {
            assert_eq!(fetched.rows, [[Value::Int(1), Value::Other]]);
        }
        assert_eq!(client.int("RETURN 2"), 2);
    }
}

#[test]
fn a_lone_server_routes_to_itself_by_the_address_that_was_dialled() {
    let server = TestServer::shared();
    for version in [Version::V4_3, Version::V4_4, Version::V5_8] {
        let mut client = Client::greet(&server, version);
        client.log_in(Some("graph.example:7687"));
        client
            .ask(|send| send.ask_route("graph.example:7687", &[], None))
            .go();
        let table = client.answer().metadata().get("rt").clone();
        assert!(table.get("ttl").as_int() > 0);
        let mut roles = Vec::new();
        for entry in table.get("servers").as_list() {
            assert_eq!(
                *entry.get("addresses"),
                Value::List(vec![Value::text("graph.example:7687")])
            );
            roles.push(entry.get("role").as_text().to_owned());
        }
        roles.sort();
        assert_eq!(roles, ["READ", "ROUTE", "WRITE"]);
        assert_eq!(client.int("RETURN 1"), 1);
    }
}

#[test]
fn a_client_that_names_no_address_is_routed_to_the_one_it_reached() {
    let server = TestServer::shared();
    let mut client = server.client();
    client.ask(|send| send.ask_route("", &[], None)).go();
    let table = client.answer().metadata().get("rt").clone();
    let reached = Value::List(vec![Value::text(&server.address().to_string())]);
    assert_eq!(*table.get("servers").as_list()[0].get("addresses"), reached);
}
