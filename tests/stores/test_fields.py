"""What a store tells of its metadata: names, types, values and ranges."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dar_retriever import ImageStore, OpenClipEncoder, StoredImage
from dar_retriever.stores.fields import Field, RememberedFields, fields_in


def images(encoder: OpenClipEncoder, *metadata: dict[str, object]) -> list[StoredImage]:
    vectors = np.eye(encoder.dimension, dtype=np.float32)
    return [
        StoredImage(f"id{number}-{sorted(each)}", vectors[number], f"/{number}.jpg", "", each)
        for number, each in enumerate(metadata)
    ]


def test_numbers_have_a_range_and_texts_have_values(tiny_encoder: OpenClipEncoder):
    store = ImageStore.in_memory(tiny_encoder)
    store.add(
        images(
            tiny_encoder,
            {"price": 20, "brand": "Nike", "sold": True},
            {"price": 19.5, "brand": "Puma", "sold": False},
            {"price": 50, "brand": "Nike"},
        )
    )

    assert store.fields() == {
        "brand": Field("brand", "text", ("Nike", "Puma"), complete=True),
        "price": Field("price", "number", (), 19.5, 50, complete=True),
    }


def test_fields_follow_what_is_added(tiny_encoder: OpenClipEncoder):
    store = ImageStore.in_memory(tiny_encoder)
    assert store.fields() == {}
    store.add(images(tiny_encoder, {"price": 20}))
    before = store.fields()
    store.add(images(tiny_encoder, {"price": 30, "brand": "Nike"}))

    assert store.fields()["price"].highest == 30
    assert before["price"].highest == 20
    assert store.fields() is store.fields()


def test_a_field_of_both_is_what_most_of_it_is():
    rows: Sequence[dict[str, object]] = [{"size": "M"}, {"size": 42}, {"size": "L"}]

    assert fields_in(rows, complete=True)["size"] == Field(
        "size", "text", ("M", "L"), complete=True
    )


def test_long_texts_are_no_values():
    field = fields_in([{"story": "once " * 50}, {"story": "short"}], complete=True)["story"]

    assert field.texts == ("short",)
    assert not field.complete


def test_what_was_read_is_kept_until_the_state_changes():
    fields, read = RememberedFields(), []

    def reading() -> dict[str, Field]:
        read.append(1)
        return {}

    for state in (1, 1, 2, 2, 1):
        fields.at(state, reading)
    assert len(read) == 3


PLAIN = st.one_of(st.text(max_size=9), st.integers(-(2**40), 2**40), st.booleans())


@given(st.lists(st.dictionaries(st.text(min_size=1, max_size=3), PLAIN, max_size=4), max_size=6))
def test_any_metadata_have_fields(rows: list[dict[str, object]]):
    for name, field in fields_in(rows, complete=True).items():
        values = [row[name] for row in rows if name in row]
        if field.type == "number":
            numbers = [v for v in values if isinstance(v, int) and not isinstance(v, bool)]
            assert (field.lowest, field.highest) == (min(numbers), max(numbers))
        else:
            assert set(field.texts) <= set(values)
