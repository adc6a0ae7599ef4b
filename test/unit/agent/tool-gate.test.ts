import {expect, onTestFinished, test, vi} from 'vitest';
import {parseCharter} from '@switchyard/shared/domain/charter.ts';
import {taskSpecSchema} from '@switchyard/shared/domain/task-spec.ts';
import {limits} from '@switchyard/shared/policy/limits.ts';
import {rulebookOf} from '@switchyard/shared/policy/charter/rulebook.ts';
import {askSchema} from '@switchyard/shared/protocol/ask-message.ts';
import type {Answer, Ask} from '../../../runner/src/agent/driver.ts';
import {rulingOf} from '../../../runner/src/agent/ruling.ts';
import {toolGate, type PersonQuestion, type PersonReply} from '../../../runner/src/agent/tool-gate.ts';
import {askPerson} from '../../../runner/src/attempt/ask-person.ts';
import {AskDesk} from '../../../runner/src/attempt/ask-desk.ts';
import {taskIdSchema} from '@switchyard/shared/domain/id.ts';

const heuristics = {
  autoApprove: [{command: ['git', 'status'], name: 'looking'}],
  alwaysReject: [{command: ['git', 'rebase'], name: 'rebase', reason: 'the history stays'}],
  escalate: [{command: ['git', 'tag'], name: 'tags'}],
};
const never = new AbortController().signal;

type World = {
  readonly decide: (ask: Ask) => Promise<Answer>;
  readonly asked: PersonQuestion[];
  readonly told: string[];
};

function gate(reply: PersonReply | 'later', safetyHeuristics: object | null = heuristics): World {
  const asked: PersonQuestion[] = [];
  const told: string[] = [];
  const book =
    safetyHeuristics === null ? null : rulebookOf(parseCharter({name: 't', safetyHeuristics}).safetyHeuristics);
  const decide = toolGate({
    spec: taskSpecSchema.parse({prompt: 'x', agent: {driver: 'claude'}}),
    ruling: book === null ? null : call => rulingOf(book, call, {workspace: '/wt'}),
    progress: async line => void told.push(line),
    mayEnd: async () => ({kind: 'allow', reason: 'complete'}),
    askPerson: async question => {
      asked.push(question);
      return reply;
    },
  });
  return {asked, told, decide: async ask => decide(ask, never)};
}

const permission = (tool: string, input: Record<string, unknown>, canDefer = true): Ask => ({
  kind: 'permission',
  id: 'r1',
  toolCall: 'toolu_1',
  tool,
  input,
  canDefer,
});
const bash = (command: string): Ask => permission('Bash', {command});
const yes: PersonReply = {decision: 'approve', text: '', by: 'ada'};
const no: PersonReply = {decision: 'reject', text: 'not today', by: 'ada'};

test('[PV16] the profile comes first, then what the charter rejects, escalates and approves, then what is usual', async () => {
  const {decide, asked} = gate(no);
  expect(await decide(permission('WebFetch', {url: 'https://x.test'}))).toMatchObject({kind: 'deny'});
  expect(await decide(bash('git rebase main'))).toEqual({kind: 'deny', reason: 'the history stays'});
  expect(await decide(bash('git status'))).toMatchObject({
    kind: 'allow',
    reason: expect.stringContaining('looking'),
  });
  expect(await decide(bash('true'))).toMatchObject({kind: 'allow'});
  expect(asked).toEqual([]);
  expect(await decide(bash('git tag v1'))).toEqual({kind: 'deny', reason: 'ada rejected it: not today'});
  expect(asked).toMatchObject([{id: 'toolu_1', kind: 'permission', tool: 'Bash', rule: 'tags'}]);
  expect(await gate(yes).decide(bash('git tag v1'))).toMatchObject({kind: 'allow'});
  expect(await gate('later').decide(bash('git tag v1'))).toMatchObject({kind: 'defer'});
  expect(await gate(no, null).decide(bash('git rebase main'))).toMatchObject({kind: 'allow'});
});

test('[PV17] while a refusal of the charter is not understood, a person decides on all that is not approved', async () => {
  const {decide, asked} = gate(yes, {...heuristics, alwaysReject: ['frobnicate the moon base']});
  await decide(bash('true'));
  expect(asked).toMatchObject([{rule: 'frobnicate the moon base'}]);
  expect(await gate(yes, heuristics).decide(bash('true'))).toMatchObject({kind: 'allow'});
});

test('[PV18] a question that cannot wait before its tool is called waits in the call alone', async () => {
  const {decide, asked} = gate({decision: 'answer', text: 'blue', by: 'ada'});
  const before = permission('mcp__switchyard__ask_person', {question: 'Which?'}, false);
  expect(await decide(before)).toMatchObject({kind: 'allow'});
  expect(asked).toEqual([]);
});

test('[PV18] a question waits before its tool is called, and the call answers with the words of the person', async () => {
  const input = {question: 'Which colour?'};
  const hook = permission('mcp__switchyard__ask_person', input);
  const call: Ask = {kind: 'tool', id: 'm1', toolCall: 'toolu_1', tool: 'ask_person', input};
  expect(await gate('later').decide(hook)).toMatchObject({kind: 'defer'});
  const {decide, asked} = gate({decision: 'answer', text: 'blue', by: 'ada'});
  expect(await decide(hook)).toMatchObject({kind: 'allow'});
  expect(await decide(call)).toEqual({kind: 'result', text: 'blue', isError: false});
  expect(asked.map(({id, kind}) => [id, kind])).toEqual([
    ['toolu_1', 'question'],
    ['toolu_1', 'question'],
  ]);
  expect(await gate(no).decide(call)).toMatchObject({kind: 'result', isError: true});
  expect(await gate(yes).decide({...call, input: {}})).toMatchObject({kind: 'result', isError: true});
});

test('[PV27] whoever watches the log is told once that a person has to decide, and where', async () => {
  const tagging = gate(yes);
  await tagging.decide(bash('true'));
  expect(tagging.told).toEqual([]);
  await tagging.decide(bash('git tag v1'));
  expect(tagging.told).toEqual([expect.stringMatching(/^waits for a person, see switchyard approvals list: Bash: /)]);
  const input = {question: 'Which colour?'};
  const asking = gate({decision: 'answer', text: 'blue', by: 'ada'});
  await asking.decide(permission('mcp__switchyard__ask_person', input));
  await asking.decide({kind: 'tool', id: 'r2', tool: 'ask_person', input, toolCall: 'toolu_1'});
  expect(asking.told).toHaveLength(1);
  await asking.decide({kind: 'tool', id: 'r3', tool: 'ask_person', input, toolCall: 'toolu_2'});
  expect(asking.told).toHaveLength(2);
  const event = {event: 'pr.updated', data: {}};
  await asking.decide({kind: 'tool', id: 'r4', tool: 'emit_event', input: event, toolCall: 'toolu_3'});
  expect(asking.told).toHaveLength(2);
});

const of = {task: taskIdSchema.parse('tsk_01arz3ndektsv4rrffq69g5fav'), epoch: 1};
const question: PersonQuestion = {
  id: 'toolu_1',
  kind: 'permission',
  tool: 'Bash',
  input: {command: 'echo secret-value'},
  reason: 'why',
  rule: null,
};

const isHeld = (): boolean => true;

function desk() {
  const sent: object[] = [];
  const made = new AskDesk(message => sent.push(message));
  const over = new AbortController();
  const ports = {
    open: (ask: Parameters<AskDesk['ask']>[1]) => made.ask(of, ask),
    mask: (text: string) => text.replaceAll('secret-value', '************'),
    holdMs: 0,
    ttlMs: 60_000,
    over: over.signal,
  };
  const answer = {t: 'answer', ...of, id: 'toolu_1', decision: 'approve', text: '', by: 'ada'} as const;
  return {made, sent, ports, over, answer};
}

test('[PV2] what is open is asked at the beginning of every session, and not after its answer', async () => {
  const {made, sent, ports, answer} = desk();
  const reply = askPerson(ports, question, {canDefer: false, withdrawn: never});
  expect(sent).toEqual([]);
  made.begin(3, isHeld);
  made.end();
  made.begin(3, isHeld);
  expect(sent).toMatchObject([{t: 'ask'}, {t: 'ask'}]);
  expect(JSON.stringify(sent)).not.toContain('secret-value');
  made.take(answer);
  made.take(answer);
  expect(await reply).toMatchObject({decision: 'approve', by: 'ada'});
  made.begin(3, isHeld);
  expect(sent).toHaveLength(2);
});

test('[PV26] a person is told first when there is more of a call than is shown', async () => {
  const inputOf = (characters: number) => 'x'.repeat(characters - '""'.length);
  for (const [more, reason] of [
    [0, 'why'],
    [1, `only the first ${limits.askInputCharactersMax} of the ${limits.askInputCharactersMax + 1} characters`],
  ] as const) {
    const {made, sent, ports} = desk();
    made.begin(3, isHeld);
    const input = inputOf(limits.askInputCharactersMax + more);
    void askPerson(ports, {...question, input}, {canDefer: false, withdrawn: never});
    const [ask] = sent.map(each => askSchema.parse(each));
    expect(ask?.reason.slice(0, reason.length)).toBe(reason);
    expect(ask?.input).toHaveLength(limits.askInputCharactersMax);
  }
});

test('[PV28] two calls that differ only behind what is shown are different ones', async () => {
  const {made, sent, ports} = desk();
  made.begin(3, isHeld);
  const asked = async (last: string) => {
    const input = `${'x'.repeat(limits.askInputCharactersMax)}${last}`;
    return askPerson(ports, {...question, input}, {canDefer: false, withdrawn: never});
  };
  void asked('a');
  expect(await asked('b')).toMatchObject({decision: 'reject', text: 'another call of this id waits for a person'});
  void asked('a');
  expect(sent).toHaveLength(2);
});

test('[PV19] an agent that can be put off waits for a while only, and one that takes its ask back says so', async () => {
  const {made, sent, ports} = desk();
  made.begin(3, isHeld);
  expect(await askPerson(ports, question, {canDefer: true, withdrawn: never})).toBe('later');
  const withdrawn = new AbortController();
  const reply = askPerson(ports, question, {canDefer: false, withdrawn: withdrawn.signal});
  withdrawn.abort();
  expect(await reply).toMatchObject({decision: 'reject'});
  expect(sent).toMatchObject([{t: 'ask'}, {t: 'ask'}, {t: 'ask_withdrawn', id: 'toolu_1'}]);
});

test('[PV19] what is taken back without a session is withdrawn with the next ones, while its attempt is held', async () => {
  const {made, sent, ports} = desk();
  const withdrawn = new AbortController();
  made.begin(3, isHeld);
  const reply = askPerson(ports, question, {canDefer: false, withdrawn: withdrawn.signal});
  made.end();
  withdrawn.abort();
  expect(await reply).toMatchObject({decision: 'reject'});
  expect(sent.splice(0)).toMatchObject([{t: 'ask'}]);
  // Nobody knows whether the connection took it along.
  for (const session of [3, 3]) {
    made.begin(session, isHeld);
    made.end();
  }
  expect(sent.splice(0)).toEqual([
    {t: 'ask_withdrawn', ...of, id: 'toolu_1'},
    {t: 'ask_withdrawn', ...of, id: 'toolu_1'},
  ]);
  made.begin(3, () => false);
  made.begin(3, isHeld);
  expect(sent).toEqual([]);
});

test('[PV19] what is asked again is not withdrawn any more', () => {
  const {made, sent, ports} = desk();
  const withdrawn = new AbortController();
  made.begin(3, isHeld);
  void askPerson(ports, question, {canDefer: false, withdrawn: withdrawn.signal});
  made.end();
  withdrawn.abort();
  void askPerson(ports, question, {canDefer: false, withdrawn: never});
  sent.splice(0);
  made.begin(3, isHeld);
  expect(sent).toMatchObject([{t: 'ask', id: 'toolu_1'}]);
});

test('[PV19] no more than the limit is said again, the newest', () => {
  const {made, sent, ports} = desk();
  made.begin(3, isHeld);
  for (let n = 0; n <= limits.asksWithdrawnMax; n += 1) {
    const withdrawn = new AbortController();
    void askPerson(ports, {...question, id: `toolu_${n}`}, {canDefer: false, withdrawn: withdrawn.signal});
    withdrawn.abort();
  }
  sent.splice(0);
  made.begin(3, isHeld);
  expect(sent).toHaveLength(limits.asksWithdrawnMax);
  expect(sent[0]).toMatchObject({id: 'toolu_1'});
});

test('[PV19] a process that lets go of its agent decides nothing any more and withdraws nothing', async () => {
  const {made, sent, ports, over, answer} = desk();
  made.begin(3, isHeld);
  const reply = askPerson(ports, question, {canDefer: false, withdrawn: never});
  over.abort();
  made.take(answer);
  made.begin(3, isHeld);
  expect(await Promise.race([reply, Promise.resolve('pending')])).toBe('pending');
  expect(sent).toMatchObject([{t: 'ask'}]);
});

test('[PV19] what is over or taken back before it is asked stays open for nobody', async () => {
  const {made, sent, ports} = desk();
  const gone = AbortSignal.abort();
  void askPerson({...ports, over: gone}, question, {canDefer: false, withdrawn: never});
  const other = {...question, id: 'toolu_2'};
  expect(await askPerson(ports, other, {canDefer: false, withdrawn: gone})).toMatchObject({decision: 'reject'});
  made.begin(3, isHeld);
  expect(sent).toEqual([]);
});

test('[PV19] an agent that was answered is waited for no longer', async () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const {made, ports, answer} = desk();
  const reply = askPerson({...ports, holdMs: 60_000}, question, {canDefer: true, withdrawn: never});
  made.take(answer);
  expect(await reply).toMatchObject({decision: 'approve'});
  expect(vi.getTimerCount()).toBe(0);
});

test('[PV20] a control plane that cannot ask people rejects', async () => {
  const {made, sent, ports} = desk();
  const reply = askPerson(ports, question, {canDefer: false, withdrawn: never});
  made.begin(2, isHeld);
  expect(await reply).toMatchObject({decision: 'reject', by: null});
  expect(sent).toEqual([]);
});

test('[PV28] while a call waits, another one with its id is refused and takes no answer', async () => {
  const {made, sent, ports, answer} = desk();
  made.begin(3, isHeld);
  const first = askPerson(ports, question, {canDefer: false, withdrawn: never});
  const other = {...question, input: {command: 'rm -rf /'}};
  expect(await askPerson(ports, other, {canDefer: false, withdrawn: never})).toMatchObject({
    decision: 'reject',
    by: null,
  });
  made.take(answer);
  expect(await first).toMatchObject({decision: 'approve'});
  expect(sent).toHaveLength(1);
});
