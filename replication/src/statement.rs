//! The replication statements as the server sees them: their words, rows, notifications and errors.
//!
//! Owns every text that a client reads about replication, so that a statement, a refusal and a warning are worded
//! in one place; the texts begin as Memgraph's do, and go on to say what to try. Called by `core` and by
//! the server, which turns an error into a Bolt FAILURE and a [`Notice`] into a notification.
//! Always: `Display` of an error is the text for the client. Parsing the statements is left to `cypher`.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::durability::Shortfall;
use crate::endpoint::EndpointError;
use crate::identity::Fingerprint;

/// What a node does with writes: a MAIN takes them, a REPLICA follows its MAIN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Takes writes and feeds replicas.
    Main,
    /// Follows a MAIN and serves reads.
    Replica,
}

impl Role {
    /// The value of the one row of `SHOW REPLICATION ROLE`, whose column is [`ROLE_COLUMN`].
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Main => "main",
            Role::Replica => "replica",
        }
    }
}

/// The column of `SHOW REPLICATION ROLE`.
pub const ROLE_COLUMN: &str = "replication role";

/// The columns of `SHOW REPLICAS`: Memgraph's from 2.15 on, then ours.
pub const REPLICAS_COLUMNS: [&str; 10] = [
    "name",
    "socket_address",
    "sync_mode",
    "system_info",
    "data_info",
    "timeout",
    "effective_mode",
    "lag_transactions",
    "lag_seconds",
    "detail",
];

/// What a commit's answer waits for, as configured by `REGISTER REPLICA`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Nothing.
    Async,
    /// The replica's disk; given up after `--replica-timeout` without progress, until it has caught up.
    Sync,
    /// The replica's disk, at most this long from submission; then async until it has caught up.
    SyncTimeout(Duration),
}

impl Mode {
    /// The value of `sync_mode`: a semi-synchronous replica is a `sync` one with a timeout, as in Memgraph.
    pub fn as_str(self) -> &'static str {
        match self {
            Mode::Async => "async",
            Mode::Sync | Mode::SyncTimeout(_) => "sync",
        }
    }

    /// The `WITH TIMEOUT` of the registration.
    pub fn timeout(self) -> Option<Duration> {
        match self {
            Mode::SyncTimeout(timeout) => Some(timeout),
            Mode::Async | Mode::Sync => None,
        }
    }
}

/// The mode words of the statement, before they are checked together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModeWord {
    /// `ASYNC`
    Async,
    /// `SYNC`
    Sync,
    /// `STRICT_SYNC`
    StrictSync,
}

/// The longest `WITH TIMEOUT`, in seconds; a longer wait is what SYNC is for.
pub const TIMEOUT_SECONDS_MAX: f64 = 3600.0;

/// The shortest `WITH TIMEOUT`, in seconds: the resolution of the core's timers.
pub const TIMEOUT_SECONDS_MIN: f64 = 0.001;

impl ModeWord {
    /// The mode of `REGISTER REPLICA n <word> [WITH TIMEOUT <seconds>]`.
    pub fn with_timeout(self, seconds: Option<f64>) -> Result<Mode, StatementError> {
        match (self, seconds) {
            (ModeWord::StrictSync, _) => Err(StatementError::StrictSyncUnavailable),
            (ModeWord::Async, Some(_)) => Err(StatementError::TimeoutOnAsync),
            (ModeWord::Async, None) => Ok(Mode::Async),
            (ModeWord::Sync, None) => Ok(Mode::Sync),
            (ModeWord::Sync, Some(s))
                if (TIMEOUT_SECONDS_MIN..=TIMEOUT_SECONDS_MAX).contains(&s) =>
            {
                Ok(Mode::SyncTimeout(Duration::from_secs_f64(s)))
            }
            (ModeWord::Sync, Some(s)) => Err(StatementError::TimeoutOutOfRange(s)),
        }
    }
}

/// `REGISTER REPLICA name mode TO "endpoint" [WITH FINGERPRINT "…"]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Registration {
    /// The replica's name, at most [`NAME_LEN_MAX`] bytes.
    pub name: String,
    /// The checked mode.
    pub mode: Mode,
    /// The text between the quotes, not yet parsed.
    pub endpoint: String,
    /// What the replica's certificate must hash to; without it a first contact trusts what answers.
    pub fingerprint: Option<Fingerprint>,
}

/// The longest name of a replica, in bytes.
pub const NAME_LEN_MAX: usize = 255;

/// The most replicas a MAIN registers.
pub const REPLICAS_MAX: usize = 64;

/// Why a statement about replication was refused. Nothing has changed when one is returned.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum StatementError {
    /// Inside BEGIN … COMMIT.
    #[error(
        "Managing replication is not allowed in multicommand transactions. Run the statement on its own."
    )]
    InTransaction,
    /// `SET REPLICATION ROLE TO REPLICA` on a replica.
    #[error("Couldn't set role to replica! This instance already is one.")]
    AlreadyReplica,
    /// `SET REPLICATION ROLE TO REPLICA` whose port cannot be listened on, or whose record cannot be stored.
    #[error("Couldn't set role to replica! {0}")]
    RoleReplica(String),
    /// `SET REPLICATION ROLE TO MAIN` on a main.
    #[error("Couldn't set replication role to main! This instance already is one.")]
    AlreadyMain,
    /// `SET REPLICATION ROLE TO MAIN` that failed.
    #[error("Couldn't set replication role to main! {0}")]
    RoleMain(String),
    /// `… TO MAIN WITH PORT p`.
    #[error("Main can't set a port!")]
    MainWithPort,
    /// `… TO REPLICA` without a port.
    #[error("Replica must set a port!")]
    PortMissing,
    /// A port outside 1..=65535.
    #[error("Port number invalid!")]
    PortInvalid,
    /// A port that is no integer.
    #[error("Port must be an integer literal!")]
    PortNotInteger,
    /// REGISTER on a replica.
    #[error("Replica can't register another replica!")]
    RegisterOnReplica,
    /// The endpoint's text.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// The name is empty or too long.
    #[error("Couldn't register replica. Error: the name must have 1 to {NAME_LEN_MAX} bytes.")]
    NameInvalid,
    /// REGISTER was refused; see [`RegisterFailure`].
    #[error("Couldn't register replica {name}. Error: {failure}")]
    Register {
        /// The name in the statement.
        name: String,
        /// The reason.
        failure: RegisterFailure,
    },
    /// `ASYNC WITH TIMEOUT`.
    #[error("Timeout can be set only for the SYNC replication mode!")]
    TimeoutOnAsync,
    /// A timeout that is no number.
    #[error("Timeout should be a integer or double literal!")]
    TimeoutNotNumber,
    /// A timeout outside the range.
    #[error(
        "Timeout must be between {TIMEOUT_SECONDS_MIN} and {TIMEOUT_SECONDS_MAX} seconds, not {0}."
    )]
    TimeoutOutOfRange(f64),
    /// `STRICT_SYNC`.
    #[error(
        "STRICT_SYNC is not available yet. Use SYNC, which answers only when the replica has the write on its disk, and warns when it has not."
    )]
    StrictSyncUnavailable,
    /// DROP on a replica.
    #[error("Replica can't unregister a replica! Run DROP REPLICA on the main.")]
    DropOnReplica,
    /// DROP of a name that is not registered.
    #[error("Failed to unregister the replica {0}. No replica has this name.")]
    DropUnknown(String),
    /// The node record could not be written; nothing has changed.
    #[error("The change could not be stored in the data directory: {0}")]
    NotStored(String),
    /// SHOW REPLICAS on a replica.
    #[error("Show replicas query should only be run on the main instance.")]
    ShowOnReplica,
}

/// Why REGISTER REPLICA was refused. Nothing of it is kept: the same statement may be repeated as it is.
/// The number is Memgraph's.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum RegisterFailure {
    /// The name is taken.
    #[error("1 (the name is taken; DROP REPLICA frees it)")]
    NameExists,
    /// The endpoint is registered under another name.
    #[error("2 (the endpoint is registered as '{0}')")]
    EndpointExists(String),
    /// The instance at the endpoint is registered under another name, by another spelling of its address.
    #[error("2 (this instance is registered as '{0}')")]
    InstanceExists(String),
    /// The endpoint is this instance.
    #[error("3 (the endpoint is this instance itself)")]
    OwnEndpoint,
    /// Nobody answered as a replica.
    #[error("3 (connection failed: {0})")]
    Unreachable(String),
    /// The replica's data are not a prefix of the main's.
    #[error("3 (the replica has diverged from the main: {0})")]
    Diverged(String),
    /// The node record could not be written.
    #[error("4 (the registration could not be stored: {0})")]
    NotStored(String),
    /// The replica answered and refused.
    #[error("5 (the replica did not accept this main: {0})")]
    Refused(String),
    /// Another registration is running, or the role has just changed.
    #[error("6 (another replication statement is running; try again)")]
    Busy,
    /// The durability of this server cannot keep what the mode promises.
    #[error("7 ({mode} needs --durability {needed}; this server runs with --durability {running})")]
    Durability {
        /// The mode asked for.
        mode: &'static str,
        /// What it needs.
        needed: &'static str,
        /// What runs.
        running: &'static str,
    },
    /// The durability of the replica cannot keep what the mode promises.
    #[error("7 ({})", .0.of_replica())]
    ReplicaDurability(Shortfall),
    /// [`REPLICAS_MAX`] replicas are registered.
    #[error("8 (at most {REPLICAS_MAX} replicas can be registered)")]
    TooMany,
}

/// Why this node takes no write now. A ClientError; drivers do not retry it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A replica.
    #[error(
        "Write queries are forbidden on the replica instance. Replica instances accept only read queries; the main instance accepts read and write queries. Please retry your query on the main instance."
    )]
    Replica,
    /// A MAIN that has learnt of a newer term.
    #[error(
        "Write queries currently forbidden on the main instance. Another instance was promoted after it; make this one its replica with SET REPLICATION ROLE TO REPLICA."
    )]
    Fenced,
    /// The role is changing at this moment.
    #[error(
        "Write queries currently forbidden on the main instance. Its replication role is changing; please retry."
    )]
    Changing,
}

/// `INFO` or `WARNING`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// For the record.
    Info,
    /// Something did not go as asked.
    Warning,
}

impl Severity {
    /// The value of the notification's `severity`.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Info => "INFO",
            Severity::Warning => "WARNING",
        }
    }
}

/// A notification of a statement that succeeded: four strings in Bolt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// `severity`
    pub severity: Severity,
    /// `code`
    pub code: &'static str,
    /// `title`
    pub title: String,
    /// `description`, may be empty
    pub description: String,
}

impl Notice {
    pub(crate) fn info(code: &'static str, title: impl Into<String>) -> Notice {
        Notice {
            severity: Severity::Info,
            code,
            title: title.into(),
            description: String::new(),
        }
    }

    pub(crate) fn role_replica(port: u16, bolt_port: u16) -> Vec<Notice> {
        let mut notices = vec![Notice::info("SetReplica", "Replica role set to REPLICA.")];
        if port == bolt_port {
            notices.push(Notice {
                severity: Severity::Warning,
                code: "ReplicaPortWarning",
                title: "Be careful the replication port must be different from the memgraph port!"
                    .into(),
                description: String::new(),
            });
        }
        notices
    }

    pub(crate) fn role_main() -> Vec<Notice> {
        vec![Notice::info("SetReplica", "Replica role set to MAIN.")]
    }

    pub(crate) fn registered(name: &str, description: String) -> Vec<Notice> {
        let title = format!("Replica {name} is registered.");
        vec![Notice {
            description,
            ..Notice::info("RegisterReplica", title)
        }]
    }

    pub(crate) fn dropped(name: &str) -> Vec<Notice> {
        vec![Notice::info(
            "DropReplica",
            format!("Replica {name} is dropped."),
        )]
    }
}

/// What a commit's answer says about the replicas: nothing if every one that had to confirm did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Confirmation {
    /// One for each replica that should have confirmed and did not.
    pub warnings: Vec<Warning>,
    /// One for each registered replica: what became of the commit there, as far as its answer knows. Reports what was decided, decides nothing.
    pub receipts: Vec<Receipt>,
}

/// What the answer to a commit knows of one replica.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The replica's name.
    pub replica: Arc<str>,
    /// Its mode as registered: `sync` or `async`.
    pub mode: &'static str,
    /// Whether it has the commit on its disk.
    pub outcome: Receipted,
    /// From the commit to that.
    pub took: Duration,
}

/// See [`Receipt`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Receipted {
    /// It has.
    Confirmed,
    /// Nobody waits for it: it is ASYNC, or counts as that until it has caught up.
    NotWaited,
    /// It was waited for no longer, for this reason; it may have it all the same.
    Unconfirmed(Reason),
}

impl Receipted {
    /// The value of `outcome` in a receipt.
    pub fn as_str(self) -> &'static str {
        match self {
            Receipted::Confirmed => "confirmed",
            Receipted::NotWaited => "not waited for",
            Receipted::Unconfirmed(_) => "unconfirmed",
        }
    }
}

/// A replica that did not confirm a commit that stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// The replica's name.
    pub replica: String,
    /// Why it was not waited for any longer.
    pub reason: Reason,
}

impl Warning {
    /// The notification for the client: code `SyncReplicationFailure`.
    pub fn notice(&self) -> Notice {
        let title = format!(
            "Failed to replicate to SYNC replica '{}': {}. Replica will be recovered automatically. \
             Transaction is still committed on the main instance and other alive replicas.",
            self.replica, self.reason
        );
        Notice {
            severity: Severity::Warning,
            code: "SyncReplicationFailure",
            title,
            description: String::new(),
        }
    }
}

/// Why a replica was not waited for (any longer).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Reason {
    /// It has not caught up since it was registered or since this server started.
    NotCaughtUp = 1,
    /// SYNC: no acknowledgement for `--replica-timeout`.
    NoProgress = 2,
    /// SYNC WITH TIMEOUT: the timeout passed; the replica counts as async until it has caught up.
    Timeout = 3,
    /// It left the main's history.
    Diverged = 4,
    /// It was dropped while the commit waited.
    Dropped = 5,
    /// This server stopped being the MAIN while the commit waited.
    RoleChanged = 6,
    /// It runs with a durability that cannot keep what its mode promises.
    Durability = 7,
}

impl Reason {
    pub(crate) fn from_u8(code: u8) -> Option<Reason> {
        [
            Reason::NotCaughtUp,
            Reason::NoProgress,
            Reason::Timeout,
            Reason::Diverged,
            Reason::Dropped,
            Reason::RoleChanged,
            Reason::Durability,
        ]
        .into_iter()
        .find(|r| *r as u8 == code)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Reason::NotCaughtUp => "replica is not reachable or not in sync with the main",
            Reason::NoProgress => "replica has not acknowledged anything within the replica timeout",
            Reason::Timeout => "replica did not confirm within its timeout and counts as async until it has caught up",
            Reason::Diverged => "replica has diverged from main",
            Reason::Dropped => "replica was dropped before it confirmed",
            Reason::RoleChanged => "this instance stopped being the main before the replica confirmed",
            Reason::Durability => "replica runs with a durability that cannot keep what its mode promises",
        })
    }
}

/// What the MAIN knows of a replica's state; the value of `status` in `data_info`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ReplicaStatus {
    /// Not connected, or not yet heard from.
    Invalid = 0,
    /// In step, nothing outstanding.
    Ready = 1,
    /// In step, acknowledgements outstanding.
    Replicating = 2,
    /// Being fed from the log.
    Recovery = 3,
    /// Holds what is not in the MAIN's history.
    Diverged = 4,
}

impl ReplicaStatus {
    /// Memgraph's word.
    pub fn as_str(self) -> &'static str {
        match self {
            ReplicaStatus::Invalid => "invalid",
            ReplicaStatus::Ready => "ready",
            ReplicaStatus::Replicating => "replicating",
            ReplicaStatus::Recovery => "recovery",
            ReplicaStatus::Diverged => "diverged",
        }
    }

    pub(crate) fn from_u8(code: u8) -> ReplicaStatus {
        match code {
            1 => ReplicaStatus::Ready,
            2 => ReplicaStatus::Replicating,
            3 => ReplicaStatus::Recovery,
            4 => ReplicaStatus::Diverged,
            _ => ReplicaStatus::Invalid,
        }
    }
}

/// A row of `SHOW REPLICAS`; `system_info` is Null and is left to the server.
#[derive(Clone, Debug, PartialEq)]
pub struct ReplicaRow {
    /// `name`
    pub name: String,
    /// `socket_address`: the registered endpoint, always with a port.
    pub socket_address: String,
    /// `sync_mode` as configured: `sync` or `async`.
    pub sync_mode: &'static str,
    /// `data_info`, the value of its one key `memgraph`.
    pub data_info: DataInfo,
    /// `timeout`: the configured `WITH TIMEOUT`, in seconds.
    pub timeout: Option<f64>,
    /// `effective_mode`: `sync` or `async`, as commits are answered now.
    pub effective_mode: &'static str,
    /// `lag_transactions`: commits durable here and not acknowledged, 0 or more; `None` while the replica has not been
    /// heard from since this server started: it may hold everything.
    pub lag_transactions: Option<u64>,
    /// `lag_seconds`: for how long something has been outstanding; 0 when nothing is, `None` as for `lag_transactions`.
    pub lag_seconds: Option<f64>,
    /// `detail`: what is wrong and what to do; empty when nothing is.
    pub detail: String,
}

/// `{ts, behind, status}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataInfo {
    /// The last commit that the replica has on its disk; `None` until it was first heard from.
    pub ts: Option<u64>,
    /// 0 or negative, as in Memgraph: `ts` less the main's last durable commit; `None` as for `ts`.
    pub behind: Option<i64>,
    /// [`ReplicaStatus::as_str`].
    pub status: &'static str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mode_words_and_timeouts_combine_as_the_statement_allows() {
        assert_eq!(
            ModeWord::Sync.with_timeout(Some(1.5)),
            Ok(Mode::SyncTimeout(Duration::from_millis(1500)))
        );
        assert_eq!(ModeWord::Sync.with_timeout(None), Ok(Mode::Sync));
        assert_eq!(ModeWord::Async.with_timeout(None), Ok(Mode::Async));
        assert_eq!(
            ModeWord::Async.with_timeout(Some(1.0)),
            Err(StatementError::TimeoutOnAsync)
        );
        for seconds in [0.0, -1.0, 1e9, f64::INFINITY] {
            assert_eq!(
                ModeWord::Sync.with_timeout(Some(seconds)),
                Err(StatementError::TimeoutOutOfRange(seconds))
            );
        }
        assert!(matches!(
            ModeWord::Sync.with_timeout(Some(f64::NAN)),
            Err(StatementError::TimeoutOutOfRange(_))
        ));
        assert_eq!(
            ModeWord::StrictSync.with_timeout(None),
            Err(StatementError::StrictSyncUnavailable)
        );
    }

    #[test]
    fn texts_begin_as_memgraphs_do() {
        for (error, text) in [
            (
                StatementError::RegisterOnReplica,
                "Replica can't register another replica!",
            ),
            (
                StatementError::ShowOnReplica,
                "Show replicas query should only be run on the main instance.",
            ),
            (
                StatementError::AlreadyReplica,
                "Couldn't set role to replica!",
            ),
            (
                StatementError::AlreadyMain,
                "Couldn't set replication role to main!",
            ),
            (StatementError::MainWithPort, "Main can't set a port!"),
            (StatementError::PortInvalid, "Port number invalid!"),
            (
                StatementError::DropUnknown("r".into()),
                "Failed to unregister the replica r.",
            ),
            (
                StatementError::Register {
                    name: "r".into(),
                    failure: RegisterFailure::NameExists,
                },
                "Couldn't register replica r. Error: 1",
            ),
        ] {
            assert!(error.to_string().starts_with(text), "{error}");
        }
        assert!(
            Refusal::Replica
                .to_string()
                .starts_with("Write queries are forbidden on the replica instance.")
        );
        assert!(
            Refusal::Fenced
                .to_string()
                .starts_with("Write queries currently forbidden on the main instance.")
        );
    }

    #[test]
    fn a_warning_names_the_replica_and_the_reason() {
        let notice = Warning {
            replica: "r1".into(),
            reason: Reason::NotCaughtUp,
        }
        .notice();
        assert_eq!(notice.code, "SyncReplicationFailure");
        assert_eq!(
            notice.title,
            "Failed to replicate to SYNC replica 'r1': replica is not reachable or not in sync with the main. \
             Replica will be recovered automatically. Transaction is still committed on the main instance and other alive replicas."
        );
    }

    #[test]
    fn reasons_survive_the_shared_word() {
        for code in 0..=255u8 {
            if let Some(reason) = Reason::from_u8(code) {
                assert_eq!(reason as u8, code);
            }
        }
        assert_eq!(Reason::from_u8(0), None);
        assert_eq!(Reason::from_u8(7), Some(Reason::Durability));
    }
}
