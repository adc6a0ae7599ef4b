/** What one of these runners does wrong, and every scenario that then fails; recorded conversations apart, which hold a bit of everything. */
export const wrongs = {
  nothing: [],
  'sign-another-nonce': ['hello-proves-the-key'],
  'token-for-another-host': ['hello-proves-the-key'],
  'leave-at-unknown': ['unknown-is-ignored'],
  'fight-back': ['replaced-does-not-fight'],
  'ignore-revocation': ['revoked-stops'],
  'ignore-version': ['too-old-stops'],
  'kill-on-silence': ['connects-again', 'silent-server-is-left', 'deadline-without-network'],
  'start-on-offer': [
    'offer-starts-nothing',
    'old-go-is-too-late',
    'foreign-echo-is-refused',
    'log-is-whole',
    'restart-before-go-starts-nothing',
  ],
  'start-on-every-go': ['offer-starts-nothing'],
  'go-without-accept': ['unknown-go-is-ignored'],
  'take-any-signature': ['bad-signature-is-refused'],
  'take-what-expired': ['expired-is-refused'],
  'take-what-is-for-others': ['other-runner-is-refused'],
  'believe-the-offer': ['other-attempt-is-refused'],
  'ignore-unknown-claims': ['unknown-claim-is-refused'],
  'believe-the-spec': ['other-spec-is-refused'],
  'begin-again': ['spent-epoch-is-refused'],
  'take-more': ['credit-is-kept'],
  'count-from-receipt': ['old-go-is-too-late'],
  'believe-the-echo': ['foreign-echo-is-refused'],
  'name-nothing': ['renew-names-everything'],
  'own-cadence': ['cadence-comes-from-welcome'],
  'no-deadline': [
    'cancel-ends',
    'deadline-without-renewal',
    'deadline-when-not-named',
    'deadline-without-network',
    'deadline-without-runner',
  ],
  'extend-everything': ['deadline-when-not-named'],
  'never-extend': ['renewed-lives-on'],
  'no-switch': ['deadline-without-runner'],
  'ignore-gone': ['gone-kills'],
  'kill-politely': ['gone-kills', 'revoked-stops', 'verdict-kill-kills'],
  'no-ticket': ['log-is-whole'],
  'skip-a-byte': ['log-is-whole', 'log-window-is-kept'],
  'ignore-window': ['log-window-is-kept'],
  'ignore-nack': ['log-nack-goes-back'],
  'obey-old-ack': ['log-old-ack-is-harmless'],
  'resume-where-it-stopped': ['log-resumes'],
  'report-before-the-seal': ['exit-follows-the-seal'],
  'always-succeed': ['exit-code-is-told'],
  'report-once': ['exit-is-sent-again', 'exit-nack-is-answered', 'verdict-send-exit-sends'],
  'ignore-verdicts': ['verdict-kill-kills', 'verdict-forget-forgets'],
  'ignore-cancel': ['cancel-ends'],
  'ignore-drain': ['drain-takes-nothing'],
  'ignore-input': ['input-is-acknowledged'],
  'forget-attempts': ['restart-keeps-the-attempt', 'restart-reports-the-end'],
  'start-again': ['restart-keeps-the-attempt', 'restart-reports-the-end'],
  'forget-epochs': ['restart-remembers-epochs'],
} as const satisfies Record<string, readonly string[]>;

export type Wrong = keyof typeof wrongs;

export const isWrong = (word: string): word is Wrong => Object.hasOwn(wrongs, word);

/** Each fault with the scenarios that see it. */
export function wrongFaults(): readonly {readonly wrong: Wrong; readonly fails: readonly string[]}[] {
  return Object.entries(wrongs).flatMap(([wrong, fails]) =>
    isWrong(wrong) && fails.length > 0 ? [{wrong, fails}] : [],
  );
}
