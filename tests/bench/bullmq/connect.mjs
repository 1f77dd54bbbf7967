// Finds the packages that the bench installed: argv is DIRECTORY SOCKET QUEUE JOBS.
import { createRequire } from "node:module";

export const [, , directory, path, name, jobs] = process.argv;
const require = createRequire(`${directory}/`);
export const { Queue, Worker } = require("bullmq");
export const connection = { path, maxRetriesPerRequest: null };
