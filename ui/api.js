// The public HTTP API. Whatever goes wrong becomes a Refused with a problem: {title, detail, code, retry}.
import { strings } from './strings.js';
import { createStore } from './store.js';

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

// JSON out, JSON in. `token` is the admin token, `revision` the one that was read and is to be changed; a `timeout` in
// milliseconds ends a wait that leads nowhere.
export async function call(method, path, { json, body, type, token, revision, signal, timeout = 30000 } = {}) {
  const headers = {};
  if (json !== undefined) headers['Content-Type'] = 'application/json';
  if (type) headers['Content-Type'] = type;
  if (token) headers.Authorization = `Bearer ${token}`;
  if (revision !== undefined) headers['If-Match'] = `"${revision}"`;
  const limit = AbortSignal.timeout(timeout);
  let answer, text;
  try {
    answer = await fetch(path, {
      method,
      headers,
      body: json !== undefined ? JSON.stringify(json) : body,
      signal: signal ? AbortSignal.any([signal, limit]) : limit,
      cache: 'no-store',
    });
    text = await answer.text();
  } catch (error) {
    if (signal?.aborted) throw error;
    throw notReached();
  }
  if (!answer.ok) throw refusal(answer.status, text, answer.headers.get('Retry-After'));
  return text ? JSON.parse(text) : null;
}

// Server-sent events as they come; an EventSource could carry no credential, and would begin again by itself.
export async function* events(path, signal) {
  let answer;
  try {
    answer = await fetch(path, { signal, cache: 'no-store' });
  } catch (error) {
    if (signal.aborted) throw error;
    throw notReached();
  }
  if (!answer.ok) throw refusal(answer.status, await answer.text(), answer.headers.get('Retry-After'));
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

// A photo to POST /predict.
export function predict(blob, key, onProgress) {
  const type = blob.type.startsWith('image/') ? blob.type : 'application/octet-stream';
  return upload('/predict', blob, { headers: { 'Content-Type': type, 'Idempotency-Key': key }, onProgress });
}

// fetch has no progress of the upload, XMLHttpRequest has.
export function upload(path, body, { headers = {}, onProgress, signal, timeout = 600000 }) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open('POST', path);
    request.timeout = timeout;
    Object.entries(headers).forEach(([name, value]) => request.setRequestHeader(name, value));
    signal?.addEventListener('abort', () => request.abort());
    request.onabort = () => reject(signal.reason);
    request.upload.onprogress = (event) => onProgress(event.lengthComputable ? event.loaded / event.total : 0);
    request.upload.onload = () => onProgress(1);
    request.onerror = request.ontimeout = () => reject(notReached());
    request.onload = () => {
      if (request.status >= 200 && request.status < 300) resolve(JSON.parse(request.responseText));
      else reject(refusal(request.status, request.responseText, request.getResponseHeader('Retry-After')));
    };
    request.send(body);
  });
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
