"""What can go wrong, and what users do meanwhile; each is one function and one row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial

from kruntimes_core.model.run import RetryPolicy, Run
from tests.builders import EPOCH, make_run, make_runtime
from tests.simulation.api import RUNS, RUNTIMES
from tests.simulation.cluster import Cluster, Pod
from tests.simulation.server import Program

# --- Users. ---


def create(cluster: Cluster, number: int) -> None:
    rng = cluster.loop.rng
    name = f"r{number}"
    needs = {"cpu": rng.choice((0, 500, 1000, 2000))}
    if rng.random() < 0.03:
        needs = {"cpu": 64000}
    run = make_run(
        name,
        needs=needs,
        version="",
        runtime="bash" if rng.random() > 0.03 else "none",
        created=EPOCH + timedelta(seconds=int(cluster.loop.now)),
        priority=rng.choice((0, 0, 0, 5)),
        grace=rng.choice((0.0, 1.0, 5.0, 30.0)),
        timeout=rng.choice((None, None, None, 5.0)),
        queue_timeout=rng.choice((None, None, None, 10.0)),
        retry=RetryPolicy(max_attempts=rng.choice((1, 1, 3)), backoff=rng.choice((0.0, 0.5))),
    )
    endless = rng.random() < 0.1
    if endless:  # until its user has had enough
        end = partial(rng.choice((_cancel, _delete)), cluster, run.uid)
        cluster.loop.after(max(rng.uniform(0.5, 30.0), 0.0), end)
    program = Program(
        seconds=1e6 if endless else rng.choice((0.05, 0.15, 0.3, 2.0, 8.0, rng.uniform(0.1, 45.0))),
        exit_code=rng.choice((0, 0, 0, 0, 7)),
        stops_in=rng.choice((0.01, 0.05, 1e9)),
    )
    cluster.create(run, program)


def _some_run(cluster: Cluster) -> Run | None:
    runs = [run for run in cluster.api.store[RUNS].values() if isinstance(run, Run)]
    return cluster.loop.rng.choice(runs) if runs else None


def _cancel(cluster: Cluster, uid: str) -> None:
    run = cluster.api.store[RUNS].get(uid)
    if isinstance(run, Run):
        cluster.api.commit(RUNS, uid, replace(run, cancel_requested=True))


def _delete(cluster: Cluster, uid: str) -> None:
    if uid in cluster.api.store[RUNS]:
        cluster.api.commit(RUNS, uid, None)


def cancel(cluster: Cluster) -> None:
    run = _some_run(cluster)
    if run is not None:
        _cancel(cluster, run.uid)


def delete(cluster: Cluster) -> None:
    run = _some_run(cluster)
    if run is not None:
        _delete(cluster, run.uid)


def prefer(cluster: Cluster) -> None:
    run = _some_run(cluster)
    if run is not None:
        cluster.api.commit(RUNS, run.uid, replace(run, priority=9))


def replace_runtime(cluster: Cluster) -> None:
    if "bash" in cluster.api.store[RUNTIMES]:
        cluster.api.commit(RUNTIMES, "bash", None)
        cluster.loop.after(cluster.loop.rng.uniform(0.1, 10.0), lambda: _make_runtime(cluster))


def _make_runtime(cluster: Cluster) -> None:
    if "bash" not in cluster.api.store[RUNTIMES]:
        cluster.api.commit(RUNTIMES, "bash", make_runtime())


USERS: tuple[Callable[[Cluster], None], ...] = (cancel, cancel, delete, prefer, replace_runtime)

# --- Faults of one member: never two at once at the same one. Each returns when it is over. ---


def crash_daemon(cluster: Cluster, pod: Pod) -> float:
    pod.daemon.kill()
    away = cluster.loop.rng.uniform(0.3, 25.0)
    cluster.loop.after(away, pod.restart)
    return away


def crash_server(cluster: Cluster, pod: Pod) -> float:
    pod.server.kill()
    away = cluster.loop.rng.uniform(0.2, 8.0)
    cluster.loop.after(away, pod.restart)
    return away


def kill_member(cluster: Cluster, pod: Pod) -> float:
    pod.kill()
    cluster.loop.after(cluster.loop.rng.uniform(0.5, 5.0), cluster.add_pod)
    return 0.0


def pause_daemon(cluster: Cluster, pod: Pod) -> float:
    pod.daemon.pause()
    away = cluster.loop.rng.choice((1.0, 9.0, 14.0, 16.0, 30.0)) + cluster.loop.rng.random()
    cluster.loop.after(away, pod.daemon.resume)
    return away


def freeze_member(cluster: Cluster, pod: Pod) -> float:
    pod.daemon.pause()
    pod.server.freeze()
    away = cluster.loop.rng.choice((1.0, 9.0, 14.0, 16.0, 30.0)) + cluster.loop.rng.random()

    def thaw() -> None:
        if not pod.gone and pod.server.paused:
            pod.server.thaw()
            pod.daemon.resume()

    cluster.loop.after(away, thaw)
    return away


def pause_server(cluster: Cluster, pod: Pod) -> float:
    pod.server.pause()
    away = cluster.loop.rng.uniform(0.5, 8.0)
    cluster.loop.after(away, pod.server.resume)
    return away


def cut_off(cluster: Cluster, pod: Pod) -> float:
    cluster.api.cut.add(pod.name)
    if pod.daemon.channel is not None:
        pod.daemon.channel.break_off(cluster.loop.rng.random() < 0.5)
    away = cluster.loop.rng.choice((1.0, 14.0, 16.0, 30.0, 30.0)) + cluster.loop.rng.random()
    cluster.loop.after(away, lambda: cluster.api.cut.discard(pod.name))
    return away


def lose_watch_of_server(cluster: Cluster, pod: Pod) -> float:
    pod.daemon.callback(pod.daemon.lose_server)()
    return 0.0


def blur_answers(cluster: Cluster, pod: Pod) -> float:
    pod.server.flaky = 0.3

    def clear() -> None:
        pod.server.flaky = 0.0

    cluster.loop.after(8.0, clear)
    return 8.0


def drain(cluster: Cluster, pod: Pod) -> float:
    pod.server.callback(pod.server.drain)()
    cluster.loop.after(1.0, cluster.add_pod)
    return 0.0


def turn_clock(cluster: Cluster, pod: Pod) -> float:
    pod.daemon.wall_offset = cluster.loop.rng.choice((-3600.0, 0.0, 3600.0))
    return 0.0


def stall_watch(cluster: Cluster, pod: Pod) -> float:
    away = cluster.loop.rng.uniform(1.0, 40.0)
    if pod.daemon.channel is not None:
        pod.daemon.channel.stalled_until = cluster.loop.now + away
    return away


MEMBER_FAULTS: tuple[Callable[[Cluster, Pod], float], ...] = (
    crash_daemon,
    crash_server,
    kill_member,
    pause_daemon,
    freeze_member,
    pause_server,
    cut_off,
    cut_off,
    lose_watch_of_server,
    blur_answers,
    drain,
    turn_clock,
    stall_watch,
)

# --- Faults of the control plane. ---


def crash_scheduler(cluster: Cluster) -> None:
    cluster.scheduler.kill()
    cluster.loop.after(cluster.loop.rng.uniform(0.2, 20.0), cluster.scheduler.begin)


def pause_scheduler(cluster: Cluster) -> None:
    cluster.scheduler.pause()
    cluster.loop.after(cluster.loop.rng.uniform(1.0, 40.0), cluster.scheduler.resume)


def turn_scheduler_clock(cluster: Cluster) -> None:
    cluster.scheduler.wall_offset = cluster.loop.rng.choice((-3600.0, 0.0, 3600.0))


def stop_api(cluster: Cluster) -> None:
    cluster.api.stop()
    cluster.loop.after(cluster.loop.rng.uniform(0.5, 60.0), cluster.api.start)


def pause_api(cluster: Cluster) -> None:
    cluster.api.pause()
    cluster.loop.after(cluster.loop.rng.uniform(1.0, 60.0), cluster.api.resume)


def break_watches(cluster: Cluster) -> None:
    for channel in list(cluster.api.channels):
        if cluster.loop.rng.random() < 0.5:
            channel.break_off(cluster.loop.rng.random() < 0.5)


def stall_watches(cluster: Cluster) -> None:
    rng = cluster.loop.rng
    for channel in cluster.scheduler.channels:
        # Of leases only a little: a lease nobody shows for longer is a lease that ran out.
        longest = 20.0 if channel.kind == RUNS else 3.0
        channel.stalled_until = cluster.loop.now + rng.uniform(0.0, longest)


def lose_requests(cluster: Cluster) -> None:
    cluster.api.flaky = 0.2

    def clear() -> None:
        cluster.api.flaky = 0.0

    cluster.loop.after(10.0, clear)


CLUSTER_FAULTS: tuple[Callable[[Cluster], None], ...] = (
    crash_scheduler,
    pause_scheduler,
    turn_scheduler_clock,
    stop_api,
    pause_api,
    break_watches,
    stall_watches,
    lose_requests,
)
