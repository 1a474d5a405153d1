//! Batches: some rows of one frame, one behind the other in one buffer that is used again.
//!
//! Callers see rows and slots only, so that the layout can become columns without touching operators' logic elsewhere.

use quoit_graph::value::Value;

/// Rows that an operator gathers before it hands them up. Large enough to pay for the call, small enough that `LIMIT 1` costs little.
pub const BATCH_ROWS: usize = 256;

/// Values that the buffer of a batch may have room for, and be kept while nobody uses it.
pub const KEPT_VALUES_MAX: usize = 256;

/// Rows of equal width.
#[derive(Debug, Default)]
pub struct Batch {
    width: usize,
    len: usize,
    values: Vec<Value>,
}

impl Batch {
    /// Empty; the width comes with the first row.
    pub fn new() -> Batch {
        Batch::default()
    }

    /// Drops all rows, keeping the buffer.
    pub fn clear(&mut self) {
        self.values.clear();
        self.len = 0;
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether it is time to hand it up.
    pub fn is_full(&self) -> bool {
        self.len >= BATCH_ROWS
    }

    /// Whether its buffer is small enough to be kept for another execution.
    pub fn is_light(&self) -> bool {
        self.values.capacity() <= KEPT_VALUES_MAX
    }

    /// Slots of a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// A row.
    pub fn row(&self, at: usize) -> &[Value] {
        &self.values[at * self.width..(at + 1) * self.width]
    }

    /// A row to change.
    pub fn row_mut(&mut self, at: usize) -> &mut [Value] {
        &mut self.values[at * self.width..(at + 1) * self.width]
    }

    /// All rows in order.
    pub fn rows(&self) -> impl Iterator<Item = &[Value]> {
        (0..self.len).map(|at| self.row(at))
    }

    /// Appends a copy of a row and gives it out to be changed.
    pub fn push(&mut self, row: &[Value]) -> &mut [Value] {
        self.fit(row.len());
        self.values.extend_from_slice(row);
        self.len += 1;
        let start = self.values.len() - row.len();
        &mut self.values[start..]
    }

    /// Moves all rows of another batch behind its own.
    pub fn append(&mut self, rows: &mut Batch) {
        self.fit(rows.width);
        self.values.append(&mut rows.values);
        self.len += std::mem::take(&mut rows.len);
    }

    /// Appends a row that is moved in.
    pub fn push_owned(&mut self, row: impl IntoIterator<Item = Value>, width: usize) {
        self.fit(width);
        self.values.extend(row);
        self.len += 1;
        self.values.resize(self.len * width, Value::Null);
    }

    /// Appends a row of nulls and gives it out to be changed.
    pub fn push_nulls(&mut self, width: usize) -> &mut [Value] {
        self.fit(width);
        self.len += 1;
        self.values.resize(self.len * width, Value::Null);
        let start = self.values.len() - width;
        &mut self.values[start..]
    }

    /// Keeps the rows for which `keep` is true at their position, in order.
    pub fn retain(&mut self, keep: &[bool]) {
        let mut kept = 0;
        for (at, keep) in keep.iter().enumerate().take(self.len) {
            if *keep {
                if kept != at {
                    for slot in 0..self.width {
                        self.values
                            .swap(kept * self.width + slot, at * self.width + slot);
                    }
                }
                kept += 1;
            }
        }
        self.truncate(kept);
    }

    /// Drops rows behind the first `len`.
    pub fn truncate(&mut self, len: usize) {
        if len < self.len {
            self.values.truncate(len * self.width);
            self.len = len;
        }
    }

    /// Moves the rows behind the first `len` to `rest`, which is empty.
    pub fn split_off(&mut self, len: usize, rest: &mut Batch) {
        debug_assert!(rest.is_empty(), "what waits is not written over");
        let len = len.min(self.len);
        rest.width = self.width;
        rest.values.extend(self.values.drain(len * self.width..));
        rest.len = self.len - len;
        self.len = len;
    }

    /// Drops the first rows.
    pub fn drop_front(&mut self, count: usize) {
        let count = count.min(self.len);
        self.values.drain(..count * self.width);
        self.len -= count;
    }

    fn fit(&mut self, width: usize) {
        if self.len == 0 {
            self.width = width;
        }
        debug_assert_eq!(self.width, width, "rows of a batch have one width");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_no_slots_are_counted() {
        let mut batch = Batch::new();
        batch.push(&[]);
        batch.push_nulls(0);
        assert_eq!((batch.len(), batch.rows().count()), (2, 2));
        batch.retain(&[false, true]);
        assert_eq!(batch.len(), 1);
    }

    #[test]
    fn rows_are_moved_behind_others() {
        let (mut all, mut more) = (Batch::new(), Batch::new());
        for number in 0..3 {
            more.push(&[Value::Int(number)]);
            all.append(&mut more);
            assert!(more.is_empty());
        }
        all.append(&mut more);
        let numbers: Vec<_> = all.rows().map(|row| row[0].clone()).collect();
        assert_eq!(numbers, [0, 1, 2].map(Value::Int));
    }

    #[test]
    fn what_is_split_off_goes_on_behind() {
        let (mut all, mut rest) = (Batch::new(), Batch::new());
        for number in 0..5 {
            all.push(&[Value::Int(number), Value::Null]);
        }
        all.split_off(2, &mut rest);
        assert_eq!((all.len(), rest.len(), rest.width()), (2, 3, 2));
        assert_eq!(
            (all.row(1), rest.row(0)),
            (
                &[Value::Int(1), Value::Null][..],
                &[Value::Int(2), Value::Null][..]
            )
        );
        all.append(&mut rest);
        all.split_off(5, &mut rest);
        assert_eq!((all.len(), rest.is_empty()), (5, true));
    }

    #[test]
    fn retained_rows_keep_their_order() {
        let mut batch = Batch::new();
        for number in 0..5 {
            batch.push(&[Value::Int(number), Value::Bool(true)]);
        }
        batch.retain(&[true, false, true, false, true]);
        let firsts: Vec<_> = batch.rows().map(|row| row[0].clone()).collect();
        assert_eq!(firsts, vec![Value::Int(0), Value::Int(2), Value::Int(4)]);
        batch.drop_front(2);
        assert_eq!(batch.row(0), &[Value::Int(4), Value::Bool(true)]);
    }
}
