"""What is remembered is made once, and the oldest is forgotten."""

from __future__ import annotations

from dar_retriever.support.remembering import Remembered


def test_each_text_is_made_once_until_it_is_forgotten() -> None:
    made = list[str]()

    def make(texts: list[str]) -> list[str]:
        made.extend(texts)
        return [text.upper() for text in texts]

    known = Remembered(make, 2)
    assert known.of(["a", "b", "a"]) == ["A", "B", "A"]
    assert known.of(["a", "c"]) == ["A", "C"]
    assert made == ["a", "b", "c"]
    assert known.of(["b"]) == ["B"]
    assert made == ["a", "b", "c", "b"]
    assert known.of([]) == []
