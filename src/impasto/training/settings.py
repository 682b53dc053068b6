"""Settings of the training commands."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class EncoderTraining(BaseModel):
    """Settings of `impasto train encoder`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    crops: int = Field(160, ge=16, description="Crops for the closed-form start.")
    crop_size: int = Field(160, ge=64, description="Side of those crops, in pixels.")
    ridge: float = Field(1e-4, gt=0, description="Ridge of the regressions, relative to the features' power.")
    minutes: float = Field(30, ge=0, description="Time limit of the fine-tuning.")
    steps: int = Field(800, ge=0, description="Steps of the fine-tuning, at most.")
    batch: int = Field(8, ge=1, description="Crops of 128 px per step.")
    learning_rate: float = Field(2e-4, gt=0, description="Adam's step at its highest; it rises, then falls to 0.")
    seed: int = Field(0, description="Fixes the split, the crops and the patches.")
