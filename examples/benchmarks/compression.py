"""LangChain's own way to re-rank beside this package's, in one run.

What else a user of LangChain would take: a vector store with this encoder's vectors, and
``ContextualCompressionRetriever`` with a cross-encoder, asked with all that was said so far. The
cross-encoder is the demo's matching head, the best there is for these pictures, in both; so what
differs is what is around it.

    python examples/benchmarks/compression.py
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from langchain_classic.retrievers import ContextualCompressionRetriever
from langchain_classic.retrievers.document_compressors import CrossEncoderReranker
from langchain_core.cross_encoders import BaseCrossEncoder
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from langchain_core.vectorstores import InMemoryVectorStore
from langchain_dar import ImageEmbeddings
from rich.progress import track
from simulated import Simulation, gain, recall

from dar_retriever import (
    Dialogue,
    ImageStore,
    JointEncoder,
    MatchingReranker,
    RuleReformulator,
    StoredImage,
    Vectors,
    from_preset,
    open_encoder,
)
from dar_retriever.demo.captions import description
from dar_retriever.presets.beside import Beside
from dar_retriever.presets.data import preset

SEED = 57
ROUNDS = (0, 2, 4, 6, 8, 10)
_DEPTH = 200


class HeadAsCrossEncoder(BaseCrossEncoder):
    """The matching head behind LangChain's interface, which hands it texts alone.

    Args:
        head: The head.
        vectors: The stored vector of each document, by the document's text.
    """

    def __init__(self, head: MatchingReranker, vectors: Mapping[str, Vectors]) -> None:
        self._head = head
        self._vectors = vectors

    def score(self, text_pairs: list[tuple[str, str]]) -> list[float]:
        """See ``BaseCrossEncoder``; all pairs of a search have the same first text."""
        images = np.stack([self._vectors[text] for _, text in text_pairs])
        scores: list[float] = self._head.matched([text_pairs[0][0]], images)[0].tolist()
        return scores


class Found(BaseRetriever):
    """The stored pictures nearest to a text."""

    store: InMemoryVectorStore
    k: int = _DEPTH

    def _get_relevant_documents(self, query: str, *, run_manager: Any) -> list[Document]:  # noqa: ARG002
        return self.store.similarity_search(query, self.k)


def main() -> None:
    """Print recall by round for each way, and the differences with intervals."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dialogues", type=int, default=100)
    parser.add_argument("--gallery", type=int, default=2_000)
    options = parser.parse_args()
    encoder, head = open_encoder("demo"), Beside(preset("demo").encoder).matching
    simulation = Simulation(encoder, options.dialogues, options.gallery, seed=SEED)
    captions = [description(product) for product in simulation.products]
    places = {caption: place for place, caption in enumerate(captions)}
    vectors = dict(zip(captions, simulation.pool, strict=True))

    found = Found(store=filled(encoder, captions, simulation.pool))
    scorer = HeadAsCrossEncoder(head, vectors)
    compressed = ContextualCompressionRetriever(
        base_compressor=CrossEncoderReranker(model=scorer, top_n=_DEPTH), base_retriever=found
    )
    rules = RuleReformulator(encoder.count_tokens, encoder.max_tokens)

    def ours(encoder: JointEncoder) -> ImageStore:
        store = ImageStore.in_memory(encoder)
        store.add(
            [
                StoredImage(str(place), vector, f"{place}.jpg", caption)
                for place, (caption, vector) in enumerate(vectors.items())
            ]
        )
        return store

    dar = from_preset("demo", ours, word_filters=False)
    dar.query_encoder.images_per_turn = 0
    dar.closeness = dar.ending = dar.explainer = None

    def of(retriever: BaseRetriever, words: Callable[[Dialogue], str]) -> Callable[..., list[int]]:
        return lambda said: [
            places[document.page_content] for document in retriever.invoke(words(said))
        ]

    ways: dict[str, Callable[[Dialogue], list[int]]] = {
        "vector store, turns joined": of(found, joined),
        "compression, turns joined": of(compressed, joined),
        "vector store, rewritten": of(found, lambda said: rules.reformulate(said).caption),
        "compression, rewritten": of(compressed, lambda said: rules.reformulate(said).caption),
        "this package, without drawings": lambda said: [
            int(hit.id) for hit in dar.search(said, _DEPTH).hits
        ],
    }
    ranks = {name: np.full((options.dialogues, len(ROUNDS)), _DEPTH + 1) for name in ways}
    for row, target in enumerate(track(simulation.targets, "Searching")):
        for column, n in enumerate(ROUNDS):
            said = simulation.said[row].dialogue.at_round(n)
            for name, search in ways.items():
                listed = search(said)
                if target in listed:
                    ranks[name][row, column] = listed.index(target) + 1
    for most in (10, 1):
        for name, each in ranks.items():
            recall(name, each, most, ROUNDS)
        own = ranks["this package, without drawings"]
        for name in list(ways)[:-1]:
            print(f"R@{most}, this package - {name}: {gain(own, ranks[name], most)}")


def joined(said: Dialogue) -> str:
    """All that was said, as one text."""
    return " ".join(turn.text for turn in said.turns if turn.text)


def filled(encoder: JointEncoder, captions: list[str], pool: Vectors) -> InMemoryVectorStore:
    """A store of LangChain with the pictures' vectors, their captions as texts."""
    store = InMemoryVectorStore(ImageEmbeddings(encoder))
    store.store = {
        str(place): {
            "id": str(place),
            "vector": vector.tolist(),
            "text": caption,
            "metadata": {},
        }
        for place, (caption, vector) in enumerate(zip(captions, pool, strict=True))
    }
    return store


if __name__ == "__main__":
    main()
