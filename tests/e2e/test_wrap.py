"""`--backend=wrap`: real sandboxes of other people, as a command each, with exactly the ways out that they truly leave open."""

import base64
import json
import pathlib
import shlex
import zlib

import pytest

BWRAP = "bwrap --unshare-all --ro-bind / / --dev /dev --proc /proc"
# What a descriptor closes that the sandbox would pass on; dash knows descriptors of one digit only.
CLOSED = """bash -c 'for d in /proc/$$/fd/*; do d=${d##*/}; if [ "$d" -gt 2 ]; then eval "exec $d>&-"; fi; done; exec %s {probe}'"""


def run(account, wrap, *arguments, opened="{probe}"):
    return account.run("bottle-gate", "run", "--backend=wrap", f"--wrap={wrap}", *([f"--wrap-open={opened}"] if opened else []), "--format=json",
                       *arguments)


def escaped(report):
    return {attempt["id"] for attempt in report["attempts"] if attempt["verdict"] == "ESCAPED"}


def seen(result, status):
    assert result.returncode == status, result.stdout + result.stderr
    return json.loads(result.stdout)


def test_bubblewrap_passes_where_it_hides_run_and_inherits_nothing(account):
    report = seen(run(account, CLOSED % f"{BWRAP} --tmpfs /run"), 0)
    assert report["verdict"] == "PASS" and report["counts"]["blocked"] == len(report["attempts"]) > 250
    backend = report["backend"]
    assert (backend["name"], backend["engine"]) == ("wrap", "bash")
    for name in ("user", "mnt", "pid", "net", "ipc", "uts"):
        assert name in backend["details"]["fingerprint"].partition("namespaces of its own:")[2]
    unproved = {entry["id"]: entry["reason"] for entry in report["not_proved"]}
    assert "no second bottle" in unproved["BG-028"]


def test_bubblewrap_as_its_page_shows_it_lets_control_sockets_and_descriptors_through(account):
    report = seen(run(account, BWRAP + " {probe}"), 1)
    assert escaped(report) == {"BG-112", "BG-116"}
    assert {attempt["verdict"] for attempt in report["attempts"]} == {"BLOCKED", "ESCAPED"}
    assert (report["backend"]["engine"], report["backend"]["version"].split()[0]) == ("bwrap", "bubblewrap")
    remedies = {attempt["id"]: attempt["remedy"] for attempt in report["attempts"]}
    assert "--tmpfs /run" in remedies["BG-112"] and "close every descriptor" in remedies["BG-116"] and "--unshare-net" in remedies["BG-022"]


def test_what_leaks_in_the_table_of_sandboxes_is_told_with_how_that_sandbox_shuts_it(account):
    top = pathlib.Path(__file__).resolve().parents[2]
    names = {"bubblewrap": "bwrap", "Landlock": "landlock"}
    rows = [row for row in json.loads((top / "ci/sandboxes/record.json").read_text()) if row["escaped"] and not row["name"].startswith("Docker")]
    leaks = {(names.get(word, word), vector) for row in rows for word in [row["name"].partition(":")[0].split()[0]] for vector in row["escaped"]}
    for vector in sorted({vector for _, vector in leaks}):
        told = json.loads(account.run("bottle-gate", "explain", "--json", vector).stdout)["sandbox_remedies"]
        assert {name for name, leak in leaks if leak == vector} <= set(told), vector


def test_unshare_shuts_the_network_and_nothing_else(account):
    report = seen(run(account, "unshare --user --map-root-user --net {probe}"), 1)
    assert escaped(report) == {"BG-112", "BG-116"}


def test_a_sandbox_that_shares_the_network_leaks_all_of_it(account):
    report = seen(run(account, BWRAP + " --share-net --tmpfs /run {probe}", "--vector=BG-020,BG-022,BG-048,BG-112", "--wrap-door=direct"), 1)
    assert escaped(report) == {"BG-020", "BG-022", "BG-048"}
    assert all(attempt["controls"]["door_before"] is True for attempt in report["attempts"])


@pytest.mark.parametrize("door", ["10.88.0.1", "direct"])
def test_the_door_is_tried_where_it_is_said_to_be(account, door):
    """Behind a sandbox without a network it isn't there, and then silence says nothing."""
    report = seen(run(account, BWRAP + " --tmpfs /run {probe}", "--vector=BG-022", f"--wrap-door={door}"), 2)
    assert "door" in report["reason"] or {attempt["reason"] for attempt in report["attempts"]} == {"DOOR_BEFORE"}


def test_a_command_that_puts_nothing_around_what_it_runs_is_no_sandbox(account):
    report = seen(run(account, "env {probe}", "--vector=BG-022"), 3)
    assert "nothing around" in report["reason"]


def test_it_is_looked_at_as_who_tries_something(account):
    """A sandbox that only root can run."""
    only = "test $(id -u) = 0 && exec unshare --net {probe}"
    report = seen(run(account, only, "--vector=BG-049", "--as=root"), 0)
    assert {attempt["principal"] for attempt in report["attempts"]} == {"root"}


@pytest.mark.parametrize("wrap, why", [
    ("no-such-sandbox {probe}", "did not run what it was given: sh: 1: no-such-sandbox: "),
    ("bwrap --no-such-option {probe}", "Unknown option --no-such-option"),
    (": {probe}", "it said nothing"),
    ("echo bottle-step waits; : {probe}", "is not among this host's processes"),
])
def test_a_sandbox_that_runs_nothing_proves_nothing_and_its_last_words_are_told(account, wrap, why):
    result = run(account, wrap, "--vector=BG-022")
    assert result.returncode in (2, 3) and why in json.loads(result.stdout)["reason"], result.stdout


def test_what_a_sandbox_leaves_running_ends_with_it(account):
    report = seen(run(account, f"sh -c 'sleep 1000 & exec {BWRAP} --tmpfs /run {{probe}}'", "--vector=BG-022"), 0)
    assert report["verdict"] == "PASS"


def test_a_sandbox_that_runs_another_program_is_believed_nothing(account):
    """It runs the first command as it should, and then one that says nothing."""
    report = seen(run(account, "sh -c 'case \"$*\" in *step*) exec setpriv --no-new-privs $*;; *) exec true;; esac' sh {probe}", "--vector=BG-022"), 2)
    assert not {attempt["verdict"] for attempt in report["attempts"]} & {"BLOCKED", "ESCAPED"}


def behind_proxy(*settings):
    """The sandbox of behind_proxy.py. The site has a /tmp of its own, and the tests' files may be in this one: the program is in the line."""
    program = base64.b64encode(zlib.compress((pathlib.Path(__file__).parent / "behind_proxy.py").read_bytes())).decode()
    write = ("import base64,os,sys,tempfile,zlib;file,name=tempfile.mkstemp();os.write(file,zlib.decompress(base64.b64decode(sys.argv[1])));"
             "os.fchmod(file,0o444);os.execv(sys.executable,['python3',name,*sys.argv[2:]])")
    return f"/usr/bin/python3 -c {shlex.quote(write)} {program} {shlex.join(settings)} -- {{probe}}"


DOOR_ONLY = ["Allow 127.0.0.1", "ConnectPort 7701"]


@pytest.mark.parametrize("settings, door", [
    (DOOR_ONLY, "http://127.0.0.1:3128"),
    ([*DOOR_ONLY, "BasicAuth me secret"], "http://me:secret@localhost:3128"),
    ([*DOOR_ONLY, "BasicAuth me secret"], "env:HTTPS_PROXY"),
])
def test_a_door_by_a_proxy_is_tried_through_it_and_the_proxy_is_inside_the_fence(account, settings, door):
    report = seen(run(account, behind_proxy(*settings), "--vector=BG-001,BG-022", "--sweep=all", f"--wrap-door={door}"), 0)
    assert report["counts"]["blocked"] == len(report["attempts"]) == 16
    assert all(attempt["controls"]["door_before"] is True and attempt["controls"]["door_after"] is True for attempt in report["attempts"])
    assert "the door by a proxy" in report["backend"]["details"]["fingerprint"]


@pytest.mark.parametrize("settings, door", [
    (["Allow 127.0.0.1", "ConnectPort 443"], "http://127.0.0.1:3128"),
    ([*DOOR_ONLY, "BasicAuth me secret"], "http://me:wrong@127.0.0.1:3128"),
    (DOOR_ONLY, "http://127.0.0.1:3129"),
    (DOOR_ONLY, "socks5://127.0.0.1:3128"),
    (DOOR_ONLY, "env:NOBODYS_PROXY"),
    (["swallow"], "http://127.0.0.1:3128"),
])
def test_a_proxy_that_does_not_lead_to_the_door_leaves_silence_without_a_meaning(account, settings, door):
    report = seen(run(account, behind_proxy(*settings), "--vector=BG-022", f"--wrap-door={door}"), 2)
    assert all("did not reach its door" in attempt["reason"] for attempt in report["attempts"])


def test_a_port_that_leads_to_a_listener_of_the_sandboxs_own_leads_nowhere(account):
    report = seen(run(account, behind_proxy("swallow"), "--vector=BG-001", "--sweep=all"), 0)
    assert report["verdict"] == "PASS"


def test_a_port_that_leads_on_to_the_host_is_an_escape(account):
    """The first hop is the sandbox's own; what it passes on is heard at the next."""
    report = seen(run(account, behind_proxy("relay 22"), "--vector=BG-001", "--sweep=all"), 1)
    hits = [hit for attempt in report["attempts"] for hit in attempt["hits"]]
    assert escaped(report) == {"BG-001"} and {hit["at"] for hit in hits} == {"127.0.0.1:22"}


@pytest.mark.parametrize("arguments, why", [
    ([], "backend wrap needs a command"),
    (["--wrap=true"], "--wrap: there is no {probe} in it"),
    (["--wrap={probe}", "--wrap-open=true"], "--wrap-open: there is no {probe} in it"),
    (["--wrap={probe}", "--wrap-door=tomorrow"], "--wrap-door is none, direct, an IPv4 address"),
    (["--wrap={probe}", "--wrap-door=10.0.2.2:0"], "--wrap-door is none, direct, an IPv4 address"),
    (["--wrap={probe}", "--wrap-door=10.0.2.2:65536"], "--wrap-door is none, direct, an IPv4 address"),
    (["--wrap={probe}", "--wrap-door=http://proxy.example:80"], "--wrap-door: the proxy's host is neither an IP literal nor localhost"),
    (["--wrap={probe}", "--wrap-door=https://localhost:80"], "--wrap-door: a proxy is http://HOST:PORT or socks5://HOST:PORT"),
    (["--wrap={probe}", "--wrap-door=http://localhost"], "--wrap-door: the proxy has no port"),
    (["--wrap={probe}", "--wrap-door=env:"], "--wrap-door: env: and no name of a variable"),
    (["--wrap={probe}", "--wrap-door=http://localhost:80" + "/" * 100], "--wrap-door: the proxy is too long"),
    (["--wrap={probe}" + "x" * 5000], "longer than"),
    (["--wrap={probe}", "--mutant=network"], "no fences that could be left out"),
    (["--wrap={probe}", "--self-proof=each"], "no fences that could be left out"),
    (["--backend=native", "--wrap={probe}"], "backend native has no use for it"),
    (["--wrap={probe} {door}"], "there is none: see --wrap-door"),
])
def test_what_makes_no_sense_is_refused_in_one_line(account, arguments, why):
    backend = [] if any(argument.startswith("--backend") for argument in arguments) else ["--backend=wrap"]
    result = account.run("bottle-gate", "run", *backend, *arguments)
    assert result.returncode == 4 and why in result.stderr and result.stderr.count("\n") == 1, result.stderr


def test_without_an_open_form_only_the_bare_run_stands_behind_it_and_that_must_be_accepted(account):
    closed = CLOSED % f"{BWRAP} --tmpfs /run"
    report = seen(run(account, closed, "--vector=BG-022,BG-049,BG-116", opened=None), 2)
    assert {attempt["verdict"] for attempt in report["attempts"]} == {"INCONCLUSIVE"} and report["self_proof"]["mode"] == "bare"
    report = seen(run(account, closed, "--vector=BG-022,BG-049,BG-116", "--accept-unproved=open", opened=None), 0)
    assert {attempt["verdict"] for attempt in report["attempts"]} == {"BLOCKED"}
    report = seen(run(account, BWRAP + " {probe}", "--vector=BG-022,BG-116", "--accept-unproved=open", opened=None), 1)
    assert escaped(report) == {"BG-116"}
