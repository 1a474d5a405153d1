Feature: AggregationErrors - where an aggregate may stand

  Scenario Outline: [1] No aggregate where rows are looked at one by one
    Given any graph
    When executing query:
      """
      <query>
      """
    Then a SyntaxError should be raised at compile time: InvalidAggregation

    Examples:
      | query                                                      |
      | MATCH (n) WHERE count(n) > 1 RETURN n                      |
      | MATCH (n)-->(m) WHERE n.p = max(m.p) RETURN n              |
      | MATCH (n) WITH n WHERE count(*) = 1 RETURN n               |
      | MATCH (n) RETURN [x IN [1, 2] \| count(*)]                 |
      | MATCH (n) RETURN [x IN [1, 2] WHERE count(*) = 1 \| x]     |
      | MATCH (n) RETURN [x IN [1, 2] \| sum(x)] AS l              |
      | MATCH (n) RETURN n.p AS p ORDER BY count(n)                |
      | MATCH (n) RETURN n.p AS p ORDER BY max(n.q)                |
      | MATCH (n) RETURN n.p AS p ORDER BY p + count(*)            |
      | MATCH (n) WITH n.p AS p ORDER BY count(*) RETURN p         |
      | MATCH (n) WITH n.p AS p, 1 AS q ORDER BY sum(n.r) RETURN p |
      | MATCH (n) RETURN any(x IN [1] WHERE count(*) = x)          |
      | MATCH (n) SET n.p = count(*)                               |
      | CREATE ({p: count(*)})                                     |
      | UNWIND [count(*)] AS x RETURN x                            |

  Scenario Outline: [2] No aggregate within an aggregate
    Given any graph
    When executing query:
      """
      <query>
      """
    Then a SyntaxError should be raised at compile time: NestedAggregation

    Examples:
      | query                                     |
      | RETURN count(count(*))                    |
      | MATCH (n) RETURN sum(max(n.p))            |
      | MATCH (n) RETURN collect({c: count(n)})   |
      | MATCH (n) RETURN max(1 + min(n.p)) AS m   |
      | MATCH (n) WITH avg(sum(n.p)) AS a RETURN a |

  Scenario Outline: [3] What stands beside an aggregate is a constant or stands in the projection for itself
    Given any graph
    When executing query:
      """
      <query>
      """
    Then a SyntaxError should be raised at compile time: AmbiguousAggregationExpression

    Examples:
      | query                                                                     |
      | MATCH (n)--(m) RETURN n.p + count(m)                                      |
      | MATCH (n)--(m) RETURN n.p + n.q, n.p + n.q + count(m)                     |
      | MATCH (n)--(m) RETURN n.p + m.p, n.p + m.p + count(*)                     |
      | MATCH (n)--(m) RETURN [n.p, collect(m.p)]                                 |
      | MATCH (n)--(m) RETURN {a: n.p, b: count(*)} AS x                          |
      | MATCH (n)--(m) RETURN size(collect(m)) + n.p AS x                         |
      | MATCH (n)--(m) WITH n.p + count(m) AS c RETURN c                          |
      | MATCH (n)--(m) WITH n.p + m.p AS s, n.p + m.p + count(*) AS c RETURN *    |
      | MATCH (n)--(m) WITH n.p AS a, m.p + count(*) AS c RETURN *                |
      | MATCH (n)--(m) RETURN n.p * 2 + sum(m.p)                                  |

  Scenario Outline: [4] Constants, parameters, names and properties that are projected may stand beside one
    Given an empty graph
    And having executed:
      """
      CREATE (:P {p: 1, q: 2}), (:P {p: 1, q: 3}), (:P {p: 2, q: 5})
      """
    And parameters are:
      | k | 100 |
    When executing query:
      """
      <query>
      """
    Then the result should be, in any order:
      | a   | c   |
      | <a> | <c> |
      | <b> | <d> |
    And no side effects

    Examples:
      | query                                                               | a | c     | b | d     |
      | MATCH (n:P) RETURN n.p AS a, n.p + sum(n.q) AS c                    | 1 | 6     | 2 | 7     |
      | MATCH (n:P) WITH n.p AS a, n.q AS q RETURN a, a + sum(q) AS c       | 1 | 6     | 2 | 7     |
      | MATCH (n:P) RETURN n.p AS a, count(*) * 10 + $k AS c                | 1 | 120   | 2 | 110   |
      | MATCH (n:P) RETURN n.p AS a, [n.p, 7, max(n.q)] AS c                | 1 | [1, 7, 3] | 2 | [2, 7, 5] |
      | MATCH (n:P) WITH n.p AS a, max(n.q) - min(n.q) AS c RETURN a, c     | 1 | 1     | 2 | 0     |
      | MATCH (n:P) RETURN n.p AS a, sum(n.q) / count(n) AS c               | 1 | 2     | 2 | 5     |
      | MATCH (n:P) RETURN n.p AS a, size(collect(DISTINCT n.p)) AS c       | 1 | 1     | 2 | 1     |
      | MATCH (n:P) RETURN n.p AS a, CASE WHEN count(*) > 1 THEN 'many' ELSE 'one' END AS c | 1 | 'many' | 2 | 'one' |

  Scenario Outline: [5] rand() is no constant within an aggregate
    Given any graph
    When executing query:
      """
      <query>
      """
    Then a SyntaxError should be raised at compile time: NonConstantExpression

    Examples:
      | query                                 |
      | RETURN count(rand())                  |
      | MATCH (n) RETURN sum(rand())          |
      | MATCH (n) RETURN n LIMIT n.p          |
      | MATCH (n) RETURN n SKIP n.p           |
      | MATCH (n) WITH n LIMIT n.p RETURN n   |
      | MATCH (n) WITH n SKIP n.p RETURN n    |
      | MATCH (n) RETURN n ORDER BY n LIMIT n.p + 1 |
