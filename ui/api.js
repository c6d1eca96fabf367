// The public HTTP API. Whatever goes wrong becomes a Refused with a problem: {title, detail, code, retry}.
import { strings } from './strings.js';
import { createStore } from './store.js';
import { access, held, hold, lost, turns } from './credential.js';

export class Refused extends Error {
  constructor(problem, retryAfterSeconds = null) {
    super(problem.detail);
    this.problem = problem;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

function notReached() {
  const code = navigator.onLine ? 'unreachable' : 'offline';
  return new Refused({ ...strings.problems[code], code, retry: true });
}

function refusal(status, text, retryAfter) {
  let problem;
  try {
    problem = JSON.parse(text);
  } catch {
    problem = null;
  }
  if (!problem?.code) problem = { ...strings.problems.unclear, code: `status ${status}`, retry: status >= 500 || status === 429 };
  return new Refused(problem, Number(retryAfter) || null);
}

// The one place that sends the credential.
const withCredential = (headers, credential) => (credential ? { ...headers, Authorization: `Bearer ${credential}` } : headers);

// Without a valid credential the page asks for one, unless the caller does that itself (`asks`).
function refused(refusal, credential, asks = false) {
  if (refusal.problem.code !== 'unauthorized' || asks) return refusal;
  lost(credential);
  return new Refused({ ...refusal.problem, ...strings.credential.first });
}

// JSON out, JSON in. `revision` is the one that was read and is to be changed; a `timeout` in milliseconds ends a wait
// that leads nowhere.
export async function call(method, path, { json, body, type, revision, signal, asks, credential = held(), timeout = 30000 } = {}) {
  const headers = {};
  if (json !== undefined) headers['Content-Type'] = 'application/json';
  if (type) headers['Content-Type'] = type;
  if (revision !== undefined) headers['If-Match'] = `"${revision}"`;
  const limit = AbortSignal.timeout(timeout);
  let answer, text;
  try {
    answer = await fetch(path, {
      method,
      headers: withCredential(headers, credential),
      body: json !== undefined ? JSON.stringify(json) : body,
      signal: signal ? AbortSignal.any([signal, limit]) : limit,
      cache: 'no-store',
    });
    text = await answer.text();
  } catch (error) {
    if (signal?.aborted) throw error;
    throw notReached();
  }
  if (!answer.ok) throw refused(refusal(answer.status, text, answer.headers.get('Retry-After')), credential, asks);
  return text ? JSON.parse(text) : null;
}

// A picture or a file; `cache` as in fetch.
export async function fetchBlob(path, { signal, timeout = 30000, cache = 'default' } = {}) {
  const credential = held();
  const limit = AbortSignal.timeout(timeout);
  try {
    const answer = await fetch(path, { headers: withCredential({}, credential), signal: signal ? AbortSignal.any([signal, limit]) : limit, cache });
    if (!answer.ok) throw refused(refusal(answer.status, await answer.text(), answer.headers.get('Retry-After')), credential);
    return await answer.blob();
  } catch (error) {
    if (signal?.aborted || error instanceof Refused) throw error;
    throw notReached();
  }
}

// Server-sent events as they come; an EventSource could carry no credential, and would begin again by itself.
export async function* events(path, signal) {
  const credential = held();
  let answer;
  try {
    answer = await fetch(path, { headers: withCredential({}, credential), signal, cache: 'no-store' });
  } catch (error) {
    if (signal.aborted) throw error;
    throw notReached();
  }
  if (!answer.ok) throw refused(refusal(answer.status, await answer.text(), answer.headers.get('Retry-After')), credential);
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      const blocks = (rest + value).split(/\r?\n\r?\n/);
      rest = blocks.pop();
      for (const block of blocks) {
        const data = block.split(/\r?\n/).filter((line) => line.startsWith('data:')).map((line) => line.slice(5).trimStart());
        if (data.length) yield JSON.parse(data.join('\n'));
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

// Random hexadecimal digits, two a byte. crypto.randomUUID is missing where a page is not served by HTTPS or from this machine.
export const digits = (bytes) => Array.from(crypto.getRandomValues(new Uint8Array(bytes)), (byte) => byte.toString(16).padStart(2, '0')).join('');

// W3C: the trace begins here, and the service goes on with it. Its last digit says whether it is recorded.
const traceparent = () => `00-${digits(16)}-${digits(8)}-0${Math.random() < (access.get()?.traces ?? 0) ? 1 : 0}`;

// A photo to POST /predict.
export function predict(blob, key, onProgress) {
  const type = blob.type.startsWith('image/') ? blob.type : 'application/octet-stream';
  return upload('/predict', blob, { headers: { 'Content-Type': type, 'Idempotency-Key': key, traceparent: traceparent() }, onProgress });
}

// fetch has no progress of the upload, XMLHttpRequest has.
export function upload(path, body, { headers = {}, onProgress, signal, asks, timeout = 600000 }) {
  const credential = held();
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open('POST', path);
    request.timeout = timeout;
    Object.entries(withCredential(headers, credential)).forEach(([name, value]) => request.setRequestHeader(name, value));
    signal?.addEventListener('abort', () => request.abort());
    request.onabort = () => reject(signal.reason);
    request.upload.onprogress = (event) => onProgress(event.lengthComputable ? event.loaded / event.total : 0);
    request.upload.onload = () => onProgress(1);
    request.onerror = request.ontimeout = () => reject(notReached());
    request.onload = () => {
      if (request.status >= 200 && request.status < 300) resolve(JSON.parse(request.responseText));
      else reject(refused(refusal(request.status, request.responseText, request.getResponseHeader('Retry-After')), credential, asks));
    };
    request.send(body);
  });
}

export async function loadAccess() {
  hold(held(), await call('GET', '/access'));
}

// Takes a credential if the service does; else gives the problem. `inPlace`: what is on the page stays as it is.
export async function offer(credential, { inPlace = false } = {}) {
  try {
    const facts = await call('GET', '/access', { credential });
    if (!facts.caller) await call('GET', '/info', { credential, asks: true }); // it says why
    hold(credential, facts);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    return error.problem;
  }
  if (!inPlace) turns.set(turns.get() + 1);
  return null;
}

// What is served; null until the service has said so.
export const info = createStore(null);

export async function loadInfo() {
  try {
    info.set(await call('GET', '/info'));
  } catch {
    // Names and limits are missing then; every room works without them, and asks again.
  }
}
