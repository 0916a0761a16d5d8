// A room done bare with Bun's own websockets and SQLite: a message is posted, validated, inserted
// with a commit of its own, published to the room's topic and answered 201; members send back the id
// of every event. No token, no membership, no resume.   bun room_bun.js PORT DATABASE
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
const route = /^\/v1\/conversations\/([^/]+)\/(events|socket)$/;

const problem = (status) => Response.json({ code: "http:error:validation-fail" }, { status });

const isMessage = (event) =>
  event?.type === "message" && typeof event.from === "string" &&
  event.body?.message_type === "text" && typeof event.body.text === "string" &&
  event.body.text.length <= 1000000;

async function create(request, server, cid) {
  let event;
  try { event = await request.json(); } catch { return problem(400); }
  if (!isMessage(event)) return problem(400);
  const id = (newest.get(cid) ?? 0) + 1, now = Date.now();
  newest.set(cid, id);
  insert.run(cid, id, now, event.type, event.from, JSON.stringify(event.body));
  const { from, body } = event;
  const timestamp = new Date(now).toISOString();
  server.publish(cid, JSON.stringify({ id, type: event.type, cid, from, timestamp, body }));
  return Response.json({ id, timestamp }, { status: 201 });
}

Bun.serve({
  hostname: "127.0.0.1", port: Number(port),
  fetch(request, server) {
    const match = route.exec(new URL(request.url).pathname);
    if (!match) return problem(404);
    if (match[2] === "events") return create(request, server, match[1]);
    return server.upgrade(request, { data: { cid: match[1], acknowledged: 0 } }) ? undefined : problem(400);
  },
  websocket: {
    perMessageDeflate: false,
    open(socket) { socket.subscribe(socket.data.cid); },
    message(socket, text) {
      const id = Number(text);
      if (id > socket.data.acknowledged) socket.data.acknowledged = id;
    },
  },
});
