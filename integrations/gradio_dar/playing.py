"""A conversation that the page plays when it is opened, with what a real search found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from PIL import Image

from dar_retriever import DARError, Dialogue, DiffusionAugmentedRetriever, Hit

_HITS: Final = 6
_TURNS: Final = 3
_LOOKED_AT: Final = 12
_LONGEST: Final = 60


@dataclass(frozen=True, slots=True)
class Scene:
    """One turn of it.

    Attributes:
        said: What is said.
        understood: What the search made of all that was said so far.
        hits: The best hits.
        drawing: The generated image that counted most, if one was drawn.
    """

    said: str
    understood: str
    hits: tuple[Hit, ...]
    drawing: Image.Image | None = None


def play(retriever: DiffusionAugmentedRetriever, turns: Sequence[str]) -> tuple[Scene, ...]:
    """Search with a conversation, turn by turn; without a generator nothing is drawn.

    Returns:
        What was found; nothing if the store cannot be searched or has nothing that is close.
    """
    dialogue, scenes = Dialogue(), list[Scene]()
    try:
        for said in turns:
            dialogue = dialogue.say(said)
            result = retriever.search(dialogue, _HITS)
            if not result.hits or not result.close:
                return ()
            trace = result.trace
            weighed = zip(
                trace.shares or (0.0,) * len(trace.generated), trace.generated, strict=True
            )
            best = max(weighed, key=lambda each: each[0], default=None)
            drawing = best[1].image if best else None
            scenes.append(Scene(said, trace.understood, result.hits, drawing))
    # The page opens; searching tells what is wrong with the store.
    except DARError:
        return ()
    return tuple(scenes)


def turns_of(retriever: DiffusionAugmentedRetriever) -> tuple[str, ...]:
    """What somebody might say, part by part, who looks for one of the store's images.

    Returns:
        The parts of a caption that has several; nothing if none has.
    """
    try:
        captions = retriever.store.captions(_LOOKED_AT)
    except DARError:
        return ()
    for caption in captions:
        parts = tuple(part.strip() for part in caption.split(",") if part.strip())[:_TURNS]
        if len(parts) > 1 and all(len(part) < _LONGEST for part in parts):
            return parts
    return ()
