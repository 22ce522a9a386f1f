"""Reports as other people's programs read them: JSON Schema, TAP, JUnit XML, Markdown; the directory of --report; replay.

The schema for JUnit XML is that of Jenkins' xUnit plugin, a file of pytest 8.3.4's source distribution (its SHA-256 is below); the
TAP parser of perl 5.36 knows version 13 only, of which 14 is a superset, so it gets the stream under that number.
"""

import copy
import hashlib
import json
import os
import pathlib
import re
import stat
import subprocess

import jsonschema
import pytest
from junitparser import JUnitXml
from lxml import etree
from markdown_it import MarkdownIt

from conftest import BOUND
from other_probe import workshop  # noqa: F401, a fixture

FILES = ["evidence.json", "report.json", "report.md", "report.tap", "report.txt", "report.xml"]
JUNIT_SCHEMA = pathlib.Path(__file__).with_name("junit-10.xsd")
JUNIT_DIGEST = "a1a816f58d1bf95ebabf371994df0b9246dee66ea9572fbec4f9296f1b2c0ff6"

# A run of each verdict: its exit status and its options.
RUNS = {
    "PASS": (0, ["--sweep=sample"]),
    "PASS each": (0, ["--self-proof=each", "--vector=BG-112,BG-116,BG-001", "--sweep=sample"]),
    "PASS accepted": (0, ["--vector=BG-067,BG-020", "--accept-unproved=BG-067,BG-020"]),
    "PASS bare": (0, ["--self-proof=bare", "--accept-unproved=open,BG-067", "--vector=BG-067,BG-020"]),
    "FAIL accepted": (1, ["--vector=BG-067,BG-020", "--accept-unproved=BG-067", "--mutant=network"]),
    "INCONCLUSIVE accepted": (2, ["--vector=BG-067", "--accept-unproved=BG-067"]),
    "FAIL": (1, ["--mutant=network"]),
    "INCONCLUSIVE": (2, ["--self-proof=off", "--sweep=off"]),
    "INCONCLUSIVE empty": (2, ["--vector=BG-001", "--sweep=off"]),
    "VOID": (3, ["--mutant=network", "--vector=BG-114"]),
}


def closed(schema):
    """The schema with no room for what it doesn't know: our own reports have no field that it doesn't tell of."""
    if isinstance(schema, list):
        return [closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: closed(value) for key, value in schema.items()}
    if schema.get("type") in ("object", ["object", "null"]) and "properties" in schema and "if" not in schema:
        made.setdefault("additionalProperties", False)
    return made


def hold_to_schema(account, name, document):
    schema = json.loads((account.programs.parent / f"share/bottle-gate/{name}.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    for each in (schema, closed(schema)):
        problems = [f"{error.json_path}: {error.message[:200]}" for error in
                    jsonschema.Draft202012Validator(each).iter_errors(document)]
        assert problems == []


TAP_READER = r"""
use TAP::Parser; local $/; my $tap = <STDIN>; $tap =~ s/^TAP version 14\n/TAP version 13\n/ or die "no version";
my $parser = TAP::Parser->new({ tap => $tap }); my (%yaml, $last);
while (my $result = $parser->next) {
    $last = $result->number if $result->is_test;
    $yaml{$last} = $result->data if $result->is_yaml;
    die "unknown: " . $result->as_string if $result->is_unknown;
}
die join "; ", $parser->parse_errors if $parser->parse_errors;
use JSON::PP;
print encode_json({ planned => $parser->tests_planned, run => $parser->tests_run, failed => [$parser->failed],
                    skipped => [$parser->skipped], todo => [$parser->todo], yaml => \%yaml });
"""


def read_tap(text):
    return json.loads(subprocess.run(["perl", "-e", TAP_READER], input=text, text=True, check=True, capture_output=True).stdout)


def points_of(report):
    """How many points a report has beside its attempts: the pairs of fences and the verdict."""
    return len([mutant for mutant in report["self_proof"]["mutants"] if "proved" in mutant]) + 1


def check_tap(text, report):
    found = read_tap(text)
    assert found["planned"] == found["run"] == len(report["attempts"]) + points_of(report)
    wrong = [number for number, attempt in enumerate(report["attempts"], 1) if attempt["verdict"] != "BLOCKED"]
    accepted = [number for number in wrong if report["attempts"][number - 1]["accepted"]]
    assert found["skipped"] == [] and found["todo"] == accepted
    failed = [number for number in wrong if number not in accepted]
    assert found["failed"] == failed + ([] if report["verdict"] == "PASS" else [found["planned"]])
    for number in wrong:
        attempt, yaml = report["attempts"][number - 1], found["yaml"][str(number)]
        assert yaml["verdict"] == attempt["verdict"] and yaml["reason"] == attempt["reason"]
        assert yaml["remedy"] == attempt["remedy"]
        assert [hit["at"] for hit in yaml.get("heard", [])] == [hit["at"] for hit in attempt["hits"]]
    for entry in report["not_proved"]:
        assert re.search(f"^# not proved here: {entry['id']}: ", text, re.M)
    result = subprocess.run(["prove", "-Q", "--exec", "cat", "/dev/stdin"], input=text.replace("14", "13", 1), text=True,
                            capture_output=True, timeout=BOUND, check=False)
    assert (result.returncode == 0) == (report["verdict"] == "PASS"), result.stdout


def check_junit(path, report):
    assert hashlib.sha256(JUNIT_SCHEMA.read_bytes()).hexdigest() == JUNIT_DIGEST
    schema = etree.XMLSchema(etree.parse(str(JUNIT_SCHEMA)))
    schema.assertValid(etree.parse(str(path)))
    xml = JUnitXml.fromfile(str(path))
    cases = [case for suite in xml for case in suite]
    by_result = {"Failure": 0, "Error": 0, "Skipped": 0}
    for case in cases:
        for result in case.result:
            by_result[type(result).__name__] += 1
    counts, failed = report["counts"], report["verdict"] == "FAIL"
    accepted = len([attempt for attempt in report["attempts"] if attempt["accepted"]])
    assert len(cases) == xml.tests == len(report["attempts"]) + points_of(report)
    assert by_result["Failure"] == xml.failures == counts["escaped"] + failed
    assert by_result["Error"] == xml.errors == (counts["inconclusive"] - accepted + counts["broken"] +
                                                (report["verdict"] not in ("PASS", "FAIL")))
    assert by_result["Skipped"] == xml.skipped == accepted
    assert {suite.name for suite in xml} == {attempt["family"] for attempt in report["attempts"]} | {"run"}
    for suite in xml:
        kinds = [type(result).__name__ for case in suite for result in case.result]
        assert (suite.tests, suite.failures, suite.errors, suite.skipped) == (
            len(list(suite)), kinds.count("Failure"), kinds.count("Error"), kinds.count("Skipped"))
    told = sorted((case.classname, case.name) for suite in xml if suite.name != "run" for case in suite)
    assert told == sorted((a["id"], f"{a['target']} as {a['principal']}") for a in report["attempts"])


def tables_of(text):
    tables, row = [], None
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        assert token.type not in ("html_block", "code_block", "fence")
        if token.type == "table_open":
            tables.append([])
        elif token.type == "tr_open":
            row = []
            tables[-1].append(row)
        elif token.type == "inline" and row is not None:
            row.append("".join(child.content for child in token.children))
        elif token.type == "table_close":
            row = None
    return [table[1:] for table in tables]


def check_markdown(text, report):
    assert text.startswith(f"## bottle-gate: {report['verdict']}\n")
    tables = tables_of(text)
    families = tables.pop(0)
    assert len(families) == len({attempt["family"] for attempt in report["attempts"]})
    assert sum(int(row[1]) for row in families) == report["counts"]["blocked"]
    wrong = [attempt for attempt in report["attempts"] if attempt["verdict"] != "BLOCKED"]
    if wrong:
        rows = tables.pop(0)
        assert sorted(row[:4] for row in rows) == sorted([a["verdict"], a["id"], a["target"], a["principal"]] for a in wrong)
    if points_of(report) > 1:
        assert len(tables.pop(0)) == points_of(report) - 1
    if report["not_proved"]:
        assert [row[0] for row in tables.pop(0)] == [entry["id"] for entry in report["not_proved"]]
    assert tables == []


def all_files(directory):
    return sorted(os.listdir(directory))


@pytest.mark.parametrize("kind", RUNS)
def test_every_format_of_a_real_run_is_read_by_other_peoples_parsers(account, kind, workshop):  # noqa: F811
    status, options = RUNS[kind]
    verdict = kind.split()[0]
    out = account.home / "out"
    runs = account
    if "BG-067" in " ".join(options):  # nobody can tell whether it would be noticed
        runs = workshop.account(account, "hostile/no_udplite.c", "-Wl,--wrap=socket")
    if verdict == "VOID":  # nothing gets out, though the fence is left out
        runs = workshop.account(account, "hostile/no_unix_sockets.c", "-Wl,--wrap=socket")
    result = runs.run("bottle-gate", "run", *options, f"--report={out}")
    assert result.returncode == status, result.stdout + result.stderr
    assert result.stderr == "" and all_files(out) == FILES and all_files(account.home) == ["out"]
    report, evidence = (json.loads((out / f"{name}.json").read_text()) for name in ("report", "evidence"))
    assert report["verdict"] == verdict
    if kind == "VOID":
        assert report["counts"]["blocked"] == len(report["attempts"]) > 0
    accepted = {attempt["id"] for attempt in report["attempts"] if attempt["accepted"]}
    assert accepted == {vector for vector in ["BG-067"] if runs is not account and verdict != "VOID"}
    assert report["accepted"] == [what for what in ["open"] if kind == "PASS bare"] + sorted(accepted)
    last = (out / "report.txt").read_text().split(f"\n{verdict}  ")[1].splitlines()
    assert [line for line in last if line.startswith("accepted without proof: ")] == (
        [f"accepted without proof: {', '.join(report['accepted'])}"] if report["accepted"] else [])
    hold_to_schema(account, "report", report)
    hold_to_schema(account, "evidence", evidence)
    check_tap((out / "report.tap").read_text(), report)
    check_junit(out / "report.xml", report)
    check_markdown((out / "report.md").read_text(), report)
    assert re.search(f"^{verdict}  ", (out / "report.txt").read_text(), re.M)
    assert result.stdout == (out / "report.txt").read_text()

    again = account.run("bottle-gate", "replay", str(out))
    assert (again.returncode, again.stdout, again.stderr) == (0, f"agrees: {verdict}\n", "")
    told = json.loads(account.run("bottle-gate", "replay", "--json", str(out)).stdout)
    assert told == {"schema": "bottle-gate/replay/1", "agrees": True, "verdict": verdict, "difference": None}


@pytest.mark.parametrize("name, begins", [("tap", "TAP version 14\n"), ("junit", "<?xml "), ("markdown", "## bottle-gate: PASS"),
                                          ("json", "{"), ("pretty", "bottle-gate ")])
def test_each_format_goes_to_standard_output_too(account, name, begins):
    result = account.run("bottle-gate", "run", f"--format={name}", "--vector=BG-114")
    assert result.returncode == 0 and result.stdout.startswith(begins) and result.stderr == ""


def test_a_report_is_replaced_and_anything_else_is_left_alone_before_the_run_starts(account):
    out = account.home / "out"
    for _ in range(2):
        before = (out / "report.json").read_text() if out.exists() else ""
        assert account.run("bottle-gate", "run", "-q", "--vector=BG-114", f"--report={out}").returncode == 0
        assert (out / "report.json").read_text() != before and all_files(account.home) == ["out"]
        assert account.is_root or out.stat().st_uid == account.uid
        assert not stat.S_IMODE(out.stat().st_mode) & 0o022
    (out / "diary.txt").write_text("mine") if account.is_root else subprocess.run(
        [*account.prefix(), "sh", "-c", f"echo mine > {out}/diary.txt"], check=True)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    result = account.run("bottle-gate", "run", "--vector=BG-114", f"--report={out}")
    assert result.returncode == 4 and result.stdout == ""
    assert len(result.stderr.splitlines()) == 1 and "diary.txt" in result.stderr
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    for path, why in (("/proc/out", "can't put a report"), (str(account.home / "no/where"), "make that directory first")):
        result = account.run("bottle-gate", "run", f"--report={path}")
        assert result.returncode == 4 and result.stdout == "" and why in result.stderr
        assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("option, verdict, status", [("--sweep=sample", "PASS", 3), ("--mutant=network", "FAIL", 1)])
def test_a_disk_that_is_full_makes_a_pass_no_success_and_leaves_an_escape_one(account, option, verdict, status):
    small = account.home / "small"
    subprocess.run([*account.prefix(), "mkdir", str(small)], check=True)
    gate = account.command("bottle-gate", "run", "-q", option, f"--report={small}/out")[len(account.prefix()):]
    shell = f'mount -t tmpfs -o size=100k tmpfs {small} && {{ "$@"; status=$?; ls -A {small}; exit $status; }}'
    result = subprocess.run([*account.prefix(), "unshare", "--user", "--map-root-user", "--mount", "sh", "-c", shell, "sh", *gate],
                            text=True, capture_output=True, timeout=BOUND, env=account.environment(), check=False)
    assert result.returncode == status, result.stdout + result.stderr
    assert result.stdout.startswith(verdict) and len(result.stdout.splitlines()) == 1, "something was left on the disk"
    assert len(result.stderr.splitlines()) == 1 and "No space left" in result.stderr


def tampered(evidence, report):
    """Evidence or a report that somebody has mended, and what replay must say to it."""
    def change(document, *path, to):
        made = copy.deepcopy(document)
        place = made
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = to
        return made
    fenced = evidence["phases"][2]
    yield change(evidence, "phases", 2, "hits", to=[]), report, 3, "BLOCKED by the evidence"
    yield evidence, change(report, "verdict", to="PASS"), 3, "verdict is PASS in report.json, and FAIL"
    yield evidence, change(report, "attempts", 0, "verdict", to="BLOCKED"), 3, report["attempts"][0]["id"]
    yield change(evidence, "phases", 0, "control_final", to=False), report, 0, "agrees: FAIL"  # an escape is one all the same
    yield change(evidence, "plan", 0, "vector", to="BG-999"), report, 4, "none that this build has"
    yield change(evidence, "plan", 0, "target", to="192.0.2.1"), report, 4, "none that this build has"
    yield change(evidence, "phases", 2, "hits", 0, "seq", to=len(evidence["plan"]) + 1), report, 4, "seq"
    yield change(evidence, "phases", 2, "parts", to=fenced["parts"] + fenced["parts"]), report, 4, "is there twice"
    yield change(evidence, "schema", to="bottle-gate/evidence/2"), report, 4, "schema"
    yield evidence, change(report, "attempts", to=7), 4, "attempts"
    yield [], report, 4, "schema"


def test_replay_names_what_differs_and_refuses_what_it_cannot_judge(account, tmp_path):
    out = account.home / "out"
    assert account.run("bottle-gate", "run", "-q", "--vector=BG-114,BG-020", "--mutant=network", f"--report={out}").returncode == 1
    evidence, report = (json.loads((out / f"{name}.json").read_text()) for name in ("evidence", "report"))
    place = tmp_path / "copy"
    place.mkdir()
    for directory in (place, tmp_path, tmp_path.parent):
        os.chmod(directory, 0o755)
    for one, other, status, said in [(evidence, report, 0, "agrees: FAIL"), *tampered(evidence, report)]:
        (place / "evidence.json").write_text(json.dumps(one))
        (place / "report.json").write_text(json.dumps(other))
        result = account.run("bottle-gate", "replay", str(place))
        assert result.returncode == status, (said, result.stdout + result.stderr)
        assert said in (result.stderr if status == 4 else result.stdout)
        assert len((result.stdout + result.stderr).splitlines()) == 1
        if status == 3:
            told = json.loads(account.run("bottle-gate", "replay", str(place), "--json").stdout)
            assert told["agrees"] is False and said in told["difference"]


def test_replay_refuses_what_is_no_report(account, tmp_path):
    for directory in (tmp_path, tmp_path.parent):
        os.chmod(directory, 0o755)
    def refused(why, *arguments):
        result = account.run("bottle-gate", "replay", *arguments)
        assert result.returncode == 4 and result.stdout == "" and len(result.stderr.splitlines()) == 1
        assert why in result.stderr
    refused("the directory of a report is missing")
    refused("can't open", str(tmp_path / "nowhere"))
    refused("too many operands", str(tmp_path), str(tmp_path))
    refused("can't open evidence.json", str(tmp_path))
    evidence = tmp_path / "evidence.json"
    os.mkfifo(evidence)
    os.chmod(evidence, 0o644)
    refused("no regular file", str(tmp_path))
    evidence.unlink()
    evidence.symlink_to("/etc/hostname")
    refused("can't open evidence.json", str(tmp_path))
    evidence.unlink()
    for text, why in (("[" * 100000, "nested too deeply"), ("{\"a\":" + "[0" + ",0" * 1100000 + "]}", "too many values"),
                      ("{", "no JSON"), ("", "no JSON")):
        evidence.write_text(text)
        refused(why, str(tmp_path))
    with open(evidence, "wb") as file:
        file.truncate(33 << 20)
    refused("too large", str(tmp_path))


def test_keep_keeps_the_same_set(account):
    result = account.run("bottle-gate", "run", "--keep", "-q", "--vector=BG-114")
    assert result.returncode == 0, result.stderr
    directory = pathlib.Path(re.search(r"kept in (\S+)", result.stderr).group(1))
    assert all_files(directory) == FILES and stat.S_IMODE(directory.parent.stat().st_mode) == 0o700
    report = json.loads((directory / "report.json").read_text())
    assert directory.name == report["run"]
    assert account.run("bottle-gate", "replay", str(directory)).stdout == "agrees: PASS\n"


def test_no_nonce_and_no_key_is_in_the_evidence(account):
    """What stands there in hexadecimal is the run's id, the probe's digest, each phase's token and proof of the door, and no more."""
    out = account.home / "out"
    assert account.run("bottle-gate", "run", "-q", "--vector=BG-114,BG-020", f"--report={out}").returncode == 0
    evidence = json.loads((out / "evidence.json").read_text())
    known = {evidence["of"]["run"], evidence["of"]["probe_digest"]}
    for phase in evidence["phases"]:
        known.add(phase["token"])
        for part in phase["parts"]:
            ends = (0, part["count"] - 1)
            known |= {act["did"]["proof"] for act in part["acts"] if act["seq"] in ends}
    found = set(re.findall(r"\b[0-9a-f]{16,}\b", json.dumps(evidence)))
    assert found <= known


def test_without_a_place_for_the_evidence_a_run_is_no_success(account):
    """--keep where the run-time directory belongs to somebody else."""
    (account.home / "bottle-gate").symlink_to("/tmp")
    result = account.run("bottle-gate", "run", "--keep", "-q", "--vector=BG-114")
    assert result.returncode == 3 and "not a directory of yours" in result.stderr and result.stdout.startswith("PASS")
