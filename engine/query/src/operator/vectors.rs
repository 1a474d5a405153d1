//! Batches as columns: what operators hand up that make many rows of one kind at once, so that reading, comparing and encoding are loops over arrays.
//!
//! An operator that gives its rows so says it ([`super::Operator::gives_vectors`]); what pulls it may still ask for rows. Called by `reach`, `row`, `distinct`, `execution`,
//! and by who takes the rows ([`crate::RowSink::vectors`]). What always holds: all columns of a batch have as many values as it has rows; how a column
//! lies says nothing of the values: the same integers may come as [`Vector::Ints`] now and as [`Vector::Values`] next.

use quoit_graph::ids::VertexId;
use quoit_graph::value::Value;

/// Rows that an operator gathers before it hands them up; a page's more may come.
pub const VECTOR_ROWS: usize = 1024;

/// The values of one slot, a row each.
#[derive(Clone, Debug)]
pub enum Vector {
    /// The same in all rows.
    Constant(Value),
    /// Vertices.
    Vertices(Vec<VertexId>),
    /// Integers.
    Ints(Vec<i64>),
    /// Anything.
    Values(Vec<Value>),
}

impl Default for Vector {
    fn default() -> Vector {
        Vector::Constant(Value::Null)
    }
}

impl Vector {
    /// The value of a row, which lies within the batch.
    pub fn value(&self, row: usize) -> Value {
        match self {
            Vector::Constant(value) => value.clone(),
            Vector::Vertices(vertices) => Value::Vertex(vertices[row]),
            Vector::Ints(ints) => Value::Int(ints[row]),
            Vector::Values(values) => values[row].clone(),
        }
    }

    /// Becomes empty integers, in its own memory if it had some.
    pub(super) fn begin_ints(&mut self) {
        match self {
            Vector::Ints(ints) => ints.clear(),
            other => *other = Vector::Ints(Vec::new()),
        }
    }

    /// Becomes empty vertices, in its own memory if it had some.
    pub(super) fn begin_vertices(&mut self) -> &mut Vec<VertexId> {
        if !matches!(self, Vector::Vertices(_)) {
            *self = Vector::Vertices(Vec::new());
        }
        let Vector::Vertices(vertices) = self else {
            unreachable!("it has just become vertices")
        };
        vertices.clear();
        vertices
    }

    /// Appends a value; what does not fit the kind of the others makes it values of any kind. Not for a constant.
    pub(super) fn push(&mut self, value: Value) {
        match (&mut *self, value) {
            (Vector::Ints(ints), Value::Int(int)) => ints.push(int),
            (Vector::Vertices(vertices), Value::Vertex(vertex)) => vertices.push(vertex),
            (Vector::Values(values), value) => values.push(value),
            (Vector::Ints(ints), value) => {
                let ints = ints.iter().map(|int| Value::Int(*int));
                *self = Vector::Values(ints.chain([value]).collect());
            }
            (Vector::Vertices(vertices), value) => {
                let vertices = vertices.iter().map(|vertex| Value::Vertex(*vertex));
                *self = Vector::Values(vertices.chain([value]).collect());
            }
            (Vector::Constant(_), _) => unreachable!("a constant has no rows of its own"),
        }
    }

    fn retain(&mut self, keep: &[bool]) {
        let mut at = 0;
        let mut next = || {
            at += 1;
            keep[at - 1]
        };
        match self {
            Vector::Constant(_) => {}
            Vector::Vertices(vertices) => vertices.retain(|_| next()),
            Vector::Ints(ints) => ints.retain(|_| next()),
            Vector::Values(values) => values.retain(|_| next()),
        }
    }
}

/// Rows of equal width, column by column.
#[derive(Debug, Default)]
pub struct Vectors {
    len: usize,
    columns: Vec<Vector>,
}

impl Vectors {
    /// No rows; the columns come with the first.
    pub fn new() -> Vectors {
        Vectors::default()
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.len
    }

    /// The columns.
    pub fn columns(&self) -> &[Vector] {
        &self.columns
    }

    /// Becomes so many columns, which are given out to be filled, for so many rows as [`Vectors::filled`] says then.
    pub(super) fn begin(&mut self, width: usize) -> &mut [Vector] {
        self.len = 0;
        self.columns.resize_with(width, Vector::default);
        &mut self.columns
    }

    /// Says how many rows the columns have been filled with.
    pub(super) fn filled(&mut self, len: usize) {
        self.len = len;
    }

    /// Drops all rows.
    pub fn clear(&mut self) {
        self.len = 0;
    }

    /// Keeps the rows for which `keep`, a value a row, is true, in order.
    pub(super) fn retain(&mut self, keep: &[bool]) {
        let kept = keep.iter().filter(|keep| **keep).count();
        if kept < self.len {
            self.columns
                .iter_mut()
                .for_each(|column| column.retain(keep));
            self.len = kept;
        }
    }

    /// Copies a row.
    pub(super) fn copy_row(&self, row: usize, into: &mut [Value]) {
        for (value, column) in into.iter_mut().zip(&self.columns) {
            *value = column.value(row);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_keep_what_does_not_fit_the_values_before() {
        let mut column = Vector::default();
        column.begin_ints();
        column.push(Value::Int(3));
        assert!(matches!(&column, Vector::Ints(ints) if ints == &[3]));
        column.push(Value::Null);
        column.push(Value::Int(4));
        let all: Vec<_> = (0..3).map(|row| column.value(row)).collect();
        assert_eq!(all, [Value::Int(3), Value::Null, Value::Int(4)]);
        column.begin_vertices().push(VertexId(7));
        column.push(Value::from("x"));
        assert_eq!(column.value(0), Value::Vertex(VertexId(7)));
        assert_eq!(column.value(1), Value::from("x"));
    }

    #[test]
    fn rows_of_all_columns_are_retained_together() {
        let mut batch = Vectors::new();
        let columns = batch.begin(4);
        columns[0] = Vector::Ints(vec![1, 2, 3]);
        columns[1] = Vector::Constant(Value::Bool(true));
        columns[2] = Vector::Values(vec![Value::Null, Value::from("b"), Value::from("c")]);
        columns[3] = Vector::Vertices(vec![VertexId(9), VertexId(8), VertexId(7)]);
        batch.filled(3);
        batch.retain(&[false, true, true]);
        let expected = |int, text, vertex| {
            [
                Value::Int(int),
                Value::Bool(true),
                Value::from(text),
                Value::Vertex(VertexId(vertex)),
            ]
        };
        let mut row = vec![Value::Null; 4];
        batch.copy_row(0, &mut row);
        assert_eq!(row, expected(2, "b", 8));
        batch.copy_row(1, &mut row);
        assert_eq!((batch.len(), row), (2, expected(3, "c", 7).to_vec()));
    }
}
