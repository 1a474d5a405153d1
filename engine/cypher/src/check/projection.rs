//! `WITH` and `RETURN`: columns, grouping, and what `ORDER BY`, `SKIP`, `LIMIT` and `WHERE` see.
//!
//! A projection that aggregates is made easy for the planner: where an item that aggregates names a grouping key outside of its
//! aggregates, the key's expression is replaced by the key's variable, so what is left there are aggregates, keys and constants. In the same way
//! `ORDER BY` and `WHERE` behind an aggregating or `DISTINCT`
//! projection name columns wherever they repeat their expressions.

use std::collections::{HashMap, HashSet};

use super::Checker;
use super::expression::{Aggregates, Place, invalid_type};
use super::same::{aggregates, fingerprint, is_aggregate, parts, same};
use super::scope::Frame;
use super::types::Base;
use crate::ast::*;
use crate::error::{Detail, Error, Result};
use crate::span::Span;

/// Which clause a projection belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum ProjectionKind {
    With,
    Return,
}

/// Columns by the fingerprint of their expressions.
type ColumnsByShape = HashMap<u64, Vec<usize>>;

impl Checker<'_> {
    /// Checks a projection; the frame then holds its columns only.
    pub(super) fn projection(
        &mut self,
        projection: &mut Projection,
        kind: ProjectionKind,
    ) -> Result<()> {
        self.expand_star(projection, kind)?;
        for item in &mut projection.items {
            let value = self.expression(&mut item.expr, Place::PROJECTED)?;
            item.aggregates = aggregates(&mut item.expr);
            projection.aggregates |= item.aggregates;
            item.id = match &item.expr.kind {
                ExprKind::Variable(variable) if variable.name == item.name => variable.id,
                _ => self.fresh(Some(&item.name), value, item.span),
            };
        }
        let mut columns = HashMap::with_capacity(projection.items.len());
        for item in &projection.items {
            if columns.insert(item.name.clone(), item.id).is_some() {
                let message = format!("there are two columns of the name `{}`", item.name);
                return Err(
                    Error::syntax(Detail::ColumnNameConflict, item.span, message)
                        .hint("give one of them another name with AS"),
                );
            }
        }
        let regroups = projection.aggregates || projection.distinct;
        if regroups && (!projection.order.is_empty() || projection.filter.is_some()) {
            name_repeated_columns(projection)?;
        }
        if projection.aggregates {
            self.group(&mut projection.items)?;
        }
        if regroups {
            *self.names() = columns;
            self.order(projection)?;
            self.filter(projection)?;
        } else {
            let inner = Frame {
                names: columns,
                ..Frame::open()
            };
            let columns = self.within(inner, |checker| {
                checker.order(projection)?;
                checker.filter(projection)?;
                Ok(std::mem::take(checker.names()))
            })?;
            *self.names() = columns;
        }
        self.row_count(&mut projection.skip, "SKIP")?;
        self.row_count(&mut projection.limit, "LIMIT")?;
        if kind == ProjectionKind::With {
            for item in &projection.items {
                if !item.aliased && !matches!(item.expr.kind, ExprKind::Variable(_)) {
                    let message = format!("`{}` needs a name in WITH", item.name);
                    return Err(Error::syntax(Detail::NoExpressionAlias, item.span, message)
                        .hint("write AS and a name behind it"));
                }
            }
        }
        Ok(())
    }

    /// Puts an item for each name in scope in front, for `*`.
    fn expand_star(&mut self, projection: &mut Projection, kind: ProjectionKind) -> Result<()> {
        if !projection.star {
            return Ok(());
        }
        let mut names: Vec<(Name, VarId)> = self
            .names()
            .iter()
            .map(|(name, &id)| (name.clone(), id))
            .collect();
        if names.is_empty() && kind == ProjectionKind::Return {
            let message = "there is no variable that `*` could stand for";
            return Err(Error::syntax(
                Detail::NoVariablesInScope,
                projection.span,
                message,
            ));
        }
        names.sort_unstable();
        let span = projection.span;
        let items = names.into_iter().map(|(name, id)| {
            let variable = Variable {
                name: name.clone(),
                id,
                span,
            };
            let expr = Expr::new(ExprKind::Variable(variable), span);
            ProjectionItem {
                expr,
                name,
                aliased: false,
                aggregates: false,
                id,
                span,
            }
        });
        projection.items.splice(0..0, items);
        Ok(())
    }

    /// Looks at each item that aggregates: outside of its aggregates only grouping keys and constants may stand.
    fn group(&mut self, items: &mut [ProjectionItem]) -> Result<()> {
        let keys: HashMap<String, (Name, VarId)> = items
            .iter()
            .filter(|item| !item.aggregates)
            .filter_map(|item| Some((path(&item.expr)?, (item.name.clone(), item.id))))
            .collect();
        items
            .iter_mut()
            .filter(|item| item.aggregates)
            .try_for_each(|item| self.grouped(&mut item.expr, &keys))
    }

    fn grouped(&mut self, expr: &mut Expr, keys: &HashMap<String, (Name, VarId)>) -> Result<()> {
        if is_aggregate(expr) {
            return Ok(());
        }
        if let Some((name, id)) = path(expr).and_then(|path| keys.get(&path)) {
            expr.kind = ExprKind::Variable(Variable {
                name: name.clone(),
                id: *id,
                span: expr.span,
            });
            return Ok(());
        }
        if let ExprKind::Variable(variable) = &expr.kind {
            // A variable of a comprehension within the item, or of a query around this one, does not vary here.
            return match self.names().get(&variable.name) == Some(&variable.id) {
                true => Err(ambiguous(variable)),
                false => Ok(()),
            };
        }
        parts(expr, &mut |part| self.grouped(part, keys))
    }

    fn order(&mut self, projection: &mut Projection) -> Result<()> {
        let may_aggregate = match projection.aggregates {
            true => Aggregates::Allowed,
            false => Aggregates::Forbidden,
        };
        let place = Place {
            aggregates: may_aggregate,
            patterns: false,
        };
        for index in 0..projection.order.len() {
            let expr = &mut projection.order[index].expr;
            // Columns that the key repeats have been replaced; an aggregate that is left is none of them.
            if let Err(error) = self.expression(expr, place) {
                return Err(self.order_error(error, projection, index));
            }
            if aggregates(expr) {
                let message = "ORDER BY cannot use an aggregate that is no column";
                return Err(
                    Error::syntax(Detail::InvalidAggregation, expr.span, message)
                        .hint("give the aggregate a name in the projection"),
                );
            }
        }
        Ok(())
    }

    /// A name that is not there behind the projection, but is part of a grouping key, makes the key ambiguous rather than the name unknown, if there are
    /// aggregates beside it.
    fn order_error(&self, error: Error, projection: &mut Projection, index: usize) -> Error {
        let Some(span) = error.span() else {
            return error;
        };
        if error.detail() != Detail::UndefinedVariable || !projection.aggregates {
            return error;
        }
        let mixed = projection.order[index].expr.kind.clone();
        let Some(variable) = outside_aggregates(&mut Expr::new(mixed, span), span) else {
            return error;
        };
        let aggregated: HashSet<VarId> = projection
            .items
            .iter()
            .filter(|item| item.aggregates)
            .map(|item| item.id)
            .collect();
        let beside = names_any(&mut projection.order[index].expr, &aggregated);
        let in_key = projection
            .items
            .iter_mut()
            .any(|item| !item.aggregates && mentions(&mut item.expr, &variable.name));
        if beside && in_key {
            ambiguous(&variable)
        } else {
            error
        }
    }

    fn filter(&mut self, projection: &mut Projection) -> Result<()> {
        match &mut projection.filter {
            Some(filter) => self.condition(filter, Place::PREDICATE),
            None => Ok(()),
        }
    }

    /// `SKIP` and `LIMIT`: a constant that is a whole number and not negative.
    fn row_count(&mut self, count: &mut Option<Expr>, clause: &str) -> Result<()> {
        let Some(expr) = count else { return Ok(()) };
        let checked = self.within(Frame::closed(), |checker| {
            checker.expression(expr, Place::VALUE)
        });
        let kind = checked.map_err(|error| match error.detail() {
            Detail::UndefinedVariable => {
                let message = format!("{clause} needs a constant, and cannot use variables");
                Error::syntax(
                    Detail::NonConstantExpression,
                    error.span().unwrap_or(expr.span),
                    message,
                )
            }
            _ => error,
        })?;
        if is_negative(expr) {
            let message = format!("{clause} cannot be negative");
            return Err(Error::syntax(
                Detail::NegativeIntegerArgument,
                expr.span,
                message,
            ));
        }
        if !kind.may_be(Base::Integer) {
            return Err(invalid_type(
                expr.span,
                format!("{clause} needs an integer, this is {kind:#}"),
            ));
        }
        Ok(())
    }
}

fn is_negative(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Literal(literal) => {
            matches!(literal.value, LiteralValue::Integer(value) if value < 0)
        }
        ExprKind::Negate(inner) => {
            matches!(inner.as_literal(), Some(LiteralValue::Integer(value)) if *value > 0)
        }
        _ => false,
    }
}

fn ambiguous(variable: &Variable) -> Error {
    let message = format!(
        "`{}` is neither aggregated nor a grouping key here",
        variable.name
    );
    Error::syntax(
        Detail::AmbiguousAggregationExpression,
        variable.span,
        message,
    )
    .hint("make it an item of its own, or name the expression in a WITH first")
}

/// `a`, `a.b`, `a.b.c`: what can be recognised as a grouping key within an expression that aggregates.
fn path(expr: &Expr) -> Option<String> {
    match &expr.kind {
        ExprKind::Variable(variable) => Some(variable.name.to_string()),
        ExprKind::Property(property) => {
            let mut path = path(&property.object)?;
            // Names can hold points when quoted; a character that no text of ours has keeps them apart.
            path.push('\0');
            path.push_str(&property.key.name);
            Some(path)
        }
        _ => None,
    }
}

/// Replaces every part of the sort keys and of the filter that repeats a column's expression by the column.
fn name_repeated_columns(projection: &mut Projection) -> Result<()> {
    let mut shapes: ColumnsByShape = HashMap::new();
    for (index, item) in projection.items.iter().enumerate() {
        shapes
            .entry(fingerprint(&item.expr))
            .or_default()
            .push(index);
    }
    let Projection {
        items,
        order,
        filter,
        ..
    } = projection;
    order
        .iter_mut()
        .map(|key| &mut key.expr)
        .chain(filter)
        .try_for_each(|expr| name_columns(expr, items, &shapes))
}

fn name_columns(expr: &mut Expr, items: &[ProjectionItem], shapes: &ColumnsByShape) -> Result<()> {
    let alike = shapes.get(&fingerprint(expr)).into_iter().flatten();
    if let Some(item) = alike
        .map(|&index| &items[index])
        .find(|item| same(&item.expr, expr))
    {
        let variable = Variable {
            name: item.name.clone(),
            id: item.id,
            span: expr.span,
        };
        expr.kind = ExprKind::Variable(variable);
        return Ok(());
    }
    parts(expr, &mut |part| name_columns(part, items, shapes))
}

/// The variable at `span`, if it stands outside of any aggregate.
fn outside_aggregates(expr: &mut Expr, span: Span) -> Option<Variable> {
    if is_aggregate(expr) {
        return None;
    }
    if let ExprKind::Variable(variable) = &expr.kind {
        return (variable.span == span).then(|| variable.clone());
    }
    let mut found = None;
    let _ = parts(expr, &mut |part| {
        found = found.take().or_else(|| outside_aggregates(part, span));
        Ok(())
    });
    found
}

fn mentions(expr: &mut Expr, name: &str) -> bool {
    if let ExprKind::Variable(variable) = &expr.kind {
        return &*variable.name == name;
    }
    let mut found = false;
    let _ = parts(expr, &mut |part| {
        found = found || mentions(part, name);
        Ok(())
    });
    found
}

/// True if the expression aggregates, or uses a column that does.
fn names_any(expr: &mut Expr, ids: &HashSet<VarId>) -> bool {
    if is_aggregate(expr) {
        return true;
    }
    if let ExprKind::Variable(variable) = &expr.kind {
        return ids.contains(&variable.id);
    }
    let mut found = false;
    let _ = parts(expr, &mut |part| {
        found = found || names_any(part, ids);
        Ok(())
    });
    found
}
