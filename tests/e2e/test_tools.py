"""What consoles, user interfaces, object mappers and language model toolkits send by themselves, in the columns that they read.

The tools were watched at work (neomodel 6, gqlalchemy 1.10, langchain-neo4j, langchain-memgraph, neo4j-graphrag, cypher-shell's and
Neo4j Browser's documentation); the queries here are of our own wording and ask the same."""

import pytest

# By tool: the query, and the columns that it reads by name.
ASKED = {
    "cypher-shell": [
        ("CALL db.ping()", ["success"]),
        ("CALL dbms.components() YIELD versions", ["versions"]),
    ],
    "Neo4j Browser": [
        ("CALL dbms.components() YIELD name, versions, edition", ["name", "versions", "edition"]),
        ("SHOW DATABASES YIELD name, address, role, currentStatus, default, home", ["name", "address", "role", "currentStatus", "default", "home"]),
        ("CALL db.labels() YIELD label RETURN {name: 'labels', data: collect(label)[..1000]} AS result UNION ALL "
         "CALL db.relationshipTypes() YIELD relationshipType RETURN {name: 'types', data: collect(relationshipType)[..1000]} AS result UNION ALL "
         "CALL db.propertyKeys() YIELD propertyKey RETURN {name: 'keys', data: collect(propertyKey)[..1000]} AS result", ["result"]),
        ("MATCH () RETURN {name: 'nodes', data: count(*)} AS result UNION ALL MATCH ()-[]->() RETURN {name: 'relationships', data: count(*)} AS result", ["result"]),
        ("SHOW PROCEDURES YIELD name, description, signature", ["name", "description", "signature"]),
        ("SHOW FUNCTIONS YIELD name, description, signature", ["name", "description", "signature"]),
        ("CALL dbms.procedures()", ["name", "signature", "description", "mode", "worksOnSystem"]),
        ("CALL dbms.functions() YIELD name, signature, description", ["name", "signature", "description"]),
        ("CALL dbms.clientConfig()", ["name", "description", "value", "dynamic"]),
        ("CALL dbms.listConfig()", ["name", "description", "value", "dynamic"]),
        ("CALL dbms.listConfig('bolt') YIELD name, value", ["name", "value"]),
        ("CALL dbms.showCurrentUser()", ["username", "roles", "flags"]),
        ("SHOW CURRENT USER", ["user"]),
        ("SHOW HOME DATABASE YIELD name, home", ["name", "home"]),
        ("SHOW DEFAULT DATABASE", ["name", "type", "aliases", "access", "address", "role", "writer", "requestedStatus", "currentStatus",
                                   "statusMessage", "default", "home", "constituents"]),
        ("CALL db.schema.visualization()", ["nodes", "relationships"]),
        ("CALL db.indexes() YIELD name, type", ["name", "type"]),
        ("CALL db.constraints() YIELD name, description", ["name", "description"]),
    ],
    "Memgraph Lab": [
        ("SHOW VERSION", ["version"]),
        ("SHOW STORAGE INFO", ["storage info", "value"]),
        ("SHOW DATABASES", ["Name"]),
        ("SHOW DATABASE", ["Current"]),
        ("SHOW INDEX INFO", ["index type", "label", "property", "count"]),
        ("SHOW CONSTRAINT INFO", ["constraint type", "label", "properties", "data_type"]),
        ("SHOW SCHEMA INFO", ["schema"]),
        ("SHOW CONFIG", ["name", "default_value", "current_value", "description"]),
        ("SHOW LICENSE INFO", ["license info", "value"]),
        ("SHOW REPLICATION ROLE", ["replication role"]),
        ("SHOW REPLICAS", ["name", "socket_address", "sync_mode", "system_info", "data_info"]),
        ("CALL mg.procedures() YIELD *", ["is_editable", "is_write", "name", "path", "signature"]),
        ("CALL mg.functions() YIELD *", ["is_editable", "name", "path", "signature"]),
        ("SHOW METRICS INFO", ["name", "type", "metric type", "value"]),
        ("SHOW BUILD INFO", ["build info", "value"]),
    ],
    "gqlalchemy": [
        ("SHOW INDEX;", ["type", "labelsOrTypes", "properties"]),
        ("SHOW CONSTRAINTS;", ["type", "labelsOrTypes", "properties"]),
        ("SHOW TRIGGERS;", ["trigger name", "statement", "event type", "phase"]),
        ("SHOW STREAMS;", ["name", "type", "is running"]),
        ("SHOW TRANSACTIONS;", ["username", "transaction_id", "query", "metadata"]),
    ],
    "neomodel": [
        ("CALL dbms.components() YIELD versions, edition RETURN versions[0], edition LIMIT 1", ["versions[0]", "edition"]),
        ("SHOW INDEXES", ["name", "type", "labelsOrTypes", "properties", "owningConstraint"]),
        ("SHOW CONSTRAINTS", ["name", "type", "labelsOrTypes", "properties", "ownedIndex"]),
    ],
    "language model toolkits": [
        ("CALL apoc.meta.data() YIELD label, other, elementType, type, property RETURN *", ["label", "other", "elementType", "type", "property"]),
        ("CALL apoc.meta.graph({sample: 1000, maxRels: 100}) YIELD nodes, relationships "
         "RETURN nodes, [r IN relationships | {name: apoc.any.property(r, 'type'), count: apoc.any.property(r, 'count')}] AS relationships",
         ["nodes", "relationships"]),
        ("CALL apoc.meta.schema() YIELD value", ["value"]),
        ("CALL db.schema.nodeTypeProperties()", ["nodeType", "nodeLabels", "propertyName", "propertyTypes", "mandatory"]),
        ("CALL db.schema.relTypeProperties()", ["relType", "propertyName", "propertyTypes", "mandatory"]),
        ("CALL schema.node_type_properties()", ["nodeLabels", "nodeType", "propertyName", "propertyTypes", "mandatory"]),
        ("CALL schema.rel_type_properties()", ["relType", "propertyName", "propertyTypes", "mandatory"]),
    ],
}

FRIENDS = """
CREATE (a:P {name: 'a', age: 1})-[:KNOWS {since: 3}]->(b:P {name: 'b', age: 2}), (b)-[:KNOWS]->(a), (a)-[:HAS]->(:Q:R {x: [1]})
"""


@pytest.mark.parametrize("database", [None, "neo4j", "memgraph"])
def test_what_tools_ask_on_connect_is_answered_with_what_they_read(alone, database):
    alone.rows(FRIENDS)
    alone.rows("CREATE INDEX FOR (n:P) ON (n.age)")
    alone.rows("CREATE CONSTRAINT FOR (n:P) REQUIRE n.name IS UNIQUE")
    for tool, queries in ASKED.items():
        for query, columns in queries:
            # As `session.run` sends it, and in a transaction, as `execute_query` does.
            with alone.driver.session(database=database) as session:
                result = session.run(query)
                assert set(columns) <= set(result.keys()), (tool, query, result.keys())
                result.consume()
            if not (query.startswith("SHOW") and tool in ("Memgraph Lab", "gqlalchemy")):
                assert set(columns) <= set(alone.driver.execute_query(query, database_=database).keys), (tool, query)


def test_apocs_graph_and_schema_tell_labels_types_counts_and_properties(alone):
    alone.rows(FRIENDS)
    alone.rows("CREATE INDEX FOR (n:P) ON (n.age)")
    alone.rows("CREATE CONSTRAINT FOR (n:P) REQUIRE n.name IS UNIQUE")
    [[nodes, relationships]] = alone.rows("CALL apoc.meta.graph()")
    assert nodes == [{"name": "P", "count": 2}, {"name": "Q", "count": 1}, {"name": "R", "count": 1}]
    assert {"type": "KNOWS", "count": 2, "start": "P", "end": "P"} in relationships
    assert {(r["type"], r["start"], r["end"]) for r in relationships} == {("KNOWS", "P", "P"), ("HAS", "P", "Q"), ("HAS", "P", "R")}
    [[value]] = alone.rows("CALL apoc.meta.schema({sample: 10})")
    assert set(value) == {"P", "Q", "R", "KNOWS", "HAS"}
    assert value["P"]["type"] == "node" and value["P"]["count"] == 2
    assert value["P"]["properties"]["age"] == {"type": "INTEGER", "indexed": True, "unique": False, "existence": False}
    assert value["P"]["properties"]["name"] == {"type": "STRING", "indexed": False, "unique": True, "existence": False}
    assert value["P"]["relationships"]["HAS"]["labels"] == ["Q", "R"] and value["P"]["relationships"]["KNOWS"]["count"] == 2
    assert value["KNOWS"] == {"type": "relationship", "count": 2, "properties": {"since": {"type": "INTEGER"}}}
    [[nodes, relationships]] = alone.rows("CALL db.schema.visualization()")
    assert nodes[0] == {"name": "P", "indexes": ["age"], "constraints": ["name"]}
    assert {"name": "KNOWS", "start": "P", "end": "P"} in relationships
    assert alone.rows("CALL dbms.listConfig('bolt_port') YIELD value") == [[str(alone.bolt_port)]]
    assert alone.rows("MATCH (n:P {name: 'a'}) RETURN apoc.any.property(n, 'age'), apoc.any.property({b: 2}, 'b'), apoc.any.property(n, 'no')") == [[1, 2, None]]


def test_an_argument_that_may_be_left_out_may_not_be_followed_by_another(alone):
    from neo4j.exceptions import ClientError
    with pytest.raises(ClientError, match="takes 0 to 1 arguments, 2 were given"):
        alone.rows("CALL apoc.meta.graph({}, 2)")
