//! The vertices that edges of two bound vertices both lead to, with those edges: how a pattern closes a cycle.
//!
//! Called where the planner finds two steps to one unbound vertex, both from bound ones. Both lists are ordered by their other ends and gone through
//! side by side; where one is much longer than the other, the ends of the shorter one are searched in it, so the cost is that of the shorter
//! list, whichever of the two it is. What always holds: what is given is what an expansion from one of the two and a look for edges to the other
//! would give, in another order; the walk can be left after any few edges, and what it remembers is counted as the query's memory.

use std::rc::Rc;

use quoit_cypher::error::Error;
use quoit_graph::Incidence;
use quoit_graph::ids::VertexId;
use quoit_graph::value::Value;

use super::clock::Clock;
use super::expand::{Types, is_used, type_ids};
use super::{Batch, Context, Operator, Pull, Running, next_rows};
use crate::plan;

/// A list that is so many times longer than the other is searched, not gone through.
const MUCH_LONGER: u64 = 16;

/// See the module.
pub struct Intersect {
    plan: Rc<plan::Intersect>,
    input: Running,
    rows: Batch,
    at: usize,
    begun: bool,
    /// Which of the plan's sides has fewer edges for the row at work.
    short: usize,
    /// Its edges by their other ends, those before `next` done.
    edges: Vec<Incidence>,
    next: usize,
    /// The other side's, by their other ends; only those to the end at work, if they are searched.
    others: Vec<Incidence>,
    /// The vertex in whose list the others are searched; `None`: `others` are all.
    searched: Option<VertexId>,
    /// `others` are those to the end at work.
    found: bool,
    /// Where others to the end at work begin, and which of them is next.
    begin: usize,
    other: usize,
    clock: Clock,
    /// Bytes counted for both lists.
    held: u64,
    /// Bytes counted for a row that was left before its end.
    owed: u64,
}

impl Intersect {
    pub fn new(plan: Rc<plan::Intersect>, input: Running) -> Self {
        Intersect {
            plan,
            input,
            rows: Batch::new(),
            at: 0,
            begun: false,
            short: 0,
            edges: Vec::new(),
            next: 0,
            others: Vec::new(),
            searched: None,
            found: false,
            begin: 0,
            other: 0,
            clock: Clock::default(),
            held: 0,
            owed: 0,
        }
    }

    /// Gathers the edges of the row at work.
    fn begin(&mut self, types: &[Types; 2], cx: &mut Context<'_>) -> Result<(), Error> {
        let row = self.rows.row(self.at);
        let sides = &self.plan.sides;
        let (Value::Vertex(one), Value::Vertex(two)) =
            (&row[sides[0].from as usize], &row[sides[1].from as usize])
        else {
            return Ok(());
        };
        let ends = [*one, *two];
        let degree = |side: usize| {
            cx.view
                .degree(ends[side], sides[side].direction, &types[side])
        };
        let degrees = [degree(0), degree(1)];
        self.short = usize::from(degrees[1] < degrees[0]);
        let long = 1 - self.short;
        if degrees[self.short] == 0 {
            return Ok(());
        }
        let gather = |side: usize, out: &mut Vec<Incidence>| {
            cx.incidences(ends[side], sides[side].direction, &types[side], out);
            // Lists of one type are in this order, but for what is recent.
            out.sort_by_key(|incidence| incidence.neighbour);
        };
        gather(self.short, &mut self.edges);
        self.searched = match degrees[long] / MUCH_LONGER > degrees[self.short] {
            true => Some(ends[long]),
            false => {
                gather(long, &mut self.others);
                None
            }
        };
        let edges = self.edges.len() + self.others.len();
        self.held = (edges * size_of::<Incidence>()) as u64;
        cx.hold(self.held)
    }

    /// Goes to the others that lead to where the edge at work leads.
    fn find(&mut self, end: VertexId, types: &[Types; 2], cx: &Context<'_>) {
        self.found = true;
        match self.searched {
            Some(vertex) => {
                let long = 1 - self.short;
                let direction = self.plan.sides[long].direction;
                let between = cx.view.edges_between(vertex, end, direction, &types[long]);
                self.others.clear();
                self.others.extend(between);
                self.begin = 0;
            }
            None => {
                let rest = &self.others[self.begin..];
                let before = rest.iter().take_while(|other| other.neighbour < end);
                self.begin += before.count();
            }
        }
        self.other = self.begin;
    }

    /// Appends the row at work with a pair of edges, if they may stand in it.
    fn emit(&self, edge: &Incidence, other: &Incidence, out: &mut Batch) {
        let plan = &*self.plan;
        let row = self.rows.row(self.at);
        let is_free = |edge: &Incidence| !is_used(edge.edge.id, &plan.unique, row);
        let is_other = plan.repeatable || edge.edge.id != other.edge.id;
        if !is_other || !is_free(edge) || !is_free(other) {
            return;
        }
        let new = out.push(row);
        new[plan.sides[self.short].edge as usize] = Value::Edge(edge.edge);
        new[plan.sides[1 - self.short].edge as usize] = Value::Edge(other.edge);
        new[plan.to as usize] = Value::Vertex(edge.neighbour);
    }

    /// Forgets the row at work.
    fn leave(&mut self) {
        self.edges.clear();
        self.others.clear();
        (self.next, self.begin, self.other) = (0, 0, 0);
        (self.begun, self.found) = (false, false);
    }
}

impl Operator for Intersect {
    fn reset(&mut self, argument: &[Value]) {
        self.input.reset(argument);
        self.rows.clear();
        self.at = 0;
        self.leave();
        self.owed += std::mem::take(&mut self.held);
    }

    fn next(&mut self, cx: &mut Context<'_>, out: &mut Batch) -> Result<Pull, Error> {
        out.clear();
        cx.release(std::mem::take(&mut self.owed));
        loop {
            next_rows!(self.input, self.rows, self.at, cx, out);
            // Behind the input, which may have written an edge of a type that nobody knew.
            let [one, two] = &self.plan.sides;
            let types = type_ids(&one.types, cx).zip(type_ids(&two.types, cx));
            if let Some((one, two)) = types {
                let types = [one, two];
                if !std::mem::replace(&mut self.begun, true) {
                    self.begin(&types, cx)?;
                }
                while let Some(edge) = self.edges.get(self.next).copied() {
                    if !self.found {
                        self.find(edge.neighbour, &types, cx);
                    }
                    while let Some(other) = self.others.get(self.other).copied()
                        && other.neighbour == edge.neighbour
                    {
                        if out.is_full() {
                            return Ok(Pull::Rows);
                        }
                        self.other += 1;
                        self.emit(&edge, &other, out);
                    }
                    self.next += 1;
                    self.found = false;
                    if self.clock.ticks_out(cx) {
                        return Ok(match out.is_empty() {
                            true => Pull::Yield,
                            false => Pull::Rows,
                        });
                    }
                }
            }
            self.leave();
            cx.release(std::mem::take(&mut self.held));
            self.at += 1;
        }
    }
}
