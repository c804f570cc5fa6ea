"""A program that runs containers by the runtime under test, with directories of its own."""
import shutil
import signal
import subprocess
import tempfile
import time

import bundle


class Caller:
    def __init__(self, registry):
        self.directory = tempfile.mkdtemp(prefix="proa-caller-")
        self.image = f"{registry.address}/busybox:latest"
        self.runtime = bundle.PROGRAM

    def command(self, *words):
        raise NotImplementedError

    def __call__(self, *words, timeout=60, **options):
        return bundle.run_program(self.command(*words), timeout=timeout, **options)

    def ok(self, *words, **options):
        done = self(*words, **options)
        assert done.code == 0, (words, done)
        return done.out.strip()

    def spawn(self, argv):
        self.log = open(f"{self.directory}/log", "ab")
        return subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, start_new_session=True)

    def stop(self, process):
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self.log.close()

    def close(self):
        with open("/proc/self/mountinfo") as file:
            points = [line.split()[4] for line in file]
        for point in reversed(points):
            if point.startswith(self.directory):
                subprocess.run(["umount", "-l", point], stderr=subprocess.DEVNULL)
        shutil.rmtree(self.directory, ignore_errors=True)


def wait_for(condition, what, seconds=15):
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"{what} did not come true in {seconds} s"
        time.sleep(0.05)
    return value
