"""The pages: every link between them leads somewhere, and the README stays short."""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from functools import cache
from pathlib import Path
from urllib.parse import unquote

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).parent.parent
PAGES = sorted(
    [*ROOT.glob("*.md"), *ROOT.glob("dar_retriever/**/*.md"), *ROOT.glob("examples/**/*.md")]
)
GUIDES = ROOT / "examples" / "guides"


@cache
def tokens_of(page: Path) -> list[Token]:
    return MarkdownIt("gfm-like", {"linkify": False}).parse(page.read_text())


def links_of(page: Path) -> list[str]:
    inline = [child for token in tokens_of(page) for child in token.children or ()]
    targets = [token.attrs.get("href") or token.attrs.get("src") for token in inline]
    return [str(target) for target in targets if target]


def anchors_of(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    tokens = tokens_of(page)
    headings = [
        tokens[number + 1].content
        for number, token in enumerate(tokens)
        if token.type == "heading_open"
    ]
    seen: Counter[str] = Counter()
    anchors = set()
    for heading in headings:
        anchor = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        anchors.add(f"{anchor}-{seen[anchor]}" if seen[anchor] else anchor)
        seen[anchor] += 1
    return anchors


def is_local(link: str) -> bool:
    return not re.match(r"[a-z]+:", link)


def problem_with(page: Path, link: str) -> str | None:
    path, _, anchor = unquote(link).partition("#")
    target = (page.parent / path).resolve() if path else page
    if not target.exists():
        return f"{link}: no such file"
    if anchor and anchor not in anchors_of(target):
        return f"{link}: no such heading"
    return None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_links_of_a_page_lead_somewhere(page: Path) -> None:
    problems = [problem_with(page, link) for link in links_of(page) if is_local(link)]

    assert not [problem for problem in problems if problem]


def test_what_a_page_links_to_is_part_of_the_project() -> None:
    tracked = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if tracked.returncode:
        pytest.skip("not a git checkout")
    files = {ROOT / name for name in tracked.stdout.splitlines()}
    linked = {
        (page.parent / unquote(link).partition("#")[0]).resolve()
        for page in PAGES
        for link in links_of(page)
        if is_local(link) and not link.startswith("#")
    }

    assert linked <= files


def test_every_guide_can_be_reached_from_the_readme_and_the_list_of_guides() -> None:
    guides = {page for page in GUIDES.glob("*.md") if page.name != "README.md"}

    assert len(guides) > 10
    for start in (ROOT / "README.md", GUIDES / "README.md"):
        linked = {(start.parent / link.partition("#")[0]).resolve() for link in links_of(start)}
        assert guides <= linked


def test_the_readme_and_the_page_for_contributors_are_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 200
    assert len((GUIDES / "contributing.md").read_text().splitlines()) <= 30


def test_the_page_for_contributors_names_files_that_there_are() -> None:
    text = (GUIDES / "contributing.md").read_text()
    named = re.findall(r"`([\w/]+(?:/|\.py))`", text)

    assert len(named) > 10
    for name in named:
        assert (ROOT / name).exists() or (ROOT / "dar_retriever" / name).exists(), name


def test_the_page_for_contributors_names_protocols_that_there_are() -> None:
    rows = re.findall(r"`(\w+)` in `([\w/]+\.py)`", (GUIDES / "contributing.md").read_text())

    assert len(rows) > 6
    for name, file in rows:
        assert f"\nclass {name}(" in (ROOT / "dar_retriever" / file).read_text(), name
