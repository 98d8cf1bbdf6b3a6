"""Language models that run here: any chat model of transformers, without a server or a key."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel

from dar_retriever.errors import InvalidInputError, LanguageModelError
from dar_retriever.language_models.base import Message
from dar_retriever.support.devices import choose_device, choose_dtype
from dar_retriever.support.extras import needs_extra
from dar_retriever.support.model_files import loading
from dar_retriever.support.threads import stop_requested

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

_POLL: Final = 0.1


class LocalLanguageModel:
    """A chat model of transformers; see ``LanguageModel`` (extra: local-llm).

    Every token is chosen among those that the answer's schema allows (XGrammar, arXiv 2411.15100),
    so the reply is a JSON object of that form even from a very small model, or the beginning of
    one where ``max_new_tokens`` did not suffice. Decoding is greedy: the same question has the same
    answer. What two questions have in common at their beginning, such as instructions, is read
    once. Calls take turns, and one that nobody waits for any more ends at its next token.

    Args:
        model: Name on the hub such as "Qwen/Qwen3-1.7B", a folder, or a GGUF file (which needs the
            package gguf).
        device: "cuda", "mps" or "cpu"; the best there is by default.
        dtype: "float32", "float16" or "bfloat16"; by device by default.
        max_new_tokens: The longest answer.

    Raises:
        InvalidInputError: ``max_new_tokens`` is not positive, or the device or dtype is unknown.
        MissingExtraError: A package of the extra is not installed.
        ModelLoadError: The model cannot be opened.
    """

    def __init__(
        self,
        model: str | os.PathLike[str],
        *,
        device: str | None = None,
        dtype: str | None = None,
        max_new_tokens: int = 400,
    ) -> None:
        if max_new_tokens < 1:
            raise InvalidInputError(f"max_new_tokens={max_new_tokens}: must be at least 1")
        self._max_new_tokens = max_new_tokens
        self._device = choose_device(device)
        with needs_extra("local-llm"):
            import xgrammar
        with loading("language model", str(model)):
            self._model, self._tokenizer = _opened(
                os.fspath(model), choose_dtype(dtype, self._device), self._device
            )
            vocabulary = xgrammar.TokenizerInfo.from_huggingface(
                self._tokenizer, vocab_size=self._model.config.get_text_config().vocab_size
            )
        self._grammars = xgrammar.GrammarCompiler(vocabulary)
        self._lock = Lock()
        self._read: list[int] = []
        self._memory: Any = None

    def __call__(self, messages: Sequence[Message], schema: type[BaseModel], /) -> str:
        """See ``LanguageModel``.

        Raises:
            LanguageModelError: The messages are longer than the model reads, or nobody waits for
                the answer any more.
        """
        while not self._lock.acquire(timeout=_POLL):
            _require_anybody()
        try:
            return self._answer(self._as_tokens(messages), schema)
        finally:
            self._lock.release()

    def _answer(self, tokens: list[int], schema: type[BaseModel]) -> str:
        import torch
        from transformers import StoppingCriteriaList
        from xgrammar.contrib.hf import LogitsProcessor

        limit = getattr(self._model.config.get_text_config(), "max_position_embeddings", None)
        if limit is not None and len(tokens) + self._max_new_tokens > limit:
            raise LanguageModelError(
                f"the messages have {len(tokens)} tokens; with {self._max_new_tokens} for the "
                f"answer the model reads {limit}"
            )
        grammar = self._grammars.compile_json_schema(schema, any_whitespace=False)
        given = torch.tensor([tokens], device=self._device)
        memory, self._memory = self._remembered(tokens), None
        with torch.inference_mode():
            made = self._model.generate(
                given,
                attention_mask=torch.ones_like(given),
                cache=memory,
                do_sample=False,
                max_new_tokens=self._max_new_tokens,
                logits_processor=[LogitsProcessor(grammar)],
                stopping_criteria=StoppingCriteriaList([_nobody_waits]),
                pad_token_id=self._tokenizer.eos_token_id,
                return_dict_in_generate=True,
            )
        self._read, self._memory = made.sequences[0].tolist(), made.cache
        _require_anybody()
        answer: str = self._tokenizer.decode(self._read[len(tokens) :], skip_special_tokens=True)
        return answer

    def _remembered(self, tokens: list[int]) -> Any:
        """The keys and values of the last call, cut to what this one begins with as well."""
        if self._memory is None:
            return None
        length = self._memory.get_seq_length()
        # The last token of the question is to be read again: the answer follows from it.
        most = min(len(tokens) - 1, length)
        pairs = zip(self._read[:most], tokens[:most], strict=True)
        common = next((n for n, (old, new) in enumerate(pairs) if old != new), most)
        try:
            self._memory.crop(common - length)
        # Not every kind of memory can forget its end.
        except (AttributeError, RuntimeError):
            return None
        return self._memory if common else None

    def _as_tokens(self, messages: Sequence[Message]) -> list[int]:
        text = self._as_text([dict(message) for message in messages])
        # A chat template writes the special tokens itself.
        special = self._tokenizer.chat_template is None
        tokens: list[int] = self._tokenizer(text, add_special_tokens=special)["input_ids"]
        return tokens

    def _as_text(self, messages: list[dict[str, str]]) -> str:
        if self._tokenizer.chat_template is None:
            told = "\n\n".join(f"{m['role'].upper()}: {m['content']}" for m in messages)
            return f"{told}\n\nASSISTANT: "
        from jinja2 import TemplateError

        # Models that think aloud first are told not to; other templates ignore it.
        render: Callable[..., Any] = self._tokenizer.apply_chat_template
        options = {"tokenize": False, "add_generation_prompt": True, "enable_thinking": False}
        try:
            return str(render(messages, **options))
        except TemplateError:
            # Some templates know no system message.
            system, first, *rest = messages
            joined = {"role": "user", "content": f"{system['content']}\n\n{first['content']}"}
            return str(render([joined, *rest], **options))


def _opened(model: str, dtype: Any, device: Any) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    place, options = model, {}
    if model.lower().endswith(".gguf"):
        with needs_extra("local-llm"):
            import gguf  # noqa: F401
        place, options = str(Path(model).parent), {"gguf_file": Path(model).name}
    tokenizer = AutoTokenizer.from_pretrained(place, **options)
    opened = AutoModelForCausalLM.from_pretrained(place, dtype=dtype, **options)
    return opened.to(device).eval(), tokenizer


def _nobody_waits(tokens: Any, *_: Any, **__: Any) -> Any:
    """What transformers asks after every token: whether each of a batch's answers is to end."""
    import torch

    return torch.full((len(tokens),), stop_requested(), device=tokens.device)


def _require_anybody() -> None:
    if stop_requested():
        raise LanguageModelError("nobody waits for the answer any more")
