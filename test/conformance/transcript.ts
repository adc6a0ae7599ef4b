import {readdirSync, readFileSync} from 'node:fs';
import * as z from 'zod';
import {leaseConfigSchema} from '@switchyard/shared/protocol/down.ts';

/**
 * A conversation as data, one JSON value a line. The first line says what it is; each other line is one thing that was
 * said or done, numbered by `n`. It comes after the line before it on the same channel, and after those in `after`.
 *
 * `$name` stands for a value that differs from run to run: the same wherever the name stands. `$any` stands for
 * whatever the sender likes. `{"$jws": …}` is a signed text with these claims.
 */
export const headerSchema = z.strictObject({
  transcript: z.string(),
  says: z.string(),
  protocol: z.literal('switchyard.runner.v1'),
  config: leaseConfigSchema,
  /** False for a network that lets no WebSocket through. */
  sockets: z.boolean(),
  /** What the agents run. */
  command: z.array(z.string()),
});
export type TranscriptHeader = z.infer<typeof headerSchema>;

/** Renewals that come every minute come in no short conversation. */
export const isAboutRenewals = ({config}: Pick<TranscriptHeader, 'config'>): boolean => config.renew_ms < 10_000;

const lineSchema = z.strictObject({
  n: z.int().positive(),
  after: z.array(z.int().positive()).optional(),
  from: z.enum(['runner', 'server', 'network']),
  on: z.string().regex(/^(?:control|log \$task\d+\/e\d+)$/),
  over: z.literal('request').optional(),
  /** True for what a runner need not say. */
  may: z.literal(true).optional(),
  message: z.record(z.string(), z.unknown()).optional(),
  /** A data frame, or several in a row as one: the bytes in it that the agent printed, base64. */
  frame: z.strictObject({offset: z.unknown(), agent: z.base64()}).optional(),
  does: z.enum(['opens', 'closes', 'cuts']).optional(),
  detail: z.string().optional(),
});
export type TranscriptLine = z.infer<typeof lineSchema>;

export type Transcript = {readonly header: TranscriptHeader; readonly lines: readonly TranscriptLine[]};

const folder = new URL('transcripts/', import.meta.url);

export function transcriptUrl(name: string): URL {
  return new URL(`${name}.jsonl`, folder);
}

export function transcriptNames(): readonly string[] {
  return readdirSync(folder)
    .filter(name => name.endsWith('.jsonl'))
    .map(name => name.slice(0, -'.jsonl'.length))
    .toSorted();
}

export function readTranscript(name: string): Transcript {
  const [header = '', ...lines] = readFileSync(transcriptUrl(name), 'utf8').trimEnd().split('\n');
  return {
    header: headerSchema.parse(JSON.parse(header)),
    lines: lines.map(line => lineSchema.parse(JSON.parse(line))),
  };
}

export function textOf({header, lines}: Transcript): string {
  return [header, ...lines].map(line => `${JSON.stringify(line)}\n`).join('');
}
