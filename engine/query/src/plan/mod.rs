//! Physical plans: what the planner decides and the operators carry out.
//!
//! A [`Plan`] is a tree; each node is one operator with its inputs, the first of which gives it rows. Made by [`crate::planner`], turned into running operators by
//! [`crate::operator::build`], shown by [`describe`]. Always holds: it is immutable and holds no data of the graph, so one plan serves
//! many executions. Operators of one *frame* share one row layout and set different slots of it; `Project` and `Aggregate` begin a new frame.

pub mod automaton;
mod columns;
pub mod describe;
mod join;

pub use columns::{ColumnAggregate, ColumnCall, ColumnFilter, ColumnTest, ScanFilter};
pub use join::HashJoin;

use std::cell::{Cell, OnceCell};
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

use quoit_cypher::ast::OnError;
use quoit_cypher::functions::Function;
use quoit_graph::{Direction, Order};

use crate::expression::{Expr, LabelTest, NameRef, Place, Slot};
use crate::procedure::Procedure;
use automaton::{Repeat, SelectPaths};

/// Slots in the rows of a frame; final when planning is done.
pub type Width = Rc<Cell<u32>>;

/// One operator with its inputs.
#[derive(Clone)]
pub struct Plan {
    /// What it does.
    pub op: Op,
    /// Where its rows come from; further inputs are inner plans that are run again for each row.
    pub inputs: Vec<Plan>,
    /// Rows expected, for the planner and `EXPLAIN`.
    pub estimate: f64,
    /// Operators on the longest way down, itself included: how deep a pull goes.
    pub depth: u32,
}

/// The operators.
#[derive(Clone, Debug)]
pub enum Op {
    /// One row of nulls.
    Unit(Width),
    /// The row that the enclosing operator gives.
    Argument(Width),
    /// All vertices, or those of a label, for each row.
    Scan(Rc<Scan>),
    /// Vertices by an index on a label and properties.
    IndexScan(Rc<IndexScan>),
    /// Edges and their ends by an index on a type, or on a type and properties.
    EdgeScan(Rc<EdgeScan>),
    /// A vertex by `id(n) = x`.
    IdSeek(Rc<IdSeek>),
    /// Edges of a bound vertex.
    Expand(Rc<Expand>),
    /// Trails of a number of edges from a bound vertex.
    VarExpand(Rc<VarExpand>),
    /// What a chain of expansions leads to, each vertex once.
    Reach(Rc<Reach>),
    /// How many trails of a chain of expansions there are.
    TrailCount(Rc<TrailCount>),
    /// Shortest paths from a bound vertex.
    Search(Rc<Search>),
    /// Trails that repeat a part of a pattern, from a bound vertex.
    Repeat(Rc<Repeat>),
    /// Selected paths of any pattern, from a bound vertex.
    SelectPaths(Rc<SelectPaths>),
    /// An edge, or list of edges, that was bound before.
    BoundEdge(Rc<BoundEdge>),
    /// Rows for which all predicates are true.
    Filter(Rc<Vec<Expr>>),
    /// Computes values into slots of the same row.
    Extend(Rc<Vec<(Slot, Expr)>>),
    /// As `Extend`, for values that may take long: with others' turns in between.
    Compute(Rc<Vec<(Slot, Expr)>>),
    /// New rows of computed values, in the order of the slots.
    Project(Rc<Project>),
    /// Groups and folds.
    Aggregate(Rc<Aggregate>),
    /// Groups and folds vertices of a label by columns; the input is the same by rows, for what columns cannot fold.
    ColumnAggregate(Rc<ColumnAggregate>),
    /// Drops rows whose first slots have been seen.
    Distinct(u32),
    /// Sorts.
    Sort(Rc<Sort>),
    /// Drops the first rows.
    Skip(Rc<Expr>),
    /// Stops after some rows.
    Limit(Rc<Expr>),
    /// A row for each element of a list.
    Unwind(Rc<Unwind>),
    /// The inner rows for each row, or the row with nulls in the slots.
    Optional(Rc<Vec<Slot>>),
    /// A subquery with a frame of its own, for each row.
    Apply(Rc<Apply>),
    /// Pairs of rows of two inputs whose keys are equal.
    HashJoin(Rc<HashJoin>),
    /// The rows of all inputs, one input after the other.
    Union,
    /// Creates vertices and edges.
    Create(Rc<Create>),
    /// Matches or else creates; the second input is the match.
    Merge(Rc<Merge>),
    /// Sets and removes properties and labels.
    Set(Rc<Vec<SetItem>>),
    /// Deletes vertices, edges and paths.
    Delete(Rc<Delete>),
    /// Runs the second input for each element of a list.
    Foreach(Rc<Unwind>),
    /// Runs the second input on some rows of the first at a time ([`Op::Given`]), each time in a transaction of its own.
    InTransactions(Rc<InTransactions>),
    /// The rows of the transaction at work.
    Given,
    /// The records of a file.
    Load(Rc<Load>),
    /// Calls a procedure for each row.
    Procedure(Rc<ProcedureCall>),
    /// Takes in all rows before it gives the first.
    Eager,
    /// Consumes all rows and gives none.
    Consume,
    /// Its input is run by several cores, each on a part of the vertices of the scan at its end.
    Gather(Rc<Gather>),
    /// The part of all vertices, or those of a label, that this core gets.
    MorselScan(Rc<MorselScan>),
}

/// See [`Op::Gather`].
#[derive(Debug)]
pub struct Gather {
    /// Number within the plan.
    pub number: u32,
    /// What is put together.
    pub merging: Merging,
    /// The label of the scan at the end.
    pub label: Option<NameRef>,
    /// Cores that take part at most.
    pub cores: u16,
}

/// What of several cores is put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Merging {
    /// Rows, in any order.
    Rows,
    /// The state of the operator below.
    Parts,
}

/// See [`Op::MorselScan`].
#[derive(Debug)]
pub struct MorselScan {
    /// Gets the vertex.
    pub slot: Slot,
    /// `None`: all vertices.
    pub label: Option<NameRef>,
    /// Slots of its rows.
    pub width: Width,
}

/// See [`Op::Scan`].
#[derive(Debug)]
pub struct Scan {
    /// Gets the vertex.
    pub slot: Slot,
    /// `None`: all vertices.
    pub label: Option<NameRef>,
    /// Which of them, asked of whole pages.
    pub filter: Option<ScanFilter>,
}

/// See [`Op::IndexScan`].
#[derive(Debug)]
pub struct IndexScan {
    /// Gets the vertex.
    pub slot: Slot,
    /// The index's label.
    pub label: NameRef,
    /// The index's keys.
    pub keys: Vec<NameRef>,
    /// What of it is read.
    pub range: RangePlan,
    /// It is a unique constraint, of whose keys all have values.
    pub is_unique: bool,
}

/// See [`Op::EdgeScan`].
#[derive(Debug)]
pub struct EdgeScan {
    /// Gets the edge.
    pub edge: Slot,
    /// Gets the end before the arrow.
    pub from: Slot,
    /// Gets the end behind the arrow.
    pub to: Slot,
    /// Seen from `from`; both: each edge is given once in each direction.
    pub direction: Direction,
    /// The index's type.
    pub type_: NameRef,
    /// The index's keys; none: all edges of the type.
    pub keys: Vec<NameRef>,
    /// What of it is read, if it has keys.
    pub range: Option<RangePlan>,
    /// Edges it must differ from.
    pub unique: Vec<Other>,
}

/// A part of an index. Values that are null find nothing.
#[derive(Debug)]
pub struct RangePlan {
    /// What the first keys are.
    pub equal: Vec<KeyValue>,
    /// What the key behind them is.
    pub next: NextKeyPlan,
    /// In which direction it is read.
    pub order: Order,
}

impl RangePlan {
    /// All of an index.
    pub fn whole() -> RangePlan {
        RangePlan {
            equal: Vec::new(),
            next: NextKeyPlan::Any,
            order: Order::Ascending,
        }
    }
}

/// What a leading key of an index is.
#[derive(Debug)]
pub enum KeyValue {
    /// Equal to a value.
    Is(Expr),
    /// Equal to an element of a list.
    AnyOf(Expr),
}

/// What the key behind the leading ones is.
#[derive(Debug)]
pub enum NextKeyPlan {
    /// Anything.
    Any,
    /// Not null.
    Present,
    /// Between a lower and an upper bound, each with whether it is included.
    Between(Option<(Expr, bool)>, Option<(Expr, bool)>),
    /// Text with this prefix.
    StartsWith(Expr),
}

/// See [`Op::IdSeek`].
#[derive(Debug)]
pub struct IdSeek {
    /// Gets the vertex.
    pub slot: Slot,
    /// The number.
    pub id: Expr,
}

/// Edges that a new edge of the same `MATCH` must differ from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Other {
    /// Where they are.
    pub slot: Slot,
    /// A list of edges.
    pub list: bool,
}

/// See [`Op::Expand`].
#[derive(Debug)]
pub struct Expand {
    /// The bound vertex.
    pub from: Slot,
    /// Gets the edge.
    pub edge: Slot,
    /// Gets the other end, or must equal it if `into`.
    pub to: Slot,
    /// The other end is bound.
    pub into: bool,
    /// Seen from `from`.
    pub direction: Direction,
    /// Empty: any.
    pub types: Vec<NameRef>,
    /// Edges it must differ from.
    pub unique: Vec<Other>,
}

/// Bounds of a length that are computed for each row; they stand for those that are known when the plan is made.
#[derive(Debug, Default)]
pub struct ComputedBounds {
    /// Fewest edges.
    pub min: Option<(Expr, Place)>,
    /// Most edges.
    pub max: Option<(Expr, Place)>,
}

impl ComputedBounds {
    /// What is computed.
    pub fn exprs(&self) -> impl Iterator<Item = &Expr> {
        self.min.iter().chain(&self.max).map(|(expr, _)| expr)
    }

    /// Whether anything is.
    pub fn are_any(&self) -> bool {
        self.exprs().next().is_some()
    }
}

/// See [`Op::VarExpand`].
#[derive(Debug)]
pub struct VarExpand {
    /// The bound vertex.
    pub from: Slot,
    /// Gets the list of edges.
    pub edges: Slot,
    /// Gets the last vertex, or must equal it if `into`.
    pub to: Slot,
    /// The last vertex is bound.
    pub into: bool,
    /// Seen from `from`.
    pub direction: Direction,
    /// Empty: any.
    pub types: Vec<NameRef>,
    /// Fewest edges.
    pub min: u64,
    /// Most edges.
    pub max: u64,
    /// Bounds in place of these two.
    pub computed: ComputedBounds,
    /// Properties each edge must have.
    pub properties: Vec<(NameRef, Expr)>,
    /// What each edge must be.
    pub filter: Option<StepExpr>,
    /// Edges of the trail must differ from these too.
    pub unique: Vec<Other>,
    /// The list is wanted from `to` to `from` (the pattern was walked backwards).
    pub reversed: bool,
    /// Whether anything reads the list of edges.
    pub wants_edges: bool,
}

/// See [`Op::Reach`].
#[derive(Debug)]
pub struct Reach {
    /// The bound vertex.
    pub from: Slot,
    /// Gets the last vertex, or must equal it if `into`.
    pub to: Slot,
    /// The last vertex is bound.
    pub into: bool,
    /// The expansions, one behind the other; edges of a trail through them all must differ.
    pub segments: Vec<Segment>,
    /// Labels that the last vertex must have.
    pub labels: Vec<NameRef>,
    /// Edges of the trail must differ from these too.
    pub excluded: Vec<Other>,
    /// Nothing of the rows is wanted: the vertices are found once for all of them, and their rows have nothing else.
    pub shared: bool,
    /// Slots of the frame.
    pub width: Width,
}

/// An expansion of a chain.
#[derive(Debug)]
pub struct Segment {
    /// As it is followed.
    pub direction: Direction,
    /// Empty: any.
    pub types: Vec<NameRef>,
    /// Fewest edges.
    pub min: u64,
    /// Most edges.
    pub max: u64,
    /// The slot of the vertex behind it.
    pub vertex: Slot,
    /// What that vertex must be, where the chain goes on from it; they read nothing else of the row.
    pub conditions: Vec<Expr>,
}

impl Segment {
    /// The same again.
    pub fn copy(&self) -> Segment {
        Segment {
            types: self.types.clone(),
            conditions: self.conditions.clone(),
            ..*self
        }
    }
}

impl Reach {
    /// Whether the length of the trail does not matter, so that each vertex is reached once and not once for each length.
    pub fn is_nearest(&self) -> bool {
        matches!(self.segments.as_slice(), [only] if only.min <= 1 && only.max > 1)
    }

    /// Whether trails of several lengths lead to an end.
    pub fn ends_vary(&self) -> bool {
        self.segments
            .last()
            .is_some_and(|last| last.min != last.max)
    }
}

/// See [`Op::TrailCount`].
#[derive(Debug)]
pub struct TrailCount {
    /// The bound vertex.
    pub from: Slot,
    /// Gets the number, which is not nought.
    pub count: Slot,
    /// The edges of a trail; the last stands for all behind it too.
    pub steps: Vec<Step>,
    /// Fewest edges.
    pub min: u64,
    /// Most edges.
    pub max: u64,
    /// Labels that the last vertex must have.
    pub labels: Vec<NameRef>,
    /// Edges of the trail must differ from these too.
    pub unique: Vec<Other>,
}

/// One edge of a chain.
#[derive(Debug)]
pub struct Step {
    /// As it is followed.
    pub direction: Direction,
    /// Empty: any.
    pub types: Vec<NameRef>,
}

/// See [`Op::Search`].
#[derive(Debug)]
pub struct Search {
    /// The bound vertex.
    pub from: Slot,
    /// Gets the list of edges.
    pub edges: Slot,
    /// Gets the last vertex, or must equal it if `into`.
    pub to: Slot,
    /// The last vertex is bound.
    pub into: bool,
    /// Seen from `from`.
    pub direction: Direction,
    /// Empty: any.
    pub types: Vec<NameRef>,
    /// Fewest edges.
    pub min: u64,
    /// Most edges.
    pub max: u64,
    /// Bounds in place of these two.
    pub computed: ComputedBounds,
    /// Properties each edge must have.
    pub properties: Vec<(NameRef, Expr)>,
    /// Edges of a path must differ from these too.
    pub unique: Vec<Other>,
    /// The list is wanted from `to` to `from` (the pattern was walked backwards).
    pub reversed: bool,
    /// Which paths.
    pub which: Which,
    /// What an edge must be.
    pub filter: Option<StepExpr>,
    /// What an edge costs; none: one.
    pub weight: Option<StepExpr>,
    /// Gets the cost of the path.
    pub total: Option<Slot>,
}

/// Which of the paths a search gives.
#[derive(Debug)]
pub enum Which {
    /// To each vertex the nearest.
    Nearest {
        /// All that are as near.
        all: bool,
    },
    /// Between two vertices, shortest first.
    Ranked {
        /// How many; none: all.
        count: Option<Expr>,
        /// `count` is a number of lengths.
        groups: bool,
        /// No vertex twice.
        simple: bool,
        /// Gets the path, for the conditions.
        path: Option<(Slot, Expr)>,
        /// What a path must be to be counted.
        conditions: Vec<Expr>,
    },
}

/// Something computed at each step of a search.
#[derive(Debug)]
pub struct StepExpr {
    /// Gets the edge.
    pub edge: Slot,
    /// Gets the vertex that it leads to.
    pub vertex: Slot,
    /// Gets the path with the edge.
    pub path: Option<Slot>,
    /// Gets the cost: for a filter with the edge, for a weight without it.
    pub weight: Option<Slot>,
    /// What is computed.
    pub body: Expr,
    /// Where it stands.
    pub place: Place,
}

/// See [`Op::BoundEdge`].
#[derive(Debug)]
pub struct BoundEdge {
    /// Holds an edge, or a list of edges if `list`.
    pub edge: Slot,
    /// A list.
    pub list: bool,
    /// The end before the arrow.
    pub from: Slot,
    /// `from` is bound.
    pub from_bound: bool,
    /// The end behind the arrow.
    pub to: Slot,
    /// `to` is bound.
    pub to_bound: bool,
    /// Seen from `from`.
    pub direction: Direction,
    /// Empty: any.
    pub types: Vec<NameRef>,
    /// Fewest edges of a list.
    pub min: u64,
    /// Most edges of a list.
    pub max: u64,
    /// Bounds in place of these two.
    pub computed: ComputedBounds,
    /// Edges it must differ from.
    pub unique: Vec<Other>,
}

/// See [`Op::Project`].
#[derive(Debug)]
pub struct Project {
    /// Values of slots 0, 1, 2 …
    pub items: Vec<Expr>,
    /// Slots of the new frame.
    pub width: Width,
}

/// See [`Op::Aggregate`]. New rows: the keys, then the results.
#[derive(Debug)]
pub struct Aggregate {
    /// Grouping keys.
    pub keys: Vec<Expr>,
    /// What is folded.
    pub calls: Vec<AggregateCall>,
    /// Slots of the new frame.
    pub width: Width,
}

/// One aggregate.
#[derive(Clone, Debug, PartialEq)]
pub struct AggregateCall {
    /// `None`: `count(*)`.
    pub function: Option<Function>,
    /// `DISTINCT`.
    pub distinct: bool,
    /// What is folded, then further arguments.
    pub args: Vec<Expr>,
    /// Where it stands.
    pub place: Place,
}

/// See [`Op::Sort`].
#[derive(Debug)]
pub struct Sort {
    /// Keys, and whether descending.
    pub keys: Vec<(Expr, bool)>,
    /// Only so many rows are wanted (the sum of these).
    pub top: Vec<Expr>,
}

/// See [`Op::Unwind`], [`Op::Foreach`].
#[derive(Debug)]
pub struct Unwind {
    /// Gets the element.
    pub slot: Slot,
    /// The list.
    pub list: Expr,
    /// Where it stands.
    pub place: Place,
}

/// See [`Op::Apply`].
#[derive(Debug)]
pub struct Apply {
    /// Values of the outer row, and the locals that hold them within.
    pub imports: Vec<(Expr, u32)>,
    /// Inner slots and the outer slots they go to; empty for a unit subquery.
    pub outputs: Vec<(Slot, Slot)>,
    /// The inner plan gives no rows: each outer row passes once.
    pub unit: bool,
    /// A row without inner rows passes with nulls.
    pub optional: bool,
}

/// See [`Op::Create`]; in the order of the text.
#[derive(Debug)]
pub struct Create {
    /// What is created.
    pub items: Vec<CreateItem>,
    independent: OnceCell<bool>,
}

impl Create {
    /// As made of these.
    pub fn new(items: Vec<CreateItem>) -> Create {
        Create {
            items,
            independent: OnceCell::new(),
        }
    }

    /// Whether nothing that is computed for it rests on what it creates or may take long, so that rows may be written together.
    pub fn is_independent(&self) -> bool {
        *self.independent.get_or_init(|| {
            let slots: Vec<Slot> = self.items.iter().map(CreateItem::slot).collect();
            self.items.iter().all(|item| item.is_independent(&slots))
        })
    }
}

/// A vertex or edge to create.
#[derive(Debug)]
pub enum CreateItem {
    /// A vertex.
    Vertex {
        /// Gets it.
        slot: Slot,
        /// Its labels.
        labels: Vec<NameSource>,
        /// Its properties.
        properties: PropertySource,
    },
    /// An edge between vertices of the row.
    Edge {
        /// Gets it.
        slot: Slot,
        /// Where it starts.
        source: Slot,
        /// Where it ends.
        target: Slot,
        /// Its type.
        type_: NameSource,
        /// Its properties.
        properties: PropertySource,
        /// Where it stands.
        place: Place,
    },
}

impl CreateItem {
    /// Where it is put.
    pub fn slot(&self) -> Slot {
        match self {
            CreateItem::Vertex { slot, .. } | CreateItem::Edge { slot, .. } => *slot,
        }
    }

    /// Whether what is computed for it reads neither these slots nor the edges of the graph, and takes no time to speak of.
    fn is_independent(&self, slots: &[Slot]) -> bool {
        let (properties, names) = match self {
            CreateItem::Vertex {
                labels, properties, ..
            } => (properties, labels.as_slice()),
            CreateItem::Edge {
                type_, properties, ..
            } => (properties, std::slice::from_ref(type_)),
        };
        let names = names.iter().filter_map(|name| match name {
            NameSource::Static(_) => None,
            NameSource::Dynamic(expr, _) => Some(expr),
        });
        let properties = match properties {
            PropertySource::Entries(entries) => entries.iter().map(|(_, expr)| expr).collect(),
            PropertySource::Map(expr, _) => vec![expr],
        };
        names.chain(properties).all(|expr| {
            let mut rests = false;
            // Nothing is replaced: the copy is looked through.
            expr.clone().rewrite(&mut |part| {
                rests |= match part {
                    Expr::Slot(slot) => slots.contains(slot),
                    Expr::Path(_) | Expr::Degree(_) => true,
                    Expr::Call(function, ..) => matches!(
                        function,
                        Function::Degree | Function::InDegree | Function::OutDegree
                    ),
                    _ => false,
                };
                None
            });
            !rests && !expr.may_take_long()
        })
    }
}

/// See [`Op::Load`].
#[derive(Debug)]
pub struct Load {
    /// The file's name.
    pub source: Expr,
    /// The first record names the columns, and rows are maps; else they are lists.
    pub header: bool,
    /// Records that cannot be taken are left out.
    pub ignore_bad: bool,
    /// Empty fields are null, and fields may be missing.
    pub empty_is_null: bool,
    /// What stands between fields.
    pub delimiter: Option<Expr>,
    /// What stands around fields.
    pub quote: Option<Expr>,
    /// A field that means null.
    pub null_if: Option<Expr>,
    /// Gets the row.
    pub slot: Slot,
    /// Where it stands.
    pub place: Place,
}

/// See [`Op::InTransactions`].
#[derive(Debug)]
pub struct InTransactions {
    /// Rows of a transaction; needs no row itself.
    pub rows: Option<Expr>,
    /// What a transaction's failure does.
    pub on_error: OnError,
    /// Gets the status of a row's transaction.
    pub status: Option<Slot>,
    /// What the inner plan binds; null where its transaction failed.
    pub outputs: Vec<Slot>,
    /// Where it stands.
    pub place: Place,
}

/// A label or type to write.
#[derive(Debug)]
pub enum NameSource {
    /// Known.
    Static(NameRef),
    /// A string, or list of strings, computed when it runs.
    Dynamic(Expr, Place),
}

/// Properties of something to create.
#[derive(Debug)]
pub enum PropertySource {
    /// A map literal, or nothing.
    Entries(Vec<(NameRef, Expr)>),
    /// A map computed when it runs.
    Map(Expr, Place),
}

/// See [`Op::Merge`].
#[derive(Debug)]
pub struct Merge {
    /// What is created if nothing matches.
    pub create: Create,
    /// Property values that are looked for.
    pub sought: Vec<Sought>,
    /// `ON CREATE SET`.
    pub on_create: Vec<SetItem>,
    /// `ON MATCH SET`.
    pub on_match: Vec<SetItem>,
    /// Computed after either (named path).
    pub extend: Vec<(Slot, Expr)>,
}

/// A property value that `MERGE` looks for: never null, since a null would match nothing and be created again and again.
#[derive(Debug)]
pub struct Sought {
    /// The value.
    pub value: Expr,
    /// The property.
    pub name: Arc<str>,
    /// Where it stands.
    pub place: Place,
    /// Gets the value, if it is not the same for all rows.
    pub slot: Option<Slot>,
}

/// One change of properties or labels.
#[derive(Debug)]
pub enum SetItem {
    /// `target.key = value`; null removes.
    Property {
        /// A vertex or edge.
        target: Expr,
        /// The key.
        key: NameRef,
        /// The value.
        value: Expr,
        /// Where it stands.
        place: Place,
    },
    /// `target[key] = value`.
    DynamicProperty {
        /// A vertex or edge.
        target: Expr,
        /// The key.
        key: Expr,
        /// The value.
        value: Expr,
        /// Where it stands.
        place: Place,
    },
    /// `target = map`.
    Replace {
        /// A vertex or edge.
        target: Expr,
        /// A map, vertex or edge.
        value: Expr,
        /// Where it stands.
        place: Place,
    },
    /// `target += map`.
    Merge {
        /// A vertex or edge.
        target: Expr,
        /// A map, vertex or edge.
        value: Expr,
        /// Where it stands.
        place: Place,
    },
    /// `target:A:B`, or the removal of them.
    Labels {
        /// A vertex.
        target: Expr,
        /// The labels.
        labels: Vec<NameSource>,
        /// `REMOVE`.
        remove: bool,
        /// Where it stands.
        place: Place,
    },
}

/// See [`Op::Delete`].
#[derive(Debug)]
pub struct Delete {
    /// `DETACH`.
    pub detach: bool,
    /// Vertices, edges, paths.
    pub targets: Vec<(Expr, Place)>,
}

/// See [`Op::Procedure`].
#[derive(Debug)]
pub struct ProcedureCall {
    /// The procedure.
    pub procedure: Rc<Procedure>,
    /// One argument an input.
    pub args: Vec<Expr>,
    /// Output numbers and the slots they go to.
    pub outputs: Vec<(usize, Slot)>,
    /// A row without results passes with nulls.
    pub optional: bool,
    /// Where the name stands.
    pub place: Place,
}

/// Without what is only expected of it: two plans that do the same look the same.
impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut all = f.debug_tuple("Plan");
        all.field(&self.op);
        self.inputs.iter().for_each(|input| {
            all.field(input);
        });
        all.finish()
    }
}

impl Plan {
    /// An operator on one input; it is expected to give as many rows as it gets.
    pub fn over(op: Op, input: Plan) -> Plan {
        let estimate = input.estimate;
        Plan::joining(op, vec![input], estimate)
    }

    /// An operator on several inputs.
    pub fn joining(op: Op, inputs: Vec<Plan>, estimate: f64) -> Plan {
        let depth = 1 + inputs.iter().map(|input| input.depth).max().unwrap_or(0);
        Plan {
            op,
            inputs,
            estimate,
            depth,
        }
    }

    /// An operator without input.
    pub fn leaf(op: Op) -> Plan {
        Plan::joining(op, Vec::new(), 1.0)
    }

    /// The same with another estimate.
    pub fn expecting(mut self, rows: f64) -> Plan {
        self.estimate = rows;
        self
    }

    /// How many operators it has, itself included.
    pub fn operators(&self) -> usize {
        1 + self.inputs.iter().map(Plan::operators).sum::<usize>()
    }

    /// Whether it, or a plan within, changes the graph.
    pub fn writes(&self) -> bool {
        matches!(
            self.op,
            Op::Create(_) | Op::Merge(_) | Op::Set(_) | Op::Delete(_) | Op::Foreach(_)
        ) || self.inputs.iter().any(Plan::writes)
    }
}

/// A static test made of several names, all of which must hold.
pub fn all_labels(names: Vec<NameRef>) -> LabelTest {
    match <[NameRef; 1]>::try_from(names) {
        Ok([name]) => LabelTest::Name(name),
        Err(names) => LabelTest::And(names.into_iter().map(LabelTest::Name).collect()),
    }
}
