//! Errors as clients know them: one internal error, two dialects.
//!
//! Owns the table from the engine's error kinds to Neo4j's codes, GQL statuses and Memgraph's codes (`bolt.md` 12.3 and
//! 12.4 of the project's reference pages; Neo4j's and Memgraph's public documentation). Called by the session when it
//! writes a FAILURE. What always holds: every kind has a row; whether a driver tries again follows from the code alone
//! and agrees with [`Error::is_transient`].

use quoit_cypher::error::{Detail, Error, ErrorKind};

/// Whose codes a connection is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// `Neo.ClientError.Statement.SyntaxError` and so on: from Bolt 5.0, unless asked otherwise.
    Neo4j,
    /// `Memgraph.ClientError.MemgraphError.MemgraphError` and its kin: up to Bolt 4.4, unless asked otherwise.
    Memgraph,
}

/// An error's code and GQL status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code {
    /// `Vendor.Class.Category.Title`.
    pub code: &'static str,
    /// Five characters.
    pub gql_status: &'static str,
    /// The description that belongs to the status, without a closing full stop.
    pub description: &'static str,
}

const fn code(code: &'static str, gql_status: &'static str, description: &'static str) -> Code {
    Code {
        code,
        gql_status,
        description,
    }
}

const MEMGRAPH_CLIENT: &str = "Memgraph.ClientError.MemgraphError.MemgraphError";
const MEMGRAPH_TRANSIENT: &str = "Memgraph.TransientError.MemgraphError.MemgraphError";
const MEMGRAPH_DATABASE: &str = "Memgraph.DatabaseError.MemgraphError.MemgraphError";
const MEMGRAPH_UNAUTHENTICATED: &str = "Memgraph.ClientError.Security.Unauthenticated";

/// The code of `error` for a connection that speaks `dialect`. `routed`: the client asked for routing (`neo4j://`), so
/// that "not the leader" sends it to another server; a direct client's driver would take the same code for a lost server.
pub fn code_of(error: &Error, dialect: Dialect, routed: bool) -> Code {
    let neo4j = match error.kind() {
        ErrorKind::NotALeader if !routed => code(
            "Neo.ClientError.General.WriteOnReadOnlyAccessDatabase",
            "08N08",
            "connection exception - database is read-only",
        ),
        kind => neo4j(kind, error.detail()),
    };
    match dialect {
        Dialect::Neo4j => neo4j,
        Dialect::Memgraph => Code {
            code: match error.kind() {
                ErrorKind::Unauthenticated => MEMGRAPH_UNAUTHENTICATED,
                ErrorKind::Internal => MEMGRAPH_DATABASE,
                _ if error.is_transient() => MEMGRAPH_TRANSIENT,
                _ => MEMGRAPH_CLIENT,
            },
            ..neo4j
        },
    }
}

fn neo4j(kind: ErrorKind, detail: Detail) -> Code {
    use Detail as D;
    use ErrorKind as K;
    match (kind, detail) {
        (K::SyntaxError, D::UnknownFunction) => code(
            "Neo.ClientError.Statement.SyntaxError",
            "42N48",
            "syntax error or access rule violation - no such function",
        ),
        (K::SyntaxError, D::UndefinedVariable) => code(
            "Neo.ClientError.Statement.SyntaxError",
            "42N62",
            "syntax error or access rule violation - variable not defined",
        ),
        (K::SyntaxError, _) => code(
            "Neo.ClientError.Statement.SyntaxError",
            "42001",
            "syntax error or access rule violation - invalid syntax",
        ),
        (K::SemanticError, _) => code(
            "Neo.ClientError.Statement.SemanticError",
            "42001",
            "syntax error or access rule violation - invalid syntax",
        ),
        (K::TypeError, _) => code(
            "Neo.ClientError.Statement.TypeError",
            "22G03",
            "data exception - invalid value type",
        ),
        (K::ArgumentError, _) => code(
            "Neo.ClientError.Statement.ArgumentError",
            "22N36",
            "data exception - parse arguments failed",
        ),
        (K::ArithmeticError, D::DivisionByZero) => code(
            "Neo.ClientError.Statement.ArithmeticError",
            "22012",
            "data exception - division by zero",
        ),
        (K::ArithmeticError, _) => code(
            "Neo.ClientError.Statement.ArithmeticError",
            "22003",
            "data exception - numeric value out of range",
        ),
        (K::EntityNotFound | K::LabelNotFound, _) => code(
            "Neo.ClientError.Statement.EntityNotFound",
            "25N13",
            "invalid transaction state - entity deleted in the same transaction",
        ),
        (K::PropertyNotFound, _) => code(
            "Neo.ClientError.Statement.PropertyNotFound",
            "22N36",
            "data exception - property not found",
        ),
        (K::ConstraintVerificationFailed, _) => code(
            "Neo.ClientError.Schema.ConstraintValidationFailed",
            "G1001",
            "dependent object error - edges still exist",
        ),
        (K::ConstraintValidationFailed, D::UniqueConstraintViolation) => code(
            "Neo.ClientError.Schema.ConstraintValidationFailed",
            "22N79",
            "data exception - property uniqueness constraint violated",
        ),
        (K::ConstraintValidationFailed, D::TypeConstraintViolation) => code(
            "Neo.ClientError.Schema.ConstraintValidationFailed",
            "22N78",
            "data exception - property type constraint violated",
        ),
        (K::ConstraintValidationFailed, _) => code(
            "Neo.ClientError.Schema.ConstraintValidationFailed",
            "22N77",
            "data exception - property presence verification failed",
        ),
        (K::ParameterMissing, _) => code(
            "Neo.ClientError.Statement.ParameterMissing",
            "42N51",
            "syntax error or access rule violation - invalid parameter",
        ),
        (K::ProcedureError, D::ProcedureNotFound) => code(
            "Neo.ClientError.Procedure.ProcedureNotFound",
            "42N08",
            "syntax error or access rule violation - no such procedure",
        ),
        (K::ProcedureError, _) => code(
            "Neo.ClientError.Procedure.ProcedureCallFailed",
            "52N02",
            "procedure exception - procedure execution error",
        ),
        (K::SchemaError, D::AlreadyExists) => code(
            "Neo.ClientError.Schema.EquivalentSchemaRuleAlreadyExists",
            "22N70",
            "data exception - equivalent index already exists",
        ),
        (K::SchemaError, D::DoesNotExist) => code(
            "Neo.ClientError.Schema.IndexNotFound",
            "22N69",
            "data exception - index does not exist",
        ),
        (K::SchemaError, D::ConstraintDoesNotExist) => code(
            "Neo.ClientError.Schema.ConstraintNotFound",
            "22N64",
            "data exception - constraint does not exist",
        ),
        (K::SchemaError, _) => code(
            "Neo.ClientError.Transaction.ForbiddenDueToTransactionType",
            "25N01",
            "invalid transaction state - invalid mix of different query kinds",
        ),
        (K::TransactionConflict, _) => code(
            "Neo.TransientError.Transaction.Outdated",
            "25N11",
            "invalid transaction state - there was a conflict with another transaction",
        ),
        (K::TransactionTerminated, _) => code(
            "Neo.TransientError.Transaction.Terminated",
            "25N16",
            "invalid transaction state - transaction terminated",
        ),
        (K::TransactionTimedOut, _) => code(
            "Neo.ClientError.Transaction.TransactionTimedOut",
            "25N14",
            "invalid transaction state - transaction timed out",
        ),
        (K::TransactionState, _) => code(
            "Neo.ClientError.Transaction.TransactionNotFound",
            "25N04",
            "invalid transaction state - no such transaction",
        ),
        (K::MemoryLimitExceeded, _) => code(
            "Neo.TransientError.General.MemoryPoolOutOfMemoryError",
            "51N72",
            "system configuration or operation exception - memory pool out of memory",
        ),
        (K::AccessMode, _) => code(
            "Neo.ClientError.Statement.AccessMode",
            "42N02",
            "syntax error or access rule violation - writing in read access mode",
        ),
        (K::NotALeader, _) => code(
            "Neo.ClientError.Cluster.NotALeader",
            "08N07",
            "connection exception - not the leader",
        ),
        (K::ReplicationFailure, _) => code(
            "Neo.TransientError.Cluster.ReplicationFailure",
            "51N33",
            "system configuration or operation exception - replication error",
        ),
        (K::Unauthenticated, _) => code(
            "Neo.ClientError.Security.Unauthorized",
            "42NFF",
            "syntax error or access rule violation - permission/access denied",
        ),
        (K::Forbidden, _) => code(
            "Neo.ClientError.Security.Forbidden",
            "42NFF",
            "syntax error or access rule violation - permission/access denied",
        ),
        (K::Unavailable, _) => code(
            "Neo.TransientError.General.DatabaseUnavailable",
            "08N09",
            "connection exception - database unavailable",
        ),
        (K::ProtocolError, _) => code(
            "Neo.ClientError.Request.Invalid",
            "08N06",
            "connection exception - protocol error",
        ),
        (K::ExternalResourceFailed, _) => code(
            "Neo.ClientError.Statement.ExternalResourceFailed",
            "22N43",
            "data exception - could not load external resource",
        ),
        (K::Unsupported, _) => code(
            "Neo.ClientError.Statement.UnsupportedOperationError",
            "42N17",
            "syntax error or access rule violation - unsupported request",
        ),
        (K::DatabaseNotFound, _) => code(
            "Neo.ClientError.Database.DatabaseNotFound",
            "22N51",
            "data exception - database not found",
        ),
        (K::Internal, _) => code(
            "Neo.DatabaseError.General.UnknownError",
            "50N42",
            "general processing exception - unexpected error",
        ),
    }
}

/// The `_classification` of a code's diagnostic record.
pub fn classification(code: &str) -> &'static str {
    if code.contains(".TransientError.") {
        "TRANSIENT_ERROR"
    } else if code.contains(".DatabaseError.") {
        "DATABASE_ERROR"
    } else {
        "CLIENT_ERROR"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quoit_graph::WriteError;
    use quoit_query::write_error;

    #[test]
    fn a_code_is_retried_by_drivers_exactly_when_the_error_is_transient() {
        for kind in ErrorKind::ALL {
            let error = Error::of(*kind, "x");
            for dialect in [Dialect::Neo4j, Dialect::Memgraph] {
                let code = code_of(&error, dialect, true);
                let retried =
                    code.code.contains(".TransientError.") && !code.code.ends_with(".Terminated");
                if dialect == Dialect::Neo4j && *kind == ErrorKind::TransactionTerminated {
                    assert!(!retried);
                } else {
                    assert_eq!(retried, error.is_transient(), "{kind} {}", code.code);
                }
                assert_eq!(code.gql_status.len(), 5);
            }
        }
    }

    #[test]
    fn what_is_in_the_way_of_a_schema_change_is_named_by_its_code() {
        let code = |error: Error| code_of(&error, Dialect::Neo4j, true).code;
        let schema = |detail| Error::runtime(ErrorKind::SchemaError, detail, "x");
        assert_eq!(
            code(write_error(WriteError::SchemaInTheMaking)),
            "Neo.TransientError.Transaction.Outdated"
        );
        assert_eq!(
            code(write_error(WriteError::SchemaExists("x"))),
            "Neo.ClientError.Schema.EquivalentSchemaRuleAlreadyExists"
        );
        assert_eq!(
            code(schema(Detail::DoesNotExist)),
            "Neo.ClientError.Schema.IndexNotFound"
        );
        assert_eq!(
            code(schema(Detail::ConstraintDoesNotExist)),
            "Neo.ClientError.Schema.ConstraintNotFound"
        );
    }

    #[test]
    fn old_clients_see_memgraphs_codes_and_new_ones_neo4js() {
        let error = Error::of(ErrorKind::NotALeader, "x");
        assert_eq!(
            code_of(&error, Dialect::Memgraph, true).code,
            MEMGRAPH_CLIENT
        );
        assert_eq!(
            code_of(&error, Dialect::Neo4j, true).code,
            "Neo.ClientError.Cluster.NotALeader"
        );
        assert_eq!(
            code_of(&error, Dialect::Neo4j, false).code,
            "Neo.ClientError.General.WriteOnReadOnlyAccessDatabase"
        );
        assert_eq!(
            classification("Neo.TransientError.Transaction.Outdated"),
            "TRANSIENT_ERROR"
        );
    }
}
