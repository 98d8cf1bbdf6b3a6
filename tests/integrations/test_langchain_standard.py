"""LangChain's own standard suites, as they are."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.tools import BaseTool
from langchain_dar import DARRetriever, ImageEmbeddings, create_image_search_tool
from langchain_tests.integration_tests import (
    EmbeddingsIntegrationTests,
    RetrieversIntegrationTests,
    ToolsIntegrationTests,
)
from langchain_tests.unit_tests import ToolsUnitTests

from dar_retriever import DiffusionAugmentedRetriever


class WithDemo:
    """Gives a suite the demo preset over its gallery."""

    demo: DiffusionAugmentedRetriever

    @pytest.fixture(autouse=True)
    def _open(self, demo: DiffusionAugmentedRetriever) -> None:
        type(self).demo = demo


class TestRetriever(WithDemo, RetrieversIntegrationTests):
    @property
    def retriever_constructor(self) -> type[DARRetriever]:
        return DARRetriever

    @property
    def retriever_constructor_params(self) -> dict[str, Any]:
        return {"retriever": self.demo}

    @property
    def retriever_query_example(self) -> str:
        return "a red mug with white dots"


class TestEmbeddings(WithDemo, EmbeddingsIntegrationTests):
    @property
    def embeddings_class(self) -> type[ImageEmbeddings]:
        return ImageEmbeddings

    @property
    def embedding_model_params(self) -> dict[str, Any]:
        return {"encoder": self.demo.query_encoder.encoder}


class WithTool(WithDemo):
    @property
    def tool_constructor(self) -> BaseTool:
        return create_image_search_tool(DARRetriever(retriever=self.demo))

    @property
    def tool_invoke_params_example(self) -> dict[str, Any]:
        return {"request": "a red mug", "k": 3}


class TestToolUnit(WithTool, ToolsUnitTests):
    pass


class TestToolIntegration(WithTool, ToolsIntegrationTests):
    pass
