"""`impasto manifest`: a table of photos for runs of any size."""

from __future__ import annotations

import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from impasto.cli.options import FILES, WORK
from impasto.errors import SettingsError
from impasto.media.image import MAX_PIXELS


def manifest(
    *sources: Annotated[str, Parameter(group=FILES)],
    output: Annotated[Path, Parameter(name=["--output", "-o"], group=FILES)],
    force: Annotated[bool, Parameter(group=FILES, negative="")] = False,
    max_pixels: Annotated[int, Parameter(group=FILES)] = MAX_PIXELS,
    threads: Annotated[int, Parameter(group=WORK)] = 4,
) -> int:
    """Write a table of photos, once, for `impasto batch`: where each is, its hash and its size.

    It needs an extra: pip install 'impasto[cluster]'. What cannot be read is named and left out; the status is then 1.
    After an interrupt the same command goes on.

    Examples:

    - `impasto manifest photos/ -o photos.parquet`
    - `impasto manifest s3://bucket/photos list.txt -o photos.parquet --threads 32`

    Args:
        sources: Folders, pictures, lists (.txt), tables (.csv with a column uri or content), or s3://, gs:// and az://.
        output: The manifest (.parquet). Addresses of photos below its folder are relative to that.
        force: Replace a manifest that is there.
        max_pixels: Largest picture to take.
        threads: Pictures that are read at once; more for a bucket.
    """
    from impasto.cli.progress import progress_line
    from impasto.cluster.manifest import SUFFIX, write_manifest

    if not sources:
        raise SettingsError("Expected photos; give folders, pictures, a list (.txt), a table (.csv), or a bucket.")
    if output.suffix.lower() != SUFFIX:
        raise SettingsError(f"Expected a name that ends in {SUFFIX}; got {output}.")
    if threads < 1:
        raise SettingsError(f"Expected 1 thread or more; got {threads}.")
    began, counts = time.monotonic(), [0, 0]
    rows = write_manifest(sources, output, threads=threads, max_pixels=max_pixels, force=force)
    with progress_line() as progress, closing(rows):
        task = progress.add_task(output.name, total=None, note="")
        for looked in rows:
            counts[looked.entry is None] += 1
            if looked.entry is None:
                progress.console.print(looked.problem, style="", markup=False, highlight=False, soft_wrap=True)
            progress.update(task, note=f"{counts[0]:,} pictures")
    kept, left = counts
    out = f", {left:,} left out" if left else ""
    print(f"{output}: {kept:,} pictures{out}  {time.monotonic() - began:.1f} s", file=sys.stdout)
    return int(left > 0)
