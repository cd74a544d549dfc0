/* The start: domain check, configuration, the page's queue, then the plugins. In this order. */

function isAllowed({ allowAllDomains, allowedDomains }, host) {
  const fits = (domain) => host === domain || host.endsWith(`.${domain}`);
  return allowAllDomains || allowedDomains.some(fits);
}

async function fetchJson(url) {
  const answer = await fetch(url, { cache: "no-store" });
  if (!answer.ok) throw new Error(`${url} answered ${answer.status}`);
  return answer.json();
}

/** The dials can be turned while the page is open; without an answer the last ones hold. */
async function dialsOf(url) {
  let last = await fetchJson(url);
  return async () => {
    last = await fetchJson(url).catch(() => last);
    return last;
  };
}

async function start(origin) {
  const stub = window[window._genesysJs ?? "Genesys"];
  const bus = createBus();
  const dispatch = createDispatcher(bus, stub);
  // The stub is replaced, not filled: who kept a reference to it queues for ever.
  window[window._genesysJs ?? "Genesys"] = dispatch;

  const GenesysJS = bus.plugin("GenesysJS");
  let config = null;
  GenesysJS.registerCommand("configuration", (request) => {
    if (config) request.resolve(config);
    else request.reject("Deployment config is not available");
  });
  const snippetConfig = stub.c;
  const deployment = `${origin}/webdeployments/v1/deployments/${snippetConfig.deploymentId}`;
  const domains = await fetchJson(`${deployment}/domains.json`);
  if (!isAllowed(domains, location.hostname)) {
    console.error(`[Genesys] ${location.hostname} is not an allowed domain`);
    GenesysJS.republish("domainNotAllowed");
    return;
  }
  config = await fetchJson(`${deployment}/config.json`);
  GenesysJS.republish("configurationReceived", { deploymentConfig: config, snippetConfig });
  dispatch("executeQueue");
  GenesysJS.ready();

  const context = {
    bus,
    config,
    vault: createVault(config.id),
    api: createApi(config.apiEndpoint, config.id),
    dials: await dialsOf(`${origin}/genesys-bootstrap/stand-in.json`),
    styleUrl: `${origin}/genesys-bootstrap/messenger.css`,
  };
  context.auth = createAuth(context);
  context.messaging = createMessaging(context);
  const messenger = createMessenger(context);
  context.auth.ready();
  context.messaging.ready();
  messenger.ready();
  await context.messaging.start();
}

const scriptOrigin = new URL(document.currentScript.src).origin;
start(scriptOrigin).catch((error) => console.error("[Genesys]", error));
