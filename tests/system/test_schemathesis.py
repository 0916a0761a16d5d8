"""Requests made up from the API's own description: nothing breaks, every answer is as described.

Some 600 requests as each caller; with TERTULIA_FULL=1 in the environment 10,000. With the figures:
`TERTULIA_FULL=1 pytest -s tests/system/test_schemathesis.py`.
"""

import asyncio
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from tests.system.caller import Caller, fresh_token
from tests.system.conftest import Plant

from tertulia.devkit import DevDocument

pytestmark = pytest.mark.system

FULL = bool(os.environ.get("TERTULIA_FULL"))
PHASES = "examples,coverage,fuzzing,stateful" if FULL else "examples,fuzzing,stateful"
EXAMPLES = 40 if FULL else 8
"""Of the fuzzing phase, for each operation."""
LEAST = 10_000 if FULL else 500
"""Requests of each caller."""
WITHIN = 1800.0 if FULL else 120.0
"""Seconds; generous, since the machine may be busy with other tests."""
SEED = 7
HOOKS = Path(__file__).with_name("sparing.py")
CHECKS = (
    "not_a_server_error", "status_code_conformance", "content_type_conformance",
    "response_headers_conformance", "response_schema_conformance", "negative_data_rejection",
    "unsupported_method", "allow_header_conformance", "ignored_auth", "missing_required_header",
)  # fmt: skip
"""Not positive_data_acceptance: what a schema allows, the state of a member may forbid with 400."""
NEEDS_MORE = re.compile(
    r"/(legs/\{|rtc\b|knocking\b|legs$|carriers/\{|messages/\{message_id|handsets/\{)"
)
STAYING, LEAVING, ROOMS, MESSAGES = 10, 60, 40, 60


class Cast(NamedTuple):
    """What is there before the first request. All users are members of the first conversation."""

    conversations: list[str]
    users: list[str]
    names: list[str]
    members: list[str]
    media: list[str]

    def spared(self, document: DevDocument) -> str:
        """What no request may take from the others: the first of each."""
        users, names = self.users[:STAYING], self.names[:STAYING]
        kept = [document.application_id, self.conversations[0], *users, *names]
        return " ".join([*kept, *self.members[:STAYING], *self.media[:STAYING]])


@pytest.mark.parametrize(("caller", "reached"), [("application", 0.82), ("user", 0.5)])
def test_every_answer_is_as_described(
    plant: Plant, tmp_path: Path, caller: str, reached: float
) -> None:
    """`reached` is the share, of the operations that can be, to be carried out at least once."""
    tree = plant(TERTULIA_LIMITS__REQUESTS_PER_SECOND="0")
    document = tree.start()
    cast = asyncio.run(_assemble(document))
    token = fresh_token(document, user_name=cast.names[0] if caller == "user" else None)
    config = tmp_path / "schemathesis.toml"
    config.write_text(_config(document, cast, token), encoding="utf-8")
    report, said = _run(document, config, cast.spared(document))
    made, operations = report["test_cases"], report["operations"]
    reachable = {name: rates for name, rates in report["valid_rates"].items() if _can_be(name)}
    done = sum(_is_reached(rates) for rates in reachable.values())
    print(f"\nas {caller}: {made['generated']} requests to {operations['tested']} operations, "
          f"{done} of them carried out, {made['unique_failures']} failures, seed {SEED}, "
          f"{report['running_time']:.0f} s")  # fmt: skip
    assert report["exit_code"] == 0, said
    assert operations["tested"] == operations["total"]
    assert len(reachable) > operations["total"] / 2
    assert done >= reached * len(reachable)
    assert made["generated"] >= LEAST
    assert "Traceback" not in tree.log.read_text(errors="replace")


async def _assemble(document: DevDocument) -> Cast:
    async with Caller(document) as caller:
        rooms = [await caller.post("/v1/conversations", {"name": f"room{n}"}) for n in range(ROOMS)]
        users = [
            await caller.post("/v1/users", {"name": f"user{n}"}) for n in range(STAYING + LEAVING)
        ]
        path = f"/v1/conversations/{rooms[0]['id']}"
        members = [
            await caller.post(f"{path}/members", _entering(user["id"], n >= STAYING and n % 2))
            for n, user in enumerate(users)
        ]
        for n in range(MESSAGES):
            sender = members[n % STAYING]["id"]
            body = {"message_type": "text", "text": f"{n}"}
            await caller.post(f"{path}/events", {"type": "message", "from": sender, "body": body})
        media = [(await caller.post("/v3/media", f"words {n}"))["id"] for n in range(2 * STAYING)]
    return Cast(
        conversations=[room["id"] for room in rooms], users=[user["id"] for user in users],
        names=[user["name"] for user in users], members=[member["id"] for member in members],
        media=media,
    )  # fmt: skip


def _can_be(operation: str) -> bool:
    """Whether it may succeed at all here: what is about a leg needs one, which only a real offer of
    WebRTC makes; a carrier signs what it says, and messages and handsets have to be there."""
    return not NEEDS_MORE.search(operation)


def _is_reached(rates: dict[str, dict[str, int]]) -> bool:
    return any(phase["accepted"] for phase in rates.values())


def _entering(user_id: str, is_only_invited: int) -> dict[str, Any]:
    state = "invited" if is_only_invited else "joined"
    return {"state": state, "user": {"id": user_id}, "channel": {"type": "app"}}


def _config(document: DevDocument, cast: Cast, token: str) -> str:
    """Credentials, and ids to use beside made-up ones. A string in JSON is a string in TOML."""
    staying, leaving = cast.members[:STAYING], cast.members[STAYING:]
    own = fresh_token(document, user_name=cast.names[0])
    first_event = STAYING + LEAVING + 1
    dictionaries = {
        "main": cast.conversations[:1], "conversations": cast.conversations,
        "members": staying, "leaving": leaving, "users": [*cast.users, *cast.names],
        "events": list(range(first_event, first_event + MESSAGES)),
        "applications": [document.application_id], "media": cast.media,
    }  # fmt: skip
    return "\n".join([
        "[auth.openapi]",
        f"bearer = {{ bearer = {json.dumps(token)} }}",
        f"basic = {{ username = {json.dumps(document.api_key)},"
        f" password = {json.dumps(document.api_secret)} }}",
        "[checks]",
        'negative_data_rejection = { expected-statuses = ["4xx"] }',
        "[dictionaries]",
        *(f"{name} = {{ values = {json.dumps(found)} }}" for name, found in dictionaries.items()),
        "[parameters]",
        *_bound({
            "path.conversation_id": "conversations", "path.member_id": "leaving",
            "path.user_id": "users", "path.event_id": "events",
            "path.application_id": "applications", "path.media_id": "media",
            "query.from": "members",
            "body.from": "members", "body.user.id": "users", "body.event_id": "events",
        }),
        '"query.wait" = 0',  # seconds: a poll of the stream would use them
        "[[operations]]",
        'include-path-regex = "/(members|events)"',
        "[operations.parameters]",
        *_bound({"path.conversation_id": "main"}),
        "[[operations]]",
        'include-path-regex = "/members/me$"',
        f"headers = {{ Authorization = {json.dumps('Bearer ' + own)} }}",
        "[[operations]]",
        'include-path = "/sms/json"',  # its refusals are answers with a status of their own
        "[operations.checks]",
        'negative_data_rejection = { expected-statuses = ["200", "4xx"] }',
    ])  # fmt: skip


def _bound(parameters: dict[str, str]) -> list[str]:
    return [
        f'"{name}" = {{ dictionary = "{dictionary}", probability = 0.8 }}'
        for name, dictionary in parameters.items()
    ]


def _run(document: DevDocument, config: Path, spared: str) -> tuple[dict[str, Any], str]:
    """Its report, and what it said."""
    report = config.with_name("report.json")
    done = subprocess.run(
        [sys.executable, "-m", "schemathesis.cli", "--config-file", str(config), "run",
         f"{document.api_url}/openapi.json", "--phases", PHASES, "--checks", ",".join(CHECKS),
         "--max-examples", str(EXAMPLES), "--seed", str(SEED), "--continue-on-failure",
         "--generation-database", "none", "--report", "json", "--report-json-path", str(report),
         "--no-color"],
        env={**os.environ, "SCHEMATHESIS_HOOKS": str(HOOKS), "SPARED_IDS": spared},
        cwd=config.parent, capture_output=True, text=True, timeout=WITHIN, check=False,
    )  # fmt: skip
    said = done.stdout + done.stderr
    assert report.exists(), said
    found: dict[str, Any] = json.loads(report.read_bytes())
    return found, said
