// What is said in a room (`?room=N` of the handshake) its members hear, the speaker too. No store, no
// authentication.

import { createServer } from "node:http";
import { Server } from "socket.io";

const http = createServer();
const server = new Server(http, { serveClient: false });

server.on("connection", (socket) => {
  const room = socket.handshake.query.room;
  socket.join(room);
  socket.on("m", (body) => server.to(room).emit("m", body));
});

http.listen({ host: "127.0.0.1", port: 0, backlog: 4096 }, () => {
  console.log(`listens on http://127.0.0.1:${http.address().port}`);
});

process.on("SIGTERM", () => process.exit(0));
