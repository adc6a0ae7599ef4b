import {olderAgent, olderAgentNames} from '@switchyard/shared/prompts/older-agent.ts';
import {outcomeJsonSchema} from '@switchyard/shared/prompts/outcome.ts';
import {promptVersions} from '@switchyard/shared/prompts/prompt.ts';
import {ruleOfRole, type Role} from '@switchyard/shared/prompts/role.ts';
import {notice, table} from './markdown.ts';

const roles: readonly Role[] = ['starter', 'coding', 'reviewer', 'deployer', 'verifier', 'auditor'];
const minuteMs = 60_000;
const minutes = (ms: number): string => `${ms / minuteMs} min`;

const introduction = `A task states its role as \`agent.type\` (\`--role\`). What the task states itself comes first: \`agent.tools\`
before \`agent.profile\` before the role; \`timeout_ms\`, \`expect_change\` and \`concurrency\` before the role.`;

const whosePrompt = `Without a role a task has 120 minutes and the profile \`developer\`, and its agent is told its prompt to the letter. With one, an
agent that asks a model is told the prompt of the role. \`"prompt": "as_is"\` (\`--as-is\`) keeps the role and the own words,
\`"prompt": "role"\` asks for the prompt of \`coding\` without naming it. The drivers \`exec\` and \`scripted\` always take the prompt as
it is. Deployments of one repository take turns. No role brings isolation of its own: an agent runs where \`executor\` of its task says,
and that is the host.`;

const ending = `An agent that was told the prompt of a role ends its last message with one block of JSON. It is sent back while there is none
that the schema below takes, and has failed with \`outcome_missing\` in the end. \`agent.escalation\` fails with \`agent_escalated\`,
\`deploy.failed\` with \`deploy_failed\`; every other outcome is work done. It stands in the task as \`result.role.outcome\`.

A reviewer looks at what \`repository.base\` (\`--base\`) names, against the branch that it is to be merged into:
\`repository.against\` (\`--against\`), the default branch when absent. Its runner tells it the difference, so that it needs no
command; what has no room in the prompt lies in a read-only file beside it. The outcome gets the full id of the commit that was
reviewed as \`commit\`: hold a merge to exactly that one.`;

/** What each role brings, and what its agent has to end with. */
export function rolePage(): string {
  return [
    notice('shared/src/prompts'),
    '# Roles',
    introduction,
    table(['Role', 'Time', 'Profile', 'Expects a change', 'Events', 'Prompt'], roles.map(roleRow)),
    whosePrompt,
    ending,
    'The names of the agents of older systems stand for a role, with the tools and the time that they had there:',
    table(['Name', 'Role', 'Time', 'Profile'], olderAgentNames.flatMap(olderRow)),
    ...roles.flatMap(role => [`## The outcome of ${role}`, block(outcomeJsonSchema(role))]),
  ].join('\n\n');
}

function roleRow(role: Role): string[] {
  const {timeoutMs, profile, events, expectsChange} = ruleOfRole(role);
  const told = events.map(event => `\`${event}\``).join(', ');
  return [
    `\`${role}\``,
    minutes(timeoutMs),
    `\`${profile}\``,
    expectsChange ? 'yes' : 'no',
    told,
    promptVersions[role],
  ];
}

/** Nothing for a name that is ours as well: it stands for our role. */
function olderRow(name: string): string[][] {
  const older = olderAgent(name);
  if (older === undefined || roles.some(role => role === name)) return [];
  return [[`\`${name}\``, `\`${older.type}\``, minutes(older.timeoutMs), `\`${older.profile}\``]];
}

const block = (schema: unknown): string => ['```json', JSON.stringify(schema, null, 1), '```'].join('\n');
