// A real OpenID provider for the tests: `node issuer.mjs` with its configuration as a line of JSON on standard input.
// It answers each line with a line: {"port"} at first, then {} when a further {"keys"} has taken the place of the keys.
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import Provider from 'oidc-provider';

console.info = console.error; // its notices must not mix with our lines
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const { audience, redirect, scopes, ttl, keys } = JSON.parse((await lines.next()).value);
const answer = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);

const made = (issuer, jwks) => {
  const id_token_signed_response_alg = jwks[0].alg;
  const provider = new Provider(issuer, {
    jwks: { keys: jwks },
    clients: [
      { client_id: 'pages', token_endpoint_auth_method: 'none', application_type: 'native', id_token_signed_response_alg, redirect_uris: redirect, post_logout_redirect_uris: redirect, grant_types: ['authorization_code', 'refresh_token'] },
      { client_id: 'machine', client_secret: 'of-the-machine', id_token_signed_response_alg, redirect_uris: [], response_types: [], grant_types: ['client_credentials'] },
    ],
    scopes: ['openid', 'offline_access', ...scopes],
    clientBasedCORS: () => true,
    features: {
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        useGrantedResource: () => true,
        getResourceServerInfo: (context, indicator) => ({ scope: scopes.join(' '), audience: indicator, accessTokenTTL: ttl, accessTokenFormat: 'jwt', jwt: { sign: { alg: jwks[0].alg, kid: jwks[0].kid } } }),
        defaultResource: () => audience,
      },
    },
    cookies: { keys: ['of-the-tests'] },
  });
  return provider.callback();
};

let callback;
const server = createServer((request, response) => callback(request, response));
server.listen(0, '127.0.0.1', async () => {
  const { port } = server.address();
  const issuer = `http://localhost:${port}`;
  callback = made(issuer, keys);
  answer({ port });
  for await (const line of lines) {
    callback = made(issuer, JSON.parse(line).keys);
    answer({});
  }
  process.exit(0); // whoever started it is gone
});
