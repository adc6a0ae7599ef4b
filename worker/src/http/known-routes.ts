import type {Hono} from 'hono';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';

export type KnownRoute = {readonly method: string; readonly pattern: RegExp};

/** What the application answers, read from its router, so that no second list can disagree with it. */
export function knownRoutes(app: Hono): readonly KnownRoute[] {
  return app.routes.map(({method, path}) => ({
    method: method.toUpperCase(),
    pattern: new RegExp(`^${path.replaceAll(/:[A-Za-z_]+/g, '[^/]+')}$`),
  }));
}

/** The first segments of the paths that the application answers: below them there are no pages. */
export function apiRoots(app: Hono): ReadonlySet<string> {
  return new Set(app.routes.map(({path}) => rootOf(path)));
}

export function rootOf(path: string): string {
  return path.split('/', 2)[1] ?? '';
}

/** The methods that a path answers; empty for a path that does not exist. */
export function allowedMethods(routes: readonly KnownRoute[], path: string): readonly string[] {
  const methods = new Set(routes.filter(({pattern}) => pattern.test(path)).map(({method}) => method));
  if (methods.has('GET')) methods.add('HEAD');
  return [...methods].toSorted();
}

/** A path that exists, asked with a method that it does not answer; the answer names those that it does (RFC 9110). */
export class MethodNotAllowedError extends SwitchyardError {
  readonly allowed: readonly string[];

  constructor(method: string, allowed: readonly string[]) {
    super('method_not_allowed', `${method.slice(0, 20)} is not one of ${allowed.join(', ')}`);
    this.allowed = allowed;
  }
}
