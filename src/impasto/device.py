"""Where and how numbers are crunched: the only file that says cuda, mps or cpu."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from typing import TYPE_CHECKING, Literal, TypeVar

from impasto.errors import SettingsError, TooLargeError

if TYPE_CHECKING:
    import torch
    from torch import Tensor

T = TypeVar("T")
DeviceName = Literal["auto", "cpu", "cuda", "mps"]
Precision = Literal["auto", "float32", "bfloat16"]
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of glibc's mallopt: what is kept, and what is asked for singly


def choose_device(name: DeviceName = "auto") -> torch.device:
    """The device called `name`; for `auto`, CUDA before MPS before the CPU.

    Raises:
        SettingsError: the device is not there.
    """
    import torch

    present = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        return torch.device(next(known for known, there in present.items() if there))
    if not present[name]:
        found = ", ".join(known for known, there in present.items() if there)
        raise SettingsError(f"There is no {name} device here; use one of: {found}.")
    return torch.device(name)


def in_bfloat16(device: torch.device, precision: Precision) -> bool:
    """Whether to compute in bfloat16: as `precision` says, for `auto` as `IMPASTO_PRECISION`, or where it is faster.

    Raises:
        SettingsError: `IMPASTO_PRECISION` is neither float32 nor bfloat16.
    """
    chosen = os.environ.get("IMPASTO_PRECISION", "auto") if precision == "auto" else precision
    if chosen not in ("auto", "float32", "bfloat16"):
        raise SettingsError(f"Expected float32, bfloat16 or auto in IMPASTO_PRECISION, not {chosen!r}; set it anew.")
    return bfloat16_pays(device) if chosen == "auto" else chosen == "bfloat16"


def bfloat16_pays(device: torch.device) -> bool:
    """Whether `device` is faster in bfloat16 than in float32.

    On CPUs that takes AMX, or AMD's AVX512_BF16. Measured (`benchmarks/precision.py`: one pass, the slow road,
    training): 1.1 to 1.6 times as fast on an Intel Xeon with AMX, and on an AMD EPYC of family 26, which has none; on
    that Xeon limited to AVX512_BF16 0.7 to 0.9 times, and to AVX2 0.14.
    """
    import torch

    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type != "cpu":
        return False
    if torch.cpu._is_amx_tile_supported():
        return True
    able: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()  # older versions of torch have none
    return str(able.get("cpu_name", "")).startswith("AMD") and bool(able.get("avx512_bf16"))


def value_bytes(device: torch.device, *, bfloat16: bool) -> int:
    """Bytes that a feature takes while there are gradients of it.

    In bfloat16 half of float32's, but on a CPU without AMX three quarters: convolutions keep copies there (measured on
    an AMD EPYC by `benchmarks/estimate.py`: 0.95 GB at 1024x768, and 1.25 GB in float32).
    """
    import torch

    if not bfloat16:
        return 4
    return 2 if device.type != "cpu" or torch.cpu._is_amx_tile_supported() else 3


def autocast(device: torch.device, *, bfloat16: bool) -> AbstractContextManager[object]:
    """Run convolutions in bfloat16 inside the block, or leave everything as it is."""
    import torch

    return torch.autocast(device.type, torch.bfloat16) if bfloat16 else nullcontext()


def each_in_autocast(items: Iterator[T], device: torch.device, *, bfloat16: bool) -> Iterator[T]:
    """Each item as it is computed in `autocast`; whoever takes them computes as before."""
    while True:
        with autocast(device, bfloat16=bfloat16):
            item = next(items, None)
        if item is None:
            return
        yield item


def exactly(device: torch.device) -> AbstractContextManager[object]:
    """No bfloat16 inside the block, even within `autocast`."""
    import torch

    return torch.autocast(device.type, enabled=False)


def values_at_once(device: torch.device, in_cache: int) -> int:
    """How many numbers to compute with at once: what lies `in_cache` of a CPU, or 256 MB of float32 elsewhere."""
    return in_cache if device.type == "cpu" else 1 << 26


def padded(x: Tensor, sides: Sequence[int], mode: str) -> Tensor:
    """`F.pad` in the numbers that `x` has, also within `autocast`; by way of float32 it takes three times as long."""
    import torch.nn.functional as F

    with exactly(x.device):
        return F.pad(x, list(sides), mode)


@contextmanager
def deterministic() -> Iterator[None]:
    """Convolutions give the same bytes every time inside the block, and are float32's where that is asked for."""
    import torch

    cudnn = torch.backends.cudnn
    before = cudnn.benchmark, cudnn.deterministic, cudnn.allow_tf32
    cudnn.benchmark, cudnn.deterministic, cudnn.allow_tf32 = False, True, False
    try:
        yield
    finally:
        cudnn.benchmark, cudnn.deterministic, cudnn.allow_tf32 = before


@contextmanager
def telling_when_memory_ends(shape: tuple[int, int]) -> Iterator[None]:
    """Where memory runs out inside the block, one sentence about the picture of `shape` (height, width).

    Raises:
        TooLargeError: it did.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not memory_ended(error):
            raise
        smaller = max(64, int(0.7 * max(shape)) // 64 * 64)
        raise TooLargeError(
            f"Memory ran out while {shape[1]}x{shape[0]} pixels were painted; give --size {smaller}, or close other "
            "programs."
        ) from error


def memory_ended(error: Exception) -> bool:
    """Whether an error says that there is no more memory."""
    signs = ("can't allocate memory", "out of memory", "not enough memory")
    return isinstance(error, MemoryError) or any(sign in str(error) for sign in signs)


def cores() -> int:
    """Physical cores that this process may use."""
    import psutil

    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(allowed, psutil.cpu_count(logical=False) or allowed)


def keep_freed_memory() -> None:
    """From here on, this process uses again what it frees, rather than ask the machine for zeroed memory: on Linux.

    One pass over a large picture takes 0.87 to 0.92 of the time, the slow road 0.98 (`benchmarks/paint.py`).
    """
    _allocate(mmap_threshold=32 << 20, trim_threshold=1 << 30)


def return_freed_memory() -> None:
    """From here on, what this process frees in large pieces is the machine's again at once; on Linux.

    A draft of 2048 px with `--memory 1GB` takes 0.90 GB with pieces of 8 MB; of 4 MB, 0.84 GB and 1.14 times as long;
    of 16 MB, 1.04 GB and 0.97 times.
    """
    _allocate(mmap_threshold=8 << 20, trim_threshold=16 << 20)


def release_freed_memory() -> None:
    """Give the machine back what this process has freed so far; on Linux."""
    import ctypes

    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)


def _allocate(*, mmap_threshold: int, trim_threshold: int) -> None:
    import ctypes

    with suppress(AttributeError, OSError, TypeError):
        change = ctypes.CDLL(None).mallopt
        change(_M_MMAP_THRESHOLD, mmap_threshold)
        change(_M_TRIM_THRESHOLD, trim_threshold)


def free_memory(device: torch.device) -> int:
    """Bytes that can still be allocated on `device`."""
    import torch

    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    if device.type == "mps":
        return int(torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory())
    import psutil

    return int(psutil.virtual_memory().available)
