"""Shows the built site to this machine."""

from __future__ import annotations

import errno
import functools
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from book.tools.site import page_files

HOST = "127.0.0.1"


def serve(site: Path, port: int) -> None:
    """Serve a built site until interrupted, and say where.

    Raises:
        FileNotFoundError: there is no built site in that folder.
        SystemExit: the port is taken, or not one that this user may have; with the way out.
    """
    page_files(site)
    handler = functools.partial(SimpleHTTPRequestHandler, directory=str(site))
    try:
        server = ThreadingHTTPServer((HOST, port), handler)
    except (OSError, OverflowError) as problem:
        taken = isinstance(problem, OSError) and problem.errno == errno.EADDRINUSE
        reason = "is taken by another program" if taken else f"cannot be used ({problem})"
        raise SystemExit(f"Port {port} {reason}: choose another, such as make serve PORT={_next(port)}") from None
    with server:
        print(f"The book is at http://localhost:{server.server_port} (Ctrl+C ends it)", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print()


def _next(port: int) -> int:
    return port + 1 if 1024 <= port < 65535 else 8001
