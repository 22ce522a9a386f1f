"""The matrix as a table: a row for each engine and policy, made from what one run in the lab left behind, and the table's place in a document.

A row has one of three outcomes: `verdict` (there is a report), `refused` (the gate ended with 4 and said why), `broken` (no result: the lab stopped or
froze, or what came back is no report of that run). None of them is taken for another.
"""

import hashlib
import json
import os
import re

BEGIN = "<!-- matrix: begin (ci/lab/matrix) -->"
END = "<!-- matrix: end -->"
VERDICTS = {"PASS": 0, "FAIL": 1, "INCONCLUSIVE": 2, "BROKEN": 3, "VOID": 3}
REFUSED = 4  # the exit status of the gate, and of the lab, for what can't be had


class NotHere(Exception):
    """The lab itself can't be had on this host: there is no row to make."""


def of_run(engine, policy, status, directory, said):
    """The row of one run: `status` and `said` (its standard error) are of ci/lab/run, which brought the report to `directory`."""
    row = {"engine": engine, "policy": policy}
    last = (said.strip().splitlines() or [""])[-1]
    booted = re.search(r"^lab: booting, (on KVM|emulated)", said, re.MULTILINE)
    if booted:
        row["processor"] = booted[1]
    if last.startswith("ci/lab/run: "):
        what = last.removeprefix("ci/lab/run: ")
        if status == REFUSED:
            raise NotHere(what)
        return {**row, "broken": what.removesuffix(": BROKEN")}
    if not (directory / "report.json").exists():
        if status == REFUSED:
            return {**row, "refused": last.removeprefix("bottle-gate: ")}
        return {**row, "broken": f"no report came back, exit status {status}"}
    try:
        return {**row, **of_report(json.loads((directory / "report.json").read_text()), engine, policy, status)}
    except (ValueError, KeyError, TypeError) as error:
        return {**row, "broken": f"the report can't be read ({type(error).__name__}: {error})"}


def of_report(report, engine, policy, status):
    verdict, attempts, backend = report["verdict"], report["attempts"], report["backend"]
    escaped = [attempt for attempt in attempts if attempt["verdict"] == "ESCAPED"]
    if backend["name"] == "smolmachines" and not backend["engine"]:
        return {"broken": f"{verdict} before there was a machine: {report['reason']}"}
    if (backend["name"], backend["engine"], backend["version"], backend["policy"]) != ("smolmachines", "smolvm", engine, policy):
        return {"broken": f"the report is of {backend['engine']} {backend['version']}, {backend['policy']}"}
    if not status == report["exit"] == VERDICTS[verdict] or (verdict == "FAIL") != bool(escaped):
        return {"broken": f"the report says {verdict}, {len(escaped)} escaped, and the exit status was {status}"}
    return {
        "verdict": verdict,
        "reason": report["reason"],
        "attempts": len(attempts),
        "escaped": count(attempt["id"] for attempt in escaped),
        "who": count(attempt["principal"] for attempt in escaped),
        "seconds": round(report["milliseconds"]["total"] / 1000),
        "run": report["run"],
    }


def count(words):
    words = sorted(words)
    return {word: words.count(word) for word in words}


def same(one, other):
    """Do both rows say the same of the engine? How many of a vector's attempts got out may differ: an engine that serves few at a time refuses others by chance."""
    return all(one.get(key) == other.get(key) for key in ("verdict", "refused", "broken")) and \
        all(set(one.get(key, ())) == set(other.get(key, ())) for key in ("escaped", "who"))


def merge(old, new, engines, policies):
    """The rows of the record with the new ones in their places, in the order of the table; what isn't pinned any more is dropped."""
    found = {(row["engine"], row["policy"]): row for row in [*old, *new]}
    return [found[engine, policy] for engine in engines for policy in policies if (engine, policy) in found]


def cell(text):
    """Text for one cell: an engine's words can't end it."""
    return " ".join(text.split()).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")


def outcome(row):
    if "broken" in row:
        text = "no result: " + cell(row["broken"])
    elif "refused" in row:
        text = "refused: " + cell(row["refused"])
    else:
        text = row["verdict"] + (": " + cell(row["reason"]) if row["verdict"] not in ("PASS", "FAIL") else "")
    return text + (f" (made again; the first time: {cell(row['again'])})" if "again" in row else "")


def listed(counts, shape):
    return ", ".join(shape.format(word=word, number=number) for word, number in counts.items()) or "-"


def markdown(rows):
    lines = ["| smolvm | policy | verdict | attempts | escaped: vector (attempts) | who | took |", "| --- | --- | --- | --- | --- | --- | --- |"]
    for row in rows:
        told = "verdict" in row
        lines.append("| " + " | ".join((
            row["engine"], f"`{row['policy']}`", outcome(row), str(row["attempts"]) if told else "-",
            listed(row["escaped"], "{word} ({number})") if told else "-", listed(row["who"], "{word} {number}") if told else "-",
            f"{row['seconds']} s" + (", emulated" if row.get("processor") == "emulated" else "") if told else "-")) + " |")
    return "\n".join(lines) + "\n"


def placed(text, table, first=BEGIN, last=END):
    """The document with the table between the markers, or None if it hasn't both, once and in that order."""
    before, begin, rest = text.partition(first + "\n")
    _, end, after = rest.partition(last)
    if not begin or not end or first in after or last in before + after:
        return None
    return before + begin + table + end + after


def digest(files):
    """Of these files' names and contents: what is made from them carries it in its name."""
    total = hashlib.sha256()
    for file in sorted(files):
        total.update(file.name.encode() + b"\0" + hashlib.sha256(file.read_bytes()).digest())
    return total.hexdigest()[:16]


def replace(path, text):
    """The whole new file or the old one."""
    new = path.with_name(f".{path.name}.new")
    new.write_text(text)
    os.replace(new, path)
