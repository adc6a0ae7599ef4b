import type {Context, Node, Rule} from './rule.ts';

const message =
  "Write `import * as z from 'zod'` (or `import type * as z`): any other form keeps the whole of zod in the Worker, 93 KB instead of 26 KB.";

function check(context: Context, node: Node, source: string | undefined): void {
  if (source === undefined || !/^zod(?:\/|$)/.test(source)) return;
  const specifiers = node.type === 'ImportDeclaration' ? node.specifiers : [];
  const [only] = specifiers;
  const byStar = specifiers.length === 1 && only?.type === 'ImportNamespaceSpecifier' && only.local.name === 'z';
  if (!byStar || source !== 'zod') context.report({node, message});
}

export const zodByStar: Rule = {
  meta: {type: 'problem', docs: {description: 'zod is imported as a namespace called z and in no other way.'}},
  create: context => ({
    ImportDeclaration: node => check(context, node, node.source.value),
    ExportNamedDeclaration: node => check(context, node, node.source?.value),
    ExportAllDeclaration: node => check(context, node, node.source.value),
    ImportExpression: node =>
      check(context, node, node.source.type === 'Literal' ? String(node.source.value) : undefined),
  }),
};
