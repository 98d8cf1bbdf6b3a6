"""The show: a gallery, a conversation, and what each turn of it finds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich.console import Console

from dar_retriever.demo.gallery import gallery_products, picture_name
from dar_retriever.demo.page import ShownTurn, write_page
from dar_retriever.demo.retriever import demo_retriever
from dar_retriever.demo.simulated_user import simulate
from dar_retriever.dialogue import Dialogue
from dar_retriever.display import hits_table
from dar_retriever.encoders import Vectors
from dar_retriever.errors import InvalidInputError
from dar_retriever.hits import Hit
from dar_retriever.image_store import ImageStore
from dar_retriever.query_encoder import EncodedQuery
from dar_retriever.retriever import DiffusionAugmentedRetriever

_TARGET: Final = 17
_DIALOGUE_SEED: Final = 7
_ROUNDS: Final = 7
_HITS: Final = 5


def run(
    folder: Path,
    gallery: int,
    queries: Sequence[str],
    console: Console,
) -> Path:
    """Prepare the gallery, play a conversation, print it and write the page.

    Args:
        folder: Where pictures, store, generated images and page go; what is there is used.
        gallery: Number of products.
        queries: The user's own turns; without them a simulated user looks for one product.
        console: Where it is printed.

    Returns:
        The page.

    Raises:
        InvalidInputError: ``gallery`` is too small for the simulated user's target.
    """
    if gallery <= _TARGET:
        raise InvalidInputError(f"gallery={gallery}: at least {_TARGET + 1} products make a show")
    retriever = demo_retriever(folder, gallery)
    store = retriever.store
    # It can be counted and walked through.
    assert isinstance(store, ImageStore)
    wanted: _Wanted | None = None
    if queries:
        dialogue = Dialogue()
        for query in queries:
            dialogue = dialogue.say(query)
    else:
        product = gallery_products(gallery)[_TARGET]
        dialogue = simulate(product, _DIALOGUE_SEED, rounds=_ROUNDS, correction=True).dialogue
        wanted = _Wanted.find(store, picture_name(_TARGET))
    target = wanted.hit if wanted else None
    turns = _play(retriever, dialogue, wanted)
    for number, turn in enumerate(turns):
        _print(console, number, turn, target)
    page = write_page(folder / "index.html", turns, target, len(store))
    console.print(f"\nLook at it: [bold]{page.resolve()}[/bold]", soft_wrap=True, highlight=False)
    return page


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
        """Its exact rank, from 1."""
        scores = self.vectors @ query.vector
        return int((scores > scores[self.place]).sum()) + 1


def _play(
    retriever: DiffusionAugmentedRetriever, dialogue: Dialogue, wanted: _Wanted | None
) -> list[ShownTurn]:
    """Search at every round of a dialogue and see where the wanted picture ranks."""
    turns = []
    for number, entry in enumerate(dialogue.rounds()):
        first, *rest = retriever.stream(dialogue.at_round(number), _HITS)
        result = rest[-1] if rest else first
        ranks = (wanted.rank(first.query), wanted.rank(result.query)) if wanted else (0, 0)
        turns.append(ShownTurn((entry.question, entry.answer.text), result, *ranks))
    return turns


def _print(console: Console, number: int, turn: ShownTurn, target: Hit | None) -> None:
    question, answer = turn.said
    trace = turn.result.trace
    console.print()
    console.rule(f"turn {number}", align="left")
    if question:
        console.print(f"  asked:      {question}", highlight=False)
    console.print(f"  said:       [bold]{answer}[/bold]", highlight=False)
    console.print(f"  understood: {trace.caption}", highlight=False)
    console.print(
        f"  drawn:      {len(trace.generated)} images, {trace.cached_count} of them from the cache "
        f"({sum(trace.timings.values()):.2f} s)",
        highlight=False,
    )
    if target is not None:
        console.print(
            f"  target:     rank {turn.text_rank} by text alone, [bold]{turn.rank}[/bold] by DAR",
            highlight=False,
        )
    console.print(hits_table(turn.result.hits, target.id if target else ""))
