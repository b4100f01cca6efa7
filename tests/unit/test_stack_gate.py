"""The gate: what it waits for, and what it becomes."""

import http.server
import json
import os
import socket
import struct
import subprocess
import sys
import threading

import pytest

from jobchurn.stack.gate import Spec, answers, shown, wait_for


class Server(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        code, content = self.server.said[self.path]
        self.send_response(code)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


@pytest.fixture
def web():
    """A web server that says what its attribute ``said`` holds: path → (status, content)."""
    server = http.server.HTTPServer(("127.0.0.1", 0), Server)
    server.said = {}
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    server.address = f"http://127.0.0.1:{server.server_port}"
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def server_saying():
    """Starts a server that reads once and says the given bytes; returns its port."""
    threads = []

    def start(content):
        listener = socket.create_server(("127.0.0.1", 0))

        def serve():
            connection, _ = listener.accept()
            with listener, connection:
                heard.append(connection.recv(1024))
                connection.sendall(content)

        threads.append(threading.Thread(target=serve))
        threads[-1].start()
        return listener.getsockname()[1]

    heard = []
    start.heard = heard
    yield start
    for thread in threads:
        thread.join()


def closed_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


@pytest.mark.parametrize(("code", "well"), [(200, True), (302, True), (404, False), (503, False)])
def test_a_web_server_answers_where_its_status_says_so(web, code, well):
    web.said["/ready"] = (code, b"")
    assert answers(f"{web.address}/ready") is well


@pytest.mark.parametrize(
    ("content", "well"),
    [
        (b'{"a": {"status": "healthy"}, "b": {"status": "healthy"}, "c": {"status": null}}', True),
        (b'{"a": {"status": "healthy"}, "b": {"status": "unhealthy"}}', False),
        (b'{"a": {"status": "healthy"}}', False),
        (b"[]", False),
        (b"not JSON", False),
    ],
)
def test_a_health_document_must_call_every_named_part_healthy(web, content, well):
    web.said["/health"] = (200, content)
    assert answers(f"{web.address}/health#a,b") is well


def test_a_server_that_speaks_something_else_is_no_web_server(server_saying):
    assert not answers(f"http://127.0.0.1:{server_saying(b'220 ready for mail')}/")


@pytest.mark.parametrize(
    ("content", "well"),
    [
        (b"R\x00\x00\x00\x17\x00\x00\x00\x0aSCRAM-SHA-256\x00\x00", True),
        (b"E\x00\x00\x00\x30SFATAL\0VFATAL\0C57P03\0Mthe database system is starting up\0", False),
        (b"E\x00\x00\x00\x30SFATAL\0VFATAL\0C28000\0Mno such role\0", True),
        (b"", False),
    ],
    ids=["asks for a password", "starts up", "knows nobody of that name", "hangs up"],
)
def test_a_database_answers_once_it_takes_sessions(server_saying, content, well):
    port = server_saying(content)
    assert answers(f"postgresql://me@127.0.0.1:{port}/mine") is well
    [asked] = server_saying.heard
    assert struct.unpack("!ii", asked[:8]) == (len(asked), 3 << 16)
    assert asked[8:] == b"user\0me\0database\0mine\0\0"


def test_a_closed_port_does_not_answer():
    port = closed_port()
    for scheme in ("tcp", "http", "postgresql"):
        assert not answers(f"{scheme}://127.0.0.1:{port}/")


def test_an_open_port_answers(server_saying):
    assert answers(f"tcp://127.0.0.1:{server_saying(b'')}")


def test_a_file_answers_once_it_is_there(tmp_path):
    path = tmp_path / "a b%c"
    assert not answers(path.as_uri())
    path.touch()
    assert answers(path.as_uri())


def test_waiting_ends_with_the_target_that_did_not_answer(tmp_path):
    here, absent = tmp_path / "here", tmp_path / "absent"
    here.touch()
    assert wait_for([here.as_uri()], 0) is None
    assert wait_for([here.as_uri(), absent.as_uri()], 0.1) == absent.as_uri()


def test_a_target_is_shown_without_user_and_password():
    assert shown("postgresql://me:secret@somewhere:1/mine") == "postgresql://somewhere:1/mine"


def run_gate(folder, supervisor=None, **spec):
    path = folder / "spec.json"
    path.write_text(Spec(folder=str(folder), **spec).to_json())
    (folder / "supervisord.pid").write_text(f"{supervisor or os.getpid()}\n")
    command = [sys.executable, "-m", "jobchurn.stack.gate", str(path)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, sys.path))}
    return subprocess.run(
        command, capture_output=True, text=True, env=environment, check=False, cwd=folder
    )


def test_the_gate_of_a_supervisor_that_has_ended_starts_nothing(tmp_path):
    done = run_gate(tmp_path, supervisor=os.getppid(), command=["echo", "started"])
    assert (done.returncode, done.stdout) == (os.EX_TEMPFAIL, "")
    assert "supervisord has ended" in done.stderr


def test_the_gate_becomes_the_program_in_its_folder_and_environment(tmp_path):
    told = "import json, os; print(json.dumps([os.getpid(), os.getcwd(), os.environ['SECRET']]))"
    show_pid = ["sh", "-c", "echo $PPID"]
    done = run_gate(
        tmp_path,
        command=[sys.executable, "-c", told],
        environment={"SECRET": 'a "b" %c'},
        first=[show_pid],
    )
    assert done.returncode == 0, done.stderr
    gate, program = done.stdout.splitlines()
    assert json.loads(program) == [int(gate), str(tmp_path), 'a "b" %c']


def test_the_gate_gives_up_after_its_time_and_says_what_it_waited_for(tmp_path):
    target = f"postgresql://me:secret@127.0.0.1:{closed_port()}/mine"
    done = run_gate(tmp_path, command=["true"], waits=[target], seconds=0.1)
    assert done.returncode == os.EX_TEMPFAIL
    assert "waiting for postgresql://127.0.0.1:" in done.stderr
    assert "giving up" in done.stderr
    assert "secret" not in done.stderr


def test_the_program_does_not_start_where_a_command_before_it_fails(tmp_path):
    done = run_gate(tmp_path, command=["echo", "started"], first=[["sh", "-c", "exit 3"]])
    assert (done.returncode, done.stdout) == (3, "")
    assert "ended with 3" in done.stderr


def test_the_gate_loads_nothing_but_the_standard_library():
    told = "import sys; before = set(sys.modules); import jobchurn.stack.gate; print(*sys.modules)"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, sys.path))}
    loaded = subprocess.run(
        [sys.executable, "-c", told], capture_output=True, text=True, env=environment, check=True
    ).stdout.split()
    foreign = {name.partition(".")[0] for name in loaded} - set(sys.stdlib_module_names)
    assert "jobchurn" in foreign
    assert not foreign & {"pydantic", "rich", "supervisor", "sqlalchemy", "numpy", "pandas"}
