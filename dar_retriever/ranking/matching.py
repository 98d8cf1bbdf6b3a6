"""A learned matching head on the stored vectors of one encoder."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from dar_retriever.encoders.base import Vectors
from dar_retriever.errors import ModelLoadError, UndecidedError
from dar_retriever.ranking.base import Candidates, fit, require_words, require_words_alone
from dar_retriever.ranking.propositions import names_a_thing, propositions
from dar_retriever.ranking.ruled_out import kept
from dar_retriever.ranking.told import SURE, ToldReader
from dar_retriever.stores.hits import Shown
from dar_retriever.support.caption_reader import CaptionReader
from dar_retriever.support.model_files import loading, require_folder
from dar_retriever.understanding.exclusions import exclusion_texts

if TYPE_CHECKING:
    from dar_retriever.ranking.matching_network import ImageReader

CONFIG: Final = "config.json"
WEIGHTS: Final = "model.safetensors"
_SHOWN: Final = 0.5
_TOLD: Final = 0.5
# A reading is never quite certain.
_LEAST: Final = 1e-4
_MOST: Final = 0.95


class MatchingReranker:
    """Scores captions with stored vectors by two small learned networks.

    BLIP's matching head does the same with pictures (Li et al., arXiv 2201.12086). One query vector
    scores every stored vector linearly, and has to hold all that was told. Here one network reads
    off the caption which values of which attributes are told, and the other how likely each stored
    vector shows them; the score is the logarithm of how much likelier than usual all of them are,
    attribute by attribute (naive Bayes). It needs no pictures, and so works on stores that were
    filled before there was one. It belongs to one encoder: the demo's is trained with
    ``python -m dar_retriever.demo.training``.

    Args:
        folder: Holds ``config.json`` and ``model.safetensors``.
        reader: Reads the captions; the one that the head was trained with.
        depth: See ``Reranker``.

    Raises:
        ModelLoadError: The folder holds no such model, or it does not go with the reader.
    """

    name = "matching head"
    reads_pictures = False

    def __init__(
        self, folder: str | os.PathLike[str], reader: CaptionReader, depth: int = 200
    ) -> None:
        place = require_folder("the matching head's", os.fspath(folder))
        with loading("the matching head", str(place), local=True):
            self._images, config = _opened(place)
            self._dimension: int = config["dimension"]
            self._explained: list[int] = config["explained"]
        sizes = self._images.sizes
        if reader.features != sum(sizes) + len(sizes):
            raise ModelLoadError(
                f"the caption reader has {reader.features} features, and the matching head in "
                f"{str(place)!r} needs {sum(sizes) + len(sizes)}; open the one it came with"
            )
        self._told = ToldReader(reader, sizes, self._explained[0])
        self.depth = depth

    def scores(self, candidates: Candidates) -> NDArray[np.floating[Any]]:
        """See ``Reranker``: the logarithm of how much likelier a hit is with the caption.

        Where hits were liked or rejected, the score of the search, which knows of that, is added in
        standard deviations.

        Raises:
            UndecidedError: Nothing was said, or pictures were shown.
            ModelLoadError: The head belongs to an encoder of other dimensions.
        """
        query = candidates.query
        require_words(query, self.name)
        trace = query.trace
        texts = [trace.caption, *exclusion_texts(trace.caption, trace.exclusions)]
        scores = self.matched(texts, candidates.vectors)
        wanted, *excluded = scores
        result: NDArray[np.floating[Any]] = wanted + kept(wanted, excluded)
        if len(query.liked_vectors) or len(query.rejected_vectors):
            result = result + fit(candidates, query.vector)
        return result

    def shown(self, candidates: Candidates) -> list[tuple[Shown, ...]]:
        """See ``Explainer``. What the caption reader does not know is left out."""
        trace, vectors = candidates.query.trace, candidates.vectors
        parts = propositions(trace.caption, trace.exclusions)
        if not parts or not len(vectors):
            return [() for _ in vectors]
        told = self._told.read([part.text for part in parts])
        seen = self._seen(vectors)
        chances, known = np.ones((len(parts), len(vectors))), np.zeros(len(parts), bool)
        for place, attribute in enumerate(self._explained):
            shares = told[attribute]
            says = shares.max(1) > SURE
            # The first is the kind of thing, and "something red" tells none.
            says[0] &= place > 0 or names_a_thing(parts[0].text)
            # "blue mug" tells the kind as well, which is the subject's to tell.
            says[1:] &= ~says[0]
            agreed = (shares / shares.sum(1, keepdims=True)) @ seen[attribute]
            chances[says] *= agreed[says]
            known |= says
        return [
            tuple(
                Shown(part.phrase, bool(chance > _SHOWN) is part.wanted, float(chance), part.wanted)
                for part, chance, understood in zip(parts, column, known, strict=True)
                if understood
            )
            for column in chances.T
        ]

    def chances(self, candidates: Candidates) -> NDArray[np.floating[Any]]:
        """How likely each candidate shows all that was told and nothing that was ruled out.

        Each attribute counts once, however often it is told. A kind of thing is read where the
        caption names one.

        Returns:
            Logarithms of probabilities: (N,).

        Raises:
            UndecidedError: Nothing was said that the head understands, or pictures were shown or
                judged.
            ModelLoadError: The head belongs to an encoder of other dimensions.
        """
        require_words_alone(candidates.query, self.name)
        trace = candidates.query.trace
        if not trace.caption:
            raise UndecidedError(f"the {self.name} reads captions, and there is none")
        told, seen = self._told.told(trace.caption), self._seen(candidates.vectors)
        told = [shares[0] for shares in told]
        named, chances = names_a_thing(trace.caption), np.zeros(len(candidates.vectors))
        read = [
            attribute
            for place, attribute in enumerate(self._explained)
            if told[attribute].sum() >= _TOLD and (place > 0 or named)
        ]
        if not read:
            raise UndecidedError(f"the {self.name} understands nothing of {trace.caption!r}")
        for attribute in read:
            chances += np.log(np.maximum(_share(told[attribute]) @ seen[attribute], _LEAST))
        parts = propositions(trace.caption, trace.exclusions)
        excluded = [part.text for part in parts if not part.wanted]
        if not excluded:
            return chances
        ruled_out = self._told.read(excluded)
        # What is told says more than what is ruled out beside it: "a wide neck, not a long one".
        for attribute in set(self._explained[1:]).difference(read):
            for shares in ruled_out[attribute]:
                if shares.max() > SURE:
                    chances += np.log1p(-np.minimum(_share(shares) @ seen[attribute], _MOST))
        return chances

    def matched(self, texts: Sequence[str], vectors: Vectors) -> NDArray[np.float64]:
        """How much likelier than usual each vector shows each text, as a logarithm.

        Args:
            texts: T captions.
            vectors: Images by the head's encoder: float32 (N, d) of unit length.

        Returns:
            float64 (T, N).

        Raises:
            ModelLoadError: The vectors have other dimensions than the head reads.
        """
        import torch

        self._require_dimension(vectors)
        with torch.inference_mode():
            evidence = [seen.numpy().T for seen in self._images.evidence(torch.from_numpy(vectors))]
        scores = [
            sum(part @ seen for part, seen in zip(self._told.told(text), evidence, strict=True))
            for text in texts
        ]
        return np.concatenate([np.asarray(score, float) for score in scores])

    def _seen(self, vectors: Vectors) -> list[NDArray[np.floating[Any]]]:
        """For each attribute, how likely each vector shows each value: (values, N)."""
        import torch

        self._require_dimension(vectors)
        with torch.inference_mode():
            return [seen.exp().numpy().T for seen in self._images(torch.from_numpy(vectors))]

    def _require_dimension(self, vectors: Vectors) -> None:
        if vectors.shape[1] != self._dimension:
            raise ModelLoadError(
                f"the matching head reads vectors of {self._dimension} dimensions, these have "
                f"{vectors.shape[1]}; it belongs to another encoder"
            )


def _share(shares: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    """Told values, given that the attribute is told: they add up to 1."""
    given: NDArray[np.floating[Any]] = shares / shares.sum()
    return given


def _opened(folder: Path) -> tuple[ImageReader, dict[str, Any]]:
    from safetensors.torch import load_file

    from dar_retriever.ranking.matching_network import ImageReader

    config: dict[str, Any] = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    network = ImageReader(config["dimension"], config["width"], config["sizes"])
    network.load_state_dict(load_file(folder / WEIGHTS))
    return network.float().eval(), config
