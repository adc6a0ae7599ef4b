import {argumentsOf, calledAs, isOn, optionOf, textOf, valueOf} from './call.ts';
import type {Context, Node, NodeOf, Rule} from './rule.ts';

const message =
  'Give the command as a list of arguments: text put into a command line is read again by the shell, and a file name may hold `; rm -rf`.';

/** Their first argument is a whole command line, always. */
const takeLine = new Set(['exec', 'execSync', 'execaCommand', 'execaCommandSync']);
/** Their first argument becomes a command line once the option `shell` is on, or when it is a shell itself. */
const takeFile = new Set(['spawn', 'spawnSync', 'execFile', 'execFileSync', 'execa', 'execaSync', '$']);
const commandModules = new Set(['node:child_process', 'child_process', 'execa']);
const shell = /(?:^|\/)(?:sh|bash|dash|zsh|ksh|fish)$/;

function isBuilt(context: Context, argument: Node | undefined): boolean {
  if (argument === undefined) return false;
  const node = valueOf(context, argument);
  if (node.type === 'TemplateLiteral') return node.expressions.length > 0;
  return node.type === 'BinaryExpression' && node.operator === '+';
}

/** `db.exec(...)`, `pattern.exec(...)` are other verbs: behind a dot only the command modules count. */
function commandVerb(node: NodeOf<'CallExpression'>, modules: ReadonlyMap<string, string>): string | undefined {
  const called = calledAs(node.callee);
  if (called === undefined) return undefined;
  if (called.of === undefined) {
    const verb = modules.get(called.name) ?? called.name;
    return takeLine.has(verb) || takeFile.has(verb) ? verb : undefined;
  }
  return modules.get(called.of) === '*' && (takeLine.has(called.name) || takeFile.has(called.name))
    ? called.name
    : undefined;
}

function isInterpolated(context: Context, verb: string, given: readonly Node[]): boolean {
  if (takeLine.has(verb)) return isBuilt(context, given[0]);
  const list = given[1] === undefined ? undefined : valueOf(context, given[1]);
  const words = list?.type === 'ArrayExpression' ? list.elements.filter(element => element !== null) : [];
  if (given.some(argument => isOn(optionOf(context, argument, 'shell')))) {
    return isBuilt(context, given[0]) || words.some(word => isBuilt(context, word));
  }
  const isShell = given[0] !== undefined && shell.test(textOf(valueOf(context, given[0])) ?? '');
  const at = words.findIndex(word => /^-\w*c$/.test(textOf(word) ?? ''));
  return isShell && at >= 0 && isBuilt(context, words[at + 1]);
}

export const noInterpolatedCommand: Rule = {
  meta: {type: 'problem', docs: {description: 'No value is put into the text of a command line.'}},
  create(context) {
    /** Local name -> the verb it was imported as; `*` for a whole module. */
    const modules = new Map<string, string>();
    return {
      ImportDeclaration(node) {
        if (!commandModules.has(node.source.value)) return;
        for (const specifier of node.specifiers) {
          const imported = specifier.type === 'ImportSpecifier' ? specifier.imported : undefined;
          modules.set(specifier.local.name, imported?.type === 'Identifier' ? imported.name : '*');
        }
      },
      CallExpression(node) {
        const verb = commandVerb(node, modules);
        if (verb !== undefined && isInterpolated(context, verb, argumentsOf(node))) context.report({node, message});
      },
      TaggedTemplateExpression(node) {
        const {tag, quasi} = node;
        if (tag.type !== 'CallExpression' || quasi.expressions.length === 0) return;
        const verb = commandVerb(tag, modules);
        const inShell = argumentsOf(tag).some(argument => isOn(optionOf(context, argument, 'shell')));
        if (verb !== undefined && inShell) context.report({node, message});
      },
    };
  },
};
