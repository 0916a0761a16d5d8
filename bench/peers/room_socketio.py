"""A room done bare with python-socketio on uvicorn: `room_socketio.py PORT DATABASE`.

A message is validated, inserted with a commit of its own, acknowledged to its sender and broadcast;
members acknowledge every event. No token, no membership, no resume.
"""

import json
import sqlite3
import sys
import time
from datetime import UTC, datetime
from typing import Any

import socketio
import uvicorn

port, file = int(sys.argv[1]), sys.argv[2]
db = sqlite3.connect(file, isolation_level=None)
db.execute("PRAGMA journal_mode=WAL")
db.execute("PRAGMA synchronous=FULL")
db.execute("""CREATE TABLE event (
    position INTEGER PRIMARY KEY, conversation_id TEXT NOT NULL, id INTEGER NOT NULL,
    timestamp INTEGER NOT NULL, type TEXT NOT NULL, sender TEXT, body TEXT NOT NULL,
    UNIQUE (conversation_id, id))""")
newest: dict[str, int] = {}
acknowledged = 0
io = socketio.AsyncServer(async_mode="asgi", transports=["websocket"])


def count(*_answer: Any) -> None:
    global acknowledged
    acknowledged += 1


def is_message(event: Any) -> bool:
    try:
        body = event["body"]
        return (
            event["type"] == "message"
            and isinstance(event["cid"], str)
            and isinstance(event["from"], str)
            and body["message_type"] == "text"
            and len(body["text"]) <= 1_000_000
        )
    except (KeyError, TypeError):
        return False


@io.event
async def join(sid: str, conversation: str) -> None:
    await io.enter_room(sid, conversation)
    await io.emit("joined", conversation, to=sid)


# Committed on the loop, as in fastapi_app.py.
@io.event
async def post(_sid: str, event: dict[str, Any]) -> dict[str, Any]:
    if not is_message(event):
        return {"code": "http:error:validation-fail"}
    cid, now = event["cid"], time.time()
    number = newest[cid] = newest.get(cid, 0) + 1
    db.execute(
        "INSERT INTO event (conversation_id, id, timestamp, type, sender, body)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (cid, number, int(now * 1000), event["type"], event["from"], json.dumps(event["body"])),
    )
    told = {
        "id": number,
        "cid": cid,
        "from": event["from"],
        "timestamp": datetime.fromtimestamp(now, UTC).isoformat(),
        "body": event["body"],
    }
    await io.emit("message", told, room=cid, callback=count)
    return {"id": number}


uvicorn.run(
    socketio.ASGIApp(io),
    host="127.0.0.1",
    port=port,
    loop="uvloop",
    ws="websockets-sansio",
    log_level="error",
    access_log=False,
    backlog=4096,
    ws_ping_interval=None,
    ws_per_message_deflate=False,
)
