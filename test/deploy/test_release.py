"""From a tag to an image that is published once, and what the repository of manifests takes; no cluster is needed."""

import json
import os
import re
import shutil

import pytest
import yaml

from gitops_site import Site, git, process
from tools import ROOT, run

ENVIRONMENTS = ["dev", "staging", "prod"]


def image(letter):
    return "sha256:" + letter * 64


class Code:
    """A repository of code, with as much of this one as a release needs, and programs that stand for the built ones."""

    def __init__(self, folder):
        self.folder, self.bin, self.registry = folder / "code", folder / "bin", folder / "registry"
        for part in ("deploy/docker", "deploy/gitops", ".ci"):
            shutil.copytree(ROOT / part, self.folder / part, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copytree(ROOT / "profiles/sample", self.folder / "profiles/sample")
        shutil.copy2(ROOT / "CMakeLists.txt", self.folder)
        self.bin.mkdir()
        for program in ("chartly-control", "chartly-drone", "chartly"):
            shutil.copy2("/usr/bin/true", self.bin / program)
        git("init", "--quiet", "--initial-branch=main", cwd=self.folder)
        self.commit("feat: begin")

    def commit(self, message):
        git("add", "--all", cwd=self.folder)
        git("commit", "--quiet", "--message", message, cwd=self.folder)
        return git("rev-parse", "HEAD", cwd=self.folder).stdout.strip()

    def bump(self, version):
        path = self.folder / "CMakeLists.txt"
        path.write_text(re.sub(r"(project\(chartly VERSION )[0-9.]+", rf"\g<1>{version}", path.read_text()))
        made = self.commit(f"feat: version {version}")
        git("tag", f"v{version}", cwd=self.folder)
        return made

    def release(self, builder="https://ci.example.org/chartly"):
        """What CI does with a tag."""
        env = {**os.environ, "CHARTLY_BIN": str(self.bin), "CHARTLY_REGISTRY": str(self.registry)}
        env.pop("CHARTLY_BUILDER", None)
        return process([self.folder / ".ci/release"], env={**env, **({"CHARTLY_BUILDER": builder} if builder else {})}, cwd=self.folder)

    def published(self):
        return {each["annotations"]["org.opencontainers.image.ref.name"]: each["digest"]
                for each in json.loads((self.registry / "index.json").read_text())["manifests"]}

    def statement(self, version):
        return self.registry / f"chartly-{version}.provenance.json"

    def promote(self, site, environment, version, *more):
        return process([self.folder / "deploy/gitops/release.py", "promote", "--registry", self.registry, "--repository", site.work,
                        "--environment", environment, *more, version], env={
                            **os.environ, "GIT_AUTHOR_NAME": "Ada", "GIT_AUTHOR_EMAIL": "ada@example.org",
                            "GIT_COMMITTER_NAME": "Ada", "GIT_COMMITTER_EMAIL": "ada@example.org"})


@pytest.fixture
def code(tmp_path):
    return Code(tmp_path)


@pytest.fixture
def site(tmp_path):
    return Site(tmp_path)


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_I133_P229_images_are_built_of_a_tag_and_of_nothing_else(code):
    done = code.release()
    assert done.returncode == 1 and "no tag" in done.stderr
    git("tag", "v9.9.9", cwd=code.folder)
    done = code.release()
    assert done.returncode == 1 and "v9.9.9" in done.stderr and not code.registry.exists()
    commit = code.bump("9.9.10")
    (code.folder / "stray.txt").write_text("not committed")
    done = code.release()
    assert done.returncode == 1 and "stray.txt" in done.stderr and not code.registry.exists()
    (code.folder / "stray.txt").unlink()
    done = code.release()
    assert done.returncode == 0, done.stderr
    digest = code.published()["v9.9.10"]
    assert done.stdout.strip() == f"v9.9.10@{digest}"
    statement = json.loads(code.statement("9.9.10").read_text())
    assert f"sha256:{statement['subject'][0]['digest']['sha256']}" == digest
    assert statement["predicate"]["runDetails"]["builder"]["id"] == "https://ci.example.org/chartly"
    sources = {each["name"]: each["digest"] for each in statement["predicate"]["buildDefinition"]["resolvedDependencies"]}
    assert sources["source"] == {"gitCommit": commit}
    # The digest leads to the blobs, and they are what it says.
    manifest = json.loads((code.registry / "blobs/sha256" / digest.removeprefix("sha256:")).read_text())
    for each in [manifest["config"], *manifest["layers"]]:
        assert (code.registry / "blobs/sha256" / each["digest"].removeprefix("sha256:")).stat().st_size == each["size"]


def test_I134_P228_a_published_tag_never_changes(code):
    code.bump("9.9.10")
    assert code.release().returncode == 0
    before = contents(code.registry)
    # The same again is no change, whoever builds it.
    assert code.release(builder=None).returncode == 0
    assert contents(code.registry) == before
    # The same tag over something else is refused.
    shutil.copy2("/usr/bin/echo", code.bin / "chartly")
    done = code.release()
    assert done.returncode == 1 and "never changes" in done.stderr and "needs a new version" in done.stderr
    assert contents(code.registry) == before
    code.bump("9.9.11")
    assert code.release().returncode == 0
    published = code.published()
    assert set(published) == {"v9.9.10", "v9.9.11"} and len(set(published.values())) == 2
    assert before.items() <= {**contents(code.registry), "index.json": before["index.json"]}.items()


# --- what the repository of manifests takes ---

def refused(site, why):
    done = site.try_push()
    assert done.returncode != 0 and f"refused: {site.head()[:12]}" in done.stderr and why in done.stderr, done.stderr
    site.reset()


def test_I122_F84_a_change_comes_by_review_and_history_only_grows(site):
    path = site.work / "charts/chartly/values-dev.yaml"
    before = git("rev-parse", "main", cwd=site.bare).stdout

    def change():
        path.write_text(path.read_text() + "\ncommonAnnotations:\n  team: data\n")
    change()
    site.commit("feat: a team", reviewer=None)
    refused(site, "comes without review")
    change()
    site.commit("feat: a team", reviewer="Ada Author <ADA@example.org>")
    refused(site, "comes without review")
    change()
    site.commit("feat: a team", reviewer="nobody")
    refused(site, "comes without review")
    assert git("rev-parse", "main", cwd=site.bare).stdout == before
    change()
    site.commit("feat: a team")
    site.push()
    # One that was not reviewed is found behind one that was.
    path.write_text(path.read_text().replace("team: data", "team: other"))
    first = site.commit("feat: another team", reviewer=None)
    (site.work / "README.md").write_text("manifests\n")
    site.commit("docs: say what it is")
    done = site.try_push()
    assert done.returncode != 0 and f"refused: {first[:12]}" in done.stderr and site.head()[:12] not in done.stderr
    site.reset()
    git("reset", "--quiet", "--hard", "HEAD^", cwd=site.work)
    done = site.try_push("--force")
    assert done.returncode != 0 and "only grows" in done.stderr
    done = git("push", "origin", "--delete", "main", cwd=site.work, check=False)
    assert done.returncode != 0 and "only grows" in done.stderr


def test_I132_the_repository_of_manifests_takes_manifests_only(site):
    tracked = git("ls-files", cwd=site.work).stdout.split()
    assert len(tracked) > 60 and not [path for path in tracked if path.endswith((".cc", ".h", ".proto", "Dockerfile"))]
    for name in ("main.cc", "deploy/argocd/prod/run.sh", "charts/chartly/program"):
        (site.work / name).write_text("#!/bin/sh\n")
        site.commit("feat: more")
        refused(site, f"holds {name}, which is no manifest")


def test_L153_a_commit_changes_the_image_or_something_else(site):
    def both():
        site.put("dev", image("a"))
        path = site.work / "charts/chartly/values-dev.yaml"
        path.write_text(path.read_text().replace("logLevel: debug", "logLevel: info"))
    both()
    site.commit("feat: the image, and less in the logs")
    refused(site, "changes the image of dev and charts/chartly/values-dev.yaml: one at a time")
    # What else is in the file of the image counts, too.
    site.put("dev", image("a"))
    path = site.application("dev")
    path.write_text(path.read_text().replace("revisionHistoryLimit: 10", "revisionHistoryLimit: 11"))
    site.commit("feat: the image, and longer history")
    refused(site, "one at a time")
    for environment in ("dev", "staging"):
        site.put(environment, image("a"))
    site.commit("feat: two at once")
    refused(site, "the image of dev and the image of staging")
    both()
    site.commit("feat: the image, and less in the logs\n\nMixed-change: the image logs too much at debug")
    # The trailers are one paragraph.
    git("commit", "--quiet", "--amend", "-m", "feat: both\n\nMixed-change: the image logs too much at debug\n"
        "Reviewed-by: Rae Reviewer <rae@example.org>", cwd=site.work)
    site.push()


def test_D56_K145_an_image_goes_from_dev_over_staging_to_prod_in_the_repository(site):
    def put(environment, letter, subject="feat: promote"):
        site.put(environment, image(letter), f"v0.1.{ord(letter)}")
        site.commit(subject)
    put("staging", "a")
    refused(site, "dev does not run it")
    put("prod", "a")
    refused(site, "staging does not run it")
    for letter in "ab":
        for environment in ENVIRONMENTS:
            put(environment, letter)
            site.push()
    # Back only by saying so, and only to what was there.
    put("prod", "a")
    refused(site, "staging does not run it")
    put("dev", "a")
    refused(site, "has to begin with 'fix: Rollback'")
    put("prod", "c", "fix: Rollback prod to v0.0.9 due to a feeling")
    refused(site, "prod never had")
    put("prod", "a", "fix: Rollback prod to v0.1.1 due to errors")
    site.push()
    log = git("log", "--format=%s", "main", cwd=site.bare).stdout.splitlines()
    assert log[0] == "fix: Rollback prod to v0.1.1 due to errors" and len(log) == 8
    put("prod", "b", "feat: forward again")
    site.push()


def test_L152_D56_what_runs_beside_comes_the_same_way(site):
    """A green gateway or a canary brings an image as a promotion does, and no faster."""
    def beside(environment, values, subject="feat: try it beside"):
        path = site.application(environment)
        more = "".join(f"        - name: {name}\n          value: {value}\n          forceString: true\n" for name, value in values.items())
        path.write_text(path.read_text().replace("        - name: commit\n", more + "        - name: commit\n"))
        site.commit(subject)

    def green(letter):
        return {"blueGreen.enabled": "true", "blueGreen.green.tag": "v0.1.2", "blueGreen.green.digest": image(letter)}
    for environment in ENVIRONMENTS:
        site.put(environment, image("a"))
        site.commit("feat: promote")
        site.push()
    for place, values in (("staging", green("b")), ("prod", {"canary.tag": "v0.1.2", "canary.digest": image("b")})):
        beside(place, values)
        refused(site, f"puts {image('b')} beside what {place} runs")
    # Nor by way of the values of the environment, or of the application.
    path = site.work / "charts/chartly/values-prod.yaml"
    path.write_text(path.read_text() + f"canary: {{enabled: true, tag: v0.1.2, digest: '{image('b')}'}}\n")
    site.commit("feat: a canary")
    refused(site, f"puts {image('b')} beside what prod runs")
    path = site.application("prod")
    path.write_text(path.read_text().replace("      parameters:\n", "      values: |\n        canary: {enabled: true, tag: v0.1.2, digest: "
                                             f"'{image('b')}'}}\n      parameters:\n"))
    site.commit("feat: a canary")
    refused(site, f"puts {image('b')} beside what prod runs")
    # In dev it may begin, and goes on from where it runs. Turning it on is one change with its image; moving traffic is another.
    beside("dev", green("b"))
    site.push()
    site.put("dev", image("b"))
    site.commit("feat: promote")
    site.push()
    beside("staging", {**green("b"), "blueGreen.live": "green"})
    refused(site, "one at a time")
    beside("staging", green("b"))
    site.push()
    beside("staging", {"blueGreen.live": "green"}, "feat: traffic to green")
    site.push()
    beside("prod", green("b"))
    refused(site, f"puts {image('b')} beside what prod runs")


def test_K143_K147_promote_changes_one_environment_and_nothing_else(code, site):
    done = code.promote(site, "dev", "v9.9.10")
    assert done.returncode == 1 and "it is built first" in done.stderr
    code.bump("9.9.10")
    assert code.release().returncode == 0
    digest = code.published()["v9.9.10"]
    before = contents(site.work / "deploy")
    for environment in ENVIRONMENTS:
        assert code.promote(site, environment, "v9.9.10").stdout.strip() == f"{environment}: v9.9.10@{digest}"
        site.merge(f"promote/{environment}-v9.9.10")
        site.reset()
    after = contents(site.work / "deploy")
    assert {name for name in after if after[name] != before.get(name)} == {
        f"argocd/{path}" for each in ENVIRONMENTS for path in (f"{each}/03-backend/apps.yaml", f"flux/{each}.yaml")}
    assert {site.digest(each) for each in ENVIRONMENTS} == {digest}
    for each in ENVIRONMENTS:
        values = [document["spec"]["values"]["image"] for document in
                  yaml.safe_load_all((site.work / f"deploy/argocd/flux/{each}.yaml").read_text()) if document["kind"] == "HelmRelease"]
        assert values == [{"tag": "v9.9.10", "digest": digest}]
    (site.work / "README.md").write_text("not committed")
    done = code.promote(site, "dev", "v9.9.10")
    assert done.returncode == 1 and "not committed" in done.stderr


def test_I133_the_script_of_ci_is_clean():
    run("bash", "-n", ROOT / ".ci/release")
    text = (ROOT / ".ci/release").read_text()
    assert "release.py build" in text and os.access(ROOT / ".ci/release", os.X_OK)
