// One record: the photo if it was kept, the answer, the facts, and what can still be added.
import { useEffect, useState } from 'preact/hooks';
import { html } from '../html.js';
import { strings } from '../strings.js';
import { Answer } from '../answer.js';
import { Act } from '../act.js';
import { Amend } from '../amend.js';
import { announce } from '../announce.js';
import { Copy, Icon, Loading, Problem, when } from '../parts.js';
import { Refused, call } from '../api.js';
import { bestName } from '../names.js';
import { outbox, remove } from '../outbox.js';
import { forgetThumb } from '../picture.js';
import { offers } from '../credential.js';
import { Thumb } from './sightings.js';

const text = strings.sightings;

export function Sighting({ id }) {
  const [record, setRecord] = useState(null);
  const [problem, setProblem] = useState(null);
  const [turn, setTurn] = useState(0);
  const [erasing, setErasing] = useState(false);
  function erased(certificate) {
    setErasing(false);
    if (!certificate) return;
    outbox.get().filter((item) => item.answer?.request_id === id).forEach((item) => remove(item.id));
    forgetThumb(id);
    announce(text.erased(certificate));
    location.hash = '#/sightings';
  }
  useEffect(() => {
    const abort = new AbortController();
    setProblem(null);
    call('GET', `/history/${encodeURIComponent(id)}`, { signal: abort.signal }).then(setRecord, (error) => {
      if (error instanceof Refused) setProblem(error.problem);
    });
    return () => abort.abort();
  }, [id, turn]);
  const sent = outbox.get().find((item) => item.answer?.request_id === id)?.blob;
  return html`<p><a class="back" href="#/sightings"><${Icon} name="arrow-left" />${text.back}</a></p>
    <h1>${record ? bestName(record) : text.title}</h1>
    ${problem && html`<${Problem} problem=${problem}><p><button type="button" onClick=${() => setTurn(turn + 1)}><${Icon} name="refresh-cw" />${text.again}</button></p><//>`}
    ${!record && !problem && html`<${Loading} label=${text.loading} />`}
    ${record && html`<div class="two">
      <div class="stack"><${Thumb} item=${record} name=${bestName(record)} large /><${Facts} record=${record} /></div>
      <div class="stack"><${Answer} answer=${record} />${offers('predict') && html`<${Amend} answer=${record} blob=${sent} onChange=${setRecord} />
        <p><button type="button" class="quiet danger-text" onClick=${() => setErasing(true)}><${Icon} name="trash-2" />${text.erase}</button></p>`}</div>
    </div>`}
    ${erasing && html`<${Act} title=${text.eraseTitle} effect=${text.eraseText} label=${text.eraseNow} danger group=${[]} cli=${['erase', id]} close=${erased}
      send=${(signal) => call('DELETE', `/history/${encodeURIComponent(id)}`, { signal, timeout: 310000 })} />`}`;
}

function Facts({ record }) {
  const { image } = record;
  const rows = [
    [text.when, html`<time datetime=${record.created_at}>${when(record.created_at)}</time>`],
    [text.taken, record.taken_at && when(record.taken_at)],
    [text.place, record.latitude !== null && (record.location_blurred ? text.placeBlurred : text.placeText)(record.latitude, record.longitude)],
    [text.note, record.subject],
    [text.model, `${record.model} ${record.version}`],
    [text.picture, text.size(image.width, image.height, image.format)],
    [text.correlation, record.correlation_id],
    [text.requestId, html`<${Copy} text=${record.request_id} label=${text.requestId} />`],
  ].filter(([, value]) => value);
  return html`<section class="card" aria-label=${text.facts}><h2>${text.facts}</h2>
    <dl>${rows.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl></section>`;
}
