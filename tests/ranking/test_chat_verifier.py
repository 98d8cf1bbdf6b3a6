"""A chat model that sees as re-ranker: what it is asked, and what becomes of its answers."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from chat_models import FunctionChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_dar import language_model
from llama_index.core.base.llms.types import ChatMessage, ImageBlock, TextBlock
from llama_index.core.llms import ChatResponse, CustomLLM, LLMMetadata
from llama_index_dar import language_model as llama_index_model
from PIL import Image
from pydantic import BaseModel, Field

from dar_retriever import (
    ChatVerifier,
    DARQueryEncoder,
    DiffusionAugmentedRetriever,
    ImageStore,
    LanguageModel,
    OpenClipEncoder,
    SecondStage,
    ingest,
)
from dar_retriever.errors import InvalidInputError

COLOURS = {"red": (255, 0, 0), "blue": (0, 0, 255), "white": (255, 255, 255)}
ASKED = "a blue mug"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: OpenClipEncoder) -> ImageStore:
    folder = tmp_path_factory.mktemp("colours")
    for name, colour in COLOURS.items():
        Image.new("RGB", (32, 32), colour).save(folder / f"{name}.png")
    found = ImageStore.in_memory(tiny_encoder)
    ingest(folder, found, tiny_encoder)
    return found


@pytest.fixture
def searching(
    store: ImageStore, tiny_encoder: OpenClipEncoder
) -> Callable[[LanguageModel], DiffusionAugmentedRetriever]:
    def opened(model: LanguageModel) -> DiffusionAugmentedRetriever:
        verifier = ChatVerifier(model)
        return DiffusionAugmentedRetriever(
            DARQueryEncoder(tiny_encoder),
            store,
            second_stage=SecondStage(verifier),
            explainer=verifier,
        )

    return opened


def seen(url: str, statements: Mapping[str, str]) -> str:
    """The answers of a model that knows colours and no mugs."""
    image = Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2])))
    pixel = image.convert("RGB").getpixel((5, 5))
    colour = min(COLOURS, key=lambda name: abs_difference(COLOURS[name], pixel))
    known = [next((name for name in COLOURS if name in text), "") for text in statements.values()]
    answers = ["unclear" if not name else "yes" if name == colour else "no" for name in known]
    return json.dumps({"answers": answers})


def abs_difference(one: Any, other: Any) -> int:
    return sum(abs(a - b) for a, b in zip(one, other, strict=True))


def by_colour(messages: list[BaseMessage]) -> AIMessage:
    picture, text = messages[-1].content
    assert isinstance(picture, dict)
    assert isinstance(text, dict)
    return AIMessage(seen(picture["image_url"]["url"], json.loads(text["text"])))


def titles(retriever: DiffusionAugmentedRetriever, said: str) -> list[str]:
    return [Path(hit.uri).stem for hit in retriever.search(said).hits]


def test_a_langchain_model_orders_the_hits_and_says_why(
    searching: Callable[[LanguageModel], DiffusionAugmentedRetriever],
) -> None:
    model = FunctionChatModel(answer=by_colour)
    result = searching(language_model(model)).search(ASKED)
    assert Path(result.hits[0].uri).stem == "blue"
    assert [str(each) for each in result.hits[0].shows] == ["blue: yes"]
    assert [str(each) for each in result.hits[-1].shows] == ["blue: no"]
    assert not result.trace.fallbacks
    assert len(model.given) == len(COLOURS), "one question a picture, and none for the reasons"
    assert json.loads(model.given[0][-1].content[1]["text"]) == {"1": "mug", "2": "blue mug"}  # type: ignore[index]


def test_only_new_statements_are_asked(
    searching: Callable[[LanguageModel], DiffusionAugmentedRetriever],
) -> None:
    model = FunctionChatModel(answer=by_colour)
    retriever = searching(language_model(model))
    retriever.search(ASKED)
    retriever.search(ASKED)
    assert len(model.given) == len(COLOURS)
    assert titles(retriever, "a red mug")[0] == "red"
    assert json.loads(model.given[-1][-1].content[1]["text"]) == {"1": "red mug"}  # type: ignore[index]


def test_what_is_excluded_counts_against_a_hit(
    searching: Callable[[LanguageModel], DiffusionAugmentedRetriever],
) -> None:
    retriever = searching(language_model(FunctionChatModel(answer=by_colour)))
    assert titles(retriever, "a mug, but not blue")[-1] == "blue"


class LlamaIndexModel(CustomLLM):
    """Answers as the other one does, and keeps what it was given."""

    given: list[Sequence[ChatMessage]] = Field(default_factory=list)

    @property
    def metadata(self) -> LLMMetadata:
        return LLMMetadata()

    def chat(self, messages: Sequence[ChatMessage], **_: Any) -> ChatResponse:
        self.given.append(messages)
        picture, text = messages[-1].blocks
        assert isinstance(picture, ImageBlock)
        assert isinstance(text, TextBlock)
        content = seen(str(picture.url), json.loads(text.text))
        return ChatResponse(message=ChatMessage(role="assistant", content=content))

    def complete(self, *_: Any, **__: Any) -> Any:
        raise NotImplementedError

    def stream_complete(self, *_: Any, **__: Any) -> Any:
        raise NotImplementedError


def test_a_llama_index_model_sees_the_same(
    searching: Callable[[LanguageModel], DiffusionAugmentedRetriever],
) -> None:
    model = LlamaIndexModel()
    assert titles(searching(llama_index_model(model)), ASKED)[0] == "blue"
    assert len(model.given) == len(COLOURS)


def test_hits_without_a_valid_answer_come_last(
    searching: Callable[[LanguageModel], DiffusionAugmentedRetriever],
) -> None:
    def stubborn(messages: Sequence[Any], _: type[BaseModel]) -> str:
        parts = messages[1]["content"]
        answer = seen(parts[0]["image_url"]["url"], json.loads(parts[1]["text"]))
        return "I see a mug." if "yes" in answer else answer

    retriever = searching(stubborn)
    result = retriever.search(ASKED)
    assert Path(result.hits[-1].uri).stem == "blue"
    assert result.hits[-1].shows == ()
    assert "1 of 3 hits could not be read by chat model" in result.trace.fallbacks[0]


def test_a_model_that_is_down_leaves_the_order_of_the_search(
    searching: Callable[[LanguageModel], DiffusionAugmentedRetriever],
    store: ImageStore,
    tiny_encoder: OpenClipEncoder,
) -> None:
    def down(_: Sequence[Any], __: type[BaseModel]) -> str:
        raise ConnectionError("no route to host")

    plain = DiffusionAugmentedRetriever(DARQueryEncoder(tiny_encoder), store)
    result = searching(down).search(ASKED)
    assert [hit.id for hit in result.hits] == [hit.id for hit in plain.search(ASKED).hits]
    assert "not re-ranked by chat model" in result.trace.fallbacks[0]
    assert "no route to host" in result.trace.fallbacks[0]


@pytest.mark.parametrize("depth", [0, 11])
def test_it_looks_at_ten_hits_at_most(depth: int) -> None:
    with pytest.raises(InvalidInputError, match=f"depth={depth}"):
        ChatVerifier(lambda *_: "", depth=depth)
