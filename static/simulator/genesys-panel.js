/* The panel's parts: made once, in a shadow root, so that page and Messenger keep their styles. */

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "testid") made.dataset.testid = value;
    else if (typeof value === "boolean") made[name] = value;
    else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

function button(label, testid, attributes = {}) {
  return element("button", { type: "button", testid, ...attributes }, label);
}

const BUBBLE =
  "M12 3C6.5 3 2 6.8 2 11.4c0 2.6 1.4 4.9 3.7 6.5L5 21.5l4.2-2a12 12 0 0 0 2.8.3c5.5 0 10-3.8 " +
  "10-8.4S17.5 3 12 3Z";

/** Made part by part: a page may forbid HTML from text (Trusted Types). */
function drawn(tag, attributes, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

function bubble() {
  const path = drawn("path", { fill: "currentColor", d: BUBBLE });
  const box = { viewBox: "0 0 24 24", width: "26", height: "26", "aria-hidden": "true" };
  return drawn("svg", box, path);
}

function createPanel(styleUrl) {
  const host = element("div", { id: "genesys-messenger" });
  const root = host.attachShadow({ mode: "open" });
  const part = {};

  part.launcher = button("", "messenger-launcher", {
    class: "launcher",
    "aria-expanded": "false",
    "aria-controls": "panel",
  });
  part.launcherText = element("span", { class: "sr-only" }, "Open chat");
  part.launcher.append(bubble(), part.launcherText);

  part.close = button("×", "messenger-close", { class: "close", "aria-label": "Close chat" });
  part.identity = element("p", { class: "identity", testid: "messenger-identity" });
  part.signIn = button("Sign in", "messenger-sign-in", { class: "quiet", hidden: true });
  const title = element("h2", { id: "title" }, "Chat with us");
  const heading = element("div", { class: "heading" }, title, part.identity);
  const header = element("header", {}, heading, part.signIn, part.close);

  part.log = element("ol", {
    role: "log",
    "aria-live": "polite",
    "aria-label": "Conversation",
    testid: "messenger-log",
    tabindex: "0",
  });
  part.typing = element(
    "p",
    { class: "typing", testid: "messenger-typing", hidden: true },
    element("span", { class: "sr-only" }, "The agent is typing"),
    element("i"),
    element("i"),
    element("i"),
  );
  part.status = element("p", { class: "status", role: "status", testid: "messenger-status" });
  part.retry = button("Try again", "messenger-retry", { hidden: true });
  part.resume = button("Use it here", "messenger-resume", { hidden: true });
  part.anew = button("Start a new chat", "messenger-start-new", { hidden: true });
  const actions = element("div", { class: "actions" }, part.retry, part.resume, part.anew);
  part.failed = element("p", { class: "failed", role: "alert", testid: "messenger-failed" });

  const label = element("label", { for: "text", class: "sr-only" }, "Your message");
  part.input = element("textarea", {
    id: "text",
    rows: "1",
    maxlength: "4096",
    placeholder: "Write a message",
    testid: "messenger-input",
  });
  part.send = button("Send", "messenger-send", { type: "submit" });
  part.form = element("form", { class: "composer" }, label, part.input, part.send);
  const body = element("div", { class: "body" }, part.log, part.typing, part.status, actions);
  part.panel = element(
    "section",
    { id: "panel", "aria-labelledby": "title", testid: "messenger-panel", hidden: true },
    header,
    body,
    part.failed,
    part.form,
  );

  part.popupTitle = element("h2", { id: "popup-title" }, "Your session has expired");
  part.popupText = element("p", { id: "popup-text" }, "Sign in again to go on with your chat.");
  part.reauthenticate = button("Re-authenticate", "messenger-reauthenticate");
  part.popup = element(
    "section",
    {
      class: "popup",
      role: "alertdialog",
      "aria-labelledby": "popup-title",
      "aria-describedby": "popup-text",
      testid: "messenger-reauthenticate-popup",
      hidden: true,
    },
    part.popupTitle,
    part.popupText,
    part.reauthenticate,
  );

  part.frame = element(
    "div",
    { class: "messenger", testid: "messenger", "data-state": "loading", "data-popups": "0" },
    part.popup,
    part.panel,
    part.launcher,
  );
  root.append(element("link", { rel: "stylesheet", href: styleUrl }), part.frame);
  document.body.append(host);
  return part;
}
