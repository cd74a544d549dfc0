/* The small Messenger: what people see of all this. */

const STATUS = {
  loading: "Connecting…",
  reconnecting: "The connection was lost. Reconnecting…",
  "signed-out": "Please sign in to chat with us.",
  "signing-in": "Signing in…",
  reauthenticate: "Your session has expired.",
  reauthenticating: "Re-authenticating…",
  unavailable: "The chat is not available at the moment.",
  closed: "This chat goes on in another tab.",
};
const TALKING = ["anonymous", "authenticated"];

function timeOf(message) {
  const moment = new Date(message.channel.time);
  return moment.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
}

function nameOf(person) {
  const names = [person?.given_name, person?.family_name].filter(Boolean).join(" ");
  return names || person?.email || "";
}

function messageItem(message) {
  const isMine = message.direction === "Inbound";
  const author = isMine ? "You" : (message.channel.from?.nickname ?? "Agent");
  return element(
    "li",
    {
      class: isMine ? "mine" : "theirs",
      testid: "messenger-message",
      "data-id": message.id,
      "data-direction": message.direction,
      "data-author": author,
    },
    element("span", { class: "author" }, `${author} · ${timeOf(message)}`),
    element("p", {}, message.text ?? ""),
  );
}

function createMessenger({ bus, vault, messaging, auth, styleUrl }) {
  const Messenger = bus.plugin("Messenger");
  const part = createPanel(styleUrl);
  let shownState = "";
  let popups = 0;

  function identityLine(view) {
    const name = nameOf(messaging.person());
    if (view.state === "authenticated") return `Signed in as ${name || "a customer"}`;
    if (view.state === "anonymous") return "You are chatting as a guest";
    return "We usually answer in a minute";
  }

  /** Only what is new is added: a log is read aloud, and nothing should be read twice. */
  function renderLog(messages) {
    const shown = [...part.log.children].map((item) => item.dataset.id);
    const isPrefix = shown.every((id, place) => id === messages[place]?.id);
    if (!isPrefix) part.log.replaceChildren();
    for (const message of messages.slice(part.log.children.length)) {
      part.log.append(messageItem(message));
    }
    part.log.scrollTop = part.log.scrollHeight;
  }

  function renderPopup(state) {
    const isShown = state === "reauthenticate" || state === "reauthenticating";
    const isWorking = state === "reauthenticating";
    if (state === "reauthenticate" && shownState !== state) popups += 1;
    part.frame.dataset.popups = String(popups);
    part.popup.hidden = !isShown;
    part.reauthenticate.disabled = isWorking;
    part.reauthenticate.textContent = isWorking ? "Re-authenticating…" : "Re-authenticate";
  }

  let drawn = null;
  function render(view) {
    const isTalking = TALKING.includes(view.state);
    part.frame.dataset.state = view.state;
    part.identity.textContent = identityLine(view);
    part.status.textContent = view.readOnly ? "This chat has ended." : (STATUS[view.state] ?? "");
    part.status.hidden = isTalking && !view.readOnly;
    part.signIn.hidden = !(view.state === "anonymous" && auth.allowsUpgrade);
    part.retry.hidden = !["signed-out", "unavailable"].includes(view.state);
    part.resume.hidden = view.state !== "closed";
    part.anew.hidden = !(isTalking && view.readOnly);
    part.typing.hidden = !view.typing;
    part.input.disabled = !isTalking || view.readOnly;
    part.send.disabled = part.input.disabled;
    part.failed.hidden = !view.failed;
    part.failed.textContent = view.failed ? `Not sent: ${view.failed.message}` : "";
    if (drawn !== view.messages) renderLog(view.messages);
    drawn = view.messages;
    renderPopup(view.state);
    shownState = view.state;
  }

  function setOpen(isOpen, { moveFocus = true } = {}) {
    part.panel.hidden = !isOpen;
    part.frame.classList.toggle("open", isOpen);
    part.launcher.setAttribute("aria-expanded", String(isOpen));
    part.launcherText.textContent = isOpen ? "Close chat" : "Open chat";
    vault.setFlag("gcmcopn", isOpen);
    if (isOpen) messaging.panelOpened();
    else messaging.panelClosed();
    if (moveFocus) (isOpen ? (part.input.disabled ? part.close : part.input) : part.launcher).focus();
    Messenger.publish(isOpen ? "opened" : "closed");
  }

  function submit() {
    if (messaging.send(part.input.value)) part.input.value = "";
    part.input.focus();
  }

  part.launcher.addEventListener("click", () => setOpen(part.panel.hidden));
  part.close.addEventListener("click", () => setOpen(false));
  part.panel.addEventListener("keydown", (event) => event.key === "Escape" && setOpen(false));
  part.form.addEventListener("submit", (event) => {
    event.preventDefault();
    submit();
  });
  part.input.addEventListener("input", () => messaging.typing());
  part.input.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    submit();
  });
  part.signIn.addEventListener("click", () => messaging.signIn());
  part.reauthenticate.addEventListener("click", () => messaging.reAuthenticate());
  part.retry.addEventListener("click", () => messaging.retry());
  part.resume.addEventListener("click", () => messaging.resume());
  part.anew.addEventListener("click", () => messaging.startAnew());

  Messenger.registerCommand("open", (command) => {
    setOpen(true, { moveFocus: false });
    command.resolve();
  });
  Messenger.registerCommand("close", (command) => {
    setOpen(false, { moveFocus: false });
    command.resolve();
  });
  messaging.onChange(render);
  if (vault.flag("gcmcopn")) setOpen(true, { moveFocus: false });
  return { ready: () => Messenger.ready() };
}
