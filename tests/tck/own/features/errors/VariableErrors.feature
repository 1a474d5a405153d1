# Names: what is bound, what is not, and what a name may stand for.
Feature: VariableErrors - refusals about names, all before anything is read

  Scenario Outline: [1] A name that stands for one kind of thing cannot stand for another in a pattern
    Given any graph
    When executing query:
      """
      <query>
      """
    Then a SyntaxError should be raised at compile time: VariableTypeConflict

    Examples:
      | query                                                            |
      | MATCH (e)-[e]->() RETURN e                                       |
      | MATCH ()-[e]->(e) RETURN e                                       |
      | MATCH (e)-[e]-(e) RETURN e                                       |
      | MATCH (), ()<-[e]-(e) RETURN e                                   |
      | MATCH (e), ()-[e]-() RETURN e                                    |
      | MATCH ()-[e]-(), (e) RETURN e                                    |
      | MATCH ()-[e*]->(e) RETURN e                                      |
      | MATCH ()-[e*..2]->(), ()-->(e) RETURN e                          |
      | MATCH ()-[e]->() MATCH (e) RETURN e                              |
      | MATCH ()-[e]->() MATCH (e)-->() RETURN e                         |
      | MATCH ()-[e]->(), ()-[f]->() MATCH ()-->(f) RETURN e             |
      | MATCH (e) MATCH ()-[e]->() RETURN e                              |
      | MATCH (e) MATCH (a)-[f]->(b)-[e]->(c) RETURN e                   |
      | MATCH e = ()-->() MATCH (e) RETURN e                             |
      | MATCH e = ()-->() MATCH ()-[e]->() RETURN e                      |
      | MATCH e = ()-[*]->() MATCH (a)-->(e)-->(b) RETURN e              |
      | MATCH e = ()-->(), (e)-->() RETURN e                             |
      | MATCH e = ()-->(), ()-[e]->() RETURN e                           |
      | MATCH (n) WITH [n] AS many MATCH (many)-->(m) RETURN m           |
      | MATCH (n) WITH {n: n} AS held MATCH (held) RETURN held           |
      | MATCH ()-[r]->() WITH r.p AS p, r AS r MATCH (r) RETURN p        |
      | WITH 1 AS n MATCH (n) RETURN n                                   |
      | WITH 1.5 AS n MATCH (n)-->() RETURN n                            |
      | WITH 'x' AS n MATCH ()-->(n) RETURN n                            |
      | WITH [1] AS n MATCH (n) RETURN n                                 |
      | WITH {a: 1} AS r MATCH ()-[r]->() RETURN r                       |
      | WITH true AS r MATCH ()-[r]->() RETURN r                         |
      | WITH 'x' AS r MATCH ()-[r]-() RETURN r                           |
      | MATCH (n) OPTIONAL MATCH ()-[n]->() RETURN n                     |
      | MATCH ()-[r]->() CREATE (r)-[:T]->()                             |
      | MATCH p = ()-->() CREATE (p)-[:T]->()                            |

  Scenario Outline: [2] A name that is bound cannot be bound again
    Given any graph
    When executing query:
      """
      <query>
      """
    Then a SyntaxError should be raised at compile time: VariableAlreadyBound

    Examples:
      | query                                                       |
      | MATCH (p) MATCH p = ()-->() RETURN p                        |
      | MATCH ()-[p]->() MATCH p = ()-->() RETURN p                 |
      | MATCH p = ()-->() MATCH p = ()-->() RETURN p                |
      | MATCH p = (p)-->() RETURN p                                 |
      | MATCH p = ()-[p]->() RETURN p                               |
      | WITH 1 AS p MATCH p = () RETURN p                           |
      | CREATE (n) CREATE (n)                                       |
      | CREATE (n), (n)                                             |
      | MATCH (n) CREATE (n)                                        |
      | MATCH (n) CREATE (n:L)                                      |
      | MATCH (n) CREATE (n {a: 1})                                 |
      | MATCH (n) CREATE (n:L)-[:T]->()                             |
      | MATCH (n) CREATE (n {a: 1})-[:T]->()                        |
      | MATCH (n) CREATE ()-[:T]->(n:L)                             |
      | CREATE (n:A)-[:T]->(n:B)                                    |
      | CREATE (n)-[:T]->(n {a: 1})                                 |
      | MATCH ()-[r]->() CREATE ()-[r]->()                          |
      | MATCH ()-[r]->() CREATE ()-[r:T]->()                        |
      | CREATE ()-[r:T]->(), ()-[r:T]->()                           |
      | MATCH (n) MERGE (n)                                         |
      | MATCH (n) MERGE (n:L)                                       |
      | MATCH (n) MERGE (n:L)-[:T]->()                              |
      | MATCH (n) MERGE (n {a: 1})-[:T]->(m)                        |
      | MATCH (a)-[r]->(b) MERGE (a)-[r:T]->(b)                     |
      | MATCH ()-[r]->() MERGE ()-[r:T]->()                         |
      | CREATE (a)-[r:T]->(b) MERGE (a)-[r:T]->(b)                  |
      | UNWIND [1] AS x UNWIND [2] AS x RETURN x                    |
      | MATCH (x) UNWIND [2] AS x RETURN x                          |
      | WITH 1 AS x UNWIND [x] AS x RETURN x                        |

  Scenario Outline: [3] A name that nobody bound is refused wherever it stands
    Given any graph
    When executing query:
      """
      <query>
      """
    Then a SyntaxError should be raised at compile time: UndefinedVariable

    Examples:
      | query                                                        |
      | RETURN a                                                     |
      | RETURN a.b                                                   |
      | RETURN [1, a]                                                |
      | RETURN {k: a}                                                |
      | RETURN size([a])                                             |
      | RETURN [x IN [1] WHERE y \| x]                               |
      | RETURN [x IN [1] \| y]                                       |
      | RETURN [x IN [1] \| x] + x                                   |
      | RETURN all(x IN [1] WHERE y = 1)                             |
      | RETURN any(x IN y WHERE x = 1)                               |
      | RETURN none(x IN [1] WHERE x = 1) AND x = 1                  |
      | RETURN single(x IN x WHERE x = 1)                            |
      | RETURN CASE WHEN a THEN 1 ELSE 2 END                         |
      | RETURN CASE 1 WHEN 1 THEN a END                              |
      | RETURN reduce(s = t, x IN [1] \| s + x)                      |
      | RETURN reduce(s = 0, x IN [1] \| t + x)                      |
      | UNWIND a AS x RETURN x                                       |
      | UNWIND [a] AS x RETURN x                                     |
      | WITH a AS b RETURN b                                         |
      | WITH 1 AS b RETURN a                                         |
      | WITH 1 AS b WHERE a = 1 RETURN b                             |
      | MATCH (n) WHERE m.p = 1 RETURN n                             |
      | MATCH (n {p: m}) RETURN n                                    |
      | MATCH (n {p: m.p}) RETURN n                                  |
      | MATCH ()-[r {p: s.p}]->() RETURN r                           |
      | MATCH (n) WHERE m RETURN n                                   |
      | MATCH (n) WHERE n.p IN m RETURN n                            |
      | MATCH (n) WITH n.p AS p RETURN n                             |
      | MATCH (n) WITH count(*) AS c RETURN n, c                     |
      | MATCH (n) RETURN n ORDER BY m                                |
      | MATCH (n) RETURN n.p AS p ORDER BY q.p                       |
      | MATCH (n) WITH n.p AS p ORDER BY q RETURN p                  |
      | MATCH (n) RETURN DISTINCT n.p AS p ORDER BY n.q              |
      | MATCH (n) RETURN n.p AS p, count(*) AS c ORDER BY n.q        |
      | MATCH (n) WITH DISTINCT n.p AS p ORDER BY n.q RETURN p       |
      | MATCH (n) WITH DISTINCT n.p AS p WHERE n.q = 1 RETURN p      |
      | CREATE (n {p: m})                                            |
      | CREATE (n {p: m.p})                                          |
      | CREATE ()-[:T {p: m}]->()                                    |
      | MERGE (n {p: m})                                             |
      | MERGE (n) ON CREATE SET m.p = 1                              |
      | MERGE (n) ON CREATE SET n.p = m.p                            |
      | MERGE (n) ON MATCH SET m.p = 1                               |
      | MERGE (n) ON MATCH SET n.p = m                               |
      | MERGE (n) ON MATCH SET n += m                                |
      | MERGE (a)-[r:T]->(b) ON CREATE SET s.p = 1                   |
      | MERGE (a)-[r:T]->(b) ON MATCH SET s.p = 1                    |
      | MATCH (n) SET m.p = 1                                        |
      | MATCH (n) SET n.p = m                                        |
      | MATCH (n) SET m:L                                            |
      | MATCH (n) SET m = {p: 1}                                     |
      | MATCH (n) SET n += m                                         |
      | MATCH (n) SET n = m                                          |
      | MATCH (n) REMOVE m.p                                         |
      | MATCH (n) REMOVE m:L                                         |
      | MATCH (n) DELETE m                                           |
      | MATCH (n) DETACH DELETE m                                    |
      | MATCH (n) DELETE [n, m][0]                                   |
      | MATCH (n) FOREACH (x IN y \| SET n.p = 1)                    |
      | MATCH (n) FOREACH (x IN [1] \| SET n.p = y)                  |
      | MATCH (n) WHERE (n)-->(m) RETURN n                           |
      | MATCH (n) WHERE (n)-[r]->() RETURN n                         |
      | MATCH (n) WHERE exists((n)-->(m)) RETURN n                   |
      | RETURN [(n)-->(m {p: q}) \| m]                               |
      | MATCH (n) RETURN [(n)-->(m) WHERE q.p = 1 \| m]              |
      | MATCH (n) RETURN [(n)-->(m) \| q]                            |
      | MATCH (n) RETURN [(n)-->(m) \| m] AS l, m                    |
      | MATCH (n) WITH 1 AS a WHERE n.p = 1 WITH a RETURN n          |

  Scenario Outline: [4] One column's name belongs to one column
    Given any graph
    When executing query:
      """
      <query>
      """
    Then a SyntaxError should be raised at compile time: ColumnNameConflict

    Examples:
      | query                                        |
      | RETURN 1 AS a, 2 AS a                        |
      | RETURN 1, 1                                  |
      | RETURN 1 AS a, 2 AS b, 3 AS a                |
      | RETURN DISTINCT 1 AS a, 2 AS a               |
      | WITH 1 AS a, 2 AS a RETURN a                 |
      | WITH DISTINCT 1 AS a, 2 AS a RETURN a        |
      | MATCH (n) RETURN n, n                        |
      | MATCH (n) RETURN n.p AS n, n                 |
      | MATCH (n) WITH n, n.p AS n RETURN n          |
      | RETURN count(*) AS c, sum(1) AS c            |

  Scenario Outline: [5] What WITH hands on has a name
    Given any graph
    When executing query:
      """
      <query>
      """
    Then a SyntaxError should be raised at compile time: NoExpressionAlias

    Examples:
      | query                                      |
      | WITH 1 RETURN 1                            |
      | WITH 1 AS a, 2 RETURN a                    |
      | MATCH (n) WITH n.p RETURN n                |
      | MATCH (n) WITH n, count(*) RETURN n        |
      | MATCH (n) WITH DISTINCT n.p RETURN 1 AS a  |
      | WITH [1, 2] RETURN 1 AS a                  |
      | UNWIND [1] AS x WITH x, x + 1 RETURN x     |
      | MATCH (n) WITH size(collect(n)) RETURN 1   |
      | MATCH (n) WITH n:L RETURN n                |

  Scenario Outline: [6] A star asks for at least one name in scope
    Given any graph
    When executing query:
      """
      <query>
      """
    Then a SyntaxError should be raised at compile time: NoVariablesInScope

    Examples:
      | query                       |
      | RETURN *                    |
      | MATCH () RETURN *           |
      | MATCH ()-->() RETURN *      |

  Scenario Outline: [7] One relationship cannot be two of a pattern's
    Given any graph
    When executing query:
      """
      <query>
      """
    Then a SyntaxError should be raised at compile time: RelationshipUniquenessViolation

    Examples:
      | query                                            |
      | MATCH (a)-[r]->(b)-[r]->(c) RETURN r             |
      | MATCH (a)-[r]->()-[r]->(a) RETURN r              |
      | MATCH (a)-[r]->(b), (c)-[r]->(d) RETURN r        |
      | MATCH (a)-[r]-(b)<-[r]-(c) RETURN r              |
      | MATCH (a)-[r:A]->(b), (b)-[r:A]->(c) RETURN r    |
