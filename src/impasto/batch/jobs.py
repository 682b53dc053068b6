"""From pairs and what is asked for to a batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from impasto.batch.plan import Pair
from impasto.batch.work import Batch
from impasto.brief import Brief
from impasto.media.image import MAX_PIXELS
from impasto.recipes.painting import open_brief
from impasto.recipes.pictures import Pictures


def prepare_batch(
    folder: Path,
    pairs: Sequence[Pair],
    brief_of: Callable[[Sequence[str]], Brief],
    *,
    quality: int | None = None,
    force: bool = False,
    max_pixels: int = MAX_PIXELS,
) -> Batch:
    """The batch that paints `pairs` into `folder`, entered into its ledger; `brief_of` says how, for a pair's styles.

    Raises:
        InputError: a model, picture or setting that cannot be used.
        OutputError: a result would replace a file that no batch has made.
    """
    briefs = {pair.styles: brief_of(pair.styles) for pair in reversed(pairs)}
    open_brief(briefs[pairs[0].styles], Pictures(max_pixels=max_pixels))
    batch = Batch(folder, quality, force, max_pixels)
    return batch.entered([(pair, _from_anywhere(briefs[pair.styles])) for pair in pairs])


def _from_anywhere(brief: Brief) -> Brief:
    """The same brief with whole paths, for processes that may begin in other folders."""
    names = [name for name in (*brief.pictures(), brief.engine, brief.weights) if name and Path(name).is_file()]
    return brief.renamed({name: str(Path(name).absolute()) for name in names})
