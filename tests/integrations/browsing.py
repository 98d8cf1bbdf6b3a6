"""The page in a real browser: a server, a headless Chromium, and what a person does there."""

from __future__ import annotations

import base64
import io
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import gradio as gr
import pytest
from gradio_dar import serving
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, ViewportSize, sync_playwright

DESKTOP: Final[ViewportSize] = {"width": 1280, "height": 900}
PHONE: Final[ViewportSize] = {"width": 390, "height": 844}
WIDE: Final[ViewportSize] = {"width": 1920, "height": 1080}
# Most of it is other work on the same cores.
PATIENCE: Final = 60_000
_NAMES: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_OPTIONS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
# What Lighthouse reports of a page: milliseconds, and shares of the window that moved.
_MEASURE: Final = """
window.figures = {paint: 0, shift: 0, delay: 0};
let first = 0, last = 0, moved = 0;
const noting = (type, note) => new PerformanceObserver(
  (list) => list.getEntries().forEach(note)).observe({type, buffered: true});
noting('paint', (entry) => { window.figures.paint = entry.startTime; });
noting('layout-shift', (entry) => {
  if (entry.hadRecentInput) return;
  // What moves within a second counts together, for five seconds at most.
  const begins = entry.startTime - last > 1000 || entry.startTime - first > 5000;
  if (begins) [first, moved] = [entry.startTime, 0];
  [last, moved] = [entry.startTime, moved + entry.value];
  window.figures.shift = Math.max(window.figures.shift, moved);
});
noting('event', (entry) => {
  window.figures.delay = Math.max(window.figures.delay, entry.processingStart - entry.startTime);
});
"""
# Notes when the hits change their state, in milliseconds.
_WATCH: Final = """
window.states = [];
new MutationObserver(() => {
  const hits = document.querySelector('#hits [data-state]');
  if (!hits) return;
  const state = `${hits.dataset.turn} ${hits.dataset.state}`;
  const last = window.states.at(-1);
  if (!last || last[0] !== state) window.states.push([state, performance.now()]);
}).observe(document, {subtree: true, childList: true, attributes: true});
"""
_PARTS: Final = """
[...document.querySelectorAll('.dar-chip')].map((chip) =>
  [...chip.querySelectorAll('.dar-no, .dar-phrase')].map((part) => part.innerText).join(' '))
"""
_HAND_OVER: Final = """
(box, [kind, content]) => {
  const bytes = Uint8Array.from(atob(content), (c) => c.charCodeAt(0));
  const data = new DataTransfer();
  data.items.add(new File([bytes], 'mine.png', {type: 'image/png'}));
  const options = {bubbles: true, cancelable: true};
  if (kind === 'paste') {
    box.dispatchEvent(new ClipboardEvent('paste', {...options, clipboardData: data}));
  } else {
    for (const name of ['dragenter', 'dragover', 'drop'])
      box.dispatchEvent(new DragEvent(name, {...options, dataTransfer: data}));
  }
}
"""


@contextmanager
def served(app: gr.Blocks) -> Iterator[str]:
    """The address of a page that is served until the end of the block."""
    with serving(app, port=0) as address:
        yield address.rstrip("/")


class Person:
    """Somebody with a browser window of their own, who keeps to the page's address."""

    def __init__(self, page: Page, address: str) -> None:
        self.page = page
        self.elsewhere: list[str] = []
        self.troubles: list[str] = []
        page.set_default_timeout(PATIENCE)
        origin = re.split("/[?#]", address)[0]
        page.on("request", lambda request: self._note(request.url, origin))
        page.on("pageerror", lambda error: self.troubles.append(str(error)))
        page.add_init_script(_WATCH)
        page.add_init_script(f"(() => {{{_MEASURE}}})()")
        page.goto(address)
        self.box.wait_for()

    @property
    def box(self) -> Locator:
        return self.page.locator("#message textarea")

    @property
    def titles(self) -> list[str]:
        return self.page.locator("#hits .dar-name").all_inner_texts()

    @property
    def ids(self) -> list[str]:
        return self.page.locator("#hits [data-hit]").evaluate_all(
            "all => all.map(e => e.dataset.hit)"
        )

    @property
    def said(self) -> list[str]:
        return self.page.locator(".dar-user > p").all_inner_texts()

    @property
    def status(self) -> Locator:
        return self.page.get_by_test_id("status")

    @property
    def caption(self) -> str:
        return self.page.get_by_test_id("caption").inner_text()

    @property
    def parts(self) -> list[str]:
        """What was understood, part by part."""
        return [str(part) for part in self.page.evaluate(_PARTS)]

    def understands(self, *parts: str) -> None:
        """Wait until what was understood is just this."""
        self.page.wait_for_function(
            f"parts => JSON.stringify(parts) === JSON.stringify({_PARTS.strip()})", arg=list(parts)
        )

    @property
    def states(self) -> list[tuple[str, float]]:
        """What the hits went through, each "turn state" with its time in milliseconds."""
        return [(state, at) for state, at in self.page.evaluate("window.states")]

    @property
    def figures(self) -> dict[str, float]:
        """First paint and longest input delay in milliseconds, and what moved on its own."""
        figures: dict[str, float] = self.page.evaluate("window.figures")
        return figures

    def say(self, text: str) -> float:
        """Write into the box and send, by keyboard; when, in milliseconds."""
        self.box.fill(text)
        now = self.page.evaluate("performance.now()")
        self.box.press("Enter")
        return float(now)

    def sees(self, selector: str) -> Locator:
        found = self.page.locator(selector).first
        found.wait_for()
        return found

    def waits(self, turn: int, state: str = "final") -> None:
        self.sees(f'#hits [data-turn="{turn}"][data-state={state}]')

    def rests(self) -> None:
        """Wait until hits have moved to their places: a fading one has no contrast."""
        self.page.evaluate(
            """() => Promise.allSettled(document.getAnimations()
                .filter((one) => one.effect.getTiming().iterations !== Infinity)
                .map((one) => one.finished))"""
        )

    def asks(self, turn: int, text: str) -> float:
        """Say something and wait for the end of the turn; when it was sent, in milliseconds."""
        sent = self.say(text)
        self.waits(turn)
        return sent

    def presses(self, selector: str) -> None:
        """Press a button by keyboard."""
        button = self.sees(selector)
        button.focus()
        button.press("Enter")

    def loads(self, file: Any) -> None:
        """Choose a saved conversation."""
        with self.page.expect_file_chooser() as choosing:
            self.presses("#load")
        choosing.value.set_files(file)

    def hands_over(self, kind: str, content: bytes) -> None:
        """Paste or drop a file."""
        encoded = base64.b64encode(content).decode()
        self.box.evaluate(_HAND_OVER, [kind, encoded])

    def has_said(self, texts: list[str]) -> None:
        """Wait until the chat shows just this of the person's words."""
        self.page.wait_for_function(
            """texts => JSON.stringify(texts) === JSON.stringify(
              [...document.querySelectorAll('.dar-user > p')].map(line => line.innerText))""",
            arg=texts,
        )

    def has_back(self, text: str) -> None:
        """Wait until the box holds a text."""
        self.page.wait_for_function(
            "text => document.querySelector('#message textarea').value === text", arg=text
        )

    def reads(self, text: str) -> None:
        """Wait until the status says something."""
        self.page.get_by_test_id("status").filter(has_text=text).wait_for()

    def _note(self, url: str, origin: str) -> None:
        if not url.startswith((origin, "data:", "blob:")):
            self.elsewhere.append(url)


@contextmanager
def chromium(*options: str) -> Iterator[Browser]:
    """A headless Chromium; skips where none is installed.

    Asyncio cannot be used in this thread while Playwright is open.
    """
    path = next(filter(None, map(shutil.which, _NAMES)), None)
    if path is None:
        pytest.skip("no Chromium is installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=[*_OPTIONS, *options])
        yield browser
        browser.close()


def png(image: Image.Image) -> bytes:
    content = io.BytesIO()
    image.save(content, "PNG")
    return content.getvalue()
