//! Building instants and durations from fields, and truncating them (`date({year: 1984})`, `datetime.truncate('week', x)`).
//!
//! The fields come from a map of a query; [`super::convert`] reads them. A field that is not given is taken from the base value (`date:`,
//! `time:`, `datetime:`) where there is one, else it is the first of its unit; without a base a date needs its year.

use super::civil::{
    self, NANOS_PER_DAY, NANOS_PER_SECOND, civil_from_days, days_from_civil, iso_week,
    week_year_start, weekday,
};
use super::duration::{Span, epoch};
use super::parse::{calendar_date, ordinal_date, week_date};
use super::{Moment, TemporalError, Type, Zone};

/// What a map says about an instant. Each field as given; ranges are checked on use.
#[derive(Clone, Debug, Default)]
pub struct Fields {
    /// `date:`: gives the date.
    pub date: Option<Moment>,
    /// `time:`: gives the time of day and the zone.
    pub time: Option<Moment>,
    /// `datetime:`: gives all.
    pub datetime: Option<Moment>,
    /// Calendar, week or ISO week year.
    pub year: Option<i64>,
    /// 1 to 12.
    pub month: Option<i64>,
    /// Of the month, from 1.
    pub day: Option<i64>,
    /// ISO week.
    pub week: Option<i64>,
    /// Monday = 1.
    pub day_of_week: Option<i64>,
    /// 1 to 4.
    pub quarter: Option<i64>,
    /// From 1.
    pub day_of_quarter: Option<i64>,
    /// Of the year, from 1.
    pub ordinal_day: Option<i64>,
    /// 0 to 23.
    pub hour: Option<i64>,
    /// 0 to 59.
    pub minute: Option<i64>,
    /// 0 to 59.
    pub second: Option<i64>,
    /// 0 to 999.
    pub millisecond: Option<i64>,
    /// 0 to 999,999; to 999 beside milliseconds.
    pub microsecond: Option<i64>,
    /// 0 to 999,999,999; less beside larger units.
    pub nanosecond: Option<i64>,
    /// Seconds since 1970-01-01T00:00Z, in place of date and time.
    pub epoch_seconds: Option<i64>,
    /// Milliseconds since then.
    pub epoch_millis: Option<i64>,
    /// A zone's name or an offset.
    pub timezone: Option<String>,
}

fn out_of_range(field: &str, value: i64) -> TemporalError {
    TemporalError::new(format!("{field} {value} is out of range"))
}

fn checked(field: &str, value: Option<i64>, default: i64, max: i64) -> Result<i64, TemporalError> {
    let value = value.unwrap_or(default);
    if (0..=max).contains(&value) {
        Ok(value)
    } else {
        Err(out_of_range(field, value))
    }
}

impl Fields {
    /// Builds an instant. `now_epoch_seconds` is only asked for the offset of a named zone in a time without a date.
    pub fn build(&self, target: Type, now_epoch_seconds: i64) -> Result<Moment, TemporalError> {
        let zone = self.timezone.as_deref().map(parse_zone).transpose()?;
        if target == Type::DateTime && (self.epoch_seconds.is_some() || self.epoch_millis.is_some())
        {
            return self.at_epoch(zone.unwrap_or(Zone::UTC));
        }
        let date_base = self.date.as_ref().or(self.datetime.as_ref());
        let time_base = self.time.as_ref().or(self.datetime.as_ref());
        let days = if target.has_date() {
            let base = match date_base {
                Some(base) => Some(base.days.ok_or_else(|| {
                    TemporalError::new("a value without a date cannot give the date")
                })?),
                None => None,
            };
            Some(self.days(base)?)
        } else {
            None
        };
        if !target.has_time() {
            return Ok(Moment {
                days,
                nanos: None,
                zone: None,
            });
        }
        let nanos = self.nanos(time_base.map(|base| base.nanos.unwrap_or(0)))?;
        if !target.has_zone() {
            return Ok(Moment {
                days,
                nanos: Some(nanos),
                zone: None,
            });
        }
        let own_zone = time_base.and_then(|base| base.zone.clone());
        match days {
            Some(days) => {
                let assembled = |zone: Zone| Moment::zoned(days, nanos, zone);
                Ok(match (own_zone, zone) {
                    (Some((own, _)), Some(wanted)) => {
                        let (seconds, rest) = epoch(&assembled(own));
                        Moment::at_instant(seconds, rest, wanted)
                    }
                    (Some((own, _)), None) => assembled(own),
                    (None, wanted) => assembled(wanted.unwrap_or(Zone::UTC)),
                })
            }
            None => {
                let own = own_zone.map(|(_, offset)| offset);
                let wanted = zone.map(|zone| zone.offset_at_instant(now_epoch_seconds));
                let (nanos, offset) = match (own, wanted) {
                    (Some(own), Some(wanted)) => {
                        let moved = nanos + i64::from(wanted - own) * NANOS_PER_SECOND;
                        (moved.rem_euclid(NANOS_PER_DAY), wanted)
                    }
                    (own, wanted) => (nanos, wanted.or(own).unwrap_or(0)),
                };
                Ok(Moment {
                    days: None,
                    nanos: Some(nanos),
                    zone: Some((Zone::Offset(offset), offset)),
                })
            }
        }
    }

    fn at_epoch(&self, zone: Zone) -> Result<Moment, TemporalError> {
        let millis = self.epoch_millis.unwrap_or(0);
        let seconds = self
            .epoch_seconds
            .unwrap_or(0)
            .checked_add(millis.div_euclid(1000));
        let nanos = checked("nanosecond", self.nanosecond, 0, 999_999_999)?;
        let nanos = millis.rem_euclid(1000) * 1_000_000 + nanos;
        instant_moment(seconds, nanos, zone)
    }

    fn days(&self, base: Option<i64>) -> Result<i64, TemporalError> {
        let (base_year, base_month, base_day) = base.map(civil_from_days).unwrap_or((0, 1, 1));
        let needs_year = || TemporalError::new("a date needs a year");
        let year = |base_year: i64| match (self.year, base) {
            (Some(year), _) => Ok(year),
            (None, Some(_)) => Ok(base_year),
            (None, None) => Err(needs_year()),
        };
        let invalid = || TemporalError::new("there is no such date");
        if self.week.is_some() || self.day_of_week.is_some() {
            let (base_week_year, base_week) = base.map(iso_week).unwrap_or((0, 1));
            let day = self.day_of_week.unwrap_or(base.map_or(1, weekday));
            return week_date(year(base_week_year)?, self.week.unwrap_or(base_week), day)
                .ok_or_else(invalid);
        }
        if self.quarter.is_some() || self.day_of_quarter.is_some() {
            let quarter = self.quarter.unwrap_or((base_month - 1) / 3 + 1);
            let day = self
                .day_of_quarter
                .unwrap_or(base.map_or(1, civil::day_of_quarter));
            if !(1..=4).contains(&quarter) || !(1..=92).contains(&day) {
                return Err(invalid());
            }
            let first = calendar_date(year(base_year)?, quarter * 3 - 2, 1).ok_or_else(invalid)?;
            return Ok(first + day - 1);
        }
        if let Some(day) = self.ordinal_day {
            return ordinal_date(year(base_year)?, day).ok_or_else(invalid);
        }
        if base.is_none() && self.day.is_some() && self.month.is_none() {
            return Err(TemporalError::new("a day of a month needs the month"));
        }
        calendar_date(
            year(base_year)?,
            self.month.unwrap_or(base_month),
            self.day.unwrap_or(base_day),
        )
        .ok_or_else(invalid)
    }

    fn nanos(&self, base: Option<i64>) -> Result<i64, TemporalError> {
        if base.is_none() {
            self.no_gap_in_time()?;
        }
        let base_nanos = base.unwrap_or(0);
        let base_seconds = base_nanos / NANOS_PER_SECOND;
        let hour = checked("hour", self.hour, base_seconds / 3600, 23)?;
        let minute = checked("minute", self.minute, base_seconds / 60 % 60, 59)?;
        let second = checked("second", self.second, base_seconds % 60, 59)?;
        let fraction = match self.subsecond()? {
            Some(fraction) => fraction,
            None => base_nanos % NANOS_PER_SECOND,
        };
        Ok((hour * 3600 + minute * 60 + second) * NANOS_PER_SECOND + fraction)
    }

    /// A time of day that is not taken from another one gives all units above the smallest it gives.
    fn no_gap_in_time(&self) -> Result<(), TemporalError> {
        let below_second = [
            ("millisecond", self.millisecond),
            ("microsecond", self.microsecond),
            ("nanosecond", self.nanosecond),
        ];
        let below_second = below_second.into_iter().find(|(_, given)| given.is_some());
        let missing = |smaller: &str, larger: &str| {
            Err(TemporalError::new(format!(
                "a time with a `{smaller}` needs the `{larger}` too"
            )))
        };
        match (below_second, self.second, self.minute, self.hour) {
            (Some((smaller, _)), None, _, _) => missing(smaller, "second"),
            (_, Some(_), None, _) => missing("second", "minute"),
            (_, _, Some(_), None) => missing("minute", "hour"),
            _ => Ok(()),
        }
    }

    fn subsecond(&self) -> Result<Option<i64>, TemporalError> {
        if self.millisecond.is_none() && self.microsecond.is_none() && self.nanosecond.is_none() {
            return Ok(None);
        }
        let micro_max = if self.millisecond.is_some() {
            999
        } else {
            999_999
        };
        let nano_max = match (self.millisecond, self.microsecond) {
            (_, Some(_)) => 999,
            (Some(_), None) => 999_999,
            (None, None) => 999_999_999,
        };
        let millis = checked("millisecond", self.millisecond, 0, 999)?;
        let micros = checked("microsecond", self.microsecond, 0, micro_max)?;
        let nanos = checked("nanosecond", self.nanosecond, 0, nano_max)?;
        Ok(Some(millis * 1_000_000 + micros * 1_000 + nanos))
    }
}

/// Reads a zone or says that there is none of that name.
pub fn parse_zone(text: &str) -> Result<Zone, TemporalError> {
    Zone::parse(text).ok_or_else(|| {
        let shown: String = text.chars().take(64).collect();
        TemporalError::new(format!("`{shown}` is not a known time zone"))
    })
}

/// An instant given as seconds since the epoch, or an error outside the range of years.
pub fn instant_moment(
    seconds: Option<i64>,
    nanos: i64,
    zone: Zone,
) -> Result<Moment, TemporalError> {
    let seconds = seconds
        .and_then(|seconds| seconds.checked_add(nanos.div_euclid(NANOS_PER_SECOND)))
        .filter(|seconds| civil::days_in_range(seconds.div_euclid(86_400)))
        .ok_or_else(|| TemporalError::new("date out of range"))?;
    Ok(Moment::at_instant(
        seconds,
        nanos.rem_euclid(NANOS_PER_SECOND),
        zone,
    ))
}

/// Sets everything below `unit` to its first value, converts to `target`, then applies `fields` on top.
pub fn truncate(
    target: Type,
    unit: &str,
    moment: &Moment,
    fields: &Fields,
) -> Result<Moment, TemporalError> {
    let unknown = || {
        TemporalError::new(format!(
            "a {} cannot be truncated to `{unit}`",
            target.name()
        ))
    };
    let time_step = match unit.to_ascii_lowercase().as_str() {
        "day" => Some(NANOS_PER_DAY),
        "hour" => Some(3600 * NANOS_PER_SECOND),
        "minute" => Some(60 * NANOS_PER_SECOND),
        "second" => Some(NANOS_PER_SECOND),
        "millisecond" => Some(1_000_000),
        "microsecond" => Some(1_000),
        _ => None,
    };
    let mut base = moment.convert(target)?;
    match time_step {
        Some(step) => {
            if step < NANOS_PER_DAY && (!target.has_time() || moment.nanos.is_none()) {
                return Err(unknown());
            }
            base.nanos = base.nanos.map(|nanos| nanos - nanos % step);
        }
        None => {
            let days = base.days.ok_or_else(unknown)?;
            base.days = Some(truncate_days(unit, days).ok_or_else(unknown)?);
            base.nanos = base.nanos.map(|_| 0);
        }
    }
    // What lies below a second is added, so that `{nanosecond: 2}` keeps the milliseconds that truncation kept.
    let kept = base.nanos.unwrap_or(0) % NANOS_PER_SECOND;
    let mut fields = fields.clone();
    let added = fields.subsecond()?.unwrap_or(0);
    (fields.millisecond, fields.microsecond) = (None, None);
    fields.nanosecond = (kept + added < NANOS_PER_SECOND).then_some(kept + added);
    if fields.nanosecond.is_none() {
        return Err(out_of_range("nanosecond", added));
    }
    let zone = match (target.has_zone(), &fields.timezone) {
        (true, Some(text)) => Some(parse_zone(text)?),
        _ => base.zone.as_ref().map(|(zone, _)| zone.clone()),
    };
    fields.timezone = None;
    let local = Moment {
        zone: None,
        ..base.clone()
    };
    if target.has_date() {
        fields.date = Some(local.clone());
    }
    if target.has_time() {
        fields.time = Some(local);
    }
    let local_target = match target {
        Type::Time => Type::LocalTime,
        Type::DateTime => Type::LocalDateTime,
        other => other,
    };
    let built = fields.build(local_target, 0)?;
    Ok(match (built.days, built.nanos, zone) {
        (Some(days), Some(nanos), Some(zone)) => Moment::zoned(days, nanos, zone),
        (None, Some(_), Some(zone)) => {
            let offset = zone.offset_at_instant(0);
            Moment {
                zone: Some((Zone::Offset(offset), offset)),
                ..built
            }
        }
        _ => built,
    })
}

fn truncate_days(unit: &str, days: i64) -> Option<i64> {
    let (year, month, _) = civil_from_days(days);
    let step = |years: i64| days_from_civil(year.div_euclid(years) * years, 1, 1);
    Some(match unit.to_ascii_lowercase().as_str() {
        "millennium" => step(1000),
        "century" => step(100),
        "decade" => step(10),
        "year" => step(1),
        "weekyear" => week_year_start(iso_week(days).0),
        "quarter" => days_from_civil(year, (month - 1) / 3 * 3 + 1, 1),
        "month" => days_from_civil(year, month, 1),
        "week" => days - (weekday(days) - 1),
        _ => return None,
    })
}

/// One amount of a duration's map: exact if an integer.
#[derive(Clone, Copy, Debug)]
pub enum Amount {
    /// An integer.
    Whole(i64),
    /// A float.
    Fraction(f64),
}

/// Sums the parts of `duration({...})`; each is a unit's name and an amount.
pub fn span_from_parts<'a>(
    parts: impl Iterator<Item = (&'a str, Amount)>,
) -> Result<Span, TemporalError> {
    let overflow = || TemporalError::new("duration out of range");
    let (mut months, mut days, mut seconds, mut nanos) = (0_i64, 0_i64, 0_i64, 0_i128);
    let mut rest = [0.0_f64; 4];
    for (unit, amount) in parts {
        let (at, scale) = match unit {
            "years" => (0, 12),
            "quarters" => (0, 3),
            "months" => (0, 1),
            "weeks" => (1, 7),
            "days" => (1, 1),
            "hours" => (2, 3600),
            "minutes" => (2, 60),
            "seconds" => (2, 1),
            "milliseconds" => (3, 1_000_000),
            "microseconds" => (3, 1_000),
            "nanoseconds" => (3, 1),
            _ => {
                return Err(TemporalError::new(format!(
                    "a duration has no unit `{unit}`"
                )));
            }
        };
        match amount {
            Amount::Whole(value) if at == 3 => nanos += i128::from(value) * i128::from(scale),
            Amount::Whole(value) => {
                let value = value.checked_mul(scale).ok_or_else(overflow)?;
                let sum = [&mut months, &mut days, &mut seconds][at]
                    .checked_add(value)
                    .ok_or_else(overflow)?;
                *[&mut months, &mut days, &mut seconds][at] = sum;
            }
            Amount::Fraction(value) => rest[at] += value * scale as f64,
        }
    }
    let carried =
        i64::try_from(nanos.div_euclid(i128::from(NANOS_PER_SECOND))).map_err(|_| overflow())?;
    let seconds = seconds.checked_add(carried).ok_or_else(overflow)?;
    let whole = Span {
        months,
        days,
        seconds,
        nanos: nanos.rem_euclid(i128::from(NANOS_PER_SECOND)) as i64,
    };
    whole.plus(&Span::from_fractions(rest[0], rest[1], rest[2], rest[3])?)
}

#[cfg(test)]
mod tests {
    use super::super::format_moment;
    use super::super::parse::parse_moment;
    use super::*;

    fn build(target: Type, fields: Fields) -> String {
        format_moment(&fields.build(target, 0).unwrap())
    }

    #[test]
    fn a_week_takes_year_and_day_from_its_base() {
        let base = parse_moment(Type::Date, "1816-12-31").unwrap();
        let fields = Fields {
            date: Some(base),
            week: Some(2),
            ..Fields::default()
        };
        assert_eq!(build(Type::Date, fields), "1817-01-07");
    }

    #[test]
    fn a_zone_given_beside_a_zoned_time_shows_the_same_instant() {
        let time = parse_moment(Type::DateTime, "1984-10-11T12:00[Europe/Stockholm]").unwrap();
        let date = parse_moment(Type::Date, "1984-03-07").unwrap();
        let fields = Fields {
            date: Some(date),
            time: Some(time),
            day: Some(28),
            second: Some(42),
            timezone: Some("Pacific/Honolulu".into()),
            ..Fields::default()
        };
        assert_eq!(
            build(Type::DateTime, fields),
            "1984-03-28T00:00:42-10:00[Pacific/Honolulu]"
        );
    }

    #[test]
    fn truncation_keeps_what_lies_above_and_adds_what_is_asked() {
        let moment = parse_moment(Type::DateTime, "1984-10-11T12:31:14.645876123-01:00").unwrap();
        let nano = Fields {
            nanosecond: Some(2),
            ..Fields::default()
        };
        let truncated = |unit: &str, fields: &Fields| {
            format_moment(&truncate(Type::DateTime, unit, &moment, fields).unwrap())
        };
        assert_eq!(
            truncated("millisecond", &nano),
            "1984-10-11T12:31:14.645000002-01:00"
        );
        let zone = Fields {
            timezone: Some("Europe/Stockholm".into()),
            ..Fields::default()
        };
        assert_eq!(
            truncated("hour", &zone),
            "1984-10-11T12:00+01:00[Europe/Stockholm]"
        );
        assert!(truncate(Type::Date, "hour", &moment, &Fields::default()).is_err());
    }

    #[test]
    fn fields_out_of_range_are_refused() {
        for fields in [
            Fields {
                year: Some(2015),
                month: Some(2),
                day: Some(30),
                ..Fields::default()
            },
            Fields {
                year: Some(i64::MAX),
                ..Fields::default()
            },
            Fields {
                year: Some(2015),
                quarter: Some(i64::MAX),
                ..Fields::default()
            },
            Fields {
                month: Some(1),
                ..Fields::default()
            },
        ] {
            assert!(fields.build(Type::Date, 0).is_err(), "{fields:?}");
        }
        assert!(
            Fields {
                hour: Some(24),
                ..Fields::default()
            }
            .build(Type::LocalTime, 0)
            .is_err()
        );
    }
}
