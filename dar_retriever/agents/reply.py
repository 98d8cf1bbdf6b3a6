"""What the image search tells: the tool's description, its progress and its reply."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final, Literal, TypedDict

from PIL import Image

from dar_retriever.agents.arguments import SearchCall, judgements_of
from dar_retriever.agents.conversation import Event, Listing
from dar_retriever.conversation.dialogue import Dialogue
from dar_retriever.errors import InvalidImageError
from dar_retriever.questions import Question, question_as_json
from dar_retriever.retriever import SearchResult
from dar_retriever.stores.base import SearchableStore
from dar_retriever.stores.hits import Hit
from dar_retriever.support.images import data_url
from dar_retriever.trace import short

TOOL_NAME: Final = "search_images"
TOOL_DESCRIPTION: Final = (
    "Search the image collection. The conversation with the user so far is part of the search: "
    "name the whole wish, or say only what changes. Call it again after each answer or correction "
    "of the user; to build on earlier results name them in more_like and less_like."
)
THUMBNAIL: Final = 256
FULL: Final = 2048
"""The longest side that models see of a picture, in pixels."""
RESULT_BYTES: Final = 600_000
"""The most bytes that the pictures of one result have as JPEG; with all else it is below 1 MB."""
GENERATED_LABEL: Final = "Generated image, not in the collection:"

IncludeImages = Literal["none", "thumbnail", "full"]

_OPENING: Final = "Searched for: "
_ASKED: Final = "Asked: "
# Middleware may write something before it, such as that a person has edited the call.
_REPLY: Final = re.compile(rf"^{_OPENING}[^\n]*(?:\n{_ASKED}(?P<call>[^\n]*))?", re.MULTILINE)
_LISTED: Final = re.compile(r"^\d+\. id=(\S+) score=", re.MULTILINE)
_NOT_CLOSE: Final = (
    "Nothing in the collection is close to this; say so to the user. These images are the nearest:"
)
_GENERATED: Final = (
    " The generated image shows what was understood; offer it, and say that it is generated."
)
_GONE: Final = " (its file is gone: it cannot be shown)"
_FACETS_SHOWN: Final = 12
# Some providers refuse longer descriptions.
_MAX_DESCRIPTION: Final = 1024


def tool_description(store: SearchableStore) -> str:
    """``TOOL_DESCRIPTION`` followed by the metadata fields that a filter can use."""
    description, joint = TOOL_DESCRIPTION, " Metadata fields for the filter: "
    for name, values in store.facets().items():
        more = ", ..." * (len(values) > _FACETS_SHOWN)
        field = f"{joint}{name}: {', '.join(values[:_FACETS_SHOWN])}{more}"
        if len(description) + len(field) <= _MAX_DESCRIPTION:
            description, joint = description + field, "; "
    return description


def reply_text(
    result: SearchResult, question: Question | None = None, call: SearchCall | None = None
) -> str:
    """A result as text for a model: what was understood, a numbered list of hits, a question.

    ``listed_ids`` reads the ids back, ``answered`` the call.

    Args:
        result: The result.
        question: A question for the user, if there is one.
        call: The call that was executed, with ids in place of numbers; see ``AgentSearch.named``.
            It may be another than the model has made, since people and applications edit calls.
    """
    trace = result.trace
    lines = [f"{_OPENING}{trace.understood or 'the images shown'}"]
    if call is not None:
        said = call.model_dump(include={"request", "more_like", "less_like"}, exclude_defaults=True)
        lines.append(f"{_ASKED}{json.dumps(said, ensure_ascii=False)}")
    if trace.only:
        lines.append(f"Only: {'; '.join(trace.only)}")
    lines += [f"Note: {note}" for note in (*trace.left_out, *trace.fallbacks)]
    if not result.hits:
        lines.append(result.nothing or "No image matches; ask for less.")
    elif not result.close:
        lines.append(_NOT_CLOSE + _GENERATED * bool(trace.generated))
    for rank, hit in enumerate(result.hits, 1):
        gone = _GONE * hit.missing
        shows = f" (shows: {', '.join(map(str, hit.shows))})" if hit.shows else ""
        title = short(hit.title) + (f" [{hit.part}]" if hit.part else "")
        lines.append(f"{rank}. id={hit.id} score={hit.score:.3f}: {title}{shows}{gone}")
    if question is not None:
        lines.append(f"To narrow it down, ask the user: {question}")
    # Captions and errors may have line breaks, and one of their lines could look like a hit.
    return "\n".join(" ".join(line.split()) for line in lines)


def is_reply(text: str) -> bool:
    """Whether a text was made by ``reply_text``, and is not an error."""
    return _REPLY.search(text) is not None


def listed_ids(text: str) -> tuple[str, ...]:
    """The ids in a result of ``reply_text``, best first."""
    return tuple(_LISTED.findall(text))


def progress_events(result: SearchResult) -> Iterator[dict[str, Any]]:
    """Events that tell an observer about one stage of a search, as plain data.

    Yields:
        For the first stage, an event of type "text_hits". For the final stage, "generated_images"
        with the images as data URLs, if there are any, and then "hits".
    """
    trace = result.trace
    if trace.generated:
        yield {"type": "generated_images", "images": generated_as_json(result)}
    yield {
        "type": "hits" if result.final else "text_hits",
        "caption": trace.caption,
        "exclusions": list(trace.exclusions),
        "only": list(trace.only),
        "close": result.close,
        "hits": [
            {"id": hit.id, "score": hit.score, "uri": hit.uri, "caption": hit.caption}
            | ({"part": hit.part.as_json()} if hit.part else {})
            | ({"missing": True} if hit.missing else {})
            for hit in result.hits
        ],
    }


def generated_as_json(result: SearchResult) -> list[dict[str, Any]]:
    """A result's generated images with their prompts, seeds and weights.

    Returns:
        The images as data URLs of thumbnails; "weight" is a share of the whole query.
    """
    trace = result.trace
    # A custom fusion may not set the shares.
    shares = trace.shares or (0.0,) * len(trace.generated)
    return [
        {
            "image": data_url(generated.image, THUMBNAIL),
            "prompt": generated.prompt,
            "seed": generated.seed,
            "weight": trace.image_weight * share,
        }
        for generated, share in zip(trace.generated, shares, strict=True)
    ]


def generated_picture(
    result: SearchResult, include: IncludeImages, most_bytes: int = RESULT_BYTES
) -> str | None:
    """The first generated image as a data URL, to show if no hit is close.

    Say that it is generated wherever it is shown.
    """
    if result.close or include == "none" or not result.trace.generated:
        return None
    return _data_url(result.trace.generated[0].image, include, most_bytes)


def dialogue_as_json(dialogue: Dialogue) -> list[dict[str, str]]:
    """A dialogue as plain data: the role and the text of each turn."""
    return [{"role": turn.role, "text": turn.text} for turn in dialogue.turns]


def pictures_shown(result: SearchResult, include: IncludeImages) -> Iterator[tuple[str, str]]:
    """The images that a model sees, each with a label, as data URLs.

    Together they have at most ``RESULT_BYTES``. Hits whose file is gone are left out. If no hit is
    close, the first generated image is added at the end, with a label that says so.
    """
    most_bytes = RESULT_BYTES // (len(result.hits) + 1)
    for number, hit in enumerate(result.hits, 1):
        picture = hit_picture(hit, include, most_bytes)
        if picture:
            yield f"Image {number}:", picture
    generated = generated_picture(result, include, most_bytes)
    if generated:
        yield GENERATED_LABEL, generated


class ResultData(TypedDict):
    """A result as plain data for the application, without its hits.

    Attributes:
        generated: Generated images: data URL ("image"), "prompt", "seed" and "weight".
        trace: The trace, without its images.
        dialogue: The dialogue of the search: "role" and "text" of each turn.
        question: A question for the user, "text" and "choices"; None if all is clear.
        close: Whether anything in the store is close to what was asked for.
    """

    generated: list[dict[str, Any]]
    trace: dict[str, Any]
    dialogue: list[dict[str, str]]
    question: dict[str, Any] | None
    close: bool


def result_as_json(result: SearchResult, question: Question | None) -> ResultData:
    """See ``ResultData``."""
    return {
        "generated": generated_as_json(result),
        "trace": result.trace.as_json(),
        "dialogue": dialogue_as_json(result.dialogue),
        "question": question_as_json(question),
        "close": result.close,
    }


def answered(call: SearchCall, reply: str) -> Iterator[Event]:
    """The events of a call of the tool; none if its reply is an error.

    The call that the reply names counts, because it was executed.
    """
    found = _REPLY.search(reply)
    if found:
        yield judgements_of(_read(found["call"])) if found["call"] else call
        yield Listing(listed_ids(reply[found.start() :]))


def _read(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return {}


def hit_picture(hit: Hit, include: IncludeImages, most_bytes: int = RESULT_BYTES) -> str | None:
    """A hit's image as a data URL; None if no image is wanted or its file is gone.

    "thumbnail" has at most ``THUMBNAIL`` pixels per side, "full" at most ``FULL``.
    """
    if include == "none":
        return None
    try:
        return _data_url(hit.open(), include, most_bytes)
    except InvalidImageError:
        return None


def _data_url(image: Image.Image, include: IncludeImages, most_bytes: int) -> str:
    return data_url(image, THUMBNAIL if include == "thumbnail" else FULL, most_bytes)
