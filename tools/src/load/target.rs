//! What is measured, and how a connection to it is opened.
//!
//! `bolt://host:port` (any Bolt server), `redis://host:port/graph` (FalkorDB), `resp://host:port` (any Redis by its own
//! commands) and `echo://host:port` (an echo server). Opening and preparing happen with blocking calls, before anything is measured.

use super::wire::{BoltWire, EchoWire, Reply, RespWire, Wire, write_command};
use crate::bolt::{Client, ClientError, ConnectOptions, Credentials, Endpoint};
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::str::FromStr;
use std::time::Duration;

/// A server under load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    Bolt(Endpoint),
    /// FalkorDB's graph of this name; without one, any Redis and its own commands.
    Redis {
        endpoint: Endpoint,
        graph: Option<String>,
    },
    Echo(Endpoint),
}

/// What opening a connection needs besides the place.
#[derive(Clone, Debug, Default)]
pub struct OpenOptions {
    pub database: Option<String>,
    /// Size of echo requests; `None`: that of the workload's Bolt requests.
    pub echo_bytes: Option<usize>,
}

/// Why a connection could not be opened or a set-up statement failed.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    #[error(transparent)]
    Bolt(#[from] ClientError),
    #[error("cannot connect to {address}: {source}")]
    Connect { address: String, source: io::Error },
    #[error("{0}")]
    Setup(String),
}

const REDIS_PORT: &str = "6379";
/// Limit of opening a connection and of each set-up statement's silence.
const TIMEOUT: Duration = Duration::from_secs(60);

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (scheme, rest) = text.split_once("://").unwrap_or(("bolt", text));
        let endpoint = |rest: &str| -> Result<Endpoint, String> {
            rest.parse().map_err(|error| format!("{error}"))
        };
        match scheme {
            "redis" | "falkor" | "falkordb" | "resp" => {
                let (place, graph) = rest.split_once('/').unwrap_or((rest, ""));
                let has_port = place
                    .rsplit_once(':')
                    .is_some_and(|(_, port)| port.parse::<u16>().is_ok());
                let place = if has_port {
                    place.to_owned()
                } else {
                    format!("{place}:{REDIS_PORT}")
                };
                Ok(Target::Redis {
                    endpoint: endpoint(&place)?,
                    graph: match (scheme, graph) {
                        ("resp", "") => None,
                        ("resp", _) => return Err("resp:// has no graph".to_owned()),
                        (_, "") => Some("g".to_owned()),
                        (_, graph) => Some(graph.to_owned()),
                    },
                })
            }
            "echo" => Ok(Target::Echo(endpoint(rest)?)),
            _ => Ok(Target::Bolt(endpoint(text)?)),
        }
    }
}

impl Target {
    /// Gives the target credentials, unless its address carried some.
    pub fn with_credentials(mut self, credentials: Option<Credentials>) -> Self {
        let (Target::Bolt(endpoint) | Target::Redis { endpoint, .. } | Target::Echo(endpoint)) =
            &mut self;
        if endpoint.credentials.is_none() {
            endpoint.credentials = credentials;
        }
        self
    }

    /// Opens one connection, through its login.
    pub fn open(&self, options: &OpenOptions) -> Result<(TcpStream, Wire), TargetError> {
        match self {
            Target::Bolt(endpoint) => {
                let client = bolt_client(endpoint, options)?;
                let wire = BoltWire::new(client.format(), options.database.clone());
                Ok((client.into_stream(), Wire::Bolt(wire)))
            }
            Target::Redis { endpoint, graph } => {
                let mut stream = dial(endpoint)?;
                if let Some(Credentials { user, password }) = &endpoint.credentials {
                    let words: &[&str] = match user.as_str() {
                        "" => &["AUTH", password],
                        user => &["AUTH", user, password],
                    };
                    redis_command(&mut stream, words)?;
                }
                Ok((stream, Wire::Resp(RespWire::new(graph.clone()))))
            }
            Target::Echo(endpoint) => Ok((
                dial(endpoint)?,
                Wire::Echo(EchoWire::new(options.echo_bytes)),
            )),
        }
    }

    /// Runs statements one after the other; the first that fails ends it.
    pub fn set_up(&self, statements: &[String], options: &OpenOptions) -> Result<(), TargetError> {
        if statements.is_empty() {
            return Ok(());
        }
        let failed = |statement: &str, error: &dyn std::fmt::Display| {
            TargetError::Setup(format!("set-up statement '{statement}' failed: {error}"))
        };
        match self {
            Target::Bolt(endpoint) => {
                let mut client = bolt_client(endpoint, options)?;
                for statement in statements {
                    client
                        .run(statement, &[])
                        .map_err(|error| failed(statement, &error))?;
                }
                client.close();
                Ok(())
            }
            Target::Redis { graph, .. } => {
                let (mut stream, _) = self.open(options)?;
                for statement in statements {
                    let done = match graph {
                        Some(graph) => {
                            redis_command(&mut stream, &["GRAPH.QUERY", graph, statement])
                        }
                        None => {
                            let words: Vec<&str> = statement.split_whitespace().collect();
                            redis_command(&mut stream, &words)
                        }
                    };
                    done.map_err(|error| failed(statement, &error))?;
                }
                Ok(())
            }
            Target::Echo(_) => Ok(()),
        }
    }
}

fn bolt_client(endpoint: &Endpoint, options: &OpenOptions) -> Result<Client, ClientError> {
    let mut client = Client::connect(&ConnectOptions {
        timeout: TIMEOUT,
        ..ConnectOptions::new(endpoint.clone(), "load")
    })?;
    client.set_database(options.database.clone());
    Ok(client)
}

fn dial(endpoint: &Endpoint) -> Result<TcpStream, TargetError> {
    let connect = || -> io::Result<TcpStream> {
        let stream = TcpStream::connect((endpoint.host.as_str(), endpoint.port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        Ok(stream)
    };
    connect().map_err(|source| TargetError::Connect {
        address: endpoint.address(),
        source,
    })
}

/// Sends one command and waits for its reply.
fn redis_command(stream: &mut TcpStream, words: &[&str]) -> Result<(), TargetError> {
    let mut out = Vec::new();
    write_command(&mut out, words);
    let mut wire = RespWire::new(None);
    wire.expect_reply();
    let lost = |error: &dyn std::fmt::Display| TargetError::Setup(format!("no reply: {error}"));
    stream.write_all(&out).map_err(|error| lost(&error))?;
    let mut input = [0; 4096];
    let mut replies = Vec::new();
    while replies.is_empty() {
        let read = stream.read(&mut input).map_err(|error| lost(&error))?;
        if read == 0 {
            return Err(lost(&"the server closed the connection"));
        }
        wire.receive(&input[..read], &mut replies)
            .map_err(|error| lost(&error))?;
    }
    match replies.remove(0) {
        Reply::Done { .. } => Ok(()),
        Reply::Failed { code } => Err(TargetError::Setup(code)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_told_apart_by_their_scheme() {
        let parse = |text: &str| text.parse::<Target>();
        assert_eq!(parse("db:1"), Ok(Target::Bolt(Endpoint::new("db", 1))));
        assert_eq!(
            parse("neo4j://db"),
            Ok(Target::Bolt(Endpoint::new("db", 7687)))
        );
        assert_eq!(
            parse("redis://db/social"),
            Ok(Target::Redis {
                endpoint: Endpoint::new("db", 6379),
                graph: Some("social".into())
            })
        );
        assert_eq!(
            parse("falkor://db:7"),
            Ok(Target::Redis {
                endpoint: Endpoint::new("db", 7),
                graph: Some("g".into())
            })
        );
        assert_eq!(
            parse("echo://127.0.0.1:9"),
            Ok(Target::Echo(Endpoint::new("127.0.0.1", 9)))
        );
        assert_eq!(
            parse("resp://db:7"),
            Ok(Target::Redis {
                endpoint: Endpoint::new("db", 7),
                graph: None
            })
        );
        assert!(parse("resp://db:7/g").is_err());
        assert!(parse("http://db").is_err());
        assert!(parse("echo://").is_err());
    }
}
