import type {Context, Node, NodeOf} from './rule.ts';

export type Called = {
  readonly name: string;
  /** The identifier before the dot, `''` for a longer chain, undefined for a plain call. */
  readonly of: string | undefined;
};

/** The name a call goes by: `rm(...)` and `fs.promises.rm(...)` are both `rm`. */
export function calledAs(callee: Node): Called | undefined {
  if (callee.type === 'Identifier') return {name: callee.name, of: undefined};
  if (callee.type !== 'MemberExpression' || callee.computed) return undefined;
  if (callee.property.type !== 'Identifier') return undefined;
  return {name: callee.property.name, of: callee.object.type === 'Identifier' ? callee.object.name : ''};
}

/** The initial value of the constant that an identifier names, if this file declares it; else the node itself. */
export function valueOf(context: Context, node: Node): Node {
  if (node.type !== 'Identifier') return node;
  for (
    let scope: ReturnType<Context['sourceCode']['getScope']> | null = context.sourceCode.getScope(node);
    scope !== null;
    scope = scope.upper
  ) {
    const declared = scope.set.get(node.name)?.defs[0]?.node;
    if (declared === undefined) continue;
    return declared.type === 'VariableDeclarator' && declared.init !== null ? declared.init : node;
  }
  return node;
}

/** The value of a named option in an object literal, looked up through a constant. */
export function optionOf(context: Context, node: Node | undefined, name: string): Node | undefined {
  const options = node === undefined ? undefined : valueOf(context, node);
  if (options?.type !== 'ObjectExpression') return undefined;
  for (const property of options.properties) {
    if (property.type === 'Property' && property.key.type === 'Identifier' && property.key.name === name)
      return property.value;
  }
  return undefined;
}

/** Whether an option is present with any value but a literal false. */
export function isOn(option: Node | undefined): boolean {
  return option !== undefined && !(option.type === 'Literal' && option.value === false);
}

/** The text of a literal or of a template without expressions. */
export function textOf(node: Node | undefined): string | undefined {
  if (node?.type === 'Literal' && typeof node.value === 'string') return node.value;
  if (node?.type === 'TemplateLiteral' && node.expressions.length === 0)
    return node.quasis[0]?.value.cooked ?? undefined;
  return undefined;
}

export function argumentsOf(node: NodeOf<'CallExpression'>): readonly Node[] {
  return node.arguments;
}
