/* Where the engine and its parts are found, and what is said for each that isn't. */
#include "launcher_smolvm_fake.h"

#include <sys/types.h>

#include "../../launcher/smolvm/locate.h"

TestSuite(launcher_smolvm_locate, .init = scratch_make, .fini = scratch_remove);

static struct smolvm_places places;
static struct smolvm_location location;

/* Nothing but what a test says: the PATH has one directory, bin, and the tools are in sbin. */
static void no_places(void)
{
    static char path[PATH_MAX], system_path[PATH_MAX], home[PATH_MAX];
    snprintf(path, sizeof path, "%s", in_scratch("bin"));
    snprintf(system_path, sizeof system_path, "%s", in_scratch("sbin"));
    snprintf(home, sizeof home, "%s", in_scratch("home"));
    places = (struct smolvm_places){ .path = path, .system_path = system_path, .home = home };
}

static void make_wheel(const char *rootfs)
{
    no_places();
    write_scratch("smol/smol-vmm", 0755, "\177ELF");
    write_scratch("smol/libkrun.so", 0644, "k");
    write_scratch("smol/libkrunfw.so.5", 0644, "fw");
    if (rootfs != NULL)
        write_scratch(rootfs, 0644, "tar");
    write_scratch("sbin/mkfs.ext4", 0755, "#!/bin/sh\n");
    write_scratch("bin/tar", 0755, "#!/bin/sh\n");
    write_scratch("bin/zstd", 0755, "#!/bin/sh\n");
}

static void expect_found(void)
{
    struct error error = { 0 };
    cr_assert(smolvm_locate(&places, &location, &error), "%s", error.text);
}

static void expect_missing(enum error_code code, const char *told, const char *remedy)
{
    struct error error = { 0 };
    cr_expect_not(smolvm_locate(&places, &location, &error), "%s", told);
    cr_expect(error.code == code && strstr(error.text, told) != NULL && strstr(error.text, remedy) != NULL, "%d %s",
              error.code, error.text);
    cr_expect_null(strchr(error.text, '\n'));
}

Test(launcher_smolvm_locate, a_wheel_is_found_with_all_its_parts_by_whatever_name_leads_there)
{
    make_wheel("smol/agent-rootfs.tar.zst");
    cr_assert_eq(symlink("../smol/smol-vmm", in_scratch("bin/smolvm")), 0);
    write_scratch("elsewhere/x", 0644, "");
    cr_assert_eq(symlink(in_scratch("smol/smol-vmm"), in_scratch("elsewhere/engine")), 0);
    for (int way = 0; way < 4; way++) {
        char named[PATH_MAX], inside[PATH_MAX];
        snprintf(named, sizeof named, "%s", in_scratch(way == 1 ? "elsewhere/engine" : "smol/smol-vmm"));
        snprintf(inside, sizeof inside, "/nonexistent::.:%s:/usr/nowhere", in_scratch("bin"));
        places.named = way < 2 ? named : NULL;
        places.variable = way == 2 ? named : way < 2 ? "/nonexistent/unused" : "";
        places.path = way == 3 ? inside : in_scratch("bin");
        expect_found();
        cr_expect_str_eq(location.program, in_scratch("smol/smol-vmm"), "way %d", way);
        cr_expect_str_eq(location.libraries, in_scratch("smol"));
        cr_expect_str_eq(location.rootfs, in_scratch("smol/agent-rootfs.tar.zst"));
        cr_expect(location.rootfs_is_tar && location.rootfs_is_zstd);
    }
}

Test(launcher_smolvm_locate, smol_vmm_on_path_is_taken_where_there_is_no_smolvm)
{
    make_wheel("smol/agent-rootfs.tar");
    places.path = in_scratch("smol");
    write_scratch("sbin/tar", 0755, "");
    expect_found();
    cr_expect_str_eq(location.program, in_scratch("smol/smol-vmm"));
    cr_expect(location.rootfs_is_tar && !location.rootfs_is_zstd);
    fake_engine("smol/smolvm", "");
    expect_found();
    cr_expect_str_eq(location.program, in_scratch("smol/smolvm"));
}

Test(launcher_smolvm_locate, a_release_is_found_with_its_lib_and_the_users_own_rootfs)
{
    make_wheel(NULL);
    fake_engine("release/smolvm", "");
    write_scratch("release/lib/libkrun.so", 0644, "k");
    write_scratch("release/lib/libkrunfw.so.5", 0644, "fw");
    write_scratch("home/.local/share/smolvm/agent-rootfs/sbin/init", 0755, "");
    write_scratch("data/smolvm/agent-rootfs/sbin/init", 0755, "");
    cr_assert_eq(symlink("../release/smolvm", in_scratch("bin/smolvm")), 0);
    expect_found();
    cr_expect_str_eq(location.libraries, in_scratch("release/lib"));
    cr_expect_str_eq(location.rootfs, in_scratch("home/.local/share/smolvm/agent-rootfs"));
    cr_expect_not(location.rootfs_is_tar);
    char data[PATH_MAX];
    snprintf(data, sizeof data, "%s", in_scratch("data"));
    places.data_home = data;
    expect_found();
    cr_expect_str_eq(location.rootfs, in_scratch("data/smolvm/agent-rootfs"));
    places.data_home = "data";
    expect_found();
    cr_expect_str_eq(location.rootfs, in_scratch("home/.local/share/smolvm/agent-rootfs"));
}

Test(launcher_smolvm_locate, what_the_environment_names_goes_before_what_lies_beside)
{
    char libraries[PATH_MAX], rootfs[PATH_MAX], tar[PATH_MAX], program[PATH_MAX];
    make_wheel("smol/agent-rootfs.tar");
    write_scratch("other/libkrun.so", 0644, "k");
    write_scratch("other/libkrunfw.so.5", 0644, "fw");
    snprintf(tar, sizeof tar, "%s", write_scratch("other/agent.tar", 0644, "t"));
    snprintf(libraries, sizeof libraries, "%s", in_scratch("other"));
    snprintf(rootfs, sizeof rootfs, "%s", in_scratch("smol"));
    snprintf(program, sizeof program, "%s", in_scratch("smol/smol-vmm"));
    places.named = program;
    places.libraries = libraries;
    places.rootfs_tar = tar;
    expect_found();
    cr_expect_str_eq(location.libraries, libraries);
    cr_expect_str_eq(location.rootfs, tar);
    places.rootfs = rootfs;
    expect_found();
    cr_expect_str_eq(location.rootfs, rootfs);
    cr_expect_not(location.rootfs_is_tar);
    /* One that is named and wrong is no reason to look elsewhere. */
    places.rootfs = "/nonexistent/rootfs";
    expect_missing(ERROR_HOST, "SMOLVM_AGENT_ROOTFS (/nonexistent/rootfs)", "unset it");
    places.rootfs = NULL;
    places.rootfs_tar = "/nonexistent/tar";
    expect_missing(ERROR_HOST, "SMOLVM_AGENT_ROOTFS_TAR (/nonexistent/tar)", "unset it");
    places.libraries = "/nonexistent/lib";
    expect_missing(ERROR_HOST, "SMOLVM_LIB_DIR (/nonexistent/lib)", "unset it");
}

Test(launcher_smolvm_locate, without_an_engine_it_is_said_how_to_get_one_and_what_else_there_is)
{
    make_wheel("smol/agent-rootfs.tar");
    expect_missing(ERROR_HOST, "smolvm is not on PATH", "pip install smolmachines");
    expect_missing(ERROR_HOST, "--smolvm=PATH", "--backend=native");
    places.path = NULL;
    expect_missing(ERROR_HOST, "smolvm is not on PATH", "--backend=native");
    /* A directory of that name is no program, and neither is what only "." would find. */
    write_scratch("bin/smolvm/file", 0755, "");
    cr_assert_eq(chdir(in_scratch("smol")), 0);
    char path[PATH_MAX];
    snprintf(path, sizeof path, ":.:%s:", in_scratch("bin"));
    places.path = path;
    expect_missing(ERROR_HOST, "smolvm is not on PATH", "--backend=native");
    cr_assert_eq(chdir("/"), 0);
}

Test(launcher_smolvm_locate, a_program_that_can_not_be_run_is_told_apart_from_none)
{
    char path[PATH_MAX];
    make_wheel("smol/agent-rootfs.tar");
    snprintf(path, sizeof path, "%s", write_scratch("bin/smolvm", 0644, "#!/bin/sh\n"));
    expect_missing(ERROR_HOST, "is not executable by you", "chmod a+rx");
    places.named = path;
    expect_missing(ERROR_HOST, "(--smolvm) is not executable by you", "chmod a+rx");
    places.named = NULL;
    places.variable = path;
    expect_missing(ERROR_HOST, "(BOTTLE_SMOLVM) is not executable by you", "chmod a+rx");
    places.variable = "/nonexistent/smolvm";
    expect_missing(ERROR_USAGE, "/nonexistent/smolvm (BOTTLE_SMOLVM)", "No such file");
    places.named = in_scratch("smol");
    expect_missing(ERROR_USAGE, "(--smolvm) is no program", "name the file itself");
}

Test(launcher_smolvm_locate, each_missing_part_is_named_with_its_remedy)
{
    static const struct {
        const char *gone, *told, *remedy;
    } rows[] = {
        { "smol/libkrun.so", "libkrun.so and libkrunfw.so.5 are not", "SMOLVM_LIB_DIR" },
        { "smol/libkrunfw.so.5", "libkrun.so and libkrunfw.so.5 are not", "unpack the whole wheel" },
        { "smol/agent-rootfs.tar.zst", "agent-rootfs is not beside", "SMOLVM_AGENT_ROOTFS_TAR" },
        { "sbin/mkfs.ext4", "mkfs.ext4 is not here", "sudo apt install e2fsprogs (nixpkgs: e2fsprogs)" },
        { "bin/tar", "tar is not here", "sudo apt install tar (nixpkgs: gnutar)" },
        { "bin/zstd", "zstd is not here", "sudo apt install zstd (nixpkgs: zstd)" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        make_wheel("smol/agent-rootfs.tar.zst");
        char program[PATH_MAX];
        snprintf(program, sizeof program, "%s", in_scratch("smol/smol-vmm"));
        places.named = program;
        expect_found();
        cr_assert_eq(unlink(in_scratch(rows[i].gone)), 0);
        expect_missing(ERROR_HOST, rows[i].told, rows[i].remedy);
    }
}

Test(launcher_smolvm_locate, a_script_with_nothing_beside_it_is_a_wrapper_that_knows_where_its_parts_are)
{
    make_wheel("smol/agent-rootfs.tar");
    fake_engine("bin/smolvm", "exec smol-vmm");
    /* It may be of another version. */
    write_scratch("home/.local/share/smolvm/agent-rootfs/sbin/init", 0755, "");
    expect_found();
    cr_expect_str_eq(location.program, in_scratch("bin/smolvm"));
    cr_expect(location.wrapper && *location.libraries == '\0' && *location.rootfs == '\0' && !location.rootfs_is_tar);
    cr_assert_eq(unlink(in_scratch("sbin/mkfs.ext4")), 0);
    expect_missing(ERROR_HOST, "mkfs.ext4 is not here", "apt install");
    write_scratch("sbin/mkfs.ext4", 0755, "");
    /* What is named is taken all the same, and what is no script is no wrapper. */
    char libraries[PATH_MAX];
    snprintf(libraries, sizeof libraries, "%s", in_scratch("smol"));
    places.libraries = libraries;
    expect_found();
    cr_expect_str_eq(location.libraries, libraries);
    cr_expect_str_eq(location.rootfs, in_scratch("home/.local/share/smolvm/agent-rootfs"));
    places.libraries = NULL;
    write_scratch("bin/smolvm", 0755, "\177ELF");
    expect_missing(ERROR_HOST, "libkrun.so and libkrunfw.so.5 are not", "SMOLVM_LIB_DIR");
    write_scratch("bin/smolvm", 0755, "#");
    expect_missing(ERROR_HOST, "libkrun.so and libkrunfw.so.5 are not", "SMOLVM_LIB_DIR");
}

Test(launcher_smolvm_locate, tools_that_a_location_does_not_need_are_not_asked_for)
{
    const char *name;
    struct error error = { 0 };
    make_wheel("smol/agent-rootfs.tar");
    places.path = in_scratch("smol");
    write_scratch("sbin/tar", 0755, "");
    cr_assert_eq(unlink(in_scratch("bin/zstd")), 0);
    expect_found();
    cr_assert_eq(unlink(in_scratch("sbin/tar")), 0);
    expect_missing(ERROR_HOST, "tar is not here", "apt install");
    cr_assert_eq(unlink(in_scratch("smol/agent-rootfs.tar")), 0);
    write_scratch("smol/agent-rootfs/sbin/init", 0755, "");
    expect_found();
    cr_expect_not(location.rootfs_is_tar);
    cr_assert_eq(unlink(in_scratch("sbin/mkfs.ext4")), 0);
    size_t missing = 0;
    for (size_t i = 0; i < smolvm_locate_tools(); i++)
        missing += !smolvm_locate_tool(&places, &location, i, &name, &error);
    cr_expect_eq(missing, 1);
}

Test(launcher_smolvm_locate, what_was_named_once_is_meant_from_then_on_wherever_one_stands)
{
    struct error error = { 0 };
    make_wheel(NULL);
    setenv("BOTTLE_SMOLVM", "/b", 1);
    cr_expect_str_eq(smolvm_places_here(NULL).named, "");
    cr_assert_eq(chdir(scratch), 0);
    cr_assert(smolvm_name_program("smol/smol-vmm", &error), "%s", error.text);
    cr_assert_eq(chdir("/"), 0);
    places = smolvm_places_here(NULL);
    cr_expect_str_eq(places.named, in_scratch("smol/smol-vmm"));
    cr_assert(smolvm_locate_program(&places, &location, &error), "%s", error.text);
    cr_expect_str_eq(location.program, in_scratch("smol/smol-vmm"));
    cr_expect_not(smolvm_name_program("/nonexistent/smolvm", &error));
    cr_expect(error.code == ERROR_USAGE && strstr(error.text, "\"/nonexistent/smolvm\" (--smolvm): No such") != NULL,
              "%s", error.text);
    cr_expect_str_eq(smolvm_places_here(NULL).named, "");
}

Test(launcher_smolvm_locate, the_places_of_this_process_are_its_environment)
{
    setenv("BOTTLE_SMOLVM", "/b", 1);
    setenv("PATH", "/p", 1);
    setenv("SMOLVM_LIB_DIR", "/l", 1);
    setenv("SMOLVM_AGENT_ROOTFS", "/r", 1);
    setenv("SMOLVM_AGENT_ROOTFS_TAR", "/t", 1);
    setenv("HOME", "/h", 1);
    setenv("XDG_DATA_HOME", "/d", 1);
    struct smolvm_places here = smolvm_places_here("/n");
    const char *const got[] = { here.named,  here.variable,   here.path, here.libraries,
                                here.rootfs, here.rootfs_tar, here.home, here.data_home };
    static const char *const wanted[] = { "/n", "/b", "/p", "/l", "/r", "/t", "/h", "/d" };
    for (size_t i = 0; i < sizeof got / sizeof *got; i++)
        cr_expect_str_eq(got[i], wanted[i]);
    cr_expect_not_null(strstr(here.system_path, "/usr/sbin"));
    setenv("PATH", "/usr/bin:/bin", 1);
}
