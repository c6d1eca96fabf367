// Status: one sentence first, then the parts, then the last hour. From the service's own figures alone.
import { useEffect, useState } from 'preact/hooks';
import { html } from '../html.js';
import { strings } from '../strings.js';
import { Alerts } from '../alerts.js';
import { Chart, Table } from '../chart.js';
import { Icon, Loading, Note, Problem, needsCredential, when } from '../parts.js';
import { call, info, loadInfo } from '../api.js';
import { access } from '../credential.js';
import { announce } from '../announce.js';

const text = strings.status;
const LOOK_SECONDS = 5;
const GB = 1e9;
const MB = 1e6;

export function Status() {
  const [seen, setSeen] = useState(null); // the newest {health, series, at}
  const [away, setAway] = useState(null); // the problem, while there is no newer figure
  useEffect(() => {
    const abort = new AbortController();
    let timer = null;
    async function look() {
      try {
        const ask = (path) => call('GET', path, { signal: abort.signal, timeout: 10000 });
        const [health, series] = await Promise.all([ask('/health/detailed'), ask('/status/series')]);
        setSeen({ health, series, at: Date.now() });
        setAway(null);
        if (!info.get()) loadInfo();
      } catch (error) {
        if (abort.signal.aborted) return;
        setAway(error.problem ?? {});
      }
      timer = setTimeout(look, 1000 * LOOK_SECONDS);
    }
    look();
    return () => {
      abort.abort();
      clearTimeout(timer);
    };
  }, []);
  return html`<h1>${text.title}</h1>
    <div class="stack">
      ${away && (needsCredential(away) ? html`<${Problem} problem=${away} />` : html`<${Away} at=${seen?.at} />`)}
      ${!seen && !away && html`<${Loading} label=${text.loading} />`}
      ${seen && html`<div class=${away ? 'stack stale' : 'stack'}>
        ${!away && html`<${Sentence} health=${seen.health} /><${Alerts} />`}
        <${Parts} health=${seen.health} />
        <${Hour} points=${seen.series.points} />
        <${More} seen=${seen} />
      </div>`}
    </div>`;
}

function Away({ at }) {
  const [, again] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => again((turn) => turn + 1), 1000);
    return () => clearInterval(timer);
  }, []);
  return html`<${Note} kind="danger" title=${text.away}><p class="num">${text.awayText(at ? `${Math.round((Date.now() - at) / 1000)} s` : null)}</p><//>`;
}

function Sentence({ health }) {
  if (health.ready) {
    const { passed, total } = health.reference;
    return html`<p class="note ok"><strong>${text.ready}</strong> ${text.readyText(`${passed} of ${total}`, when(health.since))}</p>`;
  }
  return html`<${Note} kind="danger" title=${text.notReady}>${health.reasons.map((reason) => html`<p>${reason}</p>`)}<p>${text.since(when(health.since))}</p><//>`;
}

const gigabytes = (bytes) => (bytes / GB).toFixed(1);
const megabytes = (bytes) => (bytes / MB).toFixed(1);

function Parts({ health }) {
  const { machine } = health;
  const versions = health.versions.map((each) => [text.version(each.model, each.version, each.role), each.ready_workers > 0 && !each.reason, text.workersText(each.ready_workers, each.wanted_workers, each.reason)]);
  const said = (dependency) => (dependency.up ? text.up : text.down(dependency.detail));
  const rows = [
    ...(versions.length ? versions : [[text.model, false, text.noModel]]),
    [text.torchserve, health.torchserve.up, said(health.torchserve)],
    [text.database, health.database.up, said(health.database)],
    [text.queue, true, text.queueText(health.queue_depth)],
    [text.spool, health.spool_bytes < health.spool_limit_bytes / 2, text.spoolText(megabytes(health.spool_bytes), Math.round(health.spool_limit_bytes / MB))],
    [text.processor, true, text.processorText(machine.cpu_percent, machine.load_1m)],
    [text.memory, true, text.used(gigabytes(machine.memory_used_bytes), gigabytes(machine.memory_total_bytes))],
    [text.disk, true, text.free(gigabytes(machine.disk_free_bytes), gigabytes(machine.disk_total_bytes))],
  ];
  return html`<section class="card" aria-label=${text.parts}><h2>${text.parts}</h2>
    <dl>${rows.map(([name, good, state]) => html`<div><dt>${name}</dt><dd class=${good ? '' : 'bad'}><${Icon} name=${good ? 'circle-check' : 'triangle-alert'} />${state}</dd></div>`)}</dl></section>`;
}

const sum = (points, value) => points.reduce((total, point) => total + value(point), 0);

function Hour({ points }) {
  const answered = sum(points, (point) => point.answered);
  const refused = sum(points, (point) => point.refused);
  const failed = sum(points, (point) => point.failed);
  if (answered + refused + failed === 0) return html`<section aria-label=${text.hour}><h2>${text.hour}</h2><${Note} title=${text.noTraffic}><p>${text.noTrafficText}</p><//></section>`;
  const times = points.map((point) => new Date(point.at));
  const milliseconds = (seconds) => (seconds === null ? null : Math.round(1000 * seconds));
  const share = (point, count) => {
    const all = point.answered + point.refused + point.failed;
    return all ? Math.round((1000 * count) / all) / 10 : null;
  };
  const newest = points.findLast((point) => point.p95_seconds !== null);
  return html`<section class="stack" aria-label=${text.hour}><h2>${text.hour}</h2><div class="charts">
    <${Chart} title=${text.rate} sentence=${text.rateText(answered, refused, failed)} times=${times} series=${[
      { label: text.answered, values: points.map((point) => point.answered) },
      { label: text.refused, values: points.map((point) => point.refused) },
      { label: text.failed, values: points.map((point) => point.failed) },
    ]} />
    <${Chart} title=${text.latency} sentence=${newest ? text.latencyText(text.milliseconds(newest.p95_seconds)) : ''} times=${times} series=${[
      { label: text.half, values: points.map((point) => milliseconds(point.p50_seconds)) },
      { label: text.most, values: points.map((point) => milliseconds(point.p95_seconds)) },
    ]} />
    <${Chart} title=${text.errors} sentence=${text.errorsText(strings.percent((refused + failed) / (answered + refused + failed)))} times=${times} series=${[
      { label: text.failedShare, values: points.map((point) => share(point, point.failed)) },
      { label: text.refusedShare, values: points.map((point) => share(point, point.refused)) },
    ]} />
    <${Chart} title=${text.readiness} sentence=${text.readinessText(points.filter((point) => point.ready).length, points.length)} times=${times} series=${[
      { label: text.readyAll, values: points.map((point) => Number(point.ready)) },
    ]} />
    <${Chart} title=${text.queueChart} sentence=${text.queueChartText(Math.max(...points.map((point) => point.queue_depth)))} times=${times} series=${[
      { label: text.waiting, values: points.map((point) => point.queue_depth) },
    ]} />
    <${Verdicts} points=${points} total=${answered} />
  </div></section>`;
}

function Verdicts({ points, total }) {
  const rows = Object.keys(strings.verdictWord).map((verdict) => [strings.verdictWord[verdict], sum(points, (point) => point.verdicts[verdict])]);
  const share = (count) => (total ? count / total : 0);
  return html`<section class="card chart" aria-label=${text.verdicts}><h3>${text.verdicts}</h3><p>${text.verdictsText(total)}</p>
    <ul class="shares" aria-hidden="true">${rows.map(([word, count]) => html`<li><span>${word}</span><div class="bar"><i style=${{ width: `${100 * share(count)}%` }}></i></div><span class="num">${strings.percent(share(count))}</span></li>`)}</ul>
    <${Table} title=${text.verdicts} head=${[text.verdict, text.count, text.share]} rows=${rows.map(([word, count]) => [word, count, strings.percent(share(count))])} />
  </section>`;
}

function More({ seen }) {
  const copy = async () => {
    await navigator.clipboard.writeText(JSON.stringify({ ...seen, info: info.get() }, null, 1));
    announce(strings.copied);
  };
  return html`<p class="row">${navigator.clipboard && html`<button type="button" onClick=${copy}><${Icon} name="copy" />${text.bundle}</button>`}
    ${access.get()?.mode !== 'keys' && access.get()?.mode !== 'oidc' && html`<a class="btn" href="/metrics">${text.metrics}</a>`}</p>`;
}
