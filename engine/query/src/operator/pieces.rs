//! Rows of as many values each, kept in pieces: adding one never moves those that are there.
//!
//! Used by operators that keep many rows (`seen`, `join`, `aggregate`, `search`). A vector of millions that doubles would be copied in one go, while nobody else has a turn.
//! What always holds: a row lies in one piece; all pieces but the last are full.

/// Rows of a piece, as a power of two.
const PIECE_BITS: u32 = 12;

const PIECE: usize = 1 << PIECE_BITS;

/// See the module.
pub struct Pieces<T> {
    width: usize,
    len: usize,
    pieces: Vec<Vec<T>>,
}

impl<T> Pieces<T> {
    /// For rows of so many values.
    pub fn new(width: usize) -> Pieces<T> {
        Pieces {
            width,
            len: 0,
            pieces: Vec::new(),
        }
    }

    /// Rows that there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Adds a row. It is for the caller to give as many values as a row has.
    pub fn push(&mut self, row: impl IntoIterator<Item = T>) {
        if self.len >> PIECE_BITS == self.pieces.len() {
            // The first piece begins small: most have few rows.
            self.pieces.push(match self.len {
                0 => Vec::new(),
                _ => Vec::with_capacity(PIECE * self.width),
            });
        }
        let piece = &mut self.pieces[self.len >> PIECE_BITS];
        piece.extend(row);
        self.len += 1;
        debug_assert_eq!(
            piece.len(),
            ((self.len - 1) % PIECE + 1) * self.width,
            "a row has as many values as the others"
        );
    }

    /// A row.
    #[inline]
    pub fn row(&self, number: usize) -> &[T] {
        let from = (number & (PIECE - 1)) * self.width;
        &self.pieces[number >> PIECE_BITS][from..from + self.width]
    }

    /// The same, to be changed.
    #[inline]
    pub fn row_mut(&mut self, number: usize) -> &mut [T] {
        let from = (number & (PIECE - 1)) * self.width;
        &mut self.pieces[number >> PIECE_BITS][from..from + self.width]
    }
}

/// The values of all rows, one row behind the other.
pub type PiecesIntoIter<T> = std::iter::Flatten<std::vec::IntoIter<Vec<T>>>;

impl<T> IntoIterator for Pieces<T> {
    type Item = T;
    type IntoIter = PiecesIntoIter<T>;

    fn into_iter(self) -> PiecesIntoIter<T> {
        self.pieces.into_iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_what_they_were_and_stay_where_they_are() {
        let mut rows = Pieces::new(3);
        let many = 3 * PIECE + 5;
        let mut second = std::ptr::null();
        for n in 0..many {
            rows.push([n, n + 1, n + 2]);
            if n == PIECE {
                second = rows.row(n).as_ptr();
            }
        }
        assert_eq!(rows.row(PIECE).as_ptr(), second);
        rows.row_mut(PIECE - 1)[1] = 0;
        for n in 0..many {
            let middle = if n == PIECE - 1 { 0 } else { n + 1 };
            assert_eq!(rows.row(n), [n, middle, n + 2]);
        }
        assert_eq!(rows.len(), many);
        let all: Vec<usize> = rows.into_iter().collect();
        assert_eq!((all.len(), all[3 * many - 1]), (3 * many, many + 1));
    }

    #[test]
    fn rows_without_values_are_counted() {
        let mut rows: Pieces<u8> = Pieces::new(0);
        (0..2 * PIECE + 1).for_each(|_| rows.push([]));
        assert_eq!(rows.len(), 2 * PIECE + 1);
        assert!(rows.row(2 * PIECE).is_empty());
    }
}
