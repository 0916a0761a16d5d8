"""Flags that are settings: read by the command line, handed on to the parts."""

import argparse
import os
from pathlib import Path

from tertulia import devkit
from tertulia.settings import Settings, load

FLAGS = {
    "data": "data.dir", "store_url": "store.url", "host": "http.host", "http_port": "http.port",
    "https_port": "http.https_port", "sip_port": "sip.port", "sip_tls_port": "sip.tls_port",
    "rtc_port": "rtc.port", "event_url": "dev.event_url", "answer_url": "dev.answer_url",
}  # fmt: skip
"""Flags, and the settings that they are."""


def add_flags(command: argparse.ArgumentParser) -> None:
    for flag, setting in FLAGS.items():
        kind = int if flag.endswith("port") else str
        command.add_argument(_spelled(flag), type=kind, metavar="X", help=f"setting {setting}")


def read_settings(given: argparse.Namespace) -> Settings:
    """From all sources, with the account filled in. Raises SettingsError."""
    overrides = {
        setting: value
        for name, setting in FLAGS.items()
        if (value := getattr(given, name, None)) is not None
    }
    config: Path | None = given.config
    settings = load(file=config, environment=os.environ, overrides=overrides)
    return devkit.development_settings(settings) if given.dev else devkit.with_account(settings)


def passed_on(given: argparse.Namespace) -> list[str]:
    """The same flags, for a part."""
    passed = ["--dev"] if given.dev else []
    for name in ("config", *FLAGS):
        value = getattr(given, name)
        if value is not None:
            passed += [_spelled(name), str(value)]
    return passed


def _spelled(flag: str) -> str:
    return f"--{flag.replace('_', '-')}"
