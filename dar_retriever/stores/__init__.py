"""Image stores: Chroma, and other vector engines through an adapter."""

from dar_retriever.stores.base import (
    DescribedStore,
    FillableStore,
    PartStore,
    SearchableStore,
    StoreOpener,
    WholeStore,
)
from dar_retriever.stores.engine import EngineStore, Record
from dar_retriever.stores.engines import AddressStore
from dar_retriever.stores.fields import Field, fields_in
from dar_retriever.stores.filters import filter_parts, matches, predicate
from dar_retriever.stores.moving import MovingStore
from dar_retriever.stores.near_duplicates import without_near_duplicates
from dar_retriever.stores.spaces import SpaceMap
from dar_retriever.stores.vector_text import is_vector_text, text_of, vector_of

__all__ = [
    "AddressStore",
    "DescribedStore",
    "EngineStore",
    "Field",
    "FillableStore",
    "MovingStore",
    "PartStore",
    "Record",
    "SearchableStore",
    "SpaceMap",
    "StoreOpener",
    "WholeStore",
    "fields_in",
    "filter_parts",
    "is_vector_text",
    "matches",
    "predicate",
    "text_of",
    "vector_of",
    "without_near_duplicates",
]
