"""The shortest use of the published Python SDK: a user made and read back, and a call.

REQUESTS_CA_BUNDLE=<ca_file> python drive_server_sdk.py <dev.json>
"""

import json
import sys
import uuid
from pathlib import Path

from vonage import Auth, HttpClientOptions, Vonage
from vonage_users import User
from vonage_voice import CreateCallRequest

dev = json.loads(Path(sys.argv[1]).read_text())
host = dev["api_url_tls"].removeprefix("https://")
client = Vonage(
    Auth(application_id=dev["application_id"], private_key=dev["private_key_file"]),
    HttpClientOptions(api_host=host, rest_host=host, video_host=host),
)
user = client.users.create_user(User(name=f"py-{uuid.uuid4().hex[:6]}", display_name="Py"))
print("ok   users.create_user", user.id)
assert client.users.get_user(user.id).name == user.name
print("ok   users.get_user")
call = client.voice.create_call(
    CreateCallRequest(
        to=[{"type": "phone", "number": "447700900000"}],
        from_={"type": "phone", "number": "447700900001"},
        ncco=[{"action": "talk", "text": "hi"}],
    )
)
print("ok   voice.create_call", call.uuid)
print("3 passed, 0 failed")
