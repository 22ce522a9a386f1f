/* Hostile texts in the spelling of each format, and the formats as other people's parsers read them. */
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../gates/report/escape.h"
#include "../../gates/report/report.h"
#include "gates_report_run.h"

static char *spelled(void (*escape)(const char *, FILE *), const char *text)
{
    static char spelling[4096];
    FILE *stream = fmemopen(spelling, sizeof spelling, "w+"); /* terminated, though nothing be written */
    escape(text, stream);
    fclose(stream);
    return spelling;
}

static const struct {
    const char *text, *xml, *markdown, *tap, *yaml, *utf8;
} cases[] = {
    { "plain", "plain", "plain", "plain", "\"plain\"", "plain" },
    { "\xc3\xa9\xf0\x9f\x8d\xbe", "\xc3\xa9\xf0\x9f\x8d\xbe", "\xc3\xa9\xf0\x9f\x8d\xbe", "\xc3\xa9\xf0\x9f\x8d\xbe",
      "\"\xc3\xa9\xf0\x9f\x8d\xbe\"", "\xc3\xa9\xf0\x9f\x8d\xbe" },
    { "<&>\"'", "&#60;&#38;&#62;&#34;&#39;", "\\<\\&\\>\\\"\\'", "<&>\"'", "\"<&>\\\"'\"", "<&>\"'" },
    { "]]>", "]]&#62;", "\\]\\]\\>", "]]>", "\"]]>\"", "]]>" },
    { "a|b`*_[x](y)", "a|b`*_[x](y)", "a\\|b\\`\\*\\_\\[x\\]\\(y\\)", "a|b`*_[x](y)", "\"a|b`*_[x](y)\"",
      "a|b`*_[x](y)" },
    { "a # SKIP \\", "a # SKIP \\", "a \\# SKIP \\\\", "a \\# SKIP \\\\", "\"a # SKIP \\\\\"", "a # SKIP \\" },
    { "a\nb\rc\t", "a?b?c?", "a?b?c?", "a?b?c?", "\"a\\x0ab\\x0dc\\x09\"", "a\nb\rc\t" },
    { "\x01\x1b\x7f", "???", "???", "???", "\"\\x01\\x1b\\x7f\"", "\x01\x1b\x7f" },
    { "\xff\xc0\x80", "???", "???", "???", "\"???\"", "???" },
    { "\xed\xa0\x80", "???", "???", "???", "\"???\"", "???" },                   /* a surrogate */
    { "\xf4\x90\x80\x80", "????", "????", "????", "\"????\"", "????" },          /* above U+10FFFF */
    { "\xe0\x80\xaf\xe2\x82", "?????", "?????", "?????", "\"?????\"", "?????" }, /* overlong; cut off */
    { "\xe2\x80\xae\xef\xbf\xbe", "??", "??", "??", "\"\\u202e\\ufffe\"", "\xe2\x80\xae\xef\xbf\xbe" },
    { "\xc2\x85\xe2\x80\xa8", "??", "??", "??", "\"\\x85\\u2028\"", "\xc2\x85\xe2\x80\xa8" },
};

Test(escape, spells_each_text_as_the_format_wants_it)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char copy[256];
        cr_expect_str_eq(spelled(escape_xml, cases[i].text), cases[i].xml, "case %zu, XML: %s", i,
                         spelled(escape_xml, cases[i].text));
        cr_expect_str_eq(spelled(escape_markdown, cases[i].text), cases[i].markdown, "case %zu, Markdown", i);
        cr_expect_str_eq(spelled(escape_tap, cases[i].text), cases[i].tap, "case %zu, TAP", i);
        cr_expect_str_eq(spelled(escape_yaml, cases[i].text), cases[i].yaml, "case %zu, YAML: %s", i,
                         spelled(escape_yaml, cases[i].text));
        cr_expect_str_eq(escape_utf8(cases[i].text, copy, sizeof copy), cases[i].utf8, "case %zu, UTF-8", i);
    }
}

Test(escape, a_copy_is_cut_between_two_code_points)
{
    char copy[4];
    cr_expect_str_eq(escape_utf8("ab\xc3\xa9", copy, sizeof copy), "ab");
    cr_expect_str_eq(escape_utf8("a\xc3\xa9z", copy, sizeof copy), "a\xc3\xa9");
    cr_expect_str_eq(escape_utf8("abcd", copy, 1), "");
}

/* A run that came to nothing good, with hostile texts wherever a bottle, a host or an error could have written them. */
static struct run *hostile_run(void)
{
    static const uint16_t asked[] = { 20, 114, 112 };
    struct run *run = crafted_run(asked, 3, SELF_PROOF_EACH);
    struct phase_result *fenced = &run->phases[PHASE_FENCED];
    snprintf(run->plan.attempts[0].address, sizeof run->plan.attempts[0].address, "@%.90s", HOSTILE);
    for (int i = 0; i < 3; i++) {
        struct hit *hit = &fenced->hits[fenced->hit_count++];
        *hit = (struct hit){ .watch = (uint16_t)i, .kind = WITNESS_TCP };
        snprintf(hit->at, sizeof hit->at, "%.71s", HOSTILE);
        snprintf(hit->peer, sizeof hit->peer, "%.71s", HOSTILE);
        snprintf(hit->point, sizeof hit->point, "|<\n#\xff");
    }
    plan_note_unproved(&run->plan, 106, HOSTILE);
    snprintf(fenced->fingerprint.details, sizeof fenced->fingerprint.details, "%s", HOSTILE);
    snprintf(fenced->fence_log, sizeof fenced->fence_log, "%s", HOSTILE);
    self_proof_pairs(run);
    run_judge(run);
    snprintf(run->pairs[0].reason, sizeof run->pairs[0].reason, "%s", HOSTILE);
    snprintf(run->reason, sizeof run->reason, "%s", HOSTILE);
    cr_assert_eq(run->verdict, RUN_FAIL);
    cr_assert_eq(run->counts[VERDICT_ESCAPED], 3);
    return run;
}

/* Python's own XML (expat) and JSON, Debian's CommonMark parser, Perl's TAP: each must find as many points, cases, rows
 * and fields as there are, and the text as the only thing in its field. */
static const char parsers[] =
    "import json, subprocess, sys, xml.etree.ElementTree as xml\n"
    "from markdown_it import MarkdownIt\n"
    "attempts, pairs, unproved = map(int, sys.argv[1:])\n"
    "bad = open('hostile', 'rb').read().decode('utf-8', 'replace')\n"
    "report = json.load(open('report.json', encoding='utf-8'))\n"
    "assert len(report['attempts']) == attempts\n"
    "at = report['attempts'][0]['hits'][0]['at']\n"
    "assert at.startswith(']]>&<b>') and '\\x01\\x1b[1m ?\?\?' in at, at\n"
    "tree = xml.parse('report.xml').getroot()\n"
    "cases = tree.findall('.//testcase')\n"
    "assert len(cases) == attempts + pairs + 1 == int(tree.get('tests'))\n"
    "assert len(tree.findall('.//failure')) == 4 == int(tree.get('failures'))\n"
    "assert len(tree.findall('.//error')) == int(tree.get('errors')) and not tree.findall('.//skipped')\n"
    "verdict = next(case for case in cases if case.get('name') == 'verdict')\n"
    "assert verdict.find('failure').get('message').startswith(']]>&<b>\"\\'|`#*_\\\\ # SKIP?| a |?\?\?')\n"
    "assert not [element for element in tree.iter() if element.tag == 'b']\n"
    "tokens = MarkdownIt('commonmark').enable('table').parse(open('report.md', encoding='utf-8').read())\n"
    "rows, cells, depth = [], [], 0\n"
    "for token in tokens:\n"
    "    assert token.type not in ('html_block', 'fence', 'code_block'), token\n"
    "    rows += [0] if token.type == 'table_open' else []\n"
    "    if token.type == 'tr_open': rows[-1] += 1\n"
    "    for child in token.children or []:\n"
    "        assert child.type in ('text', 'strong_open', 'strong_close', 'text_special', 'softbreak'), child\n"
    "    cells += [''.join(child.content for child in token.children)] if token.type == 'inline' else []\n"
    "families = len({a['family'] for a in report['attempts']})\n"
    "open_ones = [a for a in report['attempts'] if a['verdict'] != 'BLOCKED']\n"
    "assert rows == [families + 1, len(open_ones) + 1, pairs + 1, unproved + 1], rows\n"
    "assert any(']]>&<b>\"\\'|`#*_\\\\ # SKIP?| a |' in cell for cell in cells), cells\n"
    "script = r'''\n"
    "use TAP::Parser; local $/; my $tap = <STDIN>; $tap =~ s/^TAP version 14/TAP version 13/ or die;\n"
    "my $p = TAP::Parser->new({ tap => $tap }); my $at;\n"
    "while (my $r = $p->next) { $at //= $r->data->{heard}[0]{at} if $r->is_yaml; die $r->as_string if $r->is_unknown "
    "}\n"
    "die join ' ', $p->parse_errors if $p->parse_errors;\n"
    "printf qq(%d %d %d %d %s), $p->tests_run, scalar($p->failed), scalar($p->skipped), scalar($p->todo), unpack "
    "q(H*), $at;\n"
    "'''\n"
    "words = subprocess.run(['perl', '-e', script], stdin=open('report.tap'), check=True, capture_output=True,\n"
    "                       text=True).stdout.split()\n"
    "good = sum(p['proved'] for p in report['self_proof']['mutants'])\n"
    "assert words[:4] == [str(attempts + pairs + 1), str(len(open_ones) + pairs - good + 1), '0', '0'], words\n"
    "assert bytes.fromhex(words[4]).startswith(b']]>&<b>\"\\'|`#*_\\\\ # SKIP\\n| a |\\r\\t\\x01\\x1b[1m ?\?\?'), "
    "words\n";

static void write_to(const char *name, const char *text)
{
    FILE *file = fopen(name, "wx");
    cr_assert(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0);
}

Test(formats, hostile_texts_stay_in_their_fields_for_other_peoples_parsers)
{
    struct run *run = hostile_run();
    char directory[] = "/tmp/formats-XXXXXX", command[128];
    cr_assert_not_null(mkdtemp(directory));
    cr_assert_eq(chdir(directory), 0);
    for (size_t i = 0; i < report_format_count; i++) {
        char *text = told(run, report_formats[i].write);
        write_to(report_formats[i].file, text);
        free(text);
    }
    write_to("hostile", HOSTILE);
    write_to("parse.py", parsers);
    snprintf(command, sizeof command, "/usr/bin/python3 parse.py %zu %zu %zu", run->attempt_count, run->pair_count,
             run->plan.not_proved_count);
    int status = system(command);
    char *pretty = told(run, report_pretty);
    size_t plain = 0;
    while (pretty[plain] == '\n' || (pretty[plain] >= ' ' && pretty[plain] <= '~'))
        plain++;
    cr_expect_eq(pretty[plain], '\0', "the terminal would get %.40s", pretty + plain);
    free(pretty);
    for (size_t i = 0; i < report_format_count; i++)
        unlink(report_formats[i].file);
    unlink("hostile"), unlink("parse.py");
    cr_assert(chdir("/") == 0 && rmdir(directory) == 0);
    run_free(run);
    cr_assert_eq(status, 0);
}

static size_t count_of(const char *text, const char *part)
{
    size_t count = 0;
    while ((text = strstr(text, part)) != NULL)
        text++, count++;
    return count;
}

/* Whatever isn't PASS is not ok somewhere, though every attempt be BLOCKED, or none planned. */
Test(formats, a_verdict_that_is_not_pass_is_a_failing_point_of_its_own)
{
    static const uint16_t asked[] = { 114 };
    for (int kind = 0; kind < 5; kind++) {
        struct run *run = crafted_run(asked, 1, kind == 3 ? SELF_PROOF_OFF : SELF_PROOF_OPEN);
        if (kind == 0)
            run->options.mutant = backend_find_fence(&native_backend, "network"); /* and nothing got out: VOID */
        if (kind == 1)
            run->phases[PHASE_BARE].broken = true;
        if (kind == 2)
            run->plan.count = 0;
        run_judge(run);
        static const enum run_verdict verdicts[] = { RUN_VOID, RUN_BROKEN, RUN_INCONCLUSIVE, RUN_INCONCLUSIVE,
                                                     RUN_PASS };
        cr_assert_eq(run->verdict, verdicts[kind], "kind %d is %s", kind, run_verdict_name(run->verdict));
        char *tap = told(run, report_tap), *junit = told(run, report_junit), *markdown = told(run, report_markdown);
        size_t wrong = run->attempt_count - run->counts[VERDICT_BLOCKED] + (run->verdict != RUN_PASS);
        char heading[64];
        snprintf(heading, sizeof heading, "## bottle-gate: %s\n", run_verdict_name(run->verdict));
        cr_expect_eq(count_of(tap, "\nnot ok "), wrong, "kind %d:\n%s", kind, tap);
        cr_expect_eq(count_of(tap, "\nok "), run->attempt_count + 1 - wrong);
        cr_expect_eq(count_of(junit, "<error"), wrong, "kind %d:\n%s", kind, junit);
        cr_expect_eq(count_of(junit, "<failure") + count_of(junit, "<skipped"), 0);
        cr_expect_eq(strncmp(markdown, heading, strlen(heading)), 0, "%s", markdown);
        cr_expect_eq(count_of(tap, "SKIP") + count_of(tap, "skip") + count_of(tap, "TODO"), 0);
        free(tap), free(junit), free(markdown);
        run_free(run);
    }
}

/* A heading stands over something, or not at all. */
Test(formats, nothing_unproved_is_not_mentioned)
{
    static const uint16_t asked[] = { 114 };
    struct backend fenceless = native_backend;
    for (int kind = 0; kind < 4; kind++) {
        struct run *run = crafted_run(asked, 1, SELF_PROOF_OPEN);
        fenceless.fence_count = kind & 1 ? native_backend.fence_count : 0;
        run->options.backend = &fenceless;
        if (kind & 2)
            plan_note_unproved(&run->plan, 106, "of this host");
        run_judge(run);
        char *pretty = told(run, report_pretty);
        cr_expect_eq(count_of(pretty, "not proved here"), kind != 0, "%s", pretty);
        cr_expect_eq(count_of(pretty, "fences that no vector"), (size_t)(kind & 1), "%s", pretty);
        cr_expect_eq(count_of(pretty, "of this host"), (size_t)(kind >> 1), "%s", pretty);
        free(pretty);
        run_free(run);
    }
}
