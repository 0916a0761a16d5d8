"""Mouth to ear inside a server: loud frames among silent ones, from one leg of a pair to the other.

Many pairs at once, each at its own place in the 20 ms, so that no place is favoured.
"""

from bench.media.load import Said, Shape, Take, talk
from bench.media.scenes import PAIR, Scene, Server
from bench.media.voice import probe_frames
from bench.places import Failed

PAIRS = 40
GROUPS = 20
EVERY = 25
"""Frames from one loud one to the next."""
HEARD = 0.9
"""Share of the loud frames that must come."""


def delays(server: Server, seconds: float, scene: Scene = PAIR) -> list[float]:
    """Milliseconds, in order, from the sending of a frame to the arrival of its sound.

    Raises:
        Failed: too few of them came.
    """
    rooms = server.open(scene, PAIRS)
    streams = [stream for room in rooms for stream in room.streams]
    said: list[Said] = []
    for pair in range(PAIRS):
        said += [Said(offset=7 * pair % EVERY), Said(offset=1, stride=0, ear=2 * pair)]
    try:
        shape = Shape(seconds, warm_up=1.5, groups=GROUPS)
        return _checked(
            talk(streams, probe_frames(scene.codec, EVERY), shape, said=said, is_heard=True)
        )
    finally:
        for room in rooms:
            server.close(room)


def _checked(take: Take) -> list[float]:
    expected = PAIRS * take.seconds * 50 / EVERY
    if len(take.delays) < HEARD * expected:
        raise Failed(f"of {expected:.0f} loud frames {len(take.delays)} were heard")
    if not take.is_sound:
        raise Failed("the generator could not keep up")
    return sorted(take.delays)
