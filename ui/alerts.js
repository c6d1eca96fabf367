// What fires, as Prometheus says it, beside the room's own figures; the room works without it.
import { useEffect, useState } from 'preact/hooks';
import { html } from './html.js';
import { strings } from './strings.js';
import { Icon, Note, when } from './parts.js';
import { call } from './api.js';

const text = strings.alerts;
const LOOK_SECONDS = 10;
const SIGNS = { critical: 'octagon-alert', warning: 'triangle-alert', info: 'info' };

export const Severity = ({ of: severity }) => html`<span class=${`badge ${severity}`}><${Icon} name=${SIGNS[severity]} />${text.severity[severity]}</span>`;

export function Alerts() {
  const [told, setTold] = useState(null);
  useEffect(() => {
    const abort = new AbortController();
    let timer = null;
    async function look() {
      try {
        setTold(await call('GET', '/status/alerts', { signal: abort.signal, timeout: 10000 }));
      } catch {
        if (abort.signal.aborted) return;
        setTold(null); // the room says that the service does not answer
      }
      timer = setTimeout(look, 1000 * LOOK_SECONDS);
    }
    look();
    return () => {
      abort.abort();
      clearTimeout(timer);
    };
  }, []);
  return told && html`<section class="stack" aria-label=${text.title}><h2>${text.title}</h2><${Told} told=${told} /></section>`;
}

function Told({ told }) {
  if (!told.connected) return html`<p class="muted">${text.notConnected} <a href="#/runbooks">${text.all}</a></p>`;
  if (told.problem) return html`<${Note} kind="warn" title=${text.away}><p>${text.awayText(told.problem)}</p><//>`;
  return html`${!told.watched && html`<${Note} kind="warn" title=${text.unwatched}><p>${text.unwatchedText}</p><//>`}
    ${told.firing.length === 0
      ? html`<p class="note ok">${text.none} <a href="#/runbooks">${text.all}</a></p>`
      : html`<ul class="cards wide">${told.firing.map((alert) => html`<li key=${`${alert.name} ${alert.summary}`}><${Alert} alert=${alert} /></li>`)}</ul>`}`;
}

function Alert({ alert }) {
  return html`<article class="card alert" aria-label=${alert.name}>
    <p class="row"><${Severity} of=${alert.severity} /><strong>${alert.name}</strong></p>
    <p>${alert.summary}</p>
    <dl><div><dt>${text.value}</dt><dd class="num">${alert.value || '–'}</dd></div>
      <div><dt>${text.since}</dt><dd class="num">${when(alert.since)}</dd></div></dl>
    <p class="row"><a class="btn" href=${`#/runbooks/${encodeURIComponent(alert.name)}`}><${Icon} name="book-open" />${text.runbook}<span class="sr">: ${alert.name}</span></a>
      ${alert.dashboard_url && html`<a class="btn" href=${alert.dashboard_url} rel="noreferrer">${text.dashboard}<span class="sr">: ${alert.name}</span></a>`}</p>
  </article>`;
}
