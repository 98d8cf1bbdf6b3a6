"""Indexing on many machines, as a Ray Data job."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from dar_retriever.encoders.base import JointEncoder
from dar_retriever.errors import IngestError, InvalidInputError
from dar_retriever.ingest.files import FolderState, Listed, Source, files_of
from dar_retriever.ingest.pipeline import Options, run, said_of
from dar_retriever.ingest.report import IngestReport, LeftOut, Progress
from dar_retriever.stores.base import FillableStore, has_parts
from dar_retriever.stores.hits import Metadata
from dar_retriever.support.extras import needs_extra


def ingest_on_ray(
    source: Source,
    open_store: Callable[[JointEncoder], FillableStore],
    open_encoder: Callable[[], JointEncoder],
    *,
    metadata: Mapping[str, Metadata] | None = None,
    workers: int = 2,
    cpus: float = 1,
    gpus: float = 0,
    files_per_task: int = 512,
    batch_size: int = 64,
    progress: Progress | None = None,
) -> IngestReport:
    """Like ``ingest``, on a Ray cluster, or on this machine if no cluster is connected.

    Each worker opens the encoder and the store once. Then it ingests some hundred files at a time,
    the way ``ingest`` does on one machine. Ray hands out the files and restarts a worker that died;
    the images that it had stored are skipped then.

    Args:
        source: A folder or a list of files. Every machine must see them under the same path.
        open_store: Opens the store in each worker, such as
            ``lambda encoder: ImageStore.on_server(encoder, "chroma.example", 8000)``. Use a server,
            because only one process at a time can write to a folder.
        open_encoder: Opens the encoder in each worker.
        metadata: See ``ingest``.
        workers: Number of processes.
        cpus: Cores per worker.
        gpus: GPUs per worker, such as 1 or 0.5.
        files_per_task: Number of files handed out at once.
        batch_size: See ``ingest``.
        progress: Called with the number of files done and of all files.

    Returns:
        The sum of the workers' reports. If two workers store copies of a picture at the same
        moment, it is stored once and counted twice.

    Raises:
        MissingExtraError: Ray is not installed.
        IngestError: The folder is missing or holds no images, or a worker failed.
        InvalidInputError: ``workers``, ``files_per_task`` or ``batch_size`` is below 1.
    """
    if min(workers, files_per_task, batch_size) < 1:
        raise InvalidInputError(
            f"workers={workers}, files_per_task={files_per_task}, batch_size={batch_size}: "
            "at least 1 each"
        )
    with needs_extra("ray"):
        import ray.data
    files = files_of(source)
    said, began = said_of(files, metadata), time.monotonic()
    within = str(files.path) if isinstance(files, FolderState) else None
    report = IngestReport(left_out=list(files.left_out), remarks=list(said.remarks))
    report.passed_over = dict(files.passed_over)
    handed_out = [
        {"file": str(state.path), "metadata": said.of(key)} for key, state in files.files.items()
    ]
    done, total = len(report.left_out), len(report.left_out) + len(handed_out)
    # As text, because in Ray's Arrow tables all metadata would get the same fields.
    tasks = [
        json.dumps(handed_out[start : start + files_per_task])
        for start in range(0, len(handed_out), files_per_task)
    ]
    parts = ray.data.from_items(
        [{"task": task} for task in tasks], override_num_blocks=max(1, len(tasks))
    ).map(
        _Worker,
        fn_constructor_args=(open_store, open_encoder, batch_size, within),
        compute=ray.data.ActorPoolStrategy(size=workers),
        num_cpus=cpus,
        num_gpus=gpus,
    )
    for row in _rows(parts):
        part = json.loads(row["report"])
        left_out = [LeftOut(**entry) for entry in part.pop("left_out")]
        uncaptioned = [LeftOut(**entry) for entry in part.pop("uncaptioned")]
        report.include(IngestReport(**part, left_out=left_out, uncaptioned=uncaptioned))
        done += row["files"]
        if progress is not None:
            progress(done, total)
    report.seconds = time.monotonic() - began
    return report


def _rows(parts: Any) -> Iterator[dict[str, Any]]:
    import ray.exceptions

    try:
        yield from parts.iter_rows()
    except ray.exceptions.RayError as error:
        # The last line is the worker's error; the lines before it are Ray's own traceback.
        reason = str(error).strip().splitlines()[-1]
        raise IngestError(
            f"a Ray worker failed ({reason[:300]}); finished files are stored: mend it and go on"
        ) from error


class _Worker:
    """A worker process with its encoder and store."""

    def __init__(
        self,
        open_store: Callable[[JointEncoder], FillableStore],
        open_encoder: Callable[[], JointEncoder],
        batch_size: int,
        within: str | None,
    ) -> None:
        self._encoder = open_encoder()
        self._store = open_store(self._encoder)
        self._batch_size = batch_size
        self._within = None if within is None else Path(within)

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        entries = json.loads(row["task"])
        metadata = {entry["file"]: entry["metadata"] for entry in entries}
        # Metadata are known for all files or for none.
        known = None if None in metadata.values() else metadata
        options = Options(
            known,
            batch_size=self._batch_size,
            within=self._within,
            parts=has_parts(self._store),
        )
        report = run(Listed.of(list(metadata)), self._store, self._encoder, options)
        return {"report": json.dumps(asdict(report)), "files": len(entries)}
