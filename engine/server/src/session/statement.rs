//! Statements that are not the query engine's: admin statements, and `BEGIN`, `COMMIT`, `ROLLBACK` sent as queries.
//!
//! Owns their way through a session: RUN carries them out, and PULL then finds rows that are there already. Called by the
//! session's loop. What always holds: a statement runs to its end once it was begun, whatever arrives meanwhile; its rows
//! are fetched like those of a query. What a statement does is `admin`'s.

use super::intake::Intake;
use super::settle::Ask;
use super::stream::Stream;
use super::transport::Transport;
use super::{Session, TransactionOptions};
use crate::admin;
use quoit_cypher::error::{Error, ErrorKind};
use quoit_graph::value::Value;
use quoit_protocol::message::answer::{EncodedFields, RunAnswer};
use quoit_protocol::message::notification::Notification;
use quoit_protocol::state::TransactionChange;
use quoit_query::{Parameters, Prepared};
use quoit_rt::Instant;
use std::rc::Rc;

/// An admin statement that is to be run.
pub(super) struct AdminRun {
    pub(super) prepared: Prepared,
    pub(super) parameters: Parameters,
    pub(super) options: TransactionOptions,
    pub(super) started: Instant,
    pub(super) text: Rc<String>,
}

impl Session {
    /// Runs an admin statement and opens a stream of its rows.
    pub(super) async fn run_admin(
        &mut self,
        run: AdminRun,
        intake: &mut Intake,
        transport: &mut Transport,
    ) {
        let statement = run
            .prepared
            .admin()
            .expect("an admin statement was prepared");
        if let Some(word) = admin::TransactionWord::of(statement) {
            self.run_transaction_word(word, run.options, run.started);
            return;
        }
        if let Some(name) = admin::unknown_database(statement) {
            self.refuse_database(name);
            return;
        }
        let explicit = self.transaction.as_ref().is_some_and(|tx| tx.explicit);
        self.flush(intake, transport).await;
        let node = self.node.clone();
        let open = (!explicit).then(|| {
            let metadata = run.options.metadata.clone();
            self.open.begin(node.rt.now(), None, metadata)
        });
        self.open.runs(&run.text);
        let mut chosen = self.isolation;
        let running = admin::run(&node, statement, &run.parameters, explicit, &mut chosen);
        let answer = self.attend(intake, transport, running).await;
        self.isolation = chosen;
        drop(open);
        match answer {
            Ok(answer) => {
                let notices = answer
                    .notices
                    .into_iter()
                    .map(super::answer::notification)
                    .collect();
                self.open_rows(
                    answer.columns.iter().map(|c| &**c),
                    answer.rows,
                    notices,
                    run.started,
                    TransactionChange::None,
                );
            }
            Err(error) => self.fail(&error, Some(&run.text)),
        }
    }

    /// Answers RUN and opens a stream of rows that are there already.
    pub(super) fn open_rows<'n>(
        &mut self,
        columns: impl Iterator<Item = &'n str>,
        rows: Vec<Vec<Value>>,
        notices: Vec<Notification<'static>>,
        started: Instant,
        change: TransactionChange,
    ) {
        let fields = Rc::new(EncodedFields::new(columns));
        let explicit = self.transaction.as_ref().is_some_and(|tx| tx.explicit);
        if !explicit {
            self.next_qid = 0;
        }
        let qid = self.next_qid;
        self.next_qid += 1;
        self.out.run_success(&RunAnswer {
            fields: &fields,
            t_first_ms: self.node.rt.now().saturating_since(started).as_millis() as u64,
            qid: explicit.then_some(qid),
            database: None,
        });
        self.streams
            .push(Stream::of_rows(qid, fields, rows, notices, started));
        self.state.run_succeeded(change);
    }

    /// `BEGIN`, `COMMIT`, `ROLLBACK` sent as queries, as mgclient does.
    fn run_transaction_word(
        &mut self,
        word: admin::TransactionWord,
        options: TransactionOptions,
        started: Instant,
    ) {
        let explicit = self.transaction.as_ref().is_some_and(|tx| tx.explicit);
        match (word, explicit) {
            (admin::TransactionWord::Begin, true) => {
                self.fail(
                    &Error::of(
                        ErrorKind::TransactionState,
                        "Nested transactions are not supported.",
                    ),
                    None,
                );
            }
            (admin::TransactionWord::Begin, false) => {
                self.open_explicit(options);
                self.open_rows(
                    std::iter::empty(),
                    Vec::new(),
                    Vec::new(),
                    started,
                    TransactionChange::Opened,
                );
            }
            (admin::TransactionWord::Commit | admin::TransactionWord::Rollback, false) => {
                self.fail(
                    &Error::of(
                        ErrorKind::TransactionState,
                        "No current transaction to commit or roll back.",
                    ),
                    None,
                );
            }
            (admin::TransactionWord::Commit, true) => {
                self.commit(Ask::Text { started });
            }
            (admin::TransactionWord::Rollback, true) => {
                self.rollback();
                self.open_rows(
                    std::iter::empty(),
                    Vec::new(),
                    Vec::new(),
                    started,
                    TransactionChange::Closed,
                );
            }
        }
    }
}
