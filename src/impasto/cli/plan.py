"""`impasto plan`: what a run over a manifest will take."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Group, Parameter

from impasto.cli.options import FILES, LOOK, RecipeOptions, explicit
from impasto.cli.run import ManyOptions, asked_for_many, run_of
from impasto.errors import SettingsError
from impasto.media.image import MAX_PIXELS

if TYPE_CHECKING:
    from impasto.cluster.cost import Fleet, RunCost

MACHINES = Group("Machines", sort_key=2)


def plan(
    manifest: Annotated[Path, Parameter(group=FILES)],
    /,
    *,
    style: Annotated[list[str], Parameter(group=FILES, negative="")],
    on: Annotated[str, Parameter(group=MACHINES)],
    shards: Annotated[int, Parameter(group=FILES)] = 0,
    format: Annotated[str, Parameter(group=FILES)] = "png",
    quality: Annotated[int | None, Parameter(group=FILES)] = None,
    rate: Annotated[float | None, Parameter(group=MACHINES)] = None,
    price: Annotated[float | None, Parameter(group=MACHINES)] = None,
    losses: Annotated[float, Parameter(group=MACHINES)] = 0.0,
    engine: Annotated[str | None, Parameter(group=LOOK)] = None,
    preset: Annotated[str | None, Parameter(group=LOOK)] = None,
    recipe: Annotated[RecipeOptions | None, Parameter(name="*")] = None,  # type: ignore[valid-type]
) -> None:
    """Say what `impasto batch` over a manifest will take: hours, memory, requests and money. Nothing is begun.

    A usual result is painted here, by one core, and the run is simulated from that, with two machines in a hundred
    that are twice as slow.

    Examples:

    - `impasto plan photos.parquet --style a.jpg --shards 1000 --on c7i.4xlarge:8`
    - `impasto plan photos.parquet --style a.jpg --shards 1000 --on g5.xlarge:4 --rate 12 --losses 0.05`

    Args:
        manifest: The photos, as `impasto manifest` writes it.
        style: A painting, a folder of them, a saved style, or a trained painter; repeat it for more.
        on: Machines by kind and number: c7i.4xlarge:8.
        shards: Results in one tar; by default each result is a file.
        format: Suffix of the results: png, jpg, webp, tif, avif.
        quality: 1 to 100, for JPEG, WebP and AVIF.
        rate: Results that one of the machines paints in a second, where you have measured that.
        price: USD that one of them costs in an hour, in place of the list price of 2025.
        losses: How often a machine is taken away in an hour, as spot machines are.
        engine: instant (the default), optimize, or a model file.
        preset: Preset for --engine optimize; balanced by default.
    """
    from impasto.cluster.cost import Fleet, cost_of
    from impasto.cluster.simulation import Troubles

    if (rate is not None and rate <= 0) or (price is not None and price < 0) or losses < 0:
        raise SettingsError("Expected --rate, --price and --losses above 0.")
    fleet, suffix = Fleet.of(on, rate, price), f".{format.lower().lstrip('.')}"
    how = asked_for_many(suffix, quality, engine, preset, explicit(recipe))
    many = ManyOptions(shards=shards)
    asked = run_of([str(manifest)], style, how, suffix=suffix, quality=quality, max_pixels=MAX_PIXELS, many=many)
    cost = cost_of(asked, fleet, Troubles(losses_an_hour=losses))
    _say(str(manifest), fleet, cost)


def _say(name: str, fleet: Fleet, cost: RunCost) -> None:
    from impasto.cluster.cost import STORED

    print(f"{name}: {cost.photos:,} photos, {cost.results:,} results, {cost.shards:,} shards")
    print(f"a result   {cost.trial.seconds:.2f} s of a core here, {cost.trial.bytes / 1e3:,.0f} kB")
    print(f"a painter  {cost.trial.memory / 1e9:.1f} GB; {cost.painters:,} of them on {fleet.count:,} {fleet.kind}")
    again = f", {cost.course.repainted:,} shards painted again" if cost.course.repainted else ""
    print(f"time       {cost.hours:,.1f} h, {100 * cost.course.efficiency:.0f} % of it painting{again}")
    print(f"machines   {cost.machines:,.2f} USD")
    print(f"requests   {cost.requests:,.2f} USD: {cost.gets:,} reads, {cost.puts:,} writes")
    print(f"storage    {cost.stored:,.1f} GB, {cost.stored * STORED:,.2f} USD a month")
