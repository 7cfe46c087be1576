#!/usr/bin/env python3
"""A simulator of the RunPod Serverless control plane.

It plays the *server* side of the worker protocol (job-take, job-take-batch, job-stop, job-done,
job-stream, ping) for one or several workers, and a useful part of the public client API (/run,
/runsync, /status, /stream, /cancel, /retry, /purge-queue, /health) on the same port, so that a
worker can be tested end to end without the platform. One file that runs alone; needs only aiohttp.

  python runpod_sim.py --jobs jobs.json --transcript t.jsonl                  # you start the worker
  python runpod_sim.py --gen 200 --spawn './my-worker' --timeout 60           # it starts the worker
  python runpod_sim.py --gen 5 --fault take:429:2 --fault done:500:1 --fault done:lostack:1 ...

jobs.json: a list of jobs (or {"jobs": [...]}). Every key goes to the worker as is, except the
control keys, which start with "_":
  _at: S          offered only S seconds after the start
  _at_term: S     offered only S seconds after SIGTERM was sent (needs --spawn and --term-*)
  _stop_after: S  a stop signal is sent on the job-stop channel S seconds after the job was taken
  _dup: N         the job is offered N more times (duplicate delivery)

--fault KIND:ACTION[:HOW_OFTEN], may be repeated; the first matching fault is used, in given order.
  KIND       take (job-take and job-take-batch) | stop | done | stream | ping
  HOW_OFTEN  N = the next N requests (default 1), pX = with probability X, all = always
  ACTION     429, 500, ...  answer with that HTTP status, nothing is recorded
             drop           abort the connection at once, nothing is recorded
             lostack        (done, stream) record the result, then abort: the acknowledgement is lost
             lostoffer      (take) assign the job, then abort: the worker never sees it
             slow=S         wait S seconds first, then carry on (also with the next fault)
             hang           never answer
             dup            (take) offer the same job(s) once more afterwards
             notjson html empty null noid noinput listnoid listnull emptylist extra
                            (take) answer 200 with that malformed body ("extra": more jobs than asked)

Without --spawn the environment for each worker is printed as shell lines ("export K=V"). At the end one
JSON object (the summary) is printed on stdout, and written to --summary if given. Exit status: 0 if
every job was resolved, 1 if not.
"""

import argparse
import asyncio
import collections
import contextlib
import json
import os
import random
import shlex
import signal
import sys
import time
import uuid
from pathlib import Path

import aiohttp
from aiohttp import web

HEADERS = (
    "authorization",
    "content-type",
    "content-length",
    "transfer-encoding",
    "content-encoding",
    "charset",
    "user-agent",
    "accept",
    "accept-encoding",
    "connection",
    "x-request-id",
    "host",
    "expect",
)
MALFORMED = {
    "notjson": ("application/json", b"{oops"),
    "html": ("text/html", b"<html>gateway</html>"),
    "empty": ("application/json", b""),
    "null": ("application/json", b"null"),
    "noid": ("application/json", b'{"input": {}}'),
    "noinput": ("application/json", b'{"id": "bad-noinput"}'),
    "listnoid": ("application/json", b'[{"input": {}}]'),
    "listnull": ("application/json", b"[null]"),
    "emptylist": ("application/json", b"[]"),
}
FINAL = ("COMPLETED", "FAILED", "CANCELLED", "TIMED_OUT")


class Fault:
    def __init__(self, text):
        parts = text.split(":")
        self.kind, action = parts[0], parts[1]
        self.action, _, self.arg = action.partition("=")
        often = parts[2] if len(parts) > 2 else "1"
        self.prob = float(often[1:]) if often.startswith("p") else None
        self.left = float("inf") if often == "all" else (0 if self.prob is not None else int(often))

    def fires(self, kind, chance):
        if kind != self.kind:
            return False
        if self.prob is not None:
            return chance.random() < self.prob
        if self.left > 0:
            self.left -= 1
            return True
        return False


class Job:
    def __init__(self, spec, now):
        self.ctl = {k: v for k, v in spec.items() if k.startswith("_")}
        self.wire = {k: v for k, v in spec.items() if not k.startswith("_")}
        self.wire.setdefault("id", str(uuid.uuid4()))
        self.wire.setdefault("input", {})
        self.id = self.wire["id"]
        self.status = "IN_QUEUE"
        self.created = now
        self.offers = []  # [(time, worker)]
        self.results = []  # [(time, worker, body)] terminal job-done posts
        self.progress = []  # [(time, output)] job-done posts with status IN_PROGRESS
        self.late_progress = 0  # ... that came after the final result
        self.stream = []  # [(time, output)] job-stream posts
        self.stream_read = 0
        self.retries = 0
        self.done_at = None
        self.output = self.error = None
        self.stop_sent = False
        self.changed = asyncio.Event()


class Sim:
    def __init__(self, options):
        self.options = options
        self.random = random.Random(options.seed)
        self.t0 = time.monotonic()
        self.jobs = {}  # id -> Job
        self.queue = collections.deque()  # Job, ready to be offered
        self.ready = asyncio.Condition()
        self.stops = collections.defaultdict(list)  # worker -> job ids to stop
        self.stop_ready = asyncio.Condition()
        self.faults = [Fault(text) for text in options.fault]
        self.log = Path(options.transcript).open("w", buffering=1) if options.transcript else None  # noqa: SIM115
        self.seq = 0
        self.count = collections.Counter()
        self.status_count = collections.Counter()
        self.fault_count = collections.Counter()
        self.conns = {}
        self.workers = {}  # worker id -> dict of observations
        self.procs = []  # (worker id, Popen-like, dict)
        self.term_at = None
        self.over = asyncio.Event()
        self.tasks = set()
        self.unknown_results = 0

    def now(self):
        return time.monotonic() - self.t0

    def worker(self, wid):
        return self.workers.setdefault(
            wid,
            {
                "takes": 0,
                "first_take_s": None,
                "first_ping_s": None,
                "pings": 0,
                "ping_versions": [],
                "ping_job_ids": [],
                "stop_pod": 0,
                "unhealthy": None,
            },
        )

    # ------------------------------------------------------------------ transcript
    async def record(self, request, kind, worker, status, t_in, body=None, nbytes=0, fault=None, reply=None, job=None):
        self.count[kind] += 1
        self.status_count[f"{kind}:{status}"] += 1
        if fault:
            self.fault_count[f"{kind}:{fault}"] += 1
        if not self.log:
            return
        self.seq += 1
        conn = self.conns.setdefault(id(request.transport) if request.transport else None, len(self.conns) + 1)
        row = {
            "seq": self.seq,
            "t": round(t_in, 4),
            "held_s": round(self.now() - t_in, 4),
            "worker": worker,
            "kind": kind,
            "method": request.method,
            "path": request.raw_path.split("?", 1)[0],
            "query": request.raw_path.partition("?")[2],
            "http": f"{request.version.major}.{request.version.minor}",
            "headers": {k: request.headers[k] for k in HEADERS if k in request.headers},
            "conn": conn,
        }
        if body is not None:
            row["body_bytes"] = nbytes
            row["body"] = body if nbytes <= self.options.max_logged_body else f"<{nbytes} bytes>"
        row["status"] = status
        if job is not None:
            row["job"] = job
        if fault:
            row["fault"] = fault
        if reply is not None:
            row["reply"] = reply
        try:
            line = json.dumps(row, ensure_ascii=False, allow_nan=False)
        except ValueError:  # Python workers can post NaN, which is not JSON: keep it as text
            line = json.dumps({**row, "body": json.dumps(body)}, ensure_ascii=False)
        self.log.write(line + "\n")

    async def faulty(self, kind):
        """Returns the action to apply ('' if none), having waited out 'slow' and 'hang'."""
        for f in self.faults:
            if f.fires(kind, self.random):
                if f.action == "slow":
                    self.fault_count[f"{kind}:slow"] += 1
                    await asyncio.sleep(float(f.arg))
                    continue
                if f.action == "hang":
                    self.fault_count[f"{kind}:hang"] += 1
                    await asyncio.sleep(1e6)
                return f.action
        return ""

    @staticmethod
    def abort(request):
        if request.transport:
            request.transport.abort()
        return web.Response(status=499)

    # ------------------------------------------------------------------ worker API
    async def take(self, request):
        t_in, wid = self.now(), request.match_info["worker"]
        kind = "job-take-batch" if "job-take-batch" in request.path else "job-take"
        batch = kind == "job-take-batch"
        want = int(request.query.get("batch_size", "1")) if batch else 1
        w = self.worker(wid)
        w["takes"] += 1
        if w["first_take_s"] is None:
            w["first_take_s"] = round(t_in, 4)
            for p in self.procs:
                if p["worker"] == wid:
                    p["start_to_first_take_s"] = round(t_in - p["spawned_s"], 4)
                    p["rss_at_first_take"] = rss(p["proc"].pid)
        if self.options.api_key and request.headers.get("Authorization") != self.options.api_key:
            await self.record(request, kind, wid, 401, t_in)
            return web.Response(status=401)
        act = await self.faulty("take")
        if act.isdigit():
            await self.record(request, kind, wid, int(act), t_in, fault=act)
            return web.Response(status=int(act), text="simulated")
        if act == "drop":
            await self.record(request, kind, wid, "drop", t_in, fault=act)
            return self.abort(request)
        if act in MALFORMED:
            ctype, raw = MALFORMED[act]
            await self.record(request, kind, wid, 200, t_in, fault=act, reply=raw.decode())
            return web.Response(status=200, body=raw, headers={"Content-Type": ctype})
        jobs = await self.next_jobs(want + (3 if act == "extra" else 0), request)
        if not jobs:
            await self.record(request, kind, wid, 204, t_in)
            return web.Response(status=204)
        for j in jobs:
            j.status = "IN_PROGRESS"
            j.offers.append((self.now(), wid))
            for _ in range(j.ctl.pop("_dup", 0)):
                self.queue.append(j)
            if act == "dup":
                self.queue.append(j)
            if "_stop_after" in j.ctl:
                self.later(j.ctl["_stop_after"], self.stop_job, j)
        wire = [self.dress(j) for j in jobs]
        payload = wire if batch or act == "extra" else wire[0]
        await self.record(
            request, kind, wid, "drop" if act == "lostoffer" else 200, t_in, fault=act or None, job=[j.id for j in jobs]
        )
        if act == "lostoffer":
            return self.abort(request)
        return web.json_response(payload)

    def dress(self, j):
        """The job as sent. --rich adds the fields RunPod's own Go test server puts beside id and input."""
        if not self.options.rich:
            return j.wire
        return {
            "delayTime": int((self.now() - j.created) * 1000),
            "error": "",
            "executionTime": 0,
            "retries": j.retries,
            "status": 200,
            **j.wire,
        }

    async def next_jobs(self, want, request):
        """Waits up to --hold seconds for jobs (long poll); [] when none came or the worker went away."""
        deadline = time.monotonic() + self.options.hold
        async with self.ready:
            while True:
                out = []
                while self.queue and len(out) < want:
                    j = self.queue.popleft()
                    if j.status not in FINAL or j.offers:  # duplicates of finished jobs are still offered
                        out.append(j)
                if out:
                    if request.transport is None or request.transport.is_closing():
                        self.queue.extendleft(reversed(out))
                        self.ready.notify()
                        return []
                    return out
                left = deadline - time.monotonic()
                if left <= 0:
                    return []
                try:
                    await asyncio.wait_for(self.ready.wait(), left)
                except TimeoutError:
                    return []

    async def stop(self, request):
        t_in, wid = self.now(), request.match_info["worker"]
        act = self.options.stop_status or await self.faulty("stop")
        if act.isdigit():
            await self.record(request, "job-stop", wid, int(act), t_in, fault=act)
            return web.Response(status=int(act))
        if act == "drop":
            await self.record(request, "job-stop", wid, "drop", t_in, fault=act)
            return self.abort(request)
        async with self.stop_ready:
            if not self.stops[wid]:
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(self.stop_ready.wait_for(lambda: self.stops[wid]), self.options.hold)
            ids, self.stops[wid] = self.stops[wid], []
        if not ids:
            await self.record(request, "job-stop", wid, 204, t_in)
            return web.Response(status=204)
        await self.record(request, "job-stop", wid, 200, t_in, reply={"jobsToStop": ids})
        return web.json_response({"jobsToStop": ids})

    async def done(self, request):
        t_in, wid, jid = self.now(), request.match_info["worker"], request.match_info["job"]
        act = await self.faulty("done")
        if act == "drop":
            await self.record(request, "job-done", wid, "drop", t_in, fault=act, job=jid)
            return self.abort(request)
        body, n, bad = await read_json(request)
        if act.isdigit():
            await self.record(request, "job-done", wid, int(act), t_in, body, n, fault=act, job=jid)
            return web.Response(status=int(act), text="simulated")
        if bad or (self.options.max_result_mb and n > self.options.max_result_mb * 1e6):
            await self.record(request, "job-done", wid, 400, t_in, body, n, job=jid)
            return web.Response(status=400, text="bad or oversize body")
        j = self.jobs.get(jid)
        if j is None:
            self.unknown_results += 1
        elif body.get("status") == "IN_PROGRESS":
            j.progress.append((t_in, body.get("output")))
            if j.status in FINAL:
                j.late_progress += 1
        else:
            j.results.append((t_in, wid, body))
            if j.status not in FINAL:
                j.error, j.output, j.done_at = body.get("error"), body.get("output"), t_in
                j.status = "FAILED" if j.error else "COMPLETED"
            if body.get("stopPod"):
                self.worker(wid)["stop_pod"] += 1
                if self.options.honor_stop_pod:
                    self.signal_worker(wid, signal.SIGTERM)
            if j.wire.get("webhook"):
                self.spawn_task(self.webhook(j))
            j.changed.set()
            self.check_over()
        await self.record(
            request, "job-done", wid, "drop" if act == "lostack" else 200, t_in, body, n, fault=act or None, job=jid
        )
        return self.abort(request) if act == "lostack" else web.json_response({"status": "ok"})

    async def stream_in(self, request):
        t_in, wid, jid = self.now(), request.match_info["worker"], request.match_info["job"]
        act = await self.faulty("stream")
        if act == "drop":
            await self.record(request, "job-stream", wid, "drop", t_in, fault=act, job=jid)
            return self.abort(request)
        body, n, bad = await read_json(request)
        status = int(act) if act.isdigit() else (400 if bad or n > 1.5e6 else 200)
        if status == 200 and jid in self.jobs:
            self.jobs[jid].stream.append((t_in, body.get("output")))
        await self.record(
            request,
            "job-stream",
            wid,
            "drop" if act == "lostack" else status,
            t_in,
            body,
            n,
            fault=act or None,
            job=jid,
        )
        return self.abort(request) if act == "lostack" else web.Response(status=status, text="{}")

    async def ping(self, request):
        t_in, wid = self.now(), request.match_info["worker"]
        w = self.worker(wid)
        w["pings"] += 1
        w["last_ping_s"] = round(t_in, 3)
        if w["first_ping_s"] is None:
            w["first_ping_s"] = round(t_in, 4)
        if request.query.get("status") == "unhealthy":
            w["unhealthy"] = dict(request.query)
        v = request.query.get("runpod_version")
        if v not in w["ping_versions"]:
            w["ping_versions"].append(v)
        if len(w["ping_job_ids"]) < 50:
            w["ping_job_ids"].append(request.query.get("job_id"))
        for jid in (request.query.get("job_id") or "").split(","):
            if jid in self.jobs and self.jobs[jid].offers:
                self.jobs[jid].last_seen = t_in
        act = await self.faulty("ping")
        if act == "drop":
            await self.record(request, "ping", wid, "drop", t_in, fault=act)
            return self.abort(request)
        status = int(act) if act.isdigit() else 200
        await self.record(request, "ping", wid, status, t_in, fault=act or None)
        return web.Response(status=status, text="{}")

    async def other(self, request):
        body = (await request.read()).decode("utf-8", "replace")
        await self.record(request, "other", "", 404, self.now(), body, len(body))
        return web.Response(status=404)

    # ------------------------------------------------------------------ client API
    def view(self, j):
        d = {"id": j.id, "status": j.status}
        if j.offers:
            d["delayTime"] = int((j.offers[0][0] - j.created) * 1000)
            d["workerId"] = j.offers[-1][1]
        if j.done_at and j.offers:
            d["executionTime"] = int((j.done_at - j.offers[-1][0]) * 1000)
        if j.output is not None:
            d["output"] = j.output
        elif j.progress and j.status == "IN_PROGRESS":
            d["output"] = j.progress[-1][1]
        if j.error is not None:
            d["error"] = j.error
        return d

    async def client_run(self, request):
        sync, raw = request.path.endswith("runsync"), await request.read()
        try:
            spec = json.loads(raw)
        except ValueError:
            spec = None
        if not isinstance(spec, dict) or "input" not in spec or len(raw) > (20e6 if sync else 10e6):
            return web.json_response({"error": "bad request"}, status=400)
        spec["id"] = ("sync-" if sync else "") + str(uuid.uuid4())
        j = await self.add_job(spec)
        if sync:
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(
                    j.changed.wait(), min(max(int(request.query.get("wait", "90000")), 1000), 300000) / 1000
                )
        return web.json_response(self.view(j))

    async def client_job(self, request):
        op, j = request.match_info["op"], self.jobs.get(request.match_info["job"])
        if j is None:
            return web.json_response({"error": "request does not exist"}, status=404)
        if op == "stream":
            for _ in range(100):
                if len(j.stream) > j.stream_read or j.status in FINAL:
                    break
                await asyncio.sleep(0.1)
            part, j.stream_read = j.stream[j.stream_read :], len(j.stream)
            return web.json_response({"status": j.status, "stream": [{"output": o} for _, o in part]})
        if op == "cancel" and j.status not in FINAL:
            await self.stop_job(j)
        if op == "retry" and j.status in ("FAILED", "TIMED_OUT"):
            j.status, j.output, j.error, j.done_at, j.retries = "IN_QUEUE", None, None, None, j.retries + 1
            await self.enqueue(j)
        return web.json_response(self.view(j))

    async def client_purge(self, request):
        n = len(self.queue)
        for j in self.queue:
            j.status = "CANCELLED"
        self.queue.clear()
        self.check_over()
        return web.json_response({"removed": n, "status": "completed"})

    async def client_health(self, request):
        c = collections.Counter(j.status for j in self.jobs.values())
        busy = {j.offers[-1][1] for j in self.jobs.values() if j.status == "IN_PROGRESS" and j.offers}
        return web.json_response(
            {
                "jobs": {
                    "completed": c["COMPLETED"],
                    "failed": c["FAILED"],
                    "inProgress": c["IN_PROGRESS"],
                    "inQueue": c["IN_QUEUE"],
                    "retried": sum(j.retries for j in self.jobs.values()),
                },
                "workers": {"idle": len(set(self.workers) - busy), "running": len(busy)},
            }
        )

    async def webhook(self, j):
        async with aiohttp.ClientSession() as s:
            for _attempt in range(3):
                try:
                    async with s.post(j.wire["webhook"], json=self.view(j), timeout=aiohttp.ClientTimeout(10)) as r:
                        if r.status == 200:
                            return
                except (TimeoutError, aiohttp.ClientError):
                    pass
                await asyncio.sleep(10)

    # ------------------------------------------------------------------ jobs
    def later(self, delay, action, j):
        async def wait():
            await asyncio.sleep(delay)
            await action(j)

        self.spawn_task(wait())

    def spawn_task(self, coro):
        def done(task):
            self.tasks.discard(task)
            if not task.cancelled() and task.exception():
                print("sim error:", task.exception(), file=sys.stderr)

        task = asyncio.ensure_future(coro)
        self.tasks.add(task)
        task.add_done_callback(done)

    async def add_job(self, spec):
        j = Job(spec, self.now())
        self.jobs[j.id] = j
        if "_at_term" in j.ctl:
            return j
        if "_at" in j.ctl:
            self.later(j.ctl["_at"], self.enqueue, j)
        else:
            await self.enqueue(j)
        return j

    async def enqueue(self, j):
        j.created = self.now()
        async with self.ready:
            self.queue.append(j)
            self.ready.notify_all()

    async def stop_job(self, j):
        if j.status in FINAL:
            return
        j.status, j.stop_sent, j.stopped_at = "CANCELLED", True, self.now()
        j.changed.set()
        if j.offers:
            async with self.stop_ready:
                self.stops[j.offers[-1][1]].append(j.id)
                self.stop_ready.notify_all()
        self.check_over()

    def check_over(self):
        if (
            not self.options.serve
            and self.jobs
            and all(j.status in FINAL for j in self.jobs.values())
            and not self.queue
        ):
            self.over.set()

    async def requeuer(self):
        """Gives a job to somebody else when neither a result nor a ping naming it came for --requeue-after."""
        while self.options.requeue_after:
            await asyncio.sleep(0.5)
            for j in self.jobs.values():
                seen = max([t for t, _ in j.offers] + [getattr(j, "last_seen", 0)], default=0)
                if j.status == "IN_PROGRESS" and j.offers and self.now() - seen > self.options.requeue_after:
                    j.status, j.retries = "IN_QUEUE", j.retries + 1
                    await self.enqueue(j)

    # ------------------------------------------------------------------ spawned workers
    async def spawn(self, wid, env):
        proc = await asyncio.create_subprocess_exec(
            *shlex.split(self.options.spawn),
            env={**os.environ, **env},
            cwd=self.options.cwd or None,
            stdout=Path(f"{self.options.worker_log}.{wid}.out").open("wb")  # noqa: SIM115
            if self.options.worker_log
            else asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
        p = {
            "worker": wid,
            "proc": proc,
            "spawned_s": self.now(),
            "rss_max": 0,
            "rss_tree_max": 0,
            "pss_tree_max": 0,
            "processes_max": 0,
        }
        self.procs.append(p)
        self.spawn_task(self.watch(p))

    async def watch(self, p):
        pid = p["proc"].pid
        waiter = asyncio.ensure_future(p["proc"].wait())
        while not waiter.done():
            p["rss_max"] = max(p["rss_max"], rss(pid))
            p["rss_tree_max"] = max(p["rss_tree_max"], sum(rss(c) for c in tree(pid)))
            p["pss_tree_max"] = max(p["pss_tree_max"], sum(pss(c) for c in tree(pid)))
            p["processes_max"] = max(p["processes_max"], len(tree(pid)))
            p["cpu_s"] = cpu(pid) or p.get("cpu_s")
            await asyncio.wait([waiter], timeout=0.5)
        p["exit_code"], p["exited_s"] = p["proc"].returncode, round(self.now(), 3)

    def signal_worker(self, wid, sig):
        for p in self.procs:
            if wid in (None, p["worker"]) and p["proc"].returncode is None:
                p.setdefault("signals", []).append([signal.Signals(sig).name, round(self.now(), 3)])
                p["proc"].send_signal(sig)

    async def signals(self):
        """--term-after, --kill-after: counted from the first take, or from the start with --term-from-start."""
        if self.options.term_after is None and self.options.kill_after is None:
            return
        while not self.options.term_from_start and not any(j.offers for j in self.jobs.values()):
            await asyncio.sleep(0.02)
        for delay, sig in ((self.options.term_after, signal.SIGTERM), (self.options.kill_after, signal.SIGKILL)):
            if delay is not None:
                await asyncio.sleep(delay)
                self.term_at = self.now()
                self.signal_worker(None, sig)
                for j in self.jobs.values():
                    if "_at_term" in j.ctl:
                        self.later(j.ctl["_at_term"], self.enqueue, j)

    # ------------------------------------------------------------------ the end
    async def ended(self):
        """Waits for the end and says what it was."""

        async def all_exited():
            while not (self.procs and all("exit_code" in p for p in self.procs)):
                await asyncio.sleep(0.1)
            await asyncio.sleep(0.3)

        ends = {asyncio.ensure_future(self.over.wait()): "all jobs resolved"}
        if self.options.spawn:
            ends[asyncio.ensure_future(all_exited())] = "worker exited"
        finished, pending = await asyncio.wait(ends, timeout=self.options.timeout, return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        return ends[finished.pop()] if finished else "timeout"

    async def wait_for_exits(self):
        """Measures a shutdown that was asked for, or else asks for it now."""
        if not (self.options.spawn and self.options.wait_exit):
            return
        if not any("signals" in p for p in self.procs):
            self.signal_worker(None, signal.SIGTERM)
        end = time.monotonic() + self.options.wait_exit
        while time.monotonic() < end and not all("exit_code" in p for p in self.procs):
            await asyncio.sleep(0.05)

    async def end_workers(self):
        """Each spawned worker leads its own process group; children may outlive it."""
        for p in self.procs:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(p["proc"].pid, signal.SIGKILL)
            await p["proc"].wait()
        for task in self.tasks:
            task.cancel()

    # ------------------------------------------------------------------ summary
    def summary(self, reason):
        jobs = list(self.jobs.values())
        lat = sorted(j.results[0][0] - j.offers[0][0] for j in jobs if j.results and j.offers)
        first = min((j.offers[0][0] for j in jobs if j.offers), default=None)
        last = max((j.results[-1][0] for j in jobs if j.results), default=None)
        procs = [{k: v for k, v in p.items() if k != "proc"} for p in self.procs]
        return {
            "ended_because": reason,
            "seconds": round(self.now(), 3),
            "jobs": len(jobs),
            "completed": sum(j.status == "COMPLETED" for j in jobs),
            "failed": sum(j.status == "FAILED" for j in jobs),
            "cancelled": sum(j.status == "CANCELLED" for j in jobs),
            "lost": [j.id for j in jobs if j.offers and j.status not in FINAL][:50],
            "never_taken": sum(not j.offers for j in jobs),
            "offered_more_than_once": sum(len(j.offers) > 1 for j in jobs),
            "duplicate_results": sum(max(0, len(j.results) - 1) for j in jobs),
            "results_after_cancel": [j.id for j in jobs if j.stop_sent and j.results][:50],
            "results_for_unknown_jobs": self.unknown_results,
            "progress_posts": sum(len(j.progress) for j in jobs),
            "progress_after_result": sum(j.late_progress for j in jobs),
            "stream_posts": sum(len(j.stream) for j in jobs),
            "latency_offer_to_result_ms": {k: round(v * 1000, 2) for k, v in quantiles(lat).items()},
            "jobs_per_s": round(len(lat) / (last - first), 2) if len(lat) > 1 and last > first else None,
            "requests": dict(self.count),
            "statuses": dict(self.status_count),
            "faults_used": dict(self.fault_count),
            "pings": self.count["ping"],
            "workers": self.workers,
            "processes": procs,
        }


def quantiles(xs):
    if not xs:
        return {}

    def pick(q):
        return xs[min(len(xs) - 1, int(q * len(xs)))]

    return {
        "min": xs[0],
        "p50": pick(0.5),
        "p90": pick(0.9),
        "p99": pick(0.99),
        "max": xs[-1],
        "mean": sum(xs) / len(xs),
    }


async def read_json(request):
    raw = await request.read()
    try:
        body = json.loads(raw)
        return body, len(raw), not isinstance(body, dict)
    except ValueError:
        return raw.decode("utf-8", "replace"), len(raw), True


def rss(pid):
    try:
        with Path(f"/proc/{pid}/statm").open() as f:
            return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def pss(pid):
    try:
        with Path(f"/proc/{pid}/smaps_rollup").open() as f:
            return sum(int(x.split()[1]) for x in f if x.startswith("Pss:")) * 1024
    except OSError:
        return 0


def cpu(pid):
    try:
        with Path(f"/proc/{pid}/stat").open() as f:
            s = f.read().rpartition(")")[2].split()
        return round((int(s[11]) + int(s[12])) / os.sysconf("SC_CLK_TCK"), 2)
    except OSError:
        return None


def tree(pid):
    out = [pid]
    try:
        with Path(f"/proc/{pid}/task/{pid}/children").open() as f:
            for c in f.read().split():
                out += tree(int(c))
    except OSError:
        pass
    return out


def worker_environment(options, wid):
    base, gpu = f"http://{options.host}:{options.port}/v2/{options.endpoint}", "gpu=NVIDIA+GeForce+RTX+4090"
    environment = {
        "RUNPOD_POD_ID": wid,
        "RUNPOD_POD_HOSTNAME": f"{wid}-64410a3b",
        "RUNPOD_AI_API_KEY": options.api_key or "sim-key",
        "RUNPOD_ENDPOINT_ID": options.endpoint,
        "RUNPOD_PING_INTERVAL": str(options.ping_ms),
        "RUNPOD_WEBHOOK_GET_JOB": f"{base}/job-take/$ID?{gpu}",
        "RUNPOD_WEBHOOK_POST_OUTPUT": f"{base}/job-done/$RUNPOD_POD_ID/$ID?{gpu}",
        "RUNPOD_WEBHOOK_POST_STREAM": f"{base}/job-stream/$RUNPOD_POD_ID/$ID?{gpu}",
        "RUNPOD_WEBHOOK_PING": f"{base}/ping/$RUNPOD_POD_ID?{gpu}",
        "RUNPOD_SKIP_AUTO_SYSTEM_CHECKS": "true",
    }
    for assignment in options.env:
        name, _, value = assignment.partition("=")
        if value == "-":
            environment.pop(name, None)
        else:
            environment[name] = value
    return environment


def routes(sim):
    return [
        web.get("/v2/{ep}/job-take/{worker}", sim.take),
        web.get("/v2/{ep}/job-take-batch/{worker}", sim.take),
        web.get("/v2/{ep}/job-stop/{worker}", sim.stop),
        web.post("/v2/{ep}/job-done/{worker}/{job}", sim.done),
        web.post("/v2/{ep}/job-stream/{worker}/{job}", sim.stream_in),
        web.get("/v2/{ep}/ping/{worker}", sim.ping),
        web.post("/v2/{ep}/run", sim.client_run),
        web.post("/v2/{ep}/runsync", sim.client_run),
        web.route("*", "/v2/{ep}/{op:status|stream|cancel|retry}/{job}", sim.client_job),
        web.post("/v2/{ep}/purge-queue", sim.client_purge),
        web.get("/v2/{ep}/health", sim.client_health),
        web.route("*", "/{rest:.*}", sim.other),
    ]


def job_specs(options):
    specs = []
    if options.jobs:
        data = json.loads(Path(options.jobs).read_text())
        specs += data["jobs"] if isinstance(data, dict) else data
    common = json.loads(options.gen_input)
    return specs + [{"id": f"job-{i:05d}", "input": {**common, "n": i}} for i in range(options.gen)]


async def simulate(options):
    """Runs one simulation to its end and returns the summary."""
    sim = Sim(options)
    app = web.Application(client_max_size=1 << 30)
    app.add_routes(routes(sim))
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.2)
    await runner.setup()
    site = web.TCPSite(runner, options.host, options.port)
    await site.start()
    options.port = site._server.sockets[0].getsockname()[1]
    for spec in job_specs(options):
        await sim.add_job(spec)
    for wid in (f"simworker{i + 1}" for i in range(options.workers)):
        environment = worker_environment(options, wid)
        if options.spawn:
            await sim.spawn(wid, environment)
        else:
            print(f"# environment of worker {wid}", file=sys.stderr)
            for name, value in environment.items():
                print(f"export {name}={shlex.quote(value)}", file=sys.stderr)
    if not options.spawn:
        base = f"http://{options.host}:{options.port}/v2"
        client = f"# client API: RUNPOD_ENDPOINT_BASE_URL={base}  endpoint id: {options.endpoint}"
        print(client, file=sys.stderr, flush=True)
    sim.spawn_task(sim.requeuer())
    sim.spawn_task(sim.signals())
    reason = await sim.ended()
    if reason != "timeout":
        await asyncio.sleep(options.linger)
    await sim.wait_for_exits()
    summary = sim.summary(reason)
    await sim.end_workers()
    await runner.cleanup()
    return summary


def main(options):
    summary = asyncio.run(simulate(options))
    text = json.dumps(summary, indent=1)
    print(text)
    if options.summary:
        Path(options.summary).write_text(text + "\n")
    return 0 if summary["completed"] + summary["failed"] + summary["cancelled"] == summary["jobs"] else 1


def parse(arguments=None):
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--host", default="127.0.0.1")
    p.add_argument("--port", type=int, default=0, help="0 picks a free one (default)")
    p.add_argument("--endpoint", default="simendpoint")
    p.add_argument(
        "--workers", type=int, default=1, help="how many worker environments to print (or processes to spawn)"
    )
    p.add_argument("--jobs", help="JSON file with the jobs")
    p.add_argument("--gen", type=int, default=0, help="also generate N jobs")
    p.add_argument("--gen-input", default="{}", help="JSON object merged into each generated job's input")
    p.add_argument(
        "--rich", action="store_true", help="add delayTime, error, executionTime, retries, status to each job"
    )
    p.add_argument("--fault", action="append", default=[], help="KIND:ACTION[:HOW_OFTEN], see above")
    p.add_argument("--stop-status", default="", help="always answer the job-stop channel with this status (e.g. 404)")
    p.add_argument(
        "--hold",
        type=float,
        default=20,
        help="long-poll time of job-take and job-stop, seconds (0: answer 204 at once)",
    )
    p.add_argument("--ping-ms", type=int, default=10000, help="RUNPOD_PING_INTERVAL to give")
    p.add_argument("--api-key", default="", help="if set, job-take demands it as the bare Authorization value")
    p.add_argument("--max-result-mb", type=float, default=20, help="larger results get 400 (0: no limit)")
    p.add_argument(
        "--requeue-after", type=float, default=0, help="requeue a taken job after S silent seconds (0: never)"
    )
    p.add_argument("--honor-stop-pod", action="store_true", help="send SIGTERM to a spawned worker that posted stopPod")
    p.add_argument("--serve", action="store_true", help="do not end when all jobs are resolved (client API use)")
    p.add_argument("--spawn", help="command of the worker; it gets the environment")
    p.add_argument("--cwd", help="directory to spawn the worker in")
    p.add_argument("--env", action="append", default=[], help="K=V added to the worker's environment; K=- removes K")
    p.add_argument("--worker-log", help="prefix of the files for a spawned worker's output")
    p.add_argument(
        "--term-after", type=float, help="SIGTERM to spawned workers S seconds after the first job was taken"
    )
    p.add_argument("--kill-after", type=float, help="SIGKILL likewise (after --term-after if both)")
    p.add_argument("--term-from-start", action="store_true", help="count --term-after from the start")
    p.add_argument(
        "--wait-exit",
        type=float,
        default=0,
        help="at the end wait up to S seconds for spawned workers to exit (SIGTERM first)",
    )
    p.add_argument("--linger", type=float, default=0.5, help="stay S seconds after the last job was resolved")
    p.add_argument("--timeout", type=float, default=120)
    p.add_argument("--transcript", help="JSONL file")
    p.add_argument("--max-logged-body", type=int, default=4096)
    p.add_argument("--summary", help="file for the summary")
    p.add_argument("--seed", type=int, default=1)
    return p.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(parse()))
