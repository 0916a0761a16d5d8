"""Figures as Prometheus reads them."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from typing import Literal, NamedTuple

from tertulia.store.tally import Histogram

Kind = Literal["counter", "gauge", "histogram"]
_ESCAPED = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})


class Sample(NamedTuple):
    value: float
    labels: Mapping[str, str] = {}
    part: str = ""
    """`_bucket`, `_sum` or `_count`, of a histogram."""


class Figure(NamedTuple):
    """`name` is without `tertulia_`, and ends with its unit, or with `_total` if it only grows."""

    name: str
    kind: Kind
    about: str
    samples: Sequence[Sample]


def gauge(name: str, about: str, value: float) -> Figure:
    return Figure(name, "gauge", about, [Sample(value)])


def counter(name: str, about: str, value: float) -> Figure:
    return Figure(name, "counter", about, [Sample(value)])


def histogram(name: str, about: str, of: Histogram) -> Figure:
    bounds = [*(f"{bound:g}" for bound in of.bounds), "+Inf"]
    running = list(accumulate(of.counts))
    samples = [
        Sample(count, {"le": bound}, "_bucket")
        for bound, count in zip(bounds, running, strict=True)
    ]
    ends = [Sample(of.sum, {}, "_sum"), Sample(running[-1], {}, "_count")]
    return Figure(name, "histogram", about, [*samples, *ends])


def text(figures: Iterable[Figure]) -> str:
    """The text format, version 0.0.4."""
    return "".join(line for figure in figures for line in _lines(figure))


def _lines(figure: Figure) -> Iterable[str]:
    name = f"tertulia_{figure.name}"
    yield f"# HELP {name} {figure.about}\n"
    yield f"# TYPE {name} {figure.kind}\n"
    for sample in figure.samples:
        pairs = ",".join(
            f'{key}="{value.translate(_ESCAPED)}"' for key, value in sample.labels.items()
        )
        labels = f"{{{pairs}}}" if pairs else ""
        yield f"{name}{sample.part}{labels} {sample.value}\n"
