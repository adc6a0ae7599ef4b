import {scenarioGroups} from './scenarios.ts';

/** What docs/conformance.md lists; `check.ts --list` prints it. */
export function scenarioTable(): string {
  return scenarioGroups
    .map(({title, scenarios}) => {
      const rows = scenarios.map(({id, rule}) => `| \`${id}\` | ${rule} |`);
      return [`### ${title}`, '', '| scenario | what the runner must do |', '|---|---|', ...rows].join('\n');
    })
    .join('\n\n');
}
