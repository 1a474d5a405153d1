//! From a syntax tree that could be meant to one that is: names resolved, static types looked at, clauses in an order that makes sense.
//!
//! [`check`] walks the tree once, in the order in which the query binds its variables, and writes what it finds into the tree (see
//! [`crate::ast`] for the fields). After it every [`crate::ast::Variable`] has its [`VarId`], every call its [`crate::functions::Function`], every projection its columns. What
//! it refuses carries the TCK's type and detail and the place of the mistake.
//!
//! Types are static knowledge only ([`ValueType`]): what is not known is `ANY` and passes. Values, parameters' values and the data are not seen here;
//! procedures are known through [`Procedures`], which the engine implements.

mod clause;
mod expression;
mod pattern;
mod procedure;
mod projection;
mod same;
mod scope;
mod types;
mod written;

use std::collections::BTreeSet;

use crate::ast::*;
use crate::error::Result;
use crate::span::Span;

pub use types::{Base, ValueType};

/// A checked statement.
#[derive(Clone, Debug, PartialEq)]
pub struct Checked {
    /// The tree, with everything filled in.
    pub statement: Statement,
    /// What is known of each variable; the index is [`VarId`].
    pub variables: Vec<VariableInfo>,
    /// The names of the parameters in use, sorted, each once.
    pub parameters: Vec<Name>,
    /// What the statement does.
    pub effects: Effects,
}

impl Checked {
    /// The output columns; none for what is no query.
    pub fn columns(&self) -> &[Column] {
        match &self.statement.body {
            StatementBody::Query(query) => &query.columns,
            _ => &[],
        }
    }

    /// What is known of a variable.
    pub fn variable(&self, id: VarId) -> &VariableInfo {
        &self.variables[id.0 as usize]
    }
}

/// A variable of a statement.
#[derive(Clone, Debug, PartialEq)]
pub struct VariableInfo {
    /// Its name; `None` for nodes and relationships that the query does not name.
    pub name: Option<Name>,
    /// What is known of its value.
    pub kind: ValueType,
    /// Where it is bound.
    pub span: Span,
}

/// What a statement does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Effects {
    /// It looks at data.
    pub reads: bool,
    /// It changes data (or calls a procedure that does).
    pub writes: bool,
    /// It is a schema statement.
    pub schema: bool,
    /// It is an admin statement.
    pub admin: bool,
}

/// The procedures that a query can call.
pub trait Procedures {
    /// The procedure of that full name (`ns.name`).
    fn find(&self, name: &str) -> Option<&ProcedureSignature>;

    /// All full names, for "did you mean".
    fn names(&self) -> Vec<&str>;
}

/// No procedures at all.
pub struct NoProcedures;

impl Procedures for NoProcedures {
    fn find(&self, _: &str) -> Option<&ProcedureSignature> {
        None
    }

    fn names(&self) -> Vec<&str> {
        Vec::new()
    }
}

/// What a procedure takes and gives.
#[derive(Clone, Debug, PartialEq)]
pub struct ProcedureSignature {
    /// Namespace and name.
    pub name: Name,
    /// Names and types of its inputs.
    pub inputs: Vec<(Name, ValueType)>,
    /// So many of the last inputs may be left out; they are null then.
    pub optional: usize,
    /// Names and types of its outputs; none for a procedure that only acts.
    pub outputs: Vec<(Name, ValueType)>,
    /// True if it changes data.
    pub writes: bool,
}

/// Checks a statement and fills in what the check finds out.
///
/// # Errors
/// The first thing that is wrong, in the order of the text as far as scopes allow; always of the compile-time phase with a span.
pub fn check(mut statement: Statement, procedures: &dyn Procedures) -> Result<Checked> {
    let mut checker = Checker {
        procedures,
        variables: Vec::new(),
        frames: vec![scope::Frame::closed()],
        parameters: BTreeSet::new(),
        effects: Effects::default(),
    };
    match &mut statement.body {
        StatementBody::Query(query) => checker.root_query(query)?,
        StatementBody::Schema(_) => checker.effects.schema = true,
        StatementBody::Admin(admin) => {
            checker.effects.admin = true;
            checker.admin(admin)?;
        }
    }
    let parameters = checker.parameters.into_iter().collect();
    Ok(Checked {
        statement,
        variables: checker.variables,
        parameters,
        effects: checker.effects,
    })
}

struct Checker<'p> {
    procedures: &'p dyn Procedures,
    variables: Vec<VariableInfo>,
    /// Innermost last; never empty.
    frames: Vec<scope::Frame>,
    parameters: BTreeSet<Name>,
    effects: Effects,
}

impl Checker<'_> {
    /// Admin statements name no variables; their parameters are noted.
    fn admin(&mut self, admin: &mut AdminStatement) -> Result<()> {
        use AdminStatement::*;
        let mut noted: Vec<&mut Expr> = Vec::new();
        match admin {
            SetReplicationRole { port, address, .. } => {
                noted.extend(port.iter_mut().chain(address))
            }
            RegisterReplica(register) => {
                noted.push(&mut register.address);
                noted.extend(register.timeout.iter_mut().chain(&mut register.fingerprint));
            }
            ShowDatabaseSetting { name } => noted.push(name),
            SetDatabaseSetting { name, value } => noted.extend([name, value]),
            TerminateTransactions { ids } => noted.extend(ids),
            RecoverSnapshot { path, .. } => noted.push(path),
            CreateUser { password, .. } => noted.extend(password),
            SetPassword {
                password, replace, ..
            } => noted.extend(std::iter::once(password).chain(replace)),
            EnableTtl { every, at } => noted.extend(every.iter_mut().chain(at)),
            _ => {}
        }
        for expr in noted {
            self.expression(expr, expression::Place::VALUE)?;
        }
        Ok(())
    }
}
