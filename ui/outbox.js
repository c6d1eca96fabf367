// Photos on their way. Each has a key of its own, so that sending it again never makes a second record;
// what has not been answered is kept in this browser and survives a reload.
import { createStore as createDatabase, del, set, values } from 'idb-keyval';
import { createStore } from './store.js';
import { Refused, digits, info, predict } from './api.js';
import { access, owner, turns } from './credential.js';
import { needsCredential } from './parts.js';
import { keepThumb, scaledDown } from './picture.js';
import { announce } from './announce.js';
import { strings } from './strings.js';
import { bestName } from './names.js';

const AT_ONCE = 2;
const LONGEST_PAUSE_SECONDS = 30;
export const WHEN_SIGNED_IN = Number.MAX_SAFE_INTEGER;
const database = createDatabase('weedwatch', 'outbox');

// Photos of this page, newest first: {id, name, blob, url, state, progress, problem, retryAt, attempts, kept, answer};
// state: preparing → waiting ⇄ sending → reading → answered | refused.
export const outbox = createStore([]);
let timer = null;

function change(id, changes) {
  outbox.set(outbox.get().map((item) => (item.id === id ? { ...item, ...changes } : item)));
}

function find(id) {
  return outbox.get().find((item) => item.id === id);
}

export const waitingToBeSent = (items) => items.filter((item) => !['answered', 'refused'].includes(item.state)).length;

export async function add(files, { original = false } = {}) {
  await Promise.all([...files].map((file) => addOne(file, original)));
}

async function addOne(file, original) {
  const item = { id: digits(16), name: file.name || strings.identify.photos, added: Date.now(), owner: owner(), attempts: 0, progress: 0, kept: false };
  outbox.set([{ ...item, state: 'preparing', url: URL.createObjectURL(file) }, ...outbox.get()]);
  const blob = original ? file : await scaledDown(file);
  const limit = info.get()?.limits.max_image_bytes;
  if (limit && blob.size > limit) {
    const detail = strings.identify.tooLarge(Math.floor(limit / 2 ** 20));
    change(item.id, { state: 'refused', problem: { title: strings.identify.tooLargeTitle, detail, code: 'file_too_large' } });
    return;
  }
  let kept = true;
  try {
    await set(item.id, { id: item.id, name: item.name, added: item.added, owner: item.owner, blob }, database);
  } catch {
    kept = false;
  }
  if (!find(item.id)) return forget(item.id); // removed meanwhile
  change(item.id, { state: 'waiting', blob, kept, retryAt: 0 });
  pump();
}

// A photo is sent for whoever added it, and for nobody else who signs in here; before anybody has, it is anybody's.
const isOurs = (item) => !item.owner || item.owner === owner() || access.get()?.mode === 'off';

// What an earlier visit left behind is sent now.
export async function restore() {
  let stored = [];
  try {
    stored = await values(database);
  } catch {
    return;
  }
  const known = new Set(outbox.get().map((item) => item.id));
  const old = stored
    .filter((item) => !known.has(item.id) && isOurs(item))
    .sort((a, b) => b.added - a.added)
    .map((item) => ({ ...item, attempts: 0, progress: 0, kept: true, state: 'waiting', retryAt: 0, url: URL.createObjectURL(item.blob) }));
  outbox.set([...outbox.get(), ...old]);
  pump();
}

export function remove(id) {
  const item = find(id);
  if (item) URL.revokeObjectURL(item.url);
  outbox.set(outbox.get().filter((each) => each.id !== id));
  forget(id);
  announce(strings.identify.removed);
}

function forget(id) {
  return del(id, database).catch(() => {});
}

export function tryNow(id) {
  change(id, { retryAt: 0 });
  pump();
}

export function tryAllNow() {
  outbox.set(outbox.get().map((item) => (item.state === 'waiting' ? { ...item, retryAt: 0 } : item)));
  pump();
}

// Send what is due, oldest first, and wake up for what is due next.
function pump() {
  clearTimeout(timer);
  const busy = outbox.get().filter((item) => ['sending', 'reading'].includes(item.state)).length;
  const waiting = outbox.get().filter((item) => item.state === 'waiting' && item.retryAt < WHEN_SIGNED_IN && isOurs(item));
  const due = waiting.filter((item) => item.retryAt <= Date.now()).sort((a, b) => a.added - b.added);
  due.slice(0, Math.max(0, AT_ONCE - busy)).forEach((item) => send(item));
  const later = waiting.filter((item) => item.retryAt > Date.now()).map((item) => item.retryAt);
  if (later.length) timer = setTimeout(pump, Math.max(50, Math.min(...later) - Date.now()));
}

async function send({ id, blob }) {
  change(id, { state: 'sending', progress: 0, problem: null });
  try {
    const answer = await predict(blob, id, (progress) => change(id, progress < 1 ? { progress } : { state: 'reading' }));
    await keepThumb(answer.request_id, blob);
    await forget(id);
    change(id, { state: 'answered', answer });
    const item = find(id);
    if (item) announce(strings.identify.answered(item.name, strings.verdict[answer.verdict](bestName(answer))));
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    const { problem, retryAfterSeconds } = error;
    if (needsCredential(problem) && find(id)) {
      change(id, { state: 'waiting', problem, retryAt: WHEN_SIGNED_IN });
    } else if (problem.retry && find(id)) {
      const attempts = find(id).attempts + 1;
      const pause = retryAfterSeconds ?? Math.min(LONGEST_PAUSE_SECONDS, 2 ** attempts);
      change(id, { state: 'waiting', problem, attempts, retryAt: Date.now() + 1000 * pause * (1 + Math.random() / 4) });
    } else {
      await forget(id);
      change(id, { state: 'refused', problem });
    }
    announce(problem.title);
  }
  pump();
}

turns.subscribe(() => restore().then(tryAllNow));
addEventListener('online', tryAllNow);
document.addEventListener('visibilitychange', () => document.hidden || pump());
