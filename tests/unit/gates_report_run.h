/* Runs made up by hand for the tests of reports and replay: everything that three phases could have found, without a
 * phase. */
#ifndef TESTS_UNIT_GATES_REPORT_RUN_H
#define TESTS_UNIT_GATES_REPORT_RUN_H

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../gates/run.h"
#include "../../gates/verdict.h"

/* Everything in it that a format could stumble over: controls, an escape sequence, the ends of fields, directives, bad
 * UTF-8 (a bare lead byte, something overlong, a surrogate), a mark that turns the reading direction. */
#define HOSTILE "]]>&<b>\"'|`#*_\\ # SKIP\n| a |\r\t\x01\x1b[1m \xff\xc0\x80\xed\xa0\x80 \xe2\x80\xae\xc3\xa9 http://x"

static void crafted_phase(struct run *run, size_t index, bool caught)
{
    struct phase_result *phase = &run->phases[index];
    strcpy(phase->fingerprint.kernel, "6.1");
    phase->state = PHASE_FINISHED;
    phase->control_before = phase->control_final = phase->peer_good = true;
    phase->sweep_ports = 100;
    memset(phase->token, 0xa0 + (int)index, sizeof phase->token);
    phase->host_uids_known = true;
    snprintf(phase->fingerprint.engine, sizeof phase->fingerprint.engine, "crafted");
    for (int p = 0; p < PRINCIPALS; p++)
        for (int part = 0; part < PARTS; part++) {
            struct part_result *own = &phase->parts[p][part];
            own->ran = own->door_before = own->door_after = own->control_during = own->control_after = true;
            own->collection.state = STREAM_COMPLETE;
            own->collection.uid = p == PRINCIPAL_ROOT ? 0 : 65534;
            strcpy(own->collection.kernel, "6.1");
            strcpy(own->collection.digest, "d1");
        }
    for (int p = 0; p < PRINCIPALS; p++)
        for (uint16_t seq = 1; seq <= run->plan.count; seq++) {
            enum plan_part part;
            uint16_t own_seq = plan_seq_in_part(&run->plan, seq, &part);
            struct collected_act *act = &phase->parts[p][part].collection.acts[own_seq];
            act->tried = act->done = true;
            act->did = (struct record_did){ .seq = own_seq, .stage = STAGE_SENT, .sent = 100, .microseconds = 1234 };
            if (!caught)
                continue;
            struct hit *hit = &phase->hits[phase->hit_count++];
            unsigned proof = run->plan.attempts[seq - 1].vector->proof;
            *hit = (struct hit){ .watch = (uint16_t)plan_watch_index(&run->plan, seq, (enum principal)p),
                                 .kind = proof != 0 ? (enum witness_kind)(proof & -proof) : WITNESS_CAPTURE,
                                 .point = "wan0" };
            snprintf(hit->at, sizeof hit->at, "192.0.2.1:%u", seq);
        }
}

/* Everything went well: caught in bare and open, silent in fenced; PASS once it is judged. The caller frees it with
 * run_free. */
static struct run *crafted_run(const uint16_t *asked, size_t count, enum self_proof self_proof)
{
    struct error error = { 0 };
    struct run_options options = { .backend = &native_backend,
                                   .principals = { true, true },
                                   .self_proof = self_proof,
                                   .mutant = -1,
                                   .deadline_milliseconds = 2000,
                                   .vector_count = count };
    struct plan_wishes wishes = { .vectors = asked,
                                  .vector_count = count,
                                  .ipv6 = true,
                                  .peer4 = native_backend.peer4,
                                  .peer6 = native_backend.peer6 };
    memcpy(options.vectors, asked, count * sizeof *asked);
    struct run *run = run_new(&options, &error);
    cr_assert_not_null(run, "%s", error.text);
    cr_assert(plan_make(&run->plan, &wishes, &error), "%s", error.text);
    strcpy(run->kernel, "6.1");
    strcpy(run->findings.kernel, "6.1");
    strcpy(run->findings.probe_digest, "d1");
    run->milliseconds = 1400;
    for (int k = 0; k < PHASES; k++)
        if (run_makes_phase(&run->options, (enum phase_kind)k))
            crafted_phase(run, (size_t)k, k != PHASE_FENCED);
    return run;
}

/* What a report says, as a text that the caller frees. */
static inline char *told(const struct run *run, bool (*write)(const struct run *, const struct report_style *, FILE *))
{
    char *text = NULL;
    size_t size;
    struct report_style plain = { 0 };
    FILE *stream = open_memstream(&text, &size);
    cr_assert(write(run, &plain, stream));
    fclose(stream);
    return text;
}

#endif
