/*
 * What breaks a run: the first thing is named, with its place, and nothing breaks it that is only missing. Each case
 * changes one thing in a run in which all went well, says what must follow, and starts afresh.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "../../gates/evidence.h"
#include "gates_findings.h"

/* Checks the sentence on what broke, NULL if nothing; then starts afresh. */
static void expect_broken(const char *what, const char *wanted)
{
    char text[200] = "";
    const char *found = evidence_broken(&run->findings, text, sizeof text);
    cr_expect((found == NULL) == (wanted == NULL), "%s: %s", what, found);
    cr_expect(found == NULL || (found == text && strncmp(text, wanted, strlen(wanted)) == 0), "%s: %s", what, text);
    make_good_run();
}

Test(evidence, names_the_first_thing_that_broke_and_where, .init = make_good_run, .fini = forget_run)
{
    expect_broken("nothing", NULL);
    fenced()->state = PHASE_FAILED, strcpy(fenced()->error.text, "no site");
    expect_broken("a phase failed", "fenced run: no site");
    run->phases[PHASE_BARE].state = PHASE_RUNNING;
    expect_broken("a phase died", "bare run: its process died");
    run->phases[PHASE_OPEN].broken = true, strcpy(run->phases[PHASE_OPEN].broken_text, "a witness lost 3 packets");
    expect_broken("a witness broke", "open run: a witness lost 3 packets");
    run->phases[PHASE_OPEN].broken = fenced()->broken = true;
    expect_broken("two broke", "open run: ");

    root(PHASE_BARE)->collection.state = STREAM_FORGED, strcpy(root(PHASE_BARE)->collection.problem, "a second hello");
    expect_broken("forged", "bare run, root: the probe's records can't be believed: a second hello");
    fenced()->parts[PRINCIPAL_USER][PART_SWEEP].collection.state = STREAM_FORGED;
    expect_broken("a forged sweep", "fenced run, user: ");
    fenced()->parts[PRINCIPAL_ROOT][PART_SWEEP].collection.state = STREAM_FORGED;
    expect_broken("the last session forged", "fenced run, root: ");
    root(PHASE_FENCED)->collection.state = STREAM_CUT;
    expect_broken("cut is not broken", NULL);
    root(PHASE_FENCED)->collection.state = STREAM_SILENT;
    memset(&root(PHASE_FENCED)->collection.kernel, 0, sizeof root(PHASE_FENCED)->collection.kernel);
    expect_broken("nor is silence, with no greeting", NULL);

    memset(&run->phases[PHASE_OPEN], 0, sizeof run->phases[PHASE_OPEN]);
    run->phases[PHASE_OPEN].state = PHASE_ABSENT;
    expect_broken("nor is a bottle that never was there", NULL);

    memset(&run->phases[PHASE_BARE], 0, sizeof run->phases[PHASE_BARE]);
    memset(&run->phases[PHASE_OPEN], 0, sizeof run->phases[PHASE_OPEN]);
    expect_broken("nor are runs that were left out", NULL);
    for (int k = 0; k < PHASES; k++)
        memset(run->phases[k].parts[PRINCIPAL_USER], 0, sizeof run->phases[k].parts[PRINCIPAL_USER]);
    expect_broken("nor is a principal that was left out", NULL);
}

/* As a bottle of gVisor's does. */
static void hide_boot(void)
{
    for (int k = PHASE_OPEN; k < PHASES; k++) {
        strcpy(run->phases[k].fingerprint.boot_id, "-");
        for (int i = 0; i < PRINCIPALS * PARTS; i++)
            strcpy(run->phases[k].parts[i / PARTS][i % PARTS].collection.boot_id, "-");
    }
}

Test(evidence, believes_no_probe_and_no_bottle_other_than_was_started, .init = make_good_run, .fini = forget_run)
{
    static const char another[] = "open run, root: another probe, uid, kernel or boot";
    static const char downgraded[] = "open run: the bottle runs on kernel";
    struct phase_result *open = &run->phases[PHASE_OPEN];
#define EXPECT(what, change, wanted)                                                                                   \
    open = &run->phases[PHASE_OPEN];                                                                                   \
    change;                                                                                                            \
    expect_broken(what, wanted)
    EXPECT("another uid", root(PHASE_OPEN)->collection.uid = 65534, another);
    EXPECT("another user", open->parts[PRINCIPAL_USER][PART_ATTEMPTS].collection.uid = 0, "open run, user: another");
    EXPECT("another probe", strcpy(root(PHASE_OPEN)->collection.digest, "d2"), another);
    EXPECT("another kernel", strcpy(root(PHASE_OPEN)->collection.kernel, "6.2"), another);
    EXPECT("another boot", strcpy(root(PHASE_OPEN)->collection.boot_id, "b2"), another);
    EXPECT("a boot out of sight", strcpy(root(PHASE_OPEN)->collection.boot_id, "-"), NULL);

    EXPECT("a bottle on another kernel", strcpy(open->fingerprint.kernel, "4.4.0"), downgraded);
    EXPECT("a bottle of another boot", strcpy(open->fingerprint.boot_id, "b2"), downgraded);
    EXPECT("a bottle without a boot", strcpy(open->fingerprint.boot_id, "-"), downgraded);
    EXPECT("no fingerprint", memset(&open->fingerprint, 0, sizeof open->fingerprint), downgraded);
    EXPECT("the bare run has no bottle", memset(&run->phases[PHASE_BARE].fingerprint, 0, sizeof open->fingerprint),
           NULL);

    EXPECT("no kernel of its own", run->findings.shares_kernel = false, downgraded);
    EXPECT("another kernel of its own", give_bottles_a_kernel("4.4.0"), NULL);
    EXPECT("the host's release, booted again", give_bottles_a_kernel("6.1"), NULL);
    EXPECT("another kernel without a boot", give_bottles_a_kernel("4.4.0"); hide_boot(), NULL);
    EXPECT("the host's release without a boot", give_bottles_a_kernel("6.1"); hide_boot(), downgraded);
    EXPECT("the host's kernel in its place", give_bottles_a_kernel("4.4.0");
           strcpy(root(PHASE_OPEN)->collection.kernel, "6.1"), another);
    EXPECT("the host's boot in its place", give_bottles_a_kernel("4.4.0");
           strcpy(root(PHASE_OPEN)->collection.boot_id, "b1"), another);
    EXPECT("a bottle's kernel in the bare run", give_bottles_a_kernel("4.4.0");
           strcpy(root(PHASE_BARE)->collection.kernel, "4.4.0"), "bare run, root: another probe");
    EXPECT("another probe in it", give_bottles_a_kernel("4.4.0");
           strcpy(root(PHASE_OPEN)->collection.digest, "d2"), another);
#undef EXPECT
}
