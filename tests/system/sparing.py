"""Hooks of the made-up requests: nothing may delete or rename what the others need.

Loaded by schemathesis in its own process, which has the ids to spare, with spaces between, in
SPARED_IDS.
"""

import os
import re
from typing import Any

import schemathesis
from schemathesis import Case, HookContext

_LAST = re.compile(r"\{(\w+)\}[^{}]*$")


@schemathesis.hook
def before_call(context: HookContext, case: Case[Any], kwargs: dict[str, Any]) -> None:
    last = _LAST.search(case.operation.path)
    spared = os.environ["SPARED_IDS"].split()
    if last is None or str(case.path_parameters.get(last[1])) not in spared:
        return
    if case.method.upper() == "DELETE":
        case.path_parameters[last[1]] = "spared"
    elif isinstance(case.body, dict):
        case.body.pop("name", None)
