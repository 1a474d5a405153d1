//! Commits: from the number to the answer.
//!
//! Owns the end of every transaction of a session. Called when the last row of an auto-commit statement is out, and by
//! COMMIT. What always holds (design D9): up to the number a commit can fail, and then nothing of it remains; from the
//! number on it stands, and its answer is SUCCESS whatever arrives meanwhile. The answer leaves when the commit is
//! durable here and the replicas have confirmed as their modes say, with a warning for each that did not.

use super::intake::Intake;
use super::stream::Stream;
use super::transport::Transport;
use super::{Next, Session, Work, answer};
use quoit_cypher::error::{Error, ErrorKind};
use quoit_graph::ids::CommitSeq;
use quoit_graph::{CommitError, WriteStats};
use quoit_protocol::message::notification::{Notification, NotificationFilter};
use quoit_protocol::state::TransactionChange;
use quoit_rt::Instant;

/// Who asked for a commit, and is to be answered.
pub(super) enum Ask {
    /// The end of an auto-commit statement.
    Stream { stream: Box<Stream>, stats: WriteStats },
    /// COMMIT.
    Message,
    /// `COMMIT` sent as a query.
    Text { started: Instant },
    /// COMMIT, of a transaction whose streams are still being run to their end.
    Streams { then: Box<Ask> },
}

/// A commit that has its number (or saw up to it, if it only read) and is to be answered.
pub(super) struct Settle {
    seq: CommitSeq,
    wrote: bool,
    filter: NotificationFilter,
    ask: Ask,
}

impl Session {
    /// COMMIT, as a message or as text.
    pub(super) fn commit(&mut self, ask: Ask) -> Next {
        match self.finish_streams() {
            Ok(true) => {}
            Ok(false) => {
                // A stream left half read has more to do than one turn allows.
                self.pending = Some(Work::Settle(Settle {
                    seq: CommitSeq(0),
                    wrote: false,
                    filter: self.filter,
                    ask: Ask::Streams { then: Box::new(ask) },
                }));
                return Next::Work;
            }
            Err(error) => {
                self.fail(&error, None);
                return Next::Go;
            }
        }
        self.settle(ask);
        self.next()
    }

    /// Commits the transaction and answers, or leaves the answer to [`Work::Settle`].
    pub(super) fn settle(&mut self, ask: Ask) {
        let Some(transaction) = self.transaction.take() else {
            self.fail(
                &Error::of(ErrorKind::TransactionTimedOut, "the transaction was rolled back because its time was up"),
                None,
            );
            return;
        };
        if transaction.txn.wrote()
            && let Err(refusal) = self.node.replication.writable()
        {
            transaction.txn.rollback();
            self.fail(&Error::of(ErrorKind::NotALeader, refusal.to_string()), None);
            return;
        }
        let filter = transaction.filter;
        match transaction.txn.commit() {
            Ok(committed) => {
                let settle = Settle { seq: committed.seq, wrote: committed.wrote, filter, ask };
                if !committed.wrote && committed.seq <= self.node.core.graph().door().visible() {
                    self.settled(settle, Vec::new());
                } else {
                    self.pending = Some(Work::Settle(settle));
                }
            }
            Err(error) => self.fail(&refused_commit(&error), None),
        }
    }

    /// Waits for a commit as its promises ask, then answers.
    pub(super) async fn await_settled(&mut self, settle: Settle, intake: &mut Intake, transport: &mut Transport) {
        if let Ask::Streams { then } = settle.ask {
            let rt = self.node.rt.clone();
            loop {
                intake.listen(transport).await;
                if intake.urgent.interrupt() || rt.shutting_down() {
                    self.take_notice(intake);
                    self.fail(&Error::of(ErrorKind::TransactionTerminated, "the commit was stopped before it had begun"), None);
                    return;
                }
                rt.yield_now().await;
                match self.finish_streams() {
                    Ok(false) => {}
                    Ok(true) => {
                        self.settle(*then);
                        return;
                    }
                    Err(error) => {
                        self.fail(&error, None);
                        return;
                    }
                }
            }
        }
        let node = self.node.clone();
        let (seq, wrote) = (settle.seq, settle.wrote);
        let outcome = intake
            .attend(transport, async {
                node.log_core.durable(seq).await?;
                Ok::<_, quoit_log::LogError>(if wrote { node.replication.confirm(seq).await.warnings } else { Vec::new() })
            })
            .await;
        match outcome {
            Ok(warnings) => {
                let notices = warnings.iter().map(|warning| answer::notification(warning.notice())).collect();
                self.settled(settle, notices);
            }
            // The log stops the server with this; a client that is still told learns that nobody knows.
            Err(error) => self.fail(&Error::internal(format!("the outcome of the commit is unknown: {error}")), None),
        }
    }

    fn settled(&mut self, settle: Settle, notices: Vec<Notification<'static>>) {
        let bookmark = self.bookmark(settle.seq);
        match settle.ask {
            Ask::Stream { mut stream, stats } => {
                stream.notices.extend(notices);
                self.summarise(&stream, stats, Some(&bookmark), settle.filter);
            }
            Ask::Message => {
                self.state.transaction_ended();
                self.out.commit_success(Some(&bookmark), &notices, settle.filter);
            }
            Ask::Text { started } => {
                self.next_qid = 0;
                self.open_rows(std::iter::empty(), Vec::new(), notices, started, TransactionChange::Closed);
            }
            Ask::Streams { .. } => unreachable!("streams were finished before the commit had its number"),
        }
    }
}

/// Why a commit got no number; nothing of it remains.
fn refused_commit(error: &CommitError) -> Error {
    use quoit_graph::door::ReserveError;
    match error {
        CommitError::Reserve(ReserveError::Busy) => {
            Error::of(ErrorKind::Unavailable, "too many commits are waiting for the log; try again")
        }
        CommitError::Reserve(reason) => Error::of(ErrorKind::Unavailable, format!("the commit was refused: {reason}")),
        CommitError::Doomed => Error::of(
            ErrorKind::TransactionState,
            "a statement of the transaction failed, so it can only be rolled back",
        ),
    }
}
