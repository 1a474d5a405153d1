//! What a query says about its run: limits on memory and hops, the database it is for; and where its rows were loaded from.

use quoit_cypher::ast;
use quoit_cypher::error::{Detail, Error, ErrorKind, Phase};
use quoit_cypher::functions::Function;
use quoit_cypher::span::Span;
use quoit_graph::value::Value;

use super::Planner;
use super::scope::Scope;
use crate::expression::{Expr, Place};
use crate::plan::Plan;
use crate::plan::limits::{Count, MemoryBound};

impl Planner<'_> {
    /// `USE name`: all there is to it is that the name is that of the one database.
    pub(super) fn use_clause(
        &self,
        plan: Plan,
        name: &[ast::Ident],
        span: Span,
    ) -> Result<Plan, Error> {
        let parts: Vec<&str> = name.iter().map(|part| &*part.name).collect();
        let name = parts.join(".");
        let mut known = self.catalog.databases.iter();
        if known.any(|known| known.eq_ignore_ascii_case(&name)) {
            return Ok(plan);
        }
        Err(Error::new(
            ErrorKind::DatabaseNotFound,
            Phase::CompileTime,
            Detail::DoesNotExist,
            format!("database `{name}` does not exist"),
        )
        .at(span)
        .hint("SHOW DATABASES names those there are"))
    }

    /// `QUERY MEMORY` of the query at work.
    pub(super) fn limit_memory(&mut self, query: &ast::Query) -> Result<(), Error> {
        if let Some(limit) = &query.memory_limit {
            if self.nested > 0 {
                return Err(Error::syntax(
                    Detail::InvalidClauseComposition,
                    query.span,
                    "QUERY MEMORY can only be said at the end of the whole query",
                ));
            }
            self.memory_limit = Some(self.memory_bound(limit)?);
        }
        Ok(())
    }

    /// `LIMIT n KB`, `UNLIMITED`.
    pub(super) fn memory_bound(&mut self, limit: &ast::MemoryLimit) -> Result<MemoryBound, Error> {
        Ok(match limit {
            ast::MemoryLimit::Unlimited => MemoryBound::Unlimited,
            ast::MemoryLimit::Bytes { amount, unit_bytes } => MemoryBound::Bytes {
                units: self.count(amount, "a limit on memory")?,
                unit_bytes: *unit_bytes,
            },
        })
    }

    /// `linenumber()` and `file()`: null in a query that loads nothing.
    pub(super) fn of_load(
        &self,
        function: Function,
        span: Span,
        scope: &Scope,
    ) -> Result<Expr, Error> {
        let Some((line, file)) = self.loaded else {
            return Ok(Expr::constant(Value::Null));
        };
        let wanted = match function {
            Function::File => file,
            _ => line,
        };
        scope.resolve(wanted).ok_or_else(|| {
            Error::unsupported(format!(
                "{function}() is known up to the first WITH or RETURN behind LOAD CSV only"
            ))
            .at(span)
            .hint(format!("hand it on: WITH row, {function}() AS x"))
        })
    }

    /// A number that is a literal or a parameter; `what` names it in the error.
    pub(super) fn count(&mut self, expr: &ast::Expr, what: &str) -> Result<Count, Error> {
        let planned = self.expr(expr, &mut Scope::new())?;
        Count::of(planned, Place(expr.span)).ok_or_else(|| {
            Error::syntax(
                Detail::InvalidArgumentType,
                expr.span,
                format!("{what} is an integer or a parameter"),
            )
        })
    }
}
