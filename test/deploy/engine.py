"""A Docker engine for the tests: one of their own, with its data in a folder that goes with them."""

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from harness import BIN, ROOT, wait_until
from tools import run

DEPLOY = ROOT / "deploy"


class Engine:
    def __init__(self):
        for program in ("dockerd", "containerd", "docker", "docker-compose"):
            if shutil.which(program) is None:
                pytest.skip(f"{program} is not installed; ./dev setup --deploy")
        if os.geteuid() != 0:
            pytest.skip("starting a Docker engine needs root")
        self.folder = Path(tempfile.mkdtemp(prefix="chartly-engine-", dir="/var/tmp"))
        self.env = {**os.environ, "DOCKER_HOST": f"unix://{self.folder}/docker.sock"}
        self.log = open(self.folder / "dockerd.log", "wb")
        # The engine leaves the host's firewall alone; ports are handed over by its proxy.
        self.process = subprocess.Popen(
            ["dockerd", "--host", self.env["DOCKER_HOST"], "--data-root", f"{self.folder}/data", "--exec-root",
             f"{self.folder}/exec", "--pidfile", f"{self.folder}/pid", "--iptables=false", "--ip6tables=false"],
            stdout=self.log, stderr=self.log)
        end = time.monotonic() + 40
        while subprocess.run(["docker", "info"], env=self.env, capture_output=True).returncode != 0:
            if self.process.poll() is not None or time.monotonic() > end:
                last = (self.folder / "dockerd.log").read_text(errors="replace").splitlines()[-1:]
                self.close()
                pytest.skip(f"a Docker engine cannot be started here: {last}")
            time.sleep(0.2)

    def docker(self, *arguments, check=True, **options):
        return run("docker", *arguments, check=check, env=self.env, **options).stdout.strip()

    def build(self, tag):
        """The image, with the programs of build/bin where the Dockerfile would have compiled them."""
        context = self.folder / "image"
        run("python3", DEPLOY / "docker/image_root.py", BIN, ROOT / "profiles", context)
        text = (DEPLOY / "docker/Dockerfile").read_text()
        last = text[text.index("FROM scratch"):].replace("--from=build ", "").replace(" /image/", " /")
        (self.folder / "Dockerfile").write_text(last)
        self.docker("build", "--quiet", "--tag", "built:test", "--file", self.folder / "Dockerfile", context)
        # What is run is the packed image; the one that the engine built is there to be compared with it.
        self.digest = run("python3", DEPLOY / "docker/pack.py", context, tag.split(":")[1], self.folder / "packed").stdout.strip()
        self.docker("load", "--input", next((self.folder / "packed").glob("*.tar")))

    def script(self, name, *arguments, check=True):
        return run(DEPLOY / "compose" / name, *arguments, check=check, env=self.env)

    def container(self, name):
        return self.docker("ps", "--quiet", "--filter", f"label=com.docker.compose.service={name}")

    def inspect(self, name, template):
        return self.docker("inspect", "--format", template, self.container(name))

    def pid(self, name):
        return int(self.inspect(name, "{{.State.Pid}}"))

    def status(self, name):
        """What the kernel says of the first process of a container."""
        return dict(line.split(":\t", 1) for line in Path(f"/proc/{self.pid(name)}/status").read_text().splitlines()
                    if ":\t" in line)

    def close(self):
        if self.process.poll() is None:
            ids = subprocess.run(["docker", "ps", "--all", "--quiet"], env=self.env, capture_output=True, text=True).stdout.split()
            if ids:
                subprocess.run(["docker", "rm", "--force", *ids], env=self.env, capture_output=True)
            self.process.terminate()
            self.process.wait(40)
        self.log.close()
        for line in Path("/proc/self/mountinfo").read_text().splitlines():
            if (mount := line.split()[4]).startswith(f"{self.folder}/"):
                subprocess.run(["umount", mount], check=True)
        wait_until(lambda: not shutil.rmtree(self.folder, ignore_errors=True) and not self.folder.exists(),
                   "the folder of the engine to go", limit=20)
