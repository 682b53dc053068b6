"""Where it runs, in which precision, and what is said when memory ends."""

from __future__ import annotations

import pytest
import torch

from impasto.device import choose_device, deterministic, in_bfloat16, telling_when_memory_ends, value_bytes
from impasto.errors import SettingsError, TooLargeError

CPU = torch.device("cpu")


def test_precision_is_what_is_asked_for_and_auto_what_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMPASTO_PRECISION", "bfloat16")
    assert in_bfloat16(CPU, "auto")
    assert not in_bfloat16(CPU, "float32")
    monkeypatch.setenv("IMPASTO_PRECISION", "float32")
    assert not in_bfloat16(CPU, "auto")
    assert in_bfloat16(CPU, "bfloat16")
    monkeypatch.setenv("IMPASTO_PRECISION", "half")
    with pytest.raises(SettingsError, match="IMPASTO_PRECISION, not 'half'"):
        in_bfloat16(CPU, "auto")


def test_float32_on_a_gpu_is_no_tf32() -> None:
    before = torch.backends.cudnn.allow_tf32
    with deterministic():
        assert not torch.backends.cudnn.allow_tf32
    assert torch.backends.cudnn.allow_tf32 == before


@pytest.mark.parametrize(
    ("amx", "cpu", "faster"), [(True, "Intel Xeon", True), (False, "Intel Xeon", False), (False, "AMD EPYC", True)]
)
def test_a_cpu_computes_in_bfloat16_where_that_is_faster(
    amx: bool, cpu: str, faster: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("IMPASTO_PRECISION", raising=False)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
    able = {"cpu_name": cpu, "avx512_bf16": True}
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: able)
    assert in_bfloat16(CPU, "auto") is faster
    able["avx512_bf16"] = False
    assert in_bfloat16(CPU, "auto") is amx


@pytest.mark.parametrize("amx", [True, False])
def test_features_take_half_in_bfloat16_where_convolutions_keep_no_copies(
    amx: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
    assert value_bytes(CPU, bfloat16=True) == (2 if amx else 3)
    assert value_bytes(CPU, bfloat16=False) == 4
    assert value_bytes(torch.device("cuda"), bfloat16=True) == 2


def test_no_device_of_that_name() -> None:
    if not torch.backends.mps.is_available():
        with pytest.raises(SettingsError, match="no mps device here"):
            choose_device("mps")


def test_where_memory_ends_one_sentence_says_what_would_fit() -> None:
    with pytest.raises(TooLargeError, match=r"2000x1000 pixels were painted; give --size 1344"), \
         telling_when_memory_ends((1000, 2000)):  # fmt: skip
        torch.empty(1 << 60)
    with pytest.raises(RuntimeError, match="inconsistent"), telling_when_memory_ends((10, 10)):
        torch.ones(2) @ torch.ones(3)
