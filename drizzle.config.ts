import {defineConfig} from 'drizzle-kit';

/** `drizzle-kit generate` writes the next migration of the directory from its schema. */
export default defineConfig({dialect: 'sqlite', schema: './worker/src/db/schema.ts', out: './migrations/d1'});
