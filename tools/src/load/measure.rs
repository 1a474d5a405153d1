//! What a run of the load tool has seen.
//!
//! Latencies go into HDR histograms (three significant digits, up to an hour), one for each query of
//! the mix. Filled by the driver, read by the report.

use super::wire::Reply;
use hdrhistogram::Histogram;
use std::collections::BTreeMap;
use std::time::Duration;

/// Longest latency told apart, in nanoseconds.
const LATENCY_NS_MAX: u64 = 3_600_000_000_000;
/// Different error codes that are kept; further ones are counted together.
const CODES_MAX: usize = 20;

/// One query's counts.
#[derive(Clone, Debug)]
pub struct Tally {
    pub name: String,
    /// Answers that came inside of the window, without failures.
    pub completed: u64,
    /// Failures, wrong row counts and lost requests.
    pub failed: u64,
    pub rows: u64,
    /// Latencies, in nanoseconds, of the successful requests that were meant to start in the window.
    pub latency_ns: Histogram<u64>,
}

impl Tally {
    fn new(name: String) -> Self {
        Tally {
            name,
            completed: 0,
            failed: 0,
            rows: 0,
            latency_ns: Histogram::new_with_bounds(1, LATENCY_NS_MAX, 3)
                .expect("constant bounds are valid"),
        }
    }
}

/// Everything that was measured.
#[derive(Clone, Debug)]
pub struct Measurement {
    pub queries: Vec<Tally>,
    /// How often each error code came.
    pub errors: BTreeMap<String, u64>,
    /// The window's length.
    pub window: Duration,
    /// Open loop: requests that were due when the window ended and had found no free connection.
    pub unsent: u64,
    /// Requests without an answer when waiting was given up.
    pub unanswered: u64,
    pub connections_lost: u64,
}

impl Measurement {
    pub fn new(names: Vec<String>) -> Self {
        Measurement {
            queries: names.into_iter().map(Tally::new).collect(),
            errors: BTreeMap::new(),
            window: Duration::ZERO,
            unsent: 0,
            unanswered: 0,
            connections_lost: 0,
        }
    }

    /// Notes the end of a request of query `query`. `rows_expected`: what a success must have;
    /// `latency_ns`: given if it was meant to start in the window; `in_window`: it ended there.
    pub fn record(
        &mut self,
        query: usize,
        reply: &Reply,
        rows_expected: Option<u64>,
        latency_ns: Option<u64>,
        in_window: bool,
    ) {
        let tally = &mut self.queries[query];
        match reply {
            Reply::Done { rows } if rows_expected.is_none_or(|expected| expected == *rows) => {
                if in_window {
                    tally.completed += 1;
                    tally.rows += rows;
                }
                if let Some(latency_ns) = latency_ns {
                    tally.latency_ns.saturating_record(latency_ns.max(1));
                }
            }
            Reply::Done { rows } => {
                let expected = rows_expected.unwrap_or_default();
                self.fail(query, format!("{rows} rows instead of {expected}"));
            }
            Reply::Failed { code } => self.fail(query, code.clone()),
        }
    }

    fn fail(&mut self, query: usize, code: String) {
        self.queries[query].failed += 1;
        let full = self.errors.len() >= CODES_MAX && !self.errors.contains_key(&code);
        let code = if full { "others".to_owned() } else { code };
        *self.errors.entry(code).or_default() += 1;
    }

    /// All queries together.
    pub fn total(&self) -> Tally {
        let mut total = Tally::new("all".to_owned());
        for tally in &self.queries {
            total.completed += tally.completed;
            total.failed += tally.failed;
            total.rows += tally.rows;
            total
                .latency_ns
                .add(&tally.latency_ns)
                .expect("all histograms have the same bounds");
        }
        total
    }

    /// `: code` of one error, or nothing.
    pub fn first_error(&self) -> String {
        match self.errors.keys().next() {
            Some(code) => format!(": {code}"),
            None => String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measurement() -> Measurement {
        Measurement::new(vec!["a".into(), "b".into()])
    }

    #[test]
    fn percentiles_are_those_of_the_latencies_recorded() {
        let mut measured = measurement();
        for us in 1..=1000u64 {
            let reply = Reply::Done { rows: 1 };
            measured.record(us as usize % 2, &reply, Some(1), Some(us * 1000), true);
        }
        let total = measured.total();
        assert_eq!(total.completed, 1000);
        for (quantile, us) in [(0.5, 500.0), (0.9, 900.0), (0.99, 990.0), (1.0, 1000.0)] {
            let found = total.latency_ns.value_at_quantile(quantile) as f64 / 1000.0;
            assert!((found - us).abs() / us < 0.002, "p{quantile}: {found}");
        }
    }

    #[test]
    fn a_wrong_row_count_is_a_failure_with_both_numbers() {
        let mut measured = measurement();
        measured.record(0, &Reply::Done { rows: 0 }, Some(1), Some(5), true);
        assert_eq!(measured.queries[0].failed, 1);
        assert_eq!(measured.queries[0].latency_ns.len(), 0);
        assert_eq!(measured.errors.get("0 rows instead of 1"), Some(&1));
    }

    #[test]
    fn requests_outside_of_the_window_are_not_counted() {
        let mut measured = measurement();
        measured.record(0, &Reply::Done { rows: 1 }, None, None, false);
        assert_eq!(measured.total().completed, 0);
        assert_eq!(measured.total().latency_ns.len(), 0);
    }

    #[test]
    fn the_number_of_error_codes_is_bounded() {
        let mut measured = measurement();
        for i in 0..1000 {
            let code = format!("code {i}");
            measured.record(0, &Reply::Failed { code }, None, None, true);
        }
        assert_eq!(measured.errors.len(), CODES_MAX + 1);
        assert_eq!(measured.errors["others"], 1000 - CODES_MAX as u64);
    }
}
