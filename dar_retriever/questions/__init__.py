"""Asking back: questions whose answers narrow the candidates down."""

from dar_retriever.questions.base import (
    Agreement,
    NoQuestions,
    Question,
    Questioner,
    ask_back,
    question_as_json,
    with_agreement,
)
from dar_retriever.questions.facets import FacetQuestions
from dar_retriever.questions.llm import LLMQuestions
from dar_retriever.questions.naming import (
    FacetName,
    ResultNamer,
    ResultNames,
    names_as_json,
    with_names,
)

__all__ = [
    "Agreement",
    "FacetName",
    "FacetQuestions",
    "LLMQuestions",
    "NoQuestions",
    "Question",
    "Questioner",
    "ResultNamer",
    "ResultNames",
    "ask_back",
    "names_as_json",
    "question_as_json",
    "with_agreement",
    "with_names",
]
