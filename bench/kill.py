"""kill -9 of workers that send an approved campaign to SIZE people: counts lost and repeated, and it finishes.

`python -m bench.kill [SIZE [KILLS]]`
"""

import os
import random
import subprocess
import sys
import time

from bench import _door as door


def main(size: int, kills: int) -> None:
    with door.scratch(), door.Sink() as sink:
        from django.conf import settings

        from campaigns import tasks
        from campaigns.models import Campaign
        from delivery import queries
        from tests.workers import database_url

        campaign = door.campaign(size, sink)
        environ = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "marketing.settings",
            "DATABASE_URL": database_url(),
            "CARILLON_DELIVERY_LEASE": "8",
        }
        command = [sys.executable, "-m", "tests.delivery.drainer", "marketing"]
        workers = [subprocess.Popen(command, env=environ) for _ in range(2)]
        try:
            for kill in range(1, kills + 1):
                while sink.stat()["messages"] < size * kill // (kills + 1):
                    time.sleep(0.02)
                victim = random.randrange(2)
                workers[victim].kill()
                workers[victim].wait()
                workers[victim] = subprocess.Popen(command, env=environ)
            while not queries.is_drained(campaign.pk):
                time.sleep(0.1)
        finally:
            for worker in workers:
                worker.kill()
                worker.wait()
        tasks.start_due()  # what beat does: a worker killed at the very end may not have said that all is sent
        campaign.refresh_from_db()
        stat, progress = sink.stat(), queries.progress(campaign.pk)
        lost, repeated = size - stat["recipients"], stat["messages"] - stat["recipients"]
        door.emit("kill.lost", lost, "messages")
        door.emit("kill.repeated", repeated, "messages")
        door.emit("kill.allowed_repeats", settings.DELIVERY_WINDOW * kills, "messages")
        door.emit("kill.sent_rows", progress.sent, "rows")
        assert campaign.state == Campaign.State.FINISHED
        assert lost == 0
        assert progress.sent == size
        assert repeated <= settings.DELIVERY_WINDOW * kills


if __name__ == "__main__":
    numbers = [int(argument) for argument in sys.argv[1:]]
    main(numbers[0] if numbers else 10_000, numbers[1] if len(numbers) > 1 else 10)
