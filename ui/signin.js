// Who is signed in, and the dialog in which somebody signs in: with a key, or at the OpenID provider.
import { useEffect, useRef, useState } from 'preact/hooks';
import { html } from './html.js';
import { strings } from './strings.js';
import { Problem, needsCredential } from './parts.js';
import { Refused, loadAccess, offer } from './api.js';
import { access, decline, held, wanted } from './credential.js';
import { forgetThumbs } from './picture.js';
import { useStore } from './store.js';

const text = strings.credential;

// The line above every room.
export function Who() {
  const { mode, caller } = useStore(access) ?? {};
  if (!held()) return html`<div class="who row"><span class="muted">${text.nobody}</span><button type="button" onClick=${() => wanted.set({})}>${text.signIn}</button></div>`;
  return html`<div class="who row"><span class="muted">${text.who(caller?.name ?? '')}</span>
    ${mode !== 'oidc' && html`<button type="button" class="quiet" onClick=${() => wanted.set({})}>${text.another}</button>`}
    <button type="button" class="quiet" onClick=${signOut}>${text.out}</button></div>`;
}

// The page begins anew, so that nothing of what was seen is left in it.
async function signOut() {
  await forgetThumbs();
  location.href = (await import('./oidc.js')).leave() ?? '/';
}

export function SignIn() {
  const { ended, problem: failure } = useStore(wanted);
  const { mode, oidc } = useStore(access) ?? {};
  const dialog = useRef();
  const [problem, setProblem] = useState(failure ?? null);
  const [busy, setBusy] = useState(false);
  useEffect(() => dialog.current.showModal(), []);
  async function attempt(work) {
    setBusy(true);
    setProblem(null);
    const refusal = await work();
    setBusy(false);
    if (refusal) setProblem(needsCredential(refusal) ? { ...refusal, title: text.wrong } : refusal);
  }
  const submit = (event) => {
    event.preventDefault();
    attempt(async () => {
      const refusal = await offer(new FormData(event.target).get('key').trim());
      if (!refusal) dialog.current?.close();
      return refusal;
    });
  };
  const isProvider = mode === 'oidc';
  return html`<dialog ref=${dialog} class="act" aria-labelledby="sign-in-title" onClose=${decline}><div class="stack">
    <h2 id="sign-in-title">${isProvider ? text.titleProvider : text.titleKey}</h2>
    ${ended && html`<p class="note warn" role="alert">${text.ended}</p>`}
    ${problem && html`<${Problem} problem=${problem} asks=${false} />`}
    ${isProvider && (oidc
      ? html`<p>${text.provider(new URL(oidc.issuer).host)}</p><p><button type="button" class="primary" autofocus disabled=${busy} onClick=${() => attempt(async () => (await import('./oidc.js')).begin())}>${text.signIn}</button></p>`
      : html`<p>${text.noProvider}</p><p><button type="button" disabled=${busy} onClick=${() => attempt(askAgain)}>${text.askAgain}</button></p>`)}
    ${isProvider ? html`<details><summary>${text.orKey}</summary><${KeyForm} submit=${submit} busy=${busy} /></details>` : html`<p>${text.keyText}</p><${KeyForm} submit=${submit} busy=${busy} first />`}
    <p><button type="button" class="quiet" onClick=${() => dialog.current.close()}>${text.later}</button></p>
  </div></dialog>`;
}

async function askAgain() {
  try {
    await loadAccess();
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    return error.problem;
  }
  return null;
}

function KeyForm({ submit, busy, first = false }) {
  return html`<form class="stack" onSubmit=${submit}>
    <p class="field"><label for="sign-in-key">${text.key}</label><input id="sign-in-key" name="key" type="password" autocomplete="off" required autofocus=${first} aria-describedby="sign-in-hint" /><small id="sign-in-hint">${text.keyHint}</small></p>
    <p><button class="primary" disabled=${busy}>${text.useKey}</button></p></form>`;
}
