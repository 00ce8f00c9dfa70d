// What stands between a client and its server: a proxy for TCP that can cut every connection through it, and keep
// new ones out for a while.

import { once } from 'node:events';
import { connect, createServer } from 'node:net';

/** A proxy in front of a server. */
export class Proxy {
  #pairs = new Set();
  #listener;
  #open = true;
  #frozen = false;

  /** @param {{after: Function}} test at whose end it ends */
  static async start(test, server) {
    const proxy = new Proxy();
    proxy.#listener = createServer((near) => {
      if (!proxy.#open) return near.destroy();
      const far = connect(server.port, '127.0.0.1');
      const pair = [near, far];
      proxy.#pairs.add(pair);
      for (const [one, other] of [pair, [far, near]]) {
        one.on('error', () => other.destroy());
        one.on('close', () => {
          other.destroy();
          proxy.#pairs.delete(pair);
        });
        if (!proxy.#frozen) one.pipe(other);
      }
    });
    proxy.#listener.listen(0, '127.0.0.1');
    await once(proxy.#listener, 'listening');
    test.after(() => {
      proxy.cut();
      proxy.#listener.close();
    });
    return proxy;
  }

  get url() {
    return `http://127.0.0.1:${this.#listener.address().port}`;
  }

  /** Ends every connection through it, and lets nobody in until `mend`. */
  cut() {
    this.#open = false;
    for (const sockets of this.#pairs) sockets.forEach((socket) => socket.destroy());
  }

  /** Lets everybody in again. */
  mend() {
    this.#open = true;
    this.#frozen = false;
  }

  /** Every connection stays and can be made, and nothing comes through any more, until `mend` for new ones. */
  freeze() {
    this.#frozen = true;
    for (const [near, far] of this.#pairs) [near, far].forEach((socket) => socket.unpipe().pause());
  }
}
