"""Is anything lost on the page when the machine is busy? In a real browser, without retries.

    python examples/benchmarks/page_presses.py [--runs 50] [--presses 450] [--busy 2]

First conversations are started over in the moment a turn ends: nothing that comes late may be shown
over the new one. Then keys are pressed among the hits, in the large view and on the ticks, each
checked for what it does. The demo's encoder and gallery, words alone; ``--busy`` processes use
the processor meanwhile.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import shutil
import sys
import time
from itertools import cycle, islice
from pathlib import Path
from typing import Any, Final

from gradio_dar import create_app, serving
from playwright.sync_api import Error, Page, sync_playwright

from dar_retriever import DARQueryEncoder, DiffusionAugmentedRetriever
from dar_retriever.demo.retriever import demo_retriever

NAMES: Final = ("chromium", "chromium-browser", "google-chrome", "chrome")
# The busy processes leave it little.
PATIENCE: Final = 60_000
# Each key, and what is so after it: the place of the focused hit, or an open picture's.
FOCUSED: Final = "[...document.querySelectorAll('#hits .dar-open')].indexOf(document.activeElement)"
LOOKED_AT: Final = (
    "[...document.querySelectorAll('#hits [data-hit]')].findIndex((hit) => "
    "hit.dataset.hit === document.querySelector('dialog[open]')?.dataset.id)"
)
NEW: Final = (
    "document.querySelector('#hits [data-state=empty]') !== null && "
    "document.querySelector('#chat .dar-user') === null"
)
TICKED: Final = "document.querySelectorAll('#hits [data-tick]:checked').length"
ROUND: Final = (
    ("ArrowRight", f"{FOCUSED} === 1"),
    ("ArrowRight", f"{FOCUSED} === 2"),
    ("ArrowLeft", f"{FOCUSED} === 1"),
    ("s", f"{TICKED} === 1"),
    ("s", f"{TICKED} === 0"),
    ("Enter", f"{LOOKED_AT} === 1"),
    ("ArrowRight", f"{LOOKED_AT} === 2"),
    ("ArrowLeft", f"{LOOKED_AT} === 1"),
    ("Escape", f"!document.querySelector('dialog[open]') && {FOCUSED} === 1"),
    ("ArrowLeft", f"{FOCUSED} === 0"),
)


def burn() -> None:
    """Use a processor until the program ends."""
    while True:
        pass


def is_so(page: Page, what: str) -> bool:
    """Whether something becomes so within a while."""
    try:
        page.wait_for_function(what)
    except Error:
        return False
    return True


def ask(page: Page, text: str, turn: int) -> bool:
    """Send a message by Enter; whether its hits come."""
    box = page.locator("#message textarea")
    box.fill(text)
    box.press("Enter")
    return is_so(
        page, f"""document.querySelector('#hits [data-turn="{turn}"][data-state=final]')"""
    )


def start_over(page: Page, runs: int) -> tuple[int, int, float]:
    """How many messages were lost, how often something came late, and the longest wait in seconds.

    Late is what is shown over a new conversation after it had begun, or keeps it from beginning.
    """
    lost = late = 0
    longest = 0.0
    for _ in range(runs):
        if not ask(page, "a handbag", 1):
            lost += 1
            # What comes after all would count as late in the next.
            page.reload()
            continue
        page.locator("#start").evaluate("button => button.click()")
        began = time.perf_counter()
        begun = is_so(page, NEW)
        longest = max(longest, time.perf_counter() - began)
        page.wait_for_timeout(300)
        late += not (begun and page.evaluate(NEW))
    return lost, late, longest


def press(page: Page, presses: int) -> int:
    """How many of the key presses did not do what they should."""
    ask(page, "a handbag", 1)
    lost = 0
    page.locator("#hits .dar-open").first.focus()
    for key, expected in islice(cycle(ROUND), presses):
        page.keyboard.press(key)
        if not is_so(page, expected):
            lost += 1
            sys.stdout.write(f"lost: {key}, for {expected}\n")
            sys.stdout.flush()
    return lost


def main() -> None:
    """Print what was lost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=50)
    parser.add_argument("--presses", type=int, default=450)
    parser.add_argument("--busy", type=int, default=2)
    parser.add_argument("--folder", type=Path, default=Path("page-visitors"))
    options = parser.parse_args()
    demo = demo_retriever(options.folder, 120)
    words = DARQueryEncoder(demo.query_encoder.encoder)
    app: Any = create_app(DiffusionAugmentedRetriever(words, demo.store))
    busy = [multiprocessing.Process(target=burn, daemon=True) for _ in range(options.busy)]
    path = next(filter(None, map(shutil.which, NAMES)), None)
    with serving(app, port=0) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
        page.set_default_timeout(PATIENCE)
        page.goto(address)
        page.locator("#message textarea").wait_for()
        # A first search opens what later ones have.
        ask(page, "a handbag", 1)
        page.locator("#start").click()
        page.locator("#hits [data-state=empty]").wait_for()
        for process in busy:
            process.start()
        lost, late, longest = start_over(page, options.runs)
        out = f"load {os.getloadavg()[0]:.0f}; {options.runs} messages, {lost} lost; "
        out += f"started over as often, {late} times something came late; "
        sys.stdout.write(f"{out}new after {longest:.1f} s at most\n")
        sys.stdout.flush()
        missed = press(page, options.presses)
        out = f"load {os.getloadavg()[0]:.0f}; {options.presses} key presses, {missed} lost\n"
        sys.stdout.write(out)
        # They hold what the browser's driver waits for at its end.
        for process in busy:
            process.kill()
        browser.close()


if __name__ == "__main__":
    main()
