"""A store as a file that other programs read: JSON lines or Parquet, with the vectors."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import chain, islice
from pathlib import Path
from typing import Any, Final

import numpy as np

from dar_retriever.encoders.base import JointEncoder
from dar_retriever.errors import EncoderMismatchError, InvalidInputError, StoreError
from dar_retriever.stores.base import WholeStore
from dar_retriever.stores.copies import record_of_text
from dar_retriever.stores.entry_parts import EntryPart, StoredPart
from dar_retriever.stores.hits import StoredImage
from dar_retriever.stores.upkeep.copying import images_of
from dar_retriever.stores.upkeep.recorded import RecordedEncoder
from dar_retriever.support.extras import needs_extra

_FORMAT: Final = "dar-store"
_VERSION: Final = 1
_AT_ONCE: Final = 500
# In Parquet, columns of JSON texts.
_JSON: Final = ("metadata", "record", "parts")
_TABLE: Final = ".parquet"
_LINES: Final = ".jsonl"


def export_store(store: WholeStore, file: str | Path) -> int:
    """Write all images of a store, without their files, into a file; returns how many.

    Each row holds "id", "vector", "uri", "caption", "metadata" and "record" (what a sync remembers
    of the files) and "parts". In JSON lines, the first line tells of the store; in Parquet, the
    schema's metadata does, and metadata, record and parts are JSON texts.

    Args:
        store: The store.
        file: The file; its suffix, .jsonl or .parquet, chooses the format. It replaces one that is
            there, once it is complete.

    Raises:
        InvalidInputError: The suffix is another one.
        MissingExtraError: Parquet needs pyarrow (extra: parquet).
        StoreError: The file cannot be written.
    """
    path = Path(file)
    write = {_LINES: _write_lines, _TABLE: _write_table}.get(path.suffix.lower())
    if write is None:
        raise _unknown(path)
    header = {
        "format": _FORMAT,
        "version": _VERSION,
        "encoder": store.encoder_name,
        "fingerprint": store.fingerprint,
        "dimension": store.width,
        "roots": dict(store.roots.folders),
    }
    partial = path.with_name(f"{path.name}.partial")
    try:
        count = write(partial, header, images_of(store))
        partial.replace(path)
    except OSError as error:
        with suppress(OSError):
            partial.unlink()
        raise StoreError(f"{str(path)!r} cannot be written ({error}); name another") from error
    return count


def exported_encoder(file: str | Path) -> JointEncoder:
    """The encoder whose vectors an exported file holds.

    Raises:
        InvalidInputError: The file is no export, or is broken.
        MissingExtraError: Parquet needs pyarrow (extra: parquet).
    """
    with _readable(Path(file)) as (header, _):
        return RecordedEncoder(header["encoder"], header["fingerprint"], header["dimension"])


def import_store(file: str | Path, store: WholeStore) -> int:
    """Store all images of an exported file; returns how many. Nothing is encoded.

    Raises:
        InvalidInputError: The file is no export, or is broken.
        EncoderMismatchError: Another encoder made its vectors.
        MissingExtraError: Parquet needs pyarrow (extra: parquet).
        StoreError: The store cannot be written to.
    """
    with _readable(Path(file)) as (header, rows):
        if header["fingerprint"] != store.fingerprint:
            raise EncoderMismatchError(
                f"{str(file)!r} holds vectors of {header['encoder']!r}, the store is of "
                f"{store.encoder_name!r}; import it into a store of that encoder"
            )
        for name, folder in header["roots"].items():
            store.keep_root(name, folder)
        return _filled(store, rows)


@contextmanager
def _readable(path: Path) -> Iterator[tuple[dict[str, Any], Iterator[dict[str, Any]]]]:
    read = {_LINES: _read_lines, _TABLE: _read_table}.get(path.suffix.lower())
    if read is None:
        raise _unknown(path)
    try:
        header, rows = read(path)
        if not isinstance(header, dict) or header.get("format") != _FORMAT:
            raise InvalidInputError(
                f"{str(path)!r} is no export of a store; make one with 'dar store export'"
            )
        yield header, rows
    # Broken JSON, missing fields, bytes that are no text, no such file.
    except (OSError, KeyError, TypeError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InvalidInputError(
            f"{str(path)!r} cannot be read ({type(error).__name__}: {error}); export it again"
        ) from error


def _filled(store: WholeStore, rows: Iterable[Mapping[str, Any]]) -> int:
    count, page = 0, []
    for row in chain(rows, [None]):
        if row is not None:
            page.append(_image_of(row))
        if page and (row is None or len(page) == _AT_ONCE):
            store.add(page)
            count, page = count + len(page), []
    return count


def _row_of(image: StoredImage) -> dict[str, Any]:
    return {
        "id": image.id,
        "vector": [float(number) for number in image.vector],
        "uri": image.uri,
        "caption": image.caption,
        "metadata": dict(image.metadata),
        "record": None if image.record is None else json.loads(image.record.as_text()),
        "parts": [
            {"part": stored.part.as_text(), "vector": [float(each) for each in stored.vector]}
            for stored in image.parts
        ],
    }


def _image_of(row: Mapping[str, Any]) -> StoredImage:
    record = row["record"]
    return StoredImage(
        row["id"],
        np.asarray(row["vector"], np.float32),
        row["uri"],
        row["caption"],
        row["metadata"],
        None if record is None else record_of_text(row["id"], json.dumps(record)),
        # Files of earlier versions hold none.
        [
            StoredPart(EntryPart.of_text(each["part"]), np.asarray(each["vector"], np.float32))
            for each in row.get("parts", ())
        ],
    )


def _write_lines(path: Path, header: Mapping[str, Any], pages: Iterable[list[StoredImage]]) -> int:
    count = 0
    with path.open("w", encoding="utf-8") as file:
        file.write(json.dumps(header) + "\n")
        for image in chain.from_iterable(pages):
            file.write(json.dumps(_row_of(image)) + "\n")
            count += 1
    return count


def _read_lines(path: Path) -> tuple[Any, Iterator[dict[str, Any]]]:
    with path.open(encoding="utf-8") as lines:
        header = json.loads(lines.readline() or "{}")

    def rows() -> Iterator[dict[str, Any]]:
        with path.open(encoding="utf-8") as lines:
            yield from (json.loads(line) for line in islice(lines, 1, None) if line.strip())

    return header, rows()


def _write_table(path: Path, header: Mapping[str, Any], pages: Iterable[list[StoredImage]]) -> int:
    with needs_extra("parquet"):
        import pyarrow as pa
        import pyarrow.parquet as pq

    texts = [(name, pa.string()) for name in ("id", "uri", "caption", *_JSON)]
    fields = [*texts, ("vector", pa.list_(pa.float32()))]
    schema = pa.schema(fields, {_FORMAT: json.dumps(header)})
    count = 0
    with pq.ParquetWriter(path, schema) as writer:
        for page in pages:
            rows = [_row_of(image) for image in page]
            for row in rows:
                row |= {name: json.dumps(row[name]) for name in _JSON}
            writer.write_table(pa.Table.from_pylist(rows, schema))
            count += len(rows)
    return count


def _read_table(path: Path) -> tuple[Any, Iterator[dict[str, Any]]]:
    with needs_extra("parquet"):
        import pyarrow as pa
        import pyarrow.parquet as pq

    try:
        table = pq.ParquetFile(path)
    except pa.ArrowInvalid as error:
        raise OSError(str(error)) from error
    metadata = table.schema_arrow.metadata or {}
    header = json.loads(metadata.get(_FORMAT.encode(), b"{}"))

    def rows() -> Iterator[dict[str, Any]]:
        for batch in table.iter_batches(_AT_ONCE):
            for row in batch.to_pylist():
                decoded = {name: json.loads(row[name]) for name in _JSON if name in row}
                yield row | decoded

    return header, rows()


def _unknown(path: Path) -> InvalidInputError:
    return InvalidInputError(f"{str(path)!r}: name a file that ends in {_LINES} or {_TABLE}")
