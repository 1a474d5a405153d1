"""LOAD CSV from a server's directory: what is read, and what cannot be reached."""

import os

import pytest
from neo4j.exceptions import Neo4jError

from cluster import cluster


@pytest.fixture
def files(tmp_path):
    """A directory of files for LOAD CSV, and what lies beside it."""
    directory = tmp_path / "import"
    (directory / "sub").mkdir(parents=True)
    (directory / "people.csv").write_text("id,name\n" + "".join(f"{i},name {i}\n" for i in range(100_000)))
    (directory / "sub" / "two.csv").write_text("1,2\n3,4\n")
    (tmp_path / "secret.csv").write_text("secret\n")
    (directory / "link.csv").symlink_to(tmp_path / "secret.csv")
    (directory / "linked").symlink_to(tmp_path)
    os.mkfifo(directory / "pipe.csv")
    return directory


def test_a_file_is_read_in_both_forms_by_any_of_its_names(files):
    with cluster(arguments=["--load-csv-directory", str(files), "--allow-load-csv=true"]) as made:
        with made.main.driver.session() as session:
            result = session.run("LOAD CSV FROM '/people.csv' WITH HEADER AS row CREATE (:P {id: toInteger(row.id), name: row.name})")
            assert result.consume().counters.nodes_created == 100_000
            assert session.run("MATCH (p:P) WHERE p.name = 'name 99999' RETURN p.id").single().value() == 99_999
            for name in ["sub/two.csv", "/sub/two.csv", "file:///sub/two.csv", f"{files}/sub/two.csv", "sub/../sub/two.csv"]:
                rows = session.run("LOAD CSV FROM $name AS row RETURN row", name=name).value()
                assert rows == [["1", "2"], ["3", "4"]], name
            # An explicit transaction commits what was left half read.
            with session.begin_transaction() as tx:
                tx.run("LOAD CSV FROM 'people.csv' AS row RETURN row")
                tx.commit()
            result = session.run(
                "LOAD CSV WITH HEADERS FROM 'file:///people.csv' AS row CALL { WITH row MERGE (:Q {id: row.id}) } IN TRANSACTIONS OF 200 ROWS RETURN count(*)"
                .replace("row CALL", "row WITH row LIMIT 500 CALL")
            )
            assert result.single().value() == 500


def test_nothing_outside_of_the_directory_is_reached(files):
    with cluster(arguments=["--load-csv-directory", str(files)]) as made:
        with made.main.driver.session() as session:
            for name, why in [
                ("../secret.csv", "leads out"),
                ("sub/../../secret.csv", "leads out"),
                ("link.csv", "leads out"),
                ("linked/secret.csv", "leads out"),
                (f"{files.parent}/secret.csv", "no such file"),
                ("/etc/passwd", "no such file"),
                ("nothing.csv", "no such file"),
                ("sub", "no regular file"),
                ("pipe.csv", "no regular file"),
                ("https://example.org/a.csv", "not available"),
            ]:
                with pytest.raises(Neo4jError, match=why):
                    session.run("LOAD CSV FROM $name AS row RETURN row", name=name).consume()


@pytest.mark.parametrize("off", [[], ["--load-csv-directory", "FILES", "--allow-load-csv=false"]])
def test_it_is_off_unless_a_directory_is_given(files, off):
    with cluster(arguments=[argument.replace("FILES", str(files)) for argument in off]) as made:
        with made.main.driver.session() as session:
            with pytest.raises(Neo4jError, match="LOAD CSV is off"):
                session.run("LOAD CSV FROM 'people.csv' AS row RETURN row").consume()
