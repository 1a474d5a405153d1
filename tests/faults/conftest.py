"""Faults on real processes, disks and networks. Each test says which faults it fired; a run in which none fired fails.

Cases that need root (mounts, network namespaces) carry the mark `root`: skipped with a word without it, obligatory with QUOIT_NO_SKIP=1.
`--rounds N` makes loops longer (default 2)."""

import os
import pathlib
import random
import sys
from collections import Counter

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "e2e"))

import pytest

from cluster import BINARY, cluster

FIRED = Counter()
COUNTED = []


def pytest_addoption(parser):
    parser.addoption("--rounds", type=int, default=2, help="how often each loop goes round")


def pytest_configure(config):
    config.addinivalue_line("filterwarnings", "ignore::DeprecationWarning")
    config.addinivalue_line("markers", "root: needs root for mounts or network namespaces")


def pytest_sessionstart(session):
    if not BINARY.exists():
        pytest.exit(f"{BINARY} is missing: build it with cargo build --release --bin quoit", returncode=2)


def pytest_collection_modifyitems(items):
    if os.geteuid() == 0 or os.environ.get("QUOIT_NO_SKIP") == "1":
        return
    for item in items:
        if item.get_closest_marker("root"):
            item.add_marker(pytest.mark.skip(reason="needs root"))


@pytest.fixture
def rounds(request):
    return request.config.getoption("--rounds")


@pytest.fixture
def fire():
    """Notes a fault by its name, once it has happened; a test that has this and fires none fails."""
    before = FIRED.total()

    def note(what):
        FIRED[what] += 1

    yield note
    assert FIRED.total() > before, "no fault fired"


@pytest.fixture
def count():
    """Notes a journal, whose counts are shown at the end."""
    return COUNTED.append


@pytest.fixture
def dice(request):
    return random.Random(request.node.name)


@pytest.fixture
def group():
    with cluster(cores=2) as made:
        yield made


def pytest_terminal_summary(terminalreporter, exitstatus, config):
    if FIRED:
        faults = ", ".join(f"{count} {what}" for what, count in sorted(FIRED.items()))
        terminalreporter.write_line(f"faults fired: {faults}")
    asked, acknowledged = (sum(len(getattr(journal, what)) for journal in COUNTED) for what in ("asked", "acknowledged"))
    terminalreporter.write_line(f"writes: {asked} asked, {acknowledged} acknowledged")
