// Models: all there are, who answers for each, and whether it is ready.
import { useEffect, useState } from 'preact/hooks';
import { html } from '../html.js';
import { strings } from '../strings.js';
import { AskFor, Copy, Icon, Loading, Note, Problem } from '../parts.js';
import { offers } from '../credential.js';
import { Refused, call } from '../api.js';
import { Addition } from '../addition.js';
import { announce } from '../announce.js';

const text = strings.models;
const LOOK_SECONDS = 5;

// Asks again and again: {seen: the newest answer, problem: why there is no newer one}, and a way to ask at once.
export function useLooks(path, pause = () => LOOK_SECONDS) {
  const [state, setState] = useState({ seen: null, problem: null });
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    const abort = new AbortController();
    let timer = null;
    async function look() {
      let seen = null;
      try {
        seen = await call('GET', path, { signal: abort.signal, timeout: 10000 });
        setState({ seen, problem: null });
      } catch (error) {
        if (abort.signal.aborted) return;
        if (!(error instanceof Refused)) throw error;
        setState((before) => ({ ...before, problem: error.problem }));
      }
      timer = setTimeout(look, 1000 * pause(seen));
    }
    look();
    return () => {
      abort.abort();
      clearTimeout(timer);
    };
  }, [path, turn]);
  return { ...state, look: () => setTurn((before) => before + 1) };
}

// With nothing to see the problem in full, else a line above what was seen last.
export function Away({ problem, seen, look }) {
  if (!problem) return null;
  return html`<${Problem} problem=${problem}>${seen && html`<p>${text.stale}</p>`}<p><button type="button" onClick=${look}><${Icon} name="refresh-cw" />${text.again}</button></p><//>`;
}

export function Models() {
  const { seen, problem, look } = useLooks('/models');
  const health = useLooks('/health/detailed').seen;
  return html`<h1>${text.title}</h1><div class="stack">
    <${Away} problem=${problem} seen=${seen} look=${look} />
    ${!seen && !problem && html`<${Loading} label=${text.loading} />`}
    ${seen?.items.length === 0 && html`<${None} reasons=${health?.reasons} look=${look} />`}
    ${seen?.items.length > 0 && html`<ul class="cards wide">${seen.items.map((each) => html`<li key=${each.name}><a class="card model" href=${`#/models/${encodeURIComponent(each.name)}`}>
      <strong class="name">${each.name}</strong><${Readiness} model=${each} reasons=${health?.reasons} /><span class="muted">${text.rollout(each.rollout)}</span></a></li>`)}</ul>`}
  </div>`;
}

export function Readiness({ model, reasons = [] }) {
  if (model.ready) return html`<span class="state"><${Icon} name="circle-check" /><span><strong>${text.ready}</strong> ${text.readyText(model.rollout.stable)}</span></span>`;
  return html`<span class="state bad"><${Icon} name="triangle-alert" /><span><strong>${text.notReady}</strong> ${reasons.join(' ') || text.noVersion}</span></span>`;
}

// What is not offered, and why.
export const LooksOnly = () => html`<p class="row"><span class="muted">${text.looksOnly}</span><${AskFor} /></p>`;

function None({ reasons = [], look }) {
  const [adds, setAdds] = useState(false);
  const closed = (answer) => {
    setAdds(false);
    if (answer) announce(text.addVersion.done);
    look();
  };
  return html`<${Note} title=${text.none}><p>${text.noneText}</p><p><${Copy} text=${text.packageCommand} label=${text.none} /></p>
    <p>${text.noneThen}</p>
    ${offers('admin') ? html`<p><button type="button" onClick=${() => setAdds(true)}><${Icon} name="upload" />${text.newModel}</button></p>` : html`<${LooksOnly} />`}
    ${reasons.length > 0 && html`<p class="muted">${text.says} ${reasons.join(' ')}</p>`}<//>
    ${adds && html`<${Addition} name="" kind="model" close=${closed} />`}`;
}
