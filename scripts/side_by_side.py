"""nqdb and PostgreSQL 15 side by side for the benchmarks: both durable, with new data directories and the same memory."""

import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
POSTGRES_BIN = pathlib.Path("/usr/lib/postgresql/15/bin")
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def process_cpu_seconds(pid):
    """User and system time of one process and of the children it has waited for."""
    try:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except FileNotFoundError:
        return 0.0
    return sum(int(field) for field in fields[11:15]) / TICKS_PER_SECOND


def children(pid):
    listed = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True).stdout.split()
    return [int(child) for child in listed]


def is_running(pid):
    """Not gone, and not a dead process that nobody has waited for."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


class Nqdb:
    name = "nqdb"

    def __init__(self, folder, program, memory):
        self.port = free_port()
        self.log = open(folder / "nqdb.log", "w")
        self.command = [program, "--data-dir", folder / "nqdb", "--listen", f"127.0.0.1:{self.port}", "--http-listen", "off",
                        "--memory", memory]
        self.start()

    def start(self):
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, stderr=self.log, text=True)
        line = self.process.stdout.readline()
        if not line.startswith("nqdb ready"):
            sys.exit(f"nqdb did not start: {line!r}; see {self.log.name}")

    def cpu_seconds(self):
        return process_cpu_seconds(self.process.pid)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=60)


class Postgres:
    name = "PostgreSQL 15"

    def __init__(self, folder, memory):
        self.port = free_port()
        self.folder = folder / "postgres"
        self.folder.mkdir()
        if os.getuid() == 0:
            shutil.chown(self.folder, "postgres", "postgres")
        self.data = self.folder / "data"
        self.run("initdb", "-D", self.data, "-E", "UTF8", "--locale=C", "-A", "trust", "-U", "postgres")
        options = (f"-p {self.port} -k {self.folder} -c listen_addresses=127.0.0.1 -c shared_buffers={memory} "
                   "-c max_wal_size=4GB -c max_connections=200 -c fsync=on -c synchronous_commit=on")
        self.options = options
        self.start()

    def start(self):
        self.run("pg_ctl", "-D", self.data, "-w", "-t", "600", "-l", self.folder / "log", "-o", self.options, "start")
        self.pid = int((self.data / "postmaster.pid").read_text().split()[0])

    def run(self, program, *arguments):
        command = [str(POSTGRES_BIN / program), *map(str, arguments)]
        if os.getuid() == 0:
            command = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", *command]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=self.folder)

    def cpu_seconds(self):
        return process_cpu_seconds(self.pid) + sum(process_cpu_seconds(child) for child in children(self.pid))

    def kill(self):
        """SIGKILL for the postmaster and all of its children, and waits for their end."""
        everybody = [self.pid, *children(self.pid)]
        for pid in everybody:
            os.kill(pid, signal.SIGKILL)
        while any(is_running(pid) for pid in everybody):
            time.sleep(0.01)

    def stop(self):
        self.run("pg_ctl", "-D", self.data, "-m", "fast", "-w", "stop")


def pgbench(server, *arguments, database="postgres"):
    command = ["pgbench", "-h", "127.0.0.1", "-p", str(server.port), "-U", "postgres", *map(str, arguments), database]
    finished = subprocess.run(command, capture_output=True, text=True)
    if finished.returncode != 0:
        sys.exit(f"{' '.join(command)}\n{finished.stdout}{finished.stderr}")
    return finished.stdout + finished.stderr


def psql(server, statement):
    """The answer of one statement as text."""
    finished = subprocess.run(["psql", "-h", "127.0.0.1", "-p", str(server.port), "-U", "postgres", "-qAtX", "-v", "ON_ERROR_STOP=1",
                               "-c", statement, "postgres"], check=True, stdout=subprocess.PIPE, text=True)
    return finished.stdout.strip()


def psql_file(server, path):
    subprocess.run(["psql", "-h", "127.0.0.1", "-p", str(server.port), "-U", "postgres", "-qAtX", "-v", "ON_ERROR_STOP=1", "-f", path,
                    "postgres"], check=True, stdout=subprocess.DEVNULL)


def measure(server, arguments, clients, seconds, database="postgres"):
    """One run: transactions per second and server CPU microseconds per transaction."""
    before = server.cpu_seconds()
    output = pgbench(server, "-n", "-c", clients, "-j", min(clients, 2), "-T", seconds, *arguments, database=database)
    # PostgreSQL's backends give their time to the postmaster when they are reaped.
    time.sleep(0.2)
    cpu = server.cpu_seconds() - before
    tps = float(re.search(r"tps = ([0-9.]+)", output).group(1))
    done = int(re.search(r"number of transactions actually processed: (\d+)", output).group(1))
    failed = re.search(r"number of failed transactions: (\d+)", output)
    if failed and int(failed.group(1)) > 0:
        sys.exit(f"{server.name}: {failed.group(0)}")
    return tps, cpu / done * 1e6


def timed(server, work):
    """Seconds on the clock and of the server's processor time that `work` takes."""
    before, started = server.cpu_seconds(), time.monotonic()
    work()
    elapsed = time.monotonic() - started
    time.sleep(0.2)
    return elapsed, server.cpu_seconds() - before


def environment(memory):
    """What the figures hold for."""
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout.strip()
    cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "unknown")
    return (f"Commit {commit}; {os.cpu_count()} cores ({cpu}), client and server on the same machine; buffers {memory} each; both durable. "
            "A ratio above 1 is in nqdb's favour.")


def built_program(given):
    """The program to measure: the given one, or the one of this tree, which cargo makes."""
    if given is not None:
        return given
    subprocess.run(["cargo", "build", "--release", "--locked", "-p", "nqdb"], cwd=ROOT, check=True)
    return pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release" / "nqdb"


def write(path, name, script, text):
    """Puts `text` between the marks of a part of a document."""
    begin, end = f"<!-- {name}: begin, written by scripts/{script} -->", f"<!-- {name}: end -->"
    head, rest = path.read_text().split(begin, 1)
    path.write_text(f"{head}{begin}\n\n{text}\n\n{end}{rest.split(end, 1)[1]}")
