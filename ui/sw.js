// Keeps the shell, so that the page opens without a network and the photos that wait are seen. Never an answer of the API.
const CACHE = 'weedwatch-shell-1';
const PATIENCE_MS = 3000;
const SHELL = [
  '/',
  '/ui/act.js',
  '/ui/acts.js',
  '/ui/addition.js',
  '/ui/alerts.js',
  '/ui/amend.js',
  '/ui/announce.js',
  '/ui/answer.js',
  '/ui/api.js',
  '/ui/app.css',
  '/ui/app.js',
  '/ui/chart.js',
  '/ui/credential.js',
  '/ui/evidence.js',
  '/ui/html.js',
  '/ui/icon.svg',
  '/ui/names.js',
  '/ui/oidc.js',
  '/ui/outbox.js',
  '/ui/parts.js',
  '/ui/picture.js',
  '/ui/rooms/identify.js',
  '/ui/rooms/model.js',
  '/ui/rooms/models.js',
  '/ui/rooms/runbooks.js',
  '/ui/rooms/sighting.js',
  '/ui/rooms/sightings.js',
  '/ui/rooms/status.js',
  '/ui/runbooks.json',
  '/ui/signin.js',
  '/ui/store.js',
  '/ui/strings.js',
  '/ui/vendor/hooks.js',
  '/ui/vendor/htm.js',
  '/ui/vendor/icons.svg',
  '/ui/vendor/idb-keyval.js',
  '/ui/vendor/preact.js',
];

addEventListener('install', (event) => {
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(SHELL)).then(() => skipWaiting()));
});

addEventListener('activate', (event) => {
  event.waitUntil((async () => {
    for (const name of await caches.keys()) if (name !== CACHE) await caches.delete(name);
    await clients.claim();
  })());
});

addEventListener('fetch', (event) => {
  const url = new URL(event.request.url);
  if (event.request.method === 'GET' && url.origin === location.origin && SHELL.includes(url.pathname)) event.respondWith(fresh(event, url.pathname));
});

// The network's, so that an update is seen at once; the kept one when the network does not answer soon.
async function fresh(event, path) {
  const cache = await caches.open(CACHE);
  const kept = await cache.match(path);
  const asked = fetch(event.request).then((answer) => {
    if (answer.ok) event.waitUntil(cache.put(path, answer.clone()));
    return answer;
  });
  if (!kept) return asked;
  const late = new Promise((resolve) => setTimeout(() => resolve(kept), PATIENCE_MS));
  return Promise.race([asked.catch(() => kept), late]);
}
