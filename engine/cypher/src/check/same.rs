//! Whether two expressions are the same but for their places, and walks over the parts of one.

use std::hash::{DefaultHasher, Hash, Hasher};

use crate::ast::*;

/// True if both say the same. Constructs with variables of their own are never the same, which only means that they are not recognised as a grouping
/// key.
pub(super) fn same(a: &Expr, b: &Expr) -> bool {
    use ExprKind::*;
    let all =
        |a: &[Expr], b: &[Expr]| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b));
    match (&a.kind, &b.kind) {
        // Values that the plan cache has taken out are the same for every text of the plan only if they have one number.
        (Literal(a), Literal(b)) => a.value == b.value && a.extracted == b.extracted,
        (Parameter(a), Parameter(b)) => a == b,
        (Variable(a), Variable(b)) => a.name == b.name,
        (List(a), List(b)) | (Or(a), Or(b)) | (Xor(a), Xor(b)) | (And(a), And(b)) => all(a, b),
        (Map(a), Map(b)) => {
            a.len() == b.len()
                && a.iter()
                    .zip(b)
                    .all(|((k, a), (l, b))| k.name == l.name && same(a, b))
        }
        (Not(a), Not(b)) | (Negate(a), Negate(b)) | (Plus(a), Plus(b)) => same(a, b),
        (Comparison(a), Comparison(b)) => {
            same(&a.first, &b.first)
                && a.rest.len() == b.rest.len()
                && a.rest
                    .iter()
                    .zip(&b.rest)
                    .all(|((o, a), (p, b))| o == p && same(a, b))
        }
        (Arithmetic(a), Arithmetic(b)) => {
            same(&a.first, &b.first)
                && a.rest.len() == b.rest.len()
                && a.rest
                    .iter()
                    .zip(&b.rest)
                    .all(|((o, _, a), (p, _, b))| o == p && same(a, b))
        }
        (StringMatch(a), StringMatch(b)) => {
            a.op == b.op && same(&a.left, &b.left) && same(&a.right, &b.right)
        }
        (In(a), In(b)) | (Index(a), Index(b)) => same(&a.0, &b.0) && same(&a.1, &b.1),
        (
            IsNull {
                operand: a,
                negated: n,
            },
            IsNull {
                operand: b,
                negated: m,
            },
        ) => n == m && same(a, b),
        (Property(a), Property(b)) => a.key.name == b.key.name && same(&a.object, &b.object),
        (Call(a), Call(b)) => {
            a.name.eq_ignore_ascii_case(&b.name)
                && a.distinct == b.distinct
                && all(&a.args, &b.args)
        }
        (CountStar, CountStar) => true,
        _ => false,
    }
}

/// Calls `visit` for each direct part of an expression. Bodies of subqueries are not parts.
pub(super) fn parts<'e>(
    expr: &'e mut Expr,
    visit: &mut dyn FnMut(&'e mut Expr) -> crate::error::Result<()>,
) -> crate::error::Result<()> {
    use ExprKind::*;
    match &mut expr.kind {
        Literal(_) | Parameter(_) | Variable(_) | CountStar | Pattern(_) | PathValue(_)
        | Exists(_) | Count(_) | Collect(_) | Enum(_) => Ok(()),
        List(all) | Or(all) | Xor(all) | And(all) => all.iter_mut().try_for_each(visit),
        Map(entries) => entries.iter_mut().try_for_each(|(_, value)| visit(value)),
        Not(a) | Negate(a) | Plus(a) | IsNull { operand: a, .. } => visit(a),
        Comparison(comparison) => {
            visit(&mut comparison.first)?;
            comparison
                .rest
                .iter_mut()
                .try_for_each(|(_, operand)| visit(operand))
        }
        Arithmetic(arithmetic) => {
            visit(&mut arithmetic.first)?;
            arithmetic
                .rest
                .iter_mut()
                .try_for_each(|(_, _, operand)| visit(operand))
        }
        StringMatch(matching) => {
            visit(&mut matching.left)?;
            visit(&mut matching.right)
        }
        In(both) | Index(both) => {
            let (a, b) = &mut **both;
            visit(a)?;
            visit(b)
        }
        IsTyped(typed) => visit(&mut typed.operand),
        IsNormalized(normalized) => visit(&mut normalized.operand),
        HasLabels(has) => visit(&mut has.operand),
        Property(property) => visit(&mut property.object),
        Slice(slice) => {
            visit(&mut slice.object)?;
            slice
                .from
                .iter_mut()
                .chain(&mut slice.to)
                .try_for_each(visit)
        }
        Call(call) => call.args.iter_mut().try_for_each(visit),
        Case(case) => {
            case.subject.iter_mut().try_for_each(&mut *visit)?;
            for arm in &mut case.arms {
                for test in &mut arm.tests {
                    match test {
                        CaseTest::Value(test)
                        | CaseTest::Compare(_, test)
                        | CaseTest::StringMatch(_, test)
                        | CaseTest::In(test) => visit(test)?,
                        CaseTest::IsNull { .. } | CaseTest::IsTyped { .. } => {}
                    }
                }
                visit(&mut arm.then)?;
            }
            case.otherwise.iter_mut().try_for_each(visit)
        }
        ListComprehension(comprehension) => {
            visit(&mut comprehension.list)?;
            comprehension
                .filter
                .iter_mut()
                .chain(&mut comprehension.body)
                .try_for_each(visit)
        }
        PatternComprehension(comprehension) => {
            comprehension.filter.iter_mut().try_for_each(&mut *visit)?;
            visit(&mut comprehension.body)
        }
        Quantified(quantified) => {
            visit(&mut quantified.list)?;
            visit(&mut quantified.predicate)
        }
        Reduce(reduce) => {
            visit(&mut reduce.init)?;
            visit(&mut reduce.list)?;
            visit(&mut reduce.body)
        }
        MapProjection(projection) => projection.items.iter_mut().try_for_each(|item| match item {
            MapProjectionItem::Entry(_, value) => visit(value),
            _ => Ok(()),
        }),
    }
}

/// True if the expression itself is an aggregate.
pub(super) fn is_aggregate(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::CountStar => true,
        ExprKind::Call(call) => call
            .function
            .or_else(|| crate::functions::Function::find(&call.name))
            .is_some_and(|function| function.is_aggregate()),
        _ => false,
    }
}

/// True if an aggregate stands anywhere in the expression, outside of subqueries.
pub(super) fn aggregates(expr: &mut Expr) -> bool {
    if is_aggregate(expr) {
        return true;
    }
    let mut found = false;
    let _ = parts(expr, &mut |part| {
        found = found || aggregates(part);
        Ok(())
    });
    found
}

/// A number that is equal for expressions that are [`same`].
pub(super) fn fingerprint(expr: &Expr) -> u64 {
    let mut hasher = DefaultHasher::new();
    feed(expr, &mut hasher);
    hasher.finish()
}

fn feed(expr: &Expr, hasher: &mut DefaultHasher) {
    use ExprKind::*;
    std::mem::discriminant(&expr.kind).hash(hasher);
    match &expr.kind {
        Literal(literal) => match &literal.value {
            LiteralValue::Integer(value) => value.hash(hasher),
            LiteralValue::String(value) => value.hash(hasher),
            _ => {}
        },
        Parameter(name) => name.hash(hasher),
        Variable(variable) => variable.name.hash(hasher),
        List(all) | Or(all) | Xor(all) | And(all) => all.iter().for_each(|one| feed(one, hasher)),
        Not(a) | Negate(a) | Plus(a) | IsNull { operand: a, .. } => feed(a, hasher),
        Comparison(comparison) => {
            feed(&comparison.first, hasher);
            comparison
                .rest
                .iter()
                .for_each(|(_, operand)| feed(operand, hasher));
        }
        Arithmetic(arithmetic) => {
            feed(&arithmetic.first, hasher);
            arithmetic
                .rest
                .iter()
                .for_each(|(_, _, operand)| feed(operand, hasher));
        }
        In(both) | Index(both) => {
            feed(&both.0, hasher);
            feed(&both.1, hasher);
        }
        Property(property) => {
            property.key.name.hash(hasher);
            feed(&property.object, hasher);
        }
        Call(call) => {
            call.name.to_ascii_lowercase().hash(hasher);
            call.args.iter().for_each(|arg| feed(arg, hasher));
        }
        _ => {}
    }
}
