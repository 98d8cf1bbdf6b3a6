"""Conditions and fields: which filter comes of them, and what is left out and why."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dar_retriever.reformulation.base import Condition
from dar_retriever.stores import matches
from dar_retriever.stores.fields import Field, fields_in
from dar_retriever.stores.filtering.names import fields_about, is_seen, kind_of, words_of
from dar_retriever.stores.filtering.resolution import LeftOut, WordFilter, resolved
from dar_retriever.stores.filtering.times import holds_dates, in_month, within


def fields_of(**columns: list[Any]) -> dict[str, Field]:
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    return fields_in(rows, complete=True)


def one(fields: Mapping[str, Field], *conditions: Condition) -> WordFilter | LeftOut:
    (made,) = resolved(conditions, fields)
    return made


UNDER_50 = Condition("price", "$lte", 50.0, "under 50 euros")
SIZE_42 = Condition("size", "$eq", "42", "size 42")
IN_2019 = (
    Condition("date", "$gte", "2019-01-01", "from 2019"),
    Condition("date", "$lt", "2020-01-01", "from 2019"),
)


@pytest.mark.parametrize("name", ["price", "Price", "price_eur", "listPrice", "Preis", "unit-cost"])
def test_a_price_is_found_by_its_name(name: str):
    made = one(fields_of(**{name: [10, 60.5], "shipping_price": [3, 4]}), UNDER_50)

    assert made == WordFilter({name: {"$lte": 50.0}}, f"{name} at most 50", "under 50 euros")


@pytest.mark.parametrize(
    ("column", "why"),
    [
        ({"colour": ["red", "blue"]}, "the store has no field for a price"),
        ({"price": ["10 €", "20 €"]}, "the store keeps prices as text"),
    ],
)
def test_words_are_left_out_where_the_store_has_no_such_numbers(column: Any, why: str):
    assert one(fields_of(**column), UNDER_50) == LeftOut("under 50 euros", why)


def test_a_range_is_one_filter():
    low = Condition("price", "$gte", 20.0, "20 to 30")
    made = one(fields_of(price=[10, 25]), low, Condition("price", "$lte", 30.0, "20 to 30"))

    assert isinstance(made, WordFilter)
    assert made.text == "price at least 20 and at most 30"
    assert not matches(made.where, {"price": 10})
    assert matches(made.where, {"price": 25})


@pytest.mark.parametrize(
    ("sizes", "fitting"),
    [
        (["42", "43"], ["42"]),
        (["EU 42", "42.0", "43"], ["EU 42", "42.0"]),
        ([42, 43], [42]),
        ([42.0, 42.5], [42.0]),
    ],
)
def test_a_size_is_found_however_it_is_written(sizes: list[Any], fitting: list[Any]):
    made = one(fields_of(size=sizes), SIZE_42)

    assert isinstance(made, WordFilter)
    assert [size for size in sizes if matches(made.where, {"size": size})] == fitting


def test_letters_and_words_are_the_same_size():
    made = one(fields_of(size=["Small", "s", "L"]), Condition("size", "$eq", "s", "size small"))

    assert isinstance(made, WordFilter)
    assert made.where == {"size": {"$in": ["Small", "s"]}}


def test_a_file_has_no_size_to_wear():
    made = one(fields_of(file_size=[42, 1000], image_size=["42", "43"]), SIZE_42)

    assert made == LeftOut("size 42", "the store has no field for a size")


DAYS = [
    date(2018, 12, 31),
    date(2019, 1, 1),
    date(2019, 5, 3),
    date(2019, 12, 31),
    date(2020, 1, 1),
]
FORMS: dict[str, Any] = {
    "text": lambda day: day.isoformat(),
    "moment as text": lambda day: f"{day}T23:15:00",
    "EXIF": lambda day: f"{day:%Y:%m:%d} 10:22:11",
    "month as text": lambda day: f"{day:%Y-%m}",
    "number": lambda day: int(f"{day:%Y%m%d}"),
    "seconds": lambda day: datetime(day.year, day.month, day.day, 12, tzinfo=UTC).timestamp(),
    "milliseconds": lambda day: (
        1000 * datetime(day.year, day.month, day.day, 12, tzinfo=UTC).timestamp()
    ),
    "year": lambda day: day.year,
    "year as text": lambda day: str(day.year),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_year_is_found_in_every_form_of_dates(form: str):
    kept = [FORMS[form](day) for day in DAYS]
    made = one(fields_of(taken=kept), *IN_2019)

    assert isinstance(made, WordFilter)
    assert made.text == "taken in 2019"
    assert [matches(made.where, {"taken": value}) for value in kept] == [False, *[True] * 3, False]


@given(st.sampled_from([n for n in FORMS if "year" not in n and "month" not in n]), st.data())
def test_dates_are_compared_day_by_day(form: str, data: st.DataObject):
    days = st.dates(min_value=date(1980, 1, 1), max_value=date(2035, 1, 1))
    kept = data.draw(st.lists(days, min_size=1, max_size=8))
    first, last = sorted((data.draw(days), data.draw(days)))
    field = fields_of(taken=[FORMS[form](day) for day in kept])["taken"]
    if not holds_dates(field):
        assert form in {"seconds", "milliseconds"}
        return
    where = within(field, first, last)

    for day in kept:
        found = where is not None and matches(where, {"taken": FORMS[form](day)})
        assert found is (first <= day < last)


@pytest.mark.parametrize("form", [name for name in FORMS if "year" not in name])
def test_a_month_is_found_in_any_year(form: str):
    days = [date(2018, 3, 1), date(2019, 3, 31), date(2019, 4, 1), date(2020, 2, 29)]
    field = fields_of(taken=[FORMS[form](day) for day in days])["taken"]
    where = in_month(field, 3)

    assert where is not None
    found = [matches(where, {"taken": FORMS[form](day)}) for day in days]
    assert found == [True, True, False, False]


def test_years_tell_no_month():
    month = Condition("month", "$eq", 3, "in march")

    assert isinstance(one(fields_of(year=[2018, 2019]), month), LeftOut)


@pytest.mark.parametrize("values", [[1.5, 2.5], ["soon", "later"], ["03/05/2019", "04/05/2019"]])
def test_what_is_no_date_is_not_compared(values: list[Any]):
    assert one(fields_of(date=values), *IN_2019) == LeftOut(
        "from 2019", "the store has no field for a date"
    )


def test_dates_as_text_need_all_of_them():
    field = Field("taken", "text", ("2019-05-03",), complete=False)
    made = one({"taken": field}, *IN_2019)

    assert isinstance(made, LeftOut)
    assert "keep it as numbers" in made.why


def test_when_a_picture_was_taken_counts_more_than_when_it_was_added():
    fields = fields_of(added=["2020-01-01"], taken=["2019-05-03"], modified=["2021-01-01"])

    assert [field.name for field in fields_about("date", fields)] == ["taken", "added"]


def named(about: str, value: Any, operator: str = "$eq") -> Condition:
    return Condition(about, operator, value, f"{about} {value}")


def test_a_name_is_found_in_its_field_however_it_is_written():
    fields = fields_of(brand=["Nike", "NIKE ", "Adidas"], colour=["red", "red", "blue"])
    made = one(fields, named("maker", "nike"))

    assert isinstance(made, WordFilter)
    assert made.where == {"brand": {"$in": ["Nike", "NIKE "]}}
    assert made.text == "brand Nike"
    denied = one(fields, named("brand", "adidas", "$ne"))
    assert isinstance(denied, WordFilter)
    assert denied.where == {"brand": {"$ne": "Adidas"}}


@pytest.mark.parametrize("about", ["colour", "kind", "pattern", "background"])
def test_what_pictures_show_is_no_filter(about: str):
    fields = fields_of(colour=["red"], kind=["mug"], pattern=["plain"], background=["red"])

    assert one(fields, named(about, "red")) == LeftOut(f"{about} red", "pictures show it")


def test_what_the_store_does_not_hold_is_left_out():
    fields = fields_of(brand=["Nike"], stars=[3])

    assert isinstance(one(fields, named("brand", "Puma")), LeftOut)
    assert isinstance(one(fields, named("weather", "rain")), LeftOut)
    assert isinstance(one(fields, named("stars", "many")), LeftOut)
    assert isinstance(one(fields, named("date", "once upon a time")), LeftOut)
    assert isinstance(one(fields, named("month", "march")), LeftOut)


def test_a_number_of_the_stores_own_is_compared():
    made = one(fields_of(stars=[3, 5]), named("stars", 4.0, "$gte"))

    assert isinstance(made, WordFilter)
    assert made.where == {"stars": {"$gte": 4.0}}


ABOUT = st.sampled_from(["price", "size", "date", "month", "results", "brand", "kind", "stars", ""])
VALUES = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=12),
    st.tuples(st.text(max_size=4), st.text(max_size=4)),
)
OPERATORS = st.sampled_from(["$eq", "$ne", "$in", "$nin", "$gt", "$gte", "$lt", "$lte"])


@given(st.lists(st.builds(Condition, ABOUT, OPERATORS, VALUES, st.text(max_size=5)), max_size=4))
def test_any_condition_is_resolved(conditions: list[Condition]):
    fields = fields_of(
        price=[1, 2.5], size=["M", "L"], taken=["2019-05-03", "2020"], brand=["Nike", "Puma"]
    )
    for made in resolved(conditions, fields):
        if isinstance(made, WordFilter):
            matches(made.where, {"price": 1, "size": "M", "taken": "2020", "brand": "Nike"})


def test_names_are_read_word_by_word():
    assert words_of("listPriceEUR_2") == ["list", "price", "eur", "2"]
    assert kind_of("photographer_name") == "maker"
    assert kind_of("home_country") == "place"
    assert kind_of("weather") == "other"
    assert is_seen("second_colour")
    assert not is_seen("brand")
