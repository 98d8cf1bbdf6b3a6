"""Line drawings are told from everything else, and brought to one form with outlines."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from files_of_images import photograph
from PIL import Image, ImageDraw, ImageFilter, ImageOps

from dar_retriever.support.images import open_image
from dar_retriever.support.line_drawings import is_line_drawing, outline, strokes
from dar_retriever.support.thinning import thinned


@pytest.fixture(scope="module")
def products(gallery_folder: Path) -> list[Image.Image]:
    return [open_image(path) for path in sorted(gallery_folder.glob("*.jpg"))[:10]]


def edges(image: Image.Image) -> Image.Image:
    found = ImageOps.grayscale(image).filter(ImageFilter.FIND_EDGES)
    return ImageOps.autocontrast(ImageOps.invert(found)).convert("RGB")


def pen(image: Image.Image, ink: str = "black", paper: str = "white") -> Image.Image:
    """Thick lines where colours meet, a little apart from where they are."""
    levels = np.asarray(ImageOps.grayscale(image), float)
    found = np.hypot(*np.gradient(levels)) > 8
    lines = Image.fromarray(np.where(found, 255, 0).astype(np.uint8))
    lines = lines.filter(ImageFilter.MaxFilter(3)).rotate(3, translate=(2, -3))
    return Image.composite(
        Image.new("RGB", image.size, ink), Image.new("RGB", image.size, paper), lines
    )


def pencil(image: Image.Image) -> Image.Image:
    """Soft grey lines on paper with a grain."""
    lines = np.asarray(edges(image).filter(ImageFilter.GaussianBlur(1)), float) / 255
    grain = np.random.default_rng(0).normal(0, 3, lines.shape)
    return Image.fromarray((120 + 110 * lines**2 + grain).clip(0, 255).astype(np.uint8))


def on_white(image: Image.Image) -> Image.Image:
    """A product cut out: its background, as far as it is of one colour, becomes white."""
    cut = image.copy()
    for corner in ((0, 0), (image.width - 1, 0)):
        ImageDraw.floodfill(cut, corner, (255, 255, 255), thresh=60)
    return cut


DRAWN: dict[str, Callable[[Image.Image], Image.Image]] = {
    "edges": edges,
    "pen": pen,
    "blue pen on cream": lambda image: pen(image, "#2040a0", "#fdf6e3"),
    "pencil": pencil,
    "large": lambda image: pen(image).resize((1200, 1200)),
}
OTHER: dict[str, Callable[[Image.Image], Image.Image]] = {
    "product": lambda image: image,
    "on white": on_white,
    "thumbnail": lambda image: image.resize((32, 32)),
    "grey": lambda image: ImageOps.grayscale(image).convert("RGB"),
    "grey on white": lambda image: ImageOps.grayscale(on_white(image)).convert("RGB"),
    "painting": lambda image: ImageOps.posterize(image.filter(ImageFilter.MedianFilter(5)), 3),
    "negative": lambda image: ImageOps.invert(pen(image)),
}


@pytest.mark.parametrize("kind", DRAWN)
def test_line_drawings_are_recognised(products: list[Image.Image], kind: str):
    missed = [n for n, image in enumerate(products) if not is_line_drawing(DRAWN[kind](image))]

    assert len(missed) <= 1, missed


@pytest.mark.parametrize("kind", OTHER)
def test_nothing_else_is_taken_for_one(products: list[Image.Image], kind: str):
    assert not [n for n, image in enumerate(products) if is_line_drawing(OTHER[kind](image))]


@pytest.mark.parametrize("colour", ["white", "black", "red"])
def test_empty_paper_and_photographs_are_none(colour: str):
    assert not is_line_drawing(Image.new("RGB", (200, 100), colour))
    assert not is_line_drawing(photograph(3, (200, 150)))


def darkness(image: Image.Image) -> np.ndarray:
    assert image.size == (128, 128)
    assert image.mode == "RGB"
    return 255 - np.asarray(image)[..., 0].astype(float)


def alike(one: Image.Image, other: Image.Image) -> float:
    """Correlation of two images that are blurred, as lines never meet exactly."""
    soft = [np.ravel(darkness(e.filter(ImageFilter.GaussianBlur(2)))) for e in (one, other)]
    return float(np.corrcoef(*soft)[0, 1])


@pytest.mark.parametrize("kind", ["edges", "pen", "blue pen on cream", "large"])
def test_a_drawing_comes_nearest_to_the_outline_of_its_own_picture(
    products: list[Image.Image], kind: str
):
    some = products[:8]
    outlines = [outline(image) for image in some]
    drawn = [strokes(DRAWN[kind](image)) for image in some]
    nearest = [int(np.argmax([alike(each, one) for one in outlines])) for each in drawn]

    assert sum(n == place for place, n in enumerate(nearest)) >= 7


def test_lines_are_as_thick_whatever_drew_them():
    picture = Image.new("RGB", (400, 400), "#70c0a0")
    ImageDraw.Draw(picture).rectangle((100, 100, 300, 300), "#c07090")
    shares = [(darkness(outline(picture)) > 0).mean()]
    for width in (2, 6, 16):
        drawing = Image.new("RGB", (400, 400), "white")
        ImageDraw.Draw(drawing).rectangle((100, 100, 300, 300), outline="black", width=width)
        shares.append((darkness(strokes(drawing)) > 0).mean())

    # Four sides of 64 pixels, three pixels thick.
    assert np.allclose(shares, 4 * 64 * 3 / 128**2, rtol=0.1)


def test_edges_between_colours_of_the_same_brightness_count():
    picture = Image.new("RGB", (128, 128), (200, 0, 0))
    picture.paste((0, 102, 0), (32, 32, 96, 96))
    assert np.ptp(np.asarray(ImageOps.grayscale(picture))) <= 1

    assert (darkness(outline(picture)) > 0).any()


def test_a_frame_around_a_drawing_is_not_drawn():
    framed = ImageOps.expand(Image.new("RGB", (250, 250), "white"), 3, "black")

    assert not darkness(strokes(framed)).any()


def test_pictures_without_an_edge_have_an_empty_outline():
    assert not darkness(outline(Image.new("RGB", (1, 900), "red"))).any()


def test_thinned_lines_are_one_pixel_wide_and_as_connected():
    cross = np.zeros((40, 40), bool)
    cross[18:23, 4:36] = cross[4:36, 18:23] = True
    lines = thinned(cross)

    assert not (lines & ~cross).any()
    assert not (lines[:-1, :-1] & lines[1:, :-1] & lines[:-1, 1:] & lines[1:, 1:]).any()
    assert lines[20, 8:32].all()
    assert lines[8:32, 20].all()
