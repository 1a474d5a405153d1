//! Expressions of a plan in the words of the query, for `EXPLAIN` and `PROFILE`.
//!
//! Called by [`super::describe`]. Always holds: variables have the query's names, those that it does not name are called by their slots (`anon_3`); a
//! literal that was taken out of the text is `$0`, `$1`, …; what is long is cut ([`TEXT_CHARS_MAX`]). The text says what is computed and
//! is not meant to be parsed again.

use std::sync::Arc;

use quoit_cypher::ast::{ArithmeticOp, ComparisonOp, QuantifierKind, StringOp, VarId};
use quoit_cypher::check::VariableInfo;
use quoit_graph::Direction;
use quoit_graph::value::Value;

use super::{AggregateCall, Frame, Op, Plan};
use crate::expression::{
    Case, Expr, LabelTest, MapProjectionItem, NameRef, PathPart, Slot, SubqueryKind,
};
use crate::planner::ParameterSource;

/// Characters of one expression that are shown.
const TEXT_CHARS_MAX: usize = 160;

/// What a query calls its variables.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// By the numbers of variables; none for what the query does not name.
    variables: Vec<Option<Arc<str>>>,
    /// By the numbers of locals.
    locals: Vec<Option<VarId>>,
}

impl Names {
    /// Those of a checked query, and of the locals that its plan has.
    pub fn new(variables: &[VariableInfo], locals: impl Iterator<Item = (u32, VarId)>) -> Names {
        let name = |variable: &VariableInfo| variable.name.as_ref().map(|name| Arc::from(&**name));
        let mut names = Names {
            variables: variables.iter().map(name).collect(),
            locals: Vec::new(),
        };
        for (local, variable) in locals {
            let at = local as usize;
            if at >= names.locals.len() {
                names.locals.resize(at + 1, None);
            }
            names.locals[at] = Some(variable);
        }
        names
    }

    fn variable(&self, id: VarId) -> Option<&str> {
        self.variables.get(id.0 as usize)?.as_deref()
    }
}

/// The words for an operator.
#[derive(Clone, Copy)]
pub struct Words<'a> {
    /// The operator whose rows are meant.
    pub plan: Option<&'a Plan>,
    /// Whose slots are meant.
    pub frame: Option<&'a Frame>,
    /// What variables are called.
    pub names: &'a Names,
    /// Where values of parameters come from.
    pub parameters: &'a [ParameterSource],
}

impl Words<'_> {
    /// What a slot is called: by the query, or by what is computed for it.
    pub fn slot(&self, slot: Slot) -> String {
        let name = self.name(slot).map(str::to_owned);
        name.or_else(|| self.computed(slot))
            .unwrap_or_else(|| format!("anon_{slot}"))
    }

    fn name(&self, slot: Slot) -> Option<&str> {
        let variables = self.frame?.variables_of(slot);
        let mut variables = variables.into_iter();
        variables.find_map(|variable| self.names.variable(variable))
    }

    /// What an operator of the frame computes for a slot.
    fn computed(&self, slot: Slot) -> Option<String> {
        let mut next = self.plan;
        while let Some(plan) = next {
            next = plan.inputs.first();
            match &plan.op {
                Op::Extend(items) | Op::Compute(items) => {
                    if let Some((_, expr)) = items.iter().find(|(to, _)| *to == slot) {
                        return Some(
                            Words {
                                plan: next,
                                ..*self
                            }
                            .part(expr),
                        );
                    }
                }
                Op::Aggregate(aggregate) => {
                    let below = Words {
                        plan: next,
                        frame: next.and_then(super::describe::frame_of),
                        ..*self
                    };
                    let (at, keys) = (slot as usize, aggregate.keys.len());
                    let key = aggregate.keys.get(at).map(|key| below.part(key));
                    let call = at.checked_sub(keys).and_then(|at| aggregate.calls.get(at));
                    return key.or_else(|| call.map(|call| below.folded(call)));
                }
                Op::Unit(_) | Op::Argument(_) | Op::Project(_) | Op::ColumnAggregate(_) => {
                    return None;
                }
                _ => {}
            }
        }
        None
    }

    /// An aggregate.
    pub fn folded(&self, call: &AggregateCall) -> String {
        match &call.function {
            None => "count(*)".to_owned(),
            Some(function) => format!(
                "{}({}{})",
                function.name(),
                if call.distinct { "DISTINCT " } else { "" },
                self.all(&call.args, ", ")
            ),
        }
    }

    /// The query's variables that the frame has, in the order of their slots.
    pub fn variables(&self) -> Vec<String> {
        let slots = 0..self.frame.map_or(0, Frame::get);
        slots
            .filter_map(|slot| self.name(slot).map(str::to_owned))
            .collect()
    }

    /// Expressions with something between them.
    pub fn all<'e>(&self, exprs: impl IntoIterator<Item = &'e Expr>, between: &str) -> String {
        let texts: Vec<String> = exprs.into_iter().map(|expr| self.expr(expr)).collect();
        texts.join(between)
    }

    /// An expression, cut where it is long.
    pub fn expr(&self, expr: &Expr) -> String {
        let mut text = self.whole(expr);
        if let Some((end, _)) = text.char_indices().nth(TEXT_CHARS_MAX) {
            text.truncate(end);
            text.push('…');
        }
        text
    }

    /// A part of an expression: in parentheses if it has parts that could be taken for those of the whole.
    fn part(&self, expr: &Expr) -> String {
        let text = self.whole(expr);
        let is_open = matches!(
            expr,
            Expr::Or(..)
                | Expr::Xor(..)
                | Expr::And(..)
                | Expr::Not(..)
                | Expr::Compare(..)
                | Expr::Arithmetic(..)
                | Expr::Negate(..)
                | Expr::StringMatch(..)
                | Expr::In(..)
                | Expr::IsNull(..)
                | Expr::IsTyped(..)
                | Expr::IsNormalized(..)
                | Expr::HasLabels(..)
                | Expr::HasNames(..)
        );
        if is_open { format!("({text})") } else { text }
    }

    fn parts(&self, exprs: &[Expr], between: &str) -> String {
        let texts: Vec<String> = exprs.iter().map(|expr| self.part(expr)).collect();
        texts.join(between)
    }

    fn local(&self, local: u32) -> String {
        let variable = self.names.locals.get(local as usize).copied().flatten();
        let name = variable.and_then(|variable| self.names.variable(variable));
        name.map_or_else(|| format!("local_{local}"), str::to_owned)
    }

    fn whole(&self, expr: &Expr) -> String {
        match expr {
            Expr::Constant(constant) => value(&constant.0),
            Expr::Parameter(number) => match self.parameters.get(*number as usize) {
                Some(ParameterSource::Named(name)) => format!("${name}"),
                Some(ParameterSource::Literal(literal)) => format!("${literal}"),
                None => "$?".into(),
            },
            Expr::Slot(slot) => self.slot(*slot),
            Expr::Local(local) => self.local(*local),
            Expr::Aggregate(number) => format!("aggregate_{number}"),
            Expr::Column(number) => format!("column_{number}"),
            Expr::List(parts) => format!("[{}]", self.all(parts, ", ")),
            Expr::Map(entries) => {
                let entries = entries.iter();
                let entries: Vec<String> = entries
                    .map(|(key, value)| format!("{key}: {}", self.whole(value)))
                    .collect();
                format!("{{{}}}", entries.join(", "))
            }
            Expr::Or(parts, _) => self.parts(parts, " OR "),
            Expr::Xor(parts, _) => self.parts(parts, " XOR "),
            Expr::And(parts, _) => self.parts(parts, " AND "),
            Expr::Not(part, _) => format!("NOT {}", self.part(part)),
            Expr::Compare(first, rest) => {
                let mut text = self.part(first);
                for (op, part) in rest {
                    text += &format!(" {} {}", comparison(*op), self.part(part));
                }
                text
            }
            Expr::Arithmetic(first, rest) => {
                let mut text = self.part(first);
                for (op, _, part) in rest {
                    text += &format!(" {} {}", arithmetic(*op), self.part(part));
                }
                text
            }
            Expr::Negate(part, _) => format!("-{}", self.part(part)),
            Expr::StringMatch(op, pair, _) => {
                let op = match op {
                    StringOp::StartsWith => "STARTS WITH",
                    StringOp::EndsWith => "ENDS WITH",
                    StringOp::Contains => "CONTAINS",
                    StringOp::Regex => "=~",
                };
                format!("{} {op} {}", self.part(&pair.0), self.part(&pair.1))
            }
            Expr::In(pair, _) => format!("{} IN {}", self.part(&pair.0), self.part(&pair.1)),
            Expr::IsNull(part, not) => format!("{} IS {}NULL", self.part(part), not_if(*not)),
            Expr::IsTyped(part, types, not) => {
                format!("{} IS {}:: {types}", self.part(part), not_if(*not))
            }
            Expr::HasLabels(part, test, _) => format!("{}:{}", self.part(part), labels(test)),
            Expr::HasNames(pair, ..) => {
                format!("{}:$({})", self.part(&pair.0), self.whole(&pair.1))
            }
            Expr::IsNormalized(part, _, not) => {
                format!("{} IS {}NORMALIZED", self.part(part), not_if(*not))
            }
            Expr::Property(part, key, _) => format!("{}.{}", self.part(part), key.name),
            Expr::Index(pair, _) => format!("{}[{}]", self.part(&pair.0), self.whole(&pair.1)),
            Expr::Slice(part, from, to, _) => {
                let bound = |bound: &Option<Box<Expr>>| {
                    bound
                        .as_ref()
                        .map_or(String::new(), |bound| self.whole(bound))
                };
                format!("{}[{}..{}]", self.part(part), bound(from), bound(to))
            }
            Expr::Call(function, args, _) => {
                format!("{}({})", function.name(), self.all(args, ", "))
            }
            Expr::Case(case) => self.case(case),
            Expr::ListComprehension(list) => {
                let filter = list.filter.iter();
                let filter = filter.map(|filter| format!(" WHERE {}", self.whole(filter)));
                let body = list.body.iter();
                let body = body.map(|body| format!(" | {}", self.whole(body)));
                format!(
                    "[{} IN {}{}{}]",
                    self.local(list.local),
                    self.whole(&list.list),
                    filter.collect::<String>(),
                    body.collect::<String>()
                )
            }
            Expr::Quantified(quantified) => {
                let kind = match quantified.kind {
                    QuantifierKind::All => "all",
                    QuantifierKind::Any => "any",
                    QuantifierKind::None => "none",
                    QuantifierKind::Single => "single",
                };
                format!(
                    "{kind}({} IN {} WHERE {})",
                    self.local(quantified.local),
                    self.whole(&quantified.list),
                    self.whole(&quantified.predicate)
                )
            }
            Expr::Reduce(reduce) => format!(
                "reduce({} = {}, {} IN {} | {})",
                self.local(reduce.accumulator),
                self.whole(&reduce.init),
                self.local(reduce.local),
                self.whole(&reduce.list),
                self.whole(&reduce.body)
            ),
            Expr::MapProjection(projection) => {
                let items = projection.items.iter().map(|item| match item {
                    MapProjectionItem::All => ".*".to_owned(),
                    MapProjectionItem::Entry(key, value) => {
                        format!("{key}: {}", self.whole(value))
                    }
                });
                let items: Vec<String> = items.collect();
                format!(
                    "{} {{{}}}",
                    self.part(&projection.subject),
                    items.join(", ")
                )
            }
            Expr::Path(parts) => {
                let parts = parts.iter().map(|part| match part {
                    PathPart::Vertex(slot) => format!("({})", self.slot(*slot)),
                    PathPart::Edge(slot) | PathPart::Edges(slot) => {
                        format!("[{}]", self.slot(*slot))
                    }
                });
                parts.collect::<Vec<_>>().join("-")
            }
            Expr::Subquery(subquery) => {
                let kind = match subquery.kind {
                    SubqueryKind::Exists => "EXISTS",
                    SubqueryKind::Count => "COUNT",
                    SubqueryKind::Collect(_) => "COLLECT",
                };
                format!("{kind} {{{}}}", self.searched(&subquery.plan))
            }
            Expr::Degree(degree) => {
                let (left, right) = arrows(degree.direction);
                let types = names_of_types(&degree.types);
                format!(
                    "{}(({}){left}[{types}]{right}())",
                    if degree.exists { "exists" } else { "degree" },
                    self.whole(&degree.vertex)
                )
            }
        }
    }

    /// The operators of a subquery, in the order in which they run.
    fn searched(&self, plan: &Plan) -> String {
        let mut operators = Vec::new();
        let mut next = Some(plan);
        while let Some(plan) = next {
            operators.push(super::describe::name(&plan.op));
            next = plan.inputs.first();
        }
        operators.reverse();
        operators.join(", ")
    }

    fn case(&self, case: &Case) -> String {
        let mut text = String::from("CASE");
        if let Some((subject, _)) = &case.subject {
            text += &format!(" {}", self.whole(subject));
        }
        for (tests, then) in &case.arms {
            text += &format!(" WHEN {} THEN {}", self.all(tests, ", "), self.whole(then));
        }
        if let Some(otherwise) = &case.otherwise {
            text += &format!(" ELSE {}", self.whole(otherwise));
        }
        text + " END"
    }
}

fn not_if(not: bool) -> &'static str {
    if not { "NOT " } else { "" }
}

/// What stands before and behind the brackets of a relationship.
pub(super) fn arrows(direction: Direction) -> (&'static str, &'static str) {
    match direction {
        Direction::Out => ("-", "->"),
        Direction::In => ("<-", "-"),
        Direction::Both => ("-", "-"),
    }
}

/// Types of a relationship: `:A|B`, or nothing for any.
pub(super) fn names_of_types(types: &[NameRef]) -> String {
    match types {
        [] => String::new(),
        types => {
            let types: Vec<&str> = types.iter().map(|name| &*name.name).collect();
            format!(":{}", types.join("|"))
        }
    }
}

fn comparison(op: ComparisonOp) -> &'static str {
    match op {
        ComparisonOp::Equal => "=",
        ComparisonOp::NotEqual => "<>",
        ComparisonOp::Less => "<",
        ComparisonOp::LessEqual => "<=",
        ComparisonOp::Greater => ">",
        ComparisonOp::GreaterEqual => ">=",
    }
}

fn arithmetic(op: ArithmeticOp) -> &'static str {
    match op {
        ArithmeticOp::Add => "+",
        ArithmeticOp::Subtract => "-",
        ArithmeticOp::Multiply => "*",
        ArithmeticOp::Divide => "/",
        ArithmeticOp::Modulo => "%",
        ArithmeticOp::Power => "^",
        ArithmeticOp::Concatenate => "||",
    }
}

fn labels(test: &LabelTest) -> String {
    let all = |tests: &[LabelTest], between: &str| {
        let tests: Vec<String> = tests.iter().map(labels).collect();
        tests.join(between)
    };
    match test {
        LabelTest::Name(name) => name.name.to_string(),
        LabelTest::And(tests) => format!("({})", all(tests, "&")),
        LabelTest::Or(tests) => format!("({})", all(tests, "|")),
        LabelTest::Not(test) => format!("!{}", labels(test)),
        LabelTest::Wildcard => "%".into(),
    }
}

/// A literal.
fn value(value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Bool(truth) => truth.to_string(),
        Value::Int(int) => int.to_string(),
        Value::Float(float) => format!("{float:?}"),
        Value::String(text) => format!("{text:?}"),
        Value::List(list) => {
            let items: Vec<String> = list.iter().take(8).map(self::value).collect();
            let more = if list.len() > 8 { ", …" } else { "" };
            format!("[{}{more}]", items.join(", "))
        }
        Value::Map(_) => "{…}".into(),
        _ => "…".into(),
    }
}
