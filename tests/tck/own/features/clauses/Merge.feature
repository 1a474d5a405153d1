Feature: Merge - found or made

  Scenario: [1] Nothing there: a node is made
    Given an empty graph
    When executing query:
      """
      MERGE (a) RETURN count(*) AS n
      """
    Then the result should be, in any order:
      | n |
      | 1 |
    And the side effects should be:
      | +nodes | 1 |

  Scenario: [2] Nothing with that label: a node is made
    Given an empty graph
    And having executed:
      """
      CREATE (:Other)
      """
    When executing query:
      """
      MERGE (a:L) RETURN labels(a)
      """
    Then the result should be, in any order:
      | labels(a) |
      | ['L']     |
    And the side effects should be:
      | +nodes  | 1 |
      | +labels | 1 |

  Scenario: [3] What an earlier row made is found by a later one
    Given an empty graph
    When executing query:
      """
      UNWIND [1, 2, 1, 1, 3, 2] AS x
      MERGE (n:K {x: x}) ON CREATE SET n.made = true ON MATCH SET n.seen = coalesce(n.seen, 0) + 1
      RETURN x, n.seen AS seen
      """
    Then the result should be, in any order:
      | x | seen |
      | 1 | 2    |
      | 2 | 1    |
      | 1 | 2    |
      | 1 | 2    |
      | 3 | null |
      | 2 | 1    |
    And the side effects should be:
      | +nodes      | 3 |
      | +labels     | 1 |
      | +properties | 8 |

  Scenario: [4] Found many times is matched many times
    Given an empty graph
    And having executed:
      """
      CREATE (:K {x: 1}), (:K {x: 1}), (:K {x: 2})
      """
    When executing query:
      """
      MERGE (n:K {x: 1}) ON MATCH SET n.seen = true RETURN n.seen AS seen
      """
    Then the result should be, in any order:
      | seen |
      | true |
      | true |
    And the side effects should be:
      | +properties | 2 |

  Scenario: [5] ON MATCH and ON CREATE set labels, and copy properties of another entity
    Given an empty graph
    And having executed:
      """
      CREATE (:S {a: 1, b: 'x'}), (:K {id: 1})
      """
    When executing query:
      """
      MATCH (s:S)
      UNWIND [1, 2] AS i
      MERGE (k:K {id: i}) ON MATCH SET k:Old, k += s ON CREATE SET k:New, k.a = s.b
      RETURN k.id AS id, k.a AS a, labels(k) AS l
      """
    Then the result should be (ignoring element order for lists):
      | id | a   | l            |
      | 1  | 1   | ['K', 'Old'] |
      | 2  | 'x' | ['K', 'New'] |
    And the side effects should be:
      | +nodes      | 1 |
      | +labels     | 2 |
      | +properties | 4 |

  Scenario Outline: [6] Relationships: direction, type and properties decide what is found
    Given an empty graph
    And having executed:
      """
      CREATE (a:A)-[:T {p: 1}]->(b:B), (b)-[:T {p: 2}]->(a)
      """
    When executing query:
      """
      MATCH (a:A), (b:B) <merge> RETURN count(*) AS c
      """
    Then the result should be, in any order:
      | c   |
      | <c> |
    And the side effects should be:
      | +relationships | <edges> |
      | +properties    | <props> |
      | +nodes         | <nodes> |
      | +labels        | <labels> |

    Examples:
      | merge                                                 | c | edges | props | nodes | labels |
      | MERGE (a)-[r:T]->(b)                                  | 1 | 0     | 0     | 0     | 0      |
      | MERGE (a)-[r:T]-(b)                                   | 2 | 0     | 0     | 0     | 0      |
      | MERGE (b)-[r:T {p: 2}]->(a)                           | 1 | 0     | 0     | 0     | 0      |
      | MERGE (a)-[r:T {p: 2}]->(b)                           | 1 | 1     | 1     | 0     | 0      |
      | MERGE (a)-[r:T {p: 3}]-(b)                            | 1 | 1     | 1     | 0     | 0      |
      | MERGE (a)-[r:U]->(b)                                  | 1 | 1     | 0     | 0     | 0      |
      | MERGE (a)-[r:T]->(b)-[s:T]->(a)                       | 1 | 0     | 0     | 0     | 0      |
      | MERGE (a)-[r:T]->(b)-[s:T]->(c)                       | 1 | 0     | 0     | 0     | 0      |
      | MERGE (a)-[r:T]->(b)-[s:U]->(c)                       | 1 | 2     | 0     | 1     | 0      |
      | MERGE (a)-[r:T]->(x:B)                                | 1 | 0     | 0     | 0     | 0      |
      | MERGE (a)-[r:T]->(x:C)                                | 1 | 1     | 0     | 1     | 1      |
      | MERGE (a)-[r:T]->(a)                                  | 1 | 1     | 0     | 0     | 0      |
      | MERGE (a)-[r:T]->(b) ON MATCH SET r.q = 1             | 1 | 0     | 1     | 0     | 0      |
      | MERGE (a)-[r:U]->(b) ON CREATE SET r = {q: 1, w: 2}   | 1 | 1     | 2     | 0     | 0      |
      | MERGE (a)-[r:U]->(b) ON MATCH SET r.q = 1             | 1 | 1     | 0     | 0     | 0      |

  Scenario: [7] Merging a relationship and copying another's properties to it
    Given an empty graph
    And having executed:
      """
      CREATE (a:A {x: 1, y: 2}), (b:B), (a)-[:T {z: 3}]->(b)
      """
    When executing query:
      """
      MATCH (a:A)-[t:T]->(b:B) MERGE (a)-[r:T]->(b) ON MATCH SET r = a
      RETURN properties(r) AS p, t.z AS z
      """
    Then the result should be, in any order:
      | p            | z    |
      | {x: 1, y: 2} | null |
    And the side effects should be:
      | +properties | 2 |
      | -properties | 1 |
