"""Captioners: models in published formats, chat models of both frameworks, OCR, functions."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest
from chat_models import FunctionChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_dar import language_model
from llama_index.core.base.llms.types import ChatMessage, ImageBlock
from llama_index.core.llms import ChatResponse, CustomLLM, LLMMetadata
from llama_index_dar import language_model as llama_index_model
from PIL import Image, ImageDraw, ImageFont

from dar_retriever import (
    ChatCaptioner,
    InvalidInputError,
    ModelLoadError,
    OcrCaptioner,
    TransformersCaptioner,
)
from dar_retriever.captioning import BatchCaptioner, captioner_name, open_captioner
from dar_retriever.captioning.base import captions_of
from dar_retriever.demo.drawing import draw
from dar_retriever.demo.products import sample_products

PICTURES = [draw(product, 64, Random(1)) for product in sample_products(3, unseen=False, seed=1)]
COLOURS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255)}


@pytest.mark.parametrize("kind", ["blip_captions", "vit_gpt2", "qwen3_vl"])
def test_any_image_to_text_model_puts_pictures_into_words(
    kind: str, checkpoint: Callable[[str], str]
):
    captioner = TransformersCaptioner(checkpoint(kind), device="cpu", max_new_tokens=12)

    captions = captioner.captions(PICTURES)
    assert len(set(captions)) == 3
    assert all(0 < len(caption) < 60 for caption in captions)
    # What is read beside a picture has no say.
    assert captions == [captioner(picture) for picture in PICTURES]
    assert isinstance(captioner, BatchCaptioner)
    assert captioner.name == Path(checkpoint(kind)).name


def test_a_prompt_is_what_a_model_goes_on_from(checkpoint: Callable[[str], str]):
    folder = checkpoint("blip_captions")
    captioner = TransformersCaptioner(folder, prompt="a red", device="cpu", max_new_tokens=12)
    assert all(caption.startswith("a red") for caption in captioner.captions(PICTURES))


def test_models_that_write_nothing_are_refused(checkpoint: Callable[[str], str]):
    with pytest.raises(ModelLoadError, match="captioner"):
        TransformersCaptioner(checkpoint("bert"))
    with pytest.raises(InvalidInputError, match="max_new_tokens=0"):
        TransformersCaptioner(checkpoint("blip_captions"), max_new_tokens=0)


def colour_in(url: str) -> str:
    image = Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))).convert("RGB")
    seen = image.getpixel((3, 3))
    assert isinstance(seen, tuple)
    distances = {
        name: sum(abs(a - b) for a, b in zip(colour, seen, strict=True))
        for name, colour in COLOURS.items()
    }
    return min(distances, key=lambda name: distances[name])


def by_langchain(messages: list[BaseMessage]) -> AIMessage:
    [shown] = [part for m in messages if isinstance(m.content, list) for part in m.content]
    assert isinstance(shown, dict)
    return AIMessage(json.dumps({"caption": f"a {colour_in(shown['image_url']['url'])} wall"}))


class SeeingLLM(CustomLLM):
    """LlamaIndex's interface, with the same eyes."""

    @property
    def metadata(self) -> LLMMetadata:
        return LLMMetadata(is_chat_model=True)

    def chat(self, messages: Sequence[ChatMessage], **_: Any) -> ChatResponse:
        shown = next(block for block in messages[-1].blocks if isinstance(block, ImageBlock))
        url = f"data:;base64,{base64.b64encode(shown.resolve_image().read()).decode()}"
        caption = json.dumps({"caption": f"a {colour_in(url)} wall"})
        return ChatResponse(message=ChatMessage(role="assistant", content=caption))

    def complete(self, *_: Any, **__: Any) -> Any:
        raise NotImplementedError

    def stream_complete(self, *_: Any, **__: Any) -> Any:
        raise NotImplementedError


@pytest.mark.parametrize("framework", ["langchain", "llama_index"])
def test_chat_models_that_see_describe_each_picture(framework: str):
    model = (
        language_model(FunctionChatModel(answer=by_langchain))
        if framework == "langchain"
        else llama_index_model(SeeingLLM())
    )
    captioner = ChatCaptioner(model, name="eyes")
    walls = [Image.new("RGB", (40, 40), colour) for colour in COLOURS.values()]

    assert captioner.captions(walls) == ["a red wall", "a green wall", "a blue wall"]
    assert captioner_name(captioner) == "eyes"


def test_a_chat_model_that_fails_at_one_picture_describes_the_others():
    def answer(messages: list[BaseMessage]) -> AIMessage:
        told = by_langchain(messages)
        return AIMessage("I would rather not.") if "green" in str(told.content) else told

    captioner = ChatCaptioner(language_model(FunctionChatModel(answer=answer)))
    walls = [Image.new("RGB", (40, 40), colour) for colour in COLOURS.values()]
    red, green, blue = captions_of(captioner, walls)

    assert (red, blue) == ("a red wall", "a blue wall")
    assert "no valid answer in two tries" in str(green)


def test_text_in_pictures_is_read():
    poster = Image.new("RGB", (360, 130), "white")
    pen = ImageDraw.Draw(poster)
    pen.text((20, 20), "SUMMER SALE", fill="black", font=ImageFont.load_default(30))
    pen.text((20, 75), "only today", fill="red", font=ImageFont.load_default(26))
    captioner = OcrCaptioner()

    assert captioner(poster) == "SUMMER SALE, only today"
    assert captioner(Image.new("RGB", (100, 100), "grey")) == ""


def test_captions_are_one_line_and_anything_else_is_an_error():
    said = iter(["a\nred\x07mug ", 7, ValueError("dark"), ""])

    def captioner(_: Image.Image) -> Any:
        if isinstance(told := next(said), Exception):
            raise told
        return told

    line, number, error, nothing = captions_of(captioner, [PICTURES[0]] * 4)
    assert (line, nothing) == ("a red mug", "")
    assert "7 is not a caption" in str(number)
    assert str(error) == "dark"
    assert captioner_name(captioner) == "captioner"


def test_a_batch_of_another_length_is_asked_again_one_by_one():
    class Short:
        """Answers about the first picture alone."""

        name = "short"

        def __call__(self, image: Image.Image, /) -> str:
            return f"{image.width} wide"

        def captions(self, images: Sequence[Image.Image]) -> list[str]:
            return [self(images[0])]

    assert captions_of(Short(), PICTURES) == ["64 wide"] * 3


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("no_such_module:describe", "No module named 'no_such_module'"),
        ("json:describe", "no attribute 'describe'"),
        ("json:__doc__", "str, no function"),
    ],
)
def test_functions_that_are_none_are_refused(name: str, why: str):
    with pytest.raises(InvalidInputError, match=why):
        open_captioner(name)


def test_captioners_are_opened_by_name(checkpoint: Callable[[str], str]):
    assert open_captioner("json:dumps") is json.dumps
    opened = open_captioner(checkpoint("blip_captions"), "cpu")
    assert isinstance(opened, TransformersCaptioner)
