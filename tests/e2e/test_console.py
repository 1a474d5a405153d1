"""`quoit console` with piped input: what mgconsole prints, byte for byte, and its exit codes."""

import subprocess

import pytest

from cluster import BINARY, free_ports


def console(server, text, *arguments):
    port = server if isinstance(server, int) else server.bolt_port
    return subprocess.run([str(BINARY), "console", "--host", "127.0.0.1", "--port", str(port), *arguments],
                          input=text, capture_output=True, text=True, timeout=60)


def test_a_table_has_even_columns(alone):
    done = console(alone, "CREATE (n:Node)-[e:Edge]->(m:Vertex) RETURN n, e, m;\n")
    assert done.returncode == 0, done.stderr
    assert done.stdout == (
        "+-----------+-----------+-----------+\n"
        "| n         | e         | m         |\n"
        "+-----------+-----------+-----------+\n"
        "| (:Node)   | [:Edge]   | (:Vertex) |\n"
        "+-----------+-----------+-----------+\n"
    )


def test_the_founding_vertex_looks_as_in_the_founding_document(alone):
    done = console(alone, 'CREATE (n:N {p: "This is going to be replicated!"});\nMATCH (n:N) RETURN n;\n')
    assert done.returncode == 0, done.stderr
    assert '| (:N {p: "This is going to be replicated!"}) |' in done.stdout


@pytest.mark.parametrize(("expression", "shown"), [
    ("null", "Null"), ("true", "true"), ("42", "42"), ("1.5", "1.5"), ("2.0", "2"), ("1e20", "1e+20"),
    ("'a\"b'", '"a\\"b"'), ("[1, 'a']", '[1, "a"]'), ("{k: 1}", "{k: 1}"), ("date('1999-05-05')", "1999-05-05"),
    ("duration({days: 27, hours: 4, seconds: 21})", "P27DT4H21S"),
])
def test_values_are_shown_as_mgconsole_shows_them(alone, expression, shown):
    done = console(alone, f"RETURN {expression} AS v;\n")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[3].strip("| ").strip() == shown


def test_a_failing_query_ends_the_run_with_1_and_says_which(alone):
    done = console(alone, "RETURN 1;\nRETURN x;\nRETURN 2;\n")
    assert done.returncode == 1
    assert "Failed query: RETURN x" in done.stderr
    assert "Client received query exception:" in done.stderr
    assert "2" not in done.stdout.splitlines()[-2]


def test_csv_quotes_every_field(alone):
    done = console(alone, "RETURN 'a' AS s, 1 AS i;\n", "--output-format=csv")
    assert done.stdout == '"s","i"\n"""a""","1"\n'


def test_nobody_there_is_exit_code_3():
    done = console(free_ports(1)[0], "RETURN 1;\n")
    assert done.returncode == 3, done.stderr
