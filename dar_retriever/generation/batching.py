"""A generator for many users: requests that wait at the same time are made together."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import Condition
from typing import Final

from dar_retriever.errors import GenerationError, InvalidInputError
from dar_retriever.generation.base import GeneratedImage, ImageGenerator, ImageRequest
from dar_retriever.support.threads import Gone, waited_for_by, who_waits

_LOOK: Final = 0.05


class BatchingGenerator:
    """Wraps a generator so that calls from several threads share its batches.

    Whoever comes while the generator is busy waits; the next call to the generator takes all that
    wait, the longest waiting first, up to its batch size. Everybody gets the images that they would
    get alone, in their own order, as each image depends on nothing but its own request. There is no
    thread of its own: one of those that wait makes the batch for all.

    Args:
        generator: Makes the images; one call at a time reaches it.
        batch_size: The most images of a call, unless one request alone asks for more.

    Raises:
        InvalidInputError: ``batch_size`` is below 1.
    """

    def __init__(self, generator: ImageGenerator, batch_size: int = 8) -> None:
        if batch_size < 1:
            raise InvalidInputError(f"batch_size={batch_size}: must be at least 1")
        self._generator = generator
        self._batch_size = batch_size
        self._queue: deque[_Waiting] = deque()
        self._busy = False
        self._changed = Condition()

    @property
    def fingerprint(self) -> str:
        """See ``ImageGenerator``."""
        return self._generator.fingerprint

    def generate(self, requests: Sequence[ImageRequest]) -> list[GeneratedImage]:
        """See ``ImageGenerator``. Leaves the queue when nobody waits for the images any more."""
        if not requests:
            return []
        waiting = _Waiting(tuple(requests), who_waits())
        with self._changed:
            self._queue.append(waiting)
        while batch := self._due(waiting):
            try:
                self._make(batch)
            finally:
                with self._changed:
                    # After a KeyboardInterrupt here the others still wait.
                    left = [other for other in batch if not (other.done or other is waiting)]
                    self._queue.extendleft(reversed(left))
                    self._busy = False
                    self._changed.notify_all()
        if waiting.error is not None:
            raise waiting.error
        return waiting.images

    def _due(self, waiting: _Waiting) -> list[_Waiting]:
        """Wait for the generator; what it is to make next, or nothing where all is made."""
        with self._changed:
            while not waiting.done:
                if waiting.gone():
                    if waiting in self._queue:
                        self._queue.remove(waiting)
                    raise GenerationError("stopped: nobody waits for the images any more")
                if not self._busy:
                    self._busy = True
                    return self._next_batch()
                self._changed.wait(_LOOK)
        return []

    def _next_batch(self) -> list[_Waiting]:
        batch: list[_Waiting] = []
        room = self._batch_size
        while self._queue and (not batch or len(self._queue[0].requests) <= room):
            batch.append(self._queue.popleft())
            room -= len(batch[-1].requests)
        return batch

    def _make(self, batch: list[_Waiting]) -> None:
        """Make the images of a batch; what fails for all together is tried for each alone."""
        requests = [request for waiting in batch for request in waiting.requests]
        context = waited_for_by(lambda: all(waiting.gone() for waiting in batch))
        try:
            made = context.run(self._generator.generate, requests)
        # A generator may be anybody's code; its error belongs to those who asked.
        except Exception as error:
            if len(batch) == 1:
                batch[0].error, batch[0].done = error, True
                return
            made = []
        if len(made) < len(requests) and len(batch) > 1:
            for waiting in batch:
                self._make([waiting])
            return
        for waiting in batch:
            waiting.images, made = made[: len(waiting.requests)], made[len(waiting.requests) :]
            waiting.done = True


@dataclass(eq=False, slots=True)
class _Waiting:
    """Requests of one call, and what became of them."""

    requests: tuple[ImageRequest, ...]
    gone: Gone
    done: bool = False
    images: list[GeneratedImage] = field(default_factory=list)
    error: Exception | None = None
