Feature: Temporal - dates, times, durations

  Scenario Outline: [1] What an expression is, as text
    Given any graph
    When executing query:
      """
      RETURN toString(<expr>) AS r
      """
    Then the result should be, in any order:
      | r     |
      | '<r>' |
    And no side effects

    Examples:
      | expr                                                                        | r |
      | date({year: 1984, month: 10, day: 11})                                      | 1984-10-11 |
      | date({year: 1984, month: 10})                                               | 1984-10-01 |
      | date({year: 1984, week: 10, dayOfWeek: 3})                                  | 1984-03-07 |
      | date({year: 1984, week: 10})                                                | 1984-03-05 |
      | date({year: 1984})                                                          | 1984-01-01 |
      | date({year: 1984, ordinalDay: 202})                                         | 1984-07-20 |
      | date({year: 1984, quarter: 3, dayOfQuarter: 45})                            | 1984-08-14 |
      | date({year: 1984, quarter: 3})                                              | 1984-07-01 |
      | date({year: 2018, week: 1, dayOfWeek: 1})                                   | 2018-01-01 |
      | date({year: 1817, week: 1, dayOfWeek: 2})                                   | 1816-12-31 |
      | localtime({hour: 12, minute: 31, second: 14, nanosecond: 789, millisecond: 123, microsecond: 456}) | 12:31:14.123456789 |
      | localtime({hour: 12, minute: 31, second: 14, microsecond: 645876})          | 12:31:14.645876 |
      | localtime({hour: 12, minute: 31, second: 14, millisecond: 645})             | 12:31:14.645 |
      | localtime({hour: 12, minute: 31, second: 14})                               | 12:31:14 |
      | localtime({hour: 12, minute: 31})                                           | 12:31 |
      | localtime({hour: 12})                                                       | 12:00 |
      | time({hour: 12, minute: 31, second: 14, nanosecond: 3})                     | 12:31:14.000000003Z |
      | time({hour: 12, timezone: '+01:00'})                                        | 12:00+01:00 |
      | time({hour: 12, minute: 34, second: 56, timezone: '+02:05:59'})             | 12:34:56+02:05:59 |
      | time({hour: 12, minute: 34, second: 56, timezone: '-02:05:07'})             | 12:34:56-02:05:07 |
      | localdatetime({year: 1984, month: 10, day: 11, hour: 12, minute: 31, second: 14, nanosecond: 645876123}) | 1984-10-11T12:31:14.645876123 |
      | localdatetime({year: 1984, week: 10, dayOfWeek: 3, hour: 12})               | 1984-03-07T12:00 |
      | localdatetime({year: 1984, ordinalDay: 202, hour: 12, minute: 31})          | 1984-07-20T12:31 |
      | localdatetime({year: 1984, quarter: 3, dayOfQuarter: 45})                   | 1984-08-14T00:00 |
      | localdatetime({year: 1984})                                                 | 1984-01-01T00:00 |
      | datetime({year: 1984, week: 10, dayOfWeek: 3, hour: 12, minute: 31, timezone: '+01:00'}) | 1984-03-07T12:31+01:00 |
      | datetime({year: 1984, month: 10, day: 11, hour: 12, timezone: 'Europe/Stockholm'}) | 1984-10-11T12:00+01:00[Europe/Stockholm] |
      | datetime({year: 1984, ordinalDay: 202, timezone: 'Europe/Stockholm'})       | 1984-07-20T00:00+02:00[Europe/Stockholm] |
      | datetime({year: 1984, quarter: 3})                                          | 1984-07-01T00:00Z |
      | datetime({year: 1984, month: 10, day: 11, hour: 12, minute: 34, second: 56, timezone: '-02:05:07'}) | 1984-10-11T12:34:56-02:05:07 |
      | datetime.fromepoch(416779, 999999999)                                       | 1970-01-05T19:46:19.999999999Z |
      | datetime.fromepochmillis(237821673987)                                      | 1977-07-15T13:34:33.987Z |
      | duration({days: 14, hours: 16, minutes: 12})                                | P14DT16H12M |
      | duration({months: 5, days: 1.5})                                            | P5M1DT12H |
      | duration({months: 0.75})                                                    | P22DT19H51M49.5S |
      | duration({weeks: 2.5})                                                      | P17DT12H |
      | duration({years: 12, months: 5, days: 14, hours: 16, minutes: 12, seconds: 70}) | P12Y5M14DT16H13M10S |
      | duration({days: 14, seconds: 70, milliseconds: 1})                          | P14DT1M10.001S |
      | duration({days: 14, seconds: 70, nanoseconds: 1})                           | P14DT1M10.000000001S |
      | duration({minutes: 1.5, seconds: 1})                                        | PT1M31S |
      | duration({seconds: 2, milliseconds: -1})                                    | PT1.999S |
      | duration({seconds: -2, milliseconds: 1})                                    | PT-1.999S |
      | duration({days: 1, milliseconds: -1})                                       | P1DT-0.001S |
      | duration({seconds: 60, milliseconds: -1})                                   | PT59.999S |
      | duration({seconds: -60, milliseconds: 1})                                   | PT-59.999S |
      | duration({hours: 2, minutes: -90})                                          | PT30M |
      | duration({})                                                                | PT0S |
      | date('2015-07-21')                                                          | 2015-07-21 |
      | date('20150721')                                                            | 2015-07-21 |
      | date('2015-07')                                                             | 2015-07-01 |
      | date('201507')                                                              | 2015-07-01 |
      | date('2015-W30-2')                                                          | 2015-07-21 |
      | date('2015W302')                                                            | 2015-07-21 |
      | date('2015-W30')                                                            | 2015-07-20 |
      | date('2015W30')                                                             | 2015-07-20 |
      | date('2015-202')                                                            | 2015-07-21 |
      | date('2015202')                                                             | 2015-07-21 |
      | date('2015')                                                                | 2015-01-01 |
      | localtime('21:40:32.142')                                                   | 21:40:32.142 |
      | localtime('214032.142')                                                     | 21:40:32.142 |
      | localtime('21:40')                                                          | 21:40 |
      | localtime('2140')                                                           | 21:40 |
      | localtime('21')                                                             | 21:00 |
      | time('21:40:32.142+0100')                                                   | 21:40:32.142+01:00 |
      | time('214032.142Z')                                                         | 21:40:32.142Z |
      | time('21:40:32+01:00')                                                      | 21:40:32+01:00 |
      | time('214032-0100')                                                         | 21:40:32-01:00 |
      | time('21:40-01:30')                                                         | 21:40-01:30 |
      | time('2140-00:00')                                                          | 21:40Z |
      | time('2140-02')                                                             | 21:40-02:00 |
      | time('22+18:00')                                                            | 22:00+18:00 |
      | localdatetime('2015-07-21T21:40:32.142')                                    | 2015-07-21T21:40:32.142 |
      | localdatetime('2015-W30-2T214032.142')                                      | 2015-07-21T21:40:32.142 |
      | localdatetime('2015-202T21:40:32')                                          | 2015-07-21T21:40:32 |
      | localdatetime('2015T214032')                                                | 2015-01-01T21:40:32 |
      | localdatetime('20150721T21:40')                                             | 2015-07-21T21:40 |
      | localdatetime('2015-W30T2140')                                              | 2015-07-20T21:40 |
      | localdatetime('2015202T21')                                                 | 2015-07-21T21:00 |
      | datetime('2015-07-21T21:40:32.142+0100')                                    | 2015-07-21T21:40:32.142+01:00 |
      | datetime('2015-W30-2T214032.142Z')                                          | 2015-07-21T21:40:32.142Z |
      | datetime('2015-202T21:40:32+01:00')                                         | 2015-07-21T21:40:32+01:00 |
      | datetime('2015T214032-0100')                                                | 2015-01-01T21:40:32-01:00 |
      | datetime('20150721T21:40-01:30')                                            | 2015-07-21T21:40-01:30 |
      | datetime('2015-W30T2140-02')                                                | 2015-07-20T21:40-02:00 |
      | datetime('2015202T21+18:00')                                                | 2015-07-21T21:00+18:00 |
      | datetime('2015-07-21T21:40:32.142+02:00[Europe/Stockholm]')                 | 2015-07-21T21:40:32.142+02:00[Europe/Stockholm] |
      | datetime('2015-07-21T21:40:32.142+0845[Australia/Eucla]')                   | 2015-07-21T21:40:32.142+08:45[Australia/Eucla] |
      | datetime('2015-07-21T21:40:32.142-04[America/New_York]')                    | 2015-07-21T21:40:32.142-04:00[America/New_York] |
      | datetime('2015-07-21T21:40:32.142[Europe/London]')                          | 2015-07-21T21:40:32.142+01:00[Europe/London] |
      | duration('P14DT16H12M')                                                     | P14DT16H12M |
      | duration('P5M1.5D')                                                         | P5M1DT12H |
      | duration('P0.75M')                                                          | P22DT19H51M49.5S |
      | duration('PT0.75M')                                                         | PT45S |
      | duration('P2.5W')                                                           | P17DT12H |
      | duration('P12Y5M14DT16H12M70S')                                             | P12Y5M14DT16H13M10S |
      | duration('P2012-02-02T14:37:21.545')                                        | P2012Y2M2DT14H37M21.545S |
      | duration({years: 1, months: 2, days: 3}) * 2                                | P2Y4M6D |
      | duration({days: 1}) / 2                                                     | PT12H |
      | duration({months: 1}) * 0.5                                                 | P15DT5H14M33S |
      | duration({months: 1, days: 1}) - duration({days: 2, seconds: 1})            | P1M-1DT-1S |
      | date('1984-10-11') + duration({months: 5, days: 14, hours: 16})             | 1985-03-25 |
      | date('2011-01-31') + duration({months: 1})                                  | 2011-02-28 |
      | date('2012-02-29') - duration({years: 1})                                   | 2011-02-28 |
      | localtime('12:31') + duration({hours: 16, days: 3})                         | 04:31 |
      | time('12:31:14+01:00') - duration({minutes: 32})                            | 11:59:14+01:00 |
      | localdatetime('1984-10-11T12:31:14') + duration('P12Y5M14DT16H12M70S')      | 1997-03-26T04:44:24 |
      | datetime('1984-10-11T12:31:14+01:00') - duration('P12Y5M14DT16H12M70S')     | 1972-04-26T20:18:04+01:00 |
      | datetime('2017-10-28T12:00[Europe/Stockholm]') + duration({days: 1})        | 2017-10-29T12:00+01:00[Europe/Stockholm] |
      | datetime('2017-10-28T12:00[Europe/Stockholm]') + duration({hours: 24})      | 2017-10-29T11:00+01:00[Europe/Stockholm] |
      | date.truncate('decade', date('1984-10-11'), {day: 2})                       | 1980-01-02 |
      | date.truncate('millennium', date('2017-10-11'))                             | 2000-01-01 |
      | date.truncate('century', date('1984-10-11'))                                | 1900-01-01 |
      | date.truncate('weekYear', date('1984-02-01'))                               | 1984-01-02 |
      | date.truncate('quarter', date('1984-11-11'))                                | 1984-10-01 |
      | date.truncate('week', date('1984-10-11'), {dayOfWeek: 2})                   | 1984-10-09 |
      | time.truncate('hour', time('12:31:14.645876123+01:00'), {minute: 5})        | 12:05+01:00 |
      | time.truncate('day', localtime('12:31:14'), {timezone: '+02:00'})           | 00:00+02:00 |
      | time.truncate('millisecond', datetime('1984-10-11T12:31:14.645876123-01:00')) | 12:31:14.645-01:00 |
      | time.truncate('microsecond', time('12:31:14.645876123Z'), {nanosecond: 2})  | 12:31:14.645876002Z |
      | time.truncate('second', localdatetime('1984-10-11T12:31:14.645'))           | 12:31:14Z |
      | localtime.truncate('minute', localtime('12:31:14.645'))                     | 12:31 |
      | localdatetime.truncate('month', localdatetime('1984-10-11T12:31:14'), {day: 2}) | 1984-10-02T00:00 |
      | datetime.truncate('year', datetime('1984-10-11T12:31:14+01:00'), {timezone: 'Europe/Stockholm'}) | 1984-01-01T00:00+01:00[Europe/Stockholm] |
      | localtime(time('12:31:14.645+01:00'))                                       | 12:31:14.645 |
      | localtime({time: datetime('1984-10-11T12:31:14+01:00'), second: 42})        | 12:31:42 |
      | localtime(localdatetime('1984-10-11T12:31:14'))                             | 12:31:14 |
      | localtime({time: localtime('12:31'), hour: 3})                              | 03:31 |
      | time({time: time('12:31:14+01:00'), timezone: '+05:00'})                    | 16:31:14+05:00 |
      | time({time: localtime('12:31:14'), timezone: '+05:00'})                     | 12:31:14+05:00 |
      | date({date: date('1984-11-11'), day: 28})                                   | 1984-11-28 |
      | date({date: localdatetime('1984-11-11T12:31'), week: 1})                    | 1984-01-08 |
      | date({date: date('1984-11-11'), quarter: 3})                                | 1984-08-11 |
      | datetime({datetime: datetime('1984-10-11T12:00+01:00'), timezone: '+05:00'}) | 1984-10-11T16:00+05:00 |
      | datetime({date: date('1984-10-11'), time: time('10:00+02:00'), day: 28})    | 1984-10-28T10:00+02:00 |
      | datetime({date: date('1984-10-11'), time: localtime('10:00'), timezone: 'Europe/Stockholm'}) | 1984-10-11T10:00+01:00[Europe/Stockholm] |
      | duration.between(date('1984-10-11'), date('2015-06-24'))                    | P30Y8M13D |
      | duration.between(localdatetime('2018-01-01T12:00'), localdatetime('2018-01-02T10:00')) | PT22H |
      | duration.between(localdatetime('2018-01-02T10:00'), localdatetime('2018-01-01T12:00')) | PT-22H |
      | duration.between(localdatetime('2018-01-01T10:00:00.2'), localdatetime('2018-01-03T10:00:00.1')) | P1DT23H59M59.9S |
      | duration.between(time('14:30Z'), time('16:30+01:00'))                       | PT1H |
      | duration.between(date('1984-10-11'), localtime('16:30'))                    | PT16H30M |
      | duration.between(localtime('14:30'), date('2015-06-24'))                    | PT-14H-30M |
      | duration.inMonths(date('1984-10-11'), date('2015-06-24'))                   | P30Y8M |
      | duration.inMonths(date('2015-06-24'), localdatetime('2016-07-21T21:45:22'))  | P1Y |
      | duration.inDays(date('1984-10-11'), date('2015-06-24'))                     | P11213D |
      | duration.inDays(localdatetime('2014-07-21T21:40:36'), date('2015-06-24'))   | P337D |
      | duration.inSeconds(date('1984-10-11'), date('1984-10-12'))                  | PT24H |
      | duration.inSeconds(localtime('14:30'), time('16:30+01:00'))                 | PT2H |
      | duration.inSeconds(datetime('2017-10-29T00:00[Europe/Stockholm]'), datetime('2017-10-29T04:00[Europe/Stockholm]')) | PT5H |
      | duration.inSeconds(datetime('2017-10-29T00:00[Europe/Stockholm]'), localdatetime('2017-10-29T04:00')) | PT5H |
      | duration.inSeconds(date('2017-10-29'), datetime('2017-10-29T04:00[Europe/Stockholm]')) | PT5H |
      | duration.between(date('-999999999-01-01'), date('+999999999-12-31'))        | P1999999998Y11M30D |
      | duration.inSeconds(localdatetime('-999999999-01-01'), localdatetime('+999999999-12-31T23:59:59')) | PT17531639991215H59M59S |

  Scenario Outline: [2] Comparing
    Given any graph
    When executing query:
      """
      WITH <a> AS a, <b> AS b
      RETURN a > b, a < b, a >= b, a <= b, a = b, a <> b
      """
    Then the result should be, in any order:
      | a > b | a < b | a >= b | a <= b | a = b | a <> b |
      | <gt>  | <lt>  | <ge>   | <le>   | <eq>  | <ne>   |
    And no side effects

    Examples:
      | a                                        | b                                        | gt    | lt    | ge    | le    | eq    | ne    |
      | date('1980-12-24')                       | date('1984-10-11')                       | false | true  | false | true  | false | true  |
      | date('1984-10-11')                       | date({year: 1984, month: 10, day: 11})   | false | false | true  | true  | true  | false |
      | localtime('10:35')                       | localtime('12:31:14.6')                  | false | true  | false | true  | false | true  |
      | time('10:00+01:00')                      | time('09:00Z')                           | true  | false | true  | false | false | true  |
      | time('10:00+01:00')                      | time('08:30Z')                           | true  | false | true  | false | false | true  |
      | datetime('1984-10-11T12:00+01:00')       | datetime('1984-10-11T12:00Z')            | false | true  | false | true  | false | true  |
      | localdatetime('1984-10-11T12:00')        | localdatetime('1980-10-11T12:00')        | true  | false | true  | false | false | true  |
      | date('1984-10-11')                       | localdatetime('1984-10-11T00:00')        | null  | null  | null  | null  | false | true  |
      | time('12:00Z')                           | localtime('12:00')                       | null  | null  | null  | null  | false | true  |
      | datetime('1984-10-11T12:00Z')            | localdatetime('1984-10-11T12:00')        | null  | null  | null  | null  | false | true  |
      | date('1984-10-11')                       | '1984-10-11'                             | null  | null  | null  | null  | false | true  |
      | date('1984-10-11')                       | null                                     | null  | null  | null  | null  | null  | null  |
      | duration({days: 1, months: 12})          | duration({years: 1, hours: 24})          | null  | null  | null  | null  | false | true  |
      | duration({seconds: 60})                  | duration({minutes: 1})                   | null  | null  | null  | null  | true  | false |
      | duration({years: 1})                     | duration({months: 12})                   | null  | null  | null  | null  | true  | false |
      | duration({weeks: 1, days: 1})            | duration({days: 8})                      | null  | null  | null  | null  | true  | false |
      | duration({days: 1})                      | date('1984-10-11')                       | null  | null  | null  | null  | false | true  |

  Scenario Outline: [3] Components
    Given any graph
    When executing query:
      """
      WITH <value> AS v
      RETURN <components> AS l
      """
    Then the result should be, in any order:
      | l   |
      | <l> |
    And no side effects

    Examples:
      | value                                             | components                                                     | l |
      | date('1984-10-11')                                | [v.year, v.quarter, v.month, v.week, v.weekYear, v.day, v.ordinalDay, v.weekDay, v.dayOfQuarter] | [1984, 4, 10, 41, 1984, 11, 285, 4, 11] |
      | date('1984-01-01')                                | [v.year, v.weekYear, v.week, v.weekDay]                        | [1984, 1983, 52, 7] |
      | localtime('12:31:14.645876123')                   | [v.hour, v.minute, v.second, v.millisecond, v.microsecond, v.nanosecond] | [12, 31, 14, 645, 645876, 645876123] |
      | time('12:31:14.645876123+01:00')                  | [v.hour, v.timezone, v.offset, v.offsetMinutes, v.offsetSeconds] | [12, '+01:00', '+01:00', 60, 3600] |
      | datetime('1984-11-11T12:31:14.645876123[Europe/Stockholm]') | [v.timezone, v.offset, v.offsetSeconds, v.epochSeconds, v.epochMillis] | ['Europe/Stockholm', '+01:00', 3600, 469020674, 469020674645] |
      | localdatetime('1984-11-11T12:31:14')              | [v.dayOfQuarter, v.hour, v.nanosecond]                         | [42, 12, 0] |
      | duration('P1Y4M10DT1H1M1.111111111S')             | [v.years, v.quarters, v.months, v.weeks, v.days, v.hours, v.minutes, v.seconds] | [1, 5, 16, 1, 10, 1, 61, 3661] |
      | duration('P1Y4M10DT1H1M1.111111111S')             | [v.quartersOfYear, v.monthsOfQuarter, v.monthsOfYear, v.daysOfWeek, v.minutesOfHour, v.secondsOfMinute] | [1, 1, 4, 3, 1, 1] |

  Scenario Outline: [4] Stored and read again
    Given an empty graph
    When executing query:
      """
      CREATE (n:T {p: <value>}) WITH n MATCH (m:T) WHERE m.p = <value> RETURN m.p AS p
      """
    Then the result should be, in any order:
      | p   |
      | <p> |
    And the side effects should be:
      | +nodes      | 1 |
      | +labels     | 1 |
      | +properties | 1 |

    Examples:
      | value                                                     | p |
      | date('1984-10-11')                                        | '1984-10-11' |
      | [date('1984-10-11'), date('1984-10-12')]                  | ['1984-10-11', '1984-10-12'] |
      | localtime('12:00')                                        | '12:00' |
      | [localtime('12:00'), localtime('13:00:00.000000001')]     | ['12:00', '13:00:00.000000001'] |
      | time('12:00+02:00')                                       | '12:00+02:00' |
      | [time('12:00Z'), time('13:00-02:00')]                     | ['12:00Z', '13:00-02:00'] |
      | localdatetime('1984-10-11T12:00')                         | '1984-10-11T12:00' |
      | datetime('1984-10-11T12:00+05:30')                        | '1984-10-11T12:00+05:30' |
      | [datetime('1984-10-11T12:00[Asia/Tokyo]')]                | ['1984-10-11T12:00+09:00[Asia/Tokyo]'] |
      | duration({days: 5, months: 2, nanoseconds: -1})           | 'P2M5DT-0.000000001S' |
      | [duration({seconds: 1}), duration({days: 1})]             | ['PT1S', 'P1D'] |

  Scenario Outline: [5] Ordering
    Given any graph
    When executing query:
      """
      UNWIND <values> AS v
      WITH v ORDER BY v <way>
      RETURN collect(v) AS l
      """
    Then the result should be, in any order:
      | l   |
      | <l> |
    And no side effects

    Examples:
      | values                                                            | way  | l |
      | [date('2000-01-02'), date('1910-05-06'), date('2000-01-01')]      | ASC  | ['1910-05-06', '2000-01-01', '2000-01-02'] |
      | [localtime('10:35'), localtime('12:31'), localtime('10:35:01')]   | DESC | ['12:31', '10:35:01', '10:35'] |
      | [time('10:35-08:00'), time('12:31+01:00'), time('11:30Z')]        | ASC  | ['11:30Z', '12:31+01:00', '10:35-08:00'] |
      | [time('10:35-08:00'), time('12:31+01:00'), time('11:30Z')]        | DESC | ['10:35-08:00', '12:31+01:00', '11:30Z'] |
      | [localdatetime('1984-10-11T12:00'), localdatetime('0001-01-01T01:01:01'), localdatetime('9999-09-09T09:59')] | DESCENDING | ['9999-09-09T09:59', '1984-10-11T12:00', '0001-01-01T01:01:01'] |
      | [datetime('1984-10-11T12:00+05:00'), datetime('1984-10-11T11:00Z'), datetime('1980-12-11T12:31:14-11:59')] | ASCENDING | ['1980-12-11T12:31:14-11:59', '1984-10-11T12:00+05:00', '1984-10-11T11:00Z'] |
      | [duration({days: 31}), duration({months: 1}), duration({days: 30})] | ASC | ['P30D', 'P1M', 'P31D'] |

  Scenario Outline: [6] Null in, null out
    Given any graph
    When executing query:
      """
      RETURN <expr> AS r
      """
    Then the result should be, in any order:
      | r    |
      | null |
    And no side effects

    Examples:
      | expr                                         |
      | date(null)                                   |
      | localtime(null)                              |
      | time(null)                                   |
      | localdatetime(null)                          |
      | datetime(null)                               |
      | duration(null)                               |
      | date.truncate('day', null)                   |
      | duration.between(null, date('2000-01-01'))   |
      | duration.inDays(date('2000-01-01'), null)    |
      | date('2000-01-01') + null                    |
      | duration({days: 1}) * null                   |
      | datetime(null).year                          |

  Scenario: [7] Text and parsing are each other's inverse
    Given any graph
    When executing query:
      """
      UNWIND [date('2015-02-28'), date('-0005-01-01')] AS d
      UNWIND [localtime('00:00'), localtime('23:59:59.999999999')] AS t
      WITH d, t, localdatetime({date: d, time: t}) AS dt, datetime({date: d, time: t, timezone: '-11:30'}) AS z
      RETURN date(toString(d)) = d AND localtime(toString(t)) = t AND localdatetime(toString(dt)) = dt AND datetime(toString(z)) = z AS same, count(*) AS c
      """
    Then the result should be, in any order:
      | same | c |
      | true | 4 |
    And no side effects

  Scenario Outline: [8] A time gives all units above its smallest, unless it is taken from another time
    Given any graph
    When executing query:
      """
      UNWIND [<map>] AS m
      RETURN <type>(m) AS r
      """
    Then a ArgumentError should be raised at runtime: *

    Examples:
      | type          | map                                        |
      | localtime     | {hour: 12, nanosecond: 1}                  |
      | localtime     | {hour: 12, minute: 1, millisecond: 1}      |
      | localtime     | {hour: 12, second: 1}                      |
      | localtime     | {minute: 1}                                |
      | time          | {hour: 12, second: 1}                      |
      | localdatetime | {year: 1984, minute: 1}                    |
      | datetime      | {year: 1984, month: 1, day: 1, hour: 1, second: 1} |

  Scenario: [9] A part of a time replaces that of another time
    Given any graph
    When executing query:
      """
      WITH localtime('12:31:14.5') AS t
      RETURN localtime({time: t, second: 42}) AS a, localtime({time: t, nanosecond: 1}) AS b
      """
    Then the result should be, in any order:
      | a               | b                    |
      | '12:31:42.5'    | '12:31:14.000000001' |
    And no side effects
