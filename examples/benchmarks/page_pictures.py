"""Makes the README's pictures of the page anew: opening it, a conversation, and a phone.

    python examples/benchmarks/page_pictures.py [--folder demo-output]

It needs Playwright and a Chromium. The demo's gallery is drawn first where it is missing.
"""

from __future__ import annotations

import argparse
import io
import shutil
from pathlib import Path
from typing import Any, Final

from gradio_dar import Example, create_app, play, serving
from PIL import Image
from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

from dar_retriever.demo.examples import example_turns, opening_examples
from dar_retriever.demo.gallery import picture_name
from dar_retriever.demo.retriever import FOLDER, PRODUCTS, demo_retriever
from dar_retriever.support.images import open_image

HERE: Final = Path(__file__).parent.parent
DESKTOP: Final[ViewportSize] = {"width": 1280, "height": 900}
PHONE: Final[ViewportSize] = {"width": 390, "height": 844}
SAID: Final = (
    "a mug, something with zigzags",
    "purple and black, I think",
    "not on a dark background",
)
FAR: Final = ("a capybara riding a skateboard",)
NAMES: Final = ("chromium", "chromium-browser", "google-chrome", "chrome")


def opened(browser: Browser, address: str, size: ViewportSize, theme: str) -> Page:
    """The page in a window of its own, with its example at the end."""
    page = browser.new_page(viewport=size, reduced_motion="reduce")
    page.set_default_timeout(600_000)
    page.goto(f"{address}?__theme={theme}")
    page.locator("#hits [data-hit] img").first.wait_for()
    return page


def talk(page: Page, said: tuple[str, ...]) -> None:
    """Say something, turn by turn, and wait for the drawings of each."""
    box = page.locator("#message textarea")
    for turn, text in enumerate(said, 1):
        box.fill(text)
        box.press("Enter")
        page.locator(f'#hits [data-turn="{turn}"][data-state=final]').wait_for()
    page.mouse.move(5, 5)


def shoot(page: Page, name: str) -> None:
    """Write a picture of what is in view."""
    page.wait_for_timeout(1500)
    image = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    image.save(HERE / name, quality=84, optimize=True)
    page.close()


def main() -> None:
    """Write app-opening.jpg, app-page.jpg and app-phone.jpg."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path(FOLDER))
    parser.add_argument("--products", type=int, default=PRODUCTS)
    options = parser.parse_args()
    demo = demo_retriever(options.folder, options.products)
    gallery = options.folder / "gallery"
    examples = [
        Example.of(each.text, open_image(gallery / picture_name(each.number)))
        for each in opening_examples()
    ]
    app: Any = create_app(demo, examples=examples, scenes=play(demo, example_turns()))
    path = next(filter(None, map(shutil.which, NAMES)), None)
    with serving(app, port=0) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        shoot(opened(browser, address, DESKTOP, "light"), "app-opening.jpg")
        page = opened(browser, address, DESKTOP, "light")
        talk(page, SAID)
        shoot(page, "app-page.jpg")
        page = opened(browser, address, PHONE, "dark")
        talk(page, FAR)
        shoot(page, "app-phone.jpg")
        browser.close()


if __name__ == "__main__":
    main()
