// The shapes that static/messenger-auth.js works with; kept out of it, for a page pays for every byte.

// CommonJS, for the tests only: in a page `module` does not exist.
declare var module: { exports: unknown };

/** Refused: sign in. Unreachable: later. Wrong: neither helps. */
type Kind = 'refused' | 'unreachable' | 'wrong';
type Problem = { code: string; message: string; kind: Kind; wait: number };
type Claims = { exp: number; iat?: number };
type ClockRecord = { exp: number; offset: number };
type Token = { exp: number; deadline: number; life: number; floor: number };
type AuthData = { [field: string]: string | number };
type Session = { signed_in: boolean; person?: string; name?: string; offset?: number };
type Detail = { state: string; at: number; reason?: string; code?: string; message?: string; name?: string };
type Shelf = { get(key: string): string | null; set(key: string, value: string | null): void };
type Settings = { base: string; deployment?: string; provider?: string; failure?: string };
type Act = () => unknown;

type Environment = {
  now(): number;
  random(): number;
  visible(): boolean;
  online(): boolean;
  /** Whether a person has just clicked. */
  activated(): unknown;
  setTimeout(then: Act, delay: number): any;
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
};

/** The plugin object that Genesys hands to the callback of registerPlugin. */
type Bus = {
  registerCommand(name: string, answer: (e: any) => void): void;
  command(name: string, options?: object): Promise<any>;
  publish(name: string, data: any): void;
  subscribe(name: string, hear: (e: any) => void): any;
  ready(): void;
};

type RenewalNeeds = {
  refresh(): Promise<any>;
  saved(): ClockRecord | undefined;
  save(record: ClockRecord): void;
  serverOffset(): number | undefined;
  halted(reason: string): void;
};
