//! Patterns: paths, nodes, relationships, groups, labels.

use super::{Expr, Ident, VarId, Variable};
use crate::span::Span;

/// One path pattern: `p = (a)-[r]->(b)`, with everything that may stand around it. A pattern that starts or ends with a parenthesised part, or
/// has two of them side by side, has an anonymous empty node there, which matches the same.
#[derive(Clone, Debug, PartialEq)]
pub struct PathPattern {
    /// `p =`.
    pub variable: Option<Variable>,
    /// `p =` within parentheses around the whole pattern: the same path, which conditions in there can name.
    pub inner: Option<Variable>,
    /// Which of the matching paths are wanted.
    pub selector: PathSelector,
    /// The first node.
    pub start: NodePattern,
    /// What follows it.
    pub hops: Vec<Hop>,
    /// Where it stands.
    pub span: Span,
}

/// One step from a node to the next.
#[derive(Clone, Debug, PartialEq)]
pub struct Hop {
    /// How to get there.
    pub step: Step,
    /// The node at the far end.
    pub node: NodePattern,
}

/// How a pattern gets from one node to the next.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// A relationship pattern, possibly of variable length.
    Relationship(Box<RelationshipPattern>),
    /// A path pattern that is repeated.
    Group(Box<PathGroup>),
}

/// `((a)-[r]->(b) WHERE ...){1,3}`.
#[derive(Clone, Debug, PartialEq)]
pub struct PathGroup {
    /// The pattern that is repeated. Its variables are lists outside.
    pub pattern: PathPattern,
    /// The list of all relationships of all repetitions, in the order of the path. Filled by the check.
    pub id: VarId,
    /// `WHERE` inside the parentheses, looked at once a repetition.
    pub filter: Option<Expr>,
    /// How often.
    pub quantifier: Quantifier,
    /// The variables of `pattern` as seen outside: (inner, outer list). Filled by the check.
    pub exports: Vec<(VarId, VarId)>,
    /// Where it stands.
    pub span: Span,
}

/// How often a group is repeated: `{n}`, `{n,m}`, `+`, `*`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quantifier {
    /// At least.
    pub min: u64,
    /// At most; `None` = no bound.
    pub max: Option<u64>,
}

/// Which matching paths are wanted.
#[derive(Clone, Debug, PartialEq)]
pub enum PathSelector {
    /// All of them.
    All,
    /// `shortestPath(...)`: one.
    ShortestPath,
    /// `allShortestPaths(...)`: all ties.
    AllShortestPaths,
    /// `ANY [k]`: any k (an integer expression), 1 if not said.
    Any(Option<Box<Expr>>),
    /// `SHORTEST k` / `ANY SHORTEST`: the k shortest for each pair of ends.
    Shortest(Option<Box<Expr>>),
    /// `ALL SHORTEST`: all ties, for each pair of ends.
    AllShortest,
    /// `SHORTEST k GROUPS`: all paths of the k smallest lengths.
    ShortestGroups(Option<Box<Expr>>),
}

/// `(v:L {p: 1} WHERE ...)`.
#[derive(Clone, Debug, PartialEq)]
pub struct NodePattern {
    /// The variable. In a checked tree an anonymous node has `None` here and its number in `id`.
    pub variable: Option<Variable>,
    /// The node's number, also if anonymous. Filled by the check.
    pub id: VarId,
    /// True if this occurrence binds the variable; false if it was bound before. Filled by the check.
    pub binds: bool,
    /// Labels.
    pub labels: Option<LabelExpr>,
    /// A map literal or a parameter.
    pub properties: Option<Expr>,
    /// `WHERE` inside the parentheses.
    pub filter: Option<Expr>,
    /// Where it stands; empty for a node that was not written.
    pub span: Span,
}

/// `-[v:T {p: 1}]->`.
#[derive(Clone, Debug, PartialEq)]
pub struct RelationshipPattern {
    /// The variable; a list of relationships if the length varies.
    pub variable: Option<Variable>,
    /// The relationship's number, also if anonymous. Filled by the check.
    pub id: VarId,
    /// True if this occurrence binds the variable. Filled by the check.
    pub binds: bool,
    /// The arrow.
    pub direction: Direction,
    /// Types.
    pub types: Option<LabelExpr>,
    /// One hop, or how many and how they are searched.
    pub expansion: Expansion,
    /// A map literal or a parameter.
    pub properties: Option<Expr>,
    /// `WHERE` inside the brackets.
    pub filter: Option<Expr>,
    /// Where it stands.
    pub span: Span,
}

/// The arrow of a relationship pattern, read from the node before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// `-->`.
    Outgoing,
    /// `<--`.
    Incoming,
    /// `--` or `<-->`.
    Either,
}

/// What lies between the two ends of a relationship pattern.
#[derive(Clone, Debug, PartialEq)]
pub enum Expansion {
    /// Exactly one relationship; the variable is a relationship, not a list.
    Single,
    /// `*`, `*n`, `*n..m`, with an optional inline filter (Memgraph): every trail.
    Variable {
        /// Bounds.
        range: HopRange,
        /// `(r, n | predicate)`.
        filter: Option<Box<Lambda>>,
    },
    /// `*BFS n..m (r, n | predicate)` (Memgraph): one shortest trail for each end.
    BreadthFirst {
        /// Bounds.
        range: HopRange,
        /// The predicate.
        filter: Option<Box<Lambda>>,
    },
    /// `*WSHORTEST n (r, n | weight) total (r, n | predicate)` (Memgraph).
    WeightedShortest {
        /// Bounds; only the upper one can be written.
        range: HopRange,
        /// Cost of a step.
        weight: Box<Lambda>,
        /// Bound to the path's cost.
        total: Option<Variable>,
        /// The predicate.
        filter: Option<Box<Lambda>>,
    },
    /// `*ALLSHORTEST ...`: as `WSHORTEST`, all ties.
    AllShortest {
        /// Bounds.
        range: HopRange,
        /// Cost of a step.
        weight: Box<Lambda>,
        /// Bound to the path's cost.
        total: Option<Variable>,
        /// The predicate.
        filter: Option<Box<Lambda>>,
    },
    /// `*KSHORTEST n..m | k` (Memgraph) between bound ends.
    KShortest {
        /// Bounds.
        range: HopRange,
        /// How many paths; `None` = all.
        limit: Option<Expr>,
    },
}

/// Bounds on a number of hops; each a non-negative integer literal or (Memgraph) a parameter or expression. What is not
/// written is `None`: no lower bound means 1, no upper bound means none. `*3` has 3 on both sides.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct HopRange {
    /// At least.
    pub min: Option<Box<Expr>>,
    /// At most.
    pub max: Option<Box<Expr>>,
}

/// `(r, n [, p [, w]] | body)`: the last relationship, the node it leads to, the path so far, its weight so far.
#[derive(Clone, Debug, PartialEq)]
pub struct Lambda {
    /// The relationship.
    pub relationship: Variable,
    /// The node.
    pub node: Variable,
    /// The path so far.
    pub path: Option<Variable>,
    /// The weight so far.
    pub weight: Option<Variable>,
    /// What is computed.
    pub body: Expr,
    /// Where it stands.
    pub span: Span,
}

/// A label or type, or something that names one when the query runs.
#[derive(Clone, Debug, PartialEq)]
pub enum LabelName {
    /// A name.
    Static(Ident),
    /// `$p` (Memgraph) or `$(expr)`, `$all(expr)`, `$any(expr)` (Neo4j): a string, or a list of strings.
    Dynamic(Box<Expr>, HowMany),
}

/// How many of a computed list's names are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HowMany {
    /// Each of them; also where nothing was said.
    All,
    /// `$any(...)`: one at least.
    Any,
}

/// A label expression: `:A:B`, `:A|B`, `:A&!B`, `:%`.
#[derive(Clone, Debug, PartialEq)]
pub enum LabelExpr {
    /// One label or type.
    Name(LabelName),
    /// `&` or a further `:`; two or more.
    And(Vec<LabelExpr>),
    /// `|`; two or more.
    Or(Vec<LabelExpr>),
    /// `!`.
    Not(Box<LabelExpr>),
    /// `%`: any label at all.
    Wildcard(Span),
}

impl PathGroup {
    /// The relationship, if nothing else is asked of what is repeated: `-[r:T]->+`.
    pub fn lone_relationship(&self) -> Option<&RelationshipPattern> {
        let ([hop], None) = (self.pattern.hops.as_slice(), &self.filter) else {
            return None;
        };
        let Step::Relationship(relationship) = &hop.step else {
            return None;
        };
        let is_bare = self.pattern.start.is_bare() && hop.node.is_bare();
        (is_bare && relationship.expansion == Expansion::Single).then_some(relationship)
    }
}

impl NodePattern {
    /// Whether it neither names nor asks anything.
    pub fn is_bare(&self) -> bool {
        self.variable.is_none()
            && self.labels.is_none()
            && self.properties.is_none()
            && self.filter.is_none()
    }

    /// Whether it stands in the text.
    pub fn is_written(&self) -> bool {
        self.span.start < self.span.end
    }
}

impl PathSelector {
    /// Whether it stands in front of the pattern, rather than around it as a function does.
    pub fn is_prefix(&self) -> bool {
        !matches!(
            self,
            PathSelector::All | PathSelector::ShortestPath | PathSelector::AllShortestPaths
        )
    }
}

impl PathPattern {
    /// The plain relationship patterns with the nodes they lead to; a parenthesised group is skipped.
    pub fn relationships(&self) -> impl Iterator<Item = (&RelationshipPattern, &NodePattern)> {
        self.hops.iter().filter_map(|hop| match &hop.step {
            Step::Relationship(relationship) => Some((&**relationship, &hop.node)),
            Step::Group(_) => None,
        })
    }

    /// The last node.
    pub fn end(&self) -> &NodePattern {
        self.hops.last().map_or(&self.start, |hop| &hop.node)
    }

    /// All nodes at this level, in order.
    pub fn nodes(&self) -> impl Iterator<Item = &NodePattern> {
        std::iter::once(&self.start).chain(self.hops.iter().map(|hop| &hop.node))
    }
}

impl LabelName {
    /// Where it stands.
    pub fn span(&self) -> Span {
        match self {
            LabelName::Static(ident) => ident.span,
            LabelName::Dynamic(expr, _) => expr.span,
        }
    }
}

impl LabelExpr {
    /// Where it stands; `fallback` for one of which no part says so.
    pub fn span(&self, fallback: Span) -> Span {
        match self {
            LabelExpr::Name(name) => name.span(),
            LabelExpr::Wildcard(span) => *span,
            LabelExpr::Not(inner) => inner.span(fallback),
            LabelExpr::And(parts) | LabelExpr::Or(parts) => match (parts.first(), parts.last()) {
                (Some(first), Some(last)) => first.span(fallback).to(last.span(fallback)),
                _ => fallback,
            },
        }
    }

    /// Whether some name in it is computed when the query runs.
    pub fn is_computed(&self) -> bool {
        match self {
            LabelExpr::Name(name) => matches!(name, LabelName::Dynamic(..)),
            LabelExpr::And(parts) | LabelExpr::Or(parts) => {
                parts.iter().any(LabelExpr::is_computed)
            }
            LabelExpr::Not(part) => part.is_computed(),
            LabelExpr::Wildcard(_) => false,
        }
    }

    /// The labels if this is a plain conjunction of names (`:A`, `:A:B`, `:A&B`), else `None`.
    pub fn conjunction(&self) -> Option<Vec<&LabelName>> {
        match self {
            LabelExpr::Name(name) => Some(vec![name]),
            LabelExpr::And(parts) => parts.iter().map(LabelExpr::name).collect(),
            _ => None,
        }
    }

    /// The labels if this is a plain alternative of names (`:A`, `:A|B`), else `None`.
    pub fn alternatives(&self) -> Option<Vec<&LabelName>> {
        match self {
            LabelExpr::Name(name) => Some(vec![name]),
            LabelExpr::Or(parts) => parts.iter().map(LabelExpr::name).collect(),
            _ => None,
        }
    }

    fn name(&self) -> Option<&LabelName> {
        match self {
            LabelExpr::Name(name) => Some(name),
            _ => None,
        }
    }
}
