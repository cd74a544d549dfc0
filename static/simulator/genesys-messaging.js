/* MessagingService: one socket, one conversation, and what the page may know about both. */

const TYPING_EVERY_MS = 5000;
const MOST_RECONNECTS = 60;
const AFTER_THE_OTHER_MS = 500;
const CODE = { UNAUTHORIZED: 401, FORBIDDEN: 403, CANNOT_DOWNGRADE: 4017 };

function createMessaging({ bus, vault, api, dials, config, auth }) {
  const service = bus.plugin("MessagingService");
  const conversations = config.messenger.apps.conversations;
  const listeners = new Set();
  /* state: loading anonymous authenticated reauthenticate reauthenticating signing-in
            signed-out unavailable closed reconnecting */
  const view = { state: "loading", messages: [], typing: false, readOnly: false, failed: null };
  const pending = new Map();
  let wire = null;
  let asPerson = false;
  let configured = null;
  let configuring = null;
  let isNewConversation = false;
  let isPanelOpen = false;
  let reconnects = 0;
  let graceTimer = 0;
  let reconnectTimer = 0;
  let lastTyping = 0;

  function show(change) {
    Object.assign(view, change);
    for (const listener of listeners) listener(view);
  }

  function request(action, rest) {
    const body = { deploymentId: config.id, ...rest };
    return wire.send(action, vault.visitor(), action === "onMessage" ? rest : body);
  }

  function connect() {
    clearTimeout(reconnectTimer);
    if (wire?.isOpen) return configure();
    wire?.close();
    const current = openWire(conversations.messagingEndpoint, config.id, {
      opened: () => wire === current && configure(),
      received: (frame) => wire === current && receive(frame),
      closed: () => wire === current && lost(),
    });
    wire = current;
    return undefined;
  }

  function configure({ startNew = false } = {}) {
    const tokens = vault.tokens();
    if (asPerson && !tokens) return askAgain();
    const rest = asPerson ? { startNew, data: { code: tokens.jwt } } : { startNew };
    const action = asPerson ? "configureAuthenticatedSession" : "configureSession";
    configuring = { jwt: asPerson ? tokens.jwt : null };
    configuring.tracingId = request(action, rest);
    return undefined;
  }

  async function lost() {
    configured = null;
    configuring = null;
    if (["closed", "signed-out", "reauthenticate", "reauthenticating"].includes(view.state)) return;
    reconnects += 1;
    if (reconnects > MOST_RECONNECTS) {
      service.publish("offline");
      show({ state: "unavailable" });
      return;
    }
    service.publish("reconnecting");
    show({ state: "reconnecting", typing: false });
    const { reconnectMs } = await dials();
    clearTimeout(reconnectTimer);
    reconnectTimer = setTimeout(connect, reconnectMs);
  }

  /** The stored JWT was refused. It may be renewed by the brand at this moment: wait a little. */
  async function unauthorized(refusedJwt) {
    const isRenewed = () => (vault.tokens()?.jwt ?? refusedJwt) !== refusedJwt;
    if (isRenewed()) return configure();
    const { popupGraceMs } = await dials();
    clearTimeout(graceTimer);
    graceTimer = setTimeout(() => {
      if (configured?.asPerson) return;
      if (isRenewed()) connect();
      else askAgain();
    }, popupGraceMs);
    return undefined;
  }

  function askAgain() {
    clearTimeout(graceTimer);
    show({ state: "reauthenticate" });
  }

  function receive(frame) {
    const { body } = frame;
    if (frame.class === "string") return refused(frame);
    if (frame.class === "SessionResponse") return begun(body, frame.tracingId);
    if (frame.class === "StructuredMessage" && frame.type === "message") {
      return heard(body, frame.tracingId);
    }
    if (frame.class === "JwtResponse") return void restore(body.jwt);
    if (frame.class === "TooManyRequestsErrorMessage") return notSent(frame.tracingId, body);
    if (frame.class === "ConnectionClosedEvent") return closed(body);
    if (frame.class === "LogoutEvent") return auth.loggedOutElsewhere("Logged out by the server");
    if (frame.class === "SessionClearedEvent") return cleared();
    return undefined;
  }

  /** Until the answer comes nobody types into a socket that changes hands. */
  function becomePerson() {
    clearTimeout(graceTimer);
    asPerson = true;
    if (view.state === "anonymous") show({ state: "signing-in" });
    connect();
  }

  /** A fourth connection took its place, or a guest signed in in another tab: then it follows. */
  function closed({ reason }) {
    if (reason !== "signedIn") return show({ state: "closed" });
    const previous = wire;
    wire = null;
    configured = null;
    previous.close();
    show({ state: "signing-in", typing: false });
    if (vault.tokens()) return becomePerson();
    // What another tab has stored is known here a moment later: see onOtherTab.
    clearTimeout(graceTimer);
    graceTimer = setTimeout(() => {
      if (vault.tokens()) becomePerson();
      else show({ state: "closed" });
    }, AFTER_THE_OTHER_MS);
    return undefined;
  }

  function refused({ code, body, tracingId }) {
    if (configuring?.tracingId !== tracingId) {
      return notSent(tracingId, { errorCode: code, errorMessage: body });
    }
    const refusedJwt = configuring.jwt;
    configuring = null;
    if (code === CODE.UNAUTHORIZED) return void unauthorized(refusedJwt);
    if (code === CODE.FORBIDDEN) return askAgain();
    if (code === CODE.CANNOT_DOWNGRADE) {
      vault.dropVisitor();
      return configure();
    }
    service.publish("error", { code, message: body });
    return show({ state: "unavailable" });
  }

  function notSent(tracingId, { errorCode, errorMessage }) {
    const text = pending.get(tracingId) ?? null;
    pending.delete(tracingId);
    service.publish("error", { code: errorCode, message: errorMessage });
    if (text !== null) show({ failed: { text, message: errorMessage } });
  }

  function begun(session, tracingId) {
    if (configuring?.tracingId !== tracingId && session.connected) return;
    if (!session.connected) return void configure({ startNew: true });
    const wasReconnecting = view.state === "reconnecting";
    clearTimeout(graceTimer);
    configured = { asPerson };
    configuring = null;
    reconnects = 0;
    isNewConversation = session.newSession;
    vault.setFlag("gcmcsessionActive", true);
    show({ state: asPerson ? "authenticated" : "anonymous", readOnly: session.readOnly });
    const { newSession, readOnly, durationSeconds, expirationDate } = session;
    const authenticated = auth.allowsUpgrade ? asPerson : auth.isEnabled;
    const started = { newSession, authenticated, readOnly, durationSeconds, expirationDate };
    service.republish("started", started);
    if (wasReconnecting) service.publish("reconnected");
    if (session.clearedExistingSession) show({ messages: [] });
    if (newSession) join();
    else restoreSoon();
    if (!asPerson && auth.allowsUpgrade) auth.publishSignInAvailable();
  }

  function restoreSoon() {
    service.republish("restoring");
    request("getJwt", {});
  }

  async function restore(jwt) {
    try {
      const newestFirst = await api.history(jwt);
      for (const message of newestFirst.reverse()) add(message);
      service.republish("restored", { messages: view.messages });
    } catch (error) {
      service.publish("error", asError(error));
    }
  }

  function join() {
    const isDue = isPanelOpen && isNewConversation && conversations.autoStart?.enabled;
    if (!configured || !isDue) return;
    isNewConversation = false;
    sendEvent({ eventType: "Presence", presence: { type: "Join" } });
  }

  function sendEvent(event) {
    request("onMessage", { message: { type: "Event", events: [event] } });
  }

  function heard(message, tracingId) {
    pending.delete(tracingId);
    if (message.type !== "Event") {
      if (message.direction === "Outbound") show({ typing: false });
      add(message);
      service.publish("messagesReceived", { messages: [message] });
      return;
    }
    for (const event of message.events) happened(event, message);
  }

  function happened(event, message) {
    const kind = event.presence?.type ?? event.typing?.type;
    if (kind === "On" && message.direction === "Outbound") {
      show({ typing: true });
      service.publish("typingReceived", { typing: event.typing });
    }
    if (kind === "Disconnect") {
      show({ readOnly: message.metadata?.readOnly === "true", typing: false });
      service.publish("conversationDisconnected", message);
    }
    if (kind === "SignIn") service.publish("steppedUpConversation", message);
  }

  /** Order by the server's time, and never show one message twice. */
  function add(message) {
    const idOf = (other) => other.channel.messageId ?? other.id;
    if (view.messages.some((other) => idOf(other) === idOf(message))) return;
    const messages = [...view.messages, message];
    messages.sort((one, other) => one.channel.time.localeCompare(other.channel.time));
    show({ messages });
  }

  function cleared() {
    show({ messages: [], readOnly: false });
    service.publish("conversationCleared");
    connect();
  }

  function loggedOut() {
    const previous = wire;
    wire = null;
    configured = null;
    asPerson = false;
    clearTimeout(graceTimer);
    clearTimeout(reconnectTimer);
    previous?.close();
    show({ state: "signed-out", messages: [], typing: false, readOnly: false, failed: null });
    if (auth.allowsUpgrade && isPanelOpen) connect();
  }

  /** No code could be had: with session upgrade the visitor chats as a guest meanwhile. */
  function withoutPerson() {
    if (asPerson || configured) return;
    show({ state: "signed-out" });
    if (!auth.allowsUpgrade) return;
    auth.publishSignInAvailable();
    if (isPanelOpen || vault.flag("gcmcsessionActive")) connect();
  }

  /** A refused exchange is the pop-up's business (Auth.error); no code at all is not. */
  function begin() {
    return auth.begin().catch((error) => {
      if (!(error instanceof ApiError) && view.state === "loading") withoutPerson();
    });
  }

  async function work(state, task, otherwise) {
    show({ state });
    try {
      return await task();
    } catch (error) {
      if (view.state === state) show({ state: otherwise });
      throw error;
    }
  }

  const stepUp = () => work("signing-in", auth.signIn, "anonymous");
  service.registerCommand("stepUpConversation", (command) => {
    if (!configured || configured.asPerson) {
      command.reject({ message: "No active conversation found to step-up." });
      return;
    }
    stepUp().then(command.resolve, (error) => {
      service.publish("stepUpConversationError", asError(error));
      command.reject(asError(error));
    });
  });
  service.registerCommand("sendMessage", (command) => {
    if (send(command.data?.message ?? "")) command.resolve();
    else command.reject({ message: "There is no conversation" });
  });

  service.subscribe("Auth.authenticated", () => {
    // A renewal does not take the chat back from the tabs in which it goes on.
    const isTaken = view.state === "closed" && asPerson;
    if (!isTaken && !configured?.asPerson) becomePerson();
  });
  service.subscribe("Auth.loggedOut", loggedOut);
  service.subscribe("Auth.error", () => !configured && askAgain());
  service.subscribe("Auth.authError", () => {
    if (!vault.tokens() && view.state === "loading") withoutPerson();
  });
  service.subscribe("Auth.tokenError", () => !configured && !vault.tokens() && askAgain());
  vault.onOtherTab((jwt) => {
    const isWaiting = ["reauthenticate", "signed-out"].includes(view.state);
    if (!jwt || view.state === "closed" || (!isWaiting && configured?.asPerson)) return;
    if (!configured || isWaiting) return becomePerson();
    // The tab where somebody signed in goes first: this guest's socket is closed then. If not:
    asPerson = true;
    show({ state: "signing-in" });
    clearTimeout(graceTimer);
    graceTimer = setTimeout(becomePerson, AFTER_THE_OTHER_MS);
  });

  function send(text) {
    // On a socket that is closing nothing would arrive; the text stays in the field.
    if (!configured || !wire?.isOpen || view.readOnly || !text.trim()) return false;
    const tracingId = request("onMessage", { message: { type: "Text", text } });
    pending.set(tracingId, text);
    show({ failed: null });
    return true;
  }

  return {
    ready: () => service.ready(),
    onChange(listener) {
      listeners.add(listener);
      listener(view);
    },
    /** Begins once the queue of the page has run: AuthProvider is there if it came early. */
    async start() {
      if (auth.isEnabled && vault.tokens()) {
        asPerson = true;
        if ((await dials()).storedTokensArePublished) auth.announceStored();
        connect();
      } else if (auth.isEnabled) {
        await begin();
      } else if (vault.flag("gcmcsessionActive")) connect();
      else show({ state: "signed-out" });
    },
    panelOpened() {
      isPanelOpen = true;
      const isGuest = !auth.isEnabled || auth.allowsUpgrade;
      if (view.state === "signed-out" && isGuest) connect();
      else join();
    },
    panelClosed() {
      isPanelOpen = false;
    },
    send,
    typing() {
      if (!configured || view.readOnly || Date.now() - lastTyping < TYPING_EVERY_MS) return;
      lastTyping = Date.now();
      sendEvent({ eventType: "Typing", typing: { type: "On" } });
    },
    signIn: () => stepUp().catch(() => {}),
    reAuthenticate: () =>
      work("reauthenticating", auth.reAuthenticate, "reauthenticate").catch(() => {}),
    retry() {
      show({ state: "loading" });
      if (auth.isEnabled && !vault.tokens()) begin();
      else connect();
    },
    resume() {
      asPerson = auth.isEnabled && Boolean(vault.tokens());
      connect();
    },
    startAnew() {
      request("closeSession", { closeAllConnections: true });
      show({ messages: [], readOnly: false });
    },
    person: () => (configured?.asPerson ? claimsOf(vault.tokens()?.jwt ?? "") : null),
  };
}
