"""A TCP proxy that delays, throttles, cuts and blackholes; it stands between a main and a replica."""

import random
import select
import socket
import threading
import time


class Proxy:
    """Forwards connections to `target` (host, port); `port` is its own."""

    def __init__(self, target, seed=1):
        self.target = target
        self.random = random.Random(seed)
        self.delay = 0.0
        self.bytes_per_second = None
        self.cut_after = None
        self.swallows = False
        self.cuts = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.pairs = set()
        self.lock = threading.Lock()
        self.closed = False
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while not self.closed:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(self.target, timeout=5)
            except OSError:
                client.close()
                continue
            pair = (client, server)
            with self.lock:
                self.pairs.add(pair)
            left = [self.cut_after]
            for source, sink in (pair, pair[::-1]):
                threading.Thread(target=self.forward, args=(source, sink, pair, left), daemon=True).start()

    def forward(self, source, sink, pair, left):
        try:
            while True:
                select.select([source], [], [])
                content = source.recv(4096)
                if not content:
                    break
                if self.delay:
                    time.sleep(self.delay)
                if self.bytes_per_second:
                    time.sleep(len(content) / self.bytes_per_second)
                if self.swallows:
                    continue
                if left[0] is not None:
                    left[0] -= len(content)
                    if left[0] < 0:
                        sink.sendall(content[: self.random.randrange(len(content))])
                        self.cuts += 1
                        break
                sink.sendall(content)
        except (OSError, ValueError):
            pass
        self.close(pair)

    def close(self, pair):
        with self.lock:
            self.pairs.discard(pair)
        for end in pair:
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            end.close()

    def cut(self):
        """Cuts every connection now; how many there were."""
        with self.lock:
            pairs = list(self.pairs)
        for pair in pairs:
            self.close(pair)
        self.cuts += len(pairs)
        return len(pairs)

    def stop(self):
        self.closed = True
        self.listener.close()
        self.cut()
