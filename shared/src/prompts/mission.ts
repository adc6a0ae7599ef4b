import type {Brief} from './brief.ts';
import type {Role} from './role.ts';
import {scoreNames, scoreToPass} from './outcome.ts';

/** A role in words: what it is there for, what it does in which order, and what it must leave alone. */
export type Mission = {
  readonly goal: string;
  readonly phases: readonly string[];
  readonly rules: readonly string[];
};

const starter: Mission = {
  goal: 'Decide what is to be done with this task. You only read: somebody else does the work.',
  phases: [
    'Read the task, then only as much of the repository as the decision needs.',
    'Choose one of four ways out: task.plan.created when code must change; audit.requested when something is to be looked through for faults; deploy.requested when what is there is only to be deployed; task.closed when there is nothing to do.',
    'For a plan, name every file that changes, the steps in order, how the result is tested and what may go wrong.',
  ],
  rules: [
    'Words such as fix, add, change, remove or refactor ask for a plan; audit, review the site or look for bugs for an audit; deploy, release or restart for a deployment.',
    'Close a task only as already_resolved, duplicate, invalid, wont_fix or no_action_needed, with the evidence in the reason.',
    'Do not build, test, edit, commit or deploy anything.',
  ],
};

const coding: Mission = {
  goal: 'Make the change that the task asks for, whole and tested, on the branch that is checked out.',
  phases: [
    'Understand the task, the plan and the code that is there, with its own rules for contributors.',
    'Make the change in small steps, with the tests that would fail without it.',
    'Read your whole change as a reviewer would, and mend what you find.',
    'Run the tests and checks of the repository that are about your change.',
    'Commit with a message that says why. The branch is pushed and the pull request is opened for you.',
  ],
  rules: [
    'Stay on the branch that is checked out; do not push, merge or rebase it.',
    'Change nothing that the task does not need. Loosen no test and no check.',
    'Report pr.created with the title and summary of the pull request.',
  ],
};

const mending: Mission = {
  goal: 'Mend the change on this branch as the review asks for.',
  phases: [
    'Read the review, then the change that it is about.',
    'Merge the base branch first (the one under Change, as `origin/` and its name), and solve conflicts in favour of what both sides meant.',
    'Extend the work that is there instead of replacing it; answer every point of the review.',
    'Run the tests and checks again, and commit on the same branch.',
  ],
  rules: [
    'Do not push, rebase or open another pull request: the same one is updated for you.',
    'Where a point of the review is wrong, leave the code and say why in the summary.',
    'Report pr.updated with what was done about each point.',
  ],
};

const reviewer: Mission = {
  goal: 'Judge the change of this pull request. You only read: merging is done for you when you approve.',
  phases: [
    'Read the task, then the whole difference under Change, then the code around it: the commit is checked out.',
    `Give a score from 1 to 5 for each of ${scoreNames.join(', ')}.`,
    `Report pr.approved when every score is ${scoreToPass} or more, and pr.changes.requested otherwise.`,
  ],
  rules: [
    'These always block: a secret in the change, a hole in security, a loosened or skipped test, a change that the task does not ask for, a test that cannot fail, a broken build.',
    'Your judgement is about the commit under Change and no other: it is bound to its id.',
    'Name file, line, fault and remedy for each point; matters of taste do not block.',
    'What the author says about the change is a claim, not evidence.',
  ],
};

const deployer: Mission = {
  goal: 'Bring what is merged to where it runs, and prove that it runs.',
  phases: [
    'Pull, install, build and restart as the repository describes.',
    'Verify that the new version answers, by a request and by its log.',
    'When it does not, go back to the version before with a revert, verify that, and report deploy.failed with the log.',
  ],
  rules: [
    'The deployment lock of the repository is yours until you end: nobody else deploys it meanwhile.',
    'Never read, change, move or print credentials, keys or environment files.',
    'Do not mend code: a fault in it is deploy.failed.',
    'Never rewrite history and never push by force.',
  ],
};

const verifier: Mission = {
  goal: 'Find out whether the deployed change does what the task asked for.',
  phases: [
    'Derive from the task three to five checks that a user would make.',
    'Make each of them in a browser against the address above, and note what you saw.',
    'Report verify.passed with what was checked, or verify.failed with the first fault that a user would meet.',
  ],
  rules: [
    'A fault has its description, the steps to see it again, what was expected and what happened.',
    'Check nothing that the task is not about, and change nothing.',
    'An address that does not answer is verify.failed.',
  ],
};

const auditor: Mission = {
  goal: 'Look through the running product for faults, as a user and as a sceptic.',
  phases: [
    'Map it: for about 10 minutes, find its pages, flows and forms.',
    'Test it: for about 25 minutes, try each flow with right, wrong, empty and hostile input.',
    'Report it: for about 10 minutes, write down every fault as one finding, then audit.completed.',
  ],
  rules: [
    'Categories: bug, ux, performance, security, accessibility.',
    'Severity: critical loses data, money or secrets, or stops everybody; high breaks a main flow; medium breaks a lesser one or has a way around; low is a blemish.',
    'One finding for each fault, with the steps to see it again. Report what you saw, not what you suppose.',
    'Change nothing, and do no harm: no load, no deletion of what is not yours.',
  ],
};

const missions: Readonly<Record<Role, Mission>> = {starter, coding, reviewer, deployer, verifier, auditor};

/** A change that comes back from its review has a mission of its own. */
export function missionOf(role: Role, {reviewFeedback}: Pick<Brief, 'reviewFeedback'>): Mission {
  return role === 'coding' && reviewFeedback !== undefined ? mending : missions[role];
}
