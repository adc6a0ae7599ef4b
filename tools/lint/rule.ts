import type {RuleTester} from 'oxlint/plugins-dev';

type CreateRule = Extract<Parameters<RuleTester['run']>[1], {create: unknown}>;

/** One lint rule as oxlint loads it: `create(context)` returns the visitor of one file. */
export type Rule = CreateRule;

/** What a rule knows of the file at hand, and where it reports. */
export type Context = Parameters<NonNullable<CreateRule['create']>>[0];

/** Any node of the syntax tree, narrowed by its `type`: what the visitor's selector for every node is given. */
export type Node = Parameters<NonNullable<ReturnType<NonNullable<CreateRule['create']>>['*']>>[0];

export type NodeOf<Type extends Node['type']> = Extract<Node, {type: Type}>;
