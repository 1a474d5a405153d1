//! Admin statements: everything that is about the server and not about the graph's data.
//!
//! Owns which statement is run where, and the answer's shape. Called by the session when RUN brings an admin statement.
//! What always holds: a statement that is not available is refused by its name; none blocks its core.

mod isolation;
mod memory;
mod replication;
mod schema;
mod show;
mod snapshot;
mod transactions;

pub(crate) use show::{config_rows, durability};
pub(crate) use transactions::utc;

use crate::allocator;
use crate::isolation::Chosen;
use crate::node::{DATABASE, Node};
use quoit_cypher::ast::admin::{AdminStatement, ShowKind};
use quoit_cypher::ast::{Expr, ExprKind, LiteralValue};
use quoit_cypher::error::{Detail, Error};
use quoit_graph::value::Value;
use quoit_protocol::message::plan::{PlanArgument, PlanNode, Profile};
use quoit_query::{Parameters, PlanTree};
use quoit_replication::Notice;
use std::borrow::Cow;
use std::rc::Rc;

/// What an admin statement answers.
#[derive(Default)]
pub(crate) struct Answer {
    /// Names of the columns.
    pub(crate) columns: Vec<Cow<'static, str>>,
    /// As many values a row as columns.
    pub(crate) rows: Vec<Vec<Value>>,
    /// What its author should know.
    pub(crate) notices: Vec<Notice>,
}

impl Answer {
    fn table<const N: usize>(columns: [&'static str; N], rows: Vec<[Value; N]>) -> Answer {
        Answer {
            columns: columns.into_iter().map(Cow::Borrowed).collect(),
            rows: rows.into_iter().map(Vec::from).collect(),
            notices: Vec::new(),
        }
    }

    fn notices(notices: Vec<Notice>) -> Answer {
        Answer {
            notices,
            ..Answer::default()
        }
    }
}

/// `BEGIN`, `COMMIT`, `ROLLBACK` as queries: the session itself runs them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TransactionWord {
    Begin,
    Commit,
    Rollback,
}

impl TransactionWord {
    /// The word that a statement is, if it is one.
    pub(crate) fn of(statement: &AdminStatement) -> Option<TransactionWord> {
        match statement {
            AdminStatement::Begin => Some(TransactionWord::Begin),
            AdminStatement::Commit => Some(TransactionWord::Commit),
            AdminStatement::Rollback => Some(TransactionWord::Rollback),
            _ => None,
        }
    }
}

/// The database that a statement asks for and that does not exist.
pub(crate) fn unknown_database(statement: &AdminStatement) -> Option<&str> {
    match statement {
        AdminStatement::UseDatabase { name } => {
            Some(&*name.name).filter(|name| !crate::node::is_database(name))
        }
        _ => None,
    }
}

/// Runs a statement that is no [`TransactionWord`] and asks for no [`unknown_database`]. `explicit`: within BEGIN and COMMIT;
/// `chosen`: isolation levels of the session, which the statement may set.
///
/// # Errors
/// What the statement says is wrong; `Unsupported` for a statement that is not available.
pub(crate) async fn run(
    node: &Rc<Node>,
    statement: &AdminStatement,
    parameters: &Parameters,
    explicit: bool,
    chosen: &mut Chosen,
) -> Result<Answer, Error> {
    use AdminStatement as S;
    match statement {
        S::SetIsolationLevel { scope, level } => {
            isolation::set(node, *scope, *level, explicit, chosen).await
        }
        S::SetReplicationRole { .. }
        | S::ShowReplicationRole
        | S::RegisterReplica(_)
        | S::DropReplica { .. }
        | S::ShowReplicas
        | S::ShowReplicationLag => replication::run(node, statement, parameters, explicit).await,
        S::ShowTransactions { states } => Ok(transactions::show(node, states).await),
        S::TerminateTransactions { ids } => transactions::terminate(node, ids, parameters).await,
        S::CreateSnapshot => snapshot::create(node, explicit).await,
        S::Show(ShowKind::Snapshots) => snapshot::show(node).await,
        S::Show(ShowKind::NextSnapshot) => Ok(snapshot::show_next(node)),
        S::Show(ShowKind::ActiveUsers) => Ok(transactions::users(node).await),
        S::Show(kind) => show::run(node, *kind, chosen),
        S::ShowStorageInfoOn { database } => match database {
            Some(name) if !crate::node::is_database(&name.name) => Err(Error::argument(
                Detail::InvalidArgumentValue,
                format!(
                    "there is no database `{}`; there is one, `{DATABASE}`",
                    name.name
                ),
            )
            .at(name.span)),
            _ => Ok(memory::database_info(node)),
        },
        S::UseDatabase { .. } => Ok(Answer::default()),
        S::FreeMemory => {
            while node.core.maintain(1_000) {
                node.rt.yield_now().await;
            }
            allocator::give_back();
            Ok(Answer::default())
        }
        other => Err(Error::unsupported(format!(
            "{} is not available in this version",
            name_of(other)
        ))),
    }
}

/// A statement's words, for an error.
fn name_of(statement: &AdminStatement) -> &'static str {
    use AdminStatement as S;
    match statement {
        S::SetStorageMode(_) => "STORAGE MODE",
        S::EdgeImportMode { .. } => "EDGE IMPORT MODE",
        S::ShowDatabaseSetting { .. } => "SHOW DATABASE SETTING",
        S::SetDatabaseSetting { .. } => "SET DATABASE SETTING",
        S::RecoverSnapshot { .. } => "RECOVER SNAPSHOT",
        S::LockDataDirectory | S::UnlockDataDirectory | S::DataDirectoryLockStatus => {
            "DATA DIRECTORY LOCK"
        }
        S::CreateDatabase { .. } | S::DropDatabase { .. } => "creating and dropping databases",
        S::CreateUser { .. } | S::DropUser { .. } | S::SetPassword { .. } => "managing users",
        S::CreateRole { .. } | S::DropRole { .. } | S::SetRole { .. } | S::ClearRole { .. } => {
            "managing roles"
        }
        S::ShowRoleFor { .. } | S::ShowUsersFor { .. } => "SHOW ROLE",
        S::ShowPrivilegesFor { .. } | S::Privileges(_) => "managing privileges",
        S::CreateTrigger(_) | S::DropTrigger { .. } => "triggers",
        S::EnableTtl { .. } | S::DisableTtl | S::StopTtl => "TTL",
        S::SetSessionTrace { .. } => "SET SESSION TRACE",
        _ => "this statement",
    }
}

/// A literal or parameter in a statement; `None` for anything else.
fn constant(expression: &Expr, parameters: &Parameters) -> Option<Value> {
    match &expression.kind {
        ExprKind::Literal(literal) => Some(match &literal.value {
            LiteralValue::Null => Value::Null,
            LiteralValue::Boolean(truth) => Value::Bool(*truth),
            LiteralValue::Integer(int) => Value::Int(*int),
            LiteralValue::Float(float) => Value::Float(*float),
            LiteralValue::String(text) => Value::string(text),
        }),
        ExprKind::Parameter(name) => parameters.get(name).cloned(),
        _ => None,
    }
}

/// The plan of EXPLAIN or PROFILE for the summary, beside the rows that show it.
pub(crate) fn plan_node(plan: &PlanTree, lines: &[String]) -> PlanNode {
    let mut node = plan_branch(plan);
    node.arguments.push((
        "string-representation".to_owned(),
        PlanArgument::Text(lines.join("\n")),
    ));
    node
}

fn plan_branch(plan: &PlanTree) -> PlanNode {
    let (name, details) = plan
        .operator
        .split_once(' ')
        .unwrap_or((&plan.operator, ""));
    PlanNode {
        operator: name.to_owned(),
        identifiers: plan.identifiers.clone(),
        arguments: vec![
            ("Details".to_owned(), PlanArgument::Text(details.to_owned())),
            (
                "EstimatedRows".to_owned(),
                PlanArgument::Float(plan.estimate),
            ),
        ],
        profile: plan.measured.map(|measured| Profile {
            // What storage was asked for is not counted.
            db_hits: 0,
            rows: measured.rows,
            time_ns: Some(measured.time.as_nanos() as u64),
        }),
        children: plan.children.iter().map(plan_branch).collect(),
    }
}
