"""How good a call was, by the E-model (ITU-T G.107) as far as a receiver can measure it.

The defaults of G.107 stand for what is not measured (echo, noise, loudness); impairments of codecs
are those of G.113. Opus has no line there: it is taken as a codec without impairment of its own
whose concealment and redundancy are as good as those of G.711 with concealment.
"""

from collections.abc import Mapping
from typing import NamedTuple

UNIMPAIRED = 93.2
"""R without loss or delay, narrow-band."""


class Impairment(NamedTuple):
    """Of a codec (G.113 appendix I)."""

    equipment: float
    """Ie: of the codec itself."""
    robustness: float
    """Bpl: percent of random loss at which half of what is left of R is gone."""


CODECS: Mapping[str, Impairment] = {
    "PCMU": Impairment(0.0, 25.1),
    "PCMA": Impairment(0.0, 25.1),
    "opus": Impairment(0.0, 25.1),
}


def rating(
    codec: str, loss_percent: float, *, burst_ratio: float = 1.0, delay_ms: float = 0.0
) -> float:
    """R, 0 to 93.2: 90 very good, 70 some unhappy, below 50 not fit for use.

    `delay_ms` is one way, mouth to ear. A codec that is not known counts as PCMU.
    """
    equipment, robustness = CODECS.get(codec, CODECS["PCMU"])
    loss = min(max(loss_percent, 0.0), 100.0)
    delay = max(delay_ms, 0.0)
    lost = loss / (loss / max(burst_ratio, 1.0) + robustness)
    impairment = equipment + (95.0 - equipment) * lost
    delayed = 0.024 * delay + 0.11 * max(0.0, delay - 177.3)
    return max(0.0, UNIMPAIRED - impairment - delayed)


def opinion(rated: float) -> float:
    """Mean opinion score of R, 1 to 4.5 (G.107 annex B)."""
    r = min(max(rated, 0.0), 100.0)
    return max(1.0, 1 + 0.035 * r + r * (r - 60) * (100 - r) * 7e-6)


def burst_ratio(lost: int, bursts: int, received: int) -> float:
    """Mean length of the bursts of loss, over what it would be by chance; at least 1.

    `lost` and `received` count packets, `bursts` the runs of lost ones.
    """
    if bursts <= 0 or lost <= 0 or received <= 0:
        return 1.0
    by_chance = (lost + received) / received
    return max(1.0, lost / bursts / by_chance)


def percentage(mos: float) -> float:
    """A mean opinion score as a share of the best there is on a telephone, 0 to 100."""
    best = opinion(UNIMPAIRED)
    return min(max((mos - 1) / (best - 1) * 100, 0.0), 100.0)
