# SPDX-License-Identifier: MIT
"""load: clients that go on, asking or in their tunnels, until they are told to stop, and remember each failure."""

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


class Tunnels(threading.Thread):
    """Open tunnels to an origin that echoes, which all say something again and again; `broken`: those that did not answer, and why."""

    def __init__(self, tunnels):
        super().__init__(daemon=True)
        self.all, self.broken, self.rounds = tunnels, {}, 0
        self.over = threading.Event()
        self.start()

    def run(self):
        while not self.over.is_set():
            for i, t in enumerate(self.all):
                try:
                    if i not in self.broken and t.send("still").exactly(5) != b"still":
                        self.broken[i] = "another answer"
                except Exception as e:
                    self.broken[i] = repr(e)
            self.rounds += 1
            self.over.wait(0.005)  # when all are broken a round costs nothing: do not spin beside the tests to come

    def passes(self):
        goal = self.rounds + 2
        wire.wait_until(lambda: self.rounds >= goal, "a whole round through all tunnels")

    def stop(self):
        self.over.set()
        self.join(wire.PATIENCE)
        for t in self.all:
            t.close()
        return self.broken
