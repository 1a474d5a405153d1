//! Reading temporal values from text, in the forms of ISO 8601 that openCypher lists (basic and extended, weeks, ordinals, quarters' absence).
//!
//! Text comes from queries and parameters: every reader is bounded by the text's length and answers an error, never a panic.

use super::civil::{
    NANOS_PER_SECOND, days_from_civil, days_in_month, in_range, is_leap, week_year_start,
    weeks_in_year,
};
use super::duration::Span;
use super::zone::parse_offset;
use super::{Moment, TemporalError, Type, Zone};

fn invalid(what: &str, text: &str) -> TemporalError {
    let shown: String = text.chars().take(64).collect();
    TemporalError::new(format!("`{shown}` is not a valid {what}"))
}

/// Reads an instant of a type.
pub fn parse_moment(kind: Type, text: &str) -> Result<Moment, TemporalError> {
    let error = || invalid(kind.name(), text);
    match kind {
        Type::Date => parse_date(text).map(Moment::date).ok_or_else(error),
        Type::LocalTime => {
            let nanos = parse_time(text.strip_prefix('T').unwrap_or(text)).ok_or_else(error)?;
            Ok(Moment {
                days: None,
                nanos: Some(nanos),
                zone: None,
            })
        }
        Type::Time => {
            let (time, zone) =
                split_zone(text.strip_prefix('T').unwrap_or(text)).ok_or_else(error)?;
            let nanos = parse_time(time).ok_or_else(error)?;
            let offset = match zone {
                ZoneText::None => 0,
                ZoneText::Offset(offset) => offset,
                ZoneText::Named(..) => return Err(error()),
            };
            Ok(Moment {
                days: None,
                nanos: Some(nanos),
                zone: Some((Zone::Offset(offset), offset)),
            })
        }
        Type::LocalDateTime => {
            let (days, nanos) = parse_date_time(text).ok_or_else(error)?;
            Ok(Moment {
                days: Some(days),
                nanos: Some(nanos),
                zone: None,
            })
        }
        Type::DateTime => {
            let (local, zone) = match text.split_once('T') {
                Some((date, time)) => {
                    let (time, zone) = split_zone(time).ok_or_else(error)?;
                    (
                        (
                            parse_date(date).ok_or_else(error)?,
                            parse_time(time).ok_or_else(error)?,
                        ),
                        zone,
                    )
                }
                None => ((parse_date(text).ok_or_else(error)?, 0), ZoneText::None),
            };
            match zone {
                ZoneText::None => Ok(Moment::zoned(local.0, local.1, Zone::UTC)),
                ZoneText::Offset(offset) => {
                    Ok(Moment::zoned(local.0, local.1, Zone::Offset(offset)))
                }
                ZoneText::Named(given, name) => {
                    let zone = Zone::named(name).ok_or_else(|| invalid("time zone", name))?;
                    let moment = Moment::zoned(local.0, local.1, zone.clone());
                    match (given, &moment.zone) {
                        // An offset that does not hold there at that time names an instant; the zone shows it.
                        (Some(given), Some((_, offset))) if given != *offset => {
                            let (seconds, nanos) = super::zone::instant(local.0, local.1, given);
                            Ok(Moment::at_instant(seconds, nanos, zone))
                        }
                        _ => Ok(moment),
                    }
                }
            }
        }
    }
}

enum ZoneText<'a> {
    None,
    Offset(i32),
    Named(Option<i32>, &'a str),
}

fn split_zone(text: &str) -> Option<(&str, ZoneText<'_>)> {
    let (text, name) = match text.strip_suffix(']') {
        Some(rest) => {
            let (before, name) = rest.split_once('[')?;
            (before, Some(name))
        }
        None => (text, None),
    };
    let at = text.find(['Z', 'z', '+', '-']);
    let (time, offset) = match at {
        Some(at) => (&text[..at], Some(parse_offset(&text[at..])?)),
        None => (text, None),
    };
    Some(match (name, offset) {
        (Some(name), offset) => (time, ZoneText::Named(offset, name)),
        (None, Some(offset)) => (time, ZoneText::Offset(offset)),
        (None, None) => (time, ZoneText::None),
    })
}

fn parse_date_time(text: &str) -> Option<(i64, i64)> {
    match text.split_once('T') {
        Some((date, time)) => Some((parse_date(date)?, parse_time(time)?)),
        None => Some((parse_date(text)?, 0)),
    }
}

fn digits(text: &str) -> Option<i64> {
    (!text.is_empty() && text.len() <= 18 && text.bytes().all(|byte| byte.is_ascii_digit()))
        .then(|| text.parse().ok())?
}

/// Reads a date as a day number: `YYYY-MM-DD`, `YYYYMMDD`, `YYYY-MM`, `YYYYMM`, `YYYY-Www-D`, `YYYYWwwD`, `YYYY-Www`, `YYYYWww`, `YYYY-DDD`,
/// `YYYYDDD`, `YYYY`; years of more than four digits, or negative ones, are signed and use the extended forms.
pub fn parse_date(text: &str) -> Option<i64> {
    if !text.is_ascii() {
        return None;
    }
    let (negative, signed, body) = match text.as_bytes().first()? {
        b'-' => (true, true, &text[1..]),
        b'+' => (false, true, &text[1..]),
        _ => (false, false, text),
    };
    let year_len = if signed {
        body.find(|c: char| !c.is_ascii_digit())
            .unwrap_or(body.len())
    } else {
        4
    };
    if !(4..=9).contains(&year_len) {
        return None;
    }
    let year = digits(body.get(..year_len)?)?;
    let year = if negative { -year } else { year };
    let rest = &body[year_len..];
    if !in_range(year) {
        return None;
    }
    let (extended, rest) = match rest.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, rest),
    };
    if rest.is_empty() {
        return (!extended).then(|| days_from_civil(year, 1, 1));
    }
    if let Some(week) = rest.strip_prefix('W') {
        let (week, day) = match week.len() {
            2 => (digits(week)?, 1),
            3 if !extended => (digits(&week[..2])?, digits(&week[2..])?),
            4 if extended => (digits(&week[..2])?, digits(week[2..].strip_prefix('-')?)?),
            _ => return None,
        };
        return week_date(year, week, day);
    }
    match (extended, rest.len()) {
        (_, 3) => ordinal_date(year, digits(rest)?),
        (_, 2) => calendar_date(year, digits(rest)?, 1),
        (false, 4) => calendar_date(year, digits(&rest[..2])?, digits(&rest[2..])?),
        (true, 5) => calendar_date(
            year,
            digits(&rest[..2])?,
            digits(rest[2..].strip_prefix('-')?)?,
        ),
        _ => None,
    }
}

/// A date by month and day, if there is such a day.
pub fn calendar_date(year: i64, month: i64, day: i64) -> Option<i64> {
    (in_range(year) && (1..=12).contains(&month) && (1..=days_in_month(year, month)).contains(&day))
        .then(|| days_from_civil(year, month, day))
}

/// A date by ISO week and day of the week, if there is such a day.
pub fn week_date(week_year: i64, week: i64, day: i64) -> Option<i64> {
    (in_range(week_year)
        && (1..=weeks_in_year(week_year)).contains(&week)
        && (1..=7).contains(&day))
    .then(|| week_year_start(week_year) + (week - 1) * 7 + day - 1)
    .filter(|days| super::civil::days_in_range(*days))
}

/// A date by day of the year, if there is such a day.
pub fn ordinal_date(year: i64, day: i64) -> Option<i64> {
    let last = if is_leap(year) { 366 } else { 365 };
    (in_range(year) && (1..=last).contains(&day)).then(|| days_from_civil(year, 1, 1) + day - 1)
}

/// Reads a time of day as nanoseconds: `hh`, `hh:mm`, `hhmm`, `hh:mm:ss`, `hhmmss`, the last two with a fraction of up to nine digits.
pub fn parse_time(text: &str) -> Option<i64> {
    if !text.is_ascii() {
        return None;
    }
    let (whole, fraction) = match text.split_once(['.', ',']) {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (text, None),
    };
    let compact: String = if whole.contains(':') {
        let parts: Vec<&str> = whole.split(':').collect();
        if parts.len() > 3 || parts.iter().any(|part| part.len() != 2) {
            return None;
        }
        parts.concat()
    } else {
        whole.to_owned()
    };
    if !matches!(compact.len(), 2 | 4 | 6) || (fraction.is_some() && compact.len() != 6) {
        return None;
    }
    let field = |at: usize| compact.get(at..at + 2).map_or(Some(0), digits);
    let (hour, minute, second) = (field(0)?, field(2)?, field(4)?);
    let nanos = match fraction {
        Some(fraction) => fraction_nanos(fraction)?,
        None => 0,
    };
    (hour < 24 && minute < 60 && second < 60)
        .then_some((hour * 3600 + minute * 60 + second) * NANOS_PER_SECOND + nanos)
}

fn fraction_nanos(text: &str) -> Option<i64> {
    let value = digits(text).filter(|_| text.len() <= 9)?;
    Some(value * 10_i64.pow(9 - text.len() as u32))
}

/// Reads a duration: `P12Y5M14DT16H12M70.5S` with signs and, in the smallest unit given, fractions; `P2.5W`; or `P2012-02-02T14:37:21.545`.
pub fn parse_duration(text: &str) -> Result<Span, TemporalError> {
    let error = || invalid("duration", text);
    let (sign, body) = match text.strip_prefix('-') {
        Some(body) => (-1.0, body),
        None => (1.0, text),
    };
    let body = body
        .strip_prefix('P')
        .filter(|body| body.is_ascii() && !body.is_empty())
        .ok_or_else(error)?;
    if let Some(span) = duration_as_date(body) {
        return if sign < 0.0 { span.negated() } else { Ok(span) };
    }
    let (date, time) = match body.split_once('T') {
        Some((_, "")) => return Err(error()),
        Some((date, time)) => (date, time),
        None => (body, ""),
    };
    let mut amounts = [(0_i64, 0.0_f64); 7];
    read_units(date, &['Y', 'M', 'W', 'D'], &mut amounts[..4]).ok_or_else(error)?;
    read_units(time, &['H', 'M', 'S'], &mut amounts[4..]).ok_or_else(error)?;
    let exact = |at: usize| amounts[at].0;
    let fraction = |at: usize| sign * amounts[at].1;
    let overflow = || TemporalError::new("duration out of range");
    let months = exact(0)
        .checked_mul(12)
        .and_then(|months| months.checked_add(exact(1)))
        .ok_or_else(overflow)?;
    let days = exact(2)
        .checked_mul(7)
        .and_then(|days| days.checked_add(exact(3)))
        .ok_or_else(overflow)?;
    let seconds = exact(4)
        .checked_mul(3600)
        .and_then(|seconds| seconds.checked_add(exact(5).checked_mul(60)?))
        .and_then(|seconds| seconds.checked_add(exact(6)))
        .ok_or_else(overflow)?;
    let whole = Span::normalised(months, days, seconds, 0)?;
    let whole = if sign < 0.0 { whole.negated()? } else { whole };
    let rest = Span::from_fractions(
        fraction(0) * 12.0 + fraction(1),
        fraction(2) * 7.0 + fraction(3),
        fraction(4) * 3600.0 + fraction(5) * 60.0 + fraction(6),
        0.0,
    )?;
    whole.plus(&rest)
}

fn duration_as_date(body: &str) -> Option<Span> {
    let (date, time) = match body.split_once('T') {
        Some((date, time)) => (date, time),
        None => (body, "00"),
    };
    let mut parts = date.split('-');
    let (years, months, days) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || years.len() != 4 || months.len() != 2 || days.len() != 2 {
        return None;
    }
    let nanos = parse_time(time)?;
    Span::normalised(
        digits(years)? * 12 + digits(months)?,
        digits(days)?,
        0,
        nanos,
    )
    .ok()
}

/// Reads `12Y5M` into amounts (whole part, fraction) by the order of `units`; each unit once, in order.
fn read_units(mut text: &str, units: &[char], amounts: &mut [(i64, f64)]) -> Option<()> {
    let mut next = 0;
    while !text.is_empty() {
        let end = text.find(|c: char| c.is_ascii_alphabetic())?;
        let (number, rest) = text.split_at(end);
        let unit = rest.chars().next()?;
        let at = next
            + units[next..]
                .iter()
                .position(|candidate| *candidate == unit)?;
        amounts[at] = read_number(number)?;
        next = at + 1;
        text = &rest[1..];
    }
    Some(())
}

fn read_number(text: &str) -> Option<(i64, f64)> {
    let (sign, body) = match text.as_bytes().first()? {
        b'-' => (-1, &text[1..]),
        b'+' => (1, &text[1..]),
        _ => (1, text),
    };
    let (whole, fraction) = match body.split_once(['.', ',']) {
        Some((whole, fraction))
            if !fraction.is_empty() && fraction.bytes().all(|byte| byte.is_ascii_digit()) =>
        {
            (whole, fraction)
        }
        Some(_) => return None,
        None => (body, ""),
    };
    let whole = if whole.is_empty() && !fraction.is_empty() {
        0
    } else {
        digits(whole)?
    };
    let fraction: f64 = if fraction.is_empty() {
        0.0
    } else {
        format!("0.{fraction}").parse().ok()?
    };
    Some((sign * whole, sign as f64 * fraction))
}

#[cfg(test)]
mod tests {
    use super::super::{format_moment, format_span};
    use super::*;

    #[test]
    fn every_form_of_a_date_names_its_day() {
        for (text, day) in [
            ("2015-07-21", "2015-07-21"),
            ("20150721", "2015-07-21"),
            ("2015-07", "2015-07-01"),
            ("201507", "2015-07-01"),
            ("2015-W30-2", "2015-07-21"),
            ("2015W302", "2015-07-21"),
            ("2015-W30", "2015-07-20"),
            ("2015W30", "2015-07-20"),
            ("2015-202", "2015-07-21"),
            ("2015202", "2015-07-21"),
            ("2015", "2015-01-01"),
        ] {
            assert_eq!(
                parse_date(text)
                    .map(|days| format_moment(&Moment::date(days)))
                    .as_deref(),
                Some(day),
                "{text}"
            );
        }
    }

    #[test]
    fn a_day_that_does_not_exist_is_refused() {
        for text in [
            "2015-02-29",
            "2015-13-01",
            "2015-W54",
            "2015-366",
            "2015-",
            "-",
            "",
            "20",
            "９０１５",
            "+1000000000-01-01",
        ] {
            assert_eq!(parse_date(text), None, "{text}");
        }
    }

    #[test]
    fn an_offset_against_the_zone_names_the_instant() {
        let moment = parse_moment(
            Type::DateTime,
            "2015-07-21T21:40:32.142+02:00[Europe/Stockholm]",
        )
        .unwrap();
        assert_eq!(
            format_moment(&moment),
            "2015-07-21T21:40:32.142+02:00[Europe/Stockholm]"
        );
        assert!(parse_moment(Type::DateTime, "2015-07-21T21:40[Nowhere/Town]").is_err());
    }

    #[test]
    fn durations_are_read_in_both_forms() {
        for (text, out) in [
            ("P14DT16H12M", "P14DT16H12M"),
            ("P0.75M", "P22DT19H51M49.5S"),
            ("PT0.75M", "PT45S"),
            ("P2.5W", "P17DT12H"),
            ("P12Y5M14DT16H12M70S", "P12Y5M14DT16H13M10S"),
            ("P2012-02-02T14:37:21.545", "P2012Y2M2DT14H37M21.545S"),
            ("P12Y5M-14DT16H", "P12Y5M-14DT16H"),
            ("PT-1M-0.001S", "PT-1M-0.001S"),
        ] {
            assert_eq!(
                parse_duration(text).map(|span| format_span(&span)),
                Ok(out.to_owned()),
                "{text}"
            );
        }
        for text in [
            "",
            "P",
            "PT",
            "P1",
            "P1H",
            "PT1Y",
            "P1D1Y",
            "P99999999999999999999Y",
            "P1.D",
        ] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }
}
