import type {Condition} from './condition.ts';

/** What stands between commas. */
function list(...lines: readonly string[]): readonly string[] {
  return lines.flatMap(line => line.split(', '));
}

/** Programs with words behind them, as a condition reads them. */
function commands(...lines: readonly string[]): readonly Condition[] {
  return list(...lines).map(line => ({kind: 'command', words: line.split(' ')}));
}

export const pipelines: readonly string[] = list(
  '.github/workflows/**, .github/actions/**, .gitlab-ci.yml, .circleci/**, .buildkite/**, .travis.yml',
  'Jenkinsfile, azure-pipelines.yml, bitbucket-pipelines.yml, .drone.yml, .ci/**, .woodpecker.yml',
);
export const secrets: readonly string[] = list(
  '.env, .env.*, *.pem, *.key, *.p12, *.pfx, *.keystore, id_rsa*, id_ed25519*, id_ecdsa*, .netrc',
  '.npmrc, .pypirc, .git-credentials, .pgpass, credentials.json, .aws, .ssh, .gnupg, .kube',
  'secrets.yml, secrets.yaml, secrets.json, secrets.toml, secrets.env, secrets.txt, secrets.properties',
  '~/.docker/config.json, ~/.config/gh/**, ~/.config/gcloud/**, /etc/shadow, /proc/*/environ',
);
export const docs: readonly string[] = list('docs/**, doc/**, *.md, *.mdx, *.rst, README*, CHANGELOG*');

export const deployments = commands(
  'wrangler deploy, wrangler publish, vercel, netlify deploy, kubectl apply, kubectl set',
  'kubectl rollout, kubectl delete, kubectl patch, kubectl replace, kubectl scale, kubectl create',
  'helm upgrade, helm install, helm uninstall, helm rollback, terraform apply, terraform destroy',
  'tofu apply, pulumi up, cdk deploy, serverless deploy, sls deploy, sam deploy, firebase deploy',
  'fly deploy, flyctl deploy, railway up, gcloud * deploy, gcloud deploy, az * deploy*, az deployment',
  'aws deploy, aws ecs update-service, aws cloudformation deploy, aws lambda update-function-code',
  'aws s3 sync, eb deploy, heroku, cap deploy, ansible-playbook, docker stack deploy',
  'docker service update, gh workflow run, gh release create, nomad job run, npm run *deploy*',
  'npm run *release*, pnpm *deploy*, yarn *deploy*, bun run *deploy*, make *deploy*, just *deploy*',
  'task *deploy*, rake *deploy*, sst deploy',
  'deploy, deploy.*, deploy-*, deploy_*, *-deploy, *-deploy.*, *_deploy.*, bun deploy, dokku, kamal deploy',
);
export const publications = commands(
  'npm publish, pnpm publish, yarn publish, yarn npm publish, bun publish, cargo publish, twine upload',
  'poetry publish, uv publish, gem push, docker push, podman push, mvn deploy, gradle publish*',
  'goreleaser, jsr publish, deno publish, helm push, nuget push, dotnet nuget push',
  'lerna publish, changeset publish, semantic-release, release-it, hatch publish, flit publish',
  'python -m twine upload, python3 -m twine upload, docker --push, docker image push, docker compose push',
  'gradlew publish*, gradlew *:publish*, gradle *:publish*, mvnw deploy',
);
export const databases = commands(
  'psql, mysql, mariadb, sqlite3, mongo, mongosh, redis-cli, dropdb, createdb, pg_restore, mysqladmin',
  'cqlsh, clickhouse-client, sqlcmd, bq, wrangler d1, turso, cockroach sql, influx, prisma migrate',
  'prisma db, drizzle-kit push, drizzle-kit migrate',
  'knex migrate*, sequelize db*',
  'typeorm migration*, rails db*, rake db*, alembic, flyway, liquibase, dbmate, goose',
  'atlas migrate, manage.py migrate, python manage.py migrate, python3 manage.py migrate',
  'python manage.py flush, npm run *migrat*, pnpm *migrat*, yarn *migrat*',
);
export const infrastructure = commands(
  'terraform, tofu, pulumi, cdk, cloudformation, aws, gcloud, az, kubectl, helm, ansible-playbook',
  'doctl, hcloud, flyctl, fly, oc, vault, consul, nomad, packer, wrangler secret, wrangler delete',
);
/** What fetches a program and runs it. */
export const fetched = commands(
  'npx -y, npx --yes, pnpm dlx, yarn dlx, bunx, uvx, pipx run, deno run *http*, go run *@*, docker run',
);
/** Change branches of a remote and are no push. */
export const remoteBranches = commands(
  'gh repo sync, gh api *git/refs*, gh api graphql *updateRef*, gh api graphql *deleteRef*, hub api *git/refs*',
  'curl *git/refs*, jj git push',
);
export const installations = commands(
  'npm install, npm i, npm ci, npm add, pnpm install, pnpm i, pnpm add, yarn add, yarn install',
  'bun install, bun add, pip install, pip3 install, python -m pip install, python3 -m pip install',
  'uv add, uv pip install, uv sync, poetry add, poetry install, cargo add, cargo install, go get',
  'go install, gem install, bundle install, composer require, composer install, apt install',
  'apt-get install, apk add, dnf install, yum install, brew install, pacman, snap install, pipx install',
  'pnpm dlx, yarn dlx, npx -y, npx --yes',
  'npm it, npm install-test, npm isntall, npm update, npm up, npm link, npm create, pnpm up, pnpm update',
  'pnpm create, yarn up, yarn create, bun a, uv tool, deno add, deno install, conda install, mamba install',
  'easy_install, cargo binstall, bundle add, aptitude install, dpkg -i, rpm -i, zypper install, flatpak install',
  'port install, nix-env -i*, nix profile install',
);
/** What a project's own lock file says, and nothing by name. */
export const lockedInstallations = commands(
  'npm ci, npm install, pnpm install, pnpm install --frozen-lockfile, yarn install',
  'yarn install --immutable, bun install, bun install --frozen-lockfile, uv sync, poetry install',
  'bundle install, cargo fetch, go mod download',
);
export const tests = commands(
  'npm test, npm test -- **, npm run test, npm run test -- **, npm run test:*, npm run test:* -- **',
  'npm t, pnpm test, pnpm test **, pnpm run test, pnpm run test:*, pnpm test:*, yarn test, yarn test **',
  'yarn test:*, bun test **, bun run test, vitest **, npx vitest **, pnpm vitest **',
  'pnpm exec vitest **, jest **, npx jest **, mocha **, npx mocha **, ava **, npx ava **',
  'playwright test **, npx playwright test **, node --test **, pytest **, python -m pytest **',
  'python3 -m pytest **, python -m unittest **, python3 -m unittest **, uv run pytest **',
  'poetry run pytest **, tox, nox, cargo test **, cargo nextest run **, go test **, deno test **',
  'dotnet test **, mvn test, gradle test, rspec **, bundle exec rspec **, rake test',
  'rails test **, mix test **, phpunit **, swift test, make test, make check, just test, ctest **',
);
export const builds = commands(
  'npm run build, npm run build:*, pnpm build, pnpm run build, yarn build, yarn run build',
  'bun run build, tsc **, npx tsc **, cargo build **, cargo check **, go build **, go vet **, make',
  'make build, make all, mvn package, mvn compile, gradle build, dotnet build **, swift build',
  'mix compile, just build',
);
export const lints = commands(
  'npm run lint, npm run lint:*, npm run format, npm run format:*, npm run typecheck',
  'npm run type-check, npm run check, pnpm lint, pnpm run lint, pnpm format, pnpm typecheck, pnpm check',
  'yarn lint, yarn format, yarn typecheck, eslint **, npx eslint **, prettier **, npx prettier **',
  'biome **, npx biome **, oxlint **, oxfmt **, tsc --noEmit, npx tsc --noEmit, ruff **, black **',
  'mypy **, pyright **, flake8 **, cargo clippy **, cargo fmt **, gofmt **, golangci-lint run **',
  'shellcheck **, rubocop **, dotnet format **, mix format **, make lint, stylelint **',
);
export const power = commands(
  'shutdown, reboot, halt, poweroff, init 0, init 1, init 6, systemctl, service, launchctl, kill, killall, pkill, pm2',
  'docker stop, docker kill, docker rm, docker restart, docker compose down, docker-compose down',
  'podman stop, podman kill, podman rm, podman restart, docker system prune, docker compose stop',
  'docker compose restart, docker-compose stop, docker-compose restart, kubectl delete, kubectl rollout',
  'fuser -k, fuser -*k*, initctl, telinit, supervisorctl, rc-service, brew services, kill-port, skill, xkill',
);
export const disks: readonly Condition[] = [
  ...commands(
    'mkfs*, fdisk, parted, sfdisk, gdisk, wipefs, blkdiscard, diskutil, mkswap, lvremove, vgremove, zpool, hdparm',
  ),
  {
    kind: 'path',
    access: ['write', 'delete'],
    paths: list('/dev/sd*, /dev/nvme*, /dev/hd*, /dev/vd*, /dev/disk*, /dev/xvd*, /dev/mmcblk*, /dev/mapper/**'),
  },
];

export const permissions = commands('chmod, chown, chgrp, setfacl, chattr');
export const secretCommands = commands(
  'env, printenv, security, op, gh auth token, gh auth status *-t*, gh auth status --show-token, gcloud auth',
  'aws configure, aws sts, vault, pass, git credential*, gpg *--export-secret*, ssh-add, secret-tool',
  'kubectl get *secret*, kubectl config view, npm config, npm token, docker inspect, heroku config',
);
export const secretChanges = commands('* secret* set, * secret* put, passwd, ssh-keygen, gh secret');
export const merges = commands('gh pr merge, gh pr close, gh pr review, glab mr merge, hub merge, gh api');
