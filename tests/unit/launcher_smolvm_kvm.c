/* Every way in which a host may lack KVM, and what is remembered of one that has it. */
#include "launcher_smolvm_fake.h"

#include <grp.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "../../launcher/smolvm/kvm.h"

TestSuite(launcher_smolvm_kvm, .init = scratch_make, .fini = scratch_remove);

static int answer;

static int answers(int fd)
{
    cr_expect_geq(fd, 0);
    return answer;
}

static void expect(const struct smolvm_kvm *kvm, const char *const told[], size_t count)
{
    struct error error = { 0 };
    bool usable = smolvm_kvm_preflight(kvm, &error);
    cr_expect_eq(usable, count == 0, "%s", error.text);
    cr_expect(usable || error.code == ERROR_HOST);
    for (size_t i = 0; i < count; i++)
        cr_expect_not_null(strstr(error.text, told[i]), "%s is not in: %s", told[i], error.text);
    cr_expect_null(strchr(error.text, '\n'));
    cr_expect_lt(strlen(error.text), sizeof error.text - 1, "the text is cut");
}

#define EXPECT(kvm, ...)                                                                                               \
    expect(kvm, (const char *const[]){ __VA_ARGS__ }, sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *))

Test(launcher_smolvm_kvm, a_device_that_is_there_answers_and_is_ones_own_is_usable)
{
    struct smolvm_kvm kvm = { SMOLVM_LINUX, write_scratch("kvm", 0660, ""), answers, false, false };
    answer = 12;
    expect(&kvm, NULL, 0);
    kvm.uid_drop = true;
    expect(&kvm, NULL, 0);
}

Test(launcher_smolvm_kvm, no_device_names_modules_firmware_and_the_other_backend)
{
    struct smolvm_kvm kvm = { SMOLVM_LINUX, "/nonexistent/dev/kvm", answers, false, false };
    EXPECT(&kvm, "/dev/kvm", "kvm-intel", "kvm-amd", "firmware", "--backend=native", "is not there");
}

Test(launcher_smolvm_kvm, on_macos_nothing_is_asked_for)
{
    struct smolvm_kvm kvm = { SMOLVM_MACOS, "/nonexistent/dev/kvm", answers, true, true };
    expect(&kvm, NULL, 0);
}

Test(launcher_smolvm_kvm, a_device_of_others_names_the_group_and_logging_in_again)
{
    if (geteuid() == 0) /* root opens everything: become somebody who doesn't */
        cr_assert(setgroups(0, NULL) == 0 && setresgid(65534, 65534, 65534) == 0 && chown(scratch, 65534, 65534) == 0 &&
                  setresuid(65534, 65534, 65534) == 0);
    static const mode_t modes[] = { 0000, 0400, 0200, 0440 };
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        struct smolvm_kvm kvm = { SMOLVM_LINUX, write_scratch("kvm", modes[i], ""), answers, false, false };
        EXPECT(&kvm, "usermod -aG kvm \"$USER\"", "group kvm", "log in again", "chmod 660");
        unlink(kvm.device);
    }
}

Test(launcher_smolvm_kvm, a_device_that_is_none_is_not_taken_for_kvm)
{
    struct smolvm_kvm kvm = smolvm_kvm_here(false);
    cr_expect_str_eq(kvm.device, "/dev/kvm");
    cr_expect_eq(kvm.root, geteuid() == 0);
    kvm.device = "/dev/null"; /* opens, and knows no such request */
    EXPECT(&kvm, "/dev/null opens and is no KVM of API version 12", "modprobe");
    kvm.api_version = answers;
    answer = 11;
    EXPECT(&kvm, "is no KVM");
    kvm.device = in_scratch("");
    EXPECT(&kvm, "can't open");
}

Test(launcher_smolvm_kvm, a_node_without_a_module_behind_it_is_told_as_that)
{
    /* Opening a socket's file gives what opening such a node gives: ENXIO. */
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    snprintf(address.sun_path, sizeof address.sun_path, "%s/kvm", scratch);
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    struct smolvm_kvm kvm = { SMOLVM_LINUX, address.sun_path, answers, false, false };
    EXPECT(&kvm, "no module stands behind it", "modprobe kvm-intel");
    close(listener);
}

Test(launcher_smolvm_kvm, a_device_that_roots_vmm_can_not_open_after_its_uid_drop_is_told)
{
    answer = 12;
    struct smolvm_kvm kvm = { SMOLVM_LINUX, write_scratch("kvm", 0600, ""), answers, true, true };
    EXPECT(&kvm, "drops to a uid of its own", "mode 600", "chmod 660", "SMOLVM_VM_UID_DROP=off");
    kvm.uid_drop = false;
    expect(&kvm, NULL, 0);
    kvm.uid_drop = true;
    kvm.root = false;
    expect(&kvm, NULL, 0);
    kvm.root = true;
    cr_assert_eq(chmod(kvm.device, 0666), 0);
    expect(&kvm, NULL, 0);
    if (geteuid() != 0)
        return;
    cr_assert_eq(chmod(kvm.device, 0660), 0);
    EXPECT(&kvm, "drops to a uid of its own"); /* the group is root's, in which no VMM is */
    cr_assert_eq(chown(kvm.device, 0, 65534), 0);
    expect(&kvm, NULL, 0);
}

static const char first[] = "11111111-2222-4333-8444-555555555555", second[] = "11111111-2222-4333-8444-555555555556";

Test(launcher_smolvm_kvm, a_success_is_remembered_for_this_boot_only)
{
    struct error error = { 0 };
    cr_expect_not(smolvm_kvm_known(scratch, first));
    cr_assert(smolvm_kvm_remember(scratch, first, &error), "%s", error.text);
    cr_expect(smolvm_kvm_known(scratch, first));
    cr_expect_not(smolvm_kvm_known(scratch, second));
    cr_assert(smolvm_kvm_remember(scratch, second, &error), "%s", error.text);
    cr_expect(smolvm_kvm_known(scratch, second));
    cr_expect_not(smolvm_kvm_known(scratch, first));
    cr_assert(smolvm_kvm_remember(scratch, second, &error), "%s", error.text);
    struct stat status;
    cr_assert_eq(stat(in_scratch("kvm-runs-kernels"), &status), 0);
    cr_expect_eq(status.st_mode & 07777, 0600);
    char command[64];
    snprintf(command, sizeof command, "test $(ls -A %s | wc -l) = 1", scratch);
    cr_expect_eq(system(command), 0, "a part of it is left");
}

Test(launcher_smolvm_kvm, what_is_not_exactly_what_was_remembered_is_not_known)
{
    static const char *const contents[] = {
        "",
        "\n",
        "11111111-2222-4333-8444-555555555555",
        "11111111-2222-4333-8444-555555555555\n\n",
        "11111111-2222-4333-8444-555555555555 \n",
        "x",
        "11111111-2222-4333-8444-55555555555\n",
        "11111111-2222-4333-8444-555555555555\nand much more than that, which is never read to its end"
    };
    for (size_t i = 0; i < sizeof contents / sizeof *contents; i++) {
        write_scratch("kvm-runs-kernels", 0600, contents[i]);
        cr_expect_not(smolvm_kvm_known(scratch, first), "row %zu", i);
        cr_expect_not(smolvm_kvm_known(scratch, ""), "row %zu", i);
    }
    write_scratch("elsewhere", 0600, "11111111-2222-4333-8444-555555555555\n");
    cr_assert(unlink(in_scratch("kvm-runs-kernels")) == 0 && symlink("elsewhere", in_scratch("kvm-runs-kernels")) == 0);
    cr_expect_not(smolvm_kvm_known(scratch, first), "a link was followed");
    cr_assert(unlink(in_scratch("kvm-runs-kernels")) == 0 && mkfifo(in_scratch("kvm-runs-kernels"), 0600) == 0);
    cr_expect_not(smolvm_kvm_known(scratch, first));
    if (geteuid() == 0) {
        unlink(in_scratch("kvm-runs-kernels"));
        cr_assert_eq(
            chown(write_scratch("kvm-runs-kernels", 0644, "11111111-2222-4333-8444-555555555555\n"), 65534, 65534), 0);
        cr_expect_not(smolvm_kvm_known(scratch, first), "another user's word was taken");
    }
    cr_expect_not(smolvm_kvm_known("/nonexistent", first));
    cr_expect_not(smolvm_kvm_remember("/nonexistent", first, NULL));
    cr_expect_not(smolvm_kvm_remember(scratch, "../../etc/passwd", NULL));
}

Test(launcher_smolvm_kvm, the_boot_id_is_read_and_checked)
{
    char id[SMOLVM_BOOT_ID];
    struct error error = { 0 };
    cr_expect(smolvm_boot_id(NULL, id, &error), "%s", error.text);
    cr_expect_eq(strlen(id), 36);
    cr_expect(smolvm_boot_id(write_scratch("id", 0600, "11111111-2222-4333-8444-555555555555\n"), id, NULL));
    cr_expect_str_eq(id, first);
    cr_expect_not(smolvm_boot_id(write_scratch("id", 0600, "11111111 2222 4333 8444 555555555555\n"), id, NULL));
    cr_expect_not(smolvm_boot_id(write_scratch("id", 0600, ""), id, NULL));
    cr_expect_not(smolvm_boot_id("/nonexistent/id", id, NULL));
}
