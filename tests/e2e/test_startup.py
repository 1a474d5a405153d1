"""Starting and stopping: exit codes and one plain line each (the table of exit codes is in README.md)."""

import signal
import socket
import subprocess

from cluster import BINARY, Server, eventually, free_ports


def run(*arguments, **options):
    return subprocess.run([str(BINARY), *arguments], capture_output=True, text=True, timeout=60, **options)


def one_line(done, code, *words):
    lines = [line for line in done.stderr.strip().splitlines() if line]
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
    assert lines and all(word in lines[-1] for word in words), done.stderr
    assert "panicked" not in done.stderr


def test_the_banner_says_what_it_runs_on(alone):
    log = alone.log()
    for word in ("cores", "durability", "commit", str(alone.directory), str(alone.bolt_port)):
        assert word in log, log


def test_a_taken_port_is_named_and_ends_with_17(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = run("server", "--bolt-port", str(port), "--data-directory", str(tmp_path / "d"))
    one_line(done, 17, str(port))


def test_a_locked_data_directory_is_named_and_ends_with_14(alone):
    done = run("server", "--bolt-port", str(free_ports(1)[0]), "--data-directory", str(alone.directory))
    one_line(done, 14, str(alone.directory))


def test_an_unknown_flag_is_refused_with_a_suggestion():
    done = run("server", "--bolt-prot", "7687")
    assert done.returncode == 2
    assert "--bolt-port" in done.stderr


def test_memgraph_flags_that_are_not_implemented_start_with_one_warning(tmp_path):
    server = Server("main", tmp_path / "data", arguments=["--storage-wal-enabled=true", "--log_level=WARNING"]).start()
    try:
        assert server.rows("RETURN 1") == [[1]]
        assert "storage-wal-enabled" in server.log()
    finally:
        server.stop()


def test_sigterm_ends_it_cleanly_and_what_was_written_is_there_again(tmp_path):
    server = Server("main", tmp_path / "data").start()
    server.rows("CREATE (:N {i: 1})")
    assert server.stop() == 0, server.log()
    server.restart()
    assert server.rows("MATCH (n:N) RETURN n.i") == [[1]]
    server.process.send_signal(signal.SIGINT)
    eventually(lambda: server.process.poll() is not None, "the server to end after SIGINT")
    assert server.process.returncode == 0, server.log()


def test_doctor_finds_this_machine_fit():
    done = run("doctor", "--bolt-port", str(free_ports(1)[0]))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "io_uring" in done.stdout


def test_too_little_locked_memory_is_named(tmp_path):
    done = subprocess.run(["bash", "-c", f"ulimit -l 64; exec {BINARY} doctor --bolt-port {free_ports(1)[0]}"], capture_output=True, text=True, timeout=60)
    # A process that may lock any amount (root with CAP_IPC_LOCK) is fit whatever the limit says.
    assert done.returncode in (0, 16), done.stdout + done.stderr
    if done.returncode == 16:
        assert "ulimit -l" in done.stdout + done.stderr


def test_stock_glommio_sockets_serve_the_same(tmp_path):
    server = Server("main", tmp_path / "data", arguments=["--socket-backend", "glommio"]).start()
    try:
        assert server.rows("UNWIND range(1, 5000) AS i RETURN sum(i)") == [[12502500]]
    finally:
        assert server.stop() == 0


def test_several_cores_accept_on_one_port(tmp_path):
    server = Server("main", tmp_path / "data", cores=2).start()
    try:
        for i in range(40):
            server.close_driver()
            server.rows("CREATE (:N {i: $i})", i=i)
        assert server.rows("MATCH (n:N) RETURN count(n), sum(n.i)") == [[40, 780]]
        assert server.stop() == 0
        server.cores = 1
        server.restart()
        assert server.rows("MATCH (n:N) RETURN count(n), sum(n.i)") == [[40, 780]]
    finally:
        server.stop()
