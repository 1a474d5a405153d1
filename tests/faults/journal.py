"""What clients know of their writes, kept outside the server, and the verdict on what is found afterwards.

Every write has an id of its own. A client notes it as asked before it is sent, and then how it was answered: acknowledged (and by whom confirmed),
refused or rolled back (nothing of it may remain), or not at all (the connection was lost: either is right).
"""

import threading
from collections import Counter


class Journal:
    """Safe to use from many threads."""

    def __init__(self):
        self._lock = threading.Lock()
        self._last = 0
        self.asked, self.acknowledged, self.confirmed, self.aborted = set(), set(), set(), set()

    def ask(self):
        with self._lock:
            self._last += 1
            self.asked.add(self._last)
            return self._last

    def acknowledge(self, write, confirmed):
        with self._lock:
            self.acknowledged.add(write)
            if confirmed:
                self.confirmed.add(write)

    def abort(self, write):
        with self._lock:
            self.aborted.add(write)

    def counts(self):
        with self._lock:
            unknown = len(self.asked) - len(self.acknowledged) - len(self.aborted)
            return f"{len(self.asked)} asked, {len(self.acknowledged)} acknowledged, {len(self.aborted)} aborted, {unknown} unknown"


class Verdict:
    """The four sets, all of which have to be empty. `promised`: what has to be there, by default everything acknowledged."""

    def __init__(self, journal, found, promised=None):
        times = Counter(found)
        promised = journal.acknowledged if promised is None else promised
        self.lost = promised - times.keys()
        self.phantom = times.keys() - journal.asked
        self.duplicate = {write for write, count in times.items() if count > 1}
        self.aborted_but_present = journal.aborted & times.keys()

    def demand(self, where):
        for name, found in vars(self).items():
            assert not found, f"{where}: {len(found)} writes are {name.replace('_', ' ')}: {sorted(found)[:10]}"
