//! The Bolt client against a scripted server that speaks the protocol's other side.

use quoit_protocol::chunk::Dechunker;
use quoit_protocol::message::{Request, tag};
use quoit_protocol::packstream::Limits;
use quoit_protocol::{SendBuffer, Version, WireFormat};
use quoit_tools::bolt::{Client, ClientError, ConnectOptions, Credentials, Endpoint, Value};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

/// A server of one connection. Queries it knows: `ROWS n` gives n rows, `FAIL` fails at once, `FAIL LATE`
/// after a row, `HANG` answers RUN and then nothing until RESET. The password must be `right`, if there is one. Every
/// request's name goes to the returned channel.
fn server(version: Version) -> (Endpoint, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (seen, requests) = channel();
    thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        serve(stream, version, &seen);
    });
    (Endpoint::new("127.0.0.1", port), requests)
}

fn serve(mut stream: TcpStream, version: Version, seen: &Sender<String>) {
    let mut proposal = [0; 20];
    stream.read_exact(&mut proposal).unwrap();
    stream
        .write_all(&[0, 0, version.minor(), version.major()])
        .unwrap();

    let mut send = SendBuffer::new(WireFormat::new(version));
    let mut dechunker = Dechunker::new(1 << 20);
    let mut buffer = vec![0; 4096];
    let mut state = State::Ready;
    loop {
        let read = match stream.read(&mut buffer) {
            Ok(0) | Err(_) => return,
            Ok(read) => read,
        };
        let mut input = &mut buffer[..read];
        while let Some(message) = dechunker.next(&mut input).unwrap() {
            let request = Request::decode(message, version, &Limits::AFTER_LOGIN).unwrap();
            let name = format!("{request:?}");
            let name = name.split(['(', ' ', '{']).next().unwrap().to_owned();
            let _ = seen.send(name);
            state = answer(&request, state, version, &mut send);
        }
        stream.write_all(send.as_slice()).unwrap();
        send.clear();
    }
}

enum State {
    Ready,
    Failed,
    Hanging,
    Streaming { rows: i64, then_fail: bool },
}

fn answer(request: &Request<'_>, state: State, version: Version, send: &mut SendBuffer) -> State {
    match (request, state) {
        (Request::Goodbye, state) => state,
        (Request::Reset, state) => {
            if let State::Hanging = state {
                failure(
                    send,
                    version,
                    "Neo.TransientError.Transaction.Terminated",
                    "terminated",
                );
            }
            success(send, &[]);
            State::Ready
        }
        (_, State::Failed) => {
            send.message(tag::IGNORED, 0).finish();
            State::Failed
        }
        (Request::Hello(hello), state) => {
            let refused = hello.auth.is_some_and(|auth| auth.secret == Some("wrong"));
            greet(refused, send, version);
            state
        }
        (Request::Logon(auth), state) => {
            greet(auth.secret == Some("wrong"), send, version);
            state
        }
        (Request::Run(run), _) => {
            if run.query == "FAIL" {
                failure(
                    send,
                    version,
                    "Neo.ClientError.Statement.SyntaxError",
                    "cannot read that",
                );
                return State::Failed;
            }
            success(send, &["n"]);
            match run.query {
                "HANG" => State::Hanging,
                "FAIL LATE" => State::Streaming {
                    rows: 1,
                    then_fail: true,
                },
                "RETURN $p" => {
                    assert_eq!(run.parameters.get("p").unwrap().as_int(), Some(7));
                    State::Streaming {
                        rows: 1,
                        then_fail: false,
                    }
                }
                query => State::Streaming {
                    rows: query.strip_prefix("ROWS ").unwrap().parse().unwrap(),
                    then_fail: false,
                },
            }
        }
        (Request::Pull(_), State::Streaming { rows, then_fail }) => {
            for row in 0..rows {
                let mut message = send.message(tag::RECORD, 1);
                message.list_header(1);
                message.int(row);
                message.finish();
            }
            if then_fail {
                failure(
                    send,
                    version,
                    "Neo.ClientError.Statement.TypeError",
                    "too late",
                );
                return State::Failed;
            }
            success(send, &[]);
            State::Ready
        }
        (Request::Pull(_), state @ State::Hanging) => state,
        (_, state) => {
            success(send, &[]);
            state
        }
    }
}

fn greet(refused: bool, send: &mut SendBuffer, version: Version) {
    if refused {
        failure(
            send,
            version,
            "Neo.ClientError.Security.Unauthorized",
            "wrong password",
        );
        return;
    }
    let mut message = send.message(tag::SUCCESS, 1);
    message.map(|map| {
        map.string("server", "Scripted/1.0");
        map.string("connection_id", "1");
    });
    message.finish();
}

fn success(send: &mut SendBuffer, fields: &[&str]) {
    let mut message = send.message(tag::SUCCESS, 1);
    message.map(|map| {
        if !fields.is_empty() {
            map.strings("fields", fields.iter().copied());
        }
    });
    message.finish();
}

fn failure(send: &mut SendBuffer, version: Version, code: &str, text: &str) {
    let mut message = send.message(tag::FAILURE, 1);
    message.map(|map| {
        let key = match version.has_gql_errors() {
            true => "neo4j_code",
            false => "code",
        };
        map.string(key, code);
        map.string("message", text);
    });
    message.finish();
}

fn connect(endpoint: Endpoint) -> Result<Client, ClientError> {
    Client::connect(&ConnectOptions::new(endpoint, "test"))
}

#[test]
fn answers_are_collected_in_every_version() {
    for version in [Version::V4_1, Version::V4_4, Version::V5_4, Version::V5_8] {
        let (endpoint, _requests) = server(version);
        let mut client = connect(endpoint).unwrap();
        assert_eq!(client.version(), version);
        assert_eq!(client.server(), "Scripted/1.0");
        let answer = client.run("ROWS 3", &[]).unwrap();
        assert_eq!(answer.fields, ["n"]);
        let rows: Vec<Vec<Value>> = (0..3).map(|n| vec![Value::Int(n)]).collect();
        assert_eq!(answer.rows, rows);
        assert!(client.run("ROWS 0", &[]).unwrap().rows.is_empty());
        let parameters = [("p".to_owned(), Value::Int(7))];
        assert_eq!(client.run("RETURN $p", &parameters).unwrap().rows.len(), 1);
    }
}

#[test]
fn after_a_failure_the_session_is_reset_and_works_on() {
    let (endpoint, requests) = server(Version::V5_8);
    let mut client = connect(endpoint).unwrap();
    for query in ["FAIL", "FAIL LATE"] {
        match client.run(query, &[]) {
            Err(ClientError::Query { code, .. }) => {
                assert!(code.starts_with("Neo.ClientError.Statement."), "{code}");
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(client.run("ROWS 1", &[]).unwrap().rows.len(), 1);
    }
    client.close();
    let names: Vec<String> = requests.iter().collect();
    let expected = [
        "Hello", "Logon", "Run", "Pull", "Reset", "Run", "Pull", "Run", "Pull", "Reset", "Run",
        "Pull", "Goodbye",
    ];
    assert_eq!(names, expected);
}

#[test]
fn an_interrupt_cancels_what_runs_by_reset_and_leaves_a_session_that_works() {
    let (endpoint, requests) = server(Version::V5_4);
    let mut client = connect(endpoint).unwrap();
    let interrupt = Arc::new(AtomicBool::new(false));
    client.set_interrupt(Arc::clone(&interrupt));
    let signal = thread::spawn(move || {
        // As a signal handler would, once the query is known to have arrived.
        while requests.recv().unwrap() != "Pull" {}
        interrupt.store(true, Ordering::Relaxed);
        requests
    });
    assert!(matches!(
        client.run("HANG", &[]),
        Err(ClientError::Interrupted)
    ));
    let requests = signal.join().unwrap();
    assert_eq!(requests.recv().unwrap(), "Reset");
    assert_eq!(client.run("ROWS 2", &[]).unwrap().rows.len(), 2);
}

#[test]
fn a_refused_login_is_told_from_a_failed_query() {
    for version in [Version::V4_4, Version::V5_4] {
        let (mut endpoint, _requests) = server(version);
        endpoint.credentials = Some(Credentials {
            user: "ada".into(),
            password: "wrong".into(),
        });
        match connect(endpoint) {
            Err(ClientError::Login { message, .. }) => assert_eq!(message, "wrong password"),
            Err(other) => panic!("{other:?}"),
            Ok(_) => panic!("logged in"),
        }
    }
}

#[test]
fn transactions_are_told_from_single_statements() {
    let (endpoint, requests) = server(Version::V5_4);
    let mut client = connect(endpoint).unwrap();
    client.begin().unwrap();
    assert!(client.in_transaction());
    client.run("ROWS 1", &[]).unwrap();
    client.commit().unwrap();
    client.begin().unwrap();
    assert!(client.run("FAIL", &[]).is_err());
    assert!(!client.in_transaction());
    client.begin().unwrap();
    client.rollback().unwrap();
    client.close();
    let names: Vec<String> = requests.iter().skip(2).collect();
    let expected = [
        "Begin", "Run", "Pull", "Commit", "Begin", "Run", "Pull", "Reset", "Begin", "Rollback",
        "Goodbye",
    ];
    assert_eq!(names, expected);
}

#[test]
fn a_port_without_bolt_is_named_as_such() {
    for (reply, expected) in [
        (&b"HTTP/1.1 400 Bad Request\r\n"[..], "HTTP"),
        (&[0, 0, 0, 0], "none of the proposed"),
        (&[], "closed the connection"),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let answering = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut proposal = [0; 20];
            stream.read_exact(&mut proposal).unwrap();
            stream.write_all(reply).unwrap();
        });
        let error = connect(Endpoint::new("127.0.0.1", port)).err().unwrap();
        assert!(error.to_string().contains(expected), "{error}");
        answering.join().unwrap();
    }
}
