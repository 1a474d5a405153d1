//! The parts of temporal values that `value.part` reads: `d.year`, `t.offsetMinutes`, `span.minutesOfHour`.

use super::civil::{self, NANOS_PER_SECOND, civil_from_days};
use super::duration::{Span, epoch};
use super::zone::format_offset;
use super::{Moment, Zone};

/// A part of a temporal value.
#[derive(Clone, Debug, PartialEq)]
pub enum Component {
    /// A number.
    Integer(i64),
    /// A zone or an offset.
    Text(String),
}

/// A part of an instant by its name; `None` if values of this type have no such part.
pub fn moment_component(moment: &Moment, name: &str) -> Option<Component> {
    let integer = |value: i64| Some(Component::Integer(value));
    if let Some(days) = moment.days {
        let (year, month, day) = civil_from_days(days);
        match name {
            "year" => return integer(year),
            "quarter" => return integer((month - 1) / 3 + 1),
            "month" => return integer(month),
            "week" => return integer(civil::iso_week(days).1),
            "weekYear" => return integer(civil::iso_week(days).0),
            "day" => return integer(day),
            "ordinalDay" => return integer(civil::ordinal_day(days)),
            "weekDay" | "dayOfWeek" => return integer(civil::weekday(days)),
            "dayOfQuarter" => return integer(civil::day_of_quarter(days)),
            _ => {}
        }
    }
    if let Some(nanos) = moment.nanos {
        let seconds = nanos / NANOS_PER_SECOND;
        let fraction = nanos % NANOS_PER_SECOND;
        match name {
            "hour" => return integer(seconds / 3600),
            "minute" => return integer(seconds / 60 % 60),
            "second" => return integer(seconds % 60),
            "millisecond" => return integer(fraction / 1_000_000),
            "microsecond" => return integer(fraction / 1_000),
            "nanosecond" => return integer(fraction),
            _ => {}
        }
    }
    let (zone, offset) = moment.zone.as_ref()?;
    match name {
        "timezone" => match zone {
            Zone::Named(name) => Some(Component::Text(name.to_string())),
            Zone::Offset(offset) => Some(Component::Text(offset_text(*offset))),
        },
        "offset" => Some(Component::Text(offset_text(*offset))),
        "offsetMinutes" => integer(i64::from(*offset) / 60),
        "offsetSeconds" => integer(i64::from(*offset)),
        "epochSeconds" if moment.days.is_some() => integer(epoch(moment).0),
        "epochMillis" if moment.days.is_some() => {
            let (seconds, nanos) = epoch(moment);
            let millis = i128::from(seconds) * 1000 + i128::from(nanos / 1_000_000);
            // Years far away have no milliseconds in 64 bits.
            i64::try_from(millis).ok().map(Component::Integer)
        }
        _ => None,
    }
}

fn offset_text(offset: i32) -> String {
    let mut text = String::new();
    format_offset(offset, &mut text);
    text
}

/// A part of a duration by its name: totals (`minutes` counts the hours in) and remainders (`minutesOfHour`). Parts of a second count forward from the second below.
pub fn duration_component(span: &Span, name: &str) -> Option<i64> {
    let nanos = span.total_nanos();
    // Totals beyond 64 bits cannot be shown; they saturate as no other answer is nearer.
    let total = |unit: i128| {
        i64::try_from(nanos.div_euclid(unit)).unwrap_or(if nanos < 0 { i64::MIN } else { i64::MAX })
    };
    let seconds = span.seconds;
    Some(match name {
        "years" => span.months / 12,
        "quarters" => span.months / 3,
        "months" => span.months,
        "weeks" => span.days / 7,
        "days" => span.days,
        "hours" => seconds / 3600,
        "minutes" => seconds / 60,
        "seconds" => seconds,
        "milliseconds" => total(1_000_000),
        "microseconds" => total(1_000),
        "nanoseconds" => total(1),
        "quartersOfYear" => span.months / 3 % 4,
        "monthsOfQuarter" => span.months % 3,
        "monthsOfYear" => span.months % 12,
        "daysOfWeek" => span.days % 7,
        "minutesOfHour" => seconds / 60 % 60,
        "secondsOfMinute" => seconds % 60,
        "millisecondsOfSecond" => span.nanos / 1_000_000,
        "microsecondsOfSecond" => span.nanos / 1_000,
        "nanosecondsOfSecond" => span.nanos,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::construct::{Amount, span_from_parts};
    use super::super::parse::parse_moment;
    use super::super::{Type, construct};
    use super::*;

    #[test]
    fn durations_show_totals_and_remainders() {
        let parts = [
            ("years", 1),
            ("months", 4),
            ("days", 10),
            ("hours", 1),
            ("minutes", 1),
            ("seconds", 1),
            ("nanoseconds", 111_111_111),
        ];
        let span = span_from_parts(
            parts
                .iter()
                .map(|(unit, value)| (*unit, Amount::Whole(*value))),
        )
        .unwrap();
        for (name, value) in [
            ("quarters", 5),
            ("weeks", 1),
            ("minutes", 61),
            ("microseconds", 3_661_111_111),
            ("quartersOfYear", 1),
            ("daysOfWeek", 3),
        ] {
            assert_eq!(duration_component(&span, name), Some(value), "{name}");
        }
        assert_eq!(duration_component(&span, "hour"), None);
    }

    #[test]
    fn an_instant_has_only_the_parts_of_its_type() {
        let moment = parse_moment(
            Type::DateTime,
            "1984-11-11T12:31:14.645876123[Europe/Stockholm]",
        )
        .unwrap();
        assert_eq!(
            moment_component(&moment, "epochMillis"),
            Some(Component::Integer(469_020_674_645))
        );
        assert_eq!(
            moment_component(&moment, "timezone"),
            Some(Component::Text("Europe/Stockholm".into()))
        );
        let date = construct::Fields {
            year: Some(1984),
            ..Default::default()
        }
        .build(Type::Date, 0)
        .unwrap();
        assert_eq!(moment_component(&date, "hour"), None);
        assert_eq!(moment_component(&date, "offset"), None);
    }
}
