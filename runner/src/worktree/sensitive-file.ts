const sensitiveNames: readonly RegExp[] = [
  /^\.env(?:\..+|rc)?$/,
  /\.(?:pem|key|p12|pfx|jks|keystore|kdbx|ppk|p8|asc|gpg|ovpn|tfstate|tfstate\.backup|tfvars)$/,
  /^id_(?:rsa|dsa|ecdsa|ed25519)(?:_sk)?$/,
  /^(?:\.netrc|_netrc|\.pgpass|\.my\.cnf|\.npmrc|\.pypirc|\.dockercfg|\.htpasswd|\.git-credentials|\.s3cfg|\.boto|kubeconfig)$/,
  /^(?:.*[._-])?credentials?(?:\..*)?\.(?:json|ya?ml|toml|ini|xml|csv)$/,
  /^(?:.*[._-])?(?:client[._-]?secrets?|service[._-]?accounts?(?:[._-]?key)?|secrets?)(?:[._-].*)?\.(?:json|ya?ml|toml|ini)$/,
  /^(?:auth|token|tokens)\.json$/,
];

const sensitivePaths: readonly RegExp[] = [
  /(?:^|\/)\.(?:aws|azure|gcloud|ssh|gnupg|kube)\//,
  /(?:^|\/)\.docker\/config\.json$/,
  /(?:^|\/)\.claude\/\.credentials\.json$/,
  /(?:^|\/)\.codex\/auth\.json$/,
];

/** Files that only show what belongs there: they carry no secret and belong in a repository. */
const harmlessNames: readonly RegExp[] = [
  /^\.env(?:\..+)?\.(?:example|sample|template|dist|schema)$/,
  /^\.env\.(?:example|sample|template|dist)(?:\..+)?$/,
  /\.pub$/,
];

/**
 * Whether a file of this name usually holds a secret. Judged by its path in the repository alone, without regard to
 * case; separators are `/`.
 */
export function isSensitiveFile(path: string): boolean {
  const plain = path.toLowerCase();
  const name = plain.slice(plain.lastIndexOf('/') + 1);
  if (harmlessNames.some(pattern => pattern.test(name))) return false;
  return sensitiveNames.some(pattern => pattern.test(name)) || sensitivePaths.some(pattern => pattern.test(plain));
}
