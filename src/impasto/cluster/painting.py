"""A shard painted: photos fetched ahead, each painted in every style, what has become of them put last of all."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import sys
import tempfile
import traceback
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from impasto.cluster.attempts import Attempts
from impasto.cluster.manifest import ManifestRow, parquet
from impasto.cluster.run import Run, RunStyle, read_run, versions
from impasto.cluster.shards import ShardTable
from impasto.cluster.sources import fetch
from impasto.cluster.tar import Tar
from impasto.errors import ImpastoError, OutputError, PictureError, SettingsError, StorageError
from impasto.processes import in_order, own_folder
from impasto.storage import Storage

if TYPE_CHECKING:
    from impasto.recipes.grown import Growing

_TRIES = 5
_KEPT_STYLES = 64
_FETCHING = 4
_LONGEST_NAME = 200
_TOLD = 20


@dataclass(frozen=True)
class Outcome:
    """What has become of a photo in a style: `done`, `there` (painted before), `same` (as a row before) or `failed`.

    `result` is the name of the picture in the output, or in the shard's tar.
    """

    uri: str
    sha256: str
    style: str
    key: str
    result: str
    state: str
    problem: str = ""


@dataclass(frozen=True)
class PaintedShard:
    """A shard that is done: how many of its results are in each state, and what is wrong with the first that failed."""

    shard: int
    counts: dict[str, int]
    problems: tuple[str, ...]

    @staticmethod
    def of(shard: int, ledger: bytes) -> PaintedShard:
        """What a shard's ledger says."""
        outcomes = outcomes_of(ledger)
        failed = [f"{one.uri}: {one.problem}" for one in outcomes if one.state == "failed"]
        return PaintedShard(shard, dict(Counter(one.state for one in outcomes)), tuple(failed[:_TOLD]))


class Stopped(Exception):
    """The work was given up between two pictures."""


class ShardPainter:
    """Paints shards of the run in a storage; networks and styles stay loaded.

    Args:
        place: the run's output.
        stopped: asked between two pictures.

    Raises:
        SettingsError: this machine has other versions than the run was begun with.
    """

    def __init__(self, place: str, stopped: Callable[[], bool] = lambda: False) -> None:
        self.storage, self.stopped = Storage(place), stopped
        run = read_run(self.storage)
        if run is None:
            raise OutputError(f"{place} holds no run any more; run the same command again.")
        self.run = run
        check_versions(run, versions())
        os.environ["IMPASTO_PRECISION"] = run.precision
        self._table = ShardTable(self.storage, run.table)
        self._folder = own_folder()
        self._opened: OrderedDict[str, Growing] = OrderedDict()

    def close(self) -> None:
        """Leave nothing in the temporary folder."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def try_to_paint(self, shard: int) -> PaintedShard | ImpastoError:
        """A shard painted, or, after some tries, why it cannot be."""
        error: ImpastoError
        for _ in range(_TRIES):
            try:
                return self.paint(shard)
            except ImpastoError as raised:
                error = raised
        return error

    def paint(self, shard: int) -> PaintedShard:
        """Paint a shard, unless that has been done.

        Raises:
            StorageError: the storage cannot be reached.
            OutputError: it is full.
            Stopped: it was to stop.
        """
        name = ledger_name(shard)
        if (there := self.storage.get(name)) is not None:
            return PaintedShard.of(shard, there)
        with closing(Attempts.begin(self.storage, shard)) as attempts:
            outcomes = self._pack(shard, attempts) if self.run.packed else self._paint(shard, attempts)
            data = _ledger(outcomes)
            won = self.storage.put_new(name, data)
            return PaintedShard.of(shard, data if won else self.storage.get(name) or data)

    def _pack(self, shard: int, attempts: Attempts) -> list[Outcome]:
        """Paint into one tar, named after what is in it, so that only the ledger says which one counts."""
        with Tar(self._folder / "shard.tar") as tar:
            painted = self._paint(shard, attempts, tar)
        name = f"shards/{shard:07}-{tar.digest[:12]}.tar"
        if not tar.empty:
            self.storage.put_new(name, tar.path)
        tar.path.unlink()
        return [replace(one, result=f"{name}/{one.result}") if one.result else one for one in painted]

    def _paint(self, shard: int, attempts: Attempts, tar: Tar | None = None) -> list[Outcome]:
        """The outcome of every photo in every style."""
        outcomes, painted = list[Outcome](), set[str]()
        for row, file in in_order(lambda row: (row, self._file(row)), self._table.rows(shard), _FETCHING):
            for outcome in self._each(row, file, painted, attempts, tar):
                outcomes.append(outcome)
                if outcome.state in ("done", "there"):
                    painted.add(outcome.key)
        return outcomes

    def _each(
        self, entry: ManifestRow, file: Path | ImpastoError, painted: set[str], attempts: Attempts, tar: Tar | None
    ) -> Iterator[Outcome]:
        """The outcome of a photo in every style; `painted` are the keys of those that came before."""
        for style in self.run.styles:
            if self.stopped():
                raise Stopped
            key = style.key(entry.sha256)
            result = f"{key}{self.run.suffix}"
            told = partial(Outcome, entry.uri, entry.sha256, style.name, key)
            name = result if tar else f"pictures/{key[:2]}/{result}"
            if key in painted:
                yield told(name, "same")
            elif isinstance(file, ImpastoError):
                yield told("", "failed", str(file))
            elif tar is None and self.storage.has(name):
                yield told(name, "there")
            elif attempts.is_deadly(key):
                yield told("", "failed", "Its process died three times; look at this photo, or at the memory.")
            else:
                with attempts.at(key):
                    picture = self._painted(style, file)
                if isinstance(picture, str):
                    yield told("", "failed", picture)
                    continue
                won = True
                if tar:
                    tar.add(key, {self.run.suffix: picture, ".json": _about(entry, style)})
                else:
                    won = self.storage.put_new(name, picture)
                yield told(name, "done" if won else "there")
        if isinstance(file, Path):
            shutil.rmtree(file.parent)

    def _painted(self, style: RunStyle, file: Path) -> bytes | str:
        """The picture as a file, or why there is none."""
        from impasto.recipes.output import Output
        from impasto.recipes.painting import painted

        path = self._folder / f"result{self.run.suffix}"
        try:
            Output(path, self.run.quality).write(painted(self._opening(style).on(file)))
            return path.read_bytes()
        except (StorageError, OutputError):
            raise
        except ImpastoError as error:
            return str(error).replace(f"{file.parent}/", "")
        except (OSError, MemoryError, RuntimeError) as error:
            traceback.print_exc(file=sys.stderr)
            return f"{type(error).__name__}: {error}"

    def _opening(self, style: RunStyle) -> Growing:
        """The engine of a style; the last ones are kept."""
        from impasto.brief import Brief
        from impasto.recipes.painting import open_brief
        from impasto.recipes.pictures import Pictures

        if style.name not in self._opened:
            brief = Brief.from_json(style.brief)
            stored = [name for name in brief.files() if name.startswith("inputs/")]
            brief = brief.renamed({name: str(self._input(name)) for name in stored})
            pictures = Pictures(max_pixels=self.run.max_pixels, licence_of=self._licence_of)
            self._opened[style.name] = open_brief(brief, pictures)
            if len(self._opened) > _KEPT_STYLES:
                self._opened.popitem(last=False)
        self._opened.move_to_end(style.name)
        return self._opened[style.name]

    def _licence_of(self, digest: str) -> str:
        return self.run.licences.get(digest, "")

    def _input(self, name: str) -> Path:
        """A style's picture, or a model, as a file of this process."""
        path = self._folder / name
        if not path.is_file():
            data = self.storage.get(name)
            if data is None or hashlib.sha256(data).hexdigest() != path.parent.name:
                raise StorageError(f"{name} of the run is missing or was changed; begin a new run.")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        return path

    def _file(self, entry: ManifestRow) -> Path | ImpastoError:
        """A photo as a file of this process, or why there is none."""
        try:
            data = fetch(entry.uri)
        except PictureError as error:
            return error
        if hashlib.sha256(data).hexdigest() != entry.sha256:
            return PictureError("The picture is not what the manifest was made from; make a new manifest.")
        name = os.fsencode(Path(entry.uri).name)[-_LONGEST_NAME:].decode(errors="ignore") or "photo"
        try:
            path = Path(tempfile.mkdtemp(dir=self._folder)) / name
            path.write_bytes(data)
        except OSError as error:
            raise OutputError(f"{self._folder} cannot be written to ({error.strerror}); make room there.") from error
        return path


def ledger_name(shard: int) -> str:
    """Where it is written what has become of a shard."""
    return f"ledger/{shard:07}.parquet"


def done_shards(storage: Storage) -> set[int]:
    """The numbers of the shards that are done."""
    stems = (Path(name).stem for name in storage.names("ledger/"))
    return {int(stem) for stem in stems if stem.isdecimal()}


def check_versions(run: Run, here: dict[str, str]) -> None:
    """Raise `SettingsError` where a run was begun with other versions than those given."""
    for name, then in run.versions.items():
        if here[name] != then:
            raise SettingsError(
                f"The run was begun with {name} {then}, and here is {here[name]}; install the same, so that all "
                "results are of one kind."
            )


def outcomes_of(data: bytes) -> list[Outcome]:
    """What a shard's ledger says."""
    return [Outcome(**row) for row in parquet().read_table(io.BytesIO(data)).to_pylist()]


def _ledger(outcomes: list[Outcome]) -> bytes:
    import pyarrow

    file = io.BytesIO()
    parquet().write_table(pyarrow.Table.from_pylist([asdict(one) for one in outcomes]), file)
    return file.getvalue()


def _about(entry: ManifestRow, style: RunStyle) -> bytes:
    import json

    return json.dumps({"photo": entry.sha256, "style": style.name}).encode()
