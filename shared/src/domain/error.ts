/**
 * Every failure that a person or a program can be told about. A code never changes its meaning.
 *
 * `status` is the HTTP status of the problem document (RFC 9457), `retry` says whether the same request may succeed
 * later without a change, `hint` is the next step for a person.
 */
export const errorCodes = {
  invalid_request: {status: 400, retry: false, hint: 'Correct the named field and send the request again.'},
  body_too_large: {status: 413, retry: false, hint: 'Send a smaller body; the limit is in docs/limits.md.'},
  unsupported_media_type: {status: 415, retry: false, hint: 'Send application/json.'},
  unauthorized: {status: 401, retry: false, hint: 'Send a valid bearer token: switchyard login shows how to get one.'},
  bad_signature: {status: 401, retry: false, hint: 'Sign the raw body with a current key of this pool.'},
  stale_signature: {
    status: 401,
    retry: false,
    hint: 'Check the clock of the sender: a signature is good for five minutes.',
  },
  replayed_signature: {status: 401, retry: false, hint: 'Use a new id or nonce for each request.'},
  forbidden: {status: 403, retry: false, hint: 'Use a token that has the named scope.'},
  not_found: {status: 404, retry: false, hint: 'Check the id, and that the token belongs to the same pool.'},
  method_not_allowed: {
    status: 405,
    retry: false,
    hint: 'Use one of the methods that openapi.json lists for this path.',
  },
  idempotency_conflict: {status: 409, retry: false, hint: 'Use a new idempotency key for a different body.'},
  already_finished: {status: 409, retry: false, hint: 'Read the task: it has ended and its state no longer changes.'},
  not_finished: {status: 409, retry: false, hint: 'Wait until the task has ended, or cancel it first.'},
  already_decided: {
    status: 409,
    retry: false,
    hint: 'Read the approval: somebody else decided, it expired, or the agent no longer waits.',
  },
  dependency_cycle: {status: 409, retry: false, hint: 'Remove one of the dependencies named in the detail.'},
  capacity_reached: {status: 503, retry: true, hint: 'Wait, or submit without queue=false so that the task is queued.'},
  queue_full: {status: 503, retry: true, hint: 'Wait until tasks have ended, or raise the limit of the pool.'},
  body_timeout: {status: 408, retry: true, hint: 'Send the whole body sooner, or less of it at once.'},
  rate_limited: {status: 429, retry: true, hint: 'Wait for the time given in Retry-After.'},
  enrolment_invalid: {
    status: 401,
    retry: false,
    hint: 'Make a new enrolment token: it is good for one runner and ten minutes.',
  },
  runner_revoked: {status: 403, retry: false, hint: 'Enrol the machine again.'},
  runner_replaced: {status: 409, retry: false, hint: 'Another process uses the same runner key: stop one of them.'},
  protocol_unsupported: {status: 426, retry: false, hint: 'Update the runner: its protocol version is too old.'},
  bad_envelope: {
    status: 401,
    retry: false,
    hint: 'The dispatch was not signed by a pinned key: enrol the runner again if the key was changed on purpose.',
  },
  policy_refused: {
    status: 403,
    retry: false,
    hint: 'The policy file of the runner does not allow it: change the file or send the task elsewhere.',
  },
  no_runner_matches: {
    status: 409,
    retry: true,
    hint: 'Enrol a runner that has the named label, or remove it from the task.',
  },
  repository_invalid: {status: 400, retry: false, hint: 'Give an https, ssh or file URL of a git repository.'},
  repository_unreachable: {
    status: 502,
    retry: true,
    hint: 'Check the URL, the network and the credentials of the runner.',
  },
  repository_unauthorized: {
    status: 403,
    retry: false,
    hint: 'Give the runner a credential that may read and push: switchyard keys git set <url>, or log in with your own git.',
  },
  base_not_found: {status: 404, retry: false, hint: 'Check the name of the base branch.'},
  branch_invalid: {status: 400, retry: false, hint: 'Use a name that git check-ref-format accepts.'},
  branch_conflict: {
    status: 409,
    retry: false,
    hint: 'Rename the named branch of the repository: attempts work on switchyard/<task>/e<n>, which git cannot keep below it.',
  },
  push_refused: {
    status: 403,
    retry: false,
    hint: 'Let switchyard/* be pushed in the rules of the repository, then run switchyard task retry: the work is kept on the runner.',
  },
  push_stale: {
    status: 409,
    retry: false,
    hint: 'Somebody else pushed to the branch of this attempt: the work is kept on the runner, and switchyard task retry works on a new branch.',
  },
  rebase_conflict: {
    status: 409,
    retry: false,
    hint: 'The base went on and both sides changed the same files: read which in the result, then give the task again on the newest base.',
  },
  git_failed: {status: 502, retry: true, hint: 'Read the detail: it holds what git printed.'},
  worktree_busy: {status: 409, retry: true, hint: 'Wait until the process that uses the worktree has ended.'},
  disk_full: {status: 507, retry: true, hint: 'Free space under the state directory, or run switchyard doctor.'},
  storage_full: {
    status: 507,
    retry: true,
    hint: 'Free space where the control plane keeps its data (switchyard doctor there says how much is left), then send the request again.',
  },
  state_corrupt: {
    status: 500,
    retry: false,
    hint: 'Restore the file that is named, or move it away: switchyard up, login and runner enrol make theirs anew.',
  },
  agent_not_found: {status: 409, retry: false, hint: 'Install the agent CLI: switchyard doctor shows how.'},
  agent_failed: {status: 502, retry: true, hint: 'Read the log of the task.'},
  agent_runaway: {
    status: 502,
    retry: true,
    hint: 'The agent ran in circles, fell silent or used more than its machine allows: read the detail and the log.',
  },
  agent_timeout: {status: 504, retry: false, hint: 'Give the task more time, or make it smaller.'},
  agent_no_change: {
    status: 422,
    retry: false,
    hint: 'The agent left no commit on the branch of its task: read its log.',
  },
  outcome_missing: {
    status: 422,
    retry: false,
    hint: 'The agent ended without the outcome of its role: read the end of its log, or submit the task with agent.prompt as_is.',
  },
  agent_escalated: {
    status: 422,
    retry: false,
    hint: 'The agent gave the task back to a person: read its reason, decide, and submit the task again with the decision in its prompt.',
  },
  deploy_failed: {
    status: 502,
    retry: false,
    hint: 'The deployer reports that the new version does not run: read its outcome, mend the fault and deploy again.',
  },
  model_refused: {
    status: 502,
    retry: false,
    hint: 'The model provider refused the request: check the key with switchyard keys check, and the name of the model.',
  },
  model_unavailable: {status: 503, retry: true, hint: 'The model provider did not answer: the task is tried again.'},
  budget_spent: {status: 402, retry: false, hint: 'Raise the budget, or override it until it starts again.'},
  usage_limited: {
    status: 429,
    retry: true,
    hint: 'The model provider takes no more requests for now: the task goes on by itself at the time it named.',
  },
  turn_limit: {status: 422, retry: false, hint: 'Raise agent.turns_max, or make the task smaller.'},
  checks_failed: {status: 422, retry: true, hint: 'Read the log: a declared check did not pass.'},
  executor_unavailable: {status: 503, retry: true, hint: 'Run switchyard doctor on the runner.'},
  lease_lost: {status: 409, retry: true, hint: 'The task is queued again by itself.'},
  log_incomplete: {status: 409, retry: true, hint: 'The rest of the log is sent again by itself.'},
  attempts_exhausted: {status: 409, retry: false, hint: 'Read the last failures, then run switchyard task retry.'},
  dependency_failed: {status: 409, retry: false, hint: 'A task that this one depends on did not succeed.'},
  deadline_passed: {status: 409, retry: false, hint: 'The task was still waiting at its deadline.'},
  port_taken: {status: 409, retry: false, hint: 'Stop the program that holds the port, or choose another with --port.'},
  port_timeout: {status: 504, retry: true, hint: 'Read the log of the service: it did not listen in time.'},
  not_running: {status: 409, retry: true, hint: 'Start it with npm start or switchyard up.'},
  already_running: {
    status: 409,
    retry: false,
    hint: 'It runs already: switchyard status shows it, or switchyard runner status.',
  },
  control_plane_unreachable: {
    status: 503,
    retry: true,
    hint: 'Check the URL and the network: switchyard doctor tries each part.',
  },
  charter_invalid: {
    status: 400,
    retry: false,
    hint: 'Correct what is named: switchyard charter lint shows every entry that is not understood.',
  },
  configuration_invalid: {status: 400, retry: false, hint: 'Correct the named setting.'},
  unavailable: {status: 503, retry: true, hint: 'Try again after the time given in Retry-After.'},
  internal: {status: 500, retry: true, hint: 'Try again; if it stays, report it with the request id.'},
} as const satisfies Record<string, {readonly status: number; readonly retry: boolean; readonly hint: string}>;

export type ErrorCode = keyof typeof errorCodes;

export function isErrorCode(text: string): text is ErrorCode {
  return Object.hasOwn(errorCodes, text);
}

/**
 * A promise of the outside world was broken, or input was refused. `detail` names the thing, the value and what was
 * expected, and never holds a secret: it is shown to people and sent over the wire.
 */
export class SwitchyardError extends Error {
  override readonly name = 'SwitchyardError';
  readonly code: ErrorCode;
  readonly detail: string;
  /** How long to wait before the same request may succeed, where the thrower knows it. */
  readonly retryAfterMs: number | undefined;

  constructor(code: ErrorCode, detail: string, options: {cause?: unknown; retryAfterMs?: number | undefined} = {}) {
    super(`${code}: ${detail}`, options.cause === undefined ? undefined : {cause: options.cause});
    this.code = code;
    this.detail = detail;
    this.retryAfterMs = options.retryAfterMs;
  }

  get status(): number {
    return errorCodes[this.code].status;
  }

  get hint(): string {
    return errorCodes[this.code].hint;
  }
}
