//! Requests, decoded in place.
//!
//! A message is checked once ([`packstream::check`](crate::packstream::check)), then its fields become a
//! [`Request`] whose strings and parameters are slices of it. Three outcomes are told apart, because the
//! session treats them differently: bytes that cannot be trusted or a message that does not exist
//! ([`Violation`], the connection ends), a field with an impossible value ([`FieldError`], the request
//! fails and the connection lives), and a request. Unknown keys are ignored; null means absent.

use super::extra::{Auth, Hello, Route, StreamRequest, TelemetryApi, TransactionExtra};
use super::tag;
use crate::packstream::{self, DecodeError, DecodeErrorKind, Limits, Map, Tokens, Value};
use crate::version::Version;
use std::fmt;

/// What kind of request a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RequestKind {
    /// HELLO
    Hello,
    /// LOGON
    Logon,
    /// LOGOFF
    Logoff,
    /// TELEMETRY
    Telemetry,
    /// RUN
    Run,
    /// BEGIN
    Begin,
    /// PULL
    Pull,
    /// DISCARD
    Discard,
    /// COMMIT
    Commit,
    /// ROLLBACK
    Rollback,
    /// ROUTE
    Route,
    /// RESET
    Reset,
    /// GOODBYE
    Goodbye,
}

impl RequestKind {
    /// Every kind, in the order of the state table.
    pub const ALL: [Self; 13] = [
        Self::Hello,
        Self::Logon,
        Self::Logoff,
        Self::Telemetry,
        Self::Run,
        Self::Begin,
        Self::Pull,
        Self::Discard,
        Self::Commit,
        Self::Rollback,
        Self::Route,
        Self::Reset,
        Self::Goodbye,
    ];

    /// The message's name as the Bolt documentation writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hello => "HELLO",
            Self::Logon => "LOGON",
            Self::Logoff => "LOGOFF",
            Self::Telemetry => "TELEMETRY",
            Self::Run => "RUN",
            Self::Begin => "BEGIN",
            Self::Pull => "PULL",
            Self::Discard => "DISCARD",
            Self::Commit => "COMMIT",
            Self::Rollback => "ROLLBACK",
            Self::Route => "ROUTE",
            Self::Reset => "RESET",
            Self::Goodbye => "GOODBYE",
        }
    }

    /// The kind with this tag, if `version` has it.
    pub const fn from_tag(tag: u8, version: Version) -> Option<Self> {
        Some(match tag {
            tag::HELLO => Self::Hello,
            tag::LOGON if version.has_logon() => Self::Logon,
            tag::LOGOFF if version.has_logon() => Self::Logoff,
            tag::TELEMETRY if version.has_telemetry() => Self::Telemetry,
            tag::RUN => Self::Run,
            tag::BEGIN => Self::Begin,
            tag::PULL => Self::Pull,
            tag::DISCARD => Self::Discard,
            tag::COMMIT => Self::Commit,
            tag::ROLLBACK => Self::Rollback,
            tag::ROUTE if version.has_route() => Self::Route,
            tag::RESET => Self::Reset,
            tag::GOODBYE => Self::Goodbye,
            _ => return None,
        })
    }

    /// How many fields the message has.
    const fn arity(self) -> u8 {
        match self {
            Self::Hello
            | Self::Logon
            | Self::Telemetry
            | Self::Begin
            | Self::Pull
            | Self::Discard => 1,
            Self::Run | Self::Route => 3,
            Self::Logoff | Self::Commit | Self::Rollback | Self::Reset | Self::Goodbye => 0,
        }
    }
}

impl fmt::Display for RequestKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A request. Everything in it borrows the message.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Request<'a> {
    /// Who the client is, and before 5.1 its credentials.
    Hello(Hello<'a>),
    /// Credentials (5.1).
    Logon(Auth<'a>),
    /// Forget the user; another LOGON follows.
    Logoff,
    /// Which driver interface is in use (5.4).
    Telemetry(TelemetryApi),
    /// Run a query.
    Run(Run<'a>),
    /// Open an explicit transaction.
    Begin(TransactionExtra<'a>),
    /// Fetch rows of a stream.
    Pull(StreamRequest),
    /// Run a stream on without fetching its rows.
    Discard(StreamRequest),
    /// Commit the explicit transaction.
    Commit,
    /// Roll the explicit transaction back.
    Rollback,
    /// Ask for the routing table (4.3).
    Route(Route<'a>),
    /// Interrupt, roll back, start clean.
    Reset,
    /// The client is leaving; no answer.
    Goodbye,
}

/// A query to run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Run<'a> {
    /// The query's text as sent.
    pub query: &'a str,
    /// Its parameters by name.
    pub parameters: Map<'a>,
    /// Options of the transaction that RUN opens; to be ignored inside an explicit one.
    pub extra: TransactionExtra<'a>,
}

/// A message that breaks the protocol; the connection ends after the FAILURE.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// The bytes are not well-formed PackStream (`Request.InvalidFormat`).
    #[error("malformed message: {0}")]
    Malformed(#[from] DecodeError),
    /// This version has no message with this tag (`Request.Invalid`).
    #[error("unknown message {tag:02X}")]
    UnknownMessage {
        /// The structure's tag.
        tag: u8,
    },
    /// The wrong number of fields (`Request.Invalid`).
    #[error("{request} with {fields} fields instead of {expected}")]
    Arity {
        /// The message.
        request: RequestKind,
        /// How many fields came.
        fields: u8,
        /// How many it has.
        expected: u8,
    },
    /// A field of the wrong type, so that the message cannot be what it says (`Request.Invalid`).
    #[error("{request}: {field} must be {expected}, not {found}")]
    FieldType {
        /// The message.
        request: RequestKind,
        /// The field's name in the Bolt documentation.
        field: &'static str,
        /// The type it must have.
        expected: &'static str,
        /// The type that came.
        found: &'static str,
    },
}

/// A well-formed request with a value that its field cannot take. The request fails
/// (`Request.Invalid`); the connection lives, unless the peer has not logged in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{request}: {field} must be {expected}")]
pub struct FieldError {
    /// The request, for the state machine: where it would be ignored the error does not count.
    pub request: RequestKind,
    /// The field or key. The value is not kept, since it may be a secret.
    pub field: &'static str,
    /// What may stand there.
    pub expected: &'static str,
}

/// Why a message is not a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// The connection ends.
    #[error(transparent)]
    Violation(#[from] Violation),
    /// The request fails.
    #[error(transparent)]
    Field(#[from] FieldError),
}

impl<'a> Request<'a> {
    /// Decodes one message. Nothing is allocated unless values nest deeper than sixteen.
    pub fn decode(
        message: &'a [u8],
        version: Version,
        limits: &Limits,
    ) -> Result<Self, RequestError> {
        let (kind, mut fields) = open(message, version, limits)?;
        let mut next = || Value::read_whole(&mut fields);
        Ok(match kind {
            RequestKind::Hello => Self::Hello(Hello::read(map(kind, "extra", next())?, version)?),
            RequestKind::Logon => Self::Logon(Auth::read(kind, map(kind, "auth", next())?)?),
            RequestKind::Logoff => Self::Logoff,
            RequestKind::Telemetry => Self::Telemetry(TelemetryApi::read(next())?),
            RequestKind::Run => {
                let query = match next() {
                    Value::String(query) => query,
                    other => return Err(wrong_type(kind, "query", "a string", other)),
                };
                let parameters = map(kind, "parameters", next())?;
                let extra = map(kind, "extra", next())?;
                Self::Run(Run {
                    query,
                    parameters,
                    extra: TransactionExtra::read(kind, extra, version)?,
                })
            }
            RequestKind::Begin => Self::Begin(TransactionExtra::read(
                kind,
                map(kind, "extra", next())?,
                version,
            )?),
            RequestKind::Pull => {
                Self::Pull(StreamRequest::read(kind, map(kind, "extra", next())?)?)
            }
            RequestKind::Discard => {
                Self::Discard(StreamRequest::read(kind, map(kind, "extra", next())?)?)
            }
            RequestKind::Commit => Self::Commit,
            RequestKind::Rollback => Self::Rollback,
            RequestKind::Route => {
                let routing = map(kind, "routing", next())?;
                let bookmarks = match next() {
                    Value::List(bookmarks) => bookmarks,
                    other => return Err(wrong_type(kind, "bookmarks", "a list", other)),
                };
                Self::Route(Route::read(routing, bookmarks, next(), version)?)
            }
            RequestKind::Reset => Self::Reset,
            RequestKind::Goodbye => Self::Goodbye,
        })
    }

    /// What kind of request this is.
    pub fn kind(&self) -> RequestKind {
        match self {
            Self::Hello(_) => RequestKind::Hello,
            Self::Logon(_) => RequestKind::Logon,
            Self::Logoff => RequestKind::Logoff,
            Self::Telemetry(_) => RequestKind::Telemetry,
            Self::Run(_) => RequestKind::Run,
            Self::Begin(_) => RequestKind::Begin,
            Self::Pull(_) => RequestKind::Pull,
            Self::Discard(_) => RequestKind::Discard,
            Self::Commit => RequestKind::Commit,
            Self::Rollback => RequestKind::Rollback,
            Self::Route(_) => RequestKind::Route,
            Self::Reset => RequestKind::Reset,
            Self::Goodbye => RequestKind::Goodbye,
        }
    }
}

/// Checks a message and tells its kind from its tag and number of fields.
fn open<'a>(
    message: &'a [u8],
    version: Version,
    limits: &Limits,
) -> Result<(RequestKind, Tokens<'a>), Violation> {
    let (tag, fields, body) = open_structure(message, &limits.with_uuid(version.has_uuid()))?;
    let request = RequestKind::from_tag(tag, version).ok_or(Violation::UnknownMessage { tag })?;
    if fields != request.arity() {
        return Err(Violation::Arity {
            request,
            fields,
            expected: request.arity(),
        });
    }
    Ok((request, body))
}

/// Checks that a message is one well-formed structure; gives its tag, number of fields, and fields.
pub(super) fn open_structure<'a>(
    message: &'a [u8],
    limits: &Limits,
) -> Result<(u8, u8, Tokens<'a>), DecodeError> {
    // Say what is most wrong: a message that is no structure at all is not a truncated one.
    if let Some(&first @ (0x00..=0xAF | 0xC0..=0xFF)) = message.first() {
        return Err(DecodeError {
            offset: 0,
            kind: DecodeErrorKind::NotAStructure(first),
        });
    }
    packstream::check(message, limits)?;
    let fields = message[0] & 0x0F;
    let body = Tokens::of_checked(&message[2..], u64::from(fields));
    Ok((message[1], fields, body))
}

fn map<'a>(
    request: RequestKind,
    field: &'static str,
    value: Value<'a>,
) -> Result<Map<'a>, RequestError> {
    match value {
        Value::Map(map) => Ok(map),
        other => Err(wrong_type(request, field, "a map", other)),
    }
}

fn wrong_type(
    request: RequestKind,
    field: &'static str,
    expected: &'static str,
    found: Value<'_>,
) -> RequestError {
    RequestError::Violation(Violation::FieldType {
        request,
        field,
        expected,
        found: found.type_name(),
    })
}
