//! Replication statements, from syntax to `quoit-replication` and back to rows.
//!
//! Owns the reading of their literals, in Memgraph's words for what is wrong with them, and the rows of `SHOW REPLICAS`.
//! What the statements do is replication's.

use super::{Answer, constant};
use crate::node::Node;
use quoit_cypher::ast::Expr;
use quoit_cypher::ast::admin::{AdminStatement, RegisterReplica, ReplicationRole, SyncMode};
use quoit_cypher::error::{Error, ErrorKind};
use quoit_graph::value::Value;
use quoit_query::Parameters;
use quoit_replication::{
    Fingerprint, ModeWord, REPLICAS_COLUMNS, ROLE_COLUMN, Registration, ReplicaRow, StatementError,
};
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;

/// Runs one of the replication statements.
pub(super) async fn run(
    node: &Rc<Node>,
    statement: &AdminStatement,
    parameters: &Parameters,
    explicit: bool,
) -> Result<Answer, Error> {
    if explicit {
        return Err(refused(StatementError::InTransaction));
    }
    match statement {
        AdminStatement::SetReplicationRole {
            role: ReplicationRole::Main,
            port,
            ..
        } => {
            if port.is_some() {
                return Err(refused(StatementError::MainWithPort));
            }
            node.replication
                .set_role_main()
                .await
                .map(Answer::notices)
                .map_err(refused)
        }
        AdminStatement::SetReplicationRole {
            role: ReplicationRole::Replica,
            port,
            address,
        } => {
            let port = read_port(port.as_ref(), parameters)?;
            let address = read_address(address.as_ref(), parameters)?;
            node.replication
                .set_role_replica(port, address)
                .await
                .map(Answer::notices)
                .map_err(refused)
        }
        AdminStatement::ShowReplicationRole => Ok(Answer::table(
            [ROLE_COLUMN],
            vec![[Value::string(node.replication.role().as_str())]],
        )),
        AdminStatement::RegisterReplica(register) => {
            let registration = read_registration(register, parameters)?;
            node.replication
                .register(registration)
                .await
                .map(Answer::notices)
                .map_err(refused)
        }
        AdminStatement::DropReplica { name } => node
            .replication
            .drop_replica(&name.name)
            .await
            .map(Answer::notices)
            .map_err(refused),
        AdminStatement::ShowReplicas => {
            let rows = node.replication.show_replicas().map_err(refused)?;
            Ok(Answer::table(
                REPLICAS_COLUMNS,
                rows.into_iter().map(replica_row).collect(),
            ))
        }
        _ => Ok(lag(node)),
    }
}

/// `SHOW REPLICATION LAG`: first this instance, with where it stands (what an operator needs to choose whom to promote); on a main, then
/// its replicas as it knows them. A replica knows what it holds and does not show yet, and not what its main has taken since.
fn lag(node: &Node) -> Answer {
    let standing = node.replication.standing();
    let (durable, visible) = (standing.durable, standing.visible);
    let behind = durable.commit.0.saturating_sub(visible.commit.0);
    let own = [
        Value::string(standing.role.as_str()),
        Value::Int(durable.term.counter as i64),
        Value::Int(durable.commit.0 as i64),
        Value::Int(visible.commit.0 as i64),
        Value::Int(behind as i64),
        Value::Null,
    ];
    let replicas = node.replication.show_replicas().unwrap_or_default();
    let rows = replicas.into_iter().map(|row| {
        [
            Value::string(&row.name),
            Value::Null,
            Value::from(row.data_info.ts.map(|ts| ts as i64)),
            Value::Null,
            Value::from(row.lag_transactions.map(|lag| lag as i64)),
            Value::from(row.lag_seconds),
        ]
    });
    Answer::table(
        [
            "instance",
            "term",
            "durable_commit",
            "visible_commit",
            "lag_transactions",
            "lag_seconds",
        ],
        std::iter::once(own).chain(rows).collect(),
    )
}

fn refused(error: StatementError) -> Error {
    use StatementError as E;
    let kind = match error {
        E::PortMissing
        | E::PortInvalid
        | E::PortNotInteger
        | E::MainWithPort
        | E::Endpoint(_)
        | E::NameInvalid
        | E::TimeoutOnAsync
        | E::TimeoutNotNumber
        | E::TimeoutOutOfRange(_)
        | E::DropUnknown(_) => ErrorKind::ArgumentError,
        E::StrictSyncUnavailable => ErrorKind::Unsupported,
        _ => ErrorKind::Forbidden,
    };
    Error::of(kind, error.to_string())
}

fn read_port(port: Option<&Expr>, parameters: &Parameters) -> Result<u16, Error> {
    let port = port.ok_or_else(|| refused(StatementError::PortMissing))?;
    match constant(port, parameters) {
        Some(Value::Int(number)) => match u16::try_from(number) {
            Ok(number) if number > 0 => Ok(number),
            _ => Err(refused(StatementError::PortInvalid).at(port.span)),
        },
        _ => Err(refused(StatementError::PortNotInteger).at(port.span)),
    }
}

fn read_address(address: Option<&Expr>, parameters: &Parameters) -> Result<Option<IpAddr>, Error> {
    let Some(address) = address else {
        return Ok(None);
    };
    match constant(address, parameters) {
        Some(Value::String(text)) => text.parse().map(Some).map_err(|_| {
            Error::of(
                ErrorKind::ArgumentError,
                format!("`{text}` is not an IP address to listen on"),
            )
            .at(address.span)
        }),
        _ => Err(Error::of(
            ErrorKind::ArgumentError,
            "the address to listen on must be a string",
        )
        .at(address.span)),
    }
}

fn read_registration(
    register: &RegisterReplica,
    parameters: &Parameters,
) -> Result<Registration, Error> {
    let word = match register.mode {
        SyncMode::Sync => ModeWord::Sync,
        SyncMode::Async => ModeWord::Async,
        SyncMode::StrictSync => ModeWord::StrictSync,
    };
    let seconds = match register
        .timeout
        .as_ref()
        .map(|timeout| constant(timeout, parameters))
    {
        None => None,
        Some(Some(Value::Int(seconds))) => Some(seconds as f64),
        Some(Some(Value::Float(seconds))) => Some(seconds),
        Some(_) => return Err(refused(StatementError::TimeoutNotNumber)),
    };
    let mode = word.with_timeout(seconds).map_err(refused)?;
    let text = |expression: &Expr, what: &str| match constant(expression, parameters) {
        Some(Value::String(text)) => Ok(text.to_string()),
        _ => Err(
            Error::of(ErrorKind::ArgumentError, format!("{what} must be a string"))
                .at(expression.span),
        ),
    };
    let endpoint = text(&register.address, "the replica's address")?;
    let fingerprint = match &register.fingerprint {
        None => None,
        Some(expression) => Some(
            text(expression, "the fingerprint")?
                .parse::<Fingerprint>()
                .map_err(|error| {
                    Error::of(ErrorKind::ArgumentError, error.to_string()).at(expression.span)
                })?,
        ),
    };
    Ok(Registration {
        name: register.name.name.to_string(),
        mode,
        endpoint,
        fingerprint,
    })
}

fn replica_row(row: ReplicaRow) -> [Value; REPLICAS_COLUMNS.len()] {
    let info = Value::map(vec![
        (
            Arc::from("ts"),
            Value::from(row.data_info.ts.map(|ts| ts as i64)),
        ),
        (Arc::from("behind"), Value::from(row.data_info.behind)),
        (Arc::from("status"), Value::string(row.data_info.status)),
    ]);
    [
        Value::string(&row.name),
        Value::string(&row.socket_address),
        Value::string(row.sync_mode),
        Value::Null,
        Value::map(vec![(Arc::from(crate::node::DATABASE), info)]),
        Value::from(row.timeout),
        Value::string(row.effective_mode),
        Value::from(row.lag_transactions.map(|lag| lag as i64)),
        Value::from(row.lag_seconds),
        Value::string(&row.detail),
    ]
}
