/* See run_settings.h: the option table of `run` and the small parsers behind it. */
#include "run_settings.h"

#include <stdlib.h>
#include <string.h>

#include "site_option.h"
#include "vector_option.h"

static bool take_site(void *settings, const char *argument, struct error *error)
{
    struct run_settings *own = settings;
    if (!site_option_take(&own->options.site, argument, error))
        return false;
    own->choice.on_machine = own->options.site == SITE_HOST;
    return true;
}

static bool take_one_vector(void *settings, const char *piece, struct error *error)
{
    struct run_options *options = &((struct run_settings *)settings)->options;
    const struct vector *vector = vector_option_find(piece, error);
    if (vector == NULL)
        return false;
    if (options->vector_count == VECTORS_ASKED_MAX)
        return error_set(error, ERROR_USAGE, "--vector takes at most %d ids", VECTORS_ASKED_MAX);
    options->vectors[options->vector_count++] = vector->id;
    return true;
}

static bool take_vectors(void *settings, const char *argument, struct error *error)
{
    return command_split(argument, "vector", take_one_vector, settings, error);
}

static bool take_one_principal(void *settings, const char *piece, struct error *error)
{
    struct run_options *options = &((struct run_settings *)settings)->options;
    for (int p = 0; p < PRINCIPALS; p++)
        if (strcmp(piece, principal_name((enum principal)p)) == 0) {
            options->principals[p] = true;
            return true;
        }
    return error_set(error, ERROR_USAGE, "there is no principal \"%.40s\"; there are: user, root", piece);
}

static bool take_principals(void *settings, const char *argument, struct error *error)
{
    memset(((struct run_settings *)settings)->options.principals, 0, sizeof(bool[PRINCIPALS]));
    return command_split(argument, "as", take_one_principal, settings, error);
}

static bool take_timeout(void *settings, const char *argument, struct error *error)
{
    char *unit;
    double number = strtod(argument, &unit);
    double milliseconds = strcmp(unit, "ms") == 0 ? number : number * 1000;
    bool well_formed = unit != argument && (*unit == '\0' || strcmp(unit, "s") == 0 || strcmp(unit, "ms") == 0);
    if (!well_formed || !(milliseconds >= 100 && milliseconds <= 600000))
        return error_set(error, ERROR_USAGE,
                         "--timeout is a time from 100ms to 600s, like 2, 2s or 500ms; not \"%.40s\"", argument);
    ((struct run_settings *)settings)->options.deadline_milliseconds = (uint32_t)milliseconds;
    return true;
}

static bool take_self_proof(void *settings, const char *argument, struct error *error)
{
    struct run_options *options = &((struct run_settings *)settings)->options;
    static const char *const modes[] = { "off", "bare", "open", "each" };
    for (unsigned i = 0; i < sizeof modes / sizeof *modes; i++)
        if (strcmp(argument, modes[i]) == 0) {
            options->self_proof = (enum self_proof)i;
            return true;
        }
    return error_set(error, ERROR_USAGE, "--self-proof is off, bare, open or each, not \"%.40s\"", argument);
}

static bool add_to_list(struct vector_list *list, const struct vector *vector, const char *option, struct error *error)
{
    if (vector == NULL)
        return false;
    if (list->count == VECTORS_ASKED_MAX)
        return error_set(error, ERROR_USAGE, "--%s takes at most %d ids", option, VECTORS_ASKED_MAX);
    list->ids[list->count++] = vector->id;
    return true;
}

static bool take_one_accepted(void *settings, const char *piece, struct error *error)
{
    struct run_options *options = &((struct run_settings *)settings)->options;
    if (strcmp(piece, "open") == 0) {
        options->accept_open = true;
        return true;
    }
    if (vector_parse_id(piece) == 0)
        return error_set(error, ERROR_USAGE, "--accept-unproved takes open and ids like BG-049, not \"%.40s\"", piece);
    return add_to_list(&options->accepted, vector_option_find(piece, error), "accept-unproved", error);
}

static bool take_accepted(void *settings, const char *argument, struct error *error)
{
    return command_split(argument, "accept-unproved", take_one_accepted, settings, error);
}

static const char *acceptable_at(size_t index)
{
    return index == 0 ? "open" : vector_option_id_at(index - 1);
}

static bool take_one_required(void *settings, const char *piece, struct error *error)
{
    struct run_options *options = &((struct run_settings *)settings)->options;
    return add_to_list(&options->required, vector_option_find(piece, error), "require", error);
}

static bool take_required(void *settings, const char *argument, struct error *error)
{
    return command_split(argument, "require", take_one_required, settings, error);
}

static bool take_jobs(void *settings, const char *argument, struct error *error)
{
    if (argument[0] < '1' || argument[0] > '0' + PHASES || argument[1] != '\0')
        return error_set(error, ERROR_USAGE, "--jobs is a number from 1 to %d, not \"%.40s\"", PHASES, argument);
    ((struct run_settings *)settings)->options.jobs = (unsigned)(argument[0] - '0');
    return true;
}

static bool take_sweep(void *settings, const char *argument, struct error *error)
{
    struct run_options *options = &((struct run_settings *)settings)->options;
    static const char *const extents[] = { "all", "sample", "off" };
    for (unsigned i = 0; i < sizeof extents / sizeof *extents; i++)
        if (strcmp(argument, extents[i]) == 0) {
            options->sweep = (enum sweep_extent)i;
            return true;
        }
    return error_set(error, ERROR_USAGE, "--sweep is all, sample or off, not \"%.40s\"", argument);
}

static bool take_mutant(void *settings, const char *argument, struct error *error)
{
    (void)error;
    ((struct run_settings *)settings)->mutant_name = argument;
    return true;
}

static void list_names(char *text, size_t size, const char *(*name_at)(const void *of, size_t index), const void *of)
{
    size_t used = 0;
    const char *name;
    text[0] = '\0';
    for (size_t i = 0; (name = name_at(of, i)) != NULL && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%s", i > 0 ? ", " : "", name);
}

static const char *format_name_at(const void *of, size_t index)
{
    (void)of;
    return index < report_format_count ? report_formats[index].name : NULL;
}

static bool take_format(void *settings, const char *argument, struct error *error)
{
    char known[128];
    const struct report_format *format = report_find(argument);
    list_names(known, sizeof known, format_name_at, NULL);
    if (format == NULL)
        return error_set(error, ERROR_USAGE, "there is no format \"%.40s\"; there are: %s", argument, known);
    ((struct run_settings *)settings)->format = format;
    return true;
}

static bool take_report(void *settings, const char *argument, struct error *error)
{
    for (const char *at = argument; *at != '\0'; at++)
        if ((unsigned char)*at < ' ' || *at == 0x7f)
            return error_set(error, ERROR_USAGE, "--report: the name of the directory has a control character in it");
    ((struct run_settings *)settings)->report = argument;
    return argument[0] != '\0' || error_set(error, ERROR_USAGE, "--report: the name of the directory is empty");
}

static bool take_keep(void *settings, const char *argument, struct error *error)
{
    (void)argument, (void)error;
    ((struct run_settings *)settings)->keep = true;
    return true;
}

static bool take_verbose(void *settings, const char *argument, struct error *error)
{
    (void)argument, (void)error;
    ((struct run_settings *)settings)->verbose = true;
    return true;
}

static bool take_quiet(void *settings, const char *argument, struct error *error)
{
    (void)argument, (void)error;
    ((struct run_settings *)settings)->quiet = true;
    return true;
}

static const char *principal_at(size_t index)
{
    return index < PRINCIPALS ? principal_name((enum principal)index) : NULL;
}

/* Has a backend before this one a fence of that name? Each is offered once. */
static bool is_offered(size_t before, const char *fence)
{
    for (size_t i = 0; i < before; i++)
        if (backend_find_fence(backend_at(i), fence) >= 0)
            return true;
    return false;
}

/* Of all backends; a shell doesn't know yet which one will be meant. */
static const char *mutant_at(size_t index)
{
    const struct backend *backend;
    for (size_t i = 0; (backend = backend_at(i)) != NULL; i++)
        for (size_t j = 0; j < backend->fence_count; j++)
            if (!is_offered(i, backend->fences[j].name) && index-- == 0)
                return backend->fences[j].name;
    return NULL;
}

static const char *format_at(size_t index)
{
    return index < report_format_count ? report_formats[index].name : NULL;
}

const struct command_option run_option_table[RUN_OPTIONS] = {
    BACKEND_OPTION_ROWS,
    { .name = "site",
      .argument = "sealed|host",
      .help = "the network world around the bottle: a sealed one of its own (default), or this machine's, with its own "
              "Docker Engine and firewall (--backend=docker, as root)",
      .take = take_site,
      .word_at = site_option_at },
    { .name = "vector",
      .argument = "ID[,ID...]",
      .help = "only these ways out (default: the core profile); bottle-gate vectors lists them",
      .take = take_vectors,
      .word_at = vector_option_id_at,
      .list = true },
    { .name = "as",
      .argument = "WHO[,WHO]",
      .help = "who tries inside: user, root (default: both)",
      .take = take_principals,
      .word_at = principal_at,
      .list = true },
    { .name = "timeout",
      .argument = "TIME",
      .help = "for all attempts of one principal, like 2s or 500ms (default: 2s)",
      .take = take_timeout },
    { .name = "jobs",
      .argument = "N",
      .help = "the three runs side by side, at most N of them (default: as many as there is room for)",
      .take = take_jobs },
    { .name = "sweep",
      .argument = "all|sample|off",
      .help = "ports of host loopback that BG-001 tries: all 65,535 (default), or 1,000",
      .take = take_sweep },
    { .name = "self-proof",
      .argument = "open|each|bare|off",
      .help = "prove each way out in an open bottle too (default: open), and each fence by leaving it out (each); bare "
              "makes no open run; off makes neither, and is never a PASS",
      .take = take_self_proof },
    { .name = "accept-unproved",
      .argument = "WHAT[,WHAT...]",
      .help =
          "take for enough: the bare run where there is no open one (open); silence of a way out that can't be shown "
          "to be noticed here (its id)",
      .take = take_accepted,
      .word_at = acceptable_at,
      .list = true },
    { .name = "require",
      .argument = "ID[,ID...]",
      .help = "INCONCLUSIVE where one of these ways out is not proved here, for whatever this host or bottle lacks",
      .take = take_required,
      .word_at = vector_option_id_at,
      .list = true },
    { .name = "mutant",
      .argument = "FENCE",
      .help = "leave this fence out, and those that mask it: the gate must notice; bottle backends native lists them",
      .take = take_mutant,
      .word_at = mutant_at },
    { .name = "format",
      .argument = "NAME",
      .help = "what goes to standard output: pretty (default), json, tap, junit, markdown",
      .take = take_format,
      .word_at = format_at },
    { .name = "report",
      .argument = "DIR",
      .help = "write the report in all formats, and the evidence, to this directory",
      .take = take_report,
      .kind = WORD_DIRECTORY },
    { .name = "keep", .help = "keep the run's evidence, and say where", .take = take_keep },
    { .name = "verbose", .letter = 'v', .help = "show every attempt with its evidence", .take = take_verbose },
    { .name = "quiet", .letter = 'q', .help = "show the verdict only", .take = take_quiet },
};

void run_settings_defaults(struct run_settings *settings)
{
    *settings = (struct run_settings){
        .options = { .principals = { true, true },
                     .deadline_milliseconds = 2000,
                     .self_proof = SELF_PROOF_OPEN,
                     .mutant = -1 },
        .choice = backend_option_default(),
        .format = report_find("pretty"),
    };
}

/* Of the fences that bottles of the chosen policy have, the first, the second and so on. */
static const char *fence_name_at(const void *of, size_t index)
{
    const struct run_options *options = of;
    for (size_t i = 0; i < options->backend->fence_count; i++)
        if (self_proof_has(options, i) && index-- == 0)
            return options->backend->fences[i].name;
    return NULL;
}

static bool resolve_mutant(const char *name, struct run_options *options, struct error *error)
{
    char known[256];
    list_names(known, sizeof known, fence_name_at, options);
    options->mutant = backend_find_fence(options->backend, name);
    if (options->mutant < 0 && options->backend->fence_count == 0)
        return error_set(error, ERROR_USAGE, "--mutant: backend %s has no fences that could be left out one by one",
                         options->backend->name);
    if (options->mutant < 0)
        return error_set(error, ERROR_USAGE, "backend %s has no fence \"%.40s\"; it has: %s", options->backend->name,
                         name, known);
    return self_proof_has(options, (size_t)options->mutant) ||
           error_set(error, ERROR_USAGE, "the policy %s of backend %s has no fence %s to leave out; it has: %s",
                     options->policy, options->backend->name, name, known);
}

/* True if the run is asked to try it: by --vector, or as one of the core profile. */
static bool is_asked(const struct run_options *options, uint16_t vector)
{
    for (size_t i = 0; i < options->vector_count; i++)
        if (options->vectors[i] == vector)
            return true;
    return options->vector_count == 0 && vector_find(vector)->core;
}

static bool check_asked(const struct run_options *options, const struct vector_list *list, const char *option,
                        struct error *error)
{
    for (size_t i = 0; i < list->count; i++)
        if (!is_asked(options, list->ids[i]))
            return error_set(error, ERROR_USAGE, "--%s names BG-%03u, which this run doesn't try: add it to --vector",
                             option, list->ids[i]);
    return true;
}

/* What is accepted and what is required must be able to matter; where they can't, somebody errs. */
static bool check_acceptance(const struct run_options *options, struct error *error)
{
    if (options->accept_open && options->self_proof == SELF_PROOF_OFF)
        return error_set(error, ERROR_USAGE,
                         "--accept-unproved=open takes the bare run for enough, and --self-proof=off leaves it out; "
                         "--self-proof=bare makes it");
    for (size_t i = 0; i < options->required.count; i++)
        if (vector_list_has(&options->accepted, options->required.ids[i]))
            return error_set(error, ERROR_USAGE,
                             "--require and --accept-unproved contradict each other: both name BG-%03u",
                             options->required.ids[i]);
    return check_asked(options, &options->accepted, "accept-unproved", error) &&
           check_asked(options, &options->required, "require", error);
}

/* A backend without an open bottle can prove no more than the bare run does. */
static bool lower_self_proof(struct run_options *options, struct error *error)
{
    if (options->backend->has_open == NULL || options->backend->has_open())
        return true;
    if (options->self_proof == SELF_PROOF_EACH)
        return error_set(error, ERROR_USAGE, "--self-proof=each needs an open bottle, and backend %s was given none",
                         options->backend->name);
    if (options->self_proof == SELF_PROOF_OPEN)
        options->self_proof = SELF_PROOF_BARE;
    return true;
}

bool run_settings_settle(struct run_options *options, struct error *error)
{
    return lower_self_proof(options, error) && check_acceptance(options, error);
}

bool run_settings_resolve(struct run_settings *settings, struct error *error)
{
    struct run_options *options = &settings->options;
    options->backend = backend_option_resolve(&settings->choice, &options->policy, error);
    if (options->backend == NULL)
        return false;
    if (settings->mutant_name != NULL && !resolve_mutant(settings->mutant_name, options, error))
        return false;
    if (options->mutant >= 0 && options->self_proof == SELF_PROOF_EACH)
        return error_set(error, ERROR_USAGE,
                         "--mutant and --self-proof=each contradict each other: each leaves out every "
                         "fence in turn");
    if (options->self_proof == SELF_PROOF_EACH && options->backend->fence_count == 0)
        return error_set(error, ERROR_USAGE,
                         "--self-proof=each: backend %s has no fences that could be left out one by one",
                         options->backend->name);
    if (!run_settings_settle(options, error))
        return false;
    if (settings->verbose && settings->quiet)
        return error_set(error, ERROR_USAGE, "--verbose and --quiet contradict each other");
    return true;
}
