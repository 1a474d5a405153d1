//! Transactions: their forms, their ends, their limits.

use crate::client::{ALL, Answer, Client, TestServer, Value, at_most};
use crate::states::ENDLESS;
use quoit_protocol::message::AccessMode;
use quoit_protocol::message::ask::TransactionOptions;
use quoit_protocol::{SendBuffer, Version};

const TIMED_OUT: &str = "Neo.ClientError.Transaction.TransactionTimedOut";

fn begin(client: &mut Client, options: &TransactionOptions<'_>) -> Answer {
    client.ask(|send| send.ask_begin(options)).go();
    client.answer()
}

fn commit(client: &mut Client) -> Answer {
    client.ask(SendBuffer::ask_commit).go();
    client.answer()
}

#[test]
fn transaction_words_work_as_queries_and_mix_with_messages() {
    let server = TestServer::shared();
    for version in [Version::V4_4, Version::V5_8] {
        let label = format!("Words{}", version.major());
        let count = format!("MATCH (n:{label}) RETURN count(n)");
        let create = format!("CREATE (:{label})");
        let mut client = server.client_of(version);
        for (open, close, kept) in [
            ("BEGIN", "COMMIT", 1),
            ("  begin ;", "ROLLBACK", 1),
            ("Begin", " commit; ", 2),
        ] {
            assert!(client.rows(open).is_empty());
            client.rows(&create);
            let fetched = client.fetch(close);
            assert!(fetched.rows.is_empty());
            assert_eq!(
                *fetched.summary.metadata().get("has_more"),
                Value::Bool(false)
            );
            assert_eq!(client.int(&count), kept);
        }
        client.rows("BEGIN");
        client.rows(&create);
        assert!(commit(&mut client).is_success());
        assert!(begin(&mut client, &TransactionOptions::default()).is_success());
        client.rows(&create);
        client.rows("ROLLBACK");
        assert_eq!(client.int(&count), 3);
    }
}

#[test]
fn transaction_words_in_the_wrong_place_are_refused() {
    let server = TestServer::shared();
    let mut client = server.client();
    assert!(client.failure("COMMIT").contains(".ClientError."));
    assert!(client.failure("ROLLBACK").contains(".ClientError."));
    client.rows("BEGIN");
    client.ask_run("BEGIN").go();
    let Answer::Failure { message, .. } = client.answer() else {
        panic!("transactions nest")
    };
    assert!(
        message.contains("Nested transactions are not supported"),
        "{message}"
    );
}

#[test]
fn clients_of_memgraph_are_told_to_change_indexes_without_a_transaction() {
    let server = TestServer::shared();
    let mut client = server.client_of(Version::V4_4);
    assert!(begin(&mut client, &TransactionOptions::default()).is_success());
    client.ask_run("CREATE INDEX ON :Within(x)").go();
    let Answer::Failure { message, .. } = client.answer() else {
        panic!("an index is made within a transaction")
    };
    assert!(
        message.contains("in multicommand transactions"),
        "{message}"
    );
}

#[test]
fn a_commit_runs_half_read_statements_to_their_end_in_their_order() {
    let server = TestServer::shared();
    let mut client = server.client();
    assert!(begin(&mut client, &TransactionOptions::default()).is_success());
    client
        .ask_run("UNWIND range(1, 3000) AS i CREATE (n:Half {i: i}) RETURN n.i")
        .ask(|send| send.ask_pull(at_most(1)));
    client
        .ask_run("CREATE (:Ordered {v: 1})")
        .ask_run("MATCH (n:Ordered) SET n.v = n.v + 1")
        .go();
    assert!(client.answer().is_success());
    assert_eq!(client.fetched().rows.len(), 1);
    assert!(client.answer().is_success());
    assert!(client.answer().is_success());
    assert!(commit(&mut client).is_success());
    assert_eq!(client.int("MATCH (n:Half) RETURN count(n)"), 3000);
    assert_eq!(client.int("MATCH (n:Ordered) RETURN n.v"), 2);
}

#[test]
fn a_commit_fails_with_the_half_read_statement_that_fails() {
    let server = TestServer::shared();
    let mut client = server.client();
    assert!(begin(&mut client, &TransactionOptions::default()).is_success());
    client
        .ask_all("CREATE (:FailsLate)")
        .ask_run("UNWIND range(0, 2000) AS i RETURN 1 / (2000 - i)");
    client.ask(|send| send.ask_pull(at_most(1))).go();
    assert!(client.answer().is_success());
    assert!(client.answer().is_success());
    assert!(client.answer().is_success());
    // The failure may be met while the first row is looked for.
    let answer = match client.fetched().summary {
        Answer::Success(_) => commit(&mut client),
        failure => failure,
    };
    assert_eq!(answer.code(), "Neo.ClientError.Statement.ArithmeticError");
    client.reset();
    assert_eq!(client.int("MATCH (n:FailsLate) RETURN count(n)"), 0);
}

#[test]
fn each_statement_of_a_transaction_counts_its_own_changes() {
    let server = TestServer::shared();
    let mut client = server.client();
    assert!(begin(&mut client, &TransactionOptions::default()).is_success());
    let created = |answer: Answer| answer.metadata().get("stats").clone();
    let first = created(client.fetch("CREATE (:Counted), (:Counted)").summary);
    assert_eq!(first.get("nodes-created").as_int(), 2);
    // A reader that is half read while another statement writes.
    client
        .ask_run("MATCH (n:Counted) RETURN n")
        .ask(|send| send.ask_pull(at_most(1)))
        .go();
    let reader = client.answer().metadata().get("qid").as_int() as u64;
    assert_eq!(client.fetched().rows.len(), 1);
    let second = created(client.fetch("CREATE (:Counted {x: 1})").summary);
    assert_eq!(second.get("nodes-created").as_int(), 1);
    assert_eq!(second.get("properties-set").as_int(), 1);
    client
        .ask(|send| send.ask_pull(crate::client::of_stream(reader, 10)))
        .go();
    let rest = client.fetched();
    assert_eq!(rest.rows.len(), 1);
    assert_eq!(created(rest.summary), Value::Null);
    assert!(commit(&mut client).is_success());
}

#[test]
fn a_transaction_whose_time_is_up_is_rolled_back_while_its_client_says_nothing() {
    let server = TestServer::shared();
    let mut other = server.client();
    other.rows("CREATE (:Idle {by: 'nobody'})");
    let short = TransactionOptions {
        timeout_ms: Some(50),
        ..TransactionOptions::default()
    };
    for end in [
        SendBuffer::ask_commit as fn(&mut SendBuffer),
        |send| send.ask_pull(ALL),
        |send| {
            send.ask_run("RETURN 1", |_| {}, &TransactionOptions::default());
        },
    ] {
        let mut client = server.client();
        assert!(begin(&mut client, &short).is_success());
        client
            .ask_all("MATCH (n:Idle) SET n.by = 'the idle'")
            .ask_run("UNWIND [1, 2] AS i RETURN i")
            .go();
        for _ in 0..3 {
            assert!(client.answer().is_success());
        }
        // The write is let go without a word of its owner.
        while !other
            .fetch("MATCH (n:Idle) SET n.by = 'the other'")
            .summary
            .is_success()
        {
            other.reset();
        }
        client.ask(end).go();
        assert_eq!(client.answer().code(), TIMED_OUT);
        client.reset();
        assert_eq!(client.int("RETURN 1"), 1);
    }
    assert_eq!(
        other.rows("MATCH (n:Idle) RETURN n.by"),
        [[Value::text("the other")]]
    );
}

#[test]
fn a_query_is_stopped_when_its_time_is_up() {
    let server = TestServer::shared();
    let mut client = server.client();
    let short = TransactionOptions {
        timeout_ms: Some(50),
        ..TransactionOptions::default()
    };
    client
        .ask(|send| send.ask_run(ENDLESS, |_| {}, &short))
        .ask(|send| send.ask_pull(ALL))
        .go();
    assert!(client.answer().is_success());
    assert_eq!(client.answer().code(), TIMED_OUT);
}

#[test]
fn a_time_limit_of_any_size_is_taken() {
    let server = TestServer::shared();
    let mut client = server.client();
    for timeout_ms in [0, 1 << 40, i64::MAX as u64] {
        let options = TransactionOptions {
            timeout_ms: Some(timeout_ms),
            ..TransactionOptions::default()
        };
        assert!(begin(&mut client, &options).is_success());
        assert_eq!(client.int("RETURN 1"), 1);
        assert!(commit(&mut client).is_success());
    }
}

#[test]
fn bookmarks_are_given_and_taken_and_nonsense_is_refused() {
    let server = TestServer::shared();
    let mut client = server.client();
    let text = |answer: Answer| answer.metadata().get("bookmark").as_text().to_owned();
    let written = text(client.fetch("CREATE (:Marked)").summary);
    let read = text(client.fetch("RETURN 1").summary);
    assert!(begin(&mut client, &TransactionOptions::default()).is_success());
    // No bookmark within a transaction; its COMMIT has one.
    assert_eq!(
        *client.fetch("RETURN 1").summary.metadata().get("bookmark"),
        Value::Null
    );
    let committed = text(commit(&mut client));

    let given = [written.as_str(), &read, &committed];
    let options = TransactionOptions {
        bookmarks: &given,
        ..TransactionOptions::default()
    };
    let mut other = server.client();
    other.ask(|send| send.ask_run("MATCH (n:Marked) RETURN count(n)", |_| {}, &options));
    other.ask(|send| send.ask_pull(ALL)).go();
    assert!(other.answer().is_success());
    assert_eq!(other.fetched().rows, [[Value::Int(1)]]);
    assert!(begin(&mut other, &options).is_success());
    assert!(commit(&mut other).is_success());

    for nonsense in ["", "FB:kcwQ", "q:0:0:0:x"] {
        let options = TransactionOptions {
            bookmarks: &[nonsense],
            ..TransactionOptions::default()
        };
        let answer = begin(&mut other, &options);
        assert_eq!(answer.code(), "Neo.ClientError.Transaction.InvalidBookmark");
        other.reset();
    }
}

#[test]
fn a_bookmark_of_the_future_is_waited_for_and_a_reset_ends_the_wait() {
    let server = TestServer::shared();
    let mut client = server.client();
    let now = client
        .fetch("CREATE (:Future)")
        .summary
        .metadata()
        .get("bookmark")
        .as_text()
        .to_owned();
    let (point, seq) = now.rsplit_once(':').unwrap();
    let ahead = |by: u64| format!("{point}:{}", seq.parse::<u64>().unwrap() + by);

    let far = ahead(1 << 40);
    let options = TransactionOptions {
        bookmarks: &[&far],
        timeout_ms: Some(50),
        ..TransactionOptions::default()
    };
    assert_eq!(
        begin(&mut client, &options).code(),
        "Neo.TransientError.Transaction.BookmarkTimeout"
    );
    client.reset();

    let options = TransactionOptions {
        bookmarks: &[&far],
        ..TransactionOptions::default()
    };
    client.ask(|send| send.ask_begin(&options)).go();
    client.ask_all("RETURN 1").ask(SendBuffer::ask_reset).go();
    for _ in 0..3 {
        assert_eq!(client.answer(), Answer::Ignored);
    }
    assert!(client.answer().is_success());

    let near = ahead(20);
    let options = TransactionOptions {
        bookmarks: &[&near],
        ..TransactionOptions::default()
    };
    client.ask(|send| send.ask_begin(&options)).go();
    let mut writer = server.client();
    for _ in 0..20 {
        writer.rows("CREATE (:Future)");
    }
    assert!(client.answer().is_success());
    let reached = commit(&mut client)
        .metadata()
        .get("bookmark")
        .as_text()
        .to_owned();
    let number = |bookmark: &str| bookmark.rsplit_once(':').unwrap().1.parse::<u64>().unwrap();
    assert!(number(&reached) >= number(&near));
}

#[test]
fn conflicts_of_single_statements_are_the_servers_to_solve() {
    let server = TestServer::shared();
    server.client().rows("CREATE (:Hot {n: 0})");
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut client = server.client();
                for _ in 0..200 {
                    client.rows("MATCH (h:Hot) SET h.n = h.n + 1");
                }
            });
        }
    });
    assert_eq!(server.client().int("MATCH (h:Hot) RETURN h.n"), 400);
}

#[test]
fn conflicts_of_transactions_are_told_as_worth_another_try() {
    let server = TestServer::shared();
    let (mut one, mut two) = (server.client(), server.client());
    one.rows("CREATE (:Contested {n: 0})");
    assert!(begin(&mut one, &TransactionOptions::default()).is_success());
    assert!(begin(&mut two, &TransactionOptions::default()).is_success());
    one.rows("MATCH (c:Contested) SET c.n = 1");
    let code = two.fetch("MATCH (c:Contested) SET c.n = 2").summary.code();
    assert!(code.starts_with("Neo.TransientError."), "{code}");
    assert!(commit(&mut one).is_success());
    two.reset();
    assert_eq!(two.int("MATCH (c:Contested) RETURN c.n"), 1);
}

#[test]
fn a_transaction_for_reading_refuses_to_write() {
    let server = TestServer::shared();
    let mut client = server.client();
    let reading = TransactionOptions {
        mode: AccessMode::Read,
        ..TransactionOptions::default()
    };
    assert!(begin(&mut client, &reading).is_success());
    client.ask_run("CREATE (:Forbidden)").go();
    assert_eq!(
        client.answer().code(),
        "Neo.ClientError.Statement.AccessMode"
    );
}

#[test]
fn a_database_that_is_not_there_is_named_in_the_refusal() {
    let server = TestServer::shared();
    let mut client = server.client();
    let elsewhere = TransactionOptions {
        database: Some("elsewhere"),
        ..TransactionOptions::default()
    };
    let asks: [&dyn Fn(&mut SendBuffer); 4] = [
        &|send| send.ask_begin(&elsewhere),
        &|send| send.ask_run("RETURN 1", |_| {}, &elsewhere),
        &|send| {
            send.ask_run(
                "USE DATABASE elsewhere",
                |_| {},
                &TransactionOptions::default(),
            )
        },
        &|send| send.ask_route("h:7687", &[], Some("elsewhere")),
    ];
    for ask in asks {
        client.ask(ask).go();
        let Answer::Failure { code, message, .. } = client.answer() else {
            panic!("there is such a database")
        };
        assert_eq!(code, "Neo.ClientError.Database.DatabaseNotFound");
        assert!(message.contains("elsewhere"));
        client.reset();
    }
    for name in ["", "neo4j", "memgraph", "system"] {
        let named = TransactionOptions {
            database: Some(name),
            ..TransactionOptions::default()
        };
        assert!(begin(&mut client, &named).is_success());
        assert!(commit(&mut client).is_success());
    }
}

#[test]
fn what_a_schema_statement_does_not_find_is_named_by_its_code() {
    let server = TestServer::shared();
    let mut client = server.client();
    for (query, code) in [
        ("DROP INDEX nothing", "IndexNotFound"),
        ("DROP CONSTRAINT nothing", "ConstraintNotFound"),
    ] {
        let expected = format!("Neo.ClientError.Schema.{code}");
        assert_eq!(client.failure(query), expected);
    }
    client.fetch("CREATE CONSTRAINT ON (n:TypedOnce) ASSERT n.p IS TYPED INTEGER");
    assert_eq!(
        client.failure("CREATE CONSTRAINT ON (n:TypedOnce) ASSERT n.p IS TYPED FLOAT"),
        "Neo.ClientError.Schema.EquivalentSchemaRuleAlreadyExists"
    );
}
