"""Draws docs/story.svg: the end of `quoit cluster up --story`, as a terminal shows it.

    cargo build --release --bin quoit && python3 docs/picture.py
"""

import html
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[1]
QUOIT = ROOT / "target" / "release" / "quoit"
WIDTH, LINE, MARGIN = 100, 17, 14
# Scenes of the story that tell it in one screen, by how their statement begins.
SCENES = ("REGISTER", "CREATE", "MATCH")


def scenes(text):
    for scene in text.strip().split("\n\n"):
        lines = scene.splitlines()
        statement = next((line for line in lines if line.startswith("memgraph> ")), "")
        if statement.removeprefix("memgraph> ").startswith(SCENES) and "exception" not in scene:
            yield lines
    yield text.strip().splitlines()[-1:]


def colour(line):
    if line.startswith("--"):
        return "#7f8c98"
    if line.startswith("memgraph>"):
        return "#ffffff"
    if line.startswith("INFO"):
        return "#7fd1b9"
    return "#d0d7de"


def main():
    told = subprocess.run([str(QUOIT), "cluster", "up", "--main", "1", "--sync", "1", "--async", "1", "--semi-sync", "1", "--story"],
                          capture_output=True, text=True, check=True, timeout=120).stdout
    lines = ["$ quoit cluster up --main 1 --sync 1 --async 1 --semi-sync 1 --story", ""]
    for scene in scenes(told):
        lines += [line[:WIDTH] for line in scene] + [""]
    height = len(lines) * LINE + 2 * MARGIN
    body = "\n".join(
        f'<text x="{MARGIN}" y="{MARGIN + (i + 1) * LINE - 4}" fill="{colour(line)}" xml:space="preserve">{html.escape(line)}</text>'
        for i, line in enumerate(lines) if line)
    (ROOT / "docs" / "story.svg").write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" width="860" height="{height}" font-family="monospace" font-size="13">\n'
        f'<rect width="100%" height="100%" rx="8" fill="#1b1f24"/>\n{body}\n</svg>\n')


if __name__ == "__main__":
    main()
