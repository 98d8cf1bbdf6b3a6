"""Indexing: files -> vectors -> image store, with reading, encoding and writing overlapped."""

from dar_retriever.ingest.in_memory import ingest_images
from dar_retriever.ingest.in_step import ingest, sync
from dar_retriever.ingest.metadata import METADATA_FILE
from dar_retriever.ingest.migration import MigrationReport, migrate
from dar_retriever.ingest.ray_job import ingest_on_ray
from dar_retriever.ingest.report import IngestReport, LeftOut
from dar_retriever.ingest.texts import ingest_texts
from dar_retriever.ingest.watching import watch

__all__ = [
    "METADATA_FILE",
    "IngestReport",
    "LeftOut",
    "MigrationReport",
    "ingest",
    "ingest_images",
    "ingest_on_ray",
    "ingest_texts",
    "migrate",
    "sync",
    "watch",
]
