// A worker of no-op jobs, 50 at once, which keeps no finished job; runs until it is killed.
import { Worker, connection, name } from "./connect.mjs";

new Worker(name, async () => {}, { connection, concurrency: 50, removeOnComplete: { count: 0 } });
