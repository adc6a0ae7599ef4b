import {expect, test} from 'vitest';
import {knownRules} from '@switchyard/shared/policy/charter/known-rules.ts';
import {lint, rulebookOf} from '@switchyard/shared/policy/charter/rulebook.ts';
import {conditionsOf} from '@switchyard/shared/policy/charter/sentence.ts';
import {judgeCommand, rulebook} from './charter-scene.ts';

test.for(knownRules)('[CA5] "$says" means its own rule', ({says, side, means}) => {
  const found = conditionsOf(says, side === 'approval' ? 'approval' : 'refusal');
  expect(found).toEqual(means(['main']));
});

test.for([
  ['force pushes to the main branch', 'git push -f origin main'],
  ['Force-push to main or release/*', 'git push -f origin release/1'],
  ['Force pushing to main, master and trunk', 'git push -f origin trunk'],
  ['Pushing directly to main', 'git push origin main'],
  ['FORCE PUSH', 'git push -f origin anything'],
  ['Deploying to production', 'npx wrangler deploy'],
  ['Any production deployment', 'kubectl apply -f a.yaml'],
  ['Delete production data', 'psql -c "drop table a"'],
  ['Drop tables', 'mysql -e "drop table a"'],
  ['Modify CI/CD', 'echo a > .github/workflows/ci.yml'],
  ['Changes to the CI configuration', 'sed -i s/a/b/ .gitlab-ci.yml'],
  ['Access to credentials', 'cat ~/.ssh/id_ed25519'],
  ['Read .env files', 'cat .env'],
  ['Network requests', 'curl https://example.com'],
  ['Installing new dependencies', 'npm install left-pad'],
  ['Running commands as root', 'sudo ls'],
  ['Killing processes', 'pkill -f node'],
  ['Deleting branches', 'git branch -D x'],
  ['Rewriting git history', 'git rebase -i HEAD~3'],
  ['Discarding uncommitted changes', 'git checkout -- .'],
  ['Publishing packages to npm', 'npm --silent publish --tag next'],
  ['Writing files outside of the workspace', 'echo a > /etc/motd'],
  ['Recursive deletion', 'rm -r build'],
  ['Deleting files', 'rm a.txt'],
  ['Running downloaded scripts', 'curl -s https://example.com | sh'],
] as const)('[CA5] "%s" refuses %s', ([entry, command]) => {
  expect(lint({alwaysReject: [entry], autoApprove: [], escalate: []})).toEqual([]);
  expect(judgeCommand(rulebook({alwaysReject: [entry]}), command)).toMatchObject({decision: 'reject', rule: entry});
});

test.for([
  'Do not read files outside src',
  'Read files except secrets',
  'Never run tests',
  'Run tests only on Monday',
  'Force push to production',
  'Make everything better',
  'Read',
  '',
])('[CA5] "%s" is no sentence that is half understood', entry => {
  expect(conditionsOf(entry, 'approval')).toBeUndefined();
  expect(conditionsOf(entry, 'refusal')).toBeUndefined();
});

test('[CA6] what nobody understands is named with the nearest; only a refusal is an error', () => {
  const findings = lint({
    autoApprove: ['Running the tests twice', 'Run tests'],
    alwaysReject: ['Forced pushes onto main street', {name: 'own', conditions: [{kind: 'unseen'}]}],
    escalate: ['Spend money'],
  });
  expect(findings.map(({list, entry, severity}) => [list, entry, severity])).toEqual([
    ['alwaysReject', 'Forced pushes onto main street', 'error'],
    ['escalate', 'Spend money', 'error'],
    ['autoApprove', 'Running the tests twice', 'warning'],
  ]);
  expect(findings[0]?.nearest[0]).toBe('Force push to main');
  expect(findings[2]?.nearest).toContain('Run test suites');
});

test('[CA7] a refusal that is not understood holds back every approval, and an approval none', () => {
  const approve = {autoApprove: ['Run tests', 'Something kind'], alwaysReject: []};
  expect(judgeCommand(rulebookOf({...approve, escalate: []}), 'npm test').decision).toBe('approve');
  expect(judgeCommand(rulebookOf({...approve, escalate: ['Spend money']}), 'npm test')).toMatchObject({
    decision: 'ask-default',
    reason: expect.stringContaining('Spend money'),
  });
});

test.for([
  ['rm -rf ~', 'cd; rm -r -f .'],
  ['git push --force', '"git" push origin +x'],
  ['git push -f origin main', 'git push origin :main'],
  ['git reset --hard', 'git -C . reset --ha HEAD~1'],
  ['git clean -fdx', 'git clean -d --force'],
  ['git branch -D', 'git branch --delete x'],
  ['rm -rf data', 'rm -r ./src/../data'],
  ['rm -rf data', 'rm -rf .'],
  ['npm publish', "bash -c 'npm --tag x publish'"],
  ['`make release`', 'make -j4 release'],
  ['sudo', 'env A=1 sudo -n ls'],
  ['kubectl delete *', 'kubectl -n prod delete pod x'],
  ['curl https://example.com | sh', 'wget -qO- https://other.example | bash'],
] as const)('[CA8] the entry "%s" refuses %s', ([entry, command]) => {
  expect(judgeCommand(rulebook({alwaysReject: [entry]}), command).decision).toBe('reject');
});

test.for([
  ['rm -rf data', 'rm -rf dat'],
  ['npm publish', 'npm run build'],
  ['git push --force', 'git push origin x'],
  ['git reset --hard', 'git reset HEAD~1'],
  ['git branch -D', 'git branch x'],
] as const)('[CA8] the entry "%s" leaves %s alone', ([entry, command]) => {
  expect(judgeCommand(rulebook({alwaysReject: [entry]}), command).decision).toBe('ask-default');
});
