"""How long it takes to index a thousand pictures, and to ask which of them suits a photo.

    python benchmarks/library.py PAINTINGS PHOTO [COUNT]

The library is one of its own, for the time of the measurement; whole processes are measured.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

from impasto.encoders import load_encoder
from impasto.library.advice import recommend
from impasto.library.catalogue import Catalogue
from impasto.library.traits import SIZE, traits_of
from impasto.media.image import read
from impasto.training.pictures import find_pictures

from measure import run


def main(paintings: Path, photo: Path, count: int) -> None:
    """Print both times."""
    (found,) = find_pictures([paintings])
    with tempfile.TemporaryDirectory() as folder:
        os.environ["IMPASTO_LIBRARY"] = folder
        names = Path(folder) / "paintings.txt"
        names.write_text("\n".join(str(path.resolve()) for path in found[:count]))
        indexing = run("styles", "add", names)
        print(f"{len(found[:count])} pictures indexed in {indexing.seconds:.1f} s", flush=True)
        print(f"styles recommend, a whole process: {run('styles', 'recommend', photo).seconds:.2f} s", flush=True)
        encoder, seconds = load_encoder("compact"), []
        for _ in range(3):
            began = time.perf_counter()
            recommend(traits_of(read(photo, SIZE).pixels, encoder), Catalogue().entries())
            seconds.append(time.perf_counter() - began)
        print(f"the query in it: {statistics.median(seconds):.2f} s")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 1000)
