//! Aggregates that are computed from columns: without grouping, of properties of all vertices of a label, with comparisons of
//! properties with values as the only condition.

use std::rc::Rc;

use quoit_cypher::ast::ComparisonOp;
use quoit_cypher::functions::Function;

use crate::expression::{Expr, NameRef, Slot};
use crate::plan::{Aggregate, AggregateCall, ColumnAggregate, ColumnCall, Op, Plan};

/// The aggregate of a plan's rows by columns, if that is all it takes.
pub(super) fn aggregate(node: &Aggregate, input: &Plan) -> Option<ColumnAggregate> {
    if !node.keys.is_empty() {
        return None;
    }
    let mut filters = Vec::new();
    let mut below = input;
    while let Op::Filter(predicates) = &below.op {
        for predicate in predicates.iter() {
            filters.push(predicate);
        }
        below = below.inputs.first()?;
    }
    let Op::Scan(scan) = &below.op else {
        return None;
    };
    if !matches!(below.inputs.first()?.op, Op::Unit(_)) {
        return None;
    }
    Some(ColumnAggregate {
        label: scan.label.clone(),
        filters: filters
            .into_iter()
            .map(|predicate| comparison(predicate, scan.slot))
            .collect::<Option<_>>()?,
        calls: node
            .calls
            .iter()
            .map(|call| column_call(call, scan.slot))
            .collect::<Option<_>>()?,
        width: node.width.clone(),
    })
}

/// `n.key OP value` or `value OP n.key`.
fn comparison(predicate: &Expr, vertex: Slot) -> Option<(NameRef, ComparisonOp, Expr)> {
    let Expr::Compare(left, rest) = predicate else {
        return None;
    };
    let [(op, right)] = rest.as_slice() else {
        return None;
    };
    let value =
        |expr: &Expr| matches!(expr, Expr::Constant(_) | Expr::Parameter(_)).then(|| expr.clone());
    if let Some(key) = property(left, vertex) {
        return Some((key, *op, value(right)?));
    }
    Some((
        property(right, vertex)?,
        super::conditions::mirrored(*op),
        value(left)?,
    ))
}

fn property(expr: &Expr, vertex: Slot) -> Option<NameRef> {
    match expr {
        Expr::Property(object, key, _) if **object == Expr::Slot(vertex) => Some(key.clone()),
        _ => None,
    }
}

fn column_call(call: &AggregateCall, vertex: Slot) -> Option<ColumnCall> {
    if call.distinct {
        return None;
    }
    let of = |function, key| {
        Some(ColumnCall {
            function,
            key,
            place: call.place,
        })
    };
    match (call.function, call.args.as_slice()) {
        (None, _) => of(None, None),
        // A vertex that was found is not null.
        (Some(Function::Count), [Expr::Slot(slot)]) if *slot == vertex => of(None, None),
        (
            Some(Function::Count | Function::Sum | Function::Avg | Function::Min | Function::Max),
            [argument],
        ) => of(call.function, Some(property(argument, vertex)?)),
        _ => None,
    }
}

/// Puts the reading of columns in the place of an aggregate, which stays beneath for values that are no numbers.
pub(super) fn improve(plan: Plan) -> Plan {
    let Op::Aggregate(node) = &plan.op else {
        return plan;
    };
    let columns = plan.inputs.first().and_then(|input| aggregate(node, input));
    match columns {
        Some(columns) => Plan::over(Op::ColumnAggregate(Rc::new(columns)), plan).expecting(1.0),
        None => plan,
    }
}
