"""Reads the kit's feature files into cases.

Owned here: Gherkin as far as the kit uses it (its README, section 1). Always holds: a case is known by its file, the number of its
scenario and the row of its examples; its text is what the file says after the row's cells were put in.
"""

import dataclasses
import pathlib
import re


@dataclasses.dataclass
class Step:
    """One step: its text without the keyword, its doc string, its table."""

    text: str
    doc: str | None = None
    table: list[list[str]] | None = None


@dataclasses.dataclass
class Case:
    feature: str
    scenario: str
    number: int
    row: int
    steps: list[Step]

    @property
    def name(self):
        row = f" row {self.row}" if self.row else ""
        return f"{self.feature} [{self.number}]{row}: {self.scenario}"


KEYWORD = re.compile(r"(Given|When|Then|And)\s+(.*)")
SCENARIO = re.compile(r"Scenario(?: Outline)?:\s*\[(\d+)\]\s*(.*)")


def cases(folder):
    """All cases of the feature files below `folder`."""
    folder = pathlib.Path(folder)
    for path in sorted(folder.rglob("*.feature")):
        yield from _cases_of(path, path.relative_to(folder).with_suffix("").as_posix())


def _cells(line):
    """Cells of a table's line; a lone `|` has none."""
    cells, cell, escaped = [], "", False
    for character in line.strip()[1:]:
        if escaped:
            cell += {"|": "|", "\\": "\\", "n": "\n"}.get(character, "\\" + character)
            escaped = False
        elif character == "\\":
            escaped = True
        elif character == "|":
            # A line feed that was written as such belongs to the cell, blanks around it do not.
            cells.append(cell.strip(" \t"))
            cell = ""
        else:
            cell += character
    return cells


def _cases_of(path, feature):
    lines = path.read_bytes().decode().replace("\r\n", "\n").split("\n")
    background, scenarios, tags, current, examples = [], [], [], None, None
    at = 0
    while at < len(lines):
        line = lines[at].strip()
        at += 1
        if not line or line.startswith("#"):
            continue
        if line.startswith("@"):
            tags += line.split()
        elif line.startswith("Feature:"):
            tags = []
        elif line.startswith("Background:"):
            current, examples = background, None
        elif found := SCENARIO.match(line):
            scenario = {"number": int(found[1]), "name": found[2], "tags": tags, "steps": [], "examples": None}
            scenarios.append(scenario)
            tags, current, examples = [], scenario["steps"], None
        elif line.startswith("Examples:"):
            examples = scenarios[-1]["examples"] = []
        elif line.startswith('"""'):
            indent = len(lines[at - 1]) - len(lines[at - 1].lstrip())
            text = []
            while not lines[at].strip().startswith('"""'):
                text.append(lines[at][indent:] if not lines[at][:indent].strip() else lines[at].lstrip())
                at += 1
            at += 1
            current[-1].doc = "\n".join(text)
        elif line.startswith("|"):
            if examples is not None:
                examples.append(_cells(line))
            else:
                if current[-1].table is None:
                    current[-1].table = []
                current[-1].table.append(_cells(line))
        elif current is not None and (found := KEYWORD.match(line)):
            current.append(Step(found[2].strip()))
        elif current is not None:
            raise ValueError(f"{path}:{at}: cannot read {line!r}")
    for scenario in scenarios:
        if "@ignore" in scenario["tags"]:
            continue
        steps = background + scenario["steps"]
        if scenario["examples"] is None:
            yield Case(feature, scenario["name"], scenario["number"], 0, steps)
            continue
        header, *rows = scenario["examples"]
        for number, row in enumerate(rows, 1):
            put_in = _filled(dict(zip(header, row, strict=True)))
            yield Case(feature, put_in(scenario["name"]), scenario["number"], number, [
                Step(put_in(step.text), step.doc and put_in(step.doc),
                     step.table and [[put_in(cell) for cell in cells] for cells in step.table])
                for step in steps])


def _filled(values):
    """Puts cells in for exact `<header>` names, all at once."""
    pattern = re.compile("|".join(re.escape(f"<{name}>") for name in sorted(values, key=len, reverse=True)))
    return lambda text: pattern.sub(lambda found: values[found[0][1:-1]], text)
