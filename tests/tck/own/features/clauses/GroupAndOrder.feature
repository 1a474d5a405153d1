Feature: GroupAndOrder - aggregates, grouping, order, cuts

  Scenario Outline: [1] Aggregates over what is given
    Given any graph
    When executing query:
      """
      UNWIND <list> AS x RETURN <aggregate> AS r
      """
    Then the result should be, in any order:
      | r   |
      | <r> |
    And no side effects

    Examples:
      | list                                  | aggregate                    | r      |
      | [1, null, 2, 2]                       | count(x)                     | 3      |
      | [1, null, 2, 2]                       | count(*)                     | 4      |
      | [1, null, 2, 2, 2.0]                  | count(DISTINCT x)            | 2      |
      | [null]                                | count(DISTINCT x)            | 0      |
      | [1, null, 2]                          | sum(x)                       | 3      |
      | [1, 0.5]                              | sum(x)                       | 1.5    |
      | []                                    | sum(x)                       | 0      |
      | []                                    | avg(x)                       | null   |
      | []                                    | max(x)                       | null   |
      | []                                    | collect(x)                   | []     |
      | []                                    | count(*)                     | 0      |
      | [null, 3]                             | avg(x)                       | 3.0    |
      | [2, 1, 3]                             | min(x)                       | 1      |
      | [2.5, 1, 3]                           | max(x)                       | 3      |
      | [0.5, 1, 0.5]                         | min(x)                       | 0.5    |
      | ['b', 'a', 'ab']                      | max(x)                       | 'b'    |
      | ['b', 'a', 'ab', '']                  | min(x)                       | ''     |
      | [[1], [2], [2, 1]]                    | max(x)                       | [2, 1] |
      | [[1], [2], []]                        | min(x)                       | []     |
      | [1, 'a', null, [1, 2], 0.2, 'b']      | max(x)                       | 1      |
      | [1, 'a', null, [1, 2], 0.2, 'b']      | min(x)                       | [1, 2] |
      | [true, false]                         | max(x)                       | true   |
      | [1, null, 1, 'a', 'a', 1.0]           | collect(DISTINCT x)          | [1, 'a'] |
      | [10, 20, 30]                          | percentileDisc(x, 0.0)       | 10     |
      | [10, 20, 30]                          | percentileDisc(x, 0.5)       | 20     |
      | [10, 20, 30]                          | percentileDisc(x, 1.0)       | 30     |
      | [10.0, 20.0, 30.0]                    | percentileCont(x, 0.25)      | 15.0   |
      | [10.0, 20.0, 30.0]                    | percentileCont(x, 1.0)       | 30.0   |
      | [1, 2, 3]                             | size(collect(x)) + count(*)  | 6      |
      | [3, 1, 2]                             | [i IN collect(x) WHERE i > 1 \| i] | [3, 2] |
      | [1, 2]                                | count(x) > 1 AND sum(x) = 3  | true   |

  Scenario Outline: [2] Percentiles lie between 0 and 1
    Given an empty graph
    And having executed:
      """
      CREATE ({p: 10.0})
      """
    And parameters are:
      | q | <q> |
    When executing query:
      """
      MATCH (n) RETURN <name>(n.p, $q) AS r
      """
    Then a ArgumentError should be raised at runtime: NumberOutOfRange

    Examples:
      | name           | q    |
      | percentileCont | 1000 |
      | percentileCont | -1   |
      | percentileCont | 1.1  |
      | percentileDisc | 1000 |
      | percentileDisc | -1   |
      | percentileDisc | 1.1  |

  Scenario Outline: [3] The total order over all values
    Given an empty graph
    And having executed:
      """
      CREATE (:N)-[:R]->()
      """
    When executing query:
      """
      MATCH p = (n:N)-[r:R]->()
      UNWIND [n, r, p, 1.5, ['list'], 'text', null, false, 0.0 / 0.0, {a: 'map'}, 1, [], true] AS v
      WITH v ORDER BY v <way>
      RETURN v
      """
    Then the result should be, in order:
      | v   |
      | <a> |
      | <b> |
      | <c> |
      | <d> |
      | <e> |
      | <f> |
      | <g> |
      | <h> |
      | <i> |
      | <j> |
      | <k> |
      | <l> |
      | <m> |
    And no side effects

    Examples:
      | way  | a          | b    | c    | d   | e        | f              | g      | h      | i     | j    | k    | l    | m          |
      | ASC  | {a: 'map'} | (:N) | [:R] | []  | ['list'] | <(:N)-[:R]->()> | 'text' | false  | true  | 1    | 1.5  | NaN  | null       |
      | DESC | null       | NaN  | 1.5  | 1   | true     | false          | 'text' | <(:N)-[:R]->()> | ['list'] | [] | [:R] | (:N) | {a: 'map'} |

  Scenario Outline: [4] Order and cuts
    Given an empty graph
    And having executed:
      """
      UNWIND [[1, 'b', 0.5], [2, 'a', -1.5], [3, 'b', 2.0], [4, null, -1.5], [5, 'a', null]] AS r CREATE (:N {i: r[0], s: r[1], f: r[2]})
      """
    And parameters are:
      | two | 2 |
    When executing query:
      """
      MATCH (n:N) <rest>
      """
    Then the result should be, in order:
      | a   | b   |
      | <a> | <b> |
      | <c> | <d> |
    And no side effects

    Examples:
      | rest                                                                    | a    | b    | c    | d    |
      | RETURN n.i AS a, n.s AS b ORDER BY a LIMIT 2                            | 1    | 'b'  | 2    | 'a'  |
      | RETURN n.i AS a, n.s AS b ORDER BY n.i DESC LIMIT $two                  | 5    | 'a'  | 4    | null |
      | RETURN n.i AS a, n.s AS b ORDER BY b, a LIMIT 1 + 1                     | 2    | 'a'  | 5    | 'a'  |
      | RETURN n.i AS a, n.s AS b ORDER BY b DESC, a DESC LIMIT 2               | 4    | null | 3    | 'b'  |
      | RETURN n.i AS a, n.f AS b ORDER BY b, a SKIP 3                          | 3    | 2.0  | 5    | null |
      | RETURN n.i AS a, n.f AS b ORDER BY n.f DESCENDING, n.i ASCENDING LIMIT 2 | 5   | null | 3    | 2.0  |
      | RETURN n.i AS a, n.i % 2 AS b ORDER BY n.i % 2, -n.i LIMIT 2            | 4    | 0    | 2    | 0    |
      | RETURN n.i AS a, n.i AS b ORDER BY n.s, n.f, n.i SKIP $two LIMIT 2      | 1    | 1    | 3    | 3    |
      | RETURN n.s AS a, count(*) AS b ORDER BY b DESC, a LIMIT 2               | 'a'  | 2    | 'b'  | 2    |
      | RETURN n.s AS a, sum(n.i) AS b ORDER BY sum(n.i) DESC LIMIT 2           | 'a'  | 7    | 'b'  | 4    |
      | RETURN n.s AS a, count(*) + 1 AS b ORDER BY count(*) + 1, n.s SKIP 1    | 'a'  | 3    | 'b'  | 3    |
      | WITH DISTINCT n.s AS a WHERE a IS NOT NULL RETURN a, 1 AS b ORDER BY a  | 'a'  | 1    | 'b'  | 1    |
      | WITH n ORDER BY n.i SKIP 1 LIMIT 2 RETURN n.i AS a, n.s AS b            | 2    | 'a'  | 3    | 'b'  |
      | WITH n.i AS i, n.f AS f ORDER BY f, i LIMIT 2 RETURN i AS a, f AS b     | 2    | -1.5 | 4    | -1.5 |
      | WITH n.i AS i ORDER BY n.s DESC, i DESC LIMIT 2 RETURN i AS a, 0 AS b   | 4    | 0    | 3    | 0    |
      | WITH n.i * 10 AS n, n.s AS s ORDER BY n DESC LIMIT 2 RETURN n AS a, s AS b | 50 | 'a' | 40   | null |
      | WITH n.s AS s, collect(n.i) AS l ORDER BY size(l) DESC, s DESC LIMIT 2 RETURN s AS a, size(l) AS b | 'b' | 2 | 'a' | 2 |
      | WITH n ORDER BY n.i RETURN n.s IS NULL AS a, collect(n.i) AS b ORDER BY a | false | [1, 2, 3, 5] | true | [4] |
      | RETURN DISTINCT n.f IS NULL AS a, n.s IS NULL AS b ORDER BY a, b LIMIT 2 | false | false | false | true |
      | RETURN DISTINCT n.s AS a, 1 AS b ORDER BY a DESC SKIP 1                 | 'b'  | 1    | 'a'  | 1    |

  Scenario Outline: [5] Groups are made by what is equivalent
    Given any graph
    When executing query:
      """
      UNWIND <values> AS v WITH v, count(*) AS c RETURN v, c
      """
    Then the result should be, in any order:
      | v   | c   |
      | <v> | <c> |
      | <w> | <d> |
    And no side effects

    Examples:
      | values                                     | v         | c | w         | d |
      | [null, 1, null]                            | null      | 2 | 1         | 1 |
      | [0.0 / 0.0, 1, 0.0 / 0.0]                  | NaN       | 2 | 1         | 1 |
      | [[1, null], [1], [1, null]]                | [1, null] | 2 | [1]       | 1 |
      | [{a: 1, b: 2}, {b: 2, a: 1}, {a: 1}]       | {a: 1, b: 2} | 2 | {a: 1} | 1 |
      | ['a', 'A', 'a']                            | 'a'       | 2 | 'A'       | 1 |
      | [true, 'true', true]                       | true      | 2 | 'true'    | 1 |
      | [date('2020-01-01'), date('2020-01-02'), date('2020-01-01')] | '2020-01-01' | 2 | '2020-01-02' | 1 |

  Scenario: [6] DISTINCT within an aggregate and nulls
    Given an empty graph
    And having executed:
      """
      CREATE (:N {l: [1, 2]}), (:N {l: [1, 2]}), (:N), (:N {l: [2, 1]})
      """
    When executing query:
      """
      MATCH (n:N) RETURN count(DISTINCT {k: n.l}) AS a, count(DISTINCT n.l) AS b, size(collect(DISTINCT [[n.l]])) AS c, count(DISTINCT n) AS d
      """
    Then the result should be, in any order:
      | a | b | c | d |
      | 3 | 2 | 3 | 4 |
    And no side effects

  Scenario: [7] Keys and values are collected to a map in each group
    Given any graph
    When executing query:
      """
      UNWIND [['a', 'k', 1], ['a', 'l', 2], ['b', 'k', 3], ['a', null, 4], ['b', 'l', null], ['a', 'k', 5]] AS t
      RETURN t[0] AS g, collect(t[1], t[2]) AS m
      """
    Then the result should be, in any order:
      | g   | m            |
      | 'a' | {k: 5, l: 2} |
      | 'b' | {k: 3}       |
    And no side effects
