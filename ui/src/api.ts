// The REST API of the gateway: the messages that the page uses, and calls. Who calls is told by a session: a cookie that
// no script can read.
import {endedSession, signIn, signedIn} from './session.js';

// A number whose digits a double would change comes as text.
export type Scalar = string | number | boolean | null;
export interface Part { part: string; plane: string; health: string; address: string; message: string; latency_us: number }
export interface Status { status: string; version: string; parts: Part[] }
export interface Profile {
  id: string; display_name: string; description: string; version: string; labels: Record<string, string>; enabled: boolean;
  paused: boolean; interval?: string; uses_channels: boolean; unreleased: boolean; signatures: {key_id: string; counter: Scalar}[];
}
export interface ChannelPointer { channel: string; version: string; revision: string; generation: number }
export interface Balance {
  fetched: number; stored: number; duplicate: number; filtered: number; quarantined: number; in_spool: number; lost: number; closed: boolean;
}
export interface Run {
  run_id: string; profile_id: string; drone_id: string; status: string; create_time?: string; started_at?: string;
  finished_at?: string; rows_out: number; duration_ms: number; error: string; balance?: Balance;
}
export interface SourceQuota {
  quota: string; requests: number; period_ms: number; share_percent: number; waiting_drones: number; paused_until?: string;
}
export interface Backfill {
  backfill_id: string; profile_id: string; state: string; reason: string; message: string;
  range: {start_time: string; end_time: string}; partitions: number; succeeded: number; failed: number; running: number;
}
export interface QuarantineRow {
  id: string; profile_id: string; reason_code: string; field: string; message: string; raw: string; page: number; row: number; observed_at?: string;
}
export interface Redrive {
  tried: number; kept_back: number; balance: Balance; failures: {reason_code: string; message: string}[]; next_page_token: string;
}
export interface Rollout {
  state: string; target_revision: string; ring: number; rings: number; good_runs: number; runs_wanted: number; reason: string; message: string;
}
export interface Shadow {
  version: string; state: string; message: string;
  result?: {same: number; changed: number; lost: number; added: number; fields: {field: string; records: number}[]};
}
export interface ProfileStatus {
  last_run?: Run; next_run_time?: string; drone_id: string; health: string; cause: string; detail: string; rollout?: Rollout;
  shadow?: Shadow;
}
export interface Fields { dims: string[]; measures: string[]; attrs: string[]; key: string[] }
export interface Record_ {
  id: string; dims: Record<string, Scalar>; measures: Record<string, Scalar>; attrs: Record<string, Scalar>;
  provenance?: {
    source_uri: string; payload_sha256: string; page: number; row: number; run_id: string; revision: string; drone_id: string;
    observed_at?: string; acked_at?: string; raw_ref?: string;
  };
}
export interface Capture { name: string; oldest_fetch_time: string }
export interface Explanation { records: {versions: {record: Record_; newest: boolean}[]}[]; absence: string; explanation: string }
export interface Side { profile_id: string; measure: string; records: number; null_measures: number; unmatched: number; unmatched_examples: string[] }
export interface Coefficient { value?: number; low?: number; high?: number; p_value?: number }
export interface Correlation { x: string; y: string; n: number; pearson: Coefficient; spearman: Coefficient; kendall?: Coefficient; lag: number }
export interface Line { x: string; y: string; slope: number; intercept: number; r_squared: number; slope_p_value?: number }
export interface Question {
  join: string[]; inputs: {profile_id: string; measures: string[]; filter?: string[]; on?: string[]}[]; kind?: string; steps?: string[];
  window?: {limit: number}; output?: {type: string; measures?: string[]};
}
export interface Suggestion { report: Question; reason: string; rows: number; n: number }
export interface Report {
  columns: string[]; measure_columns: string[]; correlations: Correlation[]; regression?: Line; rows: {values: Scalar[]}[]; row_count: number; truncated: boolean; limit: number; n: number;
  pearson?: number; spearman?: number; sides: Side[]; warnings: string[];
}

export interface AuditEvent {
  seq: number; time: string; actor: string; address?: string; action: string; subject: string; outcome: string; detail?: string; hash: string;
}
export interface AuditProof { event: AuditEvent; leaf_index: number; size: number; root: string; hashes: string[]; checkpoint: string }

export interface Session { principal: string; role: string; tenant: string; projects?: string[]; csrf_token: string }

export class ApiError extends Error {
  constructor(message: string, readonly status: number, readonly reason: string) {
    super(message);
  }
}

// Keeps the digits of numbers that a double cannot hold, where the browser tells them.
function parse(text: string): unknown {
  const keepDigits = (_name: string, value: unknown, context?: {source?: string}): unknown => {
    const source = context?.source;
    return typeof value === 'number' && source !== undefined && String(value) !== source ? source : value;
  };
  return JSON.parse(text, keepDigits as (name: string, value: unknown) => unknown);
}

export async function call<T>(method: string, path: string, body?: unknown): Promise<T> {
  const headers: Record<string, string> = {Accept: 'application/json'};
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  const session = signedIn();
  if (session && method !== 'GET') headers['X-CSRF-Token'] = session.csrf_token;
  const init: RequestInit = {method, headers};
  if (body !== undefined) init.body = JSON.stringify(body);
  let response: Response;
  try {
    response = await fetch(path, init);
  } catch {
    throw new ApiError('The gateway does not answer.', 0, 'UNREACHABLE');
  }
  const text = await response.text();
  let answer: unknown;
  try {
    answer = parse(text);
  } catch {
    throw new ApiError(`${response.status} ${response.statusText}`, response.status, 'NOT_JSON');
  }
  if (response.ok) return answer as T;
  const error = (answer as {error?: {message?: string; reason?: string}}).error;
  throw new ApiError(error?.message ?? response.statusText, response.status, error?.reason ?? '');
}

// `query`: empty values are left out.
export function get<T>(path: string, query: Record<string, string | number | undefined> = {}): Promise<T> {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== '');
  const text = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
  return withSession(() => call<T>('GET', text ? `${path}?${text}` : path));
}

export function report(question: Question): Promise<Report> {
  return withSession(() => call<Report>('POST', '/api/reports', question));
}

// A call that may be open to everyone. Where it is not, asks people to sign in, and again if their session has ended.
async function withSession<T>(once: () => Promise<T>): Promise<T> {
  for (;;) {
    const shown = signedIn();
    try {
      return await once();
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 401) throw error;
      if (signedIn() !== shown) continue;
      endedSession();
      if (!await signIn()) throw error;
    }
  }
}

// A change. Asks people to sign in if they have not, and again if their session has ended. Undefined if they cancelled.
export async function change<T>(path: string, body: unknown = {}): Promise<T | undefined> {
  for (;;) {
    if (!signedIn() && !await signIn()) return undefined;
    try {
      return await call<T>('POST', path, body);
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 401) throw error;
      endedSession();
    }
  }
}
