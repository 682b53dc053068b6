"""Settings of the optimiser."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

OptimizerName = Literal["adam", "lbfgs", "sgd"]


class OptimizerSettings(BaseModel):
    """How to go down the slope of the loss."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    optimizer: OptimizerName = Field("adam", description="Way down.")
    learning_rate: float = Field(0.035, gt=0, le=10, description="Size of a step; pixels are in [0, 1].")
    decay: float = Field(0.7, gt=0, le=1, description="Step at the end of each size, as a share of that at its start.")
    averaging: float = Field(0.4, ge=0, lt=1, description="Decay of the average over iterates; 0 keeps the last one.")
    clip: float = Field(0.0, ge=0, description="Longest gradient, as a 2-norm; 0 for no limit.")
    patience: int = Field(0, ge=0, description="Leave a size after so many steps without progress; 0 for never.")
    tolerance: float = Field(0.002, ge=0, description="Relative progress that counts as such.")
