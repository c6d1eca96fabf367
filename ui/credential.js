// Who is signed in: the one credential of this page, in memory only, and what it allows.
import { createStore } from './store.js';

// {mode, oidc, caller} as GET /access says it; null until it has said so.
export const access = createStore(null);
// Set when somebody has to give a credential: {ended} when there was one; {problem} when signing in did not work.
export const wanted = createStore(null);
// Counts the credentials that were taken: what needed one begins anew.
export const turns = createStore(0);
let secret = null;
let declined = false;

export const held = () => secret;

export function hold(next, facts) {
  secret = next;
  access.set(facts);
}

// `used` is no longer valid. Who does not want to sign in is not asked again by what goes on by itself.
export function lost(used) {
  if (used !== secret) return; // another one has taken its place
  if (used) hold(null, { ...access.get(), caller: null });
  if (used || !declined) wanted.set({ ended: used !== null });
}

export function decline() {
  declined = secret === null;
  wanted.set(null);
}

export const may = (scope) => access.get()?.caller?.scopes.includes(scope) ?? false;

// Whether an act is offered: not to those who have shown that they may not. Admin work asks for a credential by itself
// where all else is open.
export function offers(scope) {
  const { mode, caller } = access.get() ?? { mode: 'off' };
  return may(scope) || mode === 'off' || (!caller && scope !== 'admin');
}

// Whose photos are sent now; null for nobody in particular.
export const owner = () => access.get()?.caller?.owner ?? null;
