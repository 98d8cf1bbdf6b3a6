"""Results of searches as structured data."""

from __future__ import annotations

from pydantic import BaseModel, Field

from dar_retriever import Question, SearchResult
from dar_retriever.trace import short

IMAGE_URI = "dar://images/{id}"


class FoundImage(BaseModel):
    """An image that was found."""

    number: int = Field(description="Its number in this list.")
    id: str = Field(description="Its id, for more_like_this.")
    title: str = Field(description="What it is called.")
    score: float = Field(description="How near it is to the query; higher is nearer.")
    shows: list[str] = Field(description="What of the request it shows, where that was judged.")
    part: str = Field(description="The part that matched, such as a page; empty if it is all.")
    uri: str = Field(description="The resource that holds the image.")
    missing: bool = Field(description="Whether its file is gone, so that it cannot be shown.")


class NarrowingQuestion(BaseModel):
    """A question for the user that would narrow the search down."""

    text: str
    choices: list[str] = Field(description="Likely answers; any other may be given too.")


class Found(BaseModel):
    """What a search found. It says all that the text says."""

    conversation: str = Field(description="To go on, pass this id to the next call.")
    searched_for: str = Field(description="What was understood.")
    only: list[str] = Field(description="Conditions that were taken from the words.")
    hits: list[FoundImage] = Field(description="The images, best first.")
    close: bool = Field(description="False if no image is close to what was asked for.")
    notes: list[str] = Field(description="What else to know, such as what failed.")
    question: NarrowingQuestion | None = Field(description="A question for the user, if any.")


def found_of(result: SearchResult, question: Question | None, conversation: str) -> Found:
    """A result as structured data.

    Args:
        result: A final result.
        question: A question for the user, if there is one.
        conversation: The id of its conversation.
    """
    trace = result.trace
    return Found(
        conversation=conversation,
        searched_for=trace.understood,
        only=list(trace.only),
        hits=[
            FoundImage(
                number=number,
                id=hit.id,
                title=short(hit.title),
                score=hit.score,
                shows=list(map(str, hit.shows)),
                part=str(hit.part or ""),
                uri=IMAGE_URI.replace("{id}", hit.id),
                missing=hit.missing,
            )
            for number, hit in enumerate(result.hits, 1)
        ],
        close=result.close,
        notes=[*filter(None, (result.nothing,)), *trace.left_out, *trace.fallbacks],
        question=NarrowingQuestion(text=question.text, choices=list(question.choices))
        if question
        else None,
    )
