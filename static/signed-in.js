// The window of a popup sign-in: wakes the page that waits, and closes. Nothing secret is sent:
// the page learns the outcome from the server, this is only a hint to look now.
(() => {
  "use strict";
  const transaction = document.currentScript?.getAttribute("data-transaction") ?? "";
  if (typeof BroadcastChannel === "function") {
    const channel = new BroadcastChannel("messenger-auth");
    channel.postMessage({ type: "transaction", id: transaction });
    channel.close();
  }
  window.close();
})();
