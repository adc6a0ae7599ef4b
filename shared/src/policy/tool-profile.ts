/** What an agent may do at all, by the names of the tools; each profile holds those before it. */
const readonly = ['Read', 'Glob', 'Grep'] as const;
const developer = [...readonly, 'Write', 'Edit', 'Bash'] as const;
const full = [...developer, 'Task', 'WebFetch'] as const;

export const toolProfiles = {readonly, developer, 'full-access': full} as const;
export type ToolProfile = keyof typeof toolProfiles;

/** The profile of a role whose task names none. */
export const profileOfRole = {
  starter: 'readonly',
  coding: 'developer',
  reviewer: 'readonly',
  deployer: 'developer',
  verifier: 'developer',
  auditor: 'developer',
} as const satisfies Record<string, ToolProfile>;

/** The role of a task that names none. */
export const usualRole = 'coding';

export type ToolWish = {
  readonly type?: keyof typeof profileOfRole | undefined;
  readonly profile?: ToolProfile | undefined;
  readonly tools?: readonly string[] | undefined;
};

/** What the task says, else what its role says. */
export function profileOf({type = usualRole, profile}: Pick<ToolWish, 'type' | 'profile'>): ToolProfile {
  return profile ?? profileOfRole[type];
}

/** The tools of an attempt: those that the task lists, else those of its profile, else those of its role. */
export function toolsOf({tools, ...wish}: ToolWish): readonly string[] {
  return tools ?? toolProfiles[profileOf(wish)];
}
