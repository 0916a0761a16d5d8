"""Every event of the catalogue from its real cause, seen wherever it goes: what `make events-proof`
does. The causes are those of model/events/heard.py and tests/system/proof/causes.py.
"""

import asyncio
from pathlib import Path

import pytest
from tests.system.conftest import Plant
from tests.system.proof.client_scenes import SENTENCE
from tests.system.proof.proving import prove
from tests.system.speakers import needs_speech
from tests.system.tones import Samples

pytestmark = [pytest.mark.system, needs_speech]


def test_each_event_has_a_real_cause(
    plant: Plant, voices: dict[str, Samples], tmp_path: Path
) -> None:
    proof = asyncio.run(prove(plant, tmp_path, voices[SENTENCE]))
    print(proof)
    assert proof.faults == []
