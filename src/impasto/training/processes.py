"""The processes of a training, and what they do together."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch

from impasto.device import choose_device, in_bfloat16
from impasto.errors import PartedError, SettingsError
from impasto.training.settings import Training

if TYPE_CHECKING:
    from lightning_fabric import Fabric

_PARTED = ("connection closed", "connection reset", "broken pipe", "timed out", "gloo", "nccl", "distbackenderror")


def launch(settings: Training) -> Fabric:
    """The processes of a training: this one, or one per device, or those that torchrun or a cluster has begun.

    Raises:
        SettingsError: the device is not there, or an extra is missing.
    """
    try:
        import tensorboard  # noqa: F401
        from lightning_fabric import Fabric
    except ImportError as error:
        raise SettingsError("Training needs an extra; install it with: pip install 'impasto[train]'.") from error

    device = choose_device(settings.device)
    world = int(os.environ["WORLD_SIZE"]) if _begun_by_others() else settings.devices
    here = int(os.environ["LOCAL_WORLD_SIZE"]) if _begun_by_others() else world
    fabric = Fabric(
        accelerator=device.type,
        devices=here,
        num_nodes=world // here,
        strategy="ddp" if world > 1 else "auto",
        precision="bf16-mixed" if in_bfloat16(device, settings.precision) else "32-true",
    )
    fabric.launch()
    return fabric


def _begun_by_others() -> bool:
    """Whether this process is one of several that torchrun has begun, or who does as it does."""
    return "TORCHELASTIC_RUN_ID" in os.environ


def end_together(fabric: Fabric) -> None:
    """End what the processes have in common while all are still there: what comes after is the first one's alone.

    The others end at once: a tenth waited for ever, where an interpreter that ends holds what gloo's thread needs.
    """
    if fabric.world_size == 1:
        return
    if _begun_by_others():
        with together(fabric):
            fabric.barrier()
        return
    with together(fabric):
        store = torch.distributed.distributed_c10d._get_default_store()
        if fabric.is_global_zero:  # last, as who still waits for a message when the first is gone waits for ever
            store.wait([f"parted {rank}" for rank in range(1, fabric.world_size)])
            torch.distributed.destroy_process_group()
            return
        store.set(f"parted {fabric.global_rank}", "")
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


@contextmanager
def together(fabric: Fabric) -> Iterator[None]:
    """What all processes of a training do together; where another one has left, this one ends as well.

    Raises:
        PartedError: it has.
    """
    try:
        yield
    except RuntimeError as error:
        if fabric.world_size == 1 or not any(sign in str(error).lower() for sign in _PARTED):
            raise
        raise PartedError(
            "Another process of the training has ended, so this one does, too; the same command with --resume goes on "
            "from the last checkpoint."
        ) from error
