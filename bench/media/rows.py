"""The parts of the benchmark of audio, each a few rows of the table, and the ratios in the end."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from bench.media import aiortc_room, delay, janus, media_worker, speaking
from bench.media.capacity import Capacity, Effort, Figure, Stage, capacity
from bench.media.joins import joins
from bench.media.scenes import CALL, PAIR, Scene, Server
from bench.media.voice import OPUS
from bench.places import Failed, Skipped, fresh
from bench.report import Row, failed, skipped, thousands

OURS, JANUS, AIORTC = "tertulia", "janus", "aiortc"
Opening = Callable[[Path], AbstractContextManager[Server]]
CONTENDERS: dict[str, Opening] = {OURS: media_worker.media_worker, JANUS: janus.janus}
FEW: dict[str, dict[str, int]] = {
    OURS: {"g711": 240, "opus": 30, "meeting": 100, "audience": 200, "phones": 240},
    JANUS: {"g711": 90, "opus": 21, "meeting": 30, "audience": 100, "phones": 90},
}
"""Legs that are measured first."""
AIMS = {
    ("g711", JANUS): 2.0,
    ("phones", JANUS): 2.0,
    ("opus", JANUS): 1.2,
    ("meeting", JANUS): 3.0,
    ("meeting", AIORTC): 8.0,
}
"""Least ratio of Tertulia's legs to the other's."""
SIXTEEN = Scene("aiortc", OPUS, 16, 1)
JOINS, JOINS_AIM = 200, 100
MEDIAN_AIM, P95_AIM = 30.0, 45.0
FIRST_AIM, ASR_AIM = 500.0, 1200.0
"""Milliseconds, as the two before."""


class Most(NamedTuple):
    """What a core carries."""

    legs: float
    leg: float
    """Percent of the core, with so many."""
    is_found: bool = True
    """Else it may be more."""


Measured = dict[tuple[str, str], Most]
"""By scene and contender."""


def of_scene(measured: Measured, scene: Scene, effort: Effort) -> list[Row]:
    names = [OURS] if scene.protected else list(CONTENDERS)
    return [_contender(measured, name, scene, effort) for name in names]


def _contender(measured: Measured, name: str, scene: Scene, effort: Effort) -> Row:
    title = f"{name}: {scene.title}"
    print(f"media: {title}", flush=True)
    few = FEW[name][scene.name.removesuffix("-srtp")]
    try:
        with fresh("media") as place, CONTENDERS[name](place / name) as server:
            found = capacity(Stage(server, scene), scene, few, effort, _tell)
    except Skipped as reason:
        return skipped(scene.name, title, reason)
    except Failed as reason:
        return failed(scene.name, title, reason)
    if found.most is not None:
        measured[scene.name, name] = Most(found.most.legs, found.most.leg, found.is_found)
    return Row(scene.name, title, _legs(found), details=_details(found))


def _legs(found: Capacity) -> str:
    share = f"{found.few.leg:.3g} %/leg at {found.few.legs}"
    if found.most is None:
        return f"NO NUMBER SERVED IN TIME, {share}"
    least = "" if found.is_found else "at least "
    return (
        f"{least}{thousands(found.most.legs)} legs/core ({found.most.cpu:.0%} busy, "
        f"late {found.most.take.late_share:.2%}), {share}"
    )


def _tell(figure: Figure) -> None:
    take = figure.take
    ticks = "" if figure.late_ticks is None else f", late ticks {figure.late_ticks:.2%}"
    print(
        f"  {figure.legs} legs: {figure.cpu:.0%} of the core, {figure.leg:.3g} %/leg, "
        f"late {take.late_share:.2%}{ticks}, came {take.complete:.1%}, starved {take.starved}, "
        f"others on the core {figure.foreign:.0%}{'' if figure.fits else ': TOO MANY'}",
        flush=True,
    )


def _details(found: Capacity) -> dict[str, Any]:
    details: dict[str, Any] = msgspec.to_builtins(found)
    return details


def of_aiortc(measured: Measured, effort: Effort) -> list[Row]:
    """What the server takes for one room of sixteen; it costs the same whoever talks."""
    title = f"{AIORTC}: Opus 48 kHz, 16-party, SRTP"
    print(f"media: {title}", flush=True)
    with fresh("media") as place, aiortc_room.aiortc_room(place / AIORTC) as server:
        figure = Stage(server, SIXTEEN).run(SIXTEEN.legs, effort.seconds)
    _tell(figure)
    if figure.take.starved:
        raise Failed(f"{figure.take.starved} of {figure.take.hearing} did not hear everything")
    legs = 100 / figure.leg
    measured[SIXTEEN.name, AIORTC] = Most(legs, figure.leg)
    value = f"{legs:.1f} legs/core by its CPU, {figure.leg:.3g} %/leg at {figure.legs}"
    return [Row("aiortc", title, value, details=msgspec.to_builtins(figure))]


def of_delay(measured: Measured, effort: Effort) -> list[Row]:
    least: Opening = lambda place: janus.janus(place, prebuffering=1)  # noqa: E731
    contenders = {**CONTENDERS, f"{JANUS}, least prebuffering": least}
    rows = [_delay(name, opening, effort) for name, opening in contenders.items()]
    return [*rows, _delay(f"{OURS}, phones", media_worker.media_worker, effort, CALL)]


def _delay(name: str, opening: Opening, effort: Effort, scene: Scene = PAIR) -> Row:
    title = f"{name}: mouth to ear in the server, median · p95"
    print(f"media: {title}", flush=True)
    try:
        with fresh("media") as place, opening(place / "server") as server:
            found = delay.delays(server, effort.seconds, scene)
    except Skipped as reason:
        return skipped("delay", title, reason)
    except Failed as reason:
        return failed("delay", title, reason)
    middle, high = (found[int(len(found) * share)] for share in (0.5, 0.95))
    is_ours = name.startswith(OURS)
    return Row(
        "delay",
        title,
        f"{middle:.1f} · {high:.1f} ms (least {found[0]:.1f}, most {found[-1]:.1f})",
        aim=f"≤ {MEDIAN_AIM:.0f} · {P95_AIM:.0f} ms" if is_ours else "",
        met=middle <= MEDIAN_AIM and high <= P95_AIM if is_ours else None,
        details={"delays": found},
    )


def of_joins(measured: Measured, effort: Effort) -> list[Row]:
    title = f"{OURS}: joins by ICE and DTLS, {media_worker.AT_ONCE} at a time"
    print(f"media: {title}", flush=True)
    with fresh("media") as place, media_worker.media_worker(place / OURS) as server:
        found = joins(server, int(JOINS * min(1.0, effort.seconds / 4)))
    return [
        Row(
            "joins",
            title,
            f"{found.rate:.0f}/s; {1000 * found.cpu / found.number:.2f} ms of CPU each, so "
            f"{found.rate_of_core:.0f}/s on a core; late ticks meanwhile {found.late_ticks:.2%}",
            aim=f"≥ {JOINS_AIM}/s",
            met=found.rate >= JOINS_AIM,
            details=found._asdict(),
        )
    ]


def of_speech(measured: Measured, effort: Effort) -> list[Row]:
    print("media: speech", flush=True)
    found = speaking.speak()
    return [
        Row(
            "speech",
            "say: until the first sound",
            f"{found.first:.0f} ms; the very first {found.cold:.0f} ms",
            aim=f"≤ {FIRST_AIM:.0f} ms",
            met=found.first <= FIRST_AIM,
            details=found._asdict(),
        ),
        Row(
            "speech",
            f"recognition: text after an utterance of {found.length:.1f} s",
            f"{found.understood:.0f} ms, {found.wrong} words wrong",
            aim=f"≤ {ASR_AIM:.0f} ms",
            met=found.understood <= ASR_AIM,
        ),
    ]


def ratios(measured: Measured) -> list[Row]:
    """Of what was measured in this run."""
    rows = []
    for (scene, peer), aim in AIMS.items():
        ours = measured.get((scene, OURS))
        theirs = measured.get((SIXTEEN.name if peer == AIORTC else scene, peer))
        if ours is not None and theirs is not None:
            rows.append(_ratio(f"{OURS} / {peer}", scene, ours, theirs, aim))
    return rows


def _ratio(title: str, scene: str, ours: Most, theirs: Most, aim: float) -> Row:
    ratio, by_cpu = ours.legs / theirs.legs, theirs.leg / ours.leg
    value = f"{ratio:.1f}×; by the CPU of a leg {by_cpu:.1f}×"
    if not theirs.is_found:
        return Row(scene, title, f"at most {value}: the other's most was not found", f"≥ {aim:g}×")
    return Row(scene, title, value, f"≥ {aim:g}×", ratio >= aim)
