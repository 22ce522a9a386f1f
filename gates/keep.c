/* See keep.h. The directory above must belong to the caller: in /tmp somebody else could have made it first.
 */
#include "keep.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../launcher/support/cleanup.h"
#include "report/report.h"

static bool make_directory(const char *path, struct error *error)
{
    struct stat found;
    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        return error_system(error, "can't make the directory %.200s", path);
    if (lstat(path, &found) != 0 || !S_ISDIR(found.st_mode) || found.st_uid != geteuid())
        return error_set(error, ERROR_HOST, "%.200s is not a directory of yours; remove it or set XDG_RUNTIME_DIR",
                         path);
    return true;
}

/* Held while evidence is being written: `bottle-gate gc` removes what is incomplete, and this is not yet. */
static int lock_directory(const char *path, struct error *error)
{
    cleanup_close int directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int failed = -1;
    while (directory >= 0 && (failed = flock(directory, LOCK_SH)) != 0 && errno == EINTR)
        ;
    if (failed == 0)
        return take_fd(&directory);
    error_system(error, "can't lock %.200s", path);
    return -1;
}

static void write_part(const struct run *run, const struct part_result *own, enum principal principal,
                       enum plan_part part, FILE *file)
{
    if (!own->ran)
        return;
    fprintf(file, "-- as %s%s: stream %d %s; door %d %d; controls during %d, after %d\n", principal_name(principal),
            part == PART_SWEEP ? ", the sweep" : "", (int)own->collection.state, own->collection.problem,
            own->door_before, own->door_after, own->control_during, own->control_after);
    for (uint16_t seq = 1; seq <= run->plan.count; seq++) {
        char target[160];
        enum plan_part where;
        const struct collected_act *act = &own->collection.acts[plan_seq_in_part(&run->plan, seq, &where)];
        if (where != part)
            continue;
        plan_describe_target(&run->plan, seq, principal, target, sizeof target);
        fprintf(file, "%4u BG-%03u %-44s %s %s %s sent %u received %u after %llu us\n", seq,
                run->plan.attempts[seq - 1].vector->id, target, act->tried ? "tried" : "-",
                act->done ? stage_name(act->did.stage) : "-", act->done ? act->did.error : "", act->did.sent,
                act->did.received, (unsigned long long)act->did.microseconds);
    }
}

static void write_phase(const struct run *run, enum phase_kind kind, FILE *file)
{
    const struct phase_result *phase = &run->phases[kind];
    fprintf(file, "== %s run: %s\n", phase_name(kind),
            phase->state == PHASE_NOT_RUN    ? "left out"
            : phase->state == PHASE_FINISHED ? "finished"
                                             : phase->error.text);
    fprintf(file, "controls before: %d  at the end: %d  missing: %s\nstrays: %u %s\nbroken: %s\n",
            phase->control_before, phase->control_final, phase->control_missing, phase->strays, phase->stray_text,
            phase->broken_text);
    for (int p = 0; p < PRINCIPALS; p++)
        for (int part = 0; part < PARTS; part++)
            write_part(run, &phase->parts[p][part], (enum principal)p, (enum plan_part)part, file);
    for (size_t i = 0; i < phase->hit_count && run->plan.count > 0; i++) {
        const struct hit *hit = &phase->hits[i];
        fprintf(file, "hit: %s seq %u heard by %s on %s %s at %s from %s after %llu us\n",
                principal_name((enum principal)(hit->watch / run->plan.count)), hit->watch % run->plan.count + 1u,
                witness_kind_name(hit->kind), hit->point, hit->by_tuple ? "(target)" : "(nonce)", hit->at, hit->peer,
                (unsigned long long)hit->microseconds);
    }
}

bool keep_run(const struct run *run, char *path, size_t size, struct error *error)
{
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    char base[160], name[256];
    if (runtime != NULL && runtime[0] == '/' && strlen(runtime) < 100)
        snprintf(base, sizeof base, "%s/bottle-gate", runtime);
    else
        snprintf(base, sizeof base, "/tmp/bottle-gate-%u", (unsigned)geteuid());
    snprintf(path, size, "%s/%s", base, run->plan.run);
    if (!make_directory(base, error))
        return false;
    cleanup_close int lock = lock_directory(base, error);
    if (lock < 0 || !make_directory(path, error))
        return false;

    snprintf(name, sizeof name, "%.200s/evidence.txt", path);
    FILE *file = fopen(name, "wxe");
    if (file == NULL)
        return error_system(error, "can't make %.200s", name);
    for (int k = 0; k < PHASES; k++)
        write_phase(run, (enum phase_kind)k, file);
    if (fclose(file) != 0)
        return error_system(error, "can't write %.200s", name);

    snprintf(name, sizeof name, "%.200s/report.json", path);
    file = fopen(name, "wxe");
    if (file == NULL)
        return error_system(error, "can't make %.200s", name);
    struct report_style plain = { 0 };
    bool written = report_json(run, &plain, file);
    return (fclose(file) == 0 && written) || error_system(error, "can't write %.200s", name);
}
