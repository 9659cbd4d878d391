"""Keys that are bound to projects of a tenant, on the shipped binaries: they do everything in theirs, and cannot tell what is
in another from what is nowhere. The calls are those of the protos and of docs/access.md, so that a new one is tried without a
word here; test_access_matrix.py has the refusals of every method."""

import grpc
import pytest

from harness import ApiError, wait_until
from test_access import PART_OF, bindings, methods
from test_tenants import INTERNAL, MAKERS, PROFILE, Api, World, masked, raw, request_for, stand_in
from token_issuer import TokenIssuer

YAML = {"Content-Type": "application/yaml"}
BINDINGS = bindings()
# These make what they name, whoever's name that is; an id that is taken in another project is told as that.
TAKE_A_NAME = {"CreateRun", "CreateResults", "SaveReport", "CreateKey"}


def text_of(project, name="orders", patch=0):
    return PROFILE.format(id=f"{project}.{name}", marker=f"of-{project}", patch=patch)


def report_on(*projects):
    return {"join": ["k"], "inputs": [{"profile_id": f"{project}.orders", "measure": "v"} for project in projects],
            "output": {"type": "table"}}


class Projects(World):
    """The tenant acme with the projects water and energy, each with one of everything, made with a key of its own. `keys`
    has those of the projects beside those of the tenants."""

    def __init__(self, folder, api, **kwargs):
        super().__init__(folder, api, **kwargs)
        for project in ("water", "energy"):
            self.keys[project] = self.as_("acme", "POST", "/api/keys", {
                "key_id": f"{project}-boss", "role": "admin", "projects": [project]})["secret"]
        self.ids = {project: self.fill(project) for project in ("water", "energy")}
        self.as_("acme", "POST", "/api/profiles", PROFILE.format(id="water", marker="of-none", patch=0).encode(), YAML)

    def fill(self, project):
        for name in ("orders", "spare"):
            self.as_(project, "POST", "/api/profiles", text_of(project, name).encode(), YAML)
        run = f"{project}-run-1"
        self.as_(project, "POST", "/api/results", {
            "drone_id": f"{project}-poster", "profile_id": f"{project}.orders", "run_id": run,
            "data": [{"dims": {"k": f"of-{project}-{i}"}, "measures": {"v": i}} for i in range(5)]})
        self.as_(project, "POST", "/api/runs", {"profile_id": f"{project}.orders", "run_id": run, "status": "succeeded",
                                                "rows_out": 5})
        self.as_(project, "PUT", f"/api/reports/{project}-top", {"display_name": f"of-{project}", "report": report_on(project)})
        ran = self.as_(project, "POST", f"/api/reports/{project}-top:run", {})
        assert ran["answer"]["row_count"] == 5
        self.as_(project, "POST", f"/api/legalHolds/{project}.spare:set", {"reason": f"of-{project}"})
        self.as_(project, "POST", "/api/records:delete", {"profile_id": f"{project}.orders", "reason": f"of-{project}",
                                                          "fetched_before": "2020-01-01T00:00:00Z"})
        plan = self.as_(project, "POST", "/api/profiles:plan", {"profiles": [{"content": text_of(project, "new")}]})
        backfill = self.as_(project, "POST", "/api/backfills", {
            "profile_id": f"{project}.spare", "start_time": "2024-01-01T00:00:00Z", "end_time": "2024-01-03T00:00:00Z"})
        self.as_(project, "POST", f"/api/{backfill['name']}:cancel", {})
        return {"profiles": f"{project}.orders", "runs": run, "drones": f"{project}-poster", "reports": f"{project}-top",
                "legalHolds": f"{project}.spare", "plans": plan["name"].split("/")[1], "keys": f"acme.{project}-boss",
                "backfills": backfill["backfill_id"], "rollouts": f"{project}.orders", "shadows": f"{project}.orders",
                "report runs": ran["name"].split("/")[-1], "deployments": "1", "joinTokens": "1", "backups": "1",
                "environments": "nowhere"}

    def as_(self, who, method, path, body=None, headers=None):
        if not self.keys[who].startswith("eyJ"):
            return super().as_(who, method, path, body, headers)
        return self.call(method, path, body, headers={**(headers or {}), "Authorization": f"Bearer {self.keys[who]}"})

    def refusal(self, project, verb, path, body=None, headers=None):
        """(status, reason)"""
        with pytest.raises(ApiError) as refused:
            self.as_(project, verb, path, body, headers)
        return refused.value.status, refused.value.error.get("reason")

    def watch(self, method, project, **fields):
        """What a stream gives within two seconds."""
        service = "RegistryService" if method == "WatchProfiles" else "CoordinatorService"
        request_class, response, _ = self.calls[service, method]
        call = self.channels[PART_OF[service]].unary_stream(
            f"/chartly.v1.{service}/{method}", request_class.SerializeToString, response.FromString)
        seen = []
        try:
            for each in call(request_class(**fields), metadata=[("x-api-key", self.keys[project])], timeout=2):
                seen.append(str(each))
        except grpc.RpcError as error:
            assert error.code() == grpc.StatusCode.DEADLINE_EXCEEDED, error
        return seen


@pytest.fixture(scope="module")
def api(tmp_path_factory):
    return Api(tmp_path_factory.mktemp("api"))


@pytest.fixture(scope="module", params=["one process", "nine processes"])
def both(request, api, tmp_path_factory):
    made = Projects(tmp_path_factory.mktemp("projects"), api, split=request.param == "nine processes")
    yield made
    made.close()


@pytest.fixture
def one(api, tmp_path):
    made = Projects(tmp_path, api)
    yield made
    made.close()


def answers_to(world, project, service, method, collection, request_class, pair):
    """What is said to two requests, comparable, with the first answer; none if it takes no id."""
    asked = [request_for(request_class, method, collection, ids) for ids in pair]
    if asked[0][0] is None:
        return None, None
    answers = [world.rpc_call(service, method, request, project) for request, _ in asked]
    said = [[masked(part, used) for part in answer] for answer, (_, used) in zip(answers, asked)]
    if answers[0][0] != "OK":
        said = [[*answer[:2], sorted(answer[2])] for answer in said]  # the details of an error have no order
    return said, answers


def calls(world):
    ordered = sorted(world.api.methods, key=lambda each: bool(MAKERS.match(each[1])))
    for service, method, request_class, _, _, collection in ordered:
        if service != "PartBackupService" and (service, method) not in INTERNAL:
            yield service, method, request_class, collection


def test_what_is_in_another_project_reads_as_what_is_nowhere_in_every_rpc_that_takes_an_id(both):
    theirs = both.ids["water"]
    nobody = {of: stand_in(value) for of, value in theirs.items()}
    tried, hidden, at_home = [], [], []
    for service, method, request_class, collection in calls(both):
        said, answers = answers_to(both, "energy", service, method, collection, request_class, (theirs, nobody))
        if said is None:
            continue
        tried.append(method)
        assert said[0] == said[1], f"{service}.{method} tells {answers[0]} from {answers[1]}"
        assert "of-water" not in str(answers), answers
        if answers[0][0] in ("NOT_FOUND", "PERMISSION_DENIED") and BINDINGS[service, method] in ("named", "sought"):
            hidden.append(method)
            if method.startswith(("Get", "List", "Diff", "Explain")):
                request, _ = request_for(request_class, method, collection, theirs)
                at_home += [method] if both.rpc_call(service, method, request, "water")[0] == "OK" else []
    assert len(tried) > 45 and len(hidden) > 35, (tried, hidden)
    # The objects are really there, and a key of their project has them by the same requests.
    assert {"GetProfile", "GetRun", "GetReport", "GetReportRun", "ListReportRuns", "GetProfilePlan", "GetBackfill",
            "ListPartitions", "ListProfileRevisions", "GetProfileChannels", "GetProfileStatus", "GetRunLedger", "ListRecords",
            "ListResults", "ListRuns", "ListQuarantine", "ListDeletions"} <= set(at_home), at_home


def test_an_id_of_another_project_beside_an_own_profile_reads_as_one_that_nobody_has(both):
    theirs = {**both.ids["water"], "profiles": "energy.orders"}
    nobody = {of: value if of == "profiles" else stand_in(value) for of, value in theirs.items()}
    tried = []
    for service, method, request_class, collection in calls(both):
        names = request_class.DESCRIPTOR.fields_by_name
        if not {"profile_id", "run_id"} <= set(names) or method in TAKE_A_NAME:
            continue
        said, answers = answers_to(both, "energy", service, method, collection, request_class, (theirs, nobody))
        assert said[0] == said[1], f"{service}.{method} tells {answers[0]} from {answers[1]}"
        assert "of-water" not in str(answers)
        tried.append(method)
    assert {"ListRecords", "ExportRecords", "ExplainRecord", "ListQuarantine", "RedriveQuarantine", "DeleteRecords",
            "ListResults"} <= set(tried), tried


def test_what_is_listed_exported_or_told_is_of_the_own_projects(both):
    lists = [(service, method, path) for service, method, rule, routes, _ in methods() for verb, path in routes
             if verb == "GET" and "{" not in path and rule != "signed" and path not in ("/api/events", "/api/profiles:watch")]
    queries = ["/api/records?profile_id={}.orders", "/api/records:export?profile_id={}.orders&format=csv",
               "/api/results?profile_id={}.orders", "/api/reports/{}-top/runs",
               "/api/runs/{}-run-1/ledger", "/api/profiles/{}.orders/status", "/api/runs?profile_id={}.orders"]
    for project, other in (("energy", "water"), ("water", "energy")):
        own = []
        for service, method, path in lists:
            status, text = raw(both, project, "GET", path)
            refused = BINDINGS[service, method] == "refused"
            assert refused == ("PROJECTS_NOT_SERVED" in text), (path, text)
            assert other not in text, (path, text)
            own += [path] if project in text and status == 200 else []
        for path in queries:
            status, text = raw(both, project, "GET", path.format(project))
            assert status == 200 and project in text and other not in text, (path, text)
        assert {"/api/profiles", "/api/runs", "/api/reports", "/api/results", "/api/results/summary", "/api/backfills",
                "/api/legalHolds", "/api/deletions", "/api/keys"} <= set(own), own
    summary = both.as_("energy", "GET", "/api/results/summary")
    assert (summary["total_results"], [each["profile_id"] for each in summary["profiles"]]) == (5, ["energy.orders"])
    # One a page, so that what is left out would show.
    for path, field, name in (("/api/profiles", "profiles", "id"), ("/api/reports", "reports", "name"),
                              ("/api/runs", "runs", "profile_id"), ("/api/keys", "keys", "name"),
                              ("/api/backfills", "backfills", "profile_id")):
        token, seen = "", []
        while True:
            page = both.as_("energy", "GET", f"{path}?page_size=1&page_token={token}")
            assert len(page[field]) == 1, (path, page)
            seen += [each[name] for each in page[field]]
            token = page.get("next_page_token", "")
            if not token:
                break
        assert seen and all("energy" in each for each in seen), seen


def test_streams_tell_of_the_own_projects(both):
    both.as_("acme", "POST", "/api/profiles/water.spare:pause", {})
    both.as_("acme", "POST", "/api/profiles/energy.spare:pause", {})
    for project, other in (("energy", "water"), ("water", "energy")):
        profiles, events = both.watch("WatchProfiles", project), both.watch("WatchEvents", project, last_event_id="0")
        assert f"{project}.orders" in str(profiles) and any("in_sync" in each for each in profiles)
        assert f"{project}.orders" in str(events)
        assert other not in str(profiles) and other not in str(events)
    assert "water.orders" in str(both.watch("WatchEvents", "acme", last_event_id="0"))


def test_reports_are_of_the_projects_of_all_their_inputs_and_so_are_their_runs(one):
    both_sides, own = {"report": report_on("water", "energy")}, {"report": report_on("energy")}
    for verb, path, body in (("POST", "/api/reports", both_sides["report"]), ("POST", "/api/reports:export", both_sides),
                             ("PUT", "/api/reports/mine", both_sides)):
        assert one.refusal("energy", verb, path, body) == (403, "PROJECT_NOT_YOURS")
    assert one.as_("acme", "POST", "/api/reports", both_sides["report"])["row_count"] == 0  # no k is on both sides
    one.as_("acme", "PUT", "/api/reports/shared", both_sides)
    one.as_("acme", "POST", "/api/reports/shared:run", {})
    for verb, path in (("GET", "shared"), ("DELETE", "shared"), ("POST", "shared:run"), ("GET", "shared/runs"),
                       ("GET", "shared/runs/1")):
        assert one.refusal("energy", verb, f"/api/reports/{path}", {} if verb == "POST" else None) == (404, "REPORT_NOT_FOUND")
    # Names are of the tenant: this one is taken, and stays as it is.
    assert one.refusal("energy", "PUT", "/api/reports/shared", own) == (409, "REPORT_NAME_TAKEN")
    assert len(one.as_("acme", "GET", "/api/reports/shared")["report"]["inputs"]) == 2
    # From now on it is about energy alone; what it was and answered before is not.
    one.as_("acme", "PUT", "/api/reports/shared", own)
    assert one.as_("energy", "GET", "/api/reports/shared")["version"] == 2
    assert one.refusal("energy", "GET", "/api/reports/shared?version=1") == (404, "REPORT_NOT_FOUND")
    assert one.refusal("energy", "GET", "/api/reports/shared/runs/1") == (404, "REPORT_RUN_NOT_FOUND")
    assert one.as_("energy", "POST", "/api/reports/shared:run", {})["name"] == "reports/shared/runs/2"
    runs = one.as_("energy", "GET", "/api/reports/shared/runs")["runs"]
    assert [run["name"] for run in runs] == ["reports/shared/runs/2"]
    assert len(one.as_("acme", "GET", "/api/reports/shared/runs")["runs"]) == 2


def test_profiles_are_made_planned_and_pruned_in_the_own_projects_alone(one):
    assert one.refusal("energy", "POST", "/api/profiles", text_of("water", "more").encode(), YAML) == (403, "PROJECT_NOT_YOURS")
    assert one.refusal("energy", "POST", "/api/profiles", PROFILE.format(id="energy", marker="x", patch=0).encode(),
                       YAML) == (403, "PROJECT_NOT_YOURS")
    theirs = {"profiles": [{"content": text_of("energy", patch=1)}, {"content": text_of("water", patch=1)}]}
    assert one.refusal("energy", "POST", "/api/profiles:plan", theirs) == (403, "PROJECT_NOT_YOURS")
    one.as_("energy", "POST", "/api/legalHolds/energy.spare:clear", {})
    pruned = {"profiles": [{"content": text_of("energy", patch=1)}], "prune": True}
    plan = one.as_("energy", "POST", "/api/profiles:plan", pruned)
    assert [(each["profile_id"], each["action"]) for each in plan["profiles"]] == [("energy.orders", "update"),
                                                                                  ("energy.spare", "delete")]
    assert one.refusal("water", "POST", f"/api/{plan['name']}:apply", {}) == (404, "PLAN_NOT_FOUND")
    one.as_("energy", "POST", f"/api/{plan['name']}:apply", {})
    assert [each["id"] for each in one.as_("acme", "GET", "/api/profiles")["profiles"]] == ["energy.orders", "water",
                                                                                           "water.orders", "water.spare"]
    # An id of a run that is taken elsewhere is told as that, and its run stays as it was.
    posted = {"profile_id": "energy.orders", "run_id": "water-run-1", "data": [{"dims": {"k": "x"}, "measures": {"v": 1}}]}
    assert one.refusal("energy", "POST", "/api/results", posted) == (409, "RUN_EXISTS")
    assert one.as_("acme", "GET", "/api/runs/water-run-1/ledger")["balance"]["stored"] == 5


def test_a_bound_key_is_made_listed_and_kept_on_the_command_line_and_makes_none_wider(one):
    def chartly(project, *arguments):
        key_file = one.folder / f"{project}.key"
        key_file.write_text(one.keys[project])
        return one.cli(*arguments, "--key-file", key_file)
    done = chartly("acme", "key", "create", "ci", "--role", "operator", "--project", "water", "--project", "energy")
    assert done.returncode == 0, done.stderr
    one.keys["ci"] = done.stdout.strip()
    row = next(line for line in chartly("acme", "key", "list").stdout.splitlines() if "acme.ci" in line)
    assert "energy,water" in row and "operator" in row
    assert one.as_("ci", "GET", "/api/auth/caller")["projects"] == ["energy", "water"]
    assert len(one.as_("ci", "GET", "/api/profiles")["profiles"]) == 4
    assert one.refusal("ci", "GET", "/api/profiles/water") == (403, "PROJECT_NOT_YOURS")
    # A boss of energy makes keys of energy, also without saying so, and finds no others.
    assert chartly("energy", "key", "create", "mine", "--role", "viewer").returncode == 0
    wider = chartly("energy", "key", "create", "more", "--role", "viewer", "--project", "water")
    assert wider.returncode != 0 and "bound to the project energy" in wider.stderr
    listed = chartly("energy", "key", "list").stdout.splitlines()[1:]
    assert [line.split()[0] for line in listed] == ["acme.energy-boss", "acme.mine"]
    assert one.refusal("energy", "POST", "/api/keys/acme.ci:revoke", {}) == (404, "KEY_NOT_FOUND")
    assert one.refusal("energy", "POST", "/api/joinTokens", {}) == (403, "PROJECTS_NOT_SERVED")
    # The audit log says what they were bound to, done or refused, and is itself of the tenant.
    def entries():
        found = [event for event in one.as_("acme", "GET", "/api/audit/events?page_size=1000")["events"]
                 if event["actor"] in ("keys/acme.ci", "keys/acme.energy-boss")]
        actions = {(event["actor"], event["action"], event["outcome"]) for event in found}
        wanted = {("keys/acme.ci", "RegistryService.GetProfile", "PERMISSION_DENIED"),
                  ("keys/acme.energy-boss", "AuthService.CreateKey", "OK")}
        return found if wanted <= actions else None
    for event in wait_until(entries, "the audit log"):
        bound = "the projects energy, water" if event["actor"] == "keys/acme.ci" else "the project energy"
        assert event["detail"] == f"bound to {bound}", event
    assert one.refusal("ci", "GET", "/api/audit/events") == (403, "PROJECTS_NOT_SERVED")


def test_a_session_and_a_token_are_bound_as_their_key_and_claim_say(api, tmp_path):
    issuer = TokenIssuer(tmp_path)
    (tmp_path / "world").mkdir()
    world = Projects(tmp_path / "world", api, flags=[*issuer.flags(), "--oidc-tenant-claim", "tenant",
                                                     "--oidc-project-claim", "projects"])
    try:
        session = world.call("POST", "/api/session", {"api_key": world.keys["energy"]}, key=None)
        assert session["projects"] == ["energy"]
        world.keys["token"] = issuer.token("admin", tenant="acme", projects=["energy"])
        assert world.as_("token", "GET", "/api/auth/caller")["projects"] == ["energy"]
        seen = [each["id"] for each in world.as_("token", "GET", "/api/profiles")["profiles"]]
        assert seen == ["energy.orders", "energy.spare"]
        assert world.refusal("token", "GET", "/api/records?profile_id=water.orders") == (403, "PROJECT_NOT_YOURS")
        world.keys["all"] = issuer.token("admin", tenant="acme", projects="*")
        assert len(world.as_("all", "GET", "/api/profiles")["profiles"]) == 5
        world.keys["none"] = issuer.token("admin", tenant="acme")
        assert world.refusal("none", "GET", "/api/profiles") == (401, "TOKEN_PROJECTS_WRONG")
    finally:
        world.close()
        issuer.close()
