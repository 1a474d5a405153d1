"""Temporal values of the wire as the text that `toString` gives for them.

Owned here: the proleptic calendar over the full range of years (Python's dates end at the year 9999 and drop nanoseconds), offsets of
named zones as IANA releases them (the `tzdata` package, not the machine's files), and the shortest text of each type.
"""

import datetime
import zoneinfo

# The machine's files may have been built with other local history.
zoneinfo.reset_tzpath(to=[])

DAY = 86_400
NANOS = 1_000_000_000


def civil(days):
    """Year, month and day of a number of days since 1970-01-01 (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms")."""
    days += 719_468
    era, day_of_era = divmod(days, 146_097)
    year_of_era = (day_of_era - day_of_era // 1460 + day_of_era // 36_524 - day_of_era // 146_096) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    shifted = (5 * day_of_year + 2) // 153
    month = shifted + 3 if shifted < 10 else shifted - 9
    return year_of_era + era * 400 + (month <= 2), month, day_of_year - (153 * shifted + 2) // 5 + 1


def fraction(nanos):
    return f".{nanos:09d}".rstrip("0") if nanos else ""


def date(days):
    year, month, day = civil(days)
    sign = "-" if year < 0 else "+" if year > 9999 else ""
    return f"{sign}{abs(year):04d}-{month:02d}-{day:02d}"


def local_time(nanos):
    seconds, nanos = divmod(nanos, NANOS)
    hours, minutes, seconds = seconds // 3600, seconds // 60 % 60, seconds % 60
    if seconds or nanos:
        return f"{hours:02d}:{minutes:02d}:{seconds:02d}{fraction(nanos)}"
    return f"{hours:02d}:{minutes:02d}"


def offset(seconds):
    if seconds == 0:
        return "Z"
    sign, seconds = ("-", -seconds) if seconds < 0 else ("+", seconds)
    tail = f":{seconds % 60:02d}" if seconds % 60 else ""
    return f"{sign}{seconds // 3600:02d}:{seconds // 60 % 60:02d}{tail}"


def time(nanos, offset_seconds):
    return local_time(nanos) + offset(offset_seconds)


def local_datetime(seconds, nanos):
    days, seconds = divmod(seconds, DAY)
    return f"{date(days)}T{local_time(seconds * NANOS + nanos)}"


def datetime_at(seconds, nanos, offset_seconds):
    """Of UTC seconds."""
    return local_datetime(seconds + offset_seconds, nanos) + offset(offset_seconds)


def datetime_in(seconds, nanos, zone):
    """Of UTC seconds, in a named zone."""
    epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
    # Beyond Python's years the rules of the last, and the local time of the first, go on.
    inside = min(max(seconds, -62_135_500_000), 253_402_200_000)
    there = (epoch + datetime.timedelta(seconds=inside)).astimezone(zoneinfo.ZoneInfo(zone))
    return f"{datetime_at(seconds, nanos, int(there.utcoffset().total_seconds()))}[{zone}]"


def duration(months, days, seconds, nanos):
    def trunc(value, by):
        quotient = abs(value) // by
        return quotient if value >= 0 else -quotient

    text = "P"
    for amount, unit in ((trunc(months, 12), "Y"), (months - trunc(months, 12) * 12, "M"), (days, "D")):
        if amount:
            text += f"{amount}{unit}"
    total = seconds * NANOS + nanos
    if total:
        text += "T"
        sign, total = ("-", -total) if total < 0 else ("", total)
        whole, rest = divmod(total, NANOS)
        if whole // 3600:
            text += f"{sign}{whole // 3600}H"
        if whole // 60 % 60:
            text += f"{sign}{whole // 60 % 60}M"
        if whole % 60 or rest:
            text += f"{sign}{whole % 60}{fraction(rest)}S"
    return text if text != "P" else "PT0S"
