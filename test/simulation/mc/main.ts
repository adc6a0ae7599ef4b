import {parseArgs} from 'node:util';
import {variants, variantsWithout, type Variant} from './lease-designs.ts';
import {usualBounds} from './lease-model.ts';
import {inspect, inspectAll} from './lease-findings.ts';
import {writePage} from './model-page.ts';
import {boundsText, findingJson, isAsKnown, tableText, traceText, type Finding} from './model-report.ts';
import type {Bounds} from './lease-state.ts';

/** `npm run model`: looks at every state of the lease protocol. Exit 1 when a verdict is not what is known. */
const usage = `npm run model [-- --variant V3] [--messages N] [--epochs N] [--json] [--record]

  --variant NAME   one variant: ${[...variants, ...variantsWithout].map(({name}) => name).join(', ')}
  --messages N     most messages in flight (${usualBounds.messagesMax})
  --epochs N       most attempts of the task (${usualBounds.epochsMax})
  --json           one JSON document in place of the tables
  --record         write the tables into docs/reliability/model.md`;

type Options = {
  readonly chosen: Variant | undefined;
  readonly bounds: Bounds;
  readonly isJson: boolean;
  readonly isRecord: boolean;
};

function parseOptions(args: readonly string[]): Options | 'help' {
  const {values} = parseArgs({
    args: [...args],
    options: {
      variant: {type: 'string'},
      messages: {type: 'string', default: String(usualBounds.messagesMax)},
      epochs: {type: 'string', default: String(usualBounds.epochsMax)},
      json: {type: 'boolean', default: false},
      record: {type: 'boolean', default: false},
      help: {type: 'boolean', short: 'h', default: false},
    },
  });
  if (values.help) return 'help';
  const chosen = [...variants, ...variantsWithout].find(({name}) => name === values.variant);
  if (values.variant !== undefined && chosen === undefined)
    throw new Error(`there is no variant ${values.variant}\n\n${usage}`);
  const bounds = {
    ...usualBounds,
    messagesMax: few('--messages', values.messages),
    epochsMax: few('--epochs', values.epochs),
  };
  const isUsual = chosen === undefined && boundsText(bounds) === boundsText(usualBounds);
  if (values.record && !isUsual) throw new Error('--record is for all variants within the usual bounds');
  return {chosen, bounds, isJson: values.json, isRecord: values.record};
}

function few(option: string, text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > 3) throw new Error(`${option} ${text}: expected 1, 2 or 3`);
  return value;
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

function printTraces(findings: readonly Finding[]): void {
  for (const {variant, verdict} of findings)
    for (const counterexample of verdict.broken)
      print(`\n${variant.name}: ${variant.summary}\n${traceText(counterexample, variant)}`);
}

function main(options: Options): void {
  const {chosen, bounds, isJson, isRecord} = options;
  const tables = chosen === undefined ? inspectAll(bounds) : {variants: [inspect(chosen, bounds)], without: []};
  const findings = [...tables.variants, ...tables.without];
  if (isRecord) writePage(tables);
  if (isJson) {
    print(JSON.stringify({bounds, findings: findings.map(findingJson)}, undefined, 2));
  } else {
    print(`Every state of the lease protocol: two machines, ${boundsText(bounds)}\n\n${tableText(tables.variants)}`);
    if (tables.without.length > 0)
      print(`\nV7 with one part taken away, up to the first breach\n\n${tableText(tables.without)}`);
    printTraces(tables.variants);
  }
  if (!findings.every(isAsKnown)) process.exitCode = 1;
}

try {
  const options = parseOptions(process.argv.slice(2));
  if (options === 'help') print(usage);
  else main(options);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
