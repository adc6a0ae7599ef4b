import * as z from 'zod';
import {
  errorCodeSchema,
  gitEvidenceSchema,
  toldRoleSchema,
  type ExitRecord,
  type ToldRole,
} from '@switchyard/shared/protocol/exit-record.ts';
import {resourcesSchema} from '@switchyard/shared/protocol/resources.ts';
import type {KeptFailure} from '@switchyard/shared/domain/settle.ts';

/** The JSON columns of a task, read and written in one place each. */

const failuresColumn = z.array(
  z.object({epoch: z.int(), at_ms: z.int(), code: errorCodeSchema, detail: z.string(), hint: z.string()}),
);

export function readFailures(text: string): readonly KeptFailure[] {
  return text === '[]' ? [] : failuresColumn.parse(JSON.parse(text));
}

const cancelColumn = z.object({reason: z.string(), grace_ms: z.int()});
export type CancelRequest = z.infer<typeof cancelColumn>;

export function readCancel(text: string | null): CancelRequest {
  return text === null ? {reason: '', grace_ms: 0} : cancelColumn.parse(JSON.parse(text));
}

const resultColumn = z.object({
  summary: z.string().nullable(),
  exit_code: z.int().nullable(),
  git: gitEvidenceSchema.nullable(),
  log_bytes: z.int(),
  role: toldRoleSchema.nullable().default(null),
  // Results of attempts that nobody looked at have none.
  resources: resourcesSchema.nullable().default(null),
});
export type ResultColumn = z.infer<typeof resultColumn>;

export function readResult(text: string | null): ResultColumn | null {
  return text === null ? null : resultColumn.parse(JSON.parse(text));
}

export function resultText(record: ExitRecord): string {
  const summary = record.result.kind === 'succeeded' ? (record.result.summary ?? null) : null;
  const result: ResultColumn = {
    summary,
    exit_code: record.exit_code,
    git: record.git,
    log_bytes: record.log_len,
    role: record.role ?? null,
    resources: record.resources ?? null,
  };
  return JSON.stringify(result);
}

export function readRole(text: string | null): ToldRole | null {
  return text === null ? null : toldRoleSchema.parse(JSON.parse(text));
}

const labelsColumn = z.array(z.string());

export function readLabels(text: string): readonly string[] {
  return text === '[]' ? [] : labelsColumn.parse(JSON.parse(text));
}
