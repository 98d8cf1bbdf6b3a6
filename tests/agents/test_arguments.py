"""What models send as the arguments of a call."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.lib._pydantic import to_strict_json_schema
from pydantic import ValidationError

from dar_retriever.agents import SearchCall, invalid_arguments

NULL = dict.fromkeys(["request", "k", "filter", "more_like", "less_like"])
MINT = {"field": "background", "operator": "$eq", "value": "mint"}
CHEAP = {"field": "price", "operator": "$lt", "value": 20}


def test_null_is_what_is_left_out() -> None:
    assert SearchCall.model_validate(NULL) == SearchCall.model_validate({}) == SearchCall()


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("3", ["3"]),
        (3, [3]),
        ([3], [3]),
        ("[3, 4]", [3, 4]),
        ('["ab12", 4]', ["ab12", 4]),
        ("3, 4", ["3", " 4"]),
        ("ab12", ["ab12"]),
        ("", []),
        ([], []),
    ],
)
def test_judged_hits_may_be_one_or_a_text(given: Any, meant: list[int | str]) -> None:
    call = SearchCall(more_like=given, less_like=given)

    assert call.more_like == call.less_like == meant


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ({"kind": "vase"}, {"kind": "vase"}),
        ('{"kind": "vase"}', {"kind": "vase"}),
        ([MINT], {"background": {"$eq": "mint"}}),
        ([MINT, CHEAP], {"$and": [{"background": {"$eq": "mint"}}, {"price": {"$lt": 20}}]}),
        (json.dumps([MINT]), {"background": {"$eq": "mint"}}),
        ([{"kind": "vase"}], {"kind": "vase"}),
        ([], None),
        ("", None),
        ("{}", None),
        ("null", None),
    ],
)
def test_a_filter_may_be_a_list_of_conditions_or_json_text(given: Any, meant: Any) -> None:
    assert SearchCall(filter=given).filter == meant


def test_the_schema_fits_openais_strict_mode() -> None:
    """What OpenAI's own client makes of a model for strict mode is what it is already."""
    schema = SearchCall.model_json_schema()

    assert to_strict_json_schema(SearchCall) == schema
    assert "default" not in json.dumps(schema)
    strict_objects(schema)


def strict_objects(schema: Any) -> None:
    """Every object has named fields, all of them required, and no others."""
    if isinstance(schema, dict):
        if schema.get("type") == "object":
            assert schema["additionalProperties"] is False
            assert schema["required"] == list(schema["properties"])
            assert schema["properties"]
        for part in schema.values():
            strict_objects(part)
    elif isinstance(schema, list):
        for part in schema:
            strict_objects(part)


@given(
    st.dictionaries(
        st.sampled_from([*NULL, "other"]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(st.text(max_size=4), inner, max_size=3)
            ),
            max_leaves=6,
        ),
    )
)
def test_whatever_is_sent_is_a_call_or_an_error_of_one_sentence(arguments: dict[str, Any]) -> None:
    before = copy.deepcopy(arguments)
    try:
        SearchCall.model_validate(arguments)
    except ValidationError as error:
        said = invalid_arguments(error)
        assert said.endswith("; correct them and call again")
        assert "\n" not in said
        assert len(said) < 1000
    assert repr(arguments) == repr(before)
