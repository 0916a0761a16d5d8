"""The engine `espeak`: the program espeak-ng of this host. Many languages, a robot's voice.

`python -m tertulia.speech.espeak PROGRAM`. Needs the packages soundfile and soxr.
"""

import io
import subprocess
import sys

import soundfile

from tertulia.speech.messages import Say
from tertulia.speech.saying import Sound, speaking
from tertulia.speech.serving import Work, serve
from tertulia.speech.ssml import Segment

_WORDS_A_MINUTE = 165
_LIMIT_S = 20


def load(program: str) -> Work:
    return speaking(lambda piece, order: _sound(program, piece, order))


def _sound(program: str, piece: Segment, order: Say) -> Sound:
    """Raises OSError, or RuntimeError when the program fails."""
    pace = str(round(_WORDS_A_MINUTE * piece.rate))
    try:
        made = subprocess.run(
            [program, "-v", order.voice or "en-us", "-s", pace, "-b", "1", "--stdin", "--stdout"],
            input=piece.text.encode(), capture_output=True, check=True, timeout=_LIMIT_S,
        )  # fmt: skip
    except subprocess.SubprocessError as error:
        raise RuntimeError(f"espeak-ng: {error}") from None
    samples, rate = soundfile.read(io.BytesIO(made.stdout), dtype="float32")
    return samples, rate


if __name__ == "__main__":
    serve(lambda: load(sys.argv[1]))
