"""What is said of pictures, in the forms in which people keep it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from files_of_images import animated, encoded, photograph, save_photographs, write_lines
from ingest_child import ENCODER
from PIL import ExifTags, Image

from dar_retriever import Hit, ImageStore, IngestError, IngestReport, ingest, sync

VECTOR = np.ones(ENCODER.dimension, np.float32)


@pytest.fixture
def store() -> ImageStore:
    return ImageStore.in_memory(ENCODER)


@pytest.fixture
def run(store: ImageStore, tmp_path: Path) -> Callable[..., IngestReport]:
    """Ingests the folder."""
    return lambda **options: ingest(tmp_path, store, ENCODER, **options)


def hits(store: ImageStore) -> dict[str, Hit]:
    return {Path(hit.uri).name: hit for hit in store.get(store.vectors()[0])}


def test_metadata_in_subfolders_name_files_from_there(
    run: Callable[..., IngestReport], store: ImageStore, tmp_path: Path
) -> None:
    save_photographs(tmp_path / "train", 2)
    write_lines(tmp_path / "train", {"file_name": "000.png", "caption": "inner"})
    write_lines(tmp_path, {"file_name": "train/000.png", "caption": "outer"})
    with (tmp_path / "metadata.jsonl").open("a") as file:
        file.write('{"file_name": "train/001.png", "caption": "outer"}\n')
    assert run().remarks == []
    assert {name: hit.caption for name, hit in hits(store).items()} == {
        "000.png": "inner",
        "001.png": "outer",
    }


def test_a_table_is_read_with_its_types(
    run: Callable[..., IngestReport], store: ImageStore, tmp_path: Path
) -> None:
    save_photographs(tmp_path, 2)
    (tmp_path / "metadata.csv").write_text(
        "file_name,caption,price,weight,sold,zip,note\r\n"
        '000.png,"a dog, ""Rex""\nin two lines",30,1.5,true,00123,\r\n'
        "001.png,42,40,2,False,1,x\r\n",
        encoding="utf-8-sig",
    )
    report = run()
    assert (report.added, report.remarks, report.passed_over) == (2, [], {})
    first, second = hits(store)["000.png"], hits(store)["001.png"]
    assert first.caption == 'a dog, "Rex"\nin two lines'
    told = {"price": 30, "weight": 1.5, "sold": True, "zip": "00123"}
    assert {name: first.metadata.get(name) for name in told} == told
    assert "note" not in first.metadata
    assert (second.caption, second.metadata["weight"], second.metadata["zip"]) == ("42", 2.0, "1")
    assert [hit.id for hit in store.search(VECTOR, 9, {"price": {"$lt": 35}})] == [first.id]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-8"])
def test_text_of_other_encodings_is_read(
    encoding: str, run: Callable[..., IngestReport], store: ImageStore, tmp_path: Path
) -> None:
    save_photographs(tmp_path, 1)
    line = '{"file_name": "000.png", "caption": "größer 写真"}\n'
    (tmp_path / "metadata.jsonl").write_text(line, encoding=encoding)
    run()
    assert hits(store)["000.png"].caption == "größer 写真"


def test_text_of_no_encoding_is_named(run: Callable[..., IngestReport], tmp_path: Path) -> None:
    save_photographs(tmp_path, 1)
    (tmp_path / "metadata.jsonl").write_bytes(b'{"file_name": "000.png", "caption": "gr\xf6"}')
    with pytest.raises(IngestError, match=r"metadata\.jsonl: cannot be read .*UTF-8"):
        run()


def test_names_may_be_written_in_other_ways(
    run: Callable[..., IngestReport], store: ImageStore, tmp_path: Path
) -> None:
    (tmp_path / "sub").mkdir()
    composed, decomposed = "caf\u00e9.png", "u\u0308ber.png"
    for number, name in enumerate([f"sub/{composed}", decomposed, "sub/a.png"]):
        photograph(number, (24, 16)).save(tmp_path / name)
    write_lines(
        tmp_path,
        {"file_name": "sub/cafe\u0301.png", "caption": "one"},
        {"file_name": "\u00fcber.png", "caption": "two"},
        {"file_name": "sub\\a.png", "caption": "three"},
    )
    assert run().remarks == []
    assert sorted(hit.caption for hit in hits(store).values()) == ["one", "three", "two"]


def test_entries_that_name_no_file_are_named(
    run: Callable[..., IngestReport], tmp_path: Path
) -> None:
    save_photographs(tmp_path, 1)
    write_lines(tmp_path, *({"file_name": f"no-{n}.png"} for n in range(5)))
    [remark] = run().remarks
    assert remark.endswith(
        "metadata.jsonl: 5 entries name no image there: 'no-0.png', 'no-1.png', 'no-2.png', ..."
    )


def test_what_cannot_be_kept_is_named_with_its_line(
    run: Callable[..., IngestReport], store: ImageStore, tmp_path: Path
) -> None:
    save_photographs(tmp_path, 1)
    line = '{"file_name": "000.png", "n": NaN, "uri": "x", "good": 1, "caption": ["a", "b"]}\n'
    (tmp_path / "metadata.jsonl").write_text(line)
    report = run()
    assert report.added == 1
    assert [remark.split(": ", 1)[1] for remark in report.remarks] == [
        "the metadata field 'n' is left out: not finite; leave the field out, or give None",
        "the metadata field 'uri' is left out: the name is reserved; use another",
    ]
    hit = hits(store)["000.png"]
    assert (hit.caption, hit.metadata["good"]) == ("a / b", 1)


def taken(year: int) -> Image.Exif:
    exif = Image.Exif()
    exif[ExifTags.Base.Make], exif[ExifTags.Base.Model] = "Apple", "iPhone 15"
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = f"{year}:07:04 15:30:07"
    gps = {1: "N", 2: (41.0, 53.0, 24.8), 3: "E", 4: (12.0, 29.0, 32.3)}
    exif.get_ifd(ExifTags.IFD.GPSInfo).update(gps)
    return exif


def test_what_the_camera_wrote_can_be_filtered_by(store: ImageStore, tmp_path: Path) -> None:
    for year in (2018, 2019, 2020):
        photograph(year, (24, 16)).save(tmp_path / f"{year}.jpg", exif=taken(year))
    write_lines(tmp_path, {"file_name": "2020.jpg", "taken": 20210101})
    ingest(tmp_path, store, ENCODER)
    where = {"taken": {"$gte": 20190101, "$lt": 20200101}, "camera": "Apple iPhone 15"}
    assert [Path(hit.uri).name for hit in store.search(VECTOR, 9, where)] == ["2019.jpg"]
    # Who says otherwise is believed.
    assert [Path(h.uri).name for h in store.search(VECTOR, 9, {"taken": 20210101})] == ["2020.jpg"]
    assert "latitude" not in store.fields()
    for options, expected in (({"exif": False}, False), ({"location": True}, True)):
        other = ImageStore.in_memory(ENCODER)
        sync(tmp_path, other, ENCODER, **options)
        assert ("latitude" in other.fields()) is expected
        assert ("camera" in other.fields()) is expected


def test_forms_that_phones_write_are_indexed(
    run: Callable[..., IngestReport], store: ImageStore, tmp_path: Path
) -> None:
    pillow_heif.register_heif_opener()
    names = ["a.heic", "b.HEIF", "c.jfif", "d.jpe", "e.mpo", "f", "g.apng"]
    kinds = ["HEIF", "HEIF", "JPEG", "JPEG", "JPEG", "JPEG", "PNG"]
    for number, (name, kind) in enumerate(zip(names, kinds, strict=True)):
        (tmp_path / name).write_bytes(encoded(photograph(number, (24, 16)), kind))
    (tmp_path / "h.gif").write_bytes(animated("GIF"))
    for name in ("film.mov", "raw.CR2", "raw2.cr2", "Thumbs.db", "README"):
        (tmp_path / name).write_bytes(b"something else")
    report = run()
    assert (report.added, report.left_out) == (8, [])
    assert report.passed_over == {".cr2": 2, ".db": 1, ".mov": 1, "no suffix": 1}
    assert hits(store)["h.gif"].metadata["animated"] is True
    assert "animated" not in hits(store)["a.heic"].metadata
