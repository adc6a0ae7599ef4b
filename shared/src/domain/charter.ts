import * as z from 'zod';
import {gitActionNames, placeWords, type Condition} from '../policy/charter/condition.ts';
import {byteCount} from '../policy/byte-size.ts';
import type {Entry} from '../policy/charter/rulebook.ts';
import {limits} from '../policy/limits.ts';
import {SwitchyardError} from './error.ts';

/** What nobody sees would be a part of what is meant. */
const hidden = /[^\P{Cc}\n\r\t]|[^\P{Cf}\u200c\u200d]/u;
const text = z
  .string()
  .min(1)
  .max(limits.charterEntryCharactersMax)
  .refine(given => !hidden.test(given), 'holds a character that cannot be seen');

function listOf(each: typeof text): z.ZodType<readonly string[], string | string[]> {
  return z
    .union([each, z.array(each).min(1).max(limits.charterEntriesMax)])
    .transform((given): readonly string[] => (typeof given === 'string' ? [given] : given));
}

/*
 * What could never be met is refused: a refusal that is never met protects nobody.
 */
const texts = listOf(text);
const programName = /^[^\s/]+$/;
const aboutPrograms = 'must be the name of a program without its folder; its words stand behind it';
const program = text.regex(programName, aboutPrograms);
const command = z
  .array(text)
  .min(1)
  .max(64)
  .refine(([name = '']) => programName.test(name), aboutPrograms);
const hosts = listOf(text.regex(/^(?:[\w*.-]+|\[[\da-f:.]+\])$/i, 'must be a host such as *.example.com'));
const paths = listOf(
  text
    .regex(/^(?!~[^/]|\$[A-Z{]|.*\{[^}]*,[^}]*\})/, 'must be a path with *, ** and ?; ~/ begins at home')
    .refine(
      given => !/^@\w+$/.test(given) || Object.hasOwn(placeWords, given),
      `must be a path or one of ${Object.keys(placeWords).join(', ')}`,
    ),
);
const branches = texts.transform(given => given.map(name => name.replace(/^(?:refs\/)?heads\//, '')));

/** `80%`, or 80. */
const percent = z
  .union([z.number(), z.string().regex(/^\d{1,3}(?:\.\d+)?%$/, 'must be a percentage, such as 80%')])
  .transform(given => (typeof given === 'number' ? given : Number.parseFloat(given)))
  .pipe(z.number().min(0).max(100));

/** `4GB`, `512 MiB`, or a number of bytes. */
const memory = z
  .union([z.int(), z.string().refine(given => byteCount(given) !== undefined, 'must be an amount such as 4GB')])
  .transform(given => (typeof given === 'number' ? given : (byteCount(given) ?? 0)))
  .pipe(z.int().min(limits.attemptMemoryBytesMin, 'must be 16 MiB or more; a number alone is bytes'));

const git = z
  .strictObject({
    push: z.strictObject({force: z.boolean().default(false), to: branches.optional()}).optional(),
    actions: z.array(z.enum(gitActionNames)).min(1).optional(),
  })
  .refine(given => given.push !== undefined || given.actions !== undefined, 'must hold push or actions');

/** A rule in our own form: every field is about something else, and the rule is met when one of them is. */
const ruleSchema = z
  .strictObject({
    name: text.optional(),
    reason: text.optional(),
    tool: texts.optional(),
    path: paths.optional(),
    command: command.optional(),
    read: paths.optional(),
    write: paths.optional(),
    delete: paths.optional(),
    git: git.optional(),
    network: hosts.optional(),
    through: listOf(program).optional(),
    unseen: z.literal(true).optional(),
  })
  .refine(({path, tool}) => path === undefined || tool !== undefined, {
    path: ['path'],
    message: 'belongs to a tool; use read, write or delete for paths of any tool',
  })
  .transform((given): Exclude<Entry, string> => {
    const conditions = conditionsOf(given);
    return {name: given.name ?? nameOf(given), conditions, reason: given.reason};
  })
  .refine(({conditions}) => conditions.length > 0, 'must say what it is about, such as command or write');

type GivenRule = {
  readonly [Name in 'tool' | 'path' | 'command' | 'read' | 'write' | 'delete' | 'network' | 'through']?:
    | readonly string[]
    | undefined;
} & {readonly git?: z.output<typeof git> | undefined; readonly unseen?: true | undefined};

function conditionsOf(given: GivenRule): readonly Condition[] {
  const {tool, path, command, network, through, unseen} = given;
  const paths = (['read', 'write', 'delete'] as const).flatMap((access): readonly Condition[] => {
    const patterns = given[access];
    return patterns === undefined ? [] : [{kind: 'path', access: [access], paths: patterns}];
  });
  const {push, actions} = given.git ?? {};
  return [
    ...(tool === undefined ? [] : [{kind: 'tool', names: tool, path} as const]),
    ...(command === undefined ? [] : [{kind: 'command', words: command} as const]),
    ...paths,
    ...(push === undefined ? [] : [{kind: 'push', isForced: push.force, to: push.to} as const]),
    ...(actions === undefined ? [] : [{kind: 'git', actions} as const]),
    ...(network === undefined ? [] : [{kind: 'network', hosts: network} as const]),
    ...(through === undefined ? [] : [{kind: 'through', programs: through} as const]),
    ...(unseen === undefined ? [] : [{kind: 'unseen'} as const]),
  ];
}

function nameOf(given: object): string {
  const said = Object.entries(given).filter(([key, value]) => key !== 'reason' && value !== undefined);
  return said.map(([key, value]) => `${key} ${JSON.stringify(value)}`).join(', ');
}

/** What an objective is measured by; older charters write it as they like, and it is only told to agents. */
const objective = z.union([text, z.record(text, z.union([text, z.number(), z.boolean()]))]);

const entries = z
  .array(z.union([text, ruleSchema]))
  .max(limits.charterEntriesMax)
  .default([]);

/**
 * What a person lets agents do on their own, as they write it down. An unknown key is refused: a limit with a spelling
 * mistake must not be silently absent.
 */
export const charterSchema = z.strictObject({
  name: text,
  role: text.optional(),
  tier: z.int().min(1).max(9).optional(),
  identity: z
    .strictObject({name: text.optional(), email: z.email().optional(), description: text.optional()})
    .optional(),
  responsibilities: z.array(text).max(limits.charterEntriesMax).default([]),
  resourceLimits: z
    .strictObject({
      /** Attempts that live on the machine at once. */
      maxSessions: z.int().min(1).max(10_000).optional(),
      /** What the processes of one attempt may hold together, in bytes. */
      memory: memory.optional(),
      tokenBudget: z
        .strictObject({
          /** Percent of the budget that is configured for a window, for each of the two ways to pay. */
          subscription: percent.optional(),
          api: percent.optional(),
          /** Tokens. */
          hourly: z.int().positive().optional(),
          daily: z.int().positive().optional(),
        })
        .optional(),
    })
    .prefault({}),
  measurableObjectives: z.array(objective).max(limits.charterEntriesMax).default([]),
  /** Those that a rule understands are refusals; all are told to agents. */
  hardConstraints: entries,
  safetyHeuristics: z.strictObject({autoApprove: entries, alwaysReject: entries, escalate: entries}).prefault({}),
});
export type Charter = z.output<typeof charterSchema>;

export type CharterFault = {
  /** Of the field, from the top; empty for the whole charter. */
  readonly path: readonly PropertyKey[];
  readonly message: string;
};

/** A charter from what a file holds, or every field of it that is wrong. */
export function readCharter(value: unknown): {readonly charter: Charter} | {readonly faults: readonly CharterFault[]} {
  const parsed = charterSchema.safeParse(value);
  if (parsed.success) return {charter: parsed.data};
  return {faults: parsed.error.issues.flatMap(issue => faultsOf(issue, []))};
}

/**
 * The same for a caller that has no lines to name. Throws `charter_invalid`: without a valid charter nothing may start
 * that was meant to have one.
 */
export function parseCharter(value: unknown): Charter {
  const read = readCharter(value);
  if ('charter' in read) return read.charter;
  throw new SwitchyardError('charter_invalid', read.faults.map(faultText).join('; '));
}

export function faultText({path, message}: CharterFault): string {
  return `${pathOf(path)}${message}`;
}

/** Each fault with the whole path of the field, also where one of several forms was meant. */
function faultsOf(issue: z.core.$ZodIssue, above: readonly PropertyKey[]): readonly CharterFault[] {
  const path = [...above, ...issue.path];
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map(key => ({path: [...path, key], message: ' is not known'}));
  if (issue.code === 'invalid_union') {
    // The form that came furthest is the one that was meant.
    const forms = issue.errors.map(errors => errors.flatMap(error => faultsOf(error, path)));
    const isType = (faults: readonly CharterFault[]): boolean =>
      faults.some(fault => fault.path.length === path.length && fault.message.startsWith(': '));
    return forms.find(faults => !isType(faults)) ?? forms.at(-1) ?? [];
  }
  return [{path, message: `: ${issue.message}`}];
}

function pathOf(path: readonly PropertyKey[]): string {
  const text = path.map(part => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`)).join('');
  return text === '' ? 'the charter' : text.replace(/^\./, '');
}
