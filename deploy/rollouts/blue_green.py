#!/usr/bin/env python3
"""usage: blue_green.py --namespace NAME --tag vX.Y.Z [--digest sha256:...] --url URL [--release NAME] [--watch SECONDS]
                         [--faults COUNT] [--timeout SECONDS] [--helm PROGRAM] [-- FLAG...]

Puts a version of the gateway beside the one that serves, tests it there, moves all traffic to it, and watches it:

  1. green is started beside blue, which goes on serving (helm upgrade);
  2. the tests of the release ask green by its own Service (helm test);
  3. the ingress leads to green: one write to one object;
  4. for SECONDS the URL that people use is asked for its health. After COUNT faults in a row the ingress leads to blue again.

FLAGs are those that each upgrade of the release gets, such as -f values-prod.yaml; ingress.enabled has to be among them.
Ends with 0 when green serves, with 1 when blue still or again serves and green does not, with 2 when neither could be
brought about.
"""

import argparse
import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

CHART = Path(__file__).resolve().parents[2] / "charts/chartly"
PERIOD = 1.0  # seconds between two questions


class Failure(Exception):
    pass


def say(text):
    print(text, flush=True)


class Release:
    def __init__(self, options):
        self.options = options
        self.flags = [*options.flags, "--set", "blueGreen.enabled=true", "--set-string",
                      f"blueGreen.green.tag={options.tag},blueGreen.green.digest={options.digest}"]

    def helm(self, verb, *arguments):
        options = self.options
        command = [options.helm, verb, options.release, *arguments, "--namespace", options.namespace, "--timeout", f"{options.timeout}s"]
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
        if done.returncode != 0:
            raise Failure(f"helm {verb} ended with {done.returncode}: {done.stderr.strip()}")

    def start(self):
        self.helm("upgrade", CHART, "--wait", *self.flags, "--set", "blueGreen.live=blue")

    def lead_to(self, colour):
        # What runs is there already, well or not: nothing is tried before, and nothing is waited for.
        self.helm("upgrade", CHART, "--no-hooks", *self.flags, "--set", f"blueGreen.live={colour}")


def health(url):
    """(whether it is well, what it said)"""
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=10) as response:
            said = json.loads(response.read())
            return said.get("status") == "ok", f"{said.get('status')} with version {said.get('version')}"
    except urllib.error.HTTPError as error:
        return False, f"status {error.code}"
    except (OSError, ValueError) as error:
        return False, str(error)


def settled(options):
    """Nothing once it is well, or what was said last, if it is not for as often as is too often."""
    said = None
    for _ in range(options.faults):
        well, said = health(options.url)
        if well:
            return None
        time.sleep(PERIOD)
    return said


def watch(options):
    """Nothing if all is well for long enough, or else what was said last."""
    end, faults = time.monotonic() + options.watch, 0
    while time.monotonic() < end:
        well, said = health(options.url)
        faults = 0 if well else faults + 1
        if faults >= options.faults:
            return said
        time.sleep(PERIOD)
    return None


def roll_out(options):
    release = Release(options)
    try:
        release.start()
        say(f"green: {options.tag} runs beside blue")
        release.helm("test")
        say("green: the tests of the release passed")
    except Failure as failure:
        say(f"blue serves: green is not well: {failure}")
        return 1
    if said := settled(options):
        say(f"blue serves: {options.url} is not well before anything moved ({said})")
        return 1
    try:
        release.lead_to("green")
    except Failure as failure:
        # It may have come about all the same.
        return back(release, str(failure))
    say(f"green: the ingress leads to it; watched for {options.watch:g} s")
    if said := watch(options):
        return back(release, f"{options.faults} faults in a row, the last: {said}")
    say("green serves")
    return 0


def back(release, why):
    begun = time.monotonic()
    try:
        release.lead_to("blue")
    except Failure as failure:
        say(f"the ingress could not be led back to blue ({failure}), after {why}")
        return 2
    say(f"blue serves again, {time.monotonic() - begun:.1f} s after {why}")
    return 1


def main():
    parser = argparse.ArgumentParser(usage=__doc__.split("\n\n")[0].removeprefix("usage: "))
    parser.add_argument("--namespace", required=True)
    parser.add_argument("--tag", required=True)
    parser.add_argument("--digest", default="")
    parser.add_argument("--url", required=True)
    parser.add_argument("--release", default="chartly")
    parser.add_argument("--watch", type=float, default=300)
    parser.add_argument("--faults", type=int, default=3)
    parser.add_argument("--timeout", type=int, default=300)
    parser.add_argument("--helm", default="helm")
    parser.add_argument("flags", nargs="*")
    return roll_out(parser.parse_args())


if __name__ == "__main__":
    sys.exit(main())
