import pytest

from cluster import BINARY, cluster


def pytest_sessionstart(session):
    if not BINARY.exists():
        pytest.exit(f"{BINARY} is missing: build it with cargo build --release --bin quoit", returncode=2)


@pytest.fixture
def alone():
    """One server, a main without replicas."""
    with cluster() as made:
        yield made.main


@pytest.fixture
def group():
    """A main; tests add replicas with `group.join(name, mode)`."""
    with cluster() as made:
        yield made
