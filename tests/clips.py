"""Small films to test with."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from fakes import picture


def moving(count: int, height: int = 48, width: int = 64, cut: int | None = None) -> list[np.ndarray[Any, Any]]:
    """Frames (H, W, 3) of a view that moves by a pixel, with another view from `cut` on."""
    views = [picture(height, width + count, seed)[0].permute(1, 2, 0).numpy() for seed in (0, 5)]
    views[1] = 1 - views[1] * 0.3
    return [
        (views[cut is not None and number >= cut][:, number : number + width] * 255).round().astype(np.uint8)
        for number in range(count)
    ]


def clip(
    path: Path,
    frames: list[np.ndarray[Any, Any]],
    times: list[int] | None = None,
    *,
    sound: bool = False,
    aspect: Fraction | None = None,
    rotation: int = 0,
    pix_fmt: str = "yuv420p",
    rate: int = 25,
    transfer: int | None = None,
) -> Path:
    """A film of these frames, shown at `times` in 600ths of a second."""
    height, width = frames[0].shape[:2]
    with av.open(str(path), "w") as container:
        heard: Any = container.add_stream("aac", rate=16000) if sound else None
        stream: Any = container.add_stream("libx264", rate=rate)
        stream.width, stream.height, stream.pix_fmt = width, height, pix_fmt
        stream.time_base = stream.codec_context.time_base = Fraction(1, 600)
        stream.codec_context.max_b_frames = 0
        stream.options = {"crf": "5"}
        if aspect:
            stream.codec_context.sample_aspect_ratio = aspect
        if transfer:
            stream.codec_context.color_trc = transfer
        if rotation:
            stream.set_display_rotation(rotation)
        times = times or [number * 600 // rate for number in range(len(frames))]
        for number, (pixels, time) in enumerate(zip(frames, times)):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = time, Fraction(1, 600)
            following = times[number + 1] if number + 1 < len(times) else time + 600 // rate
            for packet in stream.encode(frame):
                packet.duration = following - time
                container.mux(packet)
        container.mux(stream.encode(None))
        if heard is not None:
            wave = (np.sin(np.arange(16000 * (times[-1] + 24) // 600) / 9) * 9000).astype(np.int16)[None]
            for start in range(0, wave.shape[1], 1024):
                sound_frame = av.AudioFrame.from_ndarray(wave[:, start : start + 1024], format="s16", layout="mono")
                sound_frame.pts, sound_frame.sample_rate = start, 16000
                container.mux(heard.encode(sound_frame))
            container.mux(heard.encode(None))
    return path


def packets(path: Path, kind: str) -> list[tuple[bytes, Fraction, Fraction]]:
    """(bytes, time, duration) of the packets of all streams of a kind."""
    with av.open(str(path)) as container:
        streams = [stream for stream in container.streams if stream.type == kind]
        return [
            (bytes(packet), packet.pts * packet.time_base, (packet.duration or 0) * packet.time_base)
            for packet in (container.demux(streams) if streams else [])
            if packet.dts is not None and packet.pts is not None and packet.time_base is not None
        ]
