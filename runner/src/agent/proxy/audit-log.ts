import {appendFile, rename, stat} from 'node:fs/promises';
import {limits} from '@switchyard/shared/policy/limits.ts';
import type {Usage} from './usage-reader.ts';

/** One request that reached the proxy. Never a header, a body or a query: those may hold secrets. */
export type AuditEntry = {
  readonly task: string | null;
  readonly epoch: number | null;
  readonly provider: string | null;
  readonly model: string | null;
  readonly method: string;
  readonly path: string;
  readonly status: number;
  readonly allowed: boolean;
  readonly reason: string | null;
  readonly durationMs: number;
  readonly usage: Usage | null;
  readonly costMicros: number | null;
};

/** Appends a JSON line for each request; one older file is kept when it is full. A full disk loses lines, not requests. */
export class AuditLog {
  readonly #path: string;
  readonly #nowIso: () => string;
  readonly #onError: (error: unknown) => void;
  #writing: Promise<void> = Promise.resolve();

  constructor(path: string, nowIso: () => string, onError: (error: unknown) => void) {
    this.#path = path;
    this.#nowIso = nowIso;
    this.#onError = onError;
  }

  add(entry: AuditEntry): void {
    const line = `${JSON.stringify({ts: this.#nowIso(), ...entry})}\n`;
    this.#writing = this.#writing.then(async () => this.#append(line)).catch(this.#onError);
  }

  async close(): Promise<void> {
    await this.#writing;
  }

  async #append(line: string): Promise<void> {
    const size = await stat(this.#path).then(
      stats => stats.size,
      () => 0,
    );
    if (size >= limits.modelAuditBytesMax) await rename(this.#path, `${this.#path}.1`);
    await appendFile(this.#path, line, {mode: 0o600});
  }
}
