//! A measurement, as a table for people and as JSON for scripts.

use super::measure::{Measurement, Tally};
use serde_json::{Value, json};
use std::fmt::Write;
use std::time::Duration;

/// What was run, and what it cost beside time.
#[derive(Clone, Debug)]
pub struct Circumstances {
    pub target: String,
    pub connections: usize,
    pub depth: usize,
    /// Requests a second that were meant to be sent; `None` for a closed loop.
    pub rate: Option<f64>,
    /// CPU time of the server's processes in the window, if they were named.
    pub server_cpu: Option<Duration>,
    /// CPU time of this process in the window.
    pub client_cpu: Duration,
}

/// The percentiles that are shown.
const QUANTILES: [(&str, f64); 5] = [
    ("p50", 0.5),
    ("p90", 0.9),
    ("p99", 0.99),
    ("p99.9", 0.999),
    ("max", 1.0),
];

/// Answers a second.
fn rate(tally: &Tally, window: Duration) -> f64 {
    match window.as_secs_f64() {
        0.0 => 0.0,
        seconds => tally.completed as f64 / seconds,
    }
}

/// CPU microseconds for each answer.
fn us_per_request(cpu: Duration, completed: u64) -> Option<f64> {
    (completed > 0).then(|| cpu.as_secs_f64() * 1e6 / completed as f64)
}

/// A table of all queries and their sum, then what else is to be said.
pub fn text(measured: &Measurement, about: &Circumstances) -> String {
    let mut out = String::new();
    let total = measured.total();
    let loop_kind = match about.rate {
        Some(rate) => format!("open loop at {rate}/s, latency from the intended start"),
        None => "closed loop".to_owned(),
    };
    let mut line = |text: std::fmt::Arguments<'_>| {
        writeln!(out, "{text}").expect("writing to a String cannot fail");
    };
    line(format_args!(
        "{}: {} connections x {} in flight, {loop_kind}, {:.2} s",
        about.target,
        about.connections,
        about.depth,
        measured.window.as_secs_f64()
    ));
    let width = measured
        .queries
        .iter()
        .map(|tally| tally.name.chars().count())
        .max()
        .unwrap_or(0)
        .max(5);
    let heads: String = QUANTILES
        .iter()
        .map(|(name, _)| format!("{:>10}", format!("{name} us")))
        .collect();
    line(format_args!(
        "{:width$}{:>12}{:>12}{:>9}{:>11}{heads}",
        "query", "requests", "per second", "errors", "mean us"
    ));
    let alone = measured.queries.len() == 1;
    let sum = (!alone).then_some(&total);
    for tally in measured.queries.iter().chain(sum) {
        let latencies: String = QUANTILES
            .iter()
            .map(|(_, quantile)| {
                let ns = tally.latency_ns.value_at_quantile(*quantile);
                format!("{:>10.1}", ns as f64 / 1000.0)
            })
            .collect();
        line(format_args!(
            "{:width$}{:>12}{:>12.0}{:>9}{:>11.1}{latencies}",
            tally.name,
            tally.completed,
            rate(tally, measured.window),
            tally.failed,
            tally.latency_ns.mean() / 1000.0
        ));
    }
    let share = |cpu: Duration| match measured.window.as_secs_f64() {
        0.0 => 0.0,
        seconds => cpu.as_secs_f64() * 100.0 / seconds,
    };
    let cpus = [
        ("server", about.server_cpu),
        ("client", Some(about.client_cpu)),
    ];
    for (who, cpu) in cpus {
        let Some(cpu) = cpu else { continue };
        if let Some(us) = us_per_request(cpu, total.completed) {
            line(format_args!(
                "{who} CPU: {us:.2} us per request, {:.0} % of one core",
                share(cpu)
            ));
        }
    }
    for (code, count) in &measured.errors {
        line(format_args!("error: {count} x {code}"));
    }
    if measured.unsent > 0 {
        line(format_args!(
            "overloaded: {} requests were due and had found no free connection at the end",
            measured.unsent
        ));
    }
    if measured.unanswered > 0 {
        line(format_args!(
            "{} requests were never answered",
            measured.unanswered
        ));
    }
    if measured.connections_lost > 0 {
        line(format_args!(
            "{} connections were lost",
            measured.connections_lost
        ));
    }
    out
}

/// The same for scripts: times in microseconds, keys stable.
pub fn json(measured: &Measurement, about: &Circumstances) -> Value {
    let tally = |tally: &Tally| {
        let mut latency = json!({ "mean": tally.latency_ns.mean() / 1000.0 });
        for (name, quantile) in QUANTILES {
            latency[name] = json!(tally.latency_ns.value_at_quantile(quantile) as f64 / 1000.0);
        }
        json!({
            "name": tally.name,
            "requests": tally.completed,
            "per_second": rate(tally, measured.window),
            "errors": tally.failed,
            "rows": tally.rows,
            "latency_us": latency,
        })
    };
    let total = measured.total();
    json!({
        "target": about.target,
        "connections": about.connections,
        "depth": about.depth,
        "rate": about.rate,
        "seconds": measured.window.as_secs_f64(),
        "total": tally(&total),
        "queries": measured.queries.iter().map(tally).collect::<Vec<_>>(),
        "server_cpu_us_per_request":
            about.server_cpu.and_then(|cpu| us_per_request(cpu, total.completed)),
        "client_cpu_us_per_request": us_per_request(about.client_cpu, total.completed),
        "errors": measured.errors,
        "unsent": measured.unsent,
        "unanswered": measured.unanswered,
        "connections_lost": measured.connections_lost,
    })
}

#[cfg(test)]
mod tests {
    use super::super::wire::Reply;
    use super::*;

    fn sample() -> (Measurement, Circumstances) {
        let mut measured = Measurement::new(vec!["read".into(), "write".into()]);
        for _ in 0..1000 {
            measured.record(0, &Reply::Done { rows: 1 }, None, Some(50_000), true);
        }
        let failed = Reply::Failed { code: "E".into() };
        measured.record(1, &failed, None, None, true);
        measured.window = Duration::from_secs(2);
        let about = Circumstances {
            target: "bolt://x".into(),
            connections: 4,
            depth: 1,
            rate: None,
            server_cpu: Some(Duration::from_millis(6)),
            client_cpu: Duration::from_millis(2),
        };
        (measured, about)
    }

    #[test]
    fn json_holds_rates_latencies_and_cpu() {
        let (measured, about) = sample();
        let report = json(&measured, &about);
        assert_eq!(report["total"]["requests"], 1000);
        assert_eq!(report["total"]["per_second"], 500.0);
        assert_eq!(report["total"]["errors"], 1);
        assert_eq!(report["server_cpu_us_per_request"], 6.0);
        assert_eq!(report["errors"]["E"], 1);
        let p99 = report["queries"][0]["latency_us"]["p99"].as_f64().unwrap();
        assert!((49.9..50.1).contains(&p99), "{p99}");
    }

    #[test]
    fn the_table_has_a_line_for_each_query_and_one_for_all() {
        let (measured, about) = sample();
        let text = text(&measured, &about);
        for start in [
            "read ",
            "write ",
            "all ",
            "server CPU: 6.00 us",
            "error: 1 x E",
        ] {
            assert!(text.lines().any(|line| line.starts_with(start)), "{text}");
        }
    }
}
