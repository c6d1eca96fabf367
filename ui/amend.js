// What may be added to a record after the answer: the photo itself, the place, a note.
import { useState } from 'preact/hooks';
import { html } from './html.js';
import { strings } from './strings.js';
import { Refused, call } from './api.js';
import { Icon, Problem } from './parts.js';
import { announce } from './announce.js';

const text = strings.amend;

// `blob`: the bytes that were sent, while they are still known. `onChange` gets the record as it is then.
export function Amend({ answer, blob, onChange, open = true }) {
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState(null);

  async function act(work, said) {
    setBusy(true);
    setProblem(null);
    try {
      onChange(await work());
      announce(said);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      setProblem(error.problem);
    } finally {
      setBusy(false);
    }
  }
  const path = `/history/${answer.request_id}`;
  const patch = (changes) => call('PATCH', path, { json: changes });
  const keep = async () => {
    await patch({ consent: true });
    return call('PUT', `${path}/image`, { body: blob, type: blob.type.startsWith('image/') ? blob.type : 'application/octet-stream', timeout: 600000 });
  };

  return html`<details class="card" open=${open}><summary>${text.title}</summary><div class="stack">
    ${answer.picture_kept
      ? html`<p>${text.kept} <button type="button" class="quiet" disabled=${busy} onClick=${() => act(() => patch({ consent: false }), text.takenBack)}>${text.takeBack}</button></p>`
      : blob
        ? html`<p>${text.keepText}</p><p><button type="button" disabled=${busy} onClick=${() => act(keep, text.kept)}><${Icon} name="image-plus" />${text.keep}</button></p>`
        : html`<p class="muted">${text.gone}</p>`}
    <${Place} answer=${answer} busy=${busy} save=${(changes) => act(() => patch(changes), text.saved)} />
    ${problem && html`<${Problem} problem=${problem} />`}
  </div></details>`;
}

const written = (number) => (number === null ? '' : String(number));

function Place({ answer, busy, save }) {
  const [latitude, setLatitude] = useState(written(answer.latitude));
  const [longitude, setLongitude] = useState(written(answer.longitude));
  const [subject, setSubject] = useState(answer.subject ?? '');
  const [said, setSaid] = useState('');
  const id = answer.request_id;

  function locate() {
    setSaid(text.locating);
    if (!navigator.geolocation) return setSaid(text.noPosition);
    navigator.geolocation.getCurrentPosition(
      ({ coords }) => {
        setLatitude(coords.latitude.toFixed(6));
        setLongitude(coords.longitude.toFixed(6));
        setSaid(text.located(Math.max(1, Math.round(coords.accuracy))));
      },
      () => setSaid(text.noPosition),
      { enableHighAccuracy: true, timeout: 30000 },
    );
  }
  function submit(event) {
    event.preventDefault();
    if (!latitude !== !longitude) return setSaid(text.pair);
    setSaid('');
    // A place that was not touched is not sent: it may be a coarse one, shown in place of the exact one.
    const moved = latitude !== written(answer.latitude) || longitude !== written(answer.longitude);
    const place = { latitude: latitude ? Number(latitude) : null, longitude: longitude ? Number(longitude) : null };
    save({ ...(moved && place), subject: subject.trim() || null });
  }
  const number = (name, label, value, set, most) => html`<p class="field"><label for=${`${name}-${id}`}>${label}</label>
    <input id=${`${name}-${id}`} type="number" inputmode="decimal" step="any" min=${-most} max=${most} value=${value} onInput=${(event) => set(event.target.value)} /></p>`;

  return html`<form class="stack" onSubmit=${submit}>
    <fieldset><legend>${text.place}</legend>
      <p><button type="button" onClick=${locate}><${Icon} name="locate-fixed" />${text.locate}</button></p>
      <div class="pair">${number('latitude', text.latitude, latitude, setLatitude, 90)}${number('longitude', text.longitude, longitude, setLongitude, 180)}</div>
      <p role="status" class="said">${said}</p>
    </fieldset>
    <p class="field"><label for=${`note-${id}`}>${text.note}</label>
      <input id=${`note-${id}`} maxlength="200" placeholder=${text.noteHint} value=${subject} onInput=${(event) => setSubject(event.target.value)} /></p>
    <p><button class="primary" disabled=${busy}><${Icon} name="check" />${text.save}</button></p>
  </form>`;
}
