//! The storage's goals, measured: one part a subject, each in a process of its own, so that resident memory is its own.
//!
//! Owned here: [`Report`], the rows of the table, and [`PARTS`]. Called by the `storage` binary, which runs every part and prints or
//! records the table. Always holds: both sides of a ratio are measured in the same process, by turns, each as the least of several
//! rounds; a row says what was asked, what was measured and of what.
//! Left to others: what is measured (the parts).

pub mod adjacency;
pub mod churn;
pub mod cores;
pub mod index;
pub mod properties;

/// A part's name and its measurements.
pub type Part = (&'static str, fn(&mut Report));

/// Every part, in the order of the table.
pub const PARTS: &[Part] = &[
    ("adjacency", adjacency::adjacency),
    ("cores", cores::cores),
    ("index", index::index),
    ("properties", properties::properties),
    ("readers", properties::readers),
    ("churn", churn::churn),
];

/// Which side of its limit a figure has to be on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// The figure is at most this.
    AtMost,
    /// The figure is at least this.
    AtLeast,
}

/// One figure.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// What was measured.
    pub name: String,
    /// The side.
    pub limit: Limit,
    /// The goal, in the unit.
    pub asked: f64,
    /// The figure, in the unit.
    pub measured: f64,
    /// The unit, or "times" for a ratio.
    pub unit: String,
    /// The two sides of a ratio, the size of the data, whatever a reader needs to judge the figure.
    pub detail: String,
}

impl Row {
    /// Whether the goal is met.
    pub fn holds(&self) -> bool {
        match self.limit {
            Limit::AtMost => self.measured <= self.asked,
            Limit::AtLeast => self.measured >= self.asked,
        }
    }

    /// As one line, for the way from a part's process to the table.
    pub fn to_line(&self) -> String {
        let side = match self.limit {
            Limit::AtMost => "<=",
            Limit::AtLeast => ">=",
        };
        format!(
            "{}\t{side}\t{}\t{}\t{}\t{}",
            self.name, self.asked, self.measured, self.unit, self.detail
        )
    }

    /// A line that [`Row::to_line`] wrote; nothing for any other.
    pub fn from_line(line: &str) -> Option<Row> {
        let fields: Vec<&str> = line.split('\t').collect();
        let &[name, side, asked, measured, unit, detail] = fields.as_slice() else {
            return None;
        };
        let limit = match side {
            "<=" => Limit::AtMost,
            ">=" => Limit::AtLeast,
            _ => return None,
        };
        Some(Row {
            name: name.into(),
            limit,
            asked: asked.parse().ok()?,
            measured: measured.parse().ok()?,
            unit: unit.into(),
            detail: detail.into(),
        })
    }
}

/// The figures of one part, printed as they come.
#[derive(Default)]
pub struct Report {
    rows: Vec<Row>,
}

impl Report {
    /// A figure that should be at most `asked`.
    pub fn at_most(&mut self, name: &str, asked: f64, measured: f64, unit: &str, detail: &str) {
        self.push(Limit::AtMost, name, asked, measured, unit, detail);
    }

    /// A figure that should be at least `asked`.
    pub fn at_least(&mut self, name: &str, asked: f64, measured: f64, unit: &str, detail: &str) {
        self.push(Limit::AtLeast, name, asked, measured, unit, detail);
    }

    fn push(
        &mut self,
        limit: Limit,
        name: &str,
        asked: f64,
        measured: f64,
        unit: &str,
        detail: &str,
    ) {
        let row = Row {
            name: name.into(),
            limit,
            asked,
            measured,
            unit: unit.into(),
            detail: detail.into(),
        };
        println!("{}", row.to_line());
        self.rows.push(row);
    }

    /// The figures so far.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }
}

/// The least of `rounds` times, in seconds; of several things measured by turns call it with all of them: `things[i]` runs thing `i`
/// once and answers its seconds.
pub fn least<const N: usize>(rounds: usize, mut things: [&mut dyn FnMut() -> f64; N]) -> [f64; N] {
    let mut least = [f64::INFINITY; N];
    for _ in 0..rounds {
        for (best, thing) in least.iter_mut().zip(things.iter_mut()) {
            *best = best.min(thing());
        }
    }
    least
}

/// This process's resident memory in bytes (`/proc/self/statm`).
pub fn resident_bytes() -> f64 {
    const PAGE_BYTES: f64 = 4096.0;
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux has /proc/self/statm");
    let pages = statm.split(' ').nth(1).and_then(|n| n.parse::<f64>().ok());
    pages.expect("statm's second field is a number of pages") * PAGE_BYTES
}

/// A generator of numbers from a seed (xorshift): fast enough to stand in measured loops.
pub struct Numbers(u64);

impl Numbers {
    /// From a seed, which must not be zero.
    pub fn new(seed: u64) -> Numbers {
        assert_ne!(seed, 0, "xorshift does not leave zero");
        Numbers(seed)
    }

    /// The next number.
    pub fn next_number(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A number below `limit`.
    pub fn below(&mut self, limit: usize) -> usize {
        ((u128::from(self.next_number()) * limit as u128) >> 64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_survives_its_way_to_the_table() {
        let mut report = Report::default();
        report.at_most("bytes per edge", 20.0, 17.5, "bytes", "1,768,515 edges");
        let row = &report.rows()[0];
        assert_eq!(Row::from_line(&row.to_line()).as_ref(), Some(row));
        assert!(row.holds());
        assert_eq!(Row::from_line("anything else"), None);
    }
}
