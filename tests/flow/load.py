# SPDX-License-Identifier: MIT
"""load: clients that go on asking until they are told to stop, and remember each failure."""

import threading
import time

import wire


class Load:
    """`each(number)` is called again and again by every one of n threads; it raises when something failed."""

    def __init__(self, n, each):
        self.each, self.done, self.failures = each, 0, []
        self.over = threading.Event()
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self.loop, args=(i,), daemon=True) for i in range(n)]
        for thread in self.threads:
            thread.start()

    def loop(self, i):
        while not self.over.is_set():
            try:
                self.each(i)
            except Exception as e:
                with self.lock:
                    self.failures.append(repr(e))
                time.sleep(0.01)  # a refused connection comes at once: do not spin
                continue
            with self.lock:
                self.done += 1

    def passes(self, n):
        """Wait until n more rounds have ended well."""
        goal = self.done + n
        wire.wait_until(lambda: self.done >= goal, f"{n} more rounds under load; failures so far: {self.failures[-3:]}")

    def stop(self):
        self.over.set()
        for thread in self.threads:
            thread.join(wire.PATIENCE)
        return self.failures

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
