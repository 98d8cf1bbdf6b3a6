"""What generators on hosted services share: limits, retries, refusals, a key that stays secret."""

from __future__ import annotations

import hashlib
import json
import random
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from typing import Any, Final

from PIL import Image

from dar_retriever.errors import GenerationError, InvalidInputError
from dar_retriever.generation.base import GeneratedImage, ImageRequest, NotGenerated, Outcome
from dar_retriever.generation.failures import Failure, failure_of
from dar_retriever.generation.gate import Gate
from dar_retriever.support.deadline import call_within
from dar_retriever.support.keys import Key
from dar_retriever.support.threads import stop_requested, waited_for_by, who_waits

_LOOK: Final = 0.05
_STOPPED: Final = "stopped: nobody waits for the images any more"


@dataclass(frozen=True, slots=True)
class ServiceLimits:
    """How far a hosted service is used.

    Attributes:
        parallel: Maximum number of requests at the same time, over all threads.
        per_minute: Maximum number of requests that begin within a minute; None for any number.
        attempts: How often an image is asked for; each attempt may be charged.
        back_off: Seconds before the second attempt, doubled for each further one. A service that
            names a time itself is not asked earlier.
        seconds: Time limit of ``parallel`` images, with all waiting and all attempts.
        images: Maximum number of images that are asked for in all, before the generator is opened
            again; None for any number. ``DialogueLimit`` limits those of one conversation.

    Raises:
        InvalidInputError: A number is too small.
    """

    parallel: int = 4
    per_minute: int | None = None
    attempts: int = 3
    back_off: float = 0.5
    seconds: float = 30.0
    images: int | None = None

    def __post_init__(self) -> None:
        counts = (self.parallel, self.attempts, self.per_minute or 1)
        if min(counts) < 1 or self.seconds <= 0 or self.back_off < 0 or (self.images or 0) < 0:
            raise InvalidInputError(
                f"{self}: parallel, attempts and per_minute must be at least 1, seconds above 0, "
                "back_off and images at least 0"
            )


class ServiceGenerator(ABC):
    """An ``ImageGenerator`` that asks a service on the network; subclasses ask for one image.

    Each image is a request of its own. Requests that fail for a while are sent again. An image that
    could not be made is answered with ``NotGenerated`` and the reason.

    Args:
        name: The service and its model, for people.
        settings: All that an image depends on besides its request; never a key.
        key: The service's key, or None if it needs none.
        limits: How far the service is used.
    """

    def __init__(
        self, name: str, settings: Mapping[str, Any], key: Key | None, limits: ServiceLimits
    ) -> None:
        described = json.dumps([type(self).__name__, settings], sort_keys=True, default=str)
        self._fingerprint = hashlib.sha256(described.encode()).hexdigest()[:16]
        self._name = name
        self._key = key
        self._limits = limits
        self._gate = Gate(limits.parallel, limits.per_minute)
        self._asked = 0
        self._lock = Lock()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._name}>"

    @property
    def fingerprint(self) -> str:
        """See ``ImageGenerator``. The service may change its model without a sign."""
        return self._fingerprint

    @abstractmethod
    def _ask(self, request: ImageRequest, seconds: float) -> Image.Image:
        """Ask the service for one image, once.

        Args:
            request: The image.
            seconds: Time limit.

        Raises:
            Exception: Whatever the service's library raises.
        """

    def generate(self, requests: Sequence[ImageRequest]) -> Sequence[Outcome]:
        """See ``ImageGenerator``. Safe to call from several threads.

        Raises:
            GenerationError: There is no image at all, or nobody waits for the images any more.
        """
        outcomes = self._outcomes(requests) if requests else []
        reasons = [each.reason for each in outcomes if isinstance(each, NotGenerated)]
        if reasons and len(reasons) == len(outcomes):
            raise GenerationError("; ".join(dict.fromkeys(reasons)))
        return outcomes

    def _outcomes(self, requests: Sequence[ImageRequest]) -> list[Outcome]:
        gone = who_waits()
        waves = -(-len(requests) // self._limits.parallel)
        until = time.monotonic() + waves * self._limits.seconds
        waiting = deque(enumerate(requests))
        answers: SimpleQueue[tuple[int, Outcome]] = SimpleQueue()

        def work() -> None:
            while waiting and not gone():
                try:
                    number, request = waiting.popleft()
                # Another thread was faster.
                except IndexError:
                    return
                answers.put((number, self._outcome(request, until)))

        # Daemons: a service that does not answer must not keep the program from ending.
        for _ in range(min(len(requests), self._limits.parallel)):
            context = waited_for_by(gone)
            Thread(target=context.run, args=(work,), daemon=True).start()
        outcomes: dict[int, Outcome] = {}
        while len(outcomes) < len(requests):
            if gone():
                raise GenerationError(_STOPPED)
            try:
                number, outcome = answers.get(timeout=_LOOK)
            except Empty:
                continue
            outcomes[number] = outcome
        return [outcomes[number] for number in range(len(requests))]

    def _outcome(self, request: ImageRequest, until: float) -> Outcome:
        """An image or the reasons why there is none, after as many attempts as it takes."""
        reasons: list[str] = []
        for attempt in range(self._limits.attempts):
            answer = self._attempt(request, until)
            if not isinstance(answer, Failure):
                return GeneratedImage(answer, request.prompt, request.seed)
            reasons.append(answer.reason)
            # Spread out, so that requests that failed together do not come back together.
            pause = self._limits.back_off * 2**attempt * random.uniform(0.5, 1)
            again = time.monotonic() + max(pause, answer.wait)
            if not answer.again or again >= until or not _slept(again):
                break
        told = "; ".join(dict.fromkeys(reasons))
        tries = f" ({len(reasons)} attempts)" if len(reasons) > 1 else ""
        return NotGenerated(request.prompt, request.seed, f"{self._name}: {told}{tries}")

    def _attempt(self, request: ImageRequest, until: float) -> Image.Image | Failure:
        try:
            with self._gate.passed(until):
                if not self._take_one():
                    return Failure(
                        f"the limit of {self._limits.images} images is spent", again=False
                    )
                left = max(0.0, round(until - time.monotonic(), 1))
                # The client's own limit ends what is left behind here.
                image = call_within(left, lambda: self._ask(request, left + 1))
        # The library may raise anything, with the key in its text or its request.
        except Exception as error:
            failure = failure_of(error, self._key)
            if failure.wait:
                self._gate.close_for(failure.wait)
            return failure
        return image

    def _take_one(self) -> bool:
        with self._lock:
            if self._limits.images is not None and self._asked >= self._limits.images:
                return False
            self._asked += 1
            return True


def _slept(until: float) -> bool:
    """Sleep until a time; False as soon as nobody waits any more."""
    while (left := until - time.monotonic()) > 0:
        if stop_requested():
            return False
        time.sleep(min(_LOOK, left))
    return not stop_requested()
