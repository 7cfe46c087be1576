"""A worker of the official SDK that answers every job with its input. Started by tools/bench/runpod.py."""

import sys

import runpod


def echo(job):
    return job["input"]


async def echo_async(job):
    return job["input"]


jobs_at_once = int(sys.argv[1])
# A synchronous handler would run the jobs one after the other.
handler = echo if jobs_at_once == 1 else echo_async
runpod.serverless.start({"handler": handler, "concurrency_modifier": lambda _: jobs_at_once})
