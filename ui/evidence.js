// What an evaluation found: a version beside the stable one, in sentences first.
import { useEffect, useState } from 'preact/hooks';
import { html } from './html.js';
import { strings } from './strings.js';
import { Icon, Loading, Problem, when } from './parts.js';
import { Refused, call } from './api.js';

const text = strings.models;

export function Evidence({ model, version, summary }) {
  if (!summary) return html`<p class="muted">${text.noEvidence}</p>`;
  const { against, findings, p95_seconds: p95 } = summary;
  return html`<p>${text.evidenceOf(against, summary.pictures, summary.sightings)} ${summary.is_current ? text.current : html`<strong>${text.outdated}</strong>`}</p>
    <${Facts} facts=${[
      [text.accuracy, summary.accuracy ? text.accuracyText(summary.accuracy.version, summary.accuracy.against, against) : text.accuracyNone],
      [text.agreement, text.agreementText(summary.agreement)],
      [text.changed, text.changedText(summary.flipped)],
        [text.time, p95.against > 0 && text.timeText(p95.version, p95.against, against)],
    ]} />
    ${findings.length === 0 ? html`<p class="said-well"><${Icon} name="circle-check" />${text.allowed}</p>` : html`<div class="note warn"><p>${text.objections}</p><ul>${findings.map((each) => html`<li>${each.message}</li>`)}</ul></div>`}
    <${Details} model=${model} version=${version} id=${summary.id} />`;
}

export const Facts = ({ facts }) => html`<dl>${facts.filter(([, value]) => value).map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;

function Details({ model, version, id }) {
  const [open, setOpen] = useState(false);
  const [found, setFound] = useState({});
  useEffect(() => {
    if (!open) return undefined;
    const abort = new AbortController();
    call('GET', `/models/${encodeURIComponent(model)}/versions/${encodeURIComponent(version)}/evidence`, { signal: abort.signal }).then((evidence) => setFound({ evidence }), (error) => {
      if (error instanceof Refused) setFound({ problem: error.problem });
    });
    return () => abort.abort();
  }, [open, id]);
  const { evidence, problem } = found;
  return html`<details onToggle=${(event) => setOpen(event.target.open)}><summary>${text.details}</summary>
    ${problem && html`<${Problem} problem=${problem} />`}
    ${open && !evidence && !problem && html`<${Loading} label=${text.loading} rows=${1} />`}
    ${evidence && html`<${All} evidence=${evidence} />`}</details>`;
}

function All({ evidence }) {
  const { against, flips } = evidence;
  return html`${flips.length > 0 && html`<div class="scroll flips" tabindex="0" role="region" aria-label=${text.flips(against)}><table><caption>${text.flips(against)}</caption>
      <thead><tr><th scope="col">${text.flipLabel}</th><th scope="col">${text.flipCount}</th><th scope="col">${text.flipTo}</th></tr></thead>
      <tbody>${flips.map((flip) => html`<tr><th scope="row">${flip.label}</th><td class="num">${text.flipOf(flip.count, flip.of)}</td><td>${Object.entries(flip.to).map(([label, count]) => text.flipToText(label, count)).join(', ')}</td></tr>`)}</tbody></table></div>
      ${flips.map((flip) => html`<details><summary>${text.which(flip.label)}</summary><ul>${flip.records.map((each) => html`<li>${each.source === 'sighting' ? html`<a href=${`#/sightings/${each.id}`}>${text.sighting} ${each.id.slice(-6)}</a>` : html`<code>${each.id}</code>`}: ${text.record(each)}</li>`)}</ul></details>`)}`}
    <p class="muted">${text.made(evidence.actor, when(evidence.created_at))}</p>`;
}
