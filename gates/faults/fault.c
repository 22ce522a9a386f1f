/* See fault.h: the tables one after the other, and the seams that only look something up. */
#include "../fault.h"

#include <linux/capability.h>
#include <string.h>
#include <unistd.h>

#include "../../launcher/capabilities.h"
#include "flood.h"

static const struct fault *const tables[] = { faults_of_nothing, faults_of_witnesses, faults_of_probes,
                                              faults_of_bottles, faults_of_doors,     faults_of_records,
                                              faults_of_sweeps,  faults_of_phases,    faults_of_commands,
                                              faults_of_reports };

const struct fault faults_of_nothing[] = {
    { .name = "none", .stage = "-", .breaks = "nothing", .sweep = true, .exit = 0 },
    { 0 },
};

const struct fault fault_keeper = { .name = "keeper", .stream = { .how = TAMPER_KEEP } };

const struct fault *fault_at(size_t index)
{
    for (size_t table = 0; table < sizeof tables / sizeof *tables; table++)
        for (const struct fault *row = tables[table]; row->name != NULL; row++)
            if (index-- == 0)
                return row;
    return NULL;
}

const struct fault *fault_find(const char *name)
{
    const struct fault *fault;
    for (size_t i = 0; (fault = fault_at(i)) != NULL; i++)
        if (strcmp(fault->name, name) == 0)
            return fault;
    return NULL;
}

const char *fault_impossible(const struct fault *fault)
{
#ifdef BOTTLE_SANITIZED
    if (fault->command.limited && fault->command.limit == RLIMIT_AS)
        return "a sanitized program needs more address space than any such limit";
#endif
    if (fault->upset.what == UPSET_CLOCK && access("/proc/self/ns/time", F_OK) != 0)
        return "this kernel has no time namespaces";
    if (fault->upset.what == UPSET_FLOOD_TRACKED && flood_tracked_limit() > FLOOD_TRACKED_MAX)
        return "this host's connection tables have room for more than can be filled";
    if (fault->report.room > 0 && !capabilities_have(CAP_SYS_ADMIN))
        return "only root can make a file system that is too small";
    return NULL;
}

const struct fault *fault_in(const struct fault *fault, enum phase_kind kind)
{
    static const enum phase_kind kinds[] = {
        [IN_FENCED] = PHASE_FENCED, [IN_OPEN] = PHASE_OPEN, [IN_BARE] = PHASE_BARE
    };
    return fault != NULL && kinds[fault->in] == kind ? fault : NULL;
}

const struct fault *fault_in_stream(const struct fault *fault, enum phase_kind kind, enum principal principal,
                                    bool sweep)
{
    if (fault == NULL || (!fault->dead_collector && fault->stream.how == TAMPER_NOTHING))
        return NULL;
    bool replay = fault->stream.how == TAMPER_REPLAY && principal == PRINCIPAL_USER && !sweep;
    if (replay && ((fault->stream.number == REPLAY_OF_BARE_RUN && kind == PHASE_BARE) ||
                   (fault->stream.number == REPLAY_OF_USER && kind == PHASE_FENCED)))
        return &fault_keeper;
    bool here = fault_in(fault, kind) != NULL, mine = fault->stream.root == (principal == PRINCIPAL_ROOT);
    return here && mine && fault->stream.sweep == sweep ? fault : NULL;
}

uint64_t fault_patience(const struct fault *fault, uint64_t microseconds)
{
    bool never = fault != NULL && (fault->upset.what != UPSET_NOTHING || fault->witness != WITNESS_FAULT_NONE);
    return never && microseconds > FAULT_PATIENCE ? FAULT_PATIENCE : microseconds;
}
