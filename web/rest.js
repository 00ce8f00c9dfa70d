// Requests to the server over HTTP, in the name of who is signed in.

import { token } from './session.js';

const WAIT_MS_MAX = 20_000;

/** A request, or a call over a socket, that the server refused; `code` is one of WIRE §0.5. */
export class Refused extends Error {
  /** @param {{code?: string, message?: string, recoverable?: boolean, details?: any}} error */
  constructor(error) {
    super(error?.message || 'the server refused without saying why');
    this.code = error?.code ?? 'SERVER_ERROR';
    this.recoverable = error?.recoverable === true;
    this.details = error?.details;
  }

  /** @returns {boolean} whether another token is needed */
  get isAboutToken() {
    return this.code === 'AUTH_FAILED' || this.code === 'TOKEN_EXPIRED';
  }
}

/**
 * Fetches JSON.
 * @param {string} path
 * @returns {Promise<any>}
 * @throws {Refused}
 */
export async function fetchJson(path) {
  const response = await request(path, 'application/json');
  return response.json();
}

/**
 * Fetches text of one media type.
 * @param {string} path
 * @param {string} mediaType
 * @returns {Promise<Blob>}
 * @throws {Refused}
 */
export async function fetchBlob(path, mediaType) {
  const response = await request(path, mediaType);
  return new Blob([await response.arrayBuffer()], { type: `${mediaType};charset=utf-8` });
}

/**
 * Fetches octets.
 * @param {string} path
 * @returns {Promise<Uint8Array>}
 * @throws {Refused}
 */
export async function fetchOctets(path) {
  const response = await request(path, 'application/octet-stream');
  return new Uint8Array(await response.arrayBuffer());
}

/**
 * Posts JSON, and gives the JSON of the answer.
 * @param {string} path
 * @param {object} body
 * @returns {Promise<any>}
 * @throws {Refused}
 */
export async function postJson(path, body) {
  const response = await request(path, 'application/json', body);
  return response.json();
}

async function request(path, accept, sent) {
  const posted = sent && { method: 'POST', body: JSON.stringify(sent) };
  const typed = sent && { 'content-type': 'application/json' };
  let response;
  try {
    response = await fetch(path, {
      ...posted,
      headers: { accept, ...typed, authorization: `Bearer ${token() ?? ''}` },
      cache: 'no-store',
      signal: AbortSignal.timeout(WAIT_MS_MAX),
    });
  } catch {
    throw new Refused({ code: 'CONNECTION_LOST', message: 'The server cannot be reached.', recoverable: true });
  }
  if (response.ok) return response;
  const body = await response.json().catch(() => null);
  throw new Refused(body?.error ?? refusalOf(response.status));
}

/** What a status alone says, as a proxy gives it, for instance. */
function refusalOf(status) {
  const code = { 400: 'CLIENT_ERROR', 401: 'AUTH_FAILED', 413: 'TOO_LARGE' }[status] ?? 'SERVER_ERROR';
  return { code, message: `the server answered ${status}`, recoverable: status >= 500 || status === 408 || status === 429 };
}
