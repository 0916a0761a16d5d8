// A room done bare with socket.io and better-sqlite3: a message is validated, inserted with a commit
// of its own, acknowledged to its sender and broadcast; members acknowledge every event.
// No token, no membership, no resume.   node room_socketio.js PORT DATABASE
const { Server } = require("socket.io");

const [port, file] = process.argv.slice(2);
const db = require("better-sqlite3")(file);
db.pragma("journal_mode = WAL");
db.pragma("synchronous = FULL");
db.exec(`CREATE TABLE event (
  position INTEGER PRIMARY KEY, conversation_id TEXT NOT NULL, id INTEGER NOT NULL,
  timestamp INTEGER NOT NULL, type TEXT NOT NULL, sender TEXT, body TEXT NOT NULL,
  UNIQUE (conversation_id, id))`);
const insert = db.prepare(
  "INSERT INTO event (conversation_id, id, timestamp, type, sender, body) VALUES (?, ?, ?, ?, ?, ?)");
const newest = new Map();
let unacknowledged = 0;

const isMessage = (event) =>
  typeof event?.cid === "string" && event.type === "message" && typeof event.from === "string" &&
  event.body?.message_type === "text" && typeof event.body.text === "string" &&
  event.body.text.length <= 1000000;

const io = new Server({ transports: ["websocket"], serveClient: false, perMessageDeflate: false });

// A broadcast with acknowledgement is encoded once; the package wants a timeout with it.
const broadcast = (event) => io.to(event.cid).timeout(60000).emit("message", event, (error, answers) => {
  if (error) unacknowledged += 1;
});

io.on("connection", (socket) => {
  socket.on("join", (conversation) => {
    socket.join(conversation);
    socket.emit("joined", conversation);
  });
  socket.on("post", (event, answer) => {
    if (!isMessage(event)) return answer({ code: "http:error:validation-fail" });
    const id = (newest.get(event.cid) ?? 0) + 1, now = Date.now();
    newest.set(event.cid, id);
    insert.run(event.cid, id, now, event.type, event.from, JSON.stringify(event.body));
    answer({ id });
    broadcast({ id, cid: event.cid, from: event.from, timestamp: new Date(now).toISOString(),
      body: event.body });
  });
});
io.listen(Number(port), { host: "127.0.0.1" });
process.on("SIGTERM", () => {
  if (unacknowledged) console.error(`${unacknowledged} broadcasts were not acknowledged in time`);
  process.exit();
});
