//! Commits: from the number to the answer.
//!
//! Owns the end of every transaction of a session. Called when the last row of an auto-commit statement is out, and by
//! COMMIT. What always holds (design D9): up to the number a commit can fail, and then nothing of it remains; from the
//! number on it stands, and its answer is SUCCESS whatever arrives meanwhile. The answer leaves when the commit is
//! durable here and the replicas have confirmed as their modes say, with a warning for each that did not.

use super::intake::{Intake, Notices};
use super::stream::{Finish, Stream};
use super::transport::Transport;
use super::{Next, Session, Transaction, Work, answer, stopped};
use crate::open::OpenTransaction;
use quoit_cypher::error::{Error, ErrorKind};
use quoit_graph::door::ReserveError;
use quoit_graph::ids::CommitSeq;
use quoit_graph::{CommitError, Txn};
use quoit_protocol::message::notification::{Notification, NotificationFilter};
use quoit_protocol::state::TransactionChange;
use quoit_replication::{Confirming, Receipt};
use quoit_rt::Instant;
use std::fmt::Display;

/// Who asked for a commit, and is to be answered.
pub(super) enum Ask {
    /// The end of an auto-commit statement.
    Stream(Box<Stream>),
    /// COMMIT.
    Message,
    /// `COMMIT` sent as a query.
    Text { started: Instant },
}

/// A commit that has its number (or saw up to it, if it only read) and is to be answered.
pub(super) struct Settle {
    seq: CommitSeq,
    /// Resolves when the replicas have confirmed as their modes say; absent where nothing was written.
    confirming: Option<Confirming>,
    filter: NotificationFilter,
    ask: Ask,
    /// Shows that it commits until it is answered.
    _open: OpenTransaction,
}

impl Session {
    /// COMMIT, as a message or as text.
    pub(super) fn commit(&mut self, ask: Ask) -> Next {
        match self.finish_streams() {
            Finish::All => self.settle(ask),
            // A stream left half read has more to do than one turn allows.
            // What one waits for is asked again there.
            Finish::More | Finish::Waits { .. } => self.pending = Some(Work::Finish(ask)),
            Finish::Failed => {}
        }
        self.next()
    }

    /// Goes on with COMMIT of a transaction that has streams left half read, turn by turn.
    pub(super) async fn finish_on(
        &mut self,
        ask: Ask,
        intake: &mut Intake,
        transport: &mut Transport,
    ) {
        let mut quiet_since = self.node.rt.now();
        loop {
            if !self.take_a_turn(&mut quiet_since, intake, transport).await {
                return;
            }
            match self.finish_streams() {
                Finish::All => return self.settle(ask),
                Finish::More => {}
                Finish::Waits { qid, wait } => {
                    if !self.wait_on(qid, wait, intake, transport).await {
                        return;
                    }
                }
                Finish::Failed => return,
            }
        }
    }

    /// Commits the transaction and answers, or leaves the answer to [`Work::Settle`].
    pub(super) fn settle(&mut self, ask: Ask) {
        let Some(transaction) = self.transaction.take() else {
            let lost = self.lost();
            self.fail(&lost, None);
            return;
        };
        if self.open.is_stopped() {
            transaction.txn.rollback();
            self.fail(&stopped(), None);
            return;
        }
        if transaction.txn.wrote()
            && let Err(refusal) = self.node.replication.writable()
        {
            transaction.txn.rollback();
            self.fail(&Error::of(ErrorKind::NotALeader, refusal.to_string()), None);
            return;
        }
        let filter = transaction.filter;
        match transaction.txn.try_commit() {
            Ok(committed) => {
                // Replicas' timeouts count from the commit, not from when it is durable here.
                let confirming = committed
                    .wrote
                    .then(|| self.node.replication.confirm(committed.seq));
                transaction.open.commits();
                let settle = Settle {
                    seq: committed.seq,
                    confirming,
                    filter,
                    ask,
                    _open: transaction.open,
                };
                if settle.confirming.is_none()
                    && settle.seq <= self.node.core.graph().door().visible()
                {
                    self.settled(settle, Vec::new(), Vec::new());
                } else {
                    self.pending = Some(Work::Settle(settle));
                }
            }
            Err((CommitError::Reserve(ReserveError::Busy), txn)) => {
                self.transaction = Some(Transaction {
                    txn: *txn,
                    ..transaction
                });
                self.pending = Some(Work::Room(ask));
            }
            Err((error, txn)) => {
                self.hold = self.hold.max(txn.rests_on());
                self.fail(&refused_commit(&error), None);
            }
        }
    }

    /// Waits until the log has room for the transaction, which is larger than what it had set aside or met a burst of
    /// others, then commits it.
    pub(super) async fn await_room(
        &mut self,
        ask: Ask,
        intake: &mut Intake,
        transport: &mut Transport,
    ) {
        let node = self.node.clone();
        let bytes = self
            .transaction
            .as_ref()
            .map_or(0, |transaction| transaction.txn.frame_bytes());
        let room = intake
            .attend_until(transport, Notices::interrupt, node.log_core.room(bytes))
            .await;
        match room {
            Some(Ok(())) => {
                // There may be room in the log and none in the door's ring, which empties only while others have a turn.
                node.rt.yield_now().await;
                self.settle(ask);
            }
            Some(Err(error)) => self.fail(&no_room(&error), None),
            None => self.interrupted(intake),
        }
    }

    /// Waits for a commit as its promises ask, then answers.
    pub(super) async fn await_settled(
        &mut self,
        mut settle: Settle,
        intake: &mut Intake,
        transport: &mut Transport,
    ) {
        let node = self.node.clone();
        let durable = intake
            .attend(transport, node.log_core.durable(settle.seq))
            .await;
        let outcome = match (durable, settle.confirming.take()) {
            (Ok(()), Some(confirming)) => {
                Ok(self.await_confirmed(confirming, intake, transport).await)
            }
            (durable, _) => durable.map(|()| (Vec::new(), Vec::new())),
        };
        match outcome {
            Ok((notices, receipts)) => self.settled(settle, notices, receipts),
            // The log stops the server with this; a client that is still told learns that nobody knows.
            Err(error) => self.fail(&unknown_outcome(&error), None),
        }
    }

    /// Waits for the replicas as their modes say; a notification for each that did not confirm, and a receipt for each.
    async fn await_confirmed(
        &mut self,
        confirming: Confirming,
        intake: &mut Intake,
        transport: &mut Transport,
    ) -> (Vec<Notification<'static>>, Vec<Receipt>) {
        let confirmed = self.attend(intake, transport, confirming).await;
        let warnings = confirmed.warnings.iter();
        let notices = warnings.map(|warning| answer::notification(warning.notice()));
        (notices.collect(), confirmed.receipts)
    }

    /// Commits a transaction within a statement and waits as its promises ask: its number, with a notification for each replica that did not
    /// confirm; or why there is none. `None`: given up before it had a number.
    pub(super) async fn commit_inner(
        &mut self,
        mut txn: Txn,
        intake: &mut Intake,
        transport: &mut Transport,
    ) -> Option<Result<(CommitSeq, Vec<Notification<'static>>), Error>> {
        let node = self.node.clone();
        if let Err(refusal) = node.replication.writable() {
            return Some(Err(Error::of(ErrorKind::NotALeader, refusal.to_string())));
        }
        let committed = loop {
            match txn.try_commit() {
                Ok(committed) => break committed,
                Err((CommitError::Reserve(ReserveError::Busy), busy)) => {
                    txn = *busy;
                    let room = node.log_core.room(txn.frame_bytes());
                    match intake
                        .attend_until(transport, Notices::interrupt, room)
                        .await?
                    {
                        Ok(()) => node.rt.yield_now().await,
                        Err(error) => return Some(Err(no_room(&error))),
                    }
                }
                Err((error, txn)) => {
                    self.hold = self.hold.max(txn.rests_on());
                    return Some(Err(refused_commit(&error)));
                }
            }
        };
        let confirming = committed
            .wrote
            .then(|| node.replication.confirm(committed.seq));
        let durable = intake.attend(transport, node.log_core.durable(committed.seq));
        if let Err(error) = durable.await {
            return Some(Err(unknown_outcome(&error)));
        }
        let notices = match confirming {
            Some(confirming) => self.await_confirmed(confirming, intake, transport).await.0,
            None => Vec::new(),
        };
        Some(Ok((committed.seq, notices)))
    }

    fn settled(
        &mut self,
        settle: Settle,
        notices: Vec<Notification<'static>>,
        receipts: Vec<Receipt>,
    ) {
        match settle.ask {
            Ask::Stream(mut stream) => {
                stream.notices.extend(notices);
                self.summarise(&stream, Some(settle.seq), settle.filter, &receipts);
                self.spare_text = stream.into_text();
            }
            Ask::Message => {
                self.state.transaction_ended();
                let bookmark = self
                    .bookmarks
                    .write(Session::bookmark(&self.node, settle.seq));
                let commit = Some(settle.seq);
                self.out
                    .commit_success(Some(bookmark), &notices, settle.filter, |map| {
                        answer::write_receipts(map, commit, &receipts);
                    });
            }
            Ask::Text { started } => {
                self.next_qid = 0;
                self.open_rows(
                    std::iter::empty(),
                    Vec::new(),
                    notices,
                    started,
                    TransactionChange::Closed,
                );
            }
        }
    }
}

fn no_room(error: &impl Display) -> Error {
    Error::of(
        ErrorKind::Unavailable,
        format!("the commit was refused: {error}"),
    )
}

fn unknown_outcome(error: &impl Display) -> Error {
    Error::internal(format!("the outcome of the commit is unknown: {error}"))
}

/// Why a commit got no number; nothing of it remains.
fn refused_commit(error: &CommitError) -> Error {
    match error {
        CommitError::Reserve(reason) => Error::of(
            ErrorKind::Unavailable,
            format!("the commit was refused: {reason}"),
        ),
        CommitError::Write(error) => quoit_query::write_error(error.clone()),
        CommitError::Doomed => Error::of(
            ErrorKind::TransactionState,
            "a statement of the transaction failed, so it can only be rolled back",
        ),
    }
}
