"""What tools ask for on connect: names, kinds of nodes and relationships, procedures, functions, what the server is."""

import json
import re
import subprocess

import pytest
from neo4j.exceptions import ClientError

from cluster import BINARY

PETS = """
CREATE (rex:Dog:Pet {name: 'Rex', age: 5, tags: ['good']})-[:LOVES {how: 'very'}]->(carl:Human {name: 'Carl'}),
       (rex)-[:LOVES]->(carl), (:Dog:Pet {name: 'Ace', age: 'old', tags: ['a', 'b']})-[:LOVES {how: 1}]->(carl), (carl)-[:KNOWS]->(carl),
       (:Human), (:Human {name: 'Dora', at: point({x: 1, y: 2}), born: date('2000-01-01')})
"""


@pytest.fixture
def pets(alone):
    alone.rows(PETS)
    return alone


def dicts(server, query, **parameters):
    with server.driver.session() as session:
        return [record.data() for record in session.run(query, parameters)]


def test_schema_info_tells_kinds_counts_and_types(pets):
    pets.rows("CREATE INDEX ON :Dog(name, age)")
    pets.rows("CREATE INDEX ON :Human")
    pets.rows("CREATE EDGE INDEX ON :LOVES(how)")
    pets.rows("CREATE CONSTRAINT ON (d:Dog) ASSERT d.name IS UNIQUE")
    pets.rows("CREATE CONSTRAINT ON (d:Dog) ASSERT EXISTS (d.name)")
    pets.rows("CREATE CONSTRAINT ON (h:Human) ASSERT h.name IS TYPED STRING")
    [row] = dicts(pets, "SHOW SCHEMA INFO")
    info = json.loads(row["schema"])
    assert list(info) == ["nodes", "edges", "node_indexes", "edge_indexes", "node_constraints", "enums"]
    assert info["nodes"] == [
        {"labels": ["Dog", "Pet"], "count": 2, "properties": [
            {"key": "age", "count": 2, "filling_factor": 100.0, "types": [{"type": "Integer", "count": 1}, {"type": "String", "count": 1}]},
            {"key": "name", "count": 2, "filling_factor": 100.0, "types": [{"type": "String", "count": 2}]},
            {"key": "tags", "count": 2, "filling_factor": 100.0, "types": [{"type": "List", "count": 2}]}]},
        {"labels": ["Human"], "count": 3, "properties": [
            {"key": "at", "count": 1, "filling_factor": 33.33, "types": [{"type": "Point2D", "count": 1}]},
            {"key": "born", "count": 1, "filling_factor": 33.33, "types": [{"type": "Date", "count": 1}]},
            {"key": "name", "count": 2, "filling_factor": 66.67, "types": [{"type": "String", "count": 2}]}]},
    ]
    assert info["edges"] == [
        {"type": "KNOWS", "start_node_labels": ["Human"], "end_node_labels": ["Human"], "count": 1, "properties": []},
        {"type": "LOVES", "start_node_labels": ["Dog", "Pet"], "end_node_labels": ["Human"], "count": 3, "properties": [
            {"key": "how", "count": 2, "filling_factor": 66.67, "types": [{"type": "Integer", "count": 1}, {"type": "String", "count": 1}]}]},
    ]
    assert info["node_indexes"] == [
        {"labels": ["Dog"], "properties": ["name", "age"], "count": 2, "type": "label+property"},
        {"labels": ["Human"], "properties": [], "count": 3, "type": "label"}]
    assert info["edge_indexes"] == [{"edge_type": "LOVES", "properties": ["how"], "count": 2, "type": "edge_type+property"}]
    assert info["node_constraints"] == [
        {"type": "data_type", "labels": ["Human"], "properties": ["name"], "data_type": "STRING"},
        {"type": "existence", "labels": ["Dog"], "properties": ["name"], "data_type": ""},
        {"type": "unique", "labels": ["Dog"], "properties": ["name"], "data_type": ""}]


def test_schema_info_is_json_whatever_the_names(alone):
    name = "q\"uo\\te`\n\u0001é"
    quoted = name.replace("`", "``")
    alone.rows(f"CREATE (:`{quoted}` {{`{quoted}`: 1}})-[:`{quoted}`]->()")
    info = json.loads(alone.rows("SHOW SCHEMA INFO")[0][0])
    assert [node["labels"] for node in info["nodes"]] == [[], [name]]
    assert info["nodes"][1]["properties"][0]["key"] == name
    assert info["edges"][0]["type"] == name and info["edges"][0]["end_node_labels"] == []


def test_schema_info_of_nothing_is_empty(alone):
    info = json.loads(alone.rows("SHOW SCHEMA INFO")[0][0])
    assert info == {part: [] for part in ["nodes", "edges", "node_indexes", "edge_indexes", "node_constraints", "enums"]}
    alone.rows("CREATE (a:A)-[:R]->(:B)")
    alone.rows("MATCH (n) DETACH DELETE n")
    assert json.loads(alone.rows("SHOW SCHEMA INFO")[0][0])["nodes"] == []


def test_schema_info_sees_what_its_transaction_sees(pets):
    with pets.driver.session() as session, session.begin_transaction() as transaction:
        transaction.run("CREATE (:Mine)")
        mine = json.loads(transaction.run("SHOW SCHEMA INFO").single()[0])
        assert ["Mine"] in [node["labels"] for node in mine["nodes"]]
        others = json.loads(pets.rows("SHOW SCHEMA INFO")[0][0])
        assert ["Mine"] not in [node["labels"] for node in others["nodes"]]


def test_properties_by_label_and_type_in_memgraphs_columns(pets):
    assert pets.rows("CALL schema.node_type_properties() YIELD nodeType, nodeLabels, propertyName, propertyTypes, mandatory") == [
        [":`Dog`:`Pet`", ["Dog", "Pet"], "age", ["Int", "String"], True],
        [":`Dog`:`Pet`", ["Dog", "Pet"], "name", ["String"], True],
        [":`Dog`:`Pet`", ["Dog", "Pet"], "tags", ["List"], True],
        [":`Human`", ["Human"], "at", ["Point"], False],
        [":`Human`", ["Human"], "born", ["Date"], False],
        [":`Human`", ["Human"], "name", ["String"], False]]
    assert pets.rows("CALL schema.rel_type_properties() YIELD relType, propertyName, propertyTypes, mandatory") == [
        [":`KNOWS`", "", "", False], [":`LOVES`", "how", ["Int", "String"], False]]


def test_properties_by_label_and_type_in_neo4js_columns(pets):
    assert dicts(pets, "CALL db.schema.nodeTypeProperties()")[0] == {
        "nodeType": ":`Dog`:`Pet`", "nodeLabels": ["Dog", "Pet"], "propertyName": "age", "propertyTypes": ["Long", "String"],
        "mandatory": True}
    assert pets.rows("CALL db.schema.nodeTypeProperties() YIELD propertyName, propertyTypes WHERE propertyName = 'tags' RETURN *") == [
        ["tags", ["StringArray"]]]
    assert pets.rows("CALL db.schema.relTypeProperties()") == [
        [":`KNOWS`", None, None, False], [":`LOVES`", "how", ["Long", "String"], False]]


def test_apocs_listing_tells_what_graph_libraries_ask_of_it(pets):
    rows = pets.rows("CALL apoc.meta.data() YIELD label, property, type, other, elementType RETURN *")
    columns = ["elementType", "label", "other", "property", "type"]
    told = {(row["elementType"], row["label"], row["property"]): (row["type"], row["other"]) for row in (dict(zip(columns, row)) for row in rows)}
    assert told["node", "Pet", "name"] == ("STRING", [])
    assert told["node", "Dog", "tags"] == ("LIST", [])
    assert told["node", "Dog", "LOVES"] == ("RELATIONSHIP", ["Human"])
    assert told["node", "Human", "KNOWS"] == ("RELATIONSHIP", ["Human"])
    assert told["relationship", "LOVES", "how"][1] == []
    assert ("relationship", "KNOWS", "how") not in told


def test_names_in_use_are_listed(pets):
    assert pets.rows("CALL db.labels()") == [["Dog"], ["Human"], ["Pet"]]
    assert pets.rows("CALL db.relationshipTypes()") == [["KNOWS"], ["LOVES"]]
    assert pets.rows("CALL db.propertyKeys()") == [["age"], ["at"], ["born"], ["how"], ["name"], ["tags"]]
    assert sorted(pets.rows("SHOW NODE_LABELS INFO")) == [["Dog"], ["Human"], ["Pet"]]
    assert sorted(pets.rows("SHOW EDGE_TYPES INFO")) == [["KNOWS"], ["LOVES"]]


def test_procedures_and_functions_are_listed_in_both_worlds_columns(alone):
    for query in ["CALL mg.procedures() YIELD *", "CALL dbms.procedures()", "SHOW PROCEDURES", "SHOW PROCEDURES EXECUTABLE YIELD name, description, signature"]:
        names = [row["name"] for row in dicts(alone, query)]
        assert {"mg.procedures", "dbms.procedures", "db.labels", "apoc.meta.data"} <= set(names), query
        assert names == sorted(names) and not [name for name in names if " " in name], query
    assert list(dicts(alone, "SHOW PROCEDURES")[0]) == ["name", "description", "mode", "worksOnSystem"]
    assert list(dicts(alone, "SHOW PROCEDURES YIELD *")[0])[:5] == ["name", "description", "mode", "worksOnSystem", "signature"]
    for query in ["CALL mg.functions() YIELD *", "CALL dbms.functions()", "SHOW FUNCTIONS", "SHOW ALL FUNCTIONS YIELD name", "SHOW BUILT IN FUNCTIONS"]:
        assert {"toString", "count", "point.distance"} <= {row["name"] for row in dicts(alone, query)}, query
    assert list(dicts(alone, "SHOW FUNCTIONS")[0]) == ["name", "category", "description"]
    assert alone.rows("SHOW USER DEFINED FUNCTIONS") == []
    assert alone.rows("SHOW FUNCTIONS YIELD name, aggregating WHERE aggregating AND name STARTS WITH 'st' RETURN name") == [["stDev"], ["stDevP"]]
    assert alone.rows("SHOW PROCEDURES YIELD name ORDER BY name DESC LIMIT 1") == [["schema.rel_type_properties"]]


def test_components_name_the_version_that_tools_look_for(alone):
    [first, *others] = dicts(alone, "CALL dbms.components() YIELD name, versions, edition")
    assert first == {"name": "Neo4j Kernel", "versions": ["5.26.0"], "edition": "community"}
    assert [component["name"] for component in others] == ["Quoit"]


def test_what_tools_send_on_connect_is_answered_in_the_columns_they_read(alone):
    columns = {
        "SHOW STORAGE INFO": ["storage info", "value"],
        "SHOW BUILD INFO": ["build info", "value"],
        "SHOW VERSION": ["version"],
        "SHOW CONFIG": ["name", "default_value", "current_value", "description"],
        "SHOW METRICS INFO": ["name", "type", "metric type", "value"],
        "SHOW LICENSE INFO": ["license info", "value"],
        "SHOW DATABASE SETTINGS": ["setting_name", "setting_value"],
        "SHOW INDEX INFO": ["index type", "label", "property", "count"],
        "SHOW CONSTRAINT INFO": ["constraint type", "label", "properties", "data_type"],
        "SHOW TRIGGERS": ["trigger name", "statement", "privilege context", "event type", "phase", "owner"],
        "SHOW STREAMS": ["name", "type", "batch_interval", "batch_size", "transformation_name", "owner", "is running"],
        "SHOW ENUMS": ["Enum Name", "Enum Values"],
        "SHOW DATABASES": ["Name"],
        "SHOW DATABASE": ["Current"],
        "SHOW USERS": ["user"],
        "SHOW ROLES": ["role"],
        "SHOW REPLICATION ROLE": ["replication role"],
        "SHOW TRANSACTIONS": ["username", "transaction_id", "query", "status", "metadata", "start_time", "elapsed_ms"],
    }
    for query, expected in columns.items():
        with alone.driver.session() as session:
            assert list(session.run(query + ";").keys()) == expected, query


def test_every_option_is_shown_with_its_value(alone):
    config = {row["name"]: row for row in dicts(alone, "SHOW CONFIG")}
    assert config["bolt_port"]["default_value"] == "7687" and config["bolt_port"]["current_value"] == str(alone.bolt_port)
    assert config["query_execution_timeout_sec"]["current_value"] == "600"
    assert config["cores"]["current_value"] == "1"
    assert config["allow_load_csv"]["current_value"] == "true" and config["load_csv_directory"]["current_value"] == ""
    helped = subprocess.run([BINARY, "server", "--help"], capture_output=True, text=True, check=True).stdout
    flags = {flag.replace("-", "_") for flag in re.findall(r"--([a-z][a-z-]+)", helped)} - {"help", "version"}
    assert flags == set(config)
    assert list(config) == sorted(config) and all(row["description"] for row in config.values())
    assert alone.rows("SHOW SETTINGS YIELD name, value WHERE name = 'isolation_level'") == [["isolation_level", "SNAPSHOT_ISOLATION"]]


def test_metrics_count_what_is_there(pets):
    metrics = {row["name"]: row["value"] for row in dicts(pets, "SHOW METRICS INFO")}
    assert metrics["VertexCount"] == 5 and metrics["EdgeCount"] == 4 and metrics["ActiveBoltSessions"] >= 1


def test_neo4js_columns_come_with_yield(alone):
    [database] = dicts(alone, "SHOW DATABASES YIELD *")
    assert database["name"] == "memgraph" and database["role"] == "primary" and database["address"].endswith(str(alone.bolt_port))
    assert alone.rows("SHOW DATABASES YIELD name, currentStatus, default WHERE default RETURN currentStatus") == [["online"]]
    with alone.driver.session() as session, session.begin_transaction(metadata={"a": 1}) as transaction:
        transaction.run("RETURN 17").consume()
        [row] = [row for row in dicts(alone, "SHOW TRANSACTIONS YIELD *") if row["currentQuery"] == "RETURN 17"]
        assert row["metaData"] == {"a": 1} and row["status"] == "Running" and row["connectionId"].startswith("bolt-")
        found = alone.rows("SHOW TRANSACTIONS YIELD transactionId AS id, currentQuery WHERE currentQuery = 'RETURN 17' RETURN id")
        assert found == [[row["transactionId"]]]
        assert alone.rows("TERMINATE TRANSACTIONS $ids", ids=found[0]) == [[found[0][0], True]]
        transaction.close()


@pytest.mark.timeout(60)
def test_what_has_to_wait_for_other_cores_is_answered_or_refused_wherever_it_is_called(alone):
    count = "COUNT { CALL `SHOW TRANSACTIONS`() YIELD database RETURN database }"
    for query in [f"RETURN {count} AS n", f"UNWIND [1] AS x RETURN CASE x WHEN 1 THEN {count} END AS n", f"CREATE (c {{n: {count}}}) RETURN c.n AS n"]:
        try:
            [[counted]] = alone.rows(query)
        except ClientError as error:
            # Where nothing may yield it would wait for ever.
            assert "within an expression" in error.message
        else:
            assert counted >= 1, query
