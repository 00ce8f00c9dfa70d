// How calls and events are written in frames (WIRE §0.4), and what an error looks like (WIRE §0.5). A call's data comes
// here as JSON text: it was written down when the call was made, and is sent again exactly so.

/**
 * @typedef {{event: string, data: any, requestId: string|null}} Frame
 * @typedef {{encode: (event: string, body: string, requestId: string) => string, decode: (text: string) => Frame|null}} Envelope
 */

/** `{"event","data","requestId","version":"1"}`, as `/chat` and `/api/connect` speak. @type {Envelope} */
export const PLAIN = {
  encode: (event, body, requestId) =>
    `{"event":${JSON.stringify(event)},"data":${body},"requestId":${JSON.stringify(requestId)},"version":"1"}`,
  decode(text) {
    const frame = parse(text);
    if (typeof frame?.event !== 'string') return null;
    return { event: frame.event, data: frame.data, requestId: textOrNull(frame.requestId) };
  },
};

/** `{"type",…fields,"requestId"}`, as `/documents` speaks. @type {Envelope} */
export const TYPED = {
  encode(event, body, requestId) {
    const head = `{"type":${JSON.stringify(event)},"requestId":${JSON.stringify(requestId)}`;
    return body === '{}' ? `${head}}` : `${head},${body.slice(1)}`;
  },
  decode(text) {
    const frame = parse(text);
    if (typeof frame?.type !== 'string') return null;
    const { type, requestId, ...fields } = frame;
    return { event: type, data: type === 'error' ? fields.error : fields, requestId: textOrNull(requestId) };
  },
};

/**
 * An error as data.
 * @param {string} code
 * @param {string} message
 * @param {any} [details]
 * @returns {{code: string, message: string, details?: any, recoverable: boolean}}
 */
export function fault(code, message, details) {
  const recoverable = code === 'CONNECTION_LOST' || code === 'OVERLOADED' || code === 'CONFLICT';
  return { code, message, ...(details === undefined ? {} : { details }), recoverable };
}

/**
 * Whether an answer is an error.
 * @param {string} event
 * @param {any} data
 */
export function isFault(event, data) {
  if (typeof data?.code !== 'string' || typeof data.message !== 'string') return false;
  return event === 'error' || event === 'chat:error' || typeof data.recoverable === 'boolean';
}

function parse(text) {
  try {
    const frame = JSON.parse(text);
    return frame !== null && typeof frame === 'object' ? frame : null;
  } catch {
    return null;
  }
}

function textOrNull(value) {
  return typeof value === 'string' ? value : null;
}
