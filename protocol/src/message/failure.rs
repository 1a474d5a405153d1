//! FAILURE, in the two forms that versions know.
//!
//! Up to 5.6 a failure is a `code` and a `message`; from 5.7 on a `neo4j_code`, the GQL fields and no `code`,
//! since drivers take one with `code` for an unclassified error. Which code stands for which error,
//! in whose dialect, is the server's to decide.

use super::notification::Position;
use super::tag;
use crate::packstream::MapWriter;
use crate::send::SendBuffer;

/// A request's failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure<'a> {
    /// `Vendor.Class.Category.Title`.
    pub code: &'a str,
    /// What went wrong, for a reader.
    pub message: &'a str,
    /// The GQL side of it (5.7).
    pub gql: GqlError<'a>,
}

/// A failure, or one of its causes, in GQL's terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GqlError<'a> {
    /// GQLSTATUS, five characters.
    pub status: &'a str,
    /// `error: <class> - <subclass>. <sentence>`.
    pub description: &'a str,
    /// Whose fault it is.
    pub classification: Classification,
    /// Where in the query, for syntax errors.
    pub position: Option<Position>,
    /// Type, phase and detail in openCypher's words, for who judges an engine: `SyntaxError at compile time: UndefinedVariable`.
    pub open_cypher: Option<&'a str>,
    /// The query may be sent again without harm.
    pub idempotent: bool,
    /// What led to it.
    pub cause: Option<&'a Cause<'a>>,
}

/// A cause of a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cause<'a> {
    /// What went wrong there.
    pub message: &'a str,
    /// The same in GQL's terms.
    pub gql: GqlError<'a>,
}

/// Whose fault a failure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Classification {
    /// The caller's.
    Client,
    /// Nobody's: trying again may help.
    Transient,
    /// The server's.
    Database,
}

impl Classification {
    const fn name(self) -> &'static str {
        match self {
            Self::Client => "CLIENT_ERROR",
            Self::Transient => "TRANSIENT_ERROR",
            Self::Database => "DATABASE_ERROR",
        }
    }
}

/// Causes of causes beyond this are not sent.
const CAUSE_DEPTH_MAX: usize = 3;

impl SendBuffer {
    /// Writes FAILURE.
    pub fn failure(&mut self, failure: &Failure<'_>) {
        let gql = self.format().version().has_gql_errors();
        let mut message = self.message(tag::FAILURE, 1);
        message.map(|map| {
            if gql {
                map.string("neo4j_code", failure.code);
                failure.gql.write(map, failure.message, 0);
            } else {
                map.string("code", failure.code);
                map.string("message", failure.message);
            }
        });
        message.finish();
    }
}

impl GqlError<'_> {
    fn write(&self, map: &mut MapWriter<'_>, message: &str, depth: usize) {
        map.string("message", message);
        map.string("gql_status", self.status);
        map.string("description", self.description);
        map.key("diagnostic_record").map(|record| {
            record.string("OPERATION", "");
            record.string("OPERATION_CODE", "0");
            record.string("CURRENT_SCHEMA", "/");
            record.string("_classification", self.classification.name());
            if let Some(position) = self.position {
                position.write(record, "_position");
            }
            if let Some(words) = self.open_cypher {
                record.string("_opencypher", words);
            }
            if self.idempotent {
                record.bool("_idempotent", true);
            }
        });
        if let Some(cause) = self.cause
            && depth < CAUSE_DEPTH_MAX
        {
            map.key("cause")
                .map(|map| cause.gql.write(map, cause.message, depth + 1));
        }
    }
}
