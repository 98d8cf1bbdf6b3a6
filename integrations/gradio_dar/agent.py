"""An LLM agent that answers on the page, with the image search as its tool."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar, copy_context
from queue import SimpleQueue
from threading import Thread
from typing import Any, Final

from PIL import Image

from dar_retriever import (
    Dialogue,
    DialogueLike,
    DiffusionAugmentedRetriever,
    Hit,
    Part,
    SearchResult,
    TaggingReformulator,
    Turn,
)
from dar_retriever.support.images import data_url
from gradio_dar.meant import Meant
from gradio_dar.talk import Judgement, Talk, reduced

_SHOWN: Final = 512
# For the agent's model.
INSTRUCTIONS: Final = (
    "You help people find images in a collection. Search at every turn with the tool. The page "
    "shows the hits beside the chat, numbered: never list them; say in one or two sentences what "
    "you searched for and ask at most one question that would narrow it down."
)
_FOUND: Final[ContextVar[Callable[[SearchResult], None] | None]] = ContextVar(
    "dar_found", default=None
)
_LOCKED: Final[ContextVar[tuple[Part, ...]]] = ContextVar("dar_locked", default=())


class _WatchedRetriever(DiffusionAugmentedRetriever):
    """A retriever that reports its results to the page, wherever in an agent it is called."""

    def stream(self, dialogue: DialogueLike, *args: Any, **options: Any) -> Iterator[SearchResult]:
        tell = _FOUND.get()
        # An agent makes dialogues of its own, which know nothing of it.
        dialogue = dataclasses.replace(Dialogue.of(dialogue), locked=_LOCKED.get())
        for result in super().stream(dialogue, *args, **options):
            if tell is not None:
                tell(result)
            yield result


class AgentResponder:
    """Answers with an agent; the page shows the hits of its searches beside the chat.

    Args:
        retriever: The retriever.
        build: Builds the agent with the retriever that it gets as argument, which reports its
            results to the page. The agent is one of LangGraph, such as ``create_agent`` makes:
            ``agent.invoke({"messages": [...]})`` returns the messages with its answer.
    """

    def __init__(
        self,
        retriever: DiffusionAugmentedRetriever,
        build: Callable[[DiffusionAugmentedRetriever], Any],
    ) -> None:
        watched = _WatchedRetriever(retriever.query_encoder, retriever.store)
        # All that the retriever is set to, whatever options it has.
        vars(watched).update(vars(retriever))
        self._agent = build(watched)

    def say(self, talk: Talk, text: str, images: Sequence[Image.Image]) -> Iterator[Talk]:
        """See ``Responder``."""
        begun = talk.begun(talk.dialogue.say(text, *images))
        yield from self._run(begun, _message(Turn("user", text, tuple(images))))

    def judge(self, talk: Talk, hit: Hit, judgement: Judgement) -> Iterator[Talk]:
        """See ``Responder``. The agent is told which hit was judged, and searches again."""
        image = [reduced(hit.open())]
        named = f"number {talk.rank(hit)} (id={hit.id})" if talk.hit(hit.id) else "this picture"
        if judgement == "like":
            begun, said = talk.begun(talk.dialogue.say(like=image)), f"More like {named}."
        else:
            begun = talk.begun(talk.dialogue.say(unlike=image), [hit.id])
            said = f"Not like {named}."
        shown = () if talk.hit(hit.id) else tuple(image)
        yield from self._run(begun, _message(Turn("user", said, shown)))

    def change(self, talk: Talk, meant: Meant) -> Iterator[Talk]:
        """See ``Responder``. The agent is told all that is meant now."""
        text = f"Now I want just this: {meant.restated(TaggingReformulator())}"
        yield from self._run(talk.begun(talk.dialogue.say(text)), _message(Turn("user", text)))

    def again(self, talk: Talk) -> Iterator[Talk]:
        """See ``Responder``. The agent gets earlier judgements as pictures."""
        dialogue = talk.dialogue
        place = max(n for n, turn in enumerate(dialogue.turns) if turn.role == "user")
        *earlier, last = dialogue.turns[: place + 1]
        talk = dataclasses.replace(talk, messages=tuple(map(_message, earlier)))
        begun = talk.begun(dataclasses.replace(dialogue, turns=(*earlier, last)))
        yield from self._run(begun, _message(last))

    def _run(self, talk: Talk, message: dict[str, Any]) -> Iterator[Talk]:
        yield talk
        messages = [*talk.messages, message]
        told: SimpleQueue[SearchResult | _Ended] = SimpleQueue()
        context = copy_context()
        context.run(_FOUND.set, told.put)
        context.run(_LOCKED.set, talk.dialogue.locked)

        def run() -> None:
            try:
                told.put(_Ended(self._agent.invoke({"messages": messages})["messages"]))
            # Whatever goes wrong in an agent is said in the chat.
            except Exception as error:
                told.put(_Ended(error=error))

        Thread(target=context.run, args=(run,), daemon=True).start()
        while not isinstance(event := told.get(), _Ended):
            talk = talk.found(event)
            yield talk
        if event.error is not None:
            raise event.error
        answer = str(event.messages[-1].text)
        dialogue = talk.dialogue.ask(answer) if answer.strip() else talk.dialogue
        yield dataclasses.replace(talk, dialogue=dialogue, messages=tuple(event.messages))


@dataclasses.dataclass(frozen=True, slots=True)
class _Ended:
    """A run of the agent that is over."""

    messages: Sequence[Any] = ()
    error: Exception | None = None


def _message(turn: Turn) -> dict[str, Any]:
    """A turn as a message for chat models."""
    parts = (("", turn.images), ("More like this:", turn.like), ("Not like this:", turn.unlike))
    blocks: list[dict[str, Any]] = [{"type": "text", "text": turn.text}] if turn.text else []
    for words, images in parts:
        if words and images:
            blocks.append({"type": "text", "text": words})
        urls = [data_url(image, _SHOWN) for image in images]
        blocks += [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    return {"role": turn.role, "content": blocks}
