"""The simulated carriers: the same adapters as any, towards the simulated phone network.

Their gateway (`simulated-mms`, `-rcs`, `-email`) is that of phones/gateway_api.py.
"""

from tertulia.carriers.accounts import (
    AnyAccount,
    Asking,
    GatewayAccount,
    InboundMap,
    MessengerAccount,
    ReceiptMap,
    Signature,
    SmppAccount,
    ViberAccount,
    WhatsAppAccount,
)
from tertulia.model.sending import MessageChannel

SIMULATED = "simulated"
"""Every secret, token and password of theirs."""
BASE = "{simulated}"
_WINDOW = 50
_GATEWAY = f"{BASE}/gateway/messages"
_BEARER = {"Authorization": f"Bearer {SIMULATED}"}
_BODY = (
    '{"id": "{id}", "channel": "{channel}", "to": "{to}", "from": "{from}",'
    ' "content": {message_json}}'
)


def simulated_accounts() -> tuple[AnyAccount, ...]:
    """One for each channel."""
    graph = f"{BASE}/graph/v21.0"
    return (
        SmppAccount(
            name="simulated-sms", system_id=SIMULATED, password=SIMULATED[:8], window=_WINDOW
        ),
        WhatsAppAccount(
            name="simulated-whatsapp", url=graph, token=SIMULATED, secret=SIMULATED,
            verify=SIMULATED, window=_WINDOW,
        ),
        MessengerAccount(
            name="simulated-messenger", url=graph, token=SIMULATED, secret=SIMULATED,
            verify=SIMULATED, window=_WINDOW,
        ),
        ViberAccount(
            name="simulated-viber", url=f"{BASE}/viber", token=SIMULATED, window=_WINDOW
        ),
        _gateway(MessageChannel.MMS), _gateway(MessageChannel.RCS), _gateway(MessageChannel.EMAIL),
    )  # fmt: skip


def _gateway(channel: MessageChannel) -> GatewayAccount:
    return GatewayAccount(
        name=f"simulated-{channel}", channels=(channel,), window=_WINDOW,
        send=Asking(_GATEWAY, headers=_BEARER, body=_BODY), reason="error.reason",
        revoke=Asking(f"{_GATEWAY}/{{ref}}", "DELETE", _BEARER),
        read=Asking(f"{_GATEWAY}/{{ref}}/read", "POST", _BEARER), key="Idempotency-Key",
        signature=Signature(SIMULATED, header="X-Signature", kind="hmac-sha256", prefix="sha256="),
        receipt=ReceiptMap(reason="error.reason", code="error.code"),
        inbound=InboundMap(
            id="id", type="content.message_type", channel="channel", content="content"
        ),
    )  # fmt: skip
