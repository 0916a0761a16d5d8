// The same route done bare: parse, validate, insert with a commit of its own, answer 201.
// No token, no membership, no webhooks, no limits.   bun bun.js PORT DATABASE
import { Database } from "bun:sqlite";

const [port, file] = process.argv.slice(2);
const db = new Database(file);
db.exec("PRAGMA journal_mode=WAL");
db.exec("PRAGMA synchronous=FULL");
db.exec(`CREATE TABLE event (
  position INTEGER PRIMARY KEY, conversation_id TEXT NOT NULL, id INTEGER NOT NULL,
  timestamp INTEGER NOT NULL, type TEXT NOT NULL, sender TEXT, body TEXT NOT NULL,
  UNIQUE (conversation_id, id))`);
const insert = db.prepare(
  "INSERT INTO event (conversation_id, id, timestamp, type, sender, body) VALUES (?, ?, ?, ?, ?, ?)");
const newest = new Map();
const route = /^\/v1\/conversations\/([^/]+)\/events$/;

const problem = (status) => Response.json({ code: "http:error:validation-fail" }, { status });

const isMessage = (event) =>
  typeof event?.type === "string" && typeof event.from === "string" &&
  event.body?.message_type === "text" && typeof event.body.text === "string" &&
  event.body.text.length <= 1000000;

async function create(request, conversation) {
  let event;
  try { event = await request.json(); } catch { return problem(400); }
  if (!isMessage(event)) return problem(400);
  const id = (newest.get(conversation) ?? 0) + 1, now = Date.now();
  newest.set(conversation, id);
  insert.run(conversation, id, now, event.type, event.from, JSON.stringify(event.body));
  const answer = { id, type: event.type, from: event.from, body: event.body,
    timestamp: new Date(now).toISOString(),
    _links: { self: { href: `http://127.0.0.1:${port}/v1/conversations/${conversation}/events/${id}` } } };
  return Response.json(answer, { status: 201 });
}

Bun.serve({
  hostname: "127.0.0.1", port: Number(port),
  fetch(request) {
    const match = route.exec(new URL(request.url).pathname);
    return match && request.method === "POST" ? create(request, match[1]) : problem(404);
  },
});
