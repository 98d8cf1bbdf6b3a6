"""What an agent's image search does, whatever framework the agent is built with."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from PIL import Image
from pydantic import BaseModel, ConfigDict, Field

from dar_retriever.dialogue import Dialogue, Turn
from dar_retriever.errors import InvalidImageError, InvalidInputError
from dar_retriever.image_store import Filter, Hit, ImageStore, both
from dar_retriever.images import data_url
from dar_retriever.retriever import DiffusionAugmentedRetriever, SearchResult

TOOL_NAME: Final = "search_images"
TOOL_DESCRIPTION: Final = (
    "Search the image collection. The conversation with the user so far is part of every search, "
    "so say only what is new. Call it again after each answer or correction of the user; to build "
    "on earlier results name them in more_like and less_like."
)
MAX_HITS: Final = 20
THUMBNAIL: Final = 256

_WORD: Final = re.compile(r"\w+")
_LISTED: Final = re.compile(r"^\d+\. id=(\S+) score=", re.MULTILINE)
_FACETS_SHOWN: Final = 12


class SearchCall(BaseModel):
    """What a model asks for in one call: the schema that it sees, and the value."""

    model_config = ConfigDict(frozen=True)

    request: str = Field(
        default="",
        description="What the image shows, or what is to change about it, in a few words. May be "
        "empty where the conversation, more_like or less_like say it all.",
    )
    k: int | None = Field(default=None, ge=1, le=MAX_HITS, description="Number of images wanted.")
    filter: dict[str, Any] | None = Field(
        default=None,
        description="Exact conditions on the images' metadata, such as {field: value} or "
        '{field: {"$in": [values]}}. Leave it out unless the user insists on them.',
    )
    more_like: list[int | str] = Field(
        default=[],
        description="Earlier results that the user likes: their numbers in the last list, or ids.",
    )
    less_like: list[int | str] = Field(
        default=[],
        description="Earlier results that the user turns down: their numbers in the last list, or "
        "ids. They are not shown again.",
    )


@dataclass(frozen=True, slots=True)
class Listing:
    """Ids of the hits that a call has shown, best first."""

    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Unread:
    """Something in the conversation that could not be read, and why."""

    reason: str


Event = Turn | SearchCall | Listing | Unread


@dataclass(frozen=True, slots=True)
class Conversation:
    """A conversation in which hits were shown and judged.

    Attributes:
        turns: What was said.
        listed: Ids of the hits in the last list.
        liked: Ids of hits that the user liked.
        rejected: Ids of hits that the user turned down.
        notes: What could not be followed, such as a judged image that is gone.
    """

    turns: tuple[Turn, ...] = ()
    listed: tuple[str, ...] = ()
    liked: tuple[str, ...] = ()
    rejected: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def after(self, event: Event, store: ImageStore) -> Conversation:
        """This conversation after one more event.

        Of a call only the judgements count: its request puts the user's turns in other words.
        """
        if isinstance(event, Turn):
            return dataclasses.replace(self, turns=(*self.turns, event))
        if isinstance(event, Listing):
            return dataclasses.replace(self, listed=event.ids)
        if isinstance(event, Unread):
            return self._noting(event.reason)
        try:
            return self.judged(event, store)
        except InvalidInputError as error:
            return self._noting(str(error))

    def judged(self, call: SearchCall, store: ImageStore) -> Conversation:
        """This conversation with a call's likes and dislikes; they replace earlier ones.

        Raises:
            InvalidInputError: A number is not in the last list, or an id not in the store.
        """
        likes, dislikes = self._ids(call.more_like), self._ids(call.less_like)
        unknown = {*likes, *dislikes} - store.known((*likes, *dislikes))
        if unknown:
            numbers = f"a number from 1 to {len(self.listed)} or " if self.listed else ""
            raise InvalidInputError(
                f"{', '.join(sorted(unknown))}: no such image; name {numbers}the id of an earlier "
                "result"
            )
        liked = [id_ for id_ in self.liked if id_ not in dislikes]
        rejected = [id_ for id_ in self.rejected if id_ not in likes]
        return dataclasses.replace(
            self,
            liked=tuple(dict.fromkeys([*liked, *likes])),
            rejected=tuple(dict.fromkeys([*rejected, *dislikes])),
        )

    def dialogue(self, request: str, store: ImageStore) -> tuple[Dialogue, tuple[str, ...]]:
        """The dialogue to search with, and what could not be made part of it.

        Args:
            request: Becomes a turn where it holds a word that the user has not said.
            store: Where the judged images are; they join the user's last turn.
        """
        dialogue = Dialogue(self.turns)
        said = {word for turn in dialogue.user_turns for word in _words(turn.text)}
        if _words(request) - said:
            dialogue = dialogue.say(request)
        images, lost = _opened(store.get(self.liked))
        unlike, also_lost = _opened(store.get(self.rejected))
        notes = (*self.notes, *lost, *also_lost)
        return (_with_images(dialogue, images, unlike) if images or unlike else dialogue), notes

    def _ids(self, names: Sequence[int | str]) -> list[str]:
        return [self._id(str(name).strip().lstrip("#")) for name in names]

    def _id(self, name: str) -> str:
        if name.isdecimal() and 0 < int(name) <= len(self.listed):
            return self.listed[int(name) - 1]
        return name

    def _noting(self, note: str) -> Conversation:
        return dataclasses.replace(self, notes=(*self.notes, note))


class AgentSearch:
    """The image search that an agent's tool is an adapter of.

    Args:
        retriever: What it searches with.
        k: The most hits, where the model does not say how many it wants.
        where: A filter that every search keeps to, whatever the model asks for.
    """

    def __init__(
        self, retriever: DiffusionAugmentedRetriever, k: int = 5, where: Filter | None = None
    ) -> None:
        self._retriever = retriever
        self._k = k
        self._where = where

    def stages(self, history: Sequence[Event], call: SearchCall) -> Iterator[SearchResult]:
        """Search with a conversation and one more call.

        Args:
            history: What happened before, oldest first.
            call: What is wanted now.

        Yields:
            What the text finds, then the final result; see ``DiffusionAugmentedRetriever``.

        Raises:
            EmptyDialogueError: Nothing was said, shown or asked for.
            InvalidInputError: The call names an image that is not there.
            InvalidFilterError: The store refuses the filter.
        """
        store, conversation = self._retriever.store, Conversation()
        for event in history:
            conversation = conversation.after(event, store)
        conversation = conversation.judged(call, store)
        dialogue, notes = conversation.dialogue(call.request, store)
        where, k = both(self._where, call.filter), call.k or self._k
        for result in self._retriever.stream(dialogue, k, where, conversation.rejected):
            fallbacks = (*notes, *result.trace.fallbacks)
            trace = dataclasses.replace(result.trace, fallbacks=fallbacks)
            yield dataclasses.replace(result, trace=trace)


def tool_description(store: ImageStore) -> str:
    """``TOOL_DESCRIPTION`` with the metadata fields that a filter can ask for."""
    facets = store.facets()
    if not facets:
        return TOOL_DESCRIPTION
    fields = "; ".join(
        f"{name}: {', '.join(values[:_FACETS_SHOWN])}{', ...' * (len(values) > _FACETS_SHOWN)}"
        for name, values in facets.items()
    )
    return f"{TOOL_DESCRIPTION} Metadata fields for the filter: {fields}."


def reply_text(result: SearchResult) -> str:
    """A result as a model reads it: what was understood, and the hits, numbered.

    ``listed_ids`` reads the ids back.
    """
    trace = result.trace
    lines = [f"Searched for: {trace.caption or 'the images shown'}"]
    lines += [f"Note: {fallback}" for fallback in trace.fallbacks]
    if not result.hits:
        lines.append("No image matches; drop the filter or ask for less.")
    for rank, hit in enumerate(result.hits, 1):
        lines.append(f"{rank}. id={hit.id} score={hit.score:.3f}: {hit.title}")
    return "\n".join(lines)


def listed_ids(text: str) -> tuple[str, ...]:
    """The ids in a text of ``reply_text``, best first."""
    return tuple(_LISTED.findall(text))


def progress_events(result: SearchResult) -> Iterator[dict[str, Any]]:
    """A stage of a search as plain data for whoever watches.

    Yields:
        For the first stage one event of type "text_hits"; for the final one "generated_images",
        where there are any, with their pictures as data URLs, and then "hits".
    """
    trace = result.trace
    if trace.generated:
        yield {"type": "generated_images", "images": generated_as_json(result)}
    yield {
        "type": "hits" if result.final else "text_hits",
        "caption": trace.caption,
        "hits": [
            {"id": hit.id, "score": hit.score, "uri": hit.uri, "caption": hit.caption}
            for hit in result.hits
        ],
    }


def generated_as_json(result: SearchResult) -> list[dict[str, Any]]:
    """A result's generated images with prompts and seeds, as data URLs of thumbnails."""
    return [
        {
            "image": data_url(generated.image, THUMBNAIL),
            "prompt": generated.prompt,
            "seed": generated.seed,
        }
        for generated in result.trace.generated
    ]


def hit_picture(hit: Hit, *, full: bool = False) -> str | None:
    """A hit's image as a data URL, as a thumbnail or in full; none where its file is gone."""
    try:
        return data_url(hit.open(), None if full else THUMBNAIL)
    except InvalidImageError:
        return None


def _opened(hits: Sequence[Hit]) -> tuple[tuple[Image.Image, ...], tuple[str, ...]]:
    """The images of hits, and why some are missing."""
    images, lost = [], []
    for hit in hits:
        try:
            images.append(hit.open())
        except InvalidImageError as error:
            lost.append(f"a judged image was left out: {error}")
    return tuple(images), tuple(lost)


def _with_images(
    dialogue: Dialogue, images: tuple[Image.Image, ...], unlike: tuple[Image.Image, ...]
) -> Dialogue:
    """A dialogue with images at the user's last turn, which was about them."""
    for place in range(len(dialogue.turns) - 1, -1, -1):
        turn = dialogue.turns[place]
        if turn.role == "user":
            judged = dataclasses.replace(
                turn, images=(*turn.images, *images), unlike=(*turn.unlike, *unlike)
            )
            turns = (*dialogue.turns[:place], judged, *dialogue.turns[place + 1 :])
            return dataclasses.replace(dialogue, turns=turns)
    return dialogue.say("", *images, unlike=unlike)


def _words(text: str) -> set[str]:
    return set(_WORD.findall(text.lower()))
