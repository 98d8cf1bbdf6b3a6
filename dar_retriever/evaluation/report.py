"""An evaluation as a single HTML file with figures, charts and example dialogues."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from dar_retriever.conversation.dialogue import Round
from dar_retriever.evaluation.charts import as_svg
from dar_retriever.evaluation.diagnostics import Diagnosis
from dar_retriever.evaluation.drawing import generated_for, requests_of
from dar_retriever.evaluation.ranking import top
from dar_retriever.evaluation.results import Figures, baseline
from dar_retriever.evaluation.values import Evaluation, Outcome
from dar_retriever.reformulation.base import Reformulation
from dar_retriever.support.images import data_url, open_image

_TEMPLATE: Final = "report.html.jinja"
_EXAMPLES: Final = 3
_HITS: Final = 5
_SIDE: Final = 160


@dataclass(frozen=True, slots=True)
class Example:
    """A dialogue in which images made a difference.

    Attributes:
        said: The rounds of the dialogue.
        caption: The caption of the last round.
        target: The wanted picture, as a data URL.
        generated: The generated images of the last round, as data URLs.
        base_ranks: The target's rank in each round with the baseline.
        ranks: The target's rank in each round with the method.
        base_hits: The best hits of the last round with the baseline, and whether each is the
            target.
        hits: The same with the method.
    """

    said: tuple[Round, ...]
    caption: str
    target: str
    generated: tuple[str, ...]
    base_ranks: tuple[int, ...]
    ranks: tuple[int, ...]
    base_hits: tuple[tuple[str, bool], ...]
    hits: tuple[tuple[str, bool], ...]


def write_report(
    path: Path,
    evaluation: Evaluation,
    figures: Figures,
    charts: dict[str, Any],
    diagnoses: Sequence[Diagnosis],
) -> Path:
    """Write the page.

    Args:
        path: The HTML file.
        evaluation: The evaluation.
        figures: Its figures.
        charts: Its charts.
        diagnoses: The results of ``diagnose``, if there are any.

    Returns:
        The path.
    """
    from jinja2 import Environment, PackageLoader

    environment = Environment(
        loader=PackageLoader("dar_retriever.evaluation", "."),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    drawing = next((o for o in reversed(evaluation.outcomes) if _draws(o)), None)
    helped, hurt = examples(evaluation, drawing) if drawing else ([], [])
    html = environment.get_template(_TEMPLATE).render(
        figures=figures,
        charts={name: as_svg(chart) for name, chart in charts.items()},
        diagnoses=diagnoses,
        drawing=drawing.method.name if drawing else "",
        helped=helped,
        hurt=hurt,
    )
    path.write_text(html, encoding="utf-8")
    return path


def _draws(outcome: Outcome) -> bool:
    # The page shows the best images of the query, before anything orders them anew.
    return outcome.method.draws and not outcome.method.reranker


def examples(evaluation: Evaluation, outcome: Outcome) -> tuple[list[Example], list[Example]]:
    """The dialogues in which a method's images helped most and hurt most against the baseline.

    Each dialogue is judged by the round in which the ranks differ most.
    """
    base = baseline(evaluation)
    ratios = np.log(base.ranks / outcome.ranks)
    order = np.argsort(-ratios.max(1), kind="stable")
    helped = [place for place in order[:_EXAMPLES] if ratios[place].max() > 0]
    order = np.argsort(ratios.min(1), kind="stable")
    hurt = [place for place in order[:_EXAMPLES] if ratios[place].min() < 0]
    return (
        [_example(evaluation, outcome, base, p, int(ratios[p].argmax())) for p in helped],
        [_example(evaluation, outcome, base, p, int(ratios[p].argmin())) for p in hurt],
    )


def _example(
    evaluation: Evaluation, outcome: Outcome, base: Outcome, place: int, round_: int
) -> Example:
    dataset, case = evaluation.dataset, evaluation.dataset.cases[place]
    models = evaluation.models[outcome.method.preset]
    caption = outcome.captions[place][round_]
    understood = Reformulation(caption, (caption,) if caption else ())
    wanted = requests_of(understood, models, case.id, round_, evaluation.seed)
    generated = generated_for(models.generator, [wanted])[0] if models.generator else []

    def found(of: Outcome) -> tuple[tuple[str, bool], ...]:
        pool = np.asarray(evaluation.pools[of.method.preset])
        best = top(of.queries[place, round_][None], pool, _HITS)[0]
        return tuple((_picture(dataset.path(int(p))), int(p) == case.target) for p in best)

    return Example(
        tuple(case.rounds[round_].rounds()),
        caption,
        _picture(dataset.path(case.target)),
        tuple(data_url(image.image, _SIDE) for image in generated),
        tuple(map(int, base.ranks[place])),
        tuple(map(int, outcome.ranks[place])),
        found(base),
        found(outcome),
    )


def _picture(path: Path) -> str:
    return data_url(open_image(path), _SIDE)
