Feature: Scalars - literals, comparisons, precedence, conversion

  Scenario Outline: [1] What an expression is
    Given any graph
    When executing query:
      """
      RETURN <expr> AS r
      """
    Then the result should be, in any order:
      | r   |
      | <r> |
    And no side effects

    Examples:
      | expr                                                    | r       |
      | NULL                                                    | null    |
      | CASE 1 WHEN IS :: INTEGER THEN 'i' ELSE 'o' END         | 'i'     |
      | CASE 'a' WHEN IS NOT :: INTEGER THEN 'o' ELSE 'i' END   | 'o'     |
      | CASE 1.5 WHEN IS TYPED STRING, > 1 THEN 'y' ELSE 'n' END | 'y'    |
      | 'a.b' =~ '\\\\Qa.b\\\\E'                                | true    |
      | 'axb' =~ '\\\\Qa.b\\\\E'                                | false   |
      | 'a(b1' =~ 'a\\\\Q(b\\\\E[0-9]'                           | true    |
      | size('\\\\T\T')                                         | 3       |
      | round(0.49999999999999994)                              | 0.0     |
      | round(-2.5)                                             | -2.0    |
      | round(9007199254740993.0)                               | 9007199254740992.0 |
      | trim(LEADING 'x' FROM 'xaxx')                           | 'axx'   |
      | trim(TRAILING 'x' FROM 'xaxx')                          | 'xa'    |
      | TRIM(both 'x' + '' FROM 'xaxx')                         | 'a'     |
      | trim('x' FROM 'xaxx')                                   | 'a'     |
      | trim(BOTH FROM '  a ')                                  | 'a'     |
      | trim(LEADING FROM '  a ')                               | 'a '    |
      | [both IN [' a '] \| trim(both)]                         | ['a']   |
      | [both IN ['a '] \| trim(both + 'b')]                    | ['a b'] |
      | lTrim('xax', 'x') + rTrim('xax', 'x')                   | 'axxa'  |
      | Null                                                    | null    |
      | tRuE                                                    | true    |
      | FALSE                                                   | false   |
      | -0                                                      | 0       |
      | -12                                                     | -12     |
      | 372036854                                               | 372036854 |
      | -9223372036854775808                                    | -9223372036854775808 |
      | 0x7FFFFFFFFFFFFFFF                                      | 9223372036854775807 |
      | 0x1A2B3C4D5E6F7                                         | 460367961908983 |
      | 0x1a2b3c4d5e6f7                                         | 460367961908983 |
      | 0x1A2b3c4D5E6f7                                         | 460367961908983 |
      | -0x1                                                    | -1      |
      | -0x8000000000000000                                     | -9223372036854775808 |
      | 0o0                                                     | 0       |
      | 0o7                                                     | 7       |
      | 0o777777777777777777777                                 | 9223372036854775807 |
      | -0o1000000000000000000000                               | -9223372036854775808 |
      | .1                                                      | 0.1     |
      | .0                                                      | 0.0     |
      | -.0                                                     | -0.0    |
      | -.5e-3                                                  | -0.0005 |
      | -.5E3                                                   | -500.0  |
      | 1e9                                                     | 1000000000.0 |
      | 1E-9                                                    | 1e-9    |
      | -9126.5E-8                                              | -0.000091265 |
      | 123456789e300                                           | 1.23456789e308 |
      | ''                                                      | ''      |
      | ""                                                      | ''      |
      | 'a'                                                     | 'a'     |
      | "a'b"                                                   | 'a\'b'  |
      | 'a\'b"c'                                                | 'a\'b"c' |
      | 'a\\\\b'                                                | 'a\\\\b' |
      | '\u00e4\u20ac'                                          | 'ä€'    |
      | "🧐🍌❖⋙⚐"                                               | '🧐🍌❖⋙⚐' |
      | [0x1F, -0o17, 1.5, 'x', null, [[]], {k: []}]            | [31, -15, 1.5, 'x', null, [[]], {k: []}] |
      | [1, 2, 3] + 4                                           | [1, 2, 3, 4] |
      | 0 + [1, 2]                                              | [0, 1, 2] |
      | [1] + [2, [3]]                                          | [1, 2, [3]] |
      | [[1]] + [2]                                             | [[1], 2] |
      | 1 + 2 * 3 ^ 2 % 5 - 4 / 2                               | 2.0     |
      | 2 ^ 3 ^ 2                                               | 64.0    |
      | -2 ^ 2                                                  | 4.0     |
      | -(2 ^ 2)                                                | -4.0    |
      | 7 / 2                                                   | 3       |
      | -7 / 2                                                  | -3      |
      | 7 % -3                                                  | 1       |
      | -7 % 3                                                  | -1      |
      | 7.5 % 2                                                 | 1.5     |
      | 7 / 2.0                                                 | 3.5     |
      | 0.0 / 0.0 = 0.0 / 0.0                                   | false   |
      | 0.0 / 0.0 <> 0.0 / 0.0                                  | true    |
      | 0.0 / 0.0 > 1                                           | false   |
      | 0.0 / 0.0 <= 1.0                                        | false   |
      | 0.0 / 0.0 = 'a'                                         | false   |
      | 0.0 / 0.0 > 'a'                                         | null    |
      | 1.0 / 0.0 > 9223372036854775807                         | true    |
      | 1 = 1.0                                                 | true    |
      | 1 <> 1.0                                                | false   |
      | 9007199254740993 = 9007199254740992.0                   | false   |
      | 4611686018427387905 = 4611686018427387900               | false   |
      | 1 < 'a'                                                 | null    |
      | 'a' >= 1                                                | null    |
      | true > 1                                                | null    |
      | true > false                                            | true    |
      | [1] < 1                                                 | null    |
      | {} < {}                                                 | null    |
      | 1 = '1'                                                 | false   |
      | 1 <> '1'                                                | true    |
      | 'a' < 'B'                                               | false   |
      | 'a' < 'ab'                                              | true    |
      | '' < 'a'                                                | true    |
      | null = null                                             | null    |
      | null <> null                                            | null    |
      | null < 1                                                | null    |
      | [null] = [null]                                         | null    |
      | [null] = [null, 1]                                      | false   |
      | [1, null] = [2, null]                                   | false   |
      | [[null], 1] = [[null], 2]                               | false   |
      | [[null], 1] = [[1], 1]                                  | null    |
      | {a: null} = {a: null}                                   | null    |
      | {a: 1, b: null} = {a: 2, b: null}                       | false   |
      | {a: 1} = {b: 1}                                         | false   |
      | {a: 1} = {a: 1, b: null}                                | false   |
      | {} = {}                                                 | true    |
      | {a: {b: [1]}} = {a: {b: [1.0]}}                         | true    |
      | [1, 2] < [1, 3]                                         | true    |
      | [1, 2] < [1]                                            | false   |
      | [1] < [1, null]                                         | true    |
      | [1, null] < [1, 2]                                      | null    |
      | [1, 'a'] >= [1, null]                                   | null    |
      | [0, null] < [1, 2]                                      | true    |
      | [] < [0]                                                | true    |
      | 1 < 2 < 3                                               | true    |
      | 1 < 3 < 2                                               | false   |
      | 3 > 2 >= 2 > 1                                          | true    |
      | 1 < 2 > 1                                               | true    |
      | 'a' <= 'b' < 'c'                                        | true    |
      | 1 < null < 0                                            | null    |
      | 3 < 2 < null                                            | false   |
      | NOT 1 = 2                                               | true    |
      | NOT true AND false                                      | false   |
      | NOT (true AND false)                                    | true    |
      | NOT false OR true                                       | true    |
      | NOT NOT null                                            | null    |
      | true OR true XOR true                                   | true    |
      | (true OR true) XOR true                                 | false   |
      | true XOR false AND false                                | true    |
      | (true XOR false) AND false                              | false   |
      | false OR null                                           | null    |
      | true OR null                                            | true    |
      | false AND null                                          | false   |
      | null XOR true                                           | null    |
      | null AND null                                           | null    |
      | 1 IS NULL = false                                       | true    |
      | NOT null IS NULL                                        | false   |
      | null IS NOT NULL OR true                                | true    |
      | null iS nOt NuLl                                        | false   |
      | {a: null}.a IS NULL                                     | true    |
      | {a: null} IS NOT NULL                                   | true    |
      | 1 IN [1, 2] = true                                      | true    |
      | NOT 1 IN [1]                                            | false   |
      | 2 IN [1] + [2]                                          | true    |
      | [1] + 2 IN [3] + 4                                      | false   |
      | [1] + 2 IN [[1, 2]]                                     | true    |
      | 1 IN [[1, 2, 3]][0][1..]                                | false   |
      | [[1], [2]][1] + 3                                       | [2, 3]  |
      | [1] + [2, 3][1]                                         | [1, 3]  |
      | [1] + [2, 3, 4][1..]                                    | [1, 3, 4] |
      | [1, 2, 3] = [1, 2] + 3                                  | true    |
      | [1, 2] + [[3]] = [1, 2, [3]]                            | true    |
      | 1 IN [] IS NULL                                         | false   |
      | 'abc' STARTS WITH 'ab'                                  | true    |
      | 'abc' STARTS WITH ''                                    | true    |
      | 'abc' STARTS WITH null                                  | null    |
      | null STARTS WITH 'a'                                    | null    |
      | 'abc' ENDS WITH 'bc'                                    | true    |
      | 'abc' ENDS WITH ''                                      | true    |
      | 'a\n' ENDS WITH '\n'                                    | true    |
      | null ENDS WITH null                                     | null    |
      | 'abc' CONTAINS 'b'                                      | true    |
      | 'abc' CONTAINS ''                                       | true    |
      | NOT 'abc' CONTAINS null                                 | null    |
      | 'abc' CONTAINS null                                     | null    |
      | 1 STARTS WITH 'a'                                       | null    |
      | 'a' ENDS WITH 1                                         | null    |
      | true CONTAINS 'a'                                       | null    |
      | [] CONTAINS 'a'                                         | null    |
      | NOT {} CONTAINS 'a'                                     | null    |
      | 'a' + 'b' STARTS WITH 'ab'                              | true    |
      | toBoolean('true')                                       | true    |
      | toBoolean('FALSE')                                      | false   |
      | toBoolean(' tru ')                                      | null    |
      | toBoolean('')                                           | null    |
      | toBoolean(null)                                         | null    |
      | toInteger('0x1F')                                       | null    |
      | toInteger('82.9')                                       | 82      |
      | toInteger(82.9)                                         | 82      |
      | toInteger(-0.9)                                         | 0       |
      | toInteger('foo')                                        | null    |
      | toInteger('')                                           | null    |
      | toInteger(null)                                         | null    |
      | toFloat('5.')                                           | 5.0     |
      | toFloat('1e3')                                          | 1000.0  |
      | toFloat('foo')                                          | null    |
      | toFloat('')                                             | null    |
      | toFloat(3)                                              | 3.0     |
      | toString(3)                                             | '3'     |
      | toString(true)                                          | 'true'  |
      | toString('a')                                           | 'a'     |
      | toString(null)                                          | null    |
      | split('one1two', '1')                                   | ['one', 'two'] |
      | split('', ',')                                          | ['']    |
      | substring('0123456789', 1)                              | '123456789' |
      | substring('abc', 1, 1)                                  | 'b'     |
      | substring('abc', 5)                                     | ''      |
      | reverse('raksO')                                        | 'Oskar' |
      | left('abc', 2) + right('abc', 2)                        | 'abbc'  |
      | abs(-9)                                                 | 9       |
      | ceil(1.1)                                               | 2.0     |
      | sign(-0.5)                                              | -1      |
      | sqrt(12.96)                                             | 3.6     |
      | size('äö€')                                             | 3       |
      | head([])                                                | null    |
      | last([1, null])                                         | null    |
      | tail([1])                                               | []      |
      | coalesce(null, null, 'a', 1)                            | 'a'     |
      | CASE 1 WHEN 1.0 THEN 'y' ELSE 'n' END                   | 'y'     |
      | CASE null WHEN null THEN 'y' ELSE 'n' END               | 'n'     |
      | CASE WHEN null THEN 1 END                               | null    |
      | CASE -1 WHEN 1 THEN 'a' WHEN -1 THEN 'b' END            | 'b'     |
      | keys({a: 1, b: null}) = ['a', 'b']                      | true    |
      | properties({a: 1, b: null})                             | {a: 1, b: null} |
      | properties(null)                                        | null    |
      | keys(null)                                              | null    |
      | labels(null)                                            | null    |
      | type(null)                                              | null    |
      | nodes(null)                                             | null    |
      | relationships(null)                                     | null    |
      | length(null)                                            | null    |
      | startNode(null)                                         | null    |
      | size(null)                                              | null    |
      | range(0, 3)                                             | [0, 1, 2, 3] |
      | range(3, 0)                                             | []      |
      | range(3, 0, -1)                                         | [3, 2, 1, 0] |
      | range(0, 10, 3)                                         | [0, 3, 6, 9] |
      | range(-10, 0, 4)                                        | [-10, -6, -2] |
      | range(10, 0, -4)                                        | [10, 6, 2] |
      | range(2, 2, -5)                                         | [2]     |
      | range(0, -1, 5)                                         | []      |
      | range(-5, 5, 100)                                       | [-5]    |
      | [1, 2, 3][0]                                            | 1       |
      | [1, 2, 3][-1]                                           | 3       |
      | [1, 2, 3][3]                                            | null    |
      | [1, 2, 3][null]                                         | null    |
      | null[0]                                                 | null    |
      | {a: 1}['a']                                             | 1       |
      | {a: 1}['A']                                             | null    |
      | {a: {b: {c: 7}}}.a.b['c']                               | 7       |
      | [1, 2, 3, 4][1..3]                                      | [2, 3]  |
      | [1, 2, 3, 4][..2]                                       | [1, 2]  |
      | [1, 2, 3, 4][2..]                                       | [3, 4]  |
      | [1, 2, 3, 4][-3..-1]                                    | [2, 3]  |
      | [1, 2, 3, 4][3..1]                                      | []      |
      | [1, 2, 3, 4][0..0]                                      | []      |
      | [1, 2, 3, 4][-9..9]                                     | [1, 2, 3, 4] |
      | [1, 2, 3, 4][null..2]                                   | null    |
      | [1, 2, 3, 4][1..null]                                   | null    |
      | null[1..2]                                              | null    |
      | [x IN [1, 2, 3] WHERE x > 1 \| x * 2]                   | [4, 6]  |
      | [x IN [1, 2, 3] WHERE x > 1]                            | [2, 3]  |
      | [x IN [1, 2, 3] \| x]                                   | [1, 2, 3] |
      | [x IN null \| x]                                        | null    |
      | [x IN [1, null] WHERE x IS NULL]                        | [null]  |
      | [x IN [[1, 2], [3]] \| [y IN x \| y + size(x)]]         | [[3, 4], [4]] |
      | size([x IN range(1, 10) WHERE x % 3 = 0])               | 3       |

  Scenario Outline: [2] Membership
    Given any graph
    When executing query:
      """
      RETURN <element> IN <list> AS r
      """
    Then the result should be, in any order:
      | r   |
      | <r> |
    And no side effects

    Examples:
      | element        | list                          | r     |
      | null           | null                          | null  |
      | null           | []                            | false |
      | null           | [null]                        | null  |
      | null           | [1]                           | null  |
      | 1              | null                          | null  |
      | 1              | [null]                        | null  |
      | 1              | [null, 1]                     | true  |
      | 1              | [2, null]                     | null  |
      | 1              | [2, 3]                        | false |
      | 1              | [[1]]                         | false |
      | [1]            | [1]                           | false |
      | [1]            | [[1]]                         | true  |
      | [null]         | [[null]]                      | null  |
      | [1, null]      | [[1, null]]                   | null  |
      | [1, 2]         | [[null, 2], [1, 2]]           | true  |
      | [1, 2]         | [[null, 2], [1, 3]]           | null  |
      | [1, 2]         | [[null, 3], [1, 3]]           | false |
      | [1, 2]         | [[null], [1]]                 | false |
      | [1, 2]         | [1, 2]                        | false |
      | [1, 2]         | [1, [1, 2], null]             | true  |
      | [1, 2]         | [null, [1, 3]]                | null  |
      | [[1, 2], [3]]  | [[[1, 2], [3]], [4]]          | true  |
      | [[null, 2], 3] | [[[1, 2], 3]]                 | null  |
      | [[null, 2], 3] | [[[1, 2], 4]]                 | false |
      | []             | []                            | false |
      | []             | [[]]                          | true  |
      | []             | [[], null]                    | true  |
      | []             | [null]                        | null  |
      | []             | [1, []]                       | true  |
      | []             | [[1], [null]]                 | false |
      | [[]]           | [[[]], []]                    | true  |
      | {a: 1}         | [{a: 1.0}]                    | true  |
      | {a: null}      | [{a: 1}]                      | null  |
      | 'a'            | ['A', 'a']                    | true  |
      | 1              | [1.0]                         | true  |
      | true           | [1, 'true']                   | false |

  Scenario Outline: [3] Quantifiers are three-valued
    Given any graph
    When executing query:
      """
      WITH <list> AS l
      RETURN all(x IN l WHERE <p>) AS a, any(x IN l WHERE <p>) AS b, none(x IN l WHERE <p>) AS c, single(x IN l WHERE <p>) AS d
      """
    Then the result should be, in any order:
      | a   | b   | c   | d   |
      | <a> | <b> | <c> | <d> |
    And no side effects

    Examples:
      | list                              | p               | a     | b     | c     | d     |
      | []                                | true            | true  | false | true  | false |
      | []                                | false           | true  | false | true  | false |
      | []                                | x = 2           | true  | false | true  | false |
      | [null]                            | x = 2           | null  | null  | null  | null  |
      | [null, 2]                         | x = 2           | null  | true  | false | null  |
      | [2, null]                         | x = 2           | null  | true  | false | null  |
      | [null, 3]                         | x = 2           | false | null  | null  | null  |
      | [null, 2, 2]                      | x = 2           | null  | true  | false | false |
      | [null, 2, 3]                      | x = 2           | false | true  | false | null  |
      | [3, null, 4]                      | x = 2           | false | null  | null  | null  |
      | [null, null]                      | x IS NULL       | true  | true  | false | false |
      | [0, null, 1]                      | x IS NULL       | false | true  | false | true  |
      | [0, null, 1]                      | x IS NOT NULL   | false | true  | false | false |
      | [null]                            | x IS NOT NULL   | false | false | true  | false |
      | [1, null]                         | true            | true  | true  | false | false |
      | [1, null]                         | false           | false | false | true  | false |
      | [1]                               | true            | true  | true  | false | true  |
      | [1.5, 2.5]                        | x > 2           | false | true  | false | true  |
      | ['abc', 'ef']                     | size(x) = 3     | false | true  | false | true  |
      | ['abc', 'efg']                    | size(x) = 3     | true  | true  | false | false |
      | [true, false]                     | x               | false | true  | false | true  |
      | [[1], [1, 2]]                     | size(x) > 0     | true  | true  | false | false |
      | [{a: 1}, {a: 2}]                  | x.a = 2         | false | true  | false | true  |
      | [{a: 1}, {b: 2}]                  | x.a = 1         | null  | true  | false | null  |
      | [1, 2, 3, 4]                      | x % 2 = 0       | false | true  | false | false |
      | [[1, 2], [2, 4]]                  | any(y IN x WHERE y = 4) | false | true | false | true |
      | [[1, 2], [2, 4]]                  | none(y IN x WHERE y = 4) | false | true | false | true |
      | [[2, 2], [2, 4]]                  | all(y IN x WHERE y = 2) | false | true | false | true |
      | [[2, 3], [2, 2]]                  | single(y IN x WHERE y = 2) | false | true | false | true |

  Scenario Outline: [4] Quantifiers refuse predicates that cannot be asked of the elements
    Given any graph
    When executing query:
      """
      RETURN <quantifier>(x IN <list> WHERE <p>) AS r
      """
    Then a SyntaxError should be raised at compile time: InvalidArgumentType

    Examples:
      | quantifier | list            | p              |
      | none       | ['Clara']       | x % 2 = 0      |
      | any        | [false, true]   | x % 2 = 0      |
      | all        | ['a', 'b']      | x % 2 = 0      |
      | single     | [{a: 1}]        | x % 2 = 0      |
      | all        | [[1, 2]]        | x / 2 = 0      |
      | any        | ['a']           | NOT x          |
      | none       | [1, 2]          | x AND true     |

  Scenario Outline: [5] Quantifiers over each other's negations
    Given any graph
    When executing query:
      """
      UNWIND range(0, 31) AS bits
      WITH [i IN range(0, 4) WHERE toInteger(bits / 2 ^ i) % 2 = 1 | i] AS l
      WITH <left> = <right> AS r, count(*) AS c
      RETURN r, c
      """
    Then the result should be, in any order:
      | r    | c  |
      | true | 32 |
    And no side effects

    Examples:
      | left                                | right                                                   |
      | none(x IN l WHERE x % 2 = 0)        | (NOT any(x IN l WHERE x % 2 = 0))                       |
      | none(x IN l WHERE x % 2 = 0)        | all(x IN l WHERE NOT (x % 2 = 0))                       |
      | none(x IN l WHERE x > 2)            | (size([x IN l WHERE x > 2]) = 0)                        |
      | any(x IN l WHERE x > 2)             | (NOT none(x IN l WHERE x > 2))                          |
      | any(x IN l WHERE x > 2)             | (NOT all(x IN l WHERE NOT (x > 2)))                     |
      | any(x IN l WHERE x = 3)             | (single(x IN l WHERE x = 3) OR any(x IN l WHERE x = 3)) |
      | all(x IN l WHERE x < 3)             | none(x IN l WHERE NOT (x < 3))                          |
      | all(x IN l WHERE x < 3)             | (size([x IN l WHERE x < 3]) = size(l))                  |
      | single(x IN l WHERE x < 3)          | (size([x IN l WHERE x < 3]) = 1)                        |
      | any(x IN l WHERE any(y IN l WHERE x < y)) | (size(l) > 1)                                     |
      | all(x IN l WHERE single(y IN l WHERE x = y)) | true                                           |
      | none(x IN l WHERE none(y IN l WHERE x = y)) | true                                            |

  Scenario Outline: [6] A backslash before a character that makes no escape is refused
    Given any graph
    When executing query:
      """
      RETURN <text> AS r
      """
    Then a SyntaxError should be raised at compile time: UnexpectedSyntax

    Examples:
      | text      |
      | '\x'      |
      | 'a\d+'    |
      | "a\."     |
      | '\ä'      |
