"""Priors: what a caption's pictures could look like, as vectors, without drawing any.

The first half of DALL-E 2 (Ramesh et al., arXiv 2204.06125): a generative model of the image
vectors that go with a caption.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from dar_retriever.errors import InvalidInputError
from dar_retriever.generation.base import Samples
from dar_retriever.support.caption_reader import CaptionReader
from dar_retriever.support.model_files import fingerprint_of, loading, require_folder

if TYPE_CHECKING:
    from dar_retriever.generation.velocity import VelocityNetwork

CONFIG: Final = "config.json"
WEIGHTS: Final = "diffusion_pytorch_model.safetensors"
_STEPS: Final = 12


class FlowPrior:
    """A small prior on the vectors of one joint encoder, trained by flow matching.

    It learns to move noise along straight lines to image vectors (Lipman et al., arXiv
    2210.02747; Liu et al., arXiv 2209.03003). It runs on the CPU, at about a millisecond a vector
    and less.

    Args:
        folder: Holds ``config.json`` and ``diffusion_pytorch_model.safetensors``.
        reader: Reads the captions; the one that the prior was trained with.
        steps: Steps from noise to a vector.

    Raises:
        InvalidInputError: ``steps`` is below 1.
        ModelLoadError: The folder holds no such model.
    """

    def __init__(
        self, folder: str | os.PathLike[str], reader: CaptionReader, *, steps: int = _STEPS
    ) -> None:
        if steps < 1:
            raise InvalidInputError(f"steps={steps}: at least 1")
        place = require_folder("the prior's", os.fspath(folder))
        with loading("the prior", str(place), local=True):
            self._network = _opened(place)
        self._reader = reader
        self._steps = steps
        said = f"flow prior, {steps} steps, {reader.fingerprint}"
        self.fingerprint = fingerprint_of(said, self._network)

    def sample(self, caption: str, text: Samples, count: int, seed: int) -> Samples:
        """See ``ImagePrior``. The caption's words are read, and not its vector."""
        import torch

        chance = torch.Generator().manual_seed(seed)
        noise = torch.randn(count, len(text), generator=chance)
        read = torch.from_numpy(self._reader.read([caption])).expand(count, -1)
        with torch.inference_mode():
            sampled: Samples = self._network.sampled(read, noise, self._steps).numpy()
        return sampled


def _opened(folder: Path) -> VelocityNetwork:
    from safetensors.torch import load_file

    from dar_retriever.generation.velocity import VelocityNetwork

    config: dict[str, int] = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    network = VelocityNetwork(**config)
    network.load_state_dict(load_file(folder / WEIGHTS))
    return network.float().eval()
