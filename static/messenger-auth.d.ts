// The types of window.MessengerAuth, made from those of static/messenger-auth.js by tests/plugin/declare.mjs.
// What each member does is said in docs/plugin.md.

export type Brand = {
  /** Its own surface instead of our window: shows `url` and settles when the person is done with it. */
  modal?: (shown: { url: string; reason: string; message: string; signal: AbortSignal }) => Promise<unknown> | unknown;
  /** Its own sentences, by language and name. */
  texts?: object;
  lang?: string;
};

export type Detail = { state: string; at: number; reason?: string; code?: string; message?: string; name?: string; deployment: string };

export type GuestOptions = {
  deviceId?: string;
  profile?: { [name: string]: string };
  /** true: come back after a reload of this tab. A text: come back to this session. */
  resume?: boolean | string;
};

export type MessengerAuth = Readonly<{
  version: string;
  deployment: string;
  /** The instance of a deployment; without an id the first one of the page. */
  of(deployment?: string): MessengerAuth | undefined;
  status(): Readonly<Detail & { renewal: string }>;
  signIn(choice?: { provider?: string }): Promise<void>;
  signOut(): Promise<void>;
  retry(): Promise<void>;
  /** Calls `hear` at each change to `state`, or at every change with `*`; gives back what takes it off. */
  on(state: string, hear: (detail: Detail) => void): () => void;
  use(brand: Brand): void;
  openGuestChat(options?: GuestOptions): Promise<any>;
  dispose(): void;
}>;

declare global {
  const MessengerAuth: MessengerAuth;
  interface Window {
    readonly MessengerAuth: MessengerAuth;
  }
  interface WindowEventMap {
    'messenger-auth': CustomEvent<Detail>;
  }
}
