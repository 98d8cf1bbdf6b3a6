"""The image search behind the agent tools of all frameworks."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from dar_retriever.agents.arguments import SearchCall
from dar_retriever.agents.conversation import Conversation, Event
from dar_retriever.questions import FacetQuestions, Question, Questioner, ask_back
from dar_retriever.retriever import DiffusionAugmentedRetriever, SearchResult
from dar_retriever.stores.filters import Filter, both


class AgentSearch:
    """Searches with an agent's conversation.

    Args:
        retriever: The retriever.
        k: Number of hits if the model does not ask for another number.
        where: A filter that applies to every search, in addition to the model's own.
        questioner: Proposes questions to the user; from the store's metadata by default.
        cut: Whether the list ends where nothing more fits; see ``SearchResult.cut``.
    """

    def __init__(
        self,
        retriever: DiffusionAugmentedRetriever,
        k: int = 5,
        where: Filter | None = None,
        questioner: Questioner | None = None,
        *,
        cut: bool = False,
    ) -> None:
        self._retriever = retriever
        self._k = k
        self._where = where
        self._questioner = questioner or FacetQuestions(retriever)
        self._cut = cut
        self._made_with = (retriever, k, where, questioner)

    def __deepcopy__(self, memo: dict[int, object]) -> AgentSearch:
        """Itself, since it has no state and shares its models; see ``retriever``."""
        return self

    def __reduce__(self) -> tuple[Callable[..., AgentSearch], tuple[object, ...]]:
        return partial(type(self), cut=self._cut), self._made_with

    def named(self, history: Sequence[Event], call: SearchCall) -> SearchCall:
        """A call with the ids of hits in place of their numbers in the last list."""
        return _conversation(history).named(call)

    def stages(self, history: Sequence[Event], call: SearchCall) -> Iterator[SearchResult]:
        """Search with a conversation and one more call.

        Args:
            history: Earlier events, oldest first.
            call: The current call.

        Yields:
            The hits by text, then the final result; see ``DiffusionAugmentedRetriever.stream``.

        Raises:
            EmptyDialogueError: Nothing was said, shown or asked for.
            InvalidInputError: The call names an unknown image.
            InvalidFilterError: The store refuses the filter.
        """
        store = self._retriever.store
        conversation = _conversation(history).asking(call.request).judged(call, store)
        dialogue, notes = conversation.dialogue(call.request, store)
        where, k = both(self._where, call.filter), call.k or self._k
        for result in self._retriever.stream(dialogue, k, where, conversation.rejected):
            fallbacks = (*notes, *result.trace.fallbacks)
            trace = dataclasses.replace(result.trace, fallbacks=fallbacks)
            found = dataclasses.replace(result, trace=trace)
            yield found.cut() if self._cut else found

    def asking(self, result: SearchResult) -> tuple[SearchResult, Question | None]:
        """A final result and a question for the user; see ``ask_back``."""
        return ask_back(self._questioner, result)


def _conversation(history: Sequence[Event]) -> Conversation:
    conversation = Conversation()
    for event in history:
        conversation = conversation.after(event)
    return conversation
