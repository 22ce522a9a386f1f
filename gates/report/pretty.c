/* The terminal report: a table by family, every attempt that isn't BLOCKED with its reason and remedy
 * (attempts that differ only in who tried are one entry), what is not proved here, the verdict and the time.
 * Colours only where the style says so; nothing that came from a bottle is printed unfiltered. */
#include <ctype.h>
#include <string.h>

#include "report.h"

#define BOLD  "\033[1m"
#define RED   "\033[1;31m"
#define GREEN "\033[1;32m"
#define AMBER "\033[1;33m"
#define PLAIN "\033[0m"

static const char *paint(const struct report_style *style, const char *colour)
{
    return style->colour ? colour : "";
}

static const char *verdict_colour(enum verdict verdict)
{
    return verdict == VERDICT_BLOCKED ? GREEN : verdict == VERDICT_ESCAPED ? RED : AMBER;
}

/* Text from outside, with anything but printable ASCII made visible as '?'. */
static void print_safely(const char *text, FILE *stream)
{
    for (; *text != '\0'; text++)
        fputc(isprint((unsigned char)*text) ? *text : '?', stream);
}

static void print_table(const struct run *run, const struct report_style *style, FILE *stream)
{
    fprintf(stream, "  %s%-11s %8s %8s %8s %13s %7s%s\n", paint(style, BOLD), "family", "attempts", "blocked",
            "escaped", "inconclusive", "broken", paint(style, PLAIN));
    for (int family = 0; family < FAMILIES; family++) {
        unsigned counts[VERDICTS], total = 0;
        if (!report_count_family(run, (enum vector_family)family, counts))
            continue;
        for (int verdict = 0; verdict < VERDICTS; verdict++)
            total += counts[verdict];
        fprintf(stream, "  %-11s %8u", vector_family_name((enum vector_family)family), total);
        static const int widths[VERDICTS] = { 8, 8, 13, 7 };
        for (int verdict = 0; verdict < VERDICTS; verdict++)
            if (counts[verdict] == 0)
                fprintf(stream, " %*s", widths[verdict], ".");
            else
                fprintf(stream, " %s%*u%s", paint(style, verdict_colour((enum verdict)verdict)), widths[verdict],
                        counts[verdict], paint(style, PLAIN));
        fputc('\n', stream);
    }
    unsigned lacking = 0;
    for (size_t i = 0; i < run->attempt_count; i++)
        lacking += run->attempts[i].judgement.how == HOW_UNSUPPORTED;
    if (lacking > 0)
        fprintf(stream, "  %u of the blocked are so only because the kernel lacks what they need\n", lacking);
    if (report_count_bare(run) > 0)
        fprintf(stream, "  %u of the blocked stand on the bare run alone: no open bottle was tried\n",
                report_count_bare(run));
    if (run->phases[PHASE_FENCED].fence_log[0] != '\0') {
        fputs("  the engine's own log, which proves nothing: ", stream);
        print_safely(run->phases[PHASE_FENCED].fence_log, stream);
        fputc('\n', stream);
    }
    fputc('\n', stream);
}

struct hit_list {
    FILE *stream;
    const char *where; /* "", or the run that it was heard in */
    unsigned told;     /* a bit for each witness and kind of hit that was told: the rest say the same again */
};

static void print_hit(const struct hit *hit, void *context)
{
    struct hit_list *list = context;
    FILE *stream = list->stream;
    unsigned bit = (unsigned)hit->kind << (hit->by_tuple ? WITNESS_KINDS : 0);
    if (list->told & bit)
        return;
    list->told |= bit;
    fprintf(stream, "               %sheard by %s on ", list->where, witness_kind_name(hit->kind));
    print_safely(hit->point, stream);
    fprintf(stream, ", %s at ", hit->by_tuple ? "a packet to its target" : "its nonce");
    print_safely(hit->at, stream);
    if (hit->peer[0] != '\0') {
        fputs(" from ", stream);
        print_safely(hit->peer, stream);
    }
    fputc('\n', stream);
}

/* Who heard it; of an attempt that nobody heard in the fenced bottle, who heard it in the open one,
 * or else without one. */
static void print_hits(const struct run *run, const struct run_attempt_result *attempt, FILE *stream)
{
    struct hit_list list = { stream, "", 0 };
    report_each_hit(run, PHASE_FENCED, attempt, print_hit, &list);
    if (list.told != 0)
        return;
    list.where = "in the open bottle ";
    report_each_hit(run, PHASE_OPEN, attempt, print_hit, &list);
    if (list.told != 0)
        return;
    list.where = "without a sandbox ";
    report_each_hit(run, PHASE_BARE, attempt, print_hit, &list);
}

static void print_ports(const struct run *run, const struct run_attempt_result *attempt, FILE *stream)
{
    char ranges[REPORT_PORTS_TEXT];
    const struct swept_ports *swept = report_swept_ports(run, attempt, ranges);
    if (swept != NULL)
        fprintf(stream, "               %u ports were heard: %.60s%s\n", swept->count, ranges,
                strlen(ranges) > 60 ? "..." : "");
}

static void print_record(const struct run *run, const struct run_attempt_result *attempt, FILE *stream)
{
    const struct record_did *did = report_record(run, attempt);
    if (did == NULL)
        fprintf(stream, "               the probe left no complete record of it\n");
    else
        fprintf(stream, "               the probe got as far as `%s`%s%s, sent %u bytes, received %u\n",
                stage_name(did->stage), did->error[0] == '\0' ? "" : " with ", did->error, did->sent, did->received);
}

/* Does an entry with the same vector, verdict and reason stand above? Then its remedy was told. */
static bool told_before(const struct run *run, size_t index)
{
    const struct run_attempt_result *attempt = &run->attempts[index];
    for (size_t i = 0; i < index; i++) {
        const struct run_attempt_result *other = &run->attempts[i];
        if (run->plan.attempts[other->seq - 1].vector == run->plan.attempts[attempt->seq - 1].vector &&
            other->judgement.verdict == attempt->judgement.verdict &&
            other->judgement.reason == attempt->judgement.reason)
            return true;
    }
    return false;
}

/* One entry a vector, verdict and reason: the targets and principals under it, then the remedy once. */
static void print_entry(const struct run *run, const struct report_style *style, size_t first, FILE *stream)
{
    const struct run_attempt_result *head = &run->attempts[first];
    const struct vector *vector = run->plan.attempts[head->seq - 1].vector;
    char id[8];
    vector_format_id(vector->id, id);
    fprintf(stream, "  %s%-12s%s %s  %s\n", paint(style, verdict_colour(head->judgement.verdict)),
            verdict_name(head->judgement.verdict), paint(style, PLAIN), id, vector->title);
    unsigned shown = 0, left_out = 0;
    for (size_t i = first; i < run->attempt_count; i++) {
        const struct run_attempt_result *attempt = &run->attempts[i];
        if (run->plan.attempts[attempt->seq - 1].vector != vector ||
            attempt->judgement.verdict != head->judgement.verdict ||
            attempt->judgement.reason != head->judgement.reason)
            continue;
        if (shown == 6 && !style->verbose) {
            left_out++;
            continue;
        }
        shown++;
        char target[160];
        report_target(run, attempt, target, sizeof target);
        fputs("             ", stream);
        print_safely(target, stream);
        fprintf(stream, " as %s\n", principal_name(attempt->principal));
        if (style->verbose || shown == 1) {
            print_record(run, attempt, stream);
            print_hits(run, attempt, stream);
            print_ports(run, attempt, stream);
        }
    }
    if (left_out > 0)
        fprintf(stream, "             and %u more (-v shows all)\n", left_out);
    fprintf(stream, "             reason: %s\n", judge_reason_text(head->judgement.reason));
    if (head->accepted)
        fprintf(stream, "             accepted without proof (--accept-unproved)\n");
    if (head->judgement.verdict == VERDICT_ESCAPED)
        fprintf(stream, "             remedy: %s\n             more: bottle-gate explain %s\n",
                report_remedy(run, head), id);
    fputc('\n', stream);
}

static void print_entries(const struct run *run, const struct report_style *style, FILE *stream)
{
    static const enum verdict order[] = { VERDICT_ESCAPED, VERDICT_BROKEN, VERDICT_INCONCLUSIVE, VERDICT_BLOCKED };
    for (size_t k = 0; k < sizeof order / sizeof *order; k++)
        for (size_t i = 0; i < run->attempt_count; i++)
            if (run->attempts[i].judgement.verdict == order[k] && (order[k] != VERDICT_BLOCKED || style->verbose) &&
                !told_before(run, i))
                print_entry(run, style, i, stream);
}

#define WIDTH 100 /* columns that lists are wrapped to */

/* Words on lines of at most WIDTH columns, `indent` columns in. */
struct wrapper {
    FILE *stream;
    int indent, column;
};

static void print_word(struct wrapper *wrapper, const char *word)
{
    int length = (int)strlen(word);
    if (wrapper->column > wrapper->indent && wrapper->column + 1 + length > WIDTH) {
        fprintf(wrapper->stream, "\n%*s", wrapper->indent, "");
        wrapper->column = wrapper->indent;
    } else if (wrapper->column > wrapper->indent) {
        fputc(' ', wrapper->stream);
        wrapper->column++;
    }
    fputs(word, wrapper->stream);
    wrapper->column += length;
}

static void print_words(struct wrapper *wrapper, const char *text)
{
    for (; *text != '\0'; text += strspn(text, " ")) {
        char word[64];
        size_t length = strcspn(text, " ");
        snprintf(word, sizeof word, "%.*s", (int)length, text);
        print_word(wrapper, word);
        text += length;
    }
}

/* One entry a reason, with the ids that it holds for; `index` is the first of them, or nothing is printed. */
static void print_reason(const struct run *run, size_t index, FILE *stream)
{
    const struct not_proved *list = run->plan.not_proved;
    for (size_t i = 0; i < index; i++)
        if (strcmp(list[i].reason, list[index].reason) == 0)
            return;
    fputs("    ", stream);
    print_safely(list[index].reason, stream);
    fputs(":\n      ", stream);
    struct wrapper wrapper = { stream, 6, 6 };
    for (size_t i = index; i < run->plan.not_proved_count; i++)
        if (strcmp(list[i].reason, list[index].reason) == 0) {
            char id[8];
            vector_format_id(list[i].vector, id);
            print_word(&wrapper, id);
        }
    fputc('\n', stream);
}

static void print_not_proved(const struct run *run, const struct report_style *style, FILE *stream)
{
    const struct backend *backend = run->options.backend;
    bool some = false;
    for (size_t i = 0; i < backend->fence_count; i++)
        some = some || self_proof_leaves_out(run, i);
    if (!some && run->plan.not_proved_count == 0)
        return;
    fprintf(stream, "  %snot proved here%s\n", paint(style, BOLD), paint(style, PLAIN));
    for (size_t i = 0; i < run->plan.not_proved_count; i++)
        print_reason(run, i, stream);
    if (some)
        fprintf(stream, "    fences that no vector of this run exercises:\n      ");
    struct wrapper wrapper = { stream, 6, 6 };
    for (size_t i = 0; i < backend->fence_count; i++)
        if (self_proof_leaves_out(run, i))
            print_word(&wrapper, backend->fences[i].name);
    fputs(some ? "\n\n" : "\n", stream);
}

static void print_pairs(const struct run *run, const struct report_style *style, FILE *stream)
{
    if (run->pair_count == 0)
        return;
    fprintf(stream, "  %sfences, each left out once%s\n", paint(style, BOLD), paint(style, PLAIN));
    for (size_t i = 0; i < run->pair_count; i++) {
        const struct fence_pair *pair = &run->pairs[i];
        fprintf(stream, "    %s%-12s%s %-12s ", paint(style, pair->proved ? GREEN : AMBER),
                pair->proved ? "proved" : "NOT PROVED", paint(style, PLAIN),
                run->options.backend->fences[pair->fence].name);
        if (pair->proved)
            fprintf(stream, "without it all %u attempts that it stops got out, and no other\n", pair->escaped);
        else
            print_safely(pair->reason, stream), fputc('\n', stream);
    }
    fputc('\n', stream);
}

static void print_verdict(const struct run *run, const struct report_style *style, FILE *stream)
{
    const char *colour = run->verdict == RUN_PASS ? GREEN : run->verdict == RUN_FAIL ? RED : AMBER;
    fprintf(stream, "%s%s%s  ", paint(style, colour), run_verdict_name(run->verdict), paint(style, PLAIN));
    report_print_counts(run, stream);
    fputc('\n', stream);
    if (run->reason[0] != '\0') {
        print_safely(run->reason, stream);
        fputc('\n', stream);
    }
    report_print_accepted(run, "accepted without proof: ", "\n", stream);
}

static void print_host_uids(const struct run *run, FILE *stream)
{
    const struct phase_result *fenced = &run->phases[PHASE_FENCED];
    if (!fenced->host_uids_known)
        return;
    fprintf(stream, "on the host");
    for (int p = 0; p < PRINCIPALS; p++)
        if (run->options.principals[p])
            fprintf(stream, "  %s is uid %u", principal_name((enum principal)p), (unsigned)fenced->host_uids[p]);
    fprintf(stream, "\n\n");
}

bool report_pretty(const struct run *run, const struct report_style *style, FILE *stream)
{
    const struct run_options *options = &run->options;
    if (!style->quiet) {
        fprintf(stream, "bottle-gate %s  backend ", BOTTLE_VERSION);
        report_print_backend(run, "  ", stream);
        fprintf(stream, "  site %s  principals%s%s\n", site_kind_name(options->site),
                options->principals[PRINCIPAL_USER] ? " user" : "", options->principals[PRINCIPAL_ROOT] ? " root" : "");
        print_host_uids(run, stream);
        print_table(run, style, stream);
        print_entries(run, style, stream);
        print_pairs(run, style, stream);
        print_not_proved(run, style, stream);
    }
    print_verdict(run, style, stream);
    if (!style->quiet && run->verdict == RUN_PASS) {
        struct wrapper wrapper = { stream, 0, 0 };
        print_words(&wrapper, report_caveat);
        fputc('\n', stream);
    }
    return fflush(stream) == 0 && !ferror(stream);
}
