//! Expressions as they run: names resolved to slots, keys and labels to interned ids.
//!
//! The planner makes them from the syntax tree ([`crate::planner`]); operators evaluate them on rows ([`evaluate`]). Always holds: a slot lies
//! within the row that the operator hands in, a local within the context's locals; no name of a variable is left. Two
//! expressions are equal if they give the same value on the same row (places in the text do not count), which is how grouping keys are recognised.

pub mod access;
pub mod arithmetic;
pub mod bulk;
pub mod elements;
pub mod evaluate;
pub mod labels;
pub(crate) mod loops;
pub mod progress;
pub(crate) mod regular;
pub mod type_test;

use std::cell::Cell;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

use quoit_cypher::ast::{
    ArithmeticOp, ComparisonOp, HowMany, NormalForm, QuantifierKind, StringOp, TypeUnion,
};
use quoit_cypher::functions::Function;
use quoit_cypher::span::Span;
use quoit_graph::Direction;
use quoit_graph::value::Value;

use crate::plan::Plan;

/// Position of a value in a row.
pub type Slot = u32;

/// A place in the query text, for errors. Never makes two expressions differ.
#[derive(Clone, Copy, Default)]
pub struct Place(pub Span);

/// Not where it is: two plans that do the same look the same.
impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Place")
    }
}

impl PartialEq for Place {
    fn eq(&self, _: &Place) -> bool {
        true
    }
}

/// A value known when the plan was made.
#[derive(Clone, Debug)]
pub struct Constant(pub Value);

impl PartialEq for Constant {
    /// The same value of the same type: 1 is not 1.0 here.
    fn eq(&self, other: &Constant) -> bool {
        std::mem::discriminant(&self.0) == std::mem::discriminant(&other.0) && self.0 == other.0
    }
}

/// The name of a label, type or key, and its interned id once there is one. Ids never change, so what was found stays valid.
#[derive(Clone)]
pub struct NameRef {
    /// The name.
    pub name: Arc<str>,
    id: Cell<u32>,
}

const UNKNOWN_ID: u32 = u32::MAX;

impl NameRef {
    /// A name not looked up yet.
    pub fn new(name: &str) -> Self {
        NameRef {
            name: Arc::from(name),
            id: Cell::new(UNKNOWN_ID),
        }
    }

    /// The id, looked up until it is found once.
    pub fn id(&self, look_up: impl FnOnce(&str) -> Option<u32>) -> Option<u32> {
        match self.id.get() {
            UNKNOWN_ID => look_up(&self.name).inspect(|id| self.id.set(*id)),
            id => Some(id),
        }
    }
}

impl fmt::Debug for NameRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.name.fmt(f)
    }
}

impl PartialEq for NameRef {
    fn eq(&self, other: &NameRef) -> bool {
        self.name == other.name
    }
}

/// An expression.
#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    /// A literal.
    Constant(Constant),
    /// A parameter by its number in the plan.
    Parameter(u32),
    /// A value of the row.
    Slot(Slot),
    /// A variable of a comprehension, quantifier or reduce.
    Local(u32),
    /// The result of an aggregate by its number; only while a projection is planned.
    Aggregate(u32),
    /// A column by its number; only while `ORDER BY` is planned.
    Column(u32),
    /// `[a, b]`.
    List(Vec<Expr>),
    /// `{a: 1}`.
    Map(Vec<(Arc<str>, Expr)>),
    /// `OR`.
    Or(Vec<Expr>, Place),
    /// `XOR`.
    Xor(Vec<Expr>, Place),
    /// `AND`.
    And(Vec<Expr>, Place),
    /// `NOT`.
    Not(Box<Expr>, Place),
    /// `a < b <= c`.
    Compare(Box<Expr>, Vec<(ComparisonOp, Expr)>),
    /// `a + b - c`.
    Arithmetic(Box<Expr>, Vec<(ArithmeticOp, Place, Expr)>),
    /// `-a`.
    Negate(Box<Expr>, Place),
    /// `STARTS WITH` and its kin.
    StringMatch(StringOp, Box<(Expr, Expr)>, Place),
    /// `IN`.
    In(Box<(Expr, Expr)>, Place),
    /// `IS NULL`, or `IS NOT NULL` if true.
    IsNull(Box<Expr>, bool),
    /// `IS :: TYPE`, or `IS NOT :: TYPE` if true.
    IsTyped(Box<Expr>, Rc<TypeUnion>, bool),
    /// `n:A:B`.
    HasLabels(Box<Expr>, LabelTest, Place),
    /// `n:$(names)`: the names of labels or of a type are those that the second part gives.
    HasNames(Box<(Expr, Expr)>, HowMany, Place),
    /// `IS NORMALIZED`, or `IS NOT NORMALIZED` if true.
    IsNormalized(Box<Expr>, NormalForm, bool),
    /// `a.key`.
    Property(Box<Expr>, NameRef, Place),
    /// `a[b]`.
    Index(Box<(Expr, Expr)>, Place),
    /// `a[b..c]`.
    Slice(Box<Expr>, Option<Box<Expr>>, Option<Box<Expr>>, Place),
    /// A scalar function.
    Call(Function, Vec<Expr>, Place),
    /// `CASE`.
    Case(Box<Case>),
    /// `[x IN list WHERE p | e]`.
    ListComprehension(Box<ListComprehension>),
    /// `all(x IN list WHERE p)`.
    Quantified(Box<Quantified>),
    /// `reduce`.
    Reduce(Box<Reduce>),
    /// `v {.a, .*}`.
    MapProjection(Box<MapProjection>),
    /// A named path of the vertices and edges in slots.
    Path(Vec<PathPart>),
    /// `EXISTS {}`, `COUNT {}`, `COLLECT {}`, patterns as predicates, pattern comprehensions.
    Subquery(Subquery),
    /// The number of edges of a vertex.
    Degree(Box<Degree>),
}

/// How many edges a vertex has; of what is no vertex there are none.
#[derive(Clone, Debug, PartialEq)]
pub struct Degree {
    /// The vertex.
    pub vertex: Expr,
    /// Seen from it.
    pub direction: Direction,
    /// Empty: any.
    pub types: Vec<NameRef>,
    /// Only whether there is any.
    pub exists: bool,
}

/// A label or type expression.
#[derive(Clone, Debug, PartialEq)]
pub enum LabelTest {
    /// One name.
    Name(NameRef),
    /// All.
    And(Vec<LabelTest>),
    /// Any.
    Or(Vec<LabelTest>),
    /// Not.
    Not(Box<LabelTest>),
    /// Any name at all.
    Wildcard,
}

/// `CASE`; the subject, if any, is evaluated once into a local.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    /// The subject and the local that holds it.
    pub subject: Option<(Expr, u32)>,
    /// Tests (any must be true) and value.
    pub arms: Vec<(Vec<Expr>, Expr)>,
    /// `ELSE`.
    pub otherwise: Option<Expr>,
}

/// `[x IN list WHERE p | e]`.
#[derive(Clone, Debug, PartialEq)]
pub struct ListComprehension {
    /// Holds the element.
    pub local: u32,
    /// The list.
    pub list: Expr,
    /// `WHERE`.
    pub filter: Option<Expr>,
    /// Behind `|`.
    pub body: Option<Expr>,
    /// Where it stands.
    pub place: Place,
}

/// `all(x IN list WHERE p)`.
#[derive(Clone, Debug, PartialEq)]
pub struct Quantified {
    /// Which.
    pub kind: QuantifierKind,
    /// Holds the element.
    pub local: u32,
    /// The list.
    pub list: Expr,
    /// The predicate.
    pub predicate: Expr,
    /// Where it stands.
    pub place: Place,
}

/// `reduce(acc = init, x IN list | e)`.
#[derive(Clone, Debug, PartialEq)]
pub struct Reduce {
    /// Holds the accumulator.
    pub accumulator: u32,
    /// Its first value.
    pub init: Expr,
    /// Holds the element.
    pub local: u32,
    /// The list.
    pub list: Expr,
    /// The next value.
    pub body: Expr,
    /// Where it stands.
    pub place: Place,
}

/// `v {.a, .*, b: 1}`.
#[derive(Clone, Debug, PartialEq)]
pub struct MapProjection {
    /// A vertex, edge or map.
    pub subject: Expr,
    /// In order; later entries win.
    pub items: Vec<MapProjectionItem>,
    /// Where it stands.
    pub place: Place,
}

/// One entry of a map projection.
#[derive(Clone, Debug, PartialEq)]
pub enum MapProjectionItem {
    /// `.*`.
    All,
    /// `.key` or `key: value`.
    Entry(Arc<str>, Expr),
}

/// One part of a named path.
#[derive(Clone, Debug, PartialEq)]
pub enum PathPart {
    /// A vertex: the first part, or behind an edge (then it adds nothing, the edge leads there).
    Vertex(Slot),
    /// One edge.
    Edge(Slot),
    /// A list of edges, walked from the vertex before.
    Edges(Slot),
}

/// What a subquery gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubqueryKind {
    /// Whether there is a row.
    Exists,
    /// The number of rows.
    Count,
    /// The list of one slot's values.
    Collect(Slot),
}

/// A plan within an expression.
#[derive(Clone, Debug)]
pub struct Subquery {
    /// What it gives.
    pub kind: SubqueryKind,
    /// Number within the whole plan: where its operators are kept between rows.
    pub number: u32,
    /// The plan; it begins with a row of nulls.
    pub plan: Rc<Plan>,
    /// Values of the outer row, and the locals that hold them within.
    pub imports: Vec<(Expr, u32)>,
}

impl PartialEq for Subquery {
    fn eq(&self, other: &Subquery) -> bool {
        self.number == other.number && self.kind == other.kind
    }
}

/// Goes over the direct parts of an expression, `$m` being `mut` or nothing.
macro_rules! visit_parts {
    ($expr:expr, $visit:expr, $($m:tt)?) => {
        match $expr {
            Expr::Constant(_)
            | Expr::Parameter(_)
            | Expr::Slot(_)
            | Expr::Local(_)
            | Expr::Aggregate(_)
            | Expr::Column(_)
            | Expr::Path(_) => {}
            Expr::List(parts)
            | Expr::Or(parts, _)
            | Expr::Xor(parts, _)
            | Expr::And(parts, _)
            | Expr::Call(_, parts, _) => {
                for part in parts {
                    $visit(part);
                }
            }
            Expr::Map(entries) => {
                for (_, value) in entries {
                    $visit(value);
                }
            }
            Expr::Not(part, _)
            | Expr::Negate(part, _)
            | Expr::IsNull(part, _)
            | Expr::IsTyped(part, ..)
            | Expr::IsNormalized(part, ..)
            | Expr::HasLabels(part, ..)
            | Expr::Property(part, ..) => $visit(part),
            Expr::Compare(first, rest) => {
                $visit(first);
                for (_, part) in rest {
                    $visit(part);
                }
            }
            Expr::Arithmetic(first, rest) => {
                $visit(first);
                for (_, _, part) in rest {
                    $visit(part);
                }
            }
            Expr::StringMatch(_, pair, _)
            | Expr::In(pair, _)
            | Expr::Index(pair, _)
            | Expr::HasNames(pair, ..) => {
                $visit(&$($m)? pair.0);
                $visit(&$($m)? pair.1);
            }
            Expr::Slice(object, from, to, _) => {
                $visit(object);
                for bound in [from, to].into_iter().flatten() {
                    $visit(bound);
                }
            }
            Expr::Case(case) => {
                if let Some((subject, _)) = &$($m)? case.subject {
                    $visit(subject);
                }
                for (tests, value) in &$($m)? case.arms {
                    for test in tests {
                        $visit(test);
                    }
                    $visit(value);
                }
                if let Some(value) = &$($m)? case.otherwise {
                    $visit(value);
                }
            }
            Expr::ListComprehension(comprehension) => {
                $visit(&$($m)? comprehension.list);
                if let Some(part) = &$($m)? comprehension.filter {
                    $visit(part);
                }
                if let Some(part) = &$($m)? comprehension.body {
                    $visit(part);
                }
            }
            Expr::Quantified(quantified) => {
                $visit(&$($m)? quantified.list);
                $visit(&$($m)? quantified.predicate);
            }
            Expr::Reduce(reduce) => {
                $visit(&$($m)? reduce.init);
                $visit(&$($m)? reduce.list);
                $visit(&$($m)? reduce.body);
            }
            Expr::MapProjection(projection) => {
                $visit(&$($m)? projection.subject);
                for item in &$($m)? projection.items {
                    if let MapProjectionItem::Entry(_, value) = item {
                        $visit(value);
                    }
                }
            }
            Expr::Degree(degree) => $visit(&$($m)? degree.vertex),
            Expr::Subquery(subquery) => {
                for (value, _) in &$($m)? subquery.imports {
                    $visit(value);
                }
            }
        }
    };
}

impl Expr {
    /// A literal value.
    pub fn constant(value: impl Into<Value>) -> Expr {
        Expr::Constant(Constant(value.into()))
    }

    /// The value, if it is known now.
    pub fn as_constant(&self) -> Option<&Value> {
        match self {
            Expr::Constant(constant) => Some(&constant.0),
            _ => None,
        }
    }

    /// Calls `visit` on every direct part.
    pub fn for_each_part(&mut self, visit: &mut dyn FnMut(&mut Expr)) {
        visit_parts!(self, visit, mut);
    }

    /// Whether its evaluation may go on for long, with no bound but that of the data: it is to be interrupted then
    /// ([`crate::operator::Context::advance`]).
    pub fn may_take_long(&self) -> bool {
        if matches!(
            self,
            Expr::ListComprehension(_)
                | Expr::Quantified(_)
                | Expr::Reduce(_)
                | Expr::Subquery(_)
                | Expr::Call(Function::ToSet, ..)
        ) {
            return true;
        }
        let mut found = false;
        let mut visit = |part: &Expr| found = found || part.may_take_long();
        visit_parts!(self, visit,);
        found
    }

    /// Replaces parts from the outside in: where `replace` answers, its answer stands and is not looked into.
    pub fn rewrite(&mut self, replace: &mut dyn FnMut(&Expr) -> Option<Expr>) {
        match replace(self) {
            Some(other) => *self = other,
            None => self.for_each_part(&mut |part| part.rewrite(replace)),
        }
    }
}
