"""The show: a gallery, a conversation, and what each turn of it finds."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dar_retriever.conversation.dialogue import Dialogue
from dar_retriever.demo.gallery import gallery_products, picture_name
from dar_retriever.demo.page import ShownTurn, write_page
from dar_retriever.demo.retriever import demo_retriever
from dar_retriever.demo.simulated_user import simulate
from dar_retriever.encoders import Vectors
from dar_retriever.errors import InvalidInputError
from dar_retriever.query_encoder import EncodedQuery
from dar_retriever.retriever import DiffusionAugmentedRetriever, SearchResult
from dar_retriever.stores.hits import Hit
from dar_retriever.stores.image_store import ImageStore

# Fixed before the first run, whatever they lead to; the page says so.
_TARGET: Final = 17
_DIALOGUE_SEED: Final = 7
_ROUNDS: Final = 7
_HITS: Final = 5
# As many as the second stage orders.
_RANKED: Final = 200


@dataclass(frozen=True, slots=True)
class Show:
    """A played conversation.

    Attributes:
        turns: What was said and found.
        target: What was looked for, if that is known.
        page: The HTML file that shows it.
    """

    turns: tuple[ShownTurn, ...]
    target: Hit | None
    page: Path


def play(folder: Path, products: int, queries: Sequence[str]) -> Show:
    """Prepare the gallery, play a conversation and write its page.

    Args:
        folder: Where pictures, store, generated images and page go; what is there is used.
        products: The least number of products in the gallery.
        queries: The user's own turns; without them a simulated user looks for one product.

    Raises:
        InvalidInputError: ``products`` is too few for the simulated user's target.
    """
    if products <= _TARGET:
        raise InvalidInputError(f"products={products}: at least {_TARGET + 1} products make a show")
    retriever = demo_retriever(folder, products)
    store = retriever.store
    # It can be counted and walked through.
    assert isinstance(store, ImageStore)
    wanted: _Wanted | None = None
    if queries:
        dialogue = Dialogue()
        for query in queries:
            dialogue = dialogue.say(query)
    else:
        product = gallery_products(products)[_TARGET]
        dialogue = simulate(product, _DIALOGUE_SEED, rounds=_ROUNDS, correction=True).dialogue
        wanted = _Wanted.find(store, picture_name(_TARGET))
    target = wanted.hit if wanted else None
    turns = tuple(_play(retriever, dialogue, wanted))
    return Show(turns, target, write_page(folder / "index.html", turns, target, len(store)))


@dataclass(frozen=True, slots=True)
class _Wanted:
    """The picture that is looked for, and all that is needed to see where it ranks."""

    hit: Hit
    place: int
    vectors: Vectors

    @classmethod
    def find(cls, store: ImageStore, name: str) -> _Wanted:
        """Find a stored picture by its file name."""
        ids, vectors = store.vectors()
        hits = enumerate(store.get(ids))
        place, hit = next((n, hit) for n, hit in hits if Path(hit.uri).name == name)
        return cls(hit, place, vectors)

    def rank(self, query: EncodedQuery) -> int:
        """Its exact rank by the query's vector, from 1."""
        scores = self.vectors @ query.vector
        return int((scores > scores[self.place]).sum()) + 1

    def place_in(self, result: SearchResult) -> int:
        """Its place in a long list of hits, from 1; beyond the list, by the query's vector."""
        places = (n for n, hit in enumerate(result.hits, 1) if hit.id == self.hit.id)
        return next(places, None) or self.rank(result.query)


def _play(
    retriever: DiffusionAugmentedRetriever, dialogue: Dialogue, wanted: _Wanted | None
) -> list[ShownTurn]:
    """Search at every round of a dialogue and see where the wanted picture ranks."""
    turns = []
    for number, entry in enumerate(dialogue.rounds()):
        first, *rest = retriever.stream(dialogue.at_round(number), _RANKED)
        result = rest[-1] if rest else first
        ranks = (wanted.rank(first.query), wanted.place_in(result)) if wanted else (0, 0)
        shown = dataclasses.replace(result, hits=result.hits[:_HITS])
        turns.append(ShownTurn((entry.question, entry.answer.text), shown, *ranks))
    return turns
