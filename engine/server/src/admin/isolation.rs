//! `SET GLOBAL|SESSION|NEXT TRANSACTION ISOLATION LEVEL`.
//!
//! Owns their refusals, and the commit that carries the global level into the log, where a restart and every replica
//! find it.

use super::Answer;
use crate::isolation::{Chosen, SETTING, of_statement, word};
use crate::node::Node;
use quoit_cypher::ast::admin::{IsolationLevel, IsolationScope};
use quoit_cypher::error::{Error, ErrorKind};
use quoit_graph::{Access, Isolation};
use std::rc::Rc;

/// Sets a level. Of a transaction that has begun it cannot be changed.
pub(super) async fn set(
    node: &Rc<Node>,
    scope: IsolationScope,
    level: IsolationLevel,
    explicit: bool,
    chosen: &mut Chosen,
) -> Result<Answer, Error> {
    if explicit {
        return Err(Error::of(
            ErrorKind::SchemaError,
            "Isolation level cannot be modified in multicommand transactions.",
        ));
    }
    let level = of_statement(level).ok_or_else(|| {
        Error::unsupported(
            "SERIALIZABLE is not available in this version; SNAPSHOT ISOLATION is the strictest level",
        )
    })?;
    match scope {
        IsolationScope::Global => return set_global(node, level).await,
        IsolationScope::Session => chosen.session = Some(level),
        IsolationScope::Next => chosen.next = Some(level),
    }
    Ok(Answer::default())
}

/// Commits `level` as everybody's, and waits as for any commit.
async fn set_global(node: &Rc<Node>, level: Isolation) -> Result<Answer, Error> {
    node.replication
        .writable()
        .map_err(|refusal| Error::of(ErrorKind::NotALeader, refusal.to_string()))?;
    let mut txn = node.core.begin(Access::Write, Isolation::Snapshot);
    txn.set_setting(SETTING, word(level).as_bytes())
        .map_err(|error| Error::internal(error.to_string()))?;
    let unavailable = |error: String| {
        Error::of(
            ErrorKind::Unavailable,
            format!("the commit was refused: {error}"),
        )
    };
    node.log_core
        .room(txn.frame_bytes())
        .await
        .map_err(|error| unavailable(error.to_string()))?;
    let committed = txn
        .commit()
        .map_err(|error| unavailable(error.to_string()))?;
    let confirming = node.replication.confirm(committed.seq);
    node.shared.isolation.committed(level, committed.seq.0);
    node.log_core
        .durable(committed.seq)
        .await
        .map_err(|error| {
            Error::internal(format!("the outcome of the commit is unknown: {error}"))
        })?;
    let confirmed = confirming.await;
    Ok(Answer::notices(
        confirmed
            .warnings
            .iter()
            .map(|warning| warning.notice())
            .collect(),
    ))
}
