"""`impasto doctor`: what is here, and what is missing."""

from __future__ import annotations

_EXTRAS = {
    "train": "lightning_fabric",
    "export": "onnxruntime",
    "evaluate": "pytorch_msssim",
    "search": "optuna",
    "masks": "cv2",
    "film": "av",
    "openvino": "openvino",
    "studio": "fastapi",
    "postgres": "psycopg",
    "sign": "c2pa",
}


def doctor() -> None:
    """Show versions, device, threads, memory and picture formats, and say what is missing."""
    import platform
    from importlib.metadata import version
    from importlib.util import find_spec

    import psutil
    import pyvips
    import torch

    from impasto.device import choose_device, free_memory, in_bfloat16
    from impasto.encoders.compact import shipped_weights
    from impasto.identity import identity_folder
    from impasto.library.folder import library_folder
    from impasto.shelf.models import models, shelf_folder
    from impasto.weights.fetch import PUBLISHED, cache_folder, cached

    device = choose_device()
    bfloat16 = "used" if in_bfloat16(device, "auto") else "not faster here, so not used"
    vips = ".".join(str(pyvips.version(part)) for part in range(3))
    folders = {
        "SHELF": shelf_folder(),
        "LIBRARY": library_folder(),
        "IDENTITY": identity_folder(),
        "CACHE": cache_folder(),
    }
    rows = {
        "impasto": version("impasto"),
        "python": f"{platform.python_version()} on {platform.system()} {platform.machine()}",
        "torch": f"{torch.__version__}, {torch.get_num_threads()} threads",
        "device": f"{device.type}, bfloat16 {bfloat16}",
        "memory": f"{free_memory(device) / 1e9:.1f} GB free of {psutil.virtual_memory().total / 1e9:.1f} GB",
        "pictures": f"libvips {vips}, Pillow {version('pillow')}, pillow-heif {version('pillow-heif')}",
        **{
            name: "in the package" if path.is_file() else "MISSING: install the package again"
            for name, path in shipped_weights().items()
        },
        "models": ", ".join(models()),
        **{
            f"[{extra}]": "here" if find_spec(module) else f"missing (optional): pip install 'impasto[{extra}]'"
            for extra, module in _EXTRAS.items()
        },
        **{name.lower(): f"{folder} (IMPASTO_{name} names another)" for name, folder in folders.items()},
        **{name: str(cached(name) or f"missing (optional): impasto weights get {name}") for name in PUBLISHED},
    }
    for name, value in rows.items():
        print(f"{name:11} {value}")
