// The server of y-websocket (its `bin/utils`, on the same ws as the other peers): a document for each path. No
// store, no authentication.

import { createServer } from "node:http";
import { WebSocketServer } from "ws";
import { setupWSConnection } from "y-websocket/bin/utils";

const http = createServer();
const server = new WebSocketServer({ server: http });

server.on("connection", setupWSConnection);

http.listen({ host: "127.0.0.1", port: 0, backlog: 4096 }, () => {
  console.log(`listens on http://127.0.0.1:${http.address().port}`);
});

process.on("SIGTERM", () => process.exit(0));
