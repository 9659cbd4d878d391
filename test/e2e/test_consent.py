"""What the owner of a drone's host allows holds, whatever the control plane orders."""

PROFILE = """
id: {id}
name: {id}
version: 1.0.0
source: {{type: http_rest, url: "{url}", format: json}}
schedule: {{enabled: false, interval: 1d}}
limits: {{max_bytes: {max_bytes}}}
mapping:
  n: dims.n
"""


def test_the_owner_of_a_host_has_the_last_word(single, source, tmp_path):
    source.routes["/rows"] = lambda _query: (200, "application/json", b'[{"n": 1}, {"n": 2}]')
    consent = tmp_path / "consent.yaml"
    consent.write_text("hosts: [127.0.0.1]\npaths: [in]\nmax_bytes: 1MiB\ncpu: 0.9\nmemory: 512MiB\n")
    single.create_profile(PROFILE.format(id="fits", url=f"{source.url}/rows", max_bytes="1MiB"))
    single.create_profile(PROFILE.format(id="too-large", url=f"{source.url}/rows", max_bytes="2MiB"))
    single.create_profile(PROFILE.format(id="elsewhere", url=source.url.replace("127.0.0.1", "localhost") + "/rows",
                                         max_bytes="1MiB"))
    single.drone(flags=["--consent", consent])

    assert single.run_to_end("fits")["status"] == "succeeded"
    for refused in ("too-large", "elsewhere"):
        run = single.run_to_end(refused)
        assert (run["status"], run["error_reason"]) == ("failed", "CONSENT_DENIED"), run
    assert source.hits["/rows"] == 1
