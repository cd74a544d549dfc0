// The shapes that static/messenger-guest.js works with.

type Trouble = { code: string; message: string };

/** A message object of Genesys: `Text`, `Structured`, or one `Event`. */
type GuestMessage = { type?: string; text?: string; metadata?: { [name: string]: string }; events?: object[]; [part: string]: unknown };

type GuestOptions = {
  deviceId?: string;
  profile?: { [name: string]: string };
  /** true: come back after a reload of this tab. A text: come back to this session. */
  resume?: boolean | string;
};

/** What was said, until its fate is known. `seq` is 0 while it has none on this connection. */
type Line = {
  id: string;
  type: 'message' | 'end';
  payload: string;
  seq: number;
  /** Worth nothing later: it is never said again. */
  fleeting?: boolean;
  /** Accepted is all that will be told. */
  untold?: boolean;
  resolve(told: object): void;
  reject(error: Error): void;
};

type Pair = { privateKey: CryptoKey; publicKey: string };

/** One connection. `created` is what the server answered to `init`. */
type Link = {
  socket: any;
  pair: Promise<Pair>;
  created: any;
  key: CryptoKey | null;
  seq: number;
  awaiting: { line: Line; seq: number }[];
  held: boolean;
  pumping: boolean;
  paused: boolean;
  openedAt: number;
};

type Signer = {
  pair(): Promise<Pair>;
  key(privateKey: CryptoKey, created: any): Promise<CryptoKey>;
  sign(key: CryptoKey, created: any, type: string, seq: number, payload: string): Promise<string>;
};

type GuestEars = {
  person(signedIn: boolean): void;
  wake(isOnline: boolean): void;
  offline(): void;
  leave(): void;
};

type GuestEnvironment = {
  now(): number;
  random(): number;
  uuid(): string;
  setTimeout(then: () => void, delay: number): any;
  clearTimeout(timer: any): void;
  connect(): any;
  signer: Signer;
  /** undefined: nobody knows. */
  signedIn(): boolean | undefined;
  listen(ears: GuestEars): () => void;
  saved(): string | null;
  save(id: string | null): void;
  CustomEvent: typeof CustomEvent;
};

type GuestChat = EventTarget & {
  readonly state: 'connecting' | 'open' | 'paused' | 'ended';
  readonly guestId: string;
  /** What was remembered of a guest who came back; empty otherwise. */
  readonly profile: Readonly<Record<string, string>>;
  readonly sessionId: string | null;
  readonly expiresAt: string;
  send(content: string | GuestMessage): Promise<{ id: string; body?: object }> & { id: string };
  typing(): void;
  end(): Promise<void>;
  close(): void;
};
