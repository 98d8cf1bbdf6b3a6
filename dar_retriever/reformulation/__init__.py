"""Dialogue -> caption for the encoder and prompts for the generator."""

from dar_retriever.reformulation.base import Reformulation, Reformulator
from dar_retriever.reformulation.checked import CheckedReformulator
from dar_retriever.reformulation.llm import LLMReformulator
from dar_retriever.reformulation.rules import JoinedTurns, RuleReformulator
from dar_retriever.reformulation.tagged import TaggingReformulator

__all__ = [
    "CheckedReformulator",
    "JoinedTurns",
    "LLMReformulator",
    "Reformulation",
    "Reformulator",
    "RuleReformulator",
    "TaggingReformulator",
]
