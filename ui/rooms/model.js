// One model: who answers, the change under way, its versions side by side, and what can be done with each.
import { useEffect, useRef, useState } from 'preact/hooks';
import { html } from '../html.js';
import { strings } from '../strings.js';
import { Icon, Loading, Note, when } from '../parts.js';
import { call, events } from '../api.js';
import { ACTS } from '../acts.js';
import { Addition } from '../addition.js';
import { Evidence, Facts } from '../evidence.js';
import { announce } from '../announce.js';
import { Away, LooksOnly, Readiness, useLooks } from './models.js';
import { access, offers } from '../credential.js';
import { useStore } from '../store.js';

const text = strings.models;
const ROLES = ['stable', 'canary', 'shadow'];
const SOON = 1;
const LATER = 5;
const STREAM_AGAIN_MS = 2000;

const isMoving = (seen) => seen?.operation?.state === 'running' || seen?.versions.some((each) => ['uploaded', 'checking'].includes(each.state));

export function Model({ id: name }) {
  const path = `/models/${encodeURIComponent(name)}`;
  const { seen, problem, look } = useLooks(path, (facts) => (isMoving(facts) ? SOON : LATER));
  const [act, setAct] = useState(null); // {kind, version}
  useStore(access);
  const changes = offers('admin');
  const operation = useOperation(path, seen?.operation, look);
  const model = seen && { ...seen, operation };
  const close = (answer) => {
    const kind = act.kind;
    setAct(null);
    if (answer && kind === 'add') announce(text.addVersion.done);
    look();
  };
  const reload = async () => {
    look();
    return call('GET', path).catch(() => null);
  };
  const Dialog = act && (act.kind === 'add' ? Addition : ACTS[act.kind]);
  return html`<p><a class="back" href="#/models"><${Icon} name="arrow-left" />${text.back}</a></p><h1>${name}</h1><div class="stack">
    <${Away} problem=${problem} seen=${seen} look=${look} />
    ${!seen && !problem && html`<${Loading} label=${text.loading} />`}
    ${model && html`<div class=${problem ? 'stack stale' : 'stack'}>
      <${Answers} model=${model} />
      <${Operation} operation=${operation} cancel=${changes && (() => setAct({ kind: 'cancelChange' }))} />
      ${!changes && html`<${LooksOnly} />`}
      ${changes && html`<p class="row"><button type="button" onClick=${() => setAct({ kind: 'add' })}><${Icon} name="upload" />${text.addVersion.open}</button>
        ${!model.rollout.canary && model.rollout.previous && html`<button type="button" onClick=${() => setAct({ kind: 'rollback' })}><${Icon} name="undo-2" />${text.rollback.open}</button>`}</p>`}
      <section aria-label=${text.versions}><h2>${text.versions}</h2>
        <ul class="cards versions">${ordered(model).map((each) => html`<${Version} key=${each.version} model=${model} version=${each} open=${changes && ((kind) => setAct({ kind, version: each.version }))} />`)}</ul></section>
    </div>`}
    ${model && Dialog && html`<${Dialog} key=${act.kind} name=${name} model=${model} version=${act.version} reload=${reload} close=${close} />`}
  </div>`;
}

// The newest state of the newest change: from its stream while it runs.
function useOperation(path, newest, look) {
  const [told, setTold] = useState(null);
  const spoken = useRef('');
  const running = newest?.state === 'running' ? newest.id : null;
  useEffect(() => {
    if (!running) return undefined;
    const abort = new AbortController();
    async function follow() {
      while (!abort.signal.aborted) {
        try {
          for await (const event of events(`${path}/operations/${running}/events`, abort.signal)) {
            setTold(event);
            const ended = event.state !== 'running';
            if (ended || event.stage !== spoken.current) announce(ended ? outcome(event) : said(event));
            spoken.current = event.stage;
            if (ended) return look();
          }
        } catch {
          // Cut off; what is asked for every second says it meanwhile.
        }
        await new Promise((resolve) => setTimeout(resolve, STREAM_AGAIN_MS));
      }
    }
    follow();
    return () => abort.abort();
  }, [path, running]);
  const isNewer = told && newest && told.id === newest.id && told.updated_at >= newest.updated_at;
  return isNewer ? told : newest;
}

const stage = (operation) => text.operation.stage[operation.stage] ?? operation.stage;
const said = (operation) => text.operation.spoken(stage(operation), operation.message);
const outcome = (operation) => {
  if (operation.state === 'done') return text.operation.done;
  return [operation.stage === 'cancelled' ? text.operation.cancelled : text.operation.failed, operation.message].filter(Boolean).join(' ');
};

function Answers({ model }) {
  return html`<section class=${`note ${model.ready ? 'ok' : 'danger'}`}><p><${Readiness} model=${model} reasons=${stableReason(model)} /></p><p>${text.rollout(model.rollout)}</p></section>`;
}

function stableReason(model) {
  const reason = model.versions.find((each) => each.version === model.rollout.stable)?.reason;
  return reason ? [reason] : [];
}

function Operation({ operation, cancel }) {
  if (!operation) return null;
  const what = html`<p><strong>${text.operation.what(operation)}</strong></p>`;
  const by = html`<p class="muted">${text.operation.by(operation.actor, when(operation.created_at))}</p>`;
  if (operation.state === 'running') {
    const count = operation.message?.match(/(\d+) of (\d+)/);
    return html`<${Note} title=${text.operation.title}>${what}<p><label for="operation">${said(operation)}</label><progress id="operation" max=${count?.[2]} value=${count?.[1]}></progress></p>${by}
      ${cancel && html`<p><button type="button" onClick=${cancel}>${text.cancelChange.open}</button></p>`}<//>`;
  }
  const body = html`${what}<p>${outcome(operation)}</p>${operation.why && html`<p>${operation.why}</p>`}${by}`;
  if (operation.state === 'failed' && operation.stage !== 'cancelled') return html`<${Note} kind="danger" title=${text.operation.ended}>${body}<//>`;
  if (operation.why) return html`<${Note} kind="warn" title=${text.operation.ended}>${body}<//>`;
  return html`<details class="card"><summary>${text.operation.ended}</summary>${body}</details>`;
}

// Who answers first, then the others, newest first.
function ordered({ versions }) {
  const place = ({ role }) => (role ? ROLES.indexOf(role) : ROLES.length);
  return [...versions].sort((one, other) => place(one) - place(other) || other.created_at.localeCompare(one.created_at));
}

function Version({ model, version, open }) {
  const { role, state } = version;
  const title = text.version(version.version);
  const heading = `version-${version.version}`;
  return html`<li class="card stack version" aria-labelledby=${heading}>
    <div class="row"><h3 id=${heading}>${title}</h3>${role && html`<span class=${`badge ${role}`}>${badge(model.rollout, role)}</span>`}</div>
    <${State} model=${model} version=${version} />
    <${Facts} facts=${[
      [text.workers, workers(version)],
      [text.references, version.reference && text.referencesText(version.reference.passed, version.reference.total)],
      [text.minute, version.last_minute && minute(version)],
      [text.compared, version.last_minute?.compared > 0 && text.comparedText(version.last_minute)],
      [text.labels, version.labels || null],
    ]} />
    ${version.last_errors?.length > 0 && html`<details><summary>${text.errors}</summary><ul>${version.last_errors.map((each) => html`<li>${each}</li>`)}</ul></details>`}
    ${role !== 'stable' && state === 'ready' && html`<div class="evidence"><h4>${text.evidence}</h4><${Evidence} model=${model.name} version=${version.version} summary=${version.evidence} /></div>`}
    <${About} version=${version} />
    ${open && html`<div class="row" role="group" aria-label=${text.acts(version.version)}>${acts(version).map(([kind, label, style]) => html`<button type="button" class=${style} aria-label=${text.act(label, version.version)} onClick=${() => open(kind)}>${label}</button>`)}</div>`}
  </li>`;
}

function acts({ role, state }) {
  const scale = ['scale', text.scale.open, 'quiet'];
  const remove = ['remove', text.remove.open, 'quiet danger-text'];
  if (role === 'stable') return [scale];
  if (['uploaded', 'checking'].includes(state)) return [];
  if (state !== 'ready' && !role) return [...(state === 'sick' ? [['retry', text.retry.open]] : []), remove];
  const evaluate = ['evaluate', text.evaluate.open];
  const promote = ['promote', text.promote.open];
  if (role === 'canary') return [promote, ['canary', text.canary.change], ['endCanary', text.end.canary], evaluate, scale];
  if (role === 'shadow') return [['canary', text.canary.open], promote, ['shadow', text.shadow.change], ['endShadow', text.end.shadow], evaluate, scale];
  return [evaluate, ['shadow', text.shadow.open], ['canary', text.canary.open], promote, remove];
}

const shareOf = (rollout, role) => (role === 'stable' ? 100 - rollout.canary_percent : rollout[`${role}_percent`]);
const badge = (rollout, role) => (role === 'stable' ? text.badge.stable : text.badge[role](shareOf(rollout, role)));

function State({ model, version }) {
  const { role, state, reason } = version;
  const bad = ['refused', 'sick'].includes(state);
  const does = role ? text.does[role](shareOf(model.rollout, role)) : state === 'ready' && text.does.off;
  const words = [text.state[state], does, reason].filter(Boolean).join(' ');
  return html`<p class=${bad ? 'state bad' : 'state'}>${bad && html`<${Icon} name="triangle-alert" />`}<span>${words}</span></p>
    ${state === 'checking' && html`<progress aria-label=${text.state.checking}></progress>`}`;
}

function workers({ workers: all, wanted_workers: wanted, role }) {
  if (!all.length && !role) return text.notLoaded;
  const bytes = all.reduce((sum, each) => sum + (each.memory_bytes ?? 0), 0);
  return [text.workersText(all.filter((each) => each.ready).length, all.length, wanted), bytes > 0 && text.memory(bytes)].filter(Boolean).join(', ');
}

const minute = ({ last_minute: seen, queue_depth: waiting }) => [text.minuteText(seen), waiting > 0 && text.waiting(waiting)].filter(Boolean).join('; ');

function About({ version }) {
  const metrics = Object.entries(version.metrics).filter(([, value]) => ['string', 'number'].includes(typeof value)).map(([name, value]) => [name.replaceAll('_', ' '), String(value)]);
  return html`<details><summary>${text.more}</summary><${Facts} facts=${[
    [text.added, text.addedText(version.created_by, when(version.created_at))],
    [text.source, version.source],
    [text.digest, html`<code>${version.sha256}</code>`],
    ...metrics,
  ]} /></details>`;
}
