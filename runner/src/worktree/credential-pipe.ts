import type {Duplex} from 'node:stream';

/** What git wants a credential for; the path as the URL has it, without a leading slash. */
export type CredentialQuestion = {readonly protocol: string; readonly host: string; readonly path: string};
export type Credential = {readonly username: string; readonly password: string};
/** Asked anew by every git process that needs one. */
export type FindCredential = (question: CredentialQuestion) => Promise<Credential | undefined>;

/** Number of the pipe at which the helper of a git process asks. */
export const CREDENTIAL_FD = 3;
const QUESTION_CHARACTERS_MAX = 8_192;

/**
 * The value of `credential.helper`: hands the question of git over to the pipe, and the answer back. The pipe belongs to
 * one git process and those that it starts, so that a credential is in no argument, environment, file or socket. What
 * git would have stored or erased is none of its business.
 */
export const credentialHelper =
  `!f() { [ "$1" = get ] || exit 0; cat >&${CREDENTIAL_FD}; echo >&${CREDENTIAL_FD}; ` +
  `while IFS= read -r line <&${CREDENTIAL_FD} && [ -n "$line" ]; do printf '%s\\n' "$line"; done; }; f`;

/** Answers what comes over the pipe of one git process, until it ends. A question that cannot be answered has no answer. */
export function answerCredentials(pipe: Duplex, find: FindCredential): void {
  let asked = '';
  const answer = async (question: string): Promise<void> => {
    const found = await find(questionOf(question)).catch(() => undefined);
    if (!pipe.destroyed) pipe.write(found === undefined ? '\n' : textOf(found));
  };
  // The process may be gone before it has its answer.
  pipe.on('error', () => pipe.destroy());
  pipe.setEncoding('utf8').on('data', (text: string) => {
    asked += text;
    if (asked.length > QUESTION_CHARACTERS_MAX) pipe.destroy();
    for (let end = asked.indexOf('\n\n'); end >= 0; end = asked.indexOf('\n\n')) {
      void answer(asked.slice(0, end));
      asked = asked.slice(end + 2);
    }
  });
}

function questionOf(text: string): CredentialQuestion {
  const field = (name: string): string =>
    text
      .split('\n')
      .find(line => line.startsWith(`${name}=`))
      ?.slice(name.length + 1) ?? '';
  return {protocol: field('protocol'), host: field('host'), path: field('path')};
}

/** A line end inside would be read as the next field. */
function textOf({username, password}: Credential): string {
  return /[\n\0]/.test(username + password) ? '\n' : `username=${username}\npassword=${password}\n\n`;
}
