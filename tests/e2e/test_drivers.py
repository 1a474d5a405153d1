"""The founding story through every driver, on bolt:// and neo4j:// (see tests/drivers/README.md)."""

import os
import shutil
import subprocess
import sys
import threading

import pytest

from cluster import ROOT, cluster

DRIVERS = ROOT / "tests" / "drivers"
NO_SKIP = os.environ.get("QUOIT_NO_SKIP") == "1"


def need(tool):
    """A driver whose toolchain is missing is reported as skipped; CI allows no skip."""
    if shutil.which(tool) is None:
        if NO_SKIP:
            pytest.fail(f"{tool} is missing and QUOIT_NO_SKIP=1 allows no skip")
        pytest.skip(f"{tool} is not installed")


def build(command, folder, environment=None):
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env={**os.environ, **(environment or {})}, timeout=900)
    assert done.returncode == 0, f"{' '.join(command)} in {folder}:\n{done.stdout}\n{done.stderr}"


def python():
    return [sys.executable, str(DRIVERS / "python" / "story.py")]


def mgclient():
    return [sys.executable, str(DRIVERS / "mgclient" / "story.py")]


def javascript():
    need("node")
    need("npm")
    folder = DRIVERS / "javascript"
    if not (folder / "node_modules" / "neo4j-driver").exists():
        build(["npm", "ci", "--no-audit", "--no-fund", "--silent"], folder)
    return ["node", str(folder / "story.mjs")]


def java():
    need("java")
    need("mvn")
    folder = DRIVERS / "java"
    build(["mvn", "-q", "-B", "package"], folder)
    return ["java", "-cp", f"{folder}/target/story-1.jar:{folder}/target/dependency/*", "story.Story"]


def go():
    need("go")
    target = ROOT / "target" / "drivers"
    target.mkdir(parents=True, exist_ok=True)
    build(["go", "build", "-o", str(target / "story-go"), "."], DRIVERS / "go")
    return [str(target / "story-go")]


def rust():
    need("cargo")
    target = ROOT / "target" / "drivers"
    build(["cargo", "build", "--locked"], DRIVERS / "rust", {"CARGO_TARGET_DIR": str(target / "rust")})
    return [str(target / "rust" / "debug" / "story")]


# mgclient knows no routing: bolt:// is its whole story.
STORIES = [(program, scheme) for program in (python, mgclient, javascript, java, go, rust) for scheme in ("bolt", "neo4j")
           if not (program is mgclient and scheme == "neo4j")]


@pytest.mark.parametrize(("program", "scheme"), STORIES, ids=[f"{program.__name__}-{scheme}" for program, scheme in STORIES])
def test_the_founding_story_runs_through(program, scheme):
    command = program()
    with cluster(arguments=["--replica-timeout", "1"]) as group:
        replicas = [group.add(name) for name in ("r1", "r2", "r3")]
        environment = {
            **os.environ,
            "STORY_SCHEME": scheme,
            "STORY_MAIN": group.main.address,
            "STORY_REPLICAS": ",".join(r.address for r in replicas),
            "STORY_REPLICATION": ",".join(r.endpoint for r in replicas),
        }
        story = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)
        alarm = threading.Timer(120, story.kill)
        alarm.start()
        told = []
        try:
            for line in story.stdout:
                told.append(line)
                if line.startswith("harness: "):
                    action, name = line.removeprefix("harness: ").split()
                    assert action in ("kill", "pause", "resume"), line
                    getattr(group.servers[name], action)()
                    story.stdin.write("done\n")
                    story.stdin.flush()
            code = story.wait()
        finally:
            alarm.cancel()
            story.kill()
        assert code == 0 and told and told[-1].strip() == "story ok", "".join(told)
