//! Rows: how many, in which order, of which stream, and when the client hears of the end.

use crate::client::{ALL, Answer, Client, TestServer, Value, at_most, of_stream};
use quoit_protocol::SendBuffer;
use quoit_protocol::message::AccessMode;
use quoit_protocol::message::ask::TransactionOptions;

fn begin(client: &mut Client) {
    client
        .ask(|send| send.ask_begin(&TransactionOptions::default()))
        .go();
    assert!(client.answer().is_success());
}

/// Rows and `has_more` of one PULL.
fn pull(client: &mut Client, request: quoit_protocol::message::StreamRequest) -> (Vec<i64>, bool) {
    client.ask(|send| send.ask_pull(request)).go();
    let fetched = client.fetched();
    let rows = fetched.rows.iter().map(|row| row[0].as_int()).collect();
    (
        rows,
        *fetched.summary.metadata().get("has_more") == Value::Bool(true),
    )
}

#[test]
fn several_streams_of_a_transaction_are_fetched_in_turns() {
    let server = TestServer::shared();
    let mut client = server.client();
    begin(&mut client);
    client
        .ask_run("UNWIND range(1, 5) AS i RETURN i")
        .ask_run("UNWIND range(11, 13) AS i RETURN i")
        .go();
    assert_eq!(client.answer().metadata().get("qid").as_int(), 0);
    assert_eq!(client.answer().metadata().get("qid").as_int(), 1);
    assert_eq!(pull(&mut client, of_stream(0, 2)), (vec![1, 2], true));
    assert_eq!(pull(&mut client, of_stream(1, 1)), (vec![11], true));
    assert_eq!(pull(&mut client, at_most(1)), (vec![12], true));
    assert_eq!(pull(&mut client, of_stream(0, 3)), (vec![3, 4, 5], false));
    // The end of one is not the end of the transaction, nor of the other.
    client.ask_run("RETURN 21").go();
    assert_eq!(client.answer().metadata().get("qid").as_int(), 2);
    assert_eq!(pull(&mut client, at_most(9)), (vec![21], false));
    assert_eq!(pull(&mut client, of_stream(1, 9)), (vec![13], false));
    client.ask(SendBuffer::ask_commit).go();
    assert!(client.answer().is_success());
    assert_eq!(client.int("RETURN 1"), 1);
}

#[test]
fn a_stream_that_is_not_open_is_an_error_of_the_client() {
    let server = TestServer::shared();
    let mut client = server.client();
    begin(&mut client);
    client
        .ask_run("RETURN 1")
        .ask(|send| send.ask_pull(of_stream(7, 1)))
        .go();
    assert!(client.answer().is_success());
    let Answer::Failure { code, message, .. } = client.answer() else {
        panic!("stream 7 is open")
    };
    assert!(code.contains(".ClientError."), "{code}");
    assert!(message.contains("stream 7"), "{message}");
}

#[test]
fn has_more_is_exact_for_rows_of_a_query() {
    let server = TestServer::shared();
    let mut client = server.client();
    for n in 1..=6 {
        client.ask_run("UNWIND range(1, 5) AS i RETURN i").go();
        assert!(client.answer().is_success());
        let mut rows = Vec::new();
        loop {
            let (some, more) = pull(&mut client, at_most(n));
            assert!(some.len() as u64 <= n);
            rows.extend(some);
            assert_eq!(more, rows.len() < 5, "n = {n}");
            if !more {
                break;
            }
        }
        assert_eq!(rows, [1, 2, 3, 4, 5]);
    }
}

#[test]
fn as_many_rows_come_as_were_asked_for_wherever_the_server_pauses() {
    let server = TestServer::shared();
    let mut client = server.client();
    for n in [31, 32, 33, 34, 64, 65, 66, 100, 1_000, 1_025, 5_000] {
        client.ask_run("UNWIND range(1, 10000) AS i RETURN i").go();
        assert!(client.answer().is_success());
        let first = pull(&mut client, at_most(n));
        assert_eq!(first, ((1..=n as i64).collect(), true));
        let second = pull(&mut client, at_most(n));
        assert_eq!(second, ((n as i64 + 1..=2 * n as i64).collect(), n < 5_000));
        client.reset();
    }
}

#[test]
fn has_more_is_exact_for_rows_of_an_admin_statement() {
    let server = TestServer::shared();
    let mut client = server.client();
    let rows = client.rows("SHOW STORAGE INFO").len() as u64;
    assert!(rows > 3);
    for first in [1, rows - 1, rows, rows + 1] {
        client
            .ask_run("SHOW STORAGE INFO")
            .ask(|send| send.ask_pull(at_most(first)))
            .go();
        assert!(client.answer().is_success());
        let fetched = client.fetched();
        assert_eq!(fetched.rows.len() as u64, first.min(rows));
        let more = *fetched.summary.metadata().get("has_more") == Value::Bool(true);
        assert_eq!(more, first < rows);
        if more {
            client.ask(|send| send.ask_pull(ALL)).go();
            let rest = client.fetched();
            assert_eq!(rest.rows.len() as u64, rows - first);
            assert_eq!(*rest.summary.metadata().get("has_more"), Value::Bool(false));
        }
    }
}

#[test]
fn discarded_rows_are_skipped_and_counted() {
    let server = TestServer::shared();
    let mut client = server.client();
    client
        .ask_run("UNWIND range(1, 5000) AS i RETURN i")
        .ask(|send| send.ask_discard(at_most(4997)))
        .go();
    assert!(client.answer().is_success());
    let more = client.answer().metadata();
    assert_eq!(*more.get("has_more"), Value::Bool(true));
    assert_eq!(pull(&mut client, at_most(2)), (vec![4998, 4999], true));
    client.ask(|send| send.ask_discard(ALL)).go();
    let end = client.answer().metadata();
    assert_eq!(*end.get("has_more"), Value::Bool(false));
    // Rows there were, though none was sent at the end.
    assert_eq!(
        *end.get("statuses").as_list()[0].get("gql_status"),
        Value::text("00000")
    );
}

#[test]
fn many_rows_of_uneven_size_arrive_whole_and_in_order() {
    let server = TestServer::shared();
    let mut client = server.client();
    let query =
        "UNWIND range(1, 3000) AS i RETURN i, CASE WHEN i % 100 = 0 THEN $long ELSE 'x' END";
    let long = "y".repeat(50_000);
    client
        .ask(|send| {
            send.ask_run(
                query,
                |map| map.string("long", &long),
                &TransactionOptions::default(),
            )
        })
        .go();
    assert!(client.answer().is_success());
    let mut next = 1;
    loop {
        client.ask(|send| send.ask_pull(at_most(700))).go();
        let fetched = client.fetched();
        assert!(fetched.rows.len() <= 700);
        for row in &fetched.rows {
            assert_eq!(row[0].as_int(), next);
            assert_eq!(
                row[1].as_text().len(),
                if next % 100 == 0 { 50_000 } else { 1 }
            );
            next += 1;
        }
        if *fetched.summary.metadata().get("has_more") == Value::Bool(false) {
            break;
        }
    }
    assert_eq!(next, 3001);
}

#[test]
fn the_plan_comes_as_rows_and_in_the_summary() {
    let server = TestServer::shared();
    let mut client = server.client();
    let fetched = client.fetch("EXPLAIN CREATE (:Explained)");
    assert!(!fetched.rows.is_empty());
    assert!(matches!(
        fetched.summary.metadata().get("plan"),
        Value::Map(_)
    ));
    assert_eq!(client.int("MATCH (n:Explained) RETURN count(n)"), 0);
}

#[test]
fn a_reader_whose_index_is_dropped_before_its_first_row_is_answered_without_it() {
    let server = TestServer::shared();
    let (mut reader, mut other) = (server.client(), server.client());
    other.fetch("UNWIND range(1, 3) AS i CREATE (:Unindexed {p: i})");
    other.fetch("CREATE INDEX ON :Unindexed(p)");
    let options = TransactionOptions {
        mode: AccessMode::Read,
        ..TransactionOptions::default()
    };
    reader
        .ask(|send| {
            let query = "MATCH (n:Unindexed {p: 2}) RETURN n.p";
            send.ask_run(query, |_| {}, &options);
        })
        .go();
    assert!(reader.answer().is_success());
    other.fetch("DROP INDEX ON :Unindexed(p)");
    assert_eq!(pull(&mut reader, at_most(9)), (vec![2], false));
    assert_eq!(reader.int("RETURN 1"), 1);
}
