/*
 * Each fence, one by one: with it a thing inside is so, without it it is otherwise. A fence that silently stays when it is
 * left out, or silently goes when it isn't, turns a row red.
 */
#include "launcher_bottle.h"

#include <sched.h>
#include <sys/resource.h>

#define NS(name) "readlink /proc/self/ns/" name

struct row {
    enum native_fence fence;
    uint32_t besides; /* left out in both: what would hide the difference */
    enum principal principal;
    bool needs_root; /* an ordinary user can't start a bottle without this fence */
    const char *script;
    const char *fenced; /* what it prints; NULL: anything but `open` */
    const char *open;   /* NULL: what it prints outside */
};

static const struct row rows[] = {
    { FENCE_NETWORK, 0, PRINCIPAL_USER, false, NS("net"), NULL, NULL },
    { FENCE_NETWORK, 0, PRINCIPAL_USER, false, "cat /proc/net/route | wc -l", "1", NULL },
    { FENCE_MOUNT, 0, PRINCIPAL_USER, false, NS("mnt"), NULL, NULL },
    { FENCE_MOUNT, 0, PRINCIPAL_USER, false, "ls -d /sys /boot 2>/dev/null | tr '\\n' ' '", "", NULL },
    { FENCE_PID, 0, PRINCIPAL_USER, false, NS("pid"), NULL, NULL },
    { FENCE_PID, 0, PRINCIPAL_USER, false, "cat /proc/1/comm", "bottle-init", NULL },
    { FENCE_USER, 0, PRINCIPAL_ROOT, true, NS("user"), NULL, NULL },
    { FENCE_USER, 0, PRINCIPAL_ROOT, true, "cat /proc/self/uid_map", NULL, NULL },
    { FENCE_IPC, 0, PRINCIPAL_USER, false, NS("ipc"), NULL, NULL },
    { FENCE_UTS, 0, PRINCIPAL_USER, false, NS("uts"), NULL, NULL },
    { FENCE_UTS, 0, PRINCIPAL_USER, false, "uname -n", "bottle", NULL },
    { FENCE_CGROUP, 0, PRINCIPAL_USER, false, NS("cgroup"), NULL, NULL },
    { FENCE_TIME, 0, PRINCIPAL_USER, false, NS("time"), NULL, NULL },
    { FENCE_NO_NEW_PRIVILEGES, 0, PRINCIPAL_USER, false, "grep NoNewPrivs /proc/self/status", "NoNewPrivs:\t1", NULL },
    { FENCE_CAPABILITIES, 0, PRINCIPAL_ROOT, false, "grep -c -E 'Cap(Eff|Prm|Bnd):.*[1-9a-f]' /proc/self/status", "0",
      "3" },
    { FENCE_SECCOMP, 0, PRINCIPAL_USER, false, "grep Seccomp: /proc/self/status", "Seccomp:\t2", "Seccomp:\t0" },
    { FENCE_LIMITS, 0, PRINCIPAL_USER, false, "ulimit -H -c", "0", NULL },
    { FENCE_DESCRIPTORS, 0, PRINCIPAL_USER, false, "ls /proc/self/fd | grep -c '^77$'", "0", "1" },
    { FENCE_SESSION, WITHOUT(FENCE_PID), PRINCIPAL_USER, false, "cut -d' ' -f6 /proc/self/stat", NULL, NULL },
    { FENCE_NESTING, WITHOUT(FENCE_SECCOMP), PRINCIPAL_USER, false, "unshare -U echo made 2>/dev/null", "", "made" },
    { FENCE_NESTING, WITHOUT(FENCE_SECCOMP), PRINCIPAL_ROOT, false, "unshare -U echo made 2>/dev/null", "", "made" },
};
enum { ROWS = sizeof rows / sizeof *rows };

/* What the script prints outside. */
static void run_outside(const char *script, char *output, size_t size)
{
    FILE *shell = popen(script, "re");
    size_t got = fread(output, 1, size - 1, shell);
    output[got] = '\0';
    if (got > 0 && output[got - 1] == '\n')
        output[got - 1] = '\0';
    pclose(shell);
}

static void make_surroundings(void)
{
    struct rlimit core;
    getrlimit(RLIMIT_CORE, &core);
    cr_assert_gt(core.rlim_max, 0,
                 "where core dumps are off already, the limits fence shows nothing: ulimit -c unlimited");
    int inherited = open("/dev/null", O_RDONLY | O_CLOEXEC);
    cr_assert_eq(dup2(inherited, 77), 77); /* not closed on exec */
    close(inherited);
}

static bool skip(const struct row *row)
{
    return row->needs_root && geteuid() != 0;
}

Test(launcher_fences, each_fence_that_stands_keeps_its_thing_in)
{
    make_surroundings();
    for (size_t i = 0; i < ROWS; i++) {
        char inside[1024], outside[1024];
        if (skip(&rows[i]))
            continue;
        struct bottle *bottle = start_without(rows[i].besides);
        run_shell(bottle, rows[i].principal, rows[i].script, inside, sizeof inside);
        destroy(bottle);
        run_outside(rows[i].script, outside, sizeof outside);
        if (rows[i].fenced != NULL)
            cr_expect_str_eq(inside, rows[i].fenced, "%s: %s printed \"%s\"", native_fences[rows[i].fence].name,
                             rows[i].script, inside);
        else
            cr_expect(*inside != '\0' && strcmp(inside, outside) != 0, "%s: %s printed \"%s\"",
                      native_fences[rows[i].fence].name, rows[i].script, inside);
    }
}

Test(launcher_fences, each_fence_left_out_is_gone)
{
    make_surroundings();
    for (size_t i = 0; i < ROWS; i++) {
        char inside[1024], outside[1024];
        if (skip(&rows[i]))
            continue;
        struct bottle *bottle = start_without(rows[i].besides | WITHOUT(rows[i].fence));
        run_shell(bottle, rows[i].principal, rows[i].script, inside, sizeof inside);
        destroy(bottle);
        run_outside(rows[i].script, outside, sizeof outside);
        const char *expected = rows[i].open != NULL ? rows[i].open : outside;
        cr_expect_str_eq(inside, expected, "without %s: %s printed \"%s\" and not \"%s\"",
                         native_fences[rows[i].fence].name, rows[i].script, inside, expected);
    }
}

Test(launcher_fences, every_fence_has_a_row_here_and_a_name_that_is_found)
{
    for (size_t i = 0; i < native_backend.fence_count; i++) {
        bool tested = false;
        for (size_t j = 0; j < ROWS; j++)
            tested |= rows[j].fence == i;
        cr_expect(tested, "%s", native_backend.fences[i].name);
        cr_expect_eq(backend_find_fence(&native_backend, native_backend.fences[i].name), (int)i);
        cr_expect_not_null(native_backend.fences[i].vectors);
    }
    cr_expect_eq(backend_find_fence(&native_backend, "moat"), -1);
    cr_expect_eq(backend_all_fences(&native_backend), 0x7fff);
}

Test(launcher_fences, an_open_bottle_has_none)
{
    char output[1024];
    make_surroundings();
    struct bottle *bottle = start_without(backend_all_fences(&native_backend));
    run_shell(bottle, PRINCIPAL_USER,
              "id -u; grep -E '(NoNewPrivs|Seccomp):' /proc/self/status; ls /proc/self/fd/77; " NS("net"), output,
              sizeof output);
    destroy(bottle);
    char net[64] = "", expected[256];
    cr_assert_gt(readlink("/proc/self/ns/net", net, sizeof net - 1), 0);
    snprintf(expected, sizeof expected, "65534\nNoNewPrivs:\t%d\nSeccomp:\t0\n/proc/self/fd/77\n%s",
             strstr(output, "NoNewPrivs:\t1") != NULL && geteuid() != 0, net);
    cr_expect_str_eq(output, expected);
}

Test(launcher_fences, a_namespace_that_is_the_callers_own_is_never_taken_for_a_fence)
{
    struct error error = { 0 };
    struct bottle *bottle = start_without(WITHOUT(FENCE_NETWORK));
    cr_expect(native_check_namespaces(bottle, &error), "%s", error.text);
    bottle->without = 0; /* as if it had been asked for */
    cr_expect_not(native_check_namespaces(bottle, &error));
    cr_expect_eq(error.code, ERROR_BROKEN);
    bottle->without = WITHOUT(FENCE_NETWORK);
    destroy(bottle);
}

Test(launcher_fences, the_fingerprint_tells_which_namespaces_differ)
{
    struct fingerprint fingerprint;
    struct error error = { 0 };
    struct bottle *bottle = start_without(WITHOUT(FENCE_IPC));
    cr_assert(native_backend.fingerprint(bottle, &fingerprint, &error), "%s", error.text);
    cr_expect_str_eq(fingerprint.engine, "native");
    cr_expect_str_eq(fingerprint.version, BOTTLE_VERSION);
    cr_expect_eq(strlen(fingerprint.boot_id), 36);
    cr_expect_not_null(strstr(fingerprint.details, " net "), "%s", fingerprint.details);
    cr_expect_null(strstr(fingerprint.details, " ipc"), "%s", fingerprint.details);
    destroy(bottle);
}

Test(launcher_fences, an_ordinary_user_is_told_that_the_user_fence_is_needed)
{
    char init[PATH_MAX];
    struct error error = { 0 };
    struct bottle_options options = { .without = WITHOUT(FENCE_USER), .init_path = init };
    cr_assert(install_find("bottle-init", init, &error));
    struct bottle *bottle = native_backend.start(&options, &error);
    cr_expect_eq(bottle != NULL, geteuid() == 0);
    if (bottle != NULL)
        destroy(bottle);
    else
        cr_expect_not_null(strstr(error.text, "root"), "%s", error.text);
}
