// Who is signed in: the token, taken from the address or from the sign-in form and kept for this tab.
// Its claims are read for display alone; the server checks them.

const KEY = 'parlor.token';

/**
 * Takes the token out of the address's fragment (`#token=…`) and removes it from there.
 * @returns {boolean} whether there was one
 */
export function takeFromAddress() {
  const found = /^#token=([^&]+)/.exec(location.hash);
  if (!found) return false;
  history.replaceState(null, '', `${location.pathname}${location.search}#/documents`);
  sessionStorage.setItem(KEY, decodeURIComponent(found[1]));
  return true;
}

/**
 * Signs in with what was pasted: a token, or an address that holds one.
 * @param {string} pasted
 * @returns {string|null} what is wrong with it, for people
 */
export function signIn(pasted) {
  const text = (/#token=([^&\s]+)/.exec(pasted)?.[1] ?? pasted).trim();
  const claims = decode(text);
  if (!claims) return 'This is not a token: a token has three parts with dots between them.';
  if (typeof claims.exp === 'number' && claims.exp * 1000 < Date.now()) {
    return `This token ended at ${new Date(claims.exp * 1000).toLocaleString()}.`;
  }
  sessionStorage.setItem(KEY, text);
  return null;
}

/** Forgets the token. */
export function signOut() {
  sessionStorage.removeItem(KEY);
}

/** @returns {string|null} the token */
export function token() {
  return sessionStorage.getItem(KEY);
}

/**
 * Whom the token names.
 * @returns {{id: string, name: string, userType: string, expiresAt: number|null}|null}
 */
export function user() {
  const claims = decode(token() ?? '');
  if (!claims) return null;
  const id = String(claims.sub ?? claims.userId ?? '');
  return {
    id,
    name: typeof claims.name === 'string' && claims.name.trim() ? claims.name : id,
    userType: String(claims.userType ?? claims.role ?? 'employee'),
    expiresAt: typeof claims.exp === 'number' ? claims.exp * 1000 : null,
  };
}

/**
 * The address of a WebSocket endpoint of this server, with the token.
 * @param {string} path
 * @param {Record<string, string>} [parameters]
 * @returns {string}
 */
export function socketAddress(path, parameters = {}) {
  const address = new URL(path, location.href);
  address.protocol = location.protocol === 'https:' ? 'wss:' : 'ws:';
  address.hash = '';
  address.search = new URLSearchParams({ ...parameters, token: token() ?? '', refuse: 'close' }).toString();
  return address.href;
}

function decode(text) {
  const parts = text.split('.');
  if (parts.length !== 3) return null;
  try {
    const binary = atob(parts[1].replaceAll('-', '+').replaceAll('_', '/'));
    const claims = JSON.parse(new TextDecoder().decode(Uint8Array.from(binary, (byte) => byte.charCodeAt(0))));
    return claims !== null && typeof claims === 'object' ? claims : null;
  } catch {
    return null;
  }
}
