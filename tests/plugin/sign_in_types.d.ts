// The shapes that static/messenger-sign-in.js works with.

type Words = { [name: string]: string };
type Outcome = { outcome: 'signed-in' | 'cancelled' | 'leaving' | 'reload'; code?: string };
type Look = () => Promise<Outcome | null>;
type Seen = { status: string; code?: string };

/** A sign-in beside the page. Locally it is over at `until`. */
type Transaction = { id: string; url: string; until: number };

/** What the plugin hands over when it asks for a person. */
type SignInNeeds = {
  base: string;
  deployment?: string;
  provider?: string;
  surface: 'redirect' | 'popup';
  reason: 'sign_in' | 'reauthenticate' | 'step_up' | 'code_needed' | 'halted' | 'stuck';
  code: string;
  message: string;
  activated?: unknown;
  modal?: (wish: { url: string; reason: string; message: string; signal: AbortSignal }) => unknown;
  texts?: { [language: string]: Words };
  lang?: string;
  session(): Promise<any>;
  call(path: string, body?: object): Promise<any>;
  /** False: the loop guard says no. `insists`: somebody has read that and clicks again. */
  redirect(insists: boolean): unknown;
  tell(reason: string): void;
  signal: AbortSignal;
};

type SilentNeeds = { base: string; id: string; url: string; call: SignInNeeds['call']; signal?: AbortSignal };

/** What happens meanwhile: here, and in the other tabs. */
type News = { hear(ear: (type: string) => unknown): () => void; post(type: string): void; close(): void };
type Turn = { waited: boolean; release(): void };

type Painted = { status: string; action: string; enabled: boolean };
type View = { paint(state: Painted): void; close(): void };
type ViewWish = { title: string; text: string; words: Words; go(): void; later(): void };
type Drafts = { keep(): void; restore(): void };

type SignInEnvironment = {
  now(): number;
  random(): number;
  visible(): boolean;
  online(): boolean;
  standalone(): boolean;
  languages(): string[];
  setTimeout(then: () => void, delay: number): any;
  clearTimeout(timer: any): void;
  place(): { return_to: string; origin: string };
  /** Null: blocked. */
  open(url: string): any;
  locks: any;
  channel(hear: (type: string) => void): { post(type: string): void; close(): void };
  listen(wake: () => void): () => void;
  view(wish: ViewWish): View;
  frame(url: string): { remove(): void } | null;
  drafts: Drafts;
};
