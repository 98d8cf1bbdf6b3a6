"""Connections to Chroma, and its errors."""

from dar_retriever.stores.chroma.connection import Connection, FolderConnection, ServerConnection
from dar_retriever.stores.chroma.failures import chroma_errors

__all__ = [
    "Connection",
    "FolderConnection",
    "ServerConnection",
    "chroma_errors",
]
