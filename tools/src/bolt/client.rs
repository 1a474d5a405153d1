//! One connection to a Bolt server, used by one thread.
//!
//! Called by the console, the cluster tool, and (up to the login) the load tool. What always holds:
//! between two calls nothing is in flight; after a failed query RESET has been answered, so the next
//! call finds a ready session (an explicit transaction is gone then). An interrupt flag, once set,
//! cancels the query that is running by RESET and leaves the connection usable. A server that answers
//! nonsense costs the connection, never the process.

use super::encode;
use super::endpoint::{Encryption, Endpoint};
use super::value::{Map, Value, lookup, map_from_wire};
use quoit_protocol::chunk::{Dechunker, MESSAGE_LEN_AFTER_LOGIN};
use quoit_protocol::handshake::{ClientHandshake, ClientHandshakeError, Proposal};
use quoit_protocol::message::ask::{ClientHello, Login, TransactionOptions};
use quoit_protocol::message::notification::NotificationFilter;
use quoit_protocol::message::{Response, Rows as PullRows, StreamRequest};
use quoit_protocol::{SendBuffer, Version, WireFormat};
use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How to open a connection.
#[derive(Clone, Debug)]
pub struct ConnectOptions {
    pub endpoint: Endpoint,
    /// What is said in HELLO, `quoit-console/0.1.0`.
    pub user_agent: String,
    /// Limit of connecting, handshake and login together.
    pub timeout: Duration,
    /// Versions to propose.
    pub proposal: Proposal,
}

impl ConnectOptions {
    /// The newest version, ten seconds.
    pub fn new(endpoint: Endpoint, tool: &str) -> Self {
        ConnectOptions {
            endpoint,
            user_agent: format!("quoit-{tool}/{}", env!("CARGO_PKG_VERSION")),
            timeout: Duration::from_secs(10),
            proposal: Proposal::Newest,
        }
    }
}

/// What went wrong on a connection.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("cannot connect to {address}: {source}")]
    Connect { address: String, source: io::Error },
    #[error("{address} does not speak Bolt as we do: {source}")]
    Handshake {
        address: String,
        source: ClientHandshakeError,
    },
    #[error("encrypted connections are not supported by this client")]
    Encryption,
    /// The server refused the login.
    #[error("{message}")]
    Login { code: String, message: String },
    /// A query failed; the session is ready again.
    #[error("{message}")]
    Query { code: String, message: String },
    /// The query was cancelled by the interrupt flag; the session is ready again.
    #[error("the query was cancelled")]
    Interrupted,
    #[error(transparent)]
    Parameter(#[from] encode::NotAParameter),
    /// The connection is lost; nobody knows whether what was in flight was done.
    #[error("{0}")]
    Lost(String),
}

impl ClientError {
    /// Whether the connection can be used no longer.
    pub fn is_fatal(&self) -> bool {
        !matches!(
            self,
            ClientError::Query { .. } | ClientError::Interrupted | ClientError::Parameter(_)
        )
    }

    fn lost(error: impl std::fmt::Display) -> Self {
        ClientError::Lost(error.to_string())
    }
}

/// The answer to one statement, all rows of it.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// Names of the columns.
    pub fields: Vec<String>,
    pub rows: Vec<Vec<Value>>,
    pub summary: Summary,
    /// From sending RUN and PULL, which go out together, to the end of the answer.
    pub round_trip: Duration,
}

/// What follows the rows.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    pub metadata: Map,
    pub notifications: Vec<Notification>,
}

impl Summary {
    /// A counter of `stats`, 0 if it is not there.
    pub fn counter(&self, name: &str) -> i64 {
        lookup(&self.metadata, "stats")
            .and_then(|stats| stats.get(name))
            .and_then(Value::as_int)
            .unwrap_or(0)
    }
}

/// What a server wants to say beside its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    /// `WARNING` or `INFO`.
    pub severity: String,
    pub code: String,
    pub title: String,
    pub description: String,
}

/// Takes rows as they arrive.
pub trait Rows {
    /// Called once, before any row.
    fn fields(&mut self, fields: &[String]);
    fn row(&mut self, row: Vec<Value>);
}

/// A summary message, or a row.
enum Message {
    Success(Map),
    Record(Vec<Value>),
    Ignored,
    Failure { code: String, message: String },
}

/// An open, logged in connection.
pub struct Client {
    stream: TcpStream,
    send: SendBuffer,
    dechunker: Dechunker,
    /// Received bytes; those in `taken..filled` have not been looked at.
    input: Vec<u8>,
    taken: usize,
    filled: usize,
    /// Requests sent whose summary has not come.
    pending: usize,
    in_transaction: bool,
    server: String,
    address: String,
    interrupt: Arc<AtomicBool>,
    /// The database that RUN and BEGIN name, if any.
    database: Option<String>,
}

/// How often a waiting client looks at its interrupt flag.
const INTERRUPT_POLL: Duration = Duration::from_millis(50);
/// How long a cancelled query may take to stop before the connection is given up.
const RESET_TIMEOUT: Duration = Duration::from_secs(10);
const INPUT_BYTES: usize = 64 << 10;

impl Client {
    /// Connects, agrees on a version and logs in.
    pub fn connect(options: &ConnectOptions) -> Result<Client, ClientError> {
        let endpoint = &options.endpoint;
        if endpoint.encryption != Encryption::Plain {
            return Err(ClientError::Encryption);
        }
        let deadline = Instant::now() + options.timeout;
        let address = endpoint.address();
        let mut stream =
            dial(endpoint, options.timeout).map_err(|source| ClientError::Connect {
                address: address.clone(),
                source,
            })?;
        let version = handshake(&mut stream, options.proposal, deadline, &address)?;

        let mut client = Client {
            stream,
            send: SendBuffer::new(WireFormat::new(version)),
            dechunker: Dechunker::new(MESSAGE_LEN_AFTER_LOGIN),
            input: vec![0; INPUT_BYTES],
            taken: 0,
            filled: 0,
            pending: 0,
            in_transaction: false,
            server: String::new(),
            address,
            interrupt: Arc::default(),
            database: None,
        };
        client.login(options, deadline)?;
        client
            .stream
            .set_read_timeout(Some(INTERRUPT_POLL))
            .map_err(ClientError::lost)?;
        Ok(client)
    }

    fn login(&mut self, options: &ConnectOptions, deadline: Instant) -> Result<(), ClientError> {
        let login = match &options.endpoint.credentials {
            Some(credentials) => Login::Basic {
                principal: &credentials.user,
                password: &credentials.password,
            },
            None => Login::None,
        };
        self.send.ask_hello(&ClientHello {
            user_agent: &options.user_agent,
            routing_address: None,
            login,
            notifications: NotificationFilter::default(),
        });
        let version = self.version();
        self.pending = if version.has_logon() { 2 } else { 1 };
        self.flush()?;
        while self.pending > 0 {
            match self.receive(Some(deadline))? {
                Message::Success(metadata) => {
                    if let Some(server) = lookup(&metadata, "server").and_then(Value::as_str) {
                        self.server = server.to_owned();
                    }
                    let patches = lookup(&metadata, "patch_bolt").and_then(Value::as_list);
                    if patches.is_some_and(|list| list.contains(&Value::String("utc".into()))) {
                        self.send.set_format(self.send.format().with_utc_patch());
                    }
                }
                Message::Failure { code, message } => {
                    return Err(ClientError::Login { code, message });
                }
                Message::Record(_) | Message::Ignored => {
                    return Err(ClientError::Lost("the login got no answer".to_owned()));
                }
            }
        }
        Ok(())
    }

    /// The version agreed on.
    pub fn version(&self) -> Version {
        self.send.format().version()
    }

    /// How values are written on this connection.
    pub fn format(&self) -> WireFormat {
        self.send.format()
    }

    /// What the server calls itself.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// `host:port` that was dialled.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Whether BEGIN was sent and neither COMMIT nor ROLLBACK nor a failure came after it.
    pub fn in_transaction(&self) -> bool {
        self.in_transaction
    }

    /// The flag that cancels what runs. Setting it is all a signal handler has to do.
    pub fn set_interrupt(&mut self, flag: Arc<AtomicBool>) {
        self.interrupt = flag;
    }

    /// Names the database for the following statements; `None` is the server's default.
    pub fn set_database(&mut self, database: Option<String>) {
        self.database = database;
    }

    /// Gives the socket away, for a caller that goes on by itself. Nothing is in flight or buffered.
    pub fn into_stream(self) -> TcpStream {
        self.stream
    }

    /// Runs a statement and collects its answer.
    pub fn run(
        &mut self,
        text: &str,
        parameters: &[(String, Value)],
    ) -> Result<Answer, ClientError> {
        #[derive(Default)]
        struct Collect(Vec<String>, Vec<Vec<Value>>);
        impl Rows for Collect {
            fn fields(&mut self, fields: &[String]) {
                self.0 = fields.to_vec();
            }
            fn row(&mut self, row: Vec<Value>) {
                self.1.push(row);
            }
        }
        let mut collected = Collect::default();
        let (summary, round_trip) = self.run_into(text, parameters, &mut collected)?;
        Ok(Answer {
            fields: collected.0,
            rows: collected.1,
            summary,
            round_trip,
        })
    }

    /// Runs a statement and hands its rows over as they arrive. Gives the summary and the time from
    /// sending to the end.
    pub fn run_into(
        &mut self,
        text: &str,
        parameters: &[(String, Value)],
        rows: &mut dyn Rows,
    ) -> Result<(Summary, Duration), ClientError> {
        encode::check(parameters)?;
        let options = TransactionOptions {
            database: self.database.as_deref().filter(|_| !self.in_transaction),
            ..TransactionOptions::default()
        };
        self.send.ask_run(
            text,
            |map| encode::write_parameters(map, parameters),
            &options,
        );
        self.send.ask_pull(StreamRequest {
            rows: PullRows::All,
            qid: None,
        });
        self.pending += 2;
        let started = Instant::now();
        self.flush()?;

        let metadata = self.summary_of(None)?;
        let fields: Vec<String> = lookup(&metadata, "fields")
            .and_then(Value::as_list)
            .unwrap_or_default()
            .iter()
            .map(|field| field.as_str().unwrap_or_default().to_owned())
            .collect();
        rows.fields(&fields);
        let metadata = self.summary_of(Some(rows))?;
        let summary = Summary {
            notifications: notifications(&metadata),
            metadata,
        };
        Ok((summary, started.elapsed()))
    }

    /// Opens an explicit transaction.
    pub fn begin(&mut self) -> Result<(), ClientError> {
        let options = TransactionOptions {
            database: self.database.as_deref(),
            ..TransactionOptions::default()
        };
        self.send.ask_begin(&options);
        self.request()?;
        self.in_transaction = true;
        Ok(())
    }

    /// Commits the explicit transaction.
    pub fn commit(&mut self) -> Result<Summary, ClientError> {
        self.send.ask_commit();
        let metadata = self.request()?;
        self.in_transaction = false;
        Ok(Summary {
            notifications: notifications(&metadata),
            metadata,
        })
    }

    /// Rolls the explicit transaction back.
    pub fn rollback(&mut self) -> Result<(), ClientError> {
        self.send.ask_rollback();
        self.request()?;
        self.in_transaction = false;
        Ok(())
    }

    /// Brings the session back to its start: no transaction, no failure.
    pub fn reset(&mut self) -> Result<(), ClientError> {
        self.send.ask_reset();
        self.pending += 1;
        self.flush()?;
        self.in_transaction = false;
        let deadline = Instant::now() + RESET_TIMEOUT;
        let mut last = Message::Ignored;
        while self.pending > 0 {
            last = self.receive(Some(deadline))?;
        }
        match last {
            Message::Success(_) => Ok(()),
            _ => Err(ClientError::Lost("RESET was refused".to_owned())),
        }
    }

    /// The routing table (`rt`) of the server.
    pub fn route(&mut self) -> Result<Value, ClientError> {
        if !self.version().has_route() {
            return Err(ClientError::Query {
                code: String::new(),
                message: format!("Bolt {} has no ROUTE", self.version()),
            });
        }
        let address = self.address.clone();
        self.send.ask_route(&address, &[], self.database.as_deref());
        let metadata = self.request()?;
        lookup(&metadata, "rt")
            .cloned()
            .ok_or_else(|| ClientError::Lost("ROUTE was answered without a table".to_owned()))
    }

    /// Says goodbye; errors no longer matter.
    pub fn close(mut self) {
        self.send.ask_goodbye();
        let _ = self.flush();
    }

    /// Sends the one request that was written, and waits for its SUCCESS.
    fn request(&mut self) -> Result<Map, ClientError> {
        self.pending += 1;
        self.flush()?;
        self.summary_of(None)
    }

    /// The SUCCESS of the oldest pending request; rows before it go to `rows`. A failure or an
    /// interrupt is cleared by RESET before it is returned.
    fn summary_of(&mut self, mut rows: Option<&mut dyn Rows>) -> Result<Map, ClientError> {
        loop {
            match self.receive(None) {
                Ok(Message::Success(metadata)) => return Ok(metadata),
                Ok(Message::Record(row)) => {
                    if let Some(rows) = rows.as_deref_mut() {
                        rows.row(row);
                    }
                }
                Ok(Message::Failure { code, message }) => {
                    self.reset()?;
                    return Err(ClientError::Query { code, message });
                }
                Ok(Message::Ignored) => {
                    self.reset()?;
                    return Err(ClientError::Query {
                        code: String::new(),
                        message: "the server ignored the request".to_owned(),
                    });
                }
                Err(ClientError::Interrupted) => {
                    self.reset()?;
                    return Err(ClientError::Interrupted);
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn flush(&mut self) -> Result<(), ClientError> {
        let sent = self.stream.write_all(self.send.as_slice());
        self.send.clear();
        sent.map_err(ClientError::lost)
    }

    /// The next message. Without a deadline it waits as long as the server takes, and
    /// `Interrupted` is returned when the flag was set (which clears it).
    fn receive(&mut self, deadline: Option<Instant>) -> Result<Message, ClientError> {
        loop {
            let mut input = &mut self.input[self.taken..self.filled];
            let message = self
                .dechunker
                .next(&mut input)
                .map_err(ClientError::lost)?
                .map(decode)
                .transpose()?;
            self.taken = self.filled - input.len();
            if let Some(message) = message {
                if !matches!(message, Message::Record(_)) {
                    self.pending = self.pending.checked_sub(1).ok_or_else(|| {
                        ClientError::Lost("the server answered what was not asked".to_owned())
                    })?;
                }
                return Ok(message);
            }
            (self.taken, self.filled) = (0, 0);
            match self.stream.read(&mut self.input) {
                Ok(0) => {
                    return Err(ClientError::Lost(
                        "the server closed the connection".to_owned(),
                    ));
                }
                Ok(read) => self.filled = read,
                Err(error) if is_waiting(&error) => {}
                Err(error) => return Err(ClientError::lost(error)),
            }
            match deadline {
                Some(deadline) if self.filled == 0 && Instant::now() > deadline => {
                    return Err(ClientError::Lost("the server does not answer".to_owned()));
                }
                Some(_) => {}
                None if self.interrupt.swap(false, Ordering::Relaxed) => {
                    return Err(ClientError::Interrupted);
                }
                None => {}
            }
        }
    }
}

fn decode(message: &[u8]) -> Result<Message, ClientError> {
    Ok(
        match Response::decode(message).map_err(ClientError::lost)? {
            Response::Success(metadata) => Message::Success(map_from_wire(metadata)),
            Response::Record(row) => Message::Record(row.iter().map(Value::from_wire).collect()),
            Response::Ignored => Message::Ignored,
            Response::Failure { code, message, .. } => Message::Failure {
                code: code.to_owned(),
                message: message.to_owned(),
            },
        },
    )
}

fn is_waiting(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted
    )
}

fn dial(endpoint: &Endpoint, timeout: Duration) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in (endpoint.host.as_str(), endpoint.port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, timeout) {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                stream.set_read_timeout(Some(INTERRUPT_POLL))?;
                stream.set_write_timeout(Some(timeout))?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn handshake(
    stream: &mut TcpStream,
    proposal: Proposal,
    deadline: Instant,
    address: &str,
) -> Result<Version, ClientError> {
    let mut out = Vec::new();
    let mut handshake = ClientHandshake::new(proposal, &mut out);
    loop {
        stream.write_all(&out).map_err(ClientError::lost)?;
        out.clear();
        // One byte at a time: what follows the handshake belongs to the messages.
        let mut byte = [0];
        match stream.read(&mut byte) {
            Ok(0) => {
                return Err(ClientError::Connect {
                    address: address.to_owned(),
                    source: io::Error::new(
                        io::ErrorKind::ConnectionReset,
                        "the server closed the connection",
                    ),
                });
            }
            Ok(_) => {}
            Err(error) if is_waiting(&error) => {
                if Instant::now() > deadline {
                    return Err(ClientError::Connect {
                        address: address.to_owned(),
                        source: io::Error::new(io::ErrorKind::TimedOut, "no Bolt handshake came"),
                    });
                }
                continue;
            }
            Err(source) => {
                return Err(ClientError::Connect {
                    address: address.to_owned(),
                    source,
                });
            }
        }
        let agreed = handshake
            .advance(&mut &byte[..], &mut out)
            .map_err(|source| ClientError::Handshake {
                address: address.to_owned(),
                source,
            })?;
        if let Some(agreement) = agreed {
            stream.write_all(&out).map_err(ClientError::lost)?;
            return Ok(agreement.version);
        }
    }
}

/// Notifications of any version: `notifications` up to 5.4, `statuses` after.
fn notifications(metadata: &Map) -> Vec<Notification> {
    let list = |key| lookup(metadata, key).and_then(Value::as_list);
    let old = list("notifications").unwrap_or_default();
    let new = list("statuses").unwrap_or_default();
    old.iter()
        .chain(new)
        .filter_map(|item| {
            let text = |key: &str| item.get(key).and_then(Value::as_str);
            // A status without a code is the outcome itself, not a notification.
            let code = text("code").or_else(|| text("neo4j_code"))?;
            let severity = text("severity")
                .or_else(|| item.get("diagnostic_record")?.get("_severity")?.as_str())
                .unwrap_or("INFO");
            let description = text("description").or_else(|| text("status_description"));
            Some(Notification {
                severity: match severity.to_uppercase().as_str() {
                    "INFORMATION" => "INFO".to_owned(),
                    other => other.to_owned(),
                },
                code: code.to_owned(),
                title: text("title").or(description).unwrap_or(code).to_owned(),
                description: description.unwrap_or_default().to_owned(),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&str, Value)]) -> Map {
        pairs
            .iter()
            .map(|(key, value)| (key.to_string(), value.clone()))
            .collect()
    }

    fn text(text: &str) -> Value {
        Value::String(text.to_owned())
    }

    #[test]
    fn notifications_of_old_and_new_versions_read_the_same() {
        let old = map(&[
            ("severity", text("WARNING")),
            ("code", text("SyncReplicationFailure")),
            ("title", text("r1 did not confirm")),
            ("description", text("d")),
        ]);
        let new = map(&[
            ("gql_status", text("01N00")),
            ("neo4j_code", text("SyncReplicationFailure")),
            ("title", text("r1 did not confirm")),
            ("status_description", text("d")),
            (
                "diagnostic_record",
                Value::Map(map(&[("_severity", text("WARNING"))])),
            ),
        ]);
        let outcome = map(&[("gql_status", text("00000"))]);
        let expected = [Notification {
            severity: "WARNING".into(),
            code: "SyncReplicationFailure".into(),
            title: "r1 did not confirm".into(),
            description: "d".into(),
        }];
        let list = Value::List(vec![Value::Map(old)]);
        assert_eq!(notifications(&map(&[("notifications", list)])), expected);
        let list = Value::List(vec![Value::Map(outcome), Value::Map(new)]);
        assert_eq!(notifications(&map(&[("statuses", list)])), expected);
    }
}
