"""Answers a question from the pictures of documents, as the last part of a chain."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from langchain_core.documents import Document
from langchain_core.language_models import BaseChatModel
from langchain_core.runnables import RunnableConfig, RunnableSerializable
from pydantic import ConfigDict, Field

from dar_retriever import Hit, InvalidInputError
from dar_retriever.agents import Answer, OpenUrl, PictureAnswers, PictureBudget, hit_of_metadata
from dar_retriever.support.images import image_from_data_url
from dar_retriever.support.threads import in_thread
from langchain_dar.chains import said_in
from langchain_dar.language_model import language_model
from langchain_dar.messages import dialogue_from_messages


class AnswerFromDocuments(RunnableSerializable[dict[str, Any], Answer]):
    """Answers a question by what the pictures of documents show, and cites them by their ids.

    Takes a mapping such as ``{"input": "which have dots?", "chat_history": [...], "context":
    documents}``. Documents that do not fit the request are left out; how the others are shown and
    how the answer is checked says ``PictureAnswers``.

    Attributes:
        model: A chat model that sees.
        budget: How much of the pictures it is shown.
        limit: Seconds to wait for the answer; None for no limit.
        instructions: See ``PictureAnswers``.
        open_url: Opens URLs of images in the messages; see ``dialogue_from_messages``.
        input_key: Key of the question.
        history_key: Key of the earlier messages.
        context_key: Key of the documents, best first.

    Example:
        >>> from langchain_core.runnables import RunnablePassthrough
        >>> from langchain_dar import AnswerFromDocuments, DialogueRetriever
        >>> found = RunnablePassthrough.assign(
        ...     context=DialogueRetriever(retriever=retriever)
        ... )  # doctest: +SKIP
        >>> chain = found | AnswerFromDocuments(model=model)  # doctest: +SKIP
        >>> chain.invoke({"input": "how many mugs have dots?"}).cited  # doctest: +SKIP
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    model: BaseChatModel
    budget: PictureBudget = Field(default_factory=PictureBudget)
    limit: float | None = 60.0
    instructions: str | None = None
    open_url: OpenUrl = image_from_data_url
    input_key: str = "input"
    history_key: str = "chat_history"
    context_key: str = "context"

    def invoke(
        self, input: dict[str, Any], config: RunnableConfig | None = None, **kwargs: Any
    ) -> Answer:
        """Answer.

        Args:
            input: See the class.
            config: Config of the run.
            **kwargs: Fields of this class for this call.

        Raises:
            InvalidInputError: The question or the documents are missing, or something is not a
                message.
        """
        return self._call_with_config(partial(_answer, self._with(kwargs)), input, config)

    async def ainvoke(
        self, input: dict[str, Any], config: RunnableConfig | None = None, **kwargs: Any
    ) -> Answer:
        """Like ``invoke``, without blocking the event loop."""
        answering = self._with(kwargs)

        async def answer(given: dict[str, Any]) -> Answer:
            return await in_thread(lambda: _answer(answering, given))

        return await self._acall_with_config(answer, input, config)

    def _with(self, fields: dict[str, Any]) -> AnswerFromDocuments:
        """The same with other fields, checked as in the constructor."""
        return type(self)(**{**dict(self), **fields}) if fields else self


def _answer(part: AnswerFromDocuments, input: dict[str, Any]) -> Answer:
    _, messages = said_in(input, part.input_key, part.history_key)
    if part.context_key not in input:
        raise InvalidInputError(
            f"{', '.join(map(str, input))}: no key {part.context_key!r}; put a retriever's "
            f"documents there with RunnablePassthrough.assign({part.context_key}=...)"
        )
    documents: Sequence[Document] = input[part.context_key]
    answers = PictureAnswers(
        language_model(part.model),
        part.budget,
        limit=part.limit,
        instructions=part.instructions,
    )
    dialogue = dialogue_from_messages(messages, open_url=part.open_url)
    return answers.answer(dialogue, [_hit(document) for document in documents])


def _hit(document: Document) -> Hit:
    metadata = document.metadata
    # Not every retriever sets the id.
    known = document.id or metadata.get("id") or metadata.get("uri") or document.page_content
    return hit_of_metadata(str(known), document.page_content, metadata)
