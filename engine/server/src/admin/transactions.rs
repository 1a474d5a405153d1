//! `SHOW TRANSACTIONS`, `TERMINATE TRANSACTIONS`, `SHOW ACTIVE USERS INFO`: who does what on this server, and stopping it.
//!
//! Owns the rows, in Memgraph's columns, and the reading of transactions' ids. What always holds: all cores are asked; a transaction that
//! has its commit number is not stopped. The sessions' side is `open`'s, the way between cores `peers`'.

use super::{Answer, constant};
use crate::node::Node;
use crate::open::Status;
use crate::peers;
use quoit_cypher::ast::Expr;
use quoit_cypher::ast::admin::TransactionState;
use quoit_cypher::error::{Detail, Error};
use quoit_graph::value::{DateTime, Value};
use quoit_query::Parameters;
use std::rc::Rc;
use std::sync::Arc;

/// Rows of the transactions in one of these states; of all if none is named.
pub(super) async fn show(node: &Rc<Node>, states: &[TransactionState]) -> Answer {
    let wanted = |status: Status| {
        let state = match status {
            Status::Running => TransactionState::Running,
            Status::Committing => TransactionState::Committing,
            Status::Aborting => TransactionState::Aborting,
        };
        states.is_empty() || states.contains(&state)
    };
    let all = peers::transactions(node).await;
    let rows = all.into_iter().filter(|listed| wanted(listed.status));
    let rows = rows.map(|listed| {
        let queries = listed.queries.into_iter().map(Value::from);
        [
            Value::from(listed.user),
            Value::from(listed.number.to_string()),
            Value::list(queries.collect()),
            Value::string(listed.status.as_str()),
            match listed.metadata {
                Value::Null => Value::map(Vec::new()),
                metadata => metadata,
            },
            utc(listed.since_us),
            Value::Int(listed.age.as_millis() as i64),
        ]
    });
    Answer::table(
        [
            "username",
            "transaction_id",
            "query",
            "status",
            "metadata",
            "start_time",
            "elapsed_ms",
        ],
        rows.collect(),
    )
}

/// Stops each transaction named; a row for each says whether it was there to be stopped.
///
/// # Errors
/// An id that is no string, before anything is stopped.
pub(super) async fn terminate(
    node: &Rc<Node>,
    ids: &[Expr],
    parameters: &Parameters,
) -> Result<Answer, Error> {
    let mut named: Vec<Arc<str>> = Vec::new();
    for id in ids {
        match constant(id, parameters) {
            Some(Value::String(text)) => named.push(text),
            Some(Value::List(list)) => {
                for item in list.iter() {
                    match item {
                        Value::String(text) => named.push(text.clone()),
                        _ => return Err(no_id(id)),
                    }
                }
            }
            _ => return Err(no_id(id)),
        }
    }
    let mut rows = Vec::with_capacity(named.len());
    for id in named {
        let killed = match number(&id) {
            Some(number) => peers::stop(node, number).await,
            None => false,
        };
        rows.push([Value::String(id), Value::Bool(killed)]);
    }
    Ok(Answer::table(["transaction_id", "killed"], rows))
}

fn no_id(id: &Expr) -> Error {
    Error::argument(
        Detail::InvalidArgumentType,
        "a transaction's id is a string",
    )
    .at(id.span)
    .hint("SHOW TRANSACTIONS lists them: TERMINATE TRANSACTIONS \"17\", \"18\"")
}

/// The number in an id: all of it, or what stands behind the last `-`, as in Neo4j's `neo4j-transaction-17`.
fn number(id: &str) -> Option<u64> {
    id.rsplit('-').next()?.parse().ok()
}

/// Rows of the clients that are logged in.
pub(super) async fn users(node: &Rc<Node>) -> Answer {
    let row = |listed: crate::open::ListedUser| {
        [
            Value::from(listed.user),
            Value::from(format!("bolt-{}", listed.connection)),
            utc(listed.since_us),
        ]
    };
    let rows = peers::users(node).await.into_iter().map(row);
    Answer::table(
        ["username", "session uuid", "login timestamp"],
        rows.collect(),
    )
}

/// An instant, given in microseconds since 1970.
pub(crate) fn utc(since_1970_us: u64) -> Value {
    Value::DateTime(Arc::new(DateTime {
        seconds: (since_1970_us / 1_000_000) as i64,
        nanoseconds: (since_1970_us % 1_000_000) as u32 * 1_000,
        offset_seconds: 0,
        zone: None,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_number_or_ends_in_one_as_neo4j_writes_it() {
        assert_eq!(number("17"), Some(17));
        assert_eq!(number("neo4j-transaction-17"), Some(17));
        for wrong in ["", "-", "x", "17x", "snapshot", "99999999999999999999"] {
            assert_eq!(number(wrong), None, "{wrong}");
        }
    }
}
