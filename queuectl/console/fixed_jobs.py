"""Jobs of the fixed deployment: pages of every state, one job in full, a sample of a queue."""

from __future__ import annotations

from dataclasses import replace

from queuectl.model import JobDetail, JobView, QueueSamples, QueueState, UsageError, WaitingSample

JOBS = tuple(
    JobView(f"forum-nov-{900_000 - number:06}", "forum", "queued", 0.2 * number + 0.1, int(number % 17 == 5),
            f"{'abcdefghij'[number % 10]}***@example.{('com', 'org', 'net')[number % 3]}  Your digest of 24 November")
    for number in range(400)
)  # fmt: skip

REASONS = (
    "550 5.1.1 mailbox unavailable: a…@example.com",
    "452 4.2.2 mailbox full, try again later",
    "550 5.1.1 mailbox unavailable: b…@example.com",
    "554 5.7.1 message refused: content looks like spam",
)
_WHY = {"failed": REASONS, "scheduled": (REASONS[1],), "held": ("behind forum-nov-900000",), "shed": ("stale",),
        "overflow": ("operator",)}  # fmt: skip
TEXT = "Hello Ada,\n\n14 new answers in your threads since yesterday.\n\nThe forum"


def page(queue: str, state: str, offset: int, limit: int) -> list[JobView]:
    """Four hundred waiting, twelve failed, a handful in every other state."""
    jobs = JOBS if state == "queued" else JOBS[: 12 if state == "failed" else 3]
    why = _WHY.get(state, ("",))
    tries = 6 if state == "failed" else 2 if state == "scheduled" else None
    return [
        replace(job, queue=queue, state=state, error=why[index % len(why)],
                attempts=job.attempts if tries is None else tries)
        for index, job in enumerate(jobs)
    ][offset : offset + limit]  # fmt: skip


def detail(job_id: str, state: str) -> JobDetail:
    """One of JOBS in full."""
    view = next((job for job in JOBS if job.job_id == job_id), None)
    if view is None:
        raise UsageError(f"there is no job {job_id!r} any more")
    fields = {"created_at": "2025-11-24T13:44:43Z", "origin": view.queue, "timeout": "180", "status": state}
    body = '{\n  "to": "a***@example.com",\n  "subject": "Your digest of 24 November",\n  "template": "digest"\n}'
    return JobDetail(replace(view, state=state), fields, body, "json", (), TEXT)


def samples(queue: QueueState) -> QueueSamples:
    """Five hundred of those that wait, most of them for one domain."""
    domains = ("example.com", "example.com", "example.org", "mail.example", "example.com", "example.net")
    taken = min(500, queue.depth)
    oldest_s = queue.oldest_s or 0.0
    waiting = tuple(
        WaitingSample(oldest_s * ((number * 37) % 500 / 500) ** 2, domains[number % 6]) for number in range(taken)
    )
    reasons = tuple(REASONS[number % 7 % 4] for number in range(min(200, queue.failed + queue.scheduled)))
    return QueueSamples(waiting, queue.depth, reasons, queue.failed + queue.scheduled, len(reasons))
