// A new version: from the model store, from an address, or uploaded. It is checked before it may answer.
import { useState } from 'preact/hooks';
import { html } from './html.js';
import { strings } from './strings.js';
import { Act } from './act.js';
import { call, upload } from './api.js';

const text = strings.models.addVersion;
const UPLOAD_MS = 3600000;
const EXAMPLE = { archive: 'FILE.mar', model: 'model.pth', url: 'URL' };

// `name`: of the model; empty where there is none yet, then it is asked for.
export function Addition({ name, kind: first = 'store', close }) {
  const [kind, setKind] = useState(first);
  const [model, setModel] = useState(name);
  const [version, setVersion] = useState('');
  const [source, setSource] = useState('');
  const [sent, setSent] = useState(null);
  const uploads = kind === 'archive' || kind === 'model';

  async function send(signal) {
    const path = `/models/${encodeURIComponent(model)}/versions`;
    if (!uploads) return call('POST', path, { json: kind === 'url' ? { version, url: source } : { version }, asks: true, signal });
    const form = new FormData();
    for (const input of document.querySelectorAll('#act-fields input')) {
      const value = input.type === 'file' ? input.files[0] : input.value.trim();
      if (value) form.append(input.name, value);
    }
    setSent(0);
    try {
      return await upload(path, form, { asks: true, onProgress: setSent, signal, timeout: UPLOAD_MS });
    } finally {
      setSent(null);
    }
  }
  const from = kind === 'store' ? [] : ['--from', source || EXAMPLE[kind], ...(kind === 'model' ? ['--labels', 'class_labels.json'] : [])];
  return html`<${Act} title=${text.title} effect=${text.effect} label=${text.label} tokenFirst close=${close} send=${send}
    cli=${['add', model || 'MODEL', version || 'VERSION', ...from]}>
    ${!name && html`<p class="field"><label for="act-model">${strings.models.newName}</label><input id="act-model" required maxlength="64" pattern="[A-Za-z0-9][A-Za-z0-9._\\-]*" value=${model} aria-describedby="act-model-hint" onInput=${(event) => setModel(event.target.value)} /><small id="act-model-hint">${strings.models.newNameHint}</small></p>`}
    <p class="field"><label for="act-kind">${text.how}</label><select id="act-kind" value=${kind} onChange=${(event) => {
      setKind(event.target.value);
      setSource('');
    }}>${Object.entries(text.kind).map(([each, words]) => html`<option value=${each} selected=${each === kind}>${words}</option>`)}</select></p>
    <div id="act-fields" class="stack" key=${kind}>
      ${kind === 'archive' && html`<${File} name="archive" label=${text.archive} accept=".mar" required onChoose=${setSource} />`}
      ${kind === 'model' && html`<${File} name="model" label=${text.model} accept=".pth,.pt" required onChoose=${setSource} /><${File} name="labels" label=${text.labels} accept=".json" required />
        <${File} name="card" label=${text.card} accept=".json" />
        <p class="field"><label for="act-architecture">${text.architecture}</label><input id="act-architecture" name="architecture" maxlength="64" aria-describedby="act-architecture-hint" /><small id="act-architecture-hint">${text.architectureHint}</small></p>`}
      ${uploads && html`<${File} name="signature" label=${text.signature} />`}
      ${kind === 'url' && html`<p class="field"><label for="act-url">${text.url}</label><input id="act-url" type="url" required maxlength="2000" value=${source} aria-describedby="act-url-hint" onInput=${(event) => setSource(event.target.value)} /><small id="act-url-hint">${text.urlHint}</small></p>`}
      <p class="field"><label for="act-version">${text.number}</label><input id="act-version" name="version" maxlength="64" required=${!uploads} value=${version} aria-describedby="act-version-hint" onInput=${(event) => setVersion(event.target.value)} /><small id="act-version-hint">${uploads ? text.numberOptional[kind] : text.numberHint}</small></p>
    </div>
    ${sent !== null && html`<p><label for="act-sent">${sent < 1 ? text.sending(sent) : text.arrived}</label><progress id="act-sent" value=${sent < 1 ? sent : null}></progress></p>`}
  <//>`;
}

function File({ name, label, accept, required = false, onChoose }) {
  return html`<p class="field"><label for=${`act-${name}`}>${label}</label><input id=${`act-${name}`} name=${name} type="file" accept=${accept} required=${required} onChange=${(event) => onChoose?.(event.target.files[0]?.name ?? '')} /></p>`;
}
