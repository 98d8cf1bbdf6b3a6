"""Opens what the first search would open, before somebody waits for it."""

from __future__ import annotations

import logging
from typing import Final

from dar_retriever import (
    DARQueryEncoder,
    DiffusionAugmentedRetriever,
    RuleReformulator,
    TaggingReformulator,
)
from dar_retriever.questions import FacetQuestions, ResultNamer, ask_back, with_names
from dar_retriever.trace import of_error

_LOGGER: Final = logging.getLogger(__name__)
# English, with a part to exclude, so that all that reads words is opened.
_SAID: Final = "something blue, not red"


def warm(retriever: DiffusionAugmentedRetriever) -> None:
    """Search once for nothing, so that the models and the store are open.

    What fails is logged; it will be said again where somebody searches.
    """
    free = without_costs(retriever)
    try:
        result, _ = ask_back(FacetQuestions(free), free.search(_SAID))
        with_names(ResultNamer(free), result)
    # The page opens in any case.
    except Exception as error:
        _LOGGER.warning("the models were not opened ahead: %s", of_error(error))


def without_costs(retriever: DiffusionAugmentedRetriever) -> DiffusionAugmentedRetriever:
    """A retriever of the same models and store whose searches cost nothing.

    It draws nothing, asks no language model and sends no picture anywhere.
    """
    queries, stage, explainer = retriever.query_encoder, retriever.second_stage, retriever.explainer
    reads = isinstance(queries.reformulator, RuleReformulator | TaggingReformulator)
    words = DARQueryEncoder(
        queries.encoder,
        reformulator=queries.reformulator if reads else RuleReformulator(),
        fusion=queries.fusion,
        exclusion=queries.exclusion,
        prior=queries.prior,
    )
    return DiffusionAugmentedRetriever(
        words,
        retriever.store,
        closeness=retriever.closeness,
        second_stage=None if stage and stage.reranker.reads_pictures else stage,
        ending=retriever.ending,
        explainer=None if getattr(explainer, "reads_pictures", False) else explainer,
    )
