//! The proleptic Gregorian calendar over the full range of years -999,999,999 to 999,999,999.
//!
//! Owned here: day numbers, ISO weeks, quarters. A day number counts days since 1970-01-01. jiff's calendar ends at the year 9999, which
//! is why this arithmetic is our own; the algorithms are the usual ones over eras of 400 years. Left to others: time of day and zones.

/// First year that a date may have.
pub const YEAR_MIN: i64 = -999_999_999;
/// Last year that a date may have.
pub const YEAR_MAX: i64 = 999_999_999;
/// Nanoseconds in a second.
pub const NANOS_PER_SECOND: i64 = 1_000_000_000;
/// Nanoseconds in a day without leap seconds.
pub const NANOS_PER_DAY: i64 = 86_400 * NANOS_PER_SECOND;

/// A day number as year, month (1-12) and day (1-31).
pub fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_shifted + 2) / 5 + 1;
    let month = if month_shifted < 10 {
        month_shifted + 3
    } else {
        month_shifted - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

/// The day number of a valid date. The month must be 1 to 12; the day may run over and is counted on.
pub fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_shifted = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * month_shifted + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// Whether a year has a 29th of February.
pub fn is_leap(year: i64) -> bool {
    year.rem_euclid(4) == 0 && (year.rem_euclid(100) != 0 || year.rem_euclid(400) == 0)
}

/// Days in a month of a year.
pub fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Day of the week, Monday = 1 to Sunday = 7 (ISO 8601).
pub fn weekday(days: i64) -> i64 {
    (days + 3).rem_euclid(7) + 1
}

/// Day of the year, from 1.
pub fn ordinal_day(days: i64) -> i64 {
    let (year, _, _) = civil_from_days(days);
    days - days_from_civil(year, 1, 1) + 1
}

/// Day number of the Monday of week 1 of an ISO week year.
pub fn week_year_start(week_year: i64) -> i64 {
    let fourth = days_from_civil(week_year, 1, 4);
    fourth - (weekday(fourth) - 1)
}

/// ISO week year and week (1 to 53) of a day.
pub fn iso_week(days: i64) -> (i64, i64) {
    let thursday = days - (weekday(days) - 1) + 3;
    let (year, _, _) = civil_from_days(thursday);
    (year, (days - week_year_start(year)).div_euclid(7) + 1)
}

/// Number of ISO weeks (52 or 53) in a week year.
pub fn weeks_in_year(week_year: i64) -> i64 {
    (week_year_start(week_year + 1) - week_year_start(week_year)) / 7
}

/// Day of the quarter, from 1.
pub fn day_of_quarter(days: i64) -> i64 {
    let (year, month, _) = civil_from_days(days);
    days - days_from_civil(year, (month - 1) / 3 * 3 + 1, 1) + 1
}

/// Adds months, keeping the day where the month has it and else taking the month's last day. `None` outside the range of years.
pub fn add_months(days: i64, months: i64) -> Option<i64> {
    let (year, month, day) = civil_from_days(days);
    let total = year
        .checked_mul(12)?
        .checked_add(month - 1)?
        .checked_add(months)?;
    let (year, month) = (total.div_euclid(12), total.rem_euclid(12) + 1);
    in_range(year).then(|| days_from_civil(year, month, day.min(days_in_month(year, month))))
}

/// Whether a year lies in the supported range.
pub fn in_range(year: i64) -> bool {
    (YEAR_MIN..=YEAR_MAX).contains(&year)
}

/// Whether a day number lies in the supported range.
pub fn days_in_range(days: i64) -> bool {
    (days_from_civil(YEAR_MIN, 1, 1)..=days_from_civil(YEAR_MAX, 12, 31)).contains(&days)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_number_and_its_date_name_the_same_day_in_all_eras() {
        for days in [
            -365_961_662_000,
            -719_468,
            -1,
            0,
            1,
            59,
            60,
            11_016,
            19_000,
            365_241_780_000,
        ] {
            let (year, month, day) = civil_from_days(days);
            assert_eq!(days_from_civil(year, month, day), days);
        }
        assert_eq!(civil_from_days(0), (1970, 1, 1));
        assert_eq!(civil_from_days(-1), (1969, 12, 31));
    }

    #[test]
    fn the_first_week_of_a_year_may_begin_in_the_year_before() {
        assert_eq!(civil_from_days(week_year_start(1817)), (1816, 12, 30));
        assert_eq!(iso_week(days_from_civil(1984, 1, 1)), (1983, 52));
        assert_eq!(weeks_in_year(1818), 53);
    }

    #[test]
    fn a_month_later_than_the_31st_of_january_is_the_last_of_february() {
        let january = days_from_civil(2024, 1, 31);
        assert_eq!(
            add_months(january, 1).map(civil_from_days),
            Some((2024, 2, 29))
        );
        assert_eq!(add_months(days_from_civil(YEAR_MAX, 12, 1), 1), None);
    }
}
