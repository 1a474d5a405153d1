//! Statements that all cores work on, beside everything else that they do.

use crate::client::TestServer;
use quoit_protocol::SendBuffer;

/// Asks for far more steps than anyone waits for.
const ENDLESS: &str =
    "MATCH (a:Way)-->()-->()-->()-->()-->()-->()-->()-->(b) RETURN b.i % 7 AS k, count(*) AS c";

fn ways(server: &TestServer) {
    let mut client = server.client();
    client.rows("UNWIND range(0, 1999) AS i CREATE (:Way {i: i})");
    client.rows("CREATE INDEX ON :Way(i)");
    client.rows("MATCH (a:Way) UNWIND range(1, 10) AS s MATCH (b:Way {i: (a.i * 7 + s * 13) % 2000}) CREATE (a)-[:TO]->(b)");
}

#[test]
fn point_reads_on_every_core_are_answered_while_a_statement_runs_on_all() {
    let server = TestServer::start();
    ways(&server);
    let mut long = server.client();
    let plan = format!("{:?}", long.rows(&format!("EXPLAIN {ENDLESS}")));
    assert!(plan.contains("Gather (over 2 cores)"), "{plan}");
    long.ask_all(ENDLESS).go();
    assert!(long.answer().is_success(), "RUN");
    // Connections are dealt to the cores in turn.
    let mut others: Vec<_> = (0..4).map(|_| server.client()).collect();
    for number in 0..50 {
        for other in &mut others {
            let read = format!("MATCH (n:Way {{i: {number}}}) RETURN n.i");
            assert_eq!(other.int(&read), number);
        }
    }
    // It is still at work, and ends when its client wants it to.
    long.ask(SendBuffer::ask_reset).go();
    assert!(!long.answer().is_success(), "PULL");
    assert!(long.answer().is_success(), "RESET");
    assert_eq!(long.int("MATCH (n:Way) RETURN count(n)"), 2000);
}

#[test]
fn a_server_that_stops_and_a_client_that_leaves_end_what_all_cores_work_on() {
    let mut server = TestServer::start();
    ways(&server);
    for _ in 0..4 {
        let mut gone = server.client();
        gone.ask_all(ENDLESS).go();
        assert!(gone.answer().is_success(), "RUN");
    }
    let mut long = server.client();
    long.ask_all(ENDLESS).go();
    assert!(long.answer().is_success(), "RUN");
    assert_eq!(server.client().int("MATCH (n:Way {i: 3}) RETURN n.i"), 3);
    // Each core ends in order: nobody is left who reads.
    server.stop();
    server.start_again();
    assert_eq!(server.client().int("MATCH (n:Way {i: 3}) RETURN n.i"), 3);
}

#[test]
fn all_cores_give_what_one_gives() {
    let server = TestServer::start();
    ways(&server);
    let mut client = server.client();
    let text = "MATCH (a:Way)-->()-->()-->(b) WHERE b.i % 2 = 0 RETURN b.i % 5 AS k, count(*) AS c, sum(a.i) AS s ORDER BY k";
    let divided = client.rows(text);
    let alone = client.rows(&format!("USING PARALLEL EXECUTION 1 {text}"));
    assert_eq!(divided, alone);
    let count: i64 = divided.iter().map(|row| row[1].as_int()).sum();
    assert!(count > 500_000, "{count}");
    let plan = client.rows(&format!("EXPLAIN USING PARALLEL EXECUTION 1 {text}"));
    assert!(!format!("{plan:?}").contains("Gather"), "{plan:?}");
}
