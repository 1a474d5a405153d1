//! `CALL {} IN TRANSACTIONS` and `USING PERIODIC COMMIT`: which part of a query runs in transactions of its own.
//!
//! Called where clauses are planned. What always holds: a query has one such part, at its top; what stands before and behind it only reads, since its
//! transaction is not the one that is committed. All of its transactions are over before the first row leaves, so that no `LIMIT` cuts them.

use std::rc::Rc;

use quoit_cypher::ast::{self, Clause, ClauseKind, OnError};
use quoit_cypher::error::{Detail, Error};
use quoit_cypher::span::Span;

use super::scope::Scope;
use super::{Planner, unsupported};
use crate::expression::{Place, Slot};
use crate::plan::{InTransactions, Op, Plan};

/// Something that cannot be combined with transactions within a query.
pub(super) fn refused(span: Span, what: &str) -> Error {
    Error::syntax(
        Detail::InvalidClauseComposition,
        span,
        format!("a query cannot commit transactions {what}"),
    )
}

/// The number of the last clause that writes.
pub(super) fn last_write(clauses: &[Clause]) -> usize {
    clauses.iter().rposition(Clause::writes).unwrap_or(0)
}

/// The same, where nobody asks for the rows: they need not wait for the last transaction.
pub(super) fn without_waiting(mut plan: Plan) -> Plan {
    match (&plan.op, plan.inputs.first()) {
        (Op::Eager, Some(below)) if matches!(below.op, Op::InTransactions(_)) => {
            plan.inputs.remove(0)
        }
        _ => plan,
    }
}

impl Planner<'_> {
    /// Refuses a clause that writes behind the part that commits by itself.
    pub(super) fn may_write(&self, span: Span) -> Result<(), Error> {
        match self.transactions {
            Some(_) if self.nested == 0 => Err(refused(span, "in front of a clause that writes")
                .hint("do the writing in the subquery, or in a query of its own")),
            _ => Ok(()),
        }
    }

    /// Puts a part that commits by itself on top of a plan; `inner` takes its rows from [`Op::Given`] and binds `outputs`.
    pub(super) fn in_transactions(
        &mut self,
        plan: Plan,
        inner: Plan,
        transactions: &ast::InTransactions,
        outputs: Vec<Slot>,
        span: Span,
        scope: &mut Scope,
    ) -> Result<Plan, Error> {
        let rows = match &transactions.rows {
            Some(rows) => Some(self.expr(rows, &mut scope.subquery())?),
            None => None,
        };
        // How many may run at the same time is an upper bound; here one does.
        if let Some(Some(count)) = &transactions.concurrent {
            self.expr(count, &mut scope.subquery())?;
        }
        if transactions.status.is_some() && transactions.on_error == OnError::Fail {
            return Err(Error::syntax(
                Detail::InvalidClauseComposition,
                span,
                "REPORT STATUS needs ON ERROR CONTINUE or ON ERROR BREAK",
            ));
        }
        let status = transactions.status.as_ref();
        let status = status.map(|variable| scope.bind(variable.id));
        let node = InTransactions {
            rows,
            on_error: transactions.on_error,
            status,
            outputs,
            place: Place(span),
        };
        self.committing(plan, inner, node)
    }

    /// `USING PERIODIC COMMIT`: the clauses from the first to the last that writes.
    pub(super) fn periodic_commit(
        &mut self,
        plan: Plan,
        clauses: &[Clause],
        scope: &mut Scope,
    ) -> Result<Plan, Error> {
        let Some((rows, place)) = self.periodic.take() else {
            return Err(Error::internal("there is no USING PERIODIC COMMIT"));
        };
        let mut inner = Plan::leaf(Op::Given);
        for clause in clauses {
            if let ClauseKind::With(with) = &clause.kind
                && (with.aggregates
                    || with.distinct
                    || !with.order.is_empty()
                    || with.skip.is_some()
                    || with.limit.is_some())
            {
                return Err(unsupported(
                    "a WITH that looks at all rows between clauses that write under USING PERIODIC COMMIT",
                    clause.span,
                ));
            }
            inner = self.clause(inner, clause, scope)?;
        }
        let node = InTransactions {
            rows: Some(rows),
            on_error: OnError::Fail,
            status: None,
            outputs: Vec::new(),
            place,
        };
        self.committing(plan, inner, node)
    }

    fn committing(&mut self, plan: Plan, inner: Plan, node: InTransactions) -> Result<Plan, Error> {
        let span = node.place.0;
        if self.nested > 0 {
            return Err(refused(span, "within a subquery or a UNION"));
        }
        if self.transactions.is_some() {
            return Err(refused(span, "in two places").hint("split it into two queries"));
        }
        if plan.writes() {
            return Err(refused(span, "behind a clause that writes")
                .hint("do the writing in the subquery, or in a query of its own"));
        }
        self.transactions = Some(span);
        self.is_bound = true;
        let estimate = plan.estimate.max(inner.estimate);
        let plan = Plan::joining(
            Op::InTransactions(Rc::new(node)),
            vec![plan, inner],
            estimate,
        );
        Ok(Plan::over(Op::Eager, plan))
    }
}
