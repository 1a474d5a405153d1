//! Answers: failures in the client's dialect, and summaries.
//!
//! Owns how an error of the engine becomes a FAILURE, and what a finished stream says. Called by the other files of
//! this folder. What always holds: a FAILURE rolls back its transaction first, so that nothing is left when the client
//! reads it; a text that a client sees names the place of a mistake if it has one.

use super::stream::Stream;
use super::{Next, Session, classification, excerpt};
use crate::bookmark::Bookmark;
use crate::dialect::{Code, code_of};
use crate::node::{DATABASE, Node};
use quoit_cypher::error::{Error, ErrorKind};
use quoit_cypher::span;
use quoit_graph::WriteStats;
use quoit_graph::ids::CommitSeq;
use quoit_protocol::message::failure::{Failure, GqlError};
use quoit_protocol::message::notification::{
    Category, Notification, NotificationFilter, OutcomeStatus, Position, Severity,
};
use quoit_protocol::message::summary::{QueryKind, Stats, Summary};
use quoit_protocol::packstream::MapWriter;
use quoit_query::Kind;
use quoit_replication::{Notice, Receipt, Receipted};
use std::borrow::Cow;

/// Failures that are the server's own, with codes that no kind of the engine's errors has.
pub(super) struct Refused;

impl Refused {
    pub(super) const INVALID_BOOKMARK: Code = Code {
        code: "Neo.ClientError.Transaction.InvalidBookmark",
        gql_status: "08N12",
        description: "connection exception - invalid bookmark",
    };
    pub(super) const BOOKMARK_TIMEOUT: Code = Code {
        code: "Neo.TransientError.Transaction.BookmarkTimeout",
        gql_status: "08N13",
        description: "connection exception - bookmark timeout",
    };
}

impl Session {
    /// Answers FAILURE: rolls back, words the error (with the place in `text`, if it is a query's), moves the state.
    pub(super) fn fail(&mut self, error: &Error, text: Option<&str>) {
        let code = code_of(error, self.dialect, self.dialled.is_some());
        let message = error.render(text.unwrap_or_default());
        let position = match (text, error.span()) {
            (Some(text), Some(place)) => {
                let at = span::position(text, place.start);
                let offset = text
                    .get(..place.start as usize)
                    .map_or(0, |before| before.chars().count());
                Some(Position {
                    offset: offset as u32,
                    line: at.line,
                    column: at.column,
                })
            }
            _ => None,
        };
        self.write_failure(code, &message, position, Some(&error.tck()));
    }

    /// Answers FAILURE to a request that names a database which does not exist.
    pub(super) fn refuse_database(&mut self, name: &str) {
        let message = format!("database `{}` does not exist", excerpt(name));
        self.fail(&Error::of(ErrorKind::DatabaseNotFound, message), None);
    }

    /// Answers FAILURE with a code of the server's own.
    pub(super) fn refuse(&mut self, code: Code, message: &str) {
        self.write_failure(code, message, None, None);
    }

    fn write_failure(
        &mut self,
        code: Code,
        message: &str,
        position: Option<Position>,
        open_cypher: Option<&str>,
    ) {
        self.rollback();
        let description = format!(
            "error: {}. {}",
            code.description,
            message.lines().next().unwrap_or_default()
        );
        self.out.failure(&Failure {
            code: code.code,
            message,
            gql: GqlError {
                status: code.gql_status,
                description: &description,
                classification: classification(code.code),
                position,
                open_cypher,
                idempotent: false,
                cause: None,
            },
        });
        self.state.failed();
    }

    /// Answers FAILURE to a peer that broke the protocol; the connection ends after it.
    pub(super) fn violate(&mut self, message: &str, gql_status: &'static str) {
        let code = match gql_status {
            "08N11" => Code {
                code: "Neo.ClientError.Request.InvalidFormat",
                gql_status,
                description: "connection exception - request error",
            },
            _ => Code {
                code: "Neo.ClientError.Request.Invalid",
                gql_status,
                description: "connection exception - protocol error",
            },
        };
        self.write_failure(code, message, None, None);
        self.state.close();
    }

    /// The bookmark of a commit, or of a read that saw everything up to it.
    pub(super) fn bookmark(node: &Node, commit: CommitSeq) -> Bookmark {
        let tail = node.log().tail();
        Bookmark {
            cluster: node.cluster(),
            term: tail.term.counter,
            incarnation: tail.incarnation.number,
            commit: commit.0,
        }
    }

    /// Answers the PULL or DISCARD that ended `stream`; `commit`: what its bookmark names, in auto-commit.
    pub(super) fn summarise(
        &mut self,
        stream: &Stream,
        commit: Option<CommitSeq>,
        filter: NotificationFilter,
        receipts: &[Receipt],
    ) {
        self.now = self.node.rt.now();
        let bookmark =
            commit.map(|commit| self.bookmarks.write(Session::bookmark(&self.node, commit)));
        let outcome = match (stream.fields.columns(), stream.rows) {
            (0, _) => OutcomeStatus::OmittedResult,
            (_, 0) => OutcomeStatus::NoData,
            _ => OutcomeStatus::Rows,
        };
        self.out.summary_success(
            &Summary {
                kind: match stream.kind {
                    Kind::Read => QueryKind::Read,
                    Kind::Write => QueryKind::Write,
                    Kind::ReadWrite => QueryKind::ReadWrite,
                    Kind::Schema | Kind::Admin => QueryKind::Schema,
                },
                t_last_ms: self.now.saturating_since(stream.started).as_millis() as u64,
                database: DATABASE,
                bookmark,
                stats: counts(&stream.stats),
                plan: stream.plan.as_deref(),
                outcome,
                notifications: &stream.notices,
                filter,
            },
            |map| write_receipts(map, commit, receipts),
        );
        self.state.stream_ended();
    }

    /// Whether the request that was just handled has still something to do.
    pub(super) fn next(&self) -> Next {
        if self.pending.is_some() {
            Next::Work
        } else {
            Next::Go
        }
    }
}

/// `quoit_commit` in the summary of a write: the commit's number, and what became of it at each registered replica.
pub(super) fn write_receipts(
    map: &mut MapWriter<'_>,
    commit: Option<CommitSeq>,
    receipts: &[Receipt],
) {
    let Some(commit) = commit.filter(|_| !receipts.is_empty()) else {
        return;
    };
    map.key("quoit_commit").map(|map| {
        map.int("commit", commit.0 as i64);
        map.key("replicas").list(|list| {
            for receipt in receipts {
                list.item().map(|map| {
                    map.string("name", &receipt.replica);
                    map.string("mode", receipt.mode);
                    map.string("outcome", receipt.outcome.as_str());
                    if let Receipted::Unconfirmed(reason) = receipt.outcome {
                        map.string("reason", &reason.to_string());
                    }
                    if receipt.outcome != Receipted::NotWaited {
                        map.int("microseconds", receipt.took.as_micros() as i64);
                    }
                });
            }
        });
    });
}

fn counts(stats: &WriteStats) -> Stats {
    Stats {
        vertices_created: stats.vertices_created,
        vertices_deleted: stats.vertices_deleted,
        edges_created: stats.edges_created,
        edges_deleted: stats.edges_deleted,
        properties_set: stats.properties_set,
        labels_added: stats.labels_added,
        labels_removed: stats.labels_removed,
        indexes_added: stats.indexes_added,
        indexes_removed: stats.indexes_removed,
        constraints_added: stats.constraints_added,
        constraints_removed: stats.constraints_removed,
        ..Stats::default()
    }
}

/// A notification in Memgraph's manner: a bare word as its code.
pub(crate) fn notification(notice: Notice) -> Notification<'static> {
    let warning = notice.severity == quoit_replication::Severity::Warning;
    Notification {
        code: Cow::Borrowed(notice.code),
        gql_status: Cow::Borrowed(if warning { "01N00" } else { "00N00" }),
        status_description: Cow::Owned(format!(
            "{}: {}",
            if warning { "warn" } else { "info" },
            notice.title
        )),
        title: Cow::Owned(notice.title),
        description: Cow::Owned(notice.description),
        severity: if warning {
            Severity::Warning
        } else {
            Severity::Information
        },
        category: Category::Topology,
        position: None,
    }
}

/// What a schema statement tells its author.
pub(super) fn schema_notification(notice: quoit_query::Notice) -> Notification<'static> {
    Notification {
        code: Cow::Borrowed(notice.code),
        gql_status: Cow::Borrowed("00N00"),
        status_description: Cow::Owned(format!("info: {}", notice.title)),
        title: Cow::Owned(notice.title),
        description: Cow::Borrowed(""),
        severity: Severity::Information,
        category: Category::Schema,
        position: None,
    }
}
