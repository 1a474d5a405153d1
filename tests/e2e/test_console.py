"""`quoit console` with piped input: what mgconsole prints, byte for byte, and its exit codes."""

import os
import pty
import re
import select
import subprocess
import time

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


def typed(server, *lines):
    """What a terminal shows of a console session into which these lines are typed, escapes removed."""
    terminal, inside = pty.openpty()
    process = subprocess.Popen([str(BINARY), "console", "--port", str(server.bolt_port), "--no-history", "--term-colors=false"],
                               stdin=inside, stdout=inside, stderr=inside, env={**os.environ, "TERM": "dumb"})
    os.close(inside)
    shown = b""

    def read_until(word, seconds=20):
        nonlocal shown
        seen, deadline = b"", time.monotonic() + seconds
        while word not in seen:
            ready, _, _ = select.select([terminal], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, f"waited for {word!r}, saw {seen!r}"
            try:
                data = os.read(terminal, 65536)
            except OSError:
                break
            seen += data
            shown += data
            if not data:
                break

    read_until(b"memgraph> ")
    for line, prompt in lines:
        os.write(terminal, line.encode() + b"\r")
        read_until(prompt)
    process.wait(20)
    os.close(terminal)
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode()).replace("\r", ""), process.returncode


def test_a_terminal_shows_prompts_tables_times_and_counts(alone):
    prompt = b"memgraph> "
    text, code = typed(alone, ("CREATE (n:N {i: 1})", b"       -> "), ("RETURN n;", prompt), ("MATCH (n:N) RETURN n.i;", prompt),
                       (":help", prompt), ("RETURN x;", prompt), (":quit", b"Bye"))
    assert code == 0, text
    assert f"Connected to 'memgraph://127.0.0.1:{alone.bolt_port}'" in text
    assert re.search(r"1 row in set \(round trip in \d+\.\d{3} sec\)", text), text
    assert "1 nodes have been created." in text and "1 labels have been created." in text
    assert "Client received query exception: variable `x` is not defined (line 1, column 8)" in text
    assert text.rstrip().endswith("Bye")
