// A page's half of the guest socket, in WebCrypto, written from docs/guest-socket.md.
const utf8 = new TextEncoder();
const fromText = (text) =>
  Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
const toText = (bytes) =>
  btoa(String.fromCharCode(...new Uint8Array(bytes)))
    .replace(/\+/g, "-")
    .replace(/\//g, "_")
    .replace(/=+$/, "");

const framed = (...parts) => {
  const out = [];
  for (const part of parts) {
    const length = new Uint8Array(4);
    new DataView(length.buffer).setUint32(0, part.length);
    out.push(...length, ...part);
  }
  return new Uint8Array(out);
};

export const newPair = async () => {
  const pair = await crypto.subtle.generateKey({ name: "ECDH", namedCurve: "P-256" }, false, [
    "deriveKey",
  ]);
  const point = await crypto.subtle.exportKey("raw", pair.publicKey);
  return { pair, publicKey: toText(point) };
};

export const knownPrivateKey = ({ privateKey, x, y }) =>
  crypto.subtle.importKey(
    "jwk",
    { kty: "EC", crv: "P-256", d: privateKey, x, y },
    { name: "ECDH", namedCurve: "P-256" },
    false,
    ["deriveKey"],
  );

export const frameKey = async (privateKey, created) => {
  const theirs = await crypto.subtle.importKey(
    "raw",
    fromText(created.publicKey),
    { name: "ECDH", namedCurve: "P-256" },
    false,
    [],
  );
  const shared = await crypto.subtle.deriveKey(
    { name: "ECDH", public: theirs },
    privateKey,
    "HKDF",
    false,
    ["deriveKey"],
  );
  const about = [created.encryptedSessionId, created.connection].map((one) => utf8.encode(one));
  return crypto.subtle.deriveKey(
    {
      name: "HKDF",
      hash: "SHA-256",
      salt: fromText(created.salt),
      info: framed(utf8.encode("messenger-frame/1"), utf8.encode("c2s"), ...about),
    },
    shared,
    { name: "HMAC", hash: "SHA-256", length: 256 },
    false,
    ["sign"],
  );
};

export const sign = async (key, created, { purpose, seq, payload }) => {
  const place = new Uint8Array(8);
  new DataView(place.buffer).setBigUint64(0, BigInt(seq));
  const text = framed(
    utf8.encode("messenger-frame/1"),
    utf8.encode(purpose),
    utf8.encode(created.encryptedSessionId),
    utf8.encode(created.connection),
    place,
    utf8.encode(payload),
  );
  return toText(await crypto.subtle.sign("HMAC", key, text));
};

export const whyNotExported = async (key, format) => {
  try {
    await crypto.subtle.exportKey(format, key);
    return "exported";
  } catch (error) {
    return error.name;
  }
};
