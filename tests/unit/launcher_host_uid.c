/* Who a principal is on the host: what host_uid says is what the kernel says of a command that runs. */
#include "launcher_bottle.h"

#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "../../launcher/id_block.h"
#include "../../launcher/namespaces.h"

/* The effective uid of process `pid`, in this process's user namespace. */
static uid_t uid_of(pid_t pid)
{
    char path[64], text[4096];
    unsigned effective = 0;
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    const char *line = file_read(path, text, sizeof text) ? strstr(text, "\nUid:") : NULL;
    return line != NULL && sscanf(line, "\nUid: %*u %u", &effective) == 1 ? effective : (uid_t)-1;
}

/* 0 if both agree; what they say is in `told` and `found`. */
static int compare(struct bottle *bottle, enum principal principal, uid_t *told, uid_t *found)
{
    struct error error = { 0 };
    char *const argv[] = { "/bin/sleep", "1000", NULL };
    struct exec_streams streams = { -1, -1, -1, false };
    pid_t pid;
    if (!native_backend.host_uid(bottle, principal, told, &error) ||
        !native_backend.exec(bottle, argv, principal, &streams, &pid, &error))
        return 2;
    *found = uid_of(pid);
    process_kill(pid);
    return *told == *found ? 0 : 1;
}

Test(launcher_host_uid, is_what_the_kernel_says_of_a_running_command)
{
    const uint32_t all = backend_all_fences(&native_backend);
    const uint32_t rows[] = { 0, WITHOUT(FENCE_PID), WITHOUT(FENCE_USER), all, all & ~WITHOUT(FENCE_USER) };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (geteuid() != 0 && (rows[i] & WITHOUT(FENCE_USER)) != 0)
            continue; /* an ordinary user's bottle needs it */
        struct bottle *bottle = start_without(rows[i]);
        for (enum principal principal = 0; principal < PRINCIPALS; principal++) {
            uid_t told = 1, found = 2;
            cr_expect_eq(compare(bottle, principal, &told, &found), 0, "without %#x, %s: told %u, is %u", rows[i],
                         principal_name(principal), told, found);
            if (geteuid() != 0)
                cr_expect_eq(told, geteuid());
            else if ((rows[i] & WITHOUT(FENCE_USER)) == 0)
                cr_expect_geq(told, ID_BLOCK_LOW);
        }
        destroy(bottle);
    }
}

Test(launcher_host_uid, two_bottles_of_root_share_no_id)
{
    if (geteuid() != 0)
        return;
    struct bottle *bottles[] = { start_without(0), start_without(0) };
    uid_t uids[2] = { 0 };
    for (size_t i = 0; i < 2; i++)
        cr_expect(native_backend.host_uid(bottles[i], PRINCIPAL_ROOT, &uids[i], NULL));
    cr_expect_neq(uids[0] / ID_BLOCK_SIZE, uids[1] / ID_BLOCK_SIZE);
    destroy(bottles[0]);
    destroy(bottles[1]);
}

static int compare_in_site(void)
{
    int status = 0;
    const uint32_t rows[] = { 0, backend_all_fences(&native_backend) };
    for (size_t i = 0; i < 2; i++) {
        struct bottle *bottle = start_without(rows[i]);
        for (enum principal principal = 0; principal < PRINCIPALS; principal++) {
            uid_t told, found;
            status |= compare(bottle, principal, &told, &found);
        }
        destroy(bottle);
    }
    return status;
}

/* As the gate does it; there "the host" is the site. */
Test(launcher_host_uid, is_right_inside_a_site_too)
{
    struct error error = { 0 };
    int go[2], status = -1;
    cr_assert_eq(pipe(go), 0);
    pid_t site = namespaces_fork(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWNS, &error);
    if (site == 0) {
        char byte;
        if (read(go[0], &byte, 1) != 1 || setresgid(0, 0, 0) != 0 || setresuid(0, 0, 0) != 0)
            _exit(9);
        _exit(compare_in_site());
    }
    cr_assert(site > 0 && namespaces_map_ids(site, 0, &error), "%s", error.text);
    cr_assert_eq(write(go[1], "1", 1), 1);
    cr_assert(process_wait(site, clock_microseconds() + BOUND, &status));
    cr_expect_eq(process_exit_status(status), 0);
}

/* Without the user fence its commands of 65534 have a namespace of their own, in which that is another name of this id. */
Test(launcher_host_uid, is_right_in_the_open_bottle_of_an_ordinary_user_who_is_not_65534)
{
    if (geteuid() != 0)
        return;
    int status = -1;
    pid_t user = fork();
    if (user == 0) {
        uid_t told = 1, found = 2;
        if (setgroups(0, NULL) != 0 || setresgid(1234, 1234, 1234) != 0 || setresuid(1234, 1234, 1234) != 0 ||
            prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) != 0)
            _exit(9);
        struct bottle *bottle = start_without(backend_all_fences(&native_backend));
        status = compare(bottle, PRINCIPAL_USER, &told, &found);
        destroy(bottle);
        _exit(status != 0 ? status : told == 1234 ? 0 : 3);
    }
    cr_assert(process_wait(user, clock_microseconds() + BOUND, &status));
    cr_expect_eq(process_exit_status(status), 0);
}

Test(launcher_host_uid, of_a_bottle_whose_init_is_gone_is_an_error)
{
    uid_t uid;
    struct error error = { 0 };
    struct bottle *bottle = start_without(0);
    pid_t init = bottle->init;
    bottle->init = 0x7fffffff; /* nobody's */
    cr_expect_not(native_backend.host_uid(bottle, PRINCIPAL_USER, &uid, &error));
    cr_expect_neq(error.code, ERROR_NONE);
    bottle->init = init;
    destroy(bottle);
}

Test(launcher_host_uid, a_block_with_a_process_in_it_is_taken)
{
    if (geteuid() != 0)
        return;
    static const uint32_t used[] = { 0, 65534 };
    for (size_t i = 0; i < 2; i++) {
        uint32_t block = id_block_find();
        cr_expect_not(id_block_taken(block));
        int ready[2];
        char byte;
        cr_assert_eq(pipe2(ready, O_CLOEXEC), 0);
        pid_t holder = fork();
        if (holder == 0) {
            process_die_with_parent(-1);
            if (setresuid(block + used[i], block + used[i], block + used[i]) == 0 && write(ready[1], "1", 1) == 1)
                pause();
            _exit(1);
        }
        cr_assert_eq(read(ready[0], &byte, 1), 1);
        cr_expect(id_block_taken(block), "id %u of the block", used[i]);
        process_kill(holder);
        cr_expect_not(id_block_taken(block));
        close(ready[0]);
        close(ready[1]);
    }
}

Test(launcher_host_uid, bottles_have_no_address_but_loopback)
{
    cr_expect_str_eq(native_backend.peer4, "127.0.0.1");
    cr_expect_str_eq(native_backend.peer6, "::1");
}
