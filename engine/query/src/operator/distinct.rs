//! `DISTINCT`: drops rows whose first slots have been seen.
//!
//! Rows are the same by equivalence (null is null, 1 is 1.0). One column is kept by what its values are: integers and vertices as bits, the others by hash; several are
//! kept as keys. What always holds: which rows stay, and their order, do not depend on whether they come as rows or as columns.

use quoit_cypher::error::Error;
use quoit_graph::value::Value;

use super::int_set::IntSet;
use super::reach::VertexSet;
use super::seen::SeenKeys;
use super::vectors::{Vector, Vectors};
use super::{Batch, Context, Operator, Pull, Running, pull_rows, pull_vectors};

/// See the module.
pub struct Distinct {
    slots: usize,
    input: Running,
    seen: Seen,
    begun: bool,
    keep: Vec<bool>,
    key: Vec<Value>,
    held: u64,
}

/// What has been seen.
enum Seen {
    One(Box<SeenValues>),
    Several(SeenKeys),
}

impl Seen {
    fn new(slots: usize) -> Seen {
        match slots {
            1 => Seen::One(Box::default()),
            _ => Seen::Several(SeenKeys::new(slots)),
        }
    }

    fn bytes(&self) -> u64 {
        match self {
            Seen::One(values) => {
                let others = &values.others;
                values.ints.bytes()
                    + values.vertices.bytes()
                    + others.len() as u64 * others.key_bytes()
            }
            Seen::Several(keys) => keys.len() as u64 * keys.key_bytes(),
        }
    }
}

/// Values of one column.
struct SeenValues {
    /// And floats that equal them.
    ints: IntSet,
    vertices: VertexSet,
    others: SeenKeys,
}

impl Default for SeenValues {
    fn default() -> SeenValues {
        SeenValues {
            ints: IntSet::default(),
            vertices: VertexSet::default(),
            others: SeenKeys::new(1),
        }
    }
}

impl SeenValues {
    /// Adds a value; whether it is new.
    fn insert(&mut self, value: &Value) -> bool {
        match value {
            Value::Int(int) => self.ints.insert(*int),
            Value::Vertex(vertex) => self.vertices.insert(*vertex),
            Value::Float(float) => match integer(*float) {
                Some(int) => self.ints.insert(int),
                None => self.others.number(std::slice::from_ref(value)).1,
            },
            other => self.others.number(std::slice::from_ref(other)).1,
        }
    }

    /// Adds the values of a column, and says of each whether it is new.
    fn insert_all(&mut self, column: &Vector, rows: usize, keep: &mut Vec<bool>) {
        match column {
            Vector::Ints(ints) => keep.extend(ints.iter().map(|int| self.ints.insert(*int))),
            Vector::Vertices(vertices) => {
                keep.extend(vertices.iter().map(|vertex| self.vertices.insert(*vertex)));
            }
            Vector::Values(values) => keep.extend(values.iter().map(|value| self.insert(value))),
            Vector::Constant(value) => keep.extend((0..rows).map(|_| self.insert(value))),
        }
    }
}

/// The integer that a float equals.
fn integer(float: f64) -> Option<i64> {
    let int = float as i64;
    // 2^63 is no integer of 64 bits, though the conversion ends at the greatest that is one.
    (int as f64 == float && float < 9_223_372_036_854_775_808.0).then_some(int)
}

impl Distinct {
    pub fn new(slots: u32, input: Running) -> Self {
        Distinct {
            slots: slots as usize,
            input,
            seen: Seen::new(slots as usize),
            begun: false,
            keep: Vec::new(),
            key: Vec::new(),
            held: 0,
        }
    }

    fn begin(&mut self, cx: &mut Context<'_>) {
        if !std::mem::replace(&mut self.begun, true) {
            // What a run that was given up held.
            self.forget(cx);
        }
    }

    fn forget(&mut self, cx: &mut Context<'_>) {
        self.seen = Seen::new(self.slots);
        cx.release(std::mem::take(&mut self.held));
    }

    /// Counts what is kept more than before.
    fn count(&mut self, cx: &mut Context<'_>) -> Result<(), Error> {
        let bytes = self.seen.bytes();
        let more = bytes.saturating_sub(self.held);
        self.held += more;
        cx.hold(more)
    }
}

impl Operator for Distinct {
    fn reset(&mut self, argument: &[Value]) {
        self.input.reset(argument);
        self.begun = false;
    }

    fn next(&mut self, cx: &mut Context<'_>, out: &mut Batch) -> Result<Pull, Error> {
        self.begin(cx);
        loop {
            if !pull_rows!(self.input, cx, out) {
                self.forget(cx);
                return Ok(Pull::End);
            }
            self.keep.clear();
            for row in out.rows() {
                self.keep.push(match &mut self.seen {
                    Seen::One(values) => values.insert(&row[0]),
                    Seen::Several(keys) => keys.number(&row[..self.slots]).1,
                });
            }
            self.count(cx)?;
            out.retain(&self.keep);
            if !out.is_empty() {
                return Ok(Pull::Rows);
            }
            if cx.should_yield() {
                return Ok(Pull::Yield);
            }
        }
    }

    fn gives_vectors(&self) -> bool {
        self.input.gives_vectors()
    }

    fn next_vectors(&mut self, cx: &mut Context<'_>, out: &mut Vectors) -> Result<Pull, Error> {
        self.begin(cx);
        loop {
            if !pull_vectors!(self.input, cx, out) {
                self.forget(cx);
                return Ok(Pull::End);
            }
            self.keep.clear();
            match &mut self.seen {
                Seen::One(values) => {
                    values.insert_all(&out.columns()[0], out.len(), &mut self.keep);
                }
                Seen::Several(keys) => {
                    self.key.resize(self.slots, Value::Null);
                    for row in 0..out.len() {
                        out.copy_row(row, &mut self.key);
                        self.keep.push(keys.number(&self.key).1);
                    }
                }
            }
            self.count(cx)?;
            out.retain(&self.keep);
            if out.len() > 0 {
                return Ok(Pull::Rows);
            }
            if cx.should_yield() {
                return Ok(Pull::Yield);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equivalent_values_are_new_once_in_any_column() {
        let mut seen = SeenValues::default();
        let mut keep = Vec::new();
        seen.insert_all(&Vector::Ints(vec![1, 2, 1]), 3, &mut keep);
        let values = [
            Value::Float(2.0),
            Value::Float(2.5),
            Value::Null,
            Value::Null,
            Value::Float(f64::NAN),
            Value::Float(f64::NAN),
            Value::Float(9_223_372_036_854_775_808.0),
            Value::Int(i64::MAX),
            Value::Float(-0.0),
            Value::Int(0),
        ];
        seen.insert_all(&Vector::Values(values.to_vec()), values.len(), &mut keep);
        seen.insert_all(&Vector::Constant(Value::Int(7)), 2, &mut keep);
        let t = true;
        let f = false;
        assert_eq!(keep, [t, t, f, f, t, t, f, t, f, t, t, t, f, t, f]);
    }
}
