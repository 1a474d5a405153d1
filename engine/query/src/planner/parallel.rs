//! Which plans are divided between the cores.
//!
//! Called by [`crate::query_core`] on a finished plan. A pipeline that begins with a scan of all vertices, or those of a label, and looks at
//! one row at a time up to an aggregate, `DISTINCT` or `ORDER BY` can be run on any part of the vertices, and so can an aggregate by columns,
//! which scans by itself; where it is expected to take long enough, a [`Gather`] is put on top of it. What holds no state across rows is named here one by one, so an operator that is not named is
//! never divided. Always holds: the rows are the same; what writes, asks for random numbers, or can only be done by the core that runs the statement, is left as it is.

use std::fmt::{self, Write};
use std::hash::{DefaultHasher, Hasher};
use std::rc::Rc;

use quoit_cypher::ast;
use quoit_cypher::error::Error;
use quoit_graph::value::Value;

use super::{Catalog, PlannedQuery, literal_value, unsupported};
use crate::expression::NameRef;
use crate::plan::{Gather, Merging, MorselScan, Op, Plan};

/// What is divided, and between how many.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Division {
    /// Cores that there are; one: nothing is divided.
    pub cores: u16,
    /// Rows that all operators of a pipeline are expected to give together, from which on it is divided.
    pub rows_min: f64,
}

impl Default for Division {
    fn default() -> Division {
        Division {
            cores: 1,
            // About a millisecond of one core's work, ten times what it takes to wake another.
            rows_min: 20_000.0,
        }
    }
}

/// What it takes to fold a vertex from columns, in rows of an operator on rows: a nanosecond or less (`aggregate_count` of the language table in
/// `perf`, 54 µs for 100,000 vertices), where a row is taken for fifty (see [`Division`]).
const COLUMN_ROW: f64 = 0.02;

/// The number of cores behind `USING PARALLEL EXECUTION`.
pub(super) fn cores(expr: &ast::Expr) -> Result<u16, Error> {
    let value = match &expr.kind {
        ast::ExprKind::Literal(literal) if literal.extracted.is_none() => {
            literal_value(&literal.value)
        }
        _ => Value::Null,
    };
    match value {
        Value::Int(cores) if cores > 0 => Ok(u16::try_from(cores).unwrap_or(u16::MAX)),
        _ => Err(unsupported(
            "USING PARALLEL EXECUTION with anything but a positive number",
            expr.span,
        )),
    }
}

/// Divides what is worth it.
pub fn divide(mut planned: PlannedQuery, division: &Division, catalog: &Catalog) -> PlannedQuery {
    let mut cores = division.cores;
    let mut rows_min = division.rows_min;
    if let Some(asked) = planned.parallel {
        cores = cores.min(asked.unwrap_or(u16::MAX));
        rows_min = 0.0;
    }
    let plan = &planned.plan;
    if cores < 2 || plan.writes() || planned.is_volatile || planned.is_bound {
        return planned;
    }
    let mut dividing = Dividing {
        catalog,
        cores,
        rows_min,
        gathers: 0,
    };
    planned.plan = dividing.plan(planned.plan, false);
    planned.is_divided = dividing.gathers > 0;
    planned
}

struct Dividing<'a> {
    catalog: &'a Catalog,
    cores: u16,
    rows_min: f64,
    gathers: u32,
}

impl Dividing<'_> {
    /// `is_cut`: what is above may have enough before it has all.
    fn plan(&mut self, mut plan: Plan, is_cut: bool) -> Plan {
        // What these have to take in is all there is.
        let is_cut = is_cut && !matches!(plan.op, Op::Aggregate(_) | Op::Sort(_));
        let merging = match &plan.op {
            Op::Aggregate(_) => Some(Merging::Parts),
            // Each core drops what it has seen, and then what others have.
            Op::Distinct(_) if !is_cut => Some(Merging::Rows),
            Op::Sort(_) => Some(Merging::Rows),
            _ => None,
        };
        if let Some(merging) = merging
            && let Some(mut divided) = self.pipeline(&plan)
        {
            match &plan.op {
                Op::Aggregate(_) => return self.gather(divided, merging),
                // Only what is among the first of its core can be among the first of all.
                Op::Sort(sort) if sort.top.is_empty() => divided = divided.inputs.remove(0),
                _ => {}
            }
            let rows = plan.estimate;
            let gathered = self.gather(divided, merging);
            return Plan::joining(plan.op, vec![gathered], rows);
        }
        match &plan.op {
            Op::Union => {
                let inputs = std::mem::take(&mut plan.inputs);
                let divided = inputs.into_iter().map(|input| self.plan(input, is_cut));
                plan.inputs = divided.collect();
            }
            Op::Limit(_) => self.first_input(&mut plan, true),
            Op::ColumnAggregate(columns) => {
                let vertices = self.vertices(columns.label.as_ref());
                if vertices * COLUMN_ROW >= self.rows_min {
                    return self.gather(plan, Merging::Parts);
                }
                // Below is the same by rows, for what columns cannot fold.
            }
            _ => self.first_input(&mut plan, is_cut),
        }
        plan
    }

    fn first_input(&mut self, plan: &mut Plan, is_cut: bool) {
        if !plan.inputs.is_empty() {
            let first = plan.inputs.remove(0);
            plan.inputs.insert(0, self.plan(first, is_cut));
        }
    }

    /// A pipeline with this operator at its upper end, over the morsels of its scan, if it can be divided and that is worth it.
    fn pipeline(&self, top: &Plan) -> Option<Plan> {
        let mut rows = 0.0;
        let divided = over_morsels(top.inputs.first()?, &mut rows)?;
        if rows < self.rows_min {
            return None;
        }
        Some(Plan::joining(top.op.clone(), vec![divided], top.estimate))
    }

    /// Vertices that a scan looks at.
    fn vertices(&self, label: Option<&NameRef>) -> f64 {
        match label {
            None => self.catalog.statistics.vertices as f64,
            Some(name) => {
                let label = self.catalog.graph.names().label(&name.name);
                label.map_or(0.0, |label| self.catalog.vertices_with(label))
            }
        }
    }

    fn gather(&mut self, divided: Plan, merging: Merging) -> Plan {
        let label = scanned(&divided).cloned();
        let gather = Gather {
            number: self.gathers,
            merging,
            label,
            cores: self.cores,
        };
        self.gathers += 1;
        Plan::over(Op::Gather(Rc::new(gather)), divided)
    }
}

/// The label of the vertices that are dealt out.
fn scanned(divided: &Plan) -> Option<&NameRef> {
    match &divided.op {
        Op::MorselScan(morsels) => morsels.scan.label.as_ref(),
        Op::ColumnAggregate(columns) => columns.label.as_ref(),
        _ => divided.inputs.first().and_then(scanned),
    }
}

/// The same over the morsels of the scan at its end, if each row is made of one row of that; adds up what its operators are expected
/// to give.
fn over_morsels(plan: &Plan, rows: &mut f64) -> Option<Plan> {
    *rows += plan.estimate;
    let first = plan.inputs.first()?;
    if let (Op::Scan(scan), Op::Unit(width)) = (&plan.op, &first.op) {
        let scan = MorselScan {
            scan: scan.clone(),
            width: width.clone(),
        };
        let leaf = Plan::leaf(Op::MorselScan(Rc::new(scan)));
        return Some(leaf.expecting(plan.estimate));
    }
    let by_row = match &plan.op {
        // Over all rows at once it is found once, not once a core.
        Op::Reach(reach) => !reach.shared,
        Op::Scan(_)
        | Op::IndexScan(_)
        | Op::EdgeScan(_)
        | Op::IdSeek(_)
        | Op::Expand(_)
        | Op::Intersect(_)
        | Op::VarExpand(_)
        | Op::Search(_)
        | Op::BoundEdge(_)
        | Op::Filter(_)
        | Op::Extend(_)
        | Op::Compute(_)
        | Op::Project(_)
        | Op::Unwind(_)
        | Op::Optional(_)
        | Op::Apply(_) => true,
        _ => false,
    };
    if !by_row {
        return None;
    }
    let mut inputs = vec![over_morsels(first, rows)?];
    inputs.extend_from_slice(&plan.inputs[1..]);
    Some(Plan::joining(plan.op.clone(), inputs, plan.estimate))
}

/// Takes text in as a number.
struct Fingerprint(DefaultHasher);

impl Write for Fingerprint {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.write(text.as_bytes());
        Ok(())
    }
}

impl PlannedQuery {
    /// A number that says what the plan does: of two cores with the same number each can run a part of the other's.
    pub fn fingerprint(&self) -> u64 {
        *self.fingerprint.get_or_init(|| {
            let mut all = Fingerprint(DefaultHasher::new());
            let parts = (&self.plan, &self.parameters, self.locals, self.subqueries);
            // What takes the text in takes all of it.
            let _ = write!(all, "{parts:?}");
            all.0.finish()
        })
    }
}
