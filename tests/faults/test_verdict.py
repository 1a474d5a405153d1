"""The verdict itself: each of the four sets fills when it should."""

import pytest

from journal import Journal, Verdict


@pytest.mark.parametrize(
    "found, wrong",
    [
        ([1, 2], None),
        ([1, 2, 4], None),
        ([1], "lost"),
        ([1, 2, 9], "phantom"),
        ([1, 1, 2], "duplicate"),
        ([1, 2, 3], "aborted but present"),
    ],
)
def test_each_set_fills_when_it_should(found, wrong):
    journal = Journal()
    one, two, three, four = (journal.ask() for _ in range(4))
    journal.acknowledge(one, True)
    journal.acknowledge(two, False)
    journal.abort(three)
    assert four == 4
    verdict = Verdict(journal, found)
    if wrong is None:
        verdict.demand("here")
    else:
        with pytest.raises(AssertionError, match=wrong):
            verdict.demand("here")


def test_what_was_not_confirmed_may_be_missing_where_only_that_was_promised():
    journal = Journal()
    one, two = journal.ask(), journal.ask()
    journal.acknowledge(one, True)
    journal.acknowledge(two, False)
    Verdict(journal, [one], promised=journal.confirmed).demand("the replica")
