// addBulk from one process; prints jobs and seconds as JSON.
import { Queue, connection, jobs, name } from "./connect.mjs";

const BATCH = 500;

function payload(number) {
  const code = String(number).padStart(6, "0");
  return {
    to: `person${number}@mail.example`,
    subject: `Your sign-in code is ${code}`,
    text: `Hello person ${number},\n\nyour sign-in code is ${code}. It is valid for ten minutes.\n` +
      "If you did not ask for it, you need do nothing; nobody can use it without your password.\n\nKind regards,\nyour shop\n",
  };
}

function bulk(start, end) {
  const added = [];
  for (let number = start; number < end; number++) added.push({ name: "mail", data: payload(number) });
  return added;
}

const warmUp = new Queue("warm-up", { connection });
await warmUp.addBulk(bulk(0, 100));
const queue = new Queue(name, { connection });
await queue.waitUntilReady();
const total = Number(jobs);
const start = performance.now();
for (let number = 0; number < total; number += BATCH) await queue.addBulk(bulk(number, Math.min(total, number + BATCH)));
console.log(JSON.stringify({ jobs: total, seconds: (performance.now() - start) / 1000 }));
process.exit(0);
