//! Statements that are queries over a procedure: `SHOW ... YIELD ...` in Neo4j's manner, and what answers rows that are made as they are
//! fetched.
//!
//! Owned here: the procedures' names, which have a blank so that they are nobody else's, and their columns. The parser makes calls of
//! them; the engine and the server own the procedures.

/// What such a statement shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The procedure that it calls. If the statement may name kinds of what it shows, the procedure takes them as a list of strings (none: all).
    pub procedure: &'static str,
    /// All columns, which `YIELD` may name.
    pub columns: &'static [&'static str],
    /// So many of the first columns are shown without `YIELD`.
    pub default_columns: usize,
}

/// `SHOW INDEXES`: Memgraph's columns, then Neo4j's, since tools of both send it and read columns by name. `SHOW INDEX INFO` has
/// Memgraph's alone.
pub const INDEXES: Shown = Shown {
    procedure: "SHOW INDEXES",
    columns: &[
        "index type",
        "label",
        "property",
        "count",
        "id",
        "name",
        "state",
        "populationPercent",
        "type",
        "entityType",
        "labelsOrTypes",
        "properties",
        "indexProvider",
        "owningConstraint",
        "lastRead",
        "readCount",
    ],
    default_columns: 16,
};

/// `SHOW CONSTRAINTS`: Memgraph's columns, then Neo4j's, as [`INDEXES`]; `properties`, which both have, is a list, as Neo4j's always is.
pub const CONSTRAINTS: Shown = Shown {
    procedure: "SHOW CONSTRAINTS",
    columns: &[
        "constraint type",
        "label",
        "properties",
        "data_type",
        "id",
        "name",
        "type",
        "entityType",
        "labelsOrTypes",
        "ownedIndex",
        "propertyType",
    ],
    default_columns: 11,
};

/// `SHOW FUNCTIONS`, in Neo4j's columns.
pub const FUNCTIONS: Shown = Shown {
    procedure: "SHOW FUNCTIONS",
    columns: &[
        "name",
        "category",
        "description",
        "signature",
        "isBuiltIn",
        "argumentDescription",
        "returnDescription",
        "aggregating",
        "rolesExecution",
        "rolesBoostedExecution",
        "isDeprecated",
        "deprecatedBy",
    ],
    default_columns: 3,
};

/// `SHOW PROCEDURES`, in Neo4j's columns.
pub const PROCEDURES: Shown = Shown {
    procedure: "SHOW PROCEDURES",
    columns: &[
        "name",
        "description",
        "mode",
        "worksOnSystem",
        "signature",
        "argumentDescription",
        "returnDescription",
        "admin",
        "rolesExecution",
        "rolesBoostedExecution",
        "isDeprecated",
        "deprecatedBy",
        "option",
    ],
    default_columns: 4,
};

/// `SHOW TRANSACTIONS YIELD ...`, in Neo4j's columns; without `YIELD` or `WHERE` the statement is Memgraph's.
pub const TRANSACTIONS: Shown = Shown {
    procedure: "SHOW TRANSACTIONS",
    columns: &[
        "database",
        "transactionId",
        "currentQueryId",
        "connectionId",
        "clientAddress",
        "username",
        "currentQuery",
        "startTime",
        "status",
        "elapsedTime",
        "metaData",
    ],
    default_columns: 10,
};

/// `SHOW DATABASES YIELD ...`, in Neo4j's columns; without `YIELD` or `WHERE` the statement is Memgraph's.
pub const DATABASES: Shown = Shown {
    procedure: "SHOW DATABASES",
    columns: &[
        "name",
        "type",
        "aliases",
        "access",
        "address",
        "role",
        "writer",
        "requestedStatus",
        "currentStatus",
        "statusMessage",
        "default",
        "home",
        "constituents",
    ],
    default_columns: 13,
};

/// `SHOW SETTINGS YIELD ...`, in Neo4j's columns; without `YIELD` or `WHERE` the statement is Memgraph's.
pub const SETTINGS: Shown = Shown {
    procedure: "SHOW SETTINGS",
    columns: &["name", "value", "isDynamic", "defaultValue", "description"],
    default_columns: 5,
};

/// `SHOW SCHEMA INFO`.
pub const SCHEMA_INFO: Shown = Shown {
    procedure: "SHOW SCHEMA INFO",
    columns: &["schema"],
    default_columns: 1,
};

/// `DUMP DATABASE`.
pub const DUMP_DATABASE: Shown = Shown {
    procedure: "DUMP DATABASE",
    columns: &["QUERY"],
    default_columns: 1,
};
