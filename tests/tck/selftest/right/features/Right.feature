# Cases that pass: each has a twin in Wrong.feature that differs from it in one place and has to fail.
Feature: Right - what the runner lets pass

  Scenario: [1] Rows as a bag, duplicates counted
    Given an empty graph
    When executing query:
      """
      UNWIND [2, 1, 1] AS n RETURN n
      """
    Then the result should be, in any order:
      | n |
      | 1 |
      | 2 |
      | 1 |
    And no side effects

  Scenario: [2] An integer is an integer
    Given an empty graph
    When executing query:
      """
      RETURN 1 AS n, [1.0, 'a'] AS l, {a: null} AS m
      """
    Then the result should be, in order:
      | n | l          | m         |
      | 1 | [1.0, 'a'] | {a: null} |
    And no side effects

  Scenario: [3] Side effects are what a reader sees
    Given an empty graph
    And having executed:
      """
      CREATE (:A {p: 1})-[:T {q: 1}]->(:B)
      """
    When executing query:
      """
      MATCH (a:A)-[t]->() SET a.p = 2, a:C DELETE t CREATE (:B)
      """
    Then the result should be empty
    And the side effects should be:
      | +nodes         | 1 |
      | -relationships | 1 |
      | +labels        | 1 |
      | +properties    | 1 |
      | -properties    | 2 |

  Scenario: [4] Type, phase and detail of an error
    Given any graph
    When executing query:
      """
      RETURN missing
      """
    Then a SyntaxError should be raised at compile time: UndefinedVariable

  Scenario: [5] Nodes, relationships and paths by what they hold
    Given an empty graph
    And having executed:
      """
      CREATE (:A {p: 'x'})-[:T {q: 1}]->(:B)
      """
    When executing query:
      """
      MATCH p = (b:B)<-[t]-(a) RETURN a, t, p
      """
    Then the result should be, in any order:
      | a             | t           | p                                 |
      | (:A {p: 'x'}) | [:T {q: 1}] | <(:B)<-[:T {q: 1}]-(:A {p: 'x'})> |
    And no side effects

  Scenario Outline: [6] Temporal values with nanoseconds, also far away
    Given an empty graph
    When executing query:
      """
      RETURN <call> AS t
      """
    Then the result should be, in any order:
      | t      |
      | <text> |
    And no side effects

    Examples:
      | call                                                                          | text                                               |
      | localdatetime('1984-10-11T12:31:14.645876123')                                | '1984-10-11T12:31:14.645876123'                    |
      | date({year: -999999999, month: 1, day: 1})                                    | '-999999999-01-01'                                 |
      | datetime('2015-07-21T21:40:32.142[Europe/Stockholm]')                         | '2015-07-21T21:40:32.142+02:00[Europe/Stockholm]'  |
      | duration({months: 14, days: -3, seconds: -1, nanoseconds: -500000000})        | 'P1Y2M-3DT-1.5S'                                   |

  Scenario: [7] A procedure of the case's own
    Given an empty graph
    And there exists a procedure test.own(n :: INTEGER?) :: (s :: STRING?):
      | n | s   |
      | 1 | 'a' |
      | 2 | 'b' |
      | 1 | 'c' |
    And parameters are:
      | x | 1 |
    When executing query:
      """
      CALL test.own($x) YIELD s RETURN s
      """
    Then the result should be, in order:
      | s   |
      | 'a' |
      | 'c' |
    And no side effects

  Scenario: [8] Lists as bags where the step says so
    Given an empty graph
    When executing query:
      """
      RETURN [1, [2, 3]] AS l
      """
    Then the result should be (ignoring element order for lists):
      | l           |
      | [[3, 2], 1] |
    And no side effects
