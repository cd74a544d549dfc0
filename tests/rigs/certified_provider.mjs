// Runs npm `oidc-provider` (certified OpenID Provider) on loopback for the tests.
// Settings come as one line of JSON on standard input, the issuer goes out as one line of JSON,
// and the process ends when its standard input does: no test leaves it behind.
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import dns from 'node:dns';
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import { parse } from 'node:querystring';

import Provider from 'oidc-provider';

// RFC 6761 6.3: *.localhost is this machine, which the system's resolver may not know.
const systemLookup = dns.lookup;
dns.lookup = (host, ...rest) =>
  systemLookup(host.endsWith('.localhost') ? '127.0.0.1' : host, ...rest);

const escaped = (text) =>
  String(text).replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);

// Pages of our own: the package's development pages fetch fonts from the internet.
const page = (title, body) => `<!doctype html><html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width"><title>${title}</title>
<link rel="icon" href="data:,"><h1>${title}</h1>${body}`;

function signingKey() {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return { ...privateKey.export({ format: 'jwk' }), kid: randomBytes(8).toString('hex'), use: 'sig', alg: 'RS256' };
}

function account(ctx, login) {
  return {
    accountId: login,
    claims: () => ({
      sub: login,
      name: `${login} Example`,
      given_name: login,
      family_name: 'Example',
      preferred_username: login,
      email: `${login}@example.com`,
      email_verified: true,
    }),
  };
}

// Everything asked for is granted: these tests are not about consent.
async function grantEverything(ctx) {
  const { client, session, params, provider } = ctx.oidc;
  const known = session.grantIdFor(client.clientId);
  const grant = (known && (await provider.Grant.find(known)))
    || new provider.Grant({ clientId: client.clientId, accountId: session.accountId });
  grant.addOIDCScope(params.scope);
  await grant.save();
  return grant;
}

function configuration(settings) {
  const { lifetimes } = settings;
  return {
    clients: [settings.client, ...settings.others].map((client) => ({
      ...client,
      application_type: 'web',
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      backchannel_logout_session_required: true,
    })),
    jwks: { keys: [signingKey()] },
    cookies: { keys: [randomBytes(32).toString('hex')] },
    scopes: ['openid', 'profile', 'email', 'offline_access'],
    claims: {
      openid: ['sub'],
      profile: ['name', 'given_name', 'family_name', 'preferred_username'],
      email: ['email', 'email_verified'],
    },
    conformIdTokenClaims: !settings.claims_in_id_token,
    findAccount: account,
    loadExistingGrant: grantEverything,
    // By default only `offline_access` with a consent prompt brings one.
    issueRefreshToken: async (ctx, client) => client.grantTypeAllowed('refresh_token'),
    rotateRefreshToken: true,
    pkce: { required: () => true },
    // 15 s by default, in which an expired token still counts.
    clockTolerance: 0,
    // The package's own fetch refuses loopback; our receiver of logout tokens lives there.
    fetch: (url, { dispatcher, ...options }) => globalThis.fetch(url, options),
    ttl: {
      AccessToken: lifetimes.access_token,
      AuthorizationCode: 60,
      IdToken: lifetimes.id_token,
      RefreshToken: lifetimes.refresh_token,
      Session: lifetimes.session,
      Grant: lifetimes.refresh_token,
      Interaction: 600,
    },
    features: {
      devInteractions: { enabled: false },
      backchannelLogout: { enabled: true },
      revocation: { enabled: true },
      // OIDC Core 5.5.1: a client may say for whom alone it wants an answer.
      claimsParameter: { enabled: true },
      rpInitiatedLogout: {
        enabled: true,
        logoutSource: (ctx, form) => {
          ctx.body = page('Sign out?', `${form}
            <button form="op.logoutForm" name="logout" value="yes">Sign out</button>
            <button form="op.logoutForm">Stay signed in</button>`);
        },
        postLogoutSuccessSource: (ctx) => { ctx.body = page('Signed out', ''); },
      },
    },
    interactions: { url: (ctx, interaction) => `/interaction/${interaction.uid}` },
    renderError: (ctx, out) => {
      ctx.body = page('That did not work', `<pre>${escaped(JSON.stringify(out, null, 1))}</pre>`);
    },
  };
}

async function formOf(request) {
  let body = '';
  for await (const chunk of request) body += chunk;
  return parse(body);
}

async function signIn(provider, ctx) {
  const { params, prompt } = await provider.interactionDetails(ctx.req, ctx.res);
  if (ctx.method === 'GET') {
    ctx.body = page('Sign in', `<form method="post">
      <label>Login <input name="login" value="${escaped(params.login_hint ?? '')}"></label>
      <label>Password <input name="password" type="password"></label>
      <button name="choice" value="sign-in">Sign in</button>
      <button name="choice" value="cancel">Cancel</button></form>`);
    return;
  }
  const form = await formOf(ctx.req);
  const answer = form.choice === 'cancel'
    ? { error: 'access_denied', error_description: 'the person cancelled' }
    : { login: { accountId: form.login }, ...(prompt.name === 'consent' ? { consent: {} } : {}) };
  ctx.redirect(await provider.interactionResult(ctx.req, ctx.res, answer));
}

function serve(settings) {
  const server = createServer();
  server.listen(settings.port, '127.0.0.1', async () => {
    const issuer = `http://${settings.host}:${server.address().port}`;
    const provider = new Provider(issuer, configuration(settings));
    provider.use(async (ctx, next) => {
      if (ctx.path.startsWith('/interaction/')) await signIn(provider, ctx);
      else await next();
    });
    for (const event of ['server_error', 'backchannel.error']) {
      provider.on(event, (ctx, error) => console.error(event, error));
    }
    server.on('request', provider.callback());
    // Clients are checked when they are first asked for: ask now, so that a mistake ends the start.
    for (const client of [settings.client, ...settings.others]) {
      await provider.Client.find(client.client_id);
    }
    console.log(JSON.stringify({ issuer }));
  });
}

const lines = createInterface({ input: process.stdin });
lines.once('line', (line) => serve(JSON.parse(line)));
lines.once('close', () => process.exit(0));
