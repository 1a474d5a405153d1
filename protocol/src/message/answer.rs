//! The server's answers, except summaries ([`super::summary`]) and failures ([`super::failure`]).
//!
//! Methods on [`SendBuffer`]: each writes one whole message (a record is the exception, its values are
//! the caller's to write). Keys that the connection's version does not know are left out here, so callers
//! say what is true and do not look at versions. Absent means omitted: null is never sent in metadata,
//! since the Go driver refuses it.

use super::notification::{self, Notification, NotificationFilter};
use super::tag;
use crate::packstream::{MapWriter, Packer};
use crate::send::{MessageWriter, SendBuffer};
use crate::version::WireFormat;

/// What the answer to HELLO says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HelloAnswer<'a> {
    /// The server's name and version; drivers insist that it begins with `Neo4j/` and a number.
    pub server: &'a str,
    /// Unique name of this connection.
    pub connection_id: &'a str,
    /// What the driver may rely on (4.3).
    pub hints: Hints,
    /// The `utc` patch was offered and is accepted (4.3, 4.4).
    pub utc_patch: bool,
    /// The version was agreed by manifest, and is repeated (5.7).
    pub manifest: bool,
}

/// Hints of HELLO's answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hints {
    /// While a request is pending a byte comes at least this often, in seconds. Sent only to versions that
    /// may get the NOOPs which keep this promise.
    pub recv_timeout_s: Option<u32>,
    /// The driver may send TELEMETRY (5.4).
    pub telemetry: bool,
    /// The driver may guess the home database (5.8); set only if every member forwards writes.
    pub server_side_routing: bool,
}

/// What the answer to RUN says.
#[derive(Clone, Copy, Debug)]
pub struct RunAnswer<'a> {
    /// The columns.
    pub fields: &'a EncodedFields,
    /// Milliseconds until the first row was available.
    pub t_first_ms: u64,
    /// The stream's id within its transaction.
    pub qid: Option<u64>,
    /// The home database, in auto-commit when the client named none (5.8).
    pub database: Option<&'a str>,
}

/// Column names as they go out, encoded once per statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncodedFields {
    bytes: Box<[u8]>,
    columns: usize,
}

impl EncodedFields {
    /// Encodes column names.
    pub fn new<'n>(names: impl IntoIterator<Item = &'n str>) -> Self {
        let mut bytes = Vec::new();
        let mut columns = 0;
        // Strings and lists look the same in all versions.
        let any = WireFormat::new(crate::Version::V4_0);
        Packer::new(&mut bytes, any).list(|list| {
            for name in names {
                list.string(name);
                columns += 1;
            }
        });
        Self {
            bytes: bytes.into(),
            columns,
        }
    }

    /// How many columns: every record has as many values.
    pub fn columns(&self) -> usize {
        self.columns
    }
}

impl SendBuffer {
    /// Writes SUCCESS with metadata written by `metadata`.
    pub fn success(&mut self, metadata: impl FnOnce(&mut MapWriter<'_>)) {
        let mut message = self.message(tag::SUCCESS, 1);
        message.map(metadata);
        message.finish();
    }

    /// Writes SUCCESS without metadata: RESET, LOGOFF, TELEMETRY, ROLLBACK.
    pub fn plain_success(&mut self) {
        self.success(|_| {});
    }

    /// Writes the answer to HELLO.
    pub fn hello_success(&mut self, answer: &HelloAnswer<'_>) {
        self.success(|map| {
            let version = map.format().version();
            map.string("server", answer.server);
            map.string("connection_id", answer.connection_id);
            if version.has_hints() {
                let hints = &answer.hints;
                map.key("hints").map(|map| {
                    if let Some(seconds) = hints.recv_timeout_s
                        && version.server_may_send_noop()
                    {
                        map.int("connection.recv_timeout_seconds", i64::from(seconds));
                    }
                    if hints.telemetry && version.has_telemetry() {
                        map.bool("telemetry.enabled", true);
                    }
                    if hints.server_side_routing && version.has_home_database() {
                        map.bool("ssr.enabled", true);
                    }
                });
            }
            if answer.utc_patch && version.has_utc_patch() {
                map.strings("patch_bolt", ["utc"]);
            }
            if answer.manifest && version.reports_protocol_version() {
                let (major, minor) = (version.major(), version.minor());
                // Two digits and a dot; versions never had more.
                let text = [b'0' + major, b'.', b'0' + minor];
                map.string(
                    "protocol_version",
                    std::str::from_utf8(&text).expect("digits and a dot"),
                );
            }
        });
    }

    /// Writes the answer to LOGON.
    pub fn logon_success(&mut self, advertised_address: Option<&str>) {
        self.success(|map| {
            if let Some(address) = advertised_address
                && map.format().version().has_home_database()
            {
                map.string("advertised_address", address);
            }
        });
    }

    /// Writes the answer to RUN.
    pub fn run_success(&mut self, answer: &RunAnswer<'_>) {
        self.success(|map| {
            map.key("fields").encoded(&answer.fields.bytes);
            map.int("t_first", saturated(answer.t_first_ms));
            if let Some(qid) = answer.qid {
                map.int("qid", saturated(qid));
            }
            home_database(map, answer.database);
        });
    }

    /// Writes the answer to BEGIN; `database` is the home database if the client named none (5.8).
    pub fn begin_success(&mut self, database: Option<&str>) {
        self.success(|map| home_database(map, database));
    }

    /// Writes the answer to COMMIT. Notifications are Memgraph's: Neo4j has none here, and drivers pass them over; so is what `extra` adds.
    pub fn commit_success(
        &mut self,
        bookmark: Option<&str>,
        notifications: &[Notification<'_>],
        filter: NotificationFilter,
        extra: impl FnOnce(&mut MapWriter<'_>),
    ) {
        self.success(|map| {
            if let Some(bookmark) = bookmark {
                map.string("bookmark", bookmark);
            }
            notification::write_classic(map, notifications, filter);
            extra(map);
        });
    }

    /// Writes the answer to a PULL or DISCARD after which the stream has more rows.
    pub fn more_success(&mut self) {
        self.success(|map| map.bool("has_more", true));
    }

    /// Begins a record; as many values as the statement has columns must follow, then
    /// [`MessageWriter::finish`].
    pub fn record(&mut self, columns: usize) -> MessageWriter<'_> {
        let mut message = self.message(tag::RECORD, 1);
        message.list_header(columns);
        message
    }

    /// Writes IGNORED.
    pub fn ignored(&mut self) {
        self.message(tag::IGNORED, 0).finish();
    }
}

fn home_database(map: &mut MapWriter<'_>, database: Option<&str>) {
    if let Some(name) = database
        && map.format().version().has_home_database()
    {
        map.string("db", name);
    }
}

/// A count as the nearest integer that PackStream can carry.
pub(super) fn saturated(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
