//! Expressions.

use super::{Ident, LabelExpr, Name, PathPattern, Query, TypeUnion, Variable};
use crate::functions::Function;
use crate::span::Span;

/// An expression.
#[derive(Clone, Debug, PartialEq)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// Where it stands. Enclosing parentheses are not part of it.
    pub span: Span,
}

/// The kinds of expressions.
#[derive(Clone, Debug, PartialEq)]
pub enum ExprKind {
    /// A literal.
    Literal(Literal),
    /// `$name`.
    Parameter(Name),
    /// A variable.
    Variable(Variable),
    /// `[a, b]`.
    List(Vec<Expr>),
    /// `{a: 1}`; keys as written, duplicates included (the last one counts).
    Map(Vec<(Ident, Expr)>),
    /// `a OR b OR c`; two or more.
    Or(Vec<Expr>),
    /// `a XOR b`; two or more.
    Xor(Vec<Expr>),
    /// `a AND b`; two or more.
    And(Vec<Expr>),
    /// `NOT a`.
    Not(Box<Expr>),
    /// `a < b <= c`: every neighbouring pair must hold.
    Comparison(Box<Comparison>),
    /// `a + b - c`, `a * b / c % d`, or `a ^ b ^ c`, evaluated from the left; all steps have the same precedence.
    Arithmetic(Box<Arithmetic>),
    /// `-a`. A minus in front of a number has been made part of the literal.
    Negate(Box<Expr>),
    /// `+a`.
    Plus(Box<Expr>),
    /// `a STARTS WITH b` and its kin.
    StringMatch(Box<StringMatch>),
    /// `a IN b`.
    In(Box<(Expr, Expr)>),
    /// `a IS [NOT] NULL`.
    IsNull {
        /// `a`.
        operand: Box<Expr>,
        /// `NOT`.
        negated: bool,
    },
    /// `a IS [NOT] :: TYPE`.
    IsTyped(Box<IsTyped>),
    /// `a IS [NOT] [NFC] NORMALIZED`.
    IsNormalized(Box<IsNormalized>),
    /// `a:L` or `a IS L`, as a predicate.
    HasLabels(Box<HasLabels>),
    /// `a.key`.
    Property(Box<Property>),
    /// `a[b]`: list element, or dynamic property.
    Index(Box<(Expr, Expr)>),
    /// `a[b..c]`.
    Slice(Box<Slice>),
    /// `f(a)`, aggregates included.
    Call(Box<FunctionCall>),
    /// `count(*)`.
    CountStar,
    /// `CASE`.
    Case(Box<Case>),
    /// `[x IN list WHERE p | e]`; also `extract()` and `filter()`.
    ListComprehension(Box<ListComprehension>),
    /// `[(a)-->(b) WHERE p | e]`.
    PatternComprehension(Box<PatternComprehension>),
    /// `all(x IN list WHERE p)` and its kin.
    Quantified(Box<Quantified>),
    /// `reduce(acc = init, x IN list | e)`.
    Reduce(Box<Reduce>),
    /// `v {.a, .*, b: 1, c}`.
    MapProjection(Box<MapProjection>),
    /// A pattern as a predicate, or the argument of `exists(...)`: true if it matches.
    Pattern(Box<PathPattern>),
    /// `shortestPath(...)` as a value: a path, or a list of paths.
    PathValue(Box<PathPattern>),
    /// `EXISTS { ... }`.
    Exists(Box<Query>),
    /// `COUNT { ... }`.
    Count(Box<Query>),
    /// `COLLECT { ... }`.
    Collect(Box<Query>),
    /// `E::A`: a value of an enum (Memgraph).
    Enum(Box<(Ident, Ident)>),
}

/// A literal.
#[derive(Clone, Debug, PartialEq)]
pub struct Literal {
    /// The value in the text that was parsed.
    pub value: LiteralValue,
    /// If the plan made from this tree is cached by [`crate::normalise`]'s key: the number of the extracted value that stands
    /// here. The plan must then read that value when it runs instead of `value`.
    pub extracted: Option<u16>,
}

/// The value of a literal.
#[derive(Clone, Debug, PartialEq)]
pub enum LiteralValue {
    /// `null`.
    Null,
    /// `true`, `false`.
    Boolean(bool),
    /// An integer.
    Integer(i64),
    /// A float.
    Float(f64),
    /// A string, escapes resolved.
    String(Box<str>),
}

/// A chain of comparisons.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// The leftmost operand.
    pub first: Expr,
    /// At least one.
    pub rest: Vec<(ComparisonOp, Expr)>,
}

/// Comparison operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ComparisonOp {
    /// `=`
    Equal,
    /// `<>`, `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterEqual,
}

/// A chain of arithmetic operators of one precedence.
#[derive(Clone, Debug, PartialEq)]
pub struct Arithmetic {
    /// The leftmost operand.
    pub first: Expr,
    /// At least one; the span is the operator's.
    pub rest: Vec<(ArithmeticOp, Span, Expr)>,
}

/// Arithmetic operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArithmeticOp {
    /// `+`: also joins strings and lists, adds durations
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`
    Divide,
    /// `%`
    Modulo,
    /// `^`
    Power,
    /// `||` (Neo4j): joins strings or lists
    Concatenate,
}

/// `left OP right` on strings.
#[derive(Clone, Debug, PartialEq)]
pub struct StringMatch {
    /// The operator.
    pub op: StringOp,
    /// The text.
    pub left: Expr,
    /// The pattern.
    pub right: Expr,
}

/// String predicates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StringOp {
    /// `STARTS WITH`
    StartsWith,
    /// `ENDS WITH`
    EndsWith,
    /// `CONTAINS`
    Contains,
    /// `=~`
    Regex,
}

/// `operand IS [NOT] :: TYPE`.
#[derive(Clone, Debug, PartialEq)]
pub struct IsTyped {
    /// The value.
    pub operand: Expr,
    /// `NOT`.
    pub negated: bool,
    /// The type.
    pub union: TypeUnion,
}

/// `operand IS [NOT] [form] NORMALIZED`.
#[derive(Clone, Debug, PartialEq)]
pub struct IsNormalized {
    /// The text.
    pub operand: Expr,
    /// `NOT`.
    pub negated: bool,
    /// The form; NFC where none was written.
    pub form: NormalForm,
}

/// A normal form of Unicode (UAX #15).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NormalForm {
    /// Canonical composition.
    Nfc,
    /// Canonical decomposition.
    Nfd,
    /// Compatibility composition.
    Nfkc,
    /// Compatibility decomposition.
    Nfkd,
}

impl NormalForm {
    /// The form of that name, in any case.
    pub fn find(name: &str) -> Option<NormalForm> {
        Some(match &*name.to_ascii_uppercase() {
            "NFC" => NormalForm::Nfc,
            "NFD" => NormalForm::Nfd,
            "NFKC" => NormalForm::Nfkc,
            "NFKD" => NormalForm::Nfkd,
            _ => return None,
        })
    }
}

/// `operand:L`.
#[derive(Clone, Debug, PartialEq)]
pub struct HasLabels {
    /// A node (labels) or a relationship (type).
    pub operand: Expr,
    /// The labels.
    pub labels: LabelExpr,
}

/// `object.key`.
#[derive(Clone, Debug, PartialEq)]
pub struct Property {
    /// A node, relationship, map, temporal value or point.
    pub object: Expr,
    /// The key.
    pub key: Ident,
}

/// `object[from..to]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Slice {
    /// A list.
    pub object: Expr,
    /// First index.
    pub from: Option<Expr>,
    /// Index behind the last.
    pub to: Option<Expr>,
}

/// A call of a function or aggregate.
#[derive(Clone, Debug, PartialEq)]
pub struct FunctionCall {
    /// Namespace and name as written, joined with `.`.
    pub name: Name,
    /// Where the name stands.
    pub name_span: Span,
    /// The function. `Some` in a checked tree. Filled by the check.
    pub function: Option<Function>,
    /// `DISTINCT`, aggregates only.
    pub distinct: bool,
    /// The arguments.
    pub args: Vec<Expr>,
}

/// `CASE [subject] WHEN ... THEN ... [ELSE ...] END`.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    /// `Some` for the simple form.
    pub subject: Option<Expr>,
    /// At least one.
    pub arms: Vec<CaseArm>,
    /// `ELSE`; null if not written.
    pub otherwise: Option<Expr>,
}

/// One `WHEN`.
#[derive(Clone, Debug, PartialEq)]
pub struct CaseArm {
    /// At least one; the arm is taken if any holds.
    pub tests: Vec<CaseTest>,
    /// The value.
    pub then: Expr,
}

/// What a `WHEN` asks.
#[derive(Clone, Debug, PartialEq)]
pub enum CaseTest {
    /// Simple form: equal to the subject. Searched form: true.
    Value(Expr),
    /// `WHEN < 3`: the subject compared (simple form only).
    Compare(ComparisonOp, Expr),
    /// `WHEN STARTS WITH 'a'` (simple form only).
    StringMatch(StringOp, Expr),
    /// `WHEN IN [..]` (simple form only).
    In(Expr),
    /// `WHEN IS [NOT] NULL` (simple form only).
    IsNull {
        /// `NOT`.
        negated: bool,
    },
    /// `WHEN IS [NOT] :: type` (simple form only).
    IsTyped {
        /// The types.
        union: TypeUnion,
        /// `NOT`.
        negated: bool,
    },
}

/// `[variable IN list WHERE filter | body]`.
#[derive(Clone, Debug, PartialEq)]
pub struct ListComprehension {
    /// Bound to each element, visible in `filter` and `body`.
    pub variable: Variable,
    /// The list.
    pub list: Expr,
    /// `WHERE`.
    pub filter: Option<Expr>,
    /// Behind `|`; the element itself if not written.
    pub body: Option<Expr>,
}

/// `[p = (a)-->(b) WHERE filter | body]`.
#[derive(Clone, Debug, PartialEq)]
pub struct PatternComprehension {
    /// The pattern; its new variables are visible in `filter` and `body`.
    pub pattern: PathPattern,
    /// `WHERE`.
    pub filter: Option<Expr>,
    /// Behind `|`.
    pub body: Expr,
}

/// `all(variable IN list WHERE predicate)`.
#[derive(Clone, Debug, PartialEq)]
pub struct Quantified {
    /// Which.
    pub kind: QuantifierKind,
    /// Bound to each element, visible in `predicate`.
    pub variable: Variable,
    /// The list.
    pub list: Expr,
    /// The predicate. Memgraph lets it be left out for `any`, `none`, `single`, `all` over booleans; here it is required.
    pub predicate: Expr,
}

/// The quantifiers over lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuantifierKind {
    /// `all`
    All,
    /// `any`
    Any,
    /// `none`
    None,
    /// `single`
    Single,
}

/// `reduce(accumulator = init, variable IN list | body)`.
#[derive(Clone, Debug, PartialEq)]
pub struct Reduce {
    /// The accumulator.
    pub accumulator: Variable,
    /// Its first value.
    pub init: Expr,
    /// Bound to each element.
    pub variable: Variable,
    /// The list.
    pub list: Expr,
    /// The next value; sees both variables.
    pub body: Expr,
}

/// `variable {items}`.
#[derive(Clone, Debug, PartialEq)]
pub struct MapProjection {
    /// A node, relationship or map.
    pub subject: Variable,
    /// What the new map holds.
    pub items: Vec<MapProjectionItem>,
}

/// One entry of a map projection.
#[derive(Clone, Debug, PartialEq)]
pub enum MapProjectionItem {
    /// `.key`.
    Property(Ident),
    /// `.*`.
    AllProperties(Span),
    /// `key: value`.
    Entry(Ident, Expr),
    /// `v`: the variable's value under its own name.
    Variable(Variable),
}

impl Expr {
    /// An expression at a place.
    pub fn new(kind: ExprKind, span: Span) -> Self {
        Self { kind, span }
    }

    /// The literal's value, if this is a literal.
    pub fn as_literal(&self) -> Option<&LiteralValue> {
        match &self.kind {
            ExprKind::Literal(literal) => Some(&literal.value),
            _ => None,
        }
    }
}

const _: () = assert!(
    size_of::<Expr>() <= 48,
    "expressions are moved often; keep large variants boxed"
);
