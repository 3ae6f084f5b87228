"""The figures are the service's, not one worker's, and stay so when workers come and go."""

import contextlib
import shutil
import signal
import stat
from pathlib import Path

import psutil

from support.metrics import folder_of, samples, total, wait_for_total, workers_of
from support.service import Service, running_service, wait_for

REQUESTS = "simplestack_requests_total"
WORKERS = 3
CONFIG = f"[server]\nworkers = {WORKERS}\ngraceful_timeout_seconds = 4\n"


def answered(service: Service) -> float:
    return total(samples(service), REQUESTS, operation="guest_list")


def test_every_worker_tells_the_figures_of_all(tmp_path: Path) -> None:
    with running_service(tmp_path, CONFIG) as service:
        wait_for_total(service, WORKERS, "simplestack_workers")
        for _ in range(30):  # each on a connection of its own, which any worker accepts
            assert service.get("/mock/demo/guests").status == 200
        assert {answered(service) for _ in range(10)} == {30}


def test_counters_never_go_back_when_a_worker_is_killed(tmp_path: Path) -> None:
    with running_service(tmp_path, CONFIG) as service:
        wait_for_total(service, WORKERS, "simplestack_workers")
        sent = 0
        for round_number in range(1, 4):
            for _ in range(10):
                sent += service.get("/mock/demo/guests").status == 200
            assert answered(service) == sent
            killed = workers_of(service)[0]
            killed.kill()
            wait_for_total(service, WORKERS + round_number, "simplestack_worker_starts_total")
            wait_for_total(service, WORKERS, "simplestack_workers")
            assert killed.pid not in [worker.pid for worker in workers_of(service)]
            assert answered(service) == sent


def test_gauges_of_replaced_workers_go(tmp_path: Path) -> None:
    with running_service(tmp_path, CONFIG) as service:
        wait_for_total(service, WORKERS, "simplestack_workers")
        service.get("/mock/demo/guests")
        for starts in (2 * WORKERS, 3 * WORKERS):
            service.process.send_signal(signal.SIGHUP)
            wait_for_total(service, starts, "simplestack_worker_starts_total")
            wait_for_total(service, WORKERS, "simplestack_workers")
        assert answered(service) == 1
        # The session ended with its worker.
        wait_for_total(service, 0, "simplestack_sessions")


def test_workers_that_have_ended_leave_no_files(tmp_path: Path) -> None:
    with running_service(tmp_path, "[server]\nworkers = 1\n") as service:
        folder = folder_of(workers_of(service)[0])
        for starts in range(2, 6):
            service.get("/mock/demo/guests")
            workers_of(service)[0].kill()
            wait_for_total(service, starts, "simplestack_worker_starts_total")
        (worker,) = workers_of(service)
        of_ended = {"counter_ended.db", "histogram_ended.db"}
        own = {path.name for path in folder.iterdir()} - of_ended
        assert own == {f"{kind}_{worker.pid}.db" for kind in ("counter", "histogram", "gauge_livesum")}
        found = samples(service)
        assert total(found, REQUESTS, operation="guest_list") == 4
        durations = {"operation": "guest_list", "hypervisor": "mock"}
        assert total(found, "simplestack_request_duration_seconds_count", **durations) == 4
        assert total(found, "simplestack_request_duration_seconds_bucket", **durations, le="+Inf") == 4


def test_the_folder_is_private_and_goes_with_the_service(tmp_path: Path) -> None:
    with running_service(tmp_path, CONFIG) as service:
        folder = folder_of(workers_of(service)[0])
        assert {folder_of(worker) for worker in workers_of(service)} == {folder}
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        workers_of(service)[0].kill()
        wait_for_total(service, WORKERS + 1, "simplestack_worker_starts_total")
        assert service.stop() == 0
        assert not folder.exists()


def test_the_folder_goes_when_the_arbiter_is_killed(tmp_path: Path) -> None:
    with running_service(tmp_path, CONFIG) as service:
        workers = workers_of(service)
        folder = folder_of(workers[0])
        service.process.kill()
        service.process.wait()
        with contextlib.suppress(psutil.NoSuchProcess):
            psutil.wait_procs(workers, 30)
        wait_for(lambda: not folder.exists(), what="the folder to be removed")


def test_requests_are_served_although_their_figures_are_lost(tmp_path: Path) -> None:
    with running_service(tmp_path, CONFIG) as service:
        shutil.rmtree(folder_of(workers_of(service)[0]))
        for path in ("/mock/demo/guests", "/mock/demo/hosts", "/readyz") * 4:
            assert service.get(path).status == 200


def test_a_new_worker_makes_the_folder_again_if_something_removed_it(tmp_path: Path) -> None:
    with running_service(tmp_path, CONFIG) as service:
        wait_for_total(service, WORKERS, "simplestack_workers")
        folder = folder_of(workers_of(service)[0])
        shutil.rmtree(folder)
        workers_of(service)[0].kill()
        wait_for(folder.is_dir, what="the folder")
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        wait_for_total(service, 1, "simplestack_workers")  # of the others the figures are lost
        assert service.get("/mock/demo/guests").status == 200


def test_workers_start_without_metrics_where_the_folder_belongs_to_others(tmp_path: Path) -> None:
    with running_service(tmp_path, CONFIG) as service:
        wait_for_total(service, WORKERS, "simplestack_workers")
        folder = folder_of(workers_of(service)[0])
        shutil.rmtree(folder)
        folder.mkdir(mode=0o755)
        folder.chmod(0o777)
        old = {worker.pid for worker in workers_of(service)}
        others = [folder / f"gauge_livesum_{pid}.db" for pid in old]
        for path in others:
            path.write_bytes(b"somebody else's")
        service.process.send_signal(signal.SIGHUP)
        wait_for(lambda: not old & {worker.pid for worker in workers_of(service)}, what="new workers")
        wait_for(lambda: service.log.count("no metrics of this worker: ") >= WORKERS, what="the reason")
        assert service.get("/mock/demo/guests").status == 200
        wait_for(
            lambda: service.log.count("cannot keep the metrics of an ended worker") >= WORKERS, what="ends"
        )
        assert sorted(folder.iterdir()) == sorted(others)
        lost = service.get("/metrics")
        assert (lost.status, lost.error) == (501, "NotImplementedError")
        assert str(folder) not in lost.json["message"]
