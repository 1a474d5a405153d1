//! Statements about snapshots.
//!
//! Owns the answers, in Memgraph's columns. Called by `admin`. What always holds: CREATE SNAPSHOT answers when the snapshot is on disk and
//! verified; listing looks at manifests only.

use super::{Answer, utc};
use crate::node::Node;
use crate::snapshot::{self, WriteError};
use quoit_cypher::error::{Detail, Error, ErrorKind};
use quoit_graph::value::Value;
use quoit_log::LogError;
use quoit_log::snapshot::Listed;
use std::rc::Rc;

fn failed(error: &LogError) -> Error {
    let message = format!("snapshots cannot be used: {error}");
    Error::of(ErrorKind::ExternalResourceFailed, message)
}

/// `CREATE SNAPSHOT`.
pub(super) async fn create(node: &Rc<Node>, explicit: bool) -> Result<Answer, Error> {
    if explicit {
        return Err(Error::argument(
            Detail::InvalidArgumentValue,
            "CREATE SNAPSHOT cannot be run in an explicit transaction: send it by itself",
        ));
    }
    let info = snapshot::create(node).await.map_err(|error| match error {
        WriteError::Running => Error::of(ErrorKind::Unavailable, error.to_string()),
        WriteError::Log(_) => Error::of(ErrorKind::ExternalResourceFailed, error.to_string()),
    })?;
    let path = Value::string(info.path.display().to_string());
    Ok(Answer::table(["path"], vec![[path]]))
}

/// `SHOW SNAPSHOTS`: the newest first; one whose manifest cannot be used with what is wrong instead of its size.
pub(super) async fn show(node: &Rc<Node>) -> Result<Answer, Error> {
    let listed = snapshot::store(node).list(&node.rt.disk()).await;
    let rows = listed.map_err(|error| failed(&error))?.into_iter();
    let rows = rows.map(|listed| match listed {
        Listed::Good(info) => [
            Value::string(info.path.display().to_string()),
            Value::Int(info.head.commit.0 as i64),
            utc(info.head.unix_ms * 1000),
            Value::string(super::memory::size(info.bytes())),
        ],
        Listed::Bad(error) => [
            Value::string(error.path.display().to_string()),
            Value::Null,
            Value::Null,
            Value::string(format!(
                "damaged at offset {}: {}",
                error.offset, error.what
            )),
        ],
    });
    Ok(Answer::table(
        ["path", "timestamp", "creation_time", "size"],
        rows.collect(),
    ))
}

/// `SHOW NEXT SNAPSHOT`: nothing where none is due.
pub(super) fn show_next(node: &Node) -> Answer {
    let due = node.shared.snapshots.next_due_ms();
    let directory = snapshot::store(node).directory().display().to_string();
    let rows = due.map(|due| [Value::string(&directory), utc(due * 1000)]);
    Answer::table(["path", "creation_time"], rows.into_iter().collect())
}
