/* What travels: the platform's REST calls and the web messaging frames. */

/** A REST answer that was not 2xx, or no answer at all (status 0). */
class ApiError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

function createApi(endpoint, deploymentId) {
  async function call(method, path, { body, bearer } = {}) {
    const headers = { "Content-Type": "application/json" };
    if (bearer) headers.Authorization = `bearer ${bearer}`;
    let answer;
    try {
      answer = await fetch(endpoint + path, { method, headers, body: body && JSON.stringify(body) });
    } catch (error) {
      throw new ApiError(0, String(error.message));
    }
    const text = await answer.text();
    if (!answer.ok) {
      throw new ApiError(answer.status, messageIn(text) ?? answer.statusText);
    }
    return { status: answer.status, statusText: answer.statusText, data: text && JSON.parse(text) };
  }

  function messageIn(text) {
    try {
      return JSON.parse(text).message;
    } catch {
      return null;
    }
  }

  const tokens = "/api/v2/webdeployments/token";
  return {
    async exchange(authData) {
      const { authCode, idToken, redirectUri, codeVerifier, nonce, maxAge, iss } = authData;
      const oauth = { code: authCode, idToken, redirectUri, codeVerifier, nonce, maxAge, iss };
      const body = { deploymentId, oauth };
      return (await call("POST", `${tokens}/oauthcodegrantjwtexchange`, { body })).data;
    },
    async refresh(refreshToken) {
      const body = { refreshToken, deploymentId };
      return (await call("POST", `${tokens}/refresh`, { body })).data.jwt;
    },
    revoke: (jwt) => call("DELETE", `${tokens}/revoke`, { bearer: jwt }),
    async history(jwt) {
      const path = "/api/v2/webmessaging/messages?pageNumber=1&pageSize=50";
      return (await call("GET", path, { bearer: jwt })).data.entities;
    },
  };
}

/** One socket and its frames. `listener` has opened, received and closed. */
function openWire(endpoint, deploymentId, listener) {
  const address = `${endpoint}/v1?deploymentId=${deploymentId}&application=messenger-stand-in`;
  const socket = new WebSocket(address);
  socket.addEventListener("open", () => listener.opened());
  socket.addEventListener("message", (event) => listener.received(JSON.parse(event.data)));
  socket.addEventListener("close", () => listener.closed());
  return {
    get isOpen() {
      return socket.readyState === WebSocket.OPEN;
    },
    /** Sends a request and returns its tracing id. */
    send(action, token, rest) {
      const tracingId = crypto.randomUUID();
      if (socket.readyState === WebSocket.OPEN) {
        socket.send(JSON.stringify({ action, token, tracingId, ...rest }));
      }
      return tracingId;
    },
    close: () => socket.close(1000),
  };
}
