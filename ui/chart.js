// A line chart with a table beside it, for those who cannot or do not want to read it. uPlot comes with the first one.
import { useEffect, useRef, useState } from 'preact/hooks';
import { html } from './html.js';
import { strings } from './strings.js';

const HEIGHT = 180;
const MINUTES = [1, 5, 10, 15, 30, 60].map((minutes) => 60 * minutes);
const DASHES = [[], [6, 4], [2, 3]];
let loading = null;

function library() {
  loading ??= new Promise((resolve, reject) => {
    document.head.append(Object.assign(document.createElement('link'), { rel: 'stylesheet', href: '/ui/vendor/uplot.css' }));
    const script = Object.assign(document.createElement('script'), { src: '/ui/vendor/uplot.js', onload: () => resolve(window.uPlot) });
    script.onerror = () => {
      loading = null;
      reject(new Error('uPlot'));
    };
    document.head.append(script);
  });
  return loading;
}

// A canvas knows no CSS variables: the colours are read, and read again when the theme changes.
function resolved(name) {
  const probe = document.createElement('span');
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const value = getComputedStyle(probe).color;
  probe.remove();
  return value;
}

// A line needs two values side by side; one without neighbours is drawn as a point.
const alone = (values) => values.flatMap((value, at) => (value !== null && (values[at - 1] ?? null) === null && (values[at + 1] ?? null) === null ? [at] : []));

// Half of the last time, as it is written where hours are counted to twelve, stands right of the lines: that is the padding.
// times: Date[]; series: [{label, values: (number|null)[]}].
export function Chart({ title, sentence, times, series }) {
  const place = useRef();
  const [theme, setTheme] = useState(0);
  useEffect(() => {
    const redraw = () => setTheme((turn) => turn + 1);
    const dark = matchMedia('(prefers-color-scheme: dark)');
    dark.addEventListener('change', redraw);
    addEventListener('themechange', redraw);
    return () => {
      dark.removeEventListener('change', redraw);
      removeEventListener('themechange', redraw);
    };
  }, []);
  useEffect(() => {
    let plot = null;
    let here = true;
    const box = place.current; // it is taken out of the page before this effect ends
    if (!box) return undefined;
    const watch = new ResizeObserver(() => plot?.setSize({ width: box.clientWidth, height: HEIGHT }));
    library().then((UPlot) => {
      if (!here) return;
      const axis = { stroke: resolved('--text-2'), grid: { stroke: resolved('--line') }, ticks: { stroke: resolved('--line') } };
      const lines = series.map(({ label, values }, number) => ({ label, stroke: resolved(`--series-${number + 1}`), width: 2, dash: DASHES[number], points: { show: true, filter: () => alone(values) } }));
      const options = { width: box.clientWidth, height: HEIGHT, series: [{}, ...lines], axes: [{ ...axis, incrs: MINUTES, values: (_, splits) => splits.map((at) => clock(new Date(1000 * at))) }, { ...axis, size: 56 }], cursor: { show: false }, legend: { show: false }, padding: [null, 30, null, null], scales: { y: { range: (_, __, most) => [0, Math.max(1, 1.1 * most)] } } };
      plot = new UPlot(options, [times.map((time) => time.getTime() / 1000), ...series.map(({ values }) => values)], box);
      watch.observe(box);
    }, () => {});
    return () => {
      here = false;
      watch.disconnect();
      plot?.destroy();
    };
  }, [times.length && times.at(-1).getTime(), JSON.stringify(series), theme]);
  return html`<section class="card chart" aria-label=${title}>
    <h3>${title}</h3><p>${sentence}</p>
    <div ref=${place} class="plot" role="img" aria-label=${`${title}. ${sentence}`}></div>
    <ul class="legend" aria-hidden="true">${series.map(({ label }, number) => html`<li class=${`series-${number + 1}`}>${label}</li>`)}</ul>
    <${Table} title=${title} head=${[strings.status.minute, ...series.map(({ label }) => label)]}
      rows=${times.map((time, row) => [clock(time), ...series.map(({ values }) => values[row] ?? '–')]).reverse()} />
  </section>`;
}

export const clock = (time) => new Intl.DateTimeFormat(undefined, { timeStyle: 'short' }).format(time);

export function Table({ title, head, rows }) {
  return html`<details><summary>${strings.status.table}</summary><div class="scroll" tabindex="0" role="region" aria-label=${strings.status.tableOf(title)}><table>
    <thead><tr>${head.map((cell) => html`<th scope="col">${cell}</th>`)}</tr></thead>
    <tbody>${rows.map(([first, ...others]) => html`<tr><th scope="row">${first}</th>${others.map((cell) => html`<td class="num">${cell}</td>`)}</tr>`)}</tbody>
  </table></div></details>`;
}
