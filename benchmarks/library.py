"""How long it takes to index a thousand pictures, and to ask which of them suits a photo.

    python benchmarks/library.py PAINTINGS PHOTO [COUNT]

The library is one of its own, for the time of the measurement; whole processes are measured.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from impasto.training.pictures import find_pictures

from measure import run


def main(paintings: Path, photo: Path, count: int) -> None:
    """Print both times."""
    (found,) = find_pictures([paintings])
    with tempfile.TemporaryDirectory() as folder:
        os.environ["IMPASTO_CACHE"] = folder
        names = Path(folder) / "paintings.txt"
        names.write_text("\n".join(str(path.resolve()) for path in found[:count]))
        indexing = run("styles", "add", names)
        print(f"{len(found[:count])} pictures indexed in {indexing.seconds:.1f} s", flush=True)
        for command in ("recommend", "near"):
            print(f"styles {command}: {run('styles', command, photo).seconds:.2f} s, the start of Python included")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 1000)
