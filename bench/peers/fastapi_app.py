"""The same route done bare: parse, validate, insert with a commit of its own, answer 201.

No token, no membership, no webhooks, no limits. The database's path is in the environment.
"""

import os
import sqlite3
import time
from datetime import UTC, datetime
from typing import Any, Literal

from fastapi import FastAPI
from pydantic import BaseModel, Field

db = sqlite3.connect(os.environ["BENCH_DATABASE"], isolation_level=None)
db.execute("PRAGMA journal_mode=WAL")
db.execute("PRAGMA synchronous=FULL")
db.execute("""CREATE TABLE event (
    position INTEGER PRIMARY KEY, conversation_id TEXT NOT NULL, id INTEGER NOT NULL,
    timestamp INTEGER NOT NULL, type TEXT NOT NULL, sender TEXT, body TEXT NOT NULL,
    UNIQUE (conversation_id, id))""")
newest: dict[str, int] = {}
app = FastAPI()


class Message(BaseModel):
    message_type: Literal["text"]
    text: str = Field(max_length=1_000_000)


class Event(BaseModel):
    type: Literal["message"]
    sender: str = Field(alias="from")
    body: Message


# Committed on the loop: measured faster than the thread pool that a plain `def` would take.
@app.post("/v1/conversations/{conversation}/events", status_code=201)
async def create(conversation: str, event: Event) -> dict[str, Any]:
    number = newest[conversation] = newest.get(conversation, 0) + 1
    now = time.time()
    db.execute(
        "INSERT INTO event (conversation_id, id, timestamp, type, sender, body)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (
            conversation,
            number,
            int(now * 1000),
            event.type,
            event.sender,
            event.body.model_dump_json(),
        ),
    )
    return {
        "id": number,
        "type": event.type,
        "from": event.sender,
        "body": event.body,
        "timestamp": datetime.fromtimestamp(now, UTC).isoformat(),
        "_links": {"self": {"href": f"/v1/conversations/{conversation}/events/{number}"}},
    }
