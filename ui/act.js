// A dialog for one act: its effect in a sentence, the same as a command, a credential that allows it when there is none.
import { useEffect, useRef, useState } from 'preact/hooks';
import { html } from './html.js';
import { strings } from './strings.js';
import { Copy, Problem, needsCredential } from './parts.js';
import { Refused, offer } from './api.js';
import { held, may } from './credential.js';

const text = strings.models;

// Where an act takes an admin's credential; who has given one is asked no more.
export const CredentialField = ({ field }) => html`<p class="field"><label for="act-token">${strings.credential.admin}</label><input id="act-token" ref=${field} type="password" autocomplete="off" required aria-describedby="act-token-hint" /><small id="act-token-hint">${strings.credential.adminHint}</small></p>`;

// Gives the problem when the service does not take what was typed in.
export async function givenIn(field) {
  if (!field.current) return null;
  const problem = await offer(field.current.value.trim(), { inPlace: true });
  return problem && { ...problem, title: needsCredential(problem) ? strings.credential.wrong : problem.title };
}

// A word of a command line as a shell takes it.
export const quoted = (word) => (/^[\w.:/@%+-]+$/.test(word) ? String(word) : `'${String(word).replaceAll("'", "'\\''")}'`);

export function Cli({ words, group = ['models'] }) {
  const line = ['weedwatch', ...group, ...words].map(quoted);
  return html`<p class="cli"><span class="muted">${text.cli}:</span> <${Copy} text=${line.join(' ')} label=${text.cli}>${line.map((word) => html`<span>${word}</span> `)}<//></p>`;
}

// `send(signal)` does it; `refused(problem)` may give another problem to show in its place. `close` gets what the
// service answered (true for an empty answer), or null. The safe button has the focus.
export function Act({ title, effect, cli, group, label, danger = false, safe = strings.cancel, tokenFirst = false, send, refused, close, after, children }) {
  const dialog = useRef();
  const field = useRef();
  const abort = useRef(null);
  const done = useRef(null);
  const [asks, setAsks] = useState(tokenFirst && !may('admin'));
  const [problem, setProblem] = useState(null);
  const [busy, setBusy] = useState(false);
  useEffect(() => {
    dialog.current.showModal();
    return () => abort.current?.abort();
  }, []);
  useEffect(() => {
    if (asks && problem) field.current.focus();
  }, [asks, problem]);
  async function submit(event) {
    event.preventDefault();
    if (busy) return;
    setProblem(null);
    setBusy(true);
    const wrong = await givenIn(field);
    if (wrong) {
      setProblem(wrong);
      return setBusy(false);
    }
    abort.current = new AbortController();
    try {
      const answer = await send(abort.current.signal);
      done.current = answer ?? true;
      dialog.current?.close(); // it may have been closed meanwhile
      return;
    } catch (error) {
      if (abort.current.signal.aborted) return;
      if (!(error instanceof Refused)) throw error;
      if (needsCredential(error.problem)) {
        setProblem(held() ? error.problem : { isQuestion: true });
        setAsks(true);
      } else {
        setAsks(false);
        setProblem((await refused?.(error.problem)) ?? error.problem);
      }
    }
    setBusy(false);
  }
  return html`<dialog ref=${dialog} class="act" aria-labelledby="act-title" aria-describedby="act-effect" onClose=${() => close(done.current)}><form class="stack" onSubmit=${submit}>
    <h2 id="act-title">${title}</h2><p id="act-effect" aria-live="polite">${effect}</p>
    ${children}
    ${problem?.isQuestion && html`<p class="note info" role="alert">${strings.credential.adminNeeded}</p>`}
    ${asks && html`<${CredentialField} field=${field} />`}
    ${problem && !problem.isQuestion && html`<${Problem} problem=${problem} asks=${false}>${problem.errors?.some((each) => each.rule) && html`<ul>${problem.errors.map((each) => html`<li>${each.message}</li>`)}</ul>`}<//>`}
    ${after}
    <${Cli} words=${cli} group=${group} />
    <p class="row"><button type="button" autofocus onClick=${() => dialog.current.close()}>${safe}</button><button class=${danger ? 'danger-button' : 'primary'} disabled=${busy}>${label}</button></p>
  </form></dialog>`;
}
