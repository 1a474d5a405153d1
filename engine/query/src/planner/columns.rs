//! What can be computed from the columns of pages: conditions on the properties of a scanned vertex, and aggregates, grouped by
//! properties or not, of all vertices that a scan finds.
//!
//! Called by [`super::projection`] and [`super::start`]. What always holds: a condition is taken only if asking it of a vertex cannot
//! fail, so it does not matter in which order conditions are asked; operands are computed once, so they are the same for all vertices.

use std::rc::Rc;

use quoit_cypher::ast::{ComparisonOp, StringOp};
use quoit_cypher::functions::Function;

use super::Catalog;
use crate::expression::{Expr, LabelTest, NameRef, Slot};
use crate::plan::{
    Aggregate, AggregateCall, ColumnAggregate, ColumnCall, ColumnFilter, ColumnTest, Op, Plan,
    Project, ScanFilter, Width,
};

/// What a scan of a plan without other input finds, with the conditions on top of it.
struct Scanned {
    slot: Slot,
    label: Option<NameRef>,
    filter: Option<ColumnFilter>,
}

impl Scanned {
    fn of(plan: &Plan) -> Option<Scanned> {
        let mut predicates = Vec::new();
        let mut below = plan;
        while let Op::Filter(more) = &below.op {
            predicates.extend(more.iter());
            below = below.inputs.first()?;
        }
        let Op::Scan(scan) = &below.op else {
            return None;
        };
        if !matches!(below.inputs.first()?.op, Op::Unit(_)) {
            return None;
        }
        let parts = predicates
            .into_iter()
            .map(|predicate| condition(predicate, scan.slot));
        let mut parts = parts.collect::<Option<Vec<_>>>()?;
        let asked = scan.filter.iter().flat_map(|filter| &filter.conditions);
        parts.extend(asked.cloned());
        Some(Scanned {
            slot: scan.slot,
            label: scan.label.clone(),
            filter: all(parts),
        })
    }

    fn aggregate(
        self,
        keys: &[Expr],
        calls: &[AggregateCall],
        width: Width,
    ) -> Option<ColumnAggregate> {
        let keys = keys.iter().map(|key| property(key, self.slot));
        let calls = calls.iter().map(|call| column_call(call, self.slot));
        Some(ColumnAggregate {
            keys: keys.collect::<Option<_>>()?,
            calls: calls.collect::<Option<_>>()?,
            label: self.label,
            filter: self.filter,
            width,
        })
    }
}

/// All of some conditions; none if there are none.
fn all(mut parts: Vec<ColumnFilter>) -> Option<ColumnFilter> {
    match parts.len() {
        0 | 1 => parts.pop(),
        _ => Some(ColumnFilter::All(parts)),
    }
}

/// A predicate on a vertex as a condition on its columns.
pub(super) fn condition(predicate: &Expr, vertex: Slot) -> Option<ColumnFilter> {
    let parts = |parts: &[Expr]| -> Option<Vec<ColumnFilter>> {
        parts.iter().map(|part| condition(part, vertex)).collect()
    };
    Some(match predicate {
        Expr::And(operands, _) => ColumnFilter::All(parts(operands)?),
        Expr::Or(operands, _) => ColumnFilter::Any(parts(operands)?),
        Expr::Not(operand, _) => ColumnFilter::Not(Box::new(condition(operand, vertex)?)),
        Expr::HasLabels(object, test, _) if **object == Expr::Slot(vertex) => labels(test)?,
        Expr::Compare(first, rest) => {
            let mut left = &**first;
            let mut links = Vec::with_capacity(rest.len());
            for (op, right) in rest {
                links.push(comparison(left, *op, right, vertex)?);
                left = right;
            }
            all(links)?
        }
        Expr::IsNull(object, negated) => {
            let test = ColumnFilter::Property(property(object, vertex)?, ColumnTest::IsNull);
            match negated {
                true => ColumnFilter::Not(Box::new(test)),
                false => test,
            }
        }
        Expr::In(pair, _) => {
            let key = property(&pair.0, vertex)?;
            ColumnFilter::Property(key, ColumnTest::In(operand(&pair.1)?))
        }
        Expr::StringMatch(op, pair, _) if *op != StringOp::Regex => {
            let key = property(&pair.0, vertex)?;
            ColumnFilter::Property(key, ColumnTest::Text(*op, operand(&pair.1)?))
        }
        _ => return None,
    })
}

/// `n.key OP value` or `value OP n.key`.
fn comparison(left: &Expr, op: ComparisonOp, right: &Expr, vertex: Slot) -> Option<ColumnFilter> {
    let (key, op, value) = match property(left, vertex) {
        Some(key) => (key, op, right),
        None => (
            property(right, vertex)?,
            super::conditions::mirrored(op),
            left,
        ),
    };
    let test = ColumnTest::Compare(op, operand(value)?);
    Some(ColumnFilter::Property(key, test))
}

fn labels(test: &LabelTest) -> Option<ColumnFilter> {
    let parts =
        |tests: &[LabelTest]| -> Option<Vec<ColumnFilter>> { tests.iter().map(labels).collect() };
    Some(match test {
        LabelTest::Name(name) => ColumnFilter::Label(name.clone()),
        LabelTest::And(tests) => ColumnFilter::All(parts(tests)?),
        LabelTest::Or(tests) => ColumnFilter::Any(parts(tests)?),
        LabelTest::Not(test) => ColumnFilter::Not(Box::new(labels(test)?)),
        LabelTest::Wildcard => return None,
    })
}

/// What is the same for all vertices and cannot fail.
fn operand(expr: &Expr) -> Option<Expr> {
    let is_known = |expr: &Expr| {
        matches!(
            expr,
            Expr::Constant(_) | Expr::Parameter(_) | Expr::Local(_)
        )
    };
    let is_operand = match expr {
        Expr::List(items) => items.iter().all(is_known),
        expr => is_known(expr),
    };
    is_operand.then(|| expr.clone())
}

fn property(expr: &Expr, vertex: Slot) -> Option<NameRef> {
    match expr {
        Expr::Property(object, key, _) if **object == Expr::Slot(vertex) => Some(key.clone()),
        _ => None,
    }
}

fn column_call(call: &AggregateCall, vertex: Slot) -> Option<ColumnCall> {
    let of = |function, key| {
        Some(ColumnCall {
            function,
            distinct: call.distinct,
            key,
            place: call.place,
        })
    };
    match (call.function, call.args.as_slice()) {
        (None, _) => of(None, None),
        // A vertex that was found is not null, and no other row has it.
        (Some(Function::Count), [Expr::Slot(slot)]) if *slot == vertex => Some(ColumnCall {
            function: None,
            distinct: false,
            key: None,
            place: call.place,
        }),
        (Some(Function::Count), [argument]) => of(call.function, Some(property(argument, vertex)?)),
        // Which of equal values comes first does not matter to these.
        (Some(Function::Min | Function::Max), [argument]) => Some(ColumnCall {
            function: call.function,
            distinct: false,
            key: Some(property(argument, vertex)?),
            place: call.place,
        }),
        (Some(Function::Sum | Function::Avg), [argument]) if !call.distinct => {
            of(call.function, Some(property(argument, vertex)?))
        }
        _ => None,
    }
}

/// Hands those of some predicates to the scan below that it can ask of whole pages; the others are left.
pub(super) fn into_scan(plan: &mut Plan, predicates: &mut Vec<Expr>, catalog: &Catalog) {
    let Op::Scan(scan) = &mut plan.op else { return };
    let Some(scan) = Rc::get_mut(scan).filter(|_| !catalog.plain) else {
        return;
    };
    let mut left = Vec::new();
    for predicate in predicates.drain(..) {
        match condition(&predicate, scan.slot) {
            Some(found) => {
                let filter = scan.filter.get_or_insert_with(|| ScanFilter {
                    conditions: Vec::new(),
                    predicates: Vec::new(),
                });
                filter.conditions.push(found);
                filter.predicates.push(predicate);
            }
            None => left.push(predicate),
        }
    }
    *predicates = left;
}

/// Puts the reading of columns in the place of an aggregate, or of distinct properties, if that is all it takes. What was there stays beneath for
/// values that are no numbers.
pub(super) fn improve(plan: Plan, catalog: &Catalog) -> Plan {
    let columns = match &plan.op {
        _ if catalog.plain => None,
        Op::Aggregate(node) => {
            let Aggregate { keys, calls, width } = &**node;
            let scanned = plan.inputs.first().and_then(Scanned::of);
            scanned.and_then(|scanned| scanned.aggregate(keys, calls, width.clone()))
        }
        Op::Distinct(columns) => match plan.inputs.first() {
            Some(input) => match &input.op {
                Op::Project(project) if project.items.len() == *columns as usize => {
                    let Project { items, width } = &**project;
                    let scanned = input.inputs.first().and_then(Scanned::of);
                    scanned.and_then(|scanned| scanned.aggregate(items, &[], width.clone()))
                }
                _ => None,
            },
            None => None,
        },
        _ => None,
    };
    match columns {
        Some(columns) => {
            let estimate = plan.estimate;
            Plan::over(Op::ColumnAggregate(Rc::new(columns)), plan).expecting(estimate)
        }
        None => plan,
    }
}
