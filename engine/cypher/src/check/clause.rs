//! Queries and clauses: their order, and the scope from one to the next.

use super::Checker;
use super::expression::{Place, invalid_type};
use super::pattern::New;
use super::projection::ProjectionKind;
use super::scope::Frame;
use super::types::{Base, ValueType};
use super::written::Written;
use crate::ast::*;
use crate::error::{Detail, Error, Result};
use crate::span::Span;

/// What a query stands in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    /// It is the statement.
    Root,
    /// `CALL { }`.
    Call,
    /// `EXISTS { }`, `COUNT { }`, `COLLECT { }`.
    Expression,
}

impl Checker<'_> {
    /// Checks the query that is the whole statement.
    pub(super) fn root_query(&mut self, query: &mut Query) -> Result<()> {
        self.hints(query)?;
        self.query(query, Role::Root)
    }

    fn hints(&mut self, query: &mut Query) -> Result<()> {
        for hint in &mut query.hints {
            match hint {
                QueryHint::HopsLimit(expr)
                | QueryHint::PeriodicCommit(expr)
                | QueryHint::ParallelExecution(Some(expr)) => {
                    self.expression(expr, Place::VALUE)?;
                }
                QueryHint::Index { .. } | QueryHint::ParallelExecution(None) => {}
            }
        }
        self.memory_limit(&mut query.memory_limit)
    }

    pub(super) fn memory_limit(&mut self, limit: &mut Option<MemoryLimit>) -> Result<()> {
        if let Some(MemoryLimit::Bytes { amount, .. }) = limit {
            self.expression(amount, Place::VALUE)?;
        }
        Ok(())
    }

    fn query(&mut self, query: &mut Query, role: Role) -> Result<()> {
        let lone = query.parts.len() == 1;
        for part in &mut query.parts {
            self.within(Frame::open(), |checker| {
                checker.single_query(part, role, lone)
            })?;
        }
        let mut columns: Vec<Column> = query.parts[0].columns.clone();
        for part in &mut query.parts[1..] {
            let fits = part.columns.len() == columns.len()
                && columns
                    .iter()
                    .all(|wanted| part.columns.iter().any(|column| column.name == wanted.name));
            if !fits {
                let message = "all parts of a UNION must have the same columns";
                return Err(
                    Error::syntax(Detail::DifferentColumnsInUnion, part.span, message)
                        .hint("give the columns the same names with AS"),
                );
            }
            // Columns go by name; every part gives them in the order of the first.
            part.columns
                .sort_by_key(|column| columns.iter().position(|wanted| wanted.name == column.name));
        }
        for (index, column) in columns.iter_mut().enumerate() {
            let kind = query
                .parts
                .iter()
                .map(|part| self.kind(part.columns[index].id))
                .reduce(ValueType::or);
            if query.parts.len() > 1 {
                self.variables[column.id.0 as usize].kind = kind.unwrap_or(ValueType::ANY);
            }
        }
        query.columns = columns;
        Ok(())
    }

    fn single_query(&mut self, part: &mut SingleQuery, role: Role, lone: bool) -> Result<()> {
        let count = part.clauses.len();
        for index in 0..count {
            let last = index + 1 == count;
            let clause = &mut part.clauses[index];
            let span = clause.span;
            match &mut clause.kind {
                ClauseKind::Return(projection) => {
                    if !last {
                        return Err(composition(
                            part.clauses[index + 1].span,
                            "nothing can follow RETURN",
                        ));
                    }
                    self.projection(projection, ProjectionKind::Return)?;
                    part.columns = columns(projection);
                }
                ClauseKind::Use(_) if index > 0 => {
                    return Err(composition(
                        span,
                        "USE can only be the first clause of a query",
                    ));
                }
                ClauseKind::Finish if !last => {
                    return Err(composition(
                        part.clauses[index + 1].span,
                        "nothing can follow FINISH",
                    ));
                }
                ClauseKind::CallProcedure(call) => {
                    call.standalone = role == Role::Root && lone && count == 1;
                    part.columns = self.call_procedure(call)?;
                }
                _ => self.clause(clause, role)?,
            }
            if last && role != Role::Expression {
                self.may_end(&part.clauses[index].kind, span)?;
            }
        }
        Ok(())
    }

    fn may_end(&self, kind: &ClauseKind, span: Span) -> Result<()> {
        let clause = match kind {
            ClauseKind::Match(_) => "MATCH",
            ClauseKind::With(_) => "WITH",
            ClauseKind::Unwind { .. } => "UNWIND",
            ClauseKind::Load(_) => "LOAD",
            ClauseKind::Use(_) => "USE",
            ClauseKind::CallProcedure(call)
                if !call.standalone && matches!(call.yields, Yield::Items(_)) =>
            {
                "CALL ... YIELD"
            }
            _ => return Ok(()),
        };
        Err(composition(
            Span::new(span.end, span.end),
            &format!("a query cannot end with {clause}"),
        )
        .hint("end it with RETURN, or with a clause that writes"))
    }

    fn clause(&mut self, clause: &mut Clause, role: Role) -> Result<()> {
        let writes = clause.writes();
        if writes && role == Role::Expression {
            return Err(composition(
                clause.span,
                "a subquery within an expression cannot write",
            ));
        }
        self.effects.writes |= writes;
        match &mut clause.kind {
            ClauseKind::Match(matching) => self.matching(matching),
            ClauseKind::Unwind { list, variable } => {
                // A value that is no list is unwound as a list of one.
                let kind = self.expression(list, Place::VALUE)?;
                self.bind_new(
                    variable,
                    if kind.is_list() {
                        kind.element()
                    } else {
                        ValueType::ANY
                    },
                )?;
                Ok(())
            }
            ClauseKind::With(projection) => self.projection(projection, ProjectionKind::With),
            ClauseKind::Create(patterns) => self.written_patterns(patterns, Written::Create),
            ClauseKind::Merge(merge) => self.merge(merge),
            ClauseKind::Set(items) => self.set(items),
            ClauseKind::Remove(items) => self.remove(items),
            ClauseKind::Delete { targets, .. } => targets
                .iter_mut()
                .try_for_each(|target| self.delete(target)),
            ClauseKind::Foreach(foreach) => self.foreach(foreach),
            ClauseKind::Load(load) => self.load(load),
            ClauseKind::CallSubquery(call) => self.call_subquery(call, role),
            ClauseKind::Return(_)
            | ClauseKind::CallProcedure(_)
            | ClauseKind::Finish
            | ClauseKind::Use(_) => Ok(()),
        }
    }

    #[inline(never)]
    fn matching(&mut self, matching: &mut Match) -> Result<()> {
        self.effects.reads = true;
        self.patterns_of_match(&mut matching.patterns, matching.repeatable, New::Allowed)?;
        for hint in &mut matching.hints {
            match hint {
                MatchHint::Index { variable, .. } | MatchHint::Scan { variable, .. } => {
                    self.resolve(variable)?;
                }
                MatchHint::Join(variables) => {
                    for variable in variables {
                        self.resolve(variable)?;
                    }
                }
            }
        }
        match &mut matching.filter {
            Some(filter) => self.condition(filter, Place::PREDICATE),
            None => Ok(()),
        }
    }

    fn merge(&mut self, merge: &mut Merge) -> Result<()> {
        self.effects.reads = true;
        self.written_patterns(std::slice::from_mut(&mut merge.pattern), Written::Merge)?;
        self.set(&mut merge.on_create)?;
        self.set(&mut merge.on_match)
    }

    fn set(&mut self, items: &mut [SetItem]) -> Result<()> {
        for item in items {
            match item {
                SetItem::Property { target, value } | SetItem::Merge { target, value } => {
                    self.expression(target, Place::VALUE)?;
                    self.expression(value, Place::VALUE)?;
                }
                SetItem::Replace { variable, value } => {
                    let kind = self.resolve(variable)?;
                    if !kind.may_be(Base::Node)
                        && !kind.may_be(Base::Relationship)
                        && !kind.may_be(Base::Map)
                    {
                        let message = format!(
                            "only nodes and relationships have properties, `{}` is {kind:#}",
                            variable.name
                        );
                        return Err(invalid_type(variable.span, message));
                    }
                    self.expression(value, Place::VALUE)?;
                }
                SetItem::Labels { variable, labels } => self.labelled(variable, labels)?,
            }
        }
        Ok(())
    }

    fn labelled(&mut self, variable: &mut Variable, labels: &mut [LabelName]) -> Result<()> {
        let kind = self.resolve(variable)?;
        if !kind.may_be(Base::Node) {
            return Err(invalid_type(
                variable.span,
                format!("only nodes have labels, `{}` is {kind:#}", variable.name),
            ));
        }
        labels.iter_mut().try_for_each(|label| self.label(label))
    }

    fn remove(&mut self, items: &mut [RemoveItem]) -> Result<()> {
        for item in items {
            match item {
                RemoveItem::Property(target) => {
                    self.expression(target, Place::VALUE)?;
                }
                RemoveItem::Labels { variable, labels } => self.labelled(variable, labels)?,
            }
        }
        Ok(())
    }

    fn delete(&mut self, target: &mut Expr) -> Result<()> {
        if let ExprKind::HasLabels(has) = &target.kind {
            let message = "labels and types cannot be deleted";
            return Err(Error::syntax(
                Detail::InvalidDelete,
                has.operand.span.to(target.span),
                message,
            )
            .hint("REMOVE takes labels from a node"));
        }
        let kind = self.expression(target, Place::VALUE)?;
        let fits = [Base::Node, Base::Relationship, Base::Path]
            .iter()
            .any(|&base| kind.may_be(base));
        if fits {
            return Ok(());
        }
        Err(invalid_type(
            target.span,
            format!("only nodes, relationships and paths can be deleted, this is {kind:#}"),
        ))
    }

    fn foreach(&mut self, foreach: &mut Foreach) -> Result<()> {
        let element = self.iterated(&mut foreach.list, Place::VALUE)?;
        self.within(Frame::open(), |checker| {
            checker.bind(&mut foreach.variable, element);
            for clause in &mut foreach.body {
                let updates = matches!(
                    clause.kind,
                    ClauseKind::Create(_)
                        | ClauseKind::Merge(_)
                        | ClauseKind::Set(_)
                        | ClauseKind::Remove(_)
                        | ClauseKind::Delete { .. }
                        | ClauseKind::Foreach(_)
                );
                if !updates {
                    return Err(composition(
                        clause.span,
                        "only clauses that write can stand in FOREACH",
                    ));
                }
                checker.clause(clause, Role::Root)?;
            }
            Ok(())
        })
    }

    fn load(&mut self, load: &mut Load) -> Result<()> {
        let Load {
            source,
            delimiter,
            quote,
            null_if,
            config,
            ..
        } = load;
        let parts = std::iter::once(source)
            .chain(delimiter)
            .chain(quote)
            .chain(null_if)
            .chain(config);
        for part in parts {
            self.expression(part, Place::VALUE)?;
        }
        let headed = load.header.unwrap_or(load.format != LoadFormat::Csv);
        let kind = if headed {
            ValueType::MAP
        } else {
            ValueType::STRING.list()
        };
        self.bind_new(&mut load.variable, kind)?;
        Ok(())
    }

    #[inline(never)]
    fn call_subquery(&mut self, call: &mut CallSubquery, role: Role) -> Result<()> {
        let wrote = std::mem::take(&mut self.effects.writes);
        let frame = self.imports(call)?;
        let inner = if role == Role::Expression {
            Role::Expression
        } else {
            Role::Call
        };
        self.hints(&mut call.query)?;
        self.within(frame, |checker| checker.query(&mut call.query, inner))?;
        if self.effects.writes && role == Role::Expression {
            return Err(composition(
                call.query.span,
                "a subquery within an expression cannot write",
            ));
        }
        self.effects.writes |= wrote;
        for column in &call.query.columns {
            let span = self.variables[column.id.0 as usize].span;
            let outer = Variable {
                name: column.name.clone(),
                id: column.id,
                span,
            };
            if self.lookup(&column.name).is_some() {
                return Err(super::scope::already_bound(&outer)
                    .hint("rename the column within the subquery"));
            }
            self.names().insert(column.name.clone(), column.id);
        }
        if let Some(transactions) = &mut call.transactions {
            for expr in transactions
                .rows
                .iter_mut()
                .chain(transactions.concurrent.iter_mut().flatten())
            {
                self.expression(expr, Place::VALUE)?;
            }
            if let Some(status) = &mut transactions.status {
                self.bind_new(status, ValueType::MAP)?;
            }
        }
        Ok(())
    }

    /// What the body of a subquery sees of the outer scope. The leading `WITH` of the form without parentheses becomes
    /// [`CallSubquery::imports`].
    fn imports(&mut self, call: &mut CallSubquery) -> Result<Frame> {
        let mut frame = Frame::closed();
        match &mut call.imports {
            Imports::All => return Ok(Frame::open()),
            Imports::List(variables) => {
                for variable in variables {
                    self.resolve(variable)?;
                    if frame
                        .names
                        .insert(variable.name.clone(), variable.id)
                        .is_some()
                    {
                        return Err(super::scope::already_bound(variable));
                    }
                }
            }
            Imports::None => {
                let mut imported: Vec<Variable> = Vec::new();
                for part in &mut call.query.parts {
                    self.import_by_with(part, &mut imported)?;
                }
                for variable in &imported {
                    frame.names.insert(variable.name.clone(), variable.id);
                }
                if !imported.is_empty() {
                    call.imports = Imports::List(imported);
                }
            }
        }
        Ok(frame)
    }

    /// Takes a leading `WITH a, b` (plain variables, nothing else) off a subquery's part.
    fn import_by_with(
        &mut self,
        part: &mut SingleQuery,
        imported: &mut Vec<Variable>,
    ) -> Result<()> {
        let Some(Clause {
            kind: ClauseKind::With(projection),
            ..
        }) = part.clauses.first_mut()
        else {
            return Ok(());
        };
        let plain = |item: &ProjectionItem| matches!(&item.expr.kind, ExprKind::Variable(v) if v.name == item.name);
        let simple = projection.items.iter().all(plain)
            && !projection.distinct
            && projection.order.is_empty()
            && projection.skip.is_none()
            && projection.limit.is_none()
            && projection.filter.is_none();
        if !simple || part.clauses.len() == 1 {
            return Ok(());
        }
        let Some(Clause {
            kind: ClauseKind::With(projection),
            ..
        }) = part.clauses.first_mut()
        else {
            return Ok(());
        };
        if projection.star {
            let mut names: Vec<(Name, VarId)> = self
                .names()
                .iter()
                .map(|(name, &id)| (name.clone(), id))
                .collect();
            names.sort_unstable();
            for (name, id) in names {
                push_once(
                    imported,
                    Variable {
                        name,
                        id,
                        span: projection.span,
                    },
                );
            }
        }
        for item in &mut projection.items {
            if let ExprKind::Variable(variable) = &mut item.expr.kind {
                self.resolve(variable)?;
                push_once(imported, variable.clone());
            }
        }
        part.clauses.remove(0);
        Ok(())
    }

    /// A subquery within an expression sees everything around it. Gives the type of its only column, if it must have one.
    #[inline(never)]
    pub(super) fn expression_subquery(
        &mut self,
        query: &mut Query,
        collects: bool,
    ) -> Result<ValueType> {
        self.effects.reads = true;
        let span = query.span;
        self.hints(query)?;
        self.within(Frame::open(), |checker| {
            checker.query(query, Role::Expression)
        })?;
        match query.columns.as_slice() {
            [column] => Ok(self.kind(column.id)),
            _ if collects => Err(composition(
                span,
                "COLLECT needs a query that returns exactly one column",
            )),
            _ => Ok(ValueType::ANY),
        }
    }
}

fn push_once(imported: &mut Vec<Variable>, variable: Variable) {
    if imported.iter().all(|known| known.name != variable.name) {
        imported.push(variable);
    }
}

fn columns(projection: &Projection) -> Vec<Column> {
    projection
        .items
        .iter()
        .map(|item| Column {
            name: item.name.clone(),
            id: item.id,
        })
        .collect()
}

fn composition(span: Span, message: &str) -> Error {
    Error::syntax(Detail::InvalidClauseComposition, span, message)
}
