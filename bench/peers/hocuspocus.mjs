// Hocuspocus as it comes: updates of one turn go out merged. No store, no authentication.

import { Server } from "@hocuspocus/server";

const server = new Server({ address: "127.0.0.1", port: 0, quiet: true, stopOnSignals: false });

await server.listen();
console.log(`listens on http://127.0.0.1:${server.address.port}`);

process.on("SIGTERM", () => process.exit(0));
