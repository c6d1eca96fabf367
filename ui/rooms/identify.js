// Identify: a photo in, an answer to act on out.
import { useEffect, useRef, useState } from 'preact/hooks';
import { html } from '../html.js';
import { strings } from '../strings.js';
import { Answer } from '../answer.js';
import { Amend } from '../amend.js';
import { AskFor, Copy, Icon, Note, Problem, Support, needsCredential } from '../parts.js';
import { Refused, fetchBlob, info } from '../api.js';
import { access, offers } from '../credential.js';
import { WHEN_SIGNED_IN, add, outbox, remove, tryNow } from '../outbox.js';
import { useStore } from '../store.js';

const text = strings.identify;

export function Identify() {
  const items = useStore(outbox);
  const [original, setOriginal] = useState(false);
  const waiting = items.filter((item) => item.state === 'waiting' && item.problem).length;
  const choose = (files) => add(files, { original });
  useStore(access);
  const offered = offers('predict');
  return html`<h1>${text.title}</h1>
    <div class="stack">
      ${!offered && html`<${Note}><p>${strings.credential.noPredict}</p><p><${AskFor} /></p><//>`}
      ${offered && html`<${Picker} choose=${choose} more=${items.length > 0} original=${original} setOriginal=${setOriginal} />`}
      ${waiting > 1 && html`<p class="num" role="status">${text.waitingCount(waiting)}</p>`}
      ${offered && items.length === 0 ? html`<${Example} choose=${choose} />` : null}
      ${items.map((item) => html`<${Photo} key=${item.id} item=${item} alone=${items.length === 1} />`)}
      <${Limits} />
    </div>`;
}

function Picker({ choose, more, original, setOriginal }) {
  return html`<section class=${more ? 'drop small' : 'drop'} aria-label=${text.photos}>
    ${!more && html`<p>${text.hint}</p>`}
    <label class="btn primary"><${Icon} name="camera" />${more ? text.more : text.choose}
      <input class="sr" type="file" accept="image/*,.heic,.heif" multiple onChange=${(event) => {
        choose([...event.target.files]);
        event.target.value = ''; // so that the same file can be chosen again
      }} /></label>
    <p class="muted">${text.drop}</p>
    <label class="check"><input type="checkbox" checked=${original} onChange=${(event) => setOriginal(event.target.checked)} />${text.original}</label>
  </section>`;
}

function Example({ choose }) {
  const [problem, setProblem] = useState(null);
  async function use() {
    try {
      await choose([new File([await fetchBlob('/info/example')], text.exampleName, { type: 'image/jpeg' })]);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      setProblem(error.problem);
    }
  }
  return html`<section class="card" aria-label=${text.noPhoto}><h2>${text.noPhoto}</h2><p>${text.exampleText}</p>
    <p><button type="button" onClick=${use}><${Icon} name="leaf" />${text.example}</button></p>
    ${problem && html`<${Problem} problem=${problem} />`}</section>`;
}

function Limits() {
  const limits = useStore(info)?.models[0]?.limits;
  return limits ? html`<details class="limits" open><summary>${text.limits}</summary><p>${limits}</p></details>` : null;
}

function Photo({ item, alone }) {
  return html`<article class="two" aria-label=${item.name}>
    <${Picture} item=${item} />
    <div class="stack"><${State} item=${item} alone=${alone} /></div>
  </article>`;
}

function Picture({ item }) {
  const [broken, setBroken] = useState(false);
  return broken
    ? html`<div class="photo none"><${Icon} name="image-off" /><span>${text.noPreview}</span></div>`
    : html`<img class="photo" src=${item.url} alt=${text.photoAlt(item.name)} onError=${() => setBroken(true)} />`;
}

function State({ item, alone }) {
  if (item.state === 'answered') return html`<${Answered} item=${item} alone=${alone} />`;
  if (item.state === 'refused') return html`<${Refusal} item=${item} />`;
  if (item.problem) return html`<${Again} item=${item} />`;
  const label = text[item.state];
  const known = item.state === 'sending' && item.progress > 0;
  return html`<div class="card later"><label for=${`progress-${item.id}`}>${label}</label>
    <progress id=${`progress-${item.id}`} max="1" value=${known ? item.progress : null}>${known ? strings.percent(item.progress) : ''}</progress></div>`;
}

function Answered({ item, alone }) {
  const [answer, setAnswer] = useState(item.answer);
  const heading = useRef();
  useEffect(() => {
    // The one answer that somebody waits for gets the focus; of several, none pulls it away from the others.
    if (alone && isIdle()) heading.current.focus();
  }, []);
  return html`<${Answer} answer=${answer} headingRef=${heading} />
    <p class="muted">${text.recorded} <a href=${`#/sightings/${answer.request_id}`}>${text.seeRecord}</a></p>
    <p>${strings.request} <${Copy} text=${answer.request_id} label=${strings.sightings.requestId} /></p>
    <${Amend} answer=${answer} blob=${item.blob} onChange=${setAnswer} open=${alone} />
    <p><button type="button" class="quiet" onClick=${() => remove(item.id)}>${strings.close}</button></p>`;
}

// Nobody types: then the focus may move.
function isIdle() {
  return !['INPUT', 'TEXTAREA', 'SELECT'].includes(document.activeElement?.tagName) || document.activeElement.type === 'file';
}

function Refusal({ item }) {
  return html`<${Problem} problem=${item.problem}>
    <p>${text.notRecorded}</p>
    <p><button type="button" onClick=${() => remove(item.id)}>${text.remove}</button></p>
  <//>`;
}

function Again({ item }) {
  const { problem } = item;
  return html`<div class="note warn">
    <h2>${problem.title}</h2>
    <p>${problem.detail}</p>
    <p>${item.kept ? text.safe : text.unsafe} <${Countdown} until=${item.retryAt} /></p>
    <p class="row">${needsCredential(problem) && html`<${AskFor} />`}<button type="button" class="primary" onClick=${() => tryNow(item.id)}><${Icon} name="refresh-cw" />${text.tryNow}</button>
      <button type="button" class="quiet" onClick=${() => remove(item.id)}>${text.remove}</button></p>
    <${Support} problem=${problem} />
  </div>`;
}

function Countdown({ until }) {
  const left = () => Math.max(0, Math.ceil((until - Date.now()) / 1000));
  const [seconds, set] = useState(left());
  useEffect(() => {
    const timer = setInterval(() => set(left()), 500);
    return () => clearInterval(timer);
  }, [until]);
  return html`<span class="num">${until === WHEN_SIGNED_IN ? strings.credential.whenSignedIn : seconds > 0 ? text.retryIn(seconds) : text.retrySoon}</span>`;
}
