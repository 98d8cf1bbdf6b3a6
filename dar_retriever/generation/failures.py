"""Why a hosted service gave no image, and whether to ask again."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from PIL import UnidentifiedImageError

from dar_retriever.errors import GenerationError, InvalidImageError
from dar_retriever.support.keys import Key

_LONGEST: Final = 160
_OUT_OF_CREDIT: Final = ("insufficient_quota", "billing", "credit")


@dataclass(frozen=True, slots=True)
class Failure:
    """Why one attempt gave no image.

    Attributes:
        reason: For the trace; without the key.
        again: Whether another attempt may succeed.
        wait: Seconds that the service asks to wait.
    """

    reason: str
    again: bool
    wait: float = 0.0


def failure_of(error: Exception, key: Key | None) -> Failure:
    """What an error of a service's library means.

    Args:
        error: Any error. If the service answered, it has its answer as ``response``, as those of
            huggingface_hub and openai have.
        key: The key to keep out of the reason.
    """
    response = getattr(error, "response", None)
    status = int(getattr(response, "status_code", 0))
    failure = _without_answer(error) if status < 400 else _of_answer(status, response, key)
    line = " ".join(failure.reason.split())
    return Failure((key.hidden_in(line) if key else line)[:_LONGEST], failure.again, failure.wait)


def _without_answer(error: Exception) -> Failure:
    if isinstance(error, GenerationError):
        return Failure(str(error), again=False)
    if isinstance(error, InvalidImageError | UnidentifiedImageError):
        return Failure("the answer is no readable image", again=True)
    if isinstance(error, TimeoutError):
        return Failure(str(error) or "no answer in time", again=True)
    # A lost connection or half an answer. A plain ValueError is what huggingface_hub raises for a
    # model that the service does not have.
    again = type(error) is not ValueError
    return Failure(f"failed, {type(error).__name__}: {error}", again)


def _of_answer(status: int, response: Any, key: Key | None) -> Failure:
    said = _message(response)
    if status == 401:
        where = f"the key in {key.variable}" if key else "a request without a key"
        return Failure(f"{where} was not accepted (401)", again=False)
    credit = status == 429 and any(sign in str(response.text) for sign in _OUT_OF_CREDIT)
    if credit or status == 402:
        return Failure(f"out of credit ({status}): {said}", again=False)
    if status == 429:
        return Failure(f"too many requests (429): {said}", True, _asked_to_wait(response))
    if status == 408 or status >= 500:
        return Failure(f"failed ({status}): {said}", True, _asked_to_wait(response))
    return Failure(f"refused ({status}): {said}", again=False)


def _message(response: Any) -> str:
    """What an error's body says; services put it in different places."""
    try:
        body = response.json()
    except ValueError:
        return str(response.text)
    for name in ("error", "detail", "message"):
        body = body.get(name, body) if isinstance(body, dict) else body
    return str(body)


def _asked_to_wait(response: Any) -> float:
    """Seconds of the header Retry-After; a date counts as none."""
    value = str(response.headers.get("retry-after", ""))
    return float(value) if re.fullmatch(r"\d+(\.\d+)?", value) else 0.0
