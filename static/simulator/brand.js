/* The shop's own script: who is here, what the sign-in has to say, and a basket of one. */
(() => {
  "use strict";
  const bff = document.currentScript.dataset.bff;
  const find = (id) => document.getElementById(id);
  const TROUBLE = ["halted", "sign-in-failed", "sign-out-failed", "stuck", "unavailable"];
  // The shop's own words for a session that ended while somebody was reading.
  const ENDED = {
    expired: "You were signed out because nothing happened for a while.",
    provider_logout: "You signed out at your sign-in service, so you are signed out here too.",
    refused: "Your sign-in has ended. Please sign in again.",
    revoked: "You were signed out by our support team. Please sign in again.",
  };
  const ACTION = { stuck: "Reload", unavailable: "Try again", "sign-out-failed": "Sign out" };

  function showPerson(name) {
    const isIn = Boolean(name);
    find("greeting").textContent = isIn ? `Hello, ${name}` : "";
    find("sign-in").hidden = isIn;
    find("sign-out").hidden = !isIn;
    for (const part of document.querySelectorAll("[data-when]")) {
      part.hidden = part.dataset.when !== (isIn ? "in" : "out");
    }
  }

  function showTrouble(detail) {
    const ended = detail.state === "signed-out" ? ENDED[detail.reason] : undefined;
    const message = detail.message ?? ended;
    const isTrouble = Boolean(message) || TROUBLE.includes(detail.state);
    find("banner").hidden = !isTrouble;
    find("banner").dataset.state = detail.state;
    find("banner-text").textContent = message ?? "Something went wrong with your sign-in.";
    find("banner-action").textContent = ACTION[detail.state] ?? "Sign in";
    find("banner-action").hidden = !isTrouble;
  }

  async function askWhoIsHere() {
    try {
      const answer = await fetch(`${bff}/auth/session`, { credentials: "include" });
      const session = await answer.json();
      showPerson(session.signed_in ? session.name : "");
    } catch {
      showPerson("");
    }
  }

  function signIn() {
    if (window.MessengerAuth) window.MessengerAuth.signIn();
    else {
      const query = new URLSearchParams({ return_to: location.pathname, origin: location.origin });
      location.assign(`${bff}/auth/login?${query}&surface=redirect`);
    }
  }

  async function signOut() {
    if (window.MessengerAuth) {
      window.MessengerAuth.signOut();
      return;
    }
    const answer = await fetch(`${bff}/auth/logout`, {
      method: "POST",
      credentials: "include",
      headers: { "Content-Type": "application/json", "X-CSRF": "1" },
      body: JSON.stringify({ return_to: location.pathname, origin: location.origin }),
    });
    const { logout_url: next } = await answer.json();
    location.assign(next ?? location.pathname);
  }

  function act() {
    const { state } = find("banner").dataset;
    if (state === "stuck") location.reload();
    else if (state === "unavailable" && window.MessengerAuth?.retry) window.MessengerAuth.retry();
    else if (state === "sign-out-failed") signOut();
    else signIn();
  }

  addEventListener("messenger-auth", ({ detail }) => {
    showTrouble(detail);
    askWhoIsHere();
  });
  find("sign-in").addEventListener("click", signIn);
  find("sign-out").addEventListener("click", signOut);
  find("banner-action").addEventListener("click", act);
  find("buy")?.addEventListener("click", () => {
    find("basket").textContent = "One blanket in your basket. This shop does not sell, though.";
  });
  const known = window.MessengerAuth?.status();
  if (known) showTrouble(known);
  askWhoIsHere();
})();
