// What is said in a room (`/?room=N`) its members hear, the speaker too. No store, no authentication.

import { WebSocketServer } from "ws";

const rooms = new Map();
const server = new WebSocketServer({ host: "127.0.0.1", port: 0, backlog: 4096 });

server.on("listening", () => console.log(`listens on http://127.0.0.1:${server.address().port}`));

server.on("connection", (socket, request) => {
  const name = request.url;
  if (!rooms.has(name)) rooms.set(name, new Set());
  const members = rooms.get(name);
  members.add(socket);
  socket.on("message", (body) => {
    for (const member of members) member.send(body, { binary: false });
  });
  socket.on("close", () => members.delete(socket));
});

process.on("SIGTERM", () => process.exit(0));
