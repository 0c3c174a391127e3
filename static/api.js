/** Requests to the API: retries with back-off, a time limit, and every failure as a sentence that says what to do. */

const RETRIED = new Set([429, 503]);
const RETRIES = 5;
const LONGEST_PAUSE_S = 30;
const TIME_LIMIT_MS = 60_000;

/** @type {Record<number, string>} */
const ADVICE = {
  400: "The server did not understand this request. Reload the page and try again.",
  404: "The server does not know this request: the address in config.js may be wrong.",
  406: "The server cannot answer in this form. Choose another one.",
  413: "This picture is SIZE, which is too large to send. Choose one under 4.5 MB.",
  415: "The server cannot read this file as a picture. Choose a JPEG, PNG or WebP.",
  422: "The server cannot work with this. Change it and try again.",
  429: "Too many people are asking at once. Wait a minute, then try again.",
  503: "The model is not available at the moment. Wait a minute, then try again.",
};

/** A failure that a visitor can do something about: `message` is the sentence to show. */
export class Problem extends Error {
  /** @param {string} sentence @param {number} [status] */
  constructor(sentence, status = 0) {
    super(sentence);
    this.name = "Problem";
    this.status = status;
  }
}

/**
 * What a piece of work (`job` in notes.js) passes to its requests: `onWait` is called before each pause for a retry,
 * `onCold` after an answer for which the server had to start.
 * @typedef {{signal?: AbortSignal, onWait?: (wait: {status: number, seconds: number}) => void, onCold?: () => void}} Context
 */

/** @param {string} path  from the root of the API */
export const address = (path) => window.CARVAE_API + path;

/** Longest side of a picture on a sheet, in pixels: a larger view asks for the car again. */
export const SHEET = { size: 128 };

/**
 * A path whose answer holds pictures: as WebP, an eighth of the bytes that PNG takes.
 * @param {string} path
 * @param {Record<string, string | number>} [query]
 */
export function pictured(path, query = {}) {
  const texts = Object.entries(query).map(([name, value]) => [name, String(value)]);
  return `${path}?${new URLSearchParams([...texts, ["image", "webp"]])}`;
}

/**
 * Send one request, again after 429 and 503.
 * @param {string} path  from the root of the API
 * @param {RequestInit & Context} [options]
 * @returns {Promise<Response>}  an answer with a status of 2xx
 * @throws {Problem}  for every other end, except an abort by `signal`, which rejects as fetch does
 */
export async function request(path, { signal, onWait = () => {}, onCold = () => {}, ...options } = {}) {
  for (let attempt = 0; ; attempt += 1) {
    const answer = await send(path, options, signal);
    if (/\bcold\b/.test(answer.headers.get("Server-Timing") ?? "")) onCold();
    const version = answer.headers.get("Carvae-Model-Version");
    if (version) $(document).trigger("model", version);
    if (answer.ok) return answer;
    const seconds = pauseBefore(answer, attempt);
    if (!RETRIED.has(answer.status) || attempt === RETRIES || seconds > LONGEST_PAUSE_S) throw await problem(answer, options.body);
    onWait({ status: answer.status, seconds });
    await pause(seconds, signal);
  }
}

/**
 * The same, for an answer in JSON; `options.json` is sent as the body.
 * @param {string} path
 * @param {RequestInit & Context & {json?: object}} [options]
 * @returns {Promise<any>}
 */
export async function requestJson(path, { json, ...options } = {}) {
  const headers = { Accept: "application/json", ...(json && { "Content-Type": "application/json" }) };
  const body = json && { method: "POST", body: JSON.stringify(json) };
  const answer = await request(path, { headers, ...body, ...options });
  return answer.json().catch((error) => {
    if (options.signal?.aborted) throw error;
    throw new Problem("The answer broke off before it was complete. Check the connection, then try again.");
  });
}

/** @param {string} path @param {RequestInit} options @param {AbortSignal} [signal] */
async function send(path, options, signal) {
  signal?.throwIfAborted();
  const limit = new AbortController(); // AbortSignal.any would break the page in browsers without it
  setTimeout(() => limit.abort(), TIME_LIMIT_MS);
  signal?.addEventListener("abort", () => limit.abort(signal.reason));
  try {
    return await (sentAlready(path, limit.signal) ?? fetch(address(path), { ...options, signal: limit.signal }));
  } catch (error) {
    if (signal?.aborted) throw error;
    if (limit.signal.aborted) throw new Problem("The server has not answered for a minute. Try again later.");
    if (!navigator.onLine) throw new Problem("You are offline. Try again when the connection is back.");
    throw new Problem("The server cannot be reached. Check the connection, then try again.");
  }
}

/** The answer to the one request that start.js has sent, if it is this one. @param {string} path @param {AbortSignal} signal */
function sentAlready(path, signal) {
  const first = window.CARVAE_FIRST;
  if (first?.path !== path) return undefined;
  window.CARVAE_FIRST = undefined;
  signal.addEventListener("abort", () => first.abort(signal.reason));
  return first.answer;
}

/** Seconds to wait: what the server asks for, else 1, 2, 4, 8 ... with jitter so that clients spread out. @param {Response} answer @param {number} attempt */
function pauseBefore(answer, attempt) {
  const asked = Number.parseFloat(answer.headers.get("Retry-After") ?? "");
  return asked >= 0 ? asked : 2 ** attempt * (0.5 + Math.random());
}

/** @type {(seconds: number, signal?: AbortSignal) => Promise<void>} */
export function pause(seconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, seconds * 1000);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });
}

/** @param {Response} answer @param {RequestInit["body"]} sent */
async function problem(answer, sent) {
  const advice = (ADVICE[answer.status] ?? "The server failed, which is not your fault. Try again later.").replace("SIZE", sizeOf(sent));
  const body = await answer.json().catch(() => ({}));
  return new Problem(body.detail ? `${advice} (${body.detail})` : advice, answer.status);
}

/** Of the files in a form. @param {RequestInit["body"]} sent */
function sizeOf(sent) {
  const files = sent instanceof FormData ? [...sent.values()].filter((value) => value instanceof File) : [];
  return `${(files.reduce((sum, { size }) => sum + size, 0) / 1e6).toFixed(1)} MB`;
}
