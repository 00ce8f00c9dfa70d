// What a client says next.

/**
 * The data of the next event of this name that fits.
 * @param {{once: Function, on: Function}} client
 * @param {string} event
 * @param {(data: any) => boolean} [fits]
 */
export function next(client, event, fits = () => true) {
  return new Promise((resolve) => {
    const off = client.on(event, (data) => {
      if (!fits(data)) return;
      off();
      resolve(data);
    });
  });
}
