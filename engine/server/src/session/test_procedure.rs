//! The statements by which openCypher's kit declares its procedures; only builds with the feature `test-procedures` know them.
//!
//! - `CREATE TEST PROCEDURE name(input :: TYPE?, ...) :: (output :: TYPE?, ...)` with the parameter `facts`, a list of lists: a call
//!   answers the outputs of the facts whose inputs equal its arguments. It takes the place of one of the same name.
//! - `DROP TEST PROCEDURES` leaves the built-in ones.
//!
//! Owns the two statements. Called by RUN before it asks the query engine. Always holds: they count for the core that the connection
//! is served by, until the server ends, and are neither logged nor replicated.

use super::{Next, Session};
use quoit_cypher::error::{Error, ErrorKind};
use quoit_graph::value::Value;
use quoit_protocol::state::TransactionChange;
use quoit_query::{Parameters, Procedure};
use quoit_rt::Instant;

/// One of the statements.
pub(super) enum TestStatement<'q> {
    Create(&'q str),
    DropAll,
}

impl TestStatement<'_> {
    /// The statement in a query's text, if it is one of these.
    pub(super) fn of(query: &str) -> Option<TestStatement<'_>> {
        let query = query.trim();
        match query.strip_prefix("CREATE TEST PROCEDURE ") {
            Some(signature) => Some(TestStatement::Create(signature)),
            None if query == "DROP TEST PROCEDURES" => Some(TestStatement::DropAll),
            None => None,
        }
    }
}

impl Session {
    /// Carries it out and answers RUN with no columns.
    pub(super) fn run_test_statement(
        &mut self,
        statement: &TestStatement<'_>,
        parameters: &Parameters,
        started: Instant,
    ) -> Result<Next, Error> {
        match statement {
            TestStatement::Create(signature) => {
                let facts = facts(parameters)?;
                let procedure = Procedure::of_facts(signature, facts)?;
                self.node.queries.register(procedure);
            }
            TestStatement::DropAll => self.node.queries.unregister_all(),
        }
        let columns = std::iter::empty();
        self.open_rows(
            columns,
            Vec::new(),
            Vec::new(),
            started,
            TransactionChange::None,
        );
        Ok(Next::Go)
    }
}

fn facts(parameters: &Parameters) -> Result<Vec<Vec<Value>>, Error> {
    let wrong = || Error::of(ErrorKind::ArgumentError, "`$facts` is a list of lists");
    let Some(Value::List(facts)) = parameters.get("facts") else {
        return Err(wrong());
    };
    let fact = |fact: &Value| match fact {
        Value::List(values) => Ok(values.to_vec()),
        _ => Err(wrong()),
    };
    facts.iter().map(fact).collect()
}
