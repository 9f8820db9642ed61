"""`python -m rig.walk docs/course.md`: walk a page in a new lab, and print what comes."""

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from .page import Step, blocks
from .walker import walk


def tell(step: Step, came: Sequence[str]) -> None:
    """Print a step with its output."""
    print(f"{step.line}: {step.typed.strip() or step.kind.name}", *came, sep="\n    ", flush=True)


def main() -> None:
    page = Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        found = walk(blocks(page.read_text()), Path(folder), tell)
    sys.exit("\n".join(f"{page}, {one}" for one in found))


if __name__ == "__main__":
    main()
