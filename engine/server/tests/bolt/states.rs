//! The state table, from a client's side.

use crate::client::{ALL, Answer, Client, TestServer, at_most};
use quoit_protocol::message::ask::{ClientHello, Login, TransactionOptions};
use quoit_protocol::message::notification::NotificationFilter;
use quoit_protocol::{SendBuffer, Version};
use std::sync::atomic::{AtomicBool, Ordering};

const VIOLATION: &str = "Neo.ClientError.Request.Invalid";
const SYNTAX: &str = "Neo.ClientError.Statement.SyntaxError";

/// A query that runs for many minutes, gives no row before its end and writes nothing.
pub const ENDLESS: &str =
    "UNWIND range(1, 100000) AS a UNWIND range(1, 100000) AS b WITH a WHERE a < 0 RETURN count(a)";

fn hello(send: &mut SendBuffer) {
    send.ask_hello(&ClientHello {
        user_agent: "quoit-tests/1",
        routing_address: None,
        login: Login::None,
        notifications: NotificationFilter::default(),
    });
}

fn begin(send: &mut SendBuffer) {
    send.ask_begin(&TransactionOptions::default());
}

#[test]
fn a_request_in_a_wrong_state_fails_and_ends_the_connection() {
    let server = TestServer::shared();
    type Way = fn(&mut Client);
    let ways: [(&str, Way); 8] = [
        ("PULL without a stream", |client| {
            client.ask(|send| send.ask_pull(ALL));
        }),
        ("COMMIT without a transaction", |client| {
            client.ask(SendBuffer::ask_commit);
        }),
        ("ROLLBACK without a transaction", |client| {
            client.ask(SendBuffer::ask_rollback);
        }),
        ("HELLO after login", |client| {
            client.ask(hello);
        }),
        ("BEGIN in a transaction", |client| {
            client.ask(begin).go();
            assert!(client.answer().is_success());
            client.ask(begin);
        }),
        ("ROUTE in a transaction", |client| {
            client.ask(begin).go();
            assert!(client.answer().is_success());
            client.ask(|send| send.ask_route("h:7687", &[], None));
        }),
        ("RUN while streaming", |client| {
            client.ask_run("UNWIND [1, 2] AS i RETURN i").go();
            assert!(client.answer().is_success());
            client.ask_run("RETURN 1");
        }),
        ("LOGOFF while streaming", |client| {
            client.ask_run("RETURN 1").go();
            assert!(client.answer().is_success());
            client.ask(SendBuffer::ask_logoff);
        }),
    ];
    for (what, way) in ways {
        println!("{what}");
        let mut client = server.client();
        way(&mut client);
        client.go().is_thrown_out(VIOLATION);
    }
}

#[test]
fn whoever_has_not_logged_in_gets_nothing_done() {
    let server = TestServer::shared();
    let mut client = Client::greet(&server, Version::V5_8);
    client
        .ask_all("CREATE (:Stranger)")
        .go()
        .is_thrown_out(VIOLATION);
    assert_eq!(server.client().int("MATCH (s:Stranger) RETURN count(s)"), 0);
}

#[test]
fn what_follows_a_failure_is_ignored_until_a_reset() {
    let server = TestServer::shared();
    let mut client = server.client();
    client
        .ask_all("RETURN")
        .ask_all("RETURN 1")
        .ask(begin)
        .ask(SendBuffer::ask_commit);
    client.ask(SendBuffer::ask_reset).ask_all("RETURN 2").go();
    assert_eq!(client.answer().code(), SYNTAX);
    for _ in 0..5 {
        assert_eq!(client.answer(), Answer::Ignored);
    }
    assert!(client.answer().is_success());
    assert!(client.answer().is_success());
    let fetched = client.fetched();
    assert_eq!(fetched.rows.len(), 1);
    assert!(fetched.summary.is_success());
}

#[test]
fn a_failure_in_the_middle_of_rows_comes_after_them() {
    let server = TestServer::shared();
    let mut client = server.client();
    let fetched = client.fetch("UNWIND [1, 2, 0] AS i RETURN 2 / i");
    assert!(fetched.rows.len() <= 2);
    assert_eq!(
        fetched.summary.code(),
        "Neo.ClientError.Statement.ArithmeticError"
    );
    client.reset();
    assert_eq!(client.int("RETURN 1"), 1);
}

#[test]
fn a_failure_rolls_the_transaction_back_at_once() {
    let server = TestServer::shared();
    let mut client = server.client();
    client
        .ask(begin)
        .ask_all("CREATE (:RolledBack)")
        .ask_all("RETURN 1 / 0")
        .go();
    for _ in 0..4 {
        assert!(client.answer().is_success());
    }
    assert_eq!(
        client.fetched().summary.code(),
        "Neo.ClientError.Statement.ArithmeticError"
    );
    client.ask(SendBuffer::ask_commit).go();
    assert_eq!(client.answer(), Answer::Ignored);
    client.reset();
    assert_eq!(client.int("MATCH (n:RolledBack) RETURN count(n)"), 0);
}

#[test]
fn a_reset_stops_what_runs_and_what_waits_behind_it() {
    let server = TestServer::shared();
    let mut client = server.client();
    client.ask_all(ENDLESS).go();
    assert!(client.answer().is_success());
    client.ask_all("CREATE (:NeverReached)");
    client
        .ask(SendBuffer::ask_reset)
        .ask(SendBuffer::ask_reset)
        .ask(SendBuffer::ask_reset)
        .go();
    assert_eq!(
        client.answer().code(),
        "Neo.TransientError.Transaction.Terminated"
    );
    assert_eq!(client.answer(), Answer::Ignored);
    assert_eq!(client.answer(), Answer::Ignored);
    for _ in 0..3 {
        assert!(client.answer().is_success());
    }
    assert_eq!(client.int("MATCH (n:NeverReached) RETURN count(n)"), 0);
}

#[test]
fn a_reset_in_a_transaction_leaves_nothing_of_it() {
    let server = TestServer::shared();
    let mut client = server.client();
    client
        .ask(begin)
        .ask_all("CREATE (:ResetAway)")
        .ask_all("RETURN 1")
        .ask(SendBuffer::ask_reset)
        .go();
    assert!(client.answer().is_success());
    let mut answers = Vec::new();
    while answers.len() < 5 {
        match client.answer() {
            Answer::Record(_) => {}
            answer => answers.push(answer),
        }
    }
    assert!(answers[4].is_success(), "{answers:?}");
    assert_eq!(client.int("MATCH (n:ResetAway) RETURN count(n)"), 0);
}

#[test]
fn each_request_has_one_answer_however_requests_and_resets_meet_waiting_commits() {
    let server = TestServer::shared();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        // Keeps commits waiting for the disk, so that answers wait too.
        scope.spawn(|| {
            let mut writer = server.client();
            while !stop.load(Ordering::Relaxed) {
                writer.rows("CREATE (:Busy)");
            }
        });
        let mut client = server.client();
        for round in 0..60 {
            client.ask_run("CREATE (:Met)").go();
            if round % 3 == 0 {
                std::thread::yield_now();
            }
            client.ask(|send| send.ask_pull(ALL)).go();
            client
                .ask(SendBuffer::ask_reset)
                .ask_all("RETURN 1 AS x")
                .go();
            let _run = client.fetched();
            let _pull = client.fetched();
            assert!(client.answer().is_success(), "RESET");
            assert!(client.answer().is_success(), "RUN");
            let fetched = client.fetched();
            assert!(
                fetched.summary.is_success() && fetched.rows.len() == 1,
                "{fetched:?}"
            );
        }
        stop.store(true, Ordering::Relaxed);
    });
}

#[test]
fn a_client_that_leaves_stops_its_query_and_loses_its_transaction() {
    let server = TestServer::shared();
    let mut setup = server.client();
    setup.rows("CREATE (:Left {by: 'nobody'})");
    let mut client = server.client();
    client
        .ask(begin)
        .ask_all("MATCH (n:Left) SET n.by = 'the lost'")
        .ask_all(ENDLESS)
        .go();
    for _ in 0..4 {
        assert!(client.answer().is_success());
    }
    drop(client);
    // Until the transaction is gone this meets it, and is told to try again.
    while !setup
        .fetch("MATCH (n:Left) SET n.by = 'the next'")
        .summary
        .is_success()
    {
        setup.reset();
    }
    assert_eq!(
        setup.rows("MATCH (n:Left) RETURN n.by"),
        [[crate::client::Value::text("the next")]]
    );
}

#[test]
fn goodbye_ends_the_connection_without_an_answer() {
    let server = TestServer::shared();
    let mut client = server.client();
    assert_eq!(client.int("RETURN 1"), 1);
    client.ask(SendBuffer::ask_goodbye).go();
    assert_eq!(client.next(), None);
}

#[test]
fn a_client_that_logged_off_is_a_stranger_until_it_logs_on_again() {
    let server = TestServer::shared();
    let mut client = server.client();
    client.ask(SendBuffer::ask_logoff).go();
    assert!(client.answer().is_success());
    client
        .ask(|send| {
            send.ask_logon(&Login::Basic {
                principal: "any",
                password: "one",
            })
        })
        .go();
    assert!(client.answer().is_success());
    assert_eq!(client.int("RETURN 1"), 1);
    client.ask(SendBuffer::ask_logoff).ask_all("RETURN 1").go();
    assert!(client.answer().is_success());
    client.is_thrown_out(VIOLATION);
}

#[test]
fn a_field_that_cannot_be_fails_its_request_and_no_more() {
    let server = TestServer::shared();
    let mut client = server.client();
    client.ask_run("RETURN 1");
    client.ask(|send| {
        let mut pull = send.message(0x3F, 1);
        pull.map(|map| map.int("n", 0));
        pull.finish();
    });
    client.go();
    assert!(client.answer().is_success());
    assert_eq!(client.answer().code(), VIOLATION);
    client.reset();
    assert_eq!(client.int("RETURN 2"), 2);
}

#[test]
fn bytes_that_are_no_message_end_the_connection() {
    let server = TestServer::shared();
    for bytes in [
        // A reserved marker; a list that claims more than there is; a structure that is none of Bolt's.
        &[0, 3, 0xB1, 0x10, 0xC4, 0, 0][..],
        &[0, 7, 0xB1, 0x3F, 0xD6, 0x7F, 0xFF, 0xFF, 0xFF, 0, 0],
        &[0, 2, 0xB0, 0x55, 0, 0],
    ] {
        let mut client = server.client();
        client.go_raw(bytes);
        let code = client.answer().code();
        assert!(
            code.starts_with("Neo.ClientError.Request.Invalid"),
            "{code}"
        );
        assert_eq!(client.next(), None);
    }
}

#[test]
fn a_transaction_goes_on_after_each_of_its_streams() {
    let server = TestServer::shared();
    let mut client = server.client();
    client
        .ask(begin)
        .ask_run("UNWIND range(1, 3) AS i RETURN i")
        .ask(|send| send.ask_pull(at_most(3)));
    client
        .ask_all("RETURN 4")
        .ask(SendBuffer::ask_commit)
        .ask(begin)
        .ask(SendBuffer::ask_rollback)
        .go();
    assert!(client.answer().is_success());
    assert!(client.answer().is_success());
    assert_eq!(client.fetched().rows.len(), 3);
    assert!(client.answer().is_success());
    assert_eq!(client.fetched().rows.len(), 1);
    for _ in 0..3 {
        assert!(client.answer().is_success());
    }
}
