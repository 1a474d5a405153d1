//! From expressions of the syntax tree to expressions that run.

use std::rc::Rc;
use std::sync::Arc;

use quoit_cypher::ast::{self, CaseTest, ExprKind, LabelExpr, LabelName, LiteralValue};
use quoit_cypher::error::{Detail, Error};
use quoit_cypher::functions::{Function, FunctionKind};
use quoit_graph::value::Value;

use super::advice::AdviceKind;
use super::pattern::{Asked, path_of};
use super::scope::Scope;
use super::{ParameterSource, Planner, long, reach, unsupported, used};
use crate::expression::{
    Case, Expr, LabelTest, ListComprehension, MapProjection, MapProjectionItem, NameRef, Place,
    Quantified, Reduce, Subquery, SubqueryKind,
};
use crate::function;
use crate::plan::{AggregateCall, Op, Plan};

impl Planner<'_> {
    /// Plans several expressions.
    pub(super) fn exprs(
        &mut self,
        exprs: &[ast::Expr],
        scope: &mut Scope,
    ) -> Result<Vec<Expr>, Error> {
        exprs.iter().map(|expr| self.expr(expr, scope)).collect()
    }

    /// Plans an expression.
    pub(super) fn expr(&mut self, expr: &ast::Expr, scope: &mut Scope) -> Result<Expr, Error> {
        let place = Place(expr.span);
        Ok(match &expr.kind {
            ExprKind::Literal(literal) => match literal.extracted {
                Some(number) => Expr::Parameter(self.parameter(ParameterSource::Literal(number))),
                None => Expr::constant(literal_value(&literal.value)),
            },
            ExprKind::Parameter(name) => {
                Expr::Parameter(self.parameter(ParameterSource::Named(Arc::from(&**name))))
            }
            ExprKind::Variable(variable) => self.variable(variable, scope)?,
            ExprKind::List(parts) => Expr::List(self.exprs(parts, scope)?),
            ExprKind::Map(entries) => {
                let mut planned = Vec::with_capacity(entries.len());
                for (key, value) in entries {
                    planned.push((Arc::from(&*key.name), self.expr(value, scope)?));
                }
                Expr::Map(planned)
            }
            ExprKind::Or(parts) => Expr::Or(self.exprs(parts, scope)?, place),
            ExprKind::Xor(parts) => Expr::Xor(self.exprs(parts, scope)?, place),
            ExprKind::And(parts) => Expr::And(self.exprs(parts, scope)?, place),
            ExprKind::Not(part) => Expr::Not(Box::new(self.expr(part, scope)?), place),
            ExprKind::Comparison(comparison) => {
                let first = self.expr(&comparison.first, scope)?;
                let mut rest = Vec::with_capacity(comparison.rest.len());
                for (op, part) in &comparison.rest {
                    rest.push((*op, self.expr(part, scope)?));
                }
                Expr::Compare(Box::new(first), rest)
            }
            ExprKind::Arithmetic(arithmetic) => {
                let first = self.expr(&arithmetic.first, scope)?;
                let mut rest = Vec::with_capacity(arithmetic.rest.len());
                for (op, span, part) in &arithmetic.rest {
                    rest.push((*op, Place(*span), self.expr(part, scope)?));
                }
                Expr::Arithmetic(Box::new(first), rest)
            }
            ExprKind::Negate(part) => Expr::Negate(Box::new(self.expr(part, scope)?), place),
            ExprKind::Plus(part) => self.expr(part, scope)?,
            ExprKind::StringMatch(pair) => {
                let pair_planned = (
                    self.expr(&pair.left, scope)?,
                    self.expr(&pair.right, scope)?,
                );
                Expr::StringMatch(pair.op, Box::new(pair_planned), place)
            }
            ExprKind::In(pair) => Expr::In(
                Box::new((self.expr(&pair.0, scope)?, self.expr(&pair.1, scope)?)),
                place,
            ),
            ExprKind::IsNull { operand, negated } => {
                Expr::IsNull(Box::new(self.expr(operand, scope)?), *negated)
            }
            ExprKind::IsTyped(typed) => Expr::IsTyped(
                Box::new(self.expr(&typed.operand, scope)?),
                Rc::new(typed.union.clone()),
                typed.negated,
            ),
            ExprKind::IsNormalized(normalized) => Expr::IsNormalized(
                Box::new(self.expr(&normalized.operand, scope)?),
                normalized.form,
                normalized.negated,
            ),
            ExprKind::HasLabels(labels) => {
                let operand = self.expr(&labels.operand, scope)?;
                self.mention_labels(AdviceKind::UnknownLabel, &labels.labels);
                self.label_predicate(operand, &labels.labels, place, scope)?
            }
            ExprKind::Property(property) => {
                let object = self.expr(&property.object, scope)?;
                self.mention_key(property);
                Expr::Property(Box::new(object), NameRef::new(&property.key.name), place)
            }
            ExprKind::Index(pair) => Expr::Index(
                Box::new((self.expr(&pair.0, scope)?, self.expr(&pair.1, scope)?)),
                place,
            ),
            ExprKind::Slice(slice) => {
                let object = self.expr(&slice.object, scope)?;
                let from = slice
                    .from
                    .as_ref()
                    .map(|from| self.expr(from, scope))
                    .transpose()?;
                let to = slice
                    .to
                    .as_ref()
                    .map(|to| self.expr(to, scope))
                    .transpose()?;
                Expr::Slice(
                    Box::new(object),
                    from.map(Box::new),
                    to.map(Box::new),
                    place,
                )
            }
            ExprKind::Call(call) => self.call(call, expr.span, scope)?,
            ExprKind::CountStar => self.aggregate(
                AggregateCall {
                    function: None,
                    distinct: false,
                    args: Vec::new(),
                    place,
                },
                scope,
            )?,
            ExprKind::Case(case) => self.case(case, scope)?,
            ExprKind::ListComprehension(comprehension) => {
                let list = self.expr(&comprehension.list, scope)?;
                let local = self.local(comprehension.variable.id, scope);
                let filter = comprehension
                    .filter
                    .as_ref()
                    .map(|filter| self.expr(filter, scope))
                    .transpose()?;
                let body = comprehension
                    .body
                    .as_ref()
                    .map(|body| self.expr(body, scope))
                    .transpose()?;
                Expr::ListComprehension(Box::new(ListComprehension {
                    local,
                    list,
                    filter,
                    body,
                    place,
                }))
            }
            ExprKind::Quantified(quantified) => {
                let list = self.expr(&quantified.list, scope)?;
                let local = self.local(quantified.variable.id, scope);
                let predicate = self.expr(&quantified.predicate, scope)?;
                Expr::Quantified(Box::new(Quantified {
                    kind: quantified.kind,
                    local,
                    list,
                    predicate,
                    place,
                }))
            }
            ExprKind::Reduce(reduce) => {
                let init = self.expr(&reduce.init, scope)?;
                let list = self.expr(&reduce.list, scope)?;
                let accumulator = self.local(reduce.accumulator.id, scope);
                let local = self.local(reduce.variable.id, scope);
                let body = self.expr(&reduce.body, scope)?;
                Expr::Reduce(Box::new(Reduce {
                    accumulator,
                    init,
                    local,
                    list,
                    body,
                    place,
                }))
            }
            ExprKind::MapProjection(projection) => {
                let subject = self.variable(&projection.subject, scope)?;
                let mut items = Vec::with_capacity(projection.items.len());
                for item in &projection.items {
                    items.push(match item {
                        ast::MapProjectionItem::AllProperties(_) => MapProjectionItem::All,
                        ast::MapProjectionItem::Property(key) => MapProjectionItem::Entry(
                            Arc::from(&*key.name),
                            Expr::Property(
                                Box::new(subject.clone()),
                                NameRef::new(&key.name),
                                Place(key.span),
                            ),
                        ),
                        ast::MapProjectionItem::Entry(key, value) => MapProjectionItem::Entry(
                            Arc::from(&*key.name),
                            self.expr(value, scope)?,
                        ),
                        ast::MapProjectionItem::Variable(variable) => MapProjectionItem::Entry(
                            Arc::from(&*variable.name),
                            self.variable(variable, scope)?,
                        ),
                    });
                }
                Expr::MapProjection(Box::new(MapProjection {
                    subject,
                    items,
                    place,
                }))
            }
            ExprKind::Pattern(pattern) => {
                self.pattern_subquery(pattern, None, None, SubqueryKind::Exists, scope)?
            }
            ExprKind::PatternComprehension(comprehension) => self.pattern_subquery(
                &comprehension.pattern,
                comprehension.filter.as_ref(),
                Some(&comprehension.body),
                SubqueryKind::Collect(0),
                scope,
            )?,
            ExprKind::PathValue(pattern) => {
                let paths = self.subquery_of_pattern(
                    pattern,
                    None,
                    Body::Path,
                    SubqueryKind::Collect(0),
                    scope,
                )?;
                match pattern.selector {
                    ast::PathSelector::AllShortestPaths => paths,
                    // The only one, or null.
                    _ => Expr::Call(Function::Head, vec![paths], Place(expr.span)),
                }
            }
            ExprKind::Exists(query) => self.query_subquery(query, SubqueryKind::Exists, scope)?,
            ExprKind::Count(query) => self.query_subquery(query, SubqueryKind::Count, scope)?,
            ExprKind::Collect(query) => {
                self.query_subquery(query, SubqueryKind::Collect(0), scope)?
            }
            ExprKind::Enum(_) => return Err(unsupported("an enum value", expr.span)),
        })
    }

    fn variable(&mut self, variable: &ast::Variable, scope: &Scope) -> Result<Expr, Error> {
        scope.resolve(variable.id).ok_or_else(|| {
            Error::syntax(
                Detail::UndefinedVariable,
                variable.span,
                format!("variable `{}` is not defined here", variable.name),
            )
        })
    }

    fn local(&mut self, id: ast::VarId, scope: &mut Scope) -> u32 {
        let local = self.new_local();
        scope.bind_local(id, local);
        local
    }

    fn call(
        &mut self,
        call: &ast::FunctionCall,
        span: quoit_cypher::span::Span,
        scope: &mut Scope,
    ) -> Result<Expr, Error> {
        let function = call
            .function
            .ok_or_else(|| Error::internal("an unchecked function call was planned"))?;
        let place = Place(span);
        if matches!(function, Function::LineNumber | Function::File) {
            return self.of_load(function, call.name_span, scope);
        }
        if !function::is_implemented(function) {
            return Err(unsupported(
                &format!("the function {}()", call.name),
                call.name_span,
            ));
        }
        if function.is_aggregate() {
            if function == Function::Collect && call.args.len() > 1 && call.distinct {
                return Err(Error::argument(
                    Detail::InvalidArgumentValue,
                    "collect(key, value) has no DISTINCT: a map has each key once",
                )
                .at(span));
            }
            // Aggregates do not nest: the check has made sure of that.
            // What they fold is of the rows before the projection, where there are no columns.
            let aggregates = scope.aggregates.take();
            let columns = std::mem::take(&mut scope.columns);
            let args = self.exprs(&call.args, scope);
            (scope.aggregates, scope.columns) = (aggregates, columns);
            return self.aggregate(
                AggregateCall {
                    function: Some(function),
                    distinct: call.distinct,
                    args: args?,
                    place,
                },
                scope,
            );
        }
        // `exists(pattern)` is the pattern's own truth.
        if let (
            Function::Exists,
            [
                ast::Expr {
                    kind: ExprKind::Pattern(_),
                    ..
                },
            ],
        ) = (function, call.args.as_slice())
        {
            return self.expr(&call.args[0], scope);
        }
        // `size(pattern comprehension)` counts without making the list.
        if let (
            Function::Size,
            [
                ast::Expr {
                    kind: ExprKind::PatternComprehension(comprehension),
                    ..
                },
            ],
        ) = (function, call.args.as_slice())
        {
            let filter = comprehension.filter.as_ref();
            return self.pattern_subquery(
                &comprehension.pattern,
                filter,
                None,
                SubqueryKind::Count,
                scope,
            );
        }
        self.is_volatile |= matches!(
            function,
            Function::Rand
                | Function::RandomUuid
                | Function::UniformSample
                | Function::Counter
                | Function::GetHopsCounter
        );
        self.is_timed |= function.kind() == FunctionKind::Volatile;
        Ok(Expr::Call(function, self.exprs(&call.args, scope)?, place))
    }

    fn aggregate(&mut self, call: AggregateCall, scope: &mut Scope) -> Result<Expr, Error> {
        let Some(aggregates) = &mut scope.aggregates else {
            return Err(Error::syntax(
                Detail::InvalidAggregation,
                call.place.0,
                "an aggregate cannot stand here",
            ));
        };
        let number = match aggregates.iter().position(|known| *known == call) {
            Some(number) => number,
            None => {
                aggregates.push(call);
                aggregates.len() - 1
            }
        };
        Ok(Expr::Aggregate(number as u32))
    }

    fn case(&mut self, case: &ast::Case, scope: &mut Scope) -> Result<Expr, Error> {
        let subject = match &case.subject {
            Some(subject) => Some((self.expr(subject, scope)?, self.new_local())),
            None => None,
        };
        let mut arms = Vec::with_capacity(case.arms.len());
        for arm in &case.arms {
            let mut tests = Vec::with_capacity(arm.tests.len());
            for test in &arm.tests {
                tests.push(match (&subject, test) {
                    (None, CaseTest::Value(value)) => self.expr(value, scope)?,
                    (None, _) => {
                        return Err(Error::internal("a searched CASE has only conditions"));
                    }
                    (Some((_, local)), test) => {
                        let subject = Expr::Local(*local);
                        match test {
                            CaseTest::Value(value) => Expr::Compare(
                                Box::new(subject),
                                vec![(ast::ComparisonOp::Equal, self.expr(value, scope)?)],
                            ),
                            CaseTest::Compare(op, value) => Expr::Compare(
                                Box::new(subject),
                                vec![(*op, self.expr(value, scope)?)],
                            ),
                            CaseTest::StringMatch(op, value) => Expr::StringMatch(
                                *op,
                                Box::new((subject, self.expr(value, scope)?)),
                                Place(value.span),
                            ),
                            CaseTest::In(value) => Expr::In(
                                Box::new((subject, self.expr(value, scope)?)),
                                Place(value.span),
                            ),
                            CaseTest::IsNull { negated } => {
                                Expr::IsNull(Box::new(subject), *negated)
                            }
                            CaseTest::IsTyped { union, negated } => {
                                Expr::IsTyped(Box::new(subject), Rc::new(union.clone()), *negated)
                            }
                        }
                    }
                });
            }
            arms.push((tests, self.expr(&arm.then, scope)?));
        }
        let otherwise = case
            .otherwise
            .as_ref()
            .map(|value| self.expr(value, scope))
            .transpose()?;
        Ok(Expr::Case(Box::new(Case {
            subject,
            arms,
            otherwise,
        })))
    }

    /// Plans the question whether a node or relationship is as a label expression says.
    pub(super) fn label_predicate(
        &mut self,
        labelled: Expr,
        labels: &LabelExpr,
        place: Place,
        scope: &mut Scope,
    ) -> Result<Expr, Error> {
        if let Some(test) = static_test(labels) {
            return Ok(Expr::HasLabels(Box::new(labelled), test, place));
        }
        let mut all = |parts: &[LabelExpr]| {
            let parts = parts.iter();
            parts
                .map(|part| self.label_predicate(labelled.clone(), part, place, scope))
                .collect::<Result<Vec<_>, _>>()
        };
        Ok(match labels {
            LabelExpr::And(parts) => Expr::And(all(parts)?, place),
            LabelExpr::Or(parts) => Expr::Or(all(parts)?, place),
            LabelExpr::Not(part) => {
                let part = self.label_predicate(labelled, part, place, scope)?;
                Expr::Not(Box::new(part), place)
            }
            LabelExpr::Name(LabelName::Dynamic(names, how_many)) => {
                let place = Place(names.span);
                let names = self.expr(names, scope)?;
                Expr::HasNames(Box::new((labelled, names)), *how_many, place)
            }
            LabelExpr::Name(LabelName::Static(_)) | LabelExpr::Wildcard(_) => {
                return Err(Error::internal("a name that is known is computed"));
            }
        })
    }

    /// The scope of a subquery and what it takes from outside: those of the outer frame's variables that it mentions, as locals.
    pub(super) fn enter(
        &mut self,
        mentioned: &used::Variables,
        outer: &Scope,
    ) -> (Scope, Vec<(Expr, u32)>) {
        let mut inner = outer.subquery();
        let mut imports = Vec::new();
        let mut mentioned: Vec<_> = mentioned.iter().copied().collect();
        mentioned.sort();
        for id in mentioned {
            // Columns and slots lie in the outer row; locals are seen from within as they are.
            match outer.resolve(id) {
                Some(Expr::Local(_)) | None => {}
                Some(value) => {
                    let local = self.new_local();
                    inner.bind_local(id, local);
                    imports.push((value, local));
                }
            }
        }
        (inner, imports)
    }

    fn pattern_subquery(
        &mut self,
        pattern: &ast::PathPattern,
        filter: Option<&ast::Expr>,
        body: Option<&ast::Expr>,
        kind: SubqueryKind,
        scope: &mut Scope,
    ) -> Result<Expr, Error> {
        let body = body.map_or(Body::Nothing, Body::Expr);
        self.subquery_of_pattern(pattern, filter, body, kind, scope)
    }

    fn subquery_of_pattern(
        &mut self,
        pattern: &ast::PathPattern,
        filter: Option<&ast::Expr>,
        body: Body<'_>,
        kind: SubqueryKind,
        scope: &mut Scope,
    ) -> Result<Expr, Error> {
        let mut mentioned = used::Variables::new();
        used::in_pattern(pattern, &mut mentioned);
        let given = match body {
            Body::Expr(body) => Some(body),
            Body::Nothing | Body::Path => None,
        };
        filter
            .iter()
            .chain(&given)
            .for_each(|expr| used::in_expr(expr, &mut mentioned));
        self.mention_patterns(std::slice::from_ref(pattern));
        let (mut inner, imports) = self.enter(&mentioned, scope);
        let start = Plan::leaf(Op::Unit(inner.width()));
        let mut plan = self.match_patterns(start, Asked::pattern(pattern, filter), &mut inner)?;
        let value = match body {
            Body::Nothing => None,
            Body::Expr(body) => Some(self.expr(body, &mut inner)?),
            Body::Path => Some(path_of(pattern, &mut inner)),
        };
        let mut kind = kind;
        if let Some(value) = value {
            let slot = inner.hidden_slot();
            plan = long::extended(plan, vec![(slot, value)]);
            kind = SubqueryKind::Collect(slot);
        }
        if let Some(degree) = self.degree(&plan, kind, &imports) {
            return Ok(degree);
        }
        if !self.is_volatile && !self.catalog.plain {
            plan = reach::improve_subquery(plan, kind);
        }
        self.subquery_depth += plan.depth;
        Ok(Expr::Subquery(Subquery {
            kind,
            number: self.new_subquery(),
            plan: Rc::new(plan),
            imports,
        }))
    }

    fn query_subquery(
        &mut self,
        query: &ast::Query,
        kind: SubqueryKind,
        scope: &mut Scope,
    ) -> Result<Expr, Error> {
        let mut mentioned = used::Variables::new();
        used::in_query(query, &mut mentioned);
        let (inner, imports) = self.enter(&mentioned, scope);
        self.nested += 1;
        self.nested_in_expressions += 1;
        let (mut plan, _) = self.query(query, &inner)?;
        self.nested_in_expressions -= 1;
        self.nested -= 1;
        if let Some(degree) = self.degree(&plan, kind, &imports) {
            return Ok(degree);
        }
        if !self.is_volatile && !self.catalog.plain {
            plan = reach::improve_subquery(plan, kind);
        }
        if plan.writes() {
            return Err(Error::syntax(
                Detail::InvalidClauseComposition,
                query.span,
                "a subquery in an expression cannot write",
            ));
        }
        self.subquery_depth += plan.depth;
        Ok(Expr::Subquery(Subquery {
            kind,
            number: self.new_subquery(),
            plan: Rc::new(plan),
            imports,
        }))
    }
}

/// What a pattern within an expression gives for each match.
enum Body<'a> {
    Nothing,
    Expr(&'a ast::Expr),
    /// The path.
    Path,
}

/// The value of a literal.
pub fn literal_value(literal: &LiteralValue) -> Value {
    match literal {
        LiteralValue::Null => Value::Null,
        LiteralValue::Boolean(value) => Value::Bool(*value),
        LiteralValue::Integer(value) => Value::Int(*value),
        LiteralValue::Float(value) => Value::Float(*value),
        LiteralValue::String(value) => Value::string(value),
    }
}

/// The test that a label expression is, if all of its names are known.
fn static_test(labels: &LabelExpr) -> Option<LabelTest> {
    let tests = |parts: &[LabelExpr]| parts.iter().map(static_test).collect::<Option<Vec<_>>>();
    Some(match labels {
        LabelExpr::Name(LabelName::Static(name)) => LabelTest::Name(NameRef::new(&name.name)),
        LabelExpr::Name(LabelName::Dynamic(..)) => return None,
        LabelExpr::And(parts) => LabelTest::And(tests(parts)?),
        LabelExpr::Or(parts) => LabelTest::Or(tests(parts)?),
        LabelExpr::Not(part) => LabelTest::Not(Box::new(static_test(part)?)),
        LabelExpr::Wildcard(_) => LabelTest::Wildcard,
    })
}
