// Small pieces that several rooms use.
import { useEffect, useRef, useState } from 'preact/hooks';
import { html } from './html.js';
import { strings } from './strings.js';
import { announce } from './announce.js';
import { held, wanted } from './credential.js';

export const Icon = ({ name }) => html`<svg class="icon" aria-hidden="true"><use href=${`/ui/vendor/icons.svg#${name}`} /></svg>`;

export function Note({ kind = 'info', title, alert = false, headingRef, children }) {
  return html`<div class=${`note ${kind}`} role=${alert ? 'alert' : null}>
    ${title && html`<h2 tabindex=${headingRef ? -1 : null} ref=${headingRef}>${title}</h2>`}
    ${children}
  </div>`;
}

export function Support({ problem }) {
  return html`<details class="support"><summary>${strings.support}</summary>
    <p class="num">${strings.supportLine(problem.code, problem.request_id)}</p></details>`;
}

// What went wrong, in the service's own words, with what the caller adds: is it safe, what now. With another credential
// it may go well; `asks`: nobody else here asks for one.
export function Problem({ problem, children, alert = true, asks = true }) {
  return html`<${Note} kind="danger" title=${problem.title} alert=${alert}>
    <p>${problem.detail}</p>${asks && needsCredential(problem) && html`<p><${AskFor} /></p>`}${children}<${Support} problem=${problem} />
  <//>`;
}

export const needsCredential = (problem) => ['unauthorized', 'forbidden'].includes(problem?.code);

export const AskFor = () => html`<button type="button" onClick=${() => wanted.set({})}>${held() ? strings.credential.another : strings.credential.signIn}</button>`;

// `children`: the text as it is shown, where it differs in marks only.
export function Copy({ text, label, children }) {
  const field = useRef();
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      announce(strings.copied);
    } catch {
      // No clipboard where the page is not served by HTTPS: it is marked, so that it can be copied by hand.
      getSelection().selectAllChildren(field.current);
    }
  };
  return html`<span class="copy"><code ref=${field}>${children ?? text}</code>
    <button type="button" class="quiet" onClick=${copy} aria-label=${`${strings.copy}: ${label}`}><${Icon} name="copy" />${strings.copy}</button></span>`;
}

export function Loading({ label, rows = 3 }) {
  return html`<div class="later" role="status"><span class="sr">${label}</span>
    ${Array.from({ length: rows }, () => html`<div class="card skeleton" aria-hidden="true"></div>`)}</div>`;
}

export function Name({ name, binomial }) {
  return html`<strong>${name}</strong>${binomial && html` <i class="muted" lang="la">${binomial}</i>`}`;
}

export function when(moment) {
  return new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' }).format(new Date(moment));
}

// The address of a blob as long as it is shown.
export function useObjectUrl(blob) {
  const [url, set] = useState(null);
  useEffect(() => {
    if (!blob) return set(null);
    const made = URL.createObjectURL(blob);
    set(made);
    return () => URL.revokeObjectURL(made);
  }, [blob]);
  return url;
}
