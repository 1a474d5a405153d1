"""What the author of a query is told in its summary or by its error, in the words of notifications and of GQL statuses."""

import neo4j
import pytest
from neo4j.exceptions import Neo4jError


def told(session, query):
    summary = session.run(query).consume()
    return [(n["code"].rsplit(".", 1)[1], n.get("position")) for n in summary.notifications or []]


def test_unknown_names_and_products_are_told_with_their_places(alone):
    with alone.driver.session() as session:
        session.run("CREATE (:Person {name: 'Ann'})").consume()
        assert told(session, "MATCH (n:Person) RETURN n.name") == []
        assert told(session, "MATCH (n:Persn)\nRETURN n.nme") == [
            ("UnknownLabelWarning", {"offset": 9, "line": 1, "column": 10}),
            ("UnknownPropertyKeyWarning", {"offset": 25, "line": 2, "column": 10}),
        ]
        assert [code for code, _ in told(session, "MATCH (a:Person), (b:Person) RETURN count(*)")] == ["CartesianProduct"]
        # A plan that is used again tells it again, until it no longer holds.
        assert len(told(session, "MATCH (n:Persn)\nRETURN n.nme")) == 2
        session.run("CREATE (:Persn {nme: 1})").consume()
        assert told(session, "MATCH (n:Persn)\nRETURN n.nme") == []


def test_a_property_that_many_nodes_are_asked_for_without_an_index_is_told(alone):
    query = "MATCH (b:Book) WHERE b.year = 1851 AND b.title <> 'x' RETURN b"
    with alone.driver.session() as session:
        session.run("UNWIND range(1, 20) AS i CREATE (:Book {year: i, title: 'x'})").consume()
        assert told(session, query.replace("1851", "1850 + 1")) == [], "few"
        session.run("UNWIND range(1, 20000) AS i CREATE (:Book {year: i, title: 'x'})").consume()
        place = {"offset": 21, "line": 1, "column": 22}
        assert told(session, query) == [("NoApplicableIndex", place)]
        [notification] = session.run(query).consume().notifications
        assert "CREATE INDEX ON :Book(year)" in notification["description"]
        assert [code for code, _ in told(session, "MATCH (b:Book) WHERE b.year IN [1, 2] RETURN b")] == ["NoApplicableIndex"]
        session.run("CREATE INDEX ON :Book(year)").consume()
        assert told(session, query) == []


def test_statuses_carry_the_same_and_filters_hold_it_back(alone):
    query = "MATCH (n:Nothing), (m:Nothing) RETURN n"
    with alone.driver.session() as session:
        statuses = session.run(query).consume().gql_status_objects
        assert {status.gql_status for status in statuses} == {"02000", "01N50", "03N90"}
    for options, kept in [
        ({"notifications_min_severity": "WARNING"}, {"UnknownLabelWarning"}),
        ({"notifications_disabled_classifications": ["UNRECOGNIZED"]}, {"CartesianProduct"}),
        ({"notifications_min_severity": "OFF"}, set()),
    ]:
        with neo4j.GraphDatabase.driver(f"bolt://{alone.address}", auth=("someone", "x"), **options) as driver:
            with driver.session() as session:
                assert {code for code, _ in told(session, query)} == kept, options


@pytest.mark.parametrize(("query", "status", "column", "kit"), [
    ("RETURN foo", "42N62", 8, "SyntaxError at compile time: UndefinedVariable"),
    ("RETURN 1 +", "42001", 11, "SyntaxError at compile time: UnexpectedSyntax"),
    ("RETURN 1 / 0", "22012", 10, "ArithmeticError at runtime: DivisionByZero"),
    ("RETURN 9223372036854775807 + 1", "22003", 28, "ArithmeticError at runtime: Overflow"),
    ("CALL no.such()", "42N08", 6, "ProcedureError at compile time: ProcedureNotFound"),
    ("CREATE (:P {name: 'Ann'})", "22N79", None, "ConstraintValidationFailed at runtime: UniqueConstraintViolation"),
    ("CREATE (:P)", None, None, "ConstraintValidationFailed at runtime: ExistenceConstraintViolation"),
])
def test_an_errors_status_class_place_and_the_kits_words_come_through_to_the_client(alone, query, status, column, kit):
    alone.rows("CREATE CONSTRAINT FOR (n:P) REQUIRE n.name IS NODE KEY")
    alone.rows("CREATE (:P {name: 'Ann'})")
    with pytest.raises(Neo4jError) as raised:
        alone.rows(query)
    error = raised.value
    assert status in (error.gql_status, None) and error.gql_classification == neo4j.exceptions.GqlErrorClassification.CLIENT_ERROR
    record = error.diagnostic_record
    assert record.get("_position", {}).get("column") == column
    assert record["_opencypher"] == kit
