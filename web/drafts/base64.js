// Octets as base64, as they travel in JSON.

/** @param {Uint8Array} octets */
export function toBase64(octets) {
  let binary = '';
  for (const octet of octets) binary += String.fromCharCode(octet);
  return btoa(binary);
}

/** @param {string} text @throws when it is none */
export function fromBase64(text) {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}
