/** The parts of workerd's Node compatibility that the log uses; its types come with a whole other platform. */
declare module 'node:crypto' {
  export type Hash = {
    readonly update: (bytes: Uint8Array) => Hash;
    readonly digest: (encoding: 'hex') => string;
  };
  export function createHash(algorithm: 'sha256'): Hash;
}

declare module 'node:zlib' {
  /** Throws when the bytes are no gzip, or grow beyond the limit. */
  export function gunzipSync(bytes: Uint8Array, options: {readonly maxOutputLength: number}): Uint8Array;
}
