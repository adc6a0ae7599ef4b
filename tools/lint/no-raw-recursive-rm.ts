import {argumentsOf, calledAs, isOn, optionOf, textOf, valueOf} from './call.ts';
import type {Context, NodeOf, Rule} from './rule.ts';

const message =
  'Trees are deleted by runner/src/worktree/remove.ts alone: it saves unpushed work first and refuses a path outside the state directory.';

const deleters = new Set(['rm', 'rmSync', 'rmdir', 'rmdirSync']);
const launchers = new Set(['spawn', 'spawnSync', 'execFile', 'execFileSync', 'execa', 'execaSync']);

function deletesTree(context: Context, node: NodeOf<'CallExpression'>): boolean {
  const name = calledAs(node.callee)?.name ?? '';
  const [first, second] = argumentsOf(node);
  if (deleters.has(name)) return isOn(optionOf(context, second, 'recursive'));
  if (!launchers.has(name) || first === undefined || second === undefined) return false;
  const words = valueOf(context, second);
  if (!/(?:^|\/)rm$/.test(textOf(valueOf(context, first)) ?? '') || words.type !== 'ArrayExpression') return false;
  return words.elements.some(word => word !== null && /^(?:-[a-zA-Z]*[rR]|--recursive$)/.test(textOf(word) ?? ''));
}

export const noRawRecursiveRm: Rule = {
  meta: {type: 'problem', docs: {description: 'One file deletes trees; everything else asks it to.'}},
  create: context => ({
    CallExpression(node) {
      if (deletesTree(context, node)) context.report({node, message});
    },
  }),
};
