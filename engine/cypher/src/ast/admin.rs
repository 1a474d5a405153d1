//! Statements about the server: replication, transactions, settings, users, what `SHOW` shows.
//!
//! The parser takes literals of the wrong type where Memgraph words its own errors (a port that is a string, a timeout that
//! is a list); the server looks at the value and answers.

use super::{Expr, Ident, Name, Statement};
use crate::span::Span;

/// A statement about the server.
#[derive(Clone, Debug, PartialEq)]
pub enum AdminStatement {
    /// `SET REPLICATION ROLE TO MAIN|REPLICA [WITH PORT p] [ON ADDRESS "ip"]`.
    SetReplicationRole {
        /// The role.
        role: ReplicationRole,
        /// The port as written, of any type; `Null` is a literal too.
        port: Option<Expr>,
        /// The address to listen on, as written.
        address: Option<Expr>,
    },
    /// `SHOW REPLICATION ROLE`.
    ShowReplicationRole,
    /// `REGISTER REPLICA name mode [WITH TIMEOUT n] TO "address" [WITH FINGERPRINT "..."]`.
    RegisterReplica(Box<RegisterReplica>),
    /// `DROP REPLICA name`.
    DropReplica {
        /// The replica.
        name: Ident,
    },
    /// `SHOW REPLICAS`.
    ShowReplicas,
    /// `SHOW REPLICATION LAG`.
    ShowReplicationLag,
    /// `BEGIN [TRANSACTION]` sent as a query.
    Begin,
    /// `COMMIT`.
    Commit,
    /// `ROLLBACK`.
    Rollback,
    /// `SET GLOBAL|SESSION|NEXT TRANSACTION ISOLATION LEVEL level`.
    SetIsolationLevel {
        /// For whom.
        scope: IsolationScope,
        /// Which.
        level: IsolationLevel,
    },
    /// `STORAGE MODE mode`.
    SetStorageMode(StorageMode),
    /// `EDGE IMPORT MODE ACTIVE|INACTIVE`.
    EdgeImportMode {
        /// `ACTIVE`.
        active: bool,
    },
    /// `SHOW ...` without arguments.
    Show(ShowKind),
    /// `SHOW DATABASE SETTING "name"`.
    ShowDatabaseSetting {
        /// The setting.
        name: Expr,
    },
    /// `SET DATABASE SETTING "name" TO "value"`.
    SetDatabaseSetting {
        /// The setting.
        name: Expr,
        /// The value.
        value: Expr,
    },
    /// `SHOW [RUNNING, COMMITTING, ABORTING] TRANSACTIONS`; no states = all.
    ShowTransactions {
        /// Which states.
        states: Vec<TransactionState>,
    },
    /// `TERMINATE TRANSACTIONS "id", ...`.
    TerminateTransactions {
        /// The ids: string literals or parameters.
        ids: Vec<Expr>,
    },
    /// `CREATE SNAPSHOT`.
    CreateSnapshot,
    /// `RECOVER SNAPSHOT path [FORCE]`.
    RecoverSnapshot {
        /// The path.
        path: Expr,
        /// `FORCE`.
        force: bool,
    },
    /// `FREE MEMORY`.
    FreeMemory,
    /// `LOCK DATA DIRECTORY`.
    LockDataDirectory,
    /// `UNLOCK DATA DIRECTORY`.
    UnlockDataDirectory,
    /// `DATA DIRECTORY LOCK STATUS`.
    DataDirectoryLockStatus,
    /// `USE DATABASE name`.
    UseDatabase {
        /// The database.
        name: Ident,
    },
    /// `CREATE DATABASE name`.
    CreateDatabase {
        /// The database.
        name: Ident,
    },
    /// `DROP DATABASE name [FORCE]`.
    DropDatabase {
        /// The database.
        name: Ident,
        /// `FORCE`.
        force: bool,
    },
    /// `CREATE USER name [IF NOT EXISTS] [IDENTIFIED BY password]`.
    CreateUser {
        /// The user.
        name: Ident,
        /// `IF NOT EXISTS`.
        if_not_exists: bool,
        /// A string literal, null or parameter.
        password: Option<Expr>,
    },
    /// `DROP USER name`.
    DropUser {
        /// The user.
        name: Ident,
        /// `IF EXISTS`.
        if_exists: bool,
    },
    /// `SET PASSWORD FOR name TO password`, `SET PASSWORD TO new REPLACE old`.
    SetPassword {
        /// The user; `None` = the current one.
        user: Option<Ident>,
        /// The new password.
        password: Expr,
        /// The old one.
        replace: Option<Expr>,
    },
    /// `CREATE ROLE name`.
    CreateRole {
        /// The role.
        name: Ident,
        /// `IF NOT EXISTS`.
        if_not_exists: bool,
    },
    /// `DROP ROLE name`.
    DropRole {
        /// The role.
        name: Ident,
    },
    /// `SET ROLE FOR user TO role, ...`.
    SetRole {
        /// The user.
        user: Ident,
        /// The roles.
        roles: Vec<Ident>,
    },
    /// `CLEAR ROLE FOR user`.
    ClearRole {
        /// The user.
        user: Ident,
    },
    /// `SHOW ROLE[S] FOR user`.
    ShowRoleFor {
        /// The user.
        user: Ident,
    },
    /// `SHOW USERS FOR role`.
    ShowUsersFor {
        /// The role.
        role: Ident,
    },
    /// `SHOW PRIVILEGES FOR user-or-role`.
    ShowPrivilegesFor {
        /// User or role.
        name: Ident,
    },
    /// `GRANT`, `DENY`, `REVOKE` of privileges.
    Privileges(Box<PrivilegeChange>),
    /// `CREATE TRIGGER`.
    CreateTrigger(Box<CreateTrigger>),
    /// `DROP TRIGGER name`.
    DropTrigger {
        /// The trigger.
        name: Ident,
    },
    /// `SHOW STORAGE INFO ON [CURRENT] DATABASE [name]`.
    ShowStorageInfoOn {
        /// `None` = the current one.
        database: Option<Ident>,
    },
    /// `ENABLE TTL [EVERY period] [AT time]`.
    EnableTtl {
        /// The period.
        every: Option<Expr>,
        /// The time of day.
        at: Option<Expr>,
    },
    /// `DISABLE TTL`.
    DisableTtl,
    /// `STOP TTL`.
    StopTtl,
    /// `SET SESSION TRACE ON|OFF`.
    SetSessionTrace {
        /// `ON`.
        on: bool,
    },
}

/// `MAIN` or `REPLICA`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplicationRole {
    /// Takes writes.
    Main,
    /// Follows a main.
    Replica,
}

/// `REGISTER REPLICA`.
#[derive(Clone, Debug, PartialEq)]
pub struct RegisterReplica {
    /// The replica's name: a symbolic name, a backquoted one, or a string.
    pub name: Ident,
    /// The mode.
    pub mode: SyncMode,
    /// `WITH TIMEOUT`, in seconds, as written, of any type.
    pub timeout: Option<Expr>,
    /// The address, as written.
    pub address: Expr,
    /// `WITH FINGERPRINT`, as written.
    pub fingerprint: Option<Expr>,
}

/// How a commit waits for a replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncMode {
    /// `SYNC`.
    Sync,
    /// `ASYNC`.
    Async,
    /// `STRICT_SYNC`.
    StrictSync,
}

/// For whom an isolation level is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IsolationScope {
    /// Every new session.
    Global,
    /// This session.
    Session,
    /// The next transaction.
    Next,
}

/// Isolation levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IsolationLevel {
    /// `SNAPSHOT ISOLATION`.
    Snapshot,
    /// `READ COMMITTED`.
    ReadCommitted,
    /// `READ UNCOMMITTED`.
    ReadUncommitted,
    /// `SERIALIZABLE`.
    Serializable,
}

/// Storage modes of Memgraph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StorageMode {
    /// `IN_MEMORY_TRANSACTIONAL`.
    InMemoryTransactional,
    /// `IN_MEMORY_ANALYTICAL`.
    InMemoryAnalytical,
    /// `ON_DISK_TRANSACTIONAL`.
    OnDiskTransactional,
}

/// States of a transaction that `SHOW TRANSACTIONS` can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransactionState {
    /// `RUNNING`.
    Running,
    /// `COMMITTING`.
    Committing,
    /// `ABORTING`.
    Aborting,
}

/// What a `SHOW` without arguments shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShowKind {
    /// `SHOW INDEX INFO`.
    Indexes,
    /// `SHOW VECTOR INDEX INFO`.
    VectorIndexes,
    /// `SHOW CONSTRAINT INFO`.
    Constraints,
    /// `SHOW STORAGE INFO`.
    StorageInfo,
    /// `SHOW BUILD INFO`.
    BuildInfo,
    /// `SHOW VERSION`.
    Version,
    /// `SHOW CONFIG`.
    Config,
    /// `SHOW DATABASE SETTINGS`, `SHOW SETTINGS`.
    DatabaseSettings,
    /// `SHOW DATABASES`.
    Databases,
    /// `SHOW DATABASE`.
    Database,
    /// `SHOW METRICS [INFO]`.
    Metrics,
    /// `SHOW MEMORY INFO`.
    MemoryInfo,
    /// `SHOW LICENSE INFO`.
    LicenseInfo,
    /// `SHOW ACTIVE USERS [INFO]`.
    ActiveUsers,
    /// `SHOW NODE_LABELS INFO`.
    NodeLabels,
    /// `SHOW EDGE_TYPES INFO`.
    EdgeTypes,
    /// `SHOW USERS`.
    Users,
    /// `SHOW CURRENT USER`.
    CurrentUser,
    /// `SHOW ROLES`.
    Roles,
    /// `SHOW CURRENT ROLE[S]`.
    CurrentRole,
    /// `SHOW SNAPSHOTS`.
    Snapshots,
    /// `SHOW NEXT SNAPSHOT`.
    NextSnapshot,
    /// `SHOW TRIGGERS`.
    Triggers,
    /// `SHOW STREAMS`.
    Streams,
    /// `SHOW ENUMS`.
    Enums,
    /// `SHOW INSTANCE`.
    Instance,
    /// `SHOW INSTANCES`.
    Instances,
    /// `SHOW ROUTING TABLE`.
    RoutingTable,
    /// `SHOW QUERY CALLABLE MAPPINGS`.
    QueryCallableMappings,
    /// `SHOW PARAMETERS`.
    Parameters,
}

impl ShowKind {
    /// Everything that `SHOW` shows without arguments. A longer form stands before a shorter one that begins like it.
    pub const WORDS: &[(&[&str], ShowKind)] = &[
        (&["INDEX", "INFO"], ShowKind::Indexes),
        (&["VECTOR", "INDEX", "INFO"], ShowKind::VectorIndexes),
        (&["VECTOR", "INDEXES"], ShowKind::VectorIndexes),
        (&["CONSTRAINT", "INFO"], ShowKind::Constraints),
        (&["STORAGE", "INFO"], ShowKind::StorageInfo),
        (&["BUILD", "INFO"], ShowKind::BuildInfo),
        (&["VERSION"], ShowKind::Version),
        (&["CONFIG"], ShowKind::Config),
        (&["DATABASE", "SETTINGS"], ShowKind::DatabaseSettings),
        (&["SETTINGS"], ShowKind::DatabaseSettings),
        (&["DATABASES"], ShowKind::Databases),
        (&["DATABASE"], ShowKind::Database),
        (&["CURRENT", "DATABASE"], ShowKind::Database),
        (&["METRICS", "INFO"], ShowKind::Metrics),
        (&["METRICS"], ShowKind::Metrics),
        (&["MEMORY", "INFO"], ShowKind::MemoryInfo),
        (&["LICENSE", "INFO"], ShowKind::LicenseInfo),
        (&["ACTIVE", "USERS", "INFO"], ShowKind::ActiveUsers),
        (&["ACTIVE", "USERS"], ShowKind::ActiveUsers),
        (&["NODE_LABELS", "INFO"], ShowKind::NodeLabels),
        (&["EDGE_TYPES", "INFO"], ShowKind::EdgeTypes),
        (&["USERS"], ShowKind::Users),
        (&["CURRENT", "USER"], ShowKind::CurrentUser),
        (&["CURRENT", "ROLES"], ShowKind::CurrentRole),
        (&["CURRENT", "ROLE"], ShowKind::CurrentRole),
        (&["ROLES"], ShowKind::Roles),
        (&["SNAPSHOTS"], ShowKind::Snapshots),
        (&["NEXT", "SNAPSHOT"], ShowKind::NextSnapshot),
        (&["TRIGGERS"], ShowKind::Triggers),
        (&["STREAMS"], ShowKind::Streams),
        (&["ENUMS"], ShowKind::Enums),
        (&["INSTANCES"], ShowKind::Instances),
        (&["INSTANCE"], ShowKind::Instance),
        (&["ROUTING", "TABLE"], ShowKind::RoutingTable),
        (
            &["QUERY", "CALLABLE", "MAPPINGS"],
            ShowKind::QueryCallableMappings,
        ),
        (&["PARAMETERS"], ShowKind::Parameters),
    ];

    /// The words behind `SHOW`, the shortest where there are several.
    pub fn words(self) -> String {
        let forms = ShowKind::WORDS.iter().filter(|(_, kind)| *kind == self);
        let shortest = forms
            .map(|(words, _)| *words)
            .min_by_key(|words| words.len());
        shortest.unwrap_or_default().join(" ")
    }
}

/// `GRANT`, `DENY` or `REVOKE`.
#[derive(Clone, Debug, PartialEq)]
pub struct PrivilegeChange {
    /// What is done.
    pub action: PrivilegeAction,
    /// The privileges in upper case; one entry `ALL` for `ALL PRIVILEGES`.
    pub privileges: Vec<Name>,
    /// The words between `ON` and the user, as written.
    pub scope: Option<Name>,
    /// User or role.
    pub grantee: Ident,
    /// Where the statement stands.
    pub span: Span,
}

/// What is done to privileges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrivilegeAction {
    /// `GRANT`.
    Grant,
    /// `DENY`.
    Deny,
    /// `REVOKE`.
    Revoke,
}

/// `CREATE TRIGGER name [SECURITY DEFINER|INVOKER] [ON event] BEFORE|AFTER COMMIT EXECUTE statement`.
#[derive(Clone, Debug, PartialEq)]
pub struct CreateTrigger {
    /// The trigger.
    pub name: Ident,
    /// `SECURITY INVOKER`.
    pub invoker: bool,
    /// Nodes `()` or relationships `-->` only.
    pub entity: Option<super::schema::EntityKind>,
    /// `CREATE`, `UPDATE`, `DELETE`; `None` = any.
    pub event: Option<TriggerEvent>,
    /// `BEFORE COMMIT` (else `AFTER COMMIT`).
    pub before_commit: bool,
    /// What is run, parsed but not checked: its variables are predefined by the trigger.
    pub statement: Statement,
    /// The source text of `statement`.
    pub statement_text: Name,
}

/// What fires a trigger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TriggerEvent {
    /// `CREATE`.
    Create,
    /// `UPDATE`.
    Update,
    /// `DELETE`.
    Delete,
}

#[cfg(test)]
mod tests {
    use super::ShowKind;

    #[test]
    fn what_is_shown_is_named_by_the_shortest_of_its_statements() {
        assert_eq!(ShowKind::NextSnapshot.words(), "NEXT SNAPSHOT");
        assert_eq!(ShowKind::Database.words(), "DATABASE");
        assert_eq!(ShowKind::Metrics.words(), "METRICS");
    }
}
