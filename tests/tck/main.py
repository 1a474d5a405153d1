"""`tests/tck/run`: starts a server, runs the kits, ends with 0 if every case passed."""

import argparse
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

from bolt import Connection  # noqa: E402
from cluster import cluster  # noqa: E402
from judge import run_kit  # noqa: E402


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", default="", help="cases whose name has this text")
    parser.add_argument("--must-fail", action="store_true", help="the cases are wrong ones: an error if one passes")
    parser.add_argument("--report", required=True)
    parser.add_argument("folders", nargs="+")
    options = parser.parse_args()
    passed = total = 0
    with open(options.report, "w") as report, cluster(arguments=["--durability", "none"]) as group:
        for folder in options.folders:
            counts = run_kit(folder, lambda: Connection(group.main.bolt_port), report, options.only)
            passed, total = passed + counts[0], total + counts[1]
    if total == 0:
        sys.exit("no case was found")
    if options.must_fail and passed > 0:
        sys.exit(f"{passed} of {total} cases passed that should not: {options.report}")
    if not options.must_fail and passed < total:
        sys.exit(f"{total - passed} of {total} cases failed: {options.report}")


main()
