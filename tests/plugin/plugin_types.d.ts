// The shapes that static/messenger-auth.js and messenger-person.js work with; kept out of them, for a page
// pays for every byte.

// CommonJS, for the tests only: in a page `module` does not exist.
declare var module: { exports: unknown };

/** Refused: sign in. Unreachable: later. Wrong: neither helps. */
type Kind = 'refused' | 'unreachable' | 'wrong';
/** `reason`: the one to ask a person for, if it is not that of the command. */
type Problem = { code: string; message: string; kind: Kind; wait: number; reason?: string };
type Claims = { exp: number; iat?: number };
/** `late`: this Genesys gives no new JWT early. */
type ClockRecord = { exp: number; offset: number; late?: boolean };
/** `own`: when this tab's JWT ends, if another tab has a newer one. */
type Token = { exp: number; deadline: number; own: number; life: number; floor: number };
type AuthData = { [field: string]: string | number };
type Session = { signed_in: boolean; person?: string; name?: string; offset?: number };
type Detail = { state: string; at: number; reason?: string; code?: string; message?: string; name?: string; deployment: string };
type Shelf = { get(key: string): string | null; set(key: string, value: string | null): void };
type Settings = {
  base: string;
  deployment?: string;
  provider?: string;
  failure?: string;
  surface?: string;
  dialog?: string;
  onDemand: boolean;
  brand: Brand;
};
type Act = () => unknown;

type Environment = {
  now(): number;
  /** The wall clock minus one that nobody sets: it jumps when that was set, or the machine slept. */
  drift(): number;
  random(): number;
  visible(): boolean;
  online(): boolean;
  /** Whether a person has just clicked. */
  activated(): boolean | undefined;
  setTimeout(then: (value?: any) => unknown, delay: number): any;
  clearTimeout(timer: any): void;
  fetch(url: string, options: object): Promise<any>;
};

type Page = {
  local: Shelf;
  tab: Shelf;
  origin: string;
  snippetDeployment(): string | undefined;
  returnTo(): string;
  go(url: string): void;
  reload(): void;
  emit(detail: Detail): void;
  listen(url: string, hears: { [event: string]: (data: any) => void }, closed: Act): Act;
  /** Runs `work` once, alone among the tabs if that can be had in time. */
  lock(name: string, work: () => Promise<any>): Promise<any>;
  /** The global `Messenger<name>`, by loading its script if nobody did. */
  load(name: string, file: string): Promise<any>;
};

/** What messenger-sign-in.js answers. */
type Answer = { outcome: string; code?: string; message?: string };

/** What messenger-person.js may use of the plugin. */
type Core = {
  env: Environment;
  bff: { call(path: string, body?: object): Promise<any>; session(): Promise<Session> };
  page: Page;
  settings: Settings;
  memory: { key(name: string): string };
  look(): { session: Session | null; authenticated: boolean; resting: string; closed: boolean };
  tell(state: string, reason?: string, trouble?: Problem): void;
  check(): Promise<void>;
  command(name: string): Promise<any>;
  publish(name: string, data: any): void;
  freshCode(forceUpdate?: boolean): Promise<AuthData>;
  expectTokens(delay: number, tries?: number): void;
  forgetTokens(): void;
  forgive(): void;
  forget(): void;
  rest(state: string, reason: string): void;
  noted(trouble: Problem): Problem;
  leaveMessenger(): Promise<any>;
  openEvents(): void;
  shutEvents(): void;
  problem(code?: string, kind?: Kind, message?: string): Problem;
};

/** What a brand may set before a person is needed. */
type Brand = {
  /** Its own surface instead of our window: shows `url` and settles when the person is done with it. */
  modal?: (shown: { url: string; reason: string; message: string; signal: AbortSignal }) => Promise<unknown> | unknown;
  /** Its own sentences, by language and name. */
  texts?: object;
  lang?: string;
};

/** The global `MessengerAuth`. */
type MessengerAuthApi = Readonly<{
  version: string;
  deployment: string;
  /** The instance of a deployment; without an id the first one of the page. */
  of(deployment?: string): MessengerAuthApi | undefined;
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

/** The plugin object that Genesys hands to the callback of registerPlugin. */
type Bus = {
  registerCommand(name: string, answer: (e: any) => void): void;
  command(name: string, options?: object): Promise<any>;
  publish(name: string, data: any): void;
  subscribe(name: string, hear: (e: any) => void): any;
  ready(): void;
};

type RenewalNeeds = {
  /** Renews when there is a need, not when there is time. */
  onDemand?: boolean;
  /** `wanted`: whether it is still. */
  refresh(wanted: () => boolean): Promise<any>;
  saved(): ClockRecord | undefined;
  save(record: ClockRecord): void;
  serverOffset(): number | undefined;
  ask(): Promise<any>;
  halted(reason: string): void;
  /** No answer for a long time. */
  resting(): void;
};
