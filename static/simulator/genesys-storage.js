/* What Messenger keeps in the brand's localStorage, under the vendor's keys. */

/** The claims of a JWT, or null; base64url and UTF-8, as names are not all ASCII. */
function claimsOf(jwt) {
  try {
    const segment = jwt.split(".")[1].replace(/-/g, "+").replace(/_/g, "/");
    const bytes = Uint8Array.from(atob(segment), (character) => character.charCodeAt(0));
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return null;
  }
}

function createVault(deploymentId) {
  const key = (name) => `_${deploymentId}:${name}`;
  // A browser that blocks storage still chats; it just forgets at the next page.
  const memory = new Map();

  function get(name) {
    try {
      return localStorage.getItem(key(name));
    } catch {
      return memory.get(name) ?? null;
    }
  }

  function set(name, value) {
    try {
      if (value === null) localStorage.removeItem(key(name));
      else localStorage.setItem(key(name), value);
    } catch {
      if (value === null) memory.delete(name);
      else memory.set(name, value);
    }
  }

  function visitor() {
    if (!get("actmu")) set("actmu", crypto.randomUUID());
    return get("actmu");
  }

  return {
    tokens() {
      const jwt = get("gcatkn");
      return jwt ? { jwt, refreshToken: get("gcartkn") } : null;
    },
    keep({ jwt, refreshToken }) {
      set("gcartkn", refreshToken ?? null);
      set("gcatkn", jwt);
    },
    dropTokens() {
      set("gcartkn", null);
      set("gcatkn", null);
    },
    visitor,
    dropVisitor() {
      set("actmu", null);
      set("gcmcsessionActive", null);
    },
    flag: (name) => get(name) === "true",
    setFlag: (name, value) => set(name, value ? "true" : null),
    /** Calls back when another tab changed the JWT; null means that it is gone. */
    onOtherTab(callback) {
      addEventListener("storage", (event) => {
        if (event.key === key("gcatkn")) callback(event.newValue);
        if (event.key === null) callback(null);
      });
    },
  };
}
