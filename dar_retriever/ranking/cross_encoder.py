"""Re-ranks by models that read the text and each picture together."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import numpy as np
from PIL import Image

from dar_retriever.errors import InvalidImageError, InvalidInputError
from dar_retriever.ranking.base import Candidates, Matcher, Scores, require_words_alone
from dar_retriever.stores.hits import Hit
from dar_retriever.trace import WarnOnce, of_error
from dar_retriever.understanding.exclusions import exclusion_texts

_LOGGER: Final = logging.getLogger(__name__)
# Each exclusion reads every picture once more; the latest count.
_EXCLUSIONS: Final = 2
# More pixels than any of these models reads, and little memory.
_SIDE: Final = 1024
_BATCH: Final = 16
_READERS: Final = 4


class CrossEncoderReranker:
    """Scores hits by how well the caption fits their pictures, read together.

    What the user does not want counts against a picture that fits the caption better with it than
    without. The order of the search stands where the user showed or judged pictures.

    Args:
        matcher: The model; see ``BlipMatcher`` and ``SentenceTransformersMatcher``.
        depth: How many of the best hits are read.

    Raises:
        InvalidInputError: ``depth`` is below 1.
    """

    reads_pictures = True

    def __init__(self, matcher: Matcher, *, depth: int = 20) -> None:
        if depth < 1:
            raise InvalidInputError(f"depth={depth}: read at least 1 hit")
        self.matcher = matcher
        self.depth = depth
        self._warn = WarnOnce(_LOGGER)

    @property
    def name(self) -> str:
        """The model's name."""
        return self.matcher.name

    def scores(self, candidates: Candidates) -> Scores:
        """See ``Reranker``; NaN where a picture cannot be opened.

        Raises:
            UndecidedError: Nothing was said, or pictures were shown or judged.
        """
        require_words_alone(candidates.query, self.name)
        trace = candidates.query.trace
        texts = [trace.caption, *exclusion_texts(trace.caption, trace.exclusions)[-_EXCLUSIONS:]]
        scores = np.full(len(candidates.hits), np.nan)
        for start in range(0, len(scores), _BATCH):
            places = range(start, min(start + _BATCH, len(scores)))
            pictures = self._opened(candidates.hits[start : start + _BATCH])
            readable = [place for place, it in zip(places, pictures, strict=True) if it is not None]
            if readable:
                images = [image for image in pictures if image is not None]
                fits, *against = self.matcher.match(texts, images)
                scores[readable] = fits - sum(np.maximum(with_it - fits, 0) for with_it in against)
        return scores

    def _opened(self, hits: Sequence[Hit]) -> list[Image.Image | None]:
        with ThreadPoolExecutor(_READERS) as pool:
            return list(pool.map(self._open, hits))

    def _open(self, hit: Hit) -> Image.Image | None:
        try:
            image = hit.open()
        except InvalidImageError as error:
            self._warn(f"a picture could not be read to re-rank it: {of_error(error)}")
            return None
        image.thumbnail((_SIDE, _SIDE))
        return image
