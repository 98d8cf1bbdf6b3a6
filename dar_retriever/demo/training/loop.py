"""One training loop for all of the demo's models: resumable, seeded, with averaged weights."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Final, TypeVar

import torch
from rich.console import Console
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

_SAVE_EVERY_SECONDS: Final = 120
_WARM_UP: Final = 0.03

console = Console()
M = TypeVar("M", bound=nn.Module)


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long and how fast: a short warm-up, then a cosine down to zero.

    Another seed is for further training, which would see the batches of the first again.
    """

    steps: int
    batch: int
    learning_rate: float
    weight_decay: float = 0.01
    average: float = 0.998
    seed: int = 0

    def rate_at(self, step: int) -> float:
        """The learning rate at a step, as a share of the highest."""
        warm_up = max(1, int(_WARM_UP * self.steps))
        if step < warm_up:
            return (step + 1) / warm_up
        return 0.5 * (1 + math.cos(math.pi * (step - warm_up) / max(1, self.steps - warm_up)))


def device() -> torch.device:
    """CUDA where there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def train(
    model: M,
    loss_of: Callable[[M, Random], Tensor],
    schedule: Schedule,
    state: Path,
) -> M:
    """Train a model, or go on with one whose training was stopped.

    Args:
        model: On its device, freshly and reproducibly initialised.
        loss_of: Takes the model and the step's own source of chance, which it passes on to
            everything it draws; torch's generator is seeded with the step as well.
        schedule: How long and how fast.
        state: File that holds weights, averages and optimiser between runs.

    Returns:
        The model with the exponential average of its weights.
    """
    optimiser = torch.optim.AdamW(
        model.parameters(), schedule.learning_rate, (0.9, 0.98), weight_decay=schedule.weight_decay
    )
    scale = torch.optim.lr_scheduler.LambdaLR(optimiser, schedule.rate_at)
    average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(schedule.average))
    parts: dict[str, Any] = {
        "model": model,
        "optimiser": optimiser,
        "scale": scale,
        "average": average,
    }
    start = 0
    if state.exists():
        saved = torch.load(state, map_location=device(), weights_only=True)
        start = saved.pop("step")
        for name, part in parts.items():
            part.load_state_dict(saved[name])
    began = saved_at = time.monotonic()
    running = 0.0
    model.train()
    for step in range(start, schedule.steps):
        torch.manual_seed(schedule.seed + step)
        with ExitStack() as stack:
            stack.enter_context(torch.autocast(device().type, torch.bfloat16))
            # PyTorch's fused attention is slower than plain matrices in the backward pass on CPUs.
            stack.enter_context(sdpa_kernel(SDPBackend.MATH))
            loss = loss_of(model, Random(schedule.seed + step))
            loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad()
        scale.step()
        average.update_parameters(model)
        running += (loss.item() - running) * max(0.02, 1 / (step - start + 1))
        last = step + 1 == schedule.steps
        if last or time.monotonic() - saved_at > _SAVE_EVERY_SECONDS:
            saved_at = time.monotonic()
            _save(state, {"step": step + 1, **{n: p.state_dict() for n, p in parts.items()}})
        if last or (step + 1) % 100 == 0:
            pace = (time.monotonic() - began) / (step + 1 - start)
            left = pace * (schedule.steps - step - 1) / 60
            console.print(
                f"{state.stem}: step {step + 1}/{schedule.steps}, loss {running:.4f}, "
                f"{pace:.2f} s a step, {left:.0f} min left"
            )
    model.load_state_dict(average.module.state_dict())
    return model.eval()


def _save(state: Path, content: dict[str, object]) -> None:
    part = state.with_suffix(".part")
    torch.save(content, part)
    part.replace(state)
