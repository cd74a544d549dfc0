/* The shop's own chat, on MessengerAuth.openGuestChat: see docs/guest-chat.md. */
(() => {
  "use strict";
  const find = (id) => document.getElementById(id);
  const MOST_BYTES = 4096;
  const NEAR = 80;
  // A cut that is over in a moment is not worth a word.
  const PATIENCE = 1200;
  const SETTLE = 800;
  const AGENT = "Support";
  const STATUS = { connecting: "Connecting…", open: "Online", paused: "Back in a moment…", ended: "Ended" };
  const FATE = { sending: "Sending…", sent: "Sent", delivered: "Delivered" };
  const PAUSED = {
    connection: "The connection is interrupted. What you write is kept, and sent when it is back.",
    service: "We cannot be reached for a moment. What you write is kept, and nothing is lost.",
  };
  const ENDED = {
    ended: "You have ended this chat. Thank you for writing to us.",
    expired: "This chat has ended because nothing was said for a while.",
    signed_out: "You have signed out, so this chat has ended.",
    logged_out: "You have signed out, so this chat has ended.",
    revoked: "You were signed out by our support team, so this chat has ended.",
    cleared: "This conversation was cleared.",
    displaced: "This chat is open in too many tabs. It goes on in the other ones.",
    somebody_else: "Somebody else has signed in in this browser, so this chat has ended.",
  };
  let chat = null;
  let noticeTimer = 0;
  let dotsTimer = 0;
  let unsureTimer = 0;
  // Whether the reader is at the end of the log and wants to stay there.
  let follows = true;

  // The log

  const isAtEnd = () => {
    const box = find("chat-scroll");
    return box.scrollHeight - box.scrollTop - box.clientHeight < NEAR;
  };

  function toEnd() {
    const box = find("chat-scroll");
    box.scrollTop = box.scrollHeight;
    find("chat-newer").hidden = true;
  }

  function append(item, follow) {
    find("chat-log").append(item);
    if (follow || follows) toEnd();
    else find("chat-newer").hidden = false;
  }

  function remark(text) {
    const item = find("chat-remark").content.firstElementChild.cloneNode(true);
    item.textContent = text;
    append(item);
  }

  function show({ text, author, name, at = new Date(), id = "", state = "" }, follow) {
    const item = find("chat-message").content.firstElementChild.cloneNode(true);
    const before = find("chat-log").lastElementChild;
    item.dataset.author = author;
    item.dataset.id = id;
    item.dataset.name = name;
    item.classList.toggle("goes-on", before?.dataset.name === name);
    item.querySelector(".from").textContent = name;
    item.querySelector(".bubble").textContent = text;
    const time = item.querySelector("time");
    time.dateTime = at.toISOString();
    time.textContent = at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
    if (state) tellFate(item, state);
    append(item, follow);
    return item;
  }

  function tellFate(item, state, words = FATE[state]) {
    item.dataset.state = state;
    item.querySelector(".fate-text").textContent = words;
    const again = item.querySelector(".again");
    again.hidden = state !== "failed";
  }

  const itemOf = (id) => find("chat-log").querySelector(`[data-id="${CSS.escape(id)}"]`);

  // What comes

  function heard({ detail: body }) {
    const mine = body.direction === "Inbound";
    hideDots();
    if (!body.text) return;
    show({
      text: body.text,
      author: mine ? "me" : "them",
      name: mine ? "You" : (body.channel?.from?.nickname ?? AGENT),
      at: body.channel?.time ? new Date(body.channel.time) : undefined,
      id: body.metadata?.customMessageId ?? body.metadata?.id,
      state: mine ? "delivered" : "",
    });
  }

  function typed({ detail: body }) {
    if (body.direction === "Inbound") return;
    find("chat-typing").hidden = false;
    find("chat-typing-text").textContent = "Support is writing";
    if (follows) toEnd();
    clearTimeout(dotsTimer);
    dotsTimer = setTimeout(hideDots, body.events[0].typing?.duration ?? 5000);
  }

  function hideDots() {
    clearTimeout(dotsTimer);
    find("chat-typing").hidden = true;
  }

  const fateOf = (state) => ({ detail }) => {
    const item = itemOf(detail.id);
    if (item) tellFate(item, state);
  };

  function failed({ detail: { id, message } }) {
    const item = itemOf(id);
    if (item) tellFate(item, "failed", `Not sent. ${message ?? ""}`);
  }

  // What is wrong

  function notice(text, isOver = false) {
    clearTimeout(noticeTimer);
    find("chat-notice").hidden = !text;
    find("chat-notice-text").textContent = text ?? "";
    find("chat-new").hidden = !isOver;
  }

  function paused({ detail: { reason } }) {
    clearTimeout(noticeTimer);
    noticeTimer = setTimeout(notice, PATIENCE, PAUSED[reason]);
  }

  function changed() {
    const { state } = chat;
    const say = () => {
      find("chat").dataset.state = state;
      find("chat-status").textContent = STATUS[state];
    };
    clearTimeout(unsureTimer);
    if (state === "paused") unsureTimer = setTimeout(say, PATIENCE);
    else say();
    if (state === "open") notice();
    find("chat-end").hidden = state === "ended";
  }

  function ended({ detail: { reason } }) {
    const wasWriting = find("chat-form").contains(document.activeElement);
    hideDots();
    find("chat-form").hidden = true;
    notice(ENDED[reason] ?? "This chat has ended.", true);
    if (wasWriting) find("chat-new").focus();
  }

  // What goes

  function say(text, item) {
    const sent = chat.send(text);
    if (item) {
      item.dataset.id = sent.id;
      tellFate(item, "sending");
    } else show({ text, author: "me", name: "You", id: sent.id, state: "sending" }, true);
  }

  function submit(event) {
    event.preventDefault();
    const text = find("chat-input").value.trim();
    if (!text || !chat || bytesLeft(text) < 0) return;
    say(text);
    find("chat-input").value = "";
    wrote();
    find("chat-input").focus();
  }

  const bytesLeft = (text) => MOST_BYTES - new TextEncoder().encode(text).length;

  function wrote() {
    const { value } = find("chat-input");
    const left = bytesLeft(value.trim());
    find("chat-room").textContent =
      left < 0 ? "This is too long to be sent at once. Please shorten it." : left < 400 ? `${left} characters left.` : "";
    find("chat-send").disabled = left < 0;
    // For browsers that do not size a field by its content.
    find("chat-input").rows = Math.min(6, value.split("\n").length);
  }

  // Who is here

  function person({ state, name }) {
    const isIn = state === "authenticated" || state === "signed-in";
    find("chat-who").textContent = isIn ? `You are chatting as ${name || "a signed-in customer"}.` : "You are chatting as a guest.";
    find("chat-sign-in").hidden = isIn;
  }

  /** A name of this browser, not a secret: who closes the page and comes back is found by it. */
  function device() {
    try {
      const known = localStorage.getItem("shop.device") || crypto.randomUUID();
      localStorage.setItem("shop.device", known);
      return known;
    } catch {
      return undefined; // storage is blocked: the chat works, and is not found again
    }
  }

  async function open() {
    find("chat-form").hidden = false;
    notice();
    try {
      chat = await window.MessengerAuth.openGuestChat({ resume: true, deviceId: device() });
    } catch {
      find("chat-status").textContent = "Not available";
      notice("The chat could not be loaded. Please try again in a moment.", true);
      return;
    }
    const ears = {
      state: changed,
      message: heard,
      typing: typed,
      accepted: fateOf("sent"),
      delivered: fateOf("delivered"),
      failed,
      paused,
      ended,
      // Behind what was said before, which a page that was reloaded is told again first.
      authenticated: () => setTimeout(remark, SETTLE, "You are signed in now, and nothing is lost."),
      error: ({ detail }) => chat.state === "connecting" && notice(detail.message),
    };
    for (const [name, hear] of Object.entries(ears)) chat.addEventListener(name, hear);
    changed();
    if (find("chat-input").value) wrote();
  }

  function startAgain() {
    find("chat-log").replaceChildren();
    find("chat-input").focus();
    open().then(() => find("chat-input").focus());
  }

  find("chat-form").addEventListener("submit", submit);
  find("chat-input").addEventListener("input", () => {
    wrote();
    if (find("chat-input").value) chat?.typing();
  });
  find("chat-input").addEventListener("keydown", (event) => {
    // While a word is being composed, Enter chooses it.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    find("chat-form").requestSubmit();
  });
  find("chat-end").addEventListener("click", () => chat?.end());
  find("chat-new").addEventListener("click", startAgain);
  find("chat-newer").addEventListener("click", toEnd);
  find("chat-scroll").addEventListener("scroll", () => {
    follows = isAtEnd();
    if (follows) find("chat-newer").hidden = true;
  });
  new ResizeObserver(() => follows && toEnd()).observe(find("chat-scroll"));
  find("chat-log").addEventListener("click", ({ target }) => {
    const item = target.closest(".again")?.closest(".message");
    if (item) say(item.querySelector(".bubble").textContent, item);
  });
  find("chat-sign-in").addEventListener("click", () => window.MessengerAuth.signIn());
  for (const topic of document.querySelectorAll(".topic")) {
    topic.addEventListener("click", () => {
      find("chat-input").value = topic.dataset.question;
      wrote();
      find("chat-input").focus();
    });
  }
  addEventListener("messenger-auth", ({ detail }) => person(detail));
  person(window.MessengerAuth.status());
  open();
})();
