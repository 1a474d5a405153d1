//! A server's life: what it keeps over a restart, and what it says in another role.

use crate::client::{Answer, Client, TestServer, Value};
use quoit_protocol::Version;
use std::net::TcpListener;

#[test]
fn what_was_answered_is_there_after_a_restart_and_its_bookmark_is_taken() {
    let mut server = TestServer::start();
    let mut client = server.client();
    client.rows("CREATE INDEX ON :Kept(i)");
    let summary = client
        .fetch("UNWIND range(1, 100) AS i CREATE (:Kept {i: i})")
        .summary
        .metadata();
    let bookmark = summary.get("bookmark").as_text().to_owned();
    // One client is idle, another in a transaction, when the server stops.
    let mut open = server.client();
    open.rows("BEGIN");
    open.rows("CREATE (:Kept {i: 0})");
    server.stop();
    assert_eq!(client.next(), None);
    assert_eq!(open.next(), None);

    server.start_again();
    let mut client = server.client();
    let options = quoit_protocol::message::ask::TransactionOptions {
        bookmarks: &[&bookmark],
        ..Default::default()
    };
    client.ask(|send| send.ask_begin(&options)).go();
    assert!(client.answer().is_success());
    assert_eq!(client.int("MATCH (n:Kept) RETURN count(n)"), 100);
    assert_eq!(client.int("MATCH (n:Kept {i: 42}) RETURN n.i"), 42);
}

#[test]
fn a_replica_says_so_in_notifications_and_refusals() {
    let server = TestServer::start();
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let statement = format!("SET REPLICATION ROLE TO REPLICA WITH PORT {port}");
    let summary = server
        .client_of(Version::V5_4)
        .fetch(&statement)
        .summary
        .metadata();
    let [notification] = summary.get("notifications").as_list() else {
        panic!("{summary:?}")
    };
    assert_eq!(notification.get("code").as_text(), "SetReplica");
    assert_eq!(*summary.get("type"), Value::text("s"));

    // A direct client is told what it can do nothing about; a routing one is sent to another server.
    assert_eq!(
        server.client().failure("CREATE (:N)"),
        "Neo.ClientError.General.WriteOnReadOnlyAccessDatabase"
    );
    let mut routed = Client::greet(&server, Version::V5_8);
    routed.log_in(Some("replica.example:7687"));
    assert_eq!(
        routed.failure("CREATE (:N)"),
        "Neo.ClientError.Cluster.NotALeader"
    );
    routed
        .ask(|send| send.ask_route("replica.example:7687", &[], None))
        .go();
    let table = routed.answer().metadata().get("rt").clone();
    let roles: Vec<&str> = table
        .get("servers")
        .as_list()
        .iter()
        .map(|entry| entry.get("role").as_text())
        .collect();
    assert!(roles.contains(&"READ") && roles.contains(&"ROUTE"));
    let writers = table
        .get("servers")
        .as_list()
        .iter()
        .filter(|entry| entry.get("role").as_text() == "WRITE");
    assert!(
        writers
            .flat_map(|entry| entry.get("addresses").as_list())
            .next()
            .is_none()
    );

    // It reads, gives bookmarks, and becomes a main again.
    let mut client = server.client();
    assert_eq!(
        client.rows("SHOW REPLICATION ROLE"),
        [[Value::text("replica")]]
    );
    let read = client.fetch("MATCH (n) RETURN count(n)");
    assert_eq!(read.rows, [[Value::Int(0)]]);
    assert!(matches!(
        read.summary.metadata().get("bookmark"),
        Value::Text(_)
    ));
    client.ask_run("BEGIN").go();
    assert!(client.answer().is_success());
    client.ask(|send| send.ask_pull(crate::client::ALL)).go();
    assert!(client.answer().is_success());
    client.ask_run("SET REPLICATION ROLE TO MAIN").go();
    assert!(
        matches!(client.answer(), Answer::Failure { .. }),
        "a role is not changed within a transaction"
    );
    client.reset();
    client.rows("SET REPLICATION ROLE TO MAIN");
    client.rows("CREATE (:N)");
    assert_eq!(client.int("MATCH (n:N) RETURN count(n)"), 1);
}
