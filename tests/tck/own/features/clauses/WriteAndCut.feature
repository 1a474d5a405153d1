# What is written stays written, whatever is left of the rows afterwards.
Feature: WriteAndCut - side effects do not depend on SKIP, LIMIT, filters and aggregates behind them

  Scenario Outline: [1] Creating and cutting
    Given an empty graph
    When executing query:
      """
      UNWIND [1, 2, 3, 4, 5] AS x CREATE (n:N {num: x})
      <rest>
      """
    Then the result should be, in any order:
      | num   |
      | <row> |
    And the side effects should be:
      | +nodes      | 5 |
      | +labels     | 1 |
      | +properties | 5 |

    Examples:
      | rest                                             | row |
      | RETURN n.num AS num SKIP 4                       | 5   |
      | RETURN n.num AS num ORDER BY num DESC LIMIT 1    | 5   |
      | RETURN n.num AS num SKIP 2 LIMIT 1               | 3   |
      | RETURN n.num AS num ORDER BY num SKIP 3 LIMIT 1  | 4   |
      | WITH n WHERE n.num = 2 RETURN n.num AS num       | 2   |
      | WITH n LIMIT 1 RETURN 7 AS num                   | 7   |
      | RETURN count(n) AS num                           | 5   |
      | RETURN sum(n.num) AS num                         | 15  |
      | WITH sum(n.num) AS num RETURN num                | 15  |
      | WITH collect(n.num) AS l RETURN size(l) AS num   | 5   |
      | WITH n WHERE n.num > 9 RETURN count(*) AS num    | 0   |
      | WITH DISTINCT 1 AS num RETURN num                | 1   |

  Scenario Outline: [2] Creating relationships and cutting to nothing
    Given an empty graph
    When executing query:
      """
      UNWIND [1, 2, 3, 4, 5] AS x CREATE ()-[r:R {num: x}]->()
      <rest>
      """
    Then the result should be, in any order:
      | num |
    And the side effects should be:
      | +nodes         | 10 |
      | +relationships | 5  |
      | +properties    | 5  |

    Examples:
      | rest                                         |
      | RETURN r.num AS num LIMIT 0                  |
      | RETURN r.num AS num SKIP 5                   |
      | RETURN r.num AS num ORDER BY num LIMIT 0     |
      | WITH r WHERE r.num > 5 RETURN r.num AS num   |
      | WITH r LIMIT 0 RETURN r.num AS num           |
      | WITH r SKIP 5 RETURN r.num AS num            |
      | RETURN r.num AS num SKIP 2 LIMIT 0           |

  Scenario Outline: [3] Setting, removing and cutting
    Given an empty graph
    And having executed:
      """
      CREATE (:A {num: 1, old: 1}), (:A {num: 2, old: 1}), (:A {num: 3, old: 1})
      """
    When executing query:
      """
      MATCH (n:A) <write>
      <rest>
      """
    Then the result should be, in any order:
      | num   |
      | <row> |
    And the side effects should be:
      | +properties | <added>  |
      | -properties | <gone>   |
      | +labels     | <labels> |

    Examples:
      | write                   | rest                                          | row | added | gone | labels |
      | SET n.new = n.num       | RETURN n.new AS num ORDER BY num LIMIT 1      | 1   | 3     | 0    | 0      |
      | SET n.num = n.num + 10  | RETURN n.num AS num ORDER BY num SKIP 2       | 13  | 3     | 3    | 0      |
      | SET n.num = n.num       | RETURN count(*) AS num                        | 3   | 0     | 0    | 0      |
      | SET n:B                 | WITH n SKIP 2 RETURN 1 AS num                 | 1   | 0     | 0    | 1      |
      | SET n:A                 | RETURN count(n) AS num                        | 3   | 0     | 0    | 0      |
      | REMOVE n.old            | WITH n WHERE n.num = 3 RETURN n.num AS num    | 3   | 0     | 3    | 0      |
      | REMOVE n.nothing        | RETURN sum(n.num) AS num                      | 6   | 0     | 0    | 0      |
      | SET n.old = null        | RETURN count(n.old) AS num                    | 0   | 0     | 3    | 0      |
      | SET n = {num: 9}        | RETURN DISTINCT n.num AS num                  | 9   | 3     | 6    | 0      |
      | SET n += {old: 2, x: 1} | RETURN min(n.old) AS num                      | 2   | 6     | 3    | 0      |
      | SET n += {old: null}    | RETURN DISTINCT n.old AS num                  | null | 0    | 3    | 0      |
      | SET n += {}             | RETURN max(n.num) AS num                      | 3   | 0     | 0    | 0      |
      | SET n.num = n.num + 1, n.old = n.num | RETURN max(n.old) AS num         | 4   | 6     | 6    | 0      |

  Scenario Outline: [4] Deleting and cutting
    Given an empty graph
    And having executed:
      """
      CREATE (:A)-[:R {num: 1}]->(:A)-[:R {num: 2}]->(:A)
      """
    When executing query:
      """
      <query>
      """
    Then the result should be, in any order:
      | num   |
      | <row> |
    And the side effects should be:
      | -nodes         | <nodes>  |
      | -relationships | <edges>  |
      | -labels        | <labels> |
      | -properties    | <props>  |

    Examples:
      | query                                                                   | row | nodes | edges | labels | props |
      | MATCH ()-[r:R]->() DELETE r RETURN count(*) AS num                      | 2   | 0     | 2     | 0      | 2     |
      | MATCH ()-[r:R]->() WITH r, r.num AS num DELETE r RETURN num SKIP 1      | 2   | 0     | 2     | 0      | 2     |
      | MATCH ()-[r]-() DELETE r RETURN count(*) AS num                         | 4   | 0     | 2     | 0      | 2     |
      | MATCH (n) DETACH DELETE n RETURN 42 AS num LIMIT 1                      | 42  | 3     | 2     | 1      | 2     |
      | MATCH p = ()-[:R {num: 1}]->() DETACH DELETE p RETURN 1 AS num          | 1   | 2     | 2     | 0      | 2     |
      | MATCH (n) WHERE NOT (n)-->() DETACH DELETE n RETURN 0 AS num            | 0   | 1     | 1     | 0      | 1     |
      | MATCH (n) WITH collect(n) AS l DETACH DELETE l[0], l[1], l[2] RETURN size(l) AS num | 3 | 3 | 2  | 1      | 2     |
      | MATCH ()-[r]->() WITH {k: collect(r)} AS m DELETE m.k[0] RETURN 5 AS num | 5  | 0     | 1     | 0      | 1     |
      | MATCH (n) WITH {key: n} AS m DETACH DELETE m.key RETURN count(*) AS num | 3   | 3     | 2     | 1      | 2     |
      | OPTIONAL MATCH (n:Nobody) DELETE n RETURN n AS num                      | null | 0    | 0     | 0      | 0     |
      | OPTIONAL MATCH (n:A)-[r:NONE]->() DETACH DELETE n, r RETURN count(*) AS num | 1 | 0   | 0     | 0      | 0     |
      | MATCH (a)-[r]->(b) DELETE r, a, b RETURN count(*) AS num                | 2   | 3     | 2     | 1      | 2     |
      | MATCH ()-[r:R]->() DELETE r RETURN DISTINCT type(r) = 'R' AS num        | true | 0    | 2     | 0      | 2     |

  Scenario: [5] What is created and deleted by one query has never been
    Given an empty graph
    When executing query:
      """
      CREATE (n:L {a: 1})-[:T]->(m) DETACH DELETE n, m
      """
    Then the result should be empty
    And no side effects

  Scenario: [6] Paths within maps within lists are deleted
    Given an empty graph
    And having executed:
      """
      CREATE (u:U) CREATE (u)-[:F]->(), (u)-[:F]->(), (u)-[:F]->()
      """
    When executing query:
      """
      MATCH p = (:U)-[:F]->() WITH {key: collect(p)} AS m DETACH DELETE m.key[0], m.key[1]
      """
    Then the result should be empty
    And the side effects should be:
      | -nodes         | 3 |
      | -relationships | 3 |
      | -labels        | 1 |
