Feature: Match - patterns on a graph with loops, parallel relationships and gaps in its properties

  Scenario Outline: [1] How often a pattern is found
    Given an empty graph
    And having executed:
      """
      CREATE (a:A {n: 1, s: 'x'}), (b:A:B {n: 2}), (c:B {n: 3, s: 'x'}), (d {n: 4}),
             (a)-[:T {w: 1}]->(b), (a)-[:T {w: 2}]->(b), (b)-[:T]->(c), (c)-[:U]->(a), (c)-[:U]->(c), (d)-[:V {w: 1}]->(a)
      """
    When executing query:
      """
      MATCH <pattern>
      RETURN count(*) AS c
      """
    Then the result should be, in any order:
      | c   |
      | <c> |
    And no side effects

    Examples:
      | pattern                                                        | c  |
      | (n)                                                            | 4  |
      | (n), (m)                                                       | 16 |
      | (:A:B)                                                         | 1  |
      | (n:A) WHERE n:B                                                | 1  |
      | (n:Nothing)                                                    | 0  |
      | (n {n: 2})                                                     | 1  |
      | (n {s: 'x', n: 3})                                             | 1  |
      | (n {s: null})                                                  | 0  |
      | (n) WHERE n.s IS NULL                                          | 2  |
      | (n) WHERE n.s <> 'x'                                           | 0  |
      | (n) WHERE NOT n.s = 'y'                                        | 2  |
      | (n) WHERE n.s = 'x' OR n.n > 3                                 | 3  |
      | (n) WHERE n.s = 'x' AND null                                   | 0  |
      | ()-->()                                                        | 6  |
      | ()--()                                                         | 11 |
      | (n)--(n)                                                       | 1  |
      | (n)-->(n)                                                      | 1  |
      | ()<-[:T]-()                                                    | 3  |
      | ()-[:T\|U]->()                                                 | 5  |
      | ()-[:T\|:U\|:T]-()                                             | 9  |
      | ()-[:W]->()                                                    | 0  |
      | ()-[{w: 1}]->()                                                | 2  |
      | ()-[:T {w: 1}]-()                                              | 2  |
      | ()-[r]->() WHERE r.w IS NULL                                   | 3  |
      | ()-[r]->() WHERE type(r) = 'U'                                 | 2  |
      | (:A)-[:T]->(:B)                                                | 3  |
      | (a)-->(b)-->(c)                                                | 9  |
      | (a)-->(b)-->(a)                                                | 0  |
      | (a)--(b)--(a)                                                  | 4  |
      | (a)-[r]->(b), (a)-[s]->(b)                                     | 2  |
      | (a)-[r]->(b) MATCH (a)-[s]->(b)                                | 8  |
      | (a)-[:T]->(b)-[:T]->(c)-[:U]->(a)                              | 2  |
      | (a)-[*]->(b {n: 4})                                            | 0  |
      | (a {n: 4})-[*]->(b)                                            | 15 |
      | (a {n: 1})-[*0..1]->(b)                                        | 3  |
      | (a {n: 1})-[*0]->(b)                                           | 1  |
      | (a {n: 1})-[*0..0]-(b)                                         | 1  |
      | (a {n: 1})-[:T*2]->(b)                                         | 2  |
      | (a {n: 1})-[:T*..2]->(b)                                       | 4  |
      | (a {n: 1})-[:T*2..]->(b)                                       | 2  |
      | (a {n: 1})-[:T*3..2]->(b)                                      | 0  |
      | (a {n: 1})-[:T*..0]->(b)                                       | 0  |
      | (a {n: 1})-[:T* {w: 1}]->(b)                                   | 1  |
      | (a {n: 4})-[:V]->()-[:T*1..2]->(b)                             | 4  |
      | (a {n: 4})-[:V*1..1]->()-[:T*0..1]->(b)                        | 3  |
      | (a)-[:T*0..]->(b) WHERE a <> b                                 | 5  |
      | p = (a {n: 1})-[:T*]->(b) WHERE length(p) = 2                  | 2  |
      | p = (a)-->(b) WHERE length(p) > 1                              | 0  |
      | (a:A) WHERE (a)-[:T]->(:B)                                     | 2  |
      | (a) WHERE NOT (a)-[:T]->()                                     | 2  |
      | (a) WHERE (a)-[:U]->() AND (a)<-[:T]-()                        | 1  |
      | (a) WHERE (a)-[:U]->() OR (a)-[:V]->()                         | 2  |
      | (a) WHERE (a)-[:T*2]->()                                       | 1  |
      | (a), (b) WHERE (a)-[:T]-(b)                                    | 4  |
      | (a), (b) WHERE (a)-[:T]->(b) AND a.n < b.n                     | 2  |
      | (a), (b) WHERE (a)-[:T*]->(b) AND NOT (a)-[:T]->(b)            | 1  |
      | (a {n: 1}) OPTIONAL MATCH (a)-[:W]->(b)                        | 1  |
      | (a {n: 1}) OPTIONAL MATCH (a)-[:T]->(b)                        | 2  |
      | (a) OPTIONAL MATCH (a)-[:T]->(b) WHERE b.n = 3                 | 4  |
      | (a) OPTIONAL MATCH (a)-[r:U]->(a)                              | 4  |
      | (a) OPTIONAL MATCH (a)-[:W]->(b) MATCH (b)-->()                | 0  |
      | (a)-[r]->(b) WITH r MATCH ()-[r]->()                           | 6  |
      | (a)-[r]->(b) WITH r MATCH ()-[r]-()                            | 11 |
      | (a)-[r:T]->(b) WITH a, r, b MATCH (b)-[r]->(a)                 | 0  |
      | (a)-[r:T]->(b) WITH a, r, b MATCH (b)<-[r]-(a)                 | 3  |
      | (a)-[r:T]->(b) WITH r MATCH ()-[r:U]->()                       | 0  |
      | (a)-[r:T*2]->(b) WITH a, r, b MATCH (a)-[r*]->(b)              | 2  |
      | (a:A) MATCH (a:B)                                              | 1  |

  Scenario: [2] Paths are given as they were walked
    Given an empty graph
    And having executed:
      """
      CREATE (:A {n: 1})-[:T]->(:B {n: 2})<-[:U]-(:C {n: 3})
      """
    When executing query:
      """
      MATCH p = (:C)-->()<--(:A), q = (:A), r = (:A)-[*0..1]->() RETURN p, q, r, length(p) AS l
      """
    Then the result should be, in any order:
      | p                                                          | q             | r                                 | l |
      | <(:C {n: 3})-[:U]->(:B {n: 2})<-[:T]-(:A {n: 1})>          | <(:A {n: 1})> | <(:A {n: 1})>                     | 2 |
    And no side effects

  Scenario: [3] What an optional pattern does not find is null, with its paths
    Given an empty graph
    And having executed:
      """
      CREATE (:A)
      """
    When executing query:
      """
      MATCH (a:A) OPTIONAL MATCH p = (a)-[r:T]->(b) OPTIONAL MATCH (b)-->(c)
      RETURN a, p, r, b, c, b.x AS x, type(r) AS t, labels(b) AS l, nodes(p) AS n, a:A AS is, b:A AS isnt
      """
    Then the result should be, in any order:
      | a    | p    | r    | b    | c    | x    | t    | l    | n    | is   | isnt |
      | (:A) | null | null | null | null | null | null | null | null | true | null |
    And no side effects

  Scenario Outline: [4] Comprehensions over patterns
    Given an empty graph
    And having executed:
      """
      CREATE (a:A {n: 1})-[:T {w: 5}]->(b:B {n: 2})-[:T {w: 6}]->(c:B {n: 3}), (a)-[:U {w: 7}]->(c)
      """
    When executing query:
      """
      MATCH (a:A) RETURN <list> AS l
      """
    Then the result should be (ignoring element order for lists):
      | l   |
      | <l> |
    And no side effects

    Examples:
      | list                                            | l                |
      | [(a)-->(b) \| b.n]                              | [2, 3]           |
      | [(a)-[r]->() \| r.w]                            | [5, 7]           |
      | [(a)-[r:T]->(b) WHERE b.n > 5 \| r]             | []               |
      | [(a)-[:T*]->(b) \| b.n]                         | [2, 3]           |
      | [(a)-[:T*2]->(b:B) \| b {.n, k: a.n}]           | [{n: 3, k: 1}]   |
      | [p = (a)-->() \| length(p)]                     | [1, 1]           |
      | [p = (a)-[*]->(:B {n: 3}) \| length(p)]         | [1, 2]           |
      | size([(a)-->(b) WHERE (b)-->() \| 1])           | 1                |
      | [x IN [(a)-->(b) \| b.n] WHERE x > 2]           | [3]              |
      | [(:B)-[r]->(:B) \| r.w]                         | [6]              |
      | keys(a)                                         | ['n']            |
      | labels(a) + [(a)-->(b) \| labels(b)[0]]         | ['A', 'B', 'B']  |
      | [k IN keys(a) \| a[k]]                          | [1]              |
      | properties(a)                                   | {n: 1}           |
