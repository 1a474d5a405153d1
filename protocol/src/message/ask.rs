//! The client's requests, for the console, the load tool and tests.
//!
//! Methods on [`SendBuffer`]; each writes one whole message. As with answers, what a version does not
//! have is left out here.

use super::extra::{AccessMode, Rows, StreamRequest, TelemetryApi};
use super::notification::{Category, NotificationFilter};
use super::tag;
use crate::packstream::MapWriter;
use crate::send::SendBuffer;
use std::fmt;

/// What a client says of itself in HELLO.
#[derive(Clone, Copy, Debug)]
pub struct ClientHello<'a> {
    /// Name and version, `quoit-console/0.1`.
    pub user_agent: &'a str,
    /// Ask for routing, having dialled this `host:port`.
    pub routing_address: Option<&'a str>,
    /// Credentials; they are sent here before 5.1 and otherwise in LOGON.
    pub login: Login<'a>,
    /// What notifications are wanted (5.2).
    pub notifications: NotificationFilter,
}

/// How a client logs in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Login<'a> {
    /// Without credentials.
    None,
    /// With a name and a password.
    Basic {
        /// User name.
        principal: &'a str,
        /// Password.
        password: &'a str,
    },
    /// With a token.
    Bearer {
        /// The token.
        token: &'a str,
    },
}

/// Shows no secret.
impl fmt::Debug for Login<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("None"),
            Self::Basic { principal, .. } => f
                .debug_struct("Basic")
                .field("principal", principal)
                .finish_non_exhaustive(),
            Self::Bearer { .. } => f.write_str("Bearer"),
        }
    }
}

impl Login<'_> {
    fn write(&self, map: &mut MapWriter<'_>) {
        match *self {
            Self::None => map.string("scheme", "none"),
            Self::Basic {
                principal,
                password,
            } => {
                map.string("scheme", "basic");
                map.string("principal", principal);
                map.string("credentials", password);
            }
            Self::Bearer { token } => {
                map.string("scheme", "bearer");
                map.string("credentials", token);
            }
        }
    }
}

/// Options for BEGIN, or for RUN outside of a transaction. Absent is the server's default.
#[derive(Clone, Copy, Debug, Default)]
pub struct TransactionOptions<'a> {
    /// Start no earlier than these.
    pub bookmarks: &'a [&'a str],
    /// Time limit in milliseconds; 0: none.
    pub timeout_ms: Option<u64>,
    /// Whether it may write.
    pub mode: AccessMode,
    /// The database.
    pub database: Option<&'a str>,
}

impl TransactionOptions<'_> {
    fn write(&self, map: &mut MapWriter<'_>) {
        if !self.bookmarks.is_empty() {
            map.strings("bookmarks", self.bookmarks.iter().copied());
        }
        if let Some(timeout_ms) = self.timeout_ms {
            map.int("tx_timeout", super::answer::saturated(timeout_ms));
        }
        if self.mode == AccessMode::Read {
            map.string("mode", "r");
        }
        if let Some(database) = self.database {
            map.string("db", database);
        }
    }
}

impl SendBuffer {
    /// Writes HELLO and, from 5.1 on, LOGON behind it. Answers: one SUCCESS before 5.1, else two.
    pub fn ask_hello(&mut self, hello: &ClientHello<'_>) {
        let version = self.format().version();
        let mut message = self.message(tag::HELLO, 1);
        message.map(|map| {
            map.string("user_agent", hello.user_agent);
            if !version.has_logon() {
                hello.login.write(map);
            }
            if let Some(address) = hello.routing_address
                && version.has_routing_context()
            {
                map.key("routing").map(|map| map.string("address", address));
            }
            if version.has_utc_patch() {
                map.strings("patch_bolt", ["utc"]);
            }
            if version.has_bolt_agent() {
                map.key("bolt_agent")
                    .map(|map| map.string("product", hello.user_agent));
            }
            if version.has_notification_filters() {
                write_filter(map, hello.notifications);
            }
        });
        message.finish();
        if version.has_logon() {
            self.ask_logon(&hello.login);
        }
    }

    /// Writes LOGON (5.1).
    pub fn ask_logon(&mut self, login: &Login<'_>) {
        let mut message = self.message(tag::LOGON, 1);
        message.map(|map| login.write(map));
        message.finish();
    }

    /// Writes RUN; `parameters` writes the query's parameters by name.
    pub fn ask_run(
        &mut self,
        query: &str,
        parameters: impl FnOnce(&mut MapWriter<'_>),
        options: &TransactionOptions<'_>,
    ) {
        let mut message = self.message(tag::RUN, 3);
        message.string(query);
        message.map(parameters);
        message.map(|map| options.write(map));
        message.finish();
    }

    /// Writes BEGIN.
    pub fn ask_begin(&mut self, options: &TransactionOptions<'_>) {
        let mut message = self.message(tag::BEGIN, 1);
        message.map(|map| options.write(map));
        message.finish();
    }

    /// Writes PULL.
    pub fn ask_pull(&mut self, request: StreamRequest) {
        self.ask_rows(tag::PULL, request);
    }

    /// Writes DISCARD.
    pub fn ask_discard(&mut self, request: StreamRequest) {
        self.ask_rows(tag::DISCARD, request);
    }

    fn ask_rows(&mut self, tag: u8, request: StreamRequest) {
        let mut message = self.message(tag, 1);
        message.map(|map| {
            map.int(
                "n",
                match request.rows {
                    Rows::All => -1,
                    Rows::AtMost(rows) => super::answer::saturated(rows),
                },
            );
            if let Some(qid) = request.qid {
                map.int("qid", super::answer::saturated(qid));
            }
        });
        message.finish();
    }

    /// Writes COMMIT.
    pub fn ask_commit(&mut self) {
        self.message(tag::COMMIT, 0).finish();
    }

    /// Writes ROLLBACK.
    pub fn ask_rollback(&mut self) {
        self.message(tag::ROLLBACK, 0).finish();
    }

    /// Writes RESET.
    pub fn ask_reset(&mut self) {
        self.message(tag::RESET, 0).finish();
    }

    /// Writes GOODBYE; no answer comes.
    pub fn ask_goodbye(&mut self) {
        self.message(tag::GOODBYE, 0).finish();
    }

    /// Writes LOGOFF (5.1).
    pub fn ask_logoff(&mut self) {
        self.message(tag::LOGOFF, 0).finish();
    }

    /// Writes TELEMETRY (5.4).
    pub fn ask_telemetry(&mut self, api: TelemetryApi) {
        let mut message = self.message(tag::TELEMETRY, 1);
        message.int(match api {
            TelemetryApi::ManagedTransaction => 0,
            TelemetryApi::ExplicitTransaction => 1,
            TelemetryApi::AutoCommit => 2,
            TelemetryApi::ExecuteQuery => 3,
        });
        message.finish();
    }

    /// Writes ROUTE (4.3), having dialled `address`.
    pub fn ask_route(&mut self, address: &str, bookmarks: &[&str], database: Option<&str>) {
        let has_extra = self.format().version().route_has_extra();
        let mut message = self.message(tag::ROUTE, 3);
        message.map(|map| map.string("address", address));
        message.list_header(bookmarks.len());
        for bookmark in bookmarks {
            message.string(bookmark);
        }
        match database {
            _ if has_extra => message.map(|map| {
                if let Some(database) = database {
                    map.string("db", database);
                }
            }),
            Some(database) => message.string(database),
            None => message.null(),
        }
        message.finish();
    }
}

fn write_filter(map: &mut MapWriter<'_>, filter: NotificationFilter) {
    if let Some(minimum) = filter.minimum {
        map.string("notifications_minimum_severity", minimum.name());
    }
    if let Some(disabled) = filter.disabled {
        let key = if map.format().version().names_classifications() {
            "notifications_disabled_classifications"
        } else {
            "notifications_disabled_categories"
        };
        map.strings(
            key,
            Category::ALL
                .into_iter()
                .filter(|category| disabled.contains(*category))
                .map(Category::name),
        );
    }
}
