// Signing in at an OpenID provider: code flow with PKCE, as a public client. Tokens stay in memory; what the way there
// needs (state, nonce, verifier) lies in sessionStorage until it comes back, once.
import { access } from './credential.js';
import { loadAccess, offer } from './api.js';
import { strings } from './strings.js';

const PLACE = 'weedwatch-sign-in';
const RENEW_EARLIER_SECONDS = 30;
const here = () => `${location.origin}/`;
const text = strings.credential;
let idToken = null;

const base64url = (bytes) => btoa(String.fromCharCode(...bytes)).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
const random = () => base64url(crypto.getRandomValues(new Uint8Array(32)));
const failed = (detail) => ({ title: text.failed, detail, code: 'sign_in' });

function withQuery(address, query) {
  const url = new URL(address);
  Object.entries(query).forEach(([name, value]) => url.searchParams.set(name, value));
  return url.href;
}

// Leaves the page; gives a problem when it cannot.
export async function begin() {
  const { client_id, scope, parameters, authorization_endpoint } = access.get().oidc;
  if (!crypto.subtle) return failed(text.needsHttps); // browsers want HTTPS, or this machine
  const way = { state: random(), nonce: random(), verifier: random(), hash: location.hash };
  const challenge = base64url(new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(way.verifier))));
  sessionStorage.setItem(PLACE, JSON.stringify(way));
  location.assign(withQuery(authorization_endpoint, { response_type: 'code', client_id, redirect_uri: here(), scope, ...parameters, state: way.state, nonce: way.nonce, code_challenge: challenge, code_challenge_method: 'S256' }));
  return null;
}

// Back from the provider: the credential is taken, or the problem given.
export async function finish() {
  const said = new URLSearchParams(location.search);
  const way = JSON.parse(sessionStorage.getItem(PLACE) ?? 'null');
  sessionStorage.removeItem(PLACE);
  history.replaceState(null, '', `/${way?.hash ?? ''}`);
  await loadAccess();
  const oidc = access.get()?.oidc;
  if (!oidc) return failed(text.providerAway);
  if (!way || said.get('state') !== way.state || (said.has('iss') && said.get('iss') !== oidc.issuer)) return failed(text.notOurs);
  if (!said.has('code')) return failed(text.refusedThere(said.get('error_description') ?? said.get('error') ?? ''));
  return take({ grant_type: 'authorization_code', code: said.get('code'), redirect_uri: here(), code_verifier: way.verifier }, way.nonce);
}

async function take(grant, nonce) {
  const { client_id, token_endpoint, issuer, scope, parameters } = access.get().oidc;
  let tokens;
  try {
    const answer = await fetch(token_endpoint, { method: 'POST', body: new URLSearchParams({ ...grant, client_id, ...parameters }), credentials: 'omit', redirect: 'error', cache: 'no-store', signal: AbortSignal.timeout(30000) });
    tokens = await answer.json();
    if (!answer.ok) return failed(text.refusedThere(tokens.error_description ?? tokens.error ?? ''));
  } catch {
    return failed(text.providerAway);
  }
  if (nonce && scope.split(' ').includes('openid') && !isMeantForUs(tokens.id_token, { issuer, client_id, nonce })) return failed(text.notOurs);
  const problem = await offer(tokens.access_token);
  if (problem) return problem;
  idToken = tokens.id_token ?? idToken;
  if (tokens.refresh_token && tokens.expires_in) {
    const pause = Math.max(5, tokens.expires_in - RENEW_EARLIER_SECONDS);
    setTimeout(() => take({ grant_type: 'refresh_token', refresh_token: tokens.refresh_token }), 1000 * pause);
  }
  return null;
}

// It comes from the provider itself over its own connection, so its signature says nothing more (OpenID Connect 3.1.3.7).
function isMeantForUs(token, { issuer, client_id, nonce }) {
  try {
    const claims = JSON.parse(atob(token.split('.')[1].replaceAll('-', '+').replaceAll('_', '/')));
    return claims.iss === issuer && [claims.aud].flat().includes(client_id) && claims.nonce === nonce;
  } catch {
    return false;
  }
}

// Where to go to be signed out there, too; null when there is no such place.
export function leave() {
  const { client_id, end_session_endpoint } = access.get()?.oidc ?? {};
  if (!end_session_endpoint || !idToken) return null;
  return withQuery(end_session_endpoint, { id_token_hint: idToken, client_id, post_logout_redirect_uri: here() });
}
