// Sightings: the record, newest first; the filter lives in the address, so that it can be sent as a link.
import { useEffect, useRef, useState } from 'preact/hooks';
import { html } from '../html.js';
import { strings } from '../strings.js';
import { Icon, Loading, Name, Note, Problem, useObjectUrl, when } from '../parts.js';
import { CredentialField, givenIn } from '../act.js';
import { access, may, offers } from '../credential.js';
import { Refused, call, fetchBlob, info } from '../api.js';
import { bestName, nameOf } from '../names.js';
import { findThumb } from '../picture.js';
import { outbox, waitingToBeSent } from '../outbox.js';
import { useStore } from '../store.js';
import { announce } from '../announce.js';

const text = strings.sightings;
const PAGE = 24;
const EXPORT_MS = 600000;
const FILTERS = ['q', 'label', 'since', 'until', 'min'];

// The filter of the address as the API's parameters; days are those of who looks.
function parameters(query) {
  const given = new URLSearchParams();
  const day = (value, days) => {
    const date = new Date(`${value}T00:00:00`);
    date.setDate(date.getDate() + days);
    return date.toISOString();
  };
  if (query.get('q')) given.set('q', query.get('q'));
  if (query.get('label')) given.set('label', query.get('label'));
  if (query.get('since')) given.set('since', day(query.get('since'), 0));
  if (query.get('until')) given.set('until', day(query.get('until'), 1));
  if (query.get('min')) given.set('min_confidence', String(Number(query.get('min')) / 100));
  return given;
}

const isFiltered = (query) => FILTERS.some((name) => query.get(name));

export function Sightings({ query }) {
  const [page, setPage] = useState({ items: null, next: null, problem: null });
  const [turn, setTurn] = useState(0);
  const waiting = waitingToBeSent(useStore(outbox));
  useStore(info);
  const key = query.toString();

  useEffect(() => {
    const abort = new AbortController();
    setPage({ items: null, next: null, problem: null });
    load(null, abort.signal);
    return () => abort.abort();
  }, [key, turn]);

  async function load(cursor, signal) {
    const asked = parameters(query);
    asked.set('limit', PAGE);
    if (cursor) asked.set('cursor', cursor);
    try {
      const found = await call('GET', `/history?${asked}`, { signal });
      setPage((before) => ({ items: [...(cursor ? before.items : []), ...found.items], next: found.next_cursor, problem: null }));
      announce(text.shown(found.items.length, found.next_cursor));
    } catch (error) {
      if (error instanceof Refused) setPage((before) => ({ ...before, problem: error.problem }));
      else if (!signal?.aborted) throw error;
    }
  }
  const { items, next, problem } = page;
  return html`<h1>${text.title}</h1>
    <div class="stack">
      ${waiting > 0 && html`<p class="note info"><a href="#/identify">${strings.identify.waitingCount(waiting)}</a></p>`}
      <${Filter} key=${key} query=${query} />
      ${problem
        ? html`<${Problem} problem=${problem}><p><button type="button" onClick=${() => (items ? load(next) : setTurn(turn + 1))}><${Icon} name="refresh-cw" />${text.again}</button></p><//>`
        : !items && html`<${Loading} label=${text.loading} rows=${4} />`}
      ${items?.length === 0 && html`<${Empty} filtered=${isFiltered(query)} />`}
      ${items?.length > 0 && html`<ul class="cards">${items.map((item) => html`<${Card} key=${item.request_id} item=${item} />`)}</ul>
        <p class="muted">${text.shown(items.length, next)}</p>`}
      ${next && !problem && html`<p><button type="button" onClick=${() => load(next)}>${text.more}</button></p>`}
      <${Export} query=${query} />
      ${offers('admin') && html`<p><${Removal} done=${() => setTurn(turn + 1)} /></p>`}
    </div>`;
}

// A link could carry no credential.
function Export({ query }) {
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState(null);
  async function save() {
    setBusy(true);
    setProblem(null);
    const asked = parameters(query);
    asked.set('format', 'csv');
    try {
      const url = URL.createObjectURL(await fetchBlob(`/history?${asked}`, { timeout: EXPORT_MS, cache: 'no-store' }));
      Object.assign(document.createElement('a'), { href: url, download: text.csvName }).click();
      setTimeout(() => URL.revokeObjectURL(url), EXPORT_MS);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      setProblem(error.problem);
    }
    setBusy(false);
  }
  return html`<p><button type="button" disabled=${busy} onClick=${save}><${Icon} name="download" />${text.csv}</button></p>${problem && html`<${Problem} problem=${problem} />`}`;
}

function Empty({ filtered }) {
  return filtered
    ? html`<${Note} title=${text.noMatch}><p>${text.noMatchText} <a href="#/sightings">${text.clear}</a></p><//>`
    : html`<${Note} title=${text.none}><p>${text.noneText} <a href="#/identify">${text.goIdentify}</a></p><//>`;
}

function Filter({ query }) {
  const model = useStore(info)?.models[0];
  function submit(event) {
    event.preventDefault();
    const given = new URLSearchParams([...new FormData(event.target)].filter(([, value]) => value));
    location.hash = given.size ? `#/sightings?${given}` : '#/sightings';
  }
  const labels = (model?.labels ?? []).map((label) => [label, nameOf(label, model.name).name]).sort((a, b) => a[1].localeCompare(b[1]));
  const chosen = query.get('label') ?? '';
  if (chosen && !labels.some(([label]) => label === chosen)) labels.push([chosen, chosen]);
  const advanced = ['since', 'until', 'min'].some((name) => query.get(name));
  return html`<form role="search" class="card stack" onSubmit=${submit}>
    <div class="pair">
      <p class="field"><label for="q">${text.searchLabel}</label><input id="q" name="q" type="search" maxlength="200" value=${query.get('q') ?? ''} /></p>
      <p class="field"><label for="label">${text.species}</label><select id="label" name="label">
        <option value="">${text.any}</option>
        ${labels.map(([label, name]) => html`<option value=${label} selected=${label === chosen}>${name}</option>`)}</select></p>
    </div>
    <details open=${advanced}><summary>${text.moreFilters}</summary><div class="pair">
      <p class="field"><label for="since">${text.from}</label><input id="since" name="since" type="date" value=${query.get('since') ?? ''} /></p>
      <p class="field"><label for="until">${text.to}</label><input id="until" name="until" type="date" value=${query.get('until') ?? ''} /></p>
      <p class="field"><label for="min">${text.least}</label><input id="min" name="min" type="number" inputmode="numeric" min="0" max="100" value=${query.get('min') ?? ''} /></p>
    </div></details>
    <p class="row"><button class="primary"><${Icon} name="search" />${text.search}</button>
      ${isFiltered(query) && html`<a class="btn quiet" href="#/sightings">${text.clear}</a>`}</p>
  </form>`;
}

function Card({ item }) {
  const name = bestName(item);
  return html`<li><a class="card sighting" href=${`#/sightings/${item.request_id}`}>
    <${Thumb} item=${item} name=${name} />
    <span><${Name} name=${name} binomial=${nameOf(item.label, item.model).binomial} /><br />
      <span class="num">${strings.verdictWord[item.verdict]}, ${strings.percent(item.confidence)}</span><br />
      <span class="muted">${when(item.created_at)}${item.subject ? ` · ${item.subject}` : ''}</span></span>
  </a></li>`;
}

// The kept picture, else what this browser remembers of it, else a leaf.
export function Thumb({ item, name, large = false }) {
  const [found, setFound] = useState(null);
  useEffect(() => {
    const abort = new AbortController();
    const kept = `/history/${item.request_id}/image${large ? '' : '?size=thumb'}`;
    const looked = item.picture_kept ? fetchBlob(kept, { signal: abort.signal }) : findThumb(item.request_id);
    looked.then((blob) => abort.signal.aborted || setFound(blob), () => {}); // a record without its picture is still one
    return () => abort.abort();
  }, [item.request_id, item.picture_kept]);
  const source = useObjectUrl(found);
  const style = large ? 'photo' : 'thumb';
  if (!source) return html`<span class=${`${style} none`} role="img" aria-label=${text.noPicture}><${Icon} name="leaf" /></span>`;
  return html`<img class=${style} src=${source} alt=${text.photoAlt(name)} />
    ${large && !item.picture_kept && html`<p class="muted">${text.thisBrowser}</p>`}`;
}

function Removal({ done }) {
  const dialog = useRef();
  const [problem, setProblem] = useState(null);
  const field = useRef();
  useStore(access);
  const [before, setBefore] = useState('');
  async function submit(event) {
    event.preventDefault();
    setProblem(null);
    const wrong = await givenIn(field);
    if (wrong) return setProblem(wrong);
    try {
      const bound = before ? `?before=${encodeURIComponent(new Date(`${before}T00:00:00`).toISOString())}` : '';
      const { deleted } = await call('DELETE', `/history${bound}`, { asks: true, timeout: 310000 });
      dialog.current.close();
      announce(text.removedCount(deleted));
      done();
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      setProblem(error.problem);
    }
  }
  return html`<button type="button" class="quiet danger-text" onClick=${() => dialog.current.showModal()}><${Icon} name="trash-2" />${text.remove}</button>
    <dialog ref=${dialog} aria-labelledby="removal-title"><form class="stack" onSubmit=${submit}>
      <h2 id="removal-title">${text.removeTitle}</h2><p>${text.removeText}</p>
      <p class="field"><label for="before">${text.before}</label><input id="before" type="date" value=${before} aria-describedby="before-hint" onInput=${(event) => setBefore(event.target.value)} /><small id="before-hint">${text.beforeHint}</small></p>
      ${!may('admin') && html`<${CredentialField} field=${field} />`}
      ${problem && html`<${Problem} problem=${problem} asks=${false} />`}
      <p class="row"><button type="button" autofocus onClick=${() => dialog.current.close()}>${strings.cancel}</button><button class="danger-button">${text.removeNow}</button></p>
    </form></dialog>`;
}
