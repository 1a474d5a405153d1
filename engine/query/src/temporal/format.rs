//! The text of temporal values, as `toString` gives it: no zero seconds, no trailing zeros in fractions, years of more than four digits signed.

use std::fmt::Write;

use super::civil::{NANOS_PER_SECOND, civil_from_days};
use super::duration::Span;
use super::zone::format_offset;
use super::{Moment, Zone};

/// The text of an instant.
pub fn format_moment(moment: &Moment) -> String {
    let mut out = String::with_capacity(40);
    if let Some(days) = moment.days {
        write_date(days, &mut out);
        if moment.nanos.is_some() {
            out.push('T');
        }
    }
    if let Some(nanos) = moment.nanos {
        write_time(nanos, &mut out);
    }
    if let Some((zone, offset)) = &moment.zone {
        format_offset(*offset, &mut out);
        if let Zone::Named(name) = zone {
            let _ = write!(out, "[{name}]");
        }
    }
    out
}

fn write_date(days: i64, out: &mut String) {
    let (year, month, day) = civil_from_days(days);
    let sign = match year {
        10_000.. => "+",
        ..0 => "-",
        _ => "",
    };
    let _ = write!(out, "{sign}{:04}-{month:02}-{day:02}", year.unsigned_abs());
}

fn write_time(nanos: i64, out: &mut String) {
    let seconds = nanos / NANOS_PER_SECOND;
    let _ = write!(out, "{:02}:{:02}", seconds / 3600, seconds / 60 % 60);
    let fraction = nanos % NANOS_PER_SECOND;
    if seconds % 60 != 0 || fraction != 0 {
        let _ = write!(out, ":{:02}", seconds % 60);
        write_fraction(fraction, out);
    }
}

fn write_fraction(nanos: i64, out: &mut String) {
    if nanos != 0 {
        let digits = format!("{nanos:09}");
        let _ = write!(out, ".{}", digits.trim_end_matches('0'));
    }
}

/// The text of a duration: years, months, days, hours, minutes, seconds, each signed by itself; `PT0S` if empty.
pub fn format_span(span: &Span) -> String {
    let mut out = String::from("P");
    let part = |value: i64, unit: char, out: &mut String| {
        if value != 0 {
            let _ = write!(out, "{value}{unit}");
        }
    };
    part(span.months / 12, 'Y', &mut out);
    part(span.months % 12, 'M', &mut out);
    part(span.days, 'D', &mut out);
    // Seconds and nanoseconds have one sign in the text, though the nanoseconds are kept positive.
    let total = span.total_nanos();
    if total != 0 {
        out.push('T');
        let negative = total < 0;
        let magnitude = total.unsigned_abs();
        let seconds = (magnitude / 1_000_000_000) as i64;
        let fraction = (magnitude % 1_000_000_000) as i64;
        let signed = |value: i64| if negative { -value } else { value };
        part(signed(seconds / 3600), 'H', &mut out);
        part(signed(seconds / 60 % 60), 'M', &mut out);
        if seconds % 60 != 0 || fraction != 0 {
            let _ = write!(out, "{}{}", if negative { "-" } else { "" }, seconds % 60);
            write_fraction(fraction, &mut out);
            out.push('S');
        }
    }
    if out.len() == 1 {
        out.push_str("T0S");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_and_their_fraction_share_one_sign() {
        let text = |seconds, nanos| format_span(&Span::normalised(0, 0, seconds, nanos).unwrap());
        assert_eq!(text(-60, -1_000_000), "PT-1M-0.001S");
        assert_eq!(text(-60, 1_000_000), "PT-59.999S");
        assert_eq!(text(0, 0), "PT0S");
    }

    #[test]
    fn years_beyond_four_digits_are_signed() {
        assert_eq!(
            format_moment(&Moment::date(super::super::civil::days_from_civil(
                12_345, 1, 2
            ))),
            "+12345-01-02"
        );
        assert_eq!(
            format_moment(&Moment::date(super::super::civil::days_from_civil(
                -5, 1, 2
            ))),
            "-0005-01-02"
        );
    }
}
