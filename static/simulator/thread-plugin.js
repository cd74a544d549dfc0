/* The plugin as it grew in a forum thread, in words of our own: every line of it looks sensible.
   It is here for the flow inspector to say what is wrong with it, and not to be copied. */
(() => {
  "use strict";
  const bff = document.currentScript.dataset.bff;

  /** One code for the life of the tab, so that a reload need not ask again. */
  async function authData() {
    const kept = sessionStorage.getItem("authData");
    if (kept) return JSON.parse(kept);
    const answer = await fetch(`${bff}/messenger/code`, {
      method: "POST",
      credentials: "include",
      headers: { "Content-Type": "application/json", "X-CSRF": "1" },
      body: "{}",
    });
    if (!answer.ok) return undefined;
    const { authCode, redirectUri, codeVerifier, nonce, iss } = await answer.json();
    localStorage.setItem("pkce_code_verifier", codeVerifier);
    const data = { authCode, redirectUri, codeVerifier, nonce, iss };
    sessionStorage.setItem("authData", JSON.stringify(data));
    return data;
  }

  function login() {
    const query = new URLSearchParams({ return_to: location.pathname, origin: location.origin });
    location.assign(`${bff}/auth/login?${query}&surface=redirect`);
  }

  /** Just before the end: Genesys says that it should be a last-moment thing. */
  function scheduleRefresh(jwt) {
    const { exp } = JSON.parse(atob(jwt.split(".")[1]));
    const delay = exp * 1000 - Date.now() - 100;
    if (delay > 0) setTimeout(() => window.Genesys("command", "Auth.refreshToken"), delay);
  }

  window.Genesys("registerPlugin", "AuthProvider", (AuthProvider) => {
    const giveCode = (e) => authData().then((data) => e.resolve(data));

    AuthProvider.registerCommand("getAuthCode", giveCode);
    AuthProvider.registerCommand("signIn", () => {
      AuthProvider.registerCommand("getAuthCode", giveCode);
    });
    AuthProvider.registerCommand("reAuthenticate", giveCode);
    AuthProvider.subscribe("Auth.signingIn", login);
    AuthProvider.subscribe("Auth.authenticated", ({ data }) => scheduleRefresh(data.jwt));
    AuthProvider.ready();
  });
})();
