import * as z from 'zod';

/** A million dollars, or as many million tokens: whatever is summed up from these stays exact. */
const count = z.int().nonnegative().max(1_000_000_000_000);

/** Totals of one attempt from its beginning: a later report holds every earlier one, so repeating it changes nothing. */
export const spentSchema = z.strictObject({
  /** Millionths of a dollar, by the prices that the runner knows. */
  cost_micros: count,
  input_tokens: count,
  output_tokens: count,
  cache_read_tokens: count,
  cache_write_tokens: count,
  /** Answers of a model. */
  turns: count,
});
export type Spent = z.infer<typeof spentSchema>;

export const noneSpent: Spent = {
  cost_micros: 0,
  input_tokens: 0,
  output_tokens: 0,
  cache_read_tokens: 0,
  cache_write_tokens: 0,
  turns: 0,
};

export const figuresSchema = z.strictObject({cost_micros: count, tokens: count, turns: count});

/** Null where nothing limits it. */
export const limitsSchema = z.strictObject({
  cost_micros: count.nullable(),
  tokens: count.nullable(),
  turns: count.nullable(),
});

/** What an attempt may spend, inside the signed dispatch. */
export const allowanceSchema = z.strictObject({
  /** What is set aside for this attempt from the budgets of its team, by totals; more is given when it asks. */
  slice: limitsSchema,
  /** What earlier attempts of the task have spent of its own budget. */
  spent_before: figuresSchema,
  /** The part of it that attempts spent which were put off to wait for a person, and that this one goes on for. */
  session_spent: figuresSchema.optional(),
});
export type Allowance = z.infer<typeof allowanceSchema>;
