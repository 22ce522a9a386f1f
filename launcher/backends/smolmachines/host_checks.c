/*
 * See machine.h: what the host must have for a machine, one row a thing, each with a message and a remedy of its own. A row whose
 * `after` isn't met has nothing to look at: what it would say then is a consequence.
 */
#include "../../smolvm/kvm.h"
#include "machine.h"

extern char **environ;

enum host_check_index { PROGRAM, VERSION, POLICY, LIBRARIES, ROOTFS, DISKS, UNTAR, UNPACK, DEVICE, TRIAL };
#define AFTER(index) (1u << (index))

static enum smolvm_policy policy_named(const char *name)
{
    enum smolvm_policy policy = SMOLVM_HARDENED;
    if (name != NULL)
        smolvm_policy_find(name, &policy);
    return policy;
}

static bool look_for_program(const char *policy, struct error *error)
{
    struct smolvm_location location;
    struct smolvm_places places = smolvm_places_here(NULL);
    (void)policy;
    return smolvm_locate_program(&places, &location, error);
}

static bool find_version(struct smolvm_version *version, struct error *error)
{
    struct smolvm_location location;
    struct smolvm_places places = smolvm_places_here(NULL);
    const struct smolvm_engine engine = { .program = location.program, .environment = environ };
    return smolvm_locate_program(&places, &location, error) && machine_ask_version(&engine, version, error);
}

static bool look_at_version(const char *policy, struct error *error)
{
    struct smolvm_version version;
    (void)policy;
    return find_version(&version, error) &&
           (smolvm_can(&version, SMOLVM_SUPPORTED) || smolvm_version_lacks(&version, SMOLVM_SUPPORTED, error));
}

static bool look_at_policy(const char *policy, struct error *error)
{
    struct smolvm_version version;
    return find_version(&version, error) &&
           smolvm_policy_check(&version, policy_named(policy), MACHINE_TRIAL_DOOR, error);
}

static bool find_libraries(struct smolvm_location *location, struct error *error)
{
    struct smolvm_places places = smolvm_places_here(NULL);
    return smolvm_locate_program(&places, location, error) && smolvm_locate_libraries(&places, location, error);
}

static bool look_for_libraries(const char *policy, struct error *error)
{
    struct smolvm_location location;
    (void)policy;
    return find_libraries(&location, error);
}

static bool find_rootfs(struct smolvm_location *location, struct error *error)
{
    struct smolvm_places places = smolvm_places_here(NULL);
    return find_libraries(location, error) && smolvm_locate_rootfs(&places, location, error);
}

static bool look_for_rootfs(const char *policy, struct error *error)
{
    struct smolvm_location location;
    (void)policy;
    return find_rootfs(&location, error);
}

static bool look_for_tool(size_t index, struct error *error)
{
    const char *name;
    struct smolvm_location location;
    struct smolvm_places places = smolvm_places_here(NULL);
    return find_rootfs(&location, error) && smolvm_locate_tool(&places, &location, index, &name, error);
}

static bool look_for_mkfs(const char *policy, struct error *error)
{
    (void)policy;
    const char *name;
    const struct smolvm_location location = { 0 }; /* needed wherever the engine is */
    struct smolvm_places places = smolvm_places_here(NULL);
    return smolvm_locate_tool(&places, &location, 0, &name, error);
}

static bool look_for_tar(const char *policy, struct error *error)
{
    (void)policy;
    return look_for_tool(1, error);
}

static bool look_for_zstd(const char *policy, struct error *error)
{
    (void)policy;
    return look_for_tool(2, error);
}

/* No VMM drops its uid in a run (boot.c), but every one is started as root of a site. */
static bool look_at_device(const char *policy, struct error *error)
{
    struct smolvm_kvm kvm = smolvm_kvm_here(false);
    (void)policy;
    return smolvm_kvm_preflight(&kvm, error) && machine_may_open(kvm.device, error);
}

static bool boot_on_trial(const char *policy, struct error *error)
{
    return machine_trial(policy_named(policy), error);
}

const struct host_check machine_checks[MACHINE_CHECKS] = {
    [PROGRAM] = { "smolvm", "the engine", 0, false, look_for_program },
    [VERSION] = { "smolvm-version", "a version that is known here", AFTER(PROGRAM), false, look_at_version },
    [POLICY] = { "smolvm-policy", "the options that the policy takes", AFTER(PROGRAM) | AFTER(VERSION), false,
                 look_at_policy },
    [LIBRARIES] = { "smolvm-libraries", "libkrun and its kernel", AFTER(PROGRAM), false, look_for_libraries },
    [ROOTFS] = { "smolvm-rootfs", "the file system of the engine's agent", AFTER(PROGRAM) | AFTER(LIBRARIES), false,
                 look_for_rootfs },
    [DISKS] = { "mkfs.ext4", "the engine makes disks with it", 0, false, look_for_mkfs },
    [UNTAR] = { "tar", "the engine unpacks its agent with it", AFTER(ROOTFS), false, look_for_tar },
    [UNPACK] = { "zstd", "the same, where that is compressed", AFTER(ROOTFS), false, look_for_zstd },
    [DEVICE] = { "kvm", "/dev/kvm, to be opened by you", 0, false, look_at_device },
    [TRIAL] = { "kvm-boots", "a try with a machine: a kernel that answers", AFTER(TRIAL) - 1, true, boot_on_trial },
};

bool machine_preflight(const char *policy, struct error *error)
{
    for (size_t i = 0; i < MACHINE_CHECKS; i++)
        if (!machine_checks[i].makes_bottle && !machine_checks[i].look(policy, error))
            return false;
    return true;
}
