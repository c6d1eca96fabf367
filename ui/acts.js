// What can be done with a model and its versions; each is a dialog around one request.
import { useRef, useState } from 'preact/hooks';
import { html } from './html.js';
import { strings } from './strings.js';
import { Act } from './act.js';
import { call } from './api.js';

const text = strings.models;
const FIRST_PERCENT = 10;
const address = (model, ...more) => `/models/${[model.name, ...more].map(encodeURIComponent).join('/')}`;

// The rollout as it was when the dialog opened is what is changed. When another one is there meanwhile, nothing is done,
// and the dialog goes on with that one.
function useRevision(model, reload) {
  const [rollout, setRollout] = useState(model.rollout);
  const refused = async (problem) => {
    if (problem.code !== 'conflict') return null;
    const now = (await reload())?.rollout;
    if (!now || now.revision === rollout.revision) return null;
    setRollout(now);
    return { ...problem, title: text.somebodyElse, detail: text.somebodyElseText(text.rollout(now)) };
  };
  return { rollout, refused };
}

function wanted({ stable, canary, canary_percent, shadow, shadow_percent }, change) {
  const all = { stable, canary, canary_percent, shadow, shadow_percent, ...change };
  if (all.shadow === all.canary) return 'shadow' in change ? { ...all, canary: null, canary_percent: 0 } : { ...all, shadow: null, shadow_percent: 0 };
  return all;
}

function rolloutWords(model, { stable, canary, canary_percent, shadow, shadow_percent }) {
  const words = ['rollout', model.name, stable];
  if (canary) words.push('--canary', canary, '--percent', canary_percent);
  if (shadow) words.push('--shadow', shadow, '--shadow-percent', shadow_percent);
  return words;
}

// Slider and field are one number; the label names both.
function Percent({ id, label, value, onInput }) {
  const change = (event) => event.target.value !== '' && onInput(Number(event.target.value));
  return html`<div class="percent"><label for=${id}>${label}</label>
    <input type="range" aria-label=${label} min="1" max="100" value=${value} onInput=${change} />
    <input id=${id} type="number" inputmode="decimal" min="0.1" max="100" step="0.1" required value=${value} onInput=${change} /></div>`;
}

// A version as canary or as shadow, with its share.
function Share({ kind, model, version, reload, close }) {
  const words = text[kind];
  const { rollout, refused } = useRevision(model, reload);
  const [percent, setPercent] = useState((rollout[kind] === version && rollout[`${kind}_percent`]) || FIRST_PERCENT);
  const next = wanted(rollout, { [kind]: version, [`${kind}_percent`]: percent });
  const ends = ['canary', 'shadow'].filter((each) => rollout[each] && rollout[each] !== version && rollout[each] !== next[each]).map((each) => text[each].other(rollout[each]));
  return html`<${Act} title=${words.title(version)} effect=${[words.effect(version, percent, rollout.stable), ...ends].join(' ')} cli=${rolloutWords(model, next)}
    label=${rollout[kind] === version ? words.change.replace(' …', '') : words.label} refused=${refused} close=${close}
    send=${() => call('PUT', address(model, 'rollout'), { json: next, asks: true, revision: rollout.revision })}>
    <${Percent} id="act-percent" label=${words.share} value=${percent} onInput=${setPercent} /><//>`;
}

function End({ kind, model, version, reload, close }) {
  const { rollout, refused } = useRevision(model, reload);
  const next = wanted(rollout, { [kind]: null, [`${kind}_percent`]: 0 });
  const effect = kind === 'canary' ? text.end.effect(version, rollout.stable) : text.end.shadowEffect(version);
  return html`<${Act} title=${text.end.title(version)} effect=${effect} label=${text.end.label} refused=${refused} close=${close} cli=${rolloutWords(model, next)}
    send=${() => call('PUT', address(model, 'rollout'), { json: next, asks: true, revision: rollout.revision })} />`;
}

function Evaluate({ model, version, close }) {
  return html`<${Act} title=${text.evaluate.title(version)} effect=${text.evaluate.effect(version, model.rollout.stable)} label=${text.evaluate.label} close=${close}
    cli=${['evaluate', model.name, version]} send=${() => call('POST', address(model, 'versions', version, 'evaluate'), { asks: true })} />`;
}

// What the policy says against it comes as the answer; then it can be done all the same, with a reason.
function Promote({ model, version, reload, close }) {
  const { rollout, refused } = useRevision(model, reload);
  const [against, setAgainst] = useState(false);
  const [force, setForce] = useState(false);
  const [reason, setReason] = useState('');
  const onRefused = async (problem) => {
    if (problem.code !== 'not_promoted') return refused(problem);
    setAgainst(true);
    return { ...problem, detail: text.objections };
  };
  const forced = force ? ['--force', '--reason', reason] : [];
  return html`<${Act} title=${text.promote.title(version)} effect=${text.promote.effect(version, rollout.stable)} label=${force ? text.promote.force : text.promote.label} danger=${force}
    refused=${onRefused} close=${close} cli=${['promote', model.name, version, ...forced]} after=${against && html`<${Force} force=${force} setForce=${setForce} reason=${reason} setReason=${setReason} />`}
    send=${() => call('POST', address(model, 'promote'), { json: { version, ...(force && { force, reason }) }, asks: true, revision: rollout.revision })} />`;
}

function Force({ force, setForce, reason, setReason }) {
  return html`<label class="check"><input type="checkbox" checked=${force} onChange=${(event) => setForce(event.target.checked)} />${text.promote.force}</label>
    ${force && html`<p class="field"><label for="act-reason">${text.promote.reason}</label><input id="act-reason" required maxlength="200" value=${reason} aria-describedby="act-reason-hint" onInput=${(event) => setReason(event.target.value)} /><small id="act-reason-hint">${text.promote.reasonHint}</small></p>`}`;
}

function RollBack({ model, reload, close }) {
  const { rollout, refused } = useRevision(model, reload);
  const { stable, canary, previous } = rollout;
  return html`<${Act} title=${text.rollback.title} effect=${canary ? text.end.effect(canary, stable) : text.rollback.effect(previous, stable)} label=${text.rollback.label}
    refused=${refused} close=${close} cli=${['rollback', model.name]} send=${() => call('POST', address(model, 'rollback'), { asks: true, revision: rollout.revision })} />`;
}

function CancelChange({ model, close }) {
  const operation = useRef(model.operation).current;
  return html`<${Act} title=${text.cancelChange.title} effect=${text.cancelChange.effect} label=${text.cancelChange.label} safe=${text.cancelChange.keep} danger close=${close}
    cli=${['cancel', model.name]} send=${() => call('DELETE', address(model, 'operations', operation.id), { asks: true })} />`;
}

function Scale({ model, version, close }) {
  const [count, setCount] = useState('');
  return html`<${Act} title=${text.scale.title(version)} effect=${text.scale.effect(version, Number(count))} label=${text.scale.label} close=${close}
    cli=${['workers', model.name, version, count || 'auto']} send=${() => call('PUT', address(model, 'versions', version, 'workers'), { json: { workers: count ? Number(count) : null }, asks: true })}>
    <p class="field"><label for="act-count">${text.scale.count}</label><input id="act-count" type="number" inputmode="numeric" min="1" max="64" value=${count} aria-describedby="act-count-hint" onInput=${(event) => setCount(event.target.value)} /><small id="act-count-hint">${text.scale.countHint}</small></p><//>`;
}

function Retry({ model, version, close }) {
  return html`<${Act} title=${text.retry.title(version)} effect=${text.retry.effect} label=${text.retry.label} close=${close}
    cli=${['add', model.name, version]} send=${() => call('POST', address(model, 'versions'), { json: { version }, asks: true })} />`;
}

function Remove({ model, version, close }) {
  const name = `${model.name} ${version}`;
  const check = (event) => event.target.setCustomValidity(event.target.value === name ? '' : text.remove.mismatch(name));
  return html`<${Act} title=${text.remove.title(version)} effect=${text.remove.effect(version)} label=${text.remove.label} danger close=${close}
    cli=${['rm', model.name, version]} send=${() => call('DELETE', address(model, 'versions', version), { asks: true })}>
    <p class="field"><label for="act-name">${text.remove.typed(name)}</label><input id="act-name" required autocomplete="off" onInput=${check} /></p><//>`;
}

// By name; the page shows one at a time.
export const ACTS = {
  canary: (props) => html`<${Share} kind="canary" ...${props} />`,
  shadow: (props) => html`<${Share} kind="shadow" ...${props} />`,
  endCanary: (props) => html`<${End} kind="canary" ...${props} />`,
  endShadow: (props) => html`<${End} kind="shadow" ...${props} />`,
  evaluate: Evaluate,
  promote: Promote,
  rollback: RollBack,
  cancelChange: CancelChange,
  scale: Scale,
  retry: Retry,
  remove: Remove,
};
