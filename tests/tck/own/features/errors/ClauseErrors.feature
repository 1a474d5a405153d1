Feature: ClauseErrors - clauses that cannot be put together, and arguments a clause cannot take

  Scenario Outline: [1] Patterns of MATCH
    Given any graph
    When executing query:
      """
      <query>
      """
    Then a SyntaxError should be raised at compile time: <detail>

    Examples:
      | query                                          | detail                     |
      | MATCH (n $p) RETURN n                          | InvalidParameterUse        |
      | MATCH (n:L $p) RETURN n                        | InvalidParameterUse        |
      | MATCH ()-[r $p]->() RETURN r                   | InvalidParameterUse        |
      | MATCH ()-[r:T $p]-() RETURN r                  | InvalidParameterUse        |
      | MERGE (n $p) RETURN n                          | InvalidParameterUse        |
      | MERGE (n:L $p) RETURN n                        | InvalidParameterUse        |
      | MERGE (a)-[r:T $p]->(b) RETURN r               | InvalidParameterUse        |
      | MATCH (a)-[:T*-1]->(b) RETURN a                | InvalidRelationshipPattern |
      | MATCH (a)-[:T*-2..]->(b) RETURN a              | InvalidRelationshipPattern |
      | MATCH (a)-[:T*..-2]->(b) RETURN a              | InvalidRelationshipPattern |
      | MATCH (a)-[:T..]->(b) RETURN a                 | InvalidRelationshipPattern |

  Scenario Outline: [2] Patterns of CREATE and MERGE
    Given any graph
    When executing query:
      """
      <query>
      """
    Then a SyntaxError should be raised at compile time: <detail>

    Examples:
      | query                                       | detail                       |
      | CREATE ()-->()                              | NoSingleRelationshipType     |
      | CREATE ()-[r]->()                           | NoSingleRelationshipType     |
      | CREATE (a)-[r {p: 1}]->(b)                  | NoSingleRelationshipType     |
      | CREATE ()-[:A\|:B]->()                      | NoSingleRelationshipType     |
      | CREATE ()-[:A\|B]->()                       | NoSingleRelationshipType     |
      | CREATE (a)-[:A]->(b)-->(c)                  | NoSingleRelationshipType     |
      | MATCH (a), (b) MERGE (a)-->(b)              | NoSingleRelationshipType     |
      | MERGE (a)-[r]->(b)                          | NoSingleRelationshipType     |
      | MERGE (a)-[:A\|:B]->(b)                     | NoSingleRelationshipType     |
      | MERGE (a)-[:A\|B]->(b)                      | NoSingleRelationshipType     |
      | CREATE (a)-[:A]-(b)                         | RequiresDirectedRelationship |
      | CREATE (a)<-[:A]->(b)                       | RequiresDirectedRelationship |
      | CREATE (a)-[:A]->(b)-[:A]-(c)               | RequiresDirectedRelationship |
      | MATCH (a), (b) CREATE (a)-[r:A]-(b)         | RequiresDirectedRelationship |
      | CREATE ()-[:A*2]->()                        | CreatingVarLength            |
      | CREATE ()-[:A*]->()                         | CreatingVarLength            |
      | CREATE (a)-[r:A*1..3]->(b)                  | CreatingVarLength            |
      | MERGE (a)-[:A*2]->(b)                       | CreatingVarLength            |
      | MATCH (a), (b) MERGE (a)-[:A*1..2]->(b)     | CreatingVarLength            |

  Scenario Outline: [3] SKIP and LIMIT take an integer that is not negative
    Given any graph
    When executing query:
      """
      <query>
      """
    Then a SyntaxError should be raised at compile time: <detail>

    Examples:
      | query                                         | detail                  |
      | MATCH (n) RETURN n SKIP -1                    | NegativeIntegerArgument |
      | MATCH (n) RETURN n LIMIT -1                   | NegativeIntegerArgument |
      | MATCH (n) RETURN n ORDER BY n.p LIMIT -1      | NegativeIntegerArgument |
      | MATCH (n) RETURN n ORDER BY n.p SKIP -10      | NegativeIntegerArgument |
      | MATCH (n) WITH n LIMIT -1 RETURN n            | NegativeIntegerArgument |
      | MATCH (n) WITH n SKIP -3 RETURN n             | NegativeIntegerArgument |
      | MATCH (n) RETURN n SKIP 1.5                   | InvalidArgumentType     |
      | MATCH (n) RETURN n LIMIT 1.5                  | InvalidArgumentType     |
      | MATCH (n) RETURN n ORDER BY n.p LIMIT 1.5     | InvalidArgumentType     |
      | MATCH (n) RETURN n LIMIT 'x'                  | InvalidArgumentType     |
      | MATCH (n) WITH n LIMIT 1.0 RETURN n           | InvalidArgumentType     |
      | MATCH (n) WITH n SKIP 0.5 RETURN n            | InvalidArgumentType     |

  Scenario Outline: [4] The same for parameters, while it runs
    Given an empty graph
    And having executed:
      """
      CREATE ({p: 1}), ({p: 2})
      """
    And parameters are:
      | negative | -1  |
      | float    | 1.5 |
    When executing query:
      """
      <query>
      """
    Then a SyntaxError should be raised at runtime: <detail>

    Examples:
      | query                                            | detail                  |
      | MATCH (n) RETURN n.p AS p SKIP $negative         | NegativeIntegerArgument |
      | MATCH (n) RETURN n.p AS p LIMIT $negative        | NegativeIntegerArgument |
      | MATCH (n) RETURN n.p AS p ORDER BY p LIMIT $negative | NegativeIntegerArgument |
      | MATCH (n) RETURN n.p AS p ORDER BY p SKIP $negative  | NegativeIntegerArgument |
      | MATCH (n) WITH n LIMIT $negative RETURN n        | NegativeIntegerArgument |
      | MATCH (n) RETURN n.p AS p SKIP $float            | InvalidArgumentType     |
      | MATCH (n) RETURN n.p AS p LIMIT $float           | InvalidArgumentType     |
      | MATCH (n) RETURN n.p AS p ORDER BY p LIMIT $float | InvalidArgumentType     |
      | MATCH (n) WITH n SKIP $float RETURN n            | InvalidArgumentType     |

  Scenario Outline: [5] The halves of a UNION have the same columns and one kind of UNION joins them
    Given any graph
    When executing query:
      """
      <query>
      """
    Then a SyntaxError should be raised at compile time: <detail>

    Examples:
      | query                                                                 | detail                   |
      | RETURN 1 AS a UNION RETURN 2 AS b                                     | DifferentColumnsInUnion  |
      | RETURN 1 AS a UNION ALL RETURN 2 AS b                                 | DifferentColumnsInUnion  |
      | RETURN 1 AS a UNION RETURN 1 AS a, 2 AS b                             | DifferentColumnsInUnion  |
      | RETURN 1 AS a UNION ALL RETURN 1 AS a UNION ALL RETURN 2 AS b         | DifferentColumnsInUnion  |
      | MATCH (n) RETURN n UNION MATCH (m) RETURN m                           | DifferentColumnsInUnion  |
      | RETURN 1 AS a UNION RETURN 2 AS a UNION ALL RETURN 3 AS a             | InvalidClauseComposition |
      | RETURN 1 AS a UNION ALL RETURN 2 AS a UNION RETURN 3 AS a             | InvalidClauseComposition |
      | MATCH (n) RETURN n AS a UNION ALL MATCH (n) RETURN n AS a UNION RETURN 3 AS a | InvalidClauseComposition |

  Scenario Outline: [6] DELETE takes what can be deleted
    Given any graph
    When executing query:
      """
      <query>
      """
    Then a SyntaxError should be raised at compile time: <detail>

    Examples:
      | query                            | detail              |
      | MATCH (n) DELETE n:L             | InvalidDelete       |
      | MATCH (n) DETACH DELETE n:L      | InvalidDelete       |
      | MATCH ()-[r:T]->() DELETE r:T    | InvalidDelete       |
      | MATCH (n) DELETE 1               | InvalidArgumentType |
      | MATCH (n) DELETE 1 + 1           | InvalidArgumentType |
      | MATCH (n) DELETE 'n'             | InvalidArgumentType |
      | MATCH (n) DELETE true            | InvalidArgumentType |

  Scenario Outline: [7] Texts that are no query
    Given any graph
    When executing query:
      """
      <query>
      """
    Then a SyntaxError should be raised at compile time: <detail>

    Examples:
      | query                                | detail                  |
      | RETURN 1 +                           | UnexpectedSyntax        |
      | RETURN (1                            | UnexpectedSyntax        |
      | RETURN [1, 2                         | UnexpectedSyntax        |
      | RETURN [1, 2]]                       | UnexpectedSyntax        |
      | RETURN [[1, 2]                       | UnexpectedSyntax        |
      | RETURN [1 2]                         | UnexpectedSyntax        |
      | RETURN {a: 1                         | UnexpectedSyntax        |
      | RETURN {a 1}                         | UnexpectedSyntax        |
      | RETURN {1: 1}                        | UnexpectedSyntax        |
      | RETURN {,}                           | UnexpectedSyntax        |
      | RETURN {a: 1,}                       | UnexpectedSyntax        |
      | RETURN {a: {b: 1}                    | UnexpectedSyntax        |
      | RETURN {a: b: 1}                     | UnexpectedSyntax        |
      | RETURN {1, a: 2}                     | UnexpectedSyntax        |
      | RETURN {a.b: 2}                      | UnexpectedSyntax        |
      | RETURN {[1]}                         | UnexpectedSyntax        |
      | RETURN {{a: 1}}                      | UnexpectedSyntax        |
      | RETURN [,]                           | UnexpectedSyntax        |
      | RETURN [1,]                          | UnexpectedSyntax        |
      | RETURN 1 AS                          | UnexpectedSyntax        |
      | RETURN 'abc                          | UnexpectedSyntax        |
      | RETURN 1..2                          | UnexpectedSyntax        |
      | MATCH (n RETURN n                    | UnexpectedSyntax        |
      | MATCH (n)-[r->() RETURN n            | UnexpectedSyntax        |
      | MATCH n RETURN n                     | UnexpectedSyntax        |
      | MATCH (n) WHERE RETURN n             | UnexpectedSyntax        |
      | MATCH (n) RETURN n ORDER n.p         | UnexpectedSyntax        |
      | MATCH (n) RETURN n LIMIT             | UnexpectedSyntax        |
      | CREATE (n {p: 1)                     | UnexpectedSyntax        |
      | FOO BAR                              | UnexpectedSyntax        |
      | RETURN '\u123'                       | InvalidUnicodeLiteral   |
      | RETURN '\uH'                         | InvalidUnicodeLiteral   |
      | RETURN '\u00G0'                      | InvalidUnicodeLiteral   |
      | RETURN 9223372036854775808           | IntegerOverflow         |
      | RETURN -9223372036854775809          | IntegerOverflow         |
      | RETURN 99999999999999999999999       | IntegerOverflow         |
      | RETURN 0x8000000000000000            | IntegerOverflow         |
      | RETURN -0x8000000000000001           | IntegerOverflow         |
      | RETURN 0o1000000000000000000000      | IntegerOverflow         |
      | RETURN -0o1000000000000000000001     | IntegerOverflow         |
      | RETURN 1.34E999                      | FloatingPointOverflow   |
      | RETURN -1E400                        | FloatingPointOverflow   |
      | RETURN 0x                            | InvalidNumberLiteral    |
      | RETURN 0xG1                          | InvalidNumberLiteral    |
      | RETURN 0x1A2b3j4D5E6f7               | InvalidNumberLiteral    |
      | RETURN 0x1A2b3Z4D5E6f7               | InvalidNumberLiteral    |
      | RETURN 0o8                           | InvalidNumberLiteral    |
      | RETURN 92233720368547758h8           | InvalidNumberLiteral    |
      | RETURN 12a                           | InvalidNumberLiteral    |
      | RETURN foo(1)                        | UnknownFunction         |
      | RETURN foo()                         | UnknownFunction         |
      | MATCH (n) WHERE foo(n) RETURN n      | UnknownFunction         |
      | WITH nosuch.function(1) AS a RETURN a | UnknownFunction        |

  Scenario Outline: [8] Pattern as a value where none may stand
    Given any graph
    When executing query:
      """
      <query>
      """
    Then a SyntaxError should be raised at compile time: UnexpectedSyntax

    Examples:
      | query                                       |
      | MATCH (n) RETURN (n)-->()                   |
      | MATCH (n) RETURN (n)-[]->() AS x            |
      | MATCH (n) WITH (n)-->() AS x RETURN x       |
      | MATCH (n) SET n.p = (n)-->()                |
      | MATCH (n) SET n.p = head(nodes(head((n)-[:T]->()))).q |
      | MATCH (n) RETURN size((n)-->())             |
      | MATCH (n) WITH size((n)--()) AS x RETURN x  |
      | MATCH (n) UNWIND (n)-->() AS x RETURN x     |

  Scenario Outline: [9] Deleting what still has relationships, and reading what is deleted
    Given an empty graph
    And having executed:
      """
      CREATE (:A {p: 1})-[:T {q: 2}]->(:B)
      """
    When executing query:
      """
      <query>
      """
    Then a <type> should be raised at runtime: <detail>

    Examples:
      | query                                                       | type                         | detail              |
      | MATCH (n:A) DELETE n                                        | ConstraintVerificationFailed | DeleteConnectedNode |
      | MATCH (n) WITH n LIMIT 1 DELETE n                           | ConstraintVerificationFailed | DeleteConnectedNode |
      | MATCH (n:B) WITH [n] AS l DELETE l[0]                       | ConstraintVerificationFailed | DeleteConnectedNode |
      | MATCH (n:A) DETACH DELETE n RETURN n.p                      | EntityNotFound               | DeletedEntityAccess |
      | MATCH (n:A) DETACH DELETE n RETURN labels(n)                | EntityNotFound               | DeletedEntityAccess |
      | MATCH ()-[r]->() DELETE r RETURN r.q                        | EntityNotFound               | DeletedEntityAccess |
      | MATCH (n:A) DETACH DELETE n RETURN n['p'] AS x              | EntityNotFound               | DeletedEntityAccess |
      | MATCH (n:A) DETACH DELETE n WITH n RETURN n.p AS x          | EntityNotFound               | DeletedEntityAccess |
      | MATCH (n:A)-[r]->() DELETE r WITH r WHERE r.q = 2 RETURN 1  | EntityNotFound               | DeletedEntityAccess |

  Scenario Outline: [10] Null cannot be merged
    Given any graph
    When executing query:
      """
      <query>
      """
    Then a SemanticError should be raised at runtime: MergeReadOwnWrites

    Examples:
      | query                                            |
      | MERGE ({p: null})                                |
      | MERGE (n:L {p: null, q: 1})                      |
      | CREATE (a), (b) MERGE (a)-[r:T {p: null}]->(b)   |
      | UNWIND [null] AS x MERGE ({p: x})                |

  Scenario Outline: [11] Values that cannot be properties
    Given any graph
    When executing query:
      """
      <query>
      """
    Then a TypeError should be raised at runtime: InvalidPropertyType

    Examples:
      | query                                        |
      | CREATE (n) SET n.p = [{a: 1}]                |
      | CREATE (n) SET n.p = {a: 1}                  |
      | CREATE (n) SET n.p = [1, {a: 1}]             |
      | CREATE ({p: {}})                             |
      | CREATE ({p: [[{}]]})                         |
      | CREATE ()-[:T {p: {a: 1}}]->()               |
