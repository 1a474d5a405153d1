Feature: Union - rows of several queries

  Scenario Outline: [1] With and without duplicates
    Given any graph
    When executing query:
      """
      CALL { <query> } WITH x ORDER BY x RETURN collect(x) AS l
      """
    Then the result should be, in any order:
      | l   |
      | <l> |
    And no side effects

    Examples:
      | query                                                                     | l               |
      | RETURN 1 AS x UNION RETURN 1 AS x                                         | [1]             |
      | RETURN 1 AS x UNION ALL RETURN 1 AS x                                     | [1, 1]          |
      | RETURN 1 AS x UNION RETURN 1.0 AS x                                       | [1]             |
      | UNWIND [2, 1, 2, 3] AS x RETURN x UNION UNWIND [3, 4] AS x RETURN x       | [1, 2, 3, 4]    |
      | UNWIND [2, 1, 2, 3] AS x RETURN x UNION ALL UNWIND [3, 4] AS x RETURN x   | [1, 2, 2, 3, 3, 4] |
      | RETURN 2 AS x UNION RETURN 1 AS x UNION RETURN 2 AS x                     | [1, 2]          |
      | RETURN 2 AS x UNION ALL RETURN 1 AS x UNION ALL RETURN 2 AS x             | [1, 2, 2]       |
      | UNWIND [1, 2] AS x RETURN x LIMIT 1 UNION ALL RETURN 9 AS x               | [1, 9]          |
      | RETURN [1, null] AS x UNION RETURN [1, null] AS x                         | [[1, null]]     |
      | RETURN {a: 1} AS x UNION RETURN {a: 1} AS x                               | [{a: 1}]        |

  Scenario: [2] Columns are found by name, not by place
    Given any graph
    When executing query:
      """
      RETURN 1 AS a, 2 AS b UNION ALL RETURN 3 AS b, 4 AS a
      """
    Then the result should be, in any order:
      | a | b |
      | 1 | 2 |
      | 4 | 3 |
    And no side effects

  Scenario: [3] Nodes that are the same are one row
    Given an empty graph
    And having executed:
      """
      CREATE (:A), (:B), (:A:B)
      """
    When executing query:
      """
      MATCH (a:A) RETURN a AS a UNION MATCH (b:B) RETURN b AS a
      """
    Then the result should be, in any order:
      | a      |
      | (:A)   |
      | (:B)   |
      | (:A:B) |
    And no side effects

  Scenario: [4] The same with all of them
    Given an empty graph
    And having executed:
      """
      CREATE (:A), (:B), (:A:B)
      """
    When executing query:
      """
      MATCH (a:A) RETURN a AS a UNION ALL MATCH (b:B) RETURN b AS a
      """
    Then the result should be, in any order:
      | a      |
      | (:A)   |
      | (:B)   |
      | (:A:B) |
      | (:A:B) |
    And no side effects
