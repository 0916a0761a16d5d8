"""Figures read as Prometheus does (text format 0.0.4), and with the rules for their names."""

import re

_SAMPLE = re.compile(r'([a-z_]+)(?:\{((?:[a-z_]+="(?:[^"\\]|\\.)*",?)*)\})? (\S+)')
_LABEL = re.compile(r'([a-z_]+)="((?:[^"\\]|\\.)*)"')
_PARTS = {"histogram": ("_bucket", "_sum", "_count")}

Series = tuple[str, frozenset[tuple[str, str]]]


def parsed(told: str) -> dict[Series, float]:
    """Every sample by its name and labels; whatever is not as it should be fails the test."""
    assert told.endswith("\n")
    found: dict[Series, float] = {}
    kinds: dict[str, str] = {}
    name = ""
    for line in told.splitlines():
        if line.startswith("# HELP "):
            name, about = line.removeprefix("# HELP ").split(" ", 1)
            assert name not in kinds and about and name.startswith("tertulia_"), line
        elif line.startswith("# TYPE "):
            typed, kind = line.removeprefix("# TYPE ").split(" ")
            assert typed == name and (name.endswith("_total") == (kind == "counter")), line
            kinds[name] = kind
        else:
            series = _series(line)
            assert series[0][0] in _names(name, kinds[name]) and series[0] not in found, line
            found[series[0]] = series[1]
    for name in (name for name, kind in kinds.items() if kind == "histogram"):
        _check_histogram(name, found)
    return found


def value(found: dict[Series, float], name: str, **labels: str) -> float:
    return found[f"tertulia_{name}", frozenset(labels.items())]


def _names(name: str, kind: str) -> list[str]:
    return [f"{name}{part}" for part in _PARTS.get(kind, ("",))]


def _series(line: str) -> tuple[Series, float]:
    match = _SAMPLE.fullmatch(line)
    assert match is not None, line
    name, labels, number = match.groups()
    return (name, frozenset(_LABEL.findall(labels or ""))), float(number)


def _check_histogram(name: str, found: dict[Series, float]) -> None:
    buckets = sorted(
        (float(dict(labels)["le"]), count)
        for (series, labels), count in found.items()
        if series == f"{name}_bucket"
    )
    counts = [count for _, count in buckets]
    assert counts == sorted(counts) and buckets[-1][0] == float("inf")
    assert counts[-1] == found[f"{name}_count", frozenset()]
