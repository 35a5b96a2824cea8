"""What every node of the stack has in common; no logic of the robot lives here."""

import signal
import sys
import threading


def leave_quietly() -> None:
    """Let Ctrl-C end a node that is still importing without a traceback; `node.run` listens from then on."""
    is_ours = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if "--ros-args" in sys.argv and is_ours and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_DFL)


leave_quietly()
