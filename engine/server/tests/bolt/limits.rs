//! What a client can make the server hold: nothing without a bound.

use crate::client::{ALL, Answer, Client, TestServer, at_most};
use quoit_protocol::message::ask::TransactionOptions;
use quoit_protocol::packstream::MapWriter;
use quoit_protocol::{SendBuffer, Version};

/// What the kernel's buffers of a loopback connection and the server's own bound hold at most, in bytes, generously.
const HELD_MAX: usize = 32 << 20;

/// Other connections' work, long enough for a server without bounds to pile up far more than [`HELD_MAX`].
fn let_the_server_work(server: &TestServer) {
    let mut client = server.client();
    for _ in 0..300 {
        client.int("UNWIND range(1, 1000) AS i RETURN sum(i)");
    }
}

#[test]
fn rows_are_not_produced_for_a_client_that_does_not_read() {
    let server = TestServer::shared();
    let mut client = server.client();
    let row = "z".repeat(100_000);
    let query = "UNWIND range(1, 1000000) AS i RETURN $row";
    client.ask(|send| {
        send.ask_run(
            query,
            |map| map.string("row", &row),
            &TransactionOptions::default(),
        )
    });
    client.ask(|send| send.ask_pull(ALL)).go();
    assert!(client.answer().is_success());
    let_the_server_work(&server);
    client.ask(SendBuffer::ask_reset).go();
    assert_eq!(
        client.fetched().summary.code(),
        "Neo.TransientError.Transaction.Terminated"
    );
    assert!(client.answer().is_success());
    assert!(
        client.received < HELD_MAX,
        "{} bytes were held for the client",
        client.received
    );
    assert_eq!(client.int("RETURN 1"), 1);
}

#[test]
fn answers_do_not_pile_up_for_a_client_that_sends_requests_and_does_not_read() {
    let server = TestServer::shared();
    let mut client = server.client();
    // Each request is small and done in one go, and its answer is large.
    let row = "z".repeat(1_000_000);
    let query = "UNWIND range(1, 250) AS i RETURN $row";
    client.ask(|send| {
        send.ask_run(
            query,
            |map| map.string("row", &row),
            &TransactionOptions::default(),
        )
    });
    for _ in 0..200 {
        client.ask(|send| send.ask_pull(at_most(1)));
    }
    client.go();
    let_the_server_work(&server);
    client.ask(SendBuffer::ask_reset).go();
    assert!(client.answer().is_success());
    let mut rows = 0;
    let mut ignored = 0;
    for _ in 0..200 {
        let fetched = client.fetched();
        rows += fetched.rows.len();
        ignored += usize::from(fetched.summary == Answer::Ignored);
    }
    assert!(client.answer().is_success());
    // What the server had not begun when the RESET came was not done.
    assert!(
        rows * row.len() < 100 << 20 && ignored > 100,
        "{rows} rows were produced, {ignored} requests ignored"
    );
}

#[test]
fn a_pipeline_longer_than_the_queue_is_answered_in_order() {
    let server = TestServer::shared();
    let mut client = server.client();
    for i in 0..2_000 {
        client.ask_all(&format!("RETURN {i}"));
    }
    client.go();
    for i in 0..2_000 {
        assert!(client.answer().is_success());
        assert_eq!(client.fetched().rows[0][0].as_int(), i);
    }
}

#[test]
fn open_streams_of_a_transaction_have_a_bound() {
    let server = TestServer::shared();
    let mut client = server.client();
    client
        .ask(|send| send.ask_begin(&TransactionOptions::default()))
        .go();
    assert!(client.answer().is_success());
    for opened in 0.. {
        assert!(opened < 100_000, "streams have no bound");
        client.ask_run("RETURN 1").go();
        match client.answer() {
            Answer::Success(_) => {}
            failure => {
                assert!(opened >= 100);
                assert!(failure.code().starts_with("Neo.TransientError.General."));
                break;
            }
        }
    }
    client.reset();
    assert_eq!(client.int("RETURN 1"), 1);
}

#[test]
fn strangers_may_send_small_messages_only() {
    let server = TestServer::shared();
    let mut client = Client::greet(&server, Version::V5_8);
    let long = "x".repeat(10_000);
    client
        .ask_run(&long)
        .go()
        .is_thrown_out("Neo.ClientError.Request.InvalidFormat");
    // After LOGOFF a client is a stranger again.
    let mut client = server.client();
    client
        .ask_run(&format!("RETURN '{long}'"))
        .ask(|send| send.ask_discard(ALL))
        .ask(SendBuffer::ask_logoff)
        .go();
    for _ in 0..3 {
        assert!(client.answer().is_success());
    }
    client
        .ask_run(&long)
        .go()
        .is_thrown_out("Neo.ClientError.Request.InvalidFormat");
}

#[test]
fn a_refusal_repeats_little_of_what_was_sent() {
    let server = TestServer::shared();
    let mut client = server.client();
    let long = "x".repeat(1 << 20);
    let bookmark = format!("q:{}:0:0:0", "0".repeat(1 << 20));
    let asks: [&dyn Fn(&mut SendBuffer); 3] = [
        &|send| {
            send.ask_begin(&TransactionOptions {
                database: Some(&long),
                ..TransactionOptions::default()
            })
        },
        &|send| {
            send.ask_begin(&TransactionOptions {
                bookmarks: &[&bookmark],
                ..TransactionOptions::default()
            })
        },
        &|send| {
            // A node cannot be a parameter.
            let node = |map: &mut MapWriter<'_>| map.key(&long).struct_header(0x4E, 0);
            send.ask_run("RETURN 1", node, &TransactionOptions::default());
        },
    ];
    for ask in asks {
        client.ask(ask).go();
        let Answer::Failure { message, .. } = client.answer() else {
            panic!("it was taken")
        };
        assert!(message.len() < 1_000, "{} bytes", message.len());
        client.reset();
    }
}
