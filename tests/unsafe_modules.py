"""Fails when `unsafe` is allowed in a file that is not on the list of CONTRIBUTING.md."""

import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
ALLOWED = {
    "engine/graph/src/memory/": "blocks, epochs, tokens, the ring of sealed frames",
    "engine/graph/tests/": "a counting allocator",
    "engine/log/src/baton.rs": "the writer role's cell",
    "engine/log/src/primitive.rs": "its atomics, or loom's",
    "engine/log/tests/loom_baton.rs": "its model",
    "engine/rt/src/buffer/aligned.rs": "aligned memory",
    "engine/rt/src/doorbell.rs": "an eventfd",
    "engine/rt/src/net/stock/descriptor.rs": "sockets handed to glommio",
    "engine/rt/src/ring/": "memory the kernel works on",
    "protocol/tests/allocation.rs": "a counting allocator",
    "tools/src/kernel.rs": "affinity, signals, the terminal",
}

found = subprocess.run(["git", "grep", "-lE", r"allow\(.*unsafe_code", "--", "*.rs"], cwd=ROOT, capture_output=True, text=True).stdout.split()
strangers = [path for path in found if not any(path.startswith(prefix) for prefix in ALLOWED)]
if strangers:
    sys.exit("unsafe is allowed outside of the modules named for it: " + ", ".join(strangers))
print(f"unsafe is allowed in {len(found)} files, all of them named for it")
