/* The plugin as many people write it: one code, fetched at load; a reAuthenticate that does nothing;
   no renewal. It is here to show what then happens, and not to be copied. */
(() => {
  "use strict";
  const bff = document.currentScript.dataset.bff;
  const code = fetch(`${bff}/messenger/code`, {
    method: "POST",
    credentials: "include",
    headers: { "Content-Type": "application/json", "X-CSRF": "1" },
    body: "{}",
  }).then((answer) => (answer.ok ? answer.json() : undefined));

  window.Genesys("registerPlugin", "AuthProvider", (AuthProvider) => {
    AuthProvider.registerCommand("getAuthCode", (e) => code.then((data) => e.resolve(data)));
    AuthProvider.registerCommand("reAuthenticate", (e) => e.resolve());
    AuthProvider.ready();
  });
})();
