"""Image stores on other engines than Chroma, opened by address."""

from dar_retriever.stores.engines.address import (
    ENGINES,
    is_engine,
    is_for_one_process,
    open_engine,
)
from dar_retriever.stores.engines.base import Codes, Engine, Row
from dar_retriever.stores.engines.store import AddressStore

__all__ = [
    "ENGINES",
    "AddressStore",
    "Codes",
    "Engine",
    "Row",
    "is_engine",
    "is_for_one_process",
    "open_engine",
]
