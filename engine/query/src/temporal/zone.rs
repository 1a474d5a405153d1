//! Time zones: fixed offsets and names of the IANA database, which is compiled in (jiff's bundled data).
//!
//! Called by the temporal constructors and accessors. Always holds: a named zone has been found in the database, and its offset is that
//! of the instant it stands with. Each thread keeps the zones it has met, so that a look-up takes no lock. Outside the years that jiff
//! knows (-9999 to 9999) later years follow the year of the same place in the 400-year cycle, earlier ones the oldest offset.

use std::cell::RefCell;
use std::sync::Arc;

use hashbrown::HashMap;
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};

use super::civil::{NANOS_PER_DAY, NANOS_PER_SECOND, civil_from_days, days_from_civil};

/// Seconds east of UTC that an offset may have at most (18 hours, as in ISO 8601 usage of other engines).
pub const OFFSET_SECONDS_MAX: i32 = 18 * 3600;
/// Zones that one thread keeps at most; the whole database has about 600.
const CACHED_ZONES_MAX: usize = 1024;

/// Where a local time stands.
#[derive(Clone, Debug, PartialEq)]
pub enum Zone {
    /// Seconds east of UTC.
    Offset(i32),
    /// A name of the IANA database, in its canonical spelling.
    Named(Arc<str>),
}

/// Zones by the names they were asked for; `None`: there is no such zone.
type Zones = HashMap<Box<str>, Option<(Arc<str>, TimeZone)>>;

thread_local! {
    static ZONES: RefCell<Zones> = RefCell::new(HashMap::new());
}

fn look_up(name: &str) -> Option<(Arc<str>, TimeZone)> {
    ZONES.with(|zones| {
        let mut zones = zones.borrow_mut();
        if let Some(found) = zones.get(name) {
            return found.clone();
        }
        let found = TimeZone::get(name)
            .ok()
            .map(|zone| (Arc::from(zone.iana_name().unwrap_or(name)), zone));
        if zones.len() < CACHED_ZONES_MAX {
            zones.insert(name.into(), found.clone());
        }
        found
    })
}

/// A year that jiff knows and whose calendar equals that of `year`.
fn known_year(year: i64) -> i64 {
    if year > 9_998 {
        9_200 + year.rem_euclid(400)
    } else if year < -9_998 {
        -9_998
    } else {
        year
    }
}

fn jiff_date_time(days: i64, nanos: i64) -> Option<DateTime> {
    let (year, month, day) = civil_from_days(days);
    let seconds = nanos / NANOS_PER_SECOND;
    DateTime::new(
        i16::try_from(known_year(year)).ok()?,
        i8::try_from(month).ok()?,
        i8::try_from(day.min(super::civil::days_in_month(known_year(year), month))).ok()?,
        i8::try_from(seconds / 3600).ok()?,
        i8::try_from(seconds / 60 % 60).ok()?,
        i8::try_from(seconds % 60).ok()?,
        i32::try_from(nanos % NANOS_PER_SECOND).ok()?,
    )
    .ok()
}

impl Zone {
    /// UTC.
    pub const UTC: Zone = Zone::Offset(0);

    /// A zone by its IANA name (any case); `None` if the database has no such zone.
    pub fn named(name: &str) -> Option<Zone> {
        look_up(name).map(|(name, _)| Zone::Named(name))
    }

    /// The offset in seconds that holds at a local time here. In an overlap the earlier instant is meant; in a gap the local time is
    /// moved on by the gap's length, which the second number (seconds to add to the local time) says.
    pub fn offset_at_local(&self, days: i64, nanos: i64) -> (i32, i64) {
        match self {
            Zone::Offset(seconds) => (*seconds, 0),
            Zone::Named(name) => {
                let Some((_, zone)) = look_up(name) else {
                    return (0, 0);
                };
                let Some(local) = jiff_date_time(days, nanos) else {
                    return (0, 0);
                };
                match zone.to_ambiguous_timestamp(local).offset() {
                    AmbiguousOffset::Unambiguous { offset } => (offset.seconds(), 0),
                    AmbiguousOffset::Fold { before, .. } => (before.seconds(), 0),
                    AmbiguousOffset::Gap { before, after } => (
                        after.seconds(),
                        i64::from(after.seconds()) - i64::from(before.seconds()),
                    ),
                }
            }
        }
    }

    /// The offset in seconds that holds here at an instant, given as seconds since 1970-01-01T00:00Z.
    pub fn offset_at_instant(&self, epoch_seconds: i64) -> i32 {
        match self {
            Zone::Offset(seconds) => *seconds,
            Zone::Named(name) => {
                let Some((_, zone)) = look_up(name) else {
                    return 0;
                };
                let days = epoch_seconds.div_euclid(86_400);
                let (year, month, day) = civil_from_days(days);
                let known = days_from_civil(known_year(year), month, day) * 86_400
                    + epoch_seconds.rem_euclid(86_400);
                jiff::Timestamp::from_second(known)
                    .map_or(0, |instant| zone.to_offset(instant).seconds())
            }
        }
    }

    /// Reads `Z`, `+hh`, `+hh:mm`, `+hhmm`, `+hh:mm:ss`, `+hhmmss` or a zone's name.
    pub fn parse(text: &str) -> Option<Zone> {
        match parse_offset(text) {
            Some(offset) => Some(Zone::Offset(offset)),
            None if text.starts_with(['+', '-']) => None,
            None => Zone::named(text),
        }
    }
}

/// Reads an offset in one of the forms of ISO 8601, or `Z`; seconds are an extension.
pub fn parse_offset(text: &str) -> Option<i32> {
    if text == "Z" || text == "z" {
        return Some(0);
    }
    let (sign, rest) = match text.as_bytes().first()? {
        b'+' => (1, &text[1..]),
        b'-' => (-1, &text[1..]),
        _ => return None,
    };
    let digits: String = if rest.contains(':') {
        let parts: Vec<&str> = rest.split(':').collect();
        if parts.len() > 3 || parts.iter().any(|part| part.len() != 2) {
            return None;
        }
        parts.concat()
    } else {
        rest.to_owned()
    };
    if !matches!(digits.len(), 1 | 2 | 4 | 6) || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let part = |from: usize| {
        digits
            .get(from..from + 2)
            .map_or(Some(0), |two| two.parse::<i32>().ok())
    };
    let hours = if digits.len() == 1 {
        digits.parse().ok()?
    } else {
        part(0)?
    };
    let (minutes, seconds) = (part(2)?, part(4)?);
    let offset = sign * (hours * 3600 + minutes * 60 + seconds);
    (minutes < 60 && seconds < 60 && offset.abs() <= OFFSET_SECONDS_MAX).then_some(offset)
}

/// Writes an offset as `Z`, `+hh:mm` or `+hh:mm:ss`.
pub fn format_offset(offset: i32, out: &mut String) {
    use std::fmt::Write;
    if offset == 0 {
        out.push('Z');
        return;
    }
    let sign = if offset < 0 { '-' } else { '+' };
    let seconds = offset.unsigned_abs();
    let _ = write!(out, "{sign}{:02}:{:02}", seconds / 3600, seconds / 60 % 60);
    if !seconds.is_multiple_of(60) {
        let _ = write!(out, ":{:02}", seconds % 60);
    }
}

/// Splits an instant given by local fields and its offset into seconds since the epoch and nanoseconds of that second.
pub fn instant(days: i64, nanos: i64, offset: i32) -> (i64, i64) {
    (
        days * 86_400 + nanos / NANOS_PER_SECOND - i64::from(offset),
        nanos % NANOS_PER_SECOND,
    )
}

/// Local day number and nanoseconds of that day of an instant seen at an offset.
pub fn local(epoch_seconds: i64, nanos_of_second: i64, offset: i32) -> (i64, i64) {
    let seconds = epoch_seconds + i64::from(offset);
    let nanos = seconds.rem_euclid(86_400) * NANOS_PER_SECOND + nanos_of_second;
    debug_assert!((0..NANOS_PER_DAY).contains(&nanos));
    (seconds.div_euclid(86_400), nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stockholm_before_1879_follows_the_released_data() {
        let zone = Zone::named("Europe/Stockholm").expect("compiled in");
        assert_eq!(
            zone.offset_at_local(days_from_civil(1818, 7, 21), 0).0,
            53 * 60 + 28
        );
    }

    #[test]
    fn years_beyond_the_library_keep_their_summer_time() {
        let zone = Zone::named("Europe/Stockholm").expect("compiled in");
        assert_eq!(
            zone.offset_at_local(days_from_civil(999_999, 7, 1), 0).0,
            7200
        );
        assert_eq!(
            zone.offset_at_local(days_from_civil(999_999, 1, 1), 0).0,
            3600
        );
        assert_eq!(
            zone.offset_at_instant(days_from_civil(999_999, 7, 1) * 86_400),
            7200
        );
    }

    #[test]
    fn a_local_time_in_a_gap_moves_on_and_in_an_overlap_takes_the_first() {
        let zone = Zone::named("Europe/Stockholm").expect("compiled in");
        let half_past_two = (2 * 3600 + 1800) * NANOS_PER_SECOND;
        assert_eq!(
            zone.offset_at_local(days_from_civil(2017, 3, 26), half_past_two),
            (7200, 3600)
        );
        assert_eq!(
            zone.offset_at_local(days_from_civil(2017, 10, 29), half_past_two),
            (7200, 0)
        );
    }

    #[test]
    fn offsets_are_read_in_every_form_and_hostile_ones_refused() {
        for (text, seconds) in [
            ("Z", 0),
            ("+01", 3600),
            ("-0130", -5400),
            ("+02:05:59", 7559),
            ("+18:00", 64_800),
        ] {
            assert_eq!(parse_offset(text), Some(seconds), "{text}");
        }
        for text in [
            "",
            "+",
            "+1:00",
            "+19:00",
            "+01:60",
            "+01:00:00:00",
            "+é0",
            "01:00",
        ] {
            assert_eq!(parse_offset(text), None, "{text}");
        }
    }
}
