"""A drawn shop: the demo's pictures with made-up prices, sizes, brands, dates and countries."""

from __future__ import annotations

from datetime import date, timedelta
from random import Random
from typing import Any

from dar_retriever import (
    DARQueryEncoder,
    DiffusionAugmentedRetriever,
    ImageStore,
    RuleReformulator,
    StoredImage,
)
from dar_retriever.reformulation.english import English

TODAY = date(2026, 11, 26)
BRANDS = ("Nike", "Adidas", "Kessel & Co", "Norrland", "Orange", "Bluebird", "Puma")
COUNTRIES = ("Italy", "Portugal", "Japan", "Sweden")
DESIGNERS = ("Anna Berg", "Luis Ortega", "Mei Tanaka")
SEASONS = ("spring", "summer", "autumn", "winter")
LETTERS = ("XS", "S", "M", "L", "XL", "XXL")
OFFERS_EACH = 10
FIRST, DAYS = date(2012, 1, 1), (TODAY - date(2012, 1, 1)).days


def offers(count: int) -> list[dict[str, Any]]:
    """What is said of each product that no picture shows; the same at every call."""
    random = Random(3)
    made = []
    for number in range(count):
        price = round(random.uniform(5, 220), 2)
        made.append(
            {
                "price": round(price) if number % 3 else price,
                "size": random.choice(LETTERS) if number % 2 else str(random.randint(36, 46)),
                "brand": BRANDS[number % len(BRANDS)],
                "released": (FIRST + timedelta(days=random.randrange(DAYS))).isoformat(),
                "country": random.choice(COUNTRIES),
                "designer": random.choice(DESIGNERS),
                "season": random.choice(SEASONS),
            }
        )
    return made


def shop_of(demo: DiffusionAugmentedRetriever) -> DiffusionAugmentedRetriever:
    """The demo's gallery as a shop, searched by words alone."""
    encoder, gallery = demo.query_encoder.encoder, demo.store
    assert isinstance(gallery, ImageStore)
    ids, vectors = gallery.vectors()
    store = ImageStore.in_memory(encoder)
    pictures = list(zip(gallery.get(ids), vectors, strict=True)) * OFFERS_EACH
    store.add(
        [
            StoredImage(f"{number}", vector, hit.uri, hit.caption, {**hit.metadata, **offer})
            for number, ((hit, vector), offer) in enumerate(
                zip(pictures, offers(len(pictures)), strict=True)
            )
        ]
    )
    rules = RuleReformulator(encoder.count_tokens, encoder.max_tokens, English(TODAY))
    return DiffusionAugmentedRetriever(DARQueryEncoder(encoder, reformulator=rules), store)
