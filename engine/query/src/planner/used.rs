//! Which variables a piece of syntax mentions, however deep: the planner's question for "can this be evaluated yet" and "what must a
//! subquery take from outside". Variables are unique numbers, so those bound within do no harm.

use hashbrown::HashSet;
use quoit_cypher::ast::*;

/// A set of variables.
pub type Variables = HashSet<VarId>;

/// Adds what an expression mentions.
pub fn in_expr(expr: &Expr, out: &mut Variables) {
    let mut each = |expr: &Expr| in_expr(expr, out);
    match &expr.kind {
        ExprKind::Literal(_) | ExprKind::Parameter(_) | ExprKind::CountStar | ExprKind::Enum(_) => {
        }
        ExprKind::Variable(variable) => {
            out.insert(variable.id);
        }
        ExprKind::List(parts)
        | ExprKind::Or(parts)
        | ExprKind::Xor(parts)
        | ExprKind::And(parts) => parts.iter().for_each(each),
        ExprKind::Map(entries) => entries.iter().for_each(|(_, value)| each(value)),
        ExprKind::Not(part)
        | ExprKind::Negate(part)
        | ExprKind::Plus(part)
        | ExprKind::IsNull { operand: part, .. } => each(part),
        ExprKind::Comparison(comparison) => {
            each(&comparison.first);
            comparison.rest.iter().for_each(|(_, part)| each(part));
        }
        ExprKind::Arithmetic(arithmetic) => {
            each(&arithmetic.first);
            arithmetic.rest.iter().for_each(|(_, _, part)| each(part));
        }
        ExprKind::StringMatch(pair) => {
            each(&pair.left);
            each(&pair.right);
        }
        ExprKind::In(pair) | ExprKind::Index(pair) => {
            each(&pair.0);
            each(&pair.1);
        }
        ExprKind::IsTyped(typed) => each(&typed.operand),
        ExprKind::IsNormalized(normalized) => each(&normalized.operand),
        ExprKind::HasLabels(labels) => {
            each(&labels.operand);
            in_labels(&labels.labels, out);
        }
        ExprKind::Property(property) => each(&property.object),
        ExprKind::Slice(slice) => {
            each(&slice.object);
            slice.from.iter().chain(&slice.to).for_each(each);
        }
        ExprKind::Call(call) => call.args.iter().for_each(each),
        ExprKind::Case(case) => {
            case.subject.iter().for_each(&mut each);
            for arm in &case.arms {
                for test in &arm.tests {
                    match test {
                        CaseTest::Value(value)
                        | CaseTest::Compare(_, value)
                        | CaseTest::StringMatch(_, value)
                        | CaseTest::In(value) => each(value),
                        CaseTest::IsNull { .. } | CaseTest::IsTyped { .. } => {}
                    }
                }
                each(&arm.then);
            }
            case.otherwise.iter().for_each(each);
        }
        ExprKind::ListComprehension(comprehension) => {
            each(&comprehension.list);
            comprehension
                .filter
                .iter()
                .chain(&comprehension.body)
                .for_each(each);
        }
        ExprKind::PatternComprehension(comprehension) => {
            comprehension.filter.iter().for_each(&mut each);
            each(&comprehension.body);
            in_pattern(&comprehension.pattern, out);
        }
        ExprKind::Quantified(quantified) => {
            each(&quantified.list);
            each(&quantified.predicate);
        }
        ExprKind::Reduce(reduce) => {
            each(&reduce.init);
            each(&reduce.list);
            each(&reduce.body);
        }
        ExprKind::MapProjection(projection) => {
            for item in &projection.items {
                match item {
                    MapProjectionItem::Entry(_, value) => in_expr(value, out),
                    MapProjectionItem::Variable(variable) => {
                        out.insert(variable.id);
                    }
                    MapProjectionItem::Property(_) | MapProjectionItem::AllProperties(_) => {}
                }
            }
            out.insert(projection.subject.id);
        }
        ExprKind::Pattern(pattern) | ExprKind::PathValue(pattern) => in_pattern(pattern, out),
        ExprKind::Exists(query) | ExprKind::Count(query) | ExprKind::Collect(query) => {
            in_query(query, out)
        }
    }
}

/// Adds what a path pattern mentions, the variables of its nodes and relationships included.
pub fn in_pattern(pattern: &PathPattern, out: &mut Variables) {
    let paths = pattern.variable.iter().chain(&pattern.inner);
    out.extend(paths.map(|variable| variable.id));
    for node in pattern.nodes() {
        in_node(node, out);
    }
    for hop in &pattern.hops {
        match &hop.step {
            Step::Relationship(relationship) => in_relationship(relationship, out),
            Step::Group(group) => {
                in_pattern(&group.pattern, out);
                group.filter.iter().for_each(|filter| in_expr(filter, out));
                out.extend(group.exports.iter().map(|(_, outer)| *outer));
                out.insert(group.id);
            }
        }
    }
}

fn in_node(node: &NodePattern, out: &mut Variables) {
    out.insert(node.id);
    node.labels.iter().for_each(|labels| in_labels(labels, out));
    node.properties
        .iter()
        .chain(&node.filter)
        .for_each(|expr| in_expr(expr, out));
}

/// Adds what a relationship mentions, its variable included.
pub fn in_relationship(relationship: &RelationshipPattern, out: &mut Variables) {
    out.insert(relationship.id);
    relationship
        .types
        .iter()
        .for_each(|types| in_labels(types, out));
    relationship
        .properties
        .iter()
        .chain(&relationship.filter)
        .for_each(|expr| in_expr(expr, out));
    in_expansion(&relationship.expansion, out);
}

/// Adds what the bounds, filter and weight of a variable length mention; the filter's own variables are among them.
pub fn in_expansion(expansion: &Expansion, out: &mut Variables) {
    let range = match expansion {
        Expansion::Single => return,
        Expansion::Variable { range, filter } | Expansion::BreadthFirst { range, filter } => {
            filter.iter().for_each(|lambda| in_expr(&lambda.body, out));
            range
        }
        Expansion::WeightedShortest {
            range,
            weight,
            filter,
            ..
        }
        | Expansion::AllShortest {
            range,
            weight,
            filter,
            ..
        } => {
            in_expr(&weight.body, out);
            filter.iter().for_each(|lambda| in_expr(&lambda.body, out));
            range
        }
        Expansion::KShortest { range, limit } => {
            limit.iter().for_each(|expr| in_expr(expr, out));
            range
        }
    };
    range
        .min
        .iter()
        .chain(&range.max)
        .for_each(|expr| in_expr(expr, out));
}

/// Adds what dynamic labels mention.
pub fn in_labels(labels: &LabelExpr, out: &mut Variables) {
    match labels {
        LabelExpr::Name(LabelName::Dynamic(expr, _)) => in_expr(expr, out),
        LabelExpr::Name(LabelName::Static(_)) | LabelExpr::Wildcard(_) => {}
        LabelExpr::And(parts) | LabelExpr::Or(parts) => {
            parts.iter().for_each(|part| in_labels(part, out))
        }
        LabelExpr::Not(part) => in_labels(part, out),
    }
}

/// Adds what a query mentions.
pub fn in_query(query: &Query, out: &mut Variables) {
    for part in &query.parts {
        in_clauses(&part.clauses, out);
    }
}

fn in_clauses(clauses: &[Clause], out: &mut Variables) {
    for clause in clauses {
        match &clause.kind {
            ClauseKind::Match(matching) => {
                matching
                    .patterns
                    .iter()
                    .for_each(|pattern| in_pattern(pattern, out));
                matching
                    .filter
                    .iter()
                    .for_each(|filter| in_expr(filter, out));
            }
            ClauseKind::Unwind { list, .. } => in_expr(list, out),
            ClauseKind::With(projection) | ClauseKind::Return(projection) => {
                projection
                    .items
                    .iter()
                    .for_each(|item| in_expr(&item.expr, out));
                projection
                    .order
                    .iter()
                    .for_each(|item| in_expr(&item.expr, out));
                let rest = projection
                    .skip
                    .iter()
                    .chain(&projection.limit)
                    .chain(&projection.filter);
                rest.for_each(|expr| in_expr(expr, out));
            }
            ClauseKind::Create(patterns) => {
                patterns.iter().for_each(|pattern| in_pattern(pattern, out))
            }
            ClauseKind::Merge(merge) => {
                in_pattern(&merge.pattern, out);
                in_set(&merge.on_create, out);
                in_set(&merge.on_match, out);
            }
            ClauseKind::Set(items) => in_set(items, out),
            ClauseKind::Remove(items) => {
                for item in items {
                    match item {
                        RemoveItem::Property(target) => in_expr(target, out),
                        RemoveItem::Labels { variable, .. } => {
                            out.insert(variable.id);
                        }
                    }
                }
            }
            ClauseKind::Delete { targets, .. } => {
                targets.iter().for_each(|target| in_expr(target, out))
            }
            ClauseKind::Foreach(foreach) => {
                in_expr(&foreach.list, out);
                in_clauses(&foreach.body, out);
            }
            ClauseKind::Load(load) => in_expr(&load.source, out),
            ClauseKind::CallProcedure(call) => {
                call.args
                    .iter()
                    .flatten()
                    .chain(&call.filter)
                    .for_each(|expr| in_expr(expr, out));
            }
            ClauseKind::CallSubquery(call) => {
                if let Imports::List(variables) = &call.imports {
                    out.extend(variables.iter().map(|variable| variable.id));
                }
                in_query(&call.query, out);
            }
            ClauseKind::Finish | ClauseKind::Use(_) => {}
        }
    }
}

fn in_set(items: &[SetItem], out: &mut Variables) {
    for item in items {
        match item {
            SetItem::Property { target, value } | SetItem::Merge { target, value } => {
                in_expr(target, out);
                in_expr(value, out);
            }
            SetItem::Replace { variable, value } => {
                out.insert(variable.id);
                in_expr(value, out);
            }
            SetItem::Labels { variable, labels } => {
                out.insert(variable.id);
                for label in labels {
                    if let LabelName::Dynamic(expr, _) = label {
                        in_expr(expr, out);
                    }
                }
            }
        }
    }
}
