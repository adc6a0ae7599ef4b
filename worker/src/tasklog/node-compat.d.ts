/** The parts of workerd's Node compatibility that the log uses; its types come with a whole other platform. */
declare module 'node:crypto' {
  export type Hash = {
    readonly update: (bytes: Uint8Array) => Hash;
    readonly digest: (encoding: 'hex') => string;
  };
  export function createHash(algorithm: 'sha256'): Hash;
}

declare module 'node:zlib' {
  /** Throws when the bytes are no deflate stream, or grow beyond the limit; `gzip-member.ts` says what it answers. */
  export function inflateRawSync(bytes: Uint8Array, options: object): unknown;
  export function crc32(bytes: Uint8Array): number;
}
