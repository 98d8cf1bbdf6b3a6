"""Charts of an evaluation, fit for a paper."""

from __future__ import annotations

import io
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Final

from dar_retriever.evaluation.results import PLACES, Figures
from dar_retriever.support.extras import needs_extra

_SIZE: Final = (6.0, 3.6)
# The colours of Okabe and Ito, which colour-blind people can tell apart.
_COLOURS: Final = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_STYLE: Final[dict[Any, Any]] = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "legend.frameon": False,
    "svg.hashsalt": "dar",
    "pdf.fonttype": 42,
}


def charts_of(figures: Figures) -> dict[str, Any]:
    """Matplotlib figures by name: "hits_by_round", "better_and_worse", "latency".

    Raises:
        MissingExtraError: Matplotlib is not installed.
    """
    with needs_extra("eval"):
        from matplotlib.figure import Figure

    with _styled():
        drawn = {"hits_by_round": _hits_by_round, "latency": _latency}
        if figures["pairs"]:
            drawn["better_and_worse"] = _better_and_worse
        charts = {}
        for name, draw in drawn.items():
            charts[name] = Figure(figsize=_SIZE, layout="constrained")
            draw(charts[name], figures)
        return charts


def write_charts(charts: dict[str, Any], folder: Path) -> None:
    """Write every chart as PDF, for papers, and as PNG."""
    with _styled():
        for name, chart in charts.items():
            chart.savefig(folder / f"{name}.pdf")
            chart.savefig(folder / f"{name}.png", dpi=200)


def as_svg(chart: Any) -> str:
    """A chart as an SVG element."""
    text = io.StringIO()
    with _styled():
        chart.savefig(text, format="svg")
    return text.getvalue()[text.getvalue().index("<svg") :]


def _styled() -> AbstractContextManager[None]:
    """The style of charts; needed for writing too, which decides about fonts and ids."""
    import matplotlib as mpl

    return mpl.rc_context(_STYLE)


def _hits_by_round(chart: Any, figures: Figures) -> None:
    axes = chart.subplots()
    for method, colour in zip(figures["methods"], _cycled(figures["methods"]), strict=True):
        values, low, high = _columns(method["hits@10"])
        axes.plot(values, color=colour, label=method["name"], marker="o", markersize=3)
        axes.fill_between(range(len(values)), low, high, color=colour, alpha=0.15, linewidth=0)
    axes.set(xlabel="round", ylabel="Hits@10 (%)", ylim=(0, 100))
    axes.set_xticks(range(figures["dataset"]["rounds"]))
    axes.legend()


def _better_and_worse(chart: Any, figures: Figures) -> None:
    panels = chart.subplots(1, len(figures["pairs"]), sharey=True, squeeze=False)[0]
    for axes, pair in zip(panels, figures["pairs"], strict=True):
        for name, colour, sign in (
            ("better", _COLOURS[2], 1),
            ("worse", _COLOURS[1], -1),
            (f"worse_by_{PLACES}", _COLOURS[6], -1),
        ):
            values, _, _ = _columns(pair[name])
            label = name.replace("_", " ").replace("by 10", "by more than 10 places")
            axes.bar(range(len(values)), [sign * v for v in values], color=colour, label=label)
        axes.axhline(0, color="black", linewidth=0.8)
        axes.set(title=f"{pair['name']} against {pair['against']}", xlabel="round")
    panels[0].set_ylabel("dialogues (%)")
    handles, labels = panels[0].get_legend_handles_labels()
    chart.legend(handles, labels, loc="outside lower center", ncols=3)


def _latency(chart: Any, figures: Figures) -> None:
    from matplotlib.ticker import LogLocator, NullFormatter

    axes = chart.subplots()
    for method, colour in zip(figures["methods"], _cycled(figures["methods"]), strict=True):
        value, low, high = (100 * x for x in method["hits@10"][-1])
        seconds = sum(method["seconds"].values())
        bars = [[value - low], [high - value]]
        axes.errorbar(
            [seconds], [value], bars, color=colour, fmt="o", capsize=3, label=method["name"]
        )
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.margins(x=0.25)
    axes.legend()
    axes.set(xlabel="seconds per turn, made in batches", ylabel="Hits@10 after the last round (%)")


def _columns(values: list[list[float]]) -> tuple[list[float], list[float], list[float]]:
    """Value, low and high by round, in percent."""
    value, low, high = ([100 * figure[place] for figure in values] for place in range(3))
    return value, low, high


def _cycled(methods: list[Figures]) -> list[str]:
    return [_COLOURS[number % len(_COLOURS)] for number in range(len(methods))]
