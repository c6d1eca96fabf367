// The shell: rooms by the address's hash, focus and title with them, theme, one live region, drop and paste anywhere.
import { render } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { html } from './html.js';
import { strings } from './strings.js';
import { Icon, Problem } from './parts.js';
import { loadAccess, loadInfo } from './api.js';
import { access, held, turns, wanted } from './credential.js';
import { add, outbox, restore, waitingToBeSent } from './outbox.js';
import { announcement } from './announce.js';
import { useStore } from './store.js';
import { Identify } from './rooms/identify.js';

// The first room comes with the page, the others when somebody goes there.
const ROOMS = [
  ['identify', 'camera', async () => Identify],
  ['sightings', 'book-open', async () => (await import('./rooms/sightings.js')).Sightings],
  ['models', 'layers', async () => (await import('./rooms/models.js')).Models],
  ['status', 'activity', async () => (await import('./rooms/status.js')).Status],
];
// The rooms of one thing, behind its id; and those that no button leads to.
const ONE = {
  sightings: async () => (await import('./rooms/sighting.js')).Sighting,
  models: async () => (await import('./rooms/model.js')).Model,
};
const BESIDE = { runbooks: async () => (await import('./rooms/runbooks.js')).Runbooks };

// What somebody typed may be no encoding at all.
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

// #/room/id?query
function place() {
  const [path, query = ''] = location.hash.replace(/^#\/?/, '').split('?');
  const [room = '', id = ''] = path.split('/');
  return { room: room || 'identify', id: decoded(id), query: new URLSearchParams(query), key: path };
}

function View({ here }) {
  const [loaded, setLoaded] = useState({ Room: here.room === 'identify' ? Identify : null });
  const load = (here.id && ONE[here.room]) || BESIDE[here.room] || ROOMS.find(([name]) => name === here.room)?.[2];
  useEffect(() => {
    load?.().then((Room) => setLoaded({ Room }), () => setLoaded({ failed: true }));
  }, []);
  if (!load) return html`<h1>${strings.lost.title}</h1><p>${strings.lost.text} <a href="#/identify">${strings.lost.back}</a></p>`;
  if (loaded.failed) return html`<h1>${strings.rooms[here.room]}</h1><${Problem} problem=${{ ...strings.problems.unreachable, code: 'unreachable' }} />`;
  return loaded.Room && html`<${loaded.Room} id=${here.id} query=${here.query} />`;
}

function App() {
  const [here, setHere] = useState(place());
  const [over, setOver] = useState(false);
  const first = useRef(true);
  const main = useRef();
  const waiting = waitingToBeSent(useStore(outbox));
  const turn = useStore(turns);
  // What a room shows is of who asked; photos on their way are the page's.
  const key = here.room === 'identify' ? here.key : `${here.key} ${turn}`;
  useEffect(() => {
    const moved = () => setHere(place());
    addEventListener('hashchange', moved);
    return () => removeEventListener('hashchange', moved);
  }, []);
  useEffect(() => {
    document.title = `${strings.rooms[here.room] ?? strings.lost.title} · ${strings.product}`;
    if (first.current) first.current = false;
    else {
      main.current.focus();
      main.current.scrollTo(0, 0);
      scrollTo(0, 0);
    }
  }, [here.key]);
  useEffect(() => takePhotosAnywhere(setOver), []);
  return html`<a class="skip" href="#main" onClick=${(event) => {
      event.preventDefault();
      main.current.focus();
    }}>${strings.skip}</a>
    <div class="shell">
      <main id="main" tabindex="-1" ref=${main}><${Door} /><${View} key=${key} here=${here} /><${Footer} /></main>
      <nav aria-label=${strings.roomsLabel}><ul>
        ${ROOMS.map(([name, icon]) => html`<li key=${name}><a href=${`#/${name}`} aria-current=${name === here.room ? 'page' : null}>
          <${Icon} name=${icon} /><span>${strings.rooms[name]}${name === 'identify' && waiting > 0 ? html` <span class="count num">${waiting}</span>` : ''}</span></a></li>`)}
        <li><a href="/docs"><${Icon} name="code-xml" /><span>${strings.rooms.api}</span></a></li>
      </ul></nav>
    </div>
    ${over && html`<div class="over" aria-hidden="true">${strings.identify.dropNow}</div>`}
    <${Live} />`;
}

// Who is signed in, and the dialog to do so; loaded where anybody has to.
function Door() {
  const facts = useStore(access);
  const asked = useStore(wanted);
  const [door, setDoor] = useState(null);
  const isClosed = (facts && facts.mode !== 'off') || held() !== null || asked;
  useEffect(() => {
    if (isClosed) import('./signin.js').then(setDoor, () => {}); // not reached: asked again with the next call
  }, [Boolean(isClosed), asked]);
  return isClosed && door && html`<${door.Who} />${asked && html`<${door.SignIn} />`}`;
}

function Live() {
  return html`<p class="sr" role="status" aria-live="polite">${useStore(announcement)}</p>`;
}

function Footer() {
  const [theme, setTheme] = useState(document.documentElement.dataset.theme ?? 'auto');
  const choose = (event) => {
    setTheme(event.target.value);
    applyTheme(event.target.value);
  };
  return html`<footer><label for="theme">${strings.theme.label}</label>
    <select id="theme" value=${theme} onChange=${choose}>${['auto', 'light', 'dark'].map((name) => html`<option value=${name} selected=${name === theme}>${strings.theme[name]}</option>`)}</select></footer>`;
}

function applyTheme(name) {
  if (name === 'auto') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = name;
  try {
    localStorage.setItem('theme', name);
  } catch {
    // Then it holds for this page only.
  }
  dispatchEvent(new Event('themechange'));
}

function takePhotosAnywhere(setOver) {
  let depth = 0;
  const take = (files) => {
    if (!files.length) return;
    add(files);
    location.hash = '#/identify';
  };
  const handlers = {
    dragenter: (event) => {
      if (![...event.dataTransfer.types].includes('Files')) return;
      event.preventDefault();
      setOver(++depth > 0);
    },
    dragover: (event) => event.preventDefault(),
    dragleave: () => setOver((depth = Math.max(0, depth - 1)) > 0),
    drop: (event) => {
      event.preventDefault();
      setOver((depth = 0) > 0);
      take([...event.dataTransfer.files]);
    },
    paste: (event) => take([...event.clipboardData.files]),
  };
  Object.entries(handlers).forEach(([name, handler]) => addEventListener(name, handler));
  return () => Object.entries(handlers).forEach(([name, handler]) => removeEventListener(name, handler));
}

try {
  const theme = localStorage.getItem('theme');
  if (['light', 'dark'].includes(theme)) document.documentElement.dataset.theme = theme;
} catch {
  // No memory: as the device has it.
}
// Back from the OpenID provider the credential is there before the rooms ask for anything.
const search = new URLSearchParams(location.search);
if (search.has('state')) {
  const { finish } = await import('./oidc.js');
  const problem = await finish().catch(() => ({ ...strings.problems.unreachable, code: 'unreachable' }));
  if (problem) wanted.set({ problem });
} else {
  loadAccess().then(loadInfo, () => {}); // the rooms say that the service does not answer
}
render(html`<${App} />`, document.getElementById('app'));
turns.subscribe(loadInfo);
if (held()) loadInfo();
restore();
// Keeps the pages for the time without a network; only where the browser allows it (HTTPS, or this machine).
navigator.serviceWorker?.register('/ui/sw.js', { scope: '/' }).catch(() => {});
