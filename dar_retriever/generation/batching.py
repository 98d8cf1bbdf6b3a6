"""A generator for many users: requests that wait at the same time share a batch."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import Condition
from typing import Final

from dar_retriever.errors import GenerationError, InvalidInputError
from dar_retriever.generation.base import ImageGenerator, ImageRequest, Outcome
from dar_retriever.support.threads import Gone, waited_for_by, who_waits

_LOOK: Final = 0.05


class BatchingGenerator:
    """Wraps a generator so that calls from several threads share its batches.

    Calls that arrive while the generator is busy wait in a queue. The next call of the generator
    takes as many waiting requests as fit the batch size, oldest first. Each caller gets exactly the
    images that it would get without the others, because an image depends only on its own request.
    There is no background thread: one of the waiting callers makes the batch for all.

    Args:
        generator: Makes the images. It is never called twice at the same time.
        batch_size: Maximum number of images per call, unless a single caller asks for more.

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

    def generate(self, requests: Sequence[ImageRequest]) -> Sequence[Outcome]:
        """See ``ImageGenerator``. Leaves the queue if nobody waits for the images any more."""
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
                    # After a KeyboardInterrupt in this thread the others still wait.
                    left = [other for other in batch if not (other.done or other is waiting)]
                    self._queue.extendleft(reversed(left))
                    self._busy = False
                    self._changed.notify_all()
        if waiting.error is not None:
            raise waiting.error
        return waiting.images

    def _due(self, waiting: _Waiting) -> list[_Waiting]:
        """Wait for the generator and take the next batch; empty if our images are done."""
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
        """Make the images of a batch. If that fails, try each caller's requests separately."""
        requests = [request for waiting in batch for request in waiting.requests]
        context = waited_for_by(lambda: all(waiting.gone() for waiting in batch))
        try:
            made = list(context.run(self._generator.generate, requests))
        # The generator may be third-party code; its error goes to the callers.
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
    """The requests of one caller, and their outcome."""

    requests: tuple[ImageRequest, ...]
    gone: Gone
    done: bool = False
    images: list[Outcome] = field(default_factory=list)
    error: Exception | None = None
