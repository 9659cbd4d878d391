"""A control plane that somebody else holds: it speaks the real protocol to a drone, orders what it is told to, and hears
how the runs ended. Messages are those of api/, compiled when a test begins."""

import shutil
import subprocess
import threading
from concurrent import futures
from pathlib import Path

import grpc
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from harness import ROOT, wait_until


def googleapis():
    """The folder with google/api/annotations.proto, as the build found it."""
    cache = ROOT / "build" / "CMakeCache.txt"
    known = [line.split("=", 1)[1] for line in (cache.read_text().splitlines() if cache.is_file() else ())
             if line.startswith("GOOGLEAPIS_DIR:")]
    for folder in [*known, "/usr/include", "/usr/share/gocode/src/github.com/grpc-ecosystem/grpc-gateway/third_party/googleapis",
                   "/usr/share/gocode/src/github.com/googleapis/googleapis"]:
        if (Path(folder) / "google/api/annotations.proto").is_file():
            return folder
    pytest.skip("google/api/annotations.proto is not installed")


def compile_messages(folder):
    """A function that gives the class of a message of chartly.v1."""
    if shutil.which("protoc") is None:
        pytest.skip("protoc is not installed")
    out = Path(folder) / "api.pb"
    subprocess.run(["protoc", "-I", str(ROOT / "api"), "-I", googleapis(), "-I", "/usr/include", "--include_imports",
                    f"--descriptor_set_out={out}", str(ROOT / "api/chartly/v1/coordinator.proto"),
                    str(ROOT / "api/chartly/v1/aggregator.proto")], check=True)
    pool = descriptor_pool.DescriptorPool()
    for file in descriptor_pb2.FileDescriptorSet.FromString(out.read_bytes()).file:
        pool.Add(file)

    def message(name):
        found = pool.FindMessageTypeByName(f"chartly.v1.{name}")
        if hasattr(message_factory, "GetMessageClass"):
            return message_factory.GetMessageClass(found)
        return message_factory.MessageFactory(pool).GetPrototype(found)
    return message


class HostileControl:
    """Coordinator and aggregator in one server on loopback."""

    def __init__(self, folder):
        self.message = compile_messages(folder)
        self.lock, self.orders, self.ends, self.told, self.epoch = threading.Lock(), {}, {}, None, 0
        self.server = grpc.server(futures.ThreadPoolExecutor(8))
        unary = {"RegisterDrone": self.register, "Heartbeat": self.heartbeat}
        answers = {"RegisterDrone": ("RegisterDroneRequest", "Drone"), "Heartbeat": ("HeartbeatRequest", "HeartbeatResponse")}
        self.server.add_generic_rpc_handlers((
            grpc.method_handlers_generic_handler("chartly.v1.CoordinatorService", {
                name: grpc.unary_unary_rpc_method_handler(
                    call, self.message(answers[name][0]).FromString, self.message(answers[name][1]).SerializeToString)
                for name, call in unary.items()}),
            grpc.method_handlers_generic_handler("chartly.v1.IngestService", {
                "Ingest": grpc.stream_stream_rpc_method_handler(
                    self.ingest, self.message("IngestRequest").FromString,
                    self.message("IngestResponse").SerializeToString)})))
        self.address = f"127.0.0.1:{self.server.add_insecure_port('127.0.0.1:0')}"
        self.server.start()

    def close(self):
        self.server.stop(0).wait()

    def register(self, request, _context):
        with self.lock:
            self.told, self.epoch = request, self.epoch + 1
            return self.message("Drone")(drone_id=request.drone_id, epoch=self.epoch, heartbeat_interval_ms=50)

    def heartbeat(self, request, _context):
        with self.lock:
            for run in request.runs:
                self.orders.pop(run.run_id, None)
            return self.message("HeartbeatResponse")(orders=list(self.orders.values()), heartbeat_interval_ms=50)

    def ingest(self, requests, _context):
        response = self.message("IngestResponse")
        for request in requests:
            if request.HasField("hello"):
                answer = response()
                answer.welcome.durable_seq, answer.welcome.window_bytes = request.hello.acked_seq, 1 << 20
                yield answer
                continue
            if request.entry.HasField("run_end"):
                with self.lock:
                    self.ends[request.entry.run_end.run_id] = request.entry.run_end
            answer = response()
            answer.ack.seq = answer.ack.checkpoint_seq = request.entry.seq
            yield answer

    def order(self, profile_id, text, revision, signatures=()):
        """Orders a run and returns its end, as the drone told it."""
        run_id = f"run-{len(self.ends)}"
        order = self.message("RunOrder")(run_id=run_id, profile_id=profile_id, revision=revision, content=text,
                                         lease_epoch=self.epoch, signatures=signatures)
        with self.lock:
            self.orders[run_id] = order
        return wait_until(lambda: self.ends.get(run_id), f"the end of {run_id}")
