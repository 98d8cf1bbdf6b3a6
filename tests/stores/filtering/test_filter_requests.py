"""Words that are filters, on a drawn shop: requests written by hand before any run."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shop import BRANDS, COUNTRIES, TODAY, shop_of

from dar_retriever import (
    DARQueryEncoder,
    Dialogue,
    DiffusionAugmentedRetriever,
    InvalidFilterError,
    LLMReformulator,
    SearchResult,
    TaggingReformulator,
)
from dar_retriever.stores import matches, predicate


def requests(name: str) -> list[dict[str, Any]]:
    text = (Path(__file__).parent / name).read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


REQUESTS = requests("requests.jsonl")
STRANGERS = requests("requests_of_strangers.jsonl")
CONDITIONS = [each for each in REQUESTS if not each["part"].startswith("plain")]
PLAIN = [each["turns"] for each in REQUESTS if each["part"].startswith("plain")]
ALL = 1200


@pytest.fixture(scope="session")
def shop(demo: DiffusionAugmentedRetriever) -> DiffusionAugmentedRetriever:
    return shop_of(demo)


@pytest.fixture(scope="session")
def offered(shop: DiffusionAugmentedRetriever) -> Mapping[str, Mapping[str, Any]]:
    ids, _ = shop.store.vectors()
    return {hit.id: hit.metadata for hit in shop.store.get(ids)}


def dialogue_of(turns: list[str]) -> Dialogue:
    """Turns as a dialogue; those of the assistant begin with "Q:"."""
    dialogue = Dialogue()
    for turn in turns:
        dialogue = dialogue.ask(turn[2:]) if turn.startswith("Q:") else dialogue.say(turn)
    return dialogue


def fits(wanted: dict[str, Any]) -> Callable[[Mapping[str, Any]], bool]:
    """Tells offers that are as a request asks, apart from how filters are written."""
    [(name, value)] = wanted.items()
    if name == "month":
        return lambda metadata: int(metadata["released"][5:7]) == value
    if name == "released":
        first, last = value
        return lambda metadata: (first or "") <= metadata["released"] < (last or "9")
    return predicate(wanted)


def test_there_are_enough_requests():
    assert len(CONDITIONS) >= 50
    assert len(PLAIN) >= 50


def test_nearly_all_requests_become_their_filter(
    shop: DiffusionAugmentedRetriever, offered: Mapping[str, Mapping[str, Any]]
):
    wrong = []
    for request in CONDITIONS:
        result = shop.search(dialogue_of(request["turns"]))
        filter_ = result.word_filter
        holds = predicate(filter_) if filter_ else lambda _: True
        asked = [fits(each) for each in request["filters"]]
        found = {id_ for id_ in offered if holds(offered[id_])}
        wanted = {id_ for id_ in offered if all(each(offered[id_]) for each in asked)}
        assert wanted, request
        assert result.hits
        assert {hit.id for hit in result.hits} <= found
        if found != wanted:
            wrong.append((request["turns"], result.trace.only, result.trace.left_out))
    assert len(wrong) <= 0.05 * len(CONDITIONS), wrong


def test_the_tagger_hears_conditions_of_strangers(
    shop: DiffusionAugmentedRetriever, offered: Mapping[str, Mapping[str, Any]]
):
    reads = TaggingReformulator(today=TODAY)
    encoder = DARQueryEncoder(shop.query_encoder.encoder, reformulator=reads)
    retriever = DiffusionAugmentedRetriever(encoder, shop.store)
    right = 0
    for request in STRANGERS:
        filter_ = retriever.search(dialogue_of(request["turns"]), k=1).word_filter
        holds = predicate(filter_) if filter_ else lambda _: True
        asked = [fits(each) for each in request["filters"]]
        found = {id_ for id_ in offered if holds(offered[id_])}
        right += found == {id_ for id_ in offered if all(each(offered[id_]) for each in asked)}
    assert right >= 0.7 * len(STRANGERS)


@pytest.mark.parametrize("turns", PLAIN, ids=" ".join)
def test_what_a_picture_shows_filters_nothing(shop: DiffusionAugmentedRetriever, turns: list[str]):
    result = shop.search(dialogue_of(turns))

    assert result.where is None
    assert not result.trace.left_out


SAID = st.sampled_from(
    [
        *("under 20 euros", "under 1 euro", "over 5,000 euros", "between 30 and 31 euros"),
        *("size 42", "size XL", "size 99", "in size s or m", "from 2013", "before 1990"),
        *("last summer", "yesterday", "since 2026", "taken in march", "top 3", "any price"),
        *("only from Italy", "not from Japan", "by Anna Berg", "designed by nobody", "start over"),
        *(f"only {brand}" for brand in BRANDS),
        *(f"not {brand}" for brand in BRANDS),
        *(f"from {country}" for country in COUNTRIES),
    ]
)


@given(st.lists(SAID, min_size=1, max_size=5))
def test_words_never_empty_a_page(shop: DiffusionAugmentedRetriever, said: list[str]):
    dialogue = dialogue_of(["a red mug", *said])
    result = shop.search(dialogue, k=5)

    assert result.hits
    assert result.dialogue == dialogue
    for hit in result.hits:
        assert result.word_filter is None or matches(result.word_filter, hit.metadata)


def search(shop: DiffusionAugmentedRetriever, *turns: str, **options: Any) -> SearchResult:
    return shop.search(dialogue_of(list(turns)), **options)


def test_the_trace_says_which_words_filter(shop: DiffusionAugmentedRetriever):
    result = search(shop, "a red Nike mug under 50 euros, size 99")

    assert result.trace.caption == "a red mug"
    assert result.trace.only == ("brand Nike", "price below 50")
    assert "only images with price below 50, from 'under 50 euros'" in result.trace.reasons
    assert result.trace.left_out == ("'size 99' was left out: no image of the store has size 99",)
    assert result.word_filter == result.where


def test_a_filter_that_leaves_nothing_is_dropped_part_by_part(shop: DiffusionAugmentedRetriever):
    result = search(shop, "a mug, not from Italy", "over 5,000 euros")

    assert result.word_filter == {"country": {"$ne": "Italy"}}
    assert result.trace.fallbacks == (
        "no image is left with price above 5000 ('over 5,000 euros'), so it was dropped",
    )


def test_the_callers_filter_is_kept_beside_the_words(shop: DiffusionAugmentedRetriever):
    result = search(shop, "a mug under 50 euros", where={"brand": "Puma"}, k=ALL)

    assert result.where == {"$and": [{"brand": "Puma"}, {"price": {"$lt": 50.0}}]}
    assert result.word_filter == {"price": {"$lt": 50.0}}
    assert {hit.metadata["brand"] for hit in result.hits} == {"Puma"}


def test_a_filter_of_the_caller_that_leaves_nothing_leaves_nothing(
    shop: DiffusionAugmentedRetriever,
):
    result = search(shop, "a mug under 50 euros", where={"brand": "Nobody"})

    assert not result.hits
    assert not result.trace.fallbacks


def test_words_may_ask_for_fewer_hits(shop: DiffusionAugmentedRetriever):
    assert len(search(shop, "a mug", "top 3").hits) == 3
    assert len(search(shop, "a mug", "top 30", k=10).hits) == 10


def test_a_new_subject_has_no_conditions_of_the_old(shop: DiffusionAugmentedRetriever):
    result = search(shop, "a Nike mug under 50 euros", "start over", "a blue hat")

    assert result.where is None


def test_words_filter_nothing_where_they_are_not_to(shop: DiffusionAugmentedRetriever):
    plain = DiffusionAugmentedRetriever(shop.query_encoder, shop.store, word_filters=False)
    result = search(plain, "a red Nike mug under 50 euros")

    assert result.where is None
    assert not result.trace.only
    assert not result.trace.left_out
    assert result.trace.caption == "a red nike mug"


def test_each_stage_is_filtered(shop: DiffusionAugmentedRetriever):
    for result in shop.stream("a mug by Puma"):
        assert {hit.metadata["brand"] for hit in result.hits} == {"Puma"}


def test_a_store_whose_fields_cannot_be_read_is_searched(
    shop: DiffusionAugmentedRetriever, monkeypatch: pytest.MonkeyPatch
):
    def broken() -> None:
        raise RuntimeError("no fields today")

    monkeypatch.setattr(shop.store, "fields", broken)
    result = search(shop, "a mug under 50 euros")

    assert result.hits
    assert "no fields today" in result.trace.fallbacks[0]


class Facets:
    """A store that cannot describe its fields beyond their facets."""

    def __init__(self, store: Any) -> None:
        self._store = store
        self.facets, self.search = store.facets, store.search


def test_a_store_without_fields_is_filtered_by_its_facets(shop: DiffusionAugmentedRetriever):
    plain = DiffusionAugmentedRetriever(shop.query_encoder, Facets(shop.store))
    result = search(plain, "a Puma mug under 50 euros")

    assert result.word_filter == {"brand": {"$eq": "Puma"}}
    assert result.trace.left_out == (
        "'under 50 euros' was left out: the store has no field for a price",
    )


class Refusing(Facets):
    """A store that takes no filters of numbers."""

    def __init__(self, store: Any) -> None:
        super().__init__(store)
        self.fields = store.fields
        self.search = self._search

    def _search(self, vector: Any, k: int, where: Any, exclude: Any) -> Any:
        if where and "price" in str(where):
            raise InvalidFilterError("no numbers")
        return self._store.search(vector, k, where, exclude)


def test_a_filter_that_the_store_refuses_is_dropped(shop: DiffusionAugmentedRetriever):
    refusing = DiffusionAugmentedRetriever(shop.query_encoder, Refusing(shop.store))
    result = search(refusing, "a Puma mug under 50 euros")

    assert {hit.metadata["brand"] for hit in result.hits} == {"Puma"}
    assert "no numbers" in result.trace.fallbacks[0]
    with pytest.raises(InvalidFilterError):
        search(refusing, "a mug", where={"price": 3})


def test_a_language_models_conditions_filter_like_the_rules(shop: DiffusionAugmentedRetriever):
    cheap = {"about": "price", "operator": "<=", "value": 100, "said": "höchstens 100 Euro"}
    answer = {"caption": "a mug", "prompts": ["a mug"], "conditions": [cheap]}
    model = LLMReformulator(lambda *_: json.dumps(answer))
    encoder = DARQueryEncoder(shop.query_encoder.encoder, reformulator=model)
    result = search(
        DiffusionAugmentedRetriever(encoder, shop.store),
        "ein Becher der Marke Adidas, höchstens 100 Euro",
    )

    assert {hit.metadata["brand"] for hit in result.hits} == {"Adidas"}
    assert "price at most 100" in result.trace.only
