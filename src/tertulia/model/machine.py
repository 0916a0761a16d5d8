"""What is to be found out when a call is answered: a person or a machine (wire-api 5.2)."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

BEEP_SECONDS = 45

OnMachine = Literal["continue", "hangup"]


class AdvancedMachineDetection(Struct, frozen=True):
    behavior: OnMachine = "continue"
    mode: Literal["default", "detect", "detect_beep"] = "detect"
    beep_timeout: Annotated[int, Meta(ge=45, le=120)] | None = None
    """Seconds."""


class Detection(Struct, frozen=True):
    hangs_up: bool = False
    """On a machine."""
    waits: bool = False
    """Nothing is done in the call before the verdict is there."""
    beep: bool = False
    """Behind a machine's greeting its beep is waited for."""
    beep_seconds: int = BEEP_SECONDS
    is_advanced: bool = False
    """It was asked for in the newer way, which has an event of its own."""


def detection(
    basic: OnMachine | None, advanced: AdvancedMachineDetection | None
) -> Detection | None:
    """The advanced kind counts when both are given; None when there is nothing to find out."""
    if advanced is None:
        return Detection(hangs_up=basic == "hangup") if basic else None
    return Detection(
        hangs_up=advanced.behavior == "hangup", waits=advanced.mode != "default",
        beep=advanced.mode != "detect", beep_seconds=advanced.beep_timeout or BEEP_SECONDS,
        is_advanced=True,
    )  # fmt: skip
