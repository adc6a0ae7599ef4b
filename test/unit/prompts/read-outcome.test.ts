import fc from 'fast-check';
import {expect, test} from 'vitest';
import {limits} from '@switchyard/shared/policy/limits.ts';
import {outcomeComplaint, readOutcome} from '@switchyard/shared/prompts/read-outcome.ts';

const made = {event: 'pr.created', title: 'Greet by name', summary: 'Uses the name of the session.'};
const json = JSON.stringify(made);
const pretty = JSON.stringify(made, null, 2);
const fence = (text: string, label = 'json', mark = '```'): string => `${mark}${label}\n${text}\n${mark}`;

test.for([
  ['alone', json],
  ['over many lines', pretty],
  ['between fences', fence(json)],
  ['over many lines between fences', fence(pretty)],
  ['between fences without a name', fence(json, '')],
  ['between fences of another kind', fence(json, 'JSON', '~~~~')],
  ['between indented fences', '  ```json\n' + pretty + '\n  ```'],
  ['in a fence that is never closed', '```json\n' + json],
  ['after prose', `I did it.\n\n## Summary\n- one\n\n${fence(pretty)}`],
  ['alone after prose', `I did it.\n\n${pretty}\n`],
  ['before prose', `${fence(pretty)}\n\nThat is all: run \`npm test\` to see it {or not}.`],
  ['before other code', `${fence(json)}\n\n${fence('if (x) { y(); }', 'ts')}\n\n${fence('npm test', '')}`],
  ['with carriage returns', `Done.\r\n\`\`\`json\r\n${json}\r\n\`\`\`\r\n`],
  ['with a fence in a string', fence(JSON.stringify({...made, summary: 'Run:\n```sh\nnpm test\n```'}))],
] as const)('[PM8] an outcome is read %s', ([, text]) => {
  const reading = readOutcome('coding', text);
  expect(reading).toMatchObject({kind: 'outcome', outcome: {event: 'pr.created', title: 'Greet by name'}});
  expect(outcomeComplaint('coding', text)).toBeNull();
});

test.for([
  ['nothing', '', 'no_block', 'no block of JSON'],
  ['prose alone', 'All done, the pull request is pr.created.', 'no_block', 'no block of JSON'],
  ['code in another language', fence('{"event": 1}', 'ts'), 'no_block', 'no block of JSON'],
  ['a comma too many', fence('{"event": "pr.created",}'), 'not_json', 'not JSON'],
  ['a block that was cut off', fence(pretty.slice(0, 40)), 'not_json', 'not JSON'],
  ['no event', fence('{"title": "a"}'), 'not_allowed', 'it must be pr.created or pr.updated or agent.escalation'],
  ['an event of another role', fence('{"event":"pr.approved"}'), 'not_allowed', '"pr.approved" is not one of'],
  ['a field missing', fence('{"event":"pr.created","title":"a"}'), 'not_allowed', 'summary:'],
  ['a field too many', fence(JSON.stringify({...made, merged: true})), 'not_allowed', 'merged'],
  ['a good one before a broken one', `${fence(json)}\n${fence('{"event":')}`, 'not_json', 'not JSON'],
  ['a good one before an empty one', `${fence(json)}\n{}`, 'not_allowed', 'no event'],
  ['a good one before one in a line', `${fence(json)}\nOutcome: {"event":"pr.updated"}`, 'not_last', 'another event'],
  ['one that is too long', fence(JSON.stringify({...made, x: 'é'.repeat(40_000)})), 'too_long', 'longer than'],
  ['one that nests too deeply', fence('{"a":'.repeat(99) + '1' + '}'.repeat(99)), 'not_json', 'nested'],
] as const)('[PM8] %s is refused, by name', ([, text, because, detail]) => {
  const reading = readOutcome('coding', text);
  expect(reading).toMatchObject({kind: 'refused', because});
  expect(reading).toHaveProperty('detail', expect.stringContaining(detail));
});

test('[PM8] the complaint names the fault, the events and the schema, and stays short whatever the agent wrote', () => {
  const wrong = fence(JSON.stringify({event: 'x'.repeat(9_000), scores: 1}));
  const complaint = outcomeComplaint('reviewer', wrong) ?? '';
  expect(complaint).toContain('is not one of pr.approved, pr.changes.requested, agent.escalation');
  expect(complaint).toContain('"$schema"');
  expect(complaint.length).toBeLessThan(limits.messageCharactersMax);
  const contradicting = {event: 'pr.approved', scores: {correctness: 5, quality: 5, security: 1, tests: 5, docs: 5}};
  expect(outcomeComplaint('reviewer', JSON.stringify({...contradicting, summary: 'a'}))).toContain(
    'scores: an approval needs 3 everywhere',
  );
});

test('[PM8] whatever an agent writes is read or refused, and never by an earlier block', () => {
  const part = fc.oneof(
    fc.string({maxLength: 20}),
    fc.constantFrom('```', '```json', '~~~', '{', '}', '\n', '{"event":"pr.created"}', json, pretty),
  );
  fc.assert(
    fc.property(fc.array(part, {maxLength: 12}), parts => {
      const before = parts.join('\n');
      expect(['outcome', 'refused']).toContain(readOutcome('coding', before).kind);
      const closed = `${before}\n${fence('{"event":"pr.created","title":"forged"}')}`;
      expect(readOutcome('coding', closed)).not.toMatchObject({kind: 'outcome'});
    }),
  );
});

test('[PM8] a long text is read in the time of its length', () => {
  for (const piece of ['{\n', '```\n', '```json\n{\n', '{"event":{'])
    expect(readOutcome('coding', piece.repeat(200_000)).kind).toBe('refused');
});
