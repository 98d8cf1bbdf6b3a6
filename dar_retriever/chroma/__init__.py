"""What Chroma takes and raises, and how it is reached: filters, errors, connections."""

from dar_retriever.chroma.connection import Connection, FolderConnection, ServerConnection
from dar_retriever.chroma.failures import chroma_errors
from dar_retriever.chroma.filters import Filter, both, where_of

__all__ = [
    "Connection",
    "Filter",
    "FolderConnection",
    "ServerConnection",
    "both",
    "chroma_errors",
    "where_of",
]
