//! The client of these tests, and the server they share.

use quoit_protocol::chunk::{Dechunker, MESSAGE_LEN_AFTER_LOGIN};
use quoit_protocol::handshake::{ClientHandshake, Proposal};
use quoit_protocol::message::ask::{ClientHello, Login, TransactionOptions};
use quoit_protocol::message::notification::NotificationFilter;
use quoit_protocol::message::{Response, Rows, StreamRequest};
use quoit_protocol::packstream;
use quoit_protocol::{SendBuffer, Version, WireFormat};
use quoit_rt::Cpus;
use quoit_server::{Options, Server};
use std::collections::{BTreeMap, VecDeque};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

/// A server of two cores on a port and in a directory of its own.
pub struct TestServer {
    server: Option<Server>,
    pub directory: PathBuf,
}

impl TestServer {
    /// A server that no other test uses.
    pub fn start() -> TestServer {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("bolt-{}-{number}", std::process::id());
        let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        let mut server = TestServer {
            server: None,
            directory,
        };
        server.start_again();
        server
    }

    /// The server that tests share while any of them runs.
    pub fn shared() -> Arc<TestServer> {
        static SHARED: Mutex<Weak<TestServer>> = Mutex::new(Weak::new());
        let mut shared = SHARED
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        shared.upgrade().unwrap_or_else(|| {
            let server = Arc::new(TestServer::start());
            *shared = Arc::downgrade(&server);
            server
        })
    }

    /// Stops the server as a signal would.
    pub fn stop(&mut self) {
        let server = self.server.take().expect("the server runs");
        server.shut_down();
        server.join().expect("the server stops in order");
    }

    /// Starts it in the same directory again.
    pub fn start_again(&mut self) {
        let server = Server::start(Options {
            bolt_port: 0,
            data_directory: self.directory.clone(),
            cpus: Cpus::Count(2),
            log_level: quoit_server::report::Level::Error,
            ..Options::default()
        });
        let server = server.expect("the server starts");
        assert!(server.wait_until_ready());
        self.server = Some(server);
    }

    pub fn address(&self) -> SocketAddr {
        self.server.as_ref().expect("the server runs").bolt()
    }

    /// A client that has logged in with the newest version.
    pub fn client(&self) -> Client {
        self.client_of(Version::V5_8)
    }

    /// A client that has logged in with this version.
    pub fn client_of(&self, version: Version) -> Client {
        let mut client = Client::greet(self, version);
        client.log_in(None);
        client
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        if let Some(server) = self.server.take() {
            server.shut_down();
            let _ = server.join();
        }
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

/// A received value, owned.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    List(Vec<Value>),
    Map(BTreeMap<String, Value>),
    Structure(u8, Vec<Value>),
    Other,
}

impl Value {
    fn of(value: packstream::Value<'_>) -> Value {
        use packstream::Value as V;
        match value {
            V::Null => Value::Null,
            V::Bool(truth) => Value::Bool(truth),
            V::Int(int) => Value::Int(int),
            V::Float(float) => Value::Float(float),
            V::String(text) => Value::Text(text.to_owned()),
            V::List(list) => Value::List(list.iter().map(Value::of).collect()),
            V::Map(map) => Value::map(map),
            V::Struct(structure) => {
                Value::Structure(structure.tag(), structure.fields().map(Value::of).collect())
            }
            V::Bytes(_) | V::Uuid(_) => Value::Other,
        }
    }

    fn map(map: packstream::Map<'_>) -> Value {
        Value::Map(
            map.iter()
                .map(|(key, value)| (key.to_owned(), Value::of(value)))
                .collect(),
        )
    }

    pub fn text(text: &str) -> Value {
        Value::Text(text.to_owned())
    }

    /// What a map has under `key`; null if nothing.
    pub fn get(&self, key: &str) -> &Value {
        match self {
            Value::Map(map) => map.get(key).unwrap_or(&Value::Null),
            other => panic!("{other:?} is no map"),
        }
    }

    pub fn as_text(&self) -> &str {
        match self {
            Value::Text(text) => text,
            other => panic!("{other:?} is no text"),
        }
    }

    pub fn as_int(&self) -> i64 {
        match self {
            Value::Int(int) => *int,
            other => panic!("{other:?} is no integer"),
        }
    }

    pub fn as_list(&self) -> &[Value] {
        match self {
            Value::List(items) => items,
            other => panic!("{other:?} is no list"),
        }
    }
}

/// One message of the server.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    Success(Value),
    Record(Vec<Value>),
    Ignored,
    Failure {
        code: String,
        message: String,
        metadata: Value,
    },
}

impl Answer {
    pub fn is_success(&self) -> bool {
        matches!(self, Answer::Success(_))
    }

    /// The metadata of a SUCCESS.
    pub fn metadata(self) -> Value {
        match self {
            Answer::Success(metadata) => metadata,
            other => panic!("{other:?} is no SUCCESS"),
        }
    }

    /// The code of a FAILURE.
    pub fn code(self) -> String {
        match self {
            Answer::Failure { code, .. } => code,
            other => panic!("{other:?} is no FAILURE"),
        }
    }
}

/// The rows of a query, and its last summary.
#[derive(Debug)]
pub struct Fetched {
    pub rows: Vec<Vec<Value>>,
    pub summary: Answer,
}

pub const ALL: StreamRequest = StreamRequest {
    rows: Rows::All,
    qid: None,
};

/// At most `n` rows of the newest stream.
pub fn at_most(n: u64) -> StreamRequest {
    StreamRequest {
        rows: Rows::AtMost(n),
        qid: None,
    }
}

/// At most `n` rows of a certain stream.
pub fn of_stream(qid: u64, n: u64) -> StreamRequest {
    StreamRequest {
        rows: Rows::AtMost(n),
        qid: Some(qid),
    }
}

/// A connection.
pub struct Client {
    stream: TcpStream,
    send: SendBuffer,
    dechunker: Dechunker,
    arrived: VecDeque<Answer>,
    /// Bytes received so far.
    pub received: usize,
}

impl Client {
    /// Connects and agrees on a version.
    pub fn greet(server: &TestServer, version: Version) -> Client {
        let mut stream = TcpStream::connect(server.address()).expect("the server listens");
        stream.set_nodelay(true).unwrap();
        // A server that does not answer fails a test instead of holding it up for ever.
        stream
            .set_read_timeout(Some(Duration::from_secs(60)))
            .unwrap();
        let mut out = Vec::new();
        let mut handshake = ClientHandshake::new(Proposal::Exactly(version), &mut out);
        stream.write_all(&out).unwrap();
        let mut byte = [0];
        let agreement = loop {
            stream
                .read_exact(&mut byte)
                .expect("the server answers the handshake");
            let mut out = Vec::new();
            if let Some(agreement) = handshake
                .advance(&mut &byte[..], &mut out)
                .expect("a version")
            {
                break agreement;
            }
        };
        assert_eq!(agreement.version, version);
        Client {
            stream,
            send: SendBuffer::new(WireFormat::new(version)),
            dechunker: Dechunker::new(MESSAGE_LEN_AFTER_LOGIN),
            arrived: VecDeque::new(),
            received: 0,
        }
    }

    /// Logs in; `dialled` makes it a `neo4j://` client.
    pub fn log_in(&mut self, dialled: Option<&str>) {
        let hello = ClientHello {
            user_agent: "quoit-tests/1",
            routing_address: dialled,
            login: Login::None,
            notifications: NotificationFilter::default(),
        };
        self.ask(|send| send.ask_hello(&hello)).go();
        let answers = if self.send.format().version().has_logon() {
            2
        } else {
            1
        };
        for _ in 0..answers {
            assert!(self.answer().is_success());
        }
    }

    /// Writes a request; it leaves with [`go`](Self::go).
    pub fn ask(&mut self, write: impl FnOnce(&mut SendBuffer)) -> &mut Client {
        write(&mut self.send);
        self
    }

    /// Writes a RUN without parameters or options.
    pub fn ask_run(&mut self, query: &str) -> &mut Client {
        self.ask(|send| send.ask_run(query, |_| {}, &TransactionOptions::default()))
    }

    /// Writes a RUN and a PULL of everything.
    pub fn ask_all(&mut self, query: &str) -> &mut Client {
        self.ask_run(query).ask(|send| send.ask_pull(ALL))
    }

    /// Sends what was written, in one piece.
    pub fn go(&mut self) -> &mut Client {
        self.stream
            .write_all(self.send.as_slice())
            .expect("the server takes requests");
        self.send.clear();
        self
    }

    /// Sends bytes of the test's own.
    pub fn go_raw(&mut self, bytes: &[u8]) -> &mut Client {
        self.stream
            .write_all(bytes)
            .expect("the server takes bytes");
        self
    }

    /// The next message; `None` at the end of the stream.
    pub fn next(&mut self) -> Option<Answer> {
        let mut buffer = [0; 16 << 10];
        loop {
            if let Some(answer) = self.arrived.pop_front() {
                return Some(answer);
            }
            let taken = self
                .stream
                .read(&mut buffer)
                .expect("the server answers in time");
            if taken == 0 {
                return None;
            }
            self.received += taken;
            let mut input = &mut buffer[..taken];
            while let Some(message) = self
                .dechunker
                .next(&mut input)
                .expect("messages of a sane size")
            {
                self.arrived
                    .push_back(match Response::decode(message).expect("a response") {
                        Response::Success(metadata) => Answer::Success(Value::map(metadata)),
                        Response::Record(values) => {
                            Answer::Record(values.iter().map(Value::of).collect())
                        }
                        Response::Ignored => Answer::Ignored,
                        Response::Failure {
                            code,
                            message,
                            metadata,
                        } => Answer::Failure {
                            code: code.to_owned(),
                            message: message.to_owned(),
                            metadata: Value::map(metadata),
                        },
                    });
            }
        }
    }

    /// The next message.
    pub fn answer(&mut self) -> Answer {
        self.next().expect("the server answers")
    }

    /// What follows until a summary: the answer of one request.
    pub fn fetched(&mut self) -> Fetched {
        let mut rows = Vec::new();
        loop {
            match self.answer() {
                Answer::Record(row) => rows.push(row),
                summary => return Fetched { rows, summary },
            }
        }
    }

    /// Runs a query and fetches everything. RUN must succeed.
    pub fn fetch(&mut self, query: &str) -> Fetched {
        self.ask_all(query).go();
        let run = self.answer();
        assert!(run.is_success(), "{query}: {run:?}");
        self.fetched()
    }

    /// Runs a query to its end; its rows.
    pub fn rows(&mut self, query: &str) -> Vec<Vec<Value>> {
        let fetched = self.fetch(query);
        assert!(
            fetched.summary.is_success(),
            "{query}: {:?}",
            fetched.summary
        );
        fetched.rows
    }

    /// The one integer that a query answers.
    pub fn int(&mut self, query: &str) -> i64 {
        match &self.rows(query)[..] {
            [row] => row[0].as_int(),
            rows => panic!("{query}: {rows:?}"),
        }
    }

    /// The code with which a query fails, in RUN or later; the session is reset after it.
    pub fn failure(&mut self, query: &str) -> String {
        self.ask_all(query).go();
        let code = match (self.answer(), self.fetched().summary) {
            (Answer::Failure { code, .. }, Answer::Ignored) => code,
            (Answer::Success(_), Answer::Failure { code, .. }) => code,
            answers => panic!("{query}: {answers:?}"),
        };
        self.reset();
        code
    }

    /// A RESET and its answer.
    pub fn reset(&mut self) {
        self.ask(SendBuffer::ask_reset).go();
        assert!(self.answer().is_success());
    }

    /// A FAILURE with this code, and then the end of the connection.
    pub fn is_thrown_out(&mut self, code: &str) {
        assert_eq!(self.answer().code(), code);
        assert_eq!(self.next(), None);
    }
}
