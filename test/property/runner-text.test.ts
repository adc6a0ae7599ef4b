import fc from 'fast-check';
import {describe, expect, test} from 'vitest';
import {attemptResultSchema} from '@switchyard/shared/protocol/exit-record.ts';
import {upMessageSchema} from '@switchyard/shared/protocol/up.ts';
import {decodeJsonLine, linesInitial, readEnd} from '../../runner/src/agent/json-lines.ts';
import {parseScript} from '../../runner/src/agent/script.ts';
import {LineSplitter} from '../../runner/src/attempt/line-splitter.ts';
import {duration, parseCount, parseDuration} from '../../runner/src/commands/units.ts';
import {oneLine, shownLines} from '../../runner/src/commands/shown-text.ts';
import {linePrinter} from '../../runner/src/commands/log-lines.ts';
import {words} from '../../runner/src/commands/task-spec-options.ts';
import {
  attemptLabel,
  attemptMark,
  parseAttemptLabel,
  parseAttemptMark,
} from '../../runner/src/executor/attempt-name.ts';
import {parseUptimeMs} from '../../runner/src/executor/boot-clock.ts';
import {parseCgroup2Mounts, parseOwnCgroup} from '../../runner/src/executor/cgroup.ts';
import {selectEnvironment} from '../../runner/src/executor/environment.ts';
import {parseProcStat, parsePs} from '../../runner/src/executor/process-table.ts';
import {checkControlPlaneUrl} from '../../runner/src/link/enrol.ts';
import {refusalOf} from '../../runner/src/link/refusal.ts';
import {parseLsof, parseSs} from '../../runner/src/services/port.ts';
import {judge, matches, policySchema} from '../../runner/src/state/policy-file.ts';
import {branchProblem, isAttemptBranch} from '../../runner/src/worktree/branch-name.ts';
import {entriesInput, entriesOf, shownError, shownPath} from '../../runner/src/worktree/git.ts';
import {parseRepository} from '../../runner/src/worktree/repository-url.ts';
import {assertRoundTrip, assertTakesOnlyItsOwn, codec, outcomeOf, refused, type Codec} from './codec-laws.ts';
import {tries} from './fuzz-settings.ts';
import {damagedText, hostileBytes, hostileText} from './hostile-input.ts';

const attempts = fc.record({
  task: fc.stringMatching(/^[A-Za-z0-9_-]{1,64}$/),
  epoch: fc.integer({min: 1, max: 999_999_999_999_999}),
});
const part = fc.stringMatching(/^[a-z0-9][a-z0-9._]{0,9}[a-z0-9]$/);
const path = fc.array(part, {minLength: 1, maxLength: 4}).map(parts => parts.join('/'));
const references = fc.oneof(
  fc.tuple(part, path).map(([host, rest]) => `https://${host}.test/${rest}`),
  fc
    .tuple(part, fc.integer({min: 1, max: 65_535}), path)
    .map(([host, port, rest]) => `ssh://git@${host}:${port}/${rest}`),
  fc.tuple(part, path).map(([host, rest]) => `git@${host}:${rest}`),
  path.map(rest => `file:///${rest}`),
);

const codecs: readonly Codec[] = [
  codec({
    name: 'parseAttemptMark',
    valid: attempts.map(attemptMark),
    decode: text => parseAttemptMark(text) ?? refused,
    encode: attemptMark,
  }),
  codec({
    name: 'parseAttemptLabel',
    valid: attempts.map(attemptLabel),
    decode: text => parseAttemptLabel(text) ?? refused,
    encode: attemptLabel,
  }),
  // Canonical already: what git is given is read as the same repository again.
  codec({
    name: 'parseRepository',
    valid: references.filter(text => parseRepository(text).url === text),
    decode: parseRepository,
    encode: ({url}) => url,
  }),
  codec({
    name: 'parseCount',
    valid: fc.nat({max: 65_535}).map(String),
    decode: text => parseCount('--port', text, [0, 65_535]),
    encode: String,
  }),
  codec({
    name: 'parseDuration',
    valid: fc.nat({max: 999_999_999}).map(ms => `${ms}ms`),
    decode: text => parseDuration('--timeout', text),
    // More than nine digits are not a time that anybody types.
    encode: ms => {
      const unit = ms % 3_600_000 === 0 ? 'h' : ms % 60_000 === 0 ? 'm' : 's';
      const size = {h: 3_600_000, m: 60_000, s: 1_000}[unit];
      return ms <= 999_999_999 ? `${ms}ms` : `${ms / size}${unit}`;
    },
  }),
  codec({
    name: 'words',
    valid: fc.array(fc.string({minLength: 1}), {minLength: 1, maxLength: 5}).map(quoted),
    decode: text => words('--command', text),
    encode: quoted,
  }),
  codec({
    name: 'parseScript',
    valid: fc.stringMatching(/^[a-z/]{1,9}$/).map(name => `write ${name}: a`),
    decode: text => parseScript(text),
    encode: instructions => instructions.map(scriptLine).join('\n'),
  }),
  codec({
    name: 'checkControlPlaneUrl',
    valid: fc
      .tuple(part, fc.integer({min: 1, max: 65_535}))
      .map(([host, port]) => new URL(`https://${host}.test:${port}`).origin),
    decode: text => checkControlPlaneUrl(text),
    encode: url => url,
  }),
];

function quoted(list: readonly string[]): string {
  return list.map(word => `"${word.replaceAll(/["\\]/g, '\\$&')}"`).join(' ');
}

function scriptLine(instruction: ReturnType<typeof parseScript>[number]): string {
  const escaped = (text: string): string => text.replaceAll('\n', String.raw`\n`);
  switch (instruction.kind) {
    case 'write':
    case 'append':
      return `${instruction.kind} ${instruction.path}: ${escaped(instruction.text)}`;
    case 'replace':
      return `replace ${instruction.path}: ${escaped(instruction.from)} => ${escaped(instruction.to)}`;
    case 'run':
      return `run: ${instruction.argv.join(' ')}`;
    case 'say':
      return `say: ${instruction.text}`;
    case 'wait':
      return `wait: ${instruction.ms}`;
    case 'await':
      return 'await message';
  }
}

test.for(codecs)('[PB2] $name takes nothing but what it could have said itself', async codec => {
  await assertTakesOnlyItsOwn(codec, 400);
});

test.for(codecs)('[PB3] $name reads what was written', async codec => {
  await assertRoundTrip(codec, 60);
});

describe('a repository', () => {
  const tried = fc.oneof(
    hostileText,
    damagedText(references),
    damagedText(references.map(text => text.replace('//', '//user:pass@'))),
  );

  test('[PB10] that is taken has no credential, no way up and nothing that reads as an option', async () => {
    await fc.assert(
      fc.asyncProperty(tried, async reference => {
        const taken = await outcomeOf(() => parseRepository(reference));
        if (taken === refused) return;
        const {url, protocol, id} = taken as ReturnType<typeof parseRepository>;
        expect(`${url} ${id}`).not.toMatch(/[\p{Cc}\p{Cs}"<>;`]|^-|\/-|\/\.\.?(?:\/|$)/u);
        expect(url).not.toMatch(/^[^/]*::/);
        // A directory of this machine may have a name with a quote or a dollar.
        expect(protocol === 'file' ? '' : url).not.toMatch(/[$'|]/);
        const said = URL.parse(protocol === 'https' ? reference : '');
        expect([said?.username ?? '', said?.password ?? '', URL.parse(url)?.password ?? '']).toEqual(['', '', '']);
      }),
      tries(1_500),
    );
  });

  test.for(['https:///user:pass@host/team/app', 'https:////user@host/team/app', 'https:///host/team/app'])(
    '[PB10] %s, in which the host is not where it seems to be, is refused',
    reference => expect(() => parseRepository(reference)).toThrow('repository_invalid'),
  );

  test.for(['https://;id.test/app', 'https://$(id)/app', "https://a'b/app", 'git@host::app'])(
    '[PB10] %s names no host and path',
    reference => expect(() => parseRepository(reference)).toThrow('repository_invalid'),
  );

  test.for(['/srv/\ud800', 'git@host:team/\udfff'])('[PB10] %j, which has no bytes, is refused', reference =>
    expect(() => parseRepository(reference)).toThrow('repository_invalid'),
  );

  test.for(['ssh://git@host:65536/app', 'ssh://git@host:0/app'])('[PB10] %s has no such port', reference =>
    expect(() => parseRepository(reference)).toThrow('repository_invalid'),
  );
});

describe('a pattern of the policy', () => {
  const pieces = fc.array(fc.constantFrom('*', '**', 'a', 'b', '/', '.', '(', '\\', '\n', '漢'), {maxLength: 8});
  const texts = fc.array(fc.constantFrom('a', 'b', '/', '.', '(', '\\', '\n', '漢'), {maxLength: 8});

  /** By trying every way to spend the text: slow and plain. */
  function means(pattern: string, text: string): boolean {
    if (pattern === '') return text === '';
    if (pattern.startsWith('**'))
      return Array.from({length: text.length + 1}, (_, taken) => taken).some(taken =>
        means(pattern.slice(2), text.slice(taken)),
      );
    if (pattern.startsWith('*')) {
      const inside = text.split('/')[0]?.length ?? 0;
      return Array.from({length: inside + 1}, (_, taken) => taken).some(taken =>
        means(pattern.slice(1), text.slice(taken)),
      );
    }
    return pattern[0] === text[0] && means(pattern.slice(1), text.slice(1));
  }

  test('[PB11] matches what it says, letter by letter', () => {
    fc.assert(
      fc.property(pieces, texts, (pattern, text) => {
        expect(matches(pattern.join(''), text.join(''))).toBe(means(pattern.join(''), text.join('')));
      }),
      tries(2_000),
    );
  });

  test('[PB11] takes no longer for a text that was made to nearly match', () => {
    // Of this thread: others of a busy machine take none of it.
    const before = process.threadCpuUsage();
    expect(matches('https://git.test/*-*-*-*-*-x', `https://git.test/${'-'.repeat(1_900)}`)).toBe(false);
    expect(matches('**a**a**a**a**x', 'a'.repeat(2_000))).toBe(false);
    expect(process.threadCpuUsage(before).user / 1_000).toBeLessThan(500);
  });

  test('[PB11] any pattern of any policy is judged', () => {
    fc.assert(
      fc.property(hostileText, hostileText, (pattern, repository) => {
        const policy = policySchema.safeParse({version: 1, repositories: {deny: [pattern.slice(0, 100)]}});
        if (policy.success)
          judge(
            policy.data,
            {executor: 'host', agent: {driver: 'scripted'}, checks: []} as never,
            repository.slice(0, 200),
          );
      }),
      tries(200),
    );
  });
});

describe('what an agent prints', () => {
  const lines = fc.oneof(
    hostileText,
    fc.record({type: hostileText, summary: hostileText, is_error: fc.boolean()}).map(each => JSON.stringify(each)),
    fc
      .record({type: fc.constantFrom('result', 'Tool-Call', '__proto__'), result: hostileText})
      .map(each => JSON.stringify(each)),
    fc.json().map(json => `{"type":"x","at":${json}}`),
  );

  test('[PB12] becomes events that may be sent and a result that may be reported, whatever it is', () => {
    fc.assert(
      fc.property(
        lines,
        fc.oneof(fc.constant(null), fc.integer()),
        fc.oneof(fc.constant(null), hostileText),
        (line, exitCode, signal) => {
          const {state, events} = decodeJsonLine(linesInitial, line);
          for (const {kind, data} of events) {
            const event = {
              t: 'event',
              task: 'tsk_01arz3ndektsv4rrffq69g5fav',
              epoch: 1,
              seq: 0,
              kind,
              data: JSON.parse(JSON.stringify(data)),
            };
            expect(upMessageSchema.safeParse(event).success, JSON.stringify(event)).toBe(true);
          }
          const {failure, summary} = readEnd(state, {exitCode, signal});
          const result = failure ?? {kind: 'succeeded', summary: summary ?? ''};
          expect(attemptResultSchema.safeParse(result).success).toBe(true);
        },
      ),
      tries(500),
    );
  });

  test('[PB12] is cut into the same lines however it arrives', () => {
    fc.assert(
      fc.property(
        fc.array(hostileBytes, {maxLength: 6}),
        fc.array(fc.nat({max: 400}), {maxLength: 12}),
        (parts, cuts) => {
          const bytes = Buffer.concat([...parts, Buffer.from('é漢\n')]);
          const read = (places: readonly number[]): readonly string[] => {
            const splitter = new LineSplitter();
            const edges = [0, ...places.map(place => Math.min(place, bytes.length)), bytes.length].toSorted(
              (a, b) => a - b,
            );
            return [
              ...edges.slice(1).flatMap((edge, index) => splitter.push(bytes.subarray(edges[index], edge))),
              ...splitter.end(),
            ];
          };
          const whole = new TextDecoder().decode(bytes).split('\n');
          expect(read(cuts)).toEqual(whole.at(-1) === '' ? whole.slice(0, -1) : whole);
        },
      ),
      tries(200),
    );
  });

  test('[PB12] is shown without a control character, whatever it is', () => {
    fc.assert(
      fc.property(fc.array(hostileText, {maxLength: 3}), texts => {
        const shown: string[] = [];
        const terminal = {
          out: (text: string) => shown.push(text),
          paint: (_: string, text: string) => text,
          columns: 80,
        };
        const printer = linePrinter(terminal as never);
        for (const text of texts) printer.push(Buffer.from(text));
        printer.end();
        const all = [...shown, ...texts.map(oneLine)].join('');
        expect(all).not.toMatch(/\p{Cc}|[\u202a-\u202e\u2066-\u2069]/u);
        expect(shownLines(texts.join(''))).not.toMatch(/(?![\n\t])\p{Cc}(?!\[\d{1,2}m)/u);
      }),
      tries(200),
    );
  });
});

describe('what the system says', () => {
  test('[PB13] a process is read the same whatever it calls itself', () => {
    const name = fc.oneof(
      hostileText.map(text => text.slice(0, 15)),
      fc.constantFrom(') Z 1 1', 'a) R 1\n(', '(', ')) ', ''),
    );
    const fields = fc.array(fc.nat(), {minLength: 18, maxLength: 18});
    fc.assert(
      fc.property(fc.integer({min: 1, max: 4_194_304}), name, fields, (pid, comm, rest) => {
        const [parentPid, groupId, sessionId] = rest;
        const entry = parseProcStat(`${pid} (${comm}) S ${rest.join(' ')} 77 0\n`);
        expect(entry).toEqual({pid, parentPid, groupId, sessionId, started: '77', isZombie: false});
      }),
      tries(300),
    );
  });

  test('[PB13] no listing of the system makes a reader fail', async () => {
    const listings = fc.oneof(
      hostileText,
      damagedText(fc.constant('1 (init) S 0 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15')),
      damagedText(fc.constant('  501     1   501 Ss   Mon Jan  1 00:00:00 2026')),
      damagedText(fc.constant('cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n0::/user.slice')),
      damagedText(fc.constant('LISTEN 0 5 127.0.0.1:80 users:(("node",pid=12,fd=3))\np12\ncnode')),
    );
    await fc.assert(
      fc.asyncProperty(listings, async text => {
        for (const {pid, parentPid} of parsePs(text)) expect([pid, parentPid].every(Number.isFinite)).toBe(true);
        expect(parseOwnCgroup(text).startsWith('/')).toBe(true);
        parseCgroup2Mounts(text);
        const uptime = await outcomeOf(() => parseUptimeMs(text));
        const numbers = [parseLsof(text)?.pid, parseSs(text)?.pid, uptime === refused ? undefined : uptime];
        const all = [...numbers, ...Object.values(parseProcStat(text) ?? {})];
        expect(all.filter(value => Number.isNaN(value))).toEqual([]);
      }),
      tries(500),
    );
  });

  test('[PB13] names of files keep their bytes on the way through git, and errors lose what must not be shown', () => {
    const names = fc.array(
      fc.uint8Array({minLength: 1, maxLength: 12}).map(bytes => bytes.map(byte => byte || 1)),
      {maxLength: 5},
    );
    fc.assert(
      fc.property(names, hostileText, (files, text) => {
        const listing = Buffer.concat(files.flatMap(name => [Buffer.from(name), Buffer.of(0)]));
        expect(Buffer.from(entriesInput(entriesOf(listing)))).toEqual(listing);
        for (const entry of entriesOf(listing)) expect(typeof shownPath(entry)).toBe('string');
        const shown = shownError(`fatal: https://user:token@host/x ${text}`);
        expect(shown).not.toMatch(/\p{Cc}/u);
        expect(shown).not.toContain('user:token');
      }),
      tries(200),
    );
  });

  test('[PB13] a branch of an attempt is one that git takes, and no text makes the check fail', () => {
    fc.assert(
      fc.property(fc.oneof(hostileText, damagedText(fc.constant('switchyard/tsk_1/e2'))), text => {
        expect(isAttemptBranch(text) ? branchProblem(text) : undefined).toBeUndefined();
        branchProblem(text);
      }),
      tries(500),
    );
  });

  test('[PB13] an environment of any names and values is selected, and a secret is not', () => {
    fc.assert(
      fc.property(fc.dictionary(hostileText, hostileText, {maxKeys: 5}), source => {
        const {env} = selectEnvironment({...source, LC_X: 'ghp_0123456789abcdef0123', PATH: '/bin'});
        expect(env).toMatchObject({PATH: '/bin'});
        expect(env).not.toHaveProperty('LC_X');
      }),
      tries(100),
    );
  });
});

test('[PB14] a refusal of any server is a reason to come back at a time that exists', () => {
  const header = fc.oneof(
    fc.constant(undefined),
    hostileText,
    fc.constantFrom('-5', '1e300', '0x10', '', '5', 'Infinity'),
  );
  fc.assert(
    fc.property(fc.integer({min: 100, max: 599}), hostileText, header, (status, body, retryAfter) => {
      const end = refusalOf(status, body, {date: undefined, retryAfter});
      expect(end.kind).toBe('refused');
      expect(end.kind === 'refused' ? (end.retryAfterMs ?? 0) : -1).toBeGreaterThanOrEqual(0);
      expect(duration(0)).toBe('0 ms');
    }),
    tries(200),
  );
});
