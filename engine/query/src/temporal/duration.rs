//! Durations: months, days, seconds and nanoseconds kept apart, since a month has no fixed number of days nor a day of seconds.
//!
//! Owned here: arithmetic with durations and instants, and differences between instants. Always holds in a [`Span`]: nanoseconds lie in
//! 0 to 999,999,999, so seconds and nanoseconds together are one number. A fraction of a month counts as that fraction of 30.436875 days,
//! a fraction of a day as that of 24 hours (openCypher CIP2015-08-06).

use super::civil::{NANOS_PER_DAY, NANOS_PER_SECOND, add_months, civil_from_days, days_in_range};
use super::{Moment, TemporalError, Zone, zone};

/// Seconds in the mean month of the Gregorian calendar.
const SECONDS_PER_MONTH: f64 = 2_629_746.0;
const SECONDS_PER_DAY: f64 = 86_400.0;

/// A duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Span {
    /// Months, signed.
    pub months: i64,
    /// Days, signed.
    pub days: i64,
    /// Seconds, signed.
    pub seconds: i64,
    /// Nanoseconds on top of the seconds, 0 to 999,999,999.
    pub nanos: i64,
}

/// The units in which the difference of two instants is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Units {
    /// `duration.between`: months, then days, then seconds.
    Mixed,
    /// `duration.inMonths`.
    Months,
    /// `duration.inDays`.
    Days,
    /// `duration.inSeconds`.
    Seconds,
}

fn overflow() -> TemporalError {
    TemporalError::new("duration out of range")
}

impl Span {
    /// Brings nanoseconds of any size and sign into range.
    pub fn normalised(
        months: i64,
        days: i64,
        seconds: i64,
        nanos: i64,
    ) -> Result<Span, TemporalError> {
        let seconds = seconds
            .checked_add(nanos.div_euclid(NANOS_PER_SECOND))
            .ok_or_else(overflow)?;
        Ok(Span {
            months,
            days,
            seconds,
            nanos: nanos.rem_euclid(NANOS_PER_SECOND),
        })
    }

    /// From amounts that may have fractions; what a unit cannot hold goes to the next smaller one.
    pub fn from_fractions(
        months: f64,
        days: f64,
        seconds: f64,
        nanos: f64,
    ) -> Result<Span, TemporalError> {
        let whole = |value: f64| {
            let value = value.trunc();
            (value.abs() < 9.2e18)
                .then_some(value as i64)
                .ok_or_else(overflow)
        };
        let months_whole = whole(months)?;
        let days = days + (months - months_whole as f64) * SECONDS_PER_MONTH / SECONDS_PER_DAY;
        let days_whole = whole(days)?;
        let day_seconds = (days - days_whole as f64) * SECONDS_PER_DAY;
        let seconds_whole = whole(seconds)?;
        // Fractions meet in nanoseconds; noise of binary fractions below a picosecond-like share is rounded away.
        let rest = (seconds - seconds_whole as f64) * 1e9 + nanos;
        let day_nanos = day_seconds * 1e9;
        let nanos = (rest + day_nanos) as i128;
        let exact = (rest + day_nanos).round();
        let nanos = if (rest + day_nanos - exact).abs() < 0.01 {
            exact as i128
        } else {
            nanos
        };
        let seconds = i128::from(seconds_whole) + nanos.div_euclid(i128::from(NANOS_PER_SECOND));
        Ok(Span {
            months: months_whole,
            days: days_whole,
            seconds: i64::try_from(seconds).map_err(|_| overflow())?,
            nanos: nanos.rem_euclid(i128::from(NANOS_PER_SECOND)) as i64,
        })
    }

    /// Seconds and nanoseconds as one number of nanoseconds.
    pub fn total_nanos(&self) -> i128 {
        i128::from(self.seconds) * i128::from(NANOS_PER_SECOND) + i128::from(self.nanos)
    }

    fn from_parts(months: i64, days: i64, nanos: i128) -> Result<Span, TemporalError> {
        Ok(Span {
            months,
            days,
            seconds: i64::try_from(nanos.div_euclid(i128::from(NANOS_PER_SECOND)))
                .map_err(|_| overflow())?,
            nanos: nanos.rem_euclid(i128::from(NANOS_PER_SECOND)) as i64,
        })
    }

    /// The sum of two durations.
    pub fn plus(&self, other: &Span) -> Result<Span, TemporalError> {
        let months = self.months.checked_add(other.months).ok_or_else(overflow)?;
        let days = self.days.checked_add(other.days).ok_or_else(overflow)?;
        Span::from_parts(months, days, self.total_nanos() + other.total_nanos())
    }

    /// The same length backwards.
    pub fn negated(&self) -> Result<Span, TemporalError> {
        let months = self.months.checked_neg().ok_or_else(overflow)?;
        let days = self.days.checked_neg().ok_or_else(overflow)?;
        Span::from_parts(months, days, -self.total_nanos())
    }

    /// Each part multiplied; fractions go to the next smaller unit. Whole factors are exact.
    pub fn times(&self, factor: f64) -> Result<Span, TemporalError> {
        if factor.fract() == 0.0 && factor.abs() < 9e15 {
            let whole = factor as i64;
            let months = self.months.checked_mul(whole).ok_or_else(overflow)?;
            let days = self.days.checked_mul(whole).ok_or_else(overflow)?;
            let nanos = self
                .total_nanos()
                .checked_mul(i128::from(whole))
                .ok_or_else(overflow)?;
            return Span::from_parts(months, days, nanos);
        }
        self.scaled(|part| part * factor)
    }

    /// Each part divided; fractions go to the next smaller unit.
    pub fn divided(&self, divisor: f64) -> Result<Span, TemporalError> {
        if divisor == 0.0 || divisor.is_nan() {
            return Err(TemporalError::new("a duration cannot be divided by zero"));
        }
        if (1.0 / divisor).fract() == 0.0 {
            return self.times(1.0 / divisor);
        }
        self.scaled(|part| part / divisor)
    }

    fn scaled(&self, scale: impl Fn(f64) -> f64) -> Result<Span, TemporalError> {
        Span::from_fractions(
            scale(self.months as f64),
            scale(self.days as f64),
            scale(self.seconds as f64),
            scale(self.nanos as f64),
        )
    }
}

/// An instant moved by a duration: months first, then days, then seconds. A date takes whole days of the seconds only; a time of day wraps.
pub fn moved(moment: &Moment, span: &Span) -> Result<Moment, TemporalError> {
    let out_of_range = || TemporalError::new("date out of range");
    let Some(days) = moment.days else {
        let nanos = i128::from(moment.nanos.unwrap_or(0)) + span.total_nanos();
        let nanos = nanos.rem_euclid(i128::from(NANOS_PER_DAY)) as i64;
        return Ok(Moment {
            days: None,
            nanos: Some(nanos),
            zone: moment.zone.clone(),
        });
    };
    let days = add_months(days, span.months)
        .and_then(|days| days.checked_add(span.days))
        .ok_or_else(out_of_range)?;
    if !days_in_range(days) {
        return Err(out_of_range());
    }
    let Some(nanos) = moment.nanos else {
        let days = days
            .checked_add(span.seconds / 86_400)
            .filter(|days| days_in_range(*days))
            .ok_or_else(out_of_range)?;
        return Ok(Moment::date(days));
    };
    match &moment.zone {
        None => {
            let total = i128::from(nanos) + span.total_nanos();
            let days = i128::from(days) + total.div_euclid(i128::from(NANOS_PER_DAY));
            let days = i64::try_from(days)
                .ok()
                .filter(|days| days_in_range(*days))
                .ok_or_else(out_of_range)?;
            let nanos = total.rem_euclid(i128::from(NANOS_PER_DAY)) as i64;
            Ok(Moment {
                days: Some(days),
                nanos: Some(nanos),
                zone: None,
            })
        }
        Some((zone, _)) => {
            // Months and days move the local date, seconds the instant, so that an hour is an hour across a change of the clocks.
            let local = Moment::zoned(days, nanos, zone.clone());
            let (seconds, rest) = epoch(&local);
            let total = i128::from(seconds) * i128::from(NANOS_PER_SECOND)
                + i128::from(rest)
                + span.total_nanos();
            let seconds = i64::try_from(total.div_euclid(i128::from(NANOS_PER_SECOND)))
                .map_err(|_| out_of_range())?;
            if !days_in_range(seconds.div_euclid(86_400)) {
                return Err(out_of_range());
            }
            Ok(Moment::at_instant(
                seconds,
                total.rem_euclid(i128::from(NANOS_PER_SECOND)) as i64,
                zone.clone(),
            ))
        }
    }
}

/// Seconds since the epoch and nanoseconds of that second; a missing zone counts as UTC, a missing date as 1970-01-01.
pub fn epoch(moment: &Moment) -> (i64, i64) {
    let offset = moment.zone.as_ref().map_or(0, |(_, offset)| *offset);
    zone::instant(moment.days.unwrap_or(0), moment.nanos.unwrap_or(0), offset)
}

/// The duration from one instant to another. What one of them lacks it takes from the other: the date, the zone; a missing time of day is
/// midnight. Two times without dates stand on the same day.
pub fn between(from: &Moment, to: &Moment, units: Units) -> Result<Span, TemporalError> {
    let days = from.days.or(to.days).unwrap_or(0);
    let zone = from
        .zone
        .as_ref()
        .or(to.zone.as_ref())
        .map(|(zone, _)| zone.clone());
    let place = |moment: &Moment| -> Moment {
        let date = moment
            .days
            .unwrap_or(if moment.days.is_none() && from.days.is_none() {
                to.days.unwrap_or(0)
            } else {
                days
            });
        let nanos = moment.nanos.unwrap_or(0);
        match (&moment.zone, &zone) {
            (Some((own, offset)), _) if moment.days.is_some() || matches!(own, Zone::Offset(_)) => {
                Moment {
                    days: Some(date),
                    nanos: Some(nanos),
                    zone: Some((own.clone(), *offset)),
                }
            }
            (_, Some(zone)) => Moment::zoned(date, nanos, zone.clone()),
            (_, None) => Moment {
                days: Some(date),
                nanos: Some(nanos),
                zone: None,
            },
        }
    };
    let (from, to) = (place(from), place(to));
    let (from_seconds, from_nanos) = epoch(&from);
    let (to_seconds, to_nanos) = epoch(&to);
    let elapsed = (i128::from(to_seconds) - i128::from(from_seconds))
        * i128::from(NANOS_PER_SECOND)
        + i128::from(to_nanos - from_nanos);
    if units == Units::Seconds {
        return Span::from_parts(0, 0, elapsed);
    }
    // Months and days are counted on the clock of the first zone.
    let local = |moment: &Moment| -> (i64, i64) {
        match (&moment.zone, &from.zone) {
            (Some(_), Some((zone, _))) => {
                let (seconds, nanos) = epoch(moment);
                let seen = Moment::at_instant(seconds, nanos, zone.clone());
                (seen.days.unwrap_or(0), seen.nanos.unwrap_or(0))
            }
            _ => (moment.days.unwrap_or(0), moment.nanos.unwrap_or(0)),
        }
    };
    let (start, end) = (local(&from), local(&to));
    if units == Units::Days {
        return Span::from_parts(0, whole_days(start, end), 0);
    }
    let months = whole_months(start, end);
    if units == Units::Months {
        return Span::from_parts(months, 0, 0);
    }
    let after_months = (add_months(start.0, months).unwrap_or(start.0), start.1);
    let days = whole_days(after_months, end);
    let rest = match &from.zone {
        Some((zone, _)) => {
            let base = Moment::zoned(after_months.0 + days, after_months.1, zone.clone());
            let (base_seconds, base_nanos) = epoch(&base);
            (i128::from(to_seconds) - i128::from(base_seconds)) * i128::from(NANOS_PER_SECOND)
                + i128::from(to_nanos - base_nanos)
        }
        None => {
            i128::from(end.0 - after_months.0 - days) * i128::from(NANOS_PER_DAY)
                + i128::from(end.1 - after_months.1)
        }
    };
    Span::from_parts(months, days, rest)
}

/// Whole days from one local date-time to another, towards zero.
fn whole_days(from: (i64, i64), to: (i64, i64)) -> i64 {
    let days = to.0 - from.0;
    if days > 0 && to.1 < from.1 {
        days - 1
    } else if days < 0 && to.1 > from.1 {
        days + 1
    } else {
        days
    }
}

/// Whole months from one local date-time to another, towards zero.
fn whole_months(from: (i64, i64), to: (i64, i64)) -> i64 {
    let (from_year, from_month, from_day) = civil_from_days(from.0);
    let (to_year, to_month, to_day) = civil_from_days(to.0);
    let months = (to_year - from_year) * 12 + to_month - from_month;
    let (from_rest, to_rest) = ((from_day, from.1), (to_day, to.1));
    if months > 0 && to_rest < from_rest {
        months - 1
    } else if months < 0 && to_rest > from_rest {
        months + 1
    } else {
        months
    }
}

#[cfg(test)]
mod tests {
    use super::super::format_span;
    use super::super::parse::{parse_date, parse_duration, parse_moment};
    use super::super::{Type, civil};
    use super::*;

    fn moment(kind: Type, text: &str) -> Moment {
        parse_moment(kind, text).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn fractions_go_to_smaller_units() {
        let text =
            |months, days| format_span(&Span::from_fractions(months, days, 0.0, 0.0).unwrap());
        assert_eq!(text(0.75, 0.0), "P22DT19H51M49.5S");
        assert_eq!(text(5.0, 1.5), "P5M1DT12H");
    }

    #[test]
    fn half_a_duration_carries_each_remainder_down() {
        let span = parse_duration("P12Y5M14DT16H13M10.000000001S").unwrap();
        assert_eq!(
            format_span(&span.divided(2.0).unwrap()),
            "P6Y2M22DT13H21M8S"
        );
        assert_eq!(
            format_span(&span.divided(0.5).unwrap()),
            "P24Y10M28DT32H26M20.000000002S"
        );
    }

    #[test]
    fn an_hour_at_the_end_of_summer_time_is_elapsed_time() {
        let zone = Zone::named("Europe/Stockholm").unwrap();
        let days = civil::days_from_civil(2017, 10, 29);
        let midnight = Moment::zoned(days, 0, zone.clone());
        let four = Moment::zoned(days, 4 * 3600 * NANOS_PER_SECOND, zone);
        assert_eq!(
            format_span(&between(&midnight, &four, Units::Seconds).unwrap()),
            "PT5H"
        );
        let local = moment(Type::LocalTime, "04:00");
        assert_eq!(
            format_span(&between(&midnight, &local, Units::Seconds).unwrap()),
            "PT5H"
        );
    }

    #[test]
    fn the_whole_range_of_dates_can_be_measured() {
        let (first, last) = (
            parse_date("-999999999-01-01").unwrap(),
            parse_date("+999999999-12-31").unwrap(),
        );
        let span = between(&Moment::date(first), &Moment::date(last), Units::Mixed).unwrap();
        assert_eq!(format_span(&span), "P1999999998Y11M30D");
    }

    #[test]
    fn moving_out_of_the_range_of_years_is_an_error() {
        let last = Moment::date(parse_date("+999999999-12-31").unwrap());
        assert!(
            moved(
                &last,
                &Span {
                    days: 1,
                    ..Span::default()
                }
            )
            .is_err()
        );
        assert!(
            moved(
                &last,
                &Span {
                    months: i64::MAX,
                    ..Span::default()
                }
            )
            .is_err()
        );
        assert!(
            moved(
                &last,
                &Span {
                    seconds: i64::MAX,
                    ..Span::default()
                }
            )
            .is_err()
        );
    }
}
