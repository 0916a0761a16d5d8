"""A call as its parts see it."""

from collections.abc import Callable
from typing import Protocol

from tertulia.protocols.sip.core import Core
from tertulia.protocols.sip.dialog import Dialog
from tertulia.protocols.sip.exchange import Acknowledgement, Exchange, ExchangeUser
from tertulia.protocols.sip.machines import ServerTransaction
from tertulia.protocols.sip.message import Request, Response
from tertulia.protocols.sip.repeated import Repeated
from tertulia.protocols.sip.session_timer import SessionTimer
from tertulia.protocols.sip.signals import AnySignal
from tertulia.protocols.sip.stack import Stack
from tertulia.protocols.sip.verbs import Pairs


class Host(Protocol):
    stack: Stack
    core: Core
    name: str
    is_ours: bool
    is_up: bool
    dialog: Dialog | None
    timer: SessionTimer
    unacknowledged: dict[int, Repeated]
    """2xx of ours to INVITEs, by CSeq."""

    def send(self, request: Request, dialog: Dialog, user: ExchangeUser) -> Exchange:
        """Send a request in a dialog."""

    def ask(
        self, request: Request, dialog: Dialog, then: Callable[[Response | None, int], None]
    ) -> Exchange:
        """The same, with an end that is taken care of when the dialog is not known."""

    def acknowledge(self, dialog: Dialog, invite: Request, body: bytes = b"") -> Acknowledgement:
        """ACK of a 2xx to an INVITE of ours."""

    def confirm(
        self, transaction: ServerTransaction, dialog: Dialog, pairs: Pairs = (), status: int = 200
    ) -> None:
        """A 2xx without a body."""

    def lose(self, code: int, text: str) -> None:
        """End the call: it is not to be saved."""

    def acknowledged(self, request: Request) -> None:
        """An ACK of a 2xx has come."""

    def unheard(self) -> None:
        """No ACK has come for a 2xx."""

    def post(self, signal: AnySignal) -> None: ...
