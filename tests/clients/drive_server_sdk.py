"""The shortest use of the published Python SDK: a user made and read back.

REQUESTS_CA_BUNDLE=<ca_file> python drive_server_sdk.py <dev.json>
"""

import json
import sys
import uuid
from pathlib import Path

from vonage import Auth, HttpClientOptions, Vonage
from vonage_users import User

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
print("2 passed, 0 failed")
