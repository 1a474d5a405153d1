//! Expressions: names, static types, and where aggregates and patterns may stand.

use super::scope::Frame;
use super::types::{Base, ValueType, first_argument, result};
use super::{Checker, pattern};
use crate::ast::*;
use crate::error::{Detail, Error, ErrorKind, Result};
use crate::functions::{ARGS_MAX, Function};
use crate::span::Span;

/// What may stand at a place.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) aggregates: Aggregates,
    /// A pattern may stand here as a predicate.
    pub(super) patterns: bool,
}

/// Whether aggregates may stand at a place.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Aggregates {
    Allowed,
    Forbidden,
    /// Within an aggregate's arguments.
    Nested,
}

impl Place {
    /// A value outside of projections.
    pub(super) const VALUE: Place = Place {
        aggregates: Aggregates::Forbidden,
        patterns: false,
    };
    /// A predicate.
    pub(super) const PREDICATE: Place = Place {
        aggregates: Aggregates::Forbidden,
        patterns: true,
    };
    /// An item of a projection.
    pub(super) const PROJECTED: Place = Place {
        aggregates: Aggregates::Allowed,
        patterns: false,
    };

    /// A part whose value is used, not its truth.
    fn value(self) -> Place {
        Place {
            patterns: false,
            ..self
        }
    }

    /// A part that is looked at once for each element of a list.
    fn repeated(self, patterns: bool) -> Place {
        let aggregates = match self.aggregates {
            Aggregates::Allowed => Aggregates::Forbidden,
            other => other,
        };
        Place {
            aggregates,
            patterns,
        }
    }
}

pub(super) fn invalid_type(span: Span, message: impl Into<String>) -> Error {
    Error::syntax(Detail::InvalidArgumentType, span, message)
}

impl Checker<'_> {
    /// Checks an expression; gives what is known of its value.
    pub(super) fn expression(&mut self, expr: &mut Expr, place: Place) -> Result<ValueType> {
        let span = expr.span;
        match &mut expr.kind {
            ExprKind::Literal(literal) => Ok(literal_type(&literal.value)),
            ExprKind::Parameter(name) => {
                if !self.parameters.contains(name) {
                    self.parameters.insert(name.clone());
                }
                Ok(ValueType::ANY)
            }
            ExprKind::Variable(variable) => self.resolve(variable),
            ExprKind::List(items) => self.list(items, place.value()),
            ExprKind::Map(entries) => {
                for (_, value) in entries {
                    self.expression(value, place.value())?;
                }
                Ok(ValueType::MAP)
            }
            ExprKind::Or(all) | ExprKind::Xor(all) | ExprKind::And(all) => {
                for operand in all {
                    self.condition(operand, place)?;
                }
                Ok(ValueType::BOOLEAN)
            }
            ExprKind::Not(operand) => {
                self.condition(operand, place)?;
                Ok(ValueType::BOOLEAN)
            }
            ExprKind::Comparison(comparison) => {
                self.expression(&mut comparison.first, place.value())?;
                for (_, operand) in &mut comparison.rest {
                    self.expression(operand, place.value())?;
                }
                Ok(ValueType::BOOLEAN)
            }
            ExprKind::Arithmetic(arithmetic) => self.arithmetic(arithmetic, place.value()),
            ExprKind::Negate(operand) | ExprKind::Plus(operand) => {
                let kind = self.expression(operand, place.value())?;
                self.number(operand, kind)?;
                Ok(kind)
            }
            ExprKind::StringMatch(matching) => {
                self.expression(&mut matching.left, place.value())?;
                self.expression(&mut matching.right, place.value())?;
                Ok(ValueType::BOOLEAN)
            }
            ExprKind::In(operands) => self.membership(operands, place.value()),
            ExprKind::IsNull { operand, .. } => {
                self.expression(operand, place.value())?;
                Ok(ValueType::BOOLEAN)
            }
            ExprKind::IsTyped(typed) => {
                self.expression(&mut typed.operand, place.value())?;
                Ok(ValueType::BOOLEAN)
            }
            ExprKind::IsNormalized(normalized) => {
                self.expression(&mut normalized.operand, place.value())?;
                Ok(ValueType::BOOLEAN)
            }
            ExprKind::HasLabels(has) => self.has_labels(has, place.value()),
            ExprKind::Property(property) => self.property(property, place.value()),
            ExprKind::Index(index) => {
                let object = self.expression(&mut index.0, place.value())?;
                self.expression(&mut index.1, place.value())?;
                Ok(object.element())
            }
            ExprKind::Slice(slice) => self.slice(slice, place.value()),
            ExprKind::Call(call) => self.call(call, span, place.value()),
            ExprKind::CountStar => {
                aggregate_may_stand(place, span, "count(*)")?;
                Ok(ValueType::INTEGER)
            }
            ExprKind::Case(case) => self.case(case, place),
            ExprKind::ListComprehension(comprehension) => {
                self.list_comprehension(comprehension, place)
            }
            ExprKind::PatternComprehension(comprehension) => {
                self.pattern_comprehension(comprehension, place)
            }
            ExprKind::Quantified(quantified) => self.quantified(quantified, place),
            ExprKind::Reduce(reduce) => self.reduce(reduce, place),
            ExprKind::MapProjection(projection) => self.map_projection(projection, place.value()),
            ExprKind::Pattern(pattern) => {
                if !place.patterns {
                    return Err(Error::syntax(
                        Detail::UnexpectedSyntax,
                        span,
                        "a pattern cannot be used as a value here",
                    )
                    .hint("use it in WHERE, in exists(), or in a pattern comprehension `[(a)-->(b) | b]`"));
                }
                self.pattern_predicate(pattern)?;
                Ok(ValueType::BOOLEAN)
            }
            ExprKind::PathValue(pattern) => {
                let many = pattern.selector == PathSelector::AllShortestPaths;
                self.pattern_predicate(pattern)?;
                Ok(if many {
                    ValueType::PATH.list()
                } else {
                    ValueType::PATH
                })
            }
            ExprKind::Exists(query) => {
                self.expression_subquery(query, false)?;
                Ok(ValueType::BOOLEAN)
            }
            ExprKind::Count(query) => {
                self.expression_subquery(query, false)?;
                Ok(ValueType::INTEGER)
            }
            ExprKind::Collect(query) => Ok(self.expression_subquery(query, true)?.list()),
            ExprKind::Enum(_) => Ok(ValueType::ANY),
        }
    }

    /// Checks what must be true, false or null.
    pub(super) fn condition(&mut self, expr: &mut Expr, place: Place) -> Result<()> {
        let kind = self.expression(expr, place)?;
        if kind.may_be(Base::Boolean) {
            return Ok(());
        }
        Err(invalid_type(
            expr.span,
            format!("a boolean is needed here, this is {kind:#}"),
        ))
    }

    #[inline(never)]
    fn list(&mut self, items: &mut [Expr], place: Place) -> Result<ValueType> {
        let mut element: Option<ValueType> = None;
        for item in items {
            let kind = self.expression(item, place)?;
            element = Some(element.map_or(kind, |element| element.or(kind)));
        }
        Ok(element.unwrap_or(ValueType::ANY).list())
    }

    /// Refuses what can certainly not be calculated with.
    fn number(&self, expr: &Expr, kind: ValueType) -> Result<()> {
        if kind.may_be(Base::Number) || kind.base == Base::Any {
            return Ok(());
        }
        Err(invalid_type(
            expr.span,
            format!("a number is needed here, this is {kind:#}"),
        ))
    }

    #[inline(never)]
    fn arithmetic(&mut self, arithmetic: &mut Arithmetic, place: Place) -> Result<ValueType> {
        let mut kind = self.expression(&mut arithmetic.first, place)?;
        for index in 0..arithmetic.rest.len() {
            let (op, _, right) = &mut arithmetic.rest[index];
            let op = *op;
            let other = self.expression(right, place)?;
            if matches!(op, ArithmeticOp::Add | ArithmeticOp::Concatenate) {
                kind = match (kind, other) {
                    (a, b) if a == b && a.base != Base::Boolean => a,
                    (a, b) if a.is_list() && b.is_list() => a.or(b),
                    _ => ValueType::ANY,
                };
                continue;
            }
            if index == 0 {
                self.number(&arithmetic.first, kind)?;
            }
            self.number(&arithmetic.rest[index].2, other)?;
            kind = match (kind, other) {
                (ValueType::INTEGER, ValueType::INTEGER) if op != ArithmeticOp::Power => {
                    ValueType::INTEGER
                }
                (a, b) if a.is_open() || b.is_open() => ValueType::ANY,
                _ => ValueType::NUMBER,
            };
        }
        Ok(kind)
    }

    #[inline(never)]
    fn membership(&mut self, operands: &mut (Expr, Expr), place: Place) -> Result<ValueType> {
        self.expression(&mut operands.0, place)?;
        let list = self.expression(&mut operands.1, place)?;
        if list.may_be_list() {
            return Ok(ValueType::BOOLEAN);
        }
        Err(invalid_type(
            operands.1.span,
            format!("IN needs a list, this is {list:#}"),
        ))
    }

    #[inline(never)]
    fn has_labels(&mut self, has: &mut HasLabels, place: Place) -> Result<ValueType> {
        let kind = self.expression(&mut has.operand, place)?;
        if !kind.may_be(Base::Node) && !kind.may_be(Base::Relationship) {
            return Err(invalid_type(
                has.operand.span,
                format!("only nodes and relationships have labels or types, this is {kind:#}"),
            ));
        }
        self.labels(&mut has.labels)?;
        Ok(ValueType::BOOLEAN)
    }

    #[inline(never)]
    fn property(&mut self, property: &mut Property, place: Place) -> Result<ValueType> {
        let kind = self.expression(&mut property.object, place)?;
        let has = [Base::Node, Base::Relationship, Base::Map]
            .iter()
            .any(|&base| kind.may_be(base));
        if has {
            return Ok(ValueType::ANY);
        }
        let message = format!("{kind:#} has no properties");
        let error = match kind {
            ValueType::PATH => ErrorKind::SyntaxError,
            _ => ErrorKind::TypeError,
        };
        Err(Error::compile(
            error,
            Detail::InvalidArgumentType,
            property.object.span,
            message,
        ))
    }

    #[inline(never)]
    fn slice(&mut self, slice: &mut Slice, place: Place) -> Result<ValueType> {
        let object = self.expression(&mut slice.object, place)?;
        for bound in slice.from.iter_mut().chain(&mut slice.to) {
            self.expression(bound, place)?;
        }
        Ok(if object.is_list() {
            object
        } else {
            ValueType::ANY
        })
    }

    #[inline(never)]
    fn call(&mut self, call: &mut FunctionCall, span: Span, place: Place) -> Result<ValueType> {
        let Some(function) = Function::find(&call.name) else {
            let message = format!("there is no function `{}`", call.name);
            let hint = Function::similar(&call.name).map(|name| format!("did you mean `{name}`?"));
            return Err(
                Error::syntax(Detail::UnknownFunction, call.name_span, message).hint_opt(hint),
            );
        };
        call.function = Some(function);
        let (min, max) = function.arity();
        let given = call.args.len();
        if given < min || given > max {
            let message = wrong_number(&format!("{function}()"), given, min, max);
            return Err(Error::syntax(
                Detail::InvalidNumberOfArguments,
                span,
                message,
            ));
        }
        if call.distinct && !function.is_aggregate() {
            let message = format!("DISTINCT has no meaning in {function}(), which is no aggregate");
            return Err(Error::syntax(Detail::UnexpectedSyntax, span, message));
        }
        let inner = if function.is_aggregate() {
            aggregate_may_stand(place, span, function.name())?;
            Place {
                aggregates: Aggregates::Nested,
                ..place
            }
        } else {
            place
        };
        if matches!(function, Function::Rand | Function::RandomUuid)
            && place.aggregates == Aggregates::Nested
        {
            let message = format!("{function}() cannot be used within an aggregate");
            return Err(Error::syntax(Detail::NonConstantExpression, span, message));
        }
        self.arguments(call, function, inner)
    }

    fn arguments(
        &mut self,
        call: &mut FunctionCall,
        function: Function,
        place: Place,
    ) -> Result<ValueType> {
        let mut kinds: smallvec::SmallVec<[ValueType; 4]> = smallvec::SmallVec::new();
        let place = Place {
            patterns: function == Function::Exists,
            ..place
        };
        for arg in &mut call.args {
            kinds.push(self.expression(arg, place)?);
        }
        if let (Some(&kind), Some(arg)) = (kinds.first(), call.args.first())
            && let Err(wanted) = first_argument(function, kind)
        {
            return Err(invalid_type(
                arg.span,
                format!("{function}() needs {wanted}, this is {kind:#}"),
            ));
        }
        Ok(result(function, &kinds))
    }

    #[inline(never)]
    fn case(&mut self, case: &mut Case, place: Place) -> Result<ValueType> {
        let searched = case.subject.is_none();
        if let Some(subject) = &mut case.subject {
            self.expression(subject, place.value())?;
        }
        let mut kind: Option<ValueType> = None;
        for arm in &mut case.arms {
            for test in &mut arm.tests {
                match test {
                    CaseTest::Value(test) => {
                        let place = Place {
                            patterns: searched,
                            ..place
                        };
                        self.expression(test, place)?;
                    }
                    CaseTest::Compare(_, test)
                    | CaseTest::StringMatch(_, test)
                    | CaseTest::In(test) => {
                        self.expression(test, place.value())?;
                    }
                    CaseTest::IsNull { .. } | CaseTest::IsTyped { .. } => {}
                }
            }
            let then = self.expression(&mut arm.then, place.value())?;
            kind = Some(kind.map_or(then, |kind| kind.or(then)));
        }
        if let Some(otherwise) = &mut case.otherwise {
            let otherwise = self.expression(otherwise, place.value())?;
            kind = Some(kind.map_or(otherwise, |kind| kind.or(otherwise)));
        }
        Ok(kind.unwrap_or(ValueType::ANY))
    }

    /// Checks the list that a construct goes through; gives its elements' type.
    pub(super) fn iterated(&mut self, list: &mut Expr, place: Place) -> Result<ValueType> {
        let kind = self.expression(list, place.value())?;
        if kind.may_be_list() {
            return Ok(kind.element());
        }
        Err(invalid_type(
            list.span,
            format!("a list is needed here, this is {kind:#}"),
        ))
    }

    #[inline(never)]
    fn list_comprehension(
        &mut self,
        comprehension: &mut ListComprehension,
        place: Place,
    ) -> Result<ValueType> {
        let element = self.iterated(&mut comprehension.list, place)?;
        self.within(Frame::open(), |checker| {
            checker.bind(&mut comprehension.variable, element);
            if let Some(filter) = &mut comprehension.filter {
                checker.condition(filter, place.repeated(true))?;
            }
            match &mut comprehension.body {
                Some(body) => Ok(checker.expression(body, place.repeated(false))?.list()),
                None => Ok(element.list()),
            }
        })
    }

    #[inline(never)]
    fn pattern_comprehension(
        &mut self,
        comprehension: &mut PatternComprehension,
        place: Place,
    ) -> Result<ValueType> {
        self.within(Frame::open(), |checker| {
            checker.effects.reads = true;
            checker.match_patterns(
                std::slice::from_mut(&mut comprehension.pattern),
                pattern::New::Allowed,
            )?;
            if let Some(filter) = &mut comprehension.filter {
                checker.condition(filter, place.repeated(true))?;
            }
            Ok(checker
                .expression(&mut comprehension.body, place.repeated(false))?
                .list())
        })
    }

    #[inline(never)]
    fn quantified(&mut self, quantified: &mut Quantified, place: Place) -> Result<ValueType> {
        let element = self.iterated(&mut quantified.list, place)?;
        self.within(Frame::open(), |checker| {
            checker.bind(&mut quantified.variable, element);
            checker.condition(&mut quantified.predicate, place.repeated(true))
        })?;
        Ok(ValueType::BOOLEAN)
    }

    #[inline(never)]
    fn reduce(&mut self, reduce: &mut Reduce, place: Place) -> Result<ValueType> {
        self.expression(&mut reduce.init, place.value())?;
        let element = self.iterated(&mut reduce.list, place)?;
        self.within(Frame::open(), |checker| {
            checker.bind(&mut reduce.accumulator, ValueType::ANY);
            checker.bind(&mut reduce.variable, element);
            checker.expression(&mut reduce.body, place.repeated(false))
        })?;
        Ok(ValueType::ANY)
    }

    #[inline(never)]
    fn map_projection(
        &mut self,
        projection: &mut MapProjection,
        place: Place,
    ) -> Result<ValueType> {
        let subject = self.resolve(&mut projection.subject)?;
        if ![Base::Node, Base::Relationship, Base::Map]
            .iter()
            .any(|&base| subject.may_be(base))
        {
            return Err(invalid_type(
                projection.subject.span,
                format!("{subject:#} has no properties"),
            ));
        }
        for item in &mut projection.items {
            match item {
                MapProjectionItem::Entry(_, value) => {
                    self.expression(value, place)?;
                }
                MapProjectionItem::Variable(variable) => {
                    self.resolve(variable)?;
                }
                MapProjectionItem::Property(_) | MapProjectionItem::AllProperties(_) => {}
            }
        }
        Ok(ValueType::MAP)
    }

    /// Checks label expressions, whose names may be computed.
    pub(super) fn labels(&mut self, labels: &mut LabelExpr) -> Result<()> {
        match labels {
            LabelExpr::Name(name) => self.label(name),
            LabelExpr::And(all) | LabelExpr::Or(all) => {
                all.iter_mut().try_for_each(|one| self.labels(one))
            }
            LabelExpr::Not(inner) => self.labels(inner),
            LabelExpr::Wildcard(_) => Ok(()),
        }
    }

    pub(super) fn label(&mut self, label: &mut LabelName) -> Result<()> {
        if let LabelName::Dynamic(expr, _) = label {
            self.expression(expr, Place::VALUE)?;
        }
        Ok(())
    }
}

fn literal_type(value: &LiteralValue) -> ValueType {
    match value {
        LiteralValue::Null => ValueType::NULL,
        LiteralValue::Boolean(_) => ValueType::BOOLEAN,
        LiteralValue::Integer(_) => ValueType::INTEGER,
        LiteralValue::Float(_) => ValueType::FLOAT,
        LiteralValue::String(_) => ValueType::STRING,
    }
}

fn aggregate_may_stand(place: Place, span: Span, name: &str) -> Result<()> {
    match place.aggregates {
        Aggregates::Allowed => Ok(()),
        Aggregates::Forbidden => Err(Error::syntax(
            Detail::InvalidAggregation,
            span,
            format!("the aggregate {name} cannot be used here"),
        )
        .hint("aggregate in WITH or RETURN, and use the result")),
        Aggregates::Nested => Err(Error::syntax(
            Detail::NestedAggregation,
            span,
            format!("the aggregate {name} cannot be used within another one"),
        )
        .hint("aggregate in a WITH first")),
    }
}

/// Why `given` arguments are not what `callee` takes, which is `least` to `most`.
pub(super) fn wrong_number(callee: &str, given: usize, least: usize, most: usize) -> String {
    let takes = match (least, most) {
        (least, most) if least == most => least.to_string(),
        (least, ARGS_MAX) => format!("at least {least}"),
        (least, most) => format!("{least} to {most}"),
    };
    let arguments = match takes.as_str() {
        "1" | "at least 1" => "argument",
        _ => "arguments",
    };
    let were = if given == 1 { "was" } else { "were" };
    format!("{callee} takes {takes} {arguments}, {given} {were} given")
}
