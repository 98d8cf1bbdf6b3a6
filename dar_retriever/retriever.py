"""The retriever: a query encoder and an image store together."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import AsyncIterator, Callable, Collection, Generator, Iterator, Sequence
from types import MappingProxyType

import numpy as np

from dar_retriever.conversation.dialogue import Dialogue, DialogueLike
from dar_retriever.encoders.base import Vectors
from dar_retriever.errors import InvalidInputError
from dar_retriever.generation.base import StartingPicture
from dar_retriever.query_encoder import DARQueryEncoder, EncodedQuery
from dar_retriever.ranking.base import Explainer
from dar_retriever.ranking.closeness import Closeness
from dar_retriever.ranking.drawn import searched
from dar_retriever.ranking.ending import Ending
from dar_retriever.ranking.findings import Judges
from dar_retriever.ranking.refining import lacking, shown_in_all
from dar_retriever.ranking.result import SearchResult, noted, with_query, without_hits
from dar_retriever.ranking.second_stage import SecondStage
from dar_retriever.ranking.starting import HitStarts
from dar_retriever.stores.base import SearchableStore, outlines_of
