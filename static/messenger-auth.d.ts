// The types of window.MessengerAuth, made from static/messenger-auth.js by tests/plugin/declare.mjs.
// What each member does is said in docs/plugin.md.

export type Detail = { state: string; at: number; reason?: string; code?: string; message?: string; name?: string };

export interface MessengerAuth {
  readonly version: "0.1.0";
  readonly status: () => Readonly<{
      renewal: string;
      state: string;
      at: number;
      reason?: string;
      code?: string;
      message?: string;
      name?: string;
  }>;
  readonly signIn: () => Promise<void>;
  readonly signOut: () => any;
  readonly retry: () => Promise<void>;
  readonly openGuestChat: (options: any) => Promise<any>;
  readonly on: (event: string | undefined, hear: (detail: Detail) => void) => () => void;
  readonly dispose: () => void;
}

declare global {
  const MessengerAuth: MessengerAuth;
  interface Window {
    readonly MessengerAuth: MessengerAuth;
  }
  interface WindowEventMap {
    'messenger-auth': CustomEvent<Detail>;
  }
}
