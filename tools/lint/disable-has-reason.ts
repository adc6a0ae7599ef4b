import type {Rule} from './rule.ts';

const directive = /^[\s*]*(?:oxlint|eslint)-disable(?:-next-line|-line)?\b(?<rest>[^]*)$/;
const blanket =
  'Name the rules that are switched off: a directive without a rule switches off every check, this one as well.';
const unexplained = 'Say after ` -- ` why the rule does not hold here.';

/**
 * What is wrong with one comment (its text without the comment marks), or undefined. A directive names its rules and
 * gives a reason: `oxlint-disable-next-line no-console -- the only way to reach the person at this point`.
 */
export function faultOfDisable(comment: string): string | undefined {
  const rest = directive.exec(comment)?.groups?.['rest'];
  if (rest === undefined) return undefined;
  const [rules = '', ...reason] = rest.split(' -- ');
  if (rules.trim() === '') return blanket;
  return reason.join(' -- ').trim().length < 10 ? unexplained : undefined;
}

export const disableHasReason: Rule = {
  meta: {type: 'problem', docs: {description: 'Every oxlint-disable comment names its rules and says why.'}},
  create: context => ({
    Program() {
      for (const comment of context.sourceCode.getAllComments()) {
        const message = faultOfDisable(comment.value);
        if (message !== undefined) context.report({loc: comment.loc, message});
      }
    },
  }),
};
