# Cases that fail: what the runner must not let pass. `tests/tck/run --must-fail` ends with an error if one of them passes.
Feature: Wrong - what the runner finds

  Scenario: [1] A duplicate is missing
    Given an empty graph
    When executing query:
      """
      UNWIND [2, 1, 1] AS n RETURN n
      """
    Then the result should be, in any order:
      | n |
      | 1 |
      | 2 |
    And no side effects

  Scenario Outline: [2] Another value than that
    Given an empty graph
    When executing query:
      """
      RETURN <value> AS n
      """
    Then the result should be, in order:
      | n        |
      | <wanted> |
    And no side effects

    Examples:
      | value                                          | wanted                          |
      | 1                                              | 1.0                             |
      | 1                                              | true                            |
      | '1'                                            | 1                               |
      | [1, 2]                                         | [2, 1]                          |
      | {a: null}                                      | {}                              |
      | null                                           | 'null'                          |
      | localdatetime('1984-10-11T12:31:14.645876123') | '1984-10-11T12:31:14.645876'    |
      | time('12:00Z')                                 | '12:00'                         |

  Scenario: [3] Rows in another order
    Given an empty graph
    When executing query:
      """
      UNWIND [1, 2] AS n RETURN n
      """
    Then the result should be, in order:
      | n |
      | 2 |
      | 1 |
    And no side effects

  Scenario: [4] A column by another name
    Given an empty graph
    When executing query:
      """
      RETURN 1 AS n
      """
    Then the result should be, in any order:
      | N |
      | 1 |
    And no side effects

  Scenario Outline: [5] Side effects that are not named
    Given an empty graph
    And having executed:
      """
      CREATE (:A {p: 1})-[:T]->(:B)
      """
    When executing query:
      """
      <query>
      """
    Then the result should be empty
    And no side effects

    Examples:
      | query                                  |
      | CREATE ()                              |
      | MATCH (n:A) DETACH DELETE n            |
      | MATCH (n:A) SET n.p = 1.0              |
      | MATCH (n:A) REMOVE n:A                 |
      | MATCH (a:A), (b:B) CREATE (b)-[:T]->(a) |

  Scenario Outline: [6] Another error than that
    Given an empty graph
    When executing query:
      """
      <query>
      """
    Then a <error>

    Examples:
      | query          | error                                                            |
      | RETURN missing | SyntaxError should be raised at runtime: UndefinedVariable       |
      | RETURN missing | TypeError should be raised at compile time: UndefinedVariable    |
      | RETURN missing | SyntaxError should be raised at compile time: UnexpectedSyntax   |
      | RETURN 1       | SyntaxError should be raised at compile time: UnexpectedSyntax   |

  Scenario: [7] Side effects before an error stay
    Given an empty graph
    And having executed:
      """
      RETURN missing
      """
    When executing query:
      """
      RETURN 1
      """
    Then the result should be, in any order:
      | 1 |
      | 1 |
    And no side effects

  Scenario: [8] A path against its arrow
    Given an empty graph
    And having executed:
      """
      CREATE (:A)-[:T]->(:B)
      """
    When executing query:
      """
      MATCH p = (b:B)<-[t]-(a) RETURN p
      """
    Then the result should be, in any order:
      | p                  |
      | <(:B)-[:T]->(:A)>  |
    And no side effects
