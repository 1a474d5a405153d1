Feature: Call - procedures, standing alone and within queries

  Scenario: [1] A procedure without columns lets each row through
    Given an empty graph
    And having executed:
      """
      CREATE (:C {p: 1}), (:C {p: 2})
      """
    And there exists a procedure own.touch() :: ():
      |
    When executing query:
      """
      MATCH (c:C) CALL own.touch() RETURN c.p AS p
      """
    Then the result should be, in any order:
      | p |
      | 1 |
      | 2 |
    And no side effects

  Scenario: [2] A procedure without columns may be called without parentheses, alone
    Given any graph
    And there exists a procedure own.touch() :: ():
      |
    When executing query:
      """
      CALL own.touch
      """
    Then the result should be empty
    And no side effects

  Scenario: [3] In a query the parentheses are asked for
    Given any graph
    And there exists a procedure own.touch() :: ():
      |
    When executing query:
      """
      MATCH (n) CALL own.touch RETURN n
      """
    Then a SyntaxError should be raised at compile time: InvalidArgumentPassingMode

  Scenario: [4] Standing alone an unknown procedure is refused
    Given any graph
    When executing query:
      """
      CALL own.nothing
      """
    Then a ProcedureError should be raised at compile time: ProcedureNotFound

  Scenario: [5] So is one with arguments
    Given any graph
    When executing query:
      """
      CALL own.nothing(1, 'a')
      """
    Then a ProcedureError should be raised at compile time: ProcedureNotFound

  Scenario: [6] Arguments choose rows, in the query too
    Given an empty graph
    And there exists a procedure own.towns(land :: STRING?, rank :: INTEGER?) :: (town :: STRING?, people :: INTEGER?):
      | land | rank | town    | people |
      | 'n'  | 1    | 'Alta'  | 20     |
      | 'n'  | 2    | 'Bodo'  | 50     |
      | 's'  | 1    | 'Lund'  | 90     |
      | 's'  | 1    | 'Malmo' | 350    |
      | null | 1    | 'Nulla' | 0      |
    When executing query:
      """
      UNWIND ['n', 's'] AS land
      CALL own.towns(land, 1) YIELD town, people
      RETURN land, town, people
      """
    Then the result should be, in any order:
      | land | town    | people |
      | 'n'  | 'Alta'  | 20     |
      | 's'  | 'Lund'  | 90     |
      | 's'  | 'Malmo' | 350    |
    And no side effects

  Scenario: [7] Alone, all columns come in the order of the signature
    Given any graph
    And parameters are:
      | land | 's' |
      | rank | 1   |
    And there exists a procedure own.towns(land :: STRING?, rank :: INTEGER?) :: (town :: STRING?, people :: INTEGER?):
      | land | rank | town    | people |
      | 'n'  | 2    | 'Bodo'  | 50     |
      | 's'  | 1    | 'Malmo' | 350    |
      | 's'  | 1    | 'Lund'  | 90     |
    When executing query:
      """
      CALL own.towns
      """
    Then the result should be, in order:
      | town    | people |
      | 'Malmo' | 350    |
      | 'Lund'  | 90     |
    And no side effects

  Scenario: [8] A parameter that an implicit call needs and does not have
    Given any graph
    And parameters are:
      | land | 's' |
    And there exists a procedure own.towns(land :: STRING?, rank :: INTEGER?) :: (town :: STRING?):
      | land | rank | town |
    When executing query:
      """
      CALL own.towns
      """
    Then a ParameterMissing should be raised at compile time: MissingParameter

  Scenario Outline: [9] What YIELD gives may be renamed, put in another order, and left out
    Given any graph
    And there exists a procedure own.pair(x :: INTEGER?) :: (a :: STRING?, b :: INTEGER?):
      | x | a   | b |
      | 1 | 'l' | 2 |
      | 1 | 'r' | 3 |
    When executing query:
      """
      <query>
      """
    Then the result should be, in any order:
      | c   | d   |
      | <c> | <d> |
      | <e> | <f> |
    And no side effects

    Examples:
      | query                                                                          | c   | d   | e   | f   |
      | CALL own.pair(1) YIELD a, b RETURN a AS c, b AS d                              | 'l' | 2   | 'r' | 3   |
      | CALL own.pair(1) YIELD b, a RETURN a AS c, b AS d                              | 'l' | 2   | 'r' | 3   |
      | CALL own.pair(1) YIELD a AS c, b AS d RETURN *                                 | 'l' | 2   | 'r' | 3   |
      | CALL own.pair(1) YIELD b AS c, a AS d RETURN c, d                              | 2   | 'l' | 3   | 'r' |
      | CALL own.pair(1) YIELD a AS b, b AS a RETURN a AS c, b AS d                    | 2   | 'l' | 3   | 'r' |
      | CALL own.pair(1) YIELD b AS d WITH d, d * 2 AS c RETURN c, d                   | 4   | 2   | 6   | 3   |
      | CALL own.pair(1) YIELD a AS c, b AS d                                          | 'l' | 2   | 'r' | 3   |
      | WITH 1 AS one CALL own.pair(one) YIELD a RETURN a AS c, one AS d               | 'l' | 1   | 'r' | 1   |
      | CALL own.pair(1) YIELD a AS c, b AS d WITH * RETURN *                          | 'l' | 2   | 'r' | 3   |
      | UNWIND [1, 5] AS x CALL own.pair(x) YIELD a AS c, b AS d RETURN c, d           | 'l' | 2   | 'r' | 3   |

  Scenario Outline: [10] Calls that are refused before anything runs
    Given any graph
    And there exists a procedure own.pair(x :: INTEGER?) :: (a :: STRING?, b :: INTEGER?):
      | x | a   | b |
      | 1 | 'l' | 2 |
    When executing query:
      """
      <query>
      """
    Then a SyntaxError should be raised at compile time: <detail>

    Examples:
      | query                                                        | detail                   |
      | CALL own.pair()                                              | InvalidNumberOfArguments |
      | CALL own.pair(1, 2)                                          | InvalidNumberOfArguments |
      | CALL own.pair() YIELD a RETURN a                             | InvalidNumberOfArguments |
      | CALL own.pair(1, 2) YIELD a RETURN a                         | InvalidNumberOfArguments |
      | CALL own.pair('1')                                           | InvalidArgumentType      |
      | CALL own.pair(true)                                          | InvalidArgumentType      |
      | CALL own.pair(1.5) YIELD a RETURN a                          | InvalidArgumentType      |
      | CALL own.pair([1]) YIELD a RETURN a                          | InvalidArgumentType      |
      | WITH 1 AS a CALL own.pair(1) YIELD a RETURN a                | VariableAlreadyBound     |
      | WITH 1 AS c CALL own.pair(1) YIELD a AS c RETURN c           | VariableAlreadyBound     |
      | CALL own.pair(1) YIELD a, b AS a RETURN a                    | VariableAlreadyBound     |
      | CALL own.pair(1) YIELD a AS c, b AS c RETURN c               | VariableAlreadyBound     |
      | CALL own.pair(1) YIELD * RETURN a                            | UnexpectedSyntax         |
      | CALL own.pair(1) RETURN a                                    | UndefinedVariable        |
      | CALL own.pair(n) YIELD a RETURN a                            | UndefinedVariable        |
      | CALL own.pair(count(*)) YIELD a RETURN a                     | InvalidAggregation       |

  Scenario Outline: [11] A type of an argument takes what can be assigned to it, and null
    Given any graph
    And there exists a procedure own.of(x :: <type>) :: (out :: STRING?):
      | x     | out   |
      | <row> | 'hit' |
    When executing query:
      """
      <query>
      """
    Then the result should be, in any order:
      | out   |
      | 'hit' |
    And no side effects

    Examples:
      | type     | row  | query                                      |
      | NUMBER?  | 42   | CALL own.of(42)                            |
      | NUMBER?  | 42   | CALL own.of(42) YIELD out RETURN out       |
      | NUMBER?  | 4.25 | CALL own.of(4.25)                          |
      | NUMBER?  | 4.25 | CALL own.of(4.25) YIELD out RETURN out     |
      | FLOAT?   | 42.0 | CALL own.of(42)                            |
      | FLOAT?   | 42.0 | CALL own.of(42) YIELD out RETURN out       |
      | FLOAT?   | 42.0 | CALL own.of(42.0) YIELD out RETURN out     |
      | INTEGER? | null | CALL own.of(null)                          |
      | STRING?  | null | CALL own.of(null) YIELD out RETURN out     |
      | FLOAT?   | null | CALL own.of(null)                          |
      | NUMBER?  | null | CALL own.of(null) YIELD out RETURN out     |
      | STRING?  | 'a'  | WITH 'a' AS s CALL own.of(s) YIELD out RETURN out |
      | STRING?  | 'a'  | CALL own.of('a') YIELD *                   |

  Scenario: [12] What a call yields can be grouped, joined and filtered
    Given an empty graph
    And having executed:
      """
      CREATE (:N {k: 'a'}), (:N {k: 'b'}), (:N {k: 'b'})
      """
    And there exists a procedure own.keys() :: (k :: STRING?):
      | k   |
      | 'b' |
      | 'a' |
      | 'z' |
    When executing query:
      """
      CALL own.keys() YIELD k
      OPTIONAL MATCH (n:N {k: k})
      WITH k, count(n) AS c WHERE c <> 1
      RETURN k, c ORDER BY k
      """
    Then the result should be, in order:
      | k   | c |
      | 'b' | 2 |
      | 'z' | 0 |
    And no side effects
