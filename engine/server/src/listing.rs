//! `SHOW TRANSACTIONS`, `SHOW DATABASES` and `SHOW SETTINGS` as Neo4j has them, with `YIELD` or `WHERE`; Neo4j 4's procedures about the
//! server, which its tools still call.
//!
//! Owns the procedures that such a statement is a query over, in Neo4j's columns. Called once a core at start, which registers them. What
//! always holds: a call waits for nothing; where it needs other cores' answers it yields until they are there.

use crate::admin;
use crate::node::{DATABASE, Node};
use crate::open::ListedTransaction;
use crate::peers;
use quoit_cypher::ast::show::{self, Shown};
use quoit_cypher::error::{Error, ErrorKind};
use quoit_graph::value::{Duration, Value};
use quoit_query::{Context, Field, FieldType, Procedure, Progress, Run};
use quoit_replication::Role;
use quoit_rt::{Priority, Task};
use std::cell::RefCell;
use std::rc::{Rc, Weak};

/// Makes the statements' procedures callable on this core.
pub(crate) fn register(node: &Rc<Node>) {
    register_facts(node);
    // The node owns the engine, which owns its procedures.
    let of_transactions = Rc::downgrade(node);
    node.queries.register(Procedure::stepwise(
        show::TRANSACTIONS.procedure,
        Vec::new(),
        outputs(&show::TRANSACTIONS),
        move |_| {
            Box::new(Transactions {
                node: of_transactions.clone(),
                asked: None,
                told: Rc::default(),
            })
        },
    ));
    let of_databases = Rc::downgrade(node);
    node.queries.register(Procedure::new(
        show::DATABASES.procedure,
        Vec::new(),
        outputs(&show::DATABASES),
        move |_, _| Ok(vec![database(&*upgrade(&of_databases)?)]),
    ));
    let of_settings = Rc::downgrade(node);
    node.queries.register(Procedure::new(
        show::SETTINGS.procedure,
        Vec::new(),
        outputs(&show::SETTINGS),
        move |_, _| {
            let row = |[name, default, current, description]: [Value; 4]| {
                vec![name, current, Value::Bool(false), default, description]
            };
            let rows = admin::config_rows(&*upgrade(&of_settings)?);
            Ok(rows.into_iter().map(row).collect())
        },
    ));
}

/// Makes callable what Neo4j's tools ask about the server.
fn register_facts(node: &Rc<Node>) {
    let text = |name| Field::new(name, FieldType::String);
    let settings = |name: &str| {
        let node = Rc::downgrade(node);
        let outputs = vec![
            text("name"),
            text("description"),
            text("value"),
            Field::new("dynamic", FieldType::Boolean),
        ];
        Procedure::new(name, Vec::new(), outputs, move |args, _| {
            let wanted = match args.first() {
                Some(Value::String(wanted)) => wanted.to_lowercase(),
                _ => String::new(),
            };
            let row = |[name, _, current, description]: [Value; 4]| {
                let is_wanted =
                    matches!(&name, Value::String(name) if name.contains(wanted.as_str()));
                is_wanted.then(|| vec![name, description, current, Value::Bool(false)])
            };
            let rows = admin::config_rows(&*upgrade(&node)?);
            Ok(rows.into_iter().filter_map(row).collect())
        })
    };
    let listed = settings("dbms.listConfig").taking_at_most(vec![text("searchString")]);
    let listed = listed.described("The options that the server was started with.");
    node.queries.register(listed);
    let for_clients = settings("dbms.clientConfig");
    let for_clients = for_clients.described("The options that the server was started with.");
    node.queries.register(for_clients);
    let flags = Field::new("flags", FieldType::List);
    let roles = Field::new("roles", FieldType::List);
    let user = Procedure::new(
        "dbms.showCurrentUser",
        Vec::new(),
        vec![text("username"), roles, flags],
        |_, _| {
            // There are no users: everyone is the same nameless one, as in Neo4j without authentication.
            let nothing = || Value::list(Vec::new());
            Ok(vec![vec![Value::string(""), nothing(), nothing()]])
        },
    );
    let user = user.described("Who the connection has logged in as.");
    node.queries.register(user);
}

fn outputs(shown: &Shown) -> Vec<Field> {
    let columns = shown.columns.iter();
    columns
        .map(|name| Field::new(name, FieldType::Any))
        .collect()
}

fn upgrade(node: &Weak<Node>) -> Result<Rc<Node>, Error> {
    let stopping = || Error::of(ErrorKind::Unavailable, "the server is shutting down");
    node.upgrade().ok_or_else(stopping)
}

fn database(node: &Node) -> Vec<Value> {
    let is_main = node.replication.role() == Role::Main;
    let options = &node.options;
    let address = options.advertised_address.clone().unwrap_or_else(|| {
        let ip = options
            .bolt_address
            .map_or("localhost".to_owned(), |ip| ip.to_string());
        format!("{ip}:{}", options.bolt_port)
    });
    let text = |text: &str| Value::string(text);
    vec![
        text(DATABASE),
        text("standard"),
        Value::list(Vec::new()),
        text(if is_main { "read-write" } else { "read-only" }),
        Value::from(address),
        text(if is_main { "primary" } else { "secondary" }),
        Value::Bool(is_main),
        text("online"),
        text("online"),
        text(""),
        Value::Bool(true),
        Value::Bool(true),
        Value::list(Vec::new()),
    ]
}

/// A call that asks all cores.
struct Transactions {
    node: Weak<Node>,
    /// The task that asks.
    asked: Option<Task<()>>,
    /// What it has been told, when it is done.
    told: Rc<RefCell<Option<Vec<ListedTransaction>>>>,
}

impl Run for Transactions {
    fn next(
        &mut self,
        _cx: &mut Context<'_>,
        rows: &mut Vec<Vec<Value>>,
    ) -> Result<Progress, Error> {
        if self.asked.is_none() {
            let node = upgrade(&self.node)?;
            let rt = node.rt.clone();
            let told = self.told.clone();
            self.asked = Some(rt.spawn(Priority::Latency, async move {
                let transactions = peers::transactions(&node).await;
                *told.borrow_mut() = Some(transactions);
            }));
        }
        let Some(transactions) = self.told.borrow_mut().take() else {
            return Ok(Progress::Waits);
        };
        rows.extend(transactions.into_iter().map(transaction));
        Ok(Progress::Done)
    }
}

fn transaction(listed: ListedTransaction) -> Vec<Value> {
    let id = format!("{DATABASE}-transaction-{}", listed.number);
    let query = listed.queries.last().cloned().unwrap_or_default();
    let age = Duration {
        months: 0,
        days: 0,
        seconds: listed.age.as_secs() as i64,
        nanoseconds: listed.age.subsec_nanos(),
    };
    vec![
        Value::string(DATABASE),
        Value::from(id),
        Value::from(format!("query-{}", listed.number)),
        Value::from(format!("bolt-{}", listed.connection)),
        Value::Null,
        Value::from(listed.user),
        Value::from(query),
        admin::utc(listed.since_us),
        Value::string(match listed.status.as_str() {
            "running" => "Running",
            "committing" => "Closing",
            _ => "Terminated with reason: Status.Code[Neo.TransientError.Transaction.Terminated]",
        }),
        Value::from(age),
        match listed.metadata {
            Value::Null => Value::map(Vec::new()),
            metadata => metadata,
        },
    ]
}
