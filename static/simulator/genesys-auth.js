/* The Auth plugin: asks AuthProvider for codes, exchanges them, keeps the tokens. Never renews. */

const REFUSED = [400, 401, 403];
const NO_TOKEN = [401, 403];

function isUsable(authData) {
  const hasCode = Boolean(authData?.authCode) && Boolean(authData?.redirectUri);
  return hasCode || Boolean(authData?.idToken);
}

function asError(error) {
  return { message: String(error?.message ?? error ?? "unknown") };
}

function createAuth({ bus, vault, api, dials, config }) {
  const Auth = bus.plugin("Auth");
  let loggingOut = false;
  let stepUp = null;

  function setAuthenticated(isAuthenticated) {
    Auth.data("Auth.authenticated", isAuthenticated);
  }

  function announce({ jwt, refreshToken }) {
    setAuthenticated(true);
    Auth.publish("authenticated", refreshToken ? { jwt, refreshToken } : { jwt });
  }

  function failed(eventName, error) {
    Auth.publish(eventName, asError(error));
    return error;
  }

  async function askProvider(commandName, options) {
    if (!bus.knows(`AuthProvider.${commandName}`)) {
      throw failed("authProviderError", { message: "The AuthProvider plugin is not registered" });
    }
    return Auth.command(`AuthProvider.${commandName}`, options);
  }

  async function askForCode(options) {
    let authData;
    try {
      authData = await askProvider("getAuthCode", options);
    } catch (error) {
      throw failed("authError", error);
    }
    if (!isUsable(authData)) {
      throw failed("authError", { message: "getAuthCode gave no authCode and redirectUri" });
    }
    return authData;
  }

  async function exchange(authData) {
    Auth.publish("authenticating", {
      authCode: authData.authCode,
      redirectUri: authData.redirectUri,
    });
    let tokens;
    try {
      tokens = await api.exchange(authData);
    } catch (error) {
      throw failed("error", error);
    }
    vault.keep(tokens);
    announce(tokens);
  }

  async function obtain(options = {}) {
    const authData = await askForCode(options);
    try {
      await exchange(authData);
    } catch (error) {
      const isWorthAnother = REFUSED.includes(error.status) && !options.forceUpdate;
      if (!isWorthAnother || !(await dials()).refusedCodeForcesUpdate) throw error;
      await obtain({ forceUpdate: true });
    }
  }

  async function refresh() {
    const tokens = vault.tokens();
    if (!tokens?.refreshToken) return obtain();
    let jwt;
    try {
      jwt = await api.refresh(tokens.refreshToken);
    } catch (error) {
      if (NO_TOKEN.includes(error.status)) {
        vault.dropTokens();
        setAuthenticated(false);
      }
      throw failed("tokenError", error);
    }
    // A log-out while the answer was on its way wins: tokens must not come back.
    if (vault.tokens()?.refreshToken !== tokens.refreshToken) {
      throw failed("tokenError", { message: "The session has ended meanwhile" });
    }
    const renewed = { jwt, refreshToken: tokens.refreshToken };
    if (jwt !== tokens.jwt) {
      vault.keep(renewed);
      announce(renewed);
    } else if ((await dials()).sameJwtIsPublished) {
      announce(renewed);
    }
    return undefined;
  }

  async function reAuthenticate() {
    let authData;
    try {
      authData = await askProvider("reAuthenticate", {});
    } catch (error) {
      throw failed("authProviderError", error);
    }
    const { reauthenticateResolveIsIgnored: isIgnored, reauthenticateUses: uses } = await dials();
    // The unanswered report of two users: after the resolve nothing happens, for ever.
    if (isIgnored) return new Promise(() => {});
    if (!isUsable(authData) || uses === "code") return obtain();
    await exchange(authData);
    return uses === "both" ? obtain() : undefined;
  }

  function endSession(answer) {
    vault.dropTokens();
    vault.dropVisitor();
    setAuthenticated(false);
    Auth.publish("loggedOut", answer);
  }

  async function logout() {
    loggingOut = true;
    try {
      const tokens = vault.tokens();
      if (!tokens) throw new ApiError(0, "There is nobody to log out");
      const claims = claimsOf(tokens.jwt);
      if (claims && claims.exp * 1000 <= Date.now() && tokens.refreshToken) await refresh();
      endSession(await api.revoke(vault.tokens().jwt));
    } catch (error) {
      throw failed("logoutError", error);
    } finally {
      loggingOut = false;
    }
  }

  /** Another tab, another device or the server ended the session. */
  function loggedOutElsewhere(statusText) {
    const knowsAnybody = vault.tokens() || Auth.data("Auth.authenticated");
    if (!loggingOut && knowsAnybody) endSession({ status: 204, statusText, data: "" });
  }

  async function finishStepUp(authData) {
    if (!stepUp || stepUp.isFinishing) return;
    stepUp.isFinishing = true;
    try {
      const usable = isUsable(authData) ? authData : await askForCode({});
      await exchange(usable);
      Auth.publish("signedIn", { authCode: usable.authCode });
      stepUp.resolve({ authCode: usable.authCode, jwt: vault.tokens().jwt });
    } catch (error) {
      failStepUp(error);
    }
  }

  function failStepUp(error) {
    Auth.publish("signInFailed", asError(error));
    stepUp?.reject(asError(error));
    stepUp = null;
  }

  function signIn() {
    Auth.publish("signingIn");
    const finished = new Promise((resolve, reject) => {
      stepUp = { resolve, reject, isFinishing: false };
    });
    askProvider("signIn", {}).then(
      async (authData) => {
        // With data the event `signedIn` is what counts; without, a code is asked for.
        const isEventNeeded = isUsable(authData) && (await dials()).signedInEventIsRequired;
        if (!isEventNeeded) await finishStepUp(authData);
      },
      // Only `signInFailed` resets the Messenger; a bare reject leaves it waiting.
      () => {},
    );
    return finished.finally(() => {
      stepUp = null;
    });
  }

  const settle = (work) => (request) =>
    work().then(
      (value) => request.resolve(value),
      (error) => request.reject(asError(error)),
    );
  Auth.registerCommand("getTokens", settle(() => obtain()));
  Auth.registerCommand("refreshToken", settle(refresh));
  Auth.registerCommand("reAuthenticate", settle(reAuthenticate));
  Auth.registerCommand("logout", settle(logout));
  Auth.subscribe("AuthProvider.signedIn", ({ data }) => {
    // Published without a request of ours, it still means: start again as this person.
    stepUp ??= { resolve() {}, reject() {}, isFinishing: false };
    void finishStepUp(data).finally(() => {
      stepUp = null;
    });
  });
  Auth.subscribe("AuthProvider.signInFailed", ({ data }) => failStepUp(data));
  vault.onOtherTab((jwt) => jwt === null && loggedOutElsewhere("Logged out in another tab"));
  setAuthenticated(Boolean(vault.tokens()));

  return {
    ready: () => Auth.ready(),
    isEnabled: config.auth.enabled,
    allowsUpgrade: config.auth.allowSessionUpgrade,
    publishSignInAvailable: () => Auth.publish("signInAvailable"),
    /** Without a registered AuthProvider there is an error event, and then patience. */
    async begin() {
      if (!bus.knows("AuthProvider.getAuthCode")) {
        failed("authProviderError", { message: "The AuthProvider plugin is not registered" });
        await new Promise((resolve) => Auth.subscribe("AuthProvider.ready", resolve));
      }
      return obtain();
    },
    announceStored() {
      const tokens = vault.tokens();
      if (tokens) announce(tokens);
    },
    reAuthenticate,
    signIn,
    loggedOutElsewhere,
  };
}
